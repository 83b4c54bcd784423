//! Single records: what is taken, what is refused, what follows.

use serde_json::{Value, json};

use super::Client;
use crate::salesforce::{Deliverability, DuplicateRule, UpsertAudit};

#[tokio::test]
async fn a_record_is_made_read_changed_and_deleted() {
    let client = Client::empty();
    let reply = client
        .post(
            "sobjects/Account",
            json!({"Name": " Acme ", "NumberOfEmployees": 12}),
        )
        .await
        .expect(201);
    let id = reply.text("/id");
    assert_eq!(id.len(), 18);
    assert_eq!(
        reply.header("location"),
        Some(format!("/services/data/v67.0/sobjects/Account/{id}").as_str())
    );
    let read = client
        .get(&format!(
            "sobjects/Account/{}?fields=Name,NumberOfEmployees",
            &id[..15]
        ))
        .await
        .expect(200);
    assert_eq!(
        (read.text("/Name"), read.at("/NumberOfEmployees")),
        ("Acme".to_owned(), &json!(12))
    );
    client
        .patch(
            &format!("sobjects/Account/{id}"),
            json!({"NumberOfEmployees": null}),
        )
        .await
        .expect(204);
    let read = client
        .get(&format!("sobjects/Account/{id}"))
        .await
        .expect(200);
    assert_eq!(read.at("/NumberOfEmployees"), &Value::Null);
    client
        .delete(&format!("sobjects/Account/{id}"))
        .await
        .expect(204);
    assert_eq!(
        client
            .delete(&format!("sobjects/Account/{id}"))
            .await
            .expect(404)
            .code(),
        "ENTITY_IS_DELETED"
    );
    client
        .get(&format!("sobjects/Account/{id}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn what_is_wrong_with_a_record_is_said_in_the_vendors_words() {
    let client = Client::new();
    let refused = async |object: &str, body: Value| {
        client
            .post(&format!("sobjects/{object}"), body)
            .await
            .expect(400)
            .json[0]
            .clone()
    };
    let missing = refused("Contact", json!({"FirstName": "Ana"})).await;
    assert_eq!(
        missing["message"],
        "Required fields are missing: [LastName]"
    );
    assert_eq!(missing["fields"], json!(["LastName"]));
    let column = refused("Contact", json!({"LastName": "R", "Nick__c": "x"})).await;
    assert_eq!(
        column["message"],
        "No such column 'Nick__c' on sobject of type Contact"
    );
    let long = refused("Case", json!({"Subject": "x".repeat(256)})).await;
    assert_eq!(long["errorCode"], "STRING_TOO_LONG");
    assert!(
        long["message"]
            .as_str()
            .unwrap()
            .ends_with("(max length=255)")
    );
    let status = refused("Case", json!({"Status": "Waiting"})).await;
    assert_eq!(
        status["message"],
        "Status: bad value for restricted picklist field: Waiting"
    );
    assert_eq!(
        refused("Contact", json!({"LastName": "R", "Email": "no"})).await["errorCode"],
        "INVALID_EMAIL_ADDRESS"
    );
    assert_eq!(
        refused("Case", json!({"ContactId": "003"})).await["errorCode"],
        "MALFORMED_ID"
    );
    let nobody = json!({"ContactId": "003Hs00000000001"});
    assert_eq!(refused("Case", nobody).await["errorCode"], "MALFORMED_ID");
    assert_eq!(
        refused("Case", json!({"IsEscalated": "yes"})).await["errorCode"],
        "JSON_PARSER_ERROR"
    );
    let number = refused("Case", json!({"CaseNumber": "1"})).await;
    assert_eq!(number["errorCode"], "INVALID_FIELD_FOR_INSERT_UPDATE");
    assert_eq!(number["fields"], json!(["CaseNumber"]));
    client
        .post("sobjects/Nothing__c", json!({}))
        .await
        .expect(404);
}

#[tokio::test]
async fn original_times_need_two_switches_and_are_for_inserting_only() {
    let body = json!({"Subject": "Old", "CreatedDate": "2024-03-01T10:00:00.700Z", "LastModifiedDate": "2024-03-02T10:00:00Z"});
    let client = Client::new();
    let id = client.make("Case", body.clone()).await;
    let read = client.get(&format!("sobjects/Case/{id}")).await.expect(200);
    assert_eq!(read.text("/CreatedDate"), "2024-03-01T10:00:00.000+0000");
    let late = client
        .patch(
            &format!("sobjects/Case/{id}"),
            json!({"CreatedDate": "2024-01-01T00:00:00Z"}),
        )
        .await
        .expect(400);
    assert_eq!(late.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    for (setting, permission) in [(true, false), (false, true)] {
        let client = Client::with(|config| {
            config.audit_fields_setting = setting;
            config.permissions.audit_fields = permission;
        });
        let reply = client.post("sobjects/Case", body.clone()).await.expect(400);
        assert_eq!(reply.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
        let described = client.get("sobjects/Case/describe").await.expect(200);
        let fields = described.at("/fields").as_array().unwrap();
        assert_eq!(
            fields.iter().find(|f| f["name"] == "CreatedDate").unwrap()["createable"],
            false
        );
    }
    let future = json!({"Subject": "New", "CreatedDate": "2030-01-01T00:00:00Z"});
    client.post("sobjects/Case", future).await.expect(400);
    let backwards =
        json!({"CreatedDate": "2024-03-02T10:00:00Z", "LastModifiedDate": "2024-03-01T10:00:00Z"});
    client.post("sobjects/Case", backwards).await.expect(400);
}

#[tokio::test]
async fn an_upsert_keeps_no_original_times() {
    let client = Client::new();
    client.external_id("Case").await;
    let body = json!({"Subject": "Old", "CreatedDate": "2024-03-01T10:00:00Z"});
    let path = "sobjects/Case/Kustomer_Id__c/57f%2F1";
    assert_eq!(
        client.patch(path, body.clone()).await.expect(400).code(),
        "INVALID_FIELD_FOR_INSERT_UPDATE"
    );
    client
        .simulator
        .set_switches(|switches| switches.upsert_audit = UpsertAudit::Ignored);
    let made = client.patch(path, body.clone()).await.expect(201);
    assert_eq!(made.at("/created"), true);
    let again = client
        .patch(path, json!({"Subject": "Newer"}))
        .await
        .expect(200);
    assert_eq!(
        (again.text("/id"), again.at("/created")),
        (made.text("/id"), &json!(false))
    );
    let read = client.get(path).await.expect(200);
    assert!(read.text("/CreatedDate").starts_with("2026-"));
    assert_eq!(read.text("/Kustomer_Id__c"), "57f/1");
}

#[tokio::test]
async fn a_unique_value_is_refused_with_the_id_of_the_record_that_has_it() {
    let client = Client::new();
    client.external_id("Case").await;
    let first = client.make("Case", json!({"Kustomer_Id__c": "57f1"})).await;
    let reply = client
        .post("sobjects/Case", json!({"Kustomer_Id__c": "57f1"}))
        .await
        .expect(400);
    let wanted = format!(
        "duplicate value found: Kustomer_Id__c duplicates value on record with id: {}",
        &first[..15]
    );
    assert_eq!(
        (reply.code(), reply.text("/0/message")),
        ("DUPLICATE_VALUE".to_owned(), wanted)
    );
    client.make("Case", json!({"Kustomer_Id__c": "57F1"})).await;
    // What is in the recycle bin is in nobody's way.
    client
        .delete(&format!("sobjects/Case/{first}"))
        .await
        .expect(204);
    client.make("Case", json!({"Kustomer_Id__c": "57f1"})).await;
}

#[tokio::test]
async fn a_duplicate_rule_alerts_or_blocks_and_its_key_is_misspelt() {
    let client = Client::new();
    let body = json!({"LastName": "Again", "Email": "OLD.customer@example.com"});
    let reply = client
        .post("sobjects/Contact", body.clone())
        .await
        .expect(400);
    assert_eq!(reply.code(), "DUPLICATES_DETECTED");
    let found = reply.text("/0/duplicateResut/matchResults/0/matchRecords/0/record/Id");
    assert!(found.starts_with("003"));
    let save = [(
        "sforce-duplicate-rule-header",
        "allowSave=true; includeRecordDetails=false",
    )];
    client
        .call_with("POST", "sobjects/Contact", &save, body.clone())
        .await
        .expect(201);
    let client = Client::with(|config| config.preexisting.duplicate_rules = DuplicateRule::Block);
    client
        .call_with("POST", "sobjects/Contact", &save, body)
        .await
        .expect(400);
}

#[tokio::test]
async fn parents_are_found_by_their_external_id() {
    let client = Client::new();
    client.external_id("Contact").await;
    let contact = client
        .make(
            "Contact",
            json!({"LastName": "Ruiz", "Kustomer_Id__c": "c1"}),
        )
        .await;
    let case = client
        .make("Case", json!({"Contact": {"Kustomer_Id__c": "c1"}}))
        .await;
    let read = client
        .get(&format!("sobjects/Case/{case}"))
        .await
        .expect(200);
    assert_eq!(read.text("/ContactId"), contact);
    let reply = client
        .post(
            "sobjects/Case",
            json!({"Contact": {"Kustomer_Id__c": "c2"}}),
        )
        .await
        .expect(400);
    assert_eq!(reply.code(), "INVALID_FIELD");
}

#[tokio::test]
async fn a_case_takes_its_account_from_its_contact_and_knows_when_it_was_closed() {
    let client = Client::new();
    let contact = client
        .query("SELECT Id, AccountId FROM Contact LIMIT 1")
        .await
        .remove(0);
    let case = client
        .make(
            "Case",
            json!({"ContactId": contact["Id"], "Status": "Closed"}),
        )
        .await;
    let read = client
        .get(&format!("sobjects/Case/{case}"))
        .await
        .expect(200);
    assert_eq!(read.at("/AccountId"), &contact["AccountId"]);
    assert_eq!(
        (read.at("/IsClosed"), read.at("/IsClosedOnCreate")),
        (&json!(true), &json!(true))
    );
    assert_eq!(read.text("/ClosedDate"), "2026-11-23T09:00:00.000+0000");
    assert!(read.text("/CaseNumber").len() == 8);
    client
        .patch(&format!("sobjects/Case/{case}"), json!({"Status": "New"}))
        .await
        .expect(204);
    assert_eq!(
        client
            .get(&format!("sobjects/Case/{case}"))
            .await
            .at("/ClosedDate"),
        &Value::Null
    );
}

#[tokio::test]
async fn assignment_rules_run_unless_the_request_says_otherwise() {
    let client = Client::new();
    let first = client.make("Case", json!({"Subject": "a"})).await;
    let header = [("sforce-auto-assign", "FALSE")];
    let second = client
        .call_with("POST", "sobjects/Case", &header, json!({"Subject": "b"}))
        .await
        .expect(201)
        .text("/id");
    let owner = async |id: &str| {
        client
            .get(&format!("sobjects/Case/{id}"))
            .await
            .text("/OwnerId")
    };
    assert!(owner(&first).await.starts_with("00G"));
    assert_eq!(owner(&second).await, client.simulator.integration_user());
    let runs = client.simulator.automation_log().all();
    assert_eq!(
        runs.iter().filter(|run| run.kind == "assignment").count(),
        1
    );
}

#[tokio::test]
async fn a_new_case_mails_its_contact_while_mails_leave_the_org() {
    let client = Client::new();
    let contact = client
        .query("SELECT Id FROM Contact LIMIT 1")
        .await
        .remove(0);
    client
        .make("Case", json!({"ContactId": contact["Id"]}))
        .await;
    let sent = client.simulator.outbox().all();
    assert_eq!(
        (sent.len(), sent[0].to.as_str()),
        (1, "old.customer@example.com")
    );
    let client = Client::with(|config| config.deliverability = Deliverability::No);
    let contact = client
        .query("SELECT Id FROM Contact LIMIT 1")
        .await
        .remove(0);
    client
        .make("Case", json!({"ContactId": contact["Id"]}))
        .await;
    assert_eq!(client.simulator.outbox().all(), []);
}

#[tokio::test]
async fn an_inactive_user_owns_nothing_without_a_permission_of_its_own() {
    let inactive = "SELECT Id FROM User WHERE IsActive = false";
    let client = Client::with(|config| config.permissions.inactive_owners = false);
    let user = client.query(inactive).await.remove(0);
    let header = [("sforce-auto-assign", "FALSE")];
    let reply = client
        .call_with(
            "POST",
            "sobjects/Case",
            &header,
            json!({"OwnerId": user["Id"]}),
        )
        .await
        .expect(400);
    assert_eq!(reply.code(), "INACTIVE_OWNER_OR_USER");
    let client = Client::new();
    let user = client.query(inactive).await.remove(0);
    client
        .call_with(
            "POST",
            "sobjects/Case",
            &header,
            json!({"OwnerId": user["Id"]}),
        )
        .await
        .expect(201);
    client
        .make(
            "Case",
            json!({"Subject": "by one who left", "CreatedById": user["Id"]}),
        )
        .await;
}

#[tokio::test]
async fn what_hangs_on_a_record_goes_with_it_and_a_contact_with_cases_stays() {
    let client = Client::new();
    let account = client.make("Account", json!({"Name": "New"})).await;
    let contact = client
        .make("Contact", json!({"LastName": "Ruiz", "AccountId": account}))
        .await;
    let case = client.make("Case", json!({"ContactId": contact})).await;
    let comment = client
        .make(
            "CaseComment",
            json!({"ParentId": case, "CommentBody": "Hello"}),
        )
        .await;
    for path in [
        format!("sobjects/Contact/{contact}"),
        format!("sobjects/Account/{account}"),
    ] {
        let reply = client.delete(&path).await.expect(400);
        assert_eq!(reply.code(), "DELETE_FAILED");
        assert!(
            reply
                .text("/0/message")
                .contains("associated with the following cases")
        );
    }
    client
        .delete(&format!("sobjects/Case/{case}"))
        .await
        .expect(204);
    assert!(
        client
            .query(&format!(
                "SELECT Id FROM CaseComment WHERE Id = '{comment}'"
            ))
            .await
            .is_empty()
    );
    let bin = client
        .get(&format!(
            "queryAll?q=SELECT+Id,IsDeleted+FROM+CaseComment+WHERE+Id+=+'{comment}'"
        ))
        .await;
    assert_eq!(bin.at("/records/0/IsDeleted"), true);
    client
        .delete(&format!("sobjects/Account/{account}"))
        .await
        .expect(204);
    client
        .get(&format!("sobjects/Contact/{contact}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_comment_holds_4000_bytes_and_not_4000_letters() {
    let client = Client::new();
    let case = client.make("Case", json!({"Subject": "a"})).await;
    client
        .make(
            "CaseComment",
            json!({"ParentId": case, "CommentBody": "ü".repeat(2_000)}),
        )
        .await;
    let long = json!({"ParentId": case, "CommentBody": "ü".repeat(2_001)});
    assert_eq!(
        client
            .post("sobjects/CaseComment", long)
            .await
            .expect(400)
            .code(),
        "STRING_TOO_LONG"
    );
}

#[tokio::test]
async fn writing_a_child_moves_the_time_of_its_case() {
    let client = Client::new();
    let case = client.make("Case", json!({
        "Subject": "a", "CreatedDate": "2024-03-01T10:00:00Z", "LastModifiedDate": "2024-03-01T10:00:00Z",
    })).await;
    client.wait(60);
    let changed = async || {
        client
            .get(&format!("sobjects/Case/{case}"))
            .await
            .text("/LastModifiedDate")
    };
    assert_eq!(changed().await, "2024-03-01T10:00:00.000+0000");
    client
        .make(
            "CaseComment",
            json!({"ParentId": case, "CommentBody": "Hello"}),
        )
        .await;
    assert_eq!(changed().await, "2026-11-23T09:01:00.000+0000");
}

#[tokio::test]
async fn queues_take_cases_when_they_are_told_to_and_are_deleted_when_they_own_none() {
    let client = Client::empty();
    let queue = client
        .make(
            "Group",
            json!({"Name": "VIP", "DeveloperName": "VIP", "Type": "Queue"}),
        )
        .await;
    let owned = json!({"Subject": "a", "OwnerId": queue});
    assert_eq!(
        client
            .post("sobjects/Case", owned.clone())
            .await
            .expect(400)
            .code(),
        "FIELD_INTEGRITY_EXCEPTION"
    );
    client
        .make(
            "QueueSobject",
            json!({"QueueId": queue, "SobjectType": "Case"}),
        )
        .await;
    let user = client.simulator.integration_user();
    client
        .make(
            "GroupMember",
            json!({"GroupId": queue, "UserOrGroupId": user}),
        )
        .await;
    let twice = client
        .post(
            "sobjects/GroupMember",
            json!({"GroupId": queue, "UserOrGroupId": user}),
        )
        .await
        .expect(400);
    assert_eq!(twice.code(), "DUPLICATE_VALUE");
    let case = client.make("Case", owned).await;
    assert_eq!(
        client
            .delete(&format!("sobjects/Group/{queue}"))
            .await
            .expect(400)
            .code(),
        "DELETE_FAILED"
    );
    client
        .delete(&format!("sobjects/Case/{case}"))
        .await
        .expect(204);
    client
        .delete(&format!("sobjects/Group/{queue}"))
        .await
        .expect(204);
    assert!(client.query("SELECT Id FROM GroupMember").await.is_empty());
}

#[tokio::test]
async fn a_user_needs_a_licence_and_is_never_deleted() {
    let client = Client::with(|config| config.licences = 7);
    let profile = client
        .query("SELECT Id FROM Profile WHERE Name = 'Standard User'")
        .await
        .remove(0);
    let user = |name: &str| {
        json!({
            "Username": name, "Email": name, "LastName": "X", "Alias": "x", "ProfileId": profile["Id"],
            "TimeZoneSidKey": "UTC", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        })
    };
    let id = client.make("User", user("new@acme.example")).await;
    let more = client
        .post("sobjects/User", user("more@acme.example"))
        .await
        .expect(400);
    assert_eq!(more.code(), "LICENSE_LIMIT_EXCEEDED");
    let same = client
        .post("sobjects/User", user("agent1@acme.example"))
        .await
        .expect(400);
    assert_eq!(same.code(), "DUPLICATE_USERNAME");
    client
        .delete(&format!("sobjects/User/{id}"))
        .await
        .expect(403);
    client
        .patch(&format!("sobjects/User/{id}"), json!({"IsActive": false}))
        .await
        .expect(204);
    client.make("User", user("more@acme.example")).await;
}

#[tokio::test]
async fn topics_are_for_some_objects_only_and_an_assignment_comes_once() {
    let client = Client::new();
    let topic = client.make("Topic", json!({"Name": "vip"})).await;
    assert_eq!(
        client
            .post("sobjects/Topic", json!({"Name": "VIP"}))
            .await
            .expect(400)
            .code(),
        "DUPLICATE_VALUE"
    );
    let case = client.make("Case", json!({"Subject": "a"})).await;
    client
        .make(
            "TopicAssignment",
            json!({"TopicId": topic, "EntityId": case}),
        )
        .await;
    let twice = client
        .post(
            "sobjects/TopicAssignment",
            json!({"TopicId": topic, "EntityId": case}),
        )
        .await
        .expect(400);
    assert_eq!(twice.code(), "DUPLICATE_VALUE");
    let task = client.make("Task", json!({"Subject": "call"})).await;
    client
        .post(
            "sobjects/TopicAssignment",
            json!({"TopicId": topic, "EntityId": task}),
        )
        .await
        .expect(400);
    assert_eq!(
        client.refused_query("SELECT Id FROM TopicAssignment").await,
        "MALFORMED_QUERY"
    );
    assert_eq!(
        client
            .query(&format!(
                "SELECT Id FROM TopicAssignment WHERE EntityId = '{case}'"
            ))
            .await
            .len(),
        1
    );
}
