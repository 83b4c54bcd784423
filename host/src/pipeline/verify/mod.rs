//! Proof after the load: what is at the destination is read back through its connector and held against the source, record by record.
//!
//! By content, never by counts. For each batch of records one `read-back`; what should be there is put together from the staged rows
//! as it was for writing ([`Assembler`]), so that both sides are in the contract's words and no vendor is known here. A difference is
//! declared, by the fidelity table, by a loss of the record, by a policy, or it is not, and then a person has to look.
//!
//! After a rollback the question is another: whether the destination is as it was before. The connector's own preview of an undo
//! answers it for each effect: what was made must be gone, what was changed must hold what it held.
//!
//! Reads only, but for the row with what was found. The cost is one reading call for each batch, and the requests that the connector
//! needs for it.

mod compare;
mod facts;
mod same;
mod sample;
mod thread;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use futures::stream::{self, StreamExt as _};
use sqlx::Row as _;
use tokio_util::sync::CancellationToken;

use self::compare::{Compared, Finding, Terms, compare};
pub(super) use self::compare::{changed, print_but};
pub(super) use self::same::letters;
use super::assemble::{Assembled, Assembler, Staged, expected_messages};
use super::extract::unsigned;
use super::model::{
    Beside, BesideHow, DeclaredGroup, Difference, DifferenceKind, Events, Files, VerifyKind,
    VerifyReport, VerifyScope,
};
use super::side::Side;
use crate::blobs::BlobStore;
use crate::contract::description::{FieldFidelity, KindSupport};
use crate::contract::destination::{Item, Observed, UndoMode, Undoing, Written};
use crate::contract::ledger::{Action, Effect, UndoStatus};
use crate::contract::types::{Fidelity, Kind, Loss};
use crate::error::Error;
use crate::store::{AMONG, Store, among};
use crate::{among, kinds, sql};

/// The size of a sample where nobody says another.
pub const SAMPLE: u64 = 200;
/// The seed of a sample where nobody says another.
pub const SEED: u64 = 1;
/// Records read back in one call, at least where there are as many, and at most: a connector asks for them together where it can.
const BATCH: std::ops::RangeInclusive<u32> = 25..=100;
/// Messages read back in one call: long threads come in smaller batches.
const MESSAGES: u64 = 2_000;
/// Differences that are kept each by itself; the rest is counted. More are not worked through one by one.
const KEPT: usize = 5_000;
/// Calls under way at once: while one waits for the platform, another is compared. The gateway keeps to the limits.
const AT_ONCE: usize = 4;
/// Examples shown of a group.
const EXAMPLES: usize = 3;
/// Records of a kind that are kept in full.
const BESIDE: usize = 3;

/// One verification of one run.
pub struct Verifier<'a> {
    /// The destination, with what `prepare` returned, and the plugin digest that wrote.
    pub destination: &'a Side,
    /// The kinds that the account takes, in their order.
    pub supported: Vec<KindSupport>,
    /// How fields travel there.
    pub fidelity: Vec<FieldFidelity>,
    /// Puts together what should be there.
    pub assembler: Assembler,
    /// State.
    pub store: Store,
    /// Long texts.
    pub blobs: BlobStore,
    /// The run.
    pub run: String,
    /// Its reading of the source.
    pub extraction: String,
    /// The destination account.
    pub account: String,
    /// Which records.
    pub scope: VerifyScope,
    /// Only these kinds; all if empty.
    pub kinds: Vec<String>,
    /// Told what goes on.
    pub events: &'a dyn Events,
    /// Stops before the next read.
    pub stop: CancellationToken,
}

/// One record, read back and compared.
struct Checked {
    id: String,
    main: Option<Effect>,
    of_record: Compared,
    /// By content; else it was looked for only.
    compared: bool,
    files: Files,
}

/// What was found so far.
#[derive(Default)]
struct Tally {
    kinds: Vec<VerifyKind>,
    differences: Vec<Difference>,
    undeclared: u64,
    declared: BTreeMap<(String, String, String), (u64, Vec<String>)>,
    files: Files,
    beside: Vec<Beside>,
}

