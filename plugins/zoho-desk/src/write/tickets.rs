//! Threads as tickets: by imports, many at once, with their times and authors; without that API by plain requests, one for each
//! ticket and each comment.
//!
//! A unit's threads go level by level: all tickets in as few imports as there can be; what an import has no place for (a team,
//! secondary contacts, long values, tags), a request for each ticket that has any; all files, one a request; then all threads and
//! comments together (Zoho Desk facts §10). Rows that an import does not make go again with less: a ticket with what it cannot do
//! without, the rest of it set afterwards, where the refusal says what is wrong; an e-mail as a comment; a comment as the
//! connector's own.
//!
//! By plain requests comments follow one another, each when the one before was answered, since they are shown in the order in which
//! they were made; a ticket whose answer was not seen is looked for among those of its contact, comments among those of their
//! ticket, files by name and size (Zoho Desk facts §12).
//!
//! A thread that an earlier run loaded and that changed since is changed: attributes of its ticket, and what was said since (rule
//! M-9). Its parts are known by their external ids in the scope of the run that made the ticket.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::{Item, MatchPolicy, Thread};
use transload_sdk::effects::{changed, effect, made, print, report, short_hash};
use transload_sdk::http::{self, OperationKey, Refusal as _, Reply, key, part_file};
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, RefusedEntry, Status};
use transload_sdk::policy::{changes, holds};
use transload_sdk::thread::{File, Unit, file_name, files_of, is_email, sendable, stored_texts};
use transload_sdk::types::{
    Author, BlobRef, Entity, Entry, Error, Fidelity, Head, Invalid, Kind, Loss, Visibility,
};
use transload_sdk::words::{Words, own_target};

use crate::api::{Contact, Refusal, words_of};
use crate::client::Desk;
use crate::imports::{self, Fate, Row};
use crate::map::{self, Owner};
use crate::own;
use crate::thread::{
    self, Form, Mapped, Said, Surroundings, TAGS_AT_ONCE, as_comment, facets, known_by, talk_facet,
    touched,
};
use crate::ticket::{self, Attachment, Comment, Ticket};
use crate::write::teams::departments_of;
use crate::write::{Creation, SETTLE_BY_KEY_MS, WRITES};

/// What a thread's effect says it is.
pub const TICKET: &str = "ticket";
/// An e-mail in it; the id is `<ticket>/<thread>`.
pub const THREAD: &str = "thread";
/// A comment in it; `<ticket>/<comment>`.
pub const COMMENT: &str = "comment";
/// A file of it; `<ticket>/<attachment>`.
pub const ATTACHMENT: &str = "attachment";
/// A change to a ticket that the same item made.
pub const TICKET_CHANGE: &str = "ticket_change";
/// Tags that were hung on it.
pub const TICKET_TAGS: &str = "ticket_tags";
/// How often a request is tried with less of what was refused.
const TRIES: usize = 5;
/// Contacts of one question (Zoho Desk facts §4).
const CONTACTS_AT_ONCE: usize = 50;
/// Pages of a contact's tickets that are looked through for one whose answer was lost, newest first.
const PAGES_LOOKED: usize = 10;
/// What our clock and Zoho Desk's may differ by, ms.
const CLOCK_SKEW_MS: i64 = 3_600_000;
/// What a ticket must have (Zoho Desk facts §6); what else is refused is left out.
const NEEDED: [&str; 4] = ["subject", "contactId", "departmentId", "status"];
/// What a row of an import has no place for (Zoho Desk facts §10).
const APART: [&str; 2] = ["teamId", "secondaryContacts"];

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let threads: Vec<(&Item, Thread)> = threads(cx, items, desk.config.spam).collect();
    let loader = Loader {
        desk,
        words: desk.config.words(cx.time_zone()),
        addresses: addresses(desk, &threads).await?,
        teams: teams(desk, &threads).await?,
        scope: imports::own_scope(desk),
        prefix: cx.marker_prefix(),
    };
    let mut fresh = Vec::new();
    for (item, thread) in threads {
        let prior = item.prior_part(TICKET, "main");
        let existing = item.certain().map(|found| found.target_id.as_str());
        let before = prior.map(|effect| effect.target_id.as_str()).or(existing);
        let there = match before {
            Some(id) => ticket::ticket(desk, id).await?,
            None => None,
        };
        let Some(there) = there else {
            fresh.push(loader.begin(item, thread, desk.state.imports)?);
            continue;
        };
        match prior {
            Some(prior) if prior.updated_at != touched(&thread) && !there.is_archived() => {
                loader.update(item, thread, prior, there).await?;
            }
            _ => loader.keep(item, thread, prior, &there)?,
        }
    }
    if desk.state.imports {
        loader.import(fresh).await
    } else {
        for load in fresh {
            loader.by_requests(load).await?;
        }
        Ok(())
    }
}

/// Addresses of the customers who wrote e-mails in these threads, where these become threads: one is by whose address it comes from.
async fn addresses(
    desk: &Desk,
    threads: &[(&Item, Thread)],
) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let mut ids: BTreeSet<&str> = BTreeSet::new();
    let parts = threads.iter().flat_map(|(_, thread)| &thread.parts);
    for part in parts.filter(|_| desk.state.imports) {
        if let Entity::Message(message) = &part.message.data
            && is_email(message)
            && let Author::Person(person) = &message.author
            && person.kind == Kind::Customer
        {
            ids.extend(own_target(person));
        }
    }
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut all = BTreeMap::new();
    for ids in ids.chunks(CONTACTS_AT_ONCE) {
        let list = http::segment(ids.join(","));
        let path = format!("/contacts/contactsByIds?ids={list}");
        let contacts: Vec<Contact> = desk.whole(&path).await?;
        for contact in contacts {
            let known = [contact.email, contact.secondary_email];
            let known = known.into_iter().flatten().map(|text| text.to_lowercase());
            all.insert(contact.id, known.collect());
        }
    }
    Ok(all)
}

