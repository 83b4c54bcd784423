//! A simulated Zendesk Support account: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Zendesk facts" in the comments, with its section), strict where the
//! vendor is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the
//! harness's clock: jobs progress, tokens expire, automations run and search catches up only as it moves.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `attributes`, `call` | envelopes, reading bodies, one request, paging, limits |
//! | `auth`, `settings` | who calls; what the account is |
//! | `users`, `organizations`, `groups`, `fields`, `objects` | the records a migration makes |
//! | `tickets`, `imports`, `uploads`, `html` | tickets, comments and files |
//! | `jobs`, `deletion`, `search`, `incremental` | bulk, undoing, finding, exporting |
//! | `rules` | triggers, automations, mails |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! Not here: help center, chat, voice, merging, apps, side conversations.

mod answer;
mod attributes;
mod auth;
mod call;
mod deletion;
mod fields;
mod foreign;
mod groups;
mod html;
mod imports;
mod incremental;
mod jobs;
pub mod model;
mod objects;
mod organizations;
mod rules;
mod search;
mod seed;
mod settings;
mod snapshot;
mod state;
mod switches;
mod tickets;
mod uploads;
mod users;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{Response, StatusCode, request};
use bytes::Bytes;
use chrono::Duration;
use serde_json::{Value, json};

pub use foreign::ForeignError;
pub use model::{Comment, CommentText, Deletion, Ticket, User};
pub use snapshot::Snapshot;
pub use switches::{
    Config, FailedRow, OauthClient, Plan, Preexisting, PrivateComment, StatusAge, Switches,
    TagBlanks,
};

use answer::{Answer, Failure, Outcome};
use call::{Call, FORBIDDEN, Limit, Request};
use model::Id;
use state::State;

use crate::common::{Account, Harness, Held, Streamed, base_url, read_stream};

/// Largest JSON body that is read.
const BODY_BYTES: usize = 64 * 1024 * 1024;

/// A Zendesk account; clones share it.
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
    /// A new account.
    pub fn new(config: Config) -> Self {
        let harness = Harness::new(config.clock.clone(), error_body);
        let per_minute = config.plan.requests_per_minute();
        for (limit, calls, window_ms) in Limit::rules(per_minute, config.high_volume) {
            harness.limits.rule(limit.name(), calls, window_ms);
        }
        harness.limits.set_off(!config.rate_limits);
        let mut state = State::new(config, harness.outbox.clone(), harness.automations.clone());
        seed::fill(&mut state);
        let held = Held::new(&harness, state);
        let routes = Router::new().fallback(handle).with_state(held.clone());
        let account = Account::new(&harness, routes);
        Self { account, held }
    }

    /// The content, for comparing field by field. Lets time pass up to the clock first.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.held.lock())
    }

    /// The content as canonical JSON without anything that differs between two runs that did the same: ids are replaced by
    /// external ids or names, stamped times and tokens are left out. Soft-deleted tickets and users are under
    /// `deleted`; purged ones are in no place.
    pub fn state_fingerprint(&self) -> Value {
        snapshot::fingerprint(&self.held.lock())
    }

    /// Changes the open questions of a running account.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.held.lock().config.switches);
    }

    /// A token of the migration's admin with the scopes `read write`, alive for a day by the simulator's clock.
    pub fn admin_token(&self) -> String {
        let mut state = self.held.lock();
        let admin = state.credentials.api_user;
        auth::mint(&mut state, admin, &["read", "write"], Duration::days(1))
    }

    /// A token of any user.
    pub fn token_for(&self, user: Id, scopes: &[&str]) -> String {
        auth::mint(&mut self.held.lock(), user, scopes, Duration::days(1))
    }

    /// Changes a ticket as no request could, its comments and files too; whether it is there. For tests of what notices damage.
    pub fn damage_ticket(&self, id: Id, change: impl FnOnce(&mut model::Ticket)) -> bool {
        self.held.lock().edit_ticket(id, change).is_some()
    }

    /// Changes a user likewise.
    pub fn damage_user(&self, id: Id, change: impl FnOnce(&mut model::User)) -> bool {
        let mut state = self.held.lock();
        state.users.get_mut(&id).map(change).is_some()
    }

    /// Changes the bytes that a file's address serves, by its token; whether there is one.
    pub fn damage_file(&self, token: &str, content: Vec<u8>) -> bool {
        let mut state = self.held.lock();
        let Some(stored) = state.files.get_mut(token) else {
            return false;
        };
        stored.file.content = Some(content.into());
        true
    }

    /// Makes a second ticket that says the same, external id and all, as a tool does that is run twice; its id.
    pub fn copy_ticket(&self, id: Id) -> Option<Id> {
        let mut state = self.held.lock();
        let mut copy = state.tickets.get(&id)?.clone();
        copy.id = state.tickets.keys().max()? + 1;
        let made = copy.id;
        state.put_ticket(copy);
        Some(made)
    }

    /// Switches a trigger or an automation on or off by its title; whether there is one.
    pub fn set_rule_active(&self, title: &str, active: bool) -> bool {
        let mut state = self.held.lock();
        let State {
            triggers,
            automations,
            ..
        } = &mut *state;
        let mut found = false;
        for rule in triggers.values_mut().chain(automations.values_mut()) {
            if rule.title == title {
                rule.active = active;
                found = true;
            }
        }
        let tickets: Vec<Id> = state.tickets.keys().copied().collect();
        for ticket in tickets {
            rules::watch(&mut state, ticket);
        }
        found
    }
}

