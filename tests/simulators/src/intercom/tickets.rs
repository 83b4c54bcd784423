//! Tickets (Intercom facts §8.4).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Cursor, Place};
use super::model::{
    Author, Category, Id, Job, JobState, Part, Role, Ticket, TicketState, TicketType,
};
use super::read::Reader;
use super::rules::{self, Happened, Topic};
use super::state::{Due, State};
use super::ticket_types::{self, DESCRIPTION, TITLE};
use super::{contacts, parts, values};

/// What a creation may say.
const KEYS: [&str; 8] = [
    "ticket_type_id",
    "contacts",
    "conversation_to_link_id",
    "company_id",
    "created_at",
    "ticket_attributes",
    "assignment",
    "skip_notifications",
];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("POST", ["tickets"]) => post(call),
        ("POST", ["tickets", "enqueue"]) => enqueue(call),
        ("GET", ["jobs", "status", id]) => {
            let id: Option<Id> = id.parse().ok();
            let job = id.and_then(|id| call.state.jobs.get(&id));
            match job {
                Some(job) => Answer::ok(render_job(&call.base, job)),
                None => Err(Failure::new(404, "job_not_found", "Job Not Found")),
            }
        }
        ("GET", ["tickets", id]) => ticket_id(id).and_then(|id| {
            let ticket = call.state.ticket(id)?;
            Answer::ok(render(call.state, &call.base, ticket, call.actor.version))
        }),
        ("PUT", ["tickets", id]) => ticket_id(id).and_then(|id| put(call, id)),
        ("DELETE", ["tickets", id]) => ticket_id(id).and_then(|id| delete(call, id)),
        ("POST", ["tickets", id, "reply"]) => ticket_id(id).and_then(|id| reply(call, id)),
        _ => return None,
    })
}

/// 404 of a ticket.
pub(super) fn missing() -> Failure {
    Failure::new(404, "ticket_not_found", "Ticket not found")
}

fn ticket_id(text: &str) -> Result<Id, Failure> {
    text.parse().map_err(|_| missing())
}

// ---- showing

/// What a ticket is for, by its type.
pub(super) fn category(state: &State, ticket: &Ticket) -> Category {
    let kind = state.ticket_types.get(&ticket.ticket_type_id);
    kind.map_or(Category::Customer, |kind| kind.category)
}

fn state_of(state: &State, id: Id) -> Option<&TicketState> {
    state.ticket_states.iter().find(|one| one.id == id)
}

/// A ticket as answers show it.
pub(super) fn render(state: &State, base: &str, ticket: &Ticket, version: u32) -> Value {
    let kind = state.ticket_types.get(&ticket.ticket_type_id);
    let named =
        |name: &str| kind.and_then(|kind| kind.attributes.iter().find(|one| one.name == name));
    let mut attributes: Map<String, Value> = [TITLE, DESCRIPTION]
        .into_iter()
        .filter(|name| named(name).is_some())
        .map(|name| (name.to_owned(), Value::Null))
        .collect();
    for (id, value) in &ticket.attributes {
        let found = kind.and_then(|kind| kind.attributes.iter().find(|one| one.id == *id));
        if let Some(found) = found {
            attributes.insert(found.name.clone(), value.clone());
        }
    }
    let from = ticket.parts.len().saturating_sub(parts::SHOWN);
    let newest = ticket.parts.get(from..).unwrap_or_default();
    let shown_parts: Vec<Value> = newest
        .iter()
        .map(|part| parts::render_of_ticket(state, base, part))
        .collect();
    let people: Vec<Value> = ticket
        .contacts
        .iter()
        .map(|id| contacts::short(state, id))
        .collect();
    let linked: Vec<Value> = ticket
        .conversation
        .iter()
        .map(|id| json!({"type": "conversation", "id": id.to_string(), "category": null}))
        .collect();
    let nobody = (version >= 16).then_some(0);
    json!({
        "type": "ticket",
        "id": ticket.id.to_string(),
        "ticket_id": ticket.ticket_id.to_string(),
        "ticket_attributes": attributes,
        "ticket_state": state_of(state, ticket.state_id).map(ticket_types::render_state),
        "previous_ticket_state_id": ticket.previous_state_id.map(|id| id.to_string()),
        "ticket_type": kind.map(|kind| ticket_types::render(state, kind)),
        "contacts": {"type": "contact.list", "contacts": people},
        "admin_assignee_id": ticket.admin_assignee_id.or(nobody),
        "team_assignee_id": ticket.team_assignee_id.or(nobody),
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "ticket_parts": {
            "type": "ticket_part.list", "ticket_parts": shown_parts, "total_count": ticket.parts.len(),
        },
        "open": ticket.open,
        "snoozed_until": ticket.snoozed_until,
        "linked_objects": {"type": "list", "data": linked, "total_count": linked.len(), "has_more": false},
        "category": category(state, ticket).as_str(),
        "is_shared": ticket.is_shared,
    })
}

