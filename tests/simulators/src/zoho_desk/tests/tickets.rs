//! Tickets with comments, threads, tags, files.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::Client;

#[tokio::test]
async fn a_ticket_is_made_now_by_the_caller_and_its_description_is_the_first_thread() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    let id = client
        .ticket(
            &contact,
            json!({"description": "<p>Late</p>", "priority": "High"}),
        )
        .await;
    let ticket = client.get(&format!("tickets/{id}")).await.expect(200);
    assert_eq!(
        (ticket.at("/status"), ticket.at("/statusType")),
        (&json!("Open"), &json!("Open"))
    );
    assert_eq!(ticket.at("/createdTime"), "2026-11-23T09:00:00.000Z");
    let threads = client
        .get(&format!("tickets/{id}/threads"))
        .await
        .expect(200);
    assert_eq!(threads.data().len(), 1);
    assert_eq!(threads.at("/data/0/isDescriptionThread"), true);
    assert_eq!(threads.at("/data/0/author/email"), "ana@example.com");
    let created = json!({"subject": "x", "departmentId": client.department(), "contactId": contact,
                         "createdTime": "2020-01-01T00:00:00.000Z"});
    client
        .post("tickets", created.clone())
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .simulator
        .set_switches(|switches| switches.created_time_refused = false);
    let made = client.post("tickets", created).await.expect(200);
    assert_eq!(made.at("/createdTime"), "2026-11-23T09:00:00.000Z");
}

#[tokio::test]
async fn what_does_not_fit_a_ticket_is_pointed_at() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let with = |key: &str, value: Value| {
        let mut body =
            json!({"subject": "x", "departmentId": client.department(), "contactId": contact});
        body[key] = value;
        client.post("tickets", body)
    };
    with("subject", json!(" "))
        .await
        .wrong("/subject", "missing");
    with("subject", json!("x".repeat(256)))
        .await
        .wrong("/subject", "invalid");
    with("departmentId", Value::Null)
        .await
        .wrong("/departmentId", "missing");
    with("contactId", Value::Null)
        .await
        .wrong("/contactId", "missing");
    with("contactId", json!(1.5))
        .await
        .wrong("/contactId", "invalid");
    with("status", json!("Unheard of"))
        .await
        .wrong("/status", "invalid");
    with("priority", json!("Urgent"))
        .await
        .wrong("/priority", "invalid");
    with("channel", json!("SMS"))
        .await
        .wrong("/channel", "invalid");
    with("dueDate", json!("2026-11-23T09:00:00+02:00"))
        .await
        .wrong("/dueDate", "invalid");
    with("uploads", json!(["400000000000999999"]))
        .await
        .wrong("/uploads", "invalid");
    with("cf", json!({"cf_severity": "Huge"}))
        .await
        .wrong("/cf/cf_severity", "invalid");
    let former = client.agent("former@acme.example");
    with("assigneeId", json!(former))
        .await
        .wrong("/assigneeId", "invalid");
    with("nothing", json!(1))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    with("cf", json!({"cf_severity": "Major"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_ticket_may_bring_its_contact_along() {
    let client = Client::new();
    let ticket = |email: &str| {
        let contact = json!({"lastName": "Ruiz", "email": email});
        client.post(
            "tickets",
            json!({"subject": "x", "departmentId": client.department(), "contact": contact}),
        )
    };
    let first = ticket("ana@example.com")
        .await
        .expect(200)
        .text("/contactId");
    assert_eq!(
        ticket("Ana@example.com")
            .await
            .expect(200)
            .text("/contactId"),
        first
    );
    let old = client.known("old.customer@example.com");
    assert_eq!(
        ticket("old.customer@example.com")
            .await
            .expect(200)
            .text("/contactId"),
        old
    );
    ticket("no address")
        .await
        .wrong("/contact/email", "invalid");
}

#[tokio::test]
async fn closing_stamps_a_time_and_opening_takes_it_away() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    let path = format!("tickets/{id}");
    client.wait(60);
    let closed = client
        .patch(&path, json!({"status": "Closed"}))
        .await
        .expect(200);
    assert_eq!(closed.at("/closedTime"), "2026-11-23T09:01:00.000Z");
    assert_eq!(closed.at("/statusType"), "Closed");
    let opened = client
        .patch(&path, json!({"status": "Waiting on customer"}))
        .await
        .expect(200);
    assert_eq!(
        (opened.at("/closedTime"), opened.at("/statusType")),
        (&Value::Null, &json!("On Hold"))
    );
    let reply = client
        .post("closeTickets", json!({"ids": [id, "400000000000999999"]}))
        .await
        .expect(200);
    assert_eq!(reply.at("/results/0/success"), true);
    assert_eq!(reply.at("/results/1/success"), &Value::Null);
    assert_eq!(client.get(&path).await.at("/statusType"), "Closed");
}

#[tokio::test]
async fn one_field_of_many_tickets_is_changed_at_once() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let (one, two) = (
        client.ticket(&contact, json!({})).await,
        client.ticket(&contact, json!({})).await,
    );
    let many = |name: &str, value: &str, custom: bool| {
        let body = json!({"ids": [one, two], "fieldName": name, "fieldValue": value, "isCustomField": custom});
        client.post("tickets/updateMany", body)
    };
    many("priority", "Low", false).await.nothing();
    many("cf_contact_reason", "late", true).await.nothing();
    many("priority", "Urgent", false)
        .await
        .refused(422, "INVALID_DATA");
    let ticket = client.get(&format!("tickets/{two}")).await;
    assert_eq!(
        (ticket.at("/priority"), ticket.at("/cf/cf_contact_reason")),
        (&json!("Low"), &json!("late"))
    );
}

#[tokio::test]
async fn a_comment_is_the_callers_and_of_now_and_public_unless_it_says_no() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    let path = format!("tickets/{id}/comments");
    let made = client
        .post(&path, json!({"content": "[k:msg:1] Hello"}))
        .await
        .expect(200);
    assert_eq!(made.at("/isPublic"), true);
    assert_eq!(made.at("/commenter/email"), "admin@acme.example");
    assert_eq!(made.at("/modifiedTime"), &Value::Null);
    let own = format!("{path}/{}", made.id());
    let changed = client
        .patch(&own, json!({"isPublic": false, "content": "x"}))
        .await
        .expect(200);
    assert_eq!(
        (changed.at("/isPublic"), changed.at("/content")),
        (&json!(false), &json!("x"))
    );
    client
        .post(&path, json!({"isPublic": false}))
        .await
        .wrong("/content", "missing");
    let long = json!({"content": "x".repeat(32_001), "isPublic": false});
    client.post(&path, long).await.wrong("/content", "invalid");
    let deleted = client.delete(&own).await.expect(200);
    assert!(deleted.bytes.is_empty());
    client.get(&path).await.nothing();
}

