//! Properties, custom objects and tags: what is found, what is made, what a rollback leaves.

use crate::support::Stand as _;
use crate::support::doubt::{every_loss, prepared};
use crate::support::{
    Portal, assert_same, assert_undone, customer, definition, entry, field, is_created, item,
    object_type, with_options,
};
use serde_json::json;
use transload_plugin_hubspot::map::FieldTarget;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::types::{Customer, Entity, FieldType, Kind, Owner, Reference, Tag, Value};
use transload_simulators::hubspot::Plan;
use transload_simulators::hubspot::model::TypeId;

fn owner(kind: Kind) -> Owner {
    let object_type = (kind == Kind::CustomObject).then(|| "order".to_owned());
    Owner { kind, object_type }
}

fn tag(id: &str, name: &str) -> Item {
    let data = Tag {
        name: name.to_owned(),
        color: None,
    };
    item(entry(Kind::Tag, id, Vec::new(), Entity::Tag(data)))
}

fn target(outcome: &transload_sdk::ledger::Outcome) -> FieldTarget {
    FieldTarget::parse(&outcome.effects[0].target_id).unwrap()
}

#[tokio::test]
async fn properties_are_made_by_type_and_a_rollback_takes_them_back() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    let of = |name: &str, kind: FieldType| definition(owner(Kind::Conversation), name, name, kind);
    let items = vec![
        of("promisedAt", FieldType::Moment),
        of("paid", FieldType::Boolean),
        with_options(
            of("tier", FieldType::Choice),
            &[("gold", "Gold"), ("a;b", "A and b")],
        ),
        of("bad name!", FieldType::Integer),
        of("hs_mine", FieldType::Text),
    ];
    let outcomes = portal.write(Kind::FieldDefinition, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let tier = target(&outcomes[2]);
    assert_eq!(
        (tier.object.as_str(), tier.name.as_str()),
        ("tickets", "tier")
    );
    // What HubSpot takes for two values is stored otherwise.
    assert_eq!(tier.choices[0].0, "a;b");
    assert!(target(&outcomes[3]).name.starts_with("bad_name_"));
    assert_eq!(target(&outcomes[4]).name, "source_hs_mine");
    let snapshot = portal.snapshot();
    let properties = &snapshot.types[&TypeId::TICKET].properties;
    assert_eq!(properties["paid"].kind, "bool");
    assert_eq!(properties["tier"].options.len(), 2);
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn a_property_that_is_there_is_used_and_one_of_another_type_is_left_alone() {
    let mut portal = Portal::new().await;
    let tier = |kind| definition(owner(Kind::Customer), "tier", "Tier", kind);
    portal
        .write(Kind::FieldDefinition, vec![tier(FieldType::Text)])
        .await;
    portal.run = "r2".to_owned();
    let outcomes = portal
        .write(Kind::FieldDefinition, vec![tier(FieldType::Text)])
        .await;
    assert_eq!(outcomes[0].effects[0].action, Action::Matched);
    let outcomes = portal
        .write(Kind::FieldDefinition, vec![tier(FieldType::Integer)])
        .await;
    assert!(is_created(&outcomes[0]) && target(&outcomes[0]).name != "tier");
}

#[tokio::test]
async fn a_name_in_the_recycle_bin_gets_a_number() {
    let portal = Portal::new().await;
    let tier = || definition(owner(Kind::Customer), "tier", "Tier", FieldType::Text);
    portal.write(Kind::FieldDefinition, vec![tier()]).await;
    portal.rollback(UndoMode::Careful).await;
    let mut portal = Portal {
        trial: portal.renewed(),
        sim: portal.sim.clone(),
    };
    portal.prepare().await;
    let outcomes = portal.write(Kind::FieldDefinition, vec![tier()]).await;
    assert_eq!(target(&outcomes[0]).name, "tier_2");
}

#[tokio::test]
async fn a_property_with_values_of_others_stays() {
    let portal = Portal::new().await;
    let tier = definition(owner(Kind::Customer), "tier", "Tier", FieldType::Text);
    portal.write(Kind::FieldDefinition, vec![tier]).await;
    let theirs = portal.snapshot();
    let theirs = theirs.live(TypeId::CONTACT).next().unwrap().id;
    portal
        .sim
        .change(TypeId::CONTACT, theirs, &json!({"tier": "gold"}))
        .unwrap();
    portal.sim.harness().clock.advance(60_000);
    let undone = portal.rollback(UndoMode::Careful).await;
    let conflicts: Vec<_> = undone
        .iter()
        .filter(|o| o.status == UndoStatus::Conflict)
        .collect();
    // The property, and the group that it is in.
    assert_eq!(conflicts.len(), 2, "{conflicts:?}");
    assert!(
        portal.snapshot().types[&TypeId::CONTACT]
            .properties
            .contains_key("tier")
    );
}

#[tokio::test]
async fn a_custom_object_is_made_with_its_own_properties_and_goes_for_good() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    let outcomes = portal
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].effects[0].target_id, "p44218907_order");
    let total = definition(
        owner(Kind::CustomObject),
        "total",
        "Total",
        FieldType::Decimal,
    );
    let outcomes = portal.write(Kind::FieldDefinition, vec![total]).await;
    assert_eq!(
        outcomes[0].effects[0].target_id,
        "p44218907_order.total:number"
    );
    let again = portal
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert_eq!(again[0].effects[0].action, Action::Matched);
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
    // Its name is free again.
    let portal = Portal {
        trial: portal.renewed(),
        sim: portal.sim.clone(),
    };
    let mut portal = portal;
    portal.prepare().await;
    let outcomes = portal
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
}

