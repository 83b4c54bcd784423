//! A conversation with its messages and files as the Case that holds it, the e-mails and the comments under it.
//!
//! Every part of a thread has its rule (rule M-3). What is public is an EmailMessage: it keeps its time to the second, names
//! whoever wrote it, takes files and long texts, and has a field for the source's id. What is internal, and what is public in
//! an org without e-mails, is a CaseComment. What neither can show stands in the line above the body; what a Case has no field
//! for stands on the source card, a field of the Case, with what does not fit there in private comments at the end (rule M-2).
//! Salesforce keeps seconds, so parts said within one are set a second apart (rule M-17). Pure: ids of Cases and files are known
//! to the caller. Not here: sending and looking up (see `write::cases`).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::effects::print;
use transload_sdk::ledger::RefusedEntry;
use transload_sdk::people::mailbox;
use transload_sdk::thread::{
    self, Clock, File, Holds, Unit, began, continued_marker, conversation_of, file_name,
    html_with_lead, image_names, is_email, is_incoming, lead, message_card, message_facts,
    message_part, part_of, repoint, spoken, with_lead,
};
use transload_sdk::time;
use transload_sdk::types::{
    Author, Conversation, ConversationStatus, Entity, Entry, Error, Fidelity, Head, Kind, Loss,
    Message, Reference, Visibility,
};
use transload_sdk::words::{self, Words};

use crate::fields::{self as own, source_id};
use crate::map::{self, Choices, own_target};
use crate::state::{Config, OtherMessages, State};
use crate::text::{self, COMMENT_BYTES};
use crate::write::{custom_fields, facet};

/// Characters of a Case's subject (Salesforce facts §9.2).
pub const SUBJECT_CHARS: usize = 255;
/// Characters of an e-mail's subject (Salesforce facts §9.3).
pub const MAIL_SUBJECT_CHARS: usize = 3_000;
/// Characters of a list of addresses (Salesforce facts §9.3).
const ADDRESSES_CHARS: usize = 4_000;
/// What stands under one Case. Salesforce names no limit; beyond ten thousand children of one record every write slows
/// (Salesforce facts §15), so a longer thread continues in a linked Case (rule M-16).
pub const CHILDREN_PER_CASE: usize = 10_000;
/// A time must not be in the future of Salesforce's clock (Salesforce facts §11).
const CLOCK_SKEW_MS: i64 = 60_000;
/// Characters of an e-mail's Message-ID.
const MESSAGE_ID_CHARS: usize = 765;
/// What a thread is.
pub const CASE: &str = "Case";
/// What is public in it.
pub const MAIL: &str = "EmailMessage";
/// What is internal, and what no e-mail can be.
pub const COMMENT: &str = "CaseComment";

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
    /// Choices of fields that take no others.
    pub choices: &'a Choices,
    /// Files, by attachment id.
    pub files: &'a BTreeMap<String, File>,
    /// How much stands under one Case: [`CHILDREN_PER_CASE`].
    pub children: usize,
}

impl Surroundings<'_> {
    /// A time that Salesforce takes: not in the future of its clock.
    fn acceptable(&self, ms: i64) -> i64 {
        map::auditable(ms, self.unit.now - CLOCK_SKEW_MS)
    }

    /// Whether the org keeps original times of an object's records.
    fn audits(&self, object: &str) -> bool {
        self.state.audits(object)
    }

    /// Whether there are e-mails, and they can be known again by the source's id.
    fn mails(&self) -> bool {
        self.state.email_chars > 0 && self.state.has(MAIL, own::SOURCE_ID)
    }

    /// The marker of one of the source's messages.
    fn message_marker(&self, id: &str, part: usize) -> String {
        source_id(&continued_marker(
            &format!("{}message:{id}", self.unit.prefix),
            part,
        ))
    }
}

/// A Case to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseDraft {
    /// What it is known by.
    pub marker: String,
    /// Its fields.
    pub fields: Map<String, Json>,
    /// The marker of the Case it continues.
    pub continues: Option<String>,
}

/// An e-mail or a comment to be made under a Case.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// Which part of the item it is: `message:<id>`, `message:<id>#2`, `card:2`, `continues`.
    pub part: String,
    /// An e-mail; else a comment.
    pub mail: bool,
    /// Its fields but for the parent.
    pub fields: Map<String, Json>,
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// One, or more where there is more than a Case should have under it; the later ones continue the first.
    pub cases: Vec<CaseDraft>,
    /// What stands under each, in order.
    pub children: Vec<Vec<Child>>,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// Files that Salesforce does not take.
    pub refused: Vec<RefusedEntry>,
}

