//! Reading request bodies the way Zoho Desk does: closed objects, lengths, and all that is wrong under JSON pointers (Zoho Desk
//! facts §5).

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::answer::{Failure, FieldError};
use super::model::{Id, Moment};

/// What a standard field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text of at most so many characters.
    Text(usize),
    /// An e-mail address of at most so many characters.
    Email(usize),
    /// Digits (§7.1).
    Zip,
    /// A number, or text of at most 100 characters.
    Revenue,
    /// The number of something.
    Link,
    /// A list of at most so many numbers of things.
    Links(usize),
    /// A moment.
    Time,
    /// A truth value.
    Flag,
    /// One of a few texts.
    Choice(&'static [&'static str]),
    /// An external id of an import (§10).
    ExternalId,
    /// A whole number, as a number or as text.
    Whole,
    /// Anything; somebody else reads it.
    Any,
}

/// A field of a table.
pub(super) type Standard = (&'static str, Kind);

/// Values of keys that were there; `None` for a null.
pub(super) type Given = BTreeMap<String, Option<Value>>;

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

/// An object of a body, and what was found wrong with it so far.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    map: &'a Map<String, Value>,
    base: String,
    /// What is wrong.
    pub errors: Vec<FieldError>,
    /// Keys nobody knows.
    pub unknown: Vec<String>,
}

impl<'a> Reader<'a> {
    /// The body of a request, which must not be empty.
    pub fn body(value: &'a Value, known: &[&str]) -> Result<Self, Failure> {
        if value.is_null() || value.as_object().is_some_and(Map::is_empty) {
            return Err(Failure::new(
                422,
                "EMPTY_PAYLOAD",
                "The payload of the request is empty.",
            ));
        }
        Ok(Self::at(value, "", known))
    }

    /// An object somewhere in a body.
    pub fn at(value: &'a Value, base: &str, known: &[&str]) -> Self {
        let mut errors = Vec::new();
        let map = match value {
            Value::Object(map) => map,
            _ => {
                errors.push(FieldError::invalid(base, "An object is expected."));
                &EMPTY
            }
        };
        let unknown = map.keys().filter(|key| !known.contains(&key.as_str()));
        let unknown = unknown.map(|key| format!("{base}/{key}")).collect();
        Self {
            map,
            base: base.to_owned(),
            errors,
            unknown,
        }
    }

    /// The pointer of a key.
    pub fn pointer(&self, key: &str) -> String {
        format!("{}/{key}", self.base)
    }

    /// Whether the key is there at all, null included.
    pub fn given(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The raw value; null counts as absent.
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// One more problem.
    pub fn invalid(&mut self, key: &str, message: impl Into<String>) {
        let pointer = self.pointer(key);
        self.errors.push(FieldError::invalid(pointer, message));
    }

    /// Says that a key is missing, null or empty.
    pub fn required(&mut self, key: &str) {
        let empty = self
            .raw(key)
            .is_none_or(|value| value.as_str().is_some_and(|text| text.trim().is_empty()));
        if empty {
            let pointer = self.pointer(key);
            self.errors.push(FieldError::missing(pointer));
        }
    }

    /// Text of at most so many characters.
    pub fn text(&mut self, key: &str, longest: usize) -> Option<String> {
        self.read(key, Kind::Text(longest))
            .as_ref()
            .and_then(as_text)
    }

    /// A truth value.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        self.read(key, Kind::Flag).and_then(|value| value.as_bool())
    }

    /// One of a few texts.
    pub fn choice(&mut self, key: &str, choices: &'static [&'static str]) -> Option<String> {
        self.read(key, Kind::Choice(choices))
            .as_ref()
            .and_then(as_text)
    }

    /// The number of something.
    pub fn id(&mut self, key: &str) -> Option<Id> {
        self.read(key, Kind::Link)?.as_str()?.parse().ok()
    }

    /// Numbers of things.
    pub fn ids(&mut self, key: &str, most: usize) -> Option<Vec<Id>> {
        let list = self.read(key, Kind::Links(most))?;
        let ids = list.as_array()?.iter();
        Some(ids.filter_map(|id| id.as_str()?.parse().ok()).collect())
    }

    /// Everything that is there of a table.
    pub fn values(&mut self, table: &[Standard]) -> Given {
        let mut values = Given::new();
        for (name, kind) in table {
            if *kind == Kind::Any || !self.given(name) {
                continue;
            }
            let value = self.read(name, *kind);
            values.insert((*name).to_owned(), value);
        }
        values
    }

    /// A value of a kind, as it is stored: numbers of things as text.
    pub fn read(&mut self, key: &str, kind: Kind) -> Option<Value> {
        let value = self.raw(key)?;
        match fit(value, kind) {
            Ok(value) => Some(value),
            Err(message) => {
                self.invalid(key, message);
                None
            }
        }
    }

    /// A 422 with what was found wrong; unknown keys come first (§5 [MEM]).
    pub fn finish(self, strict: bool) -> Result<(), Failure> {
        if let Some(key) = self.unknown.first().filter(|_| strict) {
            return Err(Failure::unprocessable(format!(
                "Extra parameter found in the request body: {key}"
            )));
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Failure::invalid(self.errors))
        }
    }
}

