//! Conversations and their parts (Intercom facts §8).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Client;
use crate::intercom::{ForeignAddresses, LineEnds, OutsiderReplies, PartOrder};

const AT: i64 = 1_580_000_100;

#[tokio::test]
async fn a_creation_answers_the_message_and_names_the_conversation() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let body = json!({
        "from": {"type": "user", "id": contact}, "body": "Hello <b>there</b>\nyou", "created_at": 1_580_000_000,
    });
    let made = client.post("conversations", body).await.expect(200);
    assert_eq!(
        (made.at("/type"), made.at("/message_type")),
        (&json!("user_message"), &json!("inapp"))
    );
    let id = made.text("/conversation_id");
    assert_ne!(made.id(), id);
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(shown.at("/created_at"), 1_580_000_000);
    // Markup of the first message is text.
    assert_eq!(
        shown.at("/source/body"),
        "<p>Hello &lt;b&gt;there&lt;/b&gt;<br>you</p>"
    );
    client
        .simulator
        .set_switches(|s| s.line_ends = LineEnds::Paragraphs);
    let body = json!({"from": {"type": "user", "id": contact}, "body": "a\nb"});
    let id = client
        .post("conversations", body)
        .await
        .text("/conversation_id");
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(shown.at("/source/body"), "<p>a</p><p>b</p>");
}

#[tokio::test]
async fn only_a_known_contact_begins_one_and_never_in_the_future() {
    let client = Client::switched(|s| s.messaging_lag = chrono::Duration::seconds(3));
    let contact = client.contact("k1").await;
    let body = |id: &str, at: i64| json!({"from": {"type": "user", "id": id}, "body": "x", "created_at": at});
    client
        .post("conversations", body("6762f0cd1bb69f9f2193bb7c", 1))
        .await
        .refused(404, "not_found");
    client
        .post("conversations", body(&contact, 1))
        .await
        .refused(404, "not_found");
    client.wait(3);
    client
        .post("conversations", body(&contact, client.now() + 1))
        .await
        .refused(400, "parameter_invalid");
    client
        .post("conversations", body(&contact, 1))
        .await
        .expect(200);
    let milliseconds = body(&contact, 1_580_000_000_000);
    client
        .post("conversations", milliseconds)
        .await
        .refused(400, "parameter_invalid");
    let by_admin = json!({"from": {"type": "admin", "id": client.me()}, "body": "x"});
    client
        .post("conversations", by_admin)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn replies_keep_their_time_and_come_back_in_its_order() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client
        .admin_reply(&id, "comment", "<p>Third</p>", AT + 20)
        .await
        .expect(200);
    client
        .contact_reply(&id, &contact, "Second", AT + 10)
        .await
        .expect(200);
    let shown = client
        .admin_reply(&id, "note", "<p>First</p>", AT)
        .await
        .expect(200);
    let parts: Vec<(&Value, &Value, &Value)> = shown
        .parts()
        .iter()
        .map(|p| (&p["part_type"], &p["body"], &p["created_at"]))
        .collect();
    assert_eq!(
        parts,
        [
            (&json!("note"), &json!("<p>First</p>"), &json!(AT)),
            (&json!("comment"), &json!("<p>Second</p>"), &json!(AT + 10)),
            (&json!("comment"), &json!("<p>Third</p>"), &json!(AT + 20)),
        ]
    );
    assert_eq!(shown.at("/updated_at"), client.now());
    client
        .simulator
        .set_switches(|s| s.part_order = PartOrder::Made);
    let shown = client
        .admin_reply(&id, "note", "<p>Zero</p>", AT - 50)
        .await
        .expect(200);
    assert_eq!(shown.parts().last().unwrap()["body"], "<p>Zero</p>");
}

#[tokio::test]
async fn a_contacts_markup_is_text_and_an_admins_is_markup() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let shown = client
        .contact_reply(&id, &contact, "<b>x</b> & y", AT)
        .await
        .expect(200);
    assert_eq!(
        shown.parts()[0]["body"],
        "<p>&lt;b&gt;x&lt;/b&gt; &amp; y</p>"
    );
    let shown = client
        .admin_reply(&id, "comment", "<b>x</b> & y", AT + 1)
        .await
        .expect(200);
    assert_eq!(shown.parts()[1]["body"], "<p><b>x</b> &amp; y</p>");
    client
        .simulator
        .set_switches(|s| s.contact_reply_html = true);
    let shown = client
        .contact_reply(&id, &contact, "<p>x</p>", AT + 2)
        .await
        .expect(200);
    assert_eq!(shown.parts()[2]["body"], "<p>x</p>");
}

