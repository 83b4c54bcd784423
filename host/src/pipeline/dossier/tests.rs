use serde_json::json;
use sha2::Digest as _;

use super::*;
use crate::pipeline::fixtures;
use crate::report::html;
use crate::sql;
use crate::store::{LedgerEntry, Statement, Store, outcome_digest};

const BEGAN: i64 = 1_700_000_000_000;

/// Gives a record its outcome as a unit does, with the chain; `target` is the object that it made or found.
async fn settle(
    store: &Store,
    (kind, id): (&str, &str),
    status: &str,
    at: i64,
    target: Option<&str>,
) {
    let (cause, remedy) = match status {
        "rejected" => (
            Some("the address \"jo@\" is not valid"),
            Some("mend it at the source"),
        ),
        "skipped" => (Some("marked as spam in the source"), None),
        _ => (None, None),
    };
    let unit = store.new_id();
    let mut batch = vec![sql!(
        "INSERT INTO outcomes (account, run, kind, source_id, status, cause, remedy, hash, unit, at_ms) \
         VALUES ('a2', 'r1', $1, $2, $3, $4, $5, 'h', $6, $7)",
        kind,
        id,
        status,
        cause,
        remedy,
        unit,
        at
    )];
    let mut effects = vec![];
    if let Some(target) = target {
        let effect = json!({
            "part": "main", "target_kind": "user", "target_id": target, "action": "Created",
            "url": format!("https://acme.example/{target}"),
        })
        .to_string();
        batch.push(sql!(
            "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, unit, \
             digest, at_ms) VALUES ($1, 'a2', 'r1', $2, $3, 'main', 'user', $4, $5, '', $6, $7, 'd', $8)",
            store.new_id(),
            kind,
            id,
            target,
            if status == "matched" { "matched" } else { "created" },
            &effect,
            unit,
            at
        ));
        effects.push(effect);
    }
    let entry = LedgerEntry {
        run: "r1".into(),
        record: format!("{kind}/{id}"),
        digest: outcome_digest(status, cause.unwrap_or_default(), "h", &effects),
    };
    store.write_ledger(batch, vec![entry]).await.unwrap();
}

/// A run of 240 conversations and six agents, with something of everything.
async fn ran() -> (tempfile::TempDir, Store) {
    let (dir, store) = fixtures::store().await;
    fixtures::run(&store, "r1", "complete").await;
    let mut entries = vec![];
    for n in 0..6 {
        entries.push(fixtures::agent(
            &format!("a{n}"),
            &format!("a{n}@acme.example"),
        ));
    }
    for n in 0..240 {
        let mut entry = fixtures::conversation(&format!("c{n:03}"), "p1", json!("Open"));
        if let crate::contract::types::Entity::Conversation(conversation) = &mut entry.data {
            let first = fixtures::reference("Agent", &format!("a{}", n % 6));
            conversation.assignees = vec![serde_json::from_value(first).unwrap()];
        }
        entry.head.url = Some(format!("https://old.example/c{n:03}"));
        entries.push(entry);
    }
    for n in 0..30 {
        entries.push(fixtures::attachment(
            &format!("f{n}"),
            fixtures::reference("Conversation", "c000"),
        ));
    }
    fixtures::stage(&store, &entries).await;
    let mut batch = vec![
        sql!(
            "UPDATE runs SET started_at = $1, ended_at = $2 WHERE id = 'r1'",
            BEGAN,
            BEGAN + 120_000
        ),
        Statement::new(
            "UPDATE staged SET blob = '{\"id\":\"b\",\"size\":2048,\"sha256\":\"00\",\"media_type\":\"image/png\"}' WHERE kind = 'attachment' AND id < 'f3'",
            vec![],
        ),
        sql!(
            "INSERT INTO run_plans (run, body) VALUES ('r1', $1)",
            planned().to_string()
        ),
    ];
    for (role, name, digest) in [
        ("source", "old-desk", "5a"),
        ("destination", "acme-desk", "de"),
    ] {
        batch.push(sql!(
            "INSERT INTO run_plugins (run, role, name, version, digest) VALUES ('r1', $1, $2, '0.1.0', $3)",
            role,
            name,
            digest.repeat(32)
        ));
    }
    for at in 0..55_i64 {
        let sent = u64::try_from(at % 7).unwrap() + 3;
        for (of, connection, used) in [("x1", "old", sent * 4), ("r1", "new", sent * 9)] {
            batch.push(sql!(
                "INSERT INTO request_times (run, connection, at_ms, count_n, throttled, rule, used, allowed) \
                 VALUES ($1, $2, $3, $4, 0, 'minute', $5, 100)",
                of,
                connection,
                BEGAN + at * 2_000,
                sent,
                used
            ));
        }
    }
    for (of, connection, path, n) in [
        ("x1", "old", "/search", 240_u64),
        ("r1", "new", "/tickets/import", 330),
    ] {
        batch.push(sql!(
            "INSERT INTO request_counts (run, connection, method, path, count_n, throttled) VALUES ($1, $2, 'POST', $3, $4, 0)",
            of,
            connection,
            path,
            n
        ));
    }
    for n in 0..40 {
        batch.push(sql!(
            "INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ('r1', 'conversation', $1, 'message.html', \
             'converted', 'styles are taken out')",
            format!("c{n:03}")
        ));
    }
    batch.push(Statement::new(
        "INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ('r1', 'conversation', 'c001', 'snooze-until', 'lost', \
         '<b>no place</b> for it')",
        vec![],
    ));
    // The last of those who were found is found in another's person.
    batch.push(Statement::new(
        "INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ('r1', 'agent', 'a3', 'agent', 'converted', 'a stand-in')",
        vec![],
    ));
    store.write(batch).await.unwrap();
    for n in 0..6 {
        let (status, target) = if n < 4 {
            ("matched", Some(format!("u{n}")))
        } else {
            ("exported", None)
        };
        settle(
            &store,
            ("agent", &format!("a{n}")),
            status,
            BEGAN + 1_000,
            target.as_deref(),
        )
        .await;
    }
    for n in 0..240_i64 {
        let id = format!("c{n:03}");
        let (status, target) = match n % 24 {
            0 => ("rejected", None),
            1 | 2 => ("skipped", None),
            _ => ("created", Some(format!("t{n}"))),
        };
        settle(
            &store,
            ("conversation", &id),
            status,
            BEGAN + 5_000 + n * 430,
            target.as_deref(),
        )
        .await;
    }
    for n in 0..30 {
        let status = if n < 27 { "created" } else { "exported" };
        settle(
            &store,
            ("attachment", &format!("f{n}")),
            status,
            BEGAN + 110_000,
            None,
        )
        .await;
    }
    (dir, store)
}

