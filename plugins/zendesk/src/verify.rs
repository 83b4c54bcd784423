//! Reading back what was written, in the contract's words, so that the host can compare it with the source.
//!
//! What the connector added by itself comes off again: the line above a body, the source card, links between parts of a
//! long thread; pieces of a long text are one text again. Times are as Zendesk shows them, in whole seconds.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::http::segment;
use transload_sdk::read_back::{Place, field, with_bytes};
use transload_sdk::types::{
    Address, AddressChannel, Attachment, Author, Company, Conversation, ConversationStatus,
    CustomObject, Customer, Entity, Entry, Error, Field, Head, Kind, Message, Reference, Team,
    Text, Visibility,
};

use crate::api::{Comment, Group, Identity, Organization, Record, Ticket, User};
use crate::client;
use crate::map;
use crate::state::own_field;
use crate::text;
use crate::thread;
use crate::write::{objects, people};

/// Records of one read (Zendesk facts §6.1, §12).
const BATCH: usize = 100;

/// Reads back. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let mut observed = Vec::with_capacity(written.len());
    let mut others = Vec::new();
    for chunk in written.chunks(BATCH) {
        let tickets: BTreeMap<u64, Ticket> =
            many(cx, chunk, "ticket", "tickets", |t: &Ticket| t.id).await?;
        let users: BTreeMap<u64, User> = many(cx, chunk, "user", "users", |u: &User| {
            u.id.unwrap_or_default()
        })
        .await?;
        let organizations: BTreeMap<u64, Organization> = many(
            cx,
            chunk,
            "organization",
            "organizations",
            |o: &Organization| o.id,
        )
        .await?;
        for one in chunk {
            observed.push(match one.main().map(|effect| effect.target_kind.as_str()) {
                Some("ticket") => {
                    let twins = twins(cx, one, &tickets).await?;
                    let seen = ticket(cx, one, &tickets).await?;
                    others.extend(twins);
                    seen
                }
                Some("user") => user(cx, one, &users).await?,
                Some("organization") => organization(one, &organizations),
                Some("group") => group(cx, one).await?,
                Some("custom_object_record") => record(cx, one).await?,
                _ => one.found(Presence::Present, None),
            });
        }
    }
    with_bytes(cx, &mut observed, bytes_of).await?;
    observed.extend(others);
    Ok(observed)
}

/// The bytes of an attachment are behind the address that its comment shows (Zendesk facts §8).
fn bytes_of(entry: &Entry) -> Option<Place> {
    let Entity::Attachment(attachment) = &entry.data else {
        return None;
    };
    Some(Place {
        url: attachment.locator.clone()?,
        anonymous: false,
    })
}

/// Other tickets that carry the marker of one of ours: Zendesk takes a ticket twice (Zendesk facts §1).
async fn twins(
    cx: &Context,
    one: &Written,
    tickets: &BTreeMap<u64, Ticket>,
) -> Result<Vec<Observed>, Error> {
    let marker = tickets
        .get(&id_of(one))
        .and_then(|ticket| ticket.external_id.as_deref());
    let Some(marker) = marker else {
        return Ok(Vec::new());
    };
    let path = format!("/api/v2/tickets?external_id={}", segment(marker));
    let all: Vec<Ticket> = client::list(cx, &path, "tickets").await?;
    let is_ours = |ticket: &Ticket| {
        let id = ticket.id.to_string();
        one.effects.iter().any(|effect| effect.target_id == id)
    };
    let others = all
        .into_iter()
        .filter(|ticket| ticket.external_id.as_deref() == Some(marker) && !is_ours(ticket));
    let twin = |ticket: Ticket| {
        let head = Head::new(Kind::Conversation, ticket.id.to_string());
        let data = Entity::Conversation(Conversation::empty());
        one.found(Presence::Present, Some(Entry { head, data }.into()))
    };
    Ok(others.map(twin).collect())
}

fn id_of(one: &Written) -> u64 {
    one.main()
        .and_then(|effect| effect.target_id.parse().ok())
        .unwrap_or_default()
}

