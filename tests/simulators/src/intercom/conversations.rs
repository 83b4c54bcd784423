//! Conversations (Intercom facts §8).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Cursor, Place, numbered};
use super::model::{
    Assignee, Attachment, Author, Conversation, ConversationState, Deleted, Id, Part, Seconds,
    Source,
};
use super::parts::Reply;
use super::read::Reader;
use super::rules::{self, Happened, Topic};
use super::state::{Due, State};
use super::switches::OutsiderReplies;
use super::{auth, companies, contacts, files, html, parts, tags, tickets, values};

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("GET", ["conversations"]) => list(call),
        ("POST", ["conversations"]) => post(call),
        ("GET", ["conversations", "deleted"]) => deleted(call),
        ("POST", ["conversations", "redact"]) => redact(call),
        ("GET", ["conversations", id]) => call.id(id).and_then(|id| whole(call, id)),
        ("PUT", ["conversations", id]) => call.id(id).and_then(|id| put(call, id)),
        ("DELETE", ["conversations", id]) => call.id(id).and_then(|id| delete(call, id)),
        ("POST", ["conversations", "last", "reply"]) => reply(call, None),
        ("POST", ["conversations", id, "reply"]) => {
            call.id(id).and_then(|id| reply(call, Some(id)))
        }
        ("POST", ["conversations", id, "parts"]) => call.id(id).and_then(|id| manage(call, id)),
        ("POST", ["conversations", id, "customers"]) => call.id(id).and_then(|id| add(call, id)),
        ("DELETE", ["conversations", id, "customers", contact]) => {
            call.id(id).and_then(|id| remove(call, id, contact))
        }
        ("POST", ["conversations", id, "convert"]) => {
            call.id(id).and_then(|id| tickets::convert(call, id))
        }
        ("POST", ["messages"]) => message(call),
        _ => return None,
    })
}

// ---- showing

/// A conversation without its parts, as lists show it.
pub(super) fn render(
    state: &State,
    base: &str,
    conversation: &Conversation,
    version: u32,
) -> Value {
    let source = &conversation.source;
    let attachments: Vec<Value> = source
        .attachments
        .iter()
        .map(|file| files::render(state, base, file))
        .collect();
    let people: Vec<Value> = conversation
        .contacts
        .iter()
        .map(|id| contacts::short(state, id))
        .collect();
    let teammates: Vec<Value> = conversation
        .teammates
        .iter()
        .map(|id| json!({"type": "admin", "id": id.to_string()}))
        .collect();
    let teammates =
        (!teammates.is_empty()).then(|| json!({"type": "admin.list", "teammates": teammates}));
    // §1: since 2.16 nobody is 0, and the priority is one of five words.
    let nobody = (version >= 16).then_some(0);
    let priority = if version >= 16 {
        "none"
    } else {
        "not_priority"
    };
    let linked: Vec<Value> = conversation
        .ticket
        .and_then(|id| state.tickets.get(&id))
        .map(|ticket| {
            let category = tickets::category(state, ticket).as_str();
            json!({"type": "ticket", "id": ticket.id.to_string(), "category": category})
        })
        .into_iter()
        .collect();
    let mut shown = json!({
        "type": "conversation",
        "id": conversation.id.to_string(),
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "waiting_since": conversation.waiting_since,
        "snoozed_until": conversation.snoozed_until,
        "source": {
            "type": "conversation", "id": source.id.to_string(), "delivered_as": "customer_initiated",
            "subject": source.subject, "body": source.body,
            "author": super::admins::author(state, &Author::Contact(source.author.clone())),
            "attachments": attachments, "url": null, "redacted": source.redacted,
        },
        "contacts": {"type": "contact.list", "contacts": people},
        "first_contact_reply": conversation.first_contact_reply.map(|at| {
            json!({"created_at": at, "type": "conversation", "url": null})
        }),
        "admin_assignee_id": conversation.admin_assignee_id.or(nobody),
        "team_assignee_id": conversation.team_assignee_id.or(nobody),
        "open": conversation.state != ConversationState::Closed,
        "state": conversation.state.as_str(),
        "read": conversation.read,
        "tags": {"type": "tag.list", "tags": tags::rendered(state, &conversation.tags)},
        "priority": priority,
        "sla_applied": conversation.sla.then(|| {
            json!({"type": "conversation_sla_summary", "sla_name": "First answer", "sla_status": "active"})
        }),
        "statistics": statistics(conversation),
        "conversation_rating": null,
        "teammates": teammates,
        "title": conversation.title,
        "custom_attributes": values::shown_conversation(state, &conversation.custom_attributes),
        "topics": {},
        "ticket": null,
        "linked_objects": {"type": "list", "data": linked, "total_count": linked.len(), "has_more": false},
        "ai_agent": null,
        "ai_agent_participated": conversation.ai_agent_participated,
    });
    let company = conversation
        .company_id
        .as_ref()
        .and_then(|id| state.companies.get(id));
    if let (Some(company), Some(map)) = (company, shown.as_object_mut()) {
        map.insert("company".to_owned(), companies::render(state, company));
    }
    shown
}

