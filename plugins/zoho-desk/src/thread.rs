//! A conversation with its messages and files as the ticket that holds it: e-mails as threads, everything else as comments.
//!
//! Every part of a thread has its rule (rule M-3). By the imports API an e-mail that was sent or received is a thread, with its
//! direction, addresses and time; a note, a chat, whatever else was said is a comment of the agent who wrote it, at its time (Zoho
//! Desk facts §10, §11). Without that API all are comments of the token's user, of now (Zoho Desk facts §0). What neither can show
//! stands in the line above a body; what a ticket has no field for stands on the source card, private comments at the end (rule
//! M-2). Pure: ids are known to the caller. Not here: sending and looking up (see `write::tickets`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::effects::{marker_within, short_hash};
use transload_sdk::ledger::RefusedEntry;
use transload_sdk::people::mailbox;
use transload_sdk::policy::canonical;
use transload_sdk::thread::{
    Clock, File, Holds, Requester, Unit, add_fact, began, called_part_of, continued_marker,
    conversation_of, file_name, image_names, is_email, is_further_part, is_incoming, message_card,
    message_facts, message_part, part_of, repoint, skip, skipped, subject, tag_targets,
};
use transload_sdk::time;
use transload_sdk::types::{
    Author, Conversation, Direction, Entity, Entry, Error, Fidelity, Kind, Loss, Message,
    Reference, Visibility,
};
use transload_sdk::words::{self, Words, placeholder_name};

use crate::map::{self, Owner};
use crate::own;
use crate::state::{Config, State};
use crate::text::{self, COMMENT_BYTES, SUBJECT_CHARS, THREAD_BYTES};

/// Tags of one request (Zoho Desk facts §6).
pub const TAGS_AT_ONCE: usize = 50;
/// Secondary contacts of a ticket (Zoho Desk facts §7.5).
const SECONDARY_CONTACTS: usize = 20;
/// Characters of a list of addresses in a thread (Zoho Desk facts §10).
const ADDRESSES_CHARS: usize = 13_000;
/// Characters of the address that a thread is from (Zoho Desk facts §10).
const FROM_CHARS: usize = 300;
/// Bytes of the line above a body that are set aside for it where a long text is cut.
const LEAD_BYTES: usize = 4_000;
/// Bytes of that line but for the number of a piece.
const LINE_BYTES: usize = LEAD_BYTES - 100;
/// What the line above a piece of the source card begins with.
pub const CARD: &str = "source card";
/// What the line above a message begins with where Zoho Desk does not show its time.
const SENT: &str = "sent ";
/// What the line says of a message that customers could see, where it is a private comment.
const PUBLIC: &str = "public in the source";
/// What the line says of a file that hangs on the ticket.
const ON_TICKET: &str = " hangs on the ticket";
/// A subject that the source does not have, since a ticket must have one (Zoho Desk facts §6).
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
    /// Addresses of contacts whom the unit's threads name, in lower case, by the contact's id.
    pub addresses: &'a BTreeMap<String, BTreeSet<String>>,
    /// Departments of teams, by the team's id.
    pub teams: &'a BTreeMap<String, String>,
    /// How references and values are said.
    pub words: &'a Words,
    /// What became of its files, by the source's id.
    pub files: &'a BTreeMap<String, File>,
    /// Whether it goes by the imports API.
    pub imports: bool,
}

/// As what something is said.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// An e-mail.
    Thread(Mail),
    /// A comment.
    Comment {
        /// Whether the customer may see it.
        public: bool,
        /// Id of the agent who is shown as its author.
        commenter: String,
    },
}

/// Addresses of an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Whether it came from outside.
    pub incoming: bool,
    /// A bare address.
    pub from: String,
    /// Lists of addresses.
    pub to: String,
    /// The same.
    pub cc: String,
    /// The same.
    pub bcc: String,
}

/// A thread or a comment to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Which part of the item it is: `message:<id>`, `message:<id>#2`, `card:1`.
    pub part: String,
    /// Who wrote it, in words.
    pub who: String,
    /// As what.
    pub form: Form,
    /// When it was said, ms.
    pub at: i64,
    /// What the line above it says.
    pub facts: Vec<String>,
    /// HTML below the line.
    pub html: String,
}

impl Said {
    /// Whether it is of a message.
    pub fn is_message(&self) -> bool {
        self.part.starts_with("message:")
    }

    /// HTML as it is sent.
    pub fn body(&self) -> String {
        text::under(&self.facts, &self.html)
    }

    /// The module of its row in an import.
    pub fn module(&self) -> &'static str {
        match self.form {
            Form::Thread(_) => "threads",
            Form::Comment { .. } => "ticketComments",
        }
    }

    /// What its external id is made of: nothing else of the source has the same.
    pub fn named(&self, prefix: &str, marker: &str) -> String {
        match self.part.strip_prefix("message:") {
            Some(rest) => format!("{prefix}said:{rest}"),
            None => format!("{marker}#{}", self.part),
        }
    }

    /// Its row in an import, but for its external id and its ticket's (Zoho Desk facts §10).
    pub fn row(&self) -> Map<String, Json> {
        let at = json!(map::iso(self.at));
        let mut row = Map::new();
        let mut set = |name: &str, value: Json| row.insert(name.to_owned(), value);
        set("content", json!(self.body()));
        match &self.form {
            Form::Thread(mail) => {
                let list = |text: &String| (!text.is_empty()).then(|| json!(text));
                set("channel", json!("EMAIL"));
                set("direction", json!(if mail.incoming { "in" } else { "out" }));
                set("isPrivate", json!(false));
                set("fromEmailAddress", json!(mail.from));
                set("to", json!(list(&mail.to)));
                set("cc", json!(list(&mail.cc)));
                set("bcc", json!(list(&mail.bcc)));
                set("sentDateTime", at.clone());
                set("receivedDateTime", at);
            }
            Form::Comment { public, commenter } => {
                set("contentType", json!("html"));
                set("isPublic", json!(public));
                set("commenterId", json!(commenter));
                set("commentedTime", at.clone());
                set("modifiedTime", at);
            }
        }
        row
    }

    /// By what it is known again among the comments of its ticket.
    pub fn known_by(&self) -> String {
        known_by(&self.body())
    }

    /// One more fact for the line, before the number of a piece, which ends it.
    pub fn also(&mut self, fact: String) {
        add_fact(&mut self.facts, fact);
    }
}

