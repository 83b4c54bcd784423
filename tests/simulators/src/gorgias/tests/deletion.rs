//! Deleting, and jobs that do it.

use serde_json::json;

use super::super::JobDeletion;
use super::Client;

#[tokio::test]
async fn a_deleted_ticket_is_gone_with_its_messages_and_its_survey() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let body = client.history("k:1", ana).await;
    let id = client.ticket(body).await;
    let survey =
        json!({"customer_id": ana, "ticket_id": id, "score": 5, "should_send_datetime": null});
    client
        .post("satisfaction-surveys", survey)
        .await
        .expect(201);
    client.delete(&format!("tickets/{id}")).await.expect(204);
    client.delete(&format!("tickets/{id}")).await.expect(404);
    assert!(
        client
            .get(&format!("messages?ticket_id={id}"))
            .await
            .list()
            .is_empty()
    );
    let snapshot = client.simulator.snapshot();
    assert!(snapshot.messages.is_empty() && snapshot.surveys.is_empty());
}

#[tokio::test]
async fn a_job_trashes_or_erases_tickets_one_after_the_other() {
    for (deletion, status) in [(JobDeletion::Trash, 200), (JobDeletion::Erase, 404)] {
        let client = Client::switched(|switches| switches.job_deletion = deletion);
        let ana = client.customer("Ana", "ana@example.com").await;
        let mut ids = Vec::new();
        for number in 0..10 {
            let body = client.history(&format!("k:{number}"), ana).await;
            ids.push(client.ticket(body).await);
        }
        let body = json!({"type": "deleteTicket", "params": {"ticket_ids": ids}});
        let job = client.post("jobs", body).await.expect(201);
        assert_eq!(job.at("/status"), "pending");
        let path = format!("jobs/{}", job.id());
        client.simulator.harness().clock.advance(1_200);
        assert_eq!(client.get(&path).await.at("/status"), "running");
        client.wait(10);
        assert_eq!(client.get(&path).await.at("/status"), "done");
        let ticket = client
            .get(&format!("tickets/{}", ids[9]))
            .await
            .expect(status);
        assert_eq!(ticket.at("/trashed_datetime").is_string(), status == 200);
    }
}

#[tokio::test]
async fn a_job_is_scheduled_canceled_and_errs_over_what_is_gone() {
    let client = Client::quiet();
    let body = |ids: &[u64]| json!({"type": "deleteTicket", "params": {"ticket_ids": ids}});
    let job = client.post("jobs", body(&[1])).await.expect(201).id();
    client.wait(10);
    assert_eq!(
        client.get(&format!("jobs/{job}")).await.at("/status"),
        "errored"
    );
    let job = client.post("jobs", body(&[1])).await.expect(201).id();
    client.delete(&format!("jobs/{job}")).await.expect(204);
    assert_eq!(
        client.get(&format!("jobs/{job}")).await.at("/status"),
        "cancel_requested"
    );
    client.wait(10);
    assert_eq!(
        client.get(&format!("jobs/{job}")).await.at("/status"),
        "canceled"
    );
    client
        .simulator
        .set_switches(|switches| switches.job_breaks_after = Some(1));
    let job = client.post("jobs", body(&[1, 2])).await.expect(201).id();
    client.wait(10);
    let job = client.get(&format!("jobs/{job}")).await;
    assert_eq!(
        (job.at("/status"), job.at("/info/progress_count")),
        (&json!("fatal_errored"), &json!(1))
    );
    let now = client.simulator.harness().clock.now_ms();
    let mut later = body(&[]);
    later["scheduled_datetime"] = json!(crate::common::Clock::iso(now + 61 * 60_000));
    client
        .post("jobs", later.clone())
        .await
        .refused("/scheduled_datetime");
    later["scheduled_datetime"] = json!(crate::common::Clock::iso(now + 60_000));
    assert_eq!(
        client.post("jobs", later).await.expect(201).at("/status"),
        "scheduled"
    );
    client
        .post("jobs", json!({"type": "bake", "params": {}}))
        .await
        .refused("/type");
}
