//! E-mails: frozen at birth, with files that were there before.

use serde_json::{Value, json};

use super::Client;

async fn case(client: &Client) -> String {
    client.make("Case", json!({"Subject": "a"})).await
}

#[tokio::test]
async fn an_email_that_went_out_is_frozen_but_for_little() {
    let client = Client::new();
    let case = case(&client).await;
    let mail = client
        .make("EmailMessage", json!({
            "ParentId": case, "Status": "0", "Incoming": true, "MessageDate": "2024-03-01T10:00:00Z", "Subject": "Hi",
            "FromAddress": "ana@example.com", "HtmlBody": "<p>Hello &amp; bye</p>", "CreatedDate": "2024-03-01T10:00:00Z",
        }))
        .await;
    let read = client.get(&format!("sobjects/EmailMessage/{mail}")).await;
    assert_eq!(read.text("/TextBody"), "Hello & bye");
    assert_eq!(read.text("/MessageDate"), "2024-03-01T10:00:00.000+0000");
    assert_eq!(read.text("/RelatedToId"), case);
    let change = async |body: Value| {
        client
            .patch(&format!("sobjects/EmailMessage/{mail}"), body)
            .await
    };
    change(json!({"Subject": "Other"})).await.expect(403);
    change(json!({"Status": "1", "IsExternallyVisible": true}))
        .await
        .expect(204);
    change(json!({"Status": "0"})).await.expect(403);
    client
        .delete(&format!("sobjects/EmailMessage/{mail}"))
        .await
        .expect(204);
}

#[tokio::test]
async fn an_outgoing_email_gets_a_task_and_an_incoming_one_on_a_case_none() {
    let client = Client::new();
    let case = case(&client).await;
    let out = client
        .make(
            "EmailMessage",
            json!({"ParentId": case, "Status": "3", "Subject": "Re: Hi"}),
        )
        .await;
    client
        .make(
            "EmailMessage",
            json!({"ParentId": case, "Status": "1", "Incoming": true, "Subject": "Hi"}),
        )
        .await;
    let tasks = client
        .query("SELECT Id, Subject, TaskSubtype, Status FROM Task")
        .await;
    assert_eq!(tasks.len(), 1);
    assert_eq!(
        (&tasks[0]["Subject"], &tasks[0]["TaskSubtype"]),
        (&json!("Email: Re: Hi"), &json!("Email"))
    );
    let read = client.get(&format!("sobjects/EmailMessage/{out}")).await;
    assert_eq!(read.at("/ActivityId"), &tasks[0]["Id"]);
    client
        .delete(&format!("sobjects/EmailMessage/{out}"))
        .await
        .expect(204);
    assert_eq!(client.query("SELECT Id FROM Task").await.len(), 1);
    client
        .delete(&format!("sobjects/Case/{case}"))
        .await
        .expect(204);
    assert!(client.query("SELECT Id FROM Task").await.is_empty());
}

#[tokio::test]
async fn files_and_people_are_given_when_the_email_is_made() {
    let client = Client::new();
    let case = case(&client).await;
    let contact = client
        .query("SELECT Id FROM Contact LIMIT 1")
        .await
        .remove(0);
    let version = client
        .make(
            "ContentVersion",
            json!({"PathOnClient": "a.txt", "VersionData": "aGVsbG8="}),
        )
        .await;
    let document = client
        .get(&format!("sobjects/ContentVersion/{version}"))
        .await
        .text("/ContentDocumentId");
    let mail = client
        .make("EmailMessage", json!({
            "ParentId": case, "Status": "3", "ToIds": [contact["Id"]], "ContentDocumentIds": [document],
        }))
        .await;
    let read = client.get(&format!("sobjects/EmailMessage/{mail}")).await;
    assert_eq!(read.at("/HasAttachment"), true);
    let relations = client.query(&format!("SELECT RelationId, RelationType, RelationAddress FROM EmailMessageRelation WHERE EmailMessageId = '{mail}'")).await;
    assert_eq!(
        (&relations[0]["RelationType"], &relations[0]["RelationId"]),
        (&json!("ToAddress"), &contact["Id"])
    );
    assert_eq!(client.simulator.snapshot().files_on(&mail).len(), 1);
    // Afterwards it is too late.
    let link = json!({"ContentDocumentId": document, "LinkedEntityId": mail, "ShareType": "V"});
    client
        .post("sobjects/ContentDocumentLink", link)
        .await
        .expect(400);
    let nothing =
        json!({"ParentId": case, "Status": "3", "ContentDocumentIds": ["069000000000000AAA"]});
    client
        .post("sobjects/EmailMessage", nothing)
        .await
        .expect(400);
}

#[tokio::test]
async fn an_email_without_a_case_was_sent() {
    let client = Client::new();
    client
        .post(
            "sobjects/EmailMessage",
            json!({"Status": "1", "Incoming": true}),
        )
        .await
        .expect(400);
    client
        .post("sobjects/EmailMessage", json!({"Subject": "no status"}))
        .await
        .expect(400);
    client.make("EmailMessage", json!({"Status": "3"})).await;
}
