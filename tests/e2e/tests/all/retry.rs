//! Rejected records are tried again, alone, once what was in their way is mended.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::{Destination, Lab, LabConfig, Silent, compare};
use transload_host::pipeline::model::{RetryOptions, RollbackOptions, RunOptions, RunState};
use transload_host::pipeline::{retry, rollback, run};
use transload_host::report::is_clean;
use transload_simulators::common::{Action, Fault, Occurrence, PathPattern};
use transload_simulators::{freshdesk, zendesk};

/// Companies are refused while the run goes on, and taken after it.
async fn what_was_refused_arrives_when_it_is_tried_again<D: Destination>(path: &str) {
    let lab = Lab::<D>::of(LabConfig {
        size: 16,
        longest_thread: 6,
        largest_file: 2048,
        extra: "[load]\nstop_rule = { consecutive = 1000, percent = 100.0 }".into(),
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let before = lab.destination.state_fingerprint();
    let project = lab.project().await.unwrap();
    lab.destination.harness().faults.add(Fault {
        method: Some("POST".into()),
        path: PathPattern::new(path),
        occurrence: Occurrence::All,
        action: Action::Status {
            status: 422,
            retry_after_s: None,
        },
    });
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let first = run(&project, options, &Silent).await.unwrap();
    let company = |report: &transload_host::pipeline::model::RunReport| {
        report
            .kinds
            .iter()
            .find(|sum| sum.kind == "company")
            .cloned()
            .unwrap()
    };
    assert!(company(&first).rejected > 0, "{:?}", company(&first));

    // Nothing is mended: nothing changes, and the sum holds.
    let again = retry(&project, RetryOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(again.rejected_now, first.total.rejected);
    assert!(again.tried >= company(&first).rejected);
    assert!(is_clean(&again.run), "{:?}", again.run.total);

    lab.destination.harness().faults.clear();
    let others = RetryOptions {
        kinds: Some(vec!["customer".into()]),
        ..RetryOptions::default()
    };
    let again = retry(&project, others, &Silent).await.unwrap();
    assert_eq!(
        company(&again.run).rejected,
        company(&first).rejected,
        "not asked for"
    );

    let said = lab.run(&["retry", "--kinds", "company"], &[0]).await;
    let said = said.unwrap();
    assert!(said.contains("tried again"), "{said}");
    // As the next command would: what this one knows of the store is older than the other process's work.
    drop(project);
    let project = lab.project().await.unwrap();
    let found = retry(&project, RetryOptions::default(), &Silent)
        .await
        .unwrap();
    let companies = company(&found.run);
    assert_eq!(
        (companies.rejected, companies.read),
        (0, company(&first).read)
    );
    assert_eq!(found.run.state, RunState::Complete);
    assert!(found.run.chain_ok && is_clean(&found.run));
    assert_eq!((found.run.duplicates, found.run.lost), (0, 0));
    // What arrived late arrived as well as the rest.
    let held = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(
        held.checked.get("companies").is_some_and(|n| *n > 0),
        "{:?}",
        held.checked
    );
    let of_companies = held
        .differences
        .iter()
        .filter(|d| d.to_string().starts_with("compan"));
    assert_eq!(of_companies.count(), 0, "{:?}", held.differences);

    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
    let left = compare::differences(&before, &lab.destination.state_fingerprint());
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zendesk_takes_refused_companies_when_they_are_tried_again() {
    what_was_refused_arrives_when_it_is_tried_again::<zendesk::Simulator>(
        "/api/v2/organizations/**",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn freshdesk_takes_refused_companies_when_they_are_tried_again() {
    what_was_refused_arrives_when_it_is_tried_again::<freshdesk::Simulator>("/api/v2/companies")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_nothing_to_try_again_before_a_run_has_ended() {
    let lab = Lab::new(LabConfig {
        size: 8,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let output = lab.output(&["retry"]).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing has been run yet"), "{said}");
}
