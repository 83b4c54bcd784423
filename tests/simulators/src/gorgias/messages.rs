//! Messages of tickets: reading them, keeping them, and sending those that nobody said were sent (Gorgias facts §6).
//!
//! Reading is apart from keeping: a ticket with hundreds of messages is taken as a whole or not at all.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Key, PAGED, page, paging, time_of};
use super::customers::{by_product, in_short};
use super::model::{Attachment, Id, Message, Moment, Status, User};
use super::read::{EMAIL_LENGTH, EXTERNAL_ID_LENGTH, Problems, Reader, is_email};
use super::rules::{self, Happened};
use super::state::{Due, State};
use crate::common::OutboxItem;

/// The channel of notes.
pub(super) const NOTE: &str = "internal-note";

/// Channels of tickets and messages besides custom ones (§6).
const CHANNELS: [&str; 21] = [
    "aircall",
    "api",
    "chat",
    "contact_form",
    "email",
    "facebook",
    "facebook-mention",
    "facebook-messenger",
    "facebook-recommendations",
    "help-center",
    "instagram-ad-comment",
    "instagram-comment",
    "instagram-direct-message",
    "instagram-mention",
    NOTE,
    "phone",
    "sms",
    "twitter",
    "twitter-direct-message",
    "whatsapp",
    "yotpo-review",
];

/// What `via` may be besides a channel (§6).
const VIAS: [&str; 11] = [
    "form",
    "gorgias_chat",
    "helpdesk",
    "instagram",
    "offline_capture",
    "rule",
    "self_service",
    "shopify",
    "twilio",
    "yotpo",
    "zendesk",
];

/// Longest subject (§6).
pub(super) const SUBJECT_LENGTH: usize = 998;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["messages"], "GET") => list(call, None),
        (["tickets", id, "messages"], "GET") => call.id(id).and_then(|id| {
            call.state.ticket(id)?;
            list(call, Some(id))
        }),
        (["tickets", id, "messages"], "POST") => call.id(id).and_then(|id| post(call, id)),
        (["tickets", ticket, "messages", id], "GET") => find(call, ticket, id).and_then(|id| {
            call.only(&[])?;
            let message = call.state.messages.get(&id).ok_or(Failure::NotFound)?;
            Answer::ok(render(call.state, message))
        }),
        (["tickets", ticket, "messages", id], "PUT") => {
            find(call, ticket, id).and_then(|id| put(call, id))
        }
        (["tickets", ticket, "messages", id], "DELETE") => find(call, ticket, id).and_then(|id| {
            call.only(&[])?;
            remove(call.state, id);
            Answer::bare(call.state.config.switches.message_deletion_status)
        }),
        (["messages"] | ["tickets", _, "messages"] | ["tickets", _, "messages", _], _) => {
            Err(Failure::Method)
        }
        _ => return None,
    })
}

fn find(call: &Call<'_>, ticket: &str, id: &str) -> Result<Id, Failure> {
    let (ticket, id) = (call.id(ticket)?, call.id(id)?);
    let message = call.state.messages.get(&id);
    let message = message.filter(|message| message.ticket_id == ticket);
    message.map(|message| message.id).ok_or(Failure::NotFound)
}

/// `GET /messages`, or the deprecated list of one ticket (§4).
fn list(call: &Call<'_>, ticket: Option<Id>) -> Outcome {
    if ticket.is_some() {
        call.only(&[&PAGED])?;
    } else {
        call.only(&[&PAGED, &["ticket_id"]])?;
    }
    let paging = paging(call, &["created_datetime"])?;
    let ticket = match ticket {
        Some(ticket) => Some(ticket),
        None => call.id_param("ticket_id")?,
    };
    let state = &*call.state;
    let show = |id: Id| {
        let message = state.messages.get(&id);
        let message = message.filter(|message| state.is_listed(message.touched_at))?;
        Some(render(state, message))
    };
    let none: BTreeSet<Key> = BTreeSet::new();
    let places = match ticket {
        Some(ticket) => state.messages_of.get(&ticket).unwrap_or(&none),
        None => &state.messages_created,
    };
    page(call, &paging, places, show)
}

fn user_in_short(user: &User) -> Value {
    json!({
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "firstname": user.firstname,
        "lastname": user.lastname,
        "meta": user.meta,
    })
}

