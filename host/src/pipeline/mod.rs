//! What happens to one migration: check, plan, run, status, roll back, report.
//!
//! Functions here take a [`Project`] and return plain, serializable values (`model`); what is printed is the business of `cli`
//! and `report`. Progress is told through [`Events`].

mod against;
mod assemble;
pub mod cutover;
mod damage;
mod dangers;
pub mod delta;
pub mod dossier;
mod dry_run;
mod errors;
pub mod evidence;
mod export;
mod extract;
#[cfg(test)]
pub(crate) mod fixtures;
mod inventory;
mod load;
pub mod mapping;
mod matches;
pub mod model;
mod notify;
mod pace;
mod pauses;
mod planning;
mod points;
pub mod project;
mod purge;
mod representative;
mod retry;
mod rollback;
mod sample;
mod side;
pub mod similar;
mod sums;
pub mod verify;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::Row as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::assemble::Assembler;
use self::dangers::Dangers;
pub use self::delta::delta;
pub use self::dry_run::{dry_run, show};
use self::extract::Extractor;
pub use self::inventory::inventory;
use self::load::{Loader, Locks, Rejects, wanted};
use self::model::{
    CheckReport, Events, KindSum, Plan, RetryOptions, RetryReport, RollbackOptions, RollbackReport,
    RunOptions, RunReport, VerifyOptions, VerifyReport,
};
use self::notify::{Happening, Notifier, stopped_words};
use self::pace::Pace;
pub(crate) use self::pauses::unless_refused;
use self::pauses::{Keeper, telling};
use self::planning::Facts;
use self::project::Project;
pub use self::purge::purge;
pub use self::sample::{SIZES, SampleOptions, sample};
pub use self::side::Side;
use crate::config::Config;
use crate::contract::description::Role;
use crate::contract::destination::{SurveyReport, UndoMode};
use crate::contract::session::Account;
use crate::contract::source::Discovery;
use crate::contract::types::{Entry, Kind};
use crate::error::Error;
use crate::rehearsal::Rehearsal;
use crate::store::{Store, sha256};
use crate::unit::Surroundings;
use crate::{kinds, sql};

/// Kinds that are cheap to read and that a plan needs.
const SCHEMA: [Kind; 6] = kinds::DEFINITIONS;

/// The allowance by which a destination says how many bytes a file may have.
const LARGEST_FILE: &str = "file-bytes";

/// How often the requests that were sent are added to the stored counts.
const COUNTING: std::time::Duration = std::time::Duration::from_secs(2);

/// Both ends with their accounts.
struct Ends {
    source: Side,
    source_account: Account,
    destination: Side,
    destination_account: Account,
}

async fn ends(
    project: &Project,
    pinned: Option<(&str, &str)>,
    events: &dyn Events,
) -> Result<Ends, Error> {
    let migration = &project.config.migration;
    let mut source = project
        .side(
            &migration.from,
            Role::Source,
            pinned.map(|(source, _)| source),
        )
        .await?;
    let mut destination = project
        .side(
            &migration.to,
            Role::Destination,
            pinned.map(|(_, target)| target),
        )
        .await?;
    let source_account = unless_refused(&[&source], events, project.account(&source)).await?;
    for side in [&mut source, &mut destination] {
        side.context.organisation.clone_from(&source_account.id);
    }
    let platform = source.description().name.clone();
    source.context.platform.clone_from(&platform);
    destination.context.platform = platform;
    let destination_account =
        unless_refused(&[&destination], events, project.account(&destination)).await?;
    Ok(Ends {
        source,
        source_account,
        destination,
        destination_account,
    })
}

impl Ends {
    fn check(&self, project: &Project) -> CheckReport {
        planning::check_report(
            vec![
                planning::connection_check(&self.source, &self.source_account),
                planning::connection_check(&self.destination, &self.destination_account),
            ],
            &project.config.migration.accept,
        )
    }
}

/// Tests both connections: credentials, rights, accounts.
///
/// # Errors
/// A connection that cannot be set up, or whose credential is refused.
pub async fn check(project: &Project, events: &dyn Events) -> Result<CheckReport, Error> {
    Ok(ends(project, None, events).await?.check(project))
}

/// Says what a run would do. Reads only: the source's schema lands in the store, where the run finds it.
///
/// # Errors
/// As [`check`].
pub async fn plan(project: &Project, events: &dyn Events) -> Result<Plan, Error> {
    let owned = project.own().await?;
    let result = async {
        let mut gathered = gather(project, events).await?;
        gathered.ask_what_is_there(project, events).await?;
        gathered.read.extend(delta::mapping_notice(project).await?);
        gathered
            .keep(project, &gathered.plan(&project.config)?)
            .await
    }
    .await;
    owned.release().await?;
    result
}

/// Reads everything that is wanted from the source and writes nothing to the destination, so that a plan knows all records. What
/// was read before is not read again, here or by a run; what moves at the source meanwhile is the run's last pass to read.
///
/// # Errors
/// As [`check`]; [`Error::Interrupted`] when stopped.
pub async fn read(
    project: &Project,
    stop: &CancellationToken,
    events: &dyn Events,
) -> Result<(), Error> {
    let owned = project.own().await?;
    let result = async {
        let _stop = forward(stop, &project.stop);
        Box::pin(read_owned(project, Passes::First, events)).await
    }
    .await;
    owned.release().await?;
    result
}

/// How much of the source is read before anything is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    /// What there is now. What moves meanwhile is for the run's last pass.
    First,
    /// That pass too: threads are whole, and can be loaded (rule D-13).
    All,
}

