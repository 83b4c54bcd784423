//! How the connector talks to HubSpot: one place where a request on records is built and an answer is sorted.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives what became of it, because what a refusal or an
//! unseen answer means is known only to the caller. What refuses the account as a whole (no credential, no scope, no calls left)
//! ends the unit and rejects nothing (rule M-10).
//!
//! **Creating.** Records go a hundred at a time by `batch/create`, links and all. Every input carries its own trace id, without
//! which one bad value would refuse all (HubSpot facts §0.3), and a unique marker (see [`crate::own`]), so that the request may
//! be sent twice: what the first sending made is refused by the second with its id. Upserts are not used: they take no links, and
//! what they answer does not say who made a record. What has no unique marker goes by [`create_once`]. Answers are paired by trace
//! id, never by place (HubSpot facts §3.3).
//!
//! Not here: retries of whole requests, pacing, credentials; those are the host's. Search is never asked whether a record that
//! we may have made is there: it lags (HubSpot facts §0.5).

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::http::{
    self, OperationKey, Refusal as _, Reply, RequestBuilder, RowMade, batches, key, step,
};
use transload_sdk::ledger::Proof;
use transload_sdk::types::{Error, Invalid};

use crate::api::{Batch, Fault, Label, Link, LinkType, Links, Page, Record};

/// The version that is spoken: supported until September 2027, and other than 2026-09 it does not hold API writes to what an
/// admin requires in forms (HubSpot facts §1.2).
pub const VERSION: &str = "2026-03";
/// Inputs of one batch of records (HubSpot facts §2).
pub const ROWS: usize = 100;
/// Inputs of one batch of links, to be made and to be read (HubSpot facts §2, §9).
const LINKS: usize = 2_000;
const LINKS_READ: usize = 1_000;
/// Bytes of one body. No limit is known; a request must be answered within 100 s (HubSpot facts §2).
const BODY_BYTES: usize = 4_000_000;
/// Bytes of a search's body (HubSpot facts §14: 3,000 characters), less what stands around the values.
const SEARCH_BYTES: usize = 2_000;
/// Values of one filter.
const SEARCH_VALUES: usize = 100;
/// Rows of a page of a search, and of all its pages (HubSpot facts §14).
const SEARCH_PAGE: u32 = 200;
const SEARCH_MOST: usize = 10_000;
/// After an answer that was not seen, a read by key that finds nothing is believed this long later, ms (rule D-3): what is not
/// answered after 100 s is cut (HubSpot facts §2), and reads by key see what was written at once (HubSpot facts §0.5).
pub const SETTLE_MS: u64 = 150_000;
/// Sends of one request whose answer is not seen.
const SENDS: u32 = 3;
/// A lock lasts two seconds (HubSpot facts §2); this is waited before a row that met one goes again, ms.
pub const LOCK_WAIT_MS: u64 = 3_000;

/// What became of a write.
pub type Sent = http::Sent<Fault>;

// ---- paths

/// Records of an object type.
pub fn objects(object: &str, rest: &str) -> String {
    format!("/crm/objects/{VERSION}/{}{rest}", http::segment(object))
}

/// Links between two object types.
pub fn associations(from: &str, to: &str, rest: &str) -> String {
    let (from, to) = (http::segment(from), http::segment(to));
    format!("/crm/associations/{VERSION}/{from}/{to}{rest}")
}

/// Properties of an object type.
pub fn properties(object: &str, rest: &str) -> String {
    format!("/crm/properties/{VERSION}/{}{rest}", http::segment(object))
}

/// Schemas of custom objects.
pub fn schemas(rest: &str) -> String {
    format!("/crm-object-schemas/{VERSION}/schemas{rest}")
}

/// Pipelines of tickets.
pub fn pipelines(rest: &str) -> String {
    format!("/crm/pipelines/{VERSION}/tickets{rest}")
}

/// Owners.
pub fn owners() -> String {
    format!("/crm/owners/{VERSION}")
}

/// Limits of the account.
pub fn limits(rest: &str) -> String {
    format!("/crm/limits/{VERSION}{rest}")
}

/// Files and folders: `/files`, `/folders`.
pub fn files(rest: &str) -> String {
    format!("/files/{VERSION}{rest}")
}

// ---- writes

