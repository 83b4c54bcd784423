//! A conversation with its messages and files as the ticket that holds it and the activities under it.
//!
//! Every part of a thread has its rule (rule M-3). A public e-mail is an e-mail, a text message a communication, a call a call;
//! what is internal is a note, and so is what was said in a chat or a network, which HubSpot has no activity for: the line above
//! its body says that it was public. Each stands at its own time, to the millisecond; what was said within one is set one apart
//! (rule M-17). An owner is shown as the author; anybody else is named in the line above the body, unless the head of an e-mail
//! does. What of a message no activity has a property for stands in the activity's own source card, what of a conversation in
//! the ticket's (rule M-2).
//!
//! Pure: ids of tickets and files are known to the caller. Not here: sending and looking up (see `write::tickets`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::effects::print;
use transload_sdk::ledger::RefusedEntry;
use transload_sdk::people::mailbox;
use transload_sdk::text::pieces;
use transload_sdk::thread::{
    self, Clock, File, Holds, Unit, began, continued_marker, conversation_of, html_with_lead,
    image_names, is_email, is_incoming, lead, message_card, message_facts, message_part, part_of,
    repoint, spoken, with_lead,
};
use transload_sdk::time;
use transload_sdk::types::{
    Author, Conversation, ConversationStatus, Direction, Entity, Entry, Error, Fidelity, Head,
    Kind, Loss, Message, Reference, Visibility,
};
use transload_sdk::words::{self, Words};

use crate::map::{self, Choices, own_target};
use crate::own::{self, source_id};
use crate::state::{Config, Stage, State};
use crate::text::{self, BODY_CHARS};
use crate::write::tags::values;
use crate::write::{custom_fields, facet};

/// What a thread is.
pub const TICKETS: &str = "tickets";
/// What people are.
pub const CONTACTS: &str = "contacts";
/// What a ticket is called that has no subject: it must have one (HubSpot facts §7).
pub const NO_SUBJECT: &str = "(no subject)";
/// Activities of one ticket. How many links a record may have depends on the plan and is not documented (HubSpot facts §9); ten
/// thousand of one kind is the least that HubSpot is known to take, so a longer thread continues in a linked ticket (rule M-16).
pub const ACTIVITIES_PER_TICKET: usize = 10_000;
/// From a ticket to its contact, and to the ticket that it continues (HubSpot facts §9).
pub const TICKET_TO_CONTACT: u32 = 16;
/// The same between tickets.
pub const TICKET_TO_TICKET: u32 = 452;
/// What the line above a note says that everybody could read.
pub const PUBLIC: &str = "public";

/// What a part of a thread is at HubSpot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// An e-mail.
    Email,
    /// A note.
    Note,
    /// A call.
    Call,
    /// A text message.
    Communication,
}

impl Activity {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Email, Self::Note, Self::Call, Self::Communication];

    /// The object type.
    pub fn object(self) -> &'static str {
        match self {
            Self::Email => "emails",
            Self::Note => "notes",
            Self::Call => "calls",
            Self::Communication => "communications",
        }
    }

    /// The one of an object type.
    pub fn of(object: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.object() == object)
    }

    /// The type of its link to a ticket (HubSpot facts §9).
    pub fn to_ticket(self) -> u32 {
        match self {
            Self::Email => 224,
            Self::Note => 228,
            Self::Call => 220,
            Self::Communication => 83,
        }
    }

    /// The type of its link to a contact (HubSpot facts §9).
    pub fn to_contact(self) -> u32 {
        match self {
            Self::Email => 198,
            Self::Note => 202,
            Self::Call => 194,
            Self::Communication => 81,
        }
    }

    /// The property with its HTML.
    pub fn body(self) -> &'static str {
        match self {
            Self::Email => "hs_email_html",
            Self::Note => "hs_note_body",
            Self::Call => "hs_call_body",
            Self::Communication => "hs_communication_body",
        }
    }
}

/// What the mapping of one thread hangs on beside the thread.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// From `prepare`.
    pub state: &'a State,
    /// Settings.
    pub config: &'a Config,
    /// The unit.
    pub unit: Unit<'a>,
    /// How references and values are said.
    pub words: &'a Words,
    /// Choices of properties.
    pub choices: &'a Choices,
    /// Files, by attachment id.
    pub files: &'a BTreeMap<String, File>,
    /// How much stands under one ticket: [`ACTIVITIES_PER_TICKET`].
    pub activities: usize,
}

/// A ticket to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketDraft {
    /// Its properties.
    pub properties: Map<String, Json>,
    /// The contact it belongs to.
    pub contact: Option<String>,
    /// Whether it continues the first.
    pub continues: bool,
}

