//! Notes, replies and what is forwarded (Freshdesk facts §12).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::body::{Reader, iso};
use super::call::{self, Call};
use super::model::{Conversation, Id, Ticket};
use super::state::State;
use super::switches::Policy;
use super::tickets::{self, Route};
use super::{files, html, rules, settings};

/// `source` of a reply.
const REPLY: i64 = 0;
/// `source` of a note.
pub(super) const NOTE: i64 = 2;
/// `source` of what was forwarded.
const FORWARDED: i64 = 8;
/// Addresses of one kind [INF].
const ADDRESSES: usize = 50;

/// A note or reply as answers show it.
pub(super) fn render(state: &State, base: &str, said: &Conversation) -> Value {
    json!({
        "id": said.id, "ticket_id": said.ticket_id, "user_id": said.user_id, "body": said.body,
        "body_text": html::text(&said.body), "private": said.private, "incoming": said.incoming,
        "source": said.source, "category": null, "support_email": said.from_email,
        "to_emails": said.to_emails, "cc_emails": said.cc_emails, "bcc_emails": said.bcc_emails,
        "from_email": said.from_email, "source_additional_info": null,
        "attachments": files::render_all(state, base, &said.attachments),
        "created_at": iso(said.created_at), "updated_at": iso(said.updated_at),
    })
}

fn blank(state: &mut State, ticket: Id, by: Id, source: i64) -> Conversation {
    let now = state.second();
    Conversation {
        id: state.next_id(),
        ticket_id: ticket,
        user_id: by,
        body: String::new(),
        private: false,
        incoming: false,
        source,
        to_emails: Vec::new(),
        cc_emails: Vec::new(),
        bcc_emails: Vec::new(),
        from_email: None,
        attachments: Vec::new(),
        import_id: None,
        created_at: now,
        time_given: false,
        updated_at: now,
    }
}

fn body(reader: &mut Reader<'_>, said: &mut Conversation) {
    match reader.text("body", usize::MAX) {
        Some(Some(body)) if !body.trim().is_empty() => said.body = html::kept(&body),
        Some(_) => reader.missing("body", "String"),
        None if !reader.given("body") => reader.missing("body", "String"),
        None => {}
    }
}

/// Stores what was said, and what that changes of the ticket.
fn add(state: &mut State, said: Conversation) {
    let ticket = said.ticket_id;
    let (private, incoming, at) = (said.private, said.incoming, said.created_at);
    let by_agent = state.agents.contains(&said.user_id);
    state.say(said);
    let now = state.second();
    state.edit_ticket(ticket, |ticket| {
        // §12: `updated_at` moves with every note.
        ticket.updated_at = now;
        ticket.touched_at = now;
        ticket.given.updated = false;
        if incoming {
            ticket.requester_responded_at = Some(at);
        } else if !private && by_agent {
            ticket.first_responded_at = ticket.first_responded_at.or(Some(at));
            ticket.agent_responded_at = Some(at);
        }
    });
}

pub(super) fn note(call: &mut Call<'_>) -> Outcome {
    note_by(call, Route::Public)
}

pub(super) fn note_by(call: &mut Call<'_>, route: Route) -> Outcome {
    let id = call.id(0)?;
    tickets::writable(call.state, id)?;
    let mut reader = call.reader()?;
    let names = [
        "body",
        "private",
        "incoming",
        "user_id",
        "notify_emails",
        "attachments",
    ];
    reader.only(&tickets::attributes(call.state, route, &names));
    let mut said = blank(call.state, id, call.actor.id, NOTE);
    body(&mut reader, &mut said);
    // §12: private unless said.
    said.private = reader.flag("private").unwrap_or(true);
    said.incoming = reader.flag("incoming").unwrap_or(false);
    if let Some(Some(user)) = reader.id("user_id") {
        match call.state.live(user) {
            None => {
                let message = "There is no user matching the given user_id";
                reader.wrong("user_id", "invalid_value", message);
            }
            Some(person) => {
                let hidden = said.private && !said.incoming && person.agent.is_none();
                if hidden && call.state.config.switches.contact_private_note == Policy::Refused {
                    let message = "A contact cannot be the author of a private note";
                    reader.wrong("user_id", "invalid_value", message);
                }
            }
        }
        said.user_id = user;
    }
    let notify = reader
        .emails("notify_emails", ADDRESSES)
        .unwrap_or_default();
    said.to_emails.clone_from(&notify);
    let given = tickets::imported(call.state, &mut reader, route, false, None);
    reader.finish()?;
    said.attachments = call::files(call.state, call.request, "attachments[]", 0)?;
    imported(&mut said, &given);
    tickets::use_import_id(call.state, given.import_id, false);
    let shown = render(call.state, &call.base, &said);
    let quiet = tickets::quiet(call.state, given.import_id);
    let kept = said.clone();
    add(call.state, said);
    rules::noted(call.state, &kept, &notify, quiet);
    Answer::created(shown)
}

