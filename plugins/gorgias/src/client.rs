//! How the connector talks to Gorgias: reading, paging, and what a refusal means.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives the SDK's `Sent`, because what a refusal or an
//! unseen answer means is known only to the caller. Refusals of the account as a whole end the unit and reject nothing (rule
//! M-10). Not here: retries, pacing, credentials; those are the host's.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::http::{self, Reply};
use transload_sdk::types::Error;

use crate::api::{Customer, Refusal};

/// Rows of a page (Gorgias facts §4).
pub const PAGE: usize = 100;

/// Why a customer who was merged is neither changed nor deleted.
pub const MERGED: &str = "the customer was merged into another one";

/// What became of a write.
pub type Sent = http::Sent<Refusal>;

/// Reads; `None` for 404, which mostly means deleted.
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

/// A page of a list.
#[derive(Debug, Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    next_cursor: Option<String>,
}

/// Reads a whole list. `path` may have a query.
///
/// # Errors
/// As [`get`]; a list that is 404 is empty.
pub async fn list<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Vec<T>, Error> {
    Ok(list_while(cx, path, usize::MAX, |_| true).await?.0)
}

/// Reads a list as long as `goes_on` says so of the last row, and no more than so many pages; whether it came to an end of its own.
///
/// # Errors
/// As [`list`].
pub async fn list_while<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    pages: usize,
    goes_on: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, bool), Error> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let base = format!("{path}{joint}limit={PAGE}");
    let (mut all, mut url) = (Vec::new(), base.clone());
    for _ in 0..pages {
        let Some(reply) = get(cx, &url).await? else {
            return Ok((all, true));
        };
        let page: Page<T> = reply.json()?;
        let more = page.data.last().is_some_and(&goes_on);
        all.extend(page.data);
        match page.meta.unwrap_or_default().next_cursor {
            Some(cursor) if more => url = format!("{base}&cursor={}", http::segment(cursor)),
            _ => return Ok((all, true)),
        }
    }
    Ok((all, false))
}

/// Rows of an answer that may be bare or under `data` (Gorgias facts §4).
///
/// # Errors
/// `bug` for another shape.
pub fn rows(reply: &Reply) -> Result<Vec<Value>, Error> {
    match reply.json()? {
        Value::Array(rows) => Ok(rows),
        Value::Object(mut members) => match members.remove("data") {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(Error::Bug(format!("{}: no rows", reply.what()))),
        },
        _ => Err(Error::Bug(format!("{}: no rows", reply.what()))),
    }
}

/// A customer by id, as a look-up shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// There.
    There(Box<Customer>),
    /// Deleted.
    Gone,
    /// Merged into another one: 301, which is never followed (Gorgias facts §7).
    Merged,
}

/// Looks at a customer.
///
/// # Errors
/// As [`get`].
pub async fn customer(cx: &Context, id: &str) -> Result<Looked, Error> {
    let path = format!("/customers/{id}");
    let request = cx.http().get(path).header("accept", "application/json");
    let reply = request.send().await?;
    if reply.status == 301 {
        return Ok(Looked::Merged);
    }
    let Some(reply) = http::found::<Refusal>(reply)? else {
        return Ok(Looked::Gone);
    };
    let found: Customer = reply.json()?;
    // Whoever followed a redirect on the way sees the survivor.
    if found.id.to_string() != id {
        return Ok(Looked::Merged);
    }
    Ok(Looked::There(Box::new(found)))
}

impl http::Refusal for Refusal {
    fn read(reply: &Reply) -> Self {
        Self::of(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        match self.status {
            401 => Some(Error::Auth(self.words())),
            429 => Some(Error::Quota(None)),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        let field = self.data.first().map(|(field, _)| field.clone());
        http::rejection(self.status, self.words(), field)
    }

    fn is_gone(&self) -> bool {
        self.status == 404
    }

    fn conflict(&self) -> Option<&'static str> {
        (self.status == 301).then_some(MERGED)
    }

    fn said(&self) -> String {
        self.words()
    }
}
