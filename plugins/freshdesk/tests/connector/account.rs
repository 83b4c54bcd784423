//! The account before anything is written: what `check` and `survey` say of it, and what `prepare` makes.

use crate::support::Stand as _;
use crate::support::{Account, assert_same, assert_undone};
use transload_plugin_freshdesk::Freshdesk;
use transload_sdk::Destination;
use transload_sdk::destination::{SurveyReport, UndoMode};
use transload_sdk::session::Severity;
use transload_sdk::testing::items::customer;
use transload_sdk::testing::{Harness, answer};
use transload_sdk::types::{Customer, Error, Kind};
use transload_simulators::freshdesk::{ChannelApi, FieldPaths, Plan};

async fn surveyed(account: &Account) -> SurveyReport {
    let harness = account.harness();
    let report = Freshdesk::survey(&harness.context()).await.unwrap();
    let mutating = harness
        .exchanges()
        .into_iter()
        .filter(|e| e.request.method != "GET");
    assert_eq!(mutating.count(), 0, "a survey reads only");
    report
}

fn codes(report: &SurveyReport) -> Vec<&str> {
    report.notices.iter().map(|n| n.code.as_str()).collect()
}

#[tokio::test]
async fn an_account_is_its_domain_and_an_agent_who_is_no_administrator_lacks_a_right() {
    for admin in [true, false] {
        let account = Account::unprepared(|config| config.key_is_admin = admin);
        let harness = account.harness();
        let found = Freshdesk::check(&harness.context()).await.unwrap();
        assert_eq!(found.id, "acme");
        assert_eq!(found.missing.is_empty(), admin, "{:?}", found.missing);
        assert!(!found.roles.is_empty());
    }
}

#[tokio::test]
async fn a_key_that_is_nobodys_pauses_the_connection() {
    let harness = Harness::new(|_| {
        let body = r#"{"code":"invalid_credentials","message":"You have to be logged in."}"#;
        std::future::ready(answer(401, body))
    })
    .config(&serde_json::json!({"domain": "acme"}));
    let error = Freshdesk::check(&harness.context()).await.unwrap_err();
    assert!(matches!(error, Error::Auth(_)), "{error:?}");
}

#[tokio::test]
async fn a_fallback_agent_who_is_nobody_is_said_before_anything_is_planned() {
    for (named, wrong) in [("dana@acme.example", false), ("nobody@acme.example", true)] {
        let mut account = Account::unprepared(|_| {});
        account.set("fallback_agent", named);
        let harness = account.harness();
        let found = Freshdesk::check(&harness.context()).await.unwrap();
        let danger = |n: &&transload_sdk::session::Notice| n.severity == Severity::Danger;
        assert_eq!(found.notices.iter().any(|n| danger(&n)), wrong);
        let prepared = Freshdesk::prepare(&account.harness().context()).await;
        assert_eq!(prepared.is_err(), wrong, "{prepared:?}");
    }
}

#[tokio::test]
async fn the_plan_says_whether_times_are_kept_and_the_run_does_as_it_says() {
    let positions = [
        (ChannelApi::Open, "auto", true),
        (ChannelApi::Open, "never", false),
        (ChannelApi::Refused(401), "auto", false),
        (ChannelApi::Refused(403), "auto", false),
        (ChannelApi::Refused(404), "auto", false),
    ];
    for (position, setting, there) in positions {
        let mut account = Account::unprepared(|config| config.channel_api = position);
        account.set("channel_api", setting);
        let report = surveyed(&account).await;
        let said = codes(&report).contains(&"channel-api");
        assert_eq!(said, there, "{position:?}");
        assert_eq!(
            codes(&report).contains(&"no-channel-api"),
            !there,
            "{position:?}"
        );
        account.prepare().await;
        assert_eq!(account.prepared().channel, there, "{position:?}");
        let tickets = account.snapshot().tickets;
        assert!(
            tickets.iter().all(|t| t.import_id.is_none()),
            "the probe makes nothing"
        );
    }
}

#[tokio::test]
async fn a_survey_names_required_fields_slots_and_what_the_plan_lacks() {
    let account = Account::unprepared(|config| {
        config.plan = Plan::Growth;
        config.preexisting.required_fields = true;
    });
    let report = surveyed(&account).await;
    let required = codes(&report)
        .iter()
        .filter(|code| **code == "required-field")
        .count();
    assert_eq!(required, 2, "{:?}", report.notices);
    let support = report.support.unwrap();
    assert!(support.kinds.iter().all(|k| k.kind != Kind::ObjectType));
    let status = report
        .slots
        .iter()
        .find(|slot| slot.name == "status")
        .unwrap();
    let values: Vec<&str> = status.values.iter().map(|v| v.value.as_str()).collect();
    for value in ["2", "3", "4", "5"] {
        assert!(values.contains(&value), "{values:?}");
    }
    for slot in &report.slots {
        for (_, value) in &slot.defaults {
            assert!(
                slot.values.iter().any(|v| v.value == *value),
                "{} {value}",
                slot.name
            );
        }
    }
    assert!(
        report
            .agents
            .iter()
            .any(|a| a.email.as_deref() == Some("dana@acme.example"))
    );
    let bytes = report
        .allowances
        .iter()
        .find(|a| a.name == "file-bytes")
        .unwrap();
    assert_eq!(bytes.limit, Some(20 * 1024 * 1024));
}

#[tokio::test]
async fn what_prepare_makes_is_found_the_next_time_and_taken_back_by_whoever_made_it() {
    for paths in [FieldPaths::Plain, FieldPaths::Admin, FieldPaths::Both] {
        let mut account = Account::unprepared(|config| config.switches.field_paths = paths);
        let before = account.sim.state_fingerprint();
        account.prepare().await;
        let state = account.prepared();
        assert_eq!(state.ticket_fields.len(), 6);
        assert!(!state.earlier);
        let after = account.sim.state_fingerprint();
        let harness = account.harness();
        // The probe alone, which makes nothing.
        assert_eq!(account.prepare_on(harness).await, 1, "{paths:?}");
        assert_same(&after, &account.sim.state_fingerprint(), "the same run");
        assert_undone(&account.rollback(UndoMode::Careful).await, "");
        assert_same(
            &before,
            &account.sim.state_fingerprint(),
            &format!("{paths:?}"),
        );
    }
}

#[tokio::test]
async fn a_later_run_knows_that_an_earlier_one_was_here() {
    let mut account = Account::new().await;
    account.run = "r2".to_owned();
    account.prepare().await;
    assert!(account.prepared().earlier);
}

#[tokio::test]
async fn a_plan_without_contact_fields_takes_people_all_the_same() {
    let mut account = Account::unprepared(|config| config.plan = Plan::Free);
    let before = account.sim.state_fingerprint();
    account.prepare().await;
    let state = account.prepared();
    assert!(state.contact_fields.is_empty() && !state.ticket_fields.is_empty());
    let ana = Customer {
        name: Some("Ana".to_owned()),
        merged_from: vec!["c0".to_owned()],
        ..Customer::empty()
    };
    account
        .write(Kind::Customer, vec![customer("c1", Vec::new(), ana)])
        .await;
    let snapshot = account.snapshot();
    let contact = snapshot
        .contact_by_external_id("old-desk:org1:customer:c1")
        .unwrap();
    let card = contact.description.as_deref().unwrap();
    assert!(card.contains("merged ids: c0"), "{card}");
    assert_undone(&account.rollback(UndoMode::Careful).await, "");
    assert_same(&before, &account.sim.state_fingerprint(), "");
}