/// What tells one comment of a ticket from another: all that is readable in it.
pub fn known_by(body: &str) -> String {
    let (facts, html) = text::opened(body);
    let facts: String = facts.unwrap_or_default().chars().collect();
    format!(
        "{} {}",
        text::letters(&facts),
        text::letters(&text::text_of(html))
    )
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// The ticket's attributes, by the names of plain REST, custom fields in `cf`; without its times.
    pub fields: Map<String, Json>,
    /// Names of its tags.
    pub tags: BTreeSet<String>,
    /// When the conversation began, ms.
    pub created: i64,
    /// When it was touched last, ms.
    pub updated: i64,
    /// When it was finished, ms, where its status says that it is.
    pub closed: Option<i64>,
    /// What is said in it, in order.
    pub said: Vec<Said>,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// Files that Zoho Desk did not take.
    pub refused: Vec<RefusedEntry>,
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
    let stand_in = around.state.stand_in_contact.clone();
    let requester: Requester<String> =
        Requester::of(conversation, stand_in, &mut card, &mut losses);
    card::conversation(&thread.conversation, conversation, &mut card);
    let created = began(thread, around.unit.now).min(around.unit.now);

    let mut speech = Speech {
        item,
        around,
        requester: &requester,
        subject: conversation.subject.as_deref(),
        clock: Clock::new(1),
        last: created,
        number: 0,
        others: BTreeSet::new(),
        said: Vec::new(),
        refused: Vec::new(),
        card: &mut card,
        losses: &mut losses,
    };
    for part in &thread.parts {
        if let Entity::Message(message) = &part.message.data {
            speech.part(part, message);
        }
    }
    let (mut said, last, others) = (speech.said, speech.last, speech.others);
    let (mut clock, refused) = (speech.clock, speech.refused);
    let updated = [head.updated_at, conversation.last_activity_at, Some(last)];
    let updated = updated.into_iter().flatten().fold(created, i64::max);

    let mut fields = ticket_fields(
        item,
        conversation,
        &requester,
        around,
        &mut card,
        &mut losses,
    );
    if !others.is_empty() {
        let others: Vec<&String> = others.iter().take(SECONDARY_CONTACTS).collect();
        fields.insert("secondaryContacts".to_owned(), json!(others));
    }
    let status = fields.get("status").and_then(Json::as_str);
    let is_closed = status.is_some_and(|status| status_type(around.state, status) == "Closed");
    let ended = conversation.closed_at.or(conversation.ended_at);
    // It must not lie before the beginning (Zoho Desk facts §10).
    let closed = is_closed.then(|| {
        ended
            .unwrap_or(updated)
            .clamp(created, around.unit.now.max(created))
    });
    let custom = custom_fields(
        item,
        thread,
        conversation,
        (created, updated),
        around,
        &mut card,
        &mut losses,
    );
    fields.insert("cf".to_owned(), Json::Object(custom));
    let tags = tag_targets(conversation, &mut card, &mut losses);
    if !around.imports {
        for (field, note) in [
            (
                "conversation.created-at",
                "original times are in fields: plain requests cannot set them",
            ),
            (
                "message.sent-at",
                "in the line above the text: plain requests cannot set it",
            ),
            (
                "message.author",
                "in the line above the text: plain requests cannot set it",
            ),
        ] {
            losses.push(loss(field, Fidelity::Converted, note));
        }
    }

    let card = card.render(around.unit.platform, item, &thread.conversation, &losses)?;
    said.extend(card_comments(&card, around, &mut clock, last));
    Ok(Mapped {
        fields,
        tags,
        created,
        updated: updated.min(around.unit.now),
        closed,
        said,
        losses,
        refused,
    })
}

/// When the source touched a thread last, ms: by that it is known whether it changed since.
pub fn touched(thread: &Thread) -> Option<i64> {
    transload_sdk::thread::updated_at(thread).max(last_said(thread))
}

fn last_said(thread: &Thread) -> Option<i64> {
    let time = |part: &destination::Part| match &part.message.data {
        Entity::Message(message) => message.sent_at.or(part.message.head.created_at),
        _ => None,
    };
    thread.parts.iter().filter_map(time).max()
}

// ---- the ticket

