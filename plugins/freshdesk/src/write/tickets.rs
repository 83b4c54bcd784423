//! Threads as tickets: a call for each, and one for each note.
//!
//! Notes of a ticket are made one after the other, each when the one before was answered, since in the public API the order of
//! calls is the order of display (Freshdesk facts §12). A ticket that will be finished is made open and finished when all of it
//! is there: many at once by a job that mails nobody (Freshdesk facts §13), or, where the account takes original times, one by
//! one together with the time of its last change.
//!
//! There is no external id, so a ticket whose answer was not seen is looked for among those of its requester, which are listed
//! at once and carry our marker in a field; search lags, and finds no more than 300 (Freshdesk facts §3, §12). Ours are those
//! with this run's id in another field (rule D-4). Notes are looked for among those of their ticket, by what they say. A ticket
//! of which a part is there is completed, never made again. A thread that an earlier run loaded and that changed since is
//! changed: attributes of its ticket, and what was said since (rule M-9).
//!
//! Calls at best for a thread of n messages: n, and for every fifty finished tickets a job with its polls; with original times
//! one more for each ticket. No other call of Freshdesk's takes several messages.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, MatchPolicy, Thread};
use transload_sdk::effects::{changed, print};
use transload_sdk::http::{
    self, OperationKey, Part, Refusal as _, RequestBuilder, key, part_file, part_text,
};
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, RefusedEntry, Status};
use transload_sdk::policy::changes;
use transload_sdk::sha256;
use transload_sdk::thread::{Unit, repoint, stored_texts};
use transload_sdk::types::{Error, Fidelity, Head, Kind, Loss};
use transload_sdk::words::Words;

use super::{Changed, Creation, WRITES, effect, made, report, schema, status_of};
use crate::api::{Attachment, Conversation, Refusal, Ticket};
use crate::client::{self, Sent};
use crate::map::{self, Owner};
use crate::state::{Config, State, own_field};
use crate::text;
use crate::thread::{
    self, Draft, File, Mapped, NOTES_PER_TICKET, Said, Surroundings, facets, facets_of, file_note,
    is_finished, known_by, note_facet, progress,
};

/// What a thread's effect says it is.
pub const TICKET: &str = "ticket";
/// What is said in it besides the description; the id is `<ticket>/<conversation>`.
pub const NOTE: &str = "note";
/// A change to a ticket that the same item made.
pub const TICKET_CHANGE: &str = "ticket_change";
/// A change to a note that the same item made.
pub const NOTE_CHANGE: &str = "note_change";
/// How often a creation is tried with less of what was refused.
const TRIES: u32 = 5;
/// Tickets of one job that finishes some. Freshdesk names no limit.
const JOB_TICKETS: usize = 50;
/// How often a job is asked after, ms.
const JOB_POLL_MS: u64 = 5_000;
/// After this a job counts as stuck, ms.
const JOB_PATIENCE_MS: u64 = 1_800_000;
/// What our clock and Freshdesk's may differ by, ms.
const CLOCK_SKEW_MS: i64 = 3_600_000;

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let threads: Vec<(&Item, Thread)> = threads(cx, items, config.spam).collect();
    let choices = if schema::has_choices(items) {
        schema::texts(cx, Owner::Ticket).await?
    } else {
        BTreeMap::new()
    };
    let loader = Loader {
        cx,
        state: &state,
        config: &config,
        words: config.words(cx.time_zone()),
        choices,
    };
    let mut loads = Vec::new();
    for (item, thread) in &threads {
        let load = loader.one(item, thread).await?;
        // What needs no more calls has its outcome now (rule D-8).
        match load {
            Some(load) if load.is_settled() => loader.conclude(load),
            load => loads.extend(load),
        }
    }
    loader.finish(&mut loads).await?;
    loads.into_iter().for_each(|load| loader.conclude(load));
    Ok(())
}

/// What an earlier run did to a ticket of a thread.
fn prior<'i>(item: &'i Item, part: &str) -> Option<&'i Effect> {
    let is_ticket = |effect: &&Effect| effect.target_kind == TICKET && effect.part == part;
    item.prior.iter().find(is_ticket)
}

/// The part of the n-th ticket of a thread, from 0.
fn ticket_part(number: usize) -> String {
    match number {
        0 => "main".to_owned(),
        number => format!("continued:{}", number + 1),
    }
}

// ---- on the way

/// A ticket that is there.
struct There {
    part: String,
    ticket: Ticket,
    action: Action,
    proof: Option<Proof>,
    key: Option<OperationKey>,
    /// Facets of its notes, in order.
    notes: Vec<String>,
    /// Names of the facets that show what was written.
    written: BTreeSet<String>,
    /// What was there, of what was changed.
    before: Map<String, Value>,
    /// What it shall end with, where it does not have that yet.
    finish: Option<Finish>,
}

/// What is done to a ticket when all of it is there.
#[derive(Clone, Copy)]
struct Finish {
    /// Its status, where another is wanted.
    status: Option<u32>,
    /// The time of its last change, where the account takes one, ms.
    updated: Option<i64>,
}

/// A thread on its way.
struct Load<'a> {
    item: &'a Item,
    updated: i64,
    losses: Vec<Loss>,
    refused: Vec<RefusedEntry>,
    effects: Vec<Effect>,
    tickets: Vec<There>,
    /// Why it goes no further.
    stop: Option<Status>,
}

impl<'a> Load<'a> {
    fn new(item: &'a Item, mapped: &Mapped) -> Self {
        Self {
            item,
            updated: mapped.updated,
            losses: mapped.losses.clone(),
            refused: Vec::new(),
            effects: Vec::new(),
            tickets: Vec::new(),
            stop: None,
        }
    }