/// Counts; times only where something happened.
fn statistics(conversation: &Conversation) -> Value {
    let mut shown = json!({
        "type": "conversation_statistics", "count_reopens": conversation.reopened,
        "count_assignments": conversation.assigned, "count_conversation_parts": conversation.parts.len(),
    });
    if let (Some((by, at)), Some(map)) = (conversation.last_closed, shown.as_object_mut()) {
        map.insert("last_close_at".to_owned(), json!(at));
        map.insert("last_closed_by_id".to_owned(), json!(by.to_string()));
    }
    shown
}

/// A conversation with its newest parts; each part is written once (§8.2).
fn whole(call: &mut Call<'_>, id: Id) -> Outcome {
    let conversation = call.state.conversation(id)?;
    let total = conversation.parts.len();
    let head = render(call.state, &call.base, conversation, call.actor.version).to_string();
    let parts = parts::written(call.state, &call.base, id);
    let length: usize = parts.iter().map(|part| part.len() + 1).sum();
    let mut text = String::with_capacity(head.len() + length + 128);
    text.push_str(head.strip_suffix('}').unwrap_or(&head));
    text.push_str(
        ",\"conversation_parts\":{\"type\":\"conversation_part.list\",\"conversation_parts\":[",
    );
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(part);
    }
    text.push_str("],\"total_count\":");
    text.push_str(&total.to_string());
    text.push_str("}}");
    Answer::written(text)
}

/// The place of a conversation in lists: the newest first.
pub(super) fn place(conversation: &Conversation) -> Place {
    (0, format!("{:020}", conversation.id))
}

fn list(call: &Call<'_>) -> Outcome {
    let cursor = Cursor::of_query(call, 20)?;
    let state = &*call.state;
    let shown = state.conversations.values().filter(|one| !one.archived);
    let all: Vec<(Place, &Conversation)> = shown.map(|one| (place(one), one)).collect();
    answer_list(call, &cursor, all)
}

/// The answer of lists and searches.
pub(super) fn answer_list(
    call: &Call<'_>,
    cursor: &Cursor,
    all: Vec<(Place, &Conversation)>,
) -> Outcome {
    let total = all.len();
    let (page, pages) = cursor.page(all, true);
    let version = call.actor.version;
    let shown = page
        .into_iter()
        .map(|one| render(call.state, &call.base, one, version));
    let conversations: Vec<Value> = shown.collect();
    Answer::ok(json!({
        "type": "conversation.list", "conversations": conversations, "total_count": total, "pages": pages,
    }))
}

// ---- making

/// How a conversation begins.
pub(super) struct Opening {
    /// The contact who wrote.
    pub author: String,
    /// HTML.
    pub body: String,
    /// As it was sent.
    pub sent_body: String,
    /// Subject.
    pub subject: String,
    /// When, if that was said.
    pub created_at: Option<Seconds>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Brand.
    pub brand_id: Option<String>,
}

