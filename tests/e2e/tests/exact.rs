//! Effects stay exact beyond kills and lost answers: what is applied late, what has expired, what moves while it is read, what
//! others add, what is still going on at the vendor, who owns the run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use transload_e2e::engine::{
    Work, assert_arrived, assert_same, assert_taken_back, fingerprint, killed_at, killed_when,
    runtime, small, sorted, to_the_end, undisturbed, yes,
};
use transload_e2e::{Lab, Silent, compare};
use transload_host::error::Error;
use transload_host::pipeline::model::{RollbackOptions, RunState};
use transload_host::pipeline::{rollback, run};
use transload_simulators::common::{Action, Fault, Occurrence, PathPattern};
use transload_simulators::kustomer::Kind;

const HOUR_MS: i64 = 3_600_000;

fn fault(method: &str, path: &str, occurrence: Occurrence, action: Action) -> Fault {
    Fault {
        method: Some(method.to_owned()),
        path: PathPattern::new(path),
        occurrence,
        action,
    }
}

#[test]
fn a_write_that_times_out_and_is_applied_90_seconds_later_is_not_made_again() {
    let seed = 21;
    let outside = runtime();
    let whole = outside.block_on(undisturbed(small(seed)));
    outside.block_on(async {
        let lab = Lab::new(small(seed)).await.unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        let late = |status| Action::ApplyLate { ms: 90_000, status };
        for (path, status) in [
            ("/api/v2/organizations", Some(504)),
            ("/api/v2/groups", None),
            ("/api/v2/user_fields", Some(504)),
            ("/api/v2/users", None),
            ("/api/v2/users/create_many", Some(504)),
            ("/api/v2/imports/tickets/create_many", Some(504)),
        ] {
            let once = Occurrence::Between(1, 1);
            let faults = &lab.destination.harness().faults;
            faults.add(fault("POST", path, once, late(status)));
        }
        let report = to_the_end(&lab, &Arc::default()).await;
        let what = format!("seed {seed}: applied 90 s late");
        let records = lab.destination.harness().recorder.all();
        let played = records.iter().filter(|r| r.fault.is_some()).count();
        assert!(played > 2, "{what}: hardly any fault was played");
        assert_eq!(lab.destination.harness().pending_late(), 0, "{what}");
        assert_arrived(&lab, &whole.fingerprint, &report, &what);
        assert_taken_back(&lab, &before, &what).await;
    });
}

