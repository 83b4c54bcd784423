//! Telling a person who is elsewhere: `[notify]` `command` and `webhook` on pause, stop and end (rule M-10).
//!
//! Policy: both get what happened, the run's id and one sentence, and the web hook the run's sum in numbers. A sentence holds no
//! content of a record. The command gets no secret: variables that hold one are taken out. The web hook's address may be a
//! secret itself, so that no message names it; it is asked once and no redirect is followed. It is the user's own, so any host
//! will do. Nothing waits for either but the end of the run, and that not for long; one that fails is a warning, never the run's
//! failure.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use super::model::{KindSum, Notice, Severity};
use crate::config::Config;
use crate::contract::http::Header;
use crate::error::Error;
use crate::gateway::{OutBody, OutRequest, Piece, ReqwestTransport, SecretSource, Transport};
use crate::report::clean;

/// How long either may take: a mail or a web hook takes seconds, and the end of a run must not hang on them. Real time, because
/// they live in it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a web hook's host may take to be there.
const CONNECTING: Duration = Duration::from_secs(10);

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
    webhook: Option<String>,
    dir: PathBuf,
    run: String,
    /// Variables that hold secrets.
    secrets: Vec<String>,
    patience: Duration,
    transport: Option<Arc<dyn Transport>>,
    told: Mutex<JoinSet<Option<Notice>>>,
}

impl Notifier {
    /// By the user's `[notify]`; commands run in the project's folder, and web hooks are reached by this transport, or by one of
    /// their own.
    #[must_use]
    pub fn new(
        config: &Config,
        dir: &Path,
        run: &str,
        transport: Option<Arc<dyn Transport>>,
    ) -> Self {
        let settings = config
            .connections
            .values()
            .flat_map(|connection| connection.settings.values())
            .filter_map(|value| value.as_str());
        let secrets = settings
            .chain(config.notify.webhook.as_deref())
            .filter_map(|value| value.strip_prefix("env:"))
            .map(str::to_owned)
            .collect();
        Self {
            command: config.notify.command.clone(),
            webhook: config.notify.webhook.clone(),
            dir: dir.to_owned(),
            run: run.to_owned(),
            secrets,
            patience: PATIENCE,
            transport,
            told: Mutex::default(),
        }
    }

    /// Tells whoever is to be told, and does not wait.
    pub fn tell(&self, what: Happening, sentence: &str, sum: Option<&KindSum>) {
        if let Some(text) = &self.command {
            self.start("command", what, command(self, text, what, sentence));
        }
        if let Some(address) = &self.webhook {
            let body = json!({
                "event": what.word(),
                "run": self.run,
                "message": clean(sentence),
                "sum": sum,
            });
            let (address, dir) = (address.clone(), self.dir.clone());
            let transport = self.transport.clone();
            self.start("web hook", what, async move {
                post(&address, &dir, transport, body.to_string()).await
            });
        }
    }

    /// Does it in the background, for as long as there is patience.
    fn start(
        &self,
        which: &'static str,
        what: Happening,
        work: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let patience = self.patience;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.spawn(async move {
            let problem = match tokio::time::timeout(patience, work).await {
                Ok(Ok(())) => return None,
                Ok(Err(problem)) => problem,
                Err(_) => format!("was stopped after {} s", patience.as_secs()),
            };
            Some(Notice {
                from: "notify".into(),
                code: "notify-failed".into(),
                severity: Severity::Caution,
                message: format!(
                    "the {which} of [notify], told of {:?}, {problem}",
                    what.word()
                ),
                remedy: Some("try it by hand in the project's folder".into()),
            })
        });
    }

    /// Waits for what is still going on; returns what went wrong.
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

/// Runs the command; what went wrong with it.
fn command(
    notifier: &Notifier,
    text: &str,
    what: Happening,
    sentence: &str,
) -> impl Future<Output = Result<(), String>> + Send + 'static {
    let mut command = tokio::process::Command::new("sh");
    command
        .arg("-c")
        .arg(text)
        .current_dir(&notifier.dir)
        .env("TRANSLOAD_EVENT", what.word())
        .env("TRANSLOAD_RUN", &notifier.run)
        .env("TRANSLOAD_MESSAGE", clean(sentence))
        .stdin(Stdio::null())
        // Standard output carries the answer of `transload` and nothing else.
        .stdout(Stdio::null())
        .kill_on_drop(true);
    for name in &notifier.secrets {
        command.env_remove(name);
    }
    async move {
        match command.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("ended with {status}")),
            Err(error) => Err(format!("did not start: {error}")),
        }
    }
}

/// Sends the web hook; what went wrong with it, without its address.
async fn post(
    address: &str,
    dir: &Path,
    transport: Option<Arc<dyn Transport>>,
    body: String,
) -> Result<(), String> {
    let address = match address.parse::<SecretSource>() {
        Ok(SecretSource::File(path)) => SecretSource::File(dir.join(path)),
        Ok(source) => source,
        Err(_) => return send(address, transport, body).await,
    };
    let address = address.read("webhook").map_err(|e| e.to_string())?;
    send(address.expose(), transport, body).await
}

