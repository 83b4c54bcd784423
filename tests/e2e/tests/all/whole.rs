//! Whole small migrations in this process: what arrives, what does not happen, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::{Comparison, Destination, Lab, LabConfig, Silent, compare, destinations};
use transload_host::pipeline::model::{
    KindSum, PlanField, RollbackOptions, RunOptions, RunReport, RunState,
};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{plan, rollback, run};
use transload_simulators::common::Clock;
use transload_simulators::kustomer::{self, Kind, Place};

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

async fn migrate<D: Destination>(lab: &Lab<D>) -> (Project, RunReport) {
    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    (project, report)
}

fn assert_equal(found: &Comparison) {
    println!(
        "checked {:?}, explained {:?}",
        found.checked, found.explained
    );
    for difference in found.differences.iter().take(40) {
        println!("  {difference}");
    }
    assert!(found.is_equal(), "{} differences", found.differences.len());
    for what in [
        "conversations",
        "messages",
        "notes",
        "files",
        "customers",
        "companies",
        "custom objects",
    ] {
        let mut explained = found.explained.keys();
        let there = found.checked.contains_key(what) || explained.any(|why| why.starts_with(what));
        assert!(there, "no {what} were compared");
    }
}

/// What was lost or converted of single fields is what the plan said (rule M-1): by the field, the whole of which it is a part, or
/// the rest of its kind. Of a custom field the plan says where it goes; which of its values fit shows when they are written.
fn assert_planned(planned: &[PlanField], report: &RunReport) {
    let unplanned: Vec<_> = report
        .losses
        .iter()
        .filter(|loss| {
            let Some((kind, path)) = loss.field.split_once('.') else {
                return false;
            };
            if kind == "fields" {
                return false;
            }
            let first = path.split('.').next().unwrap_or(path);
            let names = [path, first, "*"];
            let mut of_kind = planned.iter().filter(|field| field.kind == kind);
            !of_kind.any(|field| names.contains(&field.field.as_str()))
        })
        .map(|loss| (&loss.field, &loss.how, &loss.note, loss.count))
        .collect();
    assert!(unplanned.is_empty(), "nobody said so: {unplanned:#?}");
}

fn settled(sum: &KindSum) -> u64 {
    sum.created
        + sum.updated
        + sum.matched
        + sum.skipped
        + sum.rejected
        + sum.exported
        + sum.unsettled
        + sum.open
}

destinations!(
    a_whole_migration_arrives_field_by_field_and_is_taken_back_whole,
    a_thread_of_three_thousand_messages_arrives_and_is_taken_back,
    a_file_of_twenty_megabytes_arrives_and_is_taken_back,
);

async fn a_whole_migration_arrives_field_by_field_and_is_taken_back_whole<D: Destination>() {
    let lab = Lab::<D>::of(LabConfig::default()).await.unwrap();
    let before = lab.destination.state_fingerprint();
    let planned = plan(&lab.project().await.unwrap(), &Silent).await.unwrap();
    let (project, report) = migrate(&lab).await;
    assert_planned(&planned.losses, &report);
    assert_equal(&compare(&lab.source, &lab.destination).await.unwrap());

    assert_eq!(report.state, RunState::Complete);
    for sum in report.kinds.iter().chain([&report.total]) {
        assert_eq!(sum.read, settled(sum), "{sum:?}");
        let explained: u64 = sum.explained.values().sum();
        assert_eq!(
            sum.expected,
            sum.read + explained + sum.shortfall,
            "{sum:?}"
        );
    }
    let total = &report.total;
    assert_eq!((total.unsettled, total.open, total.shortfall), (0, 0, 0));
    assert_eq!((report.duplicates, report.lost), (0, 0));
    assert!(report.chain_ok);
    // What is said to be exported is in the export folder.
    let export = lab.dir.join("export").join(&report.run);
    for sum in report
        .kinds
        .iter()
        .filter(|sum| sum.exported > 0 && sum.kind != "inventory")
    {
        let lines = std::fs::read_to_string(export.join(format!("{}.jsonl", sum.kind)));
        let lines = lines.unwrap_or_default().lines().count() as u64;
        assert_eq!(lines, sum.exported, "{}", sum.kind);
    }
    // Nobody was mailed, and nothing ran (rule M-8).
    assert_eq!(lab.destination.harness().outbox.all(), []);
    assert_eq!(lab.destination.harness().automations.all(), []);
    // The source was only read (rule M-5).
    for count in report
        .requests
        .iter()
        .filter(|count| count.connection == "old")
    {
        let searches = ["/v1/customers/search", "/v1/customers/archive/search"];
        assert!(
            count.method == "GET" || searches.contains(&count.path.as_str()),
            "{count:?}"
        );
    }

    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
    assert_same(&before, &lab.destination.state_fingerprint());
    assert_eq!(lab.destination.harness().outbox.all(), []);
}

async fn a_thread_of_three_thousand_messages_arrives_and_is_taken_back<D: Destination>() {
    let lab = Lab::<D>::of(LabConfig {
        size: 20,
        longest_thread: 3_000,
        largest_file: 1024,
        ..LabConfig::default()
    });
    let lab = lab.await.unwrap();
    let longest = {
        let world = lab.source.world();
        let conversations = world.ids(Kind::Conversation).into_iter();
        let threads = conversations.map(|id| world.message_ids(&id).len());
        threads.max()
    };
    assert!(longest >= Some(3_000), "{longest:?}");
    arrives_and_is_taken_back(&lab).await;
}

async fn a_file_of_twenty_megabytes_arrives_and_is_taken_back<D: Destination>() {
    let largest = 20 * 1024 * 1024;
    let config = |seed| LabConfig {
        seed,
        largest_file: largest,
        ..LabConfig::default()
    };
    // One organisation in a few has a file of that size.
    let has_one = |seed: &u64| {
        let source = kustomer::Simulator::new(config(*seed).source(Clock::real()));
        let world = source.world();
        let messages = world.ids(Kind::Message).into_iter();
        let mut files = messages.flat_map(|id| world.files(&id));
        files.any(|file| file.length == largest && file.place == Place::Stored)
    };
    let seed = (1..1_000).find(has_one).unwrap();
    println!("seed {seed}");
    let lab = Lab::<D>::of(config(seed)).await.unwrap();
    arrives_and_is_taken_back(&lab).await;
}

async fn arrives_and_is_taken_back<D: Destination>(lab: &Lab<D>) {
    let before = lab.destination.state_fingerprint();
    let (project, report) = migrate(lab).await;
    assert_eq!(report.state, RunState::Complete);
    assert_equal(&compare(&lab.source, &lab.destination).await.unwrap());
    let undone = rollback(&project, RollbackOptions::default(), &Silent);
    let undone = undone.await.unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
    assert_same(&before, &lab.destination.state_fingerprint());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_owner_is_refused_while_the_first_lives() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let project = lab.project().await.unwrap();
    let owned = project.own().await.unwrap();
    let output = lab.output(&["plan"]).await.unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_ne!(output.status.code(), Some(0), "{words}");
    owned.release().await.unwrap();
    lab.run(&["plan"], &[0, 1]).await.unwrap();
}

fn assert_same(wanted: &serde_json::Value, found: &serde_json::Value) {
    let differences = transload_e2e::compare::differences(wanted, found);
    for difference in differences.iter().take(20) {
        println!("  {difference}");
    }
    assert!(differences.is_empty(), "{} differences", differences.len());
}
