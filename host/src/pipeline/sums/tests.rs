use super::super::fixtures;
use super::*;
use crate::sql;

async fn lose(store: &Store, record: usize, field: &str, note: &str) {
    let row = sql!(
        "INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ('r1', 'conversation', $1, $2, 'converted', $3)",
        format!("c{record:03}"),
        field,
        note
    );
    store.write(vec![row]).await.unwrap();
}

async fn decide(store: &Store, kind: &str, id: &str, status: &str, cause: &str) {
    let row = sql!(
        "INSERT INTO outcomes (account, run, kind, source_id, status, cause, remedy, hash, at_ms) \
         VALUES ('a2', 'r1', $1, $2, $3, $4, 'mend it', 'h', 1)",
        kind,
        id,
        status,
        cause
    );
    store.write(vec![row]).await.unwrap();
}

/// A run of a hundred conversations with losses, rejects and skips of every sort.
async fn ran() -> (tempfile::TempDir, Store) {
    let (dir, store) = fixtures::store().await;
    fixtures::run(&store, "r1", "complete").await;
    let conversations: Vec<_> = (0..100)
        .map(|n| fixtures::conversation(&format!("c{n:03}"), "p1", serde_json::json!("Open")))
        .collect();
    fixtures::stage(&store, &conversations).await;
    for n in 0..100 {
        // Three messages of each, whose ids stand in the note.
        for m in 0..3 {
            let note = format!("message 5f{n:03}a{m}: named in the text");
            lose(&store, n, "message.author", &note).await;
        }
        if n < 40 {
            lose(&store, n, "message.html", "styles are taken out").await;
        }
        if n < 3 {
            lose(&store, n, "tags", &format!("\"vip {n}\" is too long")).await;
        }
        let id = format!("c{n:03}");
        let (status, cause) = match n % 4 {
            0 => (
                "rejected",
                format!("conversation.status: \"other:{}\" has no value", n % 2),
            ),
            1 => ("rejected", format!("ticket {n} is locked")),
            2 => ("skipped", "marked as spam in the source".to_owned()),
            _ => ("created", String::new()),
        };
        decide(&store, "conversation", &id, status, &cause).await;
    }
    for n in 0..30 {
        let section = if n < 10 { "queue" } else { "workflow" };
        let id = format!("{section}/{n}");
        decide(&store, "inventory", &id, "exported", "inventory.json").await;
    }
    (dir, store)
}

#[tokio::test]
async fn losses_and_rejects_are_groups_and_never_a_line_a_record() {
    let (_dir, store) = ran().await;
    let report = report_stored(&store, "r1").await.unwrap();
    let losses: Vec<_> = report
        .losses
        .iter()
        .map(|l| (l.field.as_str(), l.note.as_str(), l.count))
        .collect();
    assert_eq!(
        losses,
        [
            ("message.author", "message … named in the text", 100),
            ("message.html", "styles are taken out", 40),
            // A handful stays apart: each of them says something.
            ("tags", "\"vip 0\" is too long", 1),
            ("tags", "\"vip 1\" is too long", 1),
            ("tags", "\"vip 2\" is too long", 1),
        ]
    );
    assert_eq!(report.losses[0].examples, ["c000", "c001", "c002"]);
    let rejects: Vec<_> = report
        .rejects
        .iter()
        .map(|r| (r.cause.as_str(), r.count, r.examples.len()))
        .collect();
    assert_eq!(
        rejects,
        [
            ("conversation.status: \"other:0\" has no value", 25, 3),
            ("ticket … is locked", 25, 3),
        ]
    );
    assert_eq!(report.skips.len(), 1);
    assert_eq!(
        (report.skips[0].rule.as_str(), report.skips[0].count),
        ("marked as spam in the source", 25)
    );
}

#[tokio::test]
async fn the_inventory_is_part_of_the_sum() {
    let (_dir, store) = ran().await;
    let report = report_stored(&store, "r1").await.unwrap();
    let sum = report
        .kinds
        .iter()
        .find(|sum| sum.kind == "inventory")
        .unwrap();
    assert_eq!((sum.expected, sum.read, sum.exported), (30, 30, 30));
    assert!(crate::report::adds_up(sum), "{sum:?}");
}

#[tokio::test]
async fn the_report_of_a_run_reads_like_this() {
    let (_dir, store) = ran().await;
    let report = report_stored(&store, "r1").await.unwrap();
    insta::assert_snapshot!(crate::report::run(&report, None));
    insta::assert_json_snapshot!((&report.rejects, &report.skips, &report.losses));
}
