//! One durable unit: what a writing call did, kept so that it can be run again and takes the same way (design §7).
//!
//! [`Durable`] is the [`UnitHost`] of `prepare`, `write` and `undo`. Its policy:
//! - a mutating request is journaled before it leaves and its answer before the guest sees it; reads, waits and reports become
//!   durable at the latest with the next of those (rule D-17);
//! - every answer has a number, and answers reach the guest one at a time in that order: the next is released only when the
//!   guest waits again. That costs one wake-up an answer and makes a replay exact even for a guest that has several calls open
//!   (rule D-7);
//! - on a replay a call whose answer is recorded gets it in its old place; the first live call comes after the last recorded
//!   one; a call that nobody makes again is a divergence and ends the unit (design §7.4).
//!
//! What units are made of and when they run is the business of `pipeline`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use tokio::sync::Notify;

use crate::blobs::{BlobStore, Builder};
use crate::clock::SharedClock;
use crate::contract::{destination, http, ledger, runtime, session, types};
use crate::error::Error;
use crate::gateway::{Exchange, Gateway, IntentLog};
use crate::rehearsal::{Earlier, Part, Rehearsal};
use crate::store::{AMONG, LedgerEntry, Statement, Store, StoreError, among, outcome_digest};
use crate::unit_host::{KnownBlobs, UnitAbort, UnitHost};
use crate::{among, exported, kinds, sql};

/// An intent may be sent at most this long after its commit, on a clock that counts suspend (rule D-15).
pub const SEND_MARGIN: Duration = Duration::from_secs(5);
/// Answers beyond this live in the blob folder until the outcome (rule D-17).
const INLINE_ANSWER: usize = 64 * 1024;
/// A replay in which nothing moves for this long, while the guest waits, has nobody who will fetch the next recorded answer.
const STANDSTILL: Duration = Duration::from_millis(500);
/// A guest that computes between two answers holds the next one back for at most this long.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Frozen and stored, not run yet.
    Ready,
    /// Being run, or was when the process died.
    Running,
    /// All items have outcomes.
    Done,
    /// Given up as a whole: its open items run singly, look-up first.
    Split,
    /// Nothing was applied and it cannot go on: its open items are free again.
    Failed,
}

/// What happens to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is run, for the first time or again.
    Start,
    /// The guest returned and every item has an outcome.
    Finish,
    /// It took another way, trapped too often, or left items open after something was applied.
    Diverge,
    /// The guest gave up before anything was applied.
    GiveUp,
}

/// An event that a unit's status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a unit that is {status:?} cannot {event:?}")]
pub struct IllegalEvent {
    /// Where it stands.
    pub status: Status,
    /// What was asked.
    pub event: Event,
}

/// The life of a unit, whole.
///
/// # Errors
/// [`IllegalEvent`] for anything that is not in the table.
pub fn next(status: Status, event: Event) -> Result<Status, IllegalEvent> {
    match (status, event) {
        (Status::Ready | Status::Running, Event::Start) => Ok(Status::Running),
        (Status::Running, Event::Finish) => Ok(Status::Done),
        (Status::Running, Event::Diverge) => Ok(Status::Split),
        (Status::Running, Event::GiveUp) => Ok(Status::Failed),
        (status, event) => Err(IllegalEvent { status, event }),
    }
}

impl Status {
    /// As it is stored.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Split => "split",
            Self::Failed => "failed",
        }
    }
}

/// A record that a unit answers for, beside what the guest sees of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The item's key in the unit.
    pub key: String,
    /// Kind, as a word.
    pub kind: String,
    /// The source's id.
    pub id: String,
    /// Hash of the staged row that was frozen.
    pub hash: String,
    /// Written to the destination to find it again.
    pub marker: String,
    /// Records that travel inside this one and share its fate: `(kind, id, hash)`.
    pub inside: Vec<(String, String, String)>,
    /// Records that should travel inside and cannot, with the reason: files whose bytes are not to be had.
    pub missing: Vec<(String, String, String, String)>,
    /// Records that would travel inside and that a rule leaves out, with the rule (rule M-13).
    #[serde(default)]
    pub left_out: Vec<(String, String, String, String)>,
    /// What the host itself took from the record or changed in it.
    #[serde(default)]
    pub losses: Vec<types::Loss>,
}

/// A unit's whole input, fixed before its first request (rule D-6).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frozen {
    /// What the call is made for.
    pub context: session::Context,
    /// The call.
    pub call: Call,
    /// The records it answers for.
    pub records: Vec<Record>,
    /// The least settle time of the kind, ms (rule D-3): no request is repeated earlier after a doubt.
    pub settle_ms: u64,
}

/// The three calls that write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Call {
    /// What the connector itself needs.
    Prepare,
    /// Items of one kind.
    Write(types::Kind, Vec<destination::Item>),
    /// Effects to undo, and our other objects.
    Undo(
        destination::UndoMode,
        Vec<destination::Undoing>,
        Vec<(String, String)>,
    ),
}

/// The points at which a crash must do no harm. A test's hook may wait for ever at any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// An intent is durable and the request has not left.
    Intended,
    /// An answer has arrived and is not durable.
    Arrived,
    /// An answer is durable and the guest has not seen it.
    Answered,
    /// An outcome is about to be written.
    BeforeOutcome,
    /// An outcome is durable.
    Outcome,
    /// The guest is done and the unit is not closed.
    Finished,
}

/// Called at every [`Boundary`]: the engine's own fault injection, for tests.
pub type BoundaryHook = Arc<dyn Fn(Boundary) -> BoxFuture<'static, ()> + Send + Sync>;

/// What a unit needs of the process.
#[derive(Clone)]
pub struct Surroundings {
    /// State.
    pub store: Store,
    /// Bytes.
    pub blobs: BlobStore,
    /// The destination's way out.
    pub gateway: Gateway,
    /// Time.
    pub clock: SharedClock,
    /// The run.
    pub run: String,
    /// The destination account (rule D-12).
    pub account: String,
    /// Digest of the plugin that runs.
    pub digest: String,
    /// Where the run writes what the destination does not take.
    pub export_dir: PathBuf,
    /// Fault injection.
    pub boundary: Option<BoundaryHook>,
    /// Answers in the network's place to whatever would change something: a dry run.
    pub rehearsal: Option<Rehearsal>,
}

/// The host of one writing unit.
#[derive(Clone)]
pub struct Durable {
    inner: Arc<Inner>,
}

struct Inner {
    around: Surroundings,
    unit: i64,
    now: i64,
    settle_ms: i64,
    records: HashMap<String, Record>,
    /// What stands at each place of an item's body, by its key; of those with more than the record itself.
    carried: HashMap<String, Vec<Carried>>,
    undoing: HashSet<u64>,
    prepares: bool,
    /// Makes what later units read: fields, groups.
    defines: bool,
    state: Mutex<State>,
    changed: Notify,
}

/// An entry of a body, as far as an outcome may speak of it.
struct Carried {
    kind: String,
    id: String,
    /// A file's name and bytes.
    file: Option<(String, types::BlobRef)>,
}

/// What becomes of an entry that the destination refused.
struct RefusedEntry<'a> {
    kind: &'a str,
    id: &'a str,
    reason: &'a str,
    /// The name in the export folder, of a file with bytes.
    exported: Option<String>,
}

#[derive(Default)]
struct State {
    rows: HashMap<String, JournalRow>,
    /// Recorded deliveries not yet made again.
    recorded: BTreeMap<i64, String>,
    /// The highest of them.
    replay_to: i64,
    /// The last number that was given out.
    numbered: i64,
    /// The last number that reached the guest.
    released: i64,
    /// The guest waits.
    idle: bool,
    /// Counts everything that moves, for noticing a standstill.
    moves: u64,
    /// Recorded calls that wait for their turn, and live ones that repeat a recorded one.
    claimed: HashSet<String>,
    times: HashMap<String, u32>,
    /// Rows to be written with the next durable batch.
    buffered: Vec<Statement>,
    blobs: KnownBlobs,
    reported: HashSet<String>,
    /// In a dry run, what was answered in the platform's place.
    rehearsed: Vec<Earlier>,
    abort: Option<UnitAbort>,
    stopping: bool,
    /// The guest has: nothing that has not left by now leaves any more.
    ended: bool,
}