#[tokio::test]
async fn html_comments_do_not_survive_unless_a_switch_says_so() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let path = format!(
        "tickets/{}/comments",
        client.ticket(&contact, json!({})).await
    );
    let body = json!({"content": "<p onclick=\"x\">a<!-- k:msg:1 --></p>", "contentType": "html", "isPublic": false});
    assert_eq!(
        client.post(&path, body.clone()).await.at("/content"),
        "<p>a</p>"
    );
    client
        .simulator
        .set_switches(|switches| switches.html_comments_kept = true);
    assert!(
        client
            .post(&path, body)
            .await
            .text("/content")
            .contains("<!-- k:msg:1 -->")
    );
}

#[tokio::test]
async fn comments_come_fifty_at_first_newest_first() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let path = format!(
        "tickets/{}/comments",
        client.ticket(&contact, json!({})).await
    );
    for n in 0..60 {
        client
            .post(
                &path,
                json!({"content": format!("c{n}"), "isPublic": false}),
            )
            .await
            .expect(200);
        client.wait(1);
    }
    let first = client.get(&path).await.expect(200);
    assert_eq!(
        (first.data().len(), &first.data()[0]["content"]),
        (50, &json!("c59"))
    );
    let oldest = client
        .get(&format!("{path}?sortBy=commentedTime&limit=1"))
        .await
        .expect(200);
    assert_eq!(oldest.data()[0]["content"], "c0");
}

