//! Links between records (rule M-15), as the SDK's `links` has them: of users, organizations and custom object records.
//!
//! A lookup field shows on both records. A ticket must not be changed any more, and agents are not written to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::{self, Refusal as _, key};
use transload_sdk::links::{self, Change, Desk, End, Lookup, Written, conclude, is_of_thread};
use transload_sdk::policy::canonical;
use transload_sdk::types::{Error, Invalid, Kind, Reference, Relationship};

use super::{Changed, SETTLE_BY_KEY_MS, WRITES, holds, objects, schema};
use crate::api::{JobRow, JobStatus, Organization, Record, User};
use crate::client::{self, Sent};
use crate::map::{self, FieldOwner};
use crate::state::{Config, own_field};
use crate::words;
use crate::write::tickets::rows_by_index;

/// Records of one read or one job (Zendesk facts §6.1, §11).
const BULK: usize = 100;
/// Bytes of the text that names links to a record of 32 KB (Zendesk facts §11).
const RECORD_BYTES: usize = 6_000;
/// The same for users and organizations.
const PERSON_BYTES: usize = 30_000;

const ON_TICKETS: &str = "a loaded ticket is not changed, which would wake its triggers: the other record names the link, \
                          which is in the link table too";
const OF_STAFF: &str = "an agent is not written to: the record that points names the agent, and the link is in the link table";

/// Links of records.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let words = words::of_account(&config.subdomain, cx.time_zone());
    let links = links::links(cx, items);
    let lookups = lookups(cx, &links).await?;
    let mut desk = Desk::new(read(cx, &links::ends(&links)).await?);
    let fates = desk.place(&links, |link| lookup(link, &lookups), &words);
    let written = write(cx, &desk, &links).await?;
    conclude(cx, &links, fates, &desk, &written);
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
}

impl End for Object {
    const TEXT: &'static str = own_field::LINKS;
    const OF_STAFF: &'static str = OF_STAFF;

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

    fn kind(&self) -> &str {
        self.kind
    }

    fn target(&self) -> String {
        self.id.clone()
    }

    fn fits(&self, text: &str) -> bool {
        let room = match self.kind {
            "custom_object_record" => RECORD_BYTES,
            _ => PERSON_BYTES,
        };
        text.len() <= room
    }

    fn note(link: &Relationship) -> Option<&'static str> {
        is_of_thread(link).then_some(ON_TICKETS)
    }

    fn images(&self, change: &Change) -> (String, String) {
        let facets: Vec<(String, String)> = change
            .becomes
            .iter()
            .map(|(name, value)| (format!("field {name}"), canonical(value)))
            .collect();
        let before = json!({self.fields(): change.was}).to_string();
        (before, map::print(&facets))
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

/// Up to a hundred records of one object, for one job.
struct Chunk<'c> {
    kind: &'c str,
    part: String,
    objects: Vec<&'c Object>,
}

/// Writes every change.
async fn write(
    cx: &Context,
    desk: &Desk<Object>,
    links: &[(&Item, &Relationship)],
) -> Result<BTreeMap<Object, Written>, Error> {
    let mut written = BTreeMap::new();
    let mut records: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for (object, change) in &desk.changes {
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
            .map(|part| chunk(desk, kind, part, links))
    });
    let mut open: Vec<Chunk<'_>> = chunks.collect();
    // They may be sent twice, and are when an answer was not seen and the change was not done.
    for step in ["update", "update-again"] {
        open = jobs(cx, desk, open, step, &mut written).await?;
    }
    Ok(written)
}

fn chunk<'c>(
    desk: &Desk<Object>,
    kind: &'c str,
    objects: &[&'c Object],
    links: &[(&Item, &Relationship)],
) -> Chunk<'c> {
    let first = objects
        .iter()
        .filter_map(|object| desk.changes.get(*object))
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
    cx: &Context,
    desk: &Desk<Object>,
    chunks: Vec<Chunk<'c>>,
    step: &str,
    written: &mut BTreeMap<Object, Written>,
) -> Result<Vec<Chunk<'c>>, Error> {
    let mut sent = Vec::new();
    for chunk in chunks {
        let key = key("*", chunk.part.clone(), step);
        let path = format!("/api/v2/custom_objects/{}/jobs", chunk.kind);
        let write = cx
            .http()
            .repeatable("POST", path, key.clone())
            .json(&job_body(desk, &chunk))
            .lifetime(objects::JOB_LIFE_MS);
        let id = match http::write(write).await? {
            Sent::Done(answer) => Some(answer.member::<JobStatus>("job_status")?.id),
            Sent::Doubt(_) => None,
            Sent::Refused(refusal) => {
                let refused = |object: &&Object| {
                    let why = Written::Refused(refusal.rejection());
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
                _ if is_there(desk, object, &now) => Written::Done(key.clone()),
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

fn job_body(desk: &Desk<Object>, chunk: &Chunk<'_>) -> Value {
    let item = |object: &&Object| {
        let id = object.record().map(|(_, id)| id);
        let fields = desk.changes.get(*object).map(|change| &change.becomes);
        json!({"id": id, "custom_object_fields": fields})
    };
    let items: Vec<Value> = chunk.objects.iter().map(item).collect();
    json!({"job": {"action": "update", "items": items}})
}

fn is_there(
    desk: &Desk<Object>,
    object: &Object,
    now: &BTreeMap<Object, Map<String, Value>>,
) -> bool {
    let (Some(change), Some(now)) = (desk.changes.get(object), now.get(object)) else {
        return false;
    };
    holds(&Value::Object(now.clone()), &change.becomes)
}

/// The lookup field that can hold a link, and the id it would hold.
fn lookup(
    link: &Relationship,
    lookups: &BTreeMap<String, BTreeSet<String>>,
) -> Option<Lookup<Object>> {
    let end = Object::of(&link.source)?;
    let field = map::key(link.field.as_deref()?);
    let known = lookups.get(&end.owner().path())?;
    let id = map::lookup_id(&link.target).ok()?.to_owned();
    (links::is_single(link) && known.contains(&field)).then_some(Lookup { end, field, id })
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
        cx.http()
            .repeatable("PUT", path.clone(), key("*", part, step))
            .json(&body)
    };
    let read = async || client::find_member::<Value>(cx, &path, object.kind).await;
    let is_done = |now: &Value| {
        now.get(object.fields())
            .is_some_and(|fields| holds(fields, &wanted.becomes))
    };
    Ok(
        match WRITES
            .of(object.kind)
            .change(cx, request, read, is_done)
            .await?
        {
            Changed::Done(_, key) => Written::Done(key),
            Changed::Refused(refusal) => Written::Refused(refusal.rejection()),
            Changed::Unknown => Written::Unknown,
        },
    )
}
