//! Checking what was said against a vendor's own OpenAPI document.
//!
//! [`Spec`] reads an OpenAPI 3.0 document (JSON or YAML) and [`check`] holds recorded requests and answers against it.
//! Vendors' documents are wrong in places, so a check takes [`Exception`]s, each with a reason; what they excuse is
//! counted, and one that excuses nothing is named, so that the list does not outlive its reasons.
//!
//! Judged are JSON bodies of requests and answers, statuses of successful answers, and, where asked, names of query
//! parameters. Not judged: `format`, headers, and values of parameters.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use super::{PathPattern, Record, SimError};

/// A vendor's description of its API.
pub struct Spec {
    document: Value,
    base: String,
    operations: Vec<Operation>,
}

struct Operation {
    method: String,
    /// As written in the document.
    path: String,
    segments: Vec<String>,
}

/// What a check looks at.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Bodies of requests.
    pub requests: bool,
    /// Names of query parameters.
    pub parameters: bool,
    /// Statuses and bodies of answers.
    pub answers: bool,
}

impl Scope {
    /// What a simulator is checked for.
    pub const ANSWERS: Self = Self {
        requests: false,
        parameters: false,
        answers: true,
    };
    /// What a client is checked for.
    pub const REQUESTS: Self = Self {
        requests: true,
        parameters: true,
        answers: false,
    };
}

/// Something in a vendor's document that is known to be wrong or out of date.
#[derive(Clone, Copy, Debug)]
pub struct Exception {
    /// The operation as `GET /path/{id}`, with `*` and `**` as in [`PathPattern`]; the method may be `*`.
    pub operation: &'static str,
    /// Where in the body, as a JSON pointer with the same wildcards.
    pub pointer: &'static str,
    /// The keyword that fails, as `required` or `type`; empty for any.
    pub keyword: &'static str,
    /// Why it is excused.
    pub reason: &'static str,
}

/// Which side broke the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The client's request.
    Request,
    /// The answer.
    Answer,
}

/// One breach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The operation, as `GET /path/{id}`.
    pub operation: String,
    /// Which side.
    pub side: Side,
    /// Where in the body, with array positions replaced by `*`.
    pub pointer: String,
    /// The keyword that fails.
    pub keyword: String,
    /// What is wrong, from the first record that shows it.
    pub message: String,
    /// The number of that record.
    pub record: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests and answers that were held against a schema.
    pub checked: usize,
    /// Breaches, each once for an operation, place and keyword.
    pub violations: Vec<Violation>,
    /// Requests that no operation of the document describes, as `GET /path`, with how often.
    pub unknown: BTreeMap<String, usize>,
    /// How often each exception excused something, by its reason.
    pub excused: BTreeMap<&'static str, usize>,
    /// Exceptions that excused nothing.
    pub unused: Vec<Exception>,
}

