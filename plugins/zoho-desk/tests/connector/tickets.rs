//! What a later run changes in tickets and adds to them, and what an undo leaves.
use crate::support::*;
use transload_plugin_zoho_desk::ZohoDesk;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, UndoMode, Undoing};
use transload_sdk::ledger::{Action, Status, UndoOutcome, UndoStatus};
use transload_sdk::types::Kind;
use transload_simulators::zoho_desk::model::{Module, Record};

#[test]
fn a_later_run_adds_what_was_said_since_and_changes_what_changed_and_an_undo_puts_it_back() {
    run(async {
        for imports in [true, false] {
            let mut portal = if imports {
                Portal::new().await
            } else {
                Portal::without_imports().await
            };
            portal.people().await;
            let made = portal
                .write(Kind::Conversation, vec![portal.talk("v1")])
                .await;
            assert!(is_created(&made[0]), "{made:?}");
            let first = portal.effects_of("conversation:v1").len();
            let before = portal.ticket("v1");
            let (mails, comments) = (portal.threads(before.id), portal.comments(before.id));
            // Another run.
            portal.run = "r2".to_owned();
            let item = portal.continued("v1");
            let outcomes = portal.write(Kind::Conversation, vec![item]).await;
            assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
            let now = portal.ticket("v1");
            assert_eq!(now.id, before.id);
            assert_eq!(now.text("subject"), Some("another subject"));
            assert_eq!(now.text("status"), Some("Open"));
            let added = portal.threads(now.id).len() + portal.comments(now.id).len();
            assert_eq!(
                added,
                mails.len() + comments.len() + 2,
                "imports: {imports}"
            );
            assert_eq!(portal.files(now.id).len(), 1);
            if imports {
                let last = portal.threads(now.id).pop().unwrap();
                assert_eq!(last.created_at.timestamp_millis(), DAY + 7_000_000);
            }
            // Once more, and nothing happens.
            let item = Item {
                prior: portal.again(&portal.talk("v1")).prior,
                ..portal.continued("v1")
            };
            let outcomes = portal.write(Kind::Conversation, vec![item]).await;
            assert_eq!(outcomes[0].status, Status::Matched, "{outcomes:?}");
            let undone = portal
                .undo_from(
                    "conversation:v1",
                    first,
                    UndoMode::Careful,
                    portal.harness(),
                )
                .await;
            let now = portal.ticket("v1");
            assert_eq!(now.text("subject"), Some("subject of v1"));
            assert_eq!(now.text("status"), Some("Closed"));
            assert_eq!(portal.comments(now.id).len(), comments.len());
            assert_eq!(portal.files(now.id), []);
            // A thread that was added cannot be taken away again, and that is said.
            let cannot = undone
                .iter()
                .filter(|one| one.status == UndoStatus::Cannot)
                .count();
            assert_eq!(cannot, usize::from(imports), "{undone:?}");
        }
    });
}

#[test]
fn what_somebody_changed_here_stays_when_a_later_run_changes_the_rest() {
    run(async {
        let mut portal = Portal::new().await;
        portal.people().await;
        portal
            .write(Kind::Conversation, vec![portal.talk("v1")])
            .await;
        let ticket = portal.ticket("v1");
        set(&portal, ticket.id, "subject", "theirs");
        portal.run = "r2".to_owned();
        let item = portal.continued("v1");
        let outcomes = portal.write(Kind::Conversation, vec![item]).await;
        assert_eq!(outcomes[0].status, Status::Updated, "{outcomes:?}");
        let now = portal.ticket("v1");
        assert_eq!(now.text("subject"), Some("theirs"));
        assert_eq!(now.text("status"), Some("Open"));
    });
}

#[test]
fn a_thread_that_did_not_change_is_left_and_so_is_one_that_another_project_loaded() {
    run(async {
        let mut portal = Portal::new().await;
        portal.people().await;
        portal
            .write(Kind::Conversation, vec![portal.talk("v1")])
            .await;
        let before = portal.print();
        portal.run = "r2".to_owned();
        let item = portal.again(&portal.talk("v1"));
        let outcomes = portal.write(Kind::Conversation, vec![item]).await;
        assert_eq!(outcomes[0].status, Status::Matched);
        assert_same(&before, &portal.print(), "left");
    });
}

#[test]
fn a_rollback_leaves_the_portal_as_it_was() {
    run(async {
        for imports in [true, false] {
            let mut portal = Portal::unprepared(|config| {
                config.switches.imports_refused = (!imports).then_some(404);
            });
            let before = portal.print();
            portal.prepare().await;
            portal.people().await;
            let items = (0..3).map(|n| portal.talk(&format!("v{n}"))).collect();
            let made = portal.write(Kind::Conversation, items).await;
            assert!(made.iter().all(is_created), "{made:?}");
            let preview = portal.rollback(UndoMode::Preview).await;
            assert_undone(&preview, "preview");
            assert_eq!(
                portal
                    .marked(Module::Tickets, "old-desk:org1:conversation:v0")
                    .len(),
                1
            );
            assert_undone(&portal.rollback(UndoMode::Careful).await, "rolled back");
            assert_same(&before, &portal.print(), "as it was");
        }
    });
}