    fn is_settled(&self) -> bool {
        self.stop.is_some() || self.tickets.iter().all(|there| there.finish.is_none())
    }

    fn converted(&mut self, field: &str, note: &'static str) {
        self.losses.push(loss(field, Fidelity::Converted, note));
    }

    /// A message that Freshdesk does not take, by the part that stands for it; nothing for a part of the connector's own.
    fn refuse_message(&mut self, part: &str, why: &str) {
        let head = self.item.message_of(part);
        let refused = head.and_then(|head| self.item.refused(head, why));
        if refused.is_none() {
            let note = "a note of the connector's own was refused";
            self.losses.push(loss("conversation", Fidelity::Lost, note));
        }
        // A message stands in several parts, and is refused once.
        let new = |one: &RefusedEntry| self.refused.iter().all(|known| known.place != one.place);
        let refused: Vec<RefusedEntry> = refused.into_iter().filter(new).collect();
        self.refused.extend(refused);
    }

    fn refuse_file(&mut self, id: &str, why: String) {
        let head = Head::new(Kind::Attachment, id.to_owned());
        self.refused.extend(self.item.refused(&head, why));
    }

    fn unsettled(&mut self, what: &str) {
        self.stop = Some(Status::Unsettled(format!("{what} was not answered")));
    }
}

/// What is said in a ticket, as far as it is there.
#[derive(Default)]
struct Talk {
    ticket: u64,
    /// What was there and was not met yet.
    there: Vec<Conversation>,
    /// Ids of what is accounted for.
    met: BTreeSet<u64>,
    facets: Vec<String>,
}

impl Talk {
    fn meet(&mut self, note: &Conversation) {
        self.met.insert(note.id);
        self.facets.push(note_facet(note));
    }
}

struct Loader<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    words: Words,
    choices: BTreeMap<String, Vec<String>>,
}

