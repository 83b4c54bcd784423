//! Search, and the lag of its index (Zendesk facts §3, §6.1, §12).
//!
//! A new record is found only after a while, a deleted one is found for a while longer; an edit shows at once, which is
//! kinder than the vendor. The query language is understood as far as a connector needs it: `type:`, exact `key:value`
//! terms, comparisons of status and times, and words. A key that is not known finds nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::parse_time;
use super::call::{Call, Limit, link};
use super::model::{Group, Id, IdentityType, Organization, Priority, Status, Ticket, User};
use super::state::{State, TicketKey};
use super::{organizations, tickets, users};

/// Search shows no more than this (§3).
const RESULTS: usize = 1_000;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["search"]) => search(call),
        ("GET", ["search", "count"]) => query(call).and_then(|query| {
            let count = run(call.state, &query).len();
            Answer::ok(json!({"count": count}))
        }),
        ("GET", ["search", "export"]) => export(call),
        _ => return None,
    })
}

/// Whether the index shows a record made and perhaps deleted at these moments.
pub(super) fn visible(state: &State, made: DateTime<Utc>, deleted: Option<DateTime<Utc>>) -> bool {
    let lag = state.config.switches.search_lag;
    state.now - made >= lag && deleted.is_none_or(|at| state.now - at < lag)
}

/// One term of a query.
#[derive(Debug, Clone)]
struct Term {
    key: Option<String>,
    operator: char,
    value: String,
    negated: bool,
}

/// Splits a query into terms; values may be quoted.
fn terms(query: &str) -> Vec<Term> {
    let mut words = Vec::new();
    let (mut word, mut quoted) = (String::new(), false);
    for c in query.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.push(c);
            }
            c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    let term = |word: &str| {
        let (word, negated) = word
            .strip_prefix('-')
            .map_or((word, false), |rest| (rest, true));
        let at = word
            .find([':', '<', '>'])
            .filter(|at| *at > 0 && word.get(..*at).is_some_and(|key| !key.contains('"')));
        match at.and_then(|at| word.split_at_checked(at)) {
            Some((key, rest)) => {
                let operator = rest.chars().next().unwrap_or(':');
                let value = rest.get(1..).unwrap_or_default();
                let (operator, value) = match (operator, value.strip_prefix('=')) {
                    ('<', Some(value)) => ('l', value),
                    ('>', Some(value)) => ('g', value),
                    _ => (operator, value),
                };
                let value = value.trim_matches('"').to_lowercase();
                Term {
                    key: Some(key.to_lowercase()),
                    operator,
                    value,
                    negated,
                }
            }
            None => Term {
                key: None,
                operator: ':',
                value: word.trim_matches('"').to_lowercase(),
                negated,
            },
        }
    };
    words
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| term(word))
        .collect()
}

/// What a search finds.
#[derive(Clone, Copy)]
enum Found<'s> {
    Ticket(&'s Ticket),
    User(&'s User),
    Organization(&'s Organization),
    Group(&'s Group),
}

fn run<'s>(state: &'s State, terms: &[Term]) -> Vec<Found<'s>> {
    let kind = terms
        .iter()
        .find(|term| term.key.as_deref() == Some("type") && !term.negated);
    let kind = kind.map_or("", |term| term.value.as_str());
    let terms: Vec<&Term> = terms
        .iter()
        .filter(|t| !matches!(t.key.as_deref(), Some("type" | "order_by" | "sort")))
        .collect();
    let mut found = Vec::new();
    if matches!(kind, "" | "ticket") {
        let candidates: Vec<&Ticket> = match exact(&terms, "external_id") {
            Some(id) => state.tickets_with(&TicketKey::external(id)).collect(),
            None => state.tickets.values().collect(),
        };
        let shown = |ticket: &&&Ticket| {
            visible(state, ticket.made_at, ticket.deleted.as_ref().map(|d| d.at))
                && hold(state, &terms, |term| ticket_term(state, ticket, term))
        };
        found.extend(
            candidates
                .iter()
                .filter(shown)
                .map(|ticket| Found::Ticket(ticket)),
        );
    }
    if matches!(kind, "" | "user") {
        found.extend(users_matching(state, &terms).into_iter().map(Found::User));
    }
    if matches!(kind, "" | "organization") {
        let shown = |organization: &&Organization| {
            visible(state, organization.created_at, None)
                && hold(state, &terms, |term| organization_term(organization, term))
        };
        found.extend(
            state
                .organizations
                .values()
                .filter(shown)
                .map(Found::Organization),
        );
    }
    if kind == "group" {
        let shown = |group: &&Group| {
            !group.deleted
                && terms
                    .iter()
                    .all(|t| group.name.to_lowercase().contains(&t.value) != t.negated)
        };
        found.extend(state.groups.values().filter(shown).map(Found::Group));
    }
    found
}

/// Whether all terms hold; several values of one keyword are alternatives where the switch says so.
fn hold(state: &State, terms: &[&Term], holds: impl Fn(&Term) -> bool) -> bool {
    let any = |term: &Term| {
        state.config.switches.search_any
            && !term.negated
            && term.operator == ':'
            && term.key.is_some()
    };
    terms.iter().all(|term| {
        if any(term) {
            terms
                .iter()
                .any(|other| any(other) && other.key == term.key && holds(other))
        } else {
            holds(term) != term.negated
        }
    })
}

/// The value of a keyword that has one only.
fn exact<'t>(terms: &[&'t Term], key: &str) -> Option<&'t str> {
    let mut of_key = terms
        .iter()
        .filter(|t| t.key.as_deref() == Some(key) && !t.negated);
    let term = of_key.next()?;
    of_key.next().is_none().then_some(term.value.as_str())
}

