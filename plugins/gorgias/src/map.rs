//! Pure mapping of single values: names of targets, channels, slots, field values, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every batch. Not
//! here: threads (see `thread`), requests.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value as Json, json};
use transload_sdk::card::Misfit;
use transload_sdk::fields::{choices_of, choices_text, exact_decimal, exact_integer};
pub use transload_sdk::text::cut_chars as cut;
use transload_sdk::time;
use transload_sdk::types::{
    AddressChannel, ChoiceOption, ConversationStatus, Field, FieldDefinition, FieldType, Kind,
    Moment, Priority, Reference, Satisfaction, Value,
};
use transload_sdk::words::{Words, placeholder_name};

/// Messages of one creation (Gorgias facts §6).
pub const MESSAGES: usize = 500;
/// Characters of a subject (Gorgias facts §6).
pub const SUBJECT_CHARS: usize = 998;
/// Characters of a tag's name (Gorgias facts §5).
pub const TAG_CHARS: usize = 256;
/// Characters of an external id (Gorgias facts §6).
pub const EXTERNAL_ID_CHARS: usize = 255;
/// Characters of a field's label (Gorgias facts §9).
pub const LABEL_CHARS: usize = 255;
/// Characters of an e-mail address (Gorgias facts §6).
pub const EMAIL_CHARS: usize = 320;
/// Bytes of a customer's note that we rely on: nothing says how much it holds.
pub const NOTE_BYTES: usize = 60_000;
/// Between the parts of a path in an option's value.
const PATH_SEPARATOR: &str = ".";

// ---- times

/// A time as Gorgias takes it: UTC, written `+00:00`, milliseconds where there are any (Gorgias facts §1).
pub fn stamp(ms: i64) -> String {
    let moment = Moment {
        at: ms,
        offset_minutes: Some(0),
    };
    time::format(&moment).unwrap_or_else(|| "1970-01-01T00:00:00+00:00".to_owned())
}

/// Milliseconds of a time that Gorgias wrote: without a zone it is UTC (Gorgias facts §1).
pub fn parse(text: &str) -> Option<i64> {
    let read = time::parse_lossy(text).or_else(|| time::parse_lossy(&format!("{text}Z")));
    read.map(|(moment, _)| moment.at)
}

/// A time of the past: nothing was written in the future, and nothing before 1970.
pub fn past(ms: i64, now: i64) -> i64 {
    time::clamp(ms, 0, now).0
}

// ---- where a record is

/// The number out of a target; of a stand-in's place, nobody's.
pub fn numeric_target(reference: &Reference) -> Option<u64> {
    reference.target.as_deref()?.parse().ok()
}

/// A number and what goes with it, as effects name what is used by its words: a tag by its name, a brand by its name in a field.
///
/// Written `123/vip`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTarget {
    /// Of the tag, or of the field.
    pub id: u64,
    /// The name.
    pub name: String,
}

impl NamedTarget {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, name) = text.split_once('/')?;
        Some(Self {
            id: id.parse().ok()?,
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for NamedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.id, self.name)
    }
}

// ---- where a field is

/// What a field of Gorgias sits on (Gorgias facts §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldOwner {
    /// Tickets.
    Ticket,
    /// Customers.
    Customer,
}

impl FieldOwner {
    /// The owner that a kind's fields have; `None` where Gorgias has no fields.
    pub fn of(kind: &Kind) -> Option<Self> {
        match kind {
            Kind::Conversation => Some(Self::Ticket),
            Kind::Customer => Some(Self::Customer),
            _ => None,
        }
    }

    /// Gorgias's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ticket => "Ticket",
            Self::Customer => "Customer",
        }
    }
}

/// A field as effects name it and as items bring it back: owner, id, type, and choices of the source that are called otherwise.
///
/// Written `Ticket:123:dropdown:late=Too%20late`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTarget {
    /// What it sits on.
    pub owner: FieldOwner,
    /// Number.
    pub id: u64,
    /// `text`, `dropdown`, `number` or `boolean`.
    pub kind: String,
    /// Choices by their stored value in the source, and what they are here.
    pub choices: Vec<(String, String)>,
}

