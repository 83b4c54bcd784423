//! How the connector talks to Freshdesk: one place where a request is built and an answer is sorted.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives [`Sent`], because what a refusal or an unseen
//! answer means is known only to the caller. Refusals of the account as a whole (no credential, no quota) end the unit and reject
//! nothing (rule M-10). Not here: retries, pacing, credentials; those are the host's.

use serde::de::DeserializeOwned;
use transload_sdk::Context;
use transload_sdk::http::{self, Reply};
use transload_sdk::types::Error;

use crate::api::Refusal;

/// Rows of a page, the most there are (Freshdesk facts §3).
pub const PAGE: usize = 100;

/// What became of a write.
pub type Sent = http::Sent<Refusal>;

/// Reads; `None` for 404.
///
/// # Errors
/// Anything but 2xx and 404.
pub async fn get(cx: &Context, path: &str) -> Result<Option<Reply>, Error> {
    http::get::<Refusal>(&cx.http(), path).await
}

/// Reads one object; `None` for 404.
///
/// # Errors
/// As [`get`].
pub async fn find<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Option<T>, Error> {
    get(cx, path).await?.map(|reply| reply.json()).transpose()
}

/// Reads one object that has to be there.
///
/// # Errors
/// As [`get`], and `not-found` for 404.
pub async fn read<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<T, Error> {
    let found = find(cx, path).await?;
    found.ok_or_else(|| Error::NotFound(path.to_owned()))
}

/// Reads a whole list, page by page. `path` may have a query.
///
/// # Errors
/// As [`get`]; a list that is 404 is empty, since that is what a feature the plan lacks says.
pub async fn list<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Vec<T>, Error> {
    Ok(list_at_most(cx, path, usize::MAX).await?.0)
}

/// The same, but no more than so many pages; whether that was all. There are no totals: the `Link` header says whether there
/// is a next page (Freshdesk facts §3).
///
/// # Errors
/// As [`list`].
pub async fn list_at_most<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    pages: usize,
) -> Result<(Vec<T>, bool), Error> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    for page in 1..=pages {
        let url = format!("{path}{joint}per_page={PAGE}&page={page}");
        let Some(reply) = get(cx, &url).await? else {
            return Ok((all, true));
        };
        let rows: Vec<T> = reply.json()?;
        let more = !rows.is_empty() && has_next(&reply);
        all.extend(rows);
        if !more {
            return Ok((all, true));
        }
    }
    Ok((all, false))
}

fn has_next(reply: &Reply) -> bool {
    let link = reply.header("link").unwrap_or_default();
    link.contains("rel=\"next\"")
}

impl http::Refusal for Refusal {
    fn read(reply: &Reply) -> Self {
        Self::of(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        let said = || self.words();
        match (self.status, self.code.as_str()) {
            (401, _) | (403, "password_lockout" | "password_expired") => Some(Error::Auth(said())),
            (403, "account_suspended" | "ssl_required") => Some(Error::Permission(said())),
            (429, _) => Some(Error::Quota(None)),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        let text = self.words();
        match self.status {
            403 if matches!(self.code.as_str(), "require_feature" | "max_agents_reached") => {
                Error::Unsupported(text)
            }
            405 => Error::Conflict(text),
            status => {
                let field = self.errors.first().map(|error| error.field.clone());
                http::rejection(status, text, field)
            }
        }
    }

    fn is_gone(&self) -> bool {
        // 405 is what a second deletion is told (Freshdesk facts §14).
        matches!(self.status, 404 | 405)
    }

    fn said(&self) -> String {
        self.words()
    }
}
