//! What becomes of each record that changed: what is there is read back, and then it is written, left, made anew, taken away or
//! listed for a person.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::stream::{self, StreamExt as _};
use sqlx::Row as _;

use super::Which;
use super::before::{self, Facts, Found, PLANNED, Was, noted, remember};
use super::find::candidates;
use super::remap;
use crate::among;
use crate::config::{Conflicts, Deleted, Delta as Policies, Frozen};
use crate::contract::description::{KindSupport, UpdateMode, UpdateSupport};
use crate::contract::destination::{Item, MatchPolicy, Observed, Presence, Written};
use crate::contract::ledger::{Action, Effect, Status};
use crate::contract::types::{Entity, Entry, Kind};
use crate::error::Error;
use crate::kinds;
use crate::pipeline::assemble::{Assembled, Assembler, DELETED, is_closed};
use crate::pipeline::load::{HELD, Loader, batches_of, is_open};
use crate::pipeline::model::Remap;
use crate::pipeline::rollback::Rollback;
use crate::pipeline::verify::{changed, lasting, print_but, print_of};
use crate::store::{AMONG, Statement, among};
use crate::unit::{Record, decided};

/// Why a record that differs stays.
const KEPT: &str = "somebody said that it is right as it is at the destination";
/// Records looked at together.
const CHUNK: usize = 100;
/// Facts of a record that move by themselves: no reason to call a person.
const MOVING: [&str; 12] = [
    "updated_at",
    "modified_by",
    "last_activity_at",
    "last_seen_at",
    "message_count",
    "note_count",
    "conversation_count",
    "preview",
    "raw",
    "unmapped",
    "first_response_at",
    "sla",
];

/// Brings records over.
pub(super) struct Applier<'a> {
    /// By the mapping that records were written by, where it was changed since.
    pub former: Option<&'a Assembler>,
    pub loader: &'a Loader<'a>,
    /// Takes back what was made of single records.
    pub undo: &'a Rollback<'a>,
    pub which: &'a Which,
    pub policies: Policies,
    pub take_source: HashSet<(String, String)>,
    pub keep_target: HashSet<(String, String)>,
}

/// An item with what it is about, and what is known of it.
struct Change {
    item: Item,
    record: Record,
    was: Was,
    /// It would be written otherwise by the mapping there is now, and in what.
    remapped: Option<String>,
}

/// What is to be done with a change.
enum Verdict {
    /// Written as it is now.
    Write(Facts),
    /// What was made is taken away and the record made anew.
    Anew(Facts),
    /// A person has to do something.
    List(Facts),
    /// It stays, and counts as it is now. `did`.
    Stays(&'static str, Facts),
}

impl Applier<'_> {
    /// Brings over what changed of a kind.
    ///
    /// # Errors
    /// As a run's loading.
    pub async fn kind(&self, support: &KindSupport) -> Result<(), Error> {
        let kind = kinds::name(&support.kind).to_owned();
        let loader = self.loader;
        let mut ids =
            candidates(&loader.around.store, &loader.extraction, self.which, &kind).await?;
        for (of, id) in self.take_source.iter().chain(&self.keep_target) {
            if *of == kind && !ids.contains(id) {
                ids.push(id.clone());
            }
        }
        if self.which.remap.is_some() {
            // Whatever was loaded may be written otherwise now.
            let all = Which::of_all(&self.which.run);
            ids.extend(candidates(&loader.around.store, &loader.extraction, &all, &kind).await?);
            ids.sort();
            ids.dedup();
        }
        let total = ids.len() as u64;
        let mut done = 0;
        for ids in ids.chunks(CHUNK) {
            if loader.stop.is_cancelled() {
                return Err(Error::Interrupted);
            }
            let rows = loader.assembler.staged_all(&kind, ids).await?;
            let was = self.outcomes(&kind, ids).await?;
            let gone = self.gone_ids(&kind).await?;
            let mut remapped = match (self.which.remap, self.former) {
                (None, _) => HashMap::new(),
                (Some(_), Some(former)) => {
                    remap::differing(former, &loader.assembler, &kind, ids).await?
                }
                // Nobody knows the former one any more: all may differ.
                (Some(_), None) => ids
                    .iter()
                    .map(|id| (id.clone(), "the mapping changed".to_owned()))
                    .collect(),
            };
            let mut fresh: Vec<(Item, Record)> = vec![];
            let mut changes: Vec<Change> = vec![];
            for assembled in loader.assembler.assemble_all(&kind, rows).await? {
                match assembled {
                    Assembled::Decided(record, status) => {
                        self.ruled(&record, &status, was.get(&record.id)).await?;
                    }
                    Assembled::Item(item, record) => {
                        if gone.contains(&record.id) {
                            continue;
                        }
                        match was.get(&record.id) {
                            Some(was) if was.is_loaded() => {
                                self.withdrawn(&record).await?;
                                let is_same = was.hash == record.hash;
                                // What this delta wrote already is by the mapping there is now.
                                let is_anew =
                                    was.unit.is_some_and(|unit| unit >= self.which.first_id);
                                let remapped = remapped.remove(&record.id).filter(|_| !is_anew);
                                if !is_same || remapped.is_some() || self.is_answered(&record) {
                                    changes.push(Change {
                                        item: *item,
                                        record,
                                        was: was.clone(),
                                        remapped,
                                    });
                                }
                            }
                            was => {
                                let held =
                                    was.is_some_and(|was| was.cause.as_deref() == Some(HELD));
                                let is_same = was.is_some_and(|was| was.hash == record.hash);
                                if loader.holds_open && is_open(&item) {
                                    if !(held && is_same) {
                                        self.hold(&record).await?;
                                    }
                                } else if held || !is_same {
                                    fresh.push((*item, record));
                                }
                            }
                        }
                    }
                }
            }
            self.bring(support, fresh, changes).await?;
            done += ids.len() as u64;
            loader.events.progress(&kind, done, Some(total));
        }
        self.print_anew(support).await
    }

