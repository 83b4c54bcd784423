//! The account before anything is written.
use transload_sdk::Context;
use transload_sdk::destination::SurveyReport;
use transload_sdk::session::Account;
use transload_sdk::types::Error;
/// Whom the credential belongs to.
/// # Errors
/// Not yet.
pub async fn check(_cx: &Context) -> Result<Account, Error> {
    Err(Error::Unsupported("not yet".to_owned()))
}
/// What there could be.
/// # Errors
/// Not yet.
pub async fn survey(_cx: &Context) -> Result<SurveyReport, Error> {
    Err(Error::Unsupported("not yet".to_owned()))
}
/// What the connector needs.
/// # Errors
/// Not yet.
pub async fn prepare(_cx: &Context) -> Result<String, Error> {
    Err(Error::Unsupported("not yet".to_owned()))
}
