//! To come.
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
use transload_sdk::types::Error;
/// Exports. # Errors: none
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|i| export(cx, i));
    Ok(())
}
/// Exports. # Errors: none
pub async fn customers(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|i| export(cx, i));
    Ok(())
}
