//! Custom objects and records.

use serde_json::{Value, json};

use super::super::Plan;
use super::Client;

fn object(key: &str) -> Value {
    json!({"custom_object": {"key": key, "title": "Order", "title_pluralized": "Orders"}})
}

async fn orders() -> Client {
    let client = Client::new();
    client
        .post("custom_objects", object("order"))
        .await
        .expect(201);
    for field in [
        json!({"key": "status", "type": "dropdown", "title": "Status",
               "custom_field_options": [{"name": "Paid", "value": "paid"}]}),
        json!({"key": "customer", "type": "lookup", "title": "Customer",
               "relationship_target_type": "zen:user"}),
        json!({"key": "total", "type": "decimal", "title": "Total"}),
    ] {
        let body = json!({"custom_object_field": field});
        client
            .post("custom_objects/order/fields", body)
            .await
            .expect(201);
    }
    client
}

fn record(external_id: &str, fields: Value) -> Value {
    json!({"custom_object_record": {
        "name": "Order 1", "external_id": external_id, "custom_object_fields": fields,
    }})
}

#[tokio::test]
async fn the_plan_limits_objects_and_says_how_many_are_left() {
    let client = Client::with(|config| config.plan = Plan::SuiteTeam);
    for key in ["a", "b", "c"] {
        client.post("custom_objects", object(key)).await.expect(201);
    }
    client.post("custom_objects", object("d")).await.expect(422);
    let limit = client
        .get("custom_objects/limits/object_limit")
        .await
        .expect(200);
    assert_eq!(limit.json, json!({"count": 3, "limit": 3}));
    let fields = client
        .get("custom_objects/a/limits/field_limit")
        .await
        .expect(200);
    assert_eq!(fields.json, json!({"count": 0, "limit": 100}));
    for wrong in ["Order", "or-der", "1x", ""] {
        client
            .post("custom_objects", object(wrong))
            .await
            .expect(422);
    }
}

#[tokio::test]
async fn records_are_upserted_by_an_external_id_that_keeps_its_case() {
    let client = orders().await;
    let path = "custom_objects/order/records?external_id=K:1";
    let made = client
        .patch(
            path,
            record("K:1", json!({"status": "paid", "total": 64.67})),
        )
        .await
        .expect(200);
    let id = made
        .at("/custom_object_record/id")
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(id.len(), 26);
    let body = json!({"custom_object_record": {"custom_object_fields": {"total": 70}}});
    let again = client.patch(path, body).await.expect(200);
    assert_eq!(again.at("/custom_object_record/id"), id.as_str());
    assert_eq!(
        again.at("/custom_object_record/custom_object_fields/status"),
        "paid"
    );
    assert_eq!(
        again.at("/custom_object_record/custom_object_fields/total"),
        70.0
    );
    let list = client
        .get("custom_objects/order/records?filter[external_ids]=k:1")
        .await
        .expect(200);
    assert_eq!(list.at("/custom_object_records"), &json!([]));
    let list = client
        .get("custom_objects/order/records?filter[external_ids]=K:1,K:2")
        .await;
    assert_eq!(list.at("/custom_object_records/0/id"), id.as_str());
    let other = client
        .patch(
            "custom_objects/order/records?external_id=k:1",
            record("k:1", json!({})),
        )
        .await;
    assert_ne!(
        other.expect(200).at("/custom_object_record/id"),
        id.as_str()
    );
    client.delete(path).await.expect(204);
    client.delete(path).await.expect(404);
}

#[tokio::test]
async fn a_name_is_mandatory_unless_the_account_numbers_records() {
    let client = orders().await;
    let nameless = json!({"custom_object_record": {"external_id": "1"}});
    client
        .post("custom_objects/order/records", nameless.clone())
        .await
        .expect(422);
    let number = json!({"custom_object_field": {"properties": {
        "autoincrement_enabled": true, "autoincrement_prefix": "Order #",
    }}});
    client
        .patch("custom_objects/order/fields/standard::name", number)
        .await
        .expect(200);
    let made = client
        .post("custom_objects/order/records", nameless)
        .await
        .expect(201);
    let name = made.at("/custom_object_record/name").as_str().unwrap();
    assert!(name.starts_with("Order #"), "{name}");
    client
        .post("custom_objects/order/records", record("2", json!({})))
        .await
        .expect(422);
}

#[tokio::test]
async fn an_upsert_by_name_needs_unique_names_which_cannot_be_changed_once_there_are_records() {
    let client = orders().await;
    let body = json!({"custom_object_record": {"name": "One"}});
    client
        .patch("custom_objects/order/records?name=One", body.clone())
        .await
        .expect(422);
    let unique = json!({"custom_object_field": {"properties": {"is_unique": true}}});
    let field = "custom_objects/order/fields/standard::name";
    client.patch(field, unique).await.expect(200);
    let first = client
        .patch("custom_objects/order/records?name=One", body.clone())
        .await
        .expect(200);
    let second = client
        .patch("custom_objects/order/records?name=One", body.clone())
        .await
        .expect(200);
    assert_eq!(
        first.at("/custom_object_record/id"),
        second.at("/custom_object_record/id")
    );
    client
        .post("custom_objects/order/records", body)
        .await
        .expect(422);
    let not_unique = json!({"custom_object_field": {"properties": {"is_unique": false}}});
    client.patch(field, not_unique).await.expect(422);
}

