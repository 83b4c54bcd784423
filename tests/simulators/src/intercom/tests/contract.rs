//! Every request and answer held against Intercom's own OpenAPI document.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Client;
use crate::common::Record;
use crate::common::contract::{Exception, Scope, Spec, check};
use crate::intercom::model::ObjectType;

/// Where the document does not hold.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        operation: "GET /contacts",
        pointer: "?per_page",
        keyword: "parameter",
        reason: "the list is paged (Intercom facts §4), which the document says in its text only",
    },
    Exception {
        operation: "POST /tags",
        pointer: "/",
        keyword: "oneOf",
        reason: "tagging and untagging companies are described by two schemas that both fit",
    },
    Exception {
        operation: "PUT /conversations/*",
        pointer: "/custom_attributes/*",
        keyword: "anyOf",
        reason: "a relationship is written as a list of ids, as in the document's own example",
    },
    Exception {
        operation: "POST /conversations/attributes",
        pointer: "/",
        keyword: "oneOf",
        reason: "one request has a wrong type on purpose, for the 422",
    },
];

/// The document marks few members as nullable, while the vendor answers null for most that are empty, its own examples too. Nulls
/// are taken out before the check.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, member| !member.is_null());
            map.values_mut().for_each(without_nulls);
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

async fn people(client: &Client) -> String {
    for (name, model) in [("tier", "contact"), ("size class", "company")] {
        let body = json!({"name": name, "model": model, "data_type": "string", "description": "d"});
        let id = client.post("data_attributes", body).await.expect(200).id();
        client
            .put(
                &format!("data_attributes/{id}"),
                json!({"description": "e"}),
            )
            .await
            .expect(200);
    }
    let options = json!([{"value": "a"}, {"value": "b"}]);
    let body =
        json!({"name": "list", "model": "contact", "data_type": "options", "options": options});
    client.post("data_attributes", body).await.expect(200);
    let body = json!({
        "role": "user", "external_id": "k1", "email": "k1@example.com", "phone": "+353871234567", "name": "Ana",
        "avatar": "https://example.com/a.png", "signed_up_at": 1_571_672_154, "last_seen_at": 1_571_672_154,
        "owner_id": client.me(), "unsubscribed_from_emails": true, "custom_attributes": {"tier": "gold"},
    });
    let contact = client.post("contacts", body).await.expect(200).id();
    client
        .post("contacts", json!({"external_id": "k1"}))
        .await
        .refused(409, "conflict");
    client
        .put(&format!("contacts/{contact}"), json!({"name": "Ana Ruiz"}))
        .await
        .expect(200);
    let body = json!({
        "company_id": "o1", "name": "Acme", "remote_created_at": 1_374_138_000, "plan": "Pro", "size": 10,
        "website": "https://acme.example", "industry": "Toys", "monthly_spend": 155,
        "custom_attributes": {"size class": "s"},
    });
    let company = client.post("companies", body).await.expect(200).id();
    client
        .put(&format!("companies/{company}"), json!({"name": "Acme Ltd"}))
        .await
        .expect(200);
    client
        .post(
            &format!("contacts/{contact}/companies"),
            json!({"id": company}),
        )
        .await
        .expect(200);
    let tag = client
        .post("tags", json!({"name": "vip"}))
        .await
        .expect(200)
        .id();
    client
        .post("tags", json!({"name": "VIP", "id": tag}))
        .await
        .expect(200);
    let body = json!({"name": "VIP", "companies": [{"company_id": "o1"}]});
    client.post("tags", body).await.expect(200);
    client
        .post("tags", json!({"name": "VIP", "users": [{"id": contact}]}))
        .await
        .expect(200);
    client
        .post(&format!("contacts/{contact}/tags"), json!({"id": tag}))
        .await
        .expect(200);
    client.get(&format!("tags/{tag}")).await.expect(200);
    let note = json!({"body": "Hello", "admin_id": client.me()});
    let id = client
        .post(&format!("contacts/{contact}/notes"), note.clone())
        .await
        .expect(200)
        .id();
    client
        .post(&format!("companies/{company}/notes"), note)
        .await
        .expect(200);
    for path in [
        "",
        "/companies",
        "/notes",
        "/tags",
        "/segments",
        "/subscriptions",
    ] {
        client
            .get(&format!("contacts/{contact}{path}"))
            .await
            .expect(200);
    }
    for path in ["", "/contacts", "/notes", "/segments"] {
        client
            .get(&format!("companies/{company}{path}"))
            .await
            .expect(200);
    }
    client.get(&format!("notes/{id}")).await.expect(200);
    client
        .get("contacts/find_by_external_id/k1")
        .await
        .expect(200);
    client
        .delete(&format!("contacts/{contact}/tags/{tag}"))
        .await
        .expect(200);
    client
        .delete(&format!("contacts/{contact}/companies/{company}"))
        .await
        .expect(200);
    let other = client.contact("k2").await;
    for path in ["archive", "unarchive", "block"] {
        client
            .post(&format!("contacts/{other}/{path}"), Value::Null)
            .await
            .expect(200);
    }
    let lead = client
        .post(
            "contacts",
            json!({"role": "lead", "email": "l@example.com"}),
        )
        .await
        .id();
    let body = json!({"from": lead, "into": contact, "skip_duplicate_validation": true});
    client.post("contacts/merge", body).await.expect(200);
    client
        .get(&format!("contacts/{lead}"))
        .await
        .refused(410, "contact_merged");
    client
        .simulator
        .set_switches(|s| s.company_lookup_listed = true);
    client.get("companies?company_id=o1").await.expect(200);
    let gone = client.contact("k3").await;
    client.delete(&format!("contacts/{gone}")).await.expect(200);
    let gone = client
        .post("companies", json!({"company_id": "o9"}))
        .await
        .id();
    client
        .delete(&format!("companies/{gone}"))
        .await
        .expect(200);
    let gone = client.post("tags", json!({"name": "gone"})).await.id();
    client.delete(&format!("tags/{gone}")).await.expect(200);
    client.get("tags/1").await.refused(404, "not_found");
    contact
}

