//! Packages as a third party and a team that does not trust it use them: signed, published to a folder and to an OCI registry, installed
//! by name with what a person allowed, held by a lock, carried in a bundle, taken back; and runs that go by all that.
//!
//! The connectors are those of `tests/hostile`, which keep to what they are told; a later version of one is the same component with
//! another number in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::hostile::desk::Desk;
use serde_json::Value;
use tempfile::TempDir;
use transload_e2e::Silent;
use transload_e2e::lab::{binary, plugin_bytes, shared_cache, target_dir};
use transload_host::clock::{SharedClock, SystemClock};
use transload_host::config::Config;
use transload_host::pipeline::model::{RunOptions, RunReport, RunState};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::run;
use transload_host::plugins::catalog::Catalog;
use transload_host::sandbox::{Sandbox, SandboxConfig};

const NAME: &str = "hostile-destination";

/// The destination's component under another version.
fn version(number: &str) -> Vec<u8> {
    patched(&plugin_bytes(NAME).unwrap(), "7.1.0", number)
}

/// The same, and what it sends is another request: it asks for more.
fn asking_for_more(number: &str) -> Vec<u8> {
    patched(&version(number), "/customers/*", "/customerz/*")
}

/// Other words of the same length in a component.
fn patched(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = component.to_vec();
    let mut found = 0;
    let mut at = 0;
    while let Some(next) = bytes[at..]
        .windows(from.len())
        .position(|part| part == from.as_bytes())
    {
        at += next;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        at += to.len();
        found += 1;
    }
    assert!(found > 0 || from == to, "{from} is nowhere");
    bytes
}

/// A machine: a folder of packages and the command.
struct Machine {
    temp: TempDir,
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Machine {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("cache")).unwrap();
        std::os::unix::fs::symlink(shared_cache().unwrap(), temp.path().join("cache/transload"))
            .unwrap();
        Self { temp }
    }

    fn path(&self, name: &str) -> String {
        self.temp.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn root(&self) -> PathBuf {
        self.temp.path().join("registry")
    }

    fn run(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(binary());
        command
            .current_dir(self.temp.path())
            .env("XDG_CACHE_HOME", self.temp.path().join("cache"))
            .env("HOME", self.temp.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .args(["--registry", "registry", "plugin"])
            .args(args);
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        println!(
            "$ transload plugin {}\n{}{}",
            args.join(" "),
            text(&output.stdout),
            text(&output.stderr)
        );
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    fn ok(&self, args: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, 0, "{args:?}: {}", ended.err);
        ended.out
    }

    /// It ends with that code, and says these words.
    fn fails(&self, args: &[&str], code: i32, words: &[&str]) -> String {
        let ended = self.run(args);
        assert_eq!(ended.code, code, "{args:?}: {}", ended.err);
        for word in words.iter().chain(&["help: "]) {
            assert!(ended.err.contains(word), "{word} in {}", ended.err);
        }
        ended.err
    }

    /// A new key; its file and the public one.
    fn key(&self, name: &str) -> (String, String) {
        let path = self.path(name);
        let public = self.ok(&["key", "new", &path]);
        (path, public.trim().to_owned())
    }

    fn installed(&self) -> Vec<String> {
        let list: Value = serde_json::from_str(&self.ok(&["list", "--json"])).unwrap();
        let all = list.as_array().unwrap().iter();
        all.map(|of| {
            format!(
                "{}@{}",
                of["name"].as_str().unwrap(),
                of["version"].as_str().unwrap()
            )
        })
        .collect()
    }
}

/// A real registry server of this machine's, if it has one.
struct OciServer {
    child: Child,
    host: String,
    _temp: TempDir,
}

impl OciServer {
    fn start() -> Option<Self> {
        let temp = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let host = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog:\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {host}\n",
            temp.path().join("data").display()
        );
        let path = temp.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let child = Command::new("docker-registry")
            .args(["serve", path.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(e) => {
                eprintln!(
                    "SKIPPED: no OCI registry was tested, docker-registry does not start ({e}); `apt-get install docker-registry`"
                );
                return None;
            }
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listens = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line.contains("listening on"));
        assert!(listens, "docker-registry ended before it listened");
        // Read on, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            host,
            _temp: temp,
        })
    }
}

