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

/// To come.
pub async fn texts(_cx: &Context, _owner: crate::map::Owner) -> Result<std::collections::BTreeMap<String, Vec<String>>, Error> {
    Ok(std::collections::BTreeMap::new())
}
/// To come.
pub fn has_choices(_items: &[Item]) -> bool {
    false
}
