//! Fields, tags, brands, custom objects made by an administrator, their records and links.

use crate::support::Stand as _;
use crate::support::{
    Account, assert_same, assert_undone, definition, entry, field, is_created, item, link,
    object_type, record, with_options,
};
use serde_json::json;
use transload_plugin_freshdesk::write::schema::sheet;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::testing::Loss;
use transload_sdk::testing::items::customer;
use transload_sdk::types::{
    Brand, CustomObject, Customer, Entity, Fidelity, FieldType, Kind, Owner, Reference,
    ReferenceType, Tag, Value,
};
use transload_simulators::freshdesk::{SchemaFieldSpec, SchemaSpec};

fn owner(kind: Kind) -> Owner {
    let object_type = (kind == Kind::CustomObject).then(|| "order".to_owned());
    Owner { kind, object_type }
}

fn spec(label: &str, kind: &str, target: Option<&str>) -> SchemaFieldSpec {
    SchemaFieldSpec {
        name: label.to_lowercase().replace(' ', "_"),
        label: label.to_owned(),
        kind: kind.to_owned(),
        required: false,
        filterable: false,
        choices: if kind == "DROPDOWN" {
            vec!["new".to_owned()]
        } else {
            Vec::new()
        },
        target: target.map(str::to_owned),
    }
}

/// A custom object made by the sheet, with fields of the source's.
fn by_the_sheet() -> SchemaSpec {
    let target = |label| match label {
        sheet::CUSTOMER => Some("contact"),
        sheet::COMPANY => Some("company"),
        sheet::TICKET => Some("ticket"),
        _ => None,
    };
    let mut fields: Vec<SchemaFieldSpec> = sheet::ALL
        .iter()
        .map(|(label, kind)| spec(label, kind, target(*label)))
        .collect();
    fields.push(spec("Total", "DECIMAL", None));
    fields.push(spec("State", "DROPDOWN", None));
    fields.push(spec("Former", "RELATIONSHIP", Some("Order")));
    SchemaSpec {
        name: "Order".to_owned(),
        prefix: "ORD".to_owned(),
        fields,
    }
}

async fn with_orders() -> (Account, serde_json::Value) {
    let mut account = Account::unprepared(|_| {});
    account.sim.make_schema(&by_the_sheet()).unwrap();
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    (account, before)
}

fn definitions() -> Vec<Item> {
    let former = FieldType::Reference(ReferenceType {
        kind: Some(Kind::CustomObject),
        object_type: Some("order".to_owned()),
        multi: false,
    });
    let of =
        |name: &str, label: &str, kind| definition(owner(Kind::CustomObject), name, label, kind);
    vec![
        of("totalNum", "Total", FieldType::Decimal),
        with_options(
            of("stateStr", "State", FieldType::Choice),
            &[("new", "New"), ("old", "Old")],
        ),
        of("formerId", "Former", former),
        of("giftBool", "Gift", FieldType::Boolean),
    ]
}

fn order(account: &Account, id: &str) -> Item {
    let at = |name: &str| account.field_at("custom-object:order", name);
    let value = |name: &str, value: Value| field(name, value, at(name));
    let other = if id == "o1" { "o2" } else { "o1" };
    let former = account.known(Reference::new(Kind::CustomObject, other));
    let fields = vec![
        value("totalNum", Value::Decimal("64.67".to_owned())),
        value("stateStr", Value::Choice("new".to_owned())),
        value("formerId", Value::Reference(former)),
        value("giftBool", Value::Boolean(true)),
    ];
    let data = CustomObject {
        customer: Some(account.known(Reference::new(Kind::Customer, "c1"))),
        ..CustomObject::of("order", format!("Order {id}"))
    };
    record(id, fields, data)
}

fn ana() -> Item {
    let data = Customer {
        name: Some("Ana".to_owned()),
        ..Customer::empty()
    };
    customer("c1", Vec::new(), data)
}

