//! Links between records (rule M-15), as the SDK's `links` has them: of accounts, contacts, leads, cases, users and custom objects.
//!
//! Users are named, and written to only where a lookup of theirs is meant.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::Refusal as _;
use transload_sdk::links::{self, Change, Desk, End, Lookup, Written, conclude};
use transload_sdk::policy::canonical;
use transload_sdk::types::{Error, Reference, Relationship};

use super::sent_print;
use crate::api::id18;
use crate::client::{self, ChangeRow, Changed};
use crate::fields::{LINKS, LIST_CHARS};
use crate::map::{self, own_target, record_parts, record_target};
use crate::state::{Config, State};
use crate::text::chars;

const OF_STAFF: &str = "a user is not written to: the record that points names the user, and the link is in the link table";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let words = config.words(cx.time_zone());
    let links = links::links(cx, items);
    let lookups = lookups(cx, &links).await?;
    let mut desk = read(cx, &state, &links, &lookups).await?;
    let fates = desk.place(&links, |link| lookup(link, &lookups), &words);
    let written = write(cx, &desk, &links).await?;
    conclude(cx, &links, fates, &desk, &written);
    Ok(())
}

// ---- what there is

/// A record that links are written to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    object: String,
    id: String,
}

impl End for Record {
    const TEXT: &'static str = LINKS;
    const OF_STAFF: &'static str = OF_STAFF;

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

    fn kind(&self) -> &str {
        &self.object
    }

    fn target(&self) -> String {
        if self.object.ends_with("__c") {
            record_target(&self.object, &self.id)
        } else {
            self.id.clone()
        }
    }

    fn fits(&self, text: &str) -> bool {
        chars(text) <= LIST_CHARS
    }

    fn is_same(held: &Value, id: &str) -> bool {
        id18(&canonical(held)) == id
    }

    fn images(&self, change: &Change) -> (String, String) {
        let before = Value::Object(change.was.clone()).to_string();
        (before, sent_print(&change.becomes))
    }
}

/// Names of the lookup fields that links name, by object.
type Lookups = BTreeMap<String, BTreeSet<String>>;

async fn lookups(cx: &Context, links: &[(&Item, &Relationship)]) -> Result<Lookups, Error> {
    let pointing = links.iter().filter(|(_, link)| link.field.is_some());
    let pointing: BTreeSet<String> = pointing
        .filter_map(|(_, link)| Record::of(&link.source))
        .map(|end| end.object)
        .collect();
    let named: BTreeSet<String> = links
        .iter()
        .filter_map(|(_, link)| link.field.as_deref())
        .map(map::field_name)
        .collect();
    let mut lookups = BTreeMap::new();
    for object in pointing {
        let described = client::describe(cx, &object).await?.unwrap_or_default();
        let fields = described.fields.into_iter();
        let known = fields
            .filter(|field| field.kind == "reference" && field.custom)
            .map(|field| field.name)
            .filter(|name| named.contains(name));
        lookups.insert(object, known.collect());
    }
    Ok(lookups)
}

/// The lookup field that can hold a link, and the id it would hold.
fn lookup(link: &Relationship, lookups: &Lookups) -> Option<Lookup<Record>> {
    let end = Record::of(&link.source)?;
    let field = map::field_name(link.field.as_deref()?);
    let known = lookups.get(&end.object)?;
    let id = id18(own_target(&link.target)?);
    (links::is_single(link) && known.contains(&field)).then_some(Lookup { end, field, id })
}

/// The records that a unit's links are about.
async fn read(
    cx: &Context,
    state: &State,
    links: &[(&Item, &Relationship)],
    lookups: &Lookups,
) -> Result<Desk<Record>, Error> {
    let mut by_object: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for end in links::ends::<Record>(links) {
        by_object.entry(end.object).or_default().insert(end.id);
    }
    let mut desk = Desk::new(BTreeMap::new());
    for (object, ids) in by_object {
        let worded = object.ends_with("__c") || state.has(&object, LINKS);
        let mut fields = vec!["Id"];
        fields.extend(worded.then_some(LINKS));
        let known = lookups.get(&object);
        fields.extend(known.into_iter().flatten().map(String::as_str));
        for (id, record) in client::retrieve(cx, &object, &ids, &fields).await? {
            let end = Record {
                object: object.clone(),
                id,
            };
            if !worded {
                desk.mute.insert(end.clone());
            }
            desk.now.insert(end, record);
        }
    }
    Ok(desk)
}

/// Writes every change, an object's at a time.
async fn write(
    cx: &Context,
    desk: &Desk<Record>,
    links: &[(&Item, &Relationship)],
) -> Result<BTreeMap<Record, Written>, Error> {
    let mut by_object: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for end in desk.changes.keys() {
        by_object.entry(&end.object).or_default().push(end);
    }
    let mut written = BTreeMap::new();
    for (object, ends) in by_object {
        let row = |end: &&Record| {
            let change = desk.changes.get(*end);
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
        let done = done.into_iter().map(|change| match change {
            Changed::Done(key) => Written::Done(key),
            Changed::Refused(fault) => Written::Refused(fault.rejection()),
            Changed::Unsettled => Written::Unknown,
        });
        written.extend(ends.into_iter().cloned().zip(done));
    }
    Ok(written)
}
