//! Tickets, imports, comments, uploads, triggers and automations.

use axum::body::Body;
use serde_json::{Value, json};

use super::super::model::CommentText;
use super::super::{PrivateComment, StatusAge};
use super::Client;

fn comment(body: &str) -> Value {
    json!({"body": body, "public": true})
}

#[tokio::test]
async fn an_import_keeps_times_and_cuts_them_to_whole_seconds() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let ticket = json!({
        "subject": "  Where is my order? ", "requester_id": ana, "status": "closed",
        "created_at": "2020-10-21T14:02:11.789Z", "updated_at": "2020-10-22T09:00:00+02:00",
        "solved_at": "2020-10-22T07:00:00Z",
        "comments": [
            {"author_id": ana, "public": true, "created_at": "2020-10-21T14:02:11.789Z", "body": "Hi"},
            {"public": false, "created_at": "2020-10-21T14:30:00Z", "body": "Asked Dana"},
        ],
    });
    let id = client.import(ticket).await;
    let shown = client.get(&format!("tickets/{id}")).await.expect(200);
    assert_eq!(shown.at("/ticket/created_at"), "2020-10-21T14:02:11Z");
    assert_eq!(shown.at("/ticket/updated_at"), "2020-10-22T07:00:00Z");
    assert_eq!(shown.at("/ticket/subject"), "Where is my order?");
    let comments = client
        .get(&format!("tickets/{id}/comments"))
        .await
        .expect(200);
    assert_eq!(
        comments.at("/comments/0/created_at"),
        "2020-10-21T14:02:11Z"
    );
    assert_eq!(comments.at("/comments/1/public"), false);
    let ticket = &client.simulator.snapshot().tickets[3];
    assert_eq!(
        ticket.solved_at.unwrap().to_rfc3339(),
        "2020-10-22T07:00:00+00:00"
    );
}

#[tokio::test]
async fn an_ordinary_creation_drops_times_in_silence() {
    let client = Client::new();
    let ticket = json!({"ticket": {
        "subject": "x", "created_at": "2020-01-01T00:00:00Z",
        "comment": {"body": "x", "created_at": "2020-01-01T00:00:00Z"},
    }});
    let made = client.post("tickets", ticket).await.expect(201);
    assert_eq!(made.at("/ticket/created_at"), "2026-11-23T09:00:00Z");
    let id = made.id("/ticket/id");
    let comments = client.get(&format!("tickets/{id}/comments")).await;
    assert_eq!(
        comments.at("/comments/0/created_at"),
        "2026-11-23T09:00:00Z"
    );
}

#[tokio::test]
async fn an_import_is_silent_and_an_ordinary_creation_mails() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let ticket = json!({
        "subject": "x", "requester_id": ana, "submitter_id": ana,
        "comments": [comment("x")], "comment": comment("x"),
    });
    let imported = client.import(ticket.clone()).await;
    assert!(client.simulator.outbox().all().is_empty());
    assert!(client.simulator.automation_log().all().is_empty());
    let mails = client
        .get(&format!("email_notifications?filter[ticket_id]={imported}"))
        .await;
    assert_eq!(mails.expect(200).at("/email_notifications"), &json!([]));
    let made = client
        .post("tickets", json!({"ticket": ticket}))
        .await
        .expect(201)
        .id("/ticket/id");
    assert_eq!(client.simulator.outbox().all()[0].to, "ana@example.com");
    assert_eq!(client.simulator.automation_log().all()[0].kind, "trigger");
    let mails = client
        .get(&format!("email_notifications?filter[ticket_id]={made}"))
        .await;
    let address = mails
        .at("/email_notifications/0/recipients/0/email_address")
        .clone();
    assert_eq!(address, "ana@example.com");
}

#[tokio::test]
async fn the_first_update_of_an_imported_ticket_wakes_the_triggers() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let id = client
        .import(json!({"requester_id": ana, "comments": [comment("x")]}))
        .await;
    client
        .put(&format!("tickets/{id}/tags"), json!({"tags": ["late"]}))
        .await
        .expect(200);
    assert_eq!(client.simulator.outbox().all().len(), 1);
    client
        .simulator
        .set_rule_active("Notify requester of any change", false);
    client
        .put(&format!("tickets/{id}/tags"), json!({"tags": ["later"]}))
        .await
        .expect(200);
    assert_eq!(client.simulator.outbox().all().len(), 1);
}

