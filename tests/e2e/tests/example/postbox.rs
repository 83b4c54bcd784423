//! The connector of `examples/postbox`, in Python, in the real host: its mailbox, behind a server of this test, is migrated into
//! Zendesk. Without a Python that could build it, the tests say so and pass on.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use chrono::{DateTime, TimeZone as _, Utc};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transload_e2e::engine::{Work, killed_at, runtime};
use transload_e2e::lab::{add_package, plugin_path, target_dir};
use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::pipeline::model::{
    RollbackOptions, RunOptions, RunState, VerifyOptions, VerifyScope,
};
use transload_host::pipeline::{rollback, run, verify};
use transload_host::report::{self, adds_up};
use transload_registry::Registry;

use super::desk::with;
use super::private;

const TOKEN: &str = "pbx_0123456789";
const CUSTOMERS: usize = 40;
const CONVERSATIONS: usize = 120;
const AGENTS: usize = 2;
/// 2025-03-01T09:00:00Z.
const BEGINS: i64 = 1_740_819_600_000;
/// 2026-03-02T09:00:00Z: when the run begins.
const NOW: i64 = 1_772_442_000_000;
/// Between two changes.
const STEP: i64 = 3_600_000;

/// A running mailbox.
struct Mailbox {
    base_url: String,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    asked: Mutex<Vec<String>>,
    /// Pages of conversations that are answered with 503 before they are answered.
    busy: AtomicUsize,
}

impl Mailbox {
    async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, inner }
    }

    /// Requests so far that begin so.
    fn asked(&self, beginning: &str) -> usize {
        let asked = self.inner.asked.lock().unwrap();
        asked
            .iter()
            .filter(|asked| asked.starts_with(beginning))
            .count()
    }
}

async fn answer(State(mailbox): State<Arc<Inner>>, request: Request) -> Response {
    let credential = request.headers().get("authorization");
    if credential.is_none_or(|value| value.as_bytes() != format!("Bearer {TOKEN}").as_bytes()) {
        return with(401, &json!({"message": "no such token"}), &[]);
    }
    // A source only ever reads.
    assert_eq!(request.method(), "GET");
    let path = request
        .uri()
        .path()
        .strip_prefix("/v1")
        .unwrap_or("/")
        .to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    mailbox
        .asked
        .lock()
        .unwrap()
        .push(format!("{path}?{query}"));
    let busy = |left: usize| left.checked_sub(1);
    if path == "/conversations"
        && query.contains("page=2")
        && mailbox
            .busy
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, busy)
            .is_ok()
    {
        return with(503, &json!({"message": "come again"}), &[]);
    }
    let list = |word: &str, rows: Vec<Value>| page(word, rows, &query);
    let body = match path
        .trim_start_matches('/')
        .split('/')
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["account"] => json!({
            "id": 77, "name": "Acme", "url": "https://acme.postbox.example.com", "time_zone": "Europe/Berlin",
            "created_at": iso(BEGINS), "token": {"user": "migration@acme.example", "scopes": ["read"]},
        }),
        ["users"] => list("users", (1..=AGENTS).map(user).collect()),
        ["tags"] => list(
            "tags",
            ["vip", "billing", "ünïcode"]
                .into_iter()
                .enumerate()
                .map(|(n, name)| json!({"id": n + 1, "name": name}))
                .collect(),
        ),
        ["fields"] => list("fields", fields()),
        ["customers"] => list("customers", (1..=CUSTOMERS).map(customer).collect()),
        ["customers", id] => customer(id.parse().unwrap()),
        ["conversations"] => list(
            "conversations",
            (1..=CONVERSATIONS).map(conversation).collect(),
        ),
        ["conversations", id] => conversation(id.parse().unwrap()),
        ["attachments", id, "data"] => {
            let response = axum::http::Response::builder().header("content-type", "text/plain");
            return response.body(file(id).into()).unwrap();
        }
        ["workflows"] => list(
            "workflows",
            vec![json!({
                "id": 1, "name": "Thank at once", "active": true, "conditions": ["The conversation is new"], "actions": ["Send a reply: Thank you"],
            })],
        ),
        ["saved-replies"] => list(
            "saved_replies",
            vec![json!({"id": 1, "name": "Greeting", "text": "Hello\nthere"})],
        ),
        _ => return with(404, &json!({"message": "no such page"}), &[]),
    };
    with(
        200,
        &body,
        &[
            ("x-ratelimit-limit-minute", "400"),
            ("x-ratelimit-remaining-minute", "399"),
        ],
    )
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A page of what was changed in the window that is asked for.
fn page(word: &str, rows: Vec<Value>, query: &str) -> Value {
    let moment = |name: &str| {
        let text = parameter(query, name)?.replace("%3A", ":");
        Some(DateTime::parse_from_rfc3339(&text).unwrap().to_utc())
    };
    let (from, before) = (moment("modified_from"), moment("modified_before"));
    let changed = |row: &Value| {
        let at: Option<DateTime<Utc>> = row["modified_at"].as_str().map(|at| at.parse().unwrap());
        at.is_none_or(|at| {
            from.is_none_or(|from| from <= at) && before.is_none_or(|before| at < before)
        })
    };
    let rows: Vec<Value> = rows.into_iter().filter(changed).collect();
    let number = |name: &str| parameter(query, name).unwrap().parse::<usize>().unwrap();
    let (size, page, total) = (number("size"), number("page"), rows.len());
    let shown: Vec<Value> = rows
        .into_iter()
        .skip((page - 1) * size)
        .take(size)
        .collect();
    json!({
        "_embedded": {word: shown},
        "page": {"number": page, "size": size, "total_elements": total, "total_pages": total.div_ceil(size)},
    })
}

