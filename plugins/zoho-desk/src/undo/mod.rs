//! Undoing what a run did.
use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::types::Error;

/// Undoes effects.
///
/// # Errors
/// What ends the unit.
#[allow(clippy::unused_async, reason = "filled in another branch")]
pub async fn undo(
    _: &Context,
    _: UndoMode,
    _: Vec<Undoing>,
    _: Vec<(String, String)>,
) -> Result<(), Error> {
    Ok(())
}
