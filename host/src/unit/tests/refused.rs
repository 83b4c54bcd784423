//! What becomes of a thread whose destination takes it, and not all that is in it.

use sqlx::Row as _;

use super::super::*;
use crate::contract::destination::{Body, Item, MatchPolicy};
use crate::contract::ledger::{Effect, Outcome, Proof, Refusal, RefusedEntry as Refused, Status};
use crate::contract::types::{Entity, Entry, Kind};
use crate::pipeline::fixtures::{attachment, conversation, message, reference, run, surroundings};

const KEY: &str = "conversation:v1";

/// A thread: a message with a film, a virus and a file that was not to be had, and a note.
fn thread(blobs: &BlobStore) -> Vec<Entry> {
    let file = |id: &str, bytes: Option<&[u8]>| {
        let mut entry = attachment(id, reference("Message", "m1"));
        if let Entity::Attachment(file) = &mut entry.data {
            file.content = bytes.map(|bytes| blobs.put_bytes(bytes, "video/mp4").unwrap());
        }
        entry
    };
    vec![
        conversation("v1", "ana", "Open".into()),
        message("m1", Some("v1"), "ana"),
        file("film", Some(b"a film")),
        file("virus", Some(b"a virus")),
        file("gone", None),
        message("m2", Some("v1"), "ana"),
    ]
}

/// A unit that writes the thread.
async fn unit(around: &Surroundings) -> Durable {
    let entries = thread(&around.blobs);
    let of = |entry: &Entry| {
        let kind = kinds::name(&entry.head.kind).to_owned();
        (kind, entry.head.id.clone(), "h".to_owned())
    };
    let inside = entries.iter().skip(1).filter(|e| e.head.id != "gone");
    let record = Record {
        key: KEY.into(),
        kind: "conversation".into(),
        id: "v1".into(),
        inside: inside.map(of).collect(),
        missing: vec![(
            "attachment".into(),
            "gone".into(),
            "h".into(),
            "gone".into(),
        )],
        ..Record::own(KEY)
    };
    let item = Item {
        key: KEY.into(),
        body: Body {
            entries,
            parts: vec![],
        },
        values: vec![],
        policy: MatchPolicy::FillEmpty,
        existing: None,
        marker: "m".into(),
        in_doubt_since: None,
        notes: vec![],
        prior: vec![],
    };
    let frozen = Frozen {
        context: session::Context {
            config: "{}".into(),
            run: around.run.clone(),
            platform: "old-desk".into(),
            organisation: "o".into(),
            time_zone: "UTC".into(),
            state: None,
        },
        call: Call::Write(Kind::Conversation, vec![item]),
        records: vec![record],
        settle_ms: 0,
    };
    Durable::open(around.clone(), 7, 0, &frozen).await.unwrap()
}

async fn bench() -> (tempfile::TempDir, Surroundings) {
    let (dir, around) = surroundings("r1").await;
    run(&around.store, "r1", "running").await;
    let lease = around.store.take_lease("us", 0, 60_000, |_| false);
    lease.await.unwrap();
    (dir, around)
}

fn outcome(status: Status, refused: &[(u32, &str)]) -> Outcome {
    let created = matches!(status, Status::Created);
    let effect = Effect {
        part: "main".into(),
        target_kind: "ticket".into(),
        target_id: "t1".into(),
        action: ledger::Action::Created,
        proof: Some(Proof::Fresh),
        key: None,
        before: None,
        fingerprint: None,
        version: None,
        updated_at: None,
        url: None,
    };
    Outcome {
        item: KEY.into(),
        status,
        effects: if created { vec![effect] } else { vec![] },
        losses: vec![],
        refused: refused
            .iter()
            .map(|(place, reason)| Refused {
                place: *place,
                reason: (*reason).into(),
            })
            .collect(),
    }
}

async fn said(host: &Durable, outcome: Outcome) -> Result<(), Refusal> {
    host.idle();
    let mut said = host.report(vec![outcome]).await.unwrap();
    said.remove(0)
}