impl Loader<'_> {
    fn map(&self, item: &Item, thread: &Thread) -> Result<Mapped, Error> {
        let texts = stored_texts(self.cx, thread)?;
        let around = Surroundings {
            state: self.state,
            config: self.config,
            unit: Unit::new(self.cx, &texts),
            words: &self.words,
            choices: &self.choices,
            notes: NOTES_PER_TICKET,
        };
        thread::map_thread(item, thread, &around)
    }

    // ---- what is there already

    async fn one<'i>(&self, item: &'i Item, thread: &Thread) -> Result<Option<Load<'i>>, Error> {
        let mapped = self.map(item, thread)?;
        let prior = prior(item, "main");
        let existing = item.certain().map(|found| found.target_id.as_str());
        let before = prior
            .map(|effect| effect.target_id.as_str())
            .or(existing)
            .and_then(|id| id.parse().ok());
        if let Some(id) = before
            && let Some((ticket, archived)) = ticket(self.cx, id).await?
        {
            let is_new = prior.is_some_and(|prior| prior.updated_at != Some(mapped.updated));
            if let Some(prior) = prior.filter(|_| is_new && !archived) {
                return self.update(item, mapped, prior, ticket).await.map(Some);
            }
            self.keep(item, mapped, &ticket, is_new || prior.is_none());
            return Ok(None);
        }
        self.load(item, mapped).await.map(Some)
    }

    /// A thread that is there and did not change stays as it is; so does one that is archived, and one that another project
    /// loaded.
    fn keep(&self, item: &Item, mapped: Mapped, ticket: &Ticket, differs: bool) {
        let mut losses = mapped.losses;
        if differs {
            let note = "there already, from an earlier load, and archived or another project's: left as it is";
            losses.push(loss("conversation", Fidelity::Lost, note));
        }
        let mut main = effect("main", TICKET, ticket.id.to_string(), Action::Matched);
        main.url = Some(url(ticket.id));
        main.updated_at = Some(mapped.updated);
        report(self.cx, item, Status::Matched, vec![main], losses);
    }

    /// The notes of a ticket, in order.
    async fn notes_of(&self, ticket: u64) -> Result<Vec<Conversation>, Error> {
        notes(self.cx, ticket, false).await
    }

    /// The ticket of a marker among those of a requester: the first one made. Lists show what is new at once, but only what was
    /// made within thirty days unless a time is said (Freshdesk facts §3, §12).
    async fn find(&self, draft: &Draft, since: i64) -> Result<Option<Ticket>, Error> {
        let Some(field) = self.state.field(Owner::Ticket, own_field::MARKER) else {
            return Err(Error::Bug(
                "tickets have no field for our marker".to_owned(),
            ));
        };
        let requester = draft.fields.get("requester_id").and_then(Value::as_u64);
        let mut since = since.min(self.cx.now()) - CLOCK_SKEW_MS;
        if self.state.channel {
            since = since.min(draft.updated - CLOCK_SKEW_MS);
        }
        let path = format!(
            "/api/v2/tickets?requester_id={}&updated_since={}&order_by=updated_at&order_type=asc",
            requester.unwrap_or_default(),
            http::segment(map::iso(since)),
        );
        let mut found: Vec<Ticket> = client::list(self.cx, &path).await?;
        found.retain(|ticket| {
            let marker = ticket.custom_fields.get(field).and_then(Value::as_str);
            marker == Some(draft.marker.as_str()) && !ticket.deleted
        });
        found.sort_by_key(|ticket| ticket.id);
        Ok(found.into_iter().next())
    }

    /// Whether a ticket carries this run.
    fn is_ours(&self, ticket: &Ticket) -> bool {
        let field = self.state.field(Owner::Ticket, own_field::RUN);
        let run = field.and_then(|field| ticket.custom_fields.get(field)?.as_str());
        run == Some(self.cx.run())
    }

    // ---- making

    async fn load<'i>(&self, item: &'i Item, mapped: Mapped) -> Result<Load<'i>, Error> {
        let mut load = Load::new(item, &mapped);
        let mut previous: Option<u64> = None;
        for (number, mut draft) in mapped.tickets.into_iter().enumerate() {
            if let Some(previous) = previous {
                draft.opening.facts = vec![format!("continues ticket #{previous}")];
            }
            previous = self.ticket(&mut load, number, draft).await?;
            if load.stop.is_some() || previous.is_none() {
                break;
            }
        }
        Ok(load)
    }

    /// One ticket with its notes; its number.
    async fn ticket(
        &self,
        load: &mut Load<'_>,
        number: usize,
        mut draft: Draft,
    ) -> Result<Option<u64>, Error> {
        let part = ticket_part(number);
        let mut left = Vec::new();
        let Some(made) = self.make(load, &part, &mut draft, &mut left).await? else {
            // What would have stood in it is not there.
            if number > 0 && load.stop.is_none() {
                for said in draft.notes.iter().filter(|said| said.is_message()) {
                    let why = "the ticket that continues the thread was refused";
                    load.refuse_message(&said.part, why);
                }
            }
            return Ok(None);
        };
        let (mut ticket, proof, key) = made;
        let mut talk = Talk {
            ticket: ticket.id,
            ..Talk::default()
        };
        if proof != Some(Proof::Fresh) {
            // It may have been made before, with some of its notes.
            talk.there = self.notes_of(ticket.id).await?;
            ticket = match self::ticket(self.cx, ticket.id).await? {
                Some((ticket, _)) => ticket,
                None => ticket,
            };
        }
        let opening = &draft.opening;
        let effects = load.effects.len();
        self.images(load, opening, &ticket.attachments, &OnWhat::Ticket(&ticket))
            .await?;
        let mut notes: VecDeque<Said> = left.iter().map(|file| file_note(opening, file)).collect();
        notes.extend(draft.notes.iter().cloned());
        self.say_all(load, &mut talk, notes).await?;
        let moved = load.effects.len() > effects;

        let finished = is_finished(draft.status) && progress(ticket.status) != 5;
        let status = finished.then_some(draft.status);
        // A later note moves the time that was given at birth (Freshdesk facts §12).
        let updated = self.acceptable(draft.updated);
        let updated = (self.state.channel && (finished || moved)).then_some(updated);
        let finish = Finish { status, updated };
        let mut written = facets_of(&draft.fields);
        written.extend(["status", "description", "notes"].map(str::to_owned));
        let id = ticket.id;
        load.tickets.push(There {
            part,
            ticket,
            action: if proof.is_some() {
                Action::Created
            } else {
                Action::Matched
            },
            proof,
            key: Some(key),
            notes: talk.facets,
            written,
            before: Map::new(),
            finish: (status.is_some() || updated.is_some()).then_some(finish),
        });
        Ok(Some(id))
    }

    /// Makes a ticket; where something of it is refused, without that. `left` are files that are to follow in notes.
    async fn make(
        &self,
        load: &mut Load<'_>,
        part: &str,
        draft: &mut Draft,
        left: &mut Vec<File>,
    ) -> Result<Option<(Ticket, Option<Proof>, OperationKey)>, Error> {
        let mut in_doubt_since = load.item.in_doubt_since;
        let since = in_doubt_since.unwrap_or_else(|| self.cx.now());
        for number in 1..=TRIES {
            let key = key(&load.item.key, part, step(number));
            let request = self.post("", key, self.body_of(draft), &draft.opening.files);
            let find = async || self.find(draft, since).await;
            let made = WRITES.make(in_doubt_since, request, find, |found| self.is_ours(found));
            match made.await? {
                Creation::There(ticket, proof, key) => return Ok(Some((ticket, proof, key))),
                Creation::Unsettled => {
                    load.unsettled("a ticket");
                    return Ok(None);
                }
                Creation::Refused(refusal) => {
                    if number == TRIES || !self.without(&refusal, load, draft, left) {
                        self.refused(&refusal, load, part);
                        return Ok(None);
                    }
                }
            }
            // Looked for once, and not there.
            in_doubt_since = None;
        }
        Ok(None)
    }

    fn refused(&self, refusal: &Refusal, load: &mut Load<'_>, part: &str) {
        if refusal.duplicate_of("import_id") {
            // It was made from this very record, and cannot be seen any more.
            load.unsettled("a ticket that is there and not to be found, whose creation");
        } else if part == "main" {
            load.stop = Some(Status::Rejected(refusal.rejection()));
        }
    }

    /// Takes out of a ticket what was refused; whether there was anything.
    fn without(
        &self,
        refusal: &Refusal,
        load: &mut Load<'_>,
        draft: &mut Draft,
        left: &mut Vec<File>,
    ) -> bool {
        if self.without_files(refusal, load, &mut draft.opening, left) {
            return true;
        }
        let about = |field: &str| refusal.errors.iter().any(|error| error.field == field);
        // An agent may have to be in the group (Freshdesk facts §12).
        if (about("group_id") || about("responder_id")) && draft.fields.remove("group_id").is_some()
        {
            let note = "refused together with its agent: the team is on the source card";
            load.converted("conversation.teams", note);
            return true;
        }
        if about("responder_id") && draft.fields.remove("responder_id").is_some() {
            let note = "refused by Freshdesk: named on the source card";
            load.converted("conversation.assignees", note);
            return true;
        }
        if about("product_id") && draft.fields.remove("product_id").is_some() {
            let note = "refused by Freshdesk: on the source card";
            load.converted("conversation.brand", note);
            return true;
        }
        false
    }

    /// Takes the files away where they were refused: a single one is named, several follow one by one.
    fn without_files(
        &self,
        refusal: &Refusal,
        load: &mut Load<'_>,
        said: &mut Said,
        left: &mut Vec<File>,
    ) -> bool {
        let about_files = refusal.status == 413
            || refusal
                .errors
                .iter()
                .any(|error| error.field.starts_with("attachment"));
        if !about_files || said.files.is_empty() {
            return false;
        }
        if said.files.len() > 1 {
            left.append(&mut said.files);
            return true;
        }
        for file in std::mem::take(&mut said.files) {
            let why = format!("Freshdesk refuses it: {}", refusal.words());
            said.also(format!("file {} is missing here: {why}", file.name));
            load.refuse_file(&file.id, why);
        }
        true
    }

    // ---- what is said in it

    async fn say_all(
        &self,
        load: &mut Load<'_>,
        talk: &mut Talk,
        mut notes: VecDeque<Said>,
    ) -> Result<(), Error> {
        while let Some(said) = notes.pop_front() {
            let left = self.say(load, talk, said).await?;
            for next in left.into_iter().rev() {
                notes.push_front(next);
            }
            if load.stop.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One note, unless it is there; what has to follow it.
    async fn say(
        &self,
        load: &mut Load<'_>,
        talk: &mut Talk,
        mut said: Said,
    ) -> Result<Vec<Said>, Error> {
        let channel = self.state.channel;
        let is_it = |note: &Conversation, said: &Said| {
            let at = note.created_at.as_deref().and_then(map::parse_iso);
            let at = channel.then(|| at.map(map::iso)).flatten();
            known_by(!note.private, at, &note.body) == said.known_by(channel)
        };
        if let Some(at) = talk.there.iter().position(|note| is_it(note, &said)) {
            let note = talk.there.remove(at);
            talk.meet(&note);
            return Ok(Vec::new());
        }
        let mut left = Vec::new();
        for number in 1..=TRIES {
            let key = key(&load.item.key, said.part.as_str(), step(number));
            let tail = format!("/{}/notes", talk.ticket);
            let request = self.post(&tail, key, self.note_body(load.item, &said), &said.files);
            let find = async || {
                let notes = self.notes_of(talk.ticket).await?;
                let new = |note: &Conversation| !talk.met.contains(&note.id) && is_it(note, &said);
                Ok(notes.into_iter().find(new))
            };
            match WRITES.make(None, request, find, |_| true).await? {
                Creation::There(note, proof, key) => {
                    // It was not among the ticket's notes before.
                    let proof = match proof {
                        Some(Proof::Fresh) => Proof::Fresh,
                        _ => Proof::AbsentBefore,
                    };
                    let id = format!("{}/{}", talk.ticket, note.id);
                    let mut effect = made(&said.part, NOTE, id, Some(proof), key);
                    effect.fingerprint = Some(print(&[("note".to_owned(), note_facet(&note))]));
                    load.effects.push(effect);
                    self.images(
                        load,
                        &said,
                        &note.attachments,
                        &OnWhat::Note(talk.ticket, &note),
                    )
                    .await?;
                    talk.meet(&note);
                    break;
                }
                Creation::Unsettled => {
                    load.unsettled("a note");
                    return Ok(Vec::new());
                }
                Creation::Refused(refusal) => {
                    let again = self.without_files(&refusal, load, &mut said, &mut left)
                        || self.without_author(&refusal, load, &mut said);
                    if number < TRIES && again {
                        continue;
                    }
                    load.refuse_message(&said.part, &refusal.words());
                    break;
                }
            }
        }
        Ok(left.iter().map(|file| file_note(&said, file)).collect())
    }

    /// Names the author where Freshdesk does not take him.
    fn without_author(&self, refusal: &Refusal, load: &mut Load<'_>, said: &mut Said) -> bool {
        let about = refusal
            .errors
            .iter()
            .any(|error| matches!(error.field.as_str(), "user_id" | "incoming"));
        if !about || said.author == self.state.me {
            return false;
        }
        said.author = self.state.me;
        said.incoming = false;
        if !said.who.is_empty() {
            said.also(format!("written by {}", said.who));
        }
        let note = "refused as the author by Freshdesk: named above the text";
        load.converted("message.author", note);
        true
    }

    /// Points inline images to where their files are now, which is known only when they are there. Addresses that answers give
    /// for files live for minutes; the page of a file for agents stays (Freshdesk facts §8).
    async fn images(
        &self,
        load: &mut Load<'_>,
        said: &Said,
        files: &[Attachment],
        on: &OnWhat<'_>,
    ) -> Result<(), Error> {
        let mut images = Vec::new();
        let in_order = files.len() == said.files.len();
        for (index, file) in said.files.iter().enumerate() {
            let by_name = || files.iter().find(|there| there.name == file.name);
            let there = files.get(index).filter(|_| in_order).or_else(by_name);
            if let Some(there) = there {
                let address = there.inline_url.clone().unwrap_or_else(|| {
                    let domain = &self.config.domain;
                    format!(
                        "https://{domain}.freshdesk.com/helpdesk/attachments/{}",
                        there.id
                    )
                });
                images.extend(
                    file.called
                        .iter()
                        .map(|name| (name.clone(), address.clone())),
                );
            }
        }
        let html = repoint(&said.html, &images);
        if html == said.html {
            return Ok(());
        }
        let body = text::wrapped(&said.facts, &html);
        let part = format!("images:{}", said.part);
        let (path, name, kind, id) = match on {
            OnWhat::Ticket(ticket) => (
                format!("/api/v2/tickets/{}", ticket.id),
                "description",
                TICKET_CHANGE,
                ticket.id.to_string(),
            ),
            OnWhat::Note(ticket, note) => (
                format!("/api/v2/conversations/{}", note.id),
                "body",
                NOTE_CHANGE,
                format!("{ticket}/{}", note.id),
            ),
        };
        let request = |step: &str| {
            let key = key(&load.item.key, part.as_str(), step);
            self.cx
                .http()
                .repeatable("PUT", path.as_str(), key)
                .json(&json!({ name: body }))
        };
        let find = async || self.html_of(on).await;
        let done = WRITES.change(self.cx, request, find, |now: &Value| {
            let html = now.get(name).and_then(Value::as_str).unwrap_or_default();
            images
                .iter()
                .any(|(_, address)| html.contains(address.as_str()))
        });
        match done.await? {
            Changed::Done(_, key) => {
                let mut change = effect(&part, kind, id, Action::Updated);
                change.key = Some(key);
                change.before = Some(json!({ name: said.body() }).to_string());
                load.effects.push(change);
            }
            Changed::Refused(_) | Changed::Unknown => {
                let note =
                    "inline images hang on the message: the text could not be pointed to them";
                load.converted("message.html", note);
            }
        }
        Ok(())
    }

    async fn html_of(&self, on: &OnWhat<'_>) -> Result<Option<Value>, Error> {
        Ok(match on {
            OnWhat::Ticket(there) => {
                let now = ticket(self.cx, there.id).await?;
                now.map(|(now, _)| json!({ "description": now.description }))
            }
            OnWhat::Note(ticket, note) => {
                let notes = self.notes_of(*ticket).await?;
                let now = notes.into_iter().find(|now| now.id == note.id);
                now.map(|now| json!({ "body": now.body }))
            }
        })
    }

    // ---- requests

    /// A creation at tickets, or at what follows them in the path; with files as a form (Freshdesk facts §8).
    fn post(
        &self,
        tail: &str,
        key: OperationKey,
        body: Map<String, Value>,
        files: &[File],
    ) -> RequestBuilder {
        let tickets = if self.state.channel {
            "/api/channel/v2/tickets"
        } else {
            "/api/v2/tickets"
        };
        let request = self
            .cx
            .http()
            .write("POST", format!("{tickets}{tail}"), key);
        if files.is_empty() {
            request.json(&Value::Object(body))
        } else {
            request.multipart(form(&body, files))
        }
    }

    fn body_of(&self, draft: &Draft) -> Map<String, Value> {
        let mut body = draft.fields.clone();
        // Left open until all of it is there, so that closing can be done without a mail, and what is half done be known.
        let born = if is_finished(draft.status) {
            2
        } else {
            draft.status
        };
        body.insert("status".to_owned(), json!(born));
        body.insert("description".to_owned(), json!(draft.opening.body()));
        if self.state.channel {
            let id = self.import_id(&draft.marker);
            body.insert("import_id".to_owned(), json!(id));
            let at = |ms| json!(map::iso(self.acceptable(ms)));
            body.insert("created_at".to_owned(), at(draft.created));
            body.insert("updated_at".to_owned(), at(draft.updated));
        }
        body
    }

    fn note_body(&self, item: &Item, said: &Said) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("body".to_owned(), json!(said.body()));
        body.insert("private".to_owned(), json!(!said.public));
        body.insert("incoming".to_owned(), json!(said.incoming));
        body.insert("user_id".to_owned(), json!(said.author));
        if self.state.channel {
            let id = self.import_id(&format!("{} {}", item.marker, said.part));
            body.insert("import_id".to_owned(), json!(id));
            body.insert("created_at".to_owned(), json!(map::iso(said.at)));
        }
        body
    }

    /// A number for something that is imported, the same whenever this run imports it, and another in another run: what was
    /// rolled back may still hold its number. As large as a number of JSON can surely be.
    fn import_id(&self, name: &str) -> u64 {
        let digest = sha256(format!("{} {name}", self.cx.run()).as_bytes());
        let digits = digest.get(..13).unwrap_or(&digest);
        u64::from_str_radix(digits, 16).unwrap_or_default()
    }

    fn acceptable(&self, ms: i64) -> i64 {
        ms.min(self.cx.now())
    }

    // ---- what changed since an earlier run

    /// A thread that an earlier run loaded and that changed since (rule M-9): attributes of its ticket are set anew, but for those
    /// that somebody changed here; what was said since is added. What is there stays as it is.
    async fn update<'i>(
        &self,
        item: &'i Item,
        mapped: Mapped,
        prior: &Effect,
        ticket: Ticket,
    ) -> Result<Load<'i>, Error> {
        let mut load = Load::new(item, &mapped);
        let Some(draft) = mapped.tickets.first() else {
            return Err(Error::Bug("a thread without a ticket".to_owned()));
        };
        let theirs = match &prior.fingerprint {
            Some(recorded) => changed(recorded, &facets(&ticket, None)),
            None => Vec::new(),
        };
        let mut wanted = self.wanted(draft, &ticket);
        let mut before = Map::new();
        keep_theirs(&mut wanted, &mut before, &ticket, &theirs)?;
        let mut there = There {
            part: "main".to_owned(),
            action: Action::Matched,
            proof: None,
            key: None,
            notes: Vec::new(),
            written: facets_of(&wanted),
            before,
            finish: None,
            ticket,
        };
        if !wanted.is_empty() {
            self.put(&mut load, &mut there, &wanted).await?;
        }

        // The last ticket of the thread takes what is new.
        let mut last = there.ticket.id;
        let mut met = Vec::new();
        for number in 0.. {
            let part = ticket_part(number);
            let Some(effect) = self::prior(item, &part) else {
                break;
            };
            last = effect.target_id.parse().unwrap_or(last);
            met.extend(self.notes_of(last).await?);
        }
        let notes: VecDeque<Said> = mapped
            .tickets
            .iter()
            .flat_map(|draft| draft.notes.iter().filter(|said| said.is_message()).cloned())
            .collect();
        let mut talk = Talk {
            ticket: last,
            met: met.iter().map(|note| note.id).collect(),
            there: met,
            ..Talk::default()
        };
        let effects = load.effects.len();
        self.say_all(&mut load, &mut talk, notes).await?;

        let added = load.effects.len() > effects;
        let finished = is_finished(draft.status)
            && progress(there.ticket.status) != 5
            && !theirs.iter().any(|name| name == "status");
        let touched = added || finished || there.action == Action::Updated;
        let finish = Finish {
            status: finished.then_some(draft.status),
            updated: (self.state.channel && touched).then(|| self.acceptable(draft.updated)),
        };
        there.finish = touched.then_some(finish).filter(|finish| {
            // In the public API nothing but the status is left to be done.
            finish.status.is_some() || finish.updated.is_some()
        });
        load.tickets.push(there);
        Ok(load)
    }

    /// What a ticket that is there shall become, but for its finish: what differs. It keeps the run that made it, and tags that
    /// others gave it.
    fn wanted(&self, draft: &Draft, ticket: &Ticket) -> Map<String, Value> {
        let mut wanted = draft.fields.clone();
        wanted.remove("requester_id");
        if !is_finished(draft.status) {
            wanted.insert("status".to_owned(), json!(draft.status));
        }
        if let Some(Value::Object(custom)) = wanted.get_mut("custom_fields")
            && let Some(run) = self.state.field(Owner::Ticket, own_field::RUN)
        {
            custom.remove(run);
        }
        if let Some(Value::Array(tags)) = wanted.get_mut("tags") {
            let known: Vec<&str> = tags.iter().filter_map(Value::as_str).collect();
            let more = ticket
                .tags
                .iter()
                .filter(|tag| !known.contains(&tag.as_str()));
            let more: Vec<Value> = more.map(|tag| json!(tag)).collect();
            tags.extend(more);
        }
        wanted
    }

    async fn put(
        &self,
        load: &mut Load<'_>,
        there: &mut There,
        wanted: &Map<String, Value>,
    ) -> Result<(), Error> {
        let id = there.ticket.id;
        let path = format!("/api/v2/tickets/{id}");
        let item = &load.item.key;
        let request = |step: &str| {
            let key = key(item, "main", step);
            self.cx
                .http()
                .repeatable("PUT", path.as_str(), key)
                .json(wanted)
        };
        let find = async || client::find::<Value>(self.cx, &path).await;
        let done = WRITES.change(self.cx, request, find, |now| super::holds(now, wanted));
        match done.await? {
            Changed::Done(now, key) => {
                there.ticket = serde_json::from_value(now)
                    .map_err(|_| Error::Bug("a ticket of another shape".to_owned()))?;
                there.action = Action::Updated;
                there.key = Some(key);
            }
            Changed::Refused(_) => {
                there.before = Map::new();
                let note = "the change of its ticket was refused: left as it is";
                load.losses.push(loss("conversation", Fidelity::Lost, note));
            }
            Changed::Unknown => load.unsettled("a change of its ticket"),
        }
        Ok(())
    }

    // ---- finishing

    /// Finishes what is there whole.
    async fn finish(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut open: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for load in loads.iter_mut().filter(|load| load.stop.is_none()) {
            let mut tickets = std::mem::take(&mut load.tickets);
            for there in &mut tickets {
                let Some(finish) = there.finish else { continue };
                if let Some(updated) = finish.updated
                    && self
                        .finish_timed(load, there, finish.status, updated)
                        .await?
                {
                    there.finish = None;
                    continue;
                }
                if let Some(status) = finish.status {
                    open.entry(status).or_default().push(there.ticket.id);
                }
            }
            load.tickets = tickets;
        }
        for (status, ids) in open {
            for ids in ids.chunks(JOB_TICKETS) {
                let key = close(self.cx, status, ids).await?;
                for load in loads.iter_mut() {
                    closed(load, status, ids, &key);
                }
            }
        }
        Ok(())
    }

    /// The last change of a ticket, with its original time; whether the account took it.
    async fn finish_timed(
        &self,
        load: &mut Load<'_>,
        there: &mut There,
        status: Option<u32>,
        updated: i64,
    ) -> Result<bool, Error> {
        let id = there.ticket.id;
        let mut body = Map::new();
        body.extend(status.map(|status| ("status".to_owned(), json!(status))));
        body.insert("updated_at".to_owned(), json!(map::iso(updated)));
        let part = match there.part.as_str() {
            "main" => "finish".to_owned(),
            part => format!("finish:{part}"),
        };
        let path = format!("/api/channel/v2/tickets/{id}");
        let item = &load.item.key;
        let request = |step: &str| {
            let key = key(item, part.as_str(), step);
            self.cx
                .http()
                .repeatable("PUT", path.as_str(), key)
                .json(&body)
        };
        let find = async || Ok(ticket(self.cx, id).await?.map(|(ticket, _)| ticket));
        let done = WRITES.change(self.cx, request, find, |now: &Ticket| {
            let at = now.updated_at.as_deref().and_then(map::parse_iso);
            at.map(map::iso) == Some(map::iso(updated))
                && status.is_none_or(|status| now.status == status)
        });
        Ok(match done.await? {
            Changed::Done(_, key) => {
                let mut change = effect(&part, TICKET_CHANGE, id.to_string(), Action::Updated);
                change.key = Some(key);
                let was = json!({ "status": there.ticket.status });
                change.before = status.map(|_| was.to_string());
                load.effects.push(change);
                if let Some(status) = status {
                    there.ticket.status = status;
                    there.written.insert("status".to_owned());
                }
                true
            }
            Changed::Refused(_) => {
                let note = "the account does not take the time of the last change";
                load.converted("conversation.updated-at", note);
                false
            }
            Changed::Unknown => {
                load.unsettled("the last change of a ticket");
                true
            }
        })
    }

    // ---- what became of it

    fn conclude(&self, load: Load<'_>) {
        let Load {
            item,
            updated,
            losses,
            refused,
            mut effects,
            mut tickets,
            stop,
        } = load;
        let added = effects.iter().any(|effect| effect.target_kind == NOTE);
        let action = tickets.first().map(|there| there.action);
        // The main one last: it is undone first, and takes everything else with it.
        tickets.reverse();
        for there in tickets {
            let id = there.ticket.id;
            let now = facets(&there.ticket, Some(&there.notes));
            let written: Vec<(String, String)> = now
                .into_iter()
                .filter(|(name, _)| there.written.contains(name))
                .collect();
            let mut main = effect(&there.part, TICKET, id.to_string(), there.action);
            main.proof = there.proof;
            main.key = there.key;
            main.updated_at = Some(updated);
            main.url = Some(url(id));
            if there.action != Action::Matched {
                main.fingerprint = Some(print(&written));
            }
            if there.action == Action::Updated {
                main.before = Some(Value::Object(there.before).to_string());
            }
            effects.push(main);
        }
        let status = match (stop, action) {
            (Some(stop), _) => stop,
            (None, Some(Action::Matched)) if added => Status::Updated,
            (None, action) => status_of(action.unwrap_or(Action::Matched)),
        };
        let arrived = matches!(status, Status::Created | Status::Updated | Status::Matched);
        self.cx.report(Outcome {
            item: item.key.clone(),
            status,
            effects,
            losses,
            refused: if arrived { refused } else { Vec::new() },
        });
    }
}

