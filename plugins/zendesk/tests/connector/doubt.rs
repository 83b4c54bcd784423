//! Answers that are lost, of every request of every kind of record: in the end the account holds what it would hold anyhow,
//! and all of it can be taken back (rules D-2, D-3, D-4).

use crate::support::Stand as _;
use crate::support::doubt::{
    all_in_doubt, every_loss, every_loss_of_prepare, is_settled, prepared,
};
use crate::support::{
    Account, agent, assert_undone, company, customer, definition, field, file, link, object_type,
    record, said, team, thread, with_options,
};
use serde_json::Value as Json;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::Action;
use transload_sdk::testing::Loss;
use transload_sdk::types::{
    Address, AddressChannel, Author, Company, Conversation, CustomObject, Customer, FieldType,
    Kind, Owner, Reference, ReferenceType, Value,
};

const NOW: i64 = 1_795_000_000_000;

fn owner(kind: Kind) -> Owner {
    let object_type = (kind == Kind::CustomObject).then(|| "order".to_owned());
    Owner { kind, object_type }
}

fn reference(kind: Kind, id: &str) -> Reference {
    Reference::new(kind, id).called(format!("{id}'s name"))
}

/// What is written, kind by kind. References are looked up when their turn comes.
fn items(account: &Account, kind: &Kind) -> Vec<Item> {
    let known = |kind: Kind, id: &str| account.known(reference(kind, id));
    match kind {
        Kind::Team => vec![team("t1", "Returns desk"), team("t2", "Billing")],
        Kind::Agent => vec![
            agent(
                "a1",
                "Dana",
                "dana@acme.example",
                vec![field(
                    "officeStr",
                    Value::Text("Bern".to_owned()),
                    account.field_at("agent", "officeStr"),
                )],
                vec![known(Kind::Team, "t1")],
            ),
            agent("a2", "Eve", "eve@acme.example", Vec::new(), Vec::new()),
        ],
        Kind::ObjectType => vec![object_type("order", "Order")],
        Kind::FieldDefinition => vec![
            definition(
                owner(Kind::Conversation),
                "promisedAt",
                "Promised",
                FieldType::Moment,
            ),
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
        Kind::Company => vec![company("k1", Vec::new(), Company::called("Acme Ltd"))],
        Kind::Customer => ["c1", "c2"]
            .map(|id| {
                let data = Customer {
                    name: Some(format!("{id}'s name")),
                    company: Some(known(Kind::Company, "k1")),
                    addresses: vec![Address::new(
                        AddressChannel::Email,
                        format!("{id}@example.com"),
                    )],
                    ..Customer::empty()
                };
                let at = account.field_at("customer", "tierStr");
                customer(
                    id,
                    vec![field("tierStr", Value::Choice("gold".to_owned()), at)],
                    data,
                )
            })
            .to_vec(),
        Kind::Conversation => ["v1", "v2"]
            .map(|id| {
                let ana = known(Kind::Customer, "c1");
                let data = Conversation {
                    customer: Some(ana.clone()),
                    subject: Some(format!("Subject of {id}")),
                    ..Conversation::empty()
                };
                let mut part = said(&format!("m-{id}"), Author::Person(ana), "Hello", NOW);
                part.attachments = vec![file(&format!("f-{id}"), "note.txt", 3)];
                thread(id, Vec::new(), data, vec![part])
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
                link("formerId", order("o2"), order("o1"), None),
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

const KINDS: [Kind; 9] = [
    Kind::Team,
    Kind::ObjectType,
    Kind::FieldDefinition,
    Kind::Agent,
    Kind::Company,
    Kind::Customer,
    Kind::Conversation,
    Kind::CustomObject,
    Kind::Relationship,
];

fn unprepared(settings: &[(&str, Json)], bulk_users: bool) -> Account {
    let mut account = Account::unprepared(|config| {
        config.switches.bulk_user_import = bulk_users;
    });
    for (name, value) in settings {
        account.set(name, value.clone());
    }
    account
}

/// Loses every answer of these kinds, one after the other, in both ways.
async fn losses(settings: &[(&str, Json)], bulk_users: bool, lossy: &[Kind]) {
    every_loss(
        || prepared(unprepared(settings, bulk_users)),
        async |account, kind| items(account, kind),
        &KINDS,
        lossy,
    )
    .await;
}

#[tokio::test]
async fn nothing_is_made_twice_or_lost_whichever_answer_is_lost() {
    losses(&[], false, &KINDS).await;
}

#[tokio::test]
async fn nor_where_agents_are_made_and_everything_is_sent_singly() {
    let settings = [
        ("create_agents", Json::Bool(true)),
        ("import_mode", Json::String("single".to_owned())),
    ];
    losses(&settings, false, &[Kind::Agent, Kind::Conversation]).await;
}

#[tokio::test]
async fn nor_where_users_are_made_by_jobs() {
    losses(&[], true, &[Kind::Customer]).await;
}

#[tokio::test]
async fn what_prepare_makes_is_made_once_whichever_answer_is_lost() {
    let count = every_loss_of_prepare(|| unprepared(&[], false), 1).await;
    assert!(count > 10, "{count}");
}

#[tokio::test]
async fn a_unit_that_is_taken_apart_after_all_was_applied_makes_nothing_again() {
    for mode in ["bulk", "single"] {
        let settings = [("import_mode", Json::String(mode.to_owned()))];
        let (account, _) = prepared(unprepared(&settings, false)).await;
        let items = async |account: &Account, kind: &Kind| items(account, kind);
        all_in_doubt(&account, items, &KINDS, &KINDS, |kind, outcome| {
            // What this run made is known as made by it.
            let ours = [Kind::Conversation, Kind::Customer, Kind::CustomObject];
            if ours.contains(kind) {
                assert_eq!(outcome.effects[0].action, Action::Created, "{outcome:?}");
            }
        })
        .await;
    }
}

/// An account in which the type was made and deleted, so that its key is reserved.
async fn with_a_reserved_key() -> Account {
    let account = Account::new().await;
    account
        .write(Kind::ObjectType, items(&account, &Kind::ObjectType))
        .await;
    assert_undone(&account.rollback(UndoMode::Careful).await, "made before");
    account
}

#[tokio::test]
async fn a_type_whose_key_a_deleted_one_keeps_is_made_once_under_the_next_whichever_answer_is_lost()
{
    let count = {
        let account = with_a_reserved_key().await;
        let items = items(&account, &Kind::ObjectType);
        account.write_counted(Kind::ObjectType, items).await
    };
    for nth in 1..=count {
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            let case = format!("request {nth}, {how:?}");
            let account = with_a_reserved_key().await;
            for kind in KINDS {
                let items = items(&account, &kind);
                let harness = match kind {
                    Kind::ObjectType => account.harness().lose_answer(nth, how),
                    _ => account.harness(),
                };
                let outcomes = account.write_on(harness, kind.clone(), items).await;
                assert!(outcomes.iter().all(is_settled), "{case}: {outcomes:?}");
                if kind == Kind::ObjectType {
                    let main = &outcomes[0].effects[0];
                    let made = (main.target_id.as_str(), main.action);
                    assert_eq!(made, ("order_2", Action::Created), "{case}");
                }
            }
            // Its fields, lookups and records are those of that type, which is the only one.
            let snapshot = account.snapshot();
            for id in ["o1", "o2"] {
                let marker = format!("old-desk:org1:custom-object:{id}");
                let there = snapshot.record_by_external_id("order_2", &marker);
                assert!(there.is_some(), "{case}: {id}");
                assert!(snapshot.record_by_external_id("order", &marker).is_none());
            }
            assert_undone(&account.rollback(UndoMode::Careful).await, &case);
        }
    }
}
