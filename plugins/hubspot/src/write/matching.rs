//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::{Item, MatchResult};
use transload_sdk::types::{Error, Kind};

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn match_items(_: &Context, _: &Kind, _: &[Item]) -> Result<Vec<MatchResult>, Error> {
    Err(Error::Unsupported("match".to_owned()))
}
