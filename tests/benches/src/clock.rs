//! Two clocks that do not wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;
use transload_host::clock::{Clock, SystemClock};
use transload_simulators::common;

/// From here on a wait is a timeout of something that is going on, and takes as long as it takes.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks at threads that work.
const LOOK: Duration = Duration::from_micros(50);
/// How often a run renews its lease: nobody waits for it, so it must not hurry the time on.
const RENEWAL: Duration = Duration::from_secs(5);

/// Real time that runs ahead by whatever somebody wanted to wait: pacing and polling cost none of it, and what is measured is
/// work.
#[derive(Debug, Default)]
pub struct Unpaced {
    ahead: AtomicI64,
}

#[async_trait]
impl Clock for Unpaced {
    fn now(&self) -> i64 {
        SystemClock.now() + self.ahead.load(Ordering::Relaxed)
    }

    fn steady(&self) -> Duration {
        SystemClock.steady()
    }

    async fn sleep(&self, duration: Duration) {
        if duration >= TIMEOUT || duration == RENEWAL {
            return tokio::time::sleep(duration).await;
        }
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(ms, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

/// Time that stands still while anything in this process works, and then goes on to the next moment that somebody waits for:
/// computing, the disk and the scheduler take no time, waits and the network's latency take exactly theirs.
///
/// Whether anything works is asked of the kernel, since connectors compute on threads of the runtime and the store waits for
/// the disk on threads of its own.
pub struct VirtualTime {
    clock: common::Clock,
    sleepers: Mutex<BTreeMap<(i64, u64), oneshot::Sender<()>>>,
    numbers: AtomicI64,
    stop: AtomicBool,
}

impl VirtualTime {
    /// Moves a simulator's clock, which must be virtual, from a thread of its own until the guard is dropped.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub fn start(clock: common::Clock) -> std::io::Result<(Arc<Self>, Running)> {
        let time = Arc::new(Self {
            clock,
            sleepers: Mutex::default(),
            numbers: AtomicI64::new(0),
            stop: AtomicBool::new(false),
        });
        let driven = Arc::clone(&time);
        let thread = std::thread::Builder::new()
            .name("virtual-time".to_owned())
            .spawn(move || driven.drive())?;
        Ok((Arc::clone(&time), Running(time, Some(thread))))
    }

    fn drive(&self) {
        let own = std::fs::read_link("/proc/thread-self").ok();
        let own = own
            .as_deref()
            .and_then(Path::file_name)
            .map(std::ffi::OsStr::to_owned);
        let mut before = None;
        while !self.stop.load(Ordering::Relaxed) {
            let now = quiet(own.as_deref());
            // Twice the same: between the two looks no thread ran, so none can have woken another unseen.
            if now.is_some() && now == before {
                self.go_on();
                before = None;
            } else {
                if now.is_none() {
                    std::thread::sleep(LOOK);
                }
                before = now;
            }
        }
    }

    /// Goes on to the next moment that is waited for.
    fn go_on(&self) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.retain(|_, wake| !wake.is_closed());
        let Some((at, _)) = sleepers.keys().next().copied() else {
            return;
        };
        self.clock.set(at.max(self.clock.now_ms()));
        while let Some(next) = sleepers.first_entry().filter(|next| next.key().0 <= at) {
            // Whoever gave up meanwhile does not mind.
            let _ = next.remove().send(());
        }
    }
}

#[async_trait]
impl Clock for VirtualTime {
    fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    fn steady(&self) -> Duration {
        SystemClock.steady()
    }

    async fn sleep(&self, duration: Duration) {
        let (wake, woken) = oneshot::channel();
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let at = self.now().saturating_add(ms);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed).unsigned_abs();
        self.sleepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((at, number), wake);
        // Only the end of the bench drops the other half.
        let _ = woken.await;
    }
}

/// Virtual time goes on while this lives.
pub struct Running(Arc<VirtualTime>, Option<std::thread::JoinHandle<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            // It only ever returns.
            let _ = thread.join();
        }
    }
}

/// What each other thread of this process has run so far (ns, turns), if none of them runs, is about to, or waits for the disk.
fn quiet(own: Option<&std::ffi::OsStr>) -> Option<Vec<(u64, u64)>> {
    let mut ran = vec![];
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let thread = thread.ok()?;
        if Some(thread.file_name().as_os_str()) == own {
            continue;
        }
        // A thread that has ended meanwhile makes this look void.
        let stat = std::fs::read_to_string(thread.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        if rest.split_whitespace().next() != Some("S") {
            return None;
        }
        let times = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let mut numbers = times.split_whitespace().map(str::parse::<u64>);
        let run = numbers.next()?.ok()?;
        let turns = numbers.nth(1)?.ok()?;
        ran.push((run, turns));
    }
    Some(ran)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn virtual_time_passes_by_waiting_and_not_by_working() {
        let (time, _running) = VirtualTime::start(common::Clock::at(0)).unwrap();
        let worker = tokio::task::spawn_blocking(|| {
            let begun = std::time::Instant::now();
            let mut sum = 0_u64;
            while begun.elapsed() < Duration::from_millis(50) {
                sum = sum.wrapping_mul(31).wrapping_add(7);
            }
            sum
        });
        let waits = (1..=20_u64).map(|n| {
            let time = Arc::clone(&time);
            async move {
                for _ in 0..n {
                    time.sleep(Duration::from_secs(60)).await;
                }
                time.now()
            }
        });
        let ends = futures::future::join_all(waits).await;
        let wanted: Vec<i64> = (1..=20).map(|n| n * 60_000).collect();
        assert_eq!(ends, wanted);
        worker.await.unwrap();
        assert_eq!(time.now(), 20 * 60_000);
    }

    #[tokio::test]
    async fn a_clock_that_does_not_pace_runs_ahead_by_what_was_to_be_waited() {
        let clock = Unpaced::default();
        let (before, begun) = (clock.now(), std::time::Instant::now());
        for _ in 0..100 {
            clock.sleep(Duration::from_secs(30)).await;
        }
        assert!(clock.now() - before >= 3_000_000);
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
