//! links.
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

use crate::client::Desk;

/// relationships.
///
/// # Errors
/// What ends the unit.
pub async fn relationships(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