#[tokio::test]
async fn a_comment_from_the_future_or_before_1970_is_refused() {
    let client = Client::new();
    let with = |at: &str| json!({"ticket": {"comments": [{"body": "x", "public": true, "created_at": at}]}});
    let refused = client
        .post("imports/tickets", with("2026-11-23T09:00:01Z"))
        .await
        .expect(422);
    assert_eq!(refused.at("/details/created_at/0/error"), "InvalidValue");
    client
        .post("imports/tickets", with("1969-12-31T00:00:00Z"))
        .await
        .expect(422);
    client
        .post("imports/tickets", with("2026-11-23T09:00:00Z"))
        .await
        .expect(201);
}

#[tokio::test]
async fn times_of_a_ticket_before_1970_are_rounded_up() {
    let client = Client::new();
    let id = client
        .import(json!({"created_at": "1901-01-01T00:00:00Z", "comments": [comment("x")]}))
        .await;
    let shown = client.get(&format!("tickets/{id}")).await;
    assert_eq!(shown.at("/ticket/created_at"), "1970-01-01T00:00:00Z");
}

#[tokio::test]
async fn public_left_out_is_inherited_from_what_the_ticket_was_before() {
    let client = Client::new();
    let publics = |id: u64| {
        let snapshot = client.simulator.snapshot();
        let ticket = snapshot.tickets.iter().find(|t| t.id == id).unwrap();
        ticket.comments.iter().map(|c| c.public).collect::<Vec<_>>()
    };
    let list = json!([{"body": "a", "public": false}, {"body": "b"}, {"body": "c", "public": true}, {"body": "d"}]);
    let id = client.import(json!({"comments": list})).await;
    assert_eq!(publics(id), [false, false, true, true]);
    let id = client.import(json!({"comments": [{"body": "a"}]})).await;
    assert_eq!(publics(id), [true]);
}

#[tokio::test]
async fn the_submitter_is_always_the_author_of_the_first_comment() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let bo = client.user("Bo", "bo@example.com").await;
    let ticket = json!({
        "requester_id": ana, "submitter_id": bo,
        "comments": [{"author_id": ana, "body": "x", "public": true}],
    });
    let id = client.import(ticket).await;
    let comments = client.get(&format!("tickets/{id}/comments")).await;
    assert_eq!(comments.at("/comments/0/author_id"), bo);
}

#[tokio::test]
async fn a_suspended_user_cannot_be_requester_not_even_of_an_import() {
    let client = Client::new();
    let ana = client.user("Ana Ruiz", "ana@example.com").await;
    client
        .put(
            &format!("users/{ana}"),
            json!({"user": {"suspended": true}}),
        )
        .await
        .expect(200);
    let body = json!({"ticket": {"requester_id": ana, "comments": [comment("x")]}});
    let refused = client.post("imports/tickets", body).await.expect(422);
    assert_eq!(
        refused.at("/details/requester/0/description"),
        "Requester: Ana Ruiz is suspended."
    );
    assert_eq!(refused.at("/details/requester/0/error"), "UserSuspended");
}

#[tokio::test]
async fn an_unknown_author_fails_the_ticket_with_a_message_that_does_not_help() {
    let client = Client::new();
    let comments = json!([comment("x"), {"author_id": 4711, "body": "y", "public": true}]);
    let refused = client
        .post("imports/tickets", json!({"ticket": {"comments": comments}}))
        .await;
    assert_eq!(
        refused.expect(422).at("/details/base/0/description"),
        "Comment: Validation failed"
    );
}

#[tokio::test]
async fn description_is_the_first_comment_only_when_there_are_no_comments() {
    let client = Client::new();
    let id = client.import(json!({"description": "only this"})).await;
    let shown = client.get(&format!("tickets/{id}")).await;
    assert_eq!(shown.at("/ticket/description"), "only this");
    let id = client
        .import(json!({"description": "not this", "comments": [comment("this")]}))
        .await;
    let shown = client.get(&format!("tickets/{id}/comments")).await;
    assert_eq!(shown.at("/count"), 1);
    assert_eq!(shown.at("/comments/0/body"), "this");
    client
        .post("imports/tickets", json!({"ticket": {"subject": "x"}}))
        .await
        .expect(422);
}

