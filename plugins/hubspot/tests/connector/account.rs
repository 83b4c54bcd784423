//! The account: what `check` and `survey` say of it, what is prepared, and what a rollback takes back.

use crate::support::Stand as _;
use crate::support::doubt::every_loss_of_prepare;
use crate::support::{Portal, agent, assert_same, assert_undone, team};
use transload_plugin_hubspot::HubSpot;
use transload_plugin_hubspot::own;
use transload_plugin_hubspot::state::State;
use transload_sdk::Destination as _;
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::{Action, Status};
use transload_sdk::session::Severity;
use transload_sdk::types::Kind;
use transload_sdk::words::placeholder_name;
use transload_simulators::hubspot::model::TypeId;
use transload_simulators::hubspot::{Plan, TicketTimes};

fn state(portal: &Portal) -> State {
    serde_json::from_str(portal.state().unwrap()).unwrap()
}

#[tokio::test]
async fn prepare_makes_its_properties_and_pipeline_once_and_a_rollback_takes_them_back() {
    let mut portal = Portal::unprepared(|_| {});
    let before = portal.sim.state_fingerprint();
    portal.prepare().await;
    let snapshot = portal.snapshot();
    let contacts = &snapshot.types[&TypeId::CONTACT].properties;
    assert!(contacts[own::SOURCE_ID].unique);
    assert_eq!(contacts[own::TAGS].field_type, "checkbox");
    let pipelines = &snapshot.pipelines[&TypeId::TICKET];
    assert!(
        pipelines
            .values()
            .any(|pipeline| pipeline.label == "Transload")
    );
    let whole = portal.sim.state_fingerprint();
    portal.prepare().await;
    assert_same(&whole, &portal.sim.state_fingerprint(), "prepared twice");
    let undone = portal.rollback(UndoMode::Careful).await;
    assert_undone(&undone, "");
    assert_same(&before, &portal.sim.state_fingerprint(), "taken back");
}

#[tokio::test]
async fn the_next_run_after_a_rollback_has_other_names_since_deleted_ones_stay_taken() {
    let portal = Portal::new().await;
    portal.rollback(UndoMode::Careful).await;
    let mut again = Portal {
        trial: portal.renewed(),
        sim: portal.sim.clone(),
    };
    again.run = "r2".to_owned();
    again.prepare().await;
    let state = state(&again);
    assert_eq!(
        state.name("contacts", own::SOURCE_ID),
        Some("transload_source_id_2")
    );
    assert_eq!(
        state.marks("contacts").unwrap().marker,
        "transload_source_id_2"
    );
}

#[tokio::test]
async fn every_request_of_prepare_may_lose_its_answer() {
    let count = every_loss_of_prepare(|| Portal::unprepared(|_| {}), 1).await;
    assert!(count > 0);
}

#[tokio::test]
async fn activities_are_marked_uniquely_only_where_hubspot_lets_us() {
    let plain = Portal::new().await;
    assert!(state(&plain).marks("emails").is_none());
    assert!(state(&plain).name("emails", own::SOURCE_ID).is_some());
    let unique = Portal::with(|config| config.switches.unique_on_activities = true).await;
    assert!(state(&unique).marks("emails").is_some());
}

#[tokio::test]
async fn the_times_that_tickets_take_are_found_out() {
    for (times, takes) in [
        (TicketTimes::ReadOnly, false),
        (TicketTimes::Writable, true),
    ] {
        let portal = Portal::with(|config| config.switches.ticket_createdate = times).await;
        assert_eq!(state(&portal).ticket_createdate, takes);
        let report = HubSpot::survey(&portal.harness().context()).await.unwrap();
        let kinds = report.support.map(|support| support.kinds);
        let keeps = kinds.map(|kinds| {
            let tickets = kinds
                .into_iter()
                .find(|kind| kind.kind == Kind::Conversation);
            tickets.unwrap().keeps_created_at
        });
        assert_eq!(keeps.unwrap_or(true), takes);
    }
}

#[tokio::test]
async fn a_full_plan_uses_the_accounts_pipeline_and_the_survey_says_so() {
    let portal = Portal::unprepared(|config| config.plan = Plan::Starter);
    let report = HubSpot::survey(&portal.harness().context()).await.unwrap();
    assert!(
        report
            .notices
            .iter()
            .all(|notice| notice.code != "pipelines")
    );
    let mut portal = Portal::unprepared(|config| config.plan = Plan::Free);
    // A plan of ten properties has no room for ours, which is another matter.
    portal.sim.set_up(|config| config.plan = Plan::Free);
    let report = HubSpot::survey(&portal.harness().context()).await.unwrap();
    let full = report
        .notices
        .iter()
        .find(|notice| notice.code == "pipelines");
    assert_eq!(full.unwrap().severity, Severity::Danger);
    portal.set("pipeline", "Support Pipeline");
    let report = HubSpot::survey(&portal.harness().context()).await.unwrap();
    assert!(
        report
            .notices
            .iter()
            .all(|notice| notice.code != "pipelines")
    );
}

#[tokio::test]
async fn a_named_pipeline_has_its_own_stages_and_one_that_is_not_there_stops_the_run() {
    let mut portal = Portal::unprepared(|_| {});
    portal.set("pipeline", "support pipeline");
    portal.prepare().await;
    let stages = state(&portal).stages;
    assert_eq!(stages["open"].id, "1");
    assert_eq!(stages["snoozed"].id, "2");
    assert!(stages["closed"].closed && stages["closed"].id == "4");
    assert_eq!(stages["open"].pipeline, "0");
    let mut portal = Portal::unprepared(|_| {});
    portal.set("pipeline", "nothing");
    let error = HubSpot::prepare(&portal.harness().context())
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("nothing"), "{error:?}");
}