/// An activity to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Which part of the item it is: `message:<id>`, `message:<id>#2`, `card:2`, `continues`.
    pub part: String,
    /// What it is.
    pub kind: Activity,
    /// Its properties.
    pub properties: Map<String, Json>,
    /// Who is shown as its author, in words.
    pub author: Option<String>,
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// One, or more where there is more than a ticket should have under it; the later ones continue the first.
    pub tickets: Vec<TicketDraft>,
    /// What stands under each, in order.
    pub children: Vec<Vec<Child>>,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// Files that HubSpot does not take.
    pub refused: Vec<RefusedEntry>,
}

/// A time as HubSpot takes it: ISO, and what no calendar has in milliseconds (HubSpot facts §8).
pub fn timestamp(ms: i64) -> String {
    map::datetime(ms).unwrap_or_else(|| ms.to_string())
}

/// Maps a thread. Files that are not sent yet count as taken; a second call, with what became of them, gives the same tickets
/// and the activities that are to be made.
///
/// # Errors
/// `bug` when the item is no thread.
pub fn map_thread(
    item: &Item,
    thread: &Thread,
    around: &Surroundings<'_>,
) -> Result<Mapped, Error> {
    let conversation = conversation_of(thread)?;
    let (mut losses, mut refused) = (Vec::new(), Vec::new());
    let mut card = Facts::new(around.words.clone());
    card::conversation(&thread.conversation, conversation, &mut card);
    let created = began(thread, around.unit.now);

    let mut said = Said {
        around,
        item,
        refused: &mut refused,
        subject: conversation.subject.as_deref(),
        clock: Clock::new(1),
        number: 0,
        children: Vec::new(),
        card: &mut card,
        losses: &mut losses,
    };
    for (part, message, at) in spoken(thread, created) {
        said.part(part, message, at);
    }
    let (mut children, clock) = (said.children, said.clock);
    if clock.moved() {
        let note = "said within one millisecond: set one apart, to keep the order; exact on the source card";
        losses.push(loss("message.sent-at", Fidelity::Converted, note));
    }

    let whose = customer(conversation, &mut card, &mut losses);
    let mut properties = ticket_properties(
        item,
        thread,
        conversation,
        created,
        around,
        &mut card,
        &mut losses,
    );
    if let Some(owner) = owner(conversation, around, &mut losses) {
        properties.insert("hubspot_owner_id".to_owned(), json!(owner));
    }
    tags(
        conversation,
        around,
        &mut properties,
        &mut card,
        &mut losses,
    );
    let card = card.render(around.unit.platform, item, &thread.conversation, &losses)?;
    let name = around.state.name(TICKETS, own::CARD);
    let (on_ticket, rest) = in_property(&card, if name.is_some() { BODY_CHARS } else { 0 });
    if let Some(name) = name {
        properties.insert(name.to_owned(), json!(on_ticket));
    }
    let ends = clock.end().max(created);
    children.extend(card_notes(rest, item, around, ends));

    let first = TicketDraft {
        properties,
        contact: whose,
        continues: false,
    };
    let (tickets, children) = in_tickets(item, first, children, around);
    if tickets.len() > 1 {
        let note = "more than a ticket should have under it: continues in linked tickets";
        losses.push(loss("conversation.messages", Fidelity::Converted, note));
    }
    Ok(Mapped {
        tickets,
        children,
        losses,
        refused,
    })
}

// ---- the ticket