#[derive(Debug, Clone)]
struct JournalRow {
    digest: String,
    mutating: bool,
    passing: bool,
    state: RowState,
    attempts: u32,
    first_sent: Option<i64>,
    last_sent: Option<i64>,
    delivery: Option<i64>,
    answer: Option<Answer>,
    expires_at: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowState {
    Intended,
    Refused,
    Answered,
}

/// What the guest was given.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Answer {
    Response(StoredResponse),
    Download(StoredResponse, types::BlobRef),
    Error(http::Error),
    Reported(Vec<Result<(), ledger::Refusal>>),
    Slept,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StoredResponse {
    status: u16,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    attempted_before: bool,
}

impl From<http::Response> for StoredResponse {
    fn from(response: http::Response) -> Self {
        let (text, bytes) = match String::from_utf8(response.body) {
            Ok(text) => (Some(text), None),
            Err(error) => (
                None,
                Some(base64::engine::general_purpose::STANDARD.encode(error.into_bytes())),
            ),
        };
        Self {
            status: response.status,
            headers: response
                .headers
                .into_iter()
                .map(|h| (h.name, h.value))
                .collect(),
            text,
            bytes,
            attempted_before: response.attempted_before,
        }
    }
}

impl From<StoredResponse> for http::Response {
    fn from(stored: StoredResponse) -> Self {
        let body = match (stored.text, stored.bytes) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(bytes)) => base64::engine::general_purpose::STANDARD
                .decode(bytes)
                .unwrap_or_default(),
            (None, None) => vec![],
        };
        Self {
            status: stored.status,
            headers: stored
                .headers
                .into_iter()
                .map(|(name, value)| http::Header { name, value })
                .collect(),
            body,
            attempted_before: stored.attempted_before,
        }
    }
}

/// How a call begins.
enum Start {
    /// It was answered before; the turn has come.
    Recorded(Answer),
    /// It goes out, for the first time or again.
    Live(Live),
    /// An earlier attempt left and its answer was never seen.
    Doubt(http::Doubt),
}

struct Live {
    attempts: u32,
    first_sent: Option<i64>,
    /// The number of its recorded answer, which has expired.
    delivery: Option<i64>,
}

/// How a unit's run ended, beside what the guest returned.
#[derive(Debug, Clone, Default)]
pub struct Leftovers {
    /// Items without an outcome.
    pub open: Vec<String>,
    /// Something was applied, or may have been, that no outcome claims.
    pub applied: bool,
    /// When the earliest attempt in question left, ms.
    pub since: Option<i64>,
    /// Recorded writes that this run of the unit did not make again.
    pub unclaimed: Vec<String>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn store_failed(error: StoreError) -> UnitAbort {
    match error {
        StoreError::Fenced => UnitAbort::Fenced,
        other => UnitAbort::Store(other.to_string()),
    }
}

impl Durable {
    /// Prepares to run a unit, for the first time or again: reads what its journal holds.
    ///
    /// # Errors
    /// [`StoreError`] if the journal cannot be read.
    pub async fn open(
        around: Surroundings,
        unit: i64,
        now: i64,
        frozen: &Frozen,
    ) -> Result<Self, StoreError> {
        let mut state = State::default();
        for row in around
            .store
            .rows(
                "SELECT ident, digest, mutating, passing, state, attempts, first_sent, last_sent, delivery, answer, \
                 answer_blob, expires_at FROM journal WHERE unit = $1",
                vec![unit.into()],
            )
            .await?
        {
            let ident: String = row.try_get("ident")?;
            let mut answer: Option<String> = row.try_get("answer")?;
            if let Some(blob) = row.try_get::<Option<String>, _>("answer_blob")? {
                let blob: types::BlobRef = serde_json::from_str(&blob)?;
                let bytes = around
                    .blobs
                    .read(&blob, 0, u32::try_from(blob.size).unwrap_or(u32::MAX))
                    .map_err(|e| StoreError::Corrupt(e.to_string()))?;
                answer = Some(
                    String::from_utf8(bytes).map_err(|e| StoreError::Corrupt(e.to_string()))?,
                );
            }
            let entry = JournalRow {
                digest: row.try_get("digest")?,
                mutating: row.try_get::<i64, _>("mutating")? != 0,
                passing: row.try_get::<i64, _>("passing")? != 0,
                state: match row.try_get::<String, _>("state")?.as_str() {
                    "intended" => RowState::Intended,
                    "refused" => RowState::Refused,
                    _ => RowState::Answered,
                },
                attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(u32::MAX),
                first_sent: row.try_get("first_sent")?,
                last_sent: row.try_get("last_sent")?,
                delivery: row.try_get("delivery")?,
                answer: answer.as_deref().map(serde_json::from_str).transpose()?,
                expires_at: row.try_get("expires_at")?,
            };
            if let Some(Answer::Download(_, blob)) = &entry.answer {
                state.blobs.add(blob);
            }
            if let (Some(number), RowState::Answered) = (entry.delivery, entry.state) {
                state.recorded.insert(number, ident.clone());
            }
            state.rows.insert(ident, entry);
        }
        state.replay_to = state.recorded.keys().next_back().copied().unwrap_or(0);
        state.numbered = state.replay_to;
        // Numbers that were never given to an answer (it was buffered and lost) leave gaps; the first recorded one is next.
        state.released = state.recorded.keys().next().map_or(0, |first| first - 1);
        for row in around
            .store
            .rows(
                "SELECT o.kind, o.source_id FROM unit_items u JOIN outcomes o ON o.run = u.run AND o.kind = u.kind \
                 AND o.source_id = u.source_id WHERE u.unit = $1 AND o.unit = $1",
                vec![unit.into()],
            )
            .await?
        {
            let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            if let Some(record) = frozen
                .records
                .iter()
                .find(|record| record.kind == kind && record.id == id)
            {
                state.reported.insert(record.key.clone());
            }
        }
        collect_blobs(&frozen.call, &mut state.blobs);
        let undoing = match &frozen.call {
            Call::Undo(_, effects, _) => effects.iter().map(|u| u.effect_id).collect(),
            _ => HashSet::new(),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                around,
                unit,
                now,
                settle_ms: i64::try_from(frozen.settle_ms).unwrap_or(i64::MAX),
                records: frozen
                    .records
                    .iter()
                    .map(|record| (record.key.clone(), record.clone()))
                    .collect(),
                carried: carried(&frozen.call),
                undoing,
                prepares: matches!(frozen.call, Call::Prepare),
                defines: match &frozen.call {
                    Call::Prepare => true,
                    Call::Write(kind, _) => kinds::DEFINITIONS.contains(kind),
                    Call::Undo(..) => false,
                },
                state: Mutex::new(state),
                changed: Notify::new(),
            }),
        })
    }

    /// What is left once the guest has ended, in whatever way.
    #[must_use]
    pub fn leftovers(&self) -> Leftovers {
        let state = locked(&self.inner.state);
        let mut open: Vec<String> = self
            .inner
            .records
            .keys()
            .filter(|key| !state.reported.contains(*key))
            .cloned()
            .collect();
        open.sort();
        let lasting = || {
            state
                .rows
                .values()
                .filter(|row| row.mutating && !row.passing && row.possibly_applied())
        };
        Leftovers {
            applied: !open.is_empty() && lasting().next().is_some(),
            since: lasting().filter_map(|row| row.last_sent).max(),
            unclaimed: state
                .recorded
                .values()
                .filter(|ident| state.rows.get(*ident).is_some_and(|row| row.mutating))
                .cloned()
                .collect(),
            open,
        }
    }

    /// Whether the unit was told to stop.
    #[must_use]
    pub fn stopping(&self) -> bool {
        locked(&self.inner.state).stopping
    }

    /// What the statements are that close the unit: trims the journal to audit rows, frees the items that have no outcome, and
    /// remembers since when they are in doubt.
    #[must_use]
    pub fn closing(
        &self,
        status: Status,
        error: Option<&str>,
        doubt: Option<i64>,
    ) -> Vec<Statement> {
        let unit = self.inner.unit;
        let mut batch = vec![];
        if status != Status::Done {
            if let Some(since) = doubt {
                batch.push(sql!(
                    "INSERT INTO doubts (run, kind, source_id, since) SELECT u.run, u.kind, u.source_id, $2 FROM unit_items u \
                     WHERE u.unit = $1 AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.run = u.run AND o.kind = u.kind \
                     AND o.source_id = u.source_id) ON CONFLICT (run, kind, source_id) DO UPDATE SET since = $2",
                    unit,
                    since
                ));
            }
            batch.push(sql!(
                "DELETE FROM unit_items WHERE unit = $1 AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.run = unit_items.run \
                 AND o.kind = unit_items.kind AND o.source_id = unit_items.source_id)",
                unit
            ));
        }
        batch.extend([
            sql!(
                "INSERT INTO audit (run, unit, at_ms, ident, method, path, status, attempts) \
                 SELECT $2, unit, coalesce(last_sent, 0), ident, request, digest, \
                 CASE state WHEN 'answered' THEN 1 ELSE 0 END, attempts FROM journal WHERE unit = $1 AND mutating = 1",
                unit,
                &self.inner.around.run
            ),
            sql!("DELETE FROM journal WHERE unit = $1", unit),
            sql!(
                "UPDATE units SET status = $2, error = $3, input = '' WHERE id = $1",
                unit,
                status.word(),
                error
            ),
        ]);
        batch
    }
}