async fn schema(client: &Client) -> String {
    client.simulator.add_object_type(ObjectType {
        identifier: "Order".to_owned(),
        attributes: [("number".to_owned(), "text".to_owned())].into(),
        contact_reference: Some("orders".to_owned()),
        ..ObjectType::default()
    });
    for body in [
        json!({"name": "kus_id", "data_type": "string", "required": false, "visible_to_team_ids": []}),
        json!({"name": "count", "data_type": "integer"}),
        json!({"name": "when", "data_type": "datetime"}),
        json!({"name": "order", "data_type": "relationship", "reference": {"type": "many", "object_type_id": "Order"}}),
    ] {
        let id = client
            .post("conversations/attributes", body)
            .await
            .expect(200)
            .id();
        client
            .get(&format!("conversations/attributes/{id}"))
            .await
            .expect(200);
    }
    let options = json!([{"label": "a"}, {"label": "b"}]);
    let body = json!({"name": "status", "data_type": "list", "options": options});
    let list = client
        .post("conversations/attributes", body)
        .await
        .expect(200)
        .id();
    let path = format!("conversations/attributes/{list}");
    client
        .put(&path, json!({"description": "d"}))
        .await
        .expect(200);
    let changed = client
        .post(&format!("{path}/options"), json!({"label": "c"}))
        .await
        .expect(200);
    let option = format!("{path}/options/{}", changed.text("/options/2/id"));
    client.put(&option, json!({"label": "d"})).await.expect(200);
    client.delete(&option).await.expect(200);
    client.delete(&path).await.expect(200);
    client
        .post(
            "conversations/attributes",
            json!({"name": "x", "data_type": "y"}),
        )
        .await
        .expect(422);
    let body = json!({"external_id": "1", "external_created_at": 1_392_036_272, "custom_attributes": {"number": "A"}});
    let order = client
        .post("custom_object_instances/Order", body)
        .await
        .expect(200)
        .id();
    client
        .get("custom_object_instances/Order")
        .await
        .expect(200);
    client
        .get(&format!("custom_object_instances/Order/{order}"))
        .await
        .expect(200);
    client
        .post("custom_object_instances/Order", json!({"external_id": "2"}))
        .await
        .expect(200);
    client
        .delete("custom_object_instances/Order?external_id=2")
        .await
        .expect(200);
    client
        .get("custom_object_instances/Other")
        .await
        .refused(404, "not_found");
    order
}

