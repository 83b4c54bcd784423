//! How other errors become the contract's. Texts name places, never content.

use crate::http::HttpError;
use crate::json;
use crate::ledger::Refusal;
use crate::types::Error;

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::Bug(json::explain(&error))
    }
}

impl From<json::Misread> for Error {
    fn from(error: json::Misread) -> Self {
        Error::Bug(error.to_string())
    }
}

impl From<HttpError> for Error {
    /// `in-doubt` becomes `transient`: the unit ends, its items stay open, and the host knows of the doubt. A connector that
    /// can look the object up handles it before (see [`crate::http::create`]).
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unauthorized(why) => Error::Auth(why),
            HttpError::Quota(until) => Error::Quota(until),
            HttpError::Timeout => Error::Transient("no answer in time".to_owned()),
            HttpError::Connection(why) => Error::Transient(format!("no connection: {why}")),
            HttpError::Denied(what) => Error::Bug(format!("the request was not let out: {what}")),
            HttpError::TooLarge(Some(size)) => {
                Error::Bug(format!("an answer of {size} bytes wants a download"))
            }
            HttpError::TooLarge(None) => Error::Bug("a long answer wants a download".to_owned()),
            HttpError::InDoubt(doubt) => Error::Transient(format!(
                "the fate of a request is not known (attempts: {}, the last one at {})",
                doubt.attempts, doubt.sent_at
            )),
            HttpError::Cancelled => Error::Cancelled,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Bug(match refusal {
            Refusal::UnknownItem => "an outcome for an item that the unit does not have".to_owned(),
            Refusal::UnknownEntry(place) => {
                format!("an outcome for entry {place} of a body that has none there")
            }
            Refusal::Unclaimed(key) => format!(
                "no effect names the request {}/{}/{}, which was answered as done",
                key.item, key.part, key.step
            ),
            Refusal::InDoubt(key) => format!(
                "the item is given up while the request {}/{}/{} is in doubt",
                key.item, key.part, key.step
            ),
            Refusal::Unproven(what) => format!("`created` is not believed: {what}"),
        })
    }
}
