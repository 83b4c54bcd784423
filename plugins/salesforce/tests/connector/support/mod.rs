//! The connector on the SDK's harness, the harness on the simulated org: no socket, and no time but the org's.
use serde_json::{Value, json};
use transload_plugin_salesforce::Salesforce;
use transload_sdk::types::Kind;
use transload_simulators::salesforce::{Config, Simulator, Snapshot};

pub use transload_trials::*;

/// What passes at the org with every request, ms: a deployment is done after a few.
const STEP_MS: i64 = 2_000;

/// A simulated org with its connector.
pub struct Org {
    pub sim: Simulator,
    pub trial: Trial<Salesforce>,
}

transload_trials::stands_for_its_trial!(Org, Salesforce);

impl Stand for Org {
    type Connector = Salesforce;
    type Config = Config;

    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
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
        let line = Line {
            router: sim.router(),
            clock: sim.harness().clock.clone(),
            credential: format!("Bearer {token}"),
            base: "",
            step_ms: STEP_MS,
        };
        let mut trial = line.trial();
        trial.set("my_domain", "acme");
        Self { sim, trial }
    }

    fn print(&self) -> Value {
        self.sim.state_fingerprint()
    }

    fn assert_silent(&self) {
        assert_eq!(self.sim.outbox().all(), []);
        assert_eq!(self.sim.automation_log().all(), []);
    }
}

impl Org {
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
