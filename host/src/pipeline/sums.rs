//! Adding up a run from what is stored (rule M-6): nothing here is counted while running, everything can be counted again.
//!
//! What has as many rows as the run has records is read in the order of an index, row by row, or counted by one; it is neither
//! held nor sorted.

use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use sqlx::Row as _;

use super::extract::unsigned;
use super::model::{KindSum, LossGroup, RejectGroup, RequestCount, RunReport, RunState, SkipGroup};
use super::{damage, dangers, inventory, rollback};
use crate::error::Error;
use crate::kinds;
use crate::report::form;
use crate::store::Store;
use crate::unit::Surroundings;

/// Examples shown of a group: enough to look at one, and at another if the first was odd.
const EXAMPLES: usize = 3;
/// So many sentences that differ in ids, numbers and quoted words are listed each by itself: a handful of values without a place, say.
const APART: usize = 5;

/// Everything there is to say about a run.
///
/// # Errors
/// A store error, or `no-such-run`.
pub async fn report(around: &Surroundings) -> Result<RunReport, Error> {
    report_stored(&around.store, &around.run).await
}

/// As [`report`], from the store alone.
///
/// # Errors
/// As [`report`].
pub async fn report_stored(store: &Store, run: &str) -> Result<RunReport, Error> {
    let row = store
        .row(
            "SELECT r.extraction, r.source, r.destination, r.account, r.organisation, r.state, r.reason, r.until_ms, r.started_at, r.ended_at, \
             e.account AS source_account FROM runs r JOIN extractions e ON e.id = r.extraction WHERE r.id = $1",
            vec![run.into()],
        )
        .await?
        .ok_or_else(|| {
            Error::input("no-such-run", format!("there is no run {run}"))
                .with_hint("`transload status` shows the last one")
        })?;
    let extraction: String = row.try_get("extraction")?;
    let kinds = kind_sums(store, run, &extraction).await?;
    let total = total(&kinds);
    let duplicates = duplicates(store, run).await?;
    let state = state_of(&row.try_get::<String, _>("state")?);
    let lost = if state == RunState::Complete {
        total.open + total.shortfall
    } else {
        0
    };
    let (_, undo_problems) = rollback::stored(store, run).await?;
    let left_after_rollback = match state {
        RunState::RollingBack | RunState::RolledBack => rollback::left(store, run).await?,
        _ => 0,
    };
    let notices = dangers::merged(
        dangers::kept(store, run).await?,
        dangers::kept(store, &extraction).await?,
    );
    let mut plugins = vec![];
    for row in store
        .rows(
            "SELECT name, version, digest FROM run_plugins WHERE run = $1 ORDER BY role DESC",
            vec![run.into()],
        )
        .await?
    {
        let (name, version, digest): (String, String, String) = (
            row.try_get("name")?,
            row.try_get("version")?,
            row.try_get("digest")?,
        );
        plugins.push(format!("{name}@{version} sha256:{digest}"));
    }
    Ok(RunReport {
        run: run.to_owned(),
        state,
        reason: row.try_get("reason")?,
        until: row.try_get("until_ms")?,
        source: format!(
            "{} ({})",
            row.try_get::<String, _>("source")?,
            row.try_get::<String, _>("source_account")?
        ),
        destination: format!(
            "{} ({})",
            row.try_get::<String, _>("destination")?,
            row.try_get::<String, _>("account")?
        ),
        plugins,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        kinds,
        total,
        duplicates,
        lost,
        left_after_rollback,
        rejects: rejects(store, run).await?,
        skips: skips(store, run).await?,
        losses: losses(store, run).await?,
        damage: damage::groups(store, &extraction).await?,
        inventory: sections(store, run).await?,
        requests: requests(store, run, &extraction).await?,
        undo_problems,
        chain_ok: store.chain_holds().await?,
        verification: super::verify::last(store, run).await?,
        notices,
    })
}

