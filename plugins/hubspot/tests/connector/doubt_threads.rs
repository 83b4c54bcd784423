//! Answers that are lost, of every request of threads: in the end the account holds what it would hold anyhow, and all of it can
//! be taken back (rules D-2, D-3, D-4).

use crate::support::Stand as _;
use crate::support::doubt::{all_in_doubt, assert_all_ours, assert_same_way, every_loss, prepared};
use crate::support::{
    Portal, agent, assert_same, assert_undone, customer, file, item, said, thread,
};
use transload_plugin_hubspot::HubSpot;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, Part, UndoMode};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Author, Conversation, Customer, Direction, Entity, Kind, Reference, Visibility,
};
use transload_simulators::hubspot::Config;

const NOW: i64 = 1_794_000_000_000;

/// What is written, kind by kind. References are looked up when their turn comes.
fn items(portal: &Portal, kind: &Kind) -> Vec<Item> {
    let known = |kind: Kind, id: &str| {
        let reference = Reference::new(kind, id).called(format!("{id}'s name"));
        portal.known(reference)
    };
    let part = |id: &str, n: i64, author: Reference, channel: &str| -> Part {
        let at = NOW + n * 1_000;
        let mut part = said(id, Author::Person(author), &format!("text {n}"), at);
        if let Entity::Message(message) = &mut part.message.data {
            match channel {
                "" => message.visibility = Visibility::Internal,
                channel => {
                    message.direction = Direction::Inbound;
                    message.channel = Some(channel.to_owned());
                    message.customer = Some(known(Kind::Customer, "c1"));
                }
            }
        }
        part
    };
    let (ana, dana) = (known(Kind::Customer, "c1"), known(Kind::Agent, "a1"));
    match kind {
        Kind::Agent => vec![agent(
            "a1",
            "Dana",
            "dana@acme.example",
            Vec::new(),
            Vec::new(),
        )],
        Kind::Customer => {
            let data = Customer {
                name: Some("Ana Ruiz".to_owned()),
                ..Customer::empty()
            };
            vec![customer("c1", Vec::new(), data)]
        }
        Kind::Conversation => ["v1", "v2"]
            .map(|id| {
                let data = Conversation {
                    customer: Some(ana.clone()),
                    subject: Some(format!("Subject of {id}")),
                    ..Conversation::empty()
                };
                let mut first = part(&format!("m1-{id}"), 0, ana.clone(), "email");
                first.attachments = vec![file(&format!("f-{id}"), "note.txt", 3)];
                let parts = vec![
                    first,
                    part(&format!("m2-{id}"), 1, dana.clone(), ""),
                    // The same said twice is there twice.
                    part(&format!("m3-{id}"), 1, dana.clone(), ""),
                    part(&format!("m4-{id}"), 3, ana.clone(), "sms"),
                    part(&format!("m5-{id}"), 4, ana.clone(), "voice"),
                ];
                thread(id, Vec::new(), data, parts)
            })
            .to_vec(),
        Kind::Message => {
            let mut note = part("n1", 9, dana, "");
            if let Entity::Message(message) = &mut note.message.data {
                message.customer = Some(ana);
            }
            note.attachments = vec![file("f-n1", "note.txt", 3)];
            vec![item(note.message)]
        }
        other => panic!("{other:?}"),
    }
}

const KINDS: [Kind; 4] = [
    Kind::Agent,
    Kind::Customer,
    Kind::Conversation,
    Kind::Message,
];

const OURS: [Kind; 2] = [Kind::Conversation, Kind::Message];

async fn each(portal: &Portal, kind: &Kind) -> Vec<Item> {
    items(portal, kind)
}

async fn losses(change: fn(&mut Config)) {
    let begin = || prepared(Portal::unprepared(change));
    every_loss(begin, each, &KINDS, &OURS).await;
}

#[tokio::test]
async fn no_part_of_a_thread_is_made_twice_or_lost_whichever_answer_is_lost() {
    losses(|_| {}).await;
}

#[tokio::test]
async fn nor_where_activities_have_unique_properties() {
    losses(|config| config.switches.unique_on_activities = true).await;
}

#[tokio::test]
async fn a_unit_of_threads_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    let portal = Portal::new().await;
    // What this run made is known as made by it.
    all_in_doubt(&portal, each, &KINDS, &OURS, |_, outcome| {
        assert_all_ours(outcome);
    })
    .await;
}

#[tokio::test]
async fn a_unit_that_runs_again_takes_the_same_way() {
    for nth in 1..=8 {
        let mut portal = Portal::unprepared(|_| {});
        portal.prepare().await;
        for kind in &KINDS[..2] {
            let items = items(&portal, kind);
            portal.write(kind.clone(), items).await;
        }
        let items = items(&portal, &Kind::Conversation);
        let harness = portal.harness().lose_answer(nth, Loss::AfterApplying);
        let case = format!("request {nth}");
        assert_same_way::<HubSpot>(harness, Kind::Conversation, items, &case).await;
    }
}

#[tokio::test]
async fn an_undo_whose_answers_are_lost_ends_as_any() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    for kind in &KINDS {
        let items = items(&portal, kind);
        portal.write(kind.clone(), items).await;
    }
    let effects =
        ["conversation:v1", "conversation:v2", "message:n1"].map(|key| portal.effects_of(key));
    let all = effects.iter().flatten().rev().cloned().enumerate();
    let undoing: Vec<transload_sdk::destination::Undoing> = all
        .map(|(n, effect)| transload_sdk::destination::Undoing {
            effect_id: n as u64 + 1_000,
            kind: Kind::Conversation,
            item: "undo".to_owned(),
            marker: String::new(),
            effect,
        })
        .collect();
    let count = undoing.len();
    let harness = portal
        .harness()
        .lose_answer(1, Loss::AfterApplying)
        .lose_answer(3, Loss::BeforeArriving);
    let cx = harness.context();
    HubSpot::undo(&cx, UndoMode::Careful, undoing, Vec::new())
        .await
        .unwrap();
    let outcomes = harness.undo_outcomes();
    assert_eq!(outcomes.len(), count);
    assert_undone(&outcomes, "undo");
    assert_undone(&portal.rollback(UndoMode::Careful).await, "the rest");
    assert_same(&before, &portal.sim.state_fingerprint(), "rollback");
}
