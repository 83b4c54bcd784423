//! Parts of conversations and tickets: reading a reply, keeping parts in order, showing them (Intercom facts §8.2, §8.4).

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Failure;
use super::call::Call;
use super::model::{Assignee, Attachment, Author, Id, Part, Seconds};
use super::state::State;
use super::switches::PartOrder;
use super::{admins, contacts, files, html};

/// Parts that an answer shows at most, the newest (§8.2).
pub(super) const SHOWN: usize = 500;

/// What a reply says (§8.2).
#[derive(Debug)]
pub(super) struct Reply {
    /// Author.
    pub author: Author,
    /// `comment`, `note` or `quick_reply`.
    pub kind: String,
    /// HTML.
    pub body: Option<String>,
    /// As it was sent.
    pub sent_body: Option<String>,
    /// When it was written, if that was said.
    pub created_at: Option<Seconds>,
    /// Files.
    pub attachments: Vec<Attachment>,
    /// Nobody is to be told.
    pub skip_notifications: bool,
}

const KEYS: [&str; 13] = [
    "message_type",
    "type",
    "body",
    "admin_id",
    "intercom_user_id",
    "user_id",
    "email",
    "created_at",
    "attachment_urls",
    "attachment_files",
    "skip_notifications",
    "reply_options",
    "cross_post",
];

/// A time of a body, which may not be in the future (§8.1 [?]).
pub(super) fn past(state: &State, time: Option<Seconds>) -> Result<Option<Seconds>, Failure> {
    if state.config.switches.future_refused && time.is_some_and(|time| time > state.now()) {
        return Err(Failure::field(
            "created_at",
            "created_at cannot be in the future",
        ));
    }
    Ok(time)
}

/// Reads the body of a reply to a conversation or ticket.
pub(super) fn read(call: &mut Call<'_>, of_ticket: bool) -> Result<Reply, Failure> {
    let reader = call.body(&KEYS)?;
    let kind = reader.needed("message_type")?;
    let by = reader.needed("type")?;
    let by_admin = match by.as_str() {
        "admin" => true,
        "user" => false,
        _ => return Err(Failure::field("type", "type must be admin or user")),
    };
    let known: &[&str] = if by_admin {
        &["comment", "note", "quick_reply"]
    } else {
        &["comment", "quick_reply"]
    };
    if !known.contains(&kind.as_str()) {
        let message = format!("message_type must be one of {}", known.join(", "));
        return Err(Failure::field("message_type", message));
    }
    let author = if by_admin {
        Author::Admin(call.needed_admin(reader)?)
    } else {
        Author::Contact(contacts::named(call, reader)?.ok_or_else(Failure::user)?)
    };
    let sent_body = reader.text("body")?.filter(|body| !body.is_empty());
    if kind == "quick_reply" {
        if reader.list("reply_options")?.is_none_or(Vec::is_empty) {
            return Err(Failure::missing("reply_options"));
        }
    } else if sent_body.is_none() {
        return Err(Failure::missing("body"));
    }
    let switches = &call.state.config.switches;
    let ends = switches.line_ends;
    let body = sent_body.as_ref().map(|body| {
        if by_admin || switches.contact_reply_html {
            html::from_markup(body, ends, switches.html_reduced)
        } else {
            html::from_plain(body, ends)
        }
    });
    let created_at = past(call.state, reader.time("created_at")?)?;
    let skip_notifications = reader.flag("skip_notifications")?.unwrap_or_default();
    reader.flag("cross_post")?;
    // §8.4: a contact's reply to a ticket takes addresses only.
    let with_files = by_admin || !of_ticket;
    let attachments = files::read(call.state, &call.base, reader, with_files)?;
    Ok(Reply {
        author,
        kind,
        body,
        sent_body,
        created_at,
        attachments,
        skip_notifications,
    })
}

/// A part that happens now.
pub(super) fn blank(state: &mut State, part_type: &str, author: Author) -> Part {
    let now = state.now();
    Part {
        id: state.next_id(),
        part_type: part_type.to_owned(),
        body: None,
        sent_body: None,
        created_at: now,
        created_given: false,
        updated_at: now,
        author,
        assigned_to: None,
        attachments: Vec::new(),
        redacted: false,
        by_app: true,
        notified: false,
        states: None,
        shown: None,
    }
}

