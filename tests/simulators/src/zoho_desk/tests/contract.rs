//! Every request and answer held against the vendor's own OpenAPI files, as far as they were condensed.

use serde_json::{Value, json};

use super::{Client, SCOPE, contact_row, row, thread_row, ticket_row};
use crate::common::contract::{Exception, Scope, Spec, check};

/// Where the document does not hold.
const EXCEPTIONS: &[Exception] = &[];

async fn people(client: &Client) -> (String, String) {
    let account = client
        .post(
            "accounts",
            json!({"accountName": "Acme Ltd", "annualrevenue": 5}),
        )
        .await
        .expect(200)
        .id();
    client
        .patch(
            &format!("accounts/{account}"),
            json!({"website": "acme.example"}),
        )
        .await
        .expect(200);
    client.get(&format!("accounts/{account}")).await.expect(200);
    client.get("accounts?sortBy=createdTime").await.expect(200);
    let body = json!({"lastName": "Ruiz", "email": "ana@example.com", "accountId": account, "cf": {"cf_loyalty_tier": "x"}});
    let contact = client.post("contacts", body).await.expect(200).id();
    client
        .patch(&format!("contacts/{contact}"), json!({"firstName": "Ana"}))
        .await
        .expect(200);
    client.get(&format!("contacts/{contact}")).await.expect(200);
    client.get("contacts?limit=5").await.expect(200);
    client
        .get(&format!("contacts/contactsByIds?ids={contact}"))
        .await
        .expect(200);
    client
        .get(&format!("contacts/{contact}/accounts"))
        .await
        .expect(200);
    let body = json!({"data": [{"id": account, "isAccountTicketsViewable": true}]});
    client
        .post(&format!("contacts/{contact}/associateAccounts"), body)
        .await
        .expect(200);
    let other = client.contact("other@example.com").await;
    client
        .post("contacts/markSpam", json!({"ids": [other], "isSpam": true}))
        .await
        .expect(200);
    client
        .post("contacts/deleteSpam", json!({"contactIds": [other]}))
        .await
        .expect(200);
    (account, contact)
}

async fn settings(client: &Client) {
    for path in [
        "organizations",
        "myinfo",
        "agents?status=ACTIVE&limit=200",
        "departments?isEnabled=true",
        "teams",
        "channels",
        "fields?module=tickets",
        "layouts?module=tickets",
        "ticketStatuses",
        "organizationModules",
    ] {
        client.get(path).await.expect(200);
    }
    let agent = client.agent("agent1@acme.example");
    client.get(&format!("agents/{agent}")).await.expect(200);
    client
        .get(&format!("agentsByIds?agentIds={agent}"))
        .await
        .expect(200);
    let department = client.department();
    client
        .get(&format!("departments/{department}/teams"))
        .await
        .expect(200);
    client
        .get(&format!("departments/{department}"))
        .await
        .expect(200);
    let body = json!({"name": "Claims", "associatedAgentIds": [agent]});
    let made = client.post("departments", body).await.expect(200).id();
    client
        .patch(&format!("departments/{made}"), json!({"description": "x"}))
        .await
        .expect(200);
    client
        .post(&format!("departments/{made}/disable"), Value::Null)
        .await
        .expect(200);
    client
        .post(&format!("departments/{made}/enable"), Value::Null)
        .await
        .expect(200);
    let body = json!({"name": "Claims", "departmentId": department, "agents": [agent]});
    let team = client.post("teams", body).await.expect(200).id();
    client.get(&format!("teams/{team}")).await.expect(200);
    client
        .get(&format!("teams/{team}/members"))
        .await
        .expect(200);
    client
        .patch(&format!("teams/{team}"), json!({"description": "x"}))
        .await
        .expect(200);
    client
        .post(&format!("teams/{team}/deleteTeam"), json!({}))
        .await
        .nothing();
    let layout = client.get("layouts?module=tickets").await.ids()[0].to_owned();
    client.get(&format!("layouts/{layout}")).await.expect(200);
    let body = json!({"singularLabel": "Order", "pluralLabel": "Orders"});
    let module = client.post("organizationModules", body).await.expect(200);
    client
        .get(&format!("organizationModules/{}", module.id()))
        .await
        .expect(200);
    let name = module.text("/apiName");
    let body = json!({"displayLabel": "Kustomer Id", "type": "Text", "maxLength": "255"});
    let field = client
        .post(&format!("fields?module={name}"), body)
        .await
        .expect(201);
    client
        .get(&format!("fields/{}", field.id()))
        .await
        .expect(200);
    let body = json!({"name": "Order 1", "cf": {field.text("/apiName"): "k1"}});
    let record = client.post(&name, body).await.expect(200).id();
    client.get(&format!("{name}/{record}")).await.expect(200);
    client
        .patch(&format!("{name}/{record}"), json!({"name": "Order 1b"}))
        .await
        .expect(200);
    client.wait(120);
    client
        .get(&format!("{name}/search?limit=5"))
        .await
        .expect(200);
    client
        .post(
            &format!("{name}/moveToTrash"),
            json!({"recordIds": [record]}),
        )
        .await
        .nothing();
    client
        .delete(&format!("fields/{}", field.id()))
        .await
        .expect(200);
}

