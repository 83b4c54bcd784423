//! Tickets as the threads that they were.

use std::collections::BTreeMap;

use transload_sdk::destination::{Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::types::{
    Attachment, Author, Conversation, ConversationStatus, Direction, Entity, Entry, Error, Head,
    Kind, Message, Reference, Text, Visibility,
};

use super::fields;
use crate::client::Desk;
use crate::map::{Owner, parse_iso};
use crate::own;
use crate::text;
use crate::thread::{Line, NO_SUBJECT, facets, joined, status_type, talk_facet};
use crate::ticket::{self, Spoken, Ticket};

/// A ticket with what is said in it.
///
/// # Errors
/// What ends the unit.
pub async fn ticket(desk: &Desk, one: &Written) -> Result<Observed, Error> {
    let id = one.target();
    let Some(ticket) = ticket::ticket(desk, id).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let said = said(desk, id).await?;
    let files = ticket::attachments(desk, id).await?;
    let tags = ticket::tags(desk, id).await?;

    let mut now = facets(&ticket.values, &desk.state);
    now.extend(talk(&said));
    let ids: Vec<String> = files.iter().map(|file| file.id.clone()).collect();
    now.push(("files".to_owned(), joined(&ids)));

    let slot = |name: &str| SlotValue {
        slot: name.to_owned(),
        value: ticket.text(name),
    };
    let slots = ["status", "priority", "channel"].map(slot).into_iter();
    let slots = slots.filter(|slot| !slot.value.is_empty()).collect();
    let mut talk = Talk {
        cx: desk,
        files: files
            .into_iter()
            .map(|file| (file.name.clone(), file))
            .fold(
                BTreeMap::new(),
                |mut all: BTreeMap<String, Vec<ticket::Attachment>>, (name, file)| {
                    all.entry(name).or_default().insert(0, file);
                    all
                },
            ),
        parts: Vec::new(),
    };
    let mut order: Vec<&Spoken> = said.iter().collect();
    order.sort_by_key(|spoken| moment(spoken));
    for spoken in order {
        talk.add(spoken);
    }
    let thread = Thread {
        conversation: conversation(desk, &ticket, tags.into_iter().collect()),
        parts: talk.parts,
    };
    Ok(Observed {
        values: slots,
        ..one.there(thread, &now)
    })
}

/// What is said in a ticket, whole.
async fn said(desk: &Desk, id: &str) -> Result<Vec<Spoken>, Error> {
    let mut whole = Vec::new();
    for spoken in ticket::spoken(desk, id).await? {
        whole.push(match spoken {
            Spoken::Thread(thread) => {
                let read = ticket::thread(desk, id, &thread.id).await?;
                Spoken::Thread(read.unwrap_or(thread))
            }
            comment => comment,
        });
    }
    Ok(whole)
}

/// The facets of what is said.
pub fn talk(said: &[Spoken]) -> Vec<(String, String)> {
    let (mut threads, mut comments) = (Vec::new(), Vec::new());
    for spoken in said {
        match spoken {
            Spoken::Thread(thread) => threads.push(thread.id.clone()),
            Spoken::Comment(comment) => {
                let (id, content) = (comment.id.clone(), comment.content.clone());
                comments.push((id, comment.is_public, content));
            }
        }
    }
    talk_facet(&threads, &comments)
}

/// When it was said, and what was made first.
fn moment(spoken: &Spoken) -> (Option<i64>, usize, String) {
    let (time, id) = match spoken {
        Spoken::Thread(thread) => (&thread.created_time, &thread.id),
        Spoken::Comment(comment) => (&comment.commented_time, &comment.id),
    };
    (time.as_deref().and_then(parse_iso), id.len(), id.clone())
}

fn conversation(desk: &Desk, ticket: &Ticket, tags: Vec<String>) -> Entry {
    let mut head = Head::new(Kind::Conversation, ticket.id());
    let time = |name: &str| parse_iso(&ticket.text(name));
    let own_time = |key: &str| ticket.own(desk, key).as_deref().and_then(parse_iso);
    head.external_id = ticket.own(desk, own::MARKER);
    head.url = ticket.own(desk, own::URL);
    head.created_at = own_time(own::CREATED).or_else(|| time("createdTime"));
    head.updated_at = own_time(own::UPDATED).or_else(|| time("modifiedTime"));
    let custom = ticket.values.get("cf").and_then(|cf| cf.as_object());
    head.fields = custom
        .map(|custom| fields(desk, Owner::Ticket, custom))
        .unwrap_or_default();
    let some = |kind: Kind, name: &str| -> Vec<Reference> {
        let id = ticket.text(name);
        let found = (!id.is_empty()).then(|| Reference::to(kind, &id));
        found.into_iter().collect()
    };
    let status = ticket.text("status");
    let subject = Some(ticket.text("subject"));
    let data = Conversation {
        customer: some(Kind::Customer, "contactId").pop(),
        subject: subject.filter(|subject| subject != NO_SUBJECT),
        status: match status_type(&desk.state, &status) {
            "Open" => ConversationStatus::Open,
            "On Hold" => ConversationStatus::Snoozed,
            "Closed" => ConversationStatus::Closed,
            other => ConversationStatus::Other(other.to_owned()),
        },
        assignees: some(Kind::Agent, "assigneeId"),
        teams: some(Kind::Team, "teamId"),
        brand: some(Kind::Brand, "departmentId").pop(),
        closed_at: own_time(own::CLOSED).or_else(|| time("closedTime")),
        tags: tags
            .iter()
            .map(|tag| Reference::to(Kind::Tag, tag).called(tag.as_str()))
            .collect(),
        ..Conversation::empty()
    };
    Entry {
        head,
        data: Entity::Conversation(data),
    }
}

struct Talk<'a> {
    cx: &'a Desk,
    /// Files of the ticket that no message has taken yet, by name, the last one first.
    files: BTreeMap<String, Vec<ticket::Attachment>>,
    parts: Vec<Part>,
}

