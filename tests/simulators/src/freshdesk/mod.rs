//! A simulated Freshdesk account: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Freshdesk facts" in the comments, with its section), strict where the
//! vendor is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the
//! harness's clock: jobs progress, links expire, search catches up, rules run and the trash is emptied only as it moves.
//!
//! # Routes
//! Under `/api/v2`, unless a path begins with `/`. Every call: Basic authentication with the API key as user and any password, or
//! an agent's address and password (§1); `X-RateLimit-*` on every answer (§2); a wrong verb is 405 with `Allow`, a wrong
//! `Content-Type` 415, a wrong `Accept` 406 (§1); unknown attributes are refused (§1). `{id}` is a number. *A*: for account
//! admins only. *L*: a list with `page`, `per_page` ≤100 and a `Link` header (§3).
//!
//! | method and path | what it does | facts |
//! | --- | --- | --- |
//! | `GET agents/me` | who the key belongs to; the test of a credential | §1 |
//! | `GET account` *A* | the account: id, name, domain, plan | [INF] |
//! | `GET settings/helpdesk` | languages | spec |
//! | `GET agents` *L* | by `email`, `mobile`, `phone`, `state` | §7 |
//! | `POST agents` *A* | new agent; licence, invitation mail | §7 |
//! | `POST agents/bulk` *A* | up to 100, as a job | §7 |
//! | `GET`, `PUT` *A*, `DELETE` *A* `agents/{id}` | one agent; deleted means made a contact | §7 |
//! | `GET agents/autocomplete?term=` | ids and names | §3 |
//! | `GET roles`, `roles/{id}` | roles | §7 |
//! | `GET` *L*, `POST` *A* `groups` | groups; name unique | §7 |
//! | `GET`, `PUT` *A*, `DELETE` *A* `groups/{id}` | `agent_ids` is replaced; tickets lose a deleted group | §7 |
//! | the same under `admin/groups` *A* | behind `admin_groups` | §7 |
//! | `GET products`, `email_configs` | one of each | spec |
//! | `GET` *L*, `POST` `contacts` | contacts; 409 with the existing id; list by `email`, `phone`, `mobile`, `company_id`, `unique_external_id`, `state`, `_updated_since` | §3, §6 |
//! | `GET`, `PUT`, `DELETE` `contacts/{id}` | one contact; deletion is soft | §6 |
//! | `PUT contacts/{id}/restore` | back from deletion | §6 |
//! | `DELETE contacts/{id}/hard_delete[?force=true]` | for good, with the contact's tickets | §6, §14 |
//! | `PUT contacts/{id}/make_agent` *A* | a contact with an address becomes an agent | §6 |
//! | `PUT contacts/{id}/send_invite` | mails | §6 |
//! | `POST contacts/merge` | secondaries go into the primary, for good | §6 |
//! | `GET contacts/autocomplete?term=` | ids and names | §3 |
//! | `POST contacts/export`, `GET contacts/export/{id}` | CSV by a job; the link needs no credentials | §6 |
//! | `POST`, `GET` `contacts/imports`, `GET contacts/imports/{id}`, `PUT …/{id}/cancel` | CSV by a job | §6 |
//! | `GET` *L*, `POST` `companies`; `GET`, `PUT`, `DELETE` `companies/{id}`; `autocomplete?name=`, `export`, `imports` | companies; name unique; gone at once | §7 |
//! | `GET`, `POST` *A* `contact_fields`, `company_fields`; `GET`, `PUT` *A*, `DELETE` *A* `…/{id}` | fields of contacts and companies, names without `cf_` | §6, §9 |
//! | the same under `admin/contact_fields`, `admin/company_fields` | by `field_paths` | §9 |
//! | `GET ticket_fields[?type=]` | the agents' view of ticket fields | §9 |
//! | `GET`, `POST` `admin/ticket_fields` *A*; `GET`, `PUT`, `DELETE` `…/{id}` *A* | ticket fields; the `name` is made by the account | §9 |
//! | `GET` *L* `tickets` | `filter`, `requester_id`, `email`, `unique_external_id`, `company_id`, `updated_since`, `order_by`, `order_type`, `include`; 30 days, 300 pages | §3 |
//! | `POST tickets` | 201 and `Location`; JSON or a form with `attachments[]`; makes a contact of an unknown address | §6, §8, §12 |
//! | `GET tickets/{id}[?include=]` | `conversations` (10), `requester`, `company`, `stats`; each costs 2 credits | §2, §12 |
//! | `PUT tickets/{id}` | what is given; files are added | §12 |
//! | `DELETE tickets/{id}`, `PUT tickets/{id}/restore` | into the trash and back | §12, §14 |
//! | `POST tickets/bulk_update` (`PUT` behind a switch), `POST tickets/bulk_delete` | 202 and a job; `skip_close_notification` | §12, §13 |
//! | `GET jobs/{id}` | a job's state | §12 |
//! | `POST tickets/{id}/notes` | note, private unless said | §12 |
//! | `POST tickets/{id}/reply`, `forward`, `reply_to_forward`, `POST tickets/outbound_email` | mails | §12 |
//! | `GET` *L* `tickets/{id}/conversations` | ascending by `created_at` | §12 |
//! | `PUT`, `DELETE` `conversations/{id}` | notes; incoming replies stay | §12 |
//! | `POST`, `GET` `tickets/{id}/satisfaction_ratings`, `GET surveys/satisfaction_ratings` | ratings | §5 |
//! | `GET`, `DELETE` `tickets/archived/{id}`, `GET` *L* `tickets/archived/{id}/conversations` | archived tickets, which live only here | §12 |
//! | `DELETE attachments/{id}` | one file | §8 |
//! | `GET search/tickets`, `search/contacts`, `search/companies` `?query="…"` | 30 a page, 10 pages, 512 characters, with lag | §3 |
//! | `GET custom_objects/schemas`, `schemas/{id}` | schemas, made in the UI only | §11 |
//! | `GET`, `POST` `custom_objects/schemas/{id}/records`; `GET …/records/count`; `GET`, `PUT`, `DELETE` `…/records/{display_id}` | records; token pages, filters, `version` | §11 |
//! | `POST /api/channel/v2/tickets`, `PUT …/tickets/{id}`, `POST …/tickets/{id}/notes`, `…/reply` | the channel API: `import_id`, `created_at`, `updated_at`; [`ChannelApi`] | §0, §12 |
//! | `GET /attachments/production/{id}/original/{name}?…` | a file by its `attachment_url`, without credentials, for a short time | §8 |
//!
//! What the UI alone can do is a method of [`Simulator`]: [`Simulator::make_schema`], [`Simulator::make_lookup_field`],
//! [`Simulator::set_up`], [`Simulator::empty_trash`]; what another user does through the API, [`Simulator::as_owner`].
//!
//! # Defaults
//! A Pro account (400 calls a minute) with all mails on, automation rules, and no channel API. [`Switches`] has the open
//! questions, each with the reading that asks most; the most telling: search lags 3 minutes; `created_at` in the public
//! API is refused; all five of status, priority, source, subject and description must be given; a contact needs a name and an
//! identifier; `company_id` must be the requester's; a repeated `import_id` is a 409; newer field types are not there; tags have
//! 32 characters; a 429 has no body; links are good for 5 minutes and refuse credentials.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `body`, `call`, `routes` | answers and errors, reading bodies, one request, the table of routes |
//! | `auth`, `settings` | who calls; what the account is |
//! | `contacts`, `merge`, `companies`, `agents`, `groups`, `fields`, `objects` | the records a migration makes |
//! | `tickets`, `conversations`, `channel`, `files`, `html` | tickets, what is said in them, files |
//! | `lists`, `search`, `jobs`, `csv` | finding, bulk, exports and imports |
//! | `rules` | mails, automation rules, SLA clocks |
//! | `seed`, `snapshot` | what was there before, looking at it all |
//!
//! Not here: solutions, forums, canned responses, time entries, watching, parent and child tickets, merging tickets, the
//! portal, ticket field sections.

