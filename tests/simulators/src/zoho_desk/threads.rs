//! Threads: read only, but for replies, which are mails, and drafts (Zoho Desk facts §7.7).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, bad_query, page};
use super::comments::{self, clean, person};
use super::files;
use super::model::{Author, Comment, Id, Module, Origin, Place, Thread, ThreadStatus};
use super::read::iso;
use super::rules::out;
use crate::common::html;

/// How much of a thread is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The content is cut (§7.7).
    Cut,
    /// All of it.
    Whole,
}

fn render(call: &Call<'_>, thread: &Thread, how: Shown) -> Value {
    let state = &*call.state;
    let most = state.config.switches.list_content_chars;
    let base = format!(
        "{}/tickets/{}/threads/{}",
        call.base, thread.ticket_id, thread.id
    );
    let cut = how == Shown::Cut && thread.content.chars().count() > most;
    let content: String = if cut {
        thread.content.chars().take(most).collect()
    } else {
        thread.content.clone()
    };
    let files: Vec<Value> = state
        .files(Place::Thread(thread.id))
        .map(|file| {
            json!({
                "id": file.id.to_string(), "name": file.name, "size": file.size.to_string(),
                "href": format!("{base}/attachments/{}/content", file.id),
            })
        })
        .collect();
    let responder = match &thread.author {
        Author::Agent(id) => json!(id.to_string()),
        _ => Value::Null,
    };
    let summary: String = html::text(&content).chars().take(200).collect();
    let mut shown = json!({
        "id": thread.id.to_string(), "channel": thread.channel,
        "direction": if thread.incoming { "in" } else { "out" },
        "visibility": if thread.private { "private" } else { "public" },
        "status": match thread.status {
            ThreadStatus::Success => "SUCCESS",
            ThreadStatus::Draft => "DRAFT",
        },
        "summary": summary, "content": content, "contentType": thread.content_type,
        "createdTime": iso(thread.created_at), "author": person(state, &thread.author),
        "to": thread.to, "cc": thread.cc, "bcc": thread.bcc, "fromEmailAddress": thread.from, "replyTo": null,
        "hasAttach": !files.is_empty(), "attachmentCount": files.len().to_string(), "attachments": files,
        "source": {"appName": null, "extId": null, "permalink": null, "type": "SYSTEM", "appPhotoURL": null},
        "isDescriptionThread": thread.description, "isForward": false, "canReply": true, "responderId": responder,
        "isContentTruncated": cut, "fullContentURL": cut.then(|| format!("{base}/fullContent")),
        "channelRelatedInfo": null, "impersonatedUser": null, "respondedIn": null, "actions": [], "readReceipts": [],
    });
    if call.wants("plainText")
        && let Some(shown) = shown.as_object_mut()
    {
        shown.insert("plainText".to_owned(), json!(html::text(&thread.content)));
    }
    shown
}

/// `GET tickets/{id}/threads`: newest first unless `sortBy=sendDateTime` (§4).
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED, &["sortBy", "include"]])?;
    let ticket = call.id(0)?;
    call.state.record(Module::Tickets, ticket)?;
    let paging = call.paging(100, 200)?;
    let show = |thread: &Thread| render(call, thread, Shown::Cut);
    let all = call.state.threads(ticket);
    match call.request.param("sortBy") {
        None | Some("-sendDateTime") => page(paging, all.rev(), show),
        Some("sendDateTime") => page(paging, all, show),
        Some(_) => Err(bad_query("sortBy")),
    }
}

fn find(call: &Call<'_>) -> Result<Thread, Failure> {
    let (ticket, id) = (call.id(0)?, call.id(1)?);
    call.state.record(Module::Tickets, ticket)?;
    let thread = call.state.threads.get(&id);
    let thread = thread.filter(|thread| thread.ticket_id == ticket);
    thread.cloned().ok_or_else(Failure::not_found)
}

