//! The connectors of `examples/` in the real host, installed as a person does it: `tessera`, with Kustomer's history as the source
//! and a strict Tessera behind a server of this test; `postbox`, in Python, is in `example/postbox.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

#[path = "../../../examples/tessera/tests/support/platform.rs"]
mod platform;
#[path = "example/postbox.rs"]
mod postbox;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::Response;
use axum::{Router, http};
use platform::{Sent, Tessera};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use transload_e2e::lab::{plugin_path, target_dir};
use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::pipeline::model::{RollbackOptions, RunOptions, RunState};
use transload_host::pipeline::{plan, rollback, run};
use transload_host::report::adds_up;
use transload_simulators::common::Clock;
use transload_simulators::kustomer::Kind;

const TOKEN: &str = "tes_0123456789";
const PER_MINUTE: u32 = 120;

/// A running Tessera. Clones are the same one.
#[derive(Clone)]
struct Desk {
    base_url: String,
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    account: Mutex<Tessera>,
    /// The minute, and the requests in it.
    window: Mutex<(i64, u32)>,
    /// Requests by their beginning whose next answer is lost on the way, each with how many of them pass before.
    lost: Mutex<Vec<(&'static str, usize)>>,
}

impl Desk {
    async fn start(clock: Clock) -> Self {
        let inner = Arc::new(Inner {
            account: Mutex::new(Tessera::new(clock.now_ms())),
            clock,
            window: Mutex::default(),
            lost: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api/1", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(answer)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base_url, inner }
    }

    fn account(&self) -> MutexGuard<'_, Tessera> {
        self.inner.account.lock().unwrap()
    }

    /// Answers that are still to be lost.
    fn to_be_lost(&self) -> Vec<(&'static str, usize)> {
        self.inner.lost.lock().unwrap().clone()
    }
}

impl Inner {
    /// The limit's numbers, or how many seconds to wait.
    fn admit(&self) -> Result<String, i64> {
        let now = self.clock.now_ms();
        let mut window = self.window.lock().unwrap();
        if window.0 != now / 60_000 {
            *window = (now / 60_000, 0);
        }
        let reset = 60 - now / 1_000 % 60;
        if window.1 == PER_MINUTE {
            return Err(reset);
        }
        window.1 += 1;
        let remaining = PER_MINUTE - window.1;
        Ok(format!(
            "limit={PER_MINUTE}, remaining={remaining}, reset={reset}"
        ))
    }

