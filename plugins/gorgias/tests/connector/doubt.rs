//! Every writing request once with its answer lost, before and after it was applied: each thing is there once, and all of it goes
//! away again.

use crate::support::doubt::{
    Case, each_in_doubt, each_takes_the_same_way, every_loss_of_each, every_loss_of_prepare,
};
use crate::support::*;
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Author, Brand, Company, Conversation, ConversationStatus, CustomObject, Customer, Entity,
    FieldType, Kind, Owner, Reference, Satisfaction, Tag, Value,
};

/// A kind of record, what it stands on being there already.
fn cases() -> Vec<Case<Account>> {
    vec![
        ("companies", |_| {
            let acme = company("k1", vec![], Company::called("Acme"));
            (Kind::Company, vec![acme])
        }),
        ("brands", |_| {
            let data = Brand {
                name: "Sport".to_owned(),
                is_default: true,
                icon_url: None,
            };
            (
                Kind::Brand,
                vec![item(entry(Kind::Brand, "b1", vec![], Entity::Brand(data)))],
            )
        }),
        ("fields", |_| {
            let owner = Owner {
                kind: Kind::Conversation,
                object_type: None,
            };
            let of = definition(owner, "reasonStr", "Reason", FieldType::Choice);
            (
                Kind::FieldDefinition,
                vec![with_options(of, &[("late", "Too late")])],
            )
        }),
        ("teams", |_| (Kind::Team, vec![team("t1", "Second level")])),
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
        ("customers", |_| {
            let other = Customer {
                name: Some("Nobody".to_owned()),
                ..Customer::empty()
            };
            (Kind::Customer, vec![customer("c2", vec![], other)])
        }),
        ("a customer who is there", |_| {
            let old = Customer {
                name: Some("Olga".to_owned()),
                addresses: vec![transload_sdk::types::Address::new(
                    transload_sdk::types::AddressChannel::Email,
                    "old.customer@example.com",
                )],
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
        ("a judged thread with a file", |account| {
            let mut talk = account.talk("v3");
            let mut thread = talk.thread().unwrap();
            if let Entity::Conversation(data) = &mut thread.conversation.data {
                data.satisfaction = Some(Satisfaction {
                    status: None,
                    score: None,
                    rating: Some("5".to_owned()),
                    scale: Some("5 options".to_owned()),
                    channel: None,
                    survey: None,
                    sent_at: None,
                    answered_at: None,
                    answers: vec![],
                });
            }
            if let Some(part) = thread.parts.first_mut() {
                part.attachments.push(file("f1", "a.txt", 3));
            }
            talk.body = thread.into();
            (Kind::Conversation, vec![talk])
        }),
        ("a long thread", |account| {
            let parts = (0..502)
                .map(|n| {
                    said(
                        &format!("m{n}"),
                        Author::Person(account.bo()),
                        "text",
                        DAY + n * 1_000,
                    )
                })
                .collect();
            let data = Conversation {
                customer: Some(account.bo()),
                status: ConversationStatus::Closed,
                ..Conversation::empty()
            };
            (Kind::Conversation, vec![thread("v4", vec![], data, parts)])
        }),
        ("records", |account| {
            let of = |id: &str, on_ticket: bool| {
                let data = CustomObject {
                    customer: Some(account.bo()),
                    conversation: on_ticket
                        .then(|| account.known(Reference::new(Kind::Conversation, "v0"))),
                    ..CustomObject::of("order", format!("Order {id}"))
                };
                record(id, vec![field("totalNum", Value::Integer(7), None)], data)
            };
            (
                Kind::CustomObject,
                vec![of("o1", true), of("o2", false), of("o3", false)],
            )
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

#[test]
fn a_lost_answer_makes_nothing_twice_and_loses_nothing() {
    run(every_loss_of_each(&cases(), ground));
}

#[test]
fn a_unit_takes_the_same_way_again() {
    run(each_takes_the_same_way(&cases(), ground));
}

#[test]
fn an_item_in_doubt_is_looked_for_before_anything_is_sent() {
    let ours = ["threads", "customers", "teams", "tags"];
    run(each_in_doubt(
        &cases(),
        ground,
        &ours,
        &["a customer who is there"],
    ));
}

#[test]
fn what_is_prepared_is_there_once_whatever_answer_is_lost() {
    let count = run(every_loss_of_prepare(|| Account::unprepared(|_| {}), 1));
    assert!(count > 0);
}

#[test]
fn agents_that_are_made_are_made_once() {
    for how in [Loss::AfterApplying, Loss::BeforeArriving] {
        run(async {
            let mut account = Account::unprepared(|_| {});
            account.set("create_agents", true);
            account.prepare().await;
            let ana = agent("a2", "Ana", "ana@acme.example", vec![], vec![]);
            let lossy = account.harness().lose_answer(1, how);
            let outcomes = account.trial.write_on(lossy, Kind::Agent, vec![ana]).await;
            assert!(is_created(&outcomes[0]), "{how:?}: {outcomes:?}");
            let users = account.snapshot().users;
            assert_eq!(
                users
                    .iter()
                    .filter(|u| u.email == "ana@acme.example")
                    .count(),
                1,
                "{how:?}"
            );
        });
    }
}
