//! Reading a request body the way Zendesk does: unknown attributes are dropped in silence, ids may be numbers or strings
//! of digits, and a wrong type is a 400 "Invalid attribute" (Zendesk facts §4).

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use serde_json::{Map, Value};

use super::answer::Failure;
use super::model::{Id, Tags};
use super::switches::TagBlanks;

/// The attributes of one record in a request body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attributes<'a>(&'a Map<String, Value>);

impl<'a> Attributes<'a> {
    /// The object under `key` of a body, e.g. `user` of `{"user":{…}}`.
    pub fn of(body: &'a Value, key: &str) -> Result<Self, Failure> {
        body.get(key)
            .and_then(Value::as_object)
            .map(Self)
            .ok_or_else(|| Failure::Plain {
                status: 400,
                error: "ParameterMissing",
                description: format!("Parameter {key} is required"),
            })
    }

    /// A bare object, e.g. one of the list in a bulk request.
    pub fn bare(value: &'a Value) -> Result<Self, Failure> {
        value
            .as_object()
            .map(Self)
            .ok_or_else(|| Failure::BadAttribute {
                name: "item".to_owned(),
                rule: "must be an object".to_owned(),
            })
    }

    /// Whether the attribute is there at all, null included.
    pub fn given(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The raw value; null counts as absent.
    pub fn raw(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// Text; numbers and booleans are taken as their text.
    pub fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Bool(flag)) => Ok(Some(flag.to_string())),
            Some(_) => Err(bad(name, "must be a string")),
        }
    }

    /// An id.
    pub fn id(&self, name: &str) -> Result<Option<Id>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(value) => id_of(value)
                .map(Some)
                .ok_or_else(|| bad(name, "must be an integer")),
        }
    }

    /// A truth value.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(_) => Err(bad(name, "must be a boolean")),
        }
    }

    /// A time, cut to whole seconds (Zendesk facts §15).
    pub fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Value::String(text)) => parse_time(text)
                .map(Some)
                .ok_or_else(|| bad(name, "It must be an acceptable ISO 8601 date format")),
            Some(_) => Err(bad(name, "It must be an acceptable ISO 8601 date format")),
        }
    }

    /// A list; a single value counts as a list of one.
    pub fn list(&self, name: &str) -> Vec<&'a Value> {
        match self.raw(name) {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().collect(),
            Some(other) => vec![other],
        }
    }

    /// An object.
    pub fn object(&self, name: &str) -> Result<Option<&'a Map<String, Value>>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(bad(name, "must be an object")),
        }
    }

    /// Tags as Zendesk stores them, `None` when the attribute is absent.
    pub fn tags(&self, name: &str, blanks: TagBlanks) -> Option<Tags> {
        self.given(name)
            .then(|| normalise_tags(&self.list(name), blanks))
    }
}

/// A wrong attribute.
pub(super) fn bad(name: &str, rule: &str) -> Failure {
    Failure::BadAttribute {
        name: name.to_owned(),
        rule: rule.to_owned(),
    }
}

/// An id given as a number or a string of digits.
pub(super) fn id_of(value: &Value) -> Option<Id> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// ISO 8601 in the forms Zendesk takes, cut to whole seconds.
pub(super) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let full = DateTime::parse_from_rfc3339(text)
        .map(|t| t.with_timezone(&Utc))
        .ok();
    let bare = || {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S")
            .ok()
            .map(|t| t.and_utc())
    };
    let day = || {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
    };
    full.or_else(bare)
        .or_else(day)
        .map(|time| time.trunc_subsecs(0))
}

/// A time as Zendesk writes it.
pub(super) fn iso(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Tags lower-cased; blanks split a tag or become `_` ([MEM], a switch); characters outside letters, digits and `_ - / :`
/// are left out ([MEM]) (Zendesk facts §10).
pub(super) fn normalise_tags(list: &[&Value], blanks: TagBlanks) -> Tags {
    let mut tags = Tags::new();
    for text in list.iter().filter_map(|v| v.as_str()) {
        let lower = text.to_lowercase();
        let words: Vec<String> = match blanks {
            TagBlanks::Split => lower.split_whitespace().map(str::to_owned).collect(),
            TagBlanks::Underscore => {
                vec![lower.split_whitespace().collect::<Vec<_>>().join("_")]
            }
        };
        for word in words {
            let safe: String = word
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':'))
                .collect();
            if !safe.is_empty() {
                tags.insert(safe);
            }
        }
    }
    tags
}