fn compare<T: PartialOrd>(have: &T, operator: char, wanted: &T) -> bool {
    match operator {
        '<' => have < wanted,
        '>' => have > wanted,
        'l' => have <= wanted,
        'g' => have >= wanted,
        _ => have == wanted,
    }
}

fn time_term(have: DateTime<Utc>, term: &Term) -> bool {
    let Some(wanted) = parse_time(&term.value.to_uppercase()) else {
        return false;
    };
    match term.operator {
        ':' => have.date_naive() == wanted.date_naive(),
        operator => compare(&have, operator, &wanted),
    }
}

fn person(state: &State, id: Option<Id>, wanted: &str) -> bool {
    match (id, wanted) {
        (id, "none") => id.is_none(),
        (None, _) => false,
        (Some(id), wanted) => {
            id.to_string() == wanted
                || state.users.get(&id).is_some_and(|user| {
                    user.email() == Some(wanted) || user.name.to_lowercase() == wanted
                })
        }
    }
}

fn ticket_term(state: &State, ticket: &Ticket, term: &Term) -> bool {
    let value = &term.value;
    match term.key.as_deref() {
        None => {
            let subject = ticket.subject.as_deref().unwrap_or_default().to_lowercase();
            subject.contains(value)
                || ticket.id.to_string() == *value
                || ticket
                    .comments
                    .iter()
                    .any(|c| tickets::plain_text(&c.text).to_lowercase().contains(value))
        }
        Some("external_id") => ticket
            .external_id
            .as_ref()
            .is_some_and(|id| id.to_lowercase() == *value),
        Some("tags") => value
            .split_whitespace()
            .any(|tag| ticket.tags.contains(tag)),
        Some("status") => Status::parse(value)
            .is_some_and(|wanted| compare(&ticket.status, term.operator, &wanted)),
        Some("priority") => match Priority::parse(value) {
            Some(wanted) => ticket
                .priority
                .is_some_and(|p| compare(&p, term.operator, &wanted)),
            None => value == "none" && ticket.priority.is_none(),
        },
        Some("subject") => ticket
            .subject
            .as_deref()
            .unwrap_or_default()
            .to_lowercase()
            .contains(value),
        Some("requester") => person(state, Some(ticket.requester_id), value),
        Some("submitter") => person(state, Some(ticket.submitter_id), value),
        Some("assignee") => person(state, ticket.assignee_id, value),
        Some("group") => ticket.group_id.is_some_and(|id| {
            id.to_string() == *value
                || state
                    .groups
                    .get(&id)
                    .is_some_and(|group| group.name.to_lowercase() == *value)
        }),
        Some("organization") => ticket.organization_id.is_some_and(|id| {
            id.to_string() == *value
                || state
                    .organizations
                    .get(&id)
                    .is_some_and(|o| o.name.to_lowercase() == *value)
        }),
        Some("created") => time_term(ticket.created_at, term),
        Some("updated") => time_term(ticket.updated_at, term),
        Some("solved") => ticket.solved_at.is_some_and(|at| time_term(at, term)),
        Some(key) => {
            let id = key
                .strip_prefix("custom_field_")
                .and_then(|id| id.parse().ok());
            let have = id.and_then(|id: Id| ticket.custom_fields.get(&id));
            held(have, value)
        }
    }
}

