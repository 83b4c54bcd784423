//! Answers that are lost, of every request of every kind of record but conversations: in the end the account holds what it would
//! hold anyhow, and all of it can be taken back (rules D-2, D-3, D-4).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

use crate::support::{
    Account, agent, assert_same, assert_undone, company, definition, field, link, record, team,
    with_options,
};
use serde_json::Value as Json;
use transload_plugin_freshdesk::Freshdesk;
use transload_plugin_freshdesk::write::schema::sheet;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Outcome, Status};
use transload_sdk::testing::Loss;
use transload_sdk::testing::items::customer;
use transload_sdk::types::{
    Address, AddressChannel, Company, CustomObject, Customer, FieldType, Kind, Owner, Reference,
    Value,
};
use transload_simulators::freshdesk::{SchemaFieldSpec, SchemaSpec};

const OLD: &str = "old.customer@example.com";

fn owner(kind: Kind) -> Owner {
    let object_type = (kind == Kind::CustomObject).then(|| "order".to_owned());
    Owner { kind, object_type }
}

/// What is written, kind by kind. References are looked up when their turn comes.
fn items(account: &Account, kind: &Kind) -> Vec<Item> {
    let known = |kind: Kind, id: &str| account.known(Reference::new(kind, id).called(id));
    match kind {
        Kind::Team => vec![team("t1", "Returns desk"), team("t2", "Billing")],
        Kind::Agent => vec![
            agent(
                "a1",
                "Dana",
                "dana@acme.example",
                Vec::new(),
                vec![known(Kind::Team, "t1"), known(Kind::Team, "t2")],
            ),
            agent("a2", "Eve", "eve@acme.example", Vec::new(), Vec::new()),
        ],
        Kind::FieldDefinition => vec![
            definition(
                owner(Kind::Conversation),
                "promisedAt",
                "Promised",
                FieldType::Moment,
            ),
            definition(owner(Kind::Company), "rankNum", "Rank", FieldType::Integer),
            with_options(
                definition(owner(Kind::Customer), "tierStr", "Tier", FieldType::Choice),
                &[("gold", "Gold"), ("silver", "Silver")],
            ),
            definition(
                owner(Kind::CustomObject),
                "formerId",
                "Former",
                FieldType::Text,
            ),
        ],
        Kind::Company => {
            let at = account.field_at("company", "rankNum");
            let fields = vec![field("rankNum", Value::Integer(7), at)];
            vec![
                company("k1", fields, Company::called("Acme Ltd")),
                company("k2", Vec::new(), Company::called("Old Partner")),
            ]
        }
        Kind::Customer => [("c1", "c1@example.com"), ("c2", OLD)]
            .map(|(id, email)| {
                let data = Customer {
                    name: Some(format!("{id}'s name")),
                    company: Some(known(Kind::Company, "k1")),
                    addresses: vec![
                        Address::new(AddressChannel::Email, email),
                        Address::new(AddressChannel::Email, format!("{id}@home.example")),
                    ],
                    ..Customer::empty()
                };
                let at = account.field_at("customer", "tierStr");
                let tier = Value::Choice("gold".to_owned());
                customer(id, vec![field("tierStr", tier, at)], data)
            })
            .to_vec(),
        Kind::CustomObject => ["o1", "o2"]
            .map(|id| {
                let data = CustomObject {
                    customer: Some(known(Kind::Customer, "c1")),
                    ..CustomObject::of("order", format!("{id}'s name"))
                };
                record(id, Vec::new(), data)
            })
            .to_vec(),
        Kind::Relationship => {
            let order = |id: &str| known(Kind::CustomObject, id);
            vec![
                link("Former", order("o2"), order("o1"), None),
                link(
                    "ordersId",
                    known(Kind::Customer, "c1"),
                    order("o1"),
                    Some(0),
                ),
                link(
                    "friendsId",
                    order("o1"),
                    known(Kind::Customer, "c2"),
                    Some(0),
                ),
            ]
        }
        other => panic!("{other:?}"),
    }
}

