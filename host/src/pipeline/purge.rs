//! Erasing what is kept of the customers' data when it is not needed any more (rule M-12), by stage, with what is lost by it.
//!
//! What the ledger says of effects stays, so that what was made can still be deleted; the chain covers digests, and where something it
//! covers is erased the outcome is covered anew. Nothing at either platform is touched.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::Row as _;

use super::delta::covered_anew;
use super::extract::unsigned;
use super::model::{PurgeOptions, PurgeReport, PurgeStage, Stage};
use super::owned;
use super::project::Project;
use crate::contract::ledger::Effect;
use crate::error::Error;
use crate::sql;
use crate::store::{Statement, Store};

/// What stands for a before-image that was erased; a connector's own is JSON.
pub(super) const ERASED: &str = "";
/// Rows rewritten in one transaction.
const AT_ONCE: i64 = 200;
/// Refuses what needs the records of a reading after they were erased.
///
/// # Errors
/// `purged`
pub(super) async fn refuse_purged(store: &Store, extraction: &str) -> Result<(), Error> {
    let row = store
        .row(
            "SELECT state FROM extractions WHERE id = $1",
            vec![extraction.into()],
        )
        .await?;
    let state: Option<String> = row.map(|row| row.try_get("state")).transpose()?;
    match state.as_deref() {
        Some("purged") => Err(Error::input(
            "purged",
            "the records that were read are erased (`transload purge`), so they cannot be written or compared any more",
        )
        .with_hint("a rollback still works; to migrate again, roll back and begin anew")),
        _ => Ok(()),
    }
}

/// Erases stages, or says what that would erase and lose.
///
/// # Errors
/// `not-settled` while units are open or a delta was interrupted; a store error; a folder that cannot be emptied.
pub async fn purge(project: &Project, options: PurgeOptions) -> Result<PurgeReport, Error> {
    owned(project, owning(project, &options)).await
}

async fn owning(project: &Project, options: &PurgeOptions) -> Result<PurgeReport, Error> {
    let store = &project.store;
    if !options.preview {
        settled(store).await?;
    }
    let mut stages = vec![];
    for stage in Stage::ALL {
        if !options.stages.contains(&stage) {
            continue;
        }
        let mut found = measure(project, stage).await?;
        found.lost = lost(store, stage).await?;
        if !options.preview {
            erase(project, stage).await?;
        }
        stages.push(found);
    }
    if !options.preview {
        // What was deleted is still in the file until it is written anew.
        store.compact().await?;
    }
    Ok(PurgeReport {
        preview: options.preview,
        at: project.clock.now(),
        stages,
        kept: kept(),
    })
}

