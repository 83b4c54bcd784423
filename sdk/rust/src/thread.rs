//! What every destination does with a thread (rule M-3): which parts are skipped, what stands in a line above a body because
//! a reader must know it, what of a message goes onto the source card, and how a note without a conversation becomes one.
//!
//! A body is never changed. What must be said about it (who wrote it, that its delivery failed) stands above it in one
//! bracketed line, [`LEAD`], which [`without_lead`] takes off again, so that what is read back can be compared with its
//! original.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::card::{Facts, loss};
use crate::destination::{Item, Part, Thread};
use crate::ledger::RefusedEntry;
use crate::people::mailbox;
use crate::text::{escape_html, pieces};
use crate::time;
use crate::types::{
    Attachment, AttachmentState, Author, BlobRef, BodySource, Conversation, ConversationStatus,
    DeliveryStatus, Direction, Entity, Entry, Error, Fidelity, Head, Invalid, Kind, Loss, Message,
    Reference, Text, Visibility,
};
use crate::words::{self, Words};
use crate::{Context, Result};

/// How our line begins. Agents and programs can search for it.
pub const LEAD: &str = "[Migrated: ";

/// The line above a body, without the brackets' end inside it. `None` where there is nothing to say.
pub fn lead(facts: &[String]) -> Option<String> {
    if facts.is_empty() {
        return None;
    }
    let shown = |c| match c {
        ']' => ')',
        c if char::is_control(c) => ' ',
        c => c,
    };
    let facts: String = facts.join("; ").chars().map(shown).collect();
    Some(format!("{LEAD}{facts}]"))
}

/// What our line says above a text that begins like one itself: else it would be taken for ours when it is read back.
const AS_WRITTEN: &str = "as it was written";

/// Plain text under our line.
pub fn with_lead(lead: Option<&str>, body: &str) -> String {
    match lead {
        None if without_lead(body).0.is_some() => format!("{LEAD}{AS_WRITTEN}]\n\n{body}"),
        Some(lead) if body.is_empty() => lead.to_owned(),
        Some(lead) => format!("{lead}\n\n{body}"),
        None => body.to_owned(),
    }
}

/// HTML under our line.
pub fn html_with_lead(lead: Option<&str>, html: &str) -> String {
    match lead {
        None if without_lead(html).0.is_some() => format!("<p>{LEAD}{AS_WRITTEN}]</p>{html}"),
        Some(lead) => format!("<p>{}</p>{html}", escape_html(lead)),
        None => html.to_owned(),
    }
}

/// The facts in our line, and the body without it. Works on plain text and on HTML.
pub fn without_lead(body: &str) -> (Option<&str>, &str) {
    if let Some(rest) = body.strip_prefix(LEAD) {
        let Some((facts, rest)) = rest.split_once(']') else {
            return (None, body);
        };
        return (Some(facts), rest.strip_prefix("\n\n").unwrap_or(rest));
    }
    let html = body
        .strip_prefix("<p>")
        .and_then(|rest| rest.strip_prefix(LEAD));
    match html.and_then(|rest| rest.split_once("]</p>")) {
        Some((facts, rest)) => (Some(facts), rest),
        None => (None, body),
    }
}

/// What the line above the n-th piece of a long text says.
pub fn part_of(n: usize, count: usize) -> String {
    format!("part {n} of {count}")
}

/// The same behind what the pieces are, where there are several.
pub fn called_part_of(what: &str, n: usize, count: usize) -> String {
    match count {
        0 | 1 => what.to_owned(),
        _ => format!("{what}, {}", part_of(n, count)),
    }
}

/// A body as bodies of at most `limit` bytes each, the first under a line with the facts; of several each says which it is.
pub fn bodies(facts: &[String], body: &str, limit: usize) -> Vec<String> {
    let whole = with_lead(lead(facts).as_deref(), body);
    if whole.len() <= limit {
        return vec![whole];
    }
    // The longest line any piece can have; a piece has at least so many bytes as the line leaves.
    let widest = |facts: &[String]| {
        let mut facts = facts.to_vec();
        facts.push(part_of(body.len(), body.len()));
        lead(&facts).map_or(0, |line| line.len() + 2)
    };
    let first_room = limit.saturating_sub(widest(facts));
    // Facts alone may be too long: then they are a text of their own, and the body follows.
    if first_room < limit / 4 && !facts.is_empty() {
        let said = format!("{}\n\n{body}", facts.join("; "));
        let above = "the facts of this entry are in its text".to_owned();
        return bodies(&[above], &said, limit);
    }
    let room = first_room.max(4);
    let parts = pieces(body, room);
    let count = parts.len();
    let numbered = |(index, piece): (usize, &&str)| {
        let mut said = if index == 0 {
            facts.to_vec()
        } else {
            Vec::new()
        };
        said.push(part_of(index + 1, count));
        with_lead(lead(&said).as_deref(), piece)
    };
    parts.iter().enumerate().map(numbered).collect()
}

