//! Whose an account is, what it has, what the connector makes for itself; agents, teams and brands.

use crate::support::Stand as _;
use crate::support::doubt::every_loss_of_prepare;
use crate::support::{Portal, agent, assert_same, assert_undone, is_created, item, run, team};
use serde_json::{Value, json};
use transload_plugin_zoho_desk::ZohoDesk;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Status, UndoStatus};
use transload_sdk::session::Severity;
use transload_sdk::types::{Brand, Entity, Entry, Error, Head, Kind, Reference};
use transload_simulators::zoho_desk::{Edition, FieldKeys};

fn state(portal: &Portal) -> Value {
    serde_json::from_str(portal.state().unwrap()).unwrap()
}

fn brand(id: &str, name: &str) -> Item {
    let data = Brand {
        name: name.to_owned(),
        is_default: false,
        icon_url: None,
    };
    item(Entry {
        head: Head::new(Kind::Brand, id.to_owned()),
        data: Entity::Brand(data),
    })
}

#[test]
fn check_and_survey_say_what_there_is() {
    run(async {
        let portal = Portal::unprepared(|_| {});
        let harness = portal.harness();
        let account = ZohoDesk::check(&harness.context()).await.unwrap();
        assert_eq!(account.id, portal.sim.org_id());
        assert_eq!(account.missing, Vec::<String>::new());
        assert_eq!(account.notices, []);
        let survey = ZohoDesk::survey(&portal.harness().context()).await.unwrap();
        let status = survey
            .slots
            .iter()
            .find(|slot| slot.name == "status")
            .unwrap();
        let pair = |from: &str| {
            let pair = status.defaults.iter().find(|(of, _)| of == from);
            pair.map(|(_, to)| to.as_str())
        };
        assert_eq!(
            (pair("open"), pair("snoozed"), pair("closed")),
            (Some("Open"), Some("On Hold"), Some("Closed"))
        );
        assert!(
            status
                .values
                .iter()
                .any(|v| v.value == "Waiting on customer"),
            "{status:?}"
        );
        let tier = survey
            .fields
            .iter()
            .find(|field| field.label == "Loyalty tier")
            .unwrap();
        assert_eq!(tier.kind, Kind::Customer);
        let severity = survey
            .fields
            .iter()
            .find(|field| field.label == "Severity")
            .unwrap();
        assert_eq!(severity.options.len(), 2, "{severity:?}");
        assert!(
            severity.address.contains("Minor=Minor"),
            "{}",
            severity.address
        );
        let notice = |code: &str| survey.notices.iter().find(|n| n.code == code);
        assert_eq!(notice("imports").unwrap().severity, Severity::Info);
        assert!(notice("silence").is_some());
        let writes = harness
            .exchanges()
            .into_iter()
            .filter(|e| e.request.key.is_some())
            .count();
        assert_eq!(writes, 0);
    });
}

#[test]
fn settings_that_name_nobody_are_said_before_anything_is_planned() {
    run(async {
        let mut portal = Portal::unprepared(|_| {});
        portal.set("fallback_agent", "nobody@acme.example");
        portal.set("department", "No such department");
        let account = ZohoDesk::check(&portal.harness().context()).await.unwrap();
        let codes: Vec<&str> = account.notices.iter().map(|n| n.code.as_str()).collect();
        assert_eq!(codes, ["fallback-agent", "department"]);
        assert!(
            account
                .notices
                .iter()
                .all(|n| n.severity == Severity::Danger)
        );
        let prepared = ZohoDesk::prepare(&portal.harness().context()).await;
        assert!(matches!(prepared, Err(Error::Invalid(_))), "{prepared:?}");
    });
}

#[test]
fn what_is_prepared_is_taken_back() {
    run(async {
        let mut portal = Portal::unprepared(|_| {});
        let before = portal.print();
        portal.prepare().await;
        let state = state(&portal);
        assert_eq!(state["imports"], json!(true));
        assert_eq!(state["field_style"], json!("label"));
        portal.assert_silent();
        assert_undone(&portal.rollback(UndoMode::Careful).await, "");
        assert_same(&before, &portal.print(), "");
    });
}

#[test]
fn whatever_answer_of_the_preparation_is_lost_nothing_is_made_twice() {
    let count = run(every_loss_of_prepare(|| Portal::unprepared(|_| {}), 1));
    assert!(count > 0);
}

#[test]
fn without_the_imports_api_everything_is_prepared_all_the_same() {
    for status in [401, 403, 404] {
        run(async {
            let mut portal = Portal::unprepared(|config| {
                config.switches.imports_refused = Some(status);
            });
            let before = portal.print();
            portal.prepare().await;
            assert_eq!(state(&portal)["imports"], json!(false), "{status}");
            let survey = ZohoDesk::survey(&portal.harness().context()).await.unwrap();
            assert!(survey.notices.iter().any(|n| n.code == "no-imports"));
            assert_undone(&portal.rollback(UndoMode::Careful).await, "");
            assert_same(&before, &portal.print(), "");
        });
    }
}

