//! The Kustomer simulator, asked in-process: one test for each quirk that a connector must live with.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers are part of the test: what they cannot read is a failed test"
)]

mod contract;
mod data;
mod files;
mod lists;
mod rules;
mod search;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use transload_simulators::kustomer::{Config, FULL_KEY, Simulator};

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn send(simulator: &Simulator, request: Request<Body>) -> Answer {
    let response = simulator.router().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

async fn get_as(simulator: &Simulator, key: &str, path: &str) -> Answer {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {key}"))
        .body(Body::empty())
        .unwrap();
    send(simulator, request).await
}

async fn get(simulator: &Simulator, path: &str) -> Answer {
    get_as(simulator, FULL_KEY, path).await
}

/// The JSON of a successful answer.
async fn ok(simulator: &Simulator, path: &str) -> Value {
    let answer = get(simulator, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.json());
    answer.json()
}

async fn post_as(simulator: &Simulator, key: &str, path: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    send(simulator, request).await
}

async fn search(simulator: &Simulator, query: &str, body: &Value) -> Answer {
    post_as(
        simulator,
        FULL_KEY,
        &format!("/v1/customers/search?{query}"),
        body,
    )
    .await
}

async fn archive(simulator: &Simulator, query: &str, body: &Value) -> Answer {
    post_as(
        simulator,
        FULL_KEY,
        &format!("/v1/customers/archive/search?{query}"),
        body,
    )
    .await
}

/// All pages of a list.
async fn walk(simulator: &Simulator, path: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = ok(simulator, &path).await;
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        next = page["links"]["next"].as_str().map(str::to_owned);
    }
    rows
}

fn ids(rows: &Value) -> Vec<String> {
    let rows = rows.as_array().unwrap();
    rows.iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

/// A small organisation whose limits do not stand in the way.
fn organisation(size: usize) -> Simulator {
    organisation_with(Config {
        size,
        ..Config::default()
    })
}

fn organisation_with(config: Config) -> Simulator {
    let simulator = Simulator::new(config);
    simulator.harness().limits.set_off(true);
    simulator
}