impl Spec {
    /// Reads a document; a name that ends in `.yaml` or `.yml` is YAML.
    ///
    /// # Errors
    /// [`SimError::Spec`] when the file cannot be read or is no OpenAPI document.
    pub fn load(path: &Path) -> Result<Self, SimError> {
        let wrong = |reason: String| SimError::Spec {
            path: path.display().to_string(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let yaml = path
            .extension()
            .is_some_and(|ending| ending == "yaml" || ending == "yml");
        let document: Value = if yaml {
            // A bare `=` is a string here, as YAML 1.2 has it; a YAML 1.1 reader would stumble over it.
            serde_norway::from_str(&text).map_err(|error| wrong(error.to_string()))?
        } else {
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
        };
        Self::new(document).ok_or_else(|| wrong("no paths".to_owned()))
    }

    /// The document of this name in `../shared/specs` beside the workspace. Says so aloud and gives `None` when it is
    /// not there.
    ///
    /// # Errors
    /// As [`Spec::load`].
    pub fn find(name: &str) -> Result<Option<Self>, SimError> {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/specs")
            .join(name);
        if path.is_file() {
            return Self::load(&path).map(Some);
        }
        tracing::warn!(
            name,
            "The vendor's API description is not here: contracts are not checked."
        );
        let mut error = std::io::stderr();
        let _ = std::io::Write::write_fmt(
            &mut error,
            format_args!("NOT CHECKED: the API description {name} is not at ../shared/specs\n"),
        );
        Ok(None)
    }

    /// A document that is already read; `None` when it has no paths.
    pub fn new(mut document: Value) -> Option<Self> {
        let server = document
            .pointer("/servers/0/url")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let after_scheme = server.split_once("://").map_or(server, |(_, rest)| rest);
        let base = after_scheme
            .split_once('/')
            .map_or("", |(_, path)| path.trim_end_matches('/'));
        let base = if base.is_empty() {
            String::new()
        } else {
            format!("/{base}")
        };
        normalise(&mut document);
        let mut operations = Vec::new();
        for (path, item) in document.get("paths")?.as_object()? {
            let methods = item.as_object().into_iter().flat_map(Map::keys);
            for method in methods.filter(|m| {
                matches!(
                    m.as_str(),
                    "get" | "put" | "post" | "delete" | "patch" | "head"
                )
            }) {
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.clone(),
                    segments: path
                        .trim_matches('/')
                        .split('/')
                        .map(str::to_owned)
                        .collect(),
                });
            }
        }
        Some(Self {
            document,
            base,
            operations,
        })
    }

    /// Operations for a request, the most literal ones only; several when the document has one path twice.
    fn matching(&self, method: &str, path: &str) -> Vec<&Operation> {
        let Some(rest) = path.strip_prefix(self.base.as_str()) else {
            return Vec::new();
        };
        let segments: Vec<&str> = rest.trim_matches('/').split('/').collect();
        let scored: Vec<(usize, &Operation)> = self
            .operations
            .iter()
            .filter(|operation| operation.method == method)
            .filter_map(|operation| Some((literal(&operation.segments, &segments)?, operation)))
            .collect();
        let best = scored.iter().map(|(score, _)| *score).max();
        scored
            .into_iter()
            .filter(|(score, _)| Some(*score) == best)
            .map(|(_, o)| o)
            .collect()
    }

    fn item(&self, operation: &Operation) -> Option<&Value> {
        self.document
            .get("paths")?
            .get(&operation.path)?
            .get(operation.method.to_lowercase())
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        value
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|pointer| self.document.pointer(pointer.strip_prefix('#')?))
            .unwrap_or(value)
    }

    fn request_schema(&self, operation: &Operation) -> Option<&Value> {
        let body = self.resolve(self.item(operation)?.get("requestBody")?);
        json_schema(body)
    }

    fn responses(&self, operation: &Operation) -> Option<&Map<String, Value>> {
        self.item(operation)?.get("responses")?.as_object()
    }

    fn parameters(&self, operation: &Operation) -> BTreeSet<&str> {
        let shared = self
            .document
            .get("paths")
            .and_then(|paths| paths.get(&operation.path));
        [self.item(operation), shared]
            .into_iter()
            .flatten()
            .filter_map(|place| place.get("parameters")?.as_array())
            .flatten()
            .map(|parameter| self.resolve(parameter))
            .filter(|parameter| parameter.get("in").is_some_and(|place| place == "query"))
            .filter_map(|parameter| parameter.get("name")?.as_str())
            .collect()
    }

    /// The schema with every component it needs.
    fn compile(&self, schema: &Value, side: Side) -> Option<Validator> {
        let mut needed = BTreeMap::new();
        self.collect(schema, &mut needed);
        let mut whole = schema.clone();
        if let Some(map) = whole.as_object_mut() {
            let mut components = json!({});
            for (pointer, part) in needed {
                insert(&mut components, &pointer, part);
            }
            if let Some(components) = components.get_mut("components") {
                map.insert("components".to_owned(), components.take());
            }
        }
        drop_one_sided(&mut whole, side);
        match jsonschema::options()
            .with_draft(Draft::Draft202012)
            .build(&whole)
        {
            Ok(validator) => Some(validator),
            Err(error) => {
                tracing::warn!(%error, "A schema of the document cannot be used.");
                None
            }
        }
    }

    fn collect(&self, schema: &Value, needed: &mut BTreeMap<String, Value>) {
        match schema {
            Value::Object(map) => {
                if let Some(Value::String(pointer)) = map.get("$ref")
                    && let Some(pointer) = pointer.strip_prefix('#')
                    && !needed.contains_key(pointer)
                    && let Some(part) = self.document.pointer(pointer)
                {
                    needed.insert(pointer.to_owned(), part.clone());
                    self.collect(part, needed);
                }
                map.values().for_each(|value| self.collect(value, needed));
            }
            Value::Array(items) => items.iter().for_each(|value| self.collect(value, needed)),
            _ => {}
        }
    }
}

