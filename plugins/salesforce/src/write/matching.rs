//! Which records are there already.

use transload_sdk::Context;
use transload_sdk::destination::{Item, MatchResult};
use transload_sdk::types::{Error, Kind};

/// Which items are there already.
///
/// # Errors
/// What ends the unit.
pub async fn match_items(
    cx: &Context,
    kind: &Kind,
    items: &[Item],
) -> Result<Vec<MatchResult>, Error> {
    let _ = (cx, kind, items);
    Err(Error::Unsupported("not written yet".to_owned()))
}
