//! Inserting what has no place for an external id: comments, topics of Cases, links of files (Salesforce facts §0.7).
//!
//! Such a request must not be sent twice. What may be there, of an earlier attempt or of a request whose answer was not seen,
//! is looked for under its parent by what it is, after as long as the request could still be applied (rule D-3); queries see
//! what was committed at once (Salesforce facts §12). Each that is found stands for one that was wanted.

use std::collections::{BTreeMap, BTreeSet};

use transload_sdk::Context;
use transload_sdk::effects::{effect, made};
use transload_sdk::http::OperationKey;
use transload_sdk::ledger::{Action, Effect, Proof};
use transload_sdk::types::Error;

use crate::api::{Fault, Record, id_of, id18, text};
use crate::client::{self, ROWS, Row, SETTLE_MS, SavedOnce};

/// Rounds of sending and looking.
const ROUNDS: u32 = 4;
/// Waited before rows that met a lock are sent again, ms (Salesforce facts §15).
const LOCK_WAIT_MS: u64 = 15_000;

/// A record that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Want {
    /// Whose it is, for the caller.
    pub place: usize,
    /// The record.
    pub row: Row,
    /// The record under which it is looked for.
    pub parent: String,
    /// For its effect.
    pub print: String,
    /// Whether an earlier attempt may have made it, and since when that is in doubt.
    pub maybe_there: Option<Option<i64>>,
    /// The request of this call that may have made it.
    pub asked: Option<OperationKey>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It is there, by our request.
    There(Effect),
    /// Refused.
    Refused(Row, Fault),
    /// Not known, even after sending and looking several times.
    Unsettled,
}

/// How records of an object are found again.
pub struct Looked<'a, I: Fn(&Record) -> String> {
    /// The call.
    pub cx: &'a Context,
    /// The object.
    pub object: &'a str,
    /// The query up to `WHERE`: with the parent and with what `identity` asks for.
    pub select: &'a str,
    /// The field that names the parent.
    pub parent: &'a str,
    /// What tells records of one parent apart, of one that is sent as of one that was read.
    pub identity: I,
}