/// Whether a body goes on with the text of the one before, by the facts of its line.
pub fn is_further_part(lead: Option<&str>) -> bool {
    let part = lead
        .and_then(|facts| facts.rsplit("; ").next())
        .and_then(|fact| fact.strip_prefix("part "));
    part.is_some_and(|part| !part.starts_with("1 of "))
}

/// One more fact for a line, before the number of a piece, which ends it.
pub fn add_fact(facts: &mut Vec<String>, fact: String) {
    let numbered = facts.last().is_some_and(|last| last.starts_with("part "));
    facts.insert(facts.len() - usize::from(numbered), fact);
}

/// The tags of a conversation by what they became, where they are words; one that became nothing stands on the card.
pub fn tag_targets(
    conversation: &Conversation,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    for reference in &conversation.tags {
        match &reference.target {
            Some(target) => {
                tags.insert(target.clone());
            }
            None => {
                card.add("tag", words::called(reference).unwrap_or(&reference.id));
                let note = "a tag without a form here is on the source card";
                losses.push(loss("conversation.tags", Fidelity::Converted, note));
            }
        }
    }
    tags
}

/// HTML in which what an inline image was known by (`cid:…`, its old URL) is its new URL.
pub fn repoint(html: &str, images: &[(String, String)]) -> String {
    let mut html = html.to_owned();
    for (old, new) in images {
        if old.is_empty() {
            continue;
        }
        let escaped = old.replace('&', "&amp;");
        if escaped != *old {
            html = html.replace(&escaped, new);
        }
        html = html.replace(old, new);
    }
    html
}

/// What the HTML of a body may call a file, with where the file is now.
pub fn image_names(attachment: &Attachment, url: &str) -> Vec<(String, String)> {
    let mut names = Vec::new();
    if let Some(id) = &attachment.content_id {
        let bare = id.trim_start_matches("cid:").trim_matches(['<', '>']);
        names.push((format!("cid:{bare}"), url.to_owned()));
    }
    names.extend(
        attachment
            .body_url
            .iter()
            .map(|old| (old.clone(), url.to_owned())),
    );
    names
}

/// What became of a file before what it hangs on is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// Not sent yet, and as far as is known it will be taken.
    Expected,
    /// It is there.
    There {
        /// Its id.
        id: String,
        /// Where HTML refers to it.
        url: String,
    },
    /// Not to be had or too large, which the host knows: the cause, for the report, and what the thread says of it.
    Refused(&'static str, String),
    /// Not taken by the platform, and why: the host exports it.
    NotTaken(String),
}

impl File {
    /// What the thread says of a file that is missing: a fact for the line above the text, and what the host must know. Nothing of
    /// one that is there, or will be.
    pub fn missing(
        file: Option<&Self>,
        item: &Item,
        entry: &Entry,
        facts: &mut Vec<String>,
        losses: &mut Vec<Loss>,
        refused: &mut Vec<RefusedEntry>,
    ) {
        let Entity::Attachment(attachment) = &entry.data else {
            return;
        };
        let name = file_name(attachment);
        match file {
            Some(Self::There { .. } | Self::Expected) => {}
            Some(Self::Refused(cause, words)) => {
                facts.push(format!("file {name} is missing here: {words}"));
                losses.push(loss("attachment", Fidelity::Lost, cause));
            }
            Some(Self::NotTaken(why)) => {
                facts.push(format!("file {name} is missing here: {why}"));
                refused.extend(item.refused(&entry.head, why));
            }
            None => {
                facts.push(format!("file {name} is missing here"));
                let note = "not at hand: named in the thread";
                losses.push(loss("attachment", Fidelity::Lost, note));
            }
        }
    }
}

/// Name and bytes of a file that can be sent: those of `most` bytes at most. Else the cause, for a report, and what the thread says;
/// of one that is larger than `taker` takes the cause is `too_large`.
pub fn sendable(
    entry: &Entry,
    most: u64,
    taker: &str,
    too_large: &'static str,
) -> Result<(String, BlobRef), (&'static str, String)> {
    let Entity::Attachment(attachment) = &entry.data else {
        return Err(("no file: named in the thread", "no file".to_owned()));
    };
    let Some(content) = &attachment.content else {
        return Err(no_bytes(attachment).unwrap_or_default());
    };
    if content.size > most {
        let words = format!("{} bytes are more than {taker} takes", content.size);
        return Err((too_large, words));
    }
    let media_type = attachment.media_type.as_ref();
    let content = BlobRef {
        media_type: media_type.unwrap_or(&content.media_type).clone(),
        ..content.clone()
    };
    Ok((file_name(attachment), content))
}

