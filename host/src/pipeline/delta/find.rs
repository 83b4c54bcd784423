//! Which records changed: by the pass in which their rows were staged, by what earlier deltas left open, and by comparing ids.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::Row as _;

use super::Which;
use super::before::{self, Facts, Found};
use crate::contract::types::{Entity, Kind};
use crate::error::Error;
use crate::kinds;
use crate::pipeline::extract::Extractor;
use crate::pipeline::load::HELD;
use crate::sql;
use crate::store::Store;
use crate::unit::Surroundings;

/// Kinds whose ids are compared: what a person deletes or merges. Messages and files go with what they hang on.
const SWEPT: [Kind; 4] = [
    Kind::Company,
    Kind::Customer,
    Kind::Conversation,
    Kind::CustomObject,
];
/// Ids that are looked up in one call, to be sure that they are gone.
const LOOKED_UP: usize = 40;

/// Compares all ids of the source with those that were loaded. A record that is missing is looked up before it is believed to be
/// gone: an index may not show it.
pub(super) async fn sweep(
    extractor: &Extractor<'_>,
    around: &Surroundings,
    which: &Which,
    wanted: &[Kind],
) -> Result<(), Error> {
    extractor.events.phase("compare ids");
    let mut batch = vec![];
    for kind in SWEPT.iter().filter(|kind| wanted.contains(kind)) {
        let word = kinds::name(kind);
        let swept = extractor.sweep(kind, which.until).await?;
        let mut loaded: BTreeSet<String> = BTreeSet::new();
        around
            .store
            .each(
                "SELECT source_id FROM outcomes WHERE run = $1 AND kind = $2 AND status IN ('created', 'updated', 'matched')",
                vec![(&which.run).into(), word.into()],
                |row| {
                    loaded.insert(row.try_get("source_id")?);
                    Ok::<(), Error>(())
                },
            )
            .await?;
        let mut merged: BTreeMap<String, String> = swept.merged.iter().cloned().collect();
        merged.retain(|id, _| loaded.contains(id));
        let mut deleted: BTreeSet<String> = swept.deleted.iter().cloned().collect();
        deleted.retain(|id| loaded.contains(id));
        let missing: Vec<String> = loaded
            .iter()
            .filter(|id| !swept.saw(id) && !merged.contains_key(*id))
            .cloned()
            .collect();
        for ids in missing.chunks(LOOKED_UP) {
            let mut there: HashSet<String> = HashSet::new();
            for entry in extractor.fetch(kind, ids).await? {
                let id = entry.head.id.clone();
                let survivor = match &entry.data {
                    Entity::Customer(customer) => customer.merged_into.as_ref(),
                    Entity::Conversation(conversation) => conversation.merged_into.as_ref(),
                    _ => None,
                };
                match survivor {
                    Some(survivor) => {
                        merged.insert(id.clone(), survivor.id.clone());
                    }
                    None if entry.head.deleted => {
                        deleted.insert(id.clone());
                    }
                    None => {}
                }
                there.insert(id);
            }
            deleted.extend(ids.iter().filter(|id| !there.contains(*id)).cloned());
        }
        for (id, survivor) in &merged {
            // From now on it is the survivor whom others refer to (rule M-7).
            batch.push(sql!(
                "INSERT INTO aliases (extraction, kind, id, survivor) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (extraction, kind, id) DO UPDATE SET survivor = $4",
                &extractor.extraction,
                word,
                id,
                survivor
            ));
            let facts = Facts {
                survivor: Some(survivor.clone()),
                ..Facts::default()
            };
            found(around, which, &mut batch, (word, id, "merged"), facts).await?;
        }
        for id in &deleted {
            if !merged.contains_key(id) {
                let facts = Facts::default();
                found(around, which, &mut batch, (word, id, "deleted"), facts).await?;
            }
        }
    }
    batch.push(sql!(
        "UPDATE deltas SET swept = 1 WHERE run = $1 AND number_n = $2",
        &which.run,
        which.number
    ));
    around.store.write(batch).await?;
    Ok(())
}