fn ticket_properties(
    item: &Item,
    thread: &Thread,
    conversation: &Conversation,
    created: i64,
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let head = &thread.conversation.head;
    let state = around.state;
    let mut properties = Map::new();
    let mut set = |name: &str, value: &str| properties.insert(name.to_owned(), json!(value));

    let subject = conversation
        .subject
        .as_deref()
        .filter(|s| !s.trim().is_empty());
    let (short, cut) = transload_sdk::text::cut_utf16(subject.unwrap_or(NO_SUBJECT), BODY_CHARS);
    set("subject", short);
    if cut {
        card.add("subject", subject.unwrap_or_default());
        let note = "longer than a ticket's name holds: whole on the source card";
        losses.push(loss("conversation.subject", Fidelity::Converted, note));
    }
    let said = conversation
        .preview
        .as_deref()
        .filter(|p| !p.trim().is_empty());
    if let Some(preview) = said {
        set(
            "content",
            transload_sdk::text::cut_utf16(preview, BODY_CHARS).0,
        );
    }
    if let Some(stage) = stage(item, conversation, state) {
        set("hs_pipeline", &stage.pipeline);
        set("hs_pipeline_stage", &stage.id);
    }
    let slot = |name: &str| item.value(name).filter(|value| !value.is_empty());
    let priority = conversation.priority.as_ref().map(map::default_priority);
    if let Some(priority) = slot("priority").or(priority) {
        set("hs_ticket_priority", priority);
    }
    let source = conversation
        .channels
        .first()
        .and_then(|channel| default_source(channel));
    let source = source.filter(|source| state.sources.contains(*source));
    if let Some(source) = slot("channel").or(source) {
        set("source_type", source);
    }

    let closed = conversation.closed_at.or(conversation.ended_at);
    if state.ticket_createdate {
        set("createdate", &timestamp(created));
    } else {
        let note = "tickets take no original time here: in a property, and on the source card";
        losses.push(loss("conversation.created-at", Fidelity::Converted, note));
    }
    // Only of a ticket that is closed at once (HubSpot facts §16).
    let is_closed = conversation.status == ConversationStatus::Closed;
    if let Some(closed) = closed.filter(|_| is_closed && state.ticket_closed_date) {
        set("closed_date", &timestamp(closed.max(created)));
    }
    own::values(
        state,
        TICKETS,
        around.unit.run,
        &item.marker,
        head,
        &mut properties,
    );
    let mut say = |key: &'static str, value: Option<String>| {
        if let (Some(name), Some(value)) =
            (state.name(TICKETS, key), value.filter(|v| !v.is_empty()))
        {
            properties.insert(name.to_owned(), json!(value));
        }
    };
    say(own::CREATED_AT, map::datetime(created));
    say(own::CLOSED_AT, closed.and_then(map::datetime));
    say(
        own::SNOOZED_UNTIL,
        conversation.snooze_until.and_then(map::datetime),
    );
    say(
        own::PRIORITY,
        conversation.priority.as_ref().map(map::priority_words),
    );
    say(own::CHANNELS, Some(conversation.channels.join(", ")));
    let brand = conversation.brand.as_ref();
    say(
        own::BRAND,
        brand.map(|brand| words::called(brand).unwrap_or(&brand.id).to_owned()),
    );
    custom_fields(
        TICKETS,
        &head.fields,
        around.choices,
        &mut properties,
        card,
        losses,
    );
    properties
}

/// The stage that the mapping says, or the one of the conversation's status.
fn stage<'s>(item: &Item, conversation: &Conversation, state: &'s State) -> Option<&'s Stage> {
    let said = item
        .value("status")
        .and_then(|value| state.stages.get(value));
    said.or_else(|| {
        state
            .stages
            .get(State::default_status(&conversation.status))
    })
}

/// What a ticket's source is where the mapping says nothing (HubSpot facts §4).
fn default_source(channel: &str) -> Option<&'static str> {
    Some(match channel {
        "email" => "EMAIL",
        "chat" => "CHAT",
        "voice" | "phone" => "PHONE",
        "form" => "FORM",
        _ => return None,
    })
}