/// Why a file has no bytes to be sent: the cause, for a report, and what the thread says of it.
pub fn no_bytes(attachment: &Attachment) -> Option<(&'static str, String)> {
    if attachment.content.is_some() {
        return None;
    }
    Some(match &attachment.state {
        AttachmentState::Available => (
            "its bytes could not be read: named in the thread",
            "its bytes could not be read".to_owned(),
        ),
        AttachmentState::External(url) => (
            "kept at a host that was not granted: its address is in the thread",
            format!("kept elsewhere: {url}"),
        ),
        AttachmentState::Redacted => (
            "redacted in the source: named in the thread",
            "redacted in the source".to_owned(),
        ),
        AttachmentState::Unavailable(why) => (
            "the source could not give it: named in the thread",
            why.clone(),
        ),
    })
}

/// The marker of the n-th object that holds a record too large for one (rule M-16).
pub fn continued_marker(marker: &str, part: usize) -> String {
    if part <= 1 {
        marker.to_owned()
    } else {
        format!("{marker}#{part}")
    }
}

/// Why a part of a thread is not loaded: a draft, what was deleted; spam and events unless they are asked for.
pub fn skipped(head: &Head, message: &Message, spam: bool, events: bool) -> Option<&'static str> {
    if message.delivery.status == DeliveryStatus::Draft {
        Some("a draft, never sent")
    } else if head.deleted {
        Some("deleted in the source")
    } else if message.spam && !spam {
        Some("spam")
    } else if message.visibility == Visibility::Event && !events {
        Some("an event; carried with `events = true`")
    } else {
        None
    }
}

/// A time to the millisecond.
fn iso(at: i64) -> String {
    time::format_utc(at).unwrap_or_else(|| at.to_string())
}

/// What stands above a body because a reader must know it.
pub fn message_facts(message: &Message, words: &Words, facts: &mut Vec<String>) {
    if message.visibility == Visibility::Event {
        facts.push("an event".to_owned());
    }
    if message.forwarded {
        let mut to = message.to.clone();
        to.extend(message.cc.iter().cloned());
        facts.push(format!("forwarded to {}", to.join(", ")));
    }
    if message.delivery.status == DeliveryStatus::Failed {
        let why = message
            .delivery
            .error
            .as_deref()
            .unwrap_or("no reason known");
        facts.push(format!("not delivered: {why}"));
    }
    if message.auto {
        facts.push("sent automatically".to_owned());
    }
    match message.body_source {
        BodySource::Truncated => facts.push("the source gave this text cut".to_owned()),
        BodySource::Redacted => facts.push("redacted in the source".to_owned()),
        BodySource::Full | BodySource::Rendering | BodySource::Absent => {}
    }
    if let Some(call) = &message.call {
        let mut said = vec!["a call".to_owned()];
        let time = |name: &str, at: Option<i64>| at.map(|at| format!("{name} {}", iso(at)));
        said.extend(time("placed", call.placed_at));
        said.extend(time("answered", call.answered_at));
        said.extend(time("ended", call.ended_at));
        said.extend(call.status.clone());
        said.extend(call.duration_ms.map(|ms| format!("{} s", ms / 1_000)));
        said.extend(call.recording_url.clone());
        facts.push(said.join(", "));
    }
    if !message.reactions.is_empty() {
        let list: Vec<String> = message
            .reactions
            .iter()
            .map(|r| match &r.author {
                Some(author) => format!("{} by {}", r.name, words.reference(author)),
                None => r.name.clone(),
            })
            .collect();
        facts.push(format!("reactions: {}", list.join(", ")));
    }
}

/// What of a message the destination has fields of its own for, so that the source card need not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text, time and author.
    Text,
    /// What an e-mail has, too: id, direction, subject, addresses and Message-ID.
    Email,
}