#[tokio::test]
async fn comment_5001_and_a_comment_over_64_kib_are_refused() {
    let client = Client::new();
    let long = |n: usize| json!({"ticket": {"comments": [comment(&"é".repeat(n / 2))]}});
    client
        .post("imports/tickets", long(65_536))
        .await
        .expect(422);
    client
        .post("imports/tickets", long(65_534))
        .await
        .expect(201);
    let many = |n: usize| json!({"ticket": {"comments": vec![comment("x"); n]}});
    client
        .post("imports/tickets", many(5_001))
        .await
        .expect(422);
    let full = client
        .post("imports/tickets", many(5_000))
        .await
        .expect(201)
        .id("/ticket/id");
    let one_more = json!({"ticket": {"comment": comment("one more")}});
    client
        .put(&format!("tickets/{full}"), one_more)
        .await
        .expect(422);
}

#[tokio::test]
async fn solving_needs_an_assignee_who_is_in_the_group() {
    let client = Client::new();
    let agent = client.known("agent1@acme.example");
    let customer = client.known("old.customer@example.com");
    let group = client
        .post("groups", json!({"group": {"name": "New"}}))
        .await
        .id("/group/id");
    let with = |extra: Value| {
        let mut ticket = json!({"status": "solved", "comments": [comment("x")]});
        ticket
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        json!({"ticket": ticket})
    };
    client
        .post("imports/tickets", with(json!({})))
        .await
        .expect(422);
    client
        .post("imports/tickets", with(json!({"assignee_id": customer})))
        .await
        .expect(422);
    let outside = with(json!({"assignee_id": agent, "group_id": group}));
    client
        .post("imports/tickets", outside.clone())
        .await
        .expect(422);
    let member = json!({"group_membership": {"user_id": agent, "group_id": group}});
    client.post("group_memberships", member).await.expect(201);
    client.post("imports/tickets", outside).await.expect(201);
    client
        .post("imports/tickets", with(json!({"assignee_id": agent})))
        .await
        .expect(201);
    client
        .post("imports/tickets", with(json!({"status": "closed"})))
        .await
        .expect(201);
    client
        .simulator
        .set_switches(|s| s.closed_needs_assignee = true);
    client
        .post("imports/tickets", with(json!({"status": "closed"})))
        .await
        .expect(422);
}

#[tokio::test]
async fn a_new_ticket_with_an_assignee_is_open() {
    let client = Client::new();
    let agent = client.known("agent1@acme.example");
    let ticket = json!({"status": "new", "assignee_id": agent, "comments": [comment("x")]});
    let id = client.import(ticket).await;
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/ticket/status"),
        "open"
    );
}

#[tokio::test]
async fn a_custom_status_decides_the_status() {
    let client = Client::new();
    let body =
        json!({"custom_status": {"status_category": "pending", "agent_label": "Waiting vendor"}});
    let status = client
        .post("custom_statuses", body)
        .await
        .expect(201)
        .id("/custom_status/id");
    let id = client
        .import(json!({"custom_status_id": status, "comments": [comment("x")]}))
        .await;
    let shown = client.get(&format!("tickets/{id}")).await;
    assert_eq!(shown.at("/ticket/status"), "pending");
    assert_eq!(shown.at("/ticket/custom_status_id"), status);
}

#[tokio::test]
async fn an_organization_that_is_not_the_requesters_is_refused_or_replaced() {
    let client = Client::new();
    let body = json!({"organization": {"name": "Elsewhere"}});
    let elsewhere = client
        .post("organizations", body)
        .await
        .id("/organization/id");
    let ana = client.user("Ana", "ana@example.com").await;
    let ticket = json!({"ticket": {
        "requester_id": ana, "organization_id": elsewhere, "comments": [comment("x")],
    }});
    client
        .post("imports/tickets", ticket.clone())
        .await
        .expect(422);
    client
        .simulator
        .set_switches(|s| s.foreign_organization_refused = false);
    let made = client.post("imports/tickets", ticket).await.expect(201);
    assert!(made.at("/ticket/organization_id").is_null());
}

