use axum::body::Body;
use serde_json::json;

use super::{Client, Reply};

async fn done(client: &Client, job: &Reply) -> Reply {
    let id = job.at("/job_id").as_str().unwrap().to_owned();
    let early = client.get(&format!("jobs/{id}")).await.expect(200);
    assert_eq!(early.at("/status"), "in_progress");
    client.wait(60);
    let done = client.get(&format!("jobs/{id}")).await.expect(200);
    assert_eq!(done.at("/status"), "completed");
    done
}

#[tokio::test]
async fn a_bulk_update_closes_without_a_mail_and_says_nothing_of_what_failed() {
    let client = Client::with(|config| config.notifications.ticket_closed = true);
    let requester = client.known("old.customer@example.com");
    let first = client.ticket(requester, json!({})).await;
    let second = client.ticket(requester, json!({})).await;
    let gone = client.ticket(requester, json!({})).await;
    client.delete(&format!("tickets/{gone}")).await.expect(204);
    let properties = json!({"status": 5, "skip_close_notification": true});
    let body = json!({"bulk_action": {"ids": [first, gone, second], "properties": properties}});
    let job = client
        .post("tickets/bulk_update", body.clone())
        .await
        .expect(202);
    assert!(job.at("/href").as_str().unwrap().contains("/api/v2/jobs/"));
    assert_eq!(
        client.get(&format!("tickets/{first}")).await.at("/status"),
        2
    );
    done(&client, &job).await;
    for id in [first, second] {
        assert_eq!(client.get(&format!("tickets/{id}")).await.at("/status"), 5);
    }
    assert_eq!(client.mails(), []);
    client.put("tickets/bulk_update", body).await.expect(405);
    let open = json!({"bulk_action": {"ids": [first], "properties": {"status": 2}}});
    done(
        &client,
        &client.post("tickets/bulk_update", open).await.expect(202),
    )
    .await;
    let loud = json!({"bulk_action": {"ids": [first], "properties": {"status": 5}}});
    done(
        &client,
        &client.post("tickets/bulk_update", loud).await.expect(202),
    )
    .await;
    assert_eq!(client.mails().len(), 1);
}

#[tokio::test]
async fn a_bulk_body_is_checked_before_it_is_taken() {
    let client = Client::new();
    let post = async |body| client.post("tickets/bulk_update", body).await;
    post(json!({"ids": [1]})).await.expect(400);
    let odd = json!({"bulk_action": {"ids": [1], "properties": {"created_at": "x"}}});
    post(odd)
        .await
        .refused(400, "properties.created_at", "invalid_field");
    let none = json!({"bulk_action": {"ids": [], "properties": {"status": 5}}});
    post(none).await.refused(400, "ids", "missing_field");
    let ids: Vec<u64> = (1..=101).collect();
    let many = json!({"bulk_action": {"ids": ids, "properties": {"status": 5}}});
    post(many).await.refused(400, "ids", "too_long");
    client.get("jobs/nothing").await.expect(404);
}

#[tokio::test]
async fn many_tickets_are_deleted_by_a_job() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.ticket(requester, json!({})).await);
    }
    let body = json!({"bulk_action": {"ids": ids}});
    let job = client.post("tickets/bulk_delete", body).await.expect(202);
    done(&client, &job).await;
    assert_eq!(
        client
            .get("tickets?filter=deleted&order_type=asc")
            .await
            .ids(),
        ids
    );
}

#[tokio::test]
async fn an_export_is_a_csv_behind_a_link_that_takes_no_credentials() {
    let client = Client::new();
    let body =
        json!({"fields": {"default_fields": ["name", "email"], "custom_fields": ["loyalty_tier"]}});
    let job = client.post("contacts/export", body).await.expect(202);
    let path = format!("contacts/export/{}", job.at("/id").as_str().unwrap());
    assert_eq!(client.get(&path).await.at("/status"), "in_progress");
    client.wait(10);
    let done = client.get(&path).await.expect(200);
    assert_eq!(done.at("/status"), "completed");
    let url = done.at("/download_url").as_str().unwrap();
    let path = url.strip_prefix("https://acme.freshdesk.com").unwrap();
    let request = axum::http::Request::get(path).body(Body::empty()).unwrap();
    let csv = String::from_utf8(client.send(request).await.expect(200).bytes).unwrap();
    assert!(
        csv.starts_with("name,email,loyalty_tier\nOld Customer,old.customer@example.com,\n"),
        "{csv}"
    );
    let wrong = json!({"fields": {"default_fields": ["nothing"]}});
    client
        .post("companies/export", wrong)
        .await
        .refused(400, "default_fields", "invalid_value");
}

#[tokio::test]
async fn an_import_makes_and_changes_contacts_and_reports_lines_that_failed() {
    let client = Client::new();
    let csv = "name,email,tier\nNew,new@x.example,gold\nOld Name,old.customer@example.com,\nBad,bad@x.example,tin\n";
    let texts = [
        ("fields[name]", "0"),
        ("fields[email]", "1"),
        ("fields[custom_fields][loyalty_tier]", "2"),
    ];
    let file = [("file", "c.csv", "text/csv", csv.as_bytes().to_vec())];
    let job = client
        .form("POST", "contacts/imports", &texts, &file)
        .await
        .expect(201);
    assert_eq!(
        (job.at("/status"), job.at("/total_records")),
        (&json!("in_progress"), &json!(3))
    );
    client.wait(10);
    let done = client
        .get(&format!("contacts/imports/{}", job.id()))
        .await
        .expect(200);
    assert_eq!(
        (done.at("/status"), done.at("/failures/count")),
        (&json!("completed"), &json!(1))
    );
    let snapshot = client.simulator.snapshot();
    let made = snapshot.person_by_email("new@x.example").unwrap();
    assert_eq!(made.custom_fields["loyalty_tier"], "gold");
    assert_eq!(
        snapshot
            .person_by_email("old.customer@example.com")
            .unwrap()
            .name
            .as_deref(),
        Some("Old Name")
    );
    assert!(snapshot.person_by_email("bad@x.example").is_none());
    assert_eq!(client.get("contacts/imports").await.ids(), [job.id()]);
}

#[tokio::test]
async fn agents_are_made_in_bulk_by_a_job() {
    let client = Client::new();
    let role = client.get("roles").await.at("/3/id").clone();
    let agents = json!([{"email": "x@acme.example", "role_ids": [role]}]);
    let job = client
        .post("agents/bulk", json!({"agents": agents}))
        .await
        .expect(202);
    done(&client, &job).await;
    assert_eq!(
        client.get("agents?email=x@acme.example").await.list().len(),
        1
    );
}
