//! Links between records, and what hangs on what a run made, in the simulated org.

use crate::support::Stand as _;
use crate::support::{
    Org, assert_same, assert_undone, company, customer, definition, field, link, object_type,
    record, said, thread,
};
use serde_json::{Value as Json, json};
use transload_sdk::destination::{Item, MatchPolicy, UndoMode};
use transload_sdk::effects::print;
use transload_sdk::ledger::{Action, Outcome, Status, UndoOutcome, UndoStatus};
use transload_sdk::types::{
    Author, Company, Conversation, CustomObject, Customer, FieldType, Kind, Loss, Owner, Reference,
    ReferenceType, Value,
};

const LINKED: &str = "Transload_Linked_From__c";
const NOW: i64 = 1_795_000_000_000;

async fn prepared() -> (Org, Json) {
    let mut org = Org::unprepared(|config| config.preexisting.automation = false);
    let before = org.sim.state_fingerprint();
    org.prepare().await;
    (org, before)
}

fn known(org: &Org, kind: Kind, id: &str) -> Reference {
    org.known(Reference::new(kind, id).called(format!("{id}'s name")))
}

async fn with_people(org: &Org) {
    org.write(
        Kind::Company,
        vec![company("k1", Vec::new(), Company::called("Acme Ltd"))],
    )
    .await;
    let data = Customer {
        name: Some("Ana Ruiz".to_owned()),
        company: Some(known(org, Kind::Company, "k1")),
        ..Customer::empty()
    };
    org.write(Kind::Customer, vec![customer("c1", Vec::new(), data)])
        .await;
    let ana = known(org, Kind::Customer, "c1");
    let data = Conversation {
        customer: Some(ana.clone()),
        subject: Some("A question".to_owned()),
        ..Conversation::empty()
    };
    let parts = vec![said("m1", Author::Person(ana), "Hello", NOW)];
    org.write(
        Kind::Conversation,
        vec![thread("v1", Vec::new(), data, parts)],
    )
    .await;
}

/// Two orders whose former one is the other.
async fn with_orders(org: &Org) {
    org.write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    let owner = Owner {
        kind: Kind::CustomObject,
        object_type: Some("order".to_owned()),
    };
    let to_order = FieldType::Reference(ReferenceType {
        kind: Some(Kind::CustomObject),
        object_type: Some("order".to_owned()),
        multi: false,
    });
    let fields = vec![
        definition(owner.clone(), "formerId", "Former", to_order),
        definition(owner, "totalNum", "Total", FieldType::Decimal),
    ];
    org.write(Kind::FieldDefinition, fields).await;
    let orders: Vec<Item> = ["o1", "o2"]
        .map(|id| {
            let data = CustomObject {
                customer: Some(known(org, Kind::Customer, "c1")),
                company: Some(known(org, Kind::Company, "k1")),
                conversation: Some(known(org, Kind::Conversation, "v1")),
                ..CustomObject::of("order", format!("Order {id}"))
            };
            let at = org.field_at("custom-object:order", "totalNum");
            let total = Value::Decimal("64.67".to_owned());
            record(id, vec![field("totalNum", total, at)], data)
        })
        .to_vec();
    let outcomes = org.write(Kind::CustomObject, orders).await;
    assert!(
        outcomes.iter().all(|o| o.status == Status::Created),
        "{outcomes:?}"
    );
}

fn links(org: &Org) -> Vec<Item> {
    let order = |id: &str| known(org, Kind::CustomObject, id);
    vec![
        link("formerId", order("o1"), order("o2"), None),
        link("formerId", order("o2"), order("o1"), None),
        link(
            "ordersId",
            known(org, Kind::Customer, "c1"),
            order("o1"),
            Some(0),
        ),
        link(
            "ordersId",
            known(org, Kind::Customer, "c1"),
            order("o2"),
            Some(1),
        ),
        link(
            "casesId",
            order("o1"),
            known(org, Kind::Conversation, "v1"),
            Some(0),
        ),
        link(
            "goneId",
            order("o1"),
            Reference::new(Kind::CustomObject, "o9"),
            None,
        ),
    ]
}

fn order(org: &Org, id: &str) -> Json {
    org.of("Order__c", &Kind::CustomObject, id)
}

fn id_of(org: &Org, kind: Kind, id: &str) -> String {
    let target = known(org, kind, id).target.unwrap();
    target.rsplit('/').next().unwrap().to_owned()
}

fn statuses(outcomes: &[Outcome]) -> Vec<&Status> {
    outcomes.iter().map(|outcome| &outcome.status).collect()
}

fn conflicts(outcomes: &[UndoOutcome]) -> Vec<&str> {
    let conflicts = outcomes.iter().filter(|o| o.status == UndoStatus::Conflict);
    conflicts.filter_map(|o| o.reason.as_deref()).collect()
}

