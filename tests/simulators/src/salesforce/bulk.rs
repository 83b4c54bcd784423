//! Bulk API 2.0: jobs that take a CSV and give two back (Salesforce facts §6).
//!
//! A job runs when its time has come by the org's clock, in chunks of 200 records. Results come in another order than the
//! rows were given. Query jobs answer at once when they are due.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome, RowError};
use super::call::Call;
use super::dml::{self, Writer, Written};
use super::schema::{Field, Object};
use super::soql::{self, Scope};
use super::state::{Access, State, stamp};
use super::values;

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waits for its rows.
    Open,
    /// Has them, and waits.
    UploadComplete,
    /// Runs.
    InProgress,
    /// Has run; rows may have failed.
    JobComplete,
    /// Could not run.
    Failed,
    /// Was stopped.
    Aborted,
}

impl JobState {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// The object; empty for a query.
    pub object: String,
    /// insert, update, upsert, delete, hardDelete, query, queryAll.
    pub operation: String,
    /// What it is doing.
    pub state: JobState,
    external_id: Option<String>,
    assigns: bool,
    line_ending: String,
    delimiter: String,
    query: String,
    access: Arc<Access>,
    created: DateTime<Utc>,
    changed: DateTime<Utc>,
    due: Option<DateTime<Utc>>,
    starts: Option<DateTime<Utc>>,
    upload: Option<Bytes>,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    done: usize,
    good: Vec<(String, bool, usize)>,
    bad: Vec<(String, String, usize)>,
    found: Vec<Value>,
    error: Option<String>,
}

impl Job {
    fn is_query(&self) -> bool {
        self.operation.starts_with("query")
    }

    fn comma(&self) -> u8 {
        match self.delimiter.as_str() {
            "BACKQUOTE" => b'`',
            "CARET" => b'^',
            "PIPE" => b'|',
            "SEMICOLON" => b';',
            "TAB" => b'\t',
            _ => b',',
        }
    }
}

/// Answers a request below `/jobs`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    match (call.request.method.as_str(), path) {
        ("POST", ["jobs", "ingest"]) => open(call),
        ("POST", ["jobs", "query"]) => open_query(call),
        ("GET", ["jobs", kind @ ("ingest" | "query")]) => list(call, kind),
        ("PUT", ["jobs", "ingest", id, "batches"]) => upload(call, id),
        ("PATCH", ["jobs", "ingest" | "query", id]) => change(call, id),
        ("GET", ["jobs", "ingest" | "query", id]) => {
            let job = find(call.state, id)?;
            Answer::ok(shown(job, &call.version, true))
        }
        ("DELETE", ["jobs", "ingest" | "query", id]) => forget(call, id),
        ("GET", ["jobs", "ingest", id, "successfulResults"]) => successful(call, id),
        ("GET", ["jobs", "ingest", id, "failedResults"]) => failed(call, id),
        (
            "GET",
            [
                "jobs",
                "ingest",
                id,
                "unprocessedrecords" | "unprocessedRecords",
            ],
        ) => unprocessed(call, id),
        ("GET", ["jobs", "query", id, "results"]) => results(call, id),
        (_, ["jobs", "ingest" | "query", ..]) => Err(Failure::method()),
        _ => Err(Failure::not_found()),
    }
}

fn invalid(text: impl Into<String>) -> Failure {
    Failure::new("INVALIDJOB", text)
}

fn find<'s>(state: &'s State, id: &str) -> Result<&'s Job, Failure> {
    let id = super::ids::full(id).unwrap_or_default();
    state.jobs.get(&id).ok_or_else(Failure::not_found)
}

