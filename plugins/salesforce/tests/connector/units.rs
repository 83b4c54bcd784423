//! Units as a host runs them: the same way again from the journal, and ended without rejecting anybody where the org as a whole
//! says no (rules D-7, M-10).

use crate::support::Stand as _;
use crate::support::{Org, company, customer, object_type, team};
use transload_plugin_salesforce::Salesforce;
use transload_plugin_salesforce::state::State;
use transload_sdk::Destination as _;
use transload_sdk::destination::Item;
use transload_sdk::ledger::Status;
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::{Company, Customer, Error, Kind, Reference};

fn people(org: &Org) -> Vec<Item> {
    ["c1", "c2", "c3"]
        .map(|id| {
            let data = Customer {
                name: Some(id.to_owned()),
                company: Some(org.known(Reference::new(Kind::Company, "k1"))),
                ..Customer::empty()
            };
            customer(id, Vec::new(), data)
        })
        .to_vec()
}

#[tokio::test]
async fn a_unit_takes_the_same_way_when_it_gets_the_same_answers() {
    let org = Org::new().await;
    let units = |kind: &Kind| match kind {
        Kind::Team => vec![team("t1", "Night desk")],
        Kind::ObjectType => vec![object_type("order", "Order")],
        Kind::Company => vec![company("k1", Vec::new(), Company::called("Acme"))],
        _ => people(&org),
    };
    for kind in [Kind::Team, Kind::ObjectType, Kind::Company, Kind::Customer] {
        let items = units(&kind);
        let first = org.harness();
        Salesforce::write(&first.context(), kind.clone(), items.clone())
            .await
            .unwrap();
        let (cx, again) = first.replay();
        Salesforce::write(&cx, kind.clone(), items).await.unwrap();
        assert_eq!(first.same_way(&again), None, "{kind:?}");
    }
    let unprepared = Org::unprepared(|_| {});
    let first = unprepared.harness();
    Salesforce::prepare(&first.context()).await.unwrap();
    let (cx, again) = first.replay();
    Salesforce::prepare(&cx).await.unwrap();
    assert_eq!(first.same_way(&again), None, "prepare");
}

/// A platform that answers every write so.
fn saying(status: u16, body: &'static str) -> Harness {
    let state = serde_json::to_string(&State::default()).unwrap();
    Harness::new(move |_| std::future::ready(answer(status, body))).state(state)
}

#[tokio::test]
async fn a_full_quota_or_storage_ends_the_unit_and_rejects_nobody() {
    let full = r#"[{"success":false,"errors":[{"statusCode":"STORAGE_LIMIT_EXCEEDED","message":"storage limit exceeded","fields":[]}]}]"#;
    let quota =
        r#"[{"message":"TotalRequests Limit exceeded.","errorCode":"REQUEST_LIMIT_EXCEEDED"}]"#;
    for (status, body) in [(200, full), (403, quota)] {
        let harness = saying(status, body);
        let items = vec![company("k1", Vec::new(), Company::called("Acme"))];
        let ended = Salesforce::write(&harness.context(), Kind::Company, items).await;
        assert!(matches!(ended, Err(Error::Quota(_))), "{ended:?}");
        assert_eq!(harness.outcomes(), []);
    }
}

#[tokio::test]
async fn a_row_that_is_refused_is_rejected_with_the_orgs_words_and_the_others_pass() {
    let org = Org::new().await;
    let long = Customer {
        name: Some("x".to_owned()),
        company: Some(Reference::new(Kind::Company, "k9").at("001000000000000AAA")),
        ..Customer::empty()
    };
    let fine = Customer {
        name: Some("y".to_owned()),
        ..Customer::empty()
    };
    let items = vec![
        customer("c1", Vec::new(), long),
        customer("c2", Vec::new(), fine),
    ];
    let outcomes = org.write(Kind::Customer, items).await;
    let of = |key: &str| outcomes.iter().find(|o| o.item == key).unwrap();
    match &of("customer:c1").status {
        Status::Rejected(Error::Invalid(why)) => {
            assert_eq!(why.field.as_deref(), Some("AccountId"), "{why:?}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(of("customer:c2").status, Status::Created));
}
