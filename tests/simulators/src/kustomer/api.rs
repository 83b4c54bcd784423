//! The HTTP face: authentication, limits, roles, and one arm for each path of the catalogue (Kustomer facts §7).
//!
//! Order of checks for a request: key (401), budget of the organisation (429), role (403), budget of searches (429),
//! parameters (400), record (404).

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::routing::any;
use serde_json::{Map, Value, json};

use super::Inner;
use super::auth::{ApiKey, mask};
use super::custom::{self, KLASSES};
use super::files::{Content, File, Refused};
use super::ids::{Kind, Oid};
use super::model::{NONE, flag};
use super::render::{one, with_org};
use super::search::Query;
use super::switches::{
    Beyond, BodyResource, ErrorShape, Gone, IdsOnly, NoteFiles, Oversize, Switches,
};
use super::world::{Context, World};
use crate::common::{Clock, Taken};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The default of `pageSize` on most lists. The list of customers shows 30 (§4).
const PAGE: u64 = 100;

pub(super) fn routes(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/attachments/{org}/{object}", any(stored_file))
        .route("/external/{*path}", any(foreign_file))
        .fallback(api)
        .with_state(inner)
}

/// The body of an error that a fault plays.
pub(super) fn fault_body(status: StatusCode, message: &str) -> Value {
    error_body(ErrorShape::Current, &Fail::new(status, message))
}

/// An answer that is not a success.
struct Fail {
    status: StatusCode,
    code: &'static str,
    message: String,
    parameter: String,
}

impl Fail {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let code = match status.as_u16() {
            400 => "bad_request",
            401 => "unauthorized",
            403 => "forbidden",
            404 => "not_found",
            410 => "gone",
            429 => "too_many_requests",
            _ => "error",
        };
        Self {
            status,
            code,
            message: message.into(),
            parameter: String::new(),
        }
    }

    fn bad(parameter: &str, message: impl Into<String>) -> Self {
        let parameter = parameter.to_owned();
        Self {
            parameter,
            ..Self::new(StatusCode::BAD_REQUEST, message)
        }
    }

    fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The resource was not found.")
    }
}

/// The two shapes of error bodies (§6).
fn error_body(shape: ErrorShape, fail: &Fail) -> Value {
    match shape {
        ErrorShape::JsonApi => json!({"errors": [{
            "status": fail.status.as_u16().to_string(), "code": fail.code, "title": fail.message,
            "detail": fail.message, "source": {"parameters": fail.parameter}, "meta": {}}]}),
        _ => json!({"errors": [{"code": fail.code, "message": fail.message, "meta": {}}]}),
    }
}

type Answer = Result<Value, Fail>;

async fn api(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let switches = inner
        .switches
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let public = path.strip_prefix("/p/v3/kb/articles").is_some();
    let authorization = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let key = inner.key(authorization);
    let key = match key {
        Ok(key) => key,
        Err(_) if public => ApiKey::with_roles("", &[]),
        Err(fail) => return failed(&switches, &fail, None, inner.harness.clock.now_ms()),
    };
    let mut taken = inner.harness.limits.take("org", "org", 1);
    let is_search = parts.method == Method::POST
        && matches!(
            path.as_str(),
            "/v1/customers/search" | "/v1/customers/archive/search"
        );
    let mut answer = if !taken.allowed {
        Err(Fail::new(
            StatusCode::TOO_MANY_REQUESTS,
            "API rate limit exceeded",
        ))
    } else if is_search && key.may("search.create") {
        taken = inner.harness.limits.take("search", "org", 1);
        if taken.allowed {
            Ok(())
        } else {
            Err(Fail::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Search rate limit exceeded",
            ))
        }
    } else {
        Ok(())
    }
    .and_then(|()| {
        let mut world = inner.world.read().unwrap_or_else(PoisonError::into_inner);
        if world.has_index_due() {
            drop(world);
            let mut changing = inner.world.write().unwrap_or_else(PoisonError::into_inner);
            changing.refresh_indexes();
            drop(changing);
            world = inner.world.read().unwrap_or_else(PoisonError::into_inner);
        }
        let call = Call {
            inner: &inner,
            world: &world,
            switches: &switches,
            key: &key,
            path: &path,
            query: &query,
            json: parts
                .headers
                .get(CONTENT_TYPE)
                .and_then(|v| v.to_str().ok())
                .is_some_and(|kind| kind.contains("json")),
            body: &body,
        };
        call.answer(&parts.method)
    });
    if let Ok(answer) = &mut answer {
        if !key.reads_sensitive {
            mask(answer, &switches.sensitive);
        }
        if switches.note_files != NoteFiles::Named {
            unname_note_files(answer);
        }
    }
    let now = inner.harness.clock.now_ms();
    match answer {
        Ok(answer) => {
            let mut response = Response::new(Body::from(answer.to_string()));
            let headers = response.headers_mut();
            headers.insert(
                CONTENT_TYPE,
                HeaderValue::from_static("application/json; charset=utf-8"),
            );
            limit_headers(&mut response, &switches, taken);
            response
        }
        Err(fail) => failed(&switches, &fail, Some(taken), now),
    }
}

/// Takes out of notes which files they have.
fn unname_note_files(answer: &mut Value) {
    let unname = |resource: &mut Value| {
        if resource.get("type").is_some_and(|kind| kind == "note")
            && let Some(related) = resource.get_mut("relationships")
            && let Some(related) = related.as_object_mut()
        {
            related.shift_remove("attachments");
        }
    };
    match answer.get_mut("data") {
        Some(Value::Array(rows)) => rows.iter_mut().for_each(unname),
        Some(row) => unname(row),
        None => {}
    }
}

fn limit_headers(response: &mut Response<Body>, switches: &Switches, taken: Taken) {
    let exceeded = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(taken.limit));
    headers.insert(REMAINING, HeaderValue::from(taken.remaining));
    if exceeded || switches.reset_always {
        // UTC epoch seconds (§5), rounded up so that the window has passed by then.
        headers.insert(
            RESET,
            HeaderValue::from((taken.reset_ms + 999).div_euclid(1000)),
        );
    }
}

