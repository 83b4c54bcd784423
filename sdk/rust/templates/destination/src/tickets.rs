//! Conversations, as tickets: head and messages in one request.

use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{Candidate, Item, MatchKey, Part, SlotValue, Thread};
use transload_sdk::effects::{self, status_of};
use transload_sdk::http::{Made, create};
use transload_sdk::ledger::{Action, Effect, Outcome, RefusedEntry, Status};
use transload_sdk::text::html_to_search_text;
use transload_sdk::thread::{self, with_lead, without_lead};
use transload_sdk::types::{
    Author, Conversation, ConversationStatus, Entity, Entry, Error, Fidelity, Kind, Loss, Message,
    Reference, Text, Visibility,
};
use transload_sdk::words::{self, Words};
use transload_sdk::{Result, time};

use crate::api::{Api, Said, Ticket, refusal};
use crate::describe::SETTLE_MS;
use crate::people::{Seen, add_run, of_this_run};

/// What a ticket's effect says it is.
pub const KIND: &str = "ticket";

/// Ours, by marker.
pub async fn candidates(api: &Api<'_>, item: &Item) -> Result<Vec<Candidate>> {
    let found = api.ticket_by_ref(&item.marker).await?.into_iter();
    let candidate = |ticket: Ticket| Candidate {
        target_id: ticket.id,
        by: MatchKey::Marker,
        before: "{}".into(),
        doubtful: None,
    };
    Ok(found.map(candidate).collect())
}

/// Writes a conversation.
pub async fn write(api: &Api<'_>, item: &Item) -> Result<()> {
    if let Some(there) = item.certain() {
        let effect = effects::effect("main", KIND, &there.target_id, Action::Matched);
        effects::report(api.cx, item, Status::Matched, vec![effect], Vec::new());
        return Ok(());
    }
    let (ticket, losses, refused) = draft(api, item)?;
    let request = api.cx.http().post("/tickets").json(&ticket);
    let made = create(api.cx, request.key(&item.key, "main", "create"))
        .in_doubt_since(item.in_doubt_since)
        .or_find(async || api.ticket_by_ref(&item.marker).await, SETTLE_MS)
        .await?;
    let (ticket, proof, key) = match made {
        Made::Created { reply, proof, key } => (reply.json::<Ticket>()?, proof, key),
        Made::Found { object, proof, key } => {
            let proof = proof.or_else(|| of_this_run(api.cx, &object.notes));
            (object, proof, key)
        }
        Made::Refused(reply) => {
            effects::reject(api.cx, item, refusal(&reply)?);
            return Ok(());
        }
        Made::Unsettled(why) => {
            effects::report(api.cx, item, Status::Unsettled(why), Vec::new(), Vec::new());
            return Ok(());
        }
    };
    let action = match proof {
        Some(_) => Action::Created,
        None => Action::Matched,
    };
    let effect = Effect {
        proof,
        key,
        fingerprint: Some(effects::print(&facets(&ticket))),
        ..effects::effect("main", KIND, &ticket.id, action)
    };
    api.cx.report(Outcome {
        item: item.key.clone(),
        status: status_of(action),
        effects: vec![effect],
        losses,
        refused,
    });
    Ok(())
}

/// All that we write of a ticket. A message that somebody added is a change.
pub fn facets(ticket: &Ticket) -> Vec<(String, String)> {
    let said = |said: &Said| format!("{}|{}|{}|{}", said.by, said.at, said.private, said.text);
    let messages: Vec<String> = ticket.messages.iter().map(said).collect();
    vec![
        ("subject".into(), ticket.subject.clone()),
        ("person".into(), ticket.person.clone().unwrap_or_default()),
        ("state".into(), ticket.state.clone()),
        ("notes".into(), ticket.notes.clone()),
        ("messages".into(), messages.join("\n")),
    ]
}

