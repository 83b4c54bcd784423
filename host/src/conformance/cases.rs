//! A platform that files describe: `mock.toml` in a folder, and the files that it names.
//!
//! The format is in `docs/connector-spec.md`. It is a small REST server without a network: answers to requests by method and path,
//! and collections that records are created in, read, listed, changed and deleted, so that what is asked later depends on what
//! was sent before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::platform::{Account, Expected, Opens, Platform, Request, Response};
use super::time::TestTime;
use crate::error::Error;

/// The file's name in its folder.
pub const FILE: &str = "mock.toml";

/// A whole `mock.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    account: AccountOf,
    credential: Option<Credential>,
    #[serde(default)]
    missing: Option<Said>,
    #[serde(default)]
    conflict: Option<Said>,
    #[serde(default)]
    invalid: Option<Said>,
    #[serde(default, rename = "collection")]
    collections: Vec<Collection>,
    #[serde(default, rename = "answer")]
    answers: Vec<Answer>,
    #[serde(default, rename = "expect")]
    expects: Vec<Expected>,
    #[serde(default)]
    skip: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountOf {
    #[serde(default)]
    base: String,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

/// What every request must carry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    header: String,
    value: String,
    #[serde(default = "unauthorized")]
    status: u16,
    #[serde(default)]
    body: Value,
}

fn unauthorized() -> u16 {
    401
}

/// What is said when something is not there, or not right.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    status: u16,
    #[serde(default)]
    body: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Collection {
    name: String,
    /// The id of the n-th record.
    #[serde(default = "number")]
    id: String,
    /// The field that holds it.
    #[serde(default = "id")]
    key: String,
    /// Records that are there before.
    #[serde(default)]
    begins: Vec<Map<String, Value>>,
    /// Fields of which no two records have the same value; what is absent is never the same.
    #[serde(default)]
    unique: Vec<String>,
    /// Fields without which nothing is created.
    #[serde(default)]
    requires: Vec<String>,
    /// What the platform itself puts into a new record.
    #[serde(default)]
    stamp: Map<String, Value>,
    /// The collection whose records these hang on, and the field with its id: they go with it.
    parent: Option<(String, String)>,
}

fn number() -> String {
    "{n}".to_owned()
}

fn id() -> String {
    "id".to_owned()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    /// `GET /people/{id}`; a name in braces is one segment.
    on: String,
    /// Of another host than the base URL's.
    host: Option<String>,
    /// Only if these have these values: `{ "query.kind" = "open" }`.
    #[serde(default)]
    when: BTreeMap<String, Value>,
    create: Option<String>,
    get: Option<String>,
    update: Option<String>,
    delete: Option<String>,
    list: Option<String>,
    /// Of a creation or change: what is taken from the request; the whole body, unless said otherwise.
    take: Option<Value>,
    /// Of a creation: fields that the request does not have in its body.
    #[serde(default)]
    set: Map<String, Value>,
    /// Of a list: which of them. A value that the request does not give asks for all.
    #[serde(default, rename = "where")]
    filter: Map<String, Value>,
    /// Of a list: in pages.
    page: Option<Pages>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// JSON.
    body: Option<Value>,
    /// Anything else.
    text: Option<String>,
    /// A file beside this one.
    file: Option<PathBuf>,
}

