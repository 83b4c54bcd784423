//! A mapping that was changed after records were written (rule M-14): which of them would be written otherwise now, and what is
//! chosen for those: update, redo, leave.

use std::collections::HashMap;

use sqlx::Row as _;

use super::Which;
use super::find::candidates;
use crate::config::Config;
use crate::contract::destination::SurveyReport;
use crate::error::Error;
use crate::kinds;
use crate::pipeline::assemble::{Assembled, Assembler};
use crate::pipeline::model::{Notice, Remap, Severity};
use crate::pipeline::project::Project;
use crate::pipeline::settings_changed;
use crate::sql;
use crate::store::Statement;

/// Records of a kind that a plan looks at: it is to be quick, and says how many it looked at.
const LOOKED_AT: usize = 300;
const CHUNK: usize = 100;

/// What a run's records were written by.
pub(in crate::pipeline) fn kept(config: &Config, run: &str, now: i64) -> Statement {
    sql!(
        "INSERT INTO run_mappings (run, digest, body, at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT (run, digest) DO NOTHING",
        run,
        config.digest(),
        config.mapping_text(),
        now
    )
}

/// The statements by which a run goes on with the mapping as it is now, and the digest of the former one.
///
/// # Errors
/// `same-mapping` where nothing changed; `not-settled`; `other-mapping` where more than the mapping changed.
pub(super) async fn adopt(project: &Project, run: &str) -> Result<(Vec<Statement>, String), Error> {
    let store = &project.store;
    let was: String = store
        .row(
            "SELECT config_digest FROM runs WHERE id = $1",
            vec![run.into()],
        )
        .await?
        .map(|row| row.try_get("config_digest"))
        .transpose()?
        .unwrap_or_default();
    let is = project.config.digest();
    if was == is {
        return Err(Error::input(
            "same-mapping",
            format!(
                "migration.toml maps as it did when run {run} wrote: there is nothing to choose"
            ),
        )
        .with_hint("`transload delta` without --remap brings over what changed at the source"));
    }
    let open = store
        .number(
            "SELECT (SELECT count(*) FROM units WHERE run = $1 AND status IN ('ready', 'running')) \
             + (SELECT count(*) FROM outcomes WHERE run = $1 AND status = 'unsettled')",
            vec![run.into()],
        )
        .await?;
    if open > 0 {
        return Err(Error::input(
            "not-settled",
            format!("{open} records of run {run} are in the middle of being written by the former mapping"),
        )
        .with_hint("put the mapping back, let `transload run` settle them, and change it then"));
    }
    let changed = settings_changed(project, run).await?;
    let more = ["connections.", "migration."];
    if let Some(other) = changed
        .iter()
        .find(|what| more.iter().any(|prefix| what.starts_with(prefix)))
    {
        return Err(Error::input(
            "other-mapping",
            format!("run {run} is pinned to its connections: {other}"),
        )
        .with_hint("only [people], [map], [filter] and [load] order can change within a run"));
    }
    let batch = vec![
        sql!("UPDATE runs SET config_digest = $2 WHERE id = $1", run, &is),
        kept(&project.config, run, project.clock.now()),
    ];
    Ok((batch, was))
}

/// The configuration by its former mapping; none where it was not kept.
pub(super) async fn former(
    project: &Project,
    run: &str,
    digest: &str,
) -> Result<Option<Config>, Error> {
    let row = project
        .store
        .row(
            "SELECT body FROM run_mappings WHERE run = $1 AND digest = $2",
            vec![run.into(), digest.into()],
        )
        .await?;
    row.map(|row| {
        Ok(project
            .config
            .with_mapping(&row.try_get::<String, _>("body")?)?)
    })
    .transpose()
}

/// Of some records, those that are written otherwise by one mapping than by another, and what differs.
///
/// # Errors
/// A store error.
pub(super) async fn differing(
    old: &Assembler,
    new: &Assembler,
    kind: &str,
    ids: &[String],
) -> Result<HashMap<String, String>, Error> {
    let mut before: HashMap<String, Essence> = HashMap::new();
    for one in old
        .assemble_all(kind, old.staged_all(kind, ids).await?)
        .await?
    {
        let (id, essence) = essence(one)?;
        before.insert(id, essence);
    }
    let mut all = HashMap::new();
    for one in new
        .assemble_all(kind, new.staged_all(kind, ids).await?)
        .await?
    {
        let (id, now) = essence(one)?;
        let Some(was) = before.get(&id).filter(|was| **was != now) else {
            continue;
        };
        let mut slots: Vec<&str> = now
            .values
            .iter()
            .filter(|(slot, value)| was.values.get(*slot) != Some(*value))
            .map(|(slot, _)| slot.as_str())
            .collect();
        slots.sort_unstable();
        let what = match (slots.is_empty(), now.left_out) {
            (_, true) => "it would be left out".to_owned(),
            (true, false) => "what it refers to, or its fields".to_owned(),
            (false, false) => slots.join(", "),
        };
        all.insert(id, format!("the mapping changed: {what}"));
    }
    Ok(all)
}

