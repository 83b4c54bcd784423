//! The write seam of a dry run: the same units, and in the network's place this, for whatever would change something.
//!
//! Policy: nothing mutating leaves (the gateway refuses it besides). A mutating request is checked against its grant as if it
//! were sent, kept for a person to see, and answered by the destination's own connector, which alone knows what its platform
//! says (`rehearsal` of the contract). Where it cannot say, the guest ends there. Ids of what would have been made are formed of
//! numbers that are given out here; a read of such an id is answered in the same way, and every other read is real.
//!
//! All of it is kept in the store that the units have: a copy, which is thrown away (see `pipeline::dry_run`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use crate::blobs::BlobStore;
use crate::clock::SharedClock;
use crate::contract::{Rehearsed, http, types};
use crate::gateway::{Exchange, Gateway};
use crate::reading::ReadingHost;
use crate::sandbox::Plugin;
use crate::sql;
use crate::store::{Store, StoreError};
use crate::unit::path_of;
use crate::unit_host::{KnownBlobs, UnitAbort};

/// Numbers of one request: the largest batch has fewer records.
const NUMBERS: u64 = 10_000;
/// The first number. All have twelve digits: platforms whose ids are numbers take them, and those with longer ids have room for
/// them.
const FIRST: u64 = 900_000_000_000;
/// Their digits.
const DIGITS: usize = 12;
/// Of earlier exchanges, so many are shown to a connector: collections of definitions are no larger.
const MOST: usize = 400;

/// A request that was answered here, and its answer.
pub type Earlier = Arc<(http::Request, http::Response)>;

/// Which request of which unit.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The unit.
    pub unit: i64,
    /// As in the journal.
    pub ident: &'a str,
    /// Whether the unit makes definitions, which later units read: fields, groups.
    pub defines: bool,
}

/// Answers for the destination of one dry run. Cheap to clone.
#[derive(Clone)]
pub struct Rehearsal {
    inner: Arc<Inner>,
}

/// What a connector said of a request.
enum Told {
    /// The answer.
    Answer(http::Response),
    /// What the read gave that it asked for, and nothing besides.
    Real(http::Response),
    /// Nothing.
    Nothing,
}

impl Told {
    fn answer(self) -> Option<http::Response> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Real(_) | Self::Nothing => None,
        }
    }
}

struct Inner {
    plugin: Plugin,
    gateway: Gateway,
    store: Store,
    blobs: BlobStore,
    clock: SharedClock,
    run: String,
    next: AtomicU64,
    definitions: Mutex<Vec<Earlier>>,
}

impl Rehearsal {
    /// For one dry run; `gateway` lets nothing mutating out any more.
    #[must_use]
    pub fn new(
        plugin: Plugin,
        gateway: Gateway,
        store: Store,
        blobs: BlobStore,
        clock: SharedClock,
        run: &str,
    ) -> Self {
        gateway.only_reads();
        Self {
            inner: Arc::new(Inner {
                plugin,
                gateway,
                store,
                blobs,
                clock,
                run: run.to_owned(),
                next: AtomicU64::new(FIRST),
                definitions: Mutex::default(),
            }),
        }
    }

    /// A request that would change something: kept, and answered if that can be said.
    ///
    /// # Errors
    /// A store that cannot be written; a request that is not granted.
    pub async fn change(
        &self,
        request: &http::Request,
        known: KnownBlobs,
        earlier: Vec<Earlier>,
        of: Part<'_>,
    ) -> Result<Option<http::Response>, UnitAbort> {
        let inner = &self.inner;
        if let Err(why) = inner.gateway.would_send(request) {
            return Err(UnitAbort::Limit(format!("a request is denied: {why}")));
        }
        let number = self.number();
        let before = copied(&earlier);
        let answer = self
            .told(request, number, before, None, &known)
            .await?
            .answer();
        if let Some(answer) = answer.as_ref().filter(|_| of.defines) {
            let exchange = Arc::new((request.clone(), answer.clone()));
            self.definitions().push(exchange);
        }
        let key = request.key.as_ref();
        let kept = answer.as_ref().map(|answer| json(&Got::from(answer)));
        let row = sql!(
            "INSERT INTO rehearsed (number, run, unit, ident, item, method, path, request, answer) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            number,
            &inner.run,
            of.unit,
            of.ident,
            key.map(|key| key.item.as_str()).unwrap_or_default(),
            &request.method,
            inner.gateway.pattern(request),
            json(&Sent::from(request))?,
            kept.transpose()?
        );
        inner.store.write(vec![row]).await.map_err(failed)?;
        Ok(answer)
    }