fn failed(switches: &Switches, fail: &Fail, taken: Option<Taken>, now: i64) -> Response<Body> {
    let body = match switches.errors {
        ErrorShape::Empty => Body::empty(),
        shape => Body::from(error_body(shape, fail).to_string()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = fail.status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    if let Some(taken) = taken {
        limit_headers(&mut response, switches, taken);
        if fail.status == StatusCode::TOO_MANY_REQUESTS && switches.retry_after {
            let seconds = HeaderValue::from(taken.retry_after_s(now));
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
    }
    response
}

impl Inner {
    fn key(&self, authorization: &str) -> Result<ApiKey, Fail> {
        let refuse = |message: String| Fail::new(StatusCode::UNAUTHORIZED, message);
        let Some(token) = authorization.strip_prefix("Bearer ") else {
            return Err(refuse(
                "Missing or malformed authorization header".to_owned(),
            ));
        };
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = keys.iter().find(|key| key.token == token) else {
            return Err(refuse("Invalid token".to_owned()));
        };
        if key
            .expires_ms
            .is_some_and(|at| self.harness.clock.now_ms() >= at)
        {
            return Err(refuse("Expired token".to_owned()));
        }
        if let Some(pod) = &key.other_pod {
            return Err(refuse(format!(
                "Token belongs to pod {pod} but is handled by pod prod1"
            )));
        }
        Ok(key.clone())
    }
}

struct Call<'a> {
    inner: &'a Inner,
    world: &'a World,
    switches: &'a Switches,
    key: &'a ApiKey,
    path: &'a str,
    query: &'a [(String, String)],
    json: bool,
    body: &'a [u8],
}

impl Call<'_> {
    fn answer(&self, method: &Method) -> Answer {
        let (version, rest) = match self.path.trim_matches('/').split_once('/') {
            Some((version @ ("v1" | "v2" | "p"), rest)) => (version, rest),
            _ => return Err(Fail::not_found()),
        };
        let decoded: Vec<String> = rest
            .split('/')
            .map(|part| percent_decoded(part).ok_or_else(|| Fail::bad("path", "not UTF-8")))
            .collect::<Result<_, _>>()?;
        let path: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match (method, version) {
            (&Method::GET, "v1") => self.get(&path),
            (&Method::GET, "v2") => match path.as_slice() {
                ["conversations", id, "times"] => self.times(id),
                _ => Err(Fail::not_found()),
            },
            (&Method::GET, _) => match path.as_slice() {
                ["v3", "kb", "articles"] => self.public_articles(),
                _ => Err(Fail::not_found()),
            },
            (&Method::POST, "v1") => match path.as_slice() {
                ["customers", "search"] => self.search(false),
                ["customers", "archive", "search"] => self.search(true),
                _ => Err(self.no_writing()),
            },
            _ => Err(self.no_writing()),
        }
    }

    fn no_writing(&self) -> Fail {
        Fail::new(
            StatusCode::FORBIDDEN,
            "The key has no role for this operation.",
        )
    }

    fn role(&self, role: &str) -> Result<(), Fail> {
        if self.key.may(role) {
            Ok(())
        } else {
            let message = format!("Missing role: org.permission.{role}");
            Err(Fail::new(StatusCode::FORBIDDEN, message))
        }
    }

    fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// Refuses parameters that no document names.
    fn only(&self, known: &[&str]) -> Result<(), Fail> {
        let unknown = self
            .query
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()));
        match unknown {
            Some((name, _)) if self.switches.strict_parameters => {
                Err(Fail::bad(name, format!("unknown parameter {name}")))
            }
            _ => Ok(()),
        }
    }

    fn get(&self, path: &[&str]) -> Answer {
        match path {
            ["auth", "tokens", "current"] => self.token(),
            ["users", "current"] => self.found(self.world.render(Kind::User, 0)),
            ["users"] => self.users(),
            ["users", ids] => {
                self.role("user.read")?;
                self.several(ids, |id| {
                    self.world
                        .find(Kind::User, id)
                        .and_then(|n| self.world.render(Kind::User, n))
                })
            }
            ["users", id, "teams"] => {
                self.role("user.read")?;
                let member = |team: &&Value| {
                    let members = team
                        .pointer("/attributes/members")
                        .and_then(Value::as_array);
                    members.is_some_and(|members| members.iter().any(|m| m == id))
                };
                let teams: Vec<Value> = self
                    .setting("teams")
                    .iter()
                    .filter(member)
                    .cloned()
                    .collect();
                self.list_values(&teams, 500, &[])
            }
            ["teams"] => self.settings_list("teams", "team.read", 500, &[]),
            ["tags"] => {
                self.role("tag.read")?;
                let all = self.setting("tags");
                let hide = self.param("deleted") == Some("false");
                let shown: Vec<Value> = all
                    .iter()
                    .filter(|tag| {
                        !hide || tag.pointer("/attributes/deleted") == Some(&false.into())
                    })
                    .cloned()
                    .collect();
                self.list_values(&shown, 100, &["deleted"])
            }
            ["role-groups"] | ["auth", "roles"] => {
                self.list_values(self.setting(&path.join("/")), 100, &[])
            }
            ["schedules"] => {
                let mut answer =
                    self.settings_list("schedules", "schedule.read", 100, &["include"])?;
                self.include_holidays(&mut answer);
                Ok(answer)
            }
            ["brands" | "schedules", "default"] => {
                self.role(if path.contains(&"brands") {
                    "brand.read"
                } else {
                    "schedule.read"
                })?;
                let list = path.first().copied().unwrap_or_default();
                let found = self
                    .setting(list)
                    .iter()
                    .find(|item| item.pointer("/attributes/default") == Some(&true.into()));
                let mut answer = self.found(found.cloned())?;
                if list == "schedules" {
                    self.include_holidays(&mut answer);
                }
                Ok(answer)
            }
            ["schedules", id] => {
                let mut answer = self.setting_by_id("schedules", "schedule.read", id)?;
                self.include_holidays(&mut answer);
                Ok(answer)
            }
            ["slas"] => {
                let mut answer = self.settings_list("slas", "sla.read", 100, &["versions"])?;
                self.include_versions(&mut answer, true);
                Ok(answer)
            }
            ["slas", id] => {
                let mut answer = self.setting_by_id("slas", "sla.read", id)?;
                self.include_versions(&mut answer, false);
                Ok(answer)
            }
            ["workflows", id, "variables"] => {
                self.setting_by_id("workflows", "workflow.read", id)?;
                Ok(
                    json!({"data": {"type": "workflow_variables", "id": id, "attributes": {"variables": []}}}),
                )
            }
            ["workflows"] => self.workflows(),
            ["shortcuts"] => self.settings_list("shortcuts", "shortcut.read", 100, &["name"]),
            ["kb", "articles", id, "versions"] => self.article_versions(id),
            ["outboundAccounts"] => {
                self.role("apps.read")?;
                self.only(&["page", "pageSize"])?;
                Ok(json!({"meta": {}, "data": self.setting("outboundAccounts"),
                    "links": {"self": "/v1/outboundAccounts"}}))
            }
            ["chat", "settings"] => {
                self.role("apps.read")?;
                Ok(
                    json!({"data": {"type": "chat_settings", "id": self.world.org(), "attributes": {"enabled": true, "activeForms": []}}}),
                )
            }
            ["outbound-webhooks", "events"] => {
                self.role("outbound_webhook.read")?;
                let kinds = ["customer", "conversation", "message", "user", "team", "tag"];
                let names: Vec<String> = kinds
                    .iter()
                    .flat_map(|kind| [format!("{kind}.create"), format!("{kind}.update")])
                    .collect();
                Ok(json!({"data": names}))
            }
            ["companies"] => self.companies(),
            ["companies", id] => {
                self.role("company.read")?;
                self.one(Context::Company, id)
            }
            ["companies", id, "klasses", name] => {
                self.role("company.read")?;
                self.owned_kobjects(Kind::Company, id, name)
            }
            ["kedge"] => self.edges(),
            ["kedge", company, "parent"] => {
                self.role("company.read")?;
                let number = self.number(Kind::Company, company)?;
                let parent = self
                    .world
                    .parent_company(number)
                    .ok_or_else(Fail::not_found)?;
                self.found(self.world.render(Kind::Company, parent))
            }
            ["kedge", company, "children"] => {
                self.role("company.read")?;
                let number = self.number(Kind::Company, company)?;
                let children: Vec<u32> = (0..self.world.len(Kind::Company) as u32)
                    .filter(|child| self.world.parent_company(*child) == Some(number))
                    .collect();
                self.list(&children, 100, PAGE, &[], |n| {
                    self.world.render(Kind::Company, n)
                })
            }
            ["customers", rest @ ..] => self.customers(rest),
            ["conversations", rest @ ..] => self.conversations(rest),
            ["messages", rest @ ..] => self.messages(rest),
            ["notes", rest @ ..] => self.notes(rest),
            ["klasses", rest @ ..] => self.klasses(rest),
            ["metadata", resource] => self.metadata(resource),
            ["attachments", ids] => self.outbound_attachments(ids),
            ["drafts", id, "attachments", rest @ ..] => {
                self.loose_attachments(Kind::Draft, Kind::DraftAttachment, id, rest)
            }
            ["forwards", id, "attachments", rest @ ..] => {
                self.loose_attachments(Kind::Forward, Kind::ForwardAttachment, id, rest)
            }
            ["forwards", id] => {
                self.role("draft.read")?;
                self.found(
                    self.child(Kind::Forward, id)
                        .and_then(|n| self.forward_json(n)),
                )
            }
            ["satisfaction-responses", id] => self.satisfaction_response(id),
            ["audit-logs"] => self.audit_logs(),
            [app, "messages", id] => self.body_resource(app, id),
            _ => self.plain_setting(path),
        }
    }

    /// The small lists that need nothing but a role and paging.
    fn plain_setting(&self, path: &[&str]) -> Answer {
        let role = |list: &str| match list {
            "teams" => "team.read",
            "tags" => "tag.read",
            "brands" => "brand.read",
            "satisfaction" => "satisfaction.read",
            "shortcuts" | "shortcuts/categories" => "shortcut.read",
            "snoozes" => "snooze.read",
            "workflows" => "workflow.read",
            "routing/queues" => "queue.read",
            "routing/queue-rules" | "routing/queue-rules-criteria" => "routing.read",
            "outbound-webhooks" => "outbound_webhook.read",
            "spam/senders" => "spam.read",
            "hooks/email" | "hooks/web" => "apps.read",
            _ if list.starts_with("kb/") => "kb.read",
            _ => "conversation.read",
        };
        let joined = path.join("/");
        if self.world.settings.list(&joined).is_some() {
            return self.settings_list(&joined, role(&joined), 100, &["key"]);
        }
        let Some((id, list)) = path.split_last() else {
            return Err(Fail::not_found());
        };
        let list = list.join("/");
        if self.world.settings.list(&list).is_none() {
            return Err(Fail::not_found());
        }
        self.setting_by_id(&list, role(&list), id)
    }

    fn setting(&self, list: &str) -> &[Value] {
        self.world.settings.list(list).unwrap_or(&[])
    }

    fn settings_list(&self, list: &str, role: &str, most: u64, known: &[&str]) -> Answer {
        self.role(role)?;
        self.list_values(self.setting(list), most, known)
    }

    fn setting_by_id(&self, list: &str, role: &str, id: &str) -> Answer {
        self.role(role)?;
        let found = self
            .setting(list)
            .iter()
            .find(|item| item.get("id").is_some_and(|i| i == id));
        self.found(found.cloned())
    }

    fn found(&self, resource: Option<Value>) -> Answer {
        let resource = resource.ok_or_else(Fail::not_found)?;
        Ok(Map::from_iter([("data".to_owned(), resource)]).into())
    }

    fn number(&self, kind: Kind, id: &str) -> Result<u32, Fail> {
        self.world.find(kind, id).ok_or_else(Fail::not_found)
    }

    /// The number of a record that hangs one to one on another.
    fn child(&self, kind: Kind, id: &str) -> Option<u32> {
        let oid: Oid = id.parse().ok()?;
        (oid.kind() == Some(kind) && self.world.oid(kind, oid.number()) == oid)
            .then(|| oid.number())
    }

    /// One record, or several by a comma-separated list of ids (§3).
    fn several(&self, ids: &str, get: impl Fn(&str) -> Option<Value>) -> Answer {
        if ids.contains(',') {
            let found: Vec<Value> = ids.split(',').filter_map(get).collect();
            return Ok(json!({"data": found}));
        }
        self.found(get(ids))
    }

    /// One record of a big kind, if it is not gone (§10, §14).
    fn one(&self, context: Context, id: &str) -> Answer {
        let kind = super::world::kind_of(context);
        let mut number = self.number(kind, id)?;
        let flags = self.world.flags(context, number);
        let gone = if flags & flag::MERGED != 0 {
            self.switches.merged
        } else if flags & flag::DELETED != 0 {
            self.switches.deleted
        } else {
            return self.found(self.world.render(kind, number));
        };
        match gone {
            Gone::NotFound => Err(Fail::not_found()),
            Gone::Gone => Err(Fail::new(StatusCode::GONE, "The resource is gone.")),
            Gone::Shown => {
                if flags & flag::MERGED != 0 {
                    let survivor = self.world.customers.get(number as usize);
                    number = survivor.map_or(number, |c| c.merged_into);
                }
                self.found(self.world.render(kind, number))
            }
        }
    }

    /// Page and page size, checked: rows to skip, rows to give, page, size.
    fn paging(&self, most: u64, default: u64) -> Result<(u64, u64), Fail> {
        let number = |name: &str, default: u64| match self.param(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<u64>()
                .ok()
                .filter(|n| *n > 0)
                .ok_or_else(|| Fail::bad(name, format!("{name} is not a positive number"))),
        };
        let page = number("page", 1)?;
        let mut size = number("pageSize", default)?;
        if size > most {
            match self.switches.oversize {
                Oversize::Refuse => {
                    return Err(Fail::bad("pageSize", format!("pageSize is over {most}")));
                }
                Oversize::Clamp => size = most,
            }
        }
        Ok((page, size))
    }

    fn list_values(&self, items: &[Value], most: u64, known: &[&str]) -> Answer {
        let numbers: Vec<u32> = (0..items.len() as u32).collect();
        self.list(&numbers, most, PAGE, known, |n| {
            items.get(n as usize).cloned()
        })
    }

    /// A list with `page` and `pageSize`; `links.next` is null at the end (§4).
    fn list(
        &self,
        numbers: &[u32],
        most: u64,
        default: u64,
        known: &[&str],
        render: impl Fn(u32) -> Option<Value>,
    ) -> Answer {
        self.only(&[&["page", "pageSize"], known].concat())?;
        let (page, size) = self.paging(most, default)?;
        let total = numbers.len() as u64;
        let Some((skip, take)) = self.within(self.switches.list_rows, None, page, size)? else {
            return Ok(self.envelope(Vec::new(), page, size, total, false));
        };
        let rows = numbers
            .iter()
            .skip(skip as usize)
            .take(take as usize)
            .filter_map(|number| render(*number))
            .collect();
        Ok(self.envelope(rows, page, size, total, false))
    }

    /// Rows to skip and to give, as far as depth is limited; `None` for an empty page.
    fn within(
        &self,
        rows: Option<u64>,
        pages: Option<u64>,
        page: u64,
        size: u64,
    ) -> Result<Option<(u64, u64)>, Fail> {
        let by_rows = rows.map(|rows| rows.div_ceil(size).max(1));
        let last = match (by_rows, pages) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let mut page = page;
        if let Some(last) = last.filter(|last| page > *last) {
            match self.switches.beyond {
                Beyond::Refuse => {
                    return Err(Fail::bad(
                        "page",
                        format!("page is over the maximum of {last}"),
                    ));
                }
                Beyond::Empty => return Ok(None),
                Beyond::Repeat => page = last,
            }
        }
        let skip = (page - 1).saturating_mul(size);
        let take = rows.map_or(size, |rows| size.min(rows.saturating_sub(skip)));
        Ok(Some((skip, take)))
    }

    fn envelope(&self, rows: Vec<Value>, page: u64, size: u64, total: u64, totals: bool) -> Value {
        let pages = total.div_ceil(size);
        let others: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(
                self.query
                    .iter()
                    .filter(|(n, _)| n != "page" && n != "pageSize"),
            )
            .finish();
        let link = |page: u64| {
            let more = if others.is_empty() {
                String::new()
            } else {
                format!("&{others}")
            };
            format!("{}?page={page}&pageSize={size}{more}", self.path)
        };
        let mut meta = json!({"page": page, "pageSize": size});
        let mut links = json!({
            "self": link(page),
            "first": link(1),
            "prev": (page > 1).then(|| link(page - 1)),
            "next": (page < pages).then(|| link(page + 1)),
        });
        if totals && let (Some(meta), Some(links)) = (meta.as_object_mut(), links.as_object_mut()) {
            meta.insert("total".into(), total.into());
            meta.insert("totalPages".into(), pages.into());
            links.insert("last".into(), link(pages.max(1)).into());
        }
        // The rows are moved: `json!` would copy them.
        let mut answer = Map::new();
        answer.insert("meta".into(), meta);
        answer.insert("links".into(), links);
        answer.insert("data".into(), rows.into());
        answer.into()
    }

    fn token(&self) -> Answer {
        let user = self.world.id(Kind::User, 0);
        let mut related = with_org(self.world);
        related.insert("user".into(), one("user", "users", &user));
        let last: String = self
            .key
            .token
            .chars()
            .rev()
            .take(4)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect();
        Ok(
            json!({"data": {"type": "token", "id": self.world.oid_part(Kind::Setting, 99, 0).to_string(),
            "attributes": {"name": self.key.name, "roles": self.key.roles, "lastTokenChars": last,
                "lastAccessedAt": self.world.clock.now_iso(), "createdAt": Clock::iso(self.world.founded)},
            "relationships": related, "links": {"self": "/v1/auth/tokens/current"}}}),
        )
    }

    /// The filters exclude each other, and the default leaves out deactivated and invited users (§9.7).
    fn users(&self) -> Answer {
        self.role("user.read")?;
        let filters = ["pending", "deleted", "userType", "email"];
        if filters
            .iter()
            .filter(|name| self.param(name).is_some())
            .count()
            > 1
        {
            return Err(Fail::bad(
                "filter",
                "pending, deleted, userType and email exclude each other",
            ));
        }
        let shown = |user: &super::model::User| match (
            self.param("pending"),
            self.param("deleted"),
            self.param("userType"),
            self.param("email"),
        ) {
            (Some(pending), ..) => user.pending == (pending == "true") && !user.deleted,
            (_, Some(deleted), ..) => user.deleted == (deleted == "true"),
            (_, _, Some(kind), _) => user.kind == kind && !user.deleted,
            (_, _, _, Some(email)) => user.email.eq_ignore_ascii_case(email),
            _ => !user.deleted && !user.pending,
        };
        let users = self
            .world
            .users
            .iter()
            .enumerate()
            .filter(|(_, user)| shown(user));
        let numbers: Vec<u32> = users.map(|(number, _)| number as u32).collect();
        self.list(&numbers, 500, PAGE, &filters, |n| {
            self.world.render(Kind::User, n)
        })
    }

    fn include_holidays(&self, answer: &mut Value) {
        if self.param("include") == Some("holidays")
            && let Some(map) = answer.as_object_mut()
        {
            map.insert("included".into(), self.setting("holidays").into());
        }
    }

    /// With one SLA `included` is an object, with the list an array (§3).
    fn include_versions(&self, answer: &mut Value, list: bool) {
        let Some(versions) = self.param("versions") else {
            return;
        };
        let all = self.setting("sla_versions");
        let active = all.last().cloned();
        let included = match (list, versions) {
            (false, _) => active.unwrap_or_default(),
            (true, "active") => active.into_iter().collect(),
            (true, _) => all.into(),
        };
        if let Some(map) = answer.as_object_mut() {
            map.insert("included".into(), included);
        }
    }

    fn workflows(&self) -> Answer {
        self.role("workflow.read")?;
        let wanted = |workflow: &&Value| {
            let is = |name: &str, pointer: &str| {
                self.param(name)
                    .is_none_or(|wanted| match workflow.pointer(pointer) {
                        Some(Value::Bool(value)) => value.to_string() == wanted,
                        Some(Value::String(value)) => value == wanted,
                        _ => wanted == "false",
                    })
            };
            is("enabled", "/attributes/enabled")
                && is("eventName", "/attributes/trigger/eventName")
                && is("callable", "/attributes/trigger/callable")
        };
        let shown: Vec<Value> = self
            .setting("workflows")
            .iter()
            .filter(wanted)
            .cloned()
            .collect();
        self.list_values(&shown, 100, &["enabled", "eventName", "callable"])
    }

    /// Title, body and slug of an article, one version a language. The path is a guess (§14).
    fn article_versions(&self, id: &str) -> Answer {
        self.role("kb.read")?;
        let of = |version: &&Value| {
            version
                .pointer("/relationships/article/data/id")
                .is_some_and(|article| article == id)
        };
        let versions: Vec<Value> = self
            .setting("kb/versions")
            .iter()
            .filter(of)
            .cloned()
            .collect();
        if versions.is_empty() {
            return Err(Fail::not_found());
        }
        self.list_values(&versions, 100, &[])
    }

    fn public_articles(&self) -> Answer {
        let public = |article: &&Value| {
            article.pointer("/attributes/status") == Some(&"published".into())
                && article.pointer("/attributes/scope") == Some(&"public".into())
                && article.pointer("/attributes/deleted") == Some(&false.into())
        };
        let shown: Vec<Value> = self
            .setting("kb/articles")
            .iter()
            .filter(public)
            .cloned()
            .collect();
        self.list_values(&shown, 100, &["knowledgeBaseId"])
    }

    fn live(&self, context: Context) -> Vec<u32> {
        let kind = super::world::kind_of(context);
        let hidden = flag::DELETED | flag::MERGED;
        self.world
            .in_id_order(kind)
            .iter()
            .copied()
            .filter(|number| self.world.flags(context, *number) & hidden == 0)
            .collect()
    }

    /// Both filters together are both ignored (§13 item 15).
    fn companies(&self) -> Answer {
        self.role("company.read")?;
        let mut numbers = self.live(Context::Company);
        let attribute = |number: u32, name: &str| {
            let company = self.world.render(Kind::Company, number)?;
            company
                .get("attributes")?
                .get(name)?
                .as_str()
                .map(str::to_owned)
        };
        match (self.param("externalId"), self.param("filter")) {
            (Some(id), None) => {
                numbers.retain(|n| attribute(*n, "externalId").as_deref() == Some(id));
            }
            (None, Some(name)) => numbers.retain(|n| {
                attribute(*n, "name")
                    .is_some_and(|found| found.to_lowercase().contains(&name.to_lowercase()))
            }),
            _ => {}
        }
        self.list(&numbers, 100, PAGE, &["externalId", "filter"], |n| {
            self.world.render(Kind::Company, n)
        })
    }

    /// Edges of the company hierarchy. The path and its filters are guesses (§9.2, §14).
    fn edges(&self) -> Answer {
        self.role("company.read")?;
        let edges: Vec<Value> = (0..self.world.len(Kind::Company) as u32)
            .filter_map(|child| self.world.edge_json(child))
            .filter(|edge| {
                ["sourceId", "targetId", "name"].iter().all(|name| {
                    self.param(name).is_none_or(|wanted| {
                        edge.pointer(&format!("/attributes/{name}")) == Some(&wanted.into())
                    })
                })
            })
            .collect();
        self.list_values(&edges, 100, &["sourceId", "targetId", "name"])
    }

    fn customers(&self, path: &[&str]) -> Answer {
        let needs = match path {
            ["merges", ..] | [_, "merges"] => "customer_merge.read",
            [_, "conversations"] => "conversation.read",
            [_, "messages"] => "message.read",
            [_, "notes"] => "note.read",
            [_, "drafts"] => "draft.read",
            [_, "sessions", ..] => "event.read",
            _ => "customer.read",
        };
        self.role(needs)?;
        match path {
            [] => {
                let numbers = self.live(Context::Customer);
                let mut answer = self.list(&numbers, 100, 30, &[], |n| {
                    self.world.render(Kind::Customer, n)
                })?;
                // This list tells its totals, as few do (§4).
                let (page, size) = self.paging(100, 30)?;
                let rows = match answer.get_mut("data").map(Value::take) {
                    Some(Value::Array(rows)) => rows,
                    _ => Vec::new(),
                };
                Ok(self.envelope(rows, page, size, numbers.len() as u64, true))
            }
            ["merges", id] => {
                self.found(self.child(Kind::Merge, id).and_then(|n| self.merge_json(n)))
            }
            ["searches", ..] => Ok(json!({"data": []})),
            [id] => match id.split_once('=') {
                None => self.one(Context::Customer, id),
                Some((by, wanted)) => self.customer_by(by, wanted),
            },
            [id, rest @ ..] => {
                let number = self.number(Kind::Customer, id)?;
                self.of_customer(number, id, rest)
            }
        }
    }

    fn customer_by(&self, by: &str, wanted: &str) -> Answer {
        let (list, name) = match by {
            "email" => ("emails", "email"),
            "phone" => ("phones", "phone"),
            "externalId" => ("externalIds", "externalId"),
            _ => return Err(Fail::not_found()),
        };
        let found = self.live(Context::Customer).into_iter().find_map(|number| {
            let customer = self.world.render(Kind::Customer, number)?;
            let values = customer.get("attributes")?.get(list)?.as_array()?;
            let hit = values.iter().any(|value| {
                value
                    .get(name)
                    .and_then(Value::as_str)
                    .is_some_and(|v| v.eq_ignore_ascii_case(wanted))
            });
            hit.then_some(customer)
        });
        self.found(found)
    }

    fn of_customer(&self, customer: u32, id: &str, path: &[&str]) -> Answer {
        let threads = || {
            let mut threads = self.world.conversations_of(customer).to_vec();
            threads.retain(|c| self.world.flags(Context::Conversation, *c) & flag::DELETED == 0);
            threads
        };
        match path {
            ["conversations"] => {
                let from = self.since()?;
                let mut threads = threads();
                threads.retain(|c| self.world.updated(Context::Conversation, *c) >= from);
                self.list(&threads, 100, PAGE, &["fromDate"], |n| {
                    self.world.render(Kind::Conversation, n)
                })
            }
            ["messages"] => {
                let messages: Vec<u32> = threads()
                    .into_iter()
                    .flat_map(|c| self.world.messages_of(c))
                    .collect();
                self.message_list(&messages)
            }
            ["notes"] => {
                let notes: Vec<u32> = self
                    .world
                    .in_id_order(Kind::Note)
                    .iter()
                    .copied()
                    .filter(|n| {
                        let note = self.world.notes.get(*n as usize);
                        note.is_some_and(|n| n.customer == customer && n.flags & flag::DELETED == 0)
                    })
                    .collect();
                self.list(&notes, 100, PAGE, &[], |n| self.world.render(Kind::Note, n))
            }
            ["drafts"] => {
                let drafts: Vec<u32> = self
                    .draft_json(customer)
                    .is_some()
                    .then_some(customer)
                    .into_iter()
                    .collect();
                let mut answer =
                    self.list(&drafts, 100, PAGE, &["include"], |n| self.draft_json(n))?;
                let files: Vec<Value> = if self.param("include") == Some("attachments") {
                    let parent = ("draft", "drafts", Kind::Draft);
                    drafts
                        .iter()
                        .flat_map(|draft| self.attachments(Kind::DraftAttachment, *draft, parent))
                        .collect()
                } else {
                    Vec::new()
                };
                if let Some(map) = answer.as_object_mut() {
                    map.insert("included".into(), files.into());
                }
                Ok(answer)
            }
            // Those into it, and the one by which it went away itself.
            ["merges"] => {
                let merged_into =
                    |n: u32| self.world.customers.get(n as usize).map(|c| c.merged_into);
                let merged: Vec<u32> = (0..self.world.len(Kind::Customer) as u32)
                    .filter(|n| *n == customer || merged_into(*n) == Some(customer))
                    .filter(|n| merged_into(*n) != Some(NONE))
                    .collect();
                self.list(&merged, 100, PAGE, &[], |n| self.merge_json(n))
            }
            // Deprecated; always 404 (§6).
            ["events"] => Err(Fail::not_found()),
            ["sessions"] => {
                let sessions: Vec<u32> = (customer % 11 == 2)
                    .then_some(customer)
                    .into_iter()
                    .collect();
                self.list(&sessions, 100, PAGE, &[], |n| self.session_json(n))
            }
            ["sessions", _, "events"] => self.list(&[], 100, PAGE, &[], |_| None),
            ["klasses", name] => self.owned_kobjects(Kind::Customer, id, name),
            _ => Err(Fail::not_found()),
        }
    }

    fn since(&self) -> Result<i64, Fail> {
        match self.param("fromDate") {
            None => Ok(i64::MIN),
            Some(text) => chrono::DateTime::parse_from_rfc3339(text)
                .map(|time| time.timestamp_millis())
                .map_err(|_| Fail::bad("fromDate", "fromDate is no date-time")),
        }
    }

    fn merge_json(&self, source: u32) -> Option<Value> {
        let customer = self
            .world
            .customers
            .get(source as usize)
            .filter(|c| c.merged_into != NONE)?;
        let id = self.world.oid(Kind::Merge, source).to_string();
        let at = Clock::iso(customer.updated);
        let mut related = with_org(self.world);
        let person = |number| {
            one(
                "customer",
                "customers",
                &self.world.id(Kind::Customer, number),
            )
        };
        related.insert("source".into(), person(source));
        related.insert("target".into(), person(customer.merged_into));
        related.insert(
            "createdBy".into(),
            one("user", "users", &self.world.id(Kind::User, 1)),
        );
        Some(json!({"type": "customer_merge", "id": id,
            "attributes": {"status": "success", "createdAt": at, "updatedAt": at},
            "relationships": related, "links": {"self": format!("/v1/customers/merges/{id}")}}))
    }

    /// Some customers have a draft in their first conversation. Here, not on messages, are `body` and `htmlBody`.
    fn draft_json(&self, customer: u32) -> Option<Value> {
        let conversation = *self.world.conversations_of(customer).first()?;
        if customer % 23 != 4 && customer % 23 != 7 {
            return None;
        }
        let id = self.world.oid(Kind::Draft, customer).to_string();
        let at = Clock::iso(self.world.updated(Context::Customer, customer));
        let text = format!("Draft {customer}: we will come back to you 👋");
        let related = self.written(customer, conversation);
        let payload = draft_js(&text);
        Some(
            json!({"type": "draft", "id": id, "attributes": {"channel": "email", "body": text,
            "htmlBody": format!("<p>{text}</p>"), "payload": payload, "status": "draft",
            "createdAt": at, "updatedAt": at, "modifiedAt": at},
            "relationships": related, "links": {"self": format!("/v1/drafts/{id}")}}),
        )
    }

    fn written(&self, customer: u32, conversation: u32) -> Map<String, Value> {
        let world = self.world;
        let mut related = with_org(world);
        let author = world.user_id(u64::from(1 + customer % 8));
        related.insert(
            "customer".into(),
            one("customer", "customers", &world.id(Kind::Customer, customer)),
        );
        related.insert(
            "conversation".into(),
            one(
                "conversation",
                "conversations",
                &world.id(Kind::Conversation, conversation),
            ),
        );
        related.insert("createdBy".into(), one("user", "users", &author));
        related.insert("modifiedBy".into(), one("user", "users", &author));
        related
    }

    fn forward_json(&self, conversation: u32) -> Option<Value> {
        let found = self.world.conversations.get(conversation as usize)?;
        if conversation % 29 != 3 || found.flags & flag::DELETED != 0 {
            return None;
        }
        let id = self.world.oid(Kind::Forward, conversation).to_string();
        let at = Clock::iso(found.created + 60_000);
        let text = format!("Please have a look at this. (Forward {conversation})");
        let payload = draft_js(&text);
        Some(
            json!({"type": "forward", "id": id, "attributes": {"app": "postmark", "channel": "email",
            "from": {"name": "Acme Support", "email": "support@acme.example"},
            "to": [{"name": "Partner, Inc.", "email": "partner@example.net"}], "cc": [{"name": "", "email": "copy@example.net"}],
            "subject": "Fwd: order", "body": text, "payload": payload, "status": "sent",
            "createdAt": at, "updatedAt": at, "modifiedAt": at},
            "relationships": self.written(found.customer, conversation), "links": {"self": format!("/v1/forwards/{id}")}}),
        )
    }

    fn session_json(&self, customer: u32) -> Option<Value> {
        let id = self.world.oid(Kind::Session, customer).to_string();
        let at = Clock::iso(self.world.updated(Context::Customer, customer));
        let mut related = with_org(self.world);
        let person = self.world.id(Kind::Customer, customer);
        related.insert("customer".into(), one("customer", "customers", &person));
        Some(json!({"type": "session", "id": id,
            "attributes": {"sessionId": id, "firstEventAt": at, "lastEventAt": at, "count": 0},
            "relationships": related, "links": {"self": format!("/v1/customers/{person}/sessions/{id}")}}))
    }

    fn conversations(&self, path: &[&str]) -> Answer {
        self.role(match path {
            [_, "messages"] => "message.read",
            [_, "notes"] => "note.read",
            [_, "attachments"] => "attachment.read",
            [_, "events"] => "event.read",
            [_, "forwards"] => "draft.read",
            _ => "conversation.read",
        })?;
        match path {
            [] => {
                let mut numbers = self.live(Context::Conversation);
                self.sort_by_id(&mut numbers, &["desc", "asc"])?;
                self.list(&numbers, 100, PAGE, &["sort"], |n| {
                    self.world.render(Kind::Conversation, n)
                })
            }
            ["times", ids] => self.several(ids, |id| {
                let number = self.child(Kind::ConversationTime, id)?;
                self.world.render(Kind::ConversationTime, number)
            }),
            [ids] if ids.contains(',') => self.several(ids, |id| {
                let answer = self.one(Context::Conversation, id).ok()?;
                answer.get("data").cloned()
            }),
            [id] => match id.strip_prefix("externalId=") {
                None => self.one(Context::Conversation, id),
                Some(wanted) => self.by_external_id(Context::Conversation, wanted),
            },
            [id, rest @ ..] => {
                let number = self.number(Kind::Conversation, id)?;
                if self.world.flags(Context::Conversation, number) & flag::DELETED != 0 {
                    return Err(Fail::not_found());
                }
                self.of_conversation(number, id, rest)
            }
        }
    }

    fn by_external_id(&self, context: Context, wanted: &str) -> Answer {
        let kind = super::world::kind_of(context);
        let found = self.live(context).into_iter().find_map(|number| {
            let record = self.world.render(kind, number)?;
            (record.pointer("/attributes/externalId")? == wanted).then_some(record)
        });
        self.found(found)
    }

    fn sort_by_id(&self, numbers: &mut [u32], known: &[&str]) -> Result<(), Fail> {
        match self.param("sort") {
            None | Some("asc") => Ok(()),
            Some("desc") if known.contains(&"desc") => {
                numbers.reverse();
                Ok(())
            }
            Some(_) => Err(Fail::bad("sort", "sort is asc or desc")),
        }
    }

    fn of_conversation(&self, conversation: u32, id: &str, path: &[&str]) -> Answer {
        match path {
            ["messages"] => {
                let messages: Vec<u32> = self.world.messages_of(conversation).collect();
                self.message_list(&messages)
            }
            ["notes"] => {
                let mut notes: Vec<u32> = self.world.notes_of(conversation).collect();
                notes.retain(|n| self.world.flags(Context::Note, *n) & flag::DELETED == 0);
                self.list(&notes, 100, PAGE, &[], |n| self.world.render(Kind::Note, n))
            }
            // Files of messages only, not of notes (§9.6).
            ["attachments"] => {
                let messages = self.world.messages_of(conversation);
                let mut files: Vec<Value> = messages
                    .flat_map(|m| self.attachments(Kind::MessageAttachment, m, MESSAGE_PARENT))
                    .collect();
                if self.switches.attachments_without_id {
                    for file in files.iter_mut().filter_map(Value::as_object_mut) {
                        file.shift_remove("id");
                    }
                }
                self.list_values(&files, 100, &[])
            }
            ["events"] => self.events(conversation),
            ["times"] => self.times(id),
            ["forwards"] => {
                let forwards: Vec<u32> = self
                    .forward_json(conversation)
                    .is_some()
                    .then_some(conversation)
                    .into_iter()
                    .collect();
                self.list(&forwards, 100, PAGE, &["include"], |n| self.forward_json(n))
            }
            _ => Err(Fail::not_found()),
        }
    }

    fn times(&self, id: &str) -> Answer {
        self.role("conversation.read")?;
        let conversation = self.number(Kind::Conversation, id)?;
        let mut messages: Vec<u32> = self.world.messages_of(conversation).collect();
        messages.retain(|m| {
            let flags = self.world.messages.get(*m as usize).map_or(0, |m| m.flags);
            flags & flag::OUT != 0 && flags & flag::AUTO == 0
        });
        self.list(&messages, 1000, PAGE, &[], |n| {
            self.world.render(Kind::ConversationTime, n)
        })
    }

    /// Newest first. One event for the beginning, one for the end.
    fn events(&self, conversation: u32) -> Answer {
        let Some(found) = self.world.conversations.get(conversation as usize) else {
            return Err(Fail::not_found());
        };
        let event = |part: u8, name: &str, at: i64, changes: Value| {
            let id = self
                .world
                .oid_part(Kind::Event, part, conversation)
                .to_string();
            let at = Clock::iso(at);
            json!({"type": "customer_event", "id": id, "attributes": {"name": name, "type": "tracking",
                "publishedAt": at, "createdAt": at, "updatedAt": at, "modifiedAt": at, "changes": changes,
                "location": null, "meta": null},
                "relationships": self.written(found.customer, conversation), "links": {"self": format!("/v1/events/{id}")}})
        };
        let mut events = vec![event(
            0,
            "kustomer.conversation.create",
            found.created,
            json!({"attributes": {}, "relationships": {}}),
        )];
        if found.status == 2 {
            let changes = json!({"attributes": {"status": {"op": "replace", "before": "open", "after": "done"}}, "relationships": {}});
            events.push(event(
                1,
                "kustomer.conversation.update",
                found.updated,
                changes,
            ));
        }
        events.retain(|event| {
            self.param("name")
                .is_none_or(|name| event.pointer("/attributes/name") == Some(&name.into()))
        });
        if self.param("sort") != Some("asc") {
            events.reverse();
        }
        self.list_values(&events, 100, &["sort", "name", "changed"])
    }

    fn message_list(&self, messages: &[u32]) -> Answer {
        let mut answer = self.list(messages, 100, PAGE, &["include", "sort"], |n| {
            self.world.render(Kind::Message, n)
        })?;
        if self.param("include") == Some("attachments") {
            let (page, size) = self.paging(100, PAGE)?;
            let rows = messages
                .iter()
                .skip(((page - 1) * size) as usize)
                .take(size as usize);
            let files: Vec<Value> = rows
                .flat_map(|m| self.attachments(Kind::MessageAttachment, *m, MESSAGE_PARENT))
                .collect();
            if let Some(map) = answer.as_object_mut().filter(|_| !files.is_empty()) {
                map.insert("included".into(), files.into());
            }
        } else if let Some(include) = self.param("include") {
            return Err(Fail::bad("include", format!("cannot include {include}")));
        }
        Ok(answer)
    }

    fn messages(&self, path: &[&str]) -> Answer {
        self.role(if path.contains(&"attachments") {
            "attachment.read"
        } else {
            "message.read"
        })?;
        match path {
            [] => {
                let mut numbers = self.live(Context::Message);
                self.sort_by_id(&mut numbers, &["asc", "desc"])?;
                self.message_list(&numbers)
            }
            // The `d` is in lower case here (§7).
            [id] if id.starts_with("externalid=") => {
                let wanted = id.strip_prefix("externalid=").unwrap_or_default();
                self.by_external_id(Context::Message, wanted)
            }
            [id] => self.one(Context::Message, id),
            [id, "attachments", rest @ ..] => {
                let number = self.number(Kind::Message, id)?;
                let files = self.attachments(Kind::MessageAttachment, number, MESSAGE_PARENT);
                self.one_of_or_all(files, rest)
            }
            _ => Err(Fail::not_found()),
        }
    }

    fn notes(&self, path: &[&str]) -> Answer {
        self.role(if path.contains(&"attachments") {
            "attachment.read"
        } else {
            "note.read"
        })?;
        match path {
            [] => {
                let mut numbers = self.live(Context::Note);
                self.sort_by_id(&mut numbers, &["asc", "desc"])?;
                self.list(&numbers, 100, PAGE, &["sort"], |n| {
                    self.world.render(Kind::Note, n)
                })
            }
            [id] => self.one(Context::Note, id),
            [id, "attachments", rest @ ..] if self.switches.note_files != NoteFiles::Hidden => {
                let number = self.number(Kind::Note, id)?;
                let files =
                    self.attachments(Kind::NoteAttachment, number, ("note", "notes", Kind::Note));
                self.one_of_or_all(files, rest)
            }
            _ => Err(Fail::not_found()),
        }
    }

    /// What is below a record: a list, or the one that the rest of the path names.
    fn one_of_or_all(&self, all: Vec<Value>, rest: &[&str]) -> Answer {
        match rest {
            [] => self.list_values(&all, 100, &[]),
            [wanted] => {
                let mut all = all.into_iter();
                self.found(all.find(|one| one.get("id").is_some_and(|id| id == wanted)))
            }
            _ => Err(Fail::not_found()),
        }
    }

    fn attachments(
        &self,
        kind: Kind,
        parent: u32,
        (name, path, parent_kind): Parent,
    ) -> Vec<Value> {
        let id = self.world.id(parent_kind, parent);
        let files = self.world.files_of(kind, parent);
        files
            .iter()
            .map(|file| self.attachment(file, name, path, &id))
            .collect()
    }

    /// `links.related` is where the bytes are; it is left out when they are nowhere (§9.6).
    fn attachment(&self, file: &File, name: &str, path: &str, parent: &str) -> Value {
        let mut related = with_org(self.world);
        related.insert(name.to_owned(), one(name, path, parent));
        let mut links = json!({"self": format!("/v1/{path}/{parent}/attachments/{}", file.id)});
        if let (Some(links), Some(link)) = (links.as_object_mut(), self.world.link(file)) {
            links.insert("related".into(), link.into());
        }
        json!({"type": "attachment", "id": file.id.to_string(),
            "attributes": {"name": file.name, "contentType": file.content_type, "contentLength": file.length,
                "redacted": false},
            "relationships": related, "links": links})
    }

    /// Outbound files only; inbound ones have to go through their message (§9.6).
    fn outbound_attachments(&self, ids: &str) -> Answer {
        self.role("attachment.read")?;
        self.several(ids, |id| {
            let oid: Oid = id.parse().ok()?;
            let message = self.world.messages.get(oid.number() as usize)?;
            if oid.kind() != Some(Kind::MessageAttachment) || message.flags & flag::OUT == 0 {
                return None;
            }
            let file = self.world.file(oid)?;
            let parent = self.world.id(Kind::Message, oid.number());
            let mut attachment = self.attachment(&file, "message", "messages", &parent);
            if let Some(a) = attachment
                .get_mut("attributes")
                .and_then(Value::as_object_mut)
            {
                a.insert("uploaded".into(), true.into());
            }
            Some(attachment)
        })
    }

    fn loose_attachments(&self, parent: Kind, kind: Kind, id: &str, rest: &[&str]) -> Answer {
        self.role("attachment.read")?;
        let number = self.child(parent, id).ok_or_else(Fail::not_found)?;
        let names = match parent {
            Kind::Draft => ("draft", "drafts", Kind::Draft),
            _ => ("forward", "forwards", Kind::Forward),
        };
        self.one_of_or_all(self.attachments(kind, number, names), rest)
    }

    /// What `links.related` of a message leads to: a switch (§9.4, §14).
    fn body_resource(&self, app: &str, id: &str) -> Answer {
        self.role("message.read")?;
        let number = self.number(Kind::Message, id)?;
        let related = self.world.render(Kind::Message, number).and_then(|m| {
            m.pointer("/links/related")
                .and_then(Value::as_str)
                .map(str::to_owned)
        });
        if related.as_deref() != Some(&format!("/v1/{app}/messages/{id}")) {
            return Err(Fail::not_found());
        }
        let mut attributes = json!({"body": self.world.message_text(number)});
        match self.switches.body_resource {
            BodyResource::Absent => return Err(Fail::not_found()),
            BodyResource::Text => {}
            BodyResource::Html => {
                if let Some(map) = attributes.as_object_mut() {
                    map.insert("htmlBody".into(), self.world.message_html(number).into());
                }
            }
        }
        Ok(
            json!({"data": {"type": format!("{app}_message"), "id": id, "attributes": attributes,
            "relationships": {"message": one("message", "messages", id)},
            "links": {"self": format!("/v1/{app}/messages/{id}")}}}),
        )
    }

    fn klasses(&self, path: &[&str]) -> Answer {
        match path {
            [] => {
                self.role("klass.read")?;
                let wanted = self.param("status").unwrap_or("enabled");
                if !["enabled", "existing_only", "disabled"].contains(&wanted) {
                    return Err(Fail::bad("status", "unknown status"));
                }
                let all = self.param("status").is_none() && !self.switches.klasses_enabled_only;
                let shown: Vec<Value> = self
                    .setting("klasses")
                    .iter()
                    .filter(|klass| {
                        all || klass.pointer("/attributes/status") == Some(&wanted.into())
                    })
                    .cloned()
                    .collect();
                self.list_values(&shown, 100, &["status"])
            }
            // By id it is the klass, by name its records: one path, two meanings (§7).
            [name_or_id] => {
                self.role("klass.read")?;
                if let Some(klass) = self
                    .setting("klasses")
                    .iter()
                    .find(|k| k.get("id").is_some_and(|id| id == name_or_id))
                {
                    return self.found(Some(klass.clone()));
                }
                let klass = self.klass(name_or_id)?;
                let from = self.since()?;
                let mut numbers = self
                    .world
                    .kobjects_by_klass
                    .get(klass)
                    .cloned()
                    .unwrap_or_default();
                numbers.retain(|n| self.world.updated(Context::KObject, *n) >= from);
                numbers.sort_by_cached_key(|n| self.world.oid(Kind::KObject, *n));
                self.list(&numbers, 100, PAGE, &["fromDate"], |n| {
                    self.world.render(Kind::KObject, n)
                })
            }
            [name, id] => {
                self.role("kobject.read").or_else(|fail| {
                    self.role(&format!("kobject.kobject_{name}.read"))
                        .map_err(|_| fail)
                })?;
                let klass = self.klass(name)?;
                let of_klass = |n: &u32| {
                    self.world
                        .kobjects
                        .get(*n as usize)
                        .is_some_and(|k| k.klass as usize == klass)
                };
                if let Some(wanted) = id.strip_prefix("externalId=") {
                    let numbers = self
                        .world
                        .kobjects_by_klass
                        .get(klass)
                        .into_iter()
                        .flatten();
                    let found = numbers.copied().find_map(|number| {
                        let record = self.world.render(Kind::KObject, number)?;
                        (record.pointer("/attributes/externalId")? == wanted).then_some(record)
                    });
                    return self.found(found);
                }
                let number = self.number(Kind::KObject, id)?;
                self.found(
                    Some(number)
                        .filter(of_klass)
                        .and_then(|n| self.world.render(Kind::KObject, n)),
                )
            }
            _ => Err(Fail::not_found()),
        }
    }

    fn klass(&self, name: &str) -> Result<usize, Fail> {
        KLASSES
            .iter()
            .position(|klass| klass.name == name)
            .ok_or_else(Fail::not_found)
    }

    fn owned_kobjects(&self, owner: Kind, id: &str, name: &str) -> Answer {
        let number = self.number(owner, id)?;
        let klass = self.klass(name)?;
        let from = self.since()?;
        let mut numbers = self
            .world
            .kobjects_by_owner
            .get(&(owner == Kind::Company, number))
            .cloned()
            .unwrap_or_default();
        numbers.retain(|n| {
            self.world
                .kobjects
                .get(*n as usize)
                .is_some_and(|k| k.klass as usize == klass && k.updated >= from)
        });
        self.list(&numbers, 100, PAGE, &["fromDate"], |n| {
            self.world.render(Kind::KObject, n)
        })
    }

    fn metadata(&self, resource: &str) -> Answer {
        self.role("metadata.read")?;
        self.only(&[])?;
        let attributes = custom::attributes(resource).ok_or_else(Fail::not_found)?;
        let user = self.world.id(Kind::User, 1);
        let attributes = custom::chosen(attributes, self.world.few);
        let properties = custom::properties(&attributes, &user, |name| {
            self.world
                .sensitive
                .contains(&format!("{resource}.custom.{name}"))
        });
        Ok(
            json!({"data": {"type": "metadata", "id": resource, "attributes": {"properties": properties},
            "relationships": with_org(self.world), "links": {"self": format!("/v1/metadata/{resource}")}}}),
        )
    }

    fn satisfaction_response(&self, id: &str) -> Answer {
        self.role("satisfaction_response.read")?;
        let number = self
            .child(Kind::SatisfactionResponse, id)
            .ok_or_else(Fail::not_found)?;
        let conversation = self
            .world
            .render(Kind::Conversation, number)
            .unwrap_or_default();
        let Some(level) = conversation.pointer("/attributes/satisfactionLevel") else {
            return Err(Fail::not_found());
        };
        Ok(
            json!({"data": {"type": "satisfaction_response", "id": id, "attributes": level,
            "relationships": {"conversation": one("conversation", "conversations", &self.world.id(Kind::Conversation, number))},
            "links": {"self": format!("/v1/satisfaction-responses/{id}")}}}),
        )
    }

    /// Cursor based (§4), newest first: `before` an id leads to older entries, `after` it to newer ones.
    fn audit_logs(&self) -> Answer {
        self.role("audit_logs.read")?;
        let filters = [
            ("filter[objectType]", "/attributes/objectType"),
            ("filter[objectId]", "/attributes/objectId"),
            ("filter[userId]", "/attributes/userId"),
        ];
        let mut known = vec![
            "count",
            "before",
            "after",
            "filter[include]",
            "filter[start]",
            "filter[end]",
        ];
        known.extend(filters.iter().map(|(name, _)| *name));
        self.only(&known)?;
        if self.param("filter[objectId]").is_some() && self.param("filter[objectType]").is_none() {
            let message = "filter[objectId] requires filter[objectType]";
            return Err(Fail::bad("filter[objectId]", message));
        }
        let count = match self.param("count").map(str::parse::<usize>) {
            None => 100,
            Some(Ok(count)) if (1..=1000).contains(&count) => count,
            _ => return Err(Fail::bad("count", "count is from 1 to 1000")),
        };
        let at = |name: &str, default: i64| match self.param(name) {
            None => Ok(default),
            Some(text) => chrono::DateTime::parse_from_rfc3339(text)
                .map(|time| time.timestamp_millis())
                .map_err(|_| Fail::bad(name, format!("{name} is no date-time"))),
        };
        let (start, end) = (at("filter[start]", i64::MIN)?, at("filter[end]", i64::MAX)?);
        let wanted = |(at, entry): &(i64, Value)| {
            (start..=end).contains(at)
                && filters.iter().all(|(name, pointer)| {
                    self.param(name)
                        .is_none_or(|wanted| entry.pointer(pointer) == Some(&wanted.into()))
                })
        };
        let all: Vec<Value> = self
            .audit_log()
            .into_iter()
            .filter(wanted)
            .map(|(_, entry)| entry)
            .collect();
        let place = |name: &str| {
            let id = self.param(name)?;
            all.iter()
                .position(|entry| entry.get("id").is_some_and(|i| i == id))
        };
        let from = match (place("before"), place("after")) {
            (Some(before), _) => before + 1,
            (None, Some(after)) => after.saturating_sub(count),
            (None, None) => 0,
        };
        let to = (from + count).min(place("after").unwrap_or(all.len()));
        let rows = all.get(from..to.max(from)).unwrap_or(&[]);
        let others: String = self
            .query
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "count" | "before" | "after"))
            .map(|(name, value)| {
                let pair = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair(name, value)
                    .finish();
                format!("&{pair}")
            })
            .collect();
        let link = |cursor: Option<(&str, &Value)>| {
            let cursor = cursor.map_or_else(String::new, |(name, row)| {
                format!(
                    "&{name}={}",
                    row.get("id").and_then(Value::as_str).unwrap_or_default()
                )
            });
            format!("/v1/audit-logs?count={count}{others}{cursor}")
        };
        let prev = rows.first().filter(|_| from > 0);
        let next = rows.last().filter(|_| to < all.len());
        Ok(
            json!({"meta": {"count": rows.len(), "total": all.len(), "cursorCount": rows.len()},
            "links": {"self": link(None), "first": link(None),
                "prev": prev.map(|row| link(Some(("after", row)))),
                "next": next.map(|row| link(Some(("before", row))))},
            "data": rows}),
        )
    }

    /// What is still kept, newest first: updates for 90 days, the making of merges for 12 months (§9.13).
    fn audit_log(&self) -> Vec<(i64, Value)> {
        const DAY: i64 = 86_400_000;
        let world = self.world;
        let (users, now) = (world.users.len().max(1) as u32, world.born);
        // Two users a day were edited.
        let updates = (0..180_u32).map(|number| {
            let user = world.id(Kind::User, number % users);
            (
                now - i64::from(number) * DAY / 2 - 1,
                "user",
                "update",
                user,
            )
        });
        let merges = (0..world.len(Kind::Customer) as u32).filter_map(|source| {
            let customer = world.customers.get(source as usize)?;
            let kept = customer.merged_into != NONE && customer.updated > now - 365 * DAY;
            let merge = world.oid(Kind::Merge, source).to_string();
            kept.then_some((customer.updated, "customer_merge", "create", merge))
        });
        let mut all: Vec<(i64, &str, &str, String)> = updates.chain(merges).collect();
        all.sort_by(|a, b| b.cmp(a));
        all.into_iter()
            .enumerate()
            .map(|(number, (at, kind, verb, object))| {
                let user = world.id(Kind::User, number as u32 % users);
                let id = world.oid(Kind::AuditLog, number as u32).to_string();
                let made = Clock::iso(at);
                let entry = json!({"type": "audit_log", "id": id, "attributes": {
                    "eventName": format!("kustomer.{kind}.{verb}"), "eventVerb": verb, "org": world.org(),
                    "userId": user, "userType": "user", "objectId": object, "objectType": kind,
                    "client": "web", "ip": "192.0.2.1", "changes": {"attributes": {}, "relationships": {}},
                    "createdAt": made, "publishedAt": made, "expiresAt": Clock::iso(at + 365 * DAY)},
                    "relationships": {"user": one("user", "users", &user)},
                    "links": {"self": format!("/v1/audit-logs/{id}")}});
                (at, entry)
            })
            .collect()
    }

    fn search(&self, archive: bool) -> Answer {
        self.role("search.create")?;
        self.only(&["page", "pageSize", "idsOnly"])?;
        if !self.json {
            return Err(Fail::bad(
                "content-type",
                "the body must be application/json",
            ));
        }
        let body: Value = serde_json::from_slice(self.body)
            .map_err(|error| Fail::bad("body", format!("the body is no JSON: {error}")))?;
        let query = Query::read(&body, archive, self.switches)
            .map_err(|wrong| Fail::bad("body", wrong.0))?;
        let count = self.inner.searches.fetch_add(1, Ordering::SeqCst) + 1;
        let (page, size) = self.paging(500, PAGE)?;
        let depth = self.within(
            self.switches.search_rows,
            Some(self.switches.search_pages),
            page,
            size,
        )?;
        let horizon = self.world.clock.now_ms() - self.switches.horizon_ms;
        let within = if archive {
            (i64::MIN, horizon + self.switches.horizon_overlap_ms)
        } else {
            (horizon, i64::MAX)
        };
        let (skip, mut take) = depth.unwrap_or((0, 0));
        let timed_out = self
            .switches
            .timed_out_every
            .is_some_and(|n| n > 0 && count.is_multiple_of(n));
        if timed_out {
            take /= 2;
        }
        let shuffle = self.switches.unstable_ties.then_some(count);
        let found = query.run(self.world, within, skip, take, shuffle);
        let rows = match (self.param("idsOnly"), self.switches.ids_only) {
            (Some("true"), IdsOnly::Resources) => found
                .rows
                .iter()
                .map(|row| json!({"type": row.get("type"), "id": row.get("id")}))
                .collect(),
            (Some("true"), IdsOnly::Strings) => found
                .rows
                .iter()
                .filter_map(|row| row.get("id").cloned())
                .collect(),
            _ => found.rows,
        };
        let mut answer = self.envelope(rows, page, size, found.total, true);
        if let Some(meta) = answer.get_mut("meta").and_then(Value::as_object_mut) {
            meta.insert("aggregations".into(), json!({}));
            meta.insert("timed_out".into(), timed_out.into());
        }
        if page >= self.switches.search_pages
            && !self.switches.next_past_the_cap
            && let Some(links) = answer.get_mut("links").and_then(Value::as_object_mut)
        {
            links.insert("next".into(), Value::Null);
        }
        Ok(answer)
    }
}

