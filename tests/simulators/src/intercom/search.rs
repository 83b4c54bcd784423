//! The three searches (Intercom facts §4): indexes that lag behind, fields with types, groups that are bounded.
//!
//! An index here lags only about what was made; a change of what it knows shows at once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Cursor, Place};
use super::model::{Contact, Conversation, Id, Model, Seconds, Ticket};
use super::read::{Reader, word_of};
use super::state::{State, text_of};
use super::{contacts, conversations, html, tickets};

/// Filters of one group (§4).
const FILTERS: usize = 15;
/// Groups within groups (§4).
const NESTED: usize = 2;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("POST", ["contacts", "search"]) => of_contacts(call),
        ("POST", ["conversations", "search"]) => of_conversations(call),
        ("POST", ["tickets", "search"]) => of_tickets(call),
        _ => return None,
    })
}

/// What a field holds, which says what may be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Date,
    Flag,
    /// Several texts, of which one is enough.
    Many,
    /// Words of a text, each by itself.
    Words,
    /// A tag of a contact.
    Tag,
}

/// What a record has in a field.
#[derive(Debug)]
enum Held {
    Text(Option<String>),
    Number(Option<i64>),
    Flag(bool),
    Many(Vec<String>),
}

#[derive(Debug)]
enum Query {
    And(Vec<Query>),
    Or(Vec<Query>),
    Filter(Filter),
}

#[derive(Debug)]
struct Filter {
    field: String,
    kind: Kind,
    operator: String,
    values: Vec<Value>,
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::invalid(message)
}

/// Reads a query; `kind_of` knows the fields, `days` says that dates are days (§4).
fn read(
    value: &Value,
    depth: usize,
    days: bool,
    kind_of: &dyn Fn(&str) -> Option<Kind>,
) -> Result<Query, Failure> {
    let reader = Reader::new(value)?;
    let operator = reader.needed("operator")?;
    if reader.raw("field").is_none() && matches!(operator.as_str(), "AND" | "OR") {
        if depth >= NESTED {
            return Err(invalid("Queries can be nested two levels deep at most"));
        }
        let list = reader
            .list("value")?
            .ok_or_else(|| Failure::missing("value"))?;
        if list.len() > FILTERS {
            return Err(invalid(format!(
                "A group can have {FILTERS} filters at most"
            )));
        }
        let group: Result<Vec<Query>, Failure> = list
            .iter()
            .map(|one| read(one, depth + 1, days, kind_of))
            .collect();
        return Ok(if operator == "AND" {
            Query::And(group?)
        } else {
            Query::Or(group?)
        });
    }
    let field = reader.needed("field")?;
    let kind =
        kind_of(&field).ok_or_else(|| invalid(format!("Invalid field '{field}' to search by")))?;
    let allowed: &[&str] = match kind {
        Kind::Text => &["=", "!=", "IN", "NIN", "~", "!~", "^", "$"],
        Kind::Number => &["=", "!=", "IN", "NIN", ">", "<", ">=", "<="],
        // §4: dates of contacts are days, and have three operators.
        Kind::Date if days => &["=", ">", "<"],
        Kind::Date => &["=", "!=", "IN", "NIN", ">", "<", ">=", "<="],
        Kind::Flag | Kind::Tag => &["=", "!="],
        Kind::Many => &["=", "!=", "IN", "NIN"],
        Kind::Words => &["=", "!=", "~", "!~"],
    };
    if !allowed.contains(&operator.as_str()) {
        return Err(invalid(format!(
            "Operator '{operator}' is not valid for field '{field}'"
        )));
    }
    // Null finds what has nothing there.
    let value = value.get("value").cloned().unwrap_or_default();
    let values = match (operator.as_str(), value) {
        ("IN" | "NIN", Value::Array(list)) => list,
        ("IN" | "NIN", _) => return Err(invalid("The value of IN and NIN must be an array")),
        (_, Value::Array(_)) => return Err(invalid("The value must not be an array")),
        (_, value) => vec![value],
    };
    for value in &values {
        let fits = match kind {
            Kind::Text | Kind::Many | Kind::Words | Kind::Tag => {
                value.is_null() || word_of(value).is_some()
            }
            Kind::Number | Kind::Date => value.is_null() || number_of(value).is_some(),
            Kind::Flag => value.is_boolean(),
        };
        if !fits {
            return Err(invalid(format!(
                "The value is not valid for field '{field}'"
            )));
        }
    }
    Ok(Query::Filter(Filter {
        field,
        kind,
        operator,
        values,
    }))
}

