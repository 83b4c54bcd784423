//! Who may call, how often, and what the org says of itself.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::{Client, Reply};
use crate::salesforce::PRIVATE_KEY;

async fn token(client: &Client, form: &str) -> Reply {
    let request = Request::post("/services/oauth2/token")
        .header("host", "acme.my.salesforce.com")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    client.send(request.unwrap()).await
}

const CREDENTIALS: &str = "grant_type=client_credentials&client_id=3MVG9simulated&client_secret=simulated-consumer-secret";

fn assertion(client: &Client, change: impl FnOnce(&mut Value)) -> String {
    let now = client.simulator.harness().clock.now_ms() / 1_000;
    let mut claims = json!({
        "iss": "3MVG9simulated", "sub": "integration@acme.example", "aud": "https://login.salesforce.com", "exp": now + 120,
    });
    change(&mut claims);
    let key = jsonwebtoken::EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
    let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
    let jwt = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}")
}

#[tokio::test]
async fn client_credentials_and_a_signed_assertion_open_a_session_and_the_answer_says_where() {
    let client = Client::new();
    for form in [CREDENTIALS.to_owned(), assertion(&client, |_| {})] {
        let reply = token(&client, &form).await.expect(200);
        assert_eq!(
            reply.text("/instance_url"),
            "https://acme.my.salesforce.com"
        );
        let client = Client {
            simulator: client.simulator.clone(),
            token: reply.text("/access_token"),
        };
        client.get("limits").await.expect(200);
        let identity = reply
            .text("/id")
            .replace("https://acme.my.salesforce.com", "");
        let who = client.get(&identity).await.expect(200);
        assert_eq!(who.text("/username"), "integration@acme.example");
    }
}

#[tokio::test]
async fn a_wrong_grant_is_refused_with_its_name() {
    let client = Client::new();
    let refused = async |form: &str| token(&client, form).await.expect(400).text("/error");
    assert_eq!(
        refused("grant_type=password").await,
        "unsupported_grant_type"
    );
    assert_eq!(
        refused(&CREDENTIALS.replace("3MVG9simulated", "x")).await,
        "invalid_client_id"
    );
    assert_eq!(refused(&format!("{CREDENTIALS}x")).await, "invalid_client");
    assert_eq!(
        refused(&assertion(&client, |c| c["exp"] = json!(1))).await,
        "invalid_grant"
    );
    assert_eq!(
        refused(&assertion(&client, |c| c["aud"] = json!("https://example.com"))).await,
        "invalid_grant"
    );
    assert_eq!(
        refused(&assertion(&client, |c| c["sub"] = json!("nobody@acme.example"))).await,
        "invalid_grant"
    );
    let closed = Client::with(|config| {
        config.app.client_credentials = false;
        config.app.pre_authorised = false;
    });
    assert_eq!(
        token(&closed, CREDENTIALS).await.expect(400).text("/error"),
        "invalid_grant"
    );
    assert_eq!(
        token(&closed, &assertion(&closed, |_| {}))
            .await
            .expect(400)
            .text("/error"),
        "invalid_grant"
    );
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    let client = Client::new();
    client.wait(3_600);
    client.get("limits").await.expect(200);
    client.wait(7_201);
    let reply = client.get("limits").await.expect(401);
    assert_eq!(
        reply.json,
        json!([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    );
}

#[tokio::test]
async fn versions_are_told_to_strangers_and_everything_else_is_counted() {
    let client = Client::new();
    let request = Request::get("/services/data/").body(Body::empty()).unwrap();
    let reply = client.send(request).await.expect(200);
    assert!(reply.header("sforce-limit-info").is_none());
    let newest = reply
        .json
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["label"].as_str().unwrap().to_owned());
    assert_eq!(
        newest.take(3).collect::<Vec<_>>(),
        ["Winter '27", "Summer '26", "Spring '26"]
    );
    let reply = client.get("limits").await.expect(200);
    assert_eq!(
        reply.header("sforce-limit-info"),
        Some("api-usage=19/115000")
    );
    assert_eq!(reply.at("/DailyApiRequests/Remaining"), 115_000 - 19);
    client.get("/services/data/v12.0/limits").await.expect(404);
}

#[tokio::test]
async fn the_quota_of_a_rolling_day_ends_in_403_and_comes_back() {
    let client = Client::with(|config| {
        config.daily_requests = 3;
        config.used_requests = 0;
    });
    client.get("limits").await.expect(200);
    client.wait(3_600);
    client.get("limits").await.expect(200);
    client.get("limits").await.expect(200);
    let reply = client.get("limits").await.expect(403);
    assert_eq!(reply.code(), "REQUEST_LIMIT_EXCEEDED");
    assert_eq!(reply.header("sforce-limit-info"), Some("api-usage=3/3"));
    let soap = client.soap("<met:readMetadata/>").await.expect(500);
    assert!(soap.body().contains("REQUEST_LIMIT_EXCEEDED"));
    client.wait(23 * 3_600 + 60);
    let token = client.simulator.admin_token();
    let client = Client { token, ..client };
    client.get("limits").await.expect(200);
    client.get("limits").await.expect(403);
}

#[tokio::test]
async fn an_address_that_is_too_long_is_refused() {
    let client = Client::new();
    let text = "x".repeat(17_000);
    client.get(&format!("query?q={text}")).await.expect(414);
}

#[tokio::test]
async fn storage_that_is_full_takes_no_more() {
    let client = Client::with(|config| config.data_storage_mb = 0);
    let reply = client
        .post("sobjects/Account", json!({"Name": "Acme"}))
        .await
        .expect(400);
    assert_eq!(reply.code(), "STORAGE_LIMIT_EXCEEDED");
}
