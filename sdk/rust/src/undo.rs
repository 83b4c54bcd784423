//! What the undoing of effects has in common at all platforms: what is ours, what a mode allows, how a deletion ends.
//!
//! A connector reads an object, compares it with [`changed_since`](crate::effects::changed_since), asks for what hangs on it, and ends
//! with [`Session::finish`], which sends nothing where something is in the way or where it is only asked.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::Context;
use crate::destination::{UndoMode, Undoing};
use crate::effects::{self, Verdict, report_undo, verdict};
use crate::http::{self, OperationKey, Refusal, RequestBuilder, RowChanged, Sent, key};
use crate::ledger::{Action, UndoStatus};
use crate::policy::holds;
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

    /// What updates have recorded of what was there before; of those that have nothing it is said so.
    pub fn before<'u>(&self, some: &[&'u Undoing]) -> Vec<(&'u Undoing, Map<String, Value>)> {
        let recorded = some.iter().filter_map(|one| {
            let before = effects::before(&one.effect);
            if before.is_none() {
                self.say(one, nothing_recorded());
            }
            Some((*one, before?))
        });
        recorded.collect()
    }

    /// Whether what was `before` an update is to be put back into its object, which is there as `now`. Else what becomes of it is
    /// said: it is as it was, somebody changed it since, it is only asked.
    pub fn restores(
        &self,
        one: &Undoing,
        before: &Map<String, Value>,
        now: &Value,
        conflict: Option<String>,
    ) -> bool {
        let verdict = if holds(now, before) {
            Some(as_before())
        } else {
            self.decided(&conflict, UndoStatus::Restored)
        };
        let is_open = verdict.is_none();
        if let Some(verdict) = verdict {
            self.say(one, verdict);
        }
        is_open
    }

    /// The key of a request that undoes an effect.
    pub fn key(&self, one: &Undoing, step: &str) -> OperationKey {
        key(&one.item, format!("undo:{}", one.effect_id), step)
    }

    /// The marker of the object that an item made: of the connector's own ones, which have no record, the stand-in's.
    pub fn marker_of(&self, one: &Undoing) -> String {
        if one.item.starts_with("own:") {
            self.cx.stand_in_marker()
        } else {
            one.marker.clone()
        }
    }

    /// Sends what undoes an effect, unless it is [`decided`](Session::decided) without.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn finish<R: Refusal>(
        &self,
        conflict: Option<String>,
        request: RequestBuilder,
        done: UndoStatus,
    ) -> Result<Verdict, Error> {
        match self.decided(&conflict, done) {
            Some(decided) => Ok(decided),
            None => send::<R>(request, done).await,
        }
    }
}

/// Sends what undoes an effect. What is gone at its deletion is deleted, since it was read as there right before.
///
/// # Errors
/// What ends the unit.
pub async fn send<R: Refusal>(request: RequestBuilder, done: UndoStatus) -> Result<Verdict, Error> {
    let deletes = done == UndoStatus::Undone;
    Ok(match http::write::<R>(request).await? {
        Sent::Done(_) => (done, None),
        Sent::Refused(refusal) if deletes && refusal.is_gone() => (done, None),
        Sent::Refused(refusal) => match refusal.conflict() {
            Some(why) => verdict(UndoStatus::Conflict, why),
            None => verdict(UndoStatus::Failed, refusal.said()),
        },
        Sent::Doubt(_) if deletes => unanswered("deletion"),
        Sent::Doubt(_) => unanswered("change back"),
    })
}

/// Effects by the kind of their object, each kind's in their order.
pub fn by_kind<'u>(all: &[&'u Undoing]) -> BTreeMap<&'u str, Vec<&'u Undoing>> {
    let mut by_kind: BTreeMap<&str, Vec<&Undoing>> = BTreeMap::new();
    for one in all {
        let kind = one.effect.target_kind.as_str();
        by_kind.entry(kind).or_default().push(one);
    }
    by_kind
}

/// Updates as they are put back: in [`rounds`](effects::rounds), each round's by the kind of their object.
pub fn rounds_by_kind<'u>(
    all: &[&'u Undoing],
    id: impl Fn(&Undoing) -> String,
) -> Vec<(&'u str, Vec<&'u Undoing>)> {
    let rounds = effects::rounds(all, id).into_iter();
    rounds.flat_map(by_kind).collect()
}

