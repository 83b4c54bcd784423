//! What is large must still be quick.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Client;

#[tokio::test]
async fn three_thousand_replies_are_quick_and_the_newest_five_hundred_are_shown() {
    let client = Client::quiet();
    client.simulator.harness().recorder.set_on(false);
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}/reply");
    let begun = Instant::now();
    for number in 0..3_000 {
        let body = json!({
            "message_type": "comment", "type": "user", "intercom_user_id": contact,
            "body": format!("message {number}"), "created_at": 1_580_000_000 + number,
        });
        let request = axum::http::Request::post(format!("/{path}"))
            .header("authorization", format!("Bearer {}", client.token))
            .header("intercom-version", "2.16")
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body.to_string()));
        let response = tower::ServiceExt::oneshot(client.simulator.router(), request.unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let shown = client.get(&format!("conversations/{id}")).await.expect(200);
    assert_eq!(
        (
            shown.parts().len(),
            shown.at("/conversation_parts/total_count")
        ),
        (500, &json!(3_000))
    );
    assert_eq!(shown.at("/statistics/count_conversation_parts"), 3_000);
    assert_eq!(shown.parts()[0]["body"], "<p>message 2500</p>");
}

#[tokio::test]
async fn a_file_of_twenty_megabytes_arrives_whole() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let bytes: Vec<u8> = (0..20 * 1024 * 1024_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let body = json!({
        "message_type": "comment", "type": "user", "intercom_user_id": contact, "body": "x",
        "attachment_files": [{"content_type": "video/mp4", "name": "a.mp4", "data": STANDARD.encode(&bytes)}],
    });
    let shown = client
        .post(&format!("conversations/{id}/reply"), body)
        .await
        .expect(200);
    assert_eq!(shown.parts()[0]["attachments"][0]["filesize"], bytes.len());
    let snapshot = client.simulator.snapshot();
    let file = &snapshot.conversations[0].parts[0].attachments[0];
    assert_eq!(file.content.as_deref(), Some(bytes.as_slice()));
}

#[tokio::test]
async fn two_thousand_conversations_are_found_quickly() {
    let client = Client::quiet();
    client.simulator.harness().recorder.set_on(false);
    let begun = Instant::now();
    let mut contacts = Vec::new();
    for number in 0..200 {
        contacts.push(client.contact(&format!("k{number}")).await);
    }
    for contact in contacts.iter().cycle().take(2_000) {
        client.conversation(contact).await;
    }
    client.wait(60);
    for contact in &contacts {
        let query = json!({"query": {"operator": "AND", "value": [
            {"field": "contact_ids", "operator": "=", "value": contact},
            {"field": "created_at", "operator": "=", "value": 1_580_000_000},
        ]}});
        let found = client.post("conversations/search", query).await.expect(200);
        assert_eq!(found.at("/total_count"), 10);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
