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

use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
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

/// Where Salesforce's document does not hold for requests.
const SALESFORCE: &[Exception] = &[
    Exception {
        operation: "PATCH /services/data/*/composite/sobjects",
        pointer: "/records/*",
        keyword: "required",
        reason: "made from captured requests: the captured records have other fields",
    },
    Exception {
        operation: "POST /services/data/*/sobjects/*",
        pointer: "",
        keyword: "required",
        reason: "made from captured requests: the captured record is of another object",
    },
    Exception {
        operation: "POST /services/data/*/tooling/sobjects/*",
        pointer: "",
        keyword: "required",
        reason: "made from captured requests: the captured record is of another object",
    },
];

/// Where Intercom's document does not hold for requests.
const INTERCOM: &[Exception] = &[
    Exception {
        operation: "POST /companies",
        pointer: "/custom_attributes/*",
        keyword: "type",
        reason: "texts only, while the document's own example has a boolean and numbers, as the types of attributes do",
    },
    Exception {
        operation: "PUT /conversations/*",
        pointer: "/custom_attributes/*",
        keyword: "anyOf",
        reason: "neither booleans nor decimals, while the document's own example has both, as the types of attributes do",
    },
];

/// Where Zoho Desk's document does not hold for requests.
const ZOHO_DESK: &[Exception] = &[Exception {
    operation: "PATCH /api/v1/*/*",
    pointer: "/cf/*",
    keyword: "maxLength",
    reason: "100 characters of any value, while a field can be made for 255, and a text area for more (Zoho Desk facts §8)",
}];

/// The vendor's description of a destination's API, where there is one, and where it does not hold for requests.
fn description(plugin: &str) -> Option<(&'static str, &'static [Exception])> {
    match plugin {
        "zendesk" => Some(("zendesk-openapi.yaml", ZENDESK)),
        "salesforce" => Some(("salesforce-platform-subset.openapi.json", SALESFORCE)),
        "intercom" => Some(("intercom-openapi.yaml", INTERCOM)),
        "zoho-desk" => Some((
            "zoho-desk/zoho-desk-migration-subset.openapi.json",
            ZOHO_DESK,
        )),
        _ => None,
    }
}

destinations!(every_request_fits_the_vendors_own_description);

async fn every_request_fits_the_vendors_own_description<D: Destination>() {
    let source = Spec::find("kustomer-openapi.json").unwrap();
    let there = match description(D::PLUGIN) {
        Some((file, exceptions)) => Spec::find(file).unwrap().map(|spec| (spec, exceptions)),
        None => {
            println!("{} publishes no description of its API", D::PLUGIN);
            None
        }
    };
    if source.is_none() && there.is_none() {
        return;
    }
    let lab = Lab::<D>::of(LabConfig {
        size: 20,
        ..LabConfig::default()
    });
    let lab = lab.await.unwrap();
    let project = lab.project().await.unwrap();
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    run(&project, options, &Silent).await.unwrap();
    rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    let mut wrong = 0;
    if let Some(spec) = source {
        let records = lab.source.harness().recorder.all();
        wrong += violations("Kustomer", &spec, &records, KUSTOMER);
    }
    if let Some((spec, exceptions)) = there {
        let mut records = lab.destination.harness().recorder.all();
        for record in &mut records {
            // Salesforce's document is that of version 64; what is used of it is the same in the version that is spoken.
            record.path = record.path.replace("/data/v67.0", "/data/v64.0");
        }
        wrong += violations(D::PLUGIN, &spec, &records, exceptions);
    }
    assert_eq!(wrong, 0, "requests that the vendor does not describe so");
}

fn violations(name: &str, spec: &Spec, records: &[Record], exceptions: &[Exception]) -> usize {
    let report = check(spec, records, Scope::REQUESTS, exceptions);
    println!(
        "{name}: {} requests checked, {} not described, such as {:?}",
        report.checked,
        report.unknown.len(),
        report.unknown.iter().take(8).collect::<Vec<_>>()
    );
    for violation in &report.violations {
        println!("  {violation:?}");
    }
    assert!(report.checked > 0, "{name}: nothing was checked");
    assert!(report.unused.is_empty(), "{name}: {:?}", report.unused);
    report.violations.len()
}
