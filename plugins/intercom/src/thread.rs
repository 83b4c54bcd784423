//! A conversation with its messages and files as the conversations that hold it.
//!
//! Intercom begins a conversation with a contact's plain text and takes what follows one by one, each with its own time and author
//! (Intercom facts §8.1, §8.2). Every part of a thread has its rule (rule M-3): what the customer wrote is a contact's reply, in plain
//! text; what an agent wrote an admin's comment, in HTML; anything private a note. Where the first thing said is no customer's text,
//! the conversation begins with a line of our own. What a part cannot show stands in the line above its text; what a conversation has
//! no attribute for stands on the source card, a note at the end (rule M-2). Each part has a second of its own, by which it is known
//! again. 500 parts are shown at most, so what is longer goes on in a further conversation (rule M-16). Pure: not here are sending and
//! looking up (see `write::conversations`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::effects::short_hash;
use transload_sdk::ledger::RefusedEntry;
use transload_sdk::policy::canonical;
use transload_sdk::text::html_to_search_text;
use transload_sdk::thread::{
    Clock, Holds, Requester, Unit, continued_marker, conversation_of, file_name, first_here,
    html_with_lead, is_incoming, lead, message_card, message_facts, sendable, skip, skipped,
    tags_here, text_in, with_lead, without_lead,
};
use transload_sdk::types::{
    self, BlobRef, Conversation, Entity, Entry, Error, Fidelity, Head, Kind, Loss, Message,
    Reference, Visibility,
};
use transload_sdk::words;

use crate::api;
use crate::map::{self, FILES, Model, seconds};
use crate::state::{Config, State};
use crate::text::{html_of, is_rich};
use crate::write::schema::{CHANNEL, ID, PRIORITY, RUN, SATISFACTION};

/// What the line above a source card says.
pub const CARD: &str = "source card";
/// What the line of a conversation that goes on with another begins with.
pub const GOES_ON: &str = "goes on with conversation";
/// What the line says that begins a conversation in which no customer wrote first.
pub const BEGINS: &str = "the conversation began with what follows";
/// What the line above files says whose message was said before.
pub const MORE_FILES: &str = "more files of the message above";
/// The file that has the markup of a contact's message, which Intercom shows as text only.
pub const MARKUP: &str = "message.html";

/// What the mapping of one thread hangs on beside the thread.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// From `prepare`.
    pub state: &'a State,
    /// Settings.
    pub config: &'a Config,
    /// The unit.
    pub unit: Unit<'a>,
    /// Markup of contacts' messages as files, by message id.
    pub markup: &'a BTreeMap<String, BlobRef>,
}

/// Whether a message is a contact's, to be told in plain text.
pub fn by_contact(message: &Message) -> bool {
    message.visibility == Visibility::Public && !message.forwarded && is_incoming(message)
}

/// Who writes a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voice {
    /// A contact, by id.
    Contact(String),
    /// An admin, by id.
    Admin(String),
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Plain text.
    Plain(String),
    /// HTML, of admins only.
    Html(String),
}

/// A file of a part.
#[derive(Debug, Clone, PartialEq)]
pub struct FileDraft {
    /// The attachment's head; none of a file of our own.
    pub head: Option<Head>,
    /// What people read.
    pub name: String,
    /// Its bytes.
    pub content: BlobRef,
}

/// A part that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct PartDraft {
    /// What effects call it: `message:<id>`, `message:<id>#2`, `card`.
    pub name: String,
    /// Who writes it.
    pub voice: Voice,
    /// Whether it is private.
    pub note: bool,
    /// When, seconds; no other part of the conversation has this time.
    pub at: i64,
    /// What stands in the line above.
    pub facts: Vec<String>,
    /// What is said.
    pub said: Said,
    /// Ten at most.
    pub files: Vec<FileDraft>,
}

