//! Answers that are lost, of every request of threads, records and links: in the end the org holds what it would hold anyhow,
//! and all of it can be taken back (rules D-2, D-3, D-4).

use crate::support::Stand as _;
use crate::support::doubt::{all_in_doubt, assert_all_ours, assert_same_way, every_loss, prepared};
use crate::support::{
    Org, agent, customer, definition, field, file, link, object_type, record, said, thread,
};
use transload_plugin_salesforce::Salesforce;
use transload_sdk::destination::{Item, Part};
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

async fn each(org: &Org, kind: &Kind) -> Vec<Item> {
    items(org, kind)
}

/// Writes these kinds with every answer of the lossy ones lost, one after the other, in both ways.
async fn losses(kinds: &[Kind], lossy: &[Kind]) {
    every_loss(|| prepared(unprepared()), each, kinds, lossy).await;
}

#[tokio::test]
async fn no_part_of_a_thread_is_made_twice_or_lost_whichever_answer_is_lost() {
    losses(&THREADS, &[Kind::Conversation]).await;
}

#[tokio::test]
async fn nor_is_a_record_or_a_link() {
    losses(&KINDS, &[Kind::CustomObject, Kind::Relationship]).await;
}

/// Writes kinds, and again what is in doubt since before.
async fn twice(kinds: &[Kind], ours: &[Kind]) {
    let (org, _) = prepared(unprepared()).await;
    all_in_doubt(&org, each, kinds, ours, |kind, outcome| {
        // What this run made is known as made by it.
        if *kind != Kind::Relationship {
            assert_all_ours(outcome);
        }
    })
    .await;
}

#[tokio::test]
async fn a_unit_of_threads_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    twice(&THREADS, &[Kind::Conversation]).await;
}

#[tokio::test]
async fn nor_does_one_of_records_or_links() {
    let ours = [Kind::Conversation, Kind::CustomObject, Kind::Relationship];
    twice(&KINDS, &ours).await;
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
    assert_same_way::<Salesforce>(harness, Kind::Conversation, items, "").await;
}
