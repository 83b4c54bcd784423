//! Records that no custom object holds: exported, and said in a line on the contact and the company that they belong to.
//!
//! The line stands in the field that names links, so that whoever opens the contact sees what there was. One change a contact for
//! all records of a unit; the first of them has the effect. Units with one customer or company never run at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, exported_as, report};
use transload_sdk::http::{OperationKey, key};
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::policy::canonical;
use transload_sdk::text::split_bytes;
use transload_sdk::types::{CustomObject, Error, Fidelity, Kind, Loss, Reference};
use transload_sdk::words::Words;

use super::{Changed, WRITES};
use crate::api::{Company, Contact};
use crate::client;
use crate::map::{self, Owner, numeric_target};
use crate::state::{Config, State, own_field};

/// Bytes of one line, and of all of them.
const LINE_BYTES: usize = 1_000;
const TEXT_BYTES: usize = 30_000;

const NAMED: &str =
    "no custom object holds it: exported, and named in words on its customer and company";
const NOT_NAMED: &str =
    "no custom object holds it, nor is there anybody it could be named on: exported";
const NO_ROOM: &str =
    "no custom object holds it, and its customer has no room for its name: exported";

/// A contact or company with what is to be added to it.
struct End {
    owner: Owner,
    id: u64,
    /// The account's name of the field.
    field: String,
    was: Value,
    text: String,
    /// The first item that asked for a line, by place.
    first: Option<usize>,
}

/// Says records in words where they belong, and reports each as exported.
///
/// # Errors
/// What ends the unit.
pub async fn name(cx: &Context, records: &[(&Item, &CustomObject)]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let state: State = cx.state()?;
    let words = config.words(cx.time_zone());
    let mut ends: BTreeMap<(Owner, u64), End> = BTreeMap::new();
    let mut fates: Vec<(Vec<(Owner, u64)>, &'static str)> = Vec::new();
    for (at, (item, object)) in records.iter().enumerate() {
        let mut on = Vec::new();
        let mut note = NOT_NAMED;
        let line = line(item, object, &words);
        for (owner, reference) in [
            (Owner::Contact, &object.customer),
            (Owner::Company, &object.company),
        ] {
            let Some(end) = open(cx, &state, owner, reference.as_ref(), &mut ends).await? else {
                continue;
            };
            if end.add(at, item, &line) {
                on.push((end.owner, end.id));
                note = NAMED;
            } else if on.is_empty() {
                note = NO_ROOM;
            }
        }
        fates.push((on, note));
    }
    let mut done: BTreeMap<(Owner, u64), Option<OperationKey>> = BTreeMap::new();
    for (place, end) in ends.iter().filter(|(_, end)| end.first.is_some()) {
        let first = end.first.and_then(|at| records.get(at));
        let item = first.map_or("*", |(item, _)| item.key.as_str());
        done.insert(*place, end.write(cx, item).await?);
    }
    for (at, ((item, _), (on, note))) in records.iter().zip(fates).enumerate() {
        let mut note = note;
        let mut effects = Vec::new();
        for place in on {
            match (ends.get(&place), done.get(&place)) {
                (Some(end), Some(Some(key))) => effects.push(end.effect(at, Some(key))),
                (Some(end), None) => effects.push(end.effect(at, None)),
                _ => note = NO_ROOM,
            }
        }
        let losses: Vec<Loss> = vec![loss("custom-object", Fidelity::Converted, note)];
        let status = Status::Exported(exported_as(&Kind::CustomObject));
        report(cx, item, status, effects, losses);
    }
    Ok(())
}

/// What is said of a record: type, source id, title, values.
fn line(item: &Item, object: &CustomObject, words: &Words) -> String {
    let head = &item.entry().head;
    let own = Reference::new(Kind::CustomObject, &head.id).called(&object.title);
    let mut said = format!("{} {}", object.object_type, words.reference(&own));
    for field in &head.fields {
        let mut value = field.value.clone();
        // Who is here by now depends on the order of loading.
        if let transload_sdk::types::Value::Reference(one) = &mut value {
            one.target = None;
        }
        said.push_str(&format!("; {}: {}", field.name, words.value(&value)));
    }
    let said = said.replace(['\n', '\r'], " ");
    let cut = split_bytes(&said, LINE_BYTES).into_iter().next();
    cut.unwrap_or_default().trim_end().to_owned()
}

/// The contact or company of a reference, read once; nothing where it is not here or has no field for words.
async fn open<'e>(
    cx: &Context,
    state: &State,
    owner: Owner,
    reference: Option<&Reference>,
    ends: &'e mut BTreeMap<(Owner, u64), End>,
) -> Result<Option<&'e mut End>, Error> {
    let Some(id) = reference.and_then(numeric_target) else {
        return Ok(None);
    };
    let Some(field) = state.field(owner, own_field::LINKS) else {
        return Ok(None);
    };
    if let Entry::Vacant(place) = ends.entry((owner, id)) {
        let Some(fields) = fields_of(cx, owner, id).await? else {
            return Ok(None);
        };
        let was = fields.get(field).cloned().unwrap_or_default();
        let end = End {
            owner,
            id,
            field: field.to_owned(),
            text: was.as_str().unwrap_or_default().to_owned(),
            was,
            first: None,
        };
        place.insert(end);
    }
    Ok(ends.get_mut(&(owner, id)))
}

