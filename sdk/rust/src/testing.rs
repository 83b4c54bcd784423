//! Runs a connector natively, without a host: a closure plays the platform.
//!
//! [`Harness`] stands for the host as far as a connector can tell: it answers requests, holds blobs, has a fixed clock, records
//! outcomes, and can lose the answer to a chosen request ([`Harness::lose_answer`]). After a unit, [`Harness::replay`] gives a
//! context that answers from the record, so that a test can run the unit again and see that it takes the same way (I-11).
//!
//! It is no host: it checks no grants, keeps no budget, retries nothing and adds no credentials.

pub mod described;
pub mod items;
#[cfg(feature = "destination")]
pub mod trial;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::{FutureExt, LocalBoxFuture};

use crate::bindings::common::transload::connector::session;
use crate::context::{BlobBuilder, Host, Ledger, Level};
use crate::fingerprint::sha256;
use crate::http::{
    Body, Doubt, Header, HttpError, OperationKey, Part, PartBody, Piece, PollOptions, Request,
    Response,
};
use crate::ledger::{Outcome, Refusal, UndoOutcome};
use crate::types::BlobRef;
use crate::{Context, Result};

type Platform = Rc<dyn Fn(Request) -> LocalBoxFuture<'static, Result<Response, HttpError>>>;
type Answer = Result<(Response, Option<BlobRef>), HttpError>;
type Sleeper = Rc<dyn Fn(u64)>;
type Holder = Rc<dyn Fn(&BlobRef) -> Vec<u8>>;

/// A request as the connector made it, and what it got.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// The request.
    pub request: Request,
    /// The answer. For a download the body is empty.
    pub answer: Result<Response, HttpError>,
    blob: Option<BlobRef>,
}

/// Something a unit did: what [`Harness::log`] lists in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A request; the number is its position among the exchanges, from 0.
    Request(usize),
    /// A wait, ms.
    Sleep(u64),
    /// A report.
    Report(Outcome),
    /// A report of an undo.
    ReportUndo(UndoOutcome),
}

#[derive(Default)]
struct Record {
    exchanges: RefCell<Vec<Exchange>>,
    steps: RefCell<Vec<Step>>,
    lines: RefCell<Vec<(Level, String)>>,
}

/// Plays the host for one connection. Blobs and the platform outlive a unit; the record is of all units so far.
pub struct Harness {
    platform: Platform,
    session: session::Context,
    now: Cell<i64>,
    blobs: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    record: Rc<Record>,
    lost: Rc<RefCell<Vec<Lost>>>,
    sleeper: Sleeper,
    holder: Holder,
}

/// The bytes that a host holds, for a platform that gets them.
#[derive(Clone, Default)]
pub struct Files(Rc<RefCell<BTreeMap<String, Vec<u8>>>>);

impl Files {
    /// The bytes of a blob, where the host holds them.
    pub fn read(&self, blob: &BlobRef) -> Option<Vec<u8>> {
        self.0.borrow().get(&blob.sha256).cloned()
    }

    /// A request's headers and body as a host sends them: forms written out, files in their places. `other` gives the bytes of
    /// what the host has not.
    pub fn on_the_wire(
        &self,
        request: &Request,
        other: impl Fn(&BlobRef) -> Vec<u8>,
    ) -> (Vec<(String, String)>, Vec<u8>) {
        const BOUNDARY: &str = "transload-test-boundary";
        let bytes_of = |blob: &BlobRef| self.read(blob).unwrap_or_else(|| other(blob));
        let headers = request.headers.iter();
        let mut headers: Vec<(String, String)> =
            headers.map(|h| (h.name.clone(), h.value.clone())).collect();
        let body = match &request.body {
            Body::None => Vec::new(),
            Body::Bytes(bytes) => bytes.clone(),
            Body::Blob(blob) => bytes_of(blob),
            Body::Pieces(pieces) => pieces
                .iter()
                .flat_map(|piece| match piece {
                    Piece::Bytes(bytes) => bytes.clone(),
                    Piece::Blob(blob) => bytes_of(blob),
                    Piece::Base64(blob) => STANDARD.encode(bytes_of(blob)).into_bytes(),
                })
                .collect(),
            Body::Multipart(parts) => {
                let kind = format!("multipart/form-data; boundary={BOUNDARY}");
                headers.push(("content-type".to_owned(), kind));
                let mut body: Vec<u8> = Vec::new();
                for part in parts {
                    body.extend(part_head(BOUNDARY, part).into_bytes());
                    match &part.body {
                        PartBody::Bytes(bytes) => body.extend(bytes),
                        PartBody::Blob(blob) => body.extend(bytes_of(blob)),
                    }
                    body.extend(b"\r\n");
                }
                body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
                body
            }
        };
        (headers, body)
    }
}

