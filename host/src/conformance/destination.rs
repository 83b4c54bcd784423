//! A connector that writes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bench::{Bench, TOO_MANY, Work, differences};
use super::platform::Trouble;
use super::rules::{self, Rule};
use super::{TROUBLES, Tested, apart, corpus};
use crate::error::Error;
use crate::pipeline::model::{DifferenceKind, RollbackReport, RunReport, RunState, VerifyReport};
use crate::report::adds_up;

/// How a run ended that nothing happened to.
struct Undisturbed {
    report: RunReport,
    held: Option<Value>,
    boundaries: u64,
    outcomes: Vec<(String, String, String)>,
}

impl Tested<'_> {
    pub(super) async fn destination(&mut self) -> Result<(), Error> {
        let Some(undisturbed) = self.undisturbed().await? else {
            return Ok(());
        };
        for (rule, trouble) in TROUBLES {
            if self.is_skipped(rule) {
                continue;
            }
            (self.told)(rule.title);
            let bench = Bench::open(&self.subject)?;
            bench.wire.trouble(trouble);
            let problems = match bench.run_until_settled().await {
                Ok(report) => {
                    self.found.found(&rules::PRIVATE, private(&report));
                    let mut problems = bench.unsettled().await?;
                    problems.extend(same_end(&undisturbed, &report, bench.held(&report.run)));
                    problems
                }
                Err(error) => vec![format!("the run ends: {error}")],
            };
            self.found.found(rule, problems);
            self.done_with(&bench);
        }
        self.one_bad(&undisturbed).await?;
        self.killed(&undisturbed).await
    }

    /// A whole run, read back, run again and taken back. `None` where that does not get far enough for anything else.
    async fn undisturbed(&mut self) -> Result<Option<Undisturbed>, Error> {
        (self.told)(rules::WHOLE.title);
        let bench = Bench::open(&self.subject)?;
        let before = bench.held("");
        match bench.answer_the_plan().await {
            Ok(errors) if errors.is_empty() => {}
            Ok(errors) => {
                self.found
                    .found(&rules::WHOLE, apart("the plan cannot go on", errors));
                self.done_with(&bench);
                return Ok(None);
            }
            Err(error) => {
                self.found.found(
                    &rules::WHOLE,
                    vec![format!("it cannot be planned: {error}")],
                );
                self.done_with(&bench);
                return Ok(None);
            }
        }
        let _ = bench.wire.seen();
        let (report, boundaries) = match bench.run().await {
            Ok(ended) => ended,
            Err(error) => {
                self.found
                    .found(&rules::WHOLE, vec![format!("the run ends: {error}")]);
                self.done_with(&bench);
                return Ok(None);
            }
        };
        let mut problems = ended_well(&report);
        let of_groups = report.rejects.iter();
        problems.extend(of_groups.map(|group| {
            format!(
                "{} of {} rejected: {}",
                group.count, group.kind, group.cause
            )
        }));
        if report.total.created == 0 {
            problems.push("nothing was created".to_owned());
        }
        let whole = problems.is_empty();
        self.found.found(&rules::WHOLE, problems);
        let told_to_wait = bench
            .wire
            .seen()
            .into_iter()
            .filter(|seen| seen.status == Some(429));
        let told_to_wait: Vec<String> = told_to_wait
            .map(|seen| format!("{} {} was answered 429", seen.method, seen.target))
            .collect();
        self.found.found(&rules::LIMITS, told_to_wait);
        self.found.found(&rules::PRIVATE, private(&report));

        (self.told)(rules::READ_BACK.title);
        match bench.verify().await {
            Ok(verified) => {
                let (texts, others) = undeclared(&verified);
                self.found.found(&rules::TEXT, texts);
                self.found.found(&rules::READ_BACK, others);
            }
            Err(error) => self.found.found(
                &rules::READ_BACK,
                vec![format!("it cannot be read back: {error}")],
            ),
        }

        (self.told)(rules::AGAIN.title);
        let held = bench.held(&report.run);
        let _ = bench.wire.seen();
        match bench.run().await {
            Ok((again, _)) => {
                let mut problems = same_end_held(held.as_ref(), bench.held(&again.run).as_ref());
                if again.total.created > report.total.created {
                    let more = again.total.created - report.total.created;
                    problems.push(format!("{more} records are created once more"));
                }
                self.found.found(&rules::AGAIN, problems);
            }
            Err(error) => self
                .found
                .found(&rules::AGAIN, vec![format!("a second run ends: {error}")]),
        }
        let outcomes = bench.outcomes().await?;

        (self.told)(rules::UNDONE.title);
        let problems = match bench.rollback().await {
            Ok(undone) => {
                let mut problems = self.left(&undone);
                problems.extend(self.same_as_before(before.as_ref(), bench.held("").as_ref()));
                if problems.is_empty() {
                    match bench.verify().await {
                        Ok(verified) if verified.ok => {}
                        Ok(mut verified) => {
                            let differences = &mut verified.differences;
                            let told = differences.len();
                            differences.retain(|one| !self.stays(&one.kind));
                            if !differences.is_empty() || told == 0 {
                                let (texts, others) = undeclared(&verified);
                                problems.extend(texts.into_iter().chain(others));
                            }
                        }
                        Err(error) => problems.push(format!("it cannot be checked: {error}")),
                    }
                }
                problems
            }
            Err(error) => vec![format!("the rollback ends: {error}")],
        };
        self.found.found(&rules::UNDONE, problems);
        self.done_with(&bench);
        Ok(whole.then_some(Undisturbed {
            report,
            held,
            boundaries,
            outcomes,
        }))
    }

    /// Whether a kind can be made and not deleted, by what the connector says.
    fn stays(&self, kind: &str) -> bool {
        let kinds = &self.subject.plugin.description().kinds;
        let mut of = kinds
            .iter()
            .filter(|of| crate::kinds::name(&of.kind) == kind);
        of.any(|of| !of.can_delete)
    }

    /// What a rollback left that the connector does not say it cannot delete.
    fn left(&self, undone: &RollbackReport) -> Vec<String> {
        let problems = undone.problems.iter();
        problems
            .filter(|problem| !(problem.status == "cannot" && self.stays(&problem.kind)))
            .map(|problem| {
                format!(
                    "{} {} stays ({}): {}",
                    problem.kind, problem.target, problem.status, problem.reason
                )
            })
            .collect()
    }

    /// What is otherwise than before. Where a kind can be made and not deleted, what is there besides may be of it.
    fn same_as_before(&self, before: Option<&Value>, now: Option<&Value>) -> Vec<String> {
        let (Some(before), Some(now)) = (before, now) else {
            return vec![];
        };
        let mut kinds = self.subject.plugin.description().kinds.iter();
        let stays = kinds.any(|kind| kind.can_create && !kind.can_delete);
        let mut found = differences(before, now);
        found.retain(|line| !(stays && line.contains(TOO_MANY)));
        apart("the platform is not as before", found)
    }

    /// One record is refused: those that hang on it may be, too, and those that were in the same request.
    async fn one_bad(&mut self, undisturbed: &Undisturbed) -> Result<(), Error> {
        let rule: &Rule = &rules::ONE_BAD;
        if self.is_skipped(rule) {
            return Ok(());
        }
        (self.told)(rule.title);
        let bench = Bench::open(&self.subject)?;
        bench.wire.trouble(Trouble::Refused(corpus::BAD.to_owned()));
        let problems = match bench.run().await {
            Ok((report, _)) => {
                self.found.found(&rules::PRIVATE, private(&report));
                let mut problems = ended_well(&report);
                let was: BTreeMap<(&str, &str), &str> = undisturbed
                    .outcomes
                    .iter()
                    .map(|(kind, id, status)| ((kind.as_str(), id.as_str()), status.as_str()))
                    .collect();
                let refused = bench.wire.refused();
                for (kind, id, status) in &bench.outcomes().await? {
                    let same = was.get(&(kind.as_str(), id.as_str())) == Some(&status.as_str());
                    if same
                        || arrives(status)
                        || is_of_the_bad_one(id)
                        || went_along(&refused, kind, id)
                    {
                        continue;
                    }
                    problems.push(format!(
                        "{kind} {id} is {status}, and was not refused by the platform"
                    ));
                }
                if !problems.is_empty() {
                    let first =
                        |request: &String| -> String { request.chars().take(400).collect() };
                    let all: Vec<String> = refused.iter().map(first).collect();
                    problems.push(format!("refused were: {}", all.join("; ")));
                }
                if refused.is_empty() {
                    problems.push("no request held the record that was to be refused".to_owned());
                }
                problems
            }
            Err(error) => vec![format!("the run ends: {error}")],
        };
        self.found.found(rule, problems);
        self.done_with(&bench);
        Ok(())
    }

    /// Killed again and again, running and rolling back.
    async fn killed(&mut self, undisturbed: &Undisturbed) -> Result<(), Error> {
        let [run, undo] = [&rules::KILLED, &rules::UNDO_KILLED];
        if self.is_skipped(run) {
            return Ok(());
        }
        (self.told)(run.title);
        let bench = Bench::open(&self.subject)?;
        let before = bench.held("");
        let steps = self.steps(undisturbed.boundaries);
        let killed = bench.killed_again_and_again(Work::Run, &steps).await;
        let problems = match killed {
            Ok(_) => match bench.run_until_settled().await {
                Ok(report) => {
                    let mut problems = bench.unsettled().await?;
                    problems.extend(same_end(undisturbed, &report, bench.held(&report.run)));
                    problems
                }
                Err(error) => vec![error.to_string()],
            },
            Err(error) => vec![format!("it does not get to its end: {error}")],
        };
        let ended = problems.is_empty();
        self.found.found(run, problems);
        self.found.found(&rules::SAME_WAY, bench.diverged().await?);
        if ended && !self.is_skipped(undo) && !self.found.is_broken(&rules::UNDONE) {
            (self.told)(undo.title);
            let problems = match bench.killed_again_and_again(Work::Rollback, &steps).await {
                Ok(_) => match bench.rollback().await {
                    // What the last process reports is what the ledger says of all.
                    Ok(undone) => {
                        let mut problems = self.left(&undone);
                        problems
                            .extend(self.same_as_before(before.as_ref(), bench.held("").as_ref()));
                        problems
                    }
                    Err(error) => vec![format!("the rollback ends: {error}")],
                },
                Err(error) => vec![format!("it does not get to its end: {error}")],
            };
            self.found.found(undo, problems);
        }
        self.done_with(&bench);
        Ok(())
    }
}

