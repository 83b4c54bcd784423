//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::{UndoMode, Undoing};
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn undo(
    _: &Context,
    _: UndoMode,
    _: Vec<Undoing>,
    _: Vec<(String, String)>,
) -> Result<(), Error> {
    Err(Error::Unsupported("undo".to_owned()))
}