#[tokio::test]
async fn records_go_into_the_custom_object_that_an_administrator_made_and_a_cycle_is_linked() {
    let (account, before) = with_orders().await;
    let outcomes = account
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[0].losses, []);
    let outcomes = account.write(Kind::FieldDefinition, definitions()).await;
    let matched = outcomes
        .iter()
        .filter(|o| matches!(o.status, Status::Matched))
        .count();
    assert_eq!(matched, 3, "{outcomes:?}");
    assert!(
        matches!(outcomes[3].status, Status::Exported(_)),
        "no such field: {outcomes:?}"
    );
    assert_eq!(outcomes[1].losses.len(), 1, "the option that is missing");
    account.write(Kind::Customer, vec![ana()]).await;
    for id in ["o1", "o2"] {
        let outcomes = account
            .write(Kind::CustomObject, vec![order(&account, id)])
            .await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let lost: Vec<&str> = outcomes[0]
            .losses
            .iter()
            .map(|l| l.field.as_str())
            .collect();
        assert_eq!(lost, ["fields.giftBool"]);
    }
    let known = |kind, id| account.known(Reference::new(kind, id));
    let (o1, o2) = (
        known(Kind::CustomObject, "o1"),
        known(Kind::CustomObject, "o2"),
    );
    let c1 = known(Kind::Customer, "c1");
    let links = vec![
        link("Former", o1.clone(), o2.clone(), None),
        link("Former", o2.clone(), o1.clone(), None),
        link("ordersId", c1.clone(), o1.clone(), Some(0)),
        link("friendsId", o1, c1, Some(0)),
    ];
    let outcomes = account.write(Kind::Relationship, links).await;
    let statuses: Vec<bool> = outcomes
        .iter()
        .map(|o| matches!(o.status, Status::Updated))
        .collect();
    assert_eq!(statuses, [true, true, false, false], "{outcomes:?}");

    let snapshot = account.snapshot();
    let contact = snapshot
        .contact_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    let held = |id: &str, name: &str| {
        let found = snapshot
            .records
            .iter()
            .find(|r| r.display_id == id)
            .unwrap();
        found.data.get(name).cloned()
    };
    assert_eq!(held("ORD-1", "customer"), Some(json!(contact.id)));
    assert_eq!(held("ORD-1", "title"), Some(json!("Order o1")));
    assert_eq!(held("ORD-1", "total"), Some(json!(64.67)));
    assert_eq!(held("ORD-1", "state"), Some(json!("new")));
    assert_eq!(held("ORD-1", "former"), Some(json!("ORD-2")));
    assert_eq!(held("ORD-2", "former"), Some(json!("ORD-1")));
    let text = held("ORD-1", "linked_from").unwrap();
    assert!(
        text.as_str()
            .unwrap()
            .starts_with("ordersId of customer c1"),
        "{text}"
    );
    let card = held("ORD-1", "source_card").unwrap();
    assert!(
        card.as_str().unwrap().contains("field giftBool: true"),
        "{card}"
    );
    let words = &contact.custom_fields[&account.prepared().contact_fields["links"]];
    assert!(
        words
            .as_str()
            .unwrap()
            .starts_with("friendsId of custom-object o1"),
        "{words}"
    );

    let preview = account.rollback(UndoMode::Preview).await;
    let blocked: Vec<_> = preview
        .iter()
        .filter(|o| o.status == UndoStatus::Conflict)
        .collect();
    assert!(blocked.is_empty(), "{blocked:?}");
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn a_record_of_an_earlier_run_is_not_made_again_whatever_the_account_calls_the_duplicate() {
    for status in [409, 400] {
        let (mut account, _) = with_orders().await;
        account
            .sim
            .set_switches(|switches| switches.duplicate_primary_status = status);
        account
            .write(Kind::CustomObject, vec![order(&account, "o1")])
            .await;
        account.run = "r2".to_owned();
        account.prepare().await;
        let outcomes = account
            .write(Kind::CustomObject, vec![order(&account, "o1")])
            .await;
        assert!(
            matches!(outcomes[0].status, Status::Matched),
            "{outcomes:?}"
        );
        assert_eq!(account.snapshot().records.len(), 1);
    }
}

#[tokio::test]
async fn without_the_custom_object_records_are_exported_and_the_sheet_is_named() {
    let account = Account::new().await;
    let outcomes = account
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Exported(_)),
        "{outcomes:?}"
    );
    let note = &outcomes[0].losses[0].note;
    for (label, _) in sheet::ALL {
        assert!(note.contains(label), "{label}: {note}");
    }
    let outcomes = account.write(Kind::FieldDefinition, definitions()).await;
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o.status, Status::Exported(_))),
        "{outcomes:?}"
    );
    let outcomes = account
        .write(Kind::CustomObject, vec![order(&account, "o1")])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Exported(_)),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[0].losses[0].how, Fidelity::Converted);
}

