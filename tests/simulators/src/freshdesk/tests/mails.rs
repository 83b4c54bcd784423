use serde_json::json;

use super::super::{Notifications, Policy};
use super::Client;

fn loud() -> Client {
    let client = Client::with(|config| config.notifications = Notifications::default());
    client.simulator.outbox().clear();
    client
}

#[tokio::test]
async fn an_account_with_all_mails_on_mails_at_every_step() {
    let client = loud();
    let reasons = |client: &Client| -> Vec<String> {
        let mails = client.mails();
        client.simulator.outbox().clear();
        mails.into_iter().map(|(_, reason)| reason).collect()
    };
    let contact = client.contact("A", "a@x.example").await;
    assert_eq!(reasons(&client), ["user activation"]);
    let agent = client.known("agent1@acme.example");
    let more = json!({"responder_id": agent, "cc_emails": ["cc@x.example"]});
    let ticket = client.ticket(contact, more).await;
    assert_eq!(
        reasons(&client),
        [
            "new ticket created",
            "new ticket created, in copy",
            "ticket assigned to agent"
        ]
    );
    let notes = format!("tickets/{ticket}/notes");
    client
        .post(&notes, json!({"body": "private"}))
        .await
        .expect(201);
    assert!(reasons(&client).is_empty());
    client
        .post(&notes, json!({"body": "x", "private": false}))
        .await
        .expect(201);
    assert_eq!(reasons(&client), ["agent adds a public note"]);
    let incoming = json!({"body": "x", "private": false, "incoming": true, "user_id": contact});
    client.post(&notes, incoming).await.expect(201);
    assert_eq!(reasons(&client), ["requester replies"]);
    let notify = json!({"body": "x", "notify_emails": ["boss@acme.example"]});
    client.post(&notes, notify).await.expect(201);
    assert_eq!(reasons(&client), ["note, to those notified"]);
    client
        .put(&format!("tickets/{ticket}"), json!({"status": 5}))
        .await
        .expect(200);
    assert_eq!(
        reasons(&client),
        ["agent closes the ticket", "satisfaction survey"]
    );
    // Who has no address is mailed nothing.
    let body = json!({"name": "B", "phone": "1"});
    let silent = client.post("contacts", body).await.id();
    client.ticket(silent, json!({"status": 5})).await;
    assert!(reasons(&client).is_empty());
}

#[tokio::test]
async fn rules_run_on_what_the_api_makes_and_change_it() {
    let client = Client::with(|config| config.preexisting.business_rules = true);
    let requester = client.known("old.customer@example.com");
    let id = client.ticket(requester, json!({"status": 3})).await;
    let ticket = client.get(&format!("tickets/{id}")).await;
    assert_eq!(ticket.at("/tags"), &json!(["auto-triage"]));
    let names = |client: &Client| -> Vec<String> {
        let runs = client.simulator.automation_log().all();
        client.simulator.automation_log().clear();
        runs.into_iter().map(|run| run.name).collect()
    };
    assert_eq!(
        names(&client),
        ["Mark new tickets for triage", "Tell the ERP of new tickets"]
    );
    let kinds: Vec<String> = client
        .simulator
        .outbox()
        .all()
        .into_iter()
        .map(|item| item.kind)
        .collect();
    assert_eq!(kinds, ["webhook"]);
    client
        .put(&format!("tickets/{id}"), json!({"priority": 1}))
        .await
        .expect(200);
    assert_eq!(names(&client), ["Tell the agent of changes"]);
    client.wait(49 * 3_600);
    client.get("roles").await.expect(200);
    assert_eq!(names(&client), ["Remind of pending tickets"]);
    for rule in client.simulator.active_rules() {
        assert!(client.simulator.set_rule_active(&rule, false));
    }
    client.ticket(requester, json!({"status": 3})).await;
    client.wait(49 * 3_600);
    client.get("roles").await.expect(200);
    assert!(names(&client).is_empty());
}

