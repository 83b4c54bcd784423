//! Links between records, readable from both ends (rule M-15).
//!
//! A link that one lookup field can hold stands in that field, which Zendesk shows on both records. Any other (one of several,
//! one whose field is no lookup, one of a ticket, which must not be changed any more) is said in words: on the record that
//! points, where its own fields and its card have said it since it was written, and on the one pointed to, in a text field of
//! ours that is filled here. Those are exported as well: the link table. Agents are named, not written to.
//!
//! All that a unit changes on one record is one write, and the first item that asked for it has the effect; so units of links
//! must not run at once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::OperationKey;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::types::{Entity, Error, Fidelity, Invalid, Kind, Loss, Reference, Relationship};

use super::{
    Changed, SETTLE_BY_KEY_MS, change, effect, exported_as, holds, objects, reject, report, schema,
};
use crate::api::{JobRow, JobStatus, Organization, Record, User};
use crate::client::{self, Sent, key};
use crate::map::{self, FieldOwner, loss};
use crate::state::{Config, own_field};
use crate::words::{self, Words};
use crate::write::tickets::rows_by_index;
use transload_sdk::policy::canonical;

/// Records of one read or one job (Zendesk facts §6.1, §11).
const BULK: usize = 100;
/// Bytes of the text that names links to a record of 32 KB (Zendesk facts §11).
const RECORD_BYTES: usize = 6_000;
/// The same for users and organizations.
const PERSON_BYTES: usize = 30_000;

const ON_TICKETS: &str = "a loaded ticket is not changed, which would wake its triggers: the other record names the link, \
                          which is in the link table too";
const IN_WORDS: &str =
    "no lookup field can hold it: both records name it, and it is in the link table";
const NOT_HERE: &str =
    "one of its records was not migrated: the other names it, and it is in the link table";
const OF_STAFF: &str = "an agent is not written to: the record that points names the agent, and the link is in the link table";
const NO_ROOM: &str = "more links than the text of a record holds: this one is in the link table";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let words = words::of_account(&config.subdomain, cx.time_zone());
    let mut links = Vec::new();
    for item in items {
        match &item.entry().data {
            Entity::Relationship(link) => links.push((item, link)),
            _ => reject(cx, item, Error::Bug("no relationship".to_owned())),
        }
    }
    let lookups = lookups(cx, &links).await?;
    let mut desk = Desk::read(cx, &links).await?;
    let mut fates = Vec::with_capacity(links.len());
    for (at, (item, link)) in links.iter().enumerate() {
        fates.push(desk.place(at, item, link, &lookups, &words));
    }
    let written = desk.write(cx, &links).await?;
    for (at, ((item, _), fate)) in links.iter().zip(fates).enumerate() {
        conclude(cx, at, item, fate, &desk, &written);
    }
    Ok(())
}

// ---- what there is

/// An object of Zendesk that links are written to, as effects name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    kind: &'static str,
    id: String,
}

impl Object {
    /// What stands for a record; `None` where nothing does that could hold a link.
    fn of(reference: &Reference) -> Option<Self> {
        let target = reference.target.as_deref()?;
        if map::placeholder_name(target).is_some() {
            return None;
        }
        let kind = match reference.kind {
            Kind::Customer => "user",
            Kind::Company => "organization",
            Kind::CustomObject if target.contains('/') => "custom_object_record",
            _ => return None,
        };
        Some(Self {
            kind,
            id: target.to_owned(),
        })
    }

    /// Key and id of a record.
    fn record(&self) -> Option<(&str, &str)> {
        self.id
            .split_once('/')
            .filter(|_| self.kind == "custom_object_record")
    }

    fn owner(&self) -> FieldOwner {
        match (self.kind, self.record()) {
            (_, Some((object, _))) => FieldOwner::Object(object.to_owned()),
            ("organization", _) => FieldOwner::Organization,
            _ => FieldOwner::User,
        }
    }

    /// The member that holds an object's fields.
    fn fields(&self) -> &'static str {
        match self.kind {
            "user" => "user_fields",
            "organization" => "organization_fields",
            _ => "custom_object_fields",
        }
    }

    fn room(&self) -> usize {
        match self.kind {
            "custom_object_record" => RECORD_BYTES,
            _ => PERSON_BYTES,
        }
    }
}

