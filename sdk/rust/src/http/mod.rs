//! Requests to the platform.
//!
//! A request says what sending it twice would mean ([`RequestBuilder::safe`], [`RequestBuilder::idempotent`],
//! [`RequestBuilder::once`]), because the host retries and replays by that. Anything mutating has a key
//! ([`RequestBuilder::key`]), unique in its unit and the same in every run of it (rule D-1). Credentials, pacing and retries
//! are the host's.
//!
//! What is not here: any vendor's error envelope or way of paging; the helpers take closures for both.

mod batch;
mod create;
mod one;
mod pages;
mod pieces;
mod reply;
pub(crate) mod sorted;

use std::fmt::Display;

use serde::Serialize;

pub use crate::bindings::common::transload::connector::http::{
    Body, Doubt, Error as HttpError, Header, OperationKey, Part, PartBody, Piece, PollOptions,
    Replay, Request, Response,
};
use crate::types::BlobRef;
use crate::{Context, Result};
pub use batch::{RowChanged, RowDeleted, RowMade, batches, delete};
pub use create::{Create, Made, create};
pub use one::{Changed, Creation, Making, Writes, change, make, wait_out};
pub use pages::{Next, Pages, pages};
pub use reply::Reply;
pub use sorted::{
    Refusal, Sent, excerpt, found, get, in_words, key, refused, rejection, step, unread, write,
};

/// What `json` sends.
const JSON: &str = "application/json";

/// Begins requests. From [`Context::http`].
#[derive(Clone, Debug)]
pub struct Http {
    cx: Context,
}

impl Http {
    pub(crate) fn new(cx: Context) -> Self {
        Self { cx }
    }

    /// Reads. `url` is a path relative to the connection's base URL or an absolute URL on a granted host.
    pub fn get(&self, url: impl Into<String>) -> RequestBuilder {
        self.request("GET", url)
    }

    /// Creates, mostly. Counts as `once` until said otherwise.
    pub fn post(&self, url: impl Into<String>) -> RequestBuilder {
        self.request("POST", url)
    }

    /// Replaces. Counts as `once` until said otherwise.
    pub fn put(&self, url: impl Into<String>) -> RequestBuilder {
        self.request("PUT", url)
    }

    /// Changes. Counts as `once` until said otherwise.
    pub fn patch(&self, url: impl Into<String>) -> RequestBuilder {
        self.request("PATCH", url)
    }

    /// Deletes. Counts as `once` until said otherwise.
    pub fn delete(&self, url: impl Into<String>) -> RequestBuilder {
        self.request("DELETE", url)
    }

    /// Any method, upper case.
    pub fn request(&self, method: impl Into<String>, url: impl Into<String>) -> RequestBuilder {
        let method = method.into();
        let replay = if matches!(method.as_str(), "GET" | "HEAD") {
            Replay::Safe
        } else {
            Replay::Once
        };
        RequestBuilder {
            cx: self.cx.clone(),
            unsendable: None,
            request: Request {
                method,
                url: url.into(),
                headers: Vec::new(),
                body: Body::None,
                replay,
                key: None,
                window_ms: None,
                lifetime_ms: None,
                perishable: Vec::new(),
                passing: false,
                anonymous: false,
            },
        }
    }
}

/// A request in the making.
#[derive(Clone, Debug)]
#[must_use = "a request is sent by `send`, `poll`, `download` or `create`"]
pub struct RequestBuilder {
    cx: Context,
    request: Request,
    unsendable: Option<String>,
}

impl RequestBuilder {
    /// Adds a query parameter, percent-encoded.
    pub fn query(mut self, name: impl Display, value: impl Display) -> Self {
        let separator = if self.request.url.contains('?') {
            '&'
        } else {
            '?'
        };
        self.request.url.push(separator);
        encode_query(&name.to_string(), &mut self.request.url);
        self.request.url.push('=');
        encode_query(&value.to_string(), &mut self.request.url);
        self
    }

