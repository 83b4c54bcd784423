//! People who are there already, and people who are not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot read is a failed test"
)]

mod support;

use support::{Account, customer, field, is_created, said, thread};
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::types::{
    Address, AddressChannel, Author, Conversation, Customer, Kind, Reference, Value,
};

const NOW: i64 = 1_795_000_000_000;
const STAND_IN: &str = "transload:kustomer:org1:stand-in";

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

fn of_nobody_here() -> transload_sdk::destination::Item {
    let bo = Reference::new(Kind::Customer, "c9").called("Bo Ng");
    let conversation = Conversation {
        customer: Some(bo.clone()),
        subject: Some("Hello".to_owned()),
        ..Conversation::empty()
    };
    let parts = vec![said("m1", Author::Person(bo), "Hi!", NOW)];
    thread("v9", Vec::new(), conversation, parts)
}

#[tokio::test]
async fn a_conversation_of_somebody_who_was_not_migrated_is_loaded_and_taken_back() {
    let mut account = Account::unprepared(|_| {});
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let outcomes = account
        .write(Kind::Conversation, vec![of_nobody_here()])
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let stand_in = snapshot.user_by_external_id(STAND_IN).unwrap();
    assert!(stand_in.identities.is_empty(), "nothing can be mailed");
    let ticket = snapshot.tickets_by_external_id("kustomer:org1:conversation:v9")[0];
    assert_eq!(ticket.requester_id, stand_in.id);
    assert_eq!(account.sim.outbox().all(), []);

    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(Account::all_undone(&outcomes), "{outcomes:?}");
    assert_eq!(account.sim.state_fingerprint(), before);
}

#[tokio::test]
async fn the_stand_in_is_found_before_it_is_made_and_then_belongs_to_the_run_that_made_it() {
    let mut account = Account::new().await;
    let users = account.snapshot().users.len();
    account.run = "r2".to_owned();
    account.prepare().await;
    assert_eq!(account.snapshot().users.len(), users);
    let actions = |account: &Account| account.effects_of("own:user:stand-in");
    let seen: Vec<Action> = actions(&account).iter().map(|e| e.action).collect();
    assert_eq!(seen, [Action::Created, Action::Matched]);
    // An attempt of the same run whose outcome was lost: it is ours still.
    account.run = "r1".to_owned();
    account.prepare().await;
    assert_eq!(actions(&account)[2].action, Action::Created);
}

#[tokio::test]
async fn the_stand_in_stays_while_somebody_elses_ticket_hangs_on_it() {
    let account = Account::new().await;
    let id = account.snapshot().user_by_external_id(STAND_IN).unwrap().id;
    account.sim.add_ticket_for(id, "A new question").unwrap();
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(outcomes.iter().any(|o| o.status == UndoStatus::Conflict));
    assert!(account.snapshot().user(id).unwrap().active);
}

#[tokio::test]
async fn a_customer_with_an_agents_address_is_a_user_of_his_own_without_it() {
    let account = Account::new().await;
    let emails = ["dana@acme.example", "dana@home.example"];
    let items = vec![customer("c1", Vec::new(), person("Dana at home", &emails))];
    let items = account.matched(Kind::Customer, items).await;
    assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = account.write(Kind::Customer, items).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let user = snapshot
        .user_by_external_id("kustomer:org1:customer:c1")
        .unwrap();
    assert_eq!(user.email(), Some("dana@home.example"));
    assert!(user.notes.contains("dana@acme.example"), "{}", user.notes);
    let agent = snapshot.user_by_email("dana@acme.example").unwrap();
    assert_ne!(agent.id, user.id);
    assert_eq!(agent.external_id, None);
}

#[tokio::test]
async fn two_customers_of_one_address_are_two_users_although_the_first_was_matched() {
    let account = Account::new().await;
    let email = "old.customer@example.com";
    let first = vec![customer("c1", Vec::new(), person("Old Customer", &[email]))];
    let first = account.matched(Kind::Customer, first).await;
    account.write(Kind::Customer, first).await;
    let second = vec![customer("c2", Vec::new(), person("Her son", &[email]))];
    let second = account.matched(Kind::Customer, second).await;
    assert!(second[0].existing.as_ref().unwrap().doubtful.is_some());
    let outcomes = account.write(Kind::Customer, second).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
}
