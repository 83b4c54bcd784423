use std::collections::BTreeMap;

use super::*;
use crate::pipeline::model::{
    DamageExample, DamageGroup, Evidence, Example, Flag, Forecast, Foreseen, Guess, KindSum,
    LossGroup, Most, Plan, PlanAgent, PlanAllowance, PlanCustomField, PlanDanger, PlanField,
    PlanKind, PlanLimit, PlanName, PlanPoint, PlanUpdate, PlanValueMap, Reason, RejectGroup,
    RequestCount, RunState, SkipGroup, UndoProblem,
};

fn notice(severity: Severity, code: &str, message: &str, remedy: Option<&str>) -> Notice {
    Notice {
        from: "acme-desk".into(),
        code: code.into(),
        severity,
        message: message.into(),
        remedy: remedy.map(str::to_owned),
    }
}

fn checked() -> CheckReport {
    let connection = |name: &str, role: &str| ConnectionCheck {
        connection: name.into(),
        role: role.into(),
        plugin: format!("{name}@0.1.0"),
        digest: "0123456789abcdef0123456789abcdef".into(),
        account: "42".into(),
        account_name: "アクメ株式会社 👩‍🚀".into(),
        url: Some("https://acme.example".into()),
        tier: None,
        user: Some("jo@acme.example".into()),
        missing_rights: vec![],
        excess_rights: vec![],
        hosts: vec!["acme.example".into(), "files.example".into()],
        notices: vec![],
    };
    let mut source = connection("old-desk", "source");
    source.excess_rights = vec!["write:customers".into()];
    let mut destination = connection("acme-desk", "destination");
    destination.missing_rights = vec!["import".into()];
    destination.notices = vec![
        notice(
            Severity::Info,
            "tier",
            "Imports are slow on this tier",
            None,
        ),
        notice(
            Severity::Danger,
            "masked",
            "Values are masked",
            Some("give the key the right to see them"),
        ),
    ];
    CheckReport {
        connections: vec![source, destination],
        ok: false,
    }
}

fn example(id: &str, value: Option<&str>) -> Example {
    Example {
        id: id.into(),
        value: value.map(str::to_owned),
    }
}

fn evidence() -> Evidence {
    Evidence {
        read: BTreeMap::from([("customer".into(), 12_345)]),
        foreseen: vec![
            Foreseen {
                kind: "attachment".into(),
                field: "attachment.state".into(),
                cause: "files at files.example are not fetched: the host is not allowed".into(),
                remedy: "add \"files.example\" to allow_hosts".into(),
                sure: true,
                records: 9,
                examples: vec![example("a1", None), example("a2", None)],
            },
            Foreseen {
                kind: "customer".into(),
                field: "addresses.email".into(),
                cause: "this is no e-mail address".into(),
                remedy: "mend it in the source".into(),
                records: 1,
                examples: vec![example("p1", Some("jo@@acme\u{202e}"))],
                ..Foreseen::default()
            },
        ],
        flags: vec![Flag {
            code: "nested-value".into(),
            subject: "customer/extra".into(),
            message: "nested values: they arrive as JSON text".into(),
            records: 3,
            examples: vec![example("p2", Some("{\"a\":[1]}"))],
        }],
        most: vec![Most {
            kind: "conversation".into(),
            what: "assignees".into(),
            most: 4,
            id: "c7".into(),
            several: 12,
            rule: Some("the first; all on the source card".into()),
        }],
        ..Evidence::default()
    }
}

