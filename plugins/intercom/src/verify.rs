//! Reading back what was written, in the contract's words, so that the host can compare it with the source.
//!
//! What the connector added by itself comes off again: the line above a text, the source card, what begins a conversation that no
//! customer began, notes that are records of custom objects; conversations that go on with one another are one thread again.

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::http::segment;
use transload_sdk::read_back::{Place, field, with_bytes};
use transload_sdk::thread::without_lead;
use transload_sdk::types::{
    Address, AddressChannel, Attachment, Author, Company, Conversation, ConversationStatus,
    CustomObject, Customer, Direction, Entity, Entry, Error, Field, Head, Kind, Message, Reference,
    Tag, Visibility,
};

use crate::api::{self, Instance};
use crate::client::{self, Looked};
use crate::map::{self, FieldTarget};
use crate::text::plain_of;
use crate::thread::{self, BEGINS, CARD, GOES_ON, MARKUP, MORE_FILES};
use crate::write::schema::{self, ID, OWN};
use crate::write::{companies, contacts, conversations, notes, objects};

/// Reads back. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let mut observed = Vec::with_capacity(written.len());
    for one in &written {
        observed.push(match one.main().map(|effect| effect.target_kind.as_str()) {
            Some("conversation") => conversation(cx, one).await?,
            Some("contact") => contact(cx, one).await?,
            Some("company") => company(cx, one).await?,
            Some("tag") => tag(cx, one).await?,
            Some("data_attribute" | "conversation_attribute") => attribute(cx, one).await?,
            Some("contact_note") => note(cx, one).await?,
            Some("conversation_part") => record_note(cx, one).await?,
            Some("instance") => instance(cx, one).await?,
            _ => one.found(Presence::Present, None),
        });
    }
    with_bytes(cx, &mut observed, bytes_of).await?;
    Ok(observed)
}

/// The bytes of a file are behind its signed address, on a host of Intercom's that the user allows or does not (Intercom facts §8).
fn bytes_of(entry: &Entry) -> Option<Place> {
    Place::signed(entry)
}

/// Values of the source's attributes; ours are left out.
fn fields(values: &Map<String, Value>) -> Vec<Field> {
    let is_own = |name: &str| OWN.iter().any(|(_, own)| *own == name);
    let field = |(name, value): (&String, &Value)| Field {
        target: Some(segment(name)),
        ..field(name, value)
    };
    let kept = values
        .iter()
        .filter(|(name, value)| !is_own(name) && !value.is_null());
    kept.map(field).collect()
}

fn ms(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000)
}

// ---- threads

async fn conversation(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let mut all = Vec::new();
    for effect in &one.effects {
        if effect.target_kind == "conversation" {
            all.push(conversations::whole(cx, &effect.target_id).await?);
        }
    }
    let all: Option<Vec<api::Conversation>> = all.into_iter().collect();
    let Some(all) = all.filter(|all| !all.is_empty()) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let first = all.iter().find(|c| c.id == one.target());
    let (Some(first), Some(last)) = (first, all.last()) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let facets = thread::facets(first);
    let values = vec![SlotValue {
        slot: "status".to_owned(),
        value: last.state.clone(),
    }];
    let thread = as_thread(cx, first, last, &all);
    Ok(Observed {
        values,
        ..one.there(thread, &facets)
    })
}

fn as_thread(
    cx: &Context,
    first: &api::Conversation,
    last: &api::Conversation,
    all: &[api::Conversation],
) -> Thread {
    let mut head = Head::new(Kind::Conversation, first.id.clone());
    head.external_id = first.text_of(ID).map(str::to_owned);
    head.created_at = Some(ms(first.created_at));
    head.fields = fields(&first.custom_attributes);
    let who = |kind: Kind, id: &str| -> Vec<Reference> {
        let found = (!id.is_empty()).then(|| Reference::to(kind, id));
        found.into_iter().collect()
    };
    let tags = first.tags.tags.iter();
    let data = Conversation {
        customer: Some(Reference::to(Kind::Customer, &first.source.author.id)),
        subject: first.title.clone(),
        status: match last.state.as_str() {
            "open" => ConversationStatus::Open,
            "closed" => ConversationStatus::Closed,
            "snoozed" => ConversationStatus::Snoozed,
            other => ConversationStatus::Other(other.to_owned()),
        },
        snooze_until: last.snoozed_until.map(ms),
        assignees: who(Kind::Agent, &first.admin_assignee_id),
        teams: who(Kind::Team, &first.team_assignee_id),
        tags: tags
            .map(|tag| Reference::to(Kind::Tag, &tag.id).called(tag.name.as_str()))
            .collect(),
        ..Conversation::empty()
    };
    let mut parts: Vec<Part> = Vec::new();
    for conversation in all {
        let opening = api::Part {
            id: conversation.source.id.clone(),
            part_type: "comment".to_owned(),
            body: Some(conversation.source.body.clone()),
            created_at: conversation.created_at,
            author: conversation.source.author.clone(),
            ..api::Part::default()
        };
        let mut said: Vec<&api::Part> = conversation.parts().iter().collect();
        said.sort_by_key(|part| (part.created_at, part.id.len(), part.id.clone()));
        for part in std::iter::once(&opening).chain(said) {
            add(cx, &first.id, part, &mut parts);
        }
    }
    Thread {
        conversation: Entry {
            head,
            data: Entity::Conversation(data),
        },
        parts,
    }
}

