//! Reading the source: partitions are walked page by page, and each page lands in the store together with its cursor.
//!
//! A partition is done when as many distinct ids were read as the source counts, the same before and after the walk; else it
//! is walked again, split as its connector says, or ends as a reported shortfall (rule D-13). A staged row is never overwritten
//! by an older one. After the first pass a catch-up pass reads what moved meanwhile.
//!
//! Memory: a page for each partition that is being walked, and 16 bytes for each of its ids.

use std::collections::{BTreeMap, HashSet};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::assemble::{display_name, is_closed};
use super::damage;
use super::dangers::Dangers;
use super::model::{Events, Notice};
use super::planning;
use super::side::Side;
use crate::blobs::BlobStore;
use crate::contract::source::{Page, Partition};
use crate::contract::types::{Entity, Entry, Kind, Reference};
use crate::error::Error;
use crate::store::{Statement, Store, sha256};
use crate::{kinds, sql};

/// A partition whose counts do not agree is walked this often.
const WALKS: i64 = 3;
/// Partitions read at once: searches are paced by the gateway; more would only hold memory.
const AT_ONCE: usize = 4;
/// Pages in a row that bring no new record, of their partition's kind or another (a list of messages that is read for their files
/// brings files only): an honest list has holes, but none of ten million rows.
const FRUITLESS: u32 = 100_000;
/// Records of other kinds than their partition's that a walk remembers.
const BESIDE: usize = 65_536;
/// Times that partitions are replaced by others: halving a hundred years down to milliseconds takes 42.
const GENERATIONS: u32 = 1_000;
/// How far the catch-up pass reaches back before the moment the first pass began: longer than search indexes lag.
const OVERLAP_MS: i64 = 10 * 60 * 1000;
/// The pass that ends a run's own reading; later ones are of deltas.
pub(super) const CATCH_UP: i64 = 1;

/// Kinds whose reading is over.
pub type Ready = watch::Sender<HashSet<String>>;

/// What an extraction works with.
pub struct Extractor<'a> {
    /// The source.
    pub side: &'a Side,
    /// State.
    pub store: &'a Store,
    /// Where long texts are.
    pub blobs: &'a BlobStore,
    /// Which reading of the account this is.
    pub extraction: String,
    /// The first pass reads what was updated before this, ms.
    pub until: i64,
    /// Told when something is done.
    pub events: &'a dyn Events,
    /// Stops at the next page.
    pub stop: CancellationToken,
    /// Stops at dangers that nobody has taken on; without, they are kept for the plan to show.
    pub dangers: Option<&'a Dangers>,
}

