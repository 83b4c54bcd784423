//! Tickets and their comments, made and changed the ordinary way (Zendesk facts §12, §13).
//!
//! What holds for every ticket, however it is made, is here: statuses, assignees, fields, tags, comments. The import
//! API in `imports` differs in what it lets a client set and in what it keeps silent. Ordinary calls run triggers.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Details, Failure, Outcome, Payload};
use super::attributes::{Attributes, bad, iso};
use super::call::{Actor, Call, Limit, page_list, page_map};
use super::fields;
use super::html;
use super::jobs::{self, Work};
use super::model::{
    Comment, CommentText, FieldOwner, GivenTimes, Id, IdentityType, Priority, Status, Tags, Ticket,
    TicketType,
};
use super::rules::{self, Change};
use super::state::{State, TicketKey};
use super::{uploads, users};

/// An answer kept for an `Idempotency-Key` (§13).
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    digest: String,
    status: u16,
    body: Value,
    until: DateTime<Utc>,
}

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["tickets"]) => list(call),
        ("POST", ["tickets"]) => idempotent(call, post),
        ("POST", ["tickets", "create_many"]) => call.bulk("tickets").and_then(|list| {
            let work = list.into_iter().map(Work::CreateTicket).collect();
            jobs::start(call, "BulkCreateTicketJob", "create", work)
        }),
        ("PUT", ["tickets", "update_many"]) => update_many(call),
        ("GET", ["tickets", "show_many"]) => call.many("ids").and_then(|ids| {
            let ids = ids.iter().filter_map(|id| id.parse().ok());
            let found = ids.filter_map(|id| call.state.ticket(id).ok());
            let list: Vec<Value> = found.map(|t| render(call.state, &call.base, t)).collect();
            let count = list.len();
            Answer::ok(json!({
                "tickets": list, "count": count, "next_page": null, "previous_page": null,
            }))
        }),
        ("GET", ["tickets", "count"]) => {
            let count = call
                .state
                .tickets
                .values()
                .filter(|t| t.deleted.is_none())
                .count();
            Answer::ok(users::count_json(call, count))
        }
        ("GET", ["tickets", id]) => call.id(id).and_then(|id| show(call, id)),
        ("PUT", ["tickets", id]) => call.id(id).and_then(|id| put(call, id)),
        ("GET", ["tickets", id, "comments"]) => call.id(id).and_then(|id| comments(call, id)),
        ("GET", ["tickets", id, "comments", "count"]) => call.id(id).and_then(|id| {
            let count = call.state.ticket(id)?.comments.len();
            Answer::ok(users::count_json(call, count))
        }),
        ("GET", ["tickets", id, "audits"]) => call.id(id).and_then(|id| audits(call, id)),
        (method, ["tickets" | "users" | "organizations", _, "tags"]) => {
            tag_calls(call, method, path)
        }
        ("GET", ["users", id, "tickets", which @ ("requested" | "assigned")]) => {
            call.id(id).and_then(|id| {
                call.state.user(id)?;
                let requested = *which == "requested";
                of(
                    call,
                    if requested {
                        TicketKey::Requester(id)
                    } else {
                        TicketKey::Assignee(id)
                    },
                )
            })
        }
        ("GET", ["organizations", id, "tickets"]) => call.id(id).and_then(|id| {
            call.state.organization(id)?;
            of(call, TicketKey::Organization(id))
        }),
        _ => return None,
    })
}

/// Whether a ticket is archived: on import, or 120 days after it was closed (§12).
pub(super) fn archived(state: &State, ticket: &Ticket) -> bool {
    let age = state.now - ticket.status_since;
    ticket.archived || (ticket.status == Status::Closed && age >= Duration::days(120))
}

fn of(call: &Call<'_>, key: TicketKey) -> Outcome {
    let tickets: Vec<&Ticket> = call
        .state
        .tickets_with(&key)
        .filter(|t| t.deleted.is_none())
        .collect();
    page_list(call, "tickets", tickets.len(), |at| {
        Some(render(call.state, &call.base, tickets.get(at)?))
    })
}