/// Reads what is not read yet, as the run does that was begun, if one was.
async fn read_owned(project: &Project, passes: Passes, events: &dyn Events) -> Result<(), Error> {
    let run = match project.find_run(None).await? {
        Some(run) => project
            .store
            .row(
                "SELECT id FROM runs WHERE id = $1 AND state <> 'rolled-back'",
                vec![(&run).into()],
            )
            .await?
            .map(|row| row.try_get::<String, _>("id"))
            .transpose()?,
        None => None,
    };
    let digests = match &run {
        Some(run) => Some(pinned(project, run).await?),
        None => None,
    };
    let digests = digests.as_ref().map(|(s, d)| (s.as_str(), d.as_str()));
    let mut ends = ends(project, digests, events).await?;
    let (extraction, until, _) = open_extraction(project, &mut ends).await?;
    let (ready, _seen) = watch::channel(HashSet::new());
    let extractor = extractor(project, &ends.source, &extraction, until, events);
    events.phase("extract");
    let kinds = wanted(&project.config);
    let reading = async {
        match passes {
            Passes::First => extractor.schema(&kinds).await,
            Passes::All => extractor.run(&kinds, &ready).await,
        }
    };
    let sides = [(extraction.as_str(), &ends.source)];
    let result = attended(project, &sides, events, None, reading).await;
    project.count_requests(&extraction, &ends.source).await?;
    result
}

/// A plan, and what became of its proposals.
#[derive(Debug)]
pub struct Proposed {
    /// The plan, by the file as it is now.
    pub plan: Plan,
    /// Entries added to `[map]`.
    pub added: usize,
    /// Entries that were not, because a run has begun with the mapping as it is.
    pub withheld: usize,
}

/// As [`plan`], and adds to `[map]` of `migration.toml` what it does not say yet. A run is pinned to its mapping (rule M-14): once
/// one was begun, and until it is rolled back, nothing is added.
///
/// With `accept_all`, guesses are written as answers, also to questions that stand there from an earlier plan.
///
/// # Errors
/// As [`plan`]; a file that cannot be written.
pub async fn propose(
    project: &mut Project,
    accept_all: bool,
    events: &dyn Events,
) -> Result<Proposed, Error> {
    let owned = project.own().await?;
    let result = async {
        let mut gathered = gather(project, events).await?;
        let proposal = gathered.proposal(&project.config, accept_all);
        let begun = project
            .store
            .number(
                "SELECT count(*) FROM runs WHERE state <> 'rolled-back'",
                vec![],
            )
            .await?
            > 0;
        let (added, withheld) = match begun {
            true => (0, proposal.len()),
            false => (project.config.write_map(&proposal)?, 0),
        };
        gathered.ask_what_is_there(project, events).await?;
        gathered.read.extend(delta::mapping_notice(project).await?);
        let plan = gathered.plan(&project.config)?;
        Ok(Proposed {
            plan: gathered.keep(project, &plan).await?,
            added,
            withheld,
        })
    }
    .await;
    owned.release().await?;
    result
}

/// What a plan is made from, on both sides.
struct Gathered {
    ends: Ends,
    extraction: String,
    until: i64,
    check: CheckReport,
    discovery: Discovery,
    survey: SurveyReport,
    schema: Vec<Entry>,
    seen: evidence::Seen,
    asked: matches::Asked,
    read: Vec<model::Notice>,
    damage: Vec<model::DamageGroup>,
}

impl Gathered {
    fn facts(&self) -> Facts<'_> {
        Facts {
            source: &self.ends.source,
            destination: &self.ends.destination,
            check: &self.check,
            discovery: &self.discovery,
            survey: &self.survey,
            schema: &self.schema,
            seen: &self.seen,
            asked: &self.asked,
            read: &self.read,
            damage: &self.damage,
        }
    }

    fn proposal(&self, config: &Config, accept_all: bool) -> crate::config::MapProposal {
        let known = mapping::Known {
            schema: &self.schema,
            slots: &self.survey.slots,
            fields: &self.survey.fields,
            agents: &self.survey.agents,
            seen: &self.seen,
            destination: &self.ends.destination.name,
        };
        mapping::proposal(config, &known, accept_all)
    }

    /// Asks the destination which of some records it has, for the forecast.
    async fn ask_what_is_there(
        &mut self,
        project: &Project,
        events: &dyn Events,
    ) -> Result<(), Error> {
        let destination = &self.ends.destination;
        let assembler = Assembler::new(
            project.store.clone(),
            project.config.clone(),
            &self.extraction,
            &self.ends.destination_account.id,
            "plan",
            &destination.context.platform,
            &destination.context.organisation,
            &self.survey,
        );
        let kinds = destination.support(&self.survey).kinds;
        let asking = matches::ask(
            &project.store,
            &self.extraction,
            &assembler,
            destination,
            &kinds,
        );
        self.asked = unless_refused(&[destination], events, asking).await?;
        Ok(())
    }

    /// Stores what a plan is decided by.
    async fn keep(&self, project: &Project, plan: &Plan) -> Result<Plan, Error> {
        let facts = planning::decided_by(plan, &project.config);
        project
            .store
            .write(vec![sql!(
                "INSERT INTO plans (digest, at_ms, facts) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
                &plan.digest,
                project.clock.now(),
                serde_json::to_string(&facts)?
            )])
            .await?;
        Ok(plan.clone())
    }

    fn plan(&self, config: &Config) -> Result<Plan, Error> {
        Ok(planning::plan(config, &self.facts())?)
    }
}

/// Asks both sides, and reads what is cheap to read.
async fn gather(project: &Project, events: &dyn Events) -> Result<Gathered, Error> {
    let ends = ends(project, None, events).await?;
    let (source, destination) = (ends.source.clone(), ends.destination.clone());
    let asking = ask_both(project, ends, events);
    unless_refused(&[&source, &destination], events, asking).await
}

