use serde_json::json;

use super::super::Policy;
use super::Client;

#[tokio::test]
async fn a_ticket_is_made_read_and_changed() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let agent = client.known("agent1@acme.example");
    let group = client.simulator.snapshot().groups[0].id;
    let body = Client::ticket_body(
        requester,
        json!({
            "responder_id": agent, "group_id": group, "type": "Question", "tags": ["imported"],
            "cc_emails": ["cc@x.example"], "custom_fields": {"cf_order_number": "4417"},
            "description": "<p style=\"color:red\" data-x='1'>Hi <b onclick=\"x\">there</b> &amp; 🎉</p>",
        }),
    );
    let made = client.post("tickets", body).await.expect(201);
    let id = made.id();
    assert_eq!(
        made.header("location"),
        Some(format!("https://acme.freshdesk.com/api/v2/tickets/{id}").as_str())
    );
    assert_eq!(
        made.at("/description"),
        "<div><p>Hi <b>there</b> &amp; 🎉</p></div>"
    );
    assert_eq!(made.at("/description_text"), "Hi there & 🎉");
    assert_eq!(made.at("/created_at"), "2026-11-23T09:00:00Z");
    let path = format!("tickets/{id}");
    client.wait(60);
    let change = json!({"subject": "New", "description": "<div>Other</div>", "status": 5});
    let changed = client.put(&path, change).await.expect(200);
    assert_eq!(changed.at("/description"), "<div>Other</div>");
    assert_eq!(changed.at("/updated_at"), "2026-11-23T09:01:00Z");
    let read = client
        .get(&format!("{path}?include=stats,requester,company"))
        .await
        .expect(200);
    assert_eq!(read.at("/stats/closed_at"), "2026-11-23T09:01:00Z");
    assert_eq!(read.at("/requester/email"), "old.customer@example.com");
    // A closed ticket can still be changed.
    client
        .put(&path, json!({"tags": ["late"]}))
        .await
        .expect(200);
    let open = client.put(&path, json!({"status": 2})).await.expect(200);
    assert_eq!(open.at("/status"), 2);
    client.put(&path, json!({})).await.expect(400);
}

