//! Links between records, readable from both ends (rule M-15).
//!
//! A link that one lookup field can hold stands in that field, which Salesforce shows on both records. Any other (one of
//! several, one whose field is no lookup) is said in words: on the record that points, where its own fields and its card have
//! said it since it was written, and on the one pointed to, in a text field of ours that is filled here. Those are exported as
//! well: the link table. Users are named, and written to only where a lookup of theirs is meant.
//!
//! All that a unit changes on one record is one row, and the first item that asked for it has the effect; so units of links
//! must not run at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, reject, report};
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::policy::canonical;
use transload_sdk::types::{Entity, Error, Fidelity, Kind, Loss, Reference, Relationship};
use transload_sdk::words::Words;

use super::{exported_as, sent_print};
use crate::api::id18;
use crate::client::{self, ChangeRow, Changed};
use crate::fields::{LINKS, LIST_CHARS};
use crate::map::{self, own_target, record_parts, record_target};
use crate::state::{Config, State};
use crate::text::chars;

const IN_WORDS: &str =
    "no lookup field can hold it: both records name it, and it is in the link table";
const NOT_HERE: &str =
    "one of its records was not migrated: the other names it, and it is in the link table";
const OF_STAFF: &str = "a user is not written to: the record that points names the user, and the link is in the link table";
const NO_ROOM: &str = "more links than the text of a record holds: this one is in the link table";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let words = config.words(cx.time_zone());
    let mut links = Vec::new();
    for item in items {
        match &item.entry().data {
            Entity::Relationship(link) => links.push((item, link)),
            _ => reject(cx, item, Error::Bug("no relationship".to_owned())),
        }
    }
    let mut desk = Desk::read(cx, &state, &links).await?;
    let mut fates = Vec::with_capacity(links.len());
    for (at, (item, link)) in links.iter().enumerate() {
        fates.push(desk.place(at, item, link, &words));
    }
    let written = desk.write(cx, &links).await?;
    for (at, ((item, _), fate)) in links.iter().zip(fates).enumerate() {
        conclude(cx, at, item, fate, &desk, &written);
    }
    Ok(())
}

// ---- what there is

/// A record that links are written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    object: String,
    id: String,
}

impl End {
    /// What stands for a record; `None` where nothing does that could hold a link.
    fn of(reference: &Reference) -> Option<Self> {
        let id = id18(own_target(reference)?);
        let object = match reference.target.as_deref().and_then(record_parts) {
            Some((object, _)) => object.to_owned(),
            None => map::object_of_id(&id)?.to_owned(),
        };
        let written = matches!(
            object.as_str(),
            "Account" | "Contact" | "Lead" | "Case" | "User"
        );
        (written || object.ends_with("__c")).then_some(Self { object, id })
    }

    fn is_custom(&self) -> bool {
        self.object.ends_with("__c")
    }

    /// As effects name it.
    fn target(&self) -> String {
        if self.is_custom() {
            record_target(&self.object, &self.id)
        } else {
            self.id.clone()
        }
    }
}

/// The records that a unit's links are about, and what is to be changed on them.
struct Desk {
    /// Names of lookup fields, by object.
    lookups: BTreeMap<String, BTreeSet<String>>,
    /// Objects that have the text field for links.
    worded: BTreeSet<String>,
    now: BTreeMap<End, Map<String, Value>>,
    changes: BTreeMap<End, Change>,
}

/// What is to be changed on one record.
#[derive(Default)]
struct Change {
    first: usize,
    was: Map<String, Value>,
    becomes: Map<String, Value>,
}

