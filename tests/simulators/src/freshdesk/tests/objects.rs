use serde_json::{Value, json};

use super::super::model::Owner;
use super::super::{Plan, Policy, SchemaSpec};
use super::Client;

fn spec(value: Value) -> SchemaSpec {
    serde_json::from_value(value).unwrap()
}

fn bookings() -> SchemaSpec {
    spec(json!({"name": "Bookings", "prefix": "BKG", "fields": [
        {"name": "customer_id", "label": "Customer ID", "type": "PRIMARY"},
        {"name": "age", "type": "NUMBER", "filterable": true},
        {"name": "note", "type": "TEXT"},
        {"name": "kind", "type": "DROPDOWN", "choices": ["a", "b"]},
        {"name": "who", "type": "RELATIONSHIP", "target": "contact"},
        {"name": "next", "type": "RELATIONSHIP", "target": "Bookings"},
    ]}))
}

#[tokio::test]
async fn schemas_are_made_in_the_ui_only_and_need_a_plan() {
    let client = Client::new();
    client
        .post("custom_objects/schemas", json!({"name": "X"}))
        .await
        .expect(405);
    let id = client.simulator.make_schema(&bookings()).unwrap();
    let all = client.get("custom_objects/schemas").await.expect(200);
    assert_eq!(all.at("/schemas/0/id"), id);
    assert_eq!(all.at("/schemas/0/fields/0/type"), "PRIMARY");
    client
        .get(&format!("custom_objects/schemas/{id}"))
        .await
        .expect(200);
    assert!(client.simulator.make_schema(&bookings()).is_err());
    let client = Client::with(|config| config.plan = Plan::Growth);
    let refused = client.get("custom_objects/schemas").await.expect(403);
    assert_eq!(refused.at("/code"), "require_feature");
}

#[tokio::test]
async fn a_record_is_made_with_200_and_changed_with_the_version_that_was_read() {
    let client = Client::new();
    let schema = client.simulator.make_schema(&bookings()).unwrap();
    let path = format!("custom_objects/schemas/{schema}/records");
    let who = client.known("old.customer@example.com");
    let body = json!({"data": {"customer_id": "C1", "age": 24, "kind": "a", "who": who}});
    let made = client.post(&path, body.clone()).await.expect(200);
    assert_eq!(made.at("/display_id"), "BKG-1");
    assert_eq!(made.at("/version"), 1);
    assert_eq!(made.at("/created_time"), 1_795_424_400_000_i64);
    assert_eq!(made.at("/data/note"), &json!(null));
    client
        .post(&path, body.clone())
        .await
        .refused(409, "customer_id", "duplicate_value");
    client
        .simulator
        .set_switches(|switches| switches.duplicate_primary_status = 400);
    client
        .post(&path, body)
        .await
        .refused(400, "customer_id", "invalid_value");
    let record = format!("{path}/BKG-1");
    let change = json!({"display_id": "BKG-1", "version": 1, "data": {"customer_id": "C1", "next": "BKG-1"}});
    let changed = client.put(&record, change.clone()).await.expect(200);
    assert_eq!(
        (changed.at("/version"), changed.at("/data/age")),
        (&json!(2), &json!(null))
    );
    client.put(&record, change.clone()).await.expect(409);
    client.simulator.set_switches(|switches| {
        switches.stale_version = Policy::Tolerated;
        switches.record_put_replaces = false;
    });
    client.put(&record, change).await.expect(200);
    client.delete(&record).await.expect(204);
    client.get(&record).await.expect(404);
    client
        .post(&path, json!({"data": {"customer_id": "C1"}}))
        .await
        .expect(200);
}

#[tokio::test]
async fn records_are_checked() {
    let client = Client::new();
    let schema = client.simulator.make_schema(&bookings()).unwrap();
    let path = format!("custom_objects/schemas/{schema}/records");
    for (data, field, code) in [
        (json!({"age": 1}), "customer_id", "missing_field"),
        (
            json!({"customer_id": "a", "other": 1}),
            "other",
            "invalid_field",
        ),
        (
            json!({"customer_id": "a", "age": "1"}),
            "age",
            "datatype_mismatch",
        ),
        (
            json!({"customer_id": "a", "kind": "c"}),
            "kind",
            "invalid_value",
        ),
        (
            json!({"customer_id": "a", "who": 1}),
            "who",
            "invalid_value",
        ),
        (
            json!({"customer_id": "a", "next": "BKG-9"}),
            "next",
            "invalid_value",
        ),
    ] {
        client
            .post(&path, json!({"data": data}))
            .await
            .refused(400, field, code);
    }
    client
        .post(&path, json!({"data": {"customer_id": "a"}, "x": 1}))
        .await
        .refused(400, "x", "invalid_field");
}

#[tokio::test]
async fn records_are_listed_by_tokens_and_filtered_by_what_can_be() {
    let client = Client::new();
    let schema = client.simulator.make_schema(&bookings()).unwrap();
    let path = format!("custom_objects/schemas/{schema}/records");
    for n in 0..25 {
        let body = json!({"data": {"customer_id": format!("C{n}"), "age": n}});
        client.post(&path, body).await.expect(200);
    }
    let first = client.get(&path).await.expect(200);
    assert_eq!(first.at("/records").as_array().unwrap().len(), 20);
    let next = first.at("/_links/next/href").as_str().unwrap();
    let rest = client
        .get(&format!("custom_objects{next}"))
        .await
        .expect(200);
    assert_eq!(rest.at("/records").as_array().unwrap().len(), 5);
    assert_eq!(rest.at("/_links/next"), &json!(null));
    let one = client
        .get(&format!("{path}?customer_id=C7"))
        .await
        .expect(200);
    assert_eq!(one.at("/records/0/data/age"), 7);
    let older = client
        .get(&format!("{path}?age[gte]=20&page_size=3"))
        .await
        .expect(200);
    assert_eq!(older.at("/records/0/data/age"), 20);
    let next = older.at("/_links/next/href").as_str().unwrap();
    let older = client
        .get(&format!("custom_objects{next}"))
        .await
        .expect(200);
    assert_eq!(
        older.at("/records").as_array().unwrap().len(),
        2,
        "the filter is in the token"
    );
    let count = client
        .get(&format!("{path}/count?age[gte]=20"))
        .await
        .expect(200);
    assert_eq!(count.at("/count"), 5);
    client
        .get(&format!("{path}?note=x"))
        .await
        .refused(400, "note", "invalid_field");
    client
        .get(&format!("{path}?page_size=101"))
        .await
        .refused(400, "page_size", "invalid_value");
}

#[tokio::test]
async fn a_lookup_field_takes_a_display_id_or_the_primary_value_when_told() {
    let client = Client::new();
    let schema = client.simulator.make_schema(&bookings()).unwrap();
    let path = format!("custom_objects/schemas/{schema}/records");
    client
        .post(&path, json!({"data": {"customer_id": "C1"}}))
        .await
        .expect(200);
    let name = client
        .simulator
        .make_lookup_field(Owner::Ticket, "Booking", schema);
    let requester = client.known("old.customer@example.com");
    let with = |value: &str| json!({"custom_fields": {&name: value}});
    let id = client.ticket(requester, with("BKG-1")).await;
    let reply = client.put(&format!("tickets/{id}"), with("C1")).await;
    reply.refused(400, &format!("custom_fields.{name}"), "invalid_value");
    let mut body = with("C1");
    body["lookup_parameter"] = json!("primary_field_value");
    let changed = client.put(&format!("tickets/{id}"), body).await.expect(200);
    assert_eq!(changed.at("/custom_fields")[&name], "BKG-1");
}