    /// The answer to a read of what would have been made, by its id; `None` for every other read, which is real.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn read(
        &self,
        request: &http::Request,
        known: KnownBlobs,
        earlier: Vec<Earlier>,
    ) -> Result<Option<http::Response>, UnitAbort> {
        let end = self.inner.next.load(Ordering::Relaxed);
        let Some(number) = given_out(path_of(request), end) else {
            return Ok(None);
        };
        let Some(maker) = self.exchange(number).await? else {
            return Ok(None);
        };
        let mut all = vec![maker];
        all.extend(copied(&earlier));
        let number = self.number();
        let answer = self.reply(request, number, all, None, &known).await?;
        let answer = match answer {
            Some(Rehearsed::Answer(answer)) => Some(answer),
            Some(Rehearsed::Instead(_)) | None => None,
        };
        // The platform has no such id, so it need not be asked.
        Ok(Some(answer.unwrap_or(http::Response {
            status: 404,
            headers: vec![],
            body: vec![],
            attempted_before: false,
        })))
    }

    /// What a read would give if all had been made that would have been; `None` where what it really gave stands.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn amended(
        &self,
        request: &http::Request,
        known: KnownBlobs,
        earlier: Vec<Earlier>,
        real: http::Response,
    ) -> Result<Option<http::Response>, UnitAbort> {
        let definitions = self.definitions().clone();
        let mut all = copied(&definitions);
        let end = self.inner.next.load(Ordering::Relaxed);
        for number in self.named(request, end) {
            all.extend(self.exchange(number).await?);
        }
        all.extend(copied(&earlier));
        if all.is_empty() && real.status != 404 {
            return Ok(None);
        }
        let number = self.number();
        let told = self.told(request, number, all, Some(real), &known).await?;
        Ok(match told {
            Told::Answer(answer) | Told::Real(answer) => Some(answer),
            Told::Nothing => None,
        })
    }

    /// What the connector says, after a read of its own where it asks for one.
    async fn told(
        &self,
        request: &http::Request,
        number: u64,
        earlier: Vec<(http::Request, http::Response)>,
        real: Option<http::Response>,
        known: &KnownBlobs,
    ) -> Result<Told, UnitAbort> {
        let gateway = &self.inner.gateway;
        let first = self
            .reply(request, number, earlier.clone(), real, known)
            .await?;
        let instead = match first {
            Some(Rehearsed::Answer(answer)) => return Ok(Told::Answer(answer)),
            Some(Rehearsed::Instead(instead)) if !gateway.is_mutating(&instead) => instead,
            Some(Rehearsed::Instead(_)) | None => return Ok(Told::Nothing),
        };
        let real = match gateway.exchange(&instead, None).await? {
            Exchange::Answered { response, .. } => response,
            Exchange::Failed(_) | Exchange::Doubt { .. } => return Ok(Told::Nothing),
        };
        let again = Some(real.clone());
        let second = self.reply(request, number, earlier, again, known).await?;
        Ok(match second {
            Some(Rehearsed::Answer(answer)) => Told::Answer(answer),
            Some(Rehearsed::Instead(_)) | None => Told::Real(real),
        })
    }

    /// The requests of which ids stand in a read's query or body.
    fn named(&self, request: &http::Request, end: u64) -> Vec<u64> {
        let mut all: Vec<u64> = vec![];
        let body: &[u8] = match &request.body {
            http::Body::Bytes(bytes) => bytes,
            _ => &[],
        };
        for number in numbers(request.url.as_bytes()).chain(numbers(body)) {
            let first = number - (number - FIRST) % NUMBERS;
            if number < end && !all.contains(&first) && all.len() < MOST {
                all.push(first);
            }
        }
        all
    }

    fn number(&self) -> u64 {
        self.inner.next.fetch_add(NUMBERS, Ordering::Relaxed)
    }

    fn definitions(&self) -> MutexGuard<'_, Vec<Earlier>> {
        let definitions = self.inner.definitions.lock();
        definitions.unwrap_or_else(PoisonError::into_inner)
    }

    /// A request by its number, and its answer.
    async fn exchange(
        &self,
        number: u64,
    ) -> Result<Option<(http::Request, http::Response)>, UnitAbort> {
        let row = self
            .inner
            .store
            .row(
                "SELECT request, answer FROM rehearsed WHERE number = $1 AND answer IS NOT NULL",
                vec![number.into()],
            )
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let column = |name: &str| {
            row.try_get::<String, _>(name)
                .map_err(|error| failed(error.into()))
        };
        let sent: Sent = read(&column("request")?)?;
        let got: Got = read(&column("answer")?)?;
        Ok(Some((sent.into(), got.into())))
    }

    async fn reply(
        &self,
        request: &http::Request,
        number: u64,
        earlier: Vec<(http::Request, http::Response)>,
        real: Option<http::Response>,
        known: &KnownBlobs,
    ) -> Result<Option<Rehearsed>, UnitAbort> {
        let mut known = known.clone();
        let inner = &self.inner;
        for (request, _) in &earlier {
            blobs_of(request)
                .into_iter()
                .for_each(|blob| known.add(blob));
        }
        let host = ReadingHost::new(
            inner.gateway.clone(),
            inner.blobs.clone(),
            Arc::clone(&inner.clock),
            known,
        );
        // In a task of its own: the guest that asks is being polled, and one instance does not run within another.
        let (plugin, request) = (inner.plugin.clone(), request.clone());
        let path = inner.gateway.pattern(&request);
        let asked = tokio::spawn(async move {
            plugin
                .rehearse(Arc::new(host), request, number, earlier, real)
                .await
        });
        match asked.await {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(UnitAbort::Ended),
            Ok(Err(error)) => {
                // A connector that fails to say so has not said it.
                tracing::warn!(%error, path, "No answer for a dry run.");
                Ok(None)
            }
        }
    }
}

