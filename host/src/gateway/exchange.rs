//! The gateway itself: the loop around one request.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::auth::{Auth, Credential};
use super::budget::{Budget, Taken, Wait, retry_at};
use super::digest;
use super::grants::{Grants, Target, reading_method};
use super::judge::{Verdict, judge, refused_by_status};
use super::secret::Vault;
use super::transport::{FailureKind, InResponse, OutBody, OutRequest, Transport, TransportError};
use super::wire::{Wire, WireError, stated_length};
use super::{
    ConnectionSpec, Exchange, GatewayLimits, GatewayState, IntentLog, Pause, PauseReason,
    RequestCount, SpecError,
};
use crate::blobs::{BlobError, BlobStore};
use crate::clock::SharedClock;
use crate::contract::description::{Auth as Scheme, RefusedAnswer};
use crate::contract::http::{Body, Doubt, Error, Header, PollOptions, Replay, Request, Response};
use crate::contract::types::BlobRef;
use crate::unit_host::UnitAbort;

/// A wait longer than this is shown as a pause.
const VISIBLE_MS: i64 = 60_000;
/// Redirects of one read.
const REDIRECTS: u32 = 5;

/// One connection's way out. Cheap to clone; clones share budget, credential and counters.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    refusals: Vec<RefusedAnswer>,
    limits: GatewayLimits,
    wire: Arc<Wire>,
    auth: Option<Arc<Auth>>,
    budget: Budget,
    blobs: BlobStore,
    stop: CancellationToken,
    pauses: Arc<Pauses>,
    /// As rights are shown.
    withheld: Vec<String>,
    counts: Mutex<BTreeMap<(String, String), RequestCount>>,
}

/// The run was stopped while a request waited.
struct Stopped;

/// Where a body goes.
#[derive(Clone, Copy)]
enum Sink {
    Memory,
    Blob,
}

/// What one attempt came to.
enum Attempt {
    Answer {
        status: u16,
        headers: Vec<Header>,
        body: Vec<u8>,
        blob: Option<BlobRef>,
        verdict: Verdict,
    },
    Failed {
        nothing_sent: bool,
        timeout: bool,
    },
    TooLarge(Option<u64>),
    Denied(String),
}

