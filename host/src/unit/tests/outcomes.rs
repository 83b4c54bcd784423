//! What a unit takes for an outcome, and what of it stays.

use sqlx::Row as _;

use super::super::*;
use crate::contract::ledger::{Action, Effect, Outcome, Proof, Refusal, Status as Said};
use crate::contract::types::{Fidelity, Kind, Loss};
use crate::pipeline::fixtures;

const RUN: &str = "r1";

/// What units need, with the lease that lets them write.
async fn owned() -> (tempfile::TempDir, Surroundings) {
    let (dir, around) = fixtures::surroundings(RUN).await;
    let lease = around.store.take_lease("me", 0, i64::MAX, |_| true);
    lease.await.unwrap();
    (dir, around)
}

/// A record that is written alone.
fn record(id: &str) -> Record {
    Record {
        key: format!("customer:{id}"),
        kind: "customer".into(),
        id: id.into(),
        hash: "h".into(),
        marker: format!("m:{id}"),
        inside: vec![],
        missing: vec![],
        left_out: vec![],
        losses: vec![],
    }
}

/// A unit of these records.
async fn unit(around: &Surroundings, number: i64, records: Vec<Record>) -> Durable {
    let frozen = Frozen {
        context: session::Context {
            config: "{}".into(),
            run: RUN.into(),
            platform: "old".into(),
            organisation: "o".into(),
            time_zone: "UTC".into(),
            state: None,
        },
        call: Call::Write(Kind::Customer, vec![]),
        records,
        settle_ms: 0,
    };
    Durable::open(around.clone(), number, 1, &frozen)
        .await
        .unwrap()
}

fn outcome(id: &str, status: Said) -> Outcome {
    Outcome {
        item: format!("customer:{id}"),
        status,
        effects: vec![],
        losses: vec![],
        refused: vec![],
    }
}

fn loses(mut outcome: Outcome, field: &str) -> Outcome {
    outcome.losses.push(Loss {
        field: field.into(),
        how: Fidelity::Lost,
        note: "no place".into(),
    });
    outcome
}

fn creates(mut outcome: Outcome, target: &str, proof: Option<Proof>) -> Outcome {
    outcome.effects.push(Effect {
        part: "main".into(),
        target_kind: "user".into(),
        target_id: target.into(),
        action: Action::Created,
        proof,
        key: None,
        before: None,
        fingerprint: None,
        version: None,
        updated_at: None,
        url: None,
    });
    outcome
}

/// A column of a query's rows, joined.
async fn column(around: &Surroundings, sql: &'static str) -> String {
    let rows = around.store.rows(sql, vec![]).await.unwrap();
    let texts: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    texts.join(" ")
}

async fn losses(around: &Surroundings) -> String {
    column(
        around,
        "SELECT source_id || '.' || field FROM losses ORDER BY 1",
    )
    .await
}

async fn doubts(around: &Surroundings) -> String {
    column(
        around,
        "SELECT source_id || '@' || since FROM doubts ORDER BY 1",
    )
    .await
}

#[tokio::test]
async fn an_outcome_replaces_what_an_earlier_one_said_of_the_record_and_of_no_other() {
    let (_dir, around) = owned().await;
    let unsettled = |id, field| loses(outcome(id, Said::Unsettled("not seen".into())), field);
    let first = unit(&around, 1, vec![record("a"), record("b")]).await;
    let said = first
        .report(vec![unsettled("a", "phone"), unsettled("b", "phone")])
        .await
        .unwrap();
    assert_eq!(said, [Ok(()), Ok(())]);
    assert_eq!(losses(&around).await, "a.phone b.phone");
    let since = doubts(&around).await;

    // Still not settled: what it loses now counts, and it is in doubt since the first time.
    let second = unit(&around, 2, vec![record("a")]).await;
    second.report(vec![unsettled("a", "name")]).await.unwrap()[0]
        .as_ref()
        .unwrap();
    assert_eq!(losses(&around).await, "a.name b.phone");
    assert_eq!(doubts(&around).await, since);

    let third = unit(&around, 3, vec![record("a")]).await;
    let made = creates(outcome("a", Said::Created), "7", Some(Proof::AbsentBefore));
    third.report(vec![made]).await.unwrap()[0].as_ref().unwrap();
    assert_eq!(losses(&around).await, "b.phone");
    assert!(doubts(&around).await.starts_with("b@"), "{since}");
    let all = "SELECT source_id || ':' || status FROM outcomes ORDER BY 1";
    assert_eq!(column(&around, all).await, "a:created b:unsettled");
}