/// How many segments agree to the letter; `None` when the path is another.
fn literal(pattern: &[String], path: &[&str]) -> Option<usize> {
    if pattern.len() != path.len() {
        return None;
    }
    let mut score = 0;
    for (template, segment) in pattern.iter().zip(path) {
        let (before, after) = match (template.split_once('{'), template.split_once(':')) {
            (Some((before, rest)), _) => {
                (before, rest.split_once('}').map_or("", |(_, after)| after))
            }
            (None, Some((before, _))) => (before, ""),
            (None, None) if template == segment => {
                score += 3;
                continue;
            }
            _ => return None,
        };
        let rest = segment.strip_prefix(before)?.strip_suffix(after)?;
        if rest.is_empty() {
            return None;
        }
        score += usize::from(!before.is_empty() || !after.is_empty());
    }
    Some(score)
}

fn json_schema(body: &Value) -> Option<&Value> {
    let content = body.get("content")?.as_object()?;
    content
        .iter()
        .find(|(kind, _)| kind.contains("json"))
        .and_then(|(_, c)| c.get("schema"))
}

/// Turns what OpenAPI 3.0 says in its own words into JSON Schema: `nullable`, and exclusive bounds that are booleans.
fn normalise(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, part) in map.iter_mut() {
                // Examples may look like schemas.
                if name != "example" && name != "examples" {
                    normalise(part);
                }
            }
            for (flag, bound) in [
                ("exclusiveMinimum", "minimum"),
                ("exclusiveMaximum", "maximum"),
            ] {
                match map.get(flag) {
                    Some(Value::Bool(true)) => {
                        if let Some(bound) = map.shift_remove(bound) {
                            map.insert(flag.to_owned(), bound);
                        }
                    }
                    Some(Value::Bool(false)) => {
                        map.shift_remove(flag);
                    }
                    _ => {}
                }
            }
            if map.get("nullable") == Some(&Value::Bool(true)) {
                map.shift_remove("nullable");
                if let Some(Value::Array(choices)) = map.get_mut("enum") {
                    choices.push(Value::Null);
                }
                if let Some(Value::String(kind)) = map.get("type") {
                    let both = json!([kind, "null"]);
                    map.insert("type".to_owned(), both);
                } else if !map.contains_key("type") && !map.is_empty() {
                    let other = Value::Object(std::mem::take(map));
                    map.insert("anyOf".to_owned(), json!([other, {"type": "null"}]));
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise),
        _ => {}
    }
}

/// What only the other side sends is not required of this one.
fn drop_one_sided(schema: &mut Value, side: Side) {
    let mark = match side {
        Side::Request => "readOnly",
        Side::Answer => "writeOnly",
    };
    match schema {
        Value::Object(map) => {
            let foreign: Vec<String> = map
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(_, property)| property.get(mark) == Some(&Value::Bool(true)))
                .map(|(name, _)| name.clone())
                .collect();
            if let Some(Value::Array(required)) = map.get_mut("required") {
                required.retain(|name| !foreign.iter().any(|f| name == f));
            }
            map.values_mut()
                .for_each(|value| drop_one_sided(value, side));
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|value| drop_one_sided(value, side)),
        _ => {}
    }
}

