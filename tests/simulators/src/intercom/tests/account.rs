//! Credentials, versions, regions, limits, errors (Intercom facts §1, §2, §3).

use serde_json::{Value, json};

use super::Client;
use crate::intercom::model::Region;

#[tokio::test]
async fn me_says_who_calls_and_which_workspace_it_is() {
    let client = Client::with(|config| config.region = Region::Eu);
    let me = client.get("me").await.expect(200);
    assert_eq!(me.at("/app/id_code"), "acme1234");
    assert_eq!(me.at("/app/region"), "EU");
    assert_eq!(me.text("/id"), client.me());
    let admins = client.get("admins").await.expect(200);
    assert!(
        admins
            .list("/admins")
            .iter()
            .any(|one| one["id"] == me.json["id"])
    );
}

#[tokio::test]
async fn only_the_region_in_me_tells_that_the_host_is_the_wrong_one() {
    let mut client = Client::with(|config| config.region = Region::Eu);
    client.host = "api.intercom.io";
    assert_eq!(client.get("me").await.expect(200).at("/app/region"), "EU");
    client
        .simulator
        .set_switches(|s| s.wrong_region_refused = true);
    client.get("me").await.refused(401, "unauthorized");
    client.host = "api.eu.intercom.io";
    client.get("me").await.expect(200);
}

#[tokio::test]
async fn a_bad_token_is_a_401_without_the_headers_of_limits() {
    let mut client = Client::new();
    let good = client.get("me").await;
    assert!(good.header("x-ratelimit-limit").is_some());
    client.token = "other".to_owned();
    let bad = client.get("me").await.refused(401, "unauthorized");
    assert_eq!(bad.at("/errors/0/message"), "Access Token Invalid");
    assert_eq!(bad.header("x-ratelimit-limit"), None);
    client.token = client.simulator.admin_token();
    client.simulator.revoke_tokens();
    client
        .simulator
        .set_switches(|s| s.detailed_unauthorized = true);
    client.get("me").await.refused(401, "token_revoked");
}

#[tokio::test]
async fn without_the_version_header_the_apps_own_version_counts() {
    let mut client = Client::quiet();
    let contact = client.contact("k1").await;
    client.get("conversations/attributes").await.expect(200);
    client.version = None;
    client
        .get("conversations/attributes")
        .await
        .refused(400, "intercom_version_invalid");
    let conversation = client.conversation(&contact).await;
    let old = client
        .get(&format!("conversations/{conversation}"))
        .await
        .expect(200);
    assert_eq!(old.at("/admin_assignee_id"), &Value::Null);
    client.version = Some("2.16");
    let new = client
        .get(&format!("conversations/{conversation}"))
        .await
        .expect(200);
    assert_eq!(new.at("/admin_assignee_id"), 0);
    client.version = Some("2.99");
    client
        .get("me")
        .await
        .refused(400, "intercom_version_invalid");
}

#[tokio::test]
async fn the_window_of_ten_seconds_is_the_wall_clocks_and_a_429_has_no_retry_after() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.app_limit = 3;
    });
    client.wait(4);
    for left in [2, 1, 0] {
        let reply = client.get("me").await.expect(200);
        assert_eq!(
            reply.header("x-ratelimit-remaining"),
            Some(left.to_string().as_str())
        );
    }
    let refused = client.get("me").await.refused(429, "rate_limit_exceeded");
    assert_eq!(
        refused.at("/errors/0/message"),
        "Exceeded rate limit of 3 in 10_seconds"
    );
    assert_eq!(refused.header("retry-after"), None);
    let reset: i64 = refused
        .header("x-ratelimit-reset")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!((reset - client.now(), reset % 10), (6, 0));
    client.wait(6);
    client.get("me").await.expect(200);
}

#[tokio::test]
async fn other_apps_use_up_the_workspace_and_a_single_path_can_be_limited() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.workspace_limit = 10;
        config.others_calls = 9;
    });
    client.get("me").await.expect(200);
    client.get("me").await.refused(429, "rate_limit_exceeded");
    let client = Client::with(|config| config.rate_limits = true);
    client
        .simulator
        .limit_path("POST", "/contacts/search", 1, chrono::Duration::minutes(1));
    let query = json!({"query": {"field": "name", "operator": "=", "value": "x"}});
    client
        .post("contacts/search", query.clone())
        .await
        .expect(200);
    client
        .post("contacts/search", query)
        .await
        .refused(429, "rate_limit_exceeded");
    client.get("contacts").await.expect(200);
}

#[tokio::test]
async fn scopes_and_the_subscription_open_what_they_name() {
    let mut client = Client::new();
    let contact = client.contact("k1").await;
    client.token = client.simulator.oauth_token(&["read_conversations"]);
    client.get("conversations").await.expect(200);
    let body = json!({"from": {"type": "user", "id": contact}, "body": "x"});
    client
        .post("conversations", body.clone())
        .await
        .refused(403, "forbidden");
    client.token = client.simulator.admin_token();
    client.simulator.set_subscription(false);
    let refused = client
        .post("conversations", body)
        .await
        .refused(403, "api_plan_restricted");
    assert_eq!(
        refused.at("/errors/0/message"),
        "Active subscription needed."
    );
    client.get("contacts").await.expect(200);
}

#[tokio::test]
async fn an_unknown_path_is_a_404_and_an_unknown_key_a_400() {
    let client = Client::new();
    client.get("nothing").await.refused(404, "not_found");
    client.delete("contacts").await.refused(404, "not_found");
    let body = json!({"role": "user", "colour": "red"});
    let refused = client
        .post("contacts", body.clone())
        .await
        .refused(400, "bad_request");
    assert_eq!(refused.at("/errors/0/message"), "bad 'colour' parameter");
    assert!(refused.at("/request_id").is_string());
    client
        .simulator
        .set_switches(|s| s.unknown_keys_refused = false);
    client.post("contacts", body).await.expect(200);
    client
        .post("companies", json!({"company_id": "a", "test": 1}))
        .await
        .refused(400, "bad_request");
}
