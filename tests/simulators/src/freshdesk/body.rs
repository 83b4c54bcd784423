//! Reading bodies: JSON, or a form whose parts are turned into the same (Freshdesk facts §8).
//!
//! A [`Reader`] takes attributes by name, notes what is wrong with each, and refuses what nobody may send: unknown
//! attributes are an error (§1).

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde_json::{Map, Value};

use super::answer::{Failure, FieldError};
use super::call::Request;
use super::model::Id;

/// Moments in answers have seconds only (§1).
pub(super) fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A moment as a client writes it: ISO-8601 with `Z` or an offset. Fractions are cut.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_rfc3339(text).ok()?;
    Some(parsed.with_timezone(&Utc).trunc_subsecs(0))
}

/// A value that is given: `Some(None)` stands for null.
pub(super) type Given<T> = Option<Option<T>>;

/// The attributes of a request.
pub(super) struct Reader<'a> {
    map: &'a Map<String, Value>,
    form: bool,
    /// Before each name in errors, such as `properties.`.
    prefix: &'static str,
    length_code: &'static str,
    /// What is wrong so far.
    pub errors: Vec<FieldError>,
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(number) if number.is_f64() => "Float",
        Value::Number(_) => "Integer",
        Value::String(_) => "String",
        Value::Array(_) => "Array",
        Value::Object(_) => "Key/Value Pair",
    }
}

impl<'a> Reader<'a> {
    /// The attributes of a request; 400 when the body is no object.
    pub fn new(request: &'a Request, length_code: &'static str) -> Result<Self, Failure> {
        let map = request.json.as_object().ok_or_else(|| {
            Failure::coded(400, "invalid_json", "Request body has invalid json format")
        })?;
        Ok(Self::of(map, request.form, length_code))
    }

    /// The attributes of an object inside.
    pub fn of(map: &'a Map<String, Value>, form: bool, length_code: &'static str) -> Self {
        Self {
            map,
            form,
            prefix: "",
            length_code,
            errors: Vec::new(),
        }
    }

    /// Names in errors begin with this.
    pub fn within(mut self, prefix: &'static str) -> Self {
        self.prefix = prefix;
        self
    }

    /// §1: everything else is refused. A name that may be there but not be written gets its own code elsewhere.
    pub fn only(&mut self, names: &[&str]) {
        for name in self.map.keys() {
            if !names.contains(&name.as_str()) {
                self.wrong(name, "invalid_field", "Unexpected/invalid field in request");
            }
        }
    }

    /// Whether it was sent, null included.
    pub fn given(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Whether it was sent and is not null, an empty text or an empty list.
    pub fn filled(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| match value {
            Value::Null => false,
            Value::String(text) => !text.trim().is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => true,
        })
    }

