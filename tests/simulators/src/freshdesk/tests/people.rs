use serde_json::json;

use super::super::Plan;
use super::Client;

#[tokio::test]
async fn a_contact_is_made_read_changed_and_found() {
    let client = Client::new();
    let body = json!({
        "name": "Ana Ruiz", "email": "Ana@example.com", "other_emails": ["ana@work.example"],
        "phone": "+15555550123", "mobile": "+15555550199",
        "unique_external_id": "kustomer:customer:1", "address": "Gran Vía 1", "job_title": "Chef",
        "language": "es", "time_zone": "Madrid", "description": "d", "tags": ["vip", "VIP", " b "],
        "twitter_id": "ana", "custom_fields": {"loyalty_tier": "gold"},
    });
    let made = client.post("contacts", body).await.expect(201);
    let id = made.id();
    let location = format!("https://acme.freshdesk.com/api/v2/contacts/{id}");
    assert_eq!(made.header("location"), Some(location.as_str()));
    assert_eq!(made.at("/tags"), &json!(["vip", "b"]));
    assert_eq!(made.at("/active"), false);
    assert_eq!(made.at("/deleted"), &json!(null));
    assert_eq!(made.at("/created_at"), "2026-11-23T09:00:00Z");
    for query in [
        "email=ana@example.com",
        "email=ANA@WORK.example",
        "phone=%2B15555550123",
        "mobile=%2B15555550199",
        "unique_external_id=kustomer:customer:1",
    ] {
        let found = client.get(&format!("contacts?{query}")).await.expect(200);
        assert_eq!(found.ids(), [id], "{query}");
    }
    client.wait(5);
    let change = json!({"tags": ["new"], "custom_fields": {"loyalty_tier": null}});
    let changed = client
        .put(&format!("contacts/{id}"), change)
        .await
        .expect(200);
    assert_eq!(changed.at("/tags"), &json!(["new"]));
    assert_eq!(changed.at("/custom_fields/loyalty_tier"), &json!(null));
    assert_eq!(changed.at("/name"), "Ana Ruiz");
    assert_eq!(changed.at("/updated_at"), "2026-11-23T09:00:05Z");
    let since = client
        .get("contacts?_updated_since=2026-11-23T09:00:05Z")
        .await
        .expect(200);
    assert_eq!(since.ids(), [id]);
}

#[tokio::test]
async fn unknown_and_read_only_attributes_are_refused() {
    let client = Client::new();
    let body = json!({"name": "A", "email": "a@x.example", "created_at": "2020-01-01T00:00:00Z"});
    client
        .post("contacts", body)
        .await
        .refused(400, "created_at", "invalid_field");
    let body = json!({"name": "A", "email": "a@x.example", "custom_fields": {"cf_x": 1}});
    client
        .post("contacts", body)
        .await
        .refused(400, "custom_fields.cf_x", "invalid_field");
    let body = json!({"name": "A", "email": "a@x.example", "tags": "one"});
    client
        .post("contacts", body)
        .await
        .refused(400, "tags", "datatype_mismatch");
    let body = json!({"name": "A", "email": "no address"});
    let refused = client.post("contacts", body).await.expect(400);
    assert!(refused.errors().contains(&("email", "invalid_value")));
    let body = json!({"name": "A", "email": "a@x.example", "time_zone": "Europe/Madrid"});
    client
        .post("contacts", body)
        .await
        .refused(400, "time_zone", "invalid_value");
}

