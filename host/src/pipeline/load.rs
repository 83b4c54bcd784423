//! Writing the destination: items become units, units are driven to an end, what has no home is exported.
//!
//! Kinds are loaded in the order the destination declares for the account, each as soon as its reading is complete. Items that
//! could collide never share a unit nor run at once (rule D-14). A unit that cannot go on is taken apart: what may have been applied runs
//! again singly, look-up first; what surely was not is tried again a few times and then rejected with the reason.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::stream::{self, StreamExt as _};
use sqlx::Row as _;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::assemble::{Assembled, Assembler, Place, is_closed, wants_bytes, with_its};
use super::export::{self, Export, Oversized};
use super::extract::unsigned;
use super::model::Events;
use super::side::{Side, apart};
use crate::config::Config;
use crate::contract::description::{ConflictKey, KindSupport, Normalisation};
use crate::contract::destination::Item;
use crate::contract::types::{
    AddressChannel, AttachmentState, Entity, Entry, Error as Refused, Kind,
};
use crate::error::Error;
use crate::sandbox::UnitError;
use crate::unit::{
    Call, Durable, Event, Frozen, Record, Status, Surroundings, blobs_of, decided, error_words,
    next, status_words,
};
use crate::unit_host::{KnownBlobs, UnitAbort};
use crate::{kinds, sql};

/// A unit that traps is run again this often before it is taken apart; one that went over a limit is not.
const RUNS: i64 = 3;
/// A record that no unit could finish, though nothing was applied, is tried this often.
const TRIES: u32 = 3;
/// Records assembled at once, at most; fewer where a unit takes fewer.
const CHUNK: u32 = 200;
/// Units of a dry run at once: each may wait for a further instance, which answers it, and instances are few.
const REHEARSED_AT_ONCE: u32 = 8;
/// Files fetched at once, of all threads of a chunk together: each takes an instance of the source's connector, and a reader and
/// the writers need theirs too.
const FILES_AT_ONCE: usize = 12;

/// Why a conversation is not loaded yet.
pub(super) const HELD: &str = "open in the source: held until the last delta ([load] hold_open)";

/// Whether an item is a conversation that is not closed.
pub(super) fn is_open(item: &Item) -> bool {
    let head = item.body.entries.first();
    head.is_some_and(|entry| matches!(entry.data, Entity::Conversation(_)) && !is_closed(entry))
}

/// How a unit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All items have outcomes.
    Done,
    /// Told to stop; goes on in the next run.
    Stopped,
    /// Taken apart: these items are open, and in doubt since then.
    Open {
        /// Keys.
        keys: Vec<String>,
        /// Something may have been applied, last at this time.
        since: Option<i64>,
        /// What the connector or the sandbox said.
        error: String,
        /// Whether trying the same again could help.
        again: bool,
        /// An item of it was in doubt from the beginning, or a dry run goes no further.
        doubted: bool,
    },
}

/// Loads one run.
pub struct Loader<'a> {
    /// The source, for bytes of attachments.
    pub source: &'a Side,
    /// The destination.
    pub destination: &'a Side,
    /// The kinds that the account takes, in their order.
    pub kinds: Vec<KindSupport>,
    /// What units need.
    pub around: Surroundings,
    /// Puts items together.
    pub assembler: Assembler,
    /// The user's rules.
    pub config: &'a Config,
    /// Which reading is loaded.
    pub extraction: String,
    /// Bytes of the largest file that the destination takes, where it says so.
    pub largest_file: Option<u64>,
    /// Told what goes on.
    pub events: &'a dyn Events,
    /// Stops at the next safe point.
    pub stop: CancellationToken,
    /// Keys of running items (rule D-14).
    pub locks: Locks,
    /// Rejects, for the stop rule.
    pub watch: Rejects,
    /// Conversations that are not closed wait for the last delta.
    pub holds_open: bool,
    /// How often a record was tried in vain.
    pub tries: Mutex<HashMap<(String, String), u32>>,
}

