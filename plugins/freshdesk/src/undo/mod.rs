//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); what Freshdesk
//! changes by itself is not among the facets. People, companies, groups and fields are asked for dependents that are not ours
//! (rule D-10). Gone is what a read shows as gone. Deletions by id may be repeated.

mod tickets;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::changed;
use transload_sdk::http::{self, key};
use transload_sdk::ledger::{Action, UndoOutcome, UndoStatus};
use transload_sdk::types::Error;

use crate::client::{self, Sent};
use crate::state::{Config, State};

/// What became of an effect, and why.
type Verdict = (UndoStatus, Option<String>);

fn verdict(status: UndoStatus, reason: impl Into<String>) -> Verdict {
    (status, Some(reason.into()))
}

/// One call of undo.
struct Undo<'a> {
    cx: &'a Context,
    mode: UndoMode,
    config: Config,
    state: State,
    /// What this run made and is still there, by kind and id.
    ours: BTreeSet<(&'a str, &'a str)>,
    /// Tickets that were looked at in this call, and whether they are there: thousands of notes hang on one.
    seen: RefCell<BTreeMap<u64, bool>>,
}

/// Undoes effects in the order given and reports each.
///
/// # Errors
/// What ends the unit; effects without an outcome stay open.
pub async fn undo(
    cx: &Context,
    mode: UndoMode,
    effects: Vec<Undoing>,
    ours: Vec<(String, String)>,
) -> Result<(), Error> {
    let pair = |(kind, id): &'_ (String, String)| (kind.clone(), id.clone());
    let mut known: BTreeSet<(String, String)> = ours.iter().map(pair).collect();
    known.extend(
        effects
            .iter()
            .map(|u| (u.effect.target_kind.clone(), u.effect.target_id.clone())),
    );
    let undo = Undo {
        cx,
        mode,
        config: cx.config()?,
        state: cx.state::<Option<State>>()?.unwrap_or_default(),
        ours: known
            .iter()
            .map(|(kind, id)| (kind.as_str(), id.as_str()))
            .collect(),
        seen: RefCell::default(),
    };
    for one in &effects {
        let (status, reason) = undo.one(one).await?;
        cx.report_undo(UndoOutcome {
            effect: one.effect_id,
            status,
            reason,
        });
    }
    Ok(cx.reported().await?)
}

impl Undo<'_> {
    async fn one(&self, one: &Undoing) -> Result<Verdict, Error> {
        match (one.effect.action, one.effect.target_kind.as_str()) {
            (Action::Matched, _) => Ok((UndoStatus::Left, None)),
            (_, "ticket") => tickets::ticket(self, one).await,
            (_, "note") => tickets::note(self, one).await,
            (_, "ticket_change" | "note_change") => tickets::change(self, one).await,
            (_, kind) => Ok(verdict(
                UndoStatus::Cannot,
                format!("no way to delete a {kind}"),
            )),
        }
    }

    fn is_ours(&self, kind: &str, id: &str) -> bool {
        self.ours.contains(&(kind, id))
    }

    /// A conflict that `force` goes over.
    fn blocks(&self, conflict: &Option<String>) -> bool {
        conflict.is_some() && self.mode != UndoMode::Force
    }

    fn previews(&self) -> bool {
        self.mode == UndoMode::Preview
    }

    fn changed(&self, one: &Undoing, now: &[(String, String)]) -> Option<String> {
        let recorded = one.effect.fingerprint.as_deref()?;
        let changed = changed(recorded, now);
        (!changed.is_empty()).then(|| format!("changed since: {}", changed.join(", ")))
    }

    async fn finish(
        &self,
        one: &Undoing,
        conflict: Option<String>,
        path: String,
    ) -> Result<Verdict, Error> {
        if self.blocks(&conflict) {
            return Ok((UndoStatus::Conflict, conflict));
        }
        if self.previews() {
            return Ok((UndoStatus::Undone, None));
        }
        let key = key(one.item.as_str(), format!("undo:{}", one.effect_id), "delete");
        Ok(
            match http::write(client::idempotent(self.cx, "DELETE", path, key)).await? {
                Sent::Done(_) => (UndoStatus::Undone, None),
                Sent::Refused(refusal) if refusal.status == 404 => (UndoStatus::Undone, None),
                Sent::Refused(refusal) => verdict(UndoStatus::Failed, refusal.words()),
                Sent::Doubt(_) => verdict(UndoStatus::Failed, "the deletion was not answered"),
            },
        )
    }
}
