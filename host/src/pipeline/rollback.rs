//! Undoing a run: from the ledger, last created first, as durable units themselves (rules D-9, D-10).
//!
//! Only what this run made is deleted and only what it changed is put back; what was matched is left. An effect below another
//! run's on the same object is a conflict: the stack is undone from its top.
//!
//! Where a delta added to an object that the run made, and what the object was after that is known, the object goes first, as it was
//! left then: what was added goes with it, and need not be taken off one by one, which not every platform can. Where it stays, so
//! does what was added.
//!
//! Memory: the effects of one unit; up to [`OURS`] objects that stay; and the problems, which are what a person reads in the end.

use std::collections::{BTreeMap, HashSet};

use sqlx::Row as _;
use tokio_util::sync::CancellationToken;

use super::load::{End, drive, freeze, in_doubt, open_units};
use super::model::{Events, Notice, RollbackReport, Severity, UndoProblem};
use super::side::Side;
use super::verify::print_of;
use crate::contract::description::KindSupport;
use crate::contract::destination::{UndoMode, Undoing};
use crate::contract::ledger::{Action, Effect, UndoStatus};
use crate::error::Error;
use crate::store::Store;
use crate::unit::{Call, Frozen, Surroundings, undo_word};
use crate::{kinds, sql};

/// Objects that are held in memory, and handed to each unit, because others may have them as dependents. Beyond them more is called
/// a conflict than need be, and nothing is undone that should not be.
const OURS: usize = 50_000;
/// Effects that go into one unit, where the destination names no batch size for the kind.
const BATCH: usize = 50;

/// An effect `m` that made a record's object to which a delta added later, so that its print of then is known, and no second object
/// of that kind was made of the record: of such a one it is not known.
macro_rules! grew {
    () => {
        "m.part = 'main' AND m.action = 'created' \
         AND EXISTS (SELECT 1 FROM effects l WHERE l.account = m.account AND l.kind = m.kind AND l.source_id = m.source_id \
         AND l.part = 'main' AND l.run = m.run AND l.unit < 0 AND l.id > m.id AND l.target_kind = m.target_kind \
         AND l.target_id = m.target_id AND l.undo_status IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM effects o WHERE o.account = m.account AND o.kind = m.kind AND o.source_id = m.source_id \
         AND o.run = m.run AND o.action = 'created' AND o.target_kind = m.target_kind AND o.target_id <> m.target_id \
         AND (o.undo_status IS NULL OR o.undo_status NOT IN ('undone', 'gone')))"
    };
}

/// An effect `e` of a delta on a record whose object `m` made before that delta.
macro_rules! added_to {
    () => {
        "m.account = e.account AND m.kind = e.kind AND m.source_id = e.source_id AND m.part = 'main' AND m.run = e.run \
         AND m.action = 'created' AND m.id < e.id \
         AND EXISTS (SELECT 1 FROM deltas d WHERE d.run = e.run AND d.first_id > m.id AND d.first_id <= e.id)"
    };
}

/// A page of effects, of those of which something more is said.
macro_rules! page {
    ($more:expr) => {
        concat!(
            "SELECT id, source_id, marker, effect FROM effects e WHERE run = $1 AND kind = $2 AND id < $3 AND id >= $5 \
             AND action <> 'matched' AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed')) ",
            $more,
            " ORDER BY id DESC LIMIT $4"
        )
    };
}

/// What to undo and how.
pub struct Rollback<'a> {
    /// The destination, with the plugin digest that wrote (rule I-10).
    pub destination: &'a Side,
    /// The kinds that the account takes, in the order of loading.
    pub supported: Vec<KindSupport>,
    /// What units need.
    pub around: Surroundings,
    /// Only these kinds; all if empty.
    pub kinds: Vec<String>,
    /// Only effects with this number or a later one, those of a delta; all if 0.
    pub from: i64,
    /// Look, careful or force.
    pub mode: UndoMode,
    /// Told what goes on.
    pub events: &'a dyn Events,
    /// Stops between units.
    pub stop: CancellationToken,
}

/// An effect in the ledger.
struct Row {
    undoing: Undoing,
    kind: String,
    source_id: String,
}

