//! Every answer held against Kustomer's own OpenAPI document.

use serde_json::json;
use transload_simulators::common::contract::{Exception, Scope, Spec, check};
use transload_simulators::kustomer::{ErrorShape, Kind};

use super::*;

/// Where the document, made from examples, does not hold. "Anything may be absent" is Kustomer facts §9.
const EXCEPTIONS: &[Exception] = &[
    Exception {
        operation: "GET /audit-logs",
        pointer: "/data",
        keyword: "type",
        reason: "one entry in the schema, a list in its own example",
    },
    Exception {
        operation: "* /**",
        pointer: "/data/**",
        keyword: "required",
        reason: "the schemas require every attribute and relationship of their example; any may be absent",
    },
    Exception {
        operation: "* /**",
        pointer: "/data/**/meta/to",
        keyword: "type",
        reason: "recipients are a list, one object or a string by channel (§9.4)",
    },
    Exception {
        operation: "* /customers/**",
        pointer: "/data/**/name",
        keyword: "type",
        reason: "people can have no name (§9.1)",
    },
    Exception {
        operation: "GET /customers",
        pointer: "/data/*/attributes/gender",
        keyword: "type",
        reason: "the list's schema knows no null where the single customer's does",
    },
    Exception {
        operation: "GET /customers/{id}",
        pointer: "/data/attributes/progressiveStatus",
        keyword: "type",
        reason: "the single customer's schema knows no null where the list's does",
    },
    Exception {
        operation: "GET /messages/{id}",
        pointer: "/data/attributes/sentiment/confidence",
        keyword: "type",
        reason: "an integer in the example, a number in the schema of customers",
    },
    Exception {
        operation: "POST /customers/**",
        pointer: "/links/next",
        keyword: "type",
        reason: "null on the last page, as a recorded answer shows (§8)",
    },
];

#[tokio::test]
async fn every_answer_fits_the_vendors_own_description() {
    let Some(spec) = Spec::find("kustomer-openapi.json").unwrap() else {
        return;
    };
    let simulator = organisation(400);
    simulator.switch(|switches| switches.errors = ErrorShape::JsonApi);
    let first = |kind| simulator.world().ids(kind)[0].clone();
    let conversations: Vec<String> = simulator.world().ids(Kind::Conversation).split_off(300);
    for path in [
        "/v1/brands",
        "/v1/brands/default",
        "/v1/schedules",
        "/v1/schedules/default?include=holidays",
        "/v1/companies",
        "/v1/conversations",
        "/v1/customers",
        "/v1/messages?include=attachments",
        "/v1/notes",
        "/v1/klasses",
        "/v1/klasses?status=existing_only",
        "/v1/klasses/ecomm-order",
        "/v1/klasses/repair",
        "/v1/metadata/customer",
        "/v1/metadata/kobject.ecomm-order",
        "/v1/audit-logs?count=2",
        "/v1/outboundAccounts",
        "/v1/satisfaction",
        "/v1/spam/senders",
        "/v1/conversations/000000000000000000000000",
    ] {
        get(&simulator, path).await;
    }
    for id in conversations {
        for part in [
            "",
            "/messages?include=attachments",
            "/attachments",
            "/notes",
            "/events",
            "/times",
            "/forwards",
        ] {
            get(&simulator, &format!("/v1/conversations/{id}{part}")).await;
        }
    }
    let customers: Vec<String> = simulator.world().ids(Kind::Customer).split_off(150);
    for id in customers {
        for part in [
            "",
            "/conversations",
            "/messages",
            "/notes",
            "/drafts",
            "/merges",
            "/sessions",
            "/klasses/ecomm-order",
        ] {
            get(&simulator, &format!("/v1/customers/{id}{part}")).await;
        }
    }
    for id in ids(&ok(&simulator, "/v1/slas").await["data"]) {
        get(&simulator, &format!("/v1/slas/{id}?versions=active")).await;
    }
    for id in ids(&ok(&simulator, "/v1/schedules").await["data"]) {
        get(&simulator, &format!("/v1/schedules/{id}?include=holidays")).await;
    }
    let order = ids(&ok(&simulator, "/v1/klasses/ecomm-order").await["data"])[0].clone();
    get(&simulator, &format!("/v1/klasses/ecomm-order/{order}")).await;
    get(
        &simulator,
        &format!("/v1/companies/{}", first(Kind::Company)),
    )
    .await;
    get(
        &simulator,
        &format!("/v1/messages/{}", first(Kind::Message)),
    )
    .await;
    for context in ["customer", "conversation", "message", "company", "kobject"] {
        let body = json!({"queryContext": context});
        search(&simulator, "pageSize=200", &body).await;
        archive(&simulator, "pageSize=200", &body).await;
    }
    let report = check(
        &spec,
        &simulator.harness().recorder.all(),
        Scope::ANSWERS,
        EXCEPTIONS,
    );
    println!(
        "{} answers checked, excused {:?}, not described {:?}",
        report.checked, report.excused, report.unknown
    );
    for violation in &report.violations {
        println!("{violation:?}");
    }
    assert!(report.checked > 1_000);
    assert!(report.unused.is_empty(), "{:?}", report.unused);
    assert!(
        report.violations.is_empty(),
        "{} violations",
        report.violations.len()
    );
}
