//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.
//!
//! Before anything is undone the object is read and compared facet by facet with what was recorded (rule D-11); what can have
//! dependents is asked for those that are not ours (rule D-10). Deleting is taking to the recycle bin, many at once, and deleting
//! there (Zoho Desk facts §12): effects of one kind that follow one another are undone together.

mod records;
mod tickets;
mod trash;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::effects::{Verdict, changed_or_gone};
use transload_sdk::http::RequestBuilder;
use transload_sdk::ledger::{Action, UndoStatus};
use transload_sdk::types::Error;
use transload_sdk::undo::Session;

use crate::api::Refusal;
use crate::client::Desk;
use crate::write::tickets::{COMMENT, THREAD};

pub use trash::Trash;

/// One call of undo.
pub struct Undo<'a> {
    /// The account.
    pub desk: Desk,
    session: Session<'a>,
    /// Tickets that were looked at in this call, and whether they are there.
    seen: RefCell<BTreeMap<String, bool>>,
    /// What this run said in tickets and could not take off them, as effects name it.
    stays: BTreeSet<String>,
}

impl std::fmt::Debug for Undo<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Undo")
            .field("mode", &self.session.mode)
            .finish_non_exhaustive()
    }
}

impl<'a> Deref for Undo<'a> {
    type Target = Session<'a>;

    fn deref(&self) -> &Session<'a> {
        &self.session
    }
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
    let said = |(kind, _): &&(String, String)| [THREAD, COMMENT].contains(&kind.as_str());
    let stays = ours.iter().filter(said).map(|(_, id)| id.clone()).collect();
    let undo = Undo {
        desk: Desk::of(cx)?,
        session: Session::new(cx, mode, ours).with_created(&effects),
        seen: RefCell::default(),
        stays,
    };
    let mut rest: Vec<&Undoing> = effects.iter().collect();
    while let Some(first) = rest.first() {
        let alike = |one: &&&Undoing| {
            one.effect.action == first.effect.action
                && one.effect.target_kind == first.effect.target_kind
        };
        let later = rest.split_off(rest.iter().take_while(alike).count());
        let verdicts = undo.group(&rest).await?;
        for (one, verdict) in rest.iter().zip(verdicts) {
            undo.say(one, verdict);
        }
        rest = later;
    }
    Ok(cx.reported().await?)
}

impl Undo<'_> {
    /// Effects of one action on one kind, in their order.
    async fn group(&self, all: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
        let Some(first) = all.first() else {
            return Ok(Vec::new());
        };
        if first.effect.action == Action::Matched {
            return Ok(all.iter().map(|_| (UndoStatus::Left, None)).collect());
        }
        match tickets::many(self, all).await? {
            Some(verdicts) => Ok(verdicts),
            None => records::many(self, all).await,
        }
    }

    /// A request of an undo, which may be sent twice.
    pub fn request(
        &self,
        one: &Undoing,
        method: &str,
        path: impl Into<String>,
        step: &str,
    ) -> RequestBuilder {
        self.desk.idempotent(method, path, self.key(one, step))
    }

    /// Sends it, unless something is in the way or it is only asked.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn finish(
        &self,
        conflict: Option<String>,
        request: RequestBuilder,
        done: UndoStatus,
    ) -> Result<Verdict, Error> {
        let finish = self.session.finish::<Refusal>(conflict, request, done);
        finish.await
    }

    /// Which of the recorded facets are otherwise now, in words; what is gone counts as empty.
    pub fn changed(&self, one: &Undoing, now: &[(String, String)]) -> Option<String> {
        changed_or_gone(&one.effect, now)
    }
}