/// A conversation that begins now, or at the time that was said; it is not stored yet.
pub(super) fn begin(state: &mut State, opening: Opening) -> Conversation {
    let now = state.now();
    let created_at = opening.created_at.unwrap_or(now);
    Conversation {
        id: state.next_id(),
        title: None,
        source: Source {
            id: state.next_id(),
            body: opening.body,
            sent_body: opening.sent_body,
            subject: opening.subject,
            author: opening.author.clone(),
            attachments: opening.attachments,
            redacted: false,
        },
        created_at,
        created_given: opening.created_at.is_some(),
        updated_at: now,
        made_ms: state.now_ms,
        waiting_since: Some(created_at),
        state: ConversationState::Open,
        snoozed_until: None,
        read: false,
        admin_assignee_id: None,
        team_assignee_id: None,
        company_id: None,
        brand_id: opening.brand_id,
        contacts: vec![opening.author],
        teammates: BTreeSet::new(),
        tags: Vec::new(),
        custom_attributes: BTreeMap::new(),
        parts: Vec::new(),
        first_contact_reply: None,
        reopened: 0,
        assigned: 0,
        last_closed: None,
        sla: false,
        ai_agent_participated: false,
        ticket: None,
        archived: false,
    }
}

fn post(call: &mut Call<'_>) -> Outcome {
    let reader = call.body(&[
        "from",
        "body",
        "subject",
        "attachment_urls",
        "created_at",
        "brand_id",
    ])?;
    let from = reader.raw("from").ok_or_else(|| Failure::missing("from"))?;
    let from = Reader::new(from)?;
    if !matches!(from.needed("type")?.as_str(), "user" | "lead" | "contact") {
        return Err(Failure::field(
            "from",
            "from type must be lead, user or contact",
        ));
    }
    let author = from.needed("id")?;
    let made_ms = call.state.contact(&author, call.actor.version)?.made_ms;
    // §8.1: a new contact may be unknown for a while.
    let lag = call.state.config.switches.messaging_lag.num_milliseconds();
    if made_ms + lag > call.state.now_ms {
        return Err(Failure::user());
    }
    let sent_body = reader.needed("body")?;
    let created_at = parts::past(call.state, reader.time("created_at")?)?;
    let attachments = files::read(call.state, &call.base, reader, false)?;
    let subject = reader.text("subject")?.unwrap_or_default();
    let brand_id = reader.word("brand_id")?;
    let body = html::from_plain(&sent_body, call.state.config.switches.line_ends);
    let opening = Opening {
        author: author.clone(),
        body,
        sent_body: sent_body.clone(),
        subject,
        created_at,
        attachments,
        brand_id,
    };
    let state = &mut *call.state;
    let now = state.now();
    let conversation = begin(state, opening);
    let answer = json!({
        "type": "user_message", "id": conversation.source.id.to_string(),
        "created_at": conversation.created_at, "body": sent_body, "message_type": "inapp",
        "conversation_id": conversation.id.to_string(),
    });
    let id = conversation.id;
    state.put_conversation(conversation);
    state.edit_contact(&author, |contact| contact.last_replied_at = Some(now));
    state.tell(Happened::webhook(
        "conversation.user.created",
        Topic::Conversation(id),
    ));
    Answer::ok(answer)
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    let mut values = call.state.conversation(id)?.custom_attributes.clone();
    // §5: the priority can be set in `Preview` only.
    let reader = call.body(&["read", "title", "custom_attributes", "company_id"])?;
    let read = reader.flag("read")?;
    let title = reader.text("title")?;
    if let Some(given) = reader.object("custom_attributes")? {
        values::merge_conversation(call.state, given, &mut values)?;
    }
    let company = reader.word("company_id")?;
    if let Some(company) = &company {
        call.state.company(company)?;
    }
    let now = call.now();
    let conversation = call.state.conversation_mut(id)?;
    conversation.custom_attributes = values;
    conversation.read = read.unwrap_or(conversation.read);
    if reader.given("title") {
        conversation.title = title;
    }
    if reader.given("company_id") {
        conversation.company_id = company;
    }
    conversation.updated_at = now;
    whole(call, id)
}

// ---- replies

fn reply(call: &mut Call<'_>, id: Option<Id>) -> Outcome {
    if let Some(id) = id {
        call.state.conversation(id)?;
    }
    let reply = parts::read(call, false)?;
    let id = match id {
        Some(id) => id,
        None => last(call.state, &reply)?,
    };
    let count = call.state.conversation(id)?.parts.len();
    parts::room(call.state, count)?;
    answer_to(call.state, id, reply)?;
    whole(call, id)
}

