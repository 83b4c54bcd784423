//! Answers sorted by what they mean to a unit.
//!
//! A read gives its answer, nothing, or an error that ends the unit. A write gives [`Sent`], because what a refusal or an unseen
//! answer means is known only to the caller. What a platform refuses to the account as a whole (no credential, no quota) ends
//! the unit and rejects no record (rule M-10). How a platform says no is its own: a connector reads it as its [`Refusal`].

use super::{Http, HttpError, OperationKey, Reply, RequestBuilder};
use crate::Result;
use crate::types::{Error, Invalid};

/// How a platform says no.
pub trait Refusal: Sized {
    /// Reads an answer that is no 2xx. What is not understood becomes words.
    fn read(reply: &Reply) -> Self;

    /// What ends the unit, where the account is refused and not the record: no credential, suspended, no quota left.
    fn of_account(&self) -> Option<Error>;

    /// Goes on where the record is refused.
    ///
    /// # Errors
    /// [`Refusal::of_account`].
    fn about_record(&self) -> Result<()> {
        self.of_account().map_or(Ok(()), Err)
    }

    /// What a refused record is rejected with.
    fn rejection(&self) -> Error;

    /// The platform's words.
    fn said(&self) -> String;

    /// Whether it says of a deletion that there is nothing to delete: with most, 404.
    fn is_gone(&self) -> bool {
        false
    }

    /// What it says to be in the way of undoing something, other than a failure: that the object was merged into another one.
    fn conflict(&self) -> Option<&'static str> {
        None
    }

    /// Whether a read that was refused so may be answered later, though its status (408, 5xx) does not say so.
    fn passes(&self) -> bool {
        false
    }
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent<R> {
    /// Answered with 2xx.
    Done(Reply),
    /// Answered, and surely not applied.
    Refused(R),
    /// Not answered; it may have been applied. When its last byte left.
    Doubt(i64),
}

impl Http {
    /// A write that sent twice equals sent once: a change to fixed values, a deletion by id.
    pub fn repeatable(
        &self,
        method: impl Into<String>,
        url: impl Into<String>,
        key: OperationKey,
    ) -> RequestBuilder {
        self.write(method, url, key).idempotent(None)
    }

    /// A write under its name, that asks for JSON. Counts as `once`, which is not repeated unless it was looked up, until said
    /// otherwise.
    pub fn write(
        &self,
        method: impl Into<String>,
        url: impl Into<String>,
        key: OperationKey,
    ) -> RequestBuilder {
        let OperationKey { item, part, step } = key;
        self.request(method, url)
            .header("accept", super::JSON)
            .key(item, part, step)
    }
}

/// Names a write: the item's key (`*` for a request that serves several), which part of it, which step.
pub fn key(
    item: impl Into<String>,
    part: impl Into<String>,
    step: impl Into<String>,
) -> OperationKey {
    OperationKey {
        item: item.into(),
        part: part.into(),
        step: step.into(),
    }
}

/// The step of the n-th request, from 1, that does the same again: the first has the plain name.
pub fn step(name: &str, attempt: u32) -> String {
    match attempt {
        1 => name.to_owned(),
        n => format!("{name}~{n}"),
    }
}

/// Sends a write.
///
/// # Errors
/// What ends the unit: the account is refused, the request cannot be sent, cancelled.
pub async fn write<R: Refusal>(request: RequestBuilder) -> Result<Sent<R>> {
    let reply = match request.send().await {
        Ok(reply) => reply,
        Err(HttpError::InDoubt(doubt)) => return Ok(Sent::Doubt(doubt.sent_at)),
        Err(other) => return Err(other.into()),
    };
    if reply.ok() {
        return Ok(Sent::Done(reply));
    }
    Ok(Sent::Refused(refused(&reply)?))
}

