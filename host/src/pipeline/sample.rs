//! A sample: some records that stand for all, loaded for real before anything else is.
//!
//! Policy: it is the beginning of a run, not one of its own. So it is approved as a run is, `rollback` takes it back, and the run
//! that goes on keeps it: its records have their outcomes. The source is read whole first, since what is typical shows only then.
//! What is chosen follows from what was read and nothing else: the same reading gives the same sample.
//!
//! A canary is a run of one thread whose people's e-mail addresses are replaced by the operator's own: what the account mails, the
//! operator gets (rule M-8). Safe addresses are for a sandbox. Neither can become the real run.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::extract::unsigned;
use super::model::{Events, RunOptions, SampleReport, SampledKind, VerifyOptions, VerifyScope};
use super::project::Project;
use super::representative::{self, Choice};
use super::{
    Begun, Passes, attended, begin, forward, loader, owned, read_owned, sums, surroundings,
    verify_owned,
};
use crate::error::Error;
use crate::sql;
use crate::store::{Statement, Store};

/// The least, the usual and the largest sample.
pub const SIZES: (u32, u32, u32) = (50, 200, 500);

/// How a sample is to be.
#[derive(Debug, Clone)]
pub struct SampleOptions {
    /// Records to be chosen; what they refer to comes along.
    pub size: u32,
    /// One thread only, with this in place of every e-mail address of a customer's.
    pub canary: Option<String>,
    /// Addresses to which no mail can go in place of customers'.
    pub safe_addresses: bool,
    /// As of a run.
    pub run: RunOptions,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            size: SIZES.1,
            canary: None,
            safe_addresses: false,
            run: RunOptions::default(),
        }
    }
}

impl SampleOptions {
    fn addresses(&self) -> Option<&str> {
        match (&self.canary, self.safe_addresses) {
            (Some(address), _) => Some(address),
            (None, true) => Some(INVALID),
            (None, false) => None,
        }
    }
}

/// What stands for addresses to which no mail can go.
pub const INVALID: &str = "invalid";

/// Chooses a sample, unless the run has one, and loads it.
///
/// # Errors
/// As [`run`](super::run); `sample-size`; `run-begun` where something was loaded without a sample; `other-sample` where the run's
/// sample is another.
pub async fn sample(
    project: &Project,
    options: SampleOptions,
    events: &dyn Events,
) -> Result<SampleReport, Error> {
    let (least, _, most) = SIZES;
    if options.canary.is_none() && !(least..=most).contains(&options.size) {
        return Err(Error::input(
            "sample-size",
            format!(
                "a sample has {least} to {most} records, not {}",
                options.size
            ),
        )
        .with_hint("leave --size out for the usual number"));
    }
    if let Some(address) = &options.canary
        && !is_address(address)
    {
        return Err(
            Error::input("canary", format!("{address:?} is no e-mail address"))
                .with_hint("name a mailbox of your own, in which you see what the platform mails"),
        );
    }
    owned(project, load_sample(project, options, events)).await
}

fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
    })
}

async fn load_sample(
    project: &Project,
    options: SampleOptions,
    events: &dyn Events,
) -> Result<SampleReport, Error> {
    let _stop = forward(&options.run.stop, &project.stop);
    // Threads are loaded for good, so they have to be whole.
    Box::pin(read_owned(project, Passes::All, events)).await?;
    let begun = Box::pin(begin(project, &options.run, events)).await?;
    let chosen = settled_choice(project, &begun, &options).await?;
    let around = surroundings(project, &begun);
    let mut loader = loader(
        project,
        (&begun.ends.source, &begun.ends.destination),
        &around,
        &begun.extraction,
        &begun.survey,
        events,
    );
    loader.assembler.only_sampled();
    loader.assembler.replace_addresses(options.addresses());
    let loaded = attended(project, &begun.sides(), events, None, loader.sampled()).await;
    for (of, side) in begun.sides() {
        project.count_requests(of, side).await?;
    }
    let reason = match &loaded {
        Ok(()) => "its sample is loaded".to_owned(),
        Err(error) => error.to_string(),
    };
    project
        .store
        .write(vec![sql!(
            "UPDATE runs SET state = 'stopped', reason = $2, ended_at = $3, until_ms = NULL WHERE id = $1",
            &begun.run,
            reason,
            project.clock.now()
        )])
        .await?;
    loaded?;
    let verifying = VerifyOptions {
        run: Some(begun.run.clone()),
        scope: VerifyScope::All,
        kinds: vec![],
        stop: options.run.stop.clone(),
    };
    // It stands in the run's report.
    Box::pin(verify_owned(project, verifying, events)).await?;
    let kinds = sampled_kinds(&project.store, &begun.run).await?;
    Ok(SampleReport {
        run: begun.run.clone(),
        addresses: options.addresses().map(ToOwned::to_owned),
        kinds,
        traits: chosen.traits,
        missing: chosen.missing,
        report: sums::report(&around).await?,
    })
}

