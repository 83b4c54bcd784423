//! What was said before a run, held against what came of it: the plan that was approved, and the last dry run of the same reading
//! into the same account.
//!
//! Everything is read from the store; where neither was, there is nothing to hold.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::dossier::Planned;
use super::extract::unsigned;
use super::model::{
    Against, AgainstCost, AgainstKind, AgainstLoss, CostUnit, DryRun, Ends, LossGroup, RunReport,
};
use crate::error::Error;
use crate::store::Store;

/// A kind, a field and how it travels.
type Field = (String, String, String);

/// What was said of a run, if anything was. `report` is the run's, all but this.
///
/// # Errors
/// A store error.
pub async fn against(
    store: &Store,
    report: &RunReport,
    source: &str,
    destination: &str,
) -> Result<Option<Against>, Error> {
    let run = report.run.as_str();
    let plan = row(
        store,
        "SELECT body, 1 AS same FROM run_plans WHERE run = $1",
        run,
    )
    .await?;
    let plan: Option<Planned> = plan.map(|(plan, _)| plan);
    let dry = row(
        store,
        "SELECT d.body, CASE WHEN d.config_digest = r.config_digest THEN 1 ELSE 0 END AS same FROM dry_runs d \
         JOIN runs r ON r.extraction = d.extraction AND r.destination = d.destination AND r.account = d.account \
         WHERE r.id = $1 AND d.at_ms <= coalesce(r.ended_at, d.at_ms) ORDER BY d.at_ms DESC, d.id DESC LIMIT 1",
        run,
    )
    .await?;
    if plan.is_none() && dry.is_none() {
        return Ok(None);
    }
    let same_mapping = dry.as_ref().is_none_or(|(_, same)| *same);
    let dry: Option<DryRun> = dry.map(|(dry, _)| dry);
    let kinds = report.kinds.iter().map(|sum| {
        let mut planned = plan.iter().flat_map(|plan| &plan.kinds);
        let planned = planned.find(|kind| kind.kind == sum.kind);
        let mut rehearsed = dry.iter().flat_map(|dry| &dry.report.kinds);
        AgainstKind {
            kind: sum.kind.clone(),
            planned: planned.and_then(|kind| kind.count),
            certainty: planned.map(|kind| kind.certainty.clone()),
            read: sum.read,
            plan: planned
                .filter(|kind| kind.forecast != Default::default())
                .map(|kind| Ends::from(&kind.forecast)),
            dry_run: rehearsed.find(|one| one.kind == sum.kind).map(Ends::of),
            came: Ends::of(sum),
        }
    });
    let (losses, losses_named, losses_not_met) =
        losses(plan.as_ref(), dry.as_ref(), &report.losses);
    Ok(Some(Against {
        dry_run_at: dry.as_ref().map(|dry| dry.at),
        same_mapping,
        kinds: kinds.collect(),
        costs: costs(
            store,
            report,
            (source, destination),
            plan.as_ref(),
            dry.as_ref(),
        )
        .await?,
        losses,
        losses_named,
        losses_not_met,
    }))
}

/// What it takes: said, and what it took.
async fn costs(
    store: &Store,
    report: &RunReport,
    (source, destination): (&str, &str),
    plan: Option<&Planned>,
    dry: Option<&DryRun>,
) -> Result<Vec<AgainstCost>, Error> {
    let sent = |connection: &str| {
        let of = report
            .requests
            .iter()
            .filter(|one| one.connection == connection);
        of.map(|one| one.count).sum::<u64>()
    };
    let changing = store
        .number(
            "SELECT count(*) FROM audit a JOIN units u ON u.id = a.unit WHERE a.run = $1 AND u.operation <> 'undo'",
            vec![(&report.run).into()],
        )
        .await?;
    let took = report.ended_at.map(|ended| ended - report.started_at);
    let rehearsed = dry.map(|dry| dry.would_send.iter().map(|one| one.count).sum());
    let cost = |what: &str, unit, plan, dry_run, was| AgainstCost {
        what: what.to_owned(),
        unit,
        plan,
        dry_run,
        was,
    };
    use CostUnit::{Ms, Requests};
    Ok(vec![
        cost(
            "requests to the source",
            Requests,
            plan.map(|plan| plan.source_calls),
            None,
            Some(sent(source)),
        ),
        cost(
            "requests to the destination",
            Requests,
            plan.map(|plan| plan.destination_calls),
            None,
            Some(sent(destination)),
        ),
        cost(
            "of these, requests that change something",
            Requests,
            None,
            rehearsed,
            Some(unsigned(changing)),
        ),
        cost(
            "time, by the limits and our share of them",
            Ms,
            plan.map(|plan| plan.forecast_ms),
            dry.map(|dry| dry.forecast_ms),
            took.map(unsigned),
        ),
    ])
}