fn as_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn long(text: &str, most: usize) -> Result<Value, String> {
    if text.len() <= most || text.chars().count() <= most {
        Ok(json!(text))
    } else {
        Err(format!("At most {most} characters are allowed."))
    }
}

fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() && text.len() <= 19 => text
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.clone()),
        Value::Number(number) => number.as_u64().map(|id| id.to_string()),
        _ => None,
    }
}

/// A value as it is stored, or what is wrong with it.
pub(super) fn fit(value: &Value, kind: Kind) -> Result<Value, String> {
    let text = || value.as_str().ok_or_else(|| "Text is expected.".to_owned());
    match kind {
        Kind::Text(most) => long(text()?, most),
        Kind::Email(most) => {
            let text = text()?;
            if text.is_empty() || is_email(text) {
                long(text, most)
            } else {
                Err("This is no e-mail address.".to_owned())
            }
        }
        Kind::Zip => match value {
            Value::Number(number) if number.is_u64() => Ok(json!(number.to_string())),
            Value::String(text) if text.bytes().all(|b| b.is_ascii_digit()) => long(text, 30),
            _ => Err("Only digits are allowed.".to_owned()),
        },
        Kind::Revenue => match value {
            Value::Number(number) => Ok(json!(number.to_string())),
            _ => long(text()?, 100),
        },
        Kind::Link => id_text(value)
            .map(Value::String)
            .ok_or_else(|| "A number is expected.".to_owned()),
        Kind::Links(most) => {
            let list = value
                .as_array()
                .ok_or_else(|| "A list is expected.".to_owned())?;
            if list.len() > most {
                return Err(format!("At most {most} items are allowed."));
            }
            let ids: Option<Vec<Value>> = list
                .iter()
                .map(|id| id_text(id).map(Value::String))
                .collect();
            ids.map(Value::Array)
                .ok_or_else(|| "A list of numbers is expected.".to_owned())
        }
        Kind::Time => {
            let time = parse_time(text()?);
            time.map(|time| json!(iso(time)))
                .ok_or_else(|| "A time like 2026-11-23T09:00:00.000Z is expected.".to_owned())
        }
        Kind::Flag => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => Err("True or false is expected.".to_owned()),
        },
        Kind::Choice(choices) => {
            let text = text()?;
            if choices.contains(&text) {
                Ok(json!(text))
            } else {
                Err(format!("One of {} is expected.", choices.join(", ")))
            }
        }
        Kind::ExternalId => {
            let text = text()?;
            let allowed = |c: char| c.is_ascii_alphanumeric() || "@$&+:.{}()#-".contains(c);
            if text.is_empty() || !text.chars().all(allowed) {
                return Err("Only letters, digits and @$&+:.{}()#- are allowed.".to_owned());
            }
            long(text, 100)
        }
        Kind::Whole => match value {
            Value::Number(number) => Ok(json!(number.to_string())),
            _ => {
                let text = text()?;
                let whole = text.parse::<i64>().is_ok();
                whole
                    .then(|| json!(text))
                    .ok_or_else(|| "A whole number is expected.".to_owned())
            }
        },
        Kind::Any => Ok(value.clone()),
    }
}

/// Whether a text is an address of the form `a@b.c`, as far as anybody checks.
pub(super) fn is_email(text: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"');
    let halves = text.split_once('@');
    !text.contains(bad)
        && halves.is_some_and(|(name, host)| {
            !name.is_empty() && host.contains('.') && !host.contains('@') && !host.ends_with('.')
        })
}

/// A time of the published pattern: UTC with a literal `Z`, years 19xx and 20xx (§1).
pub(super) fn parse_time(text: &str) -> Option<Moment> {
    let bare = text.strip_suffix('Z')?;
    if !bare.starts_with("19") && !bare.starts_with("20") {
        return None;
    }
    let digits = bare.split_once('.').map_or(0, |(_, rest)| rest.len());
    let time = NaiveDateTime::parse_from_str(bare, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    let exact = digits <= 3 && !bare.ends_with('.');
    exact.then(|| time.and_utc())
}

/// A time as answers have it.
pub(super) fn iso(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A time that was stored as text.
pub(super) fn time_of(value: Option<&Value>) -> Option<Moment> {
    parse_time(value?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_in_utc_with_a_literal_z_are_read() {
        for good in ["2026-11-23T09:00:00Z", "1999-1-2T3:04:05.5Z"] {
            assert!(parse_time(good).is_some(), "{good}");
        }
        for bad in [
            "2026-11-23T09:00:00+02:00",
            "2026-11-23T09:00:00",
            "1826-11-23T09:00:00Z",
            "2026-11-23T09:00:00.1234Z",
            "2026-11-23",
        ] {
            assert!(parse_time(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_external_id_has_no_underscore_slash_or_space() {
        for good in ["k:conv:5f", "a@b.c", "x{1}(2)#3-4&$+"] {
            assert!(fit(&json!(good), Kind::ExternalId).is_ok(), "{good}");
        }
        for bad in ["a_b", "a/b", "a b", "", &"x".repeat(101)] {
            assert!(fit(&json!(bad), Kind::ExternalId).is_err(), "{bad}");
        }
    }
}
