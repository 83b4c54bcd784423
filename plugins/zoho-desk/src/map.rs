//! Pure mapping of single values: names of targets, tags, field values, priorities, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every batch. Not
//! here: threads (see `thread`), requests.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use transload_sdk::effects::with_digest;
use transload_sdk::fields;
use transload_sdk::policy::canonical;
use transload_sdk::time;
use transload_sdk::types::{Field, FieldType, Kind, Priority, Reference, Value};
use transload_sdk::words::Words;

pub use transload_sdk::card::{Misfit, loss};
pub use transload_sdk::effects::{changed, print, short_hash};
pub use transload_sdk::people::{customer_name, e164, email};
pub use transload_sdk::words::own_target;

/// Characters of a text field (Zoho Desk facts §8).
pub const TEXT_CHARS: usize = 255;
/// Characters that we rely on a text area to hold. Zoho Desk publishes no limit (Zoho Desk facts §8).
pub const AREA_CHARS: usize = 2_000;
/// Characters of a description, of a little less than Zoho Desk takes (Zoho Desk facts §7.1).
pub const DESCRIPTION_BYTES: usize = 60_000;
/// Characters of a tag: the least and the most (Zoho Desk facts §6).
pub const TAG_CHARS: (usize, usize) = (3, 50);
/// Between the parts of a path in the value of a tree's option.
pub const PATH_SEPARATOR: char = '.';
/// Between the choices of a field that has several (Zoho Desk facts §8 [MEM]).
pub const CHOICES_SEPARATOR: &str = ";";
/// Choices up to which a field shows what can be chosen; beyond it it is text, since the addresses of fields would grow with them.
pub const CHOICES: usize = 100;

// ---- times

/// A time as Zoho Desk takes it: UTC, with a literal `Z` (Zoho Desk facts §1).
pub fn iso(ms: i64) -> String {
    time::format_utc(ms).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

/// Milliseconds of a time that Zoho Desk wrote: as a text, or as a number of them (Zoho Desk facts §1).
pub fn parse_iso(text: &str) -> Option<i64> {
    let of_number = text.parse().ok();
    of_number.or_else(|| time::parse_lossy(text).map(|(moment, _)| moment.at))
}

// ---- tags

/// A tag as Zoho Desk takes it: letters, digits and `_.-+%`, 3 to 50 characters, the end of a longer one being its digest
/// (Zoho Desk facts §6).
pub fn tag(name: &str) -> String {
    let (least, most) = TAG_CHARS;
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || "_.-+% ".contains(c) || (!c.is_ascii() && !c.is_control())
    };
    let clean: String = name
        .chars()
        .map(|c| match c {
            c if c.is_whitespace() => ' ',
            c if allowed(c) => c,
            _ => '-',
        })
        .collect();
    let mut clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if clean.is_empty() {
        return format!("tag-{}", short_hash(name));
    }
    if clean.eq_ignore_ascii_case("null") {
        clean.push('-');
    }
    while clean.chars().count() < least {
        clean.push('-');
    }
    if clean.chars().count() <= most {
        return clean;
    }
    with_digest(&clean, name, most, '-')
}

// ---- where a field is

/// What a field sits on; records of custom modules are named by their module instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// Tickets.
    Ticket,
    /// Contacts.
    Contact,
    /// Accounts.
    Account,
}

impl Owner {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ticket, Self::Contact, Self::Account];

    /// The owner that a record kind's fields have in Zoho Desk; `None` where Zoho Desk has no fields, or a module of its own.
    pub fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::Conversation => Self::Ticket,
            Kind::Customer => Self::Contact,
            Kind::Company => Self::Account,
            _ => return None,
        })
    }

    /// The kind whose fields it has.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Ticket => Kind::Conversation,
            Self::Contact => Kind::Customer,
            Self::Account => Kind::Company,
        }
    }

    /// Its module.
    pub const fn module(self) -> &'static str {
        match self {
            Self::Ticket => "tickets",
            Self::Contact => "contacts",
            Self::Account => "accounts",
        }
    }
}

/// A field as effects name it and as items bring it back: `contacts.cf_tier:Picklist:…`. All that can be chosen is in its choices.
pub type FieldTarget = fields::Target<String>;

/// Zoho Desk's type for a field of ours.
pub fn field_type(field_type: &FieldType, options: usize) -> &'static str {
    let chooses = (1..=CHOICES).contains(&options);
    match field_type {
        FieldType::Text | FieldType::Link => "Text",
        FieldType::Integer => "Number",
        FieldType::Decimal => "Decimal",
        FieldType::Boolean => "Boolean",
        FieldType::Date => "Date",
        FieldType::Moment => "DateTime",
        FieldType::Choice | FieldType::Tree if chooses => "Picklist",
        FieldType::Choice | FieldType::Tree => "Text",
        FieldType::Choices if chooses => "Multiselect",
        FieldType::Reference(reference) if !reference.multi => "LookUp",
        FieldType::LongText
        | FieldType::Json
        | FieldType::Choices
        | FieldType::Reference(_)
        | FieldType::Other(_) => "Textarea",
    }
}