    /// What was added to an object moves what its print counts (messages, notes), and that was us: what is there now is what we left.
    /// What people changed before that, and we left to them, stays a change of theirs.
    async fn print_anew(&self, support: &KindSupport) -> Result<(), Error> {
        let kind = kinds::name(&support.kind).to_owned();
        let loader = self.loader;
        let store = &loader.around.store;
        let mut theirs: HashMap<String, Vec<String>> = HashMap::new();
        for row in store
            .rows(
                "SELECT source_id, facts FROM delta_records WHERE run = $1 AND number_n = $2 AND kind = $3 AND change = 'updated' \
                 AND did = 'planned'",
                vec![
                    (&self.which.run).into(),
                    self.which.number.into(),
                    (&kind).into(),
                ],
            )
            .await?
        {
            let facts: Facts = serde_json::from_str(&row.try_get::<String, _>("facts")?)?;
            let id: String = row.try_get("source_id")?;
            let wins = self.policies.conflicts == Conflicts::SourceWins
                || self.take_source.contains(&(kind.clone(), id.clone()));
            let left = if wins { vec![] } else { facts.theirs };
            if !facts.anew {
                theirs.insert(id, left);
            }
        }
        if theirs.is_empty() {
            return Ok(());
        }
        let context = Box::pin(loader.prepare()).await?;
        let ids: Vec<String> = theirs.keys().cloned().collect();
        for ids in ids.chunks(CHUNK) {
            let mut changes = vec![];
            let rows = loader.assembler.staged_all(&kind, ids).await?;
            for assembled in loader.assembler.assemble_all(&kind, rows).await? {
                if let Assembled::Item(item, record) = assembled {
                    changes.push(Change {
                        item: *item,
                        record,
                        was: Was::default(),
                        remapped: None,
                    });
                }
            }
            let observed = self.read_back(support, &context, &changes).await?;
            let mut batch = vec![];
            for change in &changes {
                let prior = &change.item.prior;
                let made =
                    |effect: &&Effect| effect.part == "main" && effect.action == Action::Created;
                let main = prior.iter().find(|effect| effect.part == "main");
                let (Some(main), true) = (main, prior.iter().any(|effect| made(&effect))) else {
                    continue;
                };
                let then = print_of(prior, main);
                let now = observed
                    .get(&change.item.key)
                    .and_then(|one| one.fingerprint.as_deref());
                let (Some(then), Some(now)) = (then, now) else {
                    continue;
                };
                let left = theirs.get(&change.record.id).map_or(&[][..], Vec::as_slice);
                let print = print_but(now, &then, left);
                if changed(&then, &print).is_empty() {
                    continue;
                }
                let effect = Effect {
                    action: Action::Matched,
                    proof: None,
                    key: None,
                    before: None,
                    fingerprint: Some(print),
                    ..main.clone()
                };
                batch.push(crate::sql!(
                    "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, \
                     unit, digest, at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'matched', $9, $10, $11, $12, $13)",
                    store.new_id(),
                    &loader.around.account,
                    &loader.around.run,
                    &kind,
                    &change.record.id,
                    &effect.part,
                    &effect.target_kind,
                    &effect.target_id,
                    &change.record.marker,
                    serde_json::to_string(&effect)?,
                    // Of no unit: no outcome stands on it.
                    -self.which.number,
                    &loader.around.digest,
                    loader.around.clock.now()
                ));
            }
            store.write(batch).await?;
        }
        Ok(())
    }

