//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn teams(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("teams".to_owned()))
}

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn agents(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("agents".to_owned()))
}