fn ok() -> u16 {
    200
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pages {
    /// Records of a page, or where the request says how many; 2 if it does not.
    #[serde(default)]
    size: Value,
    /// Where the request says from where on.
    after: Value,
}

/// A mock as its files say.
#[derive(Debug, Clone)]
pub struct Cases {
    file: Arc<File>,
    files: Arc<BTreeMap<PathBuf, Vec<u8>>>,
}

impl Cases {
    /// Reads a folder.
    ///
    /// # Errors
    /// `no-cases` where there is none; `cases` with the place for what is not of the format.
    pub fn load(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::input("no-cases", format!("there is no file {}", path.display())).with_hint(
                    "`transload plugin new` makes one to start from; docs/connector-spec.md has the format",
                )
            }
            _ => Error::io("read", &path, e),
        })?;
        let bad = |why: String| Error::input("cases", why).about(path.display());
        let file: File = toml_edit::de::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let mut files = BTreeMap::new();
        for answer in &file.answers {
            if route(&answer.on).is_none() {
                return Err(bad(format!(
                    "{:?} is no request: write `GET /people/{{id}}`",
                    answer.on
                )));
            }
            let named = [
                &answer.create,
                &answer.get,
                &answer.update,
                &answer.delete,
                &answer.list,
            ];
            for name in named.into_iter().flatten() {
                if !file.collections.iter().any(|of| of.name == *name) {
                    return Err(bad(format!(
                        "{}: there is no collection {name:?}",
                        answer.on
                    )));
                }
            }
            if let Some(name) = &answer.file {
                let at = dir.join(name);
                let bytes = std::fs::read(&at).map_err(|e| Error::io("read", &at, e))?;
                files.insert(name.clone(), bytes);
            }
        }
        Ok(Self {
            file: Arc::new(file),
            files: Arc::new(files),
        })
    }

    /// Rules that are skipped, with their reasons.
    #[must_use]
    pub fn skips(&self) -> Vec<(String, String)> {
        let skips = self.file.skip.iter();
        skips
            .map(|(rule, why)| (rule.clone(), why.clone()))
            .collect()
    }

    /// Makes such platforms.
    #[must_use]
    pub fn opens(&self) -> Opens {
        let cases = self.clone();
        Arc::new(move |_: &TestTime| {
            let of = |of: &Collection| (of.name.clone(), Held::new(of));
            let held = cases.file.collections.iter().map(of).collect();
            Arc::new(Mock {
                cases: cases.clone(),
                held: Mutex::new(held),
            })
        })
    }
}

/// Method and segments.
fn route(on: &str) -> Option<(&str, Vec<&str>)> {
    let (method, path) = on.split_once(' ')?;
    let path = path.strip_prefix('/')?;
    let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
    is_method.then(|| (method, path.split('/').filter(|s| !s.is_empty()).collect()))
}

/// Records of a collection, in the order in which they were made.
struct Held {
    records: Vec<Map<String, Value>>,
    made: u64,
}

impl Held {
    fn new(of: &Collection) -> Self {
        Self {
            records: of.begins.clone(),
            made: 0,
        }
    }
}

struct Mock {
    cases: Cases,
    held: Mutex<BTreeMap<String, Held>>,
}

/// What templates are filled from.
struct Known(Map<String, Value>);

impl Known {
    /// `query.email`, `body.name`, `record`: the value under a name, null where there is none.
    fn get(&self, name: &str) -> Value {
        let mut steps = name.split('.');
        let first = steps.next().unwrap_or_default();
        let mut value = self.0.get(first);
        for step in steps {
            value = match value {
                Some(Value::Object(map)) => map.get(step),
                Some(Value::Array(list)) => step.parse::<usize>().ok().and_then(|n| list.get(n)),
                _ => None,
            };
        }
        value.cloned().unwrap_or(Value::Null)
    }