/// What the source knows of a message and the destination has no place for, as facts for the source card; none where all of
/// it has one. `subject` is the thread's.
pub fn message_card(
    head: &Head,
    message: &Message,
    subject: Option<&str>,
    holds: Holds,
    words: &Words,
    losses: &mut Vec<Loss>,
) -> Vec<String> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push(format!("{name} {value}"));
        }
    };
    let fine = |at: &i64| at.rem_euclid(1_000) != 0;
    let is_text = holds == Holds::Text;
    let made = head.created_at.filter(|at| Some(*at) != message.sent_at);
    if is_text {
        add("id", Some(head.id.clone()));
    }
    add("sent", message.sent_at.filter(fine).map(iso));
    add("made", made.map(iso));
    if is_text {
        let direction = match message.direction {
            Direction::Inbound => Some("inbound"),
            Direction::Outbound => Some("outbound"),
            Direction::None => None,
        };
        add("direction", direction.map(str::to_owned));
    }
    let channel = message.channel.clone();
    add("channel", channel.filter(|c| is_text || c != "email"));
    add("app", message.app.clone());
    if is_text {
        let own = message.subject.clone();
        add("subject", own.filter(|s| Some(s.as_str()) != subject));
        add("from", message.sender.clone());
        add("to", Some(message.to.join(", ")));
        add("cc", Some(message.cc.join(", ")));
        add("bcc", Some(message.bcc.join(", ")));
        add("message-id", message.message_id.clone());
    }
    add("in-reply-to", message.in_reply_to.clone());
    add("read", message.read_at.map(iso));
    add("failed", message.delivery.failed_at.map(iso));
    add("sent to many", message.bulk.then(|| "yes".to_owned()));
    add("language", message.language.clone());
    add("mentions", Some(words.references(&message.mentions)));
    for link in &message.links {
        let said = words.reference(&link.to);
        add("link", Some(format!("{} is {said}", link.url)));
        let note = match words.link(&link.to) {
            Some(_) => {
                "a link in the text leads to the source; the source card says where its record is now"
            }
            None => {
                "a link in the text leads to a record of the source that is not here, or not here yet; the source card names it"
            }
        };
        losses.push(loss("message.links", Fidelity::Converted, note));
    }
    for field in &head.fields {
        add(
            &format!("field {}", field.name),
            Some(words.value(&field.value)),
        );
    }
    facts
}

/// Puts what is skipped of a thread onto the card, and among the losses.
pub fn skip(head: &Head, why: &'static str, card: &mut Facts, losses: &mut Vec<Loss>) {
    losses.push(loss("message", Fidelity::Lost, why));
    card.skipped(&head.id, why);
}

/// An item as a thread: a conversation, or a note on a customer as one of its own ([`lone_note`]).
///
/// # Errors
/// As [`lone_note`]; `bug` for any other record.
pub fn thread_of(item: &Item) -> Result<Thread> {
    let thread = item.thread()?;
    match &item.entry().data {
        Entity::Message(_) => lone_note(item.entry(), thread),
        Entity::Conversation(_) => Ok(thread),
        _ => Err(Error::Bug("neither a thread nor a note".to_owned())),
    }
}

/// Whose a thread is where it must be somebody's. A customer who was not migrated is named in the first line of the thread and on
/// the card, and a stand-in has the thread. `I` is the form of the platform's ids: a number for most.
#[derive(Debug, Clone, PartialEq)]
pub struct Requester<I = u64> {
    /// The customer here, or the stand-in.
    pub id: I,
    /// Who is stood in for, where that is known.
    missing: Option<Reference>,
}

impl<I: FromStr> Requester<I> {
    /// The customer of a conversation, as far as he is here.
    pub fn of(
        conversation: &Conversation,
        stand_in: I,
        card: &mut Facts,
        losses: &mut Vec<Loss>,
    ) -> Self {
        let customer = conversation.customer.as_ref();
        let target = customer.and_then(|customer| customer.target.as_deref());
        if let Some(id) = target.and_then(|target| target.parse().ok()) {
            return Self { id, missing: None };
        }
        card.reference("customer", customer);
        let note = match customer {
            Some(_) => {
                "not migrated: a stand-in is the requester, the customer is named in the first line and on the card"
            }
            None => "none in the source: a stand-in is the requester",
        };
        losses.push(loss("conversation.customer", Fidelity::Converted, note));
        Self {
            id: stand_in,
            missing: customer.cloned(),
        }
    }

    /// What the first part of the thread says about it, unless it names the customer as its author already.
    pub fn line(&self, first: &Message) -> Option<String> {
        let missing = self.missing.as_ref()?;
        let named = words::person(missing);
        (!self.stands_for(&first.author)).then(|| format!("a conversation with {named}"))
    }

    /// Whether the stand-in stands for that author.
    pub fn stands_for(&self, author: &Author) -> bool {
        match (&self.missing, author) {
            (Some(missing), Author::Person(author)) => {
                (&author.kind, &author.id) == (&missing.kind, &missing.id)
            }
            _ => false,
        }
    }
}

/// Whether the source marked a thread as spam.
pub fn is_spam(thread: &Thread) -> bool {
    matches!(&thread.conversation.data, Entity::Conversation(c) if c.spam)
}

/// All files of a thread.
pub fn files_of(thread: &Thread) -> impl Iterator<Item = &Entry> {
    thread.parts.iter().flat_map(|part| &part.attachments)
}

