//! Undoing what a run did: deletes what it made, puts back what it changed, leaves the rest.

use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::types::Error;

/// Undoes effects in the order given and reports each.
///
/// # Errors
/// What ends the unit; effects without an outcome stay open.
pub async fn undo(
    cx: &Context,
    mode: UndoMode,
    effects: Vec<Undoing>,
    ours: Vec<(String, String)>,
) -> Result<(), Error> {
    let _ = (cx, mode, effects, ours);
    Err(Error::Unsupported("not written yet".to_owned()))
}
