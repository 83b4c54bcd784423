//! objects.
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

use crate::client::Desk;

/// records.
///
/// # Errors
/// What ends the unit.
pub async fn records(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