#[tokio::test]
async fn a_closed_ticket_is_frozen_but_a_bulk_edit_of_its_tags_and_its_deletion_work() {
    let client = Client::new();
    let id = client
        .import(json!({"status": "closed", "comments": [comment("x")]}))
        .await;
    let refused = client
        .put(
            &format!("tickets/{id}"),
            json!({"ticket": {"subject": "y"}}),
        )
        .await;
    let refused = refused.expect(422);
    assert!(
        refused
            .at("/details/status/0/description")
            .as_str()
            .unwrap()
            .contains("closed prevents ticket update")
    );
    client
        .put(&format!("tickets/{id}/tags"), json!({"tags": ["a"]}))
        .await
        .expect(422);
    let body = json!({"ticket": {"additional_tags": ["a"]}});
    let job = client
        .put(&format!("tickets/update_many?ids={id}"), body)
        .await
        .expect(200);
    assert_eq!(client.finish(&job).await[0]["success"], true);
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/ticket/tags"),
        &json!(["a"])
    );
    client.delete(&format!("tickets/{id}")).await.expect(204);
}

#[tokio::test]
async fn external_ids_of_tickets_are_not_unique() {
    let client = Client::new();
    for _ in 0..2 {
        client
            .import(json!({"external_id": "k:1", "comments": [comment("x")]}))
            .await;
    }
    let found = client.get("tickets?external_id=k:1").await.expect(200);
    assert_eq!(found.at("/count"), 2);
    assert_eq!(
        client
            .simulator
            .snapshot()
            .tickets_by_external_id("k:1")
            .len(),
        2
    );
}

#[tokio::test]
async fn an_archived_ticket_is_in_no_list_but_is_found_by_id_and_by_search() {
    let client = Client::new();
    let body =
        json!({"ticket": {"external_id": "k:1", "status": "closed", "comments": [comment("x")]}});
    let made = client
        .post("imports/tickets?archive_immediately=true", body)
        .await
        .expect(201);
    let id = made.id("/ticket/id");
    assert_eq!(client.get("tickets?external_id=k:1").await.at("/count"), 0);
    client.get(&format!("tickets/{id}")).await.expect(200);
    client.wait(180);
    let found = client
        .get("search?query=type:ticket%20external_id:k:1")
        .await
        .expect(200);
    assert_eq!(found.at("/results/0/id"), id);
    client.delete(&format!("tickets/{id}")).await.expect(204);
    let ids: Vec<Value> = client
        .get("deleted_tickets")
        .await
        .at("/deleted_tickets")
        .as_array()
        .unwrap()
        .clone();
    assert!(ids.is_empty());
    // Only closed tickets are archived.
    let body = json!({"ticket": {"external_id": "k:2", "comments": [comment("x")]}});
    client
        .post("imports/tickets?archive_immediately=true", body)
        .await
        .expect(201);
    assert_eq!(client.get("tickets?external_id=k:2").await.at("/count"), 1);
}

