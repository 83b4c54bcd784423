//! The connector on the SDK's harness, the harness on the simulated account: no socket, and no time but the account's.
//!
//! The part of a host that these tests need is played by the SDK's [`Trial`].
use serde_json::Value;
use transload_plugin_zendesk::Zendesk;
use transload_simulators::zendesk::{Config, Preexisting, Simulator, Snapshot};

pub use transload_trials::*;

/// What passes at the account with every request, ms: a job is done after a few.
const STEP_MS: i64 = 2_000;

/// A simulated account with its connector, prepared.
pub struct Account {
    pub sim: Simulator,
    pub trial: Trial<Zendesk>,
}

transload_trials::stands_for_its_trial!(Account, Zendesk);

impl Stand for Account {
    type Connector = Zendesk;
    type Config = Config;

    fn unprepared(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            rate_limits: false,
            preexisting: Preexisting {
                agents_by_email: vec![("dana@acme.example".to_owned(), "Dana".to_owned())],
                ..Preexisting::default()
            },
            ..Config::virtual_time()
        };
        // A token of the simulator's default life would not outlive a long test.
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
        trial.set("subdomain", "acme");
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

impl Account {
    pub fn snapshot(&self) -> Snapshot {
        self.sim.snapshot()
    }
}
