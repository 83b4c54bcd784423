//! The other position of switches that no other test turns.

use chrono::Duration;
use serde_json::json;

use super::super::{FieldPaths, Policy, SchemaSpec};
use super::Client;

#[tokio::test]
async fn a_softly_deleted_contact_may_set_its_address_free() {
    let client = Client::with(|config| config.switches.deleted_contacts_keep_keys = false);
    let id = client.contact("A", "a@x.example").await;
    client.delete(&format!("contacts/{id}")).await.expect(204);
    client.contact("B", "a@x.example").await;
}

#[tokio::test]
async fn contacts_have_so_many_further_addresses() {
    let client = Client::with(|config| config.switches.other_emails = 2);
    let emails =
        |count: usize| -> Vec<String> { (0..count).map(|n| format!("m{n}@x.example")).collect() };
    let body = json!({"name": "A", "email": "a@x.example", "other_emails": emails(3)});
    let refused = client.post("contacts", body).await;
    refused.refused(400, "other_emails", "too_long");
    client
        .simulator
        .set_switches(|switches| switches.length_code = "invalid_size");
    let body = json!({"name": "A", "email": "a@x.example", "other_emails": emails(3)});
    client
        .post("contacts", body)
        .await
        .refused(400, "other_emails", "invalid_size");
    let body = json!({"name": "A", "email": "a@x.example", "other_emails": emails(2)});
    client.post("contacts", body).await.expect(201);
}

#[tokio::test]
async fn a_company_may_take_contacts_along_and_share_its_domain() {
    let client = Client::with(|config| {
        config.switches.company_claims_contacts = true;
        config.switches.domains_unique = false;
    });
    let contact = client.contact("A", "a@x.example").await;
    let body = json!({"name": "X", "domains": ["x.example"]});
    let company = client.post("companies", body).await.expect(201).id();
    let read = client.get(&format!("contacts/{contact}")).await;
    assert_eq!(read.at("/company_id"), company);
    let body = json!({"name": "Y", "domains": ["x.example"]});
    client.post("companies", body).await.expect(201);
    let joined = client
        .post("contacts", json!({"name": "B", "email": "b@x.example"}))
        .await;
    assert_eq!(
        joined.at("/company_id"),
        company,
        "the first has the domain"
    );
}

#[tokio::test]
async fn new_records_may_be_in_no_list_for_a_while() {
    let client = Client::with(|config| config.switches.list_lag = Duration::seconds(10));
    let contact = client.contact("A", "a@x.example").await;
    let ticket = client.ticket(contact, json!({})).await;
    let lists = async || {
        let contacts = client.get("contacts?email=a@x.example").await.ids();
        let tickets = client
            .get(&format!("tickets?requester_id={contact}"))
            .await
            .ids();
        (contacts, tickets)
    };
    assert_eq!(lists().await, (vec![], vec![]));
    client.get(&format!("tickets/{ticket}")).await.expect(200);
    client.wait(10);
    assert_eq!(lists().await, (vec![contact], vec![ticket]));
}

#[tokio::test]
async fn paths_that_a_newer_account_has_are_there() {
    let client = Client::with(|config| {
        config.switches.admin_groups = true;
        config.switches.field_paths = FieldPaths::Both;
        config.switches.bulk_update_by_put = true;
    });
    let group = client
        .post("admin/groups", json!({"name": "New"}))
        .await
        .expect(201)
        .id();
    client
        .get(&format!("admin/groups/{group}"))
        .await
        .expect(200);
    client
        .put(
            &format!("admin/groups/{group}"),
            json!({"description": "d"}),
        )
        .await
        .expect(200);
    assert!(client.get("admin/groups").await.ids().contains(&group));
    client
        .delete(&format!("admin/groups/{group}"))
        .await
        .expect(204);
    let field = json!({"label": "A", "label_for_customers": "A", "type": "custom_text"});
    client
        .post("contact_fields", field.clone())
        .await
        .expect(201);
    client.post("admin/company_fields", field).await.expect(201);
    let body = json!({"bulk_action": {"ids": [1], "properties": {"status": 5}}});
    client.put("tickets/bulk_update", body).await.expect(202);
}

#[tokio::test]
async fn a_ticket_may_be_of_any_company_have_wide_numbers_and_due_times_when_closed() {
    let client = Client::with(|config| {
        config.switches.company_of_requester = false;
        config.switches.number_is_32_bits = false;
        config.switches.due_by_of_closed = Policy::Tolerated;
    });
    let field = json!({"label": "N", "label_for_customers": "N", "type": "custom_number"});
    client.post("admin/ticket_fields", field).await.expect(201);
    let company = client.simulator.snapshot().companies[0].id;
    let requester = client.known("old.customer@example.com");
    let more = json!({
        "company_id": company, "custom_fields": {"cf_n": 4_294_967_296_i64}, "status": 5,
        "due_by": "2030-01-02T00:00:00Z", "fr_due_by": "2030-01-01T00:00:00Z",
    });
    client.ticket(requester, more).await;
}

#[tokio::test]
async fn statistics_of_imported_tickets_may_take_the_given_time() {
    let client = Client::channel();
    let requester = client.known("old.customer@example.com");
    let import = async |number: i64| {
        let more = json!({
            "import_id": number, "created_at": "2024-01-01T00:00:00Z",
            "updated_at": "2024-01-02T00:00:00Z", "status": 5,
        });
        let body = Client::ticket_body(requester, more);
        let id = client
            .post("/api/channel/v2/tickets", body)
            .await
            .expect(201)
            .id();
        let read = client.get(&format!("tickets/{id}?include=stats")).await;
        read.at("/stats/closed_at").as_str().unwrap().to_owned()
    };
    assert_eq!(import(1).await, "2026-11-23T09:00:00Z");
    client
        .simulator
        .set_switches(|switches| switches.channel_sets_stats = true);
    assert_eq!(import(2).await, "2024-01-02T00:00:00Z");
}

#[tokio::test]
async fn an_object_may_be_full() {
    let client = Client::with(|config| config.switches.records_per_object = 1);
    let spec: SchemaSpec = serde_json::from_value(json!({
        "name": "Things", "fields": [{"name": "title", "type": "TEXT"}],
    }))
    .unwrap();
    let schema = client.simulator.make_schema(&spec).unwrap();
    let path = format!("custom_objects/schemas/{schema}/records");
    let body = json!({"data": {"title": "same"}});
    client.post(&path, body.clone()).await.expect(200);
    client
        .post(&path, body.clone())
        .await
        .refused(400, "data", "invalid_value");
    // Without a primary field the same is made twice.
    client
        .simulator
        .set_switches(|switches| switches.records_per_object = 2);
    client.post(&path, body).await.expect(200);
}

#[tokio::test]
async fn more_calls_can_be_bought_and_links_begin_as_the_account_is_told() {
    let client = Client::with(|config| {
        config.calls_per_minute = Some(3_000);
        config.public_url = Some("http://127.0.0.1:8080/".to_owned());
        config.keep_files = false;
    });
    let file = [("attachments[]", "a.png", "image/png", vec![1, 2, 3])];
    let note = client
        .form("POST", "tickets/1/notes", &[("body", "n")], &file)
        .await
        .expect(201);
    assert_eq!(note.header("x-ratelimit-total"), Some("3000"));
    let url = note.at("/attachments/0/attachment_url").as_str().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:8080").unwrap();
    let request = axum::http::Request::get(path)
        .body(axum::body::Body::empty())
        .unwrap();
    client.send(request).await.expect(404);
}
