//! Threads as tickets, through the import API: all of a ticket in one call, silently (Zendesk facts §12).
//!
//! Default is jobs of up to 100 tickets, which makes one request and a poll for a hundred threads. A job's rows are read
//! one by one, since a completed job can hold refused rows. When an answer was not seen, nothing is sent again before
//! every open import job has ended and a look-up by external id has missed (rule D-3); what is found must carry this
//! run's tag to count as ours (rule D-4), because external ids of tickets are not unique. For the same reason a thread that
//! an earlier run loaded is not loaded again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Serialize;
use transload_sdk::destination::{Item, Thread};
use transload_sdk::http::{self, OperationKey, Refusal as _, RequestBuilder, key, segment};
use transload_sdk::items::threads;
use transload_sdk::ledger::{Action, Effect, Outcome, Proof, Status};
use transload_sdk::thread::{Unit, sendable, stored_texts};
use transload_sdk::types::{BlobRef, Entity, Entry, Error, Fidelity};
use transload_sdk::{Context, Level};

use super::{SETTLE_BY_INDEX_MS, SETTLE_BY_KEY_MS, effect, made, people, reject, report, schema};
use crate::api::{ImportTicket, JobRow, JobStatus, Refusal, Ticket, Upload};
use crate::client::{self, Sent};
use crate::map::{self, FieldOwner};
use crate::state::{Config, ImportMode, State};
use crate::thread::{self, File, Mapped, Surroundings};

/// Tickets a job takes (Zendesk facts §12).
const BULK: usize = 100;
/// Bytes of one import request; Zendesk names no limit, this stays under the usual ones of its edge.
const BULK_BYTES: usize = 5_000_000;
/// Tokens of uploads live for 60 minutes (Zendesk facts §8); some are kept back for the import itself.
const UPLOAD_LIFE_MS: u64 = 50 * 60_000;
/// Files that wait for one import: at 100 calls a minute, half of the smallest plan's, they take 5 of those minutes …
const UPLOADS: usize = 500;
/// … and their bytes at one megabyte a second another 15.
const UPLOAD_BYTES: u64 = 1_000_000_000;
/// Results of a job are kept for about an hour (Zendesk facts §12).
const JOB_LIFE_MS: u64 = 50 * 60_000;

/// Writes threads, and notes on customers that belong to none.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let threads: Vec<(&Item, Thread)> = threads(cx, items, config.spam).collect();
    let options = if schema::has_choices(items) {
        schema::options(cx, &FieldOwner::Ticket).await?
    } else {
        BTreeMap::new()
    };
    let groups: BTreeSet<u64> = threads
        .iter()
        .filter_map(|(_, thread)| group_of(thread))
        .collect();
    let members = if groups.is_empty() {
        None
    } else {
        Some(people::memberships_of(cx, &groups).await?)
    };
    let importer = Importer {
        cx,
        state: &state,
        config: &config,
        options: &options,
        members: members.as_ref(),
    };
    let loaded = importer.loaded_before(&threads).await?;
    let mut batch = Batch::default();
    for (item, thread) in &threads {
        if importer.is_settled(item, thread, &loaded).await? {
            continue;
        }
        // What waits is sent before further files are: their tokens age.
        let weight = Weight::before_uploading(thread);
        if !batch.takes(&weight) {
            importer.load(std::mem::take(&mut batch)).await?;
        }
        let files = importer.upload_all(item, thread).await?;
        let mapped = importer.map(item, thread, &files)?;
        let weight = weight.with_ticket(&mapped);
        if !batch.takes(&weight) {
            importer.load(std::mem::take(&mut batch)).await?;
        }
        batch.add(Ready { item, mapped }, weight);
    }
    importer.load(batch).await
}

/// The group in charge of a thread.
fn group_of(thread: &Thread) -> Option<u64> {
    match &thread.conversation.data {
        Entity::Conversation(c) => c.teams.first().and_then(map::numeric_target),
        _ => None,
    }
}

fn files_of(thread: &Thread) -> impl Iterator<Item = &Entry> {
    thread.parts.iter().flat_map(|part| &part.attachments)
}

// ---- batches

/// A thread, mapped, its files uploaded.
struct Ready<'a> {
    item: &'a Item,
    mapped: Mapped,
}

/// Body of a job.
#[derive(Serialize)]
struct Tickets<'a> {
    tickets: Vec<&'a ImportTicket>,
}

