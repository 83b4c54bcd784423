//! Background jobs.

use serde_json::{Value, json};

use super::super::FailedRow;
use super::Client;

fn bulk(tickets: &[Value]) -> Value {
    json!({"tickets": tickets})
}

fn good(external_id: &str) -> Value {
    json!({"external_id": external_id, "comments": [{"body": "x", "public": true}]})
}

#[tokio::test]
async fn a_job_is_queued_then_works_then_holds_a_row_for_every_index() {
    let client = Client::new();
    let bad = json!({"external_id": "k:1", "comments": [{"body": ""}]});
    let list = bulk(&[good("k:0"), bad, good("k:2")]);
    let job = client
        .post("imports/tickets/create_many", list)
        .await
        .expect(200);
    assert_eq!(job.at("/job_status/status"), "queued");
    assert_eq!(job.at("/job_status/total"), 3);
    assert_eq!(
        job.header("zendesk-ratelimit-inflight-jobs"),
        Some("total=30; remaining=29; resets=60")
    );
    let path = format!(
        "job_statuses/{}",
        job.at("/job_status/id").as_str().unwrap()
    );
    assert_eq!(client.simulator.snapshot().tickets.len(), 3);
    client.clock().advance(560);
    let half = client.get(&path).await;
    assert_eq!(half.at("/job_status/status"), "working");
    assert_eq!(half.at("/job_status/progress"), 1);
    assert!(half.at("/job_status/results").is_null());
    assert_eq!(client.simulator.snapshot().tickets.len(), 4);
    client.wait(1);
    let done = client.get(&path).await;
    assert_eq!(done.at("/job_status/status"), "completed");
    assert_eq!(done.at("/job_status/results/0/index"), 0);
    assert!(done.at("/job_status/results/0/id").is_u64());
    assert_eq!(done.at("/job_status/results/1/index"), 1);
    assert_eq!(
        done.at("/job_status/results/1/error"),
        "TicketCreationFailed"
    );
    assert_eq!(
        done.at("/job_status/results/1/details"),
        "Description: cannot be blank"
    );
    assert_eq!(done.at("/job_status/results/2/index"), 2);
    assert_eq!(client.simulator.snapshot().tickets.len(), 5);
}

#[tokio::test]
async fn failed_rows_can_have_the_form_of_the_openapi_document() {
    let client = Client::new();
    client
        .simulator
        .set_switches(|s| s.failed_row = FailedRow::Openapi);
    let job = client
        .post(
            "imports/tickets/create_many",
            bulk(&[json!({"subject": "x"})]),
        )
        .await;
    let rows = client.finish(&job).await;
    assert_eq!(rows[0]["success"], false);
    assert_eq!(rows[0]["action"], "import");
}

#[tokio::test]
async fn results_can_be_read_for_an_hour() {
    let client = Client::new();
    let job = client
        .post("imports/tickets/create_many", bulk(&[good("k:0")]))
        .await
        .expect(200);
    let path = format!(
        "job_statuses/{}",
        job.at("/job_status/id").as_str().unwrap()
    );
    client.wait(3_600);
    client.get(&path).await.expect(200);
    client.wait(2);
    client.get(&path).await.expect(404);
}

#[tokio::test]
async fn the_thirty_first_job_is_refused_and_told_which_are_running() {
    let client = Client::new();
    for n in 0..30 {
        let list = bulk(&[good(&format!("k:{n}"))]);
        client
            .post("imports/tickets/create_many", list)
            .await
            .expect(200);
    }
    let refused = client
        .post("imports/tickets/create_many", bulk(&[good("k:30")]))
        .await
        .expect(429);
    assert_eq!(refused.at("/error"), "TooManyJobs");
    assert_eq!(refused.at("/current_job_ids").as_array().unwrap().len(), 30);
    assert!(refused.header("retry-after").is_some());
    client.wait(2);
    client
        .post("imports/tickets/create_many", bulk(&[good("k:30")]))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_hundred_records_are_taken_and_no_more() {
    let client = Client::new();
    let list = |n: usize| bulk(&vec![good("k"); n]);
    client
        .post("imports/tickets/create_many", list(101))
        .await
        .expect(400);
    client
        .post("imports/tickets/create_many", bulk(&[]))
        .await
        .expect(400);
    let job = client
        .post("imports/tickets/create_many", list(100))
        .await
        .expect(200);
    assert_eq!(client.finish(&job).await.len(), 100);
}

#[tokio::test]
async fn rows_of_updates_and_deletions_name_the_record() {
    let client = Client::new();
    let id = client.import(good("k:0")).await;
    let job = client
        .delete(&format!("tickets/destroy_many?ids={id},4711"))
        .await
        .expect(200);
    let rows = client.finish(&job).await;
    assert_eq!(
        rows[0],
        json!({"id": id, "action": "delete", "status": "Deleted", "success": true})
    );
    assert_eq!(rows[1]["error"], "TicketNotFound");
}
