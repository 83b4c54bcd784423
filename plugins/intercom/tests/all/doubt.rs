//! Every writing request once with its answer lost, before and after it was applied: each thing is there once, and all of it goes
//! away again.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot read is a failed test"
)]

use crate::support::*;
use transload_plugin_intercom::Intercom;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Outcome, Status};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Author, Company, CustomObject, Customer, Entity, FieldType, Kind, Owner, Reference, Tag, Value,
};

type Make = fn(&Account) -> (Kind, Vec<Item>);

/// A kind of record, what it stands on being there already.
fn cases() -> Vec<(&'static str, Make)> {
    vec![
        ("companies", |_| {
            let acme = company("k1", vec![], Company::called("Acme"));
            (Kind::Company, vec![acme])
        }),
        ("attributes", |_| {
            let owner = |kind| Owner {
                kind,
                object_type: None,
            };
            let of = |kind, name, label, of| definition(owner(kind), name, label, of);
            let reason = of(Kind::Conversation, "reasonStr", "Reason", FieldType::Choice);
            let options = [("late", "Too late"), ("lost", "Lost")];
            let tier = of(Kind::Customer, "tierStr", "Tier", FieldType::Text);
            (
                Kind::FieldDefinition,
                vec![with_options(reason, &options), tier],
            )
        }),
        ("tags", |_| {
            let data = Tag {
                name: "VIP".to_owned(),
                color: None,
            };
            (
                Kind::Tag,
                vec![item(entry(Kind::Tag, "g1", vec![], Entity::Tag(data)))],
            )
        }),
        ("customers", |account| {
            let other = Customer {
                name: Some("Nobody".to_owned()),
                company: Some(account.known(Reference::new(Kind::Company, "k0"))),
                tags: vec![account.known(Reference::new(Kind::Tag, "g0"))],
                ..Customer::empty()
            };
            (Kind::Customer, vec![customer("c2", vec![], other)])
        }),
        ("a customer who is there", |account| {
            let old = Customer {
                name: Some("Old Customer".to_owned()),
                addresses: vec![
                    transload_sdk::types::Address::new(
                        transload_sdk::types::AddressChannel::Email,
                        "old.customer@example.com",
                    ),
                    transload_sdk::types::Address::new(
                        transload_sdk::types::AddressChannel::Phone,
                        "+15555550199",
                    ),
                ],
                tags: vec![account.known(Reference::new(Kind::Tag, "g0"))],
                ..Customer::empty()
            };
            (Kind::Customer, vec![customer("c3", vec![], old)])
        }),
        ("threads", |account| {
            (
                Kind::Conversation,
                vec![account.talk("v1"), account.talk("v2")],
            )
        }),
        (
            "a tagged thread with a file, a note and a guest",
            |account| {
                let mut talk = account.talk("v3");
                let mut thread = talk.thread().unwrap();
                if let Entity::Conversation(data) = &mut thread.conversation.data {
                    data.tags = vec![account.known(Reference::new(Kind::Tag, "g0"))];
                }
                if let Some(part) = thread.parts.first_mut() {
                    part.attachments.push(file("f1", "a.txt", 3));
                }
                let guest = account.known(Reference::new(Kind::Customer, "c0"));
                thread
                    .parts
                    .push(said("v3-m3", Author::Person(guest), "Me too", DAY + 90_000));
                talk.body = thread.into();
                (Kind::Conversation, vec![talk])
            },
        ),
        ("notes on a customer", |account| {
            let data = transload_sdk::types::Message {
                customer: Some(account.bo()),
                visibility: transload_sdk::types::Visibility::Internal,
                author: Author::Person(account.dana()),
                text: Some(transload_sdk::types::Text::Inline("call back".to_owned())),
                ..transload_sdk::types::Message::empty()
            };
            let note = item(entry(Kind::Message, "n1", vec![], Entity::Message(data)));
            (Kind::Message, vec![note])
        }),
        ("records", |account| {
            let of = |id: &str, on_thread: bool| {
                let data = CustomObject {
                    customer: Some(account.bo()),
                    conversation: on_thread
                        .then(|| account.known(Reference::new(Kind::Conversation, "v0"))),
                    ..CustomObject::of("order", format!("Order {id}"))
                };
                record(id, vec![field("totalNum", Value::Integer(7), None)], data)
            };
            (Kind::CustomObject, vec![of("o1", true), of("o2", false)])
        }),
        ("links", |account| {
            let order = account.known(Reference::new(Kind::CustomObject, "o0"));
            (
                Kind::Relationship,
                vec![link("buyer", order, account.bo(), None)],
            )
        }),
    ]
}

