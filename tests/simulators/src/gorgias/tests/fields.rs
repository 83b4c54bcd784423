//! Custom fields and their values.

use serde_json::{Value, json};

use super::super::{Preexisting, UnknownFieldValue};
use super::Client;

fn text(object: &str, label: &str) -> Value {
    json!({
        "object_type": object, "label": label,
        "definition": {"data_type": "text", "input_settings": {"input_type": "input"}},
    })
}

async fn ticket(client: &Client) -> u64 {
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    client.ticket(body).await
}

#[tokio::test]
async fn there_are_25_active_ticket_fields_and_4_active_customer_fields() {
    let client = Client::quiet();
    for (object, most) in [("Ticket", 25), ("Customer", 4)] {
        for number in 0..most {
            let body = text(object, &format!("Field {number}"));
            client.post("custom-fields", body).await.expect(201);
        }
        let refused = client.post("custom-fields", text(object, "One more")).await;
        refused.refused("/object_type");
    }
    // An archived one makes room, and comes back only into room.
    let first = client
        .get("custom-fields?object_type=Customer")
        .await
        .list()[0]
        .clone();
    let path = format!("custom-fields/{}", first["id"]);
    let mut body = text("Customer", "Field 0");
    body["deactivated_datetime"] = json!("2026-01-01T00:00:00+00:00");
    client.put(&path, body.clone()).await.expect(202);
    client
        .post("custom-fields", text("Customer", "One more"))
        .await
        .expect(201);
    body["deactivated_datetime"] = Value::Null;
    client.put(&path, body).await.refused("/object_type");
    let archived = client
        .get("custom-fields?object_type=Customer&archived=true")
        .await;
    assert_eq!(archived.list().len(), 1);
}

#[tokio::test]
async fn a_field_is_archived_with_all_that_is_required_and_never_deleted() {
    let client = Client::quiet();
    let id = client
        .post("custom-fields", text("Ticket", "Reason"))
        .await
        .expect(201)
        .id();
    let path = format!("custom-fields/{id}");
    client
        .put(
            &path,
            json!({"deactivated_datetime": "2026-01-01T00:00:00"}),
        )
        .await
        .refused("/label");
    client.delete(&path).await.expect(405);
    let body = json!([{"id": id, "deactivated_datetime": "2026-01-01T00:00:00"}]);
    client.put("custom-fields", body).await.expect(202);
    let field = client.get(&path).await.expect(200);
    assert!(field.at("/deactivated_datetime").is_string());
}

#[tokio::test]
async fn the_list_of_fields_wants_an_object_type() {
    let client = Client::quiet();
    client.get("custom-fields").await.refused("/object_type");
    client
        .post("custom-fields", text("Ticket", "Reason"))
        .await
        .expect(201);
    let listed = async |query: &str| {
        client
            .get(&format!("custom-fields?{query}"))
            .await
            .list()
            .len()
    };
    assert_eq!(listed("object_type=Ticket").await, 1);
    assert_eq!(listed("object_type=Customer").await, 0);
    assert_eq!(
        listed("object_type=Ticket&search=rea&order_by=priority:desc").await,
        1
    );
}

#[tokio::test]
async fn a_definition_is_checked() {
    let client = Client::quiet();
    let with = |definition: Value| json!({"object_type": "Ticket", "label": "L", "definition": definition});
    let settings =
        |kind: &str, settings: Value| with(json!({"data_type": kind, "input_settings": settings}));
    for wrong in [
        settings("date", json!({"input_type": "input"})),
        settings("number", json!({"input_type": "input"})),
        settings("text", json!({"input_type": "dropdown"})),
        settings("text", json!({"input_type": "input", "colour": "red"})),
        settings(
            "boolean",
            json!({"input_type": "dropdown", "choices": ["yes"]}),
        ),
    ] {
        client
            .post("custom-fields", wrong)
            .await
            .refused("/definition");
    }
    for right in [
        settings(
            "number",
            json!({"input_type": "input_number", "min": 0, "max": 10}),
        ),
        settings(
            "text",
            json!({"input_type": "dropdown", "choices": ["a", "b"], "default": "a"}),
        ),
        settings(
            "boolean",
            json!({"input_type": "dropdown", "choices": [true, false]}),
        ),
    ] {
        client.post("custom-fields", right).await.expect(201);
    }
    let long = text("Ticket", &"x".repeat(256));
    client.post("custom-fields", long).await.refused("/label");
}