/// A message as answers show it.
pub(super) fn render(state: &State, message: &Message) -> Value {
    let time = |time: Option<Moment>| time.map(|time| time_of(state, time));
    let customer = |id: Id| state.customers.get(&id).map(in_short);
    let sender = message.sender_id.and_then(|id| {
        if message.from_agent {
            state.users.get(&id).map(user_in_short)
        } else {
            customer(id)
        }
    });
    let attachments: Vec<Value> = message
        .attachments
        .iter()
        .map(|file| {
            json!({
                "url": file.url,
                "name": file.name,
                "content_type": file.content_type,
                "size": file.size,
                "public": file.public,
                "extra": file.extra,
            })
        })
        .collect();
    json!({
        "id": message.id,
        "uri": format!("/api/tickets/{}/messages/{}", message.ticket_id, message.id),
        "message_id": message.message_id,
        "ticket_id": message.ticket_id,
        "external_id": message.external_id,
        "public": message.public,
        "channel": message.channel,
        "via": message.via,
        "source": message.source,
        "sender": sender,
        "integration_id": message.integration_id,
        "rule_id": message.rule_id,
        "from_agent": message.from_agent,
        "receiver": message.receiver_id.and_then(customer),
        "subject": message.subject,
        "body_text": message.body_text,
        "body_html": message.body_html,
        "stripped_text": message.stripped_text,
        "stripped_html": message.stripped_html,
        "stripped_signature": message.stripped_signature,
        "headers": message.headers,
        "attachments": attachments,
        "actions": null,
        "macros": null,
        "meta": message.meta,
        "created_datetime": time_of(state, message.created_at),
        "sent_datetime": time(message.sent_at),
        "failed_datetime": time(message.failed_at),
        "deleted_datetime": time(message.deleted_at),
        "opened_datetime": time(message.opened_at),
        "last_sending_error": message.last_sending_error,
        "is_retriable": false,
        "mention_ids": message.mention_ids,
    })
}

// ---- reading

/// Somebody a body names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Person {
    /// By number, which is known to be somebody's.
    Known(Id),
    /// By an address that no customer has: keeping the message makes one.
    New { email: String, name: Option<String> },
}

/// A message that has been read and found right.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    message: Message,
    /// The customer who wrote it; users are in the message already.
    pub sender: Option<Person>,
    receiver: Option<Person>,
    /// It names macros or actions, which run.
    acts: bool,
}

impl Draft {
    /// What the ticket takes over from its first message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The customer of the message: who wrote it, or whom it went to.
    pub fn customer(&self) -> Option<&Person> {
        self.sender.as_ref().or(self.receiver.as_ref())
    }
}

const KEYS: [&str; 28] = [
    "actions",
    "attachments",
    "body_html",
    "body_text",
    "channel",
    "created_datetime",
    "deleted_datetime",
    "external_id",
    "failed_datetime",
    "from_agent",
    "headers",
    "integration_id",
    "last_sending_error",
    "macros",
    "mention_ids",
    "message_id",
    "meta",
    "opened_datetime",
    "public",
    "receiver",
    "sender",
    "sent_datetime",
    "source",
    "stripped_html",
    "stripped_signature",
    "stripped_text",
    "subject",
    "via",
];

const PERSON: [&str; 11] = [
    "id",
    "email",
    "name",
    "firstname",
    "lastname",
    "external_id",
    "language",
    "timezone",
    "meta",
    "note",
    "channels",
];

/// A channel that may be named.
pub(super) fn channel(state: &State, reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.long_text("channel")?;
    let custom = &state.config.custom_channels;
    if CHANNELS.contains(&text.as_str()) || custom.contains(&text) {
        return Some(text);
    }
    reader.problem("channel", "Not a valid choice.");
    None
}

/// How a message came.
pub(super) fn via(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.long_text("via")?;
    if CHANNELS.contains(&text.as_str()) || VIAS.contains(&text.as_str()) {
        return Some(text);
    }
    reader.problem("via", "Not a valid choice.");
    None
}

