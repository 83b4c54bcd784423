use serde_json::json;

use super::*;
use crate::contract::destination::{MatchPolicy, SlotValue};
use crate::contract::types::{BlobRef, Reference};
use crate::pipeline::fixtures::{attachment, conversation, customer, message, surroundings};

fn row(kind: Kind, field: &str, how: Fidelity) -> FieldFidelity {
    FieldFidelity {
        kind,
        field: field.into(),
        how,
        note: Some("says the table".into()),
    }
}

fn table() -> Vec<FieldFidelity> {
    vec![
        row(Kind::Customer, "name", Fidelity::Exact),
        row(Kind::Customer, "addresses.email", Fidelity::Exact),
        row(Kind::Customer, "*", Fidelity::Converted),
        row(Kind::Conversation, "subject", Fidelity::Exact),
        row(Kind::Conversation, "customer", Fidelity::Exact),
        row(Kind::Message, "text", Fidelity::Exact),
        row(Kind::Message, "*", Fidelity::Converted),
        row(Kind::Attachment, "*", Fidelity::Exact),
    ]
}

fn item(body: Body) -> Item {
    Item {
        key: "k".into(),
        body,
        values: vec![SlotValue {
            slot: "status".into(),
            value: "open".into(),
        }],
        policy: MatchPolicy::FillEmpty,
        existing: None,
        marker: "m".into(),
        in_doubt_since: None,
        notes: vec![],
        prior: vec![],
    }
}

fn seen(body: Body) -> Observed {
    Observed {
        item: "k".into(),
        presence: Presence::Present,
        body: Some(body),
        values: vec![SlotValue {
            slot: "status".into(),
            value: "open".into(),
        }],
        fingerprint: Some("name=1;phone=2".into()),
    }
}

fn alone(entry: Entry) -> Body {
    Body {
        entries: vec![entry],
        parts: vec![],
    }
}

fn said(id: &str, text: &str, seconds: i64, author: &str) -> Entry {
    let mut entry = message(id, Some("c1"), author);
    let Entity::Message(data) = &mut entry.data else {
        return entry;
    };
    data.text = Some(Text::Inline(text.into()));
    data.sent_at = Some(seconds * 1_000);
    data.author = Author::Person(Reference {
        kind: Kind::Customer,
        id: author.into(),
        target: Some(format!("t-{author}")),
        name: None,
    });
    entry
}

/// A thread of so many messages, with a file on the second.
fn thread(messages: &[(&str, &str, i64)], sha256: &str) -> Body {
    let head = conversation("c1", "ana", json!("Open"));
    let mut body = alone(head);
    for (place, (id, text, at)) in messages.iter().enumerate() {
        let at_place = u32::try_from(body.entries.len()).unwrap();
        body.entries.push(said(id, text, *at, "ana"));
        let mut attachments = vec![];
        if place == 1 {
            let mut file = attachment("f1", json!({"kind": "Message", "id": id}));
            if let Entity::Attachment(data) = &mut file.data {
                data.content = Some(BlobRef {
                    sha256: sha256.into(),
                    size: 5,
                    media_type: "image/png".into(),
                });
            }
            attachments.push(at_place + 1);
            body.entries.push(file);
        }
        body.parts.push(ThreadPart {
            message: at_place,
            attachments,
        });
    }
    body
}

const THREAD: [(&str, &str, i64); 3] = [
    ("m1", "Hello", 0),
    ("m2", "See the picture.", 60),
    ("m3", "Bye", 120),
];

/// What differs, and whether it was declared.
async fn found(
    item: &Item,
    observed: &Observed,
    losses: &[Loss],
    was_there: bool,
) -> Vec<(DifferenceKind, String, bool)> {
    let (_dir, around) = surroundings("r1").await;
    let fidelity = table();
    let terms = Terms {
        fidelity: &fidelity,
        system: &[],
        losses,
        keeps_created_at: true,
        was_there,
        untouched: false,
        left_out: &HashMap::new(),
        print: Some("name=1;phone=2"),
        blobs: &around.blobs,
    };
    let mut files = Files::default();
    let compared = compare(item, observed, &terms, &mut files);
    compared
        .findings
        .into_iter()
        .map(|one| (one.what, one.field, one.declared.is_some()))
        .collect()
}

fn renamed(name: &str) -> Entry {
    let mut entry = customer("1", &["ana@acme.example"]);
    if let Entity::Customer(data) = &mut entry.data {
        data.name = Some(name.into());
    }
    entry
}

#[tokio::test]
async fn a_record_is_equal_to_itself_and_to_another_spelling_of_itself() {
    let own = item(alone(renamed("Ana  Ruiz")));
    for name in ["Ana  Ruiz", " Ana Ruiz\n"] {
        let mut there = renamed(name);
        if let Entity::Customer(data) = &mut there.data {
            data.addresses[0].value = "ANA@acme.example".into();
        }
        assert_eq!(found(&own, &seen(alone(there)), &[], false).await, []);
    }
}