fn imported(said: &mut Conversation, given: &tickets::Imported) {
    said.import_id = given.import_id;
    if let Some(at) = given.created_at {
        said.created_at = at;
        said.updated_at = at;
        said.time_given = true;
    }
    if let Some(at) = given.updated_at {
        said.updated_at = at;
    }
}

pub(super) fn reply(call: &mut Call<'_>) -> Outcome {
    reply_by(call, Route::Public)
}

pub(super) fn reply_by(call: &mut Call<'_>, route: Route) -> Outcome {
    let id = call.id(0)?;
    let ticket = tickets::writable(call.state, id)?.clone();
    let mut reader = call.reader()?;
    let names = [
        "body",
        "from_email",
        "user_id",
        "cc_emails",
        "bcc_emails",
        "attachments",
    ];
    reader.only(&tickets::attributes(call.state, route, &names));
    let mut said = blank(call.state, id, call.actor.id, REPLY);
    replying(call.state, &mut reader, &mut said, &ticket);
    let given = tickets::imported(call.state, &mut reader, route, false, None);
    reader.finish()?;
    said.attachments = call::files(call.state, call.request, "attachments[]", 0)?;
    imported(&mut said, &given);
    tickets::use_import_id(call.state, given.import_id, false);
    let shown = render(call.state, &call.base, &said);
    let quiet = tickets::quiet(call.state, given.import_id);
    send(call.state, said, quiet);
    Answer::created(shown)
}

/// Reads what makes a reply.
fn replying(state: &State, reader: &mut Reader<'_>, said: &mut Conversation, ticket: &Ticket) {
    body(reader, said);
    if let Some(Some(user)) = reader.id("user_id") {
        // §12: agents only.
        if state.agent(user).is_err() {
            let message = "There is no agent matching the given user_id";
            reader.wrong("user_id", "invalid_value", message);
        }
        said.user_id = user;
    }
    let mailbox = settings::support_address(&state.config.domain);
    if let Some(Some(from)) = reader.email("from_email")
        && from != mailbox
    {
        let message = "It should be one of the mailboxes of the account";
        reader.wrong("from_email", "invalid_value", message);
    }
    said.from_email = Some(mailbox);
    said.cc_emails = reader.emails("cc_emails", ADDRESSES).unwrap_or_default();
    said.bcc_emails = reader.emails("bcc_emails", ADDRESSES).unwrap_or_default();
    let requester = state.people.get(&ticket.requester_id);
    said.to_emails = requester
        .and_then(|p| p.email.clone())
        .into_iter()
        .collect();
}

/// §12: always delivered.
fn send(state: &mut State, said: Conversation, quiet: bool) {
    let kept = said.clone();
    add(state, said);
    rules::replied(state, &kept, quiet);
}

/// A reply of a bulk update.
pub(super) fn bulk_reply(
    state: &mut State,
    by: Id,
    id: Id,
    mut reader: Reader<'_>,
) -> Result<(), Failure> {
    let ticket = tickets::writable(state, id)?.clone();
    reader.only(&["body", "from_email", "user_id", "cc_emails", "bcc_emails"]);
    let mut said = blank(state, id, by, REPLY);
    replying(state, &mut reader, &mut said, &ticket);
    reader.finish()?;
    send(state, said, false);
    Ok(())
}

/// `forward` and `reply_to_forward`: mails.
pub(super) fn forward(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    tickets::writable(call.state, id)?;
    let mut reader = call.reader()?;
    reader.only(&[
        "body",
        "to_emails",
        "cc_emails",
        "bcc_emails",
        "from_email",
        "user_id",
        "include_quoted_text",
        "include_original_attachments",
        "attachments",
    ]);
    let mut said = blank(call.state, id, call.actor.id, FORWARDED);
    said.private = true;
    body(&mut reader, &mut said);
    if !reader.filled("to_emails") {
        reader.missing("to_emails", "Array");
    }
    said.to_emails = reader.emails("to_emails", ADDRESSES).unwrap_or_default();
    said.cc_emails = reader.emails("cc_emails", ADDRESSES).unwrap_or_default();
    said.bcc_emails = reader.emails("bcc_emails", ADDRESSES).unwrap_or_default();
    said.from_email = Some(settings::support_address(&call.state.config.domain));
    reader.finish()?;
    said.attachments = call::files(call.state, call.request, "attachments[]", 0)?;
    let shown = render(call.state, &call.base, &said);
    let to = said.to_emails.clone();
    call.state
        .edit_ticket(id, |ticket| ticket.fwd_emails.extend(to));
    send(call.state, said, false);
    Answer::created(shown)
}

