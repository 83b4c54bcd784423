//! One request on its way through the account, and the paging of lists (Gorgias facts §4).

use std::collections::BTreeSet;
use std::ops::Bound;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::model::{Id, Moment};
use super::state::State;
use super::switches::TimeForm;

/// A part of a form: a file.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Name of the part, which is the file's label (§9).
    pub name: String,
    /// Its type.
    pub content_type: String,
    /// Bytes read.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
}

/// A request as it came, its body read.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Method in capitals.
    pub method: String,
    /// Path and query as sent.
    pub uri: String,
    /// Query, decoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as JSON, null without one.
    pub json: Value,
    /// Files of a form.
    pub files: Vec<Part>,
}

impl Request {
    /// The first value of a query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter.
    pub fn params<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        let same = self.query.iter().filter(move |(key, _)| key == name);
        same.map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// The user.
    pub user_id: Id,
    /// Role at the time of the call.
    pub role: String,
    /// Scopes of a bearer token; an API key has all.
    pub scopes: Option<Vec<String>>,
}

/// One request being handled.
pub(super) struct Call<'a> {
    /// The account.
    pub state: &'a mut State,
    /// The request.
    pub request: &'a Request,
    /// Who calls.
    pub actor: Actor,
    /// Base of links.
    pub base: String,
}

/// What a paged list takes.
pub(super) const PAGED: [&str; 3] = ["cursor", "limit", "order_by"];

impl Call<'_> {
    /// A record's id in the path.
    pub fn id(&self, text: &str) -> Result<Id, Failure> {
        text.parse().map_err(|_| Failure::NotFound)
    }

    /// Refuses parameters of the query that nobody knows (§1).
    pub fn only(&self, known: &[&[&str]]) -> Result<(), Failure> {
        if !self.state.config.switches.unknown_query_refused {
            return Ok(());
        }
        let mut asked = self.request.query.iter();
        let unknown = asked.find(|(key, _)| !known.iter().any(|list| list.contains(&key.as_str())));
        match unknown {
            None => Ok(()),
            Some((key, _)) => Err(Failure::invalid(
                "Invalid parameters",
                key,
                "Unknown field.",
            )),
        }
    }

    /// A parameter that is a number of something.
    pub fn id_param(&self, name: &str) -> Result<Option<Id>, Failure> {
        let Some(text) = self.request.param(name) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|_| Failure::invalid("Invalid parameters", name, "Not a valid integer."))
    }

    /// A parameter that is a truth value.
    pub fn flag_param(&self, name: &str) -> Result<Option<bool>, Failure> {
        match self.request.param(name).map(str::to_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Failure::invalid(
                "Invalid parameters",
                name,
                "Not a valid boolean.",
            )),
        }
    }

    /// Whether `relationships` asks for this.
    pub fn wants(&self, relationship: &str) -> bool {
        ["relationships", "relationships[]"].iter().any(|name| {
            let mut lists = self.request.params(name);
            lists.any(|list| list.split(',').any(|one| one == relationship))
        })
    }

    /// A time as the account writes it.
    pub fn time(&self, time: Moment) -> Value {
        time_of(self.state, time)
    }

    /// The same, null if there is none.
    pub fn time_or_null(&self, time: Option<Moment>) -> Value {
        time.map_or(Value::Null, |time| self.time(time))
    }
}

/// A time of tickets, messages and everything else but people, teams and tags (§1).
pub(super) fn time_of(state: &State, time: Moment) -> Value {
    written(time, state.config.switches.time_form != TimeForm::Bare)
}

/// A time of people, teams and tags (§1).
pub(super) fn plain_time(state: &State, time: Moment) -> Value {
    written(time, state.config.switches.time_form == TimeForm::Zoned)
}

/// Microseconds are left out when there are none, as Python does it.
fn written(time: Moment, zoned: bool) -> Value {
    let text = if time.timestamp_subsec_micros() == 0 {
        time.format("%Y-%m-%dT%H:%M:%S").to_string()
    } else {
        time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    };
    json!(if zoned { text + "+00:00" } else { text })
}

/// Place of something in an ordered list.
pub(super) type Key = (i64, Id);