/// The contact's newest conversation, of `last`.
fn last(state: &State, reply: &Reply) -> Result<Id, Failure> {
    let Author::Contact(id) = &reply.author else {
        return Err(Failure::resource());
    };
    let theirs = state.conversations_of.get(id).into_iter().flatten();
    let newest = theirs.max_by_key(|id| state.conversations.get(id).map(|one| one.updated_at));
    newest.copied().ok_or_else(Failure::resource)
}

/// Adds a reply to a conversation, with all that comes of it (§8.2).
pub(super) fn answer_to(state: &mut State, id: Id, reply: Reply) -> Result<Id, Failure> {
    let switches = state.config.switches.clone();
    let now = state.now();
    if let Author::Contact(contact) = &reply.author {
        let takes_part = state.conversation(id)?.contacts.contains(contact);
        match switches.outsider_replies {
            _ if takes_part => {}
            OutsiderReplies::Joined => state.join(id, contact),
            OutsiderReplies::Refused => {
                return Err(Failure::invalid(
                    "The contact is not a participant of the conversation",
                ));
            }
        }
    }
    let skip = reply.skip_notifications;
    let by_contact = matches!(reply.author, Author::Contact(_));
    let is_note = reply.kind == "note";
    let mut part = parts::of_reply(state, reply);
    let (part_id, author, at) = (part.id, part.author.clone(), part.created_at);
    part.notified = !by_contact && !is_note && !skip;
    let conversation = state.conversation_mut(id)?;
    let closed = conversation.state != ConversationState::Open;
    if closed && !is_note && (by_contact || switches.admin_reply_reopens) {
        conversation.state = ConversationState::Open;
        conversation.snoozed_until = None;
        conversation.reopened += 1;
        if switches.reopening_part_is_open {
            "open".clone_into(&mut part.part_type);
        }
    }
    match &author {
        Author::Contact(_) => {
            conversation.waiting_since = Some(at);
            conversation.read = false;
            conversation.first_contact_reply.get_or_insert(at);
        }
        Author::Admin(admin) => {
            conversation.teammates.insert(*admin);
            if !is_note {
                conversation.waiting_since = None;
                conversation.read = true;
            }
        }
        Author::Bot => {}
    }
    conversation.updated_at = now;
    parts::insert(&mut conversation.parts, part, switches.part_order);
    let people = conversation.contacts.clone();
    let topic = match &author {
        Author::Contact(_) => "conversation.user.replied",
        _ if is_note => "conversation.admin.noted",
        _ => "conversation.admin.replied",
    };
    if let Author::Contact(contact) = &author {
        state.edit_contact(contact, |contact| contact.last_replied_at = Some(now));
    } else if !is_note {
        for contact in &people {
            state.edit_contact(contact, |contact| contact.last_contacted_at = Some(now));
            if !skip {
                rules::notify(
                    state,
                    contact,
                    &format!("conversation {id}"),
                    "An admin answered.",
                );
            }
        }
    }
    state.tell(Happened::webhook(topic, Topic::Conversation(id)));
    Ok(part_id)
}

// ---- managing

/// Adds a part that changes the state of a conversation.
fn add_part(state: &mut State, id: Id, part: Part) -> Result<(), Failure> {
    let order = state.config.switches.part_order;
    let now = state.now();
    let conversation = state.conversation_mut(id)?;
    conversation.updated_at = now;
    if let Author::Admin(admin) = part.author {
        conversation.teammates.insert(admin);
    }
    parts::insert(&mut conversation.parts, part, order);
    Ok(())
}