/// `POST /tickets/outbound_email`: a ticket whose description is mailed to its requester.
pub(super) fn outbound_email(call: &mut Call<'_>) -> Outcome {
    let json = &call.request.json;
    for name in ["email", "subject", "description", "email_config_id"] {
        if json.get(name).is_none() {
            return Err(Failure::invalid(
                name,
                "missing_field",
                "It should be a/an String",
            ));
        }
    }
    let mut map = json.as_object().cloned().unwrap_or_default();
    for (name, value) in [("status", 5), ("priority", 1), ("source", 10)] {
        map.entry(name).or_insert_with(|| json!(value));
    }
    let code = call.state.config.switches.length_code;
    let reader = Reader::of(&map, call.request.form, code);
    let id = tickets::make(call.state, reader, |_| Ok(Vec::new()), Route::Public)?;
    let ticket = call.state.ticket(id)?.clone();
    let to = call.state.people.get(&ticket.requester_id);
    let to = to
        .and_then(|person| person.email.clone())
        .unwrap_or_default();
    let addressees = vec![to.clone()];
    call.state
        .edit_ticket(id, |ticket| ticket.to_emails = Some(addressees));
    rules::mail(call.state, &to, &format!("ticket {id}"), "outbound e-mail");
    let ticket = call.state.ticket(id)?;
    Answer::created(tickets::render(call.state, &call.base, ticket, &[], true))
}

fn page(call: &Call<'_>, ticket: Id) -> Outcome {
    call.query_only(&[])?;
    let state = &*call.state;
    call.page(state.thread(ticket).iter(), None, |said| {
        render(state, &call.base, said)
    })
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    call.state.ticket(id)?;
    page(call, id)
}

pub(super) fn list_archived(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    tickets::archived_ticket(call.state, id)?;
    page(call, id)
}

/// What was said, of a ticket that can be changed.
fn of(call: &Call<'_>) -> Result<Conversation, Failure> {
    let id = call.id(0)?;
    let ticket = *call.state.ticket_of.get(&id).ok_or(Failure::NotFound)?;
    tickets::writable(call.state, ticket)?;
    let mut thread = call.state.thread(ticket).iter();
    thread
        .find(|said| said.id == id)
        .cloned()
        .ok_or(Failure::NotFound)
}

/// `PUT /conversations/{id}`: notes only.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let mut said = of(call)?;
    if said.source != NOTE {
        return Err(Failure::denied());
    }
    let mut reader = call.reader()?;
    reader.only(&["body", "attachments"]);
    if reader.given("body") {
        body(&mut reader, &mut said);
    }
    reader.finish()?;
    let there: u64 = said.attachments.iter().map(|file| file.size).sum();
    let added = call::files(call.state, call.request, "attachments[]", there)?;
    said.attachments.extend(added);
    said.updated_at = call.state.second();
    let shown = render(call.state, &call.base, &said);
    remove(call.state, said.ticket_id, said.id);
    call.state.say(said);
    Answer::ok(shown)
}

fn remove(state: &mut State, ticket: Id, id: Id) {
    state.ticket_of.remove(&id);
    let Some(thread) = state.threads.get_mut(&ticket) else {
        return;
    };
    if let Some(at) = thread.iter().position(|said| said.id == id) {
        for file in thread.remove(at).attachments {
            state.files.remove(&file.id);
        }
    }
}

/// `DELETE /conversations/{id}`: everything but incoming replies.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let said = of(call)?;
    if said.source == REPLY && said.incoming {
        return Err(Failure::denied());
    }
    remove(call.state, said.ticket_id, said.id);
    let mut ticket = call.state.ticket(said.ticket_id)?.clone();
    call.state.touch(&mut ticket);
    let id = ticket.id;
    call.state.edit_ticket(id, |place| *place = ticket);
    Answer::bare(204)
}
