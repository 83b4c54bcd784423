//! Answers that are lost: each request of a thread once, applied and not applied.
use crate::support::doubt::assert_same_way;
use crate::support::*;
use transload_plugin_freshdesk::Freshdesk;
use transload_sdk::Destination;
use transload_sdk::destination::{Item, UndoMode, Undoing};
use transload_sdk::ledger::{Action, Outcome, Proof, UndoStatus};
use transload_sdk::testing::{Loss, trial::writes};
use transload_sdk::types::{Author, Entity, Kind, Reference, Text};
use transload_simulators::freshdesk::Policy;

async fn account(timed: bool) -> (Account, Reference) {
    let (account, ana, _) = Account::with_ana(timed).await;
    (account, ana)
}

fn items(account: &Account, ana: &Reference) -> Vec<Item> {
    vec![talk(account, "v1", ana), talk(account, "v2", ana)]
}

/// How many writes the unit takes when nothing is lost.
async fn undisturbed(timed: bool) -> usize {
    let (account, ana) = account(timed).await;
    let items = items(&account, &ana);
    account.write_counted(Kind::Conversation, items).await
}

fn assert_whole(account: &Account, case: &str) {
    for id in ["v1", "v2"] {
        let (ticket, notes) = account.ticket(id);
        assert_eq!(ticket.status, 5, "{case}");
        let texts = ["On its way.", "She is waiting", "Thanks"];
        assert_eq!(notes.len(), texts.len(), "{case}: {notes:?}");
        for (note, text) in notes.iter().zip(texts) {
            assert!(note.body.contains(text), "{case}: {}", note.body);
        }
    }
}

fn assert_proven(outcomes: &[Outcome], case: &str) {
    assert_eq!(outcomes.len(), 2, "{case}");
    assert!(outcomes.iter().all(is_created), "{case}: {outcomes:?}");
    let effects = outcomes.iter().flat_map(|outcome| &outcome.effects);
    for effect in effects.filter(|effect| effect.action == Action::Created) {
        assert!(
            effect.proof.is_some() && effect.key.is_some(),
            "{case}: {effect:?}"
        );
    }
}

#[tokio::test]
async fn each_request_of_a_thread_may_lose_its_answer_and_nothing_is_there_twice_or_missing() {
    for timed in [false, true] {
        let writes = undisturbed(timed).await;
        assert!(writes >= 9, "{writes}");
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            for nth in 1..=writes {
                let case = format!("timed: {timed}, {how:?}, {nth} of {writes}");
                let (account, ana, before) = Account::with_ana(timed).await;
                let harness = account.harness().lose_answer(nth, how);
                let items = items(&account, &ana);
                let outcomes = account.write_on(harness, Kind::Conversation, items).await;
                assert_whole(&account, &case);
                assert_proven(&outcomes, &case);
                assert_undone(&account.rollback(UndoMode::Careful).await, &case);
                account.sim.empty_trash();
                assert_same(&before, &account.sim.state_fingerprint(), &case);
            }
        }
    }
}

#[tokio::test]
async fn a_unit_that_runs_again_takes_the_same_way() {
    for timed in [false, true] {
        for nth in [1, 3, 9] {
            let (account, ana) = account(timed).await;
            let items = items(&account, &ana);
            let first = account.harness().lose_answer(nth, Loss::AfterApplying);
            let case = format!("timed: {timed}, {nth}");
            assert_same_way::<Freshdesk>(first, Kind::Conversation, items, &case).await;
        }
    }
}

#[tokio::test]
async fn an_item_in_doubt_is_completed_from_wherever_an_earlier_attempt_stopped() {
    for timed in [false, true] {
        // What the earlier attempt had made when it died: so many requests of one thread.
        for made in 1..=4 {
            let case = format!("timed: {timed}, {made} requests");
            let (account, ana) = account(timed).await;
            // What is taken away below would keep its number.
            account
                .sim
                .set_switches(|switches| switches.repeated_import_id = Policy::Tolerated);
            let item = talk(&account, "v1", &ana);
            let since = account.now();
            let full = account.harness();
            let cx = full.context();
            Freshdesk::write(&cx, Kind::Conversation, vec![item.clone()])
                .await
                .unwrap();
            let (ticket, notes) = account.ticket("v1");
            // As if it had not got further.
            for note in notes.iter().skip(made - 1) {
                let path = format!("conversations/{}", note.id);
                account
                    .sim
                    .as_owner("DELETE", &path, &serde_json::Value::Null)
                    .unwrap();
            }
            let again = Item {
                in_doubt_since: Some(since),
                ..item
            };
            let harness = account.harness();
            let outcomes = account
                .write_on(harness, Kind::Conversation, vec![again])
                .await;
            assert!(is_created(&outcomes[0]), "{case}: {outcomes:?}");
            let main = outcomes[0].effects.last().unwrap();
            assert_eq!(main.proof, Some(Proof::Marker("r1".to_owned())), "{case}");
            let (now, notes) = account.ticket("v1");
            assert_eq!(now.id, ticket.id, "{case}");
            let texts: Vec<bool> = ["On its way.", "She is waiting", "Thanks"]
                .iter()
                .map(|text| notes.iter().filter(|note| note.body.contains(text)).count() == 1)
                .collect();
            assert_eq!(texts, [true; 3], "{case}");
        }
    }
}

