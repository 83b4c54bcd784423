//! Who calls, limits, errors, times.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::super::{RateForm, TimeForm};
use super::Client;

#[tokio::test]
async fn the_connection_is_checked_by_the_account_and_the_caller() {
    let client = Client::new();
    let account = client.get("account").await.expect(200);
    assert_eq!(account.at("/domain"), "acme");
    let me = client.get("users/0/").await.expect(200);
    assert_eq!(me.at("/email"), "admin@acme.example");
    assert_eq!(me.at("/role/name"), "admin");
    assert_eq!(
        client
            .get("account/settings?type=satisfaction-surveys")
            .await
            .list()
            .len(),
        1
    );
}

#[tokio::test]
async fn wrong_and_absent_credentials_are_a_401() {
    let mut client = Client::new();
    let request = Request::get("/api/account").body(Body::empty()).unwrap();
    client.send(request).await.expect(401);
    client.authorization = "Basic YWRtaW5AYWNtZS5leGFtcGxlOndyb25n".to_owned();
    client.get("account").await.expect(401);
    client.authorization = "Bearer unknown".to_owned();
    let refused = client.get("account").await.expect(401);
    assert!(refused.at("/error/msg").is_string());
}

#[tokio::test]
async fn a_key_a_token_and_a_role_may_be_lost_on_the_way() {
    let mut client = Client::new();
    let me = client.me().await;
    client
        .simulator
        .edit_user(me, |user| user.role = "observer-agent".to_owned())
        .unwrap();
    client.post("tags", json!({"name": "x"})).await.expect(403);
    client.simulator.set_api_key("another");
    client.get("account").await.expect(401);
    client.authorization = client.simulator.basic_authorization();
    client.get("account").await.expect(200);
    let token = client.simulator.oauth_token(&["account:read"]);
    client.authorization = format!("Bearer {token}");
    client.get("account").await.expect(200);
    client.simulator.end_oauth_tokens();
    client.get("account").await.expect(401);
}

#[tokio::test]
async fn a_key_acts_with_its_users_role() {
    let client = Client::with(|config| config.key_role = "lite-agent".to_owned());
    client.get("customers").await.expect(200);
    client
        .post("customers", json!({"channels": []}))
        .await
        .expect(403);
    client.post("tags", json!({"name": "x"})).await.expect(403);
    let client = Client::with(|config| config.key_role = "observer-agent".to_owned());
    client.post("tickets", json!({})).await.expect(403);
}

#[tokio::test]
async fn a_token_opens_what_its_scopes_say() {
    let mut client = Client::new();
    let token = client
        .simulator
        .oauth_token(&["customers:write", "tickets:read"]);
    client.authorization = format!("Bearer {token}");
    client
        .post("customers", json!({"channels": []}))
        .await
        .expect(201);
    client.get("messages").await.expect(200);
    client.post("tickets", json!({})).await.expect(403);
    client.get("customers").await.expect(403);
}

#[tokio::test]
async fn the_bucket_leaks_two_requests_a_second_and_says_how_full_it_is() {
    let client = Client::with(|config| config.rate_limits = true);
    for used in 1..=40 {
        let reply = client.get("account").await.expect(200);
        let header = reply.header("X-Gorgias-Account-Api-Call-Limit");
        assert_eq!(header, Some(format!("{used}/40").as_str()));
    }
    let refused = client.get("account").await.expect(429);
    assert_eq!(refused.header("Retry-after"), Some("1"));
    client.wait(1);
    client.get("account").await.expect(200);
    client.get("account").await.expect(200);
    client.get("account").await.expect(429);
}

