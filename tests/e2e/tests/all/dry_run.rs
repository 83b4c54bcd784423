//! Dry runs: nothing mutating leaves, nothing is changed anywhere, and what is forecast is what a run then comes to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::BTreeMap;
use std::path::Path;

use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
use transload_host::pipeline::model::{
    DryRun, KindSum, RollbackOptions, RunOptions, RunReport, RunState,
};
use transload_host::pipeline::{dry_run, rollback, run, show};

destinations!(a_dry_run_changes_nothing_and_forecasts_what_a_run_then_comes_to);

async fn a_dry_run_changes_nothing_and_forecasts_what_a_run_then_comes_to<D: Destination>() {
    let config = LabConfig {
        size: 20,
        ..LabConfig::default()
    };
    let lab = Lab::<D>::of(config).await.unwrap();
    let before = lab.destination.state_fingerprint();
    let project = lab.project().await.unwrap();
    let dry = dry_run(&project, RunOptions::default(), &Silent)
        .await
        .unwrap();
    println!("{}", transload_host::report::dry_run(&dry, None));

    // Every request that came is a read.
    for asked in lab.destination.harness().recorder.all() {
        let reads = reads(&asked.method, &asked.path);
        assert!(reads, "{} {}", asked.method, asked.path);
    }
    assert_eq!(before, lab.destination.state_fingerprint());
    assert_eq!(lab.destination.harness().outbox.all(), []);
    assert_eq!(lab.destination.harness().automations.all(), []);
    // A run knows nothing of it, but for what was read of the source.
    let rows = |table: &'static str| {
        let store = project.store.clone();
        async move { store.number(table, vec![]).await.unwrap() }
    };
    for table in [
        "SELECT count(*) FROM runs",
        "SELECT count(*) FROM outcomes",
        "SELECT count(*) FROM effects",
        "SELECT count(*) FROM units",
        "SELECT count(*) FROM rehearsed",
        "SELECT count(*) FROM chain",
    ] {
        assert_eq!(rows(table).await, 0, "{table}");
    }
    assert!(!lab.dir.join("export").exists());
    // No way ended early, and each kind has a record to be shown.
    assert_eq!(dry.unknown, []);
    assert!(!dry.examples.is_empty());
    for example in &dry.examples {
        let shown = show(&project, example).await.unwrap();
        assert!(!shown.requests.is_empty(), "{example}");
    }

    let accepted = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, accepted, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    let known = only_it_refuses(D::PLUGIN);
    let apart = |all: BTreeMap<String, Ends>| -> BTreeMap<String, Ends> {
        let kept = all.into_iter();
        kept.filter(|(kind, _)| !known.contains(&kind.as_str()))
            .collect()
    };
    assert_eq!(apart(sums(&dry.report)), apart(sums(&report)));
    for kind in known {
        let (said, came) = (sums(&dry.report)[*kind], sums(&report)[*kind]);
        assert_ne!(said, came, "{kind} is not refused any more");
        // Some records that the source was made with for it.
        assert!(said[1].abs_diff(came[1]) <= 5, "{kind}: {said:?} {came:?}");
    }
    // The report says the same, by itself.
    let held = report.against.as_ref().unwrap();
    assert_eq!(held.dry_run_at, Some(dry.at));
    assert!(held.same_mapping);
    for kind in &held.kinds {
        let as_said = kind.dry_run.is_some_and(|said| said == kind.came);
        assert_eq!(
            as_said,
            !known.contains(&kind.kind.as_str()),
            "{}",
            kind.kind
        );
    }
    let surprises: Vec<_> = held
        .losses
        .iter()
        .filter(|loss| loss.dry_run != Some(loss.came))
        .map(|loss| (loss.kind.as_str(), loss.field.as_str()))
        .filter(|(kind, field)| {
            // What a field cannot be, its values lose.
            let of_known = |known: &&str| {
                kind == known
                    || field.starts_with(*known)
                    || (*known == "field-definition" && field.starts_with("fields."))
            };
            !known.iter().any(of_known)
        })
        .collect();
    assert_eq!(surprises, []);
    let undone = rollback(&project, RollbackOptions::default(), &Silent);
    let undone = undone.await.unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
}