/// `GET tickets/{id}/threads/{id}`.
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["include"]])?;
    let thread = find(call)?;
    Answer::ok(render(call, &thread, Shown::Whole))
}

/// `GET tickets/{id}/threads/{id}/fullContent` and `originalContent`.
pub(super) fn full(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let thread = find(call)?;
    Answer::ok(json!({"id": thread.id.to_string(), "content": thread.content}))
}

/// `GET tickets/{id}/latestThread`.
pub(super) fn latest(call: &mut Call<'_>) -> Outcome {
    call.only(&[&[
        "needPublic",
        "needIncomingThread",
        "threadStatus",
        "include",
    ]])?;
    let ticket = call.id(0)?;
    call.state.record(Module::Tickets, ticket)?;
    let public = call.flag_param("needPublic")?.unwrap_or_default();
    let incoming = call.flag_param("needIncomingThread")?.unwrap_or_default();
    let failed = call.request.param("threadStatus") == Some("failed");
    let mut all = call.state.threads(ticket).rev();
    let found = all.find(|thread| {
        (!public || !thread.private)
            && (!incoming || thread.incoming)
            && thread.status == ThreadStatus::Success
            && !failed
    });
    match found.cloned() {
        Some(thread) => Answer::ok(render(call, &thread, Shown::Whole)),
        None => Answer::bare(204),
    }
}

/// `GET tickets/{id}/conversations`: threads and comments, newest first.
pub(super) fn conversations(call: &mut Call<'_>) -> Outcome {
    enum One<'s> {
        Thread(&'s Thread),
        Comment(&'s Comment),
    }
    call.only(&[PAGED, &["include"]])?;
    let ticket = call.id(0)?;
    call.state.record(Module::Tickets, ticket)?;
    let paging = call.paging(100, 200)?;
    let threads = call.state.threads(ticket);
    let comments = call.state.comments(ticket);
    let mut all: Vec<((i64, Id), One<'_>)> = threads
        .map(|one| {
            (
                (one.created_at.timestamp_millis(), one.id),
                One::Thread(one),
            )
        })
        .chain(comments.map(|one| {
            (
                (one.commented_at.timestamp_millis(), one.id),
                One::Comment(one),
            )
        }))
        .collect();
    all.sort_by_key(|(key, _)| std::cmp::Reverse(*key));
    page(paging, all.into_iter(), |(_, one)| {
        let (kind, mut shown) = match one {
            One::Thread(thread) => ("thread", render(call, thread, Shown::Cut)),
            One::Comment(comment) => ("comment", comments::render(call, comment)),
        };
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("type".to_owned(), json!(kind));
        }
        shown
    })
}

const REPLY: &[&str] = &[
    "channel",
    "content",
    "contentType",
    "fromEmailAddress",
    "to",
    "cc",
    "bcc",
    "isForward",
    "attachmentIds",
    "ticketStatus",
];

/// Reads a reply and makes a thread of it that is not stored yet.
fn reply(
    call: &mut Call<'_>,
    ticket: Id,
    status: ThreadStatus,
) -> Result<(Thread, Vec<Id>), Failure> {
    let state = &*call.state;
    let record = state.live(Module::Tickets, ticket)?;
    let contact = super::rules::contact_address(state, record);
    let mut reader = call.reader(REPLY)?;
    reader.required("channel");
    reader.required("content");
    let channel = reader.choice("channel", &["EMAIL", "FACEBOOK", "TWITTER", "FORUMS"]);
    let content = reader.text("content", 16_000_000).unwrap_or_default();
    let kind = reader.choice("contentType", &["html", "plainText"]);
    let from = reader.text("fromEmailAddress", 300);
    // A reply leaves from a support address of the portal only.
    let support = format!("support@{}", state.config.preexisting.agent_domain);
    if channel.as_deref() == Some("EMAIL") && from.as_deref() != Some(support.as_str()) {
        reader.invalid("fromEmailAddress", "This is no support address.");
    }
    let to = reader.text("to", 13_000).or(Some(contact));
    let (cc, bcc) = (reader.text("cc", 13_000), reader.text("bcc", 13_000));
    reader.flag("isForward");
    let uploads = reader.ids("attachmentIds", 100).unwrap_or_default();
    if uploads.iter().any(|id| !files::is_unused(state, *id)) {
        reader.invalid(
            "attachmentIds",
            "There is no such upload, or it is used already.",
        );
    }
    reader.finish(call.strict())?;
    let html = kind.as_deref() != Some("plainText");
    let content = if html {
        clean(call.state, &content)
    } else {
        content
    };
    let thread = Thread {
        id: call.state.next_id(),
        ticket_id: ticket,
        channel: channel.unwrap_or_default(),
        incoming: false,
        private: false,
        content,
        content_type: if html { "text/html" } else { "text/plain" }.to_owned(),
        from,
        to,
        cc,
        bcc,
        created_at: call.state.now,
        given: false,
        author: Author::Agent(call.agent),
        description: false,
        status,
        attachments: uploads.clone(),
        origin: Origin::Request,
    };
    Ok((thread, uploads))
}

/// `POST tickets/{id}/sendReply`: **sends a mail** (§7.7, §14).
pub(super) fn send(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["isPrivate", "sendImmediately"]])?;
    let ticket = call.id(0)?;
    let private = call.flag_param("isPrivate")?.unwrap_or_default();
    let (mut thread, uploads) = reply(call, ticket, ThreadStatus::Success)?;
    thread.private = private;
    if let Some(agent) = call.request.header("impersonateduserid") {
        let agent = agent.parse().map_err(|_| bad_query("impersonatedUserId"))?;
        thread.author = Author::Agent(agent);
    }
    let to = thread.to.clone().unwrap_or_default();
    call.state.put_thread(thread.clone());
    for upload in uploads {
        files::attach(call.state, upload, Place::Thread(thread.id), true);
    }
    call.state.change_record(ticket, call.agent, |_| ());
    out(
        call.state,
        "reply",
        &to,
        &format!("ticket {ticket}"),
        "A reply is sent.",
    );
    Answer::ok(render(call, &thread, Shown::Whole))
}