impl FieldTarget {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let owner = match parts.next()? {
            "Ticket" => FieldOwner::Ticket,
            "Customer" => FieldOwner::Customer,
            _ => return None,
        };
        let id = parts.next()?.parse().ok()?;
        let kind = parts.next().filter(|kind| !kind.is_empty())?.to_owned();
        let choices = choices_of(parts.next().unwrap_or_default());
        Some(Self {
            owner,
            id,
            kind,
            choices,
        })
    }
}

impl fmt::Display for FieldTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.owner.word(), self.id, self.kind)?;
        if self.choices.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", choices_text(&self.choices))
    }
}

/// Gorgias's type for a field of ours. There is none for dates, and none that holds several values (Gorgias facts §9).
pub fn field_kind(definition: &FieldDefinition) -> &'static str {
    match definition.field_type {
        FieldType::Integer | FieldType::Decimal => "number",
        FieldType::Boolean => "boolean",
        FieldType::Choice | FieldType::Tree if !definition.options.is_empty() => "dropdown",
        _ => "text",
    }
}

/// The definition that makes a field of a type.
pub fn field_definition(kind: &str, choices: &[String]) -> Json {
    match kind {
        "number" => {
            json!({"data_type": "number", "input_settings": {"input_type": "input_number"}})
        }
        "boolean" => json!({"data_type": "boolean", "input_settings": {"input_type": "dropdown"}}),
        "dropdown" => {
            json!({"data_type": "text", "input_settings": {"input_type": "dropdown", "choices": choices}})
        }
        _ => json!({"data_type": "text", "input_settings": {"input_type": "input"}}),
    }
}

/// What the options of a field are called here, by their stored value: what people read, of a tree from the root down
/// (`Shipping > Late`); the stored value where two would be called the same.
pub fn option_names(definition: &FieldDefinition) -> Vec<(String, String)> {
    let mut named: Vec<(String, String)> = Vec::new();
    for option in &definition.options {
        let name = option_name(definition, option);
        let taken = named.iter().any(|(_, other)| *other == name);
        let name = if taken { option.value.clone() } else { name };
        if !named.iter().any(|(_, other)| *other == name) {
            named.push((option.value.clone(), name));
        }
    }
    named
}

fn option_name(definition: &FieldDefinition, option: &ChoiceOption) -> String {
    let own = |option: &ChoiceOption| match option.label.trim() {
        "" => option.value.clone(),
        _ => option.label.clone(),
    };
    if definition.field_type != FieldType::Tree {
        return own(option);
    }
    let ends = option.value.match_indices(PATH_SEPARATOR);
    let above = ends.filter_map(|(end, _)| option.value.get(..end));
    let mut names: Vec<String> = Vec::new();
    for path in above {
        let node = definition.options.iter().find(|o| o.value == path);
        let last = path.rsplit(PATH_SEPARATOR).next().unwrap_or(path);
        names.push(node.map_or_else(|| last.to_owned(), own));
    }
    names.push(own(option));
    names.join(" > ")
}

// ---- values

/// The type cannot hold the value.
const OTHER_TYPE: Misfit = Misfit("does not fit the type of its field: on the source card");
/// An option that is not there.
const NO_CHOICE: Misfit = Misfit("a choice that its field does not have: on the source card");
/// A number whose digits would change.
const NOT_EXACT: Misfit = Misfit("more digits than a number field keeps: on the source card");

/// Choices of dropdowns, by field.
pub type Choices = BTreeMap<u64, Vec<String>>;

