//! Messages: who writes to whom, and what is sent.

use serde_json::{Value, json};

use super::super::model::Status;
use super::{Client, incoming, outgoing};

const TIME: &str = "2020-01-01T00:00:00+00:00";

async fn refused(client: &Client, message: Value, pointer: &str) {
    let body = json!({"via": "api", "messages": [message]});
    client
        .post("tickets", body)
        .await
        .refused(&format!("/messages/0{pointer}"));
}

#[tokio::test]
async fn a_message_without_sent_datetime_is_sent() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let me = client.me().await;
    let mut body = client.history("k:1", ana).await;
    body["messages"][1]
        .as_object_mut()
        .unwrap()
        .remove("sent_datetime");
    body["messages"][0]
        .as_object_mut()
        .unwrap()
        .remove("sent_datetime");
    let ticket = client.post("tickets", body).await.expect(201);
    assert!(ticket.at("/messages/1/sent_datetime").is_null());
    assert_eq!(client.simulator.snapshot().unsent().len(), 1);
    assert!(client.simulator.outbox().all().is_empty());
    client.wait(10);
    client.get("account").await.expect(200);
    let sent = client.simulator.outbox().all();
    assert_eq!((sent.len(), sent[0].kind.as_str()), (1, "message"));
    assert_eq!(sent[0].to, "ana@example.com");
    let ticket = client.get(&format!("tickets/{}", ticket.id())).await;
    assert!(ticket.at("/messages/1/sent_datetime").is_string());
    // A note is never sent; a message that is said to be sent is not either.
    let note = json!({
        "channel": "internal-note", "via": "api", "from_agent": true, "sender": {"id": me}, "body_text": "x",
    });
    let path = format!("tickets/{}/messages", ticket.id());
    client.post(&path, note).await.expect(201);
    client
        .post(&path, outgoing("m", me, ana, TIME))
        .await
        .expect(201);
    client.wait(60);
    client.get("account").await.expect(200);
    assert_eq!(client.simulator.outbox().all().len(), 1);
    assert_eq!(client.simulator.snapshot().unsent().len(), 1);
}

#[tokio::test]
async fn channel_direction_and_via_are_required_and_known() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    for key in ["channel", "from_agent", "via"] {
        let mut message = incoming("m", ana, TIME);
        message.as_object_mut().unwrap().remove(key);
        refused(&client, message, &format!("/{key}")).await;
        let mut message = incoming("m", ana, TIME);
        message[key] = json!("pigeon");
        refused(&client, message, &format!("/{key}")).await;
    }
    let client = Client::with(|config| config.custom_channels = vec!["pigeon".to_owned()]);
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m", ana, TIME);
    message["channel"] = json!("pigeon");
    client
        .ticket(json!({"via": "api", "messages": [message]}))
        .await;
}

#[tokio::test]
async fn a_customers_message_has_no_receiver() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m", ana, TIME);
    message["receiver"] = json!({"id": ana});
    refused(&client, message.clone(), "/receiver").await;
    client
        .simulator
        .set_switches(|switches| switches.incoming_receiver_refused = false);
    let made = client
        .post("tickets", json!({"via": "api", "messages": [message]}))
        .await
        .expect(201);
    assert!(made.at("/messages/0/receiver").is_null());
}

#[tokio::test]
async fn the_sender_is_a_customer_or_a_user_by_the_direction() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let me = client.me().await;
    refused(&client, incoming("m", me, TIME), "/sender/id").await;
    refused(&client, outgoing("m", ana, ana, TIME), "/sender/id").await;
    refused(&client, outgoing("m", me, me, TIME), "/receiver/id").await;
    let mut nobody = incoming("m", ana, TIME);
    nobody.as_object_mut().unwrap().remove("sender");
    refused(&client, nobody, "/sender").await;
}

#[tokio::test]
async fn an_unknown_address_makes_a_customer_behind_the_clients_back() {
    let client = Client::quiet();
    let mut message = incoming("m", 0, TIME);
    message["sender"] = json!({"email": "new@example.com", "name": "New"});
    let body = json!({"via": "api", "messages": [message]});
    client.post("tickets", body.clone()).await.expect(201);
    client.post("tickets", body).await.expect(201);
    let snapshot = client.simulator.snapshot();
    let new = snapshot.customer_by_email("new@example.com").unwrap();
    assert!(new.by_product && snapshot.customers.len() == 1);
    let body = json!({"via": "api", "customer": {"email": "other@example.com"},
        "messages": [incoming("m", new.id, TIME)]});
    let ticket = client.post("tickets", body).await.expect(201);
    assert_eq!(ticket.at("/customer/email"), "other@example.com");
}

