//! A conversation with its messages and files as the tickets that hold it, in the one call that a ticket gets.
//!
//! Every part of a thread has its rule (rule M-3): what is said and to whom becomes a comment in the order and at the
//! time of the original; what a comment cannot show stands in the line above its body; what a ticket has no field for
//! stands on the source card, a private comment at the end (rule M-2). Pure: files are uploaded before, ids of tickets
//! are known after. Not here: sending and looking up (see `write::tickets`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::destination::{self, Item, Thread};
use transload_sdk::ledger::RefusedEntry;
use transload_sdk::policy::canonical;
use transload_sdk::thread::{
    Holds, Requester, Unit, began, continued_marker, conversation_of, image_names, message_card,
    message_facts, skip, skipped,
};
use transload_sdk::types::{
    self, Conversation, Entity, Entry, Error, Fidelity, Loss, Message, Visibility,
};

use crate::api::{CustomField, ImportComment, ImportTicket, Via};
use crate::card::{self, Card};
use crate::map::{self, COMMENT_BYTES, COMMENTS_PER_TICKET, Misfit, loss};
use crate::state::{Config, State};
use crate::text;
use crate::words;

/// What became of a file before its ticket is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// In Zendesk's hands until the ticket claims it.
    Uploaded {
        /// Token for the comment.
        token: String,
        /// Where HTML refers to it.
        content_url: String,
    },
    /// Not to be had or too large, which the host knows: the cause, for the report, and what the thread says of it.
    Refused(&'static str, String),
    /// Not taken by Zendesk, and why: the host exports it.
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
    /// Options (value and label) of ticket fields, by id.
    pub options: &'a BTreeMap<String, Vec<(String, String)>>,
    /// Who is in which group; `None` where nobody asked.
    pub members: Option<&'a BTreeSet<(u64, u64)>>,
    /// Files, by attachment id.
    pub files: &'a BTreeMap<String, File>,
}

/// A thread, mapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapped {
    /// One, or more where there are more comments than a ticket holds (rule M-16); the later ones continue the first.
    pub tickets: Vec<ImportTicket>,
    /// What does not arrive as it was.
    pub losses: Vec<Loss>,
    /// Files that Zendesk did not take.
    pub refused: Vec<RefusedEntry>,
    /// Tokens and URLs of files, which differ when they are uploaded again.
    pub perishable: Vec<String>,
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
    let mut card = Card::new(words::of_account(
        &around.config.subdomain,
        around.unit.zone,
    ));
    let requester = Requester::of(
        conversation,
        around.state.stand_in_requester,
        &mut card,
        &mut losses,
    );
    card::conversation(&thread.conversation, conversation, &mut card);

    let mut comments = Vec::new();
    let mut refused = Vec::new();
    let mut perishable = Vec::new();
    let mut last = head.created_at.unwrap_or(0);
    for part in &thread.parts {
        let Entity::Message(message) = &part.message.data else {
            continue;
        };
        let sent = message
            .sent_at
            .or(part.message.head.created_at)
            .unwrap_or(last);
        last = sent;
        let at = map::importable(sent, around.unit.now);
        let subject = conversation.subject.as_deref();
        let mut context = Part {
            around,
            card: &mut card,
            item,
            losses: &mut losses,
            refused: &mut refused,
            perishable: &mut perishable,
            requester: &requester,
        };
        context.comments(part, message, at, subject, &mut comments);
    }

    let slots = Slots::of(item, conversation);
    let finished = matches!(slots.status.as_str(), "solved" | "closed");
    let (assignee, group) = assignment(conversation, finished, around, &mut losses);
    let brand = brand(conversation, around, &mut losses);
    let (custom_fields, tags) = fields_and_tags(
        &thread.conversation,
        conversation,
        around,
        &mut card,
        &mut losses,
    );

    let created = began(thread, around.unit.now);
    let updated = [
        head.updated_at,
        conversation.last_activity_at,
        Some(last),
        Some(created),
    ];
    let updated = updated.into_iter().flatten().max().unwrap_or(created);
    let solved = conversation
        .closed_at
        .or(conversation.ended_at)
        .unwrap_or(updated);
    let at = |ms| map::iso(map::importable(ms, around.unit.now));

    let card = card.render(around.unit.platform, item, &thread.conversation, &losses)?;
    let closing = card_comments(&card, around.state.me, &at(updated));
    let limit = COMMENTS_PER_TICKET.saturating_sub(closing.len() + 2);
    let mut chunks: Vec<Vec<ImportComment>> = Vec::new();
    for comment in comments {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < limit => chunk.push(comment),
            _ => chunks.push(vec![comment]),
        }
    }
    if chunks.is_empty() {
        chunks.push(Vec::new());
    }
    let parts = chunks.len();
    if parts > 1 {
        let note = "more comments than a ticket holds: continues in linked tickets";
        losses.push(loss("conversation.messages", Fidelity::Converted, note));
    }
    let mut closing = Some(closing);
    let mut tickets = Vec::with_capacity(parts);
    for (index, mut comments) in chunks.into_iter().enumerate() {
        if index + 1 < parts {
            let next = continued_marker(&item.marker, index + 2);
            comments.push(own_comment(
                around.state.me,
                comments
                    .last()
                    .map_or_else(|| at(updated), |c| c.created_at.clone()),
                &[format!("continues in the ticket with external id {next}")],
            ));
        } else if let Some(closing) = closing.take() {
            comments.extend(closing);
        }
        let submitter_id = comments
            .first()
            .map_or(around.state.me, |first| first.author_id);
        let subject = conversation.subject.clone().unwrap_or_default();
        tickets.push(ImportTicket {
            external_id: continued_marker(&item.marker, index + 1),
            subject: if index == 0 {
                subject
            } else {
                format!("{subject} (part {})", index + 1)
            },
            requester_id: requester.id,
            submitter_id,
            assignee_id: assignee,
            group_id: group,
            brand_id: brand,
            status: slots.status.clone(),
            custom_status_id: slots.custom_status,
            priority: slots.priority.clone(),
            via: slots.channel.clone().map(|channel| Via { channel }),
            tags: tags.clone(),
            created_at: at(created),
            updated_at: at(updated),
            solved_at: finished.then(|| at(solved)),
            custom_fields: custom_fields.clone(),
            comments,
        });
    }
    Ok(Mapped {
        tickets,
        losses,
        refused,
        perishable,
    })
}