/// The run's sample: the one it has, or a new one, stored.
async fn settled_choice(
    project: &Project,
    begun: &Begun,
    options: &SampleOptions,
) -> Result<Choice, Error> {
    let store = &project.store;
    let of_run = || vec![(&begun.run).into()];
    let held = store
        .number(
            "SELECT count(*) FROM sampled WHERE run = $1 AND chosen = 1",
            of_run(),
        )
        .await?;
    let outcomes = store
        .number("SELECT count(*) FROM outcomes WHERE run = $1", of_run())
        .await?;
    if held == 0 && outcomes > 0 {
        return Err(Error::input(
            "run-begun",
            format!(
                "run {} has loaded records already: a sample comes before",
                begun.run
            ),
        )
        .with_hint("go on with `transload run`, or take it back with `transload rollback`"));
    }
    let size = match options.canary {
        Some(_) => 1,
        None => options.size as usize,
    };
    let choice = representative::choose(store, &project.config, &begun.extraction, size).await?;
    if held > 0 {
        let row = store
            .row("SELECT addresses FROM runs WHERE id = $1", of_run())
            .await?;
        let addresses: Option<String> = row
            .map(|row| row.try_get("addresses"))
            .transpose()?
            .flatten();
        if addresses.as_deref() != options.addresses()
            || unsigned(held) != choice.chosen.len() as u64
        {
            return Err(Error::input(
                "other-sample",
                format!(
                    "run {} has a sample of {held} records with other settings",
                    begun.run
                ),
            )
            .with_hint("take it back with `transload rollback`, then take another"));
        }
        return Ok(choice);
    }
    let row = |(kind, id): &(String, String), chosen: bool| {
        sql!(
            "INSERT INTO sampled (run, kind, source_id, chosen) VALUES ($1, $2, $3, $4) ON CONFLICT (run, kind, source_id) DO NOTHING",
            &begun.run,
            kind,
            id,
            chosen
        )
    };
    let mut batch: Vec<Statement> = vec![sql!(
        "UPDATE runs SET addresses = $2 WHERE id = $1",
        &begun.run,
        options.addresses()
    )];
    batch.extend(choice.chosen.iter().map(|one| row(one, true)));
    batch.extend(choice.along.iter().map(|one| row(one, false)));
    store.write(batch).await?;
    Ok(choice)
}

/// How the sample ended, by kind.
async fn sampled_kinds(store: &Store, run: &str) -> Result<Vec<SampledKind>, Error> {
    let mut kinds: BTreeMap<String, SampledKind> = BTreeMap::new();
    for row in store
        .rows(
            "SELECT s.kind, s.chosen, coalesce(o.status, 'open') AS status, count(*) AS n FROM sampled s \
             LEFT JOIN outcomes o ON o.run = s.run AND o.kind = s.kind AND o.source_id = s.source_id \
             WHERE s.run = $1 GROUP BY s.kind, s.chosen, status",
            vec![run.into()],
        )
        .await?
    {
        let kind: String = row.try_get("kind")?;
        let n = unsigned(row.try_get("n")?);
        let of = kinds.entry(kind.clone()).or_insert_with(|| SampledKind {
            kind,
            ..SampledKind::default()
        });
        match row.try_get::<i64, _>("chosen")? {
            0 => of.along += n,
            _ => of.chosen += n,
        }
        *of.ends.entry(row.try_get("status")?).or_insert(0) += n;
    }
    let mut ordered = vec![];
    for kind in &crate::kinds::ALL {
        ordered.extend(kinds.remove(crate::kinds::name(kind)));
    }
    ordered.extend(kinds.into_values());
    Ok(ordered)
}

/// Refuses to go on with a run whose people have addresses that are not their own.
///
/// # Errors
/// `trial-run`.
pub async fn refuse_trial(store: &Store, run: &str) -> Result<(), Error> {
    let row = store
        .row("SELECT addresses FROM runs WHERE id = $1", vec![run.into()])
        .await?;
    let addresses: Option<String> = row
        .map(|row| row.try_get("addresses"))
        .transpose()?
        .flatten();
    match addresses {
        None => Ok(()),
        Some(_) => Err(Error::input(
            "trial-run",
            format!("run {run} is a trial: its people have addresses that are not their own"),
        )
        .with_hint("take it back with `transload rollback`, then begin the real one")),
    }
}

/// The addresses that a run has in place of people's own.
///
/// # Errors
/// A store error.
pub async fn addresses_of(store: &Store, run: &str) -> Result<Option<String>, Error> {
    let row = store
        .row("SELECT addresses FROM runs WHERE id = $1", vec![run.into()])
        .await?;
    Ok(row
        .map(|row| row.try_get("addresses"))
        .transpose()?
        .flatten())
}
