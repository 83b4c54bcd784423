//! Users, identities, organizations, groups and memberships.

use serde_json::json;

use super::super::Plan;
use super::Client;

#[tokio::test]
async fn an_address_can_belong_to_one_user_only_over_all_identities() {
    let client = Client::new();
    let ana = client.user("Ana Ruiz", "ana@example.com").await;
    let second =
        json!({"identity": {"type": "email", "value": "Ana@Work.example", "verified": true}});
    client
        .post(&format!("users/{ana}/identities"), second)
        .await
        .expect(201);
    let other = json!({"user": {"name": "Other", "email": "ANA@work.example"}});
    let refused = client.post("users", other).await.expect(422);
    assert_eq!(refused.at("/error"), "RecordInvalid");
    assert_eq!(
        refused.at("/details/email/0/description"),
        "Email: ana@work.example is already being used by another user"
    );
    assert_eq!(refused.at("/details/email/0/error"), "DuplicateValue");
}

#[tokio::test]
async fn an_email_in_an_update_becomes_a_second_identity_and_the_primary_stays() {
    let client = Client::new();
    let ana = client.user("Ana Ruiz", "ana@example.com").await;
    let body = json!({"user": {"email": "new@example.com", "skip_verify_email": true}});
    let updated = client.put(&format!("users/{ana}"), body).await.expect(200);
    assert_eq!(updated.at("/user/email"), "ana@example.com");
    let identities = client
        .get(&format!("users/{ana}/identities"))
        .await
        .expect(200);
    assert_eq!(identities.at("/identities/1/value"), "new@example.com");
    let id = identities.id("/identities/1/id");
    client
        .put(
            &format!("users/{ana}/identities/{id}/make_primary"),
            json!({}),
        )
        .await
        .expect(200);
    let user = client.get(&format!("users/{ana}")).await;
    assert_eq!(user.at("/user/email"), "new@example.com");
}

#[tokio::test]
async fn external_ids_of_users_are_compared_without_case_and_an_upsert_rewrites_the_case() {
    let client = Client::new();
    let body = json!({"user": {"name": "Ana", "external_id": "Kustomer:ABC"}});
    let made = client
        .post("users/create_or_update", body)
        .await
        .expect(201);
    let body = json!({"user": {"name": "Ana Ruiz", "external_id": "kustomer:abc"}});
    let again = client
        .post("users/create_or_update", body)
        .await
        .expect(200);
    assert_eq!(made.id("/user/id"), again.id("/user/id"));
    assert_eq!(again.at("/user/external_id"), "kustomer:abc");
    let found = client
        .get("users/show_many?external_ids=KUSTOMER:ABC")
        .await
        .expect(200);
    assert_eq!(found.at("/users/0/name"), "Ana Ruiz");
    let taken = json!({"user": {"name": "Bo", "external_id": "KUSTOMER:abc"}});
    client.post("users", taken).await.expect(422);
}

#[tokio::test]
async fn user_upserts_are_limited_to_one_a_second_and_a_refused_one_was_not_applied() {
    let client = Client::with(|config| {
        config.rate_limits = true;
        config.plan = Plan::SuiteEnterprisePlus;
    });
    let body = |n: u32| json!({"user": {"name": "Ana", "external_id": format!("k:{n}")}});
    client
        .post("users/create_or_update", body(1))
        .await
        .expect(201);
    let refused = client
        .post("users/create_or_update", body(2))
        .await
        .expect(429);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        client
            .simulator
            .snapshot()
            .user_by_external_id("k:2")
            .is_none()
    );
    for _ in 0..5 {
        client.wait(1);
        client
            .post("users/create_or_update", body(1))
            .await
            .expect(200);
    }
    client.wait(1);
    // §2: five a minute for one user.
    client
        .post("users/create_or_update", body(1))
        .await
        .expect(429);
    client.wait(1);
    client
        .post("users/create_or_update", body(2))
        .await
        .expect(201);
    // Plain creation has only the account's limit.
    client
        .post("users", json!({"user": {"name": "Bo"}}))
        .await
        .expect(201);
    client
        .post("users", json!({"user": {"name": "Cy"}}))
        .await
        .expect(201);
}

#[tokio::test]
async fn bulk_user_import_is_forbidden_until_it_is_enabled_for_the_account() {
    let client = Client::new();
    let body = json!({"users": [{"name": "Ana", "skip_verify_email": true}, {"name": ""}]});
    client
        .post("users/create_or_update_many", body.clone())
        .await
        .expect(403);
    client.simulator.set_switches(|s| s.bulk_user_import = true);
    let job = client
        .post("users/create_or_update_many", body)
        .await
        .expect(200);
    let rows = client.finish(&job).await;
    assert_eq!(rows[0]["status"], "Created");
    assert_eq!(rows[1]["error"], "UserCreationFailed");
}