fn ticket_fields(
    item: &Item,
    conversation: &Conversation,
    requester: &Requester<String>,
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let state = around.state;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Json| fields.insert(name.to_owned(), value);
    let called = subject(conversation, SUBJECT_CHARS, NO_SUBJECT, card, losses);
    set("subject", json!(called));
    let mut converted = |field: &str, note| losses.push(loss(field, Fidelity::Converted, note));
    set("contactId", json!(requester.id));

    // A brand is a department; a team lies in one; all others stand in the one that was chosen.
    let brand = conversation.brand.as_ref();
    let of_brand = brand.and_then(|brand| target(brand));
    if brand.is_some() && of_brand.is_none() {
        let note = "no department of its name: on the source card";
        converted("conversation.brand", note);
    }
    let team = conversation.teams.first().and_then(target);
    let of_team = team
        .and_then(|team| around.teams.get(team))
        .map(String::as_str);
    let department = of_brand.or(of_team).unwrap_or(&state.department);
    set("departmentId", json!(department));
    match team {
        Some(team) if of_team == Some(department) => {
            set("teamId", json!(team));
        }
        Some(_) => {
            let note = "a team of another department than the ticket's: on the source card";
            converted("conversation.teams", note);
        }
        None if !conversation.teams.is_empty() => {
            let note = "on the source card: the team was not migrated";
            converted("conversation.teams", note);
        }
        None => {}
    }
    if conversation.teams.len() > 1 {
        converted("conversation.teams", "further teams are on the source card");
    }
    let assignee = conversation.assignees.first();
    match assignee.and_then(agent) {
        Some(id)
            if state.agents.get(id).is_some_and(|one| {
                one.departments.is_empty() || one.departments.iter().any(|of| of == department)
            }) =>
        {
            set("assigneeId", json!(id));
        }
        Some(_) => {
            let note = "an agent who is not in the ticket's department: on the source card";
            converted("conversation.assignees", note);
        }
        None if assignee.is_some() => {
            let note = "named on the source card: no agent here";
            converted("conversation.assignees", note);
        }
        None => {}
    }
    if conversation.assignees.len() > 1 {
        let note = "further assignees are on the source card";
        converted("conversation.assignees", note);
    }
    let status = item.value("status").map(str::to_owned);
    let usual = || state.default_status(&conversation.status).to_owned();
    let status = status.unwrap_or_else(usual);
    set("status", json!(status));
    let priority = item.value("priority").map(str::to_owned);
    let by_number = || {
        let usual = map::default_priority(conversation.priority.as_ref()?);
        among(&state.priorities, usual)
    };
    if let Some(priority) = priority.or_else(by_number) {
        set("priority", json!(priority));
    }
    let channel = item.value("channel").map(str::to_owned);
    let first = conversation.channels.first().map(String::as_str);
    if let Some(channel) = channel.or_else(|| among(&state.channels, default_channel(first))) {
        set("channel", json!(channel));
    }
    fields
}

/// A value, if the account has it; or says nothing of what it has.
fn among(known: &[String], value: &str) -> Option<String> {
    let has = known.is_empty() || known.iter().any(|one| one == value);
    has.then(|| value.to_owned())
}

/// A ticket's channel where the mapping says nothing (Zoho Desk facts §6).
fn default_channel(channel: Option<&str>) -> &'static str {
    match channel {
        Some("email") => "Email",
        Some("voice" | "phone" | "call") => "Phone",
        Some("chat") => "Chat",
        Some("twitter" | "twitter-tweet" | "twitter-dm") => "Twitter",
        Some("facebook" | "facebook-message") => "Facebook",
        Some(_) | None => "Web",
    }
}

/// How far a ticket of that status is: `Open`, `On Hold` or `Closed` (Zoho Desk facts §6).
pub fn status_type<'s>(state: &'s State, status: &'s str) -> &'s str {
    state.statuses.get(status).map_or(status, String::as_str)
}

fn target(reference: &Reference) -> Option<&str> {
    let target = reference.target.as_deref()?;
    placeholder_name(target).is_none().then_some(target)
}

/// The agent whom a reference stands for; `None` for a customer, a stranger, and one for whom somebody stands in.
fn agent(reference: &Reference) -> Option<&str> {
    target(reference).filter(|_| reference.kind == Kind::Agent)
}

fn custom_fields(
    item: &Item,
    thread: &Thread,
    conversation: &Conversation,
    (created, updated): (i64, i64),
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let head = &thread.conversation.head;
    let mut fields = Map::new();
    let mut set = |key: &str, value: Option<String>| {
        let name = around.state.own(Owner::Ticket, key);
        if let (Some(name), Some(value)) = (name, value.filter(|value| !value.is_empty())) {
            fields.insert(name.to_owned(), json!(value));
        }
    };
    let short = |text: &String| text.chars().count() <= map::TEXT_CHARS;
    let closed = conversation.closed_at.or(conversation.ended_at);
    set(own::MARKER, Some(marker_of(&item.marker)));
    set(own::RUN, Some(around.unit.run.to_owned()));
    // A longer one is on the card.
    set(own::URL, head.url.clone().filter(short));
    set(
        own::CREATED,
        Some(map::iso(head.created_at.unwrap_or(created))),
    );
    set(
        own::UPDATED,
        Some(map::iso(head.updated_at.unwrap_or(updated))),
    );
    set(own::CLOSED, closed.map(map::iso));
    let priority = conversation.priority.as_ref().map(words::priority);
    set(own::PRIORITY, priority.filter(short));
    let channels = conversation.channels.join(", ");
    set(own::CHANNELS, Some(channels).filter(short));
    card.place(&head.fields, losses, |field, words| {
        let (target, value) = map::place(field, words)?;
        if target.object != Owner::Ticket.module() {
            return Err(NOT_ON_TICKETS);
        }
        fields.insert(target.name, json!(value));
        Ok(true)
    });
    fields
}

/// A marker as its field holds it.
pub fn marker_of(marker: &str) -> String {
    marker_within(marker, map::TEXT_CHARS)
}

