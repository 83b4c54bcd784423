//! A simulated Intercom workspace: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Intercom facts" in the comments, with its section), strict where the vendor
//! is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's clock:
//! windows end, indexes catch up, jobs run, companies are archived and links end only as it moves. Times of the API are whole
//! Unix seconds (§1).
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `read`, `call` | shapes of answers, strict reading of bodies, one request, paging |
//! | `auth` | who calls, scopes, versions, regions |
//! | `admins`, `contacts`, `companies`, `tags`, `notes` | people and what hangs on them |
//! | `attributes`, `values` | data attributes, conversation attributes, values of both |
//! | `objects` | instances of custom objects |
//! | `conversations`, `parts`, `files`, `html` | conversations, their parts, attachments, texts |
//! | `tickets`, `ticket_types` | tickets, their types, the job that makes one |
//! | `search` | the three searches |
//! | `rules` | workflows, webhooks and whatever else of the workspace acts on its own |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! # Calling it
//!
//! `https://api.intercom.io`, `https://api.eu.intercom.io` or `https://api.au.intercom.io` ([`Config::region`]), with
//! `Authorization: Bearer` [`Simulator::admin_token`] and `Intercom-Version: 2.16` (§1). Without the version header the version of
//! the app counts ([`Config::app_version`]). A body is JSON; nearly every success is 200, creations too (§3). Errors are
//! `{"type":"error.list","request_id":…,"errors":[{"code","message","field"}]}` (§3).
//!
//! Every answer to known credentials has `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, a Unix second;
//! windows are 10 seconds of the wall clock, and a 429 has no `Retry-After` (§2). [`Config::path_limits`] adds limits of single
//! paths.
//!
//! Ids: contacts and companies 24 hexadecimal digits, everything else a decimal in a string, attributes a number (§1).
//!
//! # Routes
//!
//! *cursor*: `per_page` and `starting_after`, `pages.next.starting_after` (§4). *paged*: `page` and `per_page`, `pages.next` an
//! address or null (§4). *search*: `query`, `pagination`, `sort` in the body (§4).
//!
//! | method and path | what it does | section |
//! | --- | --- | --- |
//! | `GET /me` | the admin of the token, with the workspace under `app`: `id_code`, `region`, `timezone` | §1 |
//! | `GET /admins`, `GET /admins/{id}`, `GET /teams`, `GET /teams/{id}` | not paged; nothing makes one | §7 |
//! | `GET /contacts` | cursor, 50, at most 150; archived ones are left out | §4 |
//! | `POST /contacts` | 409 for a user with the same e-mail or external id; leads are never compared | §6 |
//! | `GET /contacts/{id}`, `GET /contacts/find_by_external_id/{external_id}` | 410 with `Link` when merged; the second finds users only | §6 |
//! | `PUT /contacts/{id}` | partial; custom attributes must exist, relationship attributes replace | §6 |
//! | `DELETE /contacts/{id}` | for good, with the conversations | §6 |
//! | `POST /contacts/{id}/archive`, `/unarchive`, `/block` | hidden, back, blocked | §6 |
//! | `POST /contacts/merge` | `from` a lead `into` a user, irreversible | §6 |
//! | `POST /contacts/search` | search; lags; dates are days of the workspace's timezone | §4 |
//! | `GET`, `POST /contacts/{id}/companies`, `DELETE /contacts/{id}/companies/{company}` | by Intercom's own id; at most 1,000 | §6 |
//! | `GET`, `POST /contacts/{id}/notes`, `GET /notes/{id}` | no time can be given, nothing deletes one; paged | §9 |
//! | `GET`, `POST /contacts/{id}/tags`, `DELETE /contacts/{id}/tags/{tag}` | by the tag's id | §9 |
//! | `GET /contacts/{id}/segments`, `GET`, `POST /contacts/{id}/subscriptions` | what is there; always empty but for the segments | §6 |
//! | `POST /companies` | makes or changes by `company_id`, both 200; an unknown key is a 400 | §7 |
//! | `GET /companies?company_id=`, `?name=` | one company, or a list with one ([`Switches::company_lookup_listed`]) | §7 |
//! | `GET /companies?tag_id=`, `?segment_id=`, no filter | paged, without those nobody belongs to | §7 |
//! | `GET`, `PUT`, `DELETE /companies/{id}` | the deletion archives, some time later | §7 |
//! | `GET /companies/{id}/contacts`, `GET`, `POST /companies/{id}/notes`, `GET /companies/{id}/segments` | paged | §7 |
//! | `POST /companies/list`, `GET /companies/scroll` | paged, at most 10,000; one scroll at a time, open for a minute | §2, §4 |
//! | `GET /data_attributes?model=&include_archived=`, `POST`, `PUT /data_attributes/{id}` | names unique over both models, 250, archived not deleted | §9 |
//! | `GET`, `POST /conversations/attributes`, `GET`, `PUT`, `DELETE /conversations/attributes/{id}` | since 2.16; the deletion archives | §9 |
//! | `POST /conversations/attributes/{id}/options`, `PUT`, `DELETE …/options/{option}` | of a list | §9 |
//! | `GET /tags`, `POST /tags`, `GET`, `DELETE /tags/{id}` | the same name in any case is the same tag; refused when a segment uses it | §9 |
//! | `POST`, `GET`, `DELETE /custom_object_instances/{type}?external_id=` | upsert; 404 for a type that nobody made in the settings | §9 |
//! | `GET`, `DELETE /custom_object_instances/{type}/{id}` | by id or external id | §9 |
//! | `GET /conversations` | cursor, 20, at most 150 | §4 |
//! | `POST /conversations` | by a contact, plain text; answers a message with `conversation_id` | §8.1 |
//! | `GET /conversations/{id}` | with the 500 newest parts | §8.2 |
//! | `PUT /conversations/{id}` | `read`, `title`, `company_id`, `custom_attributes` | §8.3 |
//! | `DELETE /conversations/{id}?retain_metrics=` | for good; `false` needs the scope `delete_conversations_and_metrics` | §8.5 |
//! | `GET /conversations/deleted` | paged, at most 60 | §8.5 |
//! | `POST /conversations/search` | search; no custom attributes | §4 |
//! | `POST /conversations/{id}/reply` | contact or admin, comment or note; the whole conversation comes back; `last` is the contact's last one | §8.2 |
//! | `POST /conversations/{id}/parts` | close, snooze, open, assign; no time can be given | §8.3 |
//! | `POST /conversations/{id}/customers`, `DELETE …/customers/{contact}` | an unknown e-mail makes a lead; the last one is a 422 | §8.3 |
//! | `POST /conversations/{id}/tags`, `DELETE …/tags/{tag}` | with `admin_id` | §9 |
//! | `POST /conversations/redact`, `POST /conversations/{id}/convert` | blanks a part; makes a customer ticket of it | §8.3, §8.5 |
//! | `POST /tickets`, `GET`, `PUT`, `DELETE /tickets/{id}` | one contact; the attributes travel with the creation | §8.4 |
//! | `POST /tickets/{id}/reply` | answers the part | §8.4 |
//! | `POST /tickets/{id}/tags`, `DELETE …/tags/{tag}` | with `admin_id` | §9 |
//! | `POST /tickets/search` | search; `ticket_attribute.{id}` | §4 |
//! | `POST /tickets/enqueue`, `GET /jobs/status/{id}` | the same later | §8.4 |
//! | `GET`, `POST /ticket_types`, `GET`, `PUT /ticket_types/{id}` | archived, not deleted | §8.4 |
//! | `POST /ticket_types/{id}/attributes`, `PUT …/attributes/{attribute}` | | §8.4 |
//! | `GET /ticket_states`, `GET /segments`, `GET /subscription_types`, `GET /brands`, `GET /macros` | what else is there | §5, §8.4 |
//! | `POST /messages` | really mails | §11 |
//! | `GET /i/o/{file}/{name}` (no API: the host of downloads) | an attachment, by an address that ends | §8.2 |
//!
//! Any other path or method is a 404.
//!
//! # What happens unless it is prevented
//!
//! | what | when | where it shows | section |
//! | --- | --- | --- | --- |
//! | the contact is notified, by mail too | an admin's comment without `skip_notifications` | outbox `messenger`, `email` | §11 |
//! | the same | `body` of a close or an assignment; a ticket made, changed or answered without `skip_notifications` | outbox | §11 |
//! | a mail is sent | `POST /messages` | outbox `email` | §11 |
//! | a teammate is notified | assignment | outbox `teammate` | §11 |
//! | a webhook fires | contacts, companies, conversations and tickets are made or change | outbox `webhook` | §11 |
//! | workflows, Fin, assignment rules, an SLA | a contact writes | automation log; parts of a bot | §11 |
//! | a contact is made | a ticket or a conversation names an unknown e-mail | contacts, `by_product` | §8.3, §8.4 |
//! | a closed conversation opens | a contact's reply, an admin's too; the part is an `open`, not a `comment` | the conversation | §8.2 |
//!
//! What other people do meanwhile is done by methods of [`Simulator`]: [`Simulator::contact_writes`],
//! [`Simulator::edit_conversation`], [`Simulator::edit_contact`], [`Simulator::merge_contacts`] and others. What only the user
//! interface can make, types of custom objects and references, is made by [`Simulator::add_object_type`].
//!
//! # Switches
//!
//! [`Switches`] documents each with its section; the defaults that a connector meets first:
//!
//! | switch | default |
//! | --- | --- |
//! | [`Switches::search_lag`] | one minute, for all three searches |
//! | [`Switches::messaging_lag`] | none: a new contact can start a conversation at once |
//! | [`Switches::unknown_keys_refused`] | on: a 400 "bad 'x' parameter"; companies refuse either way |
//! | [`Switches::company_lookup_listed`] | off: `GET /companies?company_id=` answers the company itself |
//! | [`Switches::company_revived`] | on: `POST` with the `company_id` of an archived one brings it back |
//! | [`Switches::long_text`] | a text of more than 255 characters in a data attribute is refused |
//! | [`Switches::contact_reply_html`] | off: markup in a contact's reply is shown as text |
//! | [`Switches::admin_reply_reopens`] | on |
//! | [`Switches::same_state_refused`] | on: closing a closed conversation is a 400 |
//! | [`Switches::outsider_replies`] | a contact who takes no part in a conversation cannot reply to it |
//! | [`Switches::part_order`] | by `created_at`, then by id |
//! | [`Switches::write_limit`] | none: more than 500 parts can be written |
//! | [`Switches::automations_on_api`] | on: what the API makes sets off workflows and webhooks |
//!
//! Not here: articles, calls, visitors, events, exports, news, Fin's own API, bulk contacts and whatever else is in the version
//! `Preview` only.

