//! A conversation with its messages and files as the tickets that hold it: a description and notes.
//!
//! Every part of a thread has its rule (rule M-3). The customer's own first message is the description, whose author is always
//! the requester; everything else is a note in the order of the original, by whoever wrote it. Nothing is a reply: those are
//! mailed (Freshdesk facts §12). What neither can show stands in the line above a body, the original time among it where the
//! account does not take times; what a ticket has no field for stands on the source card, a field of the ticket or private
//! notes at the end (rule M-2). Pure: ids of tickets and notes are known to the caller. Not here: sending and looking up (see
//! `write::tickets`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use transload_sdk::card::{self, Facts, fitted, loss};
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::policy::canonical;
use transload_sdk::thread::{
    Holds, Requester, Unit, add_fact, began, called_part_of, continued_marker, conversation_of,
    file_name, image_names, is_further_part, message_card, message_facts, message_part, part_of,
    sendable, skip, skipped, subject, tag_targets,
};
use transload_sdk::time;
use transload_sdk::types::{
    Author, BlobRef, Conversation, Entity, Entry, Error, Fidelity, Kind, Loss, Message, Visibility,
};
use transload_sdk::words::{self, Words, placeholder_name};

use crate::api;
use crate::map::{self, Owner, PARAGRAPH_BYTES, TEXT_CHARS};
use crate::state::{Config, FILE_BYTES, State, own_field};
use crate::text::{self, BODY_BYTES, SUBJECT_CHARS};

/// Notes of one ticket. Freshdesk names no limit; a ticket with more takes more than fifty calls to read, and a longer thread
/// continues in a linked one (rule M-16).
pub const NOTES_PER_TICKET: usize = 5_000;
/// Bytes of the line above a body that are set aside for it where a long text is cut.
const LEAD_BYTES: usize = 4_000;
/// What stands in a description that is nobody's message.
const OPENING: &str = "the messages of this conversation follow as notes";
/// What the line above a piece of the source card begins with.
const CARD: &str = "source card";
/// What the lines that link the tickets of a long thread begin with.
const CONTINUES: &str = "continues ";
/// What the line above a message begins with where Freshdesk does not show its time.
const SENT: &str = "sent ";
/// A subject that the source does not have, since a ticket must have one (Freshdesk facts §12).
pub const NO_SUBJECT: &str = "(no subject)";

/// Of a field that sits on something else.
const NOT_ON_TICKETS: card::Misfit = card::Misfit("has no field on tickets: on the source card");

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
    /// Choices of ticket fields that have some, by the field's name.
    pub choices: &'a BTreeMap<String, Vec<String>>,
    /// How many notes a ticket has: [`NOTES_PER_TICKET`].
    pub notes: usize,
}

/// A file on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// The source's id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its bytes.
    pub content: BlobRef,
    /// What the HTML of its message may call it.
    pub called: Vec<String>,
}

/// A description or a note to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Which part of the item it is: `message:<id>`, `message:<id>#2`, `message:<id>/file:<id>`, `card:1`, `continues`.
    pub part: String,
    /// Who wrote it, in words, should Freshdesk not take the author.
    pub who: String,
    /// User id of the author.
    pub author: u64,
    /// Whether the customer may see it.
    pub public: bool,
    /// Whether it is shown as coming from the customer.
    pub incoming: bool,
    /// When it was said, ms.
    pub at: i64,
    /// What the line above it says.
    pub facts: Vec<String>,
    /// HTML below the line.
    pub html: String,
    /// What hangs on it.
    pub files: Vec<File>,
}

impl Said {
    /// Whether it is of a message.
    pub fn is_message(&self) -> bool {
        self.part.starts_with("message:")
    }

    /// HTML as it is sent.
    pub fn body(&self) -> String {
        text::wrapped(&self.facts, &self.html)
    }

    /// One more fact for the line, before the number of a piece, which ends it.
    pub fn also(&mut self, fact: String) {
        add_fact(&mut self.facts, fact);
    }