/// Whether a custom field has a value; `*` is any [MEM].
fn held(have: Option<&Value>, wanted: &str) -> bool {
    match have {
        None | Some(Value::Null) => false,
        Some(_) if wanted == "*" => true,
        Some(Value::String(text)) => text.to_lowercase() == wanted,
        Some(Value::Array(list)) => list.iter().any(|v| v.as_str() == Some(wanted)),
        Some(other) => text_of(other) == wanted,
    }
}

/// A value that is no text, as it is written in a query.
fn text_of(value: &Value) -> String {
    value.to_string()
}

fn user_term(state: &State, user: &User, term: &Term) -> bool {
    let value = &term.value;
    match term.key.as_deref() {
        None => {
            user.name.to_lowercase().contains(value)
                || user
                    .identities
                    .iter()
                    .any(|i| i.value.to_lowercase() == *value)
                || user
                    .external_id
                    .as_ref()
                    .is_some_and(|id| id.to_lowercase() == *value)
        }
        Some("email") => user
            .identities
            .iter()
            .any(|i| i.kind == IdentityType::Email && i.value.to_lowercase() == *value),
        Some("phone") => {
            user.phone.as_deref() == Some(value.as_str())
                || user
                    .identities
                    .iter()
                    .any(|i| i.kind == IdentityType::Phone && i.value == *value)
        }
        Some("external_id") => user
            .external_id
            .as_ref()
            .is_some_and(|id| id.to_lowercase() == *value),
        Some("name") => user.name.to_lowercase().contains(value),
        Some("role") => user.role.as_str() == value,
        Some("tags") => user.tags.contains(value),
        Some("organization") => user.organization_id.is_some_and(|id| {
            id.to_string() == *value
                || state
                    .organizations
                    .get(&id)
                    .is_some_and(|o| o.name.to_lowercase() == *value)
        }),
        Some("created" | "created_at") => time_term(user.created_at, term),
        Some("updated" | "updated_at") => time_term(user.updated_at, term),
        Some(key) => held(user.user_fields.get(key), value),
    }
}

fn users_matching<'s>(state: &'s State, terms: &[&Term]) -> Vec<&'s User> {
    // By key without a scan where there is one value of it.
    let by_email =
        exact(terms, "email").and_then(|email| state.user_by_identity(IdentityType::Email, email));
    let by_external =
        exact(terms, "external_id").and_then(|id| state.users_by_external.get(id).copied());
    let shown = |user: &&User| {
        visible(state, user.created_at, user.deleted_at)
            && hold(state, terms, |term| user_term(state, user, term))
    };
    match by_email.or(by_external) {
        Some(id) => state.users.get(&id).into_iter().filter(shown).collect(),
        None => state.users.values().filter(shown).collect(),
    }
}

/// Users by a query, for `GET /users/search`.
pub(super) fn users(state: &State, query: &str) -> Vec<Id> {
    let terms = terms(query);
    let terms: Vec<&Term> = terms
        .iter()
        .filter(|t| t.key.as_deref() != Some("type"))
        .collect();
    users_matching(state, &terms)
        .into_iter()
        .map(|user| user.id)
        .collect()
}

fn organization_term(organization: &Organization, term: &Term) -> bool {
    let value = &term.value;
    match term.key.as_deref() {
        None => organization.name.to_lowercase().contains(value),
        Some("name") => organization.name.to_lowercase() == *value,
        Some("external_id") => organization
            .external_id
            .as_ref()
            .is_some_and(|id| id.to_lowercase() == *value),
        Some("tags") => organization.tags.contains(value),
        Some("created") => time_term(organization.created_at, term),
        Some("updated") => time_term(organization.updated_at, term),
        Some(key) => held(organization.organization_fields.get(key), value),
    }
}

fn render(call: &Call<'_>, found: Found<'_>) -> Value {
    let (kind, mut value) = match found {
        Found::Ticket(ticket) => ("ticket", tickets::render(call.state, &call.base, ticket)),
        Found::User(user) => ("user", users::render(call.state, &call.base, user)),
        Found::Organization(organization) => {
            ("organization", organizations::render(call, organization))
        }
        Found::Group(group) => ("group", json!({"id": group.id, "name": group.name})),
    };
    if let Some(object) = value.as_object_mut() {
        object.insert("result_type".to_owned(), json!(kind));
    }
    value
}