#[tokio::test]
async fn threads_can_only_be_read() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client
        .ticket(&contact, json!({"description": "x".repeat(600)}))
        .await;
    let path = format!("tickets/{id}/threads");
    client
        .post(&path, json!({"content": "x"}))
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
    let list = client.get(&path).await.expect(200);
    assert_eq!(list.at("/data/0/isContentTruncated"), true);
    assert_eq!(list.text("/data/0/content").len(), 500);
    let thread = &list.ids()[0];
    let whole = client.get(&format!("{path}/{thread}")).await.expect(200);
    assert_eq!(
        (
            whole.text("/content").len(),
            whole.at("/isContentTruncated")
        ),
        (600, &json!(false))
    );
    let full = client
        .get(&format!("{path}/{thread}/fullContent"))
        .await
        .expect(200);
    assert_eq!(full.text("/content").len(), 600);
    client
        .delete(&format!("{path}/{thread}"))
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn conversations_mix_threads_and_comments_newest_first() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client
        .ticket(&contact, json!({"description": "first"}))
        .await;
    client.wait(1);
    let comment = json!({"content": "second", "isPublic": false});
    client
        .post(&format!("tickets/{id}/comments"), comment)
        .await
        .expect(200);
    let all = client
        .get(&format!("tickets/{id}/conversations"))
        .await
        .expect(200);
    let kinds: Vec<&Value> = all.data().iter().map(|one| &one["type"]).collect();
    assert_eq!(kinds, ["comment", "thread"]);
    client
        .get(&format!("tickets/{id}/conversations?limit=201"))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
}

#[tokio::test]
async fn a_reply_is_a_mail_and_a_draft_is_none() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    let body = |from: &str| json!({"channel": "EMAIL", "content": "x", "fromEmailAddress": from});
    let draft = client
        .post(
            &format!("tickets/{id}/draftReply"),
            body("support@acme.example"),
        )
        .await
        .expect(200);
    assert_eq!(
        (draft.at("/status"), client.sent("reply")),
        (&json!("DRAFT"), 0)
    );
    let send = format!("tickets/{id}/sendReply");
    client
        .post(&send, body("agent1@acme.example"))
        .await
        .wrong("/fromEmailAddress", "invalid");
    let sent = client
        .post(&send, body("support@acme.example"))
        .await
        .expect(200);
    assert_eq!(
        (sent.at("/direction"), client.sent("reply")),
        (&json!("out"), 1)
    );
    client
        .delete(&format!("tickets/{id}/draftReply/{}", sent.id()))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .delete(&format!("tickets/{id}/draftReply/{}", draft.id()))
        .await
        .expect(200);
}

#[tokio::test]
async fn tags_are_made_in_silence_in_the_department_of_the_ticket() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    let path = format!("tickets/{id}/associateTag");
    let reply = client
        .post(&path, json!({"tags": ["VIP customer", "before-migration"]}))
        .await
        .expect(200);
    assert_eq!(reply.data().len(), 2);
    let department = client.department();
    let list = client
        .get(&format!("ticketTags?departmentId={department}"))
        .await
        .expect(200);
    let names: Vec<&Value> = list.data().iter().map(|tag| &tag["name"]).collect();
    assert_eq!(names, ["before-migration", "VIP customer"]);
    let other = client
        .simulator
        .snapshot()
        .department("Returns Desk")
        .unwrap()
        .id;
    client
        .get(&format!("ticketTags?departmentId={other}"))
        .await
        .nothing();
    for bad in ["ab", "null", "a/b/c", &"x".repeat(51)] {
        client
            .post(&path, json!({"tags": [bad]}))
            .await
            .wrong("/tags/0", "invalid");
    }
    client
        .post(&path, json!({"tags": ["Größe", "a%b+c"]}))
        .await
        .expect(200);
    client
        .post(&path, json!({"tags": vec!["abc"; 52]}))
        .await
        .refused(422, "INVALID_DATA");
    let away = client
        .post(
            &format!("tickets/{id}/dissociateTag"),
            json!({"tags": ["VIP customer"]}),
        )
        .await
        .expect(200);
    assert!(away.bytes.is_empty());
    let list = client
        .get(&format!("ticketTags?departmentId={department}"))
        .await
        .expect(200);
    assert_eq!(list.data().len(), 4);
    assert_eq!(
        client.get(&format!("tickets/{id}/tags")).await.data().len(),
        3
    );
}

