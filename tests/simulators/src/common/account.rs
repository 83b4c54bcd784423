//! What the simulators of destinations share: an account that requests are answered from while it is held.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use chrono::{DateTime, Utc};

use super::{AutomationLog, Harness, Outbox, SimError, SimServer, Started};

/// What an account holds.
pub trait Content: Send + 'static {
    /// Does everything that the platform does on its own until then: rows of jobs, automations, purges, sessions that end.
    fn run_until(&mut self, now: DateTime<Utc>);
}

/// An account and the harness around it: what a handler needs. Clones share it.
pub struct Held<S> {
    /// Clock, limits, faults, recorder, outbox.
    pub harness: Harness,
    content: Arc<Mutex<S>>,
}

impl<S> Clone for Held<S> {
    fn clone(&self) -> Self {
        Self {
            harness: self.harness.clone(),
            content: Arc::clone(&self.content),
        }
    }
}

impl<S: Content> Held<S> {
    /// Puts the content behind the lock.
    pub fn new(harness: &Harness, content: S) -> Self {
        Self {
            harness: harness.clone(),
            content: Arc::new(Mutex::new(content)),
        }
    }

    /// The account, brought up to the clock.
    pub fn lock(&self) -> MutexGuard<'_, S> {
        let mut content = self.as_it_was();
        content.run_until(self.harness.clock.now());
        content
    }

    /// The account as the last request left it.
    pub fn as_it_was(&self) -> MutexGuard<'_, S> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an account is reached from without; clones share it. A platform's simulator derefs to this.
#[derive(Clone)]
pub struct Account {
    harness: Harness,
    router: Router,
}

impl Account {
    /// The routes, behind the harness.
    pub fn new(harness: &Harness, routes: Router) -> Self {
        Self {
            harness: harness.clone(),
            router: harness.wrap(routes),
        }
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

    /// What the platform would have sent to people.
    pub fn outbox(&self) -> &Outbox {
        &self.harness.outbox
    }

    /// What its rules would have done.
    pub fn automation_log(&self) -> &AutomationLog {
        &self.harness.automations
    }
}
