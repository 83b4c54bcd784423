//! Many records, and many requests, in one call.

use serde_json::{Value, json};

use super::Client;
use crate::salesforce::RowFault;

fn case(subject: &str) -> Value {
    json!({"attributes": {"type": "Case"}, "Subject": subject})
}

#[tokio::test]
async fn a_collection_answers_row_by_row_in_its_order() {
    let client = Client::new();
    client.external_id("Case").await;
    let mut first = case("a");
    first["Kustomer_Id__c"] = json!("1");
    let body = json!({"allOrNone": false, "records": [first, case(&"x".repeat(300)), first]});
    let reply = client.post("composite/sobjects", body).await.expect(200);
    assert_eq!(reply.at("/0/success"), true);
    assert_eq!(reply.text("/1/errors/0/statusCode"), "STRING_TOO_LONG");
    assert!(
        reply
            .text("/2/errors/0/message")
            .ends_with(&reply.text("/0/id")[..15])
    );
    let used = client.simulator.harness().recorder.count();
    let update = json!({"records": [{"attributes": {"type": "Case"}, "id": reply.text("/0/id"), "Subject": "b"}]});
    let reply = client.patch("composite/sobjects", update).await.expect(200);
    assert_eq!(reply.at("/0/success"), true);
    assert_eq!(client.simulator.harness().recorder.count(), used + 1);
    let ids = reply.text("/0/id");
    let read = client
        .post(
            "composite/sobjects/Case",
            json!({"ids": [ids, "500Hs0000000000AAA"], "fields": ["Subject"]}),
        )
        .await;
    assert_eq!(
        (read.expect(200).json),
        json!([
            {"attributes": {"type": "Case", "url": format!("/services/data/v67.0/sobjects/Case/{ids}")}, "Subject": "b", "Id": ids},
            null,
        ])
    );
    let gone = client
        .delete(&format!("composite/sobjects?ids={ids}&allOrNone=false"))
        .await
        .expect(200);
    assert_eq!(gone.at("/0/success"), true);
    let again = client
        .delete(&format!("composite/sobjects?ids={ids}"))
        .await
        .expect(200);
    assert_eq!(again.text("/0/errors/0/statusCode"), "ENTITY_IS_DELETED");
}

