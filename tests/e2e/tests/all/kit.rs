//! As a third party: from an empty folder to a connector that is built, tested, installed and running, by the commands of
//! `docs/write-a-connector.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helpers fail as a test does"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tempfile::TempDir;
use tokio::net::TcpListener;
use transload_e2e::lab::{binary, plugin_path, root, target_dir};
use transload_e2e::{Lab, LabConfig};
use transload_host::conformance::cases::Cases;
use transload_host::conformance::{Conformance, Platform, TestTime, Verdict};

/// A person's machine: an empty folder, and a home in which the commands install things.
struct Desk {
    home: TempDir,
    /// Where commands are given.
    at: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = home.path().join("work");
        std::fs::create_dir(&at).unwrap();
        Self { home, at }
    }

    /// A command as that person has it. What was built for the tests is not built again.
    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cargo"),
            PathBuf::from,
        );
        let rustup_home = std::env::var_os("RUSTUP_HOME").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".rustup"),
            PathBuf::from,
        );
        command
            .current_dir(&self.at)
            .stdin(Stdio::null())
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", self.home.path().join("data"))
            .env("XDG_CACHE_HOME", self.home.path().join("cache"))
            .env("CARGO_HOME", cargo_home)
            .env("RUSTUP_HOME", rustup_home)
            .env("CARGO_TARGET_DIR", target_dir())
            .env("TRANSLOAD_SDK", root())
            .env("NO_COLOR", "1");
        command
    }

    /// Gives a command line of the page.
    fn gives(&mut self, line: &str) -> Output {
        let words = words(line);
        let (first, rest) = words.split_first().unwrap();
        match first.as_str() {
            "cd" => {
                self.at = self.at.join(rest.first().unwrap());
                // The versions that the workspace has, so that nothing new is had from the network.
                std::fs::copy(root().join("Cargo.lock"), self.at.join("Cargo.lock")).unwrap();
                Command::new("true").output().unwrap()
            }
            "transload" => {
                let output = self.command().args(rest).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout);
                let also = String::from_utf8_lossy(&output.stderr);
                println!("$ {line}\n{said}{also}");
                assert!(output.status.success(), "{line}\n{said}{also}");
                output
            }
            other => panic!("the page has a command that nobody has: {other}"),
        }
    }
}

/// A command line's words; quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (vec![], String::new(), false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of a page, in their order.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```console\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    lines
        .filter_map(|line| line.strip_prefix("$ ").map(str::to_owned))
        .collect()
}

fn result(folder: &Path, name: &str) -> Conformance {
    Conformance::read(&folder.join(format!("{name}-0.1.0.conformance.json"))).unwrap()
}

/// Serves a mock, so that a run can reach it.
async fn serve(cases: &Path) -> (String, Arc<dyn Platform>) {
    let now = chrono::Utc::now().timestamp_millis();
    let mock = (Cases::load(cases).unwrap().opens())(&TestTime::at(now));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&mock));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (base, mock)
}