// ---- values

const OTHER_TYPE: Misfit = Misfit("does not fit the type of its field: on the source card");
const NO_OPTION: Misfit = Misfit("a choice that its field does not have: on the source card");
const NO_FIELD: Misfit = Misfit("has no field in Zoho Desk: on the source card");
const NOT_HERE: Misfit =
    Misfit("points to what is not here, or not here yet: named on the source card");

/// A record's field in Zoho Desk and what goes into it, which is always text (Zoho Desk facts §8).
///
/// # Errors
/// [`Misfit`] where it has no field in Zoho Desk, or one that cannot hold the value; it is never bent to fit.
pub fn place(field: &Field, words: &Words) -> Result<(FieldTarget, String), Misfit> {
    let target = FieldTarget::of(field).ok_or(NO_FIELD)?;
    let text = field_value(&target, &field.value, words)?;
    Ok((target, text))
}

fn field_value(target: &FieldTarget, value: &Value, words: &Words) -> Result<String, Misfit> {
    let choice = |stored: &str| {
        let pair = target.choices.iter().find(|(from, _)| from == stored);
        pair.map(|(_, to)| to.clone()).ok_or(NO_OPTION)
    };
    Ok(match target.kind.as_str() {
        "Text" | "Email" | "Phone" | "URL" | "Fax" => {
            let text = words.value(value);
            if text.chars().count() > TEXT_CHARS {
                return Err(Misfit("longer than a text field holds: on the source card"));
            }
            text
        }
        "Textarea" | "LargeText" => {
            let text = words.value(value);
            if text.chars().count() > AREA_CHARS {
                return Err(Misfit("longer than a text area holds: on the source card"));
            }
            text
        }
        "Boolean" => match value {
            Value::Boolean(flag) => flag.to_string(),
            _ => return Err(OTHER_TYPE),
        },
        "Number" => match value {
            Value::Integer(number) => number.to_string(),
            _ => return Err(OTHER_TYPE),
        },
        "Decimal" | "Percent" | "Currency" => match value {
            Value::Integer(number) => number.to_string(),
            Value::Decimal(digits) if !digits.contains(['e', 'E']) => digits.clone(),
            _ => return Err(OTHER_TYPE),
        },
        "Date" => match value {
            Value::Date(day) if is_day(day) => day.clone(),
            Value::Moment(moment) => words.day(moment.at).ok_or(OTHER_TYPE)?,
            _ => return Err(OTHER_TYPE),
        },
        "DateTime" => match value {
            Value::Moment(moment) => iso(moment.at),
            _ => return Err(OTHER_TYPE),
        },
        "Picklist" => match value {
            Value::Choice(text) | Value::Text(text) => choice(text)?,
            Value::Path(path) => choice(&path.join(&PATH_SEPARATOR.to_string()))?,
            _ => return Err(OTHER_TYPE),
        },
        "Multiselect" => {
            let list: Vec<&String> = match value {
                Value::Choices(list) => list.iter().collect(),
                Value::Choice(text) => vec![text],
                _ => return Err(OTHER_TYPE),
            };
            let list: Result<Vec<String>, Misfit> = list.into_iter().map(|v| choice(v)).collect();
            list?.join(CHOICES_SEPARATOR)
        }
        "LookUp" => match value {
            Value::Reference(reference) => own_target(reference).ok_or(NOT_HERE)?.to_owned(),
            _ => return Err(OTHER_TYPE),
        },
        _ => {
            return Err(Misfit(
                "fields of its type are not written: on the source card",
            ));
        }
    })
}

fn is_day(text: &str) -> bool {
    text.len() == 10 && time::parse(&format!("{text}T00:00:00Z")).is_some()
}

// ---- what is compared

/// Facets of an object: every attribute that is named, every custom field by its API name.
pub fn facets(now: &impl Serialize, attributes: &[&str]) -> Vec<(String, String)> {
    let now = serde_json::to_value(now).unwrap_or_default();
    let named = attributes.iter().map(|name| {
        let value = now.get(*name).unwrap_or(&Json::Null);
        let text = plain(value);
        let text = if name.to_lowercase().contains("email") {
            text.to_lowercase()
        } else {
            text
        };
        ((*name).to_owned(), text)
    });
    let fields = now.get("cf").and_then(Json::as_object);
    let fields = fields.into_iter().flatten();
    let fields = fields.map(|(name, value)| (format!("field {name}"), plain(value)));
    named.chain(fields).collect()
}

