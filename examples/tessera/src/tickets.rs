//! Conversations, as tickets: head and entries in one request, further entries in more.
//!
//! A ticket is found by its `ref`, our marker, in an index that lags; what of a thread is in it already, by comparing entries.
//! So a ticket whose making was interrupted anywhere is completed rather than made again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use transload_sdk::card::{self, Facts, loss};
use transload_sdk::destination::{Item, Part};
use transload_sdk::effects::{self, status_of};
use transload_sdk::http::{HttpError, Made, OperationKey, Reply, create, part_file};
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, RefusedEntry, Status};
use transload_sdk::policy::canonical;
use transload_sdk::text::{html_to_search_text, split_bytes};
use transload_sdk::thread::{self, Holds, with_lead, without_lead};
use transload_sdk::types::{
    Attachment, Author, BlobRef, Conversation, ConversationStatus, Entity, Entry, Error, Fidelity,
    Kind, Loss, Message, Visibility,
};
use transload_sdk::words::{self, Words};
use transload_sdk::{Context, Result, time};

use crate::api::{
    Api, ENTRIES, FILE_BYTES, LABELS, SETTLE_INDEX_MS, Said, Stored, TEXT_LIMIT, TOKEN_MS, Ticket,
    refusal, ticket_path, version,
};
use crate::{State, fields, people};

/// What a ticket's effect says it is.
pub const KIND: &str = "ticket";
/// What the effect of entries that were added to a ticket says they are. Its id is `<ticket>/<first entry>`.
pub const ENTRIES_KIND: &str = "entries";
/// Bytes of a body in one entry; what is left of the limit is for the line above it.
const BODY_BYTES: usize = 60_000;
/// Bytes of the line above a body.
const LEAD_BYTES: usize = TEXT_LIMIT - BODY_BYTES - 100;

/// An entry as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NewEntry {
    kind: &'static str,
    by: Option<String>,
    by_name: Option<String>,
    at: String,
    text: String,
    files: Vec<String>,
}

/// An entry before its files are there: which of them are refused is known only then, and the line above its text names them.
struct Draft {
    entry: NewEntry,
    facts: Vec<String>,
    body: String,
    files: Vec<File>,
}

struct File {
    entry: Entry,
    name: String,
    content: BlobRef,
}

/// A ticket as it is sent.
#[derive(Debug, Serialize)]
struct NewTicket {
    #[serde(rename = "ref")]
    reference: String,
    subject: String,
    requester: String,
    state: String,
    labels: Vec<String>,
    created_at: String,
    custom: Map<String, Value>,
    entries: Vec<NewEntry>,
}

#[derive(Deserialize)]
struct Settings {
    #[serde(default)]
    events: bool,
    #[serde(default)]
    spam: bool,
}

/// What a record becomes, and what is said of it in the end.
struct Plan {
    ticket: NewTicket,
    drafts: Vec<Draft>,
    losses: Vec<Loss>,
    refused: Vec<RefusedEntry>,
    effects: Vec<Effect>,
}

