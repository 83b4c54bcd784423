//! What changes at the source after a run is brought over: each change once, whatever happens on the way, with what people did at
//! the destination meanwhile left to them, and taken back by a rollback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::time::Duration;

use serde_json::{Value, json};
use transload_e2e::compare::differences;
use transload_e2e::engine::{Work, fingerprint, killed_at, runtime, small, yes};
use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
use transload_host::config::{Conflicts, Deleted, Frozen};
use transload_host::pipeline::model::{
    DeltaOptions, DeltaReport, DifferenceKind, PurgeOptions, Remap, RollbackOptions, RunReport,
    Stage, UndoProblem, VerifyOptions, VerifyScope,
};
use transload_host::pipeline::{delta, purge, report, rollback, run, verify};
use transload_host::report::is_clean;
use transload_simulators as simulated;
use transload_simulators::kustomer::{Kind, State};

/// What was changed at the source.
#[derive(Debug, Clone)]
struct Changes {
    /// Closed, and got a message.
    grown_closed: String,
    /// Open, and got a message.
    grown_open: String,
    /// Got another name.
    renamed: String,
    /// Began after the run.
    begun: String,
    /// Deleted, and still shown as such.
    deleted: String,
    /// Gone without a trace.
    purged: String,
    /// Merged into another customer.
    merged: String,
}

const GREW_CLOSED: &str = "Came when all seemed said";
const GREW_OPEN: &str = "Came while it was open";
const BEGAN: &str = "Began after the run";
const NAME: &str = "Renamed Person";

/// Changes something of every sort at the source, a while after the run; another while later the indexes show it.
fn change<D: Destination>(lab: &Lab<D>) -> Changes {
    lab.time.stand_still(Duration::from_secs(3_600));
    let changes = lab.source.change(|world| {
        let live = |world: &transload_simulators::kustomer::World, kind: Kind| -> Vec<String> {
            let mut ids = world.ids(kind);
            ids.retain(|id| {
                let about = world.json(id).unwrap_or_default();
                world.state(id) == Some(State::Live)
                    && about.pointer("/attributes/spam") != Some(&Value::Bool(true))
            });
            ids
        };
        let conversations = live(world, Kind::Conversation);
        let [deleted, purged, closed, open] = &conversations[..4] else {
            panic!("more conversations are needed");
        };
        let of = |id: &String| {
            let about = world.json(id).unwrap_or_default();
            let customer = about.pointer("/relationships/customer/data/id");
            customer
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let taken: Vec<String> = conversations.iter().take(4).map(of).collect();
        let mut customers = live(world, Kind::Customer);
        customers.retain(|id| !taken.contains(id));
        let (renamed, merged, survivor) = (
            customers[0].clone(),
            customers[1].clone(),
            customers[2].clone(),
        );
        let (deleted, purged) = (deleted.clone(), purged.clone());
        let (closed, open) = (closed.clone(), open.clone());
        let message = |text: &str| transload_simulators::kustomer::NewMessage {
            text: text.into(),
            outbound: false,
            files: 1,
        };
        world.add_message(&closed, message(GREW_CLOSED)).unwrap();
        world.add_message(&open, message(GREW_OPEN)).unwrap();
        assert!(world.rename_customer(&renamed, NAME));
        let begun = world.add_conversation(&renamed, BEGAN).unwrap();
        assert!(world.delete_conversation(&deleted));
        assert!(world.purge_conversation(&purged));
        assert!(world.merge_customers(&merged, &survivor));
        Changes {
            grown_closed: closed,
            grown_open: open,
            renamed,
            begun,
            deleted,
            purged,
            merged,
        }
    });
    lab.time.stand_still(Duration::from_secs(3_600));
    changes
}

/// Makes the conversation that will grow closed before the run, and the other open.
fn prepare<D: Destination>(lab: &Lab<D>) {
    lab.source.change(|world| {
        let mut ids = world.ids(Kind::Conversation);
        ids.retain(|id| {
            let about = world.json(id).unwrap_or_default();
            world.state(id) == Some(State::Live)
                && about.pointer("/attributes/spam") != Some(&Value::Bool(true))
        });
        for (at, status) in [(2, "done"), (3, "open")] {
            assert!(world.set_status(&ids[at], status));
        }
    });
    lab.time.stand_still(Duration::from_secs(3_600));
}

fn config() -> LabConfig {
    LabConfig {
        size: 10,
        ..small(11)
    }
}

async fn loaded<D: Destination>(config: LabConfig) -> (Lab<D>, RunReport) {
    let lab = Lab::<D>::of(config).await.unwrap();
    prepare(&lab);
    lab.destination.hurry();
    let project = lab.project().await.unwrap();
    let first = run(&project, yes(), &Silent).await.unwrap();
    assert!(is_clean(&first), "{:?}", first.total);
    (lab, first)
}

async fn brought<D: Destination>(lab: &Lab<D>, options: DeltaOptions) -> DeltaReport {
    let project = lab.project().await.unwrap();
    let done = delta(&project, options, &Silent).await.unwrap();
    assert_eq!(done.state, "done");
    let now = report(&project, None).await.unwrap();
    assert!(now.chain_ok, "the chain broke");
    assert_eq!((now.duplicates, now.lost), (0, 0), "{:#?}", now.kinds);
    assert_eq!(now.total.unsettled, 0);
    done
}

/// What became of a record; of one that is not named, nothing.
fn did<'r>(report: &'r DeltaReport, kind: &str, change: &str) -> Vec<(&'r str, u64)> {
    report
        .counts
        .iter()
        .filter(|count| (count.kind.as_str(), count.change.as_str()) == (kind, change))
        .map(|count| (count.did.as_str(), count.count))
        .collect()
}