fn error_body(status: StatusCode, message: &str) -> Value {
    json!({"error": status.canonical_reason().unwrap_or("Error"), "description": message})
}

/// Every request: read it, then answer it while holding the account.
async fn handle(
    Shared(service): Shared<Held<State>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = segments(parts.uri.path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let is_upload = matches!(path.as_slice(), ["api", "v2", "uploads"])
        || matches!(
            path.as_slice(),
            [
                "api",
                "v2",
                "custom_objects",
                _,
                "records",
                _,
                "attachments"
            ]
        );
    let is_upload = is_upload && parts.method.as_str() == "POST";
    let keep = {
        let state = service.as_it_was();
        let limit = state.config.switches.upload_max_bytes;
        state.config.keep_files.then_some(limit)
    };
    let read = if is_upload {
        upload(parts, body, keep).await
    } else {
        plain(parts, body).await
    };
    match read {
        Ok(request) => answer(&service, &request, &path).into_response(answer::JSON),
        Err(failure) => failure.answer().into_response(answer::JSON),
    }
}

/// The parts of a path, decoded, without `.json` at the end (§1).
fn segments(path: &str) -> Vec<String> {
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".json").unwrap_or(path);
    let decode = |part: &str| -> String {
        let part = part.replace('+', "%2B");
        let pairs = format!("p={part}");
        let mut decoded = url::form_urlencoded::parse(pairs.as_bytes());
        decoded
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    path.split('/').map(decode).collect()
}

fn request(parts: request::Parts, body: Bytes, json: Value, upload: Option<Streamed>) -> Request {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: pairs
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect(),
        headers: parts.headers,
        body,
        json,
        upload,
    }
}

/// A request with a JSON body, or none.
async fn plain(parts: request::Parts, body: Body) -> Result<Request, Failure> {
    let bytes = axum::body::to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| Failure::bad_request("BadRequest", "The request body could not be read"))?;
    if bytes.is_empty() {
        return Ok(request(parts, bytes, Value::Null, None));
    }
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Failure::Plain {
            status: 415,
            error: "UnsupportedMediaType",
            description: "Content-Type must be application/json".to_owned(),
        });
    }
    let json = serde_json::from_slice(&bytes).map_err(|error| Failure::Plain {
        status: 400,
        error: "InvalidJSON",
        description: format!("Unable to parse the request body: {error}"),
    })?;
    Ok(request(parts, bytes, json, None))
}

/// An upload: raw bytes, or one part of a form for records. Read as a stream.
async fn upload(
    mut parts: request::Parts,
    body: Body,
    keep: Option<u64>,
) -> Result<Request, Failure> {
    let unreadable = || Failure::Plain {
        status: 422,
        error: "AttachmentUnprocessable",
        description: "The body cannot be read".to_owned(),
    };
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        use axum::extract::FromRequest;
        let whole = axum::extract::Request::from_parts(parts.clone(), body);
        let form = axum::extract::Multipart::from_request(whole, &()).await;
        let mut form = form.map_err(|_| unreadable())?;
        while let Some(part) = form.next_field().await.map_err(|_| unreadable())? {
            if part.name() != Some("uploaded_data") {
                continue;
            }
            let name = part.file_name().unwrap_or("file").to_owned();
            if let Some(kind) = part.content_type().and_then(|kind| kind.parse().ok()) {
                parts.headers.insert("x-part-content-type", kind);
            }
            let streamed = read_stream(part, keep).await.ok_or_else(unreadable)?;
            let mut request = request(parts, Bytes::new(), Value::Null, Some(streamed));
            request.query.push(("filename".to_owned(), name));
            return Ok(request);
        }
        return Err(unreadable());
    }
    let streamed = read_stream(body.into_data_stream(), keep)
        .await
        .ok_or_else(unreadable)?;
    Ok(request(parts, Bytes::new(), Value::Null, Some(streamed)))
}

