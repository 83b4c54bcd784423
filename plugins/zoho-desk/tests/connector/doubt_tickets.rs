//! Answers that are lost: each request of a thread once, applied and not applied.
use crate::support::doubt::assert_same_way;
use crate::support::*;
use transload_plugin_zoho_desk::ZohoDesk;
use transload_sdk::Destination as _;
use transload_sdk::destination::{Item, SlotValue, UndoMode, Undoing};
use transload_sdk::ledger::{Action, Outcome, Status, UndoStatus};
use transload_sdk::testing::Loss;
use transload_sdk::types::{Author, Customer, Kind, Reference};

async fn portal(imports: bool) -> Portal {
    let portal = if imports {
        Portal::new().await
    } else {
        Portal::without_imports().await
    };
    portal.people().await;
    let other = Customer {
        name: Some("Cy Other".to_owned()),
        ..Customer::empty()
    };
    portal
        .write(Kind::Customer, vec![customer("c2", vec![], other)])
        .await;
    portal
}

/// Two threads with everything that takes a request: tags, a team, a file.
fn items(portal: &Portal) -> Vec<Item> {
    let mut first = portal.talk("v1");
    edit(&mut first, |data| {
        data.tags = vec![Reference::new(Kind::Tag, "late").at("late")];
    });
    let mut thread = first.thread().unwrap();
    thread.parts[0].attachments = vec![file("f1", "a.txt", 3), file("f2", "a.txt", 3)];
    let other = Reference::new(Kind::Customer, "c2").called("Cy Other");
    let other = Author::Person(portal.known(other));
    thread
        .parts
        .push(said("v1-m3", other, "me too", DAY + 90_000));
    first.body = thread.into();
    vec![first, portal.talk("v2")]
}

/// How many writes the unit takes when nothing is lost.
async fn undisturbed(imports: bool) -> usize {
    let portal = portal(imports).await;
    let items = items(&portal);
    portal.write_counted(Kind::Conversation, items).await
}

fn assert_whole(portal: &Portal, imports: bool, case: &str) {
    for (id, files) in [("v1", 2), ("v2", 0)] {
        let ticket = portal.ticket(id);
        assert_eq!(portal.files(ticket.id).len(), files, "{case}");
        let (mails, comments) = (portal.threads(ticket.id), portal.comments(ticket.id));
        let texts = [
            "Where is it?",
            "ask the warehouse",
            "On its way.",
            "source card",
        ];
        let all: Vec<&String> = mails
            .iter()
            .map(|one| &one.content)
            .chain(comments.iter().map(|one| &one.content))
            .collect();
        let more = usize::from(id == "v1");
        assert_eq!(all.len(), texts.len() + more, "{case}: {all:?}");
        let others = ticket.values.contains_key("secondaryContacts");
        assert_eq!(others, id == "v1", "{case}");
        for text in texts {
            let count = all.iter().filter(|content| content.contains(text)).count();
            assert!(count >= 1, "{case}: {text}");
        }
        assert_eq!(mails.len(), if imports { 2 } else { 0 }, "{case}");
    }
    assert_eq!(portal.tags(&portal.ticket("v1")), ["late"], "{case}");
}

fn assert_proven(outcomes: &[Outcome], case: &str) {
    assert_eq!(outcomes.len(), 2, "{case}");
    assert!(outcomes.iter().all(is_created), "{case}: {outcomes:?}");
    let effects = outcomes.iter().flat_map(|outcome| &outcome.effects);
    for effect in effects.filter(|effect| effect.action == Action::Created) {
        assert!(effect.proof.is_some(), "{case}: {effect:?}");
    }
}

#[test]
fn each_request_of_a_thread_may_lose_its_answer_and_nothing_is_there_twice_or_missing() {
    run(async {
        for imports in [true, false] {
            let writes = undisturbed(imports).await;
            assert!(writes >= 5, "{writes}");
            for how in [Loss::AfterApplying, Loss::BeforeArriving] {
                for nth in 1..=writes {
                    let case = format!("imports: {imports}, {how:?}, {nth} of {writes}");
                    let portal = portal(imports).await;
                    let before = portal.print();
                    let harness = portal.harness().lose_answer(nth, how);
                    let items = items(&portal);
                    let outcomes = portal.write_on(harness, Kind::Conversation, items).await;
                    assert_whole(&portal, imports, &case);
                    assert_proven(&outcomes, &case);
                    let _ = before;
                    assert_undone(&portal.rollback(UndoMode::Careful).await, &case);
                }
            }
        }
    });
}

#[test]
fn a_unit_that_runs_again_takes_the_same_way() {
    run(async {
        for imports in [true, false] {
            for nth in [1, 3, 5] {
                let portal = portal(imports).await;
                let items = items(&portal);
                let first = portal.harness().lose_answer(nth, Loss::AfterApplying);
                let case = format!("imports: {imports}, {nth}");
                assert_same_way::<ZohoDesk>(first, Kind::Conversation, items, &case).await;
            }
        }
    });
}

#[test]
fn an_item_in_doubt_is_completed_from_wherever_an_earlier_attempt_stopped() {
    run(async {
        for imports in [true, false] {
            let full = undisturbed(imports).await;
            for stop in 1..=full {
                let case = format!("imports: {imports}, {stop} of {full} requests");
                let portal = portal(imports).await;
                let since = portal.now();
                for item in items(&portal) {
                    // The earlier attempt ended at a request that was not let out; its outcome is not known.
                    let harness = portal.harness().lose_answer(stop, Loss::AfterApplying);
                    let cx = harness.context();
                    let _ = ZohoDesk::write(&cx, Kind::Conversation, vec![item.clone()]).await;
                    let again = Item {
                        in_doubt_since: Some(since),
                        ..item
                    };
                    let outcomes = portal.write(Kind::Conversation, vec![again]).await;
                    assert!(is_created(&outcomes[0]), "{case}: {outcomes:?}");
                }
                assert_whole(&portal, imports, &case);
                assert_undone(&portal.rollback(UndoMode::Careful).await, &case);
            }
        }
    });
}