    /// Notes messages that were loaded, and are deleted at the source now in a thread that stays.
    async fn withdrawn(&self, record: &Record) -> Result<(), Error> {
        let deleted = record
            .left_out
            .iter()
            .filter(|(kind, _, _, rule)| kind == kinds::name(&Kind::Message) && rule == DELETED);
        let ids: Vec<String> = deleted.map(|(_, id, ..)| id.clone()).collect();
        let mut batch = vec![];
        for (id, was) in self.outcomes(kinds::name(&Kind::Message), &ids).await? {
            if was.is_loaded() {
                let key = (kinds::name(&Kind::Message), id.as_str());
                batch.extend(self.note_of(key, "deleted", PLANNED, false, &Facts::default())?);
            }
        }
        Ok(self.loader.around.store.write(batch).await?)
    }

    /// The conversation in which a message stands that is gone.
    async fn thread_of(&self, kind: &str, id: &str) -> Result<Option<String>, Error> {
        if kind != kinds::name(&Kind::Message) {
            return Ok(None);
        }
        let staged = self.loader.assembler.staged(kind, id).await?;
        Ok(staged.and_then(|staged| match staged.entry.data {
            Entity::Message(message) => message.conversation.map(|thread| thread.id),
            _ => None,
        }))
    }

    fn is_answered(&self, record: &Record) -> bool {
        let key = (record.kind.clone(), record.id.clone());
        self.take_source.contains(&key)
    }

    async fn outcomes(&self, kind: &str, ids: &[String]) -> Result<HashMap<String, Was>, Error> {
        let mut all = HashMap::new();
        for ids in ids.chunks(AMONG) {
            for row in self
                .loader
                .around
                .store
                .rows(
                    among!(
                        "SELECT source_id, status, cause, remedy, hash, unit FROM outcomes WHERE source_id IN "
                        " AND run = $65 AND kind = $66"
                    ),
                    among(ids, [(&self.which.run).into(), kind.into()]),
                )
                .await?
            {
                all.insert(row.try_get("source_id")?, Was::of(&row)?);
            }
        }
        Ok(all)
    }

    /// Records of a kind that this delta found deleted or merged.
    async fn gone_ids(&self, kind: &str) -> Result<HashSet<String>, Error> {
        self.loader
            .around
            .store
            .rows(
                "SELECT source_id FROM delta_records WHERE run = $1 AND number_n = $2 AND kind = $3 AND change IN ('deleted', 'merged')",
                vec![
                    (&self.which.run).into(),
                    self.which.number.into(),
                    kind.into(),
                ],
            )
            .await?
            .iter()
            .map(|row| Ok(row.try_get("source_id")?))
            .collect()
    }

    /// A record that a rule leaves out, or that has a value without a place.
    async fn ruled(
        &self,
        record: &Record,
        status: &Status,
        was: Option<&Was>,
    ) -> Result<(), Error> {
        if was.is_some_and(|was| was.hash == record.hash) {
            return Ok(());
        }
        let why = match status {
            Status::Skipped(rule) => rule.clone(),
            Status::Rejected(error) => crate::unit::error_words(error).0,
            other => format!("{other:?}"),
        };
        if !was.is_some_and(Was::is_loaded) {
            let mut batch = remember(self.which, record);
            batch.extend(self.note(record, "new", PLANNED, false, &Facts::default())?);
            self.loader.around.store.write(batch).await?;
            return self
                .loader
                .decide(&[(record.clone(), status.clone())])
                .await;
        }
        let facts = Facts {
            why: Some(why.clone()),
            ..self.facts(record).await?
        };
        let (change, did) = match status {
            Status::Skipped(why) if why.starts_with("merged into") => ("merged", PLANNED),
            Status::Skipped(why) if why.starts_with("deleted") => ("deleted", PLANNED),
            _ => ("updated", "listed"),
        };
        let mut batch = remember(self.which, record);
        batch.extend(self.note(record, change, did, did == "listed", &facts)?);
        self.loader.around.store.write(batch).await?;
        Ok(())
    }

