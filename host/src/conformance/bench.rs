//! A project between the connector under test and what stands in for the other end, on a platform of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sqlx::Row as _;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::platform::{Opens, Platform, Wire};
use super::time::TestTime;
use crate::config::{Config, FILE_NAME};
use crate::contract::description::Role;
use crate::error::Error;
use crate::pipeline::model::{
    Events, Notice, RollbackOptions, RollbackReport, RunOptions, RunReport, VerifyOptions,
    VerifyReport, VerifyScope,
};
use crate::pipeline::project::Project;
use crate::pipeline::{Side, propose, rollback, run, verify};
use crate::sandbox::Plugin;

/// When every test begins: 2026-03-02T09:00:00Z.
const BEGINS: i64 = 1_772_442_000_000;
/// A killed process that got nowhere so often never will.
const MOST_KILLS: u64 = 2_000;
/// How often, and how long after each other, runs are started again for what is not settled.
const SETTLING: u32 = 3;
const LATER_MS: i64 = 3 * 60 * 60 * 1000;
/// The connections' names.
const OLD: &str = "old";
const NEW: &str = "new";

/// What all benches of a test share.
#[derive(Clone)]
pub(super) struct Subject {
    /// The connector under test.
    pub plugin: Plugin,
    /// The other end.
    pub other: Plugin,
    /// Makes platforms.
    pub opens: Opens,
    /// Whether every request has its turn.
    pub thorough: bool,
    /// What the plan asked a person, answered as it proposes; and the dangers it names.
    pub answers: Arc<Mutex<Answers>>,
}

/// What is found out once.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    /// The text of `migration.toml`, with its mapping.
    pub migration: Option<String>,
    /// Codes of dangers.
    pub dangers: Vec<String>,
}

impl Subject {
    fn role(&self) -> Role {
        self.plugin.description().role
    }

    pub fn answers(&self) -> Answers {
        let answers = self.answers.lock();
        answers.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One of them. Clones are the same one.
#[derive(Clone)]
pub(super) struct Bench {
    subject: Subject,
    dir: PathBuf,
    _temp: Arc<TempDir>,
    pub time: TestTime,
    pub platform: Arc<dyn Platform>,
    pub wire: Wire,
}

/// Nobody is told anything.
#[derive(Debug, Clone, Copy)]
pub(super) struct Silent;

impl Events for Silent {
    fn phase(&self, _: &str) {}
    fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
    fn paused(&self, _: &str, _: Option<&str>) {}
    fn notice(&self, _: &Notice) {}
}

/// What a process is killed at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Run,
    Rollback,
}

impl Bench {
    /// A new platform and a new project.
    pub fn open(subject: &Subject) -> Result<Self, Error> {
        Self::with(subject, |_| {})
    }

    /// The same with a secret that is not the account's.
    pub fn with_wrong_secrets(subject: &Subject) -> Result<Self, Error> {
        Self::with(subject, |secrets| {
            for secret in secrets.values_mut() {
                *secret = "not-the-secret-of-this-account".to_owned();
            }
        })
    }

    fn with(
        subject: &Subject,
        change: impl FnOnce(&mut std::collections::BTreeMap<String, String>),
    ) -> Result<Self, Error> {
        // In memory where the machine has such a folder: what is killed here loses nothing it has written.
        let temp = match tempfile::tempdir_in("/dev/shm") {
            Ok(temp) => temp,
            Err(_) => {
                tempfile::tempdir().map_err(|e| Error::io("make", "a temporary folder", e))?
            }
        };
        let time = TestTime::at(BEGINS);
        let platform = (subject.opens)(&time);
        let mut account = platform.account();
        change(&mut account.secrets);
        let dir = temp.path().to_owned();
        for (name, secret) in &account.secrets {
            private(&dir.join(format!("{name}.secret")), secret)?;
        }
        let text = match subject.answers().migration {
            Some(text) => text,
            None => migration(subject, account.settings, account.secrets.keys())?,
        };
        let path = dir.join(FILE_NAME);
        std::fs::write(&path, text).map_err(|e| Error::io("write", &path, e))?;
        Ok(Self {
            subject: subject.clone(),
            dir,
            _temp: Arc::new(temp),
            wire: Wire::new(Arc::clone(&platform), time.clone(), !subject.thorough),
            time,
            platform,
        })
    }

