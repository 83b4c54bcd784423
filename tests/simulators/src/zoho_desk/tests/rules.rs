//! What fires unless it is prevented, and what others do.

use serde_json::json;

use super::super::{Preexisting, Services};
use super::Client;

#[tokio::test]
async fn a_ticket_made_by_a_request_mails_the_contact_and_the_agents() {
    let client = Client::with(|config| config.preexisting.services = Services::all());
    let contact = client.contact("ana@example.com").await;
    assert_eq!(client.sent("crm"), 1);
    let id = client.ticket(&contact, json!({})).await;
    for kind in ["acknowledgement", "agent-notice", "webhook"] {
        assert_eq!(client.sent(kind), 1, "{kind}");
    }
    let all = client.simulator.outbox().all();
    let mail = all
        .iter()
        .find(|item| item.kind == "acknowledgement")
        .unwrap();
    assert_eq!(mail.to, "ana@example.com");
    let kinds: Vec<String> = client
        .simulator
        .automation_log()
        .all()
        .into_iter()
        .map(|run| run.kind)
        .collect();
    assert_eq!(kinds, ["workflow", "sla", "assignment", "auto-tag"]);
    let ticket = client.get(&format!("tickets/{id}")).await.expect(200);
    assert!(ticket.at("/assigneeId").is_string());
    assert_eq!(ticket.at("/tagCount"), "1");
    client
        .patch(&format!("tickets/{id}"), json!({"status": "Closed"}))
        .await
        .expect(200);
    assert_eq!((client.sent("closed"), client.sent("happiness")), (1, 1));
}

#[tokio::test]
async fn a_public_comment_mails_the_contact_and_a_private_one_does_not() {
    let client = Client::with(|config| config.preexisting.services.acknowledgements = false);
    let contact = client.contact("ana@example.com").await;
    let path = format!(
        "tickets/{}/comments",
        client.ticket(&contact, json!({})).await
    );
    client
        .post(&path, json!({"content": "x", "isPublic": false}))
        .await
        .expect(200);
    assert_eq!(client.sent("comment"), 0);
    client
        .post(&path, json!({"content": "x"}))
        .await
        .expect(200);
    assert_eq!(client.sent("comment"), 1);
}

#[tokio::test]
async fn nothing_fires_where_the_administrator_switched_it_off() {
    let client = Client::with(|config| config.preexisting.services = Services::all());
    client.simulator.set_services(Services::none());
    let contact = client.contact("ana@example.com").await;
    let id = client.ticket(&contact, json!({})).await;
    client
        .patch(&format!("tickets/{id}"), json!({"status": "Closed"}))
        .await
        .expect(200);
    assert!(client.simulator.outbox().all().is_empty());
    assert!(client.simulator.automation_log().all().is_empty());
}

#[tokio::test]
async fn some_requests_mail_whatever_is_switched_off() {
    let client = Client::with(|config| config.preexisting = Preexisting::nothing());
    let contact = client.contact("ana@example.com").await;
    let id = client
        .ticket(&contact, json!({"ticketCreationType": "sendAsEmail"}))
        .await;
    assert_eq!(client.sent("reply"), 1);
    let body = json!({"content": "Done", "isNotifyContact": true});
    client
        .patch(&format!("tickets/{id}/resolution"), body)
        .await
        .expect(200);
    assert_eq!(client.sent("resolution"), 1);
    client
        .post(&format!("contacts/{contact}/inviteAsEndUser"), json!({}))
        .await
        .expect(204);
    assert_eq!(client.sent("invitation"), 1);
    let zuid = client
        .simulator
        .snapshot()
        .agent_by_email("owner@acme.example")
        .unwrap()
        .zuid
        .clone();
    let body = json!({"content": format!("zsu[@user:{zuid}]zsu"), "isPublic": false});
    client
        .post(&format!("tickets/{id}/comments"), body)
        .await
        .expect(200);
    assert_eq!(client.sent("mention"), 1);
}

#[tokio::test]
async fn a_mail_of_a_customer_makes_a_ticket_or_adds_to_one() {
    let client = Client::new();
    let ticket = client
        .simulator
        .receive_mail("new@example.com", None, "Hello")
        .unwrap();
    let same = client
        .simulator
        .receive_mail("new@example.com", Some(ticket), "And more")
        .unwrap();
    assert_eq!(same, ticket);
    let threads = client
        .get(&format!("tickets/{ticket}/threads?sortBy=sendDateTime"))
        .await
        .expect(200);
    assert_eq!(threads.data().len(), 2);
    assert_eq!(client.simulator.conversations(), 0);
}