/// Writes a conversation, or a note of none.
pub async fn write(api: &Api<'_>, state: &State, item: &Item) -> Result<()> {
    let mut plan = match plan(api.cx, state, item) {
        Ok(plan) => plan,
        Err(error @ Error::Invalid(_)) => {
            effects::reject(api.cx, item, error);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let settled = match item.certain() {
        Some(there) => match api.ticket(&there.target_id).await? {
            Some(ticket) => add_to(api, item, &mut plan, ticket, None, None).await,
            None => Err(Stop::Status(Status::Rejected(Error::NotFound(
                "the ticket was deleted".into(),
            )))),
        },
        None => make(api, item, &mut plan).await,
    };
    let status = match settled {
        Ok(status) | Err(Stop::Status(status)) => status,
        Err(Stop::Unit(error)) => return Err(error),
    };
    let arrived = matches!(status, Status::Created | Status::Updated | Status::Matched);
    api.cx.report(Outcome {
        item: item.key.clone(),
        status,
        effects: plan.effects,
        losses: plan.losses,
        refused: if arrived { plan.refused } else { Vec::new() },
    });
    Ok(())
}

/// Why an item goes no further: what becomes of it, or what ends the unit.
enum Stop {
    Status(Status),
    Unit(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Unit(error)
    }
}

impl From<HttpError> for Stop {
    fn from(error: HttpError) -> Self {
        Self::Unit(error.into())
    }
}

impl Stop {
    fn refused(reply: &Reply) -> Self {
        match refusal(reply) {
            Ok(error) => Self::Status(Status::Rejected(error)),
            Err(error) => Self::Unit(error),
        }
    }
}

/// Makes the ticket with the card and as many entries as one request may have; the rest is added.
async fn make(api: &Api<'_>, item: &Item, plan: &mut Plan) -> Result<Status, Stop> {
    // Where an attempt may have arrived, its ticket is completed. Files are sent only after that is known.
    let made = if let Some(ticket) = earlier(api, item).await? {
        Made::Found {
            object: ticket,
            proof: None,
            key: None,
        }
    } else {
        let first: Vec<usize> = (0..plan.drafts.len().min(ENTRIES - 1)).collect();
        let (entries, tokens) = finished(api, item, plan, &first).await?;
        plan.ticket.entries.extend(entries);
        let mut request = api.cx.http().post("/tickets").json(&plan.ticket);
        for token in tokens {
            request = request.perishable(token);
        }
        create(api.cx, request.key(&item.key, "main", "create"))
            .in_doubt_since(item.in_doubt_since)
            .or_find(
                async || api.ticket_by_ref(&item.marker).await,
                SETTLE_INDEX_MS,
            )
            .await?
    };
    match made {
        Made::Created { reply, proof, key } => {
            let ticket: Ticket = reply.json()?;
            if plan.drafts.len() < ENTRIES {
                return Ok(finish(api, plan, &ticket.id, proof, key).await);
            }
            let ticket = api.ticket(&ticket.id).await?.unwrap_or(ticket);
            add_to(api, item, plan, ticket, proof, key).await
        }
        Made::Found { object, proof, key } => {
            let card = object
                .entries
                .iter()
                .find(|said| said.kind == "private" && said.text.contains(&item.marker));
            let ours = card.is_some_and(|card| people::names_run(api.cx, &card.text));
            let proof = proof.or_else(|| ours.then(|| Proof::Marker(api.cx.run().to_owned())));
            add_to(api, item, plan, object, proof, key).await
        }
        Made::Refused(reply) => Err(Stop::refused(&reply)),
        Made::Unsettled(why) => Err(Stop::Status(Status::Unsettled(why))),
    }
}

/// The ticket of an attempt whose answer is lost, if its index has it by now. `create` decides when a miss counts.
async fn earlier(api: &Api<'_>, item: &Item) -> Result<Option<Ticket>> {
    match item.in_doubt_since {
        Some(_) => api.ticket_by_ref(&item.marker).await,
        None => Ok(None),
    }
}

/// Adds what a ticket lacks of the thread.
async fn add_to(
    api: &Api<'_>,
    item: &Item,
    plan: &mut Plan,
    mut ticket: Ticket,
    proof: Option<Proof>,
    key: Option<OperationKey>,
) -> Result<Status, Stop> {
    let before = plan.effects.len();
    loop {
        let missing = missing(&plan.drafts, &ticket.entries);
        let chunk: Vec<usize> = missing.into_iter().take(ENTRIES).collect();
        let Some(&first) = chunk.first() else { break };
        let part = format!("entries:{first}");
        let (entries, tokens) = finished(api, item, plan, &chunk).await?;
        let path = format!("{}/entries", ticket_path(&ticket.id));
        let body = serde_json::json!({ "entries": entries });
        let mut request = api.cx.http().post(path).json(&body);
        for token in tokens {
            request = request.perishable(token);
        }
        // A ticket is read by its id, without the index. All entries of a request arrive, or none.
        let arrived = async || {
            let now = api.ticket(&ticket.id).await?.unwrap_or_default();
            let open = self::missing(&plan.drafts, &now.entries);
            Ok(now
                .entries
                .into_iter()
                .last()
                .filter(|_| !open.contains(&first)))
        };
        let made = create(api.cx, request.key(&item.key, &part, "create"))
            .or_find(arrived, crate::api::SETTLE_KEY_MS)
            .await?;
        let (entry, proof, key) = match made {
            Made::Created { reply, proof, key } => {
                let stored: Stored = reply.json()?;
                (
                    stored.entries.into_iter().next().map(|entry| entry.id),
                    proof,
                    key,
                )
            }
            // They were not there when the ticket was read, a moment ago.
            Made::Found { object, key, .. } => (Some(object.id), Some(Proof::AbsentBefore), key),
            Made::Refused(reply) => return Err(Stop::refused(&reply)),
            Made::Unsettled(why) => return Err(Stop::Status(Status::Unsettled(why))),
        };
        plan.effects.push(Effect {
            proof,
            key,
            ..effects::effect(
                &part,
                ENTRIES_KIND,
                format!("{}/{}", ticket.id, entry.unwrap_or_default()),
                Action::Created,
            )
        });
        let Some(now) = api.ticket(&ticket.id).await? else {
            return Err(Stop::Status(Status::Rejected(Error::NotFound(
                "the ticket was deleted".into(),
            ))));
        };
        if self::missing(&plan.drafts, &now.entries).contains(&first) {
            return Err(Stop::Unit(Error::Bug(
                "entries that were added are not there".into(),
            )));
        }
        ticket = now;
    }
    let added = plan.effects.len() > before;
    let status = finish(api, plan, &ticket.id, proof, key).await;
    Ok(if added && status == Status::Matched {
        Status::Updated
    } else {
        status
    })
}

/// The ticket's own effect, printed as it is in the end. The last of its item's, so that it is the first to be undone.
async fn finish(
    api: &Api<'_>,
    plan: &mut Plan,
    id: &str,
    proof: Option<Proof>,
    key: Option<OperationKey>,
) -> Status {
    let action = if proof.is_some() {
        Action::Created
    } else {
        Action::Matched
    };
    // Made is made: a look that fails costs the print, not the record.
    let now = api.ticket(id).await.ok().flatten();
    let effect = Effect {
        proof,
        key,
        fingerprint: now.as_ref().map(|ticket| effects::print(&facets(ticket))),
        version: now.and_then(|ticket| version(&ticket.version)),
        ..effects::effect("main", KIND, id, action)
    };
    plan.effects.push(effect);
    status_of(action)
}

/// All that we write of a ticket. An entry that somebody added is a change.
pub fn facets(ticket: &Ticket) -> Vec<(String, String)> {
    let ids: Vec<&str> = ticket
        .entries
        .iter()
        .map(|entry| entry.id.as_str())
        .collect();
    vec![
        ("subject".into(), ticket.subject.clone()),
        ("requester".into(), ticket.requester.clone()),
        ("state".into(), ticket.state.clone()),
        ("labels".into(), ticket.labels.join(",")),
        (
            "custom".into(),
            canonical(&Value::Object(ticket.custom.clone())),
        ),
        ("entries".into(), ids.join(",")),
    ]
}

/// Which drafts a ticket does not have. The line above a body does not count: what it says of files is not known before.
fn missing(drafts: &[Draft], there: &[Said]) -> Vec<usize> {
    let mut left: Vec<(&str, Option<i64>, &str)> = there
        .iter()
        .map(|said| {
            (
                said.kind.as_str(),
                when(&said.at),
                without_lead(&said.text).1,
            )
        })
        .collect();
    let mut missing = Vec::new();
    for (place, draft) in drafts.iter().enumerate() {
        let wanted = (draft.entry.kind, when(&draft.entry.at), draft.body.as_str());
        match left.iter().position(|said| *said == wanted) {
            Some(found) => {
                left.swap_remove(found);
            }
            None => missing.push(place),
        }
    }
    missing
}

fn when(text: &str) -> Option<i64> {
    time::parse_lossy(text).map(|(moment, _)| moment.at)
}

/// Entries with their files, and the files' tokens, which differ from run to run.
async fn finished(
    api: &Api<'_>,
    item: &Item,
    plan: &mut Plan,
    places: &[usize],
) -> Result<(Vec<NewEntry>, Vec<String>), Stop> {
    let (mut entries, mut tokens) = (Vec::new(), Vec::new());
    for draft in places.iter().filter_map(|place| plan.drafts.get(*place)) {
        let mut entry = draft.entry.clone();
        let mut facts = draft.facts.clone();
        for file in &draft.files {
            let reply = upload(api, item, file).await?;
            if reply.status() == 422 {
                let why = refusal(&reply)?;
                let why = match why {
                    Error::Invalid(invalid) => invalid.reason,
                    _ => "refused by Tessera".into(),
                };
                facts.push(format!("file {} is not here: {why}", file.name));
                plan.refused.extend(item.refused(&file.entry.head, why));
                continue;
            }
            if !reply.ok() {
                return Err(Stop::refused(&reply));
            }
            #[derive(Deserialize)]
            struct Uploaded {
                token: String,
            }
            let token = reply.json::<Uploaded>()?.token;
            tokens.push(token.clone());
            entry.files.push(token);
        }
        entry.text = with_lead(lead(&facts).as_deref(), &draft.body);
        entries.push(entry);
    }
    Ok((entries, tokens))
}

/// Our line above a body, within its room.
fn lead(facts: &[String]) -> Option<String> {
    let mut room = LEAD_BYTES;
    let mut said: Vec<String> = Vec::new();
    for fact in facts {
        if fact.len() + 4 > room {
            said.push("and more, see the source card".into());
            break;
        }
        room -= fact.len() + 4;
        said.push(fact.clone());
    }
    thread::lead(&said)
}

/// Sends a file. Unused it expires, so sending it twice does no harm.
async fn upload(api: &Api<'_>, item: &Item, file: &File) -> Result<Reply, HttpError> {
    let send = async |step: &str| {
        let part = part_file("file", &file.name, file.content.clone());
        api.cx
            .http()
            .post("/files")
            .multipart([part])
            .idempotent(None)
            .passing()
            .lifetime(TOKEN_MS)
            .key(&item.key, format!("upload:{}", file.entry.head.id), step)
            .send()
            .await
    };
    match send("create").await {
        Err(HttpError::InDoubt(_)) => send("create-again").await,
        settled => settled,
    }
}

fn plan(cx: &Context, state: &State, item: &Item) -> Result<Plan> {
    let settings: Settings = cx.config()?;
    let mut whole = item.thread()?;
    if item.entry().head.kind == Kind::Message {
        whole = thread::lone_note(item.entry(), whole)?;
    }
    let entry = &whole.conversation;
    let Entity::Conversation(conversation) = &entry.data else {
        return Err(Error::Bug("a conversation that is none".into()));
    };
    let words = Words::new([], cx.time_zone());
    let mut losses = Vec::new();
    let mut card = Facts::new(words.clone());
    card::conversation(entry, conversation, &mut card);
    people::add_run(cx, &mut card);
    let labels = labels(conversation, &mut card, &mut losses);
    let custom = fields::values(&entry.head.fields, &mut card, &mut losses);

    let created = entry.head.created_at.or_else(|| thread::first_time(&whole));
    if created.is_none() {
        losses.push(loss(
            "head.created-at",
            Fidelity::Lost,
            "not known; the time of the migration stands for it",
        ));
    }
    // Never in the future: that would send mail.
    let (created, moved) = time::clamp(created.unwrap_or(i64::MAX), 0, cx.now() - 60_000);
    if moved && entry.head.created_at.is_some() {
        losses.push(loss(
            "head.created-at",
            Fidelity::Converted,
            "a time that Tessera cannot have",
        ));
    }

    let mut drafts = Vec::new();
    for (place, part) in whole.parts.iter().enumerate() {
        let Entity::Message(message) = &part.message.data else {
            return Err(Error::Bug("a message that is none".into()));
        };
        if let Some(why) =
            thread::skipped(&part.message.head, message, settings.spam, settings.events)
        {
            thread::skip(&part.message.head, why, &mut card, &mut losses);
            continue;
        }
        let facts = thread::message_card(
            &part.message.head,
            message,
            conversation.subject.as_deref(),
            Holds::Text,
            &words,
            &mut losses,
        );
        card.message(place + 1, &facts);
        drafts.extend(said(cx, part, message, created, &words, &mut losses)?);
    }

    let requester = conversation
        .customer
        .as_ref()
        .and_then(|customer| customer.target.clone());
    if requester.is_none() {
        losses.push(loss(
            "conversation.customer",
            Fidelity::Lost,
            "not migrated; a person of the connector's own stands in",
        ));
    }
    let text = card.render(cx.platform(), item, entry, &losses)?;
    let (text, cut) = card::fitted(&text, TEXT_LIMIT);
    if cut {
        losses.push(loss(
            "conversation.*",
            Fidelity::Lost,
            "the source card is longer than an entry may be",
        ));
    }
    let created_at = stamp(created)?;
    let own = NewEntry {
        kind: "private",
        by: None,
        by_name: Some("Transload".into()),
        at: created_at.clone(),
        text: text.to_owned(),
        files: Vec::new(),
    };
    Ok(Plan {
        ticket: NewTicket {
            reference: item.marker.clone(),
            subject: conversation.subject.clone().unwrap_or_default(),
            requester: requester.unwrap_or_else(|| state.nobody.clone()),
            state: status(item, conversation),
            labels,
            created_at,
            custom,
            entries: vec![own],
        },
        drafts,
        losses,
        refused: Vec::new(),
        effects: Vec::new(),
    })
}

fn status(item: &Item, conversation: &Conversation) -> String {
    let of_itself = match &conversation.status {
        ConversationStatus::Closed => "done",
        ConversationStatus::Snoozed => "waiting",
        ConversationStatus::Open | ConversationStatus::Other(_) => "open",
    };
    item.value("status").unwrap_or(of_itself).to_owned()
}

/// Tags by what they became: `tag` items are matched with their labels.
fn labels(conversation: &Conversation, card: &mut Facts, losses: &mut Vec<Loss>) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    let mut left = Vec::new();
    for tag in &conversation.tags {
        match &tag.target {
            Some(label) if labels.contains(label) => {}
            Some(label) if labels.len() < LABELS => labels.push(label.clone()),
            _ => left.push(tag.clone()),
        }
    }
    if !left.is_empty() {
        card.references("tags without a label", &left);
        losses.push(loss(
            "conversation.tags",
            Fidelity::Converted,
            "ten labels of 40 characters at most; the others stand on the source card",
        ));
    }
    labels
}

/// A message as entries: one, or several for a long text.
fn said(
    cx: &Context,
    part: &Part,
    message: &Message,
    created: i64,
    words: &Words,
    losses: &mut Vec<Loss>,
) -> Result<Vec<Draft>> {
    let head = &part.message.head;
    let mut facts = Vec::new();
    thread::message_facts(message, words, &mut facts);
    let mut files = Vec::new();
    let mut body = match (&message.text, &message.html) {
        (Some(text), _) => cx.blobs().read_text(text)?,
        (None, Some(html)) => {
            // No rendering keeps what a person wrote: the original goes along, whole.
            let html = cx.blobs().read_text(html)?;
            facts.push("drawn from HTML, which is attached".into());
            losses.push(loss(
                "message.html",
                Fidelity::Converted,
                "its text is drawn from it; the original is attached",
            ));
            files.push(File {
                entry: part.message.clone(),
                name: format!("message-{}.html", head.id),
                content: cx.blobs().put("text/html", html.as_bytes()),
            });
            html_to_search_text(&html)
        }
        (None, None) => String::new(),
    };
    if message.text.is_some() && message.html.is_some() {
        losses.push(loss(
            "message.html",
            Fidelity::Converted,
            "Tessera's text is plain: the source's own plain text",
        ));
    }
    for entry in &part.attachments {
        let Entity::Attachment(file) = &entry.data else {
            return Err(Error::Bug("a file that is none".into()));
        };
        // The host has put it into the export folder.
        if file
            .content
            .as_ref()
            .is_some_and(|content| content.size > FILE_BYTES)
        {
            facts.push(format!("file {} is not here: too large", file.name));
            losses.push(loss(
                "attachment.content",
                Fidelity::Lost,
                "larger than Tessera takes: named in the thread",
            ));
            continue;
        }
        match (thread::no_bytes(file), &file.content) {
            (None, Some(content)) => files.push(File {
                entry: entry.clone(),
                name: name(file),
                content: content.clone(),
            }),
            (why, _) => {
                let (cause, told) = why.unwrap_or_else(|| {
                    (
                        "its bytes are not there",
                        format!("file {} is not here", file.name),
                    )
                });
                facts.push(told);
                losses.push(loss("attachment.content", Fidelity::Lost, cause));
            }
        }
    }
    let (by, by_name) = author(&message.author);
    let at = stamp(message.sent_at.or(head.created_at).unwrap_or(created))?;
    let entry = NewEntry {
        kind: if message.visibility == Visibility::Public {
            "public"
        } else {
            "private"
        },
        by,
        by_name,
        at,
        text: String::new(),
        files: Vec::new(),
    };
    if body.is_empty() && facts.is_empty() && files.is_empty() {
        body.push(' ');
    }
    let pieces = split_bytes(&body, BODY_BYTES);
    let count = pieces.len().max(1);
    let pieces = if pieces.is_empty() { vec![""] } else { pieces };
    let mut drafts: Vec<Draft> = pieces
        .into_iter()
        .enumerate()
        .map(|(n, piece)| {
            let mut facts = if n == 0 { facts.clone() } else { Vec::new() };
            if count > 1 {
                facts.push(thread::part_of(n + 1, count));
            }
            Draft {
                entry: entry.clone(),
                facts,
                body: piece.to_owned(),
                files: Vec::new(),
            }
        })
        .collect();
    if let Some(first) = drafts.first_mut() {
        first.files = files;
    }
    Ok(drafts)
}

fn name(file: &Attachment) -> String {
    if file.name.is_empty() {
        "file".into()
    } else {
        file.name.clone()
    }
}

/// Who wrote it: a person or an agent of Tessera's, else a name.
fn author(author: &Author) -> (Option<String>, Option<String>) {
    if let Author::Person(reference) = author {
        let target = reference
            .target
            .as_deref()
            .filter(|target| words::placeholder_name(target).is_none());
        match (&reference.kind, target) {
            (Kind::Customer, Some(id)) => return (Some(format!("person:{id}")), None),
            (Kind::Agent, Some(id)) => return (Some(format!("agent:{id}")), None),
            _ => {}
        }
    }
    (None, Some(words::author(author)))
}

fn stamp(at: i64) -> Result<String> {
    time::format_utc(at).ok_or_else(|| Error::Bug("a time beyond the calendar".into()))
}