/// Body of a call for one ticket.
#[derive(Serialize)]
struct Single<'a> {
    ticket: &'a ImportTicket,
}

/// Bytes of a ticket in a body, counted without writing them down.
fn bytes_of(ticket: &ImportTicket) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // What is no JSON is refused where it is sent.
    let _ = serde_json::to_writer(&mut count, ticket);
    count.0
}

/// What a thread adds to a batch.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    tickets: usize,
    bytes: usize,
    files: usize,
    file_bytes: u64,
}

impl Weight {
    fn before_uploading(thread: &Thread) -> Self {
        let size = |entry: &Entry| match &entry.data {
            Entity::Attachment(file) => file.content.as_ref().map_or(0, |content| content.size),
            _ => 0,
        };
        Self {
            tickets: 1,
            bytes: 0,
            files: files_of(thread).count(),
            file_bytes: files_of(thread).map(size).sum(),
        }
    }

    fn with_ticket(self, mapped: &Mapped) -> Self {
        let first = mapped.tickets.first();
        Self {
            bytes: first.map_or(0, bytes_of),
            ..self
        }
    }

    fn and(self, other: &Self) -> Self {
        Self {
            tickets: self.tickets + other.tickets,
            bytes: self.bytes + other.bytes,
            files: self.files + other.files,
            file_bytes: self.file_bytes + other.file_bytes,
        }
    }

    fn fits(&self) -> bool {
        self.tickets <= BULK
            && self.bytes <= BULK_BYTES
            && self.files <= UPLOADS
            && self.file_bytes <= UPLOAD_BYTES
    }
}

/// Threads for one job.
#[derive(Default)]
struct Batch<'a> {
    ready: Vec<Ready<'a>>,
    weight: Weight,
}

impl<'a> Batch<'a> {
    /// Whether another one fits; into an empty batch anything does.
    fn takes(&self, weight: &Weight) -> bool {
        self.ready.is_empty() || self.weight.and(weight).fits()
    }

    fn add(&mut self, one: Ready<'a>, weight: Weight) {
        self.ready.push(one);
        self.weight = self.weight.and(&weight);
    }
}

// ---- one unit

/// What the threads of a unit have in common.
struct Importer<'a> {
    cx: &'a Context,
    state: &'a State,
    config: &'a Config,
    options: &'a BTreeMap<String, Vec<(String, String)>>,
    members: Option<&'a BTreeSet<(u64, u64)>>,
}

