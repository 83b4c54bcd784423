//! Runs that are killed, stopped and disturbed, and what must be true of them afterwards.
//!
//! Test code: it panics where a test would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "assertions of tests, kept where several suites can use them"
)]

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use transload_host::pipeline::model::{
    DeltaOptions, RollbackOptions, RollbackReport, RunOptions, RunReport, RunState,
};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{delta, rollback, run};
use transload_simulators::common::Clock;
use transload_simulators::kustomer::{self, Kind, State};

use crate::compare::differences;
use crate::{Destination, Lab, LabConfig, Silent, compare};

/// 2026-03-02T09:00:00Z, in every lab: what is compared must not depend on when it was made.
const BEGINS: i64 = 1_772_442_000_000;

/// The seed of [`tiny`]'s organisation.
const TINY: u64 = 1603;

/// A small migration that is the same whenever and however often it is made.
#[must_use]
pub fn small(seed: u64) -> LabConfig {
    LabConfig {
        seed,
        size: 8,
        longest_thread: 4,
        largest_file: 512,
        in_memory: true,
        begins: Some(BEGINS),
        ..LabConfig::default()
    }
}

/// The smallest migration in which every kind occurs: a conversation with a message, a note and a file, two custom objects of
/// which one refers to the other, customers of whom one belongs to a company, and two or three of everything around them.
///
/// # Panics
/// When the organisation of this seed is another one.
#[must_use]
pub fn tiny() -> LabConfig {
    let config = LabConfig {
        seed: TINY,
        size: 1,
        few: true,
        longest_thread: 3,
        largest_file: 256,
        in_memory: true,
        begins: Some(BEGINS),
        ..LabConfig::default()
    };
    assert!(has_every_kind(&config), "another seed is needed");
    config
}

/// Whether an organisation with few records has all that [`tiny`] promises.
#[must_use]
pub fn has_every_kind(config: &LabConfig) -> bool {
    let source = kustomer::Simulator::new(config.source(Clock::at(BEGINS)));
    let world = source.world();
    let refers = |id: &String, pointer: &str| {
        let record = world.json(id).unwrap_or_default();
        let other = record.pointer(pointer).and_then(Value::as_str);
        other.is_some_and(|other| world.state(other) == Some(State::Live))
    };
    let any = |kind: Kind, pointer: &str| world.ids(kind).iter().any(|id| refers(id, pointer));
    let conversation = world.ids(Kind::Conversation).remove(0);
    let about = world.json(&conversation).unwrap_or_default();
    let messages = world.message_ids(&conversation);
    let is_no = |pointer: &str| about.pointer(pointer) == Some(&Value::Bool(false));
    is_no("/attributes/deleted")
        && is_no("/attributes/spam")
        && messages.iter().any(|id| !world.files(id).is_empty())
        && world.note_ids(&conversation).len() == 1
        && any(Kind::KObject, "/attributes/custom/orderId")
        && any(Kind::Customer, "/relationships/company/data/id")
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
pub fn fingerprint<D: Destination>(lab: &Lab<D>, run: &str) -> Value {
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
pub async fn to_the_end<D: Destination>(lab: &Lab<D>, passed: &Arc<AtomicU64>) -> RunReport {
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
    /// Bringing over what changed since.
    Delta,
}

/// Works until the n-th boundary, and dies there: nothing that was going on is polled again. Names the boundary; `None` when the
/// work ended before.
pub fn killed_at<D: Destination>(
    outside: &Runtime,
    lab: &Lab<D>,
    work: Work,
    n: u64,
) -> Option<String> {
    killed_when(outside, lab, work, move |passed, _| passed >= n)
}

/// As [`killed_at`], at the first boundary of which `dies` (their number, from 1, and name) says so.
pub fn killed_when<D: Destination>(
    outside: &Runtime,
    lab: &Lab<D>,
    work: Work,
    dies: impl Fn(u64, &str) -> bool + Send + Sync + 'static,
) -> Option<String> {
    let mut project = outside.block_on(lab.project()).unwrap();
    let (death, dead) = mpsc::unbounded_channel();
    let passed = AtomicU64::new(0);
    let is_dead = AtomicBool::new(false);
    project.boundary = Some(Arc::new(move |boundary| {
        let name = format!("{boundary:?}");
        let is_it = is_dead.load(Ordering::SeqCst)
            || dies(passed.fetch_add(1, Ordering::SeqCst) + 1, &name);
        if is_it {
            is_dead.store(true, Ordering::SeqCst);
            let _ = death.send(name);
        }
        Box::pin(async move {
            if is_it {
                std::future::pending::<()>().await;
            }
        })
    }));
    dies_by(outside, project, work, dead)
}

/// Works until something says where it is to die; nothing that was going on is polled again then. `None` when the work ended
/// before.
pub fn dies_by(
    outside: &Runtime,
    project: Project,
    work: Work,
    mut death: mpsc::UnboundedReceiver<String>,
) -> Option<String> {
    // A thread of its own: the future is not `Send`, and what it spawned dies with its runtime.
    let (ended, has_ended) = tokio::sync::oneshot::channel::<()>();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let inside = runtime();
        inside.block_on(async {
            let working = async {
                match work {
                    Work::Run => drop(run(&project, yes(), &Silent).await.unwrap()),
                    Work::Delta => {
                        drop(
                            delta(&project, DeltaOptions::default(), &Silent)
                                .await
                                .unwrap(),
                        );
                    }
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
                    let _ = ended.send(());
                }
                _ = stopped => {}
            }
        });
        inside.shutdown_background();
    });
    let place = outside.block_on(async {
        tokio::select! {
            biased;
            Some(place) = death.recv() => Some(place),
            _ = has_ended => None,
        }
    });
    let _ = stop.send(());
    thread.join().unwrap();
    place
}

