//! The fault campaign: killed at every boundary of the journal, killed again and again, answers lost, requests turned away.
//! However often and wherever it happens, the end state is that of the undisturbed run, nothing is there twice, and rollback
//! leaves nothing.
//!
//! Every boundary of the tiny migration is killed at; in the larger one each process dies a few boundaries after the one before.
//! `TRANSLOAD_CAMPAIGN=all` kills the larger one at every boundary, too, each time from its beginning, which takes an hour;
//! `TRANSLOAD_CAMPAIGN=20` at every twentieth. The seed is printed with each step, and everything follows from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use transload_e2e::engine::{
    Draw, Undisturbed, Work, assert_arrived, assert_same, assert_taken_back,
    killed_again_and_again, killed_at, runtime, small, sorted, tiny, to_the_end, undisturbed_at,
};
use transload_e2e::{Destination, Lab, LabConfig, compare, destinations};
use transload_simulators::common::{Action, Fault, Occurrence, PathPattern};

/// So many runs of the tiny migration go to one that is taken back, too: most boundaries come in fives (intended, arrived,
/// answered, before the outcome, outcome), so that each kind of them has its turn.
const UNDONE: u64 = 7;
/// Of the larger migration.
const SEED: u64 = 11;

/// The larger migration, undisturbed.
fn whole<D: Destination>() -> &'static Undisturbed {
    static WHOLES: Mutex<BTreeMap<&str, &Undisturbed>> = Mutex::new(BTreeMap::new());
    let mut wholes = WHOLES.lock().unwrap_or_else(PoisonError::into_inner);
    wholes.entry(D::PLUGIN).or_insert_with(|| {
        let whole = runtime().block_on(undisturbed_at::<D>(small(SEED)));
        Box::leak(Box::new(whole))
    })
}

/// How often what was killed.
#[derive(Debug, Default)]
struct Kills {
    runs: u64,
    rollbacks: u64,
    /// Of the boundaries.
    names: BTreeSet<String>,
}

/// Kills a run at one boundary after the other, each in a lab of its own: at `first`, then at every `stride`th. It goes on and
/// must end as the undisturbed one does. Every `undone`th is taken back then: the rollback is killed at the same number, goes on,
/// and must leave nothing. Ends when a run has no such boundary.
fn killed_at_each<D: Destination>(
    config: &LabConfig,
    whole: &Undisturbed,
    [first, stride, undone]: [u64; 3],
) -> Kills {
    let next = AtomicU64::new(first);
    let kills = Mutex::new(Kills::default());
    let note = |name: Option<String>, count: fn(&mut Kills) -> &mut u64| {
        let mut kills = kills.lock().unwrap();
        *count(&mut kills) += u64::from(name.is_some());
        kills.names.extend(name);
    };
    // What a killed process has left takes time, and no processor, to settle.
    let workers = std::thread::available_parallelism().map_or(2, |n| n.get() + 1);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let outside = runtime();
                loop {
                    let n = next.fetch_add(stride, Ordering::SeqCst);
                    let lab = outside.block_on(Lab::<D>::of(config.clone())).unwrap();
                    let before = sorted(lab.destination.state_fingerprint());
                    let boundary = killed_at(&outside, &lab, Work::Run, n);
                    let what = format!("seed {}, killed at {n} ({boundary:?})", config.seed);
                    println!("{what}");
                    let report = outside.block_on(to_the_end(&lab, &Arc::default()));
                    assert_arrived(&lab, &whole.fingerprint, &report, &what);
                    let is_last = boundary.is_none();
                    note(boundary, |kills| &mut kills.runs);
                    if ((n - first) / stride).is_multiple_of(undone) {
                        let boundary = killed_at(&outside, &lab, Work::Rollback, n);
                        let what = format!("{what}, the rollback, too ({boundary:?})");
                        outside.block_on(assert_taken_back(&lab, &before, &what));
                        note(boundary, |kills| &mut kills.rollbacks);
                    }
                    if is_last {
                        return;
                    }
                }
            });
        }
    });
    kills.into_inner().unwrap()
}

