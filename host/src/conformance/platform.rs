//! The platform that a connector is tested against, and the way to it, on which things go wrong.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::time::TestTime;
use crate::gateway::{InResponse, OutRequest, Transport, TransportError};

/// One request, as it arrives.
#[derive(Debug, Clone)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// The host's name, with a port where it is not the usual one.
    pub host: String,
    /// Path and query, as sent.
    pub target: String,
    /// All of them, the credential's included.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// When it arrives, ms since 1970, in the test's time.
    pub at: i64,
}

/// One answer.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// How a connection to the platform is set up.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What `[connections.<name>]` says but for the plugin and the secrets; `base_url` where the schema has it.
    pub settings: Map<String, Value>,
    /// Secrets by their setting.
    pub secrets: BTreeMap<String, String>,
}

/// A record that a source must have read.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Its kind, as a word.
    pub kind: String,
    /// The source's id.
    pub id: String,
    /// What it must have, of the record as the host stores it; what is not named may be anything.
    #[serde(default)]
    pub has: Value,
}

/// A platform that answers in this process: a mock, or a simulator.
#[async_trait]
pub trait Platform: Send + Sync + 'static {
    /// How to reach it.
    fn account(&self) -> Account;

    /// Answers one request; `None` where the connection breaks instead.
    async fn answer(&self, request: Request) -> Option<Response>;

    /// What a source must have read of it.
    fn expects(&self) -> Vec<Expected> {
        Vec::new()
    }

    /// All that it holds, so that two ends of a run can be compared; without what differs between two runs that did the same.
    /// `None` where nobody can look.
    fn held(&self) -> Option<Value> {
        None
    }
}

/// Makes a new platform, as it is before anything happens to it, in a time.
pub type Opens = Arc<dyn Fn(&TestTime) -> Arc<dyn Platform> + Send + Sync>;

/// What goes wrong on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// Each request is answered with this status once, and not applied.
    Status(u16),
    /// Each is answered with "too fast" once.
    SlowDown,
    /// Each is lost once before it arrives.
    Lost,
    /// Each is applied, and its answer is lost once.
    Unanswered,
    /// What only reads by its method arrives twice.
    Twice,
    /// What holds this text and changes something is refused, always.
    Refused(String),
}

/// A request that was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Upper case.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The body as text, as far as it is any.
    pub body: String,
    /// The status that came back, where one did.
    pub status: Option<u16>,
    /// When, ms since 1970.
    pub at: i64,
}

/// The way to a platform. Clones are the same one.
#[derive(Clone)]
pub struct Wire {
    platform: Arc<dyn Platform>,
    time: TestTime,
    /// Requests are told apart by their sort, and not each from each.
    coarse: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    trouble: Trouble,
    had: HashSet<u64>,
    seen: Vec<Seen>,
    denied: Vec<String>,
    refused: Vec<String>,
    /// Dies at the request that comes after so many.
    deadly: Option<(u64, mpsc::UnboundedSender<String>)>,
}

impl Wire {
    /// A way on which nothing goes wrong yet. What goes wrong once does so for each request, or, where it is `coarse`, for each
    /// sort of request: by method and path without ids.
    #[must_use]
    pub fn new(platform: Arc<dyn Platform>, time: TestTime, coarse: bool) -> Self {
        Self {
            platform,
            time,
            coarse,
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this goes wrong.
    pub fn trouble(&self, trouble: Trouble) {
        let mut state = self.state();
        state.trouble = trouble;
        state.had.clear();
    }

    /// The process dies at the request after so many.
    pub fn dies_after(&self, requests: u64, death: mpsc::UnboundedSender<String>) {
        self.state().deadly = Some((requests, death));
    }

    /// Nobody dies any more.
    pub fn safe(&self) {
        self.state().deadly = None;
    }

    /// What was seen since the last call.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen)
    }

    /// What the host denied.
    #[must_use]
    pub fn denied(&self) -> Vec<String> {
        self.state().denied.clone()
    }

    /// Bodies and addresses of what was refused.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.state().refused.clone()
    }