/// Numbers that follow from a seed.
#[derive(Debug)]
pub struct Draw(u64);

impl Draw {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number in a range (splitmix64).
    pub fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        range.start() + mixed % (range.end() - range.start() + 1)
    }
}

/// Kills the work again and again, each time a few boundaries further, until one of its processes comes to the end. A process
/// that only does again what the one before did passes boundaries too, so each is killed at another number of them. How often
/// it was killed.
///
/// # Panics
/// When it gets nowhere.
pub fn killed_again_and_again<D: Destination>(
    outside: &Runtime,
    lab: &Lab<D>,
    work: Work,
    draw: &mut Draw,
    steps: RangeInclusive<u64>,
) -> u64 {
    let mut kills = 0;
    while killed_at(outside, lab, work, draw.between(steps.clone())).is_some() {
        kills += 1;
        assert!(kills < 2_000, "killed {kills} times, and it gets nowhere");
    }
    kills
}

/// How a run ends that nothing happens to.
#[derive(Debug)]
pub struct Undisturbed {
    /// What is there.
    pub fingerprint: Value,
    /// How many boundaries it passed; units run side by side, so that the number differs a little from run to run.
    pub boundaries: u64,
}

/// [`undisturbed_at`] Zendesk.
///
/// # Panics
/// As [`undisturbed_at`].
pub async fn undisturbed(config: LabConfig) -> Undisturbed {
    undisturbed_at::<transload_simulators::zendesk::Simulator>(config).await
}

/// Runs undisturbed, and holds both accounts against each other.
///
/// # Panics
/// When they differ.
pub async fn undisturbed_at<D: Destination>(config: LabConfig) -> Undisturbed {
    let seed = config.seed;
    let lab = Lab::<D>::of(config).await.unwrap();
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
pub fn assert_arrived<D: Destination>(
    lab: &Lab<D>,
    wanted: &Value,
    report: &RunReport,
    what: &str,
) {
    assert_eq!(report.state, RunState::Complete, "{what}");
    assert_eq!(
        (report.duplicates, report.lost, report.total.unsettled),
        (0, 0, 0),
        "{what}"
    );
    assert!(report.chain_ok, "{what}");
    let with = format!("{what}, rejected: {:?}", report.rejects);
    assert_same(wanted, &fingerprint(lab, &report.run), &with);
    assert_eq!(lab.destination.harness().outbox.all(), [], "{what}");
}

/// Takes the run back, and what is left is what was there before.
///
/// # Panics
/// When it is not so.
pub async fn assert_taken_back<D: Destination>(
    lab: &Lab<D>,
    before: &Value,
    what: &str,
) -> RollbackReport {
    let project = lab.project().await.unwrap();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{what}: {:?}", undone.problems);
    assert_same(before, &sorted(lab.destination.state_fingerprint()), what);
    assert_eq!(lab.destination.harness().outbox.all(), [], "{what}");
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
