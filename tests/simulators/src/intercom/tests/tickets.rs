//! Tickets and their types (Intercom facts §8.4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Client, number};

async fn ticket(client: &Client, kind: &str, key: &str) -> super::Reply {
    let contact = client.contact(key).await;
    let body = json!({
        "ticket_type_id": kind, "contacts": [{"id": contact}], "created_at": 1_500_000_000, "skip_notifications": true,
        "ticket_attributes": {"_default_title_": "Lost", "_default_description_": "Where?", "Kustomer ID": key},
    });
    client.post("tickets", body).await.expect(200)
}

#[tokio::test]
async fn a_ticket_carries_its_key_and_time_and_is_found_by_the_key() {
    let client = Client::quiet();
    let (kind, attribute) = client.ticket_type().await;
    let made = ticket(&client, &kind, "k1").await;
    assert_eq!(
        (made.at("/created_at"), made.at("/admin_assignee_id")),
        (&json!(1_500_000_000), &json!(0))
    );
    assert_eq!(made.at("/ticket_attributes/Kustomer ID"), "k1");
    assert_ne!(made.id(), made.text("/ticket_id"));
    let query = json!({"query": {"field": format!("ticket_attribute.{attribute}"), "operator": "=", "value": "k1"}});
    assert_eq!(
        client
            .post("tickets/search", query.clone())
            .await
            .expect(200)
            .at("/total_count"),
        0
    );
    client.wait(60);
    let found = client.post("tickets/search", query).await.expect(200);
    assert_eq!(found.text("/tickets/0/id"), made.id());
    let query = json!({"query": {"field": "category", "operator": "=", "value": "request"}});
    assert_eq!(
        client
            .post("tickets/search", query)
            .await
            .expect(200)
            .at("/total_count"),
        1
    );
}

#[tokio::test]
async fn a_ticket_has_one_contact_and_an_unknown_address_makes_one() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let body = |contacts: Value| json!({"ticket_type_id": kind, "contacts": contacts});
    client
        .post("tickets", body(json!([])))
        .await
        .refused(400, "parameter_invalid");
    let two = json!([{"email": "a@example.com"}, {"email": "b@example.com"}]);
    client
        .post("tickets", body(two))
        .await
        .refused(400, "parameter_invalid");
    client
        .post("tickets", body(json!([{"external_id": "nobody"}])))
        .await
        .refused(404, "not_found");
    client
        .post("tickets", body(json!([{"email": "a@example.com"}])))
        .await
        .expect(200);
    assert!(
        client
            .simulator
            .snapshot()
            .contacts_by_email("a@example.com")[0]
            .by_product
    );
}

#[tokio::test]
async fn required_attributes_are_required_and_a_list_takes_the_id_of_an_item() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let path = format!("ticket_types/{kind}/attributes");
    let body = json!({
        "name": "Size", "description": "", "data_type": "list", "list_items": "small, large", "required_to_create": true,
    });
    let list = client.post(&path, body).await.expect(200);
    let item = list.text("/input_options/list_options/1/id");
    let contact = client.contact("k1").await;
    let body = |attributes: Value| json!({"ticket_type_id": kind, "contacts": [{"id": contact}], "ticket_attributes": attributes});
    let refused = client
        .post("tickets", body(json!({})))
        .await
        .refused(400, "parameter_invalid");
    assert_eq!(
        refused.at("/errors/0/message"),
        "Missing required ticket attributes"
    );
    client
        .post("tickets", body(json!({"Size": "large"})))
        .await
        .refused(400, "parameter_invalid");
    let made = client
        .post("tickets", body(json!({"Size": item})))
        .await
        .expect(200);
    assert_eq!(made.at("/ticket_attributes/Size"), &json!(item));
    client
        .post("tickets", body(json!({"Size": item, "Other": 1})))
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_reply_answers_the_part_and_only_admins_send_files() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let id = ticket(&client, &kind, "k1").await.id();
    let path = format!("tickets/{id}/reply");
    let file =
        json!({"content_type": "text/plain", "name": "a.txt", "data": STANDARD.encode(b"x")});
    let url = "https://kustomer.example/b.txt";
    let body = json!({
        "message_type": "comment", "type": "user", "user_id": "k1", "body": "x", "created_at": 1_500_000_100,
        "attachment_files": [file], "attachment_urls": [url],
    });
    let part = client.post(&path, body).await.expect(200);
    assert_eq!(
        (part.at("/type"), part.at("/created_at")),
        (&json!("ticket_part"), &json!(1_500_000_100))
    );
    assert_eq!(part.at("/attachments/0/url"), url);
    let body = json!({
        "message_type": "note", "type": "admin", "admin_id": client.me(), "body": "x",
        "attachment_files": [file], "attachment_urls": [url],
    });
    let part = client.post(&path, body).await.expect(200);
    assert_eq!(
        (
            part.list("/attachments").len(),
            part.at("/attachments/0/name")
        ),
        (1, &json!("a.txt"))
    );
    let shown = client.get(&format!("tickets/{id}")).await.expect(200);
    assert_eq!(shown.at("/ticket_parts/total_count"), 3);
}