#[tokio::test]
async fn a_tag_gives_its_tickets_to_another() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    let path = format!("tickets/{id}/associateTag");
    let tags = client
        .post(&path, json!({"tags": ["one", "two"]}))
        .await
        .expect(200);
    let (one, two) = (tags.text("/data/0/id"), tags.text("/data/1/id"));
    client
        .patch(&format!("tags/{one}/replace"), json!({"id": two}))
        .await
        .nothing();
    assert_eq!(
        client.get(&format!("tickets/{id}/tags")).await.ids(),
        [&two]
    );
    assert_eq!(
        client.get(&format!("tags/{two}/tickets")).await.ids(),
        [&id]
    );
}

#[tokio::test]
async fn a_file_goes_to_a_ticket_in_a_part_called_file() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    let path = format!("tickets/{id}/attachments");
    client.get(&path).await.nothing();
    client
        .file(&path, "attachment", "a.txt", b"hello")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    let made = client
        .file(&path, "file", "a.txt", b"hello")
        .await
        .expect(200);
    assert_eq!(
        (made.at("/size"), made.at("/isPublic")),
        (&json!("5"), &json!(false))
    );
    let href = made.text("/href");
    let own = href.strip_prefix("https://desk.zoho.com").unwrap();
    assert_eq!(client.get(own).await.expect(200).bytes, b"hello");
    let bare = Request::get(own).body(Body::empty()).unwrap();
    client.send(bare).await.refused(401, "UNAUTHORIZED");
    client
        .patch(&format!("{path}/{}", made.id()), json!({"isPublic": true}))
        .await
        .expect(200);
    let public = client
        .get(&format!("{path}?isPublic=true"))
        .await
        .expect(200);
    assert_eq!(public.ids(), [&made.id()]);
    client
        .delete(&format!("{path}/{}", made.id()))
        .await
        .expect(200);
    client.get(&path).await.nothing();
}

#[tokio::test]
async fn an_upload_serves_once_and_expires() {
    let client = Client::switched(|switches| switches.attachment_max_bytes = 5);
    let contact = client.known("old.customer@example.com");
    let id = client.ticket(&contact, json!({})).await;
    client
        .file("uploads", "file", "a.txt", b"hello!")
        .await
        .refused(413, "RESOURCE_SIZE_EXCEEDED");
    let upload = client
        .file("uploads", "file", "a.txt", b"hello")
        .await
        .expect(200);
    let path = format!("tickets/{id}/comments");
    let body = json!({"content": "with a file", "isPublic": false, "attachmentIds": [upload.id()]});
    let comment = client.post(&path, body.clone()).await.expect(200);
    let href = comment.text("/attachments/0/href");
    let own = href.strip_prefix("https://desk.zoho.com").unwrap();
    assert_eq!(client.get(own).await.expect(200).bytes, b"hello");
    client
        .post(&path, body)
        .await
        .wrong("/attachmentIds", "invalid");
    let late = client
        .file("uploads", "file", "b.txt", b"hello")
        .await
        .expect(200)
        .id();
    client
        .simulator
        .set_switches(|switches| switches.token_life = chrono::Duration::days(9));
    client.wait(24 * 3_600);
    let client = Client {
        token: client.simulator.admin_token(),
        ..client
    };
    let body = json!({"content": "x", "isPublic": false, "attachmentIds": [late]});
    client
        .post(&path, body)
        .await
        .wrong("/attachmentIds", "invalid");
}

#[tokio::test]
async fn a_moved_ticket_loses_what_is_of_the_old_department() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let agent = client.agent("agent1@acme.example");
    let team = client
        .simulator
        .snapshot()
        .team("Billing")
        .unwrap()
        .id
        .to_string();
    let id = client
        .ticket(&contact, json!({"assigneeId": agent, "teamId": team}))
        .await;
    client
        .post(
            &format!("tickets/{id}/associateTag"),
            json!({"tags": ["vip"]}),
        )
        .await
        .expect(200);
    let other = client
        .simulator
        .snapshot()
        .department("Returns Desk")
        .unwrap()
        .id;
    client
        .post(
            &format!("tickets/{id}/move?departmentId={other}"),
            Value::Null,
        )
        .await
        .expect(200);
    let moved = client.get(&format!("tickets/{id}")).await.expect(200);
    assert_eq!(
        (moved.at("/teamId"), moved.at("/departmentId")),
        (&Value::Null, &json!(other.to_string()))
    );
    let tags = client
        .get(&format!("ticketTags?departmentId={other}"))
        .await
        .expect(200);
    assert_eq!(tags.data()[0]["name"], "vip");
}
