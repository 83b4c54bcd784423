//! Links between records (rule M-15), as the SDK's `links` has them: of contacts, companies and records of custom objects.
//!
//! Only custom objects have lookups that an API writes (Freshdesk facts §9, §11). A ticket must not be changed any more, and
//! agents are not written to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::{Refusal as _, key, segment};
use transload_sdk::links::{self, Change, Desk, End, Lookup, Written, conclude, is_of_thread};
use transload_sdk::policy::canonical;
use transload_sdk::types::{Error, Kind, Reference, Relationship};

use super::schema::{self, sheet};
use super::{Changed, WRITES, holds, objects};
use crate::api::{Company, Contact, Record, Schema};
use crate::client;
use crate::map::{self, Owner, numeric_target, record_parts};
use crate::state::{Config, State, own_field};

/// Bytes of the text that names links.
const TEXT_BYTES: usize = 30_000;
const ON_TICKETS: &str = "a loaded ticket is not changed, which would wake automations: the other record names the link, \
                          which is in the link table too";
const OF_STAFF: &str = "an agent is not written to: the record that points names the agent, and the link is in the link table";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let state: State = cx.state()?;
    let words = config.words(cx.time_zone());
    let links = links::links(cx, items);
    let ends: BTreeSet<Object> = links::ends(&links);
    let schemas = if ends.iter().any(|end| end.record().is_some()) {
        schema::schemas(cx).await?.unwrap_or_default()
    } else {
        Vec::new()
    };
    let account = Account { cx, state, schemas };
    let (mut desk, records) = account.read(&ends).await?;
    let fates = desk.place(&links, |link| account.lookup(link), &words);
    let written = account.write(&desk, &links, &records).await?;
    conclude(cx, &links, fates, &desk, &written);
    Ok(())
}

/// An object of Freshdesk that links are written to, as effects name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: &'static str,
    id: String,
}

impl Object {
    /// Schema and display id of a record.
    fn record(&self) -> Option<(u64, &str)> {
        (self.kind == "record")
            .then(|| record_parts(&self.id))
            .flatten()
    }

    fn path(&self) -> String {
        match (self.kind, self.record()) {
            (_, Some((schema, id))) => format!("{}/{}", objects::path_of(schema), segment(id)),
            ("company", _) => format!("/api/v2/companies/{}", self.id),
            _ => format!("/api/v2/contacts/{}", self.id),
        }
    }

    /// The member that holds its fields.
    fn fields(&self) -> &'static str {
        if self.kind == "record" {
            "data"
        } else {
            "custom_fields"
        }
    }
}

impl End for Object {
    const TEXT: &'static str = own_field::LINKS;
    const OF_STAFF: &'static str = OF_STAFF;

    fn of(reference: &Reference) -> Option<Self> {
        let kind = match reference.kind {
            Kind::Customer => "contact",
            Kind::Company => "company",
            Kind::CustomObject => "record",
            _ => return None,
        };
        let target = reference.target.as_deref()?;
        let known = match kind {
            "record" => record_parts(target).is_some(),
            _ => numeric_target(reference).is_some(),
        };
        known.then(|| Self {
            kind,
            id: target.to_owned(),
        })
    }

    fn kind(&self) -> &str {
        self.kind
    }

    fn target(&self) -> String {
        self.id.clone()
    }

    fn fits(&self, text: &str) -> bool {
        text.len() <= TEXT_BYTES
    }

    fn note(link: &Relationship) -> Option<&'static str> {
        is_of_thread(link).then_some(ON_TICKETS)
    }

    fn images(&self, change: &Change) -> (String, String) {
        let field = |(name, value): (&String, &Value)| (format!("field {name}"), canonical(value));
        let facets: Vec<(String, String)> = change.becomes.iter().map(field).collect();
        let before = json!({self.fields(): change.was}).to_string();
        (before, map::print(&facets))
    }
}

/// What an account knows of its fields.
struct Account<'a> {
    cx: &'a Context,
    state: State,
    schemas: Vec<Schema>,
}

