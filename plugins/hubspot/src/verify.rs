//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::{Observed, Written};
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn read_back(_: &Context, _: Vec<Written>) -> Result<Vec<Observed>, Error> {
    Err(Error::Unsupported("read back".to_owned()))
}