fn planned() -> serde_json::Value {
    let kind = |kind: &str, count: u64| json!({"kind": kind, "count": count, "certainty": "exact", "arrival": "made", "source_calls": 1, "destination_calls": 2});
    json!({
        "digest": "d1", "kinds": [kind("agent", 6), kind("conversation", 238)],
        "losses": [
            {"kind": "message", "field": "html", "how": "converted", "note": "styles", "side": "destination"},
            {"kind": "agent", "field": "agent.roles", "how": "lost", "note": null, "side": "source"},
            {"kind": "message", "field": "reactions", "how": "lost", "note": null, "side": "destination"},
        ],
        "side_effects": [{"from": "new", "code": "auto-close", "severity": "caution", "message": "Closes after 28 days", "remedy": null}],
        "dangers": [], "source_calls": 200, "destination_calls": 300, "forecast_ms": 90_000, "more": "of a later version",
    })
}

async fn given_out(store: &Store, dossier: &Dossier) -> String {
    let page = html::run(dossier).unwrap();
    let digest = hex::encode(sha2::Sha256::digest(&page));
    give_out(store, dossier, &digest).await.unwrap();
    page
}

#[tokio::test]
async fn the_page_of_a_run_reads_like_this() {
    let (_dir, store) = ran().await;
    let dossier = read(&store, "r1", BEGAN + 300_000).await.unwrap();
    let page = html::run(&dossier).unwrap();
    if let Some(dir) = std::env::var_os("TRANSLOAD_PAGES") {
        std::fs::write(std::path::Path::new(&dir).join("run.html"), &page).unwrap();
    }
    // The style has a file of its own.
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    let lines = format!("{before}<style>…</style>{after}").replace("><", ">\n<");
    insta::assert_snapshot!(lines);
}

#[tokio::test]
async fn a_page_asks_for_nothing_and_runs_nothing() {
    let (_dir, store) = ran().await;
    let page = html::run(&read(&store, "r1", BEGAN).await.unwrap()).unwrap();
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    for word in [
        "<link",
        "<img",
        "src=",
        "url(",
        "@import",
        "<iframe",
        "onclick",
        "style=\"",
        "javascript:",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    // The one script is data.
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script type=\"application/json\""));
    // What strangers wrote is no markup, in what is shown and in the data.
    assert!(!page.contains("<b>no place</b>") && page.contains("&lt;b&gt;no place&lt;/b&gt;"));
    assert!(page.contains("\\u003cb\\u003eno place"));
}

