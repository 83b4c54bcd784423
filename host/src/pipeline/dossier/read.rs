//! Reading it from the store.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use sqlx::Row as _;

use super::{
    ChainHead, ConnectionPace, Dossier, FileSum, MOST_OWNERS, MOST_REJECTED, ObjectSum, Owner,
    Owners, Planned, PluginUsed, Rejected, Timeline,
};
use crate::contract::ledger::Effect;
use crate::contract::types::BlobRef;
use crate::error::Error;
use crate::pipeline::extract::unsigned;
use crate::pipeline::sums;
use crate::sql;
use crate::store::Store;

/// Steps of the timeline, at most: as many as can be told apart on a page.
const STEPS: i64 = 96;
/// How long a step may be: round times, from the pace at which requests are counted.
const STEP_MS: [i64; 15] = [
    2_000,
    5_000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    43_200_000,
    86_400_000,
    604_800_000,
];

/// Reads everything that a page says of a run.
///
/// # Errors
/// A store error, or `no-such-run`.
pub async fn read(store: &Store, run: &str, now: i64) -> Result<Dossier, Error> {
    // Before all else: what is read after it is at least as new.
    let head = head(store).await?;
    let report = sums::report_stored(store, run).await?;
    let row = store
        .row(
            "SELECT extraction, source, destination FROM runs WHERE id = $1",
            vec![run.into()],
        )
        .await?
        .ok_or_else(|| Error::input("no-such-run", format!("there is no run {run}")))?;
    let of = Of {
        run: run.to_owned(),
        extraction: row.try_get("extraction")?,
        source: row.try_get("source")?,
        destination: row.try_get("destination")?,
    };
    Ok(Dossier {
        made_at: now,
        content: true,
        plugins: plugins(store, run).await?,
        head,
        timeline: timeline(store, &of, report.started_at, report.ended_at).await?,
        rejected: rejected(store, &of).await?,
        owners: owners(store, &of).await?,
        files: files(store, &of).await?,
        objects: objects(store, run).await?,
        plan: plan(store, run).await?,
        report,
    })
}

/// Keeps that a page was given out, by its bytes.
///
/// # Errors
/// A store error.
pub async fn give_out(store: &Store, dossier: &Dossier, sha256: &str) -> Result<(), Error> {
    let row = sql!(
        "INSERT INTO pages (sha256, run, at_ms, chain_seq, chain_hash) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sha256) DO NOTHING",
        sha256,
        &dossier.report.run,
        dossier.made_at,
        dossier.head.links,
        &dossier.head.hash
    );
    Ok(store.write(vec![row]).await?)
}

/// A run and what it is about.
struct Of {
    run: String,
    extraction: String,
    source: String,
    destination: String,
}

/// The end of the chain.
///
/// # Errors
/// A store error.
pub async fn head(store: &Store) -> Result<ChainHead, Error> {
    let last = store
        .row(
            "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1",
            vec![],
        )
        .await?;
    Ok(match last {
        Some(row) => ChainHead {
            links: row.try_get("seq")?,
            hash: row.try_get("hash")?,
        },
        None => ChainHead::default(),
    })
}

async fn plugins(store: &Store, run: &str) -> Result<Vec<PluginUsed>, Error> {
    store
        .rows(
            "SELECT role, name, version, digest FROM run_plugins WHERE run = $1 ORDER BY role DESC",
            vec![run.into()],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(PluginUsed {
                role: row.try_get("role")?,
                name: row.try_get("name")?,
                version: row.try_get("version")?,
                digest: row.try_get("digest")?,
            })
        })
        .collect()
}

/// The plan; none for a run that was begun before plans were kept, or by a version whose plans said other things.
async fn plan(store: &Store, run: &str) -> Result<Option<Planned>, Error> {
    let row = store
        .row(
            "SELECT body FROM run_plans WHERE run = $1",
            vec![run.into()],
        )
        .await?;
    let body: Option<String> = row.map(|row| row.try_get("body")).transpose()?;
    Ok(body.and_then(|body| serde_json::from_str(&body).ok()))
}

