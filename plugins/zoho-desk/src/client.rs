//! How the connector talks to Zoho Desk: one place where a request is built and an answer is sorted.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives [`Sent`], because what a refusal or an unseen
//! answer means is known only to the caller. Refusals of the account as a whole (no credential, no credits) end the unit and
//! reject nothing (rule M-10). Every request names the organisation (Zoho Desk facts §1). Not here: retries, pacing, credentials;
//! those are the host's.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::http::{self, OperationKey, Reply, RequestBuilder};
use transload_sdk::types::Error;

use crate::api::{Refusal, rows, words_of};
use crate::state::{Config, State};

/// Rows of a page: sources disagree whether more are allowed (Zoho Desk facts §4).
pub const PAGE: usize = 50;

/// What became of a write.
pub type Sent = http::Sent<Refusal>;

/// One call's account: what all of it needs.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The call.
    pub cx: Context,
    /// The connection's settings.
    pub config: Config,
    /// What `prepare` found; as if nothing was, before it ran.
    pub state: State,
}

impl Desk {
    /// Of a call.
    ///
    /// # Errors
    /// `bug` for settings or a state that cannot be read.
    pub fn of(cx: &Context) -> Result<Self, Error> {
        Ok(Self {
            cx: cx.clone(),
            config: cx.config()?,
            state: cx.state::<Option<State>>()?.unwrap_or_default(),
        })
    }

    /// A write that must not be repeated unless it was looked up.
    pub fn once(&self, method: &str, path: impl Into<String>, key: OperationKey) -> RequestBuilder {
        let request = self.cx.http().write(method, path, key);
        request.header("orgId", &self.config.org_id)
    }

    /// A write that sent twice equals sent once: a change to fixed values, a deletion by id.
    pub fn idempotent(
        &self,
        method: &str,
        path: impl Into<String>,
        key: OperationKey,
    ) -> RequestBuilder {
        self.once(method, path, key).idempotent(None)
    }

    /// A read, before it is sent.
    pub fn asking(&self, path: &str) -> RequestBuilder {
        let request = self.cx.http().get(path);
        let request = request.header("accept", "application/json");
        request.header("orgId", &self.config.org_id)
    }

    /// Reads; `None` for 404, and for 204, which is what nothing says (Zoho Desk facts §1).
    ///
    /// # Errors
    /// Anything but 2xx and 404.
    pub async fn get(&self, path: &str) -> Result<Option<Reply>, Error> {
        let reply = http::found::<Refusal>(self.asking(path).send().await?)?;
        Ok(reply.filter(|reply| reply.status != 204 && !reply.bytes().is_empty()))
    }

    /// Reads one object; `None` where it is not there.
    ///
    /// # Errors
    /// As [`Desk::get`].
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Error> {
        self.get(path).await?.map(|reply| reply.json()).transpose()
    }

    /// Reads one object that has to be there.
    ///
    /// # Errors
    /// As [`Desk::get`], and `not-found`.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let found = self.find(path).await?;
        found.ok_or_else(|| Error::NotFound(path.to_owned()))
    }

    /// Reads a list that has no pages: teams, fields, modules, layouts.
    ///
    /// # Errors
    /// As [`Desk::get`]; a list that is 404 is empty.
    pub async fn whole<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let Some(reply) = self.get(path).await? else {
            return Ok(Vec::new());
        };
        let unread = |error| Error::Bug(format!("{}: {error}", reply.what()));
        let rows = rows(reply.json()?).into_iter();
        rows.map(|row| serde_json::from_value(row).map_err(unread))
            .collect()
    }

    /// Reads a whole list, page by page. `path` may have a query.
    ///
    /// # Errors
    /// As [`Desk::get`]; a list that is 404 is empty.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        Ok(self.list_at_most(path, usize::MAX).await?.0)
    }

    /// The same, but no more than so many pages; whether that was all. There are no totals, and whether rows are counted from zero
    /// or from one is told in both ways (Zoho Desk facts §4): rows that come twice are one.
    ///
    /// # Errors
    /// As [`Desk::list`].
    pub async fn list_at_most<T: DeserializeOwned>(
        &self,
        path: &str,
        pages: usize,
    ) -> Result<(Vec<T>, bool), Error> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut read = 0;
        for _ in 0..pages {
            let from = match read {
                0 => String::new(),
                n => format!("&from={n}"),
            };
            let url = format!("{path}{joint}limit={PAGE}{from}");
            let Some(reply) = self.get(&url).await? else {
                return Ok((all, true));
            };
            let page = rows(reply.json()?);
            let count = page.len();
            let known = seen.len();
            for row in page {
                let id = words_of(row.get("id").unwrap_or(&Value::Null));
                if id.is_empty() || seen.insert(id) {
                    let row = serde_json::from_value(row)
                        .map_err(|error| Error::Bug(format!("{}: {error}", reply.what())))?;
                    all.push(row);
                }
            }
            read += count;
            if count < PAGE || seen.len() == known {
                return Ok((all, true));
            }
        }
        Ok((all, false))
    }
}

impl http::Refusal for Refusal {
    fn read(reply: &Reply) -> Self {
        Self::of(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        let said = || self.words();
        match (self.status, self.code.as_str()) {
            (401, _) | (403, "OAUTH_ORG_MISMATCH") => Some(Error::Auth(said())),
            (403, "SCOPE_MISMATCH") => Some(Error::Permission(said())),
            (429, _) => Some(Error::Quota(None)),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        let text = self.words();
        let is_duplicate = || self.errors.iter().any(|e| e.error_type == "duplicate");
        match self.status {
            403 if self.is_licence() => Error::Unsupported(text),
            405 => Error::Conflict(text),
            // What the vendor says of a field counts where the status says nothing more.
            status if !matches!(status, 403 | 404) && is_duplicate() => Error::Conflict(text),
            status => http::rejection(status, text, self.fields.first().cloned()),
        }
    }

    fn is_gone(&self) -> bool {
        self.status == 404
    }

    fn said(&self) -> String {
        self.words()
    }
}
