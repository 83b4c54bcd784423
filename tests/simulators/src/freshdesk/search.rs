//! Search, which learns of records later than they are made (Freshdesk facts §3).
//!
//! A record is put into words when search learns of it; what is found is shown as it is now, and what is gone by then is left
//! out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::model::{Id, Owner};
use super::state::State;
use super::{companies, contacts, tickets};

/// Characters of a query.
const QUERY: usize = 512;
/// Results on a page.
const PAGE: usize = 30;
/// Pages.
const PAGES: usize = 10;

/// What is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Ticket,
    Contact,
    Company,
}

impl Kind {
    fn owner(self) -> Owner {
        match self {
            Self::Ticket => Owner::Ticket,
            Self::Contact => Owner::Contact,
            Self::Company => Owner::Company,
        }
    }

    /// Standard fields that can be searched by.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Ticket => &[
                "agent_id",
                "group_id",
                "priority",
                "status",
                "tag",
                "type",
                "due_by",
                "fr_due_by",
                "created_at",
                "updated_at",
                "closed_at",
            ],
            Self::Contact => &[
                "active",
                "company_id",
                "email",
                "mobile",
                "phone",
                "language",
                "tag",
                "time_zone",
                "twitter_id",
                "unique_external_id",
                "created_at",
                "updated_at",
            ],
            Self::Company => &["domain", "created_at", "updated_at"],
        }
    }
}

/// The words of a record: field to values, in lower case.
type Words = BTreeMap<String, Vec<String>>;

/// What search knows.
#[derive(Debug, Default)]
pub(super) struct Search {
    known: BTreeMap<(Kind, Id), Words>,
    by_word: HashMap<(Kind, String, String), BTreeSet<Id>>,
}

impl Search {
    /// A record is gone for good.
    pub fn forget(&mut self, kind: Kind, id: Id) {
        for (field, values) in self.known.remove(&(kind, id)).unwrap_or_default() {
            for value in values {
                if let Some(ids) = self.by_word.get_mut(&(kind, field.clone(), value)) {
                    ids.remove(&id);
                }
            }
        }
    }

    fn learn(&mut self, kind: Kind, id: Id, words: Words) {
        self.forget(kind, id);
        for (field, values) in &words {
            for value in values {
                let key = (kind, field.clone(), value.clone());
                self.by_word.entry(key).or_default().insert(id);
            }
        }
        self.known.insert((kind, id), words);
    }
}

/// Search learns of a record as it is now.
pub(super) fn learn(state: &mut State, kind: Kind, id: Id) {
    let words = match kind {
        Kind::Ticket => ticket_words(state, id),
        Kind::Contact => contact_words(state, id),
        Kind::Company => company_words(state, id),
    };
    match words {
        Some(words) => state.search.learn(kind, id, words),
        None => state.search.forget(kind, id),
    }
}

fn date(time: DateTime<Utc>) -> Option<Value> {
    Some(json!(time.format("%Y-%m-%d").to_string()))
}

fn words(pairs: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Words {
    let mut words = Words::new();
    for (field, value) in pairs {
        add(&mut words, field, &value.unwrap_or(Value::Null));
    }
    words
}

fn add(words: &mut Words, field: &str, value: &Value) {
    let values = match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.to_lowercase()],
        Value::Array(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_lowercase))
            .collect(),
        other => vec![other.to_string()],
    };
    words.entry(field.to_owned()).or_default().extend(values);
}

fn ticket_words(state: &State, id: Id) -> Option<Words> {
    let ticket = state.tickets.get(&id)?;
    let mut words = words([
        ("agent_id", ticket.responder_id.map(|id| json!(id))),
        ("group_id", ticket.group_id.map(|id| json!(id))),
        ("priority", Some(json!(ticket.priority))),
        ("status", Some(json!(ticket.status))),
        ("tag", Some(json!(ticket.tags))),
        ("type", ticket.kind.as_ref().map(|kind| json!(kind))),
        ("due_by", date(ticket.due_by)),
        ("fr_due_by", date(ticket.fr_due_by)),
        ("created_at", date(ticket.created_at)),
        ("updated_at", date(ticket.updated_at)),
        ("closed_at", ticket.closed_at.and_then(date)),
    ]);
    for (name, value) in &ticket.custom_fields {
        add(&mut words, name, value);
    }
    Some(words)
}