impl Extractor<'_> {
    /// Reads everything, then what moved meanwhile, and marks kinds as they become complete. What was read before a stop is not
    /// read again.
    ///
    /// # Errors
    /// The first connector or store error; `stopped` when told to stop.
    pub async fn run(&self, wanted: &[Kind], ready: &Ready) -> Result<(), Error> {
        self.events.phase("extract");
        for kind in wanted {
            self.pass(kind, 0, None, self.until).await?;
            // What a thread is made of keeps moving while it is read: those kinds are ready after the catch-up pass.
            if !matches!(kind, Kind::Conversation | Kind::Message | Kind::Attachment) {
                mark(ready, kind);
            }
        }
        let caught_up = self
            .store
            .number(
                "SELECT caught_up FROM extractions WHERE id = $1",
                vec![(&self.extraction).into()],
            )
            .await?;
        if caught_up == 0 {
            let now = self.side.clock.now();
            let until = self.catch_up_until(now).await?;
            for kind in wanted {
                if is_moving(kind) {
                    self.pass(kind, 1, Some(self.until - OVERLAP_MS), until)
                        .await?;
                }
            }
            self.store
                .write(vec![sql!(
                    "UPDATE extractions SET caught_up = $2, state = 'complete' WHERE id = $1",
                    &self.extraction,
                    until
                )])
                .await?;
        }
        for kind in wanted {
            mark(ready, kind);
        }
        mark(ready, &Kind::Attachment);
        Ok(())
    }

    /// Reads only these kinds, for a plan.
    ///
    /// # Errors
    /// As [`Extractor::run`].
    pub async fn schema(&self, wanted: &[Kind]) -> Result<(), Error> {
        for kind in wanted {
            self.pass(kind, 0, None, self.until).await?;
        }
        Ok(())
    }

    /// Reads what moved since a watermark, as a later pass: an overlap further back, since search indexes lag. What was read of the
    /// pass before a stop is not read again.
    ///
    /// # Errors
    /// As [`Extractor::run`].
    pub async fn later(
        &self,
        wanted: &[Kind],
        pass: i64,
        since: i64,
        until: i64,
    ) -> Result<(), Error> {
        self.events.phase("extract");
        for kind in wanted {
            self.pass(kind, pass, Some(since - OVERLAP_MS), until)
                .await?;
        }
        Ok(())
    }

    /// Walks all of a kind and stores nothing: which ids are there, and which say of themselves that they are not.
    ///
    /// # Errors
    /// As [`Extractor::run`].
    pub async fn sweep(&self, kind: &Kind, until: i64) -> Result<Swept, Error> {
        let (side, asked) = (self.side, kind.clone());
        let mut open = side
            .ask("divide its records", |host| {
                let (plugin, ctx, kind) =
                    (side.plugin.clone(), side.context.clone(), asked.clone());
                async move { plugin.partitions(host, ctx, kind, None, until).await }
            })
            .await?;
        let mut swept = Swept::default();
        let mut splits = 0;
        while let Some(part) = open.pop() {
            let mut walk = Walk::of(format!("sweep:{}", part.id), part);
            loop {
                if self.stop.is_cancelled() {
                    return Err(Error::Interrupted);
                }
                let page = self.page(&walk).await?;
                for entry in page.records.iter().filter(|entry| entry.head.kind == *kind) {
                    swept.take(entry);
                }
                walk.take(&page);
                if !page.split.is_empty() {
                    splits += 1;
                    if splits > GENERATIONS * GENERATIONS {
                        return Err(self.endless(
                            kinds::name(kind),
                            "its partitions are split again and again",
                        ));
                    }
                    open.extend(page.split);
                    break;
                }
                let Some(next) = page.next else {
                    break;
                };
                if walk.fruitless >= FRUITLESS || !walk.asked.insert(sha256(&next)) {
                    return Err(self.endless(kinds::name(kind), "a page leads back to itself"));
                }
                walk.cursor = Some(next);
            }
            self.events
                .progress(kinds::name(kind), swept.ids.len() as u64, None);
        }
        Ok(swept)
    }

    /// Records as they are now, by id; those that are gone are left out.
    ///
    /// # Errors
    /// What the connector says.
    pub async fn fetch(&self, kind: &Kind, ids: &[String]) -> Result<Vec<Entry>, Error> {
        let side = self.side;
        let refs: Vec<Reference> = ids
            .iter()
            .map(|id| Reference {
                kind: kind.clone(),
                id: id.clone(),
                target: None,
                name: None,
            })
            .collect();
        side.ask("look records up", |host| {
            let (plugin, ctx, refs) = (side.plugin.clone(), side.context.clone(), refs.clone());
            async move { plugin.fetch(host, ctx, refs).await }
        })
        .await
    }

    /// The catch-up pass must cut at one moment too, also when it is resumed.
    async fn catch_up_until(&self, now: i64) -> Result<i64, Error> {
        let stored = self
            .store
            .row(
                "SELECT spec FROM partitions WHERE extraction = $1 AND pass = 1 LIMIT 1",
                vec![(&self.extraction).into()],
            )
            .await?;
        if let Some(row) = stored {
            let part: Partition = serde_json::from_str(&row.try_get::<String, _>("spec")?)?;
            if let Some(end) = part.window_end {
                return Ok(end);
            }
        }
        Ok(now)
    }

    async fn pass(
        &self,
        kind: &Kind,
        pass: i64,
        since: Option<i64>,
        until: i64,
    ) -> Result<(), Error> {
        let word = kinds::name(kind);
        let planned = self
            .store
            .number(
                "SELECT count(*) FROM kinds_read WHERE extraction = $1 AND kind = $2 AND pass >= $3",
                vec![(&self.extraction).into(), word.into(), pass.into()],
            )
            .await?;
        if planned == 0 {
            let (side, asked) = (self.side, kind.clone());
            let parts = side
                .ask("divide its records", |host| {
                    let (plugin, ctx, kind) =
                        (side.plugin.clone(), side.context.clone(), asked.clone());
                    async move { plugin.partitions(host, ctx, kind, since, until).await }
                })
                .await?;
            let mut batch: Vec<Statement> = vec![sql!(
                "INSERT INTO kinds_read (extraction, kind, pass) VALUES ($1, $2, $3) \
                 ON CONFLICT (extraction, kind) DO UPDATE SET pass = $3",
                &self.extraction,
                word,
                pass
            )];
            for part in &parts {
                batch.push(self.new_partition(part, pass)?);
            }
            self.store.write(batch).await?;
        }
        for _ in 0..GENERATIONS {
            let open = self.open_partitions(word, pass).await?;
            if open.is_empty() {
                return Ok(());
            }
            stream::iter(open)
                .map(|part| self.walk(part, pass))
                .buffer_unordered(AT_ONCE)
                .try_collect::<Vec<()>>()
                .await?;
        }
        Err(self.endless(word, "its partitions are split again and again"))
    }

    /// A connector that would have us read for ever.
    fn endless(&self, kind: &str, why: &str) -> Error {
        let (name, plugin) = (&self.side.name, self.side.plugin_name());
        Error::failed(
            "endless",
            format!("{name} finds no end of {kind} ({plugin}): {why}"),
        )
        .with_hint("tell the connector's author")
    }

    fn new_partition(&self, part: &Partition, pass: i64) -> Result<Statement, Error> {
        Ok(sql!(
            "INSERT INTO partitions (extraction, id, kind, pass, spec, cursor_text, state, distinct_ids, walks) \
             VALUES ($1, $2, $3, $4, $5, NULL, 'open', 0, 1) ON CONFLICT (extraction, id) DO NOTHING",
            &self.extraction,
            format!("{pass}:{}", part.id),
            kinds::name(&part.kind),
            pass,
            serde_json::to_string(part)?
        ))
    }

    async fn open_partitions(&self, kind: &str, pass: i64) -> Result<Vec<Walk>, Error> {
        self.store
            .rows(
                "SELECT id, spec, cursor_text, total_first, walks FROM partitions \
                 WHERE extraction = $1 AND kind = $2 AND pass = $3 AND state = 'open' ORDER BY id",
                vec![(&self.extraction).into(), kind.into(), pass.into()],
            )
            .await?
            .into_iter()
            .map(|row| {
                Ok(Walk {
                    cursor: row.try_get("cursor_text")?,
                    total_first: row.try_get("total_first")?,
                    number: row.try_get("walks")?,
                    pass,
                    ..Walk::of(
                        row.try_get("id")?,
                        serde_json::from_str(&row.try_get::<String, _>("spec")?)?,
                    )
                })
            })
            .collect()
    }

    /// Walks one partition to its end.
    async fn walk(&self, mut walk: Walk, pass: i64) -> Result<(), Error> {
        if walk.cursor.is_some() {
            // What this walk had before the stop; rows that another partition gave first are missing, which at worst means one
            // more walk.
            let args = vec![
                (&self.extraction).into(),
                (&walk.id).into(),
                kinds::name(&walk.part.kind).into(),
            ];
            self.store
                .each(
                    "SELECT id FROM staged WHERE extraction = $1 AND part = $2 AND kind = $3",
                    args,
                    |row| {
                        walk.ids.insert(short(row.try_get("id")?));
                        Ok::<(), Error>(())
                    },
                )
                .await?;
        }
        loop {
            if self.stop.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let page = self.page(&walk).await?;
            walk.total_first = walk.total_first.or(page.total.map(signed));
            let done = page.next.is_none();
            let mut batch = vec![];
            for entry in &page.records {
                self.stage(entry, &walk, &mut batch)?;
            }
            walk.take(&page);
            if walk.fruitless >= FRUITLESS {
                let why = format!("{FRUITLESS} pages in a row hold none");
                return Err(self.endless(kinds::name(&walk.part.kind), &why));
            }
            // A page is made from its cursor and nothing else, so one that leads to itself does so for ever.
            if let Some(next) = &page.next
                && !walk.asked.insert(sha256(next))
            {
                let kind = kinds::name(&walk.part.kind);
                return Err(self.endless(kind, "a page leads back to itself"));
            }
            if !page.split.is_empty() {
                for part in &page.split {
                    batch.push(self.new_partition(part, pass)?);
                }
                batch.push(sql!(
                    "UPDATE partitions SET state = 'split', cursor_text = NULL, distinct_ids = 0 WHERE extraction = $1 AND id = $2",
                    &self.extraction,
                    &walk.id
                ));
                self.store.write(batch).await?;
                return Ok(());
            }
            let distinct = signed(walk.ids.len() as u64);
            let explained: i64 = walk.explained.values().sum();
            if done {
                let last = page.total.map(signed);
                let agrees = last.is_none_or(|last| {
                    Some(last) == walk.total_first && distinct + explained >= last
                });
                let state = if agrees {
                    "done"
                } else if walk.number < WALKS {
                    "open"
                } else {
                    "short"
                };
                if state == "open" {
                    tracing::info!(
                        partition = walk.id,
                        distinct,
                        last,
                        "Counts differ; walking again."
                    );
                    batch.push(sql!(
                        "UPDATE partitions SET cursor_text = NULL, total_first = NULL, walks = walks + 1 \
                         WHERE extraction = $1 AND id = $2",
                        &self.extraction,
                        &walk.id
                    ));
                } else {
                    batch.push(sql!(
                        "UPDATE partitions SET state = $3, distinct_ids = $4, total_first = $5, total_last = $6 \
                         WHERE extraction = $1 AND id = $2",
                        &self.extraction,
                        &walk.id,
                        state,
                        distinct,
                        walk.total_first,
                        last
                    ));
                    for (reason, rows) in &walk.explained {
                        batch.push(sql!(
                            "INSERT INTO explained (extraction, part, kind, reason, rows_n) VALUES ($1, $2, $3, $4, $5) \
                             ON CONFLICT (extraction, part, reason) DO UPDATE SET rows_n = $5",
                            &self.extraction,
                            &walk.id,
                            kinds::name(&walk.part.kind),
                            reason,
                            *rows
                        ));
                    }
                }
                self.store.write(batch).await?;
                self.tell(&walk.part.kind).await?;
                return Ok(());
            }
            batch.push(sql!(
                "UPDATE partitions SET cursor_text = $3, total_first = $4, distinct_ids = $5 WHERE extraction = $1 AND id = $2",
                &self.extraction,
                &walk.id,
                page.next.as_deref(),
                walk.total_first,
                distinct
            ));
            self.store.write(batch).await?;
            self.tell(&walk.part.kind).await?;
            walk.cursor = page.next;
        }
    }

    /// One page, asked for again while its connector does not trust it.
    async fn page(&self, walk: &Walk) -> Result<Page, Error> {
        let side = self.side;
        for _ in 0..10 {
            let page = side
                .ask("read", |host| {
                    let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
                    let (part, cursor) = (walk.part.clone(), walk.cursor.clone());
                    async move { plugin.read(host, ctx, part, cursor).await }
                })
                .await?;
            if !page.notices.is_empty() {
                let notices = page.notices.iter();
                let notices: Vec<Notice> = notices
                    .map(|said| planning::notice(&side.name, said))
                    .collect();
                self.keep(&notices).await?;
                // Before anything of the page is staged: it is read again by a run that may go on.
                if let Some(dangers) = self.dangers {
                    dangers.look(&notices).await?;
                }
            }
            if !page.retry {
                return Ok(page);
            }
            tracing::info!(
                partition = walk.id,
                "Page not to be trusted; reading it again."
            );
        }
        Err(Error::failed(
            "page-unreadable",
            format!(
                "{} gave no trustworthy page of {} ({}) in ten tries",
                side.name,
                kinds::name(&walk.part.kind),
                walk.id
            ),
        )
        .with_hint("the source is overloaded; run again later"))
    }

    /// Keeps what the connector said, each once.
    async fn keep(&self, notices: &[Notice]) -> Result<(), Error> {
        let mut batch: Vec<Statement> = vec![];
        for notice in notices {
            batch.push(sql!(
                "INSERT INTO notices (run, code, body) VALUES ($1, $2, $3) ON CONFLICT (run, code, body) DO NOTHING",
                &self.extraction,
                &notice.code,
                serde_json::to_string(notice)?
            ));
        }
        self.store.write(batch).await?;
        Ok(())
    }

    fn stage(&self, entry: &Entry, walk: &Walk, batch: &mut Vec<Statement>) -> Result<(), Error> {
        let payload = serde_json::to_string(entry)?;
        let hash = sha256(&payload);
        let limits = &self.side.description().text_limits;
        let found = damage::scan(entry, &payload, limits, &damage::reader(self.blobs));
        let found = damage::statements(&self.extraction, entry, &hash, &found);
        if walk.pass > CATCH_UP {
            batch.push(sql!(
                "INSERT INTO staged_before (extraction, kind, id, pass, payload) \
                 SELECT extraction, kind, id, $4, payload FROM staged \
                 WHERE extraction = $1 AND kind = $2 AND id = $3 AND updated_at < $5 AND hash <> $6 \
                 ON CONFLICT (extraction, kind, id, pass) DO NOTHING",
                &self.extraction,
                kinds::name(&entry.head.kind),
                &entry.head.id,
                walk.pass,
                entry.head.updated_at.unwrap_or(0),
                &hash
            ));
        }
        batch.push(sql!(
            "INSERT INTO staged (extraction, kind, id, parent, updated_at, sort_at, closed, name, part, walk, payload, hash, pass) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
             ON CONFLICT (extraction, kind, id) DO UPDATE SET parent = excluded.parent, updated_at = excluded.updated_at, \
             sort_at = excluded.sort_at, closed = excluded.closed, name = excluded.name, payload = excluded.payload, \
             pass = CASE WHEN excluded.hash <> staged.hash THEN excluded.pass ELSE staged.pass END, \
             hash = excluded.hash WHERE excluded.updated_at > staged.updated_at",
            &self.extraction,
            kinds::name(&entry.head.kind),
            &entry.head.id,
            kinds::parent(entry),
            entry.head.updated_at.unwrap_or(0),
            kinds::sort_at(entry),
            is_closed(entry),
            display_name(entry),
            &walk.id,
            walk.number,
            payload,
            hash,
            walk.pass
        ));
        batch.extend(found);
        if let Entity::Customer(customer) = &entry.data {
            for old in &customer.merged_from {
                batch.push(sql!(
                    "INSERT INTO aliases (extraction, kind, id, survivor) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (extraction, kind, id) DO UPDATE SET survivor = $4",
                    &self.extraction,
                    kinds::name(&entry.head.kind),
                    old,
                    &entry.head.id
                ));
            }
            if let Some(survivor) = &customer.merged_into {
                batch.push(sql!(
                    "INSERT INTO aliases (extraction, kind, id, survivor) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (extraction, kind, id) DO UPDATE SET survivor = $4",
                    &self.extraction,
                    kinds::name(&entry.head.kind),
                    &entry.head.id,
                    &survivor.id
                ));
            }
        }
        Ok(())
    }

    async fn tell(&self, kind: &Kind) -> Result<(), Error> {
        let word = kinds::name(kind);
        let row = self
            .store
            .row(
                "SELECT coalesce(sum(distinct_ids), 0) AS got, sum(coalesce(total_last, total_first)) AS total FROM partitions \
                 WHERE extraction = $1 AND kind = $2 AND pass = 0 AND state <> 'split'",
                vec![(&self.extraction).into(), word.into()],
            )
            .await?;
        if let Some(row) = row {
            let got: i64 = row.try_get("got")?;
            let total: Option<i64> = row.try_get("total")?;
            self.events
                .progress(word, unsigned(got), total.map(unsigned));
        }
        Ok(())
    }
}