async fn timeline(
    store: &Store,
    of: &Of,
    from: i64,
    ended: Option<i64>,
) -> Result<Timeline, Error> {
    let to = match ended {
        Some(ended) => ended,
        None => {
            let settled = store
                .number(
                    "SELECT max(at_ms) FROM outcomes WHERE run = $1",
                    vec![(&of.run).into()],
                )
                .await?;
            let sent = store
                .number(
                    "SELECT max(at_ms) FROM request_times WHERE run IN ($1, $2)",
                    vec![(&of.run).into(), (&of.extraction).into()],
                )
                .await?;
            settled.max(sent)
        }
    };
    let (step_ms, steps) = steps(to.saturating_sub(from).max(0));
    let mut timeline = Timeline {
        from,
        step_ms,
        arrived: vec![0; steps],
        aside: vec![0; steps],
        rejected: vec![0; steps],
        connections: vec![],
    };
    let within = |step: i64| usize::try_from(step).ok().filter(|step| *step < steps);
    for row in store
        .rows(
            "SELECT (at_ms - $2) / $3 AS step, status, count(*) AS n FROM outcomes \
             WHERE run = $1 AND kind <> 'own' AND at_ms >= $2 GROUP BY step, status",
            vec![(&of.run).into(), from.into(), step_ms.into()],
        )
        .await?
    {
        let status: String = row.try_get("status")?;
        let series = match status.as_str() {
            "created" | "updated" | "matched" => &mut timeline.arrived,
            "skipped" | "exported" => &mut timeline.aside,
            "rejected" => &mut timeline.rejected,
            _ => continue,
        };
        if let Some(at) = within(row.try_get("step")?).and_then(|step| series.get_mut(step)) {
            *at += unsigned(row.try_get("n")?);
        }
    }
    for (connection, role, of_whom) in [
        (&of.source, "source", &of.extraction),
        (&of.destination, "destination", &of.run),
    ] {
        let mut pace = ConnectionPace {
            connection: connection.clone(),
            role: role.to_owned(),
            sent: vec![0; steps],
            fullest: vec![None; steps],
            rule: None,
        };
        let mut rules: BTreeMap<String, u64> = BTreeMap::new();
        store
            .each(
                "SELECT (at_ms - $3) / $4 AS step, count_n, rule, used, allowed FROM request_times \
                 WHERE run = $1 AND connection = $2 AND at_ms >= $3 ORDER BY at_ms",
                vec![
                    of_whom.into(),
                    connection.into(),
                    from.into(),
                    step_ms.into(),
                ],
                |row| {
                    let Some(step) = within(row.try_get("step")?) else {
                        return Ok(());
                    };
                    if let Some(sent) = pace.sent.get_mut(step) {
                        *sent += unsigned(row.try_get("count_n")?);
                    }
                    let Some(rule) = row.try_get::<Option<String>, _>("rule")? else {
                        return Ok(());
                    };
                    *rules.entry(rule).or_insert(0) += 1;
                    let (used, allowed) = (
                        unsigned(row.try_get("used")?),
                        unsigned(row.try_get("allowed")?),
                    );
                    let percent = used.saturating_mul(100) / allowed.max(1);
                    if let Some(fullest) = pace.fullest.get_mut(step) {
                        *fullest = Some(fullest.unwrap_or(0).max(percent));
                    }
                    Ok::<(), Error>(())
                },
            )
            .await?;
        pace.rule = rules
            .into_iter()
            .max_by_key(|(_, times)| *times)
            .map(|(rule, _)| rule);
        if pace.sent.iter().any(|sent| *sent > 0) {
            timeline.connections.push(pace);
        }
    }
    Ok(timeline)
}

/// How long a step is and how many there are, for so much time; the last moment is in the last step.
fn steps(span: i64) -> (i64, usize) {
    let longest = STEP_MS.last().copied().unwrap_or(1);
    let step = STEP_MS
        .into_iter()
        .find(|step| span / step < STEPS)
        .unwrap_or_else(|| longest * (span / longest / STEPS + 1));
    (step, usize::try_from(span / step + 1).unwrap_or(1))
}

/// Rejected records with what a person needs to find them.
pub(super) const REJECTED: &str = "SELECT o.kind, o.source_id, coalesce(s.name, '') AS name, coalesce(o.cause, '') AS cause, \
     coalesce(o.remedy, '') AS remedy, s.payload FROM outcomes o LEFT JOIN staged s ON s.extraction = $2 AND s.kind = o.kind \
     AND s.id = o.source_id WHERE o.run = $1 AND o.status = 'rejected' ORDER BY o.kind, o.source_id";