fn open(call: &mut Call<'_>) -> Outcome {
    let body = call.request.object()?.clone();
    let text = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let known = [
        "object",
        "operation",
        "contentType",
        "lineEnding",
        "columnDelimiter",
        "externalIdFieldName",
        "assignmentRuleId",
    ];
    if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Failure::new(
            "JSON_PARSER_ERROR",
            format!("Unrecognized field \"{name}\" at [line:1, column:2]"),
        ));
    }
    let operation = text("operation");
    if !matches!(
        operation.as_str(),
        "insert" | "update" | "upsert" | "delete" | "hardDelete"
    ) {
        return Err(invalid(format!("Invalid operation: {operation}")));
    }
    if operation == "hardDelete" && !call.access.hard_delete {
        return Err(Failure::new(
            "FEATURENOTENABLED",
            "hardDelete operation requires special user profile permission",
        ));
    }
    let object = dml::visible(call.state, &call.access, &text("object"));
    let object = object
        .map_err(|_| invalid(format!("Unable to find object: {}", text("object"))))?
        .clone();
    if object.name == "ContentDocumentLink" && !call.state.config.switches.bulk_content_links {
        return Err(invalid(
            "Entity type ContentDocumentLink is not supported in Bulk API",
        ));
    }
    let external = body
        .get("externalIdFieldName")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if operation == "upsert" {
        let name = external
            .as_deref()
            .ok_or_else(|| invalid("External ID field name is required for upsert"))?;
        dml::external_field(&call.access, &object, name).map_err(|error| invalid(error.message))?;
    }
    let or = |name: &str, default: &str| {
        if text(name).is_empty() {
            default.to_owned()
        } else {
            text(name)
        }
    };
    let id = call.state.new_id("750");
    let now = call.state.now;
    let job = Job {
        id: id.clone(),
        object: object.name,
        operation,
        state: JobState::Open,
        external_id: external,
        assigns: body.contains_key("assignmentRuleId"),
        line_ending: or("lineEnding", "LF"),
        delimiter: or("columnDelimiter", "COMMA"),
        query: String::new(),
        access: Arc::clone(&call.access),
        created: now,
        changed: now,
        due: None,
        starts: None,
        upload: None,
        header: vec![],
        rows: vec![],
        done: 0,
        good: vec![],
        bad: vec![],
        found: vec![],
        error: None,
    };
    let body = shown(&job, &call.version, false);
    call.state.jobs.insert(id, job);
    Answer::ok(body)
}

fn open_query(call: &mut Call<'_>) -> Outcome {
    let body = call.request.object()?.clone();
    let text = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (operation, query) = (text("operation"), text("query"));
    if !matches!(operation.as_str(), "query" | "queryAll") {
        return Err(invalid(format!("Invalid operation: {operation}")));
    }
    let read = soql::parse(&query, call.state.now)?;
    let scope = Scope {
        deleted: operation == "queryAll",
        tooling: false,
    };
    soql::answer(call.state, &call.access, &read, scope)?;
    let id = call.state.new_id("750");
    let now = call.state.now;
    let job = Job {
        id: id.clone(),
        object: query
            .split_whitespace()
            .skip_while(|word| !word.eq_ignore_ascii_case("from"))
            .nth(1)
            .unwrap_or_default()
            .to_owned(),
        operation,
        state: JobState::UploadComplete,
        external_id: None,
        assigns: false,
        line_ending: "LF".to_owned(),
        delimiter: "COMMA".to_owned(),
        query,
        access: Arc::clone(&call.access),
        created: now,
        changed: now,
        due: Some(now + call.state.config.switches.job_queue_time),
        starts: Some(now),
        upload: None,
        header: vec![],
        rows: vec![],
        done: 0,
        good: vec![],
        bad: vec![],
        found: vec![],
        error: None,
    };
    let body = shown(&job, &call.version, false);
    call.state.jobs.insert(id, job);
    Answer::ok(body)
}

