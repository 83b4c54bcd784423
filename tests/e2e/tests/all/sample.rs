//! Samples: what is chosen is loaded and nothing else; a rollback takes it back, the run keeps it; a canary mails nobody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::{Destination, Lab, LabConfig, Silent, compare, for_destination};
use transload_host::pipeline::model::{RollbackOptions, RunOptions, RunState, SampleReport};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{SampleOptions, rollback, run, sample};
use transload_simulators::kustomer::Kind;

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

fn sized(size: u32) -> SampleOptions {
    SampleOptions {
        size,
        run: yes(),
        ..SampleOptions::default()
    }
}

async fn lab<D: Destination>() -> (Lab<D>, Project) {
    let lab = Lab::<D>::of(LabConfig {
        size: 90,
        ..LabConfig::default()
    });
    let lab = lab.await.unwrap();
    let project = lab.project().await.unwrap();
    (lab, project)
}

/// Records that ended so, but for files: some of those cannot be had at the source.
fn ends(sample: &SampleReport, end: &str) -> u64 {
    let kinds = sample.kinds.iter();
    kinds
        .filter(|kind| kind.kind != "attachment")
        .map(|kind| kind.ends.get(end).copied().unwrap_or(0))
        .sum()
}

async fn is_loaded_alone_and_taken_back<D: Destination>() {
    let (lab, project) = lab::<D>().await;
    let before = lab.destination.state_fingerprint();
    let were = lab.destination.conversations();
    let first = sample(&project, sized(50), &Silent).await.unwrap();
    println!("{}", transload_host::report::sample(&first, None));
    let chosen: u64 = first.kinds.iter().map(|kind| kind.chosen).sum();
    assert_eq!(chosen, 50);
    assert_eq!(first.report.state, RunState::Stopped);
    assert!(ends(&first, "created") > 50);
    assert_eq!(
        (ends(&first, "unsettled"), ends(&first, "rejected")),
        (0, 0)
    );
    let conversations = first
        .kinds
        .iter()
        .find(|kind| kind.kind == "conversation")
        .unwrap();
    let there = conversations.chosen + conversations.along
        - conversations.ends.get("skipped").unwrap_or(&0);
    // What is said on a customer without a conversation may stand in one of its own.
    assert!(lab.destination.conversations() - were >= there);
    assert!(there < 90);
    // It was read back, and stands side by side.
    let found = first.report.verification.as_ref().unwrap();
    assert!(found.ok, "{:?}", found.differences);
    assert_eq!(found.undeclared, 0);
    let thread = found
        .beside
        .iter()
        .find(|one| one.kind == "conversation")
        .unwrap();
    let fields: Vec<&str> = thread.rows.iter().map(|row| row.field.as_str()).collect();
    for field in [
        "conversation.subject",
        "conversation.customer",
        "message.author",
    ] {
        assert!(fields.contains(&field), "{field}: {fields:?}");
    }
    // What a trait says, the source has.
    for wanted in [
        "the longest thread",
        "the oddest text",
        "conversation status closed",
        "file that can be had",
    ] {
        assert!(
            first.traits.iter().any(|one| one.name == wanted),
            "{wanted}"
        );
    }
    assert_eq!(lab.destination.harness().outbox.all(), []);
    assert_eq!(lab.destination.harness().automations.all(), []);

    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
    let differences = compare::differences(&before, &lab.destination.state_fingerprint());
    assert!(differences.is_empty(), "{differences:?}");
}

