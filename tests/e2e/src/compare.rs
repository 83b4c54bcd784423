//! Holds the destination against the source, field by field.
//!
//! The source's truth is asked of its simulator, not of what a connector made of it; the destination is looked at as its
//! simulator keeps it. What a connector declares to convert (status, priority, tags, times of whole seconds) is converted
//! here once more, independently. A record that must not arrive (deleted, spam) is a difference when it does; one that
//! cannot (its customer is deleted, or has an agent's address) is counted under its reason in
//! [`Comparison::explained`]. Not here: the report's sums, and side effects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result, ensure};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt;
use transload_simulators::kustomer::{self, FULL_KEY, KLASSES, Kind, State, World};

use crate::destination::Destination;

pub use held::{File, Held, Objects, Record, Records, Said, Slot, Thread, Ways};

pub(crate) mod freshdesk;
pub(crate) mod gorgias;
mod held;
mod html;
pub(crate) mod hubspot;
pub(crate) mod intercom;
pub(crate) mod salesforce;
pub(crate) mod zendesk;
pub(crate) mod zoho_desk;

/// What was compared, and what differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many of each were found and held against their original.
    pub checked: BTreeMap<&'static str, u64>,
    /// How many did not arrive, and need not, by reason.
    pub explained: BTreeMap<&'static str, u64>,
    /// Everything else, in words.
    pub differences: Vec<String>,
    /// How many of the differences are two objects for one record.
    pub duplicates: u64,
    /// How many of the differences are a record, text or file that did not arrive.
    pub lost: u64,
}

impl Comparison {
    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty()
    }

    fn count(&mut self, what: &'static str) {
        *self.checked.entry(what).or_default() += 1;
    }

    fn explain(&mut self, why: &'static str) {
        *self.explained.entry(why).or_default() += 1;
    }

    fn differs(&mut self, what: String) {
        self.differences.push(what);
    }

    fn misses(&mut self, what: String) {
        self.lost += 1;
        self.differs(what);
    }

    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: &T, found: &T) {
        if wanted != found {
            self.differs(format!("{what}: {found:?} instead of {wanted:?}"));
        }
    }
}

/// Compares everything.
///
/// # Errors
/// A source that does not answer.
pub async fn compare<D: Destination>(
    source: &kustomer::Simulator,
    destination: &D,
) -> Result<Comparison> {
    held::compare(source, &destination.held(), D::WAYS).await
}

/// Where two fingerprints differ, in words; empty when they are the same.
#[must_use]
pub fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut all = Vec::new();
    differ("", wanted, found, &mut all);
    all
}

fn differ(at: &str, wanted: &Value, found: &Value, all: &mut Vec<String>) {
    let short = |value: &Value| value.to_string().chars().take(400).collect::<String>();
    match (wanted, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_default()
                };
                differ(&format!("{at}/{key}"), &of(a), &of(b), all);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            // Lists are sets here: what only one of them has is the difference, and of what both have by name, what differs in it.
            let mut rest: Vec<&Value> = b.iter().collect();
            let mut lacking = Vec::new();
            for item in a {
                match rest.iter().position(|other| *other == item) {
                    Some(place) => {
                        rest.swap_remove(place);
                    }
                    None => lacking.push(item),
                }
            }
            for item in lacking {
                let same =
                    |other: &&Value| name_of(item).is_some() && name_of(item) == name_of(other);
                match rest.iter().position(same) {
                    Some(place) => {
                        let other = rest.swap_remove(place);
                        let at = format!("{at}/{}", name_of(item).unwrap_or_default());
                        differ(&at, item, other, all);
                    }
                    None => all.push(format!("{at}: missing {}", short(item))),
                }
            }
            all.extend(
                rest.into_iter()
                    .map(|item| format!("{at}: too many {}", short(item))),
            );
        }
        (Value::String(a), Value::String(b)) if a != b => {
            // Long texts differ somewhere in the middle.
            let from = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
            let part = |text: &str| -> String {
                text.chars()
                    .skip(from.saturating_sub(40))
                    .take(300)
                    .collect()
            };
            all.push(format!(
                "{at}: {:?} instead of {:?}, from letter {from} on",
                part(b),
                part(a)
            ));
        }
        (a, b) if a != b => all.push(format!("{at}: {} instead of {}", short(b), short(a))),
        _ => {}
    }
}

/// By what an item of a list is known.
fn name_of(item: &Value) -> Option<&str> {
    let names = ["called", "external_id", "name"];
    names.iter().find_map(|name| item.get(name)?.as_str())
}

/// What the source calls its tags and custom attributes.
struct Names {
    tags: HashMap<String, String>,
    /// By resource (`customer`, `kobject.shipment`), then by attribute: what people see, and what it points to.
    attributes: HashMap<String, HashMap<String, Attribute>>,
}

#[derive(Default, Clone)]
struct Attribute {
    label: String,
    target: Option<String>,
}

impl Names {
    async fn read(source: &kustomer::Simulator) -> Result<Self> {
        let mut tags = HashMap::new();
        let mut path = Some("/v1/tags?pageSize=100".to_owned());
        while let Some(next) = path {
            let page = ask(source, &next).await?;
            for tag in list(&page, "/data") {
                tags.insert(
                    text(tag, "/id").to_owned(),
                    text(tag, "/attributes/name").to_owned(),
                );
            }
            path = page
                .pointer("/links/next")
                .and_then(Value::as_str)
                .map(str::to_owned);
        }
        let mut attributes = HashMap::new();
        let mut resources = vec![
            "customer".to_owned(),
            "company".to_owned(),
            "conversation".to_owned(),
        ];
        resources.extend(
            KLASSES
                .iter()
                .map(|klass| format!("kobject.{}", klass.name)),
        );
        for resource in resources {
            let metadata = ask(source, &format!("/v1/metadata/{resource}")).await?;
            let properties = metadata
                .pointer("/data/attributes/properties")
                .and_then(Value::as_object);
            let known = properties.into_iter().flatten().map(|(name, property)| {
                let label = text(property, "/displayName").to_owned();
                let target = property
                    .get("target")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
                (name.clone(), Attribute { label, target })
            });
            attributes.insert(resource, known.collect());
        }
        Ok(Self { tags, attributes })
    }
}