/// Maps a thread. Files that are not sent yet count as taken; a second call, with what became of them, gives the same Cases
/// and the children that are to be made.
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
    let mut refused = Vec::new();
    let mut card = Facts::new(around.words.clone());
    card::conversation(&thread.conversation, conversation, &mut card);
    let created = began(thread, around.unit.now);

    let mut said = Said {
        around,
        item,
        refused: &mut refused,
        subject: conversation.subject.as_deref(),
        case_subject: conversation.subject.as_deref().unwrap_or_default(),
        clock: Clock::new(1_000),
        number: 0,
        children: Vec::new(),
        card: &mut card,
        losses: &mut losses,
    };
    let mut last = created;
    for (part, message, at) in spoken(thread, created) {
        said.part(part, message, at);
        last = at;
    }
    let (mut children, moved) = (said.children, said.clock.moved());
    let ends = said.clock.end();
    if moved {
        let note = "said within one second: set a second apart, to keep the order; exact on the source card";
        losses.push(loss("message.sent-at", Fidelity::Converted, note));
    }

    let times = Times {
        created,
        updated: [head.updated_at, conversation.last_activity_at, Some(last)]
            .into_iter()
            .flatten()
            .fold(created, i64::max),
        closed: conversation.closed_at.or(conversation.ended_at),
    };
    let mut fields = case_fields(
        item,
        thread,
        conversation,
        &times,
        around,
        &mut card,
        &mut losses,
    );
    tags(conversation, around, &mut fields, &mut card, &mut losses);

    let card = card.render(around.unit.platform, item, &thread.conversation, &losses)?;
    let has_card = around.state.has(CASE, own::CARD);
    let (on_case, rest) = in_field(&card, if has_card { own::CARD_CHARS } else { 0 });
    if has_card {
        fields.insert(own::CARD.to_owned(), json!(on_case));
    }
    children.extend(card_comments(rest, around, around.acceptable(ends)));

    let (cases, children) = in_cases(item, conversation, fields, children, around);
    if cases.len() > 1 {
        let note = "more than a Case should have under it: continues in linked Cases";
        losses.push(loss("conversation.messages", Fidelity::Converted, note));
    }
    Ok(Mapped {
        cases,
        children,
        losses,
        refused,
    })
}

// ---- the case

struct Times {
    created: i64,
    updated: i64,
    closed: Option<i64>,
}

fn case_fields(
    item: &Item,
    thread: &Thread,
    conversation: &Conversation,
    times: &Times,
    around: &Surroundings<'_>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) -> Map<String, Json> {
    let head = &thread.conversation.head;
    let slots = Slots::of(item, conversation, around.state);
    let mut fields = Map::new();
    let mut set = |name: &str, value: Json| fields.insert(name.to_owned(), value);

    let subject = conversation.subject.as_deref().unwrap_or_default();
    let (short, cut) = text::cut_chars(subject, SUBJECT_CHARS);
    set("Subject", json!(short));
    if cut {
        card.add("subject", subject);
        let note = "longer than a Case's subject holds: whole on the source card";
        losses.push(loss("conversation.subject", Fidelity::Converted, note));
    }
    if let Some(status) = slots.status {
        set("Status", json!(status));
    }
    if let Some(priority) = slots.priority {
        set("Priority", json!(priority));
    }
    if let Some(origin) = slots.origin {
        set("Origin", json!(origin));
    }
    if let Some(record_type) = around.state.record_types.get(CASE) {
        set("RecordTypeId", json!(record_type));
    }
    match customer(conversation, losses) {
        Whose::Contact(id) => set("ContactId", json!(id)),
        Whose::Account(id) => set("AccountId", json!(id)),
        Whose::Named(name) => set("SuppliedName", json!(text::cut_chars(&name, 80).0)),
        Whose::Nobody => None,
    };
    if let Some(owner) = owner(conversation, losses) {
        set("OwnerId", json!(owner));
    }

    let at = |ms| map::datetime(around.acceptable(ms));
    let is_closed = conversation.status == ConversationStatus::Closed;
    if around.audits(CASE) {
        set("CreatedDate", json!(at(times.created)));
        set("LastModifiedDate", json!(at(times.updated)));
        if let Some(user) = head.created_by.as_ref().and_then(user) {
            set("CreatedById", json!(user));
        }
        // Only of a Case that is closed at once (Salesforce facts §9.2).
        let closed = times
            .closed
            .filter(|_| is_closed && around.state.closed_date);
        if let Some(closed) = closed {
            set("ClosedDate", json!(at(closed.max(times.created))));
        }
    } else {
        let note = "the org does not take original times: in a field, and on the source card";
        losses.push(loss("conversation.created-at", Fidelity::Converted, note));
    }
    let mut ours = Map::new();
    own::own_values(around.unit.run, &item.marker, head, &mut ours);
    let mut say = |name: &str, value: Option<String>| {
        ours.extend(value.map(|value| (name.to_owned(), json!(value))));
    };
    say(own::CREATED_AT, Some(map::datetime(times.created)));
    say(own::CLOSED_AT, times.closed.map(map::datetime));
    say(
        own::PRIORITY,
        conversation.priority.as_ref().map(map::priority_words),
    );
    let channels = conversation.channels.join(", ");
    let channels = Some(channels).filter(|all| !all.is_empty() && text::chars(all) <= 255);
    say(own::CHANNELS, channels);
    fields.extend(
        ours.into_iter()
            .filter(|(name, _)| around.state.has(CASE, name)),
    );
    custom_fields(
        CASE,
        &head.fields,
        around.choices,
        &mut fields,
        card,
        losses,
    );
    fields
}

