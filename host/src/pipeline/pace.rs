//! How much of the rate limits a run may use, while it goes on (rule M-11).
//!
//! `[budget] hours` begin and end at whole minutes, so once a minute is enough; the file is looked at then too, and a changed
//! `[budget]` counts from there on. Nothing else of the file is taken up: the mapping of a run is pinned, and `[budget]` is no
//! part of it. A file that cannot be read at the moment changes nothing, and is said once.

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::model::{Events, Notice, Severity};
use super::side::Side;
use crate::clock::SharedClock;
use crate::config::{Budget, Config, Zone};

/// How often the clock is looked at: a boundary is met at most so much late.
const TICK: Duration = Duration::from_secs(5);
/// How often the file and the hours are.
const MINUTE_MS: i64 = 60_000;

/// The share as it is now.
pub struct Pace {
    path: PathBuf,
    zone: Zone,
    budget: Budget,
    seen: Option<SystemTime>,
    minute: i64,
    share: f64,
}

/// What a look found.
#[derive(Debug, PartialEq)]
pub enum Look {
    /// Nothing new.
    Same,
    /// Another share from now on.
    Share(f64),
    /// The file cannot be read as it is.
    Unreadable(String),
}

impl Pace {
    /// By a file that was read already, at a time.
    #[must_use]
    pub fn new(config: &Config, now: i64) -> Self {
        let zone = config.migration.time_zone;
        let mut pace = Self {
            path: config.path.clone(),
            zone,
            budget: config.budget.clone(),
            seen: None,
            minute: now.div_euclid(MINUTE_MS),
            share: config.budget.share_at(now, zone),
        };
        pace.seen = pace.changed_at();
        pace
    }

    fn changed_at(&self) -> Option<SystemTime> {
        std::fs::metadata(&self.path)
            .and_then(|file| file.modified())
            .ok()
    }

    /// Looks at clock and file, if a new minute has begun.
    pub fn look(&mut self, now: i64) -> Look {
        let minute = now.div_euclid(MINUTE_MS);
        if minute == self.minute {
            return Look::Same;
        }
        self.minute = minute;
        let changed = self.changed_at();
        let mut problem = None;
        if changed != self.seen {
            self.seen = changed;
            match Config::load(&self.path) {
                Ok(config) => self.budget = config.budget,
                Err(error) => problem = Some(error.to_string()),
            }
        }
        if let Some(problem) = problem {
            return Look::Unreadable(problem);
        }
        let share = self.budget.share_at(now, self.zone);
        #[allow(clippy::float_cmp, reason = "the same number, or another one")]
        if share == self.share {
            return Look::Same;
        }
        self.share = share;
        Look::Share(share)
    }
}

/// Sets the connections' share for as long as it is polled.
pub async fn keep(
    mut pace: Pace,
    clock: &SharedClock,
    sides: &[&Side],
    events: &dyn Events,
) -> Infallible {
    loop {
        clock.sleep(TICK).await;
        match pace.look(clock.now()) {
            Look::Same => {}
            Look::Share(share) => {
                tracing::info!(share, "The share of the rate limits has changed.");
                for side in sides {
                    side.gateway.set_budget_share(share);
                }
            }
            Look::Unreadable(problem) => events.notice(&Notice {
                from: "plan".into(),
                code: "budget-unreadable".into(),
                severity: Severity::Caution,
                message: format!("[budget] stays as it was: {problem}"),
                remedy: Some("mend the file; it is read again when it changes".into()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[migration]\nfrom = \"old\"\nto = \"new\"\ntime_zone = \"Europe/Berlin\"\n[connections.old]\n\
                        plugin = \"o\"\n[connections.new]\nplugin = \"n\"\n";

    fn at(text: &str) -> i64 {
        chrono::DateTime::parse_from_rfc3339(text)
            .unwrap()
            .timestamp_millis()
    }

    /// A file that says this of the budget, changed at a time of its own.
    fn write(path: &std::path::Path, budget: &str, changed: u64) {
        std::fs::write(path, format!("{FILE}{budget}\n")).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(changed))
            .unwrap();
    }

    #[test]
    fn the_share_changes_when_its_hours_begin_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("migration.toml");
        write(
            &path,
            "[budget]\nshare = 0.25\nhours = [{ from = \"20:00\", to = \"06:00\", share = 0.9 }]",
            1,
        );
        let config = Config::load(&path).unwrap();
        let mut pace = Pace::new(&config, at("2024-07-05T19:58:30+02:00"));
        assert_eq!(pace.look(at("2024-07-05T19:59:59+02:00")), Look::Same);
        assert_eq!(pace.look(at("2024-07-05T20:00:04+02:00")), Look::Share(0.9));
        assert_eq!(pace.look(at("2024-07-05T20:00:59+02:00")), Look::Same);
        assert_eq!(pace.look(at("2024-07-06T05:59:59+02:00")), Look::Same);
        assert_eq!(
            pace.look(at("2024-07-06T06:00:00+02:00")),
            Look::Share(0.25)
        );
    }

    #[test]
    fn a_changed_budget_counts_from_the_next_minute_and_a_broken_file_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("migration.toml");
        write(&path, "[budget]\nshare = 0.25", 1);
        let config = Config::load(&path).unwrap();
        let mut pace = Pace::new(&config, 0);
        write(&path, "[budget]\nshare = 0.5", 2);
        assert_eq!(pace.look(59_999), Look::Same);
        assert_eq!(pace.look(60_000), Look::Share(0.5));
        assert_eq!(config.digest(), Config::load(&path).unwrap().digest());

        write(&path, "[budget]\nshare = = 1", 3);
        let Look::Unreadable(problem) = pace.look(120_000) else {
            panic!("a broken file was read");
        };
        assert!(problem.contains("migration.toml:10"), "{problem}");
        // Said once, and the share stays.
        assert_eq!(pace.look(180_000), Look::Same);
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(pace.look(240_000), Look::Unreadable(_)));
        assert_eq!(pace.look(300_000), Look::Same);
        write(&path, "[budget]\nshare = 1.0", 4);
        assert_eq!(pace.look(360_000), Look::Share(1.0));
    }
}
