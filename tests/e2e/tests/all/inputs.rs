//! What a user can get wrong, through the command: what is said, and the exit code.
//!
//! 2: a file, setting or argument is wrong. 3: the machine, the network, the store or a right is in the way. Never a panic,
//! never a trace of one; always the file or setting at fault and what to do; and nothing is lost that was done before.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use transload_e2e::lab::{binary, plugin_path};
use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::pipeline::model::RunOptions;
use transload_host::pipeline::run;

/// Bytes that are left on a disk that is nearly full: less than the store's log grows to before it begins anew.
const ROOM: u64 = 2_600_000;

async fn lab() -> Lab {
    Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap()
}

fn edit(dir: &Path, from: &str, to: &str) {
    let path = dir.join("migration.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from:?} is not in migration.toml");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

/// Runs the command, and checks its exit code, that stderr says each of the words, and that it says what to do.
async fn fails(lab: &Lab, args: &[&str], code: i32, words: &[&str]) {
    failed(lab, &lab.output(args).await.unwrap(), code, words);
}

fn failed(lab: &Lab, output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{:?}\n{said}", output.status);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words.iter().chain(&["error: ", "  help: "]) {
        assert!(said.contains(word), "{word:?} is not said: {said}");
    }
    for secret in ["full-read-only", &lab.destination.admin_token()] {
        assert!(!said.contains(secret), "a secret is shown");
    }
}

/// Runs the command through another program that takes something from it.
async fn within(lab: &Lab, program: &[&str], args: &[&str]) -> Output {
    let (first, before) = program.split_first().unwrap();
    let mut command = Command::new(first);
    command
        .args(before)
        .arg(binary())
        .args(args)
        .current_dir(&lab.dir)
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap()
}

/// Runs the command as somebody who may write only where the folder's rights say so, as root may not be told by them.
async fn as_anybody(lab: &Lab, args: &[&str]) -> Output {
    let probe = lab.dir.join("probe");
    if std::fs::write(&probe, "").is_err() {
        return lab.output(args).await.unwrap();
    }
    std::fs::remove_file(&probe).unwrap();
    let taken = "-dac_override,-dac_read_search";
    let program = [
        "setpriv",
        "--bounding-set",
        taken,
        "--inh-caps",
        taken,
        "--",
    ];
    within(lab, &program, args).await
}