impl Tally {
    fn declare(&mut self, kind: &str, field: String, why: String, id: &str) {
        let group = self
            .declared
            .entry((kind.to_owned(), field, why))
            .or_default();
        group.0 += 1;
        if group.1.len() < EXAMPLES && !group.1.iter().any(|known| known == id) {
            group.1.push(id.to_owned());
        }
    }

    fn differ(&mut self, difference: Difference) {
        self.undeclared += 1;
        if self.differences.len() < KEPT {
            self.differences.push(difference);
        }
    }
}

/// A record in full, as it was found.
fn shown(kind: &str, id: &str, main: Option<&Effect>, of_record: &Compared) -> Beside {
    Beside {
        kind: kind.to_owned(),
        source_id: id.to_owned(),
        target: main.map(|main| format!("{} {}", main.target_kind, main.target_id)),
        url: main.and_then(|main| main.url.clone()),
        rows: of_record.rows.clone(),
        more: of_record.more,
    }
}

/// Keeps the records that have the most to show: what nothing declared, then what was declared, then the fullest; the first of those
/// that have the same.
fn keep_best(beside: &mut Vec<Beside>) {
    let worth = |one: &Beside| {
        let count = |how| one.rows.iter().filter(|row| row.how == how).count();
        let all = count(BesideHow::Same);
        (count(BesideHow::Differs), count(BesideHow::Declared), all)
    };
    beside.sort_by_key(|one| std::cmp::Reverse(worth(one)));
    beside.truncate(BESIDE);
}