async fn many<T: serde::de::DeserializeOwned>(
    cx: &Context,
    chunk: &[Written],
    kind: &str,
    member: &str,
    id: impl Fn(&T) -> u64,
) -> Result<BTreeMap<u64, T>, Error> {
    let ids: Vec<&str> = chunk
        .iter()
        .flat_map(|one| &one.effects)
        .filter(|effect| effect.target_kind == kind)
        .map(|effect| effect.target_id.as_str())
        .collect();
    let mut found = BTreeMap::new();
    for ids in ids.chunks(BATCH) {
        let path = format!("/api/v2/{member}/show_many?ids={}", ids.join(","));
        let rows: Vec<T> = client::find_member(cx, &path, member)
            .await?
            .unwrap_or_default();
        found.extend(rows.into_iter().map(|row| (id(&row), row)));
    }
    Ok(found)
}

fn tag(name: &str) -> Reference {
    Reference::new(Kind::Tag, name).at(name)
}

fn fields(values: impl Iterator<Item = (String, Value)>) -> Vec<Field> {
    values
        .filter(|(_, value)| !value.is_null())
        .map(|(address, value)| field(&address, &value))
        .collect()
}

fn keyed(values: &Map<String, Value>) -> impl Iterator<Item = (String, Value)> + '_ {
    values
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
}

// ---- threads

async fn ticket(
    cx: &Context,
    one: &Written,
    tickets: &BTreeMap<u64, Ticket>,
) -> Result<Observed, Error> {
    let Some(ticket) = tickets.get(&id_of(one)) else {
        return Ok(one.found(Presence::Absent, None));
    };
    if ticket.tags.iter().any(|tag| tag == "closed_by_merge") {
        return Ok(one.found(Presence::Merged, None));
    }
    let mut comments = Vec::new();
    for effect in one
        .effects
        .iter()
        .filter(|e| e.target_kind == "ticket" && !e.part.starts_with("duplicate:"))
    {
        let path = format!(
            "/api/v2/tickets/{}/comments?include_inline_images=true",
            effect.target_id
        );
        let of_ticket: Vec<Comment> = client::list(cx, &path, "comments").await?;
        if effect.part == "main" {
            // Only the first ticket's own comments are in its print.
            comments.insert(0, of_ticket);
        } else {
            comments.push(of_ticket);
        }
    }
    let own = comments.first().map(Vec::as_slice);
    let fingerprint = one.print_now(&thread::read_facets(ticket, own));
    let thread = as_thread(cx, ticket, &comments.concat());
    let slot = |slot: &str, value: &str| SlotValue {
        slot: slot.to_owned(),
        value: value.to_owned(),
    };
    let mut values = vec![slot("status", &ticket.status)];
    values.extend(
        ticket
            .priority
            .as_deref()
            .map(|priority| slot("priority", priority)),
    );
    // Whether Zendesk keeps the channel of an import is not known (Zendesk facts §15): the tag says it, so the slot is not read back.
    Ok(Observed {
        item: one.item.clone(),
        presence: Presence::Present,
        body: Some(thread.into()),
        values,
        fingerprint,
    })
}

/// Whether a comment is the connector's own: the card, or a link between parts of a thread.
fn is_own(lead: Option<&str>, body: &str) -> bool {
    lead.is_some_and(|facts| {
        facts.starts_with("source card")
            || (body.trim().is_empty()
                && (facts.starts_with("continues ticket #")
                    || facts.starts_with("continues in the ticket")))
    })
}

/// Whether a comment goes on with the text of the one before.
fn is_further_part(lead: Option<&str>) -> bool {
    let part = lead
        .and_then(|facts| facts.rsplit("; ").next())
        .and_then(|fact| fact.strip_prefix("part "));
    part.is_some_and(|part| !part.starts_with("1 of "))
}