async fn conversations(client: &Client, contact: &str, order: &str) {
    let body = json!({
        "from": {"type": "user", "id": contact}, "body": "Hello", "created_at": 1_580_000_000,
        "attachment_urls": ["https://example.com/a.png"],
    });
    let id = client
        .post("conversations", body)
        .await
        .expect(200)
        .text("/conversation_id");
    let path = format!("conversations/{id}");
    let file =
        json!({"content_type": "text/plain", "name": "a.txt", "data": STANDARD.encode(b"x")});
    let body = json!({
        "message_type": "comment", "type": "user", "intercom_user_id": contact, "body": "x", "created_at": 1_580_000_001,
        "attachment_files": [file],
    });
    client
        .post(&format!("{path}/reply"), body)
        .await
        .expect(200);
    client
        .admin_reply(&id, "comment", "<p>y</p>", 1_580_000_002)
        .await
        .expect(200);
    client
        .admin_reply(&id, "note", "<p>z</p>", 1_580_000_003)
        .await
        .expect(200);
    let admin = client.me();
    for body in [
        json!({"message_type": "assignment", "type": "admin", "admin_id": admin, "assignee_id": admin}),
        json!({"message_type": "snoozed", "admin_id": admin, "snoozed_until": client.now() + 1_000}),
        json!({"message_type": "open", "admin_id": admin}),
        json!({"message_type": "close", "type": "admin", "admin_id": admin}),
    ] {
        client
            .post(&format!("{path}/parts"), body)
            .await
            .expect(200);
    }
    let company = client
        .get("companies?company_id=o1")
        .await
        .text("/data/0/id");
    let body = json!({
        "read": true, "title": "A subject", "company_id": company, "custom_attributes": {"kus_id": "c1", "count": 3},
    });
    client.put(&path, body).await.expect(200);
    let body = json!({"custom_attributes": {"order": [order]}});
    client.put(&path, body).await.expect(200);
    let body = json!({"admin_id": admin, "customer": {"email": "new@example.com"}});
    let added = client
        .post(&format!("{path}/customers"), body)
        .await
        .expect(200);
    let other = format!("{path}/customers/{}", added.text("/customers/1/id"));
    client
        .call("DELETE", &other, json!({"admin_id": admin}))
        .await
        .expect(200);
    let tag = client.post("tags", json!({"name": "vip"})).await.id();
    client
        .post(
            &format!("{path}/tags"),
            json!({"id": tag, "admin_id": admin}),
        )
        .await
        .expect(200);
    let shown = client.get(&path).await.expect(200);
    client
        .call(
            "DELETE",
            &format!("{path}/tags/{tag}"),
            json!({"admin_id": admin}),
        )
        .await
        .expect(200);
    let part = shown.parts()[0]["id"].clone();
    let body =
        json!({"type": "conversation_part", "conversation_id": id, "conversation_part_id": part});
    client.post("conversations/redact", body).await.expect(200);
    let gone = client.conversation(contact).await;
    client
        .delete(&format!("conversations/{gone}"))
        .await
        .expect(200);
    client.get("conversations/deleted").await.expect(200);
    client
        .get(&format!("conversations/{gone}"))
        .await
        .refused(404, "not_found");
    let body = json!({
        "message_type": "email", "subject": "s", "body": "b", "from": {"type": "admin", "id": client.simulator.token_admin()},
        "to": {"type": "user", "id": contact}, "template": "plain",
    });
    client.post("messages", body).await.expect(200);
}

