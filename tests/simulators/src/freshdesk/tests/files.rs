use axum::body::Body;
use serde_json::json;

use super::{Client, basic};

const PNG: &str = "image/png";

#[tokio::test]
async fn a_form_makes_a_ticket_with_files_and_every_kind_of_value() {
    let client = Client::new();
    let requester = client.known("old.customer@example.com").to_string();
    let texts = [
        ("requester_id", requester.as_str()),
        ("subject", "S"),
        ("description", "<p>d</p>"),
        ("status", "2"),
        ("priority", "1"),
        ("source", "1"),
        ("tags[]", "a"),
        ("tags[]", "b"),
        ("custom_fields[cf_order_number]", "44"),
    ];
    let files = [
        ("attachments[]", "ä b.png", PNG, b"first".to_vec()),
        ("attachments[]", "b.txt", "text/plain", b"second".to_vec()),
    ];
    let made = client
        .form("POST", "tickets", &texts, &files)
        .await
        .expect(201);
    assert_eq!(made.at("/tags"), &json!(["a", "b"]));
    assert_eq!(made.at("/custom_fields/cf_order_number"), "44");
    assert_eq!(made.at("/attachments/0/name"), "ä b.png");
    assert_eq!(made.at("/attachments/1/size"), 6);
    let id = made.id();
    let notes = format!("tickets/{id}/notes");
    let note = client
        .form(
            "POST",
            &notes,
            &[("body", "n"), ("private", "false")],
            &[("attachments[]", "c.png", PNG, b"third".to_vec())],
        )
        .await
        .expect(201);
    assert_eq!(note.at("/private"), false);
    let file = note.at("/attachments/0/id").as_u64().unwrap();
    // A file that is added joins the others; deleting takes it away.
    let added = [("attachments[]", "d.png", PNG, b"4".to_vec())];
    let changed = client
        .form("PUT", &format!("tickets/{id}"), &[], &added)
        .await
        .expect(200);
    assert_eq!(changed.at("/attachments").as_array().unwrap().len(), 3);
    client
        .delete(&format!("attachments/{file}"))
        .await
        .expect(204);
    client
        .delete(&format!("attachments/{file}"))
        .await
        .expect(404);
    let thread = client.get(&format!("tickets/{id}/conversations")).await;
    assert_eq!(thread.at("/0/attachments"), &json!([]));
    let wrong = [("files[]", "d.png", PNG, b"4".to_vec())];
    let refused = client.form("POST", &notes, &[("body", "n")], &wrong).await;
    refused.refused(400, "files[]", "invalid_field");
}

#[tokio::test]
async fn a_link_is_signed_refuses_credentials_and_ends() {
    let client = Client::new();
    let file = [("attachments[]", "a.png", PNG, b"bytes".to_vec())];
    let note = client
        .form("POST", "tickets/1/notes", &[("body", "n")], &file)
        .await
        .expect(201);
    let url = note
        .at("/attachments/0/attachment_url")
        .as_str()
        .unwrap()
        .to_owned();
    let path = url.strip_prefix("https://acme.freshdesk.com").unwrap();
    let get = async |path: &str, header: Option<String>| {
        let mut request = axum::http::Request::get(path);
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        client.send(request.body(Body::empty()).unwrap()).await
    };
    let got = get(path, None).await.expect(200);
    assert_eq!(
        (got.bytes.as_slice(), got.header("content-type")),
        (&b"bytes"[..], Some(PNG))
    );
    get(path, Some(basic(&client.key, "X"))).await.expect(400);
    get(&path.replace("Signature=", "Signature=0"), None)
        .await
        .expect(403);
    client.wait(301);
    get(path, None).await.expect(403);
    let thread = client.get("tickets/1/conversations").await;
    let fresh = thread
        .at("/1/attachments/0/attachment_url")
        .as_str()
        .unwrap();
    let fresh = fresh.strip_prefix("https://acme.freshdesk.com").unwrap();
    get(fresh, None).await.expect(200);
}

#[tokio::test]
async fn twenty_megabytes_together_are_the_most() {
    let client = Client::new();
    let half = vec![7_u8; 10 * 1024 * 1024];
    let files = [
        ("attachments[]", "a.bin", PNG, half.clone()),
        ("attachments[]", "b.bin", PNG, half.clone()),
    ];
    let text = [("body", "n")];
    client
        .form("POST", "tickets/1/notes", &text, &files)
        .await
        .expect(201);
    let mut more = files.to_vec();
    more.push(("attachments[]", "c.bin", PNG, vec![1]));
    let refused = client.form("POST", "tickets/1/notes", &text, &more).await;
    refused.refused(400, "attachments", "invalid_size");
    client
        .simulator
        .set_switches(|switches| switches.oversize_status = 413);
    client
        .form("POST", "tickets/1/notes", &text, &more)
        .await
        .expect(413);
    // What a ticket has already counts when more is added.
    client
        .form("PUT", "tickets/1", &[], &files)
        .await
        .expect(200);
    let one = [("attachments[]", "c.bin", PNG, vec![1])];
    client.form("PUT", "tickets/1", &[], &one).await.expect(413);
    let program = [("attachments[]", "Setup.EXE", PNG, vec![1])];
    let refused = client
        .form("POST", "tickets/1/notes", &text, &program)
        .await;
    refused.refused(400, "attachments", "invalid_value");
}