/// The card as private comments, as many as it takes.
fn card_comments(card: &str, around: &Surroundings<'_>, clock: &mut Clock, last: i64) -> Vec<Said> {
    let pieces = text::pieces(card, COMMENT_BYTES - LEAD_BYTES);
    let count = pieces.len();
    let comment = |(index, piece): (usize, &&str)| {
        let line = called_part_of(CARD, index + 1, count);
        Said {
            part: format!("card:{}", index + 1),
            who: String::new(),
            form: Form::Comment {
                public: false,
                commenter: around.state.me.clone(),
            },
            at: clock.at(last.min(around.unit.now)),
            facts: vec![line],
            html: text::html_of(piece),
        }
    };
    pieces.iter().enumerate().map(comment).collect()
}

// ---- what was said

struct Speech<'a, 's> {
    item: &'a Item,
    around: &'a Surroundings<'s>,
    requester: &'a Requester<String>,
    subject: Option<&'a str>,
    clock: Clock,
    /// When the part before was said: what has no time of its own was said then.
    last: i64,
    number: usize,
    /// Customers beside the ticket's own who wrote in it.
    others: BTreeSet<String>,
    said: Vec<Said>,
    refused: Vec<RefusedEntry>,
    card: &'a mut Facts,
    losses: &'a mut Vec<Loss>,
}

impl Speech<'_, '_> {
    /// What one part becomes: nothing for what is skipped, several for a long text.
    fn part(&mut self, part: &destination::Part, message: &Message) {
        let head = &part.message.head;
        let around = self.around;
        if let Some(why) = skipped(head, message, around.config.spam, around.config.events) {
            skip(head, why, self.card, self.losses);
            return;
        }
        let at = message.sent_at.or(head.created_at).unwrap_or(self.last);
        self.last = at.max(self.last);
        let shown = at.min(around.unit.now);
        let mut facts = Vec::new();
        if !around.imports || shown != at {
            facts.push(sent(at));
        }
        if self.number == 0 {
            facts.extend(self.requester.line(message));
        }
        self.number += 1;
        let form = self.form(message, &mut facts);
        let words = self.card.words().clone();
        message_facts(message, &words, &mut facts);
        let holds = match &form {
            Form::Thread(_) => Holds::Email,
            Form::Comment { .. } => Holds::Text,
        };
        let mut on_card = message_card(head, message, self.subject, holds, &words, self.losses);
        if let Form::Thread(mail) = &form {
            on_card.extend(beyond(message, mail, self.subject));
        }
        self.card.message(self.number, &on_card);

        let mut images = Vec::new();
        let mut any = false;
        for entry in &part.attachments {
            any |= self.file(entry, &mut images, &mut facts);
        }
        let limit = match &form {
            Form::Thread(_) => THREAD_BYTES,
            Form::Comment { .. } => COMMENT_BYTES,
        };
        let bodies = self.bodies(message, &images, &mut facts, any, limit);
        let said = Said {
            part: message_part(part, 1),
            who: words::author(&message.author),
            form,
            at: 0,
            facts,
            html: String::new(),
        };
        self.spread(&said, bodies, shown);
    }

    /// As what a message is said, and by whom; whom Zoho Desk does not show is named above the text.
    fn form(&mut self, message: &Message, facts: &mut Vec<String>) -> Form {
        let state = self.around.state;
        let public = message.visibility == Visibility::Public && !message.forwarded;
        if let Author::Person(person) = &message.author
            && person.kind == Kind::Customer
            && let Some(id) = target(person)
            && id != self.requester.id
        {
            self.others.insert(id.to_owned());
        }
        if public
            && self.around.imports
            && let Some(mail) = self.mail(message, facts)
        {
            return Form::Thread(mail);
        }
        let writer = match &message.author {
            Author::Person(person) => agent(person),
            _ => None,
        };
        // By plain requests everything is the token's user's (Zoho Desk facts §7.6).
        let can = |id: &&str| self.around.imports || *id == state.me;
        let commenter = match writer.filter(can) {
            Some(id) => id.to_owned(),
            None => {
                self.name_author(message, facts);
                self.stand_in().to_owned()
            }
        };
        let shown = public && (self.around.imports || self.around.config.public_comments);
        if !self.around.imports {
            facts.extend(way(message));
            if public && !shown {
                facts.push(PUBLIC.to_owned());
                let note = "a private comment: public ones may be mailed";
                self.losses
                    .push(loss("message.visibility", Fidelity::Converted, note));
            }
        }
        Form::Comment {
            public: shown,
            commenter,
        }
    }

    /// The agent who stands in for an author: by plain requests it can only be the token's user.
    fn stand_in(&self) -> &str {
        if self.around.imports {
            &self.around.state.stand_in
        } else {
            &self.around.state.me
        }
    }