fn waits(report: &DeltaReport, id: &str) -> bool {
    report.waiting.iter().any(|record| record.source_id == id)
}

async fn proven<D: Destination>(lab: &Lab<D>) {
    let project = lab.project().await.unwrap();
    let options = VerifyOptions {
        scope: VerifyScope::All,
        ..VerifyOptions::default()
    };
    let found = verify(&project, options, &Silent).await.unwrap();
    assert!(found.ok, "{:#?}", found.differences);
}

/// Everything that is there in one text: what was said in it is found.
fn all_of<D: Destination>(lab: &Lab<D>) -> String {
    lab.destination.state_fingerprint().to_string()
}

async fn what_changes_after_a_run_arrives_once_and_is_taken_back_with_it<D: Destination>() {
    let lab = Lab::<D>::of(config()).await.unwrap();
    prepare(&lab);
    lab.destination.hurry();
    let before = fingerprint(&lab, "none");
    let project = lab.project().await.unwrap();
    let first = run(&project, yes(), &Silent).await.unwrap();
    assert!(is_clean(&first), "{:?}", first.total);
    drop(project);
    let changes = change(&lab);

    let done = brought(&lab, DeltaOptions::default()).await;
    let frozen = D::PLUGIN == "zendesk";
    let held = all_of(&lab);
    assert!(held.contains(BEGAN), "{:#?}", done.counts);
    // Some keep first and last names apart.
    let named = NAME.split(' ').all(|word| held.contains(word));
    assert!(named, "{:#?}", done.counts);
    let grew = [GREW_CLOSED, GREW_OPEN].map(|said| held.contains(said));
    // The state of this one holds no texts of comments: that they are there the proof below says.
    if D::PLUGIN != "zoho-desk" {
        assert_eq!(grew, [!frozen, !frozen], "{:#?}", done.counts);
    }
    assert_eq!(waits(&done, &changes.grown_closed), frozen);
    assert_eq!(waits(&done, &changes.grown_open), frozen);
    assert_eq!(did(&done, "conversation", "new"), [("created", 1)]);
    assert_eq!(did(&done, "conversation", "deleted"), [("listed", 2)]);
    assert_eq!(did(&done, "customer", "merged"), [("listed", 1)]);
    for id in [&changes.deleted, &changes.purged, &changes.merged] {
        assert!(waits(&done, id), "{id} is not listed: {:#?}", done.waiting);
    }
    assert!(!waits(&done, &changes.renamed) && !waits(&done, &changes.begun));
    proven(&lab).await;

    // Nothing changed since: nothing is written, and what waits for a person still does.
    let there = fingerprint(&lab, "none");
    let again = brought(&lab, DeltaOptions::default()).await;
    assert_eq!(again.writes, 0, "{:#?}", again.counts);
    assert_eq!(
        again.waiting.len(),
        done.waiting.len(),
        "{:#?}",
        again.waiting
    );
    assert_eq!(fingerprint(&lab, "none"), there);

    let project = lab.project().await.unwrap();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    let left = differences(&before, &fingerprint(&lab, "none"));
    assert!(left.is_empty(), "{left:#?}");
}