/// When the source changed a thread last, as far as its head says it.
pub fn updated_at(thread: &Thread) -> Option<i64> {
    let head = &thread.conversation.head;
    let last = match &thread.conversation.data {
        Entity::Conversation(conversation) => conversation.last_activity_at,
        _ => None,
    };
    head.updated_at.max(last).or(head.created_at)
}

/// What the n-th object that holds a message is called among its thread's parts.
pub fn message_part(part: &Part, n: usize) -> String {
    continued_marker(&format!("message:{}", part.message.head.id), n)
}

/// What people read of a file; never empty.
pub fn file_name(attachment: &Attachment) -> String {
    match attachment.name.trim() {
        "" => "file".to_owned(),
        _ => attachment.name.clone(),
    }
}

/// Whether a message is an e-mail: by its channel; where that is not known, by addresses.
pub fn is_email(message: &Message) -> bool {
    match message.channel.as_deref() {
        Some(channel) => channel == "email",
        None => {
            let written = message.sender.iter().chain(&message.to);
            written.filter_map(|text| mailbox(text).1).next().is_some()
        }
    }
}

/// Whether a message came from outside: by its direction; where it has none, by its author.
pub fn is_incoming(message: &Message) -> bool {
    match message.direction {
        Direction::Inbound => true,
        Direction::Outbound => false,
        Direction::None => {
            matches!(&message.author, Author::Person(person) if person.kind == Kind::Customer)
        }
    }
}

/// The times of a thread's parts as a platform keeps them, in whole steps, each later than the one before, so that what was said
/// within one step keeps its order (rule M-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    step_ms: i64,
    last: Option<i64>,
    moved: bool,
}

impl Clock {
    /// One that keeps whole steps of so many milliseconds.
    pub const fn new(step_ms: i64) -> Self {
        Self {
            step_ms,
            last: None,
            moved: false,
        }
    }

    /// Where a part of this time stands, ms.
    pub fn at(&mut self, ms: i64) -> i64 {
        let step = ms.div_euclid(self.step_ms);
        let at = match self.last {
            Some(last) if step <= last => {
                self.moved = true;
                last + 1
            }
            _ => step,
        };
        self.last = Some(at);
        at * self.step_ms
    }

    /// Where what goes on with the part before stands, ms.
    pub fn follow(&mut self) -> i64 {
        let next = self.end();
        self.last = Some(next.div_euclid(self.step_ms));
        next
    }

    /// The step after the last part, ms.
    pub fn end(&self) -> i64 {
        self.last.map_or(0, |last| (last + 1) * self.step_ms)
    }

    /// Whether a part stands elsewhere than it was said.
    pub fn moved(&self) -> bool {
        self.moved
    }
}

/// The texts of a thread that are kept as blobs, by hash.
///
/// # Errors
/// One that cannot be read.
pub fn stored_texts(cx: &Context, thread: &Thread) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for part in &thread.parts {
        let Entity::Message(message) = &part.message.data else {
            continue;
        };
        for text in [&message.text, &message.html].into_iter().flatten() {
            if let Text::Stored(blob) = text {
                texts.insert(blob.sha256.clone(), cx.blobs().read_text(text)?);
            }
        }
    }
    Ok(texts)
}

/// A text of a message: inline, or among those that [`stored_texts`] has read; `None` where there is none.
pub fn text_in<'t>(texts: &'t BTreeMap<String, String>, text: &'t Option<Text>) -> Option<&'t str> {
    match text.as_ref()? {
        Text::Inline(text) => Some(text),
        Text::Stored(blob) => texts.get(&blob.sha256).map(String::as_str),
    }
}

/// What the mapping of a thread needs of the unit in which it happens.
#[derive(Debug, Clone)]
pub struct Unit<'a> {
    /// Name of the source platform.
    pub platform: &'a str,
    /// The beginning of every marker of the source organisation.
    pub prefix: String,
    /// IANA name of the place whose days are meant.
    pub zone: &'a str,
    /// Id of the run.
    pub run: &'a str,
    /// The unit's time.
    pub now: i64,
    /// Long texts, by SHA-256 ([`stored_texts`]).
    pub texts: &'a BTreeMap<String, String>,
}

impl<'a> Unit<'a> {
    /// Of a context, with the long texts of the thread.
    pub fn new(cx: &'a Context, texts: &'a BTreeMap<String, String>) -> Self {
        Self {
            platform: cx.platform(),
            prefix: cx.marker_prefix(),
            zone: cx.time_zone(),
            run: cx.run(),
            now: cx.now(),
            texts,
        }
    }

    /// A text, wherever it is.
    pub fn text<'t>(&'t self, text: &'t Option<Text>) -> Option<&'t str> {
        text_in(self.texts, text)
    }