/// What stands before the bytes of a part; names are escaped as browsers do it.
fn part_head(boundary: &str, part: &Part) -> String {
    let escaped = |name: &str| {
        name.replace('\r', "%0D")
            .replace('\n', "%0A")
            .replace('"', "%22")
    };
    let filename = part.filename.as_deref();
    let filename = filename.map(|name| format!("; filename=\"{}\"", escaped(name)));
    let media_type = part.media_type.as_deref();
    let media_type = media_type.map(|kind| format!("Content-Type: {kind}\r\n"));
    format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"{}\r\n{}\r\n",
        escaped(&part.name),
        filename.unwrap_or_default(),
        media_type.unwrap_or_default()
    )
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

/// How an answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The platform did it; the answer did not come back.
    AfterApplying,
    /// The request never arrived; the connector cannot know.
    BeforeArriving,
}

struct Lost {
    nth: usize,
    how: Loss,
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Harness {
    /// A harness whose platform is a closure. A router of a simulator fits: build an `http::Request` from the given one, call
    /// the router, and make a [`Response`] of the answer.
    pub fn new<F, Fut>(platform: F) -> Self
    where
        F: Fn(Request) -> Fut + 'static,
        Fut: Future<Output = Response> + 'static,
    {
        Self {
            platform: Rc::new(move |request| platform(request).map(Ok).boxed_local()),
            session: session::Context {
                config: "{}".to_owned(),
                run: "run-1".to_owned(),
                platform: "source".to_owned(),
                organisation: "org-1".to_owned(),
                time_zone: "UTC".to_owned(),
                state: None,
            },
            // 2026-01-01T00:00:00Z: a round number that no seeded data is younger than.
            now: Cell::new(1_767_225_600_000),
            blobs: Rc::default(),
            record: Rc::default(),
            lost: Rc::default(),
            sleeper: Rc::new(|_| {}),
            holder: Rc::new(|_| Vec::new()),
        }
    }

    /// The same for a platform that reads the files it is sent: `platform` makes the closure out of the host's blobs.
    pub fn with_files<P, F, Fut>(platform: P) -> Self
    where
        P: FnOnce(Files) -> F,
        F: Fn(Request) -> Fut + 'static,
        Fut: Future<Output = Response> + 'static,
    {
        let files = Files::default();
        let harness = Self::new(platform(files.clone()));
        Self {
            blobs: files.0,
            ..harness
        }
    }

    /// A harness that answers from a list, in order, and with 500 after its end.
    pub fn scripted(answers: impl IntoIterator<Item = Response>) -> Self {
        let answers: RefCell<VecDeque<Response>> = RefCell::new(answers.into_iter().collect());
        Self::new(move |_| {
            let next = answers.borrow_mut().pop_front();
            std::future::ready(next.unwrap_or_else(|| answer(500, "the script has ended")))
        })
    }

    /// The connection's settings.
    #[must_use]
    pub fn config(mut self, config: &serde_json::Value) -> Self {
        self.session.config = config.to_string();
        self
    }

    /// The connector's state, as `prepare` or `discover` returned it.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.session.state = Some(state.into());
        self
    }

    /// Run, source platform and source organisation.
    #[must_use]
    pub fn run(mut self, run: &str, platform: &str, organisation: &str) -> Self {
        self.session.run = run.to_owned();
        self.session.platform = platform.to_owned();
        self.session.organisation = organisation.to_owned();
        self
    }

    /// The time zone for dates.
    #[must_use]
    pub fn time_zone(mut self, name: &str) -> Self {
        self.session.time_zone = name.to_owned();
        self
    }

    /// The unit's time, ms.
    #[must_use]
    pub fn now(self, at: i64) -> Self {
        self.now.set(at);
        self
    }

    /// What a wait does besides passing at once: it may move the platform's clock. Gets ms.
    #[must_use]
    pub fn sleeping(mut self, sleeper: impl Fn(u64) + 'static) -> Self {
        self.sleeper = Rc::new(sleeper);
        self
    }

    /// What blobs hold that nobody kept here: files that a host has fetched.
    #[must_use]
    pub fn holding(mut self, holder: impl Fn(&BlobRef) -> Vec<u8> + 'static) -> Self {
        self.holder = Rc::new(holder);
        self
    }

