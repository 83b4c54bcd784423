//! One customer and one thread, from nothing to nothing; the account, its calls.

use crate::support::*;
use transload_plugin_gorgias::Gorgias;
use transload_sdk::Destination as _;
use transload_sdk::destination::UndoMode;
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::session::Severity;
use transload_sdk::types::{Kind, Reference};
use transload_simulators::gorgias::{Preexisting, Services};

#[test]
fn a_customer_and_a_thread_arrive_and_are_taken_back() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.print();
        account.prepare().await;
        account.people().await;
        let outcomes = account
            .write(Kind::Conversation, vec![account.talk("v1")])
            .await;
        assert!(outcomes.iter().all(is_created), "{outcomes:?}");

        let bo = account.customer("c1");
        assert_eq!(bo.email.as_deref(), Some("bo@example.com"));
        let channels: Vec<(&str, &str)> = bo
            .channels
            .iter()
            .map(|c| (c.kind.as_str(), c.address.as_str()))
            .collect();
        assert_eq!(
            channels,
            [
                ("email", "bo@example.com"),
                ("email", "bo.ng@work.example"),
                ("phone", "+15555550123")
            ]
        );
        assert_eq!(
            (bo.language.as_deref(), bo.timezone.as_deref()),
            (Some("de"), Some("Europe/Zurich"))
        );

        let (ticket, messages) = account.ticket("v1");
        assert_eq!(ticket.customer_id, Some(bo.id));
        assert_eq!(ticket.status.as_str(), "closed");
        assert_eq!(ticket.created_at.timestamp(), DAY / 1_000);
        assert_eq!(ticket.closed_at.unwrap().timestamp(), DAY / 1_000 + 3_600);
        let said: Vec<(bool, bool, &str)> = messages
            .iter()
            .map(|m| {
                (
                    m.from_agent,
                    m.public,
                    m.body_text.as_deref().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(
            said.get(..2),
            Some(&[(false, true, "Where is it?"), (true, true, "On its way.")][..])
        );
        assert!(
            said[2].2.starts_with("[Migrated: source card]") && !said[2].1,
            "{said:?}"
        );
        assert_eq!(messages[0].sender_id, Some(bo.id));
        let dana = account
            .snapshot()
            .user_by_email("dana@acme.example")
            .unwrap()
            .id;
        assert_eq!(
            (messages[1].sender_id, messages[1].receiver_id),
            (Some(dana), Some(bo.id))
        );
        assert_eq!(messages[1].created_at.timestamp(), DAY / 1_000 + 60);
        assert!(
            account
                .snapshot()
                .tags_of(&ticket)
                .contains(&"imported-old-desk")
        );

        let preview = account.rollback(UndoMode::Preview).await;
        assert_undone(&preview, "preview");
        account.ticket("v1");
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.print(), "as it was");
    });
}

#[test]
fn a_thousand_threads_of_up_to_five_hundred_messages_take_a_call_each() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let items: Vec<_> = (0..50).map(|n| account.talk(&format!("v{n}"))).collect();
        let harness = account.harness();
        let outcomes = {
            let cx = harness.context();
            Gorgias::write(&cx, Kind::Conversation, items)
                .await
                .unwrap();
            cx.reported().await.unwrap();
            harness.outcomes()
        };
        assert!(outcomes.iter().all(is_created));
        // One more looks for what rules did to the first.
        assert_eq!(harness.exchanges().len(), 51);
    });
}

#[test]
fn the_account_is_known_by_its_domain_and_a_weak_role_is_said() {
    run(async {
        let account = Account::unprepared(|_| {});
        let harness = account.harness();
        let found = Gorgias::check(&harness.context()).await.unwrap();
        assert_eq!((found.id.as_str(), found.missing.len()), ("acme", 0));
        let weak = Account::unprepared(|config| config.key_role = "agent".to_owned());
        let harness = weak.harness();
        match Gorgias::check(&harness.context()).await {
            Ok(found) => assert_eq!(found.missing.len(), 1),
            Err(error) => assert!(
                matches!(error, transload_sdk::types::Error::Permission(_)),
                "{error:?}"
            ),
        }
    });
}