/// A job as JSON; with its counters where it is asked for.
fn shown(job: &Job, version: &str, full: bool) -> Value {
    let kind = if job.is_query() { "query" } else { "ingest" };
    let number = version
        .trim_start_matches('v')
        .parse::<f64>()
        .unwrap_or(67.0);
    let mut body = json!({
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.access.user,
        "createdDate": stamp(job.created),
        "systemModstamp": stamp(job.changed),
        "state": job.state.name(),
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": number,
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
    });
    let Some(map) = body.as_object_mut() else {
        return body;
    };
    if !job.is_query() {
        let url = format!("services/data/{version}/jobs/{kind}/{}/batches", job.id);
        map.insert("contentUrl".to_owned(), json!(url));
    }
    if let Some(name) = &job.external_id {
        map.insert("externalIdFieldName".to_owned(), json!(name));
    }
    if full {
        let spent = (job.changed - job.created).num_milliseconds().max(0);
        for (name, value) in [
            (
                "jobType",
                json!(if job.is_query() {
                    "V2Query"
                } else {
                    "V2Ingest"
                }),
            ),
            (
                "numberRecordsProcessed",
                json!(job.done.max(job.found.len())),
            ),
            ("retries", json!(0)),
            ("totalProcessingTime", json!(spent)),
        ] {
            map.insert(name.to_owned(), value);
        }
        for (name, value) in [
            ("apexProcessingTime", json!(0)),
            ("apiActiveProcessingTime", json!(spent)),
        ] {
            map.insert(name.to_owned(), value);
        }
        if !job.is_query() {
            map.insert("numberRecordsFailed".to_owned(), json!(job.bad.len()));
        }
        if let Some(error) = &job.error {
            map.insert("errorMessage".to_owned(), json!(error));
        }
    }
    body
}

fn list(call: &Call<'_>, kind: &str) -> Outcome {
    let is_query = kind == "query";
    let mut records = Vec::new();
    for job in call
        .state
        .jobs
        .values()
        .filter(|job| job.is_query() == is_query)
    {
        let mut record = shown(job, &call.version, false);
        if let Some(map) = record.as_object_mut() {
            map.insert(
                "jobType".to_owned(),
                json!(if is_query { "V2Query" } else { "V2Ingest" }),
            );
        }
        records.push(record);
    }
    Answer::ok(json!({"done": true, "records": records, "nextRecordsUrl": null}))
}

fn upload(call: &mut Call<'_>, id: &str) -> Outcome {
    let csv = call
        .request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("text/csv"));
    if !csv {
        return Err(Failure::new(
            "UNSUPPORTED_MEDIA_TYPE",
            "Content-Type must be text/csv",
        ));
    }
    let bytes = call.request.body.clone();
    if bytes.len() > 150_000_000 {
        return Err(invalid("The upload is larger than 150 MB"));
    }
    let id = find(call.state, id)?.id.clone();
    let Some(job) = call.state.jobs.get_mut(&id) else {
        return Err(Failure::not_found());
    };
    if job.state != JobState::Open || job.upload.is_some() {
        let text = format!(
            "Found multiple contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job and make sure you only do 'PUT' once on a given Job.",
            job.id
        );
        return Err(Failure::new("CLIENTINPUTERROR", text));
    }
    job.upload = Some(bytes);
    Ok(Answer::empty(201))
}

fn change(call: &mut Call<'_>, id: &str) -> Outcome {
    let wanted = call
        .request
        .object()?
        .get("state")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let id = find(call.state, id)?.id.clone();
    let (now, wait, each) = (
        call.state.now,
        call.state.config.switches.job_queue_time,
        call.state.config.switches.job_row_time,
    );
    let Some(job) = call.state.jobs.get_mut(&id) else {
        return Err(Failure::not_found());
    };
    match (wanted.as_str(), job.state) {
        // A lost answer is repeated (§6).
        (
            "UploadComplete",
            JobState::UploadComplete | JobState::InProgress | JobState::JobComplete,
        ) => {}
        ("UploadComplete", JobState::Open) => {
            job.state = JobState::UploadComplete;
            job.changed = now;
            match read_csv(job) {
                Ok((header, rows)) => {
                    let time = each * i32::try_from(rows.len()).unwrap_or(i32::MAX);
                    job.starts = Some(now + wait);
                    job.due = Some(now + wait + time);
                    job.header = header;
                    job.rows = rows;
                }
                Err(text) => {
                    job.state = JobState::Failed;
                    job.error = Some(text);
                }
            }
        }
        ("Aborted", JobState::Open | JobState::UploadComplete | JobState::InProgress) => {
            job.state = JobState::Aborted;
            job.changed = now;
            job.due = None;
        }
        _ => {
            let text = format!("Job state {} cannot become {wanted}", job.state.name());
            return Err(Failure::new("INVALIDJOBSTATE", text));
        }
    }
    let body = shown(job, &call.version, false);
    Answer::ok(body)
}

