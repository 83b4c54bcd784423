//! A simulated Gorgias account: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Gorgias facts" in the comments, with its section), strict where the vendor
//! is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's clock:
//! buckets leak, cursors end, jobs run, mails leave and lists catch up only as it moves.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `read`, `call` | shapes of answers, strict reading of bodies, one request, paging |
//! | `auth`, `account` | who calls and what the role and the scopes open; what the account is, the trail of events |
//! | `customers`, `users`, `teams`, `tags`, `fields` | the records a migration makes |
//! | `tickets`, `messages`, `surveys`, `files` | tickets with their messages, satisfaction, uploads |
//! | `jobs`, `search` | bulk deletion, finding |
//! | `rules` | rules and whatever else of the account acts on its own |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! # Calling it
//!
//! `https://acme.gorgias.com/api/…` ([`Config::domain`]), every path with or without a slash at the end (§1). Either HTTP Basic with
//! [`Simulator::admin_email`] and [`Simulator::admin_token`], which is the API key, or a bearer token of an OAuth app,
//! [`Simulator::oauth_token`]. A request has at most 64 MiB; one that makes something answers 201, changes answer 202, deletions 204;
//! answers marked *empty* have no body (§3). An unknown key of a body or of a query is a 400 (§1).
//!
//! Every answer has `X-Gorgias-Account-Api-Call-Limit: used/limit`; a 429 has `Retry-after` (§2). Errors are
//! `{"error":{"msg":…,"data":{field:[…]}}}` (§3).
//!
//! # Routes
//!
//! The address of an uploaded file ends in `/attachments/{domain hash}/{name}`; the last two parts are those of the path it is
//! downloaded from.
//!
//! *paged*: `{"object":"list","uri","data","meta":{"prev_cursor","next_cursor"}}` with `cursor`, `limit` (30, at most 100) and
//! `order_by` (§4).
//!
//! | method and path under `/api` | what it does | section |
//! | --- | --- | --- |
//! | `GET account`, `GET account/settings` | domain, status, settings; the settings again, all at once, by `type` | §1, §12 |
//! | `GET customers` | paged; filters `external_id`, `email`, `channel_type` with `channel_address`, `name`, `language`, `timezone` | §4 |
//! | `POST customers` | one customer; 409 when an address is taken | §7 |
//! | `GET`, `PUT`, `DELETE customers/{id}` | 301 when merged; `channels` replaces all; deletion takes what [`Switches::customer_deletion`] says | §7, §13 |
//! | `DELETE customers` `{"ids"}` | several, 204 | §13 |
//! | `PUT customers/{id}/data` | replaces the blob, 202 *empty*; an older `version` is dropped in silence | §7 |
//! | `GET`, `PUT customers/{id}/custom-fields` | values, a bare array both ways | §7 |
//! | `PUT`, `DELETE customers/{id}/custom-fields/{field}` | one value | §7 |
//! | `PUT customers/merge?source_id=&target_id=` | irreversible; 409 when both have data of one integration | §7 |
//! | `GET users` | paged; filters `email`, `external_id`, `search`, `roles` | §4, §8 |
//! | `POST users`, `GET`, `PUT`, `DELETE users/{id}` | id 0 is the caller, but not for deleting; a new one is invited by mail | §1, §8 |
//! | `GET teams`, `POST teams`, `GET`, `PUT`, `DELETE teams/{id}` | members replaced as a whole; tickets lose a deleted team | §8 |
//! | `GET tags` | paged; `search` in any case | §4, §8 |
//! | `POST tags`, `GET`, `PUT`, `DELETE tags/{id}`, `DELETE tags` `{"ids"}` | refused when a rule or macro uses it; views that use it are switched off | §8 |
//! | `PUT tags/{id}/merge` `{"source_tags_ids"}` | tickets have the destination's tag | §8 |
//! | `GET custom-fields?object_type=` | paged; `archived`, `search`, ordered by priority only | §9 |
//! | `POST custom-fields`, `GET`, `PUT custom-fields/{id}`, `PUT custom-fields` | at most 25 and 4 active; `deactivated_datetime` archives, nothing deletes | §9 |
//! | `GET tickets` | paged, without messages; filters `external_id`, `customer_id`, `ticket_ids`, `trashed` | §4 |
//! | `POST tickets` | with 1 to 500 messages, all or nothing | §6 |
//! | `GET tickets/{id}` | with messages; `relationships=custom_fields` for the values | §6 |
//! | `PUT tickets/{id}` | partial; `tags` and `custom_fields` replace the set; never `created_datetime` | §6 |
//! | `DELETE tickets/{id}` | permanent, with messages and survey | §13 |
//! | `GET messages` | paged; filter `ticket_id` | §4 |
//! | `GET`, `POST tickets/{id}/messages` | the deprecated list, paged; one more message | §6 |
//! | `GET`, `PUT`, `DELETE tickets/{id}/messages/{message}` | `PUT` wants `channel`, `from_agent`, `via`; the deletion answers 200 *empty* | §6, §13 |
//! | `GET tickets/{id}/tags` | `{"data":[…]}`, not paged | §4 |
//! | `POST`, `PUT`, `DELETE tickets/{id}/tags` `{"ids","names"}` | adds (201 *empty*), replaces (202 *empty*), takes away (204) | §6 |
//! | `GET`, `PUT tickets/{id}/custom-fields` | `{"data":[…]}`; a bare array both ways when changed, what is not named stays | §4, §6 |
//! | `PUT`, `DELETE tickets/{id}/custom-fields/{field}` | one value | §6 |
//! | `GET satisfaction-surveys` | paged, without filters: a ticket shows its own | §9 |
//! | `POST satisfaction-surveys`, `GET`, `PUT satisfaction-surveys/{id}` | one for a ticket; `PUT` replaces all and wants both numbers again | §9 |
//! | `POST upload?type=` | multipart, a file for each part, the part's name being the file's label; a bare array of files | §9 |
//! | `GET {type}/download/{domain hash}/{name}` | the bytes, with credentials | §9 |
//! | `GET /attachments/{domain hash}/{name}` (not under `/api`) | the bytes of a public file, without credentials | §9 |
//! | `POST search` `{"type","query","size"}` | a bare array, or `{"data"}`; lags | §4 |
//! | `POST jobs`, `GET jobs`, `GET jobs/{id}`, `DELETE jobs/{id}` | `deleteTicket`, asynchronous; the last one asks to cancel | §13 |
//! | `GET rules`, `GET`, `PUT rules/{id}` | what fires on import; `deactivated_datetime` pauses | §12 |
//! | `GET events`, `GET events/{id}` | paged; filters `object_type`, `object_id`, `types`, `user_ids` | §12 |
//! | `GET integrations`, `GET integrations/{id}`, `GET macros`, `GET views` | what else is there; `type` filters integrations | §8, §12 |
//!
//! Any other method of a known path is a 405, any other path a 404.
//!
//! # What happens unless it is prevented
//!
//! | what | when | where it shows | section |
//! | --- | --- | --- | --- |
//! | a message is sent | `from_agent`, not a note, no `sent_datetime` | outbox `message` | §6 |
//! | agents are notified | `mention_ids` | outbox `mention` | §6 |
//! | a customer is made | `sender` or `customer` with an unknown e-mail address | customers | §6 |
//! | a tag is made | an unknown name on a ticket | tags | §6 |
//! | rules run | ticket made, message made, ticket changed | automation log `rule`, outbox `auto-reply` | §12 |
//! | a closed ticket is opened | a customer's message is added | the ticket | §6 |
//! | a survey is sent | a ticket that an agent answered is closed, while the account sends surveys; `should_send_datetime` | outbox `survey` | §9, §12 |
//! | a user is invited | `POST users` | outbox `invitation` | §8 |
//! | a webhook fires | an HTTP integration is active | outbox `webhook` | §12 |
//! | macros and actions run | a message names some | automation log `macro` | §6 |
//! | the rest of [`Services`] | as it says there | automation log `sla`, `auto-assignment`, `ai-agent`, outbox `notice`, `shop` | §12 |
//!
//! What other people do meanwhile is done by methods of [`Simulator`]: [`Simulator::edit_ticket`], [`Simulator::add_note`],
//! [`Simulator::receive_mail`], [`Simulator::merge_customers`] and others; [`Simulator::set_rule_active`] and
//! [`Simulator::set_services`] are what an admin prepares.
//!
//! # Switches
//!
//! [`Switches`] documents each with its section; the defaults that a connector meets first:
//!
//! | switch | default |
//! | --- | --- |
//! | [`Switches::time_form`] | customers, users, teams, tags without a zone, everything else with `+00:00` |
//! | [`Switches::subseconds_kept`] | off: times sent are cut to whole seconds |
//! | [`Switches::customer_create_refuses`] | nothing: `note`, `meta`, `custom_fields`, `firstname`, `lastname` are taken on creation |
//! | [`Switches::email_filter_any_channel`] | off: `GET customers?email=` looks at the main address only |
//! | [`Switches::customer_deletion`] | the customer's tickets are deleted too |
//! | [`Switches::unknown_field_value`] | a value for a field that does not exist is dropped in silence |
//! | [`Switches::dropdown_enforced`] | on: a value that is no choice is a 400 |
//! | [`Switches::unknown_tag`] | made |
//! | [`Switches::job_deletion`] | a job only puts tickets into the trash |
//! | [`Switches::list_lag`], [`Switches::search_lag`] | none; one minute |
//! | [`Switches::upload_max_bytes`] | 25 MiB a file |
//!
//! Not here: how an OAuth app gets its token, making rules, macros, views and integrations, jobs of other kinds, phone and chat
//! widgets, help center, statistics, billing.

