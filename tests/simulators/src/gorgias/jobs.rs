//! Jobs over tickets (Gorgias facts §13). Of the kinds there are, `deleteTicket` is simulated.

use chrono::Duration;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, key, page, paging, time_of};
use super::model::{Id, Job, JobStatus, Moment};
use super::read::Reader;
use super::state::{Due, State};
use super::switches::JobDeletion;
use super::tickets;

const DELETE: &str = "deleteTicket";

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["jobs"], "GET") => list(call),
        (["jobs"], "POST") => post(call),
        (["jobs", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let job = call.state.jobs.get(&id).ok_or(Failure::NotFound)?;
            Answer::ok(render(call.state, job))
        }),
        (["jobs", id], "DELETE") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let job = call.state.jobs.get_mut(&id).ok_or(Failure::NotFound)?;
            // What is done stays done.
            if job.status.is_open() {
                job.status = JobStatus::CancelRequested;
            }
            Answer::bare(204)
        }),
        (["jobs"] | ["jobs", _], _) => Err(Failure::Method),
        _ => return None,
    })
}

fn render(state: &State, job: &Job) -> Value {
    let time = |time: Option<Moment>| time.map(|time| time_of(state, time));
    json!({
        "id": job.id,
        "type": job.kind,
        "status": job.status.as_str(),
        "params": {"ticket_ids": job.tickets},
        "info": {"progress_count": job.at},
        "meta": job.meta,
        "user_id": job.user_id,
        "created_datetime": time_of(state, job.created_at),
        "scheduled_datetime": time(job.scheduled_at),
        "started_datetime": time(job.started_at),
        "ended_datetime": time(job.ended_at),
        "uri": format!("/api/jobs/{}", job.id),
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED, &["status", "type"]])?;
    let paging = paging(call, &["created_datetime"])?;
    let (status, kind) = (call.request.param("status"), call.request.param("type"));
    let all = call.state.jobs.values();
    let chosen = all.filter(|job| {
        status.is_none_or(|status| job.status.as_str() == status)
            && kind.is_none_or(|kind| job.kind == kind)
    });
    let places = chosen.map(|job| key(job.created_at, job.id)).collect();
    page(call, &paging, &places, |id| {
        Some(render(call.state, call.state.jobs.get(&id)?))
    })
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let keys = ["type", "params", "meta", "scheduled_datetime"];
    let mut reader = Reader::new(&call.request.json, &keys);
    reader.required("type");
    reader.required("params");
    let kind = reader.choice("type", &[DELETE]).unwrap_or_default();
    let meta = reader.object("meta");
    let mut tickets = Vec::new();
    if let Some(params) = reader.raw("params") {
        let mut nested = Reader::new(params, &["ticket_ids"]);
        nested.required("ticket_ids");
        tickets = nested.ids("ticket_ids").unwrap_or_default();
        let problems = nested.problems();
        reader.nested("params", problems);
    }
    let scheduled_at = reader.time("scheduled_datetime", true);
    let latest = call.state.now + Duration::minutes(60);
    if scheduled_at.is_some_and(|time| time > latest) {
        let text = "At most 60 minutes in the future.";
        reader.problem("scheduled_datetime", text);
    }
    reader.finish("Failed to create job")?;
    let id = call.state.next_id();
    let job = Job {
        id,
        kind,
        status: if scheduled_at.is_some() {
            JobStatus::Scheduled
        } else {
            JobStatus::Pending
        },
        tickets,
        at: 0,
        missing: 0,
        user_id: call.actor.user_id,
        meta,
        created_at: call.state.now,
        scheduled_at,
        started_at: None,
        ended_at: None,
    };
    let begins = scheduled_at.unwrap_or(call.state.now).max(call.state.now);
    let at = begins + call.state.config.switches.job_queue_time;
    call.state.schedule(at, Due::Job(id));
    let answer = render(call.state, &job);
    call.state.jobs.insert(id, job);
    Answer::created(answer)
}

/// The next ticket of a job, or its end.
pub(super) fn step(state: &mut State, id: Id) {
    let now = state.now;
    let breaks_after = state.config.switches.job_breaks_after;
    let Some(job) = state.jobs.get_mut(&id) else {
        return;
    };
    let end = match job.status {
        JobStatus::CancelRequested => Some(JobStatus::Canceled),
        status if !status.is_open() => return,
        _ if breaks_after.is_some_and(|most| job.at >= most) => Some(JobStatus::FatalErrored),
        _ if job.at >= job.tickets.len() => Some(if job.missing > 0 {
            JobStatus::Errored
        } else {
            JobStatus::Done
        }),
        _ => None,
    };
    job.started_at = job.started_at.or(Some(now));
    if let Some(status) = end {
        job.status = status;
        job.ended_at = Some(now);
        return;
    }
    job.status = JobStatus::Running;
    let ticket = job.tickets.get(job.at).copied();
    job.at += 1;
    let Some(ticket) = ticket else { return };
    if state.tickets.contains_key(&ticket) {
        match state.config.switches.job_deletion {
            JobDeletion::Erase => tickets::erase(state, ticket),
            JobDeletion::Trash => {
                state.change_ticket(ticket, |ticket| {
                    ticket.trashed_at = ticket.trashed_at.or(Some(now));
                });
            }
        }
    } else if let Some(job) = state.jobs.get_mut(&id) {
        job.missing += 1;
    }
    let at = now + state.config.switches.job_row_time;
    state.schedule(at, Due::Job(id));
}