/// The departments of all teams, where these threads name any.
async fn teams(
    desk: &Desk,
    threads: &[(&Item, Thread)],
) -> Result<BTreeMap<String, String>, Error> {
    let has_team = |(_, thread): &(&Item, Thread)| match &thread.conversation.data {
        Entity::Conversation(conversation) => {
            let mut teams = conversation.teams.iter().take(1);
            teams.any(|team| team.target.is_some())
        }
        _ => false,
    };
    if !threads.iter().any(has_team) {
        return Ok(BTreeMap::new());
    }
    departments_of(desk).await
}

// ---- on the way

/// A thread on its way.
struct Load<'a> {
    item: &'a Item,
    thread: Thread,
    mapped: Mapped,
    files: BTreeMap<String, File>,
    /// The ticket, once it is there.
    ticket: String,
    main: Option<Effect>,
    /// Attributes that are set when the ticket is there.
    apart: Map<String, Value>,
    /// Attributes of the ticket that show what was written.
    written: Map<String, Value>,
    effects: Vec<Effect>,
    losses: Vec<Loss>,
    refused: Vec<RefusedEntry>,
    /// Ids of its threads and comments, these with what they say.
    threads: Vec<String>,
    comments: Vec<(String, bool, String)>,
    attached: Vec<String>,
    /// Something of it may be there already: an earlier attempt made its ticket, or may have.
    is_old: bool,
    /// Why it goes no further.
    stop: Option<Status>,
}

impl Load<'_> {
    fn converted(&mut self, field: &str, note: &'static str) {
        self.losses.push(loss(field, Fidelity::Converted, note));
    }

    /// What did not arrive with the import, and is set afterwards. One that no import sets may be one that the layout does not
    /// show: the change says so.
    fn again(&mut self, lost: Map<String, Value>) {
        for (name, value) in lost {
            match value {
                Value::Object(fields) if name == "cf" => {
                    if let Some(Value::Object(written)) = self.written.get_mut("cf") {
                        written.retain(|name, _| !fields.contains_key(name));
                    }
                    if !fields.is_empty() {
                        let fields = Map::from_iter([(name, Value::Object(fields))]);
                        merge(&mut self.apart, fields);
                    }
                }
                value => {
                    self.written.shift_remove(&name);
                    merge(&mut self.apart, Map::from_iter([(name, value)]));
                }
            }
        }
    }

    fn unsettled(&mut self, what: &str) {
        self.stop = Some(Status::Unsettled(format!("{what} was not answered")));
    }

    /// Something said that Zoho Desk does not take.
    fn refuse(&mut self, part: &str, why: &str) {
        if !self.item.refuse_message(part, why, &mut self.refused) {
            let note = "a comment of the connector's own was refused";
            self.losses.push(loss("conversation", Fidelity::Lost, note));
        }
    }

    /// Something said that is there.
    fn took(&mut self, said: &Said, id: &str) {
        match said.form {
            Form::Thread(_) => self.threads.push(id.to_owned()),
            Form::Comment { public, .. } => {
                self.comments.push((id.to_owned(), public, said.body()));
            }
        }
    }
}

/// The effect's word for what something is said as.
fn effect_kind(said: &Said) -> &'static str {
    match said.form {
        Form::Thread(_) => THREAD,
        Form::Comment { .. } => COMMENT,
    }
}

/// An effect that the import of a row had.
fn of_row(
    part: &str,
    kind: &str,
    id: String,
    proof: Proof,
    request: Option<OperationKey>,
) -> Effect {
    Effect {
        proof: Some(proof),
        key: request,
        ..effect(part, kind, id, Action::Created)
    }
}

struct Loader<'a> {
    desk: &'a Desk,
    words: Words,
    /// Of contacts, by id.
    addresses: BTreeMap<String, BTreeSet<String>>,
    teams: BTreeMap<String, String>,
    /// Of this run's external ids.
    scope: String,
    prefix: String,
}

