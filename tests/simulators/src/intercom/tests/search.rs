//! Lists and searches (Intercom facts §4).

use serde_json::{Value, json};

use super::Client;

fn filter(field: &str, operator: &str, value: Value) -> Value {
    json!({"query": {"field": field, "operator": operator, "value": value}})
}

#[tokio::test]
async fn a_new_contact_is_found_by_id_at_once_but_by_search_only_later() {
    let client = Client::quiet();
    let id = client.contact("k1").await;
    let query = filter("external_id", "=", json!("k1"));
    assert_eq!(
        client
            .post("contacts/search", query.clone())
            .await
            .expect(200)
            .at("/total_count"),
        0
    );
    client.get(&format!("contacts/{id}")).await.expect(200);
    client
        .get("contacts/find_by_external_id/k1")
        .await
        .expect(200);
    client.wait(60);
    assert_eq!(
        client
            .post("contacts/search", query)
            .await
            .expect(200)
            .at("/data/0/id"),
        &json!(id)
    );
}

#[tokio::test]
async fn times_of_contacts_are_days_of_the_workspaces_timezone() {
    let client = Client::quiet();
    // 23:30 UTC is the next day an hour further east.
    for (key, at) in [("k1", 1_577_921_400), ("k2", 1_577_876_400)] {
        let body = json!({"external_id": key, "signed_up_at": at});
        client.post("contacts", body).await.expect(200);
    }
    client.wait(60);
    let count = async |operator: &str, value: i64| {
        let query = filter("signed_up_at", operator, json!(value));
        client
            .post("contacts/search", query)
            .await
            .expect(200)
            .at("/total_count")
            .clone()
    };
    assert_eq!(count("=", 1_577_870_000).await, 1);
    assert_eq!(count(">", 1_577_840_000).await, 1);
    assert_eq!(count("=", 1_577_921_400).await, 1);
    let query = filter("signed_up_at", ">=", json!(1));
    client
        .post("contacts/search", query)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_cursor_goes_in_the_body_and_in_the_query_it_is_ignored() {
    let client = Client::quiet();
    for number in 0..3 {
        client.contact(&format!("k{number}")).await;
    }
    client.wait(60);
    let mut body = filter("role", "=", json!("user"));
    body["pagination"] = json!({"per_page": 2});
    let first = client
        .post("contacts/search", body.clone())
        .await
        .expect(200);
    let cursor = first.text("/pages/next/starting_after");
    let again = client
        .post(
            &format!("contacts/search?starting_after={cursor}"),
            body.clone(),
        )
        .await
        .expect(200);
    assert_eq!(again.at("/data"), first.at("/data"));
    body["pagination"] = json!({"per_page": 2, "starting_after": cursor});
    let last = client
        .post("contacts/search", body.clone())
        .await
        .expect(200);
    assert_eq!(
        (last.list("/data").len(), last.at("/pages/next")),
        (1, &Value::Null)
    );
    assert_eq!(last.at("/pages/page"), 2);
    body["pagination"] = json!({"starting_after": "x"});
    client
        .post("contacts/search", body.clone())
        .await
        .refused(400, "client_error");
    body["pagination"] = json!({"per_page": 151});
    client
        .post("contacts/search", body)
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn sorting_has_two_words() {
    let client = Client::quiet();
    for key in ["k1", "k2"] {
        client.contact(key).await;
    }
    client.wait(60);
    let mut body = filter("role", "=", json!("user"));
    body["sort"] = json!({"field": "external_id", "order": "ascending"});
    let sorted = client
        .post("contacts/search", body.clone())
        .await
        .expect(200);
    assert_eq!(sorted.at("/data/0/external_id"), "k1");
    body["sort"] = json!({"field": "external_id", "order": "desc"});
    client
        .post("contacts/search", body)
        .await
        .refused(400, "invalid_sort_order");
}

#[tokio::test]
async fn groups_are_bounded_in_depth_and_number() {
    let client = Client::quiet();
    let one = json!({"field": "name", "operator": "=", "value": "x"});
    let group = |items: Vec<Value>| json!({"operator": "AND", "value": items});
    let query = |inner: Value| json!({"query": inner});
    let two = group(vec![group(vec![one.clone()])]);
    client
        .post("contacts/search", query(two.clone()))
        .await
        .expect(200);
    client
        .post("contacts/search", query(group(vec![two])))
        .await
        .refused(400, "parameter_invalid");
    client
        .post("contacts/search", query(group(vec![one; 16])))
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn a_conversation_is_found_by_contact_and_exact_second_but_not_by_custom_attributes() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    let id = client.conversation(&contact).await;
    client.wait(60);
    let both = |at: i64| {
        json!({"query": {"operator": "AND", "value": [
            {"field": "contact_ids", "operator": "=", "value": contact},
            {"field": "created_at", "operator": "=", "value": at},
        ]}})
    };
    let found = client
        .post("conversations/search", both(1_580_000_000))
        .await
        .expect(200);
    assert_eq!(found.at("/conversations/0/id"), &json!(id));
    assert_eq!(
        client
            .post("conversations/search", both(1_580_000_001))
            .await
            .at("/total_count"),
        0
    );
    let word = client
        .post(
            "conversations/search",
            filter("source.body", "=", json!("where")),
        )
        .await
        .expect(200);
    assert_eq!(word.at("/total_count"), 1);
    let phrase = client
        .post(
            "conversations/search",
            filter("source.body", "=", json!("where is")),
        )
        .await;
    assert_eq!(phrase.expect(200).at("/total_count"), 0);
    let custom = filter("custom_attributes.kus_id", "=", json!("1"));
    client
        .post("conversations/search", custom)
        .await
        .refused(400, "parameter_invalid");
    client
        .post(
            "conversations/search",
            filter("created_at", "=", json!("foo")),
        )
        .await
        .refused(400, "parameter_invalid");
}

#[tokio::test]
async fn lists_are_walked_by_cursors_to_the_end() {
    let client = Client::quiet();
    let contact = client.contact("k1").await;
    for _ in 0..5 {
        client.conversation(&contact).await;
    }
    let mut seen = Vec::new();
    let mut path = "conversations?per_page=2".to_owned();
    loop {
        let page = client.get(&path).await.expect(200);
        assert_eq!(
            (page.at("/type"), page.at("/total_count")),
            (&json!("conversation.list"), &json!(5))
        );
        seen.extend(
            page.list("/conversations")
                .iter()
                .map(|one| one["id"].to_string()),
        );
        let Some(cursor) = page.at("/pages/next/starting_after").as_str() else {
            break;
        };
        path = format!(
            "conversations?per_page=2&starting_after={}",
            cursor.replace('=', "%3D").replace('+', "%2B")
        );
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
    client
        .get("conversations?per_page=151")
        .await
        .refused(400, "parameter_invalid");
    client
        .get("contacts?starting_after=x")
        .await
        .refused(400, "client_error");
}
