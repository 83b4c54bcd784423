//! Answers that are lost, of every request of every kind of record but conversations: in the end the account holds what it would
//! hold anyhow, and all of it can be taken back (rules D-2, D-3, D-4).

use crate::support::Stand as _;
use crate::support::doubt::{
    all_in_doubt, assert_same_way, every_loss, every_loss_of_prepare, prepared,
};
use crate::support::{
    Account, agent, company, definition, field, link, record, team, with_options,
};
use serde_json::Value as Json;
use transload_plugin_freshdesk::Freshdesk;
use transload_plugin_freshdesk::write::schema::sheet;
use transload_sdk::destination::Item;
use transload_sdk::ledger::Action;
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

/// The items with what is there already, as a host hands them over.
async fn matched(account: &Account, kind: &Kind) -> Vec<Item> {
    let items = items(account, kind);
    match kind {
        Kind::Agent | Kind::Company | Kind::Customer => account.matched(kind.clone(), items).await,
        _ => items,
    }
}

/// Loses every answer of these kinds, one after the other, in both ways.
async fn losses(settings: &[(&str, Json)], lossy: &[Kind]) {
    every_loss(|| prepared(unprepared(settings)), matched, &KINDS, lossy).await;
}

#[tokio::test]
async fn nothing_is_made_twice_or_lost_whichever_answer_is_lost() {
    losses(&[], &KINDS).await;
}

#[tokio::test]
async fn nor_where_agents_are_made() {
    losses(&[("create_agents", Json::Bool(true))], &[Kind::Agent]).await;
}

#[tokio::test]
async fn what_prepare_makes_is_made_once_whichever_answer_is_lost() {
    // The first is the probe, which makes nothing: it is asked again by the next unit.
    let count = every_loss_of_prepare(|| unprepared(&[]), 2).await;
    assert!(count > 15, "{count}");
}

#[tokio::test]
async fn a_unit_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    let (account, _) = prepared(unprepared(&[])).await;
    all_in_doubt(&account, matched, &KINDS, &KINDS, |kind, outcome| {
        // What this run made is known as made by it; the second of each kind was there before.
        let made = ["team:t1", "company:k1", "customer:c1"];
        let ours = made.contains(&outcome.item.as_str())
            || *kind == Kind::CustomObject
            || (*kind == Kind::FieldDefinition && !outcome.effects.is_empty());
        if ours && outcome.effects[0].target_kind != "object_field" {
            assert_eq!(outcome.effects[0].action, Action::Created, "{outcome:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_call_that_runs_again_takes_the_same_way() {
    let (account, _) = prepared(unprepared(&[])).await;
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
            let case = format!("{kind:?}");
            assert_same_way::<Freshdesk>(harness, kind.clone(), items.clone(), &case).await;
        }
    }
}