destinations!(
    what_changes_after_a_run_arrives_once_and_is_taken_back_with_it,
    a_run_is_taken_back_after_its_delta_was_taken_back_alone,
);

/// What a delta appended may stay when it is taken back alone, since no platform has to delete a single message: it goes with its
/// conversation then.
async fn a_run_is_taken_back_after_its_delta_was_taken_back_alone<D: Destination>() {
    let lab = Lab::<D>::of(config()).await.unwrap();
    prepare(&lab);
    lab.destination.hurry();
    let before = fingerprint(&lab, "none");
    let project = lab.project().await.unwrap();
    let first = run(&project, yes(), &Silent).await.unwrap();
    assert!(is_clean(&first), "{:?}", first.total);
    drop(project);
    change(&lab);
    let done = brought(&lab, DeltaOptions::default()).await;

    let project = lab.project().await.unwrap();
    let alone = RollbackOptions {
        delta: Some(done.number),
        ..RollbackOptions::default()
    };
    let alone = rollback(&project, alone, &Silent).await.unwrap();
    let cannot = |one: &UndoProblem| one.status == "cannot";
    assert!(alone.problems.iter().all(cannot), "{:#?}", alone.problems);
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    let left = differences(&before, &fingerprint(&lab, "none"));
    assert!(left.is_empty(), "{left:#?}");
}

/// Where somebody changed what a delta added to, all of it stays, as the preview said; until somebody says that it may go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_delta_added_stays_with_a_conversation_that_somebody_changed() {
    let lab = Lab::<simulated::intercom::Simulator>::of(config())
        .await
        .unwrap();
    prepare(&lab);
    lab.destination.hurry();
    let before = fingerprint(&lab, "none");
    let project = lab.project().await.unwrap();
    run(&project, yes(), &Silent).await.unwrap();
    drop(project);
    let changes = change(&lab);
    brought(&lab, DeltaOptions::default()).await;
    let marker = format!("conversation:{}", changes.grown_open);
    let snapshot = lab.destination.snapshot();
    let conversation = snapshot.conversations.iter().find(|one| {
        let mut values = one.custom_attributes.values();
        values.any(|value| value.as_str().is_some_and(|text| text.ends_with(&marker)))
    });
    let theirs = Some("Theirs".to_owned());
    lab.destination
        .edit_conversation(conversation.unwrap().id, |one| one.title = theirs)
        .unwrap();

    let project = lab.project().await.unwrap();
    let back = async |preview, force| {
        let options = RollbackOptions {
            preview,
            force,
            ..RollbackOptions::default()
        };
        rollback(&project, options, &Silent).await.unwrap()
    };
    let stays = |one: &&UndoProblem| one.source_id == changes.grown_open;
    let seen = back(true, false).await;
    let done = back(false, false).await;
    for said in [&seen, &done] {
        let whys: Vec<&str> = said
            .problems
            .iter()
            .filter(stays)
            .map(|one| one.reason.as_str())
            .collect();
        assert!(whys.iter().any(|why| why.contains("title")), "{whys:?}");
        let added = "what it was added to stays";
        assert!(whys.contains(&added), "{whys:?}");
    }
    let held = all_of(&lab);
    assert!(held.contains(GREW_OPEN) && !held.contains(GREW_CLOSED));
    assert!(done.left > 0);

    assert_eq!(back(false, true).await.left, 0);
    let left = differences(&before, &fingerprint(&lab, "none"));
    assert!(left.is_empty(), "{left:#?}");
}

