//! Data attributes, conversation attributes, custom objects (Intercom facts §9).

use serde_json::{Value, json};

use super::{Client, number};
use crate::intercom::model::ObjectType;

#[tokio::test]
async fn names_are_unique_over_contacts_and_companies() {
    let client = Client::quiet();
    let body =
        |name: &str, model: &str| json!({"name": name, "model": model, "data_type": "string"});
    client
        .post("data_attributes", body("tier", "company"))
        .await
        .expect(200);
    let refused = client
        .post("data_attributes", body("tier", "contact"))
        .await
        .refused(400, "parameter_invalid");
    assert_eq!(
        refused.at("/errors/0/message"),
        "You already have 'tier' in your company data. To save this as new people data, use a different name."
    );
    client
        .post("data_attributes", body("!nv@l!d", "contact"))
        .await
        .refused(400, "parameter_invalid");
    let conversation = client.get("data_attributes?model=conversation").await;
    conversation.refused(422, "parameter_invalid");
}

#[tokio::test]
async fn a_list_needs_two_options_and_is_read_back_as_a_text() {
    let client = Client::quiet();
    let body = |options: Value| json!({"name": "tier", "model": "contact", "data_type": "options", "options": options});
    client
        .post("data_attributes", body(json!([{"value": "a"}])))
        .await
        .refused(400, "parameter_invalid");
    let two = json!([{"value": "a"}, {"value": "b"}]);
    let made = client.post("data_attributes", body(two)).await.expect(200);
    assert_eq!(
        (made.at("/data_type"), made.at("/options")),
        (&json!("string"), &json!(["a", "b"]))
    );
    let other = json!({"role": "user", "custom_attributes": {"tier": "c"}});
    client
        .post("contacts", other)
        .await
        .refused(400, "parameter_invalid");
    let path = format!("data_attributes/{}", made.id());
    client
        .put(&path, json!({"data_type": "integer"}))
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn attributes_are_archived_not_deleted_and_keep_their_name() {
    let client = Client::switched(|s| s.data_attributes = 1);
    let body = |name: &str| json!({"name": name, "model": "contact", "data_type": "string"});
    let id = client
        .post("data_attributes", body("tier"))
        .await
        .expect(200)
        .id();
    client
        .post("data_attributes", body("other"))
        .await
        .refused(400, "parameter_invalid");
    let path = format!("data_attributes/{id}");
    client.delete(&path).await.refused(404, "not_found");
    client.simulator.depend_on_attribute(number(&id)).unwrap();
    client
        .put(&path, json!({"archived": true}))
        .await
        .refused(422, "data_invalid");
    let other = Client::quiet();
    let id = other
        .post("data_attributes", body("tier"))
        .await
        .expect(200)
        .id();
    other
        .put(&format!("data_attributes/{id}"), json!({"archived": true}))
        .await
        .expect(200);
    other
        .post("data_attributes", body("tier"))
        .await
        .refused(400, "parameter_invalid");
    let custom = |reply: &super::Reply| {
        reply
            .list("/data")
            .iter()
            .filter(|one| one["custom"] == true)
            .count()
    };
    assert_eq!(custom(&other.get("data_attributes?model=contact").await), 0);
    assert_eq!(
        custom(
            &other
                .get("data_attributes?model=contact&include_archived=true")
                .await
        ),
        1
    );
    let value = json!({"role": "user", "custom_attributes": {"tier": "x"}});
    other
        .post("contacts", value)
        .await
        .refused(400, "parameter_invalid");
    other
        .simulator
        .set_switches(|s| s.archived_names_taken = false);
    other
        .post("data_attributes", body("tier"))
        .await
        .expect(200);
}

#[tokio::test]
async fn conversation_attributes_have_types_and_options_of_their_own() {
    let client = Client::quiet();
    let body = json!({"name": "x", "data_type": "options"});
    client
        .post("conversations/attributes", body)
        .await
        .refused(422, "parameter_invalid");
    let body = json!({"name": "status", "data_type": "list", "options": [{"label": "new"}, {"label": "done"}]});
    let list = client
        .post("conversations/attributes", body)
        .await
        .expect(200);
    let path = format!("conversations/attributes/{}", list.id());
    client
        .post(&format!("{path}/options"), json!({"label": "late"}))
        .await
        .expect(200);
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let set = |label: &str| json!({"custom_attributes": {"status": label}});
    let at = format!("conversations/{id}");
    client
        .put(&at, set("never"))
        .await
        .refused(400, "parameter_invalid");
    assert_eq!(
        client
            .put(&at, set("late"))
            .await
            .expect(200)
            .at("/custom_attributes/status"),
        "late"
    );
    let archived = client.delete(&path).await.expect(200);
    assert_eq!(archived.at("/archived"), true);
    client
        .put(&at, set("late"))
        .await
        .refused(400, "parameter_invalid");
    client
        .get("conversations/attributes/1")
        .await
        .refused(404, "conversation_attribute_not_found");
    let text = client.conversation_attribute("text", "string").await;
    let options = format!("conversations/attributes/{text}/options");
    client
        .post(&options, json!({"label": "x"}))
        .await
        .refused(422, "parameter_invalid");
}

fn orders() -> ObjectType {
    let pair = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    ObjectType {
        identifier: "Order".to_owned(),
        attributes: [pair("number", "text"), pair("total", "decimal")].into(),
        contact_reference: Some("orders".to_owned()),
        object_references: [pair("replaces", "Order")].into(),
        ..ObjectType::default()
    }
}

#[tokio::test]
async fn a_type_that_nobody_made_in_the_settings_is_a_404() {
    let client = Client::quiet();
    let body = json!({"external_id": "1", "custom_attributes": {"number": "A"}});
    let path = "custom_object_instances/Order";
    let refused = client
        .post(path, body.clone())
        .await
        .refused(404, "not_found");
    assert_eq!(
        refused.at("/errors/0/message"),
        "Custom object type `Order` not found"
    );
    client.simulator.add_object_type(orders());
    client.post(path, body).await.expect(200);
}

#[tokio::test]
async fn instances_are_written_over_by_external_id_and_keep_their_own_times() {
    let client = Client::quiet();
    client.simulator.add_object_type(orders());
    let path = "custom_object_instances/Order";
    let body = json!({"external_id": "1", "external_created_at": 1_392_036_272, "custom_attributes": {"number": "A"}});
    let first = client.post(path, body).await.expect(200);
    let body = json!({"external_id": "1", "custom_attributes": {"total": 9.5}});
    let second = client.post(path, body).await.expect(200);
    assert_eq!(first.id(), second.id());
    assert_eq!(second.at("/external_created_at"), 1_392_036_272);
    assert_eq!(
        second.at("/custom_attributes"),
        &json!({"number": "A", "total": 9.5})
    );
    for wrong in [json!({"colour": "red"}), json!({"total": "x"})] {
        let body = json!({"external_id": "2", "custom_attributes": wrong});
        assert_eq!(client.post(path, body).await.status, 400);
    }
    client
        .get(&format!("{path}?external_id=1"))
        .await
        .expect(200);
    client
        .get(&format!("{path}/{}", first.id()))
        .await
        .expect(200);
    client.get(&format!("{path}/1")).await.expect(200);
    assert_eq!(client.get(path).await.expect(200).at("/total_count"), 1);
    client
        .delete(&format!("{path}?external_id=1"))
        .await
        .expect(200);
    client
        .delete(&format!("{path}/{}", first.id()))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn references_are_set_by_intercoms_ids_and_may_go_round() {
    let client = Client::quiet();
    client.simulator.add_object_type(orders());
    let path = "custom_object_instances/Order";
    let mut ids = Vec::new();
    for external_id in ["1", "2"] {
        ids.push(
            client
                .post(path, json!({"external_id": external_id}))
                .await
                .expect(200)
                .id(),
        );
    }
    for (external_id, other) in [("1", &ids[1]), ("2", &ids[0])] {
        let body = json!({"external_id": external_id, "custom_attributes": {"replaces": [other]}});
        let shown = client.post(path, body).await.expect(200);
        assert_eq!(
            shown.at("/custom_attributes/replaces/instances/0/id"),
            &json!(other)
        );
    }
    let contact = client.contact("k1").await;
    let at = format!("contacts/{contact}");
    let set = |ids: Value| json!({"custom_attributes": {"orders": ids}});
    client
        .put(&at, set(json!(["1"])))
        .await
        .refused(404, "not_found");
    client.put(&at, set(json!([ids[0]]))).await.expect(200);
    let shown = client.put(&at, set(json!([ids[1]]))).await.expect(200);
    assert_eq!(shown.at("/custom_attributes/orders/type"), "Order.list");
    assert_eq!(shown.list("/custom_attributes/orders/instances").len(), 1);
    client
        .simulator
        .set_switches(|s| s.references_replaced = false);
    let shown = client.put(&at, set(json!([ids[0]]))).await.expect(200);
    assert_eq!(shown.list("/custom_attributes/orders/instances").len(), 2);
    let listed = client
        .get(&format!("{path}?references_contact_id={contact}"))
        .await
        .expect(200);
    assert_eq!(listed.at("/total_count"), 2);
}

#[tokio::test]
async fn a_relationship_of_a_conversation_is_made_by_the_api() {
    let client = Client::quiet();
    client.simulator.add_object_type(orders());
    let order = client
        .post("custom_object_instances/Order", json!({"external_id": "1"}))
        .await
        .id();
    let body = json!({
        "name": "order", "data_type": "relationship", "reference": {"type": "many", "object_type_id": "Order"},
    });
    client
        .post("conversations/attributes", body)
        .await
        .expect(200);
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    let set = json!({"custom_attributes": {"order": [order]}});
    let shown = client
        .put(&format!("conversations/{id}"), set)
        .await
        .expect(200);
    assert_eq!(
        shown.at("/custom_attributes/order/instances/0/external_id"),
        "1"
    );
    let body = json!({"name": "x", "data_type": "relationship", "reference": {"type": "one", "object_type_id": "No"}});
    client
        .post("conversations/attributes", body)
        .await
        .refused(422, "parameter_invalid");
}
