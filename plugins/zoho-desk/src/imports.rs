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
use transload_sdk::http::{self, OperationKey, key, step};
use transload_sdk::ledger::Proof;
use transload_sdk::types::Error;

use crate::api::{Field, Import, Refusal, rows, words_of};
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

/// Whether an import has no room for a custom field's value.
fn is_long(value: &Value) -> bool {
    words_of(value).chars().count() > VALUE_CHARS
}

/// The custom fields' values that an import does not take: they are set afterwards.
pub fn left_over(desk: &Desk, cf: &Map<String, Value>) -> Map<String, Value> {
    let apart = desk.state.field_style == FieldStyle::Apart;
    let left = cf
        .iter()
        .filter(|(_, value)| !value.is_null() && (apart || is_long(value)));
    left.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What people read of fields, by module and API name.
type Labels = BTreeMap<&'static str, BTreeMap<String, String>>;

/// The labels of the fields that rows have values for, where an import names fields by them. Those of the connector's own are
/// known; else a module's fields are read once.
async fn labels(desk: &Desk, rows: &[Row]) -> Result<Labels, Error> {
    let mut labels = Labels::new();
    if desk.state.field_style != FieldStyle::Label {
        return Ok(labels);
    }
    for owner in Owner::ALL {
        let own = desk.state.own.get(&owner).into_iter().flatten();
        let mut known: BTreeMap<String, String> = own
            .map(|(_, field)| (field.name.clone(), field.label.clone()))
            .collect();
        let of_module = rows.iter().filter(|row| row.module == owner.module());
        let names = of_module
            .filter_map(|row| row.values.get("cf").and_then(Value::as_object))
            .flatten();
        if names.into_iter().any(|(name, _)| !known.contains_key(name)) {
            let path = format!("/fields?module={}", owner.module());
            let fields: Vec<Field> = desk.whole(&path).await?;
            known.extend(fields.into_iter().map(|f| (f.api_name, f.display_label)));
        }
        labels.insert(owner.module(), known);
    }
    Ok(labels)
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
    let labels = labels(desk, rows).await?;
    let load = Load {
        desk,
        scope,
        rows,
        labels,
    };
    let mut jobs = Vec::new();
    for (number, chunk) in load.cut(&open)?.into_iter().enumerate() {
        let part = format!("{batch}:{number}");
        load.send(&part, chunk, &mut jobs, &mut fates).await?;
    }
    for job in jobs {
        load.settle(job, &mut fates).await?;
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
            left = SETTLE_MS / 6;
        }
        found = now;
    }
    Ok(found)
}

/// Rows on their way.
struct Load<'a> {
    desk: &'a Desk,
    scope: &'a str,
    rows: &'a [Row],
    labels: Labels,
}