impl Gateway {
    /// Sets a connection up. Nothing is sent and no secret is read yet.
    ///
    /// # Errors
    /// When the specification cannot work.
    pub fn new(
        spec: ConnectionSpec,
        transport: Arc<dyn Transport>,
        clock: SharedClock,
        blobs: BlobStore,
        stop: CancellationToken,
    ) -> Result<Self, SpecError> {
        let ConnectionSpec {
            name,
            base_url,
            settings,
            secrets,
            auth,
            mut description,
            ..
        } = spec;
        let withheld = spec.granted.narrow(&mut description, auth.as_ref())?;
        let withheld_lines = withheld.lines();
        let scheme = auth.map(|a| a.auth);
        if matches!(scheme, Some(Scheme::RefreshToken(_))) && spec.credential_store.is_none() {
            return Err(SpecError::NoCredentialStore);
        }
        let explicit = settings.get("base_url").and_then(Value::as_str).is_some();
        let mut hosts = description.hosts;
        hosts.extend(spec.grants);
        let grants = Grants::new(
            description.role,
            &base_url,
            explicit,
            description.requests,
            hosts,
            spec.allow_private,
            scheme.as_ref().map(Auth::header_name),
        );
        let grants = grants.map_err(SpecError::BaseUrl)?.withholding(withheld);
        let pauses = Arc::new(Pauses::new(name.clone()));
        let auth = scheme.map(|scheme| {
            let pauses = pauses.clone();
            let tell = Box::new(move |error: Option<&_>| {
                let reason = error.map(|e: &super::auth::AuthError| e.to_string());
                let pause = reason.map(|r| Pause {
                    reason: PauseReason::Credential(r),
                    until: None,
                });
                pauses.set(PauseSlot::Credential, pause);
            });
            let vault = Vault { settings, secrets };
            Arc::new(Auth::new(scheme, vault, spec.credential_store, tell))
        });
        let share = spec.budget_share.clamp(0.001, 1.0);
        let most = spec.limits.concurrency;
        let budget = Budget::new(description.rate_rules, share, most, clock.clone());
        let inner = Inner {
            name,
            refusals: description.refusals,
            limits: spec.limits,
            wire: Arc::new(Wire::new(transport, clock, grants)),
            auth,
            budget,
            blobs,
            stop,
            pauses,
            withheld: withheld_lines,
            counts: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// What the connector asks for and nobody allowed: it is refused.
    #[must_use]
    pub fn withheld(&self) -> &[String] {
        &self.inner.withheld
    }

    /// Sends a request and settles what became of it. `intent` is required for mutating requests. The attempt numbers and
    /// `attempted_before` tell of this call only: who repeats a request after a crash adds what the journal knows, and takes
    /// the time since the first attempt off `window_ms`.
    ///
    /// # Errors
    /// What the intent log raises, and a failing disk.
    ///
    /// # Cancel safety
    /// Dropping the future drops a request that may have been applied: call it from a task of its own.
    pub async fn exchange(
        &self,
        request: impl Borrow<Request> + Send + Sync,
        intent: Option<&dyn IntentLog>,
    ) -> Result<Exchange, UnitAbort> {
        Ok(self
            .inner
            .run(request.borrow(), intent, Sink::Memory)
            .await?
            .0)
    }

    /// Repeats a safe request until its answer says so, or the time is up; the last answer is returned.
    ///
    /// # Errors
    /// A failing disk.
    pub async fn poll(
        &self,
        request: impl Borrow<Request> + Send + Sync,
        options: PollOptions,
    ) -> Result<Result<Response, Error>, UnitAbort> {
        let request: &Request = request.borrow();
        if self.is_mutating(request) {
            return Ok(Err(Error::Denied("only a read can be polled".into())));
        }
        let clock = &self.inner.wire.clock;
        let give_up = i64::try_from(options.give_up_after_ms).unwrap_or(i64::MAX);
        let give_up = clock.now().saturating_add(give_up);
        loop {
            let response = match self.exchange(request, None).await? {
                Exchange::Answered { response, .. } => response,
                other => return Ok(Err(error_of(other))),
            };
            let every = options.every_ms.max(1);
            let next = clock
                .now()
                .saturating_add(i64::try_from(every).unwrap_or(i64::MAX));
            if says(&response, &options) || next > give_up {
                return Ok(Ok(response));
            }
            let wait = clock.sleep(Duration::from_millis(every));
            if self.inner.or_stop(wait).await.is_err() {
                return Ok(Err(Error::Cancelled));
            }
        }
    }

    /// Sends a safe request and keeps the body as a blob.
    ///
    /// # Errors
    /// A failing or full disk.
    pub async fn download(
        &self,
        request: impl Borrow<Request> + Send + Sync,
    ) -> Result<Result<(Response, BlobRef), Error>, UnitAbort> {
        let request: &Request = request.borrow();
        if self.is_mutating(request) {
            return Ok(Err(Error::Denied("only a read can be downloaded".into())));
        }
        Ok(match self.inner.run(request, None, Sink::Blob).await? {
            (Exchange::Answered { response, .. }, Some(blob)) => Ok((response, blob)),
            (other, _) => Err(error_of(other)),
        })
    }

    /// Whether a request changes something: any method but GET and HEAD, save patterns declared as reading (rule D-2).
    #[must_use]
    pub fn is_mutating(&self, request: &Request) -> bool {
        let target = self
            .inner
            .wire
            .grants
            .resolve(&request.method, &request.url);
        target.map_or(!reading_method(&request.method), |t| t.mutating)
    }

    /// The granted pattern or host that a request falls under; for logs and audit rows, which must not show ids.
    #[must_use]
    pub fn pattern(&self, request: &Request) -> String {
        let target = self
            .inner
            .wire
            .grants
            .resolve(&request.method, &request.url);
        target.map_or_else(|_| "(not granted)".into(), |t| t.grant)
    }

    /// The name under which the user would have to allow the host of a link (`allow_hosts`) before it could be read; `None` if it
    /// can be read, or if something other than its host is in the way.
    #[must_use]
    pub fn foreign_host(&self, link: &str) -> Option<String> {
        self.inner.wire.grants.foreign_host(link)
    }

    /// What a replay compares (rule D-1): hex of a sha-256 over method, URL, logical parts and blob hashes.
    #[must_use]
    pub fn digest(&self, request: &Request) -> String {
        digest::digest(request)
    }

    /// How things stand.
    #[must_use]
    pub fn state(&self) -> GatewayState {
        let requests = self.inner.counts().values().cloned().collect();
        GatewayState {
            paused: self.inner.pauses.current(),
            requests,
            utilisation: self.inner.budget.uses(),
            concurrency: self.inner.budget.concurrency.limit(),
        }
    }

    /// Follows the connection's pauses.
    #[must_use]
    pub fn pauses(&self) -> watch::Receiver<Option<Pause>> {
        self.inner.pauses.watch.subscribe()
    }

    /// Changes our share of shared limits at once (rule M-11).
    pub fn set_budget_share(&self, share: f64) {
        self.inner.budget.set_share(share);
    }
}

fn error_of(exchange: Exchange) -> Error {
    match exchange {
        Exchange::Failed(error) => error,
        Exchange::Doubt { sent_at, attempts } => Error::InDoubt(Doubt { sent_at, attempts }),
        Exchange::Answered { .. } => Error::Connection("the answer was not kept".into()),
    }
}

/// Whether a polled answer ends the wait.
fn says(response: &Response, options: &PollOptions) -> bool {
    if !(200..300).contains(&response.status) {
        return true;
    }
    let Ok(answer) = serde_json::from_slice::<Value>(&response.body) else {
        return false;
    };
    let text = match answer.pointer(&options.pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => return false,
    };
    options.until.contains(&text)
}

/// What is known of a request over all its attempts.
#[derive(Default)]
struct Course {
    attempts: u32,
    /// Attempts that count against the limit.
    failures: u32,
    /// Refusals for speed in a row.
    throttles: u32,
    sent_at: i64,
    /// When the first attempt left that may have been applied.
    maybe_since: Option<i64>,
    refused_credential: Option<u64>,
}

impl Inner {
    async fn run(
        &self,
        request: &Request,
        intent: Option<&dyn IntentLog>,
        sink: Sink,
    ) -> Result<(Exchange, Option<BlobRef>), UnitAbort> {
        let denied = |what: String| {
            let (method, url) = (&request.method, &request.url);
            self.wire.transport.denied(method, url, &what);
            Ok((Exchange::Failed(Error::Denied(what)), None))
        };
        let target = match self.wire.grants.target(request) {
            Ok(target) => target,
            Err(what) => return denied(what),
        };
        if let Some(what) = contradiction(&target, request, intent.is_some()) {
            return denied(what.into());
        }
        let (body, media_type) = match digest::body(request, &self.blobs) {
            Ok(body) => body,
            Err(BlobError::Absent(sha256)) => return Err(UnitAbort::UnknownBlob(sha256)),
            Err(error) => return Err(UnitAbort::Store(error.to_string())),
        };
        let mut headers = request.headers.clone();
        let multipart = matches!(request.body, Body::Multipart(_));
        if let Some(value) = media_type {
            let own = |h: &Header| h.name.eq_ignore_ascii_case("content-type");
            if multipart {
                headers.retain(|h| !own(h));
            }
            if !headers.iter().any(own) {
                headers.push(Header {
                    name: "content-type".into(),
                    value,
                });
            }
        }
        let rules = self.budget.matching(&request.method, &target.path);
        let mut course = Course::default();
        let mut probing = None;
        loop {
            let ready = self.ready(&target, &rules, &mut course, &mut probing).await;
            let (credential, turn) = match ready {
                Ok(ready) => ready,
                Err(Stopped) => return Ok((self.ended(&course, Error::Cancelled), None)),
            };
            // An attempt of an idempotent request beyond its window would be a second `once`.
            if course.maybe_since.is_some() && !self.may_repeat(request, &target, &course) {
                return Ok((self.ended(&course, Error::Timeout), None));
            }
            course.attempts += 1;
            if let (true, Some(intent)) = (target.mutating, intent) {
                intent.intend(course.attempts).await?;
                while !intent.fresh() {
                    intent.intend(course.attempts).await?;
                }
            }
            let started = self.wire.clock.now();
            let out = (headers.clone(), body.clone());
            let sent = self
                .attempt(request, &target, credential.as_deref(), out, sink)
                .await;
            self.budget.ended(&turn.taken);
            let sent = sent?;
            course.sent_at = self.wire.clock.now();
            self.account(
                request,
                &target,
                &sent,
                started,
                &turn.taken,
                course.attempts,
            );
            let refused = sent.surely_refused();
            if target.mutating && !refused && !sent.settled() && course.maybe_since.is_none() {
                course.maybe_since = Some(started);
            }
            if let (true, true, Some(intent)) = (target.mutating, refused, intent) {
                intent.refused(course.attempts).await?;
            }
            if let (Some(auth), Some(credential)) = (&self.auth, &credential)
                && sent.proves_credential()
            {
                auth.proved(credential.generation);
                probing = None;
            }
            let taken = turn.taken;
            drop(turn.place);
            match self.next(
                request,
                &target,
                sent,
                &mut course,
                &taken,
                credential.as_deref(),
            ) {
                Next::Done(exchange, blob) => return Ok((exchange, blob)),
                Next::Again(wait) => {
                    if !wait.is_zero() && self.or_stop(self.wire.clock.sleep(wait)).await.is_err() {
                        return Ok((self.ended(&course, Error::Cancelled), None));
                    }
                }
            }
        }
    }

    /// Waits for credential and budget.
    async fn ready<'a>(
        &'a self,
        target: &Target,
        rules: &[super::budget::Due],
        course: &mut Course,
        probing: &mut Option<tokio::sync::MutexGuard<'a, ()>>,
    ) -> Result<(Option<Arc<Credential>>, super::budget::Turn), Stopped> {
        loop {
            let auth = self.auth.as_ref().filter(|_| target.credential);
            if let Some(auth) = auth {
                if auth.doubtful() && probing.is_none() {
                    *probing = Some(self.or_stop(auth.probe.lock()).await?);
                }
                let refused = course.refused_credential.take();
                self.or_stop(auth.obtain(&self.wire, refused)).await?;
            }
            let mut shown = self.pauses.waiting();
            let turn = self
                .budget
                .turn(rules, |wait| shown.set(wait, self.wire.clock.now()));
            let turn = self.or_stop(turn).await?;
            drop(shown);
            let Some(auth) = auth else {
                return Ok((None, turn));
            };
            // It may have been refused to somebody else, or have run out, while this request queued.
            if auth.doubtful() && probing.is_none() {
                continue;
            }
            let credential = self.or_stop(auth.obtain(&self.wire, None)).await?;
            return Ok((Some(credential), turn));
        }
    }

    async fn attempt(
        &self,
        request: &Request,
        target: &Target,
        credential: Option<&Credential>,
        (headers, body): (Vec<Header>, OutBody),
        sink: Sink,
    ) -> Result<Attempt, UnitAbort> {
        let secret_headers = credential.map(|c| c.headers.clone()).unwrap_or_default();
        let mut out = OutRequest {
            method: request.method.clone(),
            url: target.url.clone(),
            headers,
            secret_headers,
            body,
            addresses: Vec::new(),
        };
        let mut redirects = 0;
        let mut answer = loop {
            let (method, from) = (out.method.clone(), out.url.clone());
            let kept = (out.headers.clone(), out.secret_headers.clone());
            let answer = match self.wire.send(out, self.limits.answer_timeout).await {
                Ok(answer) => answer,
                Err(error) => return Ok(Attempt::from(error)),
            };
            let location = redirect(&method, &answer);
            let Some(location) = location else {
                break answer;
            };
            redirects += 1;
            if redirects > REDIRECTS {
                return Ok(Attempt::Denied("too many redirects".into()));
            }
            let next = from.join(location).map_err(|_| "malformed".to_owned());
            let next = next.and_then(|url| self.wire.grants.resolve(&method, url.as_str()));
            let next = match next {
                Ok(next) => next,
                Err(what) => return Ok(Attempt::Denied(format!("redirected: {what}"))),
            };
            let (mut headers, mut secret_headers) = kept;
            if next.url.origin() != from.origin() || !next.credential {
                secret_headers.clear();
                // Whatever else the guest set may be as good as a credential.
                headers.retain(|h| {
                    let name = h.name.to_ascii_lowercase();
                    matches!(
                        name.as_str(),
                        "accept" | "accept-language" | "range" | "user-agent"
                    )
                });
            }
            out = OutRequest {
                method,
                url: next.url,
                headers,
                secret_headers,
                body: OutBody::default(),
                addresses: Vec::new(),
            };
        };
        let head = request.method == "HEAD";
        self.receive(target, credential.is_some(), head, &mut answer, sink)
            .await
    }

    async fn receive(
        &self,
        target: &Target,
        credential: bool,
        head: bool,
        answer: &mut InResponse,
        sink: Sink,
    ) -> Result<Attempt, UnitAbort> {
        let status = answer.status;
        let mut headers = std::mem::take(&mut answer.headers);
        let ok = (200..300).contains(&status);
        let (body, blob) = match sink {
            // Its length is that of the answer to GET: nothing follows.
            _ if head => (Vec::new(), None),
            Sink::Blob if ok => {
                answer.headers.clone_from(&headers);
                match self.keep(answer).await? {
                    Ok(blob) => (Vec::new(), Some(blob)),
                    Err(error) => return Ok(Attempt::from(error)),
                }
            }
            _ => {
                answer.headers.clone_from(&headers);
                let read = self.wire.read(answer, self.limits.max_answer_bytes);
                match self.wire.within(self.limits.body_timeout, read).await {
                    Ok(body) => (body, None),
                    Err(_) if refused_by_status(status) => (Vec::new(), None),
                    Err(error) => return Ok(Attempt::from(error)),
                }
            }
        };
        let verdict = judge(
            target.mutating,
            credential,
            status,
            readable(&headers, &body),
            &body,
            &self.refusals,
        );
        // A session is a credential too.
        headers.retain(|h| !matches!(h.name.as_str(), "set-cookie" | "set-cookie2"));
        let blob = match (sink, blob) {
            // An error page is small; it becomes a blob like any other answer.
            (Sink::Blob, None) if verdict == Verdict::Deliver => {
                let page = self.blobs.put_bytes(&body, media_type(&headers));
                Some(page.map_err(|e| UnitAbort::Store(e.to_string()))?)
            }
            (_, blob) => blob,
        };
        Ok(Attempt::Answer {
            status,
            headers,
            body,
            blob,
            verdict,
        })
    }

    /// Streams an answer into the blob folder.
    async fn keep(&self, answer: &mut InResponse) -> Result<Result<BlobRef, WireError>, UnitAbort> {
        let stated = stated_length(answer);
        let limit = self.blobs.max_bytes();
        if stated.is_some_and(|len| len > limit) {
            return Ok(Err(WireError::TooLarge(stated)));
        }
        let mut builder = self.blobs.builder(media_type(&answer.headers));
        let fill = async {
            while let Some(piece) = answer.body.next().await {
                if let Err(error) = builder.append(&piece.map_err(WireError::Transport)?) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        };
        match self.wire.within(self.limits.download_timeout, fill).await {
            Ok(Ok(())) => {}
            Ok(Err(BlobError::TooLarge { .. })) => return Ok(Err(WireError::TooLarge(stated))),
            Ok(Err(error)) => return Err(UnitAbort::Store(error.to_string())),
            Err(error) => return Ok(Err(error)),
        }
        // A body that ended early must not become a blob.
        if stated.is_some_and(|len| len != builder.size()) {
            return Ok(Err(WireError::Transport(TransportError::broken())));
        }
        // Outside the time limit: the disk's slowness is not the platform's.
        let sealed = builder.seal().await;
        Ok(Ok(sealed.map_err(|e| UnitAbort::Store(e.to_string()))?))
    }

    /// Decides what follows an attempt.
    fn next(
        &self,
        request: &Request,
        target: &Target,
        sent: Attempt,
        course: &mut Course,
        taken: &Taken,
        credential: Option<&Credential>,
    ) -> Next {
        let now = self.wire.clock.now();
        if !matches!(
            &sent,
            Attempt::Answer {
                verdict: Verdict::SlowDown { .. },
                ..
            }
        ) {
            course.throttles = 0;
        }
        match sent {
            Attempt::Denied(what) => Next::Done(self.ended(course, Error::Denied(what)), None),
            Attempt::TooLarge(size) => Next::Done(self.ended(course, Error::TooLarge(size)), None),
            Attempt::Failed {
                nothing_sent,
                timeout,
            } => {
                course.failures += 1;
                let repeat = nothing_sent || self.may_repeat(request, target, course);
                if repeat && course.failures < self.limits.attempts {
                    return Next::Again(self.backoff(course.failures));
                }
                let broken = if nothing_sent {
                    "no connection"
                } else {
                    "the connection broke"
                };
                let error = if timeout {
                    Error::Timeout
                } else {
                    Error::Connection(broken.into())
                };
                Next::Done(self.ended(course, error), None)
            }
            Attempt::Answer {
                status,
                headers,
                body,
                blob,
                verdict,
            } => {
                let answered = |body: Vec<u8>, headers: Vec<Header>| Exchange::Answered {
                    response: Response {
                        status,
                        headers,
                        body,
                        attempted_before: course.maybe_since.is_some(),
                    },
                    sent_at: course.sent_at,
                    attempts: course.attempts,
                };
                match verdict {
                    Verdict::Deliver => Next::Done(answered(body, headers), blob),
                    Verdict::Unknown => Next::Done(self.ended(course, Error::Timeout), None),
                    Verdict::SlowDown { quota } => {
                        course.throttles += 1;
                        let long = self.limits.quota_probe;
                        let wait = if quota {
                            long
                        } else {
                            self.backoff(course.throttles)
                        };
                        self.budget.hold(taken, &headers, quota, wait);
                        Next::Again(Duration::ZERO)
                    }
                    Verdict::Unauthorized => {
                        course.refused_credential = credential.map(|c| c.generation);
                        Next::Again(Duration::ZERO)
                    }
                    Verdict::Busy | Verdict::Gateway => {
                        course.failures += 1;
                        let sure = verdict == Verdict::Busy;
                        let repeat = sure || self.may_repeat(request, target, course);
                        if repeat && course.failures < self.limits.attempts {
                            let stated = retry_at(&headers, now).map_or(0, |at| at - now);
                            let stated = Duration::from_millis(u64::try_from(stated).unwrap_or(0));
                            return Next::Again(self.backoff(course.failures).max(stated));
                        }
                        if sure || !target.mutating {
                            return Next::Done(answered(body, headers), blob);
                        }
                        Next::Done(self.ended(course, Error::Timeout), None)
                    }
                }
            }
        }
    }

    /// Whether a request that may have been applied may be sent again.
    fn may_repeat(&self, request: &Request, target: &Target, course: &Course) -> bool {
        if !target.mutating {
            return true;
        }
        let age = course
            .maybe_since
            .map_or(0, |since| self.wire.clock.now() - since);
        let age = u64::try_from(age).unwrap_or(0);
        request.replay == Replay::Idempotent && request.window_ms.is_none_or(|window| age <= window)
    }

    /// How a request ends that has no answer: in doubt if any attempt may have been applied.
    fn ended(&self, course: &Course, error: Error) -> Exchange {
        if course.maybe_since.is_some() {
            Exchange::Doubt {
                sent_at: course.sent_at,
                attempts: course.attempts,
            }
        } else {
            Exchange::Failed(error)
        }
    }

    /// Full jitter: anything up to the doubled step.
    fn backoff(&self, nth: u32) -> Duration {
        let step = self
            .limits
            .backoff
            .saturating_mul(1 << nth.saturating_sub(1).min(16));
        let most = step.min(self.limits.max_backoff).as_millis().max(1);
        Duration::from_millis(rand::random_range(
            1..=u64::try_from(most).unwrap_or(u64::MAX),
        ))
    }

    fn account(
        &self,
        request: &Request,
        target: &Target,
        sent: &Attempt,
        started: i64,
        taken: &Taken,
        attempt: u32,
    ) {
        let (mut status, mut throttled, mut failed) = (None, 0, 0);
        match sent {
            Attempt::Answer {
                status: seen,
                headers,
                verdict,
                ..
            } => {
                status = Some(*seen);
                self.budget.learn(taken, headers);
                match verdict {
                    Verdict::SlowDown { .. } => throttled = 1,
                    Verdict::Unknown | Verdict::Gateway => failed = 1,
                    _ => {}
                }
                if throttled == 1 || *seen == 503 {
                    self.budget.concurrency.fall();
                } else if failed == 0 {
                    self.budget.concurrency.climb();
                }
            }
            _ => failed = 1,
        }
        let key = (request.method.clone(), target.grant.clone());
        let mut counts = self.counts();
        let count = counts
            .entry(key)
            .or_insert_with_key(|(method, grant)| RequestCount {
                method: method.clone(),
                grant: grant.clone(),
                sent: 0,
                throttled: 0,
                failed: 0,
            });
        count.sent += u64::from(!matches!(sent, Attempt::Denied(_)));
        count.throttled += throttled;
        count.failed += failed;
        drop(counts);
        tracing::debug!(
            connection = %self.name,
            http.request.method = %request.method,
            grant = %target.grant,
            http.response.status_code = status,
            attempt,
            duration_ms = self.wire.clock.now() - started,
            "request"
        );
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<(String, String), RequestCount>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn or_stop<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Stopped),
            done = work => Ok(done),
        }
    }
}

