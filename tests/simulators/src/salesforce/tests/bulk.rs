//! Bulk API 2.0.

use axum::body::Body;
use serde_json::json;

use super::{Client, Reply};

async fn open(client: &Client, object: &str, operation: &str, csv: &str) -> String {
    let mut body =
        json!({"object": object, "operation": operation, "contentType": "CSV", "lineEnding": "LF"});
    if operation == "upsert" {
        body["externalIdFieldName"] = json!("Kustomer_Id__c");
    }
    let job = client.post("jobs/ingest", body).await.expect(200);
    assert_eq!(job.text("/state"), "Open");
    let id = job.text("/id");
    assert_eq!(put(client, &id, csv).await.status, 201);
    id
}

async fn put(client: &Client, id: &str, csv: &str) -> Reply {
    let request = client
        .request("PUT", &format!("jobs/ingest/{id}/batches"))
        .header("content-type", "text/csv")
        .body(Body::from(csv.to_owned()));
    client.send(request.unwrap()).await
}

async fn start(client: &Client, id: &str) {
    client
        .patch(
            &format!("jobs/ingest/{id}"),
            json!({"state": "UploadComplete"}),
        )
        .await
        .expect(200);
}

async fn state(client: &Client, id: &str) -> String {
    client
        .get(&format!("jobs/ingest/{id}"))
        .await
        .expect(200)
        .text("/state")
}

