//! What a delta knows of each record: what it was before, what was planned, and what became of it in the end.
//!
//! Everything is stored before the unit that it is about, so that a delta that was killed is accounted for by the next process; what
//! became of a record is read from its outcome when all is done. An outcome that is given anew is covered by the ledger's chain
//! with the effects of the unit that it names.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::Which;
use crate::error::Error;
use crate::sql;
use crate::store::{LedgerEntry, Statement, outcome_digest};
use crate::unit::{Record, Surroundings};

/// What `did` says until it is accounted for.
pub(super) const PLANNED: &str = "planned";
/// What a record that was new in a delta is after the delta was taken back: the next one finds it again.
const TAKEN_BACK: &str = "taken back with its delta";

/// What there is to say of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// Why, in words.
    pub why: Option<String>,
    /// What people changed at the destination.
    #[serde(default)]
    pub theirs: Vec<String>,
    /// Object kind and id.
    pub target: Option<String>,
    /// For a person to open.
    pub url: Option<String>,
    /// Of one that was merged.
    #[serde(default)]
    pub survivor: Option<String>,
    /// It is made anew.
    #[serde(default)]
    pub anew: bool,
}

/// A row of `delta_records`.
pub(super) struct Found<'a> {
    pub kind: &'a str,
    pub id: &'a str,
    pub change: &'a str,
    pub did: &'a str,
    pub waits: bool,
    pub facts: &'a Facts,
}

/// Notes a record; what earlier deltas left open of it is superseded.
pub(super) fn noted(which: &Which, now: i64, found: &Found<'_>) -> Result<Vec<Statement>, Error> {
    Ok(vec![
        sql!(
            "UPDATE delta_records SET waits = 0 WHERE run = $1 AND number_n < $2 AND kind = $3 AND source_id = $4",
            &which.run,
            which.number,
            found.kind,
            found.id
        ),
        sql!(
            "INSERT INTO delta_records (run, number_n, kind, source_id, change, did, waits, facts, at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (run, number_n, kind, source_id) DO UPDATE SET \
             change = CASE WHEN delta_records.did = 'planned' THEN delta_records.change ELSE excluded.change END, \
             did = excluded.did, waits = excluded.waits, facts = excluded.facts, at_ms = excluded.at_ms",
            &which.run,
            which.number,
            found.kind,
            found.id,
            found.change,
            found.did,
            found.waits,
            serde_json::to_string(found.facts)?,
            now
        ),
    ])
}

/// Keeps what a record, and all inside it, was before this delta; once.
pub(super) fn remember(which: &Which, record: &Record) -> Vec<Statement> {
    let mut all: Vec<(&str, &str)> = vec![(&record.kind, &record.id)];
    all.extend(
        record
            .inside
            .iter()
            .map(|(k, id, _)| (k.as_str(), id.as_str())),
    );
    all.extend(
        record
            .missing
            .iter()
            .map(|(k, id, ..)| (k.as_str(), id.as_str())),
    );
    all.extend(
        record
            .left_out
            .iter()
            .map(|(k, id, ..)| (k.as_str(), id.as_str())),
    );
    all.into_iter()
        .map(|(kind, id)| {
            sql!(
                "INSERT INTO delta_outcomes (run, number_n, kind, source_id, of_kind, of_id, status, cause, remedy, hash, unit, losses) \
                 SELECT $1, $2, $3, $4, $5, $6, o.status, o.cause, o.remedy, o.hash, o.unit, \
                 (SELECT json_group_array(json_array(l.field, l.how, l.note)) FROM losses l \
                  WHERE l.run = $1 AND l.kind = $3 AND l.source_id = $4) \
                 FROM (SELECT 1) one LEFT JOIN outcomes o ON o.run = $1 AND o.kind = $3 AND o.source_id = $4 WHERE true \
                 ON CONFLICT (run, number_n, kind, source_id) DO NOTHING",
                &which.run,
                which.number,
                kind,
                id,
                &record.kind,
                &record.id
            )
        })
        .collect()
}