/// A body without our line: the facts of the line, its plain text, its HTML.
fn without_ours(body: &str) -> (Option<String>, String, String) {
    let plain = plain_of(body);
    if let (Some(facts), html) = without_lead(body) {
        // A body of plain text is one paragraph, ours and its own.
        let of_html = body.starts_with(&format!("<p>{}", transload_sdk::thread::LEAD))
            && !html.is_empty()
            && !html.starts_with("<br>");
        if of_html {
            return (Some(facts.to_owned()), plain_of(html), html.to_owned());
        }
    }
    let (facts, text) = without_lead(&plain);
    (facts.map(str::to_owned), text.to_owned(), body.to_owned())
}

fn add(cx: &Context, conversation: &str, part: &api::Part, parts: &mut Vec<Part>) {
    let Some(body) = part.body.as_deref().filter(|body| !body.is_empty()) else {
        return;
    };
    let is_admin = part.author.kind == "admin";
    let (facts, text, html) = without_ours(body);
    let facts = facts.unwrap_or_default();
    let is_ours = facts == CARD
        || facts == BEGINS
        || facts.starts_with(GOES_ON)
        || facts == "no message in the source"
        || thread::is_record(part)
        || part.author.kind == "bot";
    if is_ours {
        return;
    }
    let files = part
        .attachments
        .iter()
        .filter(|file| file.name != MARKUP)
        .map(|file| {
            let attachment = Attachment {
                conversation: Some(Reference::to(Kind::Conversation, conversation)),
                media_type: Some(file.content_type.clone()).filter(|kind| !kind.is_empty()),
                size: file.filesize,
                locator: Some(file.url.clone()),
                ..Attachment::of(Reference::to(Kind::Message, &part.id), file.name.as_str())
            };
            Entry::new(
                Kind::Attachment,
                file.url.as_str(),
                Entity::Attachment(attachment),
            )
        });
    let files: Vec<Entry> = files.collect();
    if facts.starts_with(MORE_FILES) {
        if let Some(before) = parts.last_mut() {
            before.attachments.extend(files);
        }
        return;
    }
    let mut head = Head::new(Kind::Message, part.id.clone());
    head.created_at = Some(ms(part.created_at));
    let is_note = part.part_type == "note";
    let kind = if is_admin {
        Kind::Agent
    } else {
        Kind::Customer
    };
    let data = Message {
        conversation: Some(Reference::to(Kind::Conversation, conversation)),
        visibility: if is_note {
            Visibility::Internal
        } else {
            Visibility::Public
        },
        direction: match (is_note, is_admin) {
            (true, _) => Direction::None,
            (false, true) => Direction::Outbound,
            (false, false) => Direction::Inbound,
        },
        author: Author::Person(Reference::to(kind, &part.author.id)),
        text: Some(cx.blobs().text(text)),
        html: is_admin.then(|| cx.blobs().text(html)),
        sent_at: head.created_at,
        attachment_count: Some(files.len() as u64),
        ..Message::empty()
    };
    parts.push(Part {
        message: Entry {
            head,
            data: Entity::Message(data),
        },
        attachments: files,
    });
}

// ---- people