fn kept() -> Vec<String> {
    [
        "the ledger: ids at both ends, what became of each record, and why (a reason may quote a value that was refused)",
        "sums, requests by method and path, plugin digests, the chain of hashes",
        "migration.toml, and the credentials beside it",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Nothing is erased that something begun still needs.
async fn settled(store: &Store) -> Result<(), Error> {
    let units = store
        .number(
            "SELECT count(*) FROM units WHERE status IN ('ready', 'running')",
            vec![],
        )
        .await?;
    let unsettled = store
        .number(
            "SELECT count(*) FROM outcomes WHERE status = 'unsettled'",
            vec![],
        )
        .await?;
    let deltas = store
        .number(
            "SELECT count(*) FROM deltas WHERE state IN ('open', 'rolling-back')",
            vec![],
        )
        .await?;
    if units + unsettled + deltas == 0 {
        return Ok(());
    }
    Err(Error::input(
        "not-settled",
        format!(
            "{units} units are open, {unsettled} records unsettled and {deltas} deltas interrupted: what is kept is needed to end them"
        ),
    )
    .with_hint("end them with `transload run` or `transload delta`, then purge"))
}

/// What a stage holds.
async fn measure(project: &Project, stage: Stage) -> Result<PurgeStage, Error> {
    let store = &project.store;
    let (count, bytes) = match stage {
        Stage::Source => {
            let rows = sum(store, "SELECT count(*) AS n, coalesce(sum(length(payload)), 0) AS bytes FROM staged WHERE payload <> ''").await?;
            let old = sum(store, "SELECT count(*) AS n, coalesce(sum(length(payload)), 0) AS bytes FROM staged_before").await?;
            let files = folder(&project.dir.join(".transload").join("blobs"));
            (rows.0 + old.0 + files.0, rows.1 + old.1 + files.1)
        }
        Stage::Journal => {
            sum(
                store,
                "SELECT count(*) AS n, coalesce(sum(length(coalesce(answer, '')) + length(request)), 0) AS bytes FROM journal \
                 WHERE unit NOT IN (SELECT id FROM units WHERE status IN ('ready', 'running'))",
            )
            .await?
        }
        Stage::Export => folder(&project.dir.join("export")),
        Stage::BeforeImages => {
            sum(
                store,
                "SELECT count(*) AS n, coalesce(sum(length(json_extract(effect, '$.before'))), 0) AS bytes FROM effects \
                 WHERE json_extract(effect, '$.before') <> ''",
            )
            .await?
        }
    };
    Ok(PurgeStage {
        stage,
        count,
        bytes,
        lost: vec![],
    })
}

async fn sum(store: &Store, sql: &'static str) -> Result<(u64, u64), Error> {
    let row = store.row(sql, vec![]).await?;
    Ok(match row {
        Some(row) => (unsigned(row.try_get("n")?), unsigned(row.try_get("bytes")?)),
        None => (0, 0),
    })
}

/// Files of a folder and what they hold.
fn folder(path: &Path) -> (u64, u64) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return (0, 0);
    };
    entries
        .flatten()
        .fold((0, 0), |(n, bytes), entry| match entry.metadata() {
            Ok(about) if about.is_dir() => {
                let inside = folder(&entry.path());
                (n + inside.0, bytes + inside.1)
            }
            Ok(about) => (n + 1, bytes + about.len()),
            Err(_) => (n, bytes),
        })
}

/// What cannot be done any more once a stage is erased.
async fn lost(store: &Store, stage: Stage) -> Result<Vec<String>, Error> {
    let count = |sql: &'static str| async move {
        Ok::<u64, Error>(unsigned(store.number(sql, vec![]).await?))
    };
    Ok(match stage {
        Stage::Source => vec![
            "verify, retry and delta of what was read so far: a new run would read the source again".into(),
            "examples and values in plans and verifications".into(),
        ],
        Stage::Journal => vec!["nothing that is needed: no unit is open".into()],
        Stage::Export => {
            let n = count("SELECT count(*) FROM outcomes WHERE status = 'exported'").await?;
            vec![format!(
                "{n} records that the destination has no place for, which are nowhere else but in the source; the inventory"
            )]
        }
        Stage::BeforeImages => {
            let changed = count(
                "SELECT count(*) FROM effects WHERE action = 'updated' AND json_extract(effect, '$.before') <> '' \
                 AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed'))",
            )
            .await?;
            let made = count(
                "SELECT count(*) FROM effects WHERE action = 'created' \
                 AND (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed'))",
            )
            .await?;
            vec![format!(
                "rollback of {changed} objects that were changed: they stay as they are; the {made} that were made can still be deleted"
            )]
        }
    })
}

