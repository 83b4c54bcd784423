//! Bulk work that is done one row after the other as time passes (Freshdesk facts §12).
//!
//! A job tells its state and progress, not what became of its rows; whoever wants to know reads the records back.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::body::{Reader, iso};
use super::call::Call;
use super::model::{Id, Owner};
use super::state::{Event, State};
use super::tickets::Route;
use super::{agents, conversations, csv, tickets};

/// Tickets in one bulk call [INF].
const TICKETS: usize = 100;

/// One row of a job.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// Change a ticket, then reply: who asked, the ticket, its properties, the reply.
    UpdateTicket(Id, Id, Map<String, Value>, Option<Map<String, Value>>),
    /// Put a ticket in the trash.
    DeleteTicket(Id),
    /// Make an agent of attributes.
    MakeAgent(Value),
    /// Make or change a contact or company of a line of CSV: the line, and its values by field.
    Import(Owner, Vec<String>, Map<String, Value>),
    /// Write contacts or companies as CSV, with these fields.
    Export(Owner, Vec<String>),
}

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Id in the answer that began it.
    pub id: String,
    /// Number, for imports.
    pub number: Id,
    /// Rows to do.
    pub rows: VecDeque<Work>,
    /// Rows there were.
    pub total: usize,
    /// Rows done.
    pub done: usize,
    /// What failed: the line of CSV if there is one, and why.
    pub failures: Vec<(Vec<String>, String)>,
    /// Whether it is an import.
    pub import: bool,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// Whose records an import or export is about.
    pub owner: Option<Owner>,
    /// What it has made.
    pub file: Option<Id>,
    /// Beginning.
    pub created_at: DateTime<Utc>,
    /// Last step.
    pub updated_at: DateTime<Utc>,
}

/// Takes work on.
pub(super) fn begin(state: &mut State, rows: Vec<Work>, owner: Option<Owner>) -> String {
    let id = state.hex(24);
    let now = state.second();
    let job = Job {
        id: id.clone(),
        number: state.next_id(),
        import: matches!(rows.first(), Some(Work::Import(..))),
        total: rows.len(),
        rows: rows.into(),
        done: 0,
        failures: Vec::new(),
        cancelled: false,
        owner,
        file: None,
        created_at: now,
        updated_at: now,
    };
    state.jobs.insert(id.clone(), job);
    let at = state.now + state.config.switches.job_row;
    state.schedule(at, Event::Job(id.clone()));
    id
}

/// 202 with the job and where to look.
pub(super) fn start(call: &mut Call<'_>, rows: Vec<Work>) -> Outcome {
    let id = begin(call.state, rows, None);
    let href = format!("{}/api/v2/jobs/{id}", call.base);
    Answer::accepted(json!({"job_id": id, "href": href}))
}

/// The next row of a job.
pub(super) fn step(state: &mut State, id: &str) {
    let Some(job) = state.jobs.get_mut(id).filter(|job| !job.cancelled) else {
        return;
    };
    let Some(work) = job.rows.pop_front() else {
        return;
    };
    let result = match work {
        Work::Export(owner, names) => {
            let file = csv::write(state, owner, &names);
            if let Some(job) = state.jobs.get_mut(id) {
                job.file = Some(file);
            }
            Ok(())
        }
        Work::Import(owner, line, values) => {
            csv::row(state, owner, &values).map_err(|failure| (line, failure.text()))
        }
        other => row(state, other).map_err(|failure| (Vec::new(), failure.text())),
    };
    let now = state.second();
    let next = state.now + state.config.switches.job_row;
    let Some(job) = state.jobs.get_mut(id) else {
        return;
    };
    job.done += 1;
    job.updated_at = now;
    if let Err(failure) = result {
        job.failures.push(failure);
    }
    if job.rows.is_empty() {
        if job.owner.is_some() && !job.failures.is_empty() {
            csv::report(state, id);
        }
    } else {
        state.schedule(next, Event::Job(id.to_owned()));
    }
}