impl Drop for OciServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a third party and a team do, whatever sort of registry is between them.
fn from_publisher_to_team(address: &str) {
    let (theirs, ours) = (Machine::new(), Machine::new());
    let (key, public) = theirs.key("publisher.pem");
    let publish = |bytes: &[u8], key: &str| {
        let file = theirs.file("desk.wasm", bytes);
        theirs.run(&["publish", &file, "--to", address, "--key", key])
    };

    ours.fails(
        &["add", NAME, "--from", address, "--yes"],
        2,
        &["nothing was published there"],
    );
    let ended = publish(&version("7.1.0"), &key);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.out.contains("index      number 1, good until"),
        "{}",
        ended.out
    );
    assert!(
        publish(&version("7.1.0"), &key)
            .out
            .contains("there already")
    );

    // Nobody is asked who cannot answer; a registry that is met for the first time says whose it is.
    let said = ours.fails(
        &["add", NAME, "--from", address],
        2,
        &["nobody can be asked"],
    );
    assert!(
        said.contains("is met for the first time") && said.contains(&public),
        "{said}"
    );
    let other = ours.key("other.pem").1;
    let args = [
        "add",
        NAME,
        "--from",
        address,
        "--index-key",
        &other,
        "--yes",
    ];
    ours.fails(&args, 2, &[&public, "ask whoever keeps it"]);
    let args = ["add", NAME, "--from", address, "--index-key", &public];
    let said = ours.fails(&args, 2, &["nobody can be asked"]);
    for words in [
        "the first of this name",
        &public,
        "It asks for:",
        "changes by  POST /customers, DELETE /customers/*",
        "from token",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    assert_eq!(ours.installed(), Vec::<String>::new());
    ours.ok(&[args.as_slice(), &["--yes"]].concat());
    let shown: Value = serde_json::from_str(&ours.ok(&["show", NAME, "--json"])).unwrap();
    assert_eq!(shown["trust"]["key"], public.as_str());
    assert_eq!(shown["trust"]["not_granted"], serde_json::json!([]));

    // A version that asks for no more needs no yes; one that asks for more is no successor in its series.
    let ended = publish(&version("7.1.1"), &key);
    assert!(
        ended.out.contains("follows    hostile-destination@7.1.0"),
        "{}{}",
        ended.out,
        ended.err
    );
    ours.ok(&["add", NAME]);
    assert_eq!(
        ours.installed(),
        ["hostile-destination@7.1.0", "hostile-destination@7.1.1"]
    );
    let ended = publish(&asking_for_more("7.2.0"), &key);
    assert_eq!(ended.code, 2);
    for words in [
        "does not follow hostile-destination@7.1.1",
        "it asks for more: request DELETE /customerz/*",
        "8.0.0",
    ] {
        assert!(ended.err.contains(words), "{words} in {}", ended.err);
    }
    let ended = publish(&asking_for_more("8.0.0"), &key);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let said = ours.fails(&["add", NAME], 2, &["nobody can be asked"]);
    for words in [
        "asks for more than was allowed before",
        "+ changes by  DELETE /customerz/*",
        "- changes by  DELETE /customers/*",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    ours.ok(&["add", NAME, "--yes"]);

    // A name is its first publisher's.
    let (stranger, _) = theirs.key("stranger.pem");
    let ended = publish(&version("7.1.2"), &stranger);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("cannot publish"), "{}", ended.err);

    // Yanked: for nobody new. Revoked: for nobody.
    let mark = ["--to", address, "--key", &key, "--reason", "it loses files"];
    theirs.ok(&[&["yank", "hostile-destination@8.0.0"], mark.as_slice()].concat());
    let fresh = Machine::new();
    fresh.ok(&["add", NAME, "--from", address, "--yes"]);
    assert_eq!(fresh.installed(), ["hostile-destination@7.1.1"]);
    assert!(ours.ok(&["audit"]).contains("yanked"));
    theirs.ok(&[
        &["revoke", "hostile-destination@7.1.1", "--yes"],
        mark.as_slice(),
    ]
    .concat());
    let ended = fresh.run(&["audit"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.out.contains("was revoked") && ended.out.contains("it loses files"),
        "{}",
        ended.out
    );
    let again = Machine::new();
    again.fails(
        &[
            "add",
            "hostile-destination@7.1.1",
            "--from",
            address,
            "--yes",
        ],
        2,
        &["revoked: it loses files"],
    );
}

#[test]
fn a_plugin_goes_from_its_publisher_to_a_team_through_a_folder() {
    let temp = tempfile::tempdir().unwrap();
    from_publisher_to_team(&format!("file://{}", temp.path().join("plugins").display()));
}

#[test]
fn a_plugin_goes_from_its_publisher_to_a_team_through_an_oci_registry() {
    let Some(server) = OciServer::start() else {
        return;
    };
    from_publisher_to_team(&format!("oci://{}/acme/plugins", server.host));
}

#[tokio::test]
async fn what_is_pushed_is_an_artifact_that_other_tools_read() {
    let Some(server) = OciServer::start() else {
        return;
    };
    let machine = Machine::new();
    let (key, _) = machine.key("publisher.pem");
    let component = version("7.1.0");
    let file = machine.file("desk.wasm", &component);
    let address = format!("oci://{}/acme/plugins", server.host);
    let result = |passed: bool, sha256: &str| {
        let result = serde_json::json!({
            "format": 1, "name": NAME, "version": "7.1.0", "role": "destination", "sha256": sha256, "contract": "0.1.0",
            "tested_by": "a test", "against": "nothing", "at": 0, "thorough": false, "passed": passed, "checks": [],
        });
        result.to_string().into_bytes()
    };
    let sha256 = transload_host::sandbox::digest(&component);
    let passed = result(true, &sha256);
    // As `plugin test` leaves it beside the component.
    let beside = format!("{NAME}-7.1.0.conformance.json");
    let publish = ["publish", &file, "--to", &address, "--key", &key];
    machine.file(&beside, &result(false, &sha256));
    machine.fails(&publish, 2, &["did not pass", &beside]);
    machine.file(&beside, &result(true, "0123"));
    machine.fails(&publish, 2, &["another component"]);
    machine.file(&beside, &passed);
    machine.ok(&publish);

    // As any client would ask, without a line of ours.
    let base = format!("http://{}/v2/acme/plugins/{NAME}", server.host);
    let accept = "application/vnd.oci.image.manifest.v1+json";
    let get = |url: String| http_get(&server.host, url, accept);
    let manifest: Value = serde_json::from_slice(&get(format!("{base}/manifests/7.1.0"))).unwrap();
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(manifest["mediaType"], accept);
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["mediaType"], "application/wasm");
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.version"],
        "7.1.0"
    );
    let blob = |of: &Value| get(format!("{base}/blobs/{}", of["digest"].as_str().unwrap()));
    assert_eq!(blob(&layers[0]), component);
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"][0], layers[0]["digest"]);
    let exports = config["component"]["exports"].as_array().unwrap();
    assert!(
        exports.contains(&"transload:connector/destination@0.1.0".into()),
        "{exports:?}"
    );
    let result: Value =
        serde_json::from_slice(&get(format!("{base}/manifests/7.1.0.conformance"))).unwrap();
    assert_eq!(blob(&result["layers"][0]), passed);

    // And a client that others have written, with its own view of what a manifest is.
    let Some(python) = oras() else {
        return;
    };
    let pull = format!(
        "import oras.client, pathlib\n\
         client = oras.client.OrasClient(insecure=True)\n\
         target = '{}/acme/plugins/{NAME}:7.1.0'\n\
         assert '7.1.0' in client.get_tags(target), client.get_tags(target)\n\
         [file] = map(pathlib.Path, client.pull(target, outdir='pulled'))\n\
         assert file.name == '{NAME}.wasm', file\n",
        server.host
    );
    let output = Command::new(python)
        .args(["-I", "-c", &pull])
        .current_dir(machine.temp.path())
        .env("HOME", machine.temp.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let pulled = machine.path(&format!("pulled/{NAME}.wasm"));
    let bytes = std::fs::read(&pulled).unwrap();
    assert_eq!(transload_host::sandbox::digest(&bytes), sha256);
    // What it pulled is installed as any file is.
    let ended = machine.run(&["add", &pulled, "--unsigned", "--yes"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
}

/// The Python that has `oras`, if `cargo xtask test` could make one.
fn oras() -> Option<PathBuf> {
    let place = target_dir().join("python/oras");
    if !place.join("made-of.txt").is_file() {
        eprintln!(
            "SKIPPED: no other client pulled what was pushed; `cargo xtask test` installs one (oras, by pip)"
        );
        return None;
    }
    Some(place.join("bin/python"))
}

/// One GET by hand.
fn http_get(host: &str, url: String, accept: &str) -> Vec<u8> {
    use std::io::{Read as _, Write as _};
    let path = url.split_once(host).unwrap().1.to_owned();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n"
    )
    .unwrap();
    let mut answer = vec![];
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    assert!(head.contains(" 200 "), "{path}: {head}");
    answer.split_off(end + 4)
}

#[test]
fn an_older_a_forked_or_an_ended_index_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("plugins");
    let address = folder.to_str().unwrap();
    let (theirs, ours) = (Machine::new(), Machine::new());
    let (key, _) = theirs.key("publisher.pem");
    let publish = |number: &str| {
        let file = theirs.file("desk.wasm", &version(number));
        theirs.ok(&["publish", &file, "--to", address, "--key", &key]);
    };
    let index = folder.join("registry.json");
    publish("7.1.0");
    let old = std::fs::read(&index).unwrap();
    publish("7.1.1");
    ours.ok(&["add", NAME, "--from", address, "--yes"]);
    let new = std::fs::read(&index).unwrap();
    std::fs::write(&index, &old).unwrap();
    ours.fails(&["add", NAME], 2, &["rollback", "number 1", "number 2"]);
    let ended = ours.run(&["audit"]);
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("rollback"), "{}", ended.out);
    std::fs::remove_file(&index).unwrap();
    ours.fails(&["add", NAME], 2, &["rollback"]);
    // Another number 2, by the very same key.
    std::fs::write(&index, &old).unwrap();
    let thief = Machine::new();
    thief.ok(&["publish", "--renew", "--to", address, "--key", &key]);
    ours.fails(&["add", NAME], 2, &["fork"]);
    std::fs::write(&index, new).unwrap();
    ours.ok(&["add", NAME]);
    // Ended: made long ago, by the test's hand.
    let secret = transload_registry::SecretKey::load(Path::new(&key)).unwrap();
    let mut ended = transload_registry::Index::first(secret.public());
    ended.number = 7;
    std::fs::write(
        &index,
        ended.seal(&secret, 1_700_000_000_000, 1_000).unwrap(),
    )
    .unwrap();
    ours.fails(&["add", NAME], 2, &["freeze", "--renew"]);
    // Its publisher renews it, and it counts again.
    theirs.ok(&["publish", "--renew", "--to", address, "--key", &key]);
    ours.fails(&["add", NAME], 2, &["has no hostile-destination"]);
}

