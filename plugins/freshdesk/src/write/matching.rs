//! Which records are there already (rule M-7).
use transload_sdk::Context;
use transload_sdk::destination::{Item, MatchResult};
use transload_sdk::types::{Error, Kind};
/// Which items are there already.
///
/// # Errors
/// What ends the unit.
pub async fn match_items(
    _cx: &Context,
    _kind: &Kind,
    items: &[Item],
) -> Result<Vec<MatchResult>, Error> {
    Ok(items
        .iter()
        .map(|i| MatchResult {
            item: i.key.clone(),
            candidates: Vec::new(),
        })
        .collect())
}