fn query(call: &Call<'_>) -> Result<Vec<Term>, Failure> {
    let text = call
        .request
        .param("query")
        .filter(|text| !text.trim().is_empty());
    let text =
        text.ok_or_else(|| Failure::bad_request("BadRequest", "Parameter query is required"))?;
    Ok(terms(text))
}

fn search(call: &mut Call<'_>) -> Outcome {
    call.limit(Limit::Search, "")?;
    if call
        .request
        .query
        .iter()
        .any(|(key, _)| key.starts_with("page["))
    {
        // §3: offset paging only.
        return Err(Failure::JsonApi {
            status: 400,
            code: "InvalidPaginationParameter",
            title: "page must be an integer".to_owned(),
        });
    }
    let number = |name: &str, usual: usize| {
        call.request
            .param(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
            .max(1)
    };
    let (page, per_page) = (number("page", 1), number("per_page", 100).min(100));
    if page * per_page > RESULTS {
        // §3: past 1,000 results.
        return Err(Failure::Plain {
            status: 422,
            error: "invalid",
            description: "Search Response Limits: Invalid search, the limit is 1000 results"
                .to_owned(),
        });
    }
    let found = run(call.state, &query(call)?);
    let count = found.len();
    let results: Vec<Value> = found
        .into_iter()
        .skip((page - 1) * per_page)
        .take(per_page)
        .map(|found| render(call, found))
        .collect();
    let page_link = |number: usize| {
        let mut query = call.request.query.clone();
        query.retain(|(key, _)| key != "page");
        query.push(("page".to_owned(), number.to_string()));
        link(call, &query)
    };
    Answer::ok(json!({
        "results": results,
        "facets": null,
        "count": count,
        "next_page": (page * per_page < count).then(|| page_link(page + 1)),
        "previous_page": (page > 1).then(|| page_link(page - 1)),
    }))
}

/// `GET /search/export`: one type, by cursor; a cursor lives an hour (§3).
fn export(call: &mut Call<'_>) -> Outcome {
    call.limit(Limit::SearchExport, "")?;
    let invalid = |title: &str| Failure::JsonApi {
        status: 400,
        code: "InvalidPaginationParameter",
        title: title.to_owned(),
    };
    let kind = call.request.param("filter[type]").unwrap_or_default();
    if !["ticket", "user", "organization", "group"].contains(&kind) {
        return Err(invalid("filter[type] is required"));
    }
    let size = call
        .request
        .param("page[size]")
        .map_or(Ok(100), str::parse::<usize>);
    let size = size.ok().filter(|size| (1..=1_000).contains(size));
    let size = size.ok_or_else(|| invalid("page[size] is not valid"))?;
    let now = call.state.now;
    let from = match call.request.param("page[after]") {
        None => 0,
        Some(text) => {
            let text = URL_SAFE_NO_PAD
                .decode(text)
                .ok()
                .and_then(|b| String::from_utf8(b).ok());
            let (at, made) = text
                .as_deref()
                .and_then(|text| text.split_once('|'))
                .and_then(|(at, made)| Some((at.parse::<usize>().ok()?, made.parse::<i64>().ok()?)))
                .ok_or_else(|| invalid("page[after] is not valid"))?;
            if now.timestamp() - made > Duration::hours(1).num_seconds() {
                return Err(invalid("the cursor has expired"));
            }
            at
        }
    };
    let mut terms = query(call)?;
    terms.retain(|term| term.key.as_deref() != Some("type"));
    terms.push(Term {
        key: Some("type".to_owned()),
        operator: ':',
        value: kind.to_owned(),
        negated: false,
    });
    let found = run(call.state, &terms);
    let more = found.len() > from + size;
    let results: Vec<Value> = found
        .into_iter()
        .skip(from)
        .take(size)
        .map(|found| render(call, found))
        .collect();
    let cursor = URL_SAFE_NO_PAD.encode(format!("{}|{}", from + size, now.timestamp()));
    let next = more.then(|| {
        let mut query = call.request.query.clone();
        query.retain(|(key, _)| key != "page[after]");
        query.push(("page[after]".to_owned(), cursor.clone()));
        link(call, &query)
    });
    Answer::ok(json!({
        "results": results,
        "facets": null,
        "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": null},
        "links": {"next": next, "prev": null},
    }))
}
