//! What came of a test: the file that is stored beside a connector's version.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::rules::{self, Level};
use crate::contract::description::{Description, Role};
use crate::error::Error;

/// The format's version.
pub const FORMAT: u32 = 1;

/// What came of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It is broken.
    Failed,
    /// It was not tested, and somebody said why.
    Skipped,
    /// It could not be tested, because something before it failed.
    NotTested,
}

/// One rule's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// As the spec numbers it.
    pub rule: String,
    /// How much it binds.
    pub level: Level,
    /// In a few words.
    pub title: String,
    /// What came of it.
    pub result: Verdict,
    /// Of a skip: why. Of what was not tested: what was in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a failure: what was found, each in a sentence. Of a success: what was tested, where that says something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// The whole result, as it is written to `<name>-<version>.conformance.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conformance {
    /// [`FORMAT`].
    pub format: u32,
    /// The connector.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `source` or `destination`.
    pub role: String,
    /// sha-256 of the component that was tested, hex.
    pub sha256: String,
    /// The contract of the host that tested.
    pub contract: String,
    /// The host that tested, with its version.
    pub tested_by: String,
    /// What it was tested against.
    pub against: String,
    /// When, ms since 1970.
    pub at: i64,
    /// Whether every boundary and request had its turn, or some of them.
    pub thorough: bool,
    /// No rule that binds as MUST is broken, and all were tested or skipped with a reason.
    pub passed: bool,
    /// Rule by rule.
    pub checks: Vec<Checked>,
}

impl Conformance {
    /// The file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.conformance.json", self.name, self.version)
    }

    /// Writes the file into a folder.
    ///
    /// # Errors
    /// A folder that cannot be written to.
    pub fn write(&self, dir: &Path) -> Result<PathBuf, Error> {
        let path = dir.join(self.file_name());
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(&path, text).map_err(|e| Error::io("write", &path, e))?;
        Ok(path)
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// `conformance-file` for one that is none, or of another format.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
        let bad = |why: String| {
            Error::input("conformance-file", why)
                .about(path.display())
                .with_hint("make it with `transload plugin test`")
        };
        let read: Self = serde_json::from_str(&text)
            .map_err(|e| bad(format!("it is no result of a conformance test: {e}")))?;
        if read.format != FORMAT {
            return Err(bad(format!(
                "it has format {}, and this program knows {FORMAT}",
                read.format
            )));
        }
        Ok(read)
    }

    /// As many of the rules as ended so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|c| c.result == verdict).count()
    }

    /// For a person.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!(
            "{} {} ({}) against {}\n  sha256:{}\n\n",
            self.name, self.version, self.role, self.against, self.sha256
        );
        for check in &self.checks {
            let sign = match (check.result, check.level) {
                (Verdict::Passed, _) => "✓",
                (Verdict::Failed, Level::Must) => "✗",
                (Verdict::Failed, Level::Should) => "!",
                (Verdict::Skipped | Verdict::NotTested, _) => "·",
            };
            // Writing into a String cannot fail.
            let _ = write!(out, "{sign} {:<5} {}", check.rule, check.title);
            if let Some(reason) = &check.reason {
                let word = match check.result {
                    Verdict::Skipped => "skipped",
                    _ => "not tested",
                };
                let _ = write!(out, " ({word}: {reason})");
            }
            out.push('\n');
            if check.result == Verdict::Failed {
                for detail in &check.details {
                    for (n, line) in detail.lines().enumerate() {
                        let lead = if n == 0 { "- " } else { "  " };
                        let _ = writeln!(out, "        {lead}{}", crate::report::clean(line));
                    }
                }
            }
        }
        let (failed, skipped) = (self.count(Verdict::Failed), self.count(Verdict::Skipped));
        let _ = write!(out, "\n{} passed", self.count(Verdict::Passed));
        for (count, word) in [
            (failed, "failed"),
            (skipped, "skipped"),
            (self.count(Verdict::NotTested), "not tested"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {count} {word}");
            }
        }
        out.push('\n');
        out.push_str(match self.passed {
            true => "It conforms.\n",
            false => {
                "It does not conform: docs/connector-spec.md has the rules by their numbers.\n"
            }
        });
        out
    }
}

/// Results as they come in.
#[derive(Debug, Default)]
pub(super) struct Findings {
    checks: Vec<(&'static rules::Rule, Verdict, Vec<String>)>,
}

impl Findings {
    /// What was found wrong with a rule; nothing is a pass. A rule that is found twice is broken if it is once.
    pub fn found(&mut self, rule: &'static rules::Rule, problems: Vec<String>) {
        let verdict = match problems.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed,
        };
        match self.checks.iter_mut().find(|(of, ..)| of.id == rule.id) {
            None => self.checks.push((rule, verdict, problems)),
            Some((_, was, details)) => {
                if verdict == Verdict::Failed {
                    *was = verdict;
                }
                details.extend(problems);
            }
        }
    }

    /// Whether a rule was found to be broken.
    pub fn is_broken(&self, rule: &rules::Rule) -> bool {
        let mut checks = self.checks.iter();
        checks.any(|(of, verdict, _)| of.id == rule.id && *verdict == Verdict::Failed)
    }

    /// All rules that bind the role, in the spec's order.
    pub fn into_result(
        self,
        description: &Description,
        sha256: &str,
        skips: &[(String, String)],
        about: About,
    ) -> Conformance {
        const MANY: usize = 12;
        let bound = rules::ALL.iter().filter(|r| r.binds.role(description.role));
        let checks: Vec<Checked> = bound
            .map(|rule| {
                let skip = skips
                    .iter()
                    .find(|(id, _)| id.eq_ignore_ascii_case(rule.id));
                let found = self.checks.iter().find(|(of, ..)| of.id == rule.id);
                let (result, reason, mut details) = match (skip, found) {
                    (Some((_, why)), _) => (Verdict::Skipped, Some(why.clone()), Vec::new()),
                    (None, Some((_, verdict, details))) => (*verdict, None, details.clone()),
                    (None, None) => {
                        let why = "what comes before it failed".to_owned();
                        (Verdict::NotTested, Some(why), Vec::new())
                    }
                };
                if details.len() > MANY {
                    let more = details.len() - MANY;
                    details.truncate(MANY);
                    details.push(format!("and {more} more"));
                }
                Checked {
                    rule: rule.id.to_owned(),
                    level: rule.level,
                    title: rule.title.to_owned(),
                    result,
                    reason,
                    details,
                }
            })
            .collect();
        let stands = |check: &Checked| {
            check.level == Level::Should
                || matches!(check.result, Verdict::Passed | Verdict::Skipped)
        };
        Conformance {
            format: FORMAT,
            name: description.name.clone(),
            version: description.version.clone(),
            role: match description.role {
                Role::Source => "source",
                Role::Destination => "destination",
            }
            .to_owned(),
            sha256: sha256.to_owned(),
            contract: crate::sandbox::CONTRACT.to_string(),
            tested_by: concat!("transload ", env!("CARGO_PKG_VERSION")).to_owned(),
            against: about.against,
            at: about.at,
            thorough: about.thorough,
            passed: checks.iter().all(stands),
            checks,
        }
    }
}

/// How it was tested.
pub(super) struct About {
    pub against: String,
    pub at: i64,
    pub thorough: bool,
}