#[test]
fn a_ticket_that_an_earlier_attempt_made_with_less_gets_the_rest() {
    run(async {
        let portal = portal(true).await;
        let since = portal.now();
        let mut item = portal.talk("v1");
        for (slot, value) in [("priority", "No such priority"), ("channel", "Chat")] {
            item.values.push(SlotValue {
                slot: slot.to_owned(),
                value: value.to_owned(),
            });
        }
        // The import of the whole ticket was refused, that of a bare one made it, and nothing further was let out.
        let harness = (3..30).fold(portal.harness(), |harness, nth| {
            harness.lose_answer(nth, Loss::BeforeArriving)
        });
        let cx = harness.context();
        let _ = ZohoDesk::write(&cx, Kind::Conversation, vec![item.clone()]).await;
        assert_ne!(portal.ticket("v1").text("channel"), Some("Chat"));
        let again = Item {
            in_doubt_since: Some(since),
            ..item
        };
        let outcomes = portal.write(Kind::Conversation, vec![again]).await;
        assert!(is_created(&outcomes[0]), "{outcomes:?}");
        let ticket = portal.ticket("v1");
        assert_eq!(ticket.text("channel"), Some("Chat"));
        assert!(ticket.text("assigneeId").is_some());
        let snapshot = portal.snapshot();
        let channels = snapshot.custom_value(&ticket, "Transload channels");
        assert_eq!(channels, Some("email"));
    });
}

#[test]
fn each_request_of_an_undo_may_lose_its_answer() {
    run(async {
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            for nth in 1..=2 {
                let case = format!("{how:?}, {nth}");
                let portal = portal(true).await;
                let made = portal.write(Kind::Conversation, items(&portal)).await;
                assert!(made.iter().all(is_created));
                let effects: Vec<Undoing> = ["v1", "v2"]
                    .iter()
                    .enumerate()
                    .map(|(number, id)| {
                        let item = format!("conversation:{id}");
                        Undoing {
                            effect_id: number as u64,
                            kind: Kind::Conversation,
                            marker: format!("old-desk:org1:{item}"),
                            effect: portal.effects_of(&item).pop().unwrap(),
                            item,
                        }
                    })
                    .collect();
                let harness = portal.harness().lose_answer(nth, how);
                let cx = harness.context();
                ZohoDesk::undo(&cx, UndoMode::Careful, effects, Vec::new())
                    .await
                    .unwrap();
                cx.reported().await.unwrap();
                let undone = harness.undo_outcomes();
                assert!(
                    undone.len() == 2 && undone.iter().all(|one| one.status == UndoStatus::Undone),
                    "{case}: {undone:?}"
                );
                let snapshot = portal.snapshot();
                let left = snapshot.records.values().filter(|record| {
                    record
                        .cf
                        .values()
                        .any(|value| value.starts_with("old-desk:org1:conversation:"))
                });
                assert_eq!(left.count(), 0, "{case}");
            }
        }
    });
}

#[test]
fn each_request_of_a_later_run_and_of_its_undo_may_lose_its_answer() {
    run(async {
        for imports in [true, false] {
            for how in [Loss::AfterApplying, Loss::BeforeArriving] {
                for nth in 1..=5 {
                    let case = format!("imports: {imports}, {how:?}, {nth}");
                    let mut portal = portal(imports).await;
                    let item = portal.talk("v1");
                    let made = portal.write(Kind::Conversation, vec![item]).await;
                    assert!(is_created(&made[0]), "{case}");
                    let first = portal.effects_of("conversation:v1").len();
                    let before = portal.print();
                    portal.run = "r2".to_owned();
                    let harness = portal.harness().lose_answer(nth, how);
                    let items = vec![portal.continued("v1")];
                    let outcomes = portal.write_on(harness, Kind::Conversation, items).await;
                    assert_eq!(outcomes[0].status, Status::Updated, "{case}");
                    let ticket = portal.ticket("v1");
                    let said = portal.threads(ticket.id).len() + portal.comments(ticket.id).len();
                    assert_eq!(said, 6, "{case}");
                    assert_eq!(portal.files(ticket.id).len(), 1, "{case}");
                    assert_eq!(portal.tags(&ticket), ["late"], "{case}");
                    assert_eq!(ticket.text("subject"), Some("another subject"), "{case}");
                    // And so may each of its undo's.
                    let harness = portal.harness().lose_answer(nth, how);
                    let undone = portal
                        .undo_from("conversation:v1", first, UndoMode::Careful, harness)
                        .await;
                    let failed = undone.iter().any(|one| one.status == UndoStatus::Failed);
                    if failed {
                        // What was not answered is tried again.
                        let harness = portal.harness();
                        portal
                            .undo_from("conversation:v1", first, UndoMode::Force, harness)
                            .await;
                    }
                    let ticket = portal.ticket("v1");
                    assert_eq!(ticket.text("subject"), Some("subject of v1"), "{case}");
                    assert_eq!(
                        portal.comments(ticket.id).len(),
                        if imports { 2 } else { 4 },
                        "{case}"
                    );
                    assert!(portal.files(ticket.id).is_empty(), "{case}");
                    assert!(portal.tags(&ticket).is_empty(), "{case}");
                    let _ = before;
                }
            }
        }
    });
}
