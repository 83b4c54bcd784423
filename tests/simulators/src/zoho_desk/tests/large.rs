//! What is large must still be quick.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Client, contact_row, thread_row, ticket_row};

#[tokio::test]
async fn three_thousand_messages_of_one_ticket_are_quick() {
    let client = Client::new();
    client.simulator.hurry_imports();
    client.simulator.harness().recorder.set_on(false);
    let begun = Instant::now();
    client
        .imported(json!({"contacts": [contact_row("k:cust:1")]}))
        .await;
    client
        .imported(json!({"tickets": [ticket_row(&client, "k:1", "k:cust:1", json!({}))]}))
        .await;
    for page in 0..30 {
        let rows: Vec<Value> = (0..100)
            .map(|n| thread_row(&format!("k:msg:{page}.{n}"), "k:1", json!({})))
            .collect();
        client.imported(json!({"threads": rows})).await;
    }
    let ticket = client.mapped("tickets", &["k:1"]).await.remove(0);
    let mut seen = 0;
    loop {
        let path = format!("tickets/{ticket}/conversations?limit=200&from={seen}");
        let reply = client.get(&path).await;
        seen += reply.data().len();
        if reply.status == 204 {
            break;
        }
    }
    assert_eq!(seen, 3_000);
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn two_thousand_tickets_are_made_and_found_quickly() {
    let client = Client::new();
    client.simulator.hurry_imports();
    client.simulator.harness().recorder.set_on(false);
    let begun = Instant::now();
    for page in 0..20 {
        let id = |n: i32| format!("{page}.{n}");
        let contacts: Vec<Value> = (0..100)
            .map(|n| contact_row(&format!("k:cust:{}", id(n))))
            .collect();
        client.imported(json!({"contacts": contacts})).await;
        let tickets: Vec<Value> = (0..100)
            .map(|n| {
                let own = id(n);
                let more = json!({"customFields": {"Contact reason": format!("k-{own}-")}});
                ticket_row(
                    &client,
                    &format!("k:conv:{own}"),
                    &format!("k:cust:{own}"),
                    more,
                )
            })
            .collect();
        client.imported(json!({"tickets": tickets})).await;
    }
    client.wait(120);
    for page in 0..20 {
        for n in 0..10 {
            let path = format!("tickets/search?customField1=cf_contact_reason:k-{page}.{n}-");
            assert_eq!(client.get(&path).await.expect(200).data().len(), 1);
        }
    }
    assert_eq!(client.simulator.conversations(), 2_000);
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_file_of_twenty_megabytes_arrives_whole() {
    let client = Client::new();
    let contact = client.known("old.customer@example.com");
    let ticket = client.ticket(&contact, json!({})).await;
    let bytes: Vec<u8> = (0..20 * 1024 * 1024_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let path = format!("tickets/{ticket}/attachments");
    let begun = Instant::now();
    let made = client
        .file(&path, "file", "a.bin", &bytes)
        .await
        .expect(200);
    let href = made.text("/href");
    let got = client
        .get(href.strip_prefix("https://desk.zoho.com").unwrap())
        .await
        .expect(200);
    assert!(got.bytes == bytes);
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let mut more = bytes;
    more.push(0);
    client
        .file(&path, "file", "b.bin", &more)
        .await
        .refused(413, "RESOURCE_SIZE_EXCEEDED");
}
