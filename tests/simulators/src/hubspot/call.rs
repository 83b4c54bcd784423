//! One request on its way through the account: where it goes (HubSpot facts §1.2), what it costs (§2), what its body is.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, LocalResult, NaiveTime, TimeZone, Utc};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::model::{Id, Record, TypeId};
use super::state::{State, Token, iso};
use super::switches::Plan;
use crate::common::RateLimits;

/// A request as it came, its body read.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in capitals.
    pub method: String,
    /// Parts of the path, decoded.
    pub path: Vec<String>,
    /// Path as sent.
    pub raw_path: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as JSON, null without one.
    pub json: Value,
    /// Characters of the body.
    pub length: usize,
    /// Fields of a form.
    pub form: Vec<(String, String)>,
    /// The file of a form.
    pub file: Option<Upload>,
}

/// A file in a form.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// Name it was sent with.
    pub name: String,
    /// Media type.
    pub content_type: String,
    /// Bytes read.
    pub size: u64,
    /// MD5, hexadecimal.
    pub md5: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
}

impl Request {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The values of a list, repeated or with commas.
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.query.iter().filter(|(key, _)| key == name);
        let parts = values.flat_map(|(_, value)| value.split(','));
        parts
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A parameter that is true or false.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.param(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Failure::validation(format!(
                "{name}: {other} is no boolean"
            ))),
        }
    }

    /// A field of a form.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The version of the API that a path names (§1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// v1 to v4.
    Old,
    /// 2026-03.
    March2026,
    /// 2026-09.
    September2026,
}

/// A family of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    Oauth,
    AccountInfo,
    Owners,
    Users,
    Limits,
    Validations,
    Properties,
    Pipelines,
    Schemas,
    Objects,
    RecordLinks,
    Links,
    Files,
    Folders,
    Conversations,
    CustomChannels,
}

/// Which endpoint a path means: the families under their old and dated names.
pub(super) fn locate<'p>(path: &[&'p str]) -> Option<(Version, Api, Vec<&'p str>)> {
    let dated = |part: &str| match part {
        "2026-03" => Some(Version::March2026),
        "2026-09" => Some(Version::September2026),
        _ => None,
    };
    let (version, api, rest): (Version, Api, &[&str]) = match path {
        ["oauth", "v1", rest @ ..] => (Version::Old, Api::Oauth, rest),
        ["account-info", "v3", rest @ ..] => (Version::Old, Api::AccountInfo, rest),
        ["settings", "v3", "users", rest @ ..] => (Version::Old, Api::Users, rest),
        ["crm", "v3", "owners", rest @ ..] => (Version::Old, Api::Owners, rest),
        ["crm", "v3", "limits", rest @ ..] => (Version::Old, Api::Limits, rest),
        ["crm", "v3", "property-validations", rest @ ..] => (Version::Old, Api::Validations, rest),
        ["crm", "v3", "properties", rest @ ..] => (Version::Old, Api::Properties, rest),
        ["crm", "v3", "pipelines", rest @ ..] => (Version::Old, Api::Pipelines, rest),
        ["crm", "v3", "schemas", rest @ ..]
        | ["crm-object-schemas", "v3", "schemas", rest @ ..] => (Version::Old, Api::Schemas, rest),
        ["crm", "v3", "objects", rest @ ..] => (Version::Old, Api::Objects, rest),
        ["crm", "v4", "objects", rest @ ..] => (Version::Old, Api::RecordLinks, rest),
        ["crm", "v4", "associations", rest @ ..] | ["crm", "associations", "v4", rest @ ..] => {
            (Version::Old, Api::Links, rest)
        }
        ["files", "v3", "files", rest @ ..] => (Version::Old, Api::Files, rest),
        ["files", "v3", "folders", rest @ ..] => (Version::Old, Api::Folders, rest),
        ["conversations", "v3", "conversations", rest @ ..] => {
            (Version::Old, Api::Conversations, rest)
        }
        ["conversations", "v3", "custom-channels", rest @ ..] => {
            (Version::Old, Api::CustomChannels, rest)
        }
        ["oauth", date, rest @ ..] => (dated(date)?, Api::Oauth, rest),
        ["account-info", date, rest @ ..] => (dated(date)?, Api::AccountInfo, rest),
        ["crm-object-schemas", date, "schemas", rest @ ..] => (dated(date)?, Api::Schemas, rest),
        ["files", date, "files", rest @ ..] => (dated(date)?, Api::Files, rest),
        ["files", date, "folders", rest @ ..] => (dated(date)?, Api::Folders, rest),
        ["conversations", "conversations", date, rest @ ..] => {
            (dated(date)?, Api::Conversations, rest)
        }
        ["conversations", "custom-channels", date, rest @ ..] => {
            (dated(date)?, Api::CustomChannels, rest)
        }
        ["crm", "objects", date, rest @ ..] => {
            let api = match rest {
                [_, _, "associations", ..] => Api::RecordLinks,
                _ => Api::Objects,
            };
            (dated(date)?, api, rest)
        }
        ["crm", family, date, rest @ ..] => {
            let api = match *family {
                "owners" => Api::Owners,
                "limits" => Api::Limits,
                "property-validations" => Api::Validations,
                "properties" => Api::Properties,
                "pipelines" => Api::Pipelines,
                "associations" => Api::Links,
                _ => return None,
            };
            (dated(date)?, api, rest)
        }
        _ => return None,
    };
    Some((version, api, rest.to_vec()))
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The account.
    pub state: &'a mut State,
    /// The request.
    pub request: &'a Request,
    /// Who calls.
    pub token: Token,
    /// Version of the API.
    pub version: Version,
    /// Base of addresses of files.
    pub base: String,
}