    /// The value as it came.
    pub fn raw(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name)
    }

    /// Whether the request was a form, where every value is text.
    pub fn is_form(&self) -> bool {
        self.form
    }

    /// Notes an error.
    pub fn wrong(&mut self, name: &str, code: &'static str, message: impl Into<String>) {
        let field = format!("{}{name}", self.prefix);
        self.errors.push(FieldError::new(&field, code, message));
    }

    /// Notes that a mandatory value is not there.
    pub fn missing(&mut self, name: &str, kind: &str) {
        self.wrong(name, "missing_field", format!("It should be a/an {kind}"));
    }

    fn mismatch(&mut self, name: &str, value: &Value, wanted: &str) {
        let message = format!(
            "Value set is of type {}.It should be a/an {wanted}",
            kind_of(value)
        );
        self.wrong(name, "datatype_mismatch", message);
    }

    /// A text of at most so many characters.
    pub fn text(&mut self, name: &str, longest: usize) -> Given<String> {
        match self.map.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => {
                let length = text.chars().count();
                if length > longest {
                    let message = format!(
                        "Has {length} characters, it can have maximum of {longest} characters"
                    );
                    self.wrong(name, self.length_code, message);
                    return None;
                }
                Some(Some(text.clone()).filter(|text| !text.is_empty()))
            }
            other => {
                self.mismatch(name, other, "String");
                None
            }
        }
    }

    /// An integer; text in a form.
    pub fn int(&mut self, name: &str) -> Given<i64> {
        match self.map.get(name)? {
            Value::Null => Some(None),
            Value::String(text) if self.form => match text.parse() {
                Ok(number) => Some(Some(number)),
                Err(_) if text.is_empty() => Some(None),
                Err(_) => {
                    self.mismatch(name, &Value::String(text.clone()), "Integer");
                    None
                }
            },
            value => match value.as_i64() {
                Some(number) => Some(Some(number)),
                None => {
                    self.mismatch(name, value, "Integer");
                    None
                }
            },
        }
    }

    /// An id.
    pub fn id(&mut self, name: &str) -> Given<Id> {
        match self.int(name)? {
            None => Some(None),
            Some(number) => match Id::try_from(number) {
                Ok(id) if id > 0 => Some(Some(id)),
                _ => {
                    let message = "It should be a/an Positive Integer";
                    self.wrong(name, "invalid_value", message);
                    None
                }
            },
        }
    }

    /// A boolean; `true` or `false` in a form.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.map.get(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if self.form && matches!(text.as_str(), "true" | "false") => {
                Some(text == "true")
            }
            other => {
                self.mismatch(name, other, "Boolean");
                None
            }
        }
    }

    /// A list of texts; null is an empty one.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        match self.map.get(name)? {
            Value::Null => Some(Vec::new()),
            Value::Array(items) => {
                let texts: Option<Vec<String>> = items
                    .iter()
                    .map(|v| v.as_str().map(str::to_owned))
                    .collect();
                if texts.is_none() {
                    let message = "It should contain elements of type String only";
                    self.wrong(name, "datatype_mismatch", message);
                }
                texts
            }
            other => {
                self.mismatch(name, other, "Array");
                None
            }
        }
    }

    /// A list of ids; null is an empty one.
    pub fn ids(&mut self, name: &str) -> Option<Vec<Id>> {
        match self.map.get(name)? {
            Value::Null => Some(Vec::new()),
            Value::Array(items) => {
                let form = self.form;
                let id = |value: &Value| match value {
                    Value::String(text) if form => text.parse().ok(),
                    other => other.as_u64(),
                };
                let ids: Option<Vec<Id>> = items.iter().map(id).collect();
                if ids.is_none() {
                    let message = "It should contain elements of type Positive Integer only";
                    self.wrong(name, "datatype_mismatch", message);
                }
                ids
            }
            other => {
                self.mismatch(name, other, "Array");
                None
            }
        }
    }

    /// A list.
    pub fn list(&mut self, name: &str) -> Option<&'a Vec<Value>> {
        match self.map.get(name)? {
            Value::Array(items) => Some(items),
            other => {
                self.mismatch(name, other, "Array");
                None
            }
        }
    }

    /// An object.
    pub fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        match self.map.get(name)? {
            Value::Object(map) => Some(map),
            other => {
                self.mismatch(name, other, "Key/Value Pair");
                None
            }
        }
    }

    /// A moment.
    pub fn time(&mut self, name: &str) -> Given<DateTime<Utc>> {
        match self.text(name, 64)? {
            None => Some(None),
            Some(text) => match moment(&text) {
                Some(time) => Some(Some(time)),
                None => {
                    let message = "Value set is of type String.It should be a/an DateTime";
                    self.wrong(name, "datatype_mismatch", message);
                    None
                }
            },
        }
    }

    /// One of these numbers.
    pub fn one_of(&mut self, name: &str, allowed: &[i64]) -> Option<i64> {
        let value = self.int(name)?;
        if let Some(number) = value.filter(|number| allowed.contains(number)) {
            return Some(number);
        }
        let list: Vec<String> = allowed.iter().map(i64::to_string).collect();
        let message = format!("It should be one of these values: '{}'", list.join(","));
        self.wrong(name, "invalid_value", message);
        None
    }

    /// An address.
    pub fn email(&mut self, name: &str) -> Given<String> {
        let value = self.text(name, 255)?;
        if value.as_deref().is_some_and(|text| !is_email(text)) {
            let message = "It should be in the 'valid email address' format";
            self.wrong(name, "invalid_value", message);
            return None;
        }
        Some(value)
    }

    /// Addresses.
    pub fn emails(&mut self, name: &str, most: usize) -> Option<Vec<String>> {
        let list = self.texts(name)?;
        if list.len() > most {
            let message = format!(
                "Has {} elements, it can have maximum of {most} elements",
                list.len()
            );
            self.wrong(name, self.length_code, message);
            return None;
        }
        if !list.iter().all(|text| is_email(text)) {
            let message = "It should contain elements that are in the 'valid email address' format";
            self.wrong(name, "invalid_value", message);
            return None;
        }
        Some(list)
    }

    /// Tags (§10): so many characters each, no commas; ends are trimmed, repetitions in any case left out.
    pub fn tags(&mut self, longest: usize) -> Option<Vec<String>> {
        let mut tags: Vec<String> = Vec::new();
        for tag in self.texts("tags")? {
            let tag = tag.trim();
            if tag.contains(',') {
                let message = "It should contain elements that do not have these characters: ','";
                self.wrong("tags", "invalid_value", message);
                return None;
            }
            if tag.chars().count() > longest {
                let message =
                    format!("It should contain elements that have maximum of {longest} characters");
                self.wrong("tags", self.length_code, message);
                return None;
            }
            let known = tags
                .iter()
                .any(|known| known.to_lowercase() == tag.to_lowercase());
            if !tag.is_empty() && !known {
                tags.push(tag.to_owned());
            }
        }
        Some(tags)
    }

    /// The code of a text that is too long (§4).
    pub fn length_code(&self) -> &'static str {
        self.length_code
    }

    /// `Ok` when nothing was found wrong.
    pub fn finish(self) -> Result<(), Failure> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::Invalid(self.errors))
        }
    }
}

