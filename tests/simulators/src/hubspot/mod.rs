//! A simulated HubSpot account with Service Hub: the destination of a migration.
//!
//! It behaves as the fact sheet says the vendor does ("HubSpot facts" in the comments, with its section), strict where the
//! vendor is strict and odd where it is odd. What could not be confirmed is a position of [`Switches`]. Time is the harness's
//! clock: search catches up, windows of limits open, signed addresses and tokens end only as it moves. No description of the
//! vendor's API is at hand to check it against: the collection that HubSpot publishes is not licensed for that.
//!
//! # Routes
//!
//! Every route is served under its old path and under the dated ones, from one implementation; `{d}` is `2026-03` or `2026-09`
//! (§1.2). `{t}` is an object's name (`contacts`, `tickets`, `p_order`, `p1234_order`) or its type id (`0-5`, `2-1000001`).
//!
//! | method | old path | dated path | what it does | § |
//! | --- | --- | --- | --- | --- |
//! | GET | `/account-info/v3/details` | `/account-info/{d}/details` | portal, type, time zone, data centre | 1.1 |
//! | GET | `/account-info/v3/api-usage/daily/private-apps` | `/account-info/{d}/api-usage/daily/private-apps` | calls of the day, when it ends | 1.1, 2 |
//! | POST | `/oauth/v1/token` | `/oauth/{d}/token` | access token for a refresh token; form body, no credential | 1.1 |
//! | POST | – | `/oauth/{d}/token/introspect`, `…/revoke` | what a token is; ends a refresh token | 1.1 |
//! | GET | `/crm/v3/owners`, `…/{id}` | `/crm/owners/{d}`, `…/{id}` | owners by e-mail, archived ones, one by `idProperty` | 15 |
//! | GET, POST | `/settings/v3/users` | – | users; POST invites one by mail | 4 |
//! | GET | `/settings/v3/users/teams` | – | teams | 4 |
//! | GET | `/crm/v3/limits/records` | `/crm/limits/{d}/records` | records an object type may have, and has | 5 |
//! | GET | `/crm/v3/limits/custom-properties` | `/crm/limits/{d}/custom-properties` | custom properties likewise | 5 |
//! | GET | `/crm/v3/limits/custom-object-types` | `/crm/limits/{d}/custom-object-types` | custom objects likewise | 5 |
//! | GET | `/crm/v3/limits/pipelines` | `/crm/limits/{d}/pipelines` | pipelines likewise | 5 |
//! | GET | `/crm/v3/limits/associations/records/{t}/{t2}` | `/crm/limits/{d}/associations/records/{t}/{t2}` | links a record may have | 5 |
//! | GET | `/crm/v3/property-validations/{t}` | `/crm/property-validations/{d}/{t}` | rules an admin has set | 5 |
//! | GET, POST | `/crm/v3/properties/{t}` | `/crm/properties/{d}/{t}` | properties, one more (201) | 10.1 |
//! | GET, PATCH, DELETE | `/crm/v3/properties/{t}/{name}` | `/crm/properties/{d}/{t}/{name}` | one; options are replaced as a whole; archiving | 10.1 |
//! | POST | `/crm/v3/properties/{t}/batch/{create,read,archive}` | `/crm/properties/{d}/{t}/batch/…` | ≤ 100 at once; create is 201/207, dated 200 | 10.1 |
//! | GET, POST | `/crm/v3/properties/{t}/groups` | `/crm/properties/{d}/{t}/groups` | groups | 10.1 |
//! | GET, PATCH, DELETE | `/crm/v3/properties/{t}/groups/{name}` | `/crm/properties/{d}/{t}/groups/{name}` | one group | 10.1 |
//! | GET, POST | `/crm/v3/pipelines/{t}` | `/crm/pipelines/{d}/{t}` | pipelines with stages | 7 |
//! | GET, PATCH, PUT, DELETE | `/crm/v3/pipelines/{t}/{id}` | `/crm/pipelines/{d}/{t}/{id}` | one; `validateReferencesBeforeDelete` | 7 |
//! | GET, POST | `/crm/v3/pipelines/{t}/{id}/stages` | `/crm/pipelines/{d}/{t}/{id}/stages` | stages | 7 |
//! | GET, PATCH, DELETE | `/crm/v3/pipelines/{t}/{id}/stages/{stage}` | `/crm/pipelines/{d}/{t}/{id}/stages/{stage}` | one stage | 7 |
//! | GET, POST | `/crm/v3/schemas`, `/crm-object-schemas/v3/schemas` | `/crm-object-schemas/{d}/schemas` | custom objects (Enterprise), one more (201) | 11 |
//! | GET, PATCH, DELETE | `…/schemas/{t}` | `…/schemas/{t}` | one; DELETE archives, `?archived=true` ends it; both refuse what is in use | 11 |
//! | POST, DELETE | `…/schemas/{t}/associations`, `…/{id}` | the same | one more pair of objects to link | 11 |
//! | GET, POST | `/crm/v3/objects/{t}` | `/crm/objects/{d}/{t}` | list; one record with links (201) | 6 |
//! | GET, PATCH, DELETE | `/crm/v3/objects/{t}/{id}` | `/crm/objects/{d}/{t}/{id}` | one, by `idProperty` too; DELETE archives (204) | 6 |
//! | POST | `/crm/v3/objects/{t}/batch/create` | `/crm/objects/{d}/{t}/batch/create` | ≤ 100; all or nothing, 207 with trace ids | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/read` | `/crm/objects/{d}/{t}/batch/read` | ≤ 100 by id or unique property; 207 with those missing | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/update` | `/crm/objects/{d}/{t}/batch/update` | ≤ 100 | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/upsert` | `/crm/objects/{d}/{t}/batch/upsert` | ≤ 100 by a unique property; `new` | 3.3 |
//! | POST | `/crm/v3/objects/{t}/batch/archive` | `/crm/objects/{d}/{t}/batch/archive` | ≤ 100; 204 | 3.3 |
//! | POST | `/crm/v3/objects/{t}/search` | `/crm/objects/{d}/{t}/search` | search: lags, 5 a second, 10,000 rows | 14 |
//! | POST | `/crm/v3/objects/contacts/gdpr-delete` | `/crm/objects/{d}/contacts/gdpr-delete` | for good; blocks addresses nobody has | 0.7, 6 |
//! | POST | `/crm/v3/objects/{t}/merge` | `/crm/objects/{d}/{t}/merge` | contacts, companies, tickets | 6 |
//! | PUT | `/crm/v4/objects/{t}/{id}/associations/default/{t2}/{id2}` | `/crm/objects/{d}/…` | the plain link (200) | 9 |
//! | PUT, DELETE | `/crm/v4/objects/{t}/{id}/associations/{t2}/{id2}` | `/crm/objects/{d}/…` | labels of a link (201); all links of the pair (204) | 9 |
//! | GET | `/crm/v4/objects/{t}/{id}/associations/{t2}` | `2026-03` only | links of a record, ≤ 500 | 9 |
//! | POST | `/crm/v4/associations/{t}/{t2}/batch/create` | `/crm/associations/{d}/{t}/{t2}/batch/create` | ≤ 2,000 with types; 201/207, dated 200 | 9 |
//! | POST | `…/batch/associate/default` | the same | ≤ 2,000 plain links; 200 | 9 |
//! | POST | `…/batch/read` | the same | ≤ 1,000 records' links; 200/207 | 9 |
//! | POST | `…/batch/archive` | the same | ends all links of pairs; 204, dated 200 with a body | 9 |
//! | POST | `…/batch/labels/archive` | the same | ends single labels; 204, dated 200 with a body | 9 |
//! | GET, POST, PUT | `/crm/v4/associations/{t}/{t2}/labels`, `/crm/associations/v4/…` | `/crm/associations/{d}/{t}/{t2}/labels` | types of links; one more with its inverse; new words | 9 |
//! | DELETE | `…/labels/{typeId}` | the same | ends a label | 9 |
//! | POST | `/files/v3/files` | `/files/2026-03/files` | upload, multipart (201) | 12 |
//! | GET, PATCH, DELETE | `/files/v3/files/{id}` | `/files/2026-03/files/{id}` | one; DELETE hides it | 12 |
//! | DELETE | `/files/v3/files/{id}/gdpr-delete` | `/files/2026-03/…` | erased within seven days | 12 |
//! | GET | `/files/v3/files/{id}/signed-url` | `/files/2026-03/…` | an address that ends | 12 |
//! | GET | `/files/v3/files/search`, `/files/v3/files/stat/{path}` | `/files/{d}/…` | files by path or name; one file or folder by path | 12 |
//! | POST, GET | `/files/v3/files/import-from-url/async`, `…/tasks/{id}/status` | `/files/{d}/…` | fetch from an address; how far it is | 12 |
//! | GET, POST | `/files/v3/folders`, `…/{id}`, `…/search` | `/files/{d}/folders…` | folders | 12 |
//! | DELETE | `/files/v3/folders/{id}` | `/files/{d}/folders/{id}` | an empty folder | 12 |
//! | GET | `/hubfs/{portal}/{path}`, `/filemanager/signed/{token}` | – | bytes of a public file; bytes by a signed address; no credential | 12 |
//! | GET | `/conversations/v3/conversations/inboxes`, `…/channels`, `…/actors/{id}` | `/conversations/conversations/{d}/…` | the inbox | 13 |
//! | GET | `/conversations/v3/conversations/threads`, `…/{id}`, `…/{id}/messages` | the same | threads and what is in them | 13 |
//! | POST | `…/threads/{id}/messages` | the same | COMMENT is internal, MESSAGE is **sent** | 13 |
//! | PATCH, DELETE | `…/threads/{id}` | the same | status, out of the trash; into the trash | 13 |
//! | POST | `/conversations/v3/custom-channels/{channel}/messages` | `/conversations/custom-channels/{d}/…` | a message with its own time and idempotency id | 13 |
//!
//! Anything else is 404, a known path with another method 405.
//!
//! # What differs in the dated versions
//!
//! Batches of associations and `properties/batch/create` answer 200; `batch/archive` of associations answers a body; 2026-09 has
//! no list of a record's links, no upload, read or deletion of a single file, and enforces what an admin has set: properties
//! required on create, property validations (§1.2). Whether 2026-03 has the codes of 2026-09 is
//! [`Switches::new_codes_in_2026_03`].
//!
//! # Who sees what
//!
//! Headers: `Authorization: Bearer pat-…`. [`Simulator::admin_token`] is a service key with all scopes a load needs (§1.1);
//! [`Simulator::token_with`] one with others. Every answer but a search's carries the headers of limits (§2).
//!
//! By-products land in the harness: mails in [`Account::outbox`](crate::common::Account::outbox), workflows, pipeline
//! automation, SLA and auto-made companies in [`Account::automation_log`](crate::common::Account::automation_log) (§19).
//!
//! # Switches
//!
//! [`Config`] says what account there is, [`Preexisting`] what is in it, [`Switches`] how it behaves where the facts leave it
//! open, each with its default and section.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `switches` | what a test may choose |
//! | `model`, `state` | what an account holds; indexes, links, the queue of what is due |
//! | `standard.json`, `properties`, `values` | standard objects; properties; what each type takes |
//! | `answer`, `call` | shapes of answers; one request, its way, paging, limits |
//! | `auth`, `account` | who calls; what the account is |
//! | `objects`, `links`, `search` | records, associations, finding |
//! | `pipelines`, `schemas` | pipelines, custom objects |
//! | `files`, `conversations` | files and folders; inbox and custom channels |
//! | `rules` | what the account does on its own |
//! | `seed`, `snapshot` | what was there before, looking at it all |
//!
//! Not here: deals' and quotes' rules, marketing, lists, imports of CSV, webhooks, the knowledge base, workflows as an API.

