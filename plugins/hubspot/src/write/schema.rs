//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn object_types(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("object_types".to_owned()))
}

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn fields(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("fields".to_owned()))
}