/// The place by a time.
pub(super) fn key(time: Moment, id: Id) -> Key {
    (time.timestamp_micros(), id)
}

/// How a list was asked for.
#[derive(Debug)]
pub(super) struct Paging {
    /// What it is ordered by.
    pub by: String,
    down: bool,
    limit: usize,
    from: Option<Cursor>,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    back: bool,
    key: Key,
}

/// Reads `cursor`, `limit` and `order_by`; the first of the orders is the default, high values first.
pub(super) fn paging(call: &Call<'_>, orders: &[&str]) -> Result<Paging, Failure> {
    let wrong = |name: &str, text: &str| Failure::invalid("Invalid parameters", name, text);
    let limit = match call.request.param("limit").map(str::parse::<usize>) {
        None => 30,
        Some(Ok(limit)) if (1..=100).contains(&limit) => limit,
        Some(_) => return Err(wrong("limit", "Must be between 1 and 100.")),
    };
    let first = orders.first().copied().unwrap_or("created_datetime");
    let (by, down) = match call.request.param("order_by") {
        None => (first, true),
        // [L]: an order by usage has one by name behind it.
        Some(text) => match text.split(',').next().unwrap_or_default().split_once(':') {
            Some((by, "asc")) if orders.contains(&by) => (by, false),
            Some((by, "desc")) if orders.contains(&by) => (by, true),
            _ => return Err(wrong("order_by", "Not a valid choice.")),
        },
    };
    let from = match call.request.param("cursor") {
        None => None,
        Some(text) => Some(
            cursor(call.state, text)
                .ok_or_else(|| wrong("cursor", "Invalid or expired cursor."))?,
        ),
    };
    Ok(Paging {
        by: by.to_owned(),
        down,
        limit,
        from,
    })
}

/// Cursors live for a while only (§4).
fn cursor(state: &State, text: &str) -> Option<Cursor> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (way, rest) = text.split_once("__")?;
    let mut numbers = rest.split('_').map(str::parse::<i64>);
    let (place, id, made) = (
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
        numbers.next()?.ok()?,
    );
    let age = state.now.timestamp_millis() - made;
    if age > state.config.switches.cursor_life.num_milliseconds() {
        return None;
    }
    Some(Cursor {
        back: way == "prev",
        key: (place, u64::try_from(id).ok()?),
    })
}

/// A page of an ordered list; what `show` gives nothing for is not in it. Costs no more than the page and what is left out of it.
pub(super) fn page(
    call: &Call<'_>,
    paging: &Paging,
    all: &BTreeSet<Key>,
    show: impl Fn(Id) -> Option<Value>,
) -> Outcome {
    let back = paging.from.is_some_and(|from| from.back);
    let ascending = paging.down == back;
    let from = paging.from.map(|from| from.key);
    let shown = |key: &Key| Some((*key, show(key.1)?));
    let mut items: Vec<(Key, Value)> = if ascending {
        let bound = from.map_or(Bound::Unbounded, Bound::Excluded);
        let range = all.range((bound, Bound::Unbounded));
        range.filter_map(shown).take(paging.limit + 1).collect()
    } else {
        let bound = from.map_or(Bound::Unbounded, Bound::Excluded);
        let range = all.range((Bound::Unbounded, bound)).rev();
        range.filter_map(shown).take(paging.limit + 1).collect()
    };
    let more = items.len() > paging.limit;
    items.truncate(paging.limit);
    if back {
        items.reverse();
    }
    let link = |way: &str, key: Option<Key>| {
        let (place, id) = key?;
        let made = call.state.now.timestamp_millis();
        Some(URL_SAFE_NO_PAD.encode(format!("{way}__{place}_{id}_{made}")))
    };
    let first = items.first().map(|(key, _)| *key);
    let last = items.last().map(|(key, _)| *key);
    let (has_previous, has_next) = if back {
        (more, true)
    } else {
        (from.is_some(), more)
    };
    let previous = link("prev", first.filter(|_| has_previous));
    let next = link("next", last.filter(|_| has_next));
    Answer::ok(json!({
        "object": "list",
        "uri": call.request.uri,
        "data": items.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
        "meta": {"prev_cursor": previous, "next_cursor": next},
    }))
}
