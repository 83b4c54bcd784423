//! The inbox and custom channels.

use super::*;

fn channel() -> Client {
    let mut client = Client::with(|config| config.custom_channels = vec![2_001]);
    client.token = client.simulator.token_with(&[
        "conversations.read",
        "conversations.write",
        "conversations.custom_channels.write",
    ]);
    client
}

fn message(direction: &str, key: &str) -> Value {
    json!({
        "messageDirection": direction, "timestamp": "2024-03-01T10:00:00Z", "text": "Hello", "channelAccountId": "acc1",
        "integrationThreadId": "conversation-1", "integrationIdempotencyId": key, "recipients": [],
        "senders": [{"deliveryIdentifier": {"type": "HS_EMAIL_ADDRESS", "value": "ana@example.com"}}],
    })
}

#[tokio::test]
async fn a_custom_channel_keeps_times_and_makes_no_message_twice() {
    let client = channel();
    let path = "/conversations/v3/custom-channels/2001/messages";
    let first = client
        .post(path, message("INCOMING", "k1"))
        .await
        .expect(201);
    assert_eq!(first.text("/createdAt"), "2024-03-01T10:00:00Z");
    let again = client
        .post(path, message("INCOMING", "k1"))
        .await
        .expect(201);
    assert_eq!(again.id(), first.id());
    assert!(client.simulator.outbox().all().is_empty());
    client
        .post(
            "/conversations/custom-channels/2026-09/2001/messages",
            message("OUTGOING", "k2"),
        )
        .await
        .expect(201);
    assert_eq!(client.simulator.outbox().all().len(), 1);
    let threads = client
        .get("/conversations/v3/conversations/threads")
        .await
        .expect(200);
    assert_eq!(threads.list("/results").len(), 1);
    let thread = format!(
        "/conversations/v3/conversations/threads/{}",
        threads.text("/results/0/id")
    );
    assert_eq!(
        client
            .get(&format!("{thread}/messages"))
            .await
            .list("/results")
            .len(),
        2
    );
    // A comment is for agents only; a message leaves.
    let comment = json!({"type": "COMMENT", "text": "Internal"});
    client
        .post(&format!("{thread}/messages"), comment)
        .await
        .expect(201);
    assert_eq!(client.simulator.outbox().all().len(), 1);
    let sent = json!({"type": "MESSAGE", "text": "Hi", "channelId": "2001", "channelAccountId": "acc1", "senderActorId": "A-1"});
    client
        .post(&format!("{thread}/messages"), sent)
        .await
        .expect(201);
    assert_eq!(client.simulator.outbox().all().len(), 2);
    client.delete(&thread).await.expect(204);
    client.get(&thread).await.expect(404);
    client
        .patch(
            &format!("{thread}?archived=true"),
            json!({"archived": false}),
        )
        .await
        .expect(200);
    client.get(&thread).await.expect(200);
    client.delete(&thread).await.expect(204);
    client.wait(30 * 86_400);
    client
        .get(&format!("{thread}?archived=true"))
        .await
        .expect(404);
}

#[tokio::test]
async fn without_a_registered_channel_nothing_can_be_published() {
    let client = Client::new();
    let path = "/conversations/v3/custom-channels/2001/messages";
    client
        .post(path, message("INCOMING", "k1"))
        .await
        .expect(403);
    let client = channel();
    let path = "/conversations/v3/custom-channels/2002/messages";
    client
        .post(path, message("INCOMING", "k1"))
        .await
        .expect(404);
}
