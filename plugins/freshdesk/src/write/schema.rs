//! To come.
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::export;
use transload_sdk::types::Error;
/// Exports. # Errors: none
pub async fn object_types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|i| export(cx, i));
    Ok(())
}
/// Exports. # Errors: none
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|i| export(cx, i));
    Ok(())
}
/// Exports. # Errors: none
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|i| export(cx, i));
    Ok(())
}
/// Exports. # Errors: none
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    items.iter().for_each(|i| export(cx, i));
    Ok(())
}