/// The slots' values, or ours where the mapping gave none.
struct Slots {
    status: Option<String>,
    priority: Option<String>,
    origin: Option<String>,
}

impl Slots {
    fn of(item: &Item, conversation: &Conversation, state: &State) -> Self {
        let slot = |name: &str| {
            let value = item.value(name).map(str::to_owned);
            value.filter(|value| !value.is_empty())
        };
        let status = || state.default_status(conversation).map(str::to_owned);
        let priority = conversation.priority.as_ref();
        Self {
            status: slot("status").or_else(status),
            priority: slot("priority")
                .or_else(|| priority.map(|p| map::default_priority(p).to_owned())),
            origin: slot("channel"),
        }
    }
}

/// Whose case it is.
enum Whose {
    Contact(String),
    /// A person account (Salesforce facts §4).
    Account(String),
    /// Somebody no Case can point to: a lead, or who was not migrated.
    Named(String),
    Nobody,
}

/// A customer of whom there is no contact is named: SuppliedName mails nobody, as SuppliedEmail could (Salesforce facts §14).
fn customer(conversation: &Conversation, losses: &mut Vec<Loss>) -> Whose {
    let Some(customer) = &conversation.customer else {
        return Whose::Nobody;
    };
    match own_target(customer) {
        Some(id) if id.starts_with("003") => return Whose::Contact(id.to_owned()),
        Some(id) if id.starts_with("001") => return Whose::Account(id.to_owned()),
        Some(_) => {
            let note =
                "a lead, to which no Case can point: named on the Case and on the source card";
            losses.push(loss("conversation.customer", Fidelity::Converted, note));
        }
        None => {
            let note = "not migrated: named on the Case and on the source card";
            losses.push(loss("conversation.customer", Fidelity::Converted, note));
        }
    }
    Whose::Named(words::person(customer))
}

/// The user behind a reference, where he has one.
pub fn user(reference: &Reference) -> Option<&str> {
    own_target(reference).filter(|id| id.starts_with("005"))
}

/// Who is in charge: the first assignee who has a user, else the first team that is a queue. A Case has one owner.
fn owner(conversation: &Conversation, losses: &mut Vec<Loss>) -> Option<String> {
    let mut converted = |field: &str, note| losses.push(loss(field, Fidelity::Converted, note));
    let assignee = conversation.assignees.first().and_then(user);
    if !conversation.assignees.is_empty() && assignee.is_none() {
        converted(
            "conversation.assignees",
            "named on the source card: no user here",
        );
    }
    if conversation.assignees.len() > 1 {
        let note = "further assignees are on the source card";
        converted("conversation.assignees", note);
    }
    let queue = conversation.teams.first().and_then(own_target);
    let queue = queue.filter(|target| target.starts_with("00G"));
    if !conversation.teams.is_empty() {
        if queue.is_none() {
            let note = "on the source card: the team was not migrated";
            converted("conversation.teams", note);
        } else if assignee.is_some() {
            let note = "a Case has one owner, who is the assignee; the team is on the source card";
            converted("conversation.teams", note);
        }
        if conversation.teams.len() > 1 {
            converted("conversation.teams", "further teams are on the source card");
        }
    }
    assignee.or(queue).map(str::to_owned)
}

/// The tags of a conversation that are topics, by id.
pub fn topics_of(conversation: &Conversation) -> Vec<String> {
    let mut topics: Vec<String> = Vec::new();
    for id in conversation.tags.iter().filter_map(own_target) {
        if is_topic(id) && !topics.iter().any(|known| known == id) {
            topics.push(id.to_owned());
        }
    }
    topics
}

