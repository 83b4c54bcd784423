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
use serde_json::Value;
use transload_plugin_intercom::Intercom;
use transload_sdk::destination::Item;
use transload_sdk::http::{Header, Request, Response};
use transload_sdk::ledger::Outcome;
use transload_sdk::testing::trial::Trial;
use transload_sdk::testing::{Files, Harness, answer};
use transload_sdk::types::{
    Address, AddressChannel, Author, BlobRef, Conversation, ConversationStatus, Customer, Kind,
    Reference,
};
use transload_simulators::common::ask;
use transload_simulators::intercom::model::{Contact, Part};
use transload_simulators::intercom::{Config, Preexisting, Services, Simulator, Snapshot};

pub use transload_sdk::testing::items::*;
pub use transload_sdk::testing::trial::{assert_same, assert_undone};

/// What passes at the account with every request, ms.
const STEP_MS: i64 = 1_000;
/// A day of November 2023.
pub const DAY: i64 = 1_700_000_000_000;

/// A simulated account with its connector.
pub struct Account {
    pub sim: Simulator,
    pub trial: Trial<Intercom>,
}

impl Deref for Account {
    type Target = Trial<Intercom>;

    fn deref(&self) -> &Self::Target {
        &self.trial
    }
}

impl DerefMut for Account {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.trial
    }
}

impl Account {
    /// A prepared account, made quiet as an operator does it.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// One that is otherwise as said.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut account = Self::unprepared(change);
        account.prepare().await;
        account
    }

    /// One at which nothing was done yet.
    pub fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            preexisting: Preexisting {
                agents_by_email: vec![("dana@acme.example".to_owned(), "Dana Dunn".to_owned())],
                services: Services::none(),
                ..Preexisting::default()
            },
            ..Config::virtual_time()
        };
        change(&mut config);
        let sim = Simulator::new(config);
        let (router, credential) = (sim.router(), format!("Bearer {}", sim.admin_token()));
        let clock = sim.harness().clock.clone();
        let time = clock.clone();
        let plays = move || {
            let (router, credential) = (router.clone(), credential.clone());
            let (clock, slept) = (clock.clone(), clock.clone());
            Harness::with_files(|files| {
                move |request| {
                    clock.advance(STEP_MS);
                    send(router.clone(), credential.clone(), files.clone(), request)
                }
            })
            .holding(made_up)
            .sleeping(move |ms| slept.advance(i64::try_from(ms).unwrap_or(0)))
        };
        let mut trial = Trial::new(plays, move || time.now_ms());
        trial.set("api_host", "api.intercom.io");
        Self { sim, trial }
    }

    /// One unit; whatever is written, nobody is mailed and nothing runs (rule M-8).
    pub async fn write(&self, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        self.write_on(self.harness(), kind, items).await
    }

    /// The same on a harness of the test's.
    pub async fn write_on(&self, harness: Harness, kind: Kind, items: Vec<Item>) -> Vec<Outcome> {
        let outcomes = self.trial.write_on(harness, kind, items).await;
        self.assert_silent();
        outcomes
    }

    pub fn assert_silent(&self) {
        // What is to be sent leaves later.
        self.sim.harness().clock.advance(60_000);
        assert_eq!(self.snapshot().notified().len(), 0);
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
    }

    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }

    pub fn print(&self) -> Value {
        self.sim.state_fingerprint()
    }

    /// The conversation with a marker.
    pub fn marked(&self, marker: &str) -> transload_simulators::intercom::model::Conversation {
        let snapshot = self.snapshot();
        let all = snapshot.conversations_where("Transload ID", &Value::from(marker));
        assert_eq!(all.len(), 1, "conversations of {marker}");
        all[0].clone()
    }

    /// The one conversation of a thread.
    pub fn conversation(&self, id: &str) -> transload_simulators::intercom::model::Conversation {
        self.marked(&format!("old-desk:org1:conversation:{id}"))
    }

    /// What was said in it, but for its beginning: kind, text as it was sent.
    pub fn said_in(&self, id: &str) -> Vec<(String, String)> {
        let parts = self.conversation(id).parts.into_iter();
        let said = parts.filter_map(|part| Some((part.part_type, part.sent_body?)));
        said.collect()
    }

    /// The one contact of a record.
    pub fn customer(&self, id: &str) -> Contact {
        let snapshot = self.snapshot();
        let all = snapshot.contacts_by_external_id(&format!("old-desk:org1:customer:{id}"));
        assert_eq!(all.len(), 1, "contacts of {id}");
        all[0].clone()
    }

    /// A migrated customer and agent.
    pub async fn people(&self) {
        let made = self
            .write(Kind::Customer, vec![customer("c1", vec![], bo())])
            .await;
        assert!(made.iter().all(is_created), "{made:?}");
        self.write(
            Kind::Agent,
            vec![agent(
                "a1",
                "Dana Dunn",
                "Dana@acme.example",
                vec![],
                vec![],
            )],
        )
        .await;
    }

    pub fn bo(&self) -> Reference {
        self.known(Reference::new(Kind::Customer, "c1").called("Bo Ng"))
    }

    pub fn dana(&self) -> Reference {
        self.known(Reference::new(Kind::Agent, "a1").called("Dana Dunn"))
    }

    /// A finished conversation of Bo with Dana: a question and an answer.
    pub fn talk(&self, id: &str) -> Item {
        let data = Conversation {
            customer: Some(self.bo()),
            subject: Some(format!("subject of {id}")),
            status: ConversationStatus::Closed,
            assignees: vec![self.dana()],
            channels: vec!["email".to_owned()],
            closed_at: Some(DAY + 3_600_000),
            ..Conversation::empty()
        };
        let parts = vec![
            said(
                &format!("{id}-m1"),
                Author::Person(self.bo()),
                "Where is it?",
                DAY,
            ),
            said(
                &format!("{id}-m2"),
                Author::Person(self.dana()),
                "On its way.",
                DAY + 60_250,
            ),
        ];
        thread(id, vec![], data, parts)
    }
}

/// A customer with an address and a number.
pub fn bo() -> Customer {
    Customer {
        name: Some("Bo Ng".to_owned()),
        addresses: vec![
            Address {
                primary: true,
                ..Address::new(AddressChannel::Email, "Bo@example.com")
            },
            Address::new(AddressChannel::Email, "bo.ng@work.example"),
            Address::new(AddressChannel::Phone, "+1 555 555 0123"),
        ],
        language: Some("de_ch".to_owned()),
        time_zone: Some("Europe/Zurich".to_owned()),
        ..Customer::empty()
    }
}

/// One request to the router; as a host does it, with the credential and the base URL's path.
async fn send(router: Router, credential: String, files: Files, request: Request) -> Response {
    let (mut headers, body) = files.on_the_wire(&request, made_up);
    headers.push(("authorization".to_owned(), credential));
    let url = request.url.clone();
    let Some(got) = ask(router, &request.method, &url, headers, None, body).await else {
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
pub fn made_up(blob: &BlobRef) -> Vec<u8> {
    vec![b'x'; usize::try_from(blob.size).unwrap()]
}

/// Runs a test's future.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

/// A fingerprint without what is archived: attributes and companies cannot be deleted.
pub fn live(print: &Value) -> Value {
    let mut print = print.clone();
    if let Some(print) = print.as_object_mut() {
        print.remove("archived");
    }
    print
}