/// Finishes tickets by one job, which is told to mail nobody (Freshdesk facts §13). What it gives is the request that did it
/// and the tickets that it left, or nothing where it was refused.
///
/// # Errors
/// What ends a unit.
pub async fn close(
    cx: &Context,
    status: u32,
    ids: &[u64],
) -> Result<Option<(OperationKey, BTreeSet<u64>)>, Error> {
    let properties = json!({ "status": status, "skip_close_notification": true });
    let body = json!({ "bulk_action": { "ids": ids, "properties": properties } });
    let first = ids.first().copied().unwrap_or_default();
    let part = format!("finish:{status}:{first}");
    for step in ["update", "update-again"] {
        let key = key("*", part.as_str(), step);
        let write = cx
            .http()
            .repeatable("POST", "/api/v2/tickets/bulk_update", key.clone());
        match http::write(write.json(&body)).await? {
            Sent::Done(reply) => {
                let id: String = reply.member("job_id")?;
                job(cx, &id).await?;
                return Ok(Some((key, left_open(cx, status, ids).await?)));
            }
            Sent::Refused(_) => return Ok(None),
            Sent::Doubt(_) => {}
        }
    }
    Err(Error::Transient(
        "a job that finishes tickets was not answered".to_owned(),
    ))
}

/// Waits for a job.
async fn job(cx: &Context, id: &str) -> Result<(), Error> {
    let path = format!("/api/v2/jobs/{}", http::segment(id));
    let ended = ["completed", "COMPLETED", "failed", "FAILED"];
    let request = cx.http().get(path).header("accept", "application/json");
    let reply = request
        .poll(JOB_POLL_MS, JOB_PATIENCE_MS, "/status", &ended)
        .await?;
    http::found::<Refusal>(reply).map(|_| ())
}

