//! The gateway's rules, in virtual time and without a network.

mod auth;
mod budget;
mod grants;
mod outcomes;
mod transport;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::blobs::BlobStore;
use crate::clock::Clock;
use crate::contract::description::{Auth, RateRule, RequestPattern, Role};
use crate::contract::http::{Body, Header, OperationKey, Replay, Request};

const START: i64 = 1_700_000_000_000;
/// No test means to wait a month.
const FOR_EVER: i64 = 30 * 86_400_000;

/// Time that moves on to the next sleeper as soon as nothing else can run. A wait without end fails its test.
#[derive(Default)]
pub(super) struct VirtualClock {
    /// Now, and who sleeps until when.
    state: Mutex<(i64, Vec<Sleeper>)>,
}

type Sleeper = (i64, tokio::sync::oneshot::Sender<()>);

impl VirtualClock {
    pub fn start() -> Arc<Self> {
        let clock = Arc::new(Self::default());
        clock.state.lock().unwrap().0 = START;
        let weak = Arc::downgrade(&clock);
        tokio::spawn(async move {
            loop {
                for _ in 0..16 {
                    tokio::task::yield_now().await;
                }
                let Some(clock) = weak.upgrade() else { return };
                clock.advance();
            }
        });
        clock
    }

    fn advance(&self) {
        let mut state = self.state.lock().unwrap();
        state.1.retain(|(_, wake)| !wake.is_closed());
        let Some(next) = state.1.iter().map(|(at, _)| *at).min() else {
            return;
        };
        state.0 = state.0.max(next);
        let now = state.0;
        let (due, later) = std::mem::take(&mut state.1)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        state.1 = later;
        for (_, wake) in due {
            let _ = wake.send(());
        }
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> i64 {
        self.state.lock().unwrap().0
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now() - START).unwrap())
    }

    async fn sleep(&self, duration: Duration) {
        let (wake, woken) = tokio::sync::oneshot::channel();
        assert!(self.now() - START < FOR_EVER, "something waits for ever");
        {
            let mut state = self.state.lock().unwrap();
            let at = state.0 + i64::try_from(duration.as_millis()).unwrap();
            state.1.push((at, wake));
        }
        let _ = woken.await;
    }
}

/// What the journal was told.
#[derive(Default)]
pub(super) struct Log(pub Mutex<Vec<String>>);

#[async_trait]
impl IntentLog for Log {
    async fn intend(&self, attempt: u32) -> Result<(), UnitAbort> {
        self.0.lock().unwrap().push(format!("intend {attempt}"));
        Ok(())
    }

    fn fresh(&self) -> bool {
        true
    }

    async fn refused(&self, attempt: u32) -> Result<(), UnitAbort> {
        self.0.lock().unwrap().push(format!("refused {attempt}"));
        Ok(())
    }
}

impl Log {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(super) struct Bench {
    pub dir: tempfile::TempDir,
    pub clock: Arc<VirtualClock>,
    pub stop: CancellationToken,
    pub spec: ConnectionSpec,
    pub blobs: BlobStore,
}

impl Bench {
    pub fn new(role: Role) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pattern = |method: &str, path: &str, reads| RequestPattern {
            method: method.into(),
            path: path.into(),
            reads,
        };
        let description = Description {
            name: "acme".into(),
            version: "1.0.0".into(),
            title: "Acme".into(),
            role,
            config_schema: "{}".into(),
            auth: vec![],
            base_url: "https://acme.example.com/api".into(),
            hosts: vec![],
            requests: vec![
                pattern("GET", "/**", true),
                pattern("POST", "/things/search", true),
                pattern("POST", "/things", false),
                pattern("PUT", "/things/*", false),
            ],
            refusals: vec![],
            rate_rules: vec![],
            kinds: vec![],
            fidelity: vec![],
            side_effects: vec![],
            by_products: vec![],
            system_changes: vec![],
            text_limits: vec![],
            rebuilds: vec![],
            notes: vec![],
        };
        let spec = ConnectionSpec {
            name: "to".into(),
            base_url: "https://acme.example.com/api".into(),
            settings: json!({"subdomain": "acme"}),
            secrets: BTreeMap::new(),
            auth: None,
            description,
            granted: Granted::Everything,
            grants: vec![],
            allow_private: vec![],
            budget_share: 1.0,
            limits: GatewayLimits::default(),
            credential_store: Some(dir.path().join("credential.json")),
        };
        let blobs = BlobStore::open(dir.path().join("blobs"), 1 << 20).unwrap();
        Self {
            clock: VirtualClock::start(),
            stop: CancellationToken::new(),
            spec,
            blobs,
            dir,
        }
    }

