//! What a write makes, and what it makes when the network or the platform has other ideas.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a broken test is a failed test"
)]

mod support;

use futures::executor::block_on;
use serde_json::{Value, json};
use support::{NOW, Shared, platform, trial};
use transload_example_tessera::{Tessera, describe};
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, UndoMode, Written};
use transload_sdk::ledger::{Action, Proof, Status, UndoStatus};
use transload_sdk::testing::Loss;
use transload_sdk::testing::items::{self, is_created};
use transload_sdk::testing::trial::{Trial, assert_same, assert_undone};
use transload_sdk::types::{
    Address, AddressChannel, Author, Conversation, ConversationStatus, Customer, Entity, FieldType,
    Kind, Owner, Reference, Text, Value as FieldValue, Visibility,
};

fn bo(id: &str, email: &str) -> Item {
    let data = Customer {
        name: Some("Bo Ng".into()),
        addresses: vec![Address::new(AddressChannel::Email, email)],
        ..Customer::empty()
    };
    items::customer(id, Vec::new(), data)
}

fn said(id: &str, text: &str) -> Part {
    let author = Author::Person(Reference::new(Kind::Customer, "c1").called("Bo Ng"));
    items::said(id, author, text, 1_690_000_000_000)
}

/// A conversation of a customer who was written before.
fn talk(trial: &Trial<Tessera>, id: &str, parts: Vec<Part>) -> Item {
    let data = Conversation {
        subject: Some("Late parcel".into()),
        status: ConversationStatus::Closed,
        customer: Some(trial.known(Reference::new(Kind::Customer, "c1"))),
        ..Conversation::empty()
    };
    let mut item = items::thread(id, Vec::new(), data, parts);
    item.body.entries[0].head.created_at = Some(1_690_000_000_000);
    item
}

fn ticket(platform: &Shared) -> Value {
    let platform = platform.borrow();
    let mut tickets = platform.tickets.values();
    let (Some(ticket), None) = (tickets.next(), tickets.next()) else {
        panic!("{} tickets", platform.tickets.len());
    };
    ticket.clone()
}

/// Texts of the entries, but not the card.
fn texts(ticket: &Value) -> Vec<String> {
    let entries = ticket["entries"].as_array().unwrap();
    let texts = entries
        .iter()
        .map(|entry| entry["text"].as_str().unwrap().to_owned());
    texts.skip(1).collect()
}

#[test]
fn what_is_said_of_the_connector_holds_together() {
    let description = Tessera::describe();
    let rows = describe::FIDELITY
        .lines()
        .filter(|line| !line.is_empty())
        .count();
    assert_eq!(description.fidelity.len(), rows);
    let _: Value = serde_json::from_str(&description.config_schema).unwrap();
}

#[test]
fn a_run_is_undone_to_the_last_trace() {
    block_on(async {
        let platform = platform();
        let before = platform.borrow().print();
        let trial = trial(&platform).await;

        let owner = Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        let field = items::definition(owner, "Loyalty Tier", "Loyalty tier", FieldType::Integer);
        trial.write(Kind::FieldDefinition, vec![field]).await;
        let mut customer = bo("c1", "bo@ng.example");
        customer.body.entries[0].head.fields = vec![items::field(
            "Loyalty Tier",
            FieldValue::Integer(3),
            trial.field_at("customer", "Loyalty Tier"),
        )];
        trial.write(Kind::Customer, vec![customer]).await;
        let tag = items::item(transload_sdk::types::Entry::new(
            Kind::Tag,
            "g1",
            Entity::Tag(transload_sdk::types::Tag {
                name: "VIP".into(),
                color: None,
            }),
        ));
        trial.write(Kind::Tag, vec![tag]).await;

        let mut note = said("m2", "Knows the boss.");
        let Entity::Message(message) = &mut note.message.data else {
            panic!()
        };
        message.visibility = Visibility::Internal;
        let mut file = said("m1", "See the photo.");
        file.attachments.push(items::file("f1", "photo.jpg", 12));
        let mut item = talk(&trial, "t1", vec![file, note]);
        let Entity::Conversation(conversation) = &mut item.body.entries[0].data else {
            panic!()
        };
        conversation.tags = vec![trial.known(Reference::new(Kind::Tag, "g1"))];
        let outcomes = trial.write(Kind::Conversation, vec![item]).await;
        assert!(outcomes.iter().all(is_created), "{outcomes:#?}");

        let there = ticket(&platform);
        assert_eq!(there["labels"], json!(["vip"]));
        assert_eq!(there["state"], "done");
        assert_eq!(
            there["entries"][1]["files"],
            json!([{"name": "photo.jpg", "size": 12}])
        );
        assert_eq!(there["entries"][2]["kind"], "private");
        assert_eq!(texts(&there), ["See the photo.", "Knows the boss."]);
        assert_eq!(platform.borrow().mails, 0);
        let person = platform
            .borrow()
            .people
            .values()
            .find(|person| person["name"] == "Bo Ng")
            .cloned()
            .unwrap();
        let values: Vec<&Value> = person["attributes"].as_object().unwrap().values().collect();
        assert!(values.contains(&&json!(3)), "{person}");
        assert!(
            person["attributes"]["transload_source"]
                .as_str()
                .unwrap()
                .contains("old-desk:org1:customer:c1")
        );

        assert_undone(&trial.rollback(UndoMode::Careful).await, "careful");
        assert_same(&before, &platform.borrow().print(), "after the rollback");
    });
}