async fn answer(State(mock): State<Arc<dyn Platform>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.iter().map(|(name, value)| {
        (
            name.to_string(),
            value.to_str().unwrap_or_default().to_owned(),
        )
    });
    let asked = transload_host::conformance::Request {
        method: parts.method.to_string(),
        host: String::new(),
        target: parts.uri.path_and_query().unwrap().to_string(),
        headers: headers.collect(),
        body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        at: chrono::Utc::now().timestamp_millis(),
    };
    let said = mock.answer(asked).await.unwrap();
    let mut response = Response::builder().status(said.status);
    for (name, value) in said.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(said.body)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_leads_from_an_empty_folder_to_a_connector_that_runs() {
    let mut desk = Desk::new();
    for line in commands(&root().join("docs/write-a-connector.md")) {
        desk.gives(&line);
    }
    let tested = result(&desk.at, "acme-desk");
    assert!(tested.passed && tested.thorough, "{}", tested.text());
    assert_eq!(tested.count(Verdict::Skipped), 0);

    it_runs(desk, "acme-desk").await;
}

/// A simulated history goes to the mock, by the command and the connector that was installed, and comes back from there.
async fn it_runs(mut desk: Desk, name: &str) {
    let config = LabConfig {
        size: 4,
        few: true,
        longest_thread: 3,
        largest_file: 256,
        ..LabConfig::default()
    };
    let temp = tempfile::tempdir().unwrap();
    let lab = Lab::simulators(&config, temp.path().join("project"))
        .await
        .unwrap();
    let (base, mock) = serve(&desk.at.join("conformance")).await;
    let before = mock.held();
    std::fs::write(lab.dir.join("new.token"), "a-token-for-tests").unwrap();
    let migration = format!(
        "[migration]\nfrom = \"old\"\nto = \"new\"\n\n[connections.old]\nplugin = \"kustomer\"\norg = \"acme\"\n\
         base_url = \"{}\"\ntoken = \"file:source.token\"\n\n[connections.new]\nplugin = \"{name}\"\nsubdomain = \"acme\"\n\
         base_url = \"{base}\"\ntoken = \"file:new.token\"\n\n[budget]\nshare = 1.0\n",
        lab.base_urls.0
    );
    std::fs::write(lab.dir.join("migration.toml"), migration).unwrap();
    private(&lab.dir.join("new.token"));
    desk.at.clone_from(&lab.dir);
    let source = plugin_path("kustomer");
    tokio::task::spawn_blocking(move || {
        desk.gives(&format!(
            "transload plugin add {} --unsigned --yes",
            source.display()
        ));
        desk.gives("transload run --dry-run");
        assert_eq!(mock.held(), before, "a dry run changed something");
        let ran = desk.gives("transload run --yes");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(said.contains("complete"), "{said}");
        // Each kind came as the dry run had said; one of the two marks is in the heading.
        let otherwise = said.matches('≠').count();
        assert!(otherwise == 1 && said.contains("by the dry run"), "{said}");
        let held = mock.held().unwrap();
        let tickets = held.get("tickets").and_then(|t| t.as_array()).unwrap();
        assert!(!tickets.is_empty(), "{held}");
        desk.gives("transload verify --all");
        desk.gives("transload rollback --yes");
        assert_eq!(mock.held(), before);
    })
    .await
    .unwrap();
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_new_source_is_built_and_conforms() {
    let mut desk = Desk::new();
    for line in [
        "transload plugin new acme-mail --role source",
        "cd acme-mail",
        "transload plugin build",
        "transload plugin test acme-mail.wasm",
    ] {
        desk.gives(line);
    }
    let tested = result(&desk.at, "acme-mail");
    assert!(tested.passed, "{}", tested.text());
}

/// The same way in Python, as far as the conformance test.
fn a_connector_in_python_conforms(name: &str, role: &str) -> Option<Desk> {
    let tools = target_dir().join("python/venv/bin/componentize-py");
    if !tools.is_file() {
        println!(
            "SKIPPED: {} is not there; `cargo xtask plugins` says what Python it wants",
            tools.display()
        );
        return None;
    }
    let mut desk = Desk::new();
    for line in [
        format!("transload plugin new {name} --role {role} --lang python --title \"Acme Corp\""),
        format!("cd {name}"),
        "transload plugin build".to_owned(),
        format!("transload plugin check {name}.wasm"),
        format!("transload plugin test {name}.wasm --quick"),
    ] {
        desk.gives(&line);
    }
    let tested = result(&desk.at, name);
    assert!(tested.passed, "{}", tested.text());
    // Its own tests, as its README says.
    let tests = Command::new(desk.at.join(".venv/bin/python"))
        .args(["-m", "unittest", "discover", "tests"])
        .current_dir(&desk.at)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stderr);
    let ran = tests.status.success() && !said.contains("Ran 0 tests");
    assert!(ran, "{said}");
    Some(desk)
}

#[test]
fn a_source_in_python_is_begun_built_and_passes_the_conformance_test() {
    a_connector_in_python_conforms("acme-mail", "source");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_in_python_is_begun_built_tested_installed_and_runs() {
    let Some(mut desk) = a_connector_in_python_conforms("acme-desk", "destination") else {
        return;
    };
    desk.gives("transload plugin add acme-desk.wasm --unsigned --yes");
    it_runs(desk, "acme-desk").await;
}
