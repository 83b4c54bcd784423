//! A simulated Zoho Desk portal: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("Zoho Desk facts" in the comments, with its section), strict where the vendor
//! is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's clock: tokens
//! end, imports run, the search index catches up, the recycle bin empties only as it moves.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | content, indexes, the queue of what is due |
//! | `answer`, `read`, `call`, `routes` | shapes of answers, strict reading of bodies, one request, paging, the table of routes |
//! | `auth` | the token endpoint, who calls and what scopes and profile open |
//! | `schema`, `fields`, `modules` | standard fields and their limits; custom fields, layouts, statuses; custom modules |
//! | `records` | what accounts, contacts, tickets, activities and custom records have in common |
//! | `contacts`, `tickets`, `comments`, `threads`, `tags`, `files` | the records a migration makes, and what hangs on them |
//! | `agents`, `departments` | agents; departments, teams, channels |
//! | `imports` | the import API: queue, external ids, mappings, error log |
//! | `search`, `bin` | finding; the recycle bin |
//! | `rules` | mails and rules that fire unless they are prevented |
//! | `seed`, `foreign`, `snapshot` | what was there before, what others do, looking at it all |
//!
//! # Calling it
//!
//! `https://desk.zoho.com/api/v1/…` with `Authorization: Zoho-oauthtoken {token}` (never `Bearer`) and `orgId: {number}`, which may
//! be a query parameter instead (§1); only `organizations` and `accessibleOrganizations` go without it. The accounts server is the
//! same address: `POST /oauth/v2/token`. [`Simulator::admin_token`] is a live access token of an administrator with every scope,
//! [`Simulator::refresh_token`] gives new ones, [`Config::client`] is the OAuth client, [`Simulator::org_id`] the portal.
//!
//! Ids are decimal strings of 18 digits, beyond what a double holds (§1); a request may write them as strings or as whole numbers.
//! Times are `2026-11-23T09:00:00.000Z`; another offset is refused (§1). Every answer has `X-Rate-Limit-Request-Weight-v3` and
//! `X-Rate-Limit-Remaining-v3`; a 429 has `Retry-After` in seconds: `THRESHOLD_EXCEEDED` when the day's credits are gone,
//! `TOO_MANY_REQUESTS` when too many calls are under way (§3). Errors are `{"errorCode","message"}`, with `errors` of
//! `{"fieldName": JSON pointer,"errorType","errorMessage"}` for `INVALID_DATA` (§5). An unknown key or query parameter is a 422
//! `UNPROCESSABLE_ENTITY`; an unknown record a 404 `URL_NOT_FOUND`; an empty body a 422 `EMPTY_PAYLOAD`.
//!
//! # Routes
//!
//! *paged*: `{"data":[…]}` with `from` (0-based, [`Switches::from_one_based`]) and `limit`; **204 without a body when there is
//! nothing** (§4). *mass*: 200 with `{"results":[{"success","id","errors"}]}` even when items failed (§5). *empty*: no body.
//!
//! | method and path under `/api/v1` | what it does | section |
//! | --- | --- | --- |
//! | `POST /oauth/v2/token` (not under `/api/v1`) | `refresh_token`, `authorization_code`, `client_credentials`; in query or form; **errors are 200** | §2 |
//! | `POST /oauth/v2/token/revoke` (not under `/api/v1`) | ends a refresh token with its access tokens | §2 |
//! | `GET organizations`, `organizations/{id}`, `accessibleOrganizations` | the portal | §1 |
//! | `GET myinfo` | the agent of the token | §7.3 |
//! | `GET tickets` | paged; `departmentId`, `status`, `assignee`, `channel`, `sortBy`, `include` | §7.5 |
//! | `POST tickets` | a ticket, made now by the caller; `description` becomes its first thread | §7.5 |
//! | `GET`, `PATCH tickets/{id}` | `PATCH` is partial; a trashed one is shown with `isTrashed`, and not changed | §7.5, §12 |
//! | `GET contacts/{id}/tickets`, `accounts/{id}/tickets`, `accounts/{id}/contacts` | paged; `sortBy=-createdTime`; no lag | §12 |
//! | `POST tickets/moveToTrash` `{"ticketIds"}`, `contacts/moveToTrash` `{"contactIds"}`, `accounts/moveToTrash` `{"accountIds"}` | 204 *empty*, at most [`Switches::trash_max_ids`] | §1, §12 |
//! | `POST tickets/markSpam`, `tickets/deleteSpam`, `tickets/emptySpam`, `closeTickets` | mass; the second cannot be undone, the third is a 202 *empty* | §7.5 |
//! | `POST tickets/updateMany` `{"ids","fieldName","fieldValue","isCustomField"}` | 204 *empty* | §7.5 |
//! | `POST tickets/{id}/move?departmentId=`, `tickets/{id}/markAsRead`, `tickets/{id}/merge` `{"ids","source"}` | 200 | §7.5 |
//! | `PATCH tickets/{id}/resolution` `{"content","isNotifyContact"}` | 200 | §7.5 |
//! | `GET tickets/archivedTickets?departmentId=` | paged | §4 |
//! | `GET tickets/{id}/comments` | paged, 50 at first; `sortBy`, `include` | §7.6 |
//! | `POST tickets/{id}/comments` | 200; by the caller, now | §7.6 |
//! | `GET`, `PATCH`, `DELETE tickets/{id}/comments/{id}`, `GET …/history` | the deletion is 200 *empty* | §7.6 |
//! | `GET tickets/{id}/threads` | newest first unless `sortBy=sendDateTime`; content cut | §7.7 |
//! | `GET tickets/{id}/threads/{id}`, `…/fullContent`, `…/originalContent`, `tickets/{id}/latestThread` | one thread, whole | §7.7 |
//! | `GET tickets/{id}/conversations` | paged up to 200; threads and comments, newest first, told apart by `type` | §7.7 |
//! | `POST tickets/{id}/sendReply` | **sends a mail** | §7.7, §14 |
//! | `POST tickets/{id}/draftReply`, `PATCH`, `DELETE tickets/{id}/draftReply/{id}` | a draft | §7.7 |
//! | `POST tickets/{id}/associateTag`, `tickets/{id}/dissociateTag` `{"tags":[names]}` | unknown tags are made, in the ticket's department | §7.8 |
//! | `GET tickets/{id}/tags`, `ticketTags?departmentId=`, `tags/search?departmentId=&searchVal=`, `tags/{id}/tickets` | `{"data":[{"id","name"}]}` | §7.8 |
//! | `PATCH tags/{id}/replace` `{"id"}` | 204 *empty* | §7.8 |
//! | `POST tickets/{id}/attachments?isPublic=` | multipart, one part `file` | §7.8 |
//! | `GET tickets/{id}/attachments`, `PATCH`, `DELETE tickets/{id}/attachments/{id}`, `GET …/content` | the last is what `href` says | §7.8 |
//! | `POST uploads`, `GET uploads/{id}/contents` | a temporary file, to be used once in `uploads` or `attachmentIds` | §7.8 |
//! | `GET contacts`, `POST contacts`, `GET`, `PATCH contacts/{id}`, `GET contacts/contactsByIds?ids=` | | §7.1 |
//! | `GET contacts/{id}/accounts`, `POST contacts/{id}/associateAccounts`, `contacts/{id}/dissociateAccounts` | mass | §7.1 |
//! | `PATCH contacts/{id}/accounts/{id}/dissociate` | what becomes of the tickets is told by `option` | §7.1 |
//! | `POST contacts/markSpam`, `contacts/deleteSpam`, `contacts/{id}/merge`, `contacts/{id}/inviteAsEndUser` | the last one **mails** | §7.1 |
//! | `GET accounts`, `POST accounts`, `GET`, `PATCH accounts/{id}` | | §7.2 |
//! | `GET agents` | paged up to 200; `searchStr` with `fieldName`, `status`, `isConfirmed`, `isLightAgent`, `departmentIds` | §7.3 |
//! | `GET agents/{id}`, `agentsByIds?agentIds=`, `PATCH agents/{id}` | at most 50 ids | §7.3 |
//! | `POST agents`, `agents/{id}/deactivate`, `agents/activate`, `agents/deleteUnconfirmed` | the first one **mails** and takes a seat | §7.3 |
//! | `GET departments`, `POST departments`, `GET`, `PATCH departments/{id}`, `POST departments/checkExists` | nothing deletes one | §7.4 |
//! | `POST departments/{id}/enable`, `disable`, `associateAgents`, `dissociateAgents` | 200 *empty* | §7.4 |
//! | `GET teams`, `departments/{id}/teams` | `{"teams":[…]}`, also when empty | §7.4 |
//! | `POST teams`, `GET`, `PATCH teams/{id}`, `GET teams/{id}/members`, `POST teams/{id}/deleteTeam` | 204 *empty* for the last | §7.4 |
//! | `GET fields?module=`, `POST fields?module=`, `GET`, `PATCH`, `DELETE fields/{id}` | 201 for a new one; a deletion takes the values along | §8 |
//! | `GET organizationFields?module=`, `customFieldCount?module=` | the older lists | §8 |
//! | `GET layouts?module=&departmentId=`, `layouts/{id}`, `ticketStatuses?departmentId=` | allowed values are in the layout only | §7.8 |
//! | `GET organizationModules`, `POST organizationModules`, `GET`, `PUT organizationModules/{id}` | nothing deletes one | §9 |
//! | `GET cm_x`, `POST cm_x`, `GET`, `PATCH cm_x/{id}`, `POST cm_x/moveToTrash` `{"recordIds"}`, `GET cm_x/search` | records of a custom module; search by times only | §9 |
//! | `GET tasks`, `calls`, `events`, each `/{id}`, `/{id}/comments`, `POST …/moveToTrash` `{"taskIds"}`, `{"callIds"}`, `{"eventIds"}` | what an import made | §10 |
//! | `GET tickets/{id}/tasks`, `calls`, `events` | paged | §10 |
//! | `POST imports` | queued at once, worked off as time passes | §10 |
//! | `GET imports/{id}`, `importErrorLog/{id}` | `queued` or `completed` | §10 |
//! | `POST importMappings` `{"scopeId","module","externalIds"}` | `{"data":[{"externalId","entityId"}]}` | §10 |
//! | `GET tickets/search`, `contacts/search`, `accounts/search`, `tasks/search`, `calls/search`, `events/search` | paged, `from` up to 999; **lags** | §13 |
//! | `GET recycleBin`, `POST recycleBin/delete`, `restore` | mass | §12 |
//! | `POST recycleBin/deleteAll`, `restoreAll` | 202 *empty* | §12 |
//! | `GET channels` | | §7.7 |
//!
//! Any other method of a known path is a 405 `METHOD_NOT_ALLOWED` (so are `PUT` and `DELETE` of a record, §1), any other path a 404.
//!
//! # The import API (§10)
//!
//! A request is checked as a whole when it comes: shape, lengths, characters of external ids, every key of a row there (null
//! otherwise, [`Switches::import_all_keys`]); what is wrong is a 422 that points at `/data/tickets/0/…`. A good one is `queued`. Its
//! rows are worked off in the order accounts, contacts, tickets, threads, comments, activities, their comments: the first after
//! [`Switches::import_queue_time`], each further one [`Switches::import_row_time`] later, so that an import can be met half done.
//! It is `completed` when all rows are done and [`Switches::import_polls`] requests have been told `queued`;
//! [`Simulator::hurry_imports`] makes all of that quick. Rows fail alone: then `hasError` is true and `errorReportUrl` names the log.
//! Row errors: unknown parent, missing contact, unknown picklist value, unknown or unfit agent, duplicate e-mail, thread without
//! time or bare address, `closedTime` before `createdTime`, whatever stands in [`Switches`].
//!
//! # What happens unless it is prevented
//!
//! Requests always set these off; an import does only with `runAutomation: true`, which is what it means when it is left out
//! ([`Switches::import_runs_automation_by_default`]). [`Services`] says which of them the portal has; kinds are those of the outbox.
//!
//! | what | when | where it shows | section |
//! | --- | --- | --- | --- |
//! | acknowledgement to the contact | a ticket is made | outbox `acknowledgement` | §14 |
//! | notice to agents | a ticket is made or assigned | outbox `agent-notice` | §14 |
//! | mail about a public comment | a comment is public | outbox `comment` | §14 |
//! | closing mail and happiness survey | a ticket is closed | outbox `closed`, `happiness` | §14 |
//! | workflows, SLA, assignment rules, auto-tags | a ticket is made or changed | automation log `workflow`, `sla`, `assignment`, `auto-tag` | §14 |
//! | webhooks | a ticket is made or changed | outbox `webhook` | §14 |
//! | CRM sync | a contact or account is made or changed | outbox `crm` | §7.2 |
//! | a reply is sent | `sendReply`, `ticketCreationType: sendAsEmail` | outbox `reply` | §7.7 |
//! | a resolution is mailed | `isNotifyContact: true` | outbox `resolution` | §14 |
//! | a mention | `zsu[@user:…]zsu` in a comment, an imported one too | outbox `mention` | §7.6 |
//! | an agent or a customer is invited | `POST agents`, `inviteAsEndUser` | outbox `invitation` | §7.3 |
//! | a contact is made | inline `contact` with an unknown address | contacts, by-product | §7.1 |
//! | a tag is made | an unknown name on a ticket | tags | §7.8 |
//!
//! What other people do meanwhile is done by methods of [`Simulator`]: [`Simulator::edit_record`], [`Simulator::add_comment`],
//! [`Simulator::trash_record`], [`Simulator::receive_mail`], [`Simulator::take_calls`] (another integration uses up calls) and others.
//!
//! # Switches
//!
//! [`Switches`] documents each with its section; the defaults that a connector meets first:
//!
//! | switch | default |
//! | --- | --- |
//! | [`Switches::imports_refused`] | the import API is open |
//! | [`Switches::import_all_keys`] | on: a row without one of its keys is a 422 |
//! | [`Switches::import_max_rows`] | 100 rows an import |
//! | [`Switches::import_duplicate`] | an external id that is sent again makes a second entity |
//! | [`Switches::import_field_keys`] | `customFields` by display label; what is unknown is dropped in silence |
//! | [`Switches::import_tags`] | `tags` of a ticket row are dropped in silence |
//! | [`Switches::import_duplicate_email`], [`Switches::duplicate_email`] | a second contact of one e-mail address is refused |
//! | [`Switches::import_description_thread`] | a ticket row's `description` becomes its first thread |
//! | [`Switches::import_polls`], [`Switches::import_queue_time`], [`Switches::import_row_time`] | 1; 2 s; 20 ms |
//! | [`Switches::empty_mappings`] | no mapping: `{"data":[]}` |
//! | [`Switches::mappings_outlive`] | off: a permanent deletion takes the mapping along |
//! | [`Switches::search_lag`] | two minutes |
//! | [`Switches::omitted_is_public`] | a comment without `isPublic` is public |
//! | [`Switches::html_comments_kept`] | off: `<!-- -->` is taken out of comments and threads |
//! | [`Switches::subject_max`] | 255 |
//! | [`Switches::zip_digits_only`] | on |
//! | [`Switches::new_field_on_layouts`] | on: a new field is on every layout |
//! | [`Switches::trash_takes_children`] | on: the tickets of a trashed contact or account go with it |
//! | [`Switches::attachment_max_bytes`] | 20 MiB |
//!
//! # Looking at it
//!
//! [`Simulator::snapshot`] is the content, typed: [`Snapshot`] has `records` of every module ([`model::Record`]: standard fields in
//! `values` by their API name, custom ones in `cf`), `threads`, `comments`, `attachments`, `tags`, `agents`, `departments`, `teams`,
//! `fields`, `modules`, `imports`. [`Simulator::state_fingerprint`] is canonical JSON for comparing two runs: records by module,
//! each called by its external id, custom `Kustomer Id`-like value, address or name, with its threads, comments, tags and files;
//! what is in the recycle bin is under `deleted`. [`Simulator::conversations`] counts the live tickets that were not there before.
//!
//! Not here: channel integrations and marketplace extensions (route C), the zip import, products, contracts, knowledge base, time
//! entries, views, blueprints, chat, making rules.

