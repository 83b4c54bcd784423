//! Pure mapping of single values: names of fields and objects, field values, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every batch.
//! Not here: threads (see `write::threads`), requests.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value as Json, json};
use transload_sdk::fields::{self, Target};
use transload_sdk::types::{
    Author, Entry, Field, FieldType, Kind, Priority, Reference, ReferenceType, Value,
};

pub use transload_sdk::card::{Misfit, loss};
pub use transload_sdk::effects::{changed, print, short_hash};
pub use transload_sdk::fields::Choices;
pub use transload_sdk::people::{customer_name, e164, email};
use transload_sdk::words::{self, Words};
pub use transload_sdk::words::{
    moment_text, own_target, placeholder, placeholder_name, placeholder_parts,
    priority as priority_words, record_id, record_parts, record_target,
};

use crate::api::FieldDescribe;

/// Between the parts of a path in the value of an option: a tree's options are paths written so.
pub const PATH_SEPARATOR: char = '.';
/// Characters of a name before `__c` (Salesforce facts §10.4).
const NAME_CHARS: usize = 40;
/// Characters of a label (Salesforce facts §10.4).
const LABEL_CHARS: usize = 40;
/// Characters of a text field that we make.
const TEXT_CHARS: u32 = 255;
/// Characters of a long text field that we make; the most is 131,072, and an object holds 1,638,400 in all (Salesforce facts
/// §10.4 [MEM]).
const LONG_CHARS: u32 = 32_768;
/// Digits of a number that we make, in all and behind the point (Salesforce facts §10.1, §10.4).
const NUMBER: (u32, u32) = (18, 6);

// ---- times

/// A time as Salesforce takes and keeps it: UTC, whole seconds (Salesforce facts §11).
pub fn datetime(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000);
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Milliseconds of a time that Salesforce wrote, `2024-01-01T12:00:00.000+0000`.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let with_colon = text
        .split_at_checked(text.len().saturating_sub(5))
        .filter(|(_, offset)| offset.starts_with(['+', '-']))
        .and_then(|(time, offset)| {
            Some(format!("{time}{}:{}", offset.get(..3)?, offset.get(3..)?))
        });
    DateTime::parse_from_rfc3339(with_colon.as_deref().unwrap_or(text))
        .ok()
        .map(|time| time.timestamp_millis())
}

/// A time that an insert accepts as an original one: not before 1970, not in the future (Salesforce facts §11).
pub fn auditable(ms: i64, now: i64) -> i64 {
    ms.min(now).max(0)
}

// ---- names

/// An API name without `__c`: letters, digits and single underscores, a letter first (Salesforce facts §10.4). A name that is one
/// stays as it is; what says less than the original gets a digest of it.
pub fn api_name(name: &str) -> String {
    let is_word = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.contains("__")
            && !name.ends_with('_')
    };
    if is_word(name) && name.len() <= NAME_CHARS {
        return name.to_owned();
    }
    let hash = short_hash(name);
    let mut slug = String::new();
    for c in name.chars() {
        if slug.len() >= NAME_CHARS - hash.len() - 1 {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_matches('_');
    // A name begins with a letter.
    if slug.starts_with(|c: char| c.is_ascii_alphabetic()) {
        format!("{slug}_{hash}")
    } else {
        format!("X_{hash}")
    }
}

/// The API name of a field.
pub fn field_name(name: &str) -> String {
    format!("{}__c", api_name(name))
}

/// The API name of an object. Records name their object by the source's word alone, so two words never get one name: what is
/// not lower case already has a digest, since Salesforce does not tell capitals apart.
pub fn object_name(id: &str) -> String {
    let plain = api_name(id);
    let distinct = plain == id && id == id.to_lowercase();
    let name = if distinct {
        plain
    } else {
        let hash = short_hash(id);
        let kept: String = plain.chars().take(NAME_CHARS - hash.len() - 1).collect();
        format!("{}_{hash}", kept.trim_end_matches('_'))
    };
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    format!("{}{}__c", first.unwrap_or('X'), letters.as_str())
}

/// What people read, as far as it fits.
pub fn label(label: &str, name: &str) -> String {
    let whole = if label.trim().is_empty() { name } else { label };
    whole.chars().take(LABEL_CHARS).collect()
}

/// The object that a record kind becomes, where that is certain; `None` where it has no fields here.
pub fn object_of(kind: &Kind, object_type: Option<&str>) -> Option<String> {
    Some(match kind {
        Kind::Conversation => "Case".to_owned(),
        Kind::Customer => "Contact".to_owned(),
        Kind::Company => "Account".to_owned(),
        Kind::Agent => "User".to_owned(),
        Kind::Message => "EmailMessage".to_owned(),
        Kind::CustomObject => object_name(object_type?),
        _ => return None,
    })
}

/// The object whose ids begin so (Salesforce facts §9.7); of customers it is not said by the kind whether they are contacts.
pub fn object_of_id(id: &str) -> Option<&'static str> {
    Some(match id.get(..3)? {
        "001" => "Account",
        "003" => "Contact",
        "00Q" => "Lead",
        "005" => "User",
        "00G" => "Group",
        "500" => "Case",
        "02s" => "EmailMessage",
        "00a" => "CaseComment",
        "00T" => "Task",
        "068" => "ContentVersion",
        "069" => "ContentDocument",
        "06A" => "ContentDocumentLink",
        "0D5" => "FeedItem",
        _ => return None,
    })
}

