//! Reading a request body the way Gorgias does: an unknown key is an error, and all that is wrong is said at once, under the
//! names of the fields (Gorgias facts §1, §3).

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use serde_json::{Map, Value, json};

use super::answer::Failure;
use super::model::{Id, Moment};

/// What is wrong with a body: field → messages, or the same again for a nested one.
pub(super) type Problems = Map<String, Value>;

/// The object of a body, and what was found wrong with it so far.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    map: &'a Map<String, Value>,
    problems: Problems,
}

static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

impl<'a> Reader<'a> {
    /// The keys of an object, all of which must be known.
    pub fn new(value: &'a Value, known: &[&str]) -> Self {
        let mut problems = Problems::new();
        let map = match value {
            Value::Object(map) => map,
            _ => {
                problems.insert("_schema".to_owned(), json!(["Invalid input type."]));
                &EMPTY
            }
        };
        for key in map.keys() {
            if !known.contains(&key.as_str()) {
                problems.insert(key.clone(), json!(["Unknown field."]));
            }
        }
        Self { map, problems }
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
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        let list = self
            .problems
            .entry(key.to_owned())
            .or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(json!(message.into()));
        }
    }

    /// The problems of a nested object or list.
    pub fn nested(&mut self, key: &str, problems: Problems) {
        if !problems.is_empty() {
            self.problems
                .insert(key.to_owned(), Value::Object(problems));
        }
    }

    /// Says that a key is missing, or null where it must not be.
    pub fn required(&mut self, key: &str) {
        if !self.given(key) {
            self.problem(key, "Missing data for required field.");
        } else if self.raw(key).is_none() {
            self.problem(key, "Field may not be null.");
        }
    }

    /// Text of at most so many characters.
    pub fn text(&mut self, key: &str, longest: usize) -> Option<String> {
        match self.raw(key)? {
            Value::String(text) if text.chars().count() <= longest => Some(text.clone()),
            Value::String(_) => {
                self.problem(key, format!("Longer than maximum length {longest}."));
                None
            }
            _ => {
                self.problem(key, "Not a valid string.");
                None
            }
        }
    }

    /// Text of any length.
    pub fn long_text(&mut self, key: &str) -> Option<String> {
        self.text(key, usize::MAX)
    }

    /// An e-mail address of at most 320 characters (§6).
    pub fn email(&mut self, key: &str) -> Option<String> {
        let text = self.text(key, EMAIL_LENGTH)?;
        if is_email(&text) {
            return Some(text);
        }
        self.problem(key, "Not a valid email address.");
        None
    }

    /// One of a few texts.
    pub fn choice(&mut self, key: &str, choices: &[&str]) -> Option<String> {
        let text = self.long_text(key)?;
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        self.problem(key, format!("Must be one of: {}.", choices.join(", ")));
        None
    }

    /// A truth value.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.raw(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.problem(key, "Not a valid boolean.");
                None
            }
        }
    }

    /// A whole number.
    pub fn integer(&mut self, key: &str) -> Option<i64> {
        let value = self.raw(key)?;
        let number = value.as_i64();
        if number.is_none() {
            self.problem(key, "Not a valid integer.");
        }
        number
    }

    /// The number of something.
    pub fn id(&mut self, key: &str) -> Option<Id> {
        let value = self.raw(key)?;
        let number = value.as_u64();
        if number.is_none() {
            self.problem(key, "Not a valid integer.");
        }
        number
    }

    /// A list of numbers of things.
    pub fn ids(&mut self, key: &str) -> Option<Vec<Id>> {
        let list = self.list(key)?;
        let ids: Option<Vec<Id>> = list.iter().map(Value::as_u64).collect();
        if ids.is_none() {
            self.problem(key, "Not a valid integer.");
        }
        ids
    }

    /// A moment; sub-second digits are cut unless `exact`.
    pub fn time(&mut self, key: &str, exact: bool) -> Option<Moment> {
        let time = self.raw(key)?.as_str().and_then(parse_time);
        match time {
            None => {
                self.problem(key, "Not a valid datetime.");
                None
            }
            Some(time) if exact => Some(time.trunc_subsecs(6)),
            Some(time) => Some(time.trunc_subsecs(0)),
        }
    }

    /// A list.
    pub fn list(&mut self, key: &str) -> Option<&'a Vec<Value>> {
        let value = self.raw(key)?;
        let list = value.as_array();
        if list.is_none() {
            self.problem(key, "Not a valid list.");
        }
        list
    }

    /// A free object; null when absent.
    pub fn object(&mut self, key: &str) -> Value {
        match self.raw(key) {
            None => Value::Null,
            Some(value @ Value::Object(_)) => value.clone(),
            Some(_) => {
                self.problem(key, "Not a valid mapping type.");
                Value::Null
            }
        }
    }

    /// What was found wrong.
    pub fn problems(self) -> Problems {
        self.problems
    }

    /// A 400 with all that was found wrong.
    pub fn finish(self, msg: &str) -> Result<(), Failure> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Failure::Invalid {
            msg: msg.to_owned(),
            data: self.problems,
        })
    }
}

/// Longest e-mail address (§6).
pub(super) const EMAIL_LENGTH: usize = 320;
/// Longest external id (§6).
pub(super) const EXTERNAL_ID_LENGTH: usize = 255;

/// Whether a text is an address of the form `a@b`, as far as anybody checks.
pub(super) fn is_email(text: &str) -> bool {
    let no_blank = !text.chars().any(char::is_whitespace);
    let halves = text.rsplit_once('@');
    no_blank && halves.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
}

/// ISO 8601 with a zone, or without one, which is UTC (§1).
pub(super) fn parse_time(text: &str) -> Option<Moment> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    let bare = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f");
    zoned
        .or_else(|_| bare().map(|time| time.and_utc()))
        .ok()
        .or_else(|| {
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(day.and_time(chrono::NaiveTime::MIN).and_utc())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_and_without_a_zone() {
        let iso = |text| parse_time(text).map(|time| time.to_rfc3339());
        assert_eq!(
            iso("2019-07-05T14:42:00"),
            Some("2019-07-05T14:42:00+00:00".to_owned())
        );
        assert_eq!(
            iso("2019-07-05T16:42:00.5+02:00"),
            Some("2019-07-05T14:42:00.500+00:00".to_owned())
        );
        assert_eq!(iso("yesterday"), None);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let body = json!({"name": 5, "colour": "red", "at": "noon"});
        let mut reader = Reader::new(&body, &["name", "at", "email"]);
        reader.text("name", 10);
        reader.time("at", true);
        reader.required("email");
        assert_eq!(
            Value::Object(reader.problems()),
            json!({
                "name": ["Not a valid string."], "colour": ["Unknown field."], "at": ["Not a valid datetime."],
                "email": ["Missing data for required field."],
            })
        );
    }
}
