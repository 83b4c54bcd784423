//! The time a simulator lives in.
//!
//! Real time, or virtual time that only moves when a test moves it. Every limit, expiry and lag of a simulator asks
//! this clock, never the operating system, so that a test of a ten-minute expiry takes no ten minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SecondsFormat, Utc};

/// A shared clock; clones show the same time. All times are milliseconds since the Unix epoch, UTC.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Real { offset_ms: AtomicI64 },
    Virtual { now_ms: AtomicI64 },
}

impl Clock {
    /// The operating system's time.
    pub fn real() -> Self {
        Self(Arc::new(Kind::Real {
            offset_ms: AtomicI64::new(0),
        }))
    }

    /// A clock that stands at `now_ms` until it is moved.
    pub fn at(now_ms: i64) -> Self {
        Self(Arc::new(Kind::Virtual {
            now_ms: AtomicI64::new(now_ms),
        }))
    }

    /// The current time in milliseconds since the epoch.
    pub fn now_ms(&self) -> i64 {
        match &*self.0 {
            Kind::Real { offset_ms } => {
                Utc::now().timestamp_millis() + offset_ms.load(Ordering::SeqCst)
            }
            Kind::Virtual { now_ms } => now_ms.load(Ordering::SeqCst),
        }
    }

    /// The current time.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now_ms()).unwrap_or_default()
    }

    /// The current time as ISO-8601 with milliseconds and `Z`.
    pub fn now_iso(&self) -> String {
        Self::iso(self.now_ms())
    }

    /// A time as ISO-8601 with milliseconds and `Z`.
    pub fn iso(ms: i64) -> String {
        DateTime::<Utc>::from_timestamp_millis(ms)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Moves the clock on; a real clock runs ahead by that much from then on.
    pub fn advance(&self, ms: i64) {
        match &*self.0 {
            Kind::Real { offset_ms } => offset_ms.fetch_add(ms, Ordering::SeqCst),
            Kind::Virtual { now_ms } => now_ms.fetch_add(ms, Ordering::SeqCst),
        };
    }

    /// Sets a virtual clock; a real clock is shifted so that it shows that time now.
    pub fn set(&self, to_ms: i64) {
        match &*self.0 {
            Kind::Real { offset_ms } => {
                offset_ms.store(to_ms - Utc::now().timestamp_millis(), Ordering::SeqCst)
            }
            Kind::Virtual { now_ms } => now_ms.store(to_ms, Ordering::SeqCst),
        }
    }

    /// Whether time only moves when it is moved.
    pub fn is_virtual(&self) -> bool {
        matches!(&*self.0, Kind::Virtual { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_stands_still_until_it_is_moved_and_clones_move_with_it() {
        let clock = Clock::at(1_000);
        let other = clock.clone();
        clock.advance(500);
        assert_eq!(other.now_ms(), 1_500);
        other.set(0);
        assert_eq!(clock.now_iso(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_real_clock_can_be_moved_ahead() {
        let clock = Clock::real();
        let before = clock.now_ms();
        clock.advance(3_600_000);
        assert!(clock.now_ms() >= before + 3_600_000);
        assert!(!clock.is_virtual());
    }
}