#[test]
fn a_portal_whose_imports_name_fields_otherwise_is_found_out() {
    for (keys, refused, style) in [
        (FieldKeys::Label, true, "label"),
        (FieldKeys::ApiName, false, "api-name"),
        (FieldKeys::ApiName, true, "api-name"),
        (FieldKeys::Both, false, "api-name"),
    ] {
        run(async {
            let portal = Portal::switched(|switches| {
                switches.import_field_keys = keys;
                switches.import_unknown_field_refused = refused;
            })
            .await;
            assert_eq!(
                state(&portal)["field_style"],
                json!(style),
                "{keys:?} {refused}"
            );
        });
    }
}

#[test]
fn a_preparation_that_goes_on_after_everything_was_made_finds_out_the_same() {
    for (keys, style) in [
        (FieldKeys::Label, "label"),
        (FieldKeys::ApiName, "api-name"),
    ] {
        run(async {
            let mut portal = Portal::unprepared(|config| {
                config.switches.import_field_keys = keys;
            });
            // The fields of the contact that shows it are complete, and its process died before that was written down.
            portal.prepare().await;
            portal.prepare().await;
            assert_eq!(state(&portal)["field_style"], json!(style));
            // A later run.
            portal.sim.harness().clock.advance(900_000);
            portal.run = "r2".to_owned();
            portal.prepare().await;
            assert_eq!(state(&portal)["field_style"], json!(style));
            let contacts = portal.snapshot();
            let stand_ins = contacts.contacts().filter(|contact| {
                contact.text("lastName") == Some("Customer who was not migrated")
            });
            assert_eq!(stand_ins.count(), 1);
        });
    }
}

#[test]
fn agents_are_matched_and_never_made_and_join_the_teams_that_the_run_made() {
    run(async {
        let mut portal = Portal::unprepared(|_| {});
        let before = portal.print();
        portal.prepare().await;
        let teams = vec![team("t1", "Escalations"), team("t2", "Billing")];
        let made = portal.write(Kind::Team, teams).await;
        assert!(is_created(&made[0]), "{made:?}");
        assert!(matches!(made[1].status, Status::Matched), "{made:?}");
        let at = |id: &str| portal.known(Reference::new(Kind::Team, id));
        let agents = vec![
            agent(
                "a1",
                "Dana Dunn",
                "Dana@acme.example",
                vec![],
                vec![at("t1"), at("t2")],
            ),
            agent(
                "a2",
                "Gone Away",
                "gone@acme.example",
                vec![],
                vec![at("t1")],
            ),
            agent("a3", "Former Agent", "former@acme.example", vec![], vec![]),
        ];
        let agents = portal.matched(Kind::Agent, agents).await;
        let outcomes = portal.write(Kind::Agent, agents).await;
        assert_eq!(
            portal.snapshot().team("Escalations").unwrap().agents.len(),
            1
        );
        let target = |n: usize| outcomes[n].effects[0].target_id.clone();
        assert!(!target(0).starts_with("placeholder:"), "{outcomes:?}");
        assert!(
            target(1).ends_with(":Gone Away") && target(2).ends_with(":Former Agent"),
            "{outcomes:?}"
        );
        assert_undone(&portal.rollback(UndoMode::Careful).await, "");
        assert_same(&before, &portal.print(), "");
    });
}

#[test]
fn an_edition_without_teams_has_them_named_instead() {
    run(async {
        let portal = Portal::with(|config| config.edition = Edition::Standard).await;
        let made = portal
            .write(Kind::Team, vec![team("t1", "Escalations")])
            .await;
        assert!(matches!(made[0].status, Status::Exported(_)), "{made:?}");
    });
}

#[test]
fn brands_are_departments_that_are_there_or_are_made_where_that_is_said() {
    run(async {
        let portal = Portal::new().await;
        let items = vec![brand("b1", "Returns desk"), brand("b2", "New Brand")];
        let made = portal.write(Kind::Brand, items).await;
        assert!(matches!(made[0].status, Status::Matched), "{made:?}");
        assert!(matches!(made[1].status, Status::Exported(_)), "{made:?}");

        let mut portal = Portal::unprepared(|_| {});
        portal.set("create_departments", true);
        portal.prepare().await;
        let made = portal
            .write(Kind::Brand, vec![brand("b2", "New Brand")])
            .await;
        assert!(is_created(&made[0]), "{made:?}");
        let undone = portal.rollback(UndoMode::Careful).await;
        let stays = undone
            .iter()
            .find(|one| one.status == UndoStatus::Cannot)
            .unwrap();
        assert!(
            stays.reason.as_deref().unwrap().contains("switched off"),
            "{stays:?}"
        );
        assert!(!portal.snapshot().department("New Brand").unwrap().enabled);
    });
}