fn as_thread(cx: &Context, ticket: &Ticket, comments: &[Comment]) -> Thread {
    let time = |text: &Option<String>| text.as_deref().and_then(map::parse_iso);
    let mut conversation_head = Head::new(Kind::Conversation, ticket.id.to_string());
    conversation_head.external_id = ticket.external_id.clone();
    conversation_head.created_at = time(&ticket.created_at);
    conversation_head.updated_at = time(&ticket.updated_at);
    let values = ticket
        .custom_fields
        .iter()
        .map(|f| (f.id.to_string(), f.value.clone()));
    conversation_head.fields = fields(values);
    let status = match ticket.status.as_str() {
        "new" | "open" => ConversationStatus::Open,
        "solved" | "closed" => ConversationStatus::Closed,
        other => ConversationStatus::Other(other.to_owned()),
    };
    let mut parts: Vec<Part> = Vec::new();
    for comment in comments {
        let plain = text::without_lead(&comment.body);
        let html = text::without_lead(text::unwrapped(&comment.html_body));
        let lead = plain.0.or(html.0);
        if is_own(lead, plain.1) {
            continue;
        }
        if is_further_part(lead)
            && let Some(before) = parts.last_mut()
            && join(cx, before, plain.1)
        {
            continue;
        }
        parts.push(part(cx, ticket.id, comment, plain.1, html.1));
    }
    let conversation = Conversation {
        customer: ticket
            .requester_id
            .map(|id| Reference::to(Kind::Customer, id)),
        subject: ticket.subject.clone(),
        status,
        assignees: ticket
            .assignee_id
            .map(|id| Reference::to(Kind::Agent, id))
            .into_iter()
            .collect(),
        teams: ticket
            .group_id
            .map(|id| Reference::to(Kind::Team, id))
            .into_iter()
            .collect(),
        brand: ticket.brand_id.map(|id| Reference::to(Kind::Brand, id)),
        tags: ticket.tags.iter().map(|name| tag(name)).collect(),
        ..Conversation::empty()
    };
    let conversation = Entry {
        head: conversation_head,
        data: Entity::Conversation(conversation),
    };
    Thread {
        conversation,
        parts,
    }
}

fn join(cx: &Context, before: &mut Part, more: &str) -> bool {
    let Entity::Message(message) = &mut before.message.data else {
        return false;
    };
    let Some(so_far) = message
        .text
        .as_ref()
        .and_then(|t| cx.blobs().read_text(t).ok())
    else {
        return false;
    };
    message.text = Some(cx.blobs().text(so_far + more));
    message.html = None;
    true
}

fn part(cx: &Context, ticket: u64, comment: &Comment, plain: &str, html: &str) -> Part {
    let mut message_head = Head::new(Kind::Message, comment.id.to_string());
    message_head.created_at = comment.created_at.as_deref().and_then(map::parse_iso);
    let sent_at = message_head.created_at;
    let conversation = Reference::to(Kind::Conversation, ticket);
    let text = |text: &str| -> Option<Text> { Some(cx.blobs().text(text.to_owned())) };
    let message = Message {
        conversation: Some(conversation.clone()),
        visibility: if comment.public {
            Visibility::Public
        } else {
            Visibility::Internal
        },
        author: Author::Person(Reference::to(Kind::Agent, comment.author_id)),
        text: text(plain),
        html: text(html),
        sent_at,
        attachment_count: Some(comment.attachments.len() as u64),
        ..Message::empty()
    };
    let attachments = comment.attachments.iter().map(|file| {
        let attachment = Attachment {
            conversation: Some(conversation.clone()),
            media_type: file.content_type.clone(),
            size: Some(file.size),
            inline: file.inline,
            body_url: Some(file.content_url.clone()),
            locator: Some(file.content_url.clone()),
            ..Attachment::of(
                Reference::to(Kind::Message, comment.id),
                file.file_name.as_str(),
            )
        };
        let id = file.id.to_string();
        Entry::new(Kind::Attachment, id, Entity::Attachment(attachment))
    });
    Part {
        attachments: attachments.collect(),
        message: Entry {
            head: message_head,
            data: Entity::Message(message),
        },
    }
}

// ---- people

