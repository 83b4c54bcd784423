//! What the account does on its own to what is imported.

use serde_json::json;

use super::super::model::Status;
use super::super::{Preexisting, Services};
use super::{Client, incoming};

fn kinds(client: &Client) -> Vec<String> {
    let sent = client.simulator.outbox().all();
    sent.into_iter().map(|item| item.kind).collect()
}

fn with_rules() -> Client {
    Client::with(|config| {
        config.preexisting = Preexisting {
            rules: true,
            ..Preexisting::nothing()
        };
    })
}

#[tokio::test]
async fn a_new_account_has_done_nothing_yet() {
    let client = Client::new();
    assert!(client.simulator.outbox().all().is_empty());
    assert!(client.simulator.automation_log().all().is_empty());
    client.wait(7 * 86_400);
    client.get("account").await.expect(200);
    assert!(client.simulator.outbox().all().is_empty());
}

#[tokio::test]
async fn rules_run_on_an_imported_ticket_and_open_and_tag_it_and_mail_the_customer() {
    let client = with_rules();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut body = client.history("k:1", ana).await;
    body["messages"].as_array_mut().unwrap().pop();
    let made = client.post("tickets", body).await.expect(201);
    // The answer is from before.
    assert_eq!(made.at("/status"), "closed");
    let snapshot = client.simulator.snapshot();
    assert_eq!(snapshot.tickets[0].status, Status::Open);
    assert_eq!(snapshot.tags_of(&snapshot.tickets[0]), ["auto-tagged"]);
    assert_eq!(kinds(&client), ["auto-reply"]);
    let runs = client.simulator.automation_log().all();
    assert_eq!(runs.len(), 3);
    assert!(runs.iter().all(|run| run.kind == "rule"));
}

#[tokio::test]
async fn an_auto_reply_does_not_answer_the_channel_api() {
    let client = with_rules();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m", ana, "2020-01-01T00:00:00Z");
    message["channel"] = json!("api");
    client
        .ticket(json!({"via": "api", "messages": [message]}))
        .await;
    assert!(kinds(&client).is_empty());
    let runs = client.simulator.automation_log().all();
    assert!(runs.iter().any(|run| run.effect == "tag auto-tagged"));
}

#[tokio::test]
async fn rules_are_listed_and_a_paused_one_does_not_run() {
    let client = with_rules();
    let rules = client.get("rules").await.expect(200);
    let active = |rule: &&serde_json::Value| rule["deactivated_datetime"].is_null();
    assert_eq!(rules.list().len(), 5);
    assert_eq!(rules.list().iter().filter(active).count(), 4);
    for rule in rules.list() {
        let body = json!({
            "name": rule["name"], "code": rule["code"], "event_types": rule["event_types"],
            "priority": rule["priority"], "deactivated_datetime": "2026-01-01T00:00:00+00:00",
        });
        client
            .put(&format!("rules/{}", rule["id"]), body)
            .await
            .expect(202);
    }
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    client
        .put(&format!("tickets/{id}"), json!({"priority": "low"}))
        .await
        .expect(202);
    assert!(client.simulator.automation_log().all().is_empty());
    assert!(client.simulator.set_rule_active("Tag new tickets", true));
    let body = client.history("k:2", ana).await;
    client.ticket(body).await;
    assert_eq!(client.simulator.automation_log().all().len(), 1);
}

#[tokio::test]
async fn rules_may_run_late() {
    let client = with_rules();
    client
        .simulator
        .set_switches(|switches| switches.rule_delay = chrono::Duration::seconds(3));
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    client.ticket(body).await;
    assert!(client.simulator.snapshot().tickets[0].tags.is_empty());
    client.wait(3);
    assert_eq!(client.simulator.snapshot().tickets[0].tags.len(), 1);
}

#[tokio::test]
async fn the_accounts_own_survey_is_mailed_a_day_after_an_answered_ticket_is_closed() {
    let client = Client::quiet();
    client.simulator.set_services(Services {
        surveys: true,
        ..Services::none()
    });
    let ana = client.customer("Ana", "ana@example.com").await;
    for external in ["k:1", "k:2"] {
        let body = client.history(external, ana).await;
        let id = client.ticket(body).await;
        if external == "k:2" {
            let survey = json!({"customer_id": ana, "ticket_id": id, "should_send_datetime": null});
            client
                .post("satisfaction-surveys", survey)
                .await
                .expect(201);
        }
    }
    client.wait(86_400);
    client.get("account").await.expect(200);
    assert_eq!(kinds(&client), ["survey"]);
}

#[tokio::test]
async fn services_act_on_what_is_imported() {
    let client = Client::with(|config| {
        config.preexisting = Preexisting {
            services: Services::all(),
            ..Preexisting::nothing()
        };
    });
    let ana = client.customer("Ana", "ana@example.com").await;
    let me = client.me().await;
    let team = client
        .post("teams", json!({"name": "T", "members": [{"id": me}]}))
        .await
        .expect(201)
        .id();
    let message = incoming("m", ana, "2020-01-01T00:00:00Z");
    let body = json!({"via": "api", "assignee_team": {"id": team}, "messages": [message]});
    client.ticket(body).await;
    assert_eq!(kinds(&client), ["webhook", "notice", "auto-reply"]);
    let runs = client.simulator.automation_log().all();
    let runs: Vec<&str> = runs.iter().map(|run| run.kind.as_str()).collect();
    assert_eq!(runs, ["sla", "auto-assignment", "ai-agent"]);
    let snapshot = client.simulator.snapshot();
    assert_eq!(snapshot.tickets[0].assignee_user_id, Some(me));
    assert_eq!(snapshot.tickets[0].messages.len(), 2);
    assert_eq!(client.get("integrations?type=http").await.list().len(), 1);
    let setting = client
        .get("account/settings?type=satisfaction-surveys")
        .await;
    assert_eq!(setting.at("/data/0/data/send_survey_for_email"), true);
}

#[tokio::test]
async fn a_note_about_a_customer_may_go_to_the_shop_and_macros_of_a_message_run() {
    let client = Client::quiet();
    client.simulator.set_services(Services {
        shop_notes: true,
        ..Services::none()
    });
    let ana = client.customer("Ana", "ana@example.com").await;
    let path = format!("customers/{ana}");
    client
        .put(&path, json!({"note": "Likes tea"}))
        .await
        .expect(202);
    client
        .put(&path, json!({"note": "Likes tea"}))
        .await
        .expect(202);
    assert_eq!(kinds(&client), ["shop"]);
    let mut message = incoming("m", ana, "2020-01-01T00:00:00Z");
    message["macros"] = json!([{"id": 42}]);
    client
        .ticket(json!({"via": "api", "messages": [message]}))
        .await;
    assert_eq!(client.simulator.automation_log().all()[0].kind, "macro");
}

#[tokio::test]
async fn an_import_leaves_events_behind() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let events = client
        .get(&format!("events?object_type=Ticket&object_id={id}"))
        .await
        .expect(200);
    assert_eq!(events.list()[0]["type"], "ticket-created");
    client.delete(&format!("tickets/{id}")).await.expect(204);
    let events = client.get(&format!("events?object_id={id}")).await;
    assert_eq!(events.list().len(), 2);
}