async fn is_kept_by_the_run<D: Destination>() {
    let (lab, project) = lab::<D>().await;
    let first = sample(&project, sized(50), &Silent).await.unwrap();
    let loaded = first.report.total.created;
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!((report.run, report.state), (first.run, RunState::Complete));
    assert!(report.total.created > loaded);
    assert_eq!(
        (report.duplicates, report.lost, report.total.open),
        (0, 0, 0)
    );
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "{:?}", found.differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_kept_by_the_run_that_goes_on_from_it_zendesk() {
    for_destination!("zendesk", is_kept_by_the_run()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_kept_by_the_run_that_goes_on_from_it_intercom() {
    for_destination!("intercom", is_kept_by_the_run()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_loaded_alone_and_taken_back_zendesk() {
    for_destination!("zendesk", is_loaded_alone_and_taken_back()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_is_loaded_alone_and_taken_back_intercom() {
    for_destination!("intercom", is_loaded_alone_and_taken_back()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_has_no_address_but_the_operators_and_cannot_become_the_run() {
    let (lab, project) = lab::<transload_simulators::zendesk::Simulator>().await;
    let before = lab.destination.state_fingerprint();
    let were = lab.destination.conversations();
    let canary = SampleOptions {
        canary: Some("me@operator.example".into()),
        run: yes(),
        ..SampleOptions::default()
    };
    let emails = |lab: &Lab| {
        let users = lab.destination.snapshot().users.into_iter();
        let identities = users.flat_map(|user| user.identities);
        let emails = identities
            .map(|identity| identity.value)
            .filter(|value| value.contains('@'));
        emails.collect::<Vec<_>>()
    };
    let known = emails(&lab);
    let trial = sample(&project, canary, &Silent).await.unwrap();
    assert_eq!(lab.destination.conversations(), were + 1);
    let customers = trial
        .kinds
        .iter()
        .find(|kind| kind.kind == "customer")
        .unwrap();
    assert!(customers.along > 0);
    let mut new = emails(&lab);
    new.retain(|address| !known.contains(address));
    new.dedup();
    assert_eq!(new, ["me@operator.example"]);
    let refused = run(&project, yes(), &Silent).await.unwrap_err();
    assert_eq!(refused.code(), "trial-run");
    let other = sample(&project, sized(50), &Silent).await.unwrap_err();
    assert_eq!(other.code(), "other-sample");
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
    let differences = compare::differences(&before, &lab.destination.state_fingerprint());
    assert!(differences.is_empty(), "{differences:?}");
}

/// With safe addresses, for a sandbox: nothing there could reach a customer, in no field and in no text of ours.
async fn has_no_address_of_a_customer<D: Destination>() {
    let (lab, project) = lab::<D>().await;
    let before = lab.destination.state_fingerprint();
    let addresses: Vec<String> = lab.source.change(|world| {
        let customers = world.ids(Kind::Customer).into_iter();
        let facts = customers.filter_map(|id| world.json(&id));
        let lists = facts.flat_map(|facts| {
            ["emails", "sharedEmails"].map(|name| facts["attributes"][name].clone())
        });
        let all = lists.filter_map(|list| list.as_array().cloned()).flatten();
        all.filter_map(|one| one["email"].as_str().map(ToOwned::to_owned))
            .filter(|address| address.contains('@'))
            .collect()
    });
    assert!(addresses.len() > 20);
    let safe = SampleOptions {
        safe_addresses: true,
        ..sized(50)
    };
    let trial = sample(&project, safe, &Silent).await.unwrap();
    assert!(ends(&trial, "created") > 50);
    let (was, is) = (
        before.to_string().to_lowercase(),
        lab.destination
            .state_fingerprint()
            .to_string()
            .to_lowercase(),
    );
    assert!(is.contains("@transload.invalid"));
    let there: Vec<&String> = addresses
        .iter()
        .filter(|address| {
            let address = address.to_lowercase();
            is.contains(&address) && !was.contains(&address)
        })
        .collect();
    assert!(there.is_empty(), "{there:?}");
    let refused = run(&project, yes(), &Silent).await.unwrap_err();
    assert_eq!(refused.code(), "trial-run");
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:?}", undone.problems);
    let differences = compare::differences(&before, &lab.destination.state_fingerprint());
    assert!(differences.is_empty(), "{differences:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_with_safe_addresses_has_no_address_of_a_customer_zendesk() {
    for_destination!("zendesk", has_no_address_of_a_customer()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_with_safe_addresses_has_no_address_of_a_customer_salesforce() {
    for_destination!("salesforce", has_no_address_of_a_customer()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sample_of_another_size_and_a_canary_that_is_none_are_refused() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    });
    let lab = lab.await.unwrap();
    for (args, word) in [
        (["sample", "--size", "20"], "50 to 500"),
        (["sample", "--canary", "nobody"], "is no e-mail address"),
    ] {
        let output = lab.output(&args).await.unwrap();
        assert_eq!(output.status.code(), Some(2));
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains(word), "{words}");
    }
}