/// Whether a request only reads, by its method and what vendors read by other methods.
fn reads(method: &str, path: &str) -> bool {
    let by_post = ["/search", "/batch/read", "/importMappings"]
        .iter()
        .any(|end| path.ends_with(end));
    // By ids, of one object.
    let retrieval = path.split_once("/composite/sobjects/").is_some();
    let credential = path.contains("/oauth");
    method == "GET" || (method == "POST" && (by_post || retrieval || credential))
}

/// Kinds of which the platform refuses a record for what nobody but it knows, so that no dry run can say it.
fn only_it_refuses(plugin: &str) -> &'static [&'static str] {
    match plugin {
        // Files whose type it does not take.
        "freshdesk" | "hubspot" => &["attachment"],
        // A field beyond the number that it takes.
        "gorgias" => &["field-definition"],
        // Empty files; and whether a field can have something to choose from is published nowhere.
        "zoho-desk" => &["attachment", "field-definition"],
        _ => &[],
    }
}

/// Read, created, updated, matched, skipped, rejected, exported, unsettled.
type Ends = [u64; 8];

/// How each kind ends, without what is counted otherwise.
fn sums(report: &RunReport) -> BTreeMap<String, Ends> {
    let one = |sum: &KindSum| {
        let ends = [
            sum.read,
            sum.created,
            sum.updated,
            sum.matched,
            sum.skipped,
            sum.rejected,
            sum.exported,
            sum.unsettled,
        ];
        (sum.kind.clone(), ends)
    };
    report.kinds.iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_what_it_would_send_and_keeps_no_secret() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let none = lab
        .output(&["run", "--dry-run", "--show", "x"])
        .await
        .unwrap();
    assert_eq!(none.status.code(), Some(2));
    let words = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(words.contains("there was no dry run yet"), "{words}");

    let text = lab.run(&["run", "--dry-run"], &[0]).await.unwrap();
    println!("{text}");
    assert!(
        text.starts_with("Dry run: nothing was changed at new"),
        "{text}"
    );
    let json = lab
        .run(&["--json", "run", "--dry-run"], &[0])
        .await
        .unwrap();
    let dry: DryRun = serde_json::from_str(&json).unwrap();
    assert!(dry.would_send.iter().map(|one| one.count).sum::<u64>() > 0);
    assert!(dry.forecast_ms > 0);

    let example = |kind: &str| {
        let mut all = dry.examples.iter();
        all.find(|one| one.starts_with(kind)).unwrap().clone()
    };
    let thread = lab
        .run(
            &["run", "--dry-run", "--show", &example("conversation:")],
            &[0],
        )
        .await
        .unwrap();
    println!("{thread}");
    assert!(thread.contains("would be created"), "{thread}");
    assert!(thread.contains("POST /api/v2/imports/tickets"), "{thread}");
    // Whose ids are not known yet is said.
    assert!(thread.contains("\"requester_id\": «customer:"), "{thread}");
    let unknown = lab.output(&["run", "--dry-run", "--show", "customer:nobody"]);
    assert_eq!(unknown.await.unwrap().status.code(), Some(2));

    let secret = std::fs::read_to_string(lab.dir.join("destination.token")).unwrap();
    for file in files(&lab.dir.join(".transload")) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_of_a_run_that_was_begun_goes_on_with_it() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let project = lab.project().await.unwrap();
    let accepted = || RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, accepted(), &Silent).await.unwrap();
    let before = lab.destination.state_fingerprint();
    let dry = dry_run(&project, RunOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(before, lab.destination.state_fingerprint());
    assert_eq!(dry.report.run, report.run);
    assert_eq!(dry.done_before, report.total.read - report.total.open);
    assert_eq!(dry.would_send, []);
    assert_eq!(sums(&dry.report), sums(&report));
}

/// All files below a folder, links not followed.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = vec![];
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            all.extend(files(&entry.path()));
        } else if kind.is_file() {
            all.push(entry.path());
        }
    }
    all
}