fn arrives(status: &str) -> bool {
    ["created", "updated", "matched"].contains(&status)
}

/// The record that is refused and those that hang on it.
fn is_of_the_bad_one(id: &str) -> bool {
    id == "c2" || id.starts_with("v2")
}

/// Whether a record was in a request that was refused, or hangs on one that was.
fn went_along(refused: &[String], kind: &str, id: &str) -> bool {
    let marker = format!(":{kind}:{id}");
    let quoted = format!("\"{id}\"");
    let words = corpus::words(id);
    let mut bodies = refused.iter();
    let was_there = bodies.any(|body| {
        body.contains(&marker)
            || body.contains(&quoted)
            || words.iter().any(|word| body.contains(word))
    });
    let hangs_on = corpus::hangs_on(id);
    was_there || hangs_on.is_some_and(|(kind, id)| went_along(refused, kind, id))
}

/// What is wrong with the end of a run.
pub(super) fn ended_well(report: &RunReport) -> Vec<String> {
    let mut problems = vec![];
    if report.state != RunState::Complete {
        let why = report.reason.as_deref().unwrap_or("no reason is given");
        problems.push(format!("the run is {:?}: {why}", report.state));
    }
    for sum in &report.kinds {
        if !adds_up(sum) {
            problems.push(format!("{}: the sum does not add up: {sum:?}", sum.kind));
        }
        for (count, word) in [
            (sum.unsettled, "unsettled"),
            (sum.open, "without an outcome"),
            (sum.shortfall, "counted by the source and not read"),
        ] {
            if count > 0 {
                problems.push(format!("{}: {count} {word}", sum.kind));
            }
        }
    }
    if report.duplicates > 0 {
        problems.push(format!(
            "{} objects stand for more than one record",
            report.duplicates
        ));
    }
    if report.lost > 0 {
        problems.push(format!("{} records are lost", report.lost));
    }
    if !report.chain_ok {
        problems.push("the ledger's chain is broken".to_owned());
    }
    problems
}