mod agents;
mod answer;
mod auth;
mod bin;
mod call;
mod comments;
mod contacts;
mod departments;
mod fields;
mod files;
mod foreign;
mod imports;
pub mod model;
mod modules;
mod read;
mod records;
mod routes;
mod rules;
mod schema;
mod search;
mod seed;
mod snapshot;
mod state;
mod switches;
mod tags;
mod threads;
mod tickets;

#[cfg(test)]
mod tests;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, State as Shared};
use axum::http::{Response, StatusCode};
use chrono::Duration;
use serde_json::{Value, json};

pub use foreign::ForeignError;
pub use snapshot::Snapshot;
pub use switches::{
    Config, DuplicateEmail, Edition, EmptyMappings, ErrorLog, FieldKeys, FieldNames,
    ImportDuplicate, ImportTags, MassFailure, OauthClient, Preexisting, Services, StatusType,
    Switches,
};

use answer::{Answer, Failure, Outcome};
use call::{Call, Part, Request};
use model::{Module, Origin};
use routes::{Route, Weight};
use state::State;

use crate::common::{Account, Harness, Held, RateLimits, base_url, read_stream};

/// Largest body that is read but for files.
const BODY_BYTES: usize = 256 * 1024 * 1024;
/// Largest form with files that is read.
const FORM_BYTES: usize = 512 * 1024 * 1024;
/// Name of the limit of credits (§3).
const CREDITS: &str = "credits";
const DAY_MS: i64 = 86_400_000;