/// A record's field in Gorgias and what goes into it.
///
/// # Errors
/// [`Misfit`] where it has no field, or one that cannot hold the value; it is never bent to fit.
pub fn place(
    field: &Field,
    owner: FieldOwner,
    choices: &Choices,
    words: &Words,
) -> Result<(u64, Json), Misfit> {
    let target = field.target.as_deref().and_then(FieldTarget::parse);
    let target = target
        .filter(|target| target.owner == owner)
        .ok_or(Misfit("has no field in Gorgias: on the source card"))?;
    let value = match (target.kind.as_str(), &field.value) {
        ("text", value) => json!(words.value(value)),
        ("number", Value::Integer(number)) => exact_integer(*number).ok_or(NOT_EXACT)?,
        ("number", Value::Decimal(digits)) => exact_decimal(digits).ok_or(NOT_EXACT)?,
        ("boolean", Value::Boolean(flag)) => json!(flag),
        ("dropdown", Value::Choice(text) | Value::Text(text)) => choice(&target, text, choices)?,
        ("dropdown", Value::Path(path)) => choice(&target, &path.join(PATH_SEPARATOR), choices)?,
        _ => return Err(OTHER_TYPE),
    };
    Ok((target.id, value))
}

fn choice(target: &FieldTarget, stored: &str, choices: &Choices) -> Result<Json, Misfit> {
    let paired = target.choices.iter().find(|(from, _)| from == stored);
    let name = paired.map_or(stored, |(_, to)| to);
    let there = choices
        .get(&target.id)
        .is_some_and(|choices| choices.iter().any(|choice| choice == name));
    there.then(|| json!(name)).ok_or(NO_CHOICE)
}

/// Whether a unit's values need the choices of dropdowns.
pub fn needs_choices<'f>(fields: impl IntoIterator<Item = &'f Field>) -> bool {
    let is_dropdown = |field: &Field| {
        let target = field.target.as_deref().and_then(FieldTarget::parse);
        target.is_some_and(|target| target.kind == "dropdown")
    };
    fields.into_iter().any(is_dropdown)
}

// ---- slots

/// What a closed ticket that comes back is called in the status slot: Gorgias has no status for it (Gorgias facts §5).
pub const SNOOZED: &str = "snoozed";

/// A conversation's status where the mapping says nothing.
pub fn default_status(status: &ConversationStatus) -> &'static str {
    match status {
        ConversationStatus::Closed => "closed",
        ConversationStatus::Snoozed => SNOOZED,
        ConversationStatus::Open | ConversationStatus::Other(_) => "open",
    }
}

/// A priority on Gorgias's four steps, by its place on its own scale: of 1..5 the middle is `normal` (Gorgias facts §5).
pub fn default_priority(priority: &Priority) -> &'static str {
    let span = f64::from(priority.highest) - f64::from(priority.lowest);
    if span == 0.0 {
        return "normal";
    }
    match (f64::from(priority.value) - f64::from(priority.lowest)) / span {
        place if place < 0.375 => "low",
        place if place < 0.625 => "normal",
        place if place < 0.875 => "high",
        _ => "critical",
    }
}

/// Channels that tickets and messages can have (Gorgias facts §6); custom ones are named by their slug.
pub const CHANNELS: [&str; 20] = [
    "aircall",
    "api",
    "chat",
    "contact_form",
    "email",
    "facebook",
    "facebook-mention",
    "facebook-messenger",
    "facebook-recommendations",
    "help-center",
    "instagram-ad-comment",
    "instagram-comment",
    "instagram-direct-message",
    "instagram-mention",
    "phone",
    "sms",
    "twitter",
    "twitter-direct-message",
    "whatsapp",
    "yotpo-review",
];

/// The channel of notes (Gorgias facts §6).
pub const NOTE: &str = "internal-note";

/// What channels of other platforms are called here (Gorgias facts §6).
pub const CHANNEL_DEFAULTS: [(&str, &str); 14] = [
    ("email", "email"),
    ("chat", "chat"),
    ("sms", "sms"),
    ("voice", "phone"),
    ("phone", "phone"),
    ("facebook", "facebook-messenger"),
    ("instagram", "instagram-direct-message"),
    ("twitter_dm", "twitter-direct-message"),
    ("twitter-dm", "twitter-direct-message"),
    ("twitter", "twitter"),
    ("twitter_tweet", "twitter"),
    ("whatsapp", "whatsapp"),
    ("form", "contact_form"),
    ("web", "contact_form"),
];