async fn ground(account: &Account) {
    account.people().await;
    let data = Tag {
        name: "Ground".to_owned(),
        color: None,
    };
    let tag = item(entry(Kind::Tag, "g0", vec![], Entity::Tag(data)));
    account.write(Kind::Tag, vec![tag]).await;
    let ground = company("k0", vec![], Company::called("Ground"));
    account.write(Kind::Company, vec![ground]).await;
    let guest = Customer {
        name: Some("Guest".to_owned()),
        ..Customer::empty()
    };
    account
        .write(Kind::Customer, vec![customer("c0", vec![], guest)])
        .await;
    account
        .write(Kind::Conversation, vec![account.talk("v0")])
        .await;
    let data = CustomObject {
        customer: Some(account.bo()),
        ..CustomObject::of("order", "Order 0")
    };
    account
        .write(Kind::CustomObject, vec![record("o0", vec![], data)])
        .await;
}

fn is_settled(outcome: &Outcome) -> bool {
    !matches!(outcome.status, Status::Unsettled(_) | Status::Rejected(_))
}

#[test]
fn a_lost_answer_makes_nothing_twice_and_loses_nothing() {
    for (name, make) in cases() {
        run(async {
            let plain = Account::new().await;
            ground(&plain).await;
            let (kind, items) = make(&plain);
            let items = plain.matched(kind.clone(), items).await;
            let count = plain.write_counted(kind.clone(), items).await;
            assert!(count > 0, "{name}");
            let wanted = plain.print();
            for how in [Loss::AfterApplying, Loss::BeforeArriving] {
                for nth in 1..=count {
                    let case = format!("{name}, {how:?}, {nth}");
                    let mut account = Account::unprepared(|_| {});
                    let before = live(&account.print());
                    account.prepare().await;
                    ground(&account).await;
                    let (kind, items) = make(&account);
                    let items = account.matched(kind.clone(), items).await;
                    let lossy = account.harness().lose_answer(nth, how);
                    let outcomes = account.write_on(lossy, kind, items).await;
                    assert!(outcomes.iter().all(is_settled), "{case}: {outcomes:?}");
                    assert_same(&wanted, &account.print(), &case);
                    assert_undone(&account.rollback(UndoMode::Careful).await, &case);
                    assert_same(&before, &live(&account.print()), &case);
                }
            }
        });
    }
}

#[test]
fn a_unit_takes_the_same_way_again() {
    for (name, make) in cases() {
        run(async {
            let account = Account::new().await;
            ground(&account).await;
            let (kind, items) = make(&account);
            let harness = account.harness();
            Intercom::write(&harness.context(), kind.clone(), items.clone())
                .await
                .unwrap();
            let (cx, again) = harness.replay();
            Intercom::write(&cx, kind, items).await.unwrap();
            assert_eq!(harness.same_way(&again), None, "{name}");
        });
    }
}

#[test]
fn an_item_in_doubt_is_looked_for_before_anything_is_sent() {
    for (name, make) in cases() {
        run(async {
            let mut account = Account::unprepared(|_| {});
            let before = live(&account.print());
            account.prepare().await;
            ground(&account).await;
            let since = account.now();
            let (kind, items) = make(&account);
            // The unit's outcomes are lost with its process.
            let harness = account.harness();
            Intercom::write(&harness.context(), kind.clone(), items.clone())
                .await
                .unwrap();
            let wanted = account.print();
            for item in items {
                let again = Item {
                    in_doubt_since: Some(since),
                    ..item
                };
                let outcomes = account.write(kind.clone(), vec![again]).await;
                assert!(outcomes.iter().all(is_settled), "{name}: {outcomes:?}");
                if name == "threads" || name == "customers" || name == "tags" {
                    let main = outcomes[0]
                        .effects
                        .iter()
                        .find(|e| e.part == "main")
                        .unwrap();
                    assert_eq!(main.action, Action::Created, "{name}");
                }
            }
            assert_same(&wanted, &account.print(), name);
            // A change of what was there cannot be told from somebody else's afterwards.
            if name != "a customer who is there" {
                assert_undone(&account.rollback(UndoMode::Careful).await, name);
                assert_same(&before, &live(&account.print()), name);
            }
        });
    }
}

#[test]
fn what_is_prepared_is_there_once_whatever_answer_is_lost() {
    run(async {
        let mut plain = Account::unprepared(|_| {});
        let harness = plain.harness();
        let count = plain.prepare_on(harness).await;
        let wanted = plain.print();
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            for nth in 1..=count {
                let mut account = Account::unprepared(|_| {});
                let before = live(&account.print());
                let lossy = account.harness().lose_answer(nth, how);
                account.prepare_on(lossy).await;
                assert_same(&wanted, &account.print(), &format!("{how:?}, {nth}"));
                assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
                assert_same(&before, &live(&account.print()), "as it was");
            }
        }
    });
}