/// What is to become of a link.
enum Fate {
    /// In a lookup field of this record.
    Looked(End),
    /// In words on these records, with what is to be said of it.
    Said(Vec<End>, &'static str),
    /// The record that should hold it is gone.
    Gone,
}

impl Desk {
    async fn read(
        cx: &Context,
        state: &State,
        links: &[(&Item, &Relationship)],
    ) -> Result<Self, Error> {
        let ends = links
            .iter()
            .flat_map(|(_, link)| [&link.source, &link.target]);
        let ends: BTreeSet<End> = ends.filter_map(End::of).collect();
        let pointing = links.iter().filter(|(_, link)| link.field.is_some());
        let pointing: BTreeSet<String> = pointing
            .filter_map(|(_, link)| End::of(&link.source))
            .map(|end| end.object)
            .collect();
        let named: BTreeSet<String> = links
            .iter()
            .filter_map(|(_, link)| link.field.as_deref())
            .map(map::field_name)
            .collect();
        let mut desk = Self {
            lookups: BTreeMap::new(),
            worded: BTreeSet::new(),
            now: BTreeMap::new(),
            changes: BTreeMap::new(),
        };
        for object in pointing {
            let described = client::describe(cx, &object).await?.unwrap_or_default();
            let fields = described.fields.into_iter();
            let lookups = fields
                .filter(|field| field.kind == "reference" && field.custom)
                .map(|field| field.name)
                .filter(|name| named.contains(name));
            desk.lookups.insert(object, lookups.collect());
        }
        let mut by_object: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for end in ends {
            by_object.entry(end.object).or_default().insert(end.id);
        }
        for (object, ids) in by_object {
            if object.ends_with("__c") || state.has(&object, LINKS) {
                desk.worded.insert(object.clone());
            }
            let mut fields = vec!["Id"];
            fields.extend(desk.worded.get(&object).map(|_| LINKS));
            let lookups = desk.lookups.get(&object);
            fields.extend(lookups.into_iter().flatten().map(String::as_str));
            let found = client::retrieve(cx, &object, &ids, &fields).await?;
            let known = found.into_iter().map(|(id, record)| {
                let object = object.clone();
                (End { object, id }, record)
            });
            desk.now.extend(known);
        }
        Ok(desk)
    }

    fn value(&self, end: &End, name: &str) -> Value {
        let pending = self.changes.get(end).and_then(|c| c.becomes.get(name));
        let now = self.now.get(end).and_then(|record| record.get(name));
        pending.or(now).cloned().unwrap_or_default()
    }

    fn change(&mut self, at: usize, end: &End, name: &str, was: Value, becomes: Value) {
        let change = self.changes.entry(end.clone()).or_insert_with(|| Change {
            first: at,
            ..Change::default()
        });
        change.was.entry(name.to_owned()).or_insert(was);
        change.becomes.insert(name.to_owned(), becomes);
    }

    /// The lookup field that can hold a link, and the id it would hold.
    fn lookup(&self, link: &Relationship) -> Option<(End, String, String)> {
        let end = End::of(&link.source)?;
        let name = map::field_name(link.field.as_deref()?);
        let known = self.lookups.get(&end.object)?;
        let value = id18(own_target(&link.target)?);
        let single = link.position.is_none_or(|position| position == 0);
        (single && known.contains(&name)).then_some((end, name, value))
    }

    fn place(&mut self, at: usize, item: &Item, link: &Relationship, words: &Words) -> Fate {
        if let Some((end, name, value)) = self.lookup(link) {
            if !self.now.contains_key(&end) {
                return Fate::Gone;
            }
            let was = self.value(&end, &name);
            if was.is_null() {
                self.change(at, &end, &name, was, json!(value));
                return Fate::Looked(end);
            }
            if id18(&canonical(&was)) == value {
                if lost(item) {
                    // Only an empty lookup is ever set: so that is what it was.
                    self.change(at, &end, &name, Value::Null, was);
                }
                return Fate::Looked(end);
            }
        }
        self.say(at, item, link, words)
    }

    /// In words: where it points to, and, where no field of the source says it already, where it comes from.
    fn say(&mut self, at: usize, item: &Item, link: &Relationship, words: &Words) -> Fate {
        let name = match &link.label {
            Some(label) if *label != link.name => format!("{label} ({})", link.name),
            _ => link.name.clone(),
        };
        let mut lines = Vec::new();
        let here = |reference: &Reference| {
            let end = End::of(reference)?;
            (self.worded.contains(&end.object) && self.now.contains_key(&end)).then_some(end)
        };
        if let Some(end) = here(&link.target) {
            lines.push((end, format!("{name} of {}", words.reference(&link.source))));
        }
        if let Some(end) = here(&link.source).filter(|_| link.field.is_none()) {
            lines.push((end, format!("{name}: {}", words.reference(&link.target))));
        }
        let mut note = note(link);
        let mut ends = Vec::new();
        for (end, line) in lines {
            if self.add_line(at, item, &end, &line) {
                ends.push(end);
            } else {
                note = NO_ROOM;
            }
        }
        Fate::Said(ends, note)
    }

    /// Adds a line to the text that names links; false when there is no room for it.
    fn add_line(&mut self, at: usize, item: &Item, end: &End, line: &str) -> bool {
        let was = self.value(end, LINKS);
        let text = was.as_str().unwrap_or_default();
        if text.lines().any(|known| known == line) {
            if lost(item) {
                let others: Vec<&str> = text.lines().filter(|known| *known != line).collect();
                let before = match others.join("\n") {
                    text if text.is_empty() => Value::Null,
                    text => json!(text),
                };
                self.change(at, end, LINKS, before, was.clone());
            }
            return true;
        }
        let longer = if text.is_empty() {
            line.to_owned()
        } else {
            format!("{text}\n{line}")
        };
        if chars(&longer) > LIST_CHARS {
            return false;
        }
        self.change(at, end, LINKS, was, json!(longer));
        true
    }

