//! Tickets.
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

use crate::client::Desk;

/// Conversations.
///
/// # Errors
/// What ends the unit.
#[allow(clippy::unused_async, reason = "filled in another branch")]
pub async fn tickets(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