/// The sum of each kind, in load order.
///
/// # Errors
/// A store error.
pub async fn kind_sums(store: &Store, run: &str, extraction: &str) -> Result<Vec<KindSum>, Error> {
    let mut sums: BTreeMap<String, KindSum> = BTreeMap::new();
    for row in store
        .rows(
            "SELECT kind, count(*) AS n FROM staged WHERE extraction = $1 GROUP BY kind",
            vec![extraction.into()],
        )
        .await?
    {
        let kind: String = row.try_get("kind")?;
        let read = unsigned(row.try_get("n")?);
        sums.insert(
            kind.clone(),
            KindSum {
                kind,
                read,
                expected: read,
                ..KindSum::default()
            },
        );
    }
    // By the source's own counters: what its parts say they hold. Parts may overlap (two indexes, a catch-up pass); what was
    // read twice is explained as such.
    for row in store
        .rows(
            "SELECT kind, sum(coalesce(total_last, distinct_ids)) AS expected, sum(distinct_ids) AS got, \
             sum(CASE WHEN state = 'short' AND total_last > distinct_ids THEN 1 ELSE 0 END) AS short \
             FROM partitions WHERE extraction = $1 AND state IN ('done', 'short') GROUP BY kind",
            vec![extraction.into()],
        )
        .await?
    {
        let kind: String = row.try_get("kind")?;
        let sum = sums
            .entry(kind.clone())
            .or_insert_with(|| KindSum { kind, ..KindSum::default() });
        sum.expected = unsigned(row.try_get("expected")?);
        let got = unsigned(row.try_get("got")?);
        if got > sum.read {
            sum.explained.insert("read more than once".into(), got - sum.read);
        } else if got < sum.read {
            // Came along with records of another kind.
            sum.expected += sum.read - got;
        }
    }
    // A part without a counter of its own holds what was read of it, explained rows included.
    for row in store
        .rows(
            "SELECT e.kind, sum(e.rows_n) AS n FROM explained e JOIN partitions p ON p.extraction = e.extraction AND p.id = e.part \
             WHERE e.extraction = $1 AND p.total_last IS NULL AND p.state IN ('done', 'short') GROUP BY e.kind",
            vec![extraction.into()],
        )
        .await?
    {
        let kind: String = row.try_get("kind")?;
        if let Some(sum) = sums.get_mut(&kind) {
            sum.expected += unsigned(row.try_get("n")?);
        }
    }
    for row in store
        .rows(
            "SELECT kind, reason, sum(rows_n) AS n FROM explained WHERE extraction = $1 GROUP BY kind, reason",
            vec![extraction.into()],
        )
        .await?
    {
        let kind: String = row.try_get("kind")?;
        if let Some(sum) = sums.get_mut(&kind) {
            sum.explained
                .insert(row.try_get("reason")?, unsigned(row.try_get("n")?));
        }
    }
    for row in store
        .rows(
            "SELECT kind, status, count(*) AS n FROM outcomes WHERE run = $1 AND kind <> 'own' GROUP BY status, kind",
            vec![run.into()],
        )
        .await?
    {
        let kind: String = row.try_get("kind")?;
        let n = unsigned(row.try_get("n")?);
        let sum = sums
            .entry(kind.clone())
            .or_insert_with(|| KindSum { kind, ..KindSum::default() });
        match row.try_get::<String, _>("status")?.as_str() {
            "created" => sum.created = n,
            "updated" => sum.updated = n,
            "matched" => sum.matched = n,
            "skipped" => sum.skipped = n,
            "rejected" => sum.rejected = n,
            "exported" => sum.exported = n,
            _ => sum.unsettled = n,
        }
    }
    for (kind, n) in undone(store, run).await? {
        if let Some(sum) = sums.get_mut(&kind) {
            sum.undone = n;
        }
    }
    // The inventory is no part of what is staged: what was listed is exported.
    if let Some(sum) = sums.get_mut(inventory::KIND) {
        sum.read = sum.exported;
        sum.expected = sum.exported;
    }
    for sum in sums.values_mut() {
        let explained: u64 = sum.explained.values().sum();
        sum.shortfall = sum.expected.saturating_sub(sum.read + explained);
        let settled = sum.created
            + sum.updated
            + sum.matched
            + sum.skipped
            + sum.rejected
            + sum.exported
            + sum.unsettled;
        sum.open = sum.read.saturating_sub(settled);
    }
    let mut ordered = vec![];
    for kind in kinds::ALL {
        ordered.extend(sums.remove(kinds::name(&kind)));
    }
    ordered.extend(sums.into_values());
    Ok(ordered)
}

/// All kinds together.
#[must_use]
pub fn total(kinds: &[KindSum]) -> KindSum {
    let mut total = KindSum {
        kind: "all".into(),
        ..KindSum::default()
    };
    for sum in kinds {
        add(&mut total, sum);
    }
    total
}

