//! A connector that reads.

use std::collections::BTreeSet;

use serde_json::Value;

use super::bench::{Bench, Work, differences, has};
use super::destination::{ended_well, private};
use super::{TROUBLES, Tested, discovered, rules};
use crate::contract::source::{Page, Partition};
use crate::contract::types::Kind;
use crate::error::Error;
use crate::kinds;
use crate::pipeline::Side;

/// A walk that is longer has no end.
const MOST_PAGES: u32 = 10_000;

type Staged = Vec<(String, String, Value)>;

impl Tested<'_> {
    pub(super) async fn source(&mut self) -> Result<(), Error> {
        (self.told)(rules::WHOLE.title);
        let bench = Bench::open(&self.subject)?;
        if let Err(error) = bench.answer_the_plan().await {
            self.found.found(
                &rules::WHOLE,
                vec![format!("it cannot be planned: {error}")],
            );
            self.done_with(&bench);
            return Ok(());
        }
        let fresh = Bench::open(&self.subject)?;
        let report = match fresh.run().await {
            Ok((report, _)) => report,
            Err(error) => {
                self.found
                    .found(&rules::WHOLE, vec![format!("the run ends: {error}")]);
                self.done_with(&fresh);
                return Ok(());
            }
        };
        let mut problems = ended_well(&report);
        let staged = fresh.staged().await?;
        if staged.is_empty() {
            problems.push("nothing was read".to_owned());
        }
        for expected in fresh.platform.expects() {
            let (kind, id) = (&expected.kind, &expected.id);
            match fresh.record(kind, id).await? {
                None => problems.push(format!("{kind} {id} was not read")),
                Some(found) if expected.has.is_null() || has(&expected.has, &found) => {}
                Some(found) => problems.push(format!(
                    "{kind} {id} should have {}, and is {found}",
                    expected.has
                )),
            }
        }
        let whole = problems.is_empty();
        self.found.found(&rules::WHOLE, problems);
        let seen = fresh.wire.seen();
        let told_to_wait = seen.iter().filter(|seen| seen.status == Some(429));
        let told_to_wait: Vec<String> = told_to_wait
            .map(|seen| format!("{} {} was answered 429", seen.method, seen.target))
            .collect();
        self.found.found(&rules::LIMITS, told_to_wait);
        self.found.found(&rules::PRIVATE, private(&report));
        self.done_with(&fresh);
        self.pages(&bench).await?;
        self.done_with(&bench);
        if !whole {
            return Ok(());
        }
        for (rule, trouble) in TROUBLES {
            if self.is_skipped(rule) {
                continue;
            }
            (self.told)(rule.title);
            let bench = Bench::open(&self.subject)?;
            bench.wire.trouble(trouble);
            let problems = match bench.run().await {
                Ok((report, _)) => {
                    self.found.found(&rules::PRIVATE, private(&report));
                    let mut problems = ended_well(&report);
                    problems.extend(otherwise(&staged, &bench.staged().await?));
                    problems
                }
                Err(error) => vec![format!("the run ends: {error}")],
            };
            self.found.found(rule, problems);
            self.done_with(&bench);
        }
        if self.is_skipped(&rules::KILLED) {
            return Ok(());
        }
        (self.told)(rules::KILLED.title);
        let bench = Bench::open(&self.subject)?;
        // What is not a page is asked again by each process, so each lives for longer than the one before.
        let requests = seen.len() as u64;
        let stride = match self.thorough {
            true => (requests / 40).max(1),
            false => (requests / 5).max(2),
        };
        let steps: Vec<u64> = (0..=80).map(|n| 3 + n * stride).collect();
        let problems = match bench.killed_again_and_again(Work::Run, &steps).await {
            Ok(_) => otherwise(&staged, &bench.staged().await?),
            Err(error) => vec![format!("it does not get to its end: {error}")],
        };
        self.found.found(&rules::KILLED, problems);
        self.done_with(&bench);
        Ok(())
    }

    /// Walks all partitions, and asks at each cursor again.
    async fn pages(&mut self, bench: &Bench) -> Result<(), Error> {
        if self.is_skipped(&rules::PAGES) {
            return Ok(());
        }
        (self.told)(rules::PAGES.title);
        let project = bench.project().await?;
        let mut side = bench.side(&project).await?;
        let mut problems = vec![];
        match discovered(&side).await {
            Ok(discovery) => side.context.state = Some(discovery.state),
            Err(error) => problems.push(error.to_string()),
        }
        let until = side.clock.now();
        for kind in kinds::ALL {
            let word = kinds::name(&kind).to_owned();
            let (first, second) = (
                partitions(&side, &kind, until).await,
                partitions(&side, &kind, until).await,
            );
            match (first, second) {
                (Ok(first), Ok(second)) if first == second => {
                    let ids: BTreeSet<&str> = first.iter().map(|part| part.id.as_str()).collect();
                    if ids.len() < first.len() {
                        problems.push(format!("{word}: two partitions have one id"));
                    }
                    for part in first {
                        let walked = walk(&side, part).await;
                        problems.extend(
                            walked.unwrap_or_else(|error| vec![format!("{word}: {error}")]),
                        );
                    }
                }
                (Ok(_), Ok(_)) => {
                    problems.push(format!("{word}: other partitions when asked again"))
                }
                (Err(error), _) | (_, Err(error)) => problems.push(format!("{word}: {error}")),
            }
        }
        self.found.found(&rules::PAGES, problems);
        Ok(())
    }
}

