//! The org before anything is written.

use transload_sdk::Context;
use transload_sdk::destination::SurveyReport;
use transload_sdk::session::Account;
use transload_sdk::types::Error;

/// Whom the credential belongs to.
///
/// # Errors
/// What ends a unit.
pub async fn check(cx: &Context) -> Result<Account, Error> {
    let _ = cx;
    Err(Error::Unsupported("not written yet".to_owned()))
}

/// What there could be.
///
/// # Errors
/// What ends a unit.
pub async fn survey(cx: &Context) -> Result<SurveyReport, Error> {
    let _ = cx;
    Err(Error::Unsupported("not written yet".to_owned()))
}
