//! The asynchronous imports, which alone keep times (Zoho Desk facts §10).
//!
//! What sending an external id again does is not published, nor how a log of errors looks. So nothing here depends on either:
//! before anything is sent `importMappings` is asked which of the ids are there, only the rest is sent, and after the job has
//! ended what is mapped is there and what is not has failed. An answer that was lost is waited for in the same way, since no list
//! of jobs exists: only what is unmapped long after is sent again.
//!
//! Ids are of one [scope] a run: what is mapped in it was made by this run, and what a rollback took back cannot be met again by
//! the next one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::http::{self, OperationKey, key};
use transload_sdk::ledger::Proof;
use transload_sdk::types::Error;

use crate::api::{Import, Refusal, rows, words_of};
use crate::client::{Desk, Sent};
use crate::map::Owner;
use crate::state::FieldStyle;

/// How often a job is asked after, ms.
const POLL_MS: u64 = 15_000;
/// After this a job counts as stuck, ms.
const PATIENCE_MS: u64 = 3_600_000;
/// Between two looks at the mappings of what was sent and not answered, ms.
const LOOK_MS: u64 = 60_000;
/// After an answer that was not seen, a mapping that is missing is believed this long later, ms (rule D-3): the job stands in a
/// queue whose length nobody knows.
pub const SETTLE_MS: u64 = 1_800_000;
/// Sends of one import whose answer is not seen.
const SENDS: u32 = 3;
/// Bytes of one request.
const BODY_BYTES: usize = 4_000_000;
/// External ids that are asked after at once.
const MAPPED_AT_ONCE: usize = 100;
/// Characters of an external id (Zoho Desk facts §10).
const EXT_ID_CHARS: usize = 100;
/// Characters of a custom field's value in an import, by the published schema.
pub const VALUE_CHARS: usize = 100;

/// A row of an import.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The item's key.
    pub item: String,
    /// `accounts`, `contacts`, `tickets`, `threads`, `ticketComments`.
    pub module: &'static str,
    /// Its external id: see [`ext_id`].
    pub ext_id: String,
    /// Its values; custom fields in `cf`, by API name.
    pub values: Map<String, Value>,
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Made by this run.
    Made {
        /// Its id.
        id: String,
        /// That it was.
        proof: Proof,
        /// The request; `None` where an earlier attempt made it.
        key: Option<OperationKey>,
    },
    /// It was mapped before anything was sent, in the scope of another run.
    There {
        /// Its id.
        id: String,
    },
    /// It was not made, and why.
    Refused(String),
    /// Nobody knows yet.
    Unsettled,
}