/// An outcome as it is stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Was {
    pub status: String,
    pub cause: Option<String>,
    pub remedy: Option<String>,
    pub hash: String,
    pub unit: Option<i64>,
}

impl Was {
    pub(super) fn of(row: &sqlx::sqlite::SqliteRow) -> Result<Self, Error> {
        Ok(Self {
            status: row.try_get("status")?,
            cause: row.try_get("cause")?,
            remedy: row.try_get("remedy")?,
            hash: row.try_get("hash")?,
            unit: row.try_get("unit")?,
        })
    }

    /// Whether there is something at the destination.
    pub(super) fn is_loaded(&self) -> bool {
        ["created", "updated", "matched"].contains(&self.status.as_str())
    }
}

/// Gives a record an outcome that names the unit whose effects stand for it.
pub(super) async fn restated(
    around: &Surroundings,
    kind: &str,
    id: &str,
    to: &Was,
) -> Result<(Statement, LedgerEntry), Error> {
    let mut effects: Vec<String> = vec![];
    if let Some(unit) = to.unit {
        for row in around
            .store
            .rows(
                "SELECT effect FROM effects WHERE account = $1 AND kind = $2 AND source_id = $3 AND unit = $4 ORDER BY id",
                vec![
                    (&around.account).into(),
                    kind.into(),
                    id.into(),
                    unit.into(),
                ],
            )
            .await?
        {
            effects.push(row.try_get("effect")?);
        }
    }
    let cause = to.cause.as_deref();
    let statement = sql!(
        "INSERT INTO outcomes (account, run, kind, source_id, status, cause, remedy, hash, unit, at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (run, kind, source_id) DO UPDATE SET status = excluded.status, cause = excluded.cause, \
         remedy = excluded.remedy, hash = excluded.hash, unit = excluded.unit, at_ms = excluded.at_ms",
        &around.account,
        &around.run,
        kind,
        id,
        &to.status,
        cause,
        to.remedy.as_deref(),
        &to.hash,
        to.unit,
        around.clock.now()
    );
    let entry = LedgerEntry {
        run: around.run.clone(),
        record: format!("{kind}/{id}"),
        digest: outcome_digest(&to.status, cause.unwrap_or(""), &to.hash, &effects),
    };
    Ok((statement, entry))
}

