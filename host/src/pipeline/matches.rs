//! Which records the destination has already, asked before anything is written.
//!
//! Policy: a plan may cost tens of requests and not thousands, so of each kind that the destination matches so many records are
//! asked about as fit into a few calls, always the same ones; the plan says of how many. A connector that cannot look before it
//! was prepared is not an error: nothing is known then, and the plan says that by a number of 0.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::assemble::{Assembled, Assembler};
use super::side::Side;
use crate::contract::description::KindSupport;
use crate::contract::destination::Item;
use crate::error::Error;
use crate::kinds;
use crate::store::Store;
use crate::unit::blobs_of;
use crate::unit_host::KnownBlobs;

/// Records of one kind that the destination is asked about, at most.
const SAMPLE: u32 = 100;

/// What the destination said it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Asked about and found, by kind.
    by_kind: BTreeMap<String, (u64, u64)>,
}

impl Asked {
    /// Of how many records of a kind the destination was asked, and how many of them it has.
    #[must_use]
    pub fn of(&self, kind: &str) -> (u64, u64) {
        self.by_kind.get(kind).copied().unwrap_or_default()
    }
}

/// Asks the destination about some of the records that are staged.
///
/// # Errors
/// A store error.
pub async fn ask(
    store: &Store,
    extraction: &str,
    assembler: &Assembler,
    destination: &Side,
    supported: &[KindSupport],
) -> Result<Asked, Error> {
    let mut asked = Asked::default();
    for support in supported.iter().filter(|support| support.matches) {
        let kind = kinds::name(&support.kind);
        let limit = support.batch_items.clamp(1, SAMPLE);
        // Their hashes are as good as dice, and fall the same every time.
        let rows = store
            .rows(
                "SELECT id FROM staged WHERE extraction = $1 AND kind = $2 ORDER BY hash, id LIMIT $3",
                vec![extraction.into(), kind.into(), i64::from(limit).into()],
            )
            .await?;
        let mut items: Vec<Item> = vec![];
        for row in &rows {
            let id: String = row.try_get("id")?;
            if let Some(Assembled::Item(item, _)) = assembler.assemble(kind, &id).await? {
                items.push(*item);
            }
        }
        if items.is_empty() {
            continue;
        }
        let mut known = KnownBlobs::default();
        blobs_of(&items, &mut known);
        let found = destination
            .ask_about(known, "look for existing records", |host| {
                let (plugin, ctx) = (destination.plugin.clone(), destination.context.clone());
                let (kind, items) = (support.kind.clone(), items.clone());
                async move { plugin.match_items(host, ctx, kind, items).await }
            })
            .await;
        match found {
            Ok(results) => {
                let sure = |result: &&crate::contract::destination::MatchResult| {
                    result
                        .candidates
                        .first()
                        .is_some_and(|candidate| candidate.doubtful.is_none())
                };
                let there = results.iter().filter(sure).count() as u64;
                asked
                    .by_kind
                    .insert(kind.to_owned(), (items.len() as u64, there));
            }
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) if error.code() == "store" => return Err(error),
            Err(error) => {
                tracing::debug!(kind, %error, "What is there cannot be looked up before a run.");
            }
        }
    }
    Ok(asked)
}