/// Calls that are under way (§3).
#[derive(Debug, Default)]
struct Slots {
    /// Those of this service.
    used: AtomicUsize,
    /// Those of somebody else.
    taken: AtomicUsize,
}

/// What a handler needs.
#[derive(Clone)]
struct Service {
    held: Held<State>,
    slots: Arc<Slots>,
}

/// A Zoho Desk portal; clones share it.
#[derive(Clone)]
pub struct Simulator {
    account: Account,
    held: Held<State>,
    slots: Arc<Slots>,
}

impl Deref for Simulator {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
    }
}

impl Simulator {
    /// A new portal.
    pub fn new(config: Config) -> Self {
        let harness = Harness::new(config.clock.clone(), error_body);
        let limits = &harness.limits;
        limits.set_off(!config.rate_limits);
        // §2: the eleventh in ten minutes is refused until they are over.
        limits.rule(auth::TOKENS, 10, 600_000);
        let mut state = State::new(config, harness.outbox.clone(), harness.automations.clone());
        seed::fill(&mut state);
        limits.rule(CREDITS, credits(&state), DAY_MS);
        let held = Held::new(&harness, state);
        let service = Service {
            held: held.clone(),
            slots: Arc::default(),
        };
        let slots = Arc::clone(&service.slots);
        // A form with files is longer than the framework takes unless it is told to; `FORM_BYTES` bounds it.
        let routes = Router::new()
            .fallback(handle)
            .layer(DefaultBodyLimit::max(FORM_BYTES))
            .with_state(service);
        let account = Account::new(&harness, routes);
        Self {
            account,
            held,
            slots,
        }
    }

