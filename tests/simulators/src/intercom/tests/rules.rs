//! What a workspace does on its own (Intercom facts §11).

use serde_json::json;

use super::Client;
use crate::intercom::{Preexisting, Services};

fn busy() -> Client {
    Client::with(|config| {
        config.preexisting = Preexisting {
            services: Services::all(),
            teams: vec!["Billing".to_owned()],
            ..Preexisting::nothing()
        };
    })
}

#[tokio::test]
async fn an_imported_conversation_sets_off_everything_that_is_on() {
    let client = busy();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert!(shown.at("/team_assignee_id").as_u64().unwrap() > 0);
    let bots = shown
        .parts()
        .iter()
        .filter(|part| part["author"]["type"] == "bot")
        .count();
    assert_eq!(bots, 3);
    let kinds: Vec<String> = client
        .simulator
        .automation_log()
        .all()
        .into_iter()
        .map(|run| run.kind)
        .collect();
    assert_eq!(kinds, ["sla", "assignment", "workflow", "fin"]);
    let topics: Vec<String> = client
        .simulator
        .outbox()
        .all()
        .into_iter()
        .filter(|item| item.kind == "webhook")
        .map(|item| item.reason)
        .collect();
    assert_eq!(
        topics,
        ["contact.user.created", "conversation.user.created"]
    );
}

#[tokio::test]
async fn a_paused_workspace_stays_quiet_and_the_switch_says_that_the_api_sets_off_nothing() {
    let client = busy();
    client.simulator.set_services(Services::none());
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    assert!(
        client
            .get(&format!("conversations/{id}"))
            .await
            .parts()
            .is_empty()
    );
    assert!(client.simulator.outbox().all().is_empty());
    let client = busy();
    client
        .simulator
        .set_switches(|s| s.automations_on_api = false);
    let contact = client.contact("k1").await;
    client.conversation(&contact).await;
    client.get("me").await.expect(200);
    assert!(client.simulator.outbox().all().is_empty());
    // A live contact sets it off all the same.
    client
        .simulator
        .contact_writes(&contact, None, "Hello?")
        .unwrap();
    assert!(!client.simulator.automation_log().all().is_empty());
}

#[tokio::test]
async fn an_admins_comment_tells_the_contact_unless_prevented_and_a_note_never_does() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}/reply");
    let body = |kind: &str, skip: bool| {
        json!({
            "message_type": kind, "type": "admin", "admin_id": client.me(), "body": "x", "skip_notifications": skip,
        })
    };
    client.post(&path, body("comment", true)).await.expect(200);
    client.post(&path, body("note", false)).await.expect(200);
    assert!(client.simulator.outbox().all().is_empty());
    assert!(client.simulator.snapshot().notified().is_empty());
    client.post(&path, body("comment", false)).await.expect(200);
    assert_eq!((client.sent("messenger"), client.sent("email")), (1, 1));
    assert_eq!(client.simulator.snapshot().notified().len(), 1);
    client
        .put(
            &format!("contacts/{contact}"),
            json!({"unsubscribed_from_emails": true}),
        )
        .await
        .expect(200);
    client.post(&path, body("comment", false)).await.expect(200);
    assert_eq!((client.sent("messenger"), client.sent("email")), (2, 1));
}

#[tokio::test]
async fn a_message_of_an_admin_is_really_mailed() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let mut body = json!({
        "message_type": "email", "body": "Hello", "from": {"type": "admin", "id": client.me()},
        "to": {"type": "user", "id": contact},
    });
    client
        .post("messages", body.clone())
        .await
        .refused(422, "parameter_not_found");
    body["subject"] = json!("Hi");
    client.post("messages", body).await.expect(200);
    assert_eq!(client.sent("email"), 1);
}

#[tokio::test]
async fn a_teammate_is_told_of_an_assignment() {
    let client = busy();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client.simulator.outbox().clear();
    let owner = client
        .simulator
        .snapshot()
        .admin_by_email("owner@acme.example")
        .unwrap()
        .id
        .to_string();
    client
        .manage(
            &id,
            json!({"message_type": "assignment", "type": "admin", "assignee_id": owner}),
        )
        .await
        .expect(200);
    let told = client.simulator.outbox().all();
    assert!(
        told.iter()
            .any(|item| item.kind == "teammate" && item.to == "owner@acme.example")
    );
}