/// What an answer says that refuses a record.
///
/// # Errors
/// What it says where it refuses the account.
pub fn refused<R: Refusal>(reply: &Reply) -> Result<R> {
    let refusal = R::read(reply);
    refusal.about_record()?;
    Ok(refusal)
}

/// The beginning of an answer that nobody understands, to be said in its place: 300 characters.
pub fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(300).collect()
}

/// What a platform said in parts, in one line: those that are not empty; of none the status.
pub fn in_words<'p>(status: u16, parts: impl IntoIterator<Item = &'p str>) -> String {
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    match parts.collect::<Vec<_>>().join(": ") {
        none if none.is_empty() => format!("status {status}"),
        words => words,
    }
}

/// What a refused record is rejected with, by a status as nearly all use it; `field` is what the refusal is about, where it says so.
pub fn rejection(status: u16, words: String, field: Option<String>) -> Error {
    match status {
        403 => Error::Permission(words),
        404 => Error::NotFound(words),
        409 => Error::Conflict(words),
        _ => Error::Invalid(Invalid {
            field,
            reason: words,
        }),
    }
}

/// What a read gave; `None` for 404.
///
/// # Errors
/// Anything but 2xx and 404: see [`unread`].
pub fn found<R: Refusal>(reply: Reply) -> Result<Option<Reply>> {
    match reply.status {
        404 => Ok(None),
        200..=299 => Ok(Some(reply)),
        _ => Err(unread::<R>(&reply)),
    }
}

/// Reads JSON from a path; `None` for 404.
///
/// # Errors
/// As [`found`].
pub async fn get<R: Refusal>(http: &Http, path: &str) -> Result<Option<Reply>> {
    found::<R>(http.get(path).header("accept", super::JSON).send().await?)
}

/// The error of a read that was answered with anything but 2xx.
pub fn unread<R: Refusal>(reply: &Reply) -> Error {
    let refusal = R::read(reply);
    if let Some(error) = refusal.of_account() {
        return error;
    }
    let text = format!("{}: {} {}", reply.what(), reply.status, refusal.said());
    match reply.status {
        403 => Error::Permission(text),
        404 => Error::NotFound(text),
        408 | 500..=599 => Error::Transient(text),
        _ if refusal.passes() => Error::Transient(text),
        _ => Error::Bug(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_understands_is_said_by_its_beginning() {
        assert_eq!(excerpt("ü".repeat(400).as_bytes()), "ü".repeat(300));
    }

    #[test]
    fn words_leave_out_what_is_empty_and_are_never_none() {
        assert_eq!(
            in_words(422, ["code", "", "field: wrong"]),
            "code: field: wrong"
        );
        assert_eq!(in_words(404, ["", ""]), "status 404");
    }

    #[test]
    fn a_status_says_what_a_record_is_rejected_with() {
        let field = Some("name".to_owned());
        let of = |status| rejection(status, "no".to_owned(), field.clone());
        assert_eq!(of(403), Error::Permission("no".to_owned()));
        assert_eq!(of(404), Error::NotFound("no".to_owned()));
        assert_eq!(of(409), Error::Conflict("no".to_owned()));
        let invalid = Invalid {
            field: field.clone(),
            reason: "no".to_owned(),
        };
        assert_eq!(of(422), Error::Invalid(invalid));
    }
}

#[cfg(test)]
pub(crate) mod refusing {
    use super::*;

    /// Words of a platform that says no with a status alone.
    #[derive(Debug)]
    pub(crate) struct No(pub u16);

    impl Refusal for No {
        fn read(reply: &Reply) -> Self {
            Self(reply.status)
        }

        fn of_account(&self) -> Option<Error> {
            None
        }

        fn rejection(&self) -> Error {
            Error::Conflict(self.said())
        }

        fn is_gone(&self) -> bool {
            self.0 == 404
        }

        fn conflict(&self) -> Option<&'static str> {
            (self.0 == 301).then_some("merged")
        }

        fn said(&self) -> String {
            self.0.to_string()
        }
    }
}
