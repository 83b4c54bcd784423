//! A simulated Salesforce org with Service Cloud: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Salesforce facts" in the comments, with its section), strict where the
//! vendor is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's
//! clock: sessions and query locators end, jobs run and the daily quota comes back only as it moves.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `objects.json`, `schema`, `metadata` | objects and fields, standard and custom |
//! | `state`, `ids`, `values` | records with their indexes and transactions, permissions, the quota |
//! | `dml`, `rules` | writing records; what single objects do besides |
//! | `soql` | queries |
//! | `answer`, `call`, `auth` | shapes of answers, one request, sessions |
//! | `rest`, `composite`, `bulk`, `tooling`, `soap`, `deploy` | the endpoints |
//! | `seed`, `snapshot` | what was there before, looking at it all |
//!
//! Not here: SOSL, Chatter's own API, Apex, reports, Knowledge, person accounts, merging, undeleting.

mod answer;
mod auth;
mod bulk;
mod call;
mod composite;
mod deploy;
mod dml;
mod ids;
mod metadata;
mod rest;
mod rules;
pub mod schema;
mod seed;
mod snapshot;
mod soap;
mod soql;
mod state;
mod switches;
mod tooling;
mod values;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, State as Shared};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub use snapshot::Snapshot;
pub use state::{Blob, Row, RowFault};
pub use switches::{
    Config, ConnectedApp, Deliverability, DuplicateRule, PRIVATE_KEY, PUBLIC_KEY, Permissions,
    Preexisting, Switches, UpsertAudit,
};

use answer::{Answer, Failure, JSON, Payload};
use call::{Call, Request};
use dml::Writer;
use state::State;

use crate::common::{Account, Harness, Held, base_url};

/// Largest body that is read; a file may have 2 GB, which no test needs.
const BODY_BYTES: usize = 512 * 1024 * 1024;
/// Largest path, query and headers together (§2).
const HEAD_BYTES: usize = 16_384;
/// Bytes of all files of a collection (§9.6).
const COLLECTION_BYTES: usize = 500_000_000;
/// The versions the org answers (§1).
const VERSIONS: std::ops::RangeInclusive<u32> = 46..=68;

/// A Salesforce org; clones share it.
#[derive(Clone)]
pub struct Simulator {
    account: Account,
    held: Held<State>,
}

impl Deref for Simulator {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Simulator {
    /// A new org.
    pub fn new(config: Config) -> Self {
        let harness = Harness::new(config.clock.clone(), error_body);
        harness.limits.set_off(!config.rate_limits);
        let mut state = State::new(config, harness.outbox.clone(), harness.automations.clone());
        seed::fill(&mut state);
        harness.outbox.clear();
        harness.automations.clear();
        let held = Held::new(&harness, state);
        // A form with files is longer than the framework takes unless it is told to; `BODY_BYTES` bounds it.
        let routes = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::max(BODY_BYTES))
            .with_state(held.clone());
        let account = Account::new(&harness, routes);
        Self { account, held }
    }

    /// The content, for comparing field by field. Lets time pass up to the clock first.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.held.lock())
    }

    /// The content as canonical JSON without anything that differs between two runs that did the same: ids are replaced by
    /// external ids or names, times nobody gave are left out, and so is the recycle bin.
    pub fn state_fingerprint(&self) -> Value {
        snapshot::fingerprint(&self.held.lock())
    }

    /// Changes the open questions of a running org.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        let mut state = self.held.lock();
        change(&mut state.config.switches);
        state.forget_access();
    }

    /// Changes anything else of a running org that an admin could change: deliverability, rules, settings.
    pub fn set_up(&self, change: impl FnOnce(&mut Config)) {
        let mut state = self.held.lock();
        change(&mut state.config);
        state.forget_access();
    }

    /// An access token of the integration user.
    pub fn admin_token(&self) -> String {
        let mut state = self.held.lock();
        let user = state.integration.clone();
        auth::mint(&mut state, &user)
    }

    /// An access token of any user.
    pub fn token_for(&self, user: &str) -> String {
        auth::mint(&mut self.held.lock(), user)
    }

    /// The id of the integration user.
    pub fn integration_user(&self) -> String {
        self.held.lock().integration.clone()
    }

    /// From now on some records fail: locks, triggers, flows.
    pub fn add_row_fault(&self, fault: RowFault) {
        self.held.lock().add_fault(fault);
    }

    /// Records fail no longer.
    pub fn clear_row_faults(&self) {
        self.held.lock().clear_faults();
    }

    /// Makes a record as an admin of the org does beside the migration; its id, or what was refused.
    ///
    /// # Errors
    /// The codes and sentences of the refusal.
    pub fn make(&self, object: &str, fields: &Value) -> Result<String, String> {
        let mut state = self.held.lock();
        let writer = Writer::system(&mut state);
        let body: Map<String, Value> = fields.as_object().cloned().unwrap_or_default();
        let made = dml::insert(&mut state, &writer, object, &body);
        state.commit();
        made.map_err(|errors| {
            errors
                .iter()
                .map(|error| format!("{}: {}", error.code, error.message))
                .collect()
        })
    }

    /// Changes a record as an admin of the org does beside the migration.
    ///
    /// # Errors
    /// As [`Simulator::make`].
    pub fn change(&self, id: &str, fields: &Value) -> Result<(), String> {
        let mut state = self.held.lock();
        let writer = Writer::system(&mut state);
        let object = state
            .object_of(id)
            .map(|object| object.name.clone())
            .unwrap_or_default();
        let body: Map<String, Value> = fields.as_object().cloned().unwrap_or_default();
        let done = dml::update(&mut state, &writer, &object, id, &body);
        state.commit();
        done.map_err(|errors| {
            errors
                .iter()
                .map(|error| format!("{}: {}", error.code, error.message))
                .collect()
        })
    }

    /// Deletes a record as an admin of the org does beside the migration.
    ///
    /// # Errors
    /// As [`Simulator::make`].
    pub fn remove(&self, id: &str) -> Result<(), String> {
        let mut state = self.held.lock();
        let writer = Writer::system(&mut state);
        let done = dml::delete(&mut state, &writer, None, id, false);
        state.commit();
        done.map(|_| ()).map_err(|errors| {
            errors
                .iter()
                .map(|error| format!("{}: {}", error.code, error.message))
                .collect()
        })
    }
}

