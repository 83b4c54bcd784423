//! Search with its lag, and incremental exports.

use serde_json::json;

use super::Client;

fn ticket(external_id: &str) -> serde_json::Value {
    json!({
        "external_id": external_id, "subject": "Lost parcel", "tags": ["run_7"],
        "created_at": "2020-01-01T00:00:00Z", "comments": [{"body": "x", "public": true}],
    })
}

#[tokio::test]
async fn search_finds_a_new_ticket_only_after_a_while_and_a_deleted_one_for_a_while_longer() {
    let client = Client::new();
    let id = client.import(ticket("k:1")).await;
    let query = "search?query=type:ticket%20external_id:%22k:1%22";
    assert_eq!(client.get(query).await.at("/count"), 0);
    client.wait(179);
    assert_eq!(client.get(query).await.at("/count"), 0);
    client.wait(1);
    let found = client.get(query).await.expect(200);
    assert_eq!(found.at("/results/0/id"), id);
    assert_eq!(found.at("/results/0/result_type"), "ticket");
    client.delete(&format!("tickets/{id}")).await.expect(204);
    assert_eq!(client.get(query).await.at("/count"), 1);
    client.wait(180);
    assert_eq!(client.get(query).await.at("/count"), 0);
}

#[tokio::test]
async fn records_are_found_by_key_at_once_and_by_search_later() {
    let client = Client::new();
    let body = json!({"user": {"name": "Ana", "external_id": "k:1", "email": "ana@example.com", "skip_verify_email": true}});
    client.post("users", body).await.expect(201);
    assert_eq!(client.get("users?external_id=K:1").await.at("/count"), 1);
    assert_eq!(
        client
            .get("users/show_many?external_ids=k:1")
            .await
            .at("/count"),
        1
    );
    assert_eq!(
        client
            .get("users/search?external_id=k:1")
            .await
            .at("/count"),
        0
    );
    let by_email = "users/search?query=email:%22ana@example.com%22";
    assert_eq!(client.get(by_email).await.at("/count"), 0);
    client.wait(180);
    assert_eq!(
        client
            .get("users/search?external_id=k:1")
            .await
            .at("/count"),
        1
    );
    assert_eq!(client.get(by_email).await.at("/count"), 1);
}

#[tokio::test]
async fn search_understands_tags_statuses_and_times() {
    let client = Client::new();
    client.import(ticket("k:1")).await;
    client.wait(180);
    let count = async |query: &str| {
        client
            .get(&format!("search?query={query}"))
            .await
            .at("/count")
            .clone()
    };
    assert_eq!(count("type:ticket%20tags:run_7").await, 1);
    assert_eq!(count("type:ticket%20-tags:run_7").await, 3);
    assert_eq!(count("type:ticket%20tags:run_7%20status%3Csolved").await, 1);
    assert_eq!(
        count("type:ticket%20tags:run_7%20created%3E2021-01-01").await,
        0
    );
    assert_eq!(
        count("type:ticket%20tags:run_7%20created%3C=2020-01-01").await,
        1
    );
    assert_eq!(count("type:ticket%20%22lost%20parcel%22").await, 1);
}

#[tokio::test]
async fn search_ends_at_a_thousand_results_and_takes_no_cursor() {
    let client = Client::new();
    let past = client
        .get("search?query=type:ticket&page=11&per_page=100")
        .await
        .expect(422);
    assert!(
        past.at("/description")
            .as_str()
            .unwrap()
            .contains("Search Response Limits")
    );
    client
        .get("search?query=type:ticket&page[size]=10")
        .await
        .expect(400);
    client
        .get("search/export?query=tags:run_7")
        .await
        .expect(400);
}

#[tokio::test]
async fn a_search_export_goes_through_everything_by_cursor() {
    let client = Client::new();
    for n in 0..5 {
        client.import(ticket(&format!("k:{n}"))).await;
    }
    client.wait(180);
    let mut path =
        "/api/v2/search/export?query=tags:run_7&filter[type]=ticket&page[size]=2".to_owned();
    let mut found = 0;
    loop {
        let page = client.get(&path).await.expect(200);
        found += page.at("/results").as_array().unwrap().len();
        if page.at("/meta/has_more") == false {
            break;
        }
        let next = page.at("/links/next").as_str().unwrap();
        path = next
            .strip_prefix("https://acme.zendesk.com")
            .unwrap()
            .to_owned();
    }
    assert_eq!(found, 5);
}

#[tokio::test]
async fn the_incremental_export_goes_by_the_real_time_and_holds_back_the_last_minute() {
    let client = Client::new();
    let start = client.clock().now_ms() / 1_000;
    let id = client.import(ticket("k:1")).await;
    let path = format!("incremental/tickets/cursor?start_time={start}&support_type_scope=all");
    let early = client.get(&path).await.expect(400);
    assert_eq!(early.at("/errors/0/code"), "StartTimeTooRecent");
    client.wait(60);
    assert_eq!(client.get(&path).await.at("/tickets"), &json!([]));
    client.wait(1);
    let page = client.get(&path).await.expect(200);
    assert_eq!(page.at("/tickets/0/id"), id);
    assert_eq!(page.at("/tickets/0/created_at"), "2020-01-01T00:00:00Z");
    assert_eq!(page.at("/end_of_stream"), true);
    let cursor = page.at("/after_cursor").as_str().unwrap().to_owned();
    client.delete(&format!("tickets/{id}")).await.expect(204);
    client.wait(61);
    let next = client
        .get(&format!("incremental/tickets/cursor?cursor={cursor}"))
        .await
        .expect(200);
    assert_eq!(next.at("/tickets/0/status"), "deleted");
}

#[tokio::test]
async fn incremental_exports_share_ten_requests_a_minute() {
    let client = Client::with(|config| config.rate_limits = true);
    for _ in 0..10 {
        let page = client
            .get("incremental/users/cursor?start_time=0")
            .await
            .expect(200);
        assert!(
            page.header("zendesk-ratelimit-incremental-exports")
                .is_some()
        );
    }
    client
        .get("incremental/organizations?start_time=0")
        .await
        .expect(429);
}

#[tokio::test]
async fn ticket_events_carry_comments_when_asked() {
    let client = Client::new();
    client.import(ticket("k:1")).await;
    client.wait(61);
    let start = client.clock().now_ms() / 1_000 - 62;
    let path = format!("incremental/ticket_events?start_time={start}");
    let without = client.get(&path).await.expect(200);
    assert_eq!(without.at("/ticket_events/0/child_events"), &json!([]));
    let with = client.get(&format!("{path}&include=comment_events")).await;
    assert_eq!(with.at("/ticket_events/0/child_events/0/body"), "x");
}

#[tokio::test]
async fn several_values_of_one_keyword_are_alternatives_unless_switched_off() {
    for (any, found) in [(true, 2), (false, 0)] {
        let client = Client::new();
        client
            .simulator
            .set_switches(|switches| switches.search_any = any);
        for name in ["ana", "bo", "cy"] {
            let email = format!("{name}@example.com");
            let body = json!({"user": {"name": name, "email": email, "skip_verify_email": true}});
            client.post("users", body).await.expect(201);
        }
        client.wait(180);
        let two = "users/search?query=email:%22ana@example.com%22%20email:%22bo@example.com%22";
        assert_eq!(client.get(two).await.at("/count"), found, "{any}");
        let narrower = format!("{two}%20name:ana");
        let found = i32::from(any);
        assert_eq!(client.get(&narrower).await.at("/count"), found, "{any}");
    }
}
