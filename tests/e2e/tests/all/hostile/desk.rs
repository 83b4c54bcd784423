//! The platform of the hostile connectors: a few customers behind a token, and places where an honest host never goes.
//!
//! It remembers every request it got, to the letter: what was not granted must not be among them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Customers on a page.
const PAGE: usize = 5;
/// Pieces of the giant answer, each 64 KiB: a gigabyte.
const PIECES: usize = 16 << 10;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// With its query.
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The connector's version, as it says itself.
    pub fn connector(&self) -> &str {
        self.header("x-connector")
    }
}

/// A customer that was made here.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    pub name: String,
    pub marker: String,
}

type Hook = Arc<dyn Fn(Seen) -> BoxFuture<'static, ()> + Send + Sync>;

/// A running desk. Clones are the same one.
#[derive(Clone)]
pub struct Desk {
    pub base_url: String,
    inner: Arc<Inner>,
}

struct Inner {
    name: &'static str,
    token: String,
    customers: usize,
    made: Mutex<BTreeMap<u64, Made>>,
    seen: Mutex<Vec<Seen>>,
    giant: AtomicU64,
    elsewhere: Mutex<String>,
    hook: Mutex<Option<Hook>>,
    /// Item keys in the order in which `/slow` answers them; empty for at once.
    order: Mutex<Vec<String>>,
    answered: watch::Sender<usize>,
    /// A marker whose creation is turned away for two seconds, once.
    busy: Mutex<Option<String>>,
    /// What the account has, where that is less than all.
    kinds: Mutex<Option<Vec<&'static str>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Desk {
    /// A desk with so many customers, `c1` and on, that wants this token.
    pub async fn start(name: &'static str, token: &str, customers: usize) -> Self {
        let inner = Arc::new(Inner {
            name,
            token: token.to_owned(),
            customers,
            made: Mutex::default(),
            seen: Mutex::default(),
            giant: AtomicU64::new(0),
            elsewhere: Mutex::default(),
            hook: Mutex::default(),
            order: Mutex::default(),
            answered: watch::Sender::new(0),
            busy: Mutex::default(),
            kinds: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, inner }
    }

    /// Every request so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.inner.seen).clone()
    }

    /// What was made here and is still there.
    pub fn made(&self) -> Vec<Made> {
        locked(&self.inner.made).values().cloned().collect()
    }

    /// Creations that arrived and were taken, by what the marker ends with.
    pub fn creations(&self, id: &str) -> usize {
        let ending = format!(":{id}\"");
        let created = |seen: &Seen| seen.method == "POST" && seen.body.contains(&ending);
        self.seen().iter().filter(|seen| created(seen)).count()
    }

    /// Bytes of the giant answer that were taken off this server's hands.
    pub fn giant(&self) -> u64 {
        self.inner.giant.load(Ordering::SeqCst)
    }

    /// Where `/redirect` leads.
    pub fn redirect_to(&self, url: &str) {
        url.clone_into(&mut locked(&self.inner.elsewhere));
    }

    /// Called with each request, before it is answered.
    pub fn on_request(&self, hook: Hook) {
        *locked(&self.inner.hook) = Some(hook);
    }

    /// `/slow` answers in this order.
    pub fn answer_in_order(&self, keys: Vec<String>) {
        *locked(&self.inner.order) = keys;
        self.inner.answered.send_replace(0);
    }

    /// The account has these kinds only; all that there are for `None`.
    pub fn has_kinds(&self, kinds: Option<Vec<&'static str>>) {
        *locked(&self.inner.kinds) = kinds;
    }

    /// The first creation for this marker is answered with "too fast", to be sent again in two seconds.
    pub fn turn_away_once(&self, marker: &str) {
        *locked(&self.inner.busy) = Some(marker.to_owned());
    }
}

