//! What changed at the source after a run, brought over until the cutover: new, updated, deleted, merged.
//!
//! A delta belongs to its run: same mapping, plugins and accounts, effects of the same ledger. What moved is read as a further pass
//! from the run's watermark, an overlap earlier; what was deleted or merged leaves no trace there, so all ids are compared
//! (`find.rs`). Which records have to be written says the hash of what was loaded, so that nothing is written twice, and a
//! delta that was killed goes on. How an update goes (`apply.rs`): what is there is read back first; what people changed since is
//! theirs unless the policy says otherwise; where the destination takes no change (rule M-9) the record is listed or made
//! anew. What each record was before is kept, so that a delta can be taken back alone (`before.rs`).

mod apply;
mod before;
mod find;
mod remap;

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use self::apply::Applier;
pub(super) use self::before::covered_anew;
pub(super) use self::remap::{kept as mapping_kept, notice as mapping_notice};
use super::assemble::Assembler;
use super::export::Export;
use super::extract::{CATCH_UP, Extractor, unsigned};
use super::model::{
    DeltaCount, DeltaOptions, DeltaRecord, DeltaReport, Events, Remap, RollbackReport, RunOptions,
};
use super::project::Project;
use super::rollback::Rollback;
use super::verify::letters;
use super::{Begun, attended, close, extractor, loader, owned, run_to, surroundings, wanted};
use crate::config;
use crate::contract::destination::UndoMode;
use crate::contract::source::Discovery;
use crate::contract::types::{Entity, Entry, Text};
use crate::error::Error;
use crate::kinds;
use crate::sql;
use crate::store::Store;

/// Which delta is at work.
#[derive(Debug, Clone)]
struct Which {
    run: String,
    number: i64,
    /// Of the reading.
    pass: i64,
    since: i64,
    until: i64,
    /// What was staged in this pass or later was never loaded for sure.
    from_pass: i64,
    closing: bool,
    swept: bool,
    /// Effects, and units, from this number on are this delta's.
    first_id: i64,
    remap: Option<Remap>,
    /// Digest of the former mapping.
    remap_from: String,
}

impl Which {
    /// No delta, but what was read of a run from its beginning.
    fn of_all(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            number: 0,
            pass: 0,
            since: 0,
            until: 0,
            from_pass: 0,
            closing: false,
            swept: false,
            first_id: 0,
            remap: None,
            remap_from: String::new(),
        }
    }
}

/// Brings over what changed at the source since the newest run, or since its last delta; goes on with one that was interrupted.
///
/// # Errors
/// `not-ended` for a run that is not complete, `closed` after the last delta; as [`run`](super::run).
pub async fn delta(
    project: &Project,
    options: DeltaOptions,
    events: &dyn Events,
) -> Result<DeltaReport, Error> {
    owned(project, owning(project, options, events)).await
}

