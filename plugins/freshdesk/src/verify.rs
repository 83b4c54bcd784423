//! Reading back what was written, in the contract's words, so that it can be compared with the source.
//!
//! What the connector added by itself comes off again: the line above a body, the source card, descriptions that are nobody's
//! message, links between the tickets of a long thread; pieces of a long text are one text again. Everything is read by its id:
//! lists show thirty days and end after 300 pages (Freshdesk facts §3). Times are as Freshdesk shows them, in whole seconds,
//! or as the line above a text says.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::destination::{Observed, Part, Presence, SlotValue, Thread, Written};
use transload_sdk::ledger::Effect;
use transload_sdk::read_back::{Place, field, with_bytes};
use transload_sdk::types::{
    self, Address, AddressChannel, Author, Conversation, ConversationStatus, CustomObject,
    Customer, Entity, Entry, Error, Field, Head, Kind, Message, Reference, Team, Text, Visibility,
};

use crate::api::{self, Attachment, Company, Contact, Group, Record, Schema, Ticket};
use crate::client;
use crate::map::{self, Owner, record_parts};
use crate::state::{State, own_field};
use crate::text;
use crate::thread::{self, Line, NO_SUBJECT, is_finished, note_facet, source_tag};
use crate::write::schema::{schemas, sheet};
use crate::write::tickets::{TICKET, notes, ticket as look};
use crate::write::{objects, people, teams};

/// What became of what was written. Reads only.
///
/// # Errors
/// What ends the call.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let of_objects = |one: &Written| one.main().is_some_and(|main| main.target_kind == "record");
    let reader = Reader {
        cx,
        state: cx.state()?,
        schemas: match written.iter().any(of_objects) {
            true => schemas(cx).await?.unwrap_or_default(),
            false => Vec::new(),
        },
    };
    let mut observed = Vec::with_capacity(written.len());
    for one in &written {
        observed.push(match one.main().map(|effect| effect.target_kind.as_str()) {
            Some(TICKET) => reader.ticket(one).await?,
            Some("contact") if one.kind == Kind::Customer => reader.contact(one).await?,
            Some("company") => reader.company(one).await?,
            Some("group") => reader.group(one).await?,
            Some("record") => reader.record(one).await?,
            _ => one.found(Presence::Present, None),
        });
    }
    with_bytes(cx, &mut observed, bytes_of).await?;
    Ok(observed)
}

/// The bytes of a file are behind its signed address, which lives for a short time (Freshdesk facts §8).
fn bytes_of(entry: &Entry) -> Option<Place> {
    Place::signed(entry)
}

fn tag(name: &str) -> Reference {
    Reference::new(Kind::Tag, name).at(name)
}

fn time(text: &Option<String>) -> Option<i64> {
    text.as_deref().and_then(map::parse_iso)
}

struct Reader<'a> {
    cx: &'a Context,
    state: State,
    /// Those of custom objects, where there are records to be read.
    schemas: Vec<Schema>,
}

