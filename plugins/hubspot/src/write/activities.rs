//! Making activities: e-mails, notes, calls, communications.
//!
//! Whether an account lets an activity have a unique property is not known (HubSpot facts §0.6), so their creation must not be
//! sent twice. What may be there, of an earlier attempt or of a request whose answer was not seen, is looked for among the links
//! of the record it hangs on, which are read by key (HubSpot facts §17), after as long as the request could still be applied (rule
//! D-3); what is there is known by its marker, or by its time, of which no two parts of a thread have one. Only what is missing is
//! made again.
//!
//! A hundred go at a time, of as many threads as there are, with their links.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use transload_sdk::Context;
use transload_sdk::effects::{effect, made};
use transload_sdk::http::{OperationKey, Refusal as _, wait_out};
use transload_sdk::ledger::{Action, Effect, Proof};
use transload_sdk::types::Error;

use crate::api::Fault;
use crate::client::{self, LinkTo, ROWS, Row, SETTLE_MS, SavedOnce};
use crate::map;
use crate::own;
use crate::state::State;
use crate::thread::{Activity, Child, child_print, without_owner};

/// Rounds of sending and looking.
const ROUNDS: u32 = 6;
/// Bytes of one body.
const BODY_BYTES: usize = 4_000_000;
/// A lock lasts two seconds (HubSpot facts §2).
const LOCK_WAIT_MS: u64 = 3_000;

/// An activity that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Want {
    /// Whose it is, for the caller.
    pub place: usize,
    /// The item's key.
    pub item: String,
    /// The activity.
    pub child: Child,
    /// The record under which it is looked for: object type and id.
    pub under: (&'static str, String),
    /// What it is linked to, that record among them.
    pub links: Vec<LinkTo>,
    /// Whether an earlier attempt may have made it, and since when that is in doubt.
    pub maybe_there: Option<Option<i64>>,
    /// The request of this call that may have made it.
    asked: Option<OperationKey>,
    /// How often it was among what was refused as a whole.
    narrow: u32,
    /// Its author is no owner any more.
    renamed: bool,
}

impl Want {
    /// One that was not asked for yet.
    pub fn new(place: usize, item: &str, child: Child, under: (&'static str, String)) -> Self {
        Self {
            place,
            item: item.to_owned(),
            child,
            under,
            links: Vec::new(),
            maybe_there: None,
            asked: None,
            narrow: 0,
            renamed: false,
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It is there by our request, or by that of an earlier run, whose effect it is then.
    There {
        /// What is said of it.
        effect: Effect,
        /// Its author is no owner any more, and is named above its text instead.
        renamed: bool,
    },
    /// Refused.
    Refused(Box<Child>, Fault),
    /// Not known, even after sending and looking several times.
    Unsettled,
}

/// Makes what is not there. `batch` names the requests. Gives what became of each with its place, in any order.
///
/// # Errors
/// What ends the unit.
pub async fn place(
    cx: &Context,
    state: &State,
    batch: &str,
    wants: Vec<Want>,
) -> Result<Vec<(usize, Fate)>, Error> {
    let placer = Placer { cx, state };
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
            wait_out(cx, since, SETTLE_MS).await;
        }
        open.extend(placer.find(old, &mut fates).await?);
    }
    for round in 1..=ROUNDS {
        if open.is_empty() {
            return Ok(fates);
        }
        open = placer.round(batch, round, open, &mut fates).await?;
    }
    fates.extend(open.into_iter().map(|want| (want.place, Fate::Unsettled)));
    Ok(fates)
}

struct Placer<'a> {
    cx: &'a Context,
    state: &'a State,
}

