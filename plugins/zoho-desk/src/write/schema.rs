//! Schema.
use crate::client::Desk;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;
/// Object types.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
/// Fields.
///
/// # Errors
/// What ends the unit.
pub async fn fields(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
/// Tags.
///
/// # Errors
/// What ends the unit.
pub fn tags(_: &Desk, _: &[Item]) -> Result<(), Error> {
    Ok(())
}