/// The place of a ticket in lists: the newest first.
pub(super) fn place(ticket: &Ticket) -> Place {
    (0, format!("{:020}", ticket.id))
}

/// The answer of a search.
pub(super) fn answer_list(call: &Call<'_>, cursor: &Cursor, all: Vec<(Place, &Ticket)>) -> Outcome {
    let total = all.len();
    let (page, pages) = cursor.page(all, true);
    let version = call.actor.version;
    let shown = page
        .into_iter()
        .map(|one| render(call.state, &call.base, one, version));
    let tickets: Vec<Value> = shown.collect();
    Answer::ok(json!({
        "type": "ticket.list", "tickets": tickets, "total_count": total, "pages": pages,
    }))
}

// ---- making

/// A ticket that a body describes, before it is made.
struct Draft {
    kind: TicketType,
    contact: Result<String, String>,
    company_id: Option<String>,
    created_at: Option<i64>,
    attributes: BTreeMap<Id, Value>,
    admin: Option<Id>,
    team: Option<Id>,
    conversation: Option<Id>,
    skip: bool,
}

/// The one contact (§8.4); an address that nobody has is kept for making one.
fn contact_of(state: &State, reader: Reader<'_>) -> Result<Result<String, String>, Failure> {
    let list = reader
        .list("contacts")?
        .ok_or_else(|| Failure::missing("contacts"))?;
    let [one] = list.as_slice() else {
        return Err(Failure::field(
            "contacts",
            "contacts must have exactly one contact",
        ));
    };
    let one = Reader::new(one)?;
    if let Some(id) = one.word("id")? {
        return state.contact(&id, 16).map(|contact| Ok(contact.id.clone()));
    }
    if let Some(external) = one.word("external_id")? {
        let mut users = state
            .by_external(&external)
            .filter(|one| one.role == Role::User && !one.archived);
        return users
            .next()
            .map(|contact| Ok(contact.id.clone()))
            .ok_or_else(Failure::user);
    }
    let email = one.needed("email")?;
    let found = state
        .by_email(&email)
        .filter(|one| !one.archived && !one.blocked);
    let found = found.min_by_key(|one| one.role == Role::Lead);
    Ok(found.map(|contact| contact.id.clone()).ok_or(email))
}

fn type_of<'s>(state: &'s State, reader: Reader<'_>) -> Result<&'s TicketType, Failure> {
    let id = reader
        .id("ticket_type_id")?
        .ok_or_else(|| Failure::missing("ticket_type_id"))?;
    let kind = state.ticket_types.get(&id).filter(|kind| !kind.archived);
    kind.ok_or_else(|| Failure::not_found("Ticket type not found"))
}

/// Merges the attributes of a body into those of a ticket.
fn merge(
    kind: &TicketType,
    given: &Map<String, Value>,
    into: &mut BTreeMap<Id, Value>,
) -> Result<(), Failure> {
    for (name, value) in given {
        let mut live = kind.attributes.iter().filter(|one| !one.archived);
        let attribute = live.find(|one| one.name == *name).ok_or_else(|| {
            Failure::field(name, format!("Ticket attribute '{name}' does not exist"))
        })?;
        if value.is_null() {
            into.remove(&attribute.id);
        } else {
            into.insert(attribute.id, values::of_ticket(attribute, value)?);
        }
    }
    Ok(())
}

fn required(kind: &TicketType, given: &BTreeMap<Id, Value>) -> Result<(), Failure> {
    let mut needed = kind
        .attributes
        .iter()
        .filter(|one| one.required_to_create && !one.archived);
    if needed.any(|one| !given.contains_key(&one.id)) {
        return Err(Failure::invalid("Missing required ticket attributes"));
    }
    Ok(())
}

fn assignee(
    state: &State,
    reader: Reader<'_>,
    key: &str,
    team: bool,
) -> Result<Option<Id>, Failure> {
    let Some(id) = reader.id(key)?.filter(|id| *id != 0) else {
        return Ok(None);
    };
    let known = if team {
        state.teams.contains_key(&id)
    } else {
        state.admin(id).is_some()
    };
    match known {
        true => Ok(Some(id)),
        false => Err(Failure::new(
            404,
            "assignee_not_found",
            "Assignee not found",
        )),
    }
}