    /// What goes wrong with this request.
    fn next(&self, request: &Request) -> Trouble {
        let reads = matches!(request.method.as_str(), "GET" | "HEAD");
        let mut state = self.state();
        match state.trouble.clone() {
            Trouble::None => Trouble::None,
            Trouble::Twice if !reads => Trouble::None,
            Trouble::Refused(text) => {
                let holds = request.target.contains(&text)
                    || String::from_utf8_lossy(&request.body).contains(&text);
                if reads || !holds {
                    return Trouble::None;
                }
                let what = String::from_utf8_lossy(&request.body).into_owned();
                state.refused.push(format!("{} {what}", request.target));
                Trouble::Refused(text)
            }
            trouble => {
                let mut hasher = DefaultHasher::new();
                (&request.method, &request.host).hash(&mut hasher);
                match self.coarse {
                    true => sort_of(&request.target).hash(&mut hasher),
                    false => (&request.target, &request.body).hash(&mut hasher),
                }
                match state.had.insert(hasher.finish()) {
                    true => trouble,
                    false => Trouble::None,
                }
            }
        }
    }

    /// Waits for ever where it is to die.
    async fn live_or_die(&self, request: &Request) {
        let dies = {
            let mut state = self.state();
            match &mut state.deadly {
                Some((0, death)) => {
                    let _ = death.send(format!("{} {}", request.method, request.target));
                    true
                }
                Some((left, _)) => {
                    *left -= 1;
                    false
                }
                None => false,
            }
        };
        if dies {
            std::future::pending::<()>().await;
        }
    }

    async fn ask(&self, request: Request) -> Result<Response, TransportError> {
        let at = self.time.now_ms();
        let answer = |status: u16, headers: &[(&str, &str)], body: &str| Response {
            status,
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.as_bytes().to_vec(),
        };
        self.live_or_die(&request).await;
        let (method, target) = (request.method.clone(), request.target.clone());
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let given = match self.next(&request) {
            Trouble::None => self.platform.answer(request).await,
            Trouble::Status(status) => Some(answer(status, &[], "")),
            Trouble::SlowDown => Some(answer(429, &[("retry-after", "1")], "")),
            Trouble::Lost => None,
            Trouble::Unanswered => {
                self.platform.answer(request).await;
                None
            }
            Trouble::Twice => {
                self.platform.answer(request.clone()).await;
                self.platform.answer(request).await
            }
            Trouble::Refused(_) => Some(answer(
                422,
                &[("content-type", "application/json")],
                r#"{"error":"this record is refused by the test","message":"this record is refused by the test"}"#,
            )),
        };
        self.state().seen.push(Seen {
            method,
            target,
            body,
            status: given.as_ref().map(|given| given.status),
            at,
        });
        given.ok_or_else(TransportError::broken)
    }
}

/// A path without its query, and with a star for every segment that may be an id.
fn sort_of(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let segments = path.split('/').map(|segment| {
        let id = segment.len() > 3 && segment.bytes().any(|byte| byte.is_ascii_digit());
        let number = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
        if id || number { "*" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

#[async_trait]
impl Transport for Wire {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError> {
        // Every name leads to one public address, and nothing is ever dialled.
        let address = match host {
            "localhost" => IpAddr::from([127, 0, 0, 1]),
            _ => IpAddr::from([8, 8, 8, 8]),
        };
        Ok(vec![SocketAddr::new(address, port)])
    }

    async fn round_trip(&self, request: OutRequest) -> Result<InResponse, TransportError> {
        let body = request
            .body
            .to_bytes()
            .map_err(|_| TransportError::broken())?;
        let own = request.headers.iter();
        let mut headers: Vec<(String, String)> = own
            .map(|header| (header.name.to_ascii_lowercase(), header.value.clone()))
            .collect();
        for (name, secret) in &request.secret_headers {
            headers.push((name.to_ascii_lowercase(), secret.expose().to_owned()));
        }
        let name = request.url.host_str().unwrap_or_default();
        let host = match request.url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        headers.push(("host".to_owned(), host.clone()));
        if !body.is_empty() {
            headers.push(("content-length".to_owned(), body.len().to_string()));
        }
        let target = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let answer = self
            .ask(Request {
                method: request.method,
                host,
                target,
                headers,
                body,
                at: self.time.now_ms(),
            })
            .await?;
        let headers: Vec<(&str, &str)> = answer
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Ok(InResponse::whole(answer.status, &headers, answer.body))
    }

    fn denied(&self, method: &str, url: &str, why: &str) {
        let url = url.split(['?', '#']).next().unwrap_or_default();
        self.state().denied.push(format!("{method} {url}: {why}"));
    }
}