impl<I: Fn(&Record) -> String> Looked<'_, I> {
    /// Inserts what is not there. `batch` names the requests. Gives what became of each with its place, in any order.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn insert(&self, batch: &str, wants: Vec<Want>) -> Result<Vec<(usize, Fate)>, Error> {
        let mut fates = Vec::with_capacity(wants.len());
        let (old, mut open): (Vec<Want>, Vec<Want>) = wants
            .into_iter()
            .partition(|want| want.maybe_there.is_some());
        if !old.is_empty() {
            let since = old
                .iter()
                .filter_map(|want| want.maybe_there.flatten())
                .max();
            if let Some(since) = since {
                self.wait_out(since).await;
            }
            open.extend(self.find(old, &mut fates).await?);
            open.sort_by(|a, b| (a.place, &a.parent).cmp(&(b.place, &b.parent)));
        }
        for round in 1..=ROUNDS {
            if open.is_empty() {
                return Ok(fates);
            }
            open = self.round(batch, round, open, &mut fates).await?;
        }
        fates.extend(open.into_iter().map(|want| (want.place, Fate::Unsettled)));
        Ok(fates)
    }

    /// Sends what is open; gives what is to be sent again.
    async fn round(
        &self,
        batch: &str,
        round: u32,
        open: Vec<Want>,
        fates: &mut Vec<(usize, Fate)>,
    ) -> Result<Vec<Want>, Error> {
        let (mut doubtful, mut locked) = (Vec::new(), Vec::new());
        let mut since = None;
        let step = match round {
            1 => "create".to_owned(),
            n => format!("create~{n}"),
        };
        for (number, pack) in packs(open).into_iter().enumerate() {
            let rows: Vec<Row> = pack.iter().map(|want| want.row.clone()).collect();
            let part = format!("{batch}:{number}");
            let saved = client::insert_once(self.cx, &part, &step, &rows).await?;
            for (want, saved) in pack.into_iter().zip(saved) {
                match saved {
                    SavedOnce::Made { id, fresh, key } => {
                        let proof = if fresh { Proof::Fresh } else { self.of_run() };
                        let mut effect = made(&want.row.part, self.object, id, Some(proof), key);
                        effect.fingerprint = Some(want.print).filter(|print| !print.is_empty());
                        fates.push((want.place, Fate::There(effect)));
                    }
                    SavedOnce::Refused(fault) if fault.passes_alone() && round < ROUNDS => {
                        locked.push(want);
                    }
                    // There is one already, which no answer told us of.
                    SavedOnce::Refused(fault) if fault.is("DUPLICATE_VALUE") => doubtful.push(want),
                    SavedOnce::Refused(fault) => {
                        fates.push((want.place, Fate::Refused(want.row, fault)));
                    }
                    SavedOnce::Doubt(sent_at, key) => {
                        since = since.max(Some(sent_at));
                        doubtful.push(Want {
                            asked: Some(key),
                            ..want
                        });
                    }
                }
            }
        }
        if let Some(since) = since {
            self.wait_out(since).await;
        } else if !locked.is_empty() {
            self.cx.sleep(LOCK_WAIT_MS).await;
        }
        let mut again = locked;
        if !doubtful.is_empty() {
            again.extend(self.find(doubtful, fates).await?);
        }
        again.sort_by(|a, b| (a.place, &a.parent).cmp(&(b.place, &b.parent)));
        Ok(again)
    }

    /// What is found under a record that this run made, and is what this run would make there, is this run's.
    fn of_run(&self) -> Proof {
        Proof::Marker(self.cx.run().to_owned())
    }

    /// Waits until a miss counts (rule D-3).
    async fn wait_out(&self, since: i64) {
        let until = since.saturating_add(i64::try_from(SETTLE_MS).unwrap_or(i64::MAX));
        let rest = until.saturating_sub(self.cx.now());
        // The unit's time stands still: what was sent in it is as old as its waits.
        let rest = u64::try_from(rest).unwrap_or(0).min(SETTLE_MS);
        self.cx.sleep(rest).await;
    }

    /// Looks for records; gives those that are not there.
    async fn find(
        &self,
        wants: Vec<Want>,
        fates: &mut Vec<(usize, Fate)>,
    ) -> Result<Vec<Want>, Error> {
        let parents: BTreeSet<String> = wants.iter().map(|want| want.parent.clone()).collect();
        let found = client::query_in(self.cx, self.select, self.parent, &parents, None).await?;
        // What an answer has told of already is nobody else's.
        let known: BTreeSet<String> = fates
            .iter()
            .filter_map(|(_, fate)| match fate {
                Fate::There(effect) => Some(effect.target_id.clone()),
                Fate::Refused(..) | Fate::Unsettled => None,
            })
            .collect();
        let mut there: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for record in found {
            let id = id_of(&record);
            let which = (id18(text(&record, self.parent)), (self.identity)(&record));
            if !known.contains(&id) {
                there.entry(which).or_default().push(id);
            }
        }
        let mut missing = Vec::new();
        for want in wants {
            let which = (id18(&want.parent), (self.identity)(&want.row.values));
            let id = there.get_mut(&which).and_then(Vec::pop);
            match id {
                Some(id) => {
                    let found = Effect {
                        proof: Some(self.of_run()),
                        key: want.asked,
                        fingerprint: Some(want.print).filter(|print| !print.is_empty()),
                        ..effect(&want.row.part, self.object, id, Action::Created)
                    };
                    fates.push((want.place, Fate::There(found)));
                }
                None => missing.push(want),
            }
        }
        Ok(missing)
    }
}

/// As many as one request takes, those of one parent together where they fit.
fn packs(wants: Vec<Want>) -> Vec<Vec<Want>> {
    let mut packs: Vec<Vec<Want>> = Vec::new();
    let mut groups: Vec<Vec<Want>> = Vec::new();
    for want in wants {
        match groups.last_mut() {
            Some(group) if group.first().is_some_and(|one| one.parent == want.parent) => {
                group.push(want);
            }
            _ => groups.push(vec![want]),
        }
    }
    for group in groups {
        let fits = |pack: &Vec<Want>| pack.len() + group.len() <= ROWS;
        if packs.last().is_some_and(fits) {
            packs
                .last_mut()
                .into_iter()
                .for_each(|pack| pack.extend(group.clone()));
            continue;
        }
        let mut rest = group.into_iter().peekable();
        while rest.peek().is_some() {
            packs.push(rest.by_ref().take(ROWS).collect());
        }
    }
    packs
}