#[tokio::test]
async fn an_idempotency_key_replays_the_answer_for_two_hours_and_refuses_another_body() {
    let client = Client::new();
    let call = |subject: &str, path: &str| {
        let body = json!({"ticket": {"subject": subject, "comment": comment("x")}});
        let request = client
            .request("POST", path)
            .header("content-type", "application/json")
            .header("idempotency-key", "key-1");
        client.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let first = call("a", "/api/v2/tickets").await.expect(201);
    assert_eq!(first.header("x-idempotency-lookup"), Some("miss"));
    let second = call("a", "/api/v2/tickets").await.expect(201);
    assert_eq!(second.header("x-idempotency-lookup"), Some("hit"));
    assert_eq!(first.id("/ticket/id"), second.id("/ticket/id"));
    let other = call("b", "/api/v2/tickets").await.expect(400);
    assert_eq!(other.at("/error"), "IdempotentRequestError");
    client.wait(7_201);
    assert_eq!(
        call("a", "/api/v2/tickets")
            .await
            .header("x-idempotency-lookup"),
        Some("miss")
    );
    // §18: whether imports know it is a switch.
    let import = call("c", "/api/v2/imports/tickets").await.expect(201);
    assert_eq!(import.header("x-idempotency-lookup"), None);
    client
        .simulator
        .set_switches(|s| s.idempotent_imports = true);
    client.wait(7_201);
    let one = call("c", "/api/v2/imports/tickets")
        .await
        .expect(201)
        .id("/ticket/id");
    assert_eq!(
        call("c", "/api/v2/imports/tickets").await.id("/ticket/id"),
        one
    );
}

#[tokio::test]
async fn the_channel_of_an_import_is_kept_only_if_the_switch_says_so() {
    let client = Client::new();
    let ticket = json!({"via": {"channel": "sms"}, "comments": [comment("x")]});
    let id = client.import(ticket.clone()).await;
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/ticket/via/channel"),
        "api"
    );
    client.simulator.set_switches(|s| s.via_kept = true);
    let id = client.import(ticket).await;
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/ticket/via/channel"),
        "sms"
    );
}

#[tokio::test]
async fn a_private_comment_of_an_end_user_is_kept_made_public_or_refused() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let ticket = json!({"ticket": {
        "requester_id": ana, "comments": [{"author_id": ana, "public": false, "body": "x"}],
    }});
    for (position, public) in [
        (PrivateComment::Kept, false),
        (PrivateComment::MadePublic, true),
    ] {
        client
            .simulator
            .set_switches(|s| s.end_user_private_comment = position);
        let made = client
            .post("imports/tickets", ticket.clone())
            .await
            .expect(201);
        assert_eq!(made.at("/ticket/is_public"), public);
    }
    client
        .simulator
        .set_switches(|s| s.end_user_private_comment = PrivateComment::Refused);
    client.post("imports/tickets", ticket).await.expect(422);
}

#[tokio::test]
async fn a_solved_ticket_is_closed_four_days_later_and_the_log_says_by_what() {
    let client = Client::new();
    let agent = client.known("agent1@acme.example");
    let ticket = json!({
        "status": "solved", "assignee_id": agent, "solved_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z", "comments": [comment("x")],
    });
    let id = client.import(ticket.clone()).await;
    client.wait(4 * 86_400 - 1);
    assert_eq!(client.get(&format!("tickets/{id}")).await.status, 401);
    let client = Client {
        token: client.simulator.admin_token(),
        ..client
    };
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/ticket/status"),
        "solved"
    );
    client.wait(1);
    let shown = client.get(&format!("tickets/{id}")).await;
    assert_eq!(shown.at("/ticket/status"), "closed");
    assert_eq!(shown.at("/ticket/updated_at"), "2026-11-27T09:00:00Z");
    let log = client.simulator.automation_log().all();
    assert!(
        log.iter()
            .any(|run| run.kind == "automation" && run.about == format!("ticket {id}"))
    );
    // §18: if the hours count from the given times, the next full hour is enough.
    client
        .simulator
        .set_switches(|s| s.imported_status_age = StatusAge::GivenTimes);
    let id = client.import(ticket).await;
    client.wait(3_600);
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/ticket/status"),
        "closed"
    );
}

#[tokio::test]
async fn without_automations_a_solved_ticket_is_closed_at_28_days() {
    let client = Client::with(|config| config.preexisting.business_rules = false);
    let agent = client.known("agent1@acme.example");
    let ticket = json!({"status": "solved", "assignee_id": agent, "comments": [comment("x")]});
    let id = client.import(ticket).await;
    let status = |client: &Client| {
        let snapshot = client.simulator.snapshot();
        snapshot
            .tickets
            .iter()
            .find(|t| t.id == id)
            .unwrap()
            .status
            .as_str()
    };
    client.wait(28 * 86_400 - 3_600);
    assert_eq!(status(&client), "solved");
    client.wait(3_600);
    assert_eq!(status(&client), "closed");
}