#[test]
fn an_answer_that_is_lost_costs_nothing_and_makes_nothing_twice() {
    for how in [Loss::AfterApplying, Loss::BeforeArriving] {
        for lost in 1..=4 {
            block_on(async {
                let platform = platform();
                let trial = trial(&platform).await;
                let host = || trial.harness().state(trial.state().unwrap());
                trial
                    .write_on(
                        host().lose_answer(lost, how),
                        Kind::Customer,
                        vec![bo("c1", "bo@ng.example"), bo("c2", "c2@ng.example")],
                    )
                    .await;
                assert_eq!(platform.borrow().people.len(), 3, "{how:?} {lost}");

                let mut part = said("m1", "Hello");
                part.attachments.push(items::file("f1", "a.txt", 3));
                let mut parts = vec![part];
                parts.extend((2..=450).map(|n| said(&format!("m{n}"), &format!("Line {}", n / 2))));
                let outcomes = trial
                    .write_on(
                        host().lose_answer(lost, how),
                        Kind::Conversation,
                        vec![talk(&trial, "t1", parts)],
                    )
                    .await;
                assert!(outcomes.iter().all(is_created), "{outcomes:#?}");
                let texts = texts(&ticket(&platform));
                assert_eq!(texts.len(), 450, "{how:?} {lost}");
                assert!(texts.is_sorted_by_key(|text| {
                    text.strip_prefix("Line ").map_or(0, |n| n.parse().unwrap())
                }));
                assert_undone(
                    &trial.rollback(UndoMode::Careful).await,
                    "after a lost answer",
                );
            });
        }
    }
}

#[test]
fn a_unit_that_runs_again_takes_the_same_way() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        let mut part = said("m1", "Hello");
        part.attachments.push(items::file("f1", "a.txt", 3));
        let item = talk(&trial, "t1", vec![part]);
        let host = trial.harness().state(trial.state().unwrap());
        let cx = host.context();
        Tessera::write(&cx, Kind::Conversation, vec![item.clone()])
            .await
            .unwrap();
        cx.reported().await.unwrap();
        let (cx, again) = host.replay();
        Tessera::write(&cx, Kind::Conversation, vec![item])
            .await
            .unwrap();
        cx.reported().await.unwrap();
        assert_eq!(host.same_way(&again), None);
        assert_eq!(host.unclaimed(), Vec::<String>::new());
    });
}

#[test]
fn a_unit_in_doubt_finds_what_its_first_attempt_made_and_claims_it() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        let mut item = talk(&trial, "t1", vec![said("m1", "Hello")]);
        // A first attempt, of which nothing is known any more.
        let cx = trial.harness().state(trial.state().unwrap()).context();
        Tessera::write(&cx, Kind::Conversation, vec![item.clone()])
            .await
            .unwrap();

        item.in_doubt_since = Some(platform.borrow().now);
        let outcomes = trial.write(Kind::Conversation, vec![item]).await;
        assert!(
            matches!(outcomes[0].effects[0].proof, Some(Proof::Marker(_))),
            "{outcomes:#?}"
        );
        assert_eq!(texts(&ticket(&platform)), ["Hello"]);
    });
}