/// Puts a value where a JSON pointer says, making objects on the way.
fn insert(root: &mut Value, pointer: &str, part: Value) {
    let mut node = root;
    for name in pointer.trim_start_matches('/').split('/') {
        let name = name.replace("~1", "/").replace("~0", "~");
        let Value::Object(map) = node else {
            return;
        };
        node = map.entry(name).or_insert_with(|| json!({}));
    }
    *node = part;
}

struct Checker<'a> {
    spec: &'a Spec,
    exceptions: &'a [Exception],
    used: Vec<usize>,
    validators: HashMap<String, Option<Validator>>,
    seen: BTreeSet<(String, Side, String, String)>,
    report: Report,
}

/// Holds records against a document.
pub fn check(spec: &Spec, records: &[Record], scope: Scope, exceptions: &[Exception]) -> Report {
    let mut checker = Checker {
        spec,
        exceptions,
        used: vec![0; exceptions.len()],
        validators: HashMap::new(),
        seen: BTreeSet::new(),
        report: Report::default(),
    };
    for record in records {
        checker.record(record, scope);
    }
    let Checker {
        used, mut report, ..
    } = checker;
    for (exception, times) in exceptions.iter().zip(used) {
        if times == 0 {
            report.unused.push(*exception);
        } else {
            *report.excused.entry(exception.reason).or_default() += times;
        }
    }
    report.violations.sort();
    report
}

/// A breach before it is known whether it is excused.
struct Breach {
    pointer: String,
    keyword: String,
    message: String,
}

