//! What others hung on what we made stays, and so does what it hangs on (rule D-10).

use crate::support::Stand as _;
use crate::support::{Account, agent, assert_undone, company, customer, definition, team};
use serde_json::json;
use transload_plugin_zendesk::map::FieldTarget;
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::UndoOutcome;
use transload_sdk::types::{Company, Customer, FieldType, Kind, Owner, Reference};

/// An account with one of each, and the effect that stands for each.
async fn account() -> Account {
    let account = Account::new().await;
    account
        .write(Kind::Team, vec![team("t1", "Returns desk")])
        .await;
    let field = |kind: Kind, field_type| {
        let owner = Owner {
            kind,
            object_type: None,
        };
        definition(owner, "colour", "Colour", field_type)
    };
    let fields = vec![
        field(Kind::Conversation, FieldType::Text),
        field(Kind::Customer, FieldType::Text),
        field(Kind::Company, FieldType::Text),
    ];
    account.write(Kind::FieldDefinition, fields).await;
    account
        .write(
            Kind::Company,
            vec![company("k1", Vec::new(), Company::called("Acme Ltd"))],
        )
        .await;
    let ana = Customer {
        name: Some("Ana".to_owned()),
        ..Customer::empty()
    };
    account
        .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
        .await;
    account
}

fn id(account: &Account, kind: Kind, id: &str) -> u64 {
    let target = account.known(Reference::new(kind, id)).target.unwrap();
    target.parse().unwrap()
}

/// The words of the one conflict that a rollback meets.
fn conflict(outcomes: &[UndoOutcome]) -> String {
    use transload_sdk::ledger::UndoStatus;
    let conflicts: Vec<&UndoOutcome> = outcomes
        .iter()
        .filter(|o| o.status == UndoStatus::Conflict)
        .collect();
    assert_eq!(conflicts.len(), 1, "{outcomes:?}");
    conflicts[0].reason.clone().unwrap()
}

fn foreign_user(account: &Account) -> u64 {
    let snapshot = account.snapshot();
    snapshot
        .user_by_email("old.customer@example.com")
        .unwrap()
        .id
}

#[tokio::test]
async fn without_anything_of_others_all_is_undone() {
    let account = account().await;
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert_undone(&outcomes, "");
}

#[tokio::test]
async fn a_person_with_a_ticket_of_others_stays() {
    let account = account().await;
    let ana = id(&account, Kind::Customer, "c1");
    account.sim.add_ticket_for(ana, "A new question").unwrap();
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(conflict(&outcomes).contains("1 tickets"));
    assert!(account.snapshot().user(ana).unwrap().active);
}

#[tokio::test]
async fn an_organization_with_people_of_others_stays() {
    let account = account().await;
    let acme = id(&account, Kind::Company, "k1");
    let old = foreign_user(&account);
    account.sim.add_organization_member(acme, old).unwrap();
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(conflict(&outcomes).contains("1 people"));
}

#[tokio::test]
async fn a_group_with_a_ticket_of_others_stays() {
    let account = account().await;
    let group = id(&account, Kind::Team, "t1");
    let old = foreign_user(&account);
    let ticket = account.sim.add_ticket_for(old, "A new question").unwrap();
    account
        .sim
        .edit_ticket(ticket, |ticket| ticket.group_id = Some(group))
        .unwrap();
    account.sim.harness().clock.advance(600_000);
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert!(conflict(&outcomes).contains("1 tickets"), "{outcomes:?}");
}

#[tokio::test]
async fn a_field_in_which_others_wrote_stays() {
    for kind in [Kind::Conversation, Kind::Customer, Kind::Company] {
        let account = account().await;
        let owner = kind.word();
        let target = account.field_at(owner, "colour").unwrap();
        let address = FieldTarget::parse(&target).unwrap().address;
        let old = foreign_user(&account);
        match kind {
            Kind::Conversation => {
                let ticket = account.sim.add_ticket_for(old, "A new question").unwrap();
                let field = address.parse().unwrap();
                account
                    .sim
                    .edit_ticket(ticket, |ticket| {
                        ticket.custom_fields.insert(field, json!("green"));
                    })
                    .unwrap();
            }
            Kind::Customer => account
                .sim
                .edit_user(old, |user| {
                    user.user_fields.insert(address, json!("green"));
                })
                .unwrap(),
            _ => {
                let partner = account
                    .snapshot()
                    .organizations
                    .iter()
                    .find(|o| o.name == "Old Partner")
                    .unwrap()
                    .id;
                account
                    .sim
                    .edit_organization(partner, |o| {
                        o.organization_fields.insert(address, json!("green"));
                    })
                    .unwrap();
            }
        }
        account.sim.harness().clock.advance(600_000);
        let outcomes = account.rollback(UndoMode::Careful).await;
        assert!(
            conflict(&outcomes).contains("have a value in it"),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn an_agent_whom_we_added_does_not_keep_a_group() {
    let account = account().await;
    let teams = vec![account.known(Reference::new(Kind::Team, "t1"))];
    let dana = agent("a1", "Dana", "dana@acme.example", Vec::new(), teams);
    account.write(Kind::Agent, vec![dana]).await;
    let outcomes = account.rollback(UndoMode::Careful).await;
    assert_undone(&outcomes, "");
    let group = id(&account, Kind::Team, "t1");
    let snapshot = account.snapshot();
    assert!(snapshot.group_memberships.iter().all(|m| m.of != group));
}