impl PartDraft {
    /// The body, with what is said of files that Intercom did not take.
    pub fn body(&self, refused: &[String]) -> String {
        let mut facts = self.facts.clone();
        facts.extend(refused.iter().cloned());
        let is_empty = match &self.said {
            Said::Plain(text) | Said::Html(text) => text.trim().is_empty(),
        };
        if is_empty && facts.is_empty() {
            facts.push("no text in the source".to_owned());
        }
        let above = lead(&facts);
        match (&self.said, &self.voice) {
            (Said::Plain(text), Voice::Contact(_)) => with_lead(above.as_deref(), text),
            (Said::Plain(text), Voice::Admin(_)) => html_of(&with_lead(above.as_deref(), text)),
            (Said::Html(html), _) => html_with_lead(above.as_deref(), html),
        }
    }

    /// Whether a part that is there is this one.
    pub fn is(&self, part: &api::Part) -> bool {
        let by = match &self.voice {
            Voice::Contact(id) => part.author.kind != "admin" && part.author.id == *id,
            Voice::Admin(id) => part.author.kind == "admin" && part.author.id == *id,
        };
        let is_note = part.part_type == "note";
        by && part.created_at == self.at && part.body.is_some() && is_note == self.note
    }
}

/// One conversation of those that hold a thread.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Its marker.
    pub marker: String,
    /// The contact who begins it.
    pub contact: String,
    /// Plain text.
    pub opening: String,
    /// When, seconds.
    pub at: i64,
    /// Other contacts who write in it.
    pub guests: Vec<String>,
    /// What follows, in order.
    pub parts: Vec<PartDraft>,
}

/// What a conversation is to be in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Open.
    Open,
    /// Closed.
    Closed,
    /// Comes back at this time, seconds.
    Snoozed(i64),
}

impl End {
    /// Intercom's word.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Snoozed(_) => "snoozed",
        }
    }
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// One at least.
    pub chunks: Vec<Chunk>,
    /// Subject.
    pub title: Option<String>,
    /// Values of attributes: of the source's.
    pub fields: Map<String, Value>,
    /// Values of our own attributes, without the marker.
    pub own: Map<String, Value>,
    /// Ids of tags.
    pub tags: Vec<String>,
    /// Admin in charge.
    pub admin: Option<String>,
    /// Team in charge.
    pub team: Option<String>,
    /// State.
    pub end: End,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// Files that are refused for sure.
    pub refused: Vec<RefusedEntry>,
}

impl Mapped {
    /// Values that a conversation gets as soon as it is there: its marker first of all.
    pub fn stamp(&self, chunk: &Chunk, with_fields: bool) -> Map<String, Value> {
        let mut values = self.own.clone();
        values.insert(ID.to_owned(), json!(chunk.marker));
        if with_fields {
            values.extend(self.fields.clone());
        }
        values
    }
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
    let entry = &thread.conversation;
    let conversation = conversation_of(thread)?;
    let mut losses = Vec::new();
    let mut card = Facts::new(around.state.words(around.unit.zone));
    let stand_in = around.state.stand_in_contact.clone();
    let requester = Requester::of(conversation, stand_in, &mut card, &mut losses);
    card::conversation(entry, conversation, &mut card);
    let (fields, tags) = fields_and_tags(entry, conversation, &mut card, &mut losses);
    let own = own_attributes(conversation, around);

    let mut parts = Parts {
        around,
        item,
        conversation,
        requester: &requester,
        clock: Clock::new(1_000),
        card: &mut card,
        losses: &mut losses,
        refused: Vec::new(),
        chunks: Vec::new(),
        said: 0,
    };
    for part in &thread.parts {
        if let Entity::Message(message) = &part.message.data {
            parts.add(part, message, entry.head.created_at);
        }
    }
    parts.begin_if_empty(entry.head.created_at);
    let moved = parts.clock.moved();
    let end_at = parts.clock.end();
    let (chunks, refused) = (parts.chunks, parts.refused);
    if moved {
        let note = "Intercom keeps whole seconds: what was said within one is a second apart; exact on the source card";
        losses.push(loss("message.sent-at", Fidelity::Converted, note));
    }
    let mut mapped = Mapped {
        end: end(item, conversation, around.unit.now, &mut losses),
        admin: assignee(conversation, &mut losses),
        team: team(conversation, &mut losses),
        title: conversation
            .subject
            .clone()
            .filter(|subject| !subject.is_empty()),
        chunks,
        fields,
        own,
        tags,
        losses: Vec::new(),
        refused,
    };
    let text = card.render(around.unit.platform, item, entry, &losses)?;
    mapped.losses = losses;
    if let Some(last) = mapped.chunks.last_mut() {
        last.parts.push(PartDraft {
            name: "card".to_owned(),
            voice: Voice::Admin(around.state.me.clone()),
            note: true,
            at: seconds(map::past(end_at, around.unit.now)),
            facts: vec![CARD.to_owned()],
            said: Said::Plain(text),
            files: Vec::new(),
        });
    }
    Ok(mapped)
}