#[test]
fn a_name_keeps_the_key_of_its_first_package() {
    let machine = Machine::new();
    let (ours, public) = machine.key("publisher.pem");
    let (others, _) = machine.key("others.pem");
    let file = machine.file("desk.wasm", &version("7.1.0"));
    machine.fails(&["add", &file], 2, &["is not signed", "--unsigned"]);
    machine.fails(
        &["add", &file, "--unsigned"],
        2,
        &["nobody can be asked", "NOBODY"],
    );
    machine.ok(&["key", "sign", &file, "--key", &ours]);
    machine.ok(&["add", &file, "--yes"]);
    assert!(machine.ok(&["key", "list"]).contains(&public));

    let file = machine.file("desk.wasm", &version("7.1.1"));
    // The signature beside it is that of the former component.
    machine.fails(
        &["add", &file, "--yes"],
        2,
        &["the signature is for hostile-destination@7.1.0"],
    );
    machine.ok(&["key", "sign", &file, "--key", &others]);
    machine.fails(
        &["add", &file, "--yes", "--unsigned"],
        2,
        &["is pinned to", &public, "key forget"],
    );
    let signature = std::fs::read_to_string(format!("{file}.sig")).unwrap();
    let forged = signature.replace(
        &machine.ok(&["key", "show", &others]).trim().to_owned(),
        &public,
    );
    std::fs::write(format!("{file}.sig"), forged).unwrap();
    machine.fails(&["add", &file, "--yes"], 2, &["is false"]);
    std::fs::remove_file(format!("{file}.sig")).unwrap();
    machine.fails(
        &["add", &file, "--yes", "--unsigned"],
        2,
        &["is not signed, but"],
    );
    // Removing what is installed frees the name for nobody.
    machine.ok(&["remove", NAME, "--yes"]);
    machine.fails(
        &["add", &file, "--yes", "--unsigned"],
        2,
        &["is not signed, but"],
    );
    machine.ok(&["key", "forget", NAME, "--yes"]);
    machine.ok(&["add", &file, "--yes", "--unsigned"]);
    assert!(machine.ok(&["audit"]).contains("not signed"));
}