const KINDS: [Kind; 7] = [
    Kind::Team,
    Kind::FieldDefinition,
    Kind::Agent,
    Kind::Company,
    Kind::Customer,
    Kind::CustomObject,
    Kind::Relationship,
];

fn orders() -> SchemaSpec {
    let field = |label: &str, kind: &str| SchemaFieldSpec {
        name: label.to_lowercase().replace(' ', "_"),
        label: label.to_owned(),
        kind: kind.to_owned(),
        required: false,
        filterable: false,
        choices: Vec::new(),
        target: match (label, kind) {
            (sheet::COMPANY, _) => Some("company".to_owned()),
            (sheet::TICKET, _) => Some("ticket".to_owned()),
            ("Former", _) => Some("order".to_owned()),
            (_, "RELATIONSHIP") => Some("contact".to_owned()),
            _ => None,
        },
    };
    let mut fields: Vec<SchemaFieldSpec> = sheet::ALL
        .iter()
        .map(|(label, kind)| field(label, kind))
        .collect();
    fields.push(field("Former", "RELATIONSHIP"));
    SchemaSpec {
        name: "order".to_owned(),
        prefix: "ORD".to_owned(),
        fields,
    }
}

fn unprepared(settings: &[(&str, Json)]) -> Account {
    let mut account = Account::unprepared(|_| {});
    account.sim.make_schema(&orders()).unwrap();
    for (name, value) in settings {
        account.set(name, value.clone());
    }
    account
}

async fn account(settings: &[(&str, Json)]) -> Account {
    let mut account = unprepared(settings);
    account.prepare().await;
    account
}

fn is_settled(outcome: &Outcome) -> bool {
    !matches!(outcome.status, Status::Rejected(_) | Status::Unsettled(_))
}

/// The items with what is there already, as a host hands them over.
async fn matched(account: &Account, kind: &Kind) -> Vec<Item> {
    let items = items(account, kind);
    match kind {
        Kind::Agent | Kind::Company | Kind::Customer => account.matched(kind.clone(), items).await,
        _ => items,
    }
}

/// Writes everything, one kind with an answer lost.
async fn with_a_loss(
    settings: &[(&str, Json)],
    lossy: &Kind,
    nth: usize,
    how: Loss,
) -> (Account, Vec<Outcome>) {
    let account = account(settings).await;
    let mut outcomes = Vec::new();
    for kind in KINDS {
        let items = matched(&account, &kind).await;
        let harness = if kind == *lossy {
            account.harness().lose_answer(nth, how)
        } else {
            account.harness()
        };
        outcomes.extend(account.write_on(harness, kind, items).await);
    }
    (account, outcomes)
}