/// Answers a request of its topic, given the path after `/api/v2`; `None` for a path of another topic.
type Topic = fn(&mut Call<'_>, &[&str]) -> Option<Outcome>;

/// The topics, asked in turn.
const TOPICS: [Topic; 13] = [
    auth::route,
    imports::route,
    deletion::route,
    organizations::route,
    groups::route,
    tickets::route,
    users::route,
    fields::route,
    uploads::route,
    jobs::route,
    search::route,
    incremental::route,
    rules::route,
];

fn answer(service: &Held<State>, request: &Request, path: &[&str]) -> Answer {
    let mut state = service.lock();
    let base = base(&state, request);
    if let (["oauth", "tokens"], "POST") = (path, request.method.as_str()) {
        return auth::token(&mut state, request).unwrap_or_else(|failure| failure.answer());
    }
    let nobody = model::Role::EndUser;
    let mut call = Call {
        state: &mut state,
        limits: &service.harness.limits,
        request,
        actor: call::Actor {
            user_id: 0,
            role: nobody,
        },
        base,
        headers: Vec::new(),
    };
    if let ["attachments", "token", token, ..] = path {
        // §8: the address is the secret; downloads ask for no credentials.
        let outcome = uploads::download(&mut call, token);
        return finish(call, outcome);
    }
    let ["api", "v2", path @ ..] = path else {
        return Failure::EndpointNotFound.answer();
    };
    let (actor, scopes) = match auth::authenticate(call.state, request) {
        Ok(known) => known,
        // §1 [LIVE]: this one endpoint answers strangers.
        Err(_) if *path == ["users", "me"] && call.state.config.switches.anonymous_me => {
            return users::anonymous();
        }
        Err(failure) => return failure.answer(),
    };
    call.actor = actor;
    let outcome = count(&mut call).and_then(|()| {
        scopes.check(&request.method, path)?;
        let me = *path == ["users", "me"] || *path == ["oauth", "tokens", "current"];
        if !me && !auth::staff(&call.actor) {
            return Err(FORBIDDEN);
        }
        if call.state.config.switches.accept_required && request.header("accept").is_none() {
            return Err(Failure::Plain {
                status: 415,
                error: "UnsupportedMediaType",
                description: "Accept must be application/json".to_owned(),
            });
        }
        route(&mut call, path)
    });
    finish(call, outcome)
}

fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    for topic in TOPICS {
        if let Some(outcome) = topic(call, path) {
            return outcome;
        }
    }
    let last = objects::route(call, path).or_else(|| settings::route(call, path));
    last.unwrap_or(Err(Failure::EndpointNotFound))
}

/// Counts the call against the account's limit and notes the headers that every answer has (§2).
fn count(call: &mut Call<'_>) -> Result<(), Failure> {
    let taken = call.limits.take(Limit::Account.name(), "", 1);
    let now = call.state.now.timestamp_millis();
    let reset = taken.retry_after_s(now);
    for (name, value) in [
        ("x-rate-limit", taken.limit.to_string()),
        ("x-rate-limit-remaining", taken.remaining.to_string()),
        ("ratelimit-limit", taken.limit.to_string()),
        ("ratelimit-remaining", taken.remaining.to_string()),
        ("ratelimit-reset", reset.to_string()),
    ] {
        call.headers.push((name, value));
    }
    if taken.allowed {
        return Ok(());
    }
    Err(Failure::RateLimited {
        retry_after: u64::try_from(reset).unwrap_or(1).max(1),
        json_api: !call.state.config.switches.plain_rate_limit_body,
    })
}

fn finish(call: Call<'_>, outcome: Outcome) -> Answer {
    let mut answer = outcome.unwrap_or_else(|failure| failure.answer());
    answer.headers.extend(call.headers);
    answer
}

/// The base of links: as configured, else as the client addressed us.
fn base(state: &State, request: &Request) -> String {
    let usual = format!("https://{}.zendesk.com", state.config.subdomain);
    let configured = state.config.public_url.as_deref();
    base_url(configured, request.header("host"), ".zendesk.com", &usual)
}