    /// Opens the project.
    pub async fn project(&self) -> Result<Project, Error> {
        let config = Config::load(&self.dir.join(FILE_NAME))?;
        let (wire, time) = (Arc::new(self.wire.clone()), Arc::new(self.time.clone()));
        let mut project = Project::open_with(&self.dir, config, Some(wire), time).await?;
        let (old, new) = match self.subject.role() {
            Role::Source => (&self.subject.plugin, &self.subject.other),
            Role::Destination => (&self.subject.other, &self.subject.plugin),
        };
        project.given.insert(OLD.into(), old.clone());
        project.given.insert(NEW.into(), new.clone());
        Ok(project)
    }

    /// The connection under test, as a run would have it.
    pub async fn side(&self, project: &Project) -> Result<Side, Error> {
        let role = self.subject.role();
        let name = match role {
            Role::Source => OLD,
            Role::Destination => NEW,
        };
        let mut side = project.side(name, role, None).await?;
        let platform = match role {
            Role::Source => side.description().name.clone(),
            Role::Destination => self.subject.other.description().name.clone(),
        };
        side.context.platform = platform;
        side.context.organisation = "history".into();
        Ok(side)
    }

    /// Answers what a plan asks with what it proposes, and remembers that for all benches. What the plan cannot go on with.
    pub async fn answer_the_plan(&self) -> Result<Vec<String>, Error> {
        let mut project = self.project().await?;
        let plan = Box::pin(propose(&mut project, true, &Silent)).await?.plan;
        let path = self.dir.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, e))?;
        let dangers = plan.dangers.into_iter().map(|danger| danger.notice.code);
        let answers = Answers {
            migration: Some(text),
            dangers: dangers.collect(),
        };
        *self
            .subject
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = answers;
        Ok(plan.errors)
    }

    fn options(&self) -> RunOptions {
        RunOptions {
            yes: true,
            accept_dangers: self.subject.answers().dangers,
            ..RunOptions::default()
        }
    }

    /// Runs to the end; how many boundaries it passed.
    pub async fn run(&self) -> Result<(RunReport, u64), Error> {
        let mut project = self.project().await?;
        let passed = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&passed);
        project.boundary = Some(Arc::new(move |_| {
            counting.fetch_add(1, Ordering::SeqCst);
            Box::pin(async {})
        }));
        let report = Box::pin(run(&project, self.options(), &Silent)).await?;
        Ok((report, passed.load(Ordering::SeqCst)))
    }

    /// As [`Bench::run`]; what is not settled then is looked up in further runs, each some hours later.
    pub async fn run_until_settled(&self) -> Result<RunReport, Error> {
        let (mut report, _) = self.run().await?;
        for _ in 0..SETTLING {
            if report.total.unsettled == 0 {
                break;
            }
            self.time.pass(LATER_MS);
            report = self.run().await?.0;
        }
        Ok(report)
    }

    /// Reads everything back.
    pub async fn verify(&self) -> Result<VerifyReport, Error> {
        let project = self.project().await?;
        let options = VerifyOptions {
            scope: VerifyScope::All,
            ..VerifyOptions::default()
        };
        Box::pin(verify(&project, options, &Silent)).await
    }

    /// Takes everything back.
    pub async fn rollback(&self) -> Result<RollbackReport, Error> {
        let project = self.project().await?;
        Box::pin(rollback(&project, RollbackOptions::default(), &Silent)).await
    }

    /// What the platform holds; a run's own name is not in it.
    pub fn held(&self, run: &str) -> Option<Value> {
        let text = self.platform.held()?.to_string();
        let text = match run.is_empty() {
            true => text,
            false => text.replace(run, "RUN"),
        };
        serde_json::from_str(&text).ok().map(sorted)
    }

    /// What was staged: kind, id and the record. How a file is opened again is the connector's own note, and may perish.
    pub async fn staged(&self) -> Result<Vec<(String, String, Value)>, Error> {
        let project = self.project().await?;
        let sql = "SELECT kind, id, payload FROM staged ORDER BY kind, id";
        let rows = project.store.rows(sql, vec![]).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            let mut record: Value = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
            if let Some(file) = record
                .pointer_mut("/data/Attachment")
                .and_then(Value::as_object_mut)
            {
                file.remove("locator");
            }
            Ok((row.try_get("kind")?, row.try_get("id")?, record))
        };
        rows.iter().map(row).collect()
    }

    /// A staged record as it is stored.
    pub async fn record(&self, kind: &str, id: &str) -> Result<Option<Value>, Error> {
        let project = self.project().await?;
        let sql = "SELECT payload FROM staged WHERE kind = $1 AND id = $2";
        match project.store.row(sql, vec![kind.into(), id.into()]).await? {
            Some(row) => Ok(serde_json::from_str(&row.try_get::<String, _>("payload")?)?),
            None => Ok(None),
        }
    }

    /// What became of each record: kind, id and status.
    pub async fn outcomes(&self) -> Result<Vec<(String, String, String)>, Error> {
        let project = self.project().await?;
        let sql = "SELECT kind, source_id, status FROM outcomes ORDER BY kind, source_id";
        let rows = project.store.rows(sql, vec![]).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            Ok((
                row.try_get("kind")?,
                row.try_get("source_id")?,
                row.try_get("status")?,
            ))
        };
        rows.iter().map(row).collect()
    }

    /// Why records are not settled, each in a sentence.
    pub async fn unsettled(&self) -> Result<Vec<String>, Error> {
        let project = self.project().await?;
        let sql = "SELECT kind, source_id, coalesce(cause, '') AS cause FROM outcomes WHERE status = 'unsettled' ORDER BY kind, source_id";
        let rows = project.store.rows(sql, vec![]).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("source_id")?);
            let cause: String = row.try_get("cause")?;
            Ok(format!("{kind} {id} is unsettled: {cause}"))
        };
        rows.iter().map(row).collect()
    }

    /// Units that took another way than their journal.
    pub async fn diverged(&self) -> Result<Vec<String>, Error> {
        let project = self.project().await?;
        let sql = "SELECT operation, kind, coalesce(error, '') AS error FROM units \
                   WHERE error LIKE '%another way than its journal%' OR error LIKE '%a replay did not repeat%'";
        let rows = project.store.rows(sql, vec![]).await?;
        let row = |row: &sqlx::sqlite::SqliteRow| {
            let (operation, kind): (String, String) =
                (row.try_get("operation")?, row.try_get("kind")?);
            let error: String = row.try_get("error")?;
            Ok(format!("{operation} of {kind}: {error}"))
        };
        rows.iter().map(row).collect()
    }

    /// Works until the n-th boundary (or request, of a source), and dies there; nothing that was going on is polled again then.
    /// Where it died; `None` when the work ended before.
    async fn dies(&self, work: Work, n: u64) -> Result<Option<String>, Error> {
        let (death, mut dead) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ended, has_ended) = oneshot::channel::<Result<(), Error>>();
        let bench = self.clone();
        if self.subject.role() == Role::Source {
            self.wire.dies_after(n, death.clone());
        }
        // A thread and a runtime of its own: what it spawned dies with it.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(e) => {
                    let _ = ended.send(Err(Error::io("start", "a runtime", e)));
                    return;
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    result = bench.works(work, n, death) => {
                        let _ = ended.send(result);
                    }
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        let place = tokio::select! {
            biased;
            place = dead.recv() => Ok(place),
            result = has_ended => match result {
                Ok(Err(error)) => Err(error),
                _ => Ok(None),
            },
        };
        let _ = stop.send(());
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        self.wire.safe();
        if !matches!(joined, Ok(Ok(()))) {
            return Err(Error::failed("test-died", "the test's own process failed"));
        }
        place
    }

    async fn works(
        &self,
        work: Work,
        n: u64,
        death: mpsc::UnboundedSender<String>,
    ) -> Result<(), Error> {
        let mut project = self.project().await?;
        if self.subject.role() == Role::Destination {
            let (passed, is_dead) = (AtomicU64::new(0), AtomicBool::new(false));
            project.boundary = Some(Arc::new(move |boundary| {
                let dies = is_dead.load(Ordering::SeqCst)
                    || passed.fetch_add(1, Ordering::SeqCst) + 1 >= n;
                if dies && !is_dead.swap(true, Ordering::SeqCst) {
                    let _ = death.send(format!("{boundary:?}"));
                }
                Box::pin(async move {
                    if dies {
                        std::future::pending::<()>().await;
                    }
                })
            }));
        }
        match work {
            Work::Run => Box::pin(run(&project, self.options(), &Silent))
                .await
                .map(drop),
            Work::Rollback => Box::pin(rollback(&project, RollbackOptions::default(), &Silent))
                .await
                .map(drop),
        }
    }

    /// Kills the work again and again, each time a few boundaries further, until one of its processes comes to the end. How often
    /// it was killed.
    pub async fn killed_again_and_again(&self, work: Work, steps: &[u64]) -> Result<u64, Error> {
        let mut kills = 0;
        for step in steps.iter().cycle() {
            if self.dies(work, *step).await?.is_none() {
                return Ok(kills);
            }
            kills += 1;
            if kills > MOST_KILLS {
                break;
            }
        }
        Err(Error::failed(
            "no-progress",
            format!("killed {kills} times, and it gets nowhere"),
        ))
    }
}

