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
use transload_sdk::http::{Refusal as _, RowMade};
use transload_sdk::placing::{self, Fates, Found, Label, Meant, Placing, Round, Wants};
use transload_sdk::types::Error;

use crate::api::Fault;
use crate::client::{self, LOCK_WAIT_MS, LinkTo, ROWS, Row, SETTLE_MS};
use crate::map;
use crate::own;
use crate::state::State;
use crate::thread::{Activity, Child, child_print, without_owner};

/// Bytes of one body.
const BODY_BYTES: usize = 4_000_000;

/// An activity that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The item's key.
    pub item: String,
    /// The activity.
    pub child: Child,
    /// The record under which it is looked for: object type and id.
    pub under: (&'static str, String),
    /// What it is linked to, that record among them.
    pub links: Vec<LinkTo>,
    /// Its author is no owner any more, and is named above its text instead.
    pub renamed: bool,
    /// How often it was among what was refused as a whole.
    narrow: u32,
}

impl Wanted {
    /// One that was not refused yet.
    pub fn new(
        item: &str,
        child: Child,
        under: (&'static str, String),
        links: Vec<LinkTo>,
    ) -> Self {
        Self {
            item: item.to_owned(),
            child,
            under,
            links,
            renamed: false,
            narrow: 0,
        }
    }
}

/// An activity that is wanted for a thread.
pub type Want = placing::Want<Wanted>;
/// What became of one.
pub type Fate = placing::Fate<Wanted, Fault>;

/// Makes what is not there. `batch` names the requests. Gives what became of each with its place, in any order.
///
/// # Errors
/// What ends the unit.
pub async fn place(
    cx: &Context,
    state: &State,
    batch: &str,
    wants: Wants<Wanted>,
) -> Result<Fates<Wanted, Fault>, Error> {
    placing::place(cx, &Placer { cx, state }, batch, wants).await
}

struct Placer<'a> {
    cx: &'a Context,
    state: &'a State,
}

impl Placing for Placer<'_> {
    type Record = Wanted;
    /// Under which record, of which kind, which.
    type Place = (&'static str, String, Activity, String);
    type Refusal = Fault;

    const ROUNDS: u32 = 6;
    const SETTLE_MS: u64 = SETTLE_MS;
    const LOCK_WAIT_MS: u64 = LOCK_WAIT_MS;

    /// Of one kind. What one thread says stays in its order; what was refused as a whole goes apart, in ever fewer.
    fn packs(&self, mut open: Wants<Wanted>) -> Vec<Wants<Wanted>> {
        open.sort_by_key(|want| (want.record.narrow, want.record.child.kind, want.owner));
        packs(open)
    }

    async fn send(
        &self,
        part: &str,
        step: &str,
        pack: &[Want],
    ) -> Result<Vec<RowMade<Fault>>, Error> {
        let Some(first) = pack.first() else {
            return Ok(Vec::new());
        };
        let row = |Want { record, .. }: &Want| Row {
            item: record.item.clone(),
            part: record.child.part.clone(),
            properties: record.child.properties.clone(),
            links: record.links.clone(),
        };
        let rows: Vec<Row> = pack.iter().map(row).collect();
        let object = first.record.child.kind.object();
        client::create_once(self.cx, object, part, step, &rows).await
    }

    fn meant(&self, mut wanted: Wanted, fault: &Fault, round: Round) -> Meant<Wanted> {
        if fault.passes() && !round.last {
            Meant::Locked(wanted)
        } else if round.together && fault.traces.is_empty() && !round.last {
            wanted.narrow += 1;
            Meant::Again(wanted)
        } else if fault.holder().is_some() && !round.asked {
            // Where activities can have unique markers.
            Meant::There(wanted)
        } else if fault.has("INVALID_OWNER_ID") && !wanted.renamed {
            // Nobody who is no owner any more can be an author: the text names him.
            wanted.child = without_owner(wanted.child);
            wanted.renamed = true;
            Meant::Again(wanted)
        } else {
            Meant::Refused(wanted)
        }
    }

    async fn look(&self, wanted: &[&Wanted]) -> Result<Vec<Found<Self::Place>>, Error> {
        let mut under: BTreeMap<(&'static str, Activity), BTreeSet<String>> = BTreeMap::new();
        for Wanted {
            under: at, child, ..
        } in wanted
        {
            let parents = under.entry((at.0, child.kind)).or_default();
            parents.insert(at.1.clone());
        }
        let mut found = Vec::new();
        for ((object, kind), parents) in under {
            found.extend(self.of_parents(object, kind, &parents).await?);
        }
        Ok(found)
    }

    fn place(&self, wanted: &Wanted) -> Self::Place {
        let (object, parent) = wanted.under.clone();
        let kind = wanted.child.kind;
        (
            object,
            parent,
            kind,
            self.identity(kind, &wanted.child.properties),
        )
    }

    fn label(&self, wanted: &Wanted) -> Label {
        Label {
            part: wanted.child.part.clone(),
            kind: wanted.child.kind.object().to_owned(),
            print: Some(child_print(&wanted.child)),
        }
    }
}

impl Placer<'_> {
    /// The activities of one kind under records of one object type.
    async fn of_parents(
        &self,
        object: &'static str,
        kind: Activity,
        parents: &BTreeSet<String>,
    ) -> Result<Vec<Found<<Self as Placing>::Place>>, Error> {
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
                let identity = self.identity(kind, &record.properties);
                found.push(Found {
                    place: (object, parent.clone(), kind, identity),
                    kind: kind.object().to_owned(),
                    id: link.to_object_id,
                    ours: run.is_none_or(|run| record.text(run) == self.cx.run()),
                });
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

/// As many as one request takes, of one kind: those that were refused as a whole in ever fewer.
fn packs(wants: Wants<Wanted>) -> Vec<Wants<Wanted>> {
    let mut packs: Vec<Wants<Wanted>> = Vec::new();
    let mut bytes = 0;
    for want in wants {
        let length =
            serde_json::to_string(&want.record.child.properties).map_or(0, |text| text.len());
        let most = match want.record.narrow {
            0 => ROWS,
            1 => ROWS / 10,
            _ => 1,
        };
        let fits = packs
            .last()
            .and_then(|pack| pack.first().map(|first| (pack.len(), first)));
        let fits = fits.is_some_and(|(count, first)| {
            count < most
                && first.record.narrow == want.record.narrow
                && first.record.child.kind == want.record.child.kind
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
        let wanted = Wanted {
            narrow,
            ..Wanted::new("i", child, ("tickets", "1".to_owned()), Vec::new())
        };
        Want::new(place, wanted, None)
    }

    #[test]
    fn activities_of_many_threads_go_together_by_kind_number_and_size() {
        let sizes = |wants: Wants<Wanted>| packs(wants).iter().map(Vec::len).collect::<Vec<_>>();
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