impl Rollback<'_> {
    /// Undoes what is left of the run, or says what it would do.
    ///
    /// # Errors
    /// `stopped`, or what more tries would not mend. What could not be undone is no error: it is in the report.
    pub async fn run(&self) -> Result<RollbackReport, Error> {
        self.events.phase("rollback");
        let preview = self.mode == UndoMode::Preview;
        let context = self.context().await?;
        if !preview {
            for (unit, frozen, attempts, now) in open_units(&self.around).await? {
                match drive(self.destination, &self.around, unit, frozen, attempts, now)
                    .await?
                    .0
                {
                    End::Stopped => return Err(super::load::stopped()),
                    End::Done | End::Open { .. } => {}
                }
            }
        }
        let open = open_by_kind(&self.around.store, &self.around.run, self.from).await?;
        let total: u64 = open.values().sum();
        // Objects that a preview found in the way.
        let mut in_the_way: HashSet<(String, String)> = HashSet::new();
        let mut ours = Ours::open(&self.around.store, &self.around.run).await?;
        let mut done = 0;
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut problems = vec![];
        let bounds = deltas_begin(&self.around.store, &self.around.run).await?;
        let mut order: Vec<String> = self
            .supported
            .iter()
            .map(|support| kinds::name(&support.kind).to_owned())
            .collect();
        order.reverse();
        order.push("own".to_owned());
        for kind in order {
            let is_wanted = self.kinds.is_empty() || self.kinds.contains(&kind);
            if !is_wanted || !open.contains_key(&kind) {
                continue;
            }
            let size = self
                .supported
                .iter()
                .find(|support| kinds::name(&support.kind) == kind)
                .map_or(BATCH, |support| {
                    usize::try_from(support.batch_items).unwrap_or(BATCH).max(1)
                });
            let mut pages = Pages::new(
                &self.around.store,
                (&self.around.run, self.from),
                &kind,
                size,
            );
            pages.bounds.clone_from(&bounds);
            loop {
                if self.stop.is_cancelled() {
                    return Err(super::load::stopped());
                }
                let chunk = pages.next_page().await?;
                if chunk.is_empty() {
                    match pages.then_what_was_added() {
                        true => continue,
                        false => break,
                    }
                }
                let mut effects = vec![];
                for row in &chunk {
                    if pages.added && self.stays(row, &in_the_way).await? {
                        let reason = "what it was added to stays".to_owned();
                        self.mark(row, UndoStatus::Conflict, &reason).await?;
                        count(&mut counts, &row.kind, UndoStatus::Conflict);
                        problems.push(problem(row, UndoStatus::Conflict, reason));
                        continue;
                    }
                    match self.above(row).await? {
                        Some(run) => {
                            let reason =
                                format!("run {run} changed it later: roll that back first");
                            self.mark(row, UndoStatus::Conflict, &reason).await?;
                            count(&mut counts, &row.kind, UndoStatus::Conflict);
                            problems.push(problem(row, UndoStatus::Conflict, reason));
                        }
                        // What it held is erased (`transload purge`): nothing to ask the connector for.
                        None if row.undoing.effect.action == Action::Updated
                            && row.undoing.effect.before.as_deref()
                                == Some(super::purge::ERASED) =>
                        {
                            let reason =
                                "what it held before is not kept any more: it stays as it is"
                                    .to_owned();
                            self.mark(row, UndoStatus::Cannot, &reason).await?;
                            count(&mut counts, &row.kind, UndoStatus::Cannot);
                            problems.push(problem(row, UndoStatus::Cannot, reason));
                        }
                        None => {
                            // Only a delta can have added to it.
                            let left = match pages.has_firsts() {
                                true => self.left_print(row).await?,
                                false => None,
                            };
                            effects.push(match (left, preview) {
                                // It goes before what was added to it.
                                (Some(print), _) => as_left(row.undoing.clone(), print),
                                (None, true) => self.as_it_will_be(row, &in_the_way).await?,
                                (None, false) => row.undoing.clone(),
                            });
                        }
                    }
                }
                let others = ours.beside(&chunk);
                if preview {
                    for outcome in self.preview(&context, effects, others).await? {
                        let Some(row) =
                            chunk.iter().find(|r| r.undoing.effect_id == outcome.effect)
                        else {
                            continue;
                        };
                        count(&mut counts, &row.kind, outcome.status);
                        if is_problem(outcome.status) {
                            let effect = &row.undoing.effect;
                            in_the_way
                                .insert((effect.target_kind.clone(), effect.target_id.clone()));
                            problems.push(problem(
                                row,
                                outcome.status,
                                outcome.reason.unwrap_or_default(),
                            ));
                        }
                    }
                } else if !effects.is_empty() {
                    self.undo(&context, &kind, effects, others).await?;
                }
                match preview {
                    // What would be gone by then is no stranger either.
                    true => ours.extend(&chunk),
                    false => {
                        ours.look_again(&self.around.store, &self.around.run, &chunk)
                            .await?
                    }
                }
                done += chunk.len() as u64;
                self.events.progress(&kind, done, Some(total));
            }
        }
        if ours.full {
            self.events.notice(&too_many());
        }
        if !preview {
            let (stored, stored_problems) =
                stored_since(&self.around.store, &self.around.run, self.from).await?;
            counts = stored;
            problems = stored_problems;
            for row in in_doubt(&self.around).await? {
                problems.push(UndoProblem {
                    kind: row.try_get("kind")?,
                    source_id: row.try_get("source_id")?,
                    target: String::new(),
                    url: None,
                    status: "unsettled".into(),
                    reason: "it may have been written, and cannot be looked up yet: roll back again later".into(),
                });
            }
        }
        let left = if preview {
            total
        } else {
            let unsettled = problems.iter().filter(|p| p.status == "unsettled").count();
            left_since(&self.around.store, &self.around.run, self.from).await? + unsettled as u64
        };
        if !preview && self.from == 0 {
            let state = if left == 0 {
                "rolled-back"
            } else {
                "rolling-back"
            };
            self.around
                .store
                .write(vec![sql!(
                    "UPDATE runs SET state = $2, ended_at = $3 WHERE id = $1",
                    &self.around.run,
                    state,
                    self.around.clock.now()
                )])
                .await?;
        }
        Ok(RollbackReport {
            run: self.around.run.clone(),
            preview,
            counts: counts
                .into_iter()
                .map(|((kind, status), n)| (kind, status, n))
                .collect(),
            problems,
            left,
        })
    }

    async fn context(&self) -> Result<crate::contract::session::Context, Error> {
        let mut context = self.destination.context.clone();
        let row = self
            .around
            .store
            .row(
                "SELECT prepared FROM runs WHERE id = $1",
                vec![(&self.around.run).into()],
            )
            .await?;
        context.state = row
            .map(|row| row.try_get("prepared"))
            .transpose()?
            .flatten();
        Ok(context)
    }

    /// Takes back all that was made of one record, last first; says what is in the way, nothing if it is undone.
    ///
    /// # Errors
    /// As [`Rollback::run`].
    pub async fn record(&self, kind: &str, id: &str) -> Result<Vec<String>, Error> {
        let context = self.context().await?;
        let store = &self.around.store;
        let args = || -> Vec<crate::store::Arg> {
            vec![(&self.around.run).into(), kind.into(), id.into()]
        };
        let rows = store
            .rows(
                "SELECT id, source_id, marker, effect FROM effects WHERE run = $1 AND kind = $2 AND source_id = $3 AND action <> 'matched' \
                 AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed')) ORDER BY id DESC",
                args(),
            )
            .await?;
        let (mut firsts, mut rest) = (vec![], vec![]);
        for row in &rows {
            let row = row_of(row, kind)?;
            if let Some(run) = self.above(&row).await? {
                return Ok(vec![format!("run {run} changed it later")]);
            }
            match self.left_print(&row).await? {
                Some(print) => firsts.push(as_left(row.undoing, print)),
                None => rest.push(row.undoing),
            }
        }
        let effects = [firsts, rest].concat();
        let ours = Ours::open(store, &self.around.run).await?;
        for some in effects.chunks(BATCH) {
            Box::pin(self.undo(&context, kind, some.to_vec(), ours.beside(&[]))).await?;
        }
        store
            .rows(
                "SELECT coalesce(undo_reason, undo_status, 'it was not taken back') AS why FROM effects \
                 WHERE run = $1 AND kind = $2 AND source_id = $3 AND action <> 'matched' \
                 AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed')) ORDER BY id DESC",
                args(),
            )
            .await?
            .iter()
            .map(|row| Ok(row.try_get("why")?))
            .collect()
    }

    /// A later run's effect on the same object.
    async fn above(&self, row: &Row) -> Result<Option<String>, Error> {
        let effect = &row.undoing.effect;
        let found = self
            .around
            .store
            .row(
                "SELECT run FROM effects WHERE account = $1 AND target_kind = $2 AND target_id = $3 AND id > $4 AND run <> $5 \
                 AND action <> 'matched' AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed')) LIMIT 1",
                vec![
                    (&self.around.account).into(),
                    (&effect.target_kind).into(),
                    (&effect.target_id).into(),
                    row.undoing.effect_id.into(),
                    (&self.around.run).into(),
                ],
            )
            .await?;
        Ok(found.map(|row| row.try_get("run")).transpose()?)
    }

    /// The print of an object that the run made, as it was after a delta added to it; none where nothing was, or where that is not
    /// known.
    async fn left_print(&self, row: &Row) -> Result<Option<String>, Error> {
        let effect = &row.undoing.effect;
        if self.from > 0 || effect.action != Action::Created || effect.part != "main" {
            return Ok(None);
        }
        let is_grown = self
            .around
            .store
            .number(
                concat!(
                    "SELECT count(*) FROM effects m WHERE m.id = $1 AND ",
                    grew!()
                ),
                vec![row.undoing.effect_id.into()],
            )
            .await?;
        if is_grown == 0 {
            return Ok(None);
        }
        let rows = self
            .around
            .store
            .rows(
                "SELECT effect FROM effects WHERE run = $1 AND kind = $2 AND source_id = $3 AND part = 'main' AND id >= $4 \
                 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone', 'restored')) ORDER BY id DESC",
                vec![
                    (&self.around.run).into(),
                    (&row.kind).into(),
                    (&row.source_id).into(),
                    row.undoing.effect_id.into(),
                ],
            )
            .await?;
        let all: Vec<Effect> = rows
            .iter()
            .map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("effect")?)?))
            .collect::<Result<_, Error>>()?;
        Ok(print_of(&all, effect))
    }

    /// Whether that which a delta's effect was added to is still there, though its turn was before.
    async fn stays(
        &self,
        row: &Row,
        in_the_way: &HashSet<(String, String)>,
    ) -> Result<bool, Error> {
        let found = self
            .around
            .store
            .row(
                concat!(
                    "SELECT m.target_kind, m.target_id, m.undo_status FROM effects m JOIN effects e ON e.id = $1 WHERE ",
                    added_to!(),
                    " ORDER BY m.id DESC LIMIT 1"
                ),
                vec![row.undoing.effect_id.into()],
            )
            .await?;
        let Some(found) = found else {
            return Ok(false);
        };
        if self.mode == UndoMode::Preview {
            let target = (found.try_get("target_kind")?, found.try_get("target_id")?);
            return Ok(in_the_way.contains(&target));
        }
        let status: Option<String> = found.try_get("undo_status")?;
        Ok(status.is_none_or(|status| ["conflict", "cannot", "failed"].contains(&status.as_str())))
    }

    /// An effect as a preview has to look at it. Where this run changed the object again later, that goes first, so that what is
    /// there now says nothing of a change by others; unless that later change stays.
    async fn as_it_will_be(
        &self,
        row: &Row,
        in_the_way: &HashSet<(String, String)>,
    ) -> Result<Undoing, Error> {
        let mut undoing = row.undoing.clone();
        let effect = &mut undoing.effect;
        let later = self
            .around
            .store
            .rows(
                "SELECT DISTINCT kind FROM effects WHERE account = $1 AND target_kind = $2 AND target_id = $3 AND id > $4 AND run = $5 \
                 AND action <> 'matched' AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed'))",
                vec![
                    (&self.around.account).into(),
                    (&effect.target_kind).into(),
                    (&effect.target_id).into(),
                    undoing.effect_id.into(),
                    (&self.around.run).into(),
                ],
            )
            .await?;
        let mut goes_first = false;
        for row in &later {
            let kind: String = row.try_get("kind")?;
            goes_first |= self.kinds.is_empty() || self.kinds.contains(&kind);
        }
        let target = (effect.target_kind.clone(), effect.target_id.clone());
        if goes_first && !in_the_way.contains(&target) {
            (effect.fingerprint, effect.version, effect.updated_at) = (None, None, None);
        }
        Ok(undoing)
    }

    async fn undo(
        &self,
        context: &crate::contract::session::Context,
        kind: &str,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<(), Error> {
        let frozen = Frozen {
            context: context.clone(),
            call: Call::Undo(self.mode, effects.clone(), ours.clone()),
            records: vec![],
            settle_ms: 0,
        };
        let (unit, now) = freeze(&self.around, "undo", kind, &frozen).await?;
        match drive(self.destination, &self.around, unit, frozen, 0, now)
            .await?
            .0
        {
            End::Done => Ok(()),
            End::Stopped => Err(super::load::stopped()),
            End::Open { error, .. } if effects.len() == 1 => {
                for effect in effects {
                    self.around
                        .store
                        .write(vec![sql!(
                            "UPDATE effects SET undo_status = 'failed', undo_reason = $2 WHERE id = $1 AND \
                             (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone', 'restored', 'left'))",
                            effect.effect_id,
                            &error
                        )])
                        .await?;
                }
                Ok(())
            }
            End::Open { .. } => {
                for effect in effects {
                    Box::pin(self.undo(context, kind, vec![effect], ours.clone())).await?;
                }
                Ok(())
            }
        }
    }

    async fn preview(
        &self,
        context: &crate::contract::session::Context,
        effects: Vec<Undoing>,
        ours: Vec<(String, String)>,
    ) -> Result<Vec<crate::contract::ledger::UndoOutcome>, Error> {
        let side = self.destination;
        let host = side.reading();
        let result = side
            .plugin
            .undo(
                host.clone(),
                context.clone(),
                UndoMode::Preview,
                effects,
                ours,
            )
            .await
            .map_err(|error| Error::failed("unit-failed", error.to_string()))?;
        result.map_err(|error| side.failed("preview the rollback", &error))?;
        Ok(host.previewed())
    }

    async fn mark(&self, row: &Row, status: UndoStatus, reason: &str) -> Result<(), Error> {
        if self.mode == UndoMode::Preview {
            return Ok(());
        }
        self.around
            .store
            .write(vec![sql!(
                "UPDATE effects SET undo_status = $2, undo_reason = $3 WHERE id = $1",
                row.undoing.effect_id,
                undo_word(status),
                reason
            )])
            .await?;
        Ok(())
    }
}