#[tokio::test]
async fn a_note_is_private_and_from_an_agent() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let me = client.me().await;
    let note = json!({
        "channel": "internal-note", "via": "api", "from_agent": true, "sender": {"id": me}, "body_text": "hm",
        "source": {"type": "internal-note", "from": {"name": "Ann", "address": "ann@acme.example"}},
        "created_datetime": TIME, "sent_datetime": TIME,
    });
    let body = json!({"via": "api", "customer": {"id": ana}, "messages": [note]});
    let made = client.post("tickets", body).await.expect(201);
    assert_eq!(made.at("/messages/0/public"), false);
    let mut wrong = note.clone();
    wrong["from_agent"] = json!(false);
    wrong["sender"] = json!({"id": ana});
    refused(&client, wrong, "/from_agent").await;
}

#[tokio::test]
async fn the_source_is_checked_and_kept() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m", ana, TIME);
    message["source"] = json!({
        "type": "email", "from": {"address": "ana@example.com", "name": "Ana"},
        "to": [{"address": "support@acme.example", "name": "Shop"}], "cc": [], "bcc": [],
    });
    let body = json!({"via": "api", "messages": [message]});
    let made = client.post("tickets", body).await.expect(201);
    assert_eq!(made.at("/messages/0/source"), &message["source"]);
    let mut wrong = message.clone();
    wrong["source"]["to"][0]["address"] = json!("nobody");
    refused(&client, wrong, "/source/to/0/address").await;
    let mut wrong = message.clone();
    wrong["source"]["reply_to"] = json!("x");
    refused(&client, wrong, "/source/reply_to").await;
    let mut wrong = message;
    wrong["external_id"] = json!("x".repeat(256));
    refused(&client, wrong, "/external_id").await;
}

#[tokio::test]
async fn a_customers_message_opens_a_closed_ticket() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let path = format!("tickets/{id}/messages");
    client
        .post(&path, incoming("m:3", ana, TIME))
        .await
        .expect(201);
    assert_eq!(client.simulator.snapshot().tickets[0].status, Status::Open);
    let close = json!({"status": "closed", "closed_datetime": "2020-01-02T00:00:00+00:00"});
    let done = client
        .put(&format!("tickets/{id}"), close)
        .await
        .expect(202);
    assert_eq!(done.at("/closed_datetime"), "2020-01-02T00:00:00+00:00");
    assert_eq!(done.at("/last_message_datetime"), TIME);
    client
        .simulator
        .set_switches(|switches| switches.customer_message_reopens = false);
    client
        .post(&path, incoming("m:4", ana, TIME))
        .await
        .expect(201);
    assert_eq!(
        client.simulator.snapshot().tickets[0].status,
        Status::Closed
    );
}

#[tokio::test]
async fn a_mention_tells_the_agent() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let me = client.me().await;
    let mut message = outgoing("m", me, ana, TIME);
    message["mention_ids"] = json!([me]);
    client
        .ticket(json!({"via": "api", "messages": [message]}))
        .await;
    assert_eq!(client.simulator.outbox().all()[0].kind, "mention");
}

#[tokio::test]
async fn a_later_mail_that_answers_an_imported_message_id_lands_in_its_ticket() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut body = client.history("k:1", ana).await;
    body["messages"][1]["message_id"] = json!("<1@acme.example>");
    let id = client.ticket(body).await;
    let answers = Some("<1@acme.example>");
    let landed = client
        .simulator
        .receive_mail("ana@example.com", answers, "Thanks")
        .unwrap();
    assert_eq!(landed, id);
    client
        .simulator
        .set_switches(|switches| switches.message_id_threads = false);
    let landed = client
        .simulator
        .receive_mail("ana@example.com", answers, "Thanks")
        .unwrap();
    assert_ne!(landed, id);
}

#[tokio::test]
async fn a_message_is_changed_and_deleted() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let made = client.post("tickets", body).await.expect(201);
    let message = made.at("/messages/0/id").as_u64().unwrap();
    let path = format!("tickets/{}/messages/{message}", made.id());
    client
        .put(&path, json!({"body_text": "x"}))
        .await
        .refused("/channel");
    let body = json!({"channel": "email", "via": "api", "from_agent": false, "body_text": "x"});
    let done = client.put(&path, body).await.expect(202);
    assert_eq!(
        (done.at("/body_text"), done.at("/sender/id")),
        (&json!("x"), &json!(ana))
    );
    let gone = client.delete(&path).await.expect(200);
    assert!(gone.bytes.is_empty());
    client.delete(&path).await.expect(404);
    client
        .get(&format!("tickets/1/messages/{message}"))
        .await
        .expect(404);
    assert_eq!(
        client
            .get(&format!("tickets/{}", made.id()))
            .await
            .at("/messages_count"),
        1
    );
}