impl http::Refusal for Fault {
    fn read(reply: &Reply) -> Self {
        Self::of_body(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        match self.category.as_str() {
            _ if self.status == 401 => Some(Error::Auth(self.said())),
            "MISSING_SCOPES" => Some(Error::Permission(self.said())),
            _ if self.status == 429 => Some(Error::Quota(None)),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        match self.category.as_str() {
            "OBJECT_NOT_FOUND" => Error::NotFound(self.said()),
            "CONFLICT" | "OBJECT_ALREADY_EXISTS" => Error::Conflict(self.said()),
            _ if self.holder().is_some() => Error::Conflict(self.said()),
            _ if self.status == 403 => Error::Permission(self.said()),
            _ => Error::Invalid(Invalid {
                field: self.properties().next().map(str::to_owned),
                reason: self.said(),
            }),
        }
    }

    fn said(&self) -> String {
        Self::said(self)
    }

    /// A lock, a portal that is being moved (HubSpot facts §2).
    fn passes(&self) -> bool {
        matches!(self.status, 423 | 477)
    }
}

// ---- reading

/// What a read gave; `None` for 404, and for an object type that the account has not, which is a 400.
fn found(reply: Reply) -> Result<Option<Reply>, Error> {
    if reply.status == 400 && Fault::read(&reply).is_no_type() {
        return Ok(None);
    }
    http::found::<Fault>(reply)
}

/// Reads; `None` for what is not there.
///
/// # Errors
/// Anything but 2xx, 404 and an object type that is not there.
pub async fn get(cx: &Context, path: &str) -> Result<Option<Reply>, Error> {
    let request = cx.http().get(path).header("accept", "application/json");
    found(request.send().await?)
}

/// Reads JSON; `None` for 404.
///
/// # Errors
/// As [`get`].
pub async fn find<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Option<T>, Error> {
    get(cx, path).await?.map(|reply| reply.json()).transpose()
}

/// All rows of a list; none for 404. `path` has its query.
///
/// # Errors
/// As [`get`].
pub async fn list<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Vec<T>, Error> {
    let mut rows = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut request = cx.http().get(path).header("accept", "application/json");
        if let Some(after) = &after {
            request = request.query("after", after);
        }
        let Some(reply) = found(request.send().await?)? else {
            return Ok(rows);
        };
        let page: Page<T> = reply.json()?;
        let next = page.after().filter(|_| !page.results.is_empty());
        rows.extend(page.results);
        match next {
            Some(next) if after.as_ref() != Some(&next) => after = Some(next),
            _ => return Ok(rows),
        }
    }
}

/// A `POST` that only reads; `None` for 404.
async fn ask<T: DeserializeOwned>(
    cx: &Context,
    path: String,
    body: &Value,
) -> Result<Option<T>, Error> {
    let request = cx
        .http()
        .post(path)
        .header("accept", "application/json")
        .safe()
        .json(body);
    let reply = found(request.send().await?)?;
    reply.map(|reply| reply.json()).transpose()
}

/// Records by id, of one object type; those that are gone or archived are left out.
///
/// # Errors
/// As [`get`].
pub async fn read(
    cx: &Context,
    object: &str,
    ids: &BTreeSet<String>,
    properties: &[&str],
) -> Result<BTreeMap<String, Record>, Error> {
    let found = read_inputs(cx, object, None, ids, properties, false).await?;
    Ok(found.into_iter().map(|r| (r.id.clone(), r)).collect())
}

/// Archived records by id.
///
/// # Errors
/// As [`get`].
pub async fn read_archived(
    cx: &Context,
    object: &str,
    ids: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Error> {
    let found = read_inputs(cx, object, None, ids, &[], true).await?;
    Ok(found.into_iter().map(|record| record.id).collect())
}

/// Records by a unique property: by key, so what was written is seen at once (HubSpot facts §0.5).
///
/// # Errors
/// As [`get`].
pub async fn read_by(
    cx: &Context,
    object: &str,
    property: &str,
    values: &BTreeSet<String>,
    properties: &[&str],
) -> Result<Vec<Record>, Error> {
    read_inputs(cx, object, Some(property), values, properties, false).await
}

async fn read_inputs(
    cx: &Context,
    object: &str,
    id_property: Option<&str>,
    values: &BTreeSet<String>,
    properties: &[&str],
    archived: bool,
) -> Result<Vec<Record>, Error> {
    let values: Vec<&String> = values.iter().collect();
    let mut found = Vec::new();
    for values in values.chunks(ROWS) {
        let inputs: Vec<Value> = values.iter().map(|value| json!({"id": value})).collect();
        let mut body = json!({
            "properties": properties, "propertiesWithHistory": [], "inputs": inputs,
        });
        if let (Some(property), Some(body)) = (id_property, body.as_object_mut()) {
            body.insert("idProperty".to_owned(), json!(property));
        }
        let rest = match archived {
            true => "/batch/read?archived=true",
            false => "/batch/read",
        };
        // Those that are missing are errors of a batch that succeeds in part.
        let batch: Option<Batch<Record>> = ask(cx, objects(object, rest), &body).await?;
        let records = batch.map(|batch| batch.results).unwrap_or_default();
        found.extend(records.into_iter().filter(|r| r.archived == archived));
    }
    Ok(found)
}

/// The links that records have to those of another object type, by record; those without any are left out.
///
/// # Errors
/// As [`get`].
pub async fn read_links(
    cx: &Context,
    from: &str,
    to: &str,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Link>>, Error> {
    let mut found: BTreeMap<String, Vec<Link>> = BTreeMap::new();
    let mut open: Vec<(String, Option<String>)> = ids.iter().map(|id| (id.clone(), None)).collect();
    while !open.is_empty() {
        let now: Vec<_> = open.drain(..open.len().min(LINKS_READ)).collect();
        let input = |(id, after): &(String, Option<String>)| match after {
            Some(after) => json!({"id": id, "after": after}),
            None => json!({"id": id}),
        };
        let inputs: Vec<Value> = now.iter().map(input).collect();
        let path = associations(from, to, "/batch/read");
        let batch: Option<Batch<Links>> = ask(cx, path, &json!({"inputs": inputs})).await?;
        for links in batch.map(|batch| batch.results).unwrap_or_default() {
            let next = links.paging.and_then(|paging| paging.next);
            if let Some(next) = next.filter(|next| !next.after.is_empty() && !links.to.is_empty()) {
                open.push((links.from.id.clone(), Some(next.after)));
            }
            found.entry(links.from.id).or_default().extend(links.to);
        }
    }
    Ok(found)
}

/// The types of links between two object types.
///
/// # Errors
/// As [`get`].
pub async fn labels(cx: &Context, from: &str, to: &str) -> Result<Vec<Label>, Error> {
    list(cx, &associations(from, to, "/labels")).await
}

/// A filter of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The property.
    pub property: String,
    /// `IN`, `EQ` …
    pub operator: &'static str,
    /// What it is compared with.
    pub values: Vec<String>,
}

impl Filter {
    fn sent(&self) -> Value {
        let mut filter = json!({"propertyName": self.property, "operator": self.operator});
        if let Some(members) = filter.as_object_mut() {
            match (self.operator, self.values.first()) {
                ("IN" | "NOT_IN", _) => {
                    members.insert("values".to_owned(), json!(self.values));
                }
                (_, Some(value)) => {
                    members.insert("value".to_owned(), json!(value));
                }
                (_, None) => {}
            }
        }
        filter
    }
}

/// Searches: any of the groups, all filters of a group. What was written last may be missing, so it says nothing about what we
/// may have made.
///
/// # Errors
/// As [`get`].
pub async fn search(
    cx: &Context,
    object: &str,
    groups: &[Vec<Filter>],
    properties: &[&str],
) -> Result<Vec<Record>, Error> {
    let groups: Vec<Value> = groups
        .iter()
        .map(|group| json!({"filters": group.iter().map(Filter::sent).collect::<Vec<_>>()}))
        .collect();
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    while found.len() < SEARCH_MOST {
        let mut body = json!({
            "filterGroups": groups, "properties": properties, "limit": SEARCH_PAGE,
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
        });
        if let (Some(after), Some(body)) = (&after, body.as_object_mut()) {
            body.insert("after".to_owned(), json!(after));
        }
        let page: Option<Page<Record>> = ask(cx, objects(object, "/search"), &body).await?;
        let Some(page) = page else { break };
        after = page.after().filter(|_| !page.results.is_empty());
        found.extend(page.results);
        if after.is_none() {
            break;
        }
    }
    Ok(found)
}

/// Searches for records of which one of these properties has one of many values, in as many searches as their length wants.
///
/// # Errors
/// As [`get`].
pub async fn search_in(
    cx: &Context,
    object: &str,
    wanted: &[&str],
    values: &BTreeSet<String>,
    properties: &[&str],
) -> Result<Vec<Record>, Error> {
    let room = SEARCH_BYTES / wanted.len().max(1);
    let mut found: BTreeMap<String, Record> = BTreeMap::new();
    for values in in_lists(values, room) {
        let group = |property: &&str| {
            vec![Filter {
                property: (*property).to_owned(),
                operator: "IN",
                values: values.clone(),
            }]
        };
        let groups: Vec<Vec<Filter>> = wanted.iter().map(group).collect();
        let records = search(cx, object, &groups, properties).await?;
        found.extend(records.into_iter().map(|r| (r.id.clone(), r)));
    }
    Ok(found.into_values().collect())
}

/// Cuts values into lists that fit a search; one that fits none is not looked for.
fn in_lists(values: &BTreeSet<String>, room: usize) -> Vec<Vec<String>> {
    let length = |value: &String| json!(value).to_string().len() + 1;
    let fit: Vec<String> = values
        .iter()
        .filter(|v| length(v) <= room)
        .cloned()
        .collect();
    let lists = batches(&fit, SEARCH_VALUES, room, length).into_iter();
    lists.map(<[String]>::to_vec).collect()
}

// ---- creating

/// A link that a new record is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTo {
    /// Id of the other record.
    pub to: String,
    /// What it means, from the new record to the other.
    pub types: Vec<LinkType>,
}

impl LinkTo {
    /// A link of one of HubSpot's own types.
    pub fn hubspot(to: impl Into<String>, type_id: u32) -> Self {
        Self {
            to: to.into(),
            types: vec![LinkType::hubspot(type_id)],
        }
    }