fn row(state: &mut State, work: Work) -> Result<(), Failure> {
    let code = state.config.switches.length_code;
    match work {
        Work::UpdateTicket(by, id, mut properties, reply) => {
            let skip = properties.remove("skip_close_notification");
            let skip = skip.and_then(|skip| skip.as_bool()).unwrap_or(false);
            if !properties.is_empty() {
                let reader = Reader::of(&properties, false, code);
                let none = |_: &mut State, _| Ok(Vec::new());
                tickets::change(state, id, reader, none, Route::Public, skip)?;
            }
            if let Some(reply) = reply {
                let reader = Reader::of(&reply, false, code);
                conversations::bulk_reply(state, by, id, reader)?;
            }
            Ok(())
        }
        Work::DeleteTicket(id) => tickets::trash(state, id),
        Work::MakeAgent(attributes) => {
            let map = attributes.as_object().cloned().unwrap_or_default();
            agents::make(state, Reader::of(&map, false, code)).map(|_| ())
        }
        Work::Import(..) | Work::Export(..) => Ok(()),
    }
}

/// `ids` of a bulk body.
fn ids(action: &mut Reader<'_>) -> Vec<Id> {
    let ids = action.ids("ids").unwrap_or_default();
    if ids.is_empty() && action.errors.is_empty() {
        action.missing("ids", "Array");
    }
    if ids.len() > TICKETS {
        let code = action.length_code();
        let message = format!(
            "Has {} elements, it can have maximum of {TICKETS} elements",
            ids.len()
        );
        action.wrong("ids", code, message);
    }
    ids
}

fn action(call: &Call<'_>) -> Result<Map<String, Value>, Failure> {
    let mut reader = call.reader()?;
    reader.only(&["bulk_action"]);
    if !reader.given("bulk_action") {
        reader.missing("bulk_action", "Key/Value Pair");
    }
    let action = reader.object("bulk_action").cloned();
    reader.finish()?;
    Ok(action.unwrap_or_default())
}

pub(super) fn bulk_update(call: &mut Call<'_>) -> Outcome {
    let map = action(call)?;
    let code = call.state.config.switches.length_code;
    let mut reader = Reader::of(&map, false, code);
    reader.only(&["ids", "properties", "reply"]);
    let ids = ids(&mut reader);
    if !reader.filled("properties") && !reader.filled("reply") {
        reader.missing("properties", "Key/Value Pair");
    }
    let mut known: Vec<&str> = [
        "status",
        "priority",
        "source",
        "type",
        "tags",
        "group_id",
        "responder_id",
        "custom_fields",
        "due_by",
        "fr_due_by",
        "product_id",
        "email_config_id",
        "skip_close_notification",
    ]
    .to_vec();
    known.push("company_id");
    let mut properties = Map::new();
    if reader.given("properties")
        && let Some(sent) = reader.object("properties")
    {
        let mut inner = Reader::of(sent, false, code).within("properties.");
        inner.only(&known);
        reader.errors.extend(inner.errors);
        properties = sent.clone();
    }
    let mut reply = None;
    if reader.given("reply")
        && let Some(sent) = reader.object("reply")
    {
        let mut inner = Reader::of(sent, false, code).within("reply.");
        inner.only(&["body", "from_email", "cc_emails", "bcc_emails"]);
        reader.errors.extend(inner.errors);
        reply = Some(sent.clone());
    }
    reader.finish()?;
    let by = call.actor.id;
    let rows = ids
        .into_iter()
        .map(|id| Work::UpdateTicket(by, id, properties.clone(), reply.clone()));
    start(call, rows.collect())
}

/// An older client has it as a `PUT` (§12).
pub(super) fn older_bulk_update(call: &mut Call<'_>) -> Outcome {
    if !call.state.config.switches.bulk_update_by_put {
        return Err(Failure::NotAllowed("POST".to_owned()));
    }
    bulk_update(call)
}

pub(super) fn bulk_delete(call: &mut Call<'_>) -> Outcome {
    let map = action(call)?;
    let mut reader = Reader::of(&map, false, call.state.config.switches.length_code);
    reader.only(&["ids"]);
    let ids = ids(&mut reader);
    reader.finish()?;
    start(call, ids.into_iter().map(Work::DeleteTicket).collect())
}

/// The state of a job as a word.
pub(super) fn status(job: &Job) -> &'static str {
    if job.cancelled {
        "cancelled"
    } else if job.rows.is_empty() {
        "completed"
    } else {
        "in_progress"
    }
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    let job = call
        .state
        .jobs
        .get(call.key(0))
        .filter(|job| job.owner.is_none());
    let job = job.ok_or(Failure::NotFound)?;
    let progress = (job.done * 100).checked_div(job.total).unwrap_or(100);
    Answer::ok(json!({
        "id": job.id, "status": status(job), "progress": progress,
        "created_at": iso(job.created_at), "updated_at": iso(job.updated_at),
        "status_updated_at": iso(job.updated_at),
    }))
}