fn number_of(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

impl Query {
    fn fits(&self, day: Option<i64>, held: &dyn Fn(&str) -> Held) -> bool {
        match self {
            Self::And(group) => group.iter().all(|one| one.fits(day, held)),
            Self::Or(group) => group.iter().any(|one| one.fits(day, held)),
            Self::Filter(filter) => filter.fits(day, &held(&filter.field)),
        }
    }

    /// The text that a field must be, whatever else is asked.
    fn must_be(&self, field: &str) -> Option<String> {
        match self {
            Self::And(group) => group.iter().find_map(|one| one.must_be(field)),
            Self::Or(_) => None,
            Self::Filter(filter) if filter.field == field && filter.operator == "=" => {
                filter.values.first().and_then(word_of)
            }
            Self::Filter(_) => None,
        }
    }

    /// The first `ticket_attribute` that must be something, and what.
    fn attribute(&self) -> Option<(Id, String)> {
        match self {
            Self::And(group) => group.iter().find_map(Self::attribute),
            Self::Or(_) => None,
            Self::Filter(filter) => {
                let id = filter
                    .field
                    .strip_prefix("ticket_attribute.")?
                    .parse()
                    .ok()?;
                let value = filter.values.first().and_then(text_of)?;
                (filter.operator == "=").then_some((id, value))
            }
        }
    }
}

impl Filter {
    fn fits(&self, day: Option<i64>, held: &Held) -> bool {
        let negative = matches!(self.operator.as_str(), "!=" | "NIN" | "!~");
        let one = |value: &Value| match held {
            Held::Text(text) => {
                text_fits(&self.operator, text.as_deref(), word_of(value).as_deref())
            }
            Held::Number(number) => self.number_fits(day, *number, number_of(value)),
            Held::Flag(flag) => Some(*flag) == value.as_bool(),
            Held::Many(all) => match word_of(value) {
                None => all.is_empty(),
                Some(text) if self.kind == Kind::Words => {
                    all.iter().any(|word| *word == text.to_lowercase())
                }
                Some(text) => all.contains(&text),
            },
        };
        let any = self.values.iter().any(one);
        any != negative
    }

    /// §4: dates of contacts are cut to the day; `>` begins with the next one.
    fn number_fits(&self, day: Option<i64>, held: Option<i64>, value: Option<i64>) -> bool {
        let (Some(held), Some(value)) = (held, value) else {
            return held.is_none() && value.is_none();
        };
        let (held, value) = match day {
            Some(offset) if self.kind == Kind::Date => {
                let cut = |time: Seconds| (time + offset).div_euclid(86_400);
                (cut(held), cut(value))
            }
            _ => (held, value),
        };
        match self.operator.as_str() {
            ">" => held > value,
            "<" => held < value,
            ">=" => held >= value,
            "<=" => held <= value,
            _ => held == value,
        }
    }
}

fn text_fits(operator: &str, held: Option<&str>, value: Option<&str>) -> bool {
    let (Some(held), Some(value)) = (held, value) else {
        return held.is_none() && value.is_none();
    };
    let (low, sought) = (held.to_lowercase(), value.to_lowercase());
    match operator {
        "~" | "!~" => low.contains(&sought),
        "^" => low.starts_with(&sought),
        "$" => low.ends_with(&sought),
        _ => low == sought,
    }
}

fn query_of(reader: Reader<'_>) -> Result<&Value, Failure> {
    reader.raw("query").ok_or_else(|| Failure::missing("query"))
}

// ---- contacts

const CONTACT_TEXTS: [&str; 20] = [
    "id",
    "role",
    "name",
    "avatar",
    "owner_id",
    "email",
    "email_domain",
    "phone",
    "formatted_phone",
    "external_id",
    "language_override",
    "browser",
    "browser_language",
    "os",
    "location.country",
    "location.region",
    "location.city",
    "ios_device",
    "android_device",
    "segment_id",
];
const CONTACT_DATES: [&str; 10] = [
    "created_at",
    "signed_up_at",
    "updated_at",
    "last_seen_at",
    "last_contacted_at",
    "last_replied_at",
    "last_email_opened_at",
    "last_email_clicked_at",
    "ios_last_seen_at",
    "android_last_seen_at",
];

fn contact_kind(state: &State, field: &str) -> Option<Kind> {
    if let Some(name) = field.strip_prefix("custom_attributes.") {
        let id = state.data_by_name.get(&(Model::Contact, name.to_owned()))?;
        let attribute = state.data_attributes.get(id)?;
        return Some(match attribute.data_type.as_str() {
            "integer" | "float" => Kind::Number,
            "boolean" => Kind::Flag,
            "date" | "datetime" => Kind::Date,
            _ => Kind::Text,
        });
    }
    match field {
        "tag_id" => Some(Kind::Tag),
        "unsubscribed_from_emails" | "marked_email_as_spam" | "has_hard_bounced" => {
            Some(Kind::Flag)
        }
        _ if CONTACT_TEXTS.contains(&field) => Some(Kind::Text),
        _ if CONTACT_DATES.contains(&field) => Some(Kind::Date),
        _ => None,
    }
}

fn contact_held(state: &State, contact: &Contact, field: &str) -> Held {
    if let Some(name) = field.strip_prefix("custom_attributes.") {
        let value = contact.custom_attributes.get(name);
        return match value {
            Some(Value::Bool(flag)) => Held::Flag(*flag),
            Some(Value::Number(number)) => Held::Number(number.as_i64()),
            Some(value) => Held::Text(word_of(value)),
            None => match contact_kind(state, field) {
                Some(Kind::Number | Kind::Date) => Held::Number(None),
                Some(Kind::Flag) => Held::Flag(false),
                _ => Held::Text(None),
            },
        };
    }
    let email = || contact.email.as_deref();
    match field {
        "id" => Held::Text(Some(contact.id.clone())),
        "role" => Held::Text(Some(contact.role.as_str().to_owned())),
        "name" => Held::Text(contact.name.clone()),
        "avatar" => Held::Text(contact.avatar.clone()),
        "owner_id" => Held::Text(contact.owner_id.map(|id| id.to_string())),
        "email" => Held::Text(contact.email.clone()),
        "email_domain" => Held::Text(
            email()
                .and_then(|e| e.rsplit_once('@'))
                .map(|(_, d)| d.to_owned()),
        ),
        "phone" | "formatted_phone" => Held::Text(contact.phone.clone()),
        "external_id" => Held::Text(contact.external_id.clone()),
        "created_at" => Held::Number(Some(contact.created_at)),
        "updated_at" => Held::Number(Some(contact.updated_at)),
        "signed_up_at" => Held::Number(contact.signed_up_at),
        "last_seen_at" => Held::Number(contact.last_seen_at),
        "last_contacted_at" => Held::Number(contact.last_contacted_at),
        "last_replied_at" => Held::Number(contact.last_replied_at),
        "unsubscribed_from_emails" => Held::Flag(contact.unsubscribed_from_emails),
        "marked_email_as_spam" | "has_hard_bounced" => Held::Flag(false),
        "tag_id" => Held::Many(contact.tags.iter().map(|one| one.tag.to_string()).collect()),
        "segment_id" => {
            let mut segments = state.segments.iter();
            let has = |tag: Id| contact.tags.iter().any(|one| one.tag == tag);
            Held::Text(
                segments
                    .find(|one| one.tag.is_some_and(has))
                    .map(|one| one.id.clone()),
            )
        }
        _ if CONTACT_DATES.contains(&field) => Held::Number(None),
        _ => Held::Text(None),
    }
}

fn of_contacts(call: &Call<'_>) -> Outcome {
    let reader = call.body(&["query", "pagination", "sort"])?;
    let state = &*call.state;
    let query = read(query_of(reader)?, 0, true, &|field| {
        contact_kind(state, field)
    })?;
    let cursor = Cursor::of_body(reader, 50)?;
    let (mut field, mut descending) = ("created_at".to_owned(), true);
    if let Some(sort) = reader.raw("sort") {
        let sort = Reader::new(sort)?;
        match sort.text("order")?.as_deref() {
            None | Some("descending") => {}
            Some("ascending") => descending = false,
            Some(other) => {
                let message =
                    format!("Invalid sort order '{other}'. Must be one of: ascending, descending");
                return Err(Failure::new(400, "invalid_sort_order", message));
            }
        }
        if let Some(by) = sort.text("field")? {
            if contact_kind(state, &by).is_none() {
                return Err(invalid(format!("Invalid field '{by}' to sort by")));
            }
            field = by;
        }
    }
    let place = |contact: &Contact| -> Place {
        match contact_held(state, contact, &field) {
            Held::Number(number) => (number.unwrap_or_default(), contact.id.clone()),
            Held::Text(text) => (
                0,
                format!("{}\u{0}{}", text.unwrap_or_default(), contact.id),
            ),
            Held::Flag(flag) => (i64::from(flag), contact.id.clone()),
            Held::Many(_) => (0, contact.id.clone()),
        }
    };
    let day = i64::from(state.config.utc_offset_minutes) * 60;
    let fits = |contact: &&Contact| {
        !contact.archived
            && !contact.blocked
            && state.is_indexed(contact.made_ms)
            && query.fits(Some(day), &|field| contact_held(state, contact, field))
    };
    let found: Vec<&Contact> = if let Some(external) = query.must_be("external_id") {
        state.by_external(&external).filter(fits).collect()
    } else if let Some(email) = query.must_be("email") {
        state.by_email(&email).filter(fits).collect()
    } else if let Some(id) = query.must_be("id") {
        state.contacts.get(&id).into_iter().filter(fits).collect()
    } else {
        state.contacts.values().filter(fits).collect()
    };
    let all: Vec<(Place, &Contact)> = found.into_iter().map(|one| (place(one), one)).collect();
    let total = all.len();
    let (page, pages) = cursor.page(all, descending);
    let version = call.actor.version;
    let data: Vec<Value> = page
        .into_iter()
        .map(|one| contacts::render(state, one, version))
        .collect();
    Answer::ok(
        serde_json::json!({"type": "list", "data": data, "total_count": total, "pages": pages}),
    )
}

// ---- conversations

fn conversation_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "id"
        | "source.type"
        | "source.id"
        | "source.delivered_as"
        | "source.subject"
        | "source.author.id"
        | "source.author.type"
        | "source.author.name"
        | "source.author.email"
        | "source.url"
        | "channel_initiated"
        | "state"
        | "priority"
        | "statistics.last_closed_by_id"
        | "conversation_rating.remark"
        | "conversation_rating.contact_id"
        | "ai_agent.resolution_state"
        | "ai_agent.last_answer_type"
        | "ai_agent.source_type"
        | "ai_agent.source_title" => Kind::Text,
        "source.body" => Kind::Words,
        "contact_ids" | "teammate_ids" | "tag_ids" => Kind::Many,
        "admin_assignee_id"
        | "team_assignee_id"
        | "statistics.count_reopens"
        | "statistics.count_assignments"
        | "statistics.count_conversation_parts"
        | "conversation_rating.score"
        | "statistics.time_to_assignment"
        | "statistics.time_to_admin_reply"
        | "statistics.time_to_first_close"
        | "statistics.time_to_last_close"
        | "statistics.median_time_to_reply" => Kind::Number,
        "created_at"
        | "updated_at"
        | "waiting_since"
        | "snoozed_until"
        | "statistics.first_contact_reply_at"
        | "statistics.first_assignment_at"
        | "statistics.first_admin_reply_at"
        | "statistics.first_close_at"
        | "statistics.last_assignment_at"
        | "statistics.last_contact_reply_at"
        | "statistics.last_admin_reply_at"
        | "statistics.last_close_at" => Kind::Date,
        "open" | "read" | "ai_agent_participated" => Kind::Flag,
        // §4: custom attributes are not in the list.
        _ => return None,
    })
}