#[tokio::test]
async fn what_is_imported_through_the_channel_is_silent_unless_the_account_is_not() {
    let client = Client::with(|config| {
        config.channel_api = super::super::ChannelApi::Open;
        config.notifications = Notifications::default();
        config.preexisting.business_rules = true;
    });
    client.simulator.outbox().clear();
    let requester = client.known("old.customer@example.com");
    let post = async |number: i64| {
        let body = Client::ticket_body(requester, json!({"import_id": number, "status": 5}));
        let id = client
            .post("/api/channel/v2/tickets", body)
            .await
            .expect(201)
            .id();
        let note = json!({"body": "x", "private": false, "import_id": number + 1});
        client
            .post(&format!("/api/channel/v2/tickets/{id}/notes"), note)
            .await
            .expect(201);
        let reply = json!({"body": "x", "import_id": number + 2});
        client
            .post(&format!("/api/channel/v2/tickets/{id}/reply"), reply)
            .await
            .expect(201);
    };
    post(10).await;
    assert_eq!(client.mails(), []);
    assert!(client.simulator.automation_log().all().is_empty());
    client.simulator.set_switches(|switches| {
        switches.channel_is_silent = false;
        switches.repeated_import_id = Policy::Tolerated;
    });
    post(20).await;
    assert!(client.mails().len() >= 4);
    assert!(!client.simulator.automation_log().all().is_empty());
}

#[tokio::test]
async fn open_tickets_escalate_and_groups_complain_of_unassigned_ones() {
    let client = Client::with(|config| {
        config.notifications.escalations = true;
        config.preexisting.round_robin = true;
    });
    client.simulator.outbox().clear();
    let requester = client.known("old.customer@example.com");
    let groups = client.simulator.snapshot().groups;
    // The first group hands tickets out, so that nobody complains.
    let id = client
        .ticket(requester, json!({"group_id": groups[0].id}))
        .await;
    let ticket = client.get(&format!("tickets/{id}")).await;
    assert_eq!(ticket.at("/responder_id"), groups[0].agent_ids[0]);
    let body = json!({"auto_ticket_assign": 0});
    client
        .put(&format!("groups/{}", groups[1].id), body)
        .await
        .expect(200);
    client
        .ticket(requester, json!({"group_id": groups[1].id}))
        .await;
    client.wait(1_800);
    client.get("roles").await.expect(200);
    assert_eq!(
        client.mails(),
        [(
            "owner@acme.example".into(),
            "ticket unassigned in group".into()
        )]
    );
    client.wait(4 * 86_400);
    let ticket = client.get(&format!("tickets/{id}")).await;
    assert_eq!(
        (ticket.at("/fr_escalated"), ticket.at("/is_escalated")),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn forwarding_outbound_mails_and_bulk_replies_are_delivered_whatever_is_switched_off() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let id = client.ticket(requester, json!({})).await;
    let forward = json!({"body": "x", "to_emails": ["partner@x.example"]});
    let made = client
        .post(&format!("tickets/{id}/forward"), forward)
        .await
        .expect(201);
    assert_eq!(made.at("/source"), 8);
    let mailbox = client.get("email_configs").await.at("/0/id").clone();
    let outbound = json!({
        "email": "new@x.example", "subject": "S", "description": "d", "email_config_id": mailbox,
    });
    let made = client
        .post("tickets/outbound_email", outbound)
        .await
        .expect(201);
    assert_eq!(
        (made.at("/source"), made.at("/to_emails/0")),
        (&json!(10), &json!("new@x.example"))
    );
    let reply = json!({"bulk_action": {"ids": [id], "reply": {"body": "bulk"}}});
    client.post("tickets/bulk_update", reply).await.expect(202);
    client.wait(10);
    client.get("roles").await.expect(200);
    let mails = client.mails();
    let to: Vec<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(
        to,
        [
            "partner@x.example",
            "new@x.example",
            "old.customer@example.com"
        ]
    );
}