enum Next {
    Done(Exchange, Option<BlobRef>),
    Again(Duration),
}

impl Attempt {
    /// It had no effect, whatever it was.
    fn surely_refused(&self) -> bool {
        match self {
            Self::Answer { verdict, .. } => matches!(
                verdict,
                Verdict::SlowDown { .. } | Verdict::Unauthorized | Verdict::Busy
            ),
            Self::Failed { nothing_sent, .. } => *nothing_sent,
            Self::Denied(_) => true,
            Self::TooLarge(_) => false,
        }
    }

    fn settled(&self) -> bool {
        matches!(
            self,
            Self::Answer {
                verdict: Verdict::Deliver,
                ..
            }
        )
    }

    /// The platform looked past the credential.
    fn proves_credential(&self) -> bool {
        matches!(self, Self::Answer { status, verdict, .. }
            if *verdict != Verdict::Unauthorized && *verdict != Verdict::Gateway && *status < 500)
    }
}

impl From<WireError> for Attempt {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Denied(what) => Self::Denied(what),
            WireError::TooLarge(size) => Self::TooLarge(size),
            WireError::Timeout => Self::Failed {
                nothing_sent: false,
                timeout: true,
            },
            WireError::Transport(TransportError { kind, nothing_sent }) => {
                let nothing_sent = nothing_sent || kind == FailureKind::Resolve;
                Self::Failed {
                    nothing_sent,
                    timeout: false,
                }
            }
        }
    }
}