mod admins;
mod answer;
mod attributes;
mod auth;
mod call;
mod companies;
mod contacts;
mod conversations;
mod files;
mod foreign;
mod html;
pub mod model;
mod notes;
mod objects;
mod parts;
mod read;
mod rules;
mod search;
mod seed;
mod snapshot;
mod state;
mod switches;
mod tags;
mod ticket_types;
mod tickets;
mod values;

#[cfg(test)]
mod tests;

use std::ops::Deref;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Shared;
use axum::http::{Response, StatusCode};
use chrono::Duration;
use serde_json::Value;

pub use foreign::ForeignError;
pub use snapshot::Snapshot;
pub use switches::{
    Config, ForeignAddresses, LineEnds, ListValue, LongText, OutsiderReplies, PartOrder, PathLimit,
    Preexisting, Services, Switches,
};

use answer::{Answer, Failure, Outcome};
use auth::Token;
use call::{Call, Request};
use model::Id;
use state::State;

use crate::common::{Account, Harness, Held, PathPattern, Taken, base_url};

/// Largest body that is read: ten files in base64.
const BODY_BYTES: usize = 512 * 1024 * 1024;
/// Windows of limits (§2).
const WINDOW_MS: i64 = 10_000;

/// An Intercom workspace; clones share it.
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
    /// A new workspace.
    pub fn new(config: Config) -> Self {
        let harness = Harness::new(config.clock.clone(), error_body);
        // §2: the quota of a minute is cut into windows of ten seconds of the wall clock.
        harness.limits.aligned("app", config.app_limit, WINDOW_MS);
        harness
            .limits
            .aligned("workspace", config.workspace_limit, WINDOW_MS);
        harness.limits.burden("workspace", config.others_calls);
        for (at, limit) in config.path_limits.iter().enumerate() {
            let window_ms = limit.window.num_milliseconds();
            harness
                .limits
                .aligned(&path_rule(at), limit.calls, window_ms);
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
    /// external ids or names, times nobody gave are left out. Archived records are under `archived`; deleted conversations,
    /// uploads and jobs are left out.
    pub fn state_fingerprint(&self) -> Value {
        snapshot::fingerprint(&self.held.lock())
    }

    /// Changes the open questions of a running workspace.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.held.lock().config.switches);
    }

    /// Changes a conversation as no request could, its parts too; whether it is there. For tests of what notices damage.
    pub fn damage_conversation(
        &self,
        id: model::Id,
        change: impl FnOnce(&mut model::Conversation),
    ) -> bool {
        let mut state = self.held.lock();
        let Some(conversation) = state.conversations.get_mut(&id) else {
            return false;
        };
        change(conversation);
        for part in &mut conversation.parts {
            part.shown = None;
        }
        true
    }

    /// Changes what acts on conversations, as an admin does before a migration.
    pub fn set_services(&self, services: Services) {
        self.held.lock().config.preexisting.services = services;
    }

    /// The subscription ends, or is active again (§3).
    pub fn set_subscription(&self, active: bool) {
        self.held.lock().config.subscription = active;
    }

    /// Limits the calls of a path besides the others from now on (§2 [?]).
    pub fn limit_path(&self, method: &str, path: &str, calls: u64, window: Duration) {
        let mut state = self.held.lock();
        let rule = path_rule(state.config.path_limits.len());
        self.harness()
            .limits
            .aligned(&rule, calls, window.num_milliseconds());
        state.config.path_limits.push(PathLimit {
            method: method.to_owned(),
            path: path.to_owned(),
            calls,
            window,
        });
    }

    /// The access token of the migration's private app, which opens all but erasing metrics.
    pub fn admin_token(&self) -> String {
        self.held.lock().config.token.clone()
    }

    /// The admin of that token.
    pub fn token_admin(&self) -> Id {
        self.held.lock().token_admin
    }

    /// A token of an OAuth app for the migration's admin, with scopes such as `write_conversations` (§1).
    pub fn oauth_token(&self, scopes: &[&str]) -> String {
        let mut state = self.held.lock();
        let token = state.token(40);
        let known = Token {
            admin_id: state.token_admin,
            scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
            revoked: false,
        };
        state.tokens.insert(token.clone(), known);
        token
    }

    /// All tokens end.
    pub fn revoke_tokens(&self) {
        for token in self.held.lock().tokens.values_mut() {
            token.revoked = true;
        }
    }
}

