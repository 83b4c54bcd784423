//! Files: as ContentVersions, up to two hundred in one request, and their bytes compared by what Salesforce says it holds.
//!
//! A file is made before what it hangs on, since an e-mail is frozen at birth (Salesforce facts §0.6), and hangs on its Case
//! from the beginning. Its external id is unique, so that a request may be sent twice. The parts of one request are the
//! records as JSON and the bytes of each, which the host streams (Salesforce facts §9.6). What is empty, too large or refused
//! is named in the thread.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::effects::{made, print};
use transload_sdk::http::{
    self, OperationKey, Part, PartBody, Refusal as _, batches, key, part_file, step,
};
use transload_sdk::ledger::Proof;
use transload_sdk::loading::Uploaded;
use transload_sdk::types::{BlobRef, Entry, Error};

use crate::api::{Fault, Record, RowResult, id18, text};
use crate::client::{self, ROWS, Sent};
use crate::fields::{RUN, SOURCE_ID, source_id};
use crate::map;
use crate::state::{Config, State};
use crate::text::cut_chars;
use transload_sdk::thread::{File, sendable};

/// What a file is, as a record.
pub const VERSION: &str = "ContentVersion";
/// What is deleted when a file is (Salesforce facts §0.9), and so what the ledger holds.
pub const DOCUMENT: &str = "ContentDocument";
/// Bytes of the files of one request: 500 MB at the most (Salesforce facts §9.6), of which some are for what is around them.
const TOGETHER: usize = 450_000_000;
/// Characters of a title, and of a name with its ending.
const NAME_CHARS: usize = 255;
/// Sends of one request whose answer is not seen.
const SENDS: u32 = 3;
/// Waited before a file that met a lock is sent again, ms (Salesforce facts §15).
const LOCK_WAIT_MS: u64 = 15_000;
/// What is read of a file at once.
const STRIDE: u32 = 1 << 20;

/// A file that is to be sent.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The item's key.
    pub item: &'a str,
    /// The attachment.
    pub entry: &'a Entry,
    /// What people read.
    pub name: String,
    /// Its bytes.
    pub content: BlobRef,
    /// The Case that it hangs on.
    pub case: &'a str,
}

impl Wanted<'_> {
    fn part(&self) -> String {
        format!("file:{}", self.entry.head.id)
    }
}

/// Name and bytes of a file that can be sent; else what stands for it.
///
/// # Errors
/// What the thread says instead.
pub fn to_be_sent(entry: &Entry, config: &Config) -> Result<(String, BlobRef), File> {
    let too_large = "larger than Salesforce takes: named in the thread";
    let file = sendable(entry, config.max_attachment_bytes, "Salesforce", too_large);
    let (name, content) = file.map_err(|(cause, words)| File::Refused(cause, words))?;
    // Salesforce facts §9.6 [MEM].
    if content.size == 0 {
        let words = "it is empty, which Salesforce does not take".to_owned();
        return Err(File::NotTaken(words));
    }
    Ok((name.trim().to_owned(), content))
}

/// Sends files. What each is known by is `prefix`, `attachment:` and its id. `batch` names the requests.
///
/// # Errors
/// What ends the unit.
pub async fn send(
    cx: &Context,
    state: &State,
    batch: &str,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Uploaded>, Error> {
    let sender = Sender { cx, state };
    let mut met = Vec::with_capacity(wanted.len());
    let size = |one: &Wanted<'_>| usize::try_from(one.content.size).unwrap_or(usize::MAX);
    let groups = batches(wanted, ROWS, TOGETHER, size);
    for (number, group) in groups.into_iter().enumerate() {
        let part = format!("{batch}:{number}");
        met.extend(sender.group(&part, group).await?);
    }
    sender.look(wanted, met).await
}

/// The files of these attachments that are there already, from an earlier run.
///
/// # Errors
/// What ends the unit.
pub async fn there(
    cx: &Context,
    state: &State,
    ids: &BTreeSet<&str>,
) -> Result<BTreeMap<String, File>, Error> {
    let mut found = BTreeMap::new();
    if ids.is_empty() || !state.has(VERSION, SOURCE_ID) {
        return Ok(found);
    }
    let by_marker: BTreeMap<String, &str> = ids.iter().map(|id| (marker(cx, id), *id)).collect();
    let markers: BTreeSet<String> = by_marker.keys().cloned().collect();
    let select = format!("SELECT Id, ContentDocumentId, {SOURCE_ID} FROM {VERSION}");
    for version in client::query_in(cx, &select, SOURCE_ID, &markers, None).await? {
        if let Some(id) = by_marker.get(text(&version, SOURCE_ID)) {
            let file = File::There {
                id: id18(text(&version, "ContentDocumentId")),
                url: url(text(&version, "Id")),
            };
            found.insert((*id).to_owned(), file);
        }
    }
    Ok(found)
}

/// What the file of an attachment is known by.
fn marker(cx: &Context, id: &str) -> String {
    source_id(&format!("{}attachment:{id}", cx.marker_prefix()))
}

/// Where HTML finds a version, below the org's own address (Salesforce facts §9.6).
fn url(version: &str) -> String {
    format!("/sfc/servlet.shepherd/version/download/{version}")
}

/// What an answer says of a file.
enum Met {
    /// A version is there: its id, whether this request made it for sure, and the request.
    Version(String, bool, OperationKey),
    Refused(Fault),
    Unsettled,
}

struct Sender<'a> {
    cx: &'a Context,
    state: &'a State,
}