fn manage(call: &mut Call<'_>, id: Id) -> Outcome {
    let count = call.state.conversation(id)?.parts.len();
    let reader = call.body(&[
        "message_type",
        "type",
        "admin_id",
        "body",
        "snoozed_until",
        "assignee_id",
    ])?;
    let kind = reader.needed("message_type")?;
    let admin = call.needed_admin(reader)?;
    let body = reader.text("body")?.filter(|body| !body.is_empty());
    parts::room(call.state, count)?;
    let mut part = parts::blank(call.state, &kind, Author::Admin(admin));
    let strict = call.state.config.switches.same_state_refused;
    let now = call.now();
    let was = call.state.conversation(id)?.state;
    let same = |state: &str| {
        let message = format!("Conversation is already in the same state: {state}");
        Err(Failure::invalid(message))
    };
    let topic = match kind.as_str() {
        "close" if was == ConversationState::Closed && strict => return same("closed"),
        "close" => {
            let conversation = call.state.conversation_mut(id)?;
            conversation.state = ConversationState::Closed;
            conversation.snoozed_until = None;
            conversation.waiting_since = None;
            conversation.last_closed = Some((admin, now));
            "conversation.admin.closed"
        }
        "open" if was == ConversationState::Open && strict => return same("open"),
        "open" => {
            let conversation = call.state.conversation_mut(id)?;
            conversation.state = ConversationState::Open;
            conversation.snoozed_until = None;
            conversation.reopened += 1;
            "conversation.admin.opened"
        }
        "snoozed" => {
            let until = reader
                .time("snoozed_until")?
                .ok_or_else(|| Failure::missing("snoozed_until"))?;
            if until <= now {
                return Err(Failure::field(
                    "snoozed_until",
                    "snoozed_until must be in the future",
                ));
            }
            let conversation = call.state.conversation_mut(id)?;
            if conversation.snoozed_until == Some(until) && strict {
                return same("snoozed");
            }
            conversation.state = ConversationState::Snoozed;
            conversation.snoozed_until = Some(until);
            call.state
                .schedule(until.saturating_mul(1_000), Due::Wake(id));
            "conversation.admin.snoozed"
        }
        "assignment" => {
            part.assigned_to = Some(assign(call, id, reader, admin)?);
            "conversation.admin.assigned"
        }
        _ => {
            let message = "message_type must be one of close, snoozed, open, assignment";
            return Err(Failure::field("message_type", message));
        }
    };
    let visible = matches!(kind.as_str(), "close" | "assignment") && body.is_some();
    if visible {
        let switches = &call.state.config.switches;
        part.body = body
            .as_ref()
            .map(|body| html::from_markup(body, switches.line_ends, switches.html_reduced));
        part.sent_body = body;
        part.notified = true;
    }
    add_part(call.state, id, part)?;
    if visible {
        // §11: a text with a close or an assignment is a message to the contact.
        let people = call.state.conversation(id)?.contacts.clone();
        for contact in people {
            rules::notify(
                call.state,
                &contact,
                &format!("conversation {id}"),
                "A close or an assignment said something.",
            );
        }
    }
    call.state
        .tell(Happened::webhook(topic, Topic::Conversation(id)));
    whole(call, id)
}

fn assign(call: &mut Call<'_>, id: Id, reader: Reader<'_>, by: Id) -> Result<Assignee, Failure> {
    let missing = || Failure::new(404, "assignee_not_found", "Assignee not found");
    let to = reader
        .id("assignee_id")?
        .ok_or_else(|| Failure::missing("assignee_id"))?;
    let kind = reader.needed("type")?;
    let assignee = match (kind.as_str(), to) {
        ("admin" | "team", 0) => Assignee::Nobody,
        ("admin", to) if call.state.admin(to).is_some() => Assignee::Admin(to),
        ("team", to) if call.state.teams.contains_key(&to) => Assignee::Team(to),
        // An admin's assignment to a team is taken, too: type says who acts in older texts.
        ("admin", to) if call.state.teams.contains_key(&to) => Assignee::Team(to),
        ("admin" | "team", _) => return Err(missing()),
        _ => return Err(Failure::field("type", "type must be admin or team")),
    };
    let strict = call.state.config.switches.same_state_refused;
    let conversation = call.state.conversation_mut(id)?;
    let (old, new) = match assignee {
        Assignee::Admin(to) => (&mut conversation.admin_assignee_id, Some(to)),
        Assignee::Team(to) => (&mut conversation.team_assignee_id, Some(to)),
        Assignee::Nobody if kind == "team" => (&mut conversation.team_assignee_id, None),
        Assignee::Nobody => (&mut conversation.admin_assignee_id, None),
    };
    if *old == new && strict {
        return Err(Failure::new(
            422,
            "parameter_invalid",
            "Conversation is already assigned to this assignee",
        ));
    }
    *old = new;
    conversation.assigned += 1;
    if let Some(to) = new {
        rules::notice(
            call.state,
            to,
            by,
            &format!("conversation {id}"),
            "Assigned.",
        );
    }
    Ok(assignee)
}