/// Effects of a run that are not undone, by kind.
async fn open_by_kind(store: &Store, run: &str, from: i64) -> Result<BTreeMap<String, u64>, Error> {
    store
        .rows(
            "SELECT kind, count(*) AS n FROM effects WHERE run = $1 AND id >= $2 AND action <> 'matched' \
             AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed')) GROUP BY kind",
            vec![run.into(), from.into()],
        )
        .await?
        .iter()
        .map(|row| {
            let n = super::extract::unsigned(row.try_get("n")?);
            Ok((row.try_get("kind")?, n))
        })
        .collect()
}

/// An effect with what its object was after the last of our writes.
fn as_left(mut undoing: Undoing, print: String) -> Undoing {
    let effect = &mut undoing.effect;
    (effect.version, effect.updated_at) = (None, None);
    effect.fingerprint = Some(print);
    undoing
}

/// The effects of a run on one kind that are not undone, last first, as many at a time as go into a unit: a run has millions.
///
/// Each is met once. One that stays (a conflict, say) is passed by, as the next page begins below the last effect of this one,
/// whatever became of it.
struct Pages<'a> {
    store: &'a Store,
    run: &'a str,
    kind: &'a str,
    size: usize,
    /// Effects before this are none of ours.
    from: i64,
    /// Effects from here on were met.
    below: i64,
    /// Where deltas begin: what one of them added to an object is undone before the object is looked at, in a unit of its own.
    bounds: Vec<i64>,
    /// It is the turn of what was added to objects that were to go first.
    added: bool,
}

