//! Pure mapping of single values: names of targets, tags, keys, options, field values, priorities, times.
//!
//! Everything here is a function of its arguments, so that the same record is mapped alike in every run and in every
//! batch: an option's value, a field's key or an object's key can be named by a later record without asking Zendesk how
//! the definition was stored. Not here: threads (see `thread`), requests.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Datelike, SecondsFormat};
use serde_json::{Value as Json, json};
use transload_sdk::fields::{choices_of, choices_text};
use transload_sdk::types::{
    self, Author, ConversationStatus, Field, FieldType, Kind, Priority, Reference, Value,
};

pub use transload_sdk::card::{Misfit, loss};
pub use transload_sdk::effects::{changed, print, short_hash};
pub use transload_sdk::people::{customer_name, e164, email};
pub use transload_sdk::words::{moment_text, placeholder, placeholder_name};

use crate::words::{self, Words};

/// Zendesk stores a comment's text up to about 64 KB (Zendesk facts §12 [MEM]); what is longer continues in a further
/// comment. Some bytes are left for the line that says so.
pub const COMMENT_BYTES: usize = 60_000;
/// Comments a ticket can have (Zendesk facts §12).
pub const COMMENTS_PER_TICKET: usize = 5_000;
/// Between the parts of a path in the value of an option: a tree's options are paths written so.
pub const PATH_SEPARATOR: char = '.';
/// Bytes of one text area of a record, which holds 32 KB in all (Zendesk facts §11).
pub const RECORD_TEXT_BYTES: usize = 8_000;
/// Characters of a text field of a user, organization or ticket that we rely on.
pub const TEXT_FIELD_CHARS: usize = 1_024;
/// A comment's time must not be in the future of Zendesk's clock (Zendesk facts §12).
const CLOCK_SKEW_MS: i64 = 60_000;

// ---- times

/// A time as Zendesk takes it: UTC, whole seconds.
pub fn iso(ms: i64) -> String {
    let seconds = ms.div_euclid(1_000);
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A time to the millisecond, for fields and cards that keep what Zendesk's own times cut.
pub fn iso_exact(ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    let format = if ms.rem_euclid(1_000) == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Millis
    };
    time.to_rfc3339_opts(format, true)
}

/// Milliseconds of a time that Zendesk wrote.
pub fn parse_iso(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.timestamp_millis())
}

/// A time that an import accepts: not before 1970, not in the future.
pub fn importable(ms: i64, now: i64) -> i64 {
    ms.min(now - CLOCK_SKEW_MS).max(0)
}

// ---- words

/// A tag as Zendesk would store it: lower case; blanks become `_`; only letters, digits and `_ - /` (Zendesk facts
/// §10). `None` when nothing is left. Two tags that become one are the caller's to notice.
pub fn tag(name: &str) -> Option<String> {
    let mut slug = String::with_capacity(name.len());
    for c in name.trim().to_lowercase().chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '-' | '/') {
            slug.push(c);
        } else if !slug.ends_with('_') {
            slug.push('_');
        }
    }
    let slug = slug.trim_matches('_').to_owned();
    (!slug.is_empty()).then_some(slug)
}

/// A key of letters, digits and `_`, as fields and objects have it. Two names never get one key: where the key says less
/// than the name, a digest of the name is added.
pub fn key(name: &str) -> String {
    let plain = !name.is_empty()
        && name.len() <= 40
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !name.bytes().all(|b| b.is_ascii_digit());
    if plain {
        return name.to_owned();
    }
    let mut slug = String::new();
    let mut upper_before = true;
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            if c.is_ascii_uppercase() && !upper_before {
                slug.push('_');
            }
            upper_before = c.is_ascii_uppercase();
            slug.push(c.to_ascii_lowercase());
        } else {
            upper_before = true;
            if !slug.ends_with('_') {
                slug.push('_');
            }
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_matches('_');
    let slug = if slug.is_empty() { "field" } else { slug };
    format!("{slug}_{}", short_hash(name))
}

/// The value that an option of a field is stored under. Options are tags and a tag belongs to one field, so it begins
/// with the field's name (Zendesk facts §9); where it says less than the original, a digest is added.
pub fn option_value(field: &str, value: &str) -> String {
    let prefix = tag(field).unwrap_or_else(|| short_hash(field));
    match tag(value) {
        Some(slug) if slug == value => format!("{prefix}__{slug}"),
        Some(slug) => {
            let slug: String = slug.chars().take(60).collect();
            format!("{prefix}__{slug}_{}", short_hash(value))
        }
        None => format!("{prefix}__{}", short_hash(value)),
    }
}