impl Call<'_> {
    /// Refuses callers without one of these scopes (§1.1).
    pub fn scope(&self, any: &[&str]) -> Result<(), Failure> {
        if any
            .iter()
            .any(|wanted| self.token.scopes.iter().any(|has| has == wanted))
        {
            Ok(())
        } else {
            Err(Failure::scopes(any))
        }
    }

    /// Whether the version has the codes and bodies of 2026-09 (§1.2).
    pub fn has_new_codes(&self) -> bool {
        match self.version {
            Version::Old => false,
            Version::March2026 => self.state.config.switches.new_codes_in_2026_03,
            Version::September2026 => true,
        }
    }

    /// Whether what an admin has set is enforced (§1.2).
    pub fn enforces_rules(&self) -> bool {
        self.version == Version::September2026
    }

    /// The status of a batch that succeeded in part (§1.2).
    pub fn partial_status(&self) -> u16 {
        let always = self.state.config.switches.partial_is_207_in_dated;
        if self.has_new_codes() && !always {
            200
        } else {
            207
        }
    }

    /// The type a path names.
    pub fn object(&self, text: &str) -> Result<TypeId, Failure> {
        let wrong = || Failure::validation(format!("Unable to infer object type from: {text}"));
        self.state.type_named(text).ok_or_else(wrong)
    }

    /// The same, unless it is an archived custom object.
    pub fn live_object(&self, text: &str) -> Result<TypeId, Failure> {
        let id = self.object(text)?;
        let live = self
            .state
            .type_of(id)
            .is_some_and(|of| of.archived.is_none());
        if live {
            Ok(id)
        } else {
            Err(Failure::validation(format!(
                "Unable to infer object type from: {text}"
            )))
        }
    }

    /// The body as a JSON object that has no other members than these.
    pub fn body(&self, members: &[&str]) -> Result<&Map<String, Value>, Failure> {
        let body = self.request.json.as_object();
        let body = body.ok_or_else(|| Failure::input("a JSON object is expected"))?;
        members_of(body, members)?;
        Ok(body)
    }

    /// The `inputs` of a batch.
    pub fn inputs(&self, body: &Map<String, Value>, most: usize) -> Result<Vec<Value>, Failure> {
        let inputs = body.get("inputs").and_then(Value::as_array);
        let inputs = inputs.ok_or_else(|| Failure::input("inputs: a list is required"))?;
        if inputs.is_empty() {
            return Err(Failure::validation("No inputs were given"));
        }
        if inputs.len() > most {
            // §3.4
            let message = format!(
                "The maximum number of inputs supported in a batch request is {most}, {} were given",
                inputs.len()
            );
            return Err(Failure::validation(message));
        }
        Ok(inputs.clone())
    }

    /// The answer to a batch of which a part may have failed (§3.3).
    pub fn batch(&self, whole: u16, results: Vec<Value>, errors: &[Failure]) -> Answer {
        let now = iso(self.state.now);
        let mut body =
            json!({"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now});
        if errors.is_empty() {
            return Answer::json(whole, body);
        }
        if let Some(map) = body.as_object_mut() {
            map.insert("numErrors".to_owned(), json!(errors.len()));
            let errors = errors.iter().map(Failure::in_batch).collect();
            map.insert("errors".to_owned(), errors);
        }
        Answer::json(self.partial_status(), body)
    }

    /// A page of a list by ids: `limit`, `after` (§3.2). `all` gives the items after an id in order.
    pub fn page<T>(
        &self,
        usual: usize,
        most: usize,
        all: impl FnOnce(Option<Id>) -> Vec<(Id, T)>,
        render: impl Fn(T) -> Value,
    ) -> Outcome {
        let limit = match self.request.param("limit").map(str::parse::<usize>) {
            None => usual,
            Some(Ok(limit)) if (1..=most).contains(&limit) => limit,
            Some(_) => {
                let message = format!("limit must be a number from 1 to {most}");
                return Err(Failure::validation(message));
            }
        };
        let after = self.request.param("after").map(cursor_id).transpose()?;
        let mut items = all(after);
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(|(id, _)| *id);
        let results: Vec<Value> = items.into_iter().map(|(_, item)| render(item)).collect();
        let mut body = json!({"results": results});
        if let (true, Some(last), Some(map)) = (more, last, body.as_object_mut()) {
            let after = STANDARD.encode(format!("{last}\n"));
            map.insert(
                "paging".to_owned(),
                json!({"next": {"after": after, "link": self.link(&after)}}),
            );
        }
        Answer::ok(body)
    }

    fn link(&self, after: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in self.request.query.iter().filter(|(key, _)| key != "after") {
            query.append_pair(key, value);
        }
        query.append_pair("after", after);
        format!("{}{}?{}", self.base, self.request.raw_path, query.finish())
    }

    /// Refuses to write a record that is locked, and counts the write (§2).
    pub fn writes(&mut self, object: TypeId, id: Id) -> Result<(), Failure> {
        let now = self.state.now;
        if self
            .state
            .locks
            .get(&(object, id))
            .is_some_and(|until| *until > now)
        {
            return Err(locked());
        }
        let Some(most) = self.state.config.switches.writes_until_locked else {
            return Ok(());
        };
        let table = self.state.tables.get_mut(&object);
        let record: Option<&mut Record> = table.and_then(|t| t.records.get_mut(&id));
        if let Some(record) = record {
            if record.writes.0 != now.timestamp() {
                record.writes = (now.timestamp(), 0);
            }
            record.writes.1 += 1;
            if record.writes.1 > most {
                self.state.lock_record(object, id);
                return Err(locked());
            }
        }
        Ok(())
    }
}

fn locked() -> Failure {
    Failure::new(
        423,
        "LOCKED",
        "This resource is temporarily locked. Please retry in two seconds.",
    )
}

/// Refuses members that nobody knows.
pub(super) fn members_of(map: &Map<String, Value>, members: &[&str]) -> Result<(), Failure> {
    match map.keys().find(|key| !members.contains(&key.as_str())) {
        Some(unknown) => Err(Failure::input(format!("unknown field {unknown}"))),
        None => Ok(()),
    }
}

/// A text that the body must have.
pub(super) fn required<'b>(body: &'b Map<String, Value>, name: &str) -> Result<&'b str, Failure> {
    let missing = || {
        let message = format!("Invalid input JSON: some required fields were not set: [{name}]");
        Failure::validation(message).detail("required field is missing", "REQUIRED_FIELD", name)
    };
    let text = body
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty());
    text.ok_or_else(missing)
}