fn iso(ms: i64) -> String {
    Utc.timestamp_millis_opt(ms)
        .unwrap()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn user(n: usize) -> Value {
    json!({"id": n, "first_name": "Agent", "last_name": n.to_string(), "email": format!("agent{n}@acme.example"), "active": true, "role": "user"})
}

fn fields() -> Vec<Value> {
    vec![
        json!({"of": "customer", "name": "plan", "label": "Plan", "type": "text"}),
        json!({"of": "conversation", "name": "price", "label": "Price", "type": "number"}),
    ]
}

fn customer(n: usize) -> Value {
    let at = iso(BEGINS + n as i64 * STEP);
    json!({
        "id": n, "first_name": "Zoë", "last_name": format!("Nr. {n}"), "emails": [{"value": format!("zoe{n}@customers.example"), "type": "work"}],
        "phones": [], "created_at": at, "modified_at": at, "fields": [{"name": "plan", "type": "text", "value": format!("plan {n}")}],
    })
}

fn file(id: &str) -> String {
    format!("the content of file {id}\n")
}

fn conversation(n: usize) -> Value {
    let begun = BEGINS + n as i64 * STEP;
    let customer = n % CUSTOMERS + 1;
    let files = if n.is_multiple_of(10) {
        let id = format!("f{n}");
        vec![
            json!({"id": id, "filename": format!("datei {n}.txt"), "mime_type": "text/plain", "size": file(&id).len()}),
        ]
    } else {
        vec![]
    };
    let (by_customer, by_agent) = (
        json!({"type": "customer", "id": customer}),
        json!({"type": "user", "id": n % AGENTS + 1}),
    );
    json!({
        "id": n, "number": n, "subject": format!("Frage {n}: „wo?“"), "status": if n.is_multiple_of(3) { "closed" } else { "active" },
        "customer": {"id": customer}, "assignee": {"id": n % AGENTS + 1}, "tags": [{"id": n % 3 + 1, "name": ""}],
        "created_at": iso(begun), "modified_at": iso(begun + 3_000), "closed_at": n.is_multiple_of(3).then(|| iso(begun + 3_000)),
        "fields": [{"name": "price", "type": "number", "value": format!("{n}.50")}],
        "threads": [
            {"id": n * 10 + 1, "type": "customer", "by": by_customer, "body": format!("<p>Hallo, Frage {n} &amp; mehr</p>"), "created_at": iso(begun), "attachments": files},
            {"id": n * 10 + 2, "type": "note", "by": by_agent, "body": format!("<p>intern {n}</p>"), "created_at": iso(begun + 1_000)},
            {"id": n * 10 + 3, "type": "reply", "by": by_agent, "body": format!("<p>Antwort {n}</p>"), "created_at": iso(begun + 2_000)},
        ],
    })
}

/// The component, where there is one.
pub fn built(name: &str) -> Option<PathBuf> {
    let path = plugin_path(name);
    if path.is_file() {
        return Some(path);
    }
    println!(
        "SKIPPED: {} is not there; `cargo xtask plugins` says what Python it wants",
        path.display()
    );
    None
}

/// A project between a mailbox and Zendesk; the lab's own source is not used.
async fn project(mailbox: &Mailbox, plugin: &std::path::Path) -> Lab {
    let config = LabConfig {
        size: 1,
        few: true,
        in_memory: true,
        begins: Some(NOW),
        ..LabConfig::default()
    };
    let lab = Lab::of(config.clone()).await.unwrap();
    let text = lab.migration(&config);
    let own = format!(
        "plugin = \"postbox\"\nmailbox = \"acme\"\nbase_url = \"{}\"\ntoken = \"file:postbox.token\"",
        mailbox.base_url
    );
    let source = format!(
        "plugin = \"kustomer\"\norg = \"acme\"\nbase_url = \"{}\"\ntoken = \"file:source.token\"",
        lab.base_urls.0
    );
    assert!(text.contains(&source), "{text}");
    std::fs::write(lab.dir.join("migration.toml"), text.replace(&source, &own)).unwrap();
    private(&lab.dir.join("postbox.token"), TOKEN);
    let registry = Registry::open(lab.dir.join("registry")).unwrap();
    let bytes = std::fs::read(plugin).unwrap();
    add_package(&registry, bytes).await.unwrap();
    lab
}

#[test]
fn a_mailbox_read_by_python_arrives_whole_though_the_run_is_killed_and_is_taken_back() {
    let Some(plugin) = built("postbox") else {
        return;
    };
    let outside = runtime();
    let (mailbox, lab) = outside.block_on(async {
        let mailbox = Mailbox::start().await;
        let lab = project(&mailbox, &plugin).await;
        (mailbox, lab)
    });
    let before = lab.destination.snapshot().tickets.len();
    mailbox.inner.busy.store(2, Ordering::SeqCst);

    // Killed between two answers of the destination, again and again.
    let mut places = vec![];
    for boundaries in [3, 11, 40, 90] {
        places.extend(killed_at(&outside, &lab, Work::Run, boundaries));
    }
    println!("killed at {places:?}");
    assert!(places.len() >= 3, "it was over too soon");

    outside.block_on(async {
        let project = lab.project().await.unwrap();
        let options = RunOptions {
            yes: true,
            ..RunOptions::default()
        };
        let report = run(&project, options, &Silent).await.unwrap();
        println!("{}", report::run(&report, None));
        assert_eq!(report.state, RunState::Complete);
        for sum in report.kinds.iter().chain([&report.total]) {
            assert!(adds_up(sum), "{sum:?}");
        }
        assert_eq!(
            (report.duplicates, report.lost, report.total.unsettled),
            (0, 0, 0)
        );
        let read = |kind: &str| {
            report
                .kinds
                .iter()
                .find(|sum| sum.kind == kind)
                .map_or(0, |sum| sum.read)
        };
        let (threads, messages) = (CONVERSATIONS as u64, 3 * CONVERSATIONS as u64);
        assert_eq!(
            (read("customer"), read("conversation"), read("message")),
            (CUSTOMERS as u64, threads, messages)
        );
        // No unit took another way than the one before it, and none was made twice.
        let split = "SELECT count(*) FROM units WHERE status NOT IN ('done')";
        assert_eq!(project.store.number(split, vec![]).await.unwrap(), 0);
        let snapshot = lab.destination.snapshot();
        let ours = snapshot
            .tickets
            .iter()
            .filter_map(|ticket| ticket.external_id.as_deref());
        let ours: Vec<&str> = ours
            .filter(|id| id.starts_with("postbox:77:conversation:"))
            .collect();
        assert_eq!(ours.iter().collect::<BTreeSet<_>>().len(), CONVERSATIONS);
        assert_eq!(ours.len(), CONVERSATIONS);

        let everything = VerifyOptions {
            scope: VerifyScope::All,
            ..VerifyOptions::default()
        };
        let found = verify(&project, everything, &Silent).await.unwrap();
        println!("{}", report::verification(&found, None));
        assert!(found.ok, "{} differences", found.undeclared);
        let compared = found
            .kinds
            .iter()
            .find(|kind| kind.kind == "conversation")
            .map_or(0, |kind| kind.compared);
        assert_eq!(compared, threads);

        let undone = rollback(&project, RollbackOptions::default(), &Silent)
            .await
            .unwrap();
        assert_eq!(undone.left, 0, "{:#?}", undone.problems);
        let left = lab.destination.snapshot();
        assert_eq!(
            left.tickets
                .iter()
                .filter(|ticket| ticket.deleted.is_none())
                .count(),
            before
        );
    });
    // Read once, but for what a kill interrupted: a page that is in the store is not asked for again.
    let pages = mailbox.asked("/conversations?");
    assert!(pages < 40, "{pages} pages of conversations");
    assert_eq!(mailbox.inner.busy.load(Ordering::SeqCst), 0);
}

/// The tests that the SDK for Python and the example have of their own, in whatever Python there is; and the types that the SDK has for
/// plain Python are those of the contract.
#[test]
fn the_sdk_for_python_and_its_example_pass_their_own_tests() {
    let root = transload_e2e::lab::root();
    let python = |python: &std::path::Path, arguments: &[&str]| {
        let paths = ["sdk/python", "examples/postbox"].map(|place| root.join(place));
        let output = std::process::Command::new(python)
            .current_dir(&root)
            .args(arguments)
            .env("PYTHONPATH", std::env::join_paths(paths).unwrap())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output();
        output.map(|output| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.success(), said)
        })
    };
    let new_enough = "import sys; sys.exit(sys.version_info < (3, 11))";
    let found = python("python3".as_ref(), &["-c", new_enough]);
    if !found.is_ok_and(|(fits, _)| fits) {
        println!("SKIPPED: no Python 3.11 or later (python3) was found");
        return;
    }
    for tests in ["sdk/python/tests", "examples/postbox/tests"] {
        let run = ["-m", "unittest", "discover", tests];
        let (passed, said) = python("python3".as_ref(), &run).unwrap();
        println!("{tests}: {said}");
        assert!(passed, "{tests}: {said}");
        assert!(!said.contains("Ran 0 tests"), "{tests}");
    }
    let tools = target_dir().join("python/venv/bin/python");
    if !tools.is_file() {
        println!("SKIPPED: {} is not there", tools.display());
        return;
    }
    let check = ["sdk/python/tools/bindings.py", "--check"];
    let (same, said) = python(&tools, &check).unwrap();
    assert!(same, "{said}");
}