// ---- fields

/// The type of a field, with what its values must keep to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// One line of so many characters.
    Text(u32),
    /// Long text of so many characters.
    LongText(u32),
    /// A number of so many digits in all, so many behind the point.
    Number(u32, u32),
    /// Yes or no; never neither.
    Checkbox,
    /// A day.
    Date,
    /// A time, to the second.
    DateTime,
    /// An e-mail address.
    Email,
    /// A number to call.
    Phone,
    /// An address of the web, 255 characters.
    Url,
    /// One choice; whether no others are taken.
    Picklist(bool),
    /// Several choices; whether no others are taken.
    Multipicklist(bool),
    /// Points to a record of an object.
    Lookup(String),
    /// A type that is not written.
    Other(String),
}

impl FieldKind {
    /// Of a field that is there.
    pub fn of(field: &FieldDescribe) -> Self {
        match field.kind.as_str() {
            "string" => Self::Text(field.length),
            "textarea" => Self::LongText(field.length),
            "double" | "currency" | "percent" => Self::Number(field.precision, field.scale),
            "int" => Self::Number(9, 0),
            "boolean" => Self::Checkbox,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "email" => Self::Email,
            "phone" => Self::Phone,
            "url" => Self::Url,
            "picklist" => Self::Picklist(field.restricted_picklist),
            "multipicklist" => Self::Multipicklist(field.restricted_picklist),
            "reference" => Self::Lookup(field.reference_to.first().cloned().unwrap_or_default()),
            other => Self::Other(other.to_owned()),
        }
    }

    /// Of a field that is made for one of the source (Salesforce facts §10.4).
    pub fn wanted(field_type: &FieldType, has_options: bool) -> Self {
        match field_type {
            FieldType::Text => Self::Text(TEXT_CHARS),
            FieldType::Link => Self::Url,
            FieldType::LongText | FieldType::Json | FieldType::Other(_) => {
                Self::LongText(LONG_CHARS)
            }
            FieldType::Integer => Self::Number(NUMBER.0, 0),
            FieldType::Decimal => Self::Number(NUMBER.0, NUMBER.1),
            FieldType::Boolean => Self::Checkbox,
            FieldType::Date => Self::Date,
            FieldType::Moment => Self::DateTime,
            FieldType::Choice | FieldType::Tree if has_options => Self::Picklist(false),
            FieldType::Choices if has_options => Self::Multipicklist(false),
            FieldType::Choice | FieldType::Tree => Self::Text(TEXT_CHARS),
            FieldType::Choices => Self::LongText(LONG_CHARS),
            FieldType::Reference(reference) => match lookup_target(reference) {
                Some(object) if !reference.multi => Self::Lookup(object),
                _ => Self::LongText(LONG_CHARS),
            },
        }
    }

    /// Whether values are chosen from a list that takes no others, which must be known to write one.
    pub fn is_restricted(&self) -> bool {
        matches!(self, Self::Picklist(true) | Self::Multipicklist(true))
    }