/// What is to be read of objects before their updates are judged: what was there before, and the facets that were recorded.
pub fn to_read(updates: &[(&Undoing, Map<String, Value>)]) -> BTreeSet<String> {
    let names = updates.iter().flat_map(|(one, before)| {
        let recorded = effects::recorded_names(&one.effect);
        before.keys().cloned().chain(recorded)
    });
    names.collect()
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

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::effects::effect;
    use crate::http::sorted::refusing::No;
    use crate::testing::{Harness, answer};
    use crate::types::Kind;

    fn said(mode: UndoMode, conflict: Option<&str>, status: u16, done: UndoStatus) -> Verdict {
        let harness = Harness::scripted([answer(status, "")]);
        let cx = harness.context();
        let session = Session::new(&cx, mode, Vec::new());
        let request = cx
            .http()
            .repeatable("PUT", "/things/1", key("i", "undo:1", ""));
        let request = request.json("x");
        let conflict = conflict.map(str::to_owned);
        let verdict = block_on(session.finish::<No>(conflict, request, done)).unwrap();
        let sent = harness.exchanges().len();
        let is_decided = mode == UndoMode::Preview || verdict.1.as_deref() == Some("in the way");
        assert_eq!(sent, usize::from(!is_decided), "{verdict:?}");
        verdict
    }

    #[test]
    fn nothing_is_sent_where_something_is_in_the_way_or_it_is_only_asked() {
        let way = Some("in the way");
        let asked = said(UndoMode::Preview, None, 204, UndoStatus::Undone);
        assert_eq!(asked, (UndoStatus::Undone, None));
        let blocked = said(UndoMode::Careful, way, 204, UndoStatus::Undone);
        assert_eq!(blocked, verdict(UndoStatus::Conflict, "in the way"));
        let forced = said(UndoMode::Force, way, 204, UndoStatus::Undone);
        assert_eq!(forced, (UndoStatus::Undone, None));
    }

    #[test]
    fn what_is_gone_is_deleted_and_not_put_back() {
        let careful = UndoMode::Careful;
        let gone = said(careful, None, 404, UndoStatus::Undone);
        assert_eq!(gone, (UndoStatus::Undone, None));
        let gone = said(careful, None, 404, UndoStatus::Restored);
        assert_eq!(gone, verdict(UndoStatus::Failed, "404"));
        let merged = said(careful, None, 301, UndoStatus::Restored);
        assert_eq!(merged, verdict(UndoStatus::Conflict, "merged"));
    }

    #[test]
    fn what_has_no_record_has_the_marker_of_the_stand_in() {
        let harness = Harness::scripted([]).run("r", "desk", "o");
        let cx = harness.context();
        let session = Session::new(&cx, UndoMode::Careful, Vec::new());
        let one = |item: &str| Undoing {
            effect_id: 1,
            kind: Kind::Customer,
            item: item.to_owned(),
            marker: "desk:o:customer:1".to_owned(),
            effect: effect("main", "user", "1", Action::Created),
        };
        let record = session.marker_of(&one("customer:1"));
        assert_eq!(record, "desk:o:customer:1");
        let stand_in = session.marker_of(&one("own:stand-in"));
        assert_eq!(stand_in, "transload:desk:o:stand-in");
    }

    #[test]
    fn an_update_is_put_back_only_where_that_changes_something_and_nothing_is_in_the_way() {
        let update = |id: u64, before: Option<&str>| {
            let main = effect("main", "user", "7", Action::Updated);
            Undoing {
                effect_id: id,
                kind: Kind::Customer,
                item: "i".to_owned(),
                marker: String::new(),
                effect: crate::ledger::Effect {
                    before: before.map(str::to_owned),
                    ..main
                },
            }
        };
        let restores = |mode, now: &str, conflict: Option<&str>| {
            let harness = Harness::scripted([]);
            let cx = harness.context();
            let session = Session::new(&cx, mode, Vec::new());
            let (one, bare) = (update(1, Some(r#"{"name":"Ana"}"#)), update(2, None));
            let known = session.before(&[&one, &bare]);
            assert_eq!(known.len(), 1);
            let (one, before) = &known[0];
            let now = serde_json::json!({"name": now, "more": 1});
            let restores = session.restores(one, before, &now, conflict.map(str::to_owned));
            block_on(cx.reported()).unwrap();
            let said: Vec<UndoStatus> = harness.undo_outcomes().iter().map(|o| o.status).collect();
            (restores, said)
        };
        let cannot = UndoStatus::Cannot;
        let careful = UndoMode::Careful;
        assert_eq!(restores(careful, "Bo", None), (true, vec![cannot]));
        let left = (false, vec![cannot, UndoStatus::Left]);
        assert_eq!(restores(careful, "Ana", Some("changed")), left);
        let conflict = (false, vec![cannot, UndoStatus::Conflict]);
        assert_eq!(restores(careful, "Bo", Some("changed")), conflict);
        assert_eq!(
            restores(UndoMode::Force, "Bo", Some("changed")),
            (true, vec![cannot])
        );
        let asked = (false, vec![cannot, UndoStatus::Restored]);
        assert_eq!(restores(UndoMode::Preview, "Bo", None), asked);
    }
}
