//! Looking at a portal: typed content, and the fingerprint.

use serde_json::json;

use super::super::model::{Module, Place};
use super::{Client, contact_row, thread_row, ticket_row};

async fn migrate(client: &Client, first: &str) {
    for id in [
        first,
        if first == "k:cust:1" {
            "k:cust:2"
        } else {
            "k:cust:1"
        },
    ] {
        client
            .imported(json!({"contacts": [contact_row(id)]}))
            .await;
    }
    client
        .imported(json!({
            "tickets": [ticket_row(client, "k:conv:1", "k:cust:1", json!({}))],
            "threads": [thread_row("k:msg:1", "k:conv:1", json!({}))],
        }))
        .await;
    let ticket = client.mapped("tickets", &["k:conv:1"]).await.remove(0);
    client
        .post(
            &format!("tickets/{ticket}/associateTag"),
            json!({"tags": ["vip"]}),
        )
        .await
        .expect(200);
    client
        .file(
            &format!("tickets/{ticket}/attachments"),
            "file",
            "a.txt",
            b"hello",
        )
        .await
        .expect(200);
    let note = json!({"content": format!("see {ticket}"), "isPublic": false});
    client
        .post(&format!("tickets/{ticket}/comments"), note)
        .await
        .expect(200);
}

#[tokio::test]
async fn two_runs_that_did_the_same_have_one_fingerprint() {
    let (one, two) = (
        Client::new(),
        Client::with(|config| {
            config.seed = 77;
            config.preexisting.services = super::Services::none();
        }),
    );
    migrate(&one, "k:cust:1").await;
    two.wait(5);
    migrate(&two, "k:cust:2").await;
    let print = one.simulator.state_fingerprint();
    assert_eq!(print, two.simulator.state_fingerprint());
    assert!(!print.to_string().contains("40000000"));
    let ticket = print["records"]["tickets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["called"] == "external:k:conv:1");
    assert_eq!(ticket.unwrap()["values"]["contactId"], "external:k:cust:1");
    let before = one.simulator.state_fingerprint();
    let contact = one.mapped("contacts", &["k:cust:1"]).await.remove(0);
    one.patch(&format!("contacts/{contact}"), json!({"city": "Madrid"}))
        .await
        .expect(200);
    assert_ne!(before, one.simulator.state_fingerprint());
}

#[tokio::test]
async fn a_snapshot_finds_things_by_what_they_are_called() {
    let client = Client::new();
    migrate(&client, "k:cust:1").await;
    let snapshot = client.simulator.snapshot();
    let tickets = snapshot.by_external_id(Module::Tickets, "k:conv:1");
    assert_eq!(tickets.len(), 1);
    let ticket = tickets[0];
    assert_eq!(snapshot.tags_of(ticket), ["vip"]);
    let threads = snapshot.threads(ticket.id);
    assert_eq!(
        snapshot.author_email(&threads[0].author),
        Some("k.cust.1@example.com")
    );
    assert_eq!(snapshot.comments(ticket.id).len(), 1);
    let files = snapshot.files(Place::Ticket(ticket.id));
    assert_eq!(files[0].content.as_deref(), Some(&b"hello"[..]));
    assert_eq!(snapshot.tickets().count(), 4);
    assert_eq!(client.simulator.conversations(), 1);
}

#[tokio::test]
async fn what_is_in_the_bin_is_under_deleted() {
    let client = Client::new();
    let contact = client.contact("ana@example.com").await;
    client
        .post("contacts/moveToTrash", json!({"contactIds": [contact]}))
        .await
        .nothing();
    let print = client.simulator.state_fingerprint();
    assert_eq!(
        print["deleted"]["contacts"][0]["called"],
        "name:ana@example.com"
    );
}