async fn owning(
    project: &Project,
    options: DeltaOptions,
    events: &dyn Events,
) -> Result<DeltaReport, Error> {
    let _stop = super::forward(&options.stop, &project.stop);
    let run = run_to(project, None, "bring up to date").await?;
    may_begin(project, &run, &options).await?;
    let which = open(project, &run, &options).await?;
    let mut begun = Box::pin(super::begin(project, &RunOptions::default(), events)).await?;
    rediscover(project, &mut begun).await?;
    let around = surroundings(project, &begun);
    let loader = {
        let ends = (&begun.ends.source, &begun.ends.destination);
        let mut loader = loader(
            project,
            ends,
            &around,
            &begun.extraction,
            &begun.survey,
            events,
        );
        loader.holds_open &= !which.closing;
        loader
    };
    let extractor = Extractor {
        dangers: Some(&begun.dangers),
        ..extractor(
            project,
            &begun.ends.source,
            &begun.extraction,
            which.until,
            events,
        )
    };
    let undo = Rollback {
        destination: &begun.ends.destination,
        supported: loader.kinds.clone(),
        around: around.clone(),
        kinds: vec![],
        from: 0,
        mode: UndoMode::Careful,
        events,
        stop: project.stop.clone(),
    };
    let former = match which.remap {
        Some(_) => remap::former(project, &run, &which.remap_from).await?,
        None => None,
    };
    let former = former.map(|config| {
        Assembler::new(
            project.store.clone(),
            config,
            &begun.extraction,
            &around.account,
            &run,
            &begun.ends.destination.context.platform,
            &begun.ends.destination.context.organisation,
            &begun.survey,
        )
    });
    let applier = Applier {
        former: former.as_ref(),
        loader: &loader,
        undo: &undo,
        which: &which,
        policies: options.policies,
        take_source: options.take_source.iter().cloned().collect(),
        keep_target: options.keep_target.iter().cloned().collect(),
    };
    let kinds_wanted = wanted(&project.config);
    let work = async {
        // What was begun is driven to its end before anything is looked at (rule D-9).
        Box::pin(loader.settle()).await?;
        extractor
            .later(&kinds_wanted, which.pass, which.since, which.until)
            .await?;
        project
            .store
            .write(vec![sql!(
                "UPDATE extractions SET caught_up = $2 WHERE id = $1 AND caught_up < $2",
                &begun.extraction,
                which.until
            )])
            .await?;
        if !which.swept && (options.sweep || which.closing) {
            find::sweep(&extractor, &around, &which, &kinds_wanted).await?;
        }
        events.phase("load");
        for support in &loader.kinds {
            Box::pin(applier.kind(support)).await?;
        }
        Box::pin(applier.gone()).await?;
        let export = Export {
            around: &around,
            assembler: &loader.assembler,
            extraction: &begun.extraction,
            dir: &around.export_dir,
        };
        Box::pin(export.run()).await?;
        before::account(&around, &begun.extraction, &which).await
    };
    let outcome = attended(project, &begun.sides(), events, None, work).await;
    if outcome.is_ok() {
        project
            .store
            .write(vec![sql!(
                "UPDATE deltas SET state = 'done', ended_at = $3 WHERE run = $1 AND number_n = $2",
                &run,
                which.number,
                project.clock.now()
            )])
            .await?;
    }
    let closed = close(project, &begun, &outcome).await;
    outcome?;
    closed?;
    report(&project.store, &run, Some(unsigned(which.number))).await
}