fn error_body(status: StatusCode, message: &str) -> Value {
    let code = match status.as_u16() {
        401 => "INVALID_SESSION_ID",
        403 => "REQUEST_LIMIT_EXCEEDED",
        503 => "SERVER_UNAVAILABLE",
        _ => "UNKNOWN_EXCEPTION",
    };
    json!([{"message": message, "errorCode": code}])
}

/// How the findings of a duplicate rule are called (§0.4).
fn duplicate_key(state: &State) -> &'static str {
    if state.config.switches.misspelt_duplicate_key {
        "duplicateResut"
    } else {
        "duplicateResult"
    }
}

/// Every request: read it, then answer it while holding the org.
async fn handle(
    Shared(service): Shared<Held<State>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let head: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let uri = request
        .uri()
        .path_and_query()
        .map_or(0, |uri| uri.as_str().len());
    if uri > HEAD_BYTES {
        return Failure {
            status: 414,
            errors: vec![answer::RowError::new("URI_TOO_LONG", "URI Too Long")],
        }
        .answer("")
        .into_response(JSON);
    }
    if uri + head > HEAD_BYTES {
        let error = answer::RowError::new("HEADERS_TOO_LARGE", "Request Header Fields Too Large");
        return Failure {
            status: 431,
            errors: vec![error],
        }
        .answer("")
        .into_response(JSON);
    }
    match read(request).await {
        Ok(request) => answer(&service, &request).into_response(JSON),
        Err(failure) => failure.answer("").into_response(JSON),
    }
}

/// The request with its body.
async fn read(request: axum::extract::Request) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let mut read = Request {
        method: parts.method.as_str().to_owned(),
        path: Request::segments(parts.uri.path()),
        query: Request::pairs(parts.uri.query().unwrap_or_default()),
        headers: parts.headers.clone(),
        body: Bytes::new(),
        json: Value::Null,
        upload: None,
        files: Vec::new(),
    };
    let unreadable = |text: &str| Failure::new("JSON_PARSER_ERROR", text);
    if kind.starts_with("multipart/form-data") {
        let whole = axum::extract::Request::from_parts(parts, body);
        let form = Multipart::from_request(whole, &()).await;
        let mut form = form.map_err(|_| unreadable("The multipart body cannot be read"))?;
        form_parts(&mut form, &mut read).await?;
        return Ok(read);
    }
    let bytes = axum::body::to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| unreadable("The body cannot be read"))?;
    let is_json = kind.starts_with("application/json");
    let is_other = [
        "text/csv",
        "text/xml",
        "application/soap",
        "application/x-www-form-urlencoded",
    ];
    if !bytes.is_empty() && is_json {
        read.json =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(&error.to_string()))?;
    } else if !bytes.is_empty() && !is_other.iter().any(|other| kind.starts_with(other)) {
        let text = format!("The HTTP entity body is required, but has the wrong type: {kind}");
        return Err(Failure {
            status: 415,
            errors: vec![answer::RowError::new("UNSUPPORTED_MEDIA_TYPE", text)],
        });
    }
    read.body = bytes;
    Ok(read)
}