/// Says in a continuation which ticket it continues; its number is known only after that was made.
pub fn link_back(ticket: &mut ImportTicket, stand_in: u64, before: u64) {
    let at = ticket
        .comments
        .first()
        .map_or_else(|| ticket.created_at.clone(), |c| c.created_at.clone());
    ticket.comments.insert(
        0,
        own_comment(stand_in, at, &[format!("continues ticket #{before}")]),
    );
    ticket.submitter_id = stand_in;
}

fn own_comment(author: u64, at: String, facts: &[String]) -> ImportComment {
    ImportComment {
        author_id: author,
        public: false,
        created_at: at,
        body: text::lead(facts),
        html_body: None,
        uploads: Vec::new(),
    }
}

/// The slots' values, or ours where the mapping gave none.
struct Slots {
    status: String,
    custom_status: Option<u64>,
    priority: Option<String>,
    channel: Option<String>,
}

impl Slots {
    fn of(item: &Item, conversation: &Conversation) -> Self {
        let slot = |name: &str| {
            let found = item.values.iter().find(|value| value.slot == name);
            found
                .map(|value| value.value.clone())
                .filter(|value| !value.is_empty())
        };
        let status = slot("status");
        // `hold:360001` is a custom status of the category hold.
        let (status, custom_status) = match status.as_deref().and_then(|s| s.split_once(':')) {
            Some((category, id)) => (category.to_owned(), id.parse().ok()),
            None => {
                let default = || map::default_status(&conversation.status).to_owned();
                (status.unwrap_or_else(default), None)
            }
        };
        let priority = slot("priority").or_else(|| {
            conversation
                .priority
                .as_ref()
                .map(|p| map::default_priority(p).to_owned())
        });
        Self {
            status,
            custom_status,
            priority,
            channel: slot("channel"),
        }
    }
}

