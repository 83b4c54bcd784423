//! Our connectors keep the rules of `docs/connector-spec.md`.
//!
//! They are killed at some boundaries of their journal; with `TRANSLOAD_CONFORMANCE=thorough` at each, as `plugin test` does without
//! `--quick`, which takes minutes a connector.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::sync::Arc;

use crate::tessera::desk::{Desk, TOKEN};
use serde_json::Value;
use transload_e2e::conform::{BASE, Simulated, account, destination, source, tested};
use transload_e2e::{Destination, destinations};
use transload_host::conformance::{Conformance, Opens, TestTime};
use transload_simulators::common::Clock;

fn thorough() -> bool {
    std::env::var("TRANSLOAD_CONFORMANCE").is_ok_and(|how| how == "thorough")
}

fn assert_passed(result: &Conformance) {
    // Whoever looks sees what was tested.
    println!("{}", result.text());
    assert!(result.passed, "{}", result.text());
}

async fn the_connector_conforms<D: Destination>() {
    let opens = destination::<D>().unwrap();
    assert_passed(&tested(D::PLUGIN, opens, thorough()).await.unwrap());
}

destinations!(the_connector_conforms);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_source_conforms() {
    assert_passed(&tested("kustomer", source(), thorough()).await.unwrap());
}

/// Ids count on, and differ between two runs that did the same: who has one is called by what we wrote there.
fn nameless(print: &Value) -> Value {
    let mut text = print.to_string();
    for records in ["people", "tickets"] {
        for (id, record) in print[records].as_object().unwrap() {
            let name = record["ref"].as_str().unwrap_or("somebody");
            text = text.replace(&format!("\"{id}\""), &format!("\"{name}\""));
            text = text.replace(&format!("\"person:{id}\""), &format!("\"person:{name}\""));
        }
    }
    let mut print: Value = serde_json::from_str(&text).unwrap();
    for ticket in print["tickets"].as_object_mut().unwrap().values_mut() {
        for entry in ticket["entries"].as_array_mut().into_iter().flatten() {
            entry["id"].take();
        }
        ticket["version"].take();
    }
    print
}

/// The platform of `examples/tessera`.
fn tessera() -> Opens {
    let lines = format!("subdomain = \"acme\"\nbase_url = \"{BASE}/api/1\"\ntoken = \"file:x\"");
    let account = account(&lines, TOKEN).unwrap();
    Arc::new(move |time: &TestTime| {
        let clock = Clock::at(time.now_ms());
        let desk = Desk::new(clock.clone());
        Arc::new(Simulated {
            router: desk.router.clone(),
            clock,
            account: account.clone(),
            holds: Some(Box::new(move || nameless(&desk.account().print()))),
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_conforms() {
    assert_passed(&tested("tessera", tessera(), thorough()).await.unwrap());
}