/// The newest of them, for a connector to look through.
fn copied(earlier: &[Earlier]) -> Vec<(http::Request, http::Response)> {
    let skipped = earlier.len().saturating_sub(MOST);
    earlier
        .iter()
        .skip(skipped)
        .map(|exchange| (exchange.0.clone(), exchange.1.clone()))
        .collect()
}

fn failed(error: StoreError) -> UnitAbort {
    UnitAbort::Store(error.to_string())
}

fn json<T: Serialize>(value: &T) -> Result<String, UnitAbort> {
    serde_json::to_string(value).map_err(|error| failed(error.into()))
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, UnitAbort> {
    serde_json::from_str(text).map_err(|error| failed(error.into()))
}

/// The numbers in a text that may be ours: twelve digits in a row, within more digits or letters too.
fn numbers(text: &[u8]) -> impl Iterator<Item = u64> {
    text.windows(DIGITS)
        .filter(|window| window.iter().all(u8::is_ascii_digit))
        .filter_map(|window| std::str::from_utf8(window).ok()?.parse().ok())
        .filter(|number| *number >= FIRST)
}

/// The first number of the request of which an id in this path is, if it was given out before `end`.
fn given_out(text: &str, end: u64) -> Option<u64> {
    let number = numbers(text.as_bytes()).find(|number| *number < end)?;
    Some(number - (number - FIRST) % NUMBERS)
}

/// The ids in a text that may stand for what only the platform gives: their digits, each once.
#[must_use]
pub fn stand_ins(text: &str) -> Vec<String> {
    let mut all: Vec<String> = vec![];
    for number in numbers(text.as_bytes()) {
        let digits = number.to_string();
        if !all.contains(&digits) {
            all.push(digits);
        }
    }
    all
}

fn blobs_of(request: &http::Request) -> Vec<&types::BlobRef> {
    match &request.body {
        http::Body::None | http::Body::Bytes(_) => vec![],
        http::Body::Blob(blob) => vec![blob],
        http::Body::Multipart(parts) => parts
            .iter()
            .filter_map(|part| match &part.body {
                http::PartBody::Bytes(_) => None,
                http::PartBody::Blob(blob) => Some(blob),
            })
            .collect(),
        http::Body::Pieces(pieces) => pieces
            .iter()
            .filter_map(|piece| match piece {
                http::Piece::Bytes(_) => None,
                http::Piece::Blob(blob) | http::Piece::Base64(blob) => Some(blob),
            })
            .collect(),
    }
}

/// A request as it is kept. There is no credential in it: the gateway adds that on the way out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// `POST` …
    pub method: String,
    /// As the connector has it.
    pub url: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// In order.
    pub body: Vec<Piece>,
    /// Whether the body is a form, and its pieces the fields of it.
    pub form: bool,
}

