use serde_json::{Value, json};

use super::super::model::Owner;
use super::super::{ChannelApi, SchemaSpec, Simulator};
use super::Client;

/// The same work in another order of ids.
async fn work(seed: u64, shuffled: bool) -> Value {
    let client = Client::with(|config| {
        config.seed = seed;
        config.channel_api = ChannelApi::Open;
    });
    let spec: SchemaSpec = serde_json::from_value(json!({"name": "Orders", "fields": [
        {"name": "number", "type": "PRIMARY"},
        {"name": "who", "type": "RELATIONSHIP", "target": "contact"},
        {"name": "ticket", "type": "RELATIONSHIP", "target": "ticket"},
    ]}))
    .unwrap();
    let schema = client.simulator.make_schema(&spec).unwrap();
    let mut names = ["a", "b", "c"];
    if shuffled {
        names.reverse();
        client.wait(77);
    }
    for (at, name) in names.iter().enumerate() {
        let company = client
            .post("companies", json!({"name": format!("Company {name}")}))
            .await
            .id();
        let body = json!({
            "name": name, "email": format!("{name}@x.example"), "company_id": company,
            "unique_external_id": name,
        });
        let contact = client.post("contacts", body).await.expect(201).id();
        let more = json!({
            "subject": format!("Ticket {name}"), "created_at": "2024-01-01T00:00:00Z",
            "import_id": 100 + at, "custom_fields": {"cf_order_number": name},
        });
        let body = Client::ticket_body(contact, more);
        let ticket = client
            .post("/api/channel/v2/tickets", body)
            .await
            .expect(201)
            .id();
        let note = json!({"body": format!("see contact {contact} and tickets/{ticket}")});
        client
            .post(&format!("tickets/{ticket}/notes"), note)
            .await
            .expect(201);
        let file = [("attachments[]", "a.png", "image/png", vec![1])];
        let notes = format!("tickets/{ticket}/notes");
        let made = client
            .form("POST", &notes, &[("body", "file")], &file)
            .await
            .expect(201);
        let address = made.at("/attachments/0/attachment_url").as_str().unwrap();
        let body = format!("<img src=\"{address}\"> http://127.0.0.1:{seed}/a/tickets/{ticket}");
        client
            .put(
                &format!("conversations/{}", made.id()),
                json!({"body": body}),
            )
            .await
            .expect(200);
        let data = json!({"number": name, "who": contact, "ticket": ticket});
        let path = format!("custom_objects/schemas/{schema}/records");
        client.post(&path, json!({"data": data})).await.expect(200);
    }
    client.simulator.state_fingerprint()
}

#[tokio::test]
async fn two_runs_that_did_the_same_have_one_fingerprint() {
    let first = work(1, false).await;
    assert_eq!(first, work(2, true).await);
    let text = first.to_string();
    assert!(
        text.contains("http://127.0.0.1:port/a/tickets/Ticket a"),
        "{text}"
    );
    assert!(text.contains("src=\\\"file:a.png\\\">"), "{text}");
    assert!(
        text.contains("see contact external:a and tickets/Ticket a"),
        "{text}"
    );
}

#[tokio::test]
async fn a_fingerprint_differs_when_anything_does() {
    let client = Client::new();
    let before = client.simulator.state_fingerprint();
    let contact = client.known("old.customer@example.com");
    client
        .put(&format!("contacts/{contact}"), json!({"tags": ["x"]}))
        .await
        .expect(200);
    let changed = client.simulator.state_fingerprint();
    assert_ne!(before, changed);
    client
        .put(&format!("contacts/{contact}"), json!({"tags": []}))
        .await
        .expect(200);
    assert_eq!(before, client.simulator.state_fingerprint());
    let id = client.ticket(contact, json!({})).await;
    client.delete(&format!("tickets/{id}")).await.expect(204);
    let trash = client.simulator.state_fingerprint();
    assert_eq!(trash["deleted"]["tickets"].as_array().unwrap().len(), 1);
    assert_eq!(trash["tickets"], before["tickets"]);
    client.simulator.empty_trash();
    assert_eq!(before, client.simulator.state_fingerprint());
}

#[tokio::test]
async fn an_empty_account_has_its_two_agents_and_the_standard_fields() {
    let client = Client::empty();
    let snapshot = client.simulator.snapshot();
    assert_eq!((snapshot.agents.len(), snapshot.contacts.len()), (2, 0));
    assert!(snapshot.tickets.is_empty() && snapshot.companies.is_empty());
    assert!(snapshot.field_by_label(Owner::Ticket, "Status").is_some());
    assert!(client.simulator.active_rules().is_empty());
}

#[tokio::test]
async fn the_owner_works_beside_the_migration_unrecorded() {
    let client = Client::new();
    let simulator: &Simulator = &client.simulator;
    let made = simulator
        .as_owner("POST", "companies", &json!({"name": "Beside"}))
        .unwrap();
    assert!(made["id"].is_u64());
    let refused = simulator.as_owner("POST", "companies", &json!({"name": "Beside"}));
    assert!(refused.unwrap_err().contains("duplicate_value"));
    assert!(simulator.snapshot().company_by_name("beside").is_some());
    assert!(simulator.harness().recorder.all().is_empty());
}
