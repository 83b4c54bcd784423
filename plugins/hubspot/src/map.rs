//! Pure mapping of single values: names of properties and objects, values, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every batch.
//! Not here: threads (see `thread`), requests.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value as Json, json};
use transload_sdk::fields::{self, Target};
use transload_sdk::time;
use transload_sdk::types::{Author, Customer, Entry, Field, FieldType, Priority, Reference, Value};

pub use transload_sdk::card::{Misfit, loss};
pub use transload_sdk::effects::{changed, print, short_hash};
pub use transload_sdk::fields::Choices;
pub use transload_sdk::people::{customer_name, e164, email};
use transload_sdk::words::{self, Words};
pub use transload_sdk::words::{
    moment_text, own_target, placeholder, placeholder_name, placeholder_parts,
    priority as priority_words, record_id, record_parts, record_target,
};

use crate::api::Property;
use crate::own::TEXT_CHARS;

/// Between the parts of a path in the value of an option: a tree's options are paths written so.
pub const PATH_SEPARATOR: char = '.';
/// Characters of a property's name (HubSpot facts §10.3 [MEM]), and of what people read.
const NAME_CHARS: usize = 100;
const LABEL_CHARS: usize = 250;

// ---- times

/// A time as HubSpot takes and keeps it: UTC, to the millisecond (HubSpot facts §10.2). `None` outside the calendar.
pub fn datetime(ms: i64) -> Option<String> {
    time::format_utc(ms)
}

/// Milliseconds of a time that HubSpot wrote, as text or as a number.
pub fn parse_datetime(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(ms) => Some(ms),
        Err(_) => time::parse_lossy(text).map(|(moment, _)| moment.at),
    }
}

// ---- names

/// A name of lower-case letters, digits and underscores, a letter first (HubSpot facts §10.3). A name that is one stays as it
/// is; what says less than the original gets a digest of it.
pub fn plain_name(name: &str, chars: usize) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain && name.len() <= chars {
        return name.to_owned();
    }
    let hash = short_hash(name);
    let mut slug = String::new();
    for c in name.chars() {
        if slug.len() >= chars.saturating_sub(hash.len() + 1) {
            break;
        }
        // `loyaltyTier` reads as `loyalty_tier`.
        if c.is_ascii_uppercase() && slug.ends_with(|last: char| last.is_ascii_lowercase()) {
            slug.push('_');
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug: String = slug
        .chars()
        .take(chars.saturating_sub(hash.len() + 1))
        .collect();
    let slug = slug.trim_matches('_');
    if slug.starts_with(|c: char| c.is_ascii_lowercase()) {
        format!("{slug}_{hash}")
    } else {
        format!("x_{hash}")
    }
}

/// The name of a property for one of the source. One that the connector has for itself is never taken.
pub fn property_name(name: &str) -> String {
    let plain = plain_name(name, NAME_CHARS);
    // `hs_` begins HubSpot's own.
    if plain.starts_with("transload_") || plain.starts_with("hs_") {
        format!("source_{plain}").chars().take(NAME_CHARS).collect()
    } else {
        plain
    }
}

/// The name of a custom object, without the portal before it.
pub fn object_name(id: &str) -> String {
    plain_name(id, 50)
}

/// What people read, as far as it fits.
pub fn label(label: &str, name: &str) -> String {
    let whole = if label.trim().is_empty() { name } else { label };
    whole.chars().take(LABEL_CHARS).collect()
}

// ---- properties

/// The type of a property, with what its values must keep to (HubSpot facts §10.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Bool,
    /// A day.
    Date,
    /// A time.
    DateTime,
    /// One choice.
    Choice,
    /// Several choices.
    Choices,
    /// A type that is not written.
    Other(String),
}