    fn sent(&self) -> Value {
        let types: Vec<Value> = self.types.iter().map(LinkType::sent).collect();
        json!({"to": {"id": self.to}, "types": types})
    }
}

/// A record to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The item's key.
    pub item: String,
    /// Which part of the item.
    pub part: String,
    /// Its values, as texts; its marker and run among them.
    pub properties: Map<String, Value>,
    /// What it is linked to from the start.
    pub links: Vec<LinkTo>,
}

impl Row {
    /// Without links.
    pub fn new(item: &str, part: impl Into<String>, properties: Map<String, Value>) -> Self {
        Self {
            item: item.to_owned(),
            part: part.into(),
            properties,
            links: Vec::new(),
        }
    }

    fn sent(&self, trace: &str) -> Value {
        let links: Vec<Value> = self.links.iter().map(LinkTo::sent).collect();
        json!({"objectWriteTraceId": trace, "properties": self.properties, "associations": links})
    }

    fn text(&self, property: &str) -> &str {
        let value = self.properties.get(property);
        value.and_then(Value::as_str).unwrap_or_default()
    }
}

/// Where an object type has the marks of the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks<'a> {
    /// The unique property with the marker.
    pub marker: &'a str,
    /// The property with the run.
    pub run: &'a str,
}

/// What became of a record that was to be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    /// It is there by our request.
    Made {
        /// Its id.
        id: String,
        /// That we made it (rule D-4).
        proof: Proof,
        /// The request that did it.
        key: OperationKey,
    },
    /// A record with its marker is there that this run has not made.
    There {
        /// Its id.
        id: String,
        /// The request that met it.
        key: OperationKey,
    },
    /// Somebody else's record has one of its unique values: an e-mail address, mostly.
    Taken {
        /// Its id.
        id: String,
        /// HubSpot's words.
        fault: Fault,
    },
    /// Refused.
    Refused(Fault),
    /// Whether it is there is not known, even after sending several times.
    Unsettled,
}

