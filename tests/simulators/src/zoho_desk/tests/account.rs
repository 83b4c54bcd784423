//! Tokens, the number of the portal, scopes, credits, errors.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::super::{Config, Edition, Simulator};
use super::{Client, Reply};

async fn token(client: &Client, form: &str) -> Reply {
    let request = Request::post("/oauth/v2/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.to_owned()));
    client.send(request.unwrap()).await
}

fn refresh(client: &Client) -> String {
    let app = client.simulator.client();
    format!(
        "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        app.id, app.secret, app.refresh_token
    )
}

#[tokio::test]
async fn a_refresh_token_gives_a_token_of_an_hour_and_no_other_refresh_token() {
    let mut client = Client::new();
    let reply = token(&client, &refresh(&client)).await.expect(200);
    assert_eq!(reply.at("/expires_in"), 3_600);
    assert_eq!(reply.at("/refresh_token"), &Value::Null);
    assert_eq!(reply.at("/api_domain"), "https://www.zohoapis.com");
    client.token = reply.text("/access_token");
    client.get("myinfo").await.expect(200);
    client.wait(3_600);
    client.get("myinfo").await.refused(401, "INVALID_OAUTH");
}

#[tokio::test]
async fn errors_of_the_token_endpoint_come_with_200() {
    let client = Client::new();
    let app = client.simulator.client();
    for (form, error) in [
        ("grant_type=refresh_token".to_owned(), "invalid_client"),
        (
            refresh(&client).replace(&app.secret, "x"),
            "invalid_client_secret",
        ),
        (
            refresh(&client).replace(&app.refresh_token, "x"),
            "invalid_code",
        ),
    ] {
        let reply = token(&client, &form).await.expect(200);
        assert_eq!(reply.at("/error"), error);
        assert_eq!(reply.at("/access_token"), &Value::Null);
    }
}

#[tokio::test]
async fn parameters_of_the_token_endpoint_may_be_in_the_query_and_a_self_client_needs_its_portal() {
    let mut client = Client::new();
    let app = client.simulator.client();
    let path = |soid: &str| {
        format!(
            "/oauth/v2/token?grant_type=client_credentials&client_id={}&client_secret={}&scope=Desk.tickets.READ&soid={soid}",
            app.id, app.secret
        )
    };
    let wrong = client
        .call("POST", &path("Desk.1"), Value::Null)
        .await
        .expect(200);
    assert_eq!(wrong.at("/error"), "invalid_client");
    let soid = format!("Desk.{}", client.org);
    let reply = client
        .call("POST", &path(&soid), Value::Null)
        .await
        .expect(200);
    client.token = reply.text("/access_token");
    client.get("tickets").await.expect(200);
    client.get("contacts").await.refused(403, "SCOPE_MISMATCH");
    client
        .post("tickets", json!({"subject": "x"}))
        .await
        .refused(403, "SCOPE_MISMATCH");
}

#[tokio::test]
async fn the_eleventh_token_in_ten_minutes_is_refused_until_they_are_over() {
    let client = Client::with(|config| config.rate_limits = true);
    for _ in 0..10 {
        let reply = token(&client, &refresh(&client)).await;
        assert!(reply.at("/access_token").is_string());
    }
    let reply = token(&client, &refresh(&client)).await.expect(200);
    assert_eq!(reply.at("/error"), "Access Denied");
    client.wait(600);
    let reply = token(&client, &refresh(&client)).await;
    assert!(reply.at("/access_token").is_string());
}

#[tokio::test]
async fn the_thirty_first_live_token_ends_the_first() {
    let mut client = Client::new();
    let first = token(&client, &refresh(&client))
        .await
        .text("/access_token");
    for _ in 0..29 {
        token(&client, &refresh(&client)).await.expect(200);
    }
    client.token.clone_from(&first);
    client.get("myinfo").await.expect(200);
    token(&client, &refresh(&client)).await.expect(200);
    client.get("myinfo").await.refused(401, "INVALID_OAUTH");
}

#[tokio::test]
async fn a_revoked_refresh_token_takes_its_access_tokens_along() {
    let mut client = Client::new();
    client.token = token(&client, &refresh(&client))
        .await
        .text("/access_token");
    let path = format!(
        "/oauth/v2/token/revoke?token={}",
        client.simulator.refresh_token()
    );
    client.call("POST", &path, Value::Null).await.expect(200);
    client.get("myinfo").await.refused(401, "INVALID_OAUTH");
    let reply = token(&client, &refresh(&client)).await.expect(200);
    assert_eq!(reply.at("/error"), "invalid_code");
}

#[tokio::test]
async fn a_call_needs_zohos_own_scheme_and_the_number_of_the_portal() {
    let client = Client::new();
    let ask = |authorization: Option<String>, org: Option<&str>, path: &str| {
        let mut request = Request::get(path);
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        if let Some(org) = org {
            request = request.header("orgId", org);
        }
        request.body(Body::empty()).unwrap()
    };
    let own = format!("Zoho-oauthtoken {}", client.token);
    let org = client.org.as_str();
    let me = "/api/v1/myinfo";
    client
        .send(ask(None, Some(org), me))
        .await
        .refused(401, "UNAUTHORIZED");
    let bearer = format!("Bearer {}", client.token);
    client
        .send(ask(Some(bearer), Some(org), me))
        .await
        .refused(401, "INVALID_OAUTH");
    client
        .send(ask(Some(own.clone()), None, me))
        .await
        .refused(403, "OAUTH_ORG_MISMATCH");
    client
        .send(ask(Some(own.clone()), Some("1"), me))
        .await
        .refused(403, "OAUTH_ORG_MISMATCH");
    let in_query = format!("{me}?orgId={org}");
    client
        .send(ask(Some(own.clone()), None, &in_query))
        .await
        .expect(200);
    let list = client
        .send(ask(Some(own), None, "/api/v1/organizations"))
        .await
        .expect(200);
    assert_eq!(list.data()[0]["id"], org);
}

#[tokio::test]
async fn a_weaker_agent_reads_but_changes_no_settings() {
    let client = Client::with(|config| config.role = "AgentPublic".to_owned());
    client.get("fields?module=tickets").await.expect(200);
    let body = json!({"displayLabel": "x y", "type": "Text"});
    client
        .post("fields?module=tickets", body)
        .await
        .refused(403, "FORBIDDEN");
    client
        .post("teams", json!({"name": "x"}))
        .await
        .refused(403, "FORBIDDEN");
    client
        .post("recycleBin/delete", json!({"ids": ["1"]}))
        .await
        .refused(403, "FORBIDDEN");
}

#[tokio::test]
async fn every_answer_says_what_it_cost_and_what_is_left() {
    let client = Client::with(|config| config.rate_limits = true);
    let left = |reply: &Reply| -> u64 {
        reply
            .header("x-rate-limit-remaining-v3")
            .unwrap()
            .parse()
            .unwrap()
    };
    let cost = |reply: &Reply| -> u64 {
        reply
            .header("x-rate-limit-request-weight-v3")
            .unwrap()
            .parse()
            .unwrap()
    };
    // Two administrators and four agents of an Enterprise portal; a disabled one does not count.
    let first = client.get("myinfo").await;
    assert_eq!((cost(&first), left(&first)), (1, 106_000 - 1));
    let list = client.get("tickets").await;
    assert_eq!((cost(&list), left(&list)), (3, 106_000 - 4));
    let deep = client.get("tickets?from=2001").await;
    assert_eq!(cost(&deep), 10);
    let deeper = client.get("tickets?from=100001").await;
    assert_eq!(cost(&deeper), 100);
    let (one, two) = (
        client.contact("a@example.com").await,
        client.contact("b@example.com").await,
    );
    let trash = client
        .post("contacts/moveToTrash", json!({"contactIds": [one, two]}))
        .await;
    assert_eq!((trash.status, cost(&trash)), (204, 12));
}

#[tokio::test]
async fn credits_that_are_gone_come_back_after_a_day() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.edition = Edition::Free;
    });
    client.simulator.take_credits(4_999);
    client.get("myinfo").await.expect(200);
    let refused = client
        .get("myinfo")
        .await
        .refused(429, "THRESHOLD_EXCEEDED");
    assert_eq!(refused.header("retry-after"), Some("86400"));
    client
        .simulator
        .set_switches(|switches| switches.token_life = chrono::Duration::days(3));
    client.wait(86_400);
    let fresh = Client {
        token: client.simulator.admin_token(),
        ..client
    };
    fresh.get("myinfo").await.expect(200);
}