impl JournalRow {
    /// Whether the platform may hold something because of this request.
    fn possibly_applied(&self) -> bool {
        match self.state {
            RowState::Refused => false,
            RowState::Intended => true,
            RowState::Answered => match &self.answer {
                Some(Answer::Response(response)) => (200..300).contains(&response.status),
                Some(Answer::Error(http::Error::InDoubt(_))) => true,
                _ => false,
            },
        }
    }

    fn in_doubt(&self) -> bool {
        self.state == RowState::Intended
            || matches!(self.answer, Some(Answer::Error(http::Error::InDoubt(_))))
    }
}

fn collect_blobs(call: &Call, into: &mut KnownBlobs) {
    let Call::Write(_, items) = call else { return };
    blobs_of(items, into);
}

/// The blobs that items carry: texts beyond what is kept inline, and files.
pub(crate) fn blobs_of(items: &[destination::Item], into: &mut KnownBlobs) {
    fn entry(entry: &types::Entry, into: &mut KnownBlobs) {
        let mut text = |text: &types::Text| {
            if let types::Text::Stored(blob) = text {
                into.add(blob);
            }
        };
        match &entry.data {
            types::Entity::Message(message) => {
                message.text.iter().chain(&message.html).for_each(text);
            }
            types::Entity::CustomObject(object) => {
                let comments = object.comments.iter().map(|comment| &comment.text);
                let texts = object.description.iter().chain(&object.data);
                texts.chain(comments).for_each(text);
            }
            types::Entity::Article(article) => {
                article
                    .versions
                    .iter()
                    .for_each(|version| text(&version.html));
            }
            types::Entity::Attachment(attachment) => {
                if let Some(blob) = &attachment.content {
                    into.add(blob);
                }
            }
            _ => {}
        }
    }
    for item in items {
        for one in &item.body.entries {
            entry(one, into);
        }
    }
}

impl Inner {
    async fn at(&self, boundary: Boundary) {
        if let Some(hook) = &self.around.boundary {
            hook(boundary).await;
        }
    }

    fn abort(&self, why: UnitAbort) -> UnitAbort {
        let mut state = locked(&self.state);
        let why = state.abort.get_or_insert(why).clone();
        drop(state);
        self.changed.notify_waiters();
        why
    }

    /// Names a call: the same call in a replay gets the same name.
    fn ident(&self, base: String) -> String {
        let mut state = locked(&self.state);
        let time = state.times.entry(base.clone()).or_insert(0);
        *time += 1;
        if *time == 1 {
            base
        } else {
            format!("{base}#{time}")
        }
    }