#[tokio::test]
async fn a_refused_outcome_leaves_nothing_and_does_not_keep_the_others_out() {
    let (_dir, around) = owned().await;
    let ids = ["a", "b", "c", "d"];
    let unit = unit(&around, 1, ids.map(record).to_vec()).await;
    let fresh = || Some(Proof::Fresh);
    let said = unit
        .report(vec![
            creates(outcome("a", Said::Created), "7", fresh()),
            // The object of the first one, one without proof, and a record of nobody's.
            creates(outcome("b", Said::Created), "7", fresh()),
            creates(outcome("c", Said::Created), "8", None),
            outcome("z", Said::Matched),
            loses(outcome("d", Said::Skipped("rule".into())), "phone"),
        ])
        .await
        .unwrap();
    assert!(
        matches!(
            said.as_slice(),
            [
                Ok(()),
                Err(Refusal::Unproven(_)),
                Err(Refusal::Unproven(_)),
                Err(Refusal::UnknownItem),
                Ok(())
            ]
        ),
        "{said:?}"
    );
    let all = "SELECT source_id || ':' || status FROM outcomes ORDER BY 1";
    assert_eq!(column(&around, all).await, "a:created d:skipped");
    assert_eq!(column(&around, "SELECT target_id FROM effects").await, "7");
    assert_eq!(losses(&around).await, "d.phone");
}

#[tokio::test]
async fn an_object_that_another_run_made_on_the_account_is_not_made_again_until_it_is_undone() {
    let (_dir, around) = owned().await;
    let make = |id| creates(outcome(id, Said::Created), "7", Some(Proof::Fresh));
    let first = unit(&around, 1, vec![record("a")]).await;
    first.report(vec![make("a")]).await.unwrap()[0]
        .as_ref()
        .unwrap();
    let later = Surroundings {
        run: "r2".into(),
        ..around.clone()
    };
    let second = unit(&later, 2, vec![record("b")]).await;
    let said = second.report(vec![make("b")]).await.unwrap();
    assert!(matches!(&said[0], Err(Refusal::Unproven(_))), "{said:?}");
    let undone = crate::sql!("UPDATE effects SET undo_status = 'undone'");
    around.store.write(vec![undone]).await.unwrap();
    let third = unit(&later, 3, vec![record("b")]).await;
    assert_eq!(third.report(vec![make("b")]).await.unwrap(), [Ok(())]);
}

#[tokio::test]
async fn what_travels_inside_a_record_shares_its_fate_and_what_is_missing_does_not() {
    let (_dir, around) = owned().await;
    let thread = Record {
        inside: vec![("message".into(), "m1".into(), "h1".into())],
        missing: vec![(
            "attachment".into(),
            "f1".into(),
            "h2".into(),
            "gone at the source".into(),
        )],
        left_out: vec![("message".into(), "m2".into(), "h3".into(), "draft".into())],
        ..record("a")
    };
    let unit = unit(&around, 1, vec![thread]).await;
    let made = creates(outcome("a", Said::Created), "7", Some(Proof::Fresh));
    assert_eq!(unit.report(vec![made]).await.unwrap(), [Ok(())]);
    let all = "SELECT kind || ' ' || source_id || ' ' || status || ' ' || coalesce(cause, '-') || ';' FROM outcomes ORDER BY 1";
    assert_eq!(
        column(&around, all).await,
        "attachment f1 rejected gone at the source; customer a created -; message m1 created -; message m2 skipped draft;"
    );
}
