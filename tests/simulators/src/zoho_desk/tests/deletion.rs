//! The recycle bin, spam, what goes along.

use serde_json::{Value, json};

use super::{Client, contact_row, ticket_row};

async fn trash(client: &Client, module: &str, key: &str, ids: &[&str]) -> super::Reply {
    client
        .post(&format!("{module}/moveToTrash"), json!({ key: ids }))
        .await
}

#[tokio::test]
async fn a_trashed_ticket_is_shown_but_not_listed_nor_changed_and_can_come_back() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    let id = client.ticket(&contact, json!({})).await;
    trash(&client, "tickets", "ticketIds", &[&id])
        .await
        .nothing();
    let path = format!("tickets/{id}");
    assert_eq!(client.get(&path).await.expect(200).at("/isTrashed"), true);
    client
        .get(&format!("contacts/{contact}/tickets"))
        .await
        .nothing();
    client
        .patch(&path, json!({"priority": "Low"}))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    let comment = json!({"content": "x", "isPublic": false});
    client
        .post(&format!("{path}/comments"), comment)
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    let bin = client.get("recycleBin?module=tickets").await.expect(200);
    assert_eq!(
        (bin.ids(), bin.at("/data/0/displayName")),
        (vec![id.as_str()], &json!("Where is it?"))
    );
    let restored = client
        .post("recycleBin/restore", json!({"ids": [id]}))
        .await
        .expect(200);
    assert_eq!(restored.at("/results/0/success"), true);
    assert_eq!(client.get(&path).await.at("/isTrashed"), false);
}

#[tokio::test]
async fn what_is_deleted_for_good_is_a_404_with_everything_of_its_own() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    let id = client.ticket(&contact, json!({"description": "x"})).await;
    let not_yet = client
        .post("recycleBin/delete", json!({"ids": [id]}))
        .await
        .expect(200);
    assert_eq!(not_yet.at("/results/0/success"), &Value::Null);
    assert_eq!(
        not_yet.at("/results/0/errors/errorCode"),
        "UNPROCESSABLE_ENTITY"
    );
    trash(&client, "tickets", "ticketIds", &[&id])
        .await
        .nothing();
    let gone = client
        .post("recycleBin/delete", json!({"ids": [id]}))
        .await
        .expect(200);
    assert_eq!(gone.at("/results/0/success"), true);
    client
        .get(&format!("tickets/{id}"))
        .await
        .refused(404, "URL_NOT_FOUND");
    let own: u64 = id.parse().unwrap();
    let snapshot = client.simulator.snapshot();
    assert!(
        snapshot
            .threads
            .values()
            .all(|thread| thread.ticket_id != own)
    );
    trash(&client, "tickets", "ticketIds", &[&id])
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .simulator
        .set_switches(|switches| switches.trash_unknown_refused = false);
    trash(&client, "tickets", "ticketIds", &[&id])
        .await
        .nothing();
}

#[tokio::test]
async fn a_contact_takes_its_tickets_along_whoever_made_them() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    let id = client.ticket(&contact, json!({})).await;
    trash(&client, "contacts", "contactIds", &[&contact])
        .await
        .nothing();
    assert_eq!(
        client.get(&format!("tickets/{id}")).await.at("/isTrashed"),
        true
    );
    // Bringing the ticket back brings its contact back.
    client
        .post("recycleBin/restore", json!({"ids": [id]}))
        .await
        .expect(200);
    assert_eq!(
        client
            .get(&format!("contacts/{contact}"))
            .await
            .at("/isTrashed"),
        false
    );
    trash(&client, "contacts", "contactIds", &[&contact])
        .await
        .nothing();
    client
        .post("recycleBin/delete", json!({"ids": [contact]}))
        .await
        .expect(200);
    client
        .get(&format!("tickets/{id}"))
        .await
        .refused(404, "URL_NOT_FOUND");
}

#[tokio::test]
async fn a_contact_comes_back_with_its_tickets_only_if_asked() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    let id = client.ticket(&contact, json!({})).await;
    for (asked, trashed) in [(false, true), (true, false)] {
        trash(&client, "contacts", "contactIds", &[&contact])
            .await
            .nothing();
        let body = json!({"ids": [contact], "isChildNeedToBeRestored": asked});
        client.post("recycleBin/restore", body).await.expect(200);
        assert_eq!(
            client.get(&format!("tickets/{id}")).await.at("/isTrashed"),
            trashed
        );
    }
}