/// The text of `migration.toml`.
fn migration<'a>(
    subject: &Subject,
    settings: Map<String, Value>,
    secrets: impl Iterator<Item = &'a String>,
) -> Result<String, Error> {
    let mut connection = Map::new();
    connection.insert(
        "plugin".into(),
        subject.plugin.description().name.clone().into(),
    );
    connection.extend(settings);
    for secret in secrets {
        connection.insert(secret.clone(), format!("file:{secret}.secret").into());
    }
    let other = json!({"plugin": subject.other.description().name});
    let (old, new) = match subject.role() {
        Role::Source => (Value::Object(connection), other),
        Role::Destination => (other, Value::Object(connection)),
    };
    let file = json!({
        "migration": {"from": OLD, "to": NEW, "store": "transload.db", "registry": "registry"},
        "connections": {OLD: old, NEW: new},
        // A history of two customers has half of them rejected when one is.
        "load": {"stop_rule": {"consecutive": 1000, "percent": 100.0}},
        "budget": {"share": 1.0},
    });
    toml_edit::ser::to_string_pretty(&file).map_err(|e| {
        Error::input(
            "settings",
            "the settings of the mock cannot be written as TOML",
        )
        .with_source(e)
    })
}

fn private(path: &std::path::Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| Error::io("write", path, e))
}