impl Importer<'_> {
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
            options: self.options,
            members: self.members,
            files,
        };
        thread::map_thread(item, thread, &around)
    }

    // ---- files

    async fn upload_all(
        &self,
        item: &Item,
        thread: &Thread,
    ) -> Result<BTreeMap<String, File>, Error> {
        let mut files = BTreeMap::new();
        for entry in files_of(thread) {
            let file = match self.to_be_sent(entry) {
                Ok((name, content)) => self.upload(item, entry, &name, content).await?,
                Err(refused) => refused,
            };
            files.insert(entry.head.id.clone(), file);
        }
        Ok(files)
    }

    /// The files as they are once uploaded, for comparing with what was loaded: a comparison minds no tokens.
    fn assumed(&self, thread: &Thread) -> BTreeMap<String, File> {
        let uploaded = |entry: &Entry| match self.to_be_sent(entry) {
            Ok(_) => File::Uploaded {
                token: String::new(),
                content_url: String::new(),
            },
            Err(refused) => refused,
        };
        files_of(thread)
            .map(|entry| (entry.head.id.clone(), uploaded(entry)))
            .collect()
    }

    /// Name and bytes of a file that can be sent; else what stands for it.
    fn to_be_sent(&self, entry: &Entry) -> Result<(String, BlobRef), File> {
        let (most, too_large) = (
            self.config.max_attachment_bytes,
            "larger than Zendesk takes: named in the thread",
        );
        let refused = |(cause, words)| File::Refused(cause, words);
        let (name, content) = sendable(entry, most, "Zendesk", too_large).map_err(refused)?;
        Ok((name.trim().to_owned(), content))
    }

    async fn upload(
        &self,
        item: &Item,
        entry: &Entry,
        name: &str,
        content: BlobRef,
    ) -> Result<File, Error> {
        let path = format!("/api/v2/uploads?filename={}", segment(name));
        let part = format!("upload:{}", entry.head.id);
        // Sent again it makes another file that expires unused, so it may be repeated.
        let write = self
            .cx
            .http()
            .repeatable("POST", path, key(&item.key, part, "create"))
            .body_blob(content)
            .lifetime(UPLOAD_LIFE_MS)
            .passing();
        Ok(match http::write(write).await? {
            Sent::Done(answer) => {
                let upload: Upload = answer.member("upload")?;
                File::Uploaded {
                    token: upload.token,
                    content_url: upload.attachment.content_url,
                }
            }
            Sent::Refused(refusal) => File::NotTaken(refusal.message),
            Sent::Doubt(_) => {
                return Err(Error::Transient("an upload was not answered".to_owned()));
            }
        })
    }

    // ---- what is there already

    /// Tickets that earlier runs made of these threads, as far as they are there still.
    async fn loaded_before(
        &self,
        threads: &[(&Item, Thread)],
    ) -> Result<BTreeMap<u64, Ticket>, Error> {
        let ids: Vec<&str> = threads
            .iter()
            .filter_map(|(item, _)| prior(item))
            .map(|effect| effect.target_id.as_str())
            .collect();
        let mut found = BTreeMap::new();
        for ids in ids.chunks(BULK) {
            let path = format!("/api/v2/tickets/show_many?ids={}", ids.join(","));
            let tickets: Option<Vec<Ticket>> =
                client::find_member(self.cx, &path, "tickets").await?;
            let tickets = tickets.unwrap_or_default().into_iter();
            found.extend(tickets.map(|ticket| (ticket.id, ticket)));
        }
        Ok(found)
    }

    /// Whether a thread has its outcome without being sent: an earlier run loaded it, or an attempt whose answers are lost.
    /// Its files must not be sent again before that is known.
    async fn is_settled(
        &self,
        item: &Item,
        thread: &Thread,
        loaded: &BTreeMap<u64, Ticket>,
    ) -> Result<bool, Error> {
        let before = prior(item).and_then(|effect| {
            let id: u64 = effect.target_id.parse().ok()?;
            loaded.contains_key(&id).then_some((id, effect))
        });
        if let Some((id, effect)) = before {
            self.keep(item, thread, id, effect).await?;
            return Ok(true);
        }
        let Some(since) = item.in_doubt_since else {
            return Ok(false);
        };
        wait_for_jobs(self.cx).await?;
        http::wait_out(self.cx, since, self.settle_ms()).await;
        let found = self.find(&item.marker).await?;
        if found.is_empty() {
            return Ok(false);
        }
        let mapped = self.map(item, thread, &self.assumed(thread))?;
        self.adopt(item, mapped, &found, key(&item.key, "main", "create"))
            .await?;
        Ok(true)
    }

    /// A thread that an earlier run loaded stays as it is: a change would wake triggers, and loading it again would double it
    /// (rule M-9). What the source changed since is a loss of this run.
    async fn keep(
        &self,
        item: &Item,
        thread: &Thread,
        id: u64,
        before: &Effect,
    ) -> Result<(), Error> {
        let mapped = self.map(item, thread, &self.assumed(thread))?;
        let first = mapped.tickets.first();
        let updated = first.and_then(|ticket| map::parse_iso(&ticket.updated_at));
        let mut losses = Vec::new();
        if updated != before.updated_at {
            let note = "changed since an earlier run loaded it: left as it was loaded";
            losses.push(map::loss("conversation", Fidelity::Lost, note));
        }
        let mut main = effect("main", "ticket", id.to_string(), Action::Matched);
        main.url = Some(format!("/agent/tickets/{id}"));
        report(self.cx, item, Status::Matched, vec![main], losses);
        Ok(())
    }

    fn settle_ms(&self) -> u64 {
        if self.config.archive_immediately {
            SETTLE_BY_INDEX_MS
        } else {
            SETTLE_BY_KEY_MS
        }
    }

    /// The tickets of a marker, oldest first.
    async fn find(&self, marker: &str) -> Result<Vec<Ticket>, Error> {
        let path = format!("/api/v2/tickets?external_id={}", segment(marker));
        let mut found: Vec<Ticket> = client::list(self.cx, &path, "tickets").await?;
        if found.is_empty() && self.config.archive_immediately {
            // Archived tickets are in no list (Zendesk facts §12).
            let words = format!("type:ticket external_id:\"{marker}\"");
            let path = format!("/api/v2/search?query={}", segment(words));
            found = client::find_member(self.cx, &path, "results")
                .await?
                .unwrap_or_default();
        }
        found.retain(|ticket| ticket.external_id.as_deref() == Some(marker));
        found.sort_by_key(|ticket| ticket.id);
        Ok(found)
    }

    /// Why a ticket that was found counts as made by this run.
    fn proof(&self, found: &Ticket) -> Option<Proof> {
        let ours = found.tags.contains(&State::run_tag(self.cx.run()));
        ours.then(|| Proof::Marker(self.cx.run().to_owned()))
    }

    // ---- sending

    fn import_path(&self, tail: &str) -> String {
        let archive = if self.config.archive_immediately {
            "?archive_immediately=true"
        } else {
            ""
        };
        format!("/api/v2/imports/tickets{tail}{archive}")
    }

    /// Sends what is ready.
    async fn load(&self, batch: Batch<'_>) -> Result<(), Error> {
        let ready = batch.ready;
        if self.config.import_mode == ImportMode::Bulk && ready.len() > 1 {
            return self.by_job(ready).await;
        }
        for one in ready {
            self.single(one, "create").await?;
        }
        Ok(())
    }

    /// One job for a batch.
    async fn by_job(&self, batch: Vec<Ready<'_>>) -> Result<(), Error> {
        let tickets = batch.iter().filter_map(|one| one.mapped.tickets.first());
        let body = Tickets {
            tickets: tickets.collect(),
        };
        let first = batch
            .first()
            .map(|one| one.item.key.as_str())
            .unwrap_or_default();
        let key = key("*", format!("import:{first}"), "create");
        let write = self
            .cx
            .http()
            .write("POST", self.import_path("/create_many"), key.clone())
            .json(&body)
            .lifetime(JOB_LIFE_MS);
        let tokens = batch.iter().flat_map(|one| &one.mapped.perishable);
        let write = tokens.fold(write, RequestBuilder::perishable);
        let (rows, attempted_before) = match http::write(write).await? {
            Sent::Done(answer) => {
                let job: JobStatus = answer.member("job_status")?;
                let ended = client::job(self.cx, &job.id).await?;
                if ended.as_ref().is_some_and(JobStatus::is_open) {
                    for one in batch {
                        let why = Status::Unsettled("an import job that has not ended".to_owned());
                        report(self.cx, one.item, why, Vec::new(), one.mapped.losses);
                    }
                    return Ok(());
                }
                let rows = ended
                    .filter(|job| job.status == "completed")
                    .and_then(|job| job.results);
                (rows, answer.attempted_before)
            }
            Sent::Refused(_) => {
                // One malformed ticket spoils a whole request (Zendesk facts §9): each on its own shows which.
                for one in batch {
                    self.single(one, "create").await?;
                }
                return Ok(());
            }
            Sent::Doubt(_) => (None, true),
        };
        let Some(rows) = rows.filter(|_| !attempted_before) else {
            return self.looked_up(batch, key).await;
        };
        let by_index = rows_by_index(rows, batch.len());
        for (index, one) in batch.into_iter().enumerate() {
            let row = by_index.get(&index);
            let refused = row.and_then(JobRow::refusal);
            match (refused, row.and_then(|row| row.id.as_u64())) {
                (Some(message), _) => {
                    let refusal = Refusal {
                        status: 422,
                        message,
                        ..Refusal::default()
                    };
                    reject(self.cx, one.item, refusal.rejection());
                }
                (None, Some(id)) => {
                    self.arrived(one, id, Some(Proof::Fresh), key.clone())
                        .await?;
                }
                (None, None) => self.looked_up(vec![one], key.clone()).await?,
            }
        }
        Ok(())
    }

    /// Looks up a batch whose answer was not seen, and sends singly what is surely not there.
    async fn looked_up(&self, batch: Vec<Ready<'_>>, key: OperationKey) -> Result<(), Error> {
        self.cx.sleep(self.settle_ms()).await;
        wait_for_jobs(self.cx).await?;
        for one in batch {
            let found = self.find(&one.item.marker).await?;
            if found.is_empty() {
                self.single(one, "create-again").await?;
            } else {
                self.adopt(one.item, one.mapped, &found, key.clone())
                    .await?;
            }
        }
        Ok(())
    }

    /// Takes tickets that a look-up found. Ours are those with this run's tag.
    async fn adopt(
        &self,
        item: &Item,
        mapped: Mapped,
        found: &[Ticket],
        key: OperationKey,
    ) -> Result<(), Error> {
        let mut effects = Vec::new();
        for (index, ticket) in found.iter().enumerate() {
            let part = if index == 0 {
                "main".to_owned()
            } else {
                format!("duplicate:{index}")
            };
            let sent = mapped.tickets.first();
            let proof = self.proof(ticket);
            effects.push(ticket_effect(&part, ticket.id, sent, proof, key.clone()));
        }
        let first = found.first().map_or(0, |ticket| ticket.id);
        self.conclude(item, mapped, first, effects).await
    }

    /// The first ticket of a thread is there.
    async fn arrived(
        &self,
        one: Ready<'_>,
        id: u64,
        proof: Option<Proof>,
        key: OperationKey,
    ) -> Result<(), Error> {
        let main = ticket_effect("main", id, one.mapped.tickets.first(), proof, key);
        self.conclude(one.item, one.mapped, id, vec![main]).await
    }

    /// The further tickets of a thread, then its outcome.
    async fn conclude(
        &self,
        item: &Item,
        mut mapped: Mapped,
        first: u64,
        mut effects: Vec<Effect>,
    ) -> Result<(), Error> {
        let ours = effects.first().is_some_and(|main| main.proof.is_some());
        let unsettled = self
            .continue_thread(item, &mut mapped, first, &mut effects)
            .await?;
        let status = match unsettled {
            Some(status) => status,
            None if ours => Status::Created,
            None => Status::Matched,
        };
        self.cx.report(Outcome {
            item: item.key.clone(),
            status,
            effects,
            losses: mapped.losses,
            refused: mapped.refused,
        });
        Ok(())
    }

    /// Makes the tickets that continue a thread, each linked to the one before (rule M-16). What it gives is the status of
    /// an item that could not be finished.
    async fn continue_thread(
        &self,
        item: &Item,
        mapped: &mut Mapped,
        first: u64,
        effects: &mut Vec<Effect>,
    ) -> Result<Option<Status>, Error> {
        let mut before = first;
        let rest: Vec<ImportTicket> = mapped.tickets.iter().skip(1).cloned().collect();
        for (index, mut ticket) in rest.into_iter().enumerate() {
            thread::link_back(&mut ticket, self.state.me, before);
            let part = format!("continued:{}", index + 2);
            match self
                .import(item, &part, &ticket, &mapped.perishable, "create")
                .await?
            {
                Import::There(id, proof, key) => {
                    effects.push(ticket_effect(&part, id, Some(&ticket), proof, key));
                    before = id;
                }
                Import::Refused(refusal) => {
                    let said = format!("{part} was refused: {} {}", refusal.status, refusal.code);
                    self.cx.log(Level::Warn, &said);
                    let note = "a continuation was refused: the comments from there on are missing";
                    let lost = map::loss("conversation.messages", Fidelity::Lost, note);
                    mapped.losses.push(lost);
                    return Ok(None);
                }
                Import::Unsettled => {
                    let why = "a ticket that continues a thread and was not answered";
                    return Ok(Some(Status::Unsettled(why.to_owned())));
                }
            }
        }
        Ok(None)
    }

    /// One ticket by its own call: sent, looked up if the answer is not seen, sent once more after a miss that counts. Where
    /// an earlier attempt of the item may have made it, it is looked up first.
    async fn import(
        &self,
        item: &Item,
        part: &str,
        ticket: &ImportTicket,
        perishable: &[String],
        step: &str,
    ) -> Result<Import, Error> {
        let body = Single { ticket };
        let there = |found: &Ticket, key| Import::There(found.id, self.proof(found), key);
        if item.in_doubt_since.is_some()
            && let Some(found) = self.find(&ticket.external_id).await?.first()
        {
            return Ok(there(found, key(&item.key, part, step)));
        }
        for step in [step.to_owned(), format!("{step}-2")] {
            let key = key(&item.key, part, &step);
            // Documented for ordinary creation only; where the import ignores it, it does no harm (Zendesk facts §13).
            let idempotency = format!("{}:{}:{step}", self.cx.run(), ticket.external_id);
            let idempotency: String = idempotency
                .chars()
                .filter(char::is_ascii_graphic)
                .take(255)
                .collect();
            let write = self
                .cx
                .http()
                .write("POST", self.import_path(""), key.clone())
                .header("idempotency-key", &idempotency)
                .json(&body);
            let write = perishable.iter().fold(write, RequestBuilder::perishable);
            match http::write(write).await? {
                Sent::Done(answer) => {
                    let made: Ticket = answer.member("ticket")?;
                    let proof = if answer.attempted_before {
                        self.proof(&made)
                    } else {
                        Some(Proof::Fresh)
                    };
                    return Ok(Import::There(made.id, proof, key));
                }
                Sent::Refused(refusal) if !refusal.code.starts_with("IdempotentRequest") => {
                    return Ok(Import::Refused(refusal));
                }
                Sent::Refused(_) | Sent::Doubt(_) => {
                    self.cx.sleep(self.settle_ms()).await;
                    if let Some(found) = self.find(&ticket.external_id).await?.first() {
                        return Ok(there(found, key));
                    }
                }
            }
        }
        Ok(Import::Unsettled)
    }

    /// One thread by calls of its own.
    async fn single(&self, one: Ready<'_>, step: &str) -> Result<(), Error> {
        let Some(ticket) = one.mapped.tickets.first() else {
            let error = Error::Bug("a thread without a ticket".to_owned());
            reject(self.cx, one.item, error);
            return Ok(());
        };
        match self
            .import(one.item, "main", ticket, &one.mapped.perishable, step)
            .await?
        {
            Import::There(id, proof, key) => self.arrived(one, id, proof, key).await,
            Import::Refused(refusal) => {
                reject(self.cx, one.item, refusal.rejection());
                Ok(())
            }
            Import::Unsettled => {
                let why = Status::Unsettled("a ticket whose import was not answered".to_owned());
                report(self.cx, one.item, why, Vec::new(), one.mapped.losses);
                Ok(())
            }
        }
    }
}