    /// By what it is known again among the notes of its ticket.
    pub fn known_by(&self, channel: bool) -> String {
        known_by(
            self.public,
            channel.then(|| map::iso(self.at)),
            &self.body(),
        )
    }
}

/// What tells one note of a ticket from another: not what its line says of files, which is known only when it is made.
/// `at` is its time where that is the original's.
pub fn known_by(public: bool, at: Option<String>, body: &str) -> String {
    let (facts, html) = text::opened(body);
    let telling = |fact: &&str| {
        let own = [SENT, CARD, CONTINUES, "part ", FURTHER];
        own.iter().any(|own| fact.starts_with(own))
    };
    let facts: Vec<&str> = facts
        .unwrap_or_default()
        .split("; ")
        .filter(telling)
        .collect();
    let at = at.unwrap_or_default();
    format!("{public} {at} {} {}", facts.join("; "), text::letters(html))
}

/// What the line above files begins with that go on with those of the note before.
const FURTHER: &str = "further files";

/// A ticket to be made, with its notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What it is known by.
    pub marker: String,
    /// Attributes but for description and times.
    pub fields: Map<String, Json>,
    /// The description.
    pub opening: Said,
    /// Everything else, in order.
    pub notes: Vec<Said>,
    /// When the conversation began, ms.
    pub created: i64,
    /// When it was touched last, ms.
    pub updated: i64,
    /// What it ends with. A ticket that is finished is made open, and closed when all of it is there.
    pub status: u32,
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// One, or more where there are more notes than a ticket should have; the later ones continue the first (rule M-16).
    pub tickets: Vec<Draft>,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// When the source touched it last, ms: by that it is known whether it changed since.
    pub updated: i64,
}

/// Maps a thread.
///
/// # Errors
/// `bug` when the item is no thread.
pub fn map_thread(
    item: &Item,
    thread: &Thread,
    around: &Surroundings<'_>,
) -> Result<Mapped, Error> {
    let head = &thread.conversation.head;
    let conversation = conversation_of(thread)?;
    let mut losses = Vec::new();
    let mut card = Facts::new(around.words.clone());
    let requester = Requester::of(
        conversation,
        around.state.stand_in_requester,
        &mut card,
        &mut losses,
    );
    card::conversation(&thread.conversation, conversation, &mut card);
    let created = began(thread, around.unit.now);

    let mut speech = Speech {
        around,
        requester: &requester,
        subject: conversation.subject.as_deref(),
        last: created,
        number: 0,
        said: Vec::new(),
        card: &mut card,
        losses: &mut losses,
    };
    for part in &thread.parts {
        if let Entity::Message(message) = &part.message.data {
            speech.part(part, message);
        }
    }
    let (mut said, last) = (speech.said, speech.last);
    let updated = [head.updated_at, conversation.last_activity_at, Some(last)];
    let updated = updated.into_iter().flatten().fold(created, i64::max);
    if !around.state.channel {
        let note = "the account does not take original times: in fields, and above each text";
        losses.push(loss("conversation.created-at", Fidelity::Converted, note));
    }

    let mut fields = ticket_fields(item, conversation, &requester, &mut card, &mut losses);
    let custom = custom_fields(
        item,
        thread,
        conversation,
        created,
        around,
        &mut card,
        &mut losses,
    );
    fields.insert("custom_fields".to_owned(), Json::Object(custom));
    let tags = tags(conversation, around, &mut card, &mut losses);
    fields.insert("tags".to_owned(), json!(tags));
    let status = slot(item, "status").unwrap_or_else(|| map::default_status(&conversation.status));

    let card = card.render(around.unit.platform, item, &thread.conversation, &losses)?;
    let in_field = around.state.field(Owner::Ticket, own_field::CARD);
    let (on_ticket, cut) = fitted(&card, PARAGRAPH_BYTES);
    if let Some(field) = in_field
        && let Some(Json::Object(custom)) = fields.get_mut("custom_fields")
    {
        custom.insert(field.to_owned(), json!(on_ticket));
    }

    let opening = opening(&mut said, &requester, created, around);
    if in_field.is_none() || cut {
        said.extend(card_notes(&card, around, last));
    }
    let first = Draft {
        marker: item.marker.clone(),
        fields,
        opening,
        notes: Vec::new(),
        created,
        updated,
        status,
    };
    let tickets = in_tickets(first, said, around);
    if tickets.len() > 1 {
        let note = "more notes than a ticket should have: continues in linked tickets";
        losses.push(loss("conversation.messages", Fidelity::Converted, note));
    }
    Ok(Mapped {
        tickets,
        losses,
        updated,
    })
}