#[tokio::test]
async fn five_things_and_a_requester_must_be_given() {
    let client = Client::new();
    let refused = client.post("tickets", json!({})).await.expect(400);
    let fields: Vec<&str> = refused.errors().iter().map(|(field, _)| *field).collect();
    assert_eq!(
        fields,
        [
            "requester_id",
            "status",
            "priority",
            "source",
            "subject",
            "description"
        ]
    );
    assert!(
        refused
            .errors()
            .iter()
            .all(|(_, code)| *code == "missing_field")
    );
    client
        .simulator
        .set_switches(|switches| switches.ticket_fields_mandatory = false);
    let requester = client.known("old.customer@example.com");
    let made = client
        .post("tickets", json!({"requester_id": requester}))
        .await
        .expect(201);
    assert_eq!(
        (made.at("/status"), made.at("/priority")),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn values_that_are_not_there_are_refused() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let company = client.simulator.snapshot().companies[0].id;
    for (field, value) in [
        ("status", json!(9)),
        ("priority", json!(5)),
        ("source", json!(5)),
        ("source", json!(11)),
        ("type", json!("Other")),
        ("responder_id", json!(requester)),
        ("group_id", json!(1)),
        ("company_id", json!(company)),
        ("product_id", json!(1)),
        ("requester_id", json!(1)),
    ] {
        let mut more = json!({});
        more[field] = value;
        let reply = client
            .post("tickets", Client::ticket_body(requester, more))
            .await;
        reply.refused(400, field, "invalid_value");
    }
    for (field, value, code) in [
        ("subject", json!("x".repeat(256)), "too_long"),
        ("created_at", json!("2020-01-01T00:00:00Z"), "invalid_field"),
        ("import_id", json!(1), "invalid_field"),
        ("external_id", json!("x"), "invalid_field"),
        ("priority", json!("1"), "datatype_mismatch"),
    ] {
        let mut more = json!({});
        more[field] = value;
        let reply = client
            .post("tickets", Client::ticket_body(requester, more))
            .await;
        reply.refused(400, field, code);
    }
    client.simulator.set_switches(|switches| {
        switches.given_times = Policy::Tolerated;
        switches.long_subject = Policy::Tolerated;
    });
    let more = json!({"created_at": "2020-01-01T00:00:00Z", "subject": "x".repeat(300)});
    let made = client
        .post("tickets", Client::ticket_body(requester, more))
        .await
        .expect(201);
    assert_eq!(made.at("/created_at"), "2026-11-23T09:00:00Z");
    assert_eq!(made.at("/subject").as_str().unwrap().len(), 255);
}

#[tokio::test]
async fn an_unknown_address_makes_a_contact_in_silence_but_not_when_the_ticket_is_refused() {
    let client = Client::new();
    let before = client.simulator.snapshot().contacts.len();
    let mut body = Client::ticket_body(1, json!({"email": "new@partner.example"}));
    body.as_object_mut().unwrap().remove("requester_id");
    body["priority"] = json!(9);
    client.post("tickets", body.clone()).await.expect(400);
    assert_eq!(client.simulator.snapshot().contacts.len(), before);
    body["priority"] = json!(1);
    let made = client.post("tickets", body.clone()).await.expect(201);
    let contact = client
        .simulator
        .snapshot()
        .person_by_email("new@partner.example")
        .unwrap()
        .clone();
    assert_eq!(made.at("/requester_id"), contact.id);
    assert_eq!(made.at("/company_id"), &json!(contact.company_id));
    assert!(contact.company_id.is_some());
    let again = client.post("tickets", body).await.expect(201);
    assert_eq!(again.at("/requester_id"), contact.id);
    assert_eq!(client.simulator.snapshot().contacts.len(), before + 1);
}

#[tokio::test]
async fn due_times_come_together_in_the_future_and_not_for_what_is_done() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let post = async |more| {
        client
            .post("tickets", Client::ticket_body(requester, more))
            .await
    };
    post(json!({"due_by": "2030-01-01T00:00:00Z"}))
        .await
        .refused(400, "fr_due_by", "missing_field");
    let due = json!({"due_by": "2020-01-02T00:00:00Z", "fr_due_by": "2020-01-01T00:00:00Z"});
    post(due).await.refused(400, "due_by", "invalid_value");
    let mut due = json!({"due_by": "2030-01-02T00:00:00Z", "fr_due_by": "2030-01-01T00:00:00Z"});
    post(due.clone()).await.expect(201);
    due["status"] = json!(5);
    post(due).await.refused(400, "due_by", "incompatible_field");
}