fn read_csv(job: &Job) -> Result<(Vec<String>, Vec<Vec<String>>), String> {
    let bytes = job.upload.clone().unwrap_or_default();
    if std::str::from_utf8(&bytes).is_err() {
        return Err("InvalidBatch : The file is not UTF-8".to_owned());
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(job.comma())
        .flexible(true)
        .from_reader(&*bytes);
    let wrong = |error: csv::Error| format!("InvalidBatch : Failed to parse CSV: {error}");
    let header: Vec<String> = reader
        .headers()
        .map_err(wrong)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_owned())
        .collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(record.map_err(wrong)?.iter().map(str::to_owned).collect());
    }
    Ok((header, rows))
}

fn forget(call: &mut Call<'_>, id: &str) -> Outcome {
    let job = find(call.state, id)?;
    if matches!(
        job.state,
        JobState::Open | JobState::UploadComplete | JobState::InProgress
    ) && !job.is_query()
    {
        return Err(Failure::new(
            "INVALIDJOBSTATE",
            "Job must be in a terminal state to be deleted",
        ));
    }
    let id = job.id.clone();
    call.state.jobs.remove(&id);
    Ok(Answer::empty(204))
}

// ---- running

/// Runs what is due.
pub(super) fn run_due(state: &mut State) {
    let now = state.now;
    let switches = &state.config.switches;
    let (open, kept) = (switches.job_open_life, switches.job_result_life);
    state.jobs.retain(|_, job| match job.state {
        JobState::Open => job.created + open > now,
        JobState::JobComplete | JobState::Failed | JobState::Aborted => job.changed + kept > now,
        _ => true,
    });
    let due: Vec<String> = state
        .jobs
        .values()
        .filter(|job| matches!(job.state, JobState::UploadComplete | JobState::InProgress))
        .map(|job| job.id.clone())
        .collect();
    for id in due {
        let Some(mut job) = state.jobs.get(&id).cloned() else {
            continue;
        };
        if job.starts.is_some_and(|at| at <= now) {
            job.state = JobState::InProgress;
        }
        if let Some(at) = job.due.filter(|at| *at <= now) {
            // What it writes is written when it was due.
            state.now = at;
            run(state, &mut job);
            job.changed = at;
            job.due = None;
            state.now = now;
        } else if job.state == JobState::InProgress && !job.is_query() {
            progress(state, &mut job, now);
        }
        state.jobs.insert(id, job);
    }
}

/// The chunks that are done by now.
fn progress(state: &mut State, job: &mut Job, now: DateTime<Utc>) {
    let each = state.config.switches.job_row_time;
    let Some(starts) = job.starts.filter(|_| each > Duration::zero()) else {
        return;
    };
    let passed = (now - starts).num_milliseconds() / each.num_milliseconds().max(1);
    let whole = usize::try_from(passed).unwrap_or(0) / 200 * 200;
    chunks(state, job, whole);
}

fn run(state: &mut State, job: &mut Job) {
    job.state = JobState::JobComplete;
    if job.is_query() {
        let scope = Scope {
            deleted: job.operation == "queryAll",
            tooling: false,
        };
        let found = soql::parse(&job.query, state.now)
            .and_then(|query| soql::answer(state, &job.access, &query, scope));
        match found {
            Ok(found) => job.found = found.records,
            Err(error) => {
                job.state = JobState::Failed;
                job.error = Some(error.message);
            }
        }
        return;
    }
    let all = job.rows.len();
    chunks(state, job, all);
}

