//! What a platform would have done to the outside world.
//!
//! A simulator never sends anything. What the real platform would send goes to the [`Outbox`], what it would run goes
//! to the [`AutomationLog`]; a test asserts that both hold only what a connector declared.

use std::sync::{Arc, Mutex, PoisonError};

/// One message that the platform would have sent to a person or a system.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct OutboxItem {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// What kind: `email`, `push`, `webhook`, …
    pub kind: String,
    /// To whom.
    pub to: String,
    /// The record it is about.
    pub about: String,
    /// Why it was sent.
    pub reason: String,
}

/// One run of a trigger, rule or workflow on the platform.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AutomationRun {
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// What kind: `trigger`, `automation`, `sla`, …
    pub kind: String,
    /// The name of the rule.
    pub name: String,
    /// The record it ran on.
    pub about: String,
    /// What it changed, empty if nothing.
    pub effect: String,
}

/// An append-only list shared by clones.
#[derive(Debug)]
struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Log<T> {
    fn push(&self, item: T) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(item);
    }
    fn all(&self) -> Vec<T> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
    fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Everything the platform would have sent; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Log<OutboxItem>);

impl Outbox {
    /// Adds an item.
    pub fn push(&self, item: OutboxItem) {
        self.0.push(item);
    }
    /// All items in order.
    pub fn all(&self) -> Vec<OutboxItem> {
        self.0.all()
    }
    /// Forgets all items.
    pub fn clear(&self) {
        self.0.clear();
    }
}

/// Every rule the platform ran; clones share it.
#[derive(Clone, Debug, Default)]
pub struct AutomationLog(Log<AutomationRun>);

impl AutomationLog {
    /// Adds a run.
    pub fn push(&self, run: AutomationRun) {
        self.0.push(run);
    }
    /// All runs in order.
    pub fn all(&self) -> Vec<AutomationRun> {
        self.0.all()
    }
    /// Forgets all runs.
    pub fn clear(&self) {
        self.0.clear();
    }
}