impl Account<'_> {
    fn schema(&self, id: u64) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.id == id)
    }

    /// The field of an object whose text names links.
    fn text_field(&self, object: &Object) -> Option<&str> {
        match (object.kind, object.record()) {
            (_, Some((schema, _))) => {
                let field = self.schema(schema)?.field(sheet::LINKS)?;
                Some(field.name.as_str())
            }
            ("company", _) => self.state.field(Owner::Company, own_field::LINKS),
            _ => self.state.field(Owner::Contact, own_field::LINKS),
        }
    }

    /// The lookup that can hold a link, and the id it would hold.
    fn lookup(&self, link: &Relationship) -> Option<Lookup<Object>> {
        let end = Object::of(&link.source)?;
        let (schema, _) = end.record()?;
        // Of a link only the name in the source is known; the administrator may have typed the label.
        let names = [
            link.field.as_deref()?,
            link.label.as_deref().unwrap_or(&link.name),
        ];
        let schema = self.schema(schema)?;
        let field = names.into_iter().find_map(|name| schema.field(name))?;
        if field.kind != "RELATIONSHIP" || !links::is_single(link) {
            return None;
        }
        let id = canonical(&map::lookup_value(&link.target)?);
        Some(Lookup {
            field: field.name.clone(),
            end,
            id,
        })
    }

    /// The objects as they are; those that are gone are left out. Records come as well as they were read, with their versions.
    async fn read(
        &self,
        ends: &BTreeSet<Object>,
    ) -> Result<(Desk<Object>, BTreeMap<Object, Record>), Error> {
        let mut desk = Desk::new(BTreeMap::new());
        let mut records = BTreeMap::new();
        for end in ends {
            let Some(fields) = self.fields_of(end, &mut records).await? else {
                continue;
            };
            match self.text_field(end) {
                Some(name) => {
                    let mut fields = fields;
                    let text = fields.get(name).cloned().unwrap_or_default();
                    fields.insert(Object::TEXT.to_owned(), text);
                    desk.now.insert(end.clone(), fields);
                }
                None => {
                    desk.mute.insert(end.clone());
                    desk.now.insert(end.clone(), fields);
                }
            }
        }
        Ok((desk, records))
    }

    async fn fields_of(
        &self,
        end: &Object,
        records: &mut BTreeMap<Object, Record>,
    ) -> Result<Option<Map<String, Value>>, Error> {
        let (cx, path) = (self.cx, end.path());
        Ok(match end.kind {
            "record" => client::find::<Record>(cx, &path).await?.map(|record| {
                let data = record.data.clone();
                records.insert(end.clone(), record);
                data
            }),
            "company" => client::find::<Company>(cx, &path)
                .await?
                .map(|c| c.custom_fields),
            _ => {
                let contact: Option<Contact> = client::find(cx, &path).await?;
                contact.filter(|c| !c.deleted).map(|c| c.custom_fields)
            }
        })
    }

    /// Writes every change.
    async fn write(
        &self,
        desk: &Desk<Object>,
        links: &[(&Item, &Relationship)],
        records: &BTreeMap<Object, Record>,
    ) -> Result<BTreeMap<Object, Written>, Error> {
        let mut written = BTreeMap::new();
        for (object, change) in &desk.changes {
            let first = links.get(change.first).map(|(item, _)| item.key.as_str());
            let done = self
                .put(object, change, first.unwrap_or("*"), records.get(object))
                .await?;
            written.insert(object.clone(), done);
        }
        Ok(written)
    }

    async fn put(
        &self,
        object: &Object,
        wanted: &Change,
        item: &str,
        record: Option<&Record>,
    ) -> Result<Written, Error> {
        let (cx, path) = (self.cx, object.path());
        let named = self.named(object, &wanted.becomes);
        let body = match record {
            Some(record) => objects::put_body(record, &named),
            None => json!({"custom_fields": named}),
        };
        let request = |step: &str| {
            let part = format!("links:{}:{}", object.kind, object.id);
            cx.http()
                .repeatable("PUT", path.clone(), key(item, part, step))
                .json(&body)
        };
        let read = async || client::find::<Value>(cx, &path).await;
        let is_done = |now: &Value| {
            now.get(object.fields())
                .is_some_and(|fields| holds(fields, &named))
        };
        Ok(match WRITES.change(cx, request, read, is_done).await? {
            Changed::Done(_, key) => Written::Done(key),
            Changed::Refused(refusal) => Written::Refused(refusal.rejection()),
            Changed::Unknown => Written::Unknown,
        })
    }

    /// Values by the names of the account's own fields.
    fn named(&self, object: &Object, values: &Map<String, Value>) -> Map<String, Value> {
        let name = |name: &String| match self.text_field(object) {
            Some(field) if name == Object::TEXT => field.to_owned(),
            _ => name.clone(),
        };
        // A lookup of a contact, company or ticket holds a number (Freshdesk facts §11 [INF]).
        let schema = object.record().and_then(|(schema, _)| self.schema(schema));
        let typed = |key: &String, value: &Value| {
            let field = schema.and_then(|schema| schema.field(key));
            let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
            match number {
                Some(id) if field.is_some_and(|field| field.kind == "RELATIONSHIP") => json!(id),
                _ => value.clone(),
            }
        };
        values
            .iter()
            .map(|(key, value)| (name(key), typed(key, value)))
            .collect()
    }
}

/// The field of a record of a custom object whose text names links, for putting it back.
///
/// # Errors
/// What ends the unit.
pub async fn record_text_field(cx: &Context, schema: u64) -> Result<Option<String>, Error> {
    let schemas = schema::schemas(cx).await?.unwrap_or_default();
    let schema = schemas.iter().find(|one| one.id == schema);
    let field = schema.and_then(|schema| schema.field(sheet::LINKS));
    Ok(field.map(|field| field.name.clone()))
}
