//! Fingerprints, foreign edits, late requests, and the account that is there before.

use serde_json::json;

use super::super::{Config, Simulator};
use super::Client;
use crate::common::{Action, Fault};

async fn work(client: &Client) {
    let body = json!({"organization": {"name": "Acme", "external_id": "k:o1"}});
    let organization = client
        .post("organizations", body)
        .await
        .expect(201)
        .id("/organization/id");
    let body = json!({"user": {
        "name": "Ana", "email": "ana@example.com", "external_id": "k:u1", "skip_verify_email": true,
        "organization_id": organization,
    }});
    let ana = client.post("users", body).await.expect(201).id("/user/id");
    let body = json!({"ticket_field": {"type": "text", "title": "Channel"}});
    let field = client
        .post("ticket_fields", body)
        .await
        .expect(201)
        .id("/ticket_field/id");
    let (token, address) = client.upload("a.png", b"bytes").await;
    client
        .import(json!({
            "external_id": "k:t1", "subject": "Help", "requester_id": ana,
            "created_at": "2020-01-01T00:00:00Z", "custom_fields": [{"id": field, "value": "sms"}],
            "comments": [{
                "author_id": ana, "public": true, "created_at": "2020-01-01T00:00:00Z",
                "html_body": format!("<img src=\"{address}\">"), "uploads": [token],
            }],
        }))
        .await;
}

#[tokio::test]
async fn two_accounts_that_had_the_same_work_done_have_the_same_fingerprint() {
    let one = Client::new();
    work(&one).await;
    let two = Client::new();
    // Other ids, other times.
    two.wait(5_000);
    two.user("Passing", "passing@example.com").await;
    let passing = two.known("passing@example.com");
    two.delete(&format!("users/{passing}")).await.expect(200);
    two.delete(&format!("deleted_users/{passing}"))
        .await
        .expect(200);
    work(&two).await;
    assert_eq!(
        one.simulator.state_fingerprint(),
        two.simulator.state_fingerprint()
    );
    let id = two.simulator.snapshot().tickets_by_external_id("k:t1")[0].id;
    two.simulator
        .edit_ticket(id, |ticket| ticket.comments[0].public = false)
        .unwrap();
    assert_ne!(
        one.simulator.state_fingerprint(),
        two.simulator.state_fingerprint()
    );
}

#[tokio::test]
async fn an_id_in_a_text_is_named_where_it_leads_to_a_record_of_the_account() {
    let text = |client: &Client| client.simulator.state_fingerprint()["tickets"].to_string();
    let made = |client: Client, before: usize| async move {
        for _ in 0..before {
            client
                .import(json!({"external_id": "k:0", "comments": [{"body": "x", "public": true}]}))
                .await;
        }
        client.user("Ana", "ana@example.com").await;
        let ana = client.known("ana@example.com");
        let first = json!({"external_id": "k:1", "comments": [{"body": "x", "public": true}]});
        let first = client.import(first).await;
        let body =
            format!("continues ticket #{first}; by https://a.example/agent/users/{ana}, order #1");
        client
            .import(json!({"external_id": "k:2", "comments": [{"body": body, "public": true}]}))
            .await;
        client
    };
    let (one, two) = (made(Client::new(), 1).await, made(Client::new(), 3).await);
    let said =
        "continues ticket #k:1; by https://a.example/agent/users/email:ana@example.com, order #1";
    assert!(text(&one).contains(said), "{}", text(&one));
    assert!(text(&two).contains(said), "{}", text(&two));
}

#[tokio::test]
async fn a_duplicate_ticket_shows_in_the_fingerprint() {
    let one = Client::new();
    let ticket = json!({"external_id": "k:1", "comments": [{"body": "x", "public": true}]});
    one.import(ticket.clone()).await;
    let once = one.simulator.state_fingerprint();
    one.import(ticket).await;
    assert_ne!(once, one.simulator.state_fingerprint());
}