    /// The content, for comparing field by field. Lets time pass up to the clock first.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.held.lock())
    }

    /// The content as canonical JSON without anything that differs between two runs that did the same; see [`Snapshot`]'s file.
    pub fn state_fingerprint(&self) -> Value {
        snapshot::fingerprint(&self.held.lock())
    }

    /// How many live tickets there are that were not there before and that nobody else made.
    pub fn conversations(&self) -> u64 {
        let state = self.held.lock();
        let tickets = state.records.values().filter(|record| {
            record.module == Module::Tickets
                && record.is_live()
                && !matches!(record.origin, Origin::Before | Origin::Foreign)
        });
        tickets.count() as u64
    }

    /// Changes the open questions of a running portal.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.held.lock().config.switches);
    }

    /// Makes imports quick enough to watch: a millisecond a row, completed when asked for the first time after the last row.
    pub fn hurry_imports(&self) {
        self.set_switches(|switches| {
            switches.import_queue_time = Duration::milliseconds(1);
            switches.import_row_time = Duration::milliseconds(1);
            switches.import_polls = 0;
        });
    }

    /// Changes what fires on records, as an administrator does before a migration (§14).
    pub fn set_services(&self, services: Services) {
        self.held.lock().config.preexisting.services = services;
    }

    /// Another integration uses up so many credits of every day (§3).
    pub fn take_credits(&self, credits: u64) {
        self.harness().limits.burden(CREDITS, credits);
    }

    /// Another integration has so many calls under way from now on (§3).
    pub fn take_calls(&self, calls: usize) {
        self.slots.taken.store(calls, Ordering::SeqCst);
    }

    /// All access tokens end.
    pub fn end_access_tokens(&self) {
        self.held.lock().credentials.end_access();
    }

    /// Number of the portal, which goes with every call.
    pub fn org_id(&self) -> String {
        self.held.lock().config.org_id.to_string()
    }

    /// Number of the default department.
    pub fn default_department(&self) -> String {
        self.held.lock().default_department().to_string()
    }

    /// A live access token of the migration's administrator with every scope.
    pub fn admin_token(&self) -> String {
        self.token(auth::SCOPES)
    }

    /// The same with other scopes, such as `Desk.tickets.READ` (§2).
    pub fn token(&self, scopes: &[&str]) -> String {
        let mut state = self.held.lock();
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (owner, life) = (state.credentials.owner, state.config.switches.token_life);
        auth::mint(&mut state, owner, &scopes, "", life)
    }

    /// The refresh token that is there from the start; it goes with [`Config::client`].
    pub fn refresh_token(&self) -> String {
        self.held.lock().config.client.refresh_token.clone()
    }

    /// The OAuth client.
    pub fn client(&self) -> OauthClient {
        self.held.lock().config.client.clone()
    }
}