/// Whether a text looks like an address.
pub(super) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let plain =
        |c: char| !c.is_whitespace() && !matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"');
    !local.is_empty()
        && !local.contains('@')
        && local.chars().all(plain)
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && domain
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '.'))
}

/// A form's parts as JSON: `tags[]` are lists, `custom_fields[x]` maps, the rest texts.
pub(super) fn form_value(parts: Vec<(String, String)>) -> Value {
    let mut map = Map::new();
    for (name, text) in parts {
        let (head, rest) = match name.split_once('[') {
            Some((head, rest)) => (head.to_owned(), Some(rest.trim_end_matches(']').to_owned())),
            None => (name, None),
        };
        let value = Value::String(text);
        match rest.as_deref() {
            None => {
                map.insert(head, value);
            }
            Some("") => push(&mut map, head, value),
            Some(key) => {
                let inner = map.entry(head).or_insert_with(|| Value::Object(Map::new()));
                if let Some(inner) = inner.as_object_mut() {
                    match key.split_once("][") {
                        Some((key, "")) => push(inner, key.to_owned(), value),
                        Some((key, below)) => {
                            let below = below.trim_end_matches(']').to_owned();
                            let place = inner
                                .entry(key)
                                .or_insert_with(|| Value::Object(Map::new()));
                            if let Some(place) = place.as_object_mut() {
                                place.insert(below, value);
                            }
                        }
                        None => {
                            inner.insert(key.to_owned(), value);
                        }
                    }
                }
            }
        }
    }
    Value::Object(map)
}

fn push(map: &mut Map<String, Value>, key: String, value: Value) {
    let list = map.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut() {
        list.push(value);
    }
}