fn conversation_held(state: &State, one: &Conversation, field: &str) -> Held {
    let source = &one.source;
    let author = || state.contacts.get(&source.author);
    let number = |id: Option<Id>| {
        Held::Number(Some(
            i64::try_from(id.unwrap_or_default()).unwrap_or_default(),
        ))
    };
    let count = |count: usize| Held::Number(i64::try_from(count).ok());
    let small = |count: u64| Held::Number(i64::try_from(count).ok());
    let text = |text: &str| Held::Text(Some(text.to_owned()));
    match field {
        "id" => Held::Text(Some(one.id.to_string())),
        "source.type" => text("conversation"),
        "source.id" => Held::Text(Some(source.id.to_string())),
        "source.delivered_as" => text("customer_initiated"),
        "source.subject" => text(&source.subject),
        "source.body" => Held::Many(html::words(&source.body).collect()),
        "source.author.id" => text(&source.author),
        "source.author.type" => text(author().map_or("user", |contact| contact.role.as_str())),
        "source.author.name" => Held::Text(author().and_then(|contact| contact.name.clone())),
        "source.author.email" => Held::Text(author().and_then(|contact| contact.email.clone())),
        "contact_ids" => Held::Many(one.contacts.clone()),
        "teammate_ids" => Held::Many(one.teammates.iter().map(ToString::to_string).collect()),
        "tag_ids" => Held::Many(one.tags.iter().map(|tag| tag.tag.to_string()).collect()),
        "admin_assignee_id" => number(one.admin_assignee_id),
        "team_assignee_id" => number(one.team_assignee_id),
        "state" => text(one.state.as_str()),
        "priority" => text("none"),
        "open" => Held::Flag(one.state != super::model::ConversationState::Closed),
        "read" => Held::Flag(one.read),
        "ai_agent_participated" => Held::Flag(one.ai_agent_participated),
        "created_at" => Held::Number(Some(one.created_at)),
        "updated_at" => Held::Number(Some(one.updated_at)),
        "waiting_since" => Held::Number(one.waiting_since),
        "snoozed_until" => Held::Number(one.snoozed_until),
        "statistics.first_contact_reply_at" => Held::Number(one.first_contact_reply),
        "statistics.last_close_at" => Held::Number(one.last_closed.map(|(_, at)| at)),
        "statistics.last_closed_by_id" => Held::Text(one.last_closed.map(|(by, _)| by.to_string())),
        "statistics.count_reopens" => small(one.reopened),
        "statistics.count_assignments" => small(one.assigned),
        "statistics.count_conversation_parts" => count(one.parts.len()),
        _ => match conversation_kind(field) {
            Some(Kind::Text) => Held::Text(None),
            _ => Held::Number(None),
        },
    }
}