async fn user(cx: &Context, one: &Written, users: &BTreeMap<u64, User>) -> Result<Observed, Error> {
    let id = id_of(one);
    let Some(user) = users.get(&id).filter(|user| user.active != Some(false)) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let fingerprint = one.print_now(&people::user_facets(user));
    if one.kind == Kind::Agent {
        return Ok(Observed {
            fingerprint,
            ..one.found(Presence::Present, None)
        });
    }
    let path = format!("/api/v2/users/{id}/identities");
    let identities: Vec<Identity> = client::list(cx, &path, "identities").await?;
    let mut addresses: Vec<Address> = identities
        .into_iter()
        .filter_map(|identity| {
            let channel = match identity.kind.as_str() {
                "email" => AddressChannel::Email,
                "phone_number" => AddressChannel::Phone,
                _ => return None,
            };
            Some(Address {
                primary: identity.primary,
                ..Address::new(channel, identity.value)
            })
        })
        .collect();
    if let Some(phone) = &user.phone
        && !addresses.iter().any(|a| a.value == *phone)
    {
        addresses.push(Address::new(AddressChannel::Phone, phone.as_str()));
    }
    let merged = user
        .user_fields
        .get(own_field::MERGED_IDS)
        .and_then(Value::as_str)
        .unwrap_or("");
    let merged_from = merged.lines().map(str::to_owned).collect();
    let customer = Customer {
        name: Some(user.name.clone()),
        company: user
            .organization_id
            .map(|id| Reference::to(Kind::Company, id)),
        addresses,
        tags: user.tags.iter().map(|name| tag(name)).collect(),
        merged_from,
        ..Customer::empty()
    };
    let mut user_head = Head::new(Kind::Customer, id.to_string());
    user_head.external_id = user.external_id.clone();
    user_head.created_at = created_at(&user.user_fields);
    user_head.fields = fields(keyed(&user.user_fields));
    let entry = Entry {
        head: user_head,
        data: Entity::Customer(customer),
    };
    Ok(Observed {
        fingerprint,
        ..one.found(Presence::Present, Some(entry.into()))
    })
}

/// The creation time that the source gave, out of the connector's own field.
fn created_at(values: &Map<String, Value>) -> Option<i64> {
    values
        .get(own_field::CREATED_AT)
        .and_then(Value::as_str)
        .and_then(map::parse_iso)
}

fn organization(one: &Written, organizations: &BTreeMap<u64, Organization>) -> Observed {
    let Some(organization) = organizations.get(&id_of(one)) else {
        return one.found(Presence::Absent, None);
    };
    let mut company_head = Head::new(Kind::Company, organization.id.to_string());
    company_head.external_id = organization.external_id.clone();
    company_head.created_at = created_at(&organization.organization_fields);
    company_head.fields = fields(keyed(&organization.organization_fields));
    let company = Company {
        domains: organization.domain_names.clone(),
        ..Company::called(organization.name.as_str())
    };
    let entry = Entry {
        head: company_head,
        data: Entity::Company(company),
    };
    Observed {
        fingerprint: one.print_now(&people::organization_facets(organization)),
        ..one.found(Presence::Present, Some(entry.into()))
    }
}

async fn group(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let path = format!("/api/v2/groups/{}", id_of(one));
    let found: Option<Group> = client::find_member(cx, &path, "group").await?;
    let Some(group) = found.filter(|group| !group.deleted) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let team = Team {
        name: group.name.clone(),
        description: None,
        members: Vec::new(),
    };
    let entry = Entry::new(Kind::Team, group.id.to_string(), Entity::Team(team));
    Ok(Observed {
        fingerprint: one.print_now(&[("name".to_owned(), group.name)]),
        ..one.found(Presence::Present, Some(entry.into()))
    })
}

async fn record(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let target = one
        .main()
        .map(|effect| effect.target_id.as_str())
        .unwrap_or_default();
    let Some((object, id)) = target.split_once('/') else {
        return Ok(one.found(Presence::Absent, None));
    };
    let path = format!("/api/v2/custom_objects/{object}/records/{id}");
    let found: Option<Record> = client::find_member(cx, &path, "custom_object_record").await?;
    let Some(record) = found else {
        return Ok(one.found(Presence::Absent, None));
    };
    let link = |key: &str, kind: Kind| {
        let value = record.custom_object_fields.get(key)?;
        let id = value
            .as_str()
            .and_then(|v| v.parse().ok())
            .or_else(|| value.as_u64())?;
        Some(Reference::to(kind, id))
    };
    let data = CustomObject {
        customer: link("transload_customer", Kind::Customer),
        company: link("transload_company", Kind::Company),
        conversation: link("transload_ticket", Kind::Conversation),
        ..CustomObject::of(object, record.name.as_str())
    };
    let mut record_head = Head::new(Kind::CustomObject, target.to_owned());
    record_head.external_id = record.external_id.clone();
    record_head.created_at = created_at(&record.custom_object_fields);
    record_head.fields = fields(keyed(&record.custom_object_fields));
    let entry = Entry {
        head: record_head,
        data: Entity::CustomObject(data),
    };
    Ok(Observed {
        fingerprint: one.print_now(&objects::record_facets(&record)),
        ..one.found(Presence::Present, Some(entry.into()))
    })
}
