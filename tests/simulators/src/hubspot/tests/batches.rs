//! Batches: all or nothing, in part, by unique values.

use super::*;
use crate::hubspot::EmailUpsert;

fn contact(email: &str) -> Value {
    json!({"properties": {"email": email}})
}

#[tokio::test]
async fn one_bad_input_spoils_a_batch_without_trace_ids() {
    let client = Client::empty();
    let inputs = json!([
        contact("a@example.com"),
        contact("nobody"),
        contact("c@example.com")
    ]);
    let refused = client.batch("contacts", "create", inputs).await.expect(400);
    assert_eq!(refused.text("/category"), "VALIDATION_ERROR");
    let list = client.get("/crm/v3/objects/contacts").await.expect(200);
    assert!(list.list("/results").is_empty());
}

#[tokio::test]
async fn with_a_trace_id_on_every_input_the_good_ones_are_made() {
    let client = Client::empty();
    let traced = |email: &str, trace: &str| json!({"objectWriteTraceId": trace, "properties": {"email": email}});
    let inputs = json!([
        traced("a@example.com", "1"),
        traced("nobody", "2"),
        traced("A@example.com", "3")
    ]);
    let part = client.batch("contacts", "create", inputs).await.expect(207);
    assert_eq!(*part.at("/numErrors"), 2);
    assert_eq!(part.text("/results/0/objectWriteTraceId"), "1");
    let errors = part.list("/errors");
    let of = |trace: &str| {
        errors
            .iter()
            .find(|e| e["context"]["objectWriteTraceId"][0] == trace)
            .unwrap()
    };
    assert_eq!(of("2")["category"], "VALIDATION_ERROR");
    // Taken by an earlier input of the same batch.
    assert_eq!(of("3")["category"], "CONFLICT");
    // The same trace twice tells nothing apart.
    let inputs = json!([traced("b@example.com", "1"), traced("nobody", "1")]);
    client.batch("contacts", "create", inputs).await.expect(400);
}

#[tokio::test]
async fn results_come_in_another_order_than_the_inputs() {
    let client = Client::empty();
    let inputs: Vec<Value> = (0..6)
        .map(|n| contact(&format!("n{n}@example.com")))
        .collect();
    let made = client
        .batch("contacts", "create", json!(inputs))
        .await
        .expect(201);
    let emails: Vec<Value> = made
        .list("/results")
        .iter()
        .map(|r| r["properties"]["email"].clone())
        .collect();
    assert_eq!(emails.len(), 6);
    let sent: Vec<Value> = inputs
        .iter()
        .map(|i| i["properties"]["email"].clone())
        .collect();
    assert_ne!(emails, sent);
}

#[tokio::test]
async fn a_batch_has_at_most_a_hundred_inputs() {
    let client = Client::empty();
    let inputs: Vec<Value> = (0..101)
        .map(|n| contact(&format!("n{n}@example.com")))
        .collect();
    client
        .batch("contacts", "create", json!(inputs))
        .await
        .expect(400);
    client
        .batch("contacts", "create", json!(inputs[..100]))
        .await
        .expect(201);
    client
        .batch("contacts", "create", json!([]))
        .await
        .expect(400);
}

#[tokio::test]
async fn a_read_gives_what_is_there_and_names_what_is_missing() {
    let client = Client::empty();
    let id = client
        .make(
            "contacts",
            json!({"email": "a@example.com", "hs_additional_emails": "b@example.com"}),
        )
        .await;
    let body = json!({"inputs": [{"id": id}, {"id": "5"}], "properties": ["email"]});
    let read = client
        .post("/crm/v3/objects/contacts/batch/read", body)
        .await
        .expect(207);
    assert_eq!(read.list("/results").len(), 1);
    assert_eq!(read.text("/errors/0/category"), "OBJECT_NOT_FOUND");
    assert_eq!(*read.at("/errors/0/context/ids"), json!(["5"]));
    let body = json!({"inputs": [{"id": "B@example.com"}], "idProperty": "email"});
    let read = client
        .post("/crm/objects/2026-09/contacts/batch/read", body)
        .await
        .expect(200);
    assert_eq!(read.text("/results/0/id"), id);
    client
        .delete(&format!("/crm/v3/objects/contacts/{id}"))
        .await
        .expect(204);
    let body = json!({"inputs": [{"id": id}]});
    let read = client
        .post("/crm/v3/objects/contacts/batch/read?archived=true", body)
        .await
        .expect(200);
    assert_eq!(*read.at("/results/0/archived"), true);
}

