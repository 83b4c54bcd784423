//! Exports and imports of contacts and companies as CSV, by jobs (Freshdesk facts §6, §7).

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Failure, Outcome};
use super::body::iso;
use super::call::{Actor, Call, Request};
use super::jobs::{self, Job, Work};
use super::model::{File, Id, Owner};
use super::state::{Place, State, email_key};
use super::{companies, contacts, files};

/// Stores what a job has made.
fn file(state: &mut State, name: &str, rows: &[Vec<String>]) -> Id {
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing to memory does not fail.
        let _ = writer.write_record(row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    let id = state.next_id();
    let file = File {
        id,
        name: name.to_owned(),
        content_type: "text/csv".to_owned(),
        size: bytes.len() as u64,
        sha256: hex::encode(Sha256::digest(&bytes)),
        content: Some(Bytes::from(bytes)),
        created_at: state.second(),
    };
    state.files.insert(id, (file, Place::Job));
    id
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let texts: Vec<String> = items.iter().map(|item| plain(Some(item))).collect();
            texts.join(",")
        }
        Some(other) => other.to_string(),
    }
}

// ---- exports

pub(super) fn export(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let mut reader = call.reader()?;
    reader.only(&["fields"]);
    if !reader.given("fields") {
        reader.missing("fields", "Key/Value Pair");
    }
    let sent = reader.object("fields").cloned().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for (key, list) in &sent {
        if !matches!(key.as_str(), "default_fields" | "custom_fields") {
            let message = "Unexpected/invalid field in request";
            reader.wrong(key, "invalid_field", message);
        }
        for name in list
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let field = call.state.field(owner, name);
            if field.is_none_or(|field| field.default == (key == "custom_fields")) {
                let message = format!("There is no field {name}");
                reader.wrong(key, "invalid_value", message);
            }
            names.push(name.to_owned());
        }
    }
    reader.finish()?;
    let id = jobs::begin(call.state, vec![Work::Export(owner, names)], Some(owner));
    Answer::accepted(json!({"id": id}))
}

/// Writes the file of an export.
pub(super) fn write(state: &mut State, owner: Owner, names: &[String]) -> Id {
    let mut rows = vec![names.to_vec()];
    let mut line = |shown: Value| {
        let custom = shown.get("custom_fields").cloned().unwrap_or_default();
        let cell = |name: &String| {
            let name = match name.as_str() {
                "tag_names" => "tags",
                "company_name" => "company_id",
                name => name,
            };
            plain(shown.get(name).or_else(|| custom.get(name)))
        };
        rows.push(names.iter().map(cell).collect());
    };
    match owner {
        Owner::Company => {
            for company in state.companies.values() {
                line(companies::render(state, company));
            }
        }
        _ => {
            let live = state
                .people
                .values()
                .filter(|person| person.agent.is_none());
            for person in live.filter(|person| person.deleted_at.is_none()) {
                line(contacts::render(state, "", person));
            }
        }
    }
    let name = format!("{}-export.csv", owner.as_str());
    file(state, &name, &rows)
}

pub(super) fn exported(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let job = call.state.jobs.get(call.key(0));
    let job = job
        .filter(|job| job.owner == Some(owner))
        .ok_or(Failure::NotFound)?;
    let file = job.file.and_then(|id| call.state.files.get(&id));
    let url = file.map(|(file, _)| files::address(call.state, &call.base, file));
    Answer::ok(json!({"id": job.id, "status": jobs::status(job), "download_url": url}))
}

// ---- imports

fn render(state: &State, base: &str, job: &Job) -> Value {
    let report = job.file.and_then(|id| state.files.get(&id));
    let report = report.map(|(file, _)| files::address(state, base, file));
    let left = job.rows.len();
    let row_ms = state.config.switches.job_row.num_milliseconds();
    let seconds = i64::try_from(left).unwrap_or(0) * row_ms / 1_000;
    json!({
        "id": job.number, "created_at": iso(job.created_at), "status": jobs::status(job),
        "total_records": job.total, "completed_records": job.done,
        "estimated_time_remaining": seconds,
        "failures": {"count": job.failures.len(), "report": report},
    })
}