/// An id by half of its hash: distinct ids can be counted without keeping them.
type Short = [u8; 16];

fn short(id: &str) -> Short {
    let mut short = Short::default();
    for (to, from) in short.iter_mut().zip(Sha256::digest(id)) {
        *to = from;
    }
    short
}

/// What a sweep saw of a kind.
#[derive(Default)]
pub struct Swept {
    ids: HashSet<Short>,
    /// Records that say they are deleted.
    pub deleted: Vec<String>,
    /// Records that say they live on in another: id and survivor.
    pub merged: Vec<(String, String)>,
}

impl Swept {
    fn take(&mut self, entry: &Entry) {
        let id = &entry.head.id;
        if !self.ids.insert(short(id)) {
            return;
        }
        match &entry.data {
            Entity::Customer(customer) => {
                if let Some(survivor) = &customer.merged_into {
                    self.merged.push((id.clone(), survivor.id.clone()));
                    return;
                }
                let away = customer.merged_from.iter();
                self.merged
                    .extend(away.map(|old| (old.clone(), id.clone())));
            }
            Entity::Conversation(conversation) => {
                if let Some(survivor) = &conversation.merged_into {
                    self.merged.push((id.clone(), survivor.id.clone()));
                    return;
                }
            }
            _ => {}
        }
        if entry.head.deleted {
            self.deleted.push(id.clone());
        }
    }