impl Placer<'_> {
    /// Sends what is open; gives what is to be sent again.
    async fn round(
        &self,
        batch: &str,
        round: u32,
        mut open: Vec<Want>,
        fates: &mut Vec<(usize, Fate)>,
    ) -> Result<Vec<Want>, Error> {
        // What one thread says stays in its order; what was refused as a whole goes apart.
        open.sort_by_key(|want| (want.narrow, want.child.kind, want.place));
        let (mut doubtful, mut again) = (Vec::new(), Vec::new());
        let (mut since, mut locked) = (None, false);
        let step = match round {
            1 => "create".to_owned(),
            n => format!("create~{n}"),
        };
        for (number, pack) in packs(open).into_iter().enumerate() {
            let Some(kind) = pack.first().map(|want| want.child.kind) else {
                continue;
            };
            let row = |want: &Want| Row {
                links: want.links.clone(),
                ..Row::new(
                    &want.item,
                    want.child.part.as_str(),
                    want.child.properties.clone(),
                )
            };
            let rows: Vec<Row> = pack.iter().map(row).collect();
            let part = format!("{batch}:{number}");
            let saved = client::create_once(self.cx, kind.object(), &part, &step, &rows).await?;
            let whole =
                |saved: &SavedOnce| matches!(saved, SavedOnce::Refused(f) if f.traces.is_empty());
            let as_a_whole = rows.len() > 1 && saved.iter().all(whole);
            for (want, saved) in pack.into_iter().zip(saved) {
                match saved {
                    SavedOnce::Made { id, fresh, key } => {
                        let proof = if fresh { Proof::Fresh } else { self.of_run() };
                        let effect = self.made(&want.child, id, proof, key);
                        let renamed = want.renamed;
                        fates.push((want.place, Fate::There { effect, renamed }));
                    }
                    SavedOnce::Refused(fault) if fault.passes() && round < ROUNDS => {
                        locked = true;
                        again.push(want);
                    }
                    SavedOnce::Refused(_) if as_a_whole && round < ROUNDS => {
                        let narrow = want.narrow + 1;
                        again.push(Want { narrow, ..want });
                    }
                    // There is one already, which no answer told us of: where activities can have unique markers.
                    SavedOnce::Refused(fault)
                        if fault.holder().is_some() && want.asked.is_none() =>
                    {
                        doubtful.push(want);
                    }
                    // Nobody who is no owner any more can be an author: the text names him.
                    SavedOnce::Refused(fault) if fault.has("INVALID_OWNER_ID") && !want.renamed => {
                        again.push(Want {
                            child: without_owner(want.child),
                            renamed: true,
                            ..want
                        });
                    }
                    SavedOnce::Refused(fault) => {
                        fates.push((want.place, Fate::Refused(Box::new(want.child), fault)));
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
            // The unit's time stands still: what was sent in it is as old as its waits.
            let until = since.saturating_add(i64::try_from(SETTLE_MS).unwrap_or(i64::MAX));
            let rest = u64::try_from(until.saturating_sub(self.cx.now())).unwrap_or(0);
            self.cx.sleep(rest.min(SETTLE_MS)).await;
        } else if locked {
            self.cx.sleep(LOCK_WAIT_MS).await;
        }
        if !doubtful.is_empty() {
            again.extend(self.find(doubtful, fates).await?);
        }
        Ok(again)
    }

    fn made(&self, child: &Child, id: String, proof: Proof, key: OperationKey) -> Effect {
        let mut effect = made(&child.part, child.kind.object(), id, Some(proof), key);
        effect.fingerprint = Some(child_print(child));
        effect
    }

    fn of_run(&self) -> Proof {
        Proof::Marker(self.cx.run().to_owned())
    }

    /// Looks for activities; gives those that are not there.
    async fn find(
        &self,
        wants: Vec<Want>,
        fates: &mut Vec<(usize, Fate)>,
    ) -> Result<Vec<Want>, Error> {
        let mut under: BTreeMap<(&'static str, Activity), BTreeSet<String>> = BTreeMap::new();
        for want in &wants {
            let of = (want.under.0, want.child.kind);
            under.entry(of).or_default().insert(want.under.1.clone());
        }
        // What an answer has told of already is nobody else's.
        let known: BTreeSet<(String, String)> = fates
            .iter()
            .filter_map(|(_, fate)| match fate {
                Fate::There { effect, .. } => {
                    Some((effect.target_kind.clone(), effect.target_id.clone()))
                }
                Fate::Refused(..) | Fate::Unsettled => None,
            })
            .collect();
        let mut there: BTreeMap<Place, Vec<(String, bool)>> = BTreeMap::new();
        for ((object, kind), parents) in under {
            for (parent, id, ours, identity) in self.of_parents(object, kind, &parents).await? {
                if !known.contains(&(kind.object().to_owned(), id.clone())) {
                    let place = (object, parent, kind, identity);
                    there.entry(place).or_default().push((id, ours));
                }
            }
        }
        let mut missing = Vec::new();
        for want in wants {
            let identity = self.identity(want.child.kind, &want.child.properties);
            let place = (
                want.under.0,
                want.under.1.clone(),
                want.child.kind,
                identity,
            );
            let Some((id, ours)) = there.get_mut(&place).and_then(Vec::pop) else {
                missing.push(want);
                continue;
            };
            let (action, proof) = match ours {
                true => (Action::Created, Some(self.of_run())),
                false => (Action::Matched, None),
            };
            let effect = Effect {
                proof,
                key: want.asked,
                fingerprint: Some(child_print(&want.child)),
                ..effect(&want.child.part, want.child.kind.object(), id, action)
            };
            let renamed = want.renamed;
            fates.push((want.place, Fate::There { effect, renamed }));
        }
        Ok(missing)
    }

    /// The activities of one kind under records of one object type: under which, its id, whether this run made it, which it is.
    async fn of_parents(
        &self,
        object: &str,
        kind: Activity,
        parents: &BTreeSet<String>,
    ) -> Result<Vec<(String, String, bool, String)>, Error> {
        let links = client::read_links(self.cx, object, kind.object(), parents).await?;
        let ids: BTreeSet<String> = links
            .values()
            .flatten()
            .map(|link| link.to_object_id.clone())
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let name = |key: &'static str| self.state.name(kind.object(), key);
        let run = name(own::RUN);
        let properties: Vec<&str> = ["hs_timestamp"]
            .into_iter()
            .chain(name(own::SOURCE_ID))
            .chain(run)
            .collect();
        let records = client::read(self.cx, kind.object(), &ids, &properties).await?;
        let mut found = Vec::new();
        for (parent, links) in links {
            for link in links {
                let Some(record) = records.get(&link.to_object_id) else {
                    continue;
                };
                let ours = run.is_none_or(|run| record.text(run) == self.cx.run());
                let identity = self.identity(kind, &record.properties);
                found.push((parent.clone(), link.to_object_id, ours, identity));
            }
        }
        Ok(found)
    }

    /// What tells activities of one kind under one record apart, of one that is sent as of one that was read.
    fn identity(&self, kind: Activity, properties: &Map<String, Value>) -> String {
        let text = |name: &str| {
            properties
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        match self.state.name(kind.object(), own::SOURCE_ID) {
            Some(marker) => text(marker).to_owned(),
            None => map::parse_datetime(text("hs_timestamp"))
                .map_or_else(String::new, |ms| ms.to_string()),
        }
    }
}

/// Under which record, of which kind, which.
type Place = (&'static str, String, Activity, String);

/// As many as one request takes, of one kind: those that were refused as a whole in ever fewer.
fn packs(wants: Vec<Want>) -> Vec<Vec<Want>> {
    let mut packs: Vec<Vec<Want>> = Vec::new();
    let mut bytes = 0;
    for want in wants {
        let length = serde_json::to_string(&want.child.properties).map_or(0, |text| text.len());
        let most = match want.narrow {
            0 => ROWS,
            1 => ROWS / 10,
            _ => 1,
        };
        let fits = packs
            .last()
            .and_then(|pack| pack.first().map(|first| (pack.len(), first)));
        let fits = fits.is_some_and(|(count, first)| {
            count < most
                && first.narrow == want.narrow
                && first.child.kind == want.child.kind
                && bytes + length <= BODY_BYTES
        });
        match packs.last_mut().filter(|_| fits) {
            Some(pack) => {
                bytes += length;
                pack.push(want);
            }
            None => {
                bytes = length;
                packs.push(vec![want]);
            }
        }
    }
    packs
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn want(kind: Activity, place: usize, narrow: u32, text: usize) -> Want {
        let properties = [("hs_note_body".to_owned(), json!("x".repeat(text)))];
        let child = Child {
            part: format!("message:{place}"),
            kind,
            properties: properties.into_iter().collect(),
            author: None,
        };
        Want {
            narrow,
            ..Want::new(place, "i", child, ("tickets", "1".to_owned()))
        }
    }

    #[test]
    fn activities_of_many_threads_go_together_by_kind_number_and_size() {
        let sizes = |wants: Vec<Want>| packs(wants).iter().map(Vec::len).collect::<Vec<_>>();
        let mails = (0..150).map(|n| want(Activity::Email, n, 0, 1));
        let notes = (0..20).map(|n| want(Activity::Note, n, 0, 1));
        assert_eq!(sizes(mails.chain(notes).collect()), [100, 50, 20]);
        assert_eq!(
            sizes(vec![want(Activity::Note, 0, 0, 1_500_000); 5]),
            [2, 2, 1]
        );
        assert_eq!(sizes(vec![want(Activity::Note, 0, 1, 1); 15]), [10, 5]);
        assert_eq!(sizes(vec![want(Activity::Note, 0, 2, 1); 2]), [1, 1]);
    }
}