/// The external ids' name space of a run: a UUID made out of it.
pub fn scope(platform: &str, organisation: &str, run: &str) -> String {
    let digest = transload_sdk::sha256(format!("{platform}\n{organisation}\n{run}").as_bytes());
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default().to_owned();
    // Made out of a name, as version 5 is, though by another digest: validators look at the form.
    format!(
        "{}-{}-5{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

/// The scope of the run that a call belongs to.
pub fn own_scope(desk: &Desk) -> String {
    let cx = &desk.cx;
    scope(cx.platform(), cx.organisation(), cx.run())
}

/// A marker as an external id: what is not allowed in one is escaped, so that two stay two (Zoho Desk facts §10). Of one that is
/// too long its beginning and its digest.
pub fn ext_id(marker: &str) -> String {
    let mut id = String::with_capacity(marker.len());
    for c in marker.chars() {
        // `$` begins an escape.
        if c.is_ascii_alphanumeric() || "@&+:.{}()#-".contains(c) {
            id.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                id.push_str(&format!("${byte:02x}"));
            }
        }
    }
    transload_sdk::effects::marker_within(&id, EXT_ID_CHARS)
}

/// The custom fields' values that an import has no room for: they are set afterwards.
pub fn long(cf: &Map<String, Value>) -> Map<String, Value> {
    let is_long = |value: &Value| words_of(value).chars().count() > VALUE_CHARS;
    let long = cf.iter().filter(|(_, value)| is_long(value));
    long.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Which external ids are mapped, and to what.
///
/// # Errors
/// What ends the unit; `permission` or `not-found` where the account has no imports.
pub async fn mapped(
    desk: &Desk,
    scope: &str,
    module: &str,
    ext_ids: &[String],
) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for ids in ext_ids.chunks(MAPPED_AT_ONCE) {
        let body = json!({"scopeId": scope, "module": module, "externalIds": ids});
        let reply = ask_mappings(desk, &body).send().await?;
        let Some(reply) = http::found::<Refusal>(reply)? else {
            continue;
        };
        if reply.status == 204 || reply.bytes().is_empty() {
            continue;
        }
        for row in rows(reply.json()?) {
            let text = |name: &str| words_of(row.get(name).unwrap_or(&Value::Null));
            let (external, entity) = (text("externalId"), text("entityId"));
            if !entity.is_empty() && entity != "0" && ids.contains(&external) {
                all.insert(external, entity);
            }
        }
    }
    Ok(all)
}

/// The question which external ids are mapped.
pub fn ask_mappings(desk: &Desk, body: &Value) -> http::RequestBuilder {
    let request = desk.cx.http().post("/importMappings").json(body).safe();
    let request = request.header("accept", "application/json");
    request.header("orgId", &desk.config.org_id)
}

/// Imports rows of one level: what they hang on is there, or comes before them in an import that has ended. `batch` names them in
/// the unit; `since` is when an earlier attempt may have sent them.
///
/// # Errors
/// What ends the unit.
pub async fn import(
    desk: &Desk,
    scope: &str,
    batch: &str,
    rows: &[Row],
    since: Option<i64>,
) -> Result<Vec<Fate>, Error> {
    let mut fates: BTreeMap<usize, Fate> = BTreeMap::new();
    let is_own = scope == own_scope(desk);
    let mut open: BTreeSet<usize> = (0..rows.len()).collect();
    let before = match since {
        Some(since) => wait(desk, scope, rows, &open, since).await?,
        None => look(desk, scope, rows, &open).await?,
    };
    for (at, id) in before {
        open.remove(&at);
        let fate = if is_own {
            let proof = Proof::Marker(desk.cx.run().to_owned());
            let key = None;
            Fate::Made { id, proof, key }
        } else {
            Fate::There { id }
        };
        fates.insert(at, fate);
    }
    let chunks = cut(desk, rows, &open)?;
    let mut jobs = Vec::new();
    for (number, chunk) in chunks.into_iter().enumerate() {
        let part = format!("{batch}:{number}");
        send(desk, scope, &part, rows, chunk, &mut jobs, &mut fates).await?;
    }
    for job in jobs {
        settle(desk, scope, rows, job, &mut fates).await?;
    }
    let fate = |at| fates.remove(&at).unwrap_or(Fate::Unsettled);
    Ok((0..rows.len()).map(fate).collect())
}

/// An import that was sent.
struct Job {
    /// Rows of it, by place.
    rows: BTreeSet<usize>,
    /// The request.
    key: OperationKey,
    /// Its id, where it was answered.
    id: Option<String>,
    /// What its rows were mapped to when the answer was lost.
    known: BTreeMap<usize, String>,
}

/// Which of the rows are mapped.
async fn look(
    desk: &Desk,
    scope: &str,
    rows: &[Row],
    among: &BTreeSet<usize>,
) -> Result<BTreeMap<usize, String>, Error> {
    let mut by_module: BTreeMap<&str, Vec<(usize, String)>> = BTreeMap::new();
    for at in among {
        if let Some(row) = rows.get(*at) {
            let of_module = by_module.entry(row.module).or_default();
            of_module.push((*at, row.ext_id.clone()));
        }
    }
    let mut found = BTreeMap::new();
    for (module, list) in by_module {
        let ids: Vec<String> = list.iter().map(|(_, id)| id.clone()).collect();
        let mapped = mapped(desk, scope, module, &ids).await?;
        for (at, ext) in list {
            if let Some(id) = mapped.get(&ext) {
                found.insert(at, id.clone());
            }
        }
    }
    Ok(found)
}

/// Looks until all are mapped, or a miss is believed: so long after the sending, and after the last row that was seen to come.
async fn wait(
    desk: &Desk,
    scope: &str,
    rows: &[Row],
    among: &BTreeSet<usize>,
    sent_at: i64,
) -> Result<BTreeMap<usize, String>, Error> {
    // `now` is when the unit began: the time since the sending is at least this.
    let passed = desk.cx.now().saturating_sub(sent_at).max(0);
    let mut left = SETTLE_MS.saturating_sub(passed.unsigned_abs());
    let mut found = look(desk, scope, rows, among).await?;
    while left > 0 && found.len() < among.len() {
        let pause = left.min(LOOK_MS);
        desk.cx.sleep(pause).await;
        left = left.saturating_sub(pause);
        let now = look(desk, scope, rows, among).await?;
        if now.len() > found.len() {
            // It runs: the rest of it comes soon, or has failed.
            left = left.min(SETTLE_MS / 6).max(SETTLE_MS / 6);
        }
        found = now;
    }
    Ok(found)
}

/// Rows in requests that are small enough.
fn cut(desk: &Desk, rows: &[Row], open: &BTreeSet<usize>) -> Result<Vec<BTreeSet<usize>>, Error> {
    let most = desk.config.import_rows.max(1);
    let mut chunks: Vec<BTreeSet<usize>> = Vec::new();
    let mut bytes = 0;
    for at in open {
        let Some(row) = rows.get(*at) else { continue };
        let size = serde_json::to_vec(&row.values)?.len();
        let full = |chunk: &BTreeSet<usize>| chunk.len() >= most || bytes + size > BODY_BYTES;
        match chunks.last_mut().filter(|chunk| !full(chunk)) {
            Some(chunk) => {
                chunk.insert(*at);
                bytes += size;
            }
            None => {
                chunks.push(BTreeSet::from([*at]));
                bytes = size;
            }
        }
    }
    Ok(chunks)
}

/// Sends rows as one import; in halves where it is refused as a whole, so that one wrong row keeps no other out.
async fn send(
    desk: &Desk,
    scope: &str,
    part: &str,
    rows: &[Row],
    chunk: BTreeSet<usize>,
    jobs: &mut Vec<Job>,
    fates: &mut BTreeMap<usize, Fate>,
) -> Result<(), Error> {
    let mut todo = vec![(part.to_owned(), chunk)];
    while let Some((part, chunk)) = todo.pop() {
        match send_once(desk, scope, &part, rows, &chunk).await? {
            Ok(job) => jobs.push(job),
            Err(None) => fates.extend(chunk.into_iter().map(|at| (at, Fate::Unsettled))),
            Err(Some(refusal)) if chunk.len() > 1 && is_about_rows(&refusal) => {
                let second: BTreeSet<usize> = chunk.iter().copied().skip(chunk.len() / 2).collect();
                let first = chunk.difference(&second).copied().collect();
                todo.push((format!("{part}.2"), second));
                todo.push((format!("{part}.1"), first));
            }
            Err(Some(refusal)) => {
                let refused = |at| (at, Fate::Refused(refusal.words()));
                fates.extend(chunk.into_iter().map(refused));
            }
        }
    }
    Ok(())
}

/// Whether an import was refused for what is in it, its size among that.
fn is_about_rows(refusal: &Refusal) -> bool {
    matches!(refusal.status, 400 | 413 | 422)
}

/// Sends an import; again where its answer was lost and nothing came of it. `Err(None)` is an import whose fate is not known.
async fn send_once(
    desk: &Desk,
    scope: &str,
    part: &str,
    rows: &[Row],
    chunk: &BTreeSet<usize>,
) -> Result<Result<Job, Option<Refusal>>, Error> {
    let body = body(desk, scope, rows, chunk);
    for attempt in 1..=SENDS {
        let step = match attempt {
            1 => "import".to_owned(),
            n => format!("import~{n}"),
        };
        let key = key("*", part, step);
        let request = desk.once("POST", "/imports", key.clone()).json(&body);
        match http::write::<Refusal>(request).await? {
            Sent::Done(reply) => {
                let job: Import = reply.json()?;
                return Ok(Ok(Job {
                    rows: chunk.clone(),
                    key,
                    id: Some(job.id),
                    known: BTreeMap::new(),
                }));
            }
            Sent::Refused(refusal) => return Ok(Err(Some(refusal))),
            Sent::Doubt(sent_at) => {
                let known = wait(desk, scope, rows, chunk, sent_at).await?;
                if !known.is_empty() {
                    return Ok(Ok(Job {
                        rows: chunk.clone(),
                        key,
                        id: None,
                        known,
                    }));
                }
            }
        }
    }
    Ok(Err(None))
}

/// Waits for the end of a job and says what became of its rows.
async fn settle(
    desk: &Desk,
    scope: &str,
    rows: &[Row],
    job: Job,
    fates: &mut BTreeMap<usize, Fate>,
) -> Result<(), Error> {
    let Job {
        rows: chunk,
        key,
        id,
        mut known,
    } = job;
    let mut ended = true;
    let mut why = "the import made it not; its answer was lost".to_owned();
    if let Some(id) = id {
        let path = format!("/imports/{id}");
        let asked = desk.asking(&path);
        let reply = asked
            .poll(POLL_MS, PATIENCE_MS, "/status", &["completed", "failed"])
            .await?;
        if !reply.ok() {
            http::refused::<Refusal>(&reply)?;
        }
        let state: Import = if reply.ok() {
            reply.json()?
        } else {
            Import::default()
        };
        ended = matches!(state.status.as_str(), "completed" | "failed");
        why = format!("import {id} made it not; its log of errors says why");
        known = look(desk, scope, rows, &chunk).await?;
        if known.len() < chunk.len() {
            // A mapping may come a little after the end.
            desk.cx.sleep(LOOK_MS).await;
            known = look(desk, scope, rows, &chunk).await?;
        }
    }
    for at in chunk {
        let fate = match known.remove(&at) {
            // It was looked for right before, and was not there (rule D-4).
            Some(id) => Fate::Made {
                id,
                proof: Proof::AbsentBefore,
                key: Some(key.clone()),
            },
            None if ended => Fate::Refused(why.clone()),
            None => Fate::Unsettled,
        };
        fates.insert(at, fate);
    }
    Ok(())
}

/// The request of an import. Automation is always switched off (Zoho Desk facts §14).
fn body(desk: &Desk, scope: &str, rows: &[Row], chunk: &BTreeSet<usize>) -> Value {
    let mut data: Map<String, Value> = Map::new();
    for row in chunk.iter().filter_map(|at| rows.get(*at)) {
        let list = data
            .entry(row.module)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(Value::Object(written(desk, row)));
        }
    }
    json!({"scopeId": scope, "runAutomation": false, "data": data})
}