impl Checker<'_> {
    fn record(&mut self, record: &Record, scope: Scope) {
        let spec = self.spec;
        let operations = spec.matching(&record.method, &record.path);
        if operations.is_empty() {
            let name = format!("{} {}", record.method, record.path);
            *self.report.unknown.entry(name).or_default() += 1;
            return;
        }
        if scope.requests {
            self.side(record, &operations, Side::Request);
        }
        if scope.parameters {
            self.query(record, &operations);
        }
        if scope.answers {
            self.side(record, &operations, Side::Answer);
        }
    }

    /// With several operations on one path, one that fits is enough.
    fn side(&mut self, record: &Record, operations: &[&Operation], side: Side) {
        let mut least: Option<(&Operation, Vec<Breach>)> = None;
        for operation in operations {
            let breaches = match side {
                Side::Request => self.request(record, operation),
                Side::Answer => self.answer(record, operation),
            };
            let Some(breaches) = breaches else { continue };
            if least
                .as_ref()
                .is_none_or(|(_, others)| breaches.len() < others.len())
            {
                least = Some((operation, breaches));
            }
        }
        if let Some((operation, breaches)) = least {
            self.report.checked += 1;
            for breach in breaches {
                self.breach(record, operation, side, breach);
            }
        }
    }

    /// `None` when there is nothing to check.
    fn request(&mut self, record: &Record, operation: &Operation) -> Option<Vec<Breach>> {
        let spec = self.spec;
        let schema = spec.request_schema(operation)?;
        let body = record.body.json()?;
        let name = format!("{} {} request", operation.method, operation.path);
        Some(self.hold(name, schema, &body, Side::Request))
    }

    fn answer(&mut self, record: &Record, operation: &Operation) -> Option<Vec<Breach>> {
        let spec = self.spec;
        let answer = record.answer.as_ref()?;
        let responses = spec.responses(operation)?;
        let status = answer.status.to_string();
        let range = format!("{}XX", status.get(..1).unwrap_or_default());
        let described = [status.as_str(), &range, "default"]
            .iter()
            .find_map(|name| responses.get(*name));
        let Some(described) = described else {
            // Documents hardly ever list all errors, but a success must be listed.
            return (200..300).contains(&answer.status).then(|| {
                vec![Breach {
                    pointer: String::new(),
                    keyword: "status".to_owned(),
                    message: format!("status {status} is not described"),
                }]
            });
        };
        let schema = json_schema(spec.resolve(described))?;
        let name = format!("{} {} {status}", operation.method, operation.path);
        match answer.body.json() {
            Some(body) => Some(self.hold(name, schema, &body, Side::Answer)),
            None if answer.body.length == Some(0) && (200..300).contains(&answer.status) => {
                Some(vec![Breach {
                    pointer: String::new(),
                    keyword: "body".to_owned(),
                    message: "no body where one is described".to_owned(),
                }])
            }
            None => None,
        }
    }

    fn hold(&mut self, name: String, schema: &Value, body: &Value, side: Side) -> Vec<Breach> {
        let spec = self.spec;
        let validator = self
            .validators
            .entry(name)
            .or_insert_with(|| spec.compile(schema, side));
        let Some(validator) = validator else {
            return Vec::new();
        };
        validator
            .iter_errors(body)
            .map(|error| Breach {
                pointer: wild(&error.instance_path().to_string()),
                keyword: error.kind().keyword().to_owned(),
                message: error.to_string().chars().take(300).collect(),
            })
            .collect()
    }

    fn query(&mut self, record: &Record, operations: &[&Operation]) {
        let spec = self.spec;
        let Some(operation) = operations.first() else {
            return;
        };
        let known: BTreeSet<&str> = operations
            .iter()
            .flat_map(|operation| spec.parameters(operation))
            .collect();
        for (name, _) in url::form_urlencoded::parse(record.query.as_bytes()) {
            if !known.contains(name.as_ref()) {
                let breach = Breach {
                    pointer: format!("?{name}"),
                    keyword: "parameter".to_owned(),
                    message: format!("query parameter {name} is not described"),
                };
                self.breach(record, operation, Side::Request, breach);
            }
        }
    }

    fn breach(&mut self, record: &Record, operation: &Operation, side: Side, breach: Breach) {
        let name = format!("{} {}", operation.method, operation.path);
        let excuse = self.exceptions.iter().position(|exception| {
            let (method, path) = exception.operation.split_once(' ').unwrap_or(("*", "**"));
            (method == "*" || method == operation.method)
                && PathPattern::new(path).matches(&operation.path)
                && PathPattern::new(exception.pointer).matches(&breach.pointer)
                && (exception.keyword.is_empty() || exception.keyword == breach.keyword)
        });
        if let Some(times) = excuse.and_then(|at| self.used.get_mut(at)) {
            *times += 1;
            return;
        }
        let Breach {
            pointer,
            keyword,
            message,
        } = breach;
        if self
            .seen
            .insert((name.clone(), side, pointer.clone(), keyword.clone()))
        {
            self.report.violations.push(Violation {
                operation: name,
                side,
                pointer,
                keyword,
                message,
                record: record.number,
            });
        }
    }
}