#[tokio::test]
async fn a_note_is_private_unless_said_and_its_author_may_be_a_contact_when_it_is_not() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let agent = client.known("agent1@acme.example");
    let id = client.ticket(requester, json!({})).await;
    let path = format!("tickets/{id}/notes");
    let note = client
        .post(&path, json!({"body": "<p>a</p>"}))
        .await
        .expect(201);
    assert_eq!(note.at("/private"), true);
    assert_eq!(note.at("/source"), 2);
    assert_eq!(note.at("/user_id"), client.simulator.migration_agent());
    let body = json!({"body": "b", "private": false, "incoming": true, "user_id": requester});
    let note = client.post(&path, body).await.expect(201);
    assert_eq!(note.at("/incoming"), true);
    client
        .post(&path, json!({"body": "c", "user_id": agent}))
        .await
        .expect(201);
    let hidden = json!({"body": "d", "user_id": requester});
    client
        .post(&path, hidden.clone())
        .await
        .refused(400, "user_id", "invalid_value");
    client
        .simulator
        .set_switches(|switches| switches.contact_private_note = Policy::Tolerated);
    client.post(&path, hidden).await.expect(201);
    client
        .post(&path, json!({"private": true}))
        .await
        .refused(400, "body", "missing_field");
    let timed = json!({"body": "e", "created_at": "2020-01-01T00:00:00Z"});
    client
        .post(&path, timed)
        .await
        .refused(400, "created_at", "invalid_field");
    let thread = client
        .get(&format!("tickets/{id}/conversations"))
        .await
        .expect(200);
    let texts: Vec<&str> = thread
        .list()
        .iter()
        .map(|c| c["body_text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["a", "b", "c", "d"]);
    client
        .post("tickets/999/notes", json!({"body": "x"}))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_note_is_changed_and_deleted_and_a_reply_only_deleted() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let id = client.ticket(requester, json!({})).await;
    let note = client
        .post(&format!("tickets/{id}/notes"), json!({"body": "a"}))
        .await
        .id();
    let changed = client
        .put(&format!("conversations/{note}"), json!({"body": "b"}))
        .await
        .expect(200);
    assert_eq!(changed.at("/body"), "<div>b</div>");
    let reply = client
        .post(&format!("tickets/{id}/reply"), json!({"body": "r"}))
        .await
        .expect(201);
    assert_eq!(reply.at("/source"), 0);
    let path = format!("conversations/{}", reply.id());
    client.put(&path, json!({"body": "x"})).await.expect(403);
    client.delete(&path).await.expect(204);
    client
        .delete(&format!("conversations/{note}"))
        .await
        .expect(204);
    client
        .delete(&format!("conversations/{note}"))
        .await
        .expect(404);
    let thread = client.get(&format!("tickets/{id}/conversations")).await;
    assert!(thread.list().is_empty());
}

#[tokio::test]
async fn a_reply_is_by_an_agent_from_a_mailbox_and_is_mailed() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let id = client.ticket(requester, json!({})).await;
    let path = format!("tickets/{id}/reply");
    let body = json!({"body": "x", "user_id": requester});
    client
        .post(&path, body)
        .await
        .refused(400, "user_id", "invalid_value");
    let body = json!({"body": "x", "from_email": "me@x.example"});
    client
        .post(&path, body)
        .await
        .refused(400, "from_email", "invalid_value");
    assert_eq!(client.mails(), []);
    let body = json!({"body": "x", "cc_emails": ["cc@x.example"]});
    client.post(&path, body).await.expect(201);
    let expected = ["old.customer@example.com", "cc@x.example"];
    let mails = client.mails();
    let to: Vec<&str> = mails.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, expected);
}

#[tokio::test]
async fn the_channel_api_keeps_times_and_numbers() {
    let client = Client::channel();
    let requester = client.known("old.customer@example.com");
    let agent = client.known("agent1@acme.example");
    let more = json!({
        "import_id": 1001, "created_at": "2024-10-21T16:02:11.500+02:00",
        "updated_at": "2024-10-22T09:00:00Z", "status": 5,
    });
    let body = Client::ticket_body(requester, more);
    let made = client
        .post("/api/channel/v2/tickets", body.clone())
        .await
        .expect(201);
    let id = made.id();
    assert_eq!(made.at("/created_at"), "2024-10-21T14:02:11Z");
    assert_eq!(made.at("/updated_at"), "2024-10-22T09:00:00Z");
    let again = client.post("/api/channel/v2/tickets", body).await;
    again.refused(409, "import_id", "duplicate_value");
    let path = format!("/api/channel/v2/tickets/{id}");
    let later = json!({
        "import_id": 1002, "created_at": "2024-10-22T08:00:00Z", "body": "two", "user_id": agent,
    });
    client
        .post(&format!("{path}/reply"), later)
        .await
        .expect(201);
    let earlier = json!({
        "import_id": 1003, "created_at": "2024-10-21T15:00:00Z", "body": "one", "private": false,
        "incoming": true, "user_id": requester,
    });
    client
        .post(&format!("{path}/notes"), earlier.clone())
        .await
        .expect(201);
    client
        .post(&format!("{path}/notes"), earlier)
        .await
        .refused(409, "import_id", "duplicate_value");
    let thread = client
        .get(&format!("tickets/{id}/conversations"))
        .await
        .expect(200);
    assert_eq!(thread.at("/0/created_at"), "2024-10-21T15:00:00Z");
    assert_eq!(thread.at("/0/body_text"), "one");
    assert_eq!(thread.at("/1/body_text"), "two");
    // Notes move the time of the last change, a last update sets it.
    let now = client.get(&format!("tickets/{id}")).await;
    assert_eq!(now.at("/updated_at"), "2026-11-23T09:00:00Z");
    let back = json!({"updated_at": "2024-10-22T09:00:00Z"});
    let back = client.put(&path, back).await.expect(200);
    assert_eq!(back.at("/updated_at"), "2024-10-22T09:00:00Z");
    client
        .put(&path, json!({"import_id": 1001, "status": 4}))
        .await
        .expect(200);
    let future = json!({"updated_at": "2030-01-01T00:00:00Z"});
    client
        .put(&path, future)
        .await
        .refused(400, "updated_at", "invalid_value");
    let future = json!({"created_at": "2030-01-01T00:00:00Z"});
    let future = client
        .post(
            "/api/channel/v2/tickets",
            Client::ticket_body(requester, future),
        )
        .await;
    future.refused(400, "created_at", "invalid_value");
}

