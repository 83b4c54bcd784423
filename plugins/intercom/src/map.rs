//! Pure mapping of single values: names of targets, attributes, slots, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every batch. Not
//! here: threads (see `thread`), requests.

use std::fmt;

use serde_json::{Value as Json, json};
use transload_sdk::card::Misfit;
use transload_sdk::effects::marker_within;
use transload_sdk::fields::{choices_of, choices_text, exact_decimal, exact_integer};
use transload_sdk::http::{segment, unsegment};
use transload_sdk::text::cut_chars;
use transload_sdk::time;
use transload_sdk::types::{
    AddressChannel, ConversationStatus, Field, FieldDefinition, FieldType, Kind, Reference, Value,
};
use transload_sdk::words::{Words, placeholder_name};

/// Characters of a text in a data attribute (Intercom facts §9).
pub const TEXT_CHARS: usize = 255;
/// Files of one message (Intercom facts §8.2).
pub const FILES: usize = 10;
/// Between the parts of a path in an option's value.
const PATH_SEPARATOR: &str = ".";

// ---- times

/// Whole Unix seconds (Intercom facts §1).
pub fn seconds(ms: i64) -> i64 {
    ms.div_euclid(1_000)
}

/// A time of the past in milliseconds: nothing was written in the future, and nothing before 1970.
pub fn past(ms: i64, now: i64) -> i64 {
    time::clamp(ms, 0, now).0
}

// ---- where a record is

/// The id out of a target, of a kind; nothing where somebody stands in.
pub fn target<'r>(reference: &'r Reference, kind: &Kind) -> Option<&'r str> {
    let target = reference.target.as_deref()?;
    (reference.kind == *kind && placeholder_name(target).is_none()).then_some(target)
}

/// The number of the tag that a reference has become.
pub fn tag(reference: &Reference) -> Option<String> {
    target(reference, &Kind::Tag).map(str::to_owned)
}

/// The admin whom a reference stands for; nobody where somebody stands in.
pub fn admin(reference: &Reference) -> Option<&str> {
    target(reference, &Kind::Agent)
}

/// A record of a custom object as effects name it: type and number, `Order/22`.
pub fn instance_target(identifier: &str, id: &str) -> String {
    format!("{}/{id}", segment(identifier))
}

/// The identifier and the number out of [`instance_target`].
pub fn instance_of(target: &str) -> Option<(String, &str)> {
    let (identifier, id) = target.split_once('/')?;
    Some((unsegment(identifier)?, id))
}

// ---- attributes

/// What an attribute of Intercom sits on (Intercom facts §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// Contacts: a data attribute.
    Contact,
    /// Companies: a data attribute.
    Company,
    /// Conversations: an attribute of their own.
    Conversation,
}

impl Model {
    /// The model that a kind's fields have; `None` where no API makes attributes.
    pub fn of(kind: &Kind) -> Option<Self> {
        match kind {
            Kind::Customer => Some(Self::Contact),
            Kind::Company => Some(Self::Company),
            Kind::Conversation => Some(Self::Conversation),
            _ => None,
        }
    }

    /// Intercom's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Company => "company",
            Self::Conversation => "conversation",
        }
    }

    /// What an effect calls an attribute of it.
    pub fn effect_kind(self) -> &'static str {
        match self {
            Self::Conversation => "conversation_attribute",
            Self::Contact | Self::Company => "data_attribute",
        }
    }
}

/// What an attribute holds, in one vocabulary for both sorts of attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A text.
    Text,
    /// One of several texts.
    Choice,
    /// An integer.
    Whole,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// A day.
    Day,
    /// A moment.
    Moment,
}

const HOLDS: [(Holds, &str, &str, &str); 7] = [
    (Holds::Text, "text", "string", "string"),
    (Holds::Choice, "choice", "options", "list"),
    (Holds::Whole, "whole", "integer", "integer"),
    (Holds::Number, "number", "float", "decimal"),
    (Holds::Flag, "flag", "boolean", "boolean"),
    (Holds::Day, "day", "date", "datetime"),
    (Holds::Moment, "moment", "datetime", "datetime"),
];

impl Holds {
    /// What a field of ours needs. Intercom has no attribute that holds several values (Intercom facts §9).
    pub fn of(definition: &FieldDefinition) -> Self {
        match definition.field_type {
            FieldType::Integer => Self::Whole,
            FieldType::Decimal => Self::Number,
            FieldType::Boolean => Self::Flag,
            FieldType::Date => Self::Day,
            FieldType::Moment => Self::Moment,
            // A list needs two at least (Intercom facts §9).
            FieldType::Choice | FieldType::Tree if definition.options.len() >= 2 => Self::Choice,
            _ => Self::Text,
        }
    }

