//! What is said of an account before anything is written to it.

use crate::support::Account;
use crate::support::Stand as _;
use transload_plugin_zendesk::Zendesk;
use transload_plugin_zendesk::state::State;
use transload_sdk::Destination;
use transload_sdk::session::Severity;
use transload_sdk::types::Error;

fn dana(account: &Account) -> u64 {
    let snapshot = account.snapshot();
    snapshot.user_by_email("dana@acme.example").unwrap().id
}

async fn dangers(account: &Account) -> Vec<String> {
    let checked = Zendesk::check(&account.harness().context()).await.unwrap();
    assert_eq!(checked.missing, Vec::<String>::new());
    let danger = checked
        .notices
        .into_iter()
        .filter(|n| n.severity == Severity::Danger);
    danger.map(|notice| notice.message).collect()
}

#[tokio::test]
async fn a_fallback_agent_is_found_by_address_in_any_case_or_by_id() {
    let mut account = Account::unprepared(|_| {});
    let dana = dana(&account);
    for wanted in ["Dana@ACME.example".to_owned(), dana.to_string()] {
        account.set("fallback_agent", wanted);
        assert_eq!(dangers(&account).await, Vec::<String>::new());
        let state = Zendesk::prepare(&account.harness().context())
            .await
            .unwrap();
        let state: State = serde_json::from_str(&state).unwrap();
        assert_eq!(state.stand_in, dana);
    }
}

#[tokio::test]
async fn a_fallback_agent_who_cannot_stand_in_is_a_danger_that_names_the_setting() {
    let mut account = Account::unprepared(|_| {});
    let dana = dana(&account);
    account
        .sim
        .edit_user(dana, |user| user.suspended = true)
        .unwrap();
    // Nobody, a customer, and an agent who is suspended.
    for wanted in [
        "nobody@acme.example",
        "old.customer@example.com",
        "dana@acme.example",
    ] {
        account.set("fallback_agent", wanted);
        let said = dangers(&account).await;
        assert_eq!(said.len(), 1, "{wanted}: {said:?}");
        assert!(said[0].contains(wanted), "{said:?}");
        let refused = Zendesk::prepare(&account.harness().context()).await;
        assert!(
            matches!(&refused, Err(Error::Invalid(why)) if why.reason.contains(wanted)),
            "{refused:?}"
        );
    }
    let none = Account::unprepared(|_| {});
    assert_eq!(dangers(&none).await, Vec::<String>::new());
}
