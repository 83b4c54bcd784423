//! Answers held against the response schemas of a maintained client, as far as they are there.
//!
//! The vendor publishes no description. The schemas are of single records in answers to reads, and everything in them may be
//! absent or null; so the check is that what is there has the right type.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::Client;

/// The schemas by the names of the streams; `None` when the file is not beside the workspace.
fn schemas() -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../../shared/specs/freshdesk-response-schemas.json");
    let other = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/specs/freshdesk-response-schemas.json");
    let text = std::fs::read_to_string(path).or_else(|_| std::fs::read_to_string(other));
    serde_json::from_str(&text.ok()?).ok()
}

fn check(schemas: &Value, stream: &str, records: &[Value]) {
    assert!(!records.is_empty(), "nothing of {stream} was read");
    let validator: Validator = jsonschema::validator_for(&schemas[stream]).unwrap();
    for record in records {
        let wrong: Vec<String> = validator
            .iter_errors(record)
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect();
        assert!(wrong.is_empty(), "{stream}: {wrong:?} in {record}");
        // What the schema names is in the answer, or said here not to be.
        for name in schemas[stream]["properties"].as_object().unwrap().keys() {
            let absent = ABSENT
                .iter()
                .any(|(of, field, _)| *of == stream && field == name);
            assert!(
                absent || record.get(name).is_some(),
                "{stream} has no {name}: {record}"
            );
        }
    }
}

/// Fields that our answers have not, and why.
const ABSENT: &[(&str, &str, &str)] = &[
    (
        "tickets",
        "associated_tickets_count",
        "only of tickets with associations",
    ),
    ("tickets", "requester", "only when included"),
    ("ticket_fields", "choices", "only of fields with choices"),
    (
        "ticket_fields",
        "portal_cc",
        "only of the requester's field",
    ),
    (
        "ticket_fields",
        "portal_cc_to",
        "only of the requester's field",
    ),
    ("ticket_fields", "is_fsm", "only with field service"),
    ("ticket_fields", "dependent_fields", "only of nested fields"),
];

#[tokio::test]
async fn every_stream_that_a_client_reads_has_the_types_it_expects() {
    let Some(schemas) = schemas() else {
        eprintln!("The response schemas are not beside the workspace; nothing was checked.");
        return;
    };
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let group = client.simulator.snapshot().groups[0].id;
    let id = client
        .ticket(
            requester,
            json!({"group_id": group, "custom_fields": {"cf_order_number": "1"}}),
        )
        .await;
    let notes = format!("tickets/{id}/notes");
    client.post(&notes, json!({"body": "x"})).await.expect(201);
    client
        .post(&format!("tickets/{id}/reply"), json!({"body": "x"}))
        .await
        .expect(201);
    let rating = json!({"ratings": {"default_question": 103}});
    client
        .post(&format!("tickets/{id}/satisfaction_ratings"), rating)
        .await
        .expect(201);
    let company = json!({"name": "Acme", "renewal_date": "2027-01-01", "health_score": "Happy"});
    client.post("companies", company).await.expect(201);
    let nested = json!({
        "label": "Country", "label_for_customers": "Country", "type": "nested_field",
        "dependent_fields": [{"label": "Region"}],
        "choices": [{"value": "Spain", "choices": [{"value": "Madrid"}]}],
    });
    client.post("admin/ticket_fields", nested).await.expect(201);
    for (stream, path) in [
        (
            "tickets",
            "tickets?updated_since=2020-01-01T00:00:00Z&include=stats,description",
        ),
        ("conversations", &format!("tickets/{id}/conversations")),
        ("contacts", "contacts"),
        ("companies", "companies"),
        ("agents", "agents"),
        ("groups", "groups"),
        ("roles", "roles"),
        ("ticket_fields", "ticket_fields"),
        ("ticket_fields", "admin/ticket_fields"),
        ("products", "products"),
        ("email_configs", "email_configs"),
        ("satisfaction_ratings", "surveys/satisfaction_ratings"),
    ] {
        let reply = client.get(path).await.expect(200);
        check(&schemas, stream, reply.list());
    }
    let settings = client.get("settings/helpdesk").await.expect(200);
    check(&schemas, "settings", &[settings.json]);
}

#[tokio::test]
async fn the_reason_of_every_absent_field_still_holds() {
    let Some(schemas) = schemas() else {
        return;
    };
    for (stream, field, reason) in ABSENT {
        assert!(
            schemas[stream]["properties"].get(field).is_some(),
            "{stream} {field}: {reason}"
        );
    }
}
