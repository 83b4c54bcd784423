//! The layers around a simulator's routes: recorder outermost, then faults, then the routes.
//!
//! A cut connection is an ordinary response that carries the mark [`ConnectionCut`]: the server turns it into a closed
//! socket, and an in-process caller asks [`was_cut`]. So one router serves both ways of calling.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode, request};
use axum::middleware::{Next, from_fn_with_state};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::watch;
use tower::ServiceExt;

use super::recorder::{BODY_CAP, keeps, length, redacted};
use super::{
    Action, AutomationLog, Clock, Faults, Outbox, RateLimits, Record, RecordedAnswer, RecordedBody,
    Recorder,
};

/// The mark on a response that the client must not see: the connection ends instead.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionCut;

/// Whether the connection would have been cut instead of this response. For in-process callers.
pub fn was_cut<B>(response: &Response<B>) -> bool {
    response.extensions().get::<ConnectionCut>().is_some()
}

/// What a platform answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The status.
    pub status: u16,
    /// Names and values; a value that is no text is empty.
    pub headers: Vec<(String, String)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// Asks a platform's router without a socket, as a host does: with the credential where one is given. `None` for what is no
/// request, or where the answer breaks off.
pub async fn ask(
    router: Router,
    method: &str,
    url: &str,
    headers: impl IntoIterator<Item = (String, String)>,
    bearer: Option<&str>,
    body: Vec<u8>,
) -> Option<Asked> {
    let mut request = Request::builder()
        .method(method)
        .uri(url.replace(' ', "%20"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some(token) = bearer {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::from(body)).ok()?;
    let Ok(got) = router.oneshot(request).await;
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = got.headers().iter();
    Some(Asked {
        status: got.status().as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: to_bytes(got.into_body(), usize::MAX).await.ok()?.to_vec(),
    })
}

/// How an error body looks on the platform: status and message to body.
pub type ErrorBody = fn(StatusCode, &str) -> serde_json::Value;

type Hook = Box<dyn FnOnce() + Send>;

/// What a shuffled request waits, at most, before it is handled and before it is answered.
const LONGEST_MS: u64 = 8;

/// Requests wait for it: let go when it is dropped.
#[derive(Debug)]
pub struct Hold(
    #[expect(dead_code, reason = "what waits is told when it is gone")] watch::Sender<()>,
);

/// Parts of path and body, and what their requests wait for.
type Held = (&'static str, &'static str, watch::Receiver<()>);

struct Late {
    due_ms: i64,
    request: Request,
}

/// The shared parts of one simulator; clones share everything.
#[derive(Clone)]
pub struct Harness {
    /// The simulator's time.
    pub clock: Clock,
    /// Its rate limits.
    pub limits: RateLimits,
    /// Its faults.
    pub faults: Faults,
    /// Its requests.
    pub recorder: Recorder,
    /// What it would have sent.
    pub outbox: Outbox,
    /// What it would have run.
    pub automations: AutomationLog,
    error_body: ErrorBody,
    late: Arc<Mutex<Vec<Late>>>,
    hooks: Arc<Mutex<Vec<(u64, Hook)>>>,
    shuffled: Arc<Mutex<Option<u64>>>,
    held: Arc<Mutex<Vec<Held>>>,
    /// The routes, as long as somebody serves them: what they work on has this harness.
    inner: Arc<Mutex<Weak<Router>>>,
}

impl Harness {
    /// Parts that live in the given time. `error_body` makes the platform's error body for faults.
    pub fn new(clock: Clock, error_body: ErrorBody) -> Self {
        Self {
            limits: RateLimits::new(clock.clone()),
            clock,
            faults: Faults::default(),
            recorder: Recorder::default(),
            outbox: Outbox::default(),
            automations: AutomationLog::default(),
            error_body,
            late: Arc::default(),
            hooks: Arc::default(),
            shuffled: Arc::default(),
            held: Arc::default(),
            inner: Arc::default(),
        }
    }

    /// Puts recorder and faults around the routes.
    pub fn wrap(&self, routes: Router) -> Router {
        let kept = Arc::new(routes.clone());
        *self.inner.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&kept);
        Router::new()
            .fallback_service(routes)
            .layer(from_fn_with_state((self.clone(), kept), play_faults))
            .layer(from_fn_with_state(self.clone(), record))
    }

    /// Runs `hook` just before the request with this number (counted from 1) is handled; at once if it has passed.
    pub fn before_request(&self, number: u64, hook: impl FnOnce() + Send + 'static) {
        if number <= self.recorder.count() {
            hook();
        } else {
            self.hooks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((number, Box::new(hook)));
        }
    }

    /// Runs `hook` after the request with this number has been answered, before the next is handled.
    pub fn after_request(&self, number: u64, hook: impl FnOnce() + Send + 'static) {
        self.before_request(number + 1, hook);
    }

    /// From now on requests that are under way together are handled and answered in another order than they came: each waits for
    /// some milliseconds before and after, of real time, drawn from the seed and its number.
    pub fn shuffle(&self, seed: u64) {
        *self.shuffled.lock().unwrap_or_else(PoisonError::into_inner) = Some(seed);
    }

    async fn linger(&self, number: u64, answered: bool) {
        let seed = *self.shuffled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seed) = seed {
            let mut hasher = DefaultHasher::new();
            (seed, number, answered).hash(&mut hasher);
            tokio::time::sleep(Duration::from_millis(hasher.finish() % LONGEST_MS)).await;
        }
    }

    /// From now on requests whose path and body have these in them wait until the hold is dropped: what is slow, however fast the
    /// machine is.
    #[must_use]
    pub fn hold(&self, path: &'static str, body: &'static str) -> Hold {
        let (holds, held) = watch::channel(());
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((path, body, held));
        Hold(holds)
    }

    async fn wait_for_holds(&self, request: Request) -> Request {
        let held: Vec<Held> = {
            let all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let of_path = |(path, ..): &&Held| request.uri().path().contains(path);
            all.iter().filter(of_path).cloned().collect()
        };
        if held.is_empty() {
            return request;
        }
        let (parts, body) = request.into_parts();
        // A body that breaks off is one without an end for the routes too.
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for (_, part, mut held) in held {
            // An error: the hold is gone.
            while text.contains(part) && held.changed().await.is_ok() {}
        }
        Request::from_parts(parts, Body::from(bytes))
    }

    /// How many requests were received and are still to be applied late.
    pub fn pending_late(&self) -> usize {
        self.late
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Applies the late requests whose time has come. Every request does this first; a test that has moved the clock
    /// and then looks at the data calls it.
    pub async fn apply_due(&self) {
        let now = self.clock.now_ms();
        let mut due: Vec<Late> = {
            let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            let (due, open) = late.drain(..).partition(|l| l.due_ms <= now);
            *late = open;
            due
        };
        due.sort_by_key(|l| l.due_ms);
        let routes = self
            .inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        if let Some(routes) = routes {
            for Late { request, .. } in due {
                // The late answer reaches nobody.
                let _ = Router::clone(&routes).oneshot(request).await;
            }
        }
    }

    fn run_hooks(&self, number: u64) {
        let due: Vec<Hook> = {
            let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
            let (due, open): (Vec<_>, Vec<_>) = hooks.drain(..).partition(|(n, _)| *n <= number);
            *hooks = open;
            due.into_iter().map(|(_, hook)| hook).collect()
        };
        for hook in due {
            hook();
        }
    }

    fn error(&self, status: u16, message: &str) -> Response<Body> {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = (self.error_body)(status, message).to_string();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The rule that was played, left for the recorder.
#[derive(Clone)]
struct Played(String);

fn cut() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(ConnectionCut);
    response
}

async fn record(State(harness): State<Harness>, request: Request, next: Next) -> Response<Body> {
    let number = harness.recorder.next_number();
    harness.linger(number, false).await;
    let request = harness.wait_for_holds(request).await;
    harness.run_hooks(number);
    harness.apply_due().await;
    if !harness.recorder.is_on() {
        return next.run(request).await;
    }
    let at_ms = harness.clock.now_ms();
    let (parts, body) = request.into_parts();
    let (recorded, body) = copy(&parts.headers, body).await;
    let mut entry = Record {
        number,
        at_ms,
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: redacted(&parts.headers),
        body: recorded,
        answer: None,
        fault: None,
    };
    let response = next.run(Request::from_parts(parts, body)).await;
    harness.linger(number, true).await;
    entry.fault = response
        .extensions()
        .get::<Played>()
        .map(|played| played.0.clone());
    if was_cut(&response) {
        harness.recorder.push(entry);
        return response;
    }
    let (parts, body) = response.into_parts();
    let (recorded, body) = if entry.fault.is_some() {
        // A body with a fault in it must pass as it is.
        (
            RecordedBody {
                bytes: None,
                length: length(&parts.headers),
            },
            body,
        )
    } else {
        copy(&parts.headers, body).await
    };
    entry.answer = Some(RecordedAnswer {
        status: parts.status.as_u16(),
        headers: redacted(&parts.headers),
        body: recorded,
    });
    harness.recorder.push(entry);
    Response::from_parts(parts, body)
}

async fn copy(headers: &axum::http::HeaderMap, body: Body) -> (RecordedBody, Body) {
    if !keeps(headers) {
        return (
            RecordedBody {
                bytes: None,
                length: length(headers),
            },
            body,
        );
    }
    let mut stream = body.into_data_stream();
    let (mut chunks, mut size) = (Vec::new(), 0_usize);
    while let Some(chunk) = stream.next().await {
        let failed = chunk.is_err();
        size += chunk.as_ref().map_or(0, Bytes::len);
        chunks.push(chunk);
        // What breaks off, or is too long to be kept, passes as it comes.
        if failed || size > BODY_CAP {
            let rest = futures::stream::iter(chunks).chain(stream);
            return (RecordedBody::default(), Body::from_stream(rest));
        }
    }
    let bytes = match chunks.as_slice() {
        [Ok(only)] => only.clone(),
        _ => {
            let mut bytes = BytesMut::with_capacity(size);
            for chunk in chunks.iter().flatten() {
                bytes.extend_from_slice(chunk);
            }
            bytes.freeze()
        }
    };
    (
        RecordedBody {
            bytes: Some(bytes.clone()),
            length: Some(size as u64),
        },
        Body::from(bytes),
    )
}

async fn play_faults(
    State((harness, _)): State<(Harness, Arc<Router>)>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let Some(fault) = harness
        .faults
        .next(request.method().as_str(), request.uri().path())
    else {
        return next.run(request).await;
    };
    let mut response = match fault.action {
        Action::DropBefore => cut(),
        Action::DropAfter => {
            next.run(request).await;
            cut()
        }
        Action::Status {
            status,
            retry_after_s,
        } => {
            let mut response = harness.error(status, "A fault was asked for.");
            if let Some(seconds) = retry_after_s {
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Action::StatusAfter { status } => {
            next.run(request).await;
            harness.error(
                status,
                "A fault was asked for after the request was applied.",
            )
        }
        Action::Delay { ms } => {
            pass_time(&harness.clock, ms).await;
            next.run(request).await
        }
        Action::CutBody => cut_in_half(next.run(request).await).await,
        Action::Garbage => {
            let (mut parts, _) = next.run(request).await.into_parts();
            parts.headers.remove(CONTENT_LENGTH);
            Response::from_parts(parts, Body::from("<html><body>Bad gateway"))
        }
        Action::ApplyLate { ms, status } => {
            let (parts, body) = request.into_parts();
            match to_bytes(body, usize::MAX).await {
                Ok(bytes) => apply_late(&harness, parts, bytes, ms),
                Err(error) => tracing::warn!(%error, "The body of a late request never came."),
            }
            match status {
                Some(status) => harness.error(status, "The request takes too long."),
                None => cut(),
            }
        }
    };
    response.extensions_mut().insert(Played(fault.to_string()));
    response
}

fn apply_late(harness: &Harness, parts: request::Parts, bytes: Bytes, ms: u64) {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX / 2);
    let late = Late {
        due_ms: harness.clock.now_ms().saturating_add(ms),
        request: Request::from_parts(parts, Body::from(bytes)),
    };
    harness
        .late
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(late);
    if !harness.clock.is_virtual() {
        let harness = harness.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(u64::try_from(ms).unwrap_or_default())).await;
            harness.apply_due().await;
        });
    }
}

