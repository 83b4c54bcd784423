//! Tickets: making and changing them.

use serde_json::{Value, json};

use super::super::model::Status;
use super::{Client, incoming};

#[tokio::test]
async fn a_ticket_keeps_everything_it_was_made_with() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let me = client.me().await;
    let team = client
        .post("teams", json!({"name": "Returns"}))
        .await
        .expect(201)
        .id();
    let mut body = client.history("k:1", ana).await;
    body["priority"] = json!("high");
    body["assignee_user"] = json!({"id": me});
    body["assignee_team"] = json!({"id": team});
    body["meta"] = json!({"kustomer_id": "5f"});
    body["tags"] = json!([{"name": "vip"}, {"name": "Late"}]);
    body["opened_datetime"] = json!("2019-07-05T14:50:00+00:00");
    let made = client.post("tickets", body.clone()).await.expect(201);
    let read = client
        .get(&format!("tickets/{}", made.id()))
        .await
        .expect(200);
    for key in [
        "external_id",
        "channel",
        "via",
        "status",
        "priority",
        "subject",
        "language",
        "meta",
        "created_datetime",
        "opened_datetime",
        "closed_datetime",
        "updated_datetime",
    ] {
        assert_eq!(read.json[key], body[key], "{key}");
    }
    assert_eq!(read.at("/customer/id"), ana);
    assert_eq!(
        (read.at("/assignee_user_id"), read.at("/assignee_team_id")),
        (&json!(me), &json!(team))
    );
    assert_eq!(read.at("/tags/1/name"), "Late");
    let messages = read.at("/messages").as_array().unwrap();
    for (got, sent) in messages.iter().zip(body["messages"].as_array().unwrap()) {
        for key in [
            "external_id",
            "channel",
            "from_agent",
            "created_datetime",
            "sent_datetime",
        ] {
            assert_eq!(got[key], sent[key], "{key}");
        }
    }
    assert_eq!(
        read.at("/last_message_datetime"),
        "2019-07-05T15:00:00+00:00"
    );
    assert_eq!(
        read.at("/last_received_message_datetime"),
        "2019-07-05T14:42:00+00:00"
    );
    assert!(client.simulator.outbox().all().is_empty());
    assert!(client.simulator.automation_log().all().is_empty());
}

#[tokio::test]
async fn a_creation_has_1_to_500_messages_and_is_all_or_nothing() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let many = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|n| incoming(&n.to_string(), ana, "2020-01-01T00:00:00Z"))
            .collect()
    };
    client
        .post("tickets", json!({"via": "api", "messages": []}))
        .await
        .refused("/messages");
    client
        .post("tickets", json!({"via": "api", "messages": many(501)}))
        .await
        .refused("/messages");
    client
        .post("tickets", json!({"messages": many(1)}))
        .await
        .refused("/via");
    let mut messages = many(500);
    messages[499]["sender"] = json!({"id": 1});
    messages[0]["sender"] = json!({"email": "new@example.com"});
    let body = json!({"via": "api", "tags": [{"name": "x"}], "messages": messages});
    client
        .post("tickets", body)
        .await
        .refused("/messages/499/sender/id");
    let snapshot = client.simulator.snapshot();
    let left = (
        snapshot.tickets.len(),
        snapshot.messages.len(),
        snapshot.tags.len(),
    );
    assert_eq!((left, snapshot.customers.len()), ((0, 0, 0), 1));
    client
        .post("tickets", json!({"via": "api", "messages": many(500)}))
        .await
        .expect(201);
}

#[tokio::test]
async fn an_external_id_is_not_unique_so_a_second_post_is_a_second_ticket() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let first = client.ticket(body.clone()).await;
    let second = client.ticket(body).await;
    assert_ne!(first, second);
    assert_eq!(
        client
            .simulator
            .snapshot()
            .tickets_by_external_id("k:1")
            .len(),
        2
    );
    assert_eq!(client.get("tickets?external_id=k:1").await.list().len(), 2);
}

#[tokio::test]
async fn what_the_account_knows_is_not_taken_and_what_is_too_long_neither() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    for (key, value) in [
        ("id", json!(5)),
        ("excerpt", json!("x")),
        ("status", json!("snoozed")),
        ("priority", json!("urgent")),
        ("subject", json!("x".repeat(999))),
        ("external_id", json!("x".repeat(256))),
        ("created_datetime", json!("yesterday")),
        ("assignee_user", json!({"id": 1})),
        ("assignee_team", json!({"id": 1})),
        ("customer", json!({"id": 1})),
    ] {
        let mut body = client.history("k:1", ana).await;
        body[key] = value;
        client
            .post("tickets", body)
            .await
            .refused(&format!("/{key}"));
    }
    let mut body = client.history("k:1", ana).await;
    body["events"] = json!([]);
    body["requester"] = json!({"id": 1});
    client.post("tickets", body).await.expect(201);
}