    /// Makes the answer to the n-th mutating request (from 1) in-doubt.
    #[must_use]
    pub fn lose_answer(self, nth: usize, how: Loss) -> Self {
        self.lost.borrow_mut().push(Lost { nth, how });
        self
    }

    /// The context of a unit.
    pub fn context(&self) -> Context {
        self.with_source(Source::Platform {
            platform: Rc::clone(&self.platform),
            lost: Rc::clone(&self.lost),
            mutating: Cell::new(0),
        })
    }

    /// A context that answers from the record of `self` instead of asking the platform, and the harness that records what the
    /// second run does. A request that the first run did not make is answered as denied, and shows in [`Harness::same_way`].
    pub fn replay(&self) -> (Context, Harness) {
        let again = Harness {
            platform: Rc::clone(&self.platform),
            session: self.session.clone(),
            now: self.now.clone(),
            blobs: Rc::clone(&self.blobs),
            record: Rc::default(),
            lost: Rc::default(),
            sleeper: Rc::clone(&self.sleeper),
            holder: Rc::clone(&self.holder),
        };
        let left = RefCell::new(self.record.exchanges.borrow().clone());
        (again.with_source(Source::Record { left }), again)
    }

    /// Compares two runs: `None` when they took the same way, else the first difference.
    pub fn same_way(&self, other: &Harness) -> Option<String> {
        let requests = |h: &Harness| -> Vec<Request> {
            h.record
                .exchanges
                .borrow()
                .iter()
                .map(|e| e.request.clone())
                .collect()
        };
        let (mine, theirs) = (requests(self), requests(other));
        for (i, pair) in mine.iter().zip(&theirs).enumerate() {
            if pair.0 != pair.1 {
                return Some(format!(
                    "request {i}: {} instead of {}",
                    shown(pair.1),
                    shown(pair.0)
                ));
            }
        }
        if mine.len() != theirs.len() {
            return Some(format!(
                "{} requests instead of {}",
                theirs.len(),
                mine.len()
            ));
        }
        let (mine, theirs) = (self.record.steps.borrow(), other.record.steps.borrow());
        let first = mine.iter().zip(theirs.iter()).position(|(a, b)| a != b);
        first
            .map(|i| format!("step {i} differs"))
            .or_else(|| (mine.len() != theirs.len()).then(|| "one run did more".to_owned()))
    }

    /// All requests so far, with their answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.record.exchanges.borrow().clone()
    }

    /// All steps so far.
    pub fn steps(&self) -> Vec<Step> {
        self.record.steps.borrow().clone()
    }

    /// All outcomes reported so far.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let pick = |step: Step| {
            if let Step::Report(outcome) = step {
                Some(outcome)
            } else {
                None
            }
        };
        self.steps().into_iter().filter_map(pick).collect()
    }

    /// All undo outcomes reported so far.
    pub fn undo_outcomes(&self) -> Vec<UndoOutcome> {
        let pick = |step: Step| {
            if let Step::ReportUndo(o) = step {
                Some(o)
            } else {
                None
            }
        };
        self.steps().into_iter().filter_map(pick).collect()
    }

    /// Requests that were answered as done and that no effect of an outcome names: a host refuses such an outcome (rule D-8).
    /// What passes by itself need not be named, nor a request for several items (`*`), all of which may have been refused.
    pub fn unclaimed(&self) -> Vec<String> {
        let outcomes = self.outcomes();
        let claimed = |key: &OperationKey| {
            let mut effects = outcomes.iter().flat_map(|outcome| &outcome.effects);
            effects.any(|effect| effect.key.as_ref() == Some(key))
        };
        let left = self.exchanges().into_iter().filter(|exchange| {
            let done =
                matches!(&exchange.answer, Ok(answer) if (200..300).contains(&answer.status));
            let key = exchange.request.key.as_ref();
            done && !exchange.request.passing
                && key.is_some_and(|key| key.item != "*" && !claimed(key))
        });
        left.map(|exchange| shown(&exchange.request)).collect()
    }

    /// What the connector logged.
    pub fn log(&self) -> Vec<(Level, String)> {
        self.record.lines.borrow().clone()
    }

    /// Keeps bytes, as a host that fetched a file.
    pub fn put_blob(&self, media_type: &str, bytes: &[u8]) -> BlobRef {
        keep(&self.blobs, media_type, bytes.to_vec())
    }

    /// The bytes of a blob.
    pub fn blob(&self, blob: &BlobRef) -> Option<Vec<u8>> {
        self.blobs.borrow().get(&blob.sha256).cloned()
    }

    /// A request's body as bytes, blobs included and encoded where they are to be; of a form, its parts' bodies one after another.
    pub fn body(&self, request: &Request) -> Vec<u8> {
        match &request.body {
            Body::None => Vec::new(),
            Body::Bytes(bytes) => bytes.clone(),
            Body::Blob(blob) => self.blob(blob).unwrap_or_default(),
            Body::Multipart(parts) => parts
                .iter()
                .flat_map(|part| match &part.body {
                    PartBody::Bytes(bytes) => bytes.clone(),
                    PartBody::Blob(blob) => self.blob(blob).unwrap_or_default(),
                })
                .collect(),
            Body::Pieces(pieces) => pieces
                .iter()
                .flat_map(|piece| match piece {
                    Piece::Bytes(bytes) => bytes.clone(),
                    Piece::Blob(blob) => self.blob(blob).unwrap_or_default(),
                    Piece::Base64(blob) => STANDARD
                        .encode(self.blob(blob).unwrap_or_default())
                        .into_bytes(),
                })
                .collect(),
        }
    }

    fn with_source(&self, source: Source) -> Context {
        let host = Rc::new(Played {
            source,
            now: self.now.get(),
            blobs: Rc::clone(&self.blobs),
            record: Rc::clone(&self.record),
            sleeper: Rc::clone(&self.sleeper),
            holder: Rc::clone(&self.holder),
        });
        Context::new(self.session.clone(), host.clone(), Some(host))
    }
}

