//! Background jobs (Zendesk facts §12).
//!
//! A bulk request is queued and answered with a job. Its rows are worked off one after the other as virtual time
//! passes, each at its own moment, so that a job can be met half done. A finished job can hold failed rows; results
//! are kept for an hour.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::Attributes;
use super::call::{Actor, Call, page_list};
use super::model::Id;
use super::state::{Event, State};
use super::switches::FailedRow;
use super::{deletion, groups, objects, organizations, tickets, users};

/// What one row of a job does.
#[derive(Debug, Clone)]
pub(super) enum Work {
    ImportTicket {
        ticket: Value,
        archive: bool,
    },
    CreateTicket(Value),
    UpdateTicket(Id, Value),
    DeleteTicket(Id),
    PurgeTicket(Id),
    CreateUser(Value),
    UpsertUser(Value),
    UpdateUser(Id, Value),
    DeleteUser(Id),
    CreateOrganization(Value),
    UpdateOrganization(Id, Value),
    DeleteOrganization(Id),
    CreateOrganizationMembership(Value),
    DeleteOrganizationMembership(Id),
    CreateGroupMembership(Value),
    DeleteGroupMembership(Id),
    Record {
        object: String,
        action: String,
        item: Value,
    },
}

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// Id, hexadecimal; `V3-…` for custom objects.
    pub id: String,
    /// Class name.
    pub kind: &'static str,
    /// What its rows do, for the rows of updates and deletions.
    pub action: String,
    /// Who started it.
    pub actor: Actor,
    /// What is left, last row first.
    pub left: Vec<Work>,
    /// Rows in all.
    pub total: usize,
    /// Rows done.
    pub results: Vec<Value>,
    /// When the last row was done.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["job_statuses"]) => {
            // §12 [MEM]: only the last ones are listed.
            let limit = call.state.config.switches.jobs_listed;
            let jobs: Vec<&Job> = call.state.jobs.values().rev().take(limit).collect();
            page_list(call, "job_statuses", jobs.len(), |at| {
                Some(render(call, jobs.get(at)?))
            })
        }
        ("GET", ["job_statuses", "show_many"]) => call.many("ids").and_then(|ids| {
            let found = ids.iter().filter_map(|id| find(call.state, id));
            let list: Vec<Value> = found.map(|job| render(call, job)).collect();
            Answer::ok(json!({"job_statuses": list}))
        }),
        ("GET", ["job_statuses", id]) => {
            let job = find(call.state, id).ok_or(Failure::RecordNotFound);
            job.and_then(|job| Answer::ok(json!({"job_status": render(call, job)})))
        }
        _ => return None,
    })
}

/// A job whose results are still kept.
fn find<'s>(state: &'s State, id: &str) -> Option<&'s Job> {
    let job = state.jobs.get(state.jobs_by_id.get(id)?)?;
    let kept = |at: DateTime<Utc>| state.now - at < state.config.switches.job_result_life;
    job.finished_at.is_none_or(kept).then_some(job)
}

fn render(call: &Call<'_>, job: &Job) -> Value {
    let done = job.results.len();
    let (status, results, message) = match job.finished_at {
        Some(at) => {
            let at = at.format("%Y-%m-%d %H:%M:%S +0000");
            (
                "completed",
                json!(job.results),
                json!(format!("Completed at {at}")),
            )
        }
        None if done == 0 => ("queued", Value::Null, Value::Null),
        None => ("working", Value::Null, Value::Null),
    };
    json!({
        "id": job.id,
        "job_type": job.kind,
        "url": format!("{}/api/v2/job_statuses/{}", call.base, job.id),
        "status": status,
        "total": job.total,
        "progress": (done > 0).then_some(done),
        "message": message,
        "results": results,
    })
}

/// Queues a job and answers with its status.
pub(super) fn start(
    call: &mut Call<'_>,
    kind: &'static str,
    action: &str,
    work: Vec<Work>,
) -> Outcome {
    let id = call.state.hex(32);
    queue(call, kind, action, work, id).map(|body| Answer::json(200, body))
}