/// Keys of lookup fields, by what they sit on.
async fn lookups(
    cx: &Context,
    links: &[(&Item, &Relationship)],
) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut found = BTreeMap::new();
    let objects = links
        .iter()
        .filter_map(|(_, link)| Object::of(&link.source));
    for owner in objects.map(|object| object.owner()) {
        let path = owner.path();
        if found.contains_key(&path) {
            continue;
        }
        let fields = schema::all_fields(cx, &owner).await?;
        let keys = fields
            .into_iter()
            .filter(|field| field.kind == "lookup")
            .filter_map(|field| field.key);
        found.insert(path, keys.collect());
    }
    Ok(found)
}

/// The objects that a unit's links are about, and what is to be changed on them.
struct Desk {
    now: BTreeMap<Object, Map<String, Value>>,
    changes: BTreeMap<Object, Change>,
}

/// What is to be changed on one object.
#[derive(Default)]
struct Change {
    first: usize,
    was: Map<String, Value>,
    becomes: Map<String, Value>,
}

/// Up to a hundred records of one object, for one job.
struct Chunk<'c> {
    kind: &'c str,
    part: String,
    objects: Vec<&'c Object>,
}

/// What is to become of a link.
enum Fate {
    /// In a lookup field of this object.
    Looked(Object),
    /// In words on these objects, with what is to be said of it.
    Said(Vec<Object>, &'static str),
    /// The object that should hold it is gone.
    Gone,
}

impl Desk {
    async fn read(cx: &Context, links: &[(&Item, &Relationship)]) -> Result<Self, Error> {
        let ends = links
            .iter()
            .flat_map(|(_, link)| [&link.source, &link.target]);
        let wanted: BTreeSet<Object> = ends.filter_map(Object::of).collect();
        Ok(Self {
            now: read(cx, &wanted).await?,
            changes: BTreeMap::new(),
        })
    }

    fn value(&self, object: &Object, key: &str) -> Value {
        let pending = self.changes.get(object).and_then(|c| c.becomes.get(key));
        let now = self.now.get(object).and_then(|fields| fields.get(key));
        pending.or(now).cloned().unwrap_or_default()
    }

    fn change(&mut self, at: usize, object: &Object, key: &str, was: Value, becomes: Value) {
        let change = self
            .changes
            .entry(object.clone())
            .or_insert_with(|| Change {
                first: at,
                ..Change::default()
            });
        change.was.entry(key.to_owned()).or_insert(was);
        change.becomes.insert(key.to_owned(), becomes);
    }