    /// Waits until this number is next and the guest waits for it.
    async fn turn(&self, number: i64) -> Result<(), UnitAbort> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let next = {
                let mut state = locked(&self.state);
                if let Some(abort) = &state.abort {
                    return Err(abort.clone());
                }
                if state.ended {
                    return Ok(()); // nobody is there to be handed anything
                }
                let next = state.released + 1 == number;
                if next && state.idle {
                    state.release(number);
                    drop(state);
                    self.changed.notify_waiters();
                    return Ok(());
                }
                next
            };
            if next {
                if tokio::time::timeout(PATIENCE, changed).await.is_err() {
                    let mut state = locked(&self.state);
                    if state.released + 1 == number {
                        state.release(number);
                        drop(state);
                        self.changed.notify_waiters();
                        return Ok(());
                    }
                }
            } else {
                changed.await;
            }
        }
    }

    /// Waits until every recorded answer has been given again.
    async fn caught_up(&self) -> Result<(), UnitAbort> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = locked(&self.state);
                if let Some(abort) = &state.abort {
                    return Err(abort.clone());
                }
                if state.ended {
                    return Err(UnitAbort::Ended);
                }
                if state.recorded.is_empty() {
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    /// Decides how a call goes: from the journal, live, or in doubt.
    async fn start(&self, ident: &str, digest: &str, again: Again) -> Result<Start, UnitAbort> {
        let row = locked(&self.state).rows.get(ident).cloned();
        let Some(row) = row else {
            self.caught_up().await?;
            return Ok(Start::Live(Live {
                attempts: 0,
                first_sent: None,
                delivery: None,
            }));
        };
        if row.mutating && row.digest != digest {
            return Err(self.abort(UnitAbort::Diverged(format!(
                "{ident} is not the request that was journaled"
            ))));
        }
        match (row.state, row.answer) {
            (RowState::Answered, Some(answer)) => {
                let expired = row
                    .expires_at
                    .is_some_and(|at| at <= self.around.clock.now());
                if let Some(number) = row.delivery {
                    locked(&self.state).claimed.insert(ident.to_owned());
                    if expired && (again != Again::Never || row.passing) {
                        return Ok(Start::Live(Live {
                            attempts: row.attempts,
                            first_sent: None,
                            delivery: Some(number),
                        }));
                    }
                    self.turn(number).await?;
                    return Ok(Start::Recorded(answer));
                }
                self.caught_up().await?;
                let number = self.number();
                locked(&self.state).buffered.push(sql!(
                    "UPDATE journal SET delivery = $3 WHERE unit = $1 AND ident = $2",
                    self.unit,
                    ident,
                    number
                ));
                self.turn(number).await?;
                Ok(Start::Recorded(answer))
            }
            (RowState::Intended, _) => {
                self.caught_up().await?;
                let now = self.around.clock.now();
                let repeatable = match again {
                    Again::Always => true,
                    Again::Within(window) => row
                        .first_sent
                        .is_some_and(|sent| now < sent.saturating_add(window)),
                    Again::Never => false,
                };
                if repeatable {
                    Ok(Start::Live(Live {
                        attempts: row.attempts,
                        first_sent: row.first_sent,
                        delivery: None,
                    }))
                } else {
                    Ok(Start::Doubt(http::Doubt {
                        sent_at: row.last_sent.unwrap_or(now),
                        attempts: row.attempts,
                    }))
                }
            }
            _ => {
                self.caught_up().await?;
                Ok(Start::Live(Live {
                    attempts: row.attempts,
                    first_sent: None,
                    delivery: None,
                }))
            }
        }
    }

    /// What a report was answered, if this is its repetition.
    async fn said(
        &self,
        ident: &str,
    ) -> Result<Option<Vec<Result<(), ledger::Refusal>>>, UnitAbort> {
        match self.start(ident, "", Again::Always).await? {
            Start::Recorded(Answer::Reported(said)) => Ok(Some(said)),
            Start::Recorded(other) => Err(self.abort(unexpected(&other))),
            _ => Ok(None),
        }
    }

    /// Sees a request through, unless the guest ends before it has left: a unit that is run again must not meet it on the way.
    async fn for_guest<T>(
        &self,
        intent: &Intent<'_>,
        work: impl Future<Output = Result<T, UnitAbort>>,
    ) -> Result<T, UnitAbort> {
        let unwanted = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if locked(&self.state).ended && !*locked(&intent.under_way) {
                    return;
                }
                changed.await;
            }
        };
        tokio::select! {
            biased;
            () = unwanted => Err(UnitAbort::Ended),
            done = work => done,
        }
    }

    fn number(&self) -> i64 {
        let mut state = locked(&self.state);
        state.numbered += 1;
        state.numbered
    }

    /// Records an answer under the next number (or the one it had), and hands it over when its turn has come. `durable` makes it
    /// so before that, and with it everything that was buffered.
    async fn deliver(
        &self,
        ident: String,
        mut row: JournalRow,
        request: String,
        durable: bool,
        more: Vec<Statement>,
        ledger: Vec<LedgerEntry>,
    ) -> Result<(), UnitAbort> {
        let answer = row.answer.as_ref().map(serde_json::to_string).transpose();
        let answer = answer.map_err(|e| self.abort(UnitAbort::Store(e.to_string())))?;
        let (answer, blob) = match answer {
            Some(text) if text.len() > INLINE_ANSWER => {
                let mut builder = self.around.blobs.builder("application/json");
                let kept = builder
                    .append(text.as_bytes())
                    .and_then(|()| builder.finish())
                    .map_err(|e| self.abort(UnitAbort::Store(e.to_string())))?;
                (None, Some(serde_json::to_string(&kept).unwrap_or_default()))
            }
            other => (other, None),
        };
        let (number, batch) = {
            let mut state = locked(&self.state);
            let number = row.delivery.unwrap_or_else(|| {
                state.numbered += 1;
                state.numbered
            });
            row.delivery = Some(number);
            row.state = RowState::Answered;
            let statement = sql!(
                "INSERT INTO journal (unit, ident, digest, request, mutating, passing, state, attempts, first_sent, last_sent, \
                 delivery, answer, answer_blob, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, 'answered', $7, $8, $9, $10, $11, $12, $13) \
                 ON CONFLICT (unit, ident) DO UPDATE SET state = 'answered', attempts = $7, last_sent = $9, delivery = $10, \
                 answer = $11, answer_blob = $12, expires_at = $13",
                self.unit,
                &ident,
                &row.digest,
                request,
                row.mutating,
                row.passing,
                i64::from(row.attempts),
                row.first_sent,
                row.last_sent,
                number,
                answer,
                blob,
                row.expires_at,
            );
            state.rows.insert(ident, row);
            state.buffered.push(statement);
            let batch = durable.then(|| {
                let mut batch = std::mem::take(&mut state.buffered);
                batch.extend(more);
                batch
            });
            (number, batch)
        };
        if let Some(batch) = batch {
            self.around
                .store
                .write_ledger(batch, ledger)
                .await
                .map_err(|e| self.abort(store_failed(e)))?;
        }
        self.turn(number).await
    }

    /// A request of any sort, from the journal or live.
    async fn request(&self, request: http::Request, how: How) -> Result<Answer, UnitAbort> {
        let gateway = &self.around.gateway;
        locked(&self.state).blobs.check_request(&request)?;
        let mutating = gateway.is_mutating(&request);
        let digest = gateway.digest(&request);
        let base = match (&request.key, mutating) {
            (Some(key), true) => format!("w:{}/{}/{}", key.item, key.part, key.step),
            (None, true) => {
                return Ok(Answer::Error(http::Error::Denied(format!(
                    "{} changes something and has no operation key",
                    request.method
                ))));
            }
            (_, false) => format!("{}:{digest}", how.letter()),
        };
        let ident = self.ident(base);
        let again = match request.replay {
            http::Replay::Safe => Again::Always,
            http::Replay::Idempotent => request.window_ms.map_or(Again::Always, |window| {
                Again::Within(i64::try_from(window).unwrap_or(i64::MAX))
            }),
            http::Replay::Once if mutating => Again::Never,
            http::Replay::Once => Again::Always,
        };
        let live = match self.start(&ident, &digest, again).await? {
            Start::Recorded(answer) => return Ok(answer),
            Start::Doubt(doubt) => {
                let row = JournalRow {
                    digest,
                    mutating,
                    passing: request.passing,
                    state: RowState::Answered,
                    attempts: doubt.attempts,
                    first_sent: Some(doubt.sent_at),
                    last_sent: Some(doubt.sent_at),
                    delivery: None,
                    answer: Some(Answer::Error(http::Error::InDoubt(doubt))),
                    expires_at: None,
                };
                self.deliver(ident, row, request.method, true, vec![], vec![])
                    .await?;
                return Ok(Answer::Error(http::Error::InDoubt(doubt)));
            }
            Start::Live(live) => live,
        };
        // What may be sent twice needs no look-up, and so need not wait until one could count.
        let repeatable = again == Again::Always || request.passing || live.first_sent.is_some();
        if mutating
            && !repeatable
            && let Some(refusal) = self.too_early(&ident)
        {
            return Ok(Answer::Error(refusal));
        }
        let call = format!("{} {}", request.method, path_of(&request));
        let lifetime = request.lifetime_ms;
        let passing = request.passing;
        let intent = Intent {
            inner: self,
            ident: &ident,
            digest: &digest,
            call: &call,
            passing,
            before: live.attempts,
            first_sent: Mutex::new(live.first_sent),
            last_sent: Mutex::new(None),
            asked: Mutex::default(),
            under_way: Mutex::new(false),
        };
        let log: Option<&dyn IntentLog> = if mutating { Some(&intent) } else { None };
        let rehearsed = self.rehearsed(&request, mutating, &ident).await?;
        let is_rehearsed = rehearsed.is_some();
        if mutating && is_rehearsed {
            // As if it had left just now.
            let now = self.around.clock.now();
            *locked(&intent.first_sent) = Some(now);
            *locked(&intent.last_sent) = Some(now);
        }
        let (answer, attempts) = match (rehearsed, &how) {
            (Some(response), _) => (self.as_asked(response, &how)?, 1),
            (None, How::Download) => {
                match self.for_guest(&intent, gateway.download(&request)).await? {
                    Ok((response, blob)) => {
                        locked(&self.state).blobs.add(&blob);
                        (Answer::Download(response.into(), blob), 1)
                    }
                    Err(error) => (Answer::Error(error), 1),
                }
            }
            (None, How::Poll(options)) => {
                match self
                    .for_guest(&intent, gateway.poll(&request, options.clone()))
                    .await?
                {
                    Ok(response) => (Answer::Response(response.into()), 1),
                    Err(error) => (Answer::Error(error), 1),
                }
            }
            (None, How::Send) => match self
                .for_guest(&intent, gateway.exchange(&request, log))
                .await?
            {
                Exchange::Answered {
                    mut response,
                    attempts,
                    ..
                } => {
                    response.attempted_before |= mutating && live.attempts > 0;
                    (Answer::Response(response.into()), attempts)
                }
                Exchange::Doubt { sent_at, attempts } => (
                    Answer::Error(http::Error::InDoubt(http::Doubt {
                        sent_at,
                        attempts: attempts + live.attempts,
                    })),
                    attempts,
                ),
                Exchange::Failed(error) => (Answer::Error(error), 0),
            },
        };
        let answer = match is_rehearsed || mutating {
            true => answer,
            false => self.amended(answer, &request, &how).await?,
        };
        if let Answer::Error(http::Error::Cancelled) = answer {
            // Not recorded: the next run of the unit sends it.
            locked(&self.state).stopping = true;
            return Ok(answer);
        }
        if mutating {
            self.at(Boundary::Arrived).await;
        }
        let now = self.around.clock.now();
        let sent = *locked(&intent.last_sent);
        let row = JournalRow {
            digest: digest.clone(),
            mutating: mutating && sent.is_some(),
            passing,
            state: RowState::Answered,
            attempts: live.attempts + attempts,
            first_sent: *locked(&intent.first_sent),
            last_sent: sent,
            delivery: live.delivery,
            answer: Some(answer.clone()),
            expires_at: lifetime
                .map(|ms| now.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX))),
        };
        let durable = row.mutating && !passing;
        self.deliver(ident.clone(), row, call.clone(), durable, vec![], vec![])
            .await?;
        if durable {
            self.at(Boundary::Answered).await;
        }
        Ok(answer)
    }

    /// What answers in the network's place, in a dry run: to what would change something, and to reads of what would have been made.
    async fn rehearsed(
        &self,
        request: &http::Request,
        mutating: bool,
        ident: &str,
    ) -> Result<Option<http::Response>, UnitAbort> {
        let Some(rehearsal) = &self.around.rehearsal else {
            return Ok(None);
        };
        let (known, earlier) = self.so_far();
        if !mutating {
            return rehearsal.read(request, known, earlier).await;
        }
        let of = Part {
            unit: self.unit,
            ident,
            defines: self.defines,
        };
        match rehearsal.change(request, known, earlier, of).await? {
            Some(response) => {
                let exchange = Arc::new((request.clone(), response.clone()));
                locked(&self.state).rehearsed.push(exchange);
                Ok(Some(response))
            }
            None => Err(self.abort(UnitAbort::Unanswered(format!(
                "{} {}",
                request.method,
                self.around.gateway.pattern(request)
            )))),
        }
    }

    /// In a dry run, what a read really gave may lack what would have been made.
    async fn amended(
        &self,
        answer: Answer,
        request: &http::Request,
        how: &How,
    ) -> Result<Answer, UnitAbort> {
        let Some(rehearsal) = &self.around.rehearsal else {
            return Ok(answer);
        };
        let Answer::Response(real) = &answer else {
            return Ok(answer);
        };
        let (known, earlier) = self.so_far();
        let real = http::Response::from(real.clone());
        match rehearsal.amended(request, known, earlier, real).await? {
            Some(response) => self.as_asked(response, how),
            None => Ok(answer),
        }
    }

    /// The blobs of this unit, and what it had answered in a dry run.
    fn so_far(&self) -> (KnownBlobs, Vec<Earlier>) {
        let state = locked(&self.state);
        (state.blobs.clone(), state.rehearsed.clone())
    }

    /// A response in the form in which the guest asked for it.
    fn as_asked(&self, mut response: http::Response, how: &How) -> Result<Answer, UnitAbort> {
        Ok(match how {
            How::Send | How::Poll(_) => Answer::Response(response.into()),
            How::Download => {
                let bytes = std::mem::take(&mut response.body);
                let blob = self
                    .around
                    .blobs
                    .put_bytes(&bytes, "application/octet-stream")?;
                locked(&self.state).blobs.add(&blob);
                Answer::Download(response.into(), blob)
            }
        })
    }

    /// A request must not be repeated after a doubt before a miss can count (rule D-3).
    fn too_early(&self, ident: &str) -> Option<http::Error> {
        let base = family(ident);
        let state = locked(&self.state);
        let doubted = state
            .rows
            .iter()
            .filter(|(other, row)| family(other) == base && row.in_doubt())
            .filter_map(|(_, row)| row.last_sent)
            .max()?;
        (self.around.clock.now() < doubted.saturating_add(self.settle_ms)).then(|| {
            http::Error::Denied(format!(
                "{base} is in doubt and may not be repeated before its settle time of {} ms is over",
                self.settle_ms
            ))
        })
    }

    /// What stands against each of some outcomes (rules D-4, D-8).
    fn objections(&self, outcomes: &[ledger::Outcome]) -> Vec<Option<ledger::Refusal>> {
        let state = locked(&self.state);
        let lasting: Vec<(&str, &JournalRow)> = state
            .rows
            .iter()
            .filter(|(_, row)| row.mutating && !row.passing)
            .map(|(ident, row)| (ident.as_str(), row))
            .collect();
        outcomes
            .iter()
            .map(|outcome| self.objection(outcome, &lasting))
            .collect()
    }

    /// Whether an outcome may stand, by the unit's requests that leave something.
    fn objection(
        &self,
        outcome: &ledger::Outcome,
        lasting: &[(&str, &JournalRow)],
    ) -> Option<ledger::Refusal> {
        let known = self.records.contains_key(&outcome.item)
            || (self.prepares && outcome.item.starts_with("own:"));
        if !known {
            return Some(ledger::Refusal::UnknownItem);
        }
        let gives_up = matches!(
            outcome.status,
            ledger::Status::Rejected(_)
                | ledger::Status::Skipped(_)
                | ledger::Status::Exported(_)
                | ledger::Status::Matched
        );
        let entries = self.carried.get(&outcome.item).map_or(0, Vec::len);
        let unknown = |refused: &&ledger::RefusedEntry| {
            refused.place == 0 || refused.place as usize >= entries
        };
        if let Some(refused) = outcome.refused.iter().find(unknown) {
            return Some(ledger::Refusal::UnknownEntry(refused.place));
        }
        let prefix = format!("w:{}/", outcome.item);
        for (ident, row) in lasting {
            let Some(rest) = once(ident).strip_prefix(&prefix) else {
                continue;
            };
            let (part, step) = rest.rsplit_once('/').unwrap_or((rest, ""));
            let key = http::OperationKey {
                item: outcome.item.clone(),
                part: part.to_owned(),
                step: step.to_owned(),
            };
            let claimed = || {
                let mut effects = outcome.effects.iter();
                effects.any(|effect| effect.key.as_ref() == Some(&key))
            };
            if row.in_doubt() {
                let mut attempts = lasting
                    .iter()
                    .filter(|(other, _)| family(other) == family(ident));
                if gives_up && attempts.all(|(_, row)| row.in_doubt()) && !claimed() {
                    return Some(ledger::Refusal::InDoubt(key));
                }
            } else if row.possibly_applied()
                && !matches!(outcome.status, ledger::Status::Unsettled(_))
                && !claimed()
            {
                return Some(ledger::Refusal::Unclaimed(key));
            }
        }
        outcome
            .effects
            .iter()
            .find(|effect| effect.action == ledger::Action::Created && effect.proof.is_none())
            .map(|effect| ledger::Refusal::Unproven(format!("{} has no proof", effect.part)))
    }

    /// Refuses outcomes that claim to have created what was created for another record, here or earlier.
    async fn refuse_created_twice(
        &self,
        outcomes: &[ledger::Outcome],
        records: &[Cow<'_, Record>],
        refusals: &mut [Option<ledger::Refusal>],
    ) -> Result<(), UnitAbort> {
        fn created(outcome: &ledger::Outcome) -> impl Iterator<Item = &ledger::Effect> {
            let made = |effect: &&ledger::Effect| effect.action == ledger::Action::Created;
            outcome.effects.iter().filter(made)
        }
        let targets: Vec<&str> = outcomes
            .iter()
            .zip(refusals.iter())
            .filter(|(_, refusal)| refusal.is_none())
            .flat_map(|(outcome, _)| created(outcome))
            .map(|effect| effect.target_id.as_str())
            .collect();
        // Whose each target is: (target kind, target id) to (kind, source id).
        let mut owners: HashMap<(String, String), (String, String)> = HashMap::new();
        for some in targets.chunks(AMONG) {
            let rows = self
                .around
                .store
                .rows(
                    among!(
                        "SELECT target_kind, target_id, kind, source_id FROM effects WHERE target_id IN "
                        " AND account = $65 AND action = 'created' AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone'))"
                    ),
                    among(some, [(&self.around.account).into()]),
                )
                .await
                .map_err(|e| self.abort(store_failed(e)))?;
            for row in rows {
                let column = |name: &str| {
                    row.try_get::<String, _>(name)
                        .map_err(|e| self.abort(store_failed(e.into())))
                };
                owners.insert(
                    (column("target_kind")?, column("target_id")?),
                    (column("kind")?, column("source_id")?),
                );
            }
        }
        for ((outcome, record), refusal) in outcomes.iter().zip(records).zip(refusals) {
            if refusal.is_some() {
                continue;
            }
            let own = (record.kind.clone(), record.id.clone());
            for effect in created(outcome) {
                let target = (effect.target_kind.clone(), effect.target_id.clone());
                if owners.get(&target).is_some_and(|owner| *owner != own) {
                    let (kind, id) = target;
                    *refusal = Some(ledger::Refusal::Unproven(format!(
                        "{kind} {id} was created for another record"
                    )));
                    break;
                }
                owners.insert(target, own.clone());
            }
        }
        Ok(())
    }

    /// What becomes of the entries that an outcome calls refused; files are exported when this returns. What was accounted for
    /// before, a file without bytes or one that is too large, stays so.
    async fn refused<'a>(
        &'a self,
        outcome: &'a ledger::Outcome,
        record: &Record,
    ) -> Result<Vec<RefusedEntry<'a>>, UnitAbort> {
        let arrived = matches!(
            outcome.status,
            ledger::Status::Created | ledger::Status::Updated | ledger::Status::Matched
        );
        let mut all = vec![];
        for refused in outcome.refused.iter().filter(|_| arrived) {
            let body = self.carried.get(&outcome.item);
            let Some(entry) = body.and_then(|body| body.get(refused.place as usize)) else {
                continue;
            };
            let mut open = record.inside.iter();
            if !open.any(|(kind, id, _)| *kind == entry.kind && *id == entry.id) {
                continue;
            }
            let exported = match &entry.file {
                Some((name, blob)) => {
                    let file = (entry.id.as_str(), name.as_str());
                    let written =
                        exported::file(&self.around.blobs, &self.around.export_dir, file, blob);
                    let failed = |error: Error| self.abort(UnitAbort::Store(error.to_string()));
                    Some(written.await.map_err(failed)?)
                }
                None => None,
            };
            all.push(RefusedEntry {
                kind: &entry.kind,
                id: &entry.id,
                reason: &refused.reason,
                exported,
            });
        }
        Ok(all)
    }

    /// The statements that forget what earlier outcomes of records said: losses, also of files inside them, and doubts of those
    /// that are settled now.
    fn forget(&self, taken: &[(&ledger::Outcome, &Record)]) -> Vec<Statement> {
        let settled =
            |outcome: &ledger::Outcome| !matches!(outcome.status, ledger::Status::Unsettled(_));
        fn own(record: &Record) -> (&str, &str) {
            (&record.kind, &record.id)
        }
        let files = taken.iter().flat_map(|(_, record)| &record.inside);
        let files = files.filter(|(kind, ..)| kind == "attachment");
        let all = taken.iter().map(|(_, record)| own(record));
        let of_settled = taken.iter().filter(|(outcome, _)| settled(outcome));
        let mut statements = self.delete_of(
            among!("DELETE FROM losses WHERE source_id IN " " AND run = $65 AND kind = $66"),
            all.chain(files.map(|(kind, id, _)| (kind.as_str(), id.as_str()))),
        );
        statements.extend(self.delete_of(
            among!("DELETE FROM doubts WHERE source_id IN " " AND run = $65 AND kind = $66"),
            of_settled.map(|(_, record)| own(record)),
        ));
        statements
    }

    fn delete_of<'r>(
        &self,
        sql: &'static str,
        records: impl Iterator<Item = (&'r str, &'r str)>,
    ) -> Vec<Statement> {
        let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (kind, id) in records {
            by_kind.entry(kind).or_default().push(id);
        }
        let mut statements = vec![];
        for (kind, ids) in by_kind {
            for some in ids.chunks(AMONG) {
                let args = among(some, [(&self.around.run).into(), kind.into()]);
                statements.push(Statement::new(sql, args));
            }
        }
        statements
    }

    /// The rows of an outcome: its own, its effects', and those of the records inside it.
    fn outcome_rows(
        &self,
        outcome: &ledger::Outcome,
        record: &Record,
        refused: &[RefusedEntry<'_>],
    ) -> Result<(Vec<Statement>, Vec<LedgerEntry>), UnitAbort> {
        let around = &self.around;
        let now = around.clock.now();
        let (status, cause, remedy) = status_words(&outcome.status);
        let mut statements = vec![];
        let mut texts = vec![];
        for effect in &outcome.effects {
            let text = serde_json::to_string(effect)
                .map_err(|e| self.abort(UnitAbort::Store(e.to_string())))?;
            statements.push(sql!(
                "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, \
                 unit, digest, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
                around.store.new_id(),
                &around.account,
                &around.run,
                &record.kind,
                &record.id,
                &effect.part,
                &effect.target_kind,
                &effect.target_id,
                action_word(effect.action),
                &record.marker,
                &text,
                self.unit,
                &around.digest,
                now
            ));
            texts.push(text);
        }
        let lost = |kind: &str, id: &str, field: &str, how: types::Fidelity, note: &str| {
            sql!(
                "INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ($1, $2, $3, $4, $5, $6)",
                &around.run,
                kind,
                id,
                field,
                fidelity_word(how),
                note
            )
        };
        for loss in outcome.losses.iter().chain(&record.losses) {
            let (kind, id) = (&record.kind, &record.id);
            statements.push(lost(kind, id, &loss.field, loss.how, &loss.note));
        }
        let mut ledger = vec![LedgerEntry {
            run: around.run.clone(),
            record: format!("{}/{}", record.kind, record.id),
            digest: outcome_digest(status, cause.as_deref().unwrap_or(""), &record.hash, &texts),
        }];
        let outcome_row = |kind: &str, id: &str, hash: &str, cause: Option<&str>| {
            sql!(
                "INSERT INTO outcomes (account, run, kind, source_id, status, cause, remedy, hash, unit, at_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                 ON CONFLICT (run, kind, source_id) DO UPDATE SET status = excluded.status, cause = excluded.cause, \
                 remedy = excluded.remedy, hash = excluded.hash, unit = excluded.unit, at_ms = excluded.at_ms",
                &around.account,
                &around.run,
                kind,
                id,
                status,
                cause,
                remedy.as_deref(),
                hash,
                self.unit,
                now
            )
        };
        statements.push(outcome_row(
            &record.kind,
            &record.id,
            &record.hash,
            cause.as_deref(),
        ));
        let with = cause
            .as_deref()
            .map(|cause| format!("with its {}: {cause}", record.kind));
        for (kind, id, hash) in &record.inside {
            let mut refused = refused.iter();
            if let Some(entry) = refused.find(|entry| entry.kind == kind && entry.id == id) {
                let (status, cause, remedy) = match &entry.exported {
                    Some(name) => ("exported", name.as_str(), None),
                    None => ("rejected", entry.reason, Some(REFUSED_REMEDY)),
                };
                let said = decided(around, &[kind, id, hash], status, Some(cause), remedy);
                statements.push(said.0);
                ledger.push(said.1);
                if entry.exported.is_some() {
                    let how = types::Fidelity::Lost;
                    statements.push(lost(kind, id, "attachment.content", how, entry.reason));
                }
                continue;
            }
            statements.push(outcome_row(kind, id, hash, with.as_deref()));
            ledger.push(LedgerEntry {
                run: around.run.clone(),
                record: format!("{kind}/{id}"),
                digest: outcome_digest(status, with.as_deref().unwrap_or(""), hash, &[]),
            });
        }
        if matches!(outcome.status, ledger::Status::Unsettled(_)) {
            statements.push(sql!(
                "INSERT INTO doubts (run, kind, source_id, since) VALUES ($1, $2, $3, $4) ON CONFLICT (run, kind, source_id) DO NOTHING",
                &around.run,
                &record.kind,
                &record.id,
                now
            ));
        }
        for (kind, id, hash, cause) in &record.missing {
            let (statement, entry) = decided(
                around,
                &[kind, id, hash],
                "rejected",
                Some(cause),
                Some(MISSING_REMEDY),
            );
            statements.push(statement);
            ledger.push(entry);
        }
        for (kind, id, hash, rule) in &record.left_out {
            let (statement, entry) =
                decided(around, &[kind, id, hash], "skipped", Some(rule), None);
            statements.push(statement);
            ledger.push(entry);
        }
        Ok((statements, ledger))
    }
}

