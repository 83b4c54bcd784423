//! Many records of one object at once: a job of Bulk API 2.0, whose CSV the host holds (Salesforce facts §6).
//!
//! A job is an accelerator and no more: a row that its results show as made is made; every other, whether it failed, was not
//! processed, or its job's fate is not known, goes by collections afterwards, which say exactly what is wrong with it and, by the
//! unique external id, never make it twice. So no step of a job needs to be looked up: one that was opened and never closed does
//! nothing, and ends by itself within a day.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::http::{self, OperationKey, key};
use transload_sdk::types::{BlobRef, Error};

use crate::api::{Fault, id18};
use crate::client::{self, Row, Sent, idempotent, once, path};
use crate::fields::SOURCE_ID;

/// From so many rows on a job takes fewer calls than collections; Salesforce says the same (Salesforce facts §6).
pub const ROWS: usize = 2_000;
/// Bytes of one upload; 100 MB are the most (Salesforce facts §2).
const UPLOAD_BYTES: u64 = 90_000_000;
/// How often a job is asked after, ms: each time is a call. Ten thousand rows take about a minute.
const POLL_MS: u64 = 20_000;
/// After this it counts as stuck, ms.
const PATIENCE_MS: u64 = 3_600_000;
/// Ends of a job.
const ENDS: [&str; 3] = ["JobComplete", "Failed", "Aborted"];

/// The records that a job made: their ids by external id, and the request that let it run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// Of 18 characters.
    pub ids: BTreeMap<String, String>,
    /// The request.
    pub key: Option<OperationKey>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Job {
    id: String,
    state: String,
}

/// Whether rows can go by a job: enough of them, of one object, with nothing in them that a cell cannot hold.
pub fn suits(rows: &[Row]) -> bool {
    let scalar = |value: &Value| !value.is_array() && !value.is_object();
    let first = rows.first().map(|row| row.object.as_str());
    rows.len() >= ROWS
        && rows.iter().all(|row| {
            Some(row.object.as_str()) == first
                && row.values.contains_key(SOURCE_ID)
                && row.values.values().all(scalar)
        })
}

/// Inserts rows of one object by a job.
///
/// # Errors
/// What ends the unit.
pub async fn insert(cx: &Context, batch: &str, rows: &[Row]) -> Result<Loaded, Error> {
    let Some(object) = rows.first().map(|row| row.object.as_str()) else {
        return Ok(Loaded::default());
    };
    let csv = upload(cx, rows)?;
    if csv.size > UPLOAD_BYTES {
        return Ok(Loaded::default());
    }
    let part = format!("bulk:{batch}");
    let open = json!({
        "object": object, "operation": "insert", "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA",
    });
    let request = once(
        cx,
        "POST",
        path("/jobs/ingest"),
        key("*", part.as_str(), "job:create"),
    );
    let Sent::Done(reply) = http::write(request.json(&open).passing()).await? else {
        return Ok(Loaded::default());
    };
    let job: Job = reply.json()?;
    let url = path(&format!("/jobs/ingest/{}", job.id));
    let put = once(
        cx,
        "PUT",
        format!("{url}/batches"),
        key("*", part.as_str(), "job:upload"),
    );
    let Sent::Done(_) = http::write(put.body_blob(csv).passing()).await? else {
        return Ok(Loaded::default());
    };
    let close = key("*", part.as_str(), "job:close");
    let run = idempotent(cx, "PATCH", url.clone(), close.clone());
    let run = run.json(&json!({"state": "UploadComplete"}));
    // A job whose closing was not answered may run: it is asked after all the same.
    if let Sent::Refused(_) = http::write(run).await? {
        return Ok(Loaded::default());
    }
    let asked = cx
        .http()
        .get(url.clone())
        .header("accept", "application/json");
    let reply = asked.poll(POLL_MS, PATIENCE_MS, "/state", &ENDS).await?;
    if !reply.ok() {
        http::refused::<Fault>(&reply)?;
        return Ok(Loaded::default());
    }
    let job: Job = reply.json()?;
    if !ENDS.contains(&job.state.as_str()) {
        // Open after all, or slow. What it makes meanwhile is refused to collections with its id.
        let abort = idempotent(cx, "PATCH", url, key("*", part, "job:abort"));
        http::write::<Fault>(abort.json(&json!({"state": "Aborted"})).passing()).await?;
        return Ok(Loaded::default());
    }
    Ok(Loaded {
        ids: made(cx, &format!("{url}/successfulResults")).await?,
        key: Some(close),
    })
}

