//! The connector on trial at the simulated account.
use serde_json::Value;
use transload_plugin_intercom::Intercom;
use transload_simulators::intercom::model::Contact;
use transload_simulators::intercom::{Config, Preexisting, Services, Simulator, Snapshot};

pub use transload_trials::*;

/// What passes at the account with every request, ms.
const STEP_MS: i64 = 1_000;

/// A simulated account with its connector.
pub struct Account {
    pub sim: Simulator,
    pub trial: Trial<Intercom>,
}

transload_trials::stands_for_its_trial!(Account, Intercom);

impl Stand for Account {
    type Connector = Intercom;
    type Config = Config;

    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
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
        let line = Line {
            router: sim.router(),
            clock: sim.harness().clock.clone(),
            credential: format!("Bearer {}", sim.admin_token()),
            base: "",
            step_ms: STEP_MS,
        };
        let mut trial = line.trial();
        trial.set("api_host", "api.intercom.io");
        Self { sim, trial }
    }

    fn print(&self) -> Value {
        self.sim.state_fingerprint()
    }

    /// Attributes and companies cannot be deleted: they are archived.
    fn live(&self) -> Value {
        let mut print = self.print();
        if let Some(print) = print.as_object_mut() {
            print.remove("archived");
        }
        print
    }

    fn assert_silent(&self) {
        // What is to be sent leaves later.
        self.sim.harness().clock.advance(60_000);
        assert_eq!(self.snapshot().notified().len(), 0);
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
    }
}

impl Account {
    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
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
}
