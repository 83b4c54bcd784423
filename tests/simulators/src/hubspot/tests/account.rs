//! Credentials, limits, versions, what the account is.

use super::*;
use crate::hubspot::model::TypeId;
use crate::hubspot::{Plan, Simulator};

#[tokio::test]
async fn a_wrong_key_is_401_and_an_ended_one_too() {
    let mut client = Client::new();
    let good = client.token.clone();
    assert!(good.starts_with("pat-na1-"));
    client.get("/account-info/v3/details").await.expect(200);
    client.simulator.end_token(&good);
    let ended = client.get("/account-info/v3/details").await.expect(401);
    assert_eq!(ended.text("/category"), "INVALID_AUTHENTICATION");
    client.token = "pat-na1-wrong".to_owned();
    client.get("/crm/v3/owners").await.expect(401);
}

#[tokio::test]
async fn a_missing_scope_is_403_and_is_named() {
    let mut client = Client::new();
    client.token = client.simulator.token_with(&["crm.objects.contacts.read"]);
    let refused = client.get("/crm/v3/objects/tickets").await.expect(403);
    assert_eq!(refused.text("/category"), "MISSING_SCOPES");
    assert_eq!(
        refused.text("/errors/0/context/requiredGranularScopes/0"),
        "tickets"
    );
    client.get("/crm/v3/objects/contacts").await.expect(200);
    client
        .try_make("contacts", json!({"firstname": "A"}))
        .await
        .expect(403);
    // E-mails need a scope more.
    client.get("/crm/v3/objects/emails").await.expect(403);
    client
        .simulator
        .set_switches(|s| s.emails_redacted_without_scope = true);
    let emails = client
        .get("/crm/v3/objects/emails?properties=hs_email_text,hs_email_subject")
        .await
        .expect(200);
    assert!(emails.at("/results/0/properties/hs_email_text").is_null());
    assert!(
        emails
            .at("/results/0/properties/hs_email_subject")
            .is_string()
    );
}

#[tokio::test]
async fn an_oauth_token_lives_half_an_hour_and_is_had_again() {
    let mut client = Client::new();
    let body = "grant_type=refresh_token&client_id=6f1c2f0a-simulated-client&client_secret=simulated-client-secret\
                &refresh_token=na1-simulated-refresh-token";
    let ask = async |client: &Client, body: &str| {
        let request = client
            .request("POST", "/oauth/v1/token")
            .header("content-type", "application/x-www-form-urlencoded");
        client
            .send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    };
    let reply = ask(&client, body).await.expect(200);
    assert_eq!(*reply.at("/expires_in"), 1_800);
    client.token = reply.text("/access_token");
    let used = client.get("/crm/v3/owners").await.expect(200);
    assert_eq!(used.header("x-hubspot-ratelimit-daily"), None);
    assert_eq!(used.header("x-hubspot-ratelimit-max"), Some("110"));
    client.wait(1_800);
    let expired = client.get("/crm/v3/owners").await.expect(401);
    assert_eq!(expired.text("/category"), "EXPIRED_AUTHENTICATION");
    let revoked = body.replace("na1-simulated", "na1-other");
    let refused = ask(&client, &revoked).await.expect(400);
    assert_eq!(refused.text("/status"), "BAD_REFRESH_TOKEN");
}

#[tokio::test]
async fn details_and_usage_name_the_portal_and_the_end_of_its_day() {
    let client = Client::new();
    let details = client
        .get("/account-info/2026-09/details")
        .await
        .expect(200);
    assert_eq!(*details.at("/portalId"), 44_218_907);
    assert_eq!(details.text("/timeZone"), "America/New_York");
    let usage = client
        .get("/account-info/v3/api-usage/daily/private-apps")
        .await;
    assert_eq!(*usage.at("/results/0/usageLimit"), 1_000_000);
    // Nine by others, then these two.
    assert_eq!(*usage.at("/results/0/currentUsage"), 11);
    // Midnight in New York.
    assert_eq!(usage.text("/results/0/resetsAt"), "2026-11-24T05:00:00Z");
}

fn limited(change: impl FnOnce(&mut Config)) -> Client {
    Client::with(|config| {
        config.rate_limits = true;
        config.preexisting = Preexisting::nothing();
        change(config);
    })
}

#[tokio::test]
async fn the_call_over_the_limit_of_ten_seconds_is_429_without_retry_after() {
    let client = limited(|config| config.plan = Plan::Starter);
    let first = client.get("/crm/v3/owners").await.expect(200);
    assert_eq!(first.header("x-hubspot-ratelimit-daily"), Some("250000"));
    assert_eq!(
        first.header("x-hubspot-ratelimit-daily-remaining"),
        Some("249990")
    );
    assert_eq!(
        first.header("x-hubspot-ratelimit-interval-milliseconds"),
        Some("10000")
    );
    assert_eq!(first.header("x-hubspot-ratelimit-max"), Some("100"));
    assert_eq!(first.header("x-hubspot-ratelimit-remaining"), Some("99"));
    client.wait(9);
    for _ in 1..100 {
        client.get("/crm/v3/owners").await.expect(200);
    }
    let refused = client.get("/crm/v3/owners").await.expect(429);
    assert_eq!(refused.text("/policyName"), "TEN_SECONDLY_ROLLING");
    assert_eq!(refused.text("/errorType"), "RATE_LIMIT");
    assert_eq!(
        refused.message(),
        "You have reached your ten_secondly_rolling limit."
    );
    assert_eq!(refused.header("retry-after"), None);
    // The window rolls: after ten seconds from the first call only that one is free.
    client.wait(1);
    client.get("/crm/v3/owners").await.expect(200);
    client.get("/crm/v3/owners").await.expect(429);
    client.wait(9);
    client.get("/crm/v3/owners").await.expect(200);
}