async fn fields_of(
    cx: &Context,
    owner: Owner,
    id: u64,
) -> Result<Option<Map<String, Value>>, Error> {
    let path = path_of(owner, id);
    if owner == Owner::Company {
        let company: Option<Company> = client::find(cx, &path).await?;
        return Ok(company.map(|company| company.custom_fields));
    }
    let contact: Option<Contact> = client::find(cx, &path).await?;
    let contact = contact.filter(|contact| !contact.deleted);
    Ok(contact.map(|contact| contact.custom_fields))
}

fn path_of(owner: Owner, id: u64) -> String {
    match owner {
        Owner::Company => format!("/api/v2/companies/{id}"),
        _ => format!("/api/v2/contacts/{id}"),
    }
}

impl End {
    /// Adds a line that is not there yet; false where there is no room.
    fn add(&mut self, at: usize, item: &Item, line: &str) -> bool {
        if self.text.lines().any(|known| known == line) {
            // An earlier attempt in this run may have added it, and its answer is lost.
            if item.in_doubt_since.is_some() && item.prior.is_empty() && self.first.is_none() {
                let others: Vec<&str> = self.text.lines().filter(|l| *l != line).collect();
                self.was = match others.join("\n") {
                    text if text.is_empty() => Value::Null,
                    text => json!(text),
                };
                self.first = Some(at);
            }
            return true;
        }
        let longer = match self.text.as_str() {
            "" => line.to_owned(),
            text => format!("{text}\n{line}"),
        };
        if longer.len() > TEXT_BYTES {
            return false;
        }
        self.text = longer;
        self.first.get_or_insert(at);
        true
    }

    /// Writes the text; the request that did it, or nothing where it was refused or is not known.
    async fn write(&self, cx: &Context, item: &str) -> Result<Option<OperationKey>, Error> {
        let path = path_of(self.owner, self.id);
        let body = json!({"custom_fields": {self.field.as_str(): self.text}});
        let request = |step: &str| {
            let part = format!("named:{}", self.id);
            cx.http()
                .repeatable("PUT", path.clone(), key(item, part, step))
                .json(&body)
        };
        let read = async || {
            fields_of(cx, self.owner, self.id)
                .await
                .map(|f| f.map(Value::Object))
        };
        let is_done = |fields: &Value| fields.get(&self.field) == Some(&json!(self.text));
        let done: Changed<Value> = WRITES.change(cx, request, read, is_done).await?;
        Ok(match done {
            Changed::Done(_, key) => Some(key),
            Changed::Refused(_) | Changed::Unknown => None,
        })
    }

    /// The effect that an item has: that of the whole change for the first that asked for it.
    fn effect(&self, at: usize, key: Option<&OperationKey>) -> Effect {
        let kind = if self.owner == Owner::Company {
            "company"
        } else {
            "contact"
        };
        let matched = effect(
            &format!("named:{kind}"),
            kind,
            self.id.to_string(),
            Action::Matched,
        );
        if key.is_none() || self.first != Some(at) {
            return matched;
        }
        let name = own_field::LINKS;
        let facets = [(format!("field {name}"), canonical(&json!(self.text)))];
        Effect {
            action: Action::Updated,
            key: key.cloned(),
            before: Some(json!({"custom_fields": {name: self.was}}).to_string()),
            fingerprint: Some(map::print(&facets)),
            ..matched
        }
    }
}
