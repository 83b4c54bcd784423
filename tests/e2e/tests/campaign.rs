//! The fault campaign: killed at every boundary of the journal, answers lost, requests turned away. However often and
//! wherever it happens, the end state is that of the undisturbed run, nothing is there twice, and rollback leaves nothing.
//!
//! A sample of the boundaries is killed at; `TRANSLOAD_CAMPAIGN=all` kills at every one, `TRANSLOAD_CAMPAIGN=20` at every
//! twentieth. The seed is printed with each step, and everything follows from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::sync::Arc;

use transload_e2e::Lab;
use transload_e2e::engine::{
    Work, assert_arrived, assert_taken_back, killed_at, runtime, small, sorted, to_the_end,
    undisturbed,
};
use transload_simulators::common::{Action, Fault, Occurrence, PathPattern};

/// Kills in a sampled campaign.
const SAMPLE: u64 = 6;

#[test]
fn killed_at_any_boundary_a_run_ends_as_if_nothing_had_happened() {
    let seed = 11;
    let outside = runtime();
    let whole = outside.block_on(undisturbed(small(seed)));
    let stride = match std::env::var("TRANSLOAD_CAMPAIGN").as_deref() {
        Ok("all") => 1,
        Ok(stride) => stride
            .parse()
            .expect("TRANSLOAD_CAMPAIGN is `all` or a number"),
        Err(_) => (whole.boundaries / SAMPLE).max(1),
    };
    println!(
        "seed {seed}, {} boundaries, killed at every {stride}th",
        whole.boundaries
    );
    let mut kills = 0;
    // The first is in the middle of a stride: whole strides tend to fall on one kind of boundary.
    for n in (stride.div_ceil(2)..=whole.boundaries).step_by(usize::try_from(stride).unwrap()) {
        let lab = outside.block_on(Lab::new(small(seed))).unwrap();
        let before = sorted(lab.destination.state_fingerprint());
        let Some(boundary) = killed_at(&outside, &lab, Work::Run, n) else {
            // Units run side by side, so that the number of boundaries differs a little.
            println!("boundary {n} was not reached");
            continue;
        };
        let what = format!("seed {seed}, killed at boundary {n} ({boundary})");
        println!("{what}");
        outside.block_on(async {
            let report = to_the_end(&lab, &Arc::default()).await;
            assert_arrived(&lab, &whole.fingerprint, &report, &what);
            assert_taken_back(&lab, &before, &what).await;
        });
        kills += 1;
    }
    assert!(kills > 0, "nothing was killed");
}

fn disturbed(what: &str, faults: &[(&str, &str, Action)]) {
    let seed = 12;
    let outside = runtime();
    let whole = outside.block_on(undisturbed(small(seed)));
    outside.block_on(async {
        let lab = Lab::new(small(seed)).await.unwrap();
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
        println!("seed {seed}: {what}, {played} times");
        assert!(played > 2, "{what}: hardly any fault was played");
        lab.destination.harness().faults.clear();
        assert_arrived(&lab, &whole.fingerprint, &report, what);
        assert_taken_back(&lab, &before, what).await;
    });
}

/// What makes things at the destination.
const CREATIONS: [(&str, &str); 9] = [
    ("POST", "/api/v2/groups"),
    ("POST", "/api/v2/organizations"),
    ("POST", "/api/v2/users"),
    ("POST", "/api/v2/ticket_fields"),
    ("POST", "/api/v2/user_fields"),
    ("POST", "/api/v2/custom_objects"),
    ("POST", "/api/v2/custom_objects/*/jobs"),
    ("POST", "/api/v2/uploads"),
    ("POST", "/api/v2/imports/tickets/create_many"),
];

fn on_creations(action: Action) -> Vec<(&'static str, &'static str, Action)> {
    CREATIONS
        .into_iter()
        .map(|(method, path)| (method, path, action))
        .collect()
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    disturbed(
        "applied, and the answer lost",
        &on_creations(Action::DropAfter),
    );
}

#[test]
fn a_request_that_is_lost_is_made_up_for() {
    disturbed(
        "lost before it was applied",
        &on_creations(Action::DropBefore),
    );
}

#[test]
fn a_server_error_after_the_work_makes_nothing_twice() {
    disturbed(
        "applied, and answered 500",
        &on_creations(Action::StatusAfter { status: 500 }),
    );
}

#[test]
fn a_throttled_request_is_sent_again() {
    disturbed(
        "answered 429",
        &on_creations(Action::Status {
            status: 429,
            retry_after_s: Some(2),
        }),
    );
}

#[test]
fn a_bad_gateway_is_looked_into() {
    disturbed(
        "answered 502 and not applied",
        &on_creations(Action::Status {
            status: 502,
            retry_after_s: None,
        }),
    );
}
