//! What points to what (rule M-15): in a lookup where one can hold it, else in words on both records.

use crate::support::Stand as _;
use crate::support::{
    Account, assert_same, assert_undone, customer, definition, field, link, object_type, record,
    said, thread,
};
use serde_json::Value as Json;
use transload_plugin_zendesk::map;
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::{Action, Outcome, Status};
use transload_sdk::types::{
    Author, Conversation, CustomObject, Customer, FieldType, Kind, Owner, Reference, ReferenceType,
    Value,
};
use transload_simulators::zendesk::model::{CommentText, Ticket};

const NOW: i64 = 1_795_000_000_000;

fn orders(multi: bool) -> FieldType {
    FieldType::Reference(ReferenceType {
        kind: Some(Kind::CustomObject),
        object_type: Some("order".to_owned()),
        multi,
    })
}

fn owner(kind: Kind, object_type: Option<&str>) -> Owner {
    Owner {
        kind,
        object_type: object_type.map(str::to_owned),
    }
}

fn order(id: &str) -> Reference {
    Reference::new(Kind::CustomObject, id).called(format!("Order {id}"))
}

fn ana() -> Reference {
    Reference::new(Kind::Customer, "c1").called("Ana Ruiz")
}

fn fields() -> Vec<transload_sdk::destination::Item> {
    vec![
        definition(
            owner(Kind::Customer, None),
            "ordersId",
            "Orders",
            orders(true),
        ),
        definition(
            owner(Kind::Customer, None),
            "lastOrderId",
            "Last order",
            orders(false),
        ),
        definition(
            owner(Kind::Conversation, None),
            "ordersId",
            "Orders",
            orders(true),
        ),
        definition(
            owner(Kind::CustomObject, Some("order")),
            "formerId",
            "Former order",
            orders(false),
        ),
        definition(
            owner(Kind::CustomObject, Some("order")),
            "soldById",
            "Sold by",
            FieldType::Reference(ReferenceType {
                kind: Some(Kind::Agent),
                object_type: None,
                multi: false,
            }),
        ),
    ]
}

/// An account with the object `order` and with fields that point to orders: several of a customer, one of a customer, one of
/// a conversation, one of an order.
async fn account() -> Account {
    let account = Account::new().await;
    account
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    account.write(Kind::FieldDefinition, fields()).await;
    account
}

/// Ana, who has two orders, and the orders.
async fn ana_and_orders(account: &Account) {
    let list = vec![order("o1"), order("o2")];
    let fields = vec![
        field(
            "ordersId",
            Value::References(list),
            account.field_at("customer", "ordersId"),
        ),
        field(
            "lastOrderId",
            Value::Reference(order("o2")),
            account.field_at("customer", "lastOrderId"),
        ),
    ];
    let person = Customer {
        name: Some("Ana Ruiz".to_owned()),
        ..Customer::empty()
    };
    account
        .write(Kind::Customer, vec![customer("c1", fields, person)])
        .await;
    let records = ["o1", "o2"].map(|id| {
        let data = CustomObject::of("order", format!("Order {id}"));
        record(id, Vec::new(), data)
    });
    account.write(Kind::CustomObject, records.to_vec()).await;
}

/// The links that Ana's fields hold, as a host gives them after everything else was written.
fn links_of_ana(account: &Account) -> Vec<transload_sdk::destination::Item> {
    let to = |id: &str| account.known(order(id));
    let from = account.known(ana());
    vec![
        link("ordersId", from.clone(), to("o1"), Some(0)),
        link("ordersId", from.clone(), to("o2"), Some(1)),
        link("lastOrderId", from, to("o2"), None),
    ]
}

fn user_field(account: &Account, key: &str) -> Json {
    let snapshot = account.snapshot();
    let user = snapshot
        .user_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    user.user_fields
        .get(&map::key(key))
        .cloned()
        .unwrap_or_default()
}