async fn ask_both(
    project: &Project,
    mut ends: Ends,
    events: &dyn Events,
) -> Result<Gathered, Error> {
    let (extraction, until, discovery) = open_extraction(project, &mut ends).await?;
    let survey = ends.destination.survey().await?;
    let extractor = extractor(project, &ends.source, &extraction, until, events);
    extractor.schema(&SCHEMA).await?;
    let read = dangers::kept(&project.store, &extraction).await?;
    let mut schema = vec![];
    for row in project
        .store
        .rows(
            "SELECT payload FROM staged WHERE extraction = $1 \
             AND kind IN ('team', 'agent', 'tag', 'brand', 'field-definition', 'object-type') ORDER BY kind, id",
            vec![(&extraction).into()],
        )
        .await?
    {
        schema.push(serde_json::from_str::<Entry>(&row.try_get::<String, _>("payload")?)?);
    }
    let gateway = ends.source.gateway.clone();
    let question = evidence::Question {
        config: &project.config,
        survey: &survey,
        schema: &schema,
        inexact: &planning::inexact(&ends.source, &ends.destination, &survey),
        limits: &ends.destination.description().text_limits,
        foreign_host: &|link| gateway.foreign_host(link),
        destination: &ends.destination.name,
        source: &ends.source.name,
    };
    let seen = evidence::look(&project.store, &extraction, &question).await?;
    let damage = damage::groups(&project.store, &extraction).await?;
    let check = ends.check(project);
    Ok(Gathered {
        ends,
        extraction,
        until,
        check,
        discovery,
        survey,
        schema,
        seen,
        asked: matches::Asked::default(),
        read,
        damage,
    })
}

/// The reading of the source that this project goes on with, or a new one. Several runs and destinations share it.
async fn open_extraction(
    project: &Project,
    ends: &mut Ends,
) -> Result<(String, i64, Discovery), Error> {
    let found = project
        .store
        .row(
            "SELECT id, until_ms, discovery FROM extractions WHERE connection = $1 AND account = $2 AND state <> 'purged' \
             ORDER BY started_at DESC LIMIT 1",
            vec![
                (&ends.source.name).into(),
                (&ends.source_account.id).into(),
            ],
        )
        .await?;
    if let Some(row) = found {
        let discovery: Discovery = serde_json::from_str(&row.try_get::<String, _>("discovery")?)?;
        ends.source.context.state = Some(discovery.state.clone());
        return Ok((row.try_get("id")?, row.try_get("until_ms")?, discovery));
    }
    let side = &ends.source;
    let discovery = side
        .ask("be discovered", |host| {
            let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
            async move { plugin.discover(host, ctx).await }
        })
        .await?;
    ends.source.context.state = Some(discovery.state.clone());
    let now = project.clock.now();
    let id = format!(
        "x{}",
        &sha256(&format!(
            "{}{}{now}",
            ends.source.name, ends.source_account.id
        ))[..12]
    );
    project
        .store
        .write(vec![sql!(
            "INSERT INTO extractions (id, connection, account, platform, digest, until_ms, caught_up, discovery, state, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 'reading', $6)",
            &id,
            &ends.source.name,
            &ends.source_account.id,
            &ends.source.description().name,
            ends.source.plugin.digest(),
            now,
            serde_json::to_string(&discovery)?
        )])
        .await?;
    Ok((id, now, discovery))
}

/// Runs the migration, or goes on with the one that was begun.
///
/// # Errors
/// [`Error::NotApproved`] for a plan nobody approved; [`Error::Interrupted`] when stopped; what more tries would not mend.
pub async fn run(
    project: &Project,
    options: RunOptions,
    events: &dyn Events,
) -> Result<RunReport, Error> {
    Ok(owned(project, run_owned(project, options, events)).await?.0)
}

/// Runs what this process owns; returns the report, and the destination as it was used.
async fn run_owned(
    project: &Project,
    options: RunOptions,
    events: &dyn Events,
) -> Result<(RunReport, Side), Error> {
    let _stop = forward(&options.stop, &project.stop);
    delta::refuse_open(project).await?;
    let mut begun = Box::pin(begin(project, &options, events)).await?;
    if project.dry.is_some() {
        let side = &mut begun.ends.destination;
        side.rehearsal = Some(Rehearsal::new(
            side.plugin.clone(),
            side.gateway.clone(),
            project.store.clone(),
            project.blobs.clone(),
            Arc::clone(&project.clock),
            &begun.run,
        ));
    }
    sample::refuse_trial(&project.store, &begun.run).await?;
    let begun = begun;
    let around = surroundings(project, &begun);
    let stop = project.stop.clone();
    let (ready, seen) = watch::channel(HashSet::new());
    let extractor = Extractor {
        // What a dry run meets is shown and does no harm.
        dangers: Some(&begun.dangers).filter(|_| project.dry.is_none()),
        ..extractor(
            project,
            &begun.ends.source,
            &begun.extraction,
            begun.until,
            events,
        )
    };
    let loader = loader(
        project,
        (&begun.ends.source, &begun.ends.destination),
        &around,
        &begun.extraction,
        &begun.survey,
        events,
    );
    let kinds_wanted = wanted(&project.config);
    // Whichever side fails first says why the run stops; the other goes to its next safe point and no further. A page and its
    // cursor, and a unit and its journal, are stored together, so that both go on from there.
    let failed = Mutex::new(None);
    let ended = |result: Result<(), Error>| {
        let Err(error) = result else {
            return;
        };
        stop.cancel();
        let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            None => *failed = Some(error),
            Some(_) => tracing::debug!(%error, "The other side stopped too."),
        }
    };
    let reading = async {
        ended(match extractor.run(&kinds_wanted, &ready).await {
            Ok(()) => read_besides(project, &begun, &around, events).await,
            Err(error) => Err(error),
        });
        // The loader must not wait for kinds that will not come.
        drop(ready);
    };
    let loading = async { ended(loader.run(seen).await) };
    let both = async {
        tokio::join!(Box::pin(reading), Box::pin(loading));
    };
    let person = Notifier::new(
        &project.config,
        &project.dir,
        &begun.run,
        project.transport.clone(),
    );
    let keeper = Keeper {
        store: &project.store,
        run: &begun.run,
        person: &person,
    };
    attended(project, &begun.sides(), events, Some(&keeper), both).await;
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    let outcome = match failed {
        Some(error) => Err(error),
        // Now that all is there, the documents can say what became of what the things work with.
        None => {
            let ends = (&begun.ends.source, &begun.ends.destination);
            inventory::documents(ends, &around, &begun.extraction).await
        }
    };
    let closed = close(project, &begun, &outcome).await;
    let sum = closed.as_ref().ok();
    let (what, words) = match (&outcome, &closed) {
        (Err(error), _) | (Ok(()), Err(error)) => (Happening::Stop, stopped_words(error)),
        (Ok(()), Ok(sum)) if sum.unsettled > 0 => (
            Happening::Stop,
            format!("the run stopped: {} records are unsettled", sum.unsettled),
        ),
        (Ok(()), Ok(sum)) => (
            Happening::End,
            format!(
                "the run is complete; {} records were rejected",
                sum.rejected
            ),
        ),
    };
    person.tell(what, &words, sum);
    let outcome = outcome.and(closed);
    for problem in person.finish().await {
        events.notice(&problem);
    }
    outcome?;
    let report = sums::report(&around).await?;
    Ok((report, begun.ends.destination))
}