#[tokio::test]
async fn a_contacts_reply_names_exactly_one_contact() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}/reply");
    let with = |more: Value| {
        let mut body = json!({"message_type": "comment", "type": "user", "body": "x"});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        body
    };
    client
        .post(&path, with(json!({})))
        .await
        .refused(400, "parameter_not_found");
    let both = json!({"user_id": "k1", "email": "k1@example.com"});
    client
        .post(&path, with(both))
        .await
        .refused(400, "parameter_not_found");
    client
        .post(&path, with(json!({"user_id": "nobody"})))
        .await
        .refused(404, "not_found");
    client
        .post(&path, with(json!({"user_id": "k1"})))
        .await
        .expect(200);
    client
        .post(&path, with(json!({"email": "K1@example.com"})))
        .await
        .expect(200);
    let note = json!({"message_type": "note", "type": "user", "body": "x", "user_id": "k1"});
    client
        .post(&path, note)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn an_outsider_cannot_reply_until_made_a_participant() {
    let client = Client::quiet();
    let (contact, other) = (client.contact("k1").await, client.contact("k2").await);
    let id = client.conversation(&contact).await;
    client
        .contact_reply(&id, &other, "x", AT)
        .await
        .refused(400, "parameter_invalid");
    let body = json!({"admin_id": client.me(), "customer": {"intercom_user_id": other}});
    let added = client
        .post(&format!("conversations/{id}/customers"), body)
        .await
        .expect(200);
    assert_eq!(added.list("/customers").len(), 2);
    client.contact_reply(&id, &other, "x", AT).await.expect(200);
    client
        .simulator
        .set_switches(|s| s.outsider_replies = OutsiderReplies::Joined);
    let third = client.contact("k3").await;
    let shown = client.contact_reply(&id, &third, "x", AT).await.expect(200);
    assert_eq!(shown.list("/contacts/contacts").len(), 3);
}

#[tokio::test]
async fn an_unknown_address_of_a_participant_makes_a_lead_and_the_last_one_stays() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}/customers");
    let body = json!({"admin_id": client.me(), "customer": {"email": "new@example.com"}});
    let added = client.post(&path, body).await.expect(200);
    assert_eq!(added.at("/customers/1/type"), "lead");
    let snapshot = client.simulator.snapshot();
    let lead = snapshot.contacts_by_email("new@example.com")[0];
    assert!(lead.by_product);
    let admin = json!({"admin_id": client.me()});
    client
        .call("DELETE", &format!("{path}/{}", lead.id), admin.clone())
        .await
        .expect(200);
    let last = client
        .call("DELETE", &format!("{path}/{contact}"), admin)
        .await;
    last.refused(422, "parameter_invalid");
}

#[tokio::test]
async fn a_reply_to_a_closed_conversation_opens_it_and_is_no_comment_but_an_open() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let close = json!({"message_type": "close", "type": "admin"});
    for by_admin in [false, true] {
        client.manage(&id, close.clone()).await.expect(200);
        let shown = if by_admin {
            client
                .admin_reply(&id, "comment", "x", AT)
                .await
                .expect(200)
        } else {
            client
                .contact_reply(&id, &contact, "x", AT)
                .await
                .expect(200)
        };
        assert_eq!(shown.at("/state"), "open");
        assert!(
            shown
                .parts()
                .iter()
                .any(|part| part["part_type"] == "open" && part["body"] == "<p>x</p>")
        );
    }
    client.manage(&id, close).await.expect(200);
    let shown = client.admin_reply(&id, "note", "x", AT).await.expect(200);
    assert_eq!(shown.at("/state"), "closed");
    client
        .simulator
        .set_switches(|s| s.admin_reply_reopens = false);
    let shown = client
        .admin_reply(&id, "comment", "y", AT)
        .await
        .expect(200);
    assert_eq!(shown.at("/state"), "closed");
}