#[test]
fn a_fallback_agent_who_is_nobody_is_said_before_anything_is_planned() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        account.set("fallback_agent", "nobody@acme.example");
        let harness = account.harness();
        let found = Gorgias::check(&harness.context()).await.unwrap();
        assert!(
            found
                .notices
                .iter()
                .any(|n| n.code == "fallback-agent" && n.severity == Severity::Danger)
        );
        assert!(
            Gorgias::prepare(&account.harness().context())
                .await
                .is_err()
        );
    });
}

#[test]
fn rules_and_webhooks_that_are_on_stop_the_plan_and_those_that_are_off_do_not() {
    run(async {
        let codes = async |account: &Account| {
            let harness = account.harness();
            let found = Gorgias::survey(&harness.context()).await.unwrap();
            let danger = found
                .notices
                .into_iter()
                .filter(|n| n.severity == Severity::Danger);
            danger.map(|n| n.code).collect::<Vec<_>>()
        };
        let loud = Account::unprepared(|config| {
            config.preexisting = Preexisting::default();
        });
        let found = codes(&loud).await;
        assert!(found.iter().any(|code| code == "rule-runs"), "{found:?}");
        assert!(
            found.iter().any(|code| code == "webhook-fires"),
            "{found:?}"
        );
        let quiet = Account::unprepared(|config| config.preexisting.services = Services::none());
        assert_eq!(codes(&quiet).await, Vec::<String>::new());
    });
}

#[test]
fn what_rules_do_to_a_new_ticket_is_seen_and_said() {
    run(async {
        let account = Account::with(|config| config.preexisting.rules = true).await;
        account
            .trial
            .write(Kind::Customer, vec![customer("c1", vec![], bo())])
            .await;
        let outcomes = account
            .trial
            .write(Kind::Conversation, vec![account.talk("v1")])
            .await;
        assert!(!account.sim.automation_log().all().is_empty());
        let rule = |loss: &&transload_sdk::types::Loss| loss.note.contains("a rule of the account");
        assert!(
            outcomes[0].losses.iter().any(|loss| rule(&loss)),
            "{:?}",
            outcomes[0].losses
        );
    });
}

#[test]
fn what_the_connector_needs_is_found_again_by_the_next_run() {
    run(async {
        let mut account = Account::new().await;
        let first = account.print();
        account.prepare().await;
        assert_same(&first, &account.print(), "nothing new");
        account.run = "r2".to_owned();
        account.prepare().await;
        assert_same(&first, &account.print(), "nothing new");
        let own = account.effects_of("own:customer:stand-in");
        let actions: Vec<Action> = own.iter().map(|effect| effect.action).collect();
        assert_eq!(actions, [Action::Created, Action::Created, Action::Matched]);
    });
}

#[test]
fn agents_are_matched_by_address_or_stood_in_for_and_made_only_where_that_is_wanted() {
    run(async {
        let mut account = Account::new().await;
        let known = agent("a1", "Dana", "DANA@acme.example", vec![], vec![]);
        let former = agent("a2", "Ana: Ruiz", "ana@acme.example", vec![], vec![]);
        account
            .write(Kind::Agent, vec![known, former.clone()])
            .await;
        let dana = account
            .snapshot()
            .user_by_email("dana@acme.example")
            .unwrap()
            .id
            .to_string();
        assert_eq!(account.dana().target, Some(dana));
        let stood_in = account
            .known(Reference::new(Kind::Agent, "a2"))
            .target
            .unwrap();
        assert!(
            stood_in.starts_with("placeholder:") && stood_in.ends_with(":Ana: Ruiz"),
            "{stood_in}"
        );

        account.set("create_agents", true);
        let outcomes = account.trial.write(Kind::Agent, vec![former]).await;
        assert!(is_created(&outcomes[0]));
        assert_eq!(
            account.sim.outbox().all().len(),
            1,
            "an invitation, as declared"
        );
        let made = account
            .snapshot()
            .user_by_email("ana@acme.example")
            .unwrap()
            .clone();
        assert_eq!(
            (made.name.as_str(), made.role.as_str()),
            ("Ana: Ruiz", "basic-agent")
        );
        let undone = account.rollback(UndoMode::Careful).await;
        assert_undone(&undone, "rolled back");
        assert!(
            account
                .snapshot()
                .user_by_email("ana@acme.example")
                .is_none()
        );
    });
}