/// A ticket as answers show it.
pub(super) fn render(state: &State, base: &str, ticket: &Ticket) -> Value {
    let mut values = Vec::new();
    for field in state.fields_of(&FieldOwner::Ticket) {
        if field.system.is_none() && field.active {
            let value = fields::shown(field, ticket.custom_fields.get(&field.id));
            values.push(json!({"id": field.id, "value": value}));
        }
    }
    let description = ticket
        .comments
        .first()
        .map(|comment| plain_text(&comment.text));
    json!({
        "id": ticket.id,
        "url": format!("{base}/api/v2/tickets/{}", ticket.id),
        "external_id": ticket.external_id,
        "via": {"channel": ticket.channel, "source": {"from": {}, "to": {}, "rel": null}},
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
        "generated_timestamp": ticket.generated_at.timestamp(),
        "type": ticket.kind.map(TicketType::as_str),
        "subject": ticket.subject,
        "raw_subject": ticket.subject,
        "description": description.unwrap_or_default(),
        "priority": ticket.priority.map(Priority::as_str),
        "status": ticket.status.as_str(),
        "custom_status_id": ticket.custom_status_id,
        "recipient": ticket.recipient,
        "requester_id": ticket.requester_id,
        "submitter_id": ticket.submitter_id,
        "assignee_id": ticket.assignee_id,
        "organization_id": ticket.organization_id,
        "group_id": ticket.group_id,
        "collaborator_ids": ticket.email_cc_ids,
        "follower_ids": ticket.follower_ids,
        "email_cc_ids": ticket.email_cc_ids,
        "forum_topic_id": null,
        "problem_id": ticket.problem_id,
        "has_incidents": false,
        "is_public": ticket.comments.iter().any(|comment| comment.public),
        "due_at": ticket.due_at.map(iso),
        "tags": ticket.tags,
        "custom_fields": values,
        "fields": values,
        "satisfaction_rating": {"score": "unoffered"},
        "sharing_agreement_ids": [],
        "followup_ids": [],
        "ticket_form_id": ticket.ticket_form_id,
        "brand_id": ticket.brand_id,
        "allow_channelback": false,
        "allow_attachments": true,
        "from_messaging_channel": false,
    })
}

/// The text of a comment.
pub(super) fn plain_text(text: &CommentText) -> String {
    match text {
        CommentText::Plain(text) => text.clone(),
        CommentText::Html(html) => html::text(html),
    }
}

/// A comment as answers show it; inline files only when asked for.
pub(super) fn render_comment(base: &str, comment: &Comment, inline: bool) -> Value {
    let plain = plain_text(&comment.text);
    let html = match &comment.text {
        CommentText::Plain(text) => html::from_plain(text),
        CommentText::Html(html) => html::wrap(html),
    };
    let files = comment
        .attachments
        .iter()
        .filter(|file| inline || !file.inline);
    let files: Vec<Value> = files.map(|file| uploads::render(base, file)).collect();
    json!({
        "id": comment.id,
        "type": "Comment",
        "author_id": comment.author_id,
        "body": plain,
        "html_body": html,
        "plain_body": plain,
        "public": comment.public,
        "attachments": files,
        "audit_id": comment.audit_id,
        "via": {"channel": comment.channel, "source": {"from": {}, "to": {}, "rel": null}},
        "created_at": iso(comment.created_at),
        "metadata": {"system": {}, "custom": {}},
    })
}

fn show(call: &mut Call<'_>, id: Id) -> Outcome {
    let ticket = call.state.ticket(id)?;
    Answer::ok(json!({"ticket": render(call.state, &call.base, ticket)}))
}

fn list(call: &mut Call<'_>) -> Outcome {
    call.limit(Limit::TicketsIndex, "")?;
    let page = call
        .request
        .param("page")
        .and_then(|page| page.parse::<u32>().ok());
    if page.is_some_and(|page| page > 500) {
        call.limit(Limit::TicketsIndexDeep, "")?;
    }
    let state = &*call.state;
    let lag = state.config.switches.ticket_list_lag;
    // §12: archived tickets are in no list.
    let shown = |ticket: &Ticket| {
        ticket.deleted.is_none() && !archived(state, ticket) && state.now - ticket.made_at >= lag
    };
    if let Some(external) = call.request.param("external_id") {
        let same = |ticket: &&Ticket| ticket.external_id.as_deref() == Some(external);
        let all = state.tickets_with(&TicketKey::external(external));
        let found: Vec<&Ticket> = all.filter(same).filter(|t| shown(t)).collect();
        return page_list(call, "tickets", found.len(), |at| {
            Some(render(state, &call.base, found.get(at)?))
        });
    }
    page_map(call, "tickets", &state.tickets, shown, |t| {
        render(state, &call.base, t)
    })
}

fn comments(call: &mut Call<'_>, id: Id) -> Outcome {
    let ticket = call.state.ticket(id)?;
    let inline = call.request.param("include_inline_images") == Some("true");
    let descending = call.request.param("sort_order") == Some("desc")
        || call.request.param("sort") == Some("-created_at");
    let count = ticket.comments.len();
    page_list(call, "comments", count, |at| {
        let at = if descending { count - 1 - at } else { at };
        Some(render_comment(&call.base, ticket.comments.get(at)?, inline))
    })
}

fn audits(call: &mut Call<'_>, id: Id) -> Outcome {
    let ticket = call.state.ticket(id)?;
    let mut ids: Vec<Id> = ticket.comments.iter().map(|c| c.audit_id).collect();
    ids.dedup();
    page_list(call, "audits", ids.len(), |at| {
        let audit = *ids.get(at)?;
        let comments: Vec<&Comment> = ticket
            .comments
            .iter()
            .filter(|c| c.audit_id == audit)
            .collect();
        let first = comments.first()?;
        let events: Vec<Value> = comments
            .iter()
            .map(|c| render_comment(&call.base, c, true))
            .collect();
        Some(audit_json(
            ticket,
            audit,
            first.author_id,
            first.created_at,
            events,
        ))
    })
}