/// Whether a status is that of a finished ticket (Freshdesk facts §5).
pub fn is_finished(status: u32) -> bool {
    matches!(status, 4 | 5)
}

fn slot(item: &Item, name: &str) -> Option<u32> {
    item.value(name).and_then(|value| value.parse().ok())
}

/// A time as Freshdesk takes it where it takes any: not in the future.
fn acceptable(ms: i64, around: &Surroundings<'_>) -> i64 {
    ms.min(around.unit.now)
}

// ---- the ticket

fn ticket_fields(
    item: &Item,
    conversation: &Conversation,
    requester: &Requester,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let mut fields = Map::new();
    let mut set = |name: &str, value: Json| fields.insert(name.to_owned(), value);
    let called = subject(conversation, SUBJECT_CHARS, NO_SUBJECT, card, losses);
    set("subject", json!(called));
    let mut converted = |field: &str, note| losses.push(loss(field, Fidelity::Converted, note));
    set("requester_id", json!(requester.id));
    let priority = slot(item, "priority");
    let priority = priority.or_else(|| conversation.priority.as_ref().map(map::default_priority));
    set("priority", json!(priority.unwrap_or(1)));
    let source = slot(item, "channel");
    let channel = conversation.channels.first().map(String::as_str);
    set(
        "source",
        json!(source.unwrap_or_else(|| default_source(channel))),
    );

    let assignee = conversation.assignees.first();
    if let Some(id) = assignee.and_then(map::numeric_target) {
        set("responder_id", json!(id));
    } else if assignee.is_some() {
        let note = "named on the source card: no agent here";
        converted("conversation.assignees", note);
    }
    if conversation.assignees.len() > 1 {
        let note = "further assignees are on the source card";
        converted("conversation.assignees", note);
    }
    let team = conversation.teams.first();
    if let Some(id) = team.and_then(map::numeric_target) {
        set("group_id", json!(id));
    } else if team.is_some() {
        let note = "on the source card: the team was not migrated";
        converted("conversation.teams", note);
    }
    if conversation.teams.len() > 1 {
        converted("conversation.teams", "further teams are on the source card");
    }
    if let Some(brand) = &conversation.brand {
        match map::numeric_target(brand) {
            Some(id) => {
                set("product_id", json!(id));
            }
            None => {
                let note = "no product of its name: on the source card";
                converted("conversation.brand", note);
            }
        }
    }
    fields
}

/// A ticket's source where the mapping says nothing: e-mail, telephone, portal, and chat for whatever else is written (Freshdesk
/// facts §5).
fn default_source(channel: Option<&str>) -> u32 {
    match channel {
        Some("email") => 1,
        Some("voice" | "phone" | "call") => 3,
        Some("form" | "web" | "portal") | None => 2,
        Some(_) => 7,
    }
}

