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
    /// Compiled components. Two people of a test share them, to save time: they are found by their digests.
    cache: PathBuf,
    /// What the person has set.
    env: Vec<(&'static str, String)>,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = home.path().join("work");
        std::fs::create_dir(&at).unwrap();
        let cache = home.path().join("cache");
        Self {
            home,
            at,
            cache,
            env: vec![],
        }
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
            .env("XDG_CACHE_HOME", &self.cache)
            .env("CARGO_HOME", cargo_home)
            .env("RUSTUP_HOME", rustup_home)
            .env("CARGO_TARGET_DIR", target_dir())
            .env("TRANSLOAD_SDK", root())
            .env("NO_COLOR", "1")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Gives a command line that asks: without an answer it says what it would do and does nothing; then the answer is yes.
    fn decides(&self, line: &str) -> Output {
        let words = words(line);
        let output = self.command().args(words.iter().skip(1)).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        println!("$ {line}\n{shown}");
        assert_eq!(output.status.code(), Some(2), "{line}\n{shown}");
        let why = ["nobody can be asked", "is not approved"];
        assert!(why.iter().any(|why| shown.contains(why)), "{shown}");
        if line.contains(" plugin add ") {
            for words in ["the first of this name", "It asks for:", "credential"] {
                assert!(shown.contains(words), "{words} in {shown}");
            }
        }
        self.said(&format!("{line} --yes"))
    }

    /// Gives a command line and shows what it says.
    fn said(&self, line: &str) -> Output {
        let words = words(line);
        let output = self.command().args(words.iter().skip(1)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let also = String::from_utf8_lossy(&output.stderr);
        println!("$ {line}\n{said}{also}");
        assert!(output.status.success(), "{line}\n{said}{also}");
        output
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
            "transload" => self.said(line),
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
fn commands(text: &str) -> Vec<String> {
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

/// The page's two people: an author, and a team that has nothing of the author's but a name, a place and a public key.
struct Page {
    author: Vec<String>,
    team: Vec<String>,
    migration: String,
}

impl Page {
    fn read() -> Self {
        let text = std::fs::read_to_string(root().join("docs/write-a-connector.md")).unwrap();
        let (author, team) = text.split_once("\n## 6.").unwrap();
        let toml = team.split("```toml\n").nth(1).unwrap();
        Self {
            author: commands(author),
            team: commands(team),
            migration: toml.split("```").next().unwrap().to_owned(),
        }
    }
}

/// The page's way in a language, from an empty folder to what a run left, and back.
async fn the_page_is_gone(lang: &str) {
    let page = Page::read();
    let mut author = Desk::new();
    let mut public = String::new();
    for line in &page.author {
        let line = line.replace("--lang rust", &format!("--lang {lang}"));
        let output = author.gives(&line);
        if line.starts_with("transload plugin key new") {
            public = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
    }
    assert!(public.starts_with("ed25519:"), "the page makes no key");
    if lang == "python" {
        its_own_tests_pass(&author);
    }
    let tested = result(&author.at, "acme-desk");
    assert!(tested.passed && tested.thorough, "{}", tested.text());
    assert_eq!(tested.count(Verdict::Skipped), 0);

    let config = LabConfig {
        size: 4,
        few: true,
        longest_thread: 3,
        largest_file: 256,
        ..LabConfig::default()
    };
    let project = author.at.with_file_name("migration");
    let lab = Lab::simulators(&config, project).await.unwrap();
    let (base, mock) = serve(&author.at.join("conformance")).await;
    let mut team = Desk::new();
    team.at.clone_from(&lab.dir);
    team.cache.clone_from(&author.cache);
    std::fs::create_dir(lab.dir.join(".transload")).unwrap();
    std::os::unix::fs::symlink(
        team.cache.join("transload"),
        lab.dir.join(".transload/cache"),
    )
    .unwrap();
    let token = std::fs::read_to_string(lab.dir.join("source.token")).unwrap();
    team.env = vec![
        ("KUSTOMER_TOKEN", token),
        ("ACME_TOKEN", "a-token-for-tests".to_owned()),
    ];
    // Simulator and mock are in the places of the platforms; all else is the page's.
    let here = |text: String, setting: &str, base: &str| {
        assert!(text.contains(setting), "{setting} in {text}");
        text.replace(setting, &format!("{setting}base_url = \"{base}\"\n"))
    };
    let migration = here(page.migration, "org = \"acme\"\n", &lab.base_urls.0);
    let migration = here(migration, "subdomain = \"acme\"\n", &base);
    let migration = format!("{migration}\n[budget]\nshare = 1.0\n");
    std::fs::write(lab.dir.join("migration.toml"), migration).unwrap();
    tokio::task::spawn_blocking(move || the_team_runs_it(team, &page.team, &public, mock.as_ref()))
        .await
        .unwrap();
}

/// What the platform team does, with the key that it was told.
fn the_team_runs_it(mut team: Desk, lines: &[String], public: &str, mock: &dyn Platform) {
    let before = mock.held();
    the_other_connector(&team);
    let mut ran = false;
    for line in lines {
        let line: Vec<&str> = line
            .split(' ')
            .map(|word| match word.starts_with("ed25519:") {
                true => public,
                false => word,
            })
            .collect();
        let line = line.join(" ");
        let output = match line.as_str() {
            "transload run" | "transload rollback" => team.decides(&line),
            _ if line.starts_with("transload plugin add") => team.decides(&line),
            _ => team.gives(&line),
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if line.starts_with("transload plugin show") {
            let signed = format!("signed by  {public}");
            for words in [&signed, "allowed    all that it asks for"] {
                assert!(said.contains(words), "{words} in {said}");
            }
        } else if line == "transload plugin lock" {
            let lock = std::fs::read_to_string(team.at.join("transload.lock")).unwrap();
            assert!(
                lock.contains("name = \"acme-desk\"") && lock.contains(public),
                "{lock}"
            );
        } else if line == "transload run --dry-run" {
            assert_eq!(mock.held(), before, "a dry run changed something");
        } else if line == "transload run" {
            assert!(said.contains("complete"), "{said}");
            // Each kind came as the dry run had said; one of the two marks is in the heading.
            let otherwise = said.matches('≠').count();
            assert!(otherwise == 1 && said.contains("by the dry run"), "{said}");
            let held = mock.held().unwrap();
            let tickets = held.get("tickets").and_then(|t| t.as_array()).unwrap();
            assert!(!tickets.is_empty(), "{held}");
            ran = true;
        }
    }
    assert!(ran, "the page runs nothing");
    assert_eq!(mock.held(), before);
}

/// Kustomer's connector, from whoever publishes it: another key, another registry, and the same way.
fn the_other_connector(team: &Desk) {
    let mut maker = Desk::new();
    maker.cache.clone_from(&team.cache);
    let made = maker.gives("transload plugin key new maker.pem");
    let public = String::from_utf8(made.stdout).unwrap();
    let (component, place) = (plugin_path("kustomer"), maker.at.join("plugins"));
    let (component, place) = (component.display(), place.display());
    maker.gives(&format!(
        "transload plugin publish {component} --to {place} --key maker.pem"
    ));
    let shown = team.decides(&format!(
        "transload plugin add kustomer --from {place} --index-key {}",
        public.trim()
    ));
    assert!(shown.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_leads_from_an_empty_folder_to_a_published_connector_that_a_stranger_runs() {
    the_page_is_gone("rust").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_leads_there_in_python_too() {
    if python_tools() {
        the_page_is_gone("python").await;
    }
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

/// Whether components can be made of Python here.
fn python_tools() -> bool {
    let tools = target_dir().join("python/venv/bin/componentize-py");
    if !tools.is_file() {
        println!(
            "SKIPPED: {} is not there; `cargo xtask plugins` says what Python it wants",
            tools.display()
        );
    }
    tools.is_file()
}

#[test]
fn a_source_in_python_is_begun_built_and_passes_the_conformance_test() {
    if !python_tools() {
        return;
    }
    let mut desk = Desk::new();
    for line in [
        "transload plugin new acme-mail --role source --lang python --title \"Acme Corp\"",
        "cd acme-mail",
        "transload plugin build",
        "transload plugin check acme-mail.wasm",
        "transload plugin test acme-mail.wasm --quick",
    ] {
        desk.gives(line);
    }
    let tested = result(&desk.at, "acme-mail");
    assert!(tested.passed, "{}", tested.text());
    its_own_tests_pass(&desk);
}

/// A connector's tests in Python, as its README gives them.
fn its_own_tests_pass(desk: &Desk) {
    let tests = Command::new(desk.at.join(".venv/bin/python"))
        .args(["-m", "unittest", "discover", "tests"])
        .current_dir(&desk.at)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stderr);
    let ran = tests.status.success() && !said.contains("Ran 0 tests");
    assert!(ran, "{said}");
}