    fn name_author(&mut self, message: &Message, facts: &mut Vec<String>) {
        facts.push(format!("written by {}", words::author(&message.author)));
        if self.around.imports {
            let note = "cannot be shown as the author of a comment: named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
    }

    /// An e-mail as a thread, as far as its addresses allow: threads are by whose address they come from (Zoho Desk facts §11), so an
    /// agent's mail comes from his own.
    fn mail(&mut self, message: &Message, facts: &mut Vec<String>) -> Option<Mail> {
        if !is_email(message) || message.call.is_some() {
            return None;
        }
        let incoming = is_incoming(message);
        let sender = message.sender.as_deref().and_then(|text| mailbox(text).1);
        let writer = match &message.author {
            Author::Person(person) => agent(person),
            _ => None,
        };
        let own = writer.and_then(|id| self.around.state.agents.get(id));
        let own = own.map(|agent| agent.email.clone());
        let own = own.filter(|own| !incoming && !own.is_empty());
        let is_own = own.is_some();
        let from = own.or(sender)?;
        if from.chars().count() > FROM_CHARS {
            return None;
        }
        let of_author = match &message.author {
            Author::Person(person) if person.kind == Kind::Customer => target(person),
            _ => None,
        };
        let known = of_author.and_then(|id| self.around.addresses.get(id));
        let is_theirs = known.is_some_and(|known| known.contains(&from.to_lowercase()));
        if !(is_own || (incoming && is_theirs)) {
            facts.push(format!("written by {}", words::author(&message.author)));
            let note = "a thread is by whose address it comes from: named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        Some(Mail {
            incoming,
            from,
            to: addresses(&message.to),
            cc: addresses(&message.cc),
            bcc: addresses(&message.bcc),
        })
    }

    /// The bodies of a message: its HTML, else its text in as many pieces as it takes.
    fn bodies(
        &mut self,
        message: &Message,
        images: &[(String, String)],
        facts: &mut Vec<String>,
        files: bool,
        limit: usize,
    ) -> Vec<String> {
        let around = self.around;
        let (plain, html) = (around.unit.plain(message), around.unit.html(message));
        if plain.is_none() && html.is_none() {
            let said = ["written by ", SENT, PUBLIC];
            let told = |fact: &String| !said.iter().any(|said| fact.starts_with(said));
            if !files && !facts.iter().any(told) {
                facts.push("no text in the source".to_owned());
            }
            return vec![String::new()];
        }
        if let Some(html) = html {
            let html = text::guarded(&repoint(html, images));
            if text::under(facts, &html).len() <= limit {
                return vec![html];
            }
            let note = "HTML too long for a comment: carried as plain text";
            self.losses.push(loss("message.html", Fidelity::Lost, note));
        }
        let rendered = html.map(text::text_of);
        let body = plain.or(rendered.as_deref()).unwrap_or_default();
        let pieces = text::pieces(body, limit - LEAD_BYTES);
        if pieces.len() > 1 {
            let note = "longer than a comment may be: stands in several";
            self.losses
                .push(loss("message.text", Fidelity::Converted, note));
        }
        pieces.into_iter().map(text::html_of).collect()
    }

    /// One for each body; of several each says which piece it is, and a line that is too long for one stands alone.
    fn spread(&mut self, said: &Said, bodies: Vec<String>, at: i64) {
        let line = text::under(&said.facts, "").len();
        let (facts, bodies) = if line > LINE_BYTES {
            let line = said.facts.join("; ");
            let line = text::pieces(&line, COMMENT_BYTES - LEAD_BYTES);
            let mut all: Vec<String> = line.into_iter().map(text::html_of).collect();
            all.extend(bodies.into_iter().filter(|body| !body.is_empty()));
            let above = "the facts of this entry are in its text".to_owned();
            (vec![above], all)
        } else {
            (said.facts.clone(), bodies)
        };
        let count = bodies.len();
        for (index, html) in bodies.into_iter().enumerate() {
            let number = index + 1;
            let mut line = if index == 0 {
                facts.clone()
            } else {
                Vec::new()
            };
            if count > 1 {
                line.push(part_of(number, count));
            }
            self.said.push(Said {
                part: continued_marker(&said.part, number),
                at: self.clock.at(at),
                facts: line,
                html,
                ..said.clone()
            });
        }
        if self.clock.moved() {
            let note =
                "said at the same time as another: some milliseconds later, to keep the order";
            let moved = loss("message.sent-at", Fidelity::Converted, note);
            if !self.losses.contains(&moved) {
                self.losses.push(moved);
            }
        }
    }

    /// What the line above the text says of a file; whether it is there.
    fn file(
        &mut self,
        entry: &Entry,
        images: &mut Vec<(String, String)>,
        facts: &mut Vec<String>,
    ) -> bool {
        let Entity::Attachment(attachment) = &entry.data else {
            return false;
        };
        let file = self.around.files.get(&entry.head.id);
        match file {
            Some(File::There { url, .. }) => {
                images.extend(image_names(attachment, url));
                facts.push(attached(&file_name(attachment)));
            }
            Some(File::Expected) => facts.push(attached(&file_name(attachment))),
            _ => File::missing(
                file,
                self.item,
                entry,
                facts,
                self.losses,
                &mut self.refused,
            ),
        }
        matches!(file, Some(File::There { .. } | File::Expected))
    }
}

/// What the line says of a file that hangs on the ticket, since messages have none (Zoho Desk facts §10).
fn attached(name: &str) -> String {
    format!("file {name}{ON_TICKET}")
}

/// The way of a message, in words.
fn way(message: &Message) -> Option<String> {
    let direction = match message.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
        Direction::None => return None,
    };
    let channel = message.channel.as_deref().unwrap_or("message");
    Some(format!("{direction} {channel}"))
}

/// What a thread does not hold of an e-mail.
fn beyond(message: &Message, mail: &Mail, subject: Option<&str>) -> Vec<String> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(format!("{name} {value}"));
        }
    };
    let own = message.subject.clone();
    add("subject", own.filter(|own| Some(own.as_str()) != subject));
    let from = message.sender.clone();
    add("from", from.filter(|from| *from != mail.from));
    for (name, list, kept) in [
        ("to", &message.to, &mail.to),
        ("cc", &message.cc, &mail.cc),
        ("bcc", &message.bcc, &mail.bcc),
    ] {
        add(name, Some(list.join(", ")).filter(|all| all != kept));
    }
    add("message-id", message.message_id.clone());
    facts
}

