//! Answers that are lost, of every request of threads, records and links: in the end the org holds what it would hold anyhow,
//! and all of it can be taken back (rules D-2, D-3, D-4).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

use crate::support::{
    Org, agent, assert_same, assert_undone, customer, definition, field, file, link, object_type,
    record, said, thread,
};
use transload_plugin_salesforce::Salesforce;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, UndoMode};
use transload_sdk::ledger::{Action, Outcome, Status};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Author, Conversation, CustomObject, Customer, Direction, Entity, FieldType, Kind, Owner,
    Reference, ReferenceType, Value, Visibility,
};

const NOW: i64 = 1_795_000_000_000;

fn order_field(name: &str, kind: Kind, object_type: Option<&str>) -> Item {
    let owner = Owner {
        kind: Kind::CustomObject,
        object_type: Some("order".to_owned()),
    };
    let reference = ReferenceType {
        kind: Some(kind),
        object_type: object_type.map(str::to_owned),
        multi: false,
    };
    definition(owner, name, name, FieldType::Reference(reference))
}

/// What is written, kind by kind. References are looked up when their turn comes.
fn items(org: &Org, kind: &Kind) -> Vec<Item> {
    let known = |kind: Kind, id: &str| {
        let reference = Reference::new(kind, id).called(format!("{id}'s name"));
        org.known(reference)
    };
    match kind {
        Kind::ObjectType => vec![object_type("order", "Order")],
        Kind::FieldDefinition => vec![order_field("formerId", Kind::CustomObject, Some("order"))],
        Kind::Agent => vec![agent(
            "a1",
            "Dana",
            "dana@acme.example",
            Vec::new(),
            Vec::new(),
        )],
        Kind::Customer => vec![customer(
            "c1",
            Vec::new(),
            Customer {
                name: Some("Ana Ruiz".to_owned()),
                ..Customer::empty()
            },
        )],
        Kind::Conversation => ["v1", "v2"]
            .map(|id| {
                let ana = known(Kind::Customer, "c1");
                let data = Conversation {
                    customer: Some(ana.clone()),
                    subject: Some(format!("Subject of {id}")),
                    ..Conversation::empty()
                };
                let part = |n: usize, author: &Reference, visibility| -> Part {
                    let text = format!("text {n}");
                    let at = NOW + i64::try_from(n).unwrap() * 1_000;
                    let mut part = said(
                        &format!("m{n}-{id}"),
                        Author::Person(author.clone()),
                        &text,
                        at,
                    );
                    if let Entity::Message(message) = &mut part.message.data {
                        message.visibility = visibility;
                        message.direction = Direction::Inbound;
                        message.channel = Some("email".to_owned());
                    }
                    part
                };
                let dana = known(Kind::Agent, "a1");
                let mut first = part(0, &ana, Visibility::Public);
                first.attachments = vec![file(&format!("f-{id}"), "note.txt", 3)];
                let parts = vec![
                    first,
                    part(1, &dana, Visibility::Internal),
                    // The same said twice is there twice.
                    part(1, &dana, Visibility::Internal),
                    part(3, &ana, Visibility::Public),
                ];
                thread(id, Vec::new(), data, parts)
            })
            .to_vec(),
        Kind::CustomObject => ["o1", "o2"]
            .map(|id| {
                let data = CustomObject {
                    customer: Some(known(Kind::Customer, "c1")),
                    conversation: Some(known(Kind::Conversation, "v1")),
                    ..CustomObject::of("order", format!("{id}'s name"))
                };
                // A cycle: each points to the other.
                let other = if id == "o1" { "o2" } else { "o1" };
                let to = Value::Reference(Reference::new(Kind::CustomObject, other));
                let at = org.field_at("custom-object:order", "formerId");
                record(id, vec![field("formerId", to, at)], data)
            })
            .to_vec(),
        Kind::Relationship => {
            let order = |id: &str| known(Kind::CustomObject, id);
            vec![
                link("formerId", order("o2"), order("o1"), None),
                link("formerId", order("o1"), order("o2"), None),
                link(
                    "ordersId",
                    known(Kind::Customer, "c1"),
                    order("o1"),
                    Some(0),
                ),
                link(
                    "casesId",
                    order("o1"),
                    known(Kind::Conversation, "v2"),
                    Some(0),
                ),
            ]
        }
        other => panic!("{other:?}"),
    }
}

const KINDS: [Kind; 7] = [
    Kind::ObjectType,
    Kind::FieldDefinition,
    Kind::Agent,
    Kind::Customer,
    Kind::Conversation,
    Kind::CustomObject,
    Kind::Relationship,
];