/// A row of [`REJECTED`].
pub(super) fn rejected_row(row: &sqlx::sqlite::SqliteRow) -> Result<Rejected, Error> {
    #[derive(Deserialize)]
    struct Payload {
        head: Head,
    }
    #[derive(Deserialize)]
    struct Head {
        url: Option<String>,
    }
    let payload: Option<String> = row.try_get("payload")?;
    let payload: Option<Payload> = payload
        .map(|text| serde_json::from_str(&text))
        .transpose()?;
    Ok(Rejected {
        kind: row.try_get("kind")?,
        id: row.try_get("source_id")?,
        name: row.try_get("name")?,
        url: payload
            .and_then(|payload| payload.head.url)
            .unwrap_or_default(),
        cause: row.try_get("cause")?,
        remedy: row.try_get("remedy")?,
    })
}

async fn rejected(store: &Store, of: &Of) -> Result<Vec<Rejected>, Error> {
    store
        .rows(
            // As many as a page holds.
            "SELECT o.kind, o.source_id, coalesce(s.name, '') AS name, coalesce(o.cause, '') AS cause, \
             coalesce(o.remedy, '') AS remedy, s.payload FROM outcomes o LEFT JOIN staged s ON s.extraction = $2 \
             AND s.kind = o.kind AND s.id = o.source_id WHERE o.run = $1 AND o.status = 'rejected' \
             ORDER BY o.kind, o.source_id LIMIT $3",
            vec![
                (&of.run).into(),
                (&of.extraction).into(),
                (MOST_REJECTED as u64).into(),
            ],
        )
        .await?
        .iter()
        .map(rejected_row)
        .collect()
}

/// Agents. One of whom the whole is lost or converted, rather than a field, has a stand-in.
async fn owners(store: &Store, of: &Of) -> Result<Owners, Error> {
    let conversations = by_first_assignee(store, &of.extraction).await?;
    let mut owners = Owners::default();
    for row in store
        .rows(
            "SELECT s.id, coalesce(s.name, '') AS name, coalesce(o.status, '') AS status, e.target_id, e.effect, \
             EXISTS (SELECT 1 FROM losses l WHERE l.run = $2 AND l.kind = 'agent' AND l.source_id = s.id AND l.field = 'agent') \
             AS replaced FROM staged s \
             LEFT JOIN outcomes o ON o.run = $2 AND o.kind = 'agent' AND o.source_id = s.id \
             LEFT JOIN effects e ON e.account = o.account AND e.run = $2 AND e.kind = 'agent' AND e.source_id = s.id \
             AND e.part = 'main' WHERE s.extraction = $1 AND s.kind = 'agent' ORDER BY s.id, e.id",
            vec![(&of.extraction).into(), (&of.run).into()],
        )
        .await?
    {
        let id: String = row.try_get("id")?;
        let effect: Option<String> = row.try_get("effect")?;
        let effect: Option<Effect> = effect.map(|text| serde_json::from_str(&text)).transpose()?;
        let owner = Owner {
            conversations: conversations.get(&id).copied().unwrap_or(0),
            id,
            name: row.try_get("name")?,
            outcome: row.try_get("status")?,
            target: match row.try_get("replaced")? {
                true => None,
                false => row.try_get("target_id")?,
            },
            url: effect.and_then(|effect| effect.url),
        };
        match owners.list.last_mut().filter(|last| last.id == owner.id) {
            // Touched twice; the newer effect is what holds.
            Some(last) => *last = owner,
            None => owners.list.push(owner),
        }
    }
    owners.all = owners.list.len() as u64;
    for owner in &owners.list {
        match owner.target {
            Some(_) => {
                owners.known += 1;
                owners.conversations_known += owner.conversations;
            }
            None => owners.conversations_other += owner.conversations,
        }
    }
    owners.list.sort_by(|a, b| {
        let order = |owner: &Owner| {
            (
                owner.target.is_some(),
                std::cmp::Reverse(owner.conversations),
            )
        };
        order(a).cmp(&order(b)).then_with(|| a.id.cmp(&b.id))
    });
    owners.list.truncate(MOST_OWNERS);
    Ok(owners)
}