/// Tries the rejected records of the newest run again, and nothing else; what was in their way may have been mended.
///
/// # Errors
/// `not-ended` for a run that has not come to its end; as [`run`].
pub async fn retry(
    project: &Project,
    options: RetryOptions,
    events: &dyn Events,
) -> Result<RetryReport, Error> {
    owned(project, retry_owned(project, options, events)).await
}

async fn retry_owned(
    project: &Project,
    options: RetryOptions,
    events: &dyn Events,
) -> Result<RetryReport, Error> {
    let _stop = forward(&options.stop, &project.stop);
    let run = run_of(project, None).await?;
    let before = sums::report_stored(&project.store, &run).await?;
    if before.state != model::RunState::Complete {
        return Err(Error::input(
            "not-ended",
            format!("run {run} has not come to its end, so nothing of it is tried again"),
        )
        .with_hint("`transload run` goes on with it; `transload status` shows where it stands"));
    }
    let mut report = RetryReport {
        rejected_before: before.total.rejected,
        tried: 0,
        rejected_now: before.total.rejected,
        run: before,
    };
    if report.rejected_before == 0 {
        return Ok(report);
    }
    let begun = Box::pin(begin(project, &RunOptions::default(), events)).await?;
    let around = surroundings(project, &begun);
    let loader = loader(
        project,
        (&begun.ends.source, &begun.ends.destination),
        &around,
        &begun.extraction,
        &begun.survey,
        events,
    );
    let trying = retry::rejects(&loader, options.kinds.as_deref(), &mut report);
    let outcome = attended(project, &begun.sides(), events, None, trying).await;
    let closed = close(project, &begun, &outcome).await;
    outcome?;
    closed?;
    report.run = sums::report(&around).await?;
    report.rejected_now = report.run.total.rejected;
    Ok(report)
}

/// Does what only one process may do with a project at a time.
///
/// # Errors
/// Another process owns it; as `work`.
async fn owned<T>(
    project: &Project,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let owned = project.own().await?;
    // On the heap, like every large step of a run: a caller's thread may have a small stack.
    let result = Box::pin(work).await;
    owned.release().await?;
    result
}

/// Does `work` with connections: while it goes on, their requests are counted for what each is asked for, the budget keeps to its
/// hours, and their pauses are told.
async fn attended<T>(
    project: &Project,
    sides: &[(&str, &Side)],
    events: &dyn Events,
    keeper: Option<&Keeper<'_>>,
    work: impl Future<Output = T>,
) -> T {
    let only: Vec<&Side> = sides.iter().map(|(_, side)| *side).collect();
    let pace = Pace::new(&project.config, project.clock.now());
    let working = async {
        tokio::select! {
            result = Box::pin(work) => result,
            never = count_on(project, sides) => match never {},
            never = pace::keep(pace, &project.clock, &only, events) => match never {},
        }
    };
    telling(&only, events, keeper, working).await
}

/// What reads a source.
fn extractor<'a>(
    project: &'a Project,
    side: &'a Side,
    extraction: &str,
    until: i64,
    events: &'a dyn Events,
) -> Extractor<'a> {
    Extractor {
        side,
        store: &project.store,
        blobs: &project.blobs,
        extraction: extraction.to_owned(),
        until,
        events,
        stop: project.stop.clone(),
        dangers: None,
    }
}

/// Keeps the stored counts of requests up to date: a killed process must not take its counts along, and they have their time.
async fn count_on(project: &Project, sides: &[(&str, &Side)]) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(COUNTING).await;
        for (run, side) in sides {
            if let Err(error) = project.count_requests(run, side).await {
                tracing::warn!(%error, "Requests could not be counted.");
            }
        }
    }
}

/// What is written for people once all is read: the list of damaged texts, and the inventory.
async fn read_besides(
    project: &Project,
    begun: &Begun,
    around: &Surroundings,
    events: &dyn Events,
) -> Result<(), Error> {
    damage::export(&project.store, &begun.extraction, &around.export_dir).await?;
    inventory::take(&begun.ends.source, around, &around.export_dir, events).await
}

/// Stores how a run ended; returns its sum.
async fn close(
    project: &Project,
    begun: &Begun,
    outcome: &Result<(), Error>,
) -> Result<KindSum, Error> {
    project
        .count_requests(&begun.extraction, &begun.ends.source)
        .await?;
    project
        .count_requests(&begun.run, &begun.ends.destination)
        .await?;
    let kinds = sums::kind_sums(&project.store, &begun.run, &begun.extraction).await?;
    let sum = sums::total(&kinds);
    let (state, reason) = match outcome {
        Ok(()) if sum.unsettled > 0 => (
            "stopped",
            Some(format!("{} records are unsettled", sum.unsettled)),
        ),
        Ok(()) => ("complete", None),
        Err(error) => ("stopped", Some(error.to_string())),
    };
    project
        .store
        .write(vec![sql!(
            "UPDATE runs SET state = $2, reason = $3, ended_at = $4, until_ms = NULL WHERE id = $1",
            &begun.run,
            state,
            reason,
            project.clock.now()
        )])
        .await?;
    Ok(sum)
}

