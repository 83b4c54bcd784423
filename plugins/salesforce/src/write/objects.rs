//! Records of custom objects.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Writes them.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let _ = (cx, items);
    Err(Error::Unsupported("not written yet".to_owned()))
}