/// The contact of a conversation; who has none here is named on the card.
fn customer(
    conversation: &Conversation,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Option<String> {
    let customer = conversation.customer.as_ref()?;
    let contact = contact(customer);
    if contact.is_none() {
        card.add("customer", words::person(customer));
        let note = "not migrated: named on the source card";
        losses.push(loss("conversation.customer", Fidelity::Converted, note));
    }
    contact.map(str::to_owned)
}

/// The contact behind a reference, where there is one.
pub fn contact(reference: &Reference) -> Option<&str> {
    let is_id = |id: &&str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    own_target(reference).filter(is_id)
}

/// Who is in charge: the first assignee, where he is an owner.
fn owner(
    conversation: &Conversation,
    around: &Surroundings<'_>,
    losses: &mut Vec<Loss>,
) -> Option<String> {
    let mut converted = |field: &str, note| losses.push(loss(field, Fidelity::Converted, note));
    if !conversation.teams.is_empty() {
        let note = "on the source card: HubSpot sets a ticket's team by its owner";
        converted("conversation.teams", note);
    }
    let first = conversation.assignees.first()?;
    if conversation.assignees.len() > 1 {
        let note = "further assignees are on the source card";
        converted("conversation.assignees", note);
    }
    let own = map::owner(first);
    if own.is_none() {
        converted(
            "conversation.assignees",
            "named on the source card: no owner here",
        );
    } else if !around.config.assign_owners {
        converted(
            "conversation.assignees",
            "named on the source card: owners are not set",
        );
    }
    own.filter(|_| around.config.assign_owners)
        .map(str::to_owned)
}

/// Tags in their property, or on the card.
fn tags(
    conversation: &Conversation,
    around: &Surroundings<'_>,
    properties: &mut Map<String, Json>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) {
    let (list, mut left) = values(around.config, &conversation.tags);
    match (around.state.name(TICKETS, own::TAGS), list) {
        (Some(name), Some(list)) => {
            properties.insert(name.to_owned(), json!(list));
        }
        (Some(_), None) => {}
        (None, _) => {
            let all = conversation.tags.iter();
            let name = |tag: &Reference| words::called(tag).unwrap_or(&tag.id).to_owned();
            left = all.map(name).collect();
        }
    }
    if !left.is_empty() {
        card.add("tags", left.join(", "));
        let note = "tags without an option, or no property for them: on the source card";
        losses.push(loss("conversation.tags", Fidelity::Converted, note));
    }
}

/// The tickets of a thread and what stands under each: in one, or in as many as it takes.
fn in_tickets(
    item: &Item,
    first: TicketDraft,
    children: Vec<Child>,
    around: &Surroundings<'_>,
) -> (Vec<TicketDraft>, Vec<Vec<Child>>) {
    if children.len() <= around.activities {
        return (vec![first], vec![children]);
    }
    // One says that it goes on, one says what it goes on from.
    let room = around.activities.saturating_sub(2).max(1);
    let subject = first.properties.get("subject").and_then(Json::as_str);
    let subject = subject.unwrap_or_default().to_owned();
    let mut rest = children.into_iter().peekable();
    let mut tickets = vec![first.clone()];
    let mut all: Vec<Vec<Child>> = Vec::new();
    loop {
        let mut some: Vec<Child> = Vec::with_capacity(room + 2);
        let number = all.len() + 1;
        let link = |part: &str, words: &str, to: usize, at: Option<String>| {
            let line = format!(
                "{words} the ticket with source id {}",
                continued_marker(&item.marker, to)
            );
            let part = continued_marker(part, number);
            own_note(&part, &line, "", at, item, around)
        };
        if number > 1 {
            some.push(link(
                "continued",
                "continues",
                number - 1,
                time_of(rest.peek()),
            ));
        }
        some.extend(rest.by_ref().take(room));
        if rest.peek().is_none() {
            all.push(some);
            return (tickets, all);
        }
        let at = time_of(some.last());
        some.push(link("continues", "continues in", number + 1, at));
        all.push(some);
        let mut properties = first.properties.clone();
        let tail = format!(" (part {})", number + 1);
        let (short, _) = transload_sdk::text::cut_utf16(&subject, BODY_CHARS - tail.len());
        properties.insert("subject".to_owned(), json!(format!("{short}{tail}")));
        if let Some(name) = around.state.name(TICKETS, own::SOURCE_ID) {
            let marker = continued_marker(&item.marker, number + 1);
            properties.insert(name.to_owned(), json!(source_id(&marker)));
        }
        if let Some(name) = around.state.name(TICKETS, own::CARD) {
            properties.shift_remove(name);
        }
        tickets.push(TicketDraft {
            properties,
            contact: first.contact.clone(),
            continues: true,
        });
    }
}

fn time_of(child: Option<&Child>) -> Option<String> {
    let time = child?.properties.get("hs_timestamp")?;
    time.as_str().map(str::to_owned)
}

/// A note of the connector's own.
fn own_note(
    part: &str,
    line: &str,
    body: &str,
    at: Option<String>,
    item: &Item,
    around: &Surroundings<'_>,
) -> Child {
    let lead = lead(&[line.to_owned()]);
    let body = html_with_lead(lead.as_deref(), &text::html(body));
    let mut properties = Map::new();
    let at = at.unwrap_or_else(|| timestamp(around.unit.now));
    properties.insert("hs_timestamp".to_owned(), json!(at));
    properties.insert(Activity::Note.body().to_owned(), json!(body));
    let marker = own::part_marker(&item.marker, part);
    marks(Activity::Note, &marker, around, &mut properties);
    Child {
        part: part.to_owned(),
        kind: Activity::Note,
        properties,
        author: None,
    }
}

/// Puts the marker of an activity and the run into it, where there are properties for them.
fn marks(
    kind: Activity,
    marker: &str,
    around: &Surroundings<'_>,
    properties: &mut Map<String, Json>,
) {
    let of_key = |key: &'static str| around.state.name(kind.object(), key);
    if let Some(name) = of_key(own::SOURCE_ID) {
        properties.insert(name.to_owned(), json!(source_id(marker)));
    }
    if let Some(name) = of_key(own::RUN) {
        properties.insert(name.to_owned(), json!(around.unit.run));
    }
}

// ---- the source card

/// What of the card stands in its property, and what is left for notes. What is cut there goes on where it was cut.
fn in_property(card: &str, most: usize) -> (&str, &str) {
    let (kept, cut) = transload_sdk::text::cut_utf16(card, most);
    if !cut {
        return (card, "");
    }
    let line = kept.rfind('\n').map_or(kept.len(), |at| at + 1);
    card.split_at_checked(line).unwrap_or((kept, ""))
}

fn card_notes(rest: &str, item: &Item, around: &Surroundings<'_>, at: i64) -> Vec<Child> {
    if rest.is_empty() {
        return Vec::new();
    }
    // No character takes more than six of HTML; the line above takes some.
    let pieces = pieces(rest, BODY_CHARS / 6 - 100);
    // The first piece stands in its property.
    let count = pieces.len() + 1;
    let note = |(index, piece): (usize, &str)| {
        let line = format!("source card, {}", part_of(index + 2, count));
        let part = format!("card:{}", index + 2);
        own_note(&part, &line, piece, Some(timestamp(at)), item, around)
    };
    pieces.into_iter().enumerate().map(note).collect()
}

// ---- what was said

struct Said<'a, 's> {
    around: &'a Surroundings<'s>,
    item: &'a Item,
    refused: &'a mut Vec<RefusedEntry>,
    subject: Option<&'a str>,
    clock: Clock,
    number: usize,
    children: Vec<Child>,
    card: &'a mut Facts,
    losses: &'a mut Vec<Loss>,
}

/// What of a part's files an activity takes along, and what the text says of the others.
#[derive(Default)]
struct Files {
    ids: Vec<String>,
    images: Vec<(String, String)>,
    any: bool,
}

impl Said<'_, '_> {
    /// The activities of one part: none for what is skipped, several for a long text.
    fn part(&mut self, part: &destination::Part, message: &Message, sent: i64) {
        let head = &part.message.head;
        let config = self.around.config;
        if let Some(why) = thread::skipped(head, message, config.spam, config.events) {
            thread::skip(head, why, self.card, self.losses);
            return;
        }
        self.number += 1;
        let mut facts = Vec::new();
        let mut files = Files::default();
        for entry in &part.attachments {
            self.file(entry, &mut files, &mut facts);
        }
        let kind = kind_of(message);
        let is_public = is_public(message);
        let at = self.clock.at(sent);
        let mut properties = Map::new();
        let mut set = |name: &str, value: String| properties.insert(name.to_owned(), json!(value));
        set("hs_timestamp", timestamp(at));
        if !files.ids.is_empty() {
            set("hs_attachment_ids", files.ids.join(";"));
        }
        let stand_in = self.around.state.stand_in.as_str();
        let (owner, named) = map::author(&message.author, stand_in);
        if let Some(owner) = owner {
            set("hubspot_owner_id", owner.to_owned());
        }

        let mut above = Vec::new();
        let mut holds = Holds::Text;
        let mut is_named = named.is_none();
        match kind {
            Activity::Email => {
                let (headers, all_fit) = headers(message);
                // The head of an e-mail says who of the customers wrote it; one of the staff is named as everywhere.
                is_named |= headers.contains_key("from") && is_customer(&message.author);
                if all_fit {
                    holds = Holds::Email;
                }
                set("hs_email_direction", direction_of(message).to_owned());
                set("hs_email_status", "SENT".to_owned());
                let own = message
                    .subject
                    .as_deref()
                    .or(self.subject)
                    .unwrap_or_default();
                set(
                    "hs_email_subject",
                    transload_sdk::text::cut_utf16(own, BODY_CHARS).0.to_owned(),
                );
                set("hs_email_headers", Json::Object(headers).to_string());
            }
            Activity::Call => call(message, &mut set),
            Activity::Communication => {
                let is_whatsapp = message.channel.as_deref() == Some("whatsapp");
                let word = if is_whatsapp { "WHATS_APP" } else { "SMS" };
                set("hs_communication_channel_type", word.to_owned());
                set("hs_communication_logged_from", "CRM".to_owned());
            }
            Activity::Note => {}
        }
        if kind == Activity::Note && is_public {
            above.push(PUBLIC.to_owned());
        }
        if is_public && kind != Activity::Email {
            above.extend(manner(message));
        } else if kind == Activity::Email {
            let other = message
                .channel
                .as_ref()
                .filter(|channel| *channel != "email");
            above.extend(other.map(|channel| format!("via {channel}")));
        }
        if let Some(name) = named.filter(|_| !is_named) {
            above.push(format!("written by {name}"));
            let note = "no owner here: named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        message_facts(message, self.card.words(), &mut above);
        above.extend(facts);
        let marker = format!("{}message:{}", self.around.unit.prefix, head.id);
        marks(kind, &marker, self.around, &mut properties);
        self.own_fields(kind, head, message, holds, at != sent, &mut properties);
        self.bodies(part, message, kind, above, &files, properties);
    }

    fn file(&mut self, entry: &Entry, files: &mut Files, facts: &mut Vec<String>) {
        let Entity::Attachment(attachment) = &entry.data else {
            return;
        };
        files.any = true;
        let file = self.around.files.get(&entry.head.id);
        match file {
            Some(File::There { id, url }) => {
                files.ids.push(id.clone());
                if !url.is_empty() {
                    files.images.extend(image_names(attachment, url));
                }
            }
            _ => File::missing(file, self.item, entry, facts, self.losses, self.refused),
        }
    }

    /// Custom fields by type; what else is known of a message on the activity's own card, or the ticket's.
    fn own_fields(
        &mut self,
        kind: Activity,
        head: &Head,
        message: &Message,
        holds: Holds,
        moved: bool,
        properties: &mut Map<String, Json>,
    ) {
        let around = self.around;
        let mut rest = head.clone();
        for field in std::mem::take(&mut rest.fields) {
            match map::place(kind.object(), &field, around.choices, around.words) {
                Ok((target, value)) => {
                    properties.insert(target.name, value);
                }
                Err(_) => rest.fields.push(field),
            }
        }
        let words = self.card.words().clone();
        let mut facts = message_card(&rest, message, self.subject, holds, &words, self.losses);
        let sent = message.sent_at.map(exact).map(|at| format!("sent {at}"));
        facts.retain(|fact| moved || Some(fact) != sent.as_ref());
        if moved && holds == Holds::Email {
            let at = message.sent_at.or(head.created_at).map(exact);
            facts.extend(at.map(|at| format!("at {at}")));
        }
        if holds == Holds::Email {
            let id = message.message_id.as_ref();
            facts.extend(id.map(|id| format!("message-id {id}")));
        }
        // What the source gives no slot for is on the card of what it belongs to.
        for raw in &head.raw {
            facts.push(format!("{} {}", raw.name, raw.json));
        }
        let bare = format!("id {}", head.id);
        if facts.iter().all(|fact| *fact == bare) {
            return;
        }
        if holds == Holds::Email {
            facts.insert(0, bare);
        }
        match around.state.name(kind.object(), own::CARD) {
            Some(name) if text::chars(&facts.join("\n")) <= BODY_CHARS => {
                properties.insert(name.to_owned(), json!(facts.join("\n")));
            }
            _ => self.card.message(self.number, &facts),
        }
    }

    /// The bodies of an activity; those that are too long for one go on in further ones.
    fn bodies(
        &mut self,
        part: &destination::Part,
        message: &Message,
        kind: Activity,
        mut facts: Vec<String>,
        files: &Files,
        properties: Map<String, Json>,
    ) {
        let is_mail = kind == Activity::Email;
        let unit = &self.around.unit;
        let (plain, html) = (unit.plain(message), unit.html(message));
        if plain.is_none() && html.is_none() && facts.is_empty() && !files.any {
            facts.push("no text in the source".to_owned());
        }
        let line = lead(&facts);
        let whole = html.map(|html| html_with_lead(line.as_deref(), &repoint(html, &files.images)));
        let fitting = whole.filter(|body| text::chars(body) <= BODY_CHARS);
        if html.is_some() && fitting.is_none() {
            let note = "HTML too long for an activity: carried as plain text, and as a file";
            self.losses
                .push(loss("message.html", Fidelity::Converted, note));
        }
        let rendered = html
            .filter(|_| plain.is_none() && fitting.is_none())
            .map(transload_sdk::text::html_to_search_text);
        let body = plain.or(rendered.as_deref()).unwrap_or("");
        let mut first = properties.clone();
        if let Some(body) = &fitting {
            first.insert(kind.body().to_owned(), json!(body));
        }
        let texts = match (is_mail, &fitting) {
            (true, Some(_)) if plain.is_none() => vec![String::new()],
            (true, _) => {
                let whole = with_lead(line.as_deref(), body);
                if text::chars(&whole) <= BODY_CHARS {
                    vec![whole]
                } else if fitting.is_some() {
                    let note = "plain text too long for an e-mail that has HTML: the HTML is there";
                    self.losses
                        .push(loss("message.text", Fidelity::Converted, note));
                    vec![String::new()]
                } else {
                    text::bodies(&facts, body, BODY_CHARS)
                }
            }
            (false, Some(_)) => {
                if plain.is_some() {
                    let note = "an activity has one body, which is the HTML";
                    self.losses
                        .push(loss("message.text", Fidelity::Converted, note));
                }
                vec![String::new()]
            }
            (false, None) => text::html_bodies(&facts, body, BODY_CHARS),
        };
        if texts.len() > 1 {
            let note = "longer than an activity holds: stands in several";
            self.losses
                .push(loss("message.text", Fidelity::Converted, note));
        }
        let name = if is_mail {
            "hs_email_text"
        } else {
            kind.body()
        };
        for (index, body) in texts.into_iter().enumerate() {
            let mut piece = if index == 0 {
                first.clone()
            } else {
                properties.clone()
            };
            if !body.is_empty() {
                piece.insert(name.to_owned(), json!(body));
            }
            if index > 0 {
                self.as_further(part, kind, index + 1, &mut piece);
            }
            let shown = piece.contains_key("hubspot_owner_id");
            self.children.push(Child {
                part: message_part(part, index + 1),
                kind,
                properties: piece,
                author: shown.then(|| words::author(&message.author)),
            });
        }
    }

    /// What the n-th activity of a long text has otherwise than the first.
    fn as_further(
        &mut self,
        part: &destination::Part,
        kind: Activity,
        n: usize,
        properties: &mut Map<String, Json>,
    ) {
        let marker = format!(
            "{}message:{}",
            self.around.unit.prefix, part.message.head.id
        );
        marks(kind, &continued_marker(&marker, n), self.around, properties);
        let at = timestamp(self.clock.follow());
        properties.insert("hs_timestamp".to_owned(), json!(at));
        properties.shift_remove("hs_attachment_ids");
        if let Some(card) = self.around.state.name(kind.object(), own::CARD) {
            properties.shift_remove(card);
        }
    }
}

/// What a message becomes.
pub fn kind_of(message: &Message) -> Activity {
    if !is_public(message) {
        return Activity::Note;
    }
    match message.channel.as_deref() {
        Some("sms" | "whatsapp") => Activity::Communication,
        Some("voice" | "phone") => Activity::Call,
        _ if message.call.is_some() => Activity::Call,
        _ if is_email(message) => Activity::Email,
        _ => Activity::Note,
    }
}

/// Whether customers could read it. A forwarded e-mail went to somebody else.
fn is_public(message: &Message) -> bool {
    message.visibility == Visibility::Public && !message.forwarded
}

/// Which way something went, and through which channel.
fn manner(message: &Message) -> Option<String> {
    let way = match message.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::None => "",
    };
    let via = message
        .channel
        .as_ref()
        .map(|channel| format!("via {channel}"));
    let words: Vec<&str> = [way, via.as_deref().unwrap_or_default()]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// HubSpot facts §8.
fn direction_of(message: &Message) -> &'static str {
    if is_incoming(message) {
        "INCOMING_EMAIL"
    } else {
        "EMAIL"
    }
}

fn is_customer(author: &Author) -> bool {
    matches!(author, Author::Person(person) if person.kind == Kind::Customer)
}

/// A time to the millisecond.
fn exact(ms: i64) -> String {
    time::format_utc(ms).unwrap_or_else(|| ms.to_string())
}

/// What of a call has properties (HubSpot facts §8).
fn call(message: &Message, set: &mut impl FnMut(&str, String) -> Option<Json>) {
    set(
        "hs_call_title",
        message.subject.clone().unwrap_or_else(|| "Call".to_owned()),
    );
    let way = if is_incoming(message) {
        "INBOUND"
    } else {
        "OUTBOUND"
    };
    set("hs_call_direction", way.to_owned());
    for (name, number) in [
        ("hs_call_from_number", message.sender.as_ref()),
        ("hs_call_to_number", message.to.first()),
    ] {
        if let Some(number) = number.filter(|number| !number.trim().is_empty()) {
            set(name, number.clone());
        }
    }
    let Some(call) = &message.call else {
        return;
    };
    if let Some(duration) = call.duration_ms {
        set("hs_call_duration", duration.to_string());
    }
    if let Some(status) = call.status.as_deref().and_then(call_status) {
        set("hs_call_status", status.to_owned());
    }
    let url = call.recording_url.as_ref();
    if let Some(url) = url.filter(|url| url.starts_with("https://")) {
        set("hs_call_recording_url", url.clone());
    }
}

/// HubSpot's word for how a call ended, where it is certain.
fn call_status(status: &str) -> Option<&'static str> {
    let plain: String = status.to_uppercase().replace(['-', ' '], "_");
    Some(match plain.as_str() {
        "BUSY" => "BUSY",
        "CANCELED" | "CANCELLED" => "CANCELED",
        "COMPLETED" | "ENDED" | "ANSWERED" => "COMPLETED",
        "FAILED" => "FAILED",
        "NO_ANSWER" | "MISSED" | "UNANSWERED" => "NO_ANSWER",
        _ => return None,
    })
}