fn planned() -> Plan {
    Plan {
        digest: "d1g357".into(),
        check: CheckReport {
            connections: vec![],
            ok: true,
        },
        kinds: vec![
            PlanKind {
                kind: "customer".into(),
                count: Some(12_345),
                certainty: "exact".into(),
                arrival: "created; 12 match".into(),
                source_calls: 25,
                destination_calls: 1_235,
                forecast: Forecast {
                    read: 12_345,
                    created: 12_333,
                    matched: 8,
                    skipped: 3,
                    rejected: 1,
                    ..Forecast::default()
                },
            },
            PlanKind {
                kind: "conversation".into(),
                count: Some(2_000),
                certainty: "at-least".into(),
                arrival: "created".into(),
                source_calls: 4,
                destination_calls: 20,
                ..PlanKind::default()
            },
            PlanKind {
                kind: "article".into(),
                count: None,
                certainty: "unknown".into(),
                arrival: "not loaded".into(),
                source_calls: 0,
                destination_calls: 0,
                ..PlanKind::default()
            },
        ],
        losses: vec![PlanField {
            kind: "message".into(),
            field: "reactions".into(),
            how: "lost".into(),
            note: Some("no place for them".into()),
            side: "destination".into(),
            records: Some(17),
            examples: vec![example("m1", None)],
        }],
        custom_fields: vec![PlanCustomField {
            field: "customer/größeStr".into(),
            field_type: "text".into(),
            target: "made".into(),
            confidence: None,
            reason: "nothing at acme-desk surely is the same".into(),
            perhaps: Some(Guess {
                target: "Größen".into(),
                confidence: 0.78,
                reason: "spelled nearly the same".into(),
            }),
            records: 1_234,
        }],
        values: vec![PlanValueMap {
            slot: "conversation.status".into(),
            values: BTreeMap::from([("open".into(), "offen".into())]),
            unmapped: vec!["other:warte\nauf".into()],
            reasons: BTreeMap::from([(
                "open".into(),
                Reason {
                    confidence: None,
                    words: "proposed by the connector of acme-desk".into(),
                    records: 1_200,
                },
            )]),
        }],
        agents: vec![
            PlanAgent {
                id: "a1".into(),
                name: "سارة".into(),
                state: "active".into(),
                target: Some("sara@acme.example".into()),
                reason: "the same address".into(),
                ..PlanAgent::default()
            },
            PlanAgent {
                id: "a2".into(),
                name: "Zoë".into(),
                state: "deactivated".into(),
                target: None,
                email: Some("zoë@old.example".into()),
                reason: "nobody there has this address".into(),
                perhaps: Some(Guess {
                    target: "zoe@acme.example".into(),
                    confidence: 0.85,
                    reason: "the same name, another address".into(),
                }),
            },
        ],
        names: vec![
            PlanName {
                kind: "team".into(),
                id: "t1".into(),
                name: "Support".into(),
                target: "Support EMEA".into(),
                state: "there".into(),
                reason: "in [map]".into(),
                ..PlanName::default()
            },
            PlanName {
                kind: "tag".into(),
                id: "g1".into(),
                name: "vip".into(),
                target: "vip".into(),
                state: "unknown".into(),
                reason: "found by its name at acme-desk, or made".into(),
                records: Some(40),
                ..PlanName::default()
            },
        ],
        evidence: evidence(),
        limits: vec![PlanLimit {
            connection: "acme-desk".into(),
            name: "account".into(),
            applies: "* /api/**".into(),
            limit: 700,
            per_ms: 60_000,
            share: 0.5,
            calls: Some(1_255),
            ms: Some(215_142),
        }],
        allowances: vec![PlanAllowance {
            name: "custom objects".into(),
            used: Some(3),
            limit: Some(30),
            adds: Some(8),
        }],
        points: vec![PlanPoint {
            topic: "contract".into(),
            text: "Do not let the source's contract end before the run is complete.".into(),
        }],
        updates: vec![PlanUpdate {
            kind: "conversation".into(),
            state: "closed".into(),
            modes: vec!["frozen".into()],
            silent: true,
            delta: "stays as it was loaded, and is listed for a person".into(),
            note: Some("closed tickets are frozen".into()),
        }],
        side_effects: vec![notice(
            Severity::Caution,
            "auto-close",
            "Closes after 28 days",
            Some("switch the automation off"),
        )],
        notices: vec![],
        dangers: vec![
            PlanDanger {
                notice: notice(
                    Severity::Danger,
                    "automation-mails",
                    "An automation mails people",
                    Some("switch it off"),
                ),
                accepted: false,
            },
            PlanDanger {
                notice: notice(Severity::Danger, "masked", "Values are masked", None),
                accepted: true,
            },
        ],
        source_calls: 29,
        destination_calls: 1_255,
        forecast_ms: 5_025_000,
        damage: damage(),
        errors: vec!["conversation.status \"other:warte\nauf\" has no value".into()],
    }
}