    /// Whether a field of this type takes values that were meant for that one.
    pub fn takes(&self, wanted: &Self) -> bool {
        use FieldKind::{
            Checkbox, Date, DateTime, Email, LongText, Lookup, Multipicklist, Number, Phone,
            Picklist, Text, Url,
        };
        match (self, wanted) {
            (
                Text(_) | LongText(_),
                Text(_) | LongText(_) | Url | Picklist(_) | Multipicklist(_),
            ) => true,
            (Url, Url) | (Checkbox, Checkbox) | (Date, Date) | (DateTime, DateTime) => true,
            (Number(..), Number(..)) | (Picklist(_), Picklist(_) | Text(_)) => true,
            (Multipicklist(_), Multipicklist(_)) => true,
            (Email | Phone | Url, Text(_)) => true,
            (Lookup(here), Lookup(there)) => here == there,
            _ => false,
        }
    }
}

impl fmt::Display for FieldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(chars) => write!(f, "Text({chars})"),
            Self::LongText(chars) => write!(f, "LongTextArea({chars})"),
            Self::Number(precision, scale) => write!(f, "Number({precision},{scale})"),
            Self::Checkbox => f.write_str("Checkbox"),
            Self::Date => f.write_str("Date"),
            Self::DateTime => f.write_str("DateTime"),
            Self::Email => f.write_str("Email"),
            Self::Phone => f.write_str("Phone"),
            Self::Url => f.write_str("Url"),
            Self::Picklist(false) => f.write_str("Picklist"),
            Self::Picklist(true) => f.write_str("Picklist(restricted)"),
            Self::Multipicklist(false) => f.write_str("MultiselectPicklist"),
            Self::Multipicklist(true) => f.write_str("MultiselectPicklist(restricted)"),
            Self::Lookup(object) => write!(f, "Lookup({object})"),
            Self::Other(word) => write!(f, "Other({word})"),
        }
    }
}

impl FromStr for FieldKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_kind(text).ok_or(())
    }
}

fn parse_kind(text: &str) -> Option<FieldKind> {
    let (word, inside) = match text.split_once('(') {
        Some((word, rest)) => (word, rest.strip_suffix(')')?),
        None => (text, ""),
    };
    Some(match word {
        "Text" => FieldKind::Text(inside.parse().ok()?),
        "LongTextArea" => FieldKind::LongText(inside.parse().ok()?),
        "Number" => {
            let (precision, scale) = inside.split_once(',')?;
            FieldKind::Number(precision.parse().ok()?, scale.parse().ok()?)
        }
        "Checkbox" => FieldKind::Checkbox,
        "Date" => FieldKind::Date,
        "DateTime" => FieldKind::DateTime,
        "Email" => FieldKind::Email,
        "Phone" => FieldKind::Phone,
        "Url" => FieldKind::Url,
        "Picklist" => FieldKind::Picklist(inside == "restricted"),
        "MultiselectPicklist" => FieldKind::Multipicklist(inside == "restricted"),
        "Lookup" => FieldKind::Lookup(inside.to_owned()),
        "Other" => FieldKind::Other(inside.to_owned()),
        _ => return None,
    })
}

/// The object that a lookup of the source points to here; `None` where that is none, or several.
pub fn lookup_target(reference: &ReferenceType) -> Option<String> {
    match reference.kind.as_ref()? {
        Kind::Message => None,
        kind => object_of(kind, reference.object_type.as_deref()),
    }
}

/// A field as effects name it and as items bring it back: `Case.loyaltyTier__c:Picklist`, `Contact.Seen__c:DateTime`,
/// `Order__c.Total__c:Number(18,6)`; behind another colon choices of the source whose stored value here is another.
pub type FieldTarget = Target<FieldKind>;

// ---- values

/// The type cannot hold the value.
const OTHER_TYPE: Misfit = Misfit("does not fit the type of its field: on the source card");
/// An option that is not there.
const NO_OPTION: Misfit = Misfit("a choice that its field does not have: on the source card");
/// More than a field of text holds.
const TOO_LONG: Misfit = Misfit("longer than its field holds: on the source card");

