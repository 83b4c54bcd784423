//! Which records a sample takes: of every sort one, then others as chance would have it, and always the same for the same seed.
//!
//! A record has *traits*: its status, its channels, its type, what became of it, whether it carries files, notes or losses, which custom
//! fields it has. For each trait the record that comes first by the digest of seed and id is taken, and the longest thread; the rest is
//! filled in the order of that digest. One pass over the kind's rows; memory grows with the traits and the size of the sample.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use sqlx::Row as _;

use super::super::assemble::expected_messages;
use crate::contract::types::{ConversationStatus, Entity, Entry};
use crate::error::Error;
use crate::kinds;
use crate::store::{Store, sha256};

/// So many traits of a kind are looked for at most: an account may have thousands of custom fields and tags.
const TRAITS: usize = 400;
/// Of every kind at least so many, where there are.
const LEAST: u64 = 5;

/// How many records of each kind a sample of `size` takes, of those that there are. Small kinds are not crowded out: each has its
/// least, and the rest is divided in proportion.
pub fn shares(there: &BTreeMap<String, u64>, size: u64) -> BTreeMap<String, u64> {
    let total: u64 = there.values().sum();
    if total <= size {
        return there.clone();
    }
    let least = LEAST.min((size / u64::try_from(there.len().max(1)).unwrap_or(1)).max(1));
    let mut shares: BTreeMap<String, u64> = there
        .iter()
        .map(|(kind, n)| (kind.clone(), (*n).min(least)))
        .collect();
    let left = size.saturating_sub(shares.values().sum());
    let rest: u64 = there.values().map(|n| n.saturating_sub(least)).sum();
    for (kind, n) in there {
        let more = n
            .saturating_sub(least)
            .saturating_mul(left)
            .checked_div(rest);
        if let Some(share) = shares.get_mut(kind) {
            *share += more.unwrap_or(0);
        }
    }
    shares
}

/// Where a record stands in the order of a seed.
fn rank(seed: u64, kind: &str, id: &str) -> String {
    sha256(&format!("{seed}/{kind}/{id}"))
}

/// The records of a kind that a sample takes, by id. More than `size` where there are more sorts than that, up to twice as many.
///
/// # Errors
/// A store error.
pub async fn choose(
    store: &Store,
    (run, extraction, kind): (&str, &str, &str),
    size: u64,
    seed: u64,
) -> Result<Vec<String>, Error> {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    // The first by rank of each trait, and the longest thread.
    let mut of_trait: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut longest: Option<(u64, String)> = None;
    let mut first: BinaryHeap<(String, String)> = BinaryHeap::new();
    store
        .each(
            "SELECT s.id, s.payload, o.status, EXISTS (SELECT 1 FROM losses l WHERE l.run = $1 AND l.kind = $3 AND l.source_id = s.id) AS lossy, \
             EXISTS (SELECT 1 FROM staged m JOIN staged a ON a.extraction = m.extraction AND a.kind = 'attachment' AND a.parent = m.id \
             WHERE m.extraction = $2 AND m.kind = 'message' AND m.parent = s.id) AS files \
             FROM staged s JOIN outcomes o ON o.run = $1 AND o.kind = s.kind AND o.source_id = s.id \
             WHERE s.extraction = $2 AND s.kind = $3 AND EXISTS (SELECT 1 FROM effects e WHERE e.run = $1 AND e.kind = s.kind \
             AND e.source_id = s.id AND e.part = 'main')",
            vec![run.into(), extraction.into(), kind.into()],
            |row| {
                let id: String = row.try_get("id")?;
                let entry: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
                let rank = rank(seed, kind, &id);
                let mut all = traits(&entry);
                all.insert(format!("outcome {}", row.try_get::<String, _>("status")?));
                for (name, column) in [("with losses", "lossy"), ("with files", "files")] {
                    if row.try_get::<i64, _>(column)? > 0 {
                        all.insert(name.to_owned());
                    }
                }
                for one in all {
                    let known = of_trait.len();
                    match of_trait.get_mut(&one) {
                        Some(best) if best.0 > rank => *best = (rank.clone(), id.clone()),
                        Some(_) => {}
                        None if known < TRAITS => {
                            of_trait.insert(one, (rank.clone(), id.clone()));
                        }
                        None => {}
                    }
                }
                let length = expected_messages(&entry);
                if length > 0 && longest.as_ref().is_none_or(|(most, _)| *most < length) {
                    longest = Some((length, id.clone()));
                }
                first.push((rank, id));
                if first.len() > size {
                    first.pop();
                }
                Ok::<(), Error>(())
            },
        )
        .await?;
    let mut chosen: BTreeSet<String> = BTreeSet::new();
    chosen.extend(longest.map(|(_, id)| id));
    let mut by_rank: Vec<(String, String)> = of_trait.into_values().collect();
    by_rank.sort();
    for (_, id) in by_rank {
        if chosen.len() < size.saturating_mul(2) {
            chosen.insert(id);
        }
    }
    for (_, id) in first.into_sorted_vec() {
        if chosen.len() < size {
            chosen.insert(id);
        }
    }
    Ok(chosen.into_iter().collect())
}