async fn erase(project: &Project, stage: Stage) -> Result<(), Error> {
    let store = &project.store;
    match stage {
        Stage::Source => {
            let mut batch: Vec<Statement> = vec![
                // Before the rows: nothing reads half of them.
                sql!("UPDATE extractions SET state = 'purged', discovery = ''"),
                sql!("UPDATE staged SET payload = '', name = NULL, blob = NULL"),
                sql!("DELETE FROM staged_before"),
                sql!("DELETE FROM aliases"),
            ];
            for row in store
                .rows("SELECT run, body FROM run_plans", vec![])
                .await?
            {
                let body: String = row.try_get("body")?;
                batch.push(sql!(
                    "UPDATE run_plans SET body = $2 WHERE run = $1",
                    row.try_get::<String, _>("run")?,
                    strip_examples(&body)?
                ));
            }
            for row in store
                .rows("SELECT run, at_ms, body FROM verifications", vec![])
                .await?
            {
                let found = serde_json::from_str(&row.try_get::<String, _>("body")?)?;
                let found = crate::report::verification_without_content(found);
                batch.push(sql!(
                    "UPDATE verifications SET body = $3 WHERE run = $1 AND at_ms = $2",
                    row.try_get::<String, _>("run")?,
                    row.try_get::<i64, _>("at_ms")?,
                    serde_json::to_string(&found)?
                ));
            }
            store.write(batch).await?;
            empty(&project.dir.join(".transload").join("blobs"))
        }
        Stage::Journal => {
            store
                .write(vec![
                    sql!(
                        "DELETE FROM journal WHERE unit NOT IN (SELECT id FROM units WHERE status IN ('ready', 'running'))"
                    ),
                    sql!(
                        "UPDATE units SET input = '' WHERE status NOT IN ('ready', 'running')"
                    ),
                ])
                .await?;
            Ok(())
        }
        Stage::Export => empty(&project.dir.join("export")),
        Stage::BeforeImages => before_images(project).await,
    }
}

/// Takes the before-images out of effects; the outcomes that they belong to are covered anew by the chain.
async fn before_images(project: &Project) -> Result<(), Error> {
    let store = &project.store;
    loop {
        let rows = store
            .rows(
                "SELECT id, account, run, kind, source_id, effect FROM effects WHERE json_extract(effect, '$.before') <> '' \
                 ORDER BY id LIMIT $1",
                vec![AT_ONCE.into()],
            )
            .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut batch = vec![];
        let mut records: BTreeSet<(String, String, String, String)> = BTreeSet::new();
        for row in &rows {
            let mut effect: Effect = serde_json::from_str(&row.try_get::<String, _>("effect")?)?;
            effect.before = Some(ERASED.to_owned());
            batch.push(sql!(
                "UPDATE effects SET effect = $2 WHERE id = $1",
                row.try_get::<i64, _>("id")?,
                serde_json::to_string(&effect)?
            ));
            records.insert((
                row.try_get("account")?,
                row.try_get("run")?,
                row.try_get("kind")?,
                row.try_get("source_id")?,
            ));
        }
        store.write(batch).await?;
        let (mut batch, mut ledger) = (vec![], vec![]);
        for (account, run, kind, id) in &records {
            let Some((statement, entry)) = covered_anew(store, account, run, kind, id).await?
            else {
                continue;
            };
            batch.push(statement);
            ledger.push(entry);
        }
        store.write_ledger(batch, ledger).await?;
    }
}

/// A plan as JSON without what it shows of records.
fn strip_examples(body: &str) -> Result<String, Error> {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    match (name.as_str(), &mut *member) {
                        ("examples", serde_json::Value::Array(all)) => all.clear(),
                        _ => strip(member),
                    }
                }
            }
            serde_json::Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut plan = serde_json::from_str(body)?;
    strip(&mut plan);
    Ok(plan.to_string())
}

/// Empties a folder that is ours, and keeps it.
fn empty(path: &Path) -> Result<(), Error> {
    let io = |error| Error::io("empty", path, error);
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    for entry in entries {
        let entry = entry.map_err(io)?;
        match entry.file_type().map_err(io)?.is_dir() {
            true => std::fs::remove_dir_all(entry.path()).map_err(io)?,
            false => std::fs::remove_file(entry.path()).map_err(io)?,
        }
    }
    Ok(())
}