    /// Our word, in targets.
    pub fn word(self) -> &'static str {
        HOLDS
            .iter()
            .find(|(of, ..)| *of == self)
            .map_or("text", |(_, word, ..)| word)
    }

    /// Intercom's word, to make one.
    pub fn made_as(self, model: Model) -> &'static str {
        let found = HOLDS.iter().find(|(of, ..)| *of == self);
        found.map_or("string", |(_, _, data, conversation)| match model {
            Model::Conversation => conversation,
            Model::Contact | Model::Company => data,
        })
    }

    /// What an attribute that is there holds: a choice is read back as a text with options, a moment as a date (Intercom facts §9).
    pub fn read(data_type: &str, has_options: bool) -> Option<Self> {
        Some(match data_type {
            "string" if has_options => Self::Choice,
            "string" => Self::Text,
            "options" | "list" => Self::Choice,
            "integer" => Self::Whole,
            "float" | "decimal" => Self::Number,
            "boolean" => Self::Flag,
            "date" | "datetime" => Self::Moment,
            _ => return None,
        })
    }

    /// Whether one that is there will do for what is wanted.
    pub fn will_do(self, wanted: Self) -> bool {
        let time = |of: Self| matches!(of, Self::Day | Self::Moment);
        self == wanted || (time(self) && time(wanted))
    }
}

/// An attribute as effects name it and as items bring it back: model, number, what it holds, name, and choices by their stored
/// value in the source.
///
/// Written `contact:37:choice:Tier:late=Too%20late`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTarget {
    /// What it sits on.
    pub model: Model,
    /// Number.
    pub id: String,
    /// What it holds.
    pub holds: Holds,
    /// By which values are written.
    pub name: String,
    /// Choices by their stored value in the source, and what they are here.
    pub choices: Vec<(String, String)>,
}

impl FieldTarget {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let model = match parts.next()? {
            "contact" => Model::Contact,
            "company" => Model::Company,
            "conversation" => Model::Conversation,
            _ => return None,
        };
        let id = parts.next()?.to_owned();
        let holds = parts.next()?;
        let (holds, ..) = HOLDS.iter().find(|(_, word, ..)| *word == holds)?;
        let name = unsegment(parts.next()?)?;
        let choices = choices_of(parts.next().unwrap_or_default());
        Some(Self {
            model,
            id,
            holds: *holds,
            name,
            choices,
        })
    }
}

impl fmt::Display for FieldTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (model, holds) = (self.model.word(), self.holds.word());
        write!(f, "{model}:{}:{holds}:{}", self.id, segment(&self.name))?;
        if self.choices.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", choices_text(&self.choices))
    }
}

/// A name that Intercom takes for an attribute: letters, digits, currency signs, hyphens, blanks and underscores (Intercom facts §9).
pub fn attribute_name(text: &str) -> String {
    let fits =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ' | '$' | '€' | '£' | '¥');
    let kept: String = text
        .chars()
        .map(|c| if fits(c) { c } else { ' ' })
        .collect();
    let name = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    cut_chars(&name, TEXT_CHARS).0.to_owned()
}

/// What the options of a field are called here, by their stored value: what people read, of a tree from the root down
/// (`Shipping > Late`); the stored value where two would be called the same.
pub fn option_names(definition: &FieldDefinition) -> Vec<(String, String)> {
    let mut named: Vec<(String, String)> = Vec::new();
    let is_tree = definition.field_type == FieldType::Tree;
    let own = |value: &str| {
        let option = definition
            .options
            .iter()
            .find(|option| option.value == value);
        let label = option.map(|option| option.label.trim()).unwrap_or_default();
        match label {
            "" if is_tree => value
                .rsplit(PATH_SEPARATOR)
                .next()
                .unwrap_or(value)
                .to_owned(),
            "" => value.to_owned(),
            label => label.to_owned(),
        }
    };
    for option in &definition.options {
        let value = option.value.as_str();
        let name = if is_tree {
            let ends = value.match_indices(PATH_SEPARATOR).map(|(end, _)| end);
            let paths = ends.chain([value.len()]).filter_map(|end| value.get(..end));
            paths.map(own).collect::<Vec<_>>().join(" > ")
        } else {
            own(value)
        };
        let taken = |name: &str| named.iter().any(|(_, other)| other == name);
        let name = if taken(&name) { value.to_owned() } else { name };
        if !taken(&name) {
            named.push((value.to_owned(), name));
        }
    }
    named
}

// ---- values

/// The type cannot hold the value.
const OTHER_TYPE: Misfit = Misfit("does not fit the type of its attribute: on the source card");
/// An option that is not there.
const NO_CHOICE: Misfit = Misfit("a choice that its attribute does not have: on the source card");
/// A number whose digits would change.
const NOT_EXACT: Misfit = Misfit("more digits than a number keeps: on the source card");
/// A text that is too long.
const TOO_LONG: Misfit =
    Misfit("longer than the 255 characters of an attribute: on the source card");