/// A note that is deleted before the run is not loaded; one that is deleted after it is listed, as no part of a thread is taken out
/// alone, and verifying names it until somebody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_note_that_is_deleted_in_a_conversation_that_stays_is_listed_until_it_is_taken_out() {
    let lab = Lab::<simulated::salesforce::Simulator>::of(config())
        .await
        .unwrap();
    prepare(&lab);
    let [early, late] = lab.source.change(|world| {
        let mut notes = world.ids(Kind::Note);
        notes.retain(|id| {
            let about = world.json(id).unwrap_or_default();
            let thread = about.pointer("/relationships/conversation/data/id");
            let stays = |thread: &Value| {
                let id = thread.as_str().unwrap_or_default();
                let of = world.json(id).unwrap_or_default();
                world.state(id) == Some(State::Live)
                    && of.pointer("/attributes/spam") != Some(&Value::Bool(true))
            };
            world.state(id) == Some(State::Live) && thread.is_some_and(stays)
        });
        let [early, late, ..] = &notes[..] else {
            panic!("two notes in conversations are needed: {notes:?}");
        };
        assert!(world.delete_note(early));
        [early.clone(), late.clone()]
    });
    lab.time.stand_still(Duration::from_secs(3_600));
    let before = fingerprint(&lab, "none");
    let project = lab.project().await.unwrap();
    let first = run(&project, yes(), &Silent).await.unwrap();
    assert!(is_clean(&first), "{:?}", first.total);
    let skipped = |report: &RunReport| {
        let mut rules = report.skips.iter();
        rules.any(|rule| rule.kind == "message" && rule.rule == "deleted in the source")
    };
    assert!(skipped(&first), "{early}: {:#?}", first.skips);
    drop(project);
    proven(&lab).await;

    assert!(lab.source.change(|world| world.delete_note(&late)));
    lab.time.stand_still(Duration::from_secs(3_600));
    for _ in 0..2 {
        let done = brought(&lab, DeltaOptions::default()).await;
        assert_eq!(did(&done, "message", "deleted"), [("listed", 1)]);
        let waiting = done.waiting.iter().find(|one| one.source_id == late);
        let why = waiting.and_then(|one| one.why.clone()).unwrap_or_default();
        assert!(why.contains("which stays"), "{why}");
    }
    let project = lab.project().await.unwrap();
    let options = VerifyOptions {
        scope: VerifyScope::All,
        ..VerifyOptions::default()
    };
    let found = verify(&project, options, &Silent).await.unwrap();
    let what: Vec<DifferenceKind> = found.differences.iter().map(|one| one.what).collect();
    assert_eq!(what, [DifferenceKind::Extra], "{:#?}", found.differences);
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    let left = differences(&before, &fingerprint(&lab, "none"));
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn a_delta_that_is_killed_in_the_middle_goes_on_where_it_was() {
    let outside = runtime();
    let (lab, _) = outside.block_on(loaded::<simulated::salesforce::Simulator>(config()));
    let changes = outside.block_on(async { change(&lab) });
    assert!(killed_at(&outside, &lab, Work::Delta, 3).is_some());
    outside.block_on(async {
        // A run would not know what the delta staged.
        let project = lab.project().await.unwrap();
        let refused = run(&project, yes(), &Silent).await.unwrap_err();
        assert_eq!(refused.code(), "delta-open");
    });
    for step in [4, 9] {
        killed_at(&outside, &lab, Work::Delta, step);
    }
    outside.block_on(async {
        let done = brought(&lab, DeltaOptions::default()).await;
        let held = all_of(&lab);
        for said in [BEGAN, NAME, GREW_CLOSED, GREW_OPEN] {
            assert!(held.contains(said), "{said}: {:#?}", done.counts);
        }
        assert!(waits(&done, &changes.purged));
        let project = lab.project().await.unwrap();
        let first = transload_host::pipeline::delta::reports(&project.store, &done.run)
            .await
            .unwrap();
        let created = first.iter().flat_map(|one| &one.counts);
        let created =
            created.filter(|c| (c.kind.as_str(), c.did.as_str()) == ("conversation", "created"));
        assert_eq!(created.map(|c| c.count).sum::<u64>(), 1, "{first:#?}");
        drop(project);
        proven(&lab).await;
        let again = brought(&lab, DeltaOptions::default()).await;
        assert_eq!(again.writes, 0, "{:#?}", again.counts);
    });
}