/// Credits of a day: base, per agent but light ones, purchased (§3).
fn credits(state: &State) -> u64 {
    let config = &state.config;
    let agents = state.agents.values();
    let agents = agents.filter(|agent| agent.active && agent.role != "Light");
    let (base, each) = match config.edition {
        _ if config.trial => (5_000, 0),
        Edition::Free => (5_000, 0),
        Edition::Express => (25_000, 100),
        Edition::Standard => (50_000, 250),
        Edition::Professional => (75_000, 500),
        Edition::Enterprise => (100_000, 1_000),
    };
    base + each * agents.count() as u64 + config.purchased_credits
}

/// Calls at once (§3).
fn concurrency(config: &Config) -> usize {
    match config.edition {
        _ if config.trial => 5,
        Edition::Free => 5,
        Edition::Express | Edition::Standard => 10,
        Edition::Professional => 15,
        Edition::Enterprise => 25,
    }
}

fn error_body(status: StatusCode, message: &str) -> Value {
    let code = match status.as_u16() {
        400 => "BAD_REQUEST",
        401 => "INVALID_OAUTH",
        403 => "FORBIDDEN",
        404 => "URL_NOT_FOUND",
        413 => "RESOURCE_SIZE_EXCEEDED",
        422 => "UNPROCESSABLE_ENTITY",
        429 => "TOO_MANY_REQUESTS",
        _ => "INTERNAL_SERVER_ERROR",
    };
    json!({"errorCode": code, "message": message})
}

