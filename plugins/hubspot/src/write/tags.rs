//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn tags(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("tags".to_owned()))
}

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn brands(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("brands".to_owned()))
}