#[tokio::test]
async fn a_contact_cannot_answer_a_back_office_ticket() {
    let client = Client::quiet();
    let kind = client
        .post(
            "ticket_types",
            json!({"name": "Task", "category": "Back-office"}),
        )
        .await
        .id();
    let contact = client.contact("k1").await;
    let body = json!({"ticket_type_id": kind, "contacts": [{"id": contact}]});
    let id = client.post("tickets", body).await.expect(200).id();
    let body = json!({"message_type": "comment", "type": "user", "user_id": "k1", "body": "x"});
    client
        .post(&format!("tickets/{id}/reply"), body)
        .await
        .refused(400, "parameter_mismatch");
}

#[tokio::test]
async fn a_state_must_exist_and_a_change_tells_the_contact_unless_prevented() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let id = ticket(&client, &kind, "k1").await.id();
    assert_eq!(client.sent("messenger"), 0);
    let path = format!("tickets/{id}");
    client
        .put(&path, json!({"ticket_state_id": "0"}))
        .await
        .refused(400, "ticket_state_id_invalid");
    let states = client.get("ticket_states").await.expect(200);
    let resolved = states.text("/data/3/id");
    let body = json!({"ticket_state_id": resolved, "skip_notifications": true});
    let shown = client.put(&path, body).await.expect(200);
    assert_eq!(
        (shown.at("/ticket_state/category"), shown.at("/open")),
        (&json!("resolved"), &json!(false))
    );
    assert_eq!(client.sent("messenger"), 0);
    client
        .put(&path, json!({"ticket_state_id": states.text("/data/1/id")}))
        .await
        .expect(200);
    assert_eq!(client.sent("messenger"), 1);
    client
        .put(&path, json!({"assignee_id": "1"}))
        .await
        .refused(404, "assignee_not_found");
}

#[tokio::test]
async fn a_job_makes_the_ticket_later() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let contact = client.contact("k1").await;
    let body = json!({"ticket_type_id": kind, "contacts": [{"id": contact}]});
    let job = client.post("tickets/enqueue", body).await.expect(200);
    assert_eq!(
        (job.at("/status"), job.at("/resource_id")),
        (&json!("pending"), &Value::Null)
    );
    client.wait(2);
    let done = client
        .get(&format!("jobs/status/{}", job.id()))
        .await
        .expect(200);
    assert_eq!(done.at("/status"), "success");
    client
        .get(&format!("tickets/{}", done.text("/resource_id")))
        .await
        .expect(200);
    client
        .get("jobs/status/1")
        .await
        .refused(404, "job_not_found");
}

#[tokio::test]
async fn a_conversation_is_converted_to_a_customer_ticket_only() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let task = client
        .post(
            "ticket_types",
            json!({"name": "Task", "category": "Back-office"}),
        )
        .await
        .id();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client
        .contact_reply(&id, &contact, "x", 1_580_000_001)
        .await
        .expect(200);
    let path = format!("conversations/{id}/convert");
    client
        .post(&path, json!({"ticket_type_id": task}))
        .await
        .refused(400, "parameter_invalid");
    let made = client
        .post(&path, json!({"ticket_type_id": kind}))
        .await
        .expect(200);
    assert_eq!(made.at("/ticket_parts/total_count"), 2);
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(shown.at("/linked_objects/data/0/id"), &json!(made.id()));
}

#[tokio::test]
async fn a_type_is_archived_and_then_takes_no_tickets() {
    let client = Client::quiet();
    let (kind, attribute) = client.ticket_type().await;
    let path = format!("ticket_types/{kind}");
    client.delete(&path).await.refused(404, "not_found");
    let at = format!("{path}/attributes/{attribute}");
    client.put(&at, json!({"archived": true})).await.expect(200);
    let contact = client.contact("k1").await;
    let body = |attributes: Value| json!({"ticket_type_id": number(&kind), "contacts": [{"id": contact}], "ticket_attributes": attributes});
    client
        .post("tickets", body(json!({"Kustomer ID": "x"})))
        .await
        .refused(400, "parameter_invalid");
    client
        .put(&path, json!({"archived": true}))
        .await
        .expect(200);
    client
        .post("tickets", body(json!({})))
        .await
        .refused(404, "not_found");
}
