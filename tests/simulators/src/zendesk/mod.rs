//! The Zendesk simulator.

use axum::Router;
use axum::http::StatusCode;

use crate::common::{Clock, Harness, SimError, SimServer, Started};

/// How the simulator is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Its time.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            clock: Clock::real(),
        }
    }
}

/// A Zendesk account; clones share it.
#[derive(Clone)]
pub struct Simulator {
    harness: Harness,
    router: Router,
}

impl Simulator {
    /// A new account.
    pub fn new(config: Config) -> Self {
        let harness = Harness::new(config.clock, error_body);
        let router = harness.wrap(Router::new());
        Self { harness, router }
    }

    /// The parts shared with the other simulators.
    pub fn harness(&self) -> &Harness {
        &self.harness
    }

    /// The service, for calls without a socket.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves the simulator on the loopback interface; port 0 lets the system pick one.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the port cannot be had.
    pub async fn serve(&self, port: u16) -> Result<Started, SimError> {
        SimServer::start(self.router(), port).await
    }
}

fn error_body(status: StatusCode, message: &str) -> serde_json::Value {
    serde_json::json!({ "error": status.canonical_reason().unwrap_or("Error"), "description": message })
}