fn path_rule(at: usize) -> String {
    format!("path {at}")
}

fn error_body(status: StatusCode, message: &str) -> Value {
    let (code, message) = match status.as_u16() {
        408 => ("request_timeout", message),
        429 => (
            "rate_limit_exceeded",
            "Exceeded rate limit of 1666 in 10_seconds",
        ),
        503 => ("service_unavailable", message),
        500.. => ("server_error", message),
        _ => ("client_error", message),
    };
    answer::envelope(Value::Null, code, message, None)
}

/// Every request: read it, then answer it while holding the workspace.
async fn handle(
    Shared(service): Shared<Held<State>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let path = segments(request.uri().path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match read_request(request).await {
        Ok(request) => answer(&service, &request, &path).into_response(answer::JSON),
        Err(failure) => failure.answer(Value::Null).into_response(answer::JSON),
    }
}

/// The parts of a path, decoded.
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

async fn read_request(request: axum::extract::Request) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut read = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: pairs
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect(),
        headers: parts.headers.clone(),
        json: Value::Null,
    };
    let bytes = axum::body::to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| Failure::new(413, "client_error", "The request is too large"))?;
    if bytes.is_empty() {
        return Ok(read);
    }
    let kind = read.header("content-type").unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(Failure::new(
            415,
            "media_type_not_acceptable",
            "The Content-Type must be application/json",
        ));
    }
    read.json = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::new(400, "bad_request", format!("Invalid JSON: {error}")))?;
    Ok(read)
}