#[tokio::test]
async fn tags_are_options_of_every_object_type_and_go_with_a_rollback() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    portal
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    let names = ["VIP", "a;b", " trimmed ", "日本", "vip"];
    let items: Vec<Item> = names
        .iter()
        .enumerate()
        .map(|(n, name)| tag(&format!("t{n}"), name))
        .collect();
    let outcomes = portal.write(Kind::Tag, items).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    assert_eq!(outcomes[0].effects[0].target_id, "VIP");
    assert!(!outcomes[1].effects[0].target_id.contains(';'));
    // Three standard objects and the custom one, beside the tag itself.
    assert_eq!(outcomes[0].effects.len(), 5);
    let snapshot = portal.snapshot();
    let options = &snapshot.types[&TypeId::TICKET].properties["transload_tags"].options;
    assert_eq!(options.len(), 5);
    assert!(options.iter().any(|option| option.label == "a;b"));
    // More come without losing those that are there.
    portal.write(Kind::Tag, vec![tag("t9", "late")]).await;
    let snapshot = portal.snapshot();
    assert_eq!(
        snapshot.types[&TypeId::TICKET].properties["transload_tags"]
            .options
            .len(),
        6
    );
    let vip = customer(
        "c1",
        Vec::new(),
        Customer {
            name: Some("Ana".to_owned()),
            tags: ["t0", "t1", "t9"]
                .map(|id| portal.known(Reference::new(Kind::Tag, id)))
                .to_vec(),
            ..Customer::empty()
        },
    );
    portal.write(Kind::Customer, vec![vip]).await;
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(contact.text("transload_tags").split(';').count(), 3);
    assert_undone(&portal.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "as before");
}

#[tokio::test]
async fn a_tag_that_somebody_uses_stays_when_its_property_does() {
    let mut portal = Portal::new().await;
    portal.run = "r2".to_owned();
    portal
        .write(Kind::Tag, vec![tag("t1", "vip"), tag("t2", "late")])
        .await;
    let theirs = portal.snapshot();
    let theirs = theirs.live(TypeId::CONTACT).next().unwrap().id;
    portal
        .sim
        .change(TypeId::CONTACT, theirs, &json!({"transload_tags": "vip"}))
        .unwrap();
    portal.sim.harness().clock.advance(60_000);
    let undone = portal.rollback(UndoMode::Careful).await;
    assert!(undone.iter().any(|o| o.status == UndoStatus::Conflict));
    let snapshot = portal.snapshot();
    let options = &snapshot.types[&TypeId::CONTACT].properties["transload_tags"].options;
    let values: Vec<&str> = options.iter().map(|option| option.value.as_str()).collect();
    assert_eq!(values, ["vip"]);
}