/// What a person changes there stays, unless somebody says otherwise; the change is listed with what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_changed_at_the_destination_is_theirs_unless_the_policy_says_otherwise() {
    let (lab, _) = loaded::<simulated::salesforce::Simulator>(config()).await;
    let changes = change(&lab);
    let contact = lab
        .destination
        .snapshot()
        .of_object("Contact")
        .find(|record| {
            record.fields.values().any(|value| {
                value
                    .as_str()
                    .is_some_and(|text| text.ends_with(&format!("customer:{}", changes.renamed)))
            })
        })
        .map(|record| record.id.clone())
        .unwrap();
    lab.destination
        .change(&contact, &json!({"LastName": "Theirs"}))
        .unwrap();
    let last_name = || {
        let snapshot = lab.destination.snapshot();
        let record = snapshot.of_object("Contact").find(|r| r.id == contact);
        record.unwrap().fields["LastName"].clone()
    };

    let ask = DeltaOptions {
        policies: transload_host::config::Delta {
            conflicts: Conflicts::Ask,
            ..Default::default()
        },
        ..DeltaOptions::default()
    };
    let asked = brought(&lab, ask).await;
    assert!(waits(&asked, &changes.renamed), "{:#?}", asked.waiting);
    let conflict = asked
        .conflicts
        .iter()
        .find(|record| record.source_id == changes.renamed)
        .expect("it is a conflict");
    assert!(
        conflict
            .theirs
            .iter()
            .any(|field| field.contains("LastName")),
        "{conflict:?}"
    );
    assert_eq!(last_name(), "Theirs");

    // The destination's word is the rule: nothing of theirs is touched.
    let theirs = brought(&lab, DeltaOptions::default()).await;
    assert!(
        theirs
            .conflicts
            .iter()
            .any(|r| r.source_id == changes.renamed),
        "{theirs:#?}"
    );
    assert_eq!(last_name(), "Theirs");

    // One record, by a word of somebody's.
    let own = DeltaOptions {
        take_source: vec![("customer".into(), changes.renamed.clone())],
        ..DeltaOptions::default()
    };
    let taken = brought(&lab, own).await;
    assert_eq!(last_name(), NAME, "{taken:#?}");
    proven(&lab).await;
}

/// A delta alone is taken back: updates from their before-image, what was made deleted; the next one brings it over again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delta_is_taken_back_alone_and_the_next_one_brings_it_over_again() {
    let (lab, first) = loaded::<simulated::salesforce::Simulator>(config()).await;
    let before = fingerprint(&lab, &first.run);
    change(&lab);
    let done = brought(&lab, DeltaOptions::default()).await;
    let after = fingerprint(&lab, &first.run);
    assert!(!differences(&before, &after).is_empty());

    let project = lab.project().await.unwrap();
    let options = RollbackOptions {
        delta: Some(done.number),
        ..RollbackOptions::default()
    };
    let undone = rollback(&project, options, &Silent).await.unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    let mut left = differences(&before, &fingerprint(&lab, &first.run));
    // The feed of a case that stays keeps what it said of an e-mail.
    left.retain(|difference| !difference.contains("EmailMessageEvent"));
    assert!(left.is_empty(), "{left:#?}");
    let now = report(&project, None).await.unwrap();
    assert!(now.chain_ok && is_clean(&now), "{:#?}", now.total);
    drop(project);
    proven(&lab).await;

    let again = brought(&lab, DeltaOptions::default()).await;
    assert!(again.writes > 0);
    let held = all_of(&lab);
    for said in [BEGAN, NAME, GREW_CLOSED, GREW_OPEN] {
        assert!(held.contains(said), "{said}");
    }
    proven(&lab).await;
}