/// What contradicts itself in a request, or the rules.
fn contradiction(target: &Target, request: &Request, journaled: bool) -> Option<&'static str> {
    if !target.mutating {
        return None;
    }
    match () {
        () if request.replay == Replay::Safe => {
            Some("it is called safe but not declared as reading")
        }
        () if request.key.is_none() => Some("a mutating request needs an operation key"),
        () if !journaled => Some("nothing mutating may be sent here"),
        () => None,
    }
}

/// Where a read is redirected to. Everything else keeps its answer.
fn redirect<'a>(method: &str, answer: &'a InResponse) -> Option<&'a str> {
    let moved = matches!(answer.status, 301 | 302 | 303 | 307 | 308) && reading_method(method);
    let location = answer.headers.iter().find(|h| h.name == "location")?;
    moved.then_some(location.value.as_str())
}

fn media_type(headers: &[Header]) -> String {
    let found = headers.iter().find(|h| h.name == "content-type");
    found.map_or_else(|| "application/octet-stream".into(), |h| h.value.clone())
}

/// An answer that says it is JSON must be.
fn readable(headers: &[Header], body: &[u8]) -> bool {
    let json = media_type(headers).to_ascii_lowercase().contains("json");
    !json || body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
}

/// Who pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PauseSlot {
    Credential,
    Budget(u64),
}