/// What has no channel of its own.
pub const OTHER_CHANNEL: &str = "api";

/// The channel of a message by the source's word.
pub fn default_channel(word: &str) -> &'static str {
    let known = CHANNEL_DEFAULTS.iter().find(|(of, _)| *of == word);
    known.map_or(OTHER_CHANNEL, |(_, channel)| channel)
}

// ---- people

/// What an address is to Gorgias: its type, and its form there. `None` for what has no type (Gorgias facts §7).
pub fn channel_of(channel: &AddressChannel, value: &str) -> Option<(&'static str, String)> {
    use transload_sdk::people::{e164, email};
    Some(match channel {
        AddressChannel::Email => {
            let email = email(value).filter(|email| email.chars().count() <= EMAIL_CHARS);
            ("email", email?)
        }
        AddressChannel::Phone => ("phone", e164(value)?),
        AddressChannel::Whatsapp => ("whatsapp", e164(value)?),
        AddressChannel::Social(network) => {
            let kind = match network.as_str() {
                "twitter" => "twitter",
                "facebook" => "facebook",
                "instagram" => "instagram",
                _ => return None,
            };
            (
                kind,
                Some(value.trim().to_owned()).filter(|v| !v.is_empty())?,
            )
        }
        AddressChannel::Url | AddressChannel::Other(_) => return None,
    })
}

/// An ISO 639-1 code out of `en`, `en_us`, `de-CH`.
pub fn language(text: &str) -> Option<String> {
    let code = text.split(['_', '-']).next().unwrap_or_default();
    let proper = code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic());
    proper.then(|| code.to_ascii_lowercase())
}

/// An IANA name.
pub fn time_zone(text: &str) -> Option<&str> {
    let proper = text == "UTC" || (text.contains('/') && !text.contains(char::is_whitespace));
    proper.then_some(text)
}

// ---- satisfaction

/// A judgement on Gorgias's own scale of 1 to 5, of a survey with five options; others are not bent to it: the source card has
/// them.
pub fn score(judged: &Satisfaction) -> Option<u8> {
    let options = judged.scale.as_deref()?;
    let five = options.split(", ").any(|words| words == "5 options");
    let rating: u8 = judged.rating.as_deref()?.parse().ok()?;
    (five && (1..=5).contains(&rating)).then_some(rating)
}

// ---- text

/// A marker as an external id: whole, or its beginning and a digest.
pub fn external_id(marker: &str) -> String {
    let (whole, is_cut) = cut(marker, EXTERNAL_ID_CHARS);
    if !is_cut {
        return whole.to_owned();
    }
    let digest = transload_sdk::effects::short_hash(marker);
    let room = EXTERNAL_ID_CHARS.saturating_sub(digest.len() + 1);
    format!("{}~{digest}", cut(marker, room).0)
}