/// A closed ticket cannot be changed: it is listed, or made anew with another id in the ledger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_ticket_that_grew_is_made_anew_where_that_is_wanted_and_the_last_delta_closes() {
    let (lab, _) = loaded::<simulated::zendesk::Simulator>(config()).await;
    let changes = change(&lab);
    let tickets = || lab.destination.conversations();
    let before = tickets();
    let listed = brought(&lab, DeltaOptions::default()).await;
    let ticket = |report: &DeltaReport, id: &str| {
        let mut all = report.waiting.iter();
        let found = all.find(|record| record.source_id == id).unwrap();
        (found.target.clone().unwrap(), found.why.clone().unwrap())
    };
    let (target, why) = ticket(&listed, &changes.grown_closed);
    assert!(
        why.contains("1 new messages") && why.contains("closed tickets are frozen"),
        "{why}"
    );
    assert_eq!(tickets(), before + 1);

    let anew = DeltaOptions {
        close: true,
        policies: transload_host::config::Delta {
            frozen: Frozen::Recreate,
            deleted: Deleted::Remove,
            ..Default::default()
        },
        ..DeltaOptions::default()
    };
    let done = brought(&lab, anew).await;
    let held = all_of(&lab);
    assert!(
        held.contains(GREW_CLOSED) && held.contains(GREW_OPEN),
        "{done:#?}"
    );
    assert!(!waits(&done, &changes.grown_closed), "{:#?}", done.waiting);
    assert_eq!(did(&done, "conversation", "updated"), [("recreated", 2)]);
    assert_eq!(did(&done, "conversation", "deleted"), [("removed", 2)]);
    assert_eq!(
        tickets(),
        before - 1,
        "two made anew, one new, two taken away"
    );
    let project = lab.project().await.unwrap();
    let id = target.split(' ').nth(1).unwrap().to_owned();
    let gone = project
        .store
        .number(
            "SELECT count(*) FROM effects WHERE target_id = $1 AND undo_status = 'undone'",
            vec![id.as_str().into()],
        )
        .await
        .unwrap();
    assert_eq!(gone, 1, "the ledger knows that the former ticket is gone");
    proven(&lab).await;

    // It was the last one.
    let refused = delta(&project, DeltaOptions::default(), &Silent)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "closed");
    drop(project);
    let reopened = DeltaOptions {
        reopen: true,
        ..DeltaOptions::default()
    };
    assert_eq!(brought(&lab, reopened).await.writes, 0);
}

/// Open conversations wait for the last delta where the user wants it so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_conversations_are_held_until_the_last_delta() {
    let (lab, first) = loaded::<simulated::zendesk::Simulator>(LabConfig {
        extra: "[load]\nhold_open = true\norder = \"oldest-first\"".into(),
        ..config()
    })
    .await;
    let held = first
        .skips
        .iter()
        .find(|group| group.rule.contains("hold_open"));
    let held = held.expect("open ones are held").count;
    let changes = change(&lab);
    let tickets = lab.destination.conversations();
    let one = brought(&lab, DeltaOptions::default()).await;
    assert_eq!(
        lab.destination.conversations(),
        tickets,
        "the new one is open"
    );
    assert!(!waits(&one, &changes.grown_open));
    let last = DeltaOptions {
        close: true,
        ..DeltaOptions::default()
    };
    let last = brought(&lab, last).await;
    let all = all_of(&lab);
    assert!(all.contains(GREW_OPEN) && all.contains(BEGAN), "{last:#?}");
    assert!(lab.destination.conversations() > tickets && held > 0);
    proven(&lab).await;
}

