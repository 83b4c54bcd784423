//! People who are there already, and people who are not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot read is a failed test"
)]

mod support;

use support::{Account, customer, field};
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::Status;
use transload_sdk::types::{Address, AddressChannel, Customer, Kind, Value};

fn person(name: &str, emails: &[&str]) -> Customer {
    let address = |email: &&str| Address::new(AddressChannel::Email, *email);
    Customer {
        name: Some(name.to_owned()),
        addresses: emails.iter().map(address).collect(),
        ..Customer::empty()
    }
}

#[tokio::test]
async fn a_matched_user_keeps_the_notes_of_others_and_has_the_source_card_in_a_field() {
    let account = Account::new().await;
    let email = "old.customer@example.com";
    let id = account.snapshot().user_by_email(email).unwrap().id;
    account
        .sim
        .edit_user(id, |user| user.notes = "Always call back.".to_owned())
        .unwrap();
    let fields = vec![field("colourStr", Value::Text("green".to_owned()), None)];
    let items = vec![customer("c1", fields, person("Old Customer", &[email]))];
    let items = account.matched(Kind::Customer, items).await;
    let outcomes = account.write(Kind::Customer, items).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    let user = account.snapshot().user(id).unwrap().clone();
    assert_eq!(user.notes, "Always call back.");
    let card = user.user_fields["transload_source_card"].as_str().unwrap();
    assert!(card.contains("field colourStr: green"), "{card}");
    assert!(card.contains("Marker: kustomer:org1:customer:c1"), "{card}");

    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(Account::all_undone(&outcomes), "{outcomes:?}");
    let user = account.snapshot().user(id).unwrap().clone();
    assert_eq!(
        (user.notes.as_str(), user.external_id),
        ("Always call back.", None)
    );
    assert!(user.user_fields.is_empty(), "{:?}", user.user_fields);
}