#[tokio::test]
async fn a_lookup_holds_the_id_of_something_that_exists_and_is_found_from_the_other_side() {
    let client = orders().await;
    let ana = client.user("Ana", "ana@example.com").await;
    let body = record("1", json!({"customer": ana.to_string()}));
    client
        .post("custom_objects/order/records", body)
        .await
        .expect(201);
    let lost = record("2", json!({"customer": "4711"}));
    let refused = client
        .post("custom_objects/order/records", lost)
        .await
        .expect(422);
    assert_eq!(refused.at("/details/customer/0/error"), "InvalidValue");
    let fields = client.get("custom_objects/order/fields").await.expect(200);
    let field = fields.id("/custom_object_fields/1/id");
    let path = format!("zen:user/{ana}/relationship_fields/{field}/zen:custom_object:order");
    let found = client.get(&path).await.expect(200);
    assert_eq!(found.at("/custom_object_records/0/external_id"), "1");
}

#[tokio::test]
async fn a_job_on_records_is_answered_with_201_and_an_id_with_a_version() {
    let client = orders().await;
    let items = json!([
        {"name": "One", "external_id": "1", "custom_object_fields": {"status": "paid"}},
        {"name": "Two", "external_id": "2", "custom_object_fields": {"status": "lost"}},
    ]);
    let body = json!({"job": {"action": "create_or_update_by_external_id", "items": items}});
    let job = client
        .post("custom_objects/order/jobs", body)
        .await
        .expect(201);
    assert!(
        job.at("/job_status/id")
            .as_str()
            .unwrap()
            .starts_with("V3-")
    );
    let rows = client.finish(&job).await;
    assert_eq!(rows[0]["external_id"], "1");
    assert_eq!(rows[1]["index"], 1);
    assert!(rows[1]["error"].is_string());
    let body = json!({"job": {"action": "delete_by_external_id", "items": ["1"]}});
    let job = client
        .post("custom_objects/order/jobs", body)
        .await
        .expect(201);
    client.finish(&job).await;
    assert!(client.simulator.snapshot().records.is_empty());
    let body = json!({"job": {"action": "explode", "items": ["1"]}});
    client
        .post("custom_objects/order/jobs", body)
        .await
        .expect(400);
}

#[tokio::test]
async fn children_of_a_deleted_record_follow_it_a_little_later() {
    let client = orders().await;
    client
        .post("custom_objects", object("line"))
        .await
        .expect(201);
    let field = json!({"custom_object_field": {
        "key": "order", "type": "parent", "title": "Order",
        "relationship_target_type": "zen:custom_object:order",
    }});
    client
        .post("custom_objects/line/fields", field)
        .await
        .expect(201);
    let parent = client
        .post("custom_objects/order/records", record("1", json!({})))
        .await
        .expect(201);
    let parent = parent
        .at("/custom_object_record/id")
        .as_str()
        .unwrap()
        .to_owned();
    let child = record("1-1", json!({"order": parent}));
    client
        .post("custom_objects/line/records", child)
        .await
        .expect(201);
    client
        .delete(&format!("custom_objects/order/records/{parent}"))
        .await
        .expect(204);
    assert_eq!(client.simulator.snapshot().records.len(), 1);
    client.wait(5);
    assert!(client.simulator.snapshot().records.is_empty());
}

#[tokio::test]
async fn the_key_of_a_deleted_object_stays_reserved() {
    let client = orders().await;
    client
        .post("custom_objects/order/records", record("1", json!({})))
        .await
        .expect(201);
    client.delete("custom_objects/order").await.expect(204);
    client.get("custom_objects/order").await.expect(404);
    assert!(client.simulator.snapshot().records.is_empty());
    client
        .post("custom_objects", object("order"))
        .await
        .expect(422);
    client
        .simulator
        .set_switches(|s| s.deleted_object_key_reserved = false);
    client
        .post("custom_objects", object("order"))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_record_over_32_kb_is_refused() {
    let client = orders().await;
    let field =
        json!({"custom_object_field": {"key": "text", "type": "textarea", "title": "Text"}});
    client
        .post("custom_objects/order/fields", field)
        .await
        .expect(201);
    let body = record("1", json!({"text": "x".repeat(33_000)}));
    client
        .post("custom_objects/order/records", body)
        .await
        .expect(422);
}

#[tokio::test]
async fn deleted_records_are_blanked_in_the_incremental_export() {
    let client = orders().await;
    client
        .post(
            "custom_objects/order/records",
            record("1", json!({"status": "paid"})),
        )
        .await
        .expect(201);
    client
        .delete("custom_objects/order/records?external_id=1")
        .await
        .expect(204);
    client.wait(61);
    let page = client
        .get("incremental/custom_objects/order/cursor?start_time=0")
        .await
        .expect(200);
    assert_eq!(
        page.at("/custom_object_records/0/custom_object_fields/status"),
        "[DELETED]"
    );
}

#[tokio::test]
async fn files_can_be_put_on_records_only_where_the_object_allows_it() {
    let client = orders().await;
    let made = client
        .post("custom_objects/order/records", record("1", json!({})))
        .await;
    let id = made
        .at("/custom_object_record/id")
        .as_str()
        .unwrap()
        .to_owned();
    let send = || {
        let form = "--B\r\nContent-Disposition: form-data; name=\"uploaded_data\"; filename=\"a.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nhello\r\n--B--\r\n";
        let path = format!("/api/v2/custom_objects/order/records/{id}/attachments");
        let request = client.request("POST", &path);
        let request = request.header("content-type", "multipart/form-data; boundary=B");
        client.send(request.body(axum::body::Body::from(form)).unwrap())
    };
    assert!(send().await.expect(400).at("/error").is_string());
    let allow = json!({"custom_object": {"allows_attachments": true}});
    client
        .patch("custom_objects/order", allow)
        .await
        .expect(200);
    send().await.expect(200);
    let file = &client.simulator.snapshot().records[0].attachments[0];
    assert_eq!((file.name.as_str(), file.size), ("a.txt", 5));
}
