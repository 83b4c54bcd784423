//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn companies(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("companies".to_owned()))
}

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn customers(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("customers".to_owned()))
}
