//! Links between records, readable from both ends (rule M-15).
//!
//! A link that one lookup field can hold stands in that field. Any other (one of several, one whose field is no lookup, one of a
//! record that must not be changed any more) is said in words: on the record that points, where its own fields and its card have
//! said it since it was written, and on the one pointed to, in a text field of the connector's that is filled here. Those are
//! exported as well: the link table. Staff are named.
//!
//! A connector says what its records are ([`End`]), reads them into a [`Desk`], has each link [placed](Desk::place), writes the
//! changes that came of it, one write a record, and lets [`conclude`] report. The first item that asked for a change has its
//! effect; so units of links must not run at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::Context;
use crate::card::loss;
use crate::destination::Item;
use crate::effects::{effect, exported_as, reject, report};
use crate::http::OperationKey;
use crate::ledger::{Action, Effect, Status};
use crate::policy::canonical;
use crate::types::{Entity, Error, Fidelity, Kind, Loss, Reference, Relationship};
use crate::words::Words;

const IN_WORDS: &str =
    "no lookup field can hold it: both records name it, and it is in the link table";
const NOT_HERE: &str =
    "one of its records was not migrated: the other names it, and it is in the link table";
const NO_ROOM: &str = "more links than the text of a record holds: this one is in the link table";
const REFUSED: &str = "the record it points to could not take its name: in the link table";

/// A record of the destination that links are written to.
pub trait End: Clone + Ord {
    /// The field of ours whose text names links.
    const TEXT: &'static str;
    /// What is said of a link to one of the staff, who are named and not written to.
    const OF_STAFF: &'static str;

    /// What stands for a record of the source; `None` where nothing does that could hold a link.
    fn of(reference: &Reference) -> Option<Self>;

    /// Its kind, as effects name it.
    fn kind(&self) -> &str;

    /// Its id, as effects name it.
    fn target(&self) -> String;

    /// Whether its text of links may be as long as that.
    fn fits(&self, text: &str) -> bool;

    /// Whether a lookup holds this id.
    fn is_same(held: &Value, id: &str) -> bool {
        canonical(held) == id
    }

    /// What is said of a link whose two records are here, if it is not that no lookup can hold it.
    fn note(_: &Relationship) -> Option<&'static str> {
        None
    }

    /// The before-image and the fingerprint of a change.
    fn images(&self, change: &Change) -> (String, String);
}

/// What is to be changed on one record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The place in the unit of the first link that asked for it.
    pub first: usize,
    /// The fields as they were.
    pub was: Map<String, Value>,
    /// The fields as they are to be.
    pub becomes: Map<String, Value>,
}

/// What became of a change.
#[derive(Debug)]
pub enum Written {
    /// It is done, by the request with this key.
    Done(OperationKey),
    /// It was refused.
    Refused(Error),
    /// Not known, even after looking.
    Unknown,
}

/// What is to become of a link.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate<E> {
    /// In a lookup field of this record.
    Looked(E),
    /// In words on these records, with what is to be said of it.
    Said(Vec<E>, &'static str),
    /// The record that should hold it is gone.
    Gone,
}

/// A lookup field that can hold a link.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup<E> {
    /// The record that has it.
    pub end: E,
    /// Its name.
    pub field: String,
    /// The id it would hold.
    pub id: String,
}

/// The records that a unit's links are about, and what is to be changed on them.
#[derive(Debug, Clone, Default)]
pub struct Desk<E: Ord> {
    /// The records that are there, with their fields.
    pub now: BTreeMap<E, Map<String, Value>>,
    /// Those of them that have no field for words.
    pub mute: BTreeSet<E>,
    /// What is to be changed.
    pub changes: BTreeMap<E, Change>,
}

/// The links among a unit's items; any other item is rejected.
pub fn links<'i>(cx: &Context, items: &'i [Item]) -> Vec<(&'i Item, &'i Relationship)> {
    let mut links = Vec::new();
    for item in items {
        match &item.entry().data {
            Entity::Relationship(link) => links.push((item, link)),
            _ => reject(cx, item, Error::Bug("no relationship".to_owned())),
        }
    }
    links
}