/// Tags in their field, or on the card.
fn tags(
    conversation: &Conversation,
    around: &Surroundings<'_>,
    fields: &mut Map<String, Json>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) {
    let mut names: Vec<&str> = Vec::new();
    for tag in &conversation.tags {
        let word = own_target(tag).filter(|id| !is_topic(id));
        let name = words::called(tag).or(word).unwrap_or(&tag.id);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return;
    }
    let (list, all) = map::tag_list(names.iter().copied(), own::LIST_CHARS);
    let has_field = around.state.has(CASE, own::TAGS);
    if has_field {
        fields.insert(own::TAGS.to_owned(), json!(list));
    }
    if !(has_field && all) {
        card.add("tags", names.join(", "));
        let note = "more tags than their field holds, or no field for them: on the source card";
        losses.push(loss("conversation.tags", Fidelity::Converted, note));
    }
}

/// Whether an id is that of a topic (Salesforce facts §9.7).
pub fn is_topic(id: &str) -> bool {
    id.starts_with("0TO") && matches!(id.len(), 15 | 18)
}

/// The Cases of a thread and what stands under each: in one, or in as many as it takes.
fn in_cases(
    item: &Item,
    conversation: &Conversation,
    fields: Map<String, Json>,
    children: Vec<Child>,
    around: &Surroundings<'_>,
) -> (Vec<CaseDraft>, Vec<Vec<Child>>) {
    let first = CaseDraft {
        marker: item.marker.clone(),
        fields,
        continues: None,
    };
    if children.len() <= around.children {
        return (vec![first], vec![children]);
    }
    // One says that it goes on, one says what it goes on from.
    let room = around.children.saturating_sub(2).max(1);
    let mut rest = children.into_iter().peekable();
    let mut cases = vec![first];
    let mut all: Vec<Vec<Child>> = Vec::new();
    loop {
        let mut some: Vec<Child> = Vec::with_capacity(room + 2);
        let number = all.len() + 1;
        if number > 1 {
            let before = continued_marker(&item.marker, number - 1);
            let line = format!("continues the case with source id {before}");
            some.push(own_comment(
                "continued",
                &line,
                "",
                time_of(rest.peek()),
                around,
            ));
        }
        some.extend(rest.by_ref().take(room));
        if rest.peek().is_none() {
            all.push(some);
            break;
        }
        let next = continued_marker(&item.marker, number + 1);
        let line = format!("continues in the case with source id {next}");
        some.push(own_comment(
            "continues",
            &line,
            "",
            time_of(some.last()),
            around,
        ));
        all.push(some);
        let mut case = first_of(&cases);
        let subject = conversation.subject.as_deref().unwrap_or_default();
        let tail = format!(" (part {})", number + 1);
        let (short, _) = text::cut_chars(subject, SUBJECT_CHARS - tail.len());
        case.insert("Subject".to_owned(), json!(format!("{short}{tail}")));
        case.insert(own::SOURCE_ID.to_owned(), json!(source_id(&next)));
        case.shift_remove(own::CARD);
        cases.push(CaseDraft {
            marker: next,
            fields: case,
            continues: Some(item.marker.clone()),
        });
    }
    (cases, all)
}

fn first_of(cases: &[CaseDraft]) -> Map<String, Json> {
    cases
        .first()
        .map(|case| case.fields.clone())
        .unwrap_or_default()
}

fn time_of(child: Option<&Child>) -> Option<Json> {
    let fields = &child?.fields;
    let time = fields
        .get("MessageDate")
        .or_else(|| fields.get("CreatedDate"));
    time.cloned()
}

fn own_comment(
    part: &str,
    line: &str,
    body: &str,
    at: Option<Json>,
    around: &Surroundings<'_>,
) -> Child {
    let mut fields = Map::new();
    let lead = lead(&[line.to_owned()]);
    let body = with_lead(lead.as_deref(), body);
    fields.insert("CommentBody".to_owned(), json!(body));
    fields.insert("IsPublished".to_owned(), json!(false));
    if let Some(at) = at.filter(|_| around.audits(COMMENT)) {
        fields.insert("CreatedDate".to_owned(), at);
    }
    Child {
        part: part.to_owned(),
        mail: false,
        fields,
    }
}

// ---- the source card

/// What of the card stands in its field, and what is left for comments. What is cut there goes on where it was cut.
fn in_field(card: &str, chars: usize) -> (&str, &str) {
    let (kept, cut) = text::cut_chars(card, chars);
    if !cut {
        return (card, "");
    }
    let line = kept.rfind('\n').map_or(kept.len(), |at| at + 1);
    card.split_at_checked(line).unwrap_or((kept, ""))
}

fn card_comments(rest: &str, around: &Surroundings<'_>, at: i64) -> Vec<Child> {
    if rest.is_empty() {
        return Vec::new();
    }
    // "[Migrated: source card, part 1234 of 1234]" and the two line ends below it.
    let room = COMMENT_BYTES - 60;
    let pieces = text::pieces(rest, room);
    // The first piece stands in its field.
    let count = pieces.len() + 1;
    let comment = |(index, piece): (usize, &str)| {
        let n = index + 2;
        let line = format!("source card, {}", part_of(n, count));
        let at = json!(map::datetime(at));
        own_comment(&format!("card:{n}"), &line, piece, Some(at), around)
    };
    pieces.into_iter().enumerate().map(comment).collect()
}