#[tokio::test]
async fn a_repeated_state_or_assignment_is_refused() {
    let client = Client::new();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client
        .manage(&id, json!({"message_type": "open"}))
        .await
        .refused(400, "parameter_invalid");
    let close = json!({"message_type": "close", "type": "admin"});
    client.manage(&id, close.clone()).await.expect(200);
    client
        .manage(&id, close.clone())
        .await
        .refused(400, "parameter_invalid");
    let team = client
        .simulator
        .snapshot()
        .team("Billing")
        .unwrap()
        .id
        .to_string();
    let assign = json!({"message_type": "assignment", "type": "team", "assignee_id": team});
    let shown = client.manage(&id, assign.clone()).await.expect(200);
    assert_eq!(
        shown.at("/team_assignee_id").as_u64().unwrap().to_string(),
        team
    );
    client
        .manage(&id, assign)
        .await
        .refused(422, "parameter_invalid");
    let unknown = json!({"message_type": "assignment", "type": "admin", "assignee_id": "1"});
    client
        .manage(&id, unknown)
        .await
        .refused(404, "assignee_not_found");
    let admin = json!({"message_type": "assignment", "type": "admin", "assignee_id": client.me()});
    let shown = client.manage(&id, admin).await.expect(200);
    assert!(shown.at("/team_assignee_id").as_u64().unwrap() > 0);
    let nobody = json!({"message_type": "assignment", "type": "team", "assignee_id": "0"});
    assert_eq!(
        client
            .manage(&id, nobody)
            .await
            .expect(200)
            .at("/team_assignee_id"),
        0
    );
    client
        .simulator
        .set_switches(|s| s.same_state_refused = false);
    client.manage(&id, close).await.expect(200);
}

#[tokio::test]
async fn the_parts_of_a_change_are_stamped_now_and_a_snooze_ends_by_itself() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let until = client.now() + 100;
    let past = json!({"message_type": "snoozed", "snoozed_until": client.now()});
    client
        .manage(&id, past)
        .await
        .refused(400, "parameter_invalid");
    let shown = client
        .manage(
            &id,
            json!({"message_type": "snoozed", "snoozed_until": until}),
        )
        .await
        .expect(200);
    assert_eq!(
        (shown.at("/state"), shown.at("/snoozed_until")),
        (&json!("snoozed"), &json!(until))
    );
    assert_eq!(shown.parts()[0]["created_at"], client.now());
    let dated = json!({"message_type": "close", "type": "admin", "created_at": AT});
    client.manage(&id, dated).await.refused(400, "bad_request");
    client.wait(100);
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(
        (shown.at("/state"), shown.at("/snoozed_until")),
        (&json!("open"), &Value::Null)
    );
}

#[tokio::test]
async fn a_conversation_takes_a_title_and_attributes_but_no_priority() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}");
    let unknown = json!({"custom_attributes": {"kus_id": "1"}});
    client
        .put(&path, unknown.clone())
        .await
        .refused(400, "parameter_invalid");
    client.conversation_attribute("kus_id", "string").await;
    client
        .put(&path, json!({"title": "A subject", "read": true}))
        .await
        .expect(200);
    let shown = client.put(&path, unknown.clone()).await.expect(200);
    assert_eq!(
        (shown.at("/title"), shown.at("/custom_attributes/kus_id")),
        (&json!("A subject"), &json!("1"))
    );
    client
        .put(&path, json!({"priority": "high"}))
        .await
        .refused(400, "bad_request");
    // Two live attributes of one name cannot be written.
    client.conversation_attribute("kus_id", "string").await;
    client
        .put(&path, unknown)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn files_are_sent_in_base64_ten_at_most_and_their_addresses_end() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}/reply");
    let file =
        json!({"content_type": "image/png", "name": "a b.png", "data": STANDARD.encode(b"bytes")});
    let body = |files: Vec<Value>| {
        json!({
            "message_type": "comment", "type": "user", "user_id": "k1", "body": "x", "attachment_files": files,
        })
    };
    client
        .post(&path, body(vec![file.clone(); 11]))
        .await
        .refused(400, "parameter_invalid");
    client
        .post(&path, body(vec![json!({"name": "x"})]))
        .await
        .refused(400, "parameter_invalid");
    let shown = client.post(&path, body(vec![file])).await.expect(200);
    let attachment = &shown.parts()[0]["attachments"][0];
    assert_eq!(
        (&attachment["name"], &attachment["filesize"]),
        (&json!("a b.png"), &json!(5))
    );
    let url = attachment["url"].as_str().unwrap();
    let at = url
        .strip_prefix("https://downloads.intercomcdn.com")
        .unwrap();
    let plain = |at: &str| {
        let request = axum::http::Request::get(at).body(axum::body::Body::empty());
        request.unwrap()
    };
    let got = client.send(plain(at)).await.expect(200);
    assert_eq!(
        (got.bytes.as_slice(), got.header("content-type")),
        (b"bytes".as_slice(), Some("image/png"))
    );
    // With a token it is refused, as signed addresses do.
    client
        .get(at.trim_start_matches('/'))
        .await
        .refused(400, "bad_request");
    client.wait(31 * 60);
    client.send(plain(at)).await.refused(403, "forbidden");
    // An answer shows an address that works again.
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_ne!(shown.parts()[0]["attachments"][0]["url"], url);
}