fn ran() -> RunReport {
    let customers = KindSum {
        kind: "customer".into(),
        expected: 105,
        read: 100,
        explained: BTreeMap::from([("merged into another".into(), 3), ("deleted".into(), 2)]),
        created: 80,
        matched: 15,
        rejected: 5,
        ..KindSum::default()
    };
    let messages = KindSum {
        kind: "message".into(),
        expected: 12_000,
        read: 11_999,
        shortfall: 0,
        created: 11_998,
        unsettled: 1,
        ..KindSum::default()
    };
    let total = KindSum {
        kind: "all".into(),
        expected: 12_105,
        read: 12_099,
        explained: BTreeMap::from([("merged into another".into(), 3), ("deleted".into(), 2)]),
        created: 12_078,
        matched: 15,
        rejected: 5,
        unsettled: 1,
        ..KindSum::default()
    };
    RunReport {
        run: "r-0001".into(),
        state: RunState::Stopped,
        reason: Some("20 rejects of one cause in a row".into()),
        until: None,
        source: "old-desk (org 7)".into(),
        destination: "acme-desk (account 42)".into(),
        plugins: vec![
            "old-desk@0.1.0 sha256:aa".into(),
            "acme-desk@0.1.0 sha256:bb".into(),
        ],
        started_at: 1_700_000_000_000,
        ended_at: Some(1_700_000_754_000),
        kinds: vec![customers, messages],
        total,
        duplicates: 0,
        lost: 0,
        left_after_rollback: 0,
        rejects: vec![RejectGroup {
            kind: "customer".into(),
            cause: "the address 日本語 is not valid".into(),
            remedy: "mend it at the source".into(),
            count: 5,
            examples: vec!["SECRET-ID-1".into(), "SECRET-ID-2".into()],
        }],
        skips: vec![SkipGroup {
            kind: "conversation".into(),
            rule: "marked as spam in the source".into(),
            count: 7,
        }],
        losses: vec![LossGroup {
            kind: "message".into(),
            field: "html".into(),
            how: "converted".into(),
            note: "styles of \"SECRET words\" are taken out".into(),
            count: 1_234_567,
            examples: vec!["SECRET-ID-3".into()],
        }],
        damage: damage(),
        inventory: BTreeMap::from([("workflow".into(), 12), ("queue".into(), 3)]),
        requests: vec![
            RequestCount {
                connection: "old-desk".into(),
                method: "POST".into(),
                path: "/v1/search".into(),
                count: 240,
                throttled: 0,
            },
            RequestCount {
                connection: "old-desk".into(),
                method: "GET".into(),
                path: "/v1/teams".into(),
                count: 1,
                throttled: 1,
            },
        ],
        undo_problems: vec![UndoProblem {
            kind: "customer".into(),
            source_id: "SECRET-ID-4".into(),
            target: "SECRET-TARGET".into(),
            status: "conflict".into(),
            reason: "SECRET-REASON: changed by\u{1b}[31m \u{202e}somebody".into(),
            url: Some("https://acme.example/SECRET".into()),
        }],
        chain_ok: true,
        verification: None,
        notices: vec![],
    }
}

#[test]
fn a_check_is_shown() {
    insta::assert_snapshot!(check(&checked(), None));
}

#[test]
fn a_plan_is_shown() {
    insta::assert_snapshot!(plan(&planned(), None));
}

#[test]
fn a_report_is_shown() {
    insta::assert_snapshot!(run(&ran(), None));
}

#[test]
fn a_pause_is_shown_with_its_reason_and_its_end() {
    let paused = RunReport {
        state: RunState::Paused,
        reason: Some("old-desk waits: the limit \"day\" is used up".into()),
        until: Some(1_700_000_000_000),
        ended_at: None,
        ..ran()
    };
    let text = status(&paused, None);
    assert!(text.starts_with("Run r-0001: paused"), "{text}");
    assert!(
        text.contains("  because      old-desk waits: the limit \"day\" is used up\n  until        2023-11-14T22:13:20Z\n"),
        "{text}"
    );
}

