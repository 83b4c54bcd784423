use axum::body::Body;
use serde_json::{Value, json};

use super::super::{ChannelApi, PASSWORD, Plan};
use super::{Client, basic};

#[tokio::test]
async fn a_key_is_the_user_of_basic_authentication_and_any_password_will_do() {
    let client = Client::new();
    let me = client.get("agents/me").await.expect(200);
    assert_eq!(me.id(), client.simulator.migration_agent());
    assert_eq!(me.at("/contact/email"), "migration@acme.example");
    for header in [
        basic("unknown", "X"),
        format!("Bearer {}", client.key),
        basic("owner@acme.example", "wrong"),
        String::new(),
    ] {
        let request = axum::http::Request::get("/api/v2/agents/me").header("authorization", header);
        let reply = client
            .send(request.body(Body::empty()).unwrap())
            .await
            .expect(401);
        assert_eq!(reply.at("/code"), "invalid_credentials");
    }
}

#[tokio::test]
async fn too_many_wrong_passwords_lock_an_agent_out() {
    let client = Client::new();
    let login = async |password: &str| {
        let request = axum::http::Request::get("/api/v2/agents/me")
            .header("authorization", basic("owner@acme.example", password));
        client.send(request.body(Body::empty()).unwrap()).await
    };
    login(PASSWORD).await.expect(200);
    for _ in 0..10 {
        login("wrong").await.expect(401);
    }
    assert_eq!(
        login(PASSWORD).await.expect(403).at("/code"),
        "password_lockout"
    );
}

#[tokio::test]
async fn who_is_no_admin_makes_no_fields_and_no_agents() {
    let client = Client::with(|config| config.key_is_admin = false);
    client.get("tickets").await.expect(200);
    client.get("ticket_fields").await.expect(200);
    for path in ["admin/ticket_fields", "groups", "agents", "contact_fields"] {
        let reply = client.post(path, json!({"name": "x"})).await.expect(403);
        assert_eq!(reply.at("/code"), "access_denied");
    }
}

#[tokio::test]
async fn wrong_types_verbs_and_bodies_have_their_own_answers() {
    let client = Client::new();
    let with = |method: &str, name: &str, value: &str, body: &str| {
        let request = client.request(method, "contacts").header(name, value);
        request.body(Body::from(body.to_owned())).unwrap()
    };
    let kind = "content-type";
    client
        .send(with("POST", kind, "text/plain", "{}"))
        .await
        .expect(415);
    let broken = client
        .send(with("POST", kind, "application/json", "{"))
        .await
        .expect(400);
    assert_eq!(broken.at("/code"), "invalid_json");
    let list = client
        .send(with("POST", kind, "application/json", "[]"))
        .await
        .expect(400);
    assert_eq!(list.at("/code"), "invalid_json");
    let verb = client
        .call("PATCH", "contacts", Value::Null)
        .await
        .expect(405);
    assert_eq!(verb.header("allow"), Some("GET, POST"));
    let request = axum::http::Request::get("/api/v2/contacts")
        .header("authorization", basic(&client.key, "X"))
        .header("accept", "text/html");
    client
        .send(request.body(Body::empty()).unwrap())
        .await
        .expect(406);
    for path in ["nothing", "contacts/abc", "contacts/1"] {
        let reply = client.get(path).await.expect(404);
        assert!(reply.bytes.is_empty(), "a 404 has no body");
    }
}

#[tokio::test]
async fn the_account_and_some_endpoints_have_limits_by_the_minute() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.plan = Plan::Growth;
    });
    for _ in 0..20 {
        client.get("contacts").await.expect(200);
    }
    let refused = client.get("contacts").await.expect(429);
    assert!(refused.bytes.is_empty());
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(refused.header("x-ratelimit-total"), Some("200"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("179"));
    // Another endpoint, and a request that is wrong, count too.
    client.get("nothing").await.expect(404);
    let next = client.get("companies").await.expect(200);
    assert_eq!(next.header("x-ratelimit-remaining"), Some("177"));
    assert_eq!(next.header("retry-after"), None);
    client.wait(60);
    client.get("contacts").await.expect(200);
    for _ in 0..199 {
        client.get("roles").await.expect(200);
    }
    client.get("roles").await.expect(429);
    client.simulator.set_switches(|switches| {
        switches.rate_limit_body = true;
        switches.decimal_total = true;
    });
    let refused = client.get("roles").await.expect(429);
    assert!(refused.at("/message").is_string());
    assert_eq!(refused.header("x-ratelimit-total"), Some("200.0"));
}

#[tokio::test]
async fn what_is_included_costs_two_credits_each() {
    let client = Client::new();
    let first = client
        .get("tickets/1?include=conversations,requester,stats")
        .await
        .expect(200);
    assert_eq!(first.header("x-ratelimit-used-currentrequest"), Some("7"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("393"));
    client
        .get("tickets/1?include=everything")
        .await
        .refused(400, "include", "invalid_value");
}

#[tokio::test]
async fn an_account_may_be_suspended_lack_the_api_or_be_another() {
    let client = Client::with(|config| config.suspended = true);
    let refused = client.get("agents/me").await.expect(403);
    assert_eq!(refused.at("/code"), "account_suspended");
    let client = Client::with(|config| {
        config.plan = Plan::Free;
        config.switches.api_on_free = false;
    });
    let refused = client.get("agents/me").await.expect(403);
    assert_eq!(refused.at("/code"), "require_feature");
    let client = Client::with(|config| config.domain = "other".to_owned());
    client.get("agents/me").await.expect(404);
}

#[tokio::test]
async fn an_older_account_counts_by_the_hour() {
    let client = Client::with(|config| config.calls_per_hour = Some(3_000));
    let reply = client.get("roles").await.expect(200);
    assert_eq!(reply.header("x-ratelimit-total"), Some("3000"));
}

#[tokio::test]
async fn the_channel_api_is_refused_unless_the_account_has_it() {
    for status in [401, 403, 404] {
        let client = Client::with(|config| config.channel_api = ChannelApi::Refused(status));
        client
            .post("/api/channel/v2/tickets", json!({}))
            .await
            .expect(status);
    }
    let client = Client::channel();
    let reply = client
        .post("/api/channel/v2/tickets", json!({}))
        .await
        .expect(400);
    assert_eq!(reply.at("/description"), "Validation failed");
    client.get("channel/tickets").await.expect(404);
}

#[tokio::test]
async fn settings_tell_roles_products_mailboxes_and_languages() {
    let client = Client::new();
    let roles = client.get("roles").await.expect(200);
    assert_eq!(roles.at("/0/name"), "Account Administrator");
    let role = roles.at("/3/id");
    assert_eq!(
        client.get(&format!("roles/{role}")).await.at("/name"),
        "Agent"
    );
    assert_eq!(client.get("products").await.expect(200).list().len(), 1);
    assert_eq!(
        client.get("email_configs").await.at("/0/primary_role"),
        true
    );
    assert_eq!(
        client
            .get("settings/helpdesk")
            .await
            .at("/primary_language"),
        "en"
    );
    assert_eq!(
        client.get("account").await.at("/account_domain"),
        "acme.freshdesk.com"
    );
}