    fn place(
        &mut self,
        at: usize,
        item: &Item,
        link: &Relationship,
        lookups: &BTreeMap<String, BTreeSet<String>>,
        words: &Words,
    ) -> Fate {
        if let Some((object, key, value)) = lookup(link, lookups) {
            if !self.now.contains_key(&object) {
                return Fate::Gone;
            }
            let was = self.value(&object, &key);
            if was.is_null() {
                self.change(at, &object, &key, was, json!(value));
                return Fate::Looked(object);
            }
            if canonical(&was) == value {
                if lost(item) {
                    // Only an empty lookup is ever set: so that is what it was.
                    self.change(at, &object, &key, Value::Null, was);
                }
                return Fate::Looked(object);
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
        let here =
            |reference: &Reference| Object::of(reference).filter(|o| self.now.contains_key(o));
        if let Some(object) = here(&link.target) {
            lines.push((
                object,
                format!("{name} of {}", words.reference(&link.source)),
            ));
        }
        if let Some(object) = here(&link.source).filter(|_| link.field.is_none()) {
            lines.push((object, format!("{name}: {}", words.reference(&link.target))));
        }
        let mut note = note(link);
        let mut objects = Vec::new();
        for (object, line) in lines {
            if self.add_line(at, item, &object, &line) {
                objects.push(object);
            } else {
                note = NO_ROOM;
            }
        }
        Fate::Said(objects, note)
    }

    /// Adds a line to the text that names links; false when there is no room for it.
    fn add_line(&mut self, at: usize, item: &Item, object: &Object, line: &str) -> bool {
        let was = self.value(object, own_field::LINKS);
        let text = was.as_str().unwrap_or_default();
        if text.lines().any(|known| known == line) {
            if lost(item) {
                let others: Vec<&str> = text.lines().filter(|known| *known != line).collect();
                let before = match others.join("\n") {
                    text if text.is_empty() => Value::Null,
                    text => json!(text),
                };
                self.change(at, object, own_field::LINKS, before, was.clone());
            }
            return true;
        }
        let longer = if text.is_empty() {
            line.to_owned()
        } else {
            format!("{text}\n{line}")
        };
        if longer.len() > object.room() {
            return false;
        }
        self.change(at, object, own_field::LINKS, was, json!(longer));
        true
    }

    /// Writes every change.
    async fn write(
        &self,
        cx: &Context,
        links: &[(&Item, &Relationship)],
    ) -> Result<BTreeMap<Object, Written>, Error> {
        let mut written = BTreeMap::new();
        let mut records: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
        for (object, change) in &self.changes {
            match object.record() {
                Some((kind, _)) => records.entry(kind).or_default().push(object),
                None => {
                    let done = put(cx, object, change).await?;
                    written.insert(object.clone(), done);
                }
            }
        }
        let chunks = records.iter().flat_map(|(kind, objects)| {
            objects
                .chunks(BULK)
                .map(|chunk| self.chunk(kind, chunk, links))
        });
        let mut open: Vec<Chunk<'_>> = chunks.collect();
        // They may be sent twice, and are when an answer was not seen and the change was not done.
        for step in ["update", "update-again"] {
            open = self.jobs(cx, open, step, &mut written).await?;
        }
        Ok(written)
    }

    fn chunk<'c>(
        &self,
        kind: &'c str,
        objects: &[&'c Object],
        links: &[(&Item, &Relationship)],
    ) -> Chunk<'c> {
        let first = objects
            .iter()
            .filter_map(|object| self.changes.get(*object))
            .filter_map(|change| links.get(change.first))
            .map(|(item, _)| item.key.as_str())
            .next();
        Chunk {
            kind,
            part: format!("links:{kind}:{}", first.unwrap_or_default()),
            objects: objects.to_vec(),
        }
    }

    /// A job for each chunk; all are begun before the first is waited for. Gives the chunks of which not all is known.
    async fn jobs<'c>(
        &self,
        cx: &Context,
        chunks: Vec<Chunk<'c>>,
        step: &str,
        written: &mut BTreeMap<Object, Written>,
    ) -> Result<Vec<Chunk<'c>>, Error> {
        let mut sent = Vec::new();
        for chunk in chunks {
            let key = key("*", chunk.part.clone(), step);
            let path = format!("/api/v2/custom_objects/{}/jobs", chunk.kind);
            let write = client::idempotent(cx, "POST", path, key.clone())
                .json(&self.job_body(&chunk))
                .lifetime(objects::JOB_LIFE_MS);
            let id = match client::write(write).await? {
                Sent::Done(answer) => Some(answer.take::<JobStatus>("job_status")?.id),
                Sent::Doubt => None,
                Sent::Refused(refusal) => {
                    let refused = |object: &&Object| {
                        let why = Written::Refused(client::rejection(&refusal));
                        ((*object).clone(), why)
                    };
                    written.extend(chunk.objects.iter().map(refused));
                    continue;
                }
            };
            sent.push((chunk, key, id));
        }
        if sent.iter().any(|(_, _, id)| id.is_none()) {
            cx.sleep(SETTLE_BY_KEY_MS).await;
        }
        let mut open = Vec::new();
        for (chunk, key, id) in sent {
            let rows = match id {
                Some(id) => client::job(cx, &id).await?.and_then(|job| job.results),
                None => None,
            };
            let rows = rows_by_index(rows.unwrap_or_default(), chunk.objects.len());
            let wanted = chunk
                .objects
                .iter()
                .map(|object| (*object).clone())
                .collect();
            let now = read(cx, &wanted).await?;
            let mut all_known = true;
            for (index, object) in chunk.objects.iter().enumerate() {
                let refused = rows.get(&index).and_then(JobRow::refusal);
                let fate = match refused {
                    _ if self.is_there(object, &now) => Written::Done(key.clone()),
                    Some(reason) => Written::Refused(Error::Invalid(Invalid {
                        field: None,
                        reason,
                    })),
                    None => Written::Unknown,
                };
                all_known &= !matches!(fate, Written::Unknown);
                written.insert((*object).clone(), fate);
            }
            if !all_known {
                open.push(chunk);
            }
        }
        Ok(open)
    }