/// A customer named by a body (§6): an unknown address becomes a customer.
pub(super) fn read_customer(state: &State, reader: &mut Reader<'_>, field: &str) -> Option<Person> {
    let value = reader.raw(field)?;
    let mut nested = Reader::new(value, &PERSON);
    let id = nested.id("id").filter(|id| *id != 0);
    let email = nested.email("email");
    let name = nested.long_text("name");
    let person = match (id, email) {
        (Some(id), _) => match (state.customers.contains_key(&id), state.survivor(id)) {
            (true, _) => Some(Person::Known(id)),
            // A merged customer is the one they were merged into.
            (_, Some(survivor)) => Some(Person::Known(survivor)),
            _ => {
                nested.problem("id", "Customer not found.");
                None
            }
        },
        (None, Some(email)) => Some(match state.customer_by_channel("email", &email) {
            Some(known) => Person::Known(known),
            None => Person::New { email, name },
        }),
        (None, None) => None,
    };
    let problems = nested.problems();
    reader.nested(field, problems);
    person
}

fn read_user(state: &State, reader: &mut Reader<'_>, field: &str) -> Option<Id> {
    let value = reader.raw(field)?;
    let mut nested = Reader::new(value, &PERSON);
    let id = nested.id("id").filter(|id| *id != 0);
    let email = nested.email("email");
    let user = match (id, email) {
        (Some(id), _) => Some(id).filter(|id| state.users.contains_key(id)),
        (None, Some(email)) => state.users_by_email.get(&email.to_lowercase()).copied(),
        (None, None) => None,
    };
    if user.is_none() {
        nested.problem("id", "User not found.");
    }
    let problems = nested.problems();
    reader.nested(field, problems);
    user
}

fn read_address(value: &Value, is_email_channel: bool) -> Problems {
    let mut reader = Reader::new(value, &["address", "name"]);
    reader.long_text("name");
    if let Some(address) = reader.text("address", EMAIL_LENGTH)
        && is_email_channel
        && !is_email(&address)
    {
        reader.problem("address", "Not a valid email address.");
    }
    reader.problems()
}

/// The addresses of a message; a free object but for its keys.
fn read_source(state: &State, reader: &mut Reader<'_>) -> Value {
    let Some(value) = reader.raw("source") else {
        return Value::Null;
    };
    let mut nested = Reader::new(value, &["type", "from", "to", "cc", "bcc", "extra"]);
    let kind = nested.long_text("type");
    if let Some(kind) = &kind {
        let custom = &state.config.custom_channels;
        let known = CHANNELS.contains(&kind.as_str())
            || VIAS.contains(&kind.as_str())
            || custom.contains(kind);
        if !known {
            nested.problem("type", "Not a valid choice.");
        }
    }
    let is_email_channel = kind.as_deref() == Some("email");
    if let Some(from) = nested.raw("from") {
        let problems = read_address(from, is_email_channel);
        nested.nested("from", problems);
    }
    for list in ["to", "cc", "bcc"] {
        let mut problems = Problems::new();
        for (at, address) in nested.list(list).into_iter().flatten().enumerate() {
            let found = read_address(address, is_email_channel);
            if !found.is_empty() {
                problems.insert(at.to_string(), Value::Object(found));
            }
        }
        nested.nested(list, problems);
    }
    let problems = nested.problems();
    reader.nested("source", problems);
    value.clone()
}

fn read_attachments(state: &State, reader: &mut Reader<'_>) -> Vec<Attachment> {
    let mut problems = Problems::new();
    let mut files = Vec::new();
    for (at, value) in reader.list("attachments").into_iter().flatten().enumerate() {
        let keys = ["url", "name", "content_type", "size", "public", "extra"];
        let mut nested = Reader::new(value, &keys);
        for key in ["url", "name", "content_type"] {
            nested.required(key);
        }
        let url = nested.long_text("url").unwrap_or_default();
        let schemes = ["https://", "http://"];
        if !url.is_empty() && !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            nested.problem("url", "Not a valid URL.");
        }
        // §9: `size` is shown as a number and as text, so both come back.
        let size = match nested.raw("size") {
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_u64(),
            None => None,
        };
        if nested.raw("size").is_some() && size.is_none() {
            nested.problem("size", "Not a valid integer.");
        }
        let file = Attachment {
            name: nested.long_text("name").unwrap_or_default(),
            content_type: nested.long_text("content_type").unwrap_or_default(),
            size: size.or_else(|| super::files::by_url(state, &url).map(|file| file.size)),
            public: nested.flag("public").unwrap_or(true),
            extra: nested.object("extra"),
            url,
        };
        let found = nested.problems();
        if found.is_empty() {
            files.push(file);
        } else {
            problems.insert(at.to_string(), Value::Object(found));
        }
    }
    reader.nested("attachments", problems);
    files
}