fn of_conversations(call: &Call<'_>) -> Outcome {
    let reader = call.body(&["query", "pagination"])?;
    let state = &*call.state;
    let query = read(query_of(reader)?, 0, false, &conversation_kind)?;
    let cursor = Cursor::of_body(reader, 20)?;
    let fits = |one: &&Conversation| {
        !one.archived
            && state.is_indexed(one.made_ms)
            && query.fits(None, &|field| conversation_held(state, one, field))
    };
    let by_ids = |ids: BTreeSet<Id>| -> Vec<&Conversation> {
        let all = ids
            .into_iter()
            .filter_map(|id| state.conversations.get(&id));
        all.filter(fits).collect()
    };
    let found = if let Some(contact) = query.must_be("contact_ids") {
        by_ids(
            state
                .conversations_of
                .get(&contact)
                .cloned()
                .unwrap_or_default(),
        )
    } else if let Some(id) = query.must_be("id") {
        by_ids(id.parse().into_iter().collect())
    } else {
        state.conversations.values().filter(fits).collect()
    };
    let all = found
        .into_iter()
        .map(|one| (conversations::place(one), one))
        .collect();
    conversations::answer_list(call, &cursor, all)
}

// ---- tickets

fn ticket_kind(state: &State, field: &str) -> Option<Kind> {
    if let Some(id) = field.strip_prefix("ticket_attribute.") {
        let id: Id = id.parse().ok()?;
        let mut all = state
            .ticket_types
            .values()
            .flat_map(|kind| &kind.attributes);
        let attribute = all.find(|one| one.id == id)?;
        return Some(match attribute.data_type.as_str() {
            "integer" | "decimal" => Kind::Number,
            "datetime" => Kind::Date,
            "boolean" => Kind::Flag,
            _ => Kind::Text,
        });
    }
    Some(match field {
        "id" | "title" | "description" | "category" | "ticket_type_id" | "admin_assignee_id"
        | "team_assignee_id" | "state" => Kind::Text,
        "contact_ids" | "teammate_ids" => Kind::Many,
        "created_at" | "updated_at" | "snoozed_until" => Kind::Date,
        "open" => Kind::Flag,
        _ => return None,
    })
}