#[tokio::test]
async fn a_cycle_stands_in_lookups_and_other_links_in_words_on_both_ends() {
    let (org, before) = prepared().await;
    with_people(&org).await;
    with_orders(&org).await;
    let row = order(&org, "o1");
    assert_eq!(row["Name"], "Order o1");
    assert_eq!(row["totalNum__c"], json!(64.67));
    assert_eq!(
        row["Transload_Contact__c"],
        id_of(&org, Kind::Customer, "c1")
    );
    assert_eq!(
        row["Transload_Account__c"],
        id_of(&org, Kind::Company, "k1")
    );
    assert_eq!(
        row["Transload_Case__c"],
        id_of(&org, Kind::Conversation, "v1")
    );
    let outcomes = org.write(Kind::Relationship, links(&org)).await;
    let exported = Status::Exported("relationship.jsonl".to_owned());
    assert_eq!(
        statuses(&outcomes),
        [
            &Status::Updated,
            &Status::Updated,
            &exported,
            &exported,
            &exported,
            &exported
        ]
    );
    assert_eq!(
        order(&org, "o1")["formerId__c"],
        id_of(&org, Kind::CustomObject, "o2")
    );
    assert_eq!(
        order(&org, "o2")["formerId__c"],
        id_of(&org, Kind::CustomObject, "o1")
    );
    let said = order(&org, "o1")[LINKED].as_str().unwrap().to_owned();
    assert!(
        said.starts_with("ordersId of customer c1 (c1's name, https://acme.my.salesforce.com/003"),
        "{said}"
    );
    let case = org.of("Case", &Kind::Conversation, "v1");
    assert_eq!(case[LINKED], "casesId of custom-object o1 (o1's name)");
    // Once more, and nothing is changed.
    let whole = org.sim.state_fingerprint();
    let again = org.write(Kind::Relationship, links(&org)).await;
    let changed = again.iter().flat_map(|o| &o.effects);
    assert!(
        changed
            .clone()
            .all(|effect| effect.action == Action::Matched),
        "{again:?}"
    );
    assert_same(&whole, &org.sim.state_fingerprint(), "again");
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "rollback");
    assert_same(&before, &org.sim.state_fingerprint(), "rollback");
}

#[tokio::test]
async fn what_others_hung_on_people_companies_and_objects_keeps_them() {
    let (org, _) = prepared().await;
    with_people(&org).await;
    with_orders(&org).await;
    let (account, contact) = (
        id_of(&org, Kind::Company, "k1"),
        id_of(&org, Kind::Customer, "c1"),
    );
    let theirs = json!({"LastName": "Somebody", "AccountId": account});
    org.sim.make("Contact", &theirs).unwrap();
    let theirs = json!({"Subject": "Later", "ContactId": contact});
    org.sim.make("Case", &theirs).unwrap();
    org.sim.set_switches(|s| s.object_needs_permission = false);
    org.sim
        .make("Order__c", &json!({"Name": "By hand"}))
        .unwrap();
    let undone = org.rollback(UndoMode::Careful).await;
    let conflicts = conflicts(&undone);
    // The person who stays keeps the company, too.
    for why in ["2 Contact", "1 Case", "1 records that stay are in Order__c"] {
        assert!(
            conflicts.iter().any(|c| c.contains(why)),
            "{why}: {conflicts:?}"
        );
    }
    let snapshot = org.snapshot();
    assert!(snapshot.row(&account).is_some() && snapshot.row(&contact).is_some());
    assert_eq!(snapshot.of_object("Order__c").count(), 1);
    assert_eq!(snapshot.with("Case", "Subject", "A question").len(), 0);
}

#[tokio::test]
async fn a_rollback_by_force_goes_over_what_others_changed() {
    let (org, before) = prepared().await;
    with_people(&org).await;
    let case = id_of(&org, Kind::Conversation, "v1");
    org.sim
        .change(&case, &json!({"Subject": "Changed"}))
        .unwrap();
    let comment = json!({"ParentId": case, "CommentBody": "By somebody"});
    org.sim.make("CaseComment", &comment).unwrap();
    let careful = org.rollback(UndoMode::Preview).await;
    assert!(!conflicts(&careful).is_empty());
    let undone = org.rollback(UndoMode::Force).await;
    assert_undone(&undone, "force");
    assert_same(&before, &org.sim.state_fingerprint(), "force");
}

/// The first of [`with_orders`], with another name and sum.
fn changed_order(org: &Org) -> Item {
    let at = org.field_at("custom-object:order", "totalNum");
    let total = Value::Decimal("70".to_owned());
    let data = CustomObject::of("order", "Order o1, again");
    let mut item = record("o1", vec![field("totalNum", total, at)], data);
    item.prior = org.effects_of("custom-object:o1");
    item
}

#[tokio::test]
async fn a_record_that_is_there_is_changed_by_policy_and_gets_back_what_it_had() {
    let (org, before) = prepared().await;
    with_people(&org).await;
    with_orders(&org).await;
    let item = changed_order(&org);
    let outcomes = org.write(Kind::CustomObject, vec![item]).await;
    assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
    let row = order(&org, "o1");
    assert_eq!(row["Name"], "Order o1, again");
    assert_eq!(row["totalNum__c"].as_f64(), Some(70.0));
    let effect = &outcomes[0].effects[0];
    assert!(effect.before.as_deref().unwrap().contains("64.67"));
    let undone = org.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "rollback");
    assert_same(&before, &org.sim.state_fingerprint(), "rollback");
}

#[tokio::test]
async fn a_record_that_changed_at_both_ends_keeps_what_somebody_changed_here() {
    let (org, _) = prepared().await;
    with_people(&org).await;
    with_orders(&org).await;
    let mut item = changed_order(&org);
    item.policy = MatchPolicy::FillEmpty;
    // As if another sum had been written: then the one that is there is somebody's.
    let written = print(&[("totalNum__c".to_owned(), "12.5".to_owned())]);
    item.prior[0].fingerprint = Some(written);
    let outcomes = org.write(Kind::CustomObject, vec![item]).await;
    assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
    let row = order(&org, "o1");
    assert_eq!(row["Name"], "Order o1, again");
    assert_eq!(row["totalNum__c"].as_f64(), Some(64.67));
    let left = |loss: &Loss| loss.note == "changed here since it was loaded: left as it is";
    assert!(outcomes[0].losses.iter().any(left), "{outcomes:?}");
}