fn audit_json(ticket: &Ticket, id: Id, author: Id, at: DateTime<Utc>, events: Vec<Value>) -> Value {
    json!({
        "id": id,
        "ticket_id": ticket.id,
        "author_id": author,
        "created_at": iso(at),
        "metadata": {"system": {}, "custom": {}},
        "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": null}},
        "events": events,
    })
}

// ---- idempotency

/// Plays the part of `Idempotency-Key` on a creation (§13). A creation that is still running cannot be met here,
/// requests being handled one after the other, so there is no 409.
pub(super) fn idempotent(call: &mut Call<'_>, make: fn(&mut Call<'_>) -> Outcome) -> Outcome {
    let Some(key) = call.request.header("idempotency-key").map(str::to_owned) else {
        return make(call);
    };
    if key.is_empty() || key.len() > 255 {
        let description = "Idempotency key must have 1 to 255 characters";
        return Err(Failure::bad_request("IdempotentRequestError", description));
    }
    let digest = hex::encode(Sha256::digest(&call.request.body));
    let now = call.state.now;
    if let Some(known) = call
        .state
        .idempotency
        .get(&key)
        .filter(|known| known.until > now)
    {
        if known.digest != digest {
            let description = "Request parameters don't match the given idempotency key";
            return Err(Failure::bad_request("IdempotentRequestError", description));
        }
        let answer = Answer::json(known.status, known.body.clone());
        return Ok(answer.with("x-idempotency-lookup", "hit"));
    }
    let answer = make(call)?;
    if let Payload::Json(body) = &answer.body {
        let until = now + Duration::hours(2);
        let kept = Remembered {
            digest,
            status: answer.status,
            body: body.clone(),
            until,
        };
        call.state.idempotency.insert(key, kept);
        if call.state.idempotency.len().is_multiple_of(4_096) {
            call.state.idempotency.retain(|_, kept| kept.until > now);
        }
    }
    Ok(answer.with("x-idempotency-lookup", "miss"))
}

// ---- ordinary writes

fn post(call: &mut Call<'_>) -> Outcome {
    let request = call.request;
    let attributes = Attributes::of(&request.json, "ticket")?;
    let id = create(call.state, &call.actor, attributes)?;
    let ticket = call.state.ticket(id)?;
    let body = json!({"ticket": render(call.state, &call.base, ticket)});
    let location = format!("{}/api/v2/tickets/{id}", call.base);
    Ok(Answer::json(201, body).with("location", location))
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.limit(Limit::TicketUpdate, "")?;
    call.limit(
        Limit::TicketUpdateByUser,
        format!("{}/{id}", call.actor.user_id),
    )?;
    let request = call.request;
    let attributes = Attributes::of(&request.json, "ticket")?;
    let before = call.state.ticket(id)?.status;
    let audit = update(call.state, &call.actor, id, attributes, false)?;
    let ticket = call.state.ticket(id)?;
    let added = ticket.comments.iter().filter(|c| c.audit_id == audit);
    let mut events: Vec<Value> = added.map(|c| render_comment(&call.base, c, true)).collect();
    if before != ticket.status {
        events.push(json!({
            "id": audit, "type": "Change", "field_name": "status", "value": ticket.status.as_str(),
            "previous_value": before.as_str(),
        }));
    }
    let now = call.state.second();
    Answer::ok(json!({
        "ticket": render(call.state, &call.base, ticket),
        "audit": audit_json(ticket, audit, call.actor.user_id, now, events),
    }))
}

fn update_many(call: &mut Call<'_>) -> Outcome {
    call.limit(Limit::TicketUpdate, "")?;
    let work: Vec<Work> = if let Some(all) = call.request.json.get("ticket") {
        let ids = call.many("ids")?;
        ids.iter()
            .map(|id| Work::UpdateTicket(id.parse().unwrap_or(0), all.clone()))
            .collect()
    } else {
        let list = call.bulk("tickets")?;
        let mut work = Vec::new();
        for ticket in list {
            let id = Attributes::bare(&ticket)?.id("id")?.unwrap_or(0);
            work.push(Work::UpdateTicket(id, ticket));
        }
        work
    };
    jobs::start(call, "BulkUpdateTicketJob", "update", work)
}

