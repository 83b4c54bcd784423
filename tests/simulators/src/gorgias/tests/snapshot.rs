//! Fingerprints, foreign edits, and the account that is there before.

use serde_json::json;

use super::super::model::ObjectType;
use super::super::{Config, Preexisting, Simulator};
use super::Client;
use crate::common::{Action, Fault};

async fn work(client: &Client) {
    let ana = client.customer("Ana", "ana@example.com").await;
    let field = json!({
        "object_type": "Ticket", "label": "Reason",
        "definition": {"data_type": "text", "input_settings": {"input_type": "input"}},
    });
    let field = client.post("custom-fields", field).await.expect(201).id();
    let file = client
        .upload("public_attachment", &[("a.png", b"bytes")])
        .await
        .expect(201);
    let mut body = client.history("k:t1", ana).await;
    body["custom_fields"] = json!([{"id": field, "value": "sms"}]);
    body["tags"] = json!([{"name": "vip"}]);
    body["messages"][0]["attachments"] = json!([file.at("/0")]);
    let url = file.at("/0/url").as_str().unwrap();
    body["messages"][0]["body_html"] = json!(format!("<img src=\"{url}\"> of customer {ana}"));
    client.ticket(body).await;
    let data = json!({"data": {"me": ana}});
    client
        .put(&format!("customers/{ana}/data"), data)
        .await
        .expect(202);
}

#[tokio::test]
async fn two_accounts_that_had_the_same_work_done_have_the_same_fingerprint() {
    let one = Client::quiet();
    work(&one).await;
    let two = Client::quiet();
    // Other ids, other times.
    two.wait(5);
    let passing = two.customer("Passing", "passing@example.com").await;
    two.delete(&format!("customers/{passing}"))
        .await
        .expect(204);
    two.upload("attachment", &[("unused", b"x")])
        .await
        .expect(201);
    work(&two).await;
    let (first, second) = (
        one.simulator.state_fingerprint(),
        two.simulator.state_fingerprint(),
    );
    assert_eq!(first, second);
    assert!(first.to_string().contains("of customer external:k:Ana"));
    let id = two.simulator.snapshot().tickets_by_external_id("k:t1")[0].id;
    two.simulator
        .edit_ticket(id, |ticket| ticket.spam = true)
        .unwrap();
    assert_ne!(first, two.simulator.state_fingerprint());
}

#[tokio::test]
async fn a_duplicate_and_a_foreign_note_show_in_the_fingerprint() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body.clone()).await;
    let once = client.simulator.state_fingerprint();
    let note = client
        .simulator
        .add_note(id, client.me().await, "Called them")
        .unwrap();
    let noted = client.simulator.state_fingerprint();
    assert_ne!(once, noted);
    client
        .delete(&format!("tickets/{id}/messages/{note}"))
        .await
        .expect(200);
    client.ticket(body).await;
    assert_ne!(once, client.simulator.state_fingerprint());
}

#[tokio::test]
async fn an_account_is_as_before_when_everything_made_is_undone_but_for_what_cannot_be() {
    let client = Client::quiet();
    let before = client.simulator.state_fingerprint();
    work(&client).await;
    let snapshot = client.simulator.snapshot();
    let ticket = snapshot.tickets_by_external_id("k:t1")[0].id;
    client
        .delete(&format!("tickets/{ticket}"))
        .await
        .expect(204);
    let ana = snapshot.customer_by_email("ana@example.com").unwrap().id;
    client.delete(&format!("customers/{ana}")).await.expect(204);
    client
        .delete(&format!("tags/{}", snapshot.tag("vip").unwrap().id))
        .await
        .expect(204);
    let field = snapshot.field(ObjectType::Ticket, "Reason").unwrap();
    let archive = json!([{"id": field.id, "deactivated_datetime": "2026-01-01T00:00:00Z"}]);
    client.put("custom-fields", archive).await.expect(202);
    let mut after = client.simulator.state_fingerprint();
    assert_eq!(
        after["deleted"]["custom_fields"].as_array().unwrap().len(),
        1
    );
    after["deleted"]["custom_fields"] = json!([]);
    assert_eq!(before, after);
}

#[tokio::test]
async fn the_account_before_has_what_a_test_asks_for() {
    let simulator = Simulator::new(Config {
        preexisting: Preexisting {
            agents_by_email: vec![("agent7@acme.example".to_owned(), "Agent 7".to_owned())],
            ..Preexisting::default()
        },
        ..Config::virtual_time()
    });
    let snapshot = simulator.snapshot();
    assert_eq!(
        snapshot.user_by_email("agent7@acme.example").unwrap().role,
        "agent"
    );
    assert_eq!(snapshot.teams.len(), 2);
    assert!(snapshot.teams.iter().all(|team| !team.members.is_empty()));
    assert_eq!(snapshot.tickets.len(), 3);
    assert!(
        snapshot
            .field(ObjectType::Customer, "Loyalty tier")
            .is_some()
    );
    let same = Simulator::new(Config::virtual_time()).state_fingerprint();
    assert_eq!(
        same,
        Simulator::new(Config::virtual_time()).state_fingerprint()
    );
}

#[tokio::test]
async fn a_dropped_answer_has_made_its_ticket_all_the_same() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    client
        .simulator
        .harness()
        .faults
        .add(Fault::nth("POST", "/api/tickets", 1, Action::DropAfter));
    client.post("tickets", body).await;
    assert_eq!(client.get("tickets?external_id=k:1").await.list().len(), 1);
}

#[tokio::test]
async fn foreign_people_add_edit_merge_and_delete() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let simulator = &client.simulator;
    let tag = simulator.add_tag("theirs");
    simulator.tag_ticket(id, tag).unwrap();
    assert_eq!(client.get(&format!("tags/{tag}")).await.at("/usage"), 1);
    let message = simulator.snapshot().tickets[0].messages[0];
    simulator
        .edit_message(message, |m| m.body_text = Some("edited".to_owned()))
        .unwrap();
    let read = client.get(&format!("tickets/{id}")).await;
    assert_eq!(read.at("/messages/0/body_text"), "edited");
    let bob = simulator.add_customer("Bob", "bob@example.com").unwrap();
    assert!(simulator.add_customer("Bob", "bob@example.com").is_err());
    simulator.merge_customers(ana, bob).unwrap();
    client.get(&format!("customers/{ana}")).await.expect(301);
    simulator.delete_ticket(id).unwrap();
    assert!(simulator.delete_ticket(id).is_err());
}
