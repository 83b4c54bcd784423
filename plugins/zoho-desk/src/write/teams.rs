//! Teams.
use crate::client::Desk;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;
/// Teams.
///
/// # Errors
/// What ends the unit.
pub async fn teams(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
/// Agents.
///
/// # Errors
/// What ends the unit.
pub async fn agents(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
/// Brands.
///
/// # Errors
/// What ends the unit.
pub async fn brands(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
