//! Files and folders.

use super::*;
use crate::hubspot::Plan;

/// A form with a file.
pub(super) fn form(
    client: &Client,
    fields: &[(&str, &str)],
    name: &str,
    bytes: &[u8],
) -> Request<Body> {
    let mut body = Vec::new();
    for (field, value) in fields {
        body.extend(
            format!(
                "--line\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n"
            )
            .bytes(),
        );
    }
    let head = format!(
        "--line\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: image/png\r\n\r\n"
    );
    body.extend(head.bytes());
    body.extend(bytes);
    body.extend(b"\r\n--line--\r\n");
    let request = client.request("POST", "/files/v3/files");
    request
        .header("content-type", "multipart/form-data; boundary=line")
        .body(Body::from(body))
        .unwrap()
}

const PRIVATE: &str = r#"{"access":"PRIVATE"}"#;
const PUBLIC: &str = r#"{"access":"PUBLIC_NOT_INDEXABLE"}"#;

async fn upload(client: &Client, options: &str, name: &str, bytes: &[u8]) -> Reply {
    let fields = [
        ("options", options),
        ("folderPath", "/run/one"),
        ("fileName", name),
    ];
    client.send(form(client, &fields, "x.png", bytes)).await
}

async fn fetch(client: &Client, url: &str) -> Reply {
    let path = url.strip_prefix("https://api.hubapi.com").unwrap();
    client
        .send(
            Request::get(path)
                .header("host", "api.hubapi.com")
                .body(Body::empty())
                .unwrap(),
        )
        .await
}

#[tokio::test]
async fn a_private_file_is_reached_by_a_signed_address_that_ends() {
    let client = Client::empty();
    let made = upload(&client, PRIVATE, "a photo.png", b"bytes")
        .await
        .expect(201);
    assert_eq!(
        (made.text("/name"), made.text("/path")),
        ("a photo".to_owned(), "/run/one/a photo.png".to_owned())
    );
    assert_eq!(
        (made.at("/size"), made.text("/type")),
        (&json!(5), "IMG".to_owned())
    );
    fetch(&client, &made.text("/url")).await.expect(404);
    let path = format!(
        "/files/v3/files/{}/signed-url?expirationSeconds=600",
        made.id()
    );
    let signed = client.get(&path).await.expect(200);
    assert_eq!(
        fetch(&client, &signed.text("/url")).await.expect(200).bytes,
        b"bytes"
    );
    client.wait(600);
    fetch(&client, &signed.text("/url")).await.expect(404);
}

#[tokio::test]
async fn a_public_file_is_reached_without_a_credential_until_it_is_deleted() {
    let client = Client::empty();
    let made = upload(&client, PUBLIC, "ünï & co.png", b"bytes")
        .await
        .expect(201);
    let got = fetch(&client, &made.text("/url")).await.expect(200);
    assert_eq!(
        (got.bytes.as_slice(), got.header("content-type")),
        (&b"bytes"[..], Some("image/png"))
    );
    let path = format!("/files/v3/files/{}", made.id());
    client.delete(&path).await.expect(204);
    client.delete(&path).await.expect(404);
    client.get(&path).await.expect(404);
    fetch(&client, &made.text("/url")).await.expect(404);
    // The name is free again.
    let again = upload(&client, PUBLIC, "ünï & co.png", b"bytes")
        .await
        .expect(201);
    assert_eq!(again.text("/path"), made.text("/path"));
}