fn loader<'a>(
    project: &'a Project,
    (source, destination): (&'a Side, &'a Side),
    around: &Surroundings,
    extraction: &str,
    survey: &SurveyReport,
    events: &'a dyn Events,
) -> Loader<'a> {
    Loader {
        source,
        destination,
        around: around.clone(),
        assembler: Assembler::new(
            project.store.clone(),
            project.config.clone(),
            extraction,
            &around.account,
            &around.run,
            &destination.context.platform,
            &destination.context.organisation,
            survey,
        ),
        kinds: destination.support(survey).kinds,
        config: &project.config,
        extraction: extraction.to_owned(),
        largest_file: survey
            .allowances
            .iter()
            .find(|allowance| allowance.name == LARGEST_FILE)
            .and_then(|allowance| allowance.limit),
        events,
        stop: project.stop.clone(),
        locks: Locks::default(),
        watch: Rejects::default(),
        holds_open: project.config.load.hold_open,
        tries: Default::default(),
    }
}

/// Where a run writes what the destination has no place for.
fn export_dir(project: &Project, run: &str) -> std::path::PathBuf {
    match &project.dry {
        Some(place) => place.join("export").join(run),
        None => project.dir.join("export").join(run),
    }
}

/// A run that is going on.
struct Begun {
    ends: Ends,
    run: String,
    extraction: String,
    until: i64,
    survey: SurveyReport,
    dangers: Dangers,
}

impl Begun {
    /// Both connections, with what the requests of each are counted for.
    fn sides(&self) -> [(&str, &Side); 2] {
        [
            (&self.extraction, &self.ends.source),
            (&self.run, &self.ends.destination),
        ]
    }
}

fn surroundings(project: &Project, begun: &Begun) -> Surroundings {
    Surroundings {
        store: project.store.clone(),
        blobs: project.blobs.clone(),
        gateway: begun.ends.destination.gateway.clone(),
        clock: Arc::clone(&project.clock),
        run: begun.run.clone(),
        account: begun.ends.destination_account.id.clone(),
        digest: begun.ends.destination.plugin.digest().to_owned(),
        export_dir: export_dir(project, &begun.run),
        boundary: project.boundary.clone(),
        rehearsal: begun.ends.destination.rehearsal.clone(),
    }
}

/// Goes on with the run that was begun, pinned to its plugins, or begins one if its plan was approved.
async fn begin(
    project: &Project,
    options: &RunOptions,
    events: &dyn Events,
) -> Result<Begun, Error> {
    if let Some(run) = project.find_run(None).await? {
        let row = project
            .store
            .row(
                "SELECT r.state, r.account, r.extraction, r.config_digest, r.survey, e.until_ms, e.discovery, e.account AS source_account \
                 FROM runs r JOIN extractions e ON e.id = r.extraction WHERE r.id = $1",
                vec![(&run).into()],
            )
            .await?;
        if let Some(row) = row {
            let state: String = row.try_get("state")?;
            if ["running", "stopped", "paused", "complete"].contains(&state.as_str()) {
                return resume(project, run, &row, options, events).await;
            }
            if state == "rolling-back" {
                return Err(Error::input(
                    "rolling-back",
                    format!("run {run} is being rolled back"),
                )
                .with_hint("finish it with `transload rollback`, then run again"));
            }
        }
    }
    let gathered = gather(project, events).await?;
    let plan = gathered.plan(&project.config)?;
    if let Some(error) = plan.errors.first() {
        return Err(
            Error::input("plan", error.clone()).with_hint("`transload plan` shows all of it")
        );
    }
    let missing: Vec<&str> = plan
        .check
        .connections
        .iter()
        .flat_map(|connection| &connection.missing_rights)
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Err(Error::environment(
            "check",
            format!("rights are missing: {}", missing.join("; ")),
        )
        .with_hint("give them to the credential; `transload check` shows whose they are"));
    }
    gathered.keep(project, &plan).await?;
    if project.dry.is_none() {
        if let Some(accepted) = options.accept.as_ref().filter(|a| **a != plan.digest) {
            let changed = changed_since(project, accepted, &plan).await?;
            if !changed.is_empty() {
                return Err(Error::input(
                    "plan-changed",
                    format!(
                        "the plan that was approved is not the plan any more: {}",
                        some_of(&changed)
                    ),
                )
                .with_hint(format!(
                    "look at it anew (`transload plan`), then run with `--accept {}`",
                    plan.digest
                )));
            }
        }
        planning::approve(&plan, options)?;
    }
    let Gathered {
        ends,
        extraction,
        until,
        survey,
        ..
    } = gathered;
    let now = project.clock.now();
    let run = format!(
        "r{}",
        &sha256(&format!("{extraction}{}{now}", ends.destination.name))[..12]
    );
    let mut batch = vec![sql!(
        "INSERT INTO runs (id, extraction, source, destination, account, platform, organisation, state, config_digest, plan_digest, \
         survey, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9, $10, $11)",
        &run,
        &extraction,
        &ends.source.name,
        &ends.destination.name,
        &ends.destination_account.id,
        &ends.destination.context.platform,
        &ends.destination.context.organisation,
        project.config.digest(),
        &plan.digest,
        serde_json::to_string(&survey)?,
        now
    )];
    batch.push(sql!(
        "INSERT INTO run_plans (run, body) VALUES ($1, $2)",
        &run,
        serde_json::to_string(&plan)?
    ));
    batch.push(delta::mapping_kept(&project.config, &run, now));
    // What was taken on is part of the record (rule M-10).
    for danger in &plan.dangers {
        batch.push(match &project.dry {
            None => dangers::taken_on(&run, &danger.notice)?,
            // Nobody was asked.
            Some(_) => dangers::met(&run, &danger.notice)?,
        });
    }
    for (role, side) in [("source", &ends.source), ("destination", &ends.destination)] {
        let description = side.description();
        batch.push(sql!(
            "INSERT INTO run_plugins (run, role, name, version, digest) VALUES ($1, $2, $3, $4, $5)",
            &run,
            role,
            &description.name,
            &description.version,
            side.plugin.digest()
        ));
    }
    project.store.write(batch).await?;
    let dangers = Dangers::open(&project.store, &run, &project.config, options).await?;
    let mut begun = Begun {
        ends,
        run,
        extraction,
        until,
        survey,
        dangers,
    };
    begun.name_run();
    Ok(begun)
}

