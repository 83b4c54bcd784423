//! The time of a test: it runs ahead whenever something waits, so that a settle time of minutes passes in moments.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::clock::Clock;

/// Waits that are timeouts: what hangs must hang for as long as it would.
const TIMEOUTS: [Duration; 2] = [Duration::from_secs(120), Duration::from_secs(3_600)];
/// How far it runs ahead at once; less than a lease lasts, so that its owner can renew it.
const STEP_MS: i64 = 2_500;
/// Real time that a step takes.
const TICK: Duration = Duration::from_millis(2);
/// The longest wait that nobody hurries: the renewal of the lease.
const UNHURRIED: Duration = Duration::from_secs(5);

/// A time that all parts of a test share; clones are the same one.
#[derive(Debug, Clone)]
pub struct TestTime {
    now: Arc<AtomicI64>,
    started: Instant,
}

impl TestTime {
    /// A time that begins there, ms since 1970.
    #[must_use]
    pub fn at(ms: i64) -> Self {
        Self {
            now: Arc::new(AtomicI64::new(ms)),
            started: Instant::now(),
        }
    }

    /// What it is, ms since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// Lets it pass.
    pub(super) fn pass(&self, ms: i64) {
        self.advance(ms);
    }

    fn advance(&self, ms: i64) {
        self.now.fetch_add(ms, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for TestTime {
    fn now(&self) -> i64 {
        self.now_ms()
    }

    fn steady(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        if TIMEOUTS.contains(&duration) {
            return tokio::time::sleep(duration).await;
        }
        let length = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let until = self.now_ms().saturating_add(length);
        loop {
            let left = until - self.now_ms();
            if left <= 0 {
                return;
            }
            if duration != UNHURRIED {
                self.advance(left.min(STEP_MS));
            }
            tokio::time::sleep(TICK).await;
        }
    }
}
