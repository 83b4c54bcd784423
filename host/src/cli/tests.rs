use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use clap::CommandFactory;
use tempfile::TempDir;

use super::progress::Progress;
use super::*;
use crate::config::ConfigError;
use crate::pipeline::model::Events;

const GOOD: &str = "\
[migration]
from = \"old-desk\"
to = \"acme-desk\"

[connections.old-desk]
plugin = \"old-desk\"

[connections.acme-desk]
plugin = \"acme-desk@^0.1\"
subdomain = \"acme\"
api_token = \"env:TRANSLOAD_TEST_NOT_SET\"
";

/// What a command came to.
struct Ended {
    code: u8,
    out: String,
    err: String,
}

fn transload(dir: &Path, args: &[&str]) -> Ended {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = transload_to(dir, args, &mut out, &mut err);
    Ended {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

fn transload_to(
    dir: &Path,
    args: &[&str],
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> u8 {
    let project = dir.to_str().unwrap();
    let registry = dir.join("registry");
    let all = [
        "transload",
        "--project",
        project,
        "--registry",
        registry.to_str().unwrap(),
    ];
    let cli = Cli::try_parse_from(all.iter().chain(args)).unwrap();
    let mut console = Console::of_buffers(out, err, None, cli.json);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(execute(cli, &mut console))
}

fn project(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), text).unwrap();
    dir
}

/// What `check` says of a file.
fn check(text: &str) -> Ended {
    let dir = project(text);
    transload(dir.path(), &["check"])
}

#[test]
fn the_arguments_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn broken_toml_ends_with_2_and_shows_the_line() {
    let ended = check(&GOOD.replace("to = \"acme-desk\"", "to = \"acme-desk"));
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("migration.toml:3:"), "{}", ended.err);
    assert!(
        ended.err.contains("3 | to = \"acme-desk\n") && ended.err.contains('^'),
        "{}",
        ended.err
    );
    assert_eq!(ended.out, "");
}

#[test]
fn an_unknown_key_ends_with_2_and_names_the_nearest() {
    let ended = check(&format!("{GOOD}[budget]\nshair = 0.5\n"));
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .err
            .contains("migration.toml:13:1: unknown key `shair`"),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains("help: did you mean `share`?"),
        "{}",
        ended.err
    );
}

#[test]
fn an_unknown_connection_ends_with_2_wherever_it_is_named() {
    let ended = check(&GOOD.replace("to = \"acme-desk\"", "to = \"acme\""));
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .err
            .contains("migration.to: there is no connection \"acme\""),
        "{}",
        ended.err
    );

    let dir = project(GOOD);
    let ended = transload(dir.path(), &["run", "--to", "acme-dsk"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .err
            .contains("--to: there is no connection \"acme-dsk\""),
        "{}",
        ended.err
    );
    assert!(
        ended.err.contains("did you mean \"acme-desk\"?"),
        "{}",
        ended.err
    );

    let ended = transload(dir.path(), &["run", "--to", "old-desk"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(
        ended
            .err
            .contains("the same connection is read and written"),
        "{}",
        ended.err
    );
}

#[test]
fn a_missing_file_ends_with_2_and_says_how_to_get_one() {
    let dir = tempfile::tempdir().unwrap();
    let ended = transload(dir.path(), &["status"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("there is no ") && ended.err.contains("transload init"),
        "{}",
        ended.err
    );
}

#[test]
fn a_secret_that_is_literal_or_missing_ends_with_2_and_is_named_but_not_shown() {
    let schema = r#"{"properties":{"subdomain":{"type":"string"},
        "api_token":{"type":"string","writeOnly":true}}}"#;
    let settings = |text: String| {
        let config = Config::parse(Path::new(FILE_NAME), text).unwrap();
        config.settings("acme-desk", schema)
    };
    let shown = |error: ConfigError| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let error = Error::from(error);
        Console::of_buffers(&mut out, &mut err, None, false).error(&error);
        assert_eq!(error.exit_code(), 2);
        String::from_utf8(err).unwrap()
    };
    let literal = settings(GOOD.replace("env:TRANSLOAD_TEST_NOT_SET", "s3cr3t")).unwrap_err();
    let text = shown(literal);
    assert!(
        text.contains("migration.toml:11:1: connections.acme-desk.api_token is a secret"),
        "{text}"
    );
    assert!(
        text.contains("api_token = \"env:NAME\"") && !text.contains("s3cr3t"),
        "{text}"
    );

    let missing = settings(GOOD.to_owned())
        .unwrap()
        .read_secrets()
        .unwrap_err();
    let text = shown(missing);
    assert!(
        text.contains("the variable TRANSLOAD_TEST_NOT_SET is not set"),
        "{text}"
    );
}