fn draft(state: &State, reader: Reader<'_>) -> Result<Draft, Failure> {
    let kind = type_of(state, reader)?.clone();
    let contact = contact_of(state, reader)?;
    let mut attributes = BTreeMap::new();
    if let Some(given) = reader.object("ticket_attributes")? {
        merge(&kind, given, &mut attributes)?;
    }
    required(&kind, &attributes)?;
    let company_id = reader.word("company_id")?;
    if let Some(company) = &company_id {
        state.company(company)?;
    }
    let (mut admin, mut team) = (None, None);
    if let Some(value) = reader.raw("assignment") {
        let assignment = Reader::new(value)?;
        admin = assignee(state, assignment, "admin_assignee_id", false)?;
        team = assignee(state, assignment, "team_assignee_id", true)?;
    }
    let conversation = reader.id("conversation_to_link_id")?;
    if let Some(id) = conversation {
        state.conversation(id)?;
    }
    Ok(Draft {
        kind,
        contact,
        company_id,
        created_at: parts::past(state, reader.time("created_at")?)?,
        attributes,
        admin,
        team,
        conversation,
        skip: reader.flag("skip_notifications")?.unwrap_or_default(),
    })
}

/// Makes a ticket, with the part that says in what state it begins.
fn make(state: &mut State, draft: Draft, by: Id) -> Id {
    let contact = match draft.contact {
        Ok(contact) => contact,
        // §8.4: a contact is made in silence.
        Err(email) => contacts::by_product(state, &email),
    };
    let now = state.now();
    state.last_ticket_number += 1;
    let first = state.ticket_states.first().map_or(0, |one| one.id);
    let mut ticket = Ticket {
        id: state.next_id(),
        ticket_id: state.last_ticket_number,
        ticket_type_id: draft.kind.id,
        state_id: first,
        previous_state_id: None,
        attributes: draft.attributes,
        contacts: vec![contact.clone()],
        admin_assignee_id: draft.admin,
        team_assignee_id: draft.team,
        company_id: draft.company_id,
        open: true,
        snoozed_until: None,
        is_shared: draft.kind.category == Category::Customer,
        tags: Vec::new(),
        conversation: draft.conversation,
        created_at: draft.created_at.unwrap_or(now),
        created_given: draft.created_at.is_some(),
        updated_at: now,
        made_ms: state.now_ms,
        parts: Vec::new(),
    };
    let mut part = parts::blank(state, "ticket_state_updated_by_admin", Author::Bot);
    part.by_app = false;
    part.states = Some(("submitted".to_owned(), "submitted".to_owned()));
    part.created_at = ticket.created_at;
    ticket.parts.push(part);
    let id = ticket.id;
    if ticket.is_shared && !draft.skip {
        rules::notify(
            state,
            &contact,
            &format!("ticket {id}"),
            "A ticket was made.",
        );
    }
    for to in [draft.admin, draft.team].into_iter().flatten() {
        rules::notice(state, to, by, &format!("ticket {id}"), "Assigned.");
    }
    if let Some(conversation) = draft
        .conversation
        .and_then(|id| state.conversations.get_mut(&id))
    {
        conversation.ticket = Some(id);
    }
    state.put_ticket(ticket);
    state.tell(Happened::webhook("ticket.created", Topic::Ticket(id)));
    id
}

fn post(call: &mut Call<'_>) -> Outcome {
    let draft = draft(call.state, call.body(&KEYS)?)?;
    let id = make(call.state, draft, call.actor.admin_id);
    let ticket = call.state.ticket(id)?;
    Answer::ok(render(call.state, &call.base, ticket, call.actor.version))
}

