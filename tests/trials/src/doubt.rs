//! Answers that are lost: every request once, applied and not applied, and each thing is there once, and goes away again.

use serde_json::Value;
use transload_sdk::destination::{Item, UndoMode};
use transload_sdk::ledger::{Action, Outcome, Status};
use transload_sdk::testing::trial::{assert_same, assert_undone};
use transload_sdk::testing::{Harness, Loss};
use transload_sdk::types::Kind;
use transload_sdk::{Context, Destination};

use crate::Stand;

/// The ways in which an answer gets lost.
const WAYS: [Loss; 2] = [Loss::AfterApplying, Loss::BeforeArriving];

/// Whether it is known what became of an item, and it is there.
pub fn is_settled(outcome: &Outcome) -> bool {
    !matches!(outcome.status, Status::Rejected(_) | Status::Unsettled(_))
}

/// A platform that was just prepared, and what was there before it was.
pub async fn prepared<P: Stand>(unprepared: P) -> (P, Value) {
    let mut stand = unprepared;
    let before = stand.live();
    stand.prepare().await;
    (stand, before)
}

/// Writes these kinds, each time with another answer of one of `lossy` lost, and takes all back. `begin` gives a platform, which
/// may have something of ours already, and what was there before that; `items` what is written.
pub async fn every_loss<P: Stand>(
    begin: impl AsyncFn() -> (P, Value),
    items: impl AsyncFn(&P, &Kind) -> Vec<Item>,
    kinds: &[Kind],
    lossy: &[Kind],
) {
    let (undisturbed, before) = begin().await;
    let mut requests = Vec::new();
    for kind in kinds {
        let items = items(&undisturbed, kind).await;
        requests.push((kind, undisturbed.write_counted(kind.clone(), items).await));
    }
    let whole = undisturbed.print();
    assert_ne!(before, whole);
    for (lost, count) in requests
        .into_iter()
        .filter(|(kind, _)| lossy.contains(kind))
    {
        assert!(count > 0, "{lost:?} writes nothing");
        for (nth, how) in (1..=count).flat_map(|nth| WAYS.map(|how| (nth, how))) {
            let case = format!("{lost:?}, request {nth}, {how:?}");
            let (stand, before) = begin().await;
            for kind in kinds {
                let items = items(&stand, kind).await;
                let harness = match kind == lost {
                    true => stand.harness().lose_answer(nth, how),
                    false => stand.harness(),
                };
                let outcomes = stand.write_on(harness, kind.clone(), items).await;
                let open: Vec<&Outcome> = outcomes.iter().filter(|o| !is_settled(o)).collect();
                assert!(open.is_empty(), "{case}: {open:?}");
            }
            assert_same(&whole, &stand.print(), &case);
            assert_undone(&stand.rollback(UndoMode::Careful).await, &case);
            assert_same(&before, &stand.live(), &case);
        }
    }
}

/// Prepares, each time with another answer lost, from the request `first` on, and takes all back. How many requests there are.
pub async fn every_loss_of_prepare<P: Stand>(unprepared: impl Fn() -> P, first: usize) -> usize {
    let mut undisturbed = unprepared();
    let harness = undisturbed.harness();
    let count = undisturbed.prepare_on(harness).await;
    let whole = undisturbed.print();
    for (nth, how) in (first..=count).flat_map(|nth| WAYS.map(|how| (nth, how))) {
        let case = format!("request {nth}, {how:?}");
        let mut stand = unprepared();
        let before = stand.live();
        let harness = stand.harness().lose_answer(nth, how);
        stand.prepare_on(harness).await;
        assert_same(&whole, &stand.print(), &case);
        assert_undone(&stand.rollback(UndoMode::Careful).await, &case);
        assert_same(&before, &stand.live(), &case);
    }
    count
}

/// Writes these kinds, and then each item of `again` alone, in doubt since before the first: nothing is made again. `check` sees
/// the second outcomes.
pub async fn all_in_doubt<P: Stand>(
    stand: &P,
    items: impl AsyncFn(&P, &Kind) -> Vec<Item>,
    kinds: &[Kind],
    again: &[Kind],
    check: impl Fn(&Kind, &Outcome),
) {
    let since = stand.now();
    for kind in kinds {
        let items = items(stand, kind).await;
        stand.write(kind.clone(), items).await;
    }
    let whole = stand.print();
    for kind in again {
        for item in items(stand, kind).await {
            let item = Item {
                in_doubt_since: Some(since),
                existing: None,
                ..item
            };
            let outcomes = stand.write(kind.clone(), vec![item]).await;
            assert!(outcomes.iter().all(is_settled), "{outcomes:?}");
            outcomes.iter().for_each(|outcome| check(kind, outcome));
        }
    }
    assert_same(&whole, &stand.print(), "again");
}

