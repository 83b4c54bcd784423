//! Survey.
use transload_sdk::Context;
use transload_sdk::destination::SurveyReport;
use transload_sdk::session::Account;
use transload_sdk::types::Error;
/// Whose.
///
/// # Errors
/// What ends a unit.
pub async fn check(_: &Context) -> Result<Account, Error> {
    Err(Error::Cancelled)
}
/// What there could be.
///
/// # Errors
/// What ends a unit.
pub async fn survey(_: &Context) -> Result<SurveyReport, Error> {
    Err(Error::Cancelled)
}
/// What is needed.
///
/// # Errors
/// What ends a unit.
pub async fn prepare(_: &Context) -> Result<String, Error> {
    Err(Error::Cancelled)
}
