//! How the connector talks to Zendesk: one place where a request is built and an answer is sorted.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives [`Sent`], because what a refusal or an
//! unseen answer means is known only to the caller. Refusals of the account as a whole (no credential, no quota) end the
//! unit and reject nothing (rule M-10). Not here: retries, pacing, credentials; those are the host's.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use transload_sdk::Context;
use transload_sdk::http::{self, Reply};
use transload_sdk::types::Error;

use crate::api::{JobStatus, Refusal};

/// Rows of a page (Zendesk facts §3).
pub const PAGE: usize = 100;
/// How often a job is asked after, ms. A job of 100 tickets takes some seconds.
const JOB_POLL_MS: u64 = 2_000;
/// After this a job counts as stuck, ms; its items stay unsettled.
const JOB_PATIENCE_MS: u64 = 1_800_000;

/// What became of a write.
pub type Sent = http::Sent<Refusal>;

/// Reads; `None` for 404.
///
/// # Errors
/// Anything but 2xx and 404.
pub async fn get(cx: &Context, path: &str) -> Result<Option<Reply>, Error> {
    http::get::<Refusal>(&cx.http(), path).await
}

/// Reads one member of an answer that has to be there.
///
/// # Errors
/// As [`get`], and `not-found` for 404.
pub async fn get_member<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    member: &str,
) -> Result<T, Error> {
    let found = get(cx, path).await?;
    found
        .ok_or_else(|| Error::NotFound(path.to_owned()))?
        .member(member)
}

/// Reads one member of an answer; `None` for 404.
///
/// # Errors
/// As [`get`].
pub async fn find_member<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    member: &str,
) -> Result<Option<T>, Error> {
    get(cx, path)
        .await?
        .map(|body| body.member(member))
        .transpose()
}

/// What a list by cursor says of its next page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Paging {
    meta: Meta,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    has_more: bool,
    after_cursor: Option<String>,
}

/// Reads a whole list by cursor, which has no depth limit (Zendesk facts §3). `path` may have a query.
///
/// # Errors
/// As [`get`]; a list that is 404 is empty, since that is what a feature the plan lacks says.
pub async fn list<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    member: &str,
) -> Result<Vec<T>, Error> {
    Ok(list_at_most(cx, path, member, usize::MAX).await?.0)
}

/// The same, but no more than so many pages; whether that was all.
///
/// # Errors
/// As [`list`].
pub async fn list_at_most<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    member: &str,
    pages: usize,
) -> Result<(Vec<T>, bool), Error> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let base = format!("{path}{joint}page[size]={PAGE}");
    let mut all = Vec::new();
    let mut url = base.clone();
    for _ in 0..pages {
        let Some(body) = get(cx, &url).await? else {
            return Ok((all, true));
        };
        let rows: Vec<T> = body.member(member)?;
        let empty = rows.is_empty();
        all.extend(rows);
        let Paging { meta } = body.json()?;
        match meta.after_cursor.filter(|_| meta.has_more && !empty) {
            Some(cursor) => url = format!("{base}&page[after]={}", http::segment(cursor)),
            None => return Ok((all, true)),
        }
    }
    Ok((all, false))
}

/// Waits for a job in the host and gives its last state; `None` when its results are no longer kept.
///
/// # Errors
/// As [`get`].
pub async fn job(cx: &Context, id: &str) -> Result<Option<JobStatus>, Error> {
    let path = format!("/api/v2/job_statuses/{id}");
    let ended = ["completed", "failed", "killed"];
    let request = cx.http().get(path).header("accept", "application/json");
    let reply = request
        .poll(JOB_POLL_MS, JOB_PATIENCE_MS, "/job_status/status", &ended)
        .await?;
    match reply.status {
        404 => Ok(None),
        200..=299 => reply.member("job_status").map(Some),
        _ => Err(http::unread::<Refusal>(&reply)),
    }
}

/// A list of ids or markers for a query.
pub fn query_list<I: AsRef<str>>(values: impl IntoIterator<Item = I>) -> String {
    values
        .into_iter()
        .map(|value| http::segment(value.as_ref()))
        .collect::<Vec<_>>()
        .join(",")
}

impl http::Refusal for Refusal {
    fn read(reply: &Reply) -> Self {
        Self::of(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        match self.status {
            401 => Some(Error::Auth(self.message.clone())),
            402 => Some(Error::Permission(format!(
                "the account is suspended: {}",
                self.message
            ))),
            429 => Some(Error::Quota(None)),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        let text = if self.message.is_empty() {
            self.code.clone()
        } else {
            self.message.clone()
        };
        let field = self.details.first().map(|(field, _, _)| field.clone());
        http::rejection(self.status, text, field)
    }

    fn is_gone(&self) -> bool {
        self.status == 404
    }

    fn said(&self) -> String {
        self.message.clone()
    }

    fn passes(&self) -> bool {
        self.status == 409
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded_byte_by_byte() {
        assert_eq!(query_list(["a b", "ü"]), "a%20b,%C3%BC");
    }
}
