//! The connector on the SDK's harness, the harness on the simulated org: no socket, and no time but the org's.
#![allow(
    dead_code,
    unused_imports,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test file uses its part; what a test cannot read is a failed test"
)]

use std::ops::{Deref, DerefMut};

use axum::Router;
use serde_json::{Value, json};
use transload_plugin_salesforce::Salesforce;
use transload_sdk::destination::Item;
use transload_sdk::http::{Header, Request, Response};
use transload_sdk::ledger::Outcome;
use transload_sdk::testing::trial::Trial;
use transload_sdk::testing::{Files, Harness, answer};
use transload_sdk::types::{BlobRef, Kind};
use transload_simulators::common::ask;
use transload_simulators::salesforce::{Config, Simulator, Snapshot};

pub use transload_sdk::testing::items::*;
pub use transload_sdk::testing::trial::{assert_same, assert_undone};

/// What passes at the org with every request, ms: a deployment is done after a few.
const STEP_MS: i64 = 2_000;

/// A simulated org with its connector.
pub struct Org {
    pub sim: Simulator,
    pub trial: Trial<Salesforce>,
}

impl Deref for Org {
    type Target = Trial<Salesforce>;

    fn deref(&self) -> &Self::Target {
        &self.trial
    }
}

impl DerefMut for Org {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.trial
    }
}

impl Org {
    /// A prepared org.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One that is otherwise as said.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut org = Self::unprepared(change);
        org.prepare().await;
        org
    }

    /// One at which nothing was done yet.
    pub fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            ..Config::virtual_time()
        };
        config
            .preexisting
            .users
            .push(("dana@acme.example".to_owned(), "Dana Dunn".to_owned()));
        // Tests pass more time than a session lives.
        config.switches.session_life = chrono::Duration::days(3_650);
        change(&mut config);
        let sim = Simulator::new(config);
        let token = sim.token_for(&sim.integration_user());
        let router = sim.router();
        let clock = sim.harness().clock.clone();
        let time = clock.clone();
        let plays = move || {
            let (router, token) = (router.clone(), token.clone());
            let (clock, slept) = (clock.clone(), clock.clone());
            Harness::with_files(|files| {
                move |request| {
                    clock.advance(STEP_MS);
                    send(router.clone(), token.clone(), files.clone(), request)
                }
            })
            .holding(made_up)
            .sleeping(move |ms| slept.advance(i64::try_from(ms).unwrap_or(0)))
        };
        let mut trial = Trial::new(plays, move || time.now_ms());
        trial.set("my_domain", "acme");
        Self { sim, trial }
    }

    /// One unit, after which nobody was mailed (rule M-8).
    pub async fn written(&self, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        let outcomes = self.trial.write(kind, items).await;
        self.assert_silent();
        outcomes
    }

    pub fn assert_silent(&self) {
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
    }

    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }

    /// The one live record of an object that stands for a record of the source.
    pub fn of(&self, object: &str, kind: &Kind, id: &str) -> Value {
        let marker = format!("old-desk:org1:{}:{id}", kind.word());
        let snapshot = self.snapshot();
        let rows = snapshot.with(object, "Transload_Source_Id__c", &marker);
        assert_eq!(rows.len(), 1, "{object} of {marker}");
        json!(rows[0].fields)
    }
}

/// One request to the router; as a host does it, with the credential.
async fn send(router: Router, token: String, files: Files, request: Request) -> Response {
    let bearer = Some(token.as_str());
    let (headers, body) = files.on_the_wire(&request, made_up);
    let (method, url) = (request.method.as_str(), request.url.as_str());
    let Some(got) = ask(router, method, url, headers, bearer, body).await else {
        return answer(400, "not a request");
    };
    let header = |(name, value)| Header { name, value };
    Response {
        status: got.status,
        headers: got.headers.into_iter().map(header).collect(),
        body: got.body,
        attempted_before: false,
    }
}

/// The bytes of a file that no test gave any.
fn made_up(blob: &BlobRef) -> Vec<u8> {
    vec![b'x'; usize::try_from(blob.size).unwrap()]
}