#[tokio::test]
async fn a_contact_needs_a_name_and_an_identifier_or_one_of_four() {
    let client = Client::new();
    client
        .post("contacts", json!({"email": "a@x.example"}))
        .await
        .refused(400, "name", "missing_field");
    client
        .post("contacts", json!({"name": "A"}))
        .await
        .refused(400, "email", "missing_field");
    client
        .post("contacts", json!({"name": "A", "unique_external_id": "k1"}))
        .await
        .expect(201);
    client
        .simulator
        .set_switches(|switches| switches.contact_needs_name = false);
    client
        .post("contacts", json!({"email": "a@x.example"}))
        .await
        .expect(201);
    client
        .post("contacts", json!({"name": "B"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn keys_are_unique_across_contacts_and_agents_and_the_refusal_names_who_has_them() {
    let client = Client::new();
    let body = json!({
        "name": "Ana", "email": "ana@x.example", "other_emails": ["second@x.example"],
        "phone": "1", "mobile": "2", "unique_external_id": "k1",
    });
    let id = client.post("contacts", body).await.expect(201).id();
    for (field, value) in [
        ("email", json!("ANA@x.example")),
        ("email", json!("second@x.example")),
        ("phone", json!("1")),
        ("mobile", json!("2")),
        ("unique_external_id", json!("k1")),
    ] {
        let mut body = json!({"name": "Other", "twitter_id": "t"});
        body[field] = value;
        let reply = client
            .post("contacts", body)
            .await
            .refused(409, field, "duplicate_value");
        assert_eq!(reply.at("/errors/0/additional_info/user_id"), id);
    }
    let agent = json!({"name": "Other", "email": "agent1@acme.example"});
    let reply = client
        .post("contacts", agent)
        .await
        .refused(409, "email", "duplicate_value");
    let known = client.known("agent1@acme.example");
    assert_eq!(reply.at("/errors/0/additional_info/user_id"), known);
    client
        .simulator
        .set_switches(|switches| switches.duplicate_names_existing = false);
    let again = json!({"name": "Other", "email": "ana@x.example"});
    let reply = client.post("contacts", again).await.expect(409);
    assert_eq!(reply.at("/errors/0/additional_info"), &json!(null));
}

#[tokio::test]
async fn a_contact_joins_the_company_of_its_domain_only_when_it_is_made() {
    let client = Client::new();
    let company = client.simulator.snapshot().companies[0].id;
    let joined = json!({"name": "A", "email": "a@Partner.example"});
    let made = client.post("contacts", joined).await.expect(201);
    assert_eq!(made.at("/company_id"), company);
    let later = json!({"name": "B", "phone": "1"});
    let id = client.post("contacts", later).await.expect(201).id();
    let change = json!({"email": "b@partner.example"});
    let changed = client
        .put(&format!("contacts/{id}"), change)
        .await
        .expect(200);
    assert_eq!(changed.at("/company_id"), &json!(null));
    // A company made later takes nobody along, unless the account does that.
    let id = client.contact("C", "c@late.example").await;
    let body = json!({"name": "Late", "domains": ["late.example"]});
    client.post("companies", body).await.expect(201);
    assert_eq!(
        client
            .get(&format!("contacts/{id}"))
            .await
            .at("/company_id"),
        &json!(null)
    );
}

#[tokio::test]
async fn several_companies_need_a_plan_and_languages_do_too() {
    let client = Client::new();
    let first = client.post("companies", json!({"name": "One"})).await.id();
    let second = client.post("companies", json!({"name": "Two"})).await.id();
    let body = json!({
        "name": "A", "email": "a@x.example", "company_id": first, "view_all_tickets": true,
        "other_companies": [{"company_id": second, "view_all_tickets": false}],
    });
    let made = client.post("contacts", body.clone()).await.expect(201);
    assert_eq!(made.at("/other_companies/0/company_id"), second);
    let listed = client.get(&format!("contacts?company_id={second}")).await;
    assert_eq!(listed.ids(), [made.id()]);
    let client = Client::with(|config| config.plan = Plan::Growth);
    let first = client.post("companies", json!({"name": "One"})).await.id();
    let body = json!({
        "name": "A", "email": "a@x.example", "company_id": first, "other_companies": [],
    });
    client
        .post("contacts", body)
        .await
        .refused(400, "other_companies", "inaccessible_field");
    let client = Client::with(|config| config.plan = Plan::Free);
    let body = json!({"name": "A", "email": "a@x.example", "language": "es"});
    client
        .post("contacts", body)
        .await
        .refused(400, "language", "inaccessible_field");
}

#[tokio::test]
async fn merging_takes_addresses_and_tickets_and_deletes_the_others() {
    let client = Client::new();
    let primary = client.contact("A", "a@x.example").await;
    let other = client.contact("B", "b@x.example").await;
    let ticket = client.ticket(other, json!({})).await;
    let body = json!({"primary_contact_id": primary, "secondary_contact_ids": [other]});
    client.post("contacts/merge", body).await.expect(204);
    let merged = client.get(&format!("contacts/{primary}")).await;
    assert_eq!(merged.at("/other_emails"), &json!(["b@x.example"]));
    assert_eq!(
        client
            .get(&format!("contacts/{other}"))
            .await
            .at("/deleted"),
        true
    );
    client
        .put(&format!("contacts/{other}/restore"), json!(null))
        .await
        .expect(404);
    let ticket = client.get(&format!("tickets/{ticket}")).await;
    assert_eq!(ticket.at("/requester_id"), primary);
}

#[tokio::test]
async fn companies_have_unique_names_configured_choices_and_domains_of_their_own() {
    let client = Client::new();
    let body = json!({
        "name": "Acme", "domains": ["acme.com"], "health_score": "Happy", "account_tier": "Premium",
        "renewal_date": "2027-12-31", "industry": "Retailing", "note": "n", "description": "d",
    });
    let made = client.post("companies", body).await.expect(201);
    assert_eq!(made.at("/domains"), &json!(["acme.com"]));
    assert_eq!(made.at("/renewal_date"), "2027-12-31T00:00:00Z");
    client
        .simulator
        .set_switches(|switches| switches.renewal_date_with_time = false);
    let read = client.get(&format!("companies/{}", made.id())).await;
    assert_eq!(read.at("/renewal_date"), "2027-12-31");
    client
        .post("companies", json!({"name": "ACME"}))
        .await
        .refused(409, "name", "duplicate_value");
    let same = json!({"name": "B", "domains": ["ACME.com"]});
    client
        .post("companies", same)
        .await
        .refused(409, "domains", "duplicate_value");
    let wrong = json!({"name": "B", "health_score": "Odd"});
    client
        .post("companies", wrong)
        .await
        .refused(400, "health_score", "invalid_value");
    client
        .post("companies", json!({"note": "x"}))
        .await
        .refused(400, "name", "missing_field");
    let tags = json!({"name": "B", "tags": ["x"]});
    client
        .post("companies", tags)
        .await
        .refused(400, "tags", "invalid_field");
    let found = client
        .get("companies/autocomplete?name=acm")
        .await
        .expect(200);
    assert_eq!(found.at("/companies/0/name"), "Acme");
}

#[tokio::test]
async fn an_agent_needs_a_licence_is_invited_and_becomes_a_contact_when_deleted() {
    let client = Client::with(|config| config.agent_seats = 7);
    let role = client.get("roles").await.at("/3/id").clone();
    let group = client.simulator.snapshot().groups[0].id;
    let body = json!({
        "email": "dana@acme.example", "name": "Dana Wu", "ticket_scope": 1, "occasional": false,
        "agent_type": 1, "role_ids": [role], "group_ids": [group], "language": "en",
        "time_zone": "Chennai",
    });
    client.simulator.outbox().clear();
    let made = client.post("agents", body.clone()).await.expect(201);
    assert_eq!(made.at("/contact/name"), "Dana Wu");
    assert_eq!(made.at("/group_ids"), &json!([group]));
    assert_eq!(
        client.mails(),
        [("dana@acme.example".into(), "agent invitation".into())]
    );
    client
        .post("agents", body)
        .await
        .refused(409, "email", "duplicate_value");
    let next = json!({"email": "e@acme.example", "role_ids": [role]});
    let full = client.post("agents", next).await.expect(403);
    assert_eq!(full.at("/code"), "max_agents_reached");
    let occasional = json!({"email": "e@acme.example", "role_ids": [role], "occasional": true});
    client.post("agents", occasional).await.expect(201);
    let found = client
        .get("agents?email=dana@acme.example")
        .await
        .expect(200);
    let id = made.id();
    assert_eq!(found.ids(), [id]);
    let ticket = client
        .ticket(
            client.known("old.customer@example.com"),
            json!({"responder_id": id}),
        )
        .await;
    client.delete(&format!("agents/{id}")).await.expect(204);
    client.get(&format!("agents/{id}")).await.expect(404);
    let contact = client.get(&format!("contacts/{id}")).await.expect(200);
    assert_eq!(contact.at("/email"), "dana@acme.example");
    let ticket = client.get(&format!("tickets/{ticket}")).await;
    assert_eq!(ticket.at("/responder_id"), &json!(null));
}

#[tokio::test]
async fn a_contact_with_an_address_becomes_an_agent() {
    let client = Client::new();
    let id = client.contact("A", "a@x.example").await;
    let path = format!("contacts/{id}/make_agent");
    let made = client
        .put(&path, json!({"occasional": true}))
        .await
        .expect(200);
    assert_eq!(made.at("/agent/occasional"), true);
    client.get(&format!("contacts/{id}")).await.expect(404);
    client.get(&format!("agents/{id}")).await.expect(200);
    let silent = client
        .post("contacts", json!({"name": "B", "phone": "1"}))
        .await
        .id();
    let reply = client
        .put(&format!("contacts/{silent}/make_agent"), json!(null))
        .await;
    reply.refused(400, "email", "inconsistent_state");
}

#[tokio::test]
async fn a_group_has_a_unique_name_and_its_agents_are_replaced() {
    let client = Client::new();
    let agents = [
        client.known("agent1@acme.example"),
        client.known("agent2@acme.example"),
    ];
    let body = json!({
        "name": "VIP", "description": "d", "agent_ids": agents, "unassigned_for": "30m",
        "auto_ticket_assign": 1,
    });
    let made = client.post("groups", body).await.expect(201);
    assert_eq!(made.at("/auto_ticket_assign"), 1);
    client
        .post("groups", json!({"name": "billing"}))
        .await
        .refused(409, "name", "duplicate_value");
    let wrong = json!({"name": "X", "unassigned_for": "31m"});
    client
        .post("groups", wrong)
        .await
        .refused(400, "unassigned_for", "invalid_value");
    let contact = client.known("old.customer@example.com");
    let wrong = json!({"name": "X", "agent_ids": [contact]});
    client
        .post("groups", wrong)
        .await
        .refused(400, "agent_ids", "invalid_value");
    let path = format!("groups/{}", made.id());
    let changed = client
        .put(&path, json!({"agent_ids": [agents[1]]}))
        .await
        .expect(200);
    assert_eq!(changed.at("/agent_ids"), &json!([agents[1]]));
    client
        .simulator
        .set_switches(|switches| switches.auto_assign_as_bool = true);
    assert_eq!(client.get(&path).await.at("/auto_ticket_assign"), true);
    client.get("admin/groups").await.expect(404);
    client.delete(&path).await.expect(204);
    client.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_picture_is_small_and_a_picture() {
    let client = Client::new();
    let id = client.contact("A", "a@x.example").await;
    let path = format!("contacts/{id}");
    let put = async |name: &str, kind: &str, size: usize| {
        let file = [("avatar", name, kind, vec![1; size])];
        client.form("PUT", &path, &[], &file).await
    };
    put("a.gif", "image/gif", 3)
        .await
        .refused(400, "avatar", "invalid_value");
    put("a.png", "image/png", 5 * 1024 * 1024 + 1)
        .await
        .refused(400, "avatar", "invalid_size");
    let changed = put("a.png", "image/png", 3).await.expect(200);
    assert_eq!(changed.at("/avatar/name"), "a.png");
    assert!(changed.at("/avatar/avatar_url").is_string());
}

#[tokio::test]
async fn an_invitation_is_mailed() {
    let client = Client::new();
    let id = client.contact("A", "a@x.example").await;
    client
        .put(&format!("contacts/{id}/send_invite"), json!(null))
        .await
        .expect(204);
    assert_eq!(
        client.mails(),
        [("a@x.example".into(), "invitation".into())]
    );
    let silent = client
        .post("contacts", json!({"name": "B", "phone": "1"}))
        .await
        .id();
    let reply = client
        .put(&format!("contacts/{silent}/send_invite"), json!(null))
        .await;
    reply.refused(400, "email", "inconsistent_state");
}