#[tokio::test]
async fn all_or_none_leaves_nothing_behind() {
    let client = Client::empty();
    let body = json!({"allOrNone": true, "records": [case("a"), case(&"x".repeat(300))]});
    let reply = client.post("composite/sobjects", body).await.expect(200);
    assert_eq!(
        reply.text("/0/errors/0/statusCode"),
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert!(client.query("SELECT Id FROM Case").await.is_empty());
    assert_eq!(client.simulator.automation_log().all(), []);
}

#[tokio::test]
async fn a_collection_has_at_most_200_records_and_ten_chunks_and_no_mixture_with_setup() {
    let client = Client::new();
    let many: Vec<Value> = (0..201).map(|_| case("a")).collect();
    client
        .post("composite/sobjects", json!({"records": many}))
        .await
        .expect(400);
    let account = json!({"attributes": {"type": "Account"}, "Name": "A"});
    let chunks: Vec<Value> = (0..6).flat_map(|_| [case("a"), account.clone()]).collect();
    client
        .post("composite/sobjects", json!({"records": chunks}))
        .await
        .expect(400);
    let group = json!({"attributes": {"type": "Group"}, "Name": "G", "Type": "Queue"});
    let reply = client
        .post("composite/sobjects", json!({"records": [account, group]}))
        .await
        .expect(200);
    assert_eq!(reply.text("/1/errors/0/statusCode"), "MIXED_DML_OPERATION");
    // The parser looks at all records before anything is written.
    let broken =
        json!({"records": [case("a"), {"attributes": {"type": "Case"}, "IsEscalated": 5}]});
    assert_eq!(
        client
            .post("composite/sobjects", broken)
            .await
            .expect(400)
            .code(),
        "JSON_PARSER_ERROR"
    );
}

#[tokio::test]
async fn a_collection_of_upserts_says_what_it_made() {
    let client = Client::new();
    client.external_id("Contact").await;
    let contact = |id: &str, name: &str| json!({"attributes": {"type": "Contact"}, "Kustomer_Id__c": id, "LastName": name});
    let path = "composite/sobjects/Contact/Kustomer_Id__c";
    let reply = client
        .patch(
            path,
            json!({"records": [contact("1", "a"), contact("2", "b"), contact("2", "c")]}),
        )
        .await
        .expect(200);
    assert_eq!(reply.at("/0/created"), true);
    assert_eq!(
        reply.text("/1/errors/0/statusCode"),
        "DUPLICATE_EXTERNAL_ID"
    );
    let again = client
        .patch(path, json!({"records": [contact("1", "z")]}))
        .await
        .expect(200);
    assert_eq!(
        (again.at("/0/created"), again.text("/0/id")),
        (&json!(false), reply.text("/0/id"))
    );
}

#[tokio::test]
async fn a_composite_refers_to_earlier_answers_and_can_be_all_or_none() {
    let client = Client::empty();
    let request = |wrong: bool| {
        json!({"allOrNone": true, "compositeRequest": [
            {"method": "POST", "url": "/services/data/v67.0/sobjects/Account", "referenceId": "a", "body": {"Name": "Acme"}},
            {"method": "POST", "url": "/services/data/v67.0/sobjects/Contact", "referenceId": "c",
             "body": {"LastName": if wrong { Value::Null } else { json!("Ruiz") }, "AccountId": "@{a.id}"}},
            {"method": "GET", "url": "/services/data/v67.0/sobjects/Contact/@{c.id}?fields=AccountId", "referenceId": "g"},
        ]})
    };
    let reply = client.post("composite", request(false)).await.expect(200);
    assert_eq!(
        reply.at("/compositeResponse/2/body/AccountId"),
        reply.at("/compositeResponse/0/body/id")
    );
    let reply = client.post("composite", request(true)).await.expect(200);
    assert_eq!(
        reply.text("/compositeResponse/0/body/0/errorCode"),
        "PROCESSING_HALTED"
    );
    assert_eq!(
        reply.text("/compositeResponse/1/body/0/errorCode"),
        "REQUIRED_FIELD_MISSING"
    );
    assert_eq!(client.query("SELECT Id FROM Account").await.len(), 1);
}

#[tokio::test]
async fn batches_are_independent_and_trees_are_all_or_nothing() {
    let client = Client::empty();
    let batch = json!({"batchRequests": [
        {"method": "GET", "url": "v67.0/sobjects/Account/001"}, {"method": "GET", "url": "v67.0/limits"},
    ]});
    let reply = client.post("composite/batch", batch).await.expect(200);
    assert_eq!(
        (reply.at("/hasErrors"), reply.at("/results/1/statusCode")),
        (&json!(true), &json!(200))
    );
    let tree = |name: Value| {
        json!({"records": [{
            "attributes": {"type": "Account", "referenceId": "a"}, "Name": "Acme",
            "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": name}]},
        }]})
    };
    let reply = client
        .post("composite/tree/Account", tree(json!(null)))
        .await
        .expect(400);
    assert_eq!(reply.text("/results/0/referenceId"), "c");
    client
        .post("composite/tree/Account", tree(json!("Ruiz")))
        .await
        .expect(201);
    assert_eq!(
        client
            .query("SELECT Id FROM Contact WHERE Account.Name = 'Acme'")
            .await
            .len(),
        1
    );
    assert_eq!(client.query("SELECT Id FROM Account").await.len(), 1);
}

#[tokio::test]
async fn a_locked_record_fails_alone_and_can_be_tried_again() {
    let client = Client::empty();
    client.simulator.add_row_fault(RowFault {
        object: "Case".to_owned(),
        operation: "insert".to_owned(),
        from: 2,
        to: 2,
        code: "UNABLE_TO_LOCK_ROW",
        message: "unable to obtain exclusive access to this record or 1 records: 001Hs00000000001"
            .to_owned(),
    });
    let reply = client
        .post(
            "composite/sobjects",
            json!({"records": [case("a"), case("b"), case("c")]}),
        )
        .await
        .expect(200);
    let done: Vec<bool> = reply
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["success"].as_bool().unwrap())
        .collect();
    assert_eq!(done, [true, false, true]);
    assert_eq!(reply.text("/1/errors/0/statusCode"), "UNABLE_TO_LOCK_ROW");
    client.make("Case", json!({"Subject": "b"})).await;
}
