//! The inbox and custom channels (HubSpot facts §13). A message here is really sent; only custom channels take a time.

use chrono::Duration;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, required};
use super::model::{Id, Thread, ThreadMessage, TypeId};
use super::state::{Event, State, iso};
use super::values::moment;

/// How long the trash keeps threads.
const TRASH: Duration = Duration::days(30);
/// HubSpot's own channels.
const CHANNELS: [(u64, &str); 3] = [
    (1000, "Live chat"),
    (1001, "Facebook Messenger"),
    (1002, "Email"),
];
/// The one inbox.
const INBOX: &str = "1";

/// Answers a request about the inbox, given the path behind `conversations`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    let scope = if method == "GET" {
        "conversations.read"
    } else {
        "conversations.write"
    };
    call.scope(&[scope])?;
    match (method.as_str(), path) {
        ("GET", ["inboxes"]) => {
            let created = iso(call.state.now - Duration::days(3 * 365));
            let inbox = json!({"id": INBOX, "name": "Inbox", "type": "INBOX", "createdAt": created, "archived": false});
            Answer::ok(json!({"results": [inbox]}))
        }
        ("GET", ["channels"]) => {
            let own = CHANNELS
                .iter()
                .map(|(id, name)| json!({"id": id.to_string(), "name": name}));
            let custom = call
                .state
                .config
                .custom_channels
                .iter()
                .map(|id| json!({"id": id.to_string(), "name": "Custom"}));
            Answer::ok(json!({"results": own.chain(custom).collect::<Vec<_>>()}))
        }
        ("GET", ["actors", id]) => actor(call.state, id),
        ("GET", ["threads"]) => {
            let archived = call.request.flag("archived")?;
            let state = &*call.state;
            let all = |after: Option<Id>| {
                let from = after.map_or(0, |id| id + 1);
                let all = state
                    .threads
                    .range(from..)
                    .filter(|(_, t)| t.archived.is_some() == archived);
                all.map(|(id, thread)| (*id, thread)).collect()
            };
            call.page(100, 500, all, render)
        }
        ("GET", ["threads", id]) => Answer::ok(render(find(call, id)?)),
        ("GET", ["threads", id, "messages"]) => {
            let thread = find(call, id)?;
            let messages = thread.messages.iter().map(|m| render_message(thread, m));
            Answer::ok(json!({"results": messages.collect::<Vec<_>>()}))
        }
        ("POST", ["threads", id, "messages"]) => write(call, id),
        ("PATCH", ["threads", id]) => {
            let body = call.body(&["status", "archived"])?.clone();
            let id = find(call, id)?.id;
            let thread = call
                .state
                .threads
                .get_mut(&id)
                .ok_or_else(Failure::not_found)?;
            if let Some(status) = body.get("status").and_then(Value::as_str) {
                if !matches!(status, "OPEN" | "CLOSED") {
                    return Err(Failure::validation(format!(
                        "status {status} is not OPEN or CLOSED"
                    )));
                }
                thread.status = status.to_owned();
            }
            if body.get("archived").and_then(Value::as_bool) == Some(false) {
                thread.archived = None;
            }
            Answer::ok(render(thread))
        }
        ("DELETE", ["threads", id]) => {
            let (id, now) = (find(call, id)?.id, call.state.now);
            if let Some(thread) = call.state.threads.get_mut(&id) {
                thread.archived = Some(now);
            }
            call.state.schedule(TRASH, Event::PurgeThread(id));
            Ok(Answer::empty(204))
        }
        (_, ["inboxes" | "channels" | "threads"] | ["threads", _] | ["threads", _, "messages"]) => {
            Err(Failure::method())
        }
        _ => Err(Failure::no_route()),
    }
}

/// A thread; one in the trash only with `archived=true`.
fn find<'c>(call: &'c Call<'_>, id: &str) -> Result<&'c Thread, Failure> {
    let archived = call.request.flag("archived")?;
    let found = id
        .parse()
        .ok()
        .and_then(|id: Id| call.state.threads.get(&id));
    found
        .filter(|t| t.archived.is_some() == archived)
        .ok_or_else(Failure::not_found)
}

fn render(thread: &Thread) -> Value {
    let latest = thread.messages.last().map(|m| iso(m.at));
    json!({
        "id": thread.id.to_string(), "createdAt": iso(thread.created), "status": thread.status, "inboxId": INBOX,
        "originalChannelId": thread.channel.to_string(), "originalChannelAccountId": thread.channel_account,
        "associatedContactId": thread.contact.map(|id| id.to_string()), "latestMessageTimestamp": latest,
        "spam": false, "archived": thread.archived.is_some(),
    })
}