#[tokio::test]
async fn a_reminder_automation_mails_about_imported_pending_tickets() {
    let client = Client::with(|config| config.preexisting.pending_reminder = true);
    let ana = client.user("Ana", "ana@example.com").await;
    client
        .import(json!({"requester_id": ana, "status": "pending", "comments": [comment("x")]}))
        .await;
    client.wait(23 * 3_600);
    assert!(client.simulator.snapshot().open_jobs == 0);
    let to_ana = |client: &Client| {
        client
            .simulator
            .outbox()
            .all()
            .iter()
            .filter(|mail| mail.to == "ana@example.com")
            .count()
    };
    assert_eq!(to_ana(&client), 0);
    client.wait(3_600);
    client.simulator.snapshot();
    assert_eq!(to_ana(&client), 1);
    client.wait(72 * 3_600);
    client.simulator.snapshot();
    assert_eq!(to_ana(&client), 1);
}

#[tokio::test]
async fn an_upload_token_serves_once_and_dies_after_an_hour() {
    let client = Client::new();
    let with = |token: &str| json!({"ticket": {"comments": [{"body": "x", "public": true, "uploads": [token]}]}});
    let (token, address) = client.upload("a.png", b"bytes").await;
    let made = client
        .post("imports/tickets", with(&token))
        .await
        .expect(201)
        .id("/ticket/id");
    let comments = client.get(&format!("tickets/{made}/comments")).await;
    assert_eq!(comments.at("/comments/0/attachments/0/size"), 5);
    assert_eq!(
        comments.at("/comments/0/attachments/0/content_url"),
        address.as_str()
    );
    client
        .post("imports/tickets", with(&token))
        .await
        .expect(422);
    let (late, _) = client.upload("b.png", b"bytes").await;
    client.wait(3_600);
    client
        .post("imports/tickets", with(&late))
        .await
        .expect(422);
    client
        .simulator
        .set_switches(|s| s.bad_upload_fails = false);
    let made = client
        .post("imports/tickets", with(&late))
        .await
        .expect(201)
        .id("/ticket/id");
    let comments = client.get(&format!("tickets/{made}/comments")).await;
    assert_eq!(comments.at("/comments/0/attachments"), &json!([]));
}

#[tokio::test]
async fn a_failed_ticket_does_not_use_up_its_upload_token() {
    let client = Client::new();
    let (token, _) = client.upload("a.png", b"bytes").await;
    let mut ticket = json!({"ticket": {
        "requester_id": 4711, "comments": [{"body": "x", "public": true, "uploads": [token]}],
    }});
    client
        .post("imports/tickets", ticket.clone())
        .await
        .expect(422);
    ticket["ticket"]
        .as_object_mut()
        .unwrap()
        .remove("requester_id");
    client.post("imports/tickets", ticket).await.expect(201);
}