/// One call that is under way.
struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Every request: read it, then answer it while holding the portal.
async fn handle(
    Shared(service): Shared<Service>,
    request: axum::extract::Request,
) -> Response<Body> {
    let used = service.slots.used.fetch_add(1, Ordering::SeqCst) + 1;
    let _slot = Slot(&service.slots);
    let path = request.uri().path().trim_matches('/').to_owned();
    let path: Vec<&str> = path.split('/').collect();
    let (keep, most, messages) = {
        let state = service.held.as_it_was();
        let config = &state.config;
        (
            config.keep_files,
            concurrency(config),
            config.switches.error_messages,
        )
    };
    let taken = service.slots.taken.load(Ordering::SeqCst);
    let crowded = used + taken > most && !service.held.harness.limits.is_off();
    match read_request(request, keep).await {
        Ok(request) => answer(&service, &request, &path, crowded).into_response(answer::JSON),
        Err(failure) => failure.answer(messages).into_response(answer::JSON),
    }
}

async fn read_request(
    request: axum::extract::Request,
    keep_files: bool,
) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get("content-type");
    let kind = kind
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut read = Request {
        method: parts.method.as_str().to_owned(),
        query: pairs.into_owned().collect(),
        headers: parts.headers.clone(),
        json: Value::Null,
        size: 0,
        form: Vec::new(),
        files: None,
    };
    if kind.starts_with("multipart/form-data") {
        let whole = axum::extract::Request::from_parts(parts, body);
        read.files = Some(read_form(whole, keep_files).await?);
        return Ok(read);
    }
    let bytes = axum::body::to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| files::too_large())?;
    read.size = bytes.len();
    if bytes.is_empty() {
        return Ok(read);
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        read.form = url::form_urlencoded::parse(&bytes).into_owned().collect();
        return Ok(read);
    }
    if !kind.starts_with("application/json") {
        return Err(Failure::new(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "The content type must be application/json.",
        ));
    }
    let json = serde_json::from_slice(&bytes);
    read.json = json.map_err(|error| unreadable(&error.to_string()))?;
    Ok(read)
}

