//! Custom objects and links, for which Gorgias has no places: notes on tickets, the document on a customer.

use crate::support::*;
use serde_json::json;
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::{Status, UndoStatus};
use transload_sdk::types::{CustomObject, Kind, Reference, Value};

async fn prepared() -> Account {
    let account = Account::new().await;
    account.people().await;
    account
        .write(Kind::Conversation, vec![account.talk("v1")])
        .await;
    account
}

fn order(account: &Account, id: &str, on: &[Kind]) -> transload_sdk::destination::Item {
    let data = CustomObject {
        customer: on.contains(&Kind::Customer).then(|| account.bo()),
        conversation: on
            .contains(&Kind::Conversation)
            .then(|| account.known(Reference::new(Kind::Conversation, "v1"))),
        status: Some("paid".to_owned()),
        ..CustomObject::of("order", format!("Order {id}"))
    };
    record(
        id,
        vec![field("totalNum", Value::Decimal("64.67".to_owned()), None)],
        data,
    )
}

#[test]
fn a_record_is_a_note_on_its_ticket_else_in_the_document_of_its_customer_else_exported() {
    run(async {
        let account = prepared().await;
        let both = [Kind::Customer, Kind::Conversation];
        let items = vec![
            order(&account, "o1", &both),
            order(&account, "o2", &[Kind::Customer]),
            order(&account, "o/3", &[Kind::Customer]),
            order(&account, "o4", &[]),
        ];
        let outcomes = account.write(Kind::CustomObject, items).await;
        assert!(
            outcomes.iter().filter(|o| is_created(o)).count() == 3,
            "{outcomes:?}"
        );
        let last = outcomes
            .iter()
            .find(|o| o.item == "custom-object:o4")
            .unwrap();
        assert!(matches!(&last.status, Status::Exported(file) if file == "custom-object.jsonl"));
        let (_, messages) = account.ticket("v1");
        let note = messages
            .iter()
            .find(|m| m.external_id.as_deref() == Some("old-desk:org1:custom-object:o1"))
            .unwrap();
        assert!(
            !note.public
                && note
                    .body_text
                    .as_deref()
                    .unwrap()
                    .contains("field totalNum: 64.67")
        );
        let data = account.customer("c1").data;
        let orders = &data["transload"]["objects"]["order"];
        assert_eq!(orders["o2"]["title"], "Order o2");
        assert!(
            orders["o%2F3"]["card"]
                .as_str()
                .unwrap()
                .contains("status: paid")
        );
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
    });
}

#[test]
fn what_others_have_in_a_document_stays_and_a_changed_record_is_a_conflict() {
    run(async {
        let account = prepared().await;
        let id = account.customer("c1").id;
        account
            .sim
            .edit_customer(id, |c| c.data = json!({"shop": {"vip": true}}))
            .unwrap();
        let items = vec![
            order(&account, "o1", &[Kind::Customer]),
            order(&account, "o2", &[Kind::Customer]),
        ];
        account.write(Kind::CustomObject, items).await;
        assert_eq!(account.customer("c1").data["shop"]["vip"], true);
        account
            .sim
            .edit_customer(id, |c| {
                c.data["transload"]["objects"]["order"]["o1"]["status"] = json!("mine")
            })
            .unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let conflicts = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .count();
        assert_eq!(conflicts, 1, "{undone:?}");
    });
}

#[test]
fn a_later_run_leaves_what_is_the_same_and_changes_what_is_not() {
    run(async {
        let mut account = prepared().await;
        let item = order(&account, "o1", &[Kind::Customer]);
        account.write(Kind::CustomObject, vec![item.clone()]).await;
        let before = account.customer("c1").data;
        account.run = "r2".to_owned();
        account.prepare().await;
        let prior = account.effects_of("custom-object:o1");
        let again = transload_sdk::destination::Item { prior, ..item };
        let outcomes = account.write(Kind::CustomObject, vec![again.clone()]).await;
        assert!(
            matches!(outcomes[0].status, Status::Matched),
            "{outcomes:?}"
        );
        assert_eq!(account.customer("c1").data, before);
        let mut other = again;
        if let Some(transload_sdk::types::Entity::CustomObject(data)) =
            other.body.entries.first_mut().map(|e| &mut e.data)
        {
            data.status = Some("sent".to_owned());
        }
        let outcomes = account.write(Kind::CustomObject, vec![other]).await;
        assert!(
            matches!(outcomes[0].status, Status::Updated),
            "{outcomes:?}"
        );
        assert_eq!(
            account.customer("c1").data["transload"]["objects"]["order"]["o1"]["status"],
            "sent"
        );
    });
}

#[test]
fn links_are_readable_from_both_ends_and_a_cycle_does_no_harm() {
    run(async {
        let account = prepared().await;
        let items = vec![
            order(&account, "o1", &[Kind::Customer]),
            order(&account, "o2", &[Kind::Customer]),
        ];
        account.write(Kind::CustomObject, items).await;
        let object = |id: &str| {
            account.known(Reference::new(Kind::CustomObject, id).called(format!("Order {id}")))
        };
        let links = vec![
            link("next", object("o1"), object("o2"), None),
            link("next", object("o2"), object("o1"), None),
            link("buyer", object("o1"), account.bo(), None),
            link("buyers", object("o2"), account.bo(), Some(0)),
            link("seller", account.bo(), account.dana(), None),
        ];
        let outcomes = account.write(Kind::Relationship, links).await;
        assert!(
            outcomes
                .iter()
                .all(|o| matches!(o.status, Status::Exported(_))),
            "{outcomes:?}"
        );
        let data = account.customer("c1").data;
        let text = data["transload"]["links"].as_str().unwrap().to_owned();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "buyer of custom-object o1 (Order o1)",
                "buyers of custom-object o2 (Order o2)"
            ]
        );
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        let left = account
            .snapshot()
            .customers_by_external_id("old-desk:org1:customer:c1")
            .len();
        assert_eq!(left, 0);
    });
}