fn record_field(account: &Account, id: &str, key: &str) -> Json {
    let snapshot = account.snapshot();
    let marker = format!("old-desk:org1:custom-object:{id}");
    let record = snapshot.record_by_external_id("order", &marker).unwrap();
    record.fields.get(key).cloned().unwrap_or_default()
}

fn card_of(ticket: &Ticket) -> String {
    let plain = |text: &CommentText| match text {
        CommentText::Plain(text) | CommentText::Html(text) => text.clone(),
    };
    plain(&ticket.comments.last().unwrap().text)
}

fn losses(outcome: &Outcome) -> Vec<&str> {
    outcome
        .losses
        .iter()
        .map(|loss| loss.note.as_str())
        .collect()
}

#[tokio::test]
async fn several_references_of_a_customer_are_named_on_the_customer_and_on_what_they_point_to() {
    let account = account().await;
    ana_and_orders(&account).await;
    let before = user_field(&account, "ordersId");
    assert_eq!(
        before,
        "custom-object o1 (Order o1), custom-object o2 (Order o2)"
    );
    let outcomes = account
        .write(Kind::Relationship, links_of_ana(&account))
        .await;

    // The text that names both is not overwritten by the link to one.
    assert_eq!(user_field(&account, "ordersId"), before);
    let snapshot = account.snapshot();
    let user = snapshot
        .user_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    assert!(
        user.notes
            .contains("field ordersId: custom-object o1 (Order o1), custom-object o2"),
        "{}",
        user.notes
    );
    let from = format!(
        "ordersId of customer c1 (Ana Ruiz, https://acme.zendesk.com/agent/users/{})",
        user.id
    );
    assert_eq!(record_field(&account, "o1", "transload_links"), from);
    assert_eq!(record_field(&account, "o2", "transload_links"), from);
    for outcome in outcomes.iter().take(2) {
        assert!(matches!(&outcome.status, Status::Exported(name) if name == "relationship.jsonl"));
        assert_eq!(losses(outcome).len(), 1, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_single_reference_stands_in_its_lookup_once_what_it_points_to_is_there() {
    let account = account().await;
    ana_and_orders(&account).await;
    assert_eq!(user_field(&account, "lastOrderId"), Json::Null);
    let outcomes = account
        .write(Kind::Relationship, links_of_ana(&account))
        .await;
    let target = account.known(order("o2")).target.unwrap();
    assert_eq!(user_field(&account, "lastOrderId"), map::target_id(&target));
    assert!(matches!(outcomes[2].status, Status::Updated));

    let again = account
        .write(Kind::Relationship, links_of_ana(&account))
        .await;
    assert!(matches!(again[2].status, Status::Matched));
    let effects = again.iter().flat_map(|outcome| &outcome.effects);
    assert!(effects.into_iter().all(|e| e.action == Action::Matched));
}

#[tokio::test]
async fn a_lookup_that_holds_one_record_is_not_overwritten_by_another() {
    let account = account().await;
    ana_and_orders(&account).await;
    let from = account.known(ana());
    let both =
        ["o1", "o2"].map(|id| link("lastOrderId", from.clone(), account.known(order(id)), None));
    let outcomes = account.write(Kind::Relationship, both.to_vec()).await;
    let first = account.known(order("o1")).target.unwrap();
    assert_eq!(user_field(&account, "lastOrderId"), map::target_id(&first));
    assert!(matches!(outcomes[0].status, Status::Updated));
    assert!(matches!(outcomes[1].status, Status::Exported(_)));
    let said = record_field(&account, "o2", "transload_links");
    assert!(
        said.as_str()
            .unwrap()
            .starts_with("lastOrderId of customer c1")
    );
}

#[tokio::test]
async fn references_of_a_conversation_are_on_its_card_and_named_on_what_they_point_to() {
    let account = account().await;
    ana_and_orders(&account).await;
    let list = vec![order("o1"), order("gone")];
    let at = account.field_at("conversation", "ordersId");
    let data = Conversation {
        customer: Some(account.known(ana())),
        subject: Some("Where is it?".to_owned()),
        ..Conversation::empty()
    };
    let parts = vec![said("m1", Author::Person(account.known(ana())), "Hi", NOW)];
    let fields = vec![field("ordersId", Value::References(list), at)];
    account
        .write(Kind::Conversation, vec![thread("v1", fields, data, parts)])
        .await;
    let ticket = {
        let snapshot = account.snapshot();
        snapshot.tickets_by_external_id("old-desk:org1:conversation:v1")[0].clone()
    };
    let card = card_of(&ticket);
    assert!(
        card.contains(
            "field ordersId: custom-object o1 (Order o1), custom-object gone (Order gone)"
        ),
        "{card}"
    );
    let from = account.known(Reference::new(Kind::Conversation, "v1").called("Where is it?"));
    let links =
        ["o1", "gone"].map(|id| link("ordersId", from.clone(), account.known(order(id)), Some(0)));
    let outcomes = account.write(Kind::Relationship, links.to_vec()).await;
    let said = format!(
        "ordersId of conversation v1 (Where is it?, https://acme.zendesk.com/agent/tickets/{})",
        ticket.id
    );
    assert_eq!(record_field(&account, "o1", "transload_links"), said);
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o.status, Status::Exported(_)))
    );
    assert_ne!(
        losses(&outcomes[0]),
        losses(&outcomes[1]),
        "a ticket, and what is not here"
    );
}

