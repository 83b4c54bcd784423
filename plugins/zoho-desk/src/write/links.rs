//! Links between records (rule M-15), as the SDK's `links` has them: of contacts, accounts and records of custom modules.
//!
//! A loaded ticket is not changed any more, which would wake automations, and agents are not written to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::destination::Item;
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::links::{
    self, Change, Desk as Links, End, Lookup, Written, conclude, is_of_thread,
};
use transload_sdk::types::{Error, Kind, Reference, Relationship};

use super::objects::{self, RECORD};
use super::people::{self, cf_of, kind_of};
use super::{Changed, WRITES, schema};
use crate::api::Field;
use crate::client::Desk;
use crate::map::{self, Owner, own_target, plain};
use crate::own;

/// Characters of the text that names links where its field says nothing of its length.
const TEXT_CHARS: usize = map::AREA_CHARS;
const ON_TICKETS: &str = "a loaded ticket is not changed, which would wake automations: the other record names the link, \
                          which is in the link table too";
const OF_STAFF: &str = "an agent is not written to: the record that points names the agent, and the link is in the link table";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let words = desk.config.words(desk.cx.time_zone());
    let links = links::links(&desk.cx, items);
    let ends: BTreeSet<Object> = links::ends(&links);
    let modules: BTreeSet<&str> = ends.iter().map(Object::module).collect();
    let mut fields = BTreeMap::new();
    for module in modules {
        let all = schema::all_fields(desk, module).await?;
        fields.insert(module.to_owned(), all);
    }
    let account = Account { desk, fields };
    let mut placed = account.read(&ends).await?;
    let fates = placed.place(&links, |link| account.lookup(link), &words);
    let mut written = BTreeMap::new();
    for (object, change) in &placed.changes {
        let first = links.get(change.first).map(|(item, _)| item.key.as_str());
        let done = account.patch(object, change, first.unwrap_or("*")).await?;
        written.insert(object.clone(), done);
    }
    conclude(&desk.cx, &links, fates, &placed, &written);
    Ok(())
}

/// An object that links are written to, as effects name it: its path is `/contacts/7`, `/cm_orders/7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: &'static str,
    /// `contacts/7`, `cm_orders/7`.
    place: String,
}

impl Object {
    fn module(&self) -> &str {
        self.place.split('/').next().unwrap_or_default()
    }

    fn owner(&self) -> Option<Owner> {
        Owner::ALL
            .into_iter()
            .find(|owner| owner.module() == self.module())
    }
}

impl End for Object {
    const TEXT: &'static str = own::LINKS;
    const OF_STAFF: &'static str = OF_STAFF;

    fn of(reference: &Reference) -> Option<Self> {
        let owner = match reference.kind {
            Kind::Customer => Some(Owner::Contact),
            Kind::Company => Some(Owner::Account),
            Kind::CustomObject => None,
            _ => return None,
        };
        let id = own_target(reference)?;
        Some(match owner {
            Some(owner) => Self {
                kind: kind_of(owner),
                place: format!("{}/{id}", owner.module()),
            },
            None => Self {
                kind: RECORD,
                place: reference.target.clone().filter(|to| to.contains('/'))?,
            },
        })
    }

    fn kind(&self) -> &str {
        self.kind
    }

    fn target(&self) -> String {
        let id = self.place.split('/').nth(1).unwrap_or_default();
        match self.kind {
            RECORD => self.place.clone(),
            _ => id.to_owned(),
        }
    }

    fn fits(&self, text: &str) -> bool {
        text.chars().count() <= TEXT_CHARS
    }

    fn is_same(held: &Value, id: &str) -> bool {
        plain(held) == id
    }

    fn note(link: &Relationship) -> Option<&'static str> {
        is_of_thread(link).then_some(ON_TICKETS)
    }

    fn images(&self, change: &Change) -> (String, String) {
        let field = |(name, value): (&String, &Value)| (format!("field {name}"), plain(value));
        let facets: Vec<(String, String)> = change.becomes.iter().map(field).collect();
        (json!({"cf": change.was}).to_string(), map::print(&facets))
    }
}