/// Accounts for what was planned, by the outcomes. A record that the run made stays one that it made; one whose change was refused is
/// there as it was, and waits.
pub(super) async fn account(
    around: &Surroundings,
    extraction: &str,
    which: &Which,
) -> Result<(), Error> {
    let rows = around
        .store
        .rows(
            "SELECT d.kind, d.source_id, d.change, d.facts, o.status, o.cause, o.remedy, o.hash, o.unit, \
             b.status AS was_status, b.cause AS was_cause, b.remedy AS was_remedy, b.hash AS was_hash, b.unit AS was_unit, \
             (SELECT l.note FROM losses l WHERE l.run = d.run AND l.kind = d.kind AND l.source_id = d.source_id \
              AND l.field = d.kind AND l.how = 'lost' LIMIT 1) AS whole \
             FROM delta_records d \
             LEFT JOIN outcomes o ON o.run = d.run AND o.kind = d.kind AND o.source_id = d.source_id \
             LEFT JOIN delta_outcomes b ON b.run = d.run AND b.number_n = d.number_n AND b.kind = d.kind AND b.source_id = d.source_id \
             WHERE d.run = $1 AND d.number_n = $2 AND d.did = 'planned' ORDER BY d.kind, d.source_id",
            vec![(&which.run).into(), which.number.into()],
        )
        .await?;
    for row in rows {
        let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
        let mut facts: Facts = serde_json::from_str(&row.try_get::<String, _>("facts")?)?;
        let change: String = row.try_get("change")?;
        let status: Option<String> = row.try_get("status")?;
        let Some(status) = status else {
            continue;
        };
        let now = Was {
            status: status.clone(),
            cause: row.try_get("cause")?,
            remedy: row.try_get("remedy")?,
            hash: row.try_get("hash")?,
            unit: row.try_get("unit")?,
        };
        let was_status: Option<String> = row.try_get("was_status")?;
        let was = match was_status {
            Some(status) => Some(Was {
                status,
                cause: row.try_get("was_cause")?,
                remedy: row.try_get("was_remedy")?,
                hash: row.try_get("was_hash")?,
                unit: row.try_get("was_unit")?,
            }),
            None => None,
        };
        let whole: Option<String> = row.try_get("whole")?;
        let was_loaded = was.as_ref().is_some_and(Was::is_loaded);
        let (mut batch, mut ledger) = (vec![], vec![]);
        let (did, waits) = match (status.as_str(), was_loaded && change == "updated") {
            ("created", true) if facts.anew => ("recreated", false),
            ("matched", true) if whole.is_some() => {
                facts.why = facts.why.or(whole);
                ("left", true)
            }
            ("matched", true) => ("unchanged", false),
            ("rejected", true) => {
                facts.why = now.cause.clone();
                ("rejected", true)
            }
            (other, _) => (other, other == "rejected"),
        };
        if let Some(was) = &was
            && was_loaded
            && change == "updated"
            && !facts.anew
        {
            // A change that was refused leaves the record as it was; one that was made leaves it one that the run made.
            let to = match now.status.as_str() {
                "rejected" => Some(was.clone()),
                "updated" | "matched" if was.status == "created" => Some(Was {
                    status: "created".into(),
                    ..now.clone()
                }),
                _ => None,
            };
            if let Some(to) = to {
                let (statement, entry) = restated(around, &kind, &id, &to).await?;
                batch.push(statement);
                ledger.push(entry);
                inside(around, which, (&kind, &id), &now, &mut batch, &mut ledger).await?;
            }
        }
        if facts.target.is_none() {
            (facts.target, facts.url) = target(around, &kind, &id).await?;
        }
        batch.extend(noted(
            which,
            around.clock.now(),
            &Found {
                kind: &kind,
                id: &id,
                change: &change,
                did,
                waits,
                facts: &facts,
            },
        )?);
        around.store.write_ledger(batch, ledger).await?;
    }
    // What it says of a row that was replaced is not needed any more once it was said.
    around
        .store
        .write(vec![sql!(
            "DELETE FROM staged_before WHERE extraction = $1 AND pass < $2",
            extraction,
            which.pass
        )])
        .await?;
    Ok(())
}

/// What travels inside a changed record: what was made by the run stays made by it, what came with the change was made by that, and
/// where the change was refused it is as it was.
async fn inside(
    around: &Surroundings,
    which: &Which,
    (kind, id): (&str, &str),
    now: &Was,
    batch: &mut Vec<Statement>,
    ledger: &mut Vec<LedgerEntry>,
) -> Result<(), Error> {
    let rows = around
        .store
        .rows(
            "SELECT b.kind, b.source_id, b.status AS was_status, b.cause AS was_cause, b.remedy AS was_remedy, b.hash AS was_hash, \
             b.unit AS was_unit, o.status, o.cause, o.remedy, o.hash, o.unit FROM delta_outcomes b \
             JOIN outcomes o ON o.run = b.run AND o.kind = b.kind AND o.source_id = b.source_id \
             WHERE b.run = $1 AND b.number_n = $2 AND b.of_kind = $3 AND b.of_id = $4 AND NOT (b.kind = $3 AND b.source_id = $4)",
            vec![
                (&which.run).into(),
                which.number.into(),
                kind.into(),
                id.into(),
            ],
        )
        .await?;
    for row in rows {
        let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
        let is = Was::of(&row)?;
        let was_status: Option<String> = row.try_get("was_status")?;
        let to = match (now.status.as_str(), was_status) {
            ("rejected", Some(status)) => Was {
                status,
                cause: row.try_get("was_cause")?,
                remedy: row.try_get("was_remedy")?,
                hash: row.try_get("was_hash")?,
                unit: row.try_get("was_unit")?,
            },
            (_, Some(was)) if was == "created" && is.is_loaded() => Was {
                status: "created".into(),
                ..is
            },
            ("updated", None) if is.is_loaded() => Was {
                status: "created".into(),
                ..is
            },
            _ => continue,
        };
        let (statement, entry) = restated(around, &kind, &id, &to).await?;
        batch.push(statement);
        ledger.push(entry);
    }
    Ok(())
}