fn contact_words(state: &State, id: Id) -> Option<Words> {
    let person = state.people.get(&id)?;
    let text = |value: &Option<String>| value.as_ref().map(|value| json!(value));
    let emails: Vec<&String> = person.email.iter().chain(&person.other_emails).collect();
    let mut words = words([
        ("active", Some(json!(person.active))),
        ("company_id", person.company_id.map(|id| json!(id))),
        ("email", Some(json!(emails))),
        ("mobile", text(&person.mobile)),
        ("phone", text(&person.phone)),
        ("language", Some(json!(person.language))),
        ("tag", Some(json!(person.tags))),
        ("time_zone", Some(json!(person.time_zone))),
        ("twitter_id", text(&person.twitter_id)),
        ("unique_external_id", text(&person.unique_external_id)),
        ("created_at", date(person.created_at)),
        ("updated_at", date(person.updated_at)),
    ]);
    for (name, value) in &person.custom_fields {
        add(&mut words, name, value);
    }
    Some(words)
}

fn company_words(state: &State, id: Id) -> Option<Words> {
    let company = state.companies.get(&id)?;
    let mut words = words([
        ("domain", Some(json!(company.domains))),
        ("created_at", date(company.created_at)),
        ("updated_at", date(company.updated_at)),
    ]);
    for (name, value) in &company.custom_fields {
        add(&mut words, name, value);
    }
    Some(words)
}

// ---- the language

#[derive(Debug)]
enum Expression {
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Is(String, Option<String>),
    AtLeast(String, String),
    AtMost(String, String),
}

impl Expression {
    fn fits(&self, words: &Words) -> bool {
        let values = |field: &str| words.get(field).map_or(&[][..], Vec::as_slice);
        let compare = |a: &str, b: &str| match (a.parse::<f64>(), b.parse::<f64>()) {
            (Ok(a), Ok(b)) => a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal),
            _ => a.cmp(b),
        };
        match self {
            Self::All(parts) => parts.iter().all(|part| part.fits(words)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(words)),
            Self::Is(field, None) => values(field).is_empty(),
            Self::Is(field, Some(wanted)) => values(field).contains(wanted),
            Self::AtLeast(field, bound) => values(field)
                .iter()
                .any(|value| compare(value, bound).is_ge()),
            Self::AtMost(field, bound) => values(field)
                .iter()
                .any(|value| compare(value, bound).is_le()),
        }
    }

    /// A set that holds all that fits, if there is a small one.
    fn within<'s>(&self, search: &'s Search, kind: Kind) -> Option<&'s BTreeSet<Id>> {
        static NONE: BTreeSet<Id> = BTreeSet::new();
        match self {
            Self::All(parts) => {
                let sets = parts.iter().filter_map(|part| part.within(search, kind));
                sets.min_by_key(|set| set.len())
            }
            Self::Any(parts) => match parts.as_slice() {
                [one] => one.within(search, kind),
                _ => None,
            },
            Self::Is(field, Some(value)) => {
                let key = (kind, field.clone(), value.clone());
                Some(search.by_word.get(&key).unwrap_or(&NONE))
            }
            _ => None,
        }
    }
}