enum Import {
    There(u64, Option<Proof>, OperationKey),
    Refused(Refusal),
    Unsettled,
}

/// What an earlier run did to a thread.
fn prior(item: &Item) -> Option<&Effect> {
    let is_ticket = |effect: &&Effect| effect.target_kind == "ticket" && effect.part == "main";
    item.prior.iter().find(is_ticket)
}

fn ticket_effect(
    part: &str,
    id: u64,
    sent: Option<&ImportTicket>,
    proof: Option<Proof>,
    key: OperationKey,
) -> Effect {
    let mut effect = made(part, "ticket", id.to_string(), proof, key);
    effect.fingerprint = sent.map(|ticket| map::print(&thread::ticket_facets(ticket)));
    effect.updated_at = sent.and_then(|ticket| map::parse_iso(&ticket.updated_at));
    effect.url = Some(format!("/agent/tickets/{id}"));
    effect
}

/// Rows by the place of their ticket: by `index` where they have it, else by their own place (Zendesk facts §12).
pub fn rows_by_index(rows: Vec<JobRow>, count: usize) -> BTreeMap<usize, JobRow> {
    let in_place = rows.len() == count;
    let mut by_index = BTreeMap::new();
    for (place, row) in rows.into_iter().enumerate() {
        if let Some(index) = row.index.or(in_place.then_some(place)) {
            by_index.insert(index, row);
        }
    }
    by_index
}

/// Waits until no job is open that could still make what is looked for (rule D-3).
///
/// # Errors
/// `transient` when one does not end.
pub async fn wait_for_jobs(cx: &Context) -> Result<(), Error> {
    let jobs: Vec<JobStatus> = client::list(cx, "/api/v2/job_statuses", "job_statuses").await?;
    for job in jobs.iter().filter(|job| job.is_open()) {
        if client::job(cx, &job.id)
            .await?
            .is_some_and(|job| job.is_open())
        {
            return Err(Error::Transient(format!("job {} has not ended", job.id)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_find_their_tickets_by_index_and_else_by_place() {
        let row = |index, id: u64| JobRow {
            index,
            id: json!(id),
            ..JobRow::default()
        };
        let indexed = rows_by_index(vec![row(Some(1), 11), row(Some(0), 10)], 2);
        assert_eq!(indexed.get(&0).map(|r| r.id.clone()), Some(json!(10)));
        let placed = rows_by_index(vec![row(None, 10), row(None, 11)], 2);
        assert_eq!(placed.get(&1).map(|r| r.id.clone()), Some(json!(11)));
        assert!(rows_by_index(vec![row(None, 10)], 2).is_empty());
    }
}
