//! Writing records: which kind is written where, and what all of them share.
//!
//! An item's outcome is reported as soon as it is known (rule D-8). `created` is claimed only with proof (rule D-4): the
//! answer of an insert, or our run read back from the record.

pub mod cases;
pub mod files;
pub mod links;
pub mod looked;
pub mod matching;
pub mod objects;
pub mod people;
pub mod schema;
pub mod teams;
pub mod topics;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::{Facts, Misfit};
use transload_sdk::destination::Item;
use transload_sdk::effects::{export, facets_of};
use transload_sdk::http::{OperationKey, Refusal as _};
use transload_sdk::ledger::{Effect, Status};
use transload_sdk::types::{self, Error, Field, Head, Kind, Loss};

pub use transload_sdk::effects::{
    description_marker, effect, exported_as, is_of_run, made, reject, report, status_of,
};
pub use transload_sdk::policy::{canonical, holds};

use crate::api::Describe;
use crate::client::{self, Saved};
use crate::fields;
use crate::map::{self, Choices, FieldTarget};
use crate::state::State;

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
        Kind::Tag => schema::tags(cx, &items).await,
        Kind::Brand => schema::brands(cx, &items).await,
        Kind::Company => people::companies(cx, &items).await,
        Kind::Customer => people::customers(cx, &items).await,
        Kind::Conversation | Kind::Message => cases::cases(cx, &items).await,
        Kind::CustomObject => objects::records(cx, &items).await,
        Kind::Relationship => links::relationships(cx, &items).await,
        Kind::Attachment | Kind::Category | Kind::Article | Kind::Other(_) => {
            items.iter().for_each(|item| export(cx, item));
            Ok(())
        }
    }
}

/// What of a record is compared before an undo: what was sent, as Salesforce holds it. `now` is the record as it is read.
pub fn facets(sent: &Map<String, Value>, now: &Map<String, Value>) -> Vec<(String, String)> {
    facets_of(sent, now, is_compared, facet)
}

/// A value as two readings of it are compared: long text by its letters and digits, which survive trimming and other line ends;
/// else as [`canonical`] has it.
pub fn facet(value: &Value) -> String {
    match value.as_str() {
        Some(text) if text.len() > 255 || text.contains(['\n', '\r']) => crate::text::letters(text),
        Some(text) if text.trim() != text => canonical(&json!(text.trim())),
        _ => canonical(value),
    }
}

/// What becomes of these by itself is no change of anybody's (rule D-11).
fn is_compared(name: &str) -> bool {
    !matches!(
        name,
        "LastModifiedDate" | "LastModifiedById" | "CreatedDate" | "CreatedById" | "ClosedDate"
    )
}

/// The fingerprint of what was sent. Salesforce gives no record back when it takes one, so this is of the values sent; how they
/// come back is made equal by [`facet`].
pub fn sent_print(sent: &Map<String, Value>) -> String {
    map::print(&facets(sent, sent))
}

/// What becomes of an item whose record was inserted: its main effect, or why there is none.
///
/// `Ok(Err(id))` is a record with its external id that another run made.
///
/// # Errors
/// The status to report.
pub fn inserted(
    object: &str,
    target: impl Fn(&str) -> String,
    sent: &Map<String, Value>,
    saved: Saved,
) -> Result<Result<Effect, (String, OperationKey)>, Status> {
    match saved {
        Saved::Made { id, proof, key } => {
            let mut main = made("main", object, target(&id), Some(proof), key);
            main.fingerprint = Some(sent_print(sent));
            Ok(Ok(main))
        }
        Saved::There { id, key } => Ok(Err((id, key))),
        Saved::Refused(fault) => Err(Status::Rejected(fault.rejection())),
        Saved::Unsettled => Err(Status::Unsettled(unsettled(object))),
    }
}

/// Why an item stays open.
pub fn unsettled(object: &str) -> String {
    format!("{object}: the answer to its creation was not seen")
}