/// As a person does it, at a terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_say_what_changed_and_where_the_cutover_stands() {
    let lab = Lab::<simulated::zendesk::Simulator>::of(LabConfig {
        begins: None,
        ..config()
    })
    .await
    .unwrap();
    lab.destination.hurry();
    lab.run(&["run", "--yes"], &[0]).await.unwrap();
    lab.source.change(|world| {
        world.show_at_once();
        let customer = world.ids(Kind::Customer)[0].clone();
        assert!(world.rename_customer(&customer, NAME));
        world.add_conversation(&customer, BEGAN).unwrap();
    });
    let said = lab.run(&["delta"], &[0]).await.unwrap();
    println!("{said}");
    assert!(said.contains("What changed at the source"), "{said}");
    let book = lab.run(&["cutover"], &[0]).await.unwrap();
    println!("{book}");
    assert!(
        book.contains("[last-delta]  not yet") && book.contains("[pause]  next"),
        "{book}"
    );
    let ticked = [
        "cutover", "--done", "pause", "--done", "freeze", "--done", "forward",
    ];
    let book = lab.run(&ticked, &[0]).await.unwrap();
    assert!(book.contains("[last-delta]  next"), "{book}");
    let wrong = lab.output(&["cutover", "--done", "verify"]).await.unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    lab.run(&["delta", "--close"], &[0, 1]).await.unwrap();
    let book: Value =
        serde_json::from_str(&lab.run(&["cutover", "--json"], &[0]).await.unwrap()).unwrap();
    let step = |word: &str| {
        let steps = book["steps"].as_array().unwrap();
        steps.iter().find(|step| step["step"] == word).unwrap()["state"].clone()
    };
    assert_eq!(
        (step("last-delta"), step("verify")),
        (json!("done"), json!("next"))
    );
    let closed = lab.output(&["delta"]).await.unwrap();
    assert_eq!(closed.status.code(), Some(2));
    let why = String::from_utf8_lossy(&closed.stderr).into_owned();
    assert!(why.contains("--reopen"), "{why}");
    let book = lab.run(&["cutover", "--markdown"], &[0]).await.unwrap();
    assert!(book.contains("- [x] `last-delta`"), "{book}");
    let plan = lab.run(&["plan"], &[0]).await.unwrap();
    assert!(plan.contains("What changes after it was loaded"), "{plan}");
    assert!(plan.contains("listed for a person"), "{plan}");
}

/// The mapping is changed after the run (rule M-14): the plan says which records differ, and each choice does what it says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_is_changed_after_the_run_is_updated_redone_or_left() {
    let (lab, _) = loaded::<simulated::salesforce::Simulator>(config()).await;
    let closed_as = |status: &str| {
        let text = std::fs::read_to_string(lab.dir.join("migration.toml")).unwrap();
        let kept = text.split("[map.conversation.status]").next().unwrap();
        let map = format!("{kept}[map.conversation.status]\n\"closed\" = \"{status}\"\n");
        std::fs::write(lab.dir.join("migration.toml"), map).unwrap();
    };
    let count = |status: &str| {
        let snapshot = lab.destination.snapshot();
        let of = snapshot.of_object("Case");
        of.filter(|case| case.fields["Status"] == json!(status))
            .count()
    };
    let cases = || lab.destination.conversations();
    let (all, escalated) = (cases(), count("Escalated"));
    closed_as("Escalated");
    let project = lab.project().await.unwrap();
    let refused = delta(&project, DeltaOptions::default(), &Silent)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "other-mapping");
    let plan = transload_host::pipeline::plan(&project, &Silent)
        .await
        .unwrap();
    let said = plan
        .notices
        .iter()
        .find(|notice| notice.code == "mapping-changed")
        .expect("the plan says it");
    assert!(
        said.message.contains("of conversation") && said.message.contains("status"),
        "{}",
        said.message
    );
    drop(project);
    let choose = |choice| DeltaOptions {
        remap: Some(choice),
        ..DeltaOptions::default()
    };

    let left = brought(&lab, choose(Remap::Leave)).await;
    assert_eq!(
        (left.writes, count("Escalated")),
        (0, escalated),
        "{left:#?}"
    );
    proven(&lab).await;

    closed_as("Working");
    let updated = brought(&lab, choose(Remap::Update)).await;
    let working = count("Working");
    assert!(working > 0 && updated.writes > 0, "{updated:#?}");
    assert_eq!(cases(), all);
    proven(&lab).await;

    closed_as("Closed");
    let redone = brought(&lab, choose(Remap::Redo)).await;
    assert_eq!((count("Working"), cases()), (0, all), "{redone:#?}");
    assert!(
        did(&redone, "conversation", "updated")
            .iter()
            .any(|(did, n)| *did == "recreated" && *n > 0),
        "{redone:#?}"
    );
    proven(&lab).await;
    let again = brought(&lab, DeltaOptions::default()).await;
    assert_eq!(again.writes, 0, "{again:#?}");
}

