//! How the simulator bears 200,000 conversations. Ignored by default; run it to see the numbers:
//! `cargo test -p transload-simulators --test scale -- --ignored --nocapture`.

use std::time::Instant;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use transload_simulators::common::Clock;
use transload_simulators::kustomer::{Config, DEFAULT_NOW_MS, FULL_KEY, Simulator};

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse().ok())
        .unwrap_or_default()
}

#[tokio::test]
#[ignore = "takes a minute; for numbers, not for right and wrong"]
async fn two_hundred_thousand_conversations_are_searched_in_milliseconds_a_page() {
    let before = resident_kb();
    let begun = Instant::now();
    let simulator = Simulator::new(Config {
        size: 200_000,
        longest_thread: 3_000,
        ..Config::default()
    });
    let counts = simulator.world().counts();
    println!("made in {:?}: {counts:?}", begun.elapsed());
    let kb = resident_kb() - before;
    println!(
        "memory: {kb} kB, {} bytes a conversation",
        kb * 1024 / 200_000
    );
    simulator.harness().limits.set_off(true);
    simulator.harness().recorder.set_on(false);
    for context in ["conversation", "message", "customer", "note"] {
        let name = format!("{context}_updated_at");
        let mut times = Vec::new();
        for page in 1..=20 {
            let from = Clock::iso(DEFAULT_NOW_MS - page * 30 * 86_400_000);
            let body = json!({"queryContext": context, "and": [{name.clone(): {"gte": from}}], "sort": [{name.clone(): "asc"}]});
            let request = Request::post("/v1/customers/search?page=2&pageSize=500")
                .header("authorization", format!("Bearer {FULL_KEY}"))
                .header("content-type", "application/json")
                .body(Body::from(body.to_string()))
                .unwrap();
            let begun = Instant::now();
            let response = simulator.router().oneshot(request).await.unwrap();
            let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            times.push(begun.elapsed());
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(answer["data"].as_array().unwrap().len(), 500);
        }
        times.sort();
        println!(
            "{context}: median {:?}, slowest {:?} for 500 rows",
            times[10], times[19]
        );
    }
}
