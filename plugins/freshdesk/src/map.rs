//! Pure mapping of single values: names of targets, tags, field values, priorities, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every batch. Not
//! here: threads (see `thread`), requests.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use transload_sdk::effects::with_digest;
use transload_sdk::time;
use transload_sdk::types::{
    ConversationStatus, Field, FieldType, Kind, Priority, Reference, Value,
};
use transload_sdk::words::{Words, moment_text, placeholder_name, placeholder_parts};

pub use transload_sdk::card::{Misfit, loss};
pub use transload_sdk::effects::{changed, print, short_hash};
pub use transload_sdk::people::{customer_name, e164, email};

/// Characters of a text field (Freshdesk facts §9).
pub const TEXT_CHARS: usize = 255;
/// Bytes that we rely on a paragraph to hold. Freshdesk states no limit.
pub const PARAGRAPH_BYTES: usize = 60_000;
/// Characters of a tag (Freshdesk facts §10 [MEM]).
pub const TAG_CHARS: usize = 32;
/// Between the parts of a path in the value of a tree's option.
pub const PATH_SEPARATOR: char = '.';
/// Choices up to which a dropdown shows what people read of the source; beyond it shows the stored values, since the addresses
/// of fields would grow with them.
const LABELLED: usize = 100;

// ---- times

/// A time as Freshdesk takes it: UTC, whole seconds.
pub fn iso(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000).saturating_mul(1_000);
    time::format_utc(seconds).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// Milliseconds of a time that Freshdesk wrote; old objects have an offset (Freshdesk facts §1).
pub fn parse_iso(text: &str) -> Option<i64> {
    time::parse_lossy(text).map(|(moment, _)| moment.at)
}

// ---- tags

/// A tag as Freshdesk takes it: no commas, at most 32 characters, the end of a longer one being its digest; and not empty
/// (Freshdesk facts §10).
pub fn tag(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| match c {
            ',' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if clean.is_empty() {
        return format!("tag-{}", short_hash(name));
    }
    if clean.chars().count() <= TAG_CHARS {
        return clean;
    }
    with_digest(&clean, name, TAG_CHARS, '-')
}

// ---- where a field is

/// What a field of Freshdesk sits on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Tickets.
    Ticket,
    /// Contacts.
    Contact,
    /// Companies.
    Company,
}

impl Owner {
    /// The owner that a record kind's fields have in Freshdesk; `None` where Freshdesk has no fields.
    pub fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Conversation => Self::Ticket,
            Kind::Customer => Self::Contact,
            Kind::Company => Self::Company,
            _ => return None,
        })
    }

    /// What effects call a field of it.
    pub const fn field_kind(self) -> &'static str {
        match self {
            Self::Ticket => "ticket_field",
            Self::Contact => "contact_field",
            Self::Company => "company_field",
        }
    }

    /// Where its fields are (Freshdesk facts §9).
    pub const fn fields_path(self) -> &'static str {
        match self {
            Self::Ticket => "/api/v2/admin/ticket_fields",
            Self::Contact => "/api/v2/contact_fields",
            Self::Company => "/api/v2/company_fields",
        }
    }

    /// Where they may be instead: one of the two answers 404 (Freshdesk facts §9).
    pub const fn other_fields_path(self) -> Option<&'static str> {
        match self {
            Self::Ticket => None,
            Self::Contact => Some("/api/v2/admin/contact_fields"),
            Self::Company => Some("/api/v2/admin/company_fields"),
        }
    }
}

/// A field as effects name it and as items bring it back, written as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldTarget {
    /// What it sits on; `None` for a custom object's, which `object` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Owner>,
    /// Id of the custom object's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<u64>,
    /// Its name.
    pub name: String,
    /// Freshdesk's type: `custom_text` …, `TEXT` … of a custom object.
    pub kind: String,
    /// Name of the text field beside it that keeps what the type cannot (the time of a date).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    /// What is chosen here for a stored value of the source, where that is another text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub choices: BTreeMap<String, String>,
}

