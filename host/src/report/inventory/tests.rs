use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn line(part: Part, depth: u8, words: &str) -> InventoryLine {
    InventoryLine {
        part,
        depth,
        words: words.into(),
        raw: None,
    }
}

fn thing(section: &str, id: &str, name: &str, lines: Vec<InventoryLine>) -> InventoryThing {
    InventoryThing {
        category: String::new(),
        section: section.into(),
        id: id.into(),
        name: name.into(),
        summary: String::new(),
        enabled: Some(true),
        lines,
        uses: vec![],
        used_by: vec![],
        records: BTreeMap::new(),
        detail: json!({}),
    }
}

fn use_of(kind: &str, id: &str, name: Option<&str>, target: Option<&str>) -> InventoryUse {
    InventoryUse {
        kind: kind.into(),
        id: id.into(),
        name: name.map(str::to_owned),
        target: target.map(str::to_owned),
    }
}

/// An inventory of few things, in which everything that can be odd is.
pub(in crate::report) fn made_up() -> Inventory {
    let mut rule = thing(
        "queue-rule",
        "rule-1",
        "VIPs & <angry> | *ones*",
        vec![
            line(Part::Setting, 0, "number 2 in the order of the rules"),
            line(Part::Condition, 0, "all of these hold:"),
            line(
                Part::Condition,
                1,
                "the priority of the conversation is at least 4",
            ),
            line(
                Part::Condition,
                1,
                "the subject contains “<img src=x> `code` [link](javascript:alert(1))”",
            ),
            line(Part::Action, 0, "goes to queue “Billing”"),
        ],
    );
    rule.lines.push(InventoryLine {
        raw: Some(json!({"operator": "`fuzzy`", "value": "<b>"})),
        ..line(Part::Condition, 0, "a test that is not known")
    });
    rule.uses = vec![
        use_of("queue", "q1", Some("Billing"), None),
        use_of("tag", "t1", Some("vip"), Some("vip")),
        use_of("tag", "t9", None, None),
    ];
    rule.summary = "turned \u{202e}around".into();
    let mut queue = thing("queue", "q1", "Billing", vec![]);
    queue.used_by = vec![use_of("queue-rule", "rule-1", Some("VIPs"), None)];
    queue.records = BTreeMap::from([("conversation".into(), 1_200), ("custom-object".into(), 1)]);
    let steps = vec![
        line(Part::Trigger, 0, "whenever a conversation changes"),
        line(Part::Action, 0, "1. change the conversation"),
        line(Part::Action, 1, "tags: vip"),
        line(Part::Action, 0, "- not a list\n# nor a heading"),
    ];
    let mut workflow = thing("workflow", "w1", "<script>alert(1)</script>", steps);
    workflow.enabled = Some(false);
    let reply = thing(
        "shortcut",
        "s1",
        "Grüße",
        vec![line(
            Part::Text,
            0,
            "Hello {{customer.firstName}},\n\n```\n<script>alert(1)</script>\n```\n# שלום\u{200f}\u{202e}",
        )],
    );
    let group = |category: &str,
                 feature: Option<&str>,
                 note: Option<&str>,
                 things: Vec<InventoryThing>| InventoryGroup {
        category: category.into(),
        feature: feature.map(str::to_owned),
        note: note.map(str::to_owned),
        things,
    };
    Inventory {
        source: "old".into(),
        source_title: "Old Desk".into(),
        organisation: "org-1".into(),
        destination: "new".into(),
        destination_title: "New Desk".into(),
        taken_at: 1_764_000_000_000,
        groups: vec![
            group("queue", Some("Groups"), None, vec![queue]),
            group(
                "routing",
                Some("Triggers"),
                Some("Admin > Rules; the last one wins"),
                vec![rule],
            ),
            group("canned-reply", Some("Macros"), None, vec![reply]),
            group("workflow", Some("Triggers"), None, vec![workflow]),
            group(
                "snooze",
                None,
                Some("a status, and an automation"),
                vec![thing("snooze", "z1", "One hour", vec![])],
            ),
            group(
                "work-shift",
                None,
                None,
                vec![thing("shift", "h1", "Night", vec![])],
            ),
        ],
    }
}

#[test]
fn the_document_in_markdown_reads_like_this() {
    insta::assert_snapshot!(markdown(&made_up()));
}

#[test]
fn the_summary_on_a_terminal_reads_like_this() {
    insta::assert_snapshot!(text(&made_up(), Some(120)));
}

#[test]
fn an_empty_inventory_says_so() {
    let empty = Inventory {
        groups: vec![],
        ..made_up()
    };
    assert!(text(&empty, None).contains("The source lists nothing."));
    assert!(!markdown(&empty).contains("| What"));
}

#[test]
fn nothing_in_a_line_of_markdown_is_markup() {
    assert_eq!(inline("1. one"), "1\\. one");
    assert_eq!(
        inline("- x | y <b> `z` [a](b) a*b_c #1"),
        "\\- x \\| y \\<b\\> \\`z\\` \\[a\\](b) a\\*b\\_c \\#1"
    );
    assert_eq!(inline("two\nlines"), "two\\\\nlines");
    assert_eq!(code("a`b"), "``a`b``");
    assert_eq!(code("`"), "`` ` ``");
    assert_eq!(fence("```` x", 3), "`````");
}

#[test]
fn a_text_to_take_over_keeps_its_lines_and_marks_and_cannot_end_its_frame() {
    let kept = lines_kept("a\r\nb\tc\u{200f}\u{202e}\u{7}");
    assert_eq!(kept, "a\nb\tc\u{200f}\\u{202e}\\u{7}");
    let document = markdown(&made_up());
    assert!(document.contains("````text\nHello"), "{document}");
}
