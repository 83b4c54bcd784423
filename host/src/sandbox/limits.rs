//! What one unit may use: the guest's own CPU time, memory, tables; calls of the host, what they carry, and lines of the log.
//!
//! CPU time is measured, not counted in epochs: epochs pass while the guest waits for the host, so counting them would trap
//! a guest that polled a bulk job for an hour. A wrapper around the unit's future notes the thread's CPU time at each poll,
//! and the epoch callback adds the poll in progress.
//!
//! Calls are bounded in three ways, because the host keeps something for each until the unit ends: how many there are, how many
//! bytes they carry in both directions, and how many of them it works on at once. The first two end the unit, the last makes
//! the guest's further calls wait their turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::AtomicWaker;
use wasmtime::ResourceLimiter;

use crate::unit_host::UnitHost;

/// The guest computed longer than it may.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the guest computed for {used:?}")]
pub(super) struct CpuLimit {
    pub(super) used: Duration,
    pub(super) limit: Duration,
}

/// The guest wanted more memory than it may have. Bytes, summed over its memories.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the guest wanted {wanted} bytes of memory; it may have {limit}")]
pub(super) struct MemoryLimit {
    pub(super) wanted: usize,
    pub(super) limit: usize,
}

/// The guest ran into a limit that has no figures of its own.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct HostLimit(pub(super) String);

/// Bounds the sum over all of a guest's memories, and over all of its tables.
#[derive(Debug)]
pub(super) struct Limiter {
    pub(super) memory_limit: usize,
    pub(super) table_limit: usize,
    memory: usize,
    table: usize,
}

impl Limiter {
    pub(super) fn new(memory_limit: usize, table_limit: usize) -> Self {
        Self {
            memory_limit,
            table_limit,
            memory: 0,
            table: 0,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false); // the guest's own maximum: its `memory.grow` answers -1
        }
        let wanted = self.memory.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_limit {
            return Err(MemoryLimit {
                wanted,
                limit: self.memory_limit,
            }
            .into());
        }
        self.memory = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let wanted = self.table.saturating_add(desired.saturating_sub(current));
        if wanted > self.table_limit {
            let text = format!("{wanted} table elements; it may have {}", self.table_limit);
            return Err(HostLimit(text).into());
        }
        self.table = wanted;
        Ok(true)
    }
}

/// What calls of the host may still carry. Shared with the tasks that calls run in.
#[derive(Debug)]
pub(super) struct Carriage {
    limit: u64,
    left: AtomicU64,
}

impl Carriage {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            left: AtomicU64::new(limit),
        }
    }

    /// Takes this many bytes along, or says that it is too much.
    pub(super) fn carry(&self, bytes: usize) -> Result<(), HostLimit> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let left = |left: u64| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left)
            .map(drop)
            .map_err(|_| {
                HostLimit(format!(
                    "requests and answers of one unit with more than {} bytes together",
                    self.limit
                ))
            })
    }
}

/// Longest line that a guest may log, bytes; the rest of it is cut.
const LINE: usize = 1 << 10;

/// What a guest may log: so many bytes, then one line that says so, then nothing.
#[derive(Debug)]
pub(super) struct LogQuota {
    left: usize,
    said: bool,
}