destinations!(
    blocking killed_at_every_boundary_a_run_ends_as_if_nothing_had_happened,
    a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened,
    killed_at_a_boundary_of_the_larger_run_it_ends_as_if_nothing_had_happened,
    an_answer_that_is_lost_makes_nothing_twice,
    a_request_that_is_lost_is_made_up_for,
    a_server_error_after_the_work_makes_nothing_twice,
    a_throttled_request_is_sent_again,
    a_bad_gateway_is_looked_into,
);

fn killed_at_every_boundary_a_run_ends_as_if_nothing_had_happened<D: Destination>() {
    let whole = runtime().block_on(undisturbed_at::<D>(tiny()));
    let kills = killed_at_each::<D>(&tiny(), &whole, [1, 1, UNDONE]);
    println!("{kills:?}, of {} boundaries", whole.boundaries);
    // Units run side by side, so that the number differs a little from run to run.
    assert!(kills.runs + 10 > whole.boundaries && kills.runs > 80);
    assert!(kills.rollbacks > 80 / UNDONE);
    let wanted = [
        "Answered",
        "Arrived",
        "BeforeOutcome",
        "Finished",
        "Intended",
        "Outcome",
    ];
    assert!(kills.names.iter().eq(&wanted));
}

fn a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened<D: Destination>() {
    let outside = runtime();
    let lab = outside.block_on(Lab::<D>::of(small(SEED))).unwrap();
    let before = sorted(lab.destination.state_fingerprint());
    let mut draw = Draw::new(SEED);
    let runs = killed_again_and_again(&outside, &lab, Work::Run, &mut draw, 2..=12);
    let what = format!("seed {SEED}, killed {runs} times");
    let report = outside.block_on(to_the_end(&lab, &Arc::default()));
    assert_arrived(&lab, &whole::<D>().fingerprint, &report, &what);
    let rollbacks = killed_again_and_again(&outside, &lab, Work::Rollback, &mut draw, 2..=12);
    let what = format!("{what}, the rollback {rollbacks} times");
    println!("{what}");
    outside.block_on(assert_taken_back(&lab, &before, &what));
    assert!(runs > 50 && rollbacks > 50, "{what}");
}

fn killed_at_a_boundary_of_the_larger_run_it_ends_as_if_nothing_had_happened<D: Destination>() {
    let stride = match std::env::var("TRANSLOAD_CAMPAIGN").as_deref() {
        Ok("all") => 1,
        Ok(stride) => stride
            .parse()
            .expect("TRANSLOAD_CAMPAIGN is `all` or a number"),
        Err(_) => whole::<D>().boundaries / 2,
    };
    // The first is in the middle of a stride: whole strides tend to fall on one kind of boundary.
    let kills = killed_at_each::<D>(&small(SEED), whole::<D>(), [stride.div_ceil(2), stride, 1]);
    println!("seed {SEED}: {kills:?} kills, at every {stride}th boundary");
}