    fn job_body(&self, chunk: &Chunk<'_>) -> Value {
        let item = |object: &&Object| {
            let id = object.record().map(|(_, id)| id);
            let fields = self.changes.get(*object).map(|change| &change.becomes);
            json!({"id": id, "custom_object_fields": fields})
        };
        let items: Vec<Value> = chunk.objects.iter().map(item).collect();
        json!({"job": {"action": "update", "items": items}})
    }

    fn is_there(&self, object: &Object, now: &BTreeMap<Object, Map<String, Value>>) -> bool {
        let (Some(change), Some(now)) = (self.changes.get(object), now.get(object)) else {
            return false;
        };
        holds(&Value::Object(now.clone()), &change.becomes)
    }
}

/// An earlier attempt in this run may have done it, and its answer is lost: what is found as wanted counts as done by it.
fn lost(item: &Item) -> bool {
    item.in_doubt_since.is_some() && item.prior.is_empty()
}

/// The lookup field that can hold a link, and the id it would hold.
fn lookup(
    link: &Relationship,
    lookups: &BTreeMap<String, BTreeSet<String>>,
) -> Option<(Object, String, String)> {
    let object = Object::of(&link.source)?;
    let key = map::key(link.field.as_deref()?);
    let known = lookups.get(&object.owner().path())?;
    let value = map::lookup_id(&link.target).ok()?.to_owned();
    let single = link.position.is_none_or(|position| position == 0);
    (single && known.contains(&key)).then_some((object, key, value))
}

/// What is to be said of a link in words.
fn note(link: &Relationship) -> &'static str {
    let is_ticket = |end: &Reference| matches!(end.kind, Kind::Conversation | Kind::Message);
    if link.target.kind == Kind::Agent {
        OF_STAFF
    } else if link.source.target.is_none() || link.target.target.is_none() {
        NOT_HERE
    } else if is_ticket(&link.source) || is_ticket(&link.target) {
        ON_TICKETS
    } else {
        IN_WORDS
    }
}

/// The fields of objects as they are; those that are gone are left out.
async fn read(
    cx: &Context,
    wanted: &BTreeSet<Object>,
) -> Result<BTreeMap<Object, Map<String, Value>>, Error> {
    let mut found = BTreeMap::new();
    let of = |kind: &str| -> Vec<&Object> { wanted.iter().filter(|o| o.kind == kind).collect() };
    for chunk in of("user").chunks(BULK) {
        let users: Vec<User> = many(cx, "users", chunk).await?;
        for user in users.into_iter().filter(|user| user.active != Some(false)) {
            let id = user.id.unwrap_or_default().to_string();
            found.insert(Object { kind: "user", id }, user.user_fields);
        }
    }
    for chunk in of("organization").chunks(BULK) {
        let organizations: Vec<Organization> = many(cx, "organizations", chunk).await?;
        for organization in organizations {
            let id = organization.id.to_string();
            let object = Object {
                kind: "organization",
                id,
            };
            found.insert(object, organization.organization_fields);
        }
    }
    let mut records: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (object, id) in wanted.iter().filter_map(Object::record) {
        records.entry(object).or_default().push(id);
    }
    for (object, ids) in records {
        for ids in ids.chunks(BULK) {
            let ids = client::query_list(ids);
            let path = format!("/api/v2/custom_objects/{object}/records?filter[ids]={ids}");
            let rows: Vec<Record> = client::list(cx, &path, "custom_object_records").await?;
            for record in rows {
                let object = Object {
                    kind: "custom_object_record",
                    id: map::record_target(object, &record.id),
                };
                found.insert(object, record.custom_object_fields);
            }
        }
    }
    Ok(found)
}

async fn many<T: serde::de::DeserializeOwned>(
    cx: &Context,
    member: &str,
    objects: &[&Object],
) -> Result<Vec<T>, Error> {
    let ids = client::query_list(objects.iter().map(|object| object.id.as_str()));
    let path = format!("/api/v2/{member}/show_many?ids={ids}");
    Ok(client::find_member(cx, &path, member)
        .await?
        .unwrap_or_default())
}