/// What to do about a part of a record that the destination did not take.
const REFUSED_REMEDY: &str = "the rest of its record is there; add it by hand if it matters";
/// What to do about a file that did not arrive.
const MISSING_REMEDY: &str =
    "fetch the file by hand from the link in the thread, if it still exists";

/// An outcome that the host gives itself: `[kind, id, hash]` of the record, and why.
#[must_use]
pub fn decided(
    around: &Surroundings,
    record: &[&str; 3],
    status: &str,
    cause: Option<&str>,
    remedy: Option<&str>,
) -> (Statement, LedgerEntry) {
    let [kind, id, hash] = *record;
    let statement = sql!(
        "INSERT INTO outcomes (account, run, kind, source_id, status, cause, remedy, hash, unit, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9) \
         ON CONFLICT (run, kind, source_id) DO UPDATE SET status = excluded.status, cause = excluded.cause, \
         remedy = excluded.remedy, hash = excluded.hash, unit = NULL, at_ms = excluded.at_ms",
        &around.account,
        &around.run,
        kind,
        id,
        status,
        cause,
        remedy,
        hash,
        around.clock.now()
    );
    let entry = LedgerEntry {
        run: around.run.clone(),
        record: format!("{kind}/{id}"),
        digest: outcome_digest(status, cause.unwrap_or(""), hash, &[]),
    };
    (statement, entry)
}