#[test]
fn a_run_that_is_resumed_when_everything_has_expired_ends_like_any_other() {
    let seed = 22;
    let outside = runtime();
    let whole = outside.block_on(undisturbed(small(seed)));
    let kills = [
        (whole.boundaries / 4, 3 * HOUR_MS),
        (whole.boundaries / 2, 3 * 24 * HOUR_MS),
        (whole.boundaries * 7 / 8, 21 * 24 * HOUR_MS),
    ];
    for (n, later) in kills {
        let lab = outside.block_on(Lab::new(small(seed))).unwrap();
        let boundary = killed_at(&outside, &lab, Work::Run, n).unwrap();
        let what = format!(
            "seed {seed}, killed at {n} ({boundary}), {} h later",
            later / HOUR_MS
        );
        println!("{what}");
        lab.time.shown.advance(later);
        lab.renew_credential().unwrap();
        outside.block_on(async {
            let report = to_the_end(&lab, &Arc::default()).await;
            assert_eq!(report.state, RunState::Complete, "{what}");
            // Tickets that were closed meanwhile by the vendor's own rules differ in their status alone, and only after weeks.
            assert_eq!((report.duplicates, report.lost), (0, 0), "{what}");
            assert_arrived(&lab, &whole.fingerprint, &report, &what);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_touched_between_two_pages_is_neither_lost_nor_there_twice() {
    let mut config = small(23);
    config.size = 40;
    let lab = Lab::new(config).await.unwrap();
    // Touched one after the other while the source is read: each moves to the end of what is still to be read.
    for number in (10..70).step_by(5) {
        lab.source.after_request(number, move |source| {
            let ids = source.world().ids(Kind::Conversation);
            let at = usize::try_from(number).unwrap() % ids.len();
            assert!(source.touch_conversation(&ids[at]));
        });
    }
    let report = to_the_end(&lab, &Arc::default()).await;
    assert_eq!(report.state, RunState::Complete);
    assert_eq!((report.duplicates, report.lost), (0, 0));
    assert_eq!(report.total.shortfall, 0);
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "{:#?}", found.differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_hung_on_a_record_keeps_it_from_being_taken_back() {
    let lab = Lab::new(small(24)).await.unwrap();
    let report = to_the_end(&lab, &Arc::default()).await;
    assert_eq!(report.state, RunState::Complete);
    let snapshot = lab.destination.snapshot();
    let ours = snapshot.users.iter().find(|user| {
        let id = user.external_id.as_deref().unwrap_or_default();
        id.starts_with("kustomer:") && id.contains(":customer:")
    });
    let (user, email) = ours.map(|u| (u.id, u.external_id.clone())).unwrap();
    let theirs = lab
        .destination
        .add_ticket_for(user, "A new question")
        .unwrap();

    let project = lab.project().await.unwrap();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    let left: Vec<_> = undone
        .problems
        .iter()
        .filter(|p| p.kind == "customer")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].status, "conflict");
    assert!(email.unwrap().ends_with(&left[0].source_id));
    assert!(undone.left >= 1);
    let after = lab.destination.snapshot();
    assert!(after.users.iter().any(|u| u.id == user && u.active));
    assert!(
        after
            .tickets
            .iter()
            .any(|t| t.id == theirs && t.deleted.is_none())
    );
    let ours = |t: &&transload_simulators::zendesk::model::Ticket| {
        t.external_id
            .as_deref()
            .is_some_and(|id| id.starts_with("kustomer:"))
            && t.deleted.is_none()
    };
    assert_eq!(
        after.tickets.iter().filter(ours).count(),
        0,
        "{:?}",
        undone.problems
    );
}

#[test]
fn a_rollback_that_begins_while_a_job_of_the_vendor_runs_waits_for_it() {
    let seed = 25;
    let outside = runtime();
    let lab = outside.block_on(Lab::new(small(seed))).unwrap();
    let before = sorted(lab.destination.state_fingerprint());
    let recorder = lab.destination.harness().recorder.clone();
    // Dead when the job is begun and its answer is durable: the vendor works on it for a while yet.
    let killed = killed_when(&outside, &lab, Work::Run, move |_, boundary| {
        let begun = |r: &transload_simulators::common::Record| {
            r.path.ends_with("/imports/tickets/create_many")
        };
        boundary == "Answered" && recorder.all().iter().any(begun)
    });
    assert!(killed.is_some(), "no job was begun");
    let imported = lab.destination.snapshot();
    let imported = imported.tickets.iter().filter(|t| t.imported).count();
    println!("seed {seed}: {imported} tickets were there when the rollback began");
    outside.block_on(assert_taken_back(&lab, &before, "a job was running"));
}

#[test]
fn a_rollback_that_is_killed_goes_on_where_it_was() {
    let seed = 26;
    let outside = runtime();
    for n in [1, 40, 111] {
        let lab = outside.block_on(Lab::new(small(seed))).unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        outside.block_on(to_the_end(&lab, &Arc::default()));
        let boundary = killed_at(&outside, &lab, Work::Rollback, n);
        let what = format!("seed {seed}, rollback killed at boundary {n} ({boundary:?})");
        assert!(boundary.is_some(), "{what}");
        outside.block_on(assert_taken_back(&lab, &before, &what));
    }
}

#[test]
fn an_owner_that_stood_still_sends_nothing_after_it_was_replaced() {
    let seed = 27;
    let outside = runtime();
    let whole = outside.block_on(undisturbed(small(seed)));
    let lab = outside.block_on(Lab::new(small(seed))).unwrap();
    let before = sorted(lab.destination.state_fingerprint());

    // The first owner stops, thread and all, when an intent is durable and its request has not left: as by SIGSTOP.
    let (stopped, has_stopped) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let mut first = outside.block_on(lab.project()).unwrap();
    let passed = std::sync::atomic::AtomicU64::new(0);
    first.boundary = Some(Arc::new(move |boundary| {
        let number = passed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if number >= 200 && format!("{boundary:?}") == "Intended" {
            let _ = stopped.send(());
            let _ = may_go_on.lock().unwrap().recv();
        }
        Box::pin(async {})
    }));
    let owner = std::thread::spawn(move || {
        let own = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        own.block_on(run(&first, yes(), &Silent))
    });
    has_stopped.recv_timeout(Duration::from_secs(300)).unwrap();
    lab.time.stand_still(Duration::from_secs(600));
    let report = outside.block_on(to_the_end(&lab, &Arc::default()));
    let what = format!("seed {seed}: taken over");
    assert_arrived(&lab, &whole.fingerprint, &report, &what);
    let sent = lab.destination.harness().recorder.all().len();
    let there = fingerprint(&lab, &report.run);

    // It goes on, and finds that its time is over before anything leaves.
    for _ in 0..2 {
        let _ = go_on.send(());
    }
    drop(go_on);
    let refused = owner.join().unwrap().unwrap_err();
    assert!(matches!(refused, Error::Environment(_)), "{refused}");
    let changing = lab.destination.harness().recorder.all();
    let changing: Vec<_> = changing[sent..]
        .iter()
        .filter(|r| r.method != "GET")
        .collect();
    assert!(changing.is_empty(), "{changing:?}");
    assert_same(&there, &fingerprint(&lab, &report.run), &what);
    outside.block_on(assert_taken_back(&lab, &before, &what));
}