async fn tickets(client: &Client, account: &str, contact: &str) {
    let upload = client
        .file("uploads", "file", "a.txt", b"hello")
        .await
        .expect(200)
        .id();
    let more = json!({
        "accountId": account, "description": "<p>Late</p>", "priority": "High", "dueDate": "2026-12-01T10:00:00.000Z",
        "cf": {"cf_contact_reason": "late"}, "uploads": [upload],
    });
    let id = client.ticket(contact, more).await;
    let path = format!("tickets/{id}");
    client
        .patch(&path, json!({"status": "Closed"}))
        .await
        .expect(200);
    client
        .get(&format!("{path}?include=contacts"))
        .await
        .expect(200);
    client
        .get("tickets?sortBy=-createdTime&limit=5")
        .await
        .expect(200);
    client
        .patch(
            &format!("{path}/resolution"),
            json!({"content": "x", "isNotifyContact": false}),
        )
        .await
        .expect(200);
    let body = json!({"content": "Hello", "isPublic": false, "contentType": "plainText"});
    let comment = client
        .post(&format!("{path}/comments"), body)
        .await
        .expect(200)
        .id();
    client
        .patch(
            &format!("{path}/comments/{comment}"),
            json!({"content": "x"}),
        )
        .await
        .expect(200);
    client
        .get(&format!("{path}/comments/{comment}"))
        .await
        .expect(200);
    client
        .get(&format!("{path}/comments?sortBy=commentedTime"))
        .await
        .expect(200);
    let threads = client
        .get(&format!("{path}/threads?sortBy=sendDateTime"))
        .await
        .expect(200);
    client
        .get(&format!("{path}/threads/{}", threads.ids()[0]))
        .await
        .expect(200);
    client
        .get(&format!("{path}/latestThread"))
        .await
        .expect(200);
    client
        .get(&format!("{path}/conversations?limit=200"))
        .await
        .expect(200);
    let body =
        json!({"channel": "EMAIL", "content": "x", "fromEmailAddress": "support@acme.example"});
    client
        .post(&format!("{path}/sendReply"), body.clone())
        .await
        .expect(200);
    let draft = client
        .post(&format!("{path}/draftReply"), body)
        .await
        .expect(200)
        .id();
    client
        .delete(&format!("{path}/draftReply/{draft}"))
        .await
        .expect(200);
    client
        .post(
            &format!("{path}/associateTag"),
            json!({"tags": ["vip", "late"]}),
        )
        .await
        .expect(200);
    client.get(&format!("{path}/tags")).await.expect(200);
    client
        .get(&format!("ticketTags?departmentId={}", client.department()))
        .await
        .expect(200);
    client
        .get(&format!(
            "tags/search?departmentId={}&searchVal=vip",
            client.department()
        ))
        .await
        .expect(200);
    client
        .post(&format!("{path}/dissociateTag"), json!({"tags": ["late"]}))
        .await
        .expect(200);
    let file = client
        .file(
            &format!("{path}/attachments?isPublic=false"),
            "file",
            "b.txt",
            b"x",
        )
        .await
        .expect(200)
        .id();
    client.get(&format!("{path}/attachments")).await.expect(200);
    client
        .patch(
            &format!("{path}/attachments/{file}"),
            json!({"isPublic": true}),
        )
        .await
        .expect(200);
    client
        .delete(&format!("{path}/attachments/{file}"))
        .await
        .expect(200);
    client
        .delete(&format!("{path}/comments/{comment}"))
        .await
        .expect(200);
    client.wait(120);
    client
        .get("tickets/search?customField1=cf_contact_reason:late")
        .await
        .expect(200);
    client
        .get("contacts/search?email=ana@example.com")
        .await
        .expect(200);
    client
        .get("accounts/search?accountName=Acme Ltd")
        .await
        .expect(200);
    let body =
        json!({"ids": [id], "fieldName": "priority", "fieldValue": "Low", "isCustomField": false});
    client.post("tickets/updateMany", body).await.nothing();
    client
        .post("closeTickets", json!({"ids": [id]}))
        .await
        .expect(200);
    client
        .post("tickets/moveToTrash", json!({"ticketIds": [id]}))
        .await
        .nothing();
    client.get("recycleBin?module=tickets").await.expect(200);
    client
        .post("recycleBin/restore", json!({"ids": [id]}))
        .await
        .expect(200);
    client
        .post("tickets/moveToTrash", json!({"ticketIds": [id]}))
        .await
        .nothing();
    client
        .post("recycleBin/delete", json!({"ids": [id]}))
        .await
        .expect(200);
    client.get(&path).await.expect(404);
}