#[test]
fn a_bundle_is_installed_with_the_same_checks() {
    let (from, to) = (Machine::new(), Machine::new());
    let (key, public) = from.key("publisher.pem");
    let file = from.file("desk.wasm", &version("7.1.0"));
    from.ok(&["key", "sign", &file, "--key", &key]);
    from.ok(&["add", &file, "--yes"]);
    let bundle = from.path("plugins.bundle");
    assert!(
        from.ok(&["export", NAME, "--out", &bundle])
            .contains(&public)
    );
    to.fails(
        &["add", &bundle],
        2,
        &["nobody can be asked", "the first of this name"],
    );
    let bytes = std::fs::read(&bundle).unwrap();
    let changed = to.file("changed.bundle", &patched(&bytes, "7.1.0", "7.1.9"));
    to.fails(&["add", &changed, "--yes"], 2, &["changed.bundle"]);
    let cut = to.file("cut.bundle", &bytes[..bytes.len() / 2]);
    to.fails(&["add", &cut, "--yes"], 2, &["cut.bundle"]);
    assert_eq!(to.installed(), Vec::<String>::new());
    to.ok(&["add", &bundle, "--yes"]);
    assert_eq!(to.installed(), ["hostile-destination@7.1.0"]);
    let list: Value = serde_json::from_str(&to.ok(&["list", "--json"])).unwrap();
    assert_eq!(list[0]["key"], public.as_str());
}

