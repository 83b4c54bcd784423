//! Time as a capability: the pipeline, the gateway and the sandbox never ask the operating system directly, so that tests run
//! rate limits, settle times and expiries in virtual time.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

/// A source of time. Milliseconds since 1970-01-01T00:00:00Z throughout.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> i64;
    /// Time that has passed since some moment in the past, and goes on while the machine or the process stands still: by this a
    /// process learns that it was stopped. Nobody can set it.
    fn steady(&self) -> Duration;
    /// Waits. Cancel safe: dropping the future stops the wait and nothing else.
    async fn sleep(&self, duration: Duration);
}

/// The operating system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    fn steady(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(
            u64::try_from(time.tv_sec).unwrap_or(0),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// A clock shared by everything in one run.
pub type SharedClock = Arc<dyn Clock>;