/// Whether a delta may begin, or go on.
async fn may_begin(project: &Project, run: &str, options: &DeltaOptions) -> Result<(), Error> {
    let deltas = rows(&project.store, run).await?;
    let mut last: Option<(i64, String, bool, Option<i64>)> = None;
    for row in &deltas {
        last = Some((
            row.try_get("number_n")?,
            row.try_get("state")?,
            row.try_get::<i64, _>("closing")? == 1,
            row.try_get("ended_at")?,
        ));
    }
    if let Some((number, state, ..)) = &last
        && state == "rolling-back"
    {
        return Err(Error::input(
            "rolling-back",
            format!("delta {number} of run {run} is being taken back"),
        )
        .with_hint(format!(
            "finish it with `transload rollback --delta {number}`, then go on"
        )));
    }
    if matches!(&last, Some((_, state, ..)) if state == "open") {
        return Ok(());
    }
    let mut closing = deltas.iter().filter_map(|row| {
        let done = row.try_get::<String, _>("state").ok()? == "done";
        let closing = row.try_get::<i64, _>("closing").ok()? == 1;
        (done && closing).then(|| (row.try_get("number_n").ok(), row.try_get("ended_at").ok()))
    });
    if let Some((number, ended_at)) = closing.next_back()
        && !options.reopen
    {
        let number: i64 = number.unwrap_or_default();
        let at: Option<i64> = ended_at.unwrap_or_default();
        return Err(Error::input(
            "closed",
            format!(
                "delta {number} of run {run} was the last one, and ended {}: what changed at the source since is not brought over",
                at.map_or_else(String::new, crate::report::time)
            ),
        )
        .with_hint("`transload delta --reopen` makes another all the same"));
    }
    let row = project
        .store
        .row(
            "SELECT state, config_digest FROM runs WHERE id = $1",
            vec![run.into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {run}")))?;
    let (state, digest): (String, String) = (row.try_get("state")?, row.try_get("config_digest")?);
    match state.as_str() {
        // Before anything is noted of the delta.
        "complete" if options.remap.is_none() && digest != project.config.digest() => {
            Err(super::other_mapping(project, run).await?)
        }
        "complete" => Ok(()),
        "rolling-back" | "rolled-back" => Err(Error::input(
            "rolled-back",
            format!("run {run} was rolled back: there is nothing to bring up to date"),
        )
        .with_hint("`transload run` begins anew")),
        _ => Err(Error::input(
            "not-ended",
            format!("run {run} has not come to its end, so what it read is not loaded yet"),
        )
        .with_hint("`transload run` goes on with it; a delta comes after")),
    }
}

/// Refuses to go on with a run while a delta of it is open: what it staged must be accounted for by it.
///
/// # Errors
/// `delta-open`
pub(super) async fn refuse_open(project: &Project) -> Result<(), Error> {
    let Some(run) = project.find_run(None).await? else {
        return Ok(());
    };
    for row in rows(&project.store, &run).await? {
        let number: i64 = row.try_get("number_n")?;
        let state: String = row.try_get("state")?;
        let hint = match state.as_str() {
            "open" => "`transload delta` goes on with it".to_owned(),
            "rolling-back" => format!("`transload rollback --delta {number}` goes on with it"),
            _ => continue,
        };
        return Err(Error::input(
            "delta-open",
            format!("delta {number} of run {run} was interrupted"),
        )
        .with_hint(hint));
    }
    Ok(())
}

/// What there is now may be known by other names and types than when the run began.
async fn rediscover(project: &Project, begun: &mut Begun) -> Result<(), Error> {
    let side = &begun.ends.source;
    let discovery: Discovery = side
        .ask("be discovered", |host| {
            let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
            async move { plugin.discover(host, ctx).await }
        })
        .await?;
    project
        .store
        .write(vec![sql!(
            "UPDATE extractions SET discovery = $2 WHERE id = $1",
            &begun.extraction,
            serde_json::to_string(&discovery)?
        )])
        .await?;
    begun.ends.source.context.state = Some(discovery.state);
    Ok(())
}

async fn rows(store: &Store, run: &str) -> Result<Vec<SqliteRow>, Error> {
    Ok(store
        .rows(
            "SELECT number_n, pass, since_ms, until_ms, state, closing, swept, first_id, policies, remap, remap_from, started_at, ended_at \
             FROM deltas WHERE run = $1 ORDER BY number_n",
            vec![run.into()],
        )
        .await?)
}

/// Goes on with the delta that is open, or begins one.
async fn open(project: &Project, run: &str, options: &DeltaOptions) -> Result<Which, Error> {
    let store = &project.store;
    let (mut number, mut loaded) = (0, CATCH_UP - 1);
    let mut found = None;
    for row in rows(store, run).await? {
        number = row.try_get("number_n")?;
        match row.try_get::<String, _>("state")?.as_str() {
            "done" => loaded = row.try_get("pass")?,
            "open" => found = Some(row),
            _ => {}
        }
    }
    if let Some(row) = found {
        // An interrupted one becomes the last when that is asked for now.
        let closing = row.try_get::<i64, _>("closing")? == 1 || options.close;
        store
            .write(vec![sql!(
                "UPDATE deltas SET closing = $3, policies = $4 WHERE run = $1 AND number_n = $2",
                run,
                number,
                closing,
                serde_json::to_string(&options.policies)?
            )])
            .await?;
        return Ok(Which {
            run: run.to_owned(),
            number,
            pass: row.try_get("pass")?,
            since: row.try_get("since_ms")?,
            until: row.try_get("until_ms")?,
            from_pass: loaded + 1,
            closing,
            swept: row.try_get::<i64, _>("swept")? == 1,
            first_id: row.try_get("first_id")?,
            remap: Remap::of(&row.try_get::<String, _>("remap")?),
            remap_from: row.try_get("remap_from")?,
        });
    }
    let (mut batch, remap_from) = match options.remap {
        Some(_) => remap::adopt(project, run).await?,
        None => (vec![], String::new()),
    };
    let since = store
        .number(
            "SELECT caught_up FROM extractions WHERE id = (SELECT extraction FROM runs WHERE id = $1)",
            vec![run.into()],
        )
        .await?;
    let read = store
        .number(
            "SELECT coalesce(max(pass), 0) FROM kinds_read WHERE extraction = (SELECT extraction FROM runs WHERE id = $1)",
            vec![run.into()],
        )
        .await?;
    let which = Which {
        run: run.to_owned(),
        number: number + 1,
        pass: read.max(CATCH_UP) + 1,
        since,
        until: project.clock.now(),
        from_pass: loaded + 1,
        closing: options.close,
        swept: false,
        first_id: store.new_id(),
        remap: options.remap,
        remap_from,
    };
    batch.push(sql!(
        "INSERT INTO deltas (run, number_n, pass, since_ms, until_ms, state, closing, swept, first_id, policies, remap, remap_from, \
         started_at) VALUES ($1, $2, $3, $4, $5, 'open', $6, 0, $7, $8, $9, $10, $5)",
        &which.run,
        which.number,
        which.pass,
        which.since,
        which.until,
        which.closing,
        which.first_id,
        serde_json::to_string(&options.policies)?,
        which.remap.map_or("", Remap::word),
        &which.remap_from
    ));
    store.write(batch).await?;
    Ok(which)
}

/// What a delta came to, from what is stored; the newest if none is named.
///
/// # Errors
/// `no-such-delta`; `no-delta` where there is none yet.
pub async fn report(store: &Store, run: &str, number: Option<u64>) -> Result<DeltaReport, Error> {
    let all = rows(store, run).await?;
    let wanted = |row: &&SqliteRow| {
        let n = row.try_get::<i64, _>("number_n").map(unsigned);
        number.is_none_or(|number| n.is_ok_and(|n| n == number))
    };
    let Some(row) = all.iter().rfind(wanted) else {
        return Err(match number {
            Some(number) => Error::input(
                "no-such-delta",
                format!("run {run} has no delta {number}; it has {}", all.len()),
            ),
            None => Error::input("no-delta", format!("there is no delta of run {run} yet")),
        }
        .with_hint("`transload delta` makes one"));
    };
    let number: i64 = row.try_get("number_n")?;
    let first_id: i64 = row.try_get("first_id")?;
    let next_id = all.iter().find_map(|later| {
        let n: i64 = later.try_get("number_n").ok()?;
        (n > number)
            .then(|| later.try_get("first_id").ok())
            .flatten()
    });
    let mut counts = vec![];
    for row in store
        .rows(
            "SELECT kind, change, did, count(*) AS n FROM delta_records WHERE run = $1 AND number_n = $2 GROUP BY kind, change, did",
            vec![run.into(), number.into()],
        )
        .await?
    {
        counts.push(DeltaCount {
            kind: row.try_get("kind")?,
            change: row.try_get("change")?,
            did: row.try_get("did")?,
            count: unsigned(row.try_get("n")?),
        });
    }
    counts.sort_by_key(|count| {
        let order = kinds::ALL
            .iter()
            .position(|kind| kinds::name(kind) == count.kind);
        (order, count.change.clone(), count.did.clone())
    });
    let waiting = records(
        store,
        "SELECT kind, source_id, change, did, waits, facts FROM delta_records WHERE run = $1 AND number_n <= $2 AND waits = 1 \
         ORDER BY kind, source_id",
        (run, number),
    )
    .await?;
    let mut conflicts = records(
        store,
        "SELECT kind, source_id, change, did, waits, facts FROM delta_records WHERE run = $1 AND number_n = $2 \
         AND facts LIKE '%\"theirs\":[\"%' ORDER BY kind, source_id",
        (run, number),
    )
    .await?;
    conflicts.retain(|record| !record.theirs.is_empty());
    let writes = store
        .number(
            "SELECT count(*) FROM audit WHERE run = $1 AND unit >= $2 AND unit < $3",
            vec![
                run.into(),
                first_id.into(),
                next_id.unwrap_or(i64::MAX).into(),
            ],
        )
        .await?;
    Ok(DeltaReport {
        run: run.to_owned(),
        number: unsigned(number),
        state: row.try_get("state")?,
        closing: row.try_get::<i64, _>("closing")? == 1,
        swept: row.try_get::<i64, _>("swept")? == 1,
        policies: serde_json::from_str(&row.try_get::<String, _>("policies")?)?,
        remap: Remap::of(&row.try_get::<String, _>("remap")?),
        since: row.try_get("since_ms")?,
        until: row.try_get("until_ms")?,
        started_at: row.try_get("started_at")?,
        ended_at: row.try_get("ended_at")?,
        counts,
        waiting,
        conflicts,
        writes: unsigned(writes),
    })
}

/// All deltas of a run, the first one first.
///
/// # Errors
/// A store error.
pub async fn reports(store: &Store, run: &str) -> Result<Vec<DeltaReport>, Error> {
    let mut all = vec![];
    for row in rows(store, run).await? {
        let number: i64 = row.try_get("number_n")?;
        all.push(report(store, run, Some(unsigned(number))).await?);
    }
    Ok(all)
}

async fn records(
    store: &Store,
    sql: &'static str,
    (run, number): (&str, i64),
) -> Result<Vec<DeltaRecord>, Error> {
    let mut all = vec![];
    for row in store.rows(sql, vec![run.into(), number.into()]).await? {
        let facts: before::Facts = serde_json::from_str(&row.try_get::<String, _>("facts")?)?;
        all.push(DeltaRecord {
            kind: row.try_get("kind")?,
            source_id: row.try_get("source_id")?,
            change: row.try_get("change")?,
            did: row.try_get("did")?,
            waits: row.try_get::<i64, _>("waits")? == 1,
            why: facts.why,
            theirs: facts.theirs,
            target: facts.target,
            url: facts.url,
        });
    }
    Ok(all)
}

/// Records of a kind whose state at the destination a delta left as it was, with the reason: what differs there is declared.
///
/// # Errors
/// A store error.
pub(super) async fn left_as_they_were(
    store: &Store,
    run: &str,
    kind: &str,
) -> Result<std::collections::HashMap<String, String>, Error> {
    let mut left = std::collections::HashMap::new();
    store
        .each(
            "SELECT source_id, number_n, did, waits, facts FROM delta_records WHERE run = $1 AND kind = $2 ORDER BY number_n",
            vec![run.into(), kind.into()],
            |row| {
                let id: String = row.try_get("source_id")?;
                let (number, did): (i64, String) = (row.try_get("number_n")?, row.try_get("did")?);
                let waits = row.try_get::<i64, _>("waits")? == 1;
                let facts: before::Facts =
                    serde_json::from_str(&row.try_get::<String, _>("facts")?)?;
                let is_left = waits
                    || !facts.theirs.is_empty()
                    || ["left", "kept", "taken-back"].contains(&did.as_str());
                match is_left {
                    true => {
                        let why = facts.why.unwrap_or_else(|| did.clone());
                        left.insert(id, format!("delta {number}: {why}"));
                    }
                    false => {
                        left.remove(&id);
                    }
                }
                Ok::<(), Error>(())
            },
        )
        .await?;
    Ok(left)
}

/// Ids at the destination of what was merged into another record in the source, and waits to be merged there.
///
/// # Errors
/// A store error.
pub(super) async fn merged_away(store: &Store, run: &str) -> Result<HashSet<String>, Error> {
    let mut ids = HashSet::new();
    for row in store
        .rows(
            "SELECT facts FROM delta_records WHERE run = $1 AND change = 'merged'",
            vec![run.into()],
        )
        .await?
    {
        let facts: before::Facts = serde_json::from_str(&row.try_get::<String, _>("facts")?)?;
        let target = facts.target.unwrap_or_default();
        ids.extend(target.split_once(' ').map(|(_, id)| id.to_owned()));
    }
    Ok(ids)
}

/// How messages begin, in letters, that were deleted in a conversation that stays and wait for a person to take them out: by conversation.
///
/// # Errors
/// A store error.
pub(super) async fn withdrawn(
    store: &Store,
    run: &str,
) -> Result<HashMap<String, Vec<String>>, Error> {
    let mut all: HashMap<String, Vec<String>> = HashMap::new();
    for row in store
        .rows(
            "SELECT s.payload FROM delta_records d JOIN runs r ON r.id = d.run \
             JOIN staged s ON s.extraction = r.extraction AND s.kind = d.kind AND s.id = d.source_id \
             WHERE d.run = $1 AND d.kind = 'message' AND d.change = 'deleted' AND d.waits = 1",
            vec![run.into()],
        )
        .await?
    {
        let entry: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
        let Entity::Message(message) = &entry.data else {
            continue;
        };
        if let (Some(thread), Some(Text::Inline(text))) = (&message.conversation, &message.text) {
            let begins = letters(text).chars().take(BEGINS).collect();
            all.entry(thread.id.clone()).or_default().push(begins);
        }
    }
    Ok(all)
}

/// Letters by which a message is known again.
const BEGINS: usize = 40;

/// Takes a delta back, and those after it: effects are undone as in a rollback of the run, and what each record was counts again.
/// What cannot be undone (somebody changed it, the platform cannot) keeps what the delta made of it.
pub(super) async fn take_back(
    project: &Project,
    mut work: Rollback<'_>,
    number: u64,
    events: &dyn Events,
) -> Result<RollbackReport, Error> {
    let store = &project.store;
    let run = work.around.run.clone();
    let all = rows(store, &run).await?;
    let mut first_id = None;
    let mut taken: HashSet<i64> = HashSet::new();
    for row in &all {
        let n: i64 = row.try_get("number_n")?;
        if unsigned(n) >= number && row.try_get::<String, _>("state")? != "rolled-back" {
            first_id = first_id.or(Some(row.try_get::<i64, _>("first_id")?));
            taken.insert(n);
        }
    }
    let Some(first_id) = first_id else {
        return Err(Error::input(
            "no-such-delta",
            format!("run {run} has no delta {number} that could be taken back"),
        )
        .with_hint("`transload delta --show` lists the last one"));
    };
    work.from = first_id;
    let preview = work.mode == UndoMode::Preview;
    if !preview {
        let mut batch = vec![];
        for n in &taken {
            batch.push(sql!(
                "UPDATE deltas SET state = 'rolling-back' WHERE run = $1 AND number_n = $2",
                &run,
                *n
            ));
        }
        store.write(batch).await?;
    }
    events.phase("rollback");
    let report = Box::pin(work.run()).await?;
    if !preview {
        before::restore(&work.around, &taken, first_id).await?;
        let mut batch = vec![];
        for n in &taken {
            batch.push(sql!(
                "UPDATE deltas SET state = 'rolled-back' WHERE run = $1 AND number_n = $2",
                &run,
                *n
            ));
        }
        store.write(batch).await?;
    }
    Ok(report)
}

/// The policies of `[delta]`, with what the command line says instead.
#[must_use]
pub fn policies(
    config: &config::Config,
    conflicts: Option<config::Conflicts>,
    frozen: Option<config::Frozen>,
    deleted: Option<config::Deleted>,
) -> config::Delta {
    let own = config.delta;
    config::Delta {
        conflicts: conflicts.unwrap_or(own.conflicts),
        frozen: frozen.unwrap_or(own.frozen),
        deleted: deleted.unwrap_or(own.deleted),
    }
}
