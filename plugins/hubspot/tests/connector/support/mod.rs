//! The connector on the SDK's harness, the harness on the simulated account: no socket, and no time but the account's.
use serde_json::Value;
use transload_plugin_hubspot::HubSpot;
use transload_sdk::types::Kind;
use transload_simulators::hubspot::model::{Record, TypeId};
use transload_simulators::hubspot::{Config, Simulator, Snapshot};

pub use transload_trials::*;

/// What passes at the account with every request, ms.
const STEP_MS: i64 = 200;

/// A simulated account with its connector.
pub struct Portal {
    pub sim: Simulator,
    pub trial: Trial<HubSpot>,
}

transload_trials::stands_for_its_trial!(Portal, HubSpot);

impl Stand for Portal {
    type Connector = HubSpot;
    type Config = Config;

    /// Its own automation is off: nothing of ours could keep it from mailing owners.
    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
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
        let trial = line(&sim).trial();
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

impl Portal {
    /// Another connection to the same account, which knows nothing of this one.
    pub fn renewed(&self) -> Trial<HubSpot> {
        line(&self.sim).trial()
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

/// The way to an account.
fn line(sim: &Simulator) -> Line {
    Line {
        router: sim.router(),
        clock: sim.harness().clock.clone(),
        credential: format!("Bearer {}", sim.admin_token()),
        base: "",
        step_ms: STEP_MS,
    }
}