impl<'a> Pages<'a> {
    fn new(store: &'a Store, (run, from): (&'a str, i64), kind: &'a str, size: usize) -> Self {
        Self {
            store,
            run,
            kind,
            size,
            from,
            below: i64::MAX,
            bounds: vec![],
            added: false,
        }
    }

    /// Whether some objects go before what deltas added to them.
    fn has_firsts(&self) -> bool {
        self.from == 0 && !self.bounds.is_empty()
    }

    /// After all others: on to what was added to objects that had their turn, and what could not be taken off one that is gone now.
    /// Whether there can be any.
    fn then_what_was_added(&mut self) -> bool {
        let goes_on = !self.added && self.has_firsts();
        (self.added, self.below) = (goes_on, i64::MAX);
        goes_on
    }

    /// None when all were met.
    async fn next_page(&mut self) -> Result<Vec<Row>, Error> {
        let page = match (self.has_firsts(), self.added) {
            (false, _) => page!(""),
            (true, false) => page!(concat!(
                "AND NOT EXISTS (SELECT 1 FROM effects m WHERE ",
                added_to!(),
                " AND ",
                grew!(),
                ")"
            )),
            (true, true) => page!(concat!(
                "AND EXISTS (SELECT 1 FROM effects m WHERE ",
                added_to!(),
                " AND ((",
                grew!(),
                ") OR (e.undo_status IS NOT NULL AND m.undo_status IN ('undone', 'gone'))))"
            )),
        };
        let rows = self
            .store
            .rows(
                page,
                vec![
                    self.run.into(),
                    self.kind.into(),
                    self.below.into(),
                    i64::try_from(self.size).unwrap_or(i64::MAX).into(),
                    self.from.into(),
                ],
            )
            .await?;
        let newest: Option<i64> = rows.first().map(|row| row.try_get("id")).transpose()?;
        let bound = self
            .bounds
            .iter()
            .filter(|bound| newest.is_some_and(|newest| **bound <= newest))
            .max()
            .copied();
        let mut rows = rows;
        if let Some(bound) = bound {
            rows.retain(|row| row.try_get::<i64, _>("id").is_ok_and(|id| id >= bound));
        }
        if let Some(last) = rows.last() {
            self.below = last.try_get("id")?;
        }
        rows.iter().map(|row| row_of(row, self.kind)).collect()
    }
}