    fn note(
        &self,
        record: &Record,
        change: &str,
        did: &str,
        waits: bool,
        facts: &Facts,
    ) -> Result<Vec<Statement>, Error> {
        self.note_of((&record.kind, &record.id), change, did, waits, facts)
    }

    /// Notes what became of a record, by kind and id.
    fn note_of(
        &self,
        (kind, id): (&str, &str),
        change: &str,
        did: &str,
        waits: bool,
        facts: &Facts,
    ) -> Result<Vec<Statement>, Error> {
        noted(
            self.which,
            self.loader.around.clock.now(),
            &Found {
                kind,
                id,
                change,
                did,
                waits,
                facts,
            },
        )
    }

    async fn facts(&self, record: &Record) -> Result<Facts, Error> {
        let (target, url) = before::target(&self.loader.around, &record.kind, &record.id).await?;
        Ok(Facts {
            target,
            url,
            ..Facts::default()
        })
    }

    /// A conversation that is new and not closed waits for the last delta.
    async fn hold(&self, record: &Record) -> Result<(), Error> {
        let mut batch = remember(self.which, record);
        batch.extend(self.note(record, "new", "held", false, &Facts::default())?);
        self.loader.around.store.write(batch).await?;
        let held = Status::Skipped(HELD.into());
        self.loader.decide(&[(record.clone(), held)]).await
    }