#[tokio::test]
async fn an_update_changes_what_it_names_but_never_the_time_of_creation() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut body = client.history("k:1", ana).await;
    body["tags"] = json!([{"name": "a"}, {"name": "b"}]);
    body["assignee_user"] = json!({"id": client.me().await});
    let path = format!("tickets/{}", client.ticket(body).await);
    let done = client
        .put(&path, json!({"priority": "low"}))
        .await
        .expect(202);
    assert_eq!(
        (done.at("/priority"), done.at("/status")),
        (&json!("low"), &json!("closed"))
    );
    assert_ne!(done.at("/updated_datetime"), "2019-07-06T09:00:00+00:00");
    let done = client
        .put(&path, json!({"tags": [{"name": "c"}]}))
        .await
        .expect(202);
    assert_eq!(done.at("/tags").as_array().unwrap().len(), 1);
    let done = client
        .put(&path, json!({"assignee_user": {"id": null}}))
        .await
        .expect(202);
    assert!(done.at("/assignee_user").is_null());
    let time = json!({"created_datetime": "2018-01-01T00:00:00Z"});
    client
        .put(&path, time.clone())
        .await
        .refused("/created_datetime");
    client
        .put(&path, json!({"messages": []}))
        .await
        .refused("/messages");
    client
        .simulator
        .set_switches(|switches| switches.put_created_refused = false);
    let done = client.put(&path, time).await.expect(202);
    assert_eq!(done.at("/created_datetime"), "2019-07-05T14:42:00+00:00");
}

#[tokio::test]
async fn tags_are_added_replaced_and_taken_away_with_empty_answers() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let path = format!("tickets/{}/tags", client.ticket(body).await);
    let vip = client
        .post("tags", json!({"name": "vip"}))
        .await
        .expect(201)
        .id();
    let names = async || -> Vec<String> {
        let tags = client.get(&path).await.expect(200);
        assert!(tags.at("/meta").is_null());
        tags.list()
            .iter()
            .map(|t| t["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let done = client
        .post(&path, json!({"ids": [vip], "names": ["late"]}))
        .await
        .expect(201);
    assert!(done.bytes.is_empty());
    assert_eq!(names().await, ["vip", "late"]);
    client
        .call("DELETE", &path, json!({"names": ["vip", "unknown"]}))
        .await
        .expect(204);
    assert_eq!(names().await, ["late"]);
    client.put(&path, json!({"names": ["x"]})).await.expect(202);
    assert_eq!(names().await, ["x"]);
    client.put(&path, json!({})).await.expect(202);
    assert!(names().await.is_empty());
    client
        .post(&path, json!({"ids": [1]}))
        .await
        .refused("/ids");
    assert!(client.simulator.snapshot().tag("unknown").is_none());
}

#[tokio::test]
async fn a_snoozed_ticket_opens_when_its_time_has_come() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut body = client.history("k:1", ana).await;
    let now = client.simulator.harness().clock.now_ms();
    body["snooze_datetime"] = json!(crate::common::Clock::iso(now + 60_000));
    let id = client.ticket(body).await;
    let status = || client.simulator.snapshot().tickets[0].status;
    assert_eq!(status(), Status::Closed);
    client.wait(60);
    assert_eq!(status(), Status::Open);
    assert!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/snooze_datetime")
            .is_null()
    );
}

#[tokio::test]
async fn a_language_is_guessed_when_none_is_given() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m", ana, "2020-01-01T00:00:00Z");
    message["body_text"] = json!("Bonjour, vous avez perdu le colis et la facture ?");
    let made = client
        .post("tickets", json!({"via": "api", "messages": [message]}))
        .await
        .expect(201);
    assert_eq!(made.at("/language"), "fr");
    assert_eq!(made.at("/customer/id"), ana);
    assert_eq!(
        (made.at("/status"), made.at("/priority")),
        (&json!("open"), &json!("normal"))
    );
}

#[tokio::test]
async fn a_ticket_has_one_survey_which_is_mailed_unless_told_never() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let survey = |should_send: Value| {
        json!({
            "customer_id": ana, "ticket_id": id, "score": 4, "body_text": "Good",
            "created_datetime": "2019-07-07T00:00:00Z", "scored_datetime": "2019-07-07T00:00:00Z",
            "should_send_datetime": should_send,
        })
    };
    let made = client
        .post("satisfaction-surveys", survey(Value::Null))
        .await
        .expect(201);
    client
        .post("satisfaction-surveys", survey(Value::Null))
        .await
        .expect(409);
    client.wait(3 * 86_400);
    let ticket = client.get(&format!("tickets/{id}")).await;
    assert_eq!(ticket.at("/satisfaction_survey/score"), 4);
    assert!(client.simulator.outbox().all().is_empty());
    let path = format!("satisfaction-surveys/{}", made.id());
    client
        .put(&path, json!({"score": 5}))
        .await
        .refused("/ticket_id");
    let with = |score: u8| json!({"customer_id": ana, "ticket_id": id, "score": score});
    let mut body = with(5);
    body["should_send_datetime"] = Value::Null;
    let done = client.put(&path, body).await;
    assert!(done.expect(202).at("/body_text").is_null());
    client.put(&path, with(6)).await.refused("/score");
    // Left out is not never.
    client.put(&path, with(5)).await.expect(202);
    client.get("account").await.expect(200);
    assert_eq!(client.simulator.outbox().all()[0].kind, "survey");
}