/// A row as it is sent: every known key, null where nothing is said, because the schema demands each (Zoho Desk facts §10).
fn written(desk: &Desk, row: &Row) -> Map<String, Value> {
    let (id_key, keys, owner) = shape(row.module);
    let mut written: Map<String, Value> = keys
        .iter()
        .map(|name| ((*name).to_owned(), Value::Null))
        .collect();
    let mut values = row.values.clone();
    let cf = values.remove("cf");
    written.extend(values);
    written.insert(id_key.to_owned(), json!(row.ext_id));
    if let (Some(Value::Object(cf)), Some(owner)) = (cf, owner) {
        let fields = custom_fields(desk, owner, cf);
        if !fields.is_empty() {
            written.insert("customFields".to_owned(), Value::Object(fields));
        }
    }
    written
}

/// Custom fields as the account's imports take them. Longer values are left out: see [`long`].
fn custom_fields(desk: &Desk, owner: Owner, cf: Map<String, Value>) -> Map<String, Value> {
    let own = desk.state.own.get(&owner);
    let label = |name: &str| {
        let fields = own.into_iter().flat_map(BTreeMap::values);
        let label = fields.filter(|field| field.name == name);
        label.map(|field| field.label.clone()).next()
    };
    let left_out = long(&cf);
    let short = cf
        .into_iter()
        .filter(|(name, value)| !left_out.contains_key(name) && !value.is_null());
    match desk.state.field_style {
        FieldStyle::ApiName => short.collect(),
        // Labels of other fields are not known here: those are set afterwards.
        FieldStyle::Label => short
            .filter_map(|(name, value)| Some((label(&name)?, value)))
            .collect(),
        FieldStyle::Apart => Map::new(),
    }
}