/// A snoozed conversation opens, if nothing happened to it since.
pub(super) fn wake(state: &mut State, id: Id) {
    let now = state.now();
    let Some(conversation) = state.conversations.get_mut(&id) else {
        return;
    };
    if conversation.snoozed_until.is_none_or(|until| until > now) {
        return;
    }
    conversation.snoozed_until = None;
    conversation.state = ConversationState::Open;
    let mut part = parts::blank(state, "timer_unsnooze", Author::Bot);
    part.by_app = false;
    // The conversation is there.
    let _ = add_part(state, id, part);
}

// ---- who takes part

fn add(call: &mut Call<'_>, id: Id) -> Outcome {
    call.state.conversation(id)?;
    let reader = call.body(&["admin_id", "customer"])?;
    let customer = reader
        .raw("customer")
        .ok_or_else(|| Failure::missing("customer"))?;
    let customer = Reader::new(customer)?;
    call.admin_of(reader)?;
    let contact = match (contacts::named(call, customer)?, customer.text("email")?) {
        (Some(contact), _) => contact,
        // §8.3: an unknown address makes a lead.
        (None, Some(email)) => contacts::by_product(call.state, &email),
        (None, None) => return Err(Failure::user()),
    };
    call.state.join(id, &contact);
    let now = call.now();
    let conversation = call.state.conversation_mut(id)?;
    conversation.updated_at = now;
    let people = conversation.contacts.clone();
    let state = &*call.state;
    let customers: Vec<Value> = people
        .iter()
        .map(|id| {
            let role = state
                .contacts
                .get(id)
                .map_or("user", |contact| contact.role.as_str());
            json!({"type": role, "id": id})
        })
        .collect();
    Answer::ok(json!({"customers": customers}))
}

fn remove(call: &mut Call<'_>, id: Id, contact: &str) -> Outcome {
    let conversation = call.state.conversation(id)?;
    if !conversation.contacts.iter().any(|one| one == contact) {
        return Err(Failure::user());
    }
    // §8.3.
    if conversation.contacts.len() == 1 {
        return Err(Failure::new(
            422,
            "parameter_invalid",
            "Removing the last customer is not allowed",
        ));
    }
    let reader = call.body(&["admin_id"])?;
    call.needed_admin(reader)?;
    call.state.leave(id, contact);
    whole(call, id)
}

// ---- redacting, deleting

fn redact(call: &mut Call<'_>) -> Outcome {
    let reader = call.body(&[
        "type",
        "conversation_id",
        "conversation_part_id",
        "source_id",
    ])?;
    let missing = || {
        Failure::new(
            404,
            "conversation_part_or_message_not_found",
            "Conversation part or message not found",
        )
    };
    let not_redactable = || {
        Failure::new(
            400,
            "conversation_part_not_redactable",
            "Conversation part or message is not redactable",
        )
    };
    let id = reader
        .id("conversation_id")?
        .ok_or_else(|| Failure::missing("conversation_id"))?;
    let conversation = call.state.conversations.get_mut(&id).ok_or_else(missing)?;
    let gone = match reader.text("type")?.as_deref() {
        Some("conversation_part") => {
            let part = reader.id("conversation_part_id")?;
            let mut all = conversation.parts.iter_mut();
            let part = all.find(|one| Some(one.id) == part).ok_or_else(missing)?;
            if part.body.is_none() {
                return Err(not_redactable());
            }
            part.body = Some("<p><em>This message was deleted</em></p>".to_owned());
            part.redacted = true;
            part.shown = None;
            std::mem::take(&mut part.attachments)
        }
        Some("source") => {
            if reader.id("source_id")? != Some(conversation.source.id) {
                return Err(missing());
            }
            "<p><em>This message was deleted</em></p>".clone_into(&mut conversation.source.body);
            conversation.source.redacted = true;
            std::mem::take(&mut conversation.source.attachments)
        }
        _ => {
            return Err(Failure::field(
                "type",
                "type must be conversation_part or source",
            ));
        }
    };
    for file in gone {
        call.state.files.remove(&file.id);
    }
    whole(call, id)
}