impl Loader<'_> {
    fn cx(&self) -> &Context {
        &self.desk.cx
    }

    /// Maps a thread, with its files as if they would all be taken.
    fn begin<'i>(&self, item: &'i Item, thread: Thread, imports: bool) -> Result<Load<'i>, Error> {
        let most = self.desk.config.max_attachment_bytes;
        let files: BTreeMap<String, File> = files_of(&thread)
            .map(|entry| (entry.head.id.clone(), expected(entry, most)))
            .collect();
        let mapped = self.map(item, &thread, &files, imports)?;
        Ok(Load {
            item,
            thread,
            mapped,
            files,
            ticket: String::new(),
            main: None,
            apart: Map::new(),
            written: Map::new(),
            effects: Vec::new(),
            losses: Vec::new(),
            refused: Vec::new(),
            threads: Vec::new(),
            comments: Vec::new(),
            attached: Vec::new(),
            is_old: item.in_doubt_since.is_some(),
            stop: None,
        })
    }

    fn map(
        &self,
        item: &Item,
        thread: &Thread,
        files: &BTreeMap<String, File>,
        imports: bool,
    ) -> Result<Mapped, Error> {
        let texts = stored_texts(self.cx(), thread)?;
        let around = Surroundings {
            state: &self.desk.state,
            config: &self.desk.config,
            unit: Unit::new(self.cx(), &texts),
            addresses: &self.addresses,
            teams: &self.teams,
            words: &self.words,
            files,
            imports,
        };
        thread::map_thread(item, thread, &around)
    }

    /// What became of the files is known now, and the thread says it.
    fn map_again(&self, load: &mut Load<'_>, imports: bool) -> Result<(), Error> {
        if load.files.is_empty() {
            return Ok(());
        }
        load.mapped = self.map(load.item, &load.thread, &load.files, imports)?;
        Ok(())
    }

    /// A thread that is there and did not change stays as it is; so does one that is archived, and one that another project
    /// loaded.
    fn keep(
        &self,
        item: &Item,
        thread: Thread,
        prior: Option<&Effect>,
        there: &Ticket,
    ) -> Result<(), Error> {
        let load = self.begin(item, thread, self.desk.state.imports)?;
        let mut losses = load.mapped.losses;
        if prior.is_none_or(|prior| prior.updated_at != touched(&load.thread)) {
            let note = "there already, from an earlier load, and archived or another project's: left as it is";
            losses.push(loss("conversation", Fidelity::Lost, note));
        }
        let mut main = effect("main", TICKET, there.id(), Action::Matched);
        main.url = there.url();
        main.updated_at = touched(&load.thread);
        report(self.cx(), item, Status::Matched, vec![main], losses);
        Ok(())
    }

    // ---- by imports

    async fn import(&self, mut loads: Vec<Load<'_>>) -> Result<(), Error> {
        if loads.is_empty() {
            return Ok(());
        }
        self.import_tickets(&mut loads).await?;
        self.see_fields(&mut loads).await?;
        for load in loads.iter_mut().filter(|load| load.stop.is_none()) {
            self.set_apart(load).await?;
            self.hang_tags(load).await?;
        }
        self.below(&mut loads).await?;
        loads.into_iter().for_each(|load| self.conclude(load));
        Ok(())
    }

    /// Files, and what is said.
    async fn below(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        for load in loads.iter_mut().filter(|load| load.stop.is_none()) {
            self.send_files(load).await?;
            self.map_again(load, true)?;
        }
        let said: Vec<(usize, Said)> = loads
            .iter()
            .enumerate()
            .filter(|(_, load)| load.stop.is_none())
            .flat_map(|(at, load)| load.mapped.said.iter().map(move |said| (at, said.clone())))
            .collect();
        self.import_said(loads, "said", &self.scope, said).await
    }

    /// The tickets of all threads.
    async fn import_tickets(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        for (batch, bare) in [("tickets", false), ("tickets-bare", true)] {
            let open = |load: &&mut Load<'_>| load.ticket.is_empty() && load.stop.is_none();
            let mut waiting: Vec<&mut Load<'_>> = loads.iter_mut().filter(open).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            let rows: Vec<Row> = waiting
                .iter_mut()
                .map(|load| self.ticket_row(load, bare))
                .collect();
            let since = waiting.iter().filter_map(|load| load.item.in_doubt_since);
            let since = since.min().filter(|_| !bare);
            let fates = imports::import(self.desk, &self.scope, batch, &rows, since).await?;
            for (load, fate) in waiting.into_iter().zip(fates) {
                match fate {
                    Fate::Made { id, proof, key } => {
                        load.is_old |= key.is_none();
                        load.main = Some(of_row("main", TICKET, id.clone(), proof, key));
                        load.ticket = id;
                    }
                    // In the scope of this run nobody else makes anything.
                    Fate::There { id } => {
                        load.is_old = true;
                        let proof = Proof::Marker(self.cx().run().to_owned());
                        load.main = Some(of_row("main", TICKET, id.clone(), proof, None));
                        load.ticket = id;
                    }
                    Fate::Refused(_) if !bare => {}
                    Fate::Refused(why) => {
                        let error = Error::Invalid(Invalid {
                            field: None,
                            reason: format!("no ticket was made of it: {why}"),
                        });
                        load.stop = Some(Status::Rejected(error));
                    }
                    Fate::Unsettled => load.unsettled("an import of tickets"),
                }
            }
        }
        Ok(())
    }

    /// Looks at tickets that were made: what of them did not stick is set apart (Zoho Desk facts §8, §10). A custom field sticks
    /// in a department or it does not, so that for each one ticket is looked at; of what it shows to be missing every ticket of
    /// that department that has a value gets it anew. A ticket that an earlier attempt made stands for itself alone, for that one
    /// may have made it with less.
    async fn see_fields(&self, loads: &mut [Load<'_>]) -> Result<(), Error> {
        let mut stuck: BTreeMap<(String, String), bool> = BTreeMap::new();
        let mut order: Vec<&mut Load<'_>> = loads
            .iter_mut()
            .filter(|load| !load.ticket.is_empty() && load.stop.is_none())
            .collect();
        // Those that show most come first, so that few are looked at.
        order.sort_by_key(|load| std::cmp::Reverse(custom_of(&load.written).len()));
        for load in &mut order {
            let department = load.written.get("departmentId").map(words_of);
            let department = department.unwrap_or_default();
            let fields = custom_of(&load.written);
            let place = |name: &String| (department.clone(), name.clone());
            if load.is_old {
                if let Some(now) = ticket::ticket(self.desk, &load.ticket).await? {
                    load.again(lacking(&load.written, &now));
                }
            } else if fields.keys().any(|name| !stuck.contains_key(&place(name)))
                && let Some(now) = ticket::ticket(self.desk, &load.ticket).await?
            {
                for name in fields.keys() {
                    stuck.insert(place(name), now.custom(name).is_some());
                }
            }
        }
        for load in order.into_iter().filter(|load| !load.is_old) {
            let department = load.written.get("departmentId").map(words_of);
            let department = department.unwrap_or_default();
            let mut fields = custom_of(&load.written);
            fields.retain(|name, _| stuck.get(&(department.clone(), name.clone())) == Some(&false));
            load.again(Map::from_iter([("cf".to_owned(), Value::Object(fields))]));
        }
        Ok(())
    }

    /// A ticket as a row; what has no place in it is set apart. `bare` is with what it cannot do without.
    fn ticket_row(&self, load: &mut Load<'_>, bare: bool) -> Row {
        let state = &self.desk.state;
        let mapped = &load.mapped;
        let mut values = mapped.fields.clone();
        let mut apart = Map::new();
        let mut away = |values: &mut Map<String, Value>, name: &str| {
            if let Some(value) = values.shift_remove(name) {
                apart.insert(name.to_owned(), value);
            }
        };
        for name in APART {
            away(&mut values, name);
        }
        let mut later = Map::new();
        if let Some(Value::Object(custom)) = values.get_mut("cf") {
            let long = imports::left_over(self.desk, custom);
            let is_own = |name: &str| {
                let own = [own::MARKER, own::RUN];
                own.iter()
                    .any(|key| state.own(Owner::Ticket, key) == Some(name))
            };
            for (name, value) in custom.clone() {
                if long.contains_key(&name) || (bare && !is_own(&name)) {
                    later.insert(name.clone(), value);
                    custom.shift_remove(&name);
                }
            }
        }
        if bare {
            let names: Vec<String> = values.keys().cloned().collect();
            for name in names {
                if !NEEDED.contains(&name.as_str()) && name != "cf" {
                    away(&mut values, &name);
                }
            }
            let usual = match mapped.closed {
                Some(_) => "Closed",
                None => "Open",
            };
            if values.get("status").and_then(Value::as_str) != Some(usual) {
                away(&mut values, "status");
                values.insert("status".to_owned(), json!(usual));
            }
        }
        if !later.is_empty() {
            apart.insert("cf".to_owned(), Value::Object(later));
        }
        load.written = values.clone();
        load.apart = apart;
        values.insert("createdTime".to_owned(), json!(map::iso(mapped.created)));
        values.insert("modifiedTime".to_owned(), json!(map::iso(mapped.updated)));
        values.insert("closedTime".to_owned(), json!(mapped.closed.map(map::iso)));
        Row {
            item: load.item.key.clone(),
            module: "tickets",
            ext_id: imports::ext_id(&load.item.marker),
            values,
        }
    }

    /// Threads and comments, by the place of the load that they belong to; what is refused goes once more in another form.
    async fn import_said(
        &self,
        loads: &mut [Load<'_>],
        batch: &str,
        scope: &str,
        said: Vec<(usize, Said)>,
    ) -> Result<(), Error> {
        let mut waiting = said;
        for round in 0..2 {
            if waiting.is_empty() {
                break;
            }
            let rows: Vec<Row> = waiting
                .iter()
                .filter_map(|(at, said)| Some(self.said_row(loads.get(*at)?, said)))
                .collect();
            let of = waiting.iter().filter_map(|(at, _)| loads.get(*at));
            let since = of.filter_map(|load| load.item.in_doubt_since).min();
            let (batch, since) = match round {
                0 => (batch.to_owned(), since),
                _ => (format!("{batch}-instead"), None),
            };
            let fates = imports::import(self.desk, scope, &batch, &rows, since).await?;
            let mut again = Vec::new();
            for ((at, said), fate) in std::mem::take(&mut waiting).into_iter().zip(fates) {
                let Some(load) = loads.get_mut(at) else {
                    continue;
                };
                match fate {
                    Fate::Made { id, proof, key } => {
                        load.took(&said, &id);
                        let target = format!("{}/{id}", load.ticket);
                        let kind = effect_kind(&said);
                        let effect = of_row(&said.part, kind, target, proof, key);
                        load.effects.push(fingerprinted(effect, &said));
                    }
                    Fate::There { id } => load.took(&said, &id),
                    Fate::Unsettled => load.unsettled("an import of what was said"),
                    Fate::Refused(why) => match self.otherwise(&said).filter(|_| round == 0) {
                        Some(other) => {
                            let note = "refused as it was: a comment of the connector's own";
                            load.converted("message", note);
                            again.push((at, other));
                        }
                        None => load.refuse(&said.part, &why),
                    },
                }
            }
            waiting = again;
        }
        Ok(())
    }

    fn said_row(&self, load: &Load<'_>, said: &Said) -> Row {
        let mut values = said.row();
        let ticket = imports::ext_id(&load.item.marker);
        values.insert("ticketExtId".to_owned(), json!(ticket));
        Row {
            item: load.item.key.clone(),
            module: said.module(),
            ext_id: imports::ext_id(&said.named(&self.prefix, &load.item.marker)),
            values,
        }
    }

    /// Another form of something said that was refused.
    fn otherwise(&self, said: &Said) -> Option<Said> {
        let me = &self.desk.state.me;
        match &said.form {
            Form::Thread(_) => as_comment(said, me),
            Form::Comment { public, commenter } if commenter != me => {
                let mut other = said.clone();
                other.also(format!("written by {}", said.who));
                other.form = Form::Comment {
                    public: *public,
                    commenter: me.clone(),
                };
                Some(other)
            }
            Form::Comment { .. } => None,
        }
    }

    // ---- what is set when the ticket is there

    /// Sets attributes of a ticket; what of them is refused is left out.
    async fn set_apart(&self, load: &mut Load<'_>) -> Result<(), Error> {
        if load.apart.is_empty() {
            return Ok(());
        }
        let mut wanted = std::mem::take(&mut load.apart);
        let item = load.item.key.clone();
        for number in 0..TRIES {
            let part = match number {
                0 => "apart".to_owned(),
                number => format!("apart:{number}"),
            };
            match self.patch(&item, &part, &load.ticket, &wanted).await? {
                http::Changed::Done(now, request) => {
                    let mut change = effect(&part, TICKET_CHANGE, &load.ticket, Action::Updated);
                    change.key = Some(request);
                    change.before = Some("{}".to_owned());
                    load.effects.push(change);
                    if let Some(main) = &mut load.main {
                        main.url = now.url();
                    }
                    if let Some(Value::Object(custom)) = wanted.get_mut("cf") {
                        let count = custom.len();
                        custom.retain(|name, _| now.custom(name).is_some());
                        if custom.len() < count {
                            let note = "a field that the ticket's layout does not have";
                            load.losses
                                .push(loss("conversation.fields", Fidelity::Lost, note));
                        }
                    }
                    merge(&mut load.written, wanted);
                    let note = "moved by what had to be set afterwards; the original is in a field";
                    load.converted("conversation.updated-at", note);
                    return Ok(());
                }
                http::Changed::Unknown => {
                    load.unsettled("a change of its ticket");
                    return Ok(());
                }
                http::Changed::Refused(refusal) => {
                    if !without(&mut wanted, &refusal, load) {
                        break;
                    }
                }
            }
            if wanted.is_empty() {
                return Ok(());
            }
        }
        let note = "values that Zoho Desk refuses: originals on the source card";
        load.converted("conversation", note);
        Ok(())
    }

    async fn patch(
        &self,
        item: &str,
        part: &str,
        id: &str,
        wanted: &Map<String, Value>,
    ) -> Result<http::Changed<Ticket, Refusal>, Error> {
        let path = format!("/tickets/{id}");
        let request = |step: &str| {
            let key = key(item, part, step);
            self.desk
                .idempotent("PATCH", path.as_str(), key)
                .json(wanted)
        };
        let find = async || self.desk.find::<Ticket>(&path).await;
        let mut seen = wanted.clone();
        // They may be shown as texts or as objects (Zoho Desk facts §7.5).
        let others = seen.shift_remove("secondaryContacts");
        let is_done = |now: &Ticket| {
            let shown = now.values.get("secondaryContacts");
            let shown = shown.map(Value::to_string).unwrap_or_default();
            let others = others.iter().filter_map(Value::as_array).flatten();
            let mut others = others.filter_map(Value::as_str);
            others.all(|id| shown.contains(id)) && holds(&Value::Object(now.values.clone()), &seen)
        };
        WRITES.change(self.cx(), request, find, is_done).await
    }

    /// Hangs tags on a ticket.
    async fn hang_tags(&self, load: &mut Load<'_>) -> Result<(), Error> {
        let mut tags = load.mapped.tags.clone();
        if load.is_old {
            let had = ticket::tags(self.desk, &load.ticket).await?;
            tags.retain(|tag| !had.contains(tag));
        }
        let tags: Vec<String> = tags.into_iter().collect();
        let mut lists: Vec<Vec<String>> = tags.chunks(TAGS_AT_ONCE).map(<[_]>::to_vec).collect();
        lists.reverse();
        while let Some(list) = lists.pop() {
            let first = list.first().cloned().unwrap_or_default();
            let part = format!("tags:{first}:{}", list.len());
            let path = format!("/tickets/{}/associateTag", load.ticket);
            let item = load.item.key.clone();
            let request = |step: &str| {
                let key = key(item.as_str(), part.as_str(), step);
                let request = self.desk.idempotent("POST", path.as_str(), key);
                request.json(&json!({ "tags": list }))
            };
            let id = load.ticket.clone();
            let find = async || Ok(Some(ticket::tags(self.desk, &id).await?));
            let read = |_: &Reply| Ok(BTreeSet::new());
            let is_done = |now: &BTreeSet<String>| list.iter().all(|tag| now.contains(tag));
            let settle = SETTLE_BY_KEY_MS;
            let sent: http::Changed<_, Refusal> =
                http::change(self.cx(), settle, request, read, find, is_done).await?;
            match sent {
                http::Changed::Done(_, request) => {
                    // What they are called tells them from others on the same ticket.
                    let target = format!("{}/{}", load.ticket, short_hash(&list.join("\n")));
                    let mut hung = effect(&part, TICKET_TAGS, target, Action::Updated);
                    hung.key = Some(request);
                    hung.before = Some(json!({ "added": list }).to_string());
                    load.effects.push(hung);
                }
                http::Changed::Unknown => {
                    load.unsettled("a change of its tags");
                    return Ok(());
                }
                http::Changed::Refused(_) if list.len() > 1 => {
                    let (one, other) = list.split_at(list.len() / 2);
                    lists.push(other.to_vec());
                    lists.push(one.to_vec());
                }
                http::Changed::Refused(_) => {
                    let note = "a tag that Zoho Desk refuses";
                    load.losses
                        .push(loss("conversation.tags", Fidelity::Lost, note));
                }
            }
        }
        Ok(())
    }

    // ---- files

    async fn send_files(&self, load: &mut Load<'_>) -> Result<(), Error> {
        let wanted: Vec<(String, bool, Entry)> = load
            .thread
            .parts
            .iter()
            .flat_map(|part| {
                let public = match &part.message.data {
                    Entity::Message(message) => {
                        message.visibility == Visibility::Public && !message.forwarded
                    }
                    _ => false,
                };
                let of = part.message.head.id.clone();
                let files = part.attachments.iter();
                files.map(move |entry| (of.clone(), public, entry.clone()))
            })
            .filter(|(_, _, entry)| load.files.get(&entry.head.id) == Some(&File::Expected))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let mut there = if load.is_old {
            ticket::attachments(self.desk, &load.ticket).await?
        } else {
            Vec::new()
        };
        there.retain(|file| !load.attached.contains(&file.id));
        let by_imports = self.desk.state.imports;
        for (message, public, entry) in wanted {
            let public = public && (by_imports || self.desk.config.public_comments);
            self.send_file(load, &mut there, &message, public, &entry)
                .await?;
            if load.stop.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn send_file(
        &self,
        load: &mut Load<'_>,
        there: &mut Vec<Attachment>,
        message: &str,
        public: bool,
        entry: &Entry,
    ) -> Result<(), Error> {
        let Entity::Attachment(attachment) = &entry.data else {
            return Ok(());
        };
        let Some(content) = &attachment.content else {
            return Ok(());
        };
        let id = entry.head.id.clone();
        let name = file_name(attachment);
        let is_it = |file: &Attachment| file.name == name && file.size == content.size.to_string();
        let part = format!("message:{message}/file:{id}");
        if let Some(at) = there.iter().position(is_it) {
            let file = there.remove(at);
            let proof = Proof::Marker(self.cx().run().to_owned());
            let target = format!("{}/{}", load.ticket, file.id);
            load.effects
                .push(of_row(&part, ATTACHMENT, target, proof, None));
            attach(load, id, file);
            return Ok(());
        }
        let blob = BlobRef {
            media_type: attachment
                .media_type
                .as_ref()
                .unwrap_or(&content.media_type)
                .clone(),
            ..content.clone()
        };
        let path = format!("/tickets/{}/attachments?isPublic={public}", load.ticket);
        let key = key(load.item.key.as_str(), part.as_str(), "create");
        let request = self.desk.once("POST", path, key);
        let request = request.multipart([part_file("file", &name, blob)]);
        let find = async || {
            let files = ticket::attachments(self.desk, &load.ticket).await?;
            let new = |file: &Attachment| is_it(file) && !load.attached.contains(&file.id);
            Ok(files.into_iter().find(new))
        };
        match WRITES.make(None, request, find, |_| true).await? {
            Creation::There(file, proof, key) => {
                // It was not among the ticket's files before.
                let proof = proof.filter(|proof| *proof == Proof::Fresh);
                let proof = proof.unwrap_or(Proof::AbsentBefore);
                let target = format!("{}/{}", load.ticket, file.id);
                load.effects
                    .push(made(&part, ATTACHMENT, target, Some(proof), key));
                attach(load, id, file);
            }
            Creation::Unsettled => load.unsettled("a file"),
            Creation::Refused(refusal) => {
                let why = format!("Zoho Desk refuses it: {}", refusal.words());
                load.files.insert(id, File::NotTaken(why));
            }
        }
        Ok(())
    }

    // ---- by plain requests

    async fn by_requests(&self, mut load: Load<'_>) -> Result<(), Error> {
        self.make_ticket(&mut load).await?;
        if load.stop.is_none() {
            self.hang_tags(&mut load).await?;
        }
        if load.stop.is_none() {
            self.send_files(&mut load).await?;
        }
        if load.stop.is_none() {
            self.map_again(&mut load, false)?;
            let said = load.mapped.said.clone();
            self.comment_all(&mut load, said).await?;
        }
        self.conclude(load);
        Ok(())
    }

    async fn make_ticket(&self, load: &mut Load<'_>) -> Result<(), Error> {
        let mut fields = load.mapped.fields.clone();
        let mut in_doubt_since = load.item.in_doubt_since;
        let since = in_doubt_since.unwrap_or_else(|| self.cx().now());
        for number in 1..=TRIES {
            let step = match number {
                1 => "create".to_owned(),
                number => format!("create-with-less-{}", number - 1),
            };
            let key = key(load.item.key.as_str(), "main", step);
            let request = self.desk.once("POST", "/tickets", key);
            let request = request.json(&Value::Object(fields.clone()));
            let contact = fields.get("contactId").and_then(Value::as_str);
            let contact = contact.unwrap_or_default().to_owned();
            let marker = thread::marker_of(&load.item.marker);
            let find = async || self.find(&contact, &marker, since).await;
            let run = self.cx().run();
            let ours = |ticket: &Ticket| ticket.is_of_run(self.desk, run);
            match WRITES.make(in_doubt_since, request, find, ours).await? {
                Creation::There(ticket, proof, key) => {
                    load.is_old |= proof != Some(Proof::Fresh);
                    load.ticket = ticket.id();
                    let mut main = made("main", TICKET, ticket.id(), proof, key);
                    main.url = ticket.url();
                    load.main = Some(main);
                    load.written = fields;
                    return Ok(());
                }
                Creation::Unsettled => {
                    load.unsettled("a ticket");
                    return Ok(());
                }
                Creation::Refused(refusal) => {
                    if number == TRIES || !without(&mut fields, &refusal, load) {
                        load.stop = Some(Status::Rejected(refusal.rejection()));
                        return Ok(());
                    }
                }
            }
            // Looked for once, and not there.
            in_doubt_since = None;
        }
        Ok(())
    }

    /// The ticket of a marker among the newest of its contact: lists show at once what was made, a search does not (Zoho Desk
    /// facts §12).
    async fn find(&self, contact: &str, marker: &str, since: i64) -> Result<Option<Ticket>, Error> {
        let path = format!("/contacts/{contact}/tickets?sortBy=-createdTime");
        let (rows, _): (Vec<Ticket>, bool) = self.desk.list_at_most(&path, PAGES_LOOKED).await?;
        for row in rows {
            let made = map::parse_iso(&row.text("createdTime"));
            if made.is_some_and(|made| made < since - CLOCK_SKEW_MS) {
                break;
            }
            // A list may leave out custom fields.
            let ticket = if row.values.get("cf").is_some_and(Value::is_object) {
                Some(row)
            } else {
                ticket::ticket(self.desk, &row.id()).await?
            };
            let is_it = |ticket: &Ticket| {
                ticket.own(self.desk, own::MARKER).as_deref() == Some(marker) && !ticket.is_gone()
            };
            if let Some(ticket) = ticket.filter(is_it) {
                return Ok(Some(ticket));
            }
        }
        Ok(None)
    }

    /// Comments, one after the other.
    async fn comment_all(&self, load: &mut Load<'_>, said: Vec<Said>) -> Result<(), Error> {
        let mut there = if load.is_old {
            ticket::comments(self.desk, &load.ticket).await?
        } else {
            Vec::new()
        };
        let mut met: BTreeSet<String> = BTreeSet::new();
        for said in said {
            let known = said.known_by();
            let is_it = |comment: &Comment| known_by(&comment.content) == known;
            if let Some(at) = there.iter().position(is_it) {
                let comment = there.remove(at);
                met.insert(comment.id.clone());
                load.took(&said, &comment.id);
                let made = load.main.as_ref().map(|main| main.action);
                if made == Some(Action::Created) {
                    // Of an earlier attempt: the ticket carries this run.
                    let proof = Proof::Marker(self.cx().run().to_owned());
                    let target = format!("{}/{}", load.ticket, comment.id);
                    let effect = of_row(&said.part, COMMENT, target, proof, None);
                    load.effects.push(fingerprinted(effect, &said));
                }
                continue;
            }
            let Form::Comment { public, .. } = &said.form else {
                continue;
            };
            let body = json!({ "content": said.body(), "isPublic": public, "contentType": "html" });
            let path = format!("/tickets/{}/comments", load.ticket);
            let key = key(load.item.key.as_str(), said.part.as_str(), "create");
            let request = self.desk.once("POST", path, key).json(&body);
            let find = async || {
                let all = ticket::comments(self.desk, &load.ticket).await?;
                let new = |comment: &Comment| !met.contains(&comment.id) && is_it(comment);
                Ok(all.into_iter().find(new))
            };
            match WRITES.make(None, request, find, |_| true).await? {
                Creation::There(comment, proof, key) => {
                    let proof = proof.filter(|proof| *proof == Proof::Fresh);
                    let proof = proof.unwrap_or(Proof::AbsentBefore);
                    let target = format!("{}/{}", load.ticket, comment.id);
                    let effect = made(&said.part, COMMENT, target, Some(proof), key);
                    load.effects.push(fingerprinted(effect, &said));
                    load.took(&said, &comment.id);
                    met.insert(comment.id);
                }
                Creation::Unsettled => {
                    load.unsettled("a comment");
                    return Ok(());
                }
                Creation::Refused(refusal) => load.refuse(&said.part, &refusal.words()),
            }
        }
        Ok(())
    }

    // ---- what changed since an earlier run

    /// A thread that an earlier run loaded and that changed since: attributes of its ticket are set anew, but for those that
    /// somebody changed here; what was said since is added. What is there stays as it is.
    async fn update(
        &self,
        item: &Item,
        thread: Thread,
        prior: &Effect,
        there: Ticket,
    ) -> Result<(), Error> {
        let scope = match (&prior.version, there.own(self.desk, own::RUN)) {
            (Some(scope), _) => Some(scope.clone()),
            (None, Some(run)) => {
                let (platform, organisation) = (self.cx().platform(), self.cx().organisation());
                Some(imports::scope(platform, organisation, &run))
            }
            (None, None) => None,
        };
        let scope = match scope.filter(|_| self.desk.state.imports) {
            // Only what was imported has a name in it.
            Some(scope) => {
                let ext = imports::ext_id(&item.marker);
                let mapped =
                    imports::mapped(self.desk, &scope, "tickets", std::slice::from_ref(&ext))
                        .await?;
                (mapped.get(&ext) == Some(&there.id())).then_some(scope)
            }
            None => None,
        };
        let mut load = self.begin(item, thread, scope.is_some())?;
        load.is_old = true;
        load.ticket = there.id();
        let mut main = effect("main", TICKET, there.id(), Action::Matched);
        main.url = there.url();
        main.version = prior.version.clone();
        load.main = Some(main);
        for effect in &item.prior {
            let Some((_, file)) = effect.part.split_once("/file:") else {
                continue;
            };
            if let Some((_, id)) = effect.target_id.split_once('/')
                && effect.target_kind == ATTACHMENT
            {
                let there = File::There {
                    id: id.to_owned(),
                    url: String::new(),
                };
                load.files.insert(file.to_owned(), there);
                load.attached.push(id.to_owned());
            }
        }
        self.change_ticket(&mut load, prior, &there).await?;
        if load.stop.is_none() {
            self.hang_tags(&mut load).await?;
        }
        if load.stop.is_none() {
            self.say_more(&mut load, scope).await?;
        }
        self.conclude(load);
        Ok(())
    }

    async fn change_ticket(
        &self,
        load: &mut Load<'_>,
        prior: &Effect,
        there: &Ticket,
    ) -> Result<(), Error> {
        let state = &self.desk.state;
        let theirs = match &prior.fingerprint {
            Some(recorded) => changed(recorded, &facets(&there.values, state)),
            None => Vec::new(),
        };
        let (wanted, before) = change_of(&load.mapped, there, &theirs, state);
        if wanted.is_empty() {
            return Ok(());
        }
        let item = load.item.key.clone();
        match self.patch(&item, "main", &load.ticket, &wanted).await? {
            http::Changed::Done(_, request) => {
                if let Some(main) = &mut load.main {
                    main.action = Action::Updated;
                    main.key = Some(request);
                    main.before = Some(Value::Object(before).to_string());
                }
                load.written = wanted;
            }
            http::Changed::Unknown => load.unsettled("a change of its ticket"),
            http::Changed::Refused(_) => {
                let note = "the change of its ticket was refused: left as it is";
                load.losses.push(loss("conversation", Fidelity::Lost, note));
            }
        }
        Ok(())
    }

    /// What was said since.
    async fn say_more(&self, load: &mut Load<'_>, scope: Option<String>) -> Result<(), Error> {
        let messages = |load: &Load<'_>| -> Vec<Said> {
            let said = load.mapped.said.iter();
            said.filter(|said| said.is_message()).cloned().collect()
        };
        let Some(scope) = scope else {
            self.send_files(load).await?;
            self.map_again(load, false)?;
            let said = messages(load);
            return self.comment_all(load, said).await;
        };
        // Only the files of what is new.
        let mut known: BTreeSet<String> = BTreeSet::new();
        for module in ["threads", "ticketComments"] {
            let said = messages(load);
            let ids: Vec<String> = said
                .iter()
                .map(|said| imports::ext_id(&said.named(&self.prefix, &load.item.marker)))
                .collect();
            let mapped = imports::mapped(self.desk, &scope, module, &ids).await?;
            let there = said.iter().zip(&ids);
            let there = there.filter(|(_, id)| mapped.contains_key(*id));
            known.extend(there.map(|(said, _)| said.part.clone()));
        }
        let is_known = |message: &Head| known.contains(&format!("message:{}", message.id));
        for part in &load.thread.parts {
            if is_known(&part.message.head) {
                for entry in &part.attachments {
                    let id = entry.head.id.clone();
                    if load.files.get(&id) == Some(&File::Expected) {
                        load.files.remove(&id);
                    }
                }
            }
        }
        self.send_files(load).await?;
        self.map_again(load, true)?;
        let said = messages(load).into_iter();
        let said = said.filter(|said| !known.contains(&said.part));
        let said: Vec<(usize, Said)> = said.map(|said| (0, said)).collect();
        let batch = format!("more:{}", load.item.key);
        self.import_said(std::slice::from_mut(load), &batch, &scope, said)
            .await
    }

    // ---- what became of it

    fn conclude(&self, load: Load<'_>) {
        let Load {
            item,
            thread,
            mapped,
            main,
            written,
            mut effects,
            mut losses,
            mut refused,
            threads,
            comments,
            attached,
            stop,
            ..
        } = load;
        let action = main.as_ref().map(|main| main.action);
        let added = effects
            .iter()
            .any(|effect| effect.action == Action::Created);
        if let Some(mut main) = main {
            let mut facets = facets(&written, &self.desk.state);
            if action == Some(Action::Created) {
                facets.extend(talk_facet(&threads, &comments));
                facets.push(("files".to_owned(), thread::joined(&attached)));
                if self.desk.state.imports {
                    main.version = Some(self.scope.clone());
                }
            }
            if action != Some(Action::Matched) {
                main.fingerprint = Some(print(&facets));
            }
            main.updated_at = touched(&thread);
            // Last, since it is undone first, and takes everything else with it.
            effects.push(main);
        }
        losses.splice(0..0, mapped.losses);
        refused.extend(mapped.refused);
        let status = match (stop, action) {
            (Some(stop), _) => stop,
            (None, Some(Action::Created)) => Status::Created,
            (None, Some(Action::Updated)) => Status::Updated,
            (None, _) if added => Status::Updated,
            (None, _) => Status::Matched,
        };
        let arrived = matches!(status, Status::Created | Status::Updated | Status::Matched);
        self.cx().report(Outcome {
            item: item.key.clone(),
            status,
            effects,
            losses,
            refused: if arrived { refused } else { Vec::new() },
        });
    }
}

/// What is to be done with a file before anything is sent.
fn expected(entry: &Entry, most: u64) -> File {
    let too_large = "larger than Zoho Desk takes: named in the thread";
    match sendable(entry, most, "Zoho Desk", too_large) {
        Ok(_) => File::Expected,
        Err((cause, words)) => File::Refused(cause, words),
    }
}

fn attach(load: &mut Load<'_>, id: String, file: Attachment) {
    load.attached.push(file.id.clone());
    let there = File::There {
        id: file.id,
        url: file.href,
    };
    load.files.insert(id, there);
}

/// What it says, for an undo of the part alone.
fn fingerprinted(effect: Effect, said: &Said) -> Effect {
    let said = short_hash(&said.known_by());
    Effect {
        fingerprint: Some(print(&[("content".to_owned(), said)])),
        ..effect
    }
}

/// The custom fields of what was written.
fn custom_of(written: &Map<String, Value>) -> Map<String, Value> {
    match written.get("cf") {
        Some(Value::Object(custom)) => custom.clone(),
        _ => Map::new(),
    }
}

/// What of the wanted a ticket has not: custom fields, and what a bare row of an import goes without or has otherwise.
fn lacking(wanted: &Map<String, Value>, now: &Ticket) -> Map<String, Value> {
    let mut lost = wanted.clone();
    lost.retain(|name, value| {
        let is_bare = NEEDED.contains(&name.as_str()) && name != "status";
        name == "cf" || !is_bare && !value.is_null() && now.text(name) != words_of(value)
    });
    if let Some(Value::Object(custom)) = lost.get_mut("cf") {
        custom.retain(|name, value| !value.is_null() && now.custom(name).is_none());
    }
    lost
}

/// Puts values among others, custom fields each by itself.
fn merge(values: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        match (values.get_mut(&name), value) {
            (Some(Value::Object(there)), Value::Object(more)) => there.extend(more),
            (_, value) => {
                values.insert(name, value);
            }
        }
    }
}

/// Takes out of a ticket what was refused, as far as it can do without; whether there was any.
fn without(fields: &mut Map<String, Value>, refusal: &Refusal, load: &mut Load<'_>) -> bool {
    let mut any = false;
    for name in &refusal.fields {
        let (name, custom) = match name.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name.as_str(), None),
        };
        if NEEDED.contains(&name) && load.ticket.is_empty() {
            continue;
        }
        let taken = match custom {
            Some(custom) if matches!(name, "cf" | "customFields") => {
                let own = fields.get_mut("cf").and_then(Value::as_object_mut);
                own.and_then(|own| own.shift_remove(custom)).is_some()
            }
            _ => fields.shift_remove(name).is_some(),
        };
        any |= taken;
    }
    let empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    if fields.get("cf").is_some_and(empty) {
        fields.shift_remove("cf");
    }
    if any {
        let note = "a value that Zoho Desk refuses: the original is on the source card";
        load.converted("conversation", note);
    }
    any
}

