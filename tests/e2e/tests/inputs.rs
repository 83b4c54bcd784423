//! What a user can get wrong, through the command: what is said, and the exit code.
//!
//! 2: a file, setting or argument is wrong. 3: the machine, the network or the store is in the way. Never a panic, never a
//! trace of one, always a word about what is wrong.

use std::path::Path;

use transload_e2e::lab::plugin_path;
use transload_e2e::{Lab, LabConfig};

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

/// Runs the command, and checks the exit code and that stderr says each of the words.
async fn fails(lab: &Lab, args: &[&str], codes: &[i32], words: &[&str]) {
    let output = lab.output(args).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code();
    println!("transload {} -> {code:?}\n{said}", args.join(" "));
    assert!(
        code.is_some_and(|code| codes.contains(&code)),
        "{code:?} is none of {codes:?}: {said}"
    );
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not said: {said}");
    }
    for secret in ["full-read-only", &lab.destination.admin_token()] {
        assert!(!said.contains(secret), "a secret is shown");
    }
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
    fails(&lab, &["check"], &[2, 3], &["old"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_secret_is_named() {
    let lab = lab().await;
    std::fs::remove_file(lab.dir.join("destination.token")).unwrap();
    fails(&lab, &["check"], &[2, 3], &["destination.token"]).await;
    let lab = self::lab().await;
    edit(
        &lab.dir,
        "token = \"file:source.token\"",
        "token = \"env:TRANSLOAD_TEST_NOT_SET\"",
    );
    fails(&lab, &["check"], &[2, 3], &["TRANSLOAD_TEST_NOT_SET"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_plugin_and_a_version_that_is_not_there_are_named() {
    let lab = lab().await;
    edit(&lab.dir, "plugin = \"zendesk\"", "plugin = \"zendsk\"");
    fails(&lab, &["check"], &[2], &["zendsk", "zendesk"]).await;
    edit(&lab.dir, "plugin = \"zendsk\"", "plugin = \"zendesk@^99\"");
    fails(&lab, &["check"], &[2], &["99"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_component_is_never_run() {
    let lab = lab().await;
    let bytes = std::fs::read(plugin_path("zendesk")).unwrap();
    let path = lab.dir.join("half.wasm");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    fails(
        &lab,
        &["plugin", "add", "half.wasm", "--yes"],
        &[2],
        &["half.wasm"],
    )
    .await;
    std::fs::write(&path, "not a component").unwrap();
    fails(&lab, &["plugin", "add", "half.wasm", "--yes"], &[2], &[]).await;
    fails(
        &lab,
        &["plugin", "add", "nowhere.wasm", "--yes"],
        &[2],
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
    fails(&lab, &["check"], &[2, 3], &["sha-256"]).await;
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
    fails(&lab, &["check"], &[2], &["migration.toml:"]).await;
    edit(&lab.dir, "share = = 1.0", "shares = 1.0");
    fails(&lab, &["check"], &[2], &["migration.toml:", "shares"]).await;
    edit(&lab.dir, "shares = 1.0", "share = 1.0");
    edit(&lab.dir, "org = \"acme\"", "organisation = \"acme\"");
    fails(&lab, &["check"], &[2], &["organisation"]).await;
    std::fs::remove_file(lab.dir.join("migration.toml")).unwrap();
    fails(&lab, &["check"], &[2, 3], &["migration.toml"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_does_not_answer_is_the_environments_fault() {
    let lab = lab().await;
    let (from, _) = &lab.base_urls;
    // Port 9 is nobody's on loopback.
    edit(&lab.dir, from, "http://127.0.0.1:9");
    fails(&lab, &["check"], &[1, 3], &["old"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_before_there_is_a_run_say_so() {
    let lab = lab().await;
    fails(&lab, &["status"], &[2], &["run"]).await;
    fails(&lab, &["report"], &[2], &["run"]).await;
    fails(&lab, &["rollback"], &[2], &["--yes"]).await;
    fails(&lab, &["rollback", "--yes"], &[2], &["run"]).await;
    fails(&lab, &["run"], &[2], &["approve"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;

    let lab = lab().await;
    let sealed = std::fs::Permissions::from_mode(0o500);
    std::fs::set_permissions(&lab.dir, sealed).unwrap();
    let writable = std::fs::write(lab.dir.join("probe"), "").is_ok();
    if writable {
        println!("NOT CHECKED: this user may write everywhere, as root may");
    } else {
        fails(&lab, &["check"], &[3], &[]).await;
    }
    std::fs::set_permissions(&lab.dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    // A file where a folder must be stops everybody.
    std::fs::remove_dir_all(lab.dir.join(".transload")).unwrap();
    std::fs::write(lab.dir.join(".transload"), "").unwrap();
    fails(&lab, &["check"], &[3], &[".transload"]).await;
}
