//! Looking at an org from outside.

use serde_json::json;

use super::Client;
use crate::common::Clock;

#[tokio::test]
async fn the_same_work_gives_the_same_fingerprint_whatever_the_ids_and_times() {
    let work = async |before: i64, noise: usize| {
        let client = Client::with(|config| config.clock = Clock::at(1_795_424_400_000 + before));
        for _ in 0..noise {
            let id = client.make("Account", json!({"Name": "Noise"})).await;
            client
                .delete(&format!("sobjects/Account/{id}"))
                .await
                .expect(204);
        }
        client.external_id("Case").await;
        client.custom_object("Order__c", "").await;
        let contact = client.make("Contact", json!({"LastName": "Ruiz"})).await;
        let case = client
            .make(
                "Case",
                json!({"Subject": "a", "ContactId": contact, "Kustomer_Id__c": "57f1"}),
            )
            .await;
        client.wait(i64::try_from(noise).unwrap() * 60);
        let note = format!("see /{case}");
        client.make("CaseComment", json!({"ParentId": case, "CommentBody": note, "CreatedDate": "2024-03-01T10:00:00Z"})).await;
        client
            .make(
                "EmailMessage",
                json!({"ParentId": case, "Status": "3", "MessageDate": "2024-03-01T10:00:00Z"}),
            )
            .await;
        client.simulator.state_fingerprint()
    };
    let first = work(0, 0).await;
    assert_eq!(first, work(5_000, 3).await);
    let text = first.to_string();
    assert!(
        text.contains("see /Case:57f1") && text.contains("2024-03-01T10:00:00.000+0000"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_taken_back_leaves_no_trace_in_the_fingerprint() {
    let client = Client::new();
    let before = client.simulator.state_fingerprint();
    client.custom_object("Order__c", "").await;
    client.external_id("Case").await;
    let case = client.make("Case", json!({"Kustomer_Id__c": "57f1"})).await;
    assert_ne!(before, client.simulator.state_fingerprint());
    client
        .delete(&format!("sobjects/Case/{case}"))
        .await
        .expect(204);
    let set = client.permission_set().await;
    client
        .delete(&format!("sobjects/PermissionSet/{set}"))
        .await
        .expect(204);
    for (sort, name) in [
        ("CustomObject", "Order__c"),
        ("CustomField", "Case.Kustomer_Id__c"),
    ] {
        let body = format!(
            "<met:deleteMetadata><met:type>{sort}</met:type><met:fullNames>{name}</met:fullNames></met:deleteMetadata>"
        );
        client.soap(&body).await.expect(200);
    }
    assert_eq!(before, client.simulator.state_fingerprint());
}

#[tokio::test]
async fn an_admin_beside_the_migration_makes_changes_and_deletes_records() {
    let client = Client::new();
    let id = client
        .simulator
        .make("Account", &json!({"Name": "By hand"}))
        .unwrap();
    client
        .simulator
        .change(&id, &json!({"Phone": "123"}))
        .unwrap();
    assert_eq!(
        client
            .get(&format!("sobjects/Account/{id}"))
            .await
            .text("/Phone"),
        "123"
    );
    client.simulator.remove(&id).unwrap();
    client
        .get(&format!("sobjects/Account/{id}"))
        .await
        .expect(404);
    assert!(client.simulator.make("Account", &json!({})).is_err());
}
