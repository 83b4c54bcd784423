//! Records of custom objects and links between records, in the simulated account.

use crate::support::Stand as _;
use crate::support::doubt::{every_loss, prepared};
use crate::support::{
    Portal, assert_same, assert_undone, company, customer, definition, field, is_created, link,
    object_type, record,
};
use serde_json::json;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::types::{
    Author, Comment, Company, CustomObject, Customer, FieldType, Kind, Owner, Reference, Text,
    Value,
};
use transload_simulators::hubspot::model::{Record, TypeId};

fn known(portal: &Portal, kind: Kind, id: &str) -> Reference {
    portal.known(Reference::new(kind, id).called(format!("{id}'s name")))
}

async fn with_people(portal: &Portal) {
    let acme = company("k1", Vec::new(), Company::called("Acme Ltd"));
    portal.write(Kind::Company, vec![acme]).await;
    let people = ["c1", "c2"].map(|id| {
        let data = Customer {
            name: Some(format!("Person {id}")),
            ..Customer::empty()
        };
        customer(id, Vec::new(), data)
    });
    portal.write(Kind::Customer, people.to_vec()).await;
}

fn orders(portal: &Portal) -> Vec<Item> {
    let order = |id: &str| {
        let data = CustomObject {
            customer: Some(known(portal, Kind::Customer, "c1")),
            company: Some(known(portal, Kind::Company, "k1")),
            comments: vec![Comment {
                author: Author::Name("Bot".to_owned()),
                text: Text::Inline("packed".to_owned()),
                at: Some(1_700_000_000_000),
            }],
            ..CustomObject::of("order", format!("Order {id}"))
        };
        let at = portal.field_at("custom-object:order", "total");
        let total = Value::Decimal("64.67".to_owned());
        record(id, vec![field("total", total, at)], data)
    };
    ["o1", "o2"].map(order).to_vec()
}

async fn with_orders(portal: &Portal) {
    portal
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    let owner = Owner {
        kind: Kind::CustomObject,
        object_type: Some("order".to_owned()),
    };
    let total = definition(owner, "total", "Total", FieldType::Decimal);
    portal.write(Kind::FieldDefinition, vec![total]).await;
    with_people(portal).await;
    let outcomes = portal.write(Kind::CustomObject, orders(portal)).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
}

fn links(portal: &Portal) -> Vec<Item> {
    let order = |id: &str| known(portal, Kind::CustomObject, id);
    let ana = || known(portal, Kind::Customer, "c1");
    vec![
        // A cycle.
        link("former", order("o1"), order("o2"), None),
        link("former", order("o2"), order("o1"), None),
        link("orders", ana(), order("o1"), Some(0)),
        link("orders", ana(), order("o2"), Some(1)),
        link("friend", ana(), known(portal, Kind::Customer, "c2"), None),
        link("partner", ana(), known(portal, Kind::Customer, "c2"), None),
        link(
            "agents",
            ana(),
            Reference::new(Kind::Agent, "a1").called("Dana"),
            None,
        ),
    ]
}

/// The order that stands for a record of the source.
fn order(portal: &Portal, id: &str) -> Record {
    let snapshot = portal.snapshot();
    let of = snapshot.type_named("order").unwrap().id;
    let marker = format!("old-desk:org1:custom-object:{id}");
    snapshot.with(of, "transload_source_id", &marker)[0].clone()
}

#[tokio::test]
async fn records_arrive_with_their_values_card_and_links() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    with_orders(&portal).await;
    let one = order(&portal, "o1");
    assert_eq!(one.text("transload_title"), "Order o1");
    assert_eq!(one.text("total"), "64.67");
    assert!(one.text("transload_source_card").contains("packed"));
    let snapshot = portal.snapshot();
    let ana = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(snapshot.linked(&one, TypeId::CONTACT)[0].id, ana.id);
    assert_eq!(snapshot.linked(&one, TypeId::COMPANY).len(), 1);
    assert_eq!(snapshot.linked(&ana, one.object).len(), 2);
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn a_record_of_an_earlier_run_is_matched_and_changed_by_policy() {
    let mut portal = Portal::new().await;
    with_orders(&portal).await;
    portal.run = "r2".to_owned();
    let items = portal.matched(Kind::CustomObject, orders(&portal)).await;
    assert!(items.iter().all(|item| item.existing.is_some()));
    let outcomes = portal.write(Kind::CustomObject, items).await;
    assert!(
        outcomes
            .iter()
            .all(|o| o.effects[0].action != Action::Created),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[0].effects[0].target_kind, "p44218907_order");
}