impl LogQuota {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            left: limit,
            said: false,
        }
    }

    /// The line as it may be logged: short, and with its control characters spelled out, so that it cannot pass for a line of
    /// the host's or steer a terminal.
    pub(super) fn line(&mut self, message: &str) -> Option<String> {
        if self.said {
            return None;
        }
        let end = message.floor_char_boundary(LINE);
        let mut line = String::with_capacity(end);
        for c in message.get(..end).unwrap_or_default().chars() {
            if c.is_control() {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
        if end < message.len() {
            line.push('…');
        }
        let line = masked(&line);
        if let Some(left) = self.left.checked_sub(line.len()) {
            self.left = left;
            return Some(line);
        }
        self.said = true;
        Some("the connector logs too much; the rest of this unit is left out".to_owned())
    }
}

/// Words after which a secret stands, in lower case.
const BEFORE_SECRETS: [&str; 9] = [
    "bearer", "basic", "token", "secret", "password", "passwd", "api_key", "api-key", "apikey",
];
/// A value that is shorter is no secret: `token expired`, `secret: none`.
const SECRET: usize = 12;

/// A line with what looks like a secret left out. A guest has none of the host's, but its platform may tell it one.
fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some(rest) = lower.get(at..) {
        let found = BEFORE_SECRETS
            .iter()
            .filter_map(|word| Some((rest.find(word)?, word.len())))
            .min();
        let Some((place, length)) = found else {
            break;
        };
        let after = rest.get(place + length..).unwrap_or_default();
        let value = after.trim_start_matches([' ', ':', '=', '"', '\'', '\\', '_', '-']);
        let begin = at + place + length + (after.len() - value.len());
        let secret =
            |c: char| !(c.is_whitespace() || ['"', '\'', ',', ';', '&', '\\', '}'].contains(&c));
        let end = begin + value.find(|c| !secret(c)).unwrap_or(value.len());
        out.push_str(line.get(at..begin).unwrap_or_default());
        if end - begin >= SECRET {
            out.push_str("[left out]");
            at = end;
        } else {
            at = begin;
        }
    }
    out.push_str(line.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
#[test]
fn what_looks_like_a_secret_is_left_out_of_a_line() {
    for (line, said) in [
        (
            "Authorization: Bearer abcdefghijklmno, page 2",
            "Authorization: Bearer [left out], page 2",
        ),
        (
            r#"{"access_token":"eyJhbGciOiJIUzI1NiJ9.x.y","id":"c3"}"#,
            r#"{"access_token":"[left out]","id":"c3"}"#,
        ),
        (
            "GET /x?api_key=0123456789abcdef&page=2 PASSWORD=hunter2hunter2",
            "GET /x?api_key=[left out]&page=2 PASSWORD=[left out]",
        ),
        (
            "the token expired; customer 5f3c1b2a9d8e7f6a5b4c3d2e",
            "the token expired; customer 5f3c1b2a9d8e7f6a5b4c3d2e",
        ),
        ("bearer", "bearer"),
        (
            "ünïcödé token: ünïcödésecretö!",
            "ünïcödé token: [left out]",
        ),
    ] {
        assert_eq!(masked(line), said);
    }
}

/// CPU time of the guest, in ns. The unit is polled by one thread at a time, and only that thread reads `started`.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Of polls that ended.
    used: AtomicU64,
    /// The thread's CPU time when the poll in progress began.
    started: AtomicU64,
    /// The guest gave the thread up in the middle of its work: it is pending, but waits for nothing.
    yielded: AtomicBool,
}

impl Meter {
    /// From within a poll of the unit: all of the guest's time so far.
    pub(super) fn used_in_poll(&self) -> Duration {
        let now = thread_cpu_ns().saturating_sub(self.started.load(Ordering::Relaxed));
        Duration::from_nanos(self.used.load(Ordering::Relaxed).saturating_add(now))
    }

    pub(super) fn yielded(&self) {
        self.yielded.store(true, Ordering::Relaxed);
    }

    fn begin(&self) {
        self.yielded.store(false, Ordering::Relaxed);
        self.started.store(thread_cpu_ns(), Ordering::Relaxed);
    }

    /// True if the guest waits for the host.
    fn end(&self) -> bool {
        let used = thread_cpu_ns().saturating_sub(self.started.load(Ordering::Relaxed));
        self.used.fetch_add(used, Ordering::Relaxed);
        !self.yielded.load(Ordering::Relaxed)
    }
}

fn thread_cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (s, ns) = (
        u64::try_from(now.tv_sec).unwrap_or(0),
        u64::try_from(now.tv_nsec).unwrap_or(0),
    );
    s.saturating_mul(1_000_000_000).saturating_add(ns)
}

/// Knows whether some host call is being worked on this instant, or done but not yet handed to the guest. While one is, the
/// guest is not idle, although its future is pending.
#[derive(Debug, Default)]
pub(super) struct Activity {
    busy: AtomicUsize,
    /// The guest was found waiting while a call was busy, so nobody has told the host yet.
    owed: AtomicBool,
    guest: AtomicWaker,
}

/// Held while a host call is worked on, and from its end until the guest has the answer (or gave it up).
#[derive(Debug)]
pub(super) struct Busy(Arc<Activity>);

impl Busy {
    pub(super) fn new(activity: &Arc<Activity>) -> Self {
        activity.busy.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(activity))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
        if self.0.owed.swap(false, Ordering::SeqCst) {
            self.0.guest.wake();
        }
    }
}

/// A unit's future, metered, that tells the host when the guest waits and nothing is on its way to it.
pub(super) struct Metered<F> {
    pub(super) inner: Pin<Box<F>>,
    pub(super) meter: Arc<Meter>,
    pub(super) activity: Arc<Activity>,
    pub(super) host: Arc<dyn UnitHost>,
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.activity.guest.register(cx.waker());
        self.meter.begin();
        let poll = self.inner.as_mut().poll(cx);
        let waits = self.meter.end();
        if poll.is_pending() && waits {
            self.activity.owed.store(true, Ordering::SeqCst);
            // Either this sees no call busy, or the last busy one sees the debt and wakes the guest for another look.
            if self.activity.busy.load(Ordering::SeqCst) == 0
                && self.activity.owed.swap(false, Ordering::SeqCst)
            {
                self.host.idle();
            }
        }
        poll
    }
}