#[tokio::test]
async fn a_page_without_content_names_nobody_and_keeps_every_count() {
    let (_dir, store) = ran().await;
    let dossier = read(&store, "r1", BEGAN).await.unwrap();
    let page = html::run(&dossier).unwrap();
    for word in ["name of a1", "c000", "https://old.example", "jo@"] {
        assert!(page.contains(word), "{word}");
    }
    let without = dossier.clone().without_content();
    let page = html::run(&without).unwrap();
    for word in ["name of a1", "c000", "https://old.example", "jo@"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(without.report.total, dossier.report.total);
    assert_eq!((without.owners.all, without.owners.known), (6, 3));
    let page = given_out(&store, &without).await;
    let found = check(&store, &page).await.unwrap();
    assert!(found.ok, "{found:?}");
}

#[tokio::test]
async fn a_page_is_genuine_until_a_byte_of_it_or_a_row_of_the_ledger_is_changed() {
    let (_dir, store) = ran().await;
    let dossier = read(&store, "r1", BEGAN).await.unwrap();
    let page = given_out(&store, &dossier).await;
    let found = check(&store, &page).await.unwrap();
    assert!(found.ok && found.moved_on.is_empty(), "{found:?}");

    // The words: what the page shows is no longer what its data says.
    let changed = page.replacen("Complete:", "Complete!", 1);
    let found = check(&store, &changed).await.unwrap();
    assert!(!found.ok && !found.given_out && found.shows_its_data == Some(false));
    assert_eq!(found.differences, []);

    // Both: a page that was made well, of numbers that nobody counted.
    let mut better = dossier.clone();
    better.report.total.rejected = 0;
    for sum in &mut better.report.kinds {
        sum.rejected = 0;
    }
    let found = check(&store, &html::run(&better).unwrap()).await.unwrap();
    assert!(!found.ok && !found.given_out && found.shows_its_data == Some(true));
    let named: Vec<&str> = found.differences.iter().map(|d| d.what.as_str()).collect();
    assert_eq!(
        named,
        [
            "/report/kinds/conversation/rejected",
            "/report/total/rejected"
        ]
    );

    // The store: losses are under no hash, and are compared all the same.
    let change = |sql: &'static str| store.write(vec![Statement::new(sql, vec![])]);
    change("DELETE FROM losses WHERE field = 'snooze-until'")
        .await
        .unwrap();
    let found = check(&store, &page).await.unwrap();
    assert!(!found.ok && found.given_out && found.chain_holds);
    assert_eq!(found.differences[0].what, "/report/losses");
    change("INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ('r1', 'conversation', 'c001', 'snooze-until', 'lost', '<b>no place</b> for it')")
        .await
        .unwrap();
    assert!(check(&store, &page).await.unwrap().ok);

    // The ledger.
    change("UPDATE outcomes SET status = 'created' WHERE source_id = 'c000'")
        .await
        .unwrap();
    let found = check(&store, &page).await.unwrap();
    assert!(!found.ok && !found.chain_holds);
    change("UPDATE outcomes SET status = 'rejected' WHERE source_id = 'c000'")
        .await
        .unwrap();

    // A chain that was made anew holds, and is not the one that the page has seen.
    change("UPDATE chain SET hash = 'ff' WHERE seq = (SELECT max(seq) FROM chain)")
        .await
        .unwrap();
    let found = check(&store, &page).await.unwrap();
    assert!(!found.ok && !found.head.known);
}

#[tokio::test]
async fn a_page_stays_genuine_when_its_run_goes_on_or_is_taken_back() {
    let (_dir, store) = ran().await;
    let dossier = read(&store, "r1", BEGAN).await.unwrap();
    let page = given_out(&store, &dossier).await;
    store
        .write(vec![
            Statement::new("UPDATE runs SET state = 'rolled-back'", vec![]),
            Statement::new(
                "UPDATE effects SET undo_status = 'undone' WHERE action = 'created'",
                vec![],
            ),
        ])
        .await
        .unwrap();
    let found = check(&store, &page).await.unwrap();
    assert!(found.ok, "{found:?}");
    assert_eq!(
        found.moved_on,
        ["what a rollback has taken back", "where the run stands"]
    );

    settle(
        &store,
        ("conversation", "c999"),
        "created",
        BEGAN + 200_000,
        Some("t999"),
    )
    .await;
    let found = check(&store, &page).await.unwrap();
    assert!(found.ok, "{found:?}");
    assert_eq!((found.head.links_since, found.head.of_this_run), (1, 1));
    assert!(
        found.moved_on[0].contains("1 commits"),
        "{:?}",
        found.moved_on
    );
}

#[tokio::test]
async fn a_page_of_another_store_and_a_file_that_is_no_page_are_told_apart() {
    let (_dir, store) = ran().await;
    let page = given_out(&store, &read(&store, "r1", BEGAN).await.unwrap()).await;
    let (_other, other) = fixtures::store().await;
    let found = check(&other, &page).await.unwrap();
    assert!(!found.ok && !found.given_out && !found.run_is_there && !found.head.known);
    for text in [
        "",
        "<html>",
        "<script type=\"application/json\" id=\"transload-data\">{}</script>",
    ] {
        let error = check(&store, text).await.unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            ("not-a-report", 2),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_timeline_holds_every_record_and_every_request_of_its_time() {
    let (_dir, store) = ran().await;
    let dossier = read(&store, "r1", BEGAN).await.unwrap();
    let timeline = &dossier.timeline;
    let sum = |values: &[u64]| values.iter().sum::<u64>();
    assert_eq!((timeline.from, timeline.step_ms), (BEGAN, 2_000));
    assert_eq!(
        sum(&timeline.arrived),
        dossier.report.total.created + dossier.report.total.matched
    );
    assert_eq!(
        sum(&timeline.aside),
        dossier.report.total.skipped + dossier.report.total.exported
    );
    assert_eq!(sum(&timeline.rejected), 10);
    let (source, destination) = (&timeline.connections[0], &timeline.connections[1]);
    assert_eq!(
        (source.role.as_str(), sum(&source.sent)),
        ("source", sum(&destination.sent))
    );
    assert_eq!(destination.fullest.iter().flatten().max(), Some(&81));
    assert_eq!(
        destination.fullest.last(),
        Some(&None),
        "nothing was sent at the end"
    );
}

#[tokio::test]
async fn owners_are_those_of_the_conversations_and_who_is_not_known_comes_first() {
    let (_dir, store) = ran().await;
    let owners = read(&store, "r1", BEGAN).await.unwrap().owners;
    assert_eq!((owners.all, owners.known), (6, 3));
    assert_eq!(
        (owners.conversations_known, owners.conversations_other),
        (120, 120)
    );
    assert_eq!(owners.list[0].target, None);
    assert_eq!(
        owners.list[5].url.as_deref(),
        Some("https://acme.example/u2")
    );
}

#[tokio::test]
async fn the_lists_have_every_reject_and_every_object() {
    let (_dir, store) = ran().await;
    let (mut list, mut map) = (vec![], vec![]);
    assert_eq!(rejects(&store, "r1", &mut list).await.unwrap(), 10);
    assert_eq!(id_map(&store, "r1", &mut map).await.unwrap(), 4 + 210);
    let list = String::from_utf8(list).unwrap();
    assert!(list.contains(
        "\r\nconversation,c024,,https://old.example/c024,\"the address \"\"jo@\"\" is not valid\",mend it at the source,\r\n"
    ), "{list}");
    let map = String::from_utf8(map).unwrap();
    assert!(
        map.contains(
            "\r\nagent,a0,main,user,u0,matched,https://acme.example/u0,2023-11-14T22:13:21Z,\r\n"
        ),
        "{map}"
    );
}

#[test]
fn a_loss_is_foreseen_by_its_field_by_what_is_above_it_or_by_the_rest_of_its_kind() {
    let mut plan: Planned = serde_json::from_value(planned()).unwrap();
    let loss = |kind: &str, field: &str| LossGroup {
        kind: kind.into(),
        field: field.into(),
        how: "lost".into(),
        note: String::new(),
        count: 1,
        examples: vec![],
    };
    for (kind, field, foreseen) in [
        ("conversation", "message.html", true),
        ("message", "html", true),
        ("message", "html.style", true),
        ("message", "htmlx", false),
        ("conversation", "html", false),
        ("message", "message", true),
        ("agent", "roles", true),
        ("agent", "agent", true),
        ("tag", "tag", false),
    ] {
        assert_eq!(
            plan.foresaw(&loss(kind, field)).is_some(),
            foreseen,
            "{kind} {field}"
        );
    }
    plan.losses[2].field = "*".into();
    assert!(plan.foresaw(&loss("message", "anything")).is_some());
}