#[tokio::test]
async fn without_the_custom_object_a_record_is_named_on_its_customer_and_taken_off_again() {
    let mut account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    account.write(Kind::Customer, vec![ana()]).await;
    let orders = || vec![order(&account, "o1"), order(&account, "o2")];
    let lost = account.harness().lose_answer(1, Loss::AfterApplying);
    let outcomes = account.write_on(lost, Kind::CustomObject, orders()).await;
    assert!(
        outcomes
            .iter()
            .all(|o| matches!(o.status, Status::Exported(_))),
        "{outcomes:?}"
    );
    let actions: Vec<Action> = outcomes.iter().map(|o| o.effects[0].action).collect();
    assert_eq!(actions, [Action::Updated, Action::Matched]);
    let said = || {
        let snapshot = account.snapshot();
        let contact = snapshot
            .contact_by_external_id("old-desk:org1:customer:c1")
            .unwrap();
        let text = &contact.custom_fields[&account.prepared().contact_fields["links"]];
        text.as_str().unwrap().to_owned()
    };
    let first = "order custom-object o1 (Order o1); totalNum: 64.67; stateStr: new";
    assert!(said().starts_with(first), "{}", said());
    assert_eq!(said().lines().count(), 2);
    account.write(Kind::CustomObject, orders()).await;
    assert_eq!(said().lines().count(), 2, "each is said once");
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn the_settings_name_a_custom_object_of_another_name() {
    let mut account = Account::unprepared(|_| {});
    let spec = SchemaSpec {
        name: "Shop orders".to_owned(),
        fields: vec![spec("Source ID", "PRIMARY", None)],
        prefix: String::new(),
    };
    account.sim.make_schema(&spec).unwrap();
    account.set("objects", json!({"order": "Shop orders"}));
    account.prepare().await;
    let outcomes = account
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[0].losses.len(), sheet::ALL.len() - 1);
    let outcomes = account
        .write(Kind::CustomObject, vec![order(&account, "o1")])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let said: Vec<&str> = outcomes[0]
        .losses
        .iter()
        .map(|l| l.field.as_str())
        .collect();
    assert!(said.contains(&"custom-object.title") && said.contains(&"custom-object.customer"));
}

#[tokio::test]
async fn a_record_that_somebody_changed_is_a_conflict() {
    let (account, _) = with_orders().await;
    account
        .write(Kind::CustomObject, vec![order(&account, "o1")])
        .await;
    let target = account.effects_of("custom-object:o1")[0].target_id.clone();
    let (schema, id) = target.split_once('/').unwrap();
    let path = format!("custom_objects/schemas/{schema}/records/{id}");
    let now = account.sim.as_owner("GET", &path, &json!(null)).unwrap();
    let mut data = now["data"].clone();
    data["title"] = json!("Mine");
    let body = json!({"display_id": id, "version": now["version"], "data": data});
    account.sim.as_owner("PUT", &path, &body).unwrap();
    let undone = account.rollback(UndoMode::Careful).await;
    let conflict = undone
        .iter()
        .find(|o| o.status == UndoStatus::Conflict)
        .unwrap();
    assert_eq!(
        conflict.reason.as_deref(),
        Some("changed since: field title")
    );
    assert_eq!(account.snapshot().records.len(), 1);
}