/// `loyaltyTierStr` stays as it is for people; only a title without any letter would be useless.
pub fn title(label: &str, name: &str) -> String {
    if label.trim().is_empty() {
        name.to_owned()
    } else {
        label.to_owned()
    }
}

// ---- where a field is

/// What a field of Zendesk sits on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldOwner {
    /// Tickets.
    Ticket,
    /// Users.
    User,
    /// Organizations.
    Organization,
    /// Records of the object with this key.
    Object(String),
}

impl FieldOwner {
    /// The owner that a record kind's fields have in Zendesk; `None` where Zendesk has no fields. `key_of` says which key an object type
    /// has.
    pub fn of(
        kind: &Kind,
        object_type: Option<&str>,
        key_of: impl Fn(&str) -> String,
    ) -> Option<Self> {
        Some(match kind {
            Kind::Conversation => Self::Ticket,
            Kind::Customer | Kind::Agent => Self::User,
            Kind::Company => Self::Organization,
            Kind::CustomObject => Self::Object(key_of(object_type?)),
            _ => return None,
        })
    }

    /// The word in paths and envelopes: `ticket_field`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ticket => "ticket_field",
            Self::User => "user_field",
            Self::Organization => "organization_field",
            Self::Object(_) => "custom_object_field",
        }
    }

    /// Bytes that a text area of it holds.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Object(_) => RECORD_TEXT_BYTES,
            _ => COMMENT_BYTES,
        }
    }

    /// The collection's path.
    pub fn path(&self) -> String {
        match self {
            Self::Ticket => "/api/v2/ticket_fields".to_owned(),
            Self::User => "/api/v2/user_fields".to_owned(),
            Self::Organization => "/api/v2/organization_fields".to_owned(),
            Self::Object(key) => format!("/api/v2/custom_objects/{key}/fields"),
        }
    }
}

/// A field as effects name it and as items bring it back: owner, address, Zendesk's type, and the text field beside it
/// that keeps what the type cannot (the time of a date).
///
/// Written `ticket_field:27642:tagger`, `user_field:loyalty_tier:date:loyalty_tier_iso`,
/// `custom_object_field:order:total:decimal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTarget {
    /// What it sits on.
    pub owner: FieldOwner,
    /// Numeric id (tickets) or key.
    pub address: String,
    /// Zendesk's type.
    pub kind: String,
    /// Address of the text field beside it.
    pub companion: Option<String>,
    /// Choices of the source by their stored value, and the stored value here, where only what people read is the same.
    pub choices: Vec<(String, String)>,
}

impl FieldTarget {
    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let owner = match parts.next()? {
            "ticket_field" => FieldOwner::Ticket,
            "user_field" => FieldOwner::User,
            "organization_field" => FieldOwner::Organization,
            "custom_object_field" => FieldOwner::Object(parts.next()?.to_owned()),
            _ => return None,
        };
        let address = parts.next().filter(|a| !a.is_empty())?.to_owned();
        let kind = parts.next().filter(|k| !k.is_empty())?.to_owned();
        let companion = parts.next().filter(|c| !c.is_empty()).map(str::to_owned);
        let choices = choices_of(parts.next().unwrap_or_default());
        Some(Self {
            owner,
            address,
            kind,
            companion,
            choices,
        })
    }
}

impl fmt::Display for FieldTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.owner.word())?;
        if let FieldOwner::Object(key) = &self.owner {
            write!(f, "{key}:")?;
        }
        write!(f, "{}:{}", self.address, self.kind)?;
        let companion = self.companion.as_deref();
        if self.choices.is_empty() {
            return companion.map_or(Ok(()), |companion| write!(f, ":{companion}"));
        }
        let choices = choices_text(&self.choices);
        write!(f, ":{}:{choices}", companion.unwrap_or_default())
    }
}