/// Writes the rows up to a number.
fn chunks(state: &mut State, job: &mut Job, until: usize) {
    let until = until.min(job.rows.len());
    if job.done >= until {
        return;
    }
    let Some(object) = state.object(&job.object).cloned() else {
        return;
    };
    if let Err(text) = check_header(job, &object) {
        job.state = JobState::Failed;
        job.error = Some(text);
        job.due = None;
        return;
    }
    let writer = Writer {
        access: Arc::clone(&job.access),
        assigns: job.assigns,
        allows_duplicates: false,
    };
    while job.done < until {
        let at = job.done;
        let Some(row) = job.rows.get(at) else { break };
        match write(state, job, &writer, &object, row) {
            Ok((id, made)) => job.good.push((id, made, at)),
            Err(errors) => {
                let text = errors.first().map(RowError::in_csv).unwrap_or_default();
                job.bad.push((String::new(), text, at));
            }
        }
        job.done += 1;
    }
    state.commit();
}

/// A column: a field, or a parent's external id.
enum Column<'o> {
    Id,
    Field(&'o Field),
    Parent(String, String),
}

fn column<'o>(access: &Access, object: &'o Object, name: &str) -> Option<Column<'o>> {
    if name.eq_ignore_ascii_case("id") {
        return Some(Column::Id);
    }
    if let Some(field) = access.find(object, name) {
        return Some(Column::Field(field));
    }
    let (relationship, key) = name.split_once('.')?;
    object.relationship(relationship)?;
    Some(Column::Parent(relationship.to_owned(), key.to_owned()))
}

fn check_header(job: &Job, object: &Object) -> Result<(), String> {
    for name in &job.header {
        if column(&job.access, object, name).is_none() {
            return Err(format!("InvalidBatch : Field name not found : {name}"));
        }
    }
    Ok(())
}

fn write(
    state: &mut State,
    job: &Job,
    writer: &Writer,
    object: &Object,
    row: &[String],
) -> Written<(String, bool)> {
    let mut body = Map::new();
    let mut id = String::new();
    for (name, cell) in job.header.iter().zip(row) {
        match column(&job.access, object, name) {
            Some(Column::Id) => id = cell.clone(),
            Some(Column::Field(field)) => {
                if let Some(value) = values::of_cell(field, cell).map_err(|error| vec![error])? {
                    body.insert(field.name.clone(), value);
                }
            }
            Some(Column::Parent(relationship, key)) if !cell.is_empty() => {
                let parent = if cell == "#N/A" {
                    Value::Null
                } else {
                    json!({key: cell})
                };
                if parent.is_null() {
                    if let Some(field) = object.relationship(&relationship) {
                        body.insert(field.name.clone(), Value::Null);
                    }
                } else {
                    body.insert(relationship, parent);
                }
            }
            _ => {}
        }
    }
    let need_id = || vec![RowError::new("MISSING_ARGUMENT", "Id not specified")];
    match job.operation.as_str() {
        "insert" => dml::insert(state, writer, &object.name, &body).map(|id| (id, true)),
        "update" if id.is_empty() => Err(need_id()),
        "update" => {
            dml::update(state, writer, &object.name, &id, &body)?;
            Ok((super::ids::full(&id).unwrap_or(id), false))
        }
        "upsert" => {
            let field = job.external_id.clone().unwrap_or_default();
            let value = if field.eq_ignore_ascii_case("id") {
                json!(id)
            } else {
                body.iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(&field))
                    .map(|(_, v)| v.clone())
                    .unwrap_or_default()
            };
            body.retain(|name, _| !name.eq_ignore_ascii_case(&field));
            dml::upsert(state, writer, &object.name, &field, &value, &body)
        }
        _ if id.is_empty() => Err(need_id()),
        operation => {
            let for_good = operation == "hardDelete";
            dml::delete(state, writer, Some(&object.name), &id, for_good).map(|id| (id, false))
        }
    }
}

// ---- results

fn finished<'s>(call: &'s Call<'_>, id: &str) -> Result<&'s Job, Failure> {
    let job = find(call.state, id)?;
    if matches!(
        job.state,
        JobState::JobComplete | JobState::Failed | JobState::Aborted
    ) {
        return Ok(job);
    }
    Err(Failure::new(
        "INVALIDJOBSTATE",
        "Job must be in a terminal state to read its results",
    ))
}