mod account;
mod answer;
mod auth;
mod call;
mod conversations;
mod files;
mod links;
pub mod model;
mod objects;
mod pipelines;
mod properties;
mod rules;
mod schemas;
mod search;
mod seed;
mod snapshot;
mod state;
mod switches;
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
pub use switches::{
    ArchivedOwner, Config, EmailUpsert, OauthClient, Plan, Preexisting, Switches, TicketTimes,
};

use answer::{Answer, Failure, JSON, Outcome};
use call::{Api, Call, Request};
use model::{Id, Ref, TypeId};
use state::State;

use crate::common::{Account, Harness, Held, base_url};

/// Largest body that is read; a file may have 2 GB, which no test needs.
const BODY_BYTES: usize = 512 * 1024 * 1024;
/// Longest path and query (§2) [INF].
const URL_BYTES: usize = 16_384;

/// A HubSpot account; clones share it.
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
        harness.limits.set_off(!config.rate_limits);
        let mut state = State::new(config, harness.outbox.clone(), harness.automations.clone());
        call::set_limits(&state, &harness.limits);
        seed::fill(&mut state);
        harness.outbox.clear();
        harness.automations.clear();
        let held = Held::new(&harness, state);
        // A form with a file is longer than the framework takes unless it is told to; `BODY_BYTES` bounds it.
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
    /// unique values or names, times nobody gave are left out, and so is the recycle bin.
    pub fn state_fingerprint(&self) -> Value {
        snapshot::fingerprint(&self.held.lock())
    }

    /// Changes the open questions of a running account.
    pub fn set_switches(&self, change: impl FnOnce(&mut Switches)) {
        self.set_up(|config| change(&mut config.switches));
    }

    /// Changes anything else of a running account that an admin could change: plan, settings.
    pub fn set_up(&self, change: impl FnOnce(&mut Config)) {
        let mut state = self.held.lock();
        change(&mut state.config);
        call::set_limits(&state, &self.harness().limits);
    }

    /// The service key of [`Config::service_key`] with the scopes of [`Config::scopes`].
    pub fn admin_token(&self) -> String {
        self.held.lock().config.service_key.clone()
    }

    /// Another service key, with these scopes and limits of its own.
    pub fn token_with(&self, scopes: &[&str]) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        auth::service_key(&mut self.held.lock(), &scopes)
    }

    /// A service key ends, as when somebody rotates it with "expire now".
    pub fn end_token(&self, token: &str) {
        self.held.lock().tokens.remove(token);
    }

    /// Makes a record with plain links as a person in the account does beside the migration; its number, or what was refused.
    ///
    /// # Errors
    /// The sentence of the refusal.
    pub fn make(&self, object: TypeId, values: &Value, to: &[Ref]) -> Result<Id, String> {
        seed::make(&mut self.held.lock(), object, values, to)
    }

    /// Changes a record as a person in the account does beside the migration.
    ///
    /// # Errors
    /// The sentence of the refusal.
    pub fn change(&self, object: TypeId, id: Id, values: &Value) -> Result<(), String> {
        let mut state = self.held.lock();
        let id = state
            .record(object, id)
            .map(|r| r.id)
            .ok_or("resource not found")?;
        let values: Map<String, Value> = values.as_object().cloned().unwrap_or_default();
        let prepared = objects::prepare(&mut state, object, Some(id), &values, false);
        let prepared = prepared.map_err(|failure| failure.message)?;
        objects::commit(&mut state, object, prepared, "CRM_UI");
        Ok(())
    }

    /// Deletes a record as a person in the account does beside the migration; whether there was one.
    pub fn remove(&self, object: TypeId, id: Id) -> bool {
        self.held.lock().archive(object, id)
    }

    /// Takes a record out of the recycle bin as a person does in the account, which the API cannot (§18); whether it was there
    /// and its unique values are free.
    pub fn restore(&self, object: TypeId, id: Id) -> bool {
        self.held.lock().restore(object, id)
    }

    /// Merges a record into another as a person in the account does beside the migration.
    pub fn merge(&self, object: TypeId, primary: Id, other: Id) {
        objects::merge_records(&mut self.held.lock(), object, primary, other);
    }

    /// Nobody may write a record for two seconds: 423 (§2).
    pub fn lock_record(&self, object: TypeId, id: Id) {
        self.held.lock().lock_record(object, id);
    }

    /// Puts a file at an address, for imports from it (§12).
    pub fn serve_remote(&self, url: &str, bytes: impl Into<Bytes>) {
        self.held.lock().remote.insert(url.to_owned(), bytes.into());
    }
}

