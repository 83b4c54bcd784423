//! A destination with the part of a host that its tests need: it keeps effects, gives references their targets, refuses what a
//! host refuses, and undoes last things first.

use std::cell::RefCell;
use std::marker::PhantomData;

use serde_json::{Map, Value};

use super::{Harness, items};
use crate::destination::{Item, UndoMode, Undoing};
use crate::ledger::{Action, Effect, Outcome, UndoOutcome, UndoStatus};
use crate::types::{Error, Kind, Reference};
use crate::{Context, Destination};

/// One connection of a destination over many units. A test that finds a rule broken panics, with what broke it.
pub struct Trial<D> {
    /// The connection's settings.
    pub settings: Map<String, Value>,
    /// The run.
    pub run: String,
    plays: Box<dyn Fn() -> Harness>,
    now: Box<dyn Fn() -> i64>,
    state: Option<String>,
    effects: RefCell<Vec<Undoing>>,
    of: PhantomData<D>,
}

impl<D> std::fmt::Debug for Trial<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trial")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

#[allow(clippy::panic, reason = "a broken rule is a failed test")]
impl<D: Destination> Trial<D> {
    /// `plays` gives a harness for each unit, whose platform answers and whose waits pass; `now` is the platform's time.
    pub fn new(plays: impl Fn() -> Harness + 'static, now: impl Fn() -> i64 + 'static) -> Self {
        Self {
            settings: Map::new(),
            run: "r1".to_owned(),
            plays: Box::new(plays),
            now: Box::new(now),
            state: None,
            effects: RefCell::default(),
            of: PhantomData,
        }
    }

    /// Sets one setting.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    /// The platform's time.
    pub fn now(&self) -> i64 {
        (self.now)()
    }

    /// What `prepare` returned.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// A host for one unit.
    pub fn harness(&self) -> Harness {
        let harness = (self.plays)()
            .config(&Value::Object(self.settings.clone()))
            .run(&self.run, "old-desk", "org1")
            .now(self.now());
        match &self.state {
            Some(state) => harness.state(state.clone()),
            None => harness,
        }
    }

    /// Prepares.
    pub async fn prepare(&mut self) {
        self.prepare_on(self.harness()).await;
    }

    /// The same on a harness of the test's; how many writes it took.
    pub async fn prepare_on(&mut self, harness: Harness) -> usize {
        let cx = harness.context();
        match D::prepare(&cx).await {
            Ok(state) => self.state = Some(state),
            Err(error) => panic!("prepare: {error:?}"),
        }
        hand_over(&cx).await;
        all_claimed(&harness);
        for outcome in harness.outcomes() {
            self.keep(&Kind::Other("own".to_owned()), "", &outcome);
        }
        writes(&harness)
    }

    /// One unit; its outcomes, which a host would have taken.
    pub async fn write(&self, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        self.write_on(self.harness(), kind, items).await
    }

    /// The same; how many writes it took.
    pub async fn write_counted(&self, kind: Kind, items: Vec<Item>) -> usize {
        let harness = self.harness();
        self.write_in(&harness, kind, items).await;
        writes(&harness)
    }

    /// The same on a harness of the test's. Items that a unit leaves open run singly, in doubt since before it, as a host
    /// runs them.
    pub async fn write_on(&self, harness: Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        self.write_in(&harness, kind, items).await
    }

    async fn write_in(&self, harness: &Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        let since = self.now();
        let cx = harness.context();
        let ended = D::write(&cx, kind.clone(), items.clone()).await;
        hand_over(&cx).await;
        all_claimed(harness);
        let mut outcomes = harness.outcomes();
        match ended {
            Ok(()) => assert_eq!(outcomes.len(), items.len(), "one outcome an item"),
            Err(Error::Transient(_)) => {
                let done = |item: &&Item| !outcomes.iter().any(|o| o.item == item.key);
                let open: Vec<Item> = items.iter().filter(done).cloned().collect();
                for item in open {
                    let again = Item {
                        in_doubt_since: Some(since),
                        ..item
                    };
                    let harness = self.harness();
                    let cx = harness.context();
                    if let Err(error) = D::write(&cx, kind.clone(), vec![again]).await {
                        panic!("an item alone: {error:?}");
                    }
                    hand_over(&cx).await;
                    all_claimed(&harness);
                    outcomes.extend(harness.outcomes());
                }
            }
            Err(other) => panic!("{other:?}"),
        }
        for outcome in &outcomes {
            let Some(item) = items.iter().find(|item| item.key == outcome.item) else {
                panic!("an outcome of no item: {outcome:?}");
            };
            let unproven = |e: &&Effect| e.action == Action::Created && e.proof.is_none();
            assert_eq!(outcome.effects.iter().find(unproven), None);
            self.keep(&kind, &item.marker, outcome);
        }
        outcomes
    }

    /// The items with what is there already, as a host asks for it: the first candidate counts.
    pub async fn matched(&self, kind: Kind, items: Vec<Item>) -> Vec<Item> {
        let harness = self.harness();
        let found = match D::match_items(&harness.context(), kind, items.clone()).await {
            Ok(found) => found,
            Err(error) => panic!("match: {error:?}"),
        };
        let candidate = |item: &Item| {
            let of_it = found.iter().find(|result| result.item == item.key)?;
            of_it.candidates.first().cloned()
        };
        let with = |item: Item| match candidate(&item) {
            Some(candidate) => items::existing(item, candidate),
            None => item,
        };
        items.into_iter().map(with).collect()
    }