/// `kind id: status: cause` of each record, and `id: note` of each loss of a file.
async fn stored(around: &Surroundings) -> (Vec<String>, Vec<String>) {
    let all = async |sql: &'static str| {
        let rows = around.store.rows(sql, vec![]).await.unwrap();
        let row = |row: &sqlx::sqlite::SqliteRow| row.try_get::<String, _>(0).unwrap();
        rows.iter().map(row).collect::<Vec<_>>()
    };
    let outcomes = all(
        "SELECT kind || ' ' || source_id || ': ' || status || coalesce(': ' || cause, '') FROM outcomes ORDER BY kind, source_id",
    );
    let losses = all(
        "SELECT source_id || ': ' || note FROM losses WHERE kind = 'attachment' AND field = 'attachment.content' ORDER BY 1",
    );
    (outcomes.await, losses.await)
}

#[tokio::test]
async fn a_refused_entry_is_named_and_exported_and_the_rest_of_its_record_is_there() {
    let (_dir, around) = bench().await;
    let host = unit(&around).await;
    let refused = [(2, "no films"), (4, "no bytes"), (5, "no notes")];
    said(&host, outcome(Status::Created, &refused))
        .await
        .unwrap();
    let (outcomes, losses) = stored(&around).await;
    assert_eq!(
        outcomes,
        [
            "attachment film: exported: files/film-a.png",
            // Its own reason was known before.
            "attachment gone: rejected: gone",
            "attachment virus: created",
            "conversation v1: created",
            "message m1: created",
            "message m2: rejected: no notes",
        ]
    );
    assert_eq!(losses, ["film: no films"]);
    let file = around.export_dir.join("files/film-a.png");
    assert_eq!(std::fs::read(&file).unwrap(), b"a film");
    assert_eq!(
        std::fs::read_dir(file.parent().unwrap()).unwrap().count(),
        1
    );

    // The same unit with the same answers: from the journal, and nothing twice.
    let again = unit(&around).await;
    said(&again, outcome(Status::Created, &refused))
        .await
        .unwrap();
    assert_eq!(stored(&around).await, (outcomes, losses));
}

#[tokio::test]
async fn what_is_refused_of_a_record_that_did_not_arrive_shares_its_fate() {
    let (_dir, around) = bench().await;
    let host = unit(&around).await;
    let unsettled = Status::Unsettled("who knows".into());
    said(&host, outcome(unsettled, &[(2, "no films")]))
        .await
        .unwrap();
    let (outcomes, losses) = stored(&around).await;
    let film = "attachment film: unsettled: with its conversation: who knows";
    assert!(outcomes.contains(&film.to_owned()), "{outcomes:?}");
    assert_eq!(losses, Vec::<String>::new());
    assert!(!around.export_dir.exists());
}

#[tokio::test]
async fn a_later_outcome_takes_back_what_an_earlier_one_said_of_an_entry() {
    let (_dir, around) = bench().await;
    let host = unit(&around).await;
    said(&host, outcome(Status::Matched, &[(2, "no films")]))
        .await
        .unwrap();
    said(&host, outcome(Status::Matched, &[(3, "no viruses")]))
        .await
        .unwrap();
    let (outcomes, losses) = stored(&around).await;
    assert_eq!(losses, ["virus: no viruses"]);
    assert!(
        outcomes.contains(&"attachment film: matched".to_owned()),
        "{outcomes:?}"
    );
    let virus = "attachment virus: exported: files/virus-a.png";
    assert!(outcomes.contains(&virus.to_owned()), "{outcomes:?}");
}

#[tokio::test]
async fn an_outcome_that_names_no_entry_is_refused() {
    let (_dir, around) = bench().await;
    let host = unit(&around).await;
    for place in [0, 6, u32::MAX] {
        let refused = said(&host, outcome(Status::Created, &[(2, "x"), (place, "y")])).await;
        assert!(
            matches!(refused, Err(Refusal::UnknownEntry(named)) if named == place),
            "{place}: {refused:?}"
        );
    }
    assert_eq!(stored(&around).await, (vec![], vec![]));
    assert!(!around.export_dir.exists());
}
