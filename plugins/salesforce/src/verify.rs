//! Reading back what was written, in the contract's words.

use transload_sdk::Context;
use transload_sdk::destination::{Observed, Written};
use transload_sdk::types::Error;

/// Reads back. Reads only.
///
/// # Errors
/// What ends a unit.
pub async fn read_back(cx: &Context, written: Vec<Written>) -> Result<Vec<Observed>, Error> {
    let _ = (cx, written);
    Err(Error::Unsupported("not written yet".to_owned()))
}
