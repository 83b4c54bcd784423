//! Faults on demand: what a network and a vendor can do to one request.
//!
//! A rule says which requests (method, path pattern, which occurrence) and what happens. Rules are tried in order; the
//! first that matches and is due plays, and only one fault plays on a request. Every rule counts the requests that
//! match it. Rules are made in Rust or read from text:
//!
//! ```text
//! POST /api/v2/imports/** #3 drop-after; GET /v1/** %10 status=429,retry-after=2; * ** ~25 delay=200
//! ```
//!
//! | part | forms |
//! | --- | --- |
//! | method | `GET`, `POST`, …, or `*` |
//! | path | segments; `*` is one segment or part of one, `**` any number of segments |
//! | occurrence | `#3` the third, `#3-5` third to fifth, `%10` every tenth, `~25` 25 of a thousand by a fixed draw, `*` all |
//! | action | see [`Action`]; `drop-before`, `drop-after`, `status=503[,retry-after=S]`, `status-after=500`, `delay=MS`, `cut-body`, `garbage`, `apply-late=MS`, `apply-late=MS,status=504` |

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::SimError;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The request is never applied and the connection is cut without an answer.
    DropBefore,
    /// The request is applied and the connection is cut without an answer.
    DropAfter,
    /// The request is refused with this status before it is applied.
    Status {
        /// The status.
        status: u16,
        /// The `Retry-After` header in seconds.
        retry_after_s: Option<u64>,
    },
    /// The request is applied and answered with this status and an error body.
    StatusAfter {
        /// The status.
        status: u16,
    },
    /// The answer comes later: in real time by waiting, in virtual time by moving the clock on.
    Delay {
        /// How much later, in milliseconds.
        ms: u64,
    },
    /// The request is applied; half of the answer's body arrives, then the connection is cut.
    CutBody,
    /// The request is applied; the answer has its status but a body that is not JSON.
    Garbage,
    /// The request is applied only after this time; until then the client has its timeout (`status`) or a cut
    /// connection.
    ApplyLate {
        /// How much later it is applied, in milliseconds.
        ms: u64,
        /// The status answered at once, or `None` for a cut connection.
        status: Option<u16>,
    },
}

/// Which of the matching requests a rule plays on. Counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// Every one.
    All,
    /// The first to the second number, both included.
    Between(u64, u64),
    /// Each whose number is a multiple.
    Every(u64),
    /// So many of a thousand, drawn from the rule and the number, so always the same ones.
    PerMille(u64),
}

/// A pattern for paths, by segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(Vec<String>);

impl PathPattern {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        Self(
            text.trim_matches('/')
                .split('/')
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether the path (without query) matches.
    pub fn matches(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        segments_match(&self.0, &segments)
    }
}

fn segments_match(pattern: &[String], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=path.len()).any(|n| path.get(n..).is_some_and(|tail| segments_match(rest, tail)))
        }
        Some((first, rest)) => match path.split_first() {
            Some((segment, tail)) => segment_matches(first, segment) && segments_match(rest, tail),
            None => false,
        },
    }
}

fn segment_matches(pattern: &str, segment: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == segment,
        Some((head, tail)) => segment.strip_prefix(head).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| rest.get(at..).is_some_and(|end| segment_matches(tail, end)))
        }),
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The method in capitals, or `None` for all.
    pub method: Option<String>,
    /// The paths.
    pub path: PathPattern,
    /// Which of the matching requests.
    pub occurrence: Occurrence,
    /// What happens.
    pub action: Action,
}

impl Fault {
    /// A rule on the `n`-th request of this method and path.
    pub fn nth(method: &str, path: &str, n: u64, action: Action) -> Self {
        Self {
            method: (method != "*").then(|| method.to_ascii_uppercase()),
            path: PathPattern::new(path),
            occurrence: Occurrence::Between(n, n),
            action,
        }
    }

