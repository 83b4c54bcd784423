//! Comparing end states.

use serde_json::json;

use super::{Client, number};
use crate::intercom::Config;

async fn work(client: &Client) {
    for (model, name) in [("contact", "kus"), ("company", "kus_org")] {
        let body = json!({"name": name, "model": model, "data_type": "string"});
        client.post("data_attributes", body).await.expect(200);
    }
    client.conversation_attribute("kus_id", "string").await;
    let company = client
        .post("companies", json!({"company_id": "o1", "name": "Acme"}))
        .await
        .expect(200)
        .id();
    let contact = client.contact("k1").await;
    client
        .post(
            &format!("contacts/{contact}/companies"),
            json!({"id": company}),
        )
        .await
        .expect(200);
    let first = client.conversation(&contact).await;
    let second = client.conversation(&contact).await;
    client
        .contact_reply(&first, &contact, "Hello", 1_580_000_001)
        .await
        .expect(200);
    // A text that names what was just made.
    let text = format!("<p>goes on in {second} of {contact}</p>");
    client
        .admin_reply(&first, "note", &text, 1_580_000_002)
        .await
        .expect(200);
    client
        .put(
            &format!("conversations/{first}"),
            json!({"custom_attributes": {"kus_id": "c1"}}),
        )
        .await
        .expect(200);
    let (kind, _) = client.ticket_type().await;
    let body = json!({"ticket_type_id": kind, "contacts": [{"id": contact}], "ticket_attributes": {"Kustomer ID": "t1"}});
    client.post("tickets", body).await.expect(200);
    client
        .manage(&first, json!({"message_type": "close", "type": "admin"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn two_runs_that_did_the_same_have_the_same_fingerprint() {
    let one = Client::new();
    let other = Client::with(|config: &mut Config| config.seed = 7);
    other.wait(12_345);
    let before = one.simulator.state_fingerprint();
    assert_eq!(before, other.simulator.state_fingerprint());
    work(&one).await;
    // The other makes something else first and takes it back.
    let short = other.contact("short").await;
    other.delete(&format!("contacts/{short}")).await.expect(200);
    work(&other).await;
    let after = one.simulator.state_fingerprint();
    assert_ne!(before, after);
    assert_eq!(after, other.simulator.state_fingerprint());
}

#[tokio::test]
async fn a_foreign_edit_shows_in_the_fingerprint() {
    let client = Client::new();
    work(&client).await;
    let before = client.simulator.state_fingerprint();
    let snapshot = client.simulator.snapshot();
    let conversation = snapshot.conversations_where("kus_id", &json!("c1"))[0].id;
    client
        .simulator
        .edit_conversation(conversation, |one| one.title = Some("Other".to_owned()))
        .unwrap();
    assert_ne!(before, client.simulator.state_fingerprint());
    let contact = snapshot.contacts_by_external_id("k1")[0].id.clone();
    client
        .simulator
        .contact_writes(&contact, Some(conversation), "And?")
        .unwrap();
    client
        .simulator
        .admin_writes(number(&client.me()), conversation, "Soon.", false)
        .unwrap();
    let shown = client
        .get(&format!("conversations/{conversation}"))
        .await
        .expect(200);
    assert_eq!(shown.at("/state"), "open");
    client.simulator.delete_conversation(conversation).unwrap();
    assert!(client.simulator.delete_conversation(conversation).is_err());
}

#[tokio::test]
async fn a_contact_called_something_else_shows_in_parts_that_were_shown_before() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let shown = client
        .contact_reply(&id, &contact, "x", 1_580_000_001)
        .await
        .expect(200);
    assert_eq!(shown.parts()[0]["author"]["name"], "Ana Ruiz");
    client
        .put(&format!("contacts/{contact}"), json!({"name": "Ana Diaz"}))
        .await
        .expect(200);
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(shown.parts()[0]["author"]["name"], "Ana Diaz");
}