/// Another order than the input's, always the same for a job.
fn shuffled<T: Clone>(items: &[T], id: &str, place: impl Fn(&T) -> usize) -> Vec<T> {
    let mut keyed: BTreeMap<u64, T> = BTreeMap::new();
    let seed = id.bytes().fold(0_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    for item in items {
        let at = u64::try_from(place(item)).unwrap_or(0);
        let key = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        keyed.insert(key.rotate_left(29), item.clone());
    }
    keyed.into_values().collect()
}

fn csv_answer(job: &Job, head: &[&str], rows: Vec<Vec<String>>) -> Outcome {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(job.comma())
        .quote_style(csv::QuoteStyle::Always)
        .terminator(if job.line_ending == "CRLF" {
            csv::Terminator::CRLF
        } else {
            csv::Terminator::Any(b'\n')
        })
        .from_writer(Vec::new());
    let broken = |_| Failure::new("UNKNOWN_EXCEPTION", "The result could not be written");
    let header = head
        .iter()
        .map(|name| (*name).to_owned())
        .chain(job.header.iter().cloned());
    writer.write_record(header).map_err(broken)?;
    for row in rows {
        writer.write_record(row).map_err(broken)?;
    }
    let bytes = writer.into_inner().unwrap_or_default();
    Ok(Answer::file(200, "text/csv", bytes))
}

fn cells(job: &Job, at: usize) -> Vec<String> {
    let mut cells = job.rows.get(at).cloned().unwrap_or_default();
    cells.resize(job.header.len(), String::new());
    cells
}

fn successful(call: &Call<'_>, id: &str) -> Outcome {
    let job = finished(call, id)?;
    let rows = shuffled(&job.good, &job.id, |(_, _, at)| *at)
        .into_iter()
        .map(|(id, made, at)| {
            let mut row = vec![id, made.to_string()];
            row.extend(cells(job, at));
            row
        });
    csv_answer(job, &["sf__Id", "sf__Created"], rows.collect())
}

fn failed(call: &Call<'_>, id: &str) -> Outcome {
    let job = finished(call, id)?;
    let rows = shuffled(&job.bad, &job.id, |(_, _, at)| *at)
        .into_iter()
        .map(|(id, error, at)| {
            let mut row = vec![id, error];
            row.extend(cells(job, at));
            row
        });
    csv_answer(job, &["sf__Id", "sf__Error"], rows.collect())
}

fn unprocessed(call: &Call<'_>, id: &str) -> Outcome {
    let job = finished(call, id)?;
    let rows = (job.done..job.rows.len())
        .map(|at| cells(job, at))
        .collect();
    csv_answer(job, &[], rows)
}

fn results(call: &Call<'_>, id: &str) -> Outcome {
    let job = finished(call, id)?;
    let most = call
        .request
        .param("maxRecords")
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(50_000)
        .max(1);
    let from = call
        .request
        .param("locator")
        .and_then(|text| text.parse::<usize>().ok())
        .unwrap_or(0);
    let page: Vec<&Value> = job.found.iter().skip(from).take(most).collect();
    let mut names: Vec<String> = Vec::new();
    for record in job.found.iter().take(1) {
        flat(record, "", &mut |name, _| names.push(name.to_owned()));
    }
    let mut rows = Vec::new();
    for record in &page {
        let mut row = BTreeMap::new();
        flat(record, "", &mut |name, value| {
            let cell = match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            row.insert(name.to_owned(), cell);
        });
        rows.push(
            names
                .iter()
                .map(|name| row.remove(name).unwrap_or_default())
                .collect(),
        );
    }
    let count = page.len();
    let next = from + count;
    let locator = if next < job.found.len() {
        next.to_string()
    } else {
        "null".to_owned()
    };
    let mut job = job.clone();
    job.header = names;
    let answer = csv_answer(&job, &[], rows)?;
    Ok(answer
        .with("sforce-locator", locator)
        .with("sforce-numberofrecords", count.to_string()))
}

/// The leaves of a record by their paths.
fn flat(record: &Value, front: &str, each: &mut dyn FnMut(&str, &Value)) {
    for (name, value) in record
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "attributes")
    {
        let path = if front.is_empty() {
            name.clone()
        } else {
            format!("{front}.{name}")
        };
        if value.is_object() {
            flat(value, &path, each);
        } else {
            each(&path, value);
        }
    }
}
