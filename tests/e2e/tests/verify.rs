//! What `verify` says: of a run that was left alone, of one that somebody damaged, of one that was taken back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
use transload_host::pipeline::model::{RollbackOptions, RunOptions, VerifyOptions, VerifyReport, VerifyScope};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{rollback, run, verify};
use transload_host::report;

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

async fn look(project: &Project, scope: VerifyScope) -> VerifyReport {
    let options = VerifyOptions {
        scope,
        ..VerifyOptions::default()
    };
    let found = verify(project, options, &Silent).await.unwrap();
    println!("{}", report::verification(&found, None));
    found
}

destinations!(a_run_that_was_left_alone_verifies_clean_and_so_does_what_was_taken_back);

async fn a_run_that_was_left_alone_verifies_clean_and_so_does_what_was_taken_back<D: Destination>() {
    let lab = Lab::<D>::of(LabConfig::default()).await.unwrap();
    let project = lab.project().await.unwrap();
    run(&project, yes(), &Silent).await.unwrap();
    let found = look(&project, VerifyScope::All).await;
    let undone = rollback(&project, RollbackOptions::default(), &Silent);
    assert_eq!(undone.await.unwrap().left, 0);
    let after = look(&project, VerifyScope::All).await;
    assert!(after.after_rollback);
    assert!(found.ok, "{} differences", found.undeclared);
    assert!(after.ok, "{} differences after the rollback", after.undeclared);
}
