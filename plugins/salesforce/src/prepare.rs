//! What the connector makes for itself.

use transload_sdk::Context;
use transload_sdk::types::Error;

/// Makes or finds it.
///
/// # Errors
/// What ends a unit.
pub async fn prepare(cx: &Context) -> Result<String, Error> {
    let _ = cx;
    Err(Error::Unsupported("not written yet".to_owned()))
}