async fn imports(client: &Client) {
    let agent = client.agent("agent1@acme.example");
    let note = row(
        "ticketComments",
        json!({
            "commentExtId": "k:n:1", "ticketExtId": "k:1", "content": "Ring them", "contentType": "plainText",
            "isPublic": false, "commenterId": agent, "commentedTime": "2020-02-03T10:00:00.000Z",
        }),
    );
    let call = row(
        "calls",
        json!({
            "callExtId": "k:call:1", "ticketExtId": "k:1", "subject": "Call", "status": "Completed", "direction": "inbound",
            "duration": 5, "departmentId": client.department(),
        }),
    );
    let bad = ticket_row(client, "k:2", "k:nobody", json!({}));
    let import = client
        .import(json!({
            "accounts": [row("accounts", json!({"accountExtId": "k:a:1", "accountName": "A"}))],
            "contacts": [contact_row("k:cust:1")],
            "tickets": [ticket_row(client, "k:1", "k:cust:1", json!({})), bad],
            "threads": [thread_row("k:m:1", "k:1", json!({}))], "ticketComments": [note], "calls": [call],
        }))
        .await;
    assert_eq!(import.at("/hasError"), true);
    assert_eq!(client.log(&import).await.len(), 1);
    client.mapped("threads", &["k:m:1", "k:m:2"]).await;
    let wrong = json!({"scopeId": SCOPE, "data": {"contacts": [{"contactExtId": "a_b"}]}});
    client.post("imports", wrong).await.expect(422);
}

#[tokio::test]
async fn requests_and_answers_keep_the_contract() {
    let Some(spec) = Spec::find("zoho-desk/zoho-desk-migration-subset.openapi.json").unwrap()
    else {
        return;
    };
    let client = Client::new();
    let (account, contact) = people(&client).await;
    settings(&client).await;
    tickets(&client, &account, &contact).await;
    imports(&client).await;
    let records = client.simulator.harness().recorder.all();
    let good: Vec<_> = records
        .iter()
        .filter(|record| {
            record
                .answer
                .as_ref()
                .is_some_and(|answer| answer.status < 400)
        })
        .cloned()
        .collect();
    let asked = check(&spec, &good, Scope::REQUESTS, EXCEPTIONS);
    assert_eq!(asked.violations, [], "{:#?}", asked.violations);
    let report = check(&spec, &records, Scope::ANSWERS, EXCEPTIONS);
    assert_eq!(report.violations, [], "{:#?}", report.violations);
    assert!(report.checked > 70, "only {} were checked", report.checked);
    assert_eq!(
        report.unknown.keys().collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}