/// What is known of a row while requests are sent.
#[derive(Debug, Clone)]
enum Met {
    Success {
        id: String,
        fresh: bool,
        key: OperationKey,
    },
    Holder {
        id: String,
        fault: Fault,
        key: OperationKey,
    },
    /// The answer has nothing about it.
    Unnamed(OperationKey),
    Refused(Fault),
    Unsettled,
}

/// What a trace id in a request is, by the row's place in it.
fn trace(place: usize) -> String {
    format!("row-{place}")
}

/// As many rows as a request takes.
fn chunks(rows: &[Row]) -> Vec<&[Row]> {
    let size = |row: &Row| serde_json::to_string(&row.properties).map_or(0, |text| text.len());
    batches(rows, ROWS, BODY_BYTES, size)
}

fn body_of(rows: &[Row]) -> Value {
    let input = |(place, row): (usize, &Row)| row.sent(&trace(place));
    json!({"inputs": rows.iter().enumerate().map(input).collect::<Vec<_>>()})
}

/// Creates records that carry a unique marker, in their order; may be repeated. `batch` names the requests, and is the same
/// whenever the unit runs.
///
/// # Errors
/// What ends the unit.
pub async fn create(
    cx: &Context,
    object: &str,
    batch: &str,
    marks: Marks<'_>,
    rows: &[Row],
) -> Result<Vec<Saved>, Error> {
    let mut met = Vec::with_capacity(rows.len());
    for (number, chunk) in chunks(rows).into_iter().enumerate() {
        met.extend(create_chunk(cx, object, format!("{batch}:{number}"), chunk).await?);
    }
    prove(cx, object, marks, rows, met).await
}