/// What is otherwise than in the run that nothing happened to.
fn same_end(undisturbed: &Undisturbed, report: &RunReport, held: Option<Value>) -> Vec<String> {
    let mut problems = ended_well(report);
    let kinds: BTreeSet<&str> = report.kinds.iter().map(|sum| sum.kind.as_str()).collect();
    for kind in kinds {
        let of = |report: &RunReport| {
            let sum = report.kinds.iter().find(|sum| sum.kind == kind);
            sum.map(|s| (s.created + s.updated + s.matched, s.rejected, s.exported))
        };
        let (was, is) = (of(&undisturbed.report), of(report));
        if was != is {
            let words = |sum: Option<(u64, u64, u64)>| match sum {
                Some((there, rejected, exported)) => {
                    format!("{there} there, {rejected} rejected, {exported} exported")
                }
                None => "none".to_owned(),
            };
            problems.push(format!(
                "{kind}: {}; undisturbed: {}",
                words(is),
                words(was)
            ));
            let causes = report.rejects.iter().filter(|group| group.kind == kind);
            problems.extend(causes.map(|group| format!("{kind} rejected: {}", group.cause)));
        }
    }
    problems.extend(same_end_held(undisturbed.held.as_ref(), held.as_ref()));
    problems
}

fn same_end_held(wanted: Option<&Value>, found: Option<&Value>) -> Vec<String> {
    match (wanted, found) {
        (Some(wanted), Some(found)) => apart(
            "the platform holds something else",
            differences(wanted, found),
        ),
        _ => vec![],
    }
}

