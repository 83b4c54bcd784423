//! Threads as tickets, with their files and activities.
//!
//! A unit's threads go level by level, each level in as few requests as there can be: all tickets, a hundred a request, with their
//! contacts; all files, one a request; all activities of a kind, a hundred a request, with their tickets and contacts. A
//! ticket is made in its last stage, since a later change would wake what reacts to closing. HubSpot may move a ticket when an
//! incoming e-mail is logged on it (HubSpot facts §23): some are looked at, and if one moved, all are put back.
//!
//! Tickets carry a unique marker, so their requests may be repeated. Activities are looked for under their ticket
//! ([`super::activities`]), files by their path ([`super::files`]).
//!
//! A thread that an earlier run loaded and that changed since is changed: properties of its ticket, and what was said since. A
//! note on a customer that belongs to no conversation hangs on the contact alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, Thread};
use transload_sdk::effects::{effect, made, reject};
use transload_sdk::http::Refusal as _;
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Proof};
use transload_sdk::loading::{self, expected, named, object_part, settled};
use transload_sdk::policy::Change;
use transload_sdk::thread::{File, Unit, files_of, stored_texts, updated_at};
use transload_sdk::types::{
    Attachment, Entity, Entry, Error, Fidelity, Kind, Message, Reference, Text,
};
use transload_sdk::words::Words;

use super::activities::{self, Fate, Want, Wanted};
use super::files;
use crate::api::{Fault, Record};
use crate::client::{self, ChangeRow, Changed, LinkTo, Marks, ROWS, Row, Saved};
use crate::map::Choices;
use crate::own;
use crate::state::{Config, State};
use crate::text::{self, BODY_CHARS};
use crate::thread::{
    self, ACTIVITIES_PER_TICKET, CONTACTS, Child, Mapped, Surroundings, TICKET_TO_CONTACT,
    TICKET_TO_TICKET, TICKETS, TicketDraft,
};