#[tokio::test]
async fn what_the_table_calls_exact_is_held_to_and_what_it_calls_converted_is_declared() {
    let own = item(alone(renamed("Ana Ruiz")));
    let there = seen(alone(renamed("Somebody")));
    let name = |declared| {
        vec![(
            DifferenceKind::Differs,
            "customer.name".to_owned(),
            declared,
        )]
    };
    assert_eq!(found(&own, &there, &[], false).await, name(false));
    // A loss of this record says so, and one of another field does not.
    let loss = |field: &str| Loss {
        field: field.into(),
        how: Fidelity::Converted,
        note: "cut".into(),
    };
    assert_eq!(
        found(&own, &there, &[loss("customer.name")], false).await,
        name(true)
    );
    assert_eq!(
        found(&own, &there, &[loss("customer.names")], false).await,
        name(false)
    );
    // One who was there before keeps the name he had (rule M-7).
    assert_eq!(found(&own, &there, &[], true).await, name(true));
    let mut spoken = renamed("Ana Ruiz");
    if let Entity::Customer(data) = &mut spoken.data {
        data.language = Some("de".into());
    }
    let (own, there) = (item(alone(spoken)), seen(alone(renamed("Ana Ruiz"))));
    assert_eq!(
        found(&own, &there, &[], false).await,
        [(
            DifferenceKind::Differs,
            "customer.language".to_owned(),
            true
        )]
    );
}

#[tokio::test]
async fn slots_prints_and_presence_are_held_to() {
    let own = item(alone(renamed("Ana Ruiz")));
    let mut there = seen(alone(renamed("Ana Ruiz")));
    there.values[0].value = "closed".into();
    there.fingerprint = Some("name=1;phone=3".into());
    assert_eq!(
        found(&own, &there, &[], false).await,
        [
            (DifferenceKind::Differs, "customer.status".to_owned(), false),
            (DifferenceKind::Changed, "customer".to_owned(), false),
        ]
    );
    // What cannot be read back says nothing.
    there.values.clear();
    there.fingerprint = None;
    assert_eq!(found(&own, &there, &[], false).await, []);
    for presence in [Presence::Absent, Presence::Merged, Presence::Hidden] {
        there.presence = presence;
        assert_eq!(
            found(&own, &there, &[], false).await,
            [(DifferenceKind::Missing, "customer".to_owned(), false)]
        );
    }
}

#[tokio::test]
async fn messages_and_files_of_a_thread_are_held_to_what_they_are() {
    let own = item(thread(&THREAD, "aa"));
    assert_eq!(
        found(&own, &seen(thread(&THREAD, "aa")), &[], false).await,
        []
    );
    let one = |what, field: &str| vec![(what, field.to_owned(), false)];
    let other_bytes = seen(thread(&THREAD, "bb"));
    assert_eq!(
        found(&own, &other_bytes, &[], false).await,
        one(DifferenceKind::File, "attachment.content")
    );
    let changed = seen(thread(&[THREAD[0], THREAD[1], ("m3", "Never", 120)], "aa"));
    assert_eq!(
        found(&own, &changed, &[], false).await,
        one(DifferenceKind::Differs, "message.text")
    );
    let shorter = seen(thread(&THREAD[..2], "aa"));
    assert_eq!(
        found(&own, &shorter, &[], false).await,
        one(DifferenceKind::Missing, "message")
    );
    let longer = seen(thread(
        &[THREAD[0], THREAD[1], THREAD[2], ("m4", "Bye", 180)],
        "aa",
    ));
    assert_eq!(
        found(&own, &longer, &[], false).await,
        one(DifferenceKind::Duplicate, "message")
    );
    let mut by_another = thread(&THREAD, "aa");
    if let Entity::Message(data) = &mut by_another.entries[1].data
        && let Author::Person(person) = &mut data.author
    {
        person.target = Some("t-bo".into());
    }
    assert_eq!(
        found(&own, &seen(by_another), &[], false).await,
        one(DifferenceKind::Author, "message.author")
    );
    let mut moved = thread(&THREAD, "aa");
    let to = |target: &str| Reference {
        kind: Kind::Customer,
        id: "ana".into(),
        target: Some(target.into()),
        name: None,
    };
    let mut own = own;
    for (body, target) in [(&mut own.body, "t-ana"), (&mut moved, "t-bo")] {
        if let Entity::Conversation(data) = &mut body.entries[0].data {
            data.customer = Some(to(target));
        }
    }
    assert_eq!(
        found(&own, &seen(moved), &[], false).await,
        one(DifferenceKind::Moved, "conversation.customer")
    );
}

#[test]
fn what_a_later_step_wrote_stands_for_what_an_earlier_one_did() {
    assert_eq!(
        last_print(&["a=1;b=2", "b=3;c=4"]).as_deref(),
        Some("a=1;b=3")
    );
    assert_eq!(last_print(&["opaque", "b=3"]).as_deref(), Some("opaque"));
    assert_eq!(last_print(&[]), None);
    assert_eq!(changed("a=1;b=2", "a=1;b=3"), ["b"]);
    assert_eq!(changed("a=1", "a=1"), Vec::<String>::new());
    assert_eq!(changed("opaque", "other"), ["what was written"]);
}