/// A form with `file`, and `fields[name]`, `fields[custom_fields][x]` as numbers of columns from 0 [MEM].
pub(super) fn import(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let request = call.request;
    let upload = request.files.iter().find(|file| file.part == "file");
    let bytes = upload.and_then(|upload| upload.bytes.content.clone());
    let Some(bytes) = bytes else {
        return Err(Failure::invalid(
            "file",
            "missing_field",
            "It should be a/an file",
        ));
    };
    let columns = request.json.get("fields").and_then(Value::as_object);
    let mut places: Vec<(bool, String, usize)> = Vec::new();
    for (name, value) in columns.into_iter().flatten() {
        match (name.as_str(), value) {
            ("custom_fields", Value::Object(map)) => {
                for (name, value) in map {
                    let at = plain(Some(value)).parse().ok();
                    places.extend(at.map(|at| (true, name.clone(), at)));
                }
            }
            (name, value) => {
                let at = plain(Some(value)).parse().ok();
                places.extend(at.map(|at| (false, name.to_owned(), at)));
            }
        }
    }
    if places.is_empty() {
        let message = "It should be a/an Key/Value Pair";
        return Err(Failure::invalid("fields", "missing_field", message));
    }
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(bytes.as_ref());
    let mut rows = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else {
            return Err(Failure::invalid(
                "file",
                "invalid_value",
                "The file is no CSV",
            ));
        };
        let mut values = Map::new();
        for (custom, name, at) in &places {
            let Some(text) = record.get(*at).filter(|text| !text.is_empty()) else {
                continue;
            };
            let value = match name.as_str() {
                "tags" | "domains" | "other_emails" => {
                    text.split(',').map(|part| json!(part.trim())).collect()
                }
                _ => json!(text),
            };
            if *custom {
                let inner = values.entry("custom_fields").or_insert_with(|| json!({}));
                if let Some(inner) = inner.as_object_mut() {
                    inner.insert(name.clone(), value);
                }
            } else {
                values.insert(name.clone(), value);
            }
        }
        let line = record.iter().map(str::to_owned).collect();
        rows.push(Work::Import(owner, line, values));
    }
    if rows.is_empty() {
        return Err(Failure::invalid(
            "file",
            "invalid_value",
            "The file has no lines",
        ));
    }
    let id = jobs::begin(call.state, rows, Some(owner));
    let job = call.state.jobs.get(&id).ok_or(Failure::NotFound)?;
    Ok(Answer::json(201, render(call.state, &call.base, job)))
}

/// One line: the record with this address or name is changed, any other made.
pub(super) fn row(
    state: &mut State,
    owner: Owner,
    values: &Map<String, Value>,
) -> Result<(), Failure> {
    let text = |name: &str| values.get(name).and_then(Value::as_str).unwrap_or_default();
    let known = match owner {
        Owner::Company => state
            .companies_by_name
            .get(&text("name").to_lowercase())
            .copied(),
        _ => state.person_by(&email_key(text("email"))),
    };
    let mut request = Request::internal("", "", Vec::new(), Value::Object(values.clone()));
    // Every value of a line is text.
    request.form = true;
    let mut call = Call {
        actor: Actor {
            id: state.owner_id,
            admin: true,
        },
        state,
        request: &request,
        base: String::new(),
        params: known.iter().map(Id::to_string).collect(),
    };
    let run = match (owner, known) {
        (Owner::Company, Some(_)) => companies::update,
        (Owner::Company, None) => companies::create,
        (_, Some(_)) => contacts::update,
        (_, None) => contacts::create,
    };
    run(&mut call).map(|_| ())
}

/// The lines that failed, with why.
pub(super) fn report(state: &mut State, id: &str) {
    let Some(job) = state.jobs.get(id) else {
        return;
    };
    let rows: Vec<Vec<String>> = job
        .failures
        .iter()
        .map(|(line, why)| vec![line.join(","), why.clone()])
        .collect();
    let made = file(state, "failures.csv", &rows);
    if let Some(job) = state.jobs.get_mut(id) {
        job.file = Some(made);
    }
}

fn is_import(job: &Job, owner: Owner) -> bool {
    job.owner == Some(owner) && job.import
}

pub(super) fn imports(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let state = &*call.state;
    let found = state.jobs.values().filter(|job| is_import(job, owner));
    call.page(found, None, |job| render(state, &call.base, job))
}

fn of(call: &Call<'_>, owner: Owner) -> Result<String, Failure> {
    let number = call.id(0)?;
    let found = call
        .state
        .jobs
        .values()
        .find(|job| job.number == number && is_import(job, owner));
    found.map(|job| job.id.clone()).ok_or(Failure::NotFound)
}

pub(super) fn imported(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let id = of(call, owner)?;
    let job = call.state.jobs.get(&id).ok_or(Failure::NotFound)?;
    Answer::ok(render(call.state, &call.base, job))
}

pub(super) fn cancel(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let id = of(call, owner)?;
    let job = call.state.jobs.get_mut(&id).ok_or(Failure::NotFound)?;
    job.cancelled = !job.rows.is_empty();
    Answer::bare(204)
}