    /// Writes every change, an object's at a time.
    async fn write(
        &self,
        cx: &Context,
        links: &[(&Item, &Relationship)],
    ) -> Result<BTreeMap<End, Changed>, Error> {
        let mut by_object: BTreeMap<&str, Vec<&End>> = BTreeMap::new();
        for end in self.changes.keys() {
            by_object.entry(&end.object).or_default().push(end);
        }
        let mut written = BTreeMap::new();
        for (object, ends) in by_object {
            let row = |end: &&End| {
                let change = self.changes.get(*end);
                let first = change.and_then(|change| links.get(change.first));
                ChangeRow {
                    item: first.map(|(item, _)| item.key.clone()).unwrap_or_default(),
                    part: format!("links:{}:{}", end.object, end.id),
                    object: end.object.clone(),
                    id: end.id.clone(),
                    values: change
                        .map(|change| change.becomes.clone())
                        .unwrap_or_default(),
                }
            };
            let rows: Vec<ChangeRow> = ends.iter().map(row).collect();
            let first = rows.first().map(|row| row.item.as_str());
            let batch = format!("links:{object}:{}", first.unwrap_or_default());
            let done = client::change(cx, &batch, &rows).await?;
            written.extend(ends.into_iter().cloned().zip(done));
        }
        Ok(written)
    }
}

/// An earlier attempt in this run may have done it, and its answer is lost: what is found as wanted counts as done by it.
fn lost(item: &Item) -> bool {
    item.in_doubt_since.is_some() && item.prior.is_empty()
}

/// What is to be said of a link in words.
fn note(link: &Relationship) -> &'static str {
    if link.target.kind == Kind::Agent {
        OF_STAFF
    } else if link.source.target.is_none() || link.target.target.is_none() {
        NOT_HERE
    } else {
        IN_WORDS
    }
}

// ---- what is done

/// The effect that an item has on a record: that of the whole change for the first item that asked for it.
fn effect_of(at: usize, end: &End, desk: &Desk, written: &Changed) -> Effect {
    let matched = effect("links", &end.object, end.target(), Action::Matched);
    match (desk.changes.get(end), written) {
        (Some(change), Changed::Done(key)) if change.first == at => Effect {
            action: Action::Updated,
            key: Some(key.clone()),
            before: Some(Value::Object(change.was.clone()).to_string()),
            fingerprint: Some(sent_print(&change.becomes)),
            ..matched
        },
        _ => matched,
    }
}

fn conclude(
    cx: &Context,
    at: usize,
    item: &Item,
    fate: Fate,
    desk: &Desk,
    written: &BTreeMap<End, Changed>,
) {
    let unknown = |end: &End| matches!(written.get(end), Some(Changed::Unsettled));
    let unsettled = || Status::Unsettled("a link that was not answered".to_owned());
    match fate {
        Fate::Gone => {
            let gone = "the record that holds the link is gone".to_owned();
            reject(cx, item, Error::Conflict(gone));
        }
        Fate::Looked(end) => {
            let effect = match written.get(&end) {
                Some(Changed::Refused(fault)) => {
                    reject(cx, item, client::rejection(fault));
                    return;
                }
                Some(Changed::Unsettled) => {
                    report(cx, item, unsettled(), Vec::new(), Vec::new());
                    return;
                }
                Some(done) => effect_of(at, &end, desk, done),
                None => effect("links", &end.object, end.target(), Action::Matched),
            };
            let status = match effect.action {
                Action::Updated => Status::Updated,
                _ => Status::Matched,
            };
            report(cx, item, status, vec![effect], Vec::new());
        }
        Fate::Said(ends, _) if ends.iter().any(unknown) => {
            report(cx, item, unsettled(), Vec::new(), Vec::new());
        }
        Fate::Said(ends, note) => {
            let mut losses: Vec<Loss> = vec![loss("relationship", Fidelity::Converted, note)];
            let mut effects = Vec::new();
            for end in &ends {
                match written.get(end) {
                    Some(Changed::Refused(_)) => {
                        let note =
                            "the record it points to could not take its name: in the link table";
                        losses.push(loss("relationship", Fidelity::Converted, note));
                    }
                    Some(done) => effects.push(effect_of(at, end, desk, done)),
                    None => {
                        effects.push(effect("links", &end.object, end.target(), Action::Matched))
                    }
                }
            }
            let status = Status::Exported(exported_as(&Kind::Relationship));
            report(cx, item, status, effects, losses);
        }
    }
}
