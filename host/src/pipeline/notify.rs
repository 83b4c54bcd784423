//! Telling a person who is elsewhere: `[notify] command` on pause, stop and end (rule M-10).
//!
//! Policy: the command gets what happened, the run's id and one sentence, in its environment, and no secret: variables that
//! hold a connection's are taken out. A sentence holds no content of a record. Nothing waits for the command but the end of
//! the run, and that not for long; one that fails is a warning, never the run's failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use super::model::{Notice, Severity};
use crate::config::Config;
use crate::error::Error;
use crate::report::clean;

/// How long a command may take: a mail or a web hook takes seconds, and the end of a run must not hang on either. Real time,
/// because the command lives in it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a person is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A connection waits for something outside.
    Pause,
    /// The run has stopped with something left to do.
    Stop,
    /// The run is complete.
    End,
}

impl Happening {
    fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::End => "end",
        }
    }
}

/// Tells of one run.
pub struct Notifier {
    command: Option<String>,
    dir: PathBuf,
    run: String,
    /// Variables that hold secrets.
    secrets: Vec<String>,
    patience: Duration,
    told: Mutex<JoinSet<Option<Notice>>>,
}

impl Notifier {
    /// By the user's `[notify]`; commands run in the project's folder.
    #[must_use]
    pub fn new(config: &Config, dir: &Path, run: &str) -> Self {
        let secrets = config
            .connections
            .values()
            .flat_map(|connection| connection.settings.values())
            .filter_map(|value| value.as_str()?.strip_prefix("env:"))
            .map(str::to_owned)
            .collect();
        Self {
            command: config.notify.command.clone(),
            dir: dir.to_owned(),
            run: run.to_owned(),
            secrets,
            patience: PATIENCE,
            told: Mutex::default(),
        }
    }

    /// Starts the command, if there is one, and does not wait for it.
    pub fn tell(&self, what: Happening, sentence: &str) {
        let Some(text) = &self.command else {
            return;
        };
        let mut command = tokio::process::Command::new("sh");
        command
            .arg("-c")
            .arg(text)
            .current_dir(&self.dir)
            .env("TRANSLOAD_EVENT", what.word())
            .env("TRANSLOAD_RUN", &self.run)
            .env("TRANSLOAD_MESSAGE", clean(sentence))
            .stdin(Stdio::null())
            // Standard output carries the answer of `transload` and nothing else.
            .stdout(Stdio::null())
            .kill_on_drop(true);
        for name in &self.secrets {
            command.env_remove(name);
        }
        let patience = self.patience;
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .spawn(async move {
                let problem = match tokio::time::timeout(patience, command.status()).await {
                    Ok(Ok(status)) if status.success() => return None,
                    Ok(Ok(status)) => format!("ended with {status}"),
                    Ok(Err(error)) => format!("did not start: {error}"),
                    Err(_) => format!("was stopped after {} s", patience.as_secs()),
                };
                Some(Notice {
                    from: "notify".into(),
                    code: "notify-failed".into(),
                    severity: Severity::Caution,
                    message: format!(
                        "the command of [notify], told of {:?}, {problem}",
                        what.word()
                    ),
                    remedy: Some("run it by hand in the project's folder".into()),
                })
            });
    }

    /// Waits for the commands that are still running; returns what went wrong.
    pub async fn finish(&self) -> Vec<Notice> {
        let mut told =
            std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        let mut problems = vec![];
        while let Some(ended) = told.join_next().await {
            problems.extend(ended.ok().flatten());
        }
        problems
    }
}

/// Why a run stopped, in one sentence without anything out of a record: what a connector or a platform said may be in an
/// error, so of those only the kind is told.
#[must_use]
pub fn stopped_words(error: &Error) -> String {
    match error {
        Error::Config(_) | Error::Io { .. } | Error::Interrupted => {
            format!("the run stopped: {error}")
        }
        error if error.code() == "store" => format!("the run stopped: {error}"),
        error => format!(
            "the run stopped ({}): `transload status` says why",
            error.code()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures;
    use super::*;

    /// What the command said of an event, and what went wrong.
    async fn told(command: &str, what: Happening, sentence: &str) -> (String, Vec<Notice>) {
        let dir = tempfile::tempdir().unwrap();
        // A variable that every test has; here it stands for a secret.
        let config = fixtures::config(&format!(
            "[notify]\ncommand = {}\n[connections.third]\nplugin = \"p\"\ntoken = \"env:HOME\"",
            serde_json::Value::from(command)
        ));
        let notifier = Notifier::new(&config, dir.path(), "r1");
        notifier.tell(what, sentence);
        let problems = notifier.finish().await;
        let said = std::fs::read_to_string(dir.path().join("said")).unwrap_or_default();
        (said, problems)
    }

    #[tokio::test]
    async fn the_command_learns_what_happened_and_no_secret() {
        let command = "echo \"$TRANSLOAD_EVENT|$TRANSLOAD_RUN|$TRANSLOAD_MESSAGE|${HOME-none}\" > said; echo loud";
        assert!(std::env::var_os("HOME").is_some());
        for (what, word) in [
            (Happening::Pause, "pause"),
            (Happening::Stop, "stop"),
            (Happening::End, "end"),
        ] {
            let (said, problems) = told(command, what, "new waits: \u{1b}[2J$(id)\0").await;
            assert_eq!(
                said,
                format!("{word}|r1|new waits: \\u{{1b}}[2J$(id)\\u{{0}}|none\n")
            );
            assert_eq!(problems, []);
        }
    }

    #[tokio::test]
    async fn a_command_that_fails_is_a_warning() {
        let (_, problems) = told("exit 3", Happening::End, "x").await;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].severity, Severity::Caution);
        assert!(
            problems[0].message.contains("exit status: 3"),
            "{problems:?}"
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let config = fixtures::config("[notify]\ncommand = \"exec sleep 600\"");
        let notifier = Notifier {
            patience: Duration::from_millis(50),
            ..Notifier::new(&config, dir.path(), "r1")
        };
        notifier.tell(Happening::Stop, "x");
        let problems = notifier.finish().await;
        assert!(
            problems[0].message.contains("was stopped after"),
            "{problems:?}"
        );
    }

    #[tokio::test]
    async fn without_a_command_nobody_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let notifier = Notifier::new(&fixtures::config(""), dir.path(), "r1");
        notifier.tell(Happening::End, "x");
        assert_eq!(notifier.finish().await, []);
    }

    #[test]
    fn what_a_platform_said_of_a_record_is_not_passed_on() {
        for error in [
            Error::failed("stop-rule", "20 records were rejected: \"Dear Ana …\""),
            Error::input("invalid", "new could not be read: Ana's name"),
        ] {
            let words = stopped_words(&error);
            assert!(
                words.contains(error.code()) && !words.contains("Ana"),
                "{words}"
            );
        }
        let error = Error::environment("store", "the store failed: no space left");
        assert!(stopped_words(&error).contains("no space left"));
    }
}