async fn pass_time(clock: &Clock, ms: u64) {
    if clock.is_virtual() {
        clock.advance(i64::try_from(ms).unwrap_or_default());
    } else {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

async fn cut_in_half(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = bytes.slice(..bytes.len() / 2);
    parts
        .headers
        .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let pieces = [
        Ok(half),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ];
    Response::from_parts(parts, Body::from_stream(futures::stream::iter(pieces)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use axum::routing::post;

    use super::*;
    use crate::common::Fault;

    fn harness() -> (Harness, Arc<AtomicU64>, Router) {
        let harness = Harness::new(
            Clock::at(0),
            |status, message| serde_json::json!({"status": status.as_u16(), "message": message}),
        );
        let applied = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&applied);
        let routes = Router::new().route(
            "/things",
            post(move || async move {
                count.fetch_add(1, Ordering::SeqCst);
                axum::Json(serde_json::json!({"made": true}))
            }),
        );
        let router = harness.wrap(routes);
        (harness, applied, router)
    }

    #[tokio::test]
    async fn what_nobody_serves_any_more_is_gone() {
        let (harness, applied, router) = harness();
        call(&router).await;
        assert_eq!(Arc::strong_count(&applied), 2);
        drop(router);
        assert_eq!(Arc::strong_count(&applied), 1);
        drop(harness);
    }

    async fn call(router: &Router) -> Response<Body> {
        let request = Request::post("/things?a=1")
            .header("authorization", "Bearer secret")
            .header("content-type", "application/json")
            .body(Body::from("{\"name\":\"x\"}"))
            .unwrap();
        router.clone().oneshot(request).await.unwrap()
    }

    async fn call_with(action: Action) -> (Response<Body>, u64, Harness) {
        let (harness, applied, router) = harness();
        harness.faults.add(Fault::nth("POST", "/things", 1, action));
        let response = call(&router).await;
        (response, applied.load(Ordering::SeqCst), harness)
    }

    #[tokio::test]
    async fn a_dropped_answer_may_or_may_not_have_been_applied() {
        let (response, applied, harness) = call_with(Action::DropAfter).await;
        assert!(was_cut(&response));
        assert_eq!(applied, 1);
        assert!(harness.recorder.all()[0].answer.is_none());
        let (response, applied, _) = call_with(Action::DropBefore).await;
        assert!(was_cut(&response));
        assert_eq!(applied, 0);
    }

    #[tokio::test]
    async fn a_status_comes_before_or_after_the_request_is_applied() {
        let action = Action::Status {
            status: 429,
            retry_after_s: Some(7),
        };
        let (response, applied, _) = call_with(action).await;
        assert_eq!((response.status().as_u16(), applied), (429, 0));
        assert_eq!(response.headers()["retry-after"], "7");
        let (response, applied, _) = call_with(Action::StatusAfter { status: 500 }).await;
        assert_eq!((response.status().as_u16(), applied), (500, 1));
    }

    #[tokio::test]
    async fn a_cut_body_breaks_in_the_middle_and_garbage_is_not_json() {
        let (response, applied, _) = call_with(Action::CutBody).await;
        assert_eq!(
            (
                response.headers()["content-length"].to_str().unwrap(),
                applied
            ),
            ("13", 1)
        );
        assert!(to_bytes(response.into_body(), 1000).await.is_err());
        let (response, _, _) = call_with(Action::Garbage).await;
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
    }

    #[tokio::test]
    async fn a_late_request_is_applied_when_its_time_has_come() {
        let (harness, applied, router) = harness();
        let action = Action::ApplyLate {
            ms: 90_000,
            status: None,
        };
        harness.faults.add(Fault::nth("POST", "/things", 1, action));
        assert!(was_cut(&call(&router).await));
        harness.clock.advance(89_999);
        harness.apply_due().await;
        assert_eq!(
            (applied.load(Ordering::SeqCst), harness.pending_late()),
            (0, 1)
        );
        harness.clock.advance(1);
        harness.apply_due().await;
        assert_eq!(
            (applied.load(Ordering::SeqCst), harness.pending_late()),
            (1, 0)
        );
    }

    #[tokio::test]
    async fn the_recorder_keeps_request_and_answer_but_no_credential() {
        let (harness, _, router) = harness();
        call(&router).await;
        let records = harness.recorder.all();
        let record = &records[0];
        assert_eq!(
            (record.number, record.path.as_str(), record.query.as_str()),
            (1, "/things", "a=1")
        );
        assert_eq!(record.body.json().unwrap()["name"], "x");
        let answer = record.answer.as_ref().unwrap();
        assert_eq!(
            (answer.status, answer.body.json().unwrap()["made"].as_bool()),
            (200, Some(true))
        );
        assert!(
            record
                .headers
                .contains(&("authorization".into(), "[redacted]".into()))
        );
        assert!(!format!("{record:?}").contains("secret"));
        harness.recorder.set_on(false);
        call(&router).await;
        assert_eq!(
            (harness.recorder.all().len(), harness.recorder.count()),
            (1, 2)
        );
    }

    #[tokio::test]
    async fn shuffled_requests_are_answered_in_another_order_than_they_came() {
        let mut orders = vec![];
        for seed in 1..=5 {
            let (harness, applied, router) = harness();
            harness.shuffle(seed);
            let answered = Mutex::new(vec![]);
            let calls = (0..6).map(|number| {
                let (router, answered) = (&router, &answered);
                async move {
                    call(router).await;
                    answered.lock().unwrap().push(number);
                }
            });
            futures::future::join_all(calls).await;
            assert_eq!(applied.load(Ordering::SeqCst), 6);
            orders.push(answered.into_inner().unwrap());
        }
        assert!(orders.iter().any(|order| !order.is_sorted()), "{orders:?}");
    }

    #[tokio::test]
    async fn a_hook_runs_between_two_requests() {
        let (harness, applied, router) = harness();
        let seen = Arc::new(AtomicU64::new(99));
        let (at, see) = (Arc::clone(&applied), Arc::clone(&seen));
        harness.after_request(1, move || {
            see.store(at.load(Ordering::SeqCst), Ordering::SeqCst)
        });
        call(&router).await;
        assert_eq!(seen.load(Ordering::SeqCst), 99);
        call(&router).await;
        assert_eq!(seen.load(Ordering::SeqCst), 1);
    }
}