impl FieldKind {
    /// Of a property that is there.
    pub fn of(property: &Property) -> Self {
        match (property.kind.as_str(), property.field_type.as_str()) {
            _ if property.calculated || property.modification_metadata.read_only_value => {
                Self::Other("read-only".to_owned())
            }
            ("string", "text" | "textarea" | "html" | "phonenumber") | ("phone_number", _) => {
                Self::Text
            }
            ("number", _) => Self::Number,
            ("bool", _) => Self::Bool,
            ("date", _) => Self::Date,
            ("datetime", _) => Self::DateTime,
            ("enumeration", _) if property.external_options => {
                Self::Other("enumeration".to_owned())
            }
            ("enumeration", "checkbox") => Self::Choices,
            ("enumeration", _) => Self::Choice,
            (other, _) => Self::Other(other.to_owned()),
        }
    }

    /// Of a property that is made for one of the source.
    pub fn wanted(field_type: &FieldType, has_options: bool) -> Self {
        match field_type {
            FieldType::Integer | FieldType::Decimal => Self::Number,
            FieldType::Boolean => Self::Bool,
            FieldType::Date => Self::Date,
            FieldType::Moment => Self::DateTime,
            FieldType::Choice | FieldType::Tree if has_options => Self::Choice,
            FieldType::Choices if has_options => Self::Choices,
            FieldType::Text
            | FieldType::LongText
            | FieldType::Link
            | FieldType::Json
            | FieldType::Choice
            | FieldType::Tree
            | FieldType::Choices
            | FieldType::Reference(_)
            | FieldType::Other(_) => Self::Text,
        }
    }

    /// Whether values are chosen from a list, which takes no others and must be known to write one.
    pub fn is_chosen(&self) -> bool {
        matches!(self, Self::Choice | Self::Choices)
    }

    /// Whether a property of this type takes values that were meant for that one.
    pub fn takes(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Text, Self::Text | Self::Choice | Self::Choices)
            | (Self::Choices, Self::Choice) => true,
            (Self::Other(_), _) => false,
            (here, there) => here == there,
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Choice => "choice",
            Self::Choices => "choices",
            Self::Other(word) => word,
        })
    }
}

impl FromStr for FieldKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "" => return Err(()),
            "text" => Self::Text,
            "number" => Self::Number,
            "bool" => Self::Bool,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "choice" => Self::Choice,
            "choices" => Self::Choices,
            other => Self::Other(other.to_owned()),
        })
    }
}

/// A property as effects name it and as items bring it back: `tickets.loyalty_tier:choice`, `p12_order.total:number`.
pub type FieldTarget = Target<FieldKind>;

/// The stored value of an option for one of the source: the same where HubSpot takes it. `;` stands between two values of a
/// record, and values are told apart without capitals.
pub fn option_value(value: &str) -> String {
    let proper = !value.is_empty()
        && value.trim() == value
        && !value.contains([';', '\n', '\r'])
        && value.chars().count() <= 255;
    if proper {
        value.to_owned()
    } else {
        plain_name(value, 100)
    }
}

// ---- values

/// The type cannot hold the value.
const OTHER_TYPE: Misfit = Misfit("does not fit the type of its property: on the source card");
/// An option that is not there.
const NO_OPTION: Misfit = Misfit("a choice that its property does not have: on the source card");
/// More than a text holds.
const TOO_LONG: Misfit = Misfit("longer than its property holds: on the source card");

/// A record's property here and what goes into it, for records of `object`.
///
/// # Errors
/// [`Misfit`] where it has no property there, or one that cannot hold the value.
pub fn place(
    object: &str,
    field: &Field,
    choices: &Choices,
    words: &Words,
) -> Result<(FieldTarget, Json), Misfit> {
    let nowhere = Misfit("has no property in HubSpot: on the source card");
    let target = FieldTarget::on(object, field).ok_or(nowhere)?;
    let options = target.options(choices).unwrap_or_default();
    let value = field_value(&target, &field.value, options, words)?;
    Ok((target, json!(value)))
}