/// What is kept of the customers' data is erased, and what was made can still be taken back (rule M-12).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purge_leaves_no_word_of_a_customer_and_a_rollback_still_works() {
    let lab = Lab::<simulated::zendesk::Simulator>::of(config())
        .await
        .unwrap();
    prepare(&lab);
    lab.destination.hurry();
    let before = fingerprint(&lab, "none");
    let project = lab.project().await.unwrap();
    let first = run(&project, yes(), &Silent).await.unwrap();
    assert!(is_clean(&first));
    let word = lab.source.change(|world| {
        let conversations = world.ids(Kind::Conversation);
        let messages = conversations.iter().flat_map(|id| world.message_ids(id));
        let texts: Vec<String> = messages.filter_map(|id| world.text(&id)).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        // As it stands in JSON, too.
        let plain = lines.filter(|line| !line.contains(['"', '\\', '<', '&']));
        let longest = plain.max_by_key(|line| line.chars().count()).unwrap();
        longest.chars().take(40).collect::<String>()
    });
    let holds = || {
        let mut found = vec![];
        for name in ["transload.db", "transload.db-wal"] {
            let bytes = std::fs::read(lab.dir.join(name)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.contains(&word) {
                found.push(name);
            }
        }
        found
    };
    assert!(!holds().is_empty(), "the store has {word:?} before");
    let all = PurgeOptions {
        stages: Stage::ALL.to_vec(),
        preview: true,
    };
    let seen = purge(&project, all.clone()).await.unwrap();
    assert!(
        seen.stages.iter().all(|stage| !stage.lost.is_empty()),
        "{seen:#?}"
    );
    assert!(!holds().is_empty(), "a preview changes nothing");
    let some = PurgeOptions {
        stages: vec![Stage::Source, Stage::Journal, Stage::Export],
        preview: false,
    };
    purge(&project, some).await.unwrap();
    assert_eq!(holds(), Vec::<&str>::new());
    let now = report(&project, None).await.unwrap();
    assert!(now.chain_ok && is_clean(&now), "{:#?}", now.total);
    drop(project);
    let project = lab.project().await.unwrap();
    for refused in [
        delta(&project, DeltaOptions::default(), &Silent)
            .await
            .unwrap_err(),
        verify(&project, VerifyOptions::default(), &Silent)
            .await
            .unwrap_err(),
    ] {
        assert_eq!(refused.code(), "purged");
    }
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    let left = differences(&before, &fingerprint(&lab, "none"));
    assert!(left.is_empty(), "{left:#?}");
    // What was changed can be put back only as long as it is known what it was.
    let rest = PurgeOptions {
        stages: vec![Stage::BeforeImages],
        preview: false,
    };
    purge(&project, rest).await.unwrap();
    assert!(report(&project, None).await.unwrap().chain_ok);
}