type Shape = (&'static str, &'static [&'static str], Option<Owner>);

/// The external id's key, the other keys, and whose custom fields a module's rows have (Zoho Desk facts §10).
fn shape(module: &str) -> Shape {
    match module {
        "accounts" => ("accountExtId", &ACCOUNT, Some(Owner::Account)),
        "contacts" => ("contactExtId", &CONTACT, Some(Owner::Contact)),
        "tickets" => ("ticketExtId", &TICKET, Some(Owner::Ticket)),
        "threads" => ("threadExtId", &THREAD, None),
        _ => ("commentExtId", &COMMENT, None),
    }
}

const ACCOUNT: [&str; 17] = [
    "accountName",
    "email",
    "phone",
    "fax",
    "website",
    "industry",
    "street",
    "city",
    "state",
    "country",
    "code",
    "description",
    "annualrevenue",
    "ownerId",
    "createdTime",
    "modifiedTime",
    "customFields",
];

const CONTACT: [&str; 22] = [
    "firstName",
    "lastName",
    "email",
    "secondaryEmail",
    "phone",
    "mobile",
    "title",
    "type",
    "accountId",
    "accountExtId",
    "ownerId",
    "twitter",
    "facebook",
    "street",
    "city",
    "state",
    "country",
    "zip",
    "description",
    "createdTime",
    "modifiedTime",
    "customFields",
];

const TICKET: [&str; 21] = [
    "subject",
    "description",
    "departmentId",
    "contactId",
    "contactExtId",
    "productId",
    "assigneeId",
    "email",
    "phone",
    "channel",
    "status",
    "priority",
    "category",
    "subCategory",
    "classification",
    "resolution",
    "dueDate",
    "createdTime",
    "modifiedTime",
    "closedTime",
    "customFields",
];

const THREAD: [&str; 11] = [
    "ticketExtId",
    "channel",
    "direction",
    "isPrivate",
    "content",
    "fromEmailAddress",
    "to",
    "cc",
    "bcc",
    "sentDateTime",
    "receivedDateTime",
];

const COMMENT: [&str; 7] = [
    "ticketExtId",
    "content",
    "contentType",
    "isPublic",
    "commenterId",
    "commentedTime",
    "modifiedTime",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_have_only_what_is_allowed_and_two_stay_two() {
        assert_eq!(
            ext_id("kustomer:acme_1:customer:5f"),
            "kustomer:acme$5f1:customer:5f"
        );
        assert_ne!(ext_id("a_b"), ext_id("a$5fb"));
        let long = |n: usize| ext_id(&format!("{}{n}", "x".repeat(200)));
        assert_eq!(long(1).chars().count(), 100);
        assert_ne!(long(1), long(2));
        let allowed = |c: char| c.is_ascii_alphanumeric() || "@$&+:.{}()#-".contains(c);
        assert!(ext_id("ü / x").chars().all(allowed));
    }

    #[test]
    fn a_scope_is_a_uuid_of_one_run() {
        let one = scope("kustomer", "org1", "r1");
        assert_eq!(one.len(), 36);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_ne!(one, scope("kustomer", "org1", "r2"));
        assert_eq!(one, scope("kustomer", "org1", "r1"));
    }
}