/// The real command, really killed, each time while a request of it is with the destination: it will be applied, and nobody
/// hears of it. One unit at a time, so that no other request stands between its intent and its first byte: that one could not
/// be sent again before its settle time, which is real here.
#[test]
fn a_process_that_is_killed_is_gone_on_with_by_the_next() {
    let outside = runtime();
    let config = LabConfig {
        begins: None,
        extra: "[load]\nconcurrency = 1\n".to_owned(),
        ..tiny()
    };
    let lab = outside.block_on(Lab::new(config)).unwrap();
    let before = sorted(lab.destination.state_fingerprint());
    let harness = lab.destination.harness();
    let mut kills = vec![];
    for further in [30, 26, 30, 26] {
        let mut command = lab.command(&["run", "--yes"]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let pid = child.id().to_string();
        let number = harness.recorder.count() + further;
        harness.before_request(number, move || {
            let killed = Command::new("kill").args(["-9", &pid]).status();
            assert!(killed.unwrap().success());
        });
        let ended = child.wait().unwrap();
        assert_eq!(
            ended.signal(),
            Some(9),
            "killed at request {number}: {ended}"
        );
        kills.push(number);
    }
    outside.block_on(async {
        lab.run(&["run", "--yes"], &[0]).await.unwrap();
        // Only now: when a process has died, the request that it died of is still being answered.
        let sent = harness.recorder.all();
        for number in &kills {
            let at = sent.iter().find(|record| record.number == *number).unwrap();
            println!("killed at request {number}, {} {}", at.method, at.path);
        }
        let report = lab
            .run(&["report", "--format", "json"], &[0])
            .await
            .unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        for name in [
            "/duplicates",
            "/lost",
            "/total/rejected",
            "/total/unsettled",
            "/total/open",
        ] {
            assert_eq!(report.pointer(name), Some(&0.into()), "{name}");
        }
        let found = compare(&lab.source, &lab.destination).await.unwrap();
        assert!(found.is_equal(), "{:#?}", found.differences);
        assert_eq!((found.duplicates, found.lost), (0, 0));
        lab.run(&["rollback", "--yes"], &[0]).await.unwrap();
        assert_same(
            &before,
            &sorted(lab.destination.state_fingerprint()),
            "taken back",
        );
        assert_eq!(lab.destination.outbox().all(), []);
    });
}

fn disturbed<D: Destination>(what: &str, faults: &[(&str, &str, Action)]) {
    let whole = whole::<D>();
    runtime().block_on(async {
        let lab = Lab::<D>::of(small(SEED)).await.unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        for (method, path, action) in faults {
            lab.destination.harness().faults.add(Fault {
                method: Some((*method).to_owned()),
                path: PathPattern::new(path),
                occurrence: Occurrence::Between(1, 1),
                action: *action,
            });
        }
        let report = to_the_end(&lab, &Arc::default()).await;
        let played = lab.destination.harness().recorder.all();
        let played = played
            .iter()
            .filter(|record| record.fault.is_some())
            .count();
        println!("seed {SEED}: {what}, {played} times");
        assert!(played > 2, "{what}: hardly any fault was played");
        lab.destination.harness().faults.clear();
        assert_arrived(&lab, &whole.fingerprint, &report, what);
        assert_taken_back(&lab, &before, what).await;
    });
}

/// On what makes things at the destination.
fn on_creations<D: Destination>(action: Action) -> Vec<(&'static str, &'static str, Action)> {
    D::CREATIONS
        .iter()
        .map(|(method, path)| (*method, *path, action))
        .collect()
}

fn an_answer_that_is_lost_makes_nothing_twice<D: Destination>() {
    disturbed::<D>(
        "applied, and the answer lost",
        &on_creations::<D>(Action::DropAfter),
    );
}

fn a_request_that_is_lost_is_made_up_for<D: Destination>() {
    disturbed::<D>(
        "lost before it was applied",
        &on_creations::<D>(Action::DropBefore),
    );
}

fn a_server_error_after_the_work_makes_nothing_twice<D: Destination>() {
    disturbed::<D>(
        "applied, and answered 500",
        &on_creations::<D>(Action::StatusAfter { status: 500 }),
    );
}

fn a_throttled_request_is_sent_again<D: Destination>() {
    disturbed::<D>(
        "answered 429",
        &on_creations::<D>(Action::Status {
            status: 429,
            retry_after_s: Some(2),
        }),
    );
}

fn a_bad_gateway_is_looked_into<D: Destination>() {
    disturbed::<D>(
        "answered 502 and not applied",
        &on_creations::<D>(Action::Status {
            status: 502,
            retry_after_s: None,
        }),
    );
}
