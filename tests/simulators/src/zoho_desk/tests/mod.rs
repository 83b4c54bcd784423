//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.

mod account;
mod contract;
mod deletion;
mod fields;
mod finding;
mod imports;
mod large;
mod people;
mod rules;
mod snapshot;
mod tickets;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use super::schema::{ROWS, names};
use super::{Config, Preexisting, Services, Simulator, Switches};

/// The namespace of a migration.
pub(super) const SCOPE: &str = "2f1c1a52-5a2e-5b43-9a57-1f0a4f4d2c11";

/// A portal and a client that is its administrator.
pub(super) struct Client {
    pub simulator: Simulator,
    pub token: String,
    pub org: String,
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

    pub fn id(&self) -> String {
        self.text("/id")
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }

    /// A 204 without a body: nothing is there.
    pub fn nothing(self) {
        assert_eq!((self.status, self.bytes.len()), (204, 0), "{}", self.json);
    }

    /// The items of a list; none when there is nothing.
    pub fn data(&self) -> &[Value] {
        self.at("/data").as_array().map_or(&[], Vec::as_slice)
    }

    /// The ids of a list.
    pub fn ids(&self) -> Vec<&str> {
        self.data()
            .iter()
            .map(|item| item["id"].as_str().unwrap())
            .collect()
    }