fn ticket_held(state: &State, one: &Ticket, field: &str) -> Held {
    if let Some(id) = field.strip_prefix("ticket_attribute.") {
        let value = id.parse().ok().and_then(|id: Id| one.attributes.get(&id));
        return match value {
            Some(Value::Bool(flag)) => Held::Flag(*flag),
            Some(Value::Number(number)) => Held::Number(number.as_i64()),
            Some(value) => Held::Text(word_of(value)),
            None => match ticket_kind(state, field) {
                Some(Kind::Number | Kind::Date) => Held::Number(None),
                Some(Kind::Flag) => Held::Flag(false),
                _ => Held::Text(None),
            },
        };
    }
    let default = |name: &str| {
        let kind = state.ticket_types.get(&one.ticket_type_id)?;
        let attribute = kind
            .attributes
            .iter()
            .find(|attribute| attribute.name == name)?;
        word_of(one.attributes.get(&attribute.id)?)
    };
    let number = |id: Option<Id>| Held::Text(Some(id.unwrap_or_default().to_string()));
    match field {
        "id" => Held::Text(Some(one.id.to_string())),
        "title" => Held::Text(default(super::ticket_types::TITLE)),
        "description" => Held::Text(default(super::ticket_types::DESCRIPTION)),
        "category" => Held::Text(Some(tickets::category(state, one).searched().to_owned())),
        "ticket_type_id" => Held::Text(Some(one.ticket_type_id.to_string())),
        "admin_assignee_id" => number(one.admin_assignee_id),
        "team_assignee_id" => number(one.team_assignee_id),
        "contact_ids" => Held::Many(one.contacts.clone()),
        "created_at" => Held::Number(Some(one.created_at)),
        "updated_at" => Held::Number(Some(one.updated_at)),
        "snoozed_until" => Held::Number(one.snoozed_until),
        "open" => Held::Flag(one.open),
        "state" => {
            let found = state
                .ticket_states
                .iter()
                .find(|found| found.id == one.state_id);
            Held::Text(found.map(|found| found.category.to_owned()))
        }
        _ => Held::Many(Vec::new()),
    }
}

fn of_tickets(call: &Call<'_>) -> Outcome {
    let reader = call.body(&["query", "pagination"])?;
    let state = &*call.state;
    let query = read(query_of(reader)?, 0, false, &|field| {
        ticket_kind(state, field)
    })?;
    let cursor = Cursor::of_body(reader, 20)?;
    let fits = |one: &&Ticket| {
        state.is_indexed(one.made_ms) && query.fits(None, &|field| ticket_held(state, one, field))
    };
    let by_ids = |ids: Option<&BTreeSet<Id>>| -> Vec<&Ticket> {
        let all = ids
            .into_iter()
            .flatten()
            .filter_map(|id| state.tickets.get(id));
        all.filter(fits).collect()
    };
    let found = if let Some(key) = query.attribute() {
        by_ids(state.tickets_by_value.get(&key))
    } else if let Some(contact) = query.must_be("contact_ids") {
        by_ids(state.tickets_of.get(&contact))
    } else {
        state.tickets.values().filter(fits).collect()
    };
    let all = found
        .into_iter()
        .map(|one| (tickets::place(one), one))
        .collect();
    tickets::answer_list(call, &cursor, all)
}
