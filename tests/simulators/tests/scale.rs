//! What a large organisation costs the simulator that a test holds in memory.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use transload_simulators::common::Clock;
use transload_simulators::kustomer::{Config, DEFAULT_NOW_MS, FULL_KEY, Simulator};

const CONVERSATIONS: u64 = 20_000;
/// Twice of what 200,000 conversations were measured at (`kustomer/world.rs`): what a record says must not be kept.
const MOST_BYTES: u64 = 1_080;

/// What the process has taken, in bytes; `None` where the system does not say.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[tokio::test]
async fn records_of_a_large_organisation_are_drawn_when_they_are_asked_for() {
    let before = resident().unwrap();
    let simulator = Simulator::new(Config {
        size: usize::try_from(CONVERSATIONS).unwrap(),
        longest_thread: 300,
        ..Config::default()
    });
    simulator.harness().limits.set_off(true);
    simulator.harness().recorder.set_on(false);
    let a_conversation = (resident().unwrap() - before) / CONVERSATIONS;
    println!("{a_conversation} bytes a conversation");
    assert!(
        a_conversation < MOST_BYTES,
        "{a_conversation} bytes a conversation"
    );

    for context in ["conversation", "message", "customer", "note"] {
        let time = format!("{context}_updated_at");
        for months in [1, 10, 40] {
            let from = Clock::iso(DEFAULT_NOW_MS - months * 30 * 86_400_000);
            let body = json!({
                "queryContext": context,
                "and": [{time.clone(): {"gte": from}}],
                "sort": [{time.clone(): "asc"}],
            });
            let request = Request::post("/v1/customers/search?page=1&pageSize=500")
                .header("authorization", format!("Bearer {FULL_KEY}"))
                .header("content-type", "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            let response = simulator.router().oneshot(request).await.unwrap();
            let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            let rows = answer["data"].as_array().unwrap();
            assert!(!rows.is_empty(), "{context}, {months} months");
            let times: Vec<&str> = rows
                .iter()
                .map(|row| row["attributes"]["updatedAt"].as_str().unwrap())
                .collect();
            assert!(times.is_sorted(), "{context}, {months} months");
            assert!(times[0] >= from.as_str(), "{context}, {months} months");
        }
    }
}