/// The part of a reply.
pub(super) fn of_reply(state: &mut State, reply: Reply) -> Part {
    let mut part = blank(state, &reply.kind, reply.author);
    part.body = reply.body;
    part.sent_body = reply.sent_body;
    part.attachments = reply.attachments;
    if let Some(time) = reply.created_at {
        part.created_at = time;
        part.created_given = true;
    }
    part
}

/// Puts a part where it belongs (§8.2 [?]).
pub(super) fn insert(parts: &mut Vec<Part>, part: Part, order: PartOrder) {
    let at = match order {
        PartOrder::Made => parts.len(),
        PartOrder::Time => {
            let place = (part.created_at, part.id);
            parts.partition_point(|other| (other.created_at, other.id) <= place)
        }
    };
    parts.insert(at, part);
}

/// §8.2 [?]: whether one more part can be written.
pub(super) fn room(state: &State, count: usize) -> Result<(), Failure> {
    match state.config.switches.write_limit {
        Some(most) if count >= most => Err(Failure::invalid(format!(
            "A conversation can have at most {most} parts"
        ))),
        _ => Ok(()),
    }
}

fn assigned(assignee: Option<Assignee>) -> Value {
    match assignee {
        Some(Assignee::Admin(id)) => json!({"type": "admin", "id": id.to_string()}),
        Some(Assignee::Team(id)) => json!({"type": "team", "id": id.to_string()}),
        Some(Assignee::Nobody) => json!({"type": "nobody_admin", "id": null}),
        None => Value::Null,
    }
}

/// A part of a conversation as answers show it.
pub(super) fn render(state: &State, base: &str, part: &Part) -> Value {
    let files: Vec<Value> = part
        .attachments
        .iter()
        .map(|file| files::render(state, base, file))
        .collect();
    json!({
        "type": "conversation_part", "id": part.id.to_string(), "part_type": part.part_type, "body": part.body,
        "created_at": part.created_at, "updated_at": part.updated_at, "notified_at": part.created_at,
        "assigned_to": assigned(part.assigned_to), "author": admins::author(state, &part.author),
        "attachments": files, "external_id": null, "redacted": part.redacted, "metadata": {},
        "email_message_metadata": null, "app_package_code": part.by_app.then_some("transload-test"),
    })
}

/// A part of a ticket as answers show it.
pub(super) fn render_of_ticket(state: &State, base: &str, part: &Part) -> Value {
    let files: Vec<Value> = part
        .attachments
        .iter()
        .map(|file| files::render(state, base, file))
        .collect();
    let mut shown = json!({
        "type": "ticket_part", "id": part.id.to_string(), "part_type": part.part_type, "body": part.body,
        "created_at": part.created_at, "updated_at": part.updated_at,
        "author": admins::author(state, &part.author), "attachments": files, "redacted": part.redacted,
    });
    if let Some(map) = shown.as_object_mut() {
        if let Some((before, after)) = &part.states {
            map.insert("previous_ticket_state".to_owned(), json!(before));
            map.insert("ticket_state".to_owned(), json!(after));
        }
        if part.by_app {
            map.insert("app_package_code".to_owned(), json!("transload-test"));
        }
    }
    shown
}

/// The newest parts of a conversation as written JSON, without commas between. What was written before is not written again
/// unless somebody is called something else by now; addresses of files end, so parts with files are always written.
pub(super) fn written(state: &mut State, base: &str, conversation: Id) -> Vec<Arc<str>> {
    let Some(found) = state.conversations.get(&conversation) else {
        return Vec::new();
    };
    let from = found.parts.len().saturating_sub(SHOWN);
    let newest = found.parts.get(from..).unwrap_or_default();
    let mut fresh = Vec::new();
    let mut all = Vec::with_capacity(newest.len());
    for (at, part) in newest.iter().enumerate() {
        match &part.shown {
            Some((names, text)) if *names == state.names => all.push(Arc::clone(text)),
            _ => {
                let text: Arc<str> = render(state, base, part).to_string().into();
                if part.attachments.is_empty() {
                    fresh.push((from + at, Arc::clone(&text)));
                }
                all.push(text);
            }
        }
    }
    let names = state.names;
    if let Some(found) = state.conversations.get_mut(&conversation) {
        for (at, text) in fresh {
            if let Some(part) = found.parts.get_mut(at) {
                part.shown = Some((names, text));
            }
        }
    }
    all
}
