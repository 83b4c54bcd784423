use std::time::Instant;

use serde_json::json;

use super::Client;

#[tokio::test]
async fn three_thousand_notes_and_two_thousand_tickets_are_no_effort() {
    let client = Client::channel();
    client.simulator.harness().recorder.set_on(false);
    let begin = Instant::now();
    let requester = client.known("old.customer@example.com");
    let thread = client.ticket(requester, json!({})).await;
    for n in 0..3_000 {
        let note = json!({"body": format!("note {n}"), "import_id": n + 1});
        client
            .post(&format!("/api/channel/v2/tickets/{thread}/notes"), note)
            .await
            .expect(201);
    }
    let mut page = 1;
    let mut seen = 0;
    loop {
        let path = format!("tickets/{thread}/conversations?per_page=100&page={page}");
        let list = client.get(&path).await.expect(200);
        seen += list.list().len();
        if list.header("link").is_none() {
            break;
        }
        page += 1;
    }
    assert_eq!(seen, 3_000);
    for n in 0..2_000 {
        let body = json!({"name": format!("C{n}"), "email": format!("c{n}@x.example"), "unique_external_id": format!("k{n}")});
        let contact = client.post("contacts", body).await.expect(201).id();
        let more = json!({"custom_fields": {"cf_order_number": format!("k{n}")}});
        client.ticket(contact, more).await;
        client
            .get(&format!("contacts?unique_external_id=k{n}"))
            .await
            .expect(200);
        client
            .get(&format!("tickets?requester_id={contact}"))
            .await
            .expect(200);
    }
    client.wait(600);
    for n in 0..200 {
        let path = format!("search/tickets?query=%22cf_order_number:%27k{n}%27%22");
        assert_eq!(client.get(&path).await.at("/total"), 1);
    }
    // Far above what it takes, far below what a quadratic look-up would.
    assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
}