fn custom_fields(
    item: &Item,
    thread: &Thread,
    conversation: &Conversation,
    created: i64,
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let head = &thread.conversation.head;
    let mut fields = Map::new();
    let mut own = |key: &str, value: Option<String>| {
        let name = around.state.field(Owner::Ticket, key);
        if let (Some(name), Some(value)) = (name, value) {
            fields.insert(name.to_owned(), json!(value));
        }
    };
    let closed = conversation.closed_at.or(conversation.ended_at);
    own(own_field::MARKER, Some(item.marker.clone()));
    own(own_field::RUN, Some(around.unit.run.to_owned()));
    // A longer one is on the card.
    let url = head.url.clone();
    own(
        own_field::SOURCE_URL,
        url.filter(|url| url.chars().count() <= TEXT_CHARS),
    );
    own(own_field::CREATED, around.words.day(created));
    own(
        own_field::CLOSED,
        closed.and_then(|at| around.words.day(at)),
    );
    card.place(&head.fields, losses, |field, words| {
        let (target, value) = map::place(field, around.choices, words)?;
        if target.on != Some(Owner::Ticket) {
            return Err(NOT_ON_TICKETS);
        }
        fields.insert(target.name, value.json);
        if let (Some(name), Some(text)) = (target.exact, value.exact) {
            fields.insert(name, json!(text));
        }
        Ok(true)
    });
    fields
}