    /// A refusal with this status and code.
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.at("/errorCode")),
            (status, &json!(code)),
            "{}",
            self.json
        );
        self
    }

    /// A 422 about one field.
    pub fn wrong(self, pointer: &str, kind: &str) -> Self {
        let reply = self.refused(422, "INVALID_DATA");
        let errors = reply.at("/errors").as_array().unwrap();
        let found: Vec<(&str, &str)> = errors
            .iter()
            .map(|error| {
                (
                    error["fieldName"].as_str().unwrap(),
                    error["errorType"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, [(pointer, kind)], "{}", reply.json);
        reply
    }
}

impl Client {
    /// The usual portal without limits, in which nothing fires.
    pub fn new() -> Self {
        Self::with(|config| config.preexisting.services = Services::none())
    }

    /// The same with other switches.
    pub fn switched(change: impl FnOnce(&mut Switches)) -> Self {
        Self::with(|config| {
            config.preexisting.services = Services::none();
            change(&mut config.switches);
        })
    }

    /// A portal with nothing in it.
    pub fn empty() -> Self {
        Self::with(|config| config.preexisting = Preexisting::nothing())
    }

    /// The usual portal without limits, changed.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            ..Config::virtual_time()
        };
        change(&mut config);
        let simulator = Simulator::new(config);
        let token = simulator.admin_token();
        let org = simulator.org_id();
        Self {
            simulator,
            token,
            org,
        }
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

    /// A call; a path with a slash before it is not below `/api/v1`.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("/api/v1/{path}"),
        };
        let request = Request::builder()
            .method(method)
            .uri(path.replace(' ', "%20"))
            .header("host", "desk.zoho.com")
            .header("authorization", format!("Zoho-oauthtoken {}", self.token))
            .header("orgid", &self.org);
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            let request = request.header("content-type", "application/json");
            request.body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    pub async fn get(&self, path: impl AsRef<str>) -> Reply {
        self.call("GET", path.as_ref(), Value::Null).await
    }

    pub async fn post(&self, path: impl AsRef<str>, body: Value) -> Reply {
        self.call("POST", path.as_ref(), body).await
    }

    pub async fn patch(&self, path: impl AsRef<str>, body: Value) -> Reply {
        self.call("PATCH", path.as_ref(), body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, Value::Null).await
    }

    /// A form with one file.
    pub async fn file(&self, path: &str, part: &str, name: &str, bytes: &[u8]) -> Reply {
        let mut body = format!(
            "--x\r\ncontent-disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\ncontent-type: text/plain\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--x--\r\n");
        let request = Request::post(format!("/api/v1/{path}"))
            .header("host", "desk.zoho.com")
            .header("authorization", format!("Zoho-oauthtoken {}", self.token))
            .header("orgid", &self.org)
            .header("content-type", "multipart/form-data; boundary=x");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub fn department(&self) -> String {
        self.simulator.default_department()
    }

    /// The number of an agent by address.
    pub fn agent(&self, email: &str) -> String {
        let snapshot = self.simulator.snapshot();
        snapshot.agent_by_email(email).unwrap().id.to_string()
    }

    /// The number of a contact by address.
    pub fn known(&self, email: &str) -> String {
        let snapshot = self.simulator.snapshot();
        snapshot.contact_by_email(email).unwrap().id.to_string()
    }

    /// A new contact's number.
    pub async fn contact(&self, email: &str) -> String {
        let body = json!({"lastName": "Ruiz", "email": email});
        self.post("contacts", body).await.expect(200).id()
    }

    /// A new ticket's number.
    pub async fn ticket(&self, contact: &str, more: Value) -> String {
        let mut body = json!({"subject": "Where is it?", "departmentId": self.department(), "contactId": contact});
        let map = body.as_object_mut().unwrap();
        map.extend(more.as_object().cloned().unwrap_or_default());
        self.post("tickets", body).await.expect(200).id()
    }

    /// A new field's API name.
    pub async fn field(&self, module: &str, label: &str, kind: &str) -> String {
        let body = json!({"displayLabel": label, "type": kind});
        let made = self.post(&format!("fields?module={module}"), body).await;
        made.expect(201).text("/apiName")
    }

    /// Starts an import and waits until it is completed; its last state.
    pub async fn import(&self, data: Value) -> Reply {
        let id = self.queue(data).await.expect(200).id();
        self.completed(&id).await
    }

    /// Starts an import without automation.
    pub async fn queue(&self, data: Value) -> Reply {
        let body = json!({"scopeId": SCOPE, "runAutomation": false, "data": data});
        self.post("imports", body).await
    }

    /// Waits for an import.
    pub async fn completed(&self, id: &str) -> Reply {
        for _ in 0..100 {
            let reply = self.get(&format!("imports/{id}")).await.expect(200);
            if reply.at("/status") == "completed" {
                return reply;
            }
            self.wait(5);
        }
        panic!("the import is not completed");
    }

    /// An import that must have no errors.
    pub async fn imported(&self, data: Value) {
        let reply = self.import(data).await;
        assert_eq!(reply.at("/hasError"), false, "{:?}", self.log(&reply).await);
    }

    /// Module, external id and code of what an import could not do.
    pub async fn log(&self, import: &Reply) -> Vec<(String, String, String)> {
        let path = format!("importErrorLog/{}", import.id());
        let log = self.get(&path).await;
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        log.data()
            .iter()
            .map(|row| {
                (
                    text(row, "module"),
                    text(row, "externalId"),
                    text(row, "errorCode"),
                )
            })
            .collect()
    }

    /// What external ids stand for, in order; unknown ones are left out.
    pub async fn mapped(&self, module: &str, external_ids: &[&str]) -> Vec<String> {
        let body = json!({"scopeId": SCOPE, "module": module, "externalIds": external_ids});
        let reply = self.post("importMappings", body).await.expect(200);
        let rows = reply.data().iter();
        rows.map(|row| row["entityId"].as_str().unwrap().to_owned())
            .collect()
    }

    /// What was sent, by kind.
    pub fn sent(&self, kind: &str) -> usize {
        let all = self.simulator.outbox().all();
        all.iter().filter(|item| item.kind == kind).count()
    }
}

/// A row of an import with every key of its kind, null but for those given.
pub(super) fn row(kind: &str, given: Value) -> Value {
    let kind = ROWS.iter().find(|one| one.name == kind).unwrap();
    let keys = names(kind.table).into_iter();
    let mut row: Map<String, Value> = keys.map(|key| (key.to_owned(), Value::Null)).collect();
    row.extend(given.as_object().cloned().unwrap_or_default());
    Value::Object(row)
}

/// A row of a contact.
pub(super) fn contact_row(external_id: &str) -> Value {
    let email = format!("{}@example.com", external_id.replace(':', "."));
    row(
        "contacts",
        json!({"contactExtId": external_id, "lastName": "Ruiz", "email": email}),
    )
}

/// A row of a ticket of a contact that was imported.
pub(super) fn ticket_row(client: &Client, external_id: &str, contact: &str, more: Value) -> Value {
    let mut ticket = row(
        "tickets",
        json!({
            "ticketExtId": external_id, "contactExtId": contact, "subject": "Where is it?",
            "departmentId": client.department(), "createdTime": "2020-02-01T10:00:00.000Z",
        }),
    );
    let map = ticket.as_object_mut().unwrap();
    map.extend(more.as_object().cloned().unwrap_or_default());
    ticket
}

/// A row of a thread.
pub(super) fn thread_row(external_id: &str, ticket: &str, more: Value) -> Value {
    let mut thread = row(
        "threads",
        json!({
            "threadExtId": external_id, "ticketExtId": ticket, "channel": "EMAIL", "direction": "in",
            "isPrivate": false, "content": "<p>Hello</p>", "fromEmailAddress": "k.cust.1@example.com",
            "sentDateTime": "2020-02-01T10:00:00.000Z", "receivedDateTime": "2020-02-01T10:00:00.000Z",
        }),
    );
    let map = thread.as_object_mut().unwrap();
    map.extend(more.as_object().cloned().unwrap_or_default());
    thread
}
