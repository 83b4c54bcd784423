//! Search.

use super::*;

async fn search(client: &Client, object: &str, filters: Value) -> Reply {
    let body = json!({"filterGroups": [{"filters": filters}], "properties": ["email", "firstname", "phone"], "limit": 200});
    client
        .post(&format!("/crm/v3/objects/{object}/search"), body)
        .await
}

fn filter(name: &str, operator: &str, value: &str) -> Value {
    json!([{"propertyName": name, "operator": operator, "value": value}])
}

async fn count(client: &Client, filters: Value) -> usize {
    search(client, "contacts", filters)
        .await
        .expect(200)
        .list("/results")
        .len()
}

#[tokio::test]
async fn search_lags_behind_what_was_written_but_not_behind_what_was_archived() {
    let client = Client::empty();
    let id = client.make("contacts", json!({"firstname": "Ana"})).await;
    assert_eq!(count(&client, filter("firstname", "EQ", "ana")).await, 0);
    client.wait(30);
    assert_eq!(count(&client, filter("firstname", "EQ", "ana")).await, 1);
    let path = format!("/crm/v3/objects/contacts/{id}");
    client
        .patch(&path, json!({"properties": {"firstname": "Bea"}}))
        .await
        .expect(200);
    assert_eq!(count(&client, filter("firstname", "EQ", "ana")).await, 1);
    client.wait(30);
    assert_eq!(count(&client, filter("firstname", "EQ", "Bea")).await, 1);
    client.delete(&path).await.expect(204);
    assert_eq!(count(&client, filter("firstname", "EQ", "Bea")).await, 0);
}

#[tokio::test]
async fn every_operator_finds_what_it_says() {
    let client = Client::new();
    for (name, level) in [("Ana", "1"), ("Ben", "10"), ("Cleo", "")] {
        let values = json!({"firstname": name, "lastname": "Search Test", "loyalty_level": level});
        client.make("contacts", values).await;
    }
    client.wait(30);
    let found = async |name: &str, operator: &str, more: Value| {
        let mut test = json!({"propertyName": name, "operator": operator});
        for (key, value) in more.as_object().unwrap() {
            test[key] = value.clone();
        }
        let mine = json!({"propertyName": "lastname", "operator": "EQ", "value": "search test"});
        count(&client, json!([mine, test])).await
    };
    for (name, operator, more, wanted) in [
        ("loyalty_level", "LT", json!({"value": "10"}), 1),
        ("loyalty_level", "LTE", json!({"value": "10"}), 2),
        ("loyalty_level", "GT", json!({"value": "1"}), 1),
        ("loyalty_level", "GTE", json!({"value": "1"}), 2),
        (
            "loyalty_level",
            "BETWEEN",
            json!({"value": "2", "highValue": "11"}),
            1,
        ),
        ("loyalty_level", "HAS_PROPERTY", json!({}), 2),
        ("loyalty_level", "NOT_HAS_PROPERTY", json!({}), 1),
        ("firstname", "NEQ", json!({"value": "Ana"}), 2),
        ("firstname", "IN", json!({"values": ["ana", "ben"]}), 2),
        ("firstname", "NOT_IN", json!({"values": ["ana", "ben"]}), 1),
        ("lastname", "CONTAINS_TOKEN", json!({"value": "test"}), 3),
        ("lastname", "CONTAINS_TOKEN", json!({"value": "tes*"}), 3),
        (
            "lastname",
            "NOT_CONTAINS_TOKEN",
            json!({"value": "test"}),
            0,
        ),
        ("createdate", "GTE", json!({"value": "1795424400000"}), 3),
        (
            "createdate",
            "LT",
            json!({"value": "2026-11-23T09:00:00Z"}),
            0,
        ),
    ] {
        assert_eq!(
            found(name, operator, more).await,
            wanted,
            "{name} {operator}"
        );
    }
}

#[tokio::test]
async fn links_can_be_searched_for_and_some_texts_cannot() {
    let client = Client::new();
    let contact = client
        .simulator
        .snapshot()
        .live(crate::hubspot::model::TypeId::CONTACT)
        .next()
        .unwrap()
        .id;
    let linked = filter("associations.contact", "EQ", &contact.to_string());
    let found = search(&client, "tickets", linked).await.expect(200);
    assert_eq!(*found.at("/total"), 2);
    search(
        &client,
        "emails",
        filter("hs_email_html", "CONTAINS_TOKEN", "x"),
    )
    .await
    .expect(400);
    search(&client, "emails", filter("hs_email_subject", "EQ", "x"))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_search_has_its_caps() {
    let client = Client::new();
    let ask = async |body: Value| client.post("/crm/v3/objects/contacts/search", body).await;
    ask(json!({"limit": 201})).await.expect(400);
    ask(json!({"limit": 200, "after": "9801"}))
        .await
        .expect(400);
    ask(json!({"limit": 200, "after": "9800"}))
        .await
        .expect(200);
    ask(json!({"query": "x".repeat(3_000)})).await.expect(400);
    let group = json!({"filters": vec![filter("firstname", "EQ", "a")[0].clone(); 7]});
    ask(json!({"filterGroups": [group]})).await.expect(400);
    let one = json!({"filters": filter("firstname", "EQ", "a")});
    ask(json!({"filterGroups": vec![one; 6]})).await.expect(400);
    let sort = json!({"propertyName": "hs_object_id", "direction": "DESCENDING"});
    ask(json!({"sorts": [sort, sort]})).await.expect(400);
    let page = ask(json!({"sorts": [sort], "limit": 1})).await.expect(200);
    assert_eq!(
        (page.at("/total"), page.text("/paging/next/after")),
        (&json!(2), "1".to_owned())
    );
    let rest = ask(json!({"sorts": [sort], "limit": 1, "after": "1"}))
        .await
        .expect(200);
    assert!(rest.at("/paging").is_null());
    assert!(page.text("/results/0/id") > rest.text("/results/0/id"));
}