/// HTML without its tags, as an excerpt needs it.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// A message with nothing in it.
pub(super) fn blank(state: &State) -> Message {
    Message {
        id: 0,
        ticket_id: 0,
        external_id: None,
        message_id: None,
        public: true,
        channel: String::new(),
        via: String::new(),
        source: Value::Null,
        sender_id: None,
        from_agent: false,
        receiver_id: None,
        integration_id: None,
        rule_id: None,
        subject: None,
        body_text: None,
        body_html: None,
        stripped_text: None,
        stripped_html: None,
        stripped_signature: None,
        headers: Value::Null,
        meta: Value::Null,
        attachments: Vec::new(),
        mention_ids: Vec::new(),
        created_at: state.now,
        created_given: false,
        sent_at: None,
        sent_given: false,
        failed_at: None,
        deleted_at: None,
        opened_at: None,
        last_sending_error: Value::Null,
        touched_at: state.now,
    }
}

/// Everything of a body but who wrote to whom.
fn content(state: &State, reader: &mut Reader<'_>, message: &mut Message) {
    let exact = state.config.switches.subseconds_kept;
    if let Some(channel) = channel(state, reader) {
        message.channel = channel;
    }
    if let Some(via) = via(reader) {
        message.via = via;
    }
    if let Some(from_agent) = reader.flag("from_agent") {
        message.from_agent = from_agent;
    }
    if let Some(public) = reader.flag("public") {
        message.public = public;
    }
    if message.is_note() {
        message.public = false;
        if reader.given("from_agent") && !message.from_agent {
            // §6: a note is always the company's.
            reader.problem("from_agent", "An internal note is from an agent.");
        }
    }
    for (key, longest, part) in [
        ("external_id", EXTERNAL_ID_LENGTH, &mut message.external_id),
        ("message_id", usize::MAX, &mut message.message_id),
        ("subject", SUBJECT_LENGTH, &mut message.subject),
        ("body_text", usize::MAX, &mut message.body_text),
        ("body_html", usize::MAX, &mut message.body_html),
        ("stripped_text", usize::MAX, &mut message.stripped_text),
        ("stripped_html", usize::MAX, &mut message.stripped_html),
        (
            "stripped_signature",
            usize::MAX,
            &mut message.stripped_signature,
        ),
    ] {
        if reader.given(key) {
            *part = reader.text(key, longest);
        }
    }
    for (key, part) in [
        ("failed_datetime", &mut message.failed_at),
        ("deleted_datetime", &mut message.deleted_at),
        ("opened_datetime", &mut message.opened_at),
        ("sent_datetime", &mut message.sent_at),
    ] {
        if reader.given(key) {
            *part = reader.time(key, exact);
        }
    }
    if reader.given("sent_datetime") {
        message.sent_given = message.sent_at.is_some();
    }
    if let Some(time) = reader.time("created_datetime", exact) {
        message.created_at = time;
        message.created_given = true;
    }
    for (key, part) in [
        ("headers", &mut message.headers),
        ("meta", &mut message.meta),
        ("last_sending_error", &mut message.last_sending_error),
    ] {
        if reader.given(key) {
            *part = reader.object(key);
        }
    }
    if reader.given("source") {
        message.source = read_source(state, reader);
    }
    if reader.given("attachments") {
        message.attachments = read_attachments(state, reader);
    }
    if let Some(id) = reader.id("integration_id") {
        message.integration_id = Some(id);
        if !state.integrations.contains_key(&id) {
            reader.problem("integration_id", "Integration not found.");
        }
    }
    reader.list("actions");
    reader.list("macros");
    if let Some(ids) = reader.ids("mention_ids") {
        if !ids.iter().all(|id| state.users.contains_key(id)) {
            reader.problem("mention_ids", "User not found.");
        }
        message.mention_ids = ids;
    }
}