#[test]
fn a_user_or_team_that_others_gave_work_to_stays() {
    run(async {
        let mut account = Account::new().await;
        account.set("create_agents", true);
        account
            .trial
            .write(
                Kind::Agent,
                vec![agent("a2", "Ana", "ana@acme.example", vec![], vec![])],
            )
            .await;
        account
            .trial
            .write(Kind::Team, vec![team("t1", "Second level")])
            .await;
        let snapshot = account.snapshot();
        let ana = snapshot.user_by_email("ana@acme.example").unwrap().id;
        let team = snapshot
            .teams
            .iter()
            .find(|team| team.name == "Second level")
            .unwrap()
            .id;
        let old = snapshot.tickets[0].id;
        account
            .sim
            .edit_ticket(old, |ticket| {
                ticket.assignee_user_id = Some(ana);
                ticket.assignee_team_id = Some(team);
            })
            .unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let conflicts = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .count();
        assert_eq!(conflicts, 2, "{undone:?}");
        assert_undone(&account.rollback(UndoMode::Force).await, "by force");
    });
}

#[test]
fn teams_are_found_by_name_and_a_new_one_has_its_members() {
    run(async {
        let mut account = Account::unprepared(|_| {});
        let before = account.print();
        account.prepare().await;
        account.people().await;
        let mut new = team("t2", "Second level");
        if let Some(transload_sdk::types::Entity::Team(data)) =
            new.body.entries.first_mut().map(|entry| &mut entry.data)
        {
            data.members = vec![account.dana(), Reference::new(Kind::Agent, "a9")];
        }
        let outcomes = account
            .write(Kind::Team, vec![team("t1", "Billing"), new])
            .await;
        assert!(matches!(outcomes[0].status, Status::Matched));
        assert!(is_created(&outcomes[1]));
        assert_eq!(outcomes[1].losses.len(), 1);
        let snapshot = account.snapshot();
        let made = snapshot
            .teams
            .iter()
            .find(|team| team.name == "Second level")
            .unwrap();
        assert_eq!(
            made.members,
            [snapshot.user_by_email("dana@acme.example").unwrap().id]
        );
        assert_undone(&account.rollback(UndoMode::Careful).await, "rolled back");
        assert_same(&before, &account.print(), "as it was");
    });
}

#[test]
fn tags_keep_their_letters_and_one_that_others_use_stays() {
    run(async {
        let account = Account::new().await;
        account.people().await;
        let tag = |id: &str, name: &str| {
            let data = transload_sdk::types::Tag {
                name: name.to_owned(),
                color: Some("#F58D86".to_owned()),
            };
            item(entry(
                Kind::Tag,
                id,
                vec![],
                transload_sdk::types::Entity::Tag(data),
            ))
        };
        let long = "x".repeat(300);
        let outcomes = account
            .write(
                Kind::Tag,
                vec![
                    tag("g1", "VIP"),
                    tag("g2", "vip"),
                    tag("g3", &long),
                    tag("g4", "before-migration"),
                    tag("g5", ""),
                ],
            )
            .await;
        let made: Vec<bool> = outcomes.iter().map(is_created).collect();
        assert_eq!(made, [true, true, true, false, false]);
        assert!(matches!(outcomes[4].status, Status::Exported(_)));
        let mut talk = account.talk("v1");
        let tags = ["g1", "g2", "g3", "g4"].map(|id| account.known(Reference::new(Kind::Tag, id)));
        if let Some(transload_sdk::types::Entity::Conversation(data)) =
            talk.body.entries.first_mut().map(|entry| &mut entry.data)
        {
            data.tags = tags.to_vec();
            data.tags
                .push(Reference::new(Kind::Tag, "g9").called("not here"));
        }
        account.write(Kind::Conversation, vec![talk]).await;
        let (ticket, _) = account.ticket("v1");
        let snapshot = account.snapshot();
        let names = snapshot.tags_of(&ticket);
        assert_eq!(names.len(), 5, "{names:?}");
        assert!(
            names.contains(&"VIP") && names.contains(&"vip") && names.contains(&"before-migration")
        );

        let vip = snapshot.tag("VIP").unwrap().id;
        account.sim.tag_ticket(snapshot.tickets[0].id, vip).unwrap();
        let undone = account.rollback(UndoMode::Careful).await;
        let conflicts: Vec<_> = undone
            .iter()
            .filter(|o| o.status == UndoStatus::Conflict)
            .collect();
        assert_eq!(conflicts.len(), 1, "{undone:?}");
        assert!(account.snapshot().tag("VIP").is_some() && account.snapshot().tag("vip").is_none());
    });
}