/// What sort of record it is, in words.
fn traits(entry: &Entry) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for field in &entry.head.fields {
        all.insert(format!("field {}", field.name));
    }
    match &entry.data {
        Entity::Conversation(conversation) => {
            all.insert(match &conversation.status {
                ConversationStatus::Open => "status open".to_owned(),
                ConversationStatus::Snoozed => "status snoozed".to_owned(),
                ConversationStatus::Closed => "status closed".to_owned(),
                ConversationStatus::Other(word) => format!("status {word}"),
            });
            for channel in &conversation.channels {
                all.insert(format!("channel {channel}"));
            }
            if let Some(priority) = &conversation.priority {
                all.insert(format!("priority {}", priority.value));
            }
            let has: [(bool, &str); 6] = [
                (conversation.note_count.unwrap_or(0) > 0, "with notes"),
                (conversation.message_count == Some(0), "without messages"),
                (conversation.assignees.len() > 1, "several assignees"),
                (!conversation.tags.is_empty(), "with tags"),
                (conversation.satisfaction.is_some(), "with a judgement"),
                (conversation.brand.is_some(), "with a brand"),
            ];
            all.extend(
                has.iter()
                    .filter(|(has, _)| *has)
                    .map(|(_, word)| (*word).to_owned()),
            );
        }
        Entity::Customer(customer) => {
            let has: [(bool, &str); 4] = [
                (customer.company.is_some(), "with a company"),
                (customer.addresses.is_empty(), "without an address"),
                (customer.addresses.len() > 2, "several addresses"),
                (!customer.merged_from.is_empty(), "merged"),
            ];
            all.extend(
                has.iter()
                    .filter(|(has, _)| *has)
                    .map(|(_, word)| (*word).to_owned()),
            );
        }
        Entity::CustomObject(object) => {
            all.insert(format!("type {}", object.object_type));
        }
        Entity::Relationship(link) => {
            let kind = |of| kinds::name(of).to_owned();
            all.insert(format!(
                "from {} to {}",
                kind(&link.source.kind),
                kind(&link.target.kind)
            ));
        }
        Entity::FieldDefinition(field) => {
            all.insert(format!("owner {}", kinds::name(&field.owner.kind)));
        }
        _ => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::fixtures::{EXTRACTION, conversation, run, stage, store};
    use super::*;
    use crate::sql;

    fn counts(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
        all.iter()
            .map(|(kind, n)| ((*kind).to_owned(), *n))
            .collect()
    }

    #[test]
    fn small_kinds_are_not_crowded_out_and_the_sum_is_what_was_asked_for() {
        let there = counts(&[("team", 3), ("customer", 1_000), ("conversation", 9_000)]);
        let shares = shares(&there, 200);
        assert_eq!(shares["team"], 3);
        assert!(shares["customer"] >= 20 && shares["conversation"] > 150);
        assert!(
            (190..=200).contains(&shares.values().sum::<u64>()),
            "{shares:?}"
        );
        assert_eq!(super::shares(&there, 20_000), there);
        let tiny = super::shares(&there, 2);
        assert!(tiny.values().all(|n| *n >= 1), "{tiny:?}");
    }

    #[tokio::test]
    async fn a_sample_has_every_sort_and_is_the_same_for_the_same_seed() {
        let (_dir, store) = store().await;
        run(&store, "r1", "complete").await;
        let mut entries = vec![];
        for n in 0..300 {
            let status = if n == 123 {
                json!({"Other": "odd"})
            } else {
                json!("Open")
            };
            let mut entry = conversation(&format!("c{n:03}"), "ana", status);
            if let Entity::Conversation(conversation) = &mut entry.data {
                conversation.message_count = Some(if n == 77 { 900 } else { 3 });
                conversation.channels = vec![if n == 200 { "fax" } else { "email" }.to_owned()];
            }
            entries.push(entry);
        }
        stage(&store, &entries).await;
        for entry in &entries {
            let id = entry.head.id.as_str();
            store
                .write(vec![
                    sql!(
                        "INSERT INTO outcomes (account, run, kind, source_id, status, hash, at_ms) VALUES ('a2', 'r1', 'conversation', $1, 'created', 'h', 1)",
                        id
                    ),
                    sql!(
                        "INSERT INTO effects (id, account, run, kind, source_id, part, target_kind, target_id, action, marker, effect, unit, \
                         digest, at_ms) VALUES ($1, 'a2', 'r1', 'conversation', $2, 'main', 'ticket', $2, 'created', 'm', '{}', 1, 'd', 1)",
                        store.new_id(),
                        id
                    ),
                ])
                .await
                .unwrap();
        }
        let which = ("r1", EXTRACTION, "conversation");
        let first = choose(&store, which, 20, 1).await.unwrap();
        assert_eq!(first.len(), 20);
        for odd in ["c123", "c077", "c200"] {
            assert!(first.contains(&odd.to_owned()), "{odd} is not in {first:?}");
        }
        assert_eq!(choose(&store, which, 20, 1).await.unwrap(), first);
        assert_ne!(choose(&store, which, 20, 2).await.unwrap(), first);
    }
}