/// A record's attribute in Intercom and what goes into it.
///
/// # Errors
/// [`Misfit`] where it has no attribute, or one that cannot hold the value; it is never bent to fit.
pub fn place(field: &Field, model: Model, words: &Words) -> Result<(String, Json), Misfit> {
    let target = field.target.as_deref().and_then(FieldTarget::parse);
    let target = target
        .filter(|target| target.model == model)
        .ok_or(Misfit("has no attribute in Intercom: on the source card"))?;
    let value = match (target.holds, &field.value) {
        (Holds::Text, value) => {
            let text = words.value(value);
            // Nothing says how long a text of a conversation may be.
            if model != Model::Conversation && text.chars().count() > TEXT_CHARS {
                return Err(TOO_LONG);
            }
            json!(text)
        }
        (Holds::Whole | Holds::Number, Value::Integer(number)) => {
            exact_integer(*number).ok_or(NOT_EXACT)?
        }
        (Holds::Number, Value::Decimal(digits)) => exact_decimal(digits).ok_or(NOT_EXACT)?,
        (Holds::Flag, Value::Boolean(flag)) => json!(flag),
        (Holds::Day | Holds::Moment, Value::Date(day)) => {
            let midnight = time::parse_lossy(&format!("{day}T00:00:00Z")).ok_or(OTHER_TYPE)?;
            json!(seconds(midnight.0.at))
        }
        (Holds::Day | Holds::Moment, Value::Moment(moment)) => json!(seconds(moment.at)),
        (Holds::Choice, Value::Choice(text) | Value::Text(text)) => choice(&target, text)?,
        (Holds::Choice, Value::Path(path)) => choice(&target, &path.join(PATH_SEPARATOR))?,
        _ => return Err(OTHER_TYPE),
    };
    Ok((target.name, value))
}

fn choice(target: &FieldTarget, stored: &str) -> Result<Json, Misfit> {
    let found = target.choices.iter().find(|(from, _)| from == stored);
    found.map(|(_, to)| json!(to)).ok_or(NO_CHOICE)
}

// ---- slots

/// A conversation's state where the mapping says nothing (Intercom facts §5).
pub fn default_status(status: &ConversationStatus) -> &'static str {
    match status {
        ConversationStatus::Closed => "closed",
        ConversationStatus::Snoozed => "snoozed",
        ConversationStatus::Open | ConversationStatus::Other(_) => "open",
    }
}

// ---- people

/// An address in the form in which Intercom keeps it; `None` for what goes onto the card.
pub fn contact_address(channel: &AddressChannel, value: &str) -> Option<(&'static str, String)> {
    use transload_sdk::people::{e164, email};
    match channel {
        AddressChannel::Email => Some(("email", email(value)?)),
        AddressChannel::Phone => Some(("phone", e164(value)?)),
        _ => None,
    }
}

// ---- text

/// A marker as an external id.
pub fn external_id(marker: &str) -> String {
    marker_within(marker, TEXT_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_come_back_as_they_were_written() {
        for text in [
            "contact:7:text:Plan",
            "conversation:9:choice:Why%20so:a%3Db=c%2C%3A",
        ] {
            assert_eq!(FieldTarget::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(FieldTarget::parse("ticket:1:text:x"), None);
        let target = instance_target("My/Order", "22");
        assert_eq!(instance_of(&target), Some(("My/Order".to_owned(), "22")));
    }

    fn value(holds: &str, value: Value) -> Result<Json, Misfit> {
        let field = Field {
            name: "x".to_owned(),
            value,
            target: Some(format!("contact:7:{holds}:x:late=Too%20late")),
        };
        place(&field, Model::Contact, &Words::default()).map(|(_, value)| value)
    }

    #[test]
    fn values_that_do_not_fit_are_refused_rather_than_bent() {
        assert_eq!(
            value("number", Value::Decimal("64.670".into())),
            Ok(json!(64.67))
        );
        let fine = Value::Decimal("64.6700000000000000001".into());
        assert_eq!(value("number", fine), Err(NOT_EXACT));
        assert_eq!(value("whole", Value::Integer(1 << 60)), Err(NOT_EXACT));
        assert_eq!(value("whole", Value::Text("7".into())), Err(OTHER_TYPE));
        assert_eq!(
            value("choice", Value::Choice("late".into())),
            Ok(json!("Too late"))
        );
        assert_eq!(
            value("choice", Value::Choice("never".into())),
            Err(NO_CHOICE)
        );
        assert_eq!(
            value("day", Value::Date("2024-01-31".into())),
            Ok(json!(1_706_659_200))
        );
        assert_eq!(value("text", Value::Text("x".repeat(256))), Err(TOO_LONG));
    }

    #[test]
    fn names_of_attributes_have_no_other_signs() {
        assert_eq!(attribute_name("Loyalty: tier (€) / 2"), "Loyalty tier € 2");
        assert_eq!(attribute_name("///"), "");
    }
}
