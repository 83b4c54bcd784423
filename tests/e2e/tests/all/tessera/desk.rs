//! Tessera, the platform of `examples/tessera`, as a server: strict, with its limit and its token.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use axum::{Router, http};
use serde_json::{Value, json};
use transload_simulators::common::Clock;

use super::platform::{Sent, Tessera};

/// The account's.
pub const TOKEN: &str = "tes_0123456789";
const PER_MINUTE: u32 = 120;

/// A running Tessera. Clones are the same one.
#[derive(Clone)]
pub struct Desk {
    /// Its routes.
    pub router: Router,
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    account: Mutex<Tessera>,
    /// The minute, and the requests in it.
    window: Mutex<(i64, u32)>,
    /// Requests by their beginning whose next answer is lost on the way, each with how many of them pass before.
    lost: Mutex<Vec<(&'static str, usize)>>,
}

impl Desk {
    /// One in which nothing is but an agent.
    pub fn new(clock: Clock) -> Self {
        let inner = Arc::new(Inner {
            account: Mutex::new(Tessera::new(clock.now_ms())),
            clock,
            window: Mutex::default(),
            lost: Mutex::default(),
        });
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        Self { router, inner }
    }

    /// What is there.
    pub fn account(&self) -> MutexGuard<'_, Tessera> {
        self.inner.account.lock().unwrap()
    }

    /// The next answers to these are lost.
    pub fn loses(&self, lost: impl IntoIterator<Item = (&'static str, usize)>) {
        self.inner.lost.lock().unwrap().extend(lost);
    }

    /// Answers that are still to be lost.
    pub fn to_be_lost(&self) -> Vec<(&'static str, usize)> {
        self.inner.lost.lock().unwrap().clone()
    }
}

impl Inner {
    /// The limit's numbers, or how many seconds to wait.
    fn admit(&self) -> Result<String, i64> {
        let now = self.clock.now_ms();
        let mut window = self.window.lock().unwrap();
        if window.0 != now / 60_000 {
            *window = (now / 60_000, 0);
        }
        let reset = 60 - now / 1_000 % 60;
        if window.1 == PER_MINUTE {
            return Err(reset);
        }
        window.1 += 1;
        let remaining = PER_MINUTE - window.1;
        Ok(format!(
            "limit={PER_MINUTE}, remaining={remaining}, reset={reset}"
        ))
    }

    fn loses(&self, request: &str) -> bool {
        let mut lost = self.lost.lock().unwrap();
        let of = lost
            .iter()
            .position(|(beginning, _)| request.starts_with(beginning));
        match of.map(|place| (place, lost[place].1)) {
            None => false,
            Some((place, 0)) => {
                lost.remove(place);
                true
            }
            Some((place, _)) => {
                lost[place].1 -= 1;
                false
            }
        }
    }
}

async fn answer(State(desk): State<Arc<Inner>>, request: Request) -> Response {
    let credential = request.headers().get(AUTHORIZATION);
    if credential.is_none_or(|value| value.as_bytes() != format!("Bearer {TOKEN}").as_bytes()) {
        return with(401, &json!({"error": "unauthorized"}), &[]);
    }
    let limit = match desk.admit() {
        Ok(limit) => limit,
        Err(reset) => {
            return with(
                429,
                &json!({"error": "slow_down"}),
                &[("retry-after", &reset.to_string())],
            );
        }
    };
    let method = request.method().as_str().to_owned();
    let url = request.uri().path_and_query().unwrap().as_str();
    let Some(url) = url.strip_prefix("/api/1").map(str::to_owned) else {
        return with(404, &json!({"error": "no such page"}), &[]);
    };
    let sent = sent(request).await;
    let now = desk.clock.now_ms();
    let (status, body) = {
        let mut account = desk.account.lock().unwrap();
        account.now = now;
        account.answer(&method, &url, sent)
    };
    // It was done; what stands between here and there says something else.
    if status < 300 && desk.loses(&format!("{method} {url}")) {
        return with(502, &json!({"error": "bad gateway"}), &[]);
    }
    with(status, &body, &[("ratelimit", &limit)])
}

async fn sent(request: Request) -> Sent {
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
    if form {
        let mut form = Multipart::from_request(request, &()).await.unwrap();
        let part = form.next_field().await.unwrap().unwrap();
        assert_eq!(part.name(), Some("file"));
        let name = part.file_name().unwrap().to_owned();
        let bytes = part.bytes().await.unwrap().to_vec();
        assert!(form.next_field().await.unwrap().is_none());
        return Sent::File { name, bytes };
    }
    let body = axum::body::to_bytes(request.into_body(), 64 << 20)
        .await
        .unwrap();
    if body.is_empty() {
        return Sent::Nothing;
    }
    Sent::Json(serde_json::from_slice(&body).unwrap())
}

pub fn with(status: u16, body: &Value, headers: &[(&str, &str)]) -> Response {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    if status == 204 {
        return answer.body(Body::empty()).unwrap();
    }
    answer
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}
