//! Lists with their pages and filters, search, and how late both are.

use chrono::Duration;
use serde_json::{Value, json};

use super::{Client, incoming};

#[tokio::test]
async fn a_list_is_walked_by_cursors_forwards_and_back() {
    let client = Client::quiet();
    for number in 0..7 {
        client.wait(1);
        client
            .post("tags", json!({"name": format!("t{number}")}))
            .await
            .expect(201);
    }
    let names = |reply: &super::Reply| -> Vec<String> {
        let tags = reply.list().iter();
        tags.map(|tag| tag["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = client.get("tags?limit=3").await.expect(200);
    assert_eq!(first.at("/object"), "list");
    assert_eq!(first.at("/uri"), "/api/tags?limit=3");
    assert_eq!(names(&first), ["t6", "t5", "t4"]);
    assert!(first.at("/meta/prev_cursor").is_null());
    let cursor = |reply: &super::Reply, way: &str| {
        reply
            .at(&format!("/meta/{way}"))
            .as_str()
            .unwrap()
            .to_owned()
    };
    let second = client
        .get(&format!(
            "tags?limit=3&cursor={}",
            cursor(&first, "next_cursor")
        ))
        .await;
    assert_eq!(names(&second), ["t3", "t2", "t1"]);
    let third = client
        .get(&format!(
            "tags?limit=3&cursor={}",
            cursor(&second, "next_cursor")
        ))
        .await;
    assert_eq!(names(&third), ["t0"]);
    assert!(third.at("/meta/next_cursor").is_null());
    let back = client
        .get(&format!(
            "tags?limit=3&cursor={}",
            cursor(&third, "prev_cursor")
        ))
        .await;
    assert_eq!(names(&back), ["t3", "t2", "t1"]);
    let up = client
        .get("tags?limit=2&order_by=created_datetime:asc")
        .await;
    assert_eq!(names(&up), ["t0", "t1"]);
    client.get("tags?limit=101").await.refused("/limit");
    client
        .get("tags?order_by=colour:asc")
        .await
        .refused("/order_by");
}

#[tokio::test]
async fn a_cursor_does_not_live_long() {
    let client = Client::new();
    let first = client.get("users?limit=1").await;
    let cursor = first.at("/meta/next_cursor").as_str().unwrap().to_owned();
    client.wait(599);
    client
        .get(&format!("users?limit=1&cursor={cursor}"))
        .await
        .expect(200);
    client.wait(2);
    client
        .get(&format!("users?limit=1&cursor={cursor}"))
        .await
        .refused("/cursor");
    client.get("users?cursor=nonsense").await.refused("/cursor");
}

#[tokio::test]
async fn tickets_are_listed_by_their_own_time_of_creation_without_messages() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    for (external, time) in [
        ("k:new", "2021-01-01T00:00:00Z"),
        ("k:old", "2019-01-01T00:00:00Z"),
    ] {
        let mut body = client.history(external, ana).await;
        body["created_datetime"] = json!(time);
        client.ticket(body).await;
    }
    let list = client.get("tickets").await.expect(200);
    assert_eq!(list.list()[0]["external_id"], "k:new");
    assert!(list.list()[0]["messages"].is_null());
    assert_eq!(list.list()[0]["messages_count"], 2);
    let list = client.get("tickets?order_by=updated_datetime:asc").await;
    assert_eq!(list.list().len(), 2);
    assert_eq!(
        client.get("tickets?external_id=k:old").await.list().len(),
        1
    );
    assert_eq!(
        client
            .get(&format!("tickets?customer_id={ana}"))
            .await
            .list()
            .len(),
        2
    );
}

#[tokio::test]
async fn trashed_tickets_are_listed_unless_left_out() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let trash = json!({"trashed_datetime": "2026-01-01T00:00:00+00:00"});
    client
        .put(&format!("tickets/{id}"), trash)
        .await
        .expect(202);
    assert_eq!(client.get("tickets?external_id=k:1").await.list().len(), 1);
    assert_eq!(
        client
            .get("tickets?external_id=k:1&trashed=false")
            .await
            .list()
            .len(),
        0
    );
    let back = json!({"trashed_datetime": null});
    client.put(&format!("tickets/{id}"), back).await.expect(202);
    assert_eq!(
        client
            .get("tickets?external_id=k:1&trashed=false")
            .await
            .list()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_thread_of_three_thousand_messages_is_made_and_read_in_pages() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let message = |n: usize| {
        let time = format!(
            "2020-01-01T{:02}:{:02}:{:02}Z",
            n / 3600,
            n / 60 % 60,
            n % 60
        );
        incoming(&format!("m:{n}"), ana, &time)
    };
    let first: Vec<Value> = (0..500).map(message).collect();
    let id = client
        .ticket(json!({"via": "api", "external_id": "k:1", "messages": first}))
        .await;
    for number in 500..3_000 {
        client
            .post(&format!("tickets/{id}/messages"), message(number))
            .await
            .expect(201);
    }
    let mut path = format!("messages?ticket_id={id}&order_by=created_datetime:asc&limit=100");
    let base = path.clone();
    let mut seen = Vec::new();
    loop {
        let page = client.get(&path).await.expect(200);
        seen.extend(
            page.list()
                .iter()
                .map(|m| m["external_id"].as_str().unwrap().to_owned()),
        );
        match page.at("/meta/next_cursor").as_str() {
            Some(cursor) => path = format!("{base}&cursor={cursor}"),
            None => break,
        }
    }
    let wanted: Vec<String> = (0..3_000).map(|n| format!("m:{n}")).collect();
    assert_eq!(seen, wanted);
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/messages_count"),
        3_000
    );
}

#[tokio::test]
async fn two_thousand_conversations_are_found_one_by_one() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    for number in 0..2_000 {
        let body = client.history(&format!("k:{number}"), ana).await;
        client.ticket(body).await;
        let found = client.get(&format!("tickets?external_id=k:{number}")).await;
        assert_eq!(found.list().len(), 1);
    }
    assert!(
        client.simulator.state_fingerprint()["tickets"]
            .as_array()
            .unwrap()
            .len()
            == 2_000
    );
}

#[tokio::test]
async fn lists_may_lag_while_a_record_is_there_by_its_id() {
    let client = Client::switched(|switches| switches.list_lag = Duration::seconds(5));
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let listed = async || {
        let customers = client
            .get("customers?email=ana@example.com")
            .await
            .list()
            .len();
        let tickets = client.get("tickets?external_id=k:1").await.list().len();
        let messages = client
            .get(&format!("messages?ticket_id={id}"))
            .await
            .list()
            .len();
        (customers, tickets, messages)
    };
    assert_eq!(listed().await, (0, 0, 0));
    client.get(&format!("tickets/{id}")).await.expect(200);
    client.wait(5);
    assert_eq!(listed().await, (1, 1, 2));
}

#[tokio::test]
async fn search_lags_and_answers_an_array_or_an_object() {
    let client = Client::quiet();
    client.customer("Ana", "ana@example.com").await;
    let body = json!({"type": "customer_profile", "query": "ana@", "size": 50});
    assert_eq!(
        client.post("search", body.clone()).await.expect(200).json,
        json!([])
    );
    client.wait(60);
    let found = client.post("search", body.clone()).await.expect(200);
    assert_eq!(found.at("/0/email"), "ana@example.com");
    client
        .simulator
        .set_switches(|switches| switches.search_wrapped = true);
    let found = client.post("search", body).await.expect(200);
    assert_eq!(found.list().len(), 1);
    client
        .post("search", json!({"type": "ticket", "query": "x"}))
        .await
        .refused("/type");
}