/// The records that links are about.
pub fn ends<E: End>(links: &[(&Item, &Relationship)]) -> BTreeSet<E> {
    let ends = links
        .iter()
        .flat_map(|(_, link)| [&link.source, &link.target]);
    ends.filter_map(E::of).collect()
}

/// Whether an end of a link is a conversation or a message.
pub fn is_of_thread(link: &Relationship) -> bool {
    let is = |end: &Reference| matches!(end.kind, Kind::Conversation | Kind::Message);
    is(&link.source) || is(&link.target)
}

/// Whether a link is the only one of its field, so that a lookup can hold it.
pub fn is_single(link: &Relationship) -> bool {
    link.position.is_none_or(|position| position == 0)
}

impl<E: End> Desk<E> {
    /// Records as they were read.
    pub fn new(now: BTreeMap<E, Map<String, Value>>) -> Self {
        Self {
            now,
            mute: BTreeSet::new(),
            changes: BTreeMap::new(),
        }
    }

    fn value(&self, end: &E, name: &str) -> Value {
        let pending = self.changes.get(end).and_then(|c| c.becomes.get(name));
        let now = self.now.get(end).and_then(|record| record.get(name));
        pending.or(now).cloned().unwrap_or_default()
    }

    fn change(&mut self, at: usize, end: &E, name: &str, was: Value, becomes: Value) {
        let change = self.changes.entry(end.clone()).or_insert_with(|| Change {
            first: at,
            ..Change::default()
        });
        change.was.entry(name.to_owned()).or_insert(was);
        change.becomes.insert(name.to_owned(), becomes);
    }

    /// Decides where each link is to stand and notes the changes that it takes. `lookup` gives the field that can hold one, where
    /// there is such a field.
    pub fn place(
        &mut self,
        links: &[(&Item, &Relationship)],
        lookup: impl Fn(&Relationship) -> Option<Lookup<E>>,
        words: &Words,
    ) -> Vec<Fate<E>> {
        let mut fates = Vec::with_capacity(links.len());
        for (at, (item, link)) in links.iter().enumerate() {
            fates.push(self.place_one(at, (item, link), lookup(link), words));
        }
        fates
    }

    fn place_one(
        &mut self,
        at: usize,
        (item, link): (&Item, &Relationship),
        lookup: Option<Lookup<E>>,
        words: &Words,
    ) -> Fate<E> {
        if let Some(Lookup { end, field, id }) = lookup {
            if !self.now.contains_key(&end) {
                return Fate::Gone;
            }
            let was = self.value(&end, &field);
            if was.is_null() {
                self.change(at, &end, &field, was, json!(id));
                return Fate::Looked(end);
            }
            if E::is_same(&was, &id) {
                if lost(item) {
                    // Only an empty lookup is ever set: so that is what it was.
                    self.change(at, &end, &field, Value::Null, was);
                }
                return Fate::Looked(end);
            }
        }
        self.say(at, item, link, words)
    }