/// The same with an id of the caller's making.
pub(super) fn queue(
    call: &mut Call<'_>,
    kind: &'static str,
    action: &str,
    mut work: Vec<Work>,
    id: String,
) -> Result<Value, Failure> {
    let limit = call.state.config.switches.open_jobs;
    let open: Vec<String> = call
        .state
        .jobs
        .values()
        .rev()
        .take(limit * 4)
        .filter(|job| job.finished_at.is_none())
        .map(|job| job.id.clone())
        .collect();
    let left = limit.saturating_sub(open.len() + 1);
    let text = format!("total={limit}; remaining={left}; resets=60");
    call.headers.push(("zendesk-ratelimit-inflight-jobs", text));
    // §2: 30 queued or running at once.
    if open.len() >= limit {
        return Err(Failure::TooManyJobs {
            kind,
            current: open,
        });
    }
    let number = call
        .state
        .jobs
        .keys()
        .next_back()
        .map_or(1, |last| last + 1);
    let total = work.len();
    work.reverse();
    let job = Job {
        id: id.clone(),
        kind,
        action: action.to_owned(),
        actor: call.actor.clone(),
        left: work,
        total,
        results: Vec::with_capacity(total),
        finished_at: None,
    };
    let body = json!({"job_status": render(call, &job)});
    call.state.jobs_by_id.insert(id.clone(), number);
    call.state.jobs.insert(number, job);
    forget_old(call.state);
    let switches = &call.state.config.switches;
    let first = call.state.now + switches.job_queue_time + switches.job_row_time;
    call.state.schedule(first, Event::Job(id));
    Ok(body)
}

/// Jobs whose results have expired are dropped, oldest first.
fn forget_old(state: &mut State) {
    let life = state.config.switches.job_result_life;
    while let Some((number, job)) = state.jobs.iter().next() {
        if job.finished_at.is_none_or(|at| state.now - at < life) {
            break;
        }
        let (number, id) = (*number, job.id.clone());
        state.jobs.remove(&number);
        state.jobs_by_id.remove(&id);
    }
}

/// Works off the next row of a job.
pub(super) fn step(state: &mut State, id: &str) {
    let Some(number) = state.jobs_by_id.get(id).copied() else {
        return;
    };
    let Some(job) = state.jobs.get_mut(&number) else {
        return;
    };
    let (actor, kind, action) = (job.actor.clone(), job.kind, job.action.clone());
    let index = job.results.len();
    if let Some(work) = job.left.pop() {
        let target = target_of(&work);
        let row = match run(state, &actor, work) {
            Ok(done) => done.row(index, target, &action),
            Err(failure) => failed(state, index, target, kind, &action, &failure),
        };
        if let Some(job) = state.jobs.get_mut(&number) {
            job.results.push(row);
        }
    }
    let (now, row_time) = (state.now, state.config.switches.job_row_time);
    let Some(job) = state.jobs.get_mut(&number) else {
        return;
    };
    if job.left.is_empty() {
        job.finished_at = Some(now);
    } else {
        state.schedule(now + row_time, Event::Job(id.to_owned()));
    }
}