    /// Whether the record is there, whatever it says of itself.
    pub fn saw(&self, id: &str) -> bool {
        self.ids.contains(&short(id))
    }
}

/// One walk of a partition.
struct Walk {
    id: String,
    part: Partition,
    pass: i64,
    cursor: Option<String>,
    total_first: Option<i64>,
    number: i64,
    ids: HashSet<Short>,
    /// Records of other kinds, the latest of them: forgetting lets a repeat pass for new, but so would a new id each time.
    beside: HashSet<Short>,
    explained: BTreeMap<String, i64>,
    /// Hashes of the cursors that were given.
    asked: HashSet<String>,
    /// Pages in a row without a new record.
    fruitless: u32,
}

impl Walk {
    /// From the beginning of a partition.
    fn of(id: String, part: Partition) -> Self {
        Self {
            id,
            part,
            pass: 0,
            cursor: None,
            total_first: None,
            number: 1,
            ids: HashSet::new(),
            beside: HashSet::new(),
            explained: BTreeMap::new(),
            asked: HashSet::new(),
            fruitless: 0,
        }
    }

    /// Counts what a page holds.
    fn take(&mut self, page: &Page) {
        let mut new = !page.explained.is_empty();
        for entry in &page.records {
            let of_this_kind = kinds::name(&entry.head.kind) == kinds::name(&self.part.kind);
            let ids = if of_this_kind {
                &mut self.ids
            } else {
                &mut self.beside
            };
            new |= ids.insert(short(&entry.head.id));
        }
        if self.beside.len() > BESIDE {
            self.beside.clear();
        }
        for (reason, rows) in &page.explained {
            *self.explained.entry(reason.clone()).or_insert(0) += i64::from(*rows);
        }
        self.fruitless = if new { 0 } else { self.fruitless + 1 };
    }
}