impl Verifier<'_> {
    /// Reads back and compares.
    ///
    /// # Errors
    /// `stopped`; a destination that cannot be read; a store error. Differences are no error.
    pub async fn run(&self, after_rollback: bool) -> Result<VerifyReport, Error> {
        self.events.phase("verify");
        let sent = || -> u64 {
            let state = self.destination.gateway.state();
            state.requests.iter().map(|count| count.sent).sum()
        };
        let before = sent();
        let mut tally = Tally::default();
        match after_rollback {
            true => self.undone(&mut tally).await?,
            false => self.there(&mut tally).await?,
        }
        let mut declared: Vec<DeclaredGroup> = tally
            .declared
            .into_iter()
            .map(|((kind, field, why), (count, examples))| DeclaredGroup {
                kind,
                field,
                why,
                count,
                examples,
            })
            .collect();
        declared.sort_by_key(|group| std::cmp::Reverse(group.count));
        let report = VerifyReport {
            run: self.run.clone(),
            at: self.destination.clock.now(),
            after_rollback,
            scope: self.scope,
            kinds: tally.kinds,
            differences: tally.differences,
            undeclared: tally.undeclared,
            declared,
            files: tally.files,
            requests: sent().saturating_sub(before),
            ok: tally.undeclared == 0,
            beside: tally.beside,
        };
        self.store
            .write(vec![sql!(
                "INSERT INTO verifications (run, at_ms, body) VALUES ($1, $2, $3) ON CONFLICT (run, at_ms) DO UPDATE SET body = $3",
                &report.run,
                report.at,
                serde_json::to_string(&report)?
            )])
            .await?;
        Ok(report)
    }

    fn wanted(&self) -> impl Iterator<Item = &KindSupport> {
        self.supported.iter().filter(|support| {
            let kind = kinds::name(&support.kind);
            self.kinds.is_empty() || self.kinds.iter().any(|wanted| wanted == kind)
        })
    }

    // ---- after a run

    async fn there(&self, tally: &mut Tally) -> Result<(), Error> {
        let mut there: BTreeMap<String, u64> = BTreeMap::new();
        for row in self
            .store
            .rows(
                "SELECT kind, count(DISTINCT source_id) AS n FROM effects WHERE run = $1 AND part = 'main' \
                 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) GROUP BY kind",
                vec![(&self.run).into()],
            )
            .await?
        {
            there.insert(row.try_get("kind")?, unsigned(row.try_get("n")?));
        }
        there.retain(|kind, _| {
            self.wanted()
                .any(|support| kinds::name(&support.kind) == kind)
        });
        let shares = match self.scope {
            VerifyScope::All => there.clone(),
            VerifyScope::Sample { size, .. } => sample::shares(&there, size),
        };
        for support in self.wanted() {
            let kind = kinds::name(&support.kind).to_owned();
            let Some(count) = there.get(&kind).copied().filter(|count| *count > 0) else {
                continue;
            };
            let mut sum = VerifyKind {
                kind: kind.clone(),
                there: count,
                ..VerifyKind::default()
            };
            let share = shares.get(&kind).copied().unwrap_or(0);
            let ids = match self.scope {
                VerifyScope::Sample { seed, .. } if share < count => {
                    let which = (self.run.as_str(), self.extraction.as_str(), kind.as_str());
                    Ids::Chosen(sample::choose(&self.store, which, share, seed).await?)
                }
                _ => Ids::All {
                    below: String::new(),
                },
            };
            let total = ids.len().unwrap_or(count);
            let size = support.batch_items.clamp(*BATCH.start(), *BATCH.end());
            let batches = stream::try_unfold((ids, VecDeque::new()), |(mut ids, mut waiting)| {
                let kind = &kind;
                async move {
                    while waiting.is_empty() {
                        let next = ids.next(self, kind, size).await?;
                        if next.is_empty() {
                            break;
                        }
                        waiting = batches(self.assembler.staged_all(kind, &next).await?);
                    }
                    let batch = waiting.pop_front();
                    Ok::<_, Error>(batch.map(|batch| (batch, (ids, waiting))))
                }
            });
            let read = batches
                .map(|batch| {
                    let kind = &kind;
                    async move { self.read(kind, batch?).await }
                })
                .buffered(AT_ONCE);
            tokio::pin!(read);
            let mut beside = vec![];
            while let Some(read) = read.next().await {
                sum.reads += 1;
                for one in read? {
                    sum.compared += u64::from(one.compared);
                    tally.files.by_hash += one.files.by_hash;
                    tally.files.by_size += one.files.by_size;
                    let main = one.main.as_ref();
                    if one.compared {
                        beside.push(shown(&kind, &one.id, main, &one.of_record));
                        keep_best(&mut beside);
                    }
                    let findings = one.of_record.findings;
                    self.count(&kind, &one.id, main, findings, &mut sum, tally);
                }
                self.events
                    .progress(&kind, sum.checked, Some(total.max(sum.checked)));
            }
            tally.beside.extend(beside);
            tally.kinds.push(sum);
        }
        Ok(())
    }

    /// Reads some records back, in one call, and compares them.
    async fn read(&self, kind: &str, staged: Vec<Staged>) -> Result<Vec<Checked>, Error> {
        if self.stop.is_cancelled() {
            return Err(super::load::stopped());
        }
        let mut items: Vec<(Item, String)> = vec![];
        for assembled in self.assembler.assemble_all(kind, staged).await? {
            if let Assembled::Item(item, record) = assembled {
                items.push((*item, record.id));
            }
        }
        let parsed = kinds::parse(kind);
        let written: Vec<Written> = items
            .iter()
            .map(|(item, _)| Written {
                item: item.key.clone(),
                kind: parsed.clone(),
                effects: lasting(&item.prior),
            })
            .collect();
        let side = self.destination;
        let observed = side
            .ask("read back", |host| {
                let (plugin, ctx) = (side.plugin.clone(), side.context.clone());
                let written = written.clone();
                async move { plugin.read_back(host, ctx, written).await }
            })
            .await?;
        let mut by_item: HashMap<&str, Vec<&Observed>> = HashMap::new();
        for one in &observed {
            by_item.entry(one.item.as_str()).or_default().push(one);
        }
        let ids: Vec<String> = items.iter().map(|(_, id)| id.clone()).collect();
        let losses = self.losses(kind, &ids).await?;
        let prints = self.prints(&written).await?;
        let left = super::delta::left_as_they_were(&self.store, &self.run, kind).await?;
        let merged = super::delta::merged_away(&self.store, &self.run).await?;
        let withdrawn = match parsed {
            Kind::Conversation => super::delta::withdrawn(&self.store, &self.run).await?,
            _ => HashMap::new(),
        };
        let support = self.supported.iter().find(|support| support.kind == parsed);
        let keeps_created_at = support.is_some_and(|support| support.keeps_created_at);
        let none = vec![];
        let mut checked = vec![];
        for ((item, id), written) in items.iter().zip(&written) {
            let found = by_item.get(item.key.as_str()).unwrap_or(&none);
            let Some(first) = found.first() else {
                return Err(Error::failed(
                    "connector-bug",
                    format!(
                        "{} said nothing of {kind} {id} when it was read back",
                        side.name
                    ),
                )
                .with_hint("tell the connector's author"));
            };
            let main = written.effects.iter().find(|effect| effect.part == "main");
            // Made by this run, or by an earlier one that it found again.
            let is_made =
                |effect: &Effect| effect.part == "main" && effect.action == Action::Created;
            let was_there = !item.prior.iter().any(is_made);
            let left_out = self.left_out(item).await?;
            let terms = Terms {
                fidelity: &self.fidelity,
                system: &side.description().system_changes,
                losses: losses.get(id).map_or(&[], Vec::as_slice),
                was_there,
                untouched: was_there && main.is_some_and(|main| main.action == Action::Matched),
                left_out: &left_out,
                print: main.and_then(|main| {
                    let target = (main.target_kind.clone(), main.target_id.clone());
                    prints.get(&target).map(String::as_str)
                }),
                keeps_created_at,
                blobs: &self.blobs,
            };
            let mut files = Files::default();
            let mut of_record = compare(item, first, &terms, &mut files);
            for more in found.iter().skip(1) {
                of_record.add(duplicate(kind, more));
            }
            // What hangs on somebody who was merged since hangs on what he is there till a person merges the two.
            let on_merged = |finding: &Finding| {
                let found = finding.found.as_deref().unwrap_or_default();
                finding.what == DifferenceKind::Moved
                    && found.split(' ').any(|word| merged.contains(word))
            };
            of_record.declare(
                on_merged,
                "delta: on a record that was merged in the source since",
            );
            if let Some(begins) = withdrawn.get(id) {
                let still = |finding: &Finding| {
                    let found = letters(finding.found.as_deref().unwrap_or_default());
                    let is_theirs = |begin: &String| !begin.is_empty() && found.contains(begin);
                    finding.what == DifferenceKind::Extra && begins.iter().any(is_theirs)
                };
                of_record.declare(
                    still,
                    "delta: deleted in the source since, to be taken out by hand",
                );
            }
            if let Some(why) = left.get(id) {
                of_record.declare(|_| true, why);
            }
            checked.push(Checked {
                id: id.clone(),
                main: main.cloned(),
                of_record,
                compared: first.body.is_some(),
                files,
            });
        }
        Ok(checked)
    }

    fn count(
        &self,
        kind: &str,
        id: &str,
        main: Option<&Effect>,
        findings: Vec<Finding>,
        sum: &mut VerifyKind,
        tally: &mut Tally,
    ) {
        sum.checked += 1;
        match findings.iter().all(|finding| finding.declared.is_some()) {
            true if findings.is_empty() => sum.equal += 1,
            true => sum.declared += 1,
            false => sum.undeclared += 1,
        }
        for finding in findings {
            match finding.declared {
                Some(why) => tally.declare(kind, finding.field, why, id),
                None => tally.differ(Difference {
                    what: finding.what,
                    kind: kind.to_owned(),
                    source_id: id.to_owned(),
                    target: main.map(|main| format!("{} {}", main.target_kind, main.target_id)),
                    url: main.and_then(|main| main.url.clone()),
                    field: finding.field,
                    part: finding.part,
                    expected: finding.expected,
                    found: finding.found,
                }),
            }
        }
    }

    /// What was written last of each record's own object, by what it is and its id: later steps, a link between two records that are
    /// there by then, are ours as well.
    async fn prints(
        &self,
        written: &[Written],
    ) -> Result<HashMap<(String, String), String>, Error> {
        let mains = written
            .iter()
            .flat_map(|one| &one.effects)
            .filter(|effect| effect.part == "main");
        let targets: Vec<&str> = mains.map(|main| main.target_id.as_str()).collect();
        let mut by_target: HashMap<(String, String), Vec<String>> = HashMap::new();
        for ids in targets.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!(
                        "SELECT target_kind, target_id, effect FROM effects WHERE target_id IN "
                        " AND account = $65 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone', 'restored')) ORDER BY id"
                    ),
                    among(ids, [(&self.account).into()]),
                )
                .await?
            {
                let effect: Effect = serde_json::from_str(&row.try_get::<String, _>("effect")?)?;
                if let Some(print) = effect.fingerprint.filter(|print| !print.is_empty()) {
                    let target = (row.try_get("target_kind")?, row.try_get("target_id")?);
                    by_target.entry(target).or_default().push(print);
                }
            }
        }
        let last = by_target.into_iter().filter_map(|(target, prints)| {
            let prints: Vec<&str> = prints.iter().map(String::as_str).collect();
            Some((target, compare::last_print(&prints)?))
        });
        Ok(last.collect())
    }

    /// Losses that the outcomes of records named, by record.
    async fn losses(
        &self,
        kind: &str,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<Loss>>, Error> {
        let mut losses: HashMap<String, Vec<Loss>> = HashMap::new();
        for ids in ids.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!("SELECT source_id, field, how, note FROM losses WHERE source_id IN " " AND run = $65 AND kind = $66"),
                    among(ids, [(&self.run).into(), kind.into()]),
                )
                .await?
            {
                let how: String = row.try_get("how")?;
                losses.entry(row.try_get("source_id")?).or_default().push(Loss {
                    field: row.try_get("field")?,
                    how: match how.as_str() {
                        "lost" => Fidelity::Lost,
                        _ => Fidelity::Converted,
                    },
                    note: row.try_get("note")?,
                });
            }
        }
        Ok(losses)
    }

    /// Messages and files inside a record that did not become part of it, and why.
    async fn left_out(&self, item: &Item) -> Result<HashMap<(String, String), String>, Error> {
        let mut by_kind: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for entry in item.body.entries.iter().skip(1) {
            by_kind
                .entry(kinds::name(&entry.head.kind))
                .or_default()
                .push(&entry.head.id);
        }
        let mut left_out = HashMap::new();
        for (kind, ids) in by_kind {
            for ids in ids.chunks(AMONG) {
                for row in self
                    .store
                    .rows(
                        among!(
                            "SELECT source_id, status, coalesce(cause, '') AS cause FROM outcomes WHERE source_id IN "
                            " AND run = $65 AND kind = $66 AND status NOT IN ('created', 'updated', 'matched')"
                        ),
                        among(ids, [(&self.run).into(), kind.into()]),
                    )
                    .await?
                {
                    let (id, status, cause): (String, String, String) =
                        (row.try_get("source_id")?, row.try_get("status")?, row.try_get("cause")?);
                    let why = match cause.is_empty() {
                        true => status,
                        false => format!("{status}: {cause}"),
                    };
                    left_out.insert((kind.to_owned(), id), why);
                }
            }
        }
        Ok(left_out)
    }

    // ---- after a rollback

    /// Asks of every effect of the run what would have to be undone of it: nothing.
    async fn undone(&self, tally: &mut Tally) -> Result<(), Error> {
        let mut order: Vec<(String, u32)> = self
            .wanted()
            .map(|support| (kinds::name(&support.kind).to_owned(), support.batch_items))
            .collect();
        if self.kinds.is_empty() {
            order.push(("own".to_owned(), *BATCH.end()));
        }
        for (kind, size) in order {
            let count = self
                .store
                .number(
                    "SELECT count(*) FROM effects WHERE run = $1 AND kind = $2 AND action <> 'matched'",
                    vec![(&self.run).into(), (&kind).into()],
                )
                .await?;
            if count == 0 {
                continue;
            }
            let mut sum = VerifyKind {
                kind: kind.clone(),
                there: unsigned(count),
                ..VerifyKind::default()
            };
            let mut below = i64::MAX;
            loop {
                if self.stop.is_cancelled() {
                    return Err(super::load::stopped());
                }
                let size = size.clamp(*BATCH.start(), *BATCH.end());
                let rows = self
                    .store
                    .rows(
                        "SELECT id, source_id, marker, effect FROM effects WHERE run = $1 AND kind = $2 AND action <> 'matched' AND id < $3 \
                         ORDER BY id DESC LIMIT $4",
                        vec![(&self.run).into(), (&kind).into(), below.into(), i64::from(size).into()],
                    )
                    .await?;
                let mut effects: Vec<(Undoing, String)> = vec![];
                for row in &rows {
                    let (id, source_id): (i64, String) =
                        (row.try_get("id")?, row.try_get("source_id")?);
                    below = id;
                    let undoing = Undoing {
                        effect_id: unsigned(id),
                        kind: kinds::parse(&kind),
                        item: format!("{kind}:{source_id}"),
                        marker: row.try_get("marker")?,
                        effect: serde_json::from_str(&row.try_get::<String, _>("effect")?)?,
                    };
                    effects.push((undoing, source_id));
                }
                if effects.is_empty() {
                    break;
                }
                self.look(&kind, &effects, &mut sum, tally).await?;
                self.events.progress(&kind, sum.checked, Some(sum.there));
            }
            tally.kinds.push(sum);
        }
        Ok(())
    }

    /// Of the ids that effects speak of, those of objects that the run made.
    async fn own_targets(&self, effects: &[(Undoing, String)]) -> Result<HashSet<String>, Error> {
        let ids: Vec<&str> = effects
            .iter()
            .flat_map(|(undoing, _)| ids_of(&undoing.effect))
            .collect();
        let mut own = HashSet::new();
        for ids in ids.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!("SELECT target_id FROM effects WHERE target_id IN " " AND account = $65 AND run = $66 AND action = 'created'"),
                    among(ids, [(&self.account).into(), (&self.run).into()]),
                )
                .await?
            {
                own.insert(row.try_get("target_id")?);
            }
        }
        Ok(own)
    }

    async fn look(
        &self,
        kind: &str,
        effects: &[(Undoing, String)],
        sum: &mut VerifyKind,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let side = self.destination;
        let asked: Vec<Undoing> = effects.iter().map(|(undoing, _)| undoing.clone()).collect();
        let host = side.reading();
        let result = side
            .plugin
            .undo(
                host.clone(),
                side.context.clone(),
                UndoMode::Preview,
                asked,
                vec![],
            )
            .await
            .map_err(|error| Error::failed("unit-failed", error.to_string()))?;
        result.map_err(|error| side.failed("look at what was undone", &error))?;
        sum.reads += 1;
        let found: HashMap<u64, (UndoStatus, Option<String>)> = host
            .previewed()
            .into_iter()
            .map(|outcome| (outcome.effect, (outcome.status, outcome.reason)))
            .collect();
        let own = self.own_targets(effects).await?;
        for (undoing, id) in effects {
            let effect = &undoing.effect;
            let created = effect.action == Action::Created;
            let what = match created {
                true => DifferenceKind::Left,
                false => DifferenceKind::NotAsBefore,
            };
            let is = match found.get(&undoing.effect_id) {
                Some((UndoStatus::Gone, _)) if created => None,
                // What was changed was the run's own, and went with it.
                Some((UndoStatus::Gone, _)) if ids_of(effect).any(|id| own.contains(id)) => None,
                // It holds what it held; or it stands and falls with another object of the run, which is asked after itself.
                Some((UndoStatus::Left, _)) => None,
                Some((UndoStatus::Gone, _)) => Some("it is gone".to_owned()),
                Some((_, Some(reason))) => Some(reason.clone()),
                Some((_, None)) if created => Some("it is still there".to_owned()),
                Some((_, None)) => Some("it is as the run left it".to_owned()),
                None => Some("the connector said nothing of it".to_owned()),
            };
            sum.compared += 1;
            let finding = is.map(|is| Finding {
                what,
                field: kind.to_owned(),
                part: (effect.part != "main").then(|| effect.part.clone()),
                expected: Some(
                    if created {
                        "nothing"
                    } else {
                        "what was there before"
                    }
                    .to_owned(),
                ),
                found: Some(is),
                declared: None,
            });
            self.count(
                kind,
                id,
                Some(effect),
                finding.into_iter().collect(),
                sum,
                tally,
            );
        }
        Ok(())
    }
}

