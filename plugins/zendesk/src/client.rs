//! How the connector talks to Zendesk: one place where a request is built and an answer is sorted.
//!
//! Policy: a read gives its value or an error that ends the unit; a write gives [`Sent`], because what a refusal or an
//! unseen answer means is known only to the caller. Refusals of the account as a whole (no credential, no quota) end the
//! unit and reject nothing (rule M-10). Not here: retries, pacing, credentials; those are the host's.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use transload_sdk::Context;
use transload_sdk::http::{HttpError, OperationKey, Reply, RequestBuilder};
use transload_sdk::types::{Error, Invalid};

use crate::api::{JobStatus, Refusal};

/// Rows of a page (Zendesk facts §3).
pub const PAGE: usize = 100;
/// How often a job is asked after, ms. A job of 100 tickets takes some seconds.
const JOB_POLL_MS: u64 = 2_000;
/// After this a job counts as stuck, ms; its items stay unsettled.
const JOB_PATIENCE_MS: u64 = 1_800_000;

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// Answered with 2xx.
    Done(Answer),
    /// Answered, and surely not applied.
    Refused(Refusal),
    /// Not answered; it may have been applied.
    Doubt,
}

/// An answer with 2xx.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// 200, 201 …
    pub status: u16,
    /// All of it.
    pub reply: Reply,
    /// An earlier attempt of this request may have been applied (rule D-4).
    pub attempted_before: bool,
}

impl Answer {
    /// The member of the body that holds the record.
    ///
    /// # Errors
    /// `bug` when it is not there or not of this shape.
    pub fn take<T: DeserializeOwned>(&self, member: &str) -> Result<T, Error> {
        read(&self.reply, member)
    }
}

/// A write that must not be repeated unless it was looked up.
pub fn once(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> RequestBuilder {
    mutating(cx, method, path, key).once()
}

/// A write that sent twice equals sent once: a change to fixed values, a deletion by id.
pub fn idempotent(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> RequestBuilder {
    mutating(cx, method, path, key).idempotent(None)
}

fn mutating(
    cx: &Context,
    method: &str,
    path: impl Into<String>,
    key: OperationKey,
) -> RequestBuilder {
    let OperationKey { item, part, step } = key;
    let request = cx.http().request(method, path);
    request
        .header("accept", "application/json")
        .key(item, part, step)
}

/// Names a write of one item.
pub fn key(item: &str, part: impl Into<String>, step: &str) -> OperationKey {
    OperationKey {
        item: item.to_owned(),
        part: part.into(),
        step: step.to_owned(),
    }
}

/// Sends a write.
///
/// # Errors
/// What ends the unit: no credential, no right to the account, no quota, cancelled.
pub async fn write(request: RequestBuilder) -> Result<Sent, Error> {
    let reply = match request.send().await {
        Ok(reply) => reply,
        Err(HttpError::InDoubt(_)) => return Ok(Sent::Doubt),
        Err(other) => return Err(other.into()),
    };
    if reply.ok() {
        return Ok(Sent::Done(Answer {
            status: reply.status,
            attempted_before: reply.attempted_before,
            reply,
        }));
    }
    Ok(Sent::Refused(refused(&reply)?))
}

/// What an answer says that refuses a record.
///
/// # Errors
/// What it says where it refuses the account.
pub fn refused(reply: &Reply) -> Result<Refusal, Error> {
    account_refusal(reply)?;
    Ok(Refusal::read(reply.status, reply.bytes()))
}

fn read_request(cx: &Context, path: &str) -> RequestBuilder {
    cx.http().get(path).header("accept", "application/json")
}

/// Reads; `None` for 404.
///
/// # Errors
/// Anything but 2xx and 404.
pub async fn get(cx: &Context, path: &str) -> Result<Option<Reply>, Error> {
    let reply = read_request(cx, path).send().await?;
    match reply.status {
        404 => Ok(None),
        200..=299 => Ok(Some(reply)),
        _ => Err(read_error(&reply)),
    }
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
    read(
        &found.ok_or_else(|| Error::NotFound(path.to_owned()))?,
        member,
    )
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
        .map(|body| read(&body, member))
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
        let rows: Vec<T> = read(&body, member)?;
        let empty = rows.is_empty();
        all.extend(rows);
        let Paging { meta } = body.json()?;
        match meta.after_cursor.filter(|_| meta.has_more && !empty) {
            Some(cursor) => url = format!("{base}&page[after]={}", query(&cursor)),
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
    let reply = read_request(cx, &path)
        .poll(JOB_POLL_MS, JOB_PATIENCE_MS, "/job_status/status", &ended)
        .await?;
    match reply.status {
        404 => Ok(None),
        200..=299 => read(&reply, "job_status").map(Some),
        _ => Err(read_error(&reply)),
    }
}

/// Percent-encodes a value for a query.
pub fn query(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A list of ids or markers for a query.
pub fn query_list<I: AsRef<str>>(values: impl IntoIterator<Item = I>) -> String {
    values
        .into_iter()
        .map(|value| query(value.as_ref()))
        .collect::<Vec<_>>()
        .join(",")
}

/// One member of an answer, without building the others.
///
/// # Errors
/// `bug` when the answer is no JSON, or the member of another shape.
pub fn read<T: DeserializeOwned>(reply: &Reply, member: &str) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(reply.bytes());
    let wanted = Member {
        name: member,
        of: PhantomData::<T>,
    };
    let found = wanted.deserialize(&mut json).and_then(|found| {
        json.end()?;
        // What is absent is as good as null.
        found.map_or_else(|| serde_json::from_value(Value::Null), Ok)
    });
    found.map_err(|_| Error::Bug(format!("{}: `{member}` has another shape", reply.what())))
}

/// Reads one member of a JSON object and passes over the rest.
struct Member<'m, T> {
    name: &'m str,
    of: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Member<'_, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Member<'_, T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                found = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// A rejection that is about the account, not about the record.
fn account_refusal(reply: &Reply) -> Result<(), Error> {
    let said = || Refusal::read(reply.status, reply.bytes()).message;
    match reply.status {
        401 => Err(Error::Auth(said())),
        402 => Err(Error::Permission(format!(
            "the account is suspended: {}",
            said()
        ))),
        429 => Err(Error::Quota(None)),
        _ => Ok(()),
    }
}

fn read_error(reply: &Reply) -> Error {
    if let Err(error) = account_refusal(reply) {
        return error;
    }
    let refusal = Refusal::read(reply.status, reply.bytes());
    let text = format!("{}: {} {}", reply.what(), reply.status, refusal.message);
    match reply.status {
        403 => Error::Permission(text),
        404 => Error::NotFound(text),
        408 | 409 | 500..=599 => Error::Transient(text),
        _ => Error::Bug(text),
    }
}

/// What a refused record is rejected with.
pub fn rejection(refusal: &Refusal) -> Error {
    let text = if refusal.message.is_empty() {
        refusal.code.clone()
    } else {
        refusal.message.clone()
    };
    match refusal.status {
        403 => Error::Permission(text),
        404 => Error::NotFound(text),
        409 => Error::Conflict(text),
        _ => {
            let field = refusal.details.first().map(|(field, _, _)| field.clone());
            Error::Invalid(Invalid {
                field,
                reason: text,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded_byte_by_byte() {
        assert_eq!(
            query("kustomer:org:customer:1"),
            "kustomer%3Aorg%3Acustomer%3A1"
        );
        assert_eq!(query_list(["a b", "ü"]), "a%20b,%C3%BC");
    }
}