/// How many conversations have an agent as their first assignee.
async fn by_first_assignee(store: &Store, extraction: &str) -> Result<HashMap<String, u64>, Error> {
    #[derive(Deserialize)]
    struct Payload {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        #[serde(rename = "Conversation")]
        conversation: Option<Conversation>,
    }
    #[derive(Deserialize)]
    struct Conversation {
        assignees: Vec<Reference>,
    }
    #[derive(Deserialize)]
    struct Reference {
        id: String,
    }
    let mut counts = HashMap::new();
    store
        .each(
            "SELECT payload FROM staged WHERE extraction = $1 AND kind = 'conversation'",
            vec![extraction.into()],
            |row| {
                let payload: Payload = serde_json::from_str(row.try_get("payload")?)?;
                let first = payload
                    .data
                    .conversation
                    .and_then(|conversation| conversation.assignees.into_iter().next());
                if let Some(first) = first {
                    *counts.entry(first.id).or_insert(0) += 1;
                }
                Ok::<(), Error>(())
            },
        )
        .await?;
    Ok(counts)
}

async fn files(store: &Store, of: &Of) -> Result<Vec<FileSum>, Error> {
    let mut sums: BTreeMap<String, FileSum> = BTreeMap::new();
    store
        .each(
            "SELECT coalesce(o.status, 'open') AS status, s.blob FROM staged s LEFT JOIN outcomes o ON o.run = $2 \
             AND o.kind = s.kind AND o.source_id = s.id WHERE s.extraction = $1 AND s.kind = 'attachment'",
            vec![(&of.extraction).into(), (&of.run).into()],
            |row| {
                let outcome: String = row.try_get("status")?;
                let sum = sums.entry(outcome.clone()).or_insert(FileSum {
                    outcome,
                    files: 0,
                    fetched: 0,
                    bytes: 0,
                });
                sum.files += 1;
                if let Some(blob) = row.try_get::<Option<String>, _>("blob")? {
                    let blob: BlobRef = serde_json::from_str(&blob)?;
                    sum.fetched += 1;
                    sum.bytes += blob.size;
                }
                Ok::<(), Error>(())
            },
        )
        .await?;
    let mut sums: Vec<FileSum> = sums.into_values().collect();
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.files));
    Ok(sums)
}

async fn objects(store: &Store, run: &str) -> Result<Vec<ObjectSum>, Error> {
    let mut sums: BTreeMap<String, ObjectSum> = BTreeMap::new();
    for row in store
        .rows(
            "SELECT target_kind, action, count(*) AS n, \
             sum(CASE WHEN undo_status IN ('undone', 'gone', 'restored') THEN 1 ELSE 0 END) AS undone \
             FROM effects WHERE run = $1 GROUP BY target_kind, action",
            vec![run.into()],
        )
        .await?
    {
        let target_kind: String = row.try_get("target_kind")?;
        let sum = sums.entry(target_kind.clone()).or_insert(ObjectSum {
            target_kind,
            created: 0,
            updated: 0,
            matched: 0,
            undone: 0,
        });
        let n = unsigned(row.try_get("n")?);
        match row.try_get::<String, _>("action")?.as_str() {
            "created" => sum.created += n,
            "updated" => sum.updated += n,
            _ => sum.matched += n,
        }
        sum.undone += unsigned(row.try_get("undone")?);
    }
    let mut sums: Vec<ObjectSum> = sums.into_values().collect();
    sums.sort_by_key(|sum| std::cmp::Reverse(sum.created + sum.updated));
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_has_no_more_steps_than_can_be_told_apart_and_holds_its_last_moment() {
        for span in [
            0,
            1,
            1_999,
            191_999,
            192_000,
            3_600_000,
            86_400_000 * 40,
            i64::from(u32::MAX) * 10_000,
        ] {
            let (step, steps) = steps(span);
            assert!(steps as i64 <= STEPS, "{span}: {steps} of {step}");
            assert!(span < step * steps as i64, "{span}: {steps} of {step}");
        }
        assert_eq!(super::steps(40_000), (2_000, 21));
    }
}