/// A value without the differences between what is sent and what comes back. A look-up may come back as an object.
pub fn plain(value: &Json) -> String {
    let id = value.get("id").filter(|id| !id.is_null());
    let text = canonical(id.unwrap_or(value));
    // Several choices come in any order.
    if text.contains(CHOICES_SEPARATOR) && !text.contains(['\n', ' ']) {
        let mut list: Vec<&str> = text.split(CHOICES_SEPARATOR).collect();
        list.sort_unstable();
        return list.join(CHOICES_SEPARATOR);
    }
    text
}

/// The print of what was said of an object: Zoho Desk fills further attributes by itself.
pub fn print_of(facets: &[(String, String)], sent: &Map<String, Json>) -> String {
    let fields = sent.get("cf");
    let said = |name: &str| match name.strip_prefix("field ") {
        Some(name) => fields.is_some_and(|fields| fields.get(name).is_some()),
        None => sent.get(name).is_some_and(|value| !value.is_null()),
    };
    let facets: Vec<_> = facets
        .iter()
        .filter(|(name, _)| said(name))
        .cloned()
        .collect();
    print(&facets)
}

/// Whether custom fields hold these values.
pub fn has(cf: &Map<String, Json>, wanted: &Map<String, Json>) -> bool {
    let same = |(name, value): (&String, &Json)| {
        plain(cf.get(name).unwrap_or(&Json::Null)) == plain(value)
    };
    wanted.iter().all(same)
}

// ---- references and slots

/// Id of who stands for a person here: the person, or the stand-in.
pub fn standing_target(reference: &Reference) -> Option<&str> {
    let target = reference.target.as_deref()?;
    Some(transload_sdk::words::record_id(target))
}

/// A priority on Zoho Desk's three steps, by its place on its own scale.
pub fn default_priority(priority: &Priority) -> &'static str {
    let span = f64::from(priority.highest) - f64::from(priority.lowest);
    if span == 0.0 {
        return "Medium";
    }
    match (f64::from(priority.value) - f64::from(priority.lowest)) / span {
        p if p < 0.375 => "Low",
        p if p < 0.625 => "Medium",
        _ => "High",
    }
}

/// A value for a custom field, or null.
pub fn text_or_null(text: Option<String>) -> Json {
    text.map_or(Json::Null, |text| json!(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use transload_sdk::types::Moment;

    fn field(target: &str, value: Value) -> Field {
        Field {
            name: "f".to_owned(),
            value,
            target: Some(target.to_owned()),
        }
    }

    fn placed(target: &str, value: Value) -> Result<String, Misfit> {
        place(&field(target, value), &Words::new([], "Europe/Zurich")).map(|(_, text)| text)
    }

    #[test]
    fn tags_have_only_what_is_allowed_and_are_long_enough() {
        for (name, tag_of) in [
            ("vip", "vip"),
            ("a", "a--"),
            ("a/b: c", "a-b- c"),
            ("null", "null-"),
            ("größe 7", "größe 7"),
        ] {
            assert_eq!(tag(name), tag_of);
        }
        let long = |end: &str| tag(&format!("{}{end}", "x".repeat(60)));
        assert_eq!(long("1").chars().count(), 50);
        assert_ne!(long("1"), long("2"));
        assert!(tag(" / ").starts_with('-') || tag("  ").starts_with("tag-"));
    }

    #[test]
    fn values_go_into_fields_that_hold_them_and_nowhere_else() {
        let moment = Value::Moment(Moment {
            at: 1_700_000_000_000,
            offset_minutes: None,
        });
        assert_eq!(
            placed("contacts.cf_at:DateTime", moment.clone()).as_deref(),
            Ok("2023-11-14T22:13:20Z")
        );
        assert_eq!(
            placed("contacts.cf_n:Number", Value::Integer(7)).as_deref(),
            Ok("7")
        );
        let tier = "contacts.cf_tier:Picklist:au=Gold,ag=Silver";
        assert_eq!(
            placed(tier, Value::Choice("au".to_owned())).as_deref(),
            Ok("Gold")
        );
        assert_eq!(placed(tier, Value::Choice("pt".to_owned())), Err(NO_OPTION));
        let tiers = "contacts.cf_tiers:Multiselect:au=Gold,ag=Silver";
        let both = Value::Choices(vec!["ag".to_owned(), "au".to_owned()]);
        assert_eq!(placed(tiers, both).as_deref(), Ok("Silver;Gold"));
        assert_eq!(
            placed("contacts.cf_b:Boolean", Value::Text("yes".to_owned())),
            Err(OTHER_TYPE)
        );
        assert!(placed("contacts.cf_t:Text", Value::Text("x".repeat(256))).is_err());
    }

    #[test]
    fn several_choices_are_the_same_in_any_order() {
        assert_eq!(plain(&json!("b;a")), plain(&json!("a;b")));
        assert_eq!(plain(&json!({"id": "17", "name": "x"})), "17");
    }
}