/// Kinds that grow and change while they are read.
fn is_moving(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Company
            | Kind::Customer
            | Kind::Conversation
            | Kind::Message
            | Kind::Attachment
            | Kind::CustomObject
            | Kind::Relationship
    )
}

fn mark(ready: &Ready, kind: &Kind) {
    ready.send_modify(|done| {
        done.insert(kinds::name(kind).to_owned());
    });
}

pub(super) fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{attachment, message, reference};
    use super::*;

    fn page(records: Vec<Entry>, explained: Vec<(String, u32)>) -> Page {
        Page {
            records,
            next: None,
            total: None,
            split: vec![],
            retry: false,
            explained,
            notices: vec![],
        }
    }

    #[test]
    fn a_list_read_for_records_of_another_kind_bears_fruit_and_one_that_repeats_itself_does_not() {
        let part = Partition {
            id: "message/files".into(),
            kind: Kind::Message,
            object_type: None,
            spec: String::new(),
            expected: None,
            window_start: None,
            window_end: None,
        };
        let mut walk = Walk::of("0:message/files".into(), part);
        let file = |id: &str| attachment(id, reference("Message", "m1"));
        let mut after = |records, explained| {
            walk.take(&page(records, explained));
            walk.fruitless
        };
        assert_eq!(after(vec![], vec![]), 1);
        assert_eq!(after(vec![file("f1")], vec![]), 0);
        assert_eq!(after(vec![file("f1")], vec![]), 1, "it was there before");
        assert_eq!(after(vec![file("f1"), file("f2")], vec![]), 0);
        assert_eq!(after(vec![message("m1", None, "u1")], vec![]), 0);
        assert_eq!(after(vec![message("m1", None, "u1")], vec![]), 1);
        assert_eq!(after(vec![], vec![("draft".into(), 3)]), 0);
        assert_eq!(
            walk.ids.len(),
            1,
            "only its own kind is counted against the source's total"
        );
    }
}
