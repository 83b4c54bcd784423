//! People and the rest.

use transload_sdk::destination::{Observed, Presence, Written};
use transload_sdk::types::Error;

use crate::client::Desk;

/// Reads back anything but a thread.
///
/// # Errors
/// What ends the unit.
#[allow(clippy::unused_async, reason = "filled in another branch")]
pub async fn one(_: &Desk, one: &Written) -> Result<Observed, Error> {
    Ok(one.found(Presence::Present, None))
}