/// Puts a record's own fields into the values to be written: by type where they have a field here, else onto the card.
pub fn custom_fields(
    object: &str,
    own: &[Field],
    choices: &Choices,
    values: &mut Map<String, Value>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) {
    card.place(own, losses, |field, words| {
        // A record that a lookup points to may be made after this one, and is linked when all are there. Whether it is there
        // by now depends on the order of loading; what a person reads here must not.
        let later = |reference: &types::Reference| {
            matches!(reference.kind, Kind::CustomObject | Kind::Customer)
        };
        let linked_later = matches!(&field.value, types::Value::Reference(to) if later(to))
            && FieldTarget::of(field)
                .is_some_and(|target| matches!(target.kind, map::FieldKind::Lookup(_)));
        if linked_later {
            return Ok(false);
        }
        let (target, value) = map::place(object, field, choices, words)?;
        let loses_time = loses_time(&target, &field.value);
        values.insert(target.name, value);
        if loses_time { Err(NOT_EXACT) } else { Ok(true) }
    });
}

/// Of a time that is more than its field keeps.
const NOT_EXACT: Misfit =
    Misfit("kept to the second, or the day, in its field: exact on the source card");

/// Whether a moment is more than its field keeps of it: a part of a second, an offset, a time where the field has days.
fn loses_time(target: &FieldTarget, value: &types::Value) -> bool {
    match value {
        types::Value::Moment(moment) => {
            target.kind == map::FieldKind::Date
                || moment.at.rem_euclid(1_000) != 0
                || moment.offset_minutes.is_some_and(|offset| offset != 0)
        }
        _ => false,
    }
}

/// The choices of the fields of `object` that take no others, where a batch has values for one; nothing is asked where it has
/// not.
///
/// # Errors
/// What ends the unit.
pub async fn choices(cx: &Context, object: &str, items: &[Item]) -> Result<Choices, Error> {
    let restricted = |target: &FieldTarget| target.object == object && target.kind.is_restricted();
    let any = items
        .iter()
        .flat_map(|item| &item.entry().head.fields)
        .filter_map(FieldTarget::of)
        .any(|target| restricted(&target));
    if !any {
        return Ok(Choices::new());
    }
    let described = client::describe(cx, object).await?.unwrap_or_default();
    Ok(choices_of(&described))
}

/// The choices of an object's fields that take no others.
pub fn choices_of(described: &Describe) -> Choices {
    let fields = described.fields.iter().filter(|f| f.restricted_picklist);
    let of = |field: &crate::api::FieldDescribe| {
        let active = field.picklist_values.iter().filter(|value| value.active);
        let pairs = active.map(|value| {
            let label = value.label.clone().unwrap_or_else(|| value.value.clone());
            (value.value.clone(), label)
        });
        (
            format!("{}.{}", described.name, field.name),
            pairs.collect(),
        )
    };
    fields.map(of).collect()
}

/// Takes away what the org has no own field for, and says so on the card before it is rendered: call it first.
pub fn only_known(state: &State, object: &str, values: &mut Map<String, Value>) {
    let own: BTreeSet<&str> = if object.ends_with("__c") {
        fields::CUSTOM_OBJECT
            .iter()
            .map(|(name, ..)| *name)
            .collect()
    } else {
        fields::of_object(object)
            .iter()
            .map(|(name, ..)| *name)
            .collect()
    };
    // Fields of custom objects are made with the object, which fails without them.
    if !object.ends_with("__c") {
        values.retain(|name, _| !own.contains(name.as_str()) || state.has(object, name));
    }
}

/// Gives a record its original times and its author, where the org takes them (Salesforce facts §11).
pub fn audit(
    cx: &Context,
    state: &State,
    object: &str,
    head: &Head,
    author: Option<&str>,
    values: &mut Map<String, Value>,
) {
    if !state.audits(object) {
        return;
    }
    let Some(created) = head.created_at else {
        return;
    };
    let created = map::auditable(created, cx.now());
    // The last change is never before the first.
    let modified = head
        .updated_at
        .map_or(created, |at| map::auditable(at, cx.now()).max(created));
    let mut set = |name: &str, value: Value| values.insert(name.to_owned(), value);
    set("CreatedDate", json!(map::datetime(created)));
    set("LastModifiedDate", json!(map::datetime(modified)));
    if let Some(author) = author {
        set("CreatedById", json!(author));
    }
}