    async fn bring(
        &self,
        support: &KindSupport,
        fresh: Vec<(Item, Record)>,
        changes: Vec<Change>,
    ) -> Result<(), Error> {
        let loader = self.loader;
        if fresh.is_empty() && changes.is_empty() {
            return Ok(());
        }
        let mut batch = vec![];
        for (_, record) in &fresh {
            batch.extend(remember(self.which, record));
            batch.extend(self.note(record, "new", PLANNED, false, &Facts::default())?);
        }
        loader.around.store.write(batch).await?;
        let mut items = fresh;
        if !changes.is_empty() {
            let context = Box::pin(loader.prepare()).await?;
            let observed = self.read_back(support, &context, &changes).await?;
            for mut change in changes {
                let observed = observed.get(&change.item.key);
                let verdict = self.verdict(support, &mut change, observed).await?;
                if let Some(item) = self.carry_out(change, verdict).await? {
                    items.push(item);
                }
            }
        }
        if items.is_empty() {
            return Ok(());
        }
        loader.fetch_files(&mut items).await?;
        let context = Box::pin(loader.prepare()).await?;
        if support.matches {
            loader.find_existing(support, &mut items, &context).await?;
        }
        let limit = support
            .max_concurrency
            .unwrap_or(u32::MAX)
            .min(loader.config.load.concurrency)
            .max(1) as usize;
        let context = &context;
        let mut results = stream::iter(batches_of(support, items))
            .map(|batch| async move { Box::pin(loader.write_batch(support, batch, context)).await })
            .buffer_unordered(limit);
        let mut first = None;
        while let Some(result) = results.next().await {
            if let Err(error) = result {
                first.get_or_insert(error);
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// What is there of records, in one call for each batch.
    async fn read_back(
        &self,
        support: &KindSupport,
        context: &crate::contract::session::Context,
        changes: &[Change],
    ) -> Result<HashMap<String, Observed>, Error> {
        let side = self.loader.destination;
        let mut all = HashMap::new();
        let size = usize::try_from(support.batch_items.clamp(1, 100)).unwrap_or(1);
        for some in changes.chunks(size) {
            let written: Vec<Written> = some
                .iter()
                .filter(|change| !change.item.prior.is_empty())
                .map(|change| Written {
                    item: change.item.key.clone(),
                    kind: support.kind.clone(),
                    effects: lasting(&change.item.prior),
                })
                .collect();
            if written.is_empty() {
                continue;
            }
            let observed = side
                .ask("read back", |host| {
                    let (plugin, ctx) = (side.plugin.clone(), context.clone());
                    let written = written.clone();
                    async move { plugin.read_back(host, ctx, written).await }
                })
                .await?;
            for one in observed {
                // The item's own comes first.
                all.entry(one.item.clone()).or_insert(one);
            }
        }
        Ok(all)
    }

    /// Decides what becomes of a change, and makes the item ready for it.
    async fn verdict(
        &self,
        support: &KindSupport,
        change: &mut Change,
        observed: Option<&Observed>,
    ) -> Result<Verdict, Error> {
        let record = &change.record;
        let key = (record.kind.clone(), record.id.clone());
        let mut facts = self.facts(record).await?;
        if self.keep_target.contains(&key) {
            facts.why = Some(KEPT.into());
            return Ok(Verdict::Stays("kept", facts));
        }
        // One that changed at the source, too, follows it.
        let is_same = change.was.hash == record.hash;
        if self.which.remap == Some(Remap::Leave) && change.remapped.is_some() && is_same {
            facts.why.clone_from(&change.remapped);
            return Ok(Verdict::Stays("left", facts));
        }
        let takes_source =
            self.take_source.contains(&key) || self.policies.conflicts == Conflicts::SourceWins;
        let Some(main) = change
            .item
            .prior
            .iter()
            .find(|effect| effect.part == "main")
            .cloned()
        else {
            // What was made of it is taken away already: it is made anew.
            facts.anew = true;
            return Ok(Verdict::Anew(facts));
        };
        match observed.map(|one| one.presence) {
            Some(Presence::Absent) => {
                facts.theirs = vec!["it was deleted".into()];
                facts.why = Some("it was deleted at the destination since it was written".into());
                return Ok(match (takes_source, self.policies.conflicts) {
                    (true, _) => {
                        facts.anew = true;
                        Verdict::Anew(facts)
                    }
                    (false, Conflicts::Ask) => Verdict::List(facts),
                    (false, _) => Verdict::Stays("left", facts),
                });
            }
            Some(presence @ (Presence::Merged | Presence::Hidden)) => {
                let how = match presence {
                    Presence::Merged => "it was merged into another one",
                    _ => "it cannot be seen any more",
                };
                facts.theirs = vec![how.into()];
                facts.why = Some(format!("{how} at the destination since it was written"));
                return Ok(Verdict::List(facts));
            }
            Some(Presence::Present) | None => {}
        }
        let mut what = self.what_changed(change).await?;
        what.extend(change.remapped.clone());
        if change.remapped.is_some() {
            // A connector that is shown the time of what it wrote would think that nothing changed.
            for effect in &mut change.item.prior {
                if effect.part == "main" {
                    effect.updated_at = None;
                }
            }
        }
        let redoes = self.which.remap == Some(Remap::Redo) && change.remapped.is_some();
        if let Some(frozen) = frozen(support, change, observed) {
            if what.is_empty() {
                facts.why = Some("nothing that travels changed".into());
                return Ok(Verdict::Stays("unchanged", facts));
            }
            let note = frozen
                .note
                .as_deref()
                .unwrap_or("it cannot be changed there");
            facts.why = Some(format!("{}; {note}", what.join(", ")));
            if support.kind != Kind::Conversation {
                return Ok(Verdict::Stays("left", facts));
            }
            let anew = redoes
                || self.policies.frozen == Frozen::Recreate
                || self.take_source.contains(&key);
            return Ok(match anew {
                true => {
                    facts.anew = true;
                    Verdict::Anew(facts)
                }
                false => Verdict::List(facts),
            });
        }
        let now = observed.and_then(|one| one.fingerprint.as_deref());
        let then = print_of(&change.item.prior, &main);
        let theirs = match (then.as_deref(), now) {
            (Some(then), Some(now)) => changed(then, now),
            _ => vec![],
        };
        // A connector leaves alone what differs from the print that it is shown: that of all that was written, not of the last change.
        for effect in &mut change.item.prior {
            if effect.part == "main" && same_object(effect, &main) {
                effect.fingerprint.clone_from(&then);
            }
        }
        let is_ours = change
            .item
            .prior
            .iter()
            .any(|effect| effect.part == "main" && effect.action == Action::Created);
        if redoes && (theirs.is_empty() || takes_source) {
            facts.why.clone_from(&change.remapped);
            facts.theirs = theirs;
            facts.anew = true;
            return Ok(Verdict::Anew(facts));
        }
        if theirs.is_empty() {
            // Nobody else had a word: what we made follows the source, whatever holds of what was there before.
            if is_ours {
                change.item.policy = MatchPolicy::SourceWins;
            }
            return Ok(Verdict::Write(facts));
        }
        facts.theirs = theirs;
        Ok(match (takes_source, self.policies.conflicts) {
            (true, _) => {
                facts.why = Some(
                    "people changed it at the destination, too: the source's word counts".into(),
                );
                change.item.policy = MatchPolicy::SourceWins;
                for effect in &mut change.item.prior {
                    if effect.part == "main" && same_object(effect, &main) {
                        effect.fingerprint = now.map(ToOwned::to_owned);
                    }
                }
                Verdict::Write(facts)
            }
            (false, Conflicts::Ask) => {
                facts.why =
                    Some("people changed it at the destination, too: nothing was written".into());
                Verdict::List(facts)
            }
            (false, _) => {
                facts.why = Some(
                    "people changed it at the destination, too: what they changed stays".into(),
                );
                change.item.policy = MatchPolicy::FillEmpty;
                Verdict::Write(facts)
            }
        })
    }

    /// What changed of a record since it was loaded, in words; nothing where only what moves by itself did.
    async fn what_changed(&self, change: &Change) -> Result<Vec<String>, Error> {
        let store = &self.loader.around.store;
        let mut what = vec![];
        let (mut new, mut other) = (0, 0);
        for (kind, id, hash) in &change.record.inside {
            let row = store
                .row(
                    "SELECT status, hash FROM outcomes WHERE run = $1 AND kind = $2 AND source_id = $3",
                    vec![(&self.which.run).into(), kind.into(), id.into()],
                )
                .await?;
            let Some(row) = row else {
                new += i64::from(kind == "message");
                continue;
            };
            let status: String = row.try_get("status")?;
            match status.as_str() {
                // It waits since an earlier delta.
                "skipped" => new += i64::from(kind == "message"),
                _ if row.try_get::<String, _>("hash")? != *hash => {
                    other += i64::from(kind == "message");
                }
                _ => {}
            }
        }
        if new > 0 {
            what.push(format!("{new} new messages"));
        }
        if other > 0 {
            what.push(format!("{other} changed messages"));
        }
        let row = store
            .row(
                "SELECT payload FROM staged_before WHERE extraction = $1 AND kind = $2 AND id = $3 AND pass >= $4 ORDER BY pass LIMIT 1",
                vec![
                    (&self.loader.extraction).into(),
                    (&change.record.kind).into(),
                    (&change.record.id).into(),
                    self.which.from_pass.into(),
                ],
            )
            .await?;
        if let (Some(row), Some(now)) = (
            row,
            self.loader
                .assembler
                .staged(&change.record.kind, &change.record.id)
                .await?,
        ) {
            let before: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
            what.extend(fields_changed(&before, &now.entry)?);
        }
        // What an earlier delta said still holds, though the rows of then are gone.
        if what.is_empty() {
            let said = store
                .row(
                    "SELECT facts FROM delta_records WHERE run = $1 AND kind = $2 AND source_id = $3 AND waits = 1 \
                     ORDER BY number_n DESC LIMIT 1",
                    vec![
                        (&self.which.run).into(),
                        (&change.record.kind).into(),
                        (&change.record.id).into(),
                    ],
                )
                .await?;
            if said.is_some() {
                what.push("as before".into());
            }
        }
        Ok(what)
    }

    /// Does what was decided; the item comes back where it is to be written.
    async fn carry_out(
        &self,
        change: Change,
        verdict: Verdict,
    ) -> Result<Option<(Item, Record)>, Error> {
        let Change {
            mut item,
            record,
            was,
            ..
        } = change;
        let store = &self.loader.around.store;
        let mut batch = remember(self.which, &record);
        match verdict {
            Verdict::Write(facts) => {
                batch.extend(self.note(&record, "updated", PLANNED, false, &facts)?);
                store.write(batch).await?;
                Ok(Some((item, record)))
            }
            Verdict::Anew(facts) => {
                batch.extend(self.note(&record, "updated", PLANNED, false, &facts)?);
                store.write(batch).await?;
                let problems = match item.prior.is_empty() {
                    true => vec![],
                    false => Box::pin(self.undo.record(&record.kind, &record.id)).await?,
                };
                if !problems.is_empty() {
                    let facts = Facts {
                        why: Some(format!("it cannot be made anew: {}", problems.join("; "))),
                        anew: false,
                        ..facts
                    };
                    let batch = self.note(&record, "updated", "listed", true, &facts)?;
                    store.write(batch).await?;
                    self.wait_inside(&record).await?;
                    return Ok(None);
                }
                item.prior.clear();
                item.existing = None;
                Ok(Some((item, record)))
            }
            Verdict::List(facts) => {
                batch.extend(self.note(&record, "updated", "listed", true, &facts)?);
                store.write(batch).await?;
                self.wait_inside(&record).await?;
                Ok(None)
            }
            Verdict::Stays(did, facts) => {
                batch.extend(self.note(&record, "updated", did, false, &facts)?);
                let to = Was {
                    hash: record.hash.clone(),
                    ..was
                };
                let (statement, entry) =
                    before::restated(&self.loader.around, &record.kind, &record.id, &to).await?;
                batch.push(statement);
                store.write_ledger(batch, vec![entry]).await?;
                self.wait_inside(&record).await?;
                Ok(None)
            }
        }
    }

    /// What is new inside a record that was not written has its outcome all the same.
    async fn wait_inside(&self, record: &Record) -> Result<(), Error> {
        let around = &self.loader.around;
        let (mut batch, mut ledger) = (vec![], vec![]);
        let with = format!("with its {}, which this delta left as it is", record.kind);
        let inside = record
            .inside
            .iter()
            .map(|(kind, id, hash)| (kind, id, hash));
        let missing = record
            .missing
            .iter()
            .map(|(kind, id, hash, _)| (kind, id, hash));
        for (kind, id, hash) in inside.chain(missing) {
            let known = around
                .store
                .number(
                    "SELECT count(*) FROM outcomes WHERE run = $1 AND kind = $2 AND source_id = $3",
                    vec![(&around.run).into(), kind.into(), id.into()],
                )
                .await?;
            if known == 0 {
                let (statement, entry) =
                    decided(around, &[kind, id, hash], "skipped", Some(&with), None);
                batch.push(statement);
                ledger.push(entry);
            }
        }
        around.store.write_ledger(batch, ledger).await?;
        Ok(())
    }

    /// What was deleted or merged at the source: taken away, or listed, as the policy says. Only what is there, and the last kinds
    /// first, as in a rollback.
    pub async fn gone(&self) -> Result<(), Error> {
        let around = &self.loader.around;
        let waiting = around
            .store
            .rows(
                "SELECT kind, source_id, change, facts FROM delta_records WHERE run = $1 AND change IN ('deleted', 'merged') \
                 AND ((number_n = $2 AND did = 'planned') OR waits = 1) ORDER BY number_n",
                vec![(&self.which.run).into(), self.which.number.into()],
            )
            .await?;
        let mut all = vec![];
        let mut met = BTreeSet::new();
        for row in &waiting {
            let key: (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            if met.insert(key.clone()) {
                let facts: Facts = serde_json::from_str(&row.try_get::<String, _>("facts")?)?;
                all.push((key, row.try_get::<String, _>("change")?, facts));
            }
        }
        let place = |kind: &str| {
            let of = |support: &KindSupport| kinds::name(&support.kind) == kind;
            self.loader.kinds.iter().position(of)
        };
        all.sort_by_key(|((kind, _), ..)| std::cmp::Reverse(place(kind)));
        for ((kind, id), change, mut facts) in all {
            if self.loader.stop.is_cancelled() {
                return Err(Error::Interrupted);
            }
            if let Some(thread) = self.thread_of(&kind, &id).await? {
                // No destination says of a part of a thread that it can be taken out alone.
                let key = (kind.clone(), id.clone());
                let kept = self.keep_target.contains(&key);
                (facts.target, facts.url) =
                    before::target(around, kinds::name(&Kind::Conversation), &thread).await?;
                facts.why = Some(match kept {
                    true => KEPT.into(),
                    false => format!(
                        "deleted in the source, in conversation {thread}, which stays: take it out there by hand"
                    ),
                });
                let did = if kept { "kept" } else { "listed" };
                let note = self.note_of((&kind, &id), &change, did, !kept, &facts)?;
                around.store.write(note).await?;
                continue;
            }
            let record = match self.loader.assembler.assemble(&kind, &id).await? {
                Some(Assembled::Item(_, record) | Assembled::Decided(record, _)) => record,
                None => continue,
            };
            (facts.target, facts.url) = before::target(around, &kind, &id).await?;
            let key = (kind.clone(), id.clone());
            let removes = change == "deleted"
                && (self.policies.deleted == Deleted::Remove || self.take_source.contains(&key));
            let mut batch = remember(self.which, &record);
            let (did, waits) = if self.keep_target.contains(&key) {
                facts.why = Some(KEPT.into());
                ("kept", false)
            } else if removes {
                around.store.write(batch).await?;
                batch = vec![];
                let problems = Box::pin(self.undo.record(&kind, &id)).await?;
                if problems.is_empty() {
                    facts.why = Some("deleted in the source".into());
                    let status = Status::Skipped(format!(
                        "deleted in the source; taken away by delta {}",
                        self.which.number
                    ));
                    self.loader.decide(&[(record.clone(), status)]).await?;
                    ("removed", false)
                } else {
                    facts.why = Some(format!(
                        "deleted in the source; it cannot be taken away: {}",
                        problems.join("; ")
                    ));
                    ("listed", true)
                }
            } else {
                facts.why = Some(match (&facts.survivor, change.as_str()) {
                    (Some(survivor), _) => {
                        let (into, _) = before::target(around, &kind, survivor).await?;
                        let into = into.map_or_else(String::new, |into| format!(" ({into})"));
                        format!("merged into {survivor}{into}: merge them at the destination, too")
                    }
                    (None, "merged") => "merged into another record of the source".into(),
                    _ => "deleted in the source; [delta] deleted = \"remove\" takes it away".into(),
                });
                ("listed", true)
            };
            batch.extend(self.note(&record, &change, did, waits, &facts)?);
            around.store.write(batch).await?;
        }
        Ok(())
    }
}

fn same_object(one: &Effect, other: &Effect) -> bool {
    (&one.target_kind, &one.target_id) == (&other.target_kind, &other.target_id)
}

/// What the destination says of updates of a record as it is there, where it takes none.
fn frozen<'s>(
    support: &'s KindSupport,
    change: &Change,
    observed: Option<&Observed>,
) -> Option<&'s UpdateSupport> {
    let there = observed
        .and_then(|one| one.body.as_ref())
        .and_then(|body| body.entries.first())
        .filter(|entry| matches!(entry.data, Entity::Conversation(_)));
    let own = change.item.body.entries.first();
    let state = match there.or(own) {
        Some(entry) if is_closed(entry) => "closed",
        _ => "open",
    };
    let of = |state: &str| support.updates.iter().find(|update| update.state == state);
    let update = of("any").or_else(|| of(state))?;
    let takes = update.modes.iter().any(|mode| *mode != UpdateMode::Frozen);
    (!takes).then_some(update)
}

/// The fields in which two versions of a record differ, but for those that move by themselves.
fn fields_changed(before: &Entry, now: &Entry) -> Result<Vec<String>, Error> {
    let (before, now) = (serde_json::to_value(before)?, serde_json::to_value(now)?);
    let mut changed: Vec<String> = vec![];
    let mut compare = |before: Option<&serde_json::Value>, now: Option<&serde_json::Value>| {
        let empty = serde_json::Map::new();
        let before = before.and_then(|value| value.as_object()).unwrap_or(&empty);
        let now = now.and_then(|value| value.as_object()).unwrap_or(&empty);
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        for name in names {
            if !MOVING.contains(&name.as_str()) && before.get(name) != now.get(name) {
                changed.push(name.replace('_', " "));
            }
        }
    };
    compare(before.get("head"), now.get("head"));
    let data = |entry: &serde_json::Value| -> Option<serde_json::Value> {
        let data = entry.get("data")?.as_object()?;
        data.values().next().cloned()
    };
    compare(data(&before).as_ref(), data(&now).as_ref());
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fixtures::customer;

    #[test]
    fn what_moves_by_itself_is_no_change() {
        let before = customer("ana", &[]);
        let mut now = before.clone();
        now.head.updated_at = Some(77);
        if let Entity::Customer(customer) = &mut now.data {
            customer.last_seen_at = Some(5);
            customer.conversation_count = Some(9);
        }
        assert!(fields_changed(&before, &now).unwrap().is_empty());
        if let Entity::Customer(customer) = &mut now.data {
            customer.name = Some("Ana Ruiz".into());
            customer.time_zone = Some("UTC".into());
        }
        assert_eq!(
            fields_changed(&before, &now).unwrap(),
            ["name", "time zone"]
        );
    }
}