    /// A message's plain text, where there is something in it.
    pub fn plain<'t>(&'t self, message: &'t Message) -> Option<&'t str> {
        self.text(&message.text).filter(|text| !text.is_empty())
    }

    /// A message's HTML, where there is something in it.
    pub fn html<'t>(&'t self, message: &'t Message) -> Option<&'t str> {
        let html = self.text(&message.html);
        html.filter(|html| !html.trim().is_empty())
    }
}

/// A thread's conversation.
///
/// # Errors
/// `bug` when there is none.
pub fn conversation_of(thread: &Thread) -> Result<&Conversation> {
    match &thread.conversation.data {
        Entity::Conversation(conversation) => Ok(conversation),
        _ => Err(Error::Bug("a thread without a conversation".to_owned())),
    }
}

/// What a ticket is called: as many characters of the conversation's subject as one takes, a longer one whole on the card; where it
/// has none, `without`.
pub fn subject<'c>(
    conversation: &'c Conversation,
    chars: usize,
    without: &'c str,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> &'c str {
    let subject = conversation.subject.as_deref().unwrap_or_default();
    let (short, cut) = crate::text::cut_chars(subject, chars);
    if cut {
        card.add("subject", subject);
        let note = "longer than a subject may be: whole on the source card";
        losses.push(loss("conversation.subject", Fidelity::Converted, note));
    }
    if short.trim().is_empty() {
        without
    } else {
        short
    }
}

