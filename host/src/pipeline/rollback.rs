//! Undoing a run: from the ledger, last created first, as durable units themselves (rules D-9, D-10).
//!
//! Only what this run made is deleted and only what it changed is put back; what was matched is left. An effect below another
//! run's on the same object is a conflict: the stack is undone from its top.

use std::collections::BTreeMap;

use sqlx::Row as _;
use tokio_util::sync::CancellationToken;

use super::load::{End, drive, freeze, in_doubt, open_units};
use super::model::{Events, RollbackReport, UndoProblem};
use super::side::Side;
use crate::contract::destination::{UndoMode, Undoing};
use crate::contract::ledger::{Effect, UndoStatus};
use crate::error::Error;
use crate::store::Store;
use crate::unit::{Call, Frozen, Surroundings, undo_word};
use crate::{kinds, sql};

/// Effects that go into one unit, where the destination names no batch size for the kind.
const BATCH: usize = 50;

/// What to undo and how.
pub struct Rollback<'a> {
    /// The destination, with the plugin digest that wrote (rule I-10).
    pub destination: &'a Side,
    /// What units need.
    pub around: Surroundings,
    /// Only these kinds; all if empty.
    pub kinds: Vec<String>,
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
        let mut by_kind: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut total = 0;
        for row in self.open_effects().await? {
            total += 1;
            by_kind.entry(row.kind.clone()).or_default().push(row);
        }
        let mut done = 0;
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut problems = vec![];
        let mut order: Vec<String> = self
            .destination
            .description()
            .kinds
            .iter()
            .map(|support| kinds::name(&support.kind).to_owned())
            .collect();
        order.reverse();
        order.push("own".to_owned());
        for kind in order {
            if !(self.kinds.is_empty() || self.kinds.contains(&kind)) {
                continue;
            }
            let rows = by_kind.remove(&kind).unwrap_or_default();
            let size = self
                .destination
                .description()
                .kinds
                .iter()
                .find(|support| kinds::name(&support.kind) == kind)
                .map_or(BATCH, |support| {
                    usize::try_from(support.batch_items).unwrap_or(BATCH).max(1)
                });
            for chunk in rows.chunks(size) {
                if self.stop.is_cancelled() {
                    return Err(super::load::stopped());
                }
                let mut effects = vec![];
                for row in chunk {
                    match self.above(row).await? {
                        Some(run) => {
                            let reason =
                                format!("run {run} changed it later: roll that back first");
                            self.mark(row, UndoStatus::Conflict, &reason).await?;
                            count(&mut counts, &row.kind, UndoStatus::Conflict);
                            problems.push(problem(row, UndoStatus::Conflict, reason));
                        }
                        None => effects.push(row.undoing.clone()),
                    }
                }
                let ours = self.still_ours(chunk).await?;
                if preview {
                    for outcome in self.preview(&context, effects, ours).await? {
                        let Some(row) =
                            chunk.iter().find(|r| r.undoing.effect_id == outcome.effect)
                        else {
                            continue;
                        };
                        count(&mut counts, &row.kind, outcome.status);
                        if is_problem(outcome.status) {
                            problems.push(problem(
                                row,
                                outcome.status,
                                outcome.reason.unwrap_or_default(),
                            ));
                        }
                    }
                } else if !effects.is_empty() {
                    self.undo(&context, &kind, effects, ours).await?;
                }
                done += chunk.len() as u64;
                self.events.progress(&kind, done, Some(total));
            }
        }
        if !preview {
            let (stored, stored_problems) = stored(&self.around.store, &self.around.run).await?;
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
            left(&self.around.store, &self.around.run).await? + unsettled as u64
        };
        if !preview {
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

    /// Effects of this run that are not undone, last first.
    async fn open_effects(&self) -> Result<Vec<Row>, Error> {
        self.around
            .store
            .rows(
                "SELECT id, kind, source_id, marker, effect FROM effects WHERE run = $1 AND action <> 'matched' \
                 AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed')) ORDER BY id DESC",
                vec![(&self.around.run).into()],
            )
            .await?
            .iter()
            .map(|row| {
                let (kind, source_id): (String, String) =
                    (row.try_get("kind")?, row.try_get("source_id")?);
                let effect: Effect = serde_json::from_str(&row.try_get::<String, _>("effect")?)?;
                Ok(Row {
                    undoing: Undoing {
                        effect_id: super::extract::unsigned(row.try_get("id")?),
                        kind: kinds::parse(&kind),
                        item: format!("{kind}:{source_id}"),
                        marker: row.try_get("marker")?,
                        effect,
                    },
                    kind,
                    source_id,
                })
            })
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

    /// Objects of this run that are still there beside those being undone: they are no strangers (rule D-10).
    async fn still_ours(&self, chunk: &[Row]) -> Result<Vec<(String, String)>, Error> {
        let undoing: Vec<u64> = chunk.iter().map(|row| row.undoing.effect_id).collect();
        Ok(self
            .around
            .store
            .rows(
                "SELECT id, target_kind, target_id FROM effects WHERE run = $1 AND undo_status IN ('conflict', 'cannot', 'failed')",
                vec![(&self.around.run).into()],
            )
            .await?
            .iter()
            .filter_map(|row| {
                let id: i64 = row.try_get("id").ok()?;
                (!undoing.contains(&super::extract::unsigned(id)))
                    .then(|| Some((row.try_get("target_kind").ok()?, row.try_get("target_id").ok()?)))
                    .flatten()
            })
            .collect())
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
    Ok(super::extract::unsigned(
        store
            .number(
                "SELECT count(*) FROM effects WHERE run = $1 AND action <> 'matched' AND \
                 (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed'))",
                vec![run.into()],
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
    let mut counts = Counts::new();
    let mut problems = vec![];
    store
        .each(
            "SELECT kind, source_id, target_kind, target_id, undo_status, coalesce(undo_reason, '') AS undo_reason, effect \
             FROM effects WHERE run = $1 AND undo_status IS NOT NULL ORDER BY id DESC",
            vec![run.into()],
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