/// Notes what is gone, unless a person said of it that it is right as it is.
async fn found(
    around: &Surroundings,
    which: &Which,
    batch: &mut Vec<crate::store::Statement>,
    (kind, id, change): (&str, &str, &str),
    facts: Facts,
) -> Result<(), Error> {
    let said = around
        .store
        .number(
            "SELECT count(*) FROM delta_records WHERE run = $1 AND kind = $2 AND source_id = $3 AND change = $4 AND did = 'kept'",
            vec![(&which.run).into(), kind.into(), id.into(), change.into()],
        )
        .await?;
    if said == 0 {
        batch.extend(before::noted(
            which,
            around.clock.now(),
            &Found {
                kind,
                id,
                change,
                did: before::PLANNED,
                waits: false,
                facts: &facts,
            },
        )?);
    }
    Ok(())
}

/// The ids of records of a kind that may have to be written: what was staged since the run was loaded, of its own or inside it, what
/// an earlier delta left open, and, in the last one, what was held.
pub(super) async fn candidates(
    store: &Store,
    extraction: &str,
    which: &Which,
    kind: &str,
) -> Result<Vec<String>, Error> {
    let mut ids: BTreeSet<String> = BTreeSet::new();
    let args = || -> Vec<crate::store::Arg> {
        vec![extraction.into(), which.from_pass.into(), kind.into()]
    };
    let mut add = |rows: Vec<sqlx::sqlite::SqliteRow>| -> Result<(), Error> {
        for row in rows {
            ids.insert(row.try_get("id")?);
        }
        Ok(())
    };
    let own = match kinds::parse(kind) {
        // A message in a thread travels with its conversation.
        Kind::Message => {
            "SELECT s.id FROM staged s WHERE s.extraction = $1 AND s.pass >= $2 AND s.kind = $3 AND NOT EXISTS \
             (SELECT 1 FROM staged c WHERE c.extraction = $1 AND c.kind = 'conversation' AND c.id = s.parent)"
        }
        _ => "SELECT id FROM staged WHERE extraction = $1 AND pass >= $2 AND kind = $3",
    };
    add(store.rows(own, args()).await?)?;
    // Files stand below the kinds that carry them.
    let below = match kinds::parse(kind) {
        Kind::Message => {
            "SELECT DISTINCT p.id FROM staged f JOIN staged p ON p.extraction = f.extraction AND p.kind = $3 AND p.id = f.parent \
             WHERE f.extraction = $1 AND f.pass >= $2 AND f.kind = 'attachment' AND NOT EXISTS \
             (SELECT 1 FROM staged c WHERE c.extraction = $1 AND c.kind = 'conversation' AND c.id = p.parent)"
        }
        _ => {
            "SELECT DISTINCT p.id FROM staged f JOIN staged p ON p.extraction = f.extraction AND p.kind = $3 AND p.id = f.parent \
             WHERE f.extraction = $1 AND f.pass >= $2 AND f.kind = 'attachment'"
        }
    };
    add(store.rows(below, args()).await?)?;
    if kinds::parse(kind) == Kind::Conversation {
        add(store
            .rows(
                "SELECT DISTINCT c.id FROM staged m JOIN staged c ON c.extraction = m.extraction AND c.kind = $3 AND c.id = m.parent \
                 WHERE m.extraction = $1 AND m.pass >= $2 AND m.kind = 'message'",
                args(),
            )
            .await?)?;
        add(store
            .rows(
                "SELECT DISTINCT c.id FROM staged f JOIN staged m ON m.extraction = f.extraction AND m.kind = 'message' AND m.id = f.parent \
                 JOIN staged c ON c.extraction = f.extraction AND c.kind = $3 AND c.id = m.parent \
                 WHERE f.extraction = $1 AND f.pass >= $2 AND f.kind = 'attachment'",
                args(),
            )
            .await?)?;
    }
    add(store
        .rows(
            "SELECT source_id AS id FROM delta_records WHERE run = $1 AND waits = 1 AND kind = $2 AND change IN ('new', 'updated')",
            vec![(&which.run).into(), kind.into()],
        )
        .await?)?;
    if which.closing {
        add(store
            .rows(
                "SELECT source_id AS id FROM outcomes WHERE run = $1 AND kind = $2 AND status = 'skipped' AND cause = $3",
                vec![(&which.run).into(), kind.into(), HELD.into()],
            )
            .await?)?;
    }
    Ok(ids.into_iter().collect())
}