/// An id in a path or a body: text, or a number where texts are meant (§9).
pub(super) fn id_of(value: &Value) -> Option<Id> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    }
}

fn cursor_id(after: &str) -> Result<Id, Failure> {
    let wrong = || Failure::validation("after is no cursor that this API gave");
    let bytes = STANDARD.decode(after).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    text.trim_end().parse().map_err(|_| wrong())
}

/// The rules of limits that the account has (§2).
pub(super) fn set_limits(state: &State, limits: &RateLimits) {
    let config = &state.config;
    let (usual, links) = match (config.plan.is_large(), config.limit_increases) {
        (_, 1..) => (250, 200),
        (true, 0) => (190, 150),
        (false, 0) => (100, 100),
    };
    for (name, calls, window_ms) in [
        ("ten-secondly", usual, 10_000),
        ("oauth", 110, 10_000),
        ("links", links, 10_000),
    ] {
        if config.switches.rolling_windows {
            limits.rolling_rule(name, calls, window_ms);
        } else {
            limits.rule(name, calls, window_ms);
        }
    }
    limits.rule("search", config.switches.searches_per_second, 1_000);
    let links_per_day = if config.limit_increases > 0 {
        1_000_000
    } else {
        500_000
    };
    limits.rule("links-daily", links_per_day, 86_400_000);
}

/// Calls the account has in a day (§2).
pub(super) fn daily_limit(state: &State) -> u64 {
    let base = match state.config.plan {
        Plan::Free | Plan::Starter => 250_000,
        Plan::Professional => state.config.switches.professional_per_day,
        Plan::Enterprise => 1_000_000,
    };
    base + state.config.limit_increases.min(2) * 1_000_000
}