/// Reads one message of a body. `customer` is the ticket's, where it is known.
pub(super) fn read(
    state: &State,
    caller: Id,
    customer: Option<&Person>,
    value: &Value,
) -> Result<Draft, Problems> {
    let mut reader = Reader::new(value, &KEYS);
    for key in ["channel", "from_agent", "via"] {
        reader.required(key);
    }
    let mut message = blank(state);
    content(state, &mut reader, &mut message);
    if message.stripped_text.is_none() {
        let html = message.body_html.as_deref().map(plain);
        message.stripped_text = message.body_text.clone().or(html);
    }
    let source = |pointer: &str| {
        let text = message.source.pointer(pointer)?.as_str()?;
        Some(text.to_owned())
    };
    let from = source("/from/address").filter(|address| is_email(address));
    let (mut sender, mut receiver) = (None, None);
    if message.from_agent {
        let by_address = || {
            let address = from.as_ref()?;
            state.users_by_email.get(&address.to_lowercase()).copied()
        };
        message.sender_id = if reader.raw("sender").is_some() {
            read_user(state, &mut reader, "sender")
        } else {
            by_address().or(Some(caller))
        };
        receiver = read_customer(state, &mut reader, "receiver");
        if receiver.is_none() && !message.is_note() {
            receiver = customer.cloned();
        }
    } else {
        // §6: a customer's message has no receiver.
        if reader.raw("receiver").is_some() && state.config.switches.incoming_receiver_refused {
            reader.problem("receiver", "A message of a customer has no receiver.");
        }
        let by_address = || {
            let email = from.clone()?;
            Some(match state.customer_by_channel("email", &email) {
                Some(known) => Person::Known(known),
                None => Person::New {
                    email,
                    name: source("/from/name"),
                },
            })
        };
        sender = read_customer(state, &mut reader, "sender");
        if sender.is_none() && reader.raw("sender").is_none() {
            sender = customer.cloned().or_else(by_address);
            if sender.is_none() {
                reader.required("sender");
            }
        }
    }
    let acts = ["actions", "macros"].into_iter().any(|key| {
        let list = reader.raw(key).and_then(Value::as_array);
        list.is_some_and(|list| !list.is_empty())
    });
    let problems = reader.problems();
    if problems.is_empty() {
        Ok(Draft {
            message,
            sender,
            receiver,
            acts,
        })
    } else {
        Err(problems)
    }
}

// ---- keeping

/// The customer somebody is, who may have to be made.
pub(super) fn settle(state: &mut State, person: &Person) -> Id {
    match person {
        Person::Known(id) => *id,
        Person::New { email, name } => match state.customer_by_channel("email", email) {
            Some(known) => known,
            None => by_product(state, Some(email), name.as_deref()),
        },
    }
}

/// Keeps a message in its ticket; what is not said to be sent is going to be.
pub(super) fn keep(state: &mut State, ticket: Id, draft: Draft) -> Id {
    let mut message = draft.message;
    message.id = state.next_id();
    message.ticket_id = ticket;
    if let Some(sender) = &draft.sender {
        message.sender_id = Some(settle(state, sender));
    }
    if let Some(receiver) = &draft.receiver {
        message.receiver_id = Some(settle(state, receiver));
    }
    for user in message.mention_ids.clone() {
        let to = state.users.get(&user).map(|user| user.email.clone());
        state.outbox.push(OutboxItem {
            at_ms: state.now.timestamp_millis(),
            kind: "mention".to_owned(),
            to: to.unwrap_or_default(),
            about: format!("ticket {ticket}"),
            reason: "mention_ids names the user.".to_owned(),
        });
    }
    if draft.acts {
        // §6: macros and actions of a message do what they say.
        rules::log(
            state,
            "macro",
            "Macros and actions of a message",
            ticket,
            "",
        );
    }
    // §6: an empty `sent_datetime` makes Gorgias send it.
    if message.from_agent && !message.is_note() && message.sent_at.is_none() {
        let at = state.now + state.config.switches.sending_time;
        state.schedule(at, Due::Send(message.id));
    }
    let id = message.id;
    state.put_message(message);
    id
}

/// A message is sent.
pub(super) fn send(state: &mut State, id: Id) {
    let now = state.now;
    let Some(message) = state.messages.get_mut(&id) else {
        return;
    };
    if message.sent_at.is_some() {
        return;
    }
    message.sent_at = Some(now);
    let message = message.clone();
    let to = recipients(state, &message);
    state.outbox.push(OutboxItem {
        at_ms: now.timestamp_millis(),
        kind: "message".to_owned(),
        to,
        about: format!("ticket {}, message {id}", message.ticket_id),
        reason: format!(
            "A message of the channel {} had no sent_datetime.",
            message.channel
        ),
    });
}