/// `POST tickets/{id}/draftReply`.
pub(super) fn draft(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let ticket = call.id(0)?;
    let (thread, uploads) = reply(call, ticket, ThreadStatus::Draft)?;
    call.state.put_thread(thread.clone());
    for upload in uploads {
        files::attach(call.state, upload, Place::Thread(thread.id), false);
    }
    Answer::ok(render(call, &thread, Shown::Whole))
}

/// `PATCH tickets/{id}/draftReply/{id}`.
pub(super) fn edit_draft(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let old = find(call)?;
    if old.status != ThreadStatus::Draft {
        return Err(Failure::unprocessable("The thread is no draft."));
    }
    let (mut thread, uploads) = reply(call, old.ticket_id, ThreadStatus::Draft)?;
    thread.id = old.id;
    thread.created_at = old.created_at;
    call.state.put_thread(thread.clone());
    for upload in uploads {
        files::attach(call.state, upload, Place::Thread(thread.id), false);
    }
    Answer::ok(render(call, &thread, Shown::Whole))
}

/// `DELETE tickets/{id}/draftReply/{id}`: only a draft can be deleted (§12).
pub(super) fn delete_draft(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let thread = find(call)?;
    if thread.status != ThreadStatus::Draft {
        return Err(Failure::unprocessable("The thread is no draft."));
    }
    call.state.take_thread(thread.id);
    Answer::bare(200)
}

/// `GET tickets/{id}/{tasks|calls|events}`.
pub(super) fn activities(call: &mut Call<'_>, module: Module) -> Outcome {
    let ticket = call.id(0)?;
    call.state.record(Module::Tickets, ticket)?;
    super::records::list_children(call, module, "ticketId", ticket, &[])
}
