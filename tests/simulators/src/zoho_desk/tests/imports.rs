//! The import API.

use serde_json::{Value, json};

use super::super::model::Module;
use super::super::{
    DuplicateEmail, EmptyMappings, ErrorLog, FieldKeys, ImportDuplicate, ImportTags, Services,
};
use super::{Client, SCOPE, contact_row, row, thread_row, ticket_row};

async fn with_customer(client: &Client) {
    client
        .imported(json!({"contacts": [contact_row("k:cust:1")]}))
        .await;
}

#[tokio::test]
async fn a_whole_history_keeps_its_times_and_authors() {
    let client = Client::new();
    let agent = client.agent("agent1@acme.example");
    let account = row(
        "accounts",
        json!({
            "accountExtId": "k:comp:1", "accountName": "Acme Ltd", "createdTime": "2019-01-01T00:00:00.000Z",
        }),
    );
    let mut contact = contact_row("k:cust:1");
    contact["accountExtId"] = json!("k:comp:1");
    contact["createdTime"] = json!("2019-02-01T00:00:00Z");
    let ticket = ticket_row(
        &client,
        "k:conv:1",
        "k:cust:1",
        json!({
            "status": "Closed", "assigneeId": agent, "modifiedTime": "2020-02-05T10:00:00.000Z",
            "closedTime": "2020-02-04T10:00:00.000Z",
        }),
    );
    let out = thread_row(
        "k:msg:2",
        "k:conv:1",
        json!({
            "direction": "out", "fromEmailAddress": "agent1@acme.example", "content": "Soon",
            "sentDateTime": "2020-02-02T10:00:00.000Z",
        }),
    );
    let note = row(
        "ticketComments",
        json!({
            "commentExtId": "k:note:1", "ticketExtId": "k:conv:1", "content": "Ring them", "contentType": "plainText",
            "isPublic": false, "commenterId": agent, "commentedTime": "2020-02-03T10:00:00.000Z",
        }),
    );
    client
        .imported(json!({
            "accounts": [account], "contacts": [contact], "tickets": [ticket],
            "threads": [thread_row("k:msg:1", "k:conv:1", json!({})), out], "ticketComments": [note],
        }))
        .await;
    let id = client.mapped("tickets", &["k:conv:1"]).await.remove(0);
    let shown = client.get(&format!("tickets/{id}")).await.expect(200);
    assert_eq!(shown.at("/createdTime"), "2020-02-01T10:00:00.000Z");
    assert_eq!(shown.at("/modifiedTime"), "2020-02-05T10:00:00.000Z");
    assert_eq!(shown.at("/closedTime"), "2020-02-04T10:00:00.000Z");
    let all = client
        .get(&format!("tickets/{id}/conversations"))
        .await
        .expect(200);
    let times: Vec<&Value> = all
        .data()
        .iter()
        .map(|one| one.get("commentedTime").unwrap_or(&one["createdTime"]))
        .collect();
    assert_eq!(
        times,
        [
            "2020-02-03T10:00:00.000Z",
            "2020-02-02T10:00:00.000Z",
            "2020-02-01T10:00:00.000Z"
        ]
    );
    assert_eq!(all.at("/data/0/commenter/email"), "agent1@acme.example");
    assert_eq!(all.at("/data/1/author/type"), "AGENT");
    assert_eq!(all.at("/data/2/author/type"), "END_USER");
    let contact = client.mapped("contacts", &["k:cust:1"]).await.remove(0);
    let contact = client
        .get(&format!("contacts/{contact}?include=accounts"))
        .await
        .expect(200);
    assert_eq!(contact.at("/createdTime"), "2019-02-01T00:00:00.000Z");
    assert_eq!(
        contact.text("/accountId"),
        client.mapped("accounts", &["k:comp:1"]).await[0]
    );
    assert_eq!(
        (
            client.simulator.conversations(),
            client.simulator.outbox().all().len()
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn an_import_is_worked_off_row_by_row_as_time_passes() {
    let client = Client::new();
    let rows: Vec<Value> = (0..3)
        .map(|n| contact_row(&format!("k:cust:{n}")))
        .collect();
    let queued = client.queue(json!({"contacts": rows})).await.expect(200);
    assert_eq!(
        (queued.at("/status"), queued.at("/hasError")),
        (&json!("queued"), &Value::Null)
    );
    let ids = ["k:cust:0", "k:cust:1", "k:cust:2"];
    assert!(client.mapped("contacts", &ids).await.is_empty());
    client.simulator.harness().clock.advance(2_020);
    assert_eq!(client.mapped("contacts", &ids).await.len(), 2);
    client.wait(1);
    let path = format!("imports/{}", queued.id());
    // All rows are done, but one request is told `queued` first.
    assert_eq!(client.get(&path).await.at("/status"), "queued");
    let done = client.get(&path).await.expect(200);
    assert_eq!(
        (done.at("/status"), done.at("/hasError")),
        (&json!("completed"), &json!(false))
    );
    assert_eq!(done.at("/importCompletedTime"), "2026-11-23T09:00:02.040Z");
    client.simulator.hurry_imports();
    let quick = client
        .queue(json!({"contacts": [contact_row("k:cust:9")]}))
        .await
        .expect(200);
    client.simulator.harness().clock.advance(1);
    assert_eq!(
        client
            .get(&format!("imports/{}", quick.id()))
            .await
            .at("/status"),
        "completed"
    );
}

#[tokio::test]
async fn a_request_of_wrong_shape_is_refused_as_a_whole() {
    let client = Client::new();
    let send = |data: Value| client.queue(data);
    let mut short = contact_row("k:cust:1");
    short.as_object_mut().unwrap().remove("mobile");
    send(json!({"contacts": [short.clone()]}))
        .await
        .wrong("/data/contacts/0/mobile", "missing");
    let mut bad = contact_row("k:cust:1");
    bad["contactExtId"] = json!("k_cust_1");
    send(json!({"contacts": [contact_row("k:cust:0"), bad]}))
        .await
        .wrong("/data/contacts/1/contactExtId", "invalid");
    let mut long = contact_row("k:cust:1");
    long["firstName"] = json!("x".repeat(41));
    send(json!({"contacts": [long]}))
        .await
        .wrong("/data/contacts/0/firstName", "invalid");
    let chat = thread_row("k:msg:1", "k:conv:1", json!({"channel": "CHAT"}));
    send(json!({"threads": [chat]}))
        .await
        .wrong("/data/threads/0/channel", "invalid");
    let time = thread_row(
        "k:msg:1",
        "k:conv:1",
        json!({"sentDateTime": "2020-02-01T10:00:00+01:00"}),
    );
    send(json!({"threads": [time]}))
        .await
        .wrong("/data/threads/0/sentDateTime", "invalid");
    let more = ticket_row(&client, "k:conv:1", "k:cust:1", json!({"teamId": "1"}));
    send(json!({"tickets": [more]}))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    send(json!({})).await.refused(422, "EMPTY_PAYLOAD");
    let many: Vec<Value> = (0..101).map(|n| contact_row(&format!("k:{n}"))).collect();
    send(json!({"contacts": many}))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
    let body = json!({"scopeId": "mine", "data": {"contacts": [contact_row("k:cust:1")]}});
    client
        .post("imports", body)
        .await
        .wrong("/scopeId", "invalid");
    client
        .simulator
        .set_switches(|switches| switches.import_all_keys = false);
    send(json!({"contacts": [short]})).await.expect(200);
    assert_eq!(client.simulator.snapshot().imports.len(), 1);
}

#[tokio::test]
async fn a_row_fails_alone_and_the_log_says_why() {
    let client = Client::new();
    with_customer(&client).await;
    let ticket = |id: &str, more: Value| ticket_row(&client, id, "k:cust:1", more);
    let former = client.agent("former@acme.example");
    let mut same = contact_row("k:cust:2");
    same["email"] = json!("old.customer@example.com");
    let import = client
        .import(json!({
            "contacts": [same],
            "tickets": [
                ticket("k:1", json!({})),
                ticket("k:2", json!({"contactExtId": "k:nobody"})),
                ticket("k:3", json!({"contactExtId": null})),
                ticket("k:4", json!({"status": "Unheard of"})),
                ticket("k:5", json!({"assigneeId": former})),
                ticket("k:6", json!({"status": "Closed", "closedTime": "2019-01-01T00:00:00.000Z"})),
                ticket("k:7", json!({"subject": null})),
            ],
            "threads": [
                thread_row("k:m1", "k:1", json!({})),
                thread_row("k:m2", "k:2", json!({})),
                thread_row("k:m3", "k:1", json!({"sentDateTime": null, "receivedDateTime": null})),
                thread_row("k:m4", "k:1", json!({"fromEmailAddress": "Ana <ana@example.com>"})),
                thread_row("k:m5", "k:1", json!({"content": ""})),
            ],
        }))
        .await;
    assert_eq!(import.at("/hasError"), true);
    assert!(
        import
            .text("/errorReportUrl")
            .ends_with(&format!("/importErrorLog/{}", import.id()))
    );
    let log = client.log(&import).await;
    let failed: Vec<(&str, &str)> = log
        .iter()
        .map(|(_, id, code)| (id.as_str(), code.as_str()))
        .collect();
    assert_eq!(
        failed,
        [
            ("k:cust:2", "DUPLICATE"),
            ("k:2", "PARENT_NOT_FOUND"),
            ("k:3", "MISSING"),
            ("k:4", "INVALID_DATA"),
            ("k:5", "INVALID_DATA"),
            ("k:6", "INVALID_DATA"),
            ("k:7", "MISSING"),
            ("k:m2", "PARENT_NOT_FOUND"),
            ("k:m3", "MISSING"),
            ("k:m4", "INVALID_DATA"),
            ("k:m5", "MISSING"),
        ]
    );
    assert_eq!(
        client.mapped("tickets", &["k:1", "k:2", "k:3"]).await.len(),
        1
    );
    assert_eq!(client.mapped("threads", &["k:m1", "k:m2"]).await.len(), 1);
    client
        .simulator
        .set_switches(|switches| switches.error_log = ErrorLog::Csv);
    let path = format!("importErrorLog/{}", import.id());
    let csv = client.get(&path).await.expect(200);
    assert!(
        String::from_utf8(csv.bytes)
            .unwrap()
            .contains("tickets,k:2,PARENT_NOT_FOUND")
    );
    client
        .simulator
        .set_switches(|switches| switches.error_log = ErrorLog::Missing);
    client.get(&path).await.refused(404, "URL_NOT_FOUND");
}

#[tokio::test]
async fn an_external_id_sent_again_is_second_refused_or_updated() {
    let client = Client::new();
    with_customer(&client).await;
    let first = client.mapped("contacts", &["k:cust:1"]).await;
    let mut again = contact_row("k:cust:1");
    again["email"] = json!("other@example.com");
    client.imported(json!({"contacts": [again.clone()]})).await;
    let second = client.mapped("contacts", &["k:cust:1"]).await;
    assert_ne!(first, second);
    assert_eq!(
        client
            .simulator
            .snapshot()
            .by_external_id(Module::Contacts, "k:cust:1")
            .len(),
        2
    );
    client
        .simulator
        .set_switches(|switches| switches.import_duplicate = ImportDuplicate::Refused);
    let refused = client.import(json!({"contacts": [again.clone()]})).await;
    assert_eq!(refused.at("/hasError"), true);
    client
        .simulator
        .set_switches(|switches| switches.import_duplicate = ImportDuplicate::Updated);
    again["email"] = json!("third@example.com");
    client.imported(json!({"contacts": [again]})).await;
    assert_eq!(client.mapped("contacts", &["k:cust:1"]).await, second);
    let shown = client.get(&format!("contacts/{}", second[0])).await;
    assert_eq!(shown.at("/email"), "third@example.com");
}

#[tokio::test]
async fn scopes_are_apart() {
    let client = Client::new();
    with_customer(&client).await;
    let body = json!({
        "scopeId": "00000000-0000-4000-8000-000000000000", "module": "contacts", "externalIds": ["k:cust:1"],
    });
    let other = client.post("importMappings", body).await.expect(200);
    assert_eq!(other.json, json!({"data": []}));
    client
        .simulator
        .set_switches(|switches| switches.scopes_issued = Some(Vec::new()));
    client
        .queue(json!({"contacts": [contact_row("k:cust:2")]}))
        .await
        .wrong("/scopeId", "invalid");
}

#[tokio::test]
async fn mappings_of_nothing_have_several_forms() {
    let client = Client::new();
    let ask = || {
        let body = json!({"scopeId": SCOPE, "module": "threads", "externalIds": ["k:1", "k:2"]});
        client.post("importMappings", body)
    };
    assert_eq!(ask().await.expect(200).json, json!({"data": []}));
    client
        .simulator
        .set_switches(|switches| switches.empty_mappings = EmptyMappings::Nulls);
    assert_eq!(
        ask().await.at("/data/1"),
        &json!({"externalId": "k:2", "entityId": null})
    );
    client
        .simulator
        .set_switches(|switches| switches.empty_mappings = EmptyMappings::NoContent);
    ask().await.nothing();
    let body = json!({"scopeId": SCOPE, "module": "nothing", "externalIds": ["k:1"]});
    client
        .post("importMappings", body)
        .await
        .wrong("/module", "invalid");
    let body = json!({"scopeId": SCOPE, "module": "agents", "externalIds": ["a b"]});
    client
        .post("importMappings", body)
        .await
        .wrong("/externalIds/0", "invalid");
}

#[tokio::test]
async fn custom_fields_go_by_label_or_by_name_and_what_is_unknown_vanishes() {
    let client = Client::new();
    with_customer(&client).await;
    let value = |id: &'static str, fields: Value| {
        let ticket = ticket_row(&client, id, "k:cust:1", json!({ "customFields": fields }));
        let client = &client;
        async move {
            let import = client.import(json!({"tickets": [ticket]})).await;
            assert_eq!(import.at("/hasError"), false);
            let ticket = client.mapped("tickets", &[id]).await.remove(0);
            let shown = client.get(&format!("tickets/{ticket}")).await;
            shown.at("/cf/cf_contact_reason").clone()
        }
    };
    assert_eq!(
        value("k:1", json!({"Contact reason": "late"})).await,
        "late"
    );
    assert_eq!(
        value("k:2", json!({"cf_contact_reason": "late"})).await,
        Value::Null
    );
    client
        .simulator
        .set_switches(|switches| switches.import_field_keys = FieldKeys::ApiName);
    assert_eq!(
        value("k:3", json!({"cf_contact_reason": "late"})).await,
        "late"
    );
    client.simulator.set_switches(|switches| {
        switches.import_field_keys = FieldKeys::Both;
        switches.import_unknown_field_refused = true;
    });
    assert_eq!(
        value("k:4", json!({"Contact reason": "late"})).await,
        "late"
    );
    let unknown = ticket_row(
        &client,
        "k:5",
        "k:cust:1",
        json!({"customFields": {"Nothing": "x"}}),
    );
    assert_eq!(
        client
            .import(json!({"tickets": [unknown]}))
            .await
            .at("/hasError"),
        true
    );
}

#[tokio::test]
async fn tags_of_a_row_are_dropped_taken_or_refused() {
    let client = Client::new();
    with_customer(&client).await;
    let tags = |id: &'static str| {
        let ticket = ticket_row(&client, id, "k:cust:1", json!({"tags": ["demo"]}));
        let client = &client;
        async move {
            client.imported(json!({"tickets": [ticket]})).await;
            let ticket = client.mapped("tickets", &[id]).await.remove(0);
            client
                .get(&format!("tickets/{ticket}/tags"))
                .await
                .data()
                .len()
        }
    };
    assert_eq!(tags("k:1").await, 0);
    client
        .simulator
        .set_switches(|switches| switches.import_tags = ImportTags::Taken);
    assert_eq!(tags("k:2").await, 1);
    client
        .simulator
        .set_switches(|switches| switches.import_tags = ImportTags::Refused);
    let ticket = ticket_row(&client, "k:3", "k:cust:1", json!({"tags": ["demo"]}));
    client
        .queue(json!({"tickets": [ticket]}))
        .await
        .refused(422, "UNPROCESSABLE_ENTITY");
}

#[tokio::test]
async fn an_address_that_a_contact_has_is_refused_matched_or_taken_twice() {
    let client = Client::new();
    let mut same = contact_row("k:cust:1");
    same["email"] = json!("old.customer@example.com");
    assert_eq!(
        client
            .import(json!({"contacts": [same.clone()]}))
            .await
            .at("/hasError"),
        true
    );
    client
        .simulator
        .set_switches(|switches| switches.import_duplicate_email = DuplicateEmail::Matched);
    client.imported(json!({"contacts": [same.clone()]})).await;
    let old = client.known("old.customer@example.com");
    assert!(
        client
            .mapped("contacts", &["k:cust:1"])
            .await
            .contains(&old)
    );
    client
        .simulator
        .set_switches(|switches| switches.import_duplicate_email = DuplicateEmail::Second);
    client.imported(json!({"contacts": [same]})).await;
    assert_ne!(client.mapped("contacts", &["k:cust:1"]).await, [old]);
}

#[tokio::test]
async fn an_import_runs_automation_unless_it_says_no() {
    let client = Client::with(|config| config.preexisting.services = Services::all());
    with_customer(&client).await;
    assert!(client.simulator.outbox().all().is_empty());
    let ticket = |id: &str| ticket_row(&client, id, "k:cust:1", json!({"status": "Closed"}));
    client.imported(json!({"tickets": [ticket("k:1")]})).await;
    assert!(client.simulator.outbox().all().is_empty());
    assert!(client.simulator.automation_log().all().is_empty());
    let body = json!({"scopeId": SCOPE, "data": {"tickets": [ticket("k:2")]}});
    let id = client.post("imports", body).await.expect(200).id();
    client.completed(&id).await;
    assert_eq!(
        (client.sent("acknowledgement"), client.sent("happiness")),
        (1, 1)
    );
    assert!(!client.simulator.automation_log().all().is_empty());
}

#[tokio::test]
async fn a_mention_in_an_imported_comment_reaches_people() {
    let client = Client::new();
    with_customer(&client).await;
    client
        .imported(json!({"tickets": [ticket_row(&client, "k:1", "k:cust:1", json!({}))]}))
        .await;
    let zuid = client
        .simulator
        .snapshot()
        .agent_by_email("agent1@acme.example")
        .unwrap()
        .zuid
        .clone();
    let note = |id: &str, text: String| {
        row(
            "ticketComments",
            json!({
                "commentExtId": id, "ticketExtId": "k:1", "content": text, "isPublic": false,
                "commentedTime": "2020-02-01T10:00:00Z",
            }),
        )
    };
    let text = format!("zsu[@user:{zuid}]zsu look");
    client
        .imported(json!({"ticketComments": [note("k:n1", text.clone())]}))
        .await;
    assert_eq!(client.sent("mention"), 1);
    client
        .simulator
        .set_switches(|switches| switches.import_mentions_notify = false);
    client
        .imported(json!({"ticketComments": [note("k:n2", text)]}))
        .await;
    assert_eq!(client.sent("mention"), 1);
}

#[tokio::test]
async fn a_description_becomes_a_thread_of_the_tickets_time_unless_a_switch_says_no() {
    let client = Client::new();
    with_customer(&client).await;
    let ticket = |id: &str| ticket_row(&client, id, "k:cust:1", json!({"description": "Late"}));
    client.imported(json!({"tickets": [ticket("k:1")]})).await;
    let id = client.mapped("tickets", &["k:1"]).await.remove(0);
    let threads = client
        .get(&format!("tickets/{id}/threads"))
        .await
        .expect(200);
    assert_eq!(
        threads.at("/data/0/createdTime"),
        "2020-02-01T10:00:00.000Z"
    );
    client
        .simulator
        .set_switches(|switches| switches.import_description_thread = false);
    client.imported(json!({"tickets": [ticket("k:2")]})).await;
    let id = client.mapped("tickets", &["k:2"]).await.remove(0);
    client.get(&format!("tickets/{id}/threads")).await.nothing();
    assert_eq!(
        client
            .get(&format!("tickets/{id}"))
            .await
            .at("/description"),
        "Late"
    );
}

#[tokio::test]
async fn parents_of_the_same_import_may_be_too_new() {
    let client = Client::switched(|switches| switches.import_parents_together = false);
    let data = json!({
        "contacts": [contact_row("k:cust:1")],
        "tickets": [ticket_row(&client, "k:1", "k:cust:1", json!({}))],
    });
    let import = client.import(data.clone()).await;
    assert_eq!(client.log(&import).await[0].2, "PARENT_NOT_FOUND");
    client.imported(json!({"tickets": data["tickets"]})).await;
}

#[tokio::test]
async fn unknown_statuses_are_added_where_the_switch_says_so() {
    let client = Client::switched(|switches| switches.import_adds_statuses = true);
    with_customer(&client).await;
    let ticket = ticket_row(&client, "k:1", "k:cust:1", json!({"status": "Snoozed"}));
    client.imported(json!({"tickets": [ticket]})).await;
    let statuses = client.get("ticketStatuses").await.expect(200);
    assert!(
        statuses
            .data()
            .iter()
            .any(|status| status["name"] == "Snoozed")
    );
}

#[tokio::test]
async fn a_call_hangs_on_its_ticket() {
    let client = Client::new();
    with_customer(&client).await;
    client
        .imported(json!({"tickets": [ticket_row(&client, "k:1", "k:cust:1", json!({}))]}))
        .await;
    let call = row(
        "calls",
        json!({
            "callExtId": "k:call:1", "ticketExtId": "k:1", "contactExtId": "k:cust:1", "subject": "Call",
            "departmentId": client.department(), "direction": "inbound", "status": "Completed", "duration": 61,
            "startTime": "2020-02-01T11:00:00.000Z", "createdTime": "2020-02-01T11:00:00.000Z",
        }),
    );
    let comment = row(
        "callComments",
        json!({
            "commentExtId": "k:cc:1", "callExtId": "k:call:1", "content": "Voice mail",
            "commentedTime": "2020-02-01T11:05:00.000Z",
        }),
    );
    client
        .imported(json!({"calls": [call], "callComments": [comment]}))
        .await;
    let ticket = client.mapped("tickets", &["k:1"]).await.remove(0);
    let calls = client
        .get(&format!("tickets/{ticket}/calls"))
        .await
        .expect(200);
    assert_eq!(
        (calls.at("/data/0/duration"), calls.at("/data/0/ticketId")),
        (&json!("61"), &json!(ticket))
    );
    let id = calls.ids()[0].to_owned();
    let comments = client
        .get(&format!("calls/{id}/comments"))
        .await
        .expect(200);
    assert_eq!(comments.at("/data/0/content"), "Voice mail");
    client
        .post("calls/moveToTrash", json!({"callIds": [id]}))
        .await
        .nothing();
    client
        .get(&format!("tickets/{ticket}/calls"))
        .await
        .nothing();
}

#[tokio::test]
async fn the_import_api_may_be_closed() {
    for status in [401, 403, 404] {
        let client = Client::switched(|switches| switches.imports_refused = Some(status));
        let body = json!({"scopeId": SCOPE, "module": "contacts", "externalIds": ["k:1"]});
        client.post("importMappings", body).await.expect(status);
        client
            .queue(json!({"contacts": [contact_row("k:1")]}))
            .await
            .expect(status);
    }
}

#[tokio::test]
async fn rows_below_a_ticket_move_its_time_where_the_switch_says_so() {
    let client = Client::switched(|switches| switches.import_children_touch = true);
    with_customer(&client).await;
    let ticket = ticket_row(
        &client,
        "k:1",
        "k:cust:1",
        json!({"modifiedTime": "2020-02-05T10:00:00.000Z"}),
    );
    client.imported(json!({"tickets": [ticket]})).await;
    let path = format!("tickets/{}", client.mapped("tickets", &["k:1"]).await[0]);
    assert_eq!(
        client.get(&path).await.at("/modifiedTime"),
        "2020-02-05T10:00:00.000Z"
    );
    client
        .imported(json!({"threads": [thread_row("k:m", "k:1", json!({}))]}))
        .await;
    assert!(
        client
            .get(&path)
            .await
            .text("/modifiedTime")
            .starts_with("2026-11-23")
    );
}

#[tokio::test]
async fn an_end_is_told_where_it_was_asked_for() {
    let client = Client::new();
    let body = json!({
        "scopeId": SCOPE, "runAutomation": false, "notifyUrl": "https://host.example/done",
        "data": {"contacts": [contact_row("k:cust:1")]},
    });
    let id = client.post("imports", body).await.expect(200).id();
    client.completed(&id).await;
    assert_eq!(client.sent("webhook"), 1);
}