async fn create_chunk(
    cx: &Context,
    object: &str,
    part: String,
    rows: &[Row],
) -> Result<Vec<Met>, Error> {
    let mut met: Vec<Met> = vec![Met::Unsettled; rows.len()];
    // What refuses all of several rows is looked for in halves.
    let mut open: Vec<(String, usize, &[Row])> = vec![(part, 0, rows)];
    while let Some((part, start, rows)) = open.pop() {
        let said = send_rows(cx, object, &part, rows).await?;
        let refused = matches!(said.as_slice(), [Met::Refused(first), rest @ ..]
            if first.traces.is_empty() && rest.iter().all(|m| matches!(m, Met::Refused(f) if f == first)));
        if refused && rows.len() > 1 {
            let (one, other) = rows.split_at(rows.len() / 2);
            open.push((format!("{part}b"), start + one.len(), other));
            open.push((format!("{part}a"), start, one));
            continue;
        }
        for (place, said) in said.into_iter().enumerate() {
            if let Some(slot) = met.get_mut(start + place) {
                *slot = said;
            }
        }
    }
    Ok(met)
}

async fn send_rows(
    cx: &Context,
    object: &str,
    part: &str,
    rows: &[Row],
) -> Result<Vec<Met>, Error> {
    let body = body_of(rows);
    for attempt in 1..=SENDS {
        let key = key("*", part, step("create", attempt));
        let path = objects(object, "/batch/create");
        let request = cx.http().repeatable("POST", path, key.clone()).json(&body);
        match http::write(request).await? {
            Sent::Done(reply) => return rows_met(&reply, rows.len(), &key),
            Sent::Refused(fault) => {
                return Ok(match (fault.holder(), rows) {
                    (Some(id), [_]) => vec![Met::Holder { id, fault, key }],
                    _ => rows.iter().map(|_| Met::Refused(fault.clone())).collect(),
                });
            }
            // The unique marker keeps a second sending from making a second record, whenever the first is applied.
            Sent::Doubt(_) => {}
        }
    }
    Ok(rows.iter().map(|_| Met::Unsettled).collect())
}

/// What an answer says of each row.
fn rows_met(reply: &Reply, rows: usize, key: &OperationKey) -> Result<Vec<Met>, Error> {
    let batch: Batch<Record> = reply.json()?;
    let mut by_trace: BTreeMap<String, Met> = BTreeMap::new();
    for error in &batch.errors {
        let fault = Fault::of(reply.status, error);
        fault.about_record()?;
        for trace in &fault.traces {
            let met = match fault.holder() {
                Some(id) => Met::Holder {
                    id,
                    fault: fault.clone(),
                    key: key.clone(),
                },
                None => Met::Refused(fault.clone()),
            };
            by_trace.insert(trace.clone(), met);
        }
    }
    for record in batch.results {
        if let Some(trace) = record.object_write_trace_id {
            let success = Met::Success {
                id: record.id,
                fresh: !reply.attempted_before,
                key: key.clone(),
            };
            by_trace.insert(trace, success);
        }
    }
    let of = |place: usize| {
        let met = by_trace.remove(&trace(place));
        met.unwrap_or_else(|| Met::Unnamed(key.clone()))
    };
    Ok((0..rows).map(of).collect())
}