async fn tickets(client: &Client, contact: &str) {
    let (kind, attribute) = client.ticket_type().await;
    let path = format!("ticket_types/{kind}");
    client
        .put(&path, json!({"description": "d"}))
        .await
        .expect(200);
    client.get(&path).await.expect(200);
    client
        .put(
            &format!("{path}/attributes/{attribute}"),
            json!({"description": "d"}),
        )
        .await
        .expect(200);
    let body = json!({"name": "Size", "description": "", "data_type": "list", "list_items": "a,b"});
    client
        .post(&format!("{path}/attributes"), body)
        .await
        .expect(200);
    let body = json!({
        "ticket_type_id": kind, "contacts": [{"id": contact}], "created_at": 1_500_000_000, "skip_notifications": true,
        "ticket_attributes": {"_default_title_": "t", "_default_description_": "d", "Kustomer ID": "k"},
        "assignment": {"admin_assignee_id": client.me()},
    });
    let id = client.post("tickets", body.clone()).await.expect(200).id();
    let job = client.post("tickets/enqueue", body).await.expect(200).id();
    client.wait(3);
    client.get(&format!("jobs/status/{job}")).await.expect(200);
    let path = format!("tickets/{id}");
    let body = json!({
        "message_type": "note", "type": "admin", "admin_id": client.me(), "body": "x", "created_at": 1_500_000_001,
    });
    client
        .post(&format!("{path}/reply"), body)
        .await
        .expect(200);
    let resolved = client
        .get("ticket_states")
        .await
        .expect(200)
        .text("/data/3/id");
    let body = json!({"ticket_state_id": resolved, "ticket_attributes": {"Kustomer ID": "l"}, "skip_notifications": true});
    client.put(&path, body).await.expect(200);
    let tag = client.post("tags", json!({"name": "vip"})).await.id();
    client
        .post(
            &format!("{path}/tags"),
            json!({"id": tag, "admin_id": client.me()}),
        )
        .await
        .expect(200);
    client
        .call(
            "DELETE",
            &format!("{path}/tags/{tag}"),
            json!({"admin_id": client.me()}),
        )
        .await
        .expect(200);
    client.get(&path).await.expect(200);
    let conversation = client.conversation(contact).await;
    let body = json!({"ticket_type_id": kind});
    client
        .post(&format!("conversations/{conversation}/convert"), body)
        .await
        .expect(200);
    client.wait(60);
    let query = json!({"query": {"field": "open", "operator": "=", "value": true}});
    client.post("tickets/search", query).await.expect(200);
    client.delete(&path).await.expect(200);
    client.delete(&path).await.refused(404, "ticket_not_found");
}

/// One call to everything a connector uses.
async fn tour(client: &Client) {
    let contact = people(client).await;
    let order = schema(client).await;
    conversations(client, &contact, &order).await;
    tickets(client, &contact).await;
    let admin = client.me();
    let team = client.simulator.snapshot().teams[0].id;
    for path in [
        "me",
        "admins",
        "teams",
        "contacts?per_page=1",
        "companies",
        "companies/scroll",
        "data_attributes",
        "data_attributes?model=contact&include_archived=true",
        "conversations/attributes",
        "tags",
        "segments",
        "subscription_types",
        "brands",
        "macros",
        "conversations?per_page=2",
        "ticket_types",
        "ticket_states",
        &format!("admins/{admin}"),
        &format!("teams/{team}"),
    ] {
        client.get(path).await.expect(200);
    }
    client.post("companies/list", Value::Null).await.expect(200);
    for (what, field) in [
        ("contacts", "name"),
        ("conversations", "source.author.name"),
    ] {
        let query = json!({
            "query": {"operator": "AND", "value": [{"field": field, "operator": "!=", "value": "x"}]},
            "pagination": {"per_page": 1},
        });
        client
            .post(&format!("{what}/search"), query)
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn every_request_and_answer_fits_the_vendors_own_description() {
    let Some(spec) = Spec::find("intercom-openapi.yaml").unwrap() else {
        return;
    };
    let client = Client::new();
    tour(&client).await;
    let records = client.simulator.harness().recorder.all();
    let records: Vec<Record> = records.into_iter().map(readable).collect();
    let scope = Scope {
        requests: true,
        parameters: true,
        answers: true,
    };
    let report = check(&spec, &records, scope, EXCEPTIONS);
    println!(
        "{} requests and answers checked, excused {:?}, not described {:?}",
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
