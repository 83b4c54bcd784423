//! Connectors that misbehave, in the real host, between two small desks: each misdeed is contained and reported, and the run
//! goes on or stops cleanly (invariants I-2, I-3, I-5, I-7, I-10, I-11).
//!
//! The connectors are in `tests/hostile`; `cargo xtask plugins` builds them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

pub mod desk;
mod python;
mod refused;

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use desk::{Desk, Made, Seen};
use serde_json::{Value, json};
use tempfile::TempDir;
use transload_e2e::Silent;
use transload_e2e::lab::{add_package, binary, plugin_bytes, target_dir};
use transload_host::blobs::Builder;
use transload_host::clock::SystemClock;
use transload_host::config::Config;
use transload_host::contract::description::Role;
use transload_host::contract::session::Context;
use transload_host::contract::{http, ledger, runtime, types};
use transload_host::error::Error;
use transload_host::pipeline::model::{Plan, RollbackOptions, RunOptions, RunReport, RunState};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{plan, rollback, run};
use transload_host::sandbox::{Sandbox, SandboxConfig, UnitError, digest};
use transload_host::unit::Boundary;
use transload_host::unit_host::{UnitAbort, UnitHost};
use transload_registry::Registry;

/// The secrets, which must be nowhere but in their files and in the requests.
const SOURCE_TOKEN: &str = "the-secret-of-the-source-5be1c0";
const DESTINATION_TOKEN: &str = "the-secret-of-the-destination-9d04f7";
/// Bytes that no unit of these tests is given.
const FOREIGN: &[u8] = b"somebody else's file";
/// The version that the connectors are built as, and the one that the tests make of it.
const BUILT: &str = "7.1.0";
const LATER: &str = "7.2.0";

/// Two desks and a project between them.
struct Stage {
    temp: TempDir,
    source: Desk,
    destination: Desk,
    /// Somebody whom nobody may reach: a listener on loopback.
    victim: TcpListener,
    /// Settings of the connections, beyond what they need.
    settings: [Value; 2],
    /// Which of the hostile destinations it is.
    writes: &'static str,
}