#[test]
fn an_address_that_is_somebody_elses_stays_his() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        let other = json!({"name": "Not Bo", "email": "bo@ng.example"});
        platform
            .borrow_mut()
            .answer("POST", "/people", support::platform::Sent::Json(other));
        let outcomes = trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        assert!(is_created(&outcomes[0]));
        assert!(
            outcomes[0]
                .losses
                .iter()
                .any(|loss| loss.field == "addresses.email")
        );
        let platform = platform.borrow();
        let ours = platform
            .people
            .values()
            .find(|person| person["name"] == "Bo Ng")
            .unwrap();
        assert_eq!(ours["email"], Value::Null);
        assert!(
            ours["attributes"]["transload_source"]
                .as_str()
                .unwrap()
                .contains("bo@ng.example")
        );
    });
}

#[test]
fn who_is_there_is_filled_and_put_back() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        let there = json!({"name": "Bo Ng", "email": "bo@ng.example"});
        platform
            .borrow_mut()
            .answer("POST", "/people", support::platform::Sent::Json(there));
        let before = platform
            .borrow()
            .people
            .values()
            .find(|person| person["name"] == "Bo Ng")
            .cloned()
            .unwrap();
        let mut items = trial
            .matched(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        items[0].policy = transload_sdk::destination::MatchPolicy::FillEmpty;
        let outcomes = trial.write(Kind::Customer, items).await;
        assert_eq!(
            outcomes[0].effects[0].action,
            Action::Updated,
            "{outcomes:#?}"
        );
        assert_undone(&trial.rollback(UndoMode::Careful).await, "restored");
        let after = platform.borrow().people.values().next().cloned().unwrap();
        for name in ["name", "email", "phone", "ref", "attributes"] {
            assert_eq!(after[name], before[name], "{name}");
        }
    });
}

#[test]
fn a_customer_with_an_agents_address_is_a_person_of_his_own() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        let staff = json!({"name": "Ada Agent", "email": "ada@helpdesk.example"});
        platform
            .borrow_mut()
            .answer("POST", "/people", support::platform::Sent::Json(staff));
        let items = trial
            .matched(Kind::Customer, vec![bo("c1", "ada@helpdesk.example")])
            .await;
        assert!(items[0].existing.as_ref().unwrap().doubtful.is_some());
        let outcomes = trial.write(Kind::Customer, items).await;
        assert!(is_created(&outcomes[0]), "{outcomes:#?}");
        let platform = platform.borrow();
        let ours = platform
            .people
            .values()
            .find(|person| person["name"] == "Bo Ng")
            .unwrap();
        assert_eq!(ours["email"], Value::Null);
    });
}

#[test]
fn a_person_with_somebodys_ticket_stays() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        trial
            .write(
                Kind::Conversation,
                vec![talk(&trial, "t1", vec![said("m1", "Hello")])],
            )
            .await;
        let id = trial
            .known(Reference::new(Kind::Customer, "c1"))
            .target
            .unwrap();
        let foreign = json!({"ref": "", "subject": "New", "requester": id, "state": "open", "created_at": "2023-11-20T00:00:00Z", "entries": []});
        let (status, _) = platform.borrow_mut().answer(
            "POST",
            "/tickets",
            support::platform::Sent::Json(foreign),
        );
        assert_eq!(status, 201);
        let outcomes = trial.rollback(UndoMode::Careful).await;
        let conflicts: Vec<_> = outcomes
            .iter()
            .filter(|outcome| outcome.status == UndoStatus::Conflict)
            .collect();
        assert_eq!(conflicts.len(), 1, "{outcomes:#?}");
        assert!(platform.borrow().people.contains_key(&id));
        assert_eq!(ticket(&platform)["subject"], "New");
    });
}

#[test]
fn a_ticket_that_was_answered_since_stays_unless_forced() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        trial
            .write(
                Kind::Conversation,
                vec![talk(&trial, "t1", vec![said("m1", "Hello")])],
            )
            .await;
        let path = format!(
            "/tickets/{}/entries",
            ticket(&platform)["id"].as_str().unwrap()
        );
        let answer = json!({"entries": [{"kind": "public", "by": "agent:a1", "at": "2023-11-20T00:00:00Z", "text": "Hi", "files": []}]});
        platform
            .borrow_mut()
            .answer("POST", &path, support::platform::Sent::Json(answer));
        let outcomes = trial.rollback(UndoMode::Careful).await;
        assert!(
            outcomes
                .iter()
                .any(|outcome| outcome.status == UndoStatus::Conflict
                    && outcome.reason.as_deref() == Some("changed since: entries")),
            "{outcomes:#?}"
        );
        assert_eq!(platform.borrow().tickets.len(), 1);
    });
}