async fn answer(State(desk): State<Arc<Inner>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path_and_query().unwrap().to_string();
    let seen = Seen {
        method: head.method.to_string(),
        path,
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let hook = locked(&desk.hook).clone();
    if let Some(hook) = hook {
        hook(seen.clone()).await;
    }
    let authorized = seen.header("authorization") == format!("Bearer {}", desk.token);
    let response = if authorized {
        desk.route(&seen).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    };
    // A request that was turned away is no creation.
    if response.status() != StatusCode::TOO_MANY_REQUESTS {
        locked(&desk.seen).push(seen);
    }
    response
}

impl Inner {
    async fn route(self: &Arc<Self>, seen: &Seen) -> Response {
        let (path, query) = seen.path.split_once('?').unwrap_or((&seen.path, ""));
        let parameter = query.split_once('=').unwrap_or(("", ""));
        match (seen.method.as_str(), path, parameter) {
            ("GET", "/account", _) => {
                Json(json!({"id": format!("desk-{}", self.name), "name": self.name}))
                    .into_response()
            }
            ("GET", "/kinds", _) => {
                Json(json!({"kinds": locked(&self.kinds).clone()})).into_response()
            }
            ("GET", "/customers", ("page", page)) => self.page(page),
            ("GET", "/customers", ("marker", marker)) => self.find(&marker.replace("%3A", ":")),
            ("POST", "/customers", _) => self.make(&seen.body),
            ("DELETE", path, _) => self.delete(path),
            ("GET", "/nested", _) => {
                format!("{}{}", "[".repeat(127), "]".repeat(127)).into_response()
            }
            ("GET", "/giant", _) => self.endless(),
            ("GET", "/redirect", _) => {
                let elsewhere = locked(&self.elsewhere).clone();
                (StatusCode::FOUND, [("location", elsewhere)]).into_response()
            }
            ("GET", path, _) => {
                if let Some(key) = path.strip_prefix("/slow/") {
                    self.slow(&key.replace("%3A", ":")).await;
                }
                Json(json!({})).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn page(&self, page: &str) -> Response {
        let first = (page.parse::<usize>().unwrap() - 1) * PAGE;
        let last = (first + PAGE).min(self.customers);
        let rows: Vec<Value> = (first + 1..=last)
            .map(|n| json!({"id": format!("c{n}"), "name": format!("Customer {n}")}))
            .collect();
        let next = (last < self.customers).then(|| (first / PAGE + 2).to_string());
        Json(json!({"rows": rows, "next": next, "total": self.customers})).into_response()
    }

    fn find(&self, marker: &str) -> Response {
        let made = locked(&self.made);
        let rows: Vec<Value> = made
            .iter()
            .filter(|(_, made)| made.marker == marker)
            .map(|(id, made)| json!({"id": id.to_string(), "name": made.name}))
            .collect();
        Json(json!({"total": rows.len(), "rows": rows, "next": null})).into_response()
    }

    fn make(&self, body: &str) -> Response {
        let Ok(row) = serde_json::from_str::<Value>(body) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let (name, marker) = (text("name"), text("marker"));
        let turned_away = locked(&self.busy).take_if(|busy| marker.ends_with(busy.as_str()));
        if turned_away.is_some() {
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response();
        }
        let mut made = locked(&self.made);
        let id = made.keys().next_back().map_or(1, |last| last + 1);
        made.insert(id, Made { name, marker });
        let row = json!({"id": id.to_string(), "name": ""});
        (StatusCode::CREATED, Json(row)).into_response()
    }

    fn delete(&self, path: &str) -> Response {
        let id = path.strip_prefix("/customers/").unwrap_or_default();
        let gone = id
            .parse()
            .is_ok_and(|id| locked(&self.made).remove(&id).is_some());
        if gone {
            StatusCode::NO_CONTENT.into_response()
        } else {
            StatusCode::NOT_FOUND.into_response()
        }
    }

    /// A gigabyte, made as it is asked for, whose length is not said beforehand.
    fn endless(self: &Arc<Self>) -> Response {
        const PIECE: &[u8] = &[b'x'; 1 << 16];
        let desk = Arc::clone(self);
        let pieces = stream::iter(0..PIECES).map(move |_| {
            desk.giant.fetch_add(PIECE.len() as u64, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from_static(PIECE))
        });
        Body::from_stream(pieces).into_response()
    }

    async fn slow(&self, key: &str) {
        let turn = locked(&self.order).iter().position(|other| other == key);
        if let Some(turn) = turn {
            let mut answered = self.answered.subscribe();
            answered
                .wait_for(|answered| *answered == turn)
                .await
                .unwrap();
            self.answered.send_modify(|answered| *answered += 1);
        }
    }
}
