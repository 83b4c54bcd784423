//! Taking back tickets and notes.

use transload_sdk::destination::Undoing;
use transload_sdk::ledger::UndoStatus;
use transload_sdk::types::Error;

use super::{Undo, Verdict, verdict};

/// Puts a ticket that the run made into the trash.
pub(super) async fn ticket(_undo: &Undo<'_>, _one: &Undoing) -> Result<Verdict, Error> {
    Ok(verdict(UndoStatus::Cannot, "no way to delete a ticket"))
}

/// Deletes a note that the run made on a ticket.
pub(super) async fn note(_undo: &Undo<'_>, _one: &Undoing) -> Result<Verdict, Error> {
    Ok(verdict(UndoStatus::Cannot, "no way to delete a note"))
}

/// Puts back what the run changed on a ticket or note.
pub(super) async fn change(_undo: &Undo<'_>, _one: &Undoing) -> Result<Verdict, Error> {
    Ok(verdict(
        UndoStatus::Cannot,
        "no way to change a ticket back",
    ))
}