/// Characters that are left for the line above HTML and for longer addresses of its images.
const ABOVE_CHARS: usize = 4_000;
/// Properties that a ticket can do without: where HubSpot refuses the value of one, it is made without it.
const DISPENSABLE: [&str; 6] = [
    "hubspot_owner_id",
    "hs_ticket_priority",
    "source_type",
    "createdate",
    "closed_date",
    "content",
];

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let threads = threads(cx, items, config.spam)
        .map(|(item, thread)| Ok((item, with_long_html(cx, thread)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let choices = super::choices(cx, TICKETS, items).await?;
    let loader = Loader {
        cx,
        state: &state,
        config: &config,
        words: state.words(cx.time_zone()),
        choices,
    };
    let loaded = loader.loaded_before(&threads).await?;
    let (mut loads, mut changed, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (item, thread) in threads {
        let before = item.known().filter(|ticket| loaded.contains(*ticket));
        let load = loader.begin(item, thread)?;
        match (before, item.prior_main()) {
            (None, _) if hangs_on_contact(&load) => notes.push(load),
            (None, _) => loads.push(load),
            (Some(_), Some(main))
                if main.updated_at != updated_at(&load.thread) && main.target_kind == TICKETS =>
            {
                changed.push(load);
            }
            (Some(ticket), _) => loader.keep(&load, ticket),
        }
    }
    loader.lone_notes(notes).await?;
    loader.update(changed).await?;
    loader.load(loads).await
}

/// A thread in which HTML that is too long for an activity is a file of its message, too (HubSpot facts §8).
fn with_long_html(cx: &Context, mut thread: Thread) -> Result<Thread, Error> {
    for part in &mut thread.parts {
        let Entity::Message(Message {
            html: Some(html), ..
        }) = &part.message.data
        else {
            continue;
        };
        let whole = cx.blobs().read_text(html)?;
        if text::chars(&whole) + ABOVE_CHARS <= BODY_CHARS {
            continue;
        }
        let content = match html {
            Text::Stored(blob) => blob.clone(),
            Text::Inline(_) => cx.blobs().put("text/html; charset=utf-8", whole.as_bytes()),
        };
        let id = &part.message.head.id;
        let data = Attachment {
            media_type: Some("text/html".to_owned()),
            size: Some(content.size),
            content: Some(content),
            ..Attachment::of(Reference::new(Kind::Message, id.as_str()), "message.html")
        };
        let id = format!("{id}.html");
        part.attachments
            .push(Entry::new(Kind::Attachment, id, Entity::Attachment(data)));
    }
    Ok(thread)
}

/// A thread on its way.
type Load<'a> = loading::Load<'a, TicketDraft, Child>;

/// Whether it is a note on a customer who is a contact.
fn hangs_on_contact(load: &Load<'_>) -> bool {
    let is_note = load.item.entry().head.kind == Kind::Message;
    is_note && load.drafts.iter().any(|ticket| ticket.contact.is_some())
}

struct Loader<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    words: Words,
    choices: Choices,
}

impl Loader<'_> {
    /// Maps a thread, with its files as if they would all be taken.
    fn begin<'i>(&self, item: &'i Item, thread: Thread) -> Result<Load<'i>, Error> {
        let files = expected(&thread, |entry| files::not_sent(entry, self.config));
        let mapped = self.map(item, &thread, &files)?;
        let mut load = Load::new(item, thread, files, mapped.tickets);
        load.map(mapped.children, mapped.losses, mapped.refused);
        Ok(load)
    }

    fn map(
        &self,
        item: &Item,
        thread: &Thread,
        files: &BTreeMap<String, File>,
    ) -> Result<Mapped, Error> {
        let texts = stored_texts(self.cx, thread)?;
        let around = Surroundings {
            state: self.state,
            config: self.config,
            unit: Unit::new(self.cx, &texts),
            words: &self.words,
            choices: &self.choices,
            files,
            activities: ACTIVITIES_PER_TICKET,
        };
        thread::map_thread(item, thread, &around)
    }

    fn marks(&self) -> Result<Marks<'_>, Error> {
        let marks = self.state.marks(TICKETS);
        marks.ok_or_else(|| {
            Error::Unsupported("tickets have no unique property for their source id".to_owned())
        })
    }

    // ---- what is there already

    /// The objects that earlier runs made of these items, as far as they are there still.
    async fn loaded_before(&self, threads: &[(&Item, Thread)]) -> Result<BTreeSet<String>, Error> {
        let mut by_object: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (item, _) in threads {
            let object = object_of(item);
            if let Some(id) = item.known() {
                by_object.entry(object).or_default().insert(id.to_owned());
            }
        }
        let mut found = BTreeSet::new();
        for (object, ids) in by_object {
            found.extend(client::read(self.cx, object, &ids, &[]).await?.into_keys());
        }
        Ok(found)
    }

    /// A thread that is there and did not change stays as it is; so does one that another project loaded, and a lone note.
    fn keep(&self, load: &Load<'_>, id: &str) {
        let main = effect("main", object_of(load.item), id, Action::Matched);
        let url = self.url(id);
        load.keep(self.cx, Effect { url, ..main });
    }

    fn url(&self, ticket: &str) -> Option<String> {
        self.words
            .link(&Reference::new(Kind::Conversation, "").at(ticket))
    }

    // ---- level by level

    async fn load(&self, loads: Vec<Load<'_>>) -> Result<(), Error> {
        if loads.is_empty() {
            return Ok(());
        }
        let mut loads = self.first_tickets(loads).await?;
        self.further_tickets(&mut loads).await?;
        self.below(loads).await
    }

    /// What stands under the tickets.
    async fn below(&self, mut loads: Vec<Load<'_>>) -> Result<(), Error> {
        self.send_files(&mut loads).await?;
        for load in &mut loads {
            self.map_again(load)?;
            load.spread();
        }
        self.activities(&mut loads).await?;
        self.stages(&mut loads).await?;
        for load in loads {
            load.conclude(self.cx);
        }
        Ok(())
    }

    /// What became of the files is known now, and the thread says it.
    fn map_again(&self, load: &mut Load<'_>) -> Result<(), Error> {
        if load.files.is_empty() {
            return Ok(());
        }
        let mapped = self.map(load.item, &load.thread, &load.files)?;
        load.map(mapped.children, mapped.losses, mapped.refused);
        Ok(())
    }

    /// The first ticket of each thread. Gives the threads that go on; the others have their outcome.
    async fn first_tickets<'i>(&self, loads: Vec<Load<'i>>) -> Result<Vec<Load<'i>>, Error> {
        let marks = self.marks()?;
        let mut waiting = loads;
        let mut there = Vec::new();
        // A second time without the values that HubSpot does not take.
        for (batch, is_last) in [("tickets", false), ("tickets-bare", true)] {
            let rows: Vec<Row> = waiting.iter().map(|load| ticket_row(load, 0)).collect();
            let saved =
                client::create(self.cx, TICKETS, &named(batch, &waiting), marks, &rows).await?;
            let mut again = Vec::new();
            for (mut load, saved) in std::mem::take(&mut waiting).into_iter().zip(saved) {
                match saved {
                    Saved::Made { id, proof, key } => {
                        load.is_old |= proof != Proof::Fresh;
                        let main = made("main", TICKETS, id, Some(proof), key);
                        load.hold(self.described(&load, 0, main));
                        there.push(load);
                    }
                    Saved::There { id, .. } => self.keep(&load, &id),
                    Saved::Refused(fault) if !is_last && self.without(&mut load, &fault) => {
                        again.push(load)
                    }
                    Saved::Taken { fault, .. } | Saved::Refused(fault) => {
                        reject(self.cx, load.item, fault.rejection());
                    }
                    Saved::Unsettled => load.unsettled(self.cx, "a ticket was not answered"),
                }
            }
            if again.is_empty() {
                break;
            }
            waiting = again;
        }
        Ok(there)
    }

    /// Takes away what HubSpot refuses of a ticket, as far as it can do without; it stands on the card then. Whether there was any.
    fn without(&self, load: &mut Load<'_>, fault: &Fault) -> bool {
        let tags = self.state.name(TICKETS, own::TAGS);
        let is_own =
            |name: &str| self.state.own.values().any(|own| own == name) && Some(name) != tags;
        let custom: Vec<String> = load
            .thread
            .conversation
            .head
            .fields
            .iter()
            .filter_map(crate::map::FieldTarget::of)
            .map(|target| target.name)
            .collect();
        let refused: Vec<String> = fault
            .properties()
            .filter(|name| {
                let is_custom = custom.iter().any(|own| own == name);
                !is_own(name) && (DISPENSABLE.contains(name) || Some(*name) == tags || is_custom)
            })
            .map(str::to_owned)
            .collect();
        if refused.is_empty() {
            return false;
        }
        let note = "a value that HubSpot refuses: on the source card";
        load.losses
            .push(loss("conversation", Fidelity::Converted, note));
        let card = self.state.name(TICKETS, own::CARD);
        for ticket in &mut load.drafts {
            for name in &refused {
                let Some(value) = ticket.properties.shift_remove(name) else {
                    continue;
                };
                let Some(Value::String(text)) =
                    card.and_then(|card| ticket.properties.get_mut(card))
                else {
                    continue;
                };
                let line = format!("\nrefused {name}: {}", value.as_str().unwrap_or_default());
                if text::chars(text) + text::chars(&line) <= BODY_CHARS {
                    text.push_str(&line);
                }
            }
        }
        true
    }

    /// A ticket's effect with what is said of every one.
    fn described(&self, load: &Load<'_>, number: usize, effect: Effect) -> Effect {
        let draft = load.drafts.get(number);
        Effect {
            fingerprint: draft.map(|draft| super::sent_print(&draft.properties)),
            updated_at: updated_at(&load.thread),
            url: self.url(&effect.target_id),
            ..effect
        }
    }

    /// The tickets that continue others (rule M-16). What one would hold that is refused stands under the one before.
    async fn further_tickets(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut places = Vec::new();
        let mut rows = Vec::new();
        for (at, load) in loads.iter().enumerate() {
            for number in 1..load.drafts.len() {
                places.push((at, number));
                rows.push(ticket_row(load, number));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        let batch = named("further-tickets", loads);
        let saved = client::create(self.cx, TICKETS, &batch, self.marks()?, &rows).await?;
        for ((at, number), saved) in places.into_iter().zip(saved) {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            match saved {
                Saved::Made { id, proof, key } => {
                    let further = made(&object_part(number), TICKETS, id, Some(proof), key);
                    load.hold(self.described(load, number, further));
                }
                Saved::There { .. } | Saved::Taken { .. } | Saved::Refused(_) => {
                    let note =
                        "a ticket that continues it was refused: all stands under the one before";
                    load.losses
                        .push(loss("conversation.messages", Fidelity::Converted, note));
                    load.hold_in_last();
                }
                Saved::Unsettled => {
                    load.open = Some("a ticket that continues it");
                    load.hold_in_last();
                }
            }
        }
        Ok(())
    }

    async fn send_files(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        for load in loads.iter_mut() {
            let files: Vec<Entry> = files_of(&load.thread).cloned().collect();
            for entry in files {
                let id = &entry.head.id;
                if load.files.get(id) != Some(&File::Expected) {
                    continue;
                }
                // An activity could not get a file later: what is not known ends here, and is taken up again.
                let (item, since) = (&load.item.key, load.item.in_doubt_since);
                let sent = files::send(self.cx, self.config, item, since, &entry).await?;
                load.upload(id, sent);
            }
        }
        Ok(())
    }

    /// The activities of all threads. What HubSpot does not take as what it was becomes a note.
    async fn activities(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut wants = Vec::new();
        for (at, load) in settled(loads) {
            for (ticket, children) in load.ids.iter().zip(&load.children) {
                wants.extend(
                    children
                        .iter()
                        .map(|child| want(at, load, child.clone(), Some(ticket))),
                );
            }
        }
        let batch = named("activities", loads);
        let fates = activities::place(self.cx, self.state, &batch, wants).await?;
        let mut instead = Vec::new();
        for (at, fate) in fates {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            match fate {
                Fate::Refused(Wanted { child, .. }, fault) => {
                    match thread::as_note(&child, &fault.category) {
                        Some(note) => {
                            let why = "refused as what it was: a note";
                            load.losses.push(loss("message", Fidelity::Converted, why));
                            let ticket = ticket_of(load, &child).cloned();
                            instead.push(want(at, load, note, ticket.as_ref()));
                        }
                        None => refuse(load, &child.part, &fault),
                    }
                }
                fate => take(load, fate),
            }
        }
        if instead.is_empty() {
            return Ok(());
        }
        let batch = named("notes-instead", loads);
        for (at, fate) in activities::place(self.cx, self.state, &batch, instead).await? {
            if let Some(load) = loads.get_mut(at) {
                take(load, fate);
            }
        }
        Ok(())
    }

    /// Puts tickets back into their stages that incoming e-mails moved. Looks at one request's worth of them, and at all only if one
    /// of those moved.
    async fn stages(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut wanted: BTreeMap<String, (usize, Map<String, Value>)> = BTreeMap::new();
        let is_new = |load: &Load<'_>| {
            load.effects
                .first()
                .is_some_and(|main| main.action == Action::Created)
        };
        for (at, load) in loads.iter().enumerate().filter(|(_, load)| is_new(load)) {
            let both = load.ids.iter().zip(&load.children);
            for (ticket, _) in both.filter(|(_, children)| children.iter().any(is_incoming)) {
                let properties = load.drafts.first().map(|draft| &draft.properties);
                let stays = |name: &&str| properties.is_some_and(|draft| draft.contains_key(*name));
                let stage = ["hs_pipeline", "hs_pipeline_stage", "closed_date"];
                let stage = stage.iter().filter(|name| stays(name)).filter_map(|name| {
                    let value = properties?.get(*name)?;
                    Some(((*name).to_owned(), value.clone()))
                });
                wanted.insert(ticket.clone(), (at, stage.collect()));
            }
        }
        let ids: Vec<&String> = wanted.keys().collect();
        let mut moved = Vec::new();
        for (number, ids) in ids.chunks(ROWS).enumerate() {
            if number > 0 && moved.is_empty() {
                break;
            }
            let ids: BTreeSet<String> = ids.iter().map(|id| (*id).clone()).collect();
            let now = client::read(self.cx, TICKETS, &ids, &["hs_pipeline_stage"]).await?;
            for (id, record) in now {
                let Some((at, properties)) = wanted.get(&id) else {
                    continue;
                };
                let stage = properties.get("hs_pipeline_stage").and_then(Value::as_str);
                if stage.is_some_and(|stage| stage != record.text("hs_pipeline_stage")) {
                    let properties = properties.clone();
                    moved.push((*at, ChangeRow { id, properties }));
                }
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        let rows: Vec<ChangeRow> = moved.iter().map(|(_, row)| row.clone()).collect();
        let done = client::change(self.cx, TICKETS, &named("stages", loads), &rows).await?;
        for ((at, _), done) in moved.into_iter().zip(done) {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            match done {
                Changed::Done(_) => {}
                Changed::Refused(_) => {
                    let note = "moved by the account when an e-mail was logged, and not put back: original on the source card";
                    load.losses
                        .push(loss("conversation.status", Fidelity::Converted, note));
                }
                Changed::Unsettled => load.open = Some("its stage"),
            }
        }
        Ok(())
    }

    // ---- what changed since an earlier run

    /// Threads that an earlier run loaded and that changed since (rule M-9): the ticket's properties are set anew, but for those
    /// that somebody changed here; what was said since is added. Activities that are there stay as they are.
    async fn update(&self, mut loads: Vec<Load<'_>>) -> Result<(), Error> {
        if loads.is_empty() {
            return Ok(());
        }
        for load in &mut loads {
            load.resume(TICKETS);
            // Files of an earlier run are there with what they hang on.
            for effect in &load.item.prior {
                let id = effect
                    .part
                    .strip_prefix("file:")
                    .filter(|_| effect.target_kind == files::FILES);
                if let Some(id) = id {
                    let there = File::There {
                        id: effect.target_id.clone(),
                        url: String::new(),
                    };
                    load.files.insert(id.to_owned(), there);
                }
            }
        }
        self.change_tickets(&mut loads).await?;
        // The card is a property; what did not fit there was said once.
        for load in &mut loads {
            self.map_again(load)?;
            for children in &mut load.children {
                children.retain(|child| !child.part.starts_with("card:"));
            }
        }
        self.below(loads).await
    }

    async fn change_tickets(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let firsts = loads.iter().filter_map(|load| load.ids.first());
        let ids: BTreeSet<String> = firsts.cloned().collect();
        let drafts = loads.iter().filter_map(|load| load.drafts.first());
        let names: BTreeSet<String> = drafts
            .flat_map(|draft| draft.properties.keys().cloned())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let now = client::read(self.cx, TICKETS, &ids, &names).await?;
        let change = |load: &mut Load<'_>| {
            let change = now
                .get(load.ids.first()?)
                .map(|record| self.change_of(load, record));
            change.filter(|change| !change.wanted.is_empty())
        };
        let changes: Vec<Option<Change>> = loads.iter_mut().map(change).collect();
        let row = |(load, change): (&Load<'_>, &Option<Change>)| {
            Some(ChangeRow {
                id: load.ids.first()?.clone(),
                properties: change.as_ref()?.wanted.clone(),
            })
        };
        let rows: Vec<ChangeRow> = loads.iter().zip(&changes).filter_map(row).collect();
        let done =
            client::change(self.cx, TICKETS, &named("tickets-changed", loads), &rows).await?;
        let mut done = done.into_iter();
        for (load, change) in loads.iter_mut().zip(changes) {
            let id = load.ids.first().map(String::as_str).unwrap_or_default();
            let main = self.about(effect("main", TICKETS, id, Action::Matched), load);
            let sent = change.and_then(|change| {
                let print = super::sent_print(&change.wanted);
                Some((change, done.next()?, print))
            });
            let refused = "the change of its ticket was refused: left as it is";
            load.change(main, sent, refused, "a change of its ticket");
        }
        Ok(())
    }

    fn about(&self, main: Effect, load: &Load<'_>) -> Effect {
        Effect {
            updated_at: updated_at(&load.thread),
            url: self.url(&main.target_id),
            ..main
        }
    }

    /// What becomes of a ticket that is there: what differs, but for what somebody changed here since we wrote it (rule D-11).
    fn change_of(&self, load: &mut Load<'_>, record: &Record) -> Change {
        let draft = load.drafts.first();
        let mut wanted = draft
            .map(|draft| draft.properties.clone())
            .unwrap_or_default();
        wanted.retain(|name, _| !self.is_of_birth(name));
        let now = super::facets(&wanted, &record.properties);
        load.change_of(wanted, &record.properties, &now, super::facet)
    }

    /// What a ticket is given once, when it is made.
    fn is_of_birth(&self, name: &str) -> bool {
        let own = [own::SOURCE_ID, own::RUN].map(|key| self.state.name(TICKETS, key));
        matches!(name, "createdate" | "closed_date") || own.contains(&Some(name))
    }

    // ---- notes on customers

    /// Notes that belong to no conversation, on their contacts. The first activity of each is the item's own object.
    async fn lone_notes(&self, mut loads: Vec<Load<'_>>) -> Result<(), Error> {
        if loads.is_empty() {
            return Ok(());
        }
        self.send_files(&mut loads).await?;
        let mut wants = Vec::new();
        for (at, load) in loads.iter_mut().enumerate() {
            self.map_again(load)?;
            if load.open.is_some() {
                continue;
            }
            let of_note = |child: &&Child| child.part.starts_with("message:");
            let children = load.children.iter().flatten().filter(of_note);
            let mains = children.enumerate().map(|(n, child)| {
                let part = if n == 0 {
                    "main".to_owned()
                } else {
                    child.part.clone()
                };
                Child {
                    part,
                    ..child.clone()
                }
            });
            let mains: Vec<Child> = mains.collect();
            wants.extend(mains.into_iter().map(|child| want(at, load, child, None)));
        }
        let batch = named("lone-notes", &loads);
        let mut gone = BTreeSet::new();
        for (at, fate) in activities::place(self.cx, self.state, &batch, wants).await? {
            let Some(load) = loads.get_mut(at) else {
                continue;
            };
            match fate {
                Fate::Refused(wanted, fault) if wanted.child.part == "main" => {
                    gone.insert(at);
                    reject(self.cx, load.item, fault.rejection());
                }
                fate => take(load, fate),
            }
        }
        let rest = loads.into_iter().enumerate();
        for (_, mut load) in rest.filter(|(at, _)| !gone.contains(at)) {
            load.effects.sort_by_key(|effect| effect.part != "main");
            let at = updated_at(&load.thread);
            if let Some(main) = load.effects.iter_mut().find(|effect| effect.part == "main") {
                main.updated_at = at;
            }
            load.conclude(self.cx);
        }
        Ok(())
    }
}

/// Whether HubSpot may take an activity for an answer of the customer's.
fn is_incoming(child: &Child) -> bool {
    let direction = child.properties.get("hs_email_direction");
    direction.and_then(Value::as_str) == Some("INCOMING_EMAIL")
}

/// What an item is, or is to be.
fn object_of(item: &Item) -> &str {
    let prior = item.prior_main();
    prior.map_or(TICKETS, |effect| effect.target_kind.as_str())
}

/// An activity that is wanted under a ticket, or under the contact alone.
fn want(at: usize, load: &Load<'_>, child: Child, ticket: Option<&String>) -> Want {
    let contact = load.drafts.first().and_then(|draft| draft.contact.clone());
    let under = match (ticket, &contact) {
        (Some(ticket), _) => (TICKETS, ticket.clone()),
        (None, contact) => (CONTACTS, contact.clone().unwrap_or_default()),
    };
    let to_ticket = ticket.map(|ticket| LinkTo::hubspot(ticket.as_str(), child.kind.to_ticket()));
    let to_contact = contact.map(|contact| LinkTo::hubspot(contact, child.kind.to_contact()));
    let links = to_ticket.into_iter().chain(to_contact).collect();
    let wanted = Wanted::new(&load.item.key, child, under, links);
    Want::new(at, wanted, load.is_old.then_some(load.item.in_doubt_since))
}

/// The ticket that an activity was meant for.
fn ticket_of<'l>(load: &'l Load<'_>, child: &Child) -> Option<&'l String> {
    let mut lists = load.ids.iter().zip(&load.children);
    let holds = |children: &[Child]| children.iter().any(|one| one.part == child.part);
    lists
        .find(|(_, children)| holds(children))
        .map(|(ticket, _)| ticket)
}

/// Puts what became of an activity where it belongs.
fn take(load: &mut Load<'_>, fate: Fate) {
    match fate {
        Fate::There(wanted, effect) => {
            if wanted.renamed && !load.item.has_prior(&effect) {
                let note = "no owner any more: named above the text";
                load.losses
                    .push(loss("message.author", Fidelity::Converted, note));
            }
            load.add(*effect);
        }
        Fate::Refused(wanted, fault) => refuse(load, &wanted.child.part, &fault),
        Fate::Unsettled => load.open = Some("an activity"),
    }
}

/// Says that a message is not taken; the host exports it.
fn refuse(load: &mut Load<'_>, part: &str, fault: &Fault) {
    let note = "a note of ours was refused: a part of the source card, or a link, is missing";
    load.refuse(part, &fault.said(), note);
}

fn ticket_row(load: &Load<'_>, number: usize) -> Row {
    let draft = load.drafts.get(number);
    let mut links = Vec::new();
    if let Some(contact) = draft.and_then(|draft| draft.contact.as_deref()) {
        links.push(LinkTo::hubspot(contact, TICKET_TO_CONTACT));
    }
    let first = load
        .ids
        .first()
        .filter(|_| draft.is_some_and(|draft| draft.continues));
    links.extend(first.map(|first| LinkTo::hubspot(first.as_str(), TICKET_TO_TICKET)));
    let properties = draft
        .map(|draft| draft.properties.clone())
        .unwrap_or_default();
    Row {
        links,
        ..Row::new(&load.item.key, object_part(number), properties)
    }
}