#[tokio::test]
async fn tags_as_text_have_no_options() {
    let mut portal = Portal::unprepared(|_| {});
    portal.set("tags", "text");
    portal.prepare().await;
    let outcomes = portal
        .write(Kind::Tag, vec![tag("t1", "a;b"), tag("t2", "vip")])
        .await;
    assert!(outcomes.iter().all(|o| matches!(o.status, Status::Matched)));
    let ana = Customer {
        name: Some("Ana".to_owned()),
        tags: ["t1", "t2"]
            .map(|id| portal.known(Reference::new(Kind::Tag, id)))
            .to_vec(),
        ..Customer::empty()
    };
    portal
        .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
        .await;
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(contact.text("transload_tags"), ";a,b;vip;");
}

#[tokio::test]
async fn every_request_for_a_schema_may_lose_its_answer() {
    let of = |kind, name: &str, label: &str, of| definition(owner(kind), name, label, of);
    let items = async |_: &Portal, kind: &Kind| match kind {
        Kind::ObjectType => vec![object_type("order", "Order")],
        Kind::FieldDefinition => vec![
            of(Kind::Customer, "tier", "Tier", FieldType::Text),
            of(Kind::CustomObject, "total", "Total", FieldType::Decimal),
        ],
        _ => vec![tag("t1", "vip"), tag("t2", "late")],
    };
    let begin = || prepared(Portal::unprepared(|_| {}));
    let kinds = [Kind::ObjectType, Kind::FieldDefinition, Kind::Tag];
    every_loss(begin, items, &kinds, &kinds).await;
}

#[tokio::test]
async fn values_go_into_their_properties_and_what_does_not_fit_stands_on_the_card() {
    let portal = Portal::new().await;
    let of = |name: &str, kind: FieldType| definition(owner(Kind::Customer), name, name, kind);
    let items = vec![
        of("total", FieldType::Decimal),
        of("paid", FieldType::Boolean),
        with_options(
            of("tier", FieldType::Choice),
            &[("gold", "Gold"), ("a;b", "A and b")],
        ),
        with_options(
            of("langs", FieldType::Choices),
            &[("de", "German"), ("en", "English")],
        ),
    ];
    portal.write(Kind::FieldDefinition, items).await;
    let at = |name: &str| portal.field_at("customer", name);
    let fields = vec![
        field("total", Value::Decimal("64.67".to_owned()), at("total")),
        field("paid", Value::Boolean(false), at("paid")),
        field("tier", Value::Choice("a;b".to_owned()), at("tier")),
        field(
            "langs",
            Value::Choices(vec!["en".to_owned(), "fr".to_owned()]),
            at("langs"),
        ),
        field("nowhere", Value::Text("kept".to_owned()), None),
    ];
    let ana = Customer {
        name: Some("Ana".to_owned()),
        ..Customer::empty()
    };
    let outcomes = portal
        .write(Kind::Customer, vec![customer("c1", fields, ana)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let contact = portal.of(TypeId::CONTACT, &Kind::Customer, "c1");
    assert_eq!(contact.text("total"), "64.67");
    assert_eq!(contact.text("paid"), "false");
    assert!(!contact.text("tier").is_empty());
    assert_eq!(contact.text("langs"), "");
    let card = contact.text("transload_source_card");
    assert!(
        card.contains("field langs: en, fr") && card.contains("field nowhere: kept"),
        "{card}"
    );
    let lost: Vec<&str> = outcomes[0]
        .losses
        .iter()
        .map(|loss| loss.field.as_str())
        .collect();
    assert_eq!(lost, ["fields.langs", "fields.nowhere"]);
}

#[tokio::test]
async fn an_object_that_a_plan_lacks_is_refused_and_ends_the_unit() {
    let portal = Portal::with(|config| config.plan = Plan::Professional).await;
    let harness = portal.harness();
    let cx = harness.context();
    let items = vec![object_type("order", "Order")];
    use transload_sdk::Destination as _;
    let ended = transload_plugin_hubspot::HubSpot::write(&cx, Kind::ObjectType, items).await;
    assert!(
        matches!(ended, Err(transload_sdk::types::Error::Permission(_))),
        "{ended:?}"
    );
}
