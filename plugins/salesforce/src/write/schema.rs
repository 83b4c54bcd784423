//! Fields and objects.

use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::types::Error;

/// Writes them.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let _ = (cx, items);
    Err(Error::Unsupported("not written yet".to_owned()))
}

/// Writes them.
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let _ = (cx, items);
    Err(Error::Unsupported("not written yet".to_owned()))
}

/// Writes them.
///
/// # Errors
/// What ends the unit.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let _ = (cx, items);
    Err(Error::Unsupported("not written yet".to_owned()))
}

/// Writes them.
///
/// # Errors
/// What ends the unit.
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let _ = (cx, items);
    Err(Error::Unsupported("not written yet".to_owned()))
}