fn add(total: &mut KindSum, sum: &KindSum) {
    total.expected += sum.expected;
    total.read += sum.read;
    for (reason, n) in &sum.explained {
        *total.explained.entry(reason.clone()).or_insert(0) += n;
    }
    total.shortfall += sum.shortfall;
    total.created += sum.created;
    total.updated += sum.updated;
    total.matched += sum.matched;
    total.skipped += sum.skipped;
    total.rejected += sum.rejected;
    total.exported += sum.exported;
    total.unsettled += sum.unsettled;
    total.open += sum.open;
    total.undone += sum.undone;
}

/// Objects that were made more than once for one part of a record.
async fn duplicates(store: &Store, run: &str) -> Result<u64, Error> {
    let mut duplicates = 0;
    let mut part: Option<[String; 3]> = None;
    let mut targets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let several = |targets: &BTreeMap<String, BTreeSet<String>>| {
        targets.values().filter(|ids| ids.len() > 1).count() as u64
    };
    store
        .each(
            "SELECT kind, source_id, part, target_kind, target_id FROM effects \
             WHERE account = (SELECT account FROM runs WHERE id = $1) AND run = $1 AND action = 'created' \
             AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY kind, source_id, part",
            vec![run.into()],
            |row| {
                let this = [
                    row.try_get("kind")?,
                    row.try_get("source_id")?,
                    row.try_get("part")?,
                ];
                if part.as_ref() != Some(&this) {
                    duplicates += several(&targets);
                    targets.clear();
                    part = Some(this);
                }
                targets
                    .entry(row.try_get("target_kind")?)
                    .or_default()
                    .insert(row.try_get("target_id")?);
                Ok::<(), Error>(())
            },
        )
        .await?;
    Ok(duplicates + several(&targets))
}

/// Records whose own object was undone, by kind.
async fn undone(store: &Store, run: &str) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut last: Option<(String, String)> = None;
    store
        .each(
            "SELECT kind, source_id FROM effects WHERE account = (SELECT account FROM runs WHERE id = $1) AND run = $1 \
             AND undo_status IN ('undone', 'gone', 'restored') AND part = 'main' ORDER BY kind, source_id",
            vec![run.into()],
            |row| {
                let this: (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
                if last.as_ref() != Some(&this) {
                    *counts.entry(this.0.clone()).or_insert(0) += 1;
                    last = Some(this);
                }
                Ok::<(), Error>(())
            },
        )
        .await?;
    Ok(counts)
}

async fn rejects(store: &Store, run: &str) -> Result<Vec<RejectGroup>, Error> {
    let mut alike = Alike::default();
    let mut rows = sqlx::query(
        "SELECT kind, source_id, coalesce(cause, '') AS cause, coalesce(remedy, '') AS remedy FROM outcomes \
         WHERE run = $1 AND status = 'rejected'",
    )
    .bind(run)
    .fetch(store.reads());
    while let Some(row) = rows.try_next().await? {
        alike.add(
            [row.try_get("kind")?, row.try_get("remedy")?],
            &row.try_get::<String, _>("cause")?,
            &row.try_get::<String, _>("source_id")?,
        );
    }
    Ok(alike
        .groups()
        .into_iter()
        .map(|([kind, remedy], cause, group)| RejectGroup {
            kind,
            cause,
            remedy,
            count: group.records,
            examples: group.examples,
        })
        .collect())
}

async fn skips(store: &Store, run: &str) -> Result<Vec<SkipGroup>, Error> {
    let mut alike = Alike::default();
    let mut rows = sqlx::query(
        "SELECT kind, source_id, coalesce(cause, '') AS cause FROM outcomes WHERE run = $1 AND status = 'skipped'",
    )
    .bind(run)
    .fetch(store.reads());
    while let Some(row) = rows.try_next().await? {
        alike.add(
            [row.try_get("kind")?],
            &row.try_get::<String, _>("cause")?,
            &row.try_get::<String, _>("source_id")?,
        );
    }
    Ok(alike
        .groups()
        .into_iter()
        .map(|([kind], rule, group)| SkipGroup {
            kind,
            rule,
            count: group.records,
        })
        .collect())
}

