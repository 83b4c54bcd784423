//! A conversation with its messages and files as the ticket that holds it, in the one call that makes it.
//!
//! Every part of a thread has its rule (rule M-3): what is said and to whom becomes a message in the order and at the time of the
//! original, by its author and on its channel; what a message cannot show stands in the line above its body; what a ticket has no
//! field for stands on the source card, an internal note at the end (rule M-2). Every message says that it was sent: one that did
//! not would be mailed (Gorgias facts §6). Pure: files are uploaded before, ids of tickets are known after. Not here: sending and
//! looking up (see `write::tickets`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::effects::short_hash;
use transload_sdk::ledger::RefusedEntry;
use transload_sdk::policy::canonical;
use transload_sdk::thread::{
    Holds, Requester, Unit, conversation_of, file_name, first_here, first_time, html_with_lead,
    image_names, is_incoming, lead, message_card, message_facts, repoint, skip, skipped, tags_here,
    with_lead,
};
use transload_sdk::types::{
    self, Conversation, Entity, Entry, Error, Fidelity, Kind, Loss, Message, Reference, Visibility,
};
use transload_sdk::words;

use crate::api::{
    self, AttachmentDraft, FieldValue, MessageDraft, Named, Ref, Source, Ticket, TicketDraft,
};
use crate::map::{self, Choices, FieldOwner, MESSAGES, NOTE, NamedTarget, SNOOZED, stamp};
use crate::state::{Config, State};
use crate::text;

/// What the external id of a source card ends with.
pub const CARD: &str = "#card";

/// What became of a file before its ticket is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// In Gorgias's hands.
    Uploaded {
        /// Where.
        url: String,
        /// Its type there.
        content_type: String,
        /// Bytes.
        size: u64,
    },
    /// Not to be had or too large, which the host knows: the cause, for the report, and what the thread says of it.
    Refused(&'static str, String),
    /// Not taken by Gorgias, and why: the host exports it.
    NotTaken(String),
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
    /// Choices of ticket fields.
    pub choices: &'a Choices,
    /// Files, by attachment id.
    pub files: &'a BTreeMap<String, File>,
}

/// What a ticket is to be in the end, where messages are added after it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// `open` or `closed`.
    pub status: String,
    /// When it was closed.
    pub closed: Option<String>,
    /// When it comes back.
    pub snooze: Option<String>,
}

/// A judgement that becomes a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyDraft {
    /// 1 to 5.
    pub score: u8,
    /// What was said.
    pub body_text: Option<String>,
    /// When it was sent.
    pub sent: String,
    /// When it was answered.
    pub scored: String,
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// With as many messages as a creation takes.
    pub ticket: TicketDraft,
    /// Those that are added after it (Gorgias facts §6).
    pub rest: Vec<MessageDraft>,
    /// What the ticket is to be in the end.
    pub end: End,
    /// The customer's judgement.
    pub survey: Option<SurveyDraft>,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// Files that Gorgias did not take.
    pub refused: Vec<RefusedEntry>,
}

