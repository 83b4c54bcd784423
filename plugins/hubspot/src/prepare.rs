//! Comes next.

use transload_sdk::Context;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn prepare(_: &Context) -> Result<String, Error> {
    Err(Error::Unsupported("prepare".to_owned()))
}