/// Name and path of a record that has files, and its kind.
type Parent = (&'static str, &'static str, Kind);
const MESSAGE_PARENT: Parent = ("message", "messages", Kind::Message);

fn draft_js(text: &str) -> Value {
    json!({"draftJs": {"blocks": [{"key": "a1b2c", "text": text, "type": "unstyled", "depth": 0,
        "inlineStyleRanges": [], "entityRanges": [], "data": {}}], "entityMap": {}}})
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let mut decoded = [0];
        hex::decode_to_slice(digits, &mut decoded).ok()?;
        bytes.extend(decoded);
    }
    String::from_utf8(bytes).ok()
}

async fn stored_file(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let object = request
        .uri()
        .path()
        .splitn(4, '/')
        .nth(3)
        .unwrap_or_default()
        .to_owned();
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    let authorized = request.headers().contains_key(AUTHORIZATION);
    let world = inner.world.read().unwrap_or_else(PoisonError::into_inner);
    file_answer(world.fetch(&object, &query, authorized))
}

async fn foreign_file(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    let world = inner.world.read().unwrap_or_else(PoisonError::into_inner);
    let id = match path.as_slice() {
        ["external", "recordings", name] => {
            let number = name
                .strip_suffix(".mp3")
                .and_then(|n| n.parse::<u32>().ok());
            if number.is_some_and(|number| world.is_voice(number)) {
                let sound: Vec<u8> = (0..2048_u32).map(|n| (n % 251) as u8).collect();
                let length = sound.len() as u64;
                let content: Content = Box::new(std::iter::once(sound.into()));
                return file_answer(Ok(("audio/mpeg".to_owned(), length, content)));
            }
            ""
        }
        ["external", "gone", ..] => "",
        ["external", id, ..] => id,
        _ => "",
    };
    file_answer(world.fetch_external(id))
}

fn file_answer(found: Result<(String, u64, Content), Refused>) -> Response<Body> {
    match found {
        Ok((kind, length, content)) => {
            let pieces = futures::stream::iter(content.map(Ok::<_, Infallible>));
            let mut response = Response::new(Body::from_stream(pieces));
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&kind) {
                headers.insert(CONTENT_TYPE, kind);
            }
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
            response
        }
        Err(Refused { status, body }) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            response
        }
    }
}