/// The numbers from which on effects are those of deltas.
async fn deltas_begin(store: &Store, run: &str) -> Result<Vec<i64>, Error> {
    store
        .rows(
            "SELECT first_id FROM deltas WHERE run = $1",
            vec![run.into()],
        )
        .await?
        .iter()
        .map(|row| Ok(row.try_get("first_id")?))
        .collect()
}

fn row_of(row: &sqlx::sqlite::SqliteRow, kind: &str) -> Result<Row, Error> {
    let source_id: String = row.try_get("source_id")?;
    let effect: Effect = serde_json::from_str(&row.try_get::<String, _>("effect")?)?;
    Ok(Row {
        undoing: Undoing {
            effect_id: super::extract::unsigned(row.try_get("id")?),
            kind: kinds::parse(kind),
            item: format!("{kind}:{source_id}"),
            marker: row.try_get("marker")?,
            effect,
        },
        kind: kind.to_owned(),
        source_id,
    })
}

/// Objects of the run that are still there when others are undone: they are no strangers to those (rule D-10). A rollback leaves
/// few; a preview leaves all that it has met.
struct Ours {
    /// By the ledger's number.
    there: BTreeMap<u64, (String, String)>,
    /// So many, and no more.
    most: usize,
    /// Some are not among them.
    full: bool,
}