async fn contact(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let found = match client::contact(cx, one.target()).await? {
        Looked::There(contact) => *contact,
        Looked::Gone => return Ok(one.found(Presence::Absent, None)),
        Looked::Merged => return Ok(one.found(Presence::Merged, None)),
    };
    let email = found.email.iter().map(|email| Address {
        primary: true,
        ..Address::new(AddressChannel::Email, email.as_str())
    });
    let phone = found.phone.iter();
    let phone = phone.map(|phone| Address::new(AddressChannel::Phone, phone.as_str()));
    let company = found.companies.data.first();
    // A contact shows ten of its tags.
    let tags: Vec<api::Named> = if found.tags.has_more {
        client::list(cx, &format!("/contacts/{}/tags", found.id)).await?
    } else {
        found.tags.data.clone()
    };
    let tags = tags.iter();
    let data = Customer {
        name: found.name.clone(),
        company: company.map(|company| Reference::to(Kind::Company, &company.id)),
        addresses: email.chain(phone).collect(),
        tags: tags.map(|tag| Reference::to(Kind::Tag, &tag.id)).collect(),
        avatar_url: found
            .avatar
            .get("image_url")
            .and_then(Value::as_str)
            .map(str::to_owned),
        signed_up_at: found.signed_up_at.map(ms),
        last_seen_at: found.last_seen_at.map(ms),
        ..Customer::empty()
    };
    let mut head = Head::new(Kind::Customer, found.id.clone());
    head.external_id = found.external_id.clone();
    head.fields = fields(&found.custom_attributes);
    let facets = contacts::facets(&found);
    let data = Entity::Customer(data);
    Ok(one.there(Entry { head, data }, &facets))
}

async fn company(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let path = format!("/companies/{}", one.target());
    let Some(found) = client::find::<api::Company>(cx, &path).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let data = Company {
        domains: found.website.iter().cloned().collect(),
        employee_count: found.size,
        ..Company::called(found.name.clone().unwrap_or_default())
    };
    let mut head = Head::new(Kind::Company, found.id.clone());
    head.external_id = Some(found.company_id.clone());
    head.created_at = found.remote_created_at.map(ms);
    head.fields = fields(&found.custom_attributes);
    let facets = companies::facets(&found);
    let data = Entity::Company(data);
    Ok(one.there(Entry { head, data }, &facets))
}

async fn tag(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let path = format!("/tags/{}", one.target());
    let Some(found) = client::find::<api::Named>(cx, &path).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let data = Tag {
        name: found.name.clone(),
        color: None,
    };
    let entry = Entry::new(Kind::Tag, found.id.as_str(), Entity::Tag(data));
    Ok(one.there(entry, &schema::tag_facets(&found)))
}

async fn attribute(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let effect_kind = one.main().map(|effect| effect.target_kind.as_str());
    let all = schema::attributes(cx, effect_kind == Some("conversation_attribute")).await?;
    let id = FieldTarget::parse(one.target()).map_or_else(|| one.target().to_owned(), |t| t.id);
    Ok(match all.iter().find(|attribute| attribute.id == id) {
        None => one.found(Presence::Absent, None),
        Some(attribute) if attribute.archived => one.found(Presence::Hidden, None),
        Some(attribute) => Observed {
            fingerprint: one.print_now(&schema::attribute_facets(attribute)),
            ..one.found(Presence::Present, None)
        },
    })
}

// ---- notes and records

async fn note(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let (contact, id) = one.target().split_once('/').unwrap_or_default();
    let all = notes::notes_of(cx, contact).await?;
    let Some(found) = all.iter().find(|note| note.id == id) else {
        return Ok(one.found(Presence::Absent, None));
    };
    Ok(Observed {
        fingerprint: one.print_now(&notes::facets(found)),
        ..one.found(Presence::Present, None)
    })
}

async fn record_note(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let (conversation, id) = one.target().split_once('/').unwrap_or_default();
    let found = conversations::whole(cx, conversation)
        .await?
        .unwrap_or_default();
    let Some(part) = found.parts().iter().find(|part| part.id == id) else {
        return Ok(one.found(Presence::Absent, None));
    };
    Ok(Observed {
        fingerprint: one.print_now(&conversations::part_facets(part)),
        ..one.found(Presence::Present, None)
    })
}

async fn instance(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let Some((kind, id)) = map::instance_of(one.target()) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let path = objects::path(&kind, id);
    let Some(found) = client::find::<Instance>(cx, &path).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let title = found
        .custom_attributes
        .get(objects::TITLE)
        .and_then(Value::as_str);
    let data = CustomObject::of("", title.unwrap_or_default());
    let mut head = Head::new(Kind::CustomObject, found.id.clone());
    head.external_id = found.external_id.clone();
    head.created_at = found.external_created_at.map(ms);
    let facets = objects::facets(&found);
    let data = Entity::CustomObject(data);
    Ok(one.there(Entry { head, data }, &facets))
}