/// An answer with a JSON, or any other, body.
pub fn answer(status: u16, body: impl Into<String>) -> Response {
    Response {
        status,
        headers: vec![Header {
            name: "content-type".to_owned(),
            value: "application/json".to_owned(),
        }],
        body: body.into().into_bytes(),
        attempted_before: false,
    }
}

fn shown(request: &Request) -> String {
    format!("{} {}", request.method, request.url)
}

fn keep(blobs: &RefCell<BTreeMap<String, Vec<u8>>>, media_type: &str, bytes: Vec<u8>) -> BlobRef {
    let sha256 = sha256(&bytes);
    let size = bytes.len() as u64;
    blobs.borrow_mut().insert(sha256.clone(), bytes);
    BlobRef {
        sha256,
        size,
        media_type: media_type.to_owned(),
    }
}

enum Source {
    Platform {
        platform: Platform,
        lost: Rc<RefCell<Vec<Lost>>>,
        mutating: Cell<usize>,
    },
    Record {
        left: RefCell<Vec<Exchange>>,
    },
}

struct Played {
    source: Source,
    now: i64,
    blobs: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
    record: Rc<Record>,
    sleeper: Sleeper,
    holder: Holder,
}

impl Played {
    /// Asks the platform, or the record; writes down both.
    async fn exchange(&self, request: Request, keep_body: bool) -> Answer {
        // Requests are numbered as they are made, answers filled in as they come.
        let at = {
            let mut exchanges = self.record.exchanges.borrow_mut();
            let pending = Err(HttpError::Cancelled);
            exchanges.push(Exchange {
                request: request.clone(),
                answer: pending,
                blob: None,
            });
            exchanges.len() - 1
        };
        self.record.steps.borrow_mut().push(Step::Request(at));
        let answered = match &self.source {
            Source::Record { left } => {
                let mut left = left.borrow_mut();
                match left.iter().position(|e| e.request == request) {
                    Some(i) => {
                        let found = left.remove(i);
                        found.answer.map(|response| (response, found.blob))
                    }
                    None => Err(HttpError::Denied(
                        "the first run did not send this".to_owned(),
                    )),
                }
            }
            Source::Platform {
                platform,
                lost,
                mutating,
            } => {
                let how = if request.key.is_some() {
                    mutating.set(mutating.get() + 1);
                    lost.borrow()
                        .iter()
                        .find(|l| l.nth == mutating.get())
                        .map(|l| l.how)
                } else {
                    None
                };
                let doubt = Err(HttpError::InDoubt(Doubt {
                    sent_at: self.now,
                    attempts: 1,
                }));
                match how {
                    Some(Loss::BeforeArriving) => doubt,
                    Some(Loss::AfterApplying) => {
                        let _ = platform(request).await;
                        doubt
                    }
                    None => platform(request).await.map(|response| (response, None)),
                }
            }
        };
        let answered = answered.map(|(mut response, mut blob)| {
            if keep_body && blob.is_none() {
                let media_type = response.headers.iter().find(|h| h.name == "content-type");
                let media_type = media_type
                    .map_or("application/octet-stream", |h| h.value.as_str())
                    .to_owned();
                blob = Some(keep(
                    &self.blobs,
                    &media_type,
                    std::mem::take(&mut response.body),
                ));
            }
            (response, blob)
        });
        if let Some(exchange) = self.record.exchanges.borrow_mut().get_mut(at) {
            exchange.answer = answered.clone().map(|(response, _)| response);
            exchange.blob = answered.as_ref().ok().and_then(|(_, blob)| blob.clone());
        }
        answered
    }
}

