//! What the undoing of effects has in common at all platforms: what is ours, what a mode allows, how a deletion ends.
//!
//! A connector reads an object, compares it with [`changed_since`](crate::effects::changed_since), asks for what hangs on it, and ends
//! with [`Session::finish`], which sends nothing where something is in the way or where it is only asked.

use std::collections::BTreeSet;

use crate::Context;
use crate::destination::{UndoMode, Undoing};
use crate::effects::{Verdict, report_undo, verdict};
use crate::http::{self, OperationKey, Refusal, RequestBuilder, RowChanged, Sent, key};
use crate::ledger::{Action, UndoStatus};
use crate::types::Error;

/// One call of `undo`.
pub struct Session<'a> {
    /// The call's context.
    pub cx: &'a Context,
    /// What may be done.
    pub mode: UndoMode,
    ours: BTreeSet<(String, String)>,
}

impl<'a> Session<'a> {
    /// With the objects that the host says are this run's and still there.
    pub fn new(cx: &'a Context, mode: UndoMode, ours: Vec<(String, String)>) -> Self {
        let ours = ours.into_iter().collect();
        Self { cx, mode, ours }
    }

    /// What these effects created is ours, too, until it is gone. What was only changed may be somebody else's.
    pub fn with_created(mut self, effects: &[Undoing]) -> Self {
        let created = effects.iter().map(|one| &one.effect);
        let created = created.filter(|effect| effect.action == Action::Created);
        let target =
            |effect: &crate::ledger::Effect| (effect.target_kind.clone(), effect.target_id.clone());
        self.ours.extend(created.map(target));
        self
    }

    /// Says what became of an effect.
    pub fn say(&self, one: &Undoing, verdict: Verdict) {
        report_undo(self.cx, one, verdict);
    }

    /// Whether an object is this run's and is, or was before this call, still there.
    pub fn is_ours(&self, kind: &str, id: &str) -> bool {
        self.ours.contains(&(kind.to_owned(), id.to_owned()))
    }

    /// All of them: by target kind and id.
    pub fn ours(&self) -> impl Iterator<Item = &(String, String)> {
        self.ours.iter()
    }

    /// It is only asked, and the object will be gone by then: a preview has met it.
    pub fn will_go(&self, kind: &str, id: &str) -> bool {
        self.previews() && self.is_ours(kind, id)
    }

    /// It is only asked what would become of the effects.
    pub fn previews(&self) -> bool {
        self.mode == UndoMode::Preview
    }

    /// Something is in the way, and `force` does not go over it.
    pub fn blocks(&self, conflict: &Option<String>) -> bool {
        conflict.is_some() && self.mode != UndoMode::Force
    }

    /// What becomes of an effect without a request: a conflict, or, where it is only asked, `done`.
    pub fn decided(&self, conflict: &Option<String>, done: UndoStatus) -> Option<Verdict> {
        if self.blocks(conflict) {
            return Some((UndoStatus::Conflict, conflict.clone()));
        }
        self.previews().then_some((done, None))
    }

    /// The key of a request that undoes an effect.
    pub fn key(&self, one: &Undoing, step: &str) -> OperationKey {
        key(&one.item, format!("undo:{}", one.effect_id), step)
    }

    /// Sends what undoes an effect, unless it is [`decided`](Session::decided) without. `refused` says which refusals mean something
    /// else than a failure in the platform's words: mostly that what was there right before is gone now.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn finish<R: Refusal>(
        &self,
        conflict: Option<String>,
        request: RequestBuilder,
        done: UndoStatus,
        refused: impl FnOnce(&R) -> Option<Verdict>,
    ) -> Result<Verdict, Error> {
        if let Some(decided) = self.decided(&conflict, done) {
            return Ok(decided);
        }
        Ok(match http::write::<R>(request).await? {
            Sent::Done(_) => (done, None),
            Sent::Refused(refusal) => {
                refused(&refusal).unwrap_or_else(|| verdict(UndoStatus::Failed, refusal.said()))
            }
            Sent::Doubt(_) => unanswered("request"),
        })
    }
}

/// What becomes of an update by a row that was to put it back.
pub fn put_back<R: Refusal>(row: &RowChanged<R>) -> Verdict {
    match row {
        RowChanged::Done(_) => (UndoStatus::Restored, None),
        RowChanged::Refused(refusal) => verdict(UndoStatus::Failed, refusal.said()),
        RowChanged::Unsettled => unanswered("change back"),
    }
}

/// A request that undoes was not answered: what became of it is not known.
pub fn unanswered(what: &str) -> Verdict {
    verdict(UndoStatus::Failed, format!("the {what} was not answered"))
}

/// An update whose effect has no before-image.
pub fn nothing_recorded() -> Verdict {
    verdict(UndoStatus::Cannot, "nothing is recorded of what was there")
}

/// An effect on an object of a kind that the connector does not know: of another version of it.
pub fn no_way(kind: &str) -> Verdict {
    verdict(UndoStatus::Cannot, format!("no way to undo a {kind}"))
}

/// An update whose before-image is what is there already ([`holds`](crate::policy::holds)), asked before a conflict is judged: so a
/// rollback that is made again, and a host that asks after it, is told that all is as it was.
pub fn as_before() -> Verdict {
    verdict(UndoStatus::Left, "it is as it was before")
}