impl State {
    fn release(&mut self, number: i64) {
        self.released = number;
        self.idle = false;
        self.moves += 1;
        self.recorded.remove(&number);
        // Numbers that were lost with a buffer are passed over.
        if let Some(next) = self.recorded.keys().next()
            && number < self.replay_to
        {
            self.released = next - 1;
        } else if number < self.replay_to {
            self.released = self.replay_to;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Always,
    Within(i64),
    Never,
}

enum How {
    Send,
    Poll(http::PollOptions),
    Download,
}

impl How {
    fn letter(&self) -> &'static str {
        match self {
            Self::Send => "r",
            Self::Poll(_) => "p",
            Self::Download => "d",
        }
    }
}

/// Makes a request's intent durable.
struct Intent<'a> {
    inner: &'a Inner,
    ident: &'a str,
    digest: &'a str,
    call: &'a str,
    passing: bool,
    before: u32,
    first_sent: Mutex<Option<i64>>,
    last_sent: Mutex<Option<i64>>,
    /// When the newest commit was asked for, on the steady clock.
    asked: Mutex<Duration>,
    /// From the intent on until the attempt is known to have been refused.
    under_way: Mutex<bool>,
}

#[async_trait]
impl IntentLog for Intent<'_> {
    async fn intend(&self, attempt: u32) -> Result<(), UnitAbort> {
        let inner = self.inner;
        {
            let state = locked(&inner.state);
            if state.ended {
                return Err(UnitAbort::Ended);
            }
            *locked(&self.under_way) = true;
        }
        let now = inner.around.clock.now();
        let first = *locked(&self.first_sent).get_or_insert(now);
        *locked(&self.last_sent) = Some(now);
        if self.passing {
            // What leaves nothing behind may be sent twice: it needs no commit, and its answer waits for the next (rule D-17).
            *locked(&self.asked) = inner.around.clock.steady();
            return Ok(());
        }
        let batch = {
            let mut state = locked(&inner.state);
            let mut batch = vec![inner.around.store.fence()];
            batch.append(&mut state.buffered);
            batch.push(sql!(
                "INSERT INTO journal (unit, ident, digest, request, mutating, passing, state, attempts, first_sent, last_sent) \
                 VALUES ($1, $2, $3, $4, 1, $5, 'intended', $6, $7, $8) \
                 ON CONFLICT (unit, ident) DO UPDATE SET state = 'intended', attempts = $6, last_sent = $8",
                inner.unit,
                self.ident,
                self.digest,
                self.call,
                self.passing,
                i64::from(self.before + attempt),
                first,
                now
            ));
            state.rows.insert(
                self.ident.to_owned(),
                JournalRow {
                    digest: self.digest.to_owned(),
                    mutating: true,
                    passing: self.passing,
                    state: RowState::Intended,
                    attempts: self.before + attempt,
                    first_sent: Some(first),
                    last_sent: Some(now),
                    delivery: None,
                    answer: None,
                    expires_at: None,
                },
            );
            batch
        };
        *locked(&self.asked) = inner.around.clock.steady();
        inner
            .around
            .store
            .write(batch)
            .await
            .map_err(|e| inner.abort(store_failed(e)))?;
        inner.at(Boundary::Intended).await;
        Ok(())
    }

    fn fresh(&self) -> bool {
        let age = self.inner.around.clock.steady();
        age.saturating_sub(*locked(&self.asked)) <= SEND_MARGIN
    }

    async fn refused(&self, attempt: u32) -> Result<(), UnitAbort> {
        let inner = self.inner;
        if self.passing {
            *locked(&self.under_way) = false;
            inner.changed.notify_waiters();
            return Ok(());
        }
        if let Some(row) = locked(&inner.state).rows.get_mut(self.ident) {
            row.state = RowState::Refused;
        }
        inner
            .around
            .store
            .write(vec![sql!(
                "UPDATE journal SET state = 'refused', attempts = $3 WHERE unit = $1 AND ident = $2",
                inner.unit,
                self.ident,
                i64::from(self.before + attempt)
            )])
            .await
            .map_err(|e| inner.abort(store_failed(e)))?;
        *locked(&self.under_way) = false;
        inner.changed.notify_waiters();
        Ok(())
    }
}

