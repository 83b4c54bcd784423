//! Reading back what was written, in the contract's words, so that the host can compare it with the source.
//!
//! What the connector added by itself comes off again: the line above a body, the source card, notes that are records of custom
//! objects.

use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::destination::{Body, Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::read_back::{self, Place, locator, with_bytes};
use transload_sdk::thread::without_lead;
use transload_sdk::types::{
    self, Address, AddressChannel, Attachment, Author, Conversation, ConversationStatus,
    CustomObject, Customer, Direction, Entity, Entry, Error, Field, Head, Kind, Message, Reference,
    Tag, Team, Visibility,
};

use crate::api;
use crate::client::{self, Looked};
use crate::map::{self, NOTE, NamedTarget};
use crate::thread;
use crate::write::{customers, data, objects, people, schema, tickets};

/// Reads back. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let mut observed = Vec::with_capacity(written.len());
    for one in &written {
        observed.push(match one.main().map(|effect| effect.target_kind.as_str()) {
            Some("ticket") => ticket(cx, one).await?,
            Some("customer") => customer(cx, one).await?,
            Some("team") => team(cx, one).await?,
            Some("tag") => tag(cx, one).await?,
            Some("custom_field") => field(cx, one).await?,
            Some("message") => note(cx, one).await?,
            Some("customer_object") => record(cx, one).await?,
            _ => one.found(Presence::Present, None),
        });
    }
    with_bytes(cx, &mut observed, bytes_of).await?;
    Ok(observed)
}

/// The bytes of an upload, by the last two parts of its address: a private one is read with the credential (Gorgias facts §9).
fn bytes_of(entry: &Entry) -> Option<Place> {
    let path = locator(entry)?.split(['?', '#']).next()?;
    let (rest, name) = path.rsplit_once('/')?;
    let (_, domain) = rest.rsplit_once('/')?;
    Some(Place {
        url: format!("/attachment/download/{domain}/{name}"),
        anonymous: false,
    })
}

fn fields(values: impl IntoIterator<Item = (u64, Value)>) -> Vec<Field> {
    let field = |(id, value): (u64, Value)| read_back::field(&id.to_string(), &value);
    let there = values.into_iter().filter(|(_, value)| !value.is_null());
    there.map(field).collect()
}

fn time(text: &Option<String>) -> Option<i64> {
    text.as_deref().and_then(map::parse)
}

// ---- threads

async fn ticket(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let found = tickets::whole(cx, one.target().parse().unwrap_or(0)).await?;
    let Some((ticket, messages)) = found else {
        return Ok(one.found(Presence::Absent, None));
    };
    if ticket.trashed_datetime.is_some() {
        return Ok(one.found(Presence::Hidden, None));
    }
    let prefix = cx.marker_prefix();
    let facets = thread::facets(&ticket, &messages, &prefix);
    let thread = as_thread(cx, &ticket, messages, &prefix);
    let slot = |slot: &str, value: &str| SlotValue {
        slot: slot.to_owned(),
        value: value.to_owned(),
    };
    let is_snoozed = ticket.status == "closed" && ticket.snooze_datetime.is_some();
    let status = if is_snoozed {
        map::SNOOZED
    } else {
        &ticket.status
    };
    let values = vec![
        slot("status", status),
        slot("priority", &ticket.priority),
        slot("channel", &ticket.channel),
    ];
    Ok(Observed {
        values,
        ..one.there(thread, &facets)
    })
}