/// Losses that came otherwise than was said; of those that the plan named, how many there are and how many no record met.
fn losses(
    plan: Option<&Planned>,
    dry: Option<&DryRun>,
    came: &[LossGroup],
) -> (Vec<AgainstLoss>, u64, u64) {
    let added = |groups: &[LossGroup]| {
        let mut all: BTreeMap<Field, u64> = BTreeMap::new();
        for loss in groups {
            let field = (loss.kind.clone(), loss.field.clone(), loss.how.clone());
            *all.entry(field).or_insert(0) += loss.count;
        }
        all
    };
    let mut met: Vec<(&str, &str)> = vec![];
    let mut unforeseen: Vec<Field> = vec![];
    if let Some(plan) = plan {
        for loss in came {
            match plan.foresaw(loss) {
                Some(field) => met.push((&field.kind, &field.field)),
                None => unforeseen.push((loss.kind.clone(), loss.field.clone(), loss.how.clone())),
            }
        }
    }
    met.sort_unstable();
    met.dedup();
    let is = added(came);
    let rehearsed = dry.map(|dry| added(&dry.report.losses));
    let mut fields: Vec<&Field> = is.keys().collect();
    if let Some(rehearsed) = &rehearsed {
        fields.extend(rehearsed.keys().filter(|field| !is.contains_key(*field)));
    }
    let surprises = fields.into_iter().filter_map(|field| {
        let came = is.get(field).copied().unwrap_or(0);
        let dry_run = rehearsed
            .as_ref()
            .map(|all| all.get(field).copied().unwrap_or(0));
        let planned = plan.map(|_| !unforeseen.contains(field));
        let as_said = planned != Some(false) && dry_run.is_none_or(|dry| dry == came);
        (!as_said).then(|| AgainstLoss {
            kind: field.0.clone(),
            field: field.1.clone(),
            how: field.2.clone(),
            planned,
            dry_run,
            came,
        })
    });
    let named = plan.map_or(0, |plan| plan.losses.len());
    let not_met = named.saturating_sub(met.len());
    (surprises.collect(), named as u64, not_met as u64)
}

/// A stored body, and whether it is of the same mapping; one of a version that said other things is none.
async fn row<T: serde::de::DeserializeOwned>(
    store: &Store,
    sql: &'static str,
    run: &str,
) -> Result<Option<(T, bool)>, Error> {
    let Some(row) = store.row(sql, vec![run.into()]).await? else {
        return Ok(None);
    };
    let same = row.try_get::<i64, _>("same")? == 1;
    let body = serde_json::from_str(&row.try_get::<String, _>("body")?).ok();
    Ok(body.map(|body| (body, same)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{fixtures, sums};
    use super::*;
    use crate::sql;

    fn loss(field: &str, how: &str, count: u64) -> LossGroup {
        LossGroup {
            kind: "customer".into(),
            field: field.into(),
            how: how.into(),
            note: "why".into(),
            count,
            examples: vec![],
        }
    }

    #[tokio::test]
    async fn a_run_is_held_against_its_plan_and_the_last_dry_run_before_its_end() {
        let (_dir, store) = fixtures::store().await;
        fixtures::run(&store, "r1", "complete").await;
        let report = sums::report_stored(&store, "r1").await.unwrap();
        assert_eq!(report.against, None);
        let plan = json!({
            "digest": "d", "source_calls": 3, "destination_calls": 30, "forecast_ms": 5000,
            "kinds": [{"kind": "customer", "count": 12, "certainty": "exact", "arrival": "made", "source_calls": 1, "destination_calls": 2}],
        });
        let of_run = sums::report_stored(&store, "r1").await.unwrap();
        let dry = |writes: u64| {
            let dry = DryRun {
                at: 1,
                took_ms: 1,
                report: of_run.clone(),
                done_before: 0,
                would_send: vec![super::super::model::WouldSend {
                    method: "POST".into(),
                    path: "/x".into(),
                    count: writes,
                }],
                forecast_ms: 9,
                unknown: vec![],
                examples: vec![],
            };
            serde_json::to_string(&dry).unwrap()
        };
        let held = |digest: &'static str, at: i64, id: i64, writes: u64| {
            sql!(
                "INSERT INTO dry_runs (id, extraction, destination, account, config_digest, at_ms, body) \
                 SELECT $1, extraction, destination, account, coalesce($2, config_digest), $3, $4 FROM runs WHERE id = 'r1'",
                id,
                digest,
                at,
                dry(writes)
            )
        };
        let batch = vec![
            sql!("UPDATE runs SET ended_at = 100 WHERE id = 'r1'"),
            sql!(
                "INSERT INTO run_plans (run, body) VALUES ('r1', $1)",
                plan.to_string()
            ),
            held("other", 50, 1, 7),
            // After the run had ended: it says nothing of it.
            held("later", 200, 2, 8),
        ];
        store.write(batch).await.unwrap();
        let held = sums::report_stored(&store, "r1").await.unwrap().against;
        let held = held.unwrap();
        assert_eq!((held.dry_run_at, held.same_mapping), (Some(1), false));
        let said: Vec<_> = held
            .costs
            .iter()
            .map(|one| (one.plan, one.dry_run))
            .collect();
        assert_eq!(
            said,
            [
                (Some(3), None),
                (Some(30), None),
                (None, Some(7)),
                (Some(5000), Some(9))
            ]
        );
    }

    #[test]
    fn a_loss_that_came_otherwise_than_was_said_is_named_and_no_other() {
        let plan: Planned = serde_json::from_value(json!({
            "digest": "d", "source_calls": 0, "destination_calls": 0, "forecast_ms": 0,
            "losses": [
                {"kind": "customer", "field": "locale", "how": "lost", "note": null, "side": "destination"},
                {"kind": "customer", "field": "avatar-url", "how": "lost", "note": null, "side": "destination"},
            ],
        }))
        .unwrap();
        let came = [
            loss("customer.locale", "lost", 4),
            loss("customer.name", "converted", 1),
        ];
        let (found, named, not_met) = losses(Some(&plan), None, &came);
        assert_eq!((named, not_met), (2, 1));
        let fields: Vec<&str> = found.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["customer.name"]);
        let (none, ..) = losses(None, None, &came);
        assert_eq!(none, []);
    }
}