/// Tags by what they became, and one that says where the ticket came from.
fn tags(
    conversation: &Conversation,
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> BTreeSet<String> {
    let mut tags = tag_targets(conversation, card, losses);
    tags.insert(source_tag(around.unit.platform));
    tags
}

/// The tag of all tickets of a platform.
pub fn source_tag(platform: &str) -> String {
    map::tag(&format!("imported_{platform}"))
}

/// The description: the customer's own first message, or a line that says where the messages are.
fn opening(
    said: &mut Vec<Said>,
    requester: &Requester,
    created: i64,
    around: &Surroundings<'_>,
) -> Said {
    let is_theirs = said
        .first()
        .is_some_and(|first| first.public && first.incoming && first.author == requester.id);
    if !is_theirs {
        return own("opening", requester.id, created, vec![OPENING.to_owned()]);
    }
    let mut first = said.remove(0);
    // A description shows the time of its ticket.
    if around.state.channel && map::iso(first.at) != map::iso(created) {
        first.facts.insert(0, sent(first.at));
    }
    first
}

fn sent(at: i64) -> String {
    let exact = time::format_utc(at).unwrap_or_else(|| map::iso(at));
    format!("{SENT}{exact}")
}

/// A line of the connector's own.
fn own(part: &str, author: u64, at: i64, facts: Vec<String>) -> Said {
    Said {
        part: part.to_owned(),
        who: String::new(),
        author,
        public: false,
        incoming: false,
        at,
        facts,
        html: String::new(),
        files: Vec::new(),
    }
}

/// The card as private notes, as many as it takes.
fn card_notes(card: &str, around: &Surroundings<'_>, at: i64) -> Vec<Said> {
    let pieces = text::pieces(card, BODY_BYTES - LEAD_BYTES);
    let count = pieces.len();
    let note = |(index, piece): (usize, &&str)| {
        let line = called_part_of(CARD, index + 1, count);
        Said {
            html: text::html_of(piece),
            ..own(
                &format!("card:{}", index + 1),
                around.state.me,
                at,
                vec![line],
            )
        }
    };
    pieces.iter().enumerate().map(note).collect()
}

/// The tickets of a thread: one, or as many as it takes.
fn in_tickets(first: Draft, notes: Vec<Said>, around: &Surroundings<'_>) -> Vec<Draft> {
    if notes.len() <= around.notes {
        return vec![Draft { notes, ..first }];
    }
    // One says that it goes on.
    let room = around.notes.saturating_sub(1).max(1);
    let mut rest = notes.into_iter().peekable();
    let mut tickets = Vec::new();
    let mut draft = first.clone();
    loop {
        draft.notes = rest.by_ref().take(room).collect();
        let number = tickets.len() + 2;
        let at = draft.notes.last().map_or(draft.created, |note| note.at);
        if rest.peek().is_none() {
            tickets.push(draft);
            return tickets;
        }
        let next = continued_marker(&first.marker, number);
        let line = format!("{CONTINUES}in the ticket with source id {next}");
        draft
            .notes
            .push(own("continues", around.state.me, at, vec![line]));
        tickets.push(draft);
        draft = following(&first, next, number, around);
    }
}

fn following(first: &Draft, marker: String, number: usize, around: &Surroundings<'_>) -> Draft {
    let mut fields = first.fields.clone();
    let tail = format!(" (part {number})");
    let subject = fields
        .get("subject")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let (short, _) = text::cut(subject, SUBJECT_CHARS - tail.len());
    let subject = format!("{short}{tail}");
    fields.insert("subject".to_owned(), json!(subject));
    if let Some(Json::Object(custom)) = fields.get_mut("custom_fields") {
        let name = |key| around.state.field(Owner::Ticket, key);
        if let Some(name) = name(own_field::MARKER) {
            custom.insert(name.to_owned(), json!(marker));
        }
        if let Some(name) = name(own_field::CARD) {
            custom.remove(name);
        }
    }
    let requester = fields.get("requester_id").and_then(Json::as_u64);
    let line = format!("{CONTINUES}the ticket with source id {}", first.marker);
    let part = format!("opening#{number}");
    Draft {
        marker,
        fields,
        opening: own(
            &part,
            requester.unwrap_or_default(),
            first.created,
            vec![line],
        ),
        notes: Vec::new(),
        ..first.clone()
    }
}

// ---- what was said

struct Speech<'a, 's> {
    around: &'a Surroundings<'s>,
    requester: &'a Requester,
    subject: Option<&'a str>,
    /// When the part before was said: what has no time of its own was said then.
    last: i64,
    number: usize,
    said: Vec<Said>,
    card: &'a mut Facts,
    losses: &'a mut Vec<Loss>,
}

/// Who is shown as the author of a part.
struct By {
    id: u64,
    incoming: bool,
    /// Who it was, where somebody stands in.
    named: Option<String>,
}

impl Speech<'_, '_> {
    /// The notes of one part: none for what is skipped, several for a long text or many files.
    fn part(&mut self, part: &destination::Part, message: &Message) {
        let head = &part.message.head;
        let around = self.around;
        if let Some(why) = skipped(head, message, around.config.spam, around.config.events) {
            skip(head, why, self.card, self.losses);
            return;
        }
        let at = message.sent_at.or(head.created_at).unwrap_or(self.last);
        // Notes are shown in the order of their times, and must stay in that of the thread.
        let shown = acceptable(at, around).max(acceptable(self.last, around));
        self.last = at.max(self.last);
        let mut facts = Vec::new();
        if !around.state.channel || map::iso(shown) != map::iso(at) {
            facts.push(sent(at));
        }
        if self.number == 0 {
            facts.extend(self.requester.line(message));
        }
        self.number += 1;
        let public = message.visibility == Visibility::Public && !message.forwarded;
        let by = self.by(message, public, &mut facts);
        if let Some(name) = &by.named {
            facts.push(format!("written by {name}"));
            let note = "has no account here: named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        let words = self.card.words().clone();
        message_facts(message, &words, &mut facts);
        let on_card = message_card(
            head,
            message,
            self.subject,
            Holds::Text,
            &words,
            self.losses,
        );
        self.card.message(self.number, &on_card);

        let mut files = Vec::new();
        for entry in &part.attachments {
            self.file(entry, &mut files, &mut facts);
        }
        let bodies = self.bodies(message, &mut facts, files.is_empty());
        let note = Said {
            part: message_part(part, 1),
            who: words::author(&message.author),
            author: by.id,
            public,
            incoming: by.incoming,
            at: shown,
            facts,
            html: String::new(),
            files: Vec::new(),
        };
        self.spread(&note, bodies, in_groups(files));
    }

    /// The author whom Freshdesk shows. A contact may write what is public only (Freshdesk facts §12, §18).
    fn by(&self, message: &Message, public: bool, facts: &mut Vec<String>) -> By {
        let state = self.around.state;
        let by = |id, incoming, named: Option<String>| By {
            id,
            incoming,
            named,
        };
        let found = match &message.author {
            Author::Person(person) => {
                let customer = person.kind == Kind::Customer;
                let stood_for = person.target.as_deref().and_then(placeholder_name);
                match map::numeric_target(person) {
                    Some(id) => by(id, customer, None),
                    None if customer => {
                        let stand_in = if self.requester.stands_for(&message.author) {
                            self.requester.id
                        } else {
                            state.stand_in_requester
                        };
                        by(stand_in, true, Some(words::person(person)))
                    }
                    None => {
                        let name = stood_for.map(str::to_owned);
                        let name = name.unwrap_or_else(|| words::person(person));
                        by(state.stand_in, false, Some(name))
                    }
                }
            }
            author => by(state.stand_in, false, Some(words::author(author))),
        };
        if public || !found.incoming {
            return found;
        }
        if found.named.is_none() {
            let who = words::author(&message.author);
            facts.push(if message.forwarded {
                format!("by the customer {who}")
            } else {
                format!("an internal part by the customer {who}")
            });
        }
        by(state.me, false, found.named)
    }

    /// The bodies of a message: its HTML, else its text in as many pieces as it takes.
    fn bodies(&mut self, message: &Message, facts: &mut Vec<String>, bare: bool) -> Vec<String> {
        let around = self.around;
        let (plain, html) = (around.unit.plain(message), around.unit.html(message));
        if plain.is_none() && html.is_none() {
            if bare && facts.iter().all(|fact| fact.starts_with(SENT)) {
                facts.push("no text in the source".to_owned());
            }
            return vec![String::new()];
        }
        if let Some(html) = html {
            if text::wrapped(facts, html).len() <= BODY_BYTES {
                return vec![html.to_owned()];
            }
            let note = "HTML too long for a note: carried as plain text";
            self.losses.push(loss("message.html", Fidelity::Lost, note));
        }
        let rendered = html.map(text::text_of);
        let body = plain.or(rendered.as_deref()).unwrap_or_default();
        let pieces = text::pieces(body, BODY_BYTES - LEAD_BYTES);
        if pieces.len() > 1 {
            let note = "longer than a note may be: stands in several";
            self.losses
                .push(loss("message.text", Fidelity::Converted, note));
        }
        pieces.into_iter().map(text::html_of).collect()
    }

    /// Notes for bodies and groups of files; all but the first say which piece they are.
    fn spread(&mut self, note: &Said, bodies: Vec<String>, groups: Vec<Vec<File>>) {
        let count = bodies.len() + groups.len().saturating_sub(1);
        let mut groups = groups.into_iter();
        let first_files = groups.next().unwrap_or_default();
        let texts = bodies.len();
        let bodies = bodies.into_iter().enumerate().map(|(index, html)| {
            let files = if index == 0 {
                first_files.clone()
            } else {
                Vec::new()
            };
            (html, files)
        });
        let further = groups.map(|files| (String::new(), files));
        for (index, (html, files)) in bodies.chain(further).enumerate() {
            let number = index + 1;
            let mut facts = Vec::new();
            if index == 0 {
                facts.clone_from(&note.facts);
            } else if index >= texts {
                facts.push(FURTHER.to_owned());
            }
            if count > 1 {
                facts.push(part_of(number, count));
            }
            self.said.push(Said {
                part: continued_marker(&note.part, number),
                facts,
                html,
                files,
                ..note.clone()
            });
        }
    }

    /// A file that can be sent; else what stands for it in the line above the text.
    fn file(&mut self, entry: &Entry, files: &mut Vec<File>, facts: &mut Vec<String>) {
        let Entity::Attachment(attachment) = &entry.data else {
            return;
        };
        let most = self.around.config.max_attachment_bytes.min(FILE_BYTES);
        let too_large = "larger than Freshdesk takes: named in the thread";
        match sendable(entry, most, "Freshdesk", too_large) {
            Ok((name, content)) => {
                let called = image_names(attachment, "").into_iter();
                files.push(File {
                    id: entry.head.id.clone(),
                    name,
                    content,
                    called: called.map(|(name, _)| name).collect(),
                });
            }
            Err((cause, words)) => {
                let name = file_name(attachment);
                facts.push(format!("file {name} is missing here: {words}"));
                self.losses.push(loss("attachment", Fidelity::Lost, cause));
            }
        }
    }
}

/// Files in as few groups as a ticket or note takes at once, in their order (Freshdesk facts §8).
fn in_groups(files: Vec<File>) -> Vec<Vec<File>> {
    let mut groups: Vec<Vec<File>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        bytes += file.content.size;
        match groups.last_mut() {
            Some(group) if bytes <= FILE_BYTES => group.push(file),
            _ => {
                bytes = file.content.size;
                groups.push(vec![file]);
            }
        }
    }
    groups
}

/// A note for one file of another, where the platform did not take all of them together.
pub fn file_note(of: &Said, file: &File) -> Said {
    Said {
        part: format!("{}/file:{}", of.part, file.id),
        facts: vec![FURTHER.to_owned(), "part 2 of 2".to_owned()],
        html: String::new(),
        files: vec![file.clone()],
        ..of.clone()
    }
}

// ---- what came back

/// What the line above something that came back says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// It is the connector's own: the card, a link between tickets, a description that is nobody's message.
    pub own: bool,
    /// It goes on with the one before.
    pub further: bool,
    /// The original's time, where Freshdesk shows another one.
    pub sent: Option<i64>,
}