/// Makes a ticket the ordinary way: times are the account's, triggers run.
pub(super) fn create(
    state: &mut State,
    actor: &Actor,
    attributes: Attributes<'_>,
) -> Result<Id, Failure> {
    let mut details = Details::default();
    let requester = requester(state, actor, attributes, &mut details)?;
    let mut ticket = blank(state, actor, requester);
    let comment = match attributes.object("comment")? {
        Some(_) => attributes
            .raw("comment")
            .map(Attributes::bare)
            .transpose()?,
        None => None,
    };
    let mut wanted = match comment {
        Some(comment) => wanted_comment(state, comment, "comment", &mut details)?,
        None => WantedComment::plain(attributes.text("description")?.unwrap_or_default()),
    };
    // §12: times are read-only here and dropped in silence.
    wanted.at = None;
    check_comments(state, std::slice::from_ref(&wanted), &mut details);
    apply(state, &mut ticket, attributes, &mut details, true)?;
    settle(state, &mut ticket, attributes, &mut details, true)?;
    details.check()?;
    let public = wanted.public.unwrap_or(true);
    if let Some(submitter) = attributes.id("submitter_id")? {
        ticket.submitter_id = submitter;
        wanted.author = Some(submitter);
    }
    write_comments(state, actor, &mut ticket, vec![wanted]);
    state.last_ticket_id += 1;
    ticket.id = state.last_ticket_id;
    let id = ticket.id;
    state.put_ticket(ticket);
    let change = Change {
        created: true,
        comment: Some(public),
        status_changed: true,
        by: actor.user_id,
    };
    rules::run_triggers(state, id, &change);
    rules::watch(state, id);
    Ok(id)
}

/// Changes a ticket; gives the id of the audit. `bulk` is an update inside a job, which may still change the tags of
/// a closed ticket (§10).
pub(super) fn update(
    state: &mut State,
    actor: &Actor,
    id: Id,
    attributes: Attributes<'_>,
    bulk: bool,
) -> Result<Id, Failure> {
    let mut ticket = state.ticket(id)?.clone();
    let blanks = state.config.switches.tag_blanks;
    if ticket.status == Status::Closed {
        let tags_only =
            bulk && (attributes.given("additional_tags") || attributes.given("remove_tags"));
        if !tags_only {
            // §4, §12: a closed ticket is frozen.
            let text = "Status: closed prevents ticket update";
            return Err(Failure::invalid("status", text, None));
        }
    }
    if attributes.flag("safe_update")? == Some(true) {
        let stamp = attributes.time("updated_stamp")?;
        if stamp != Some(ticket.updated_at) {
            return Err(Failure::Plain {
                status: 409,
                error: "UpdateConflict",
                description: "Safe Update prevented the update due to outdated ticket data"
                    .to_owned(),
            });
        }
    }
    let mut details = Details::default();
    let before = ticket.status;
    let frozen = before == Status::Closed;
    let mut wanted = None;
    if !frozen {
        if attributes.given("requester_id") || attributes.given("requester") {
            ticket.requester_id = requester(state, actor, attributes, &mut details)?;
        }
        if let Some(comment) = attributes.raw("comment") {
            let comment =
                wanted_comment(state, Attributes::bare(comment)?, "comment", &mut details)?;
            check_comments(state, std::slice::from_ref(&comment), &mut details);
            wanted = Some(WantedComment {
                at: None,
                ..comment
            });
        }
        if ticket.comments.len() + usize::from(wanted.is_some())
            > state.config.switches.comments_per_ticket
        {
            // §12: comment 5,001 is a 422.
            details.add(
                "base",
                "Ticket: has too many comments (maximum is 5000)",
                None,
            );
        }
        apply(state, &mut ticket, attributes, &mut details, false)?;
        settle(state, &mut ticket, attributes, &mut details, false)?;
    }
    if let Some(tags) = attributes.tags("additional_tags", blanks) {
        ticket.tags.extend(tags);
    }
    if let Some(tags) = attributes.tags("remove_tags", blanks) {
        ticket.tags.retain(|tag| !tags.contains(tag));
    }
    details.check()?;
    let comment = wanted
        .as_ref()
        .map(|w| w.public.unwrap_or_else(|| is_public(&ticket)));
    let audit = match wanted {
        Some(wanted) => write_comments(state, actor, &mut ticket, vec![wanted]),
        None => state.next_id(),
    };
    let now = state.second();
    ticket.updated_at = now;
    ticket.given.updated = false;
    if ticket.status != before {
        ticket.status_since = now;
        ticket.solved_at = (ticket.status >= Status::Solved).then_some(now);
        ticket.given.solved = false;
    }
    let status_changed = ticket.status != before;
    state.edit_ticket(id, |place| *place = ticket);
    let change = Change {
        created: false,
        comment,
        status_changed,
        by: actor.user_id,
    };
    rules::run_triggers(state, id, &change);
    if status_changed {
        rules::watch(state, id);
    }
    Ok(audit)
}

fn is_public(ticket: &Ticket) -> bool {
    ticket.comments.iter().any(|comment| comment.public)
}