/// A record's field here and what goes into it, for records of `object`.
///
/// # Errors
/// [`Misfit`] where it has no field there, or one that cannot hold the value.
pub fn place(
    object: &str,
    field: &Field,
    choices: &Choices,
    words: &Words,
) -> Result<(FieldTarget, Json), Misfit> {
    let nowhere = Misfit("has no field in Salesforce: on the source card");
    let target = FieldTarget::on(object, field).ok_or(nowhere)?;
    let value = field_value(&target, &field.value, target.options(choices), words)?;
    Ok((target, value))
}

/// A value for a field. `choices` are the field's, where it takes no others.
///
/// # Errors
/// [`Misfit`] when the type cannot hold the value; it is never bent to fit.
pub fn field_value(
    target: &FieldTarget,
    value: &Value,
    choices: Option<&[(String, String)]>,
    words: &Words,
) -> Result<Json, Misfit> {
    let text_of = |chars: u32| {
        let text = words.value(value);
        if text.chars().count() > chars as usize {
            return Err(TOO_LONG);
        }
        Ok(json!(text))
    };
    let stored = |wanted: &str| stored_choice(target, wanted, choices);
    Ok(match &target.kind {
        FieldKind::Text(chars) | FieldKind::LongText(chars) => text_of(*chars)?,
        FieldKind::Url => text_of(255)?,
        FieldKind::Phone => text_of(40)?,
        FieldKind::Email => json!(email(&words.value(value)).ok_or(OTHER_TYPE)?),
        FieldKind::Number(precision, scale) => match value {
            Value::Integer(number) => number_value(&number.to_string(), *precision, *scale)?,
            Value::Decimal(digits) => number_value(digits, *precision, *scale)?,
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Checkbox => match value {
            Value::Boolean(flag) => json!(flag),
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Date => match value {
            Value::Date(day) if is_day(day) => json!(day),
            Value::Moment(moment) => {
                let day = words.day(moment.at).filter(|day| is_day(day));
                json!(day.ok_or(OTHER_TYPE)?)
            }
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::DateTime => match value {
            Value::Moment(moment) if in_calendar(moment.at) => json!(datetime(moment.at)),
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Picklist(_) => match value {
            Value::Choice(text) | Value::Text(text) => json!(stored(text)?),
            Value::Path(path) => json!(stored(&path.join(&PATH_SEPARATOR.to_string()))?),
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Multipicklist(_) => {
            let list = match value {
                Value::Choices(list) => list.as_slice(),
                Value::Choice(one) => std::slice::from_ref(one),
                _ => return Err(OTHER_TYPE),
            };
            // Several are one text with semicolons between them.
            if list.iter().any(|one| one.contains(';')) {
                return Err(OTHER_TYPE);
            }
            let list: Result<Vec<String>, Misfit> = list.iter().map(|one| stored(one)).collect();
            json!(list?.join(";"))
        }
        FieldKind::Lookup(object) => match value {
            Value::Reference(reference) => json!(lookup_id(reference, object)?),
            Value::References(_) => {
                return Err(Misfit(
                    "several references, of which a lookup holds one: on the source card",
                ));
            }
            _ => return Err(OTHER_TYPE),
        },
        FieldKind::Other(_) => {
            return Err(Misfit(
                "fields of its type are not written: on the source card",
            ));
        }
    })
}

/// The id that a lookup to an object holds.
///
/// # Errors
/// [`Misfit`] for what is not there, or is there as somebody else or something else only.
pub fn lookup_id(reference: &Reference, object: &str) -> Result<String, Misfit> {
    match reference.target.as_deref() {
        Some(target) if placeholder_name(target).is_some() => Err(Misfit(
            "points to an agent who has no user here: named on the source card",
        )),
        Some(target) => {
            let id = record_id(target);
            match object_of_id(id) {
                Some(other) if other != object => Err(Misfit(
                    "points to what is another object here: named on the source card",
                )),
                _ => Ok(id.to_owned()),
            }
        }
        None => Err(Misfit(
            "points to what is not here, or not here yet: named on the source card",
        )),
    }
}

/// The stored value of a choice: the one that was paired with it, else itself, else one that is stored or read so.
fn stored_choice(
    target: &FieldTarget,
    wanted: &str,
    choices: Option<&[(String, String)]>,
) -> Result<String, Misfit> {
    if let Some(paired) = target.paired(wanted) {
        return Ok(paired.to_owned());
    }
    if wanted.chars().count() > 255 {
        return Err(TOO_LONG);
    }
    let Some(choices) = choices.filter(|_| target.kind.is_restricted()) else {
        return Ok(wanted.to_owned());
    };
    let stored = fields::stored(choices, wanted);
    stored.map(str::to_owned).ok_or(NO_OPTION)
}

/// A number whose digits all fit: those before the point into what the field has before it, those behind it into what it has
/// behind it.
fn number_value(digits: &str, precision: u32, scale: u32) -> Result<Json, Misfit> {
    let plain = digits.strip_prefix('-').unwrap_or(digits);
    let (before, after) = plain.split_once('.').unwrap_or((plain, ""));
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let after = after.trim_end_matches('0');
    let before = before.trim_start_matches('0');
    let proper = !plain.is_empty() && are_digits(before) && are_digits(after);
    let fits = before.len() <= (precision - scale.min(precision)) as usize
        && after.len() <= scale as usize;
    if !proper {
        return Err(OTHER_TYPE);
    }
    // Fifteen digits survive a binary number.
    if !fits || before.len() + after.len() > 15 {
        return Err(Misfit(
            "has more digits than its field holds: on the source card",
        ));
    }
    let number: f64 = digits.parse().map_err(|_| OTHER_TYPE)?;
    Ok(if after.is_empty() {
        // As an integer, so that none is written with a point.
        digits
            .split('.')
            .next()
            .and_then(|whole| whole.parse::<i64>().ok())
            .map_or_else(|| json!(number), |whole| json!(whole))
    } else {
        json!(number)
    })
}

/// Whether a text is a day that a date field takes.
pub fn is_day(text: &str) -> bool {
    use chrono::Datelike as _;
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .is_ok_and(|day| text.len() == 10 && (1_700..=4_000).contains(&day.year()))
}

/// From 1700 to 4000, which is what Salesforce's times hold.
fn in_calendar(ms: i64) -> bool {
    datetime(ms).get(..10).is_some_and(is_day)
}

// ---- where a record is

/// Who stands as an author, and whom a text must name since that is somebody else. Only users can be authors (Salesforce facts
/// §11): customers are always named.
pub fn author<'a>(author: &'a Author, stand_in: &'a str) -> (&'a str, Option<String>) {
    let own = match author {
        Author::Person(person) if person.kind == Kind::Agent => own_target(person),
        Author::Person(_) | Author::Name(_) | Author::System => None,
    };
    match own {
        Some(id) => (id, None),
        None => (stand_in, Some(words::author(author))),
    }
}

// ---- slots

/// A priority by its place on its own scale: of 1..5 the middle is `Medium`.
pub fn default_priority(priority: &Priority) -> &'static str {
    let span = f64::from(priority.highest) - f64::from(priority.lowest);
    if span == 0.0 {
        return "Medium";
    }
    let place = (f64::from(priority.value) - f64::from(priority.lowest)) / span;
    match place {
        p if p < 0.375 => "Low",
        p if p < 0.625 => "Medium",
        _ => "High",
    }
}

/// A tag as its field has it, where `;` stands between two.
pub fn tag(name: &str) -> String {
    name.trim().replace(';', ",")
}

/// Tags as their field has them, `;a;b;`, as many as fit; and whether all did.
pub fn tag_list<'t>(names: impl IntoIterator<Item = &'t str>, chars: usize) -> (String, bool) {
    let mut list = String::new();
    for name in names {
        let name = tag(name);
        let added = name.chars().count() + 2;
        if list.chars().count() + added > chars {
            return (list, false);
        }
        if list.is_empty() {
            list.push(';');
        }
        list.push_str(&name);
        list.push(';');
    }
    (list, true)
}

/// First and last name of a person; a contact must have a last one (Salesforce facts §4). The whole name where only that is
/// known: nobody can tell where a name ends that was written in one.
pub fn names(entry: &Entry, customer: &transload_sdk::types::Customer) -> (Option<String>, String) {
    let part = |text: &Option<String>| {
        let text = text.as_deref().map(str::trim);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (first, last) = (part(&customer.first_name), part(&customer.last_name));
    match (first, last) {
        (first, Some(last)) => (first, last),
        (first, None) => {
            let whole = customer_name(entry, customer);
            let rest = first
                .as_ref()
                .and_then(|first| whole.trim().strip_prefix(first.as_str()))
                .map(str::trim)
                .filter(|rest| !rest.is_empty());
            match rest {
                Some(rest) => (first.clone(), rest.to_owned()),
                None => (None, whole.trim().to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use transload_sdk::types::{Customer, Entity, Moment};

    fn target(text: &str) -> FieldTarget {
        FieldTarget::parse(text).unwrap()
    }

    fn of(text: &str, value: Value) -> Result<Json, Misfit> {
        field_value(
            &target(text),
            &value,
            None,
            &Words::new([], "Europe/Berlin"),
        )
    }

    #[test]
    fn field_targets_come_back_as_they_were_written() {
        for text in [
            "Case.loyaltyTier__c:Picklist",
            "Case.Tier__c:Picklist(restricted)",
            "Contact.Seen__c:DateTime",
            "Order__c.Total__c:Number(18,6)",
            "Order__c.Former__c:Lookup(Order__c)",
            "Account.Note__c:LongTextArea(32768)",
        ] {
            assert_eq!(target(text).to_string(), text);
        }
        let paired = FieldTarget {
            choices: vec![("a:b,c=d %".to_owned(), "größe".to_owned())],
            ..target("Case.Size__c:Picklist")
        };
        assert_eq!(FieldTarget::parse(&paired.to_string()), Some(paired));
        for text in [
            "Case:Text(1)",
            "Case.X__c",
            "Case.X__c:Text",
            "Case.X__c:Nothing",
        ] {
            assert_eq!(FieldTarget::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_kept_where_they_can_be_and_stay_distinct() {
        assert_eq!(field_name("loyaltyTierStr"), "loyaltyTierStr__c");
        assert_ne!(field_name("a-b"), field_name("a_b"));
        assert_ne!(field_name("a__b"), field_name("a_b"));
        assert_eq!(object_name("order"), "Order__c");
        assert_ne!(
            object_name("Order").to_lowercase(),
            object_name("order").to_lowercase()
        );
        assert_ne!(object_name("größe"), object_name("grosse"));
    }

    #[test]
    fn values_that_do_not_fit_are_refused_rather_than_bent() {
        let number = "Case.X__c:Number(18,0)";
        assert_eq!(of(number, Value::Integer(7)), Ok(json!(7)));
        assert_eq!(of(number, Value::Text("seven".into())), Err(OTHER_TYPE));
        assert!(of(number, Value::Decimal("1.5".into())).is_err());
        assert_eq!(of(number, Value::Decimal("2.0".into())), Ok(json!(2)));
        let decimal = |digits: &str| of("Case.X__c:Number(18,6)", Value::Decimal(digits.into()));
        assert_eq!(decimal("64.670"), Ok(json!(64.67)));
        assert_eq!(decimal("1e9"), Err(OTHER_TYPE));
        assert!(decimal("1.1234567").is_err());
        assert!(decimal("1234567890123.456789").is_err());
        assert!(of("Case.X__c:Text(3)", Value::Text("four".into())).is_err());
        assert!(of("Case.X__c:Url", Value::Link("x".repeat(256))).is_err());
    }

    #[test]
    fn a_moment_is_a_second_or_the_day_that_it_is_at_the_place() {
        let moment = Value::Moment(Moment {
            at: 1_700_000_000_123,
            offset_minutes: None,
        });
        assert_eq!(
            of("Case.X__c:DateTime", moment.clone()),
            Ok(json!("2023-11-14T22:13:20Z"))
        );
        let late = Value::Moment(Moment {
            at: 1_711_924_200_000,
            offset_minutes: None,
        });
        assert_eq!(of("Case.X__c:Date", late), Ok(json!("2024-04-01")));
        assert_eq!(
            parse_datetime("2023-11-14T22:13:20.000+0000"),
            Some(1_700_000_000_000)
        );
        assert_eq!(auditable(-5, 10), 0);
        assert_eq!(auditable(11, 10), 10);
    }

    #[test]
    fn choices_go_by_stored_value_by_label_or_by_their_pair() {
        let choices = [("gold_level".to_owned(), "Gold".to_owned())];
        let restricted = target("Case.Tier__c:Picklist(restricted)");
        let value = |target: &FieldTarget, text: &str| {
            let value = Value::Choice(text.to_owned());
            field_value(target, &value, Some(&choices), &Words::new([], "UTC"))
        };
        assert_eq!(value(&restricted, "Gold"), Ok(json!("gold_level")));
        assert_eq!(value(&restricted, "Silver"), Err(NO_OPTION));
        // A list that takes others takes them.
        assert_eq!(
            value(&target("Case.Tier__c:Picklist"), "Silver"),
            Ok(json!("Silver"))
        );
        let several = "Case.Tier__c:MultiselectPicklist";
        let list = |list: &[&str]| Value::Choices(list.iter().map(|s| (*s).to_owned()).collect());
        assert_eq!(of(several, list(&["a", "b"])), Ok(json!("a;b")));
        assert_eq!(of(several, list(&["a;b"])), Err(OTHER_TYPE));
    }

    #[test]
    fn a_lookup_holds_one_record_of_its_object_and_never_a_stand_in() {
        let lookup = |object: &str, target: &str| {
            let reference = Reference::new(Kind::Agent, "a9").at(target);
            of(
                &format!("Case.X__c:Lookup({object})"),
                Value::Reference(reference),
            )
        };
        assert_eq!(
            lookup("User", "005000000000001AAA"),
            Ok(json!("005000000000001AAA"))
        );
        assert!(lookup("Contact", "00Q000000000001AAA").is_err());
        assert!(lookup("User", &placeholder("005000000000001AAA", "Ana")).is_err());
        assert_eq!(
            lookup("Order__c", "Order__c/a00000000000001AAA"),
            Ok(json!("a00000000000001AAA"))
        );
    }

    #[test]
    fn only_users_are_authors() {
        let customer = Reference::new(Kind::Customer, "c1")
            .at("003000000000001AAA")
            .called("Ana");
        let agent = Reference::new(Kind::Agent, "a1").at("005000000000009AAA");
        let of = |person: Reference| {
            let author = Author::Person(person);
            let (id, named) = super::author(&author, "005000000000001AAA");
            (id.to_owned(), named)
        };
        assert_eq!(of(agent).0, "005000000000009AAA");
        assert_eq!(of(customer).1.as_deref(), Some("Ana (customer c1)"));
    }

    #[test]
    fn a_person_has_a_last_name() {
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
        let pair = |first: Option<&str>, last: &str| (first.map(str::to_owned), last.to_owned());
        assert_eq!(
            of(Some("Ana"), Some("Ruiz"), None),
            pair(Some("Ana"), "Ruiz")
        );
        assert_eq!(
            of(None, None, Some("Ana María Ruiz")),
            pair(None, "Ana María Ruiz")
        );
        assert_eq!(
            of(Some("Ana"), None, Some("Ana Ruiz")),
            pair(Some("Ana"), "Ruiz")
        );
        assert_eq!(of(Some("Ana"), None, None), pair(None, "Ana"));
        assert_eq!(of(None, None, None), pair(None, "Customer c1"));
    }

    #[test]
    fn tags_are_found_whole_and_cut_between_two() {
        assert_eq!(tag_list(["a", "b;c"], 100), (";a;b,c;".to_owned(), true));
        assert_eq!(tag_list(["aaaa", "bbbb"], 7), (";aaaa;".to_owned(), false));
    }

    proptest! {
        #[test]
        fn a_name_is_always_one_that_salesforce_takes(name in ".*") {
            for name in [api_name(&name), object_name(&name).trim_end_matches("__c").to_owned()] {
                prop_assert!(name.len() <= NAME_CHARS, "{name}");
                prop_assert!(name.starts_with(|c: char| c.is_ascii_alphabetic()), "{name}");
                prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
                prop_assert!(!name.contains("__") && !name.ends_with('_'), "{name}");
            }
        }
    }
}