/// Zendesk's type for a field of ours, and whether a text field beside it is wanted.
pub fn field_type(field_type: &FieldType, owner: &FieldOwner, has_options: bool) -> (String, bool) {
    let dropdown = if *owner == FieldOwner::Ticket {
        "tagger"
    } else {
        "dropdown"
    };
    let (word, companion) = match field_type {
        FieldType::Text | FieldType::Link => ("text", false),
        FieldType::LongText | FieldType::Json | FieldType::Other(_) => ("textarea", false),
        FieldType::Integer => ("integer", false),
        FieldType::Decimal => ("decimal", false),
        FieldType::Boolean => ("checkbox", false),
        FieldType::Date => ("date", false),
        // A date field loses the time (Zendesk facts §9).
        FieldType::Moment => ("date", true),
        FieldType::Choice | FieldType::Tree if has_options => (dropdown, false),
        FieldType::Choices if has_options => ("multiselect", false),
        FieldType::Choice | FieldType::Tree => ("text", false),
        FieldType::Choices => ("textarea", false),
        FieldType::Reference(reference) if reference.multi => ("textarea", false),
        FieldType::Reference(reference) if lookup_target(reference, key).is_some() => {
            ("lookup", false)
        }
        FieldType::Reference(_) => ("text", false),
    };
    (word.to_owned(), companion)
}

/// `relationship_target_type` of a lookup field; `key_of` says which key an object type has.
pub fn lookup_target(
    reference: &types::ReferenceType,
    key_of: impl Fn(&str) -> String,
) -> Option<String> {
    Some(match reference.kind.as_ref()? {
        Kind::Customer | Kind::Agent => "zen:user".to_owned(),
        Kind::Company => "zen:organization".to_owned(),
        Kind::Conversation => "zen:ticket".to_owned(),
        Kind::CustomObject => {
            format!(
                "zen:custom_object:{}",
                key_of(reference.object_type.as_deref()?)
            )
        }
        _ => return None,
    })
}

// ---- where a record is

/// A record id out of a target: of a custom object record `order/01GDX…` the part behind the slash; of a placeholder
/// author the user that stands in.
pub fn target_id(target: &str) -> &str {
    if let Some(placeholder) = target.strip_prefix("placeholder:") {
        return placeholder.split(':').next().unwrap_or(placeholder);
    }
    target.rsplit('/').next().unwrap_or(target)
}

/// The same as a number.
pub fn numeric_target(reference: &Reference) -> Option<u64> {
    reference
        .target
        .as_deref()
        .and_then(|target| target_id(target).parse().ok())
}

/// A custom object record as effects name it.
pub fn record_target(object: &str, id: &str) -> String {
    format!("{object}/{id}")
}

/// Who stands as a comment's author, and whom its text must name since that is somebody else.
pub fn author(author: &Author, stand_in: u64) -> (u64, Option<String>) {
    let own = match author {
        Author::Person(person) => person.target.as_deref(),
        Author::Name(_) | Author::System => None,
    };
    let own = own
        .filter(|target| placeholder_name(target).is_none())
        .and_then(|target| target_id(target).parse().ok());
    match own {
        Some(id) => (id, None),
        None => (stand_in, Some(words::author(author))),
    }
}

// ---- values

/// What goes into a field, and into the one beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldValue {
    /// For the field.
    pub json: Json,
    /// For the text field beside it.
    pub companion: Option<String>,
}

/// The type cannot hold the value.
const OTHER_TYPE: Misfit = Misfit("does not fit the type of its field: on the source card");
/// An option that is not there.
const NO_OPTION: Misfit = Misfit("a choice that its field does not have: on the source card");

/// A record's field in Zendesk and what goes into it. `options` are the stored values of fields with their labels, by the
/// field's address.
///
/// # Errors
/// [`Misfit`] where it has no field in Zendesk, or one that cannot hold the value.
pub fn place(
    field: &Field,
    options: &BTreeMap<String, Vec<(String, String)>>,
    words: &Words,
) -> Result<(FieldTarget, FieldValue), Misfit> {
    let target = field.target.as_deref().and_then(FieldTarget::parse);
    let target = target.ok_or(Misfit("has no field in Zendesk: on the source card"))?;
    let options = options.get(&target.address).map(Vec::as_slice);
    let value = field_value(&target, field, options, words)?;
    Ok((target, value))
}

