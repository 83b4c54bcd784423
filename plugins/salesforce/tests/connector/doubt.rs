//! Answers that are lost, of every request of the kinds of records here: in the end the org holds what it would hold anyhow, and
//! all of it can be taken back (rules D-2, D-3, D-4).

use crate::support::Stand as _;
use crate::support::doubt::{all_in_doubt, every_loss, every_loss_of_prepare, prepared};
use crate::support::{
    Org, agent, company, customer, definition, field, object_type, team, with_options,
};
use transload_sdk::destination::Item;
use transload_sdk::ledger::{Action, Outcome, Status};
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Address, AddressChannel, Company, Customer, FieldType, Kind, Owner, Reference, ReferenceType,
    Value,
};

fn owner(kind: Kind) -> Owner {
    let object_type = (kind == Kind::CustomObject).then(|| "order".to_owned());
    Owner { kind, object_type }
}

/// What is written, kind by kind. References are looked up when their turn comes.
fn items(org: &Org, kind: &Kind) -> Vec<Item> {
    let known = |kind: Kind, id: &str| org.known(Reference::new(kind, id));
    match kind {
        Kind::Team => vec![team("t1", "Returns"), team("t2", "Night desk")],
        Kind::ObjectType => vec![object_type("order", "Order")],
        Kind::FieldDefinition => vec![
            definition(owner(Kind::Agent), "officeStr", "Office", FieldType::Text),
            with_options(
                definition(owner(Kind::Customer), "tierStr", "Tier", FieldType::Choice),
                &[("gold", "Gold"), ("silver", "Silver")],
            ),
            definition(
                owner(Kind::CustomObject),
                "formerId",
                "Former",
                FieldType::Reference(ReferenceType {
                    kind: Some(Kind::CustomObject),
                    object_type: Some("order".to_owned()),
                    multi: false,
                }),
            ),
        ],
        Kind::Agent => vec![
            agent(
                "a1",
                "Dana",
                "dana@acme.example",
                vec![field(
                    "officeStr",
                    Value::Text("Bern".to_owned()),
                    org.field_at("agent", "officeStr"),
                )],
                vec![known(Kind::Team, "t2")],
            ),
            agent("a2", "Eve", "eve@acme.example", Vec::new(), Vec::new()),
        ],
        Kind::Company => vec![company("k1", Vec::new(), Company::called("Acme Ltd"))],
        Kind::Customer => ["c1", "c2"]
            .map(|id| {
                let email = format!("{id}@example.com");
                let data = Customer {
                    name: Some(format!("{id}'s name")),
                    company: Some(known(Kind::Company, "k1")),
                    addresses: vec![Address::new(AddressChannel::Email, email)],
                    ..Customer::empty()
                };
                let at = org.field_at("customer", "tierStr");
                let own = vec![field("tierStr", Value::Choice("gold".to_owned()), at)];
                customer(id, own, data)
            })
            .to_vec(),
        other => panic!("{other:?}"),
    }
}

const KINDS: [Kind; 6] = [
    Kind::Team,
    Kind::ObjectType,
    Kind::FieldDefinition,
    Kind::Agent,
    Kind::Company,
    Kind::Customer,
];

async fn each(org: &Org, kind: &Kind) -> Vec<Item> {
    items(org, kind)
}

#[tokio::test]
async fn nothing_is_made_twice_or_lost_whichever_answer_is_lost() {
    let begin = || prepared(Org::unprepared(|_| {}));
    every_loss(begin, each, &KINDS, &KINDS).await;
}

#[tokio::test]
async fn what_prepare_makes_is_made_once_whichever_answer_is_lost() {
    let count = every_loss_of_prepare(|| Org::unprepared(|_| {}), 1).await;
    assert!(count > 10, "{count}");
}

#[tokio::test]
async fn a_unit_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    let org = Org::new().await;
    all_in_doubt(&org, each, &KINDS, &KINDS, |kind, outcome| {
        // What this run made is known as made by it.
        if matches!(kind, Kind::Company | Kind::Customer) {
            assert_eq!(outcome.effects[0].action, Action::Created, "{outcome:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_bulk_job_whose_answers_are_lost_makes_nothing_twice() {
    let people = || -> Vec<Item> {
        let person = |n: usize| Customer {
            last_name: Some(format!("Person {n}")),
            ..Customer::empty()
        };
        (0..2_000)
            .map(|n| customer(&format!("{n:024}"), Vec::new(), person(n)))
            .collect()
    };
    for nth in 1..=3 {
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            let org = Org::new().await;
            let before = org.snapshot().of_object("Contact").count();
            let harness = org.harness().lose_answer(nth, how);
            let outcomes = org.write_on(harness, Kind::Customer, people()).await;
            let case = format!("request {nth} of the job, {how:?}");
            let made = |o: &&Outcome| matches!(o.status, Status::Created);
            assert_eq!(outcomes.iter().filter(made).count(), 2_000, "{case}");
            let after = org.snapshot().of_object("Contact").count();
            assert_eq!(after, before + 2_000, "{case}");
        }
    }
}