#[tokio::test]
async fn an_item_in_doubt_that_never_arrived_is_made_after_the_wait() {
    let (account, ana) = account(false).await;
    let item = Item {
        in_doubt_since: Some(account.now()),
        ..talk(&account, "v1", &ana)
    };
    let before = account.now();
    let outcomes = account.write(Kind::Conversation, vec![item]).await;
    assert!(is_created(&outcomes[0]), "{outcomes:?}");
    assert!(
        account.now() - before >= 180_000,
        "a miss is believed only then"
    );
    assert_eq!(account.ticket("v1").1.len(), 3);
}

#[tokio::test]
async fn a_ticket_of_another_run_is_not_claimed() {
    let (mut account, ana) = account(false).await;
    let item = talk(&account, "v1", &ana);
    let since = account.now();
    account.write(Kind::Conversation, vec![item.clone()]).await;
    account.run = "r2".to_owned();
    let again = Item {
        in_doubt_since: Some(since),
        ..item
    };
    let outcomes = account.write(Kind::Conversation, vec![again]).await;
    assert_eq!(outcomes[0].effects.last().unwrap().action, Action::Matched);
    account.ticket("v1");
}

#[tokio::test]
async fn an_unseen_answer_costs_no_more_than_it_must() {
    let (account, ana) = account(false).await;
    let harness = account.harness().lose_answer(2, Loss::AfterApplying);
    let items = items(&account, &ana);
    let cx = harness.context();
    Freshdesk::write(&cx, Kind::Conversation, items)
        .await
        .unwrap();
    assert_eq!(
        writes(&harness),
        undisturbed(false).await,
        "it was found at once"
    );
}

#[tokio::test]
async fn files_and_the_images_of_a_text_are_there_once_whichever_answer_is_lost() {
    for timed in [false, true] {
        let talk = |ana: &Reference| {
            let mut first = said("m1", Author::Person(ana.clone()), "look", AT);
            let mut second = said("m2", Author::Person(ana.clone()), "again", AT + 60_000);
            for (n, part) in [&mut first, &mut second].into_iter().enumerate() {
                let mut image = file(&format!("f{n}"), &format!("{n}.png"), 7);
                if let Entity::Attachment(attachment) = &mut image.data {
                    attachment.content_id = Some(format!("{n}@mail"));
                }
                part.attachments = vec![image, file(&format!("g{n}"), "run.exe", 7)];
                let html = format!("<p>see</p><img src=\"cid:{n}@mail\">");
                message(part, |message| message.html = Some(Text::Inline(html)));
            }
            thread("v1", Vec::new(), of(ana), vec![first, second])
        };
        let (account, ana) = account(timed).await;
        let writes = account
            .write_counted(Kind::Conversation, vec![talk(&ana)])
            .await;
        // Both with all files, both without, both files of each, both images, and the end.
        assert!(writes >= 10, "{writes}");
        for how in [Loss::AfterApplying, Loss::BeforeArriving] {
            for nth in 1..=writes {
                let case = format!("timed: {timed}, {how:?}, {nth} of {writes}");
                let (account, ana, before) = Account::with_ana(timed).await;
                let harness = account.harness().lose_answer(nth, how);
                let outcomes = account
                    .write_on(harness, Kind::Conversation, vec![talk(&ana)])
                    .await;
                assert!(is_created(&outcomes[0]), "{case}: {outcomes:?}");
                assert_eq!(outcomes[0].refused.len(), 2, "{case}");
                let (ticket, notes) = account.ticket("v1");
                let files = notes.iter().flat_map(|note| &note.attachments);
                let files = files.chain(&ticket.attachments);
                assert_eq!(files.count(), 2, "{case}");
                let named = notes.iter().filter(|note| note.body.contains("run.exe"));
                assert_eq!(named.count(), 2, "{case}");
                assert_undone(&account.rollback(UndoMode::Careful).await, &case);
                account.sim.empty_trash();
                assert_same(&before, &account.sim.state_fingerprint(), &case);
            }
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_looked_at() {
    for how in [Loss::AfterApplying, Loss::BeforeArriving] {
        let (account, ana) = account(false).await;
        let items = items(&account, &ana);
        account.write(Kind::Conversation, items).await;
        let main = account.effects_of("conversation:v1").pop().unwrap();
        let undoing = Undoing {
            effect_id: 1,
            kind: Kind::Conversation,
            item: "conversation:v1".to_owned(),
            marker: "old-desk:org1:conversation:v1".to_owned(),
            effect: main,
        };
        let harness = account.harness().lose_answer(1, how);
        let cx = harness.context();
        Freshdesk::undo(&cx, UndoMode::Careful, vec![undoing], Vec::new())
            .await
            .unwrap();
        cx.reported().await.unwrap();
        let wanted = match how {
            Loss::AfterApplying => UndoStatus::Undone,
            Loss::BeforeArriving => UndoStatus::Failed,
        };
        assert_eq!(harness.undo_outcomes()[0].status, wanted, "{how:?}");
    }
}
