//! Custom objects and fields, and who sees them.

use serde_json::json;

use super::Client;

#[tokio::test]
async fn a_new_field_is_invisible_until_a_permission_set_shows_it() {
    let client = Client::new();
    let metadata = json!({"label": "Number", "type": "Text", "length": 20});
    let body = json!({"FullName": "Case.Number__c", "Metadata": metadata});
    let made = client
        .post("tooling/sobjects/CustomField", body.clone())
        .await
        .expect(201);
    assert!(made.text("/id").starts_with("00N"));
    assert_eq!(
        client
            .post("tooling/sobjects/CustomField", body)
            .await
            .expect(400)
            .code(),
        "DUPLICATE_DEVELOPER_NAME"
    );
    let seen = async || {
        let described = client.get("sobjects/Case/describe").await.expect(200);
        described
            .at("/fields")
            .as_array()
            .unwrap()
            .iter()
            .any(|field| field["name"] == "Number__c")
    };
    assert!(!seen().await);
    assert_eq!(
        client.refused_query("SELECT Number__c FROM Case").await,
        "INVALID_FIELD"
    );
    assert_eq!(
        client
            .post("sobjects/Case", json!({"Number__c": "1"}))
            .await
            .expect(400)
            .code(),
        "INVALID_FIELD"
    );
    let set = client.permission_set().await;
    let permission = |edit: bool| {
        json!({
            "ParentId": set, "SobjectType": "Case", "Field": "Case.Number__c", "PermissionsRead": true, "PermissionsEdit": edit,
        })
    };
    let id = client.make("FieldPermissions", permission(false)).await;
    assert!(seen().await);
    let readable = client
        .post("sobjects/Case", json!({"Number__c": "1"}))
        .await
        .expect(400);
    assert_eq!(readable.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
    client
        .patch(
            &format!("sobjects/FieldPermissions/{id}"),
            json!({"PermissionsEdit": true}),
        )
        .await
        .expect(204);
    client.make("Case", json!({"Number__c": "1"})).await;
    let twice = client
        .post("sobjects/FieldPermissions", permission(true))
        .await
        .expect(400);
    assert_eq!(twice.code(), "DUPLICATE_VALUE");
    client
        .delete(&format!(
            "tooling/sobjects/CustomField/{}",
            made.text("/id")
        ))
        .await
        .expect(204);
    assert!(!seen().await);
    assert!(
        client
            .query("SELECT Id FROM FieldPermissions")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_custom_object_is_made_by_soap_only_and_needs_permissions_too() {
    let client = Client::new();
    client
        .post(
            "tooling/sobjects/CustomObject",
            json!({"FullName": "Order__c"}),
        )
        .await
        .expect(405);
    let fields = "<met:fields><met:fullName>Total__c</met:fullName><met:label>Total</met:label><met:type>Number</met:type>\
                  <met:precision>18</met:precision><met:scale>2</met:scale></met:fields>\
                  <met:fields><met:fullName>Contact__c</met:fullName><met:label>Contact</met:label><met:type>Lookup</met:type>\
                  <met:referenceTo>Contact</met:referenceTo><met:relationshipName>Orders</met:relationshipName></met:fields>";
    client.custom_object("Order__c", fields).await;
    let set = client.permission_set().await;
    for field in ["Total__c", "Contact__c"] {
        client
            .make("FieldPermissions", json!({
                "ParentId": set, "SobjectType": "Order__c", "Field": format!("Order__c.{field}"), "PermissionsRead": true,
                "PermissionsEdit": true,
            }))
            .await;
    }
    let contact = client.make("Contact", json!({"LastName": "Ruiz"})).await;
    let body = json!({"Name": "A-1", "Total__c": 12.345, "Contact__c": contact, "CreatedDate": "2024-03-01T10:00:00Z"});
    let order = client.make("Order__c", body).await;
    assert!(order.starts_with("a00"));
    let rows = client
        .query("SELECT Total__c, Contact__r.LastName FROM Order__c")
        .await;
    assert_eq!(
        (&rows[0]["Total__c"], &rows[0]["Contact__r"]["LastName"]),
        (&json!(12.35), &json!("Ruiz"))
    );
    let children = client
        .query("SELECT (SELECT Id FROM Orders__r) FROM Contact WHERE LastName = 'Ruiz'")
        .await;
    assert_eq!(children[0]["Orders__r"]["totalSize"], 1);
    // A plain lookup becomes empty when its target goes.
    client
        .delete(&format!("sobjects/Contact/{contact}"))
        .await
        .expect(204);
    assert_eq!(
        client
            .get(&format!("sobjects/Order__c/{order}"))
            .await
            .at("/Contact__c"),
        &json!(null)
    );
    let gone = "<met:deleteMetadata><met:type>CustomObject</met:type><met:fullNames>Order__c</met:fullNames></met:deleteMetadata>";
    let reply = client.soap(gone).await.expect(200);
    assert!(
        reply.body().contains("<success>true</success>"),
        "{}",
        reply.body()
    );
    client.get("sobjects/Order__c/describe").await.expect(404);
    let again = client.soap(gone).await.expect(200);
    assert!(again.body().contains("INVALID_CROSS_REFERENCE_KEY"));
}

#[tokio::test]
async fn fields_of_tasks_are_made_on_activity() {
    let client = Client::new();
    client.external_id("Activity").await;
    client.make("Task", json!({"Subject": "Call", "Kustomer_Id__c": "m1", "TaskSubtype": "Call", "CallType": "Inbound"})).await;
    assert_eq!(
        client
            .post("sobjects/Task", json!({"Kustomer_Id__c": "m1"}))
            .await
            .expect(400)
            .code(),
        "DUPLICATE_VALUE"
    );
    let direct = json!({"FullName": "Task.X__c", "Metadata": {"label": "X", "type": "Date"}});
    client
        .post("tooling/sobjects/CustomField", direct)
        .await
        .expect(400);
    let client = Client::with(|config| config.switches.activity_external_id = false);
    let body = json!({"FullName": "Activity.X__c", "Metadata": {"label": "X", "type": "Text", "length": 9, "externalId": true}});
    client
        .post("tooling/sobjects/CustomField", body)
        .await
        .expect(400);
}

#[tokio::test]
async fn an_object_has_room_for_so_many_external_ids() {
    let client = Client::with(|config| config.switches.external_ids_per_object = 1);
    client.external_id("Case").await;
    let body = json!({"FullName": "Case.B__c", "Metadata": {"label": "B", "type": "Text", "length": 9, "externalId": true}});
    assert_eq!(
        client
            .post("tooling/sobjects/CustomField", body)
            .await
            .expect(400)
            .code(),
        "LIMIT_EXCEEDED"
    );
}

#[tokio::test]
async fn picklists_keep_the_order_of_their_definition() {
    let client = Client::new();
    let value = |name: &str| json!({"fullName": name, "label": name, "default": false});
    let metadata = json!({
        "label": "Tags", "type": "MultiselectPicklist", "visibleLines": 4,
        "valueSet": {"restricted": true, "valueSetDefinition": {"sorted": false, "value": [value("vip"), value("new")]}},
    });
    client.field("Case.Tags__c", metadata).await;
    let case = client.make("Case", json!({"Tags__c": "new;VIP;new"})).await;
    assert_eq!(
        client
            .get(&format!("sobjects/Case/{case}"))
            .await
            .text("/Tags__c"),
        "vip;new"
    );
    let reply = client
        .post("sobjects/Case", json!({"Tags__c": "vip;other"}))
        .await
        .expect(400);
    assert_eq!(reply.code(), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    assert_eq!(
        client
            .query("SELECT Id FROM Case WHERE Tags__c INCLUDES ('vip')")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn the_statuses_of_cases_are_a_value_set() {
    let client = Client::new();
    let body = "<met:updateMetadata><met:metadata xsi:type=\"met:StandardValueSet\"><met:fullName>CaseStatus</met:fullName>\
         <met:standardValue><met:fullName>New</met:fullName><met:default>true</met:default><met:closed>false</met:closed>\
         </met:standardValue><met:standardValue><met:fullName>Done</met:fullName><met:default>false</met:default>\
         <met:closed>true</met:closed></met:standardValue></met:metadata></met:updateMetadata>";
    client.soap(body).await.expect(200);
    let case = client.make("Case", json!({"Status": "Done"})).await;
    assert_eq!(
        client
            .get(&format!("sobjects/Case/{case}"))
            .await
            .at("/IsClosed"),
        true
    );
    let rows = client
        .query("SELECT ApiName, IsClosed, IsDefault FROM CaseStatus ORDER BY SortOrder")
        .await;
    assert_eq!(
        rows.iter()
            .map(|row| row["ApiName"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["New", "Done"]
    );
}

#[tokio::test]
async fn rules_that_would_run_can_be_listed_before() {
    let client = Client::new();
    let flows = client
        .query("SELECT ApiName FROM FlowDefinitionView WHERE IsActive = true")
        .await;
    let rules = client
        .query("SELECT Name FROM AssignmentRule WHERE Active = true AND SobjectType = 'Case'")
        .await;
    let duplicates = client
        .query("SELECT DeveloperName FROM DuplicateRule WHERE IsActive = true")
        .await;
    assert_eq!((flows.len(), rules.len(), duplicates.len()), (1, 1, 2));
    let tooling = client
        .get("tooling/query?q=SELECT+ValidationName+FROM+ValidationRule+WHERE+Active=true")
        .await
        .expect(200);
    assert_eq!(tooling.at("/totalSize"), 0);
    assert_eq!(
        client.refused_query("SELECT Id FROM ValidationRule").await,
        "INVALID_TYPE"
    );
}

/// A deployment of these files; how it ended.
async fn deploy(client: &Client, files: &[(&str, &str)]) -> serde_json::Value {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    let options = r#"{"deployOptions":{"rollbackOnError":true,"singlePackage":true}}"#;
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n{options}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"deploy.zip\"\r\nContent-Type: application/zip\r\n\r\n"
    )
    .into_bytes();
    body.extend(zip.finish().unwrap().into_inner());
    body.extend_from_slice(b"\r\n--b--\r\n");
    let request = client
        .request("POST", "metadata/deployRequest")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(axum::body::Body::from(body));
    let started = client.send(request.unwrap()).await.expect(201);
    let path = format!(
        "metadata/deployRequest/{}?includeDetails=true",
        started.text("/id")
    );
    assert_eq!(
        client.get(&path).await.expect(200).at("/deployResult/done"),
        false
    );
    client.wait(5);
    client
        .get(&path)
        .await
        .expect(200)
        .at("/deployResult")
        .clone()
}

#[tokio::test]
async fn a_deployment_makes_an_object_after_a_while_and_again_changes_nothing() {
    let client = Client::new();
    let before = client.simulator.state_fingerprint();
    let package = "<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\"><types><members>Order__c</members>\
                   <name>CustomObject</name></types><version>67.0</version></Package>";
    let object = |field: &str| {
        format!(
            "<CustomObject xmlns=\"http://soap.sforce.com/2006/04/metadata\"><label>Order</label><pluralLabel>Orders</pluralLabel>\
             <nameField><label>Name</label><type>Text</type></nameField><deploymentStatus>Deployed</deploymentStatus>\
             <sharingModel>ReadWrite</sharingModel><fields><fullName>{field}</fullName><label>Total</label><type>Date</type>\
             </fields></CustomObject>"
        )
    };
    let bad = object("Total");
    let ended = deploy(
        &client,
        &[("package.xml", package), ("objects/Order__c.object", &bad)],
    )
    .await;
    assert_eq!(
        (&ended["status"], &ended["success"]),
        (&json!("Failed"), &json!(false))
    );
    assert_eq!(before, client.simulator.state_fingerprint());
    let good = object("Total__c");
    for _ in 0..2 {
        let ended = deploy(
            &client,
            &[("package.xml", package), ("objects/Order__c.object", &good)],
        )
        .await;
        assert_eq!(ended["success"], true, "{ended}");
    }
    assert_ne!(before, client.simulator.state_fingerprint());
    let nothing = "<Package xmlns=\"http://soap.sforce.com/2006/04/metadata\"><version>67.0</version></Package>";
    let ended = deploy(
        &client,
        &[
            ("package.xml", nothing),
            ("destructiveChanges.xml", package),
        ],
    )
    .await;
    assert_eq!(ended["success"], true, "{ended}");
    assert_eq!(before, client.simulator.state_fingerprint());
}