// ---- what was said

struct Said<'a, 's> {
    around: &'a Surroundings<'s>,
    item: &'a Item,
    refused: &'a mut Vec<RefusedEntry>,
    subject: Option<&'a str>,
    case_subject: &'a str,
    clock: Clock,
    number: usize,
    children: Vec<Child>,
    card: &'a mut Facts,
    losses: &'a mut Vec<Loss>,
}

/// What of a part's files an e-mail takes along, and what the text says of them.
#[derive(Default)]
struct Files {
    documents: Vec<String>,
    images: Vec<(String, String)>,
    names: Vec<String>,
}

impl Said<'_, '_> {
    /// The children of one part: none for what is skipped, several for a long text.
    fn part(&mut self, part: &destination::Part, message: &Message, sent: i64) {
        let head = &part.message.head;
        let around = self.around;
        if let Some(why) = thread::skipped(head, message, around.config.spam, around.config.events)
        {
            thread::skip(head, why, self.card, self.losses);
            return;
        }
        self.number += 1;
        let is_public = message.visibility == Visibility::Public && !message.forwarded;
        let mut facts = Vec::new();
        let mut files = Files::default();
        for entry in &part.attachments {
            self.file(entry, &mut files, &mut facts);
        }
        let as_mail = is_email(message) || around.config.other_messages == OtherMessages::Email;
        if is_public && as_mail && around.mails() {
            self.mail(part, message, sent, files, facts);
        } else {
            self.comment(part, message, sent, is_public, files, facts);
        }
    }

    fn file(&mut self, entry: &Entry, files: &mut Files, facts: &mut Vec<String>) {
        let Entity::Attachment(attachment) = &entry.data else {
            return;
        };
        let file = self.around.files.get(&entry.head.id);
        let name = file_name(attachment);
        match file {
            Some(File::There { id, url }) => {
                files.documents.push(id.clone());
                files.images.extend(image_names(attachment, url));
                files.names.push(name);
            }
            Some(File::Expected) => files.names.push(name),
            _ => File::missing(file, self.item, entry, facts, self.losses, self.refused),
        }
    }

    fn on_card(&mut self, head: &Head, message: &Message, holds: Holds, moved: bool) {
        let words = self.card.words().clone();
        let mut facts = message_card(head, message, self.subject, holds, &words, self.losses);
        if moved && holds == Holds::Email {
            // Where it was said to the second, the line above would not say when.
            let exact = message.sent_at.or(head.created_at).map(exact);
            facts.extend(exact.map(|at| format!("at {at}")));
        }
        if facts.is_empty() {
            return;
        }
        if holds == Holds::Email {
            facts.insert(0, format!("id {}", head.id));
        }
        self.card.message(self.number, &facts);
    }

    /// The second a part stands at, as Salesforce takes it, and whether it was moved.
    fn time(&mut self, sent: i64) -> (i64, bool) {
        let wanted = self.around.acceptable(sent);
        let at = self.clock.at(wanted);
        let at = self.around.acceptable(at);
        (at, at.div_euclid(1_000) != wanted.div_euclid(1_000))
    }

    // ---- e-mails

