//! A run that was taken back leaves nothing behind that the next run into the same account would trip over: it does as the first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::engine::{small, yes};
use transload_e2e::{Destination, Lab, Silent, compare, destinations};
use transload_host::pipeline::model::{KindSum, RollbackOptions, RunReport};
use transload_host::pipeline::{rollback, run};

destinations!(what_was_taken_back_is_loaded_again_as_the_first_time);

async fn loaded<D: Destination>(lab: &Lab<D>) -> RunReport {
    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!((report.duplicates, report.lost), (0, 0));
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "{:#?}", found.differences);
    report
}

async fn taken_back<D: Destination>(lab: &Lab<D>) {
    let project = lab.project().await.unwrap();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
}

/// The sums of a report's kinds that differ from another's, side by side.
fn otherwise<'r>(one: &'r RunReport, other: &'r RunReport) -> Vec<(&'r KindSum, &'r KindSum)> {
    assert_eq!(one.kinds.len(), other.kinds.len());
    let pairs = one.kinds.iter().zip(&other.kinds);
    pairs.filter(|(one, other)| one != other).collect()
}

async fn what_was_taken_back_is_loaded_again_as_the_first_time<D: Destination>() {
    let lab = Lab::<D>::of(small(11)).await.unwrap();
    lab.destination.hurry();
    let first = loaded(&lab).await;
    assert!(first.total.created > 0);
    taken_back(&lab).await;

    let second = loaded(&lab).await;
    assert_ne!(first.run, second.run);
    let differs = otherwise(&first, &second);
    assert!(
        differs.is_empty(),
        "{differs:#?}\nrejected: {:#?}",
        second.rejects
    );
    // What was made a second time is known as made: it is all taken back, too.
    taken_back(&lab).await;
    let third = loaded(&lab).await;
    let differs = otherwise(&first, &third);
    assert!(
        differs.is_empty(),
        "{differs:#?}\nrejected: {:#?}",
        third.rejects
    );
}