/// Answers a request of its topic; `None` for a path or method of another topic.
type Topic = fn(&mut Call<'_>, &str, &[&str]) -> Option<Outcome>;

/// The topics, asked in turn: those with words where others have ids come first.
const TOPICS: [Topic; 11] = [
    search::route,
    attributes::route,
    tags::route,
    notes::route,
    conversations::route,
    tickets::route,
    contacts::route,
    companies::route,
    objects::route,
    ticket_types::route,
    admins::route,
];

fn answer(service: &Held<State>, request: &Request, path: &[&str]) -> Answer {
    let mut state = service.lock();
    let request_id = match state.config.switches.request_id_null {
        true => Value::Null,
        false => Value::String(state.uuid()),
    };
    if let ("GET", ["i", "o", id, _]) = (request.method.as_str(), path) {
        let outcome = files::download(&state, request, id);
        return outcome.unwrap_or_else(|failure| failure.answer(request_id));
    }
    let base = base(&state, request);
    let actor = match auth::authenticate(&state, request) {
        Ok(actor) => actor,
        // §2: no headers of limits for those who are not known.
        Err(failure) => return failure.answer(request_id),
    };
    let (taken, window_ms) = take(&service.harness, &state, request);
    let outcome = within(taken, window_ms).and_then(|()| {
        auth::check(&state, &actor, request, path)?;
        let mut call = Call {
            state: &mut state,
            request,
            actor,
            base,
        };
        let answered = TOPICS
            .iter()
            .find_map(|topic| topic(&mut call, &request.method, path));
        answered.unwrap_or_else(|| Err(Failure::resource()))
    });
    let answer = outcome.unwrap_or_else(|failure| failure.answer(request_id));
    // What the workspace does on its own is done when the next request comes, but is not in this answer.
    state.settle();
    answer
        .with("x-ratelimit-limit", taken.limit.to_string())
        .with("x-ratelimit-remaining", taken.remaining.to_string())
        .with(
            "x-ratelimit-reset",
            taken.reset_ms.div_euclid(1_000).to_string(),
        )
}

/// Takes a call from every limit; the one that refuses counts, else the app's.
fn take(harness: &Harness, state: &State, request: &Request) -> (Taken, i64) {
    let app = harness.limits.take("app", "", 1);
    if !app.allowed {
        return (app, WINDOW_MS);
    }
    let workspace = harness.limits.take("workspace", "", 1);
    if !workspace.allowed {
        return (workspace, WINDOW_MS);
    }
    for (at, limit) in state.config.path_limits.iter().enumerate() {
        let of_method = limit.method == "*" || limit.method == request.method;
        if of_method && PathPattern::new(&limit.path).matches(&request.path) {
            let taken = harness.limits.take(&path_rule(at), "", 1);
            if !taken.allowed {
                return (taken, limit.window.num_milliseconds());
            }
        }
    }
    (app, WINDOW_MS)
}

fn within(taken: Taken, window_ms: i64) -> Result<(), Failure> {
    if taken.allowed {
        return Ok(());
    }
    let message = format!(
        "Exceeded rate limit of {} in {}_seconds",
        taken.limit,
        window_ms / 1_000
    );
    Err(Failure::new(429, "rate_limit_exceeded", message))
}

/// The base of links: as configured, else as the client addressed us.
fn base(state: &State, request: &Request) -> String {
    let usual = format!("https://{}", state.config.region.host());
    let configured = state.config.public_url.as_deref();
    base_url(configured, request.header("host"), "intercom.io", &usual)
}