#[tokio::test]
async fn an_agent_without_a_user_is_named_on_the_record_and_the_stand_in_is_not_linked() {
    let account = account().await;
    let former = Reference::new(Kind::Agent, "a9").at(map::placeholder(7, "Old Hand"));
    let at = account.field_at("custom-object:order", "soldById");
    assert!(at.is_some(), "the field has a lookup");
    let fields = vec![field("soldById", Value::Reference(former.clone()), at)];
    let data = CustomObject::of("order", "Order o3");
    account
        .write(Kind::CustomObject, vec![record("o3", fields, data)])
        .await;
    assert_eq!(
        record_field(&account, "o3", &map::key("soldById")),
        Json::Null
    );
    let card = record_field(&account, "o3", "transload_source_card");
    assert!(
        card.as_str()
            .unwrap()
            .contains("field soldById: agent a9 (Old Hand)"),
        "{card}"
    );
    let links = vec![link("soldById", account.known(order("o3")), former, None)];
    let outcomes = account.write(Kind::Relationship, links).await;
    assert!(matches!(outcomes[0].status, Status::Exported(_)));
    assert_eq!(
        record_field(&account, "o3", &map::key("soldById")),
        Json::Null
    );
}

#[tokio::test]
async fn a_link_that_no_field_of_the_source_holds_is_named_on_both_records() {
    let account = account().await;
    ana_and_orders(&account).await;
    let (one, two) = (account.known(order("o1")), account.known(order("o2")));
    let mut item = link("replaces", two, one, None);
    if let transload_sdk::types::Entity::Relationship(link) = &mut item.body.entries[0].data {
        link.field = None;
    }
    account.write(Kind::Relationship, vec![item]).await;
    let text = |id: &str| {
        record_field(&account, id, "transload_links")
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(text("o1"), "replaces of custom-object o2 (Order o2)");
    assert_eq!(text("o2"), "replaces: custom-object o1 (Order o1)");
}

#[tokio::test]
async fn a_rollback_takes_links_back_with_everything_else() {
    let account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    let mut account = account;
    account.prepare().await;
    account
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    account.write(Kind::FieldDefinition, fields()).await;
    ana_and_orders(&account).await;
    account
        .write(Kind::Relationship, links_of_ana(&account))
        .await;
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert_undone(&outcomes, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}
