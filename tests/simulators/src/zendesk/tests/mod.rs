//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.

mod account;
mod contract;
mod deletion;
mod fields;
mod finding;
mod jobs;
mod objects;
mod people;
mod snapshot;
mod tickets;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::Value;
use tower::ServiceExt;

use super::{Config, Preexisting, Simulator};
use crate::common::Clock;

/// An account and a client that is its admin.
pub(super) struct Client {
    pub simulator: Simulator,
    pub token: String,
}

/// An answer, read.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub json: Value,
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub fn id(&self, pointer: &str) -> u64 {
        self.at(pointer)
            .as_u64()
            .unwrap_or_else(|| panic!("no id at {pointer} in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }
}

impl Client {
    /// The usual account without limits.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The usual account, changed.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            ..Config::virtual_time()
        };
        change(&mut config);
        let simulator = Simulator::new(config);
        let token = simulator.admin_token();
        Self { simulator, token }
    }

    /// An account with nothing in it.
    pub fn empty() -> Self {
        Self::with(|config| config.preexisting = Preexisting::nothing())
    }

    pub fn clock(&self) -> Clock {
        self.simulator.harness().clock.clone()
    }

    pub fn wait(&self, seconds: i64) {
        self.clock().advance(seconds * 1_000);
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.simulator.router().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply {
            status,
            headers,
            json,
            bytes,
        }
    }

    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "acme.zendesk.com")
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/api/v2/{path}")
        };
        let request = self.request(method, &path);
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            let request = request.header("content-type", "application/json");
            request.body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, body).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call("PUT", path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// A new end user's id.
    pub async fn user(&self, name: &str, email: &str) -> u64 {
        let user = serde_json::json!({"user": {
            "name": name, "email": email, "verified": true, "skip_verify_email": true,
        }});
        self.post("users", user).await.expect(201).id("/user/id")
    }

    /// The id of a user there is.
    pub fn known(&self, email: &str) -> u64 {
        self.simulator.snapshot().user_by_email(email).unwrap().id
    }

    /// Imports a ticket; its id.
    pub async fn import(&self, ticket: Value) -> u64 {
        let body = serde_json::json!({"ticket": ticket});
        self.post("imports/tickets", body)
            .await
            .expect(201)
            .id("/ticket/id")
    }

    /// Lets a job end and gives its rows.
    pub async fn finish(&self, job: &Reply) -> Vec<Value> {
        let id = job.at("/job_status/id").as_str().unwrap().to_owned();
        self.wait(60);
        let done = self.get(&format!("job_statuses/{id}")).await.expect(200);
        assert_eq!(done.at("/job_status/status"), "completed");
        done.at("/job_status/results").as_array().unwrap().clone()
    }

    /// Uploads a file; its token and its address.
    pub async fn upload(&self, name: &str, bytes: &[u8]) -> (String, String) {
        let path = format!("/api/v2/uploads?filename={name}");
        let request = self
            .request("POST", &path)
            .header("content-type", "image/png");
        let reply = self
            .send(request.body(Body::from(bytes.to_vec())).unwrap())
            .await
            .expect(201);
        let text = |pointer: &str| reply.at(pointer).as_str().unwrap().to_owned();
        (
            text("/upload/token"),
            text("/upload/attachment/content_url"),
        )
    }
}
