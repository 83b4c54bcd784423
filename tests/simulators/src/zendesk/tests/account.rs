//! Authentication, scopes, envelopes, limits.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::Plan;
use super::{Client, Reply};

async fn token_call(client: &Client, body: Value) -> Reply {
    let request = axum::http::Request::post("/oauth/tokens")
        .header("host", "acme.zendesk.com")
        .header("content-type", "application/json");
    client
        .send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

fn credentials(scope: &str) -> Value {
    json!({
        "grant_type": "client_credentials", "client_id": "transload",
        "client_secret": "simulated-client-secret", "scope": scope,
    })
}

#[tokio::test]
async fn client_credentials_give_a_token_that_acts_as_the_admin_who_owns_the_client() {
    let mut client = Client::new();
    let reply = token_call(&client, credentials("read write"))
        .await
        .expect(201);
    assert_eq!(reply.at("/token_type"), "bearer");
    client.token = reply.at("/access_token").as_str().unwrap().to_owned();
    let me = client.get("users/me").await.expect(200);
    assert_eq!(me.at("/user/role"), "admin");
    assert!(me.at("/user/id").is_u64());
}

#[tokio::test]
async fn an_access_token_expires_and_a_refresh_token_serves_only_once() {
    let mut client = Client::new();
    let first = token_call(&client, credentials("read write"))
        .await
        .expect(201);
    client.token = first.at("/access_token").as_str().unwrap().to_owned();
    client.wait(30 * 60 + 1);
    let refused = client.get("tickets").await.expect(401);
    assert_eq!(refused.at("/error"), "invalid_token");
    let refresh = json!({
        "grant_type": "refresh_token", "client_id": "transload",
        "client_secret": "simulated-client-secret", "refresh_token": first.at("/refresh_token"),
        "expires_in": 300,
    });
    let second = token_call(&client, refresh.clone()).await.expect(201);
    assert_ne!(second.at("/refresh_token"), first.at("/refresh_token"));
    client.token = second.at("/access_token").as_str().unwrap().to_owned();
    client.get("tickets").await.expect(200);
    let again = token_call(&client, refresh).await.expect(400);
    assert_eq!(again.at("/error"), "invalid_grant");
    client.wait(301);
    client.get("tickets").await.expect(401);
}

#[tokio::test]
async fn users_me_answers_200_to_strangers_and_a_real_resource_does_not() {
    let mut client = Client::new();
    client.token = "wrong".to_owned();
    let me = client.get("users/me").await.expect(200);
    assert!(me.at("/user/id").is_null());
    assert_eq!(me.at("/user/name"), "Anonymous user");
    client.get("users").await.expect(401);
    client.simulator.set_switches(|s| s.anonymous_me = false);
    client.get("users/me").await.expect(401);
}

#[tokio::test]
async fn a_scope_over_the_ceiling_is_refused_and_an_unknown_one_is_granted_but_opens_nothing() {
    let mut client = Client::with(|config| config.oauth_client.scopes = vec!["read".to_owned()]);
    let over = token_call(&client, credentials("write")).await.expect(400);
    assert_eq!(over.at("/error"), "invalid_scope");
    let odd = token_call(&client, credentials("conversations:all"))
        .await
        .expect(201);
    assert_eq!(odd.at("/scope"), "conversations:all");
    client.token = odd.at("/access_token").as_str().unwrap().to_owned();
    client.get("users").await.expect(403);
}

#[tokio::test]
async fn a_read_token_cannot_write_and_a_fine_scope_covers_only_its_resource() {
    let mut client = Client::new();
    let admin = client.known("admin@acme.example");
    client.token = client.simulator.token_for(admin, &["read"]);
    let body = json!({"group": {"name": "Night shift"}});
    client.post("groups", body.clone()).await.expect(403);
    client.token = client.simulator.token_for(admin, &["groups:write"]);
    client.post("groups", body).await.expect(201);
    client.get("groups").await.expect(403);
}

#[tokio::test]
async fn imports_are_for_admins() {
    let mut client = Client::new();
    let agent = client.known("agent1@acme.example");
    client.token = client.simulator.token_for(agent, &["read", "write"]);
    let body = json!({"ticket": {"subject": "x", "comments": [{"body": "x", "public": true}]}});
    client.post("imports/tickets", body).await.expect(403);
    let customer = client.known("old.customer@example.com");
    client.token = client.simulator.token_for(customer, &["read", "write"]);
    client.get("tickets").await.expect(403);
}

#[tokio::test]
async fn an_api_token_works_until_api_tokens_end() {
    let client = Client::new();
    let call = |client: &Client| {
        let pair = STANDARD.encode("admin@acme.example/token:simulated-api-token");
        let request = axum::http::Request::get("/api/v2/groups.json")
            .header("authorization", format!("Basic {pair}"))
            .body(Body::empty())
            .unwrap();
        let router = client.simulator.router();
        async move {
            tower::ServiceExt::oneshot(router, request)
                .await
                .unwrap()
                .status()
                .as_u16()
        }
    };
    assert_eq!(call(&client).await, 200);
    client.simulator.set_switches(|s| s.api_tokens_ended = true);
    assert_eq!(call(&client).await, 401);
}

#[tokio::test]
async fn each_kind_of_refusal_has_its_own_envelope() {
    let client = Client::new();
    let missing = client.get("users/1").await.expect(404);
    assert_eq!(missing.at("/error"), "RecordNotFound");
    let nowhere = client.get("no/such/path").await.expect(404);
    assert_eq!(nowhere.at("/error"), "InvalidEndpoint");
    let plan = client
        .post("users/create_many", json!({"users": [{"name": "x"}]}))
        .await;
    assert_eq!(plan.expect(403).at("/error/title"), "Forbidden");
    let paging = client.get("users?page=101&per_page=100").await.expect(400);
    assert_eq!(paging.at("/errors/0/code"), "InvalidPaginationDepth");
    let invalid = client
        .post("users", json!({"user": {"email": "a@b.example"}}))
        .await;
    assert_eq!(
        invalid.expect(422).at("/details/name/0/error"),
        "BlankValue"
    );
    let wrong = json!({"ticket": {"created_at": "yesterday", "comments": [{"body": "x"}]}});
    let wrong = client.post("imports/tickets", wrong).await.expect(400);
    assert_eq!(wrong.at("/error/title"), "Invalid attribute");
}

#[tokio::test]
async fn the_plan_limits_requests_a_minute_and_says_so_in_every_family_of_headers() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.plan = Plan::SuiteTeam;
    });
    let first = client.get("groups").await.expect(200);
    assert_eq!(first.header("x-rate-limit"), Some("200"));
    assert_eq!(first.header("ratelimit-remaining"), Some("199"));
    assert_eq!(first.header("ratelimit-reset"), Some("60"));
    for _ in 0..199 {
        client.get("groups").await.expect(200);
    }
    client.wait(20);
    let refused = client.get("groups").await.expect(429);
    assert_eq!(refused.header("retry-after"), Some("40"));
    client.wait(40);
    client.get("groups").await.expect(200);
}
