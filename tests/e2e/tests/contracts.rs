//! Every request the connectors sent in a small migration, and every answer, held against the vendors' own descriptions.
//!
//! Where a description is not beside the workspace this is said aloud and nothing is checked.

use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::pipeline::model::{RollbackOptions, RunOptions};
use transload_host::pipeline::{rollback, run};
use transload_simulators::common::Record;
use transload_simulators::common::contract::{Exception, Scope, Spec, check};

/// Where Kustomer's document, made from examples, does not hold for requests.
const KUSTOMER: &[Exception] = &[];

/// Where Zendesk's document does not hold for requests.
const ZENDESK: &[Exception] = &[];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_fits_the_vendors_own_description() {
    let specs = (
        Spec::find("kustomer-openapi.json").unwrap(),
        Spec::find("zendesk-openapi.yaml").unwrap(),
    );
    if specs.0.is_none() && specs.1.is_none() {
        return;
    }
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let project = lab.project().await.unwrap();
    run(
        &project,
        RunOptions {
            yes: true,
            ..RunOptions::default()
        },
        &Silent,
    )
    .await
    .unwrap();
    rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    let mut wrong = 0;
    let sides = [
        (
            "Kustomer",
            specs.0,
            lab.source.harness().recorder.all(),
            KUSTOMER,
        ),
        (
            "Zendesk",
            specs.1,
            lab.destination.harness().recorder.all(),
            ZENDESK,
        ),
    ];
    for (name, spec, records, exceptions) in sides {
        if let Some(spec) = spec {
            wrong += violations(name, &spec, &records, exceptions);
        }
    }
    assert_eq!(wrong, 0, "requests that the vendor does not describe so");
}

fn violations(name: &str, spec: &Spec, records: &[Record], exceptions: &[Exception]) -> usize {
    let report = check(spec, records, Scope::REQUESTS, exceptions);
    println!(
        "{name}: {} requests checked, not described {:?}",
        report.checked, report.unknown
    );
    for violation in &report.violations {
        println!("  {violation:?}");
    }
    assert!(report.checked > 0, "{name}: nothing was checked");
    assert!(report.unused.is_empty(), "{name}: {:?}", report.unused);
    report.violations.len()
}