/// The API name of the field of an object whose text names links.
pub fn text_field(desk: &Desk, owner: Option<Owner>, fields: &[Field]) -> Option<String> {
    match owner {
        Some(owner) => desk.state.own(owner, own::LINKS).map(str::to_owned),
        None => {
            let own = schema::own_of(fields);
            own.get(own::LINKS).map(|field| field.api_name.clone())
        }
    }
}

/// What an account knows of its fields.
struct Account<'a> {
    desk: &'a Desk,
    fields: BTreeMap<String, Vec<Field>>,
}

impl Account<'_> {
    fn of(&self, object: &Object) -> &[Field] {
        let fields = self.fields.get(object.module());
        fields.map(Vec::as_slice).unwrap_or_default()
    }

    fn text_field(&self, object: &Object) -> Option<String> {
        text_field(self.desk, object.owner(), self.of(object))
    }

    /// The look-up that can hold a link, and the id it would hold.
    fn lookup(&self, link: &Relationship) -> Option<Lookup<Object>> {
        if !links::is_single(link) {
            return None;
        }
        let end = Object::of(&link.source)?;
        let names = [
            link.label.as_deref().unwrap_or(&link.name),
            link.field.as_deref()?,
        ];
        let same = |field: &&Field, name: &str| {
            let labels = [
                name.to_lowercase(),
                format!("{} ({})", names[0], names[1]).to_lowercase(),
            ];
            field.is_custom()
                && field.kind == "LookUp"
                && labels.contains(&field.display_label.trim().to_lowercase())
        };
        let fields = self.of(&end);
        let field = names
            .iter()
            .find_map(|name| fields.iter().find(|field| same(field, name)))?;
        Some(Lookup {
            field: field.api_name.clone(),
            id: own_target(&link.target)?.to_owned(),
            end,
        })
    }

    /// The objects as they are, with the text of links under a name of its own; those that are gone are left out.
    async fn read(&self, ends: &BTreeSet<Object>) -> Result<Links<Object>, Error> {
        let mut links = Links::new(BTreeMap::new());
        for end in ends {
            let found = match end.owner() {
                Some(owner) => people::read_one(self.desk, owner, &end.target()).await?,
                None => objects::read(self.desk, &end.place).await?,
            };
            let Some(found) = found else { continue };
            let mut now: Map<String, Value> = cf_of(&found)
                .into_iter()
                .map(|(name, value)| {
                    let text = plain(&value);
                    let value = match text.is_empty() {
                        true => Value::Null,
                        // A text of several lines is what it is.
                        false => value.as_str().map_or_else(|| json!(text), |own| json!(own)),
                    };
                    (name, value)
                })
                .collect();
            match self.text_field(end) {
                Some(name) => {
                    let text = now.get(&name).cloned().unwrap_or_default();
                    now.insert(Object::TEXT.to_owned(), text);
                }
                None => {
                    links.mute.insert(end.clone());
                }
            }
            links.now.insert(end.clone(), now);
        }
        Ok(links)
    }

    async fn patch(&self, object: &Object, wanted: &Change, item: &str) -> Result<Written, Error> {
        let path = format!("/{}", object.place);
        let named: Map<String, Value> = wanted
            .becomes
            .iter()
            .map(|(name, value)| {
                let own = self.text_field(object).filter(|_| name == Object::TEXT);
                (own.unwrap_or_else(|| name.clone()), value.clone())
            })
            .collect();
        let body = json!({"cf": named});
        let request = |step: &str| {
            let key = key(item, format!("links:{}", object.place), step);
            self.desk.idempotent("PATCH", path.clone(), key).json(&body)
        };
        let read = async || self.desk.find::<people::Object>(&path).await;
        let is_done = |now: &people::Object| map::has(&cf_of(now), &named);
        Ok(
            match WRITES.change(&self.desk.cx, request, read, is_done).await? {
                Changed::Done(_, key) => Written::Done(key),
                Changed::Refused(refusal) => Written::Refused(refusal.rejection()),
                Changed::Unknown => Written::Unknown,
            },
        )
    }
}