/// A record's own object, and where a person opens it.
pub(super) async fn target(
    around: &Surroundings,
    kind: &str,
    id: &str,
) -> Result<(Option<String>, Option<String>), Error> {
    let row = around
        .store
        .row(
            "SELECT target_kind, target_id, effect FROM effects WHERE account = $1 AND kind = $2 AND source_id = $3 AND part = 'main' \
             AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY id DESC LIMIT 1",
            vec![(&around.account).into(), kind.into(), id.into()],
        )
        .await?;
    let Some(row) = row else {
        return Ok((None, None));
    };
    let effect: crate::contract::ledger::Effect =
        serde_json::from_str(&row.try_get::<String, _>("effect")?)?;
    let target = format!(
        "{} {}",
        row.try_get::<String, _>("target_kind")?,
        row.try_get::<String, _>("target_id")?
    );
    Ok((Some(target), effect.url))
}

/// After deltas were taken back: their records are again what they were, but for those of which something could not be undone.
pub(super) async fn restore(
    around: &Surroundings,
    taken: &HashSet<i64>,
    first_id: i64,
) -> Result<(), Error> {
    let mut left: HashSet<(String, String)> = HashSet::new();
    around
        .store
        .each(
            "SELECT DISTINCT kind, source_id FROM effects WHERE run = $1 AND id >= $2 AND action <> 'matched' AND \
             (undo_status IS NULL OR undo_status IN ('conflict', 'cannot', 'failed'))",
            vec![(&around.run).into(), first_id.into()],
            |row| {
                left.insert((row.try_get("kind")?, row.try_get("source_id")?));
                Ok::<(), Error>(())
            },
        )
        .await?;
    // The oldest of several deltas says what was there before all of them.
    let mut was: BTreeMap<(String, String), (Was, String, bool)> = BTreeMap::new();
    let rows = around
        .store
        .rows(
            "SELECT number_n, kind, source_id, of_kind, of_id, status, cause, remedy, hash, unit, losses FROM delta_outcomes \
             WHERE run = $1 ORDER BY number_n",
            vec![(&around.run).into()],
        )
        .await?;
    for row in rows {
        let of: (String, String) = (row.try_get("of_kind")?, row.try_get("of_id")?);
        if !taken.contains(&row.try_get::<i64, _>("number_n")?) || left.contains(&of) {
            continue;
        }
        let key = (row.try_get("kind")?, row.try_get("source_id")?);
        let status: Option<String> = row.try_get("status")?;
        let is_new = status.is_none();
        let outcome = match status {
            Some(_) => Was::of(&row)?,
            None => Was {
                status: "skipped".into(),
                cause: Some(TAKEN_BACK.into()),
                ..Was::default()
            },
        };
        let losses = row.try_get::<String, _>("losses")?;
        was.entry(key).or_insert((outcome, losses, is_new));
    }
    for ((kind, id), (outcome, losses, _)) in &was {
        let (statement, entry) = restated(around, kind, id, outcome).await?;
        let mut batch = vec![
            statement,
            sql!(
                "DELETE FROM losses WHERE run = $1 AND kind = $2 AND source_id = $3",
                &around.run,
                kind,
                id
            ),
        ];
        for (field, how, note) in serde_json::from_str::<Vec<(String, String, String)>>(losses)? {
            batch.push(sql!(
                "INSERT INTO losses (run, kind, source_id, field, how, note) VALUES ($1, $2, $3, $4, $5, $6)",
                &around.run,
                kind,
                id,
                field,
                how,
                note
            ));
        }
        around.store.write_ledger(batch, vec![entry]).await?;
    }
    let mut batch = vec![];
    for (kind, id) in was.keys() {
        for number in taken {
            batch.push(sql!(
                "UPDATE delta_records SET did = 'taken-back', waits = 0 WHERE run = $1 AND number_n = $2 AND kind = $3 AND source_id = $4",
                &around.run,
                *number,
                kind,
                id
            ));
        }
    }
    around.store.write(batch).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fixtures::surroundings;

    fn which() -> Which {
        Which {
            run: "r1".into(),
            number: 1,
            pass: 2,
            since: 0,
            until: 1,
            from_pass: 1,
            closing: false,
            swept: false,
        }
    }

    fn record(kind: &str, id: &str, inside: &[&str]) -> Record {
        Record {
            key: format!("{kind}:{id}"),
            kind: kind.into(),
            id: id.into(),
            hash: "new".into(),
            marker: "m".into(),
            inside: inside
                .iter()
                .map(|id| ("message".to_owned(), (*id).to_owned(), "h".to_owned()))
                .collect(),
            missing: vec![],
            left_out: vec![],
            losses: vec![],
        }
    }

    async fn outcome(around: &Surroundings, kind: &str, id: &str, status: &str, hash: &str) {
        let to = Was {
            status: status.into(),
            hash: hash.into(),
            ..Was::default()
        };
        let (statement, entry) = restated(around, kind, id, &to).await.unwrap();
        around
            .store
            .write_ledger(vec![statement], vec![entry])
            .await
            .unwrap();
    }

    async fn status(around: &Surroundings, kind: &str, id: &str) -> (String, String) {
        let row = around
            .store
            .row(
                "SELECT status, hash FROM outcomes WHERE run = 'r1' AND kind = $1 AND source_id = $2",
                vec![kind.into(), id.into()],
            )
            .await
            .unwrap()
            .unwrap();
        (row.try_get("status").unwrap(), row.try_get("hash").unwrap())
    }

    async fn plan(around: &Surroundings, record: &Record, change: &str) {
        let mut batch = remember(&which(), record);
        batch.extend(
            noted(
                &which(),
                1,
                &Found {
                    kind: &record.kind,
                    id: &record.id,
                    change,
                    did: PLANNED,
                    waits: false,
                    facts: &Facts::default(),
                },
            )
            .unwrap(),
        );
        around.store.write(batch).await.unwrap();
    }

    #[tokio::test]
    async fn a_record_that_the_run_made_stays_one_when_it_is_changed_and_is_what_it_was_when_that_is_taken_back()
     {
        let (_dir, around) = surroundings("r1").await;
        outcome(&around, "conversation", "c1", "created", "old").await;
        outcome(&around, "message", "m1", "created", "h").await;
        plan(
            &around,
            &record("conversation", "c1", &["m1", "m2"]),
            "updated",
        )
        .await;
        // The unit: a message was added.
        outcome(&around, "conversation", "c1", "updated", "new").await;
        outcome(&around, "message", "m1", "updated", "h").await;
        outcome(&around, "message", "m2", "updated", "h").await;
        account(&around, "x1", &which()).await.unwrap();
        for (kind, id) in [("conversation", "c1"), ("message", "m1"), ("message", "m2")] {
            assert_eq!(status(&around, kind, id).await.0, "created", "{id}");
        }
        assert!(around.store.chain_holds().await.unwrap());

        restore(&around, &HashSet::from([1]), 1).await.unwrap();
        assert_eq!(
            status(&around, "conversation", "c1").await,
            ("created".into(), "old".into())
        );
        assert_eq!(status(&around, "message", "m2").await.0, "skipped");
        assert!(around.store.chain_holds().await.unwrap());
    }

    #[tokio::test]
    async fn a_change_that_was_refused_leaves_the_record_as_it_was_and_waits_for_a_person() {
        let (_dir, around) = surroundings("r1").await;
        outcome(&around, "customer", "ana", "created", "old").await;
        plan(&around, &record("customer", "ana", &[]), "updated").await;
        outcome(&around, "customer", "ana", "rejected", "new").await;
        account(&around, "x1", &which()).await.unwrap();
        assert_eq!(
            status(&around, "customer", "ana").await,
            ("created".into(), "old".into())
        );
        let waits = around
            .store
            .number(
                "SELECT count(*) FROM delta_records WHERE waits = 1 AND did = 'rejected'",
                vec![],
            )
            .await
            .unwrap();
        assert_eq!(waits, 1);
    }
}