#[tokio::test]
async fn no_more_than_fifty_at_a_time() {
    let client = Client::new();
    let ids: Vec<String> = (0..51)
        .map(|n| (400_000_000_000_000_001_u64 + n).to_string())
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    trash(&client, "contacts", "contactIds", &ids)
        .await
        .wrong("/contactIds", "invalid");
}

#[tokio::test]
async fn the_recycle_bin_empties_after_sixty_days() {
    let client = Client::switched(|switches| switches.token_life = chrono::Duration::days(365));
    let contact = client.contact("ana@example.com").await;
    trash(&client, "contacts", "contactIds", &[&contact])
        .await
        .nothing();
    client.wait(60 * 86_400 - 1);
    client.get(&format!("contacts/{contact}")).await.expect(200);
    client.wait(1);
    client
        .get(&format!("contacts/{contact}"))
        .await
        .refused(404, "URL_NOT_FOUND");
}

#[tokio::test]
async fn a_mapping_goes_with_its_entity_but_not_into_the_bin() {
    let client = Client::new();
    let make = async || {
        let data = json!({
            "contacts": [contact_row("k:cust:1")],
            "tickets": [ticket_row(&client, "k:1", "k:cust:1", json!({}))],
        });
        client.imported(data).await;
        client.mapped("contacts", &["k:cust:1"]).await.remove(0)
    };
    let contact = make().await;
    trash(&client, "contacts", "contactIds", &[&contact])
        .await
        .nothing();
    assert!(
        client
            .mapped("contacts", &["k:cust:1"])
            .await
            .contains(&contact)
    );
    client
        .post("recycleBin/delete", json!({"ids": [contact]}))
        .await
        .expect(200);
    assert!(client.mapped("contacts", &["k:cust:1"]).await.is_empty());
    assert!(client.mapped("tickets", &["k:1"]).await.is_empty());
    client
        .simulator
        .set_switches(|switches| switches.mappings_outlive = true);
    let contact = make().await;
    trash(&client, "contacts", "contactIds", &[&contact])
        .await
        .nothing();
    client
        .post("recycleBin/delete", json!({"ids": [contact]}))
        .await
        .expect(200);
    assert_eq!(client.mapped("contacts", &["k:cust:1"]).await, [contact]);
}

#[tokio::test]
async fn spam_is_deleted_past_the_bin() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    let id = client.ticket(&contact, json!({})).await;
    let delete = || client.post("tickets/deleteSpam", json!({"ticketIds": [id]}));
    assert_eq!(
        delete().await.expect(200).at("/results/0/success"),
        &Value::Null
    );
    let body = json!({"ids": [id], "isSpam": true});
    client.post("tickets/markSpam", body).await.expect(200);
    client
        .get(&format!("contacts/{contact}/tickets"))
        .await
        .nothing();
    assert_eq!(delete().await.expect(200).at("/results/0/success"), true);
    client
        .get(&format!("tickets/{id}"))
        .await
        .refused(404, "URL_NOT_FOUND");
    client.get("recycleBin").await.nothing();
}

#[tokio::test]
async fn everything_in_the_bin_goes_or_comes_back_at_once() {
    let client = Client::new();
    let mine = client.contact("ana@example.com").await;
    let others = client.known("old.customer@example.com");
    client
        .simulator
        .trash_record(others.parse().unwrap())
        .unwrap();
    trash(&client, "contacts", "contactIds", &[&mine])
        .await
        .nothing();
    client
        .post("recycleBin/restoreAll", Value::Null)
        .await
        .expect(202);
    client.get("recycleBin").await.nothing();
    client
        .simulator
        .trash_record(others.parse().unwrap())
        .unwrap();
    client
        .post("recycleBin/deleteAll", Value::Null)
        .await
        .expect(202);
    client
        .get(&format!("contacts/{others}"))
        .await
        .refused(404, "URL_NOT_FOUND");
}