/// A pointer with array positions replaced.
fn wild(pointer: &str) -> String {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    pointer
        .split('/')
        .map(|p| if digits(p) { "*" } else { p })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{RecordedAnswer, RecordedBody};

    fn spec() -> Spec {
        let text = r##"
servers: [{url: "https://{org}.example.com/v1"}]
paths:
  /things/{id}:
    get:
      parameters: [{name: page, in: query, schema: {type: integer}}]
      responses:
        "200":
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
    put:
      requestBody:
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Thing"}
      responses: {"204": {description: done}}
  /things/special:
    get:
      responses:
        "200":
          content: {application/json: {schema: {type: object, required: [special]}}}
components:
  schemas:
    Thing:
      type: object
      required: [id, name, operator]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string, nullable: true}
        parent:
          nullable: true
          allOf: [{$ref: "#/components/schemas/Thing"}]
        operator: {type: string, enum: [=, "<"]}
"##;
        Spec::new(serde_norway::from_str(text).unwrap()).unwrap()
    }

    fn body(json: &str) -> RecordedBody {
        let bytes = bytes::Bytes::copy_from_slice(json.as_bytes());
        RecordedBody {
            length: Some(bytes.len() as u64),
            bytes: Some(bytes),
        }
    }

    fn record(method: &str, path: &str, query: &str, sent: &str, status: u16, got: &str) -> Record {
        Record {
            number: 1,
            at_ms: 0,
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: vec![],
            body: body(sent),
            answer: Some(RecordedAnswer {
                status,
                headers: vec![],
                body: body(got),
            }),
            fault: None,
        }
    }

    fn found(record: Record, scope: Scope) -> Vec<(String, String)> {
        let report = check(&spec(), &[record], scope, &[]);
        report
            .violations
            .into_iter()
            .map(|v| (v.pointer, v.keyword))
            .collect()
    }

    #[test]
    fn a_bare_equals_sign_in_yaml_is_a_string_and_null_is_allowed_where_the_document_says_so() {
        let good = r#"{"id": 1, "name": null, "operator": "=", "parent": null}"#;
        let record = record("GET", "/v1/things/7", "", "", 200, good);
        assert_eq!(found(record, Scope::ANSWERS), []);
    }

    #[test]
    fn an_answer_that_breaks_the_schema_is_named_by_place_and_keyword() {
        let bad = r#"{"id": "1", "operator": "~", "parent": {"id": 1}}"#;
        let record = record("GET", "/v1/things/7", "", "", 200, bad);
        let found = found(record, Scope::ANSWERS);
        assert!(found.contains(&("/id".into(), "type".into())), "{found:?}");
        assert!(found.contains(&("".into(), "required".into())), "{found:?}");
        assert!(
            found.contains(&("/operator".into(), "enum".into())),
            "{found:?}"
        );
        assert!(
            found.contains(&("/parent".into(), "anyOf".into())),
            "{found:?}"
        );
    }

    #[test]
    fn a_request_need_not_send_what_only_the_server_writes() {
        let sent = r#"{"name": "x", "operator": "<"}"#;
        assert_eq!(
            found(
                record("PUT", "/v1/things/7", "", sent, 204, ""),
                Scope::REQUESTS
            ),
            []
        );
        let sent = r#"{"operator": "<"}"#;
        let found = found(
            record("PUT", "/v1/things/7", "", sent, 204, ""),
            Scope::REQUESTS,
        );
        assert_eq!(found, [("".into(), "required".into())]);
    }

    #[test]
    fn the_most_literal_path_counts_and_unknown_paths_and_parameters_are_named() {
        let special = record("GET", "/v1/things/special", "", "", 200, "{}");
        assert_eq!(
            found(special, Scope::ANSWERS),
            [("".into(), "required".into())]
        );
        let asked = record("GET", "/v1/things/7", "page=1&size=2", "", 200, "{}");
        assert_eq!(
            found(asked, Scope::REQUESTS),
            [("?size".into(), "parameter".into())]
        );
        let report = check(
            &spec(),
            &[record("GET", "/v1/x", "", "", 200, "")],
            Scope::ANSWERS,
            &[],
        );
        assert_eq!(report.unknown["GET /v1/x"], 1);
        let status = record("GET", "/v1/things/7", "", "", 201, "{}");
        assert_eq!(
            found(status, Scope::ANSWERS),
            [("".into(), "status".into())]
        );
    }

    #[test]
    fn an_exception_excuses_only_its_own_place_and_is_named_when_it_excuses_nothing() {
        let bad = r#"{"id": "1", "name": 1, "operator": "="}"#;
        let record = record("GET", "/v1/things/7", "", "", 200, bad);
        let exception = |pointer| Exception {
            operation: "GET /things/*",
            pointer,
            keyword: "type",
            reason: "ids are strings",
        };
        let report = check(
            &spec(),
            &[record],
            Scope::ANSWERS,
            &[exception("/id"), exception("/elsewhere")],
        );
        let left: Vec<&str> = report
            .violations
            .iter()
            .map(|v| v.pointer.as_str())
            .collect();
        assert_eq!(left, ["/name"]);
        assert_eq!(report.excused["ids are strings"], 1);
        assert_eq!(report.unused.len(), 1);
    }
}