/// A value for a property, as text: all values are texts (HubSpot facts §3.1).
///
/// # Errors
/// [`Misfit`] when the type cannot hold the value; it is never bent to fit.
pub fn field_value(
    target: &FieldTarget,
    value: &Value,
    choices: &[(String, String)],
    words: &Words,
) -> Result<String, Misfit> {
    let stored = |wanted: &str| stored_choice(target, wanted, choices);
    let path = |path: &[String]| path.join(&PATH_SEPARATOR.to_string());
    Ok(match &target.kind {
        FieldKind::Text => {
            let text = words.value(value);
            // An empty text would clear it (HubSpot facts §0.9).
            if text.chars().count() > TEXT_CHARS {
                return Err(TOO_LONG);
            }
            text
        }
        FieldKind::Number => match value {
            Value::Integer(number) => number_text(&number.to_string())?,
            Value::Decimal(digits) => number_text(digits)?,
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Bool => match value {
            Value::Boolean(flag) => flag.to_string(),
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Date => match value {
            Value::Date(day) if is_day(day) => day.clone(),
            Value::Moment(moment) => {
                let day = words.day(moment.at).filter(|day| is_day(day));
                day.ok_or(OTHER_TYPE)?
            }
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::DateTime => match value {
            Value::Moment(moment) => datetime(moment.at).ok_or(OTHER_TYPE)?,
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Choice => match value {
            Value::Choice(text) | Value::Text(text) => stored(text)?,
            Value::Path(parts) => stored(&path(parts))?,
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Choices => {
            let list = match value {
                Value::Choices(list) => list.clone(),
                Value::Choice(one) | Value::Text(one) => vec![one.clone()],
                Value::Path(parts) => vec![path(parts)],
                _ => return Err(OTHER_TYPE),
            };
            let list: Result<Vec<String>, Misfit> = list.iter().map(|one| stored(one)).collect();
            list?.join(";")
        }
        FieldKind::Other(_) => {
            return Err(Misfit(
                "properties of its type are not written: on the source card",
            ));
        }
    })
}

/// The stored value of a choice: the one that was paired with it, else itself, else one that is stored or read so.
fn stored_choice(
    target: &FieldTarget,
    wanted: &str,
    choices: &[(String, String)],
) -> Result<String, Misfit> {
    let wanted = target.paired(wanted).unwrap_or(wanted);
    let stored = fields::stored(choices, wanted);
    stored.map(str::to_owned).ok_or(NO_OPTION)
}

/// Digits with one decimal point at most, of which a binary number keeps all (HubSpot facts §10.2).
fn number_text(digits: &str) -> Result<String, Misfit> {
    let plain = digits.strip_prefix('-').unwrap_or(digits);
    let (before, after) = plain.split_once('.').unwrap_or((plain, ""));
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if before.is_empty() || !are_digits(before) || !are_digits(after) {
        return Err(OTHER_TYPE);
    }
    let said = before.trim_start_matches('0').len() + after.trim_end_matches('0').len();
    if said > 15 {
        return Err(Misfit(
            "has more digits than a number keeps: on the source card",
        ));
    }
    Ok(digits.to_owned())
}

/// Whether a text is a day.
pub fn is_day(text: &str) -> bool {
    text.len() == 10
        && time::parse_lossy(&format!("{text}T00:00:00Z"))
            .and_then(|(moment, _)| datetime(moment.at))
            .is_some_and(|again| again.starts_with(text))
}

// ---- where a record is

/// The owner that a reference is, if it is one himself.
pub fn owner(reference: &Reference) -> Option<&str> {
    own_target(reference).filter(|id| !id.is_empty())
}

/// Whose name an activity stands under, and whom a text must name since that is somebody else or nobody. Only owners can be
/// authors (HubSpot facts §8): customers are always named.
pub fn author<'a>(author: &'a Author, stand_in: &'a str) -> (Option<&'a str>, Option<String>) {
    let own = match author {
        Author::Person(person) if person.kind == transload_sdk::types::Kind::Agent => owner(person),
        Author::Person(_) | Author::Name(_) | Author::System => None,
    };
    match own {
        Some(id) => (Some(id), None),
        None => (
            Some(stand_in).filter(|id| !id.is_empty()),
            Some(words::author(author)),
        ),
    }
}

// ---- slots

/// A priority by its place on its own scale: of 1..5 the middle is `MEDIUM`.
pub fn default_priority(priority: &Priority) -> &'static str {
    let span = f64::from(priority.highest) - f64::from(priority.lowest);
    if span == 0.0 {
        return "MEDIUM";
    }
    let place = (f64::from(priority.value) - f64::from(priority.lowest)) / span;
    match place {
        p if p < 0.375 => "LOW",
        p if p < 0.625 => "MEDIUM",
        p if p < 0.875 => "HIGH",
        _ => "URGENT",
    }
}

/// First and last name of a person. The whole name as the first where only that is known: nobody can tell where a name ends that
/// was written in one.
pub fn names(entry: &Entry, customer: &Customer) -> (Option<String>, Option<String>) {
    let part = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    match (part(&customer.first_name), part(&customer.last_name)) {
        (None, None) => {
            let whole = part(&customer.name).or_else(|| part(&customer.display_name));
            let anything = || {
                let has_email = customer.addresses.iter().any(|a| email(&a.value).is_some());
                (!has_email).then(|| customer_name(entry, customer))
            };
            (whole.or_else(anything), None)
        }
        (Some(first), None) => {
            let whole = part(&customer.name).unwrap_or_default();
            let rest = whole.strip_prefix(first.as_str()).map(str::trim);
            let rest = rest.filter(|rest| !rest.is_empty()).map(str::to_owned);
            (Some(first), rest)
        }
        both => both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use transload_sdk::types::{Entity, Kind, Moment};

    fn target(text: &str) -> FieldTarget {
        FieldTarget::parse(text).unwrap()
    }

    fn of(text: &str, value: Value) -> Result<String, Misfit> {
        field_value(&target(text), &value, &[], &Words::new([], "Europe/Berlin"))
    }

    #[test]
    fn field_targets_come_back_as_they_were_written() {
        for text in [
            "tickets.loyalty_tier:choice",
            "contacts.seen:datetime",
            "p44_order.total:number",
            "companies.note:text",
            "companies.note:read-only",
        ] {
            assert_eq!(target(text).to_string(), text);
        }
        let paired = FieldTarget {
            choices: vec![("a:b,c=d %".to_owned(), "größe".to_owned())],
            ..target("tickets.size:choice")
        };
        assert_eq!(FieldTarget::parse(&paired.to_string()), Some(paired));
        for text in ["tickets:text", "tickets.x", "tickets.x:"] {
            assert_eq!(FieldTarget::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_kept_where_they_can_be_and_stay_distinct() {
        assert_eq!(property_name("tier"), "tier");
        assert_eq!(
            plain_name("loyaltyTierStr", 100),
            format!("loyalty_tier_str_{}", short_hash("loyaltyTierStr"))
        );
        assert_ne!(property_name("a-b"), property_name("a_b"));
        assert_ne!(object_name("Order"), object_name("order"));
        assert_eq!(property_name("transload_run"), "source_transload_run");
        assert_eq!(property_name("hs_x"), "source_hs_x");
    }

    #[test]
    fn values_that_do_not_fit_are_refused_rather_than_bent() {
        let number = "tickets.x:number";
        assert_eq!(of(number, Value::Integer(-7)), Ok("-7".to_owned()));
        assert_eq!(
            of(number, Value::Decimal("64.670".into())),
            Ok("64.670".to_owned())
        );
        assert_eq!(of(number, Value::Text("seven".into())), Err(OTHER_TYPE));
        assert_eq!(of(number, Value::Decimal("1e9".into())), Err(OTHER_TYPE));
        assert!(of(number, Value::Decimal("1234567890123.456789".into())).is_err());
        assert_eq!(
            of("tickets.x:text", Value::Text("x".repeat(TEXT_CHARS + 1))),
            Err(TOO_LONG)
        );
        assert_eq!(
            of("tickets.x:date", Value::Date("2024-02-30".into())),
            Err(OTHER_TYPE)
        );
        assert!(of("tickets.x:read-only", Value::Text("a".into())).is_err());
    }

    #[test]
    fn a_moment_keeps_its_milliseconds_or_is_the_day_that_it_is_at_the_place() {
        let at = |at| {
            Value::Moment(Moment {
                at,
                offset_minutes: None,
            })
        };
        let written = of("tickets.x:datetime", at(1_700_000_000_123)).unwrap();
        assert_eq!(parse_datetime(&written), Some(1_700_000_000_123));
        assert_eq!(
            of("tickets.x:date", at(1_711_924_200_000)),
            Ok("2024-04-01".to_owned())
        );
        assert_eq!(parse_datetime("1700000000123"), Some(1_700_000_000_123));
    }

    #[test]
    fn choices_go_by_pair_by_stored_value_or_by_label() {
        let choices = [("gold_level".to_owned(), "Gold".to_owned())];
        let value = |target: &str, text: &str| {
            let value = Value::Choice(text.to_owned());
            field_value(
                &self::target(target),
                &value,
                &choices,
                &Words::new([], "UTC"),
            )
        };
        assert_eq!(
            value("tickets.tier:choice", "Gold"),
            Ok("gold_level".to_owned())
        );
        assert_eq!(value("tickets.tier:choice", "Silver"), Err(NO_OPTION));
        assert_eq!(
            value("tickets.tier:choice:au=gold_level", "au"),
            Ok("gold_level".to_owned())
        );
        assert_eq!(option_value("a b"), "a b");
        assert!(!option_value("a;b").contains(';'));
    }

    #[test]
    fn only_owners_are_authors_and_nobody_stands_in_unless_somebody_does() {
        let customer = Reference::new(Kind::Customer, "c1").at("17").called("Ana");
        let agent = Reference::new(Kind::Agent, "a1").at("9");
        let former = Reference::new(Kind::Agent, "a2").at(placeholder("", "Bo"));
        let of = |person: Reference, stand_in: &str| {
            let author = Author::Person(person);
            let (id, named) = super::author(&author, stand_in);
            (id.map(str::to_owned), named)
        };
        assert_eq!(of(agent, "1"), (Some("9".to_owned()), None));
        assert_eq!(of(customer, "").1.as_deref(), Some("Ana (customer c1)"));
        assert_eq!(of(former.clone(), "").0, None);
        assert_eq!(of(former, "1").0.as_deref(), Some("1"));
    }

    #[test]
    fn a_person_has_the_names_that_are_known() {
        let of = |first: Option<&str>, last: Option<&str>, whole: Option<&str>| {
            let customer = Customer {
                first_name: first.map(str::to_owned),
                last_name: last.map(str::to_owned),
                name: whole.map(str::to_owned),
                ..Customer::empty()
            };
            let entry = Entry::new(Kind::Customer, "c1", Entity::Customer(customer.clone()));
            names(&entry, &customer)
        };
        let pair = |first: Option<&str>, last: Option<&str>| {
            (first.map(str::to_owned), last.map(str::to_owned))
        };
        assert_eq!(
            of(Some("Ana"), Some("Ruiz"), None),
            pair(Some("Ana"), Some("Ruiz"))
        );
        assert_eq!(
            of(None, None, Some("Ana María Ruiz")),
            pair(Some("Ana María Ruiz"), None)
        );
        assert_eq!(
            of(Some("Ana"), None, Some("Ana Ruiz")),
            pair(Some("Ana"), Some("Ruiz"))
        );
        assert_eq!(of(None, None, None), pair(Some("Customer c1"), None));
    }

    proptest! {
        #[test]
        fn a_name_is_always_one_that_hubspot_takes(name in ".*") {
            for name in [property_name(&name), object_name(&name)] {
                prop_assert!(name.len() <= NAME_CHARS, "{name}");
                prop_assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
            }
        }
    }
}