async fn results(client: &Client, id: &str, kind: &str) -> Vec<String> {
    let reply = client
        .get(&format!("jobs/ingest/{id}/{kind}"))
        .await
        .expect(200);
    reply.body().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_job_runs_by_its_clock_and_its_results_come_in_another_order() {
    let client = Client::new();
    client.external_id("Contact").await;
    let mut csv = "LastName,Email,Kustomer_Id__c,CreatedDate\n".to_owned();
    for n in 0..30 {
        csv.push_str(&format!(
            "Name {n},a{n}@example.com,k{n},2024-03-01T10:00:00Z\n"
        ));
    }
    csv.push_str("\"\",x,k30,\n\"Same\",,k1,\n");
    let id = open(&client, "Contact", "insert", &csv).await;
    assert_eq!(put(&client, &id, &csv).await.status, 400);
    client.wait(60);
    assert_eq!(state(&client, &id).await, "Open");
    client
        .get(&format!("jobs/ingest/{id}/failedResults"))
        .await
        .expect(400);
    start(&client, &id).await;
    assert_eq!(state(&client, &id).await, "UploadComplete");
    client.wait(2);
    assert_eq!(state(&client, &id).await, "InProgress");
    client.wait(1);
    let job = client.get(&format!("jobs/ingest/{id}")).await;
    assert_eq!(
        (
            job.text("/state"),
            job.at("/numberRecordsProcessed"),
            job.at("/numberRecordsFailed")
        ),
        ("JobComplete".to_owned(), &json!(32), &json!(2))
    );
    let good = results(&client, &id, "successfulResults").await;
    assert_eq!(
        good[0],
        "\"sf__Id\",\"sf__Created\",\"LastName\",\"Email\",\"Kustomer_Id__c\",\"CreatedDate\""
    );
    assert_eq!(good.len(), 31);
    let names: Vec<&str> = good
        .iter()
        .skip(1)
        .map(|row| row.split(',').nth(2).unwrap())
        .collect();
    let mut sorted = names.clone();
    sorted.sort_by_key(|name| {
        name.trim_matches('"')
            .trim_start_matches("Name ")
            .parse::<u32>()
            .unwrap()
    });
    assert_ne!(names, sorted);
    let bad = results(&client, &id, "failedResults").await;
    assert_eq!(bad.len(), 3);
    assert!(
        bad.iter().any(|row| row.contains("INVALID_EMAIL_ADDRESS:")),
        "{bad:?}"
    );
    assert!(
        bad.iter()
            .any(|row| row.contains("DUPLICATE_VALUE:duplicate value found: Kustomer_Id__c")),
        "{bad:?}"
    );
    assert_eq!(results(&client, &id, "unprocessedrecords").await.len(), 1);
    // A lost answer is repeated.
    start(&client, &id).await;
    let jobs = client.get("jobs/ingest?jobType=V2Ingest").await.expect(200);
    assert_eq!(jobs.at("/records/0/id"), &json!(id));
    client.wait(8 * 86_400);
    let client = Client {
        token: client.simulator.admin_token(),
        ..client
    };
    client.get(&format!("jobs/ingest/{id}")).await.expect(404);
}

#[tokio::test]
async fn jobs_update_upsert_and_delete() {
    let client = Client::new();
    client.external_id("Account").await;
    let run = async |operation: &str, csv: &str| {
        let id = open(&client, "Account", operation, csv).await;
        start(&client, &id).await;
        client.wait(10);
        assert_eq!(state(&client, &id).await, "JobComplete");
        results(&client, &id, "successfulResults").await
    };
    let made = run("upsert", "Kustomer_Id__c,Name\nk1,Acme\n").await;
    let id = made[1]
        .split(',')
        .next()
        .unwrap()
        .trim_matches('"')
        .to_owned();
    assert!(made[1].contains("\"true\""));
    assert!(
        run("upsert", "Kustomer_Id__c,Name,Phone\nk1,Acme Ltd,#N/A\n").await[1]
            .contains("\"false\"")
    );
    run("update", &format!("Id,Phone\n{id},123\n")).await;
    let read = client.get(&format!("sobjects/Account/{id}")).await;
    assert_eq!(
        (read.text("/Name"), read.text("/Phone")),
        ("Acme Ltd".to_owned(), "123".to_owned())
    );
    run("delete", &format!("Id\n{id}\n")).await;
    client
        .get(&format!("sobjects/Account/{id}"))
        .await
        .expect(404);
    let hard = json!({"object": "Account", "operation": "hardDelete"});
    assert_eq!(
        client.post("jobs/ingest", hard).await.expect(400).code(),
        "FEATURENOTENABLED"
    );
}

#[tokio::test]
async fn a_job_with_an_unknown_column_fails_as_a_whole_and_an_aborted_one_keeps_its_rows() {
    let client = Client::new();
    let id = open(&client, "Account", "insert", "Name,Nothing__c\nA,1\n").await;
    start(&client, &id).await;
    client.wait(10);
    let job = client.get(&format!("jobs/ingest/{id}")).await;
    assert_eq!(job.text("/state"), "Failed");
    assert_eq!(
        job.text("/errorMessage"),
        "InvalidBatch : Field name not found : Nothing__c"
    );
    let csv: String = (0..500).map(|n| format!("Name {n}\n")).collect();
    let id = open(&client, "Account", "insert", &format!("Name\n{csv}")).await;
    start(&client, &id).await;
    client.wait(2);
    client.simulator.harness().clock.advance(1_200);
    assert_eq!(state(&client, &id).await, "InProgress");
    client
        .patch(&format!("jobs/ingest/{id}"), json!({"state": "Aborted"}))
        .await
        .expect(200);
    client.wait(60);
    assert_eq!(results(&client, &id, "successfulResults").await.len(), 201);
    assert_eq!(results(&client, &id, "unprocessedRecords").await.len(), 301);
    client
        .delete(&format!("jobs/ingest/{id}"))
        .await
        .expect(204);
    client.get(&format!("jobs/ingest/{id}")).await.expect(404);
}

#[tokio::test]
async fn a_query_job_gives_its_rows_in_pages() {
    let client = Client::new();
    let body =
        json!({"operation": "query", "query": "SELECT Id, Contact.LastName, Subject FROM Case"});
    let id = client
        .post("jobs/query", body)
        .await
        .expect(200)
        .text("/id");
    client.wait(5);
    assert_eq!(
        client.get(&format!("jobs/query/{id}")).await.text("/state"),
        "JobComplete"
    );
    let first = client
        .get(&format!("jobs/query/{id}/results?maxRecords=2"))
        .await
        .expect(200);
    assert_eq!(
        first.body().lines().next(),
        Some("\"Id\",\"Contact.LastName\",\"Subject\"")
    );
    assert_eq!(first.header("sforce-numberofrecords"), Some("2"));
    let locator = first.header("sforce-locator").unwrap().to_owned();
    let last = client
        .get(&format!(
            "jobs/query/{id}/results?maxRecords=2&locator={locator}"
        ))
        .await
        .expect(200);
    assert_eq!(
        (last.header("sforce-locator"), last.body().lines().count()),
        (Some("null"), 2)
    );
}