impl Reader<'_> {
    async fn find<T: DeserializeOwned>(&self, path: String) -> Result<Option<T>, Error> {
        client::find(self.cx, &path).await
    }

    /// Values of custom fields but for the connector's own.
    fn fields(&self, owner: Owner, values: &Map<String, Value>) -> Vec<Field> {
        let own = match owner {
            Owner::Ticket => &self.state.ticket_fields,
            Owner::Contact => &self.state.contact_fields,
            Owner::Company => &self.state.company_fields,
        };
        let theirs = values
            .iter()
            .filter(|(name, value)| !value.is_null() && !own.values().any(|own| own == *name));
        theirs.map(|(name, value)| field(name, value)).collect()
    }

    /// One of the connector's own fields.
    fn own<'v>(&self, owner: Owner, key: &str, values: &'v Map<String, Value>) -> Option<&'v str> {
        values.get(self.state.field(owner, key)?)?.as_str()
    }

    // ---- threads

    async fn ticket(&self, one: &Written) -> Result<Observed, Error> {
        let mut first: Option<(Ticket, Vec<api::Conversation>)> = None;
        let mut parts = Parts {
            cx: self.cx,
            channel: self.state.channel,
            parts: Vec::new(),
        };
        // The main one stands last among the effects, and first in the thread.
        let mut tickets: Vec<&Effect> = one
            .effects
            .iter()
            .filter(|effect| effect.target_kind == TICKET)
            .collect();
        tickets.sort_by_key(|effect| (effect.part != "main", number(effect)));
        for effect in tickets {
            let Some((ticket, archived)) = look(self.cx, number(effect)).await? else {
                if first.is_none() {
                    return Ok(one.found(Presence::Absent, None));
                }
                continue;
            };
            let said = notes(self.cx, ticket.id, archived).await?;
            parts.description(&ticket);
            for note in &said {
                parts.note(ticket.id, note);
            }
            first.get_or_insert((ticket, said));
        }
        let Some((ticket, said)) = first else {
            return Ok(one.found(Presence::Absent, None));
        };
        let said: Vec<String> = said.iter().map(note_facet).collect();
        let fingerprint = one.print_now(&thread::facets(&ticket, Some(&said)));
        let slot = |slot: &str, value: u32| SlotValue {
            slot: slot.to_owned(),
            value: value.to_string(),
        };
        let values = vec![
            slot("status", ticket.status),
            slot("priority", ticket.priority),
            slot("channel", ticket.source),
        ];
        let thread = Thread {
            conversation: self.conversation(&ticket),
            parts: parts.parts,
        };
        Ok(Observed {
            values,
            fingerprint,
            ..one.found(Presence::Present, Some(thread.into()))
        })
    }

    fn conversation(&self, ticket: &Ticket) -> Entry {
        let mut head = Head::new(Kind::Conversation, ticket.id.to_string());
        let custom = &ticket.custom_fields;
        let own = |key| self.own(Owner::Ticket, key, custom).map(str::to_owned);
        head.external_id = own(own_field::MARKER);
        head.url = own(own_field::SOURCE_URL);
        head.created_at = time(&ticket.created_at);
        head.updated_at = time(&ticket.updated_at);
        head.fields = self.fields(Owner::Ticket, custom);
        let status = match ticket.status {
            2 => ConversationStatus::Open,
            3 => ConversationStatus::Snoozed,
            status if is_finished(status) => ConversationStatus::Closed,
            other => ConversationStatus::Other(other.to_string()),
        };
        let of_us = source_tag(self.cx.platform());
        let tags = ticket.tags.iter().filter(|name| **name != of_us);
        let agent = ticket.responder_id.map(|id| Reference::to(Kind::Agent, id));
        let group = ticket.group_id.map(|id| Reference::to(Kind::Team, id));
        let subject = ticket.subject.clone();
        let conversation = Conversation {
            customer: Some(Reference::to(Kind::Customer, ticket.requester_id)),
            subject: subject.filter(|subject| subject != NO_SUBJECT),
            status,
            assignees: agent.into_iter().collect(),
            teams: group.into_iter().collect(),
            brand: ticket.product_id.map(|id| Reference::to(Kind::Brand, id)),
            tags: tags.map(|name| tag(name)).collect(),
            ..Conversation::empty()
        };
        Entry {
            head,
            data: Entity::Conversation(conversation),
        }
    }

    // ---- people and the rest

    async fn contact(&self, one: &Written) -> Result<Observed, Error> {
        let path = format!("/api/v2/contacts/{}", one.target());
        let found: Option<Contact> = self.find(path).await?;
        let Some(contact) = found.filter(|contact| !contact.deleted) else {
            return Ok(one.found(Presence::Absent, None));
        };
        let email = |value: &String, primary| Address {
            primary,
            ..Address::new(AddressChannel::Email, value.as_str())
        };
        let phone = |value: &String| Address::new(AddressChannel::Phone, value.as_str());
        let mut addresses: Vec<Address> = Vec::new();
        addresses.extend(contact.email.iter().map(|value| email(value, true)));
        addresses.extend(contact.other_emails.iter().map(|value| email(value, false)));
        addresses.extend(contact.phone.iter().map(phone));
        addresses.extend(contact.mobile.iter().map(phone));
        let custom = &contact.custom_fields;
        let own = |key| self.own(Owner::Contact, key, custom);
        let merged = own(own_field::MERGED).unwrap_or_default();
        let customer = Customer {
            name: Some(contact.name.clone()),
            company: contact
                .company_id
                .map(|id| Reference::to(Kind::Company, id)),
            addresses,
            language: contact.language.clone(),
            tags: contact.tags.iter().map(|name| tag(name)).collect(),
            merged_from: merged.lines().map(str::to_owned).collect(),
            ..Customer::empty()
        };
        let mut head = Head::new(Kind::Customer, contact.id.to_string());
        head.external_id.clone_from(&contact.unique_external_id);
        head.created_at = own(own_field::CREATED).and_then(map::parse_iso);
        head.fields = self.fields(Owner::Contact, custom);
        let entry = Entry {
            head,
            data: Entity::Customer(customer),
        };
        Ok(one.there(entry, &people::facets(&contact)))
    }

    async fn company(&self, one: &Written) -> Result<Observed, Error> {
        let path = format!("/api/v2/companies/{}", one.target());
        let Some(company) = self.find::<Company>(path).await? else {
            return Ok(one.found(Presence::Absent, None));
        };
        let custom = &company.custom_fields;
        let own = |key| self.own(Owner::Company, key, custom);
        let mut head = Head::new(Kind::Company, company.id.to_string());
        head.external_id = own(own_field::MARKER).map(str::to_owned);
        head.created_at = own(own_field::CREATED).and_then(map::parse_iso);
        head.fields = self.fields(Owner::Company, custom);
        let data = types::Company {
            domains: company.domains.clone(),
            ..types::Company::called(company.name.as_str())
        };
        let entry = Entry {
            head,
            data: Entity::Company(data),
        };
        Ok(one.there(entry, &people::facets(&company)))
    }

    async fn group(&self, one: &Written) -> Result<Observed, Error> {
        let path = format!("/api/v2/groups/{}", one.target());
        let Some(group) = self.find::<Group>(path).await? else {
            return Ok(one.found(Presence::Absent, None));
        };
        let members = group.agent_ids.iter();
        let team = Team {
            name: group.name.clone(),
            description: None,
            members: members.map(|id| Reference::to(Kind::Agent, *id)).collect(),
        };
        let entry = Entry::new(Kind::Team, group.id.to_string(), Entity::Team(team));
        Ok(one.there(entry, &teams::group_facets(&group)))
    }

    async fn record(&self, one: &Written) -> Result<Observed, Error> {
        let Some((schema, id)) = record_parts(one.target()) else {
            return Ok(one.found(Presence::Absent, None));
        };
        let path = format!("/api/v2/custom_objects/schemas/{schema}/records/{id}");
        let Some(record) = self.find::<Record>(path).await? else {
            return Ok(one.found(Presence::Absent, None));
        };
        let mut head = Head::new(Kind::CustomObject, one.target().to_owned());
        let values = record.data.iter().filter(|(_, value)| !value.is_null());
        head.fields = values.map(|(name, value)| field(name, value)).collect();
        let found = self.schemas.iter().find(|found| found.id == schema);
        // What stands in a field of the sheet.
        let sheet = |label: &str| {
            let name = &found?.field(label)?.name;
            record.data.get(name).filter(|value| !value.is_null())
        };
        let lookup = |label: &str, kind: Kind| {
            let value = sheet(label)?;
            let id = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            Some(Reference::new(kind, id.clone()).at(id))
        };
        let title = sheet(sheet::TITLE).and_then(Value::as_str);
        let data = CustomObject {
            customer: lookup(sheet::CUSTOMER, Kind::Customer),
            company: lookup(sheet::COMPANY, Kind::Company),
            conversation: lookup(sheet::TICKET, Kind::Conversation),
            ..CustomObject::of(schema.to_string(), title.unwrap_or(&record.display_id))
        };
        let entry = Entry {
            head,
            data: Entity::CustomObject(data),
        };
        Ok(one.there(entry, &objects::record_facets(&record)))
    }
}