/// What is otherwise than when a plan was made, in sentences; nothing where that plan is not known.
async fn changed_since(project: &Project, digest: &str, plan: &Plan) -> Result<Vec<String>, Error> {
    let before = facts_of(project, digest).await?;
    let now = planning::decided_by(plan, &project.config);
    Ok(before.map_or_else(Vec::new, |before| planning::changes(&before, &now)))
}

/// What a plan was decided by.
async fn facts_of(
    project: &Project,
    digest: &str,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    let row = project
        .store
        .row(
            "SELECT facts FROM plans WHERE digest = $1",
            vec![digest.into()],
        )
        .await?;
    row.map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("facts")?)?))
        .transpose()
}

/// Which settings are otherwise than when a run was begun, in sentences.
async fn settings_changed(project: &Project, run: &str) -> Result<Vec<String>, Error> {
    let row = project
        .store
        .row(
            "SELECT plan_digest FROM runs WHERE id = $1",
            vec![run.into()],
        )
        .await?;
    let digest: Option<String> = row
        .map(|row| row.try_get("plan_digest"))
        .transpose()?
        .flatten();
    let Some(before) = facts_of(project, &digest.unwrap_or_default()).await? else {
        return Ok(vec![]);
    };
    let before = before
        .into_iter()
        .filter_map(|(what, is)| Some((what.strip_prefix("migration.toml ")?.to_owned(), is)))
        .collect();
    Ok(planning::changes(
        &before,
        &project.config.settings_by_path(),
    ))
}

/// The first of some sentences, and how many there are beside.
fn some_of(all: &[String]) -> String {
    const SAID: usize = 5;
    let said: Vec<&str> = all.iter().take(SAID).map(String::as_str).collect();
    let more = match all.len().saturating_sub(SAID) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    format!("{}{more}", said.join("; "))
}

impl Begun {
    fn name_run(&mut self) {
        self.ends.source.context.run.clone_from(&self.run);
        self.ends.destination.context.run.clone_from(&self.run);
    }
}

async fn resume(
    project: &Project,
    run: String,
    row: &sqlx::sqlite::SqliteRow,
    options: &RunOptions,
    events: &dyn Events,
) -> Result<Begun, Error> {
    let pinned = pinned(project, &run).await?;
    purge::refuse_purged(&project.store, row.try_get("extraction")?).await?;
    let mut ends = ends(project, Some((&pinned.0, &pinned.1)), events).await?;
    let account: String = row.try_get("account")?;
    let source_account: String = row.try_get("source_account")?;
    for (side, was, is) in [
        (&ends.destination, &account, &ends.destination_account.id),
        (&ends.source, &source_account, &ends.source_account.id),
    ] {
        if was != is {
            return Err(Error::input(
                "other-account",
                format!(
                    "run {run} works on account {was}, but {} is account {is}",
                    side.name
                ),
            )
            .with_hint("put the former settings back, or begin another project for this account"));
        }
    }
    let digest: String = row.try_get("config_digest")?;
    if digest != project.config.digest() {
        return Err(other_mapping(project, &run).await?);
    }
    // A credential may see less than it did.
    let dangers = Dangers::open(&project.store, &run, &project.config, options).await?;
    for connection in ends.check(project).connections {
        if project.dry.is_none() {
            dangers.look(&connection.notices).await?;
        }
    }
    let discovery: Discovery = serde_json::from_str(&row.try_get::<String, _>("discovery")?)?;
    ends.source.context.state = Some(discovery.state);
    project
        .store
        .write(vec![sql!(
            "UPDATE runs SET state = 'running', reason = NULL, ended_at = NULL, until_ms = NULL WHERE id = $1",
            &run
        )])
        .await?;
    let mut begun = Begun {
        ends,
        run,
        extraction: row.try_get("extraction")?,
        until: row.try_get("until_ms")?,
        survey: serde_json::from_str(&row.try_get::<String, _>("survey")?)?,
        dangers,
    };
    begun.name_run();
    Ok(begun)
}

/// Why a run does not go on with another mapping than its own.
async fn other_mapping(project: &Project, run: &str) -> Result<Error, Error> {
    let changed = settings_changed(project, run).await?;
    let said = match changed.is_empty() {
        true => String::new(),
        false => format!(" ({})", some_of(&changed)),
    };
    Ok(Error::input(
        "other-mapping",
        format!("migration.toml has changed since run {run} was begun: its mapping is pinned{said}"),
    )
    .with_hint(
        "put it back to go on; or, when the run is complete, choose what becomes of what is written: \
         `transload delta --remap update|redo|leave`; or roll the run back and begin anew",
    ))
}

/// The digests a run was begun with: source and destination.
async fn pinned(project: &Project, run: &str) -> Result<(String, String), Error> {
    let by_role = project
        .store
        .map(
            "SELECT role, digest FROM run_plugins WHERE run = $1",
            vec![run.into()],
        )
        .await?;
    let digest = |role: &str| by_role.get(role).cloned().unwrap_or_default();
    Ok((digest("source"), digest("destination")))
}