fn render_message(thread: &Thread, message: &ThreadMessage) -> Value {
    let files: Vec<Value> = message
        .files
        .iter()
        .map(|id| json!({"type": "FILE", "fileId": id}))
        .collect();
    json!({
        "id": message.id, "type": message.kind, "conversationsThreadId": thread.id.to_string(),
        "createdAt": iso(message.at), "createdBy": message.actor, "senders": [{"actorId": message.actor}],
        "recipients": [], "direction": message.direction, "text": message.text, "richText": message.rich_text,
        "channelId": thread.channel.to_string(), "channelAccountId": thread.channel_account, "attachments": files,
        "archived": false,
    })
}

fn actor(state: &State, id: &str) -> Outcome {
    let body = match id.split_once('-') {
        Some(("A", user)) => {
            let owner = state
                .owners
                .values()
                .find(|o| o.user_id.to_string() == user);
            owner.map(|o| json!({"id": id, "type": "AGENT", "name": format!("{} {}", o.name.0, o.name.1), "email": o.email}))
        }
        Some(("V", contact)) => {
            let contact = contact
                .parse()
                .ok()
                .and_then(|id| state.record(TypeId::CONTACT, id));
            contact.map(|c| json!({"id": id, "type": "VISITOR", "name": c.text("firstname"), "email": c.text("email")}))
        }
        Some(("E", email)) => Some(json!({"id": id, "type": "EMAIL", "email": email})),
        Some(("I", app)) => Some(json!({"id": id, "type": "INTEGRATION", "name": app})),
        Some(("S", "hubspot")) => Some(json!({"id": id, "type": "SYSTEM", "name": "HubSpot"})),
        _ => None,
    };
    Answer::ok(body.ok_or_else(Failure::not_found)?)
}