#[tokio::test]
async fn a_second_file_of_a_name_gets_a_suffix_overwrites_or_is_the_first() {
    let client = Client::empty();
    let first = upload(&client, PRIVATE, "a.png", b"one").await.expect(201);
    let second = upload(&client, PRIVATE, "a.png", b"two").await.expect(201);
    assert_eq!(second.text("/path"), "/run/one/a-1.png");
    let over = upload(
        &client,
        r#"{"access":"PRIVATE","overwrite":true}"#,
        "a.png",
        b"three",
    )
    .await
    .expect(201);
    assert_eq!((over.id(), over.at("/size")), (first.id(), &json!(5)));
    let same = r#"{"access":"PRIVATE","duplicateValidationStrategy":"RETURN_EXISTING"}"#;
    let known = upload(&client, same, "other.png", b"two").await.expect(201);
    assert_eq!(known.id(), second.id());
    let found = client
        .get("/files/v3/files/search?path=/run/one/a-1.png")
        .await
        .expect(200);
    assert_eq!(found.text("/results/0/id"), second.id());
    let stat = client
        .get("/files/v3/files/stat/run/one/a-1.png")
        .await
        .expect(200);
    assert_eq!(stat.text("/file/id"), second.id());
    client
        .get("/files/v3/files/stat/run/one/nothing.png")
        .await
        .expect(404);
    let folder = client.get("/files/v3/files/stat/run/one").await.expect(200);
    client
        .delete(&format!("/files/v3/folders/{}", folder.text("/folder/id")))
        .await
        .expect(400);
    for file in [&first, &second] {
        client
            .delete(&format!("/files/v3/files/{}", file.id()))
            .await
            .expect(204);
    }
    client
        .delete(&format!("/files/v3/folders/{}", folder.text("/folder/id")))
        .await
        .expect(204);
}

#[tokio::test]
async fn an_upload_needs_options_and_a_place_and_has_a_largest_size() {
    let client = Client::empty();
    for fields in [
        vec![("folderPath", "/a")],
        vec![("options", PRIVATE)],
        vec![("options", "{}"), ("folderPath", "/a")],
    ] {
        client
            .send(form(&client, &fields, "x.png", b"x"))
            .await
            .expect(400);
    }
    upload(&client, PRIVATE, "virus.exe", b"x")
        .await
        .expect(400);
    let large = vec![7_u8; 20 * 1024 * 1024 + 1];
    let made = upload(&client, PRIVATE, "large.bin", &large)
        .await
        .expect(201);
    assert_eq!(*made.at("/size"), large.len());
    client.simulator.set_up(|config| config.plan = Plan::Free);
    upload(&client, PRIVATE, "large2.bin", &large)
        .await
        .expect(413);
}

#[tokio::test]
async fn the_newest_version_has_no_upload_and_no_single_file() {
    let client = Client::empty();
    let made = upload(&client, PRIVATE, "a.png", b"one").await.expect(201);
    client
        .get(&format!("/files/2026-03/files/{}", made.id()))
        .await
        .expect(200);
    client
        .get(&format!("/files/2026-09/files/{}", made.id()))
        .await
        .expect(404);
    client
        .get("/files/2026-09/files/stat/run/one/a.png")
        .await
        .expect(200);
}

#[tokio::test]
async fn an_import_from_an_address_ends_later_and_may_fail() {
    let client = Client::empty();
    client
        .simulator
        .serve_remote("https://old.example/a.png", "bytes");
    let import = async |url: &str| {
        let body = json!({"url": url, "access": "PRIVATE", "folderPath": "/run"});
        let task = client
            .post("/files/v3/files/import-from-url/async", body)
            .await
            .expect(202);
        format!(
            "/files/v3/files/import-from-url/async/tasks/{}/status",
            task.id()
        )
    };
    let (good, bad) = (
        import("https://old.example/a.png").await,
        import("https://old.example/b.png").await,
    );
    assert_eq!(
        client.get(&good).await.expect(200).text("/status"),
        "PROCESSING"
    );
    client.wait(5);
    let done = client.get(&good).await.expect(200);
    assert_eq!(
        (done.text("/status"), done.text("/result/path")),
        ("COMPLETE".to_owned(), "/run/a.png".to_owned())
    );
    assert_eq!(*client.get(&bad).await.expect(200).at("/numErrors"), 1);
}

#[tokio::test]
async fn an_erased_file_is_gone_after_seven_days() {
    let client = Client::empty();
    let made = upload(&client, PRIVATE, "a.png", b"one").await.expect(201);
    client
        .delete(&format!("/files/v3/files/{}/gdpr-delete", made.id()))
        .await
        .expect(204);
    let id = made.id().parse().unwrap();
    assert!(client.simulator.snapshot().files.contains_key(&id));
    client.wait(7 * 86_400);
    assert!(!client.simulator.snapshot().files.contains_key(&id));
}