impl Stage {
    async fn new(customers: usize) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let source = Desk::start("source", SOURCE_TOKEN, customers).await;
        let destination = Desk::start("destination", DESTINATION_TOKEN, 0).await;
        let victim = TcpListener::bind("127.0.0.1:0").unwrap();
        victim.set_nonblocking(true).unwrap();
        let elsewhere = format!("http://{}/latest/meta-data", victim.local_addr().unwrap());
        for desk in [&source, &destination] {
            desk.redirect_to(&elsewhere);
        }
        let stage = Self {
            temp,
            source,
            destination,
            victim,
            settings: [json!({}), json!({})],
            writes: "hostile-destination",
        };
        std::fs::create_dir(stage.dir()).unwrap();
        stage.private("source.token", SOURCE_TOKEN);
        stage.private("destination.token", DESTINATION_TOKEN);
        let registry = Registry::open(stage.dir().join("registry")).unwrap();
        for name in ["hostile-source", "hostile-destination"] {
            add_package(&registry, plugin_bytes(name).unwrap())
                .await
                .unwrap();
        }
        let state = stage.dir().join(".transload");
        std::fs::create_dir(&state).unwrap();
        let cache = target_dir().join("e2e-cache");
        std::os::unix::fs::symlink(cache, state.join("cache")).unwrap();
        stage
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("project")
    }

    fn private(&self, name: &str, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(self.dir().join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn elsewhere(&self) -> String {
        format!("https://{}/", self.victim.local_addr().unwrap())
    }

    /// What the source is told to do, in which call.
    fn source_does(&mut self, misdeed: &str, at: &str) {
        self.settings[0] = json!({"misdeed": misdeed, "at": at, "address": self.elsewhere()});
    }

    /// What the destination is told to do, in which call, for which record.
    fn destination_does(&mut self, misdeed: &str, at: &str, only: Option<&str>) {
        let address = match misdeed {
            "foreign-blob" | "send-foreign-blob" => {
                format!("{}/{}", digest(FOREIGN), FOREIGN.len())
            }
            _ => self.elsewhere(),
        };
        self.settings[1] = json!({"misdeed": misdeed, "at": at, "address": address});
        if let Some(only) = only {
            self.settings[1]["only"] = json!(only);
        }
    }

    fn write_config(&self) {
        let settings = self.settings.clone().map(|settings| {
            let lines = settings.as_object().unwrap().iter();
            lines
                .map(|(name, value)| format!("{name} = {value}\n"))
                .collect::<String>()
        });
        let text = format!(
            r#"[migration]
from = "old"
to = "new"
store = "transload.db"
registry = "registry"

[connections.old]
plugin = "hostile-source"
base_url = "{}"
token = "file:source.token"
{}
[connections.new]
plugin = "{}"
base_url = "{}"
token = "file:destination.token"
{}"#,
            self.source.base_url, settings[0], self.writes, self.destination.base_url, settings[1]
        );
        std::fs::write(self.dir().join("migration.toml"), text).unwrap();
    }

    /// The project in this process, with limits that are reached in a moment.
    async fn project(&self) -> Project {
        self.write_config();
        let config = Config::load(&self.dir().join("migration.toml")).unwrap();
        let clock = Arc::new(SystemClock);
        let mut project = Project::open_with(&self.dir(), config, None, clock)
            .await
            .unwrap();
        let limits = SandboxConfig {
            cpu_limit: Duration::from_millis(500),
            wall_limit: Duration::from_secs(10),
            max_calls: 400,
            blob_limit: 8 << 20,
            ..SandboxConfig::new(self.dir().join(".transload/cache"))
        };
        project.sandbox = Sandbox::new(limits).unwrap();
        project
    }

    async fn run(&self) -> (Project, Result<RunReport, Error>) {
        let project = self.project().await;
        project.blobs.put_bytes(FOREIGN, "text/plain").unwrap();
        let report = run(&project, yes(), &Silent).await;
        (project, report)
    }

    /// The `transload` command in this project.
    async fn command(&self, args: &[&str], log: &str) -> Output {
        self.write_config();
        let mut command = Command::new(binary());
        command
            .current_dir(self.dir())
            .args(args)
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env("TRANSLOAD_LOG", log);
        tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap()
    }

    /// Nothing of what was not granted has left: nobody else was reached, no forged credential was seen, nothing was deleted
    /// wholesale.
    fn assert_nothing_left_that_was_not_granted(&self, what: &str) {
        let reached = self.victim.accept();
        assert!(reached.is_err(), "{what}: {reached:?} was reached");
        for (desk, token) in [
            (&self.source, SOURCE_TOKEN),
            (&self.destination, DESTINATION_TOKEN),
        ] {
            for seen in desk.seen() {
                let credential = seen.header("authorization");
                assert_eq!(credential, format!("Bearer {token}"), "{what}: {seen:?}");
                assert_ne!(seen.path, "/everything", "{what}");
                let text = String::from_utf8_lossy(FOREIGN);
                assert!(!seen.body.contains(&*text), "{what}: {seen:?}");
            }
        }
    }

    fn markers(&self) -> Vec<String> {
        let mut markers: Vec<String> = self
            .destination
            .made()
            .into_iter()
            .map(|made| made.marker)
            .collect();
        markers.sort();
        markers
    }
}

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

fn all_but(customers: usize, without: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = (1..=customers)
        .map(|n| format!("c{n}"))
        .filter(|id| !without.contains(&id.as_str()))
        .map(|id| format!("hostile-source:desk-source:customer:{id}"))
        .collect();
    ids.sort();
    ids
}

/// What a destination can do in one unit, and the words of the reason that is given for it.
const COSTS_ONE_RECORD: [(&str, &str); 17] = [
    ("trap", "trapped: wasm trap: wasm `unreachable` instruction"),
    ("loop", "computed for more than 500ms"),
    ("recurse", "over a limit of the host: a call stack of"),
    ("allocate", "wanted more than 268435456 bytes of memory"),
    ("wait-for-nothing", "trapped"),
    ("flood-requests", "too many calls of the host in one unit"),
    ("flood-builders", "too many blobs under construction"),
    ("grow-blob", "too many bytes in the blobs of one unit"),
    ("giant-answer", "wants a download"),
    ("foreign-blob", "no such blob for this unit"),
    ("send-foreign-blob", "no such blob for this unit"),
    (
        "elsewhere",
        "was not let out: the host 127.0.0.1 is not granted",
    ),
    ("private-address", "the host 10.0.0.1 is not granted"),
    (
        "redirect",
        "was not let out: redirected: only https is granted",
    ),
    (
        "authorization-header",
        "the header authorization belongs to the host",
    ),
    ("undeclared", "DELETE /everything is not granted"),
    (
        "unknown-outcome",
        "an outcome for an item that the unit does not have",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misdeed_in_one_unit_costs_its_record_and_the_run_goes_on() {
    for (misdeed, words) in COSTS_ONE_RECORD {
        let mut stage = Stage::new(8).await;
        stage.destination_does(misdeed, "write", Some("c3"));
        let (project, report) = stage.run().await;
        let report = report.unwrap();
        assert_eq!(report.state, RunState::Complete, "{misdeed}");
        let sum = &report.total;
        assert_eq!(
            (sum.read, sum.created, sum.rejected, sum.unsettled),
            (8, 7, 1, 0),
            "{misdeed}"
        );
        let [reject] = report.rejects.as_slice() else {
            panic!("{misdeed}: {:?}", report.rejects)
        };
        println!("{misdeed}: {}", reject.cause);
        assert!(reject.cause.contains(words), "{misdeed}: {}", reject.cause);
        assert!(!reject.cause.contains('\n'), "{misdeed}: one sentence");
        assert_eq!(reject.examples, ["c3"]);
        let plugin = format!("hostile-destination@{BUILT}");
        assert!(
            report
                .plugins
                .iter()
                .any(|named| named.starts_with(&plugin)),
            "{:?}",
            report.plugins
        );
        // What goes over a limit does so again; what traps may not.
        let again = "SELECT count(*) FROM units WHERE attempts > 1";
        let again = project.store.number(again, vec![]).await.unwrap() > 0;
        assert_eq!(again, reject.cause.contains("trapped"), "{misdeed}");
        stage.assert_nothing_left_that_was_not_granted(misdeed);
        assert_eq!(stage.markers(), all_but(8, &["c3"]), "{misdeed}");
        // 16 MB are an answer, and some more is in the pipes.
        assert!(stage.destination.giant() < 64 << 20, "{misdeed}");
        let undone = rollback(&project, RollbackOptions::default(), &Silent)
            .await
            .unwrap();
        assert_eq!(
            (undone.left, stage.destination.made()),
            (0, vec![]),
            "{misdeed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_is_not_true_is_not_believed_and_its_record_is_unsettled() {
    for (misdeed, words) in [
        (
            "created-without-proof",
            "`created` is not believed: main has no proof",
        ),
        (
            "unclaimed",
            "no effect names the request customer:c2/main/create",
        ),
    ] {
        let mut stage = Stage::new(3).await;
        stage.destination_does(misdeed, "write", Some("c2"));
        let (project, report) = stage.run().await;
        let report = report.unwrap();
        assert_eq!(report.state, RunState::Stopped, "{misdeed}");
        // The unit made a customer before it was found out; that one was looked up, and nobody says who made it (rule D-4).
        let sum = &report.total;
        assert_eq!(
            (sum.read, sum.created, sum.matched, sum.unsettled),
            (3, 1, 1, 1),
            "{misdeed}: {sum:?}"
        );
        let cause = cause_of(&project, "c2").await;
        println!("{misdeed}: {cause}");
        assert!(cause.contains(words), "{misdeed}: {cause}");
        // What nobody can vouch for is not rolled back either.
        let undone = rollback(&project, RollbackOptions::default(), &Silent)
            .await
            .unwrap();
        let unsettled: Vec<_> = undone.problems.iter().map(|p| p.status.as_str()).collect();
        assert_eq!(
            (undone.left, unsettled),
            (1, vec!["unsettled"]),
            "{misdeed}"
        );
        // This connector never looks up: asked about its record once more, it made it once more.
        let mut there = stage.markers();
        there.dedup();
        assert_eq!(there, all_but(3, &["c1"]), "{misdeed}");
    }
}

/// Why a record has the outcome that it has.
async fn cause_of(project: &Project, id: &str) -> String {
    let sql = "SELECT source_id, coalesce(cause, '') FROM outcomes WHERE source_id = $1";
    let found = project.store.map(sql, vec![id.into()]).await.unwrap();
    found.get(id).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_unit_had_not_sent_when_it_trapped_is_not_sent_beside_its_next_run() {
    let mut stage = Stage::new(6).await;
    stage.destination_does("abandon-and-trap", "write", Some("c3"));
    stage.destination.turn_away_once(":c4");
    let (_project, report) = stage.run().await;
    let sum = report.unwrap().total;
    println!("{sum:?}");
    for id in ["c1", "c2", "c4", "c5", "c6"] {
        assert_eq!(stage.destination.creations(id), 1, "{id}");
    }
    assert_eq!((sum.created + sum.matched, sum.unsettled), (5, 1));
    // The one that was still waiting is not even sent by itself when the wait is over: it was looked up first.
    let seen = stage.destination.seen();
    let c4 = |seen: &&Seen| seen.path.ends_with("%3Ac4") || seen.body.contains(":c4\"");
    let c4: Vec<&str> = seen
        .iter()
        .filter(c4)
        .map(|seen| seen.method.as_str())
        .collect();
    assert_eq!(c4[..2], ["GET", "POST"], "{c4:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_account_lacks_is_exported_and_a_run_that_goes_on_sees_the_account_as_it_was() {
    let stage = Stage::new(8).await;
    let project = stage.project().await;
    let described = plan(&project, &Silent).await.unwrap();
    stage.destination.has_kinds(Some(vec![]));
    let lacking = plan(&project, &Silent).await.unwrap();
    let seen = |plan: &Plan| {
        let losses = plan.losses.iter().map(|loss| {
            let note = loss.note.as_deref().unwrap_or_default();
            format!("{} {}: {note}", loss.kind, loss.field)
        });
        let kinds = plan.kinds.iter();
        let kinds = kinds.map(|kind| format!("{}: {}", kind.kind, kind.arrival));
        (
            kinds.collect::<Vec<_>>(),
            losses.collect::<Vec<_>>(),
            plan.destination_calls,
        )
    };
    let not_kept = "customer created-at: the account says when it was loaded";
    assert_eq!(
        seen(&described),
        (vec!["customer: made".into()], vec![not_kept.into()], 8)
    );
    assert_eq!(
        seen(&lacking),
        (
            vec!["customer: written to the export folder".into()],
            vec!["customer name: as this account has it".into()],
            0
        )
    );
    assert_ne!(
        described.digest, lacking.digest,
        "a yes to one is none to the other"
    );
    drop(project);

    // Begun as long as the account lacks customers, and gone on with when it has them.
    let project = stage.project().await;
    let options = yes();
    let stop = options.stop.clone();
    stage.source.on_request(Arc::new(move |seen: Seen| {
        if seen.path == "/customers?page=2" {
            stop.cancel();
        }
        Box::pin(async {})
    }));
    let error = run(&project, options, &Silent).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error:?}");
    drop(project);
    stage.destination.has_kinds(None);
    let (project, report) = stage.run().await;
    let sum = report.unwrap().total;
    assert_eq!((sum.read, sum.exported, sum.created), (8, 8, 0), "{sum:?}");
    assert_eq!(stage.destination.made(), vec![]);
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!((undone.left, undone.counts), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survey_with_a_kind_that_is_not_described_is_refused() {
    let mut stage = Stage::new(1).await;
    stage.destination_does("undescribed-kind", "survey", None);
    let (_project, report) = stage.run().await;
    let error = report.unwrap_err();
    assert_eq!(error.code(), "connector-bug");
    let words = error.to_string();
    assert!(words.contains("Kind::Company is not described"), "{words}");
    assert_eq!(stage.destination.made(), vec![]);
}

/// What a source can do, in which call, and the words of the reason that is given for it.
const STOPS_THE_RUN: [(&str, &str, &str); 15] = [
    (
        "trap",
        "discover",
        "be discovered (hostile-source@7.1.0): the connector trapped",
    ),
    (
        "trap",
        "read",
        "read (hostile-source@7.1.0): the connector trapped",
    ),
    ("loop", "read", "computed for more than 500ms"),
    ("recurse", "read", "a call stack of"),
    (
        "allocate",
        "read",
        "wanted more than 268435456 bytes of memory",
    ),
    ("sleep", "read", "was not done after 10s"),
    (
        "flood-requests",
        "read",
        "too many calls of the host in one unit",
    ),
    ("giant-page", "read", "too much data is being copied"),
    ("giant-answer", "read", "wants a download"),
    (
        "elsewhere",
        "read",
        "old could not read (hostile-source@7.1.0): the connector failed: the request was not let out: \
         the host 127.0.0.1 is not granted",
    ),
    ("redirect", "read", "redirected: only https is granted"),
    (
        "authorization-header",
        "read",
        "the header authorization belongs to the host",
    ),
    (
        "undeclared",
        "read",
        "DELETE /everything would change something, and this call only reads",
    ),
    (
        "same-page",
        "read",
        "old finds no end of customer (hostile-source@7.1.0): a page leads back to itself",
    ),
    (
        "endless-splits",
        "read",
        "old finds no end of customer (hostile-source@7.1.0): its partitions",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_misbehaves_stops_the_run_and_nothing_is_written() {
    for (misdeed, at, words) in STOPS_THE_RUN {
        let mut stage = Stage::new(8).await;
        stage.source_does(misdeed, at);
        let (project, report) = stage.run().await;
        let error = report.unwrap_err();
        println!("{misdeed}: {error}");
        assert!(matches!(error, Error::Failed(_)), "{misdeed}: {error:?}");
        assert_eq!(error.exit_code(), 1, "{misdeed}");
        assert!(error.to_string().contains(words), "{misdeed}: {error}");
        stage.assert_nothing_left_that_was_not_granted(misdeed);
        assert_eq!(stage.destination.made(), vec![], "{misdeed}");
        assert!(stage.source.giant() < 64 << 20, "{misdeed}");
        if at == "read" {
            let stopped = transload_host::pipeline::report(&project, None)
                .await
                .unwrap();
            assert_eq!(stopped.state, RunState::Stopped, "{misdeed}");
            assert!(stopped.reason.unwrap().contains(words), "{misdeed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_without_end_are_read_until_the_user_stops_and_then_no_further() {
    let mut stage = Stage::new(8).await;
    stage.source_does("endless-pages", "read");
    let project = stage.project().await;
    let options = yes();
    let stop = options.stop.clone();
    let units = async {
        let asked = "SELECT count(*) FROM partitions WHERE cast(cursor_text AS INTEGER) > 20";
        while project.store.number(asked, vec![]).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let report = tokio::select! {
        report = run(&project, options, &Silent) => report,
        () = units => unreachable!(),
    };
    let error = report.unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error:?}");
    assert_eq!(stage.destination.made(), vec![]);
}

/// How a unit ends that is called for by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_limit_ends_a_unit_with_an_error_of_its_own_and_no_unit_beside_it() {
    let stage = Stage::new(1).await;
    let project = stage.project().await;
    let side = project.side("old", Role::Source, None).await.unwrap();
    let told = |misdeed: &str| {
        let settings = json!({"misdeed": misdeed, "at": "check", "address": stage.elsewhere()});
        Context {
            config: settings.to_string(),
            ..side.context.clone()
        }
    };
    let honest = || async {
        let account = side
            .plugin
            .check(side.reading(), told("none-at-all").clone());
        account.await
    };
    // A word that is no misdeed is the connector's own error, not the sandbox's.
    assert!(honest().await.unwrap().is_err());
    // What only goes deep is no misdeed.
    let deep = side.plugin.check(side.reading(), told("nested")).await;
    assert_eq!(deep.unwrap().unwrap().id, "desk-source");
    type Fits = fn(&UnitError) -> bool;
    let cases: [(&str, Fits); 9] = [
        ("trap", |e| matches!(e, UnitError::Trap(_))),
        ("wait-for-nothing", |e| matches!(e, UnitError::Trap(_))),
        (
            "loop",
            |e| matches!(e, UnitError::Cpu { limit, .. } if limit.as_millis() == 500),
        ),
        ("recurse", |e| matches!(e, UnitError::HostLimit(_))),
        (
            "allocate",
            |e| matches!(e, UnitError::Memory { limit, .. } if *limit == 256 << 20),
        ),
        (
            "sleep",
            |e| matches!(e, UnitError::Wall(limit) if limit.as_secs() == 10),
        ),
        ("flood-requests", |e| matches!(e, UnitError::HostLimit(_))),
        ("flood-builders", |e| matches!(e, UnitError::HostLimit(_))),
        ("grow-blob", |e| matches!(e, UnitError::HostLimit(_))),
    ];
    let all = cases.map(|(misdeed, fits)| {
        let (plugin, host, ctx) = (side.plugin.clone(), side.reading(), told(misdeed));
        tokio::spawn(async move {
            let ended = plugin.check(host, ctx).await.unwrap_err();
            (misdeed, fits(&ended), ended)
        })
    });
    // While they are at it, honest units have their answers.
    for _ in 0..50 {
        let answer = side
            .plugin
            .check(side.reading(), side.context.clone())
            .await;
        assert_eq!(answer.unwrap().unwrap().id, "desk-source");
    }
    for unit in all {
        let (misdeed, fits, ended) = unit.await.unwrap();
        println!("{misdeed}: {ended}");
        assert!(fits, "{misdeed}: {ended:?}");
    }
    let temporary = stage.dir().join(".transload/blobs/tmp");
    assert_eq!(
        std::fs::read_dir(temporary).unwrap().count(),
        0,
        "blobs under construction"
    );
}

/// A host that answers every request and notes how many it has at once.
#[derive(Default)]
struct Counting {
    open: AtomicUsize,
    most: AtomicUsize,
    ended: AtomicUsize,
}

/// Calls that the host works on at once, in that test.
const AT_ONCE: usize = 7;

#[async_trait]
impl UnitHost for Counting {
    fn now(&self) -> i64 {
        0
    }
    async fn send(
        &self,
        _request: http::Request,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(open, Ordering::SeqCst);
        // Held back until as many are here as there may be: how they are scheduled must not matter. Bounded, should fewer come.
        for _ in 0..1_000 {
            if self.most.load(Ordering::SeqCst) >= AT_ONCE {
                break;
            }
            tokio::task::yield_now().await;
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
        Ok(Ok(http::Response {
            status: 200,
            headers: vec![],
            body: vec![],
            attempted_before: false,
        }))
    }
    async fn poll(
        &self,
        request: http::Request,
        _options: http::PollOptions,
    ) -> Result<Result<http::Response, http::Error>, UnitAbort> {
        self.send(request).await
    }
    async fn download(
        &self,
        _request: http::Request,
    ) -> Result<Result<(http::Response, types::BlobRef), http::Error>, UnitAbort> {
        Ok(Err(http::Error::Timeout))
    }
    async fn sleep(&self, _ms: u64) -> Result<(), UnitAbort> {
        Ok(())
    }
    fn log(&self, _level: runtime::Level, _message: &str) {}
    fn progress(&self, _done: u64, _total: Option<u64>) {}
    fn blob_read(
        &self,
        blob: &types::BlobRef,
        _offset: u64,
        _len: u32,
    ) -> Result<Vec<u8>, UnitAbort> {
        Err(UnitAbort::UnknownBlob(blob.sha256.clone()))
    }
    fn blob_keep(&self, _builder: Builder) -> Result<types::BlobRef, UnitAbort> {
        Err(UnitAbort::Limit(String::new()))
    }
    fn blob_builder(&self, _media_type: String) -> Result<Builder, UnitAbort> {
        Err(UnitAbort::Limit(String::new()))
    }
    async fn report(
        &self,
        outcomes: Vec<ledger::Outcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        Ok(vec![Err(ledger::Refusal::UnknownItem); outcomes.len()])
    }
    async fn report_undo(
        &self,
        outcomes: Vec<ledger::UndoOutcome>,
    ) -> Result<Vec<Result<(), ledger::Refusal>>, UnitAbort> {
        Ok(vec![Err(ledger::Refusal::UnknownItem); outcomes.len()])
    }
    fn idle(&self) {}
    fn ended(&self) {
        assert_eq!(self.ended.fetch_add(1, Ordering::SeqCst), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_calls_at_once_the_host_works_on_a_few_and_the_others_wait() {
    let bytes = plugin_bytes("hostile-source").unwrap();
    let limits = SandboxConfig {
        calls_at_once: AT_ONCE,
        max_calls: 1_000,
        ..SandboxConfig::new(target_dir().join("e2e-cache"))
    };
    let sandbox = Sandbox::new(limits).unwrap();
    let plugin = sandbox.load(bytes.clone(), &digest(&bytes)).await.unwrap();
    let host = Arc::new(Counting::default());
    let ctx = Context {
        config: json!({"misdeed": "flood-requests", "at": "check"}).to_string(),
        run: String::new(),
        platform: String::new(),
        organisation: String::new(),
        time_zone: String::new(),
        state: None,
    };
    // It sends fifty at once, twenty times.
    let ended = plugin.check(host.clone(), ctx).await.unwrap_err();
    assert!(matches!(ended, UnitError::HostLimit(_)), "{ended}");
    assert_eq!(host.most.load(Ordering::SeqCst), AT_ONCE);
    assert_eq!(host.open.load(Ordering::SeqCst), 0, "none is left");
    assert_eq!(host.ended.load(Ordering::SeqCst), 1);
}

/// Through the command: the exit code, what is said, and how much of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_names_plugin_and_reason_and_ends_as_documented() {
    let mut stage = Stage::new(3).await;
    stage.source_does("trap", "read");
    let output = stage.command(&["run", "--yes"], "warn").await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{said}");
    assert_eq!(output.status.code(), Some(1));
    for words in [
        "old could not read",
        "hostile-source@7.1.0",
        "trapped",
        "unreachable",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert!(!said.contains("panicked"), "{said}");

    // A rejected record has its reason, and is no failure of the run.
    let mut stage = Stage::new(3).await;
    stage.destination_does("trap", "write", Some("c2"));
    let output = stage.command(&["run", "--yes"], "warn").await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{said}");
    assert_eq!(output.status.code(), Some(0));
    for words in [
        "hostile-destination@7.1.0",
        "the connector trapped",
        "author",
        "c2",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }

    // A hundred thousand lines of two thousand letters each are 200 MB.
    let mut stage = Stage::new(3).await;
    stage.destination_does("flood-log", "write", None);
    let output = stage.command(&["run", "--yes"], "warn").await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stage.markers(), all_but(3, &[]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("logs too much"), "{said}");
    assert!(said.len() < 1 << 20, "{} bytes", said.len());
    assert!(!said.contains('\u{1b}'), "it steers the terminal");
    assert!(
        !said.lines().any(|line| line.starts_with("ERROR")),
        "a forged line"
    );
}

/// Every file below, but for the links.
fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), into);
        } else if kind.is_file() {
            into.push(entry.path());
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Invariant I-3 for a whole migration, with connectors that ask for the secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_never_enters_guest_memory_a_log_a_journal_or_a_report() {
    let mut stage = Stage::new(12).await;
    stage.source_does("secret-template", "read");
    stage.destination_does("secret-template", "write", None);
    let mut printed = Vec::new();
    for (args, code) in [
        (vec!["check"], 0),
        (vec!["plan"], 0),
        (vec!["run", "--yes"], 0),
        (vec!["status"], 0),
        (vec!["report"], 0),
        (vec!["report", "--json"], 0),
        (vec!["rollback", "--yes"], 0),
        (vec!["report"], 0),
    ] {
        let output = stage.command(&args, "trace").await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        printed.push((args.join(" "), [output.stdout, output.stderr].concat()));
    }
    let secrets = [SOURCE_TOKEN, DESTINATION_TOKEN];
    for (what, bytes) in &printed {
        assert!(!bytes.is_empty(), "{what}");
        for secret in secrets {
            assert!(!contains(bytes, secret), "{what} prints a secret");
        }
    }
    let trace = &printed[2].1;
    assert!(
        contains(trace, "http.response.status_code=201"),
        "it is a trace"
    );
    let mut all = Vec::new();
    files(&stage.dir(), &mut all);
    let tokens = |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "token");
    assert_eq!(all.iter().filter(tokens).count(), 2);
    let searched = all.iter().filter(|path| !tokens(path));
    let mut searched_store = false;
    for path in searched {
        let bytes = std::fs::read(path).unwrap();
        // The database, or its log of what is not in it yet.
        let name = path.file_name().unwrap().to_string_lossy();
        searched_store |= name.starts_with("transload.db") && contains(&bytes, "Customer 3");
        for secret in secrets {
            assert!(
                !contains(&bytes, secret),
                "{} holds a secret",
                path.display()
            );
        }
    }
    assert!(searched_store);
    // The guests asked for it by the name that the host knows, and sent what they got.
    for (desk, secret) in [
        (&stage.source, SOURCE_TOKEN),
        (&stage.destination, DESTINATION_TOKEN),
    ] {
        let seen = desk.seen();
        let asked: Vec<&Seen> = seen.iter().filter(|seen| seen.path == "/ping").collect();
        assert!(!asked.is_empty());
        assert!(
            asked
                .iter()
                .all(|seen| seen.header("x-note") == "{secret:token}")
        );
        let sent = format!("Bearer {secret}");
        assert!(seen.iter().all(|seen| seen.header("authorization") == sent));
    }
    // And their settings, which they could have kept, hold none.
    let project = stage.project().await;
    for (name, role) in [("old", Role::Source), ("new", Role::Destination)] {
        let side = project.side(name, role, None).await.unwrap();
        assert!(side.context.config.contains("base_url"));
        assert!(
            !side.context.config.contains("token"),
            "{}",
            side.context.config
        );
    }
}

/// Invariants I-1 and I-2, as the platform sees them: whatever a request follows from is in the store when it arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_never_leads_durability() {
    let stage = Stage::new(6).await;
    let project = stage.project().await;
    let (wrong, looked): (Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) = Default::default();
    let store = project.store.clone();
    let (said, count) = (Arc::clone(&wrong), Arc::clone(&looked));
    stage.source.on_request(Arc::new(move |seen| {
        let (store, said, count) = (store.clone(), Arc::clone(&said), Arc::clone(&count));
        Box::pin(async move {
            let page = seen.path.strip_prefix("/customers?page=");
            let Some(page) = page.and_then(|page| page.parse::<i64>().ok()) else {
                return;
            };
            if page == 1 {
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
            let staged = "SELECT count(*) FROM staged WHERE kind = 'customer'";
            let staged = store.number(staged, vec![]).await.unwrap();
            let cursor = "SELECT count(*) FROM partitions WHERE cursor_text = $1";
            let cursor = store
                .number(cursor, vec![page.to_string().into()])
                .await
                .unwrap();
            if staged < (page - 1) * 5 || cursor == 0 {
                let text = format!("page {page}: {staged} records, {cursor} cursors");
                said.lock().unwrap().push(text);
            }
        })
    }));
    let store = project.store.clone();
    let (said, count) = (Arc::clone(&wrong), Arc::clone(&looked));
    let before = AtomicUsize::new(0);
    let before = Arc::new(before);
    stage.destination.on_request(Arc::new(move |seen| {
        let (store, said, count) = (store.clone(), Arc::clone(&said), Arc::clone(&count));
        let before = Arc::clone(&before);
        Box::pin(async move {
            if seen.method != "POST" {
                return;
            }
            count.fetch_add(1, Ordering::SeqCst);
            let row: Value = serde_json::from_str(&seen.body).unwrap();
            let id = row["marker"]
                .as_str()
                .unwrap()
                .rsplit(':')
                .next()
                .unwrap()
                .to_owned();
            let ident = format!("w:customer:{id}/main/create");
            let intent = "SELECT count(*) FROM journal WHERE ident = $1 AND state = 'intended'";
            let intent = store.number(intent, vec![ident.into()]).await.unwrap();
            let outcomes = "SELECT count(*) FROM outcomes WHERE status = 'created'";
            let outcomes = store.number(outcomes, vec![]).await.unwrap();
            let answers = "SELECT count(*) FROM journal WHERE mutating = 1 AND state = 'answered'";
            let answers = store.number(answers, vec![]).await.unwrap();
            let before = before.fetch_add(1, Ordering::SeqCst);
            let found = [answers, outcomes].map(|n| usize::try_from(n).unwrap());
            if intent != 1 || found != [before, before] {
                let text = format!("{id}: {intent} intents, {found:?} after {before}");
                said.lock().unwrap().push(text);
            }
        })
    }));
    let options = yes();
    let report = run(&project, options, &Silent).await.unwrap();
    assert_eq!(
        (report.state, report.total.created),
        (RunState::Complete, 6)
    );
    assert_eq!(*wrong.lock().unwrap(), Vec::<String>::new());
    // The second page in either pass, and six creations.
    assert_eq!(looked.load(Ordering::SeqCst), 8);
}

/// A component that differs in its version alone.
fn later(name: &str) -> Vec<u8> {
    let mut bytes = plugin_bytes(name).unwrap();
    let built = BUILT.as_bytes();
    let places: Vec<usize> = (0..bytes.len() - built.len())
        .filter(|at| bytes[*at..].starts_with(built))
        .collect();
    assert!(
        !places.is_empty(),
        "the version is not to be found in {name}"
    );
    for at in places {
        bytes[at..at + built.len()].copy_from_slice(LATER.as_bytes());
    }
    bytes
}

/// Stops a run in its middle, and installs later versions of both connectors.
async fn interrupted_and_upgraded(stage: &Stage) -> Registry {
    let project = stage.project().await;
    let options = yes();
    let stop = options.stop.clone();
    stage.destination.on_request(Arc::new(move |seen| {
        if seen.method == "POST" {
            stop.cancel();
        }
        Box::pin(async {})
    }));
    let error = run(&project, options, &Silent).await.unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error:?}");
    stage
        .destination
        .on_request(Arc::new(|_| Box::pin(async {})));
    let registry = Registry::open(stage.dir().join("registry")).unwrap();
    for name in ["hostile-source", "hostile-destination"] {
        add_package(&registry, later(name)).await.unwrap();
        assert_eq!(registry.resolve(name).unwrap().version.to_string(), LATER);
    }
    registry
}

fn connectors(desk: &Desk, from: usize) -> Vec<String> {
    let seen = desk.seen();
    let mut versions: Vec<String> = seen[from..]
        .iter()
        .map(|seen| seen.connector().to_owned())
        .collect();
    versions.sort();
    versions.dedup();
    versions
}

/// Invariant I-10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undo_and_resume_load_the_plugin_digest_that_wrote() {
    let stage = Stage::new(60).await;
    interrupted_and_upgraded(&stage).await;
    let made = stage.destination.made().len();
    assert!(
        made > 0 && made < 60,
        "{made} of 60 were made before the stop"
    );
    let project = stage.project().await;
    // Whoever begins anew gets the later ones.
    for (name, role) in [("old", Role::Source), ("new", Role::Destination)] {
        let side = project.side(name, role, None).await.unwrap();
        assert_eq!(side.description().version, LATER);
    }
    let from = [stage.source.seen().len(), stage.destination.seen().len()];
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!(
        (report.state, report.total.created),
        (RunState::Complete, 60)
    );
    assert_eq!(connectors(&stage.source, from[0]), [BUILT]);
    assert_eq!(connectors(&stage.destination, from[1]), [BUILT]);
    let from = stage.destination.seen().len();
    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!((undone.left, stage.destination.made()), (0, vec![]));
    assert_eq!(connectors(&stage.destination, from), [BUILT]);
    // The run is over: what begins now is another one, with what is newest.
    let from = stage.destination.seen().len();
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!(report.total.created, 60);
    assert_eq!(connectors(&stage.destination, from), [LATER]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_plugin_is_gone_says_so_and_sends_nothing() {
    let stage = Stage::new(60).await;
    let registry = interrupted_and_upgraded(&stage).await;
    let version = BUILT.parse().unwrap();
    registry
        .remove("hostile-destination", &version, |_| None)
        .unwrap();
    let sent = stage.destination.seen().len();
    let project = stage.project().await;
    for error in [
        run(&project, yes(), &Silent).await.map(drop).unwrap_err(),
        rollback(&project, RollbackOptions::default(), &Silent)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.exit_code(), 2, "{error}");
        let words = "install the version that the run began with again";
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(stage.destination.seen().len(), sent);
}

/// Invariant I-7, for a run: also when the registry's own record of the digest was changed along with the component.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_was_changed_on_disk_is_never_run() {
    let stage = Stage::new(60).await;
    interrupted_and_upgraded(&stage).await;
    let sent = (stage.source.seen().len(), stage.destination.seen().len());
    let package = stage.dir().join("registry/hostile-destination").join(BUILT);
    let path = package.join("component.wasm");
    let bytes = std::fs::read(&path).unwrap();
    let changed = later("hostile-destination");
    assert_eq!(bytes.len(), changed.len());
    std::fs::write(&path, &changed).unwrap();
    let output = stage.command(&["run"], "warn").await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("was changed: its sha-256 is"), "{said}");

    let metadata = package.join("package.json");
    let text = std::fs::read_to_string(&metadata).unwrap();
    let forged = text.replace(&digest(&bytes), &digest(&changed));
    assert_ne!(text, forged);
    std::fs::write(&metadata, forged).unwrap();
    for args in [vec!["run"], vec!["rollback", "--yes"]] {
        let output = stage.command(&args, "warn").await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("no installed plugin has the sha-256"),
            "{said}"
        );
    }
    let now = (stage.source.seen().len(), stage.destination.seen().len());
    assert_eq!(sent, now, "nothing was sent");
}

/// Invariant I-11, with a connector that goes by the order in which answers come: killed after each of its writes and run
/// again with other timing, it takes the way that it took before.
#[test]
fn the_same_unit_with_the_same_answers_takes_the_same_way() {
    let outside = runtime();
    let ids: Vec<String> = (1..=6).map(|n| format!("customer:c{n}")).collect();
    for killed in 1..=6 {
        let stage = outside.block_on(async {
            let mut stage = Stage::new(6).await;
            stage.destination_does("as-they-come", "write", None);
            // Another order each time, and none of them the one in which they are asked for.
            let mut order = ids.clone();
            order.reverse();
            order.rotate_left(killed);
            order.swap(0, 3);
            stage.destination.answer_in_order(order);
            stage
        });
        killed_after(&outside, &stage, killed);
        let before = creations(&stage);
        assert_eq!(before.len(), killed, "killed after {killed}");
        outside.block_on(async {
            stage.destination.answer_in_order(vec![]);
            let (project, report) = stage.run().await;
            let report = report.unwrap();
            assert_eq!(
                (report.state, report.total.created),
                (RunState::Complete, 6)
            );
            let split = "SELECT count(*) FROM units WHERE status <> 'done'";
            assert_eq!(project.store.number(split, vec![]).await.unwrap(), 0);
        });
        // Each name holds all that came before it: one way from the beginning to the end, without a break.
        let after = creations(&stage);
        println!("killed after {killed}: {}", after.last().unwrap().name);
        assert_eq!(after[..killed], before);
        assert_eq!(after.len(), 6, "nothing was made twice");
        for pair in after.windows(2) {
            assert!(pair[1].name.starts_with(&pair[0].name), "{pair:?}");
        }
    }
}

fn creations(stage: &Stage) -> Vec<Made> {
    let seen = stage.destination.seen();
    seen.iter()
        .filter(|seen| seen.method == "POST")
        .map(|seen| {
            let row: Value = serde_json::from_str(&seen.body).unwrap();
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            Made {
                name: text("name"),
                marker: text("marker"),
            }
        })
        .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Runs until the n-th answer to a write is durable, and dies before the guest sees it: nothing that was going on is polled
/// again.
fn killed_after(outside: &tokio::runtime::Runtime, stage: &Stage, n: usize) {
    let mut project = outside.block_on(stage.project());
    let (reached, dead) = tokio::sync::oneshot::channel();
    let reached = Mutex::new(Some(reached));
    let answered = AtomicUsize::new(0);
    project.boundary = Some(Arc::new(move |boundary| {
        let dies =
            boundary == Boundary::Answered && answered.fetch_add(1, Ordering::SeqCst) + 1 == n;
        if dies {
            let _ = reached.lock().unwrap().take().unwrap().send(());
        }
        Box::pin(async move {
            if dies {
                std::future::pending::<()>().await;
            }
        })
    }));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        let inside = runtime();
        inside.block_on(async {
            tokio::select! {
                report = run(&project, yes(), &Silent) => panic!("{report:?}"),
                _ = stopped => {}
            }
        });
        inside.shutdown_background();
    });
    outside.block_on(dead).unwrap();
    let _ = stop.send(());
    thread.join().unwrap();
}