#[tokio::test]
async fn searches_have_five_a_second_and_no_headers() {
    let client = limited(|_| {});
    for _ in 0..5 {
        let found = client
            .post("/crm/v3/objects/contacts/search", json!({}))
            .await
            .expect(200);
        assert_eq!(found.header("x-hubspot-ratelimit-max"), None);
    }
    let refused = client
        .post("/crm/v3/objects/contacts/search", json!({}))
        .await
        .expect(429);
    assert_eq!(refused.text("/policyName"), "SECONDLY");
    client.wait(1);
    client
        .post("/crm/v3/objects/contacts/search", json!({}))
        .await
        .expect(200);
}

#[tokio::test]
async fn associations_have_a_lower_limit_of_their_own() {
    let client = limited(|_| {});
    for _ in 0..150 {
        client
            .get("/crm/v4/associations/contacts/tickets/labels")
            .await
            .expect(200);
    }
    client
        .get("/crm/v4/associations/contacts/tickets/labels")
        .await
        .expect(429);
    client.get("/crm/v3/owners").await.expect(200);
}

#[tokio::test]
async fn the_daily_limit_ends_at_the_portals_midnight() {
    let client = limited(|config| {
        config.plan = Plan::Starter;
        config.used_requests = 249_999;
    });
    client.get("/crm/v3/owners").await.expect(200);
    let refused = client.get("/crm/v3/owners").await.expect(429);
    assert_eq!(refused.text("/policyName"), "DAILY");
    assert_eq!(refused.message(), "You have reached your daily limit.");
    // 09:00 UTC is 04:00 in New York: twenty hours to go.
    client.wait(20 * 3_600 - 1);
    client.get("/crm/v3/owners").await.expect(429);
    client.wait(1);
    client.get("/crm/v3/owners").await.expect(200);
}

#[tokio::test]
async fn a_locked_record_is_423_for_two_seconds() {
    let client = Client::empty();
    let id = client.make("contacts", json!({"firstname": "A"})).await;
    client
        .simulator
        .lock_record(TypeId::CONTACT, id.parse().unwrap());
    let path = format!("/crm/v3/objects/contacts/{id}");
    let change = json!({"properties": {"firstname": "B"}});
    client.patch(&path, change.clone()).await.expect(423);
    client.get(&path).await.expect(200);
    client.wait(2);
    client.patch(&path, change).await.expect(200);
}

#[tokio::test]
async fn owners_are_found_by_address_and_archived_ones_apart() {
    let client = Client::new();
    let one = client
        .get("/crm/v3/owners?email=AGENT1@acme.example")
        .await
        .expect(200);
    assert_eq!(one.list("/results").len(), 1);
    let (id, user) = (
        one.text("/results/0/id"),
        one.at("/results/0/userId").clone(),
    );
    assert_ne!(id, user.to_string());
    assert!(one.at("/results/0/teams/0/name").is_string());
    let by_user = client
        .get(&format!("/crm/v3/owners/{user}?idProperty=userId"))
        .await
        .expect(200);
    assert_eq!(by_user.id(), id);
    let all = client.get("/crm/owners/2026-03?limit=2").await.expect(200);
    let after = all.text("/paging/next/after");
    assert!(
        after.parse::<u64>().is_err(),
        "a cursor is no number: {after}"
    );
    let archived = client.get("/crm/v3/owners?archived=true").await.expect(200);
    assert_eq!(archived.list("/results").len(), 1);
    assert!(archived.at("/results/0/userId").is_null());
    assert!(archived.at("/results/0/userIdIncludingInactive").is_u64());
}

#[tokio::test]
async fn what_is_no_route_is_404_and_another_method_405() {
    let client = Client::new();
    client.get("/crm/v3/nothing").await.expect(404);
    client
        .get("/crm/2026-05/objects/contacts")
        .await
        .expect(404);
    client.delete("/crm/v3/objects/contacts").await.expect(405);
    let unknown = client.get("/crm/v3/objects/things").await.expect(400);
    assert_eq!(
        unknown.message(),
        "Unable to infer object type from: things"
    );
}

#[tokio::test]
async fn limits_tell_what_is_used() {
    let client = Client::new();
    let records = client.get("/crm/v3/limits/records").await.expect(200);
    let standard = records.list("/hubspotDefinedObjectTypes");
    let tickets = standard
        .iter()
        .find(|l| l["objectTypeId"] == "0-5")
        .unwrap();
    assert_eq!(tickets["usage"], 3);
    let properties = client
        .get("/crm/limits/2026-09/custom-properties")
        .await
        .expect(200);
    let of = properties.list("/byObjectType");
    let of_tickets = of.iter().find(|l| l["objectTypeId"] == "0-5").unwrap();
    assert_eq!(
        (&of_tickets["usage"], &of_tickets["limit"]),
        (&json!(1), &json!(1_000))
    );
    let objects = client
        .get("/crm/v3/limits/custom-object-types")
        .await
        .expect(200);
    assert_eq!(*objects.at("/limit"), 10);
    let links = client
        .get("/crm/v3/limits/associations/records/tickets/emails")
        .await
        .expect(200);
    assert_eq!(*links.at("/usage"), 1);
}

#[tokio::test]
async fn a_seed_makes_the_same_account_again() {
    let make = |seed| {
        Simulator::new(Config {
            seed,
            ..Config::virtual_time()
        })
    };
    let ids = |simulator: &Simulator| {
        simulator
            .snapshot()
            .records
            .keys()
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&make(3)), ids(&make(3)));
    assert_ne!(ids(&make(3)), ids(&make(4)));
    assert_eq!(make(3).state_fingerprint(), make(4).state_fingerprint());
}