/// A piece of a body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Piece {
    /// Text; name and file name too, of a form's field.
    Text(Field, String),
    /// Bytes that are no UTF-8.
    Bytes(Field, Vec<u8>),
    /// A file of the host's, as it is.
    File(Field, types::BlobRef),
    /// A file of the host's as base64.
    Base64(types::BlobRef),
}

/// Where a piece stands in a form; nothing elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

fn piece(field: Field, bytes: &[u8]) -> Piece {
    match std::str::from_utf8(bytes) {
        Ok(text) => Piece::Text(field, text.to_owned()),
        Err(_) => Piece::Bytes(field, bytes.to_vec()),
    }
}

impl From<&http::Request> for Sent {
    fn from(request: &http::Request) -> Self {
        let none = Field::default;
        let body = match &request.body {
            http::Body::None => vec![],
            http::Body::Bytes(bytes) => vec![piece(none(), bytes)],
            http::Body::Blob(blob) => vec![Piece::File(none(), blob.clone())],
            http::Body::Multipart(parts) => parts
                .iter()
                .map(|part| {
                    let field = Field {
                        name: part.name.clone(),
                        filename: part.filename.clone(),
                        media_type: part.media_type.clone(),
                    };
                    match &part.body {
                        http::PartBody::Bytes(bytes) => piece(field, bytes),
                        http::PartBody::Blob(blob) => Piece::File(field, blob.clone()),
                    }
                })
                .collect(),
            http::Body::Pieces(pieces) => pieces
                .iter()
                .map(|one| match one {
                    http::Piece::Bytes(bytes) => piece(none(), bytes),
                    http::Piece::Blob(blob) => Piece::File(none(), blob.clone()),
                    http::Piece::Base64(blob) => Piece::Base64(blob.clone()),
                })
                .collect(),
        };
        Self {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request
                .headers
                .iter()
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
            body,
            form: matches!(request.body, http::Body::Multipart(_)),
        }
    }
}

impl From<Sent> for http::Request {
    fn from(sent: Sent) -> Self {
        let body = if sent.form {
            let part = |field: Field, body| http::Part {
                name: field.name,
                filename: field.filename,
                media_type: field.media_type,
                body,
            };
            let parts = sent.body.into_iter().filter_map(|piece| match piece {
                Piece::Text(field, text) => {
                    Some(part(field, http::PartBody::Bytes(text.into_bytes())))
                }
                Piece::Bytes(field, bytes) => Some(part(field, http::PartBody::Bytes(bytes))),
                Piece::File(field, blob) => Some(part(field, http::PartBody::Blob(blob))),
                Piece::Base64(_) => None,
            });
            http::Body::Multipart(parts.collect())
        } else {
            let mut pieces: Vec<http::Piece> = sent
                .body
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(_, text) => http::Piece::Bytes(text.into_bytes()),
                    Piece::Bytes(_, bytes) => http::Piece::Bytes(bytes),
                    Piece::File(_, blob) => http::Piece::Blob(blob),
                    Piece::Base64(blob) => http::Piece::Base64(blob),
                })
                .collect();
            match (pieces.len(), pieces.pop()) {
                (1, Some(http::Piece::Bytes(bytes))) => http::Body::Bytes(bytes),
                (1, Some(http::Piece::Blob(blob))) => http::Body::Blob(blob),
                (_, Some(last)) => {
                    pieces.push(last);
                    http::Body::Pieces(pieces)
                }
                (_, None) => http::Body::None,
            }
        };
        Self {
            method: sent.method,
            url: sent.url,
            headers: sent
                .headers
                .into_iter()
                .map(|(name, value)| http::Header { name, value })
                .collect(),
            body,
            replay: http::Replay::Once,
            key: None,
            window_ms: None,
            lifetime_ms: None,
            perishable: vec![],
            passing: false,
            anonymous: false,
        }
    }
}