    fn loses(&self, request: &str) -> bool {
        let mut lost = self.lost.lock().unwrap();
        let of = lost
            .iter()
            .position(|(beginning, _)| request.starts_with(beginning));
        match of.map(|place| (place, lost[place].1)) {
            None => false,
            Some((place, 0)) => {
                lost.remove(place);
                true
            }
            Some((place, _)) => {
                lost[place].1 -= 1;
                false
            }
        }
    }
}

async fn answer(State(desk): State<Arc<Inner>>, request: Request) -> Response {
    let credential = request.headers().get(AUTHORIZATION);
    if credential.is_none_or(|value| value.as_bytes() != format!("Bearer {TOKEN}").as_bytes()) {
        return with(401, &json!({"error": "unauthorized"}), &[]);
    }
    let limit = match desk.admit() {
        Ok(limit) => limit,
        Err(reset) => {
            return with(
                429,
                &json!({"error": "slow_down"}),
                &[("retry-after", &reset.to_string())],
            );
        }
    };
    let method = request.method().as_str().to_owned();
    let url = request.uri().path_and_query().unwrap().as_str();
    let Some(url) = url.strip_prefix("/api/1").map(str::to_owned) else {
        return with(404, &json!({"error": "no such page"}), &[]);
    };
    let sent = sent(request).await;
    let now = desk.clock.now_ms();
    let (status, body) = {
        let mut account = desk.account.lock().unwrap();
        account.now = now;
        account.answer(&method, &url, sent)
    };
    // It was done; what stands between here and there says something else.
    if status < 300 && desk.loses(&format!("{method} {url}")) {
        return with(502, &json!({"error": "bad gateway"}), &[]);
    }
    with(status, &body, &[("ratelimit", &limit)])
}

async fn sent(request: Request) -> Sent {
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
    if form {
        let mut form = Multipart::from_request(request, &()).await.unwrap();
        let part = form.next_field().await.unwrap().unwrap();
        assert_eq!(part.name(), Some("file"));
        let name = part.file_name().unwrap().to_owned();
        let bytes = part.bytes().await.unwrap().to_vec();
        assert!(form.next_field().await.unwrap().is_none());
        return Sent::File { name, bytes };
    }
    let body = axum::body::to_bytes(request.into_body(), 64 << 20)
        .await
        .unwrap();
    if body.is_empty() {
        return Sent::Nothing;
    }
    Sent::Json(serde_json::from_slice(&body).unwrap())
}

fn with(status: u16, body: &Value, headers: &[(&str, &str)]) -> Response {
    let mut answer = http::Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    if status == 204 {
        return answer.body(Body::empty()).unwrap();
    }
    answer
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn private(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn migration(from: &str, to: &str) -> String {
    format!(
        r#"[migration]
from = "old"
to = "new"
store = "transload.db"
registry = "registry"

[connections.old]
plugin = "kustomer"
org = "acme"
base_url = "{from}"
token = "file:source.token"

[connections.new]
plugin = "tessera"
subdomain = "acme"
base_url = "{to}"
token = "file:tessera.token"

[budget]
share = 1.0
"#
    )
}

/// A customer of the source with an address and a name, as somebody whom the desk knows already.
fn known_there(lab: &Lab) -> Value {
    let world = lab.source.world();
    let people = world.ids(Kind::Customer).into_iter().filter_map(|id| {
        let json = world.json(&id)?;
        let attributes = &json["attributes"];
        let email = attributes["emails"][0]["email"].as_str()?;
        let name = attributes["name"]
            .as_str()
            .filter(|name| !name.is_empty())?;
        let plain =
            email.is_ascii() && !email.starts_with("agent") && attributes["deleted"] != true;
        plain.then(|| json!({"name": name, "email": email.to_lowercase()}))
    });
    people.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_is_installed_migrates_a_history_once_and_takes_it_back() {
    let config = LabConfig {
        size: 12,
        few: true,
        longest_thread: 6,
        largest_file: 2 * 1024,
        ..LabConfig::default()
    };
    let temp = tempfile::tempdir().unwrap();
    let lab = Lab::simulators(&config, temp.path().join("project"))
        .await
        .unwrap();
    let desk = Desk::start(lab.time.shown.clone()).await;
    {
        let mut account = desk.account();
        account.agents.push(
            json!({"id": "a2", "name": "Agent 2", "email": "agent2@acme.example", "active": true}),
        );
        let (status, _) = account.answer("POST", "/people", Sent::Json(known_there(&lab)));
        assert_eq!(status, 201);
    }
    let before = desk.account().print();

    std::fs::write(
        lab.dir.join("migration.toml"),
        migration(&lab.base_urls.0, &desk.base_url),
    )
    .unwrap();
    private(&lab.dir.join("tessera.token"), TOKEN);
    let cache = target_dir().join("e2e-cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::create_dir_all(lab.dir.join(".transload")).unwrap();
    std::os::unix::fs::symlink(cache, lab.dir.join(".transload/cache")).unwrap();
    for name in ["kustomer", "tessera"] {
        let path = plugin_path(name);
        let path = path.to_str().unwrap();
        lab.run(&["plugin", "add", path, "--unsigned", "--yes"], &[0])
            .await
            .unwrap();
    }
    let listed = lab.run(&["plugin", "list"], &[0]).await.unwrap();
    assert!(listed.contains("tessera"), "{listed}");

    let project = lab.project().await.unwrap();
    let planned = plan(&project, &Silent).await.unwrap();
    assert!(planned.check.ok, "{:#?}", planned.check);
    desk.inner.lost.lock().unwrap().extend([
        ("POST /people", 1),
        ("POST /tickets", 2),
        ("POST /fields", 1),
        ("DELETE /tickets", 1),
    ]);
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, options, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete, "{report:#?}");
    for sum in report.kinds.iter().chain([&report.total]) {
        assert!(adds_up(sum), "{sum:?}");
    }
    assert_eq!((report.duplicates, report.lost), (0, 0));
    // Files at a host that nobody allowed; Tessera itself refuses nothing.
    let foreign = |cause: &str| cause.contains("only if the host is allowed");
    let refused = report.rejects.iter().find(|group| !foreign(&group.cause));
    assert_eq!(refused, None);
    // Those of the run were lost as planned.
    assert_eq!(desk.to_be_lost(), [("DELETE /tickets", 1)]);
    {
        let account = desk.account();
        let markers: BTreeSet<&str> = account
            .tickets
            .values()
            .map(|ticket| ticket["ref"].as_str().unwrap())
            .collect();
        assert_eq!(markers.len(), account.tickets.len(), "each ticket once");
        let of_threads = |marker: &&&str| marker.contains(":conversation:");
        let threads = markers.iter().filter(of_threads).count() as u64;
        let sum = report.kinds.iter().find(|sum| sum.kind == "conversation");
        let sum = sum.unwrap();
        assert!(threads > 0);
        assert_eq!((sum.created, sum.rejected, sum.exported), (threads, 0, 0));
        assert_eq!(account.mails, 0);
        let entries = account
            .tickets
            .values()
            .flat_map(|ticket| ticket["entries"].as_array().unwrap());
        let entries: Vec<&Value> = entries.collect();
        assert!(
            entries
                .iter()
                .any(|entry| !entry["files"].as_array().unwrap().is_empty()),
            "no file arrived"
        );
        assert!(
            entries.iter().any(|entry| entry["by"] == "agent:a2"),
            "nothing by an agent who is here"
        );
    }

    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    assert_eq!(desk.to_be_lost(), []);
    assert_eq!(desk.account().print(), before);
}