impl Ours {
    /// What earlier rollbacks left.
    async fn open(store: &Store, run: &str) -> Result<Self, Error> {
        let mut ours = Self {
            there: BTreeMap::new(),
            most: OURS,
            full: false,
        };
        store
            .each(
                "SELECT id, target_kind, target_id FROM effects WHERE run = $1 AND undo_status IN ('conflict', 'cannot', 'failed')",
                vec![run.into()],
                |row| ours.add_row(row),
            )
            .await?;
        Ok(ours)
    }

    fn add(&mut self, id: u64, kind: String, target: String) {
        if self.there.len() < self.most {
            self.there.insert(id, (kind, target));
        } else {
            self.full = true;
        }
    }

    fn extend(&mut self, chunk: &[Row]) {
        for row in chunk {
            let effect = &row.undoing.effect;
            let target = (effect.target_kind.clone(), effect.target_id.clone());
            self.add(row.undoing.effect_id, target.0, target.1);
        }
    }

    /// All but those that are being undone.
    fn beside(&self, chunk: &[Row]) -> Vec<(String, String)> {
        let undoing: HashSet<u64> = chunk.iter().map(|row| row.undoing.effect_id).collect();
        self.there
            .iter()
            .filter(|(id, _)| !undoing.contains(id))
            .map(|(_, target)| target.clone())
            .collect()
    }

    /// What became of a page, by the ledger.
    async fn look_again(&mut self, store: &Store, run: &str, page: &[Row]) -> Result<(), Error> {
        let (Some(newest), Some(oldest)) = (page.first(), page.last()) else {
            return Ok(());
        };
        for row in page {
            self.there.remove(&row.undoing.effect_id);
        }
        let args = vec![
            run.into(),
            (&oldest.kind).into(),
            oldest.undoing.effect_id.into(),
            newest.undoing.effect_id.into(),
        ];
        store
            .each(
                "SELECT id, target_kind, target_id FROM effects WHERE run = $1 AND kind = $2 AND id BETWEEN $3 AND $4 \
                 AND undo_status IN ('conflict', 'cannot', 'failed')",
                args,
                |row| self.add_row(row),
            )
            .await
    }

    fn add_row(&mut self, row: &sqlx::sqlite::SqliteRow) -> Result<(), Error> {
        let id = super::extract::unsigned(row.try_get("id")?);
        self.add(id, row.try_get("target_kind")?, row.try_get("target_id")?);
        Ok(())
    }
}

fn too_many() -> Notice {
    Notice {
        from: "rollback".into(),
        code: "many-left".into(),
        severity: Severity::Caution,
        message: format!(
            "more than {OURS} objects of the run are in the way of others: what they hang on may be called a conflict though nobody \
             else has to do with it"
        ),
        remedy: Some("settle those conflicts, and roll back again".into()),
    }
}

fn count(counts: &mut BTreeMap<(String, String), u64>, kind: &str, status: UndoStatus) {
    *counts
        .entry((kind.to_owned(), undo_word(status).to_owned()))
        .or_insert(0) += 1;
}

fn is_problem(status: UndoStatus) -> bool {
    matches!(
        status,
        UndoStatus::Conflict | UndoStatus::Cannot | UndoStatus::Failed
    )
}

fn problem(row: &Row, status: UndoStatus, reason: String) -> UndoProblem {
    UndoProblem {
        kind: row.kind.clone(),
        source_id: row.source_id.clone(),
        target: format!(
            "{} {}",
            row.undoing.effect.target_kind, row.undoing.effect.target_id
        ),
        status: undo_word(status).to_owned(),
        reason,
        url: row.undoing.effect.url.clone(),
    }
}

/// Effects of a run that are still there.
///
/// # Errors
/// A store error.
pub async fn left(store: &Store, run: &str) -> Result<u64, Error> {
    left_since(store, run, 0).await
}

async fn left_since(store: &Store, run: &str, from: i64) -> Result<u64, Error> {
    Ok(super::extract::unsigned(
        store
            .number(
                "SELECT count(*) FROM effects WHERE run = $1 AND id >= $2 AND action <> 'matched' AND \
                 (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed'))",
                vec![run.into(), from.into()],
            )
            .await?,
    ))
}

type Counts = BTreeMap<(String, String), u64>;