/// Differences that nobody declared: those of texts, and all others.
fn undeclared(verified: &VerifyReport) -> (Vec<String>, Vec<String>) {
    let text = |field: &str| {
        let last = field.rsplit('.').next().unwrap_or(field);
        ["text", "html", "subject", "body"].contains(&last)
    };
    let (mut texts, mut others) = (vec![], vec![]);
    for difference in &verified.differences {
        let shown = |value: &Option<String>| {
            value
                .as_deref()
                .map_or("nothing".to_owned(), |v| format!("{v:?}"))
        };
        let line = format!(
            "{} {}: {} should be {} and is {}",
            difference.kind,
            difference.source_id,
            difference.field,
            shown(&difference.expected),
            shown(&difference.found)
        );
        match text(&difference.field) && difference.what != DifferenceKind::Missing {
            true => texts.push(line),
            false => others.push(line),
        }
    }
    if others.is_empty() && texts.is_empty() && !verified.ok {
        others.push("what was read back is not what was written".to_owned());
    }
    (texts, others)
}

/// Where a text of the history shows up in what an operator is told.
pub(super) fn private(report: &RunReport) -> Vec<String> {
    let causes = report.rejects.iter().map(|group| &group.cause);
    let losses = report.losses.iter().map(|group| &group.note);
    let told = report.notices.iter().map(|notice| &notice.message);
    causes
        .chain(losses)
        .chain(told)
        .filter(|text| text.contains(corpus::PRIVATE))
        .map(|text| format!("the report says a message's text: {text}"))
        .collect()
}
