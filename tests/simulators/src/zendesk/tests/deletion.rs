//! Deleting tickets and users, softly and for good.

use serde_json::json;

use super::Client;

fn ticket(requester: u64, status: &str) -> serde_json::Value {
    json!({"requester_id": requester, "status": status, "comments": [{"body": "x", "public": true}]})
}

#[tokio::test]
async fn a_deleted_ticket_is_out_of_sight_until_it_is_restored_or_purged() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let id = client.import(ticket(ana, "open")).await;
    client.delete(&format!("tickets/{id}")).await.expect(204);
    client.get(&format!("tickets/{id}")).await.expect(404);
    client.delete(&format!("tickets/{id}")).await.expect(404);
    let deleted = client.get("deleted_tickets").await.expect(200);
    assert_eq!(deleted.at("/deleted_tickets/0/id"), id);
    assert_eq!(deleted.at("/deleted_tickets/0/previous_state"), "open");
    client
        .put(&format!("deleted_tickets/{id}/restore"), json!({}))
        .await
        .expect(200);
    client.get(&format!("tickets/{id}")).await.expect(200);
    client
        .delete(&format!("deleted_tickets/{id}"))
        .await
        .expect(404);
    client.delete(&format!("tickets/{id}")).await.expect(204);
    // A job even for one.
    let job = client
        .delete(&format!("deleted_tickets/{id}"))
        .await
        .expect(200);
    client.finish(&job).await;
    assert_eq!(client.get("deleted_tickets").await.at("/count"), 0);
    assert!(
        client
            .simulator
            .snapshot()
            .tickets
            .iter()
            .all(|t| t.id != id)
    );
    assert!(client.simulator.outbox().all().is_empty());
}

#[tokio::test]
async fn a_deleted_ticket_is_purged_after_thirty_days_by_itself() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    let id = client.import(ticket(ana, "open")).await;
    client.delete(&format!("tickets/{id}")).await.expect(204);
    client.wait(30 * 86_400 - 1);
    assert!(
        client
            .simulator
            .snapshot()
            .tickets
            .iter()
            .any(|t| t.id == id)
    );
    client.wait(1);
    assert!(
        client
            .simulator
            .snapshot()
            .tickets
            .iter()
            .all(|t| t.id != id)
    );
}

#[tokio::test]
async fn a_requester_of_a_ticket_that_is_not_closed_cannot_be_deleted() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    client.import(ticket(ana, "closed")).await;
    let open = client.import(ticket(ana, "open")).await;
    client.delete(&format!("users/{ana}")).await.expect(422);
    let job = client
        .delete(&format!("users/destroy_many?ids={ana}"))
        .await
        .expect(200);
    assert_eq!(client.finish(&job).await[0]["error"], "UserDeleteFailed");
    client.delete(&format!("tickets/{open}")).await.expect(204);
    let deleted = client.delete(&format!("users/{ana}")).await.expect(200);
    assert_eq!(deleted.at("/user/active"), false);
}

#[tokio::test]
async fn a_deleted_user_frees_the_address_and_can_be_removed_for_good() {
    let client = Client::new();
    let ana = client.user("Ana", "ana@example.com").await;
    client
        .delete(&format!("deleted_users/{ana}"))
        .await
        .expect(404);
    client.delete(&format!("users/{ana}")).await.expect(200);
    client.delete(&format!("users/{ana}")).await.expect(404);
    assert_eq!(
        client
            .get(&format!("users/show_many?ids={ana}"))
            .await
            .at("/count"),
        0
    );
    let with = client
        .get(&format!("users/show_many?ids={ana}&include_deleted=true"))
        .await;
    assert_eq!(with.at("/count"), 1);
    client
        .get(&format!("deleted_users/{ana}"))
        .await
        .expect(200);
    client.user("Ana again", "ana@example.com").await;
    client
        .delete(&format!("deleted_users/{ana}"))
        .await
        .expect(200);
    client.get(&format!("users/{ana}")).await.expect(404);
    client
        .delete(&format!("deleted_users/{ana}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn the_account_owner_cannot_be_deleted() {
    let client = Client::new();
    let owner = client.known("owner@acme.example");
    client.delete(&format!("users/{owner}")).await.expect(422);
}

#[tokio::test]
async fn permanent_deletions_of_users_have_a_limit_of_their_own() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.high_volume = true;
    });
    let ana = client.user("Ana", "ana@example.com").await;
    client.delete(&format!("users/{ana}")).await.expect(200);
    for _ in 0..700 {
        client.delete("deleted_users/4711").await.expect(404);
    }
    client
        .delete(&format!("deleted_users/{ana}"))
        .await
        .expect(429);
    client.wait(600);
    client
        .delete(&format!("deleted_users/{ana}"))
        .await
        .expect(200);
}