    /// A rule on every request of this method and path.
    pub fn always(method: &str, path: &str, action: Action) -> Self {
        Self {
            occurrence: Occurrence::All,
            ..Self::nth(method, path, 1, action)
        }
    }

    fn is_due(&self, count: u64) -> bool {
        match self.occurrence {
            Occurrence::All => true,
            Occurrence::Between(from, to) => (from..=to).contains(&count),
            Occurrence::Every(n) => n > 0 && count.is_multiple_of(n),
            Occurrence::PerMille(share) => {
                let digest = Sha256::digest(format!("{self} {count}"));
                let draw = digest
                    .iter()
                    .take(4)
                    .fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte));
                draw % 1000 < share
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} /{} ",
            self.method.as_deref().unwrap_or("*"),
            self.path.0.join("/")
        )?;
        match self.occurrence {
            Occurrence::All => f.write_str("*")?,
            Occurrence::Between(a, b) if a == b => write!(f, "#{a}")?,
            Occurrence::Between(a, b) => write!(f, "#{a}-{b}")?,
            Occurrence::Every(n) => write!(f, "%{n}")?,
            Occurrence::PerMille(n) => write!(f, "~{n}")?,
        }
        f.write_str(" ")?;
        match self.action {
            Action::DropBefore => f.write_str("drop-before"),
            Action::DropAfter => f.write_str("drop-after"),
            Action::Status {
                status,
                retry_after_s: None,
            } => write!(f, "status={status}"),
            Action::Status {
                status,
                retry_after_s: Some(s),
            } => {
                write!(f, "status={status},retry-after={s}")
            }
            Action::StatusAfter { status } => write!(f, "status-after={status}"),
            Action::Delay { ms } => write!(f, "delay={ms}"),
            Action::CutBody => f.write_str("cut-body"),
            Action::Garbage => f.write_str("garbage"),
            Action::ApplyLate { ms, status: None } => write!(f, "apply-late={ms}"),
            Action::ApplyLate {
                ms,
                status: Some(status),
            } => {
                write!(f, "apply-late={ms},status={status}")
            }
        }
    }
}

impl FromStr for Fault {
    type Err = SimError;

    fn from_str(rule: &str) -> Result<Self, SimError> {
        let wrong = |reason: &str| SimError::FaultRule {
            rule: rule.trim().to_owned(),
            reason: reason.to_owned(),
        };
        let words: Vec<&str> = rule.split_whitespace().collect();
        let [method, path, occurrence, action] = words.as_slice() else {
            return Err(wrong("expected: METHOD PATH OCCURRENCE ACTION"));
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong("expected a number"));
        let occurrence = if *occurrence == "*" {
            Occurrence::All
        } else if let Some(range) = occurrence.strip_prefix('#') {
            let (from, to) = range.split_once('-').unwrap_or((range, range));
            Occurrence::Between(number(from)?, number(to)?)
        } else if let Some(n) = occurrence.strip_prefix('%') {
            Occurrence::Every(number(n)?)
        } else if let Some(n) = occurrence.strip_prefix('~') {
            Occurrence::PerMille(number(n)?)
        } else {
            return Err(wrong("occurrence is one of #N, #N-M, %N, ~N, *"));
        };
        let mut parts = action
            .split(',')
            .map(|part| part.split_once('=').unwrap_or((part, "")));
        let (name, value) = parts.next().unwrap_or_default();
        let mut extra = |key: &str| -> Result<Option<u64>, SimError> {
            match parts.next() {
                None => Ok(None),
                Some((name, value)) if name == key => number(value).map(Some),
                Some(_) => Err(wrong("unknown option of the action")),
            }
        };
        let status = |value: u64| {
            u16::try_from(value)
                .ok()
                .filter(|status| (100..600).contains(status))
                .ok_or_else(|| wrong("not a status"))
        };
        let action = match name {
            "drop-before" => Action::DropBefore,
            "drop-after" => Action::DropAfter,
            "status" => Action::Status {
                status: status(number(value)?)?,
                retry_after_s: extra("retry-after")?,
            },
            "status-after" => Action::StatusAfter {
                status: status(number(value)?)?,
            },
            "delay" => Action::Delay { ms: number(value)? },
            "cut-body" => Action::CutBody,
            "garbage" => Action::Garbage,
            "apply-late" => Action::ApplyLate {
                ms: number(value)?,
                status: extra("status")?.map(status).transpose()?,
            },
            _ => return Err(wrong("unknown action")),
        };
        Ok(Self {
            method: (*method != "*").then(|| method.to_ascii_uppercase()),
            path: PathPattern::new(path),
            occurrence,
            action,
        })
    }
}