#[test]
fn files_that_are_refused_are_named_and_counted() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        let mut part = said("m1", "Run this.");
        part.attachments = vec![
            items::file("f1", "setup.exe", 9),
            items::file("f2", "empty.txt", 0),
            items::file("f3", "log.txt", 9),
            items::file("f4", "film.mp4", 5_000_001),
        ];
        let outcomes = trial
            .write(Kind::Conversation, vec![talk(&trial, "t1", vec![part])])
            .await;
        assert_eq!(outcomes[0].status, Status::Created);
        assert_eq!(outcomes[0].refused.len(), 2, "{outcomes:#?}");
        let there = ticket(&platform);
        let text = &texts(&there)[0];
        assert!(
            text.contains("film.mp4")
                && text.contains("setup.exe")
                && text.contains("empty.txt")
                && text.ends_with("Run this."),
            "{text}"
        );
        assert_eq!(there["entries"][1]["files"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn odd_texts_arrive_as_they_are() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        trial
            .write(Kind::Customer, vec![bo("c1", "bo@ng.example")])
            .await;
        let long = "👩‍👩‍👧 lang \r\n".repeat(9_000);
        let odd = [
            "  two  blanks ",
            "[Migrated: no] mine",
            "\u{202e}txet",
            "a\u{0}b",
            "",
            long.as_str(),
        ];
        let mut parts: Vec<Part> = odd
            .iter()
            .enumerate()
            .map(|(n, text)| said(&format!("m{n}"), text))
            .collect();
        let mut html = said("m9", "");
        let Entity::Message(message) = &mut html.message.data else {
            panic!()
        };
        message.text = None;
        message.html = Some(Text::Inline("<p>Only <b>HTML</b></p>".into()));
        parts.push(html);
        let outcomes = trial
            .write(Kind::Conversation, vec![talk(&trial, "t1", parts)])
            .await;
        assert!(is_created(&outcomes[0]), "{outcomes:#?}");

        let written = Written {
            item: outcomes[0].item.clone(),
            kind: Kind::Conversation,
            effects: outcomes[0].effects.clone(),
        };
        let cx = trial.harness().state(trial.state().unwrap()).context();
        let observed = Tessera::read_back(&cx, vec![written]).await.unwrap();
        assert_eq!(observed[0].fingerprint, outcomes[0].effects[0].fingerprint);
        let thread = observed[0].body.as_ref().unwrap().thread().unwrap();
        let read: Vec<String> = thread
            .parts
            .iter()
            .map(|part| {
                let Entity::Message(message) = &part.message.data else {
                    panic!()
                };
                let Some(Text::Inline(text)) = &message.text else {
                    panic!()
                };
                text.clone()
            })
            .collect();
        assert_eq!(read[..4], odd[..4]);
        assert_eq!(read[5], long);
        assert!(read[6].contains("Only HTML"), "{}", read[6]);
    });
}

#[test]
fn keys_of_fields_are_never_fused() {
    block_on(async {
        let platform = platform();
        let trial = trial(&platform).await;
        let owner = || Owner {
            kind: Kind::Customer,
            object_type: None,
        };
        let names = [
            "size",
            "Size",
            "größe",
            "gr__e",
            "a very long name of a field that will not fit anywhere",
        ];
        let all = names
            .iter()
            .map(|name| items::definition(owner(), name, name, FieldType::Text))
            .collect();
        let outcomes = trial.write(Kind::FieldDefinition, all).await;
        assert!(outcomes.iter().all(is_created), "{outcomes:#?}");
        assert_eq!(platform.borrow().fields.len(), names.len() + 1);
    });
}

#[test]
fn preparing_again_finds_what_is_there() {
    block_on(async {
        let platform = platform();
        let mut trial = trial(&platform).await;
        let there = platform.borrow().print();
        let state = trial.state().map(str::to_owned);
        assert_eq!(trial.prepare_on(trial.harness()).await, 0);
        assert_eq!(trial.state().map(str::to_owned), state);
        assert_eq!(platform.borrow().print(), there);
        assert_eq!(platform.borrow().now, NOW);
    });
}