/// The parts of a form: the fields as JSON, then the file; the records of a collection, then the file of each (§9.6).
async fn form_parts(form: &mut Multipart, read: &mut Request) -> Result<(), Failure> {
    let unreadable = |text: &str| Failure::new("INVALID_MULTIPART_REQUEST", text);
    let mut next = form
        .next_field()
        .await
        .map_err(|_| unreadable("The multipart body cannot be read"))?;
    while let Some(part) = next {
        let kind = part.content_type().map(str::to_owned);
        let name = part.name().map(str::to_owned);
        let (Some(kind), Some(name)) = (kind, name) else {
            return Err(unreadable(
                "Each part needs Content-Disposition and Content-Type",
            ));
        };
        let has_file = part.file_name().is_some();
        let bytes = part
            .bytes()
            .await
            .map_err(|_| unreadable("A part cannot be read"))?;
        if !has_file && kind.starts_with("application/json") && read.json.is_null() {
            read.json = serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new("JSON_PARSER_ERROR", error.to_string()))?;
        } else if has_file && !read.files.iter().any(|(known, _)| *known == name) {
            read.files.push((name, bytes));
        } else {
            return Err(unreadable(
                "A form has one part of JSON, and parts with files of different names",
            ));
        }
        next = form
            .next_field()
            .await
            .map_err(|_| unreadable("The multipart body cannot be read"))?;
    }
    let is_collection = read.json.get("records").is_some();
    if is_collection {
        let bytes: usize = read.files.iter().map(|(_, bytes)| bytes.len()).sum();
        if bytes > COLLECTION_BYTES {
            return Err(unreadable(
                "The files of a collection have more than 500 MB",
            ));
        }
    } else if read.files.len() == 1
        && let Some((name, bytes)) = read.files.pop()
    {
        read.upload = Some(name);
        read.body = bytes;
    }
    if read.json.is_null() || !is_collection && read.upload.is_none() {
        return Err(unreadable(
            "A form has one part with the fields and one with the file",
        ));
    }
    Ok(())
}

fn answer(service: &Held<State>, request: &Request) -> Answer {
    let mut state = service.lock();
    let base = base(&state, request);
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("POST", ["services", "oauth2", "token"]) => {
            return auth::token(&mut state, request, &base);
        }
        ("GET", ["services", "data"]) => {
            let list = VERSIONS.rev().map(|number| {
                json!({"label": label(number), "url": format!("/services/data/v{number}.0"), "version": format!("{number}.0")})
            });
            return Answer::json(200, list.collect());
        }
        ("GET", ["id", _, _] | ["services", "oauth2", "userinfo"]) => {
            return match auth::authenticate(&mut state, request) {
                Ok(user) => auth::identity(&state, &user),
                Err(failure) => failure.answer(""),
            };
        }
        ("POST", ["services", "Soap", "m", _]) => {
            let (used, limit, allowed) = state.count_call(!service.harness.limits.is_off());
            if !allowed {
                return soap::fault(
                    "REQUEST_LIMIT_EXCEEDED",
                    &state.config.switches.quota_message,
                )
                .with("sforce-limit-info", format!("api-usage={used}/{limit}"));
            }
            let answer = soap::answer(&mut state, request);
            state.commit();
            return answer;
        }
        _ => {}
    }
    let key = duplicate_key(&state);
    let ["services", "data", version, rest @ ..] = path.as_slice() else {
        return Failure::not_found().answer(key);
    };
    let user = match auth::authenticate(&mut state, request) {
        Ok(user) => user,
        Err(failure) => return failure.answer(key),
    };
    let known = version
        .strip_prefix('v')
        .and_then(|v| v.strip_suffix(".0"))
        .and_then(|v| v.parse::<u32>().ok());
    if !known.is_some_and(|number| VERSIONS.contains(&number)) {
        return Failure::not_found().answer(key);
    }
    let (used, limit, allowed) = state.count_call(!service.harness.limits.is_off());
    let info = format!("api-usage={used}/{limit}");
    if !allowed {
        let message = state.config.switches.quota_message.clone();
        return Failure::new("REQUEST_LIMIT_EXCEEDED", message)
            .answer(key)
            .with("sforce-limit-info", info);
    }
    let access = state.access(&user);
    let mut call = Call {
        state: &mut state,
        request,
        access,
        version: (*version).to_owned(),
    };
    let outcome = call.answer(rest);
    let mut answer = match outcome {
        Ok(answer) => answer,
        Err(failure) => failure.answer(key),
    };
    state.commit();
    if let Payload::Json(json) = &mut answer.body
        && *version != "v67.0"
    {
        readdress(json, version);
    }
    answer.with("sforce-limit-info", info)
}

/// Addresses in an answer have the version that was asked.
fn readdress(value: &mut Value, version: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix("/services/data/v67.0/") {
                *text = format!("/services/data/{version}/{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| readdress(item, version)),
        Value::Object(map) => map.values_mut().for_each(|item| readdress(item, version)),
        _ => {}
    }
}

/// The season of a version: 66 is Spring '26, 67 Summer '26, 68 Winter '27.
fn label(version: u32) -> String {
    let (season, year) = match version % 3 {
        0 => ("Spring", version / 3 + 4),
        1 => ("Summer", version / 3 + 4),
        _ => ("Winter", version / 3 + 5),
    };
    format!("{season} '{year:02}")
}

/// The base of addresses: as configured, else as the client addressed us.
fn base(state: &State, request: &Request) -> String {
    let usual = format!("https://{}.my.salesforce.com", state.config.domain);
    let host = request.header("host");
    let host = host.filter(|host| !matches!(*host, "login.salesforce.com" | "test.salesforce.com"));
    let configured = state.config.public_url.as_deref();
    base_url(configured, host, ".salesforce.com", &usual)
}