/// The ids that an effect's object goes by: its own, and that of the object which it is a part of.
fn ids_of(effect: &Effect) -> impl Iterator<Item = &str> {
    let id = effect.target_id.as_str();
    std::iter::once(id).chain(id.split_once('/').map(|(of, _)| of))
}

/// The records of a kind that are read back.
enum Ids {
    /// Chosen ones, the next last.
    Chosen(Vec<String>),
    /// Those above an id.
    All {
        /// The last that was taken.
        below: String,
    },
}

impl Ids {
    fn len(&self) -> Option<u64> {
        match self {
            Self::Chosen(ids) => u64::try_from(ids.len()).ok(),
            Self::All { .. } => None,
        }
    }

    async fn next(
        &mut self,
        of: &Verifier<'_>,
        kind: &str,
        size: u32,
    ) -> Result<Vec<String>, Error> {
        match self {
            Self::Chosen(ids) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX).min(ids.len());
                Ok(ids.drain(..size).collect())
            }
            Self::All { below } => {
                let rows = of
                    .store
                    .rows(
                        "SELECT DISTINCT source_id FROM effects WHERE run = $1 AND kind = $2 AND part = 'main' AND source_id > $3 \
                         AND account = $5 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY source_id LIMIT $4",
                        vec![
                            (&of.run).into(),
                            kind.into(),
                            below.as_str().into(),
                            i64::from(size).into(),
                            (&of.account).into(),
                        ],
                    )
                    .await?;
                let ids: Vec<String> = rows
                    .iter()
                    .map(|row| row.try_get("source_id"))
                    .collect::<Result<_, _>>()?;
                if let Some(last) = ids.last() {
                    below.clone_from(last);
                }
                Ok(ids)
            }
        }
    }
}