#[tokio::test]
async fn a_field_that_is_there_is_used_with_its_own_choices_and_stays() {
    let mut account = Account::unprepared(|_| {});
    let body = json!({"label": "Tier", "label_for_customers": "Tier", "type": "custom_dropdown",
        "choices": [{"value": "Gold", "position": 1}]});
    account
        .sim
        .as_owner("POST", "admin/ticket_fields", &body)
        .unwrap();
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let tier = || {
        let of = definition(
            owner(Kind::Conversation),
            "tierStr",
            "Tier",
            FieldType::Choice,
        );
        with_options(of, &[("gold", "Gold"), ("silver", "Silver")])
    };
    let other = definition(
        owner(Kind::Conversation),
        "tierNum",
        "Tier",
        FieldType::Integer,
    );
    let outcomes = account
        .write(Kind::FieldDefinition, vec![tier(), other])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    assert_eq!(outcomes[0].losses[0].field, "field-definition.options");
    assert!(is_created(&outcomes[1]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let of = transload_simulators::freshdesk::model::Owner::Ticket;
    assert!(snapshot.field_by_label(of, "Tier (tierNum)").is_some());
    let again = account.write(Kind::FieldDefinition, vec![tier()]).await;
    assert!(matches!(again[0].status, Status::Matched));
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn a_field_of_many_choices_is_waited_for_and_shows_the_stored_values() {
    let account = Account::new().await;
    let values: Vec<String> = (0..150).map(|n| format!("v{n}")).collect();
    let options: Vec<(&str, &str)> = values.iter().map(|v| (v.as_str(), "Many")).collect();
    let many = definition(owner(Kind::Customer), "manyStr", "Many", FieldType::Choice);
    let outcomes = account
        .write(Kind::FieldDefinition, vec![with_options(many, &options)])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert_eq!(outcomes[0].losses, []);
    let snapshot = account.snapshot();
    let of = transload_simulators::freshdesk::model::Owner::Contact;
    let field = snapshot.field_by_label(of, "Many").unwrap();
    assert_eq!(field.choices.len(), 150);
    assert_eq!(field.choices[149].value, "v149");
}

#[tokio::test]
async fn a_field_stays_while_somebody_else_has_a_value_in_it() {
    let account = Account::new().await;
    let office = definition(
        owner(Kind::Customer),
        "officeStr",
        "Office",
        FieldType::Text,
    );
    account.write(Kind::FieldDefinition, vec![office]).await;
    let snapshot = account.snapshot();
    let of = transload_simulators::freshdesk::model::Owner::Contact;
    let name = snapshot.field_by_label(of, "Office").unwrap().name.clone();
    let old = snapshot
        .person_by_email("old.customer@example.com")
        .unwrap()
        .id;
    let body = json!({"custom_fields": {name: "Bern"}});
    account
        .sim
        .as_owner("PUT", &format!("contacts/{old}"), &body)
        .unwrap();
    let undone = account.rollback(UndoMode::Careful).await;
    let conflict = undone
        .iter()
        .find(|o| o.status == UndoStatus::Conflict)
        .unwrap();
    let why = "1 contacts of others have a value in it";
    assert_eq!(conflict.reason.as_deref(), Some(why));
    assert!(account.snapshot().field_by_label(of, "Office").is_some());
}

#[tokio::test]
async fn tags_are_cut_with_a_digest_and_those_that_become_one_are_said_so() {
    let account = Account::new().await;
    let long = "a very long label that nobody can read at a glance";
    let tag = |id: &str, name: &str| {
        let data = Tag {
            name: name.to_owned(),
            color: None,
        };
        item(entry(Kind::Tag, id, Vec::new(), Entity::Tag(data)))
    };
    let longer = format!("{long} 2");
    let items = vec![
        tag("t1", "VIP"),
        tag("t2", "vip"),
        tag("t3", long),
        tag("t4", &longer),
        tag("t5", "a,b"),
        tag("t6", "  "),
    ];
    let outcomes = account.write(Kind::Tag, items).await;
    let word = |at: usize| outcomes[at].effects[0].target_id.as_str();
    assert_eq!((word(0), word(1), word(4)), ("VIP", "vip", "a b"));
    assert_eq!(outcomes[1].losses[0].how, Fidelity::Lost);
    assert_ne!(word(2), word(3));
    for at in 0..6 {
        assert!((1..=32).contains(&word(at).chars().count()), "{}", word(at));
    }
}

#[tokio::test]
async fn a_brand_is_the_product_of_its_name_or_is_named() {
    let account = Account::new().await;
    let products = account.prepared().products;
    let (name, id) = products.iter().next().unwrap();
    let brand = |id: &str, name: &str| {
        let data = Brand {
            name: name.to_owned(),
            is_default: false,
            icon_url: None,
        };
        item(entry(Kind::Brand, id, Vec::new(), Entity::Brand(data)))
    };
    let items = vec![brand("b1", &name.to_uppercase()), brand("b2", "Nobody's")];
    let outcomes = account.write(Kind::Brand, items).await;
    assert_eq!(outcomes[0].effects[0].target_id, id.to_string());
    assert_eq!(outcomes[0].effects[0].action, Action::Matched);
    assert!(
        matches!(outcomes[1].status, Status::Exported(_)),
        "{outcomes:?}"
    );
}