#[derive(Debug)]
struct Counted {
    fault: Fault,
    count: u64,
}

/// The rules in force; clones share them and their counters.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Counted>>>);

impl Faults {
    /// Reads rules separated by `;`; empty ones are passed over.
    pub fn parse(text: &str) -> Result<Vec<Fault>, SimError> {
        text.split(';')
            .filter(|rule| !rule.trim().is_empty())
            .map(Fault::from_str)
            .collect()
    }

    /// Adds a rule after the others.
    pub fn add(&self, fault: Fault) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Counted { fault, count: 0 });
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Counts the request under every rule that matches it and gives the first rule that is due.
    pub fn next(&self, method: &str, path: &str) -> Option<Fault> {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = None;
        for rule in rules.iter_mut() {
            let same_method = rule.fault.method.as_deref().is_none_or(|m| m == method);
            if same_method && rule.fault.path.matches(path) {
                rule.count += 1;
                if due.is_none() && rule.fault.is_due(rule.count) {
                    due = Some(rule.fault.clone());
                }
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        for rule in [
            "POST /api/v2/imports/** #3 drop-after",
            "GET /v1/* %10 status=429,retry-after=2",
            "* /** ~25 delay=200",
            "PUT /a/b*c/d #2-4 apply-late=90000,status=504",
            "DELETE /x * cut-body",
        ] {
            assert_eq!(rule.parse::<Fault>().unwrap().to_string(), rule);
        }
    }

    #[test]
    fn a_wrong_rule_is_refused_with_its_text() {
        for rule in [
            "GET /x",
            "GET /x #a drop-after",
            "GET /x #1 vanish",
            "GET /x #1 status=9",
        ] {
            let error = rule.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
    }

    #[test]
    fn a_pattern_matches_by_segments() {
        let matches = |pattern: &str, path: &str| PathPattern::new(pattern).matches(path);
        assert!(matches("/v1/**", "/v1/a/b"));
        assert!(matches("/v1/**", "/v1"));
        assert!(matches("**", "/anything/at/all"));
        assert!(matches("/v1/*/messages", "/v1/7/messages"));
        assert!(!matches("/v1/*", "/v1/a/b"));
        assert!(matches("/v2/tickets/*.json", "/v2/tickets/12.json"));
        assert!(!matches("/v2/tickets/*.json", "/v2/tickets/12.xml"));
    }

    #[test]
    fn the_third_request_and_only_that_one_meets_the_fault() {
        let faults = Faults::default();
        faults.add(Fault::nth("POST", "/a/**", 3, Action::DropAfter));
        let hits: Vec<bool> = (0..5)
            .map(|_| faults.next("POST", "/a/b").is_some())
            .collect();
        assert_eq!(hits, [false, false, true, false, false]);
        assert!(faults.next("GET", "/a/b").is_none());
    }

    #[test]
    fn drawn_faults_are_the_same_in_every_run_and_about_as_many_as_asked() {
        let run = || {
            let faults = Faults::default();
            faults.add("* /** ~100 cut-body".parse().unwrap());
            (0..1000)
                .map(|_| faults.next("GET", "/x").is_some())
                .collect::<Vec<_>>()
        };
        let first = run();
        assert_eq!(first, run());
        let hits = first.iter().filter(|hit| **hit).count();
        assert!((60..140).contains(&hits), "{hits}");
    }
}