fn number(effect: &Effect) -> u64 {
    effect.target_id.parse().unwrap_or_default()
}

/// The parts of a thread in the making.
struct Parts<'a> {
    cx: &'a Context,
    channel: bool,
    parts: Vec<Part>,
}

impl Parts<'_> {
    fn description(&mut self, ticket: &Ticket) {
        let said = Said {
            ticket: ticket.id,
            id: format!("description:{}", ticket.id),
            html: ticket.description.as_deref().unwrap_or_default(),
            author: Reference::to(Kind::Customer, ticket.requester_id),
            public: true,
            at: time(&ticket.created_at),
            files: &ticket.attachments,
        };
        self.add(&said);
    }

    fn note(&mut self, ticket: u64, note: &api::Conversation) {
        let kind = if note.incoming {
            Kind::Customer
        } else {
            Kind::Agent
        };
        let said = Said {
            ticket,
            id: note.id.to_string(),
            html: &note.body,
            author: Reference::to(kind, note.user_id),
            public: !note.private,
            at: time(&note.created_at),
            files: &note.attachments,
        };
        self.add(&said);
    }

    fn add(&mut self, said: &Said<'_>) {
        let (facts, html) = text::opened(said.html);
        let line = Line::read(facts, html);
        if line.own {
            return;
        }
        let plain = text::text_of(html);
        let files = said.files.iter().map(|file| attachment(said, file));
        if line.further
            && let Some(before) = self.parts.last_mut()
            && join(self.cx, before, &plain, said.files.len())
        {
            before.attachments.extend(files);
            return;
        }
        let mut head = Head::new(Kind::Message, said.id.clone());
        // Where Freshdesk shows the time of the call, only the line above a text has the original one.
        let shown = said.at.filter(|_| self.channel);
        let sent_at = line.sent.or(shown);
        head.created_at = sent_at;
        let text = |text: &str| -> Option<Text> { Some(self.cx.blobs().text(text.to_owned())) };
        let message = Message {
            conversation: Some(Reference::to(Kind::Conversation, said.ticket)),
            visibility: if said.public {
                Visibility::Public
            } else {
                Visibility::Internal
            },
            author: Author::Person(said.author.clone()),
            text: text(&plain),
            html: text(html),
            sent_at,
            attachment_count: Some(said.files.len() as u64),
            ..Message::empty()
        };
        self.parts.push(Part {
            message: Entry {
                head,
                data: Entity::Message(message),
            },
            attachments: files.collect(),
        });
    }
}