impl Load<'_> {
    /// Rows in requests that are small enough.
    fn cut(&self, open: &BTreeSet<usize>) -> Result<Vec<BTreeSet<usize>>, Error> {
        let most = self.desk.config.import_rows.max(1);
        let mut chunks: Vec<BTreeSet<usize>> = Vec::new();
        let mut bytes = 0;
        for at in open {
            let Some(row) = self.rows.get(*at) else {
                continue;
            };
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
        &self,
        part: &str,
        chunk: BTreeSet<usize>,
        jobs: &mut Vec<Job>,
        fates: &mut BTreeMap<usize, Fate>,
    ) -> Result<(), Error> {
        let mut todo = vec![(part.to_owned(), chunk)];
        while let Some((part, chunk)) = todo.pop() {
            match self.send_once(&part, &chunk).await? {
                Ok(job) => jobs.push(job),
                Err(None) => fates.extend(chunk.into_iter().map(|at| (at, Fate::Unsettled))),
                Err(Some(refusal)) if chunk.len() > 1 && is_about_rows(&refusal) => {
                    let half = chunk.len() / 2;
                    let second: BTreeSet<usize> = chunk.iter().copied().skip(half).collect();
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

    /// Sends an import; again where its answer was lost and nothing came of it. `Err(None)` is an import whose fate is not known.
    async fn send_once(
        &self,
        part: &str,
        chunk: &BTreeSet<usize>,
    ) -> Result<Result<Job, Option<Refusal>>, Error> {
        let body = self.body(chunk);
        for attempt in 1..=SENDS {
            let key = key("*", part, step("import", attempt));
            let job = |id, known| Job {
                rows: chunk.clone(),
                key: key.clone(),
                id,
                known,
            };
            let request = self.desk.once("POST", "/imports", key.clone()).json(&body);
            match http::write::<Refusal>(request).await? {
                Sent::Done(reply) => {
                    let made: Import = reply.json()?;
                    return Ok(Ok(job(Some(made.id), BTreeMap::new())));
                }
                Sent::Refused(refusal) => return Ok(Err(Some(refusal))),
                Sent::Doubt(sent_at) => {
                    let known = wait(self.desk, self.scope, self.rows, chunk, sent_at).await?;
                    if !known.is_empty() {
                        return Ok(Ok(job(None, known)));
                    }
                }
            }
        }
        Ok(Err(None))
    }

    /// Waits for the end of a job and says what became of its rows.
    async fn settle(&self, job: Job, fates: &mut BTreeMap<usize, Fate>) -> Result<(), Error> {
        let desk = self.desk;
        let mut known = job.known;
        let mut ended = true;
        let mut log = Value::Null;
        if let Some(id) = &job.id {
            let asked = desk.asking(&format!("/imports/{id}"));
            let reply = asked
                .poll(POLL_MS, PATIENCE_MS, "/status", &["completed", "failed"])
                .await?;
            let state: Import = if reply.ok() {
                reply.json()?
            } else {
                http::refused::<Refusal>(&reply)?;
                Import::default()
            };
            ended = matches!(state.status.as_str(), "completed" | "failed");
            known = look(desk, self.scope, self.rows, &job.rows).await?;
            if known.len() < job.rows.len() {
                // A mapping may come a little after the end.
                desk.cx.sleep(LOOK_MS).await;
                known = look(desk, self.scope, self.rows, &job.rows).await?;
            }
            if ended && known.len() < job.rows.len() {
                log = self.log(id).await?;
            }
        }
        for at in job.rows {
            let fate = match known.remove(&at) {
                // It was looked for right before, and was not there (rule D-4).
                Some(id) => Fate::Made {
                    id,
                    proof: Proof::AbsentBefore,
                    key: Some(job.key.clone()),
                },
                None if ended => {
                    let said = self.rows.get(at).and_then(|row| said(&log, &row.ext_id));
                    let said = said.unwrap_or_else(|| "the import did not make it".to_owned());
                    Fate::Refused(said)
                }
                None => Fate::Unsettled,
            };
            fates.insert(at, fate);
        }
        Ok(())
    }

    /// The log of errors, whose form is not published: as JSON, where it is that (Zoho Desk facts §10).
    async fn log(&self, id: &str) -> Result<Value, Error> {
        let reply = self.desk.asking(&format!("/importErrorLog/{id}")).send();
        let reply = reply.await?;
        if !reply.ok() {
            http::refused::<Refusal>(&reply)?;
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(reply.bytes()).unwrap_or_default())
    }

    /// The request of an import. Automation is always switched off (Zoho Desk facts §14).
    fn body(&self, chunk: &BTreeSet<usize>) -> Value {
        let mut data: Map<String, Value> = Map::new();
        for row in chunk.iter().filter_map(|at| self.rows.get(*at)) {
            let list = data
                .entry(row.module)
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(Value::Object(self.written(row)));
            }
        }
        json!({"scopeId": self.scope, "runAutomation": false, "data": data})
    }

    /// A row as it is sent: every known key, null where nothing is said, because the schema demands each (Zoho Desk facts §10).
    fn written(&self, row: &Row) -> Map<String, Value> {
        let (id_key, keys) = shape(row.module);
        let mut written: Map<String, Value> = keys
            .iter()
            .map(|name| ((*name).to_owned(), Value::Null))
            .collect();
        let mut values = row.values.clone();
        let cf = values.remove("cf");
        written.extend(values);
        written.insert(id_key.to_owned(), json!(row.ext_id));
        if let Some(Value::Object(cf)) = cf {
            let fields = self.custom_fields(row.module, cf);
            if !fields.is_empty() {
                written.insert("customFields".to_owned(), Value::Object(fields));
            }
        }
        written
    }

    /// Custom fields as the account's imports take them. Others are left out: see [`left_over`].
    fn custom_fields(&self, module: &str, cf: Map<String, Value>) -> Map<String, Value> {
        let short = cf
            .into_iter()
            .filter(|(_, value)| !is_long(value) && !value.is_null());
        match self.desk.state.field_style {
            FieldStyle::ApiName => short.collect(),
            FieldStyle::Label => {
                let labels = self.labels.get(module);
                let label = |name: &str| labels.and_then(|labels| labels.get(name)).cloned();
                short
                    .filter_map(|(name, value)| Some((label(&name)?, value)))
                    .collect()
            }
            FieldStyle::Apart => Map::new(),
        }
    }
}

/// Whether an import was refused for what is in it, its size among that.
fn is_about_rows(refusal: &Refusal) -> bool {
    matches!(refusal.status, 400 | 413 | 422)
}

/// What a log says of a row: the words beside its external id.
fn said(log: &Value, ext_id: &str) -> Option<String> {
    match log {
        Value::Array(list) => list.iter().find_map(|one| said(one, ext_id)),
        Value::Object(object) => {
            if object.values().any(|value| value.as_str() == Some(ext_id)) {
                let words = ["errorCode", "code", "errorMessage", "message", "error"];
                let words = words
                    .iter()
                    .filter_map(|name| object.get(*name)?.as_str())
                    .collect::<Vec<_>>();
                return Some(words.join(": ")).filter(|words| !words.is_empty());
            }
            object.values().find_map(|value| said(value, ext_id))
        }
        _ => None,
    }
}

/// The external id's key of a module's rows, and the other keys (Zoho Desk facts §10).
fn shape(module: &str) -> (&'static str, &'static [&'static str]) {
    match module {
        "accounts" => ("accountExtId", &ACCOUNT),
        "contacts" => ("contactExtId", &CONTACT),
        "tickets" => ("ticketExtId", &TICKET),
        "threads" => ("threadExtId", &THREAD),
        _ => ("commentExtId", &COMMENT),
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
    fn a_log_is_asked_for_the_row_and_says_nothing_in_another_form() {
        let log = json!({"data": [{"module": "contacts", "externalId": "a", "errorCode": "DUPLICATE", "errorMessage": "taken"}]});
        assert_eq!(said(&log, "a").as_deref(), Some("DUPLICATE: taken"));
        assert_eq!(said(&log, "b"), None);
        assert_eq!(said(&json!("a,DUPLICATE"), "a"), None);
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
