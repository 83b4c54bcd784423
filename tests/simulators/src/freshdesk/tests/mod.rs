//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.

mod account;
mod contract;
mod deletion;
mod fields;
mod files;
mod finding;
mod jobs;
mod mails;
mod objects;
mod people;
mod scale;
mod snapshot;
mod switches;
mod tickets;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{ChannelApi, Config, Notifications, Preexisting, Simulator};
use crate::common::Clock;

/// An account and a client that is its admin.
pub(super) struct Client {
    pub simulator: Simulator,
    pub key: String,
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

    pub fn id(&self) -> u64 {
        self.at("/id")
            .as_u64()
            .unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    /// Fields and codes of a refusal.
    pub fn errors(&self) -> Vec<(&str, &str)> {
        let list = self.at("/errors").as_array().map_or(&[][..], Vec::as_slice);
        let text = |error: &'_ Value, name: &str| error[name].as_str().map(str::to_owned);
        assert!(list.iter().all(|error| text(error, "message").is_some()));
        list.iter()
            .map(|error| {
                (
                    error["field"].as_str().unwrap(),
                    error["code"].as_str().unwrap(),
                )
            })
            .collect()
    }

    /// The only error of a refusal.
    pub fn refused(self, status: u16, field: &str, code: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        assert_eq!(self.errors(), [(field, code)], "{}", self.json);
        self
    }

    pub fn list(&self) -> &[Value] {
        self.json
            .as_array()
            .unwrap_or_else(|| panic!("no list: {self:?}"))
    }

    /// The ids of a list.
    pub fn ids(&self) -> Vec<u64> {
        self.list()
            .iter()
            .map(|item| item["id"].as_u64().unwrap())
            .collect()
    }
}

pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl Client {
    /// The usual account without limits and mails.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The usual account, changed.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            notifications: Notifications::silent(),
            ..Config::virtual_time()
        };
        config.preexisting.business_rules = false;
        change(&mut config);
        let simulator = Simulator::new(config);
        let key = simulator.admin_token();
        Self { simulator, key }
    }

    /// An account with nothing in it.
    pub fn empty() -> Self {
        Self::with(|config| config.preexisting = Preexisting::nothing())
    }

    /// An account that has the channel API.
    pub fn channel() -> Self {
        Self::with(|config| config.channel_api = ChannelApi::Open)
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
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/api/v2/{path}")
        };
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "acme.freshdesk.com")
            .header("accept", "application/json")
            .header("authorization", basic(&self.key, "X"))
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let request = self.request(method, path);
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

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// A form with texts, and files as part, name, type and bytes.
    pub async fn form(
        &self,
        method: &str,
        path: &str,
        texts: &[(&str, &str)],
        files: &[(&str, &str, &str, Vec<u8>)],
    ) -> Reply {
        let mut body = Vec::new();
        for (name, text) in texts {
            let part = format!(
                "--xx\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        for (part, name, kind, bytes) in files {
            let head = format!(
                "--xx\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\n\
                 Content-Type: {kind}\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--xx--\r\n");
        let request = self
            .request(method, path)
            .header("content-type", "multipart/form-data; boundary=xx");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// A new contact's id.
    pub async fn contact(&self, name: &str, email: &str) -> u64 {
        let body = json!({"name": name, "email": email});
        self.post("contacts", body).await.expect(201).id()
    }

    /// A body with all that a ticket must have.
    pub fn ticket_body(requester: u64, more: Value) -> Value {
        let mut body = json!({
            "requester_id": requester, "subject": "Where is my order?",
            "description": "<p>Hi</p>", "status": 2, "priority": 2, "source": 1,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        body
    }

    /// A new ticket's id.
    pub async fn ticket(&self, requester: u64, more: Value) -> u64 {
        let body = Self::ticket_body(requester, more);
        self.post("tickets", body).await.expect(201).id()
    }

    /// The id of somebody there is.
    pub fn known(&self, email: &str) -> u64 {
        self.simulator.snapshot().person_by_email(email).unwrap().id
    }

    /// To whom what was mailed since the outbox was cleared, by address and reason.
    pub fn mails(&self) -> Vec<(String, String)> {
        let items = self.simulator.outbox().all();
        items
            .into_iter()
            .map(|item| (item.to, item.reason))
            .collect()
    }
}
