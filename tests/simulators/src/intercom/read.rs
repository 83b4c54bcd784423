//! Reading a request body the way Intercom does: the first thing that is wrong is said (Intercom facts §3).

use serde_json::{Map, Value};

use super::answer::Failure;
use super::model::{Id, Seconds};

/// The object of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    map: &'a Map<String, Value>,
}

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

impl<'a> Reader<'a> {
    /// The keys of an object; null is one without keys.
    pub fn new(value: &'a Value) -> Result<Self, Failure> {
        match value {
            Value::Object(map) => Ok(Self { map }),
            Value::Null => Ok(Self { map: &EMPTY }),
            _ => Err(Failure::new(
                400,
                "bad_request",
                "The body must be an object",
            )),
        }
    }

    /// Refuses keys that nobody knows (§7).
    pub fn only(&self, known: &[&str]) -> Result<(), Failure> {
        match self.map.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let message = format!("bad '{key}' parameter");
                Err(Failure::new(400, "bad_request", message))
            }
        }
    }

    /// Whether the key is there at all, null included.
    pub fn given(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The raw value; null counts as absent.
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Text.
    pub fn text(&self, key: &str) -> Result<Option<String>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::mistyped(key, "a string")),
        }
    }

    /// Text that must be there and say something.
    pub fn needed(&self, key: &str) -> Result<String, Failure> {
        match self.text(key)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Failure::missing(key)),
        }
    }

    /// Text or a number, as external ids come.
    pub fn word(&self, key: &str) -> Result<Option<String>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => match word_of(value) {
                Some(word) => Ok(Some(word)),
                None => Err(Failure::mistyped(key, "a string")),
            },
        }
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Failure::mistyped(key, "a boolean")),
        }
    }

    /// A whole number.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(Failure::mistyped(key, "an integer")),
            },
        }
    }

    /// A time in whole Unix seconds (§1); milliseconds would be a year far away and are refused.
    pub fn time(&self, key: &str) -> Result<Option<Seconds>, Failure> {
        match self.integer(key)? {
            Some(time) if !(0..100_000_000_000).contains(&time) => Err(Failure::field(
                key,
                format!("{key} is not a valid timestamp"),
            )),
            time => Ok(time),
        }
    }

    /// The number of something, as text or number (§1).
    pub fn id(&self, key: &str) -> Result<Option<Id>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(value) => match id_of(value) {
                Some(id) => Ok(Some(id)),
                None => Err(Failure::field(key, format!("{key} is not a valid id"))),
            },
        }
    }

    /// A list.
    pub fn list(&self, key: &str) -> Result<Option<&'a Vec<Value>>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(Failure::mistyped(key, "an array")),
        }
    }

    /// An object.
    pub fn object(&self, key: &str) -> Result<Option<&'a Map<String, Value>>, Failure> {
        match self.raw(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(_) => Err(Failure::mistyped(key, "an object")),
        }
    }
}

/// Text or a whole number as text.
pub(super) fn word_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The number of something, as text or number.
pub(super) fn id_of(value: &Value) -> Option<Id> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64(),
    }
}

/// Whether a text is an address of the form `a@b`, as far as anybody checks.
pub(super) fn is_email(text: &str) -> bool {
    let no_blank = !text.chars().any(char::is_whitespace);
    let halves = text.rsplit_once('@');
    no_blank && halves.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}