// ---- what is done

/// What became of a change.
enum Written {
    Done(OperationKey),
    Refused(Error),
    Unknown,
}

/// Changes a user or an organization.
async fn put(cx: &Context, object: &Object, wanted: &Change) -> Result<Written, Error> {
    let path = format!("/api/v2/{}s/{}", object.kind, object.id);
    let mut body = json!({object.fields(): wanted.becomes});
    if let (Some(body), "user") = (body.as_object_mut(), object.kind) {
        body.insert("skip_verify_email".to_owned(), json!(true));
    }
    let body = json!({object.kind: body});
    let request = |step: &str| {
        let part = format!("links:{}:{}", object.kind, object.id);
        client::idempotent(cx, "PUT", path.clone(), key("*", part, step)).json(&body)
    };
    let read = async || client::find_member::<Value>(cx, &path, object.kind).await;
    let is_done = |now: &Value| {
        now.get(object.fields())
            .is_some_and(|fields| holds(fields, &wanted.becomes))
    };
    Ok(
        match change(cx, object.kind, request, read, is_done).await? {
            Changed::Done(_, key) => Written::Done(key),
            Changed::Refused(refusal) => Written::Refused(client::rejection(&refusal)),
            Changed::Unknown => Written::Unknown,
        },
    )
}

/// The effect that an item has on an object: that of the whole write for the first item that asked for it.
fn effect_of(at: usize, object: &Object, desk: &Desk, written: &Written) -> Effect {
    let matched = effect("links", object.kind, object.id.as_str(), Action::Matched);
    match (desk.changes.get(object), written) {
        (Some(change), Written::Done(key)) if change.first == at => {
            let facets: Vec<(String, String)> = change
                .becomes
                .iter()
                .map(|(name, value)| (format!("field {name}"), canonical(value)))
                .collect();
            Effect {
                action: Action::Updated,
                key: Some(key.clone()),
                before: Some(json!({object.fields(): change.was}).to_string()),
                fingerprint: Some(map::print(&facets)),
                ..matched
            }
        }
        _ => matched,
    }
}

fn conclude(
    cx: &Context,
    at: usize,
    item: &Item,
    fate: Fate,
    desk: &Desk,
    written: &BTreeMap<Object, Written>,
) {
    let unknown = |object: &&Object| matches!(written.get(*object), Some(Written::Unknown));
    let unsettled = || Status::Unsettled("a link that was not answered".to_owned());
    match fate {
        Fate::Gone => {
            let gone = "the record that holds the link is gone".to_owned();
            reject(cx, item, Error::Conflict(gone));
        }
        Fate::Looked(object) => {
            let effects = match written.get(&object) {
                Some(Written::Refused(error)) => {
                    reject(cx, item, error.clone());
                    return;
                }
                Some(Written::Unknown) => {
                    report(cx, item, unsettled(), Vec::new(), Vec::new());
                    return;
                }
                Some(done) => effect_of(at, &object, desk, done),
                None => effect("links", object.kind, object.id, Action::Matched),
            };
            let status = match effects.action {
                Action::Updated => Status::Updated,
                _ => Status::Matched,
            };
            report(cx, item, status, vec![effects], Vec::new());
        }
        Fate::Said(objects, _) if objects.iter().any(|object| unknown(&object)) => {
            report(cx, item, unsettled(), Vec::new(), Vec::new());
        }
        Fate::Said(objects, note) => {
            let mut losses: Vec<Loss> = vec![loss("relationship", Fidelity::Converted, note)];
            let mut effects = Vec::new();
            for object in &objects {
                match written.get(object) {
                    Some(Written::Refused(_)) => {
                        let note =
                            "the record it points to could not take its name: in the link table";
                        losses.push(loss("relationship", Fidelity::Converted, note));
                    }
                    Some(done) => effects.push(effect_of(at, object, desk, done)),
                    None => effects.push(effect(
                        "links",
                        object.kind,
                        object.id.as_str(),
                        Action::Matched,
                    )),
                }
            }
            let status = Status::Exported(exported_as(&Kind::Relationship));
            report(cx, item, status, effects, losses);
        }
    }
}