async fn losses(store: &Store, run: &str) -> Result<Vec<LossGroup>, Error> {
    let mut alike = Alike::default();
    let mut rows =
        sqlx::query("SELECT kind, source_id, field, how, note FROM losses WHERE run = $1")
            .bind(run)
            .fetch(store.reads());
    while let Some(row) = rows.try_next().await? {
        alike.add(
            [
                row.try_get("kind")?,
                row.try_get("field")?,
                row.try_get("how")?,
            ],
            &row.try_get::<String, _>("note")?,
            &row.try_get::<String, _>("source_id")?,
        );
    }
    Ok(alike
        .groups()
        .into_iter()
        .map(|([kind, field, how], note, group)| LossGroup {
            kind,
            field,
            how,
            note,
            count: group.records,
            examples: group.examples,
        })
        .collect())
}

/// Puts sentences about records together: those that are equal, and, of sentences that differ in ids, numbers and quoted
/// words only, all together once there are more than [`APART`]. So what is held is bounded by how many kinds of sentences
/// there are, not by how many records.
struct Alike<const N: usize> {
    groups: BTreeMap<([String; N], String), Sentences>,
}

impl<const N: usize> Default for Alike<N> {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
        }
    }
}

/// Sentences of one form.
#[derive(Default)]
struct Sentences {
    /// Each by itself, while they are few.
    apart: BTreeMap<String, Group>,
    /// All of them.
    together: Group,
}

/// Records with one sentence.
#[derive(Debug, Default, Clone, PartialEq)]
struct Group {
    records: u64,
    examples: Vec<String>,
    last: String,
}

impl Group {
    /// Rows of one record come one after the other, as they were written.
    fn add(&mut self, record: &str) {
        if self.last == record {
            return;
        }
        record.clone_into(&mut self.last);
        self.records += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(record.to_owned());
        }
    }
}

impl<const N: usize> Alike<N> {
    fn add(&mut self, key: [String; N], sentence: &str, record: &str) {
        let sentences = self.groups.entry((key, form(sentence))).or_default();
        sentences.together.add(record);
        if sentences.apart.len() <= APART {
            sentences
                .apart
                .entry(sentence.to_owned())
                .or_default()
                .add(record);
        }
    }

    /// The biggest first.
    fn groups(self) -> Vec<([String; N], String, Group)> {
        let mut all = vec![];
        for ((key, form), sentences) in self.groups {
            match sentences.apart.len() > APART {
                true => all.push((key, form, sentences.together)),
                false => all.extend(
                    sentences
                        .apart
                        .into_iter()
                        .map(|(sentence, group)| (key.clone(), sentence, group)),
                ),
            }
        }
        all.sort_by_key(|(.., group)| std::cmp::Reverse(group.records));
        all
    }
}

/// How many things of each section the inventory has.
async fn sections(store: &Store, run: &str) -> Result<BTreeMap<String, u64>, Error> {
    let mut sections = BTreeMap::new();
    for row in store
        .rows(
            "SELECT source_id FROM outcomes WHERE run = $1 AND kind = $2",
            vec![run.into(), inventory::KIND.into()],
        )
        .await?
    {
        let id: String = row.try_get("source_id")?;
        let section = id
            .split_once('/')
            .map_or(id.as_str(), |(section, _)| section);
        *sections.entry(section.to_owned()).or_insert(0) += 1;
    }
    Ok(sections)
}

async fn requests(store: &Store, run: &str, extraction: &str) -> Result<Vec<RequestCount>, Error> {
    store
        .rows(
            "SELECT connection, method, path, sum(count_n) AS n, sum(throttled) AS throttled FROM request_counts \
             WHERE run IN ($1, $2) GROUP BY connection, method, path ORDER BY connection, n DESC",
            vec![run.into(), extraction.into()],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(RequestCount {
                connection: row.try_get("connection")?,
                method: row.try_get("method")?,
                path: row.try_get("path")?,
                count: unsigned(row.try_get("n")?),
                throttled: unsigned(row.try_get("throttled")?),
            })
        })
        .collect()
}

/// A stored state's meaning.
#[must_use]
pub fn state_of(word: &str) -> RunState {
    match word {
        "new" => RunState::New,
        "paused" => RunState::Paused,
        "stopped" => RunState::Stopped,
        "complete" => RunState::Complete,
        "rolling-back" => RunState::RollingBack,
        "rolled-back" => RunState::RolledBack,
        _ => RunState::Running,
    }
}

#[cfg(test)]
mod tests;