/// An answer as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Got {
    status: u16,
    headers: Vec<(String, String)>,
    body: Piece,
}

impl From<&http::Response> for Got {
    fn from(response: &http::Response) -> Self {
        Self {
            status: response.status,
            headers: response
                .headers
                .iter()
                .map(|header| (header.name.clone(), header.value.clone()))
                .collect(),
            body: piece(Field::default(), &response.body),
        }
    }
}

impl From<Got> for http::Response {
    fn from(got: Got) -> Self {
        Self {
            status: got.status,
            headers: got
                .headers
                .into_iter()
                .map(|(name, value)| http::Header { name, value })
                .collect(),
            body: match got.body {
                Piece::Text(_, text) => text.into_bytes(),
                Piece::Bytes(_, bytes) => bytes,
                Piece::File(..) | Piece::Base64(_) => vec![],
            },
            attempted_before: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_given_out_is_known_by_its_digits_and_no_other_is() {
        let end = FIRST + 3 * NUMBERS;
        let second = FIRST + NUMBERS;
        for url in [
            format!("/api/users/{second}"),
            format!("/sobjects/Case/500{}AAA", second + 7),
            format!("/tickets/{}/notes", second + NUMBERS - 1),
        ] {
            assert_eq!(given_out(&url, end), Some(second), "{url}");
        }
        for url in [
            "/api/users/12".to_owned(),
            format!("/api/users/{end}"),
            "/api/users/899999999999".to_owned(),
            format!("/api/users/{}", second / 10),
        ] {
            assert_eq!(given_out(&url, end), None, "{url}");
        }
    }

    #[test]
    fn a_request_is_kept_whole() {
        let blob = types::BlobRef {
            sha256: "ab".into(),
            size: 3,
            media_type: "text/plain".into(),
        };
        let part = |name: &str, body| http::Part {
            name: name.into(),
            filename: Some("a.txt".into()),
            media_type: None,
            body,
        };
        for body in [
            http::Body::None,
            http::Body::Bytes(b"{\"a\":1}".to_vec()),
            http::Body::Bytes(vec![0xff, 0]),
            http::Body::Blob(blob.clone()),
            http::Body::Multipart(vec![
                part("a", http::PartBody::Bytes(b"x".to_vec())),
                part("b", http::PartBody::Blob(blob.clone())),
            ]),
            http::Body::Pieces(vec![
                http::Piece::Bytes(b"{\"f\":\"".to_vec()),
                http::Piece::Base64(blob.clone()),
                http::Piece::Bytes(b"\"}".to_vec()),
            ]),
        ] {
            let request = http::Request {
                method: "POST".into(),
                url: "/things?x=1".into(),
                headers: vec![http::Header {
                    name: "accept".into(),
                    value: "application/json".into(),
                }],
                body,
                replay: http::Replay::Once,
                key: None,
                window_ms: None,
                lifetime_ms: None,
                perishable: vec![],
                passing: false,
                anonymous: false,
            };
            let text = json(&Sent::from(&request)).unwrap();
            let back: Sent = read(&text).unwrap();
            assert_eq!(http::Request::from(back), request);
        }
    }
}