fn slot(item: &Item, name: &str) -> Option<String> {
    let value = item.value(name).filter(|value| !value.is_empty());
    value.map(str::to_owned)
}

/// Open, closed or snoozed (Intercom facts §5, §8.3).
fn end(item: &Item, conversation: &Conversation, now: i64, losses: &mut Vec<Loss>) -> End {
    let status = slot(item, "status");
    let status = status
        .as_deref()
        .unwrap_or_else(|| map::default_status(&conversation.status));
    match (status, conversation.snooze_until) {
        ("snoozed", Some(until)) if until > now + 60_000 => End::Snoozed(seconds(until)),
        ("snoozed", Some(_)) => {
            let note = "the time to come back has passed: open";
            losses.push(loss("conversation.status", Fidelity::Converted, note));
            End::Open
        }
        ("snoozed", None) => {
            let note = "snoozed until the customer writes: closed";
            losses.push(loss("conversation.status", Fidelity::Converted, note));
            End::Closed
        }
        ("closed", _) => End::Closed,
        _ => End::Open,
    }
}

fn assignee(conversation: &Conversation, losses: &mut Vec<Loss>) -> Option<String> {
    let notes = [
        "named on the source card: no admin here",
        "further assignees are on the source card",
    ];
    let (all, field) = (&conversation.assignees, "conversation.assignees");
    let admin = |first: &Reference| map::admin(first).map(str::to_owned);
    first_here(all, admin, field, notes, losses)
}

fn team(conversation: &Conversation, losses: &mut Vec<Loss>) -> Option<String> {
    let notes = [
        "on the source card: no team of this name is here",
        "further teams are on the source card",
    ];
    let (all, field) = (&conversation.teams, "conversation.teams");
    let team = |first: &Reference| map::target(first, &Kind::Team).map(str::to_owned);
    first_here(all, team, field, notes, losses)
}

/// What the API cannot set and an attribute of our own shows (Intercom facts §5).
fn own_attributes(conversation: &Conversation, around: &Surroundings<'_>) -> Map<String, Value> {
    let mut own = Map::new();
    own.insert(RUN.to_owned(), json!(around.unit.run));
    if !conversation.channels.is_empty() {
        own.insert(CHANNEL.to_owned(), json!(conversation.channels.join(", ")));
    }
    if let Some(p) = &conversation.priority {
        own.insert(PRIORITY.to_owned(), json!(words::priority(p)));
    }
    let judged = conversation.satisfaction.as_ref();
    let judged = judged.and_then(|judged| judged.rating.as_ref().or(judged.score.as_ref()));
    if let Some(judged) = judged {
        own.insert(SATISFACTION.to_owned(), json!(judged));
    }
    own
}

