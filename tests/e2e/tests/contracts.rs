//! Every request the connectors sent in a small migration, and every answer, held against the vendors' own descriptions.
//!
//! Where a description is not beside the workspace this is said aloud and nothing is checked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::pipeline::model::{RollbackOptions, RunOptions};
use transload_host::pipeline::{rollback, run};
use transload_simulators::common::Record;
use transload_simulators::common::contract::{Exception, Scope, Spec, check};

/// Where Kustomer's document, made from examples, does not hold for requests.
const KUSTOMER: &[Exception] = &[
    Exception {
        operation: "POST /customers/**",
        pointer: "?page*",
        keyword: "parameter",
        reason: "page and pageSize of the searches are documented in the vendor's guide (Kustomer facts, search), not in the document",
    },
    Exception {
        operation: "GET /notes",
        pointer: "?*",
        keyword: "parameter",
        reason: "every list takes page, pageSize and sort by the vendor's guide (Kustomer facts, lists); this one's are left out",
    },
    Exception {
        operation: "GET /schedules",
        pointer: "?include",
        keyword: "parameter",
        reason: "holidays come along only when asked for (Kustomer facts, schedules); the document leaves the parameter out",
    },
    Exception {
        operation: "GET /spam/senders",
        pointer: "?page*",
        keyword: "parameter",
        reason: "every list takes page and pageSize by the vendor's guide (Kustomer facts, lists); this one's are left out",
    },
];

/// Where Zendesk's document does not hold for requests.
const ZENDESK: &[Exception] = &[
    Exception {
        operation: "GET /api/v2/**",
        pointer: "?page[size]",
        keyword: "parameter",
        reason: "cursor pagination is described once for all lists (Zendesk facts, pagination), not per operation",
    },
    Exception {
        operation: "POST /api/v2/organizations",
        pointer: "/organization/organization_fields/*",
        keyword: "oneOf",
        reason: "the document allows texts and numbers; the value of a checkbox is a boolean (Zendesk facts, custom fields)",
    },
];

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