fn error_body(status: StatusCode, message: &str) -> Value {
    match status.as_u16() {
        429 => json!({
            "status": "error", "message": "You have reached your ten_secondly_rolling limit.", "errorType": "RATE_LIMIT",
            "correlationId": "0", "policyName": "TEN_SECONDLY_ROLLING", "requestId": "0",
        }),
        401 => json!({
            "status": "error", "message": message, "correlationId": "0", "category": "INVALID_AUTHENTICATION",
        }),
        _ => json!({"status": "error", "message": message, "correlationId": "0"}),
    }
}

/// Every request: read it, then answer it while holding the account.
async fn handle(
    Shared(service): Shared<Held<State>>,
    request: axum::extract::Request,
) -> Response<Body> {
    let uri = request
        .uri()
        .path_and_query()
        .map_or(0, |uri| uri.as_str().len());
    let read = if uri > URL_BYTES {
        Err(Failure::new(414, "", "URI Too Long"))
    } else {
        let keep = service.as_it_was().config.keep_files;
        read(request, keep).await
    };
    match read {
        Ok(request) => answer(&service, &request).into_response(JSON),
        Err(failure) => failure.answer("0").into_response(JSON),
    }
}

/// The parts of a path, decoded.
fn segments(path: &str) -> Vec<String> {
    let decode = |part: &str| -> String {
        let pairs = format!("p={}", part.replace('+', "%2B").replace('&', "%26"));
        let mut decoded = url::form_urlencoded::parse(pairs.as_bytes());
        decoded
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    path.trim_matches('/').split('/').map(decode).collect()
}

/// The request with its body.
async fn read(request: axum::extract::Request, keep: bool) -> Result<Request, Failure> {
    let (parts, body) = request.into_parts();
    let kind = parts
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let pairs = |text: &[u8]| {
        url::form_urlencoded::parse(text)
            .into_owned()
            .collect::<Vec<(String, String)>>()
    };
    let mut read = Request {
        method: parts.method.as_str().to_owned(),
        path: segments(parts.uri.path()),
        raw_path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        headers: parts.headers.clone(),
        json: Value::Null,
        length: 0,
        form: vec![],
        file: None,
    };
    let unreadable = || Failure::validation("The body cannot be read");
    if kind.starts_with("multipart/form-data") {
        let whole = axum::extract::Request::from_parts(parts, body);
        let form = Multipart::from_request(whole, &()).await;
        let mut form = form.map_err(|_| unreadable())?;
        while let Some(part) = form.next_field().await.map_err(|_| unreadable())? {
            let name = part.name().unwrap_or_default().to_owned();
            let file_name = part.file_name().map(str::to_owned);
            let kind = part
                .content_type()
                .unwrap_or("application/octet-stream")
                .to_owned();
            let bytes = part.bytes().await.map_err(|_| unreadable())?;
            if name == "file" {
                let file_name = file_name.unwrap_or_else(|| "file".to_owned());
                read.file = Some(files::measured(&file_name, &kind, bytes, keep));
            } else {
                let text = String::from_utf8(bytes.to_vec()).map_err(|_| unreadable())?;
                read.form.push((name, text));
            }
        }
        return Ok(read);
    }
    let bytes = axum::body::to_bytes(body, BODY_BYTES)
        .await
        .map_err(|_| unreadable())?;
    if bytes.is_empty() {
        return Ok(read);
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        read.form = pairs(&bytes);
    } else if kind.starts_with("application/json") {
        read.length = String::from_utf8_lossy(&bytes).chars().count();
        read.json = serde_json::from_slice(&bytes).map_err(Failure::input)?;
    } else {
        return Err(Failure::new(
            415,
            "",
            format!("Unsupported Media Type: {kind}"),
        ));
    }
    Ok(read)
}

fn answer(service: &Held<State>, request: &Request) -> Answer {
    let mut state = service.lock();
    let correlation = state.uuid();
    let configured = state.config.public_url.as_deref();
    let base = base_url(
        configured,
        request.header("host"),
        ".hubapi.com",
        "https://api.hubapi.com",
    );
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    if let ["hubfs" | "filemanager", ..] = path.as_slice() {
        let got = if request.method == "GET" {
            files::download(&state, &path)
        } else {
            Err(Failure::method())
        };
        return got.unwrap_or_else(|failure| failure.answer(&correlation));
    }
    let located = call::locate(&path);
    if let Some((version, Api::Oauth, rest)) = &located {
        let got = auth::route(&mut state, request, *version == call::Version::Old, rest);
        return got.unwrap_or_else(|failure| failure.answer(&correlation));
    }
    let token = match auth::authenticate(&state, request) {
        Ok(token) => token,
        Err(failure) => return failure.answer(&correlation),
    };
    let Some((version, api, rest)) = located else {
        return Failure::no_route().answer(&correlation);
    };
    let is_search =
        api == Api::Objects && matches!(rest.as_slice(), [_, "search"]) && request.method == "POST";
    let counted = call::count(&mut state, &service.harness.limits, &token, api, is_search);
    let (outcome, headers) = match counted {
        Ok(headers) => {
            let mut call = Call {
                state: &mut state,
                request,
                token,
                version,
                base,
            };
            (route(&mut call, api, &rest), headers)
        }
        Err((failure, headers)) => (Err(failure), headers),
    };
    let mut answer = outcome.unwrap_or_else(|failure| failure.answer(&correlation));
    answer.headers.extend(headers);
    answer.with("x-hubspot-correlation-id", correlation)
}

fn route(call: &mut Call<'_>, api: Api, rest: &[&str]) -> Outcome {
    match api {
        Api::Oauth => Err(Failure::no_route()),
        Api::AccountInfo => account::info(call, rest),
        Api::Owners => account::owners(call, rest),
        Api::Users => account::users(call, rest),
        Api::Limits => account::limits(call, rest),
        Api::Validations => account::validations(call, rest),
        Api::Properties => properties::route(call, rest),
        Api::Pipelines => pipelines::route(call, rest),
        Api::Schemas => schemas::route(call, rest),
        Api::Objects => objects::route(call, rest),
        Api::RecordLinks => links::of_record(call, rest),
        Api::Links => links::route(call, rest),
        Api::Files => files::route(call, rest),
        Api::Folders => files::folders(call, rest),
        Api::Conversations => conversations::route(call, rest),
        Api::CustomChannels => conversations::channels(call, rest),
    }
}