    /// A secret called `name` in a file, used by the scheme.
    pub fn secret(&mut self, name: &str, value: &str) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, value).unwrap();
        self.spec
            .secrets
            .insert(name.into(), SecretSource::File(path));
    }

    pub fn auth(&mut self, auth: Auth) {
        self.spec.auth = Some(AuthScheme {
            name: "main".into(),
            title: "Main".into(),
            auth,
            note: None,
        });
    }

    pub fn rule(&mut self, limit: u32, per_ms: u64) {
        self.spec.description.rate_rules.push(RateRule {
            name: "all".into(),
            method: "*".into(),
            path: "/**".into(),
            costs: vec![],
            limit,
            per_ms,
            headers: vec![],
            shared: false,
        });
    }

    /// What is to happen within a day of virtual time, so that waiting in vain fails instead of hanging.
    pub async fn soon<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep(Duration::from_secs(86_400)) => panic!("it never happened"),
        }
    }

    pub fn open(&self, transport: FnTransport) -> Gateway {
        Gateway::new(
            self.spec.clone(),
            Arc::new(transport),
            self.clock.clone(),
            self.blobs.clone(),
            self.stop.clone(),
        )
        .unwrap()
    }
}

pub(super) fn get(url: &str) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        headers: vec![],
        body: Body::None,
        replay: Replay::Safe,
        key: None,
        window_ms: None,
        lifetime_ms: None,
        perishable: vec![],
        passing: false,
        anonymous: false,
    }
}

pub(super) fn post(replay: Replay) -> Request {
    let key = OperationKey {
        item: "1".into(),
        part: "main".into(),
        step: "create".into(),
    };
    Request {
        method: "POST".into(),
        body: Body::Bytes(b"{}".to_vec()),
        replay,
        key: Some(key),
        ..get("/things")
    }
}

pub(super) fn header(name: &str, value: &str) -> Header {
    Header {
        name: name.into(),
        value: value.into(),
    }
}

pub(super) fn ok(body: &'static str) -> Result<InResponse, TransportError> {
    Ok(InResponse::whole(
        200,
        &[("content-type", "application/json")],
        body,
    ))
}

pub(super) fn status(status: u16) -> Result<InResponse, TransportError> {
    Ok(InResponse::whole(status, &[], "x"))
}

/// Answers one after the other; the last one for good.
pub(super) fn script(
    answers: Vec<fn() -> Result<InResponse, TransportError>>,
) -> (FnTransport, Arc<Mutex<usize>>) {
    let calls = Arc::new(Mutex::new(0));
    let seen = calls.clone();
    let transport = FnTransport::new(move |_| {
        let mut n = seen.lock().unwrap();
        let answer = answers[(*n).min(answers.len() - 1)];
        *n += 1;
        async move { answer() }
    });
    (transport, calls)
}

/// `answered 200`, `doubt`, `denied`, …
pub(super) fn short(exchange: &Exchange) -> String {
    match exchange {
        Exchange::Answered { response, .. } => format!("answered {}", response.status),
        Exchange::Doubt { .. } => "doubt".into(),
        Exchange::Failed(error) => {
            let name = format!("{error:?}");
            name.split(['(', ' '])
                .next()
                .unwrap()
                .rsplit("::")
                .next()
                .unwrap()
                .to_lowercase()
        }
    }
}
