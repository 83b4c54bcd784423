//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn records(_: &Context, _: &[Item]) -> Result<(), Error> {
    Err(Error::Unsupported("records".to_owned()))
}