    /// In words: where it points to, and, where no field of the source says it already, where it comes from.
    fn say(&mut self, at: usize, item: &Item, link: &Relationship, words: &Words) -> Fate<E> {
        let name = match &link.label {
            Some(label) if *label != link.name => format!("{label} ({})", link.name),
            _ => link.name.clone(),
        };
        let here = |reference: &Reference| {
            let end = E::of(reference)?;
            (self.now.contains_key(&end) && !self.mute.contains(&end)).then_some(end)
        };
        let mut lines = Vec::new();
        if let Some(end) = here(&link.target) {
            lines.push((end, format!("{name} of {}", words.reference(&link.source))));
        }
        if let Some(end) = here(&link.source).filter(|_| link.field.is_none()) {
            lines.push((end, format!("{name}: {}", words.reference(&link.target))));
        }
        let mut note = note::<E>(link);
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
    fn add_line(&mut self, at: usize, item: &Item, end: &E, line: &str) -> bool {
        let was = self.value(end, E::TEXT);
        let text = was.as_str().unwrap_or_default();
        if text.lines().any(|known| known == line) {
            if lost(item) {
                let others: Vec<&str> = text.lines().filter(|known| *known != line).collect();
                let before = match others.join("\n") {
                    text if text.is_empty() => Value::Null,
                    text => json!(text),
                };
                self.change(at, end, E::TEXT, before, was.clone());
            }
            return true;
        }
        let longer = if text.is_empty() {
            line.to_owned()
        } else {
            format!("{text}\n{line}")
        };
        if !end.fits(&longer) {
            return false;
        }
        self.change(at, end, E::TEXT, was, json!(longer));
        true
    }

    /// The effect that an item has on a record: that of the whole change for the first item that asked for it.
    fn effect(&self, at: usize, end: &E, written: Option<&Written>) -> Effect {
        let matched = effect("links", end.kind(), end.target(), Action::Matched);
        match (self.changes.get(end), written) {
            (Some(change), Some(Written::Done(key))) if change.first == at => {
                let (before, fingerprint) = end.images(change);
                Effect {
                    action: Action::Updated,
                    key: Some(key.clone()),
                    before: Some(before),
                    fingerprint: Some(fingerprint),
                    ..matched
                }
            }
            _ => matched,
        }
    }
}

/// An earlier attempt in this run may have done it, and its answer is lost: what is found as wanted counts as done by it.
fn lost(item: &Item) -> bool {
    item.in_doubt_since.is_some() && item.prior.is_empty()
}

/// What is to be said of a link in words.
fn note<E: End>(link: &Relationship) -> &'static str {
    if link.target.kind == Kind::Agent {
        E::OF_STAFF
    } else if link.source.target.is_none() || link.target.target.is_none() {
        NOT_HERE
    } else {
        E::note(link).unwrap_or(IN_WORDS)
    }
}

/// Reports what became of each link: `fates` are those of `links`, in their order.
pub fn conclude<E: End>(
    cx: &Context,
    links: &[(&Item, &Relationship)],
    fates: Vec<Fate<E>>,
    desk: &Desk<E>,
    written: &BTreeMap<E, Written>,
) {
    for (at, ((item, _), fate)) in links.iter().zip(fates).enumerate() {
        conclude_one(cx, at, item, fate, desk, written);
    }
}

fn conclude_one<E: End>(
    cx: &Context,
    at: usize,
    item: &Item,
    fate: Fate<E>,
    desk: &Desk<E>,
    written: &BTreeMap<E, Written>,
) {
    let unknown = |end: &E| matches!(written.get(end), Some(Written::Unknown));
    let unsettled = || {
        let status = Status::Unsettled("a link that was not answered".to_owned());
        report(cx, item, status, Vec::new(), Vec::new());
    };
    match fate {
        Fate::Gone => {
            let gone = "the record that holds the link is gone".to_owned();
            reject(cx, item, Error::Conflict(gone));
        }
        Fate::Looked(end) if unknown(&end) => unsettled(),
        Fate::Looked(end) => {
            if let Some(Written::Refused(error)) = written.get(&end) {
                reject(cx, item, error.clone());
                return;
            }
            let effect = desk.effect(at, &end, written.get(&end));
            let status = match effect.action {
                Action::Updated => Status::Updated,
                _ => Status::Matched,
            };
            report(cx, item, status, vec![effect], Vec::new());
        }
        Fate::Said(ends, _) if ends.iter().any(unknown) => unsettled(),
        Fate::Said(ends, note) => {
            let mut losses: Vec<Loss> = vec![loss("relationship", Fidelity::Converted, note)];
            let mut effects = Vec::new();
            for end in &ends {
                match written.get(end) {
                    Some(Written::Refused(_)) => {
                        losses.push(loss("relationship", Fidelity::Converted, REFUSED));
                    }
                    done => effects.push(desk.effect(at, end, done)),
                }
            }
            let status = Status::Exported(exported_as(&Kind::Relationship));
            report(cx, item, status, effects, losses);
        }
    }
}
