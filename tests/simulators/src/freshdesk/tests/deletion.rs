use serde_json::json;

use super::Client;

#[tokio::test]
async fn a_deleted_ticket_is_in_the_trash_for_thirty_days() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let id = client.ticket(requester, json!({})).await;
    let path = format!("tickets/{id}");
    client.delete(&path).await.expect(204);
    assert_eq!(client.get(&path).await.expect(200).at("/deleted"), true);
    client.delete(&path).await.expect(405);
    client.put(&path, json!({"status": 5})).await.expect(405);
    client
        .post(&format!("{path}/notes"), json!({"body": "x"}))
        .await
        .expect(405);
    assert!(!client.get("tickets").await.ids().contains(&id));
    assert_eq!(client.get("tickets?filter=deleted").await.ids(), [id]);
    client
        .put(&format!("{path}/restore"), json!(null))
        .await
        .expect(204);
    assert_eq!(client.get(&path).await.at("/deleted"), &json!(null));
    client
        .put(&format!("{path}/restore"), json!(null))
        .await
        .expect(404);
    client.delete(&path).await.expect(204);
    client.wait(30 * 86_400 - 1);
    client.get(&path).await.expect(200);
    client.wait(1);
    client.get(&path).await.expect(404);
    client
        .simulator
        .set_switches(|switches| switches.repeated_delete = 404);
    let id = client.ticket(requester, json!({})).await;
    client.delete(&format!("tickets/{id}")).await.expect(204);
    client.delete(&format!("tickets/{id}")).await.expect(404);
    client.simulator.empty_trash();
    client.get(&format!("tickets/{id}")).await.expect(404);
}

#[tokio::test]
async fn a_contact_is_deleted_softly_and_keeps_its_address() {
    let client = Client::new();
    let id = client.contact("A", "a@x.example").await;
    let path = format!("contacts/{id}");
    client.delete(&path).await.expect(204);
    client.delete(&path).await.expect(405);
    assert_eq!(client.get(&path).await.expect(200).at("/deleted"), true);
    client.put(&path, json!({"name": "B"})).await.expect(405);
    assert!(
        client
            .get("contacts?email=a@x.example")
            .await
            .list()
            .is_empty()
    );
    assert_eq!(client.get("contacts?state=deleted").await.ids(), [id]);
    let again = json!({"name": "A", "email": "a@x.example"});
    client
        .post("contacts", again.clone())
        .await
        .refused(409, "email", "duplicate_value");
    let ticket = client
        .post("tickets", Client::ticket_body(id, json!({})))
        .await;
    ticket.refused(400, "requester_id", "invalid_value");
    client
        .put(&format!("{path}/restore"), json!(null))
        .await
        .expect(204);
    client
        .delete(&format!("{path}/hard_delete"))
        .await
        .refused(400, "force", "inconsistent_state");
    client.delete(&path).await.expect(204);
    client
        .delete(&format!("{path}/hard_delete"))
        .await
        .expect(204);
    client.get(&path).await.expect(404);
    client.post("contacts", again).await.expect(201);
}

#[tokio::test]
async fn deleting_a_contact_for_good_takes_its_tickets_along() {
    let client = Client::new();
    let id = client.contact("A", "a@x.example").await;
    let ticket = client.ticket(id, json!({})).await;
    client
        .delete(&format!("contacts/{id}/hard_delete?force=True"))
        .await
        .expect(204);
    client.get(&format!("tickets/{ticket}")).await.expect(404);
    client
        .simulator
        .set_switches(|switches| switches.hard_delete_takes_tickets = false);
    let id = client.contact("A", "a@x.example").await;
    let ticket = client.ticket(id, json!({})).await;
    client
        .delete(&format!("contacts/{id}/hard_delete?force=true"))
        .await
        .expect(204);
    client.get(&format!("tickets/{ticket}")).await.expect(200);
}

#[tokio::test]
async fn a_company_and_a_group_go_at_once_and_what_they_had_stays() {
    let client = Client::new();
    let company = client.post("companies", json!({"name": "Acme"})).await.id();
    let body = json!({"name": "A", "email": "a@x.example", "company_id": company});
    let contact = client.post("contacts", body).await.id();
    let group = client.simulator.snapshot().groups[0].id;
    let ticket = client.ticket(contact, json!({"group_id": group})).await;
    let path = format!("tickets/{ticket}");
    assert_eq!(client.get(&path).await.at("/company_id"), company);
    client
        .delete(&format!("companies/{company}"))
        .await
        .expect(204);
    client
        .delete(&format!("companies/{company}"))
        .await
        .expect(404);
    client.delete(&format!("groups/{group}")).await.expect(204);
    let read = client.get(&path).await;
    assert_eq!(
        (read.at("/company_id"), read.at("/group_id")),
        (&json!(null), &json!(null))
    );
    let contact = client.get(&format!("contacts/{contact}")).await;
    assert_eq!(contact.at("/company_id"), &json!(null));
    client
        .post("companies", json!({"name": "Acme"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_closed_ticket_is_archived_when_nobody_touches_it_for_120_days() {
    let client = Client::channel();
    client.get("tickets/4").await.expect(404);
    let old = client.get("tickets/archived/4").await.expect(200);
    assert_eq!(old.at("/subject"), "Old question 4");
    client
        .get("tickets/archived/4/conversations")
        .await
        .expect(200);
    let requester = client.known("old.customer@example.com");
    let more = json!({
        "import_id": 1, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-02T00:00:00Z",
        "status": 5,
    });
    let body = Client::ticket_body(requester, more);
    let id = client.post("/api/channel/v2/tickets", body).await.id();
    client.get(&format!("tickets/{id}")).await.expect(200);
    client.wait(120 * 86_400);
    client
        .put(&format!("tickets/{id}"), json!({"status": 2}))
        .await
        .expect(404);
    client
        .get(&format!("tickets/archived/{id}"))
        .await
        .expect(200);
    client.delete(&format!("tickets/{id}")).await.expect(404);
    client
        .delete(&format!("tickets/archived/{id}"))
        .await
        .expect(204);
    client
        .get(&format!("tickets/archived/{id}"))
        .await
        .expect(404);
    // Where given times count, an imported ticket is archived at once.
    client
        .simulator
        .set_switches(|switches| switches.archive_by_given_time = true);
    let more = json!({
        "import_id": 2, "created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-02T00:00:00Z",
        "status": 5,
    });
    let body = Client::ticket_body(requester, more);
    let id = client
        .post("/api/channel/v2/tickets", body)
        .await
        .expect(201)
        .id();
    client.get(&format!("tickets/{id}")).await.expect(404);
}