/// Addresses as one line, as many as it takes.
fn addresses(list: &[String]) -> String {
    let mut line = String::new();
    for one in list {
        if line.chars().count() + one.chars().count() + 1 > ADDRESSES_CHARS {
            break;
        }
        if !line.is_empty() {
            line.push(',');
        }
        line.push_str(one);
    }
    line
}

fn sent(at: i64) -> String {
    let exact = time::format_utc(at).unwrap_or_else(|| map::iso(at));
    format!("{SENT}{exact}")
}

/// An e-mail as a comment, where Zoho Desk does not take the thread.
pub fn as_comment(said: &Said, me: &str) -> Option<Said> {
    let Form::Thread(mail) = &said.form else {
        return None;
    };
    if said.body().len() + LEAD_BYTES > COMMENT_BYTES {
        return None;
    }
    let mut comment = said.clone();
    let way = if mail.incoming { "from" } else { "to" };
    let other = if mail.incoming { &mail.from } else { &mail.to };
    if !said
        .facts
        .iter()
        .any(|fact| fact.starts_with("written by "))
        && !said.who.is_empty()
    {
        comment.also(format!("written by {}", said.who));
    }
    comment.also(format!("an e-mail {way} {other}"));
    comment.form = Form::Comment {
        public: true,
        commenter: me.to_owned(),
    };
    Some(comment)
}

// ---- what came back

/// What the line above something that came back says of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// It is the connector's own: the card.
    pub own: bool,
    /// It goes on with the one before.
    pub further: bool,
    /// The original's time, where Zoho Desk shows another one.
    pub sent: Option<i64>,
    /// It was public in the source.
    pub public: bool,
    /// Files of the ticket that belong to it, by name.
    pub files: Vec<String>,
}

impl Line {
    /// Reads it.
    pub fn read(facts: Option<&str>) -> Self {
        let Some(line) = facts else {
            return Self::default();
        };
        let each = || line.split("; ");
        let first = each().next().unwrap_or_default();
        let file = |fact: &str| {
            let name = fact.strip_prefix("file ")?;
            Some(name.strip_suffix(ON_TICKET)?.to_owned())
        };
        Self {
            own: first == CARD || first.starts_with(&format!("{CARD}, ")),
            further: is_further_part(facts),
            sent: first.strip_prefix(SENT).and_then(map::parse_iso),
            public: each().any(|fact| fact == PUBLIC),
            files: each().filter_map(file).collect(),
        }
    }
}

// ---- fingerprint

/// The facets of a ticket's attributes, by the names of plain REST: what is compared before an undo. A status is reduced to how far
/// the ticket is, since rules move it (rule D-11).
pub fn facets(fields: &Map<String, Json>, state: &State) -> Vec<(String, String)> {
    let mut facets = Vec::new();
    for (name, value) in fields {
        let (name, value) = match (name.as_str(), value) {
            ("cf", Json::Object(custom)) => {
                let custom = custom.iter();
                facets.extend(
                    custom.map(|(name, value)| (format!("field {name}"), canonical(value))),
                );
                continue;
            }
            ("status", Json::String(status)) => {
                ("status".to_owned(), status_type(state, status).to_owned())
            }
            ("subject", Json::String(subject)) => (
                "subject".to_owned(),
                subject.split_whitespace().collect::<Vec<_>>().join(" "),
            ),
            // Others may be added by replies.
            ("secondaryContacts", _) => continue,
            (name, value) => (name.to_owned(), canonical(value)),
        };
        facets.push((name, value));
    }
    facets
}

/// The facet of what is said in a ticket, out of the ids of its threads and of its comments with what they say.
pub fn talk_facet(
    threads: &[String],
    comments: &[(String, bool, String)],
) -> Vec<(String, String)> {
    let mut said: Vec<String> = comments
        .iter()
        .map(|(id, public, body)| {
            let letters = short_hash(&known_by(body));
            format!("{id} {public} {letters}")
        })
        .collect();
    said.sort();
    vec![
        ("threads".to_owned(), joined(threads)),
        ("comments".to_owned(), said.join(" ")),
    ]
}

