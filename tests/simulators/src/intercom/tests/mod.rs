//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.

mod account;
mod companies;
mod contacts;
mod contract;
mod conversations;
mod deletion;
mod fields;
mod large;
mod rules;
mod search;
mod snapshot;
mod tickets;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::model::Id;
use super::{Config, Preexisting, Simulator, Switches};

/// A workspace and a client that has its token.
pub(super) struct Client {
    pub simulator: Simulator,
    pub token: String,
    pub version: Option<&'static str>,
    pub host: &'static str,
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

    /// The text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> String {
        let text = self.at(pointer).as_str().map(str::to_owned);
        text.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.json))
    }

    /// The id, whatever form it has.
    pub fn id(&self) -> String {
        match self.at("/id") {
            Value::Number(number) => number.to_string(),
            _ => self.text("/id"),
        }
    }

    /// The items of a list at a JSON pointer.
    pub fn list(&self, pointer: &str) -> &Vec<Value> {
        let list = self.at(pointer).as_array();
        list.unwrap_or_else(|| panic!("no list at {pointer} in {}", self.json))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    /// A refusal with this status and code.
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.at("/errors/0/code")),
            (status, &json!(code)),
            "{}",
            self.json
        );
        assert_eq!(self.at("/type"), "error.list");
        self
    }

    /// The parts of a conversation.
    pub fn parts(&self) -> &Vec<Value> {
        self.list("/conversation_parts/conversation_parts")
    }
}

impl Client {
    /// The usual workspace without limits.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The usual workspace, changed.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            ..Config::virtual_time()
        };
        change(&mut config);
        let simulator = Simulator::new(config);
        let token = simulator.admin_token();
        Self {
            simulator,
            token,
            version: Some("2.16"),
            host: "api.intercom.io",
        }
    }

    /// A workspace in which nothing acts on its own.
    pub fn quiet() -> Self {
        Self::with(|config| config.preexisting = Preexisting::nothing())
    }

    /// The same with other switches.
    pub fn switched(change: impl FnOnce(&mut Switches)) -> Self {
        Self::with(|config| {
            config.preexisting = Preexisting::nothing();
            change(&mut config.switches);
        })
    }

    pub fn wait(&self, seconds: i64) {
        self.simulator.harness().clock.advance(seconds * 1_000);
    }

    /// Now, in whole seconds.
    pub fn now(&self) -> i64 {
        self.simulator.harness().clock.now_ms() / 1_000
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

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("/{path}"))
            .header("host", self.host)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        let request = match self.version {
            Some(version) => request.header("intercom-version", version),
            None => request,
        };
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

    /// The admin of the token.
    pub fn me(&self) -> String {
        self.simulator.token_admin().to_string()
    }

    /// A new user's id.
    pub async fn contact(&self, external_id: &str) -> String {
        let body = json!({
            "role": "user", "external_id": external_id, "name": "Ana Ruiz",
            "email": format!("{external_id}@example.com"),
        });
        self.post("contacts", body).await.expect(200).id()
    }

    /// A new conversation's number; it began in 2020.
    pub async fn conversation(&self, contact: &str) -> String {
        let body = json!({"from": {"type": "user", "id": contact}, "body": "Where is it?", "created_at": 1_580_000_000});
        self.post("conversations", body)
            .await
            .expect(200)
            .text("/conversation_id")
    }

    /// An admin's reply.
    pub async fn admin_reply(&self, conversation: &str, kind: &str, body: &str, at: i64) -> Reply {
        let body = json!({
            "message_type": kind, "type": "admin", "admin_id": self.me(), "body": body, "created_at": at,
            "skip_notifications": true,
        });
        self.post(&format!("conversations/{conversation}/reply"), body)
            .await
    }

    /// A contact's reply.
    pub async fn contact_reply(
        &self,
        conversation: &str,
        contact: &str,
        body: &str,
        at: i64,
    ) -> Reply {
        let body = json!({
            "message_type": "comment", "type": "user", "intercom_user_id": contact, "body": body, "created_at": at,
        });
        self.post(&format!("conversations/{conversation}/reply"), body)
            .await
    }

    /// A change of the state of a conversation.
    pub async fn manage(&self, conversation: &str, mut body: Value) -> Reply {
        body["admin_id"] = json!(self.me());
        self.post(&format!("conversations/{conversation}/parts"), body)
            .await
    }

    /// A conversation attribute's number.
    pub async fn conversation_attribute(&self, name: &str, data_type: &str) -> String {
        let body = json!({"name": name, "data_type": data_type});
        self.post("conversations/attributes", body)
            .await
            .expect(200)
            .id()
    }

    /// A ticket type's number, and the number of its attribute `Kustomer ID`.
    pub async fn ticket_type(&self) -> (String, String) {
        let body = json!({"name": "Imported", "category": "Customer"});
        let kind = self.post("ticket_types", body).await.expect(200).id();
        let body = json!({"name": "Kustomer ID", "description": "", "data_type": "string"});
        let path = format!("ticket_types/{kind}/attributes");
        let attribute = self.post(&path, body).await.expect(200).id();
        (kind, attribute)
    }

    /// What was sent, by kind.
    pub fn sent(&self, kind: &str) -> usize {
        let all = self.simulator.outbox().all();
        all.iter().filter(|item| item.kind == kind).count()
    }
}

/// A number of the API as a number.
pub(super) fn number(id: &str) -> Id {
    id.parse().unwrap()
}