/// Says of each record whose it is. What an earlier sending may have made, and what was there, is read: our marker says that it
/// is the record, our run that we made it.
async fn prove(
    cx: &Context,
    object: &str,
    marks: Marks<'_>,
    rows: &[Row],
    met: Vec<Met>,
) -> Result<Vec<Saved>, Error> {
    let mut doubtful = BTreeSet::new();
    let mut unnamed = BTreeSet::new();
    for (row, met) in rows.iter().zip(&met) {
        match met {
            Met::Success {
                id, fresh: false, ..
            }
            | Met::Holder { id, .. } => {
                doubtful.insert(id.clone());
            }
            Met::Unnamed(_) => {
                unnamed.insert(row.text(marks.marker).to_owned());
            }
            _ => {}
        }
    }
    let columns = [marks.marker, marks.run];
    let now = read(cx, object, &doubtful, &columns).await?;
    let by_marker: BTreeMap<String, Record> = read_by(cx, object, marks.marker, &unnamed, &columns)
        .await?
        .into_iter()
        .map(|record| (record.text(marks.marker).to_owned(), record))
        .collect();
    let of_run = |record: &Record, key: OperationKey| {
        let id = record.id.clone();
        if record.text(marks.run) == cx.run() {
            let proof = Proof::Marker(cx.run().to_owned());
            Saved::Made { id, proof, key }
        } else {
            Saved::There { id, key }
        }
    };
    let mut saved = Vec::with_capacity(rows.len());
    for (row, met) in rows.iter().zip(met) {
        let marker = row.text(marks.marker);
        saved.push(match met {
            Met::Success {
                id,
                fresh: true,
                key,
            } => {
                let proof = Proof::Fresh;
                Saved::Made { id, proof, key }
            }
            Met::Success { id, key, .. } => match now.get(&id) {
                Some(record) => of_run(record, key),
                None => Saved::There { id, key },
            },
            Met::Holder { id, fault, key } => match now.get(&id) {
                Some(record) if record.text(marks.marker) == marker => of_run(record, key),
                Some(_) => Saved::Taken { id, fault },
                // HubSpot facts §23: an archived record may keep its unique values.
                None => Saved::Refused(fault),
            },
            Met::Unnamed(key) => match by_marker.get(marker) {
                Some(record) => of_run(record, key),
                None => Saved::Unsettled,
            },
            Met::Refused(fault) => Saved::Refused(fault),
            Met::Unsettled => Saved::Unsettled,
        });
    }
    Ok(saved)
}

/// Creates at most [`ROWS`] records that carry no unique marker (activities). It must not be repeated before what is there was
/// looked up: for a second try give another `step`. What refuses all rows for one reason refuses each.
///
/// # Errors
/// What ends the unit.
pub async fn create_once(
    cx: &Context,
    object: &str,
    batch: &str,
    step: &str,
    rows: &[Row],
) -> Result<Vec<RowMade<Fault>>, Error> {
    let key = key("*", batch, step);
    let path = objects(object, "/batch/create");
    let request = cx
        .http()
        .write("POST", path, key.clone())
        .json(&body_of(rows));
    let reply = match http::write(request).await? {
        Sent::Done(reply) => reply,
        Sent::Refused(fault) => return Ok(vec![RowMade::Refused(fault); rows.len()]),
        Sent::Doubt(sent_at) => return Ok(vec![RowMade::Doubt(sent_at, key); rows.len()]),
    };
    let saved = rows_met(&reply, rows.len(), &key)?.into_iter();
    Ok(saved
        .map(|met| match met {
            Met::Success { id, fresh, key } => RowMade::Done { id, fresh, key },
            Met::Holder { fault, .. } | Met::Refused(fault) => RowMade::Refused(fault),
            Met::Unnamed(key) => RowMade::Doubt(cx.now(), key),
            Met::Unsettled => RowMade::Doubt(cx.now(), key.clone()),
        })
        .collect())
}

// ---- changing

/// A record to be changed to fixed values.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// Which record.
    pub id: String,
    /// What becomes of it, as texts; an empty text or null empties.
    pub properties: Map<String, Value>,
}

/// What became of a change.
pub type Changed = http::RowChanged<Fault>;

