//! Deleting, and what survives it (Intercom facts §6, §8.5, §9, §13).

use serde_json::{Value, json};

use super::Client;

#[tokio::test]
async fn a_deleted_contact_takes_the_conversations_along() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let deleted = client
        .delete(&format!("contacts/{contact}"))
        .await
        .expect(200);
    assert_eq!(
        (deleted.at("/deleted"), deleted.at("/external_id")),
        (&json!(true), &json!("k1"))
    );
    client
        .get(&format!("conversations/{id}"))
        .await
        .refused(404, "not_found");
    client
        .delete(&format!("contacts/{contact}"))
        .await
        .refused(404, "not_found");
    client.contact("k1").await;
}

#[tokio::test]
async fn a_conversation_is_deleted_once_and_then_listed_as_deleted() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let path = format!("conversations/{id}");
    client
        .delete(&format!("{path}?retain_metrics=false"))
        .await
        .refused(403, "forbidden");
    let deleted = client.delete(&path).await.expect(200);
    assert_eq!(
        deleted.json,
        json!({"id": id, "object": "conversation", "deleted": true})
    );
    client.delete(&path).await.refused(404, "not_found");
    let listed = client.get("conversations/deleted").await.expect(200);
    assert_eq!(
        listed.at("/conversations/0"),
        &json!({
            "type": "conversation", "id": id, "metrics_retained": true, "deleted_at": client.now(),
        })
    );
    client
        .get("conversations/deleted?per_page=61")
        .await
        .refused(400, "parameter_invalid");
    client
        .simulator
        .set_switches(|s| s.second_deletion_missing = false);
    client.delete(&path).await.expect(200);
}

#[tokio::test]
async fn metrics_are_erased_with_the_scope_only() {
    let mut client = Client::with(|config| config.may_erase_metrics = true);
    let contact = client.contact("k1").await;
    let (first, second) = (
        client.conversation(&contact).await,
        client.conversation(&contact).await,
    );
    client
        .delete(&format!("conversations/{first}?retain_metrics=false"))
        .await
        .expect(200);
    client.token = client
        .simulator
        .oauth_token(&["write_conversations", "delete_conversations_and_metrics"]);
    client
        .delete(&format!("conversations/{second}?retain_metrics=false"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_tag_that_a_segment_uses_stays() {
    let client = Client::quiet();
    let tag = client.simulator.add_tag("vip");
    let refused = client
        .delete(&format!("tags/{tag}"))
        .await
        .refused(400, "tag_has_dependent_objects");
    let message = "Unable to delete Tag with dependent objects. Segments: Tagged vip.";
    assert_eq!(refused.at("/errors/0/message"), message);
    let other = client.post("tags", json!({"name": "other"})).await.id();
    let contact = client.contact("k1").await;
    client
        .post(&format!("contacts/{contact}/tags"), json!({"id": other}))
        .await
        .expect(200);
    let deleted = client.delete(&format!("tags/{other}")).await.expect(200);
    assert!(deleted.bytes.is_empty());
    let shown = client.get(&format!("contacts/{contact}")).await.expect(200);
    assert_eq!(shown.at("/tags/total_count"), 0);
    client
        .delete(&format!("tags/{other}"))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn a_deleted_ticket_is_gone() {
    let client = Client::quiet();
    let (kind, _) = client.ticket_type().await;
    let contact = client.contact("k1").await;
    let body = json!({"ticket_type_id": kind, "contacts": [{"id": contact}]});
    let id = client.post("tickets", body).await.expect(200).id();
    client.delete(&format!("tickets/{id}")).await.expect(200);
    client
        .delete(&format!("tickets/{id}"))
        .await
        .refused(404, "ticket_not_found");
    client
        .get(&format!("tickets/{id}"))
        .await
        .refused(404, "ticket_not_found");
}

#[tokio::test]
async fn a_blocked_contact_hides_conversations_and_cannot_come_back() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    client.conversation(&contact).await;
    client
        .post(&format!("contacts/{contact}/block"), Value::Null)
        .await
        .expect(200);
    assert_eq!(
        client
            .get("conversations")
            .await
            .expect(200)
            .at("/total_count"),
        0
    );
    client
        .post("contacts", json!({"external_id": "k1"}))
        .await
        .refused(400, "not_restorable");
}