/// Who is in charge. Zendesk wants an assignee on finished tickets, and one that is in the group (Zendesk facts §12).
fn assignment(
    conversation: &Conversation,
    finished: bool,
    around: &Surroundings<'_>,
    losses: &mut Vec<Loss>,
) -> (Option<u64>, Option<u64>) {
    let state = around.state;
    let mut assignee = None;
    if let Some(first) = conversation.assignees.first() {
        match map::numeric_target(first) {
            Some(id)
                if id == state.stand_in
                    && first
                        .target
                        .as_deref()
                        .and_then(map::placeholder_name)
                        .is_some() =>
            {
                // A former agent cannot be assigned. The card names him; only finished tickets get the stand-in.
                losses.push(loss(
                    "conversation.assignees",
                    Fidelity::Converted,
                    "named on the source card: no user here",
                ));
            }
            Some(id) => assignee = Some(id),
            None => losses.push(loss(
                "conversation.assignees",
                Fidelity::Converted,
                "named on the source card: not migrated",
            )),
        }
    }
    if conversation.assignees.len() > 1 {
        losses.push(loss(
            "conversation.assignees",
            Fidelity::Converted,
            "further assignees are on the source card",
        ));
    }
    if assignee.is_none() && finished {
        assignee = Some(state.stand_in);
    }
    let mut group = conversation.teams.first().and_then(map::numeric_target);
    if group.is_none() && !conversation.teams.is_empty() {
        losses.push(loss(
            "conversation.teams",
            Fidelity::Converted,
            "on the source card: the team was not migrated",
        ));
    }
    if conversation.teams.len() > 1 {
        losses.push(loss(
            "conversation.teams",
            Fidelity::Converted,
            "further teams are on the source card",
        ));
    }
    if let (Some(user), Some(id), Some(members)) = (assignee, group, around.members)
        && !members.contains(&(user, id))
    {
        group = None;
        let note = "the assignee is not in the team's group; the team is on the source card";
        losses.push(loss("conversation.teams", Fidelity::Converted, note));
    }
    (assignee, group)
}

fn brand(
    conversation: &Conversation,
    around: &Surroundings<'_>,
    losses: &mut Vec<Loss>,
) -> Option<u64> {
    let brand = conversation.brand.as_ref()?;
    let found = map::numeric_target(brand);
    if found.is_none() {
        losses.push(loss(
            "conversation.brand",
            Fidelity::Converted,
            "default brand; the original is on the source card",
        ));
    }
    found.or(around.state.brand)
}

fn fields_and_tags(
    entry: &Entry,
    conversation: &Conversation,
    around: &Surroundings<'_>,
    card: &mut Card,
    losses: &mut Vec<Loss>,
) -> (Vec<CustomField>, Vec<String>) {
    let mut fields = vec![CustomField {
        id: around.state.ticket_source_id,
        value: json!(entry.head.id),
    }];
    if let Some(url) = &entry.head.url {
        fields.push(CustomField {
            id: around.state.ticket_source_url,
            value: json!(url),
        });
    }
    for field in &entry.head.fields {
        let placed = map::place(field, around.options, card.words());
        let placed = placed.and_then(|(target, value)| match target.address.parse() {
            Ok(id) => Ok((id, target.companion, value)),
            Err(_) => Err(Misfit("has no field on tickets: on the source card")),
        });
        match placed {
            Ok((id, companion, value)) => {
                fields.push(CustomField {
                    id,
                    value: value.json,
                });
                let companion = companion.and_then(|c| c.parse().ok());
                if let (Some(text), Some(id)) = (value.companion, companion) {
                    fields.push(CustomField {
                        id,
                        value: json!(text),
                    });
                }
            }
            Err(misfit) => card.misfit(field, misfit, losses),
        }
    }
    card.lists(&entry.head.fields, losses);
    let mut tags = BTreeSet::from([
        State::source_tag(around.unit.platform),
        State::run_tag(around.unit.run),
    ]);
    tags.extend(
        conversation
            .channels
            .iter()
            .filter_map(|c| map::tag(&format!("channel_{c}"))),
    );
    for reference in &conversation.tags {
        match &reference.target {
            Some(target) => {
                tags.insert(target.clone());
            }
            None => {
                card.add("tag", &reference.id);
                losses.push(loss(
                    "conversation.tags",
                    Fidelity::Converted,
                    "a tag without a form here is on the source card",
                ));
            }
        }
    }
    (fields, tags.into_iter().collect())
}

// ---- comments

struct Part<'a, 's> {
    around: &'a Surroundings<'s>,
    card: &'a mut Card,
    item: &'a Item,
    losses: &'a mut Vec<Loss>,
    refused: &'a mut Vec<RefusedEntry>,
    perishable: &'a mut Vec<String>,
    requester: &'a Requester,
}