fn unreadable(text: &str) -> Failure {
    Failure::new(
        400,
        "BAD_REQUEST",
        format!("The request cannot be read: {text}"),
    )
}

/// The parts of a form, files read as streams.
async fn read_form(request: axum::extract::Request, keep: bool) -> Result<Vec<Part>, Failure> {
    let form = Multipart::from_request(request, &()).await;
    let mut form = form.map_err(|error| unreadable(&error.to_string()))?;
    let mut parts = Vec::new();
    while let Some(part) = form
        .next_field()
        .await
        .map_err(|error| unreadable(&error.to_string()))?
    {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(str::to_owned);
        let content_type = part
            .content_type()
            .unwrap_or("application/octet-stream")
            .to_owned();
        let streamed = read_stream(part, keep.then_some(u64::MAX)).await;
        let streamed = streamed.ok_or_else(|| unreadable("a part of the form breaks off"))?;
        parts.push(Part {
            name,
            file_name,
            content_type,
            size: streamed.size,
            sha256: streamed.sha256,
            content: streamed.content,
        });
    }
    Ok(parts)
}

fn answer(service: &Service, request: &Request, path: &[&str], crowded: bool) -> Answer {
    let harness = &service.held.harness;
    let mut state = service.held.lock();
    let messages = state.config.switches.error_messages;
    let path = match (path, request.method.as_str()) {
        (["oauth", "v2", "token"], "POST") => {
            return auth::token(&mut state, request, &harness.limits);
        }
        (["oauth", "v2", "token", "revoke"], "POST") => return auth::revoke(&mut state, request),
        (["api", "v1", rest @ ..], _) => rest,
        _ => return Failure::not_found().answer(messages),
    };
    let base = format!("{}/api/v1", base(&state, request));
    let (outcome, weight, left) = call(&mut state, request, path, base, &harness.limits, crowded);
    let answer = outcome.unwrap_or_else(|failure| failure.answer(messages));
    answer
        .with("x-rate-limit-request-weight-v3", weight.to_string())
        .with("x-rate-limit-remaining-v3", left.to_string())
}

