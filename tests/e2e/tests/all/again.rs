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

/// Kinds of which a rollback leaves what the platform deletes nowhere, out of sight: a later run brings it back, so that it counts as
/// changed and not as made.
fn archived(plugin: &str) -> &'static [&'static str] {
    match plugin {
        // Fields are archived only (Gorgias facts §9); brands are a field.
        "gorgias" => &["field-definition", "brand"],
        // Attributes are archived only (Intercom facts §9).
        "intercom" => &["field-definition"],
        _ => &[],
    }
}

/// The sums of a report's kinds that differ from those of the first, side by side.
fn otherwise<D: Destination>(first: &RunReport, other: &RunReport) -> Vec<[KindSum; 2]> {
    assert_eq!(first.kinds.len(), other.kinds.len());
    let as_made = |sum: &KindSum| match archived(D::PLUGIN).contains(&sum.kind.as_str()) {
        true => KindSum {
            created: sum.created + sum.updated,
            updated: 0,
            ..sum.clone()
        },
        false => sum.clone(),
    };
    let pairs = first.kinds.iter().zip(&other.kinds);
    let pairs = pairs.map(|(one, other)| [as_made(one), as_made(other)]);
    pairs.filter(|[one, other]| one != other).collect()
}

async fn what_was_taken_back_is_loaded_again_as_the_first_time<D: Destination>() {
    let lab = Lab::<D>::of(small(11)).await.unwrap();
    lab.destination.hurry();
    let first = loaded(&lab).await;
    assert!(first.total.created > 0);
    // A third time, too: what the second made is known as made by it.
    for _ in 0..2 {
        taken_back(&lab).await;
        let again = loaded(&lab).await;
        assert_ne!(first.run, again.run);
        let differs = otherwise::<D>(&first, &again);
        assert!(
            differs.is_empty(),
            "{differs:#?}\nrejected: {:#?}",
            again.rejects
        );
    }
}