    fn keep(&self, kind: &Kind, marker: &str, outcome: &Outcome) {
        let mut kept = self.effects.borrow_mut();
        for effect in &outcome.effects {
            let undoing = Undoing {
                effect_id: kept.len() as u64,
                kind: kind.clone(),
                item: outcome.item.clone(),
                marker: marker.to_owned(),
                effect: effect.clone(),
            };
            kept.push(undoing);
        }
    }

    /// The effects that an item had so far.
    pub fn effects_of(&self, item: &str) -> Vec<Effect> {
        let kept = self.effects.borrow();
        let of_item = kept.iter().filter(|u| u.item == item);
        of_item.map(|u| u.effect.clone()).collect()
    }

    /// A reference as a host gives it for what was written before: with its target.
    pub fn known(&self, reference: Reference) -> Reference {
        let key = items::key(&reference.kind, &reference.id);
        let kept = self.effects.borrow();
        let main = kept
            .iter()
            .rev()
            .find(|u| u.item == key && u.effect.part == "main");
        match main {
            Some(undoing) => reference.at(undoing.effect.target_id.clone()),
            None => reference,
        }
    }

    /// The address of a field that was written before.
    pub fn field_at(&self, owner: &str, name: &str) -> Option<String> {
        let id = format!("{owner}/{name}");
        self.known(Reference::new(Kind::FieldDefinition, id)).target
    }

    /// Undoes everything, last things first, as a host does: kinds in reverse order of loading, own things at the end.
    pub async fn rollback(&self, mode: UndoMode) -> Vec<UndoOutcome> {
        let order: Vec<Kind> = D::describe().kinds.into_iter().map(|k| k.kind).collect();
        let place = |kind: &Kind| order.iter().position(|k| k == kind).map_or(0, |at| at + 1);
        let mut effects = self.effects.borrow().clone();
        effects.sort_by_key(|u| std::cmp::Reverse((place(&u.kind), u.effect_id)));
        // What a host knows to be ours beside what is being undone: in a preview all that came before, else what an undo left.
        let mut ours: Vec<(String, String)> = Vec::new();
        let mut outcomes = Vec::new();
        for one in effects {
            let harness = self.harness();
            let cx = harness.context();
            let target = (one.effect.target_kind.clone(), one.effect.target_id.clone());
            if let Err(error) = D::undo(&cx, mode, vec![one], ours.clone()).await {
                panic!("undo: {error:?}");
            }
            hand_over(&cx).await;
            let ended = harness.undo_outcomes();
            if mode == UndoMode::Preview || ended.iter().any(|o| stays(o.status)) {
                ours.push(target);
            }
            outcomes.extend(ended);
        }
        outcomes
    }
}

/// Hands over what a call reported last, as a component's entry points do, and sees that a host would have taken it.
#[allow(clippy::panic, reason = "a broken rule is a failed test")]
async fn hand_over(cx: &Context) {
    if let Err(refusal) = cx.reported().await {
        panic!("the host refuses an outcome: {refusal:?}");
    }
}

/// Every write that was answered as done is some effect's.
fn all_claimed(harness: &Harness) {
    let unclaimed = harness.unclaimed();
    assert!(
        unclaimed.is_empty(),
        "requests that were answered as done, and no effect has their key: {unclaimed:?}"
    );
}

/// The object is still there after an undo that ended so.
fn stays(status: UndoStatus) -> bool {
    matches!(
        status,
        UndoStatus::Conflict | UndoStatus::Cannot | UndoStatus::Failed
    )
}

/// Nothing is in the way of a rollback.
pub fn assert_undone(outcomes: &[UndoOutcome], case: &str) {
    let fine = [
        UndoStatus::Undone,
        UndoStatus::Restored,
        UndoStatus::Left,
        UndoStatus::Gone,
    ];
    let bad: Vec<&UndoOutcome> = outcomes
        .iter()
        .filter(|o| !fine.contains(&o.status))
        .collect();
    assert!(bad.is_empty(), "{case}: {bad:?}");
}

/// Two fingerprints of an account, lists of rows by name, are the same; if not, what only one of them has.
pub fn assert_same(wanted: &Value, found: &Value, case: &str) {
    let rows = |value: &Value| -> Vec<String> {
        let lists = value.as_object().into_iter().flatten();
        lists
            .flat_map(|(name, list)| match list {
                Value::Array(list) => list.iter().map(|row| format!("{name}: {row}")).collect(),
                other => vec![format!("{name}: {other}")],
            })
            .collect()
    };
    let only = |of: &[String], than: &[String]| -> Vec<String> {
        let extra = of.iter().filter(|row| !than.contains(row));
        extra.map(|row| row.chars().take(900).collect()).collect()
    };
    let (wanted, found) = (rows(wanted), rows(found));
    let (missing, extra) = (only(&wanted, &found), only(&found, &wanted));
    assert!(
        missing.is_empty() && extra.is_empty() && wanted.len() == found.len(),
        "{case}\nmissing:\n{}\ntoo many:\n{}",
        missing.join("\n"),
        extra.join("\n")
    );
}

/// How many writes a unit made.
pub fn writes(harness: &Harness) -> usize {
    let exchanges = harness.exchanges();
    exchanges.iter().filter(|e| e.request.key.is_some()).count()
}