/// Answers a call; with it, what it cost and the credits that are left.
fn call(
    state: &mut State,
    request: &Request,
    path: &[&str],
    base: String,
    limits: &RateLimits,
    crowded: bool,
) -> (Outcome, u64, u64) {
    let refused = |failure: Failure| {
        let left = limits.take(CREDITS, "", 0).remaining;
        (Err(failure), 0, left)
    };
    if crowded {
        let wait = i64::try_from(state.config.switches.concurrency_retry_s);
        let failure = Failure::new(429, "TOO_MANY_REQUESTS", "Too many requests are under way.");
        return refused(Failure {
            retry_after: wait.ok(),
            ..failure
        });
    }
    // §1: only these work without the number of the portal.
    let organization = match path {
        ["organizations" | "accessibleOrganizations"] => Some(true),
        ["organizations", id] => Some(*id == state.config.org_id.to_string()),
        _ => None,
    };
    let (agent, scopes) = match auth::authenticate(state, request, organization.is_none()) {
        Ok(known) => known,
        Err(failure) => return refused(failure),
    };
    let found = match organization {
        Some(_) if request.method != "GET" => Err(Failure::method()),
        Some(_) => Ok(None),
        None => routes::find(&request.method, path).map(Some),
    };
    let found = match found {
        Ok(found) => found,
        Err(failure) => return refused(failure),
    };
    let weight = found
        .as_ref()
        .map_or(1, |(route, _)| cost(state, route, request));
    let taken = limits.take(CREDITS, "", weight);
    if !taken.allowed {
        let failure = Failure::new(
            429,
            "THRESHOLD_EXCEEDED",
            "The credits of the day are used up.",
        );
        let failure = Failure {
            retry_after: Some(taken.retry_after_s(state.now.timestamp_millis()).max(1)),
            ..failure
        };
        return (Err(failure), weight, taken.remaining);
    }
    let outcome = match found {
        None => organizations(state, path, organization == Some(true), &scopes),
        Some((route, places)) => run(state, request, route, (agent, &scopes), base, places),
    };
    (outcome, weight, taken.remaining)
}

fn organizations(state: &State, path: &[&str], known: bool, scopes: &[String]) -> Outcome {
    auth::check(scopes, &["basic", "settings"], "READ")?;
    if !known {
        return Err(Failure::not_found());
    }
    let own = auth::organization(state);
    match path {
        [_] => Answer::ok(json!({ "data": [own] })),
        _ => Answer::ok(own),
    }
}

fn run(
    state: &mut State,
    request: &Request,
    route: &Route,
    (agent, scopes): (model::Id, &[String]),
    base: String,
    places: Vec<String>,
) -> Outcome {
    auth::check(scopes, route.areas, route.operation())?;
    let admin = state
        .agents
        .get(&agent)
        .is_some_and(|agent| agent.role == "Admin");
    if route.admin && !admin {
        return Err(Failure::forbidden());
    }
    let mut call = Call {
        state,
        request,
        agent,
        base,
        places,
    };
    (route.run)(&mut call)
}

/// What a call costs (§3).
fn cost(state: &State, route: &Route, request: &Request) -> u64 {
    let many = |key: &str| {
        let list = request.json.get(key).and_then(Value::as_array);
        list.map_or(0, Vec::len) as u64
    };
    match route.weight {
        Weight::One => 1,
        Weight::Each(key) => (6 * many(key)).max(1),
        Weight::Half(key) => many(key).div_ceil(2).max(1),
        Weight::List => match request.param("from").and_then(|from| from.parse().ok()) {
            None | Some(0..=2_000_u64) => 3,
            Some(2_001..=10_000) => 10,
            Some(10_001..=100_000) => 50,
            Some(_) => 100,
        },
        Weight::Rows => {
            let data = request.json.get("data").and_then(Value::as_object);
            let rows = data.into_iter().flatten();
            let rows: usize = rows
                .filter_map(|(_, rows)| rows.as_array())
                .map(Vec::len)
                .sum();
            1 + rows as u64 * state.config.switches.import_row_credits
        }
    }
}

/// The base of links: as configured, else as the client addressed us.
fn base(state: &State, request: &Request) -> String {
    let configured = state.config.public_url.as_deref();
    base_url(
        configured,
        request.header("host"),
        ".zoho.com",
        "https://desk.zoho.com",
    )
}
