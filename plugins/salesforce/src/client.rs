//! How the connector talks to Salesforce: one place where a request is built and an answer is sorted.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives what became of it, because what a refusal or an
//! unseen answer means is known only to the caller. Refusals of the org as a whole (no credential, no quota, no storage) end
//! the unit and reject nothing (rule M-10).
//!
//! **Inserts.** Records go two hundred at a time by `composite/sobjects`, each with a unique external id (see
//! [`crate::fields`]), so the request may be sent twice: what the first sending made is refused by the second with its id
//! (Salesforce facts §12); from two thousand of one object on, a bulk job goes before (see [`crate::bulk`]). What has no place for such an id goes by [`insert_once`]. A row that met a lock, or the limits of
//! code that runs for all rows of a request together, is sent again alone. Upserts are not used: they cannot keep the original
//! times (Salesforce facts §0.1).
//!
//! Not here: retries of whole requests, pacing, credentials; those are the host's.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::http::{
    self, OperationKey, Refusal as _, Reply, RequestBuilder, RowMade, batches, key, step,
};
use transload_sdk::ledger::Proof;
use transload_sdk::types::{Error, Invalid};

use crate::api::{Describe, Fault, QueryPage, Record, RowResult, id_of, id18, text};
use crate::bulk;
use crate::fields;

/// The version that is spoken (Salesforce facts §1): every org has it since Summer '26.
pub const VERSION: &str = "67.0";
/// The beginning of all paths.
pub const API: &str = "/services/data/v67.0";
/// Rows of one collections request (Salesforce facts §5).
pub const ROWS: usize = 200;
/// Bytes of one; Salesforce takes about 6 MB (Salesforce facts §2 [MEM]).
const BODY_BYTES: usize = 4_000_000;
/// Records read by id at once (Salesforce facts §5).
const RETRIEVED: usize = 2_000;
/// Bytes of a query as it is sent: an address with its headers holds 16,384 (Salesforce facts §2).
const QUERY_BYTES: usize = 12_000;
/// After an answer that was not seen, a look-up that finds nothing is believed this long later, ms (rule D-3): a call ends after
/// ten minutes at the latest (Salesforce facts §2), and a query sees what was committed at once (Salesforce facts §12).
pub const SETTLE_MS: u64 = 600_000;
/// Sends of one request whose answer is not seen.
const SENDS: u32 = 3;
/// A lock is waited for up to ten seconds by Salesforce itself (Salesforce facts §15); this is waited before the next try, ms.
pub const LOCK_WAIT_MS: u64 = 15_000;
/// Tries of a row alone.
const TRIES_ALONE: u32 = 3;
/// Where a contract error stands for a lock that no waiting helped.
const LOCKED: &str = "another change of the record's parent is in the way";

/// What became of a write.
pub type Sent = http::Sent<Fault>;

/// A path below the version's.
pub fn path(rest: &str) -> String {
    format!("{API}{rest}")
}

