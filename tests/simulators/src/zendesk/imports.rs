//! The ticket import API (Zendesk facts §12).
//!
//! It alone takes times and a whole list of comments, and it is silent: no triggers, no mails. The ticket is live
//! afterwards all the same, and automations see it.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::answer::{Answer, Details, Failure, Outcome};
use super::attributes::Attributes;
use super::call::{Actor, Call};
use super::jobs::{self, Work};
use super::model::{Id, Role, Status};
use super::rules;
use super::state::State;
use super::switches::PrivateComment;
use super::tickets::{self, WantedComment};

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("POST", ["imports", "tickets"]) => call.admin().and_then(|()| {
            // §13, §18: whether the key works here is not stated.
            if call.state.config.switches.idempotent_imports {
                tickets::idempotent(call, post)
            } else {
                post(call)
            }
        }),
        ("POST", ["imports", "tickets", "create_many"]) => call.admin().and_then(|()| {
            let archive = archive(call);
            let list = call.bulk("tickets")?;
            let work = list
                .into_iter()
                .map(|ticket| Work::ImportTicket { ticket, archive });
            let work = work.collect();
            jobs::start(call, "TicketBulkImportJob", "import", work)
        }),
        _ => return None,
    })
}

fn archive(call: &Call<'_>) -> bool {
    call.request.param("archive_immediately") == Some("true")
}

fn post(call: &mut Call<'_>) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "ticket")?;
    let archive = archive(call);
    let id = import(call.state, &call.actor, attributes, archive)?;
    let ticket = call.state.ticket(id)?;
    let body = json!({"ticket": tickets::render(call.state, &call.base, ticket)});
    let location = format!("{}/api/v2/tickets/{id}", call.base);
    Ok(Answer::json(201, body).with("location", location))
}

/// Imports one ticket.
pub(super) fn import(
    state: &mut State,
    actor: &Actor,
    attributes: Attributes<'_>,
    archive: bool,
) -> Result<Id, Failure> {
    let mut details = Details::default();
    let requester = tickets::requester(state, actor, attributes, &mut details)?;
    let mut ticket = tickets::blank(state, actor, requester);
    ticket.imported = true;
    let mut comments = wanted(state, attributes, &mut details)?;
    if comments.len() > state.config.switches.comments_per_ticket {
        details.add(
            "base",
            "Ticket: has too many comments (maximum is 5000)",
            None,
        );
    }
    check_times(state, &comments, &mut details);
    check_privacy(state, actor, &mut comments, &mut details);
    tickets::check_comments(state, &comments, &mut details);
    tickets::apply(state, &mut ticket, attributes, &mut details, true)?;
    tickets::settle(state, &mut ticket, attributes, &mut details, true)?;
    submitter(
        state,
        actor,
        &mut ticket,
        attributes,
        &mut comments,
        &mut details,
    )?;
    times(&mut ticket, attributes)?;
    let via = attributes.object("via")?.and_then(|via| via.get("channel"));
    if let Some(channel) = via.and_then(|channel| channel.as_str())
        && state.config.switches.via_kept
    {
        channel.clone_into(&mut ticket.channel);
    }
    details.check()?;
    tickets::write_comments(state, actor, &mut ticket, comments);
    // §12: archiving works for closed tickets only.
    ticket.archived = archive && ticket.status == Status::Closed;
    state.last_ticket_id += 1;
    ticket.id = state.last_ticket_id;
    let id = ticket.id;
    state.put_ticket(ticket);
    // No triggers; but automations will see it.
    rules::watch(state, id);
    Ok(id)
}

/// `comments`, else `comment`, else `description` [INF]. In order of time; ties keep their order.
fn wanted(
    state: &State,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<Vec<WantedComment>, Failure> {
    let mut comments = Vec::new();
    let list = attributes.list("comments");
    let list = if list.is_empty() {
        attributes.list("comment")
    } else {
        list
    };
    for item in list {
        comments.push(tickets::wanted_comment(
            state,
            Attributes::bare(item)?,
            "Comment",
            details,
        )?);
    }
    if comments.is_empty() {
        let description = attributes.text("description")?.unwrap_or_default();
        comments.push(WantedComment::plain(description));
    }
    let now = state.second();
    comments.sort_by_key(|comment| comment.at.unwrap_or(now));
    Ok(comments)
}

/// §12: a comment's time is neither before 1970 nor in the future.
fn check_times(state: &State, comments: &[WantedComment], details: &mut Details) {
    let latest = state.now + state.config.switches.comment_clock_skew;
    for at in comments.iter().filter_map(|comment| comment.at) {
        if at > latest {
            let text = "Created at: cannot be in the future";
            details.add("created_at", text, Some("InvalidValue"));
        } else if at < DateTime::UNIX_EPOCH {
            let text = "Created at: cannot be before 1970";
            details.add("created_at", text, Some("InvalidValue"));
        }
    }
}

/// §18: whether an end user may be the author of a private comment.
fn check_privacy(
    state: &State,
    actor: &Actor,
    comments: &mut [WantedComment],
    details: &mut Details,
) {
    for comment in comments
        .iter_mut()
        .filter(|comment| comment.public == Some(false))
    {
        let author = comment.author.unwrap_or(actor.user_id);
        let end_user = state
            .users
            .get(&author)
            .is_some_and(|user| user.role == Role::EndUser);
        match state.config.switches.end_user_private_comment {
            PrivateComment::MadePublic if end_user => comment.public = Some(true),
            PrivateComment::Refused if end_user => {
                let text = "Comment: end users cannot make private comments";
                details.add("base", text, Some("InvalidValue"));
            }
            _ => {}
        }
    }
}

/// §12: the submitter is always the author of the first comment.
fn submitter(
    state: &State,
    actor: &Actor,
    ticket: &mut super::model::Ticket,
    attributes: Attributes<'_>,
    comments: &mut [WantedComment],
    details: &mut Details,
) -> Result<(), Failure> {
    let given = attributes.id("submitter_id")?;
    if given.is_some_and(|id| state.active_user(id).is_none()) {
        details.add("submitter", "Submitter: is invalid", Some("InvalidValue"));
    }
    let Some(first) = comments.first_mut() else {
        return Ok(());
    };
    ticket.submitter_id = given.or(first.author).unwrap_or(actor.user_id);
    first.author = Some(ticket.submitter_id);
    Ok(())
}

/// §12: times of a ticket; before 1970 they are rounded up to 1970.
fn times(ticket: &mut super::model::Ticket, attributes: Attributes<'_>) -> Result<(), Failure> {
    let clamp = |time: DateTime<Utc>| time.max(DateTime::UNIX_EPOCH);
    if let Some(at) = attributes.time("created_at")? {
        ticket.created_at = clamp(at);
        ticket.given.created = true;
    }
    if let Some(at) = attributes.time("updated_at")? {
        ticket.updated_at = clamp(at);
        ticket.given.updated = true;
    }
    if ticket.status >= Status::Solved {
        ticket.solved_at = Some(ticket.updated_at);
        if let Some(at) = attributes.time("solved_at")? {
            ticket.solved_at = Some(clamp(at));
            ticket.given.solved = true;
        }
    }
    Ok(())
}