/// All reasons to wait at present; the watch shows the most lasting one.
struct Pauses {
    connection: String,
    all: Mutex<(u64, BTreeMap<PauseSlot, Pause>)>,
    watch: watch::Sender<Option<Pause>>,
}

impl Pauses {
    fn new(connection: String) -> Self {
        Self {
            connection,
            all: Mutex::default(),
            watch: watch::Sender::new(None),
        }
    }

    fn set(&self, slot: PauseSlot, pause: Option<Pause>) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        match pause {
            Some(pause) => all.1.insert(slot, pause),
            None => all.1.remove(&slot),
        };
        let shown = all.1.values().next().cloned();
        self.watch.send_if_modified(|current| {
            let changed = *current != shown;
            if changed {
                tracing::info!(connection = %self.connection, pause = ?shown, "pause");
                current.clone_from(&shown);
            }
            changed
        });
    }

    fn current(&self) -> Option<Pause> {
        self.watch.borrow().clone()
    }

    /// A request in the queue that may have to wait visibly.
    fn waiting(self: &Arc<Self>) -> Waiting {
        Waiting {
            pauses: self.clone(),
            slot: None,
        }
    }
}

/// Shows a wait while it lasts; gone when dropped.
struct Waiting {
    pauses: Arc<Pauses>,
    slot: Option<PauseSlot>,
}

impl Waiting {
    fn set(&mut self, wait: &Wait, now: i64) {
        let pause = match wait {
            Wait::Quota(rule, at) => Some((PauseReason::Quota(rule.clone()), *at)),
            Wait::Until(at) if *at - now > VISIBLE_MS => Some((PauseReason::SlowDown, *at)),
            _ => None,
        };
        let pause = pause.map(|(reason, at)| Pause {
            reason,
            until: Some(at),
        });
        if pause.is_none() && self.slot.is_none() {
            return;
        }
        let slot = *self.slot.get_or_insert_with(|| {
            let mut all = self
                .pauses
                .all
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.0 += 1;
            PauseSlot::Budget(all.0)
        });
        self.pauses.set(slot, pause);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.pauses.set(slot, None);
        }
    }
}
