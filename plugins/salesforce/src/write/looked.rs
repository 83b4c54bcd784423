//! Inserting what has no place for an external id: comments, topics of Cases, links of files (Salesforce facts §0.7).
//!
//! Such a request must not be sent twice. What may be there, of an earlier attempt or of a request whose answer was not seen,
//! is looked for under its parent by what it is, after as long as the request could still be applied (rule D-3); queries see
//! what was committed at once (Salesforce facts §12). Each that is found stands for one that was wanted.

use std::collections::BTreeSet;

use transload_sdk::Context;
use transload_sdk::http::RowMade;
use transload_sdk::placing::{self, Fates, Found, Label, Meant, Placing, Round, Wants};
use transload_sdk::types::Error;

use crate::api::{Fault, Record, id_of, id18, text};
use crate::client::{self, LOCK_WAIT_MS, ROWS, Row, SETTLE_MS};

/// A record that is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The record.
    pub row: Row,
    /// The record under which it is looked for.
    pub parent: String,
    /// For its effect.
    pub print: String,
}

/// A record that is wanted for an item.
pub type Want = placing::Want<Wanted>;
/// What became of one.
pub type Fate = placing::Fate<Wanted, Fault>;

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
    pub async fn insert(
        &self,
        batch: &str,
        wants: Wants<Wanted>,
    ) -> Result<Fates<Wanted, Fault>, Error> {
        placing::place(self.cx, self, batch, wants).await
    }
}

impl<I: Fn(&Record) -> String> Placing for Looked<'_, I> {
    type Record = Wanted;
    /// Under which record, which.
    type Place = (String, String);
    type Refusal = Fault;

    const ROUNDS: u32 = 4;
    const SETTLE_MS: u64 = SETTLE_MS;
    const LOCK_WAIT_MS: u64 = LOCK_WAIT_MS;

    /// Those of one parent together where they fit.
    fn packs(&self, mut open: Wants<Wanted>) -> Vec<Wants<Wanted>> {
        open.sort_by(|a, b| (a.owner, &a.record.parent).cmp(&(b.owner, &b.record.parent)));
        packs(open)
    }

    async fn send(
        &self,
        part: &str,
        step: &str,
        pack: &[Want],
    ) -> Result<Vec<RowMade<Fault>>, Error> {
        let rows: Vec<Row> = pack.iter().map(|want| want.record.row.clone()).collect();
        client::insert_once(self.cx, part, step, &rows).await
    }

    fn meant(&self, wanted: Wanted, fault: &Fault, round: Round) -> Meant<Wanted> {
        if fault.passes_alone() && !round.last {
            Meant::Locked(wanted)
        } else if fault.is("DUPLICATE_VALUE") {
            Meant::There(wanted)
        } else {
            Meant::Refused(wanted)
        }
    }

    async fn look(&self, wanted: &[&Wanted]) -> Result<Vec<Found<Self::Place>>, Error> {
        let parents: BTreeSet<String> = wanted.iter().map(|one| one.parent.clone()).collect();
        let records = client::query_in(self.cx, self.select, self.parent, &parents, None).await?;
        let found = |record: Record| Found {
            place: (id18(text(&record, self.parent)), (self.identity)(&record)),
            kind: self.object.to_owned(),
            id: id_of(&record),
            // What is found under a record that this run made, and is what it would make there, is this run's.
            ours: true,
        };
        Ok(records.into_iter().map(found).collect())
    }

    fn place(&self, wanted: &Wanted) -> Self::Place {
        (id18(&wanted.parent), (self.identity)(&wanted.row.values))
    }

    fn label(&self, wanted: &Wanted) -> Label {
        Label {
            part: wanted.row.part.clone(),
            kind: self.object.to_owned(),
            print: Some(wanted.print.clone()).filter(|print| !print.is_empty()),
        }
    }
}

/// As many as one request takes, those of one parent together where they fit.
fn packs(wants: Wants<Wanted>) -> Vec<Wants<Wanted>> {
    let mut packs: Vec<Wants<Wanted>> = Vec::new();
    let mut groups: Vec<Wants<Wanted>> = Vec::new();
    for want in wants {
        match groups.last_mut() {
            Some(group)
                if group
                    .first()
                    .is_some_and(|one| one.record.parent == want.record.parent) =>
            {
                group.push(want);
            }
            _ => groups.push(vec![want]),
        }
    }
    for group in groups {
        let fits = |pack: &Wants<Wanted>| pack.len() + group.len() <= ROWS;
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