mod agents;
mod answer;
mod auth;
mod body;
mod call;
mod channel;
mod companies;
mod contacts;
mod conversations;
mod csv;
mod fields;
mod files;
mod groups;
mod html;
mod jobs;
mod lists;
mod merge;
pub mod model;
mod objects;
mod routes;
mod rules;
mod search;
mod seed;
mod settings;
mod snapshot;
mod state;
mod switches;
mod tickets;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, State as Shared};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

pub use auth::PASSWORD;
pub use objects::{SchemaFieldSpec, SchemaSpec};
pub use snapshot::Snapshot;
pub use switches::{
    ChannelApi, Config, FieldPaths, Notifications, Plan, Policy, Preexisting, Switches,
};

use answer::{Answer, Failure, Payload};
use call::{Actor, Bucket, Call, Request, Upload};
use model::{Id, Owner};
use state::State;

use crate::common::{Account, Harness, Held, base_url, read_stream};

/// Largest body that is read.
const BODY_BYTES: usize = 256 * 1024 * 1024;
/// Largest file whose bytes are kept.
const KEPT_BYTES: u64 = 64 * 1024 * 1024;

/// A Freshdesk account; clones share it.
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
        let (minute, hour) = (config.calls_per_minute, config.calls_per_hour);
        Bucket::rules(&harness.limits, config.plan, minute, hour);
        harness.limits.set_off(!config.rate_limits);
        let mut state = State::new(config, harness.outbox.clone(), harness.automations.clone());
        seed::fill(&mut state);
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
        let mut state = self.held.lock();
        fields::settle(&mut state);
        Snapshot::of(&state)
    }

    /// The content as canonical JSON without anything that differs between two runs that did the same: ids are replaced by
    /// external ids, addresses or names, stamped times are left out. Tickets in the trash and softly deleted contacts are under
    /// `deleted`; purged ones are in no place.
    pub fn state_fingerprint(&self) -> Value {
        let mut state = self.held.lock();
        fields::settle(&mut state);
        snapshot::fingerprint(&state)
    }

    /// Changes the open questions of a running account.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.held.lock().config.switches);
    }

    /// Changes anything else of a running account that its admin could change: mails, the plan, the channel API, seats.
    pub fn set_up(&self, change: impl FnOnce(&mut Config)) {
        let mut state = self.held.lock();
        change(&mut state.config);
        let config = &state.config;
        let (minute, hour) = (config.calls_per_minute, config.calls_per_hour);
        Bucket::rules(&self.harness().limits, config.plan, minute, hour);
    }

    /// The API key of the migration's agent; the user of Basic authentication, with any password.
    pub fn admin_token(&self) -> String {
        self.held.lock().config.api_key.clone()
    }

    /// A new API key of any agent.
    pub fn key_for(&self, agent: Id) -> String {
        let mut state = self.held.lock();
        let key = state.hex(20);
        state.credentials.keys.insert(key.clone(), agent);
        key
    }

    /// The id of the migration's agent.
    pub fn migration_agent(&self) -> Id {
        self.held.lock().api_user
    }

    /// Makes a custom object as an admin does in the UI, the only place where it can be made (§11); its id.
    ///
    /// # Errors
    /// What the UI would not let pass.
    pub fn make_schema(&self, spec: &SchemaSpec) -> Result<Id, String> {
        objects::make_schema(&mut self.held.lock(), spec)
    }

    /// Adds a field to a custom object as an admin does in the UI; whether it could be.
    pub fn add_schema_field(&self, schema: Id, spec: &SchemaFieldSpec) -> bool {
        objects::add_field(&mut self.held.lock(), schema, spec).is_some()
    }

    /// Takes a custom object and its records away, as an admin does in the UI; whether there was one.
    pub fn delete_schema(&self, schema: Id) -> bool {
        let mut state = self.held.lock();
        state.records.remove(&schema);
        state.records_by_primary.retain(|(of, _), _| *of != schema);
        state.schemas.remove(&schema).is_some()
    }

    /// Makes a field that looks up records of a custom object, which only the UI can (§9); its API name.
    pub fn make_lookup_field(&self, owner: Owner, label: &str, schema: Id) -> String {
        let mut state = self.held.lock();
        let mut field = fields::made(&mut state, owner, fields::LOOKUP, label);
        field.looks_up = Some(schema);
        let name = field.name.clone();
        state.put_field(field);
        name
    }

    /// Switches an automation rule on or off by its name; whether there is one.
    pub fn set_rule_active(&self, name: &str, active: bool) -> bool {
        let mut state = self.held.lock();
        let rule = state.rules.iter_mut().find(|rule| rule.name == name);
        rule.map(|rule| rule.active = active).is_some()
    }

    /// The names of the automation rules that run.
    pub fn active_rules(&self) -> Vec<String> {
        let state = self.held.lock();
        let active = state.rules.iter().filter(|rule| rule.active);
        active.map(|rule| rule.name.clone()).collect()
    }

    /// Empties the trash, as an admin does in the UI (§14).
    pub fn empty_trash(&self) {
        let mut state = self.held.lock();
        let deleted = state
            .tickets
            .values()
            .filter(|ticket| ticket.deleted_at.is_some());
        let deleted: Vec<Id> = deleted.map(|ticket| ticket.id).collect();
        for ticket in deleted {
            state.take_ticket(ticket);
        }
    }

    /// What the account's owner does beside the migration, through the API but without limits and unrecorded: the answer's JSON.
    ///
    /// # Errors
    /// What was refused, in one line.
    pub fn as_owner(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let url = format!("/api/v2/{path}");
        let request = Request::internal(method, &url, pairs(query), body.clone());
        let mut state = self.held.lock();
        let path: Vec<&str> = path.split('/').collect();
        let actor = Actor {
            id: state.owner_id,
            admin: true,
        };
        fields::settle(&mut state);
        let base = format!("https://{}.freshdesk.com", state.config.domain);
        let outcome = routes::find(method, &path).and_then(|(route, params)| {
            (route.run)(&mut Call {
                state: &mut state,
                request: &request,
                actor,
                base,
                params,
            })
        });
        match outcome.map_err(|failure| failure.text())?.body {
            Payload::Json(value) => Ok(value),
            _ => Ok(Value::Null),
        }
    }
}