/// What a rollback did so far, from the ledger.
///
/// # Errors
/// A store error.
pub async fn stored(store: &Store, run: &str) -> Result<(Counts, Vec<UndoProblem>), Error> {
    stored_since(store, run, 0).await
}

async fn stored_since(
    store: &Store,
    run: &str,
    from: i64,
) -> Result<(Counts, Vec<UndoProblem>), Error> {
    let mut counts = Counts::new();
    let mut problems = vec![];
    store
        .each(
            "SELECT kind, source_id, target_kind, target_id, undo_status, coalesce(undo_reason, '') AS undo_reason, effect \
             FROM effects WHERE run = $1 AND id >= $2 AND undo_status IS NOT NULL ORDER BY id DESC",
            vec![run.into(), from.into()],
            |row| {
                let (kind, status): (String, String) =
                    (row.try_get("kind")?, row.try_get("undo_status")?);
                if ["conflict", "cannot", "failed"].contains(&status.as_str()) {
                    let effect: Effect =
                        serde_json::from_str(&row.try_get::<String, _>("effect")?)?;
                    problems.push(UndoProblem {
                        kind: kind.clone(),
                        source_id: row.try_get("source_id")?,
                        target: format!(
                            "{} {}",
                            row.try_get::<String, _>("target_kind")?,
                            row.try_get::<String, _>("target_id")?
                        ),
                        status: status.clone(),
                        reason: row.try_get("undo_reason")?,
                        url: effect.url,
                    });
                }
                *counts.entry((kind, status)).or_insert(0) += 1;
                Ok::<(), Error>(())
            },
        )
        .await?;
    Ok((counts, problems))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    /// An effect as the ledger has it.
    async fn effect(
        store: &Store,
        run: &str,
        kind: &str,
        id: i64,
        action: &str,
        undo: Option<&str>,
    ) {
        let effect = serde_json::json!({
            "part": "main", "target_kind": "thing", "target_id": id.to_string(), "action": "Created",
        });
        let row = sql!(
            "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, unit, \
             digest, at_ms, undo_status) VALUES ($1, 'a2', $2, $3, $4, 'main', 'thing', $5, $6, 'm', $7, 1, 'd', 1, $8)",
            id,
            run,
            kind,
            format!("s{id}"),
            id.to_string(),
            action,
            effect.to_string(),
            undo
        );
        store.write(vec![row]).await.unwrap();
    }

    async fn mark(store: &Store, id: u64, status: &str) {
        let row = sql!(
            "UPDATE effects SET undo_status = $2 WHERE id = $1",
            id,
            status
        );
        store.write(vec![row]).await.unwrap();
    }

    #[tokio::test]
    async fn every_open_effect_is_met_once_last_first_in_pages_of_any_size() {
        for size in [1, 2, 3, 4, 100] {
            let (_dir, store) = fixtures::store().await;
            for id in 1..=20 {
                // Kinds and runs lie between each other, as units of several kinds run at once.
                let kind = if id % 3 == 0 { "company" } else { "customer" };
                effect(&store, "r1", kind, id, "created", None).await;
                effect(&store, "r2", kind, id + 100, "created", None).await;
            }
            effect(&store, "r1", "customer", 31, "matched", None).await;
            effect(&store, "r1", "customer", 32, "updated", Some("conflict")).await;
            effect(&store, "r1", "customer", 33, "created", Some("undone")).await;
            effect(&store, "r1", "customer", 34, "created", Some("gone")).await;

            let open = open_by_kind(&store, "r1", 0).await.unwrap();
            assert_eq!(
                open,
                BTreeMap::from([("company".to_owned(), 6), ("customer".to_owned(), 15)])
            );
            for (kind, expected) in [
                ("company", vec![18, 15, 12, 9, 6, 3]),
                (
                    "customer",
                    vec![32, 20, 19, 17, 16, 14, 13, 11, 10, 8, 7, 5, 4, 2, 1],
                ),
            ] {
                let mut pages = Pages::new(&store, ("r1", 0), kind, size);
                let mut met = vec![];
                loop {
                    let page = pages.next_page().await.unwrap();
                    if page.is_empty() {
                        break;
                    }
                    assert!(page.len() <= size, "{size}");
                    for row in page {
                        let id = row.undoing.effect_id;
                        assert_eq!((row.kind.as_str(), row.source_id), (kind, format!("s{id}")));
                        // As a unit does it: most are undone, some stay open.
                        let status = if id % 4 == 0 { "conflict" } else { "undone" };
                        mark(&store, id, status).await;
                        met.push(id);
                    }
                }
                assert_eq!(met, expected, "{kind} in pages of {size}");
            }
            let left = open_by_kind(&store, "r1", 0).await.unwrap();
            assert_eq!(
                left,
                BTreeMap::from([("company".to_owned(), 1), ("customer".to_owned(), 5)])
            );
            assert_eq!(super::left(&store, "r1").await.unwrap(), 6);
        }
    }

    #[tokio::test]
    async fn what_a_delta_added_to_comes_before_what_was_added_where_its_print_is_known() {
        let (_dir, store) = fixtures::store().await;
        let made = [
            // Made by the run; a delta added to both, and knows what the first was then.
            (1_i64, "grown", "1", "created", 1_i64),
            (2, "other", "2", "created", 1),
            // What the delta added, and made.
            (11, "grown", "11", "created", 2),
            (12, "other", "12", "created", 2),
            (13, "new", "13", "created", 2),
            (14, "grown", "1", "matched", -1),
        ];
        for (id, of, target, action, unit) in made {
            let row = sql!(
                "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, unit, \
                 digest, at_ms) VALUES ($1, 'a2', 'r1', 'conversation', $2, $3, $4, $5, $6, 'm', $7, $8, 'd', 1)",
                id,
                of,
                if id == 11 || id == 12 { "added" } else { "main" },
                if id == 11 || id == 12 { "part" } else { "thing" },
                target,
                action,
                serde_json::json!({
                    "part": "main", "target_kind": "thing", "target_id": target, "action": "Created",
                })
                .to_string(),
                unit
            );
            store.write(vec![row]).await.unwrap();
        }
        let delta = sql!(
            "INSERT INTO deltas (run, number_n, pass, since_ms, until_ms, state, closing, swept, first_id, policies, remap, remap_from, \
             started_at) VALUES ('r1', 1, 2, 0, 0, 'done', 0, 1, 10, '{}', '', '', 1)"
        );
        store.write(vec![delta]).await.unwrap();
        for (from, expected) in [(0, vec![13, 12, 2, 1, 11]), (10, vec![13, 12, 11])] {
            for size in [1, 2, 100] {
                let mut pages = Pages::new(&store, ("r1", from), "conversation", size);
                pages.bounds = deltas_begin(&store, "r1").await.unwrap();
                let mut met = vec![];
                loop {
                    let page = pages.next_page().await.unwrap();
                    if page.is_empty() && !pages.then_what_was_added() {
                        break;
                    }
                    met.extend(page.iter().map(|row| row.undoing.effect_id));
                }
                assert_eq!(met, expected, "from {from} in pages of {size}");
            }
        }
        // What could not be taken off is met again once that which it was added to is gone.
        mark(&store, 12, "cannot").await;
        mark(&store, 2, "undone").await;
        let mut pages = Pages::new(&store, ("r1", 0), "conversation", 100);
        pages.bounds = deltas_begin(&store, "r1").await.unwrap();
        pages.added = true;
        let page = pages.next_page().await.unwrap();
        let met: Vec<u64> = page.iter().map(|row| row.undoing.effect_id).collect();
        assert_eq!(met, [12, 11]);
    }

    #[tokio::test]
    async fn what_stays_is_known_to_what_is_undone_after_it() {
        let (_dir, store) = fixtures::store().await;
        for id in 1..=6 {
            effect(&store, "r1", "customer", id, "created", None).await;
        }
        effect(&store, "r1", "company", 7, "created", Some("conflict")).await;
        effect(&store, "r2", "company", 8, "created", Some("conflict")).await;
        let thing = |id: i64| ("thing".to_owned(), id.to_string());
        let mut ours = Ours::open(&store, "r1").await.unwrap();
        let mut pages = Pages::new(&store, ("r1", 0), "customer", 3);
        let page = pages.next_page().await.unwrap();
        assert_eq!(ours.beside(&page), [thing(7)]);
        for (id, status) in [(6, "undone"), (5, "conflict"), (4, "left")] {
            mark(&store, id, status).await;
        }
        ours.look_again(&store, "r1", &page).await.unwrap();
        let page = pages.next_page().await.unwrap();
        assert_eq!(ours.beside(&page), [thing(5), thing(7)]);

        // Again: what was in the way is no longer.
        let mut ours = Ours::open(&store, "r1").await.unwrap();
        let mut pages = Pages::new(&store, ("r1", 0), "customer", 3);
        let page = pages.next_page().await.unwrap();
        assert_eq!(ours.beside(&page), [thing(7)]);
        mark(&store, 5, "undone").await;
        ours.look_again(&store, "r1", &page).await.unwrap();
        assert_eq!(ours.beside(&[]), [thing(7)]);
        // A preview changes nothing, and knows what would be gone.
        ours.extend(&page);
        assert_eq!(ours.beside(&[]).len(), 1 + page.len());
        assert!(!ours.full);
        ours.most = ours.there.len();
        // More than can be held: those that are known stay known.
        ours.add(99, "thing".into(), "99".into());
        assert_eq!((ours.beside(&[]).len(), ours.full), (4, true));
    }
}