/// Ids in one order.
pub fn joined(ids: &[String]) -> String {
    let mut ids = ids.to_vec();
    ids.sort();
    ids.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use transload_sdk::destination::Part;
    use transload_sdk::testing::items::{said, thread as item_of};
    use transload_sdk::types::{ConversationStatus, Text};

    const DAY: i64 = 1_700_000_000_000;

    fn bo() -> Reference {
        Reference::new(Kind::Customer, "c1")
            .called("Bo Ng")
            .at("70")
    }

    fn dana() -> Reference {
        Reference::new(Kind::Agent, "a1")
            .called("Dana Dunn")
            .at("5")
    }

    fn state() -> State {
        State {
            me: "1".to_owned(),
            stand_in_contact: "9".to_owned(),
            stand_in: "2".to_owned(),
            department: "3".to_owned(),
            agents: [("5", "dana@acme.example"), ("6", "")]
                .map(|(id, email)| {
                    let agent = crate::state::Agent {
                        email: email.to_owned(),
                        departments: vec!["3".to_owned()],
                        active: true,
                    };
                    (id.to_owned(), agent)
                })
                .into(),
            statuses: [("Open", "Open"), ("Closed", "Closed"), ("Done", "Closed")]
                .map(|(name, of)| (name.to_owned(), of.to_owned()))
                .into(),
            ..State::default()
        }
    }

    fn talk(status: ConversationStatus, parts: Vec<Part>) -> Item {
        let data = Conversation {
            customer: Some(bo()),
            subject: Some("Where".to_owned()),
            status,
            assignees: vec![dana()],
            ..Conversation::empty()
        };
        item_of("v1", Vec::new(), data, parts)
    }

    fn edited(mut part: Part, change: impl FnOnce(&mut Message)) -> Part {
        if let Entity::Message(message) = &mut part.message.data {
            change(message);
        }
        part
    }

    fn mail(id: &str, by: Reference, direction: Direction, at: i64) -> Part {
        edited(said(id, Author::Person(by), "Hello", at), |message| {
            message.direction = direction;
            message.channel = Some("email".to_owned());
            message.sender = Some(match direction {
                Direction::Inbound => "Bo Ng <bo@example.com>".to_owned(),
                _ => "Support <help@acme.example>".to_owned(),
            });
            message.to = vec!["help@acme.example".to_owned()];
        })
    }

    fn mapped_with(item: &Item, imports: bool, change: impl FnOnce(&mut Config)) -> Mapped {
        let mut config = Config::default();
        change(&mut config);
        let teams = [("8", "3"), ("18", "4")]
            .map(|(id, of)| (id.to_owned(), of.to_owned()))
            .into();
        let addresses = BTreeSet::from(["bo@example.com".to_owned()]);
        let around = Surroundings {
            state: &state(),
            config: &config,
            unit: Unit {
                platform: "old-desk",
                prefix: "old-desk:org1:".to_owned(),
                zone: "Europe/Zurich",
                run: "r1",
                now: DAY + 86_400_000,
                texts: &BTreeMap::new(),
            },
            addresses: &BTreeMap::from([("70".to_owned(), addresses)]),
            teams: &teams,
            words: &config.words("Europe/Zurich"),
            files: &BTreeMap::new(),
            imports,
        };
        map_thread(item, &item.thread().unwrap(), &around).unwrap()
    }

    fn mapped(item: &Item) -> Mapped {
        mapped_with(item, true, |_| {})
    }

    fn note(id: &str, by: Author, text: &str, at: i64) -> Part {
        edited(said(id, by, text, at), |message| {
            message.visibility = Visibility::Internal;
        })
    }

    #[test]
    fn mails_are_threads_of_whose_address_they_come_from_and_the_rest_are_comments() {
        let parts = vec![
            mail("m1", bo(), Direction::Inbound, DAY),
            mail("m2", dana(), Direction::Outbound, DAY + 1_000),
            note("n1", Author::Person(dana()), "look", DAY + 2_000),
            said("m3", Author::Person(bo()), "a chat", DAY + 3_000),
        ];
        let mapped = mapped(&talk(ConversationStatus::Open, parts));
        let [first, second, third, fourth, card] = mapped.said.as_slice() else {
            panic!("{:?}", mapped.said);
        };
        let of = |said: &Said| match &said.form {
            Form::Thread(mail) => (mail.incoming, mail.from.clone()),
            Form::Comment { public, commenter } => (*public, commenter.clone()),
        };
        assert_eq!(of(first), (true, "bo@example.com".to_owned()));
        assert_eq!(of(second), (false, "dana@acme.example".to_owned()));
        assert_eq!(of(third), (false, "5".to_owned()));
        assert_eq!(of(fourth), (true, "2".to_owned()));
        assert_eq!(fourth.facts, ["written by Bo Ng (customer c1)"]);
        assert_eq!((first.facts.len(), card.part.as_str()), (0, "card:1"));
        assert_eq!(first.module(), "threads");
        assert_eq!(third.module(), "ticketComments");
        assert_eq!(second.row()["direction"], "out");
        assert_eq!(third.row()["commentedTime"], "2023-11-14T22:13:22Z");
        // The address that it really came from is on the card.
        assert!(text::text_of(&card.html).contains("from Support <help@acme.example>"));
    }

    #[test]
    fn a_mail_from_an_address_that_is_not_its_authors_names_him() {
        let other = edited(mail("m1", bo(), Direction::Inbound, DAY), |message| {
            message.sender = Some("else@example.com".to_owned());
        });
        let mapped = mapped(&talk(ConversationStatus::Open, vec![other]));
        assert_eq!(mapped.said[0].facts, ["written by Bo Ng (customer c1)"]);
        assert!(mapped.losses.iter().any(|l| l.field == "message.author"));
    }

    #[test]
    fn without_imports_everything_is_a_private_comment_that_says_when_and_by_whom() {
        let parts = vec![mail("m1", bo(), Direction::Inbound, DAY)];
        let item = talk(ConversationStatus::Open, parts);
        let mapped = mapped_with(&item, false, |_| {});
        let said = &mapped.said[0];
        let body = said.body();
        assert!(
            body.starts_with("<div><p>[Migrated: sent 2023-11-14T22:13:20Z; written by Bo Ng (customer c1); inbound email; public in the source]</p>"),
            "{body}"
        );
        let line = Line::read(text::opened(&body).0);
        assert_eq!((line.sent, line.public), (Some(DAY), true));
        let shown = mapped_with(&item, false, |config| config.public_comments = true);
        assert_eq!(
            shown.said[0].form,
            Form::Comment {
                public: true,
                commenter: "1".to_owned()
            }
        );
        assert!(!shown.said[0].body().contains(PUBLIC));
    }

    #[test]
    fn what_was_said_in_one_moment_keeps_its_order() {
        let parts = (0..4)
            .map(|n| said(&format!("m{n}"), Author::Person(bo()), "x", DAY))
            .collect();
        let mapped = mapped(&talk(ConversationStatus::Open, parts));
        let times: Vec<i64> = mapped.said.iter().map(|said| said.at - DAY).collect();
        // The card stands where the ticket was touched last.
        assert_eq!(times, [0, 1, 2, 3, 250]);
        assert!(mapped.losses.iter().any(|l| l.field == "message.sent-at"));
    }

    #[test]
    fn a_long_text_stands_in_pieces_that_are_the_text_and_fit() {
        let text = "a <b> & \u{1f600} zsu[@user:1]zsu\n".repeat(5_000);
        let parts = vec![note("n1", Author::Person(dana()), &text, DAY)];
        let mapped = mapped(&talk(ConversationStatus::Open, parts));
        let pieces = mapped.said.iter().filter(|said| said.is_message());
        let mut whole = String::new();
        let mut count = 0;
        for said in pieces {
            let body = said.body();
            assert!(body.len() <= COMMENT_BYTES, "{}", body.len());
            let (facts, html) = text::opened(&body);
            assert_eq!(Line::read(facts).further, count > 0);
            whole.push_str(&text::text_of(html));
            count += 1;
        }
        assert!(count > 4 && whole == text);
    }

    #[test]
    fn html_that_is_too_long_for_a_comment_is_plain_text_and_for_a_thread_it_is_not() {
        let html = format!("<p>{}</p>", "word ".repeat(10_000));
        let with = |part: Part| {
            edited(part, |message| {
                message.html = Some(Text::Inline(html.clone()))
            })
        };
        let chat = with(said("m1", Author::Person(bo()), "word", DAY));
        let of_chat = mapped(&talk(ConversationStatus::Open, vec![chat]));
        assert!(of_chat.losses.iter().any(|l| l.field == "message.html"));
        assert!(!of_chat.said[0].html.contains("<p>"));
        let mail = with(mail("m1", bo(), Direction::Inbound, DAY));
        let of_mail = mapped(&talk(ConversationStatus::Open, vec![mail]));
        assert_eq!(of_mail.said[0].html, html);
    }

    #[test]
    fn a_line_that_is_too_long_for_one_stands_in_the_text() {
        let part = edited(mail("m1", bo(), Direction::Inbound, DAY), |message| {
            message.forwarded = true;
            message.to = (0..3_000)
                .map(|n| format!("person{n}@example.com"))
                .collect();
        });
        let mapped = mapped(&talk(ConversationStatus::Open, vec![part]));
        let said: Vec<&Said> = mapped.said.iter().filter(|s| s.is_message()).collect();
        assert!(said.len() > 1);
        assert!(said.iter().all(|said| said.body().len() <= COMMENT_BYTES));
        let all: String = said.iter().map(|said| text::text_of(&said.html)).collect();
        assert!(all.contains("person2999@example.com") && all.ends_with("Hello"));
    }

    #[test]
    fn a_closed_ticket_is_not_closed_before_it_began() {
        let mut item = talk(ConversationStatus::Closed, Vec::new());
        if let Entity::Conversation(data) = &mut item.body.entries[0].data {
            data.closed_at = Some(DAY - 1_000_000);
        }
        let mapped = mapped(&item);
        assert_eq!(mapped.closed, Some(mapped.created));
        assert_eq!(mapped.fields["status"], "Closed");
        let open = self::mapped(&talk(ConversationStatus::Open, Vec::new()));
        assert_eq!(open.closed, None);
    }

    #[test]
    fn a_ticket_stands_in_one_department_with_whoever_is_in_it() {
        let of = |change: &dyn Fn(&mut Conversation)| {
            let mut item = talk(ConversationStatus::Open, Vec::new());
            if let Entity::Conversation(data) = &mut item.body.entries[0].data {
                change(data);
            }
            mapped(&item).fields
        };
        let team = |id: &str| Reference::new(Kind::Team, "t").at(id);
        let plain = of(&|_| {});
        assert_eq!(
            (&plain["departmentId"], &plain["assigneeId"]),
            (&json!("3"), &json!("5"))
        );
        let same = of(&|data| data.teams = vec![team("8")]);
        assert_eq!(same["teamId"], "8");
        // A team of another department draws the ticket there, where Dana is not.
        let other = of(&|data| data.teams = vec![team("18")]);
        assert_eq!(
            (&other["departmentId"], &other["teamId"]),
            (&json!("4"), &json!("18"))
        );
        assert_eq!(other.get("assigneeId"), None);
        let both = of(&|data| {
            data.brand = Some(Reference::new(Kind::Brand, "b").at("3"));
            data.teams = vec![team("18")];
        });
        assert_eq!(
            (&both["departmentId"], both.get("teamId")),
            (&json!("3"), None)
        );
    }

    #[test]
    fn a_mail_that_is_refused_can_be_a_comment_that_says_so() {
        let parts = vec![mail("m1", bo(), Direction::Inbound, DAY)];
        let mapped = mapped(&talk(ConversationStatus::Open, parts));
        let comment = as_comment(&mapped.said[0], "1").unwrap();
        assert_eq!(
            comment.facts,
            [
                "written by Bo Ng (customer c1)",
                "an e-mail from bo@example.com"
            ]
        );
        assert_eq!(as_comment(&comment, "1"), None);
    }
}