/// Makes a customer ticket of a conversation (§8.3).
pub(super) fn convert(call: &mut Call<'_>, id: Id) -> Outcome {
    let conversation = call.state.conversation(id)?.clone();
    let reader = call.body(&["ticket_type_id", "ticket_state_id", "attributes"])?;
    let kind = type_of(call.state, reader)?.clone();
    if kind.category != Category::Customer {
        return Err(Failure::invalid(
            "Ticket type is not a customer ticket type",
        ));
    }
    let mut attributes = BTreeMap::new();
    if let Some(given) = reader.object("attributes")? {
        merge(&kind, given, &mut attributes)?;
    }
    required(&kind, &attributes)?;
    let state_id = match reader.id("ticket_state_id")? {
        Some(id) => state_of(call.state, id)
            .map(|one| one.id)
            .ok_or_else(invalid_state)?,
        None => call.state.ticket_states.first().map_or(0, |one| one.id),
    };
    let contact = conversation
        .contacts
        .first()
        .cloned()
        .ok_or_else(Failure::user)?;
    let draft = Draft {
        kind,
        contact: Ok(contact),
        company_id: conversation.company_id.clone(),
        created_at: Some(conversation.created_at),
        attributes,
        admin: conversation.admin_assignee_id,
        team: conversation.team_assignee_id,
        conversation: Some(id),
        skip: true,
    };
    let ticket = make(call.state, draft, call.actor.admin_id);
    if let Some(ticket) = call.state.tickets.get_mut(&ticket) {
        ticket.state_id = state_id;
        for part in conversation.parts {
            ticket.parts.push(Part {
                shown: None,
                ..part
            });
        }
    }
    let ticket = call.state.ticket(ticket)?;
    Answer::ok(render(call.state, &call.base, ticket, call.actor.version))
}

// ---- the job

fn render_job(base: &str, job: &Job) -> Value {
    let (status, made) = match &job.state {
        JobState::Pending => ("pending", None),
        JobState::Done(id) => ("success", Some(*id)),
        JobState::Failed => ("failed", None),
    };
    json!({
        "type": "job", "id": job.id.to_string(), "status": status, "url": format!("{base}/jobs/status/{}", job.id),
        "resource_type": "ticket", "resource_id": made.map(|id| id.to_string()),
        "resource_url": made.map(|id| format!("{base}/tickets/{id}")),
    })
}

fn enqueue(call: &mut Call<'_>) -> Outcome {
    // What is wrong is said before it is put in the queue.
    draft(call.state, call.body(&KEYS)?)?;
    let job = Job {
        id: call.state.next_id(),
        body: call.request.json.clone(),
        admin_id: call.actor.admin_id,
        state: JobState::Pending,
    };
    let after = call.state.config.switches.job_time.num_milliseconds();
    call.state
        .schedule(call.state.now_ms + after, Due::Job(job.id));
    let answer = render_job(&call.base, &job);
    call.state.jobs.insert(job.id, job);
    Answer::ok(answer)
}

/// Does a job.
pub(super) fn work(state: &mut State, id: Id) {
    let Some(job) = state.jobs.get(&id).cloned() else {
        return;
    };
    let draft = Reader::new(&job.body).and_then(|reader| draft(state, reader));
    let done = match draft {
        Ok(draft) => JobState::Done(make(state, draft, job.admin_id)),
        Err(_) => JobState::Failed,
    };
    if let Some(job) = state.jobs.get_mut(&id) {
        job.state = done;
    }
}

// ---- changing

fn invalid_state() -> Failure {
    let message = "Ticket state id is not valid or is not associated with the ticket type";
    Failure::new(400, "ticket_state_id_invalid", message)
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    let mut ticket = call.state.ticket(id)?.clone();
    let known = [
        "ticket_attributes",
        "ticket_state_id",
        "company_id",
        "open",
        "is_shared",
        "snoozed_until",
        "admin_id",
        "assignee_id",
        "skip_notifications",
    ];
    let reader = call.body(&known)?;
    let missing = || Failure::new(404, "assignee_not_found", "Assignee not found");
    let by = call.admin_of(reader).map_err(|_| missing())?;
    let mut new_parts = Vec::new();
    if let Some(given) = reader.object("ticket_attributes")? {
        let kind = call.state.ticket_types.get(&ticket.ticket_type_id).cloned();
        if let Some(kind) = kind {
            merge(&kind, given, &mut ticket.attributes)?;
        }
        let kind = "ticket_attribute_updated_by_admin";
        new_parts.push(parts::blank(call.state, kind, Author::Admin(by)));
    }
    let mut changed_state = false;
    if let Some(to) = reader.id("ticket_state_id")? {
        let after = state_of(call.state, to).ok_or_else(invalid_state)?.category;
        if to != ticket.state_id {
            let before =
                state_of(call.state, ticket.state_id).map_or("submitted", |one| one.category);
            let kind = "ticket_state_updated_by_admin";
            let mut part = parts::blank(call.state, kind, Author::Admin(by));
            part.states = Some((before.to_owned(), after.to_owned()));
            new_parts.push(part);
            ticket.previous_state_id = Some(ticket.state_id);
            ticket.state_id = to;
            ticket.open = after != "resolved";
            changed_state = true;
        }
    }
    if let Some(company) = reader.word("company_id")? {
        call.state.company(&company)?;
        ticket.company_id = Some(company);
    }
    ticket.open = reader.flag("open")?.unwrap_or(ticket.open);
    ticket.is_shared = reader.flag("is_shared")?.unwrap_or(ticket.is_shared);
    if let Some(until) = reader.time("snoozed_until")? {
        if until <= call.now() {
            return Err(Failure::field(
                "snoozed_until",
                "snoozed_until must be in the future",
            ));
        }
        ticket.snoozed_until = Some(until);
        ticket.open = true;
        call.state
            .schedule(until.saturating_mul(1_000), Due::WakeTicket(id));
    }
    if let Some(to) = reader.id("assignee_id")? {
        match to {
            0 => (ticket.admin_assignee_id, ticket.team_assignee_id) = (None, None),
            to if call.state.admin(to).is_some() => ticket.admin_assignee_id = Some(to),
            to if call.state.teams.contains_key(&to) => ticket.team_assignee_id = Some(to),
            _ => return Err(missing()),
        }
        new_parts.push(parts::blank(call.state, "assignment", Author::Admin(by)));
        rules::notice(call.state, to, by, &format!("ticket {id}"), "Assigned.");
    }
    let skip = reader.flag("skip_notifications")?.unwrap_or_default();
    ticket.updated_at = call.now();
    let order = call.state.config.switches.part_order;
    for part in new_parts {
        parts::insert(&mut ticket.parts, part, order);
    }
    if changed_state && ticket.is_shared && !skip {
        for contact in &ticket.contacts {
            rules::notify(
                call.state,
                contact,
                &format!("ticket {id}"),
                "The state of a ticket changed.",
            );
        }
    }
    let answer = render(call.state, &call.base, &ticket, call.actor.version);
    call.state.put_ticket(ticket);
    call.state
        .tell(Happened::webhook("ticket.updated", Topic::Ticket(id)));
    Answer::ok(answer)
}