#[tokio::test]
async fn an_upsert_by_a_unique_property_tells_new_from_known() {
    let client = Client::empty();
    client.marker("contacts").await;
    let known = client
        .make(
            "contacts",
            json!({"email": "a@example.com", "kustomer_id": "k1", "phone": "1"}),
        )
        .await;
    let input = |key: &str, properties: Value| json!({"id": key, "idProperty": "kustomer_id", "properties": properties});
    let inputs = json!([
        input("k1", json!({"firstname": "Ana"})),
        input("k2", json!({"firstname": "Ben"}))
    ]);
    let done = client.batch("contacts", "upsert", inputs).await.expect(200);
    let first = result(&done, "kustomer_id", "k1");
    assert_eq!(
        (&first["new"], &first["id"]),
        (&json!(false), &json!(known))
    );
    assert_eq!(first["properties"]["phone"], "1");
    assert_eq!(result(&done, "kustomer_id", "k2")["new"], true);
    // The address of another contact: 400 in the other form.
    let inputs = json!([input("k3", json!({"email": "a@example.com"}))]);
    let refused = client.batch("contacts", "upsert", inputs).await.expect(400);
    assert!(
        refused
            .message()
            .ends_with(&format!("{known} already has that value."))
    );
    // Without the property, or with one that is not unique.
    let missing = json!([{"id": "k1", "properties": {}}]);
    client
        .batch("contacts", "upsert", missing)
        .await
        .expect(400);
    let other = json!([{"id": "Ana", "idProperty": "firstname", "properties": {}}]);
    client.batch("contacts", "upsert", other).await.expect(400);
    let linked =
        json!([{"id": "k1", "idProperty": "kustomer_id", "properties": {}, "associations": []}]);
    client.batch("contacts", "upsert", linked).await.expect(400);
    let twice = json!([
        input("k4", json!({"firstname": "A"})),
        input("k4", json!({"firstname": "A"}))
    ]);
    client.batch("contacts", "upsert", twice).await.expect(400);
}

#[tokio::test]
async fn an_upsert_by_address_is_not_partial() {
    for partial in [false, true] {
        let client = Client::switched(|s| {
            if partial {
                s.email_upsert = EmailUpsert::Partial;
            }
        });
        let id = client
            .make("contacts", json!({"email": "a@example.com", "phone": "1"}))
            .await;
        let inputs = json!([{"id": "a@example.com", "idProperty": "email", "properties": {"firstname": "Ana"}}]);
        client.batch("contacts", "upsert", inputs).await.expect(200);
        let read = client.read("contacts", &id, "phone,email,firstname").await;
        assert_eq!(read["phone"].is_string(), partial);
        assert_eq!(
            (&read["email"], &read["firstname"]),
            (&json!("a@example.com"), &json!("Ana"))
        );
    }
}

#[tokio::test]
async fn an_update_by_record_id_leaves_the_id_property_out() {
    let client = Client::empty();
    let id = client.make("companies", json!({"name": "C"})).await;
    let input = json!([{"id": id, "idProperty": "hs_object_id", "properties": {"name": "D"}}]);
    let refused = client.batch("companies", "update", input).await.expect(400);
    assert!(refused.message().starts_with(
        "Unable to perform update/upsert by non-unique 0-2 property hs_object_id in portal ID"
    ));
    let input = json!([{"id": id, "properties": {"name": "D"}}]);
    client.batch("companies", "update", input).await.expect(200);
    assert_eq!(client.read("companies", &id, "name").await["name"], "D");
    let input = json!([{"id": "5", "objectWriteTraceId": "t", "properties": {"name": "D"}}]);
    let part = client.batch("companies", "update", input).await.expect(207);
    assert_eq!(part.text("/errors/0/category"), "OBJECT_NOT_FOUND");
}

#[tokio::test]
async fn archiving_many_passes_over_what_is_gone() {
    let client = Client::empty();
    let id = client.make("companies", json!({"name": "C"})).await;
    let inputs = json!([{"id": id}, {"id": "5"}]);
    client
        .batch("companies", "archive", inputs.clone())
        .await
        .expect(204);
    client
        .simulator
        .set_switches(|s| s.batch_archive_missing_fails = true);
    client
        .batch("companies", "archive", inputs)
        .await
        .expect(207);
}

#[tokio::test]
async fn a_batch_with_links_fails_for_a_target_that_is_not_there() {
    let client = Client::empty();
    let ticket = client.ticket("S").await;
    let note = |id: &str, kind: u64| {
        json!({
            "properties": {"hs_timestamp": "0", "hs_note_body": "B"},
            "associations": [to(id, kind)],
        })
    };
    client
        .batch(
            "notes",
            "create",
            json!([note(&ticket, 228), note("5", 228)]),
        )
        .await
        .expect(400);
    // The number of the other direction.
    client
        .batch("notes", "create", json!([note(&ticket, 227)]))
        .await
        .expect(400);
    client
        .batch("notes", "create", json!([note(&ticket, 228)]))
        .await
        .expect(201);
    let path = format!("/crm/v4/objects/tickets/{ticket}/associations/notes");
    assert_eq!(
        client.get(&path).await.expect(200).list("/results").len(),
        1
    );
}

#[tokio::test]
async fn a_part_of_a_dated_batch_is_207_or_200() {
    let inputs = json!({"inputs": [
        {"objectWriteTraceId": "1", "properties": {"email": "a@example.com"}},
        {"objectWriteTraceId": "2", "properties": {"email": "nobody"}},
    ]});
    let client = Client::switched(|s| s.partial_is_207_in_dated = false);
    client
        .post("/crm/v3/objects/contacts/batch/create", inputs.clone())
        .await
        .expect(207);
    let client = Client::switched(|s| s.partial_is_207_in_dated = false);
    let part = client
        .post("/crm/objects/2026-09/contacts/batch/create", inputs)
        .await
        .expect(200);
    assert_eq!(*part.at("/numErrors"), 1);
}