fn as_thread(
    cx: &Context,
    ticket: &api::Ticket,
    mut messages: Vec<api::Message>,
    prefix: &str,
) -> Thread {
    messages.sort_by_key(|message| (time(&message.created_datetime), message.id));
    let mut head = Head::new(Kind::Conversation, ticket.id.to_string());
    head.external_id = ticket.external_id.clone();
    head.created_at = time(&ticket.created_datetime);
    head.updated_at = time(&ticket.updated_datetime);
    head.fields = fields(api::values(&ticket.custom_fields));
    let status = match (ticket.status.as_str(), &ticket.snooze_datetime) {
        ("closed", Some(_)) => ConversationStatus::Snoozed,
        ("closed", None) => ConversationStatus::Closed,
        ("open", _) => ConversationStatus::Open,
        (other, _) => ConversationStatus::Other(other.to_owned()),
    };
    let who = |kind: &Kind, who: &Option<api::Who>| {
        let found = who.iter().map(|who| Reference::to(kind.clone(), who.id));
        found.collect::<Vec<_>>()
    };
    let tags = ticket.tags.iter().map(|tag| {
        let name = tag.name.clone();
        let target = NamedTarget { id: tag.id, name }.to_string();
        Reference::new(Kind::Tag, &tag.name).at(target)
    });
    let judged = ticket
        .satisfaction_survey
        .as_ref()
        .and_then(|survey| survey.score);
    let satisfaction = judged.map(|score| types::Satisfaction {
        status: None,
        score: None,
        rating: Some(score.to_string()),
        scale: Some("5 options".to_owned()),
        channel: None,
        survey: None,
        sent_at: None,
        answered_at: None,
        answers: Vec::new(),
    });
    let conversation = Conversation {
        customer: who(&Kind::Customer, &ticket.customer).into_iter().next(),
        subject: ticket.subject.clone(),
        status,
        snooze_until: time(&ticket.snooze_datetime),
        assignees: who(&Kind::Agent, &ticket.assignee_user),
        teams: who(&Kind::Team, &ticket.assignee_team),
        channels: vec![ticket.channel.clone()],
        tags: tags.collect(),
        language: ticket.language.clone(),
        satisfaction,
        spam: ticket.spam,
        closed_at: time(&ticket.closed_datetime),
        ..Conversation::empty()
    };
    let is_own = |message: &&api::Message| {
        let external = message.external_id.as_deref().unwrap_or_default();
        let object = external
            .strip_prefix(prefix)
            .is_some_and(|of| of.starts_with("custom-object:"));
        object || external.ends_with(thread::CARD)
    };
    let parts = messages.iter().filter(|message| !is_own(message));
    Thread {
        conversation: Entry {
            head,
            data: Entity::Conversation(conversation),
        },
        parts: parts.map(|message| part(cx, ticket.id, message)).collect(),
    }
}

fn part(cx: &Context, ticket: u64, message: &api::Message) -> Part {
    let mut head = Head::new(Kind::Message, message.id.to_string());
    head.external_id = message.external_id.clone();
    head.created_at = time(&message.created_datetime);
    let conversation = Reference::to(Kind::Conversation, ticket);
    let kind = if message.from_agent {
        Kind::Agent
    } else {
        Kind::Customer
    };
    let author = match &message.sender {
        Some(who) => Author::Person(Reference::to(kind, who.id)),
        None => Author::System,
    };
    let text = |text: &Option<String>| {
        let body = text.as_deref().map(|text| without_lead(text).1)?;
        Some(cx.blobs().text(body.to_owned()))
    };
    let addresses = |list: &str| {
        let list = message.source.get(list).and_then(Value::as_array);
        let address = |row: &Value| row.get("address")?.as_str().map(str::to_owned);
        list.into_iter()
            .flatten()
            .filter_map(address)
            .collect::<Vec<_>>()
    };
    let sender = message
        .source
        .pointer("/from/address")
        .and_then(Value::as_str);
    let data = Message {
        conversation: Some(conversation.clone()),
        visibility: if message.public {
            Visibility::Public
        } else {
            Visibility::Internal
        },
        direction: match message.channel.as_str() {
            NOTE => Direction::None,
            _ if message.from_agent => Direction::Outbound,
            _ => Direction::Inbound,
        },
        channel: Some(message.channel.clone()),
        author,
        subject: message.subject.clone(),
        sender: sender.map(str::to_owned),
        to: addresses("to"),
        cc: addresses("cc"),
        bcc: addresses("bcc"),
        message_id: message.message_id.clone(),
        text: text(&message.body_text),
        html: text(&message.body_html),
        sent_at: time(&message.sent_datetime).or(head.created_at),
        attachment_count: Some(message.attachments.len() as u64),
        ..Message::empty()
    };
    let attachments = message.attachments.iter().map(|file| {
        let attachment = Attachment {
            conversation: Some(conversation.clone()),
            media_type: Some(file.content_type.clone()).filter(|kind| !kind.is_empty()),
            size: file.bytes(),
            body_url: Some(file.url.clone()),
            locator: Some(file.url.clone()),
            ..Attachment::of(Reference::to(Kind::Message, message.id), file.name.as_str())
        };
        Entry::new(
            Kind::Attachment,
            file.url.as_str(),
            Entity::Attachment(attachment),
        )
    });
    Part {
        attachments: attachments.collect(),
        message: Entry {
            head,
            data: Entity::Message(data),
        },
    }
}

// ---- people

