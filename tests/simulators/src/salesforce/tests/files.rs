//! Files: versions, documents, links.

use axum::body::Body;
use serde_json::json;

use super::{Client, Reply};

async fn form(client: &Client, fields: &str, name: &str, bytes: &[u8]) -> Reply {
    let mut body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"entity_content\"\r\nContent-Type: application/json\r\n\r\n{fields}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"VersionData\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--b--\r\n");
    let request = client
        .request("POST", "sobjects/ContentVersion")
        .header("content-type", "multipart/form-data; boundary=b")
        .body(Body::from(body));
    client.send(request.unwrap()).await
}

#[tokio::test]
async fn a_file_of_a_form_becomes_a_version_a_document_and_a_link() {
    let client = Client::new();
    let case = client.make("Case", json!({"Subject": "a"})).await;
    let fields = json!({"PathOnClient": "pic.png", "FirstPublishLocationId": case, "ContentModifiedDate": "2024-03-01T10:00:00Z"});
    let bytes = [0_u8, 255, 13, 10, 7];
    let version = form(&client, &fields.to_string(), "pic.png", &bytes)
        .await
        .expect(201)
        .text("/id");
    let read = client
        .get(&format!("sobjects/ContentVersion/{version}"))
        .await
        .expect(200);
    assert_eq!(
        (read.text("/Title"), read.at("/ContentSize")),
        ("pic".to_owned(), &json!(5))
    );
    assert_eq!(read.text("/Checksum").len(), 32);
    let back = client
        .get(&format!("sobjects/ContentVersion/{version}/VersionData"))
        .await
        .expect(200);
    assert_eq!(back.bytes, bytes);
    let snapshot = client.simulator.snapshot();
    assert_eq!(snapshot.files_on(&case).len(), 1);
    // A version has no delete; its document has, and takes all with it.
    client
        .delete(&format!("sobjects/ContentVersion/{version}"))
        .await
        .expect(403);
    let document = read.text("/ContentDocumentId");
    client
        .delete(&format!("sobjects/ContentDocument/{document}"))
        .await
        .expect(204);
    assert!(client.simulator.snapshot().files_on(&case).is_empty());
    client
        .get(&format!("sobjects/ContentVersion/{version}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn deleting_a_case_leaves_its_files_behind() {
    let client = Client::new();
    let case = client.make("Case", json!({"Subject": "a"})).await;
    let body =
        json!({"PathOnClient": "a.txt", "VersionData": "aGVsbG8=", "FirstPublishLocationId": case});
    let version = client.make("ContentVersion", body).await;
    client
        .delete(&format!("sobjects/Case/{case}"))
        .await
        .expect(204);
    let read = client
        .get(&format!("sobjects/ContentVersion/{version}"))
        .await
        .expect(200);
    assert_eq!(read.text("/Checksum"), "5d41402abc4b2a76b9719d911017c592");
    let document = read.text("/ContentDocumentId");
    let links = client
        .query(&format!(
            "SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
        ))
        .await;
    assert_eq!(links.len(), 1);
    assert_eq!(
        client
            .refused_query("SELECT Id FROM ContentDocumentLink")
            .await,
        "MALFORMED_QUERY"
    );
}

#[tokio::test]
async fn an_empty_file_and_a_form_of_another_shape_are_refused() {
    let client = Client::new();
    let fields = json!({"PathOnClient": "pic.png"}).to_string();
    form(&client, &fields, "pic.png", &[]).await.expect(400);
    form(&client, "{", "pic.png", &[1]).await.expect(400);
    client
        .post("sobjects/ContentVersion", json!({"PathOnClient": "a.txt"}))
        .await
        .expect(400);
    client
        .post(
            "sobjects/ContentVersion",
            json!({"PathOnClient": "a.txt", "VersionData": "?"}),
        )
        .await
        .expect(400);
}

#[tokio::test]
async fn a_collection_takes_a_file_for_each_of_its_records() {
    let client = Client::new();
    let record = |part: &str| {
        json!({
            "attributes": {"type": "ContentVersion", "binaryPartName": part, "binaryPartNameAlias": "VersionData"},
            "PathOnClient": format!("{part}.txt"),
        })
    };
    let form = async |records: serde_json::Value| {
        let mut body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"collection\"\r\nContent-Type: application/json\r\n\r\n{}\r\n",
            json!({"allOrNone": false, "records": records})
        );
        for part in ["a", "b"] {
            body.push_str(&format!(
                "--b\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{part}.txt\"\r\n\
                 Content-Type: text/plain\r\n\r\nfile {part}\r\n"
            ));
        }
        body.push_str("--b--\r\n");
        let request = client
            .request("POST", "composite/sobjects")
            .header("content-type", "multipart/form-data; boundary=b")
            .body(Body::from(body));
        client.send(request.unwrap()).await
    };
    let reply = form(json!([record("b"), record("a")])).await.expect(200);
    let bytes = client
        .get(&format!(
            "sobjects/ContentVersion/{}/VersionData",
            reply.text("/0/id")
        ))
        .await
        .bytes;
    assert_eq!(bytes, b"file b");
    form(json!([record("c")])).await.expect(400);
}