/// The rows as CSV: one column for each field that any of them has.
fn upload(cx: &Context, rows: &[Row]) -> Result<BlobRef, Error> {
    let names: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.values.keys().map(String::as_str))
        .collect();
    let unwritten = |_| Error::Bug("a row that is no CSV".to_owned());
    let mut builder = cx.blobs().builder("text/csv");
    let mut lines = csv::WriterBuilder::new().from_writer(Vec::new());
    lines.write_record(&names).map_err(unwritten)?;
    for rows in rows.chunks(client::ROWS) {
        for row in rows {
            let cells = names.iter().map(|name| cell(row.values.get(*name)));
            lines.write_record(cells).map_err(unwritten)?;
        }
        let bytes = lines
            .into_inner()
            .map_err(|_| Error::Bug("a CSV that was not written".to_owned()))?;
        builder.append(&bytes);
        lines = csv::WriterBuilder::new().from_writer(Vec::new());
    }
    Ok(builder.finish())
}

/// A value as a cell has it: an empty one says nothing.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Reads a job's successful rows, which come in any order (Salesforce facts §6).
async fn made(cx: &Context, url: &str) -> Result<BTreeMap<String, String>, Error> {
    let request = cx.http().get(url).header("accept", "text/csv");
    let (reply, blob) = request.download().await?;
    if !reply.ok() {
        return Ok(BTreeMap::new());
    }
    read(&cx.blobs().read_all(&blob))
}

fn read(bytes: &[u8]) -> Result<BTreeMap<String, String>, Error> {
    let unread = |_| Error::Bug("results of a job that are no CSV".to_owned());
    let mut lines = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let header = lines.headers().map_err(unread)?.clone();
    let column = |name: &str| header.iter().position(|of| of == name);
    let (Some(id), Some(source)) = (column("sf__Id"), column(SOURCE_ID)) else {
        return Ok(BTreeMap::new());
    };
    let mut ids = BTreeMap::new();
    for line in lines.records() {
        let line = line.map_err(unread)?;
        if let (Some(id), Some(source)) = (line.get(id), line.get(source)) {
            ids.insert(source.to_owned(), id18(id));
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use transload_sdk::testing::Harness;

    fn row(n: usize, values: &Value) -> Row {
        let mut values = values.as_object().cloned().unwrap();
        values.insert(SOURCE_ID.to_owned(), json!(format!("m{n}")));
        Row {
            item: format!("i{n}"),
            part: "main".to_owned(),
            object: "Contact".to_owned(),
            values,
        }
    }

    #[test]
    fn cells_keep_whatever_was_written() {
        let harness = Harness::scripted([]);
        let text = "a \"quoted\", text\nof two lines; ü 🔥";
        let rows = [
            row(1, &json!({"LastName": text, "Flag__c": true})),
            row(2, &json!({"LastName": "x", "Number__c": 1.5})),
        ];
        let blob = upload(&harness.context(), &rows).unwrap();
        let bytes = harness.blob(&blob).unwrap();
        let mut lines = csv::Reader::from_reader(bytes.as_slice());
        let all: Vec<csv::StringRecord> = lines.records().map(|line| line.unwrap()).collect();
        assert_eq!(
            lines.headers().unwrap(),
            vec!["Flag__c", "LastName", "Number__c", SOURCE_ID]
        );
        assert_eq!(all[0], vec!["true", text, "", "m1"]);
        assert_eq!(all[1], vec!["", "x", "1.5", "m2"]);
    }

    #[test]
    fn results_are_read_by_their_external_id_in_any_order() {
        let csv = format!(
            "\"sf__Id\",\"sf__Created\",\"{SOURCE_ID}\"\n\"001D000000IRFma\",\"true\",\"m2\"\n"
        );
        let ids = read(csv.as_bytes()).unwrap();
        assert_eq!(
            ids.get("m2").map(String::as_str),
            Some("001D000000IRFmaIAH")
        );
    }

    #[test]
    fn few_rows_and_such_as_no_cell_can_hold_go_by_collections() {
        let rows = |n: usize, values: Value| (0..n).map(|n| row(n, &values)).collect::<Vec<_>>();
        assert!(suits(&rows(ROWS, json!({"LastName": "x"}))));
        assert!(!suits(&rows(ROWS - 1, json!({"LastName": "x"}))));
        assert!(!suits(&rows(ROWS, json!({"ToIds": ["003"]}))));
    }
}