/// Somebody changes a ticket.
fn set(portal: &Portal, id: u64, name: &str, value: &str) {
    let change = |record: &mut Record| {
        record.values.insert(name.to_owned(), value.into());
    };
    portal.sim.edit_record(id, change).unwrap();
}

/// What became of the tickets themselves.
fn of_tickets(portal: &Portal, undone: &[UndoOutcome], id: &str) -> UndoStatus {
    let effects = portal.effects_of(&format!("conversation:{id}"));
    assert_eq!(effects.last().unwrap().part, "main");
    let reason = undone.iter().map(|one| one.status).collect::<Vec<_>>();
    let conflict = reason.contains(&UndoStatus::Conflict);
    if conflict {
        UndoStatus::Conflict
    } else {
        UndoStatus::Undone
    }
}

#[test]
fn a_ticket_that_somebody_changed_or_wrote_in_stays_unless_it_is_forced() {
    run(async {
        type Touch = fn(&Portal, u64);
        let touches: [(&str, Touch); 4] = [
            ("subject", |portal, id| {
                set(portal, id, "subject", "mine now");
            }),
            ("comment", |portal, id| {
                let dana = portal.dana().target.unwrap().parse().unwrap();
                portal.sim.add_comment(id, dana, "a colleague's").unwrap();
            }),
            ("mail", |portal, id| {
                let from = "bo@example.com";
                let text = "a customer's answer";
                portal.sim.receive_mail(from, Some(id), text).unwrap();
            }),
            ("status", |portal, id| {
                set(portal, id, "status", "Open");
            }),
        ];
        for (case, touch) in touches {
            let portal = Portal::new().await;
            portal.people().await;
            portal
                .write(
                    Kind::Conversation,
                    vec![portal.talk("v1"), portal.talk("v2")],
                )
                .await;
            let ticket = portal.ticket("v1");
            touch(&portal, ticket.id);
            let undone = portal.rollback(UndoMode::Careful).await;
            assert_eq!(
                of_tickets(&portal, &undone, "v1"),
                UndoStatus::Conflict,
                "{case}"
            );
            // The ticket stays whole, and the other one goes.
            assert_eq!(
                portal.threads(ticket.id).len(),
                if case == "mail" { 3 } else { 2 },
                "{case}"
            );
            assert!(
                portal
                    .marked(Module::Tickets, "old-desk:org1:conversation:v2")
                    .is_empty()
            );
            portal.rollback(UndoMode::Force).await;
            assert!(
                portal
                    .marked(Module::Tickets, "old-desk:org1:conversation:v1")
                    .is_empty()
            );
        }
    });
}

#[test]
fn a_ticket_in_the_bin_is_gone_and_without_purge_it_stays_there() {
    run(async {
        let mut portal = Portal::new().await;
        portal.set("purge", false);
        portal.people().await;
        portal
            .write(
                Kind::Conversation,
                vec![portal.talk("v1"), portal.talk("v2")],
            )
            .await;
        let ticket = portal.ticket("v1");
        portal.sim.trash_record(ticket.id).unwrap();
        let undone = portal.rollback(UndoMode::Careful).await;
        assert_undone(&undone, "rolled back");
        assert!(undone.iter().any(|one| one.status == UndoStatus::Gone));
        let snapshot = portal.snapshot();
        let in_bin = snapshot
            .records
            .values()
            .filter(|r| r.module == Module::Tickets && r.trashed.is_some());
        assert_eq!(in_bin.count(), 2);
    });
}

#[test]
fn more_tickets_than_one_request_takes_are_undone_in_chunks() {
    run(async {
        let portal = Portal::new().await;
        portal.people().await;
        let items: Vec<Item> = (0..60).map(|n| portal.talk(&format!("v{n}"))).collect();
        let made = portal.write(Kind::Conversation, items).await;
        assert!(made.iter().all(is_created));
        let effects: Vec<Undoing> = (0..60)
            .flat_map(|n| {
                portal
                    .effects_of(&format!("conversation:v{n}"))
                    .into_iter()
                    .map(move |effect| (n, effect))
            })
            .filter(|(_, effect)| effect.part == "main")
            .map(|(n, effect)| Undoing {
                effect_id: n,
                kind: Kind::Conversation,
                item: format!("conversation:v{n}"),
                marker: format!("old-desk:org1:conversation:v{n}"),
                effect,
            })
            .collect();
        assert!(
            effects
                .iter()
                .all(|one| one.effect.action == Action::Created)
        );
        let harness = portal.harness();
        let cx = harness.context();
        ZohoDesk::undo(&cx, UndoMode::Careful, effects, Vec::new())
            .await
            .unwrap();
        cx.reported().await.unwrap();
        let undone = harness.undo_outcomes();
        assert_eq!(undone.len(), 60);
        assert_undone(&undone, "chunks");
        let writes = transload_sdk::testing::trial::writes(&harness);
        assert_eq!(writes, 4);
        let left = portal.snapshot();
        assert!(left.records.values().all(|record| {
            !record
                .cf
                .values()
                .any(|v| v.starts_with("old-desk:org1:conversation:"))
        }));
    });
}
