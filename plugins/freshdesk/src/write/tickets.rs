//! Conversations as tickets.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
use transload_sdk::types::Error;

/// Conversations, and notes on customers, as tickets.
///
/// # Errors
/// What ends the unit.
pub async fn tickets(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|item| export(cx, item));
    Ok(())
}