#[tokio::test]
async fn values_must_fit_their_field() {
    let client = Client::quiet();
    let make = async |kind: &str, settings: Value| {
        let body = json!({
            "object_type": "Ticket", "label": kind,
            "definition": {"data_type": kind, "input_settings": settings},
        });
        client.post("custom-fields", body).await.expect(201).id()
    };
    let number = make("number", json!({"input_type": "input_number", "max": 10})).await;
    let flag = make("boolean", json!({"input_type": "dropdown"})).await;
    let choice = make("text", json!({"input_type": "dropdown", "choices": ["a"]})).await;
    let path = format!("tickets/{}/custom-fields", ticket(&client).await);
    for (id, value) in [
        (number, json!("5")),
        (number, json!(11)),
        (flag, json!("yes")),
        (choice, json!("b")),
    ] {
        let body = json!([{"id": id, "value": value}]);
        client.put(&path, body).await.refused("/0/value");
    }
    let body = json!([{"id": number, "value": 5}, {"id": flag, "value": true}, {"id": choice, "value": "a"}]);
    client.put(&path, body).await.expect(202);
    let values = client.get(&path).await.expect(200);
    assert_eq!(values.list().len(), 3);
    assert_eq!(values.list()[0]["field"]["label"], "number");
    client
        .put(&format!("{path}/{choice}"), json!({"value": "b"}))
        .await
        .expect(400);
    client
        .put(
            &format!("{path}/{number}"),
            json!({"id": number, "value": 6}),
        )
        .await
        .expect(202);
    client
        .put(&path, json!([{"id": flag, "value": null}]))
        .await
        .expect(202);
    client.delete(&format!("{path}/{choice}")).await.expect(204);
    let values = client.get(&path).await;
    assert_eq!(
        (values.list().len(), &values.list()[0]["value"]),
        (1, &json!(6))
    );
    client
        .simulator
        .set_switches(|switches| switches.dropdown_enforced = false);
    client
        .put(&format!("{path}/{choice}"), json!({"value": "b"}))
        .await
        .expect(202);
}

#[tokio::test]
async fn a_value_for_a_field_that_is_not_there_is_dropped_in_silence_or_refused() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut body = client.history("k:1", ana).await;
    body["custom_fields"] = json!([{"id": 1, "value": "x"}]);
    let made = client.post("tickets", body.clone()).await.expect(201);
    assert_eq!(made.at("/custom_fields"), &json!({}));
    client
        .simulator
        .set_switches(|s| s.unknown_field_value = UnknownFieldValue::Refused);
    client
        .post("tickets", body)
        .await
        .refused("/custom_fields/0/value");
}

#[tokio::test]
async fn values_are_shown_when_asked_for_and_a_customers_are_a_bare_array() {
    let client = Client::quiet();
    let field = client
        .post("custom-fields", text("Customer", "Tier"))
        .await
        .expect(201)
        .id();
    let body = json!({"channels": [], "custom_fields": [{"id": field, "value": "VIP"}]});
    let id = client.post("customers", body).await.expect(201).id();
    assert!(
        client
            .get(&format!("customers/{id}"))
            .await
            .at("/custom_fields")
            .is_null()
    );
    let shown = client
        .get(&format!("customers/{id}?relationships=custom_fields"))
        .await;
    assert_eq!(shown.at(&format!("/custom_fields/{field}/value")), "VIP");
    let values = client
        .get(&format!("customers/{id}/custom-fields"))
        .await
        .expect(200);
    assert_eq!(values.at("/0/field/label"), "Tier");
    let snapshot = client.simulator.snapshot();
    let customer = snapshot.customer(id).unwrap();
    assert_eq!(
        snapshot.customer_field(customer, "Tier"),
        Some(&json!("VIP"))
    );
}

#[tokio::test]
async fn values_in_a_tickets_update_replace_the_set() {
    let client = Client::quiet();
    let (a, b) = (
        client
            .post("custom-fields", text("Ticket", "A"))
            .await
            .expect(201)
            .id(),
        client
            .post("custom-fields", text("Ticket", "B"))
            .await
            .expect(201)
            .id(),
    );
    let id = ticket(&client).await;
    let path = format!("tickets/{id}");
    let one = |id: u64| json!({"custom_fields": [{"id": id, "value": "x"}]});
    client.put(&path, one(a)).await.expect(202);
    let done = client.put(&path, one(b)).await.expect(202);
    let values = done.at("/custom_fields").as_object().unwrap().clone();
    assert_eq!(values.keys().collect::<Vec<_>>(), [&b.to_string()]);
    assert!(client.get(&path).await.at("/custom_fields").is_null());
    let shown = client
        .get(&format!("{path}?relationships=custom_fields"))
        .await;
    assert!(shown.at("/custom_fields").is_object());
}

#[tokio::test]
async fn a_required_field_blocks_closing_only_where_requests_are_held_to_it() {
    for blocks in [false, true] {
        let client = Client::with(|config| {
            config.preexisting = Preexisting {
                required_field: true,
                ..Preexisting::nothing()
            };
            config.switches.required_field_blocks = blocks;
        });
        let ana = client.customer("Ana", "ana@example.com").await;
        let body = client.history("k:1", ana).await;
        let reply = client.post("tickets", body).await;
        if blocks {
            reply.refused("/custom_fields");
        } else {
            reply.expect(201);
        }
    }
}
