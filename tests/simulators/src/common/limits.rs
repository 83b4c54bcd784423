//! Rate limits by windows.
//!
//! A rule has a name, a number of calls and a window; each key of a rule (an account, a ticket, …) has a window of its
//! own, which opens with the first call and ends `window_ms` later. A rule may be a bucket instead, which leaks all the
//! time, as many calls in `window_ms` as it holds; or roll, and look at the last `window_ms` of every moment; or be aligned,
//! its windows beginning at whole multiples of `window_ms` since the epoch. Windows are judged by the simulator's
//! [`Clock`]. One switch turns all limits off, for benches.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Clock;

/// What became of a call that asked for its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether the call is within the limit.
    pub allowed: bool,
    /// Calls the window holds.
    pub limit: u64,
    /// Calls left in the window after this one.
    pub remaining: u64,
    /// When the window ends, or when a bucket has room for one more call, in milliseconds since the epoch.
    pub reset_ms: i64,
}

impl Taken {
    /// Whole seconds until the window ends, rounded up, as `Retry-After` wants them.
    pub fn retry_after_s(&self, now_ms: i64) -> i64 {
        (self.reset_ms - now_ms).max(0).div_euclid(1000)
            + i64::from((self.reset_ms - now_ms).max(0).rem_euclid(1000) > 0)
    }
}

/// How a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Window,
    Bucket,
    Rolling,
    Aligned,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    limit: u64,
    window_ms: i64,
    burden: u64,
    shape: Shape,
}

#[derive(Clone, Debug)]
struct Window {
    start_ms: i64,
    used: u64,
    /// Calls of a rolling window: when, and what they cost.
    calls: VecDeque<(i64, u64)>,
}

impl Window {
    fn opened(start_ms: i64, used: u64) -> Self {
        Self {
            start_ms,
            used,
            calls: VecDeque::new(),
        }
    }

    /// A new one for a call that comes now.
    fn new(rule: Rule, now: i64) -> Self {
        let start_ms = match rule.shape {
            Shape::Aligned => now - now.rem_euclid(rule.window_ms.max(1)),
            _ => now,
        };
        Self::opened(start_ms, rule.burden)
    }

    /// Lets go of what has left the window.
    fn roll(&mut self, rule: Rule, now: i64) {
        if rule.shape == Shape::Rolling {
            while let Some((at, cost)) = self.calls.front().copied() {
                if at <= now && now < at + rule.window_ms {
                    break;
                }
                self.used = self.used.saturating_sub(cost);
                self.calls.pop_front();
            }
            self.start_ms = self.calls.front().map_or(now, |(at, _)| *at);
        } else if now >= self.start_ms + rule.window_ms || now < self.start_ms {
            *self = Self::new(rule, now);
        }
    }
}

/// What a bucket holds: `limit` leaves it in each millisecond, and a call is `window_ms` of it.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    at_ms: i64,
    level: i64,
}

#[derive(Debug, Default)]
struct Inner {
    rules: HashMap<String, Rule>,
    windows: HashMap<(String, String), Window>,
    buckets: HashMap<(String, String), Bucket>,
}

/// A set of windowed limits; clones share their counters.
#[derive(Clone, Debug)]
pub struct RateLimits {
    clock: Clock,
    off: Arc<AtomicBool>,
    inner: Arc<Mutex<Inner>>,
}

impl RateLimits {
    /// No rules yet: everything is allowed.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            off: Arc::default(),
            inner: Arc::default(),
        }
    }

    /// Sets or replaces a rule: `limit` calls in each window of `window_ms`.
    pub fn rule(&self, name: &str, limit: u64, window_ms: i64) {
        self.set(name, limit, window_ms, Shape::Window);
    }

    /// Sets or replaces a rule: a bucket of `limit` calls, which leaks as many in `window_ms`.
    pub fn bucket(&self, name: &str, limit: u64, window_ms: i64) {
        self.set(name, limit, window_ms, Shape::Bucket);
    }

    /// Sets or replaces a rule: `limit` calls in any `window_ms`.
    pub fn rolling_rule(&self, name: &str, limit: u64, window_ms: i64) {
        self.set(name, limit, window_ms, Shape::Rolling);
    }

    /// Sets or replaces a rule: `limit` calls in each window, the windows being those of the wall clock.
    pub fn aligned(&self, name: &str, limit: u64, window_ms: i64) {
        self.set(name, limit, window_ms, Shape::Aligned);
    }

    fn set(&self, name: &str, limit: u64, window_ms: i64, shape: Shape) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.rules.insert(
            name.to_owned(),
            Rule {
                limit,
                window_ms,
                burden: 0,
                shape,
            },
        );
    }

    /// Says how many calls of each window of a rule somebody else has already made; a bucket leaks so many fewer for us.
    pub fn burden(&self, name: &str, calls: u64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rule) = inner.rules.get_mut(name) {
            rule.burden = calls;
        }
    }

    /// Turns all limits off or on again. Calls are still counted while off, but never refused.
    pub fn set_off(&self, off: bool) {
        self.off.store(off, Ordering::SeqCst);
    }

    /// Whether the limits are off.
    pub fn is_off(&self) -> bool {
        self.off.load(Ordering::SeqCst)
    }

    /// Forgets all windows, as if nothing had been called.
    pub fn reset(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.windows.clear();
        inner.buckets.clear();
    }

    /// Takes `cost` calls from the window of `key` under the rule `name`. A refused call costs nothing. An unknown
    /// rule allows everything.
    pub fn take(&self, name: &str, key: &str, cost: u64) -> Taken {
        let now = self.clock.now_ms();
        let off = self.is_off();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rule) = inner.rules.get(name).copied() else {
            return Taken {
                allowed: true,
                limit: u64::MAX,
                remaining: u64::MAX,
                reset_ms: now,
            };
        };
        if rule.shape == Shape::Bucket {
            let bucket = inner.buckets.entry((name.to_owned(), key.to_owned()));
            let bucket = bucket.or_insert(Bucket {
                at_ms: now,
                level: 0,
            });
            return pour(bucket, rule, cost, now, off);
        }
        let window = inner
            .windows
            .entry((name.to_owned(), key.to_owned()))
            .or_insert_with(|| Window::new(rule, now));
        window.roll(rule, now);
        let allowed = off || window.used + cost <= rule.limit;
        if allowed {
            window.used += cost;
            if rule.shape == Shape::Rolling {
                window.calls.push_back((now, cost));
            }
        }
        Taken {
            allowed,
            limit: rule.limit,
            remaining: rule.limit.saturating_sub(window.used),
            reset_ms: window.start_ms + rule.window_ms,
        }
    }
}