async fn partitions(side: &Side, kind: &Kind, until: i64) -> Result<Vec<Partition>, Error> {
    side.ask("divide its records", |host| {
        let (plugin, ctx, kind) = (side.plugin.clone(), side.context.clone(), kind.clone());
        async move { plugin.partitions(host, ctx, kind, None, until).await }
    })
    .await
}

async fn page(side: &Side, part: &Partition, cursor: Option<&String>) -> Result<Page, Error> {
    side.ask("read a page", |host| {
        let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
        let (part, cursor) = (part.clone(), cursor.cloned());
        async move { plugin.read(host, ctx, part, cursor).await }
    })
    .await
}

/// Walks a partition to its end, and those that it is split into.
async fn walk(side: &Side, part: Partition) -> Result<Vec<String>, Error> {
    let mut problems = vec![];
    let mut open = vec![part];
    let mut pages = 0;
    while let Some(part) = open.pop() {
        let mut cursor: Option<String> = None;
        let mut met = BTreeSet::new();
        loop {
            pages += 1;
            if pages > MOST_PAGES {
                problems.push(format!("{}: no end after {MOST_PAGES} pages", part.id));
                return Ok(problems);
            }
            let first = page(side, &part, cursor.as_ref()).await?;
            let second = page(side, &part, cursor.as_ref()).await?;
            if first != second {
                let at = cursor.as_deref().unwrap_or("the beginning");
                problems.push(format!(
                    "{}: another page when asked again at {at}",
                    part.id
                ));
            }
            for entry in &first.records {
                if entry.head.id.is_empty() {
                    problems.push(format!("{}: a record without an id", part.id));
                }
            }
            open.extend(first.split);
            match first.next {
                Some(next) if met.insert(next.clone()) => cursor = Some(next),
                Some(next) => {
                    problems.push(format!("{}: a page leads back to {next}", part.id));
                    break;
                }
                None => break,
            }
        }
    }
    Ok(problems)
}

/// Records that are missing, too many or otherwise.
fn otherwise(wanted: &Staged, found: &Staged) -> Vec<String> {
    let mut problems = vec![];
    for (kind, id, record) in wanted {
        match found.iter().find(|(k, i, _)| (k, i) == (kind, id)) {
            None => problems.push(format!("{kind} {id} was not read")),
            Some((.., now)) => {
                let lines = differences(record, now).into_iter();
                problems
                    .extend(lines.map(|line| format!("{kind} {id} was read otherwise: {line}")));
            }
        }
    }
    let known = |kind: &String, id: &String| wanted.iter().any(|(k, i, _)| (k, i) == (kind, id));
    let extra = found.iter().filter(|(kind, id, _)| !known(kind, id));
    problems.extend(extra.map(|(kind, id, _)| format!("{kind} {id} is too many")));
    problems
}