async fn customer(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let found = match client::customer(cx, one.target()).await? {
        Looked::There(customer) => *customer,
        Looked::Gone => return Ok(one.found(Presence::Absent, None)),
        Looked::Merged => return Ok(one.found(Presence::Merged, None)),
    };
    let values = customers::values_of(cx, one.target()).await?;
    let mut facets = customers::facets(&found);
    let value_facet = |(id, value): (&u64, &Value)| {
        (
            format!("field {id}"),
            transload_sdk::policy::canonical(value),
        )
    };
    facets.extend(values.iter().map(value_facet));
    let addresses = found.channels.iter().map(|channel| {
        let kind = match channel.kind.as_str() {
            "email" => AddressChannel::Email,
            "phone" => AddressChannel::Phone,
            "whatsapp" => AddressChannel::Whatsapp,
            other => AddressChannel::Social(other.to_owned()),
        };
        Address {
            primary: found.email.as_deref() == Some(channel.address.as_str()),
            ..Address::new(kind, channel.address.as_str())
        }
    });
    let meta = |name: &str| found.meta.get(name).and_then(Value::as_str);
    let company = found.meta.pointer("/company/name").and_then(Value::as_str);
    let data = Customer {
        name: Some(found.name.clone()),
        company_name: company.map(str::to_owned),
        addresses: addresses.collect(),
        language: found.language.clone(),
        time_zone: found.timezone.clone(),
        ..Customer::empty()
    };
    let mut head = Head::new(Kind::Customer, found.id.to_string());
    head.external_id = found.external_id.clone();
    head.created_at = meta("source_created").and_then(map::parse);
    head.fields = fields(values);
    let entry = Entry {
        head,
        data: Entity::Customer(data),
    };
    Ok(one.there(entry, &facets))
}

async fn team(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let path = format!("/teams/{}", one.target());
    let Some(found) = client::find::<api::Team>(cx, &path).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let data = Team {
        name: found.name.clone(),
        description: None,
        members: found
            .members
            .iter()
            .map(|who| Reference::to(Kind::Agent, who.id))
            .collect(),
    };
    let entry = Entry::new(Kind::Team, found.id.to_string(), Entity::Team(data));
    Ok(one.there(entry, &people::team_facets(&found)))
}

async fn tag(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let id = NamedTarget::parse(one.target())
        .map(|target| target.id)
        .unwrap_or_default();
    let Some(found) = client::find::<api::Tag>(cx, &format!("/tags/{id}")).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let data = Tag {
        name: found.name.clone(),
        color: None,
    };
    let entry = Entry::new(Kind::Tag, found.id.to_string(), Entity::Tag(data));
    Ok(one.there(entry, &schema::tag_facets(&found)))
}

async fn field(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let id = map::FieldTarget::parse(one.target())
        .map(|target| target.id)
        .unwrap_or_default();
    let found = client::find::<api::Field>(cx, &format!("/custom-fields/{id}")).await?;
    Ok(match found {
        None => one.found(Presence::Absent, None),
        Some(field) if field.deactivated_datetime.is_some() => one.found(Presence::Hidden, None),
        Some(field) => Observed {
            fingerprint: one.print_now(&schema::field_facets(&field)),
            ..one.found(Presence::Present, None)
        },
    })
}

// ---- custom objects

fn object(
    one: &Written,
    customer: Option<Reference>,
    conversation: Option<Reference>,
    title: &str,
) -> Body {
    let data = CustomObject {
        customer,
        conversation,
        ..CustomObject::of("", title)
    };
    Entry::new(Kind::CustomObject, one.target(), Entity::CustomObject(data)).into()
}

async fn note(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let Some((ticket, id)) = one.target().split_once('/') else {
        return Ok(one.found(Presence::Absent, None));
    };
    let path = format!("/tickets/{ticket}/messages/{id}");
    let Some(found) = client::find::<api::Message>(cx, &path).await? else {
        return Ok(one.found(Presence::Absent, None));
    };
    let text = found.body_text.as_deref().unwrap_or_default();
    let title = text.lines().find_map(|line| line.strip_prefix("title: "));
    let conversation = Some(Reference::to(Kind::Conversation, ticket));
    let body = object(one, None, conversation, title.unwrap_or_default());
    Ok(one.there(body, &tickets::message_facets(&found)))
}

async fn record(cx: &Context, one: &Written) -> Result<Observed, Error> {
    let mut parts = one.target().split('/');
    let customer = parts.next().unwrap_or_default();
    let path: Vec<&str> = std::iter::once(objects::OBJECTS).chain(parts).collect();
    let document = data::read(cx, customer).await?.unwrap_or_default();
    let Some(member) = data::get(&document, &path) else {
        return Ok(one.found(Presence::Absent, None));
    };
    let title = member
        .get("title")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let body = object(
        one,
        Some(Reference::to(Kind::Customer, customer)),
        None,
        title,
    );
    Ok(one.there(body, &objects::member_facets(member)))
}