fn recipients(state: &State, message: &Message) -> String {
    let named = ["to", "cc", "bcc"].into_iter();
    let mut all: Vec<String> = named
        .filter_map(|list| message.source.get(list)?.as_array())
        .flatten()
        .filter_map(|address| Some(address.get("address")?.as_str()?.to_owned()))
        .collect();
    if all.is_empty() {
        let receiver = message.receiver_id.and_then(|id| state.customers.get(&id));
        all.extend(receiver.and_then(|customer| customer.email.clone()));
    }
    all.join(", ")
}

/// What a ticket says of its messages when one has come or gone.
pub(super) fn recount(state: &mut State, ticket: Id) {
    let last = state.thread(ticket).next_back().map(|m| m.created_at);
    let received = state.thread(ticket).rev().find(|m| !m.from_agent);
    let received = received.map(|m| m.created_at);
    state.edit_ticket(ticket, |ticket| {
        ticket.last_message_at = last;
        ticket.last_received_message_at = received;
    });
}

/// `POST /tickets/{id}/messages`.
fn post(call: &mut Call<'_>, ticket: Id) -> Outcome {
    call.only(&[&["action"]])?;
    let msg = "Failed to create ticket message";
    if let Some(action) = call.request.param("action")
        && !["force", "retry", "cancel"].contains(&action)
    {
        return Err(Failure::invalid(msg, "action", "Not a valid choice."));
    }
    let customer = call.state.ticket(ticket)?.customer_id.map(Person::Known);
    let caller = call.actor.user_id;
    let draft = read(call.state, caller, customer.as_ref(), &call.request.json);
    let draft = draft.map_err(|data| Failure::Invalid {
        msg: msg.to_owned(),
        data,
    })?;
    let id = add(call.state, ticket, draft, Some(caller));
    let message = call.state.messages.get(&id).ok_or(Failure::NotFound)?;
    Answer::created(render(call.state, message))
}

/// Adds a message to a ticket that is there; rules and services hear of it.
pub(super) fn add(state: &mut State, ticket: Id, draft: Draft, by: Option<Id>) -> Id {
    let is_customers = !draft.message.from_agent;
    let time = draft.message.created_at;
    let id = keep(state, ticket, draft);
    let reopens = is_customers && state.config.switches.customer_message_reopens;
    state.change_ticket(ticket, |ticket| {
        ticket.messages.push(id);
        ticket.last_message_at = ticket.last_message_at.max(Some(time));
        if is_customers {
            ticket.last_received_message_at = ticket.last_received_message_at.max(Some(time));
            ticket.is_unread = true;
        }
        // §6: a customer's message opens a closed ticket.
        if reopens && ticket.status == Status::Closed {
            ticket.status = Status::Open;
            ticket.closed_at = None;
            ticket.snooze_at = None;
        }
    });
    state.record("ticket-message-created", "TicketMessage", id, by);
    rules::happened(state, ticket, Happened::MessageCreated);
    id
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[&["action"]])?;
    let found = call.state.messages.get(&id).cloned();
    let mut message = found.ok_or(Failure::NotFound)?;
    let mut reader = Reader::new(&call.request.json, &KEYS);
    for key in ["channel", "from_agent", "via"] {
        reader.required(key);
    }
    let was_from_agent = message.from_agent;
    content(call.state, &mut reader, &mut message);
    if message.from_agent != was_from_agent {
        message.sender_id = None;
    }
    if reader.raw("sender").is_some() {
        message.sender_id = if message.from_agent {
            read_user(call.state, &mut reader, "sender")
        } else {
            read_customer(call.state, &mut reader, "sender")
                .map(|person| settle(call.state, &person))
        };
    }
    if message.from_agent && reader.raw("receiver").is_some() {
        let person = read_customer(call.state, &mut reader, "receiver");
        message.receiver_id = person.map(|person| settle(call.state, &person));
    }
    reader.finish("Failed to update ticket message")?;
    message.touched_at = call.state.now;
    let (ticket, by) = (message.ticket_id, call.actor.user_id);
    let answer = render(call.state, &message);
    call.state.put_message(message);
    recount(call.state, ticket);
    call.state
        .record("ticket-message-updated", "TicketMessage", id, Some(by));
    Answer::accepted(answer)
}

/// Deletes a message for good.
pub(super) fn remove(state: &mut State, id: Id) {
    let Some(message) = state.take_message(id) else {
        return;
    };
    let ticket = message.ticket_id;
    state.change_ticket(ticket, |ticket| {
        ticket.messages.retain(|other| *other != id)
    });
    recount(state, ticket);
    state.record("ticket-message-deleted", "TicketMessage", id, None);
}