/// Records in the batches that are read back together: all, but for long threads.
fn batches(staged: Vec<Staged>) -> VecDeque<Vec<Staged>> {
    let mut batches: VecDeque<Vec<Staged>> = VecDeque::new();
    let mut messages = 0;
    for one in staged {
        let more = expected_messages(&one.entry);
        match batches.back_mut() {
            Some(batch) if messages + more <= MESSAGES => batch.push(one),
            _ => {
                batches.push_back(vec![one]);
                messages = 0;
            }
        }
        messages += more;
    }
    batches
}

/// Effects of a record, oldest first; of several on one part the last counts, with the print of all of them. `prior` has the newest
/// first.
pub(super) fn lasting(prior: &[Effect]) -> Vec<Effect> {
    let mut effects: Vec<Effect> = vec![];
    for effect in prior {
        let known = effects
            .iter()
            .any(|one| one.part == effect.part && one.target_kind == effect.target_kind);
        if !known {
            let mut effect = effect.clone();
            effect.fingerprint = print_of(prior, &effect);
            effects.push(effect);
        }
    }
    effects.reverse();
    effects
}

/// What was written last of an object: an update prints what it changed, and what stands beside it was written before.
pub(super) fn print_of(prior: &[Effect], of: &Effect) -> Option<String> {
    let same = |effect: &&Effect| {
        (&effect.part, &effect.target_kind, &effect.target_id)
            == (&of.part, &of.target_kind, &of.target_id)
    };
    let prints: Vec<&str> = prior
        .iter()
        .rev()
        .filter(same)
        .filter_map(|effect| effect.fingerprint.as_deref())
        .filter(|print| !print.is_empty())
        .collect();
    compare::last_print(&prints)
}

/// Another object that says it is the same record.
fn duplicate(kind: &str, more: &Observed) -> Finding {
    let id = more.body.as_ref().and_then(|body| body.entries.first());
    Finding {
        what: DifferenceKind::Duplicate,
        field: kind.to_owned(),
        part: None,
        expected: Some("one".to_owned()),
        found: Some(match id {
            Some(entry) => format!("{} carries the same mark", entry.head.id),
            None => "another carries the same mark".to_owned(),
        }),
        declared: None,
    }
}

/// What the last verification of a run found.
///
/// # Errors
/// A store error.
pub async fn last(store: &Store, run: &str) -> Result<Option<VerifyReport>, Error> {
    let row = store
        .row(
            "SELECT body FROM verifications WHERE run = $1 ORDER BY at_ms DESC LIMIT 1",
            vec![run.into()],
        )
        .await?;
    Ok(match row {
        Some(row) => Some(serde_json::from_str(&row.try_get::<String, _>("body")?)?),
        None => None,
    })
}