#[tokio::test]
async fn an_account_is_as_before_when_everything_made_is_purged() {
    let client = Client::new();
    let before = client.simulator.state_fingerprint();
    work(&client).await;
    assert_ne!(before, client.simulator.state_fingerprint());
    let snapshot = client.simulator.snapshot();
    let ticket = snapshot.tickets_by_external_id("k:t1")[0].id;
    client
        .delete(&format!("tickets/{ticket}"))
        .await
        .expect(204);
    let job = client
        .delete(&format!("deleted_tickets/{ticket}"))
        .await
        .expect(200);
    client.finish(&job).await;
    let user = snapshot.user_by_external_id("K:U1").unwrap().id;
    client.delete(&format!("users/{user}")).await.expect(200);
    client
        .delete(&format!("deleted_users/{user}"))
        .await
        .expect(200);
    let organization = snapshot.organization_by_external_id("k:o1").unwrap().id;
    client
        .delete(&format!("organizations/{organization}"))
        .await
        .expect(204);
    let field = snapshot
        .fields
        .iter()
        .find(|field| field.title == "Channel")
        .unwrap()
        .id;
    client
        .delete(&format!("ticket_fields/{field}"))
        .await
        .expect(204);
    assert_eq!(before, client.simulator.state_fingerprint());
}

#[tokio::test]
async fn a_write_that_timed_out_can_be_applied_later() {
    let client = Client::new();
    let late = Action::ApplyLate {
        ms: 90_000,
        status: Some(504),
    };
    client
        .simulator
        .harness()
        .faults
        .add(Fault::nth("POST", "/api/v2/imports/tickets", 1, late));
    let body =
        json!({"ticket": {"external_id": "k:1", "comments": [{"body": "x", "public": true}]}});
    client.post("imports/tickets", body).await.expect(504);
    client.wait(89);
    client.simulator.harness().apply_due().await;
    assert!(
        client
            .simulator
            .snapshot()
            .tickets_by_external_id("k:1")
            .is_empty()
    );
    client.wait(1);
    assert_eq!(client.get("tickets?external_id=k:1").await.at("/count"), 1);
}

#[tokio::test]
async fn other_people_can_change_the_account_without_asking() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let organization = client
        .post("organizations", json!({"organization": {"name": "Acme"}}))
        .await;
    let organization = organization.id("/organization/id");
    let simulator = &client.simulator;
    let bo = simulator.add_user("Bo", "bo@example.com").unwrap();
    simulator.add_organization_member(organization, bo).unwrap();
    assert!(simulator.add_organization_member(organization, bo).is_err());
    let ticket = simulator.add_ticket_for(ana, "A new question").unwrap();
    client.wait(5);
    simulator.add_comment(ticket, bo, "Me too", true).unwrap();
    assert!(simulator.add_comment(4711, bo, "Me too", true).is_err());
    simulator
        .edit_user(ana, |user| user.notes = "Calls often".to_owned())
        .unwrap();
    let shown = client.get(&format!("tickets/{ticket}")).await.expect(200);
    assert_eq!(shown.at("/ticket/updated_at"), "2026-11-23T09:00:05Z");
    client.delete(&format!("users/{ana}")).await.expect(422);
    assert!(simulator.outbox().all().is_empty());
}

#[tokio::test]
async fn the_seed_decides_what_was_there_before_and_nothing_was_mailed_about_it() {
    let fingerprint = |seed| {
        let simulator = Simulator::new(Config {
            seed,
            ..Config::virtual_time()
        });
        assert!(simulator.outbox().all().is_empty());
        simulator.state_fingerprint()
    };
    assert_eq!(fingerprint(7), fingerprint(7));
    let client = Client::new();
    let snapshot = client.simulator.snapshot();
    assert_eq!(snapshot.tickets.len(), 3);
    assert!(snapshot.user_by_email("agent4@acme.example").is_some());
    let triggers = client.get("triggers/active").await.expect(200);
    assert_eq!(triggers.at("/count"), 4);
    for path in [
        "automations",
        "macros",
        "views",
        "slas/policies",
        "brands",
        "locales",
        "custom_roles",
        "ticket_forms",
        "account/settings",
        "tags",
        "custom_statuses",
        "groups",
        "user_fields",
    ] {
        client.get(path).await.expect(200);
    }
}
