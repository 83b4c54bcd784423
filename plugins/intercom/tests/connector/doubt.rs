//! Every writing request once with its answer lost, before and after it was applied: each thing is there once, and all of it goes
//! away again.

use crate::support::doubt::{
    Case, each_in_doubt, each_takes_the_same_way, every_loss_of_each, every_loss_of_prepare,
};
use crate::support::*;
use transload_sdk::types::{
    Author, Company, CustomObject, Customer, Entity, FieldType, Kind, Owner, Reference, Tag, Value,
};

/// A kind of record, what it stands on being there already.
fn cases() -> Vec<Case<Account>> {
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
    let ours = ["threads", "customers", "tags"];
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