/// What threads need.
const THREADS: [Kind; 3] = [Kind::Agent, Kind::Customer, Kind::Conversation];

fn unprepared() -> Org {
    Org::unprepared(|config| config.preexisting.automation = false)
}

fn is_settled(outcome: &Outcome) -> bool {
    !matches!(outcome.status, Status::Rejected(_) | Status::Unsettled(_))
}

/// Writes these kinds with every answer of the lossy ones lost, one after the other, in both ways.
async fn every_loss(kinds: &[Kind], lossy: &[Kind]) {
    let mut undisturbed = unprepared();
    let before = undisturbed.sim.state_fingerprint();
    undisturbed.prepare().await;
    let mut requests = Vec::new();
    for kind in kinds {
        let items = items(&undisturbed, kind);
        requests.push((kind, undisturbed.write_counted(kind.clone(), items).await));
    }
    let whole = undisturbed.sim.state_fingerprint();
    for (lossy, count) in requests
        .into_iter()
        .filter(|(kind, _)| lossy.contains(kind))
    {
        assert!(count > 0, "{lossy:?} writes nothing");
        for nth in 1..=count {
            for how in [Loss::AfterApplying, Loss::BeforeArriving] {
                let case = format!("{lossy:?}, request {nth}, {how:?}");
                let mut org = unprepared();
                org.prepare().await;
                for kind in kinds {
                    let items = items(&org, kind);
                    let harness = match kind == lossy {
                        true => org.harness().lose_answer(nth, how),
                        false => org.harness(),
                    };
                    let outcomes = org.write_on(harness, kind.clone(), items).await;
                    let open: Vec<&Outcome> = outcomes.iter().filter(|o| !is_settled(o)).collect();
                    assert!(open.is_empty(), "{case}: {open:?}");
                }
                assert_same(&whole, &org.sim.state_fingerprint(), &case);
                org.assert_silent();
                let undone = org.rollback(UndoMode::Careful).await;
                assert_undone(&undone, &case);
                assert_same(&before, &org.sim.state_fingerprint(), &case);
            }
        }
    }
}

#[tokio::test]
async fn no_part_of_a_thread_is_made_twice_or_lost_whichever_answer_is_lost() {
    every_loss(&THREADS, &[Kind::Conversation]).await;
}

#[tokio::test]
async fn nor_is_a_record_or_a_link() {
    every_loss(&KINDS, &[Kind::CustomObject, Kind::Relationship]).await;
}

/// Writes kinds, and again what is in doubt since before.
async fn twice(kinds: &[Kind]) {
    let mut org = unprepared();
    org.prepare().await;
    for kind in kinds {
        let items = items(&org, kind);
        org.write(kind.clone(), items).await;
    }
    let whole = org.sim.state_fingerprint();
    let since = org.now() - 3_600_000;
    let ours = [Kind::Conversation, Kind::CustomObject, Kind::Relationship];
    for kind in kinds.iter().filter(|kind| ours.contains(kind)) {
        for item in items(&org, kind) {
            let again = Item {
                in_doubt_since: Some(since),
                ..item
            };
            let outcomes = org.write(kind.clone(), vec![again]).await;
            assert!(is_settled(&outcomes[0]), "{outcomes:?}");
            // What this run made is known as made by it.
            if *kind != Kind::Relationship {
                let strange = outcomes[0].effects.iter();
                let strange: Vec<_> = strange.filter(|e| e.action != Action::Created).collect();
                assert!(strange.is_empty(), "{strange:?}");
            }
        }
    }
    assert_same(&whole, &org.sim.state_fingerprint(), "again");
}

#[tokio::test]
async fn a_unit_of_threads_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    twice(&THREADS).await;
}

#[tokio::test]
async fn nor_does_one_of_records_or_links() {
    twice(&KINDS).await;
}

#[tokio::test]
async fn a_unit_that_runs_again_takes_the_same_way() {
    let mut org = unprepared();
    org.prepare().await;
    for kind in &THREADS[..2] {
        let items = items(&org, kind);
        org.write(kind.clone(), items).await;
    }
    let items = items(&org, &Kind::Conversation);
    let harness = org.harness().lose_answer(4, Loss::AfterApplying);
    let cx = harness.context();
    let write = Salesforce::write;
    write(&cx, Kind::Conversation, items.clone()).await.unwrap();
    let (cx, again) = harness.replay();
    write(&cx, Kind::Conversation, items).await.unwrap();
    assert_eq!(harness.same_way(&again), None);
}