fn zone(state: &State) -> chrono_tz::Tz {
    state.config.time_zone.parse().unwrap_or(chrono_tz::UTC)
}

/// Calls of the portal's day; a new day begins at its midnight (§2).
pub(super) fn calls_today(state: &mut State) -> u64 {
    let today = state.now.with_timezone(&zone(state)).date_naive();
    if state.day.0 != today {
        // What others called before the first request is of that day only.
        let used = if state.day.0 == chrono::NaiveDate::default() {
            state.day.1
        } else {
            0
        };
        state.day = (today, used);
    }
    state.day.1
}

/// When the portal's day ends.
pub(super) fn day_ends(state: &State) -> DateTime<Utc> {
    let zone = zone(state);
    let today = state.now.with_timezone(&zone).date_naive();
    let tomorrow = today.succ_opt().unwrap_or(today).and_time(NaiveTime::MIN);
    match zone.from_local_datetime(&tomorrow) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => state.now + chrono::Duration::days(1),
    }
}

/// Headers of an answer.
pub(super) type Headers = Vec<(&'static str, String)>;

/// Counts a call against every limit it falls under (§2). Gives the headers that go with its answer.
pub(super) fn count(
    state: &mut State,
    limits: &RateLimits,
    token: &Token,
    api: Api,
    is_search: bool,
) -> Result<Headers, (Failure, Headers)> {
    let rule = if token.oauth { "oauth" } else { "ten-secondly" };
    let is_links = matches!(api, Api::Links | Api::RecordLinks);
    let mut headers = Vec::new();
    let (used, most) = (calls_today(state), daily_limit(state));
    // §2: calls of OAuth apps are not counted daily.
    let daily_over = !token.oauth && used >= most && !limits.is_off();
    let mut refused = daily_over.then_some(("DAILY", "daily", 0));
    if refused.is_none() && is_search {
        let taken = limits.take("search", &token.app, 1);
        if !taken.allowed {
            refused = Some(("SECONDLY", "secondly", taken.reset_ms));
        }
    }
    if refused.is_none() && is_links {
        let daily = limits.take("links-daily", "", 1);
        let taken = limits.take("links", &token.app, 1);
        if !daily.allowed {
            refused = Some(("DAILY", "daily", daily.reset_ms));
        } else if !taken.allowed {
            refused = Some((
                "TEN_SECONDLY_ROLLING",
                "ten_secondly_rolling",
                taken.reset_ms,
            ));
        }
    }
    if refused.is_none() {
        let taken = limits.take(rule, &token.app, 1);
        if !taken.allowed {
            refused = Some((
                "TEN_SECONDLY_ROLLING",
                "ten_secondly_rolling",
                taken.reset_ms,
            ));
        } else if !token.oauth {
            state.day.1 += 1;
        }
        headers.push((
            "x-hubspot-ratelimit-interval-milliseconds",
            "10000".to_owned(),
        ));
        headers.push(("x-hubspot-ratelimit-max", taken.limit.to_string()));
        headers.push(("x-hubspot-ratelimit-remaining", taken.remaining.to_string()));
        let second = taken.limit / 10;
        headers.push(("x-hubspot-ratelimit-secondly", second.to_string()));
        let left = second.saturating_sub(1).min(taken.remaining);
        headers.push(("x-hubspot-ratelimit-secondly-remaining", left.to_string()));
    }
    if !token.oauth {
        headers.push(("x-hubspot-ratelimit-daily", most.to_string()));
        let left = most.saturating_sub(state.day.1);
        headers.push(("x-hubspot-ratelimit-daily-remaining", left.to_string()));
    }
    if is_search {
        headers.clear();
    }
    let Some((policy, name, reset_ms)) = refused else {
        return Ok(headers);
    };
    let request_id = state.uuid();
    let switches = &state.config.switches;
    let mut failure = Failure::new(429, "", format!("You have reached your {name} limit."));
    if switches.rate_limit_category {
        failure.category = "RATE_LIMITS";
    } else {
        failure
            .details
            .more
            .push(("errorType", json!("RATE_LIMIT")));
    }
    failure.details.more.push(("policyName", json!(policy)));
    failure.details.more.push(("requestId", json!(request_id)));
    if switches.retry_after_on_429 {
        let until = if reset_ms == 0 {
            day_ends(state).timestamp_millis()
        } else {
            reset_ms
        };
        let wait = (until - state.now.timestamp_millis())
            .max(0)
            .div_euclid(1000)
            + 1;
        headers.push(("retry-after", wait.to_string()));
    }
    Err((failure, headers))
}
