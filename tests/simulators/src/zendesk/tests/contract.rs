//! Every answer held against Zendesk's own OpenAPI document.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Client;
use crate::common::Record;
use crate::common::contract::{Exception, Scope, Spec, check};

/// Where the document does not hold.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        operation: "* /api/v2/deleted_users/**",
        pointer: "/**",
        keyword: "required",
        reason: "what is required of a deleted user may be null, and nulls are taken out before the check",
    },
    Exception {
        operation: "GET /api/v2/automations",
        pointer: "/automations/*/actions/*/value",
        keyword: "type",
        reason: "the value of an action that mails is a list: to whom, subject, text",
    },
    Exception {
        operation: "GET /api/v2/job_statuses/*",
        pointer: "/job_status/results",
        keyword: "oneOf",
        reason: "failed rows have an index (Zendesk facts §12); the document's own form is a switch",
    },
    Exception {
        operation: "GET /api/v2/job_statuses/**",
        pointer: "/job_statuses/*/results",
        keyword: "oneOf",
        reason: "failed rows have an index (Zendesk facts §12), in lists too",
    },
];

/// The document marks few members as nullable, while the vendor answers null for most that are empty. Nulls are taken
/// out before the check, except in the cursors, where the document has them right.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, member| !member.is_null());
            for (key, member) in map.iter_mut() {
                if key != "meta" && key != "links" {
                    without_nulls(member);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

fn readable(mut record: Record) -> Record {
    if let Some(answer) = &mut record.answer
        && let Some(mut body) = answer.body.json()
    {
        without_nulls(&mut body);
        answer.body.bytes = Some(Bytes::from(body.to_string()));
    }
    record
}

/// One call to everything a connector uses.
async fn tour(client: &Client) {
    client.simulator.set_switches(|s| s.bulk_user_import = true);
    people(client).await;
    let field = fields(client).await;
    objects(client).await;
    tickets(client, field).await;
    for path in [
        "users/me",
        "users",
        "users?page[size]=2",
        "users/count",
        "users/search?query=role:agent",
        "users/autocomplete?name=old",
        "organizations",
        "organizations?page[size]=2",
        "organizations/count",
        "organizations/autocomplete?name=old",
        "groups",
        "groups/count",
        "groups/assignable",
        "group_memberships",
        "organization_memberships",
        "ticket_fields",
        "ticket_fields?page[size]=3",
        "user_fields",
        "organization_fields",
        "custom_statuses",
        "brands",
        "locales",
        "ticket_forms",
        "custom_roles",
        "account/settings",
        "triggers",
        "triggers/active",
        "automations",
        "views",
        "macros",
        "slas/policies",
        "tags",
        "tickets",
        "tickets?page[size]=2",
        "tickets/count",
        "job_statuses",
        "deleted_users",
        "deleted_tickets",
        "email_notifications",
        "search?query=parcel",
        "search/count?query=x",
        "search/export?query=x&filter[type]=user",
        "incremental/tickets/cursor?start_time=0",
        "incremental/tickets?start_time=0",
        "incremental/users/cursor?start_time=0",
        "incremental/users?start_time=0",
        "incremental/organizations?start_time=0",
        "incremental/custom_objects/order/cursor?start_time=0",
        "custom_objects/limits/object_limit",
        "custom_objects/limits/record_limit",
        "oauth/tokens/current",
    ] {
        client.get(path).await.expect(200);
    }
}

async fn people(client: &Client) {
    let body = json!({"organization": {"name": "Acme", "external_id": "k:o1", "tags": ["a"]}});
    let organization = client
        .post("organizations", body)
        .await
        .expect(201)
        .id("/organization/id");
    let body = json!({"organization": {"name": "Acme Ltd", "external_id": "k:o1"}});
    client
        .post("organizations/create_or_update", body)
        .await
        .expect(200);
    let body = json!({"organization": {"notes": "n"}});
    client
        .put(&format!("organizations/{organization}"), body)
        .await
        .expect(200);
    let body = json!({"organizations": [{"name": "Bulk"}, {"name": ""}]});
    let job = client
        .post("organizations/create_many", body)
        .await
        .expect(200);
    client.finish(&job).await;
    let body = json!({"user": {
        "name": "Ana Ruiz", "email": "ana@example.com", "external_id": "k:u1", "phone": "+15555550123",
        "organization_id": organization, "tags": ["vip"], "verified": true, "skip_verify_email": true,
    }});
    let ana = client.post("users", body).await.expect(201).id("/user/id");
    let body = json!({"user": {"external_id": "K:u1", "name": "Ana"}});
    client
        .post("users/create_or_update", body)
        .await
        .expect(200);
    client
        .put(&format!("users/{ana}"), json!({"user": {"notes": "n"}}))
        .await
        .expect(200);
    client
        .post("users", json!({"user": {"name": ""}}))
        .await
        .expect(422);
    let body = json!({"users": [{"name": "Bulk", "skip_verify_email": true}]});
    let job = client.post("users/create_many", body).await.expect(200);
    client.finish(&job).await;
    let body = json!({"identity": {"type": "email", "value": "a@b.example", "verified": true}});
    let identity = client
        .post(&format!("users/{ana}/identities"), body)
        .await
        .expect(201)
        .id("/identity/id");
    for path in [
        "identities",
        "related",
        "groups",
        "organizations",
        "tags",
        "organization_memberships",
    ] {
        client.get(&format!("users/{ana}/{path}")).await.expect(200);
    }
    let primary = format!("users/{ana}/identities/{identity}/make_primary");
    client.put(&primary, json!({})).await.expect(200);
    client
        .get(&format!("users/show_many?ids={ana}"))
        .await
        .expect(200);
    for path in [
        "users",
        "related",
        "tags",
        "organization_memberships",
        "tickets",
    ] {
        client
            .get(&format!("organizations/{organization}/{path}"))
            .await
            .expect(200);
    }
    client
        .get("organizations/search?name=acme%20ltd")
        .await
        .expect(200);
    client
        .get("organizations/show_many?external_ids=k:o1")
        .await
        .expect(200);
    let group = client
        .post("groups", json!({"group": {"name": "X"}}))
        .await
        .expect(201)
        .id("/group/id");
    let agent = client.known("agent1@acme.example");
    let body = json!({"group_membership": {"user_id": agent, "group_id": group}});
    let member = client
        .post("group_memberships", body)
        .await
        .expect(201)
        .id("/group_membership/id");
    client
        .get(&format!("groups/{group}/memberships"))
        .await
        .expect(200);
    client.get(&format!("groups/{group}")).await.expect(200);
    client
        .delete(&format!("group_memberships/{member}"))
        .await
        .expect(204);
    client
        .put(&format!("groups/{group}"), json!({"group": {"name": "Y"}}))
        .await
        .expect(200);
    client.delete(&format!("groups/{group}")).await.expect(204);
    let gone = client.user("Gone", "gone@example.com").await;
    client.delete(&format!("users/{gone}")).await.expect(200);
    client
        .get(&format!("deleted_users/{gone}"))
        .await
        .expect(200);
    client.get("deleted_users").await.expect(200);
    client
        .delete(&format!("deleted_users/{gone}"))
        .await
        .expect(200);
    let again = json!({"organization": {"name": "Short-lived"}});
    let short = client
        .post("organizations", again)
        .await
        .expect(201)
        .id("/organization/id");
    client
        .delete(&format!("organizations/{short}"))
        .await
        .expect(204);
}

async fn fields(client: &Client) -> u64 {
    let options = json!([{"name": "Gold", "value": "tier_gold"}]);
    let body = json!({"ticket_field": {"type": "tagger", "title": "Tier", "custom_field_options": options}});
    let field = client
        .post("ticket_fields", body)
        .await
        .expect(201)
        .id("/ticket_field/id");
    let option = json!({"custom_field_option": {"name": "Tin", "value": "tier_tin"}});
    client
        .post(&format!("ticket_fields/{field}/options"), option)
        .await
        .expect(201);
    client
        .get(&format!("ticket_fields/{field}/options"))
        .await
        .expect(200);
    client
        .get(&format!("ticket_fields/{field}"))
        .await
        .expect(200);
    let body = json!({"ticket_field": {"title": "Tier!"}});
    client
        .put(&format!("ticket_fields/{field}"), body)
        .await
        .expect(200);
    for kind in ["user", "organization"] {
        let options = json!([{"name": "Gold", "value": "gold"}]);
        let body = json!({format!("{kind}_field"): {
            "type": "dropdown", "key": "tier", "title": "Tier", "custom_field_options": options,
        }});
        client
            .post(&format!("{kind}_fields"), body)
            .await
            .expect(201);
        client.get(&format!("{kind}_fields/tier")).await.expect(200);
    }
    let body = json!({"custom_status": {"status_category": "hold", "agent_label": "Parked"}});
    let status = client
        .post("custom_statuses", body)
        .await
        .expect(201)
        .id("/custom_status/id");
    client
        .get(&format!("custom_statuses/{status}"))
        .await
        .expect(200);
    field
}

async fn objects(client: &Client) {
    let body =
        json!({"custom_object": {"key": "order", "title": "Order", "title_pluralized": "Orders"}});
    client.post("custom_objects", body).await.expect(201);
    client.get("custom_objects").await.expect(200);
    client.get("custom_objects/order").await.expect(200);
    client
        .patch(
            "custom_objects/order",
            json!({"custom_object": {"title": "An order"}}),
        )
        .await
        .expect(200);
    let body =
        json!({"custom_object_field": {"key": "total", "type": "decimal", "title": "Total"}});
    client
        .post("custom_objects/order/fields", body)
        .await
        .expect(201);
    client
        .get("custom_objects/order/fields?include_standard_fields=true")
        .await
        .expect(200);
    client
        .get("custom_objects/order/limits/field_limit")
        .await
        .expect(200);
    let body =
        json!({"custom_object_record": {"name": "One", "custom_object_fields": {"total": 1.5}}});
    client
        .post("custom_objects/order/records", body.clone())
        .await
        .expect(201);
    client
        .patch("custom_objects/order/records?external_id=k:1", body)
        .await
        .expect(200);
    client
        .get("custom_objects/order/records?page[size]=1")
        .await
        .expect(200);
    client
        .get("custom_objects/order/records?filter[external_ids]=k:1")
        .await
        .expect(200);
    client
        .get("custom_objects/order/records/count")
        .await
        .expect(200);
    client
        .get("custom_objects/order/records/search?query=one")
        .await
        .expect(200);
    let body = json!({"job": {"action": "create", "items": [{"name": "Two"}]}});
    let job = client
        .post("custom_objects/order/jobs", body)
        .await
        .expect(201);
    client.finish(&job).await;
}

async fn tickets(client: &Client, field: u64) {
    let agent = client.known("agent1@acme.example");
    let (token, _) = client.upload("a.png", b"bytes").await;
    let ticket = json!({
        "subject": "Lost parcel", "external_id": "k:t1", "status": "solved", "assignee_id": agent,
        "priority": "high", "type": "question", "due_at": "2027-01-01T00:00:00Z",
        "created_at": "2020-01-01T00:00:00Z", "custom_fields": [{"id": field, "value": "tier_gold"}],
        "comments": [
            {"html_body": "<p>Hi</p>", "public": true, "uploads": [token]}, {"body": "x", "public": false},
        ],
    });
    let id = client.import(ticket.clone()).await;
    let job = client
        .post(
            "imports/tickets/create_many",
            json!({"tickets": [ticket, {}]}),
        )
        .await
        .expect(200);
    client.finish(&job).await;
    client
        .get(&format!(
            "job_statuses/show_many?ids={}",
            job.at("/job_status/id").as_str().unwrap()
        ))
        .await;
    let body = json!({"ticket": {"subject": "y", "comment": {"body": "x"}}});
    let live = client
        .post("tickets", body)
        .await
        .expect(201)
        .id("/ticket/id");
    for path in [
        "",
        "/comments?include_inline_images=true",
        "/comments/count",
        "/tags",
        "/audits",
    ] {
        client.get(&format!("tickets/{id}{path}")).await.expect(200);
    }
    client
        .get(&format!("tickets/show_many?ids={id},{live}"))
        .await
        .expect(200);
    let body = json!({"ticket": {"status": "pending", "comment": {"body": "z", "public": true}}});
    client
        .put(&format!("tickets/{live}"), body)
        .await
        .expect(200);
    client
        .post(&format!("tickets/{live}/tags"), json!({"tags": ["a"]}))
        .await
        .expect(201);
    client
        .put(&format!("tickets/{live}/tags"), json!({"tags": ["b"]}))
        .await
        .expect(200);
    client
        .delete(&format!("tickets/{live}/tags?tags=a"))
        .await
        .expect(200);
    client
        .get(&format!("email_notifications?filter[ticket_id]={live}"))
        .await
        .expect(200);
    let body = json!({"ticket": {"additional_tags": ["c"]}});
    let job = client
        .put(&format!("tickets/update_many?ids={live}"), body)
        .await
        .expect(200);
    client.finish(&job).await;
    client.delete(&format!("tickets/{live}")).await.expect(204);
    client.get("deleted_tickets").await.expect(200);
    let job = client
        .delete(&format!("deleted_tickets/{live}"))
        .await
        .expect(200);
    client.finish(&job).await;
    let (token, _) = client.upload("b.png", b"bytes").await;
    client.delete(&format!("uploads/{token}")).await.expect(204);
    client.wait(200);
}

#[tokio::test]
async fn every_answer_fits_the_vendors_own_description() {
    let Some(spec) = Spec::find("zendesk-openapi.yaml").unwrap() else {
        return;
    };
    let client = Client::new();
    tour(&client).await;
    let records: Vec<Record> = client
        .simulator
        .harness()
        .recorder
        .all()
        .into_iter()
        .map(readable)
        .collect();
    let report = check(&spec, &records, Scope::ANSWERS, EXCEPTIONS);
    println!(
        "{} answers checked, excused {:?}, not described {:?}",
        report.checked, report.excused, report.unknown
    );
    for violation in &report.violations {
        println!("{violation:?}");
    }
    assert!(report.checked > 100);
    assert!(report.unknown.is_empty(), "{:?}", report.unknown);
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    assert!(
        report.violations.is_empty(),
        "{} violations",
        report.violations.len()
    );
}