impl FieldTarget {
    /// Reads what its `to_string` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl std::fmt::Display for FieldTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

/// Freshdesk's type for a field of ours, and whether a text field beside it is wanted. Types that only newer accounts have
/// (several choices, times) are not asked for; lookups are made in the UI only (Freshdesk facts §9).
pub fn field_type(field_type: &FieldType, has_options: bool) -> (&'static str, bool) {
    match field_type {
        FieldType::Text | FieldType::Link => ("custom_text", false),
        FieldType::LongText | FieldType::Json | FieldType::Other(_) => ("custom_paragraph", false),
        FieldType::Integer => ("custom_number", false),
        FieldType::Decimal => ("custom_decimal", false),
        FieldType::Boolean => ("custom_checkbox", false),
        FieldType::Date => ("custom_date", false),
        FieldType::Moment => ("custom_date", true),
        FieldType::Choice | FieldType::Tree if has_options => ("custom_dropdown", false),
        FieldType::Choice | FieldType::Tree => ("custom_text", false),
        FieldType::Choices => ("custom_paragraph", false),
        FieldType::Reference(reference) if reference.multi => ("custom_paragraph", false),
        FieldType::Reference(_) => ("custom_text", false),
    }
}

/// What is chosen in a dropdown for each option of the source, in order: stored value and text. The text is what people read,
/// unless two options would be one or there are many.
pub fn choices(
    options: &[transload_sdk::types::ChoiceOption],
    tree: bool,
) -> Vec<(String, String)> {
    let label = |option: &transload_sdk::types::ChoiceOption| match option.label.trim() {
        "" => option.value.clone(),
        label => label.to_owned(),
    };
    // Of a tree it is the labels from the root down.
    let path = |option: &transload_sdk::types::ChoiceOption| {
        let ends = option.value.match_indices(PATH_SEPARATOR);
        let above = ends.filter_map(|(end, _)| option.value.get(..end));
        let mut names: Vec<String> = Vec::new();
        for path in above {
            let node = options.iter().find(|o| o.value == path);
            let last = path.rsplit(PATH_SEPARATOR).next().unwrap_or(path);
            names.push(node.map_or_else(|| last.to_owned(), label));
        }
        names.push(label(option));
        names.join(" > ")
    };
    let texts: Vec<String> = options
        .iter()
        .map(|option| if tree { path(option) } else { label(option) })
        .collect();
    let distinct: BTreeSet<String> = texts.iter().map(|text| text.to_lowercase()).collect();
    let labelled = options.len() <= LABELLED && distinct.len() == options.len();
    let values = options.iter().map(|option| option.value.clone());
    if labelled {
        values.zip(texts).collect()
    } else {
        values.map(|value| (value.clone(), value)).collect()
    }
}

// ---- where a record is

/// Id of the record that a reference has become; of a placeholder nobody's.
pub fn numeric_target(reference: &Reference) -> Option<u64> {
    let target = reference.target.as_deref()?;
    if placeholder_name(target).is_some() {
        return None;
    }
    target.parse().ok()
}

/// Id of who stands for a person here: the person, or the stand-in.
pub fn standing_target(reference: &Reference) -> Option<u64> {
    let target = reference.target.as_deref()?;
    let id = placeholder_parts(target).map_or(target, |(stand_in, _)| stand_in);
    id.parse().ok()
}

/// A custom object's record as effects name it: `30/BKG-1`.
pub fn record_target(schema: u64, display_id: &str) -> String {
    format!("{schema}/{display_id}")
}

/// Schema and display id out of a record's target.
pub fn record_parts(target: &str) -> Option<(u64, &str)> {
    let (schema, id) = target.split_once('/')?;
    Some((schema.parse().ok()?, id))
}

// ---- values

/// What goes into a field, and into the one beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// For the field.
    pub json: Json,
    /// For the text field beside it.
    pub exact: Option<String>,
}

const OTHER_TYPE: Misfit = Misfit("does not fit the type of its field: on the source card");
const NO_OPTION: Misfit = Misfit("a choice that its field does not have: on the source card");
const NO_FIELD: Misfit = Misfit("has no field in Freshdesk: on the source card");
const TOO_LARGE: Misfit = Misfit("a number that its field cannot hold: on the source card");

/// A record's field in Freshdesk and what goes into it. `texts` are the choices of fields that have some, by the field's name;
/// where they are not known, every choice is taken to be there.
///
/// # Errors
/// [`Misfit`] where it has no field in Freshdesk, or one that cannot hold the value; it is never bent to fit.
pub fn place(
    field: &Field,
    texts: &BTreeMap<String, Vec<String>>,
    words: &Words,
) -> Result<(FieldTarget, FieldValue), Misfit> {
    let target = field.target.as_deref().and_then(FieldTarget::parse);
    let target = target.ok_or(NO_FIELD)?;
    let value = field_value(&target, &field.value, texts, words)?;
    Ok((target, value))
}