#[tokio::test]
async fn the_first_message_takes_addresses_only_and_foreign_ones_stay_links() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let from = json!({"type": "user", "id": contact});
    let body = json!({"from": from, "body": "x", "attachment_files": []});
    client
        .post("conversations", body)
        .await
        .refused(400, "bad_request");
    let url = "https://kustomer.example/files/a.png?expires=1";
    let body = json!({"from": from, "body": "x", "attachment_urls": [url]});
    let id = client
        .post("conversations", body.clone())
        .await
        .expect(200)
        .text("/conversation_id");
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(shown.at("/source/attachments/0/url"), url);
    assert_eq!(shown.at("/source/attachments/0/filesize"), 0);
    client
        .simulator
        .set_switches(|s| s.foreign_addresses = ForeignAddresses::Refused);
    client
        .post("conversations", body)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_text_with_a_close_is_a_message_to_the_contact() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let close = json!({"message_type": "close", "type": "admin", "body": "Goodbye"});
    let shown = client.manage(&id, close).await.expect(200);
    assert_eq!(shown.parts()[0]["body"], "<p>Goodbye</p>");
    assert_eq!((client.sent("messenger"), client.sent("email")), (1, 1));
}

#[tokio::test]
async fn last_is_the_contacts_newest_conversation() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let first = client.conversation(&contact).await;
    client.wait(1);
    let second = client.conversation(&contact).await;
    client.wait(1);
    client
        .contact_reply(&first, &contact, "x", AT)
        .await
        .expect(200);
    let shown = client
        .contact_reply("last", &contact, "y", AT)
        .await
        .expect(200);
    assert_eq!(shown.id(), first);
    assert_ne!(shown.id(), second);
}

#[tokio::test]
async fn a_write_limit_can_be_set() {
    let client = Client::switched(|s| s.write_limit = Some(2));
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client
        .contact_reply(&id, &contact, "x", AT)
        .await
        .expect(200);
    client
        .contact_reply(&id, &contact, "y", AT)
        .await
        .expect(200);
    client
        .contact_reply(&id, &contact, "z", AT)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_part_is_blanked_but_never_deleted() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client
        .contact_reply(&id, &contact, "secret", AT)
        .await
        .expect(200);
    let shown = client
        .manage(&id, json!({"message_type": "close", "type": "admin"}))
        .await
        .expect(200);
    let part = |at: usize| json!({"type": "conversation_part", "conversation_id": id, "conversation_part_id": shown.parts()[at]["id"]});
    let blank = client
        .post("conversations/redact", part(0))
        .await
        .expect(200);
    assert_eq!(blank.parts()[0]["redacted"], true);
    assert!(!blank.json.to_string().contains("secret"));
    client
        .post("conversations/redact", part(1))
        .await
        .refused(400, "conversation_part_not_redactable");
    let missing = json!({"type": "source", "conversation_id": id, "source_id": "1"});
    client
        .post("conversations/redact", missing)
        .await
        .refused(404, "conversation_part_or_message_not_found");
}

#[tokio::test]
async fn tags_of_a_conversation_need_an_admin() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let tag = client.post("tags", json!({"name": "vip"})).await.id();
    let path = format!("conversations/{id}/tags");
    client
        .post(&path, json!({"id": tag}))
        .await
        .refused(400, "parameter_not_found");
    client
        .post(&path, json!({"id": "1", "admin_id": client.me()}))
        .await
        .refused(404, "tag_not_found");
    client
        .post(&path, json!({"id": tag, "admin_id": client.me()}))
        .await
        .expect(200);
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(shown.at("/tags/tags/0/name"), "vip");
    let admin = json!({"admin_id": client.me()});
    client
        .call("DELETE", &format!("{path}/{tag}"), admin.clone())
        .await
        .expect(200);
    client
        .call("DELETE", &format!("{path}/{tag}"), admin)
        .await
        .refused(404, "tag_not_found");
}
