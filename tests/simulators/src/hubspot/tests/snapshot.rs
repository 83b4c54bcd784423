//! Looking at it all.

use super::*;
use crate::hubspot::model::TypeId;

async fn work(client: &Client, noise: usize) {
    for number in 0..noise {
        let id = client
            .make("contacts", json!({"firstname": format!("noise{number}")}))
            .await;
        client
            .delete(&format!("/crm/v3/objects/contacts/{id}"))
            .await
            .expect(204);
    }
    client.wait(i64::try_from(noise).unwrap());
    client.marker("contacts").await;
    client.marker("tickets").await;
    let contact = client
        .make(
            "contacts",
            json!({"email": "ana@gmail.com", "kustomer_id": "k1"}),
        )
        .await;
    let owner = client
        .get("/crm/v3/owners?email=agent1@acme.example")
        .await
        .text("/results/0/id");
    let ticket = json!({
        "subject": "S", "hs_pipeline_stage": "1", "kustomer_id": "t1", "hubspot_owner_id": owner,
        "content": format!("see https://app.hubspot.com/contacts/44218907/record/0-1/{contact}"),
    });
    let ticket = client.make("tickets", ticket).await;
    let path = format!("/crm/v4/objects/tickets/{ticket}/associations/default/contacts/{contact}");
    client.call("PUT", &path, Value::Null).await.expect(200);
    let fields = [
        ("options", r#"{"access":"PRIVATE"}"#),
        ("folderPath", "/run"),
    ];
    let file = client
        .send(super::files::form(client, &fields, "a.png", b"bytes"))
        .await
        .expect(201);
    let port = 8_000 + noise;
    let text = format!("<img src=\"http://127.0.0.1:{port}/hubfs/1/a.png\"> on {ticket}");
    let body = json!({
        "properties": {"hs_timestamp": "0", "hs_note_body": text, "hs_attachment_ids": file.id()},
        "associations": [to(&ticket, 228)],
    });
    client.post("/crm/v3/objects/notes", body).await.expect(201);
}

#[tokio::test]
async fn two_runs_that_did_the_same_have_one_fingerprint_and_another_has_another() {
    let (one, two) = (Client::new(), Client::with(|config| config.seed = 2));
    let before = one.simulator.state_fingerprint();
    assert_eq!(before, two.simulator.state_fingerprint());
    work(&one, 0).await;
    work(&two, 7).await;
    let after = one.simulator.state_fingerprint();
    assert_eq!(after, two.simulator.state_fingerprint());
    assert_ne!(before, after);
    assert!(
        after["records"]["tickets"]
            .to_string()
            .contains("record/0-1/contact:k1")
    );
    two.make("contacts", json!({"firstname": "One more"})).await;
    assert_ne!(after, two.simulator.state_fingerprint());
}

#[tokio::test]
async fn what_was_made_and_undone_leaves_the_fingerprint_as_it_was() {
    let client = Client::new();
    let before = client.simulator.state_fingerprint();
    work(&client, 0).await;
    let snapshot = client.simulator.snapshot();
    let notes = snapshot
        .live(TypeId::NOTE)
        .filter(|note| note.text("hs_note_body").contains("/hubfs/"))
        .collect::<Vec<_>>();
    assert_eq!(
        snapshot.files_of(notes[0])[0].content.as_deref(),
        Some(&b"bytes"[..])
    );
    let ticket = snapshot.linked(notes[0], TypeId::TICKET)[0];
    assert_eq!(
        snapshot.linked(ticket, TypeId::CONTACT)[0].text("kustomer_id"),
        "k1"
    );
    let file = snapshot.files_of(notes[0])[0];
    for path in [
        format!("/crm/v3/objects/notes/{}", notes[0].id),
        format!("/crm/v3/objects/tickets/{}", ticket.id),
        format!(
            "/crm/v3/objects/contacts/{}",
            snapshot.linked(ticket, TypeId::CONTACT)[0].id
        ),
        format!("/files/v3/files/{}", file.id),
        format!("/files/v3/folders/{}", file.folder.unwrap()),
        "/crm/v3/properties/contacts/kustomer_id".to_owned(),
        "/crm/v3/properties/tickets/kustomer_id".to_owned(),
    ] {
        client.delete(&path).await.expect(204);
    }
    assert_eq!(before, client.simulator.state_fingerprint());
}

#[tokio::test]
async fn two_thousand_tickets_are_made_and_found_quickly() {
    let client = Client::empty();
    client.marker("tickets").await;
    let begin = std::time::Instant::now();
    for batch in 0..20 {
        let inputs: Vec<Value> = (0..100)
            .map(|n| {
                json!({
                    "id": format!("k{}", batch * 100 + n), "idProperty": "kustomer_id",
                    "properties": {"subject": "S", "hs_pipeline_stage": "1"},
                })
            })
            .collect();
        client
            .batch("tickets", "upsert", json!(inputs.clone()))
            .await
            .expect(200);
        let again = client
            .batch("tickets", "upsert", json!(inputs))
            .await
            .expect(200);
        assert_eq!(*again.at("/results/0/new"), false);
    }
    assert_eq!(
        client.simulator.snapshot().live(TypeId::TICKET).count(),
        2_000
    );
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
}