fn fields_and_tags(
    entry: &Entry,
    conversation: &Conversation,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> (Map<String, Value>, Vec<String>) {
    let mut fields = Map::new();
    card.place(&entry.head.fields, losses, |field, words| {
        let (name, value) = map::place(field, Model::Conversation, words)?;
        fields.insert(name, value);
        Ok(true)
    });
    let tags = tags_here(
        &conversation.tags,
        map::tag,
        "conversation.tags",
        card,
        losses,
    );
    (fields, tags)
}

// ---- messages

struct Parts<'a, 's> {
    around: &'a Surroundings<'s>,
    item: &'a Item,
    conversation: &'a Conversation,
    requester: &'a Requester<String>,
    clock: Clock,
    card: &'a mut Facts,
    losses: &'a mut Vec<Loss>,
    refused: Vec<RefusedEntry>,
    chunks: Vec<Chunk>,
    /// Messages so far.
    said: usize,
}

impl Parts<'_, '_> {
    /// One message as parts; none for what is skipped.
    fn add(&mut self, part: &destination::Part, message: &Message, begun: Option<i64>) {
        let head = &part.message.head;
        let config = self.around.config;
        if let Some(why) = skipped(head, message, config.spam, config.events) {
            skip(head, why, self.card, self.losses);
            return;
        }
        let mut facts = Vec::new();
        if self.said == 0 {
            facts.extend(self.requester.line(message));
        }
        self.said += 1;
        let public = message.visibility == Visibility::Public && !message.forwarded;
        let voice = self.voice(message, &mut facts);
        message_facts(message, self.card.words(), &mut facts);
        let files = self.files(part, &mut facts);
        self.on_card(part, message);
        let (said, files) = self.said_of(part, message, &voice, files, &mut facts);

        let at = message.sent_at.or(head.created_at).or(begun);
        let at = map::past(at.unwrap_or_else(|| self.clock.end()), self.around.unit.now);
        let opens = self.chunks.is_empty() && public && matches!(&voice, Voice::Contact(_));
        self.begin_if_needed(opens, at);
        let at = seconds(self.clock.at(at));
        let name = format!("message:{}", head.id);
        let draft = PartDraft {
            name: name.clone(),
            voice,
            note: !public,
            at,
            facts,
            said,
            files: Vec::new(),
        };
        let mut groups = files.chunks(FILES);
        if opens {
            // What begins a conversation takes no files (Intercom facts §8.1): they follow.
            let contact = match &draft.voice {
                Voice::Contact(id) | Voice::Admin(id) => id.clone(),
            };
            let whose = Some(self.requester.id.clone()).filter(|whose| *whose != contact);
            self.chunks.push(Chunk {
                marker: self.item.marker.clone(),
                contact,
                opening: draft.body(&[]),
                at,
                guests: whose.into_iter().collect(),
                parts: Vec::new(),
            });
        } else {
            let first = groups.next().unwrap_or_default().to_vec();
            self.push(PartDraft {
                files: first,
                ..draft.clone()
            });
        }
        for (n, group) in groups.enumerate() {
            let at = seconds(self.clock.follow());
            self.push(PartDraft {
                name: format!("{name}#{}", n + 2),
                at,
                facts: vec![MORE_FILES.to_owned()],
                said: Said::Plain(String::new()),
                files: group.to_vec(),
                ..draft.clone()
            });
        }
    }

    fn push(&mut self, draft: PartDraft) {
        let Some(chunk) = self.chunks.last_mut() else {
            return;
        };
        if let Voice::Contact(id) = &draft.voice
            && *id != chunk.contact
            && !chunk.guests.contains(id)
        {
            chunk.guests.push(id.clone());
        }
        chunk.parts.push(draft);
    }

    /// A conversation for what comes next: the first, where no customer's text begins it; another, where this one is full.
    fn begin_if_needed(&mut self, opens: bool, at: i64) {
        if self.chunks.is_empty() {
            if !opens {
                self.losses.push(loss(
                    "conversation.messages",
                    Fidelity::Converted,
                    "a conversation of Intercom begins with a contact's text: a line of ours stands before what was said",
                ));
                self.begin(BEGINS.to_owned(), at);
            }
            return;
        }
        // Files of one message may follow it: so there is room for them.
        let full = self.around.config.parts_per_conversation;
        let is_full = self
            .chunks
            .last()
            .is_some_and(|chunk| chunk.parts.len() + 1 >= full);
        if is_full {
            let line = format!("{GOES_ON} {}", self.item.marker);
            self.losses.push(loss(
                "conversation.messages",
                Fidelity::Converted,
                "longer than the 500 parts that Intercom shows: it goes on in a further conversation",
            ));
            self.begin(line, at);
        }
    }

    fn begin(&mut self, line: String, at: i64) {
        let n = self.chunks.len() + 1;
        let mut facts = vec![line];
        if n > 1 {
            facts.push(format!("part {n}"));
        }
        let at = seconds(self.clock.at(at));
        self.chunks.push(Chunk {
            marker: continued_marker(&self.item.marker, n),
            contact: self.requester.id.clone(),
            opening: lead(&facts).unwrap_or_default(),
            at,
            guests: Vec::new(),
            parts: Vec::new(),
        });
    }

    /// A thread in which nothing was said.
    fn begin_if_empty(&mut self, begun: Option<i64>) {
        if self.chunks.is_empty() {
            let at = map::past(begun.unwrap_or(self.around.unit.now), self.around.unit.now);
            self.begin("no message in the source".to_owned(), at);
        }
    }

    /// A contact writes what came from outside, an admin anything else; whoever is not here is named above the text.
    fn voice(&mut self, message: &Message, facts: &mut Vec<String>) -> Voice {
        let person = match &message.author {
            types::Author::Person(person) => Some(person),
            types::Author::Name(_) | types::Author::System => None,
        };
        let (voice, is_own) = if by_contact(message) {
            let own = person.and_then(|person| map::target(person, &Kind::Customer));
            let id = own.map_or_else(|| self.requester.id.clone(), str::to_owned);
            (Voice::Contact(id), own.is_some())
        } else {
            let own = person.and_then(map::admin);
            let id = own.map_or_else(|| self.around.state.stand_in.clone(), str::to_owned);
            (Voice::Admin(id), own.is_some())
        };
        if !is_own {
            facts.push(format!("written by {}", words::author(&message.author)));
            let note = "is not here as its author: named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        voice
    }

    /// What is said, in the form that its author can say it in, and what goes along as a file since it cannot be said.
    fn said_of(
        &mut self,
        part: &destination::Part,
        message: &Message,
        voice: &Voice,
        mut files: Vec<FileDraft>,
        facts: &mut Vec<String>,
    ) -> (Said, Vec<FileDraft>) {
        let unit = &self.around.unit;
        let (plain, html) = (unit.plain(message), unit.html(message));
        match (voice, plain, html) {
            (Voice::Admin(_), _, Some(html)) => {
                if html.contains("cid:") || !part.attachments.is_empty() && html.contains("<img") {
                    let note = "inline images are files of their message: addresses of files end";
                    self.losses
                        .push(loss("message.html", Fidelity::Converted, note));
                }
                (Said::Html(html.to_owned()), files)
            }
            (_, Some(text), None) => {
                if text.contains('\r') && matches!(voice, Voice::Contact(_)) {
                    let note = "line ends of a contact's text are as HTML has them";
                    self.losses
                        .push(loss("message.text", Fidelity::Converted, note));
                }
                (Said::Plain(text.to_owned()), files)
            }
            (Voice::Contact(_), plain, Some(html)) => {
                if let Some(content) = self.around.markup.get(&part.message.head.id) {
                    facts.push(format!("with its markup in {MARKUP}"));
                    files.push(FileDraft {
                        head: None,
                        name: MARKUP.to_owned(),
                        content: content.clone(),
                    });
                    let note = "a contact's text is plain: the markup is a file of the message";
                    self.losses
                        .push(loss("message.html", Fidelity::Converted, note));
                } else {
                    let note = "a contact's text is plain: paragraphs are line ends";
                    self.losses
                        .push(loss("message.html", Fidelity::Converted, note));
                }
                let text = plain.map_or_else(|| html_to_search_text(html), str::to_owned);
                (Said::Plain(text), files)
            }
            (_, None, None) => (Said::Plain(String::new()), files),
        }
    }

    /// Files that can be sent; the rest is named above the text.
    fn files(&mut self, part: &destination::Part, facts: &mut Vec<String>) -> Vec<FileDraft> {
        let most = self.around.config.max_attachment_bytes;
        let mut files = Vec::new();
        for entry in &part.attachments {
            let Entity::Attachment(attachment) = &entry.data else {
                continue;
            };
            let too_large = "larger than Intercom takes: named in the thread";
            match sendable(entry, most, "Intercom", too_large) {
                Ok((name, content)) => files.push(FileDraft {
                    head: Some(entry.head.clone()),
                    name,
                    content,
                }),
                Err((cause, why)) => {
                    facts.push(missing(&file_name(attachment), &why));
                    self.losses.push(loss("attachment", Fidelity::Lost, cause));
                }
            }
        }
        files
    }

    /// What the source knows of a message and Intercom has no place for.
    fn on_card(&mut self, part: &destination::Part, message: &Message) {
        let words = self.card.words().clone();
        let head = &part.message.head;
        let subject = self.conversation.subject.as_deref();
        let facts = message_card(head, message, subject, Holds::Text, &words, self.losses);
        if !facts.is_empty() {
            self.card.message(self.said, &facts);
        }
    }
}

/// What a thread says of a file that is not there.
pub fn missing(name: &str, why: &str) -> String {
    format!("file {name} is missing here: {why}")
}

/// The markup of contacts' messages that has more to it than its text, by message id.
pub fn rich_markup<'t>(
    thread: &'t Thread,
    texts: &'t BTreeMap<String, String>,
) -> impl Iterator<Item = (&'t str, &'t str)> {
    thread.parts.iter().filter_map(move |part| {
        let Entity::Message(message) = &part.message.data else {
            return None;
        };
        let html =
            text_in(texts, &message.html).filter(|html| by_contact(message) && is_rich(html))?;
        Some((part.message.head.id.as_str(), html))
    })
}

// ---- fingerprint

/// What of a conversation is compared before an undo, as Intercom holds it: our attributes, who is in charge, its state, and all that
/// people said in it. What bots say is not compared: it is a side effect.
pub fn facets(conversation: &api::Conversation) -> Vec<(String, String)> {
    let mut facets = vec![
        (
            "title".to_owned(),
            conversation.title.clone().unwrap_or_default(),
        ),
        ("state".to_owned(), conversation.state.clone()),
        ("admin".to_owned(), conversation.admin_assignee_id.clone()),
        ("team".to_owned(), conversation.team_assignee_id.clone()),
        ("opening".to_owned(), conversation.source.body.clone()),
    ];
    for (name, value) in &conversation.custom_attributes {
        facets.push((format!("field {name}"), canonical(value)));
    }
    let is_said = |part: &&api::Part| {
        let said = part.body.as_deref().is_some_and(|body| !body.is_empty());
        // A blanked part is missing from what was said; a blanked record never was among it.
        said && !part.redacted && part.author.kind != "bot" && !is_record(part)
    };
    let line = |part: &api::Part| {
        format!(
            "{} {} {} {}",
            part.created_at,
            part.part_type,
            part.author.id,
            short_hash(part.body.as_deref().unwrap_or_default())
        )
    };
    let mut said: Vec<String> = conversation
        .parts()
        .iter()
        .filter(is_said)
        .map(line)
        .collect();
    said.sort();
    facets.push(("parts".to_owned(), said.join("\n")));
    facets
}

/// Whether a part is a note of ours that stands for a record of a custom object.
pub fn is_record(part: &api::Part) -> bool {
    let (facts, _) = without_lead(
        part.body
            .as_deref()
            .unwrap_or_default()
            .trim_start_matches("<p>"),
    );
    part.part_type == "note"
        && facts.is_some_and(|f| f.contains("; record ") && f.contains("; run "))
}

/// The facets that a conversation of ours is held to: what was said of it and no more, since a workspace assigns by itself. One that
/// comes back by itself has no state to be held to.
pub fn sent_facets(
    mapped: &Mapped,
    stamp: &Map<String, Value>,
    facets: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let said = |name: &str| match name {
        "title" => mapped.title.is_some(),
        "state" => !matches!(mapped.end, End::Snoozed(_)),
        "admin" => mapped.admin.is_some(),
        "team" => mapped.team.is_some(),
        _ => name
            .strip_prefix("field ")
            .is_none_or(|field| stamp.contains_key(field)),
    };
    facets.into_iter().filter(|(name, _)| said(name)).collect()
}
