//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); what Freshdesk
//! changes by itself is not among the facets. People, companies, groups and fields are asked for dependents that are not ours
//! (rule D-10). Gone is what a read shows as gone. Deletions by id may be repeated.

mod tickets;

use std::collections::BTreeSet;

use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::ledger::{Action, UndoOutcome, UndoStatus};
use transload_sdk::types::Error;

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
            (Action::Created, "ticket") => tickets::ticket(self, one).await,
            (Action::Created, "note") => tickets::note(self, one).await,
            (_, kind) => Ok(verdict(
                UndoStatus::Cannot,
                format!("no way to delete a {kind}"),
            )),
        }
    }
}