/// Who has a ticket where there is room for one: the first, if `here` knows whom that reference has become. `field` says whose they
/// are; `missing` and `further` are said of a first who is not here, and of the others: both stand on the card.
pub fn first_here<T>(
    all: &[Reference],
    here: impl FnOnce(&Reference) -> Option<T>,
    field: &str,
    [missing, further]: [&'static str; 2],
    losses: &mut Vec<Loss>,
) -> Option<T> {
    let found = here(all.first()?);
    let said = [(found.is_none(), missing), (all.len() > 1, further)];
    for (_, note) in said.into_iter().filter(|(is_so, _)| *is_so) {
        losses.push(loss(field, Fidelity::Converted, note));
    }
    found
}

/// Tags by what `target` makes of a reference: each once; one that is not here is on the card. `field` says whose they are, for the loss.
pub fn tags_here<T: PartialEq>(
    tags: &[Reference],
    target: impl Fn(&Reference) -> Option<T>,
    field: &str,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Vec<T> {
    let mut here = Vec::new();
    for tag in tags {
        match target(tag) {
            Some(target) if !here.contains(&target) => here.push(target),
            Some(_) => {}
            None => {
                card.reference("tag", Some(tag));
                let note = "a tag that is not here is on the source card";
                losses.push(loss(field, Fidelity::Converted, note));
            }
        }
    }
    here
}

/// When a thread began, ms: as its head says, else with its first part, else now.
pub fn began(thread: &Thread, now: i64) -> i64 {
    let said = thread.conversation.head.created_at;
    said.or_else(|| first_time(thread)).unwrap_or(now)
}

/// What is said in a thread, each with its time, ms: of one that has none, that of the one before, of the first `began`.
pub fn spoken(thread: &Thread, began: i64) -> impl Iterator<Item = (&Part, &Message, i64)> {
    let mut last = began;
    thread.parts.iter().filter_map(move |part| {
        let Entity::Message(message) = &part.message.data else {
            return None;
        };
        let at = message.sent_at.or(part.message.head.created_at);
        last = at.unwrap_or(last);
        Some((part, message, last))
    })
}

/// When the first part of a thread was said.
pub fn first_time(thread: &Thread) -> Option<i64> {
    let time = |part: &Part| match &part.message.data {
        Entity::Message(message) => message.sent_at.or(part.message.head.created_at),
        _ => None,
    };
    thread.parts.iter().find_map(time)
}

/// A note on a customer that belongs to no conversation, as a conversation of its own: one finished, private one (rule M-3).
/// `with` is the item's own thread: what hangs on the note.
///
/// # Errors
/// `invalid` when it names a conversation, which is missing then, or is public; `bug` when it is no message.
pub fn lone_note(entry: &Entry, with: Thread) -> Result<Thread> {
    let Entity::Message(message) = &entry.data else {
        return Err(Error::Bug("a note that is no message".to_owned()));
    };
    let invalid = |reason: &str| {
        Err(Error::Invalid(Invalid {
            field: Some("message.conversation".to_owned()),
            reason: reason.to_owned(),
        }))
    };
    if message.conversation.is_some() {
        return invalid("the conversation that this message belongs to has not been migrated");
    }
    if message.visibility == Visibility::Public {
        return invalid("a public message without a conversation has no place");
    }
    let mut head = entry.head.clone();
    head.kind = Kind::Conversation;
    head.fields = Vec::new();
    let subject = message.subject.clone();
    let conversation = Conversation {
        customer: message.customer.clone(),
        subject: subject.or_else(|| Some("Note on the customer".to_owned())),
        status: ConversationStatus::Closed,
        ..Conversation::empty()
    };
    let hanging = with.parts.into_iter().flat_map(|part| part.attachments);
    Ok(Thread {
        conversation: Entry {
            head,
            data: Entity::Conversation(conversation),
        },
        parts: vec![Part {
            message: entry.clone(),
            attachments: hanging.collect(),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn facts_that_are_longer_than_a_body_may_be_are_its_text() {
        let long = vec!["x".repeat(300)];
        let bodies = bodies(&long, "Hello", 200);
        assert!(bodies.len() > 1);
        assert!(bodies.iter().all(|b| b.len() <= 200), "{bodies:?}");
        let joined: String = bodies.iter().map(|b| without_lead(b).1).collect();
        assert_eq!(joined, format!("{}\n\nHello", "x".repeat(300)));
    }

    #[test]
    fn what_was_said_within_one_step_keeps_its_order() {
        let mut clock = Clock::new(1_000);
        assert_eq!([clock.at(1_200), clock.at(1_900)], [1_000, 2_000]);
        assert!(clock.moved());
        assert_eq!((clock.follow(), clock.end()), (3_000, 4_000));
        assert_eq!(clock.at(9_999), 9_000);
    }

    proptest! {
        #[test]
        fn numbered_bodies_are_within_the_limit_and_give_the_text_again(
            text in "(?s)(.|[ \n]{1,3}){0,900}",
            facts in proptest::collection::vec("[a-z ]{1,20}", 0..3),
        ) {
            let all = bodies(&facts, &text, 200);
            prop_assert!(all.iter().all(|body| body.len() <= 200));
            // A text that begins like our line is no text of anybody's.
            prop_assume!(!text.starts_with("[Migrated: "));
            let joined: String = all.iter().map(|body| without_lead(body).1).collect();
            prop_assert_eq!(joined, text);
        }
    }

    #[test]
    fn a_text_that_begins_like_our_line_comes_back_whole() {
        for body in ["[Migrated: x] mine", "<p>[Migrated: x]</p>mine"] {
            assert_eq!(without_lead(&with_lead(None, body)).1, body);
            assert_eq!(without_lead(&html_with_lead(None, body)).1, body);
        }
        assert_eq!(with_lead(None, "mine"), "mine");
    }

    #[test]
    fn the_line_above_a_body_comes_off_again() {
        let lead = lead(&[
            "written by Ana [admin]".to_owned(),
            "not delivered".to_owned(),
        ]);
        let lead = lead.as_deref();
        assert_eq!(
            lead,
            Some("[Migrated: written by Ana [admin); not delivered]")
        );
        for body in ["Hello ]\n there", "\n\nbegins low"] {
            let whole = with_lead(lead, body);
            let (facts, rest) = without_lead(&whole);
            assert_eq!(facts, Some("written by Ana [admin); not delivered"));
            assert_eq!(rest, body);
        }
        let html = html_with_lead(lead, "<b>x</b>");
        assert_eq!(without_lead(&html).1, "<b>x</b>");
        assert_eq!(without_lead("plain").0, None);
    }

    #[test]
    fn images_are_repointed_also_where_the_url_was_escaped() {
        let images = [(
            "https://old/x?a=1&b=2".to_owned(),
            "https://new/y".to_owned(),
        )];
        let html = r#"<img src="https://old/x?a=1&amp;b=2"><img src="https://old/x?a=1&b=2">"#;
        assert_eq!(
            repoint(html, &images),
            r#"<img src="https://new/y"><img src="https://new/y">"#
        );
    }

    #[test]
    fn who_is_not_here_is_stood_in_for_and_named() {
        let ana = Reference::new(Kind::Customer, "c1").called("Ana");
        let of = |customer: Option<Reference>| {
            let conversation = Conversation {
                customer,
                ..Conversation::empty()
            };
            let (mut card, mut losses) = (Facts::default(), Vec::new());
            let requester = Requester::of(&conversation, 7, &mut card, &mut losses);
            (requester, losses.len())
        };
        let said_by = |author| Message {
            author,
            ..Message::empty()
        };
        let (here, lost) = of(Some(ana.clone().at("42")));
        assert_eq!((here.id, lost), (42, 0));
        assert_eq!(here.line(&said_by(Author::System)), None);
        let (gone, lost) = of(Some(ana.clone()));
        assert_eq!((gone.id, lost), (7, 1));
        let line = gone.line(&said_by(Author::System));
        assert_eq!(
            line.as_deref(),
            Some("a conversation with Ana (customer c1)")
        );
        assert_eq!(gone.line(&said_by(Author::Person(ana))), None);
        assert_eq!(of(None).0.line(&said_by(Author::System)), None);
    }

    #[test]
    fn a_piece_is_known_by_its_line() {
        let line = |n| lead(&["a call".to_owned(), part_of(n, 3)]).unwrap_or_default();
        assert!(!is_further_part(without_lead(&line(1)).0));
        assert!(is_further_part(without_lead(&line(2)).0));
        assert!(!is_further_part(None));
    }

    fn noted(losses: &[Loss]) -> Vec<(&str, &str)> {
        let noted = losses.iter();
        noted
            .map(|one| (one.field.as_str(), one.note.as_str()))
            .collect()
    }

    #[test]
    fn a_long_subject_is_cut_and_whole_on_the_card_and_none_is_replaced() {
        let (mut card, mut losses) = (Facts::new(Words::default()), Vec::new());
        let talk = |subject: &str| Conversation {
            subject: Some(subject.to_owned()),
            ..Conversation::empty()
        };
        let long = talk("abcdef");
        assert_eq!(subject(&long, 5, "none", &mut card, &mut losses), "abcde");
        assert_eq!(losses.len(), 1);
        assert_eq!(
            subject(&talk("  "), 5, "none", &mut card, &mut losses),
            "none"
        );
        assert_eq!(losses.len(), 1);
    }

    #[test]
    fn one_of_several_has_a_ticket_and_the_others_are_said() {
        let mut losses = Vec::new();
        let all = [
            Reference::to(Kind::Team, 7),
            Reference::new(Kind::Team, "t2"),
        ];
        let here = |one: &Reference| one.target.clone();
        let notes = ["missing", "further"];
        let found = first_here(&all, here, "teams", notes, &mut losses);
        assert_eq!(found.as_deref(), Some("7"));
        assert_eq!(noted(&losses), [("teams", "further")]);
        losses.clear();
        assert_eq!(
            first_here(&all[1..], here, "teams", notes, &mut losses),
            None
        );
        assert_eq!(noted(&losses), [("teams", "missing")]);
        losses.clear();
        assert_eq!(first_here(&[], here, "teams", notes, &mut losses), None);
        assert_eq!(losses, []);
    }

    #[test]
    fn a_tag_is_taken_once_and_one_that_is_not_here_is_on_the_card() {
        let (mut card, mut losses) = (Facts::new(Words::default()), Vec::new());
        let tag = |target| Reference::to(Kind::Tag, target);
        let tags = [tag(1), tag(2), tag(1), Reference::new(Kind::Tag, "t9")];
        let here = |one: &Reference| one.target.clone();
        let found = tags_here(&tags, here, "customer.tags", &mut card, &mut losses);
        assert_eq!(found, ["1", "2"]);
        assert_eq!(losses.len(), 1);
    }

    #[test]
    fn a_file_is_sent_unless_it_is_too_large_or_has_no_bytes() {
        let file = crate::testing::items::file("f1", "a.txt", 10);
        let (name, content) = sendable(&file, 10, "Acme", "too large").unwrap();
        assert_eq!((name.as_str(), content.size), ("a.txt", 10));
        let words = "10 bytes are more than Acme takes".to_owned();
        let refused = sendable(&file, 9, "Acme", "too large").unwrap_err();
        assert_eq!(refused, ("too large", words));
        let mut without = file;
        if let Entity::Attachment(attachment) = &mut without.data {
            attachment.content = None;
            attachment.state = AttachmentState::Redacted;
        }
        let (cause, _) = sendable(&without, 10, "Acme", "too large").unwrap_err();
        assert_eq!(cause, "redacted in the source: named in the thread");
    }

    #[test]
    fn a_message_has_a_body_where_there_is_something_in_it() {
        let harness = crate::testing::Harness::scripted([]);
        let (cx, texts) = (harness.context(), BTreeMap::new());
        let unit = Unit::new(&cx, &texts);
        let inline = |text: &str| Some(Text::Inline(text.to_owned()));
        let blank = Message {
            text: inline(""),
            html: inline(" \n"),
            ..Message::empty()
        };
        assert_eq!((unit.plain(&blank), unit.html(&blank)), (None, None));
        let full = Message {
            text: inline(" "),
            html: inline("<p>"),
            ..Message::empty()
        };
        assert_eq!(
            (unit.plain(&full), unit.html(&full)),
            (Some(" "), Some("<p>"))
        );
    }

    #[test]
    fn what_has_one_part_is_called_by_its_name_alone() {
        assert_eq!(called_part_of("source card", 1, 1), "source card");
        assert_eq!(
            called_part_of("source card", 2, 3),
            "source card, part 2 of 3"
        );
    }
}