impl Mapped {
    /// All messages, in order.
    pub fn messages(&self) -> impl Iterator<Item = &MessageDraft> {
        self.ticket.messages.iter().chain(&self.rest)
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
    let head = &entry.head;
    let conversation = conversation_of(thread)?;
    let mut losses = Vec::new();
    let mut card = Facts::new(around.config.words(around.unit.zone));
    let stand_in = around.state.stand_in_customer;
    let requester = Requester::of(conversation, stand_in, &mut card, &mut losses);
    card::conversation(entry, conversation, &mut card);
    let channel = channel(item, conversation);

    let mut parts = Parts {
        around,
        item,
        conversation,
        requester: &requester,
        channel: &channel,
        card: &mut card,
        losses: &mut losses,
        refused: Vec::new(),
        messages: Vec::new(),
    };
    let mut last = head.created_at.unwrap_or(0);
    for part in &thread.parts {
        if let Entity::Message(message) = &part.message.data {
            let written = message.sent_at.or(part.message.head.created_at);
            last = written.unwrap_or(last);
            parts.add(part, message, last);
        }
    }
    let (mut messages, refused) = (parts.messages, parts.refused);

    let times = Times::of(thread, conversation, last, around.unit.now);
    let end = end(item, conversation, &times, around.unit.now, &mut losses);
    let (custom_fields, tags) =
        fields_and_tags(entry, conversation, around, &mut card, &mut losses);
    let assignee = assignee(conversation, &mut losses);
    let team = team(conversation, &mut losses);
    let subject = conversation.subject.as_deref().map(|subject| {
        let (subject, is_cut) = map::cut(subject, map::SUBJECT_CHARS);
        if is_cut {
            card.text("subject", conversation.subject.as_deref());
            let note = "longer than 998 characters: whole on the source card";
            losses.push(loss("conversation.subject", Fidelity::Converted, note));
        }
        subject
    });
    let survey = survey(conversation, around, &times);
    let last_message = messages.last().map(|m| m.created_datetime.clone());
    let received = messages.iter().rev().find(|m| !m.from_agent);
    let received = received.map(|m| m.created_datetime.clone());
    let from_agent = messages.first().is_none_or(|first| first.from_agent);

    let text = card.render(around.unit.platform, item, entry, &losses)?;
    messages.push(note(
        map::external_id(&format!("{}{CARD}", item.marker)),
        around.state.me,
        with_lead(lead(&["source card".to_owned()]).as_deref(), &text),
        times.updated.clone(),
    ));
    let rest = messages.split_off(messages.len().min(MESSAGES));
    // A customer's message opens a closed ticket: one that gets more is closed at the end (Gorgias facts §6).
    let now_end = if rest.is_empty() {
        end.clone()
    } else {
        End {
            status: "open".to_owned(),
            closed: None,
            snooze: None,
        }
    };
    let ticket = TicketDraft {
        external_id: map::external_id(&item.marker),
        channel,
        via: "api",
        from_agent,
        status: now_end.status,
        priority: priority(item, conversation),
        subject: subject.map(str::to_owned),
        language: conversation.language.as_deref().and_then(map::language),
        spam: conversation.spam,
        customer: Ref { id: requester.id },
        assignee_user: assignee.map(|id| Ref { id }),
        assignee_team: team.map(|id| Ref { id }),
        tags,
        custom_fields,
        meta: meta(item, entry, around.unit.run),
        created_datetime: times.created,
        opened_datetime: times.opened,
        updated_datetime: times.updated,
        last_message_datetime: last_message,
        last_received_message_datetime: received,
        closed_datetime: now_end.closed,
        snooze_datetime: now_end.snooze,
        messages,
    };
    Ok(Mapped {
        ticket,
        rest,
        end,
        survey,
        losses,
        refused,
    })
}

/// What says whose a ticket is and which run made it.
fn meta(item: &Item, entry: &Entry, run: &str) -> Value {
    let mut meta = Map::new();
    let mut set = |name: &str, value: &str| meta.insert(name.to_owned(), json!(value));
    set("transload_run", run);
    set("transload_marker", &item.marker);
    set("source_id", &entry.head.id);
    if let Some(url) = &entry.head.url {
        set("source_url", url);
    }
    Value::Object(meta)
}

/// An internal note of the connector's own.
pub fn note(external_id: String, author: u64, body: String, at: String) -> MessageDraft {
    MessageDraft {
        external_id,
        channel: NOTE.to_owned(),
        via: "api",
        from_agent: true,
        public: false,
        sender: Ref { id: author },
        receiver: None,
        source: Source {
            kind: NOTE.to_owned(),
            ..Source::default()
        },
        subject: None,
        body_text: Some(body),
        body_html: None,
        message_id: None,
        created_datetime: at.clone(),
        sent_datetime: at,
        attachments: Vec::new(),
    }
}

fn slot(item: &Item, name: &str) -> Option<String> {
    let value = item.value(name).filter(|value| !value.is_empty());
    value.map(str::to_owned)
}

fn channel(item: &Item, conversation: &Conversation) -> String {
    let first = conversation.channels.first();
    let default = || first.map_or(map::OTHER_CHANNEL, |word| map::default_channel(word));
    slot(item, "channel").unwrap_or_else(|| default().to_owned())
}

fn priority(item: &Item, conversation: &Conversation) -> Option<String> {
    let default = || conversation.priority.as_ref().map(map::default_priority);
    slot(item, "priority").or_else(|| default().map(str::to_owned))
}

/// Times of a ticket as it will show them.
struct Times {
    created: String,
    opened: String,
    updated: String,
    closed: String,
    judged: String,
}

impl Times {
    fn of(thread: &Thread, conversation: &Conversation, last: i64, now: i64) -> Self {
        let head = &thread.conversation.head;
        let first = first_time(thread);
        let created = head.created_at.or(first).unwrap_or(now);
        let known = [
            head.updated_at,
            conversation.last_activity_at,
            Some(last),
            Some(created),
        ];
        let updated = known.into_iter().flatten().max().unwrap_or(created);
        let closed = conversation.closed_at.or(conversation.ended_at);
        let at = |ms| stamp(map::past(ms, now));
        Self {
            created: at(created),
            opened: at(first.unwrap_or(created).max(created)),
            updated: at(updated),
            closed: at(closed.unwrap_or(updated)),
            judged: at(updated),
        }
    }
}

/// Open or closed, and when a snoozed one comes back (Gorgias facts §5).
fn end(
    item: &Item,
    conversation: &Conversation,
    times: &Times,
    now: i64,
    losses: &mut Vec<Loss>,
) -> End {
    let status = slot(item, "status");
    let status = status
        .as_deref()
        .unwrap_or_else(|| map::default_status(&conversation.status));
    let closed = |snooze: Option<String>| End {
        status: "closed".to_owned(),
        closed: Some(times.closed.clone()),
        snooze,
    };
    let open = End {
        status: "open".to_owned(),
        closed: None,
        snooze: None,
    };
    match (status, conversation.snooze_until) {
        (SNOOZED, Some(until)) if until > now => closed(Some(stamp(until))),
        (SNOOZED, Some(_)) => {
            let note = "the time to come back has passed: open";
            losses.push(loss("conversation.status", Fidelity::Converted, note));
            open
        }
        (SNOOZED, None) => {
            let note = "snoozed until the customer writes: closed";
            losses.push(loss("conversation.status", Fidelity::Converted, note));
            closed(None)
        }
        ("closed", _) => closed(None),
        _ => open,
    }
}

fn assignee(conversation: &Conversation, losses: &mut Vec<Loss>) -> Option<u64> {
    let notes = [
        "named on the source card: no user here",
        "further assignees are on the source card",
    ];
    let (all, field) = (&conversation.assignees, "conversation.assignees");
    first_here(all, map::user, field, notes, losses)
}

fn team(conversation: &Conversation, losses: &mut Vec<Loss>) -> Option<u64> {
    let notes = [
        "on the source card: the team was not migrated",
        "further teams are on the source card",
    ];
    let (all, field) = (&conversation.teams, "conversation.teams");
    first_here(all, map::numeric_target, field, notes, losses)
}

fn survey(
    conversation: &Conversation,
    around: &Surroundings<'_>,
    times: &Times,
) -> Option<SurveyDraft> {
    /// Characters of a survey's text (Gorgias facts §9).
    const WORDS: usize = 1_000;
    let judged = conversation.satisfaction.as_ref()?;
    let score = map::score(judged).filter(|_| around.config.satisfaction)?;
    let said: Vec<&str> = judged
        .answers
        .iter()
        .map(|(_, answer)| answer.as_str())
        .collect();
    let said = Some(said.join("\n")).filter(|said| !said.is_empty());
    let at = |ms: Option<i64>| ms.map(|ms| stamp(map::past(ms, around.unit.now)));
    let sent = at(judged.sent_at).unwrap_or_else(|| times.judged.clone());
    Some(SurveyDraft {
        score,
        body_text: said.map(|said| map::cut(&said, WORDS).0.to_owned()),
        scored: at(judged.answered_at).unwrap_or_else(|| sent.clone()),
        sent,
    })
}

fn fields_and_tags(
    entry: &Entry,
    conversation: &Conversation,
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> (Vec<FieldValue>, Vec<Named>) {
    let mut fields: Vec<FieldValue> = Vec::new();
    card.place(&entry.head.fields, losses, |field, words| {
        let (id, value) = map::place(field, FieldOwner::Ticket, around.choices, words)?;
        fields.push(FieldValue { id, value });
        Ok(true)
    });
    if let Some(brand) = &conversation.brand {
        let target = brand.target.as_deref().and_then(NamedTarget::parse);
        match target.filter(|target| target.id != 0) {
            Some(target) => fields.push(FieldValue {
                id: target.id,
                value: json!(target.name),
            }),
            None => {
                let note = "on the source card: there is no field for it";
                losses.push(loss("conversation.brand", Fidelity::Converted, note));
            }
        }
    }
    let name = |tag: &Reference| Some(NamedTarget::parse(tag.target.as_deref()?)?.name);
    let mut tags = tags_here(&conversation.tags, name, "conversation.tags", card, losses);
    tags.retain(|name| *name != around.state.tag);
    tags.insert(0, around.state.tag.clone());
    let named = tags.into_iter().filter(|name| !name.is_empty());
    (fields, named.map(|name| Named { name }).collect())
}

// ---- messages

/// Who a message is by.
struct Voice {
    from_agent: bool,
    sender: u64,
    /// Whom its text must name, since the sender is somebody else.
    named: Option<String>,
}

struct Parts<'a, 's> {
    around: &'a Surroundings<'s>,
    item: &'a Item,
    conversation: &'a Conversation,
    requester: &'a Requester,
    channel: &'a str,
    card: &'a mut Facts,
    losses: &'a mut Vec<Loss>,
    refused: Vec<RefusedEntry>,
    messages: Vec<MessageDraft>,
}

impl Parts<'_, '_> {
    /// One part as a message; none for what is skipped.
    fn add(&mut self, part: &destination::Part, message: &Message, at: i64) {
        let head = &part.message.head;
        let config = self.around.config;
        if let Some(why) = skipped(head, message, config.spam, config.events) {
            skip(head, why, self.card, self.losses);
            return;
        }
        let mut facts = Vec::new();
        if self.messages.is_empty() {
            facts.extend(self.requester.line(message));
        }
        let public = message.visibility == Visibility::Public && !message.forwarded;
        let voice = self.voice(message, public);
        if let Some(name) = &voice.named {
            facts.push(format!("written by {name}"));
            let note = "is not here as its author: named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        message_facts(message, self.card.words(), &mut facts);
        let channel = if public {
            self.channel_of(message)
        } else {
            NOTE.to_owned()
        };
        let author = match &message.author {
            types::Author::Person(person) => words::called(person),
            types::Author::Name(name) => Some(name.as_str()),
            types::Author::System => None,
        };
        let (source, whole) = if public {
            text::source(message, &channel, author)
        } else {
            let only = Message::empty();
            (text::source(&only, NOTE, author).0, false)
        };
        let (attachments, images) = self.files(part, &mut facts);
        self.on_card(part, message, whole);

        let unit = &self.around.unit;
        let (plain, html) = (unit.plain(message), unit.html(message));
        if plain.is_none() && html.is_none() && facts.is_empty() && attachments.is_empty() {
            facts.push("no text in the source".to_owned());
        }
        let above = lead(&facts);
        let body_html = html.map(|html| html_with_lead(above.as_deref(), &repoint(html, &images)));
        let body_text = match (plain, html) {
            (None, Some(_)) => None,
            (plain, _) => Some(with_lead(above.as_deref(), plain.unwrap_or_default())),
        };
        let subject = message
            .subject
            .as_deref()
            .map(|subject| map::cut(subject, map::SUBJECT_CHARS));
        if subject.as_ref().is_some_and(|(_, is_cut)| *is_cut) {
            let note = "a subject of more than 998 characters is cut";
            self.losses
                .push(loss("message.subject", Fidelity::Lost, note));
        }
        let stamp = stamp(map::past(at, self.around.unit.now));
        let receiver = (public && voice.from_agent).then_some(Ref {
            id: self.requester.id,
        });
        self.messages.push(MessageDraft {
            external_id: map::external_id(&format!(
                "{}message:{}",
                self.around.unit.prefix, head.id
            )),
            channel,
            via: "api",
            from_agent: voice.from_agent,
            public,
            sender: Ref { id: voice.sender },
            receiver,
            source,
            subject: subject.map(|(subject, _)| subject.to_owned()),
            body_text,
            body_html,
            message_id: message.message_id.clone().filter(|_| public),
            created_datetime: stamp.clone(),
            sent_datetime: stamp,
            attachments,
        });
    }

    /// A customer writes to the company, a user to the customer or to other users (Gorgias facts §6).
    fn voice(&self, message: &Message, public: bool) -> Voice {
        let person = match &message.author {
            types::Author::Person(person) => Some(person),
            types::Author::Name(_) | types::Author::System => None,
        };
        let named = || Some(words::author(&message.author));
        if public && is_incoming(message) {
            let customer = person.filter(|person| person.kind == Kind::Customer);
            let own = customer.and_then(map::numeric_target);
            return Voice {
                from_agent: false,
                sender: own.unwrap_or(self.around.state.stand_in_customer),
                named: if own.is_some() { None } else { named() },
            };
        }
        let own = person.and_then(map::user);
        Voice {
            from_agent: true,
            sender: own.unwrap_or(self.around.state.stand_in),
            named: if own.is_some() { None } else { named() },
        }
    }

    fn channel_of(&self, message: &Message) -> String {
        match message.channel.as_deref() {
            None => self.channel.to_owned(),
            Some(word) if self.conversation.channels.first().map(String::as_str) == Some(word) => {
                self.channel.to_owned()
            }
            Some(word) => map::default_channel(word).to_owned(),
        }
    }

    /// Files as they hang on the message, and the new places of inline images.
    fn files(
        &mut self,
        part: &destination::Part,
        facts: &mut Vec<String>,
    ) -> (Vec<AttachmentDraft>, Vec<(String, String)>) {
        let (mut files, mut images) = (Vec::new(), Vec::new());
        for entry in &part.attachments {
            let Entity::Attachment(attachment) = &entry.data else {
                continue;
            };
            let name = file_name(attachment);
            let missing = |why: &str| format!("file {name} is missing here: {why}");
            match self.around.files.get(&entry.head.id) {
                Some(File::Uploaded {
                    url,
                    content_type,
                    size,
                }) => {
                    images.extend(image_names(attachment, url));
                    files.push(AttachmentDraft {
                        url: url.clone(),
                        name,
                        content_type: content_type.clone(),
                        size: *size,
                    });
                }
                Some(File::Refused(cause, words)) => {
                    facts.push(missing(words));
                    self.losses.push(loss("attachment", Fidelity::Lost, cause));
                }
                Some(File::NotTaken(why)) => {
                    let why = format!("Gorgias refuses it: {why}");
                    facts.push(missing(&why));
                    self.refused.extend(self.item.refused(&entry.head, why));
                }
                None => {
                    facts.push(missing("not at hand"));
                    let note = "not at hand: named in the thread";
                    self.losses.push(loss("attachment", Fidelity::Lost, note));
                }
            }
        }
        (files, images)
    }

    /// What the source knows of a message and Gorgias has no place for. `whole` says whether its addresses are in the message.
    fn on_card(&mut self, part: &destination::Part, message: &Message, whole: bool) {
        let words = self.card.words().clone();
        let head = &part.message.head;
        let subject = self.conversation.subject.as_deref();
        let mut facts = message_card(head, message, subject, Holds::Email, &words, self.losses);
        if !whole {
            let lists = [
                ("to", &message.to),
                ("cc", &message.cc),
                ("bcc", &message.bcc),
            ];
            let from = message.sender.as_ref().map(|from| format!("from {from}"));
            let said = lists.into_iter().filter(|(_, list)| !list.is_empty());
            facts.extend(from);
            facts.extend(said.map(|(name, list)| format!("{name} {}", list.join(", "))));
        }
        if !facts.is_empty() {
            facts.insert(0, format!("id {}", head.id));
            self.card.message(self.messages.len() + 1, &facts);
        }
    }
}

// ---- fingerprint

/// What of a ticket is compared before an undo: what was said of it, as Gorgias holds it. `own` says which external ids are of
/// the thread's own messages.
pub fn facets(ticket: &Ticket, messages: &[api::Message], prefix: &str) -> Vec<(String, String)> {
    let id = |who: &Option<api::Who>| {
        who.as_ref()
            .map(|who| who.id.to_string())
            .unwrap_or_default()
    };
    let mut facets = vec![
        (
            "subject".to_owned(),
            ticket.subject.clone().unwrap_or_default(),
        ),
        ("status".to_owned(), ticket.status.clone()),
        ("customer".to_owned(), id(&ticket.customer)),
        ("assignee".to_owned(), id(&ticket.assignee_user)),
        ("team".to_owned(), id(&ticket.assignee_team)),
        ("priority".to_owned(), ticket.priority.clone()),
        ("spam".to_owned(), ticket.spam.to_string()),
    ];
    for (id, value) in api::values(&ticket.custom_fields) {
        facets.push((format!("field {id}"), canonical(&value)));
    }
    let mut lines: Vec<String> = messages
        .iter()
        .filter(|message| is_of_thread(message, prefix))
        .map(message_facet)
        .collect();
    lines.sort();
    facets.push(("messages".to_owned(), lines.join("\n")));
    facets
}

/// The facets that a ticket of ours is held to: what the draft says and no more, since an account assigns and tags by itself. One
/// that comes back by itself has no status to be held to.
pub fn sent_facets(
    draft: &TicketDraft,
    end: &End,
    facets: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let said = |name: &str| match name {
        "status" => end.snooze.is_none(),
        "assignee" => draft.assignee_user.is_some(),
        "team" => draft.assignee_team.is_some(),
        "priority" => draft.priority.is_some(),
        "subject" => draft.subject.is_some(),
        _ => match name.strip_prefix("field ") {
            Some(id) => draft
                .custom_fields
                .iter()
                .any(|field| field.id.to_string() == id),
            None => true,
        },
    };
    facets.into_iter().filter(|(name, _)| said(name)).collect()
}

/// Whether a message is one that the thread brought.
pub fn is_of_thread(message: &api::Message, prefix: &str) -> bool {
    let external = message.external_id.as_deref().unwrap_or_default();
    let rest = external.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.starts_with("message:") || rest.ends_with(CARD))
}

fn message_facet(message: &api::Message) -> String {
    let at = message.created_datetime.as_deref().and_then(map::parse);
    let hash = |text: &Option<String>| short_hash(text.as_deref().unwrap_or_default());
    format!(
        "{} {} {} {} {} {} {} {}",
        message.external_id.as_deref().unwrap_or_default(),
        message.from_agent,
        message.public,
        message
            .sender
            .as_ref()
            .map(|who| who.id)
            .unwrap_or_default(),
        at.unwrap_or_default(),
        hash(&message.body_text),
        hash(&message.body_html),
        message.attachments.len(),
    )
}