    fn mail(
        &mut self,
        part: &destination::Part,
        message: &Message,
        sent: i64,
        files: Files,
        mut facts: Vec<String>,
    ) {
        let around = self.around;
        let head = &part.message.head;
        let (at, moved) = self.time(sent);
        let mut fields = Map::new();
        let mut set = |name: &str, value: Json| fields.insert(name.to_owned(), value);
        let incoming = is_incoming(message);
        set("Incoming", json!(incoming));
        // 1 is Read, 3 is Sent: neither is a draft, and neither sends anything (Salesforce facts §9.3).
        set("Status", json!(if incoming { "1" } else { "3" }));
        let time = map::datetime(at);
        set("MessageDate", json!(time));
        if around.audits(MAIL) {
            set("CreatedDate", json!(time));
        }
        let own_subject = message.subject.as_deref().unwrap_or(self.case_subject);
        let (subject, cut) = text::cut_chars(own_subject, MAIL_SUBJECT_CHARS);
        set("Subject", json!(subject));
        let mut all_fit = !cut;

        let (name, address) = sender(message);
        if let Some(name) = &name {
            set("FromName", json!(name));
        }
        if let Some(address) = &address {
            set("FromAddress", json!(address));
        }
        all_fit &= message.sender.is_none() || address.is_some();
        for (field, list) in [
            ("ToAddress", &message.to),
            ("CcAddress", &message.cc),
            ("BccAddress", &message.bcc),
        ] {
            let (joined, whole) = addresses(list);
            all_fit &= whole;
            if !joined.is_empty() {
                set(field, json!(joined));
            }
        }
        if let Some(id) = &message.message_id {
            let (id, cut) = text::cut_chars(id, MESSAGE_ID_CHARS);
            all_fit &= !cut;
            set("MessageIdentifier", json!(id));
        }
        if !files.documents.is_empty() {
            set("ContentDocumentIds", json!(files.documents));
        }
        set(own::SOURCE_ID, json!(around.message_marker(&head.id, 1)));
        if around.state.has(MAIL, own::RUN) {
            set(own::RUN, json!(around.unit.run));
        }

        if let Some(channel) = message.channel.as_deref().filter(|c| *c != "email") {
            facts.insert(0, format!("via {channel}"));
        }
        if name.is_none() && !(incoming && address.is_some()) {
            facts.push(format!("written by {}", words::author(&message.author)));
        }
        if author_is_converted(message) {
            let note = "an e-mail names who wrote it, and is nobody's here";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        let mut rest = head.clone();
        for field in std::mem::take(&mut rest.fields) {
            match map::place(MAIL, &field, around.choices, around.words) {
                Ok((target, value)) => {
                    fields.insert(target.name, value);
                }
                Err(_) => rest.fields.push(field),
            }
        }
        message_facts(message, self.card.words(), &mut facts);
        let holds = if all_fit { Holds::Email } else { Holds::Text };
        self.on_card(&rest, message, holds, moved);
        self.mail_bodies(part, message, facts, &files, fields);
    }

    /// The bodies of an e-mail; those that are too long for one go on in further ones.
    fn mail_bodies(
        &mut self,
        part: &destination::Part,
        message: &Message,
        mut facts: Vec<String>,
        files: &Files,
        mut fields: Map<String, Json>,
    ) {
        let most = self.around.state.email_chars as usize;
        let unit = &self.around.unit;
        let (plain, html) = (unit.plain(message), unit.html(message));
        if plain.is_none() && html.is_none() && facts.is_empty() && files.names.is_empty() {
            facts.push("no text in the source".to_owned());
        }
        let line = lead(&facts);
        let mut html_fits = false;
        if let Some(html) = html {
            let body = html_with_lead(line.as_deref(), &repoint(html, &files.images));
            html_fits = text::chars(&body) <= most;
            if html_fits {
                fields.insert("HtmlBody".to_owned(), json!(body));
            } else {
                let note = "HTML too long for an e-mail: carried as plain text";
                self.losses.push(loss("message.html", Fidelity::Lost, note));
            }
        }
        let rendered = html
            .filter(|_| plain.is_none() && !html_fits)
            .map(transload_sdk::text::html_to_search_text);
        let body = plain.or(rendered.as_deref()).unwrap_or("");
        // Of an e-mail with HTML alone Salesforce makes the text itself (Salesforce facts §9.3).
        if html_fits && plain.is_none() {
            self.push_mail(part, 1, fields);
            return;
        }
        if text::chars(body) + line.as_deref().map_or(0, |l| text::chars(l) + 2) <= most {
            let body = with_lead(line.as_deref(), body);
            if !body.is_empty() {
                fields.insert("TextBody".to_owned(), json!(body));
            }
            self.push_mail(part, 1, fields);
            return;
        }
        if html_fits {
            // The HTML holds all of it; a text in pieces beside it would double what is said.
            let note =
                "plain text too long for an e-mail that has HTML: the HTML is there, and its text";
            self.losses
                .push(loss("message.text", Fidelity::Converted, note));
            self.push_mail(part, 1, fields);
            return;
        }
        // A byte is never less than a character's share of one.
        let bodies = text::bodies(&facts, body, most);
        let note = "longer than an e-mail holds: stands in several";
        self.losses
            .push(loss("message.text", Fidelity::Converted, note));
        for (index, body) in bodies.into_iter().enumerate() {
            let mut piece = fields.clone();
            piece.insert("TextBody".to_owned(), json!(body));
            if index > 0 {
                let marker = self.around.message_marker(&part.message.head.id, index + 1);
                piece.insert(own::SOURCE_ID.to_owned(), json!(marker));
                piece.shift_remove("ContentDocumentIds");
                piece.shift_remove("MessageIdentifier");
                let at = map::datetime(self.next_second());
                for name in ["MessageDate", "CreatedDate"] {
                    if let Some(time) = piece.get_mut(name) {
                        *time = json!(at);
                    }
                }
            }
            self.push_mail(part, index + 1, piece);
        }
    }

    fn next_second(&mut self) -> i64 {
        let next = self.clock.follow();
        self.around.acceptable(next)
    }

    fn push_mail(&mut self, part: &destination::Part, n: usize, fields: Map<String, Json>) {
        self.children.push(Child {
            part: message_part(part, n),
            mail: true,
            fields,
        });
    }

    // ---- comments

    fn comment(
        &mut self,
        part: &destination::Part,
        message: &Message,
        sent: i64,
        is_public: bool,
        files: Files,
        said_of_files: Vec<String>,
    ) {
        let around = self.around;
        let (at, moved) = self.time(sent);
        let author = match &message.author {
            Author::Person(person) => user(person),
            Author::Name(_) | Author::System => None,
        };
        let audit = around.audits(COMMENT);
        let author = author.filter(|_| audit);
        let mut facts = Vec::new();
        if is_public && let Some(channel) = &message.channel {
            facts.push(format!("via {channel}"));
        }
        if author.is_none() {
            facts.push(format!("written by {}", words::author(&message.author)));
            let note = "a comment is by who loads it: the author is named above the text";
            self.losses
                .push(loss("message.author", Fidelity::Converted, note));
        }
        if !audit {
            facts.push(format!("at {}", exact(sent)));
            let note = "the org does not take original times of comments: named above the text";
            self.losses
                .push(loss("message.sent-at", Fidelity::Converted, note));
        }
        message_facts(message, self.card.words(), &mut facts);
        // A comment takes no files: they hang on the Case, and their comment names them.
        if !files.names.is_empty() {
            facts.push(format!("with {}", files.names.join(", ")));
        }
        facts.extend(said_of_files);
        self.on_card(&part.message.head, message, Holds::Text, moved);

        let unit = &self.around.unit;
        let (plain, html) = (unit.plain(message), unit.html(message));
        if html.is_some() {
            let note = "a comment is plain text";
            self.losses.push(loss("message.html", Fidelity::Lost, note));
        }
        let rendered = html
            .filter(|_| plain.is_none())
            .map(transload_sdk::text::html_to_search_text);
        let body = plain.or(rendered.as_deref()).unwrap_or("");
        if body.is_empty() && facts.is_empty() {
            facts.push("no text in the source".to_owned());
        }
        let bodies = text::bodies(&facts, body, COMMENT_BYTES);
        if bodies.len() > 1 {
            let note = "longer than a comment holds: stands in several";
            self.losses
                .push(loss("message.text", Fidelity::Converted, note));
        }
        for (index, body) in bodies.into_iter().enumerate() {
            let at = if index == 0 { at } else { self.next_second() };
            let mut fields = Map::new();
            fields.insert("CommentBody".to_owned(), json!(body));
            fields.insert("IsPublished".to_owned(), json!(is_public));
            if audit {
                fields.insert("CreatedDate".to_owned(), json!(map::datetime(at)));
                if let Some(author) = author {
                    fields.insert("CreatedById".to_owned(), json!(author));
                }
            }
            self.children.push(Child {
                part: message_part(part, index + 1),
                mail: false,
                fields,
            });
        }
    }
}

/// Where an e-mail names people: by address, and by id.
const NAMED: [(&str, &str); 3] = [
    ("ToAddress", "ToIds"),
    ("CcAddress", "CcIds"),
    ("BccAddress", "BccIds"),
];

/// The addresses that an e-mail names, in lower case.
pub fn addresses_of(child: &Child) -> Vec<String> {
    let lists = NAMED.iter().filter_map(|(name, _)| child.fields.get(*name));
    let each = lists
        .filter_map(Json::as_str)
        .flat_map(|list| list.split("; "));
    each.map(str::to_lowercase).collect()
}

/// Names people by their ids instead of their addresses, those that are known (Salesforce facts §9.3).
pub fn by_ids(child: &mut Child, people: &BTreeMap<String, String>) {
    for (by_address, by_id) in NAMED {
        let list = child.fields.get(by_address).and_then(Json::as_str);
        let list = list.unwrap_or_default().to_owned();
        let all = list.split("; ").filter(|one| !one.is_empty());
        let (known, others): (Vec<&str>, Vec<&str>) =
            all.partition(|one| people.contains_key(&one.to_lowercase()));
        if known.is_empty() {
            continue;
        }
        let ids: Vec<&String> = known
            .iter()
            .filter_map(|one| people.get(&one.to_lowercase()))
            .collect();
        child.fields.insert(by_id.to_owned(), json!(ids));
        if others.is_empty() {
            child.fields.shift_remove(by_address);
        } else {
            let rest = others.join("; ");
            child.fields.insert(by_address.to_owned(), json!(rest));
        }
    }
}

/// What stands for an e-mail that Salesforce does not take: comments with the same text, that say whose it was.
pub fn as_comments(child: &Child, code: &str, audits: bool) -> Vec<Child> {
    let field = |name: &str| child.fields.get(name).and_then(Json::as_str);
    let rendered = field("HtmlBody").map(transload_sdk::text::html_to_search_text);
    let whole = field("TextBody")
        .or(rendered.as_deref())
        .unwrap_or_default();
    let (said, body) = thread::without_lead(whole);
    let at = field("MessageDate").unwrap_or_default();
    let mut facts = vec![format!("an e-mail that Salesforce does not take ({code})")];
    for (name, of) in [
        ("from", "FromName"),
        ("from", "FromAddress"),
        ("to", "ToAddress"),
        ("cc", "CcAddress"),
        ("bcc", "BccAddress"),
        ("subject", "Subject"),
    ] {
        facts.extend(field(of).map(|value| format!("{name} {value}")));
    }
    if !audits {
        facts.push(format!("at {at}"));
    }
    facts.extend(said.map(str::to_owned));
    let bodies = text::bodies(&facts, body, COMMENT_BYTES);
    let comment = |(index, body): (usize, String)| {
        let mut fields = Map::new();
        fields.insert("CommentBody".to_owned(), json!(body));
        fields.insert("IsPublished".to_owned(), json!(true));
        if audits {
            fields.insert("CreatedDate".to_owned(), json!(at));
        }
        Child {
            part: continued_marker(&format!("{}/comment", child.part), index + 1),
            mail: false,
            fields,
        }
    };
    bodies.into_iter().enumerate().map(comment).collect()
}

/// A time to the millisecond.
fn exact(ms: i64) -> String {
    time::format_utc(ms).unwrap_or_else(|| ms.to_string())
}

/// An e-mail has no author but a name: an agent's own record is not on it.
fn author_is_converted(message: &Message) -> bool {
    matches!(&message.author, Author::Person(person) if person.kind == Kind::Agent)
}

/// Name and address of the sender. The name is the author's; an address is what Salesforce takes as one.
fn sender(message: &Message) -> (Option<String>, Option<String>) {
    let (written, address) = message.sender.as_deref().map_or((None, None), mailbox);
    let name = match &message.author {
        Author::Person(person) => words::called(person).map(str::to_owned),
        Author::Name(name) => Some(name.clone()).filter(|name| !name.trim().is_empty()),
        Author::System => Some("the system".to_owned()),
    };
    (name.or(written), address)
}

/// A list of addresses in one text, and whether all of them are in it.
fn addresses(list: &[String]) -> (String, bool) {
    let mut joined = String::new();
    let mut whole = true;
    for one in list {
        let Some(address) = mailbox(one).1 else {
            whole = false;
            continue;
        };
        // A name beside it has no place.
        whole &= address.len() == one.trim().len();
        let separator = if joined.is_empty() { "" } else { "; " };
        if joined.len() + separator.len() + address.len() > ADDRESSES_CHARS {
            whole = false;
            continue;
        }
        joined.push_str(separator);
        joined.push_str(&address);
    }
    (joined, whole)
}

// ---- fingerprints

/// What of an e-mail is compared. All else of it is frozen at birth (Salesforce facts §9.3).
pub const MAIL_FACETS: [&str; 3] = [own::SOURCE_ID, "MessageDate", "Subject"];

/// What of a comment is compared.
pub const COMMENT_FACETS: [&str; 2] = ["CommentBody", "IsPublished"];

/// The print of a child that was sent.
pub fn child_print(child: &Child) -> String {
    if child.mail {
        print(&facets_of(&child.fields, &MAIL_FACETS))
    } else {
        print(&comment_facets(&child.fields))
    }
}

/// Facets of some fields.
pub fn facets_of(fields: &Map<String, Json>, names: &[&str]) -> Vec<(String, String)> {
    let value = |name: &&str| {
        fields
            .get(*name)
            .map(|value| ((*name).to_owned(), facet(value)))
    };
    names.iter().filter_map(value).collect()
}

/// Facets of a comment.
pub fn comment_facets(fields: &Map<String, Json>) -> Vec<(String, String)> {
    let body = fields.get("CommentBody").and_then(Json::as_str);
    let published = fields.get("IsPublished").and_then(Json::as_bool);
    vec![
        (
            "CommentBody".to_owned(),
            text::letters(body.unwrap_or_default()),
        ),
        (
            "IsPublished".to_owned(),
            published.unwrap_or_default().to_string(),
        ),
    ]
}

/// A comment as two of them are told apart: who may see it and what it says.
pub fn comment_identity(fields: &Map<String, Json>) -> (bool, String) {
    let body = fields.get("CommentBody").and_then(Json::as_str);
    let published = fields.get("IsPublished").and_then(Json::as_bool);
    (
        published.unwrap_or_default(),
        text::compared(body.unwrap_or_default()),
    )
}