#[tokio::test]
async fn import_ids_may_be_repeated_or_counted_apart_elsewhere() {
    let client = Client::channel();
    let requester = client.known("old.customer@example.com");
    let body = Client::ticket_body(requester, json!({"import_id": 1}));
    let id = client
        .post("/api/channel/v2/tickets", body.clone())
        .await
        .expect(201)
        .id();
    let notes = format!("/api/channel/v2/tickets/{id}/notes");
    let note = json!({"import_id": 1, "body": "x"});
    client
        .post(&notes, note.clone())
        .await
        .refused(409, "import_id", "duplicate_value");
    client
        .simulator
        .set_switches(|switches| switches.import_ids_shared = false);
    client.post(&notes, note).await.expect(201);
    client
        .simulator
        .set_switches(|switches| switches.repeated_import_id = Policy::Tolerated);
    client
        .post("/api/channel/v2/tickets", body)
        .await
        .expect(201);
}

#[tokio::test]
async fn old_objects_have_times_with_an_offset() {
    let client = Client::new();
    let closed = client.get("tickets/2").await.expect(200);
    let text = closed.at("/created_at").as_str().unwrap();
    assert!(text.ends_with("+05:30"), "{text}");
}

#[tokio::test]
async fn a_rating_is_recorded_now() {
    let client = Client::new();
    let path = "tickets/1/satisfaction_ratings";
    let wrong = json!({"ratings": {"default_question": 5}});
    client
        .post(path, wrong)
        .await
        .refused(400, "ratings", "invalid_value");
    let rating = json!({"ratings": {"default_question": 103}, "feedback": "good"});
    let made = client.post(path, rating).await.expect(201);
    assert_eq!(made.at("/created_at"), "2026-11-23T09:00:00Z");
    assert_eq!(client.get(path).await.ids(), [made.id()]);
    assert_eq!(
        client.get("surveys/satisfaction_ratings").await.ids(),
        [made.id()]
    );
}

#[tokio::test]
async fn an_account_may_want_the_agent_in_the_group() {
    let client = Client::with(|config| config.responder_in_group = true);
    let requester = client.known("old.customer@example.com");
    let groups = client.simulator.snapshot().groups;
    let agent = groups[0].agent_ids[0];
    let wrong = json!({"group_id": groups[1].id, "responder_id": agent});
    let reply = client
        .post("tickets", Client::ticket_body(requester, wrong))
        .await;
    reply.refused(400, "responder_id", "invalid_value");
    client
        .ticket(
            requester,
            json!({"group_id": groups[0].id, "responder_id": agent}),
        )
        .await;
}
