//! Reading back.
use transload_sdk::Context;
use transload_sdk::destination::{Observed, Written};
use transload_sdk::types::Error;

/// Reads back what was written.
///
/// # Errors
/// What ends the unit.
#[allow(clippy::unused_async, reason = "filled in another branch")]
pub async fn read_back(_: &Context, _: Vec<Written>) -> Result<Vec<Observed>, Error> {
    Ok(Vec::new())
}
