//! Every request and its answer, for assertions and contract checks.
//!
//! JSON and text bodies are kept whole up to a limit; other bodies (files) are only measured by their
//! `Content-Length`. Credentials are never kept. The number of records is capped, oldest dropped first, as are the bytes of
//! all bodies together, and the whole recorder can be turned off for benches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use bytes::Bytes;

const DEFAULT_CAP: usize = 100_000;
/// Bodies longer than this are kept only as their length.
pub(crate) const BODY_CAP: usize = 16 * 1024 * 1024;

/// Bytes of all bodies together; beyond, the oldest bodies are kept only as their length.
const BYTES_CAP: usize = 512 * 1024 * 1024;

/// A body as far as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedBody {
    /// The bytes, if the body was JSON or text, not too long and not too long ago.
    pub bytes: Option<Bytes>,
    /// Its length where known.
    pub length: Option<u64>,
}

impl RecordedBody {
    /// The body as JSON, if it was kept and is JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(self.bytes.as_ref()?).ok()
    }
}

/// An answer as the client saw it.
#[derive(Clone, Debug)]
pub struct RecordedAnswer {
    /// The status.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: RecordedBody,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Counts from 1 over the life of the simulator.
    pub number: u64,
    /// When it came, by the simulator's clock.
    pub at_ms: i64,
    /// The method.
    pub method: String,
    /// The path without the query, as sent.
    pub path: String,
    /// The raw query without `?`, empty if none.
    pub query: String,
    /// Header names in lower case, and values; credentials are replaced by `[redacted]`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: RecordedBody,
    /// The answer; `None` when the connection was cut instead.
    pub answer: Option<RecordedAnswer>,
    /// The fault that was played on this request, as its rule reads.
    pub fault: Option<String>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<Record>,
    /// Of all bodies.
    bytes: usize,
    /// How many of the oldest records have lost their bodies.
    stripped: usize,
}

impl Kept {
    fn push(&mut self, record: Record, cap: usize, bytes_cap: usize) {
        while self.records.len() >= cap {
            let Some(old) = self.records.pop_front() else {
                break;
            };
            self.bytes -= size(&old);
            self.stripped = self.stripped.saturating_sub(1);
        }
        self.bytes += size(&record);
        self.records.push_back(record);
        while self.bytes > bytes_cap {
            let Some(old) = self.records.get_mut(self.stripped) else {
                break;
            };
            self.bytes -= size(old);
            old.body.bytes = None;
            if let Some(answer) = &mut old.answer {
                answer.body.bytes = None;
            }
            self.stripped += 1;
        }
    }
}

/// Bytes that are kept of a request and its answer.
fn size(record: &Record) -> usize {
    let bytes = |body: &RecordedBody| body.bytes.as_ref().map_or(0, Bytes::len);
    let answer = record.answer.as_ref();
    bytes(&record.body) + answer.map_or(0, |answer| bytes(&answer.body))
}

#[derive(Debug)]
struct Inner {
    on: AtomicBool,
    count: AtomicU64,
    cap: usize,
    kept: Mutex<Kept>,
}

/// The list of records; clones share it.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Inner>);

impl Default for Recorder {
    fn default() -> Self {
        Self::with_cap(DEFAULT_CAP)
    }
}

impl Recorder {
    /// A recorder that keeps the last `cap` records.
    pub fn with_cap(cap: usize) -> Self {
        Self(Arc::new(Inner {
            on: AtomicBool::new(true),
            count: AtomicU64::new(0),
            cap,
            kept: Mutex::default(),
        }))
    }

    /// Turns recording on or off. Requests are numbered either way.
    pub fn set_on(&self, on: bool) {
        self.0.on.store(on, Ordering::SeqCst);
    }

    /// Whether requests are recorded.
    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::SeqCst)
    }

    /// How many requests have come so far, recorded or not.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::SeqCst)
    }

    /// All records kept, oldest first.
    pub fn all(&self) -> Vec<Record> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.records.iter().cloned().collect()
    }

    /// Forgets the records; numbering goes on.
    pub fn clear(&self) {
        *self.0.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.0.count.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn push(&self, record: Record) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(record, self.0.cap, BYTES_CAP);
    }
}

/// Header names and values with credentials replaced.
pub(crate) fn redacted(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let secret = matches!(
                name.as_str(),
                "authorization" | "cookie" | "proxy-authorization"
            );
            let value = if secret {
                "[redacted]".to_owned()
            } else {
                String::from_utf8_lossy(value.as_bytes()).into_owned()
            };
            (name.as_str().to_owned(), value)
        })
        .collect()
}

/// Whether a body of this kind is kept: JSON, text and forms are; files are not.
pub(crate) fn keeps(headers: &HeaderMap) -> bool {
    let length = length(headers);
    if length.is_some_and(|length| length > BODY_CAP as u64) {
        return false;
    }
    let Some(kind) = headers.get("content-type").and_then(|v| v.to_str().ok()) else {
        return length == Some(0);
    };
    kind.contains("json") || kind.starts_with("text/") || kind.contains("x-www-form-urlencoded")
}

pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64, body: &'static [u8]) -> Record {
        Record {
            number,
            at_ms: 0,
            method: String::new(),
            path: String::new(),
            query: String::new(),
            headers: Vec::new(),
            body: RecordedBody {
                bytes: Some(Bytes::from_static(body)),
                length: Some(body.len() as u64),
            },
            answer: None,
            fault: None,
        }
    }

    #[test]
    fn the_oldest_bodies_go_before_all_of_them_take_too_much() {
        let mut kept = Kept::default();
        for number in 1..=4 {
            kept.push(record(number, b"four"), 3, 10);
        }
        let left: Vec<(u64, bool)> = kept
            .records
            .iter()
            .map(|record| (record.number, record.body.bytes.is_some()))
            .collect();
        assert_eq!(left, [(2, false), (3, true), (4, true)]);
        assert_eq!((kept.bytes, kept.stripped), (8, 1));
    }
}