/// What of a ticket is to be changed, but for what somebody changed here, and what was there of it. It keeps its contact, its
/// department and the run that made it.
fn change_of(
    mapped: &Mapped,
    there: &Ticket,
    theirs: &[String],
    state: &crate::state::State,
) -> (Map<String, Value>, Map<String, Value>) {
    let mut wanted = mapped.fields.clone();
    for name in ["contactId", "departmentId", "secondaryContacts"] {
        wanted.shift_remove(name);
    }
    let custom = match wanted.shift_remove("cf") {
        Some(Value::Object(mut custom)) => {
            if let Some(run) = state.own(Owner::Ticket, own::RUN) {
                custom.shift_remove(run);
            }
            custom
        }
        _ => Map::new(),
    };
    let theirs = |facet: &str| theirs.iter().any(|name| name == facet);
    let now = Value::Object(there.values.clone());
    let mut change = changes(MatchPolicy::SourceWins, &wanted, &now);
    // Names of one type are the same to the source.
    let same = |name: &str| {
        name == "status"
            && wanted
                .get(name)
                .and_then(Value::as_str)
                .map(|status| thread::status_type(state, status))
                == Some(thread::status_type(state, &there.text("status")))
    };
    change.wanted.retain(|name, _| !theirs(name) && !same(name));
    change
        .before
        .retain(|name, _| change.wanted.contains_key(name));
    let there = there.values.get("cf").cloned().unwrap_or_default();
    let mut own = changes(MatchPolicy::SourceWins, &custom, &there);
    own.wanted
        .retain(|name, _| !theirs(&format!("field {name}")));
    own.before.retain(|name, _| own.wanted.contains_key(name));
    if !own.wanted.is_empty() {
        change
            .wanted
            .insert("cf".to_owned(), Value::Object(own.wanted));
        change
            .before
            .insert("cf".to_owned(), Value::Object(own.before));
    }
    (change.wanted, change.before)
}
