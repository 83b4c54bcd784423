//! The connector on the SDK's harness, the harness on the simulated account: no socket, and no time but the account's.
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
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use transload_plugin_hubspot::HubSpot;
use transload_sdk::destination::Item;
use transload_sdk::http::{Body, Header, Part, PartBody, Piece, Request, Response};
use transload_sdk::ledger::Outcome;
use transload_sdk::testing::trial::Trial;
use transload_sdk::testing::{Files, Harness, answer};
use transload_sdk::types::{BlobRef, Kind};
use transload_simulators::common::ask;
use transload_simulators::hubspot::model::{Record, TypeId};
use transload_simulators::hubspot::{Config, Simulator, Snapshot};

pub use transload_sdk::testing::items::*;
pub use transload_sdk::testing::trial::{assert_same, assert_undone};

/// What passes at the account with every request, ms.
const STEP_MS: i64 = 200;

/// A simulated account with its connector.
pub struct Portal {
    pub sim: Simulator,
    pub trial: Trial<HubSpot>,
}

impl Deref for Portal {
    type Target = Trial<HubSpot>;

    fn deref(&self) -> &Self::Target {
        &self.trial
    }
}

impl DerefMut for Portal {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.trial
    }
}

impl Portal {
    /// A prepared account.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One that is otherwise as said.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut portal = Self::unprepared(change);
        portal.prepare().await;
        portal
    }

    /// One at which nothing was done yet. Its own automation is off: nothing of ours could keep it from mailing owners.
    pub fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            auto_companies: false,
            ..Config::virtual_time()
        };
        config.preexisting.automation = false;
        let dana = ("dana@acme.example".to_owned(), "Dana Dunn".to_owned());
        config.preexisting.agents_by_email.push(dana);
        change(&mut config);
        let sim = Simulator::new(config);
        let trial = trial_on(&sim);
        Self { sim, trial }
    }

    /// Another connection to the same account, which knows nothing of this one.
    pub fn renewed(&self) -> Trial<HubSpot> {
        trial_on(&self.sim)
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

    /// The one live record of an object type that stands for a record of the source.
    pub fn of(&self, object: TypeId, kind: &Kind, id: &str) -> Record {
        let marker = format!("old-desk:org1:{}:{id}", kind.word());
        let snapshot = self.snapshot();
        let rows = snapshot.with(object, "transload_source_id", &marker);
        assert_eq!(rows.len(), 1, "{object} of {marker}");
        rows[0].clone()
    }
}

/// A connection to an account.
fn trial_on(sim: &Simulator) -> Trial<HubSpot> {
    let token = sim.admin_token();
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
    Trial::new(plays, move || time.now_ms())
}

/// One request to the router; as a host does it, with the credential.
async fn send(router: Router, token: String, files: Files, request: Request) -> Response {
    let bearer = Some(token.as_str());
    let mut headers: Vec<(String, String)> = request
        .headers
        .into_iter()
        .map(|h| (h.name, h.value))
        .collect();
    let body = match request.body {
        Body::None => Vec::new(),
        Body::Bytes(bytes) => bytes,
        Body::Blob(blob) => bytes_of(&files, &blob),
        Body::Pieces(pieces) => pieces
            .into_iter()
            .flat_map(|piece| match piece {
                Piece::Bytes(bytes) => bytes,
                Piece::Blob(blob) => bytes_of(&files, &blob),
                Piece::Base64(blob) => STANDARD.encode(bytes_of(&files, &blob)).into_bytes(),
            })
            .collect(),
        Body::Multipart(parts) => {
            let boundary = "transload-test-boundary";
            let kind = format!("multipart/form-data; boundary={boundary}");
            headers.push(("content-type".to_owned(), kind));
            form(boundary, parts, &files)
        }
    };
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

/// What the connector wrote; of a file of the source, which these tests do not have, as many letters.
fn bytes_of(files: &Files, blob: &BlobRef) -> Vec<u8> {
    files.read(blob).unwrap_or_else(|| made_up(blob))
}

/// The bytes of a file that no test gave any.
fn made_up(blob: &BlobRef) -> Vec<u8> {
    vec![b'x'; usize::try_from(blob.size).unwrap()]
}

fn form(boundary: &str, parts: Vec<Part>, files: &Files) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend(format!("--{boundary}\r\n").into_bytes());
        let filename = part.filename.map(|name| format!("; filename=\"{name}\""));
        let disposition = format!(
            "Content-Disposition: form-data; name=\"{}\"{}\r\n",
            part.name,
            filename.unwrap_or_default()
        );
        body.extend(disposition.into_bytes());
        if let Some(media_type) = part.media_type {
            body.extend(format!("Content-Type: {media_type}\r\n").into_bytes());
        }
        body.extend(b"\r\n");
        body.extend(match part.body {
            PartBody::Bytes(bytes) => bytes,
            PartBody::Blob(blob) => bytes_of(files, &blob),
        });
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").into_bytes());
    body
}