fn error_body(status: StatusCode, message: &str) -> Value {
    let code = match status.as_u16() {
        401 => "invalid_credentials",
        403 => "access_denied",
        _ => "internal_error",
    };
    json!({"code": code, "message": message})
}

fn pairs(query: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

/// Every request: read it, then answer it while holding the account.
async fn handle(
    Shared(service): Shared<Held<State>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let keep = service.as_it_was().config.keep_files.then_some(KEPT_BYTES);
    match read(request, keep).await {
        Some(request) => answer(&service, &request),
        None => Answer::empty(400),
    }
    .into_response(answer::JSON)
}

/// The request with its body; `None` when the body breaks off.
async fn read(request: axum::extract::Request, keep: Option<u64>) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    let mut read = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default()),
        headers: parts.headers.clone(),
        json: Value::Null,
        form: false,
        files: Vec::new(),
        unreadable: false,
        wrong_type: false,
    };
    if kind.starts_with("multipart/form-data") {
        read.form = true;
        let whole = axum::extract::Request::from_parts(parts, body);
        let Ok(mut form) = Multipart::from_request(whole, &()).await else {
            read.unreadable = true;
            return Some(read);
        };
        let mut texts = Vec::new();
        while let Some(part) = form.next_field().await.ok()? {
            let name = part.name().unwrap_or_default().to_owned();
            let Some(file) = part.file_name().map(str::to_owned) else {
                texts.push((name, part.text().await.ok()?));
                continue;
            };
            let kind = part
                .content_type()
                .unwrap_or("application/octet-stream")
                .to_owned();
            let bytes = read_stream(part, keep).await?;
            read.files.push(Upload {
                part: name,
                name: file,
                content_type: kind,
                bytes,
            });
        }
        read.json = body::form_value(texts);
        return Some(read);
    }
    let bytes = axum::body::to_bytes(body, BODY_BYTES).await.ok()?;
    if bytes.is_empty() {
        return Some(read);
    }
    read.wrong_type = !kind.starts_with("application/json");
    match serde_json::from_slice(&bytes) {
        Ok(json) => read.json = json,
        Err(_) => read.unreadable = true,
    }
    Some(read)
}