#[test]
fn a_report_fits_a_narrow_terminal() {
    use unicode_width::UnicodeWidthStr;
    let text = notices(&checked().connections[1].notices, Some(60));
    for line in text.lines() {
        assert!(line.width() <= 60, "{line}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_rollback_is_shown() {
    let report = RollbackReport {
        run: "r-0001".into(),
        preview: false,
        counts: vec![
            ("customer".into(), "undone".into(), 1_080),
            ("customer".into(), "conflict".into(), 1),
        ],
        problems: ran().undo_problems,
        left: 1,
    };
    insta::assert_snapshot!(rollback(&report, None));
}

#[test]
fn without_content_no_record_is_pointed_at_and_every_count_stays() {
    let with = run(&ran(), None);
    let without = without_content(ran());
    let text = run(&without, None);
    assert!(with.contains("SECRET-ID-1") && with.contains("SECRET-ID-4"));
    assert!(!text.contains("SECRET"), "{text}");
    assert!(!serde_json::to_string(&without).unwrap().contains("SECRET"));
    assert_eq!(run_summary(&without), run_summary(&ran()));
    assert!(text.contains("1,234,567") && text.contains("conflict"));
}

#[test]
fn text_from_outside_cannot_steer_a_terminal() {
    let text = run(&ran(), None);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    assert!(text.contains("\\u{1b}[31m \\u{202e}somebody"), "{text}");
    assert_eq!(clean("a\tb\r\n\u{0}\u{200b}"), "a\\tb\\r\\n\\u{0}\\u{200b}");
    assert_eq!(clean("👩‍🚀 é ی‌ک"), "👩‍🚀 é ی‌ک");
}

#[test]
fn columns_stand_under_each_other_whatever_the_script() {
    use unicode_width::UnicodeWidthStr;
    let words = ["plain", "日本語", "e\u{301}tude", "👩", "Ελλ"];
    let rows = words.map(|w| vec![w.to_owned(), "|end".to_owned()]);
    let text = plain_table(&["word", "x"], rows, None);
    let ends: Vec<usize> = text
        .lines()
        .filter_map(|l| Some(l.split_once('|')?.0.width()))
        .collect();
    assert_eq!(ends.len(), words.len(), "{text}");
    assert!(ends.iter().all(|at| *at == ends[0]), "{ends:?}\n{text}");
}

#[test]
fn a_sum_holds_only_if_both_sides_are_equal() {
    let report = ran();
    assert!(adds_up(&report.kinds[0]));
    assert!(
        !adds_up(&report.kinds[1]),
        "one message is neither read nor explained"
    );
    let mut mended = report.kinds[1].clone();
    mended.shortfall = 1;
    assert!(adds_up(&mended));
    mended.open = 1;
    assert!(!adds_up(&mended));
}

#[test]
fn a_run_is_clean_only_if_nothing_is_left() {
    let sum = KindSum {
        kind: "all".into(),
        expected: 3,
        read: 3,
        created: 2,
        rejected: 1,
        ..KindSum::default()
    };
    let good = RunReport {
        state: RunState::Complete,
        kinds: vec![sum.clone()],
        total: sum,
        ..ran()
    };
    assert!(is_clean(&good), "a reject has a reason");
    let spoilt: [fn(&mut RunReport); 7] = [
        |r| r.state = RunState::Stopped,
        |r| r.total.unsettled = 1,
        |r| r.total.shortfall = 1,
        |r| r.duplicates = 1,
        |r| r.lost = 1,
        |r| r.chain_ok = false,
        |r| r.kinds[0].read = 2,
    ];
    for (at, spoil) in spoilt.iter().enumerate() {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(!is_clean(&bad), "case {at}");
    }
}

#[test]
fn numbers_and_times_are_written_for_people() {
    assert_eq!(
        [0, 999, 1_000, 1_234_567].map(number),
        ["0", "999", "1,000", "1,234,567"]
    );
    let times = [0, 1, 59_000, 60_000, 5_025_000, 90_061_000, 86_400_000].map(duration);
    assert_eq!(
        times,
        [
            "0 s",
            "1 s",
            "59 s",
            "1 min",
            "1 h 23 min",
            "1 d 1 h",
            "1 d"
        ]
    );
}

#[test]
fn what_differs_from_record_to_record_is_no_part_of_a_sentences_form() {
    for (sentence, expected) in [
        ("styles are taken out", "styles are taken out"),
        (
            "message 5f1a: named in the text",
            "message … named in the text",
        ),
        ("\"a b\" and `c` are no choices", "… and … are no choices"),
        ("it isn't there", "it isn't there"),
        ("a \"quote that never ends", "a \"quote that never ends"),
        ("größe ü9 ÜBER", "größe … ÜBER"),
        ("", ""),
    ] {
        assert_eq!(form(sentence), expected, "{sentence}");
    }
}

#[test]
fn the_page_of_a_plan_says_what_its_text_says_and_neither_runs_nor_loads_anything() {
    let plan = planned();
    let page = html::plan(&plan);
    for part in super::plan::parts(&plan) {
        let is_there = page.contains(&format!("id=\"{}\"", part.id));
        assert_eq!(is_there, !part.rows.is_empty(), "{}", part.title);
        for cell in part.rows.iter().flatten().filter(|cell| cell.is_ascii()) {
            let escaped = clean(cell)
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;");
            assert!(page.contains(&escaped), "{escaped:?} is not in the page");
        }
    }
    for no in ["<script", "<link", "src=", "\u{202e}"] {
        assert!(!page.contains(no), "{no} is in the page");
    }
    assert!(page.contains("This plan cannot run yet"));
    let good = html::plan(&Plan {
        errors: vec![],
        ..planned()
    });
    assert!(good.contains("transload run --accept d1g357"));
}

fn damage() -> Vec<DamageGroup> {
    let group = |what: &str, pattern: &str, records| DamageGroup {
        kind: "message".into(),
        field: "message.text".into(),
        what: what.into(),
        pattern: pattern.into(),
        records,
        examples: vec![DamageExample {
            id: "6717c2b1".into(),
            at: 1_204,
            count: 3,
        }],
    };
    vec![
        group("mojibake", "UTF-8 read as Latin-1 or Windows-1252", 412),
        group("cut", "cut by the source's API, surely or probably", 7),
    ]
}