/// Changes records of one object type, in their order; may be repeated. No record may be among them twice.
///
/// # Errors
/// What ends the unit.
pub async fn change(
    cx: &Context,
    object: &str,
    batch: &str,
    rows: &[ChangeRow],
) -> Result<Vec<Changed>, Error> {
    let mut all: Vec<Changed> = vec![Changed::Unsettled; rows.len()];
    let mut open: Vec<(String, usize, &[ChangeRow])> = Vec::new();
    for (number, chunk) in rows.chunks(ROWS).enumerate() {
        open.push((format!("{batch}:{number}"), number * ROWS, chunk));
    }
    open.reverse();
    while let Some((part, start, rows)) = open.pop() {
        let said = change_chunk(cx, object, &part, rows).await?;
        let whole = said
            .iter()
            .all(|one| matches!(one, Changed::Refused(fault) if fault.traces.is_empty()));
        if whole && rows.len() > 1 {
            // Whatever refuses all of them is looked for in halves; one that met a lock has it behind it by then.
            cx.sleep(LOCK_WAIT_MS).await;
            let (one, other) = rows.split_at(rows.len() / 2);
            open.push((format!("{part}b"), start + one.len(), other));
            open.push((format!("{part}a"), start, one));
            continue;
        }
        for (place, said) in said.into_iter().enumerate() {
            if let Some(slot) = all.get_mut(start + place) {
                *slot = said;
            }
        }
    }
    Ok(all)
}

async fn change_chunk(
    cx: &Context,
    object: &str,
    part: &str,
    rows: &[ChangeRow],
) -> Result<Vec<Changed>, Error> {
    let value = |value: &Value| {
        if value.is_null() {
            json!("")
        } else {
            value.clone()
        }
    };
    let input = |(place, row): (usize, &ChangeRow)| {
        let properties: Map<String, Value> = row
            .properties
            .iter()
            .map(|(name, one)| (name.clone(), value(one)))
            .collect();
        json!({"objectWriteTraceId": trace(place), "id": row.id, "properties": properties})
    };
    let body = json!({"inputs": rows.iter().enumerate().map(input).collect::<Vec<_>>()});
    for attempt in 1..=SENDS {
        let key = key("*", part, step("update", attempt));
        let path = objects(object, "/batch/update");
        let reply =
            match http::write(cx.http().repeatable("POST", path, key.clone()).json(&body)).await? {
                Sent::Done(reply) => reply,
                Sent::Refused(fault) => {
                    return Ok(rows
                        .iter()
                        .map(|_| Changed::Refused(fault.clone()))
                        .collect());
                }
                Sent::Doubt(_) => continue,
            };
        let batch: Batch<Record> = reply.json()?;
        let done: BTreeSet<String> = batch.results.into_iter().map(|record| record.id).collect();
        let mut refused: BTreeMap<String, Fault> = BTreeMap::new();
        let mut general = None;
        for error in &batch.errors {
            let fault = Fault::of(reply.status, error);
            fault.about_record()?;
            for trace in &fault.traces {
                refused.insert(trace.clone(), fault.clone());
            }
            general.get_or_insert(fault);
        }
        let of = |(place, row): (usize, &ChangeRow)| {
            if done.contains(&row.id) {
                return Changed::Done(key.clone());
            }
            let fault = refused.get(&trace(place)).or(general.as_ref());
            fault.map_or(Changed::Unsettled, |fault| Changed::Refused(fault.clone()))
        };
        return Ok(rows.iter().enumerate().map(of).collect());
    }
    Ok(rows.iter().map(|_| Changed::Unsettled).collect())
}

// ---- deleting

/// What became of something that was to be deleted: HubSpot does not say whether it was gone before (HubSpot facts §3.3).
pub type Deleted = http::RowDeleted<Fault>;

/// Archives records of one object type, in their order; may be repeated.
///
/// # Errors
/// What ends the unit.
pub async fn archive(
    cx: &Context,
    object: &str,
    batch: &str,
    ids: &[&str],
) -> Result<Vec<Deleted>, Error> {
    let mut all = Vec::with_capacity(ids.len());
    for (number, chunk) in ids.chunks(ROWS).enumerate() {
        let part = format!("{batch}:{number}");
        let inputs: Vec<Value> = chunk.iter().map(|id| json!({"id": id})).collect();
        let body = json!({"inputs": inputs});
        let deleted = sent_until_seen(|attempt| {
            let key = key("*", part.as_str(), step("archive", attempt));
            cx.http()
                .repeatable("POST", objects(object, "/batch/archive"), key)
                .json(&body)
        })
        .await?;
        all.extend(chunk.iter().map(|_| deleted.clone()));
    }
    Ok(all)
}

/// Deletes what has an address of its own; may be repeated.
///
/// # Errors
/// What ends the unit.
pub async fn delete_at(cx: &Context, path: &str, key: OperationKey) -> Result<Deleted, Error> {
    sent_until_seen(|attempt| {
        let key = OperationKey {
            step: step(&key.step, attempt),
            ..key.clone()
        };
        cx.http().repeatable("DELETE", path, key)
    })
    .await
}