impl Host for Played {
    fn send(&self, request: Request) -> LocalBoxFuture<'_, Result<Response, HttpError>> {
        async move {
            self.exchange(request, false)
                .await
                .map(|(response, _)| response)
        }
        .boxed_local()
    }

    /// Asks up to `give-up-after-ms / every-ms` times, without waiting.
    fn poll(
        &self,
        request: Request,
        options: PollOptions,
    ) -> LocalBoxFuture<'_, Result<Response, HttpError>> {
        async move {
            let tries = options.give_up_after_ms / options.every_ms.max(1) + 1;
            let mut last = Err(HttpError::Timeout);
            for _ in 0..tries {
                last = self
                    .exchange(request.clone(), false)
                    .await
                    .map(|(response, _)| response);
                let Ok(response) = &last else { break };
                let json: serde_json::Value =
                    serde_json::from_slice(&response.body).unwrap_or_default();
                let value = json.pointer(&options.pointer).map(|value| match value {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                let done = value.is_some_and(|value| options.until.contains(&value));
                if done || !(200..300).contains(&response.status) {
                    break;
                }
            }
            last
        }
        .boxed_local()
    }

    fn download(
        &self,
        request: Request,
    ) -> LocalBoxFuture<'_, Result<(Response, BlobRef), HttpError>> {
        async move {
            let (response, blob) = self.exchange(request, true).await?;
            let blob = blob.ok_or_else(|| HttpError::Denied("no download before".to_owned()))?;
            Ok((response, blob))
        }
        .boxed_local()
    }

    fn now(&self) -> i64 {
        self.now
    }

    fn sleep(&self, ms: u64) -> LocalBoxFuture<'_, ()> {
        self.record.steps.borrow_mut().push(Step::Sleep(ms));
        (self.sleeper)(ms);
        std::future::ready(()).boxed_local()
    }

    fn log(&self, level: Level, message: &str) {
        self.record
            .lines
            .borrow_mut()
            .push((level, message.to_owned()));
    }

    fn progress(&self, _done: u64, _total: Option<u64>) {}

    fn blob_builder(&self, media_type: &str) -> Box<dyn BlobBuilder> {
        Box::new(PlayedBuilder {
            media_type: media_type.to_owned(),
            bytes: Vec::new(),
            blobs: Rc::clone(&self.blobs),
        })
    }

    fn blob_read(&self, blob: &BlobRef, offset: u64, len: u32) -> Vec<u8> {
        let blobs = self.blobs.borrow();
        let held;
        let bytes = match blobs.get(&blob.sha256) {
            Some(bytes) => bytes.as_slice(),
            None => {
                held = (self.holder)(blob);
                held.as_slice()
            }
        };
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let to = from.saturating_add(len as usize).min(bytes.len());
        bytes.get(from..to).unwrap_or_default().to_vec()
    }
}

impl Ledger for Played {
    fn report(&self, outcomes: Vec<Outcome>) -> LocalBoxFuture<'_, Vec<Result<(), Refusal>>> {
        let taken = vec![Ok(()); outcomes.len()];
        let steps = outcomes.into_iter().map(Step::Report);
        self.record.steps.borrow_mut().extend(steps);
        std::future::ready(taken).boxed_local()
    }

    fn report_undo(
        &self,
        outcomes: Vec<UndoOutcome>,
    ) -> LocalBoxFuture<'_, Vec<Result<(), Refusal>>> {
        let taken = vec![Ok(()); outcomes.len()];
        let steps = outcomes.into_iter().map(Step::ReportUndo);
        self.record.steps.borrow_mut().extend(steps);
        std::future::ready(taken).boxed_local()
    }
}

struct PlayedBuilder {
    media_type: String,
    bytes: Vec<u8>,
    blobs: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
}

impl BlobBuilder for PlayedBuilder {
    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn finish(self: Box<Self>) -> BlobRef {
        keep(&self.blobs, &self.media_type, self.bytes)
    }
}