/// What a row did.
enum Done {
    Created(Id),
    Upserted(Id, bool),
    Changed(&'static str),
    Record(Value),
}

impl Done {
    fn row(self, index: usize, target: Id, action: &str) -> Value {
        match self {
            Self::Created(id) => json!({"index": index, "id": id}),
            Self::Upserted(id, made) => json!({
                "index": index, "id": id, "status": if made { "Created" } else { "Updated" },
            }),
            Self::Changed(status) => {
                json!({"id": target, "action": action, "status": status, "success": true})
            }
            Self::Record(row) => row,
        }
    }
}

fn target_of(work: &Work) -> Id {
    match work {
        Work::UpdateTicket(id, _)
        | Work::DeleteTicket(id)
        | Work::PurgeTicket(id)
        | Work::UpdateUser(id, _)
        | Work::DeleteUser(id)
        | Work::UpdateOrganization(id, _)
        | Work::DeleteOrganization(id)
        | Work::DeleteOrganizationMembership(id)
        | Work::DeleteGroupMembership(id) => *id,
        _ => 0,
    }
}

fn run(state: &mut State, actor: &Actor, work: Work) -> Result<Done, Failure> {
    Ok(match work {
        Work::ImportTicket { ticket, archive } => {
            let attributes = Attributes::bare(&ticket)?;
            Done::Created(super::imports::import(state, actor, attributes, archive)?)
        }
        Work::CreateTicket(ticket) => {
            Done::Created(tickets::create(state, actor, Attributes::bare(&ticket)?)?)
        }
        Work::UpdateTicket(id, ticket) => {
            tickets::update(state, actor, id, Attributes::bare(&ticket)?, true)?;
            Done::Changed("Updated")
        }
        Work::DeleteTicket(id) => {
            deletion::soft_delete_ticket(state, actor, id)?;
            Done::Changed("Deleted")
        }
        Work::PurgeTicket(id) => {
            deletion::purge_ticket(state, id)?;
            Done::Changed("Deleted")
        }
        Work::CreateUser(user) => {
            Done::Created(users::create(state, actor, Attributes::bare(&user)?)?)
        }
        Work::UpsertUser(user) => {
            let (id, made) = users::upsert(state, actor, Attributes::bare(&user)?)?;
            Done::Upserted(id, made)
        }
        Work::UpdateUser(id, user) => {
            users::update(state, actor, id, Attributes::bare(&user)?)?;
            Done::Changed("Updated")
        }
        Work::DeleteUser(id) => {
            deletion::delete_user(state, id)?;
            Done::Changed("Deleted")
        }
        Work::CreateOrganization(organization) => Done::Created(organizations::create(
            state,
            Attributes::bare(&organization)?,
        )?),
        Work::UpdateOrganization(id, organization) => {
            organizations::update(state, id, Attributes::bare(&organization)?)?;
            Done::Changed("Updated")
        }
        Work::DeleteOrganization(id) => {
            organizations::delete(state, id)?;
            Done::Changed("Deleted")
        }
        Work::CreateOrganizationMembership(membership) => Done::Created(
            organizations::create_membership(state, Attributes::bare(&membership)?)?,
        ),
        Work::DeleteOrganizationMembership(id) => {
            organizations::remove_membership(state, id)?;
            Done::Changed("Deleted")
        }
        Work::CreateGroupMembership(membership) => Done::Created(groups::create_membership(
            state,
            Attributes::bare(&membership)?,
        )?),
        Work::DeleteGroupMembership(id) => {
            groups::remove_membership(state, id)?;
            Done::Changed("Deleted")
        }
        Work::Record {
            object,
            action,
            item,
        } => Done::Record(objects::job_row(state, actor, &object, &action, &item)?),
    })
}

/// §12 [MEM]: a failed row; which members it has is a switch.
fn failed(
    state: &State,
    index: usize,
    target: Id,
    kind: &str,
    action: &str,
    failure: &Failure,
) -> Value {
    let subject = ["Ticket", "User", "Organization", "Group", "Record"]
        .into_iter()
        .find(|name| kind.contains(name))
        .unwrap_or("Record");
    let error = match failure {
        Failure::RecordNotFound => format!("{subject}NotFound"),
        Failure::Forbidden(_) => "PermissionDenied".to_owned(),
        _ => match action {
            "create" | "import" | "create_or_update" => format!("{subject}CreationFailed"),
            "delete" => format!("{subject}DeleteFailed"),
            _ => format!("{subject}UpdateFailed"),
        },
    };
    let details = failure.text();
    match state.config.switches.failed_row {
        FailedRow::Indexed => json!({"index": index, "error": error, "details": details}),
        FailedRow::Openapi => json!({
            "id": target, "action": action, "error": error, "details": details, "success": false,
        }),
    }
}
