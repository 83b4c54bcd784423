//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps. There is no check against the vendor's API description: HubSpot's own
//! collection is not licensed for use outside, so shapes rest on the HubSpot facts alone.

mod account;
mod automation;
mod batches;
mod files;
mod finding;
mod inbox;
mod links;
mod properties;
mod records;
mod schemas;
mod snapshot;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Config, Preexisting, Simulator, Switches};

/// An account and a client with a service key.
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

    pub fn text(&self, pointer: &str) -> String {
        self.at(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("no text at {pointer} in {}", self.json))
            .to_owned()
    }

    pub fn list(&self, pointer: &str) -> Vec<Value> {
        self.at(pointer)
            .as_array()
            .unwrap_or_else(|| panic!("no list at {pointer} in {}", self.json))
            .clone()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    pub fn id(&self) -> String {
        self.text("/id")
    }

    pub fn message(&self) -> String {
        self.text("/message")
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

    /// An account with nothing in it, and other switches.
    pub fn switched(change: impl FnOnce(&mut Switches)) -> Self {
        let client = Self::empty();
        client.simulator.set_switches(change);
        client
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
            .header("host", "api.hubapi.com")
            .header("authorization", format!("Bearer {}", self.token))
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let request = self.request(method, path);
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call("POST", path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call("PATCH", path, body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// A new record's id.
    pub async fn make(&self, object: &str, properties: Value) -> String {
        self.try_make(object, properties).await.expect(201).id()
    }

    pub async fn try_make(&self, object: &str, properties: Value) -> Reply {
        let body = json!({"properties": properties});
        self.post(&format!("/crm/v3/objects/{object}"), body).await
    }

    /// A ticket in the default pipeline.
    pub async fn ticket(&self, subject: &str) -> String {
        let properties = json!({"subject": subject, "hs_pipeline_stage": "1"});
        self.make("tickets", properties).await
    }

    /// The properties of a record.
    pub async fn read(&self, object: &str, id: &str, properties: &str) -> Value {
        let path = format!("/crm/v3/objects/{object}/{id}?properties={properties}");
        self.get(&path).await.expect(200).at("/properties").clone()
    }

    /// A unique property `kustomer_id`.
    pub async fn marker(&self, object: &str) {
        let groups = self
            .get(&format!("/crm/v3/properties/{object}/groups"))
            .await;
        let body = json!({
            "groupName": groups.text("/results/0/name"), "name": "kustomer_id", "label": "Kustomer id", "type": "string",
            "fieldType": "text", "hasUniqueValue": true,
        });
        self.post(&format!("/crm/v3/properties/{object}"), body)
            .await
            .expect(201);
    }

    /// A batch of records.
    pub async fn batch(&self, object: &str, operation: &str, inputs: Value) -> Reply {
        let path = format!("/crm/v3/objects/{object}/batch/{operation}");
        self.post(&path, json!({"inputs": inputs})).await
    }
}

/// Types of links, as bodies have them.
pub(super) fn types(category: &str, number: u64) -> Value {
    json!([{"associationCategory": category, "associationTypeId": number}])
}

/// A plain link of a new record.
pub(super) fn to(id: &str, number: u64) -> Value {
    json!({"to": {"id": id}, "types": types("HUBSPOT_DEFINED", number)})
}

/// The properties of a result of a batch, found by the value of one.
pub(super) fn result<'r>(reply: &'r Reply, property: &str, value: &str) -> &'r Value {
    let results = reply.at("/results").as_array().unwrap();
    let has = |result: &&Value| result["properties"][property] == value;
    results
        .iter()
        .find(has)
        .unwrap_or_else(|| panic!("no {value} in {}", reply.json))
}