/// The user whom a reference stands for; nobody where somebody stands in.
pub fn user(reference: &Reference) -> Option<u64> {
    let target = reference.target.as_deref()?;
    let is_own = reference.kind == Kind::Agent && placeholder_name(target).is_none();
    target.parse().ok().filter(|_| is_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_their_zone_and_read_without() {
        assert_eq!(stamp(1_700_000_000_250), "2023-11-14T22:13:20.250+00:00");
        assert_eq!(stamp(1_700_000_000_000), "2023-11-14T22:13:20+00:00");
        assert_eq!(parse("2023-11-14T22:13:20.250384"), Some(1_700_000_000_250));
        assert_eq!(
            parse("2023-11-14T22:13:20.250384+00:00"),
            Some(1_700_000_000_250)
        );
        assert_eq!((past(-5, 9), past(10, 9), past(7, 9)), (0, 9, 7));
    }

    #[test]
    fn targets_come_back_as_they_were_written() {
        for text in ["Ticket:7:text", "Customer:9:dropdown:a%3Db=c%2C%3A"] {
            assert_eq!(FieldTarget::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(FieldTarget::parse("Company:1:text"), None);
        let tag = NamedTarget::parse("5/a/b").unwrap();
        assert_eq!((tag.id, tag.name.as_str()), (5, "a/b"));
    }

    fn value(kind: &str, value: Value) -> Result<Json, Misfit> {
        let field = Field {
            name: "x".to_owned(),
            value,
            target: Some(format!("Ticket:7:{kind}:late=Too%20late")),
        };
        let choices = Choices::from([(7, vec!["Too late".to_owned(), "plain".to_owned()])]);
        place(&field, FieldOwner::Ticket, &choices, &Words::default()).map(|(_, value)| value)
    }

    #[test]
    fn values_that_do_not_fit_are_refused_rather_than_bent() {
        assert_eq!(
            value("number", Value::Decimal("64.670".into())),
            Ok(json!(64.67))
        );
        assert_eq!(
            value("number", Value::Decimal("64.6700000000000000001".into())),
            Err(NOT_EXACT)
        );
        assert_eq!(value("number", Value::Integer(1 << 60)), Err(NOT_EXACT));
        assert_eq!(value("number", Value::Text("7".into())), Err(OTHER_TYPE));
        assert_eq!(value("boolean", Value::Boolean(true)), Ok(json!(true)));
        assert_eq!(
            value("dropdown", Value::Choice("late".into())),
            Ok(json!("Too late"))
        );
        assert_eq!(
            value("dropdown", Value::Choice("plain".into())),
            Ok(json!("plain"))
        );
        assert_eq!(
            value("dropdown", Value::Choice("never".into())),
            Err(NO_CHOICE)
        );
        assert_eq!(
            value("text", Value::Date("2024-01-31".into())),
            Ok(json!("2024-01-31"))
        );
    }

    #[test]
    fn a_priority_keeps_its_place_on_the_scale() {
        let of = |value| {
            default_priority(&Priority {
                value,
                lowest: 1,
                highest: 5,
            })
        };
        assert_eq!(
            [1, 2, 3, 4, 5].map(of),
            ["low", "low", "normal", "high", "critical"]
        );
    }

    #[test]
    fn an_external_id_is_never_too_long_and_never_that_of_another() {
        let long = "x".repeat(300);
        let (one, other) = (external_id(&long), external_id(&format!("{long}y")));
        assert_eq!(one.chars().count(), EXTERNAL_ID_CHARS);
        assert_ne!(one, other);
        assert_eq!(
            external_id("old-desk:org1:customer:c1"),
            "old-desk:org1:customer:c1"
        );
    }

    #[test]
    fn only_a_judgement_on_five_steps_is_a_score() {
        let of = |scale: Option<&str>, rating: &str| {
            score(&Satisfaction {
                status: None,
                score: None,
                rating: Some(rating.to_owned()),
                scale: scale.map(str::to_owned),
                channel: None,
                survey: None,
                sent_at: None,
                answered_at: None,
                answers: Vec::new(),
            })
        };
        assert_eq!(of(Some("emoji, 5 options, bad to good"), "4"), Some(4));
        assert_eq!(of(Some("thumbs, 2 options"), "1"), None);
        assert_eq!((of(None, "4"), of(Some("5 options"), "9")), (None, None));
    }

    #[test]
    fn languages_are_two_letters_and_zones_have_a_place() {
        assert_eq!(language("en_us").as_deref(), Some("en"));
        assert_eq!((language("english"), language("")), (None, None));
        assert_eq!(
            (time_zone("Europe/Berlin"), time_zone("CET+1")),
            (Some("Europe/Berlin"), None)
        );
    }
}