/// A description or a note as it came back.
struct Said<'a> {
    ticket: u64,
    id: String,
    html: &'a str,
    author: Reference,
    public: bool,
    at: Option<i64>,
    files: &'a [Attachment],
}

fn attachment(said: &Said<'_>, file: &Attachment) -> Entry {
    let url = &file.attachment_url;
    let attachment = types::Attachment {
        conversation: Some(Reference::to(Kind::Conversation, said.ticket)),
        media_type: file.content_type.clone(),
        size: Some(file.size),
        locator: Some(url.clone()),
        ..types::Attachment::of(
            Reference::new(Kind::Message, said.id.as_str()),
            file.name.as_str(),
        )
    };
    let id = file.id.to_string();
    Entry::new(Kind::Attachment, id, Entity::Attachment(attachment))
}

/// Adds a further piece to a message; whether it is one.
fn join(cx: &Context, before: &mut Part, more: &str, files: usize) -> bool {
    let Entity::Message(message) = &mut before.message.data else {
        return false;
    };
    let so_far = message
        .text
        .as_ref()
        .and_then(|text| cx.blobs().read_text(text).ok());
    let Some(so_far) = so_far else { return false };
    if !more.is_empty() {
        message.text = Some(cx.blobs().text(so_far + more));
        message.html = None;
    }
    let count = message.attachment_count.unwrap_or_default();
    message.attachment_count = Some(count + files as u64);
    true
}