impl Talk<'_> {
    fn add(&mut self, spoken: &Spoken) {
        let (id, content, at) = match spoken {
            Spoken::Thread(thread) => (&thread.id, &thread.content, &thread.created_time),
            Spoken::Comment(comment) => (&comment.id, &comment.content, &comment.commented_time),
        };
        let (facts, html) = text::opened(content);
        let facts = facts.map(text::text_of);
        let line = Line::read(facts.as_deref());
        if line.own {
            return;
        }
        let plain = match spoken {
            Spoken::Comment(comment) if comment.content_type == "plainText" => html.to_owned(),
            _ => text::text_of(html),
        };
        if line.further
            && let Some(part) = self.parts.last_mut()
            && let Entity::Message(message) = &mut part.message.data
            && let Some(Text::Inline(whole)) = &mut message.text
        {
            whole.push_str(&plain);
            message.html = None;
            return;
        }
        let shown = at.as_deref().and_then(parse_iso);
        let mut message = Message {
            text: Some(self.cx.cx.blobs().text(plain)),
            html: Some(self.cx.cx.blobs().text(html.to_owned())),
            sent_at: line.sent.or(shown),
            ..Message::empty()
        };
        match spoken {
            Spoken::Thread(thread) => {
                message.visibility = Visibility::Public;
                message.channel = Some("email".to_owned());
                message.direction = match thread.direction.as_str() {
                    "in" => Direction::Inbound,
                    _ => Direction::Outbound,
                };
                message.author = author(&thread.author);
                message.sender.clone_from(&thread.from_email_address);
                message.to = list(thread.to.as_deref());
                message.cc = list(thread.cc.as_deref());
                message.bcc = list(thread.bcc.as_deref());
            }
            Spoken::Comment(comment) => {
                message.visibility = if comment.is_public || line.public {
                    Visibility::Public
                } else {
                    Visibility::Internal
                };
                let by = ticket::Author {
                    id: comment.commenter_id.clone(),
                    ..comment.commenter.clone()
                };
                message.author = author(&by);
            }
        }
        if let Some(name) = facts.as_deref().and_then(written_by) {
            message.author = Author::Name(name.to_owned());
        }
        let files = line.files.iter().filter_map(|name| {
            let file = self.files.get_mut(name)?.pop()?;
            let size = file.size.parse().ok();
            let parent = Reference::new(Kind::Message, id.as_str());
            let data = Attachment {
                size,
                locator: Some(file.href).filter(|href| !href.is_empty()),
                ..Attachment::of(parent, file.name)
            };
            let data = Entity::Attachment(data);
            Some(Entry::new(Kind::Attachment, file.id, data))
        });
        let attachments = files.collect();
        let head = Head {
            created_at: shown,
            ..Head::new(Kind::Message, id.clone())
        };
        self.parts.push(Part {
            message: Entry {
                head,
                data: Entity::Message(message),
            },
            attachments,
        });
    }
}

/// Whom the line names as the author.
fn written_by(facts: &str) -> Option<&str> {
    facts
        .split("; ")
        .find_map(|fact| fact.strip_prefix("written by "))
}

fn author(author: &ticket::Author) -> Author {
    let kind = match author.kind.as_str() {
        "END_USER" => Kind::Customer,
        _ => Kind::Agent,
    };
    if author.id.is_empty() {
        let name = author.email.clone().unwrap_or_else(|| author.name.clone());
        return Author::Name(name);
    }
    Author::Person(Reference::to(kind, &author.id).called(author.name.as_str()))
}

fn list(addresses: Option<&str>) -> Vec<String> {
    let all = addresses.unwrap_or_default().split(',').map(str::trim);
    all.filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect()
}