/// A value for a field of the given type. `options` are the field's stored values with their labels, where it has any.
///
/// # Errors
/// [`Misfit`] when the type cannot hold the value; it is never bent to fit.
pub fn field_value(
    target: &FieldTarget,
    field: &Field,
    options: Option<&[(String, String)]>,
    words: &Words,
) -> Result<FieldValue, Misfit> {
    let value = &field.value;
    let plain = |json: Json| FieldValue {
        json,
        companion: None,
    };
    let stored = |wanted: &str| {
        let paired = target.choices.iter().find(|(from, _)| from == wanted);
        match paired {
            Some((_, to)) => Ok(to.clone()),
            None => stored_option(&field.name, wanted, options).ok_or(NO_OPTION),
        }
    };
    Ok(match target.kind.as_str() {
        "text" | "regexp" => {
            let text = words.value(value);
            if text.chars().count() > TEXT_FIELD_CHARS {
                return Err(Misfit("longer than a text field holds: on the source card"));
            }
            plain(json!(text))
        }
        "textarea" => {
            let text = words.value(value);
            if text.len() > target.owner.text_bytes() {
                return Err(Misfit("longer than a text area holds: on the source card"));
            }
            plain(json!(text))
        }
        "checkbox" => match value {
            Value::Boolean(flag) => plain(json!(flag)),
            _ => return Err(OTHER_TYPE),
        },
        "integer" => match value {
            Value::Integer(number) => plain(json!(number.to_string())),
            Value::Decimal(digits) if whole(digits) => plain(json!(digits)),
            _ => return Err(OTHER_TYPE),
        },
        "decimal" | "currency" => match value {
            Value::Integer(number) => plain(json!(number.to_string())),
            Value::Decimal(digits) if decimal(digits) => plain(json!(digits)),
            _ => return Err(OTHER_TYPE),
        },
        "date" => match value {
            Value::Date(day) if calendar_day(day) => plain(json!(day)),
            Value::Moment(moment) => {
                let day = words.day(moment.at);
                let day = day.filter(|day| calendar_day(day)).ok_or(OTHER_TYPE)?;
                let companion = target.companion.is_some().then(|| moment_text(moment));
                FieldValue {
                    json: json!(day),
                    companion,
                }
            }
            _ => return Err(OTHER_TYPE),
        },
        "tagger" | "dropdown" => match value {
            Value::Choice(text) | Value::Text(text) => plain(json!(stored(text)?)),
            Value::Path(path) => plain(json!(stored(&path.join(&PATH_SEPARATOR.to_string()))?)),
            _ => return Err(OTHER_TYPE),
        },
        "multiselect" => match value {
            Value::Choices(list) => {
                let list: Result<Vec<String>, Misfit> =
                    list.iter().map(|value| stored(value)).collect();
                plain(json!(list?))
            }
            Value::Choice(text) => plain(json!([stored(text)?])),
            _ => return Err(OTHER_TYPE),
        },
        "lookup" | "parent" => match value {
            Value::Reference(reference) => plain(json!(lookup_id(reference)?)),
            Value::References(_) => {
                return Err(Misfit(
                    "several references, of which a lookup holds one: on the source card",
                ));
            }
            _ => return Err(OTHER_TYPE),
        },
        _ => {
            return Err(Misfit(
                "fields of its type are not written: on the source card",
            ));
        }
    })
}

/// The id that a lookup holds.
///
/// # Errors
/// [`Misfit`] for what is not there, or is there as somebody else only.
pub fn lookup_id(reference: &Reference) -> Result<&str, Misfit> {
    match reference.target.as_deref() {
        Some(target) if placeholder_name(target).is_some() => Err(Misfit(
            "points to an agent who has no user here: named on the source card",
        )),
        Some(target) => Ok(target_id(target)),
        None => Err(Misfit(
            "points to what is not here, or not here yet: named on the source card",
        )),
    }
}

/// The stored value of an option: the one we would have made, else one of that value or that label.
fn stored_option(
    field: &str,
    wanted: &str,
    options: Option<&[(String, String)]>,
) -> Option<String> {
    let ours = option_value(field, wanted);
    let Some(options) = options else {
        return Some(ours);
    };
    let found = options
        .iter()
        .find(|(value, _)| *value == ours)
        .or_else(|| options.iter().find(|(value, _)| value == wanted))
        .or_else(|| options.iter().find(|(_, label)| label == wanted));
    found.map(|(value, _)| value.clone())
}

fn whole(digits: &str) -> bool {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

fn decimal(digits: &str) -> bool {
    match digits.split_once('.') {
        Some((before, after)) => {
            whole(before) && !after.is_empty() && after.bytes().all(|b| b.is_ascii_digit())
        }
        None => whole(digits),
    }
}

fn calendar_day(text: &str) -> bool {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .is_ok_and(|day| text.len() == 10 && (0..=9_999).contains(&day.year()))
}

// ---- slots

/// A conversation's status where the mapping says nothing: finished ones are closed at once, because Zendesk would close
/// them anyhow (Zendesk facts §12).
pub fn default_status(status: &ConversationStatus) -> &'static str {
    match status {
        ConversationStatus::Closed => "closed",
        ConversationStatus::Snoozed => "hold",
        ConversationStatus::Open | ConversationStatus::Other(_) => "open",
    }
}