fn field_value(
    target: &FieldTarget,
    value: &Value,
    texts: &BTreeMap<String, Vec<String>>,
    words: &Words,
) -> Result<FieldValue, Misfit> {
    let plain = |json: Json| FieldValue { json, exact: None };
    let choice = |stored: &str| {
        let text = target.choices.get(stored).map_or(stored, String::as_str);
        let known = texts.get(&target.name);
        let there = known.is_none_or(|known| known.iter().any(|choice| choice == text));
        there.then(|| text.to_owned()).ok_or(NO_OPTION)
    };
    Ok(match target.kind.as_str() {
        "custom_text" | "custom_url" | "custom_phone_number" | "TEXT" => {
            let text = words.value(value);
            if text.chars().count() > TEXT_CHARS {
                return Err(Misfit("longer than a text field holds: on the source card"));
            }
            plain(json!(text))
        }
        "custom_paragraph" | "PARAGRAPH" => {
            let text = words.value(value);
            if text.len() > PARAGRAPH_BYTES {
                return Err(Misfit("longer than a paragraph holds: on the source card"));
            }
            plain(json!(text))
        }
        "custom_checkbox" | "CHECKBOX" => match value {
            Value::Boolean(flag) => plain(json!(flag)),
            _ => return Err(OTHER_TYPE),
        },
        "custom_number" | "NUMBER" => match value {
            // 32 bits (Freshdesk facts §9 [MEM]).
            Value::Integer(number) => plain(json!(i32::try_from(*number).map_err(|_| TOO_LARGE)?)),
            _ => return Err(OTHER_TYPE),
        },
        "custom_decimal" | "DECIMAL" => match value {
            Value::Integer(number) => plain(decimal(&number.to_string())?),
            Value::Decimal(digits) => plain(decimal(digits)?),
            _ => return Err(OTHER_TYPE),
        },
        "custom_date" | "DATE" => match value {
            Value::Date(day) if is_day(day) => plain(json!(day)),
            Value::Moment(moment) => FieldValue {
                json: json!(words.day(moment.at).ok_or(OTHER_TYPE)?),
                exact: target.exact.is_some().then(|| moment_text(moment)),
            },
            _ => return Err(OTHER_TYPE),
        },
        "custom_dropdown" | "DROPDOWN" => match value {
            Value::Choice(text) | Value::Text(text) => plain(json!(choice(text)?)),
            Value::Path(path) => plain(json!(choice(&path.join(&PATH_SEPARATOR.to_string()))?)),
            _ => return Err(OTHER_TYPE),
        },
        "custom_multi_select_dropdown" | "MULTI_SELECT" => match value {
            Value::Choices(list) => {
                let list: Result<Vec<String>, Misfit> = list.iter().map(|v| choice(v)).collect();
                plain(json!(list?))
            }
            Value::Choice(text) => plain(json!([choice(text)?])),
            _ => return Err(OTHER_TYPE),
        },
        "RELATIONSHIP" => match value {
            Value::Reference(reference) => plain(lookup_value(reference).ok_or(Misfit(
                "points to what is not here, or not here yet: named on the source card",
            ))?),
            _ => return Err(OTHER_TYPE),
        },
        _ => {
            return Err(Misfit(
                "fields of its type are not written: on the source card",
            ));
        }
    })
}

/// What a lookup of a custom object's record holds: the number of a contact, company or ticket; the display id of another
/// record (Freshdesk facts §11 [INF]).
pub fn lookup_value(reference: &Reference) -> Option<Json> {
    if let Some((_, id)) = reference.target.as_deref().and_then(record_parts) {
        return Some(json!(id));
    }
    numeric_target(reference).map(|id| json!(id))
}

/// A decimal whose digits a number of JSON keeps.
fn decimal(digits: &str) -> Result<Json, Misfit> {
    let bare = match digits.split_once('.') {
        Some((whole, part)) => {
            let part = part.trim_end_matches('0');
            if part.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{part}")
            }
        }
        None => digits.to_owned(),
    };
    let number: f64 = bare.parse().map_err(|_| OTHER_TYPE)?;
    if number.is_finite() && number.to_string() == bare {
        Ok(json!(number))
    } else {
        Err(TOO_LARGE)
    }
}

fn is_day(text: &str) -> bool {
    text.len() == 10 && time::parse(&format!("{text}T00:00:00Z")).is_some()
}

// ---- slots

/// A conversation's status where the mapping says nothing (Freshdesk facts §5).
pub fn default_status(status: &ConversationStatus) -> u32 {
    match status {
        ConversationStatus::Closed => 5,
        ConversationStatus::Snoozed => 3,
        ConversationStatus::Open | ConversationStatus::Other(_) => 2,
    }
}

/// A priority on Freshdesk's four steps, by its place on its own scale: of 1..5 the middle is medium.
pub fn default_priority(priority: &Priority) -> u32 {
    let span = f64::from(priority.highest) - f64::from(priority.lowest);
    if span == 0.0 {
        return 2;
    }
    let place = (f64::from(priority.value) - f64::from(priority.lowest)) / span;
    match place {
        p if p < 0.375 => 1,
        p if p < 0.625 => 2,
        p if p < 0.875 => 3,
        _ => 4,
    }
}