async fn send(
    address: &str,
    transport: Option<Arc<dyn Transport>>,
    body: String,
) -> Result<(), String> {
    let url = Url::parse(address).map_err(|_| "has an address that is none".to_owned())?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err("has an address without a host".to_owned());
    };
    let transport = match transport {
        Some(transport) => transport,
        None => {
            Arc::new(ReqwestTransport::new(CONNECTING).map_err(|_| "finds no TLS here".to_owned())?)
        }
    };
    let unreached = |error| format!("was not reached ({error})");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = transport.resolve(host, port).await.map_err(unreached)?;
    let request = OutRequest {
        method: "POST".into(),
        url,
        headers: vec![Header {
            name: "content-type".into(),
            value: "application/json".into(),
        }],
        secret_headers: vec![],
        body: OutBody(vec![Piece::Bytes(body.into())]),
        addresses,
    };
    let answer = transport.round_trip(request).await.map_err(unreached)?;
    match answer.status {
        200..300 => Ok(()),
        status => Err(format!("was answered with {status}")),
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
    use serde_json::Value;

    use super::super::fixtures;
    use super::*;
    use crate::gateway::{FnTransport, InResponse, TransportError};

    /// What the command said of an event, and what went wrong.
    async fn told(command: &str, what: Happening, sentence: &str) -> (String, Vec<Notice>) {
        let dir = tempfile::tempdir().unwrap();
        // A variable that every test has; here it stands for a secret.
        let config = fixtures::config(&format!(
            "[notify]\ncommand = {}\n[connections.third]\nplugin = \"p\"\ntoken = \"env:HOME\"",
            serde_json::Value::from(command)
        ));
        let notifier = Notifier::new(&config, dir.path(), "r1", None);
        notifier.tell(what, sentence, None);
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
            ..Notifier::new(&config, dir.path(), "r1", None)
        };
        notifier.tell(Happening::Stop, "x", None);
        let problems = notifier.finish().await;
        assert!(
            problems[0].message.contains("was stopped after"),
            "{problems:?}"
        );
    }

    #[tokio::test]
    async fn without_a_command_or_a_web_hook_nobody_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let notifier = Notifier::new(&fixtures::config(""), dir.path(), "r1", None);
        notifier.tell(Happening::End, "x", None);
        assert_eq!(notifier.finish().await, []);
    }

    /// What a web hook got, and what went wrong.
    async fn posted(webhook: &str, status: u16) -> (Vec<(String, Value)>, Vec<Notice>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("hook"),
            "https://hooks.example/T0/the-secret\n",
        )
        .unwrap();
        let config = fixtures::config(&format!("[notify]\nwebhook = \"{webhook}\""));
        let got = Arc::new(Mutex::new(vec![]));
        let all = Arc::clone(&got);
        let transport = FnTransport::new(move |request: OutRequest| {
            assert_eq!(request.method, "POST");
            let body = request.body.to_bytes().unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            all.lock().unwrap().push((request.url.to_string(), body));
            async move {
                match status {
                    0 => Err(TransportError::refused()),
                    status => Ok(InResponse::whole(status, &[], "")),
                }
            }
        });
        let transport: Option<Arc<dyn Transport>> = Some(Arc::new(transport));
        let notifier = Notifier::new(&config, dir.path(), "r1", transport);
        let sum = KindSum {
            kind: "all".into(),
            read: 3,
            rejected: 1,
            ..KindSum::default()
        };
        notifier.tell(Happening::Pause, "new waits", None);
        notifier.tell(Happening::End, "the run is complete", Some(&sum));
        let problems = notifier.finish().await;
        let mut got = std::mem::take(&mut *got.lock().unwrap());
        got.sort_by_key(|(_, body)| body["event"].to_string());
        (got, problems)
    }

    #[tokio::test]
    async fn a_web_hook_gets_what_happened_and_the_sum() {
        for (webhook, address) in [
            ("http://10.0.0.7:8080/x", "http://10.0.0.7:8080/x"),
            ("file:hook", "https://hooks.example/T0/the-secret"),
        ] {
            let (got, problems) = posted(webhook, 204).await;
            assert_eq!(problems, []);
            let [(first, end), (second, pause)] = got.as_slice() else {
                panic!("{got:?}");
            };
            assert_eq!((first.as_str(), second.as_str()), (address, address));
            assert_eq!(
                *pause,
                json!({"event": "pause", "run": "r1", "message": "new waits", "sum": null})
            );
            assert_eq!(
                (&end["event"], &end["message"]),
                (&json!("end"), &json!("the run is complete"))
            );
            assert_eq!(
                (&end["sum"]["read"], &end["sum"]["rejected"]),
                (&json!(3), &json!(1))
            );
        }
    }

    #[tokio::test]
    async fn a_web_hook_that_fails_is_a_warning_that_does_not_name_its_address() {
        for (webhook, status, words) in [
            ("file:hook", 500, "was answered with 500"),
            // Nobody is led elsewhere.
            ("file:hook", 302, "was answered with 302"),
            ("file:hook", 0, "was not reached"),
            ("file:nowhere", 204, "the secret webhook cannot be read"),
            ("env:TRANSLOAD_TEST_NOT_SET", 204, "cannot be read"),
        ] {
            let (_, problems) = posted(webhook, status).await;
            assert_eq!(problems.len(), 2, "{webhook} {status}");
            for problem in problems {
                let said = &problem.message;
                assert_eq!(problem.severity, Severity::Caution);
                assert!(said.contains(words) && said.contains("web hook"), "{said}");
                assert!(!said.contains("hooks.example"), "{said}");
            }
        }
    }

    #[tokio::test]
    async fn the_command_does_not_see_a_web_hook_that_is_a_secret() {
        let config = fixtures::config("[notify]\nwebhook = \"env:HOOK\"");
        let notifier = Notifier::new(&config, Path::new("."), "r1", None);
        assert_eq!(notifier.secrets, ["HOOK"]);
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