/// All that an item in doubt has is known as made by this run.
pub fn assert_all_ours(outcome: &Outcome) {
    let strange = outcome.effects.iter();
    let strange: Vec<_> = strange.filter(|e| e.action != Action::Created).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

/// What the item's own object is known as: made by this run.
pub fn assert_ours(outcome: &Outcome) {
    let main = outcome.effects.iter().find(|effect| effect.part == "main");
    assert_eq!(main.map(|e| e.action), Some(Action::Created), "{outcome:?}");
}

/// Runs a unit, and again as a host does after a crash: it takes the same way and ends alike.
pub async fn assert_same_way<D: Destination>(
    harness: Harness,
    kind: Kind,
    items: Vec<Item>,
    case: &str,
) {
    let write = async |cx: Context, items: Vec<Item>| {
        let written = D::write(&cx, kind.clone(), items).await;
        assert_eq!((written, cx.reported().await), (Ok(()), Ok(())), "{case}");
    };
    write(harness.context(), items.clone()).await;
    let (cx, again) = harness.replay();
    write(cx, items).await;
    assert_eq!(harness.same_way(&again), None, "{case}");
}

/// Records of one kind, by what they are called: what to write of them at a platform that has what they stand on.
pub type Case<P> = (&'static str, fn(&P) -> (Kind, Vec<Item>));

/// A platform with what the cases stand on, which `ground` writes, and what was there before.
async fn grounded<P: Stand>(ground: &impl AsyncFn(&P)) -> (P, Value) {
    let (stand, before) = prepared(P::unprepared(|_| {})).await;
    ground(&stand).await;
    (stand, before)
}

/// [`every_loss`] of each case.
pub async fn every_loss_of_each<P: Stand>(cases: &[Case<P>], ground: impl AsyncFn(&P)) {
    for (_, make) in cases {
        let kinds = [make(&P::unprepared(|_| {})).0];
        let items = async |stand: &P, kind: &Kind| stand.matched(kind.clone(), make(stand).1).await;
        every_loss(|| grounded(&ground), items, &kinds, &kinds).await;
    }
}

/// [`assert_same_way`] of each case.
pub async fn each_takes_the_same_way<P: Stand>(cases: &[Case<P>], ground: impl AsyncFn(&P)) {
    for (name, make) in cases {
        let (stand, _) = grounded(&ground).await;
        let (kind, items) = make(&stand);
        assert_same_way::<P::Connector>(stand.harness(), kind, items, name).await;
    }
}

/// Each case twice, the first time by a unit whose outcomes are lost with its process: nothing is made again, the first item of
/// `ours` is known as made by this run, and all goes away again, but for the cases of `left`: a change of what was there cannot be
/// told from somebody else's afterwards.
pub async fn each_in_doubt<P: Stand>(
    cases: &[Case<P>],
    ground: impl AsyncFn(&P),
    ours: &[&str],
    left: &[&str],
) {
    for (name, make) in cases {
        let (stand, before) = grounded(&ground).await;
        let since = stand.now();
        let (kind, items) = make(&stand);
        let cx = stand.harness().context();
        let written = P::Connector::write(&cx, kind.clone(), items.clone()).await;
        assert_eq!(written, Ok(()), "{name}");
        let wanted = stand.print();
        for item in items {
            let again = Item {
                in_doubt_since: Some(since),
                ..item
            };
            let outcomes = stand.write(kind.clone(), vec![again]).await;
            assert!(outcomes.iter().all(is_settled), "{name}: {outcomes:?}");
            if ours.contains(name) {
                outcomes.first().into_iter().for_each(assert_ours);
            }
        }
        assert_same(&wanted, &stand.print(), name);
        if !left.contains(name) {
            assert_undone(&stand.rollback(UndoMode::Careful).await, name);
            assert_same(&before, &stand.live(), name);
        }
    }
}