#[tokio::test]
async fn links_are_labelled_seen_from_both_ends_and_go_with_a_rollback() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    with_orders(&portal).await;
    let outcomes = portal.write(Kind::Relationship, links(&portal)).await;
    let created = outcomes.iter().filter(|o| is_created(o)).count();
    assert_eq!(created, 6, "{outcomes:?}");
    let exported = outcomes
        .iter()
        .filter(|o| matches!(o.status, Status::Exported(_)));
    assert_eq!(exported.count(), 1);
    let snapshot = portal.snapshot();
    let (one, two) = (order(&portal, "o1"), order(&portal, "o2"));
    let ana = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    let bo = portal.of(TypeId::CONTACT, &Kind::Customer, "c2");
    assert_eq!(snapshot.labels(&one, &two), ["former"]);
    assert_eq!(snapshot.labels(&ana, &two), ["orders"]);
    assert_eq!(snapshot.labels(&two, &ana), ["orders"]);
    // Two relationships of one pair.
    assert_eq!(snapshot.labels(&ana, &bo), ["friend", "partner"]);
    // Again, nothing is made.
    let again = portal.write(Kind::Relationship, links(&portal)).await;
    assert!(again.iter().all(|o| !is_created(o)), "{again:?}");
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn labels_of_others_on_a_link_stay() {
    let portal = Portal::new().await;
    with_orders(&portal).await;
    portal.write(Kind::Relationship, links(&portal)).await;
    let ana = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    // Ana and her orders were linked by our records before the label came.
    let undone = portal.rollback(UndoMode::Preview).await;
    assert!(
        undone.iter().all(|o| o.status != UndoStatus::Conflict),
        "{undone:?}"
    );
    let snapshot = portal.snapshot();
    let bo = portal.of(TypeId::CONTACT, &Kind::Customer, "c2");
    assert_eq!(snapshot.labels(&ana, &bo).len(), 2);
}

#[tokio::test]
async fn an_object_whose_records_others_made_stays() {
    let portal = Portal::new().await;
    with_orders(&portal).await;
    let of = portal.snapshot().type_named("order").unwrap().id;
    portal
        .sim
        .make(of, &json!({"transload_title": "Theirs"}), &[])
        .unwrap();
    portal.sim.harness().clock.advance(60_000);
    let undone = portal.rollback(UndoMode::Careful).await;
    assert!(
        undone.iter().any(|o| o.status == UndoStatus::Conflict),
        "{undone:?}"
    );
    let snapshot = portal.snapshot();
    assert!(snapshot.type_named("order").unwrap().archived.is_none());
    assert_eq!(snapshot.live(of).count(), 1);
}

#[tokio::test]
async fn every_request_for_records_and_links_may_lose_its_answer() {
    let begin = async || {
        let (portal, before) = prepared(Portal::unprepared(|_| {})).await;
        portal
            .write(Kind::ObjectType, vec![object_type("order", "Order")])
            .await;
        with_people(&portal).await;
        (portal, before)
    };
    let items = async |portal: &Portal, kind: &Kind| match kind {
        Kind::CustomObject => orders(portal),
        _ => links(portal),
    };
    let kinds = [Kind::CustomObject, Kind::Relationship];
    every_loss(begin, items, &kinds, &kinds).await;
}

#[tokio::test]
async fn a_unit_of_links_takes_few_calls() {
    let portal = Portal::new().await;
    with_people(&portal).await;
    let list: Vec<Item> = (0..200)
        .map(|n| {
            let (ana, bo) = (
                known(&portal, Kind::Customer, "c1"),
                known(&portal, Kind::Customer, "c2"),
            );
            let mut item = link("friend", ana, bo, Some(n));
            item.key = format!("relationship:{n}");
            item
        })
        .collect();
    // A label and one batch.
    assert_eq!(portal.write_counted(Kind::Relationship, list).await, 2);
}