fn pour(bucket: &mut Bucket, rule: Rule, cost: u64, now: i64, off: bool) -> Taken {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (limit, call) = (signed(rule.limit).max(1), rule.window_ms.max(1));
    let full = limit.saturating_mul(call);
    let leak = (limit - signed(rule.burden)).max(1);
    let leaked = (now - bucket.at_ms).max(0).saturating_mul(leak);
    bucket.level = bucket.level.saturating_sub(leaked).max(0);
    bucket.at_ms = now;
    let poured = bucket
        .level
        .saturating_add(signed(cost).saturating_mul(call));
    let allowed = off || poured <= full;
    if allowed {
        bucket.level = poured;
    }
    let over = bucket.level.saturating_add(call).saturating_sub(full);
    Taken {
        allowed,
        limit: rule.limit,
        remaining: u64::try_from((full - bucket.level).max(0) / call).unwrap_or_default(),
        reset_ms: now + over.max(0).div_euclid(leak) + i64::from(over.max(0).rem_euclid(leak) > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_leaks_all_the_time() {
        let clock = Clock::at(0);
        let limits = RateLimits::new(clock.clone());
        limits.bucket("all", 40, 20_000);
        assert!((0..40).all(|_| limits.take("all", "org", 1).allowed));
        let refused = limits.take("all", "org", 1);
        assert!(!refused.allowed);
        assert_eq!(
            (refused.remaining, refused.retry_after_s(clock.now_ms())),
            (0, 1)
        );
        clock.advance(1_000);
        assert!(limits.take("all", "org", 1).allowed);
        assert!(limits.take("all", "org", 1).allowed);
        assert!(!limits.take("all", "org", 1).allowed);
        clock.advance(20_000);
        assert_eq!(limits.take("all", "org", 1).remaining, 39);
        // Half of what leaks is filled up by others.
        limits.burden("all", 20);
        assert!((0..39).all(|_| limits.take("all", "org", 1).allowed));
        clock.advance(1_000);
        assert!(limits.take("all", "org", 1).allowed);
        assert!(!limits.take("all", "org", 1).allowed);
    }

    #[test]
    fn a_window_refuses_the_call_over_its_limit_and_opens_again_when_it_has_passed() {
        let clock = Clock::at(0);
        let limits = RateLimits::new(clock.clone());
        limits.rule("all", 2, 60_000);
        assert!(limits.take("all", "org", 1).allowed);
        assert_eq!(limits.take("all", "org", 1).remaining, 0);
        clock.advance(500);
        let refused = limits.take("all", "org", 1);
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after_s(clock.now_ms()), 60);
        assert!(limits.take("all", "other key", 1).allowed);
        clock.advance(59_500);
        assert!(limits.take("all", "org", 1).allowed);
    }

    #[test]
    fn a_rolling_window_frees_every_call_by_itself() {
        let clock = Clock::at(0);
        let limits = RateLimits::new(clock.clone());
        limits.rolling_rule("all", 2, 10_000);
        assert!(limits.take("all", "key", 1).allowed);
        clock.advance(9_000);
        assert!(limits.take("all", "key", 1).allowed);
        clock.advance(999);
        assert!(!limits.take("all", "key", 1).allowed);
        clock.advance(1);
        assert!(limits.take("all", "key", 1).allowed);
        // The second call is a second old: a standing window would have begun anew.
        assert!(!limits.take("all", "key", 1).allowed);
        clock.advance(9_000);
        assert_eq!(limits.take("all", "key", 1).remaining, 0);
    }

    #[test]
    fn an_aligned_window_ends_at_the_clocks_own_mark() {
        let clock = Clock::at(17_000);
        let limits = RateLimits::new(clock.clone());
        limits.aligned("all", 1, 10_000);
        assert_eq!(limits.take("all", "org", 1).reset_ms, 20_000);
        assert!(!limits.take("all", "org", 1).allowed);
        clock.advance(3_000);
        assert!(limits.take("all", "org", 1).allowed);
    }

    #[test]
    fn what_others_use_up_is_missing_from_every_window() {
        let clock = Clock::at(0);
        let limits = RateLimits::new(clock.clone());
        limits.rule("all", 3, 60_000);
        limits.burden("all", 2);
        assert_eq!(limits.take("all", "org", 1).remaining, 0);
        clock.advance(60_000);
        assert!(limits.take("all", "org", 1).allowed);
        assert!(!limits.take("all", "org", 1).allowed);
    }

    #[test]
    fn the_switch_turns_every_limit_off() {
        let limits = RateLimits::new(Clock::at(0));
        limits.rule("all", 1, 60_000);
        limits.set_off(true);
        assert!((0..10).all(|_| limits.take("all", "org", 1).allowed));
        limits.set_off(false);
        assert!(!limits.take("all", "org", 1).allowed);
    }
}