mod account;
mod answer;
mod auth;
mod call;
mod customers;
mod fields;
mod files;
mod foreign;
mod jobs;
mod messages;
pub mod model;
mod read;
mod rules;
mod search;
mod seed;
mod snapshot;
mod state;
mod surveys;
mod switches;
mod tags;
mod teams;
mod tickets;
mod users;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, State as Shared};
use axum::http::{Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use foreign::ForeignError;
pub use snapshot::Snapshot;
pub use switches::{
    Config, CustomerDeletion, JobDeletion, Preexisting, RateForm, Services, Switches, TimeForm,
    UnknownFieldValue, UnknownTag,
};

use answer::{Answer, Failure, Outcome};
use auth::Kind;
use call::{Actor, Call, Part, Request};
use model::{Id, Moment};
use state::State;

use crate::common::{Account, Harness, Held, Taken, base_url};

/// Largest body that is read but for uploads.
const BODY_BYTES: usize = 64 * 1024 * 1024;
/// Largest form with files that is read.
const FORM_BYTES: usize = 512 * 1024 * 1024;

/// A Gorgias account; clones share it.
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
        // §2: per account and kind of authentication.
        let window_ms = if config.enterprise { 10_000 } else { 20_000 };
        for (kind, calls) in [(Kind::ApiKey, 40), (Kind::Oauth, 80)] {
            match config.switches.rate_form {
                RateForm::Leaky => harness.limits.bucket(kind.name(), calls, window_ms),
                RateForm::Window => harness.limits.rule(kind.name(), calls, window_ms),
            }
        }
        harness.limits.set_off(!config.rate_limits);
        let mut state = State::new(config, harness.outbox.clone(), harness.automations.clone());
        seed::fill(&mut state);
        let held = Held::new(&harness, state);
        // A form with files is longer than the framework takes unless it is told to; `FORM_BYTES` bounds it.
        let routes = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::max(FORM_BYTES))
            .with_state(held.clone());
        let account = Account::new(&harness, routes);
        Self { account, held }
    }

    /// The content, for comparing field by field. Lets time pass up to the clock first.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.held.lock())
    }

    /// The content as canonical JSON without anything that differs between two runs that did the same: ids are replaced by
    /// external ids or names, times nobody gave are left out. Trashed tickets and archived fields are under `deleted`; uploads,
    /// events and jobs are left out.
    pub fn state_fingerprint(&self) -> Value {
        snapshot::fingerprint(&self.held.lock())
    }

    /// Changes the open questions of a running account.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.held.lock().config.switches);
    }

    /// Changes what acts on tickets besides rules, as an admin does before a migration.
    pub fn set_services(&self, services: Services) {
        self.held.lock().config.preexisting.services = services;
    }

    /// Switches a rule on or off by its name; whether there is one.
    pub fn set_rule_active(&self, name: &str, active: bool) -> bool {
        let mut state = self.held.lock();
        let now = state.now;
        let mut found = false;
        for rule in state.rules.values_mut().filter(|rule| rule.name == name) {
            rule.deactivated_at = (!active).then_some(now);
            found = true;
        }
        found
    }

    /// Somebody makes a new API key; the old one opens nothing any more.
    pub fn set_api_key(&self, key: &str) {
        key.clone_into(&mut self.held.lock().config.api_key);
    }

    /// All bearer tokens end.
    pub fn end_oauth_tokens(&self) {
        self.held.lock().credentials.end_tokens();
    }

    /// Address of the user the API key is meant for.
    pub fn admin_email(&self) -> String {
        let state = self.held.lock();
        let user = state.users.get(&state.credentials.key_user);
        user.map(|user| user.email.clone()).unwrap_or_default()
    }

    /// The API key, which goes with [`Simulator::admin_email`].
    pub fn admin_token(&self) -> String {
        self.held.lock().config.api_key.clone()
    }

    /// The value of `Authorization` for the API key (§1).
    pub fn basic_authorization(&self) -> String {
        let text = format!("{}:{}", self.admin_email(), self.admin_token());
        format!("Basic {}", STANDARD.encode(text))
    }

    /// A bearer token of an OAuth app for the migration's user, with scopes such as `tickets:write` (§1).
    pub fn oauth_token(&self, scopes: &[&str]) -> String {
        let mut state = self.held.lock();
        let user = state.credentials.key_user;
        auth::mint(&mut state, user, scopes)
    }

    /// The same for any user.
    pub fn oauth_token_for(&self, user: Id, scopes: &[&str]) -> String {
        auth::mint(&mut self.held.lock(), user, scopes)
    }
}