impl Part<'_, '_> {
    /// The comments of one part: none for what is skipped, several for a long text.
    fn comments(
        &mut self,
        part: &destination::Part,
        message: &Message,
        at: i64,
        subject: Option<&str>,
        comments: &mut Vec<ImportComment>,
    ) {
        let head = &part.message.head;
        let config = self.around.config;
        if let Some(why) = skipped(head, message, config.spam, config.events) {
            skip(head, why, self.card, self.losses);
            return;
        }
        let number = comments.len() + 1;
        let mut facts = Vec::new();
        if comments.is_empty() {
            facts.extend(self.requester.line(message));
        }
        let stand_in = self.around.state.stand_in;
        let (mut author, named) = map::author(&message.author, stand_in);
        if let Some(name) = named {
            facts.push(format!("written by {name}"));
            self.losses.push(loss(
                "message.author",
                Fidelity::Converted,
                "has no user here: named above the text",
            ));
        }
        let public = message.visibility == Visibility::Public && !message.forwarded;
        let by_customer =
            matches!(&message.author, types::Author::Person(p) if p.kind == types::Kind::Customer);
        if !public && by_customer && !message.forwarded {
            // Whether an end user may write a private comment is not stated (Zendesk facts §18).
            facts.push("an internal part by the customer".to_owned());
            author = self.around.state.me;
        } else if !public && by_customer {
            facts.push("by the customer".to_owned());
            author = self.around.state.me;
        }
        message_facts(message, self.card.words(), &mut facts);
        self.message_card(number, part, message, subject);

        let mut uploads = Vec::new();
        let mut images = Vec::new();
        for attachment in &part.attachments {
            self.file(attachment, &mut uploads, &mut images, &mut facts);
        }
        let plain = self.around.unit.text(&message.text);
        let html = self
            .around
            .unit
            .text(&message.html)
            .filter(|html| !html.trim().is_empty());
        if plain.is_none_or(str::is_empty) && html.is_none() && facts.is_empty() {
            facts.push("no text in the source".to_owned());
        }
        let lead = text::lead(&facts);
        let base = ImportComment {
            author_id: author,
            public,
            created_at: map::iso(at),
            body: None,
            html_body: None,
            uploads,
        };
        if let Some(html) = html {
            let body = text::html_with_lead(lead.as_deref(), &text::repoint(html, &images));
            if body.len() <= COMMENT_BYTES {
                comments.push(ImportComment {
                    html_body: Some(body),
                    ..base
                });
                return;
            }
            let note = "HTML too long for a comment: carried as plain text";
            self.losses.push(loss("message.html", Fidelity::Lost, note));
        }
        let rendered = html.map(text::of_html);
        let body = plain
            .filter(|t| !t.is_empty())
            .or(rendered.as_deref())
            .unwrap_or("");
        self.long_text(base, &facts, body, comments);
    }

    /// Plain text in as many comments as it takes.
    fn long_text(
        &mut self,
        base: ImportComment,
        facts: &[String],
        body: &str,
        comments: &mut Vec<ImportComment>,
    ) {
        let pieces = text::pieces(body, COMMENT_BYTES);
        let count = pieces.len();
        let mut uploads = Some(base.uploads.clone());
        for (index, piece) in pieces.into_iter().enumerate() {
            let mut facts = if index == 0 {
                facts.to_vec()
            } else {
                Vec::new()
            };
            if count > 1 {
                facts.push(format!("part {} of {count}", index + 1));
            }
            let lead = text::lead(&facts);
            comments.push(ImportComment {
                body: Some(text::with_lead(lead.as_deref(), piece)),
                uploads: uploads.take().unwrap_or_default(),
                ..base.clone()
            });
        }
        if count > 1 {
            let note = "longer than a comment holds: stands in several";
            self.losses
                .push(loss("message.text", Fidelity::Converted, note));
        }
    }

    fn file(
        &mut self,
        entry: &Entry,
        uploads: &mut Vec<String>,
        images: &mut Vec<(String, String)>,
        facts: &mut Vec<String>,
    ) {
        let Entity::Attachment(attachment) = &entry.data else {
            return;
        };
        match self.around.files.get(&entry.head.id) {
            Some(File::Uploaded { token, content_url }) => {
                uploads.push(token.clone());
                self.perishable.push(token.clone());
                self.perishable.push(content_url.clone());
                images.extend(image_names(attachment, content_url));
            }
            Some(File::Refused(cause, words)) => {
                facts.push(format!("file {} is missing here: {words}", attachment.name));
                self.losses.push(loss("attachment", Fidelity::Lost, cause));
            }
            Some(File::NotTaken(why)) => {
                let why = format!("Zendesk refuses it: {why}");
                facts.push(format!("file {} is missing here: {why}", attachment.name));
                self.refused.extend(self.item.refused(&entry.head, why));
            }
            None => {
                facts.push(format!("file {} is missing here", attachment.name));
                let note = "not at hand: named in the thread";
                self.losses.push(loss("attachment", Fidelity::Lost, note));
            }
        }
    }

