//! How the connector talks to Intercom: its version, reading, paging, and what a refusal means.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives the SDK's `Sent`, because what a refusal or an
//! unseen answer means is known only to the caller. Refusals of the workspace as a whole end the unit and reject nothing (rule
//! M-10). Not here: retries, pacing, credentials; those are the host's.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::http::{self, OperationKey, Reply, RequestBuilder};
use transload_sdk::types::Error;

use crate::api::{Contact, Refusal};
use crate::state::Config;

/// Rows of a page of a search (Intercom facts §4).
const ROWS: usize = 150;
/// Pages of one search or list that are read at most.
const PAGES: usize = 200;

/// Why a contact who was merged is neither changed nor deleted.
pub const MERGED: &str = "the contact was merged into another one";

/// What became of a write.
pub type Sent = http::Sent<Refusal>;

/// The header that says which version is meant; without it the app's own setting counts (Intercom facts §1).
fn versioned(cx: &Context, request: RequestBuilder) -> Result<RequestBuilder, Error> {
    let config: Config = cx.config()?;
    Ok(request.header("intercom-version", config.api_version))
}

/// A write under its name. Counts as `once` until said otherwise.
///
/// # Errors
/// Settings that cannot be read.
pub fn write(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> Result<RequestBuilder, Error> {
    versioned(cx, cx.http().write(method, path, key))
}

/// Reads; `None` for 404, which mostly means deleted.
///
/// # Errors
/// Anything but 2xx and 404.
pub async fn get(cx: &Context, path: &str) -> Result<Option<Reply>, Error> {
    http::found::<Refusal>(read(cx, path).await?)
}

async fn read(cx: &Context, path: &str) -> Result<Reply, Error> {
    let request = cx.http().get(path).header("accept", "application/json");
    Ok(versioned(cx, request)?.send().await?)
}

/// Reads one object; `None` for 404.
///
/// # Errors
/// As [`get`].
pub async fn find<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Option<T>, Error> {
    get(cx, path).await?.map(|reply| reply.json()).transpose()
}

/// Rows of an answer, under whichever name they come (Intercom facts §4).
#[derive(Debug, Deserialize)]
struct Page<T> {
    #[serde(
        alias = "data",
        alias = "conversations",
        alias = "tickets",
        alias = "admins",
        alias = "teams",
        default = "Vec::new"
    )]
    rows: Vec<T>,
    #[serde(default)]
    pages: Option<Pages>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Pages {
    next: Value,
    page: Option<u64>,
    total_pages: Option<u64>,
}

/// Reads a list that is not paged, or all pages of one that is paged by number. `path` may have a query.
///
/// # Errors
/// As [`get`]; a list that is 404 is empty.
pub async fn list<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<Vec<T>, Error> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    for number in 1..=PAGES {
        let url = if number == 1 {
            path.to_owned()
        } else {
            format!("{path}{joint}page={number}")
        };
        let Some(page) = find::<Page<T>>(cx, &url).await? else {
            break;
        };
        let empty = page.rows.is_empty();
        all.extend(page.rows);
        let pages = page.pages.unwrap_or_default();
        let last = pages
            .page
            .zip(pages.total_pages)
            .is_none_or(|(at, of)| at >= of);
        if empty || last || pages.next.is_null() {
            break;
        }
    }
    Ok(all)
}

/// Searches contacts, conversations or tickets (`kind`), all pages: the cursor goes into the body (Intercom facts §4).
///
/// # Errors
/// Anything but 2xx.
pub async fn search<T: DeserializeOwned>(
    cx: &Context,
    kind: &str,
    query: &Value,
) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    let mut pagination = json!({"per_page": ROWS});
    for _ in 0..PAGES {
        let body = json!({"query": query, "pagination": pagination});
        let request = cx
            .http()
            .post(format!("/{kind}/search"))
            .header("accept", "application/json")
            .json(&body)
            .safe();
        let reply = versioned(cx, request)?.send().await?;
        if !reply.ok() {
            return Err(http::unread::<Refusal>(&reply));
        }
        let page: Page<T> = reply.json()?;
        all.extend(page.rows);
        let next = page.pages.unwrap_or_default().next;
        match next.get("starting_after").and_then(Value::as_str) {
            Some(cursor) => pagination = json!({"per_page": ROWS, "starting_after": cursor}),
            None => break,
        }
    }
    Ok(all)
}

/// One filter of a search.
pub fn filter(field: &str, operator: &str, value: impl Into<Value>) -> Value {
    json!({"field": field, "operator": operator, "value": value.into()})
}

/// All filters together, or one of them.
pub fn group(operator: &str, filters: Vec<Value>) -> Value {
    json!({"operator": operator, "value": filters})
}

/// A contact by id, as a look-up shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Looked {
    /// There.
    There(Box<Contact>),
    /// Deleted.
    Gone,
    /// Merged into another one: 410, whose link is never followed (Intercom facts §3).
    Merged,
}

/// Looks at a contact. An archived one answers, too, or is 404 (Intercom facts §6).
///
/// # Errors
/// As [`get`].
pub async fn contact(cx: &Context, id: &str) -> Result<Looked, Error> {
    looked(read(cx, &format!("/contacts/{id}")).await?)
}

/// Looks a user up by external id, which sees at once what was written (Intercom facts §4).
///
/// # Errors
/// As [`get`].
pub async fn by_external_id(cx: &Context, id: &str) -> Result<Option<Contact>, Error> {
    let path = format!("/contacts/find_by_external_id/{}", http::segment(id));
    Ok(match looked(read(cx, &path).await?)? {
        Looked::There(contact) => Some(*contact),
        Looked::Gone | Looked::Merged => None,
    })
}

fn looked(reply: Reply) -> Result<Looked, Error> {
    if reply.status == 410 {
        return Ok(Looked::Merged);
    }
    Ok(match http::found::<Refusal>(reply)? {
        None => Looked::Gone,
        Some(reply) => Looked::There(Box::new(reply.json()?)),
    })
}

impl http::Refusal for Refusal {
    fn read(reply: &Reply) -> Self {
        Self::of(reply.status, reply.bytes())
    }

    fn of_account(&self) -> Option<Error> {
        let of_token = ["api_plan_restricted", "token_unauthorized", "forbidden"];
        match self.status {
            401 => Some(Error::Auth(self.words())),
            429 => Some(Error::Quota(None)),
            403 if of_token.contains(&self.code.as_str()) => Some(Error::Permission(self.words())),
            _ if self.code == "intercom_version_invalid" => Some(Error::Unsupported(self.words())),
            _ => None,
        }
    }

    fn rejection(&self) -> Error {
        match self.status {
            410 => Error::NotFound(self.words()),
            status => http::rejection(status, self.words(), self.field.clone()),
        }
    }

    fn is_gone(&self) -> bool {
        self.status == 404
    }

    fn conflict(&self) -> Option<&'static str> {
        (self.status == 410).then_some(MERGED)
    }

    fn said(&self) -> String {
        self.words()
    }
}