/// The run that needs a plugin, in words: one of a store that was begun with it, by digest, and is not rolled back. The store may be
/// another project's: it is only read.
///
/// # Errors
/// A store that cannot be read.
pub async fn run_that_needs(store: &Path, digest: &str) -> Result<Option<String>, Error> {
    let row = Store::look(
        store,
        "SELECT r.id, r.state FROM run_plugins p JOIN runs r ON r.id = p.run WHERE p.digest = $1 AND r.state <> 'rolled-back' \
         ORDER BY r.started_at DESC, r.id DESC LIMIT 1",
        vec![digest.into()],
    )
    .await?;
    row.map(|row| {
        let (run, state): (String, String) = (row.try_get("id")?, row.try_get("state")?);
        let store = store.display();
        Ok(format!("run {run} of {store} ({state}) was begun with it"))
    })
    .transpose()
}

/// Where a run stands; the newest if none is named. Nothing is asked of either platform.
///
/// # Errors
/// `no-such-run`.
pub async fn status(project: &Project, run: Option<&str>) -> Result<RunReport, Error> {
    report(project, run).await
}

/// Everything about a run; the newest if none is named. Nothing is asked of either platform.
///
/// # Errors
/// `no-such-run`.
pub async fn report(project: &Project, run: Option<&str>) -> Result<RunReport, Error> {
    let run = run_of(project, run).await?;
    // A report needs no plugin and no network: only what is stored.
    sums::report_stored(&project.store, &run).await
}

/// The named run, or the newest.
///
/// # Errors
/// `no-such-run`; `no-run` where there is none yet.
pub async fn run_of(project: &Project, run: Option<&str>) -> Result<String, Error> {
    project.find_run(run).await?.ok_or_else(|| {
        Error::input("no-run", "nothing has been run yet").with_hint("`transload run` begins one")
    })
}

/// The named run, or the newest, to do something about.
async fn run_to(project: &Project, run: Option<&str>, what: &str) -> Result<String, Error> {
    project.find_run(run).await?.ok_or_else(|| {
        let why = format!("nothing has been run yet, so there is nothing to {what}");
        Error::input("no-run", why).with_hint("`transload run` begins one")
    })
}

/// Where a run wrote, by its row: with the plugin of then, whose digest is the second, and only while it is the same account.
async fn destination_of(
    project: &Project,
    run: &str,
    row: &sqlx::sqlite::SqliteRow,
    events: &dyn Events,
) -> Result<(Side, String), Error> {
    let (_, digest) = pinned(project, run).await?;
    let name: String = row.try_get("destination")?;
    let mut destination = project
        .side(&name, Role::Destination, Some(&digest))
        .await?;
    run.clone_into(&mut destination.context.run);
    destination.context.platform = row.try_get("platform")?;
    destination.context.organisation = row.try_get("organisation")?;
    let account: String = row.try_get("account")?;
    let asking = project.account(&destination);
    let is = unless_refused(&[&destination], events, asking).await?.id;
    if is != account {
        return Err(Error::input(
            "other-account",
            format!(
                "run {run} wrote to account {account}, but {} is account {is}",
                destination.name
            ),
        )
        .with_hint("put the former settings back"));
    }
    Ok((destination, digest))
}

/// Undoes a run, or shows what that would do.
///
/// # Errors
/// [`Error::Interrupted`] when stopped; what more tries would not mend. What could not be undone is in the report.
pub async fn rollback(
    project: &Project,
    options: RollbackOptions,
    events: &dyn Events,
) -> Result<RollbackReport, Error> {
    owned(project, rollback_owned(project, options, events)).await
}

