//! Every answer held against the description assembled from Salesforce's Postman collection.

use std::collections::BTreeMap;

use axum::body::Body;
use serde_json::{Value, json};

use super::Client;
use crate::common::contract::{Exception, Scope, Spec, check};

/// Where the document does not hold.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        operation: "GET /services/data/*/jobs/query",
        pointer: "",
        keyword: "type",
        reason: "the captured answer is a text, not what it says",
    },
    Exception {
        operation: "GET /services/data/*/limits",
        pointer: "",
        keyword: "required",
        reason: "the captured org has features that others have not",
    },
    Exception {
        operation: "GET /services/data/*/queryAll",
        pointer: "/records/*",
        keyword: "required",
        reason: "the captured query asks for other fields",
    },
    Exception {
        operation: "GET /services/data/*/tooling/query",
        pointer: "/records/*",
        keyword: "required",
        reason: "the captured query asks for other fields",
    },
    Exception {
        operation: "GET /services/data/*/sobjects/*/describe",
        pointer: "/fields/*/defaultValue",
        keyword: "oneOf",
        reason: "null fits two of the alternatives",
    },
    Exception {
        operation: "GET /services/data/*/sobjects/*/describe",
        pointer: "/fields/*/picklistValues/*",
        keyword: "oneOf",
        reason: "alternatives that fit alike",
    },
    Exception {
        operation: "GET /services/data/*/tooling/sobjects",
        pointer: "/sobjects/**",
        keyword: "required",
        reason: "the list is shorter for the Tooling API here",
    },
    Exception {
        operation: "GET /services/data/*/tooling/sobjects/**",
        pointer: "/**",
        keyword: "required",
        reason: "the captured record is of another object",
    },
    Exception {
        operation: "POST /services/data/*/composite",
        pointer: "/compositeResponse/*/**",
        keyword: "required",
        reason: "the captured subrequests make records; ours reads one",
    },
    Exception {
        operation: "POST /services/data/*/composite/graph",
        pointer: "/graphs/*/**",
        keyword: "required",
        reason: "the captured subrequests make records; ours reads one",
    },
    Exception {
        operation: "POST /services/data/*/composite/batch",
        pointer: "",
        keyword: "type",
        reason: "the captured answer is a text, not what it says",
    },
    Exception {
        operation: "POST /services/data/*/tooling/sobjects/*",
        pointer: "",
        keyword: "status",
        reason: "making a field answers 201 (Salesforce facts §10.1)",
    },
];

/// One call to everything a connector uses. The document describes version 64.
async fn tour(client: &Client) {
    let v = "/services/data/v64.0";
    let get = async |path: &str| client.get(&format!("{v}/{path}")).await.expect(200);
    client.external_id("Account").await;
    client.simulator.harness().recorder.clear();
    for path in [
        "limits",
        "limits/recordCount?sObjects=Case,Contact",
        "sobjects",
        "sobjects/Case",
        "sobjects/Case/describe",
        "sobjects/Account/describe",
        "query?q=SELECT+Id+FROM+Case",
        "queryAll?q=SELECT+Id,IsDeleted+FROM+Case",
        "tooling/sobjects",
        "tooling/query?q=SELECT+Id+FROM+CustomField",
        "jobs/ingest",
        "jobs/query",
    ] {
        get(path).await;
    }
    let post = async |path: &str, body: Value, status: u16| {
        client
            .post(&format!("{v}/{path}"), body)
            .await
            .expect(status)
    };
    let id = post(
        "sobjects/Account",
        json!({"Name": "Acme", "Kustomer_Id__c": "k1"}),
        201,
    )
    .await
    .text("/id");
    get(&format!("sobjects/Account/{id}")).await;
    get("sobjects/Account/Kustomer_Id__c/k1").await;
    let record = json!({"attributes": {"type": "Account"}, "Name": "B", "Kustomer_Id__c": "k2"});
    let rows = post("composite/sobjects", json!({"records": [record]}), 200).await;
    let second = rows.text("/0/id");
    let update =
        json!({"records": [{"attributes": {"type": "Account"}, "id": second, "Phone": "1"}]});
    client
        .patch(&format!("{v}/composite/sobjects"), update)
        .await
        .expect(200);
    client
        .patch(
            &format!("{v}/composite/sobjects/Account/Kustomer_Id__c"),
            json!({"records": [record]}),
        )
        .await
        .expect(200);
    get(&format!("composite/sobjects/Account?ids={id}&fields=Name")).await;
    client
        .delete(&format!("{v}/composite/sobjects?ids={second}"))
        .await
        .expect(200);
    let one =
        json!({"method": "GET", "url": format!("{v}/sobjects/Account/{id}"), "referenceId": "a"});
    post("composite", json!({"compositeRequest": [one]}), 200).await;
    post(
        "composite/graph",
        json!({"graphs": [{"graphId": "g", "compositeRequest": [one]}]}),
        200,
    )
    .await;
    post(
        "composite/batch",
        json!({"batchRequests": [{"method": "GET", "url": "v64.0/limits"}]}),
        200,
    )
    .await;
    let tree = json!({"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Tree"}]});
    post("composite/tree/Account", tree, 201).await;
    let job = post(
        "jobs/ingest",
        json!({"object": "Account", "operation": "insert", "contentType": "CSV"}),
        200,
    )
    .await
    .text("/id");
    let request = client
        .request("PUT", &format!("{v}/jobs/ingest/{job}/batches"))
        .header("content-type", "text/csv")
        .body(Body::from("Name\nBulk\n"));
    client.send(request.unwrap()).await.expect(201);
    client
        .patch(
            &format!("{v}/jobs/ingest/{job}"),
            json!({"state": "UploadComplete"}),
        )
        .await
        .expect(200);
    client.wait(10);
    get(&format!("jobs/ingest/{job}")).await;
    for kind in ["successfulResults", "failedResults", "unprocessedrecords"] {
        get(&format!("jobs/ingest/{job}/{kind}")).await;
    }
    client
        .delete(&format!("{v}/jobs/ingest/{job}"))
        .await
        .expect(204);
    let query = post(
        "jobs/query",
        json!({"operation": "query", "query": "SELECT Id FROM Case"}),
        200,
    )
    .await
    .text("/id");
    client.wait(10);
    get(&format!("jobs/query/{query}")).await;
    get(&format!("jobs/query/{query}/results")).await;
    let field = json!({"FullName": "Case.A__c", "Metadata": {"label": "A", "type": "Date"}});
    let field = post("tooling/sobjects/CustomField", field, 201)
        .await
        .text("/id");
    get(&format!("tooling/sobjects/CustomField/{field}")).await;
}

#[tokio::test]
async fn every_answer_fits_the_description() {
    let Some(spec) = Spec::find("salesforce-platform-subset.openapi.json").unwrap() else {
        return;
    };
    let client = Client::new();
    tour(&client).await;
    let records = client.simulator.harness().recorder.all();
    let report = check(&spec, &records, Scope::ANSWERS, EXCEPTIONS);
    println!(
        "{} answers checked, excused {:?}",
        report.checked, report.excused
    );
    for violation in &report.violations {
        println!("{violation:?}");
    }
    assert!(report.checked > 20, "{}", report.checked);
    assert_eq!(report.unknown, BTreeMap::new());
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    assert!(
        report.violations.is_empty(),
        "{} violations",
        report.violations.len()
    );
}