struct Parser<'a> {
    state: &'a State,
    kind: Kind,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn wrong(message: impl Into<String>) -> Failure {
        Failure::invalid("query", "invalid_value", message)
    }

    fn word(&mut self, word: &str) -> bool {
        self.rest = self.rest.trim_start();
        let Some(after) = self.rest.strip_prefix(word) else {
            return false;
        };
        let ends = after
            .chars()
            .next()
            .is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let found = ends || !word.starts_with(char::is_alphabetic);
        if found {
            self.rest = after;
        }
        found
    }

    fn any(&mut self) -> Result<Expression, Failure> {
        let mut parts = vec![self.all()?];
        while self.word("OR") {
            parts.push(self.all()?);
        }
        Ok(Expression::Any(parts))
    }

    fn all(&mut self) -> Result<Expression, Failure> {
        let mut parts = vec![self.term()?];
        while self.word("AND") {
            parts.push(self.term()?);
        }
        Ok(Expression::All(parts))
    }

    fn term(&mut self) -> Result<Expression, Failure> {
        if self.word("(") {
            let inner = self.any()?;
            if !self.word(")") {
                return Err(Self::wrong("A bracket is not closed"));
            }
            return Ok(inner);
        }
        let rest = self.rest.trim_start();
        let (field, rest) = rest
            .split_once(':')
            .ok_or_else(|| Self::wrong("The query is not of the form \"field:value\""))?;
        let field = field.trim();
        let is_date = self.check(field)?;
        let (operator, rest) = match rest.chars().next() {
            Some(c @ ('>' | '<')) => (Some(c), rest.get(1..).unwrap_or("")),
            _ => (None, rest),
        };
        let (value, quoted, rest) = match rest.strip_prefix('\'') {
            Some(inside) => {
                let (value, rest) = inside
                    .split_once('\'')
                    .ok_or_else(|| Self::wrong("A quote is not closed"))?;
                (value, true, rest)
            }
            None => {
                let end = rest.find([' ', ')']).unwrap_or(rest.len());
                let (value, rest) = rest.split_at(end);
                (value, false, rest)
            }
        };
        self.rest = rest;
        if value.is_empty() && !quoted {
            return Err(Self::wrong("A value is missing"));
        }
        if !quoted && value == "null" {
            return Ok(Expression::Is(field.to_owned(), None));
        }
        if !quoted && value.parse::<f64>().is_err() && !matches!(value, "true" | "false") {
            return Err(Self::wrong("Text must be in single quotes"));
        }
        if is_date && NaiveDate::parse_from_str(value, "%Y-%m-%d").is_err() {
            return Err(Self::wrong("A date is written YYYY-MM-DD"));
        }
        let (field, value) = (field.to_owned(), value.to_lowercase());
        // Both include the value itself [MEM].
        Ok(match operator {
            None => Expression::Is(field, Some(value)),
            Some('>') => Expression::AtLeast(field, value),
            Some(_) => Expression::AtMost(field, value),
        })
    }

    /// Whether the field is a date; an error when nobody can search by it.
    fn check(&self, field: &str) -> Result<bool, Failure> {
        if self.kind.fields().contains(&field) {
            return Ok(field.ends_with("_at") || field.ends_with("due_by"));
        }
        let known = self.state.field(self.kind.owner(), field);
        match known
            .filter(|field| !field.default)
            .map(|field| field.kind.as_str())
        {
            Some("custom_date") => Ok(true),
            Some("custom_text" | "custom_number" | "custom_checkbox" | "custom_dropdown") => {
                Ok(false)
            }
            _ => {
                let message = format!("The field {field} cannot be searched by");
                Err(Failure::invalid(field, "invalid_field", message))
            }
        }
    }
}

/// `GET /search/…?query="…"`.
pub(super) fn find(call: &mut Call<'_>, kind: Kind) -> Outcome {
    call.query_only(&["query"])?;
    if call.request.param("per_page").is_some() {
        let message = "Unexpected/invalid field in request";
        return Err(Failure::invalid("per_page", "invalid_field", message));
    }
    let (page, _) = call.paging(Some(PAGES))?;
    let query = call.request.param("query").unwrap_or_default();
    if query.is_empty() {
        let message = "It should be a/an String";
        return Err(Failure::invalid("query", "missing_field", message));
    }
    let length = query.chars().count();
    if length > QUERY {
        let message = format!("Has {length} characters, it can have maximum of {QUERY} characters");
        let code = call.state.config.switches.length_code;
        return Err(Failure::invalid("query", code, message));
    }
    let inside = query
        .strip_prefix('"')
        .and_then(|query| query.strip_suffix('"'));
    let inside = inside.ok_or_else(|| Parser::wrong("The query must be in double quotes"))?;
    let state = &*call.state;
    let mut parser = Parser {
        state,
        kind,
        rest: inside,
    };
    let expression = parser.any()?;
    if !parser.rest.trim().is_empty() {
        return Err(Parser::wrong(
            "The query is not of the form \"field:value\"",
        ));
    }
    let shown = |id: Id| match kind {
        // §3: deleted ones are hidden, archived ones excluded.
        Kind::Ticket => {
            let ticket = state.ticket(id).ok()?;
            let visible = ticket.deleted_at.is_none() && !ticket.spam;
            visible.then(|| tickets::render(state, &call.base, ticket, &[], true))
        }
        Kind::Contact => {
            let person = state.contact(id).ok()?;
            let visible = person.deleted_at.is_none();
            visible.then(|| contacts::render(state, &call.base, person))
        }
        Kind::Company => {
            let company = state.companies.get(&id)?;
            Some(companies::render(state, company))
        }
    };
    let fits = |id: &Id| {
        let words = state.search.known.get(&(kind, *id));
        words.is_some_and(|words| expression.fits(words))
    };
    let found: Vec<Id> = match expression.within(&state.search, kind) {
        Some(ids) => ids.iter().copied().filter(fits).collect(),
        None => {
            let all = state.search.known.range((kind, 0)..=(kind, Id::MAX));
            all.filter(|(_, words)| expression.fits(words))
                .map(|((_, id), _)| *id)
                .collect()
        }
    };
    let results: Vec<Value> = found.into_iter().rev().filter_map(shown).collect();
    let total = results.len();
    let results: Vec<Value> = results
        .into_iter()
        .skip((page - 1) * PAGE)
        .take(PAGE)
        .collect();
    Answer::ok(json!({"total": total, "results": results}))
}
