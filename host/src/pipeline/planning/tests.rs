use super::*;

fn notice(severity: Severity, code: &str, message: &str) -> Notice {
    Notice {
        from: "acme".into(),
        code: code.into(),
        severity,
        message: message.into(),
        remedy: None,
    }
}

fn plan(dangers: Vec<PlanDanger>) -> Plan {
    Plan {
        digest: "d1".into(),
        check: CheckReport {
            connections: vec![],
            ok: false,
        },
        kinds: vec![],
        losses: vec![],
        custom_fields: vec![],
        values: vec![],
        agents: vec![],
        side_effects: vec![],
        notices: vec![],
        dangers,
        source_calls: 0,
        destination_calls: 0,
        forecast_ms: 0,
        damage: vec![],
        errors: vec![],
    }
}

fn options(accept: Option<&str>, yes: bool, codes: &[&str]) -> RunOptions {
    RunOptions {
        accept: accept.map(str::to_owned),
        yes,
        accept_dangers: codes.iter().map(|code| (*code).to_owned()).collect(),
        ..RunOptions::default()
    }
}

#[test]
fn a_yes_to_the_plan_is_no_yes_to_its_dangers() {
    let all = [
        notice(Severity::Danger, "mails", "It mails."),
        notice(Severity::Caution, "seats", "It costs."),
        notice(Severity::Danger, "mails", "It mails again."),
        notice(Severity::Danger, "mails", "It mails."),
        notice(Severity::Danger, "masked", "Names are masked."),
        notice(Severity::Danger, "known", "Taken on before."),
    ];
    let dangerous = plan(dangers(all.iter(), &["known".to_owned()]));
    let open: Vec<_> = dangerous
        .dangers
        .iter()
        .map(|d| (d.notice.message.as_str(), d.accepted))
        .collect();
    assert_eq!(
        open,
        [
            ("It mails.", false),
            ("It mails again.", false),
            ("Names are masked.", false),
            ("Taken on before.", true)
        ]
    );
    let refused = approve(&dangerous, &options(None, true, &["masked"])).unwrap_err();
    assert_eq!(
        (refused.code(), refused.exit_code()),
        ("danger-not-accepted", 2)
    );
    let words = refused.to_string();
    assert!(
        words.contains("mails (acme: It mails.)")
            && words.contains("mails (acme: It mails again.)"),
        "{words}"
    );
    assert!(
        !words.contains("masked") && !words.contains("known"),
        "{words}"
    );
    let hint = refused.hint().unwrap();
    assert!(
        hint.contains("--accept-danger mails`") && hint.contains("--accept d1"),
        "{hint}"
    );

    assert!(approve(&dangerous, &options(None, true, &["masked", "mails"])).is_ok());
    assert!(approve(&dangerous, &options(Some("d1"), false, &[])).is_ok());
    let calm = plan(vec![]);
    assert!(approve(&calm, &options(None, true, &[])).is_ok());
    // Codes alone say nothing of the plan, and another plan's digest nothing of this one.
    for no in [
        options(None, false, &["masked", "mails"]),
        options(Some("d2"), false, &[]),
    ] {
        let refused = approve(&dangerous, &no).unwrap_err();
        assert!(matches!(refused, Error::NotApproved { .. }), "{refused}");
    }
}

fn support(kinds: Vec<KindSupport>, fidelity: Vec<FieldFidelity>) -> AccountSupport {
    AccountSupport { kinds, fidelity }
}

fn takes(kind: Kind, keeps_created_at: bool) -> KindSupport {
    KindSupport {
        kind,
        batch_items: 1,
        batch_bytes: 1,
        max_concurrency: None,
        conflicts: vec![],
        settle: vec![],
        updates: vec![],
        keeps_created_at,
        can_create: true,
        can_delete: true,
        matches: false,
        calls: 1,
        per_items: 1,
    }
}

fn travels(kind: Kind, field: &str, how: Fidelity) -> FieldFidelity {
    FieldFidelity {
        kind,
        field: field.into(),
        how,
        note: None,
    }
}

#[test]
fn when_a_record_was_made_is_a_loss_where_the_account_does_not_keep_it() {
    let of = |kinds, fidelity| {
        let losses = losses(&[], &support(kinds, fidelity)).into_iter();
        let losses = losses.map(|l| format!("{} {} {}", l.kind, l.field, l.how));
        losses.collect::<Vec<_>>()
    };
    let customer = |keeps| takes(Kind::Customer, keeps);
    assert_eq!(of(vec![customer(true)], vec![]), Vec::<String>::new());
    let lost = ["customer created-at lost"];
    assert_eq!(of(vec![customer(false)], vec![]), lost);
    let exact = |field: &str| travels(Kind::Customer, field, Fidelity::Exact);
    assert_eq!(of(vec![customer(false)], vec![exact("*")]), lost);
    // What the connector says of it counts, and is said once.
    let converted = travels(Kind::Customer, "created-at", Fidelity::Converted);
    let said = of(vec![customer(false)], vec![exact("*"), converted]);
    assert_eq!(said, ["customer created-at converted"]);
    let matched = KindSupport {
        can_create: false,
        ..customer(false)
    };
    assert_eq!(of(vec![matched], vec![]), Vec::<String>::new());
}

#[test]
fn messages_and_files_are_exported_where_the_account_takes_no_conversations() {
    let full = [takes(Kind::Conversation, true), takes(Kind::Customer, true)];
    let (_, less) = full.split_at(1);
    for kind in [Kind::Message, Kind::Attachment] {
        assert_eq!(arrival(&kind, &full), "inside its conversation");
        assert_eq!(arrival(&kind, less), "written to the export folder");
    }
    assert_eq!(arrival(&Kind::Customer, less), "made");
}