fn delete(call: &mut Call<'_>, id: Id) -> Outcome {
    let retained = call.flag_param("retain_metrics")?.unwrap_or(true);
    // §8.5: erasing the metrics, too, needs a scope of its own.
    if !retained {
        match &call.actor.scopes {
            None if call.state.config.may_erase_metrics => {}
            None => return Err(auth::lacks(auth::ERASES)),
            Some(_) => call.actor.needs(auth::ERASES)?,
        }
    }
    let again = call.state.deleted.iter().any(|one| one.id == id);
    if again && !call.state.config.switches.second_deletion_missing {
        return Answer::ok(
            json!({"id": id.to_string(), "object": "conversation", "deleted": true}),
        );
    }
    call.state.conversation(id)?;
    erase(call.state, id, retained);
    call.state.tell(Happened::webhook(
        "conversation.deleted",
        Topic::Conversation(id),
    ));
    Answer::ok(json!({"id": id.to_string(), "object": "conversation", "deleted": true}))
}

/// Deletes a conversation for good.
pub(super) fn erase(state: &mut State, id: Id, metrics_retained: bool) {
    if state.take_conversation(id).is_some() {
        state.deleted.push(Deleted {
            id,
            metrics_retained,
            deleted_at: state.now(),
        });
    }
}

fn deleted(call: &Call<'_>) -> Outcome {
    // §8.5: since 2.16.
    call.since(16)?;
    let ascending = match call.request.param("order") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => return Err(Failure::field("order", "order must be asc or desc")),
    };
    let mut all: Vec<&Deleted> = call.state.deleted.iter().collect();
    if !ascending {
        all.reverse();
    }
    let total = all.len();
    let (page, pages) = numbered(call, all, 20, 60)?;
    let shown = page.into_iter().map(|one| {
        json!({
            "type": "conversation", "id": one.id.to_string(), "metrics_retained": one.metrics_retained,
            "deleted_at": one.deleted_at,
        })
    });
    let conversations: Vec<Value> = shown.collect();
    Answer::ok(json!({
        "type": "conversations.list", "conversations": conversations, "total_count": total, "pages": pages,
    }))
}

// ---- messages

/// `POST /messages`: an admin writes to a contact, and it is really sent (§11).
fn message(call: &mut Call<'_>) -> Outcome {
    let known = [
        "message_type",
        "subject",
        "body",
        "template",
        "from",
        "to",
        "cc",
        "bcc",
        "created_at",
        "create_conversation_without_contact_reply",
    ];
    let reader = call.body(&known)?;
    let kind = reader.needed("message_type")?;
    let body = reader.text("body")?.filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| Failure::invalid("Body is required"))?;
    let subject = reader.text("subject")?;
    if kind == "email" && subject.is_none() {
        return Err(Failure::new(
            422,
            "parameter_not_found",
            "No subject supplied for email message",
        ));
    }
    let from = Reader::new(reader.raw("from").ok_or_else(|| Failure::missing("from"))?)?;
    let admin = from.id("id")?.ok_or_else(|| Failure::missing("from"))?;
    call.admin(admin)?;
    let to = reader.raw("to").ok_or_else(|| Failure::missing("to"))?;
    let to = to
        .as_array()
        .map_or_else(|| vec![to], |list| list.iter().collect());
    for one in to {
        let id = Reader::new(one)?.needed("id")?;
        call.state.contact(&id, call.actor.version)?;
        rules::send(
            call.state,
            &id,
            if kind == "email" {
                "email"
            } else {
                "messenger"
            },
            "POST /messages",
        );
    }
    let id = call.state.next_id();
    Answer::ok(json!({
        "type": "admin_message", "id": id.to_string(), "created_at": call.now(), "subject": subject.unwrap_or_default(),
        "body": body, "message_type": if kind == "email" { "email" } else { "inapp" },
    }))
}