/// The tickets that a job left as they were: a job does not say what became of its rows. What was just changed stands first
/// in the list of what was changed.
async fn left_open(cx: &Context, status: u32, ids: &[u64]) -> Result<BTreeSet<u64>, Error> {
    let since = http::segment(map::iso(cx.now() - CLOCK_SKEW_MS));
    let path = format!("/api/v2/tickets?updated_since={since}&order_by=updated_at&order_type=desc");
    let (newest, _) = client::list_at_most::<Ticket>(cx, &path, 1).await?;
    let mut left = BTreeSet::new();
    for id in ids {
        let listed = newest.iter().find(|ticket| ticket.id == *id);
        let now = match listed {
            Some(ticket) => ticket.status,
            None => ticket(cx, *id)
                .await?
                .map_or(status, |(ticket, _)| ticket.status),
        };
        if progress(now) != progress(status) {
            left.insert(*id);
        }
    }
    Ok(left)
}

/// What HTML with inline images stands on.
enum OnWhat<'a> {
    Ticket(&'a Ticket),
    /// With its ticket.
    Note(u64, &'a Conversation),
}

/// What a job did to the tickets of a thread.
fn closed(
    load: &mut Load<'_>,
    status: u32,
    ids: &[u64],
    done: &Option<(OperationKey, BTreeSet<u64>)>,
) {
    let mut left_open = false;
    for there in &mut load.tickets {
        let id = there.ticket.id;
        if there.finish.is_none() || !ids.contains(&id) {
            continue;
        }
        there.finish = None;
        match done {
            Some((key, left)) if !left.contains(&id) => {
                if there.action != Action::Created {
                    let was = json!(there.ticket.status);
                    there.before.entry("status").or_insert(was);
                    there.action = Action::Updated;
                    there.key.get_or_insert_with(|| key.clone());
                }
                there.ticket.status = status;
                there.written.insert("status".to_owned());
            }
            _ => left_open = true,
        }
    }
    if left_open {
        let note =
            "it could not be finished without a mail, or a field is required for that: left open";
        load.converted("conversation.status", note);
    }
}

/// Takes out of a change what is so already and what somebody changed here, and keeps what was there of the rest.
fn keep_theirs(
    wanted: &mut Map<String, Value>,
    before: &mut Map<String, Value>,
    ticket: &Ticket,
    theirs: &[String],
) -> Result<(), Error> {
    let now = serde_json::to_value(ticket)?;
    let custom = match wanted.remove("custom_fields") {
        Some(Value::Object(custom)) => custom,
        _ => Map::new(),
    };
    let mut fields = changes(MatchPolicy::SourceWins, wanted, &now);
    fields.wanted.retain(|name, value| {
        let facet = facets_of(&Map::from_iter([(name.clone(), value.clone())]));
        !facet.iter().any(|name| theirs.contains(name))
    });
    let there = now.get("custom_fields").cloned().unwrap_or_default();
    let mut own = changes(MatchPolicy::SourceWins, &custom, &there);
    own.wanted
        .retain(|name, _| !theirs.contains(&format!("field {name}")));
    let was = |change: &transload_sdk::policy::Change| -> Map<String, Value> {
        let kept = change.before.iter();
        kept.filter(|(name, _)| change.wanted.contains_key(*name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    *before = was(&fields);
    let was_own = was(&own);
    *wanted = fields.wanted;
    if !own.wanted.is_empty() {
        before.insert("custom_fields".to_owned(), Value::Object(was_own));
        wanted.insert("custom_fields".to_owned(), Value::Object(own.wanted));
    }
    Ok(())
}

/// A ticket, and whether it is archived; `None` where it is gone or in the trash. Archived ones have a place of their own
/// (Freshdesk facts §12).
///
/// # Errors
/// What ends a unit.
pub async fn ticket(cx: &Context, id: u64) -> Result<Option<(Ticket, bool)>, Error> {
    for (path, archived) in [
        (format!("/api/v2/tickets/{id}"), false),
        (format!("/api/v2/tickets/archived/{id}"), true),
    ] {
        if let Some(ticket) = client::find::<Ticket>(cx, &path).await? {
            return Ok(Some((ticket, archived)).filter(|(ticket, _)| !ticket.deleted));
        }
    }
    Ok(None)
}

/// The notes of a ticket, in the order in which they are shown.
///
/// # Errors
/// What ends a unit.
pub async fn notes(cx: &Context, ticket: u64, archived: bool) -> Result<Vec<Conversation>, Error> {
    let archived = if archived { "archived/" } else { "" };
    let path = format!("/api/v2/tickets/{archived}{ticket}/conversations");
    client::list(cx, &path).await
}

fn step(number: u32) -> String {
    match number {
        1 => "create".to_owned(),
        number => format!("create-with-less-{}", number - 1),
    }
}

fn url(id: u64) -> String {
    format!("/a/tickets/{id}")
}

/// A body as a form: arrays as `tags[]`, maps as `custom_fields[cf_x]` (Freshdesk facts §8).
fn form(body: &Map<String, Value>, files: &[File]) -> Vec<Part> {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let mut parts = Vec::new();
    for (name, value) in body {
        match value {
            Value::Null => {}
            Value::Array(list) => {
                let part = |value| part_text(format!("{name}[]"), plain(value));
                parts.extend(list.iter().map(part));
            }
            Value::Object(map) => {
                for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                    parts.push(part_text(format!("{name}[{key}]"), plain(value)));
                }
            }
            value => parts.push(part_text(name, plain(value))),
        }
    }
    let file = |file: &File| part_file("attachments[]", &file.name, file.content.clone());
    parts.extend(files.iter().map(file));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_has_brackets_for_lists_and_maps() {
        let body = json!({"subject": "a", "tags": ["x", "y"], "status": 2, "custom_fields": {"cf_n": 7, "cf_none": null}});
        let parts = form(body.as_object().unwrap(), &[]);
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "subject",
                "tags[]",
                "tags[]",
                "status",
                "custom_fields[cf_n]"
            ]
        );
    }

    #[test]
    fn what_somebody_changed_here_is_not_changed_again() {
        let ticket = Ticket {
            priority: 3,
            status: 2,
            custom_fields: Map::from_iter([
                ("cf_a".to_owned(), json!("theirs")),
                ("cf_b".to_owned(), json!("old")),
            ]),
            ..Ticket::default()
        };
        let mut wanted =
            json!({"priority": 1, "status": 3, "custom_fields": {"cf_a": "ours", "cf_b": "new"}})
                .as_object()
                .cloned()
                .unwrap();
        let mut before = Map::new();
        let theirs = ["priority".to_owned(), "field cf_a".to_owned()];
        keep_theirs(&mut wanted, &mut before, &ticket, &theirs).unwrap();
        assert_eq!(
            Value::Object(wanted),
            json!({"status": 3, "custom_fields": {"cf_b": "new"}})
        );
        assert_eq!(
            Value::Object(before),
            json!({"status": 2, "custom_fields": {"cf_b": "old"}})
        );
    }
}