    /// A text that is a name in braces and nothing else is the value itself; others have values as text in them.
    fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => self.text(text),
            Value::Array(list) => list.iter().map(|value| self.fill(value)).collect(),
            Value::Object(map) => {
                let filled = map
                    .iter()
                    .map(|(key, value)| (key.clone(), self.fill(value)));
                Value::Object(filled.collect())
            }
            other => other.clone(),
        }
    }

    fn text(&self, text: &str) -> Value {
        let whole = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        if let Some(name) = whole.filter(|name| !name.contains(['{', '}', ' ', '"'])) {
            return self.get(name);
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            match after.split_once('}') {
                Some((name, behind)) => {
                    out.push_str(&word(&self.get(name)));
                    rest = behind;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        Value::String(out)
    }
}

/// A value in a text.
fn word(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What can go wrong in the mock itself.
enum No {
    Missing,
    Conflict,
    Invalid(String),
}

impl Mock {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collection(&self, name: &str) -> Option<&Collection> {
        self.cases
            .file
            .collections
            .iter()
            .find(|of| of.name == name)
    }

    fn says(&self, no: &No) -> Response {
        let file = &self.cases.file;
        let (said, status, words) = match no {
            No::Missing => (&file.missing, 404, "not found".to_owned()),
            No::Conflict => (&file.conflict, 409, "there is one already".to_owned()),
            No::Invalid(field) => (&file.invalid, 422, format!("{field} is missing")),
        };
        match said {
            Some(said) => answer(said.status, &said.body),
            None => answer(status, &json!({"error": words})),
        }
    }

    /// The first answer that a request falls under, and what it names.
    fn finds(&self, request: &Request, known: &mut Known) -> Option<&Answer> {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let path = path
            .strip_prefix(self.cases.file.account.base.as_str())
            .unwrap_or(path);
        let segments: Vec<&str> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect();
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let query: Map<String, Value> = pairs
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        known.0.insert("query".into(), Value::Object(query));
        self.cases.file.answers.iter().find(|answer| {
            let Some((method, pattern)) = route(&answer.on) else {
                return false;
            };
            let host = answer
                .host
                .as_ref()
                .is_none_or(|host| *host == request.host);
            if !host || method != request.method || pattern.len() != segments.len() {
                return false;
            }
            let mut named = Map::new();
            let fits = pattern.iter().zip(&segments).all(|(wanted, segment)| {
                let name = wanted
                    .strip_prefix('{')
                    .and_then(|rest| rest.strip_suffix('}'));
                match name {
                    Some(name) => {
                        let text = percent_decoded(segment);
                        named.insert(name.to_owned(), Value::String(text));
                        true
                    }
                    None => wanted == segment,
                }
            });
            if !fits {
                return false;
            }
            known.0.extend(named);
            answer
                .when
                .iter()
                .all(|(name, value)| known.get(name) == *value)
        })
    }

    /// Does what an answer says, and puts what came of it where its template finds it.
    fn acts(&self, answer: &Answer, known: &mut Known) -> Result<(), No> {
        let id = word(&known.get("id"));
        if let Some(name) = &answer.create {
            let record = self.creates(name, answer, known)?;
            known.0.insert("record".into(), Value::Object(record));
        }
        if let Some(name) = &answer.get {
            let record = self.one(name, &id)?;
            known.0.insert("record".into(), Value::Object(record));
        }
        if let Some(name) = &answer.update {
            let change = taken(answer, known);
            let record = self.changes(name, &id, change)?;
            known.0.insert("record".into(), Value::Object(record));
        }
        if let Some(name) = &answer.delete {
            self.deletes(name, &id)?;
        }
        if let Some(name) = &answer.list {
            self.lists(name, answer, known);
        }
        Ok(())
    }

    fn key(&self, name: &str) -> String {
        self.collection(name).map_or_else(id, |of| of.key.clone())
    }

    fn one(&self, name: &str, id: &str) -> Result<Map<String, Value>, No> {
        let key = self.key(name);
        let held = self.held();
        let mut records = held.get(name).into_iter().flat_map(|held| &held.records);
        let found = records.find(|record| record.get(&key).map(word).as_deref() == Some(id));
        found.cloned().ok_or(No::Missing)
    }

    fn creates(
        &self,
        name: &str,
        answer: &Answer,
        known: &Known,
    ) -> Result<Map<String, Value>, No> {
        let Some(of) = self.collection(name) else {
            return Err(No::Missing);
        };
        let mut record = taken(answer, known);
        for (field, template) in answer.set.iter().chain(&of.stamp) {
            record.insert(field.clone(), known.fill(template));
        }
        let absent = |field: &&String| record.get(*field).is_none_or(Value::is_null);
        if let Some(field) = of.requires.iter().find(absent) {
            return Err(No::Invalid(field.clone()));
        }
        if let Some((parent, by)) = &of.parent {
            self.one(parent, &record.get(by).map(word).unwrap_or_default())?;
        }
        let mut all = self.held();
        let Some(held) = all.get_mut(name) else {
            return Err(No::Missing);
        };
        if !is_unique(of, held, &record, None) {
            return Err(No::Conflict);
        }
        held.made += 1;
        let id = of.id.replace("{n}", &held.made.to_string());
        let mut whole = Map::new();
        whole.insert(of.key.clone(), Value::String(id));
        whole.extend(record.into_iter().filter(|(field, _)| *field != of.key));
        held.records.push(whole.clone());
        Ok(whole)
    }

    fn changes(
        &self,
        name: &str,
        id: &str,
        change: Map<String, Value>,
    ) -> Result<Map<String, Value>, No> {
        let mut whole = self.one(name, id)?;
        let Some(of) = self.collection(name) else {
            return Err(No::Missing);
        };
        for (field, value) in change {
            if field == of.key {
                continue;
            }
            match value.is_null() {
                true => drop(whole.remove(&field)),
                false => drop(whole.insert(field, value)),
            }
        }
        let mut all = self.held();
        let Some(held) = all.get_mut(name) else {
            return Err(No::Missing);
        };
        if !is_unique(of, held, &whole, Some(id)) {
            return Err(No::Conflict);
        }
        let mut records = held.records.iter_mut();
        if let Some(record) = records.find(|r| r.get(&of.key).map(word).as_deref() == Some(id)) {
            record.clone_from(&whole);
        }
        Ok(whole)
    }

    fn deletes(&self, name: &str, id: &str) -> Result<(), No> {
        self.one(name, id)?;
        let key = self.key(name);
        let children = self
            .cases
            .file
            .collections
            .iter()
            .filter_map(|of| match &of.parent {
                Some((parent, by)) if parent == name => Some((of.name.clone(), by.clone())),
                _ => None,
            });
        let mut all = self.held();
        for (child, by) in children {
            if let Some(held) = all.get_mut(&child) {
                held.records
                    .retain(|r| r.get(&by).map(word).as_deref() != Some(id));
            }
        }
        if let Some(held) = all.get_mut(name) {
            held.records
                .retain(|r| r.get(&key).map(word).as_deref() != Some(id));
        }
        Ok(())
    }

    fn lists(&self, name: &str, answer: &Answer, known: &mut Known) {
        let wanted: Vec<(String, Value)> = answer
            .filter
            .iter()
            .map(|(field, template)| (field.clone(), known.fill(template)))
            .filter(|(_, value)| !value.is_null())
            .collect();
        let held = self.held();
        let records = held.get(name).into_iter().flat_map(|held| &held.records);
        let found: Vec<Value> = records
            .filter(|record| {
                let mut all = wanted.iter();
                all.all(|(field, value)| record.get(field).is_some_and(|has| same(has, value)))
            })
            .cloned()
            .map(Value::Object)
            .collect();
        drop(held);
        known.0.insert("total".into(), found.len().into());
        let (records, next) = match &answer.page {
            None => (found, Value::Null),
            Some(pages) => {
                let number = |template: &Value, otherwise: usize| {
                    word(&known.fill(template)).parse().unwrap_or(otherwise)
                };
                let (size, after) = (number(&pages.size, 2).max(1), number(&pages.after, 0));
                let left = found.len().saturating_sub(after + size);
                let page = found.into_iter().skip(after).take(size).collect();
                let next = match left {
                    0 => Value::Null,
                    _ => Value::String((after + size).to_string()),
                };
                (page, next)
            }
        };
        known.0.insert("records".into(), Value::Array(records));
        known.0.insert("next".into(), next);
    }
}

/// What a creation or change has of its request.
fn taken(answer: &Answer, known: &Known) -> Map<String, Value> {
    let value = match &answer.take {
        Some(template) => known.fill(template),
        None => known.get("body"),
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn is_unique(of: &Collection, held: &Held, record: &Map<String, Value>, own: Option<&str>) -> bool {
    of.unique.iter().all(|field| {
        let Some(value) = record.get(field).filter(|value| !value.is_null()) else {
            return true;
        };
        let mut others = held.records.iter();
        !others.any(|other| {
            let is_own = own.is_some() && other.get(&of.key).map(word).as_deref() == own;
            !is_own && other.get(field).is_some_and(|has| same(has, value))
        })
    })
}

/// Addresses and names are the same whatever their case; a number in a query is a text.
fn same(a: &Value, b: &Value) -> bool {
    match a {
        Value::Array(list) => list.iter().any(|one| same(one, b)),
        _ => word(a).to_lowercase() == word(b).to_lowercase(),
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let body = match body {
        Value::Null => Vec::new(),
        body => body.to_string().into_bytes(),
    };
    Response {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body,
    }
}

fn percent_decoded(segment: &str) -> String {
    // A `+` of a path is one.
    let pair = format!("x={}", segment.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(pair.as_bytes());
    pairs
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[async_trait]
impl Platform for Mock {
    fn account(&self) -> Account {
        let account = &self.cases.file.account;
        Account {
            settings: account.settings.clone(),
            secrets: account.secrets.clone(),
        }
    }

    fn expects(&self) -> Vec<Expected> {
        self.cases.file.expects.clone()
    }

    async fn answer(&self, request: Request) -> Option<Response> {
        let file = &self.cases.file;
        if let Some(credential) = &file.credential {
            let name = credential.header.to_ascii_lowercase();
            let carried = request.headers.iter().find(|(header, _)| *header == name);
            if carried.is_none_or(|(_, value)| *value != credential.value) {
                return Some(answer(credential.status, &credential.body));
            }
        }
        let now = chrono::DateTime::from_timestamp_millis(request.at).unwrap_or_default();
        let mut known = Known(Map::new());
        known.0.insert(
            "now".into(),
            now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
                .into(),
        );
        known.0.insert("now_ms".into(), request.at.into());
        let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        known.0.insert("body".into(), body);
        let Some(said) = self.finds(&request, &mut known) else {
            tracing::warn!(
                method = request.method,
                target = request.target,
                "The mock has no answer."
            );
            return Some(self.says(&No::Missing));
        };
        if let Err(no) = self.acts(said, &mut known) {
            return Some(self.says(&no));
        }
        let mut headers: Vec<(String, String)> = said
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), word(&known.text(value))))
            .collect();
        let (body, media_type) = match (&said.file, &said.text, &said.body) {
            (Some(name), ..) => {
                let bytes = self.cases.files.get(name).cloned().unwrap_or_default();
                let json = name.extension().is_some_and(|e| e == "json");
                let media_type = if json {
                    "application/json"
                } else {
                    "application/octet-stream"
                };
                (bytes, media_type)
            }
            (None, Some(text), _) => (word(&known.text(text)).into_bytes(), "text/plain"),
            (None, None, Some(body)) => (
                known.fill(body).to_string().into_bytes(),
                "application/json",
            ),
            (None, None, None) => (Vec::new(), ""),
        };
        if !media_type.is_empty() && !headers.iter().any(|(name, _)| name == "content-type") {
            headers.push(("content-type".into(), media_type.into()));
        }
        Some(Response {
            status: said.status,
            headers,
            body,
        })
    }

    /// Ids and what the platform stamps differ between runs that did the same, so they are left out; an id of another record is the
    /// name of its collection.
    fn held(&self) -> Option<Value> {
        let held = self.held();
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        for of in &self.cases.file.collections {
            let records = held
                .get(&of.name)
                .into_iter()
                .flat_map(|held| &held.records);
            for record in records {
                if let Some(id) = record.get(&of.key) {
                    ids.insert(word(id), of.name.clone());
                }
            }
        }
        let mut out = Map::new();
        for of in &self.cases.file.collections {
            let records = held
                .get(&of.name)
                .into_iter()
                .flat_map(|held| &held.records);
            let without = |record: &Map<String, Value>| {
                let fields = record
                    .iter()
                    .filter(|(field, _)| **field != of.key && !of.stamp.contains_key(*field));
                let named = fields.map(|(field, value)| (field.clone(), named(value, &ids)));
                Value::Object(named.collect())
            };
            out.insert(of.name.clone(), records.map(without).collect());
        }
        Some(Value::Object(out))
    }
}

fn named(value: &Value, ids: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|value| named(value, ids)).collect(),
        Value::Object(map) => {
            let all = map
                .iter()
                .map(|(key, value)| (key.clone(), named(value, ids)));
            Value::Object(all.collect())
        }
        Value::String(text) => match ids.get(text) {
            Some(name) => Value::String(format!("one of {name}")),
            None => value.clone(),
        },
        other => other.clone(),
    }
}