fn error_body(status: StatusCode, message: &str) -> Value {
    let message = match status.as_u16() {
        429 => "Too many requests",
        503 => "An external service had an issue.",
        _ => message,
    };
    json!({"error": {"msg": message}})
}

/// Every request: read it, then answer it while holding the account.
async fn handle(
    Shared(service): Shared<Held<State>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let path = segments(request.uri().path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let keep = service.as_it_was().config.keep_files;
    match read_request(request, keep).await {
        Ok(request) => answer(&service, &request, &path).into_response(answer::JSON),
        Err(failure) => failure.answer().into_response(answer::JSON),
    }
}

/// The parts of a path, decoded; a slash at the end makes no difference (§1).
fn segments(path: &str) -> Vec<String> {
    let decode = |part: &str| -> String {
        let pair = format!("p={}", part.replace('+', "%2B").replace('&', "%26"));
        let mut decoded = url::form_urlencoded::parse(pair.as_bytes());
        let first = decoded.next();
        first
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    path.trim_matches('/').split('/').map(decode).collect()
}

async fn read_request(
    request: axum::extract::Request,
    keep_files: bool,
) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let unreadable = |text: String| Failure::Other {
        status: 400,
        msg: text,
    };
    let kind = parts.headers.get("content-type");
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let uri = parts.uri.path_and_query();
    let query = parts.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut read = Request {
        method: parts.method.as_str().to_owned(),
        uri: uri.map(|uri| uri.as_str().to_owned()).unwrap_or_default(),
        query: pairs
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect(),
        headers: parts.headers.clone(),
        json: Value::Null,
        files: Vec::new(),
    };
    if kind.starts_with("multipart/form-data") {
        let whole = axum::extract::Request::from_parts(parts, body);
        let form = Multipart::from_request(whole, &()).await;
        let mut form = form.map_err(|error| unreadable(error.to_string()))?;
        while let Some(part) = form
            .next_field()
            .await
            .map_err(|error| unreadable(error.to_string()))?
        {
            let part = read_part(part, keep_files).await;
            read.files.push(
                part.ok_or_else(|| unreadable("A part of the form cannot be read.".to_owned()))?,
            );
        }
        return Ok(read);
    }
    let bytes = axum::body::to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| Failure::TooLarge)?;
    if bytes.is_empty() {
        return Ok(read);
    }
    if !kind.starts_with("application/json") {
        return Err(unreadable(
            "The content type must be application/json.".to_owned(),
        ));
    }
    let json = serde_json::from_slice(&bytes);
    read.json = json.map_err(|error| unreadable(format!("Invalid JSON: {error}")))?;
    Ok(read)
}

