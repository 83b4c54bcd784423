//! Custom objects.

use super::*;
use crate::hubspot::Plan;

fn order() -> Value {
    json!({
        "name": "kustomer_order", "labels": {"singular": "Order", "plural": "Orders"}, "primaryDisplayProperty": "order_number",
        "requiredProperties": ["order_number"], "searchableProperties": ["order_number"],
        "properties": [
            {"name": "order_number", "label": "Order number", "type": "string", "fieldType": "text"},
            {"name": "kustomer_id", "label": "Kustomer id", "type": "string", "fieldType": "text", "hasUniqueValue": true},
        ],
        "associatedObjects": ["CONTACT", "TICKET"],
    })
}

#[tokio::test]
async fn a_custom_object_has_records_links_and_three_names() {
    let client = Client::empty();
    let made = client.post("/crm/v3/schemas", order()).await.expect(201);
    let id = made.id();
    assert!(id.starts_with("2-"));
    assert_eq!(made.text("/fullyQualifiedName"), "p44218907_kustomer_order");
    let contact = client.make("contacts", json!({"firstname": "A"})).await;
    for name in ["p_kustomer_order", "p44218907_kustomer_order", &id] {
        let record = client.make(name, json!({"order_number": "1"})).await;
        let path =
            format!("/crm/v4/objects/{name}/{record}/associations/default/contacts/{contact}");
        client.call("PUT", &path, Value::Null).await.expect(200);
    }
    client
        .try_make("kustomer_order", json!({"order_number": "1"}))
        .await
        .expect(400);
    client
        .try_make("p_kustomer_order", json!({"kustomer_id": "1"}))
        .await
        .expect(400);
    let labels = client
        .get(&format!("/crm/v4/associations/{id}/contacts/labels"))
        .await
        .expect(200);
    assert_eq!(labels.text("/results/0/category"), "USER_DEFINED");
    let number = labels.at("/results/0/typeId").clone();
    // HubSpot's numbers are another space.
    let wrong = json!({
        "properties": {"order_number": "2"},
        "associations": [to(&contact, number.as_u64().unwrap())],
    });
    client
        .post(&format!("/crm/v3/objects/{id}"), wrong)
        .await
        .expect(400);
    let companies = client
        .get(&format!("/crm/v4/associations/{id}/companies/labels"))
        .await
        .expect(200);
    assert!(companies.list("/results").is_empty());
    let body =
        json!({"fromObjectTypeId": id, "toObjectTypeId": "company", "name": "order_to_company"});
    client
        .post(&format!("/crm/v3/schemas/{id}/associations"), body.clone())
        .await
        .expect(201);
    client
        .post(&format!("/crm/v3/schemas/{id}/associations"), body)
        .await
        .expect(409);
}

#[tokio::test]
async fn custom_objects_need_enterprise() {
    let client = Client::empty();
    client
        .simulator
        .set_up(|config| config.plan = Plan::Professional);
    client.post("/crm/v3/schemas", order()).await.expect(403);
    let limit = client
        .get("/crm/v3/limits/custom-object-types")
        .await
        .expect(200);
    assert_eq!(*limit.at("/limit"), 0);
    client
        .simulator
        .set_switches(|s| s.custom_objects_in_professional = true);
    client
        .post("/crm-object-schemas/2026-09/schemas", order())
        .await
        .expect(201);
}

#[tokio::test]
async fn a_schema_goes_in_two_steps_and_only_when_nothing_hangs_on_it() {
    let client = Client::empty();
    let schema = client.post("/crm/v3/schemas", order()).await.expect(201);
    let path = format!("/crm/v3/schemas/{}", schema.id());
    let record = client
        .make("p_kustomer_order", json!({"order_number": "1"}))
        .await;
    client.delete(&path).await.expect(400);
    client
        .delete(&format!("/crm/v3/objects/p_kustomer_order/{record}"))
        .await
        .expect(204);
    client
        .delete(&format!("{path}?archived=true"))
        .await
        .expect(400);
    client.delete(&path).await.expect(204);
    // Archived: its records are out of reach, its name is taken.
    client
        .get("/crm/v3/objects/p_kustomer_order")
        .await
        .expect(400);
    client.post("/crm/v3/schemas", order()).await.expect(409);
    let archived = client
        .get("/crm/v3/schemas?archived=true")
        .await
        .expect(200);
    assert_eq!(archived.list("/results").len(), 1);
    let refused = client
        .delete(&format!("{path}?archived=true"))
        .await
        .expect(400);
    assert_eq!(refused.text("/subCategory"), "OBJECT_TYPE_IN_USE");
    for link in schema.list("/associations") {
        let known = ["0-1", "0-5"]
            .iter()
            .any(|id| link["toObjectTypeId"] == *id);
        if known && link["fromObjectTypeId"] == schema.id() {
            let id = link["id"].as_str().unwrap();
            client
                .delete(&format!("{path}/associations/{id}"))
                .await
                .expect(204);
        }
    }
    for name in ["order_number", "kustomer_id"] {
        client
            .delete(&format!("/crm/v3/properties/{}/{name}", schema.id()))
            .await
            .expect(204);
    }
    client
        .delete(&format!("{path}?archived=true"))
        .await
        .expect(204);
    client.get(&path).await.expect(400);
    client.post("/crm/v3/schemas", order()).await.expect(201);
}

#[tokio::test]
async fn a_schema_with_a_bad_property_is_not_made() {
    let client = Client::empty();
    let mut body = order();
    body["properties"][1]["type"] = json!("json");
    client.post("/crm/v3/schemas", body).await.expect(400);
    let all = client.get("/crm/v3/schemas").await.expect(200);
    assert!(all.list("/results").is_empty());
    client.post("/crm/v3/schemas", order()).await.expect(201);
    let renamed = json!({"labels": {"singular": "X", "plural": "Y"}});
    client
        .patch("/crm/v3/schemas/p_kustomer_order", renamed)
        .await
        .expect(400);
    let changed = json!({"searchableProperties": ["kustomer_id"]});
    client
        .patch("/crm/v3/schemas/p_kustomer_order", changed)
        .await
        .expect(200);
}