/// What a thread becomes: the ticket, what does not travel as it was, and which entries do not arrive.
fn draft(api: &Api<'_>, item: &Item) -> Result<(Ticket, Vec<Loss>, Vec<RefusedEntry>)> {
    let cx = api.cx;
    let whole = item.thread()?;
    let entry = &whole.conversation;
    let Entity::Conversation(conversation) = &entry.data else {
        return Err(Error::Bug("a conversation that is none".into()));
    };
    let (mut losses, mut refused) = (Vec::new(), Vec::new());
    let mut card = Facts::new(Words::new([], cx.time_zone()));
    card::conversation(entry, conversation, &mut card);
    card.references("tags", &conversation.tags);
    for field in &entry.head.fields {
        card.field(field);
    }
    add_run(cx, &mut card);
    let opened = entry.head.created_at.or_else(|| thread::first_time(&whole));
    let opened = opened.unwrap_or_else(|| cx.now());
    let mut messages = Vec::new();
    for part in &whole.parts {
        messages.push(said(api, item, part, opened, &mut losses, &mut refused)?);
    }
    let person = conversation
        .customer
        .as_ref()
        .and_then(|customer| customer.target.clone());
    if person.is_none() && conversation.customer.is_some() {
        losses.push(loss(
            "conversation.customer",
            Fidelity::Lost,
            "not migrated",
        ));
    }
    let state = match &conversation.status {
        ConversationStatus::Closed => "done",
        _ => "open",
    };
    let ticket = Ticket {
        id: String::new(),
        reference: Some(item.marker.clone()),
        subject: conversation.subject.clone().unwrap_or_default(),
        person,
        state: item.value("status").unwrap_or(state).to_owned(),
        opened_at: stamp(opened)?,
        notes: card.render(cx.platform(), item, entry, &losses)?,
        messages,
    };
    Ok((ticket, losses, refused))
}

/// A message. Files have no place here, so the host exports them, and the message names them in a line above its text.
fn said(
    api: &Api<'_>,
    item: &Item,
    part: &Part,
    opened: i64,
    losses: &mut Vec<Loss>,
    refused: &mut Vec<RefusedEntry>,
) -> Result<Said> {
    let head = &part.message.head;
    let Entity::Message(message) = &part.message.data else {
        return Err(Error::Bug("a message that is none".into()));
    };
    let blobs = api.cx.blobs();
    let text = match (&message.text, &message.html) {
        (Some(text), _) => blobs.read_text(text)?,
        (None, Some(html)) => {
            losses.push(loss("message.html", Fidelity::Converted, "as text"));
            html_to_search_text(&blobs.read_text(html)?)
        }
        (None, None) => String::new(),
    };
    let mut facts = Vec::new();
    for file in &part.attachments {
        let Entity::Attachment(attachment) = &file.data else {
            continue;
        };
        facts.push(format!("file {} is not here", attachment.name));
        refused.extend(item.refused(&file.head, "the platform has no files"));
    }
    Ok(Said {
        by: words::author(&message.author),
        at: stamp(message.sent_at.or(head.created_at).unwrap_or(opened))?,
        private: message.visibility != Visibility::Public,
        text: with_lead(thread::lead(&facts).as_deref(), &text),
    })
}

fn stamp(at: i64) -> Result<String> {
    time::format_utc(at).ok_or_else(|| Error::Bug("a time beyond the calendar".into()))
}

fn when(text: &str) -> Option<i64> {
    time::parse_lossy(text).map(|(moment, _)| moment.at)
}

/// What became of a ticket.
pub async fn read_back(api: &Api<'_>, effect: &Effect) -> Result<Option<Seen>> {
    let Some(ticket) = api.ticket(&effect.target_id).await? else {
        return Ok(None);
    };
    let fingerprint = effects::print(&facets(&ticket));
    let values = vec![SlotValue {
        slot: "status".into(),
        value: ticket.state.clone(),
    }];
    let person = ticket.person.as_deref();
    let conversation = Conversation {
        subject: Some(ticket.subject.clone()),
        status: match ticket.state.as_str() {
            "done" => ConversationStatus::Closed,
            _ => ConversationStatus::Open,
        },
        customer: person.map(|id| Reference::new(Kind::Customer, "").at(id)),
        ..Conversation::empty()
    };
    let mut entry = Entry::new(
        Kind::Conversation,
        &ticket.id,
        Entity::Conversation(conversation),
    );
    entry.head.created_at = when(&ticket.opened_at);
    let part = |(n, said): (usize, &Said)| {
        // A line of ours above the text is not part of it.
        let (_, text) = without_lead(&said.text);
        let message = Message {
            author: Author::Name(said.by.clone()),
            visibility: match said.private {
                true => Visibility::Internal,
                false => Visibility::Public,
            },
            text: Some(Text::Inline(text.to_owned())),
            sent_at: when(&said.at),
            ..Message::empty()
        };
        Part {
            message: Entry::new(
                Kind::Message,
                format!("{}/{n}", ticket.id),
                Entity::Message(message),
            ),
            attachments: Vec::new(),
        }
    };
    let thread = Thread {
        conversation: entry,
        parts: ticket.messages.iter().enumerate().map(part).collect(),
    };
    Ok(Some(Seen {
        body: thread.into(),
        values,
        fingerprint,
    }))
}