impl Loader<'_> {
    /// Loads everything; returns when every staged record has an outcome, or when stopped.
    ///
    /// # Errors
    /// `stopped`, `stop-rule`, or the first error that more tries would not mend.
    pub async fn run(&self, mut ready: watch::Receiver<HashSet<String>>) -> Result<(), Error> {
        self.events.phase("load");
        Box::pin(self.settle()).await?;
        let context = Box::pin(self.prepare()).await?;
        let is_schema = |support: &&KindSupport| {
            matches!(support.kind, Kind::ObjectType | Kind::FieldDefinition)
        };
        for (at, support) in self.kinds.iter().enumerate() {
            let word = kinds::name(&support.kind).to_owned();
            ready
                .wait_for(|done| done.contains(&word))
                .await
                .map_err(|_| stopped())?;
            // Records may hold values of fields that nobody defined, whose definitions are read with them, and whose turn was before.
            for earlier in self.kinds.iter().take(at).filter(is_schema) {
                Box::pin(self.load_kind(earlier, &context)).await?;
            }
            Box::pin(self.load_kind(support, &context)).await?;
        }
        // Records that the catch-up pass brought for kinds that had been loaded before it.
        ready
            .wait_for(|done| done.contains("attachment"))
            .await
            .map_err(|_| stopped())?;
        for support in &self.kinds {
            Box::pin(self.load_kind(support, &context)).await?;
        }
        let export = Export {
            around: &self.around,
            assembler: &self.assembler,
            extraction: &self.extraction,
            dir: &self.around.export_dir,
        };
        Box::pin(export.run()).await
    }

    /// Loads what the assembler opens, and nothing besides: a sample, of which all is read. Nothing is exported.
    ///
    /// # Errors
    /// As [`Loader::run`].
    pub async fn sampled(&self) -> Result<(), Error> {
        self.events.phase("load");
        Box::pin(self.settle()).await?;
        let context = Box::pin(self.prepare()).await?;
        for support in &self.kinds {
            Box::pin(self.load_kind(support, &context)).await?;
        }
        Ok(())
    }

    /// Drives every unit that was begun to an end before anything new is begun (rule D-9), then looks up what is unsettled.
    ///
    /// # Errors
    /// As [`Loader::run`].
    pub async fn settle(&self) -> Result<(), Error> {
        for (unit, frozen, attempts, now) in open_units(&self.around).await? {
            let (end, records) = self.drive(unit, frozen, attempts, now).await?;
            self.after(&records, end).await?;
        }
        for row in in_doubt(&self.around).await? {
            let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            self.singly(&kind, &id).await?;
        }
        Ok(())
    }

    /// Runs `prepare` once per run and remembers what it returned.
    pub(super) async fn prepare(&self) -> Result<crate::contract::session::Context, Error> {
        let mut context = self.destination.context.clone();
        let row = self
            .around
            .store
            .row(
                "SELECT prepared FROM runs WHERE id = $1",
                vec![(&self.around.run).into()],
            )
            .await?;
        let prepared: Option<String> = row
            .map(|row| row.try_get("prepared"))
            .transpose()?
            .flatten();
        context.state = match prepared {
            Some(state) => Some(state),
            None => {
                let frozen = Frozen {
                    context: context.clone(),
                    call: Call::Prepare,
                    records: vec![],
                    settle_ms: 0,
                };
                let (unit, now) = self.freeze("prepare", "own", &frozen).await?;
                match self.drive(unit, frozen, 0, now).await?.0 {
                    End::Done => {}
                    End::Stopped => return Err(stopped()),
                    End::Open { error, .. } => {
                        return Err(Error::failed(
                            "prepare-failed",
                            format!("{} could not be prepared: {error}", self.destination.name),
                        )
                        .with_hint("mend what it names and run again"));
                    }
                }
                let row = self
                    .around
                    .store
                    .row(
                        "SELECT prepared FROM runs WHERE id = $1",
                        vec![(&self.around.run).into()],
                    )
                    .await?;
                row.map(|row| row.try_get("prepared"))
                    .transpose()?
                    .flatten()
            }
        };
        Ok(context)
    }

    async fn load_kind(
        &self,
        support: &KindSupport,
        context: &crate::contract::session::Context,
    ) -> Result<(), Error> {
        let kind = kinds::name(&support.kind).to_owned();
        let total = self
            .around
            .store
            .number(
                "SELECT count(*) FROM staged WHERE extraction = $1 AND kind = $2",
                vec![(&self.extraction).into(), (&kind).into()],
            )
            .await?;
        let before = self
            .around
            .store
            .number(
                "SELECT count(*) FROM outcomes WHERE run = $1 AND kind = $2",
                vec![(&self.around.run).into(), (&kind).into()],
            )
            .await?;
        let done = AtomicU64::new(unsigned(before));
        let limit = support
            .max_concurrency
            .unwrap_or(u32::MAX)
            .min(self.config.load.concurrency)
            .min(match &self.around.rehearsal {
                Some(_) => REHEARSED_AT_ONCE,
                None => u32::MAX,
            })
            .max(1) as usize;
        let halted = AtomicBool::new(false);
        let chunk = i64::from(support.batch_items.clamp(1, CHUNK));
        let start = (Vec::new(), Place::default());
        let batches = stream::try_unfold(start, |(waiting, place): (Vec<Batch>, Place)| {
            let (kind, done, halted) = (&kind, &done, &halted);
            async move {
                let (mut waiting, mut place) = (waiting, place);
                if halted.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                if self.stop.is_cancelled() {
                    return Err(stopped());
                }
                while waiting.is_empty() {
                    let fresh = self.assembler.open(kind, &mut place, chunk).await?;
                    if fresh.is_empty() {
                        return Ok(None);
                    }
                    let (mut items, mut decided) = (vec![], vec![]);
                    for assembled in self.assembler.assemble_all(kind, fresh).await? {
                        match assembled {
                            Assembled::Item(item, record) if self.holds_open && is_open(&item) => {
                                let held = crate::contract::ledger::Status::Skipped(HELD.into());
                                decided.push((record, held));
                            }
                            Assembled::Item(item, record) => items.push((*item, record)),
                            Assembled::Decided(record, status) => decided.push((record, status)),
                        }
                    }
                    self.decide(&decided).await?;
                    done.fetch_add(decided.len() as u64, Ordering::Relaxed);
                    self.fetch_files(&mut items).await?;
                    if support.matches && !items.is_empty() {
                        self.find_existing(support, &mut items, context).await?;
                    }
                    waiting = batches_of(support, items);
                    waiting.reverse();
                }
                let batch = waiting.pop();
                Ok::<_, Error>(batch.map(|batch| (batch, (waiting, place))))
            }
        });
        let results = batches
            .map(|batch| {
                let done = &done;
                let kind = &kind;
                async move {
                    let batch = batch?;
                    let count = batch.items.len() as u64;
                    Box::pin(self.write_batch(support, batch, context)).await?;
                    let now = done.fetch_add(count, Ordering::Relaxed) + count;
                    self.events.progress(kind, now, Some(unsigned(total)));
                    Ok::<(), Error>(())
                }
            })
            .buffer_unordered(limit);
        tokio::pin!(results);
        let mut first: Option<Error> = None;
        while let Some(result) = results.next().await {
            if let Err(error) = result {
                // What is running is driven to its end; nothing new is begun.
                halted.store(true, Ordering::Relaxed);
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }

    pub(super) async fn write_batch(
        &self,
        support: &KindSupport,
        batch: Batch,
        context: &crate::contract::session::Context,
    ) -> Result<(), Error> {
        let _held = self.locks.hold(batch.keys).await;
        let frozen = Frozen {
            context: context.clone(),
            call: Call::Write(support.kind.clone(), batch.items),
            records: batch.records,
            settle_ms: least_settle(support),
        };
        let (unit, now) = self
            .freeze("write", kinds::name(&support.kind), &frozen)
            .await?;
        let (end, records) = self.drive(unit, frozen, 0, now).await?;
        self.after(&records, end).await?;
        self.watch.look(&self.around, self.config, unit).await
    }

    /// Stores a unit's input; from here on it is settled before anything else happens.
    async fn freeze(
        &self,
        operation: &str,
        kind: &str,
        frozen: &Frozen,
    ) -> Result<(i64, i64), Error> {
        freeze(&self.around, operation, kind, frozen).await
    }

    /// Runs a unit until it is done or must be taken apart.
    async fn drive(
        &self,
        unit: i64,
        frozen: Frozen,
        attempts: i64,
        now: i64,
    ) -> Result<(End, Vec<Record>), Error> {
        Box::pin(drive(
            self.destination,
            &self.around,
            unit,
            frozen,
            attempts,
            now,
        ))
        .await
    }

    /// What follows when a unit was taken apart.
    async fn after(&self, records: &[Record], end: End) -> Result<(), Error> {
        match end {
            End::Done => Ok(()),
            End::Stopped => Err(stopped()),
            End::Open {
                keys,
                since,
                error,
                again,
                doubted,
            } => {
                for record in records.iter().filter(|r| keys.contains(&r.key)) {
                    if doubted && records.len() == 1 {
                        let status = crate::contract::ledger::Status::Unsettled(error.clone());
                        self.decide(&[(record.clone(), status)]).await?;
                        continue;
                    }
                    let tried = {
                        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
                        let tried = tries
                            .entry((record.kind.clone(), record.id.clone()))
                            .or_insert(0);
                        *tried += 1;
                        *tried
                    };
                    if since.is_none() && (!again || tried >= TRIES) && records.len() == 1 {
                        let status =
                            crate::contract::ledger::Status::Rejected(Refused::Bug(error.clone()));
                        self.decide(&[(record.clone(), status)]).await?;
                    } else {
                        Box::pin(self.singly(&record.kind, &record.id)).await?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Runs one record as a unit of its own.
    ///
    /// # Errors
    /// As [`Loader::run`].
    pub async fn singly(&self, kind: &str, id: &str) -> Result<(), Error> {
        let parsed = kinds::parse(kind);
        let Some(support) = self.kinds.iter().find(|support| support.kind == parsed) else {
            return Ok(());
        };
        let context = Box::pin(self.prepare()).await?;
        let Some(assembled) = self.assembler.assemble(kind, id).await? else {
            return Ok(());
        };
        match assembled {
            Assembled::Decided(record, status) => self.decide(&[(record, status)]).await,
            Assembled::Item(item, record) => {
                let mut items = vec![(*item, record)];
                self.fetch_files(&mut items).await?;
                if support.matches {
                    self.find_existing(support, &mut items, &context).await?;
                }
                for batch in batches_of(support, items) {
                    Box::pin(self.write_batch(support, batch, &context)).await?;
                }
                Ok(())
            }
        }
    }

    /// Outcomes that the host gives itself, each for a record and all inside it.
    pub(super) async fn decide(
        &self,
        decisions: &[(Record, crate::contract::ledger::Status)],
    ) -> Result<(), Error> {
        let mut batch = vec![];
        let mut ledger = vec![];
        for (record, status) in decisions {
            let (word, cause, remedy) = status_words(status);
            let mut add = |kind: &str, id: &str, hash: &str, cause: Option<&str>| {
                let (statement, entry) = decided(
                    &self.around,
                    &[kind, id, hash],
                    word,
                    cause,
                    remedy.as_deref(),
                );
                batch.push(statement);
                ledger.push(entry);
            };
            add(&record.kind, &record.id, &record.hash, cause.as_deref());
            let with = cause.as_deref().map(|cause| with_its(&record.kind, cause));
            for (kind, id, hash) in &record.inside {
                add(kind, id, hash, with.as_deref());
            }
            for (kind, id, hash, cause) in &record.missing {
                add(kind, id, hash, Some(cause));
            }
            for (kind, id, hash, rule) in &record.left_out {
                let (statement, entry) =
                    decided(&self.around, &[kind, id, hash], "skipped", Some(rule), None);
                batch.push(statement);
                ledger.push(entry);
            }
        }
        self.around.store.write_ledger(batch, ledger).await?;
        Ok(())
    }

    /// Fetches the bytes that threads carry, of several threads at once; what cannot be had is named, not fatal.
    pub(super) async fn fetch_files(&self, items: &mut [(Item, Record)]) -> Result<(), Error> {
        let entries = items
            .iter_mut()
            .enumerate()
            .flat_map(|(thread, (item, _))| {
                let files = item.body.entries.iter_mut();
                files
                    .filter(|entry| matches!(entry.data, Entity::Attachment(_)))
                    .map(move |entry| (thread, entry))
            });
        let mut missing: Vec<(usize, String, String)> = stream::iter(entries)
            .map(|(thread, entry)| async move {
                let missing = self.fetch_file(entry).await?;
                Ok(missing.map(|(id, cause)| (thread, id, cause)))
            })
            .buffer_unordered(FILES_AT_ONCE)
            .collect::<Vec<Result<_, Error>>>()
            .await
            .into_iter()
            .filter_map(Result::transpose)
            .collect::<Result<_, Error>>()?;
        missing.sort();
        for (thread, id, cause) in missing {
            let Some((_, record)) = items.get_mut(thread) else {
                continue;
            };
            if let Some(at) = record.inside.iter().position(|(_, other, _)| *other == id) {
                let (kind, id, hash) = record.inside.remove(at);
                record.missing.push((kind, id, hash, cause));
            }
        }
        Box::pin(self.export_files(items)).await
    }

    /// Exports files that the destination does not take. They stay in the thread too, where the connector names them.
    async fn export_files(&self, items: &mut [(Item, Record)]) -> Result<(), Error> {
        let Some(largest) = self.largest_file else {
            return Ok(());
        };
        let mut all = vec![];
        for (item, record) in items {
            for entry in &item.body.entries {
                let Entity::Attachment(file) = &entry.data else {
                    continue;
                };
                let Some(blob) = file.content.as_ref().filter(|blob| blob.size > largest) else {
                    continue;
                };
                let id = &entry.head.id;
                let inside = &mut record.inside;
                let own = |(kind, other, _): &(String, String, String)| {
                    kind == "attachment" && other == id
                };
                if let Some(at) = inside.iter().position(own) {
                    let (_, id, hash) = inside.remove(at);
                    all.push(Oversized {
                        id,
                        hash,
                        name: file.name.clone(),
                        blob: blob.clone(),
                    });
                }
            }
        }
        export::files(&self.around, &self.around.export_dir, &all).await
    }

    async fn fetch_file(&self, entry: &mut Entry) -> Result<Option<(String, String)>, Error> {
        let id = entry.head.id.clone();
        let asked = entry.clone();
        let Entity::Attachment(attachment) = &mut entry.data else {
            return Ok(None);
        };
        if !wants_bytes(attachment) {
            return Ok(match &attachment.state {
                AttachmentState::Unavailable(why) => Some((id, why.clone())),
                AttachmentState::Redacted => Some((id, "redacted in the source".into())),
                _ => None,
            });
        }
        if self.stop.is_cancelled() {
            return Err(stopped());
        }
        let side = self.source;
        // One cause for all files of a host, before anything is asked of the connector.
        if let AttachmentState::External(link) = &attachment.state
            && let Some(host) = side.gateway.foreign_host(link)
        {
            return Ok(Some((id, not_allowed(&host, &side.name))));
        }
        let fetched = side
            .ask("open an attachment", |host| {
                let (plugin, ctx, entry) =
                    (side.plugin.clone(), side.context.clone(), asked.clone());
                async move { plugin.open_attachment(host, ctx, entry).await }
            })
            .await;
        match fetched {
            Ok(blob) => {
                self.around
                    .store
                    .write(vec![sql!(
                        "UPDATE staged SET blob = $3 WHERE extraction = $1 AND kind = 'attachment' AND id = $2",
                        &self.extraction,
                        &id,
                        serde_json::to_string(&blob)?
                    )])
                    .await?;
                attachment.size = Some(blob.size);
                attachment.content = Some(blob);
                Ok(None)
            }
            Err(Error::Interrupted) => Err(Error::Interrupted),
            // There is no room for it, which is no reason to lose it.
            Err(error) if error.code() == "store" => Err(error),
            Err(error) => {
                let why = error.to_string();
                // The report names it with its reason; there may be thousands.
                tracing::debug!(attachment = id, why, "Attachment could not be fetched.");
                if attachment.state == AttachmentState::Available {
                    attachment.state = AttachmentState::Unavailable(why.clone());
                }
                Ok(Some((id, why)))
            }
        }
    }

    /// Asks the destination which items it already has (rule M-7).
    pub(super) async fn find_existing(
        &self,
        support: &KindSupport,
        items: &mut [(Item, Record)],
        context: &crate::contract::session::Context,
    ) -> Result<(), Error> {
        let side = self.destination;
        let size = usize::try_from(support.batch_items.max(1)).unwrap_or(1);
        for chunk in items.chunks_mut(size) {
            let asked: Vec<Item> = chunk.iter().map(|(item, _)| item.clone()).collect();
            // A long text is a blob, and may be what a record is known by.
            let mut known = KnownBlobs::default();
            blobs_of(&asked, &mut known);
            let results = side
                .ask_about(known, "look for existing records", |host| {
                    let (plugin, ctx) = (side.plugin.clone(), context.clone());
                    let (kind, items) = (support.kind.clone(), asked.clone());
                    async move { plugin.match_items(host, ctx, kind, items).await }
                })
                .await?;
            let mut seen: HashMap<String, String> = HashMap::new();
            for result in results {
                let Some((item, record)) =
                    chunk.iter_mut().find(|(item, _)| item.key == result.item)
                else {
                    continue;
                };
                // Whom the user paired stays paired.
                if item.existing.is_some() {
                    continue;
                }
                let Some(mut candidate) = result.candidates.into_iter().next() else {
                    continue;
                };
                let other = match seen.get(&candidate.target_id) {
                    Some(other) => Some(other.clone()),
                    None => {
                        self.assembler
                            .taken(&record.kind, &record.id, &candidate.target_id)
                            .await?
                    }
                };
                if let Some(other) = other {
                    candidate.doubtful = Some(format!(
                        "{} {other} of the source already is this one",
                        record.kind
                    ));
                } else {
                    seen.insert(candidate.target_id.clone(), record.id.clone());
                }
                item.existing = Some(candidate);
            }
        }
        Ok(())
    }
}

/// Why files of a host are not fetched, and the setting that would allow it (rule M-16).
fn not_allowed(host: &str, connection: &str) -> String {
    format!(
        "files at {host} are fetched only if the host is allowed: add it to allow_hosts of [connections.{connection}] before the run"
    )
}

pub(super) fn stopped() -> Error {
    Error::Interrupted
}

/// Records of a run that may have been written though nobody knows it: unsettled, or out of a unit that was taken apart.
///
/// # Errors
/// A store error.
pub async fn in_doubt(around: &Surroundings) -> Result<Vec<sqlx::sqlite::SqliteRow>, Error> {
    Ok(around
        .store
        .rows(
            "SELECT kind, source_id FROM outcomes WHERE run = $1 AND status = 'unsettled' \
             UNION SELECT kind, source_id FROM doubts WHERE run = $1 ORDER BY kind, source_id",
            vec![(&around.run).into()],
        )
        .await?)
}

/// Units of a run that were begun and not ended, oldest first.
///
/// # Errors
/// A store error.
pub async fn open_units(around: &Surroundings) -> Result<Vec<(i64, Frozen, i64, i64)>, Error> {
    around
        .store
        .rows(
            "SELECT id, input, attempts, now_ms FROM units WHERE run = $1 AND status IN ('ready', 'running') ORDER BY id",
            vec![(&around.run).into()],
        )
        .await?
        .iter()
        .map(|row| {
            Ok((
                row.try_get("id")?,
                serde_json::from_str(&row.try_get::<String, _>("input")?)?,
                row.try_get("attempts")?,
                row.try_get("now_ms")?,
            ))
        })
        .collect()
}

/// Stores a unit's input (rule D-6).
///
/// # Errors
/// A store error.
pub async fn freeze(
    around: &Surroundings,
    operation: &str,
    kind: &str,
    frozen: &Frozen,
) -> Result<(i64, i64), Error> {
    let unit = around.store.new_id();
    let now = around.clock.now();
    let input = serde_json::to_string(frozen)?;
    let hash = crate::store::sha256(&input);
    let mut batch = vec![
        around.store.fence(),
        sql!(
            "INSERT INTO units (id, run, operation, kind, status, attempts, digest, now_ms, input, input_hash) \
             VALUES ($1, $2, $3, $4, 'ready', 0, $5, $6, $7, $8)",
            unit,
            &around.run,
            operation,
            kind,
            &around.digest,
            now,
            input,
            hash
        ),
    ];
    for record in &frozen.records {
        batch.push(sql!(
            "INSERT INTO unit_items (unit, run, kind, source_id) VALUES ($1, $2, $3, $4)",
            unit,
            &around.run,
            &record.kind,
            &record.id
        ));
    }
    around.store.write(batch).await?;
    Ok((unit, now))
}

/// A unit's input as it was frozen.
async fn stored_input(around: &Surroundings, unit: i64) -> Result<Frozen, Error> {
    let row = around
        .store
        .row("SELECT input FROM units WHERE id = $1", vec![unit.into()])
        .await?;
    let input: String = row
        .map(|row| row.try_get("input"))
        .transpose()?
        .unwrap_or_default();
    Ok(serde_json::from_str(&input)?)
}

/// Runs a unit until it is done or must be taken apart, and gives the records back that it answers for.
///
/// The items are handed over to the connector's instance, and not kept beside it: most units are run once, and those that are
/// under way together are most of what is in memory. A unit that is run again reads what was stored.
///
/// # Errors
/// A store error, another owner, or an illegal transition.
pub async fn drive(
    side: &Side,
    around: &Surroundings,
    unit: i64,
    mut frozen: Frozen,
    attempts: i64,
    now: i64,
) -> Result<(End, Vec<Record>), Error> {
    let doubted = matches!(
        &frozen.call,
        Call::Write(_, items) if items.iter().any(|item| item.in_doubt_since.is_some())
    );
    let mut handed_over = false;
    let mut attempts = attempts;
    let mut status = if attempts == 0 {
        Status::Ready
    } else {
        Status::Running
    };
    loop {
        attempts += 1;
        status = next(status, Event::Start)?;
        around
            .store
            .write(vec![sql!(
                "UPDATE units SET status = $2, attempts = $3 WHERE id = $1",
                unit,
                status.word(),
                attempts
            )])
            .await?;
        if handed_over {
            frozen = stored_input(around, unit).await?;
        }
        let host = Arc::new(Durable::open(around.clone(), unit, now, &frozen).await?);
        let ctx = frozen.context.clone();
        let call = std::mem::replace(&mut frozen.call, Call::Prepare);
        handed_over = true;
        let (plugin, unit_host) = (side.plugin.clone(), host.clone());
        let result: Result<Result<Option<String>, Refused>, UnitError> = apart(async move {
            match call {
                Call::Prepare => plugin
                    .prepare(unit_host, ctx)
                    .await
                    .map(|result| result.map(Some)),
                Call::Write(kind, items) => plugin
                    .write(unit_host, ctx, kind, items)
                    .await
                    .map(|result| result.map(|()| None)),
                Call::Undo(mode, effects, ours) => plugin
                    .undo(unit_host, ctx, mode, effects, ours)
                    .await
                    .map(|result| result.map(|()| None)),
            }
        })
        .await?;
        if host.stopping() {
            return Ok((End::Stopped, frozen.records));
        }
        let unanswered = matches!(result, Err(UnitError::Abort(UnitAbort::Unanswered(_))));
        if let Some(hook) = &around.boundary {
            hook(crate::unit::Boundary::Finished).await;
        }
        let left = host.leftovers();
        let (error, again) = match result {
            Ok(Ok(state)) if left.open.is_empty() && left.unclaimed.is_empty() => {
                status = next(status, Event::Finish)?;
                let mut batch = host.closing(status, None, None);
                if let Some(state) = state {
                    batch.push(sql!(
                        "UPDATE runs SET prepared = $2 WHERE id = $1",
                        &around.run,
                        state
                    ));
                }
                around.store.write(batch).await?;
                return Ok((End::Done, frozen.records));
            }
            Ok(Ok(_)) if !left.unclaimed.is_empty() => (
                format!("a replay did not repeat {}", left.unclaimed.join(", ")),
                false,
            ),
            Ok(Ok(_)) => ("the connector gave no outcome".to_owned(), true),
            Ok(Err(Refused::Cancelled)) => return Ok((End::Stopped, frozen.records)),
            Ok(Err(error)) => {
                let again = matches!(
                    error,
                    Refused::Transient(_) | Refused::Quota(_) | Refused::Auth(_)
                );
                (error_words(&error).0, again)
            }
            Err(UnitError::Abort(UnitAbort::Store(why))) => {
                return Err(
                    Error::environment("store", format!("the store failed: {why}"))
                        .with_hint("make room on the disk or mend the file system, then run again"),
                );
            }
            Err(UnitError::Abort(UnitAbort::Fenced)) => {
                return Err(Error::environment(
                    "fenced",
                    "another process has taken this run over",
                ));
            }
            Err(UnitError::Abort(abort)) => (abort.to_string(), false),
            Err(trap) if attempts < RUNS && trap.may_pass() => {
                tracing::warn!(unit, attempts, error = %trap, "Unit failed; running it again.");
                continue;
            }
            Err(trap) => (trap.to_string(), false),
        };
        // In a dry run nothing was applied, whatever was answered.
        let applied = left.applied && !unanswered;
        let event = if applied {
            Event::Diverge
        } else {
            Event::GiveUp
        };
        status = next(status, event)?;
        if unanswered {
            tracing::debug!(unit, error, "Unit goes no further.");
        } else {
            tracing::warn!(unit, error, ?status, "Unit taken apart.");
        }
        let since = left.since.filter(|_| applied);
        around
            .store
            .write(host.closing(status, Some(&error), since))
            .await?;
        let end = End::Open {
            keys: left.open,
            since,
            error,
            again,
            doubted: doubted || unanswered,
        };
        return Ok((end, frozen.records));
    }
}

/// Items that go into one unit.
pub(super) struct Batch {
    items: Vec<Item>,
    records: Vec<Record>,
    keys: Vec<String>,
}

/// Divides items by number, bytes and unique keys, keeping their order.
pub(super) fn batches_of(support: &KindSupport, items: Vec<(Item, Record)>) -> Vec<Batch> {
    let most = usize::try_from(support.batch_items.max(1)).unwrap_or(1);
    let mut batches: Vec<(Batch, HashSet<String>, u64)> = vec![];
    for (item, record) in items {
        let size = size_of(&item);
        let (unique, all) = conflict_values(&support.conflicts, &item);
        let fits = |(batch, taken, bytes): &(Batch, HashSet<String>, u64)| {
            item.in_doubt_since.is_none()
                && batch
                    .items
                    .iter()
                    .all(|other| other.in_doubt_since.is_none())
                && batch.items.len() < most
                && (bytes + size <= support.batch_bytes || batch.items.is_empty())
                && unique.is_disjoint(taken)
        };
        let at = match batches.iter().rposition(fits) {
            // Only the last few are looked at, so that order is kept roughly and time stays linear.
            Some(at) if at + 4 >= batches.len() => at,
            _ => {
                batches.push((
                    Batch {
                        items: vec![],
                        records: vec![],
                        keys: vec![],
                    },
                    HashSet::new(),
                    0,
                ));
                batches.len() - 1
            }
        };
        if let Some((batch, taken, bytes)) = batches.get_mut(at) {
            batch.items.push(item);
            batch.records.push(record);
            batch.keys.extend(all);
            taken.extend(unique);
            *bytes += size;
        }
    }
    batches.into_iter().map(|(batch, ..)| batch).collect()
}

/// Bytes of an item as they will roughly be sent, its files not counted: those are streamed.
fn size_of(item: &Item) -> u64 {
    let entry = |entry: &Entry| match &entry.data {
        Entity::Message(m) => {
            let text = |text: &Option<crate::contract::types::Text>| match text {
                Some(crate::contract::types::Text::Inline(text)) => text.len() as u64,
                Some(crate::contract::types::Text::Stored(blob)) => blob.size,
                None => 0,
            };
            300 + text(&m.text).max(text(&m.html))
        }
        Entity::Attachment(_) => 100,
        _ => 1_000,
    };
    item.body.entries.iter().map(entry).sum()
}

/// The conflict keys of an item: those no other item of its batch may have, and all (rule D-14).
fn conflict_values(rules: &[ConflictKey], item: &Item) -> (HashSet<String>, Vec<String>) {
    let mut unique = HashSet::new();
    let mut all = vec![];
    let Some(entry) = item.body.entries.first() else {
        return (unique, all);
    };
    for rule in rules {
        for value in field_values(entry, &rule.path) {
            let value = normalise(&value, rule.normalise);
            if value.is_empty() {
                continue;
            }
            let key = format!("{}={value}", rule.path);
            if rule.scope == crate::contract::description::ConflictScope::Unique {
                unique.insert(key.clone());
            }
            all.push(key);
        }
    }
    (unique, all)
}

fn field_values(entry: &Entry, path: &str) -> Vec<String> {
    let addresses = |addresses: &[crate::contract::types::Address], want: &str| {
        addresses
            .iter()
            .filter(|address| match (&address.channel, want) {
                (AddressChannel::Email, "addresses.email") => true,
                (AddressChannel::Phone | AddressChannel::Whatsapp, "addresses.phone") => true,
                _ => want == "addresses",
            })
            .map(|address| address.value.clone())
            .collect()
    };
    match (&entry.data, path) {
        (_, "id") => vec![entry.head.id.clone()],
        (_, "kind") => vec![kinds::name(&entry.head.kind).to_owned()],
        (_, "external-id") => entry.head.external_id.iter().cloned().collect(),
        (Entity::Customer(c), path) if path.starts_with("addresses") => {
            addresses(&c.addresses, path)
        }
        (Entity::Company(c), path) if path.starts_with("addresses") => {
            addresses(&c.addresses, path)
        }
        (Entity::Customer(c), "company") => c.company.iter().map(|r| r.id.clone()).collect(),
        (Entity::Customer(c), "name") => c.name.iter().cloned().collect(),
        (Entity::Company(c), "name") => vec![c.name.clone()],
        (Entity::Company(c), "domains") => c.domains.clone(),
        (Entity::Team(t), "name") => vec![t.name.clone()],
        (Entity::Tag(t), "name") => vec![t.name.clone()],
        (Entity::Brand(b), "name") => vec![b.name.clone()],
        (Entity::Agent(a), "addresses.email") => a.email.iter().cloned().collect(),
        (Entity::FieldDefinition(f), "name") => vec![f.name.clone()],
        (Entity::FieldDefinition(f), "label") => vec![f.label.clone()],
        (Entity::ObjectType(o), "name") => vec![o.name.clone()],
        (Entity::Conversation(c), "customer") => c.customer.iter().map(|r| r.id.clone()).collect(),
        (Entity::CustomObject(o), "object-type") => vec![o.object_type.clone()],
        (Entity::CustomObject(o), "customer") => o.customer.iter().map(|r| r.id.clone()).collect(),
        (Entity::CustomObject(o), "company") => o.company.iter().map(|r| r.id.clone()).collect(),
        (Entity::Relationship(r), "source") => vec![r.source.id.clone()],
        (Entity::Relationship(r), "target") => vec![r.target.id.clone()],
        _ => vec![],
    }
}

fn normalise(value: &str, how: Normalisation) -> String {
    match how {
        Normalisation::Exact => value.to_owned(),
        Normalisation::TrimmedLower | Normalisation::Email => value.trim().to_lowercase(),
        Normalisation::PhoneDigits => value.chars().filter(char::is_ascii_digit).collect(),
    }
}

fn least_settle(support: &KindSupport) -> u64 {
    support
        .settle
        .iter()
        .map(|settle| settle.ms)
        .min()
        .unwrap_or(0)
}

/// Keys of items that are being written; a unit waits until all of its own are free.
#[derive(Default)]
pub struct Locks {
    held: Arc<Mutex<BTreeMap<String, ()>>>,
    freed: Arc<Notify>,
}

/// Frees its keys when dropped.
pub struct Held {
    keys: Vec<String>,
    held: Arc<Mutex<BTreeMap<String, ()>>>,
    freed: Arc<Notify>,
}

impl Locks {
    async fn hold(&self, mut keys: Vec<String>) -> Held {
        keys.sort();
        keys.dedup();
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                if keys.iter().all(|key| !held.contains_key(key)) {
                    for key in &keys {
                        held.insert(key.clone(), ());
                    }
                    return Held {
                        keys,
                        held: Arc::clone(&self.held),
                        freed: Arc::clone(&self.freed),
                    };
                }
            }
            freed.await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &self.keys {
            held.remove(key);
        }
        drop(held);
        self.freed.notify_waiters();
    }
}

/// Counts rejects of one cause, for the stop rule (rule M-10).
#[derive(Default)]
pub struct Rejects {
    state: Mutex<RejectState>,
}

#[derive(Default)]
struct RejectState {
    in_a_row: u32,
    loaded: u64,
    by_cause: HashMap<String, u64>,
}

/// The percentage rule says nothing before this many records were loaded.
const ENOUGH_FOR_PERCENT: u64 = 1_000;

impl Rejects {
    async fn look(&self, around: &Surroundings, config: &Config, unit: i64) -> Result<(), Error> {
        let rows = around
            .store
            .rows(
                "SELECT status, coalesce(cause, '') AS cause FROM outcomes o JOIN unit_items u ON u.run = o.run AND u.kind = o.kind \
                 AND u.source_id = o.source_id WHERE u.unit = $1",
                vec![unit.into()],
            )
            .await?;
        let rule = &config.load.stop_rule;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            let (status, cause): (String, String) = (row.try_get("status")?, row.try_get("cause")?);
            state.loaded += 1;
            if status != "rejected" {
                state.in_a_row = 0;
                continue;
            }
            let count = state.by_cause.entry(cause.clone()).or_insert(0);
            *count += 1;
            let of_cause = *count;
            state.in_a_row += 1;
            #[allow(
                clippy::cast_precision_loss,
                reason = "a percentage of counts far below 2^52"
            )]
            let percent = of_cause as f64 * 100.0 / state.loaded as f64;
            if state.in_a_row >= rule.consecutive
                || (state.loaded >= ENOUGH_FOR_PERCENT && percent > rule.percent)
            {
                return Err(Error::failed(
                    "stop-rule",
                    format!("{of_cause} records were rejected for one reason: {cause}"),
                )
                .with_hint(
                    "look at `transload report`, mend the cause, and run again; or raise [load] stop_rule",
                ));
            }
        }
        Ok(())
    }
}

/// The kinds that a source is asked for.
#[must_use]
pub fn wanted(config: &Config) -> Vec<Kind> {
    kinds::ALL
        .iter()
        .filter(|kind| config.filter.wants(kinds::name(kind)))
        .cloned()
        .collect()
}