#[tokio::test]
async fn too_many_calls_at_once_are_another_429() {
    let client = Client::with(|config| config.rate_limits = true);
    client.simulator.take_calls(24);
    client.get("myinfo").await.expect(200);
    client.simulator.take_calls(25);
    let refused = client.get("myinfo").await.refused(429, "TOO_MANY_REQUESTS");
    assert_eq!(refused.header("retry-after"), Some("2"));
    client.simulator.take_calls(0);
    client.get("myinfo").await.expect(200);
}

#[tokio::test]
async fn unknown_paths_methods_keys_and_parameters_are_refused() {
    let client = Client::new();
    client.get("nothing").await.refused(404, "URL_NOT_FOUND");
    client
        .get("tickets/400000000000999999")
        .await
        .refused(404, "URL_NOT_FOUND");
    let id = client.known("old.customer@example.com");
    let path = format!("contacts/{id}");
    client
        .call("PUT", &path, json!({"lastName": "x"}))
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
    client
        .delete(&path)
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
    client
        .patch(&path, json!({"colour": "x"}))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .patch(&path, json!({}))
        .await
        .refused(422, "EMPTY_PAYLOAD");
    client
        .get("tickets?colour=x")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    client
        .get("tickets?limit=101")
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    let request = Request::post("/api/v1/contacts")
        .header("authorization", format!("Zoho-oauthtoken {}", client.token))
        .header("orgId", &client.org)
        .header("content-type", "text/plain")
        .body(Body::from("x"));
    client
        .send(request.unwrap())
        .await
        .refused(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[tokio::test]
async fn the_words_of_an_error_may_be_missing() {
    let client = Client::switched(|switches| switches.error_messages = false);
    let reply = client
        .post("contacts", json!({"email": "x"}))
        .await
        .refused(422, "INVALID_DATA");
    for error in reply.at("/errors").as_array().unwrap() {
        assert_eq!(error.get("errorMessage"), None);
        assert!(error["fieldName"].is_string());
    }
}

#[test]
fn ids_are_beyond_what_a_double_holds() {
    let snapshot = Simulator::new(Config::virtual_time()).snapshot();
    for id in snapshot.records.keys() {
        assert_eq!(id.to_string().len(), 18);
        assert!(*id > 1 << 53);
    }
}