#[async_trait]
impl UnitHost for Durable {
    fn now(&self) -> i64 {
        self.inner.now
    }

    fn seed(&self) -> String {
        format!("{}/{}", self.inner.around.run, self.inner.unit)
    }

    async fn send(
        &self,
        request: http::Request,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        response(self.inner.request(request, How::Send).await?)
    }

    async fn poll(
        &self,
        request: http::Request,
        options: http::PollOptions,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        if self.inner.around.gateway.is_mutating(&request) {
            return Ok(Err(http::Error::Denied("only reads can be polled".into())));
        }
        response(self.inner.request(request, How::Poll(options)).await?)
    }

    async fn download(
        &self,
        request: http::Request,
    ) -> Result<Result<(http::Response, types::BlobRef), http::Error>, UnitAbort> {
        if self.inner.around.gateway.is_mutating(&request) {
            return Ok(Err(http::Error::Denied(
                "only reads can be downloaded".into(),
            )));
        }
        match self.inner.request(request, How::Download).await? {
            Answer::Download(response, blob) => Ok(Ok((response.into(), blob))),
            Answer::Error(error) => Ok(Err(error)),
            other => Err(unexpected(&other)),
        }
    }

    async fn sleep(&self, ms: u64) -> Result<(), UnitAbort> {
        let inner = &self.inner;
        let ident = inner.ident("sleep".into());
        match inner.start(&ident, "", Again::Always).await? {
            Start::Recorded(_) => Ok(()),
            _ => {
                // In a dry run there is nothing to wait for.
                if inner.around.rehearsal.is_none() {
                    inner.around.clock.sleep(Duration::from_millis(ms)).await;
                }
                let row = JournalRow::reading(Answer::Slept);
                inner
                    .deliver(ident, row, String::new(), false, vec![], vec![])
                    .await
            }
        }
    }

    fn log(&self, level: runtime::Level, message: &str) {
        log_guest(level, self.inner.unit, message);
    }

    fn progress(&self, done: u64, total: Option<u64>) {
        tracing::debug!(unit = self.inner.unit, done, total, "Unit progress.");
    }

    fn blob_read(
        &self,
        blob: &types::BlobRef,
        offset: u64,
        len: u32,
    ) -> Result<Vec<u8>, UnitAbort> {
        locked(&self.inner.state).blobs.check(blob)?;
        Ok(self.inner.around.blobs.read(blob, offset, len)?)
    }

    fn blob_keep(&self, builder: Builder) -> Result<types::BlobRef, UnitAbort> {
        let blob = builder.finish()?;
        locked(&self.inner.state).blobs.add(&blob);
        Ok(blob)
    }

    fn blob_builder(&self, media_type: String) -> Result<Builder, UnitAbort> {
        Ok(self.inner.around.blobs.builder(media_type))
    }

    async fn report(
        &self,
        outcomes: Vec<ledger::Outcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        let inner = &self.inner;
        let ident = inner.ident(report_ident(
            "o",
            outcomes.first().map(|o| &o.item),
            outcomes.len(),
        ));
        if let Some(said) = inner.said(&ident).await? {
            return Ok(said);
        }
        let records: Vec<Cow<'_, Record>> = outcomes
            .iter()
            .map(|outcome| match inner.records.get(&outcome.item) {
                Some(record) => Cow::Borrowed(record),
                None => Cow::Owned(Record::own(&outcome.item)),
            })
            .collect();
        let mut refusals = inner.objections(&outcomes);
        inner
            .refuse_created_twice(&outcomes, &records, &mut refusals)
            .await?;
        let mut taken: Vec<(&ledger::Outcome, &Record)> = vec![];
        for ((outcome, record), refusal) in outcomes.iter().zip(&records).zip(&refusals) {
            match refusal {
                None => taken.push((outcome, record)),
                Some(refusal) => tracing::warn!(
                    unit = inner.unit,
                    item = outcome.item,
                    ?refusal,
                    "Outcome refused."
                ),
            }
        }
        let (mut statements, mut ledger) = (vec![], vec![]);
        if !taken.is_empty() {
            inner.at(Boundary::BeforeOutcome).await;
            statements.push(inner.around.store.fence());
            statements.extend(inner.forget(&taken));
            let mut rows = vec![];
            for (outcome, record) in &taken {
                let refused = inner.refused(outcome, record).await?;
                let (more, entries) = inner.outcome_rows(outcome, record, &refused)?;
                rows.extend(more);
                ledger.extend(entries);
            }
            rows.sort_by_key(Statement::text);
            statements.extend(rows);
        }
        let said: Vec<Result<(), ledger::Refusal>> = refusals
            .into_iter()
            .map(|refusal| refusal.map_or(Ok(()), Err))
            .collect();
        let row = JournalRow::reading(Answer::Reported(said.clone()));
        inner
            .deliver(
                ident,
                row,
                String::new(),
                !taken.is_empty(),
                statements,
                ledger,
            )
            .await?;
        if !taken.is_empty() {
            let items = taken.into_iter().map(|(outcome, _)| outcome.item.clone());
            locked(&inner.state).reported.extend(items);
            inner.at(Boundary::Outcome).await;
        }
        Ok(said)
    }

    async fn report_undo(
        &self,
        outcomes: Vec<ledger::UndoOutcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        let inner = &self.inner;
        let first = outcomes.first().map(|outcome| outcome.effect.to_string());
        let ident = inner.ident(report_ident("u", first.as_ref(), outcomes.len()));
        if let Some(said) = inner.said(&ident).await? {
            return Ok(said);
        }
        let is_ours = |outcome: &ledger::UndoOutcome| inner.undoing.contains(&outcome.effect);
        let said: Vec<Result<(), ledger::Refusal>> = outcomes
            .iter()
            .map(|outcome| {
                is_ours(outcome)
                    .then_some(())
                    .ok_or(ledger::Refusal::UnknownItem)
            })
            .collect();
        let mut statements = vec![];
        if said.iter().any(Result::is_ok) {
            inner.at(Boundary::BeforeOutcome).await;
            statements.push(inner.around.store.fence());
        }
        for outcome in outcomes.iter().filter(|outcome| is_ours(outcome)) {
            statements.push(sql!(
                "UPDATE effects SET undo_status = $2, undo_reason = $3 WHERE id = $1",
                outcome.effect,
                undo_word(outcome.status),
                outcome.reason.as_deref()
            ));
        }
        let row = JournalRow::reading(Answer::Reported(said.clone()));
        inner
            .deliver(
                ident,
                row,
                String::new(),
                !statements.is_empty(),
                statements,
                vec![],
            )
            .await?;
        inner.at(Boundary::Outcome).await;
        Ok(said)
    }