/// Lists in one order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(sorted).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, sorted(value)))
            .collect(),
        other => other,
    }
}

/// How a line says that something is there besides.
pub(super) const TOO_MANY: &str = "too many";

/// Where two values differ, each in a line.
pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut out = Vec::new();
    compare("", wanted, found, &mut out);
    out
}

fn compare(at: &str, wanted: &Value, found: &Value, out: &mut Vec<String>) {
    let short = |value: &Value| -> String { value.to_string().chars().take(160).collect() };
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let at = format!("{at}/{key}");
                match found.get(key) {
                    Some(other) => compare(&at, value, other, out),
                    None => out.push(format!("{at}: missing, it was {}", short(value))),
                }
            }
            for (key, value) in found.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                out.push(format!("{at}/{key}: {TOO_MANY} {}", short(value)));
            }
        }
        (Value::Array(wanted), Value::Array(found)) => {
            let mut rest: Vec<&Value> = found.iter().collect();
            for value in wanted {
                match rest.iter().position(|other| *other == value) {
                    Some(place) => drop(rest.remove(place)),
                    None => out.push(format!("{at}: missing {}", short(value))),
                }
            }
            out.extend(
                rest.iter()
                    .map(|value| format!("{at}: {TOO_MANY} {}", short(value))),
            );
        }
        (wanted, found) if wanted == found => {}
        (wanted, found) => out.push(format!("{at}: {} became {}", short(wanted), short(found))),
    }
}

/// Whether a value has all that is wanted of it.
pub(super) fn has(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            let mut all = wanted.iter();
            all.all(|(key, value)| found.get(key).is_some_and(|found| has(value, found)))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(a, b)| has(a, b))
        }
        (wanted, found) => wanted == found,
    }
}
