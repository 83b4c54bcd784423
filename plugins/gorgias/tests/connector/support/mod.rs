//! The connector on trial at the simulated account.
use serde_json::Value;
use transload_plugin_gorgias::Gorgias;
use transload_simulators::gorgias::model::{Message, Ticket};
use transload_simulators::gorgias::{Config, Preexisting, Services, Simulator, Snapshot};

pub use transload_trials::*;

/// What passes at the account with every request, ms.
const STEP_MS: i64 = 1_000;

/// A simulated account with its connector.
pub struct Account {
    pub sim: Simulator,
    pub trial: Trial<Gorgias>,
}

transload_trials::stands_for_its_trial!(Account, Gorgias);

impl Stand for Account {
    type Connector = Gorgias;
    type Config = Config;

    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            preexisting: Preexisting {
                agents_by_email: vec![("dana@acme.example".to_owned(), "Dana Dunn".to_owned())],
                rules: false,
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
            credential: sim.basic_authorization(),
            base: "/api",
            step_ms: STEP_MS,
        };
        let mut trial = line.trial();
        trial.set("account", "acme");
        Self { sim, trial }
    }

    fn print(&self) -> Value {
        self.sim.state_fingerprint()
    }

    /// Archived fields are not deleted.
    fn live(&self) -> Value {
        let mut print = self.print();
        print["deleted"]["custom_fields"] = Value::Null;
        print
    }

    fn assert_silent(&self) {
        // What is to be sent leaves later.
        self.sim.harness().clock.advance(60_000);
        assert_eq!(self.snapshot().unsent(), Vec::<&Message>::new());
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
    }
}

impl Account {
    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }

    /// The one ticket of a conversation, and its messages.
    pub fn ticket(&self, id: &str) -> (Ticket, Vec<Message>) {
        let snapshot = self.snapshot();
        let all = snapshot.tickets_by_external_id(&format!("old-desk:org1:conversation:{id}"));
        assert_eq!(all.len(), 1, "tickets of {id}");
        let messages = snapshot.thread(all[0]).into_iter().cloned().collect();
        (all[0].clone(), messages)
    }

    /// The one customer of a record.
    pub fn customer(&self, id: &str) -> transload_simulators::gorgias::model::Customer {
        let snapshot = self.snapshot();
        let all = snapshot.customers_by_external_id(&format!("old-desk:org1:customer:{id}"));
        assert_eq!(all.len(), 1, "customers of {id}");
        all[0].clone()
    }
}