async fn rollback_owned(
    project: &Project,
    options: RollbackOptions,
    events: &dyn Events,
) -> Result<RollbackReport, Error> {
    let _stop = forward(&options.stop, &project.stop);
    let run = run_to(project, options.run.as_deref(), "roll back").await?;
    let row = project
        .store
        .row(
            "SELECT account, platform, organisation, destination, survey FROM runs WHERE id = $1",
            vec![(&run).into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {run}")))?;
    let (destination, digest) = destination_of(project, &run, &row, events).await?;
    let account: String = row.try_get("account")?;
    let around = Surroundings {
        store: project.store.clone(),
        blobs: project.blobs.clone(),
        gateway: destination.gateway.clone(),
        clock: Arc::clone(&project.clock),
        run: run.clone(),
        account,
        digest,
        export_dir: export_dir(project, &run),
        boundary: project.boundary.clone(),
        rehearsal: None,
    };
    // A delta that is taken back leaves the run as it is.
    if !options.preview && options.delta.is_none() {
        project
            .store
            .write(vec![
                sql!("UPDATE runs SET state = 'rolling-back' WHERE id = $1", &run),
                sql!(
                    "UPDATE deltas SET state = 'rolled-back' WHERE run = $1",
                    &run
                ),
            ])
            .await?;
    }
    if !options.preview {
        Box::pin(settle_first(project, &destination, &around, events)).await?;
    }
    let survey: SurveyReport = serde_json::from_str(&row.try_get::<String, _>("survey")?)?;
    let work = rollback::Rollback {
        destination: &destination,
        supported: destination.support(&survey).kinds,
        around,
        kinds: options.kinds.unwrap_or_default(),
        from: 0,
        mode: match (options.preview, options.force) {
            (true, _) => UndoMode::Preview,
            (false, true) => UndoMode::Force,
            (false, false) => UndoMode::Careful,
        },
        events,
        stop: project.stop.clone(),
    };
    let undoing = async {
        match options.delta {
            Some(number) => Box::pin(delta::take_back(project, work, number, events)).await,
            None => Box::pin(work.run()).await,
        }
    };
    let sides = [(run.as_str(), &destination)];
    let result = attended(project, &sides, events, None, undoing).await;
    project.count_requests(&run, &destination).await?;
    result
}

/// Reads a run back and compares it with the source; of one that was rolled back, says whether the destination is as it was before.
/// What is found is stored with the run. Nothing is changed on either platform.
///
/// # Errors
/// `not-settled` while something of the run is open (rule D-9); `other-mapping`, `other-account`; what more tries would not mend.
pub async fn verify(
    project: &Project,
    options: VerifyOptions,
    events: &dyn Events,
) -> Result<VerifyReport, Error> {
    owned(project, verify_owned(project, options, events)).await
}

async fn verify_owned(
    project: &Project,
    options: VerifyOptions,
    events: &dyn Events,
) -> Result<VerifyReport, Error> {
    let _stop = forward(&options.stop, &project.stop);
    let run = run_to(project, options.run.as_deref(), "verify").await?;
    let row = project
        .store
        .row(
            "SELECT state, extraction, account, platform, organisation, destination, survey, prepared, config_digest FROM runs WHERE id = $1",
            vec![(&run).into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {run}")))?;
    let state: String = row.try_get("state")?;
    let after_rollback = ["rolling-back", "rolled-back"].contains(&state.as_str());
    let open = project
        .store
        .number(
            "SELECT count(*) FROM units WHERE run = $1 AND status IN ('ready', 'running')",
            vec![(&run).into()],
        )
        .await?;
    if open > 0 {
        let again = if after_rollback { "rollback" } else { "run" };
        return Err(Error::input(
            "not-settled",
            format!("{open} units of run {run} were begun and are not ended: what they wrote is not known yet"),
        )
        .with_hint(format!("`transload {again}` ends them; verify then")));
    }
    if !after_rollback && row.try_get::<String, _>("config_digest")? != project.config.digest() {
        return Err(Error::input(
            "other-mapping",
            format!("migration.toml has changed since run {run} was begun: what should be there is another thing now"),
        )
        .with_hint("put the mapping back that the run was made with"));
    }
    if !after_rollback {
        purge::refuse_purged(&project.store, row.try_get("extraction")?).await?;
    }
    let (mut destination, _) = destination_of(project, &run, &row, events).await?;
    destination.context.state = row.try_get("prepared")?;
    let account: String = row.try_get("account")?;
    let survey: SurveyReport = serde_json::from_str(&row.try_get::<String, _>("survey")?)?;
    let extraction: String = row.try_get("extraction")?;
    let support = destination.support(&survey);
    let mut assembler = Assembler::new(
        project.store.clone(),
        project.config.clone(),
        &extraction,
        &account,
        &run,
        &destination.context.platform,
        &destination.context.organisation,
        &survey,
    );
    let addresses = sample::addresses_of(&project.store, &run).await?;
    assembler.replace_addresses(addresses.as_deref());
    let verifier = verify::Verifier {
        destination: &destination,
        supported: support.kinds,
        fidelity: support.fidelity,
        assembler,
        store: project.store.clone(),
        blobs: project.blobs.clone(),
        run: run.clone(),
        extraction,
        account,
        scope: options.scope,
        kinds: options.kinds,
        events,
        stop: project.stop.clone(),
    };
    let sides = [(run.as_str(), &destination)];
    let verifying = verifier.run(after_rollback);
    let result = attended(project, &sides, events, None, verifying).await;
    project.count_requests(&run, &destination).await?;
    result
}

/// Drives what the run had begun to write to its end, so that the ledger knows all there is to undo (rule D-9). Records in doubt
/// are looked up; one that is surely not there may be written by this, and is then undone with the rest.
async fn settle_first(
    project: &Project,
    destination: &Side,
    around: &Surroundings,
    events: &dyn Events,
) -> Result<(), Error> {
    let begun = project
        .store
        .number(
            "SELECT count(*) FROM units WHERE run = $1 AND status IN ('ready', 'running') AND operation <> 'undo'",
            vec![(&around.run).into()],
        )
        .await?;
    if begun == 0 && load::in_doubt(around).await?.is_empty() {
        return Ok(());
    }
    let row = project
        .store
        .row(
            "SELECT r.source, r.extraction, r.survey, r.config_digest, e.discovery FROM runs r JOIN extractions e ON e.id = r.extraction \
             WHERE r.id = $1",
            vec![(&around.run).into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {}", around.run)))?;
    if row.try_get::<String, _>("config_digest")? != project.config.digest() {
        return Err(Error::input(
            "other-mapping",
            format!(
                "run {} was interrupted while it wrote, and migration.toml has changed since: what it had begun cannot be finished",
                around.run
            ),
        )
        .with_hint("put the mapping back, roll back, and change it then"));
    }
    let pinned = pinned(project, &around.run).await?;
    let source = row.try_get::<String, _>("source")?;
    let mut source = project.side(&source, Role::Source, Some(&pinned.0)).await?;
    let discovery: Discovery = serde_json::from_str(&row.try_get::<String, _>("discovery")?)?;
    source.context.state = Some(discovery.state);
    for (to, from) in [
        (&mut source.context.run, &destination.context.run),
        (&mut source.context.platform, &destination.context.platform),
        (
            &mut source.context.organisation,
            &destination.context.organisation,
        ),
    ] {
        to.clone_from(from);
    }
    let extraction: String = row.try_get("extraction")?;
    let survey: SurveyReport = serde_json::from_str(&row.try_get::<String, _>("survey")?)?;
    events.phase("settle");
    let mut loader = loader(
        project,
        (&source, destination),
        around,
        &extraction,
        &survey,
        events,
    );
    let addresses = sample::addresses_of(&project.store, &around.run).await?;
    loader.assembler.replace_addresses(addresses.as_deref());
    loader.settle().await
}

/// Cancels one token with another, for as long as the guard lives.
fn forward(from: &CancellationToken, to: &CancellationToken) -> Guard {
    let (from, to) = (from.clone(), to.clone());
    Guard(tokio::spawn(async move {
        from.cancelled().await;
        to.cancel();
    }))
}

/// A task that ends with its guard.
struct Guard(tokio::task::JoinHandle<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.abort();
    }
}