/// Loses every answer of these kinds, one after the other, in both ways.
async fn every_loss(settings: &[(&str, Json)], lossy: &[Kind]) {
    let before = unprepared(&[]).sim.state_fingerprint();
    let undisturbed = account(settings).await;
    let mut requests = Vec::new();
    for kind in KINDS {
        let items = matched(&undisturbed, &kind).await;
        let counted = undisturbed.write_counted(kind.clone(), items).await;
        requests.push((kind, counted));
    }
    let whole = undisturbed.sim.state_fingerprint();
    assert_ne!(before, whole);
    assert_undone(
        &undisturbed.rollback(UndoMode::Careful).await,
        "undisturbed",
    );
    assert_same(&before, &undisturbed.sim.state_fingerprint(), "undisturbed");
    for (kind, count) in requests
        .into_iter()
        .filter(|(kind, _)| lossy.contains(kind))
    {
        assert!(count > 0, "{kind:?} writes nothing");
        for nth in 1..=count {
            for how in [Loss::AfterApplying, Loss::BeforeArriving] {
                let case = format!("{kind:?}, request {nth}, {how:?}");
                let (account, outcomes) = with_a_loss(settings, &kind, nth, how).await;
                let open: Vec<&Outcome> = outcomes.iter().filter(|o| !is_settled(o)).collect();
                assert!(open.is_empty(), "{case}: {open:?}");
                assert_same(&whole, &account.sim.state_fingerprint(), &case);
                let undone = account.rollback(UndoMode::Careful).await;
                assert_undone(&undone, &case);
                assert_same(&before, &account.sim.state_fingerprint(), &case);
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_made_twice_or_lost_whichever_answer_is_lost() {
    every_loss(&[], &KINDS).await;
}

#[tokio::test]
async fn nor_where_agents_are_made() {
    every_loss(&[("create_agents", Json::Bool(true))], &[Kind::Agent]).await;
}

#[tokio::test]
async fn what_prepare_makes_is_made_once_whichever_answer_is_lost() {
    let whole = account(&[]).await.sim.state_fingerprint();
    let count = {
        let mut account = unprepared(&[]);
        let harness = account.harness();
        account.prepare_on(harness).await
    };
    assert!(count > 15, "{count}");
    // The first is the probe, which makes nothing: it is asked again by the next unit.
    for nth in 2..=count {
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            let mut account = unprepared(&[]);
            let before = account.sim.state_fingerprint();
            let harness = account.harness().lose_answer(nth, how);
            account.prepare_on(harness).await;
            let case = format!("request {nth}, {how:?}");
            assert_same(&whole, &account.sim.state_fingerprint(), &case);
            let undone = account.rollback(UndoMode::Careful).await;
            assert_undone(&undone, &case);
            assert_same(&before, &account.sim.state_fingerprint(), &case);
        }
    }
}

#[tokio::test]
async fn a_unit_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    let account = account(&[]).await;
    for kind in KINDS {
        let items = matched(&account, &kind).await;
        account.write(kind, items).await;
    }
    let whole = account.sim.state_fingerprint();
    let since = account.now() - 3_600_000;
    for kind in KINDS {
        for item in items(&account, &kind) {
            let again = Item {
                in_doubt_since: Some(since),
                ..item
            };
            let outcomes = account.write(kind.clone(), vec![again]).await;
            assert!(is_settled(&outcomes[0]), "{outcomes:?}");
            // What this run made is known as made by it; the second of each kind was there before.
            let made = ["team:t1", "company:k1", "customer:c1"];
            let ours = made.contains(&outcomes[0].item.as_str())
                || kind == Kind::CustomObject
                || (kind == Kind::FieldDefinition && !outcomes[0].effects.is_empty());
            if ours && !matches!(outcomes[0].effects[0].target_kind.as_str(), "object_field") {
                assert_eq!(
                    outcomes[0].effects[0].action,
                    Action::Created,
                    "{outcomes:?}"
                );
            }
        }
    }
    assert_same(&whole, &account.sim.state_fingerprint(), "");
}

#[tokio::test]
async fn a_call_that_runs_again_takes_the_same_way() {
    let account = account(&[]).await;
    let ana = Customer {
        name: Some("Ana".to_owned()),
        ..Customer::empty()
    };
    let units = [
        (Kind::Team, vec![team("t1", "Returns desk")]),
        (
            Kind::Company,
            vec![company("k1", Vec::new(), Company::called("Acme Ltd"))],
        ),
        (Kind::Customer, vec![customer("c1", Vec::new(), ana)]),
        (
            Kind::CustomObject,
            vec![record(
                "o1",
                Vec::new(),
                CustomObject::of("order", "An order"),
            )],
        ),
    ];
    for (kind, items) in units {
        for loss in [None, Some(Loss::AfterApplying)] {
            let harness = match loss {
                Some(how) => account.harness().lose_answer(1, how),
                None => account.harness(),
            };
            let write = async |cx: &transload_sdk::Context| {
                Freshdesk::write(cx, kind.clone(), items.clone())
                    .await
                    .unwrap();
            };
            write(&harness.context()).await;
            let (cx, again) = harness.replay();
            write(&cx).await;
            assert_eq!(harness.same_way(&again), None, "{kind:?}");
        }
    }
}