/// An empty ticket of a requester, not yet stored.
pub(super) fn blank(state: &State, actor: &Actor, requester: Id) -> Ticket {
    let now = state.second();
    Ticket {
        id: 0,
        external_id: None,
        subject: None,
        status: Status::New,
        custom_status_id: None,
        priority: None,
        kind: None,
        requester_id: requester,
        submitter_id: actor.user_id,
        assignee_id: None,
        group_id: None,
        organization_id: None,
        brand_id: state.brand_id,
        ticket_form_id: Some(state.form_id),
        problem_id: None,
        due_at: None,
        recipient: None,
        tags: Tags::new(),
        custom_fields: std::collections::BTreeMap::new(),
        email_cc_ids: Vec::new(),
        follower_ids: Vec::new(),
        channel: "api".to_owned(),
        comments: Vec::new(),
        created_at: now,
        updated_at: now,
        solved_at: None,
        given: GivenTimes::default(),
        generated_at: state.now,
        status_since: now,
        archived: false,
        imported: false,
        deleted: None,
        made_at: state.now,
    }
}

/// The requester: `requester_id`, `requester{name,email}` (found or made), or the caller.
pub(super) fn requester(
    state: &mut State,
    actor: &Actor,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<Id, Failure> {
    let id = match (attributes.id("requester_id")?, attributes.raw("requester")) {
        (Some(id), _) => id,
        (None, Some(value)) => {
            let person = Attributes::bare(value)?;
            let email = person.text("email")?.unwrap_or_default();
            match state.user_by_identity(IdentityType::Email, email.trim()) {
                Some(id) => id,
                None => users::create(state, actor, person)?,
            }
        }
        (None, None) => actor.user_id,
    };
    match state.active_user(id) {
        None => details.add("requester", "Requester: is invalid", Some("InvalidValue")),
        // §6.2: also at import.
        Some(user) if user.suspended => {
            let text = format!("Requester: {} is suspended.", user.name);
            details.add("requester", text, Some("UserSuspended"));
        }
        Some(_) => {}
    }
    Ok(id)
}

/// The attributes that every way of writing a ticket shares.
pub(super) fn apply(
    state: &mut State,
    ticket: &mut Ticket,
    attributes: Attributes<'_>,
    details: &mut Details,
    new: bool,
) -> Result<(), Failure> {
    if attributes.given("subject") {
        ticket.subject = attributes
            .text("subject")?
            .map(|subject| subject.trim().to_owned());
    }
    if attributes.given("external_id") {
        ticket.external_id = attributes.text("external_id")?;
    }
    if attributes.given("recipient") {
        ticket.recipient = attributes.text("recipient")?;
    }
    if attributes.given("due_at") {
        ticket.due_at = attributes.time("due_at")?;
    }
    if attributes.given("problem_id") {
        ticket.problem_id = attributes.id("problem_id")?;
    }
    if let Some(text) = attributes.text("priority")? {
        match Priority::parse(&text) {
            // §12: a priority cannot be unset later, so null changes nothing.
            Some(priority) => ticket.priority = Some(priority),
            None => not_in_list(details, "priority", "Priority", &text),
        }
    }
    if let Some(text) = attributes.text("type")?.filter(|_| new) {
        // §12: the type is not editable later.
        match TicketType::parse(&text) {
            Some(kind) => ticket.kind = Some(kind),
            None => not_in_list(details, "type", "Type", &text),
        }
    }
    if let Some(brand) = attributes.id("brand_id")? {
        if brand == state.brand_id {
            ticket.brand_id = brand;
        } else {
            details.add("brand", "Brand: is invalid", Some("InvalidValue"));
        }
    }
    if let Some(form) = attributes.id("ticket_form_id")? {
        if form == state.form_id {
            ticket.ticket_form_id = Some(form);
        } else {
            details.add(
                "ticket_form_id",
                "Ticket form: is invalid",
                Some("InvalidValue"),
            );
        }
    }
    people(state, ticket, attributes, details)?;
    field_values(state, ticket, attributes, details, new)
}

fn not_in_list(details: &mut Details, key: &str, label: &str, text: &str) {
    let text = format!("{label}: {text} is not included in the list");
    details.add(key, text, Some("InvalidValue"));
}

fn people(
    state: &mut State,
    ticket: &mut Ticket,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<(), Failure> {
    for (name, is_cc) in [("email_ccs", true), ("followers", false)] {
        for item in attributes.list(name) {
            let person = Attributes::bare(item)?;
            let email = person.text("user_email")?;
            let id = match (person.id("user_id")?, &email) {
                (Some(id), _) => Some(id),
                (None, Some(email)) => state.user_by_identity(IdentityType::Email, email.trim()),
                (None, None) => None,
            };
            let Some(id) = id.filter(|id| state.active_user(*id).is_some()) else {
                let label = if is_cc { "Email CCs" } else { "Followers" };
                details.add(
                    name,
                    format!("{label}: user is invalid"),
                    Some("InvalidValue"),
                );
                continue;
            };
            let list = if is_cc {
                &mut ticket.email_cc_ids
            } else {
                &mut ticket.follower_ids
            };
            list.retain(|other| *other != id);
            if person.text("action")?.as_deref() != Some("delete") {
                list.push(id);
            }
        }
    }
    let collaborators = attributes.list("collaborator_ids").into_iter();
    for id in collaborators.filter_map(super::attributes::id_of) {
        if state.active_user(id).is_some() && !ticket.email_cc_ids.contains(&id) {
            ticket.email_cc_ids.push(id);
        }
    }
    Ok(())
}

/// Custom fields and tags together, because values are tags (§9).
fn field_values(
    state: &State,
    ticket: &mut Ticket,
    attributes: Attributes<'_>,
    details: &mut Details,
    new: bool,
) -> Result<(), Failure> {
    let switches = &state.config.switches;
    if let Some(tags) = attributes.tags("tags", switches.tag_blanks) {
        ticket.tags = tags;
    }
    let mut values: Vec<(Id, Value)> = Vec::new();
    for name in ["custom_fields", "fields"] {
        match attributes.raw(name) {
            Some(Value::Array(list)) => {
                for item in list {
                    let item = Attributes::bare(item)?;
                    let id = item.id("id")?.ok_or_else(|| bad(name, "must have an id"))?;
                    values.push((id, item.raw("value").cloned().unwrap_or(Value::Null)));
                }
            }
            Some(Value::Object(map)) => {
                for (id, value) in map {
                    let id = id
                        .parse()
                        .map_err(|_| bad(name, "must be addressed by id"))?;
                    values.push((id, value.clone()));
                }
            }
            Some(_) => return Err(bad(name, "must be an array")),
            None => {}
        }
    }
    for (id, value) in values {
        // Values of unknown fields are dropped in silence (§4).
        let Some(field) = state
            .fields
            .get(&id)
            .filter(|field| field.owner == FieldOwner::Ticket && field.system.is_none())
        else {
            continue;
        };
        match fields::normalise(state, field, &value) {
            Ok(value) => {
                if let Some(old) = ticket.custom_fields.remove(&id) {
                    let old = fields::tags_of(field, &old);
                    ticket.tags.retain(|tag| !old.contains(tag));
                }
                if let Some(value) = value {
                    ticket.custom_fields.insert(id, value);
                }
            }
            Err(fields::NotValid) => details.push(
                "base",
                json!({
                    "description": format!("{} is not valid", field.title),
                    "error": "InvalidValue",
                    "ticket_field_id": id,
                    "ticket_field_type": field.kind.class(),
                }),
            ),
        }
    }
    let of_fields = ticket.custom_fields.iter().filter_map(|(id, value)| {
        let field = state.fields.get(id)?;
        Some(fields::tags_of(field, value))
    });
    let of_fields: Vec<Tags> = of_fields.collect();
    ticket.tags.extend(of_fields.into_iter().flatten());
    if new && switches.user_tagging {
        // §6.2: tags of the requester and the organization are copied; the organization is known later.
        if let Some(user) = state.users.get(&ticket.requester_id) {
            ticket.tags.extend(user.tags.iter().cloned());
        }
    }
    Ok(())
}

/// Brings status, assignee, group and organization together, and checks what solving needs (§12).
pub(super) fn settle(
    state: &State,
    ticket: &mut Ticket,
    attributes: Attributes<'_>,
    details: &mut Details,
    new: bool,
) -> Result<(), Failure> {
    let switches = &state.config.switches;
    if attributes.given("organization_id") {
        let wanted = attributes.id("organization_id")?;
        let own = state
            .users
            .get(&ticket.requester_id)
            .and_then(|user| user.organization_id);
        ticket.organization_id = match wanted {
            Some(id)
                if state
                    .organization_memberships
                    .find(ticket.requester_id, id)
                    .is_some() =>
            {
                Some(id)
            }
            Some(_) if switches.foreign_organization_refused => {
                let text = "Organization: is not one of the requester's";
                details.add("organization", text, Some("InvalidValue"));
                None
            }
            Some(_) => own,
            None => None,
        };
    } else if new || attributes.given("requester_id") {
        ticket.organization_id = state
            .users
            .get(&ticket.requester_id)
            .and_then(|user| user.organization_id);
    }
    if new && switches.user_tagging {
        let organization = ticket
            .organization_id
            .and_then(|id| state.organizations.get(&id));
        ticket.tags.extend(
            organization
                .into_iter()
                .flat_map(|o| o.tags.iter().cloned()),
        );
    }
    if attributes.given("assignee_id") {
        ticket.assignee_id = attributes.id("assignee_id")?;
    } else if let Some(email) = attributes.text("assignee_email")? {
        ticket.assignee_id = state.user_by_identity(IdentityType::Email, email.trim());
    }
    if attributes.given("group_id") {
        ticket.group_id = attributes.id("group_id")?;
        let known = |id: &Id| state.groups.get(id).is_some_and(|group| !group.deleted);
        if ticket.group_id.as_ref().is_some_and(|id| !known(id)) {
            details.add("group", "Group: is invalid", Some("InvalidValue"));
        }
    }
    if let Some(assignee) = ticket.assignee_id {
        match state.active_user(assignee) {
            // §6.3: an end user cannot be assignee.
            Some(user) if user.is_agent() => match ticket.group_id {
                None => ticket.group_id = user.default_group_id,
                Some(group) if state.group_memberships.find(assignee, group).is_none() => {
                    if new || attributes.given("group_id") {
                        let text = "Assignee: is not a member of the ticket's group";
                        details.add("assignee", text, Some("InvalidValue"));
                    } else if attributes.given("assignee_id") {
                        ticket.group_id = user.default_group_id;
                    }
                }
                Some(_) => {}
            },
            _ => details.add("assignee", "Assignee: is invalid", Some("InvalidValue")),
        }
    }
    set_status(state, ticket, attributes, details)?;
    if ticket.status == Status::New && ticket.assignee_id.is_some() {
        ticket.status = Status::Open;
        ticket.custom_status_id = fields::default_status(state, Status::Open);
    }
    let solved = ticket.status == Status::Solved;
    let needs_assignee =
        solved || (ticket.status == Status::Closed && switches.closed_needs_assignee);
    if needs_assignee && ticket.assignee_id.is_none() {
        let text = "Assignee: is required when solving a ticket";
        details.add("base", text, Some("BlankValue"));
    }
    if ticket.status >= Status::Solved {
        // §9: fields that are required to solve.
        let required = state.fields_of(&FieldOwner::Ticket);
        for field in required.filter(|f| f.required && f.active && f.system.is_none()) {
            if !ticket.custom_fields.contains_key(&field.id) {
                details.push(
                    "base",
                    json!({
                        "description": format!("{}: is required when solving a ticket", field.title),
                        "error": "BlankValue",
                        "ticket_field_id": field.id,
                        "ticket_field_type": field.kind.class(),
                    }),
                );
            }
        }
    }
    Ok(())
}

fn set_status(
    state: &State,
    ticket: &mut Ticket,
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<(), Failure> {
    let status = match attributes.text("status")? {
        None => None,
        Some(text) => {
            let status = Status::parse(&text);
            if status.is_none() {
                not_in_list(details, "status", "Status", &text);
            }
            status
        }
    };
    if let Some(id) = attributes.id("custom_status_id")? {
        match state.custom_statuses.get(&id) {
            Some(custom) => {
                // A custom status decides the status; only `closed` can stand beside one of the solved category.
                let closed = status == Some(Status::Closed) && custom.category == Status::Solved;
                ticket.status = if closed {
                    Status::Closed
                } else {
                    custom.category
                };
                ticket.custom_status_id = Some(id);
                return Ok(());
            }
            None => details.add(
                "custom_status_id",
                "Custom status: is invalid",
                Some("InvalidValue"),
            ),
        }
    }
    if let Some(status) = status
        && (status != ticket.status || ticket.custom_status_id.is_none())
    {
        ticket.status = status;
        ticket.custom_status_id = fields::default_status(state, status);
    } else if ticket.custom_status_id.is_none() {
        ticket.custom_status_id = fields::default_status(state, ticket.status);
    }
    Ok(())
}

// ---- comments

/// A comment in a request.
#[derive(Debug, Clone)]
pub(super) struct WantedComment {
    pub author: Option<Id>,
    pub public: Option<bool>,
    pub text: CommentText,
    pub at: Option<DateTime<Utc>>,
    pub uploads: Vec<String>,
    pub channel: Option<String>,
}

impl WantedComment {
    /// A comment of nothing but text.
    pub fn plain(text: String) -> Self {
        Self {
            author: None,
            public: None,
            text: CommentText::Plain(text),
            at: None,
            uploads: Vec::new(),
            channel: None,
        }
    }

    fn source(&self) -> &str {
        match &self.text {
            CommentText::Plain(text) | CommentText::Html(text) => text,
        }
    }
}

/// Reads a comment; what is wrong with its text is noted by [`check_comments`].
pub(super) fn wanted_comment(
    state: &State,
    attributes: Attributes<'_>,
    label: &str,
    details: &mut Details,
) -> Result<WantedComment, Failure> {
    let text = match attributes.text("html_body")? {
        Some(html) => CommentText::Html(html::sanitise(&html)),
        None => {
            let body = attributes.text("body")?;
            let text = body.or(attributes.text("value")?).unwrap_or_default();
            CommentText::Plain(text)
        }
    };
    let author = attributes.id("author_id")?;
    if author.is_some_and(|id| state.active_user(id).is_none()) {
        // §12 [ISS]: the message does not help.
        details.add(
            "base",
            format!("{label}: Validation failed"),
            Some("InvalidValue"),
        );
    }
    let via = attributes.object("via")?;
    let channel = via
        .and_then(|via| via.get("channel"))
        .and_then(Value::as_str);
    let tokens = attributes.list("uploads").into_iter();
    Ok(WantedComment {
        author,
        public: attributes.flag("public")?,
        text,
        at: attributes.time("created_at")?,
        uploads: tokens
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect(),
        channel: channel.map(str::to_owned),
    })
}

/// Checks text, size and upload tokens of the comments of one request.
pub(super) fn check_comments(state: &State, comments: &[WantedComment], details: &mut Details) {
    let switches = &state.config.switches;
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for comment in comments {
        let source = comment.source();
        if source.trim().is_empty() && comment.uploads.is_empty() {
            details.add("base", "Description: cannot be blank", Some("BlankValue"));
        }
        if source.len() > switches.comment_max_bytes {
            let text = format!(
                "Description: is too long (maximum is {} bytes)",
                switches.comment_max_bytes
            );
            details.add("base", text, Some("ValueTooLong"));
        }
        for token in &comment.uploads {
            let fresh = used.insert(token) && uploads::usable(state, token);
            if !fresh && switches.bad_upload_fails {
                details.add(
                    "base",
                    "Attachment: upload token is invalid",
                    Some("InvalidValue"),
                );
            }
        }
    }
}

/// Writes comments into a ticket, in order, all in one audit, whose id it gives. Upload tokens are used up.
pub(super) fn write_comments(
    state: &mut State,
    actor: &Actor,
    ticket: &mut Ticket,
    comments: Vec<WantedComment>,
) -> Id {
    let audit_id = state.next_id();
    let now = state.second();
    let first = state.config.switches.omitted_public_first;
    let via_kept = state.config.switches.via_kept;
    for comment in comments {
        // §12 [LIVE]: left out, `public` is inherited from what the ticket was before.
        let inherited = if ticket.comments.is_empty() {
            first
        } else {
            is_public(ticket)
        };
        let attachments = uploads::take(state, &comment.uploads, comment.source());
        ticket.comments.push(Comment {
            id: state.next_id(),
            audit_id,
            author_id: comment.author.unwrap_or(actor.user_id),
            public: comment.public.unwrap_or(inherited),
            attachments,
            created_at: comment.at.unwrap_or(now),
            time_given: comment.at.is_some(),
            channel: comment
                .channel
                .filter(|_| via_kept)
                .unwrap_or_else(|| "api".to_owned()),
            text: comment.text,
        });
    }
    audit_id
}

// ---- tags

fn tag_calls(call: &mut Call<'_>, method: &str, path: &[&str]) -> Outcome {
    let [kind, id, _] = path else {
        return Err(Failure::EndpointNotFound);
    };
    let id = call.id(id)?;
    let request = call.request;
    let blanks = call.state.config.switches.tag_blanks;
    let given = || -> Result<Tags, Failure> {
        let body = if request.json.is_object() {
            &request.json
        } else {
            &json!({})
        };
        if let Some(tags) = Attributes::bare(body)?.tags("tags", blanks) {
            return Ok(tags);
        }
        let list: Vec<Value> = request
            .list("tags")
            .unwrap_or_default()
            .into_iter()
            .map(Value::from)
            .collect();
        let list: Vec<&Value> = list.iter().collect();
        Ok(super::attributes::normalise_tags(&list, blanks))
    };
    let change = |tags: &mut Tags| -> Result<u16, Failure> {
        let given = given()?;
        Ok(match method {
            "POST" => {
                *tags = given;
                201
            }
            "PUT" => {
                tags.extend(given);
                200
            }
            _ => {
                tags.retain(|tag| !given.contains(tag));
                200
            }
        })
    };
    let known = ["GET", "POST", "PUT", "DELETE"].contains(&method);
    if !known {
        return Err(Failure::EndpointNotFound);
    }
    let (mut tags, writing) = match *kind {
        "tickets" => (call.state.ticket(id)?.tags.clone(), method != "GET"),
        "users" => (call.state.user(id)?.tags.clone(), method != "GET"),
        _ => (call.state.organization(id)?.tags.clone(), method != "GET"),
    };
    if *kind != "tickets" && !call.state.config.switches.user_tagging {
        return Err(Failure::Forbidden(
            "User and organization tagging is not enabled",
        ));
    }
    if !writing {
        return Answer::ok(json!({"tags": tags}));
    }
    let status = change(&mut tags)?;
    let body = json!({"tags": tags});
    match *kind {
        "tickets" => {
            if call.state.ticket(id)?.status == Status::Closed {
                // §10: not on closed tickets.
                let text = "Status: closed prevents ticket update";
                return Err(Failure::invalid("status", text, None));
            }
            let now = call.state.second();
            call.state.edit_ticket(id, |ticket| {
                ticket.tags = tags;
                ticket.updated_at = now;
                ticket.given.updated = false;
            });
            let by = call.actor.user_id;
            let change = Change {
                created: false,
                comment: None,
                status_changed: false,
                by,
            };
            rules::run_triggers(call.state, id, &change);
        }
        "users" => {
            call.state.edit_user(id, |user| user.tags = tags);
        }
        _ => {
            let mut organization = call.state.organization(id)?.clone();
            organization.tags = tags;
            organization.updated_at = call.state.second();
            call.state.put_organization(organization);
        }
    }
    Ok(Answer::json(status, body))
}