#[tokio::test]
async fn a_new_user_is_greeted_by_mail_unless_the_caller_says_not_to() {
    let client = Client::new();
    client.user("Quiet", "quiet@example.com").await;
    assert!(client.simulator.outbox().all().is_empty());
    let loud = json!({"user": {"name": "Loud", "email": "loud@example.com"}});
    client.post("users", loud).await.expect(201);
    let mails = client.simulator.outbox().all();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, "loud@example.com");
}

#[tokio::test]
async fn a_custom_role_makes_an_agent_of_an_end_user_in_silence() {
    let client = Client::new();
    let body = json!({"user": {"name": "Ana", "role": "end-user", "custom_role_id": 17}});
    let made = client.post("users", body).await.expect(201);
    assert_eq!(made.at("/user/role"), "agent");
}

#[tokio::test]
async fn agents_are_refused_when_no_seat_is_left() {
    let client = Client::with(|config| config.agent_seats = 7);
    let agent = |n: u32| json!({"user": {"name": "A", "role": "agent", "email": format!("new{n}@acme.example")}});
    client.post("users", agent(1)).await.expect(201);
    client.post("users", agent(2)).await.expect(422);
}

#[tokio::test]
async fn a_phone_number_is_a_unique_identity_unless_it_is_shared() {
    let client = Client::new();
    let with = |phone: &str, shared: Option<bool>| json!({"user": {"name": "P", "phone": phone, "shared_phone_number": shared}});
    client
        .post("users", with("+15555550123", None))
        .await
        .expect(201);
    let twice = client
        .post("users", with("+15555550123", None))
        .await
        .expect(422);
    assert_eq!(twice.at("/details/phone/0/error"), "DuplicateValue");
    client
        .post("users", with("+15555550123", Some(true)))
        .await
        .expect(201);
    client
        .post("users", with("call me", None))
        .await
        .expect(422);
    client
        .post("users", with("call me", Some(true)))
        .await
        .expect(201);
}

#[tokio::test]
async fn organization_id_in_an_update_replaces_all_memberships() {
    let client = Client::new();
    let make = |name: &'static str| {
        let client = &client;
        async move {
            let body = json!({"organization": {"name": name}});
            client
                .post("organizations", body)
                .await
                .expect(201)
                .id("/organization/id")
        }
    };
    let (one, two, three) = (make("One").await, make("Two").await, make("Three").await);
    let ana = client.user("Ana", "ana@example.com").await;
    for organization in [one, two] {
        let body =
            json!({"organization_membership": {"user_id": ana, "organization_id": organization}});
        client
            .post("organization_memberships", body.clone())
            .await
            .expect(201);
        client
            .post("organization_memberships", body)
            .await
            .expect(422);
    }
    client
        .put(
            &format!("users/{ana}"),
            json!({"user": {"organization_id": three}}),
        )
        .await
        .expect(200);
    let list = client
        .get(&format!("users/{ana}/organization_memberships"))
        .await
        .expect(200);
    assert_eq!(list.at("/count"), 1);
    assert_eq!(
        list.at("/organization_memberships/0/organization_id"),
        three
    );
}

#[tokio::test]
async fn names_of_organizations_are_trimmed_and_unique_without_case() {
    let client = Client::new();
    let name = |name: &str| json!({"organization": {"name": name}});
    let made = client
        .post("organizations", name("  Acme Ltd "))
        .await
        .expect(201);
    assert_eq!(made.at("/organization/name"), "Acme Ltd");
    let twice = client
        .post("organizations", name("ACME ltd"))
        .await
        .expect(422);
    assert_eq!(twice.at("/details/name/0/error"), "DuplicateValue");
    let found = client
        .get("organizations/search?name=acme%20LTD")
        .await
        .expect(200);
    assert_eq!(found.at("/count"), 1);
}

#[tokio::test]
async fn an_organization_upsert_goes_by_external_id_and_a_clash_of_names_is_refused() {
    let client = Client::new();
    let body = json!({"organization": {"name": "Acme", "external_id": "K:1"}});
    client
        .post("organizations/create_or_update", body)
        .await
        .expect(201);
    let body = json!({"organization": {"name": "Acme Inc", "external_id": "k:1"}});
    client
        .post("organizations/create_or_update", body)
        .await
        .expect(200);
    let body = json!({"organization": {"name": "acme inc", "external_id": "k:2"}});
    client
        .post("organizations/create_or_update", body)
        .await
        .expect(422);
}

#[tokio::test]
async fn a_verified_user_joins_the_organization_that_owns_the_domain() {
    let client = Client::new();
    let body = json!({"organization": {"name": "Work", "domain_names": ["work.example"]}});
    let work = client
        .post("organizations", body)
        .await
        .expect(201)
        .id("/organization/id");
    let ana = client.user("Ana", "ana@work.example").await;
    let user = client.get(&format!("users/{ana}")).await;
    assert_eq!(user.at("/user/organization_id"), work);
    client
        .simulator
        .set_switches(|s| s.map_users_by_domain = false);
    let bo = client.user("Bo", "bo@work.example").await;
    assert!(
        client
            .get(&format!("users/{bo}"))
            .await
            .at("/user/organization_id")
            .is_null()
    );
}