#[tokio::test]
async fn an_uploaded_file_can_be_downloaded_from_its_address_without_credentials() {
    let client = Client::new();
    let (_, address) = client.upload("caf%C3%A9.png", &[0, 255, 7]).await;
    let path = address
        .strip_prefix("https://acme.zendesk.com")
        .unwrap()
        .to_owned();
    let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
    let file = client.send(request).await.expect(200);
    assert_eq!(file.bytes, [0, 255, 7]);
    assert_eq!(file.header("content-type"), Some("image/png"));
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_and_an_unused_token_can_be_deleted() {
    let client = Client::new();
    client.simulator.set_switches(|s| s.upload_max_bytes = 4);
    let request = client.request("POST", "/api/v2/uploads?filename=big.bin");
    let refused = client
        .send(request.body(Body::from("12345")).unwrap())
        .await
        .expect(413);
    assert_eq!(refused.at("/error"), "AttachmentTooLarge");
    let (token, _) = client.upload("ok.png", b"1234").await;
    assert_eq!(client.simulator.snapshot().unused_uploads, 1);
    client.delete(&format!("uploads/{token}")).await.expect(204);
    client.delete(&format!("uploads/{token}")).await.expect(404);
    assert_eq!(client.simulator.snapshot().unused_uploads, 0);
}

#[tokio::test]
async fn several_files_can_share_a_token() {
    let client = Client::new();
    let (token, _) = client.upload("a.png", b"1").await;
    let (same, _) = client.upload(&format!("b.png&token={token}"), b"2").await;
    assert_eq!(token, same);
    let ticket = json!({"comments": [{"body": "x", "public": true, "uploads": [token]}]});
    let id = client.import(ticket).await;
    let comments = client.get(&format!("tickets/{id}/comments")).await;
    assert_eq!(
        comments
            .at("/comments/0/attachments")
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn an_inline_image_is_shown_only_when_asked_for() {
    let client = Client::new();
    let (token, address) = client.upload("a.png", b"1").await;
    let html = format!("<p>Look: <img src=\"{address}\"></p>");
    let ticket = json!({"comments": [{"html_body": html, "public": true, "uploads": [token]}]});
    let id = client.import(ticket).await;
    let without = client.get(&format!("tickets/{id}/comments")).await;
    assert_eq!(without.at("/comments/0/attachments"), &json!([]));
    let with = client
        .get(&format!("tickets/{id}/comments?include_inline_images=true"))
        .await;
    assert_eq!(with.at("/comments/0/attachments/0/inline"), true);
}

#[tokio::test]
async fn html_is_sanitised_and_wrapped_and_plain_text_passes_byte_for_byte() {
    let client = Client::new();
    let html = "<p onclick=\"x()\">Hi <b>there</b></p><script>alert(1)</script>";
    let text = " a\r\nb & <c> \u{202e}\u{1f468}\u{200d}\u{1f469} e\u{301} \u{200b}";
    let comments = json!([{"html_body": html, "public": true}, {"body": text, "public": true}]);
    let id = client.import(json!({"comments": comments})).await;
    let shown = client.get(&format!("tickets/{id}/comments")).await;
    let wrapped = "<div class=\"zd-comment\" dir=\"auto\"><p>Hi <b>there</b></p></div>";
    assert_eq!(shown.at("/comments/0/html_body"), wrapped);
    assert_eq!(shown.at("/comments/0/plain_body"), "Hi there");
    assert_eq!(shown.at("/comments/1/body"), text);
    let snapshot = client.simulator.snapshot();
    let stored = &snapshot.tickets.last().unwrap().comments[1].text;
    assert_eq!(*stored, CommentText::Plain(text.to_owned()));
}

#[tokio::test]
async fn ticket_updates_are_limited_to_a_hundred_a_minute_and_thirty_per_ticket() {
    let client = Client::with(|config| config.rate_limits = true);
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(client.import(json!({"comments": [comment("x")]})).await);
    }
    let touch = |id: u64| {
        client.put(
            format!("tickets/{id}").leak(),
            json!({"ticket": {"priority": "low"}}),
        )
    };
    for _ in 0..30 {
        touch(ids[0]).await.expect(200);
    }
    touch(ids[0]).await.expect(429);
    for at in 0..69 {
        touch(ids[1 + at % 3]).await.expect(200);
    }
    let refused = touch(ids[1]).await.expect(429);
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn a_safe_update_with_an_old_stamp_is_a_conflict() {
    let client = Client::new();
    let id = client.import(json!({"comments": [comment("x")]})).await;
    let stamp = client
        .get(&format!("tickets/{id}"))
        .await
        .at("/ticket/updated_at")
        .clone();
    client.wait(5);
    client
        .simulator
        .add_comment(id, client.known("agent1@acme.example"), "hello", true)
        .unwrap();
    let body = json!({"ticket": {"subject": "y", "safe_update": true, "updated_stamp": stamp}});
    client.put(&format!("tickets/{id}"), body).await.expect(409);
}

#[tokio::test]
async fn tags_of_the_requester_are_copied_onto_the_ticket() {
    let client = Client::new();
    let body = json!({"user": {"name": "Ana", "tags": ["VIP"], "skip_verify_email": true}});
    let ana = client.post("users", body).await.expect(201).id("/user/id");
    let ticket = json!({"requester_id": ana, "tags": ["A b"], "comments": [comment("x")]});
    let id = client.import(ticket).await;
    let shown = client.get(&format!("tickets/{id}")).await;
    assert_eq!(shown.at("/ticket/tags"), &json!(["a", "b", "vip"]));
}