/// Two desks and a project on a machine.
struct Stage {
    machine: Machine,
    destination: Desk,
    _source: Desk,
}

impl Stage {
    async fn new() -> Self {
        let machine = Machine::new();
        let source = Desk::start("source", "source-secret", 3).await;
        let destination = Desk::start("destination", "destination-secret", 0).await;
        let private = |name: &str, text: &str| {
            use std::io::Write as _;
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            options
                .open(machine.path(name))
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        };
        private("source.token", "source-secret");
        private("destination.token", "destination-secret");
        let text = format!(
            "[migration]\nfrom = \"old\"\nto = \"new\"\nregistry = \"registry\"\n[connections.old]\nplugin = \"hostile-source\"\n\
             base_url = \"{}\"\ntoken = \"file:source.token\"\n[connections.new]\nplugin = \"{NAME}\"\nbase_url = \"{}\"\n\
             token = \"file:destination.token\"\n",
            source.base_url, destination.base_url
        );
        machine.file("migration.toml", text.as_bytes());
        let state = machine.temp.path().join(".transload");
        std::fs::create_dir(&state).unwrap();
        std::os::unix::fs::symlink(shared_cache().unwrap(), state.join("cache")).unwrap();
        let file = machine.file("source.wasm", &plugin_bytes("hostile-source").unwrap());
        machine.ok(&["add", &file, "--unsigned", "--yes"]);
        Self {
            machine,
            destination,
            _source: source,
        }
    }