/// A snoozed ticket opens.
pub(super) fn wake(state: &mut State, id: Id) {
    let now = state.now();
    if let Some(ticket) = state.tickets.get_mut(&id)
        && ticket.snoozed_until.is_some_and(|until| until <= now)
    {
        ticket.snoozed_until = None;
        ticket.open = true;
    }
}

fn reply(call: &mut Call<'_>, id: Id) -> Outcome {
    let ticket = call.state.tickets.get(&id).ok_or_else(Failure::resource)?;
    let (count, shared) = (ticket.parts.len(), ticket.is_shared);
    let category = category(call.state, ticket);
    let reply = parts::read(call, true)?;
    let by_contact = matches!(reply.author, Author::Contact(_));
    // §8.4.
    if by_contact && category == Category::BackOffice {
        let message = "User replies are not allowed on Backoffice tickets";
        return Err(Failure::new(400, "parameter_mismatch", message));
    }
    parts::room(call.state, count)?;
    let tells = !by_contact && reply.kind != "note" && shared && !reply.skip_notifications;
    let mut part = parts::of_reply(call.state, reply);
    part.notified = tells;
    let answer = parts::render_of_ticket(call.state, &call.base, &part);
    let order = call.state.config.switches.part_order;
    let now = call.now();
    let ticket = call
        .state
        .tickets
        .get_mut(&id)
        .ok_or_else(Failure::resource)?;
    ticket.updated_at = now;
    parts::insert(&mut ticket.parts, part, order);
    if tells {
        let people = ticket.contacts.clone();
        for contact in people {
            rules::notify(
                call.state,
                &contact,
                &format!("ticket {id}"),
                "An admin answered.",
            );
        }
    }
    let topic = if by_contact {
        "ticket.contact.replied"
    } else {
        "ticket.admin.replied"
    };
    call.state.tell(Happened::webhook(topic, Topic::Ticket(id)));
    Answer::ok(answer)
}

fn delete(call: &mut Call<'_>, id: Id) -> Outcome {
    let deleted = json!({"id": id.to_string(), "object": "ticket", "deleted": true});
    let again = call.state.deleted_tickets.contains(&id);
    if again && !call.state.config.switches.second_deletion_missing {
        return Answer::ok(deleted);
    }
    let ticket = call.state.take_ticket(id).ok_or_else(missing)?;
    for file in ticket.parts.iter().flat_map(|part| &part.attachments) {
        call.state.files.remove(&file.id);
    }
    call.state.deleted_tickets.insert(id);
    // The conversation it was made of stays.
    if let Some(conversation) = ticket.conversation
        && let Some(conversation) = call.state.conversations.get_mut(&conversation)
    {
        conversation.ticket = None;
    }
    Answer::ok(deleted)
}