fn files_of(body: &Map<String, Value>) -> Vec<String> {
    let list = body
        .get("attachments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(|file| file.get("fileId")?.as_str())
        .map(str::to_owned)
        .collect()
}

fn write(call: &mut Call<'_>, id: &str) -> Outcome {
    let members = [
        "type",
        "text",
        "richText",
        "attachments",
        "senderActorId",
        "recipients",
        "channelId",
        "channelAccountId",
        "subject",
    ];
    let body = call.body(&members)?.clone();
    let thread = find(call, id)?;
    let (id, contact) = (thread.id, thread.contact);
    let kind = required(&body, "type")?.to_owned();
    let text = required(&body, "text")?.to_owned();
    let actor = match kind.as_str() {
        "COMMENT" => body
            .get("senderActorId")
            .and_then(Value::as_str)
            .unwrap_or("I-app")
            .to_owned(),
        "MESSAGE" => {
            required(&body, "channelId")?;
            required(&body, "channelAccountId")?;
            required(&body, "senderActorId")?.to_owned()
        }
        other => {
            return Err(Failure::validation(format!(
                "type {other} is not COMMENT or MESSAGE"
            )));
        }
    };
    let message = ThreadMessage {
        id: call.state.hex(32),
        kind: kind.clone(),
        direction: "OUTGOING".to_owned(),
        text,
        rich_text: body
            .get("richText")
            .and_then(Value::as_str)
            .map(str::to_owned),
        actor,
        files: files_of(&body),
        at: call.state.now,
        idempotency: None,
    };
    if kind == "MESSAGE" {
        deliver(call.state, id, contact);
    }
    let thread = call
        .state
        .threads
        .get_mut(&id)
        .ok_or_else(Failure::not_found)?;
    thread.messages.push(message.clone());
    Ok(Answer::json(201, render_message(thread, &message)))
}

/// §13: a message really leaves.
fn deliver(state: &mut State, thread: Id, contact: Option<Id>) {
    let address = contact
        .and_then(|id| state.record(TypeId::CONTACT, id))
        .map(|r| r.text("email").to_owned());
    state.mail(
        "message",
        &address.unwrap_or_default(),
        format!("thread {thread}"),
        "a message in a thread is sent",
    );
}

/// Answers a request about custom channels, given the path behind `custom-channels`.
pub(super) fn channels(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    call.scope(&["conversations.custom_channels.write"])?;
    let (channel, messages) = match path {
        [channel, rest @ ..] => (*channel, rest),
        [] => return Err(Failure::no_route()),
    };
    let known = call
        .state
        .config
        .custom_channels
        .iter()
        .find(|id| id.to_string() == channel);
    let channel = *known.ok_or_else(Failure::not_found)?;
    match (call.request.method.as_str(), messages) {
        ("POST", ["messages"]) => publish(call, channel),
        (_, ["messages"]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn publish(call: &mut Call<'_>, channel: u64) -> Outcome {
    let members = [
        "messageDirection",
        "timestamp",
        "senders",
        "recipients",
        "text",
        "richText",
        "attachments",
        "integrationThreadId",
        "integrationIdempotencyId",
        "associateWithContactId",
        "inReplyToId",
        "channelAccountId",
    ];
    let body = call.body(&members)?.clone();
    let state = &mut *call.state;
    let direction = required(&body, "messageDirection")?.to_owned();
    if !matches!(direction.as_str(), "INCOMING" | "OUTGOING") {
        return Err(Failure::validation(format!(
            "messageDirection {direction} is not INCOMING or OUTGOING"
        )));
    }
    let account = required(&body, "channelAccountId")?.to_owned();
    let text = required(&body, "text")?.to_owned();
    let at = match body.get("timestamp") {
        None => state.now,
        Some(given) => {
            let text = given
                .as_str()
                .map(str::to_owned)
                .or_else(|| given.as_i64().map(|ms| ms.to_string()));
            text.and_then(|text| moment(&text))
                .ok_or_else(|| Failure::validation(format!("timestamp {given} is no time")))?
        }
    };
    let key = body
        .get("integrationIdempotencyId")
        .and_then(Value::as_str)
        .map(str::to_owned);
    if let Some(known) = key
        .as_ref()
        .and_then(|key| state.messages_by_key.get(&(account.clone(), key.clone())))
    {
        // §13: the same key makes no second message.
        let thread = state.threads.get(&known.0).ok_or_else(Failure::not_found)?;
        let message = thread
            .messages
            .iter()
            .find(|m| m.id == known.1)
            .ok_or_else(Failure::not_found)?;
        return Ok(Answer::json(201, render_message(thread, message)));
    }
    let contact = body
        .get("associateWithContactId")
        .and_then(super::call::id_of);
    if let Some(contact) = contact
        && state.record(TypeId::CONTACT, contact).is_none()
    {
        return Err(Failure::validation(format!(
            "There is no contact {contact}"
        )));
    }
    let own = body
        .get("integrationThreadId")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let known = own.as_ref().and_then(|own| {
        state
            .threads_by_integration
            .get(&(channel, account.clone(), own.clone()))
    });
    let id = match known {
        Some(id) => *id,
        None => {
            let id = state.next_id();
            let thread = Thread {
                id,
                channel,
                channel_account: account.clone(),
                contact,
                status: "OPEN".to_owned(),
                integration_id: own.clone(),
                messages: vec![],
                created: state.now,
                archived: None,
            };
            state.threads.insert(id, thread);
            if let Some(own) = own {
                state
                    .threads_by_integration
                    .insert((channel, account.clone(), own), id);
            }
            id
        }
    };
    let senders = body
        .get("senders")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let sender = senders
        .filter_map(|s| s.get("deliveryIdentifier")?.get("value")?.as_str())
        .next();
    let message = ThreadMessage {
        id: state.hex(32),
        kind: "MESSAGE".to_owned(),
        direction: direction.clone(),
        text,
        rich_text: body
            .get("richText")
            .and_then(Value::as_str)
            .map(str::to_owned),
        actor: format!("E-{}", sender.unwrap_or("unknown")),
        files: files_of(&body),
        at,
        idempotency: key.clone(),
    };
    if direction == "OUTGOING" && state.config.switches.outgoing_is_delivered {
        deliver(state, id, contact);
    }
    if let Some(key) = key {
        state
            .messages_by_key
            .insert((account, key), (id, message.id.clone()));
    }
    let thread = state.threads.get_mut(&id).ok_or_else(Failure::not_found)?;
    thread.messages.push(message.clone());
    Ok(Answer::json(201, render_message(thread, &message)))
}

/// The trash lets go of a thread that is still in it.
pub(super) fn purge_if_due(state: &mut State, id: Id) {
    let due = |thread: &Thread| thread.archived.is_some_and(|at| at + TRASH <= state.now);
    if state.threads.get(&id).is_some_and(due) {
        state.threads.remove(&id);
        state
            .threads_by_integration
            .retain(|_, thread| *thread != id);
        state.messages_by_key.retain(|_, (thread, _)| *thread != id);
    }
}
