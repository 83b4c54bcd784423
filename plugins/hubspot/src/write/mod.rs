//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the answer
//! of a creation, or our run read back from the record.

pub mod activities;
pub mod files;
pub mod links;
pub mod matching;
pub mod objects;
pub mod people;
pub mod schema;
pub mod tags;
pub mod teams;
pub mod tickets;
pub mod unmake;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{Facts, Misfit};
use transload_sdk::destination::Item;
pub use transload_sdk::effects::export;
use transload_sdk::effects::facets_of;
use transload_sdk::types::{self, Error, Field, Kind, Loss};

pub use transload_sdk::effects::{
    description_marker, effect, exported_as, is_of_run, made, reject, report, status_of,
};
pub use transload_sdk::policy::canonical;

use crate::api::Property;
use crate::client;
use crate::map::{self, Choices, FieldTarget};

/// Writes items of one kind.
///
/// # Errors
/// What ends the unit; items without an outcome stay open.
pub async fn write(cx: &Context, kind: Kind, items: Vec<Item>) -> Result<(), Error> {
    match kind {
        Kind::Team => teams::teams(cx, &items).await,
        Kind::Agent => teams::agents(cx, &items).await,
        Kind::ObjectType => schema::object_types(cx, &items).await,
        Kind::FieldDefinition => schema::fields(cx, &items).await,
        Kind::Tag => tags::tags(cx, &items).await,
        Kind::Brand => tags::brands(cx, &items).await,
        Kind::Company => people::companies(cx, &items).await,
        Kind::Customer => people::customers(cx, &items).await,
        Kind::Conversation | Kind::Message => tickets::tickets(cx, &items).await,
        Kind::CustomObject => objects::records(cx, &items).await,
        Kind::Relationship => links::relationships(cx, &items).await,
        Kind::Attachment | Kind::Category | Kind::Article | Kind::Other(_) => {
            items.iter().for_each(|item| export(cx, item));
            Ok(())
        }
    }
}

/// What of a record is compared before an undo: what was sent, as HubSpot holds it. `now` is the record as it is read.
pub fn facets(sent: &Map<String, Value>, now: &Map<String, Value>) -> Vec<(String, String)> {
    facets_of(sent, now, is_compared, facet)
}

/// A value as two readings of it are compared: times by their moment, numbers by their value, checked boxes in any order, long
/// text and HTML by letters and digits, which survive what HubSpot takes out of it and how it trims.
pub fn facet(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Null => return String::new(),
        other => return canonical(other),
    };
    if text.len() > 255 || text.contains(['\n', '\r', '<', '&']) {
        return crate::text::letters(text);
    }
    let mut parts: Vec<&str> = text.trim().split(';').map(str::trim).collect();
    if parts.len() > 1 {
        parts.sort_unstable();
        return parts.join(";").to_lowercase();
    }
    // Addresses are kept in lower case.
    canonical(&json!(text.trim())).to_lowercase()
}

/// What becomes of these by itself is no change of anybody's (rule D-11).
fn is_compared(name: &str) -> bool {
    !matches!(
        name,
        "hs_lastmodifieddate"
            | "lastmodifieddate"
            | "createdate"
            | "closed_date"
            | "lifecyclestage"
    )
}

/// The fingerprint of what was sent, as it is held: how values come back is made equal by [`facet`].
pub fn sent_print(sent: &Map<String, Value>) -> String {
    map::print(&facets(sent, sent))
}

/// Puts a record's own fields into the values to be written: by type where they have a property here, else onto the card.
pub fn custom_fields(
    object: &str,
    own: &[Field],
    choices: &Choices,
    values: &mut Map<String, Value>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) {
    card.place(own, losses, |field, words| {
        let (target, value) = map::place(object, field, choices, words)?;
        let loses_time = loses_time(&target, &field.value);
        values.insert(target.name, value);
        if loses_time { Err(NOT_EXACT) } else { Ok(true) }
    });
}

/// Of a time that is more than its field keeps.
const NOT_EXACT: Misfit =
    Misfit("kept as the day, or without its offset, in its property: exact on the source card");

/// Whether a moment is more than its property keeps of it: an offset, a time where the property has days.
fn loses_time(target: &FieldTarget, value: &types::Value) -> bool {
    match value {
        types::Value::Moment(moment) => {
            target.kind == map::FieldKind::Date
                || moment.offset_minutes.is_some_and(|offset| offset != 0)
        }
        _ => false,
    }
}

/// The options of the properties of `object`, where a batch has values for one that takes no others; nothing is asked where it
/// has not.
///
/// # Errors
/// What ends the unit.
pub async fn choices(cx: &Context, object: &str, items: &[Item]) -> Result<Choices, Error> {
    let chosen = |target: &FieldTarget| target.object == object && target.kind.is_chosen();
    let any = items
        .iter()
        .flat_map(|item| &item.body.entries)
        .flat_map(|entry| &entry.head.fields)
        .filter_map(FieldTarget::of)
        .any(|target| chosen(&target));
    if !any {
        return Ok(Choices::new());
    }
    let properties: Vec<Property> = client::list(cx, &client::properties(object, "")).await?;
    Ok(choices_of(object, &properties))
}

/// The options of an object type's properties.
pub fn choices_of(object: &str, properties: &[Property]) -> Choices {
    let chosen = properties.iter().filter(|p| p.kind == "enumeration");
    let of = |property: &Property| {
        let pairs = property.options.iter();
        let pairs = pairs.map(|option| (option.value.clone(), option.label.clone()));
        (format!("{object}.{}", property.name), pairs.collect())
    };
    chosen.map(of).collect()
}