    /// What the source knows of a message and a comment has no place for.
    fn message_card(
        &mut self,
        number: usize,
        part: &destination::Part,
        message: &Message,
        subject: Option<&str>,
    ) {
        let words = self.card.words().clone();
        let head = &part.message.head;
        let facts = message_card(head, message, subject, Holds::Text, &words, self.losses);
        self.card.message(number, &facts);
    }
}

// ---- source card

/// The card as comments, as many as it takes.
fn card_comments(card: &str, author: u64, at: &str) -> Vec<ImportComment> {
    let pieces = text::pieces(card, COMMENT_BYTES);
    let count = pieces.len();
    let comment = |(index, piece): (usize, &str)| {
        let part = if count > 1 {
            format!("source card, part {} of {count}", index + 1)
        } else {
            "source card".to_owned()
        };
        let lead = text::lead(&[part]);
        ImportComment {
            author_id: author,
            public: false,
            created_at: at.to_owned(),
            body: Some(text::with_lead(lead.as_deref(), piece)),
            html_body: None,
            uploads: Vec::new(),
        }
    };
    pieces.into_iter().enumerate().map(comment).collect()
}

// ---- fingerprint

/// What of a ticket is compared before an undo: only what we wrote and what comes back in a foreseeable form. Status is
/// reduced to how far a ticket is, since Zendesk opens and closes by itself (rule D-11).
pub fn ticket_facets(ticket: &ImportTicket) -> Vec<(String, String)> {
    let mut facets = vec![
        ("subject".to_owned(), squeezed(&ticket.subject)),
        ("requester".to_owned(), ticket.requester_id.to_string()),
        ("status".to_owned(), progress(&ticket.status).to_owned()),
    ];
    let mut add = |name: &str, value: Option<String>| {
        facets.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("assignee", ticket.assignee_id.map(|id| id.to_string()));
    add("group", ticket.group_id.map(|id| id.to_string()));
    add("priority", ticket.priority.clone());
    for field in &ticket.custom_fields {
        facets.push((format!("field {}", field.id), canonical(&field.value)));
    }
    let comments = ticket.comments.iter().map(|comment| {
        let body = match (&comment.html_body, &comment.body) {
            (Some(html), _) => text::letters_of(html),
            (None, Some(plain)) => text::letters(plain),
            (None, None) => String::new(),
        };
        comment_facet(
            comment.author_id,
            comment.public,
            &comment.created_at,
            &body,
        )
    });
    facets.push((
        "comments".to_owned(),
        comments.collect::<Vec<_>>().join("\n"),
    ));
    facets
}

/// The same of a ticket that was read; `comments` only where they were read too.
pub fn read_facets(
    ticket: &crate::api::Ticket,
    comments: Option<&[crate::api::Comment]>,
) -> Vec<(String, String)> {
    let id = |id: Option<u64>| id.map(|id| id.to_string()).unwrap_or_default();
    let mut facets = vec![
        (
            "subject".to_owned(),
            squeezed(ticket.subject.as_deref().unwrap_or("")),
        ),
        ("requester".to_owned(), id(ticket.requester_id)),
        ("status".to_owned(), progress(&ticket.status).to_owned()),
        ("assignee".to_owned(), id(ticket.assignee_id)),
        ("group".to_owned(), id(ticket.group_id)),
        (
            "priority".to_owned(),
            ticket.priority.clone().unwrap_or_default(),
        ),
    ];
    for field in &ticket.custom_fields {
        facets.push((format!("field {}", field.id), canonical(&field.value)));
    }
    if let Some(comments) = comments {
        let comments = comments.iter().map(|comment| {
            let at = comment.created_at.as_deref().unwrap_or("");
            comment_facet(
                comment.author_id,
                comment.public,
                at,
                &text::letters_of(&comment.html_body),
            )
        });
        facets.push((
            "comments".to_owned(),
            comments.collect::<Vec<_>>().join("\n"),
        ));
    }
    facets
}

fn comment_facet(author: u64, public: bool, at: &str, letters: &str) -> String {
    format!("{author} {public} {at} {}", map::short_hash(letters))
}

fn squeezed(subject: &str) -> String {
    subject.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn progress(status: &str) -> &str {
    match status {
        "new" | "open" => "open",
        "solved" | "closed" => "finished",
        other => other,
    }
}
