//! Fields and their options: which is which, and what people read.

use crate::support::Stand as _;
use crate::support::{Account, customer, definition, field, is_created, with_options};
use serde_json::json;
use transload_plugin_zendesk::Zendesk;
use transload_sdk::Destination;
use transload_sdk::ledger::Status;
use transload_sdk::types::{Customer, FieldType, Kind, Owner, Value};

fn owner(kind: Kind) -> Owner {
    Owner {
        kind,
        object_type: None,
    }
}

#[tokio::test]
async fn two_attributes_of_one_title_and_type_have_a_field_each() {
    let mut account = Account::new().await;
    let two = || {
        ["orderStr", "formerOrderStr"]
            .map(|name| definition(owner(Kind::Conversation), name, "Order", FieldType::Text))
            .to_vec()
    };
    let outcomes = account.write(Kind::FieldDefinition, two()).await;
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    let at = |account: &Account, name: &str| account.field_at("conversation", name).unwrap();
    let first = (at(&account, "orderStr"), at(&account, "formerOrderStr"));
    assert_ne!(first.0, first.1);
    // A second run finds each its own.
    account.run = "r2".to_owned();
    account.prepare().await;
    let again = account.write(Kind::FieldDefinition, two()).await;
    assert!(again.iter().all(|o| matches!(o.status, Status::Matched)));
    let second = (at(&account, "orderStr"), at(&account, "formerOrderStr"));
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_field_that_somebody_made_is_found_by_its_title() {
    let account = Account::with(|config| config.preexisting.required_field = true).await;
    let name = "resolutionStr";
    let wanted = definition(
        owner(Kind::Conversation),
        name,
        "Resolution code",
        FieldType::Text,
    );
    let outcomes = account.write(Kind::FieldDefinition, vec![wanted]).await;
    assert!(matches!(outcomes[0].status, Status::Matched));
}

#[tokio::test]
async fn a_path_is_an_option_that_is_read_from_the_root_down() {
    let account = Account::new().await;
    let tree = with_options(
        definition(
            owner(Kind::Customer),
            "segmentTree",
            "Segment",
            FieldType::Tree,
        ),
        &[
            ("shipping", "Shipping"),
            ("shipping.late", "Late"),
            ("other", "Other"),
        ],
    );
    account.write(Kind::FieldDefinition, vec![tree]).await;
    let path = ["shipping", "late"].map(str::to_owned).to_vec();
    let at = account.field_at("customer", "segmentTree");
    let data = Customer {
        name: Some("Ana".to_owned()),
        ..Customer::empty()
    };
    let fields = vec![field("segmentTree", Value::Path(path), at)];
    let outcomes = account
        .write(Kind::Customer, vec![customer("c1", fields, data)])
        .await;
    assert_eq!(outcomes[0].losses, Vec::new());
    let snapshot = account.snapshot();
    let user = snapshot
        .user_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    let stored = user.user_fields.values().filter_map(|v| v.as_str());
    let options = snapshot.fields.iter().flat_map(|field| &field.options);
    let read: Vec<&str> = options
        .filter(|option| stored.clone().any(|value| value == option.value))
        .map(|option| option.name.as_str())
        .collect();
    assert_eq!(read, ["Shipping::Late"]);
}

#[tokio::test]
async fn a_choice_is_one_of_a_field_that_is_there_by_its_value_or_by_what_people_read() {
    let account = Account::new().await;
    let options =
        json!([{"name": "Gold", "value": "g_1"}, {"name": "The second", "value": "silver"}]);
    let body = json!({"user_field": {"type": "dropdown", "key": "tier", "title": "Tier", "custom_field_options": options}});
    let cx = account.harness().context();
    let made = cx.http().post("/api/v2/user_fields").json(&body);
    assert_eq!(
        made.key("*", "main", "make").send().await.unwrap().status,
        201
    );

    // The plan can compare them.
    let survey = Zendesk::survey(&cx).await.unwrap();
    let there = survey.fields.iter().find(|f| f.name == "tier").unwrap();
    let read = there.options.iter();
    let read: Vec<_> = read.map(|o| (o.value.as_str(), o.label.as_str())).collect();
    assert_eq!(read, [("g_1", "Gold"), ("silver", "The second")]);

    // Named as the field that is there, as a host names what goes into it.
    let tier = definition(owner(Kind::Customer), "tier", "Tier", FieldType::Choice);
    let choices = [("goldLevel", "Gold"), ("silver", "Silver"), ("tin", "Tin")];
    let outcomes = account
        .write(Kind::FieldDefinition, vec![with_options(tier, &choices)])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    let lost: Vec<&str> = outcomes[0]
        .losses
        .iter()
        .map(|l| l.field.as_str())
        .collect();
    assert_eq!(lost, ["field-definition.options"], "tin");

    let at = account.field_at("customer", "tier");
    let of = |id: &str, value: &str| {
        let value = Value::Choice(value.to_owned());
        customer(
            id,
            vec![field("tier", value, at.clone())],
            Customer::empty(),
        )
    };
    let items = vec![of("c1", "goldLevel"), of("c2", "silver"), of("c3", "tin")];
    let outcomes = account.write(Kind::Customer, items).await;
    let snapshot = account.snapshot();
    let stored = |id: &str| {
        let user = snapshot.user_by_external_id(&format!("old-desk:org1:customer:{id}"));
        user.unwrap().user_fields.get("tier").cloned()
    };
    assert_eq!(stored("c1"), Some(json!("g_1")));
    assert_eq!(stored("c2"), Some(json!("silver")));
    assert_eq!(stored("c3"), None);
    let lost = |n: usize| outcomes[n].losses.iter().any(|l| l.field == "fields.tier");
    assert_eq!([lost(0), lost(1), lost(2)], [false, false, true]);
}