    fn idle(&self) {
        let (moves, replaying) = {
            let mut state = locked(&self.inner.state);
            state.idle = true;
            state.moves += 1;
            (
                state.moves,
                !state.recorded.is_empty() && state.abort.is_none(),
            )
        };
        self.inner.changed.notify_waiters();
        if !replaying {
            return;
        }
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep(STANDSTILL).await;
            let stuck = {
                let state = locked(&inner.state);
                let next = state.recorded.values().next();
                (state.moves == moves && next.is_some_and(|ident| !state.claimed.contains(ident)))
                    .then(|| next.cloned().unwrap_or_default())
            };
            if let Some(ident) = stuck {
                inner.abort(UnitAbort::Diverged(format!(
                    "{ident} was not asked for again"
                )));
            }
        });
    }

    fn ended(&self) {
        locked(&self.inner.state).ended = true;
        self.inner.changed.notify_waiters();
    }
}

/// What items carry beside their record.
fn carried(call: &Call) -> HashMap<String, Vec<Carried>> {
    let Call::Write(_, items) = call else {
        return HashMap::new();
    };
    let entry = |entry: &types::Entry| Carried {
        kind: kinds::name(&entry.head.kind).to_owned(),
        id: entry.head.id.clone(),
        file: match &entry.data {
            types::Entity::Attachment(file) => {
                file.content.clone().map(|blob| (file.name.clone(), blob))
            }
            _ => None,
        },
    };
    let of = |item: &destination::Item| {
        let entries = item.body.entries.iter().map(entry);
        (item.key.clone(), entries.collect())
    };
    let more = |item: &&destination::Item| item.body.entries.len() > 1;
    items.iter().filter(more).map(of).collect()
}

/// Names a report of `count` outcomes, of which this is the first.
fn report_ident(letter: &str, first: Option<&String>, count: usize) -> String {
    let first = first.map_or("", String::as_str);
    match count {
        0 | 1 => format!("{letter}:{first}"),
        more => format!("{letter}:{first}+{}", more - 1),
    }
}

impl Record {
    /// Something that the connector itself needs, which stands for no record of the source.
    fn own(item: &str) -> Self {
        Self {
            key: item.to_owned(),
            kind: "own".into(),
            id: item.to_owned(),
            hash: String::new(),
            marker: String::new(),
            inside: vec![],
            missing: vec![],
            left_out: vec![],
            losses: vec![],
        }
    }
}

impl JournalRow {
    fn reading(answer: Answer) -> Self {
        Self {
            digest: String::new(),
            mutating: false,
            passing: false,
            state: RowState::Answered,
            attempts: 0,
            first_sent: None,
            last_sent: None,
            delivery: None,
            answer: Some(answer),
            expires_at: None,
        }
    }
}

/// A request's path, without its query: for audits and messages.
#[must_use]
pub fn path_of(request: &http::Request) -> &str {
    request.url.split(['?', '#']).next().unwrap_or_default()
}

/// A call's name without the number of its repetition: what comes before may hold a `#` of the connector's own.
fn once(ident: &str) -> &str {
    match ident.rsplit_once('#') {
        Some((base, time)) if is_number(time) => base,
        _ => ident,
    }
}

/// A mutating request and its repetitions after a look-up that found nothing: `create`, `create~2`, `create#2`.
fn family(ident: &str) -> &str {
    let base = once(ident);
    match base.rsplit_once('~') {
        Some((family, step)) if is_number(step) => family,
        _ => base,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Tells a connector's words to the log of the host.
pub fn log_guest(level: runtime::Level, unit: i64, message: &str) {
    match level {
        runtime::Level::Debug => tracing::debug!(unit, "{message}"),
        runtime::Level::Info => tracing::info!(unit, "{message}"),
        runtime::Level::Warn => tracing::warn!(unit, "{message}"),
        runtime::Level::Error => tracing::error!(unit, "{message}"),
    }
}

fn response(answer: Answer) -> Result<Result<http::Response, http::Error>, UnitAbort> {
    match answer {
        Answer::Response(response) => Ok(Ok(response.into())),
        Answer::Error(error) => Ok(Err(error)),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(answer: &Answer) -> UnitAbort {
    let what = match answer {
        Answer::Response(_) => "an answer",
        Answer::Download(..) => "a download",
        Answer::Error(_) => "an error",
        Answer::Reported(_) => "a report",
        Answer::Slept => "a sleep",
    };
    UnitAbort::Diverged(format!("the journal holds {what} for another kind of call"))
}

/// Word, cause and remedy of a status.
#[must_use]
pub fn status_words(status: &ledger::Status) -> (&'static str, Option<String>, Option<String>) {
    match status {
        ledger::Status::Created => ("created", None, None),
        ledger::Status::Updated => ("updated", None, None),
        ledger::Status::Matched => ("matched", None, None),
        ledger::Status::Skipped(why) => ("skipped", Some(why.clone()), None),
        ledger::Status::Exported(name) => ("exported", Some(name.clone()), None),
        ledger::Status::Unsettled(why) => (
            "unsettled",
            Some(why.clone()),
            Some("run again later: it is looked up once its settle time is over".into()),
        ),
        ledger::Status::Rejected(error) => {
            let (cause, remedy) = error_words(error);
            ("rejected", Some(cause), Some(remedy))
        }
    }
}

/// A connector's error in words for the operator, and what to do about it.
#[must_use]
pub fn error_words(error: &types::Error) -> (String, String) {
    let pair = |cause: String, remedy: &str| (cause, remedy.to_owned());
    match error {
        types::Error::Auth(why) => pair(
            format!("the credential was refused: {why}"),
            "renew the secret of the connection",
        ),
        types::Error::Permission(what) => pair(
            format!("a right is missing: {what}"),
            "give the credential this right and run again",
        ),
        types::Error::NotFound(what) => pair(
            format!("not found: {what}"),
            "it was removed meanwhile; nothing to do unless it should be there",
        ),
        types::Error::Invalid(invalid) => pair(
            match &invalid.field {
                Some(field) => format!("{field}: {}", invalid.reason),
                None => invalid.reason.clone(),
            },
            "map the value in [map], or correct it in the source, and run again",
        ),
        types::Error::Conflict(what) => pair(
            format!("in the way: {what}"),
            "merge or rename one of the two, or decide in [people], and run again",
        ),
        types::Error::Transient(why) => pair(format!("failed for now: {why}"), "run again"),
        types::Error::Quota(_) => pair(
            "a quota is used up".into(),
            "run again when it has been refilled",
        ),
        types::Error::Unsupported(what) => pair(
            format!("the platform cannot: {what}"),
            "it stays in the export folder",
        ),
        types::Error::Cancelled => pair("stopped".into(), "run again"),
        types::Error::Bug(what) => pair(
            format!("the connector failed: {what}"),
            "tell the connector's author",
        ),
    }
}

fn action_word(action: ledger::Action) -> &'static str {
    match action {
        ledger::Action::Created => "created",
        ledger::Action::Updated => "updated",
        ledger::Action::Matched => "matched",
    }
}

fn fidelity_word(fidelity: types::Fidelity) -> &'static str {
    match fidelity {
        types::Fidelity::Exact => "exact",
        types::Fidelity::Converted => "converted",
        types::Fidelity::Lost => "lost",
    }
}

/// The word for what became of an undo.
#[must_use]
pub fn undo_word(status: ledger::UndoStatus) -> &'static str {
    match status {
        ledger::UndoStatus::Undone => "undone",
        ledger::UndoStatus::Restored => "restored",
        ledger::UndoStatus::Left => "left",
        ledger::UndoStatus::Gone => "gone",
        ledger::UndoStatus::Conflict => "conflict",
        ledger::UndoStatus::Cannot => "cannot",
        ledger::UndoStatus::Failed => "failed",
    }
}

#[cfg(test)]
mod tests;