impl Line {
    /// Reads it.
    pub fn read(facts: Option<&str>, html: &str) -> Self {
        let Some(line) = facts else {
            return Self::default();
        };
        let first = line.split("; ").next().unwrap_or_default();
        let bare = html.trim().is_empty();
        Self {
            own: first.starts_with(CARD)
                || (bare && (line == OPENING || first.starts_with(CONTINUES))),
            further: is_further_part(facts),
            sent: first.strip_prefix(SENT).and_then(map::parse_iso),
        }
    }
}

// ---- fingerprint

/// What of a ticket and its notes is compared before an undo. Status is reduced to how far a ticket is, since rules open and
/// close by themselves (rule D-11). `notes` are missing where they were not read.
pub fn facets(ticket: &api::Ticket, notes: Option<&[String]>) -> Vec<(String, String)> {
    let id = |id: Option<u64>| id.map(|id| id.to_string()).unwrap_or_default();
    let subject = ticket.subject.as_deref().unwrap_or_default();
    let mut facets = vec![
        (
            "subject".to_owned(),
            subject.split_whitespace().collect::<Vec<_>>().join(" "),
        ),
        (
            "description".to_owned(),
            text::letters(ticket.description.as_deref().unwrap_or_default()),
        ),
        ("requester".to_owned(), ticket.requester_id.to_string()),
        ("status".to_owned(), progress(ticket.status).to_string()),
        ("priority".to_owned(), ticket.priority.to_string()),
        ("source".to_owned(), ticket.source.to_string()),
        ("agent".to_owned(), id(ticket.responder_id)),
        ("group".to_owned(), id(ticket.group_id)),
        ("product".to_owned(), id(ticket.product_id)),
    ];
    for (name, value) in &ticket.custom_fields {
        facets.push((format!("field {name}"), canonical(value)));
    }
    if let Some(notes) = notes {
        facets.push(("notes".to_owned(), notes.join("\n")));
    }
    facets
}

/// A note in its ticket's facets.
pub fn note_facet(note: &api::Conversation) -> String {
    let (author, private) = (note.user_id, note.private);
    let letters = map::short_hash(&text::letters(&note.body));
    format!("{author} {private} {letters}")
}

/// The facets that show what these attributes of a ticket were set to; what was not set is left to the account.
pub fn facets_of(fields: &Map<String, Json>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (name, value) in fields {
        let facet = match name.as_str() {
            "requester_id" => "requester",
            "responder_id" => "agent",
            "group_id" => "group",
            "product_id" => "product",
            "custom_fields" => {
                let custom = value.as_object().into_iter().flatten();
                names.extend(custom.map(|(name, _)| format!("field {name}")));
                continue;
            }
            name => name,
        };
        names.insert(facet.to_owned());
    }
    names
}

/// How far a ticket is: a finished one may be resolved or closed.
pub fn progress(status: u32) -> u32 {
    if is_finished(status) { 5 } else { status }
}
