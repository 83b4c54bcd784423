//! Everything but tickets.

use transload_sdk::destination::Undoing;
use transload_sdk::effects::{Verdict, verdict};
use transload_sdk::ledger::UndoStatus;
use transload_sdk::types::Error;

use super::Undo;

/// Undoes effects of one action on one kind, in their order.
///
/// # Errors
/// What ends the unit.
#[allow(clippy::unused_async, reason = "filled in another branch")]
pub async fn many(_: &Undo<'_>, all: &[&Undoing]) -> Result<Vec<Verdict>, Error> {
    Ok(all
        .iter()
        .map(|_| verdict(UndoStatus::Cannot, "no way to undo it"))
        .collect())
}