/// The head of an e-mail, and whether all that it should name is in it (HubSpot facts §8).
fn headers(message: &Message) -> (Map<String, Json>, bool) {
    let mut all_fit = true;
    let mut headers = Map::new();
    let (written, address) = message.sender.as_deref().map_or((None, None), mailbox);
    all_fit &= message.sender.is_none() || address.is_some();
    if let Some(address) = address {
        let name = match &message.author {
            Author::Person(person) => words::called(person).map(str::to_owned),
            Author::Name(name) => Some(name.clone()).filter(|name| !name.trim().is_empty()),
            Author::System => None,
        };
        headers.insert("from".to_owned(), mailbox_of(address, name.or(written)));
    }
    for (field, list) in [
        ("to", &message.to),
        ("cc", &message.cc),
        ("bcc", &message.bcc),
    ] {
        let mut people = Vec::new();
        for one in list {
            match mailbox(one) {
                (name, Some(address)) => people.push(mailbox_of(address, name)),
                (_, None) => all_fit = false,
            }
        }
        headers.insert(field.to_owned(), Json::Array(people));
    }
    (headers, all_fit)
}

/// A name in one is the first name: nobody can tell where a first name ends.
fn mailbox_of(address: String, name: Option<String>) -> Json {
    match name {
        Some(name) => json!({"email": address, "firstName": name}),
        None => json!({"email": address}),
    }
}

