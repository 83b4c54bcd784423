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
        ..Plan::default()
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
        let losses = losses(&[], &support(kinds, fidelity), &Seen::default()).into_iter();
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

#[test]
fn two_plans_are_compared_by_what_they_are_decided_by() {
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        pairs.collect()
    };
    let before = map(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let now = map(&[("a", "1"), ("b", "two"), ("d", "4")]);
    assert_eq!(
        changes(&before, &now),
        [
            "b was \"2\" and is \"two\"",
            "c was \"3\" and is gone",
            "d is new: \"4\""
        ]
    );
    assert_eq!(changes(&now, &now), Vec::<String>::new());
}

#[test]
fn a_plan_is_decided_by_what_becomes_of_things_and_not_by_how_many_there_are() {
    let rules = super::super::fixtures::config("");
    let mut plan = plan(vec![]);
    plan.kinds = vec![PlanKind {
        kind: "customer".into(),
        count: Some(7),
        arrival: "made".into(),
        ..PlanKind::default()
    }];
    let before = decided_by(&plan, &rules);
    if let Some(kind) = plan.kinds.first_mut() {
        (kind.count, kind.source_calls) = (Some(9), 4);
    }
    assert_eq!(decided_by(&plan, &rules), before);
    if let Some(kind) = plan.kinds.first_mut() {
        kind.arrival = "exported".into();
    }
    assert_eq!(
        changes(&before, &decided_by(&plan, &rules)),
        ["how customer arrives was \"made\" and is \"exported\""]
    );
    let other = super::super::fixtures::config("[filter]\nspam = true");
    assert_eq!(
        changes(&before, &decided_by(&plan, &other)),
        [
            "how customer arrives was \"made\" and is \"exported\"",
            "migration.toml filter.spam is new: \"true\""
        ]
    );
}

#[test]
fn what_calls_take_goes_by_the_limit_and_our_share_of_it_over_a_week() {
    assert_eq!(takes_ms(1_000, 100, 60_000, 1.0), 600_000);
    assert_eq!(takes_ms(1_000, 100, 60_000, 0.5), 1_200_000);
    let rules = |text: &str| share_over_a_week(&super::super::fixtures::config(text));
    assert!((rules("") - 0.5).abs() < 1e-9);
    let nights =
        "[budget]\nshare = 0.4\nhours = [{ from = \"20:00\", to = \"08:00\", share = 1.0 }]";
    assert!((rules(nights) - 0.7).abs() < 1e-9);
}

#[test]
fn what_becomes_of_a_kind_is_counted_on_what_is_read_and_reckoned_for_the_rest() {
    let rules = super::super::fixtures::config("");
    let full = support(
        vec![takes(Kind::Customer, true), takes(Kind::Conversation, true)],
        vec![],
    );
    let mut seen = Seen::default();
    seen.read.insert("customer".into(), 10);
    seen.skipped.insert("customer".into(), 2);
    seen.rejected.insert("customer".into(), 1);
    let of = |kind: Kind, count: u64, support: &AccountSupport| {
        let f = kind_forecast(
            &rules,
            &kind,
            Some(count),
            support,
            &seen,
            &Asked::default(),
        );
        (f.created, f.matched, f.skipped, f.rejected, f.exported)
    };
    assert_eq!(of(Kind::Customer, 100, &full), (70, 0, 20, 10, 0));
    // Messages go along with conversations; what the account does not take is exported.
    assert_eq!(of(Kind::Message, 40, &full), (40, 0, 0, 0, 0));
    assert_eq!(
        of(Kind::Message, 40, &support(vec![], vec![])),
        (0, 0, 0, 0, 40)
    );
    assert_eq!(of(Kind::Article, 4, &full), (0, 0, 0, 0, 4));
}
