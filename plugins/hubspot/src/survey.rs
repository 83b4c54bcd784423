//! Comes next.

use transload_sdk::Context;
use transload_sdk::destination::SurveyReport;
use transload_sdk::session::Account;
use transload_sdk::types::Error;

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn check(_: &Context) -> Result<Account, Error> {
    Err(Error::Unsupported("check".to_owned()))
}

/// Comes next.
///
/// # Errors
/// `unsupported`.
pub async fn survey(_: &Context) -> Result<SurveyReport, Error> {
    Err(Error::Unsupported("survey".to_owned()))
}