/// A file of a form, read as a stream.
async fn read_part(mut part: axum::extract::multipart::Field<'_>, keep: bool) -> Option<Part> {
    let name = part.name()?.to_owned();
    let content_type = part
        .content_type()
        .unwrap_or("application/octet-stream")
        .to_owned();
    let (mut digest, mut size, mut kept) = (Sha256::new(), 0_u64, BytesMut::new());
    while let Some(chunk) = part.chunk().await.ok()? {
        size += chunk.len() as u64;
        digest.update(&chunk);
        if keep {
            kept.extend_from_slice(&chunk);
        }
    }
    Some(Part {
        name,
        content_type,
        size,
        sha256: hex::encode(digest.finalize()),
        content: keep.then(|| kept.freeze()),
    })
}

/// Answers a request of its topic, given the path after `/api`; `None` for a path of another topic.
type Topic = fn(&mut Call<'_>, &[&str]) -> Option<Outcome>;

/// The topics, asked in turn.
const TOPICS: [Topic; 12] = [
    messages::route,
    tickets::route,
    customers::route,
    users::route,
    teams::route,
    tags::route,
    fields::route,
    surveys::route,
    files::route,
    jobs::route,
    search::route,
    rules::route,
];

fn answer(service: &Held<State>, request: &Request, path: &[&str]) -> Answer {
    let mut state = service.lock();
    let base = base(&state, request);
    let path = match path {
        ["attachments", hash, name] => {
            return files::public(&state, hash, name).unwrap_or_else(|failure| failure.answer());
        }
        ["api", rest @ ..] => rest,
        _ => return Failure::NotFound.answer(),
    };
    let taken = service.harness.limits.take(Kind::of(request).name(), "", 1);
    let outcome = admit(&state, request, path, taken);
    let outcome = outcome.and_then(|actor| {
        let mut call = Call {
            state: &mut state,
            request,
            actor,
            base,
        };
        route(&mut call, path)
    });
    let answer = outcome.unwrap_or_else(|failure| failure.answer());
    // What rules do at once is done when the next request comes, but not in this answer.
    state.settle();
    let used = taken.limit.saturating_sub(taken.remaining);
    answer.with(
        "x-gorgias-account-api-call-limit",
        format!("{used}/{}", taken.limit),
    )
}

/// Who calls, if the limit, the credentials, the role and the scopes let them.
fn admit(state: &State, request: &Request, path: &[&str], taken: Taken) -> Result<Actor, Failure> {
    if !taken.allowed {
        let seconds = taken.retry_after_s(millis(state.now)).max(1);
        return Err(Failure::RateLimited {
            retry_after: seconds,
        });
    }
    let actor = auth::authenticate(state, request)?;
    auth::check(&actor, &request.method, path)?;
    Ok(actor)
}

fn millis(now: Moment) -> i64 {
    now.timestamp_millis()
}

fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    for topic in TOPICS {
        if let Some(outcome) = topic(call, path) {
            return outcome;
        }
    }
    account::route(call, path).unwrap_or(Err(Failure::NotFound))
}

/// The base of links: as configured, else as the client addressed us.
fn base(state: &State, request: &Request) -> String {
    let usual = format!("https://{}.gorgias.com", state.config.domain);
    let configured = state.config.public_url.as_deref();
    base_url(configured, request.header("host"), ".gorgias.com", &usual)
}