async fn ask(source: &kustomer::Simulator, path: &str) -> Result<Value> {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {FULL_KEY}"))
        .body(Body::empty())?;
    let answer = source.router().oneshot(request).await?;
    let status = answer.status();
    let body = to_bytes(answer.into_body(), usize::MAX).await?;
    ensure!(status.is_success(), "{path} answers {status}");
    serde_json::from_slice(&body).with_context(|| format!("{path} answers no JSON"))
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn flag(value: &Value, pointer: &str) -> bool {
    value
        .pointer(pointer)
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

/// Milliseconds of a time.
fn time(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|at| at.timestamp_millis())
}

/// The record that an external id stands for: kind, id and the number of its part.
fn record_of(external: &str) -> Option<(&str, &str, u32)> {
    let (id, part) = match external.split_once('#') {
        Some((id, part)) => (id, part.parse().ok()?),
        None => (external, 1),
    };
    let rest = id.strip_prefix("kustomer:")?;
    let (rest, id) = rest.rsplit_once(':')?;
    let kind = rest.rsplit_once(':').map_or(rest, |(_, kind)| kind);
    Some((kind, id, part))
}

/// Something said in a conversation, as the source has it.
struct Part {
    id: String,
    at: i64,
    is_note: bool,
    text: String,
    author: Who,
    facts: Value,
}

/// Who said it.
enum Who {
    Customer,
    Agent(String),
    Nobody,
}

/// Every live record of a kind.
fn live(world: &World, kind: Kind) -> Vec<(String, Value)> {
    let ids = world.ids(kind).into_iter();
    ids.filter(|id| matches!(world.state(id), Some(State::Live) | None))
        .filter_map(|id| {
            let json = world.json(&id)?;
            Some((id, json))
        })
        .collect()
}

/// What was said in a conversation, in order.
fn parts(world: &World, conversation: &str) -> Vec<Part> {
    let messages = world.message_ids(conversation).into_iter();
    let notes = world.note_ids(conversation).into_iter();
    let all = messages
        .map(|id| (id, false))
        .chain(notes.map(|id| (id, true)));
    let mut parts: Vec<Part> = all.filter_map(|(id, note)| part(world, id, note)).collect();
    parts.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    parts
}

fn part(world: &World, id: String, is_note: bool) -> Option<Part> {
    let facts = world.json(&id)?;
    if flag(&facts, "/attributes/deleted") {
        return None;
    }
    let (body, at) = if is_note {
        ("body", "createdAt")
    } else {
        ("preview", "sentAt")
    };
    let by = text(&facts, "/relationships/createdBy/data/id");
    let author = if !by.is_empty() {
        Who::Agent(by.to_owned())
    } else if text(&facts, "/attributes/direction") == "in" {
        Who::Customer
    } else {
        Who::Nobody
    };
    Some(Part {
        at: time(text(&facts, &format!("/attributes/{at}")))?,
        text: text(&facts, &format!("/attributes/{body}")).to_owned(),
        id,
        is_note,
        author,
        facts,
    })
}

fn same_day(text: &str, shown: &str) -> bool {
    let day = |text: &str| {
        time(text)
            .and_then(chrono::DateTime::from_timestamp_millis)
            .map(|at| at.date_naive())
    };
    day(text).is_some_and(|day| shown.starts_with(&day.to_string()))
}

const LEAD: &str = "[Migrated: ";

/// The facts in the line above a text, and the text.
fn split(whole: &str) -> (String, String) {
    let rest = whole.strip_prefix(LEAD);
    match rest.and_then(|rest| rest.split_once(']')) {
        Some((lead, body)) => {
            let body = body.strip_prefix("\n\n").unwrap_or(body);
            (lead.to_owned(), body.to_owned())
        }
        None => (String::new(), whole.to_owned()),
    }
}

/// The same of HTML.
fn split_html(html: &str) -> (String, String) {
    let rest = html.strip_prefix("<p>");
    let rest = rest.and_then(|rest| rest.strip_prefix(LEAD));
    match rest.and_then(|rest| rest.split_once("]</p>")) {
        Some((lead, html)) => (html::unescaped(lead), html.to_owned()),
        None => (String::new(), html.to_owned()),
    }
}

/// The letters of a text, without markup: what sanitising, wrapping and labelling leave alone.
fn letters(text: &str) -> String {
    let mut out = String::new();
    let mut tag = false;
    for c in text.chars() {
        match c {
            '<' => tag = true,
            '>' => tag = false,
            c if !tag && c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_says_which_record_it_stands_for() {
        assert_eq!(
            record_of("kustomer:acme:conversation:66f0"),
            Some(("conversation", "66f0", 1))
        );
        assert_eq!(
            record_of("kustomer:a:b:conversation:66f0#3"),
            Some(("conversation", "66f0", 3))
        );
        assert_eq!(record_of("zendesk:acme:conversation:66f0"), None);
        assert_eq!(record_of("66f0"), None);
    }
}