#[tokio::test]
async fn the_check_says_whose_the_credential_is_and_what_it_lacks() {
    let scopes = [
        "oauth",
        "crm.objects.contacts.read",
        "crm.schemas.contacts.read",
    ];
    let portal = Portal::unprepared(|config| config.scopes = scopes.map(str::to_owned).to_vec());
    let account = HubSpot::check(&portal.harness().context()).await.unwrap();
    assert_eq!(account.id, "44218907");
    assert_eq!(account.tier.as_deref(), Some("Enterprise (standard)"));
    for scope in [
        "tickets",
        "crm.objects.companies.read",
        "crm.objects.owners.read",
        "files",
    ] {
        assert!(
            account.missing.iter().any(|m| m == scope),
            "{:?}",
            account.missing
        );
    }
    assert!(
        !account.missing.iter().any(|m| m.contains("contacts")),
        "{:?}",
        account.missing
    );
    let danger = account
        .notices
        .iter()
        .find(|notice| notice.code == "scopes");
    assert_eq!(danger.unwrap().severity, Severity::Danger);
    let whole = Portal::unprepared(|_| {});
    let account = HubSpot::check(&whole.harness().context()).await.unwrap();
    assert_eq!(account.missing, Vec::<String>::new());
}

#[tokio::test]
async fn the_survey_offers_slots_agents_fields_and_limits() {
    let portal = Portal::unprepared(|_| {});
    let report = HubSpot::survey(&portal.harness().context()).await.unwrap();
    let slot = |name: &str| report.slots.iter().find(|slot| slot.name == name).unwrap();
    let status = slot("status");
    assert!(status.values.iter().any(|option| option.value == "0/4"));
    assert!(
        status
            .defaults
            .contains(&("closed".to_owned(), "closed".to_owned()))
    );
    assert!(
        slot("priority")
            .defaults
            .contains(&("5/1..5".to_owned(), "URGENT".to_owned()))
    );
    assert!(
        slot("channel")
            .defaults
            .contains(&("email".to_owned(), "EMAIL".to_owned()))
    );
    let left = report
        .agents
        .iter()
        .find(|agent| agent.email.as_deref() == Some("left@acme.example"));
    assert!(!left.unwrap().active);
    let addresses: Vec<&str> = report.fields.iter().map(|f| f.address.as_str()).collect();
    assert!(
        addresses.iter().any(|a| a.starts_with("tickets.region:")),
        "{addresses:?}"
    );
    let allowance = |name: &str| report.allowances.iter().find(|a| a.name == name).unwrap();
    assert_eq!(allowance("custom objects").limit, Some(10));
    assert_eq!(allowance("requests a day").limit, Some(1_000_000));
    assert!(
        report.counts.contains(&(Kind::Customer, 2)),
        "{:?}",
        report.counts
    );
    assert_eq!(portal.harness().exchanges().len(), 0);
}

#[tokio::test]
async fn an_account_without_custom_objects_says_so() {
    let portal = Portal::unprepared(|config| config.plan = Plan::Professional);
    let report = HubSpot::survey(&portal.harness().context()).await.unwrap();
    let kinds = report.support.unwrap().kinds;
    assert!(kinds.iter().all(|kind| kind.kind != Kind::CustomObject));
    assert!(
        report
            .notices
            .iter()
            .any(|notice| notice.code == "custom-objects")
    );
}

#[tokio::test]
async fn owners_and_teams_are_matched_and_who_has_none_is_named() {
    let portal = Portal::new().await;
    let outcomes = portal
        .write(
            Kind::Team,
            vec![team("t1", "billing"), team("t2", "Nobody's")],
        )
        .await;
    assert!(matches!(outcomes[0].status, Status::Matched));
    assert!(matches!(outcomes[1].status, Status::Exported(_)));
    let items = vec![
        agent("a1", "Dana", "DANA@acme.example", Vec::new(), Vec::new()),
        agent(
            "a2",
            "Lea Left",
            "left@acme.example",
            Vec::new(),
            Vec::new(),
        ),
    ];
    let items = portal.matched(Kind::Agent, items).await;
    let outcomes = portal.write(Kind::Agent, items).await;
    assert_eq!(outcomes[0].effects[0].target_kind, "owner");
    assert_eq!(outcomes[0].effects[0].action, Action::Matched);
    // One who has left can have no ticket (HubSpot facts §15).
    assert_eq!(
        placeholder_name(&outcomes[1].effects[0].target_id),
        Some("Lea Left")
    );
}

#[tokio::test]
async fn a_stand_in_is_named_by_address_and_must_be_there() {
    let mut portal = Portal::unprepared(|_| {});
    portal.set("fallback_owner", "Dana@acme.example");
    portal.prepare().await;
    let dana = portal.snapshot();
    let dana = dana
        .owners
        .values()
        .find(|owner| owner.email == "dana@acme.example")
        .unwrap();
    assert_eq!(state(&portal).stand_in, dana.id.to_string());
    let mut portal = Portal::unprepared(|_| {});
    portal.set("fallback_owner", "left@acme.example");
    let account = HubSpot::check(&portal.harness().context()).await.unwrap();
    assert!(
        account
            .notices
            .iter()
            .any(|n| n.code == "fallback-owner" && n.severity == Severity::Danger)
    );
    assert!(HubSpot::prepare(&portal.harness().context()).await.is_err());
}