/// Sends a request that may be sent twice until an answer is seen.
///
/// # Errors
/// What ends the unit.
pub async fn sent_until_seen(request: impl Fn(u32) -> RequestBuilder) -> Result<Deleted, Error> {
    let is_gone = |fault: &Fault| matches!(fault.status, 404 | 410);
    http::delete(SENDS, request, is_gone).await
}

// ---- linking

/// A link between two records that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// From.
    pub from: String,
    /// To.
    pub to: String,
    /// All that it is to mean: what is not among it is taken away (HubSpot facts §9).
    pub types: Vec<LinkType>,
}

/// What became of links.
#[derive(Debug, Clone, PartialEq)]
pub enum Linked {
    /// It is there.
    Done(OperationKey),
    /// Refused.
    Refused(Fault),
    /// Not known, even after sending several times.
    Unsettled,
}

/// Links records of two object types, in their order; may be repeated (HubSpot facts §9).
///
/// # Errors
/// What ends the unit.
pub async fn link(
    cx: &Context,
    from: &str,
    to: &str,
    batch: &str,
    links: &[NewLink],
) -> Result<Vec<Linked>, Error> {
    let mut all: Vec<Linked> = vec![Linked::Unsettled; links.len()];
    let mut open: Vec<(String, usize, &[NewLink])> = Vec::new();
    for (number, chunk) in links.chunks(LINKS).enumerate() {
        open.push((format!("{batch}:{number}"), number * LINKS, chunk));
    }
    open.reverse();
    while let Some((part, start, links)) = open.pop() {
        let said = link_chunk(cx, from, to, &part, links).await?;
        // An answer that succeeds in part does not say which link it means: they are sought in halves, which does no harm.
        if matches!(said, Linked::Refused(_)) && links.len() > 1 {
            let (one, other) = links.split_at(links.len() / 2);
            open.push((format!("{part}b"), start + one.len(), other));
            open.push((format!("{part}a"), start, one));
            continue;
        }
        for place in 0..links.len() {
            if let Some(slot) = all.get_mut(start + place) {
                *slot = said.clone();
            }
        }
    }
    Ok(all)
}

async fn link_chunk(
    cx: &Context,
    from: &str,
    to: &str,
    part: &str,
    links: &[NewLink],
) -> Result<Linked, Error> {
    let input = |link: &NewLink| {
        let types: Vec<Value> = link.types.iter().map(LinkType::sent).collect();
        json!({"from": {"id": link.from}, "to": {"id": link.to}, "types": types})
    };
    let body = json!({"inputs": links.iter().map(input).collect::<Vec<_>>()});
    for attempt in 1..=SENDS {
        let key = key("*", part, step("link", attempt));
        let path = associations(from, to, "/batch/create");
        match http::write(cx.http().repeatable("POST", path, key.clone()).json(&body)).await? {
            Sent::Done(reply) => {
                let batch: Batch<Value> = reply.json()?;
                return Ok(match batch.errors.first() {
                    None => Linked::Done(key),
                    Some(error) => {
                        let fault = Fault::of(reply.status, error);
                        fault.about_record()?;
                        Linked::Refused(fault)
                    }
                });
            }
            Sent::Refused(fault) => return Ok(Linked::Refused(fault)),
            Sent::Doubt(_) => {}
        }
    }
    Ok(Linked::Unsettled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_into_lists_that_a_search_takes() {
        let values: BTreeSet<String> = (0..1_000).map(|n| format!("+4930{n:08}")).collect();
        let lists = in_lists(&values, SEARCH_BYTES);
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 1_000);
        for list in lists {
            assert!(json!(list).to_string().len() <= SEARCH_BYTES + 2);
            assert!(list.len() <= SEARCH_VALUES);
        }
        let long: BTreeSet<String> = ["x".repeat(4_000)].into();
        assert!(in_lists(&long, SEARCH_BYTES).is_empty());
    }

    #[test]
    fn rows_are_cut_by_number_and_by_size() {
        let row = |text: usize| {
            let values = [("subject".to_owned(), json!("x".repeat(text)))];
            Row::new("i", "main", values.into_iter().collect())
        };
        let sizes = |rows: &[Row]| chunks(rows).iter().map(|c| c.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&vec![row(1); 250]), [100, 100, 50]);
        assert_eq!(sizes(&vec![row(1_500_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[]), Vec::<usize>::new());
    }
}