#[tokio::test]
async fn a_deleted_organization_leaves_its_users_and_tickets_without_one() {
    let client = Client::new();
    let body = json!({"organization": {"name": "Work"}});
    let work = client
        .post("organizations", body)
        .await
        .expect(201)
        .id("/organization/id");
    let ana = client.user("Ana", "ana@example.com").await;
    let body = json!({"organization_membership": {"user_id": ana, "organization_id": work}});
    client
        .post("organization_memberships", body)
        .await
        .expect(201);
    let ticket = client
        .import(json!({"requester_id": ana, "comments": [{"body": "x", "public": true}]}))
        .await;
    let before = client.get(&format!("tickets/{ticket}")).await;
    assert_eq!(before.at("/ticket/organization_id"), work);
    client
        .delete(&format!("organizations/{work}"))
        .await
        .expect(204);
    client
        .delete(&format!("organizations/{work}"))
        .await
        .expect(404);
    let after = client.get(&format!("tickets/{ticket}")).await;
    assert!(after.at("/ticket/organization_id").is_null());
    assert!(
        client
            .get(&format!("users/{ana}"))
            .await
            .at("/user/organization_id")
            .is_null()
    );
}

#[tokio::test]
async fn names_of_groups_need_not_be_unique_and_a_deleted_group_stays_as_deleted() {
    let client = Client::new();
    let body = json!({"group": {"name": "Billing"}});
    let group = client
        .post("groups", body)
        .await
        .expect(201)
        .id("/group/id");
    client.delete(&format!("groups/{group}")).await.expect(204);
    let gone = client.get(&format!("groups/{group}")).await.expect(200);
    assert_eq!(gone.at("/group/deleted"), true);
    let names = |reply: super::Reply| reply.at("/groups").as_array().unwrap().len();
    let all = names(client.get("groups").await);
    assert_eq!(
        names(client.get("groups?exclude_deleted=true").await),
        all - 1
    );
    let support = client.get("groups").await.id("/groups/0/id");
    client
        .delete(&format!("groups/{support}"))
        .await
        .expect(422);
}

#[tokio::test]
async fn only_agents_can_be_in_a_group_and_only_once() {
    let client = Client::new();
    let group = client
        .post("groups", json!({"group": {"name": "X"}}))
        .await
        .id("/group/id");
    let member = |user: u64| json!({"group_membership": {"user_id": user, "group_id": group}});
    let agent = client.known("agent1@acme.example");
    client
        .post("group_memberships", member(agent))
        .await
        .expect(201);
    client
        .post("group_memberships", member(agent))
        .await
        .expect(422);
    let customer = client.known("old.customer@example.com");
    client
        .post("group_memberships", member(customer))
        .await
        .expect(422);
}

#[tokio::test]
async fn unknown_attributes_are_dropped_in_silence() {
    let client = Client::new();
    let body = json!({"user": {"name": "Ana", "favourite_colour": "red", "created_at": "2019-01-01T00:00:00Z"}});
    let made = client.post("users", body).await.expect(201);
    assert!(made.at("/user/favourite_colour").is_null());
    assert_eq!(made.at("/user/created_at"), "2026-11-23T09:00:00Z");
}

#[tokio::test]
async fn a_ticket_restriction_that_is_wrong_for_an_end_user_becomes_requested() {
    let client = Client::new();
    let body = json!({"user": {"name": "Ana", "ticket_restriction": "groups"}});
    let made = client.post("users", body).await.expect(201);
    assert_eq!(made.at("/user/ticket_restriction"), "requested");
}

#[tokio::test]
async fn users_are_paged_by_cursor_or_by_number() {
    let client = Client::empty();
    for n in 0..5 {
        client.user("U", &format!("u{n}@example.com")).await;
    }
    let mut path = "/api/v2/users?role=end-user&page[size]=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = client.get(&path).await.expect(200);
        let users = page.at("/users").as_array().unwrap();
        seen.extend(
            users
                .iter()
                .map(|user| user["email"].as_str().unwrap().to_owned()),
        );
        if page.at("/meta/has_more") == false {
            break;
        }
        let next = page.at("/links/next").as_str().unwrap();
        path = next
            .strip_prefix("https://acme.zendesk.com")
            .unwrap()
            .to_owned();
    }
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let page = client
        .get("users?role=end-user&per_page=2&page=3")
        .await
        .expect(200);
    assert_eq!(page.at("/count"), 5);
    assert_eq!(page.at("/users").as_array().unwrap().len(), 1);
    assert!(page.at("/next_page").is_null());
    let wrong = client.get("users?page[size]=2&sort=name").await.expect(400);
    assert_eq!(wrong.at("/errors/0/code"), "InvalidPaginationParameter");
}