    /// Adds a header. The host refuses those that are its own business (`Authorization`, `Host`, …).
    pub fn header(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.request.headers.push(Header {
            name: name.into(),
            value: value.to_string(),
        });
        self
    }

    /// A JSON body, and its content type.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => self.request.body = Body::Bytes(bytes),
            Err(error) => {
                self.unsendable = Some(format!(
                    "the body is no JSON: {}",
                    crate::json::explain(&error)
                ));
            }
        }
        self.header("content-type", JSON)
    }

    /// A JSON body with files in it as base64, and its content type: each stands where its JSON pointer leads, in the place of
    /// whatever `value` has there (`null` will do). The host encodes them as they leave; they never pass through here.
    ///
    /// ```
    /// # use transload_sdk::testing::Harness;
    /// # let harness = Harness::scripted([]);
    /// # let (cx, blob) = (harness.context(), harness.put_blob("text/plain", b"abc"));
    /// let body = serde_json::json!({"attachment_files": [{"name": "a.txt", "data": null}]});
    /// let request = cx
    ///     .http()
    ///     .post("/conversations/7/reply")
    ///     .json_with_files(&body, [("/attachment_files/0/data", &blob)]);
    /// # let sent = harness.body(request.request());
    /// # assert_eq!(sent, br#"{"attachment_files":[{"name":"a.txt","data":"YWJj"}]}"#);
    /// ```
    ///
    /// A pointer that leads nowhere is a mistake of the connector's: the request is not sent, and `send` says so.
    pub fn json_with_files<'b, T, P>(
        mut self,
        value: &T,
        files: impl IntoIterator<Item = (P, &'b BlobRef)>,
    ) -> Self
    where
        T: Serialize + ?Sized,
        P: AsRef<str>,
    {
        match pieces::json(value, files) {
            Ok(pieces) => self.request.body = Body::Pieces(pieces),
            Err(why) => self.unsendable = Some(why),
        }
        self.header("content-type", JSON)
    }

    /// A body of bytes.
    pub fn body_bytes(mut self, media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.request.body = Body::Bytes(bytes.into());
        self.header("content-type", media_type)
    }

    /// A body that the host streams from its disk, and its content type.
    pub fn body_blob(mut self, blob: BlobRef) -> Self {
        let media_type = blob.media_type.clone();
        self.request.body = Body::Blob(blob);
        self.header("content-type", media_type)
    }

    /// A `multipart/form-data` body; the host writes the content type with its boundary. See [`part_text`] and [`part_file`].
    pub fn multipart(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.request.body = Body::Multipart(parts.into_iter().collect());
        self
    }

    /// Changes nothing, although the method could (a search by POST that `describe` declares as reading).
    pub fn safe(mut self) -> Self {
        self.request.replay = Replay::Safe;
        self
    }

    /// Sent twice equals sent once: for ever (`None`) or within a window, ms.
    pub fn idempotent(mut self, window_ms: impl Into<Option<u64>>) -> Self {
        self.request.replay = Replay::Idempotent;
        self.request.window_ms = window_ms.into();
        self
    }

    /// Must not be sent twice. What anything but GET and HEAD is until said otherwise.
    pub fn once(mut self) -> Self {
        self.request.replay = Replay::Once;
        self.request.window_ms = None;
        self
    }

    /// Names a mutating request: the item's key (`*` for a request that serves several), which part of it, which step.
    pub fn key(
        mut self,
        item: impl Into<String>,
        part: impl Into<String>,
        step: impl Into<String>,
    ) -> Self {
        self.request.key = Some(OperationKey {
            item: item.into(),
            part: part.into(),
            step: step.into(),
        });
        self
    }

    /// Leaves nothing behind by itself (an upload that expires unused), so no outcome has to claim it.
    pub fn passing(mut self) -> Self {
        self.request.passing = true;
        self
    }

    /// How long the answer stays usable, ms; a replay past it sends the request again.
    pub fn lifetime(mut self, ms: u64) -> Self {
        self.request.lifetime_ms = Some(ms);
        self
    }

    /// A string in URL, headers or body that may differ between runs of the unit (a token).
    pub fn perishable(mut self, token: impl Into<String>) -> Self {
        self.request.perishable.push(token.into());
        self
    }

    /// Sent without the connection's credential: signed links, other people's hosts.
    pub fn anonymous(mut self) -> Self {
        self.request.anonymous = true;
        self
    }

    /// The request as it would be sent.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Sends it. Any complete answer is a [`Reply`], whatever its status.
    ///
    /// # Errors
    /// See [`HttpError`]; `?` makes a [`crate::types::Error`] of it.
    pub async fn send(self) -> Result<Reply, HttpError> {
        let (cx, request) = self.ready()?;
        let what = name(&request);
        cx.asking()
            .await
            .send(request)
            .await
            .map(|response| Reply::new(what, response))
    }

    /// Repeats a safe request in the host, every `every_ms`, until the JSON value at `pointer` is one of `until`, an answer is
    /// no 2xx, or `give_up_after_ms` have passed; only the last answer is seen.
    ///
    /// # Errors
    /// As [`RequestBuilder::send`].
    pub async fn poll(
        self,
        every_ms: u64,
        give_up_after_ms: u64,
        pointer: &str,
        until: &[&str],
    ) -> Result<Reply, HttpError> {
        let (cx, request) = self.ready()?;
        let what = name(&request);
        let options = PollOptions {
            every_ms,
            give_up_after_ms,
            pointer: pointer.to_owned(),
            until: until.iter().map(|&value| value.to_owned()).collect(),
        };
        cx.asking()
            .await
            .poll(request, options)
            .await
            .map(|response| Reply::new(what, response))
    }

    /// Sends a safe request and keeps the body as a blob; the reply's own body is empty.
    ///
    /// # Errors
    /// As [`RequestBuilder::send`].
    pub async fn download(self) -> Result<(Reply, BlobRef), HttpError> {
        let (cx, request) = self.ready()?;
        let what = name(&request);
        let (response, blob) = cx.asking().await.download(request).await?;
        Ok((Reply::new(what, response), blob))
    }

    /// The same request as the n-th send of it: keys name one request.
    fn attempt(mut self, n: u32) -> Self {
        if n > 1
            && let Some(key) = &mut self.request.key
        {
            key.step = format!("{}~{n}", key.step);
        }
        self
    }

    /// The same request at another URL.
    fn at(mut self, url: String) -> Self {
        self.request.url = url;
        self
    }

    fn ready(self) -> Result<(Context, Request), HttpError> {
        match self.unsendable {
            Some(why) => Err(HttpError::Denied(why)),
            None => Ok((self.cx, self.request)),
        }
    }
}

/// A text field of a form.
pub fn part_text(name: impl Into<String>, value: impl Into<String>) -> Part {
    Part {
        name: name.into(),
        filename: None,
        media_type: None,
        body: PartBody::Bytes(value.into().into_bytes()),
    }
}

/// A file of a form, streamed by the host.
pub fn part_file(name: impl Into<String>, filename: impl Into<String>, blob: BlobRef) -> Part {
    Part {
        name: name.into(),
        filename: Some(filename.into()),
        media_type: Some(blob.media_type.clone()),
        body: PartBody::Blob(blob),
    }
}

/// Percent-encodes one segment of a path: an id with a slash or a blank in it stays one segment.
pub fn segment(text: impl Display) -> String {
    let mut out = String::new();
    encode_query(&text.to_string(), &mut out);
    out
}

/// What [`segment`] encoded; `None` for what it did not.
pub fn unsegment(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// Everything but RFC 3986's unreserved characters becomes `%XX`.
fn encode_query(text: &str, out: &mut String) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
    }
}

/// What a request is called in errors: method and path, without the query, which may hold what a person typed.
fn name(request: &Request) -> String {
    let path = request.url.split(['?', '#']).next().unwrap_or_default();
    format!("{} {path}", request.method)
}