/// A write that must not be repeated unless it was looked up.
pub fn once(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> RequestBuilder {
    mutating(cx, method, path, key).once()
}

/// A write that sent twice equals sent once.
pub fn idempotent(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> RequestBuilder {
    mutating(cx, method, path, key).idempotent(None)
}

/// Assignment rules are on unless they are switched off (Salesforce facts §0.10); duplicate rules that only warn are passed,
/// those that block are not; recently used items stay as they are (Salesforce facts §8).
fn mutating(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> RequestBuilder {
    cx.http()
        .write(method, path, key)
        .header("sforce-auto-assign", "FALSE")
        .header(
            "sforce-duplicate-rule-header",
            "allowSave=true; includeRecordDetails=true; runAsCurrentUser=false",
        )
        .header("sforce-mru", "updateMru=false")
        .header("sforce-call-options", "client=transload")
}

impl http::Refusal for Fault {
    fn read(reply: &Reply) -> Self {
        Self::of_body(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        match self.code.as_str() {
            "INVALID_SESSION_ID" | "INVALID_LOGIN" => Some(Error::Auth(self.said())),
            "REQUEST_LIMIT_EXCEEDED" | "STORAGE_LIMIT_EXCEEDED" => Some(Error::Quota(None)),
            "API_DISABLED_FOR_ORG" => Some(Error::Permission(self.said())),
            _ if self.status == 401 => Some(Error::Auth(self.said())),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        match self.code.as_str() {
            "INSUFFICIENT_ACCESS_OR_READONLY" | "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY" => {
                Error::Permission(self.said())
            }
            "NOT_FOUND" | "ENTITY_IS_DELETED" => Error::NotFound(self.said()),
            "DUPLICATE_VALUE"
            | "DUPLICATES_DETECTED"
            | "DUPLICATE_EXTERNAL_ID"
            | "DUPLICATE_DEVELOPER_NAME"
            | "ENTITY_IS_LOCKED" => Error::Conflict(self.said()),
            "UNABLE_TO_LOCK_ROW" => Error::Conflict(format!("{LOCKED}: {}", self.said())),
            "LICENSE_LIMIT_EXCEEDED" => Error::Unsupported(self.said()),
            _ => Error::Invalid(Invalid {
                field: self.fields.first().cloned(),
                reason: self.said(),
            }),
        }
    }

    fn said(&self) -> String {
        Self::said(self)
    }

    fn passes(&self) -> bool {
        matches!(self.code.as_str(), "QUERY_TIMEOUT" | "UNABLE_TO_LOCK_ROW")
    }
}

// ---- reading

/// Reads; `None` for 404.
///
/// # Errors
/// Anything but 2xx and 404.
pub async fn get(cx: &Context, path: &str) -> Result<Option<Reply>, Error> {
    http::get::<Fault>(&cx.http(), path).await
}

/// Reads JSON; `None` for 404.
///
/// # Errors
/// As [`get`].
pub async fn find<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Option<T>, Error> {
    get(cx, path).await?.map(|reply| reply.json()).transpose()
}

/// What is to be known of an object; `None` where there is none of that name, or the user may not see it.
///
/// # Errors
/// As [`get`].
pub async fn describe(cx: &Context, object: &str) -> Result<Option<Describe>, Error> {
    find(cx, &path(&format!("/sobjects/{object}/describe"))).await
}

/// A text as a query has it, in quotes (Salesforce facts §7).
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// All rows of a query.
///
/// # Errors
/// As [`get`]; `bug` for a query of an object that is not there.
pub async fn query(cx: &Context, soql: &str) -> Result<Vec<Record>, Error> {
    query_at(cx, "/query", soql).await
}

/// The same with what is in the recycle bin (Salesforce facts §7).
///
/// # Errors
/// As [`query`].
pub async fn query_all(cx: &Context, soql: &str) -> Result<Vec<Record>, Error> {
    query_at(cx, "/queryAll", soql).await
}

/// A query of the Tooling API, of metadata.
///
/// # Errors
/// As [`query`].
pub async fn tooling_query(cx: &Context, soql: &str) -> Result<Vec<Record>, Error> {
    query_at(cx, "/tooling/query", soql).await
}

async fn query_at(cx: &Context, resource: &str, soql: &str) -> Result<Vec<Record>, Error> {
    let first = cx
        .http()
        .get(path(resource))
        .header("accept", "application/json")
        .header("sforce-query-options", "batchSize=2000")
        .query("q", soql);
    let mut reply = first.send().await?;
    let mut rows = Vec::new();
    loop {
        if !reply.ok() {
            return Err(http::unread::<Fault>(&reply));
        }
        let page: QueryPage = reply.json()?;
        let empty = page.records.is_empty();
        rows.extend(page.records);
        let next = page.next_records_url.filter(|_| !page.done && !empty);
        let Some(next) = next else { return Ok(rows) };
        let request = cx.http().get(next).header("accept", "application/json");
        reply = request.send().await?;
    }
}

/// Whether there is a row; `None` counts as a query that could not be made (an object that is not there).
///
/// # Errors
/// What ends the unit.
pub async fn count(cx: &Context, object: &str) -> Result<Option<u64>, Error> {
    let soql = format!("SELECT COUNT() FROM {object}");
    let request = cx
        .http()
        .get(path("/query"))
        .header("accept", "application/json")
        .query("q", soql);
    let reply = request.send().await?;
    if reply.status == 400 || reply.status == 404 {
        return Ok(None);
    }
    if !reply.ok() {
        return Err(http::unread::<Fault>(&reply));
    }
    let page: QueryPage = reply.json()?;
    Ok(Some(page.total_size))
}

/// Rows of which a field has one of many values, in as many queries as their length wants. `select` is the query up to `WHERE`,
/// `and` a further condition.
///
/// # Errors
/// As [`query`].
pub async fn query_in(
    cx: &Context,
    select: &str,
    field: &str,
    values: &BTreeSet<String>,
    and: Option<&str>,
) -> Result<Vec<Record>, Error> {
    let mut rows = Vec::new();
    for values in in_lists(values) {
        let list: Vec<String> = values.iter().map(|value| literal(value)).collect();
        let and = and.map(|and| format!(" AND {and}")).unwrap_or_default();
        let soql = format!("{select} WHERE {field} IN ({}){and}", list.join(","));
        rows.extend(query(cx, &soql).await?);
    }
    Ok(rows)
}

/// Cuts values into lists that are not too long for an address (Salesforce facts §7).
fn in_lists(values: &BTreeSet<String>) -> Vec<Vec<&String>> {
    let length = |value: &&String| http::segment(literal(value)).len() + "%2C".len();
    let all: Vec<&String> = values.iter().collect();
    let lists = batches(&all, usize::MAX, QUERY_BYTES, length).into_iter();
    lists.map(<[&String]>::to_vec).collect()
}

/// Records by id, of one object; those that are gone are left out.
///
/// # Errors
/// As [`get`].
pub async fn retrieve(
    cx: &Context,
    object: &str,
    ids: &BTreeSet<String>,
    fields: &[&str],
) -> Result<BTreeMap<String, Record>, Error> {
    let ids: Vec<&String> = ids.iter().collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(RETRIEVED) {
        let request = cx
            .http()
            .post(path(&format!("/composite/sobjects/{object}")))
            .header("accept", "application/json")
            .safe()
            .json(&json!({"ids": ids, "fields": fields}));
        let reply = request.send().await?;
        if !reply.ok() {
            return Err(http::unread::<Fault>(&reply));
        }
        let records: Vec<Option<Record>> = reply.json()?;
        found.extend(records.into_iter().flatten().map(|r| (id_of(&r), r)));
    }
    Ok(found)
}

// ---- inserting

/// A record to be inserted.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The item's key.
    pub item: String,
    /// Which part of the item.
    pub part: String,
    /// `Case` …
    pub object: String,
    /// Its fields, [`fields::SOURCE_ID`] and [`fields::RUN`] among them where the object has them.
    pub values: Map<String, Value>,
}

impl Row {
    fn sent(&self) -> Value {
        let mut record = Map::new();
        record.insert("attributes".to_owned(), json!({"type": self.object}));
        record.extend(self.values.clone());
        Value::Object(record)
    }
}

/// What became of a record that was to be inserted.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    /// It is there by our request.
    Made {
        /// Of 18 characters.
        id: String,
        /// That we made it (rule D-4).
        proof: Proof,
        /// The request that did it.
        key: OperationKey,
    },
    /// A record with its external id is there that this run has not made.
    There {
        /// Of 18 characters.
        id: String,
        /// The request that met it.
        key: OperationKey,
    },
    /// Refused.
    Refused(Fault),
    /// Whether it is there is not known, even after sending several times.
    Unsettled,
}

/// What is known of a row while requests are sent.
enum Met {
    Success {
        id: String,
        fresh: bool,
        key: OperationKey,
    },
    Holder {
        id: String,
        key: OperationKey,
    },
    Refused(Fault),
    Unsettled,
}

/// Inserts records that carry a unique external id, in their order; may be repeated. `batch` names the request, and is the same
/// whenever the unit runs.
///
/// # Errors
/// What ends the unit.
pub async fn insert(cx: &Context, batch: &str, rows: &[Row]) -> Result<Vec<Saved>, Error> {
    let loaded = if bulk::suits(rows) {
        bulk::insert(cx, batch, rows).await?
    } else {
        bulk::Loaded::default()
    };
    let by_job = |row: &Row| {
        let id = loaded.ids.get(text(&row.values, fields::SOURCE_ID))?;
        Some(Met::Success {
            id: id.clone(),
            fresh: true,
            key: loaded.key.clone()?,
        })
    };
    let mut met: Vec<Option<Met>> = rows.iter().map(by_job).collect();
    let open = |(row, met): (&Row, &Option<Met>)| met.is_none().then(|| row.clone());
    let left: Vec<Row> = rows.iter().zip(&met).filter_map(open).collect();
    let mut rest = Vec::with_capacity(left.len());
    for (number, chunk) in chunks(&left).into_iter().enumerate() {
        let part = format!("{batch}:{number}");
        rest.extend(insert_chunk(cx, &part, chunk).await?);
    }
    let mut rest = rest.into_iter();
    for met in met.iter_mut().filter(|met| met.is_none()) {
        *met = rest.next();
    }
    prove(cx, rows, met.into_iter().flatten().collect()).await
}

/// As many rows as a request takes.
fn chunks(rows: &[Row]) -> Vec<&[Row]> {
    let size = |row: &Row| serde_json::to_string(&row.values).map_or(0, |text| text.len());
    batches(rows, ROWS, BODY_BYTES, size)
}

async fn insert_chunk(cx: &Context, part: &str, rows: &[Row]) -> Result<Vec<Met>, Error> {
    let body = json!({
        "allOrNone": false,
        "records": rows.iter().map(Row::sent).collect::<Vec<_>>(),
    });
    for attempt in 1..=SENDS {
        let key = key("*", part, step("create", attempt));
        let request = idempotent(cx, "POST", path("/composite/sobjects"), key.clone()).json(&body);
        match http::write(request).await? {
            Sent::Done(reply) => return rows_met(cx, rows, &reply, &key).await,
            Sent::Refused(fault) => {
                return Ok(rows.iter().map(|_| Met::Refused(fault.clone())).collect());
            }
            // The unique external id keeps a second sending from making a second record, whenever the first is applied.
            Sent::Doubt(_) => {}
        }
    }
    Ok(rows.iter().map(|_| Met::Unsettled).collect())
}

async fn rows_met(
    cx: &Context,
    rows: &[Row],
    reply: &Reply,
    key: &OperationKey,
) -> Result<Vec<Met>, Error> {
    let results = results(reply, rows.len())?;
    let mut met = Vec::with_capacity(rows.len());
    let mut waited = false;
    for (row, result) in rows.iter().zip(&results) {
        if let Some(id) = result.id.as_deref().filter(|_| result.success) {
            met.push(Met::Success {
                id: id18(id),
                fresh: !reply.attempted_before,
                key: key.clone(),
            });
            continue;
        }
        let fault = result.fault();
        fault.about_record()?;
        met.push(match fault.holder() {
            Some(id) => Met::Holder {
                id,
                key: key.clone(),
            },
            None if fault.passes_alone() => insert_alone(cx, row, &mut waited).await?,
            None => Met::Refused(fault),
        });
    }
    Ok(met)
}

/// The results of a collections request, one for each row.
pub(crate) fn results(reply: &Reply, rows: usize) -> Result<Vec<RowResult>, Error> {
    let results: Vec<RowResult> = reply.json()?;
    if results.len() != rows {
        let text = format!("{}: {} results of {rows} rows", reply.what(), results.len());
        return Err(Error::Bug(text));
    }
    Ok(results)
}

/// Waits before a row is sent again; before the first tries of all rows of a request once.
async fn wait_for_lock(cx: &Context, attempt: u32, waited: &mut bool) {
    if attempt > 1 || !*waited {
        cx.sleep(LOCK_WAIT_MS).await;
    }
    *waited = true;
}

/// A row that met a lock goes again alone (Salesforce facts §15).
async fn insert_alone(cx: &Context, row: &Row, waited: &mut bool) -> Result<Met, Error> {
    let url = path(&format!("/sobjects/{}", row.object));
    let mut last = Fault::default();
    for attempt in 1..=TRIES_ALONE {
        wait_for_lock(cx, attempt, waited).await;
        let key = key(&row.item, row.part.as_str(), step("create-alone", attempt));
        let request = idempotent(cx, "POST", url.clone(), key.clone()).json(&row.values);
        match http::write(request).await? {
            Sent::Done(reply) => {
                let result: RowResult = reply.json()?;
                let id = result.id.as_deref().map(id18);
                let id = id.ok_or_else(|| Error::Bug(format!("{}: no id", reply.what())))?;
                let fresh = !reply.attempted_before;
                return Ok(Met::Success { id, fresh, key });
            }
            Sent::Refused(fault) => match fault.holder() {
                Some(id) => return Ok(Met::Holder { id, key }),
                None if fault.passes_alone() => last = fault,
                None => return Ok(Met::Refused(fault)),
            },
            Sent::Doubt(_) => {}
        }
    }
    Ok(match last.code.as_str() {
        "" => Met::Unsettled,
        _ => Met::Refused(last),
    })
}

/// Says of each record whose it is. What an earlier sending may have made, and what was there, is read: our run in its field
/// proves that it is ours.
async fn prove(cx: &Context, rows: &[Row], met: Vec<Met>) -> Result<Vec<Saved>, Error> {
    let mut doubtful: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (row, met) in rows.iter().zip(&met) {
        let id = match met {
            Met::Success { id, fresh, .. } if !fresh => id,
            Met::Holder { id, .. } => id,
            _ => continue,
        };
        let of_object = doubtful.entry(row.object.as_str()).or_default();
        of_object.insert(id.clone());
    }
    let mut ours: BTreeSet<String> = BTreeSet::new();
    let mut there: BTreeSet<String> = BTreeSet::new();
    for (object, ids) in doubtful {
        let found = retrieve(cx, object, &ids, &["Id", fields::RUN]).await?;
        there.extend(found.keys().cloned());
        let of_run = |record: &Record| text(record, fields::RUN) == cx.run();
        ours.extend(
            found
                .into_iter()
                .filter(|(_, r)| of_run(r))
                .map(|(id, _)| id),
        );
    }
    let of_run = |id: &String| {
        let ours = ours.contains(id);
        ours.then(|| Proof::Marker(cx.run().to_owned()))
    };
    Ok(met
        .into_iter()
        .map(|met| match met {
            Met::Success {
                id,
                fresh: true,
                key,
            } => Saved::Made {
                id,
                proof: Proof::Fresh,
                key,
            },
            // Salesforce facts §13 [MEM]: a deleted record may keep its external id while it is in the recycle bin.
            Met::Holder { id, .. } if !there.contains(&id) => Saved::Refused(Fault {
                code: "DUPLICATE_VALUE".to_owned(),
                message: format!(
                    "{id} has its external id and is not to be read: a deleted record, which has to leave the recycle bin first"
                ),
                status: 200,
                ..Fault::default()
            }),
            Met::Success { id, key, .. } | Met::Holder { id, key } => match of_run(&id) {
                Some(proof) => Saved::Made { id, proof, key },
                None => Saved::There { id, key },
            },
            Met::Refused(fault) => Saved::Refused(fault),
            Met::Unsettled => Saved::Unsettled,
        })
        .collect())
}

/// Inserts at most [`ROWS`] records that carry no external id (case comments, feed items, links of files, members of queues). It
/// must not be repeated before what is there was looked up: for a second try give another `step`. Locks are waited for by the
/// caller's next request, not here.
///
/// # Errors
/// What ends the unit.
pub async fn insert_once(
    cx: &Context,
    batch: &str,
    step: &str,
    rows: &[Row],
) -> Result<Vec<RowMade<Fault>>, Error> {
    let body = json!({
        "allOrNone": false,
        "records": rows.iter().map(Row::sent).collect::<Vec<_>>(),
    });
    let key = key("*", batch, step);
    let request = once(cx, "POST", path("/composite/sobjects"), key.clone()).json(&body);
    let reply = match http::write(request).await? {
        Sent::Done(reply) => reply,
        Sent::Refused(fault) => return Ok(vec![RowMade::Refused(fault); rows.len()]),
        Sent::Doubt(sent_at) => return Ok(vec![RowMade::Doubt(sent_at, key); rows.len()]),
    };
    let mut saved = Vec::with_capacity(rows.len());
    for result in results(&reply, rows.len())? {
        saved.push(match result.id.as_deref().filter(|_| result.success) {
            Some(id) => RowMade::Done {
                id: id18(id),
                fresh: !reply.attempted_before,
                key: key.clone(),
            },
            None => {
                let fault = result.fault();
                fault.about_record()?;
                RowMade::Refused(fault)
            }
        });
    }
    Ok(saved)
}

// ---- changing

/// A record to be changed to fixed values.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// The item's key.
    pub item: String,
    /// Which part of the item.
    pub part: String,
    /// `Contact` …
    pub object: String,
    /// Which record.
    pub id: String,
    /// What becomes of it; null empties.
    pub values: Map<String, Value>,
}

/// What became of a change.
pub type Changed = http::RowChanged<Fault>;

/// Changes records, in their order; may be repeated.
///
/// # Errors
/// What ends the unit.
pub async fn change(cx: &Context, batch: &str, rows: &[ChangeRow]) -> Result<Vec<Changed>, Error> {
    let mut all = Vec::with_capacity(rows.len());
    for (number, chunk) in rows.chunks(ROWS).enumerate() {
        let part = format!("{batch}:{number}");
        all.extend(change_chunk(cx, &part, chunk).await?);
    }
    Ok(all)
}

async fn change_chunk(cx: &Context, part: &str, rows: &[ChangeRow]) -> Result<Vec<Changed>, Error> {
    let sent = |row: &ChangeRow| {
        let mut record = Map::new();
        record.insert("attributes".to_owned(), json!({"type": row.object}));
        record.insert("id".to_owned(), json!(row.id));
        record.extend(row.values.clone());
        Value::Object(record)
    };
    let body = json!({"allOrNone": false, "records": rows.iter().map(sent).collect::<Vec<_>>()});
    for attempt in 1..=SENDS {
        let key = key("*", part, step("update", attempt));
        let request = idempotent(cx, "PATCH", path("/composite/sobjects"), key.clone()).json(&body);
        let reply = match http::write(request).await? {
            Sent::Done(reply) => reply,
            Sent::Refused(fault) => {
                let refused = |_: &ChangeRow| Changed::Refused(fault.clone());
                return Ok(rows.iter().map(refused).collect());
            }
            Sent::Doubt(_) => continue,
        };
        let results = results(&reply, rows.len())?;
        let mut all = Vec::with_capacity(rows.len());
        let mut waited = false;
        for (row, result) in rows.iter().zip(&results) {
            all.push(if result.success {
                Changed::Done(key.clone())
            } else {
                let fault = result.fault();
                fault.about_record()?;
                if fault.passes_alone() {
                    change_alone(cx, row, &mut waited).await?
                } else {
                    Changed::Refused(fault)
                }
            });
        }
        return Ok(all);
    }
    Ok(rows.iter().map(|_| Changed::Unsettled).collect())
}

async fn change_alone(cx: &Context, row: &ChangeRow, waited: &mut bool) -> Result<Changed, Error> {
    let url = path(&format!("/sobjects/{}/{}", row.object, row.id));
    let mut last = Fault::default();
    for attempt in 1..=TRIES_ALONE {
        wait_for_lock(cx, attempt, waited).await;
        let key = key(&row.item, row.part.as_str(), step("update-alone", attempt));
        let request = idempotent(cx, "PATCH", url.clone(), key.clone()).json(&row.values);
        match http::write(request).await? {
            Sent::Done(_) => return Ok(Changed::Done(key)),
            Sent::Refused(fault) if fault.passes_alone() => last = fault,
            Sent::Refused(fault) => return Ok(Changed::Refused(fault)),
            Sent::Doubt(_) => {}
        }
    }
    Ok(match last.code.as_str() {
        "" => Changed::Unsettled,
        _ => Changed::Refused(last),
    })
}

// ---- deleting

/// What became of a record that was to be deleted: into the recycle bin.
pub type Deleted = http::RowDeleted<Fault>;

/// Deletes records by id, in their order, of one object or several; may be repeated. `batch` names the request.
///
/// # Errors
/// What ends the unit.
pub async fn delete(cx: &Context, batch: &str, ids: &[&str]) -> Result<Vec<Deleted>, Error> {
    let mut all = Vec::with_capacity(ids.len());
    for (number, chunk) in ids.chunks(ROWS).enumerate() {
        let part = format!("{batch}:{number}");
        all.extend(delete_chunk(cx, &part, chunk).await?);
    }
    Ok(all)
}

async fn delete_chunk(cx: &Context, part: &str, ids: &[&str]) -> Result<Vec<Deleted>, Error> {
    let url = path(&format!(
        "/composite/sobjects?ids={}&allOrNone=false",
        ids.join(",")
    ));
    for attempt in 1..=SENDS {
        let key = key("*", part, step("delete", attempt));
        let reply = match http::write(idempotent(cx, "DELETE", url.clone(), key)).await? {
            Sent::Done(reply) => reply,
            Sent::Refused(fault) => return Ok(vec![deleted(fault); ids.len()]),
            Sent::Doubt(_) => continue,
        };
        let mut all = Vec::with_capacity(ids.len());
        for result in results(&reply, ids.len())? {
            let fault = result.fault();
            fault.about_record()?;
            all.push(if result.success {
                Deleted::Done
            } else {
                deleted(fault)
            });
        }
        return Ok(all);
    }
    Ok(ids.iter().map(|_| Deleted::Unsettled).collect())
}

fn deleted(fault: Fault) -> Deleted {
    if is_gone(&fault) {
        Deleted::Gone
    } else {
        Deleted::Refused(fault)
    }
}

/// Whether there was nothing to be deleted (Salesforce facts §13).
fn is_gone(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "ENTITY_IS_DELETED" | "NOT_FOUND")
}

/// Deletes what has an address of its own (fields and other metadata); may be repeated.
///
/// # Errors
/// What ends the unit.
pub async fn delete_at(cx: &Context, url: &str, key: OperationKey) -> Result<Deleted, Error> {
    let request = |attempt| {
        let key = OperationKey {
            step: step(&key.step, attempt),
            ..key.clone()
        };
        idempotent(cx, "DELETE", url, key)
    };
    http::delete(SENDS, request, |fault: &Fault| {
        fault.status == 404 || is_gone(fault)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_holds_whatever_was_written() {
        assert_eq!(literal(r"O'Neil \ Söhne"), r"'O\'Neil \\ Söhne'");
        assert_eq!(literal("a\nb"), r"'a\nb'");
    }

    #[test]
    fn lists_are_cut_where_an_address_would_be_too_long() {
        let values: BTreeSet<String> = (0..1_000)
            .map(|n| format!("kustomer:org:customer:{n:024}"))
            .collect();
        let lists = in_lists(&values);
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 1_000);
        assert!(lists.len() > 1);
        for list in lists {
            let bytes: usize = list
                .iter()
                .map(|value| transload_sdk::http::segment(literal(value)).len() + 3)
                .sum();
            assert!(bytes <= QUERY_BYTES, "{bytes}");
        }
    }

    #[test]
    fn rows_are_cut_by_number_and_by_size() {
        let row = |text: usize| Row {
            item: "i".to_owned(),
            part: "main".to_owned(),
            object: "Case".to_owned(),
            values: [("Subject".to_owned(), json!("x".repeat(text)))]
                .into_iter()
                .collect(),
        };
        let sizes = |rows: &[Row]| chunks(rows).iter().map(|c| c.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![row(1); 450]), [200, 200, 50]);
        assert_eq!(sizes(&vec![row(1_500_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[]), Vec::<usize>::new());
    }
}