/// What of a record depends on the mapping.
#[derive(PartialEq)]
struct Essence {
    values: HashMap<String, String>,
    body: String,
    left_out: bool,
}

fn essence(one: Assembled) -> Result<(String, Essence), Error> {
    Ok(match one {
        Assembled::Item(item, record) => {
            let essence = Essence {
                values: item
                    .values
                    .iter()
                    .map(|value| (value.slot.clone(), value.value.clone()))
                    .collect(),
                body: serde_json::to_string(&item.body)?,
                left_out: false,
            };
            (record.id, essence)
        }
        Assembled::Decided(record, _) => {
            let essence = Essence {
                values: HashMap::new(),
                body: String::new(),
                left_out: true,
            };
            (record.id, essence)
        }
    })
}

/// What a plan says of records that were written by another mapping than the one there is now; nothing where there are none.
///
/// # Errors
/// A store error.
pub(in crate::pipeline) async fn notice(project: &Project) -> Result<Option<Notice>, Error> {
    let store = &project.store;
    let Some(run) = project.find_run(None).await? else {
        return Ok(None);
    };
    let row = store
        .row(
            "SELECT r.state, r.config_digest, r.extraction, r.account, r.platform, r.organisation, r.survey, e.state AS reading \
             FROM runs r JOIN extractions e ON e.id = r.extraction WHERE r.id = $1",
            vec![(&run).into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (state, digest): (String, String) = (row.try_get("state")?, row.try_get("config_digest")?);
    let is_gone = ["rolled-back", "rolling-back"].contains(&state.as_str());
    if is_gone || digest == project.config.digest() {
        return Ok(None);
    }
    let choose = "put it back, or choose for what is written: `transload delta --remap update`, `redo` or `leave`";
    let said = |message: String| Notice {
        from: "plan".into(),
        code: "mapping-changed".into(),
        severity: Severity::Caution,
        message,
        remedy: Some(choose.into()),
    };
    let former = former(project, &run, &digest).await?;
    let is_read = row.try_get::<String, _>("reading")? != "purged";
    let (Some(former), true) = (former, is_read) else {
        return Ok(Some(said(format!(
            "run {run} wrote by another mapping, and which of its records differ is not known any more"
        ))));
    };
    let survey: SurveyReport = serde_json::from_str(&row.try_get::<String, _>("survey")?)?;
    let extraction: String = row.try_get("extraction")?;
    let (account, platform, organisation): (String, String, String) = (
        row.try_get("account")?,
        row.try_get("platform")?,
        row.try_get("organisation")?,
    );
    let assembler = |config: &Config| {
        Assembler::new(
            store.clone(),
            config.clone(),
            &extraction,
            &account,
            &run,
            &platform,
            &organisation,
            &survey,
        )
    };
    let (old, new) = (assembler(&former), assembler(&project.config));
    let which = Which::of_all(&run);
    let mut parts = vec![];
    let mut capped = false;
    for kind in kinds::ALL {
        let word = kinds::name(&kind);
        let mut ids = candidates(store, &extraction, &which, word).await?;
        capped |= ids.len() > LOOKED_AT;
        ids.truncate(LOOKED_AT);
        let mut found: Vec<(String, String)> = vec![];
        for some in ids.chunks(CHUNK) {
            found.extend(differing(&old, &new, word, some).await?);
        }
        found.sort();
        if let Some((id, why)) = found.first() {
            parts.push(format!(
                "{} of {} ({word} {id}: {why})",
                found.len(),
                kinds::name(&kind)
            ));
        }
    }
    let among = match capped {
        true => format!(", of the first {LOOKED_AT} of each kind"),
        false => String::new(),
    };
    Ok(Some(said(match parts.is_empty() {
        true => format!(
            "the mapping changed since run {run} wrote, and none of its records would be written otherwise{among}"
        ),
        false => format!(
            "the mapping changed since run {run} wrote; written otherwise would be{among}: {}",
            parts.join("; ")
        ),
    })))
}

impl Remap {
    /// As it is stored.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Redo => "redo",
            Self::Leave => "leave",
        }
    }

    pub(super) fn of(word: &str) -> Option<Self> {
        [Self::Update, Self::Redo, Self::Leave]
            .into_iter()
            .find(|one| one.word() == word)
    }
}
