//! Keys, roles, masking, limits, errors and faults.

use axum::http::Request;
use serde_json::json;
use transload_simulators::common::{Action, Fault, was_cut};
use transload_simulators::kustomer::{
    ApiKey, Config, DEFAULT_NOW_MS, ErrorShape, Kind, MASK, READ_THINGS,
};

use super::*;

#[tokio::test]
async fn a_bad_key_is_refused_everywhere_and_a_missing_role_on_its_endpoint_only() {
    let simulator = organisation(20);
    simulator.set_keys(vec![
        ApiKey::with_roles("notes", &["org.permission.note.read"]),
        ApiKey {
            token: "old".into(),
            expires_ms: Some(DEFAULT_NOW_MS),
            ..ApiKey::full()
        },
        ApiKey {
            token: "far".into(),
            other_pod: Some("prod2".into()),
            ..ApiKey::full()
        },
    ]);
    let status = async |key: &str, path: &str| get_as(&simulator, key, path).await.status.as_u16();
    assert_eq!(status("wrong", "/v1/notes").await, 401);
    assert_eq!(status("notes", "/v1/notes").await, 200);
    assert_eq!(status("notes", "/v1/messages").await, 403);
    assert_eq!(status("notes", "/v1/users/current").await, 200);
    let token = get_as(&simulator, "notes", "/v1/auth/tokens/current")
        .await
        .json();
    assert_eq!(
        token["data"]["attributes"]["roles"],
        json!(["org.permission.note.read"])
    );
    let expired = get_as(&simulator, "old", "/v1/notes").await;
    assert_eq!(expired.status, 401);
    assert!(expired.json().to_string().contains("Expired token"));
    let elsewhere = get_as(&simulator, "far", "/v1/notes").await;
    assert!(elsewhere.json().to_string().contains("prod2"));
    let none = send(
        &simulator,
        Request::get("/v1/notes").body(Body::empty()).unwrap(),
    )
    .await;
    assert_eq!(none.status, 401);
}