/// Runs the command where no file may grow beyond so many bytes: what a full disk does to it.
async fn with_room(lab: &Lab, bytes: u64, args: &[&str]) -> Output {
    let script = format!(
        "trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"",
        bytes / 512
    );
    within(lab, &["sh", "-c", &script], args).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_set_up_passes_the_check() {
    let lab = lab().await;
    lab.run(&["check"], &[0]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_named_by_its_connection() {
    let lab = lab().await;
    std::fs::write(lab.dir.join("source.token"), "not-the-key").unwrap();
    fails(&lab, &["check"], 3, &["old: ", "[connections.old]"]).await;
    fails(&lab, &["plan"], 3, &["old: "]).await;
    fails(&lab, &["run", "--yes"], 3, &["old: "]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_secret_is_named() {
    let lab = lab().await;
    std::fs::remove_file(lab.dir.join("destination.token")).unwrap();
    let words = [
        "migration.toml:",
        "connections.new.access_token",
        "destination.token",
    ];
    fails(&lab, &["check"], 2, &words).await;
    let lab = self::lab().await;
    edit(
        &lab.dir,
        "token = \"file:source.token\"",
        "token = \"env:TRANSLOAD_TEST_NOT_SET\"",
    );
    let words = [
        "migration.toml:",
        "connections.old.token",
        "TRANSLOAD_TEST_NOT_SET",
    ];
    fails(&lab, &["check"], 2, &words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_plugin_and_a_version_that_is_not_there_are_named() {
    let lab = lab().await;
    edit(&lab.dir, "plugin = \"zendesk\"", "plugin = \"zendsk\"");
    fails(&lab, &["check"], 2, &["zendsk", "zendesk"]).await;
    edit(&lab.dir, "plugin = \"zendsk\"", "plugin = \"zendesk@^99\"");
    fails(&lab, &["check"], 2, &["99"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_component_is_never_run() {
    let lab = lab().await;
    let bytes = std::fs::read(plugin_path("zendesk")).unwrap();
    let path = lab.dir.join("half.wasm");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    fails(
        &lab,
        &["plugin", "add", "half.wasm", "--unsigned", "--yes"],
        2,
        &["half.wasm"],
    )
    .await;
    std::fs::write(&path, "not a component").unwrap();
    fails(
        &lab,
        &["plugin", "add", "half.wasm", "--unsigned", "--yes"],
        2,
        &["half.wasm"],
    )
    .await;
    fails(
        &lab,
        &["plugin", "add", "nowhere.wasm", "--unsigned", "--yes"],
        2,
        &["nowhere.wasm"],
    )
    .await;
    // An installed one that somebody changed.
    let mut changed = 0;
    for entry in walk(&lab.dir.join("registry")) {
        if entry.extension().is_some_and(|ending| ending == "wasm") {
            let mut bytes = std::fs::read(&entry).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            let mut permissions = std::fs::metadata(&entry).unwrap().permissions();
            #[allow(clippy::permissions_set_readonly_false, reason = "a file of this test")]
            permissions.set_readonly(false);
            std::fs::set_permissions(&entry, permissions).unwrap();
            std::fs::write(&entry, bytes).unwrap();
            changed += 1;
        }
    }
    assert_eq!(changed, 2);
    let words = ["sha-256", ".wasm", "plugin remove --force"];
    fails(&lab, &["check"], 3, &words).await;
    let remove = ["plugin", "remove", "zendesk", "--yes", "--force"];
    lab.run(&remove, &[0]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_a_run_needs_is_removed_only_by_force() {
    let lab = Lab::new(LabConfig {
        size: 4,
        longest_thread: 2,
        largest_file: 512,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let yes = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let project = lab.project().await.unwrap();
    let report = run(&project, yes, &Silent).await.unwrap();
    drop(project);
    for plugin in ["kustomer", "zendesk"] {
        let words = [
            plugin,
            report.run.as_str(),
            "(complete)",
            "`transload rollback`",
            "--force",
        ];
        fails(&lab, &["plugin", "remove", plugin, "--yes"], 2, &words).await;
    }
    // What was only read can be taken back without the source's plugin.
    let forced = ["plugin", "remove", "kustomer", "--yes", "--force"];
    lab.run(&forced, &[0]).await.unwrap();
    lab.run(&["rollback", "--yes"], &[0]).await.unwrap();
    let free = ["plugin", "remove", "zendesk", "--yes"];
    lab.run(&free, &[0]).await.unwrap();
    let none = lab.run(&["plugin", "list"], &[0]).await.unwrap();
    assert!(none.contains("No plugin is installed"), "{none}");
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_toml_and_unknown_keys_are_shown_where_they_are() {
    let lab = lab().await;
    edit(&lab.dir, "share = 1.0", "share = = 1.0");
    fails(&lab, &["check"], 2, &["migration.toml:"]).await;
    edit(&lab.dir, "share = = 1.0", "shares = 1.0");
    fails(&lab, &["check"], 2, &["migration.toml:", "shares"]).await;
    edit(&lab.dir, "shares = 1.0", "share = 1.0");
    edit(&lab.dir, "org = \"acme\"", "organisation = \"acme\"");
    fails(&lab, &["check"], 2, &["migration.toml:", "organisation"]).await;
    std::fs::remove_file(lab.dir.join("migration.toml")).unwrap();
    fails(&lab, &["check"], 2, &["migration.toml"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_does_not_answer_is_the_environments_fault() {
    let lab = lab().await;
    let (from, _) = &lab.base_urls;
    // Port 9 is nobody's on loopback.
    edit(&lab.dir, from, "http://127.0.0.1:9");
    fails(&lab, &["check"], 3, &["old"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_before_there_is_a_run_say_so() {
    let lab = lab().await;
    fails(&lab, &["status"], 2, &["transload run"]).await;
    fails(&lab, &["report"], 2, &["transload run"]).await;
    fails(&lab, &["rollback"], 2, &["--yes"]).await;
    fails(&lab, &["rollback", "--yes"], 2, &["transload run"]).await;
    fails(&lab, &["run"], 2, &["approve", "--accept"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let lab = lab().await;
    let rights = |mode| {
        std::fs::set_permissions(&lab.dir, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    rights(0o500);
    let output = as_anybody(&lab, &["check"]).await;
    failed(&lab, &output, 3, &["transload.db"]);
    let output = as_anybody(&lab, &["--project", "new", "init"]).await;
    failed(&lab, &output, 3, &["new", "may write to"]);
    // The files may be written, and no file may be put in another's place.
    rights(0o700);
    // The store makes files of its own beside it, so it goes where it may.
    edit(
        &lab.dir,
        "store = \"transload.db\"",
        "store = \".transload/transload.db\"",
    );
    lab.run(&["plan", "--no-write"], &[0]).await.unwrap();
    let path = lab.dir.join("migration.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    rights(0o500);
    let output = as_anybody(&lab, &["plan"]).await;
    failed(&lab, &output, 3, &["migration.toml", "rights"]);
    rights(0o700);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    edit(
        &lab.dir,
        "store = \".transload/transload.db\"",
        "store = \"transload.db\"",
    );
    std::fs::remove_dir_all(lab.dir.join(".transload")).unwrap();
    // A file where a folder must be stops everybody.
    std::fs::write(lab.dir.join(".transload"), "").unwrap();
    fails(&lab, &["check"], 3, &[".transload", "move away"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dangers_that_nobody_took_on_are_named() {
    let lab = lab().await;
    edit(&lab.dir, "\"triggers\", ", "");
    fails(
        &lab,
        &["run", "--yes"],
        2,
        &["triggers (new: ", "--accept-danger triggers"],
    )
    .await;
    let said = lab.run(&["plan"], &[0]).await.unwrap();
    assert!(said.contains("needs a yes"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_one_store_is_refused_while_the_first_goes_on() {
    let lab = lab().await;
    let first = lab.project().await.unwrap();
    let owned = first.own().await.unwrap();
    let own = format!("process {}", std::process::id());
    for args in [&["run", "--yes"][..], &["plan"], &["rollback", "--yes"]] {
        fails(&lab, args, 3, &["transload.db", &own]).await;
    }
    owned.release().await.unwrap();
    lab.run(&["plan"], &[0]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_a_run_and_loses_nothing() {
    let lab = lab().await;
    lab.run(&["plan", "--no-write"], &[0]).await.unwrap();
    let size = |name: &str| std::fs::metadata(lab.dir.join(name)).map_or(0, |file| file.len());
    let there = size("transload.db").max(size("transload.db-wal"));
    let before = lab.destination.state_fingerprint();
    // Enough to begin with, and not enough to end with.
    let output = with_room(&lab, there + ROOM, &["run", "--yes"]).await;
    failed(&lab, &output, 3, &["transload.db", "make room"]);
    let after = lab.destination.state_fingerprint();
    assert_ne!(before, after, "it was full before anything was written");
    // There is room again; in the lab's own time, because what was in doubt has to settle.
    let project = lab.project().await.unwrap();
    let yes = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    run(&project, yes, &Silent).await.unwrap();
    let report = lab.run(&["report", "--json"], &[0]).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    for none in [
        "/total/open",
        "/total/unsettled",
        "/total/shortfall",
        "/duplicates",
        "/lost",
    ] {
        assert_eq!(report.pointer(none).unwrap(), 0, "{none}");
    }
    assert_eq!(report["chain_ok"], true);
    // Nothing is there twice, and no file is missing for want of room.
    let snapshot = lab.destination.snapshot();
    let markers = |all: Vec<&Option<String>>| {
        let all: Vec<_> = all.into_iter().flatten().collect();
        assert!(!all.is_empty());
        assert_eq!(
            all.iter().collect::<BTreeSet<_>>().len(),
            all.len(),
            "{all:?}"
        );
    };
    markers(
        snapshot
            .tickets
            .iter()
            .map(|ticket| &ticket.external_id)
            .collect(),
    );
    markers(
        snapshot
            .users
            .iter()
            .map(|user| &user.external_id)
            .collect(),
    );
    let rejects = report["rejects"].to_string();
    assert!(
        !rejects.contains("space") && !rejects.contains("large"),
        "{rejects}"
    );
}
