//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.

mod account;
mod deletion;
mod fields;
mod files;
mod finding;
mod messages;
mod people;
mod rules;
mod snapshot;
mod tickets;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Config, Preexisting, Simulator, Switches};

/// An account and a client that is its admin.
pub(super) struct Client {
    pub simulator: Simulator,
    pub authorization: String,
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
        let id = self.at("/id").as_u64();
        id.unwrap_or_else(|| panic!("no id in {self:?}"))
    }

    pub fn list(&self) -> &Vec<Value> {
        self.at("/data").as_array().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    /// A 400 that says something about a field.
    pub fn refused(self, pointer: &str) -> Self {
        let found = self.json.pointer(&format!("/error/data{pointer}"));
        assert!(self.status == 400 && found.is_some(), "{}", self.json);
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
        let authorization = simulator.basic_authorization();
        Self {
            simulator,
            authorization,
        }
    }

    /// An account in which nothing acts on its own.
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
            .header("host", "acme.gorgias.com")
            .header("accept", "application/json")
            .header("authorization", &self.authorization)
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/api/{path}")
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

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// A new customer's number.
    pub async fn customer(&self, name: &str, email: &str) -> u64 {
        let body = json!({
            "name": name, "email": email, "external_id": format!("k:{name}"),
            "channels": [{"type": "email", "address": email, "preferred": true}],
        });
        self.post("customers", body).await.expect(201).id()
    }

    /// The number of the user that calls.
    pub async fn me(&self) -> u64 {
        self.get("users/0").await.expect(200).id()
    }

    /// Makes a ticket; its number.
    pub async fn ticket(&self, body: Value) -> u64 {
        self.post("tickets", body).await.expect(201).id()
    }

    /// A closed ticket of a customer with one message each way, all times given.
    pub async fn history(&self, external_id: &str, customer: u64) -> Value {
        let me = self.me().await;
        json!({
            "external_id": external_id, "channel": "email", "via": "api", "from_agent": false, "status": "closed",
            "subject": "Where is it?", "language": "en", "customer": {"id": customer},
            "created_datetime": "2019-07-05T14:42:00+00:00", "closed_datetime": "2019-07-06T09:00:00+00:00",
            "updated_datetime": "2019-07-06T09:00:00+00:00",
            "messages": [
                incoming(&format!("{external_id}/1"), customer, "2019-07-05T14:42:00+00:00"),
                outgoing(&format!("{external_id}/2"), me, customer, "2019-07-05T15:00:00+00:00"),
            ],
        })
    }

    /// Uploads files, each with its label; their descriptions.
    pub async fn upload(&self, kind: &str, files: &[(&str, &[u8])]) -> Reply {
        let mut body = Vec::new();
        for (name, bytes) in files {
            let head = format!(
                "--cut\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\
                 content-type: image/png\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--cut--\r\n");
        let request = self.request("POST", &format!("/api/upload?type={kind}"));
        let request = request.header("content-type", "multipart/form-data; boundary=cut");
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

/// A customer's mail that is said to have been sent.
pub(super) fn incoming(external_id: &str, customer: u64, time: &str) -> Value {
    json!({
        "external_id": external_id, "channel": "email", "via": "api", "from_agent": false,
        "sender": {"id": customer}, "body_text": "Where is my parcel?", "created_datetime": time,
        "sent_datetime": time,
    })
}

/// An agent's mail that is said to have been sent.
pub(super) fn outgoing(external_id: &str, user: u64, customer: u64, time: &str) -> Value {
    json!({
        "external_id": external_id, "channel": "email", "via": "api", "from_agent": true,
        "sender": {"id": user}, "receiver": {"id": customer}, "body_html": "<p>On its way.</p>",
        "created_datetime": time, "sent_datetime": time,
    })
}
