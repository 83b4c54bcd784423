//! Records of custom objects: what fits into 32 KB, and what becomes of a row that is refused.

use crate::support::Stand as _;
use crate::support::{Account, definition, field, is_created, object_type, record};
use transload_plugin_zendesk::{Zendesk, map};
use transload_sdk::Destination as _;
use transload_sdk::connector::{FieldFidelity, KindSupport};
use transload_sdk::ledger::Status;
use transload_sdk::types::{CustomObject, Fidelity, FieldType, Kind, Owner, Value};
use transload_simulators::common::{Action, Fault};

/// An account with an object that has five long texts.
async fn account() -> Account {
    let account = Account::new().await;
    account
        .write(Kind::ObjectType, vec![object_type("order", "Order")])
        .await;
    let owner = || Owner {
        kind: Kind::CustomObject,
        object_type: Some("order".to_owned()),
    };
    let texts = (0..5).map(|n| {
        let name = format!("note{n}Txt");
        definition(owner(), &name, &name, FieldType::LongText)
    });
    account.write(Kind::FieldDefinition, texts.collect()).await;
    account
}

#[tokio::test]
async fn a_row_that_is_refused_leaves_the_record_that_was_there_and_is_rejected() {
    let account = account().await;
    let order = |title: &str| record("o1", Vec::new(), CustomObject::of("order", title));
    account
        .write(Kind::CustomObject, vec![order("Order o1")])
        .await;
    // No name is as long as a record may be.
    let long = "x".repeat(40_000);
    let outcomes = account.write(Kind::CustomObject, vec![order(&long)]).await;
    assert!(
        matches!(outcomes[0].status, Status::Rejected(_)),
        "{outcomes:?}"
    );
    let snapshot = account.snapshot();
    let there = snapshot.record_by_external_id("order", "old-desk:org1:custom-object:o1");
    assert_eq!(there.unwrap().name, "Order o1");
}

#[tokio::test]
async fn a_record_with_more_text_than_fits_keeps_what_fits_and_says_what_does_not() {
    let account = account().await;
    let text = |n: usize| "é\n".repeat(1_000 + 500 * n);
    let fields = (0..5).map(|n| {
        let name = format!("note{n}Txt");
        let at = account.field_at("custom-object:order", &name);
        field(&name, Value::Text(text(n)), at)
    });
    let data = CustomObject::of("order", "Order o1");
    let outcomes = account
        .write(
            Kind::CustomObject,
            vec![record("o1", fields.collect(), data)],
        )
        .await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    let snapshot = account.snapshot();
    let marker = "old-desk:org1:custom-object:o1";
    let there = snapshot.record_by_external_id("order", marker).unwrap();
    let stored = |n: usize| there.fields.get(&map::key(&format!("note{n}Txt"))).cloned();
    assert_eq!(
        stored(0),
        Some(text(0).into()),
        "the shortest is in its field"
    );
    let card = there.fields["transload_source_card"].as_str().unwrap();
    let moved: Vec<usize> = (0..5).filter(|n| stored(*n).is_none()).collect();
    assert!(!moved.is_empty());
    let said = |n: &usize| {
        let path = format!("fields.note{n}Txt");
        outcomes[0].losses.iter().any(|loss| loss.field == path)
    };
    assert!(moved.iter().all(said), "{:?}", outcomes[0].losses);
    assert!(card.contains("field note"), "{card}");
}

#[tokio::test]
async fn an_account_without_custom_objects_says_so_and_fields_of_theirs_are_exported() {
    let account = Account::new().await;
    let cx = account.harness().context();
    assert_eq!(Zendesk::survey(&cx).await.unwrap().support, None);

    let gone = Action::Status {
        status: 404,
        retry_after_s: None,
    };
    let faults = &account.sim.harness().faults;
    faults.add(Fault::always("*", "/api/v2/custom_objects/**", gone));
    let support = Zendesk::survey(&cx).await.unwrap().support.unwrap();
    let described = Zendesk::describe();
    let kinds = |all: &[KindSupport]| all.iter().map(|s| s.kind.clone()).collect::<Vec<_>>();
    let mut left = kinds(&described.kinds);
    left.retain(|kind| !matches!(kind, Kind::ObjectType | Kind::CustomObject));
    assert_eq!(kinds(&support.kinds), left);
    let of_objects = |f: &FieldFidelity| f.kind == Kind::CustomObject;
    assert!(described.fidelity.iter().any(of_objects));
    assert!(!support.fidelity.iter().any(of_objects));

    let of_order = Owner {
        kind: Kind::CustomObject,
        object_type: Some("order".to_owned()),
    };
    let field = definition(of_order, "total", "Total", FieldType::Decimal);
    let [outcome] = account
        .write(Kind::FieldDefinition, vec![field])
        .await
        .try_into()
        .unwrap();
    assert!(matches!(outcome.status, Status::Exported(_)), "{outcome:?}");
    assert_eq!(outcome.losses[0].how, Fidelity::Lost);
}