fn answer(service: &Held<State>, request: &Request) -> Answer {
    let mut state = service.lock();
    fields::settle(&mut state);
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    if path.first() == Some(&"attachments") {
        let outcome = files::download(&state, request, &path);
        return outcome.unwrap_or_else(Failure::answer);
    }
    // §1: the account answers at its own domain, and here where no domain is.
    let host = request.header("host").unwrap_or_default();
    let ours = format!("{}.freshdesk.com", state.config.domain);
    if host.ends_with(".freshdesk.com") && host != ours {
        return Answer::empty(404);
    }
    let (path, channel) = match path.as_slice() {
        ["api", "v2", rest @ ..] if rest.first() != Some(&"channel") => (rest.to_vec(), false),
        ["api", "channel", "v2", rest @ ..] => ([&["channel"], rest].concat(), true),
        _ => return Answer::empty(404),
    };
    // §2: what is included costs two credits each.
    let includes = request
        .param("include")
        .map_or(0, |text| text.split(',').count());
    let cost = 1 + 2 * includes as u64;
    let limits = &service.harness.limits;
    let taken = limits.take(Bucket::Account.name(), "", cost);
    let seconds = taken.retry_after_s(state.now.timestamp_millis());
    let total = if state.config.switches.decimal_total {
        format!("{}.0", taken.limit)
    } else {
        taken.limit.to_string()
    };
    let with_body = state.config.switches.rate_limit_body;
    let outcome = if taken.allowed {
        admit(&mut state, request).and_then(|actor| {
            if let (true, ChannelApi::Refused(status)) = (channel, state.config.channel_api) {
                return Err(refusal(status));
            }
            let (route, params) = routes::find(&request.method, &path)?;
            if let Some(bucket) = route.bucket {
                let taken = limits.take(bucket.name(), "", 1);
                if !taken.allowed {
                    let seconds = taken.retry_after_s(state.now.timestamp_millis());
                    return Err(Failure::RateLimited(seconds, with_body));
                }
            }
            if route.admin && !actor.admin {
                return Err(Failure::denied());
            }
            let base = base(&state, request);
            (route.run)(&mut Call {
                state: &mut state,
                request,
                actor,
                base,
                params,
            })
        })
    } else {
        Err(Failure::RateLimited(seconds, with_body))
    };
    outcome
        .unwrap_or_else(Failure::answer)
        .with("x-ratelimit-total", total)
        .with("x-ratelimit-remaining", taken.remaining.to_string())
        .with("x-ratelimit-used-currentrequest", cost.to_string())
        .with("x-freshdesk-api-version", "latest=v2; requested=v2")
}