impl Sender<'_> {
    fn record(&self, one: &Wanted<'_>) -> Map<String, Value> {
        let mut record = Map::new();
        let mut set = |name: &str, value: Value| record.insert(name.to_owned(), value);
        let (name, _) = cut_chars(&one.name, NAME_CHARS);
        set("Title", json!(name));
        set("PathOnClient", json!(name));
        set("FirstPublishLocationId", json!(one.case));
        if let Some(at) = one.entry.head.created_at {
            let at = map::auditable(at, self.cx.now());
            set("ContentModifiedDate", json!(map::datetime(at)));
        }
        for (field, value) in [
            (SOURCE_ID, marker(self.cx, &one.entry.head.id)),
            (RUN, self.cx.run().to_owned()),
        ] {
            if self.state.has(VERSION, field) {
                set(field, json!(value));
            }
        }
        record
    }

    /// One request for some files; where it is refused as a whole, one for each shows which.
    async fn group(&self, part: &str, group: &[Wanted<'_>]) -> Result<Vec<Met>, Error> {
        if let [one] = group {
            return Ok(vec![self.alone(one, "create").await?]);
        }
        let name_of = |at: usize| format!("file{at}");
        let record = |(at, one): (usize, &Wanted<'_>)| {
            let mut record = Map::new();
            let attributes = json!({
                "type": VERSION,
                "binaryPartName": name_of(at),
                "binaryPartNameAlias": "VersionData",
            });
            record.insert("attributes".to_owned(), attributes);
            record.extend(self.record(one));
            Value::Object(record)
        };
        let records: Vec<Value> = group.iter().enumerate().map(record).collect();
        let body = json!({"allOrNone": false, "records": records});
        let mut parts = vec![json_part("collection", &body)];
        let bytes = |(at, one): (usize, &Wanted<'_>)| {
            part_file(name_of(at), file_name(&one.name), one.content.clone())
        };
        parts.extend(group.iter().enumerate().map(bytes));
        for attempt in 1..=SENDS {
            let key = key("*", part, step("create", attempt));
            let url = client::path("/composite/sobjects");
            let request = client::idempotent(self.cx, "POST", url, key.clone());
            match http::write(request.multipart(parts.clone())).await? {
                Sent::Done(reply) => {
                    let rows: Vec<RowResult> = client::results(&reply, group.len())?;
                    let mut met = Vec::with_capacity(rows.len());
                    for (one, row) in group.iter().zip(rows) {
                        let one = match row_met(&row, !reply.attempted_before, &key)? {
                            Met::Refused(fault) if fault.passes_alone() => {
                                self.alone(one, "create-alone").await?
                            }
                            met => met,
                        };
                        met.push(one);
                    }
                    return Ok(met);
                }
                Sent::Refused(_) => {
                    let mut met = Vec::with_capacity(group.len());
                    for one in group {
                        met.push(self.alone(one, "create-alone").await?);
                    }
                    return Ok(met);
                }
                Sent::Doubt(_) => {}
            }
        }
        Ok(group.iter().map(|_| Met::Unsettled).collect())
    }

    /// One file by a request of its own.
    async fn alone(&self, one: &Wanted<'_>, first: &str) -> Result<Met, Error> {
        let parts = vec![
            json_part("entity_content", &Value::Object(self.record(one))),
            part_file("VersionData", file_name(&one.name), one.content.clone()),
        ];
        let mut last = None;
        for attempt in 1..=SENDS {
            let key = key(one.item, one.part(), step(first, attempt));
            let url = client::path(&format!("/sobjects/{VERSION}"));
            let request = client::idempotent(self.cx, "POST", url, key.clone());
            match http::write(request.multipart(parts.clone())).await? {
                Sent::Done(reply) => {
                    let row: RowResult = reply.json()?;
                    return row_met(&row, !reply.attempted_before, &key);
                }
                Sent::Refused(fault) => match fault.holder() {
                    Some(id) => return Ok(Met::Version(id, false, key)),
                    None if fault.passes_alone() => {
                        self.cx.sleep(LOCK_WAIT_MS).await;
                        last = Some(fault);
                    }
                    None => return Ok(Met::Refused(fault)),
                },
                Sent::Doubt(_) => last = None,
            }
        }
        Ok(last.map_or(Met::Unsettled, Met::Refused))
    }

    /// Finds the documents of what is there, and whether it is what was sent.
    async fn look(&self, wanted: &[Wanted<'_>], met: Vec<Met>) -> Result<Vec<Uploaded>, Error> {
        let ids: BTreeSet<String> = met
            .iter()
            .filter_map(|met| match met {
                Met::Version(id, ..) => Some(id.clone()),
                Met::Refused(_) | Met::Unsettled => None,
            })
            .collect();
        let fields = [
            "Id",
            "ContentDocumentId",
            "Checksum",
            "ContentSize",
            "Title",
        ];
        let has_run = self.state.has(VERSION, RUN);
        let own = has_run.then_some(RUN);
        let fields: Vec<&str> = fields.into_iter().chain(own).collect();
        let versions = if ids.is_empty() {
            BTreeMap::new()
        } else {
            client::retrieve(self.cx, VERSION, &ids, &fields).await?
        };
        let fate = |(one, met): (&Wanted<'_>, Met)| match met {
            Met::Refused(fault) => Uploaded::Refused(File::NotTaken(format!(
                "Salesforce refuses it: {}",
                fault.said()
            ))),
            Met::Unsettled => Uploaded::Unsettled,
            Met::Version(id, fresh, key) => match versions.get(&id) {
                Some(version) => self.there(one, version, fresh, key),
                None => Uploaded::Unsettled,
            },
        };
        Ok(wanted.iter().zip(met).map(fate).collect())
    }

    fn there(
        &self,
        one: &Wanted<'_>,
        version: &Record,
        fresh: bool,
        key: OperationKey,
    ) -> Uploaded {
        let document = id18(text(version, "ContentDocumentId"));
        let ours = text(version, RUN) == self.cx.run();
        let proof = match (fresh, ours) {
            (true, _) => Some(Proof::Fresh),
            (false, true) => Some(Proof::Marker(self.cx.run().to_owned())),
            (false, false) => None,
        };
        let mut effect = made(&one.part(), DOCUMENT, document.as_str(), proof, key);
        effect.fingerprint = Some(print(&facets(version)));
        let size = version.get("ContentSize").and_then(Value::as_u64);
        let is_whole = size == Some(one.content.size)
            && text(version, "Checksum") == md5_of(self.cx, &one.content);
        let file = if is_whole {
            File::There {
                id: document,
                url: url(text(version, "Id")),
            }
        } else {
            File::NotTaken("other bytes have arrived than were sent".to_owned())
        };
        Uploaded::There(file, Box::new(effect))
    }
}

/// What of a file is compared before an undo: its bytes and its title.
pub fn facets(version: &Record) -> Vec<(String, String)> {
    let facet = |name: &str| (name.to_owned(), text(version, name).to_owned());
    vec![facet("Checksum"), facet("Title")]
}

fn row_met(row: &RowResult, fresh: bool, key: &OperationKey) -> Result<Met, Error> {
    if let Some(id) = row.id.as_deref().filter(|_| row.success) {
        return Ok(Met::Version(id18(id), fresh, key.clone()));
    }
    let fault = row.fault();
    fault.about_record()?;
    Ok(match fault.holder() {
        Some(id) => Met::Version(id, false, key.clone()),
        None => Met::Refused(fault),
    })
}

fn json_part(name: &str, value: &Value) -> Part {
    Part {
        name: name.to_owned(),
        filename: None,
        media_type: Some("application/json".to_owned()),
        body: PartBody::Bytes(value.to_string().into_bytes()),
    }
}

/// A name that the head of a form's part can carry: its title keeps what this has not.
fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_control() || matches!(c, '"' | '\\') {
            '_'
        } else {
            c
        }
    };
    name.chars().map(plain).collect()
}

/// MD5 in hexadecimal, which is what Salesforce says of a file. Read piece by piece.
pub fn md5_of(cx: &Context, blob: &BlobRef) -> String {
    let mut hash = Md5::new();
    let mut at = 0;
    loop {
        let piece = cx.blobs().read(blob, at, STRIDE);
        if piece.is_empty() {
            break;
        }
        at += piece.len() as u64;
        hash.update(&piece);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
