//! What a later run does to threads that are there, and what is taken back of it.
use crate::support::*;
use serde_json::{Value, json};
use transload_sdk::destination::{Candidate, Item, MatchKey, UndoMode};
use transload_sdk::ledger::{Action, Status, UndoStatus};
use transload_sdk::types::{Author, Conversation, ConversationStatus, Entity, Kind, Reference};

async fn loaded(timed: bool, status: ConversationStatus) -> (Account, Reference, Item) {
    let (account, ana, _) = Account::with_ana(timed).await;
    let mut item = talk(&account, "v1", &ana);
    conversation(&mut item, |c| c.status = status);
    let outcomes = account.write(Kind::Conversation, vec![item.clone()]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    (account, ana, item)
}

fn conversation(item: &mut Item, change: impl FnOnce(&mut Conversation)) {
    if let Entity::Conversation(conversation) = &mut item.body.entries[0].data {
        change(conversation);
    }
}

/// The item with what was done to it before.
fn later(account: &Account, item: &Item) -> Item {
    let mut prior = account.effects_of(&item.key);
    prior.reverse();
    Item {
        prior,
        ..item.clone()
    }
}

/// The same with one more message and another priority.
fn grown(account: &Account, ana: &Reference, status: ConversationStatus) -> Item {
    let mut item = talk(account, "v1", ana);
    let mut thread = item.thread().unwrap();
    let at = AT + 3_600_000;
    thread
        .parts
        .push(said("m5", Author::Person(ana.clone()), "Still here?", at));
    item.body = thread.into();
    conversation(&mut item, |c| {
        c.status = status;
        c.channels = vec!["email".to_owned()];
    });
    later(account, &item)
}

fn owner(account: &Account, method: &str, path: &str, body: Value) {
    account.sim.as_owner(method, path, &body).unwrap();
}

#[tokio::test]
async fn a_thread_that_did_not_change_stays_as_it_is() {
    let (account, _, item) = loaded(false, ConversationStatus::Closed).await;
    let before = account.sim.state_fingerprint();
    let again = later(&account, &item);
    let harness = account.harness();
    let outcomes = account
        .write_on(harness, Kind::Conversation, vec![again])
        .await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    assert!(
        outcomes[0]
            .losses
            .iter()
            .all(|loss| loss.field != "conversation")
    );
    assert_same(
        &before,
        &account.sim.state_fingerprint(),
        "nothing was sent",
    );
}

#[tokio::test]
async fn what_was_said_since_is_added_to_open_and_to_closed_tickets() {
    for timed in [false, true] {
        for (was, is) in [
            (ConversationStatus::Open, ConversationStatus::Open),
            (ConversationStatus::Open, ConversationStatus::Closed),
            (ConversationStatus::Closed, ConversationStatus::Closed),
            (ConversationStatus::Closed, ConversationStatus::Open),
        ] {
            let case = format!("timed: {timed}, {was:?} then {is:?}");
            let (account, ana, _) = loaded(timed, was.clone()).await;
            let before = account.sim.state_fingerprint();
            let first = account.ticket("v1").0;
            let item = grown(&account, &ana, is.clone());
            let outcomes = account.write(Kind::Conversation, vec![item]).await;
            assert!(
                matches!(outcomes[0].status, Status::Updated),
                "{case}: {outcomes:?}"
            );
            let (ticket, notes) = account.ticket("v1");
            assert_eq!(ticket.id, first.id, "{case}");
            let wanted = if is == ConversationStatus::Closed {
                5
            } else {
                2
            };
            assert_eq!(ticket.status, wanted, "{case}");
            assert_eq!(ticket.source, 1, "{case}");
            assert_eq!(notes.len(), 4, "{case}");
            assert!(notes[3].body.contains("Still here?"), "{case}");
            if timed {
                assert_eq!(
                    ticket.updated_at.timestamp(),
                    (AT + 3_600_000) / 1_000,
                    "{case}"
                );
                assert_eq!(
                    notes[3].created_at.timestamp(),
                    (AT + 3_600_000) / 1_000,
                    "{case}"
                );
            }
            // Only what the second run did is taken back.
            let second = outcomes[0].effects.clone();
            let undone = undo(&account, &second).await;
            assert_undone(&undone, &case);
            assert_eq!(account.ticket("v1").1.len(), 3, "{case}");
            assert_eq!(account.ticket("v1").0.status, first.status, "{case}");
            if !timed {
                assert_same(&before, &account.sim.state_fingerprint(), &case);
            }
        }
    }
}

/// Takes effects back, last first, as somebody else's run would: the ticket is not among what it made.
async fn undo(
    account: &Account,
    effects: &[transload_sdk::ledger::Effect],
) -> Vec<transload_sdk::ledger::UndoOutcome> {
    use transload_plugin_freshdesk::Freshdesk;
    use transload_sdk::Destination;
    use transload_sdk::destination::Undoing;
    let harness = account.harness();
    let cx = harness.context();
    let undoing = effects.iter().rev().enumerate().map(|(n, effect)| Undoing {
        effect_id: n as u64,
        kind: Kind::Conversation,
        item: "conversation:v1".to_owned(),
        marker: "old-desk:org1:conversation:v1".to_owned(),
        effect: effect.clone(),
    });
    let made = effects.iter().filter(|e| e.action == Action::Created);
    let ours = made.map(|e| (e.target_kind.clone(), e.target_id.clone()));
    Freshdesk::undo(&cx, UndoMode::Careful, undoing.collect(), ours.collect())
        .await
        .unwrap();
    cx.reported().await.unwrap();
    harness.undo_outcomes()
}

#[tokio::test]
async fn what_somebody_changed_here_is_not_changed_again() {
    let (account, ana, _) = loaded(false, ConversationStatus::Open).await;
    let id = account.ticket("v1").0.id;
    owner(
        &account,
        "PUT",
        &format!("tickets/{id}"),
        json!({"source": 3}),
    );
    let item = grown(&account, &ana, ConversationStatus::Open);
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    assert!(
        matches!(outcomes[0].status, Status::Updated),
        "{outcomes:?}"
    );
    assert_eq!(account.ticket("v1").0.source, 3);
}

#[tokio::test]
async fn another_projects_ticket_and_an_archived_one_are_left() {
    let (account, ana, item) = loaded(false, ConversationStatus::Closed).await;
    let id = account.ticket("v1").0.id;
    let found = existing(
        item,
        Candidate {
            target_id: id.to_string(),
            by: MatchKey::Marker,
            before: "{}".to_owned(),
            doubtful: None,
        },
    );
    let outcomes = account.write(Kind::Conversation, vec![found]).await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    assert!(
        outcomes[0]
            .losses
            .iter()
            .any(|loss| loss.field == "conversation")
    );

    account.sim.harness().clock.advance(121 * 24 * 3_600_000);
    let item = grown(&account, &ana, ConversationStatus::Closed);
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    assert!(
        matches!(outcomes[0].status, Status::Matched),
        "{outcomes:?}"
    );
    assert_eq!(account.ticket("v1").1.len(), 3);
    // An archived ticket has a way of its own into the trash.
    assert_undone(&account.rollback(UndoMode::Careful).await, "archived");
    assert_eq!(account.tickets("v1").len(), 0);
}

// ---- undo

#[tokio::test]
async fn a_rollback_takes_the_tickets_and_nothing_else() {
    for timed in [false, true] {
        let (account, ana, before) = Account::with_ana(timed).await;
        let items = vec![talk(&account, "v1", &ana), talk(&account, "v2", &ana)];
        account.write(Kind::Conversation, items).await;
        let loaded = account.sim.state_fingerprint();
        let seen = account.rollback(UndoMode::Preview).await;
        assert_undone(&seen, "preview");
        assert_same(
            &loaded,
            &account.sim.state_fingerprint(),
            "a preview only looks",
        );
        assert_undone(&account.rollback(UndoMode::Careful).await, "careful");
        account.sim.empty_trash();
        assert_same(
            &before,
            &account.sim.state_fingerprint(),
            "as it was before",
        );
        assert_undone(&account.rollback(UndoMode::Careful).await, "again");
    }
}

#[tokio::test]
async fn a_ticket_that_somebody_changed_or_wrote_in_is_a_conflict_until_it_is_forced() {
    for change in ["subject", "note", "status", "marker"] {
        let account = Account::new().await;
        let ana = customer(account.contact("Ana", "ana@example.com"));
        let items = vec![talk(&account, "v1", &ana), talk(&account, "v2", &ana)];
        account.write(Kind::Conversation, items).await;
        let id = account.ticket("v1").0.id;
        let ticket = format!("tickets/{id}");
        let marker = account.prepared().ticket_fields["marker"].clone();
        match change {
            "note" => owner(
                &account,
                "POST",
                &format!("{ticket}/notes"),
                json!({"body": "mine"}),
            ),
            "subject" => owner(&account, "PUT", &ticket, json!({"subject": "mine"})),
            "status" => owner(&account, "PUT", &ticket, json!({"status": 2})),
            _ => owner(
                &account,
                "PUT",
                &ticket,
                json!({"custom_fields": {marker: "mine"}}),
            ),
        }
        for mode in [UndoMode::Preview, UndoMode::Careful] {
            let conflicts = account.rollback(mode).await;
            let conflicts = conflicts
                .iter()
                .filter(|o| o.status == UndoStatus::Conflict);
            assert_eq!(conflicts.count(), 1, "{change}, {mode:?}");
        }
        let left = account.snapshot();
        let live = left
            .tickets
            .iter()
            .filter(|t| t.deleted_at.is_none() && t.id >= id);
        assert_eq!(live.count(), 1, "{change}");
        assert_undone(&account.rollback(UndoMode::Force).await, change);
        let left = account.snapshot();
        assert!(
            left.tickets
                .iter()
                .all(|t| t.id < id || t.deleted_at.is_some()),
            "{change}"
        );
    }
}

#[tokio::test]
async fn a_ticket_that_the_account_closed_by_itself_is_no_conflict() {
    let (account, ..) = loaded(false, ConversationStatus::Closed).await;
    let id = account.ticket("v1").0.id;
    owner(
        &account,
        "PUT",
        &format!("tickets/{id}"),
        json!({"status": 4}),
    );
    assert_undone(
        &account.rollback(UndoMode::Careful).await,
        "resolved or closed",
    );
}

// ---- what is not known of Freshdesk for sure

/// How an account may be otherwise.
type Otherwise = fn(&mut transload_simulators::freshdesk::Config);

#[tokio::test]
async fn a_thread_is_loaded_and_taken_back_whatever_is_open_about_freshdesk() {
    use transload_simulators::freshdesk::Policy::Tolerated;
    let accounts: [(&str, Otherwise); 10] = [
        ("archives by the given time", |config| {
            config.switches.archive_by_given_time = true;
        }),
        ("numbers of tickets apart", |config| {
            config.switches.import_ids_shared = false;
            config.switches.repeated_import_id = Tolerated;
        }),
        ("times of the client in stats", |config| {
            config.switches.channel_sets_stats = true;
        }),
        ("413 for too much", |config| {
            config.switches.oversize_status = 413;
            config.switches.files_total = 15 * 1024 * 1024;
        }),
        ("404 for a second deletion", |config| {
            config.switches.repeated_delete = 404;
        }),
        ("private notes of contacts", |config| {
            config.switches.contact_private_note = Tolerated;
        }),
        ("times tolerated", |config| {
            config.switches.given_times = Tolerated;
        }),
        ("long subjects cut", |config| {
            config.switches.long_subject = Tolerated;
        }),
        ("another code for length", |config| {
            config.switches.length_code = "invalid_size";
        }),
        ("a list that lags", |config| {
            // A minute.
            config.switches.list_lag = config.switches.job_row * 300;
        }),
    ];
    for (what, otherwise) in accounts {
        for timed in [false, true] {
            let case = format!("{what}, timed: {timed}");
            let mut account = Account::unprepared(|config| {
                if timed {
                    config.channel_api = transload_simulators::freshdesk::ChannelApi::Open;
                }
                otherwise(config);
            });
            let ana = customer(account.contact("Ana", "ana@example.com"));
            let before = account.sim.state_fingerprint();
            account.prepare().await;
            let mut item = talk(&account, "v1", &ana);
            let mut thread = item.thread().unwrap();
            let large = 10 * 1024 * 1024;
            thread.parts[1].attachments =
                vec![file("f1", "a.bin", large), file("f2", "b.bin", large)];
            item.body = thread.into();
            conversation(&mut item, |c| c.subject = Some("s".repeat(300)));
            for nth in [1, 3] {
                // The answer to the ticket, and that to a note.
                let account = &account;
                let harness = account
                    .harness()
                    .lose_answer(nth, transload_sdk::testing::Loss::AfterApplying);
                let mut item = item.clone();
                item.key = format!("{}-{nth}", item.key);
                item.marker = format!("{}-{nth}", item.marker);
                let outcomes = account
                    .write_on(harness, Kind::Conversation, vec![item])
                    .await;
                assert!(is_created(&outcomes[0]), "{case}: {outcomes:?}");
                let (ticket, notes) = account.ticket(&format!("v1-{nth}"));
                assert_eq!(ticket.status, 5, "{case}");
                let files = notes.iter().flat_map(|note| &note.attachments);
                assert_eq!(files.count(), 2, "{case}");
            }
            assert_undone(&account.rollback(UndoMode::Careful).await, &case);
            account.sim.empty_trash();
            assert_same(&before, &account.sim.state_fingerprint(), &case);
        }
    }
}