#[test]
fn init_writes_a_file_that_loads_and_never_writes_over_one() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("new/project");
    let ended = transload(&inner, &["init"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    let path = inner.join(FILE_NAME);
    assert!(ended.out.contains(path.to_str().unwrap()), "{}", ended.out);
    Config::load(&path).unwrap();

    std::fs::write(&path, "mine").unwrap();
    let ended = transload(&inner, &["init"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("is there already"), "{}", ended.err);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_folder_that_cannot_be_written_ends_with_3() {
    // Nobody, root included, makes a folder inside a file.
    let dir = project(GOOD);
    let ended = transload(&dir.path().join(FILE_NAME).join("sub"), &["init"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("cannot create"), "{}", ended.err);
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_ends_with_3_and_says_whose_it_should_be() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(dir.path().join("probe"), "").is_ok() {
        eprintln!("not tested: this user may write into read-only folders");
        return;
    }
    let ended = transload(dir.path(), &["init"]);
    assert_eq!(ended.code, 3);
    assert!(
        ended.err.contains("choose a folder that you may write to"),
        "{}",
        ended.err
    );
}

#[test]
fn with_json_an_error_is_one_document_on_standard_output() {
    let dir = project(&format!("{GOOD}loud = 1\n[loud]\n"));
    let ended = transload(dir.path(), &["--json", "plan"]);
    assert_eq!(ended.code, 2);
    assert_eq!(ended.err, "");
    let document: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(document["error"]["code"], "config-unknown-key");
    assert_eq!(document["error"]["hint"], "did you mean `load`?");
    assert_eq!(document["error"]["exit_code"], 2);
}

#[test]
fn accepting_a_code_writes_it_into_the_file_and_keeps_the_rest() {
    let text = GOOD.replace("[migration]", "# ours\n[migration]");
    let dir = project(&text);
    let ended = transload(dir.path(), &["plan", "--accept", "auto-close,mail"]);
    assert!(ended.err.contains("2 codes added"), "{}", ended.err);
    let after = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
    assert!(after.starts_with("# ours\n[migration]"), "{after}");
    let config = Config::load(&dir.path().join(FILE_NAME)).unwrap();
    assert_eq!(config.migration.accept, ["auto-close", "mail"]);
}

#[test]
fn nothing_is_rolled_back_that_nobody_approved() {
    let dir = project(GOOD);
    let ended = transload(dir.path(), &["rollback"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("nobody can be asked") && ended.err.contains("--preview"),
        "{}",
        ended.err
    );
    let ended = transload(
        dir.path(),
        &["rollback", "--preview", "--kinds", "customer,tickets"],
    );
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("there is no kind `tickets`"),
        "{}",
        ended.err
    );
}

#[test]
fn a_component_that_is_not_there_ends_with_2() {
    let dir = tempfile::tempdir().unwrap();
    let ended = transload(dir.path(), &["plugin", "add", "no/such.wasm"]);
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains("there is no file no/such.wasm"),
        "{}",
        ended.err
    );
}

/// Standard output of which nobody reads on.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_a_normal_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut err = Vec::new();
    let code = transload_to(dir.path(), &["init"], &mut Closed, &mut err);
    assert_eq!((code, err), (0, Vec::new()));
}

#[test]
fn only_a_clear_yes_is_a_yes() {
    for (answer, expect) in [
        ("y\n", true),
        ("YES\n", true),
        ("\n", false),
        ("", false),
        ("yeah\n", false),
    ] {
        let (mut out, mut err, mut answers) = (Vec::new(), Vec::new(), io::Cursor::new(answer));
        let mut console = Console::of_buffers(&mut out, &mut err, Some(&mut answers), false);
        assert_eq!(
            console.ask("a plan", "Run it?").unwrap(),
            expect,
            "{answer:?}"
        );
        assert_eq!(String::from_utf8(err).unwrap(), "a plan\nRun it? [y/N] ");
    }
}

#[test]
fn progress_away_from_a_terminal_is_a_line_now_and_then() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    let progress = Progress::with_lines(move |line| seen.lock().unwrap().push(line.to_owned()));
    progress.phase("load");
    for done in 1..=2000 {
        progress.progress("conversation", done, Some(2000));
    }
    progress.progress("conversation", 2000, Some(2000));
    progress.paused("acme-desk", Some("quota\u{1b}[2J"));
    let lines = lines.lock().unwrap();
    assert_eq!(lines[0], "── load");
    assert_eq!(lines[1], "load conversation: 1 of 2,000 (0 %)");
    assert!(
        lines
            .iter()
            .any(|l| l.starts_with("load conversation: 2,000 of 2,000 (100 %)")),
        "{lines:?}"
    );
    assert!(lines.len() < 20, "{} lines", lines.len());
    assert_eq!(lines.last().unwrap(), "acme-desk waits: quota\\u{1b}[2J");
}