    fn install(&self, number: &str) {
        let file = self.machine.file("desk.wasm", &version(number));
        self.machine.ok(&["add", &file, "--unsigned", "--yes"]);
    }

    async fn project(&self) -> Project {
        let dir = self.machine.temp.path();
        let config = Config::load(&dir.join("migration.toml")).unwrap();
        Project::open_with(dir, config, None, Arc::new(SystemClock))
            .await
            .unwrap()
    }

    async fn run(&self, project: &Project) -> RunReport {
        let options = RunOptions {
            yes: true,
            ..RunOptions::default()
        };
        let report = run(project, options, &Silent).await.unwrap();
        assert_eq!(report.state, RunState::Complete);
        report
    }
}

/// Which version of the destination's connector asked.
fn asked(desk: &Desk) -> Vec<String> {
    let mut versions: Vec<String> = desk
        .seen()
        .iter()
        .map(|seen| seen.connector().to_owned())
        .collect();
    versions.sort();
    versions.dedup();
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_meets_a_connector_that_asks_for_more_than_was_granted_and_does_not_give_it() {
    let stage = Stage::new().await;
    let machine = &stage.machine;
    // Somebody allowed it all but what writes.
    let file = machine.file("desk.wasm", &version("7.1.0"));
    machine.ok(&["add", &file, "--unsigned", "--yes"]);
    machine.fails(
        &["grant", NAME, "--yes", "--without", "request POST /nowhere"],
        2,
        &["does not ask for"],
    );
    machine.ok(&[
        "grant",
        NAME,
        "--yes",
        "--without",
        "request POST /customers",
    ]);
    let shown = machine.ok(&["show", NAME]);
    assert!(
        shown.contains("NOT        request POST /customers"),
        "{shown}"
    );
    let checked = transload_host::pipeline::check(&stage.project().await, &Silent)
        .await
        .unwrap();
    let notices = &checked.connections[1].notices;
    assert!(
        notices.iter().any(|of| of
            .message
            .ends_with("goes without it: request POST /customers")),
        "{notices:?}"
    );
    let report = stage.run(&stage.project().await).await;
    assert_eq!(
        (
            report.total.read,
            report.total.created,
            report.total.rejected
        ),
        (3, 0, 3)
    );
    let cause = &report.rejects[0].cause;
    assert!(
        cause.contains(
            "POST /customers is not granted: the plugin asks for it, but nobody allowed it"
        ),
        "{cause}"
    );
    assert!(
        stage
            .destination
            .seen()
            .iter()
            .all(|seen| seen.method == "GET"),
        "{:?}",
        stage.destination.seen()
    );
    // Without its platform or credential nothing goes at all.
    machine.ok(&[
        "grant",
        NAME,
        "--yes",
        "--without",
        "platform https://desk.example.com",
    ]);
    let project = stage.project().await;
    let error = transload_host::pipeline::check(&project, &Silent)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.exit_code()),
        ("not-granted", 2),
        "{error}"
    );
    assert!(
        error
            .hint()
            .unwrap()
            .contains("plugin grant hostile-destination@7.1.0")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_only_copied_into_the_folder_is_not_run() {
    let stage = Stage::new().await;
    let other = Machine::new();
    let file = other.file("desk.wasm", &version("7.1.5"));
    other.ok(&["add", &file, "--unsigned", "--yes"]);
    let at = format!("{NAME}/7.1.5");
    let copy = |to: &Path| {
        std::fs::create_dir_all(to.join(&at)).unwrap();
        for entry in std::fs::read_dir(other.root().join(&at)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), to.join(&at).join(entry.file_name())).unwrap();
        }
    };
    copy(&stage.machine.root());
    let project = stage.project().await;
    let error = transload_host::pipeline::check(&project, &Silent)
        .await
        .unwrap_err();
    assert_eq!(
        (error.code(), error.exit_code()),
        ("plugin-not-accepted", 2),
        "{error}"
    );
    // An older one that was accepted is taken before it.
    stage.install("7.1.0");
    stage.run(&stage.project().await).await;
    assert_eq!(asked(&stage.destination), ["7.1.0"]);
    let ended = stage.machine.run(&["audit"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.out.contains("nobody has accepted it"),
        "{}",
        ended.out
    );
    stage
        .machine
        .ok(&["grant", "hostile-destination@7.1.5", "--yes"]);
    stage.machine.ok(&["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_takes_a_new_version_at_its_next_run_unless_the_lock_holds_it() {
    let stage = Stage::new().await;
    stage.install("7.1.0");
    // One host process, one project, from the first run to the last.
    let project = stage.project().await;
    stage.run(&project).await;
    assert_eq!(asked(&stage.destination), ["7.1.0"]);
    stage.install("7.1.1");
    let side = |project: Arc<Project>| async move {
        let role = transload_host::contract::description::Role::Destination;
        project
            .side("new", role, None)
            .await
            .map(|side| side.description().version.clone())
    };
    let project = Arc::new(project);
    assert_eq!(side(Arc::clone(&project)).await.unwrap(), "7.1.1");
    // What began goes on as it began, and is needed: nobody takes its component away.
    let first = stage.machine.installed()[0].clone();
    assert_eq!(first, "hostile-destination@7.1.0");
    stage.machine.fails(
        &["remove", "hostile-destination@=7.1.0", "--yes"],
        2,
        &["is in use", "--force"],
    );

    assert!(stage.machine.ok(&["lock"]).contains("7.1.1"));
    let lock = std::fs::read_to_string(stage.machine.path("transload.lock")).unwrap();
    assert!(
        lock.contains("name = \"hostile-source\"") && lock.contains("version = \"7.1.1\""),
        "{lock}"
    );
    stage.install("7.1.2");
    assert_eq!(side(Arc::clone(&project)).await.unwrap(), "7.1.1", "held");
    stage
        .machine
        .ok(&["remove", "hostile-destination@=7.1.1", "--yes"]);
    let error = side(Arc::clone(&project)).await.unwrap_err();
    assert_eq!(error.code(), "plugin-digest-unknown");
    assert!(
        error
            .to_string()
            .contains("7.1.1, which transload.lock names"),
        "{error}"
    );
    assert!(stage.machine.ok(&["lock"]).contains("7.1.2"));
    assert_eq!(side(Arc::clone(&project)).await.unwrap(), "7.1.2");
    stage
        .machine
        .file("transload.lock", b"version = 1\nplugins = 3\n");
    let error = side(Arc::clone(&project)).await.unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("lock-broken", 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_of_another_project_needs_is_not_removed() {
    let stage = Stage::new().await;
    let machine = &stage.machine;
    stage.install("7.1.0");
    stage.run(&stage.project().await).await;
    // Whoever removes it stands in no project, or in one that has not run anything.
    std::fs::create_dir(machine.path("elsewhere")).unwrap();
    let elsewhere = machine.path("elsewhere");
    let remove = ["remove", NAME, "--yes", "--project", &elsewhere];
    let store = machine.path("transload.db");
    machine.fails(&remove, 2, &["is in use", &store, "(complete)", "--force"]);

    // A store that does not say what it needs may need it.
    std::fs::rename(&store, machine.path("kept.db")).unwrap();
    for beside in ["-wal", "-shm"] {
        // There or not: whoever wrote last may have closed it.
        let _ = std::fs::remove_file(format!("{store}{beside}"));
    }
    std::fs::write(
        &store,
        "this is no store of runs, but a text that is longer than nothing",
    )
    .unwrap();
    machine.fails(&remove, 2, &["is in use", &store, "cannot be seen"]);
    assert_eq!(machine.installed().len(), 2);

    // One that is not there any more is named.
    std::fs::remove_file(&store).unwrap();
    let ended = machine.run(&remove);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(
        ended.err.contains("passed over") && ended.err.contains(&store),
        "{}",
        ended.err
    );
    assert_eq!(machine.installed(), ["hostile-source@7.1.0"]);
    // It is forgotten for the component that is gone, and for no other.
    let projects = std::fs::read_to_string(machine.root().join("projects.json")).unwrap();
    let projects: Value = serde_json::from_str(&projects).unwrap();
    let left: Vec<&String> = projects["components"].as_object().unwrap().keys().collect();
    let source = transload_host::sandbox::digest(&plugin_bytes("hostile-source").unwrap());
    assert_eq!(left, [&source]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_lived_host_sees_a_destination_appear() {
    let stage = Stage::new().await;
    let sandbox = Sandbox::new(SandboxConfig::new(shared_cache().unwrap())).unwrap();
    let mut catalog = Catalog::open(stage.machine.root(), sandbox).unwrap();
    assert_eq!(catalog.destinations().unwrap(), []);
    assert_eq!(catalog.sources().unwrap().len(), 1);
    assert!(catalog.changes().unwrap().is_empty());

    // Another process installs one while the host waits.
    let clock: SharedClock = Arc::new(SystemClock);
    let waiting = tokio::spawn(async move {
        let changes = catalog.changed(&clock, Duration::from_millis(20)).await;
        (catalog, changes)
    });
    let file = stage.machine.file("desk.wasm", &version("7.1.0"));
    tokio::task::block_in_place(|| stage.machine.ok(&["add", &file, "--unsigned", "--yes"]));
    let (mut catalog, changes) = waiting.await.unwrap();
    let added: Vec<String> = changes
        .unwrap()
        .added
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(added, ["hostile-destination@7.1.0"]);
    let (package, plugin) = catalog.load(&NAME.parse().unwrap()).await.unwrap();
    assert_eq!(plugin.description().version, "7.1.0");
    assert_eq!(plugin.digest(), package.sha256);

    stage.install("7.1.1");
    assert_eq!(catalog.changes().unwrap().added.len(), 1);
    let newest: Vec<String> = catalog
        .destinations()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(newest, ["hostile-destination@7.1.1"]);
    stage.machine.ok(&["remove", NAME, "--yes"]);
    let changes = catalog.changes().unwrap();
    assert_eq!((changes.added.len(), changes.removed.len()), (0, 1));
    // What was loaded is whole in itself.
    assert_eq!(plugin.description().version, "7.1.0");
}

#[test]
fn a_folder_of_packages_keeps_nothing_of_a_secret_key() {
    let machine = Machine::new();
    let (key, _) = machine.key("publisher.pem");
    let file = machine.file("desk.wasm", &version("7.1.0"));
    machine.ok(&["key", "sign", &file, "--key", &key]);
    machine.ok(&["add", &file, "--yes"]);
    let pem = std::fs::read_to_string(&key).unwrap();
    let secret = pem.lines().nth(1).unwrap();
    for path in [
        machine.root().join("trust.json"),
        PathBuf::from(format!("{file}.sig")),
    ] {
        assert!(
            !std::fs::read_to_string(&path).unwrap().contains(secret),
            "{}",
            path.display()
        );
    }
    machine.fails(&["key", "new", &key], 2, &["never written over"]);
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    machine.fails(&["key", "show", &key], 2, &["chmod 600"]);
}
