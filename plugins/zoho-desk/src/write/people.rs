//! People.
use crate::client::Desk;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;
/// Companies.
///
/// # Errors
/// What ends the unit.
pub async fn companies(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
/// Customers.
///
/// # Errors
/// What ends the unit.
pub async fn customers(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