#[tokio::test]
async fn apps_and_keys_have_buckets_of_their_own_and_enterprise_ones_leak_faster() {
    let mut client = Client::with(|config| {
        config.rate_limits = true;
        config.enterprise = true;
        config.switches.rate_form = RateForm::Window;
    });
    for _ in 0..40 {
        client.get("account").await.expect(200);
    }
    assert_eq!(
        client
            .get("account")
            .await
            .expect(429)
            .header("retry-after"),
        Some("10")
    );
    let token = client.simulator.oauth_token(&["account:read"]);
    let key = std::mem::replace(&mut client.authorization, format!("Bearer {token}"));
    let reply = client.get("account").await.expect(200);
    assert_eq!(
        reply.header("x-gorgias-account-api-call-limit"),
        Some("1/80")
    );
    client.authorization = key;
    client.wait(10);
    client.get("account").await.expect(200);
}

#[tokio::test]
async fn others_who_use_keys_of_the_account_take_their_part_of_the_bucket() {
    let client = Client::with(|config| config.rate_limits = true);
    client.simulator.harness().limits.burden("api-key", 30);
    for _ in 0..40 {
        client.get("account").await.expect(200);
    }
    client.wait(1);
    let refused = client.get("account").await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    client.wait(1);
    client.get("account").await.expect(200);
}

#[tokio::test]
async fn unknown_keys_of_bodies_and_queries_are_refused() {
    let client = Client::new();
    let body = json!({"name": "vip", "colour": "red"});
    let refused = client.post("tags", body).await.refused("/colour");
    assert_eq!(refused.at("/error/msg"), "Failed to create tag");
    client.get("tags?page=2").await.refused("/page");
    let client = Client::switched(|switches| switches.unknown_query_refused = false);
    client.get("tags?page=2").await.expect(200);
}

#[tokio::test]
async fn a_known_path_has_its_methods_and_an_unknown_one_none() {
    let client = Client::new();
    let refused = client
        .call("PATCH", "tickets", Value::Null)
        .await
        .expect(405);
    assert_eq!(
        refused.at("/error/msg"),
        "The specified HTTP method is not allowed."
    );
    client.delete("custom-fields/1").await.expect(405);
    client.delete("satisfaction-surveys/1").await.expect(405);
    client.get("companies").await.expect(404);
    let gone = client.get("tickets/1").await.expect(404);
    assert_eq!(gone.at("/error/msg"), "Resource not found.");
}

#[tokio::test]
async fn a_body_must_be_json() {
    let client = Client::new();
    let request = client
        .request("POST", "/api/tags")
        .body(Body::from("name=x"))
        .unwrap();
    client.send(request).await.expect(400);
    let request = client
        .request("POST", "/api/tags")
        .header("content-type", "application/json");
    client
        .send(request.body(Body::from("{")).unwrap())
        .await
        .expect(400);
}

#[tokio::test]
async fn times_look_in_one_of_three_ways() {
    let look = async |form: TimeForm| {
        let client = Client::switched(|switches| switches.time_form = form);
        let customer = client.customer("Ana", "ana@example.com").await;
        let body = client.history("k:1", customer).await;
        let ticket = client.post("tickets", body).await.expect(201);
        let customer = client.get(&format!("customers/{customer}")).await;
        let ends = |value: &Value| value.as_str().unwrap().ends_with("+00:00");
        (
            ends(ticket.at("/created_datetime")),
            ends(customer.at("/created_datetime")),
        )
    };
    assert_eq!(look(TimeForm::Mixed).await, (true, false));
    assert_eq!(look(TimeForm::Bare).await, (false, false));
    assert_eq!(look(TimeForm::Zoned).await, (true, true));
}

#[tokio::test]
async fn digits_below_a_second_are_cut_or_kept() {
    for (kept, wanted) in [
        (false, "2019-07-05T14:42:00+00:00"),
        (true, "2019-07-05T14:42:00.384938+00:00"),
    ] {
        let client = Client::switched(|switches| switches.subseconds_kept = kept);
        let customer = client.customer("Ana", "ana@example.com").await;
        let mut body = client.history("k:1", customer).await;
        body["created_datetime"] = json!("2019-07-05T14:42:00.384938");
        let ticket = client.post("tickets", body).await.expect(201);
        assert_eq!(ticket.at("/created_datetime"), wanted);
    }
}
