//! Runs that are killed, stopped and disturbed, and what must be true of them afterwards.
//!
//! Test code: it panics where a test would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "assertions of tests, kept where several suites can use them"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use transload_host::pipeline::model::{
    RollbackOptions, RollbackReport, RunOptions, RunReport, RunState,
};
use transload_host::pipeline::{rollback, run};

use crate::compare::differences;
use crate::{Lab, LabConfig, Silent, compare};

/// 2026-03-02T09:00:00Z, in every lab: what is compared must not depend on when it was made.
const BEGINS: i64 = 1_772_442_000_000;

/// A small migration that is the same whenever and however often it is made.
#[must_use]
pub fn small(seed: u64) -> LabConfig {
    LabConfig {
        seed,
        size: 8,
        longest_thread: 4,
        largest_file: 512,
        begins: Some(BEGINS),
        ..LabConfig::default()
    }
}

/// What drives tests from outside of the runs they kill.
#[must_use]
pub fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Whatever the plan is, it is approved.
#[must_use]
pub fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

/// What is there, whatever the run was called and wherever the simulators listened: both stand on what it made.
#[must_use]
pub fn fingerprint(lab: &Lab, run: &str) -> Value {
    let text = lab.destination.state_fingerprint().to_string();
    let (from, to) = &lab.base_urls;
    let text = text.replace(run, "RUN").replace(from, "SOURCE");
    sorted(serde_json::from_str(&text.replace(to, "DESTINATION")).unwrap())
}

/// Lists in one order: what they are sorted by may hold the run's id.
#[must_use]
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, sorted(value)))
            .collect(),
        other => other,
    }
}

/// Runs to the end in this process, and counts the boundaries.
pub async fn to_the_end(lab: &Lab, passed: &Arc<AtomicU64>) -> RunReport {
    let mut project = lab.project().await.unwrap();
    let passed = Arc::clone(passed);
    project.boundary = Some(Arc::new(move |_| {
        passed.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    }));
    run(&project, yes(), &Silent).await.unwrap()
}

/// What a killed process was doing.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// Migrating.
    Run,
    /// Taking back.
    Rollback,
}

/// Works until the n-th boundary, and dies there: nothing that was going on is polled again. Names the boundary; `None` when the
/// work ended before.
pub fn killed_at(outside: &Runtime, lab: &Lab, work: Work, n: u64) -> Option<String> {
    killed_when(outside, lab, work, move |passed, _| passed >= n)
}

/// As [`killed_at`], at the first boundary of which `dies` (their number, from 1, and name) says so.
pub fn killed_when(
    outside: &Runtime,
    lab: &Lab,
    work: Work,
    dies: impl Fn(u64, &str) -> bool + Send + Sync + 'static,
) -> Option<String> {
    let mut project = outside.block_on(lab.project()).unwrap();
    let (reached, mut dead) = mpsc::unbounded_channel();
    let passed = AtomicU64::new(0);
    let signal = reached.clone();
    let is_dead = AtomicU64::new(0);
    project.boundary = Some(Arc::new(move |boundary| {
        let name = format!("{boundary:?}");
        let is_it = is_dead.load(Ordering::SeqCst) > 0
            || dies(passed.fetch_add(1, Ordering::SeqCst) + 1, &name);
        if is_it {
            is_dead.store(1, Ordering::SeqCst);
            let _ = signal.send(Some(name));
        }
        Box::pin(async move {
            if is_it {
                std::future::pending::<()>().await;
            }
        })
    }));
    // A thread of its own: the future is not `Send`, and what it spawned dies with its runtime.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let inside = runtime();
        inside.block_on(async {
            let working = async {
                match work {
                    Work::Run => drop(run(&project, yes(), &Silent).await.unwrap()),
                    Work::Rollback => {
                        drop(
                            rollback(&project, RollbackOptions::default(), &Silent)
                                .await
                                .unwrap(),
                        );
                    }
                }
            };
            tokio::select! {
                () = working => {
                    let _ = reached.send(None);
                }
                _ = stopped => {}
            }
        });
        inside.shutdown_background();
    });
    let where_to = outside.block_on(dead.recv()).flatten();
    let _ = stop.send(());
    thread.join().unwrap();
    where_to
}

/// How a run ends that nothing happens to.
#[derive(Debug)]
pub struct Undisturbed {
    /// What is there.
    pub fingerprint: Value,
    /// How many boundaries it passed; units run side by side, so that the number differs a little from run to run.
    pub boundaries: u64,
}

/// Runs undisturbed, and holds both accounts against each other.
///
/// # Panics
/// When they differ.
pub async fn undisturbed(config: LabConfig) -> Undisturbed {
    let seed = config.seed;
    let lab = Lab::new(config).await.unwrap();
    let passed = Arc::new(AtomicU64::new(0));
    let report = to_the_end(&lab, &passed).await;
    assert_eq!(report.state, RunState::Complete);
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "seed {seed}: {:?}", found.differences);
    Undisturbed {
        fingerprint: fingerprint(&lab, &report.run),
        boundaries: passed.load(Ordering::SeqCst),
    }
}

/// The end state is the undisturbed one, nothing is there twice or missing, and nobody was mailed.
///
/// # Panics
/// When it is not so.
pub fn assert_arrived(lab: &Lab, wanted: &Value, report: &RunReport, what: &str) {
    assert_eq!(report.state, RunState::Complete, "{what}");
    assert_eq!(
        (report.duplicates, report.lost, report.total.unsettled),
        (0, 0, 0),
        "{what}"
    );
    assert!(report.chain_ok, "{what}");
    assert_same(wanted, &fingerprint(lab, &report.run), what);
    assert_eq!(lab.destination.outbox().all(), [], "{what}");
}

/// Takes the run back, and what is left is what was there before.
///
/// # Panics
/// When it is not so.
pub async fn assert_taken_back(lab: &Lab, before: &Value, what: &str) -> RollbackReport {
    let project = lab.project().await.unwrap();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{what}: {:?}", undone.problems);
    assert_same(before, &sorted(lab.destination.state_fingerprint()), what);
    assert_eq!(lab.destination.outbox().all(), [], "{what}");
    undone
}

/// Two fingerprints are the same; if not, says where.
///
/// # Panics
/// When they differ.
pub fn assert_same(wanted: &Value, found: &Value, what: &str) {
    let differences = differences(wanted, found);
    for difference in differences.iter().take(20) {
        println!("  {difference}");
    }
    assert!(
        differences.is_empty(),
        "{what}: {} differences",
        differences.len()
    );
}