/// What stands for an activity that HubSpot does not take: a note with the same text, that says what it was.
pub fn as_note(child: &Child, said: &str) -> Option<Child> {
    if child.kind == Activity::Note {
        return None;
    }
    let field = |name: &str| child.properties.get(name).and_then(Json::as_str);
    let mut facts = vec![
        PUBLIC.to_owned(),
        format!(
            "one of HubSpot's {} that it did not take: {said}",
            child.kind.object()
        ),
    ];
    for name in ["hs_email_direction", "hs_email_subject", "hs_email_headers"] {
        facts.extend(field(name).map(|value| format!("{name} {value}")));
    }
    let (before, body) = match (field(child.kind.body()), field("hs_email_text")) {
        (Some(html), _) => {
            let (before, body) = text::html_without_lead(html);
            (before, body.to_owned())
        }
        (None, Some(plain)) => {
            let (before, body) = thread::without_lead(plain);
            (before.map(str::to_owned), text::html(body))
        }
        (None, None) => (None, String::new()),
    };
    facts.extend(before);
    let body = html_with_lead(lead(&facts).as_deref(), &body);
    if text::chars(&body) > BODY_CHARS {
        return None;
    }
    let mut properties: Map<String, Json> = child
        .properties
        .iter()
        .filter(|(name, _)| !name.starts_with("hs_email") && !name.starts_with("hs_call"))
        .filter(|(name, _)| !name.starts_with("hs_communication"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    properties.insert(Activity::Note.body().to_owned(), json!(body));
    Some(Child {
        part: format!("{}/note", child.part),
        kind: Activity::Note,
        properties,
        author: child.author.clone(),
    })
}

/// An activity whose author HubSpot does not take: he is named above its text.
pub fn without_owner(mut child: Child) -> Child {
    child.properties.shift_remove("hubspot_owner_id");
    let Some(name) = child.author.take() else {
        return child;
    };
    let by = format!("written by {name}");
    for property in [child.kind.body(), "hs_email_text"] {
        let Some(body) = child.properties.get(property).and_then(Json::as_str) else {
            continue;
        };
        let named = if property == "hs_email_text" {
            let (before, rest) = thread::without_lead(body);
            let facts: Vec<String> = before
                .map(str::to_owned)
                .into_iter()
                .chain([by.clone()])
                .collect();
            with_lead(lead(&facts).as_deref(), rest)
        } else {
            let (before, rest) = text::html_without_lead(body);
            let facts: Vec<String> = before.into_iter().chain([by.clone()]).collect();
            html_with_lead(lead(&facts).as_deref(), rest)
        };
        child.properties.insert(property.to_owned(), json!(named));
    }
    child
}

// ---- fingerprints

/// What of an activity is compared before an undo: what was said, when, and with which files. What HubSpot derives, and the head
/// of an e-mail, which it writes anew, are not.
pub const FACETS: [&str; 8] = [
    "hs_timestamp",
    "hs_attachment_ids",
    "hs_email_subject",
    "hs_email_text",
    "hs_email_html",
    "hs_note_body",
    "hs_call_body",
    "hs_communication_body",
];

/// Facets of an activity as it was sent or is read.
pub fn facets(properties: &Map<String, Json>) -> Vec<(String, String)> {
    let is_compared = |name: &str| FACETS.contains(&name);
    let facets = properties
        .iter()
        .filter(|(name, value)| is_compared(name) && !value.is_null());
    facets
        .map(|(name, value)| {
            let value = match value.as_str() {
                Some(time) if name == "hs_timestamp" => {
                    map::parse_datetime(time).map_or_else(|| time.to_owned(), |ms| ms.to_string())
                }
                _ => facet(value),
            };
            (name.clone(), value)
        })
        .collect()
}

/// The print of an activity that was sent.
pub fn child_print(child: &Child) -> String {
    print(&facets(&child.properties))
}
