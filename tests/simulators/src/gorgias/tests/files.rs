//! Uploads and downloads.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{Client, incoming};

#[tokio::test]
async fn several_files_go_up_at_once_and_the_part_is_the_label() {
    let client = Client::quiet();
    let files: [(&str, &[u8]); 2] = [("a.png", b"one"), ("Überblick 1.png", b"three")];
    let made = client.upload("attachment", &files).await.expect(201);
    assert_eq!(
        (made.at("/0/name"), made.at("/1/name")),
        (&json!("a.png"), &json!("Überblick 1.png"))
    );
    assert_eq!(
        (made.at("/1/size"), made.at("/1/content_type")),
        (&json!(5), &json!("image/png"))
    );
    assert!(
        made.at("/0/url")
            .as_str()
            .unwrap()
            .starts_with("https://gorgias.io/attachments/")
    );
    client
        .simulator
        .set_switches(|switches| switches.upload_size_text = true);
    let made = client.upload("attachment", &files).await.expect(201);
    assert_eq!(made.at("/1/size"), "5");
}

#[tokio::test]
async fn a_private_file_needs_credentials_and_a_public_one_none() {
    let client = Client::quiet();
    let stranger = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        client.send(request).await
    };
    for (kind, open) in [("attachment", 403), ("public_attachment", 200)] {
        let made = client
            .upload(kind, &[("a.png", b"bytes")])
            .await
            .expect(201);
        let url = made.at("/0/url").as_str().unwrap().to_owned();
        let path = url.strip_prefix("https://gorgias.io").unwrap();
        assert_eq!(stranger(path).await.status, open);
        let inner = path.replace("/attachments/", &format!("/api/{kind}/download/"));
        stranger(&inner).await.expect(401);
        assert_eq!(client.get(&inner).await.expect(200).bytes, b"bytes");
    }
}

#[tokio::test]
async fn a_file_that_is_too_large_is_a_413() {
    let client = Client::switched(|switches| switches.upload_max_bytes = 4);
    client
        .upload("attachment", &[("a.png", b"four")])
        .await
        .expect(201);
    client
        .upload("attachment", &[("a.png", b"fiver")])
        .await
        .expect(413);
    client
        .upload("poster", &[("a.png", b"x")])
        .await
        .refused("/type");
    client.upload("attachment", &[]).await.expect(400);
}

#[tokio::test]
async fn twenty_megabytes_go_up_and_hang_on_a_message() {
    let client = Client::quiet();
    let bytes = vec![7_u8; 20 * 1024 * 1024];
    let made = client
        .upload("attachment", &[("big.bin", &bytes)])
        .await
        .expect(201);
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m:1", ana, "2020-01-01T00:00:00Z");
    message["attachments"] = json!([made.at("/0").clone()]);
    client
        .ticket(json!({"via": "api", "messages": [message]}))
        .await;
    let snapshot = client.simulator.snapshot();
    let attachment = &snapshot.thread(&snapshot.tickets[0])[0].attachments[0];
    assert_eq!(attachment.size, Some(20 * 1024 * 1024));
    assert_eq!(
        snapshot
            .file(attachment)
            .unwrap()
            .content
            .as_ref()
            .unwrap()
            .len(),
        bytes.len()
    );
}

#[tokio::test]
async fn an_attachment_wants_address_name_and_type() {
    let client = Client::quiet();
    let ana = client.customer("Ana", "ana@example.com").await;
    let mut message = incoming("m:1", ana, "2020-01-01T00:00:00Z");
    message["attachments"] = json!([{"url": "https://gorgias.io/x", "name": "x"}]);
    let refused = client
        .post("tickets", json!({"via": "api", "messages": [message]}))
        .await;
    refused.refused("/messages/0/attachments/0/content_type");
}