/// A priority on Zendesk's four steps, by its place on its own scale: of 1..5 the middle is `normal`.
pub fn default_priority(priority: &Priority) -> &'static str {
    let span = f64::from(priority.highest) - f64::from(priority.lowest);
    if span == 0.0 {
        return "normal";
    }
    let place = (f64::from(priority.value) - f64::from(priority.lowest)) / span;
    match place {
        p if p < 0.375 => "low",
        p if p < 0.625 => "normal",
        p if p < 0.875 => "high",
        _ => "urgent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use transload_sdk::types::{Fidelity, Moment};

    fn target(text: &str) -> FieldTarget {
        FieldTarget::parse(text).unwrap()
    }

    #[test]
    fn field_targets_come_back_as_they_were_written() {
        for text in [
            "ticket_field:27642:tagger",
            "user_field:loyalty_tier:date:loyalty_tier_iso",
            "organization_field:tier:dropdown",
            "custom_object_field:order:total:decimal",
        ] {
            assert_eq!(target(text).to_string(), text);
        }
        assert_eq!(FieldTarget::parse("somebody_elses:1:text"), None);
        assert_eq!(FieldTarget::parse("ticket_field:1"), None);
    }

    #[test]
    fn tags_are_lowered_and_cleaned() {
        assert_eq!(tag("VIP customer!").as_deref(), Some("vip_customer"));
        assert_eq!(tag("a/b-c_d").as_deref(), Some("a/b-c_d"));
        assert_eq!(tag("Größe").as_deref(), Some("größe"));
        assert_eq!(tag("🔥"), None);
    }

    #[test]
    fn names_that_differ_never_share_a_key() {
        assert_eq!(key("loyalty_tier"), "loyalty_tier");
        assert!(key("loyaltyTierStr").starts_with("loyalty_tier_str_"));
        assert_ne!(key("Order"), key("order"));
        assert_ne!(key("a-b"), key("a_b"));
        assert!(!key("12345").bytes().all(|b| b.is_ascii_digit()));
    }

    #[test]
    fn options_that_differ_in_case_stay_apart() {
        assert_eq!(option_value("tierStr", "gold"), "tierstr__gold");
        assert_ne!(
            option_value("tierStr", "Gold"),
            option_value("tierStr", "gold")
        );
        assert_ne!(option_value("tierStr", "🔥"), option_value("tierStr", "🧊"));
    }

    fn of(
        text: &str,
        value: Value,
        options: Option<&[(String, String)]>,
    ) -> Result<FieldValue, Misfit> {
        let field = Field {
            name: "tier".to_owned(),
            value,
            target: None,
        };
        field_value(
            &target(text),
            &field,
            options,
            &words::of_account("acme", "UTC"),
        )
    }

    #[test]
    fn values_that_do_not_fit_are_refused_rather_than_bent() {
        let number = "ticket_field:1:integer";
        assert_eq!(
            of(number, Value::Text("seven".into()), None),
            Err(OTHER_TYPE)
        );
        assert_eq!(
            of(number, Value::Integer(7), None).unwrap().json,
            json!("7")
        );
        let decimal = |digits: &str| {
            of(
                "ticket_field:1:decimal",
                Value::Decimal(digits.into()),
                None,
            )
        };
        assert_eq!(decimal("64.670").unwrap().json, json!("64.670"));
        assert_eq!(decimal("1e9"), Err(OTHER_TYPE));
    }

    #[test]
    fn a_moment_keeps_its_time_beside_the_date() {
        let moment = Value::Moment(Moment {
            at: 1_700_000_000_123,
            offset_minutes: Some(60),
        });
        let value = of("user_field:seen:date:seen_iso", moment, None).unwrap();
        assert_eq!(value.json, json!("2023-11-14"));
        assert_eq!(
            value.companion.as_deref(),
            Some("2023-11-14T23:13:20.123+01:00")
        );
    }

    #[test]
    fn a_moment_is_the_day_that_it_is_at_the_place_which_the_migration_names() {
        let field = Field {
            name: "tier".to_owned(),
            value: Value::Moment(Moment {
                at: 1_700_000_000_123,
                offset_minutes: Some(60),
            }),
            target: None,
        };
        // 22:13 in UTC.
        for (zone, day) in [
            ("UTC", "2023-11-14"),
            ("Europe/Berlin", "2023-11-14"),
            ("Asia/Tokyo", "2023-11-15"),
            ("America/Los_Angeles", "2023-11-14"),
            ("nowhere", "2023-11-14"),
        ] {
            let words = words::of_account("acme", zone);
            let value = field_value(&target("user_field:seen:date"), &field, None, &words);
            assert_eq!(value.unwrap().json, json!(day), "{zone}");
        }
    }

    #[test]
    fn an_address_of_a_field_keeps_its_choices_whatever_letters_they_have() {
        let written = FieldTarget {
            choices: vec![("a:b,c=d %".to_owned(), "größe".to_owned())],
            ..target("custom_object_field:order:size:dropdown")
        };
        assert_eq!(
            FieldTarget::parse(&written.to_string()),
            Some(written.clone())
        );
        assert_eq!(
            written.to_string(),
            "custom_object_field:order:size:dropdown::a%3Ab%2Cc%3Dd%20%25=gr%C3%B6%C3%9Fe"
        );
    }

    #[test]
    fn a_field_that_was_there_before_is_written_by_its_own_options() {
        let options = [("gold_level".to_owned(), "Gold".to_owned())];
        let value = |text: &str| {
            of(
                "ticket_field:1:tagger",
                Value::Choice(text.into()),
                Some(&options),
            )
        };
        assert_eq!(value("Gold").unwrap().json, json!("gold_level"));
        assert_eq!(value("Silver"), Err(NO_OPTION));
    }

    #[test]
    fn a_lookup_holds_one_record_that_is_there_and_never_a_stand_in() {
        let lookup = |value: Value| of("user_field:sold_by:lookup", value, None).map(|v| v.json);
        let agent = |target: Option<String>| {
            let agent = Reference::new(Kind::Agent, "a9");
            target.map_or(agent.clone(), |target| agent.at(target))
        };
        let one = |target: Option<String>| lookup(Value::Reference(agent(target)));
        assert_eq!(one(Some("19".to_owned())), Ok(json!("19")));
        assert!(one(None).is_err());
        assert!(one(Some(placeholder(7, "Ana"))).is_err());
        assert!(lookup(Value::References(vec![agent(Some("19".to_owned()))])).is_err());
    }

    #[test]
    fn priorities_keep_their_place_on_the_scale() {
        let of = |value, lowest, highest| {
            default_priority(&Priority {
                value,
                lowest,
                highest,
            })
        };
        let five: Vec<_> = (1..=5).map(|value| of(value, 1, 5)).collect();
        assert_eq!(five, ["low", "low", "normal", "high", "urgent"]);
        assert_eq!(of(1, 5, 1), "urgent");
    }

    #[test]
    fn a_former_agent_is_named_and_an_unknown_one_is_not_guessed() {
        let person = || Reference::new(Kind::Agent, "u1");
        let of = |reference: Reference| author(&Author::Person(reference), 1);
        assert_eq!(of(person().at("19")), (19, None));
        assert_eq!(
            of(person().at(placeholder(7, "Ana: Ruiz"))),
            (1, Some("Ana: Ruiz (agent u1)".to_owned()))
        );
        assert_eq!(of(person()), (1, Some("agent u1".to_owned())));
    }

    #[test]
    fn times_are_made_acceptable_without_moving_the_rest() {
        let now = 1_800_000_000_000;
        assert_eq!(importable(-5, now), 0);
        assert_eq!(importable(now + 1, now), now - 60_000);
        assert_eq!(importable(1_700_000_000_000, now), 1_700_000_000_000);
        assert_eq!(iso(1_700_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(parse_iso("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
    }

    #[test]
    fn a_loss_says_field_and_note() {
        let loss = loss("conversation.brand", Fidelity::Lost, "none of that name");
        assert_eq!(loss.field, "conversation.brand");
    }

    proptest! {
        #[test]
        fn a_key_is_always_one_that_zendesk_takes(name in ".*") {
            let key = key(&name);
            prop_assert!(!key.is_empty() && key.len() <= 64);
            prop_assert!(key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            prop_assert!(!key.bytes().all(|b| b.is_ascii_digit()));
        }

        #[test]
        fn a_tag_is_stable_once_it_is_one(name in ".*") {
            if let Some(once) = tag(&name) {
                let twice = tag(&once);
                prop_assert_eq!(twice, Some(once));
            }
        }
    }
}