#[tokio::test]
async fn every_role_of_the_list_opens_something_that_is_shut_without_it() {
    let simulator = organisation(60);
    let world_ids = |kind| simulator.world().ids(kind);
    let conversation = world_ids(Kind::Conversation)[1].clone();
    let customer = world_ids(Kind::Customer)[1].clone();
    let order = ids(&ok(&simulator, "/v1/klasses/ecomm-order").await["data"])[0].clone();
    for thing in READ_THINGS {
        let path = match *thing {
            "customer" => "/v1/customers".to_owned(),
            "company" => "/v1/companies".to_owned(),
            "attachment" => format!("/v1/conversations/{conversation}/attachments"),
            "klass" => "/v1/klasses".to_owned(),
            "kobject" => format!("/v1/klasses/ecomm-order/{order}"),
            "metadata" => "/v1/metadata/customer".to_owned(),
            "customer_merge" => format!("/v1/customers/{customer}/merges"),
            "event" => format!("/v1/conversations/{conversation}/events"),
            "draft" => format!("/v1/customers/{customer}/drafts"),
            "spam" => "/v1/spam/senders".to_owned(),
            "satisfaction" => "/v1/satisfaction".to_owned(),
            "queue" => "/v1/routing/queues".to_owned(),
            "routing" => "/v1/routing/queue-rules".to_owned(),
            "kb" => "/v1/kb/articles".to_owned(),
            "audit_logs" => "/v1/audit-logs".to_owned(),
            "apps" => "/v1/outboundAccounts".to_owned(),
            "outbound_webhook" => "/v1/outbound-webhooks".to_owned(),
            // Read by id only; 404 with the role, 403 without.
            "satisfaction_response" => {
                "/v1/satisfaction-responses/000000000000000000000000".to_owned()
            }
            other => format!("/v1/{other}s"),
        };
        let full = ApiKey::full();
        let role = format!("org.permission.{thing}.read");
        let without: Vec<&str> = full
            .roles
            .iter()
            .map(String::as_str)
            .filter(|held| *held != role)
            .collect();
        simulator.set_keys(vec![full.clone(), ApiKey::with_roles("without", &without)]);
        assert_eq!(
            get_as(&simulator, "without", &path).await.status,
            403,
            "{path}"
        );
        assert_ne!(get(&simulator, &path).await.status, 403, "{path}");
    }
    let no_search = ApiKey::with_roles("k", &["org.permission.customer.read"]);
    simulator.set_keys(vec![no_search]);
    let answer = post_as(&simulator, "k", "/v1/customers/search", &json!({})).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn nothing_can_be_written() {
    let simulator = organisation(20);
    for path in ["/v1/customers", "/v1/conversations", "/v1/customers/merges"] {
        assert_eq!(
            post_as(&simulator, FULL_KEY, path, &json!({})).await.status,
            403,
            "{path}"
        );
    }
    let request = Request::delete("/v1/customers/1")
        .header("authorization", format!("Bearer {FULL_KEY}"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(send(&simulator, request).await.status, 403);
}

#[tokio::test]
async fn sensitive_values_come_masked_with_status_200_in_lists_and_in_search() {
    let mut config = Config {
        size: 200,
        ..Config::default()
    };
    config.switches.sensitive.push("customer.emails".to_owned());
    let simulator = organisation_with(config);
    let masked = ApiKey {
        token: "masked".into(),
        reads_sensitive: false,
        ..ApiKey::full()
    };
    simulator.set_keys(vec![ApiKey::full(), masked]);
    let seen = get_as(&simulator, "masked", "/v1/customers?pageSize=100")
        .await
        .json();
    let true_ones = ok(&simulator, "/v1/customers?pageSize=100").await;
    let mut ids_masked = 0;
    for (seen, true_one) in seen["data"]
        .as_array()
        .unwrap()
        .iter()
        .zip(true_ones["data"].as_array().unwrap())
    {
        for email in seen["attributes"]["emails"].as_array().unwrap() {
            assert_eq!(email["email"], MASK);
        }
        if true_one["attributes"]["custom"]["taxIdStr"].is_string() {
            assert_eq!(seen["attributes"]["custom"]["taxIdStr"], MASK);
            ids_masked += 1;
        }
        assert_eq!(seen["attributes"]["name"], true_one["attributes"]["name"]);
    }
    assert!(ids_masked > 0);
    let body = json!({"queryContext": "customer"});
    let found = post_as(
        &simulator,
        "masked",
        "/v1/customers/search?pageSize=50",
        &body,
    )
    .await
    .json();
    for row in found["data"].as_array().unwrap() {
        for email in row["attributes"]["emails"].as_array().unwrap() {
            assert_eq!(email["email"], MASK);
        }
    }
    let metadata = ok(&simulator, "/v1/metadata/customer").await;
    assert_eq!(
        metadata["data"]["attributes"]["properties"]["taxIdStr"]["hasSensitiveAttributes"],
        true
    );
}

#[tokio::test]
async fn the_hundred_and_first_search_of_a_minute_is_refused_and_the_window_opens_again() {
    let simulator = Simulator::new(Config {
        size: 20,
        ..Config::default()
    });
    let body = json!({"queryContext": "customer"});
    for left in (0..100).rev() {
        let answer = search(&simulator, "", &body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("x-ratelimit-remaining"),
            Some(left.to_string().as_str())
        );
        assert_eq!(answer.header("x-ratelimit-limit"), Some("100"));
    }
    let refused = search(&simulator, "", &body).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("retry-after"), Some("60"));
    let reset: i64 = refused
        .header("x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(reset, DEFAULT_NOW_MS / 1000 + 60);
    // Other requests have a budget of their own.
    let other = get(&simulator, "/v1/customers").await;
    assert_eq!(
        (other.status.as_u16(), other.header("x-ratelimit-limit")),
        (200, Some("1000"))
    );
    simulator.harness().clock.set(reset * 1000);
    assert_eq!(search(&simulator, "", &body).await.status, 200);
}

#[tokio::test]
async fn the_budget_of_the_organisation_is_shared_with_its_other_clients() {
    let config = Config {
        size: 20,
        requests_per_minute: 10,
        used_by_others: 7,
        ..Config::default()
    };
    let simulator = Simulator::new(config);
    simulator.switch(|switches| {
        switches.retry_after = false;
        switches.reset_always = false;
    });
    for _ in 0..3 {
        let answer = get(&simulator, "/v1/brands").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-ratelimit-reset")),
            (200, None)
        );
    }
    let refused = get(&simulator, "/v1/brands").await;
    assert_eq!(refused.status, 429);
    assert!(
        refused.header("retry-after").is_none() && refused.header("x-ratelimit-reset").is_some()
    );
}

#[tokio::test]
async fn errors_come_in_two_shapes_or_with_no_body() {
    let simulator = organisation(20);
    let ask = async || get(&simulator, "/v1/conversations/000000000000000000000000").await;
    assert_eq!(ask().await.json()["errors"][0]["code"], "not_found");
    simulator.switch(|switches| switches.errors = ErrorShape::JsonApi);
    assert_eq!(ask().await.json()["errors"][0]["status"], "404");
    simulator.switch(|switches| switches.errors = ErrorShape::Empty);
    let empty = ask().await;
    assert_eq!((empty.status.as_u16(), empty.body.len()), (404, 0));
}

#[tokio::test]
async fn faults_play_on_the_simulators_own_paths() {
    let simulator = organisation(20);
    let faults = &simulator.harness().faults;
    faults.add(Fault::nth("GET", "/v1/notes", 2, Action::DropBefore));
    faults.add(Fault::nth(
        "GET",
        "/v1/brands",
        1,
        Action::Status {
            status: 503,
            retry_after_s: None,
        },
    ));
    assert_eq!(get(&simulator, "/v1/notes").await.status, 200);
    let request = Request::get("/v1/notes").body(Body::empty()).unwrap();
    let response = simulator.router().oneshot(request).await.unwrap();
    assert!(was_cut(&response));
    let fault = get(&simulator, "/v1/brands").await;
    assert_eq!(
        (
            fault.status.as_u16(),
            fault.json()["errors"][0]["code"].as_str()
        ),
        (503, Some("error"))
    );
    let records = simulator.harness().recorder.all();
    assert_eq!(
        records[1].fault.as_deref(),
        Some("GET /v1/notes #2 drop-before")
    );
}