/// What is looked at before any route (§1, §4).
fn admit(state: &mut State, request: &Request) -> Result<Actor, Failure> {
    let accept = request.header("accept").unwrap_or("*/*");
    let fits = accept.split(',').any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        matches!(kind, "application/json" | "*/*")
    });
    if !fits {
        return Err(Failure::Bare(406));
    }
    let actor = auth::authenticate(state, request)?;
    if state.config.suspended {
        let message = "Your account has been suspended.";
        return Err(Failure::coded(403, "account_suspended", message));
    }
    if state.config.plan == Plan::Free && !state.config.switches.api_on_free {
        return Err(Failure::feature("API"));
    }
    if request.wrong_type {
        return Err(Failure::Bare(415));
    }
    if request.unreadable {
        let message = "Request body has invalid json format";
        return Err(Failure::coded(400, "invalid_json", message));
    }
    Ok(actor)
}

/// How the channel API answers who may not use it (§0).
fn refusal(status: u16) -> Failure {
    match status {
        401 => Failure::credentials(),
        403 => Failure::denied(),
        _ => Failure::NotFound,
    }
}

/// The base of links: as configured, else as the client addressed us.
fn base(state: &State, request: &Request) -> String {
    let usual = format!("https://{}.freshdesk.com", state.config.domain);
    let configured = state.config.public_url.as_deref();
    base_url(configured, request.header("host"), ".freshdesk.com", &usual)
}
