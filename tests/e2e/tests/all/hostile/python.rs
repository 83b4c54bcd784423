//! A connector in Python that asks its system for what no connector gets, and one that draws chance and asks for the time and must
//! draw the same when its unit runs again (invariants I-5, I-11).
//!
//! It is in `tests/hostile/python`; without a Python that could build it, these tests say so and pass on.

use super::*;

/// A stage with the destination in Python, where it was built.
async fn stage(customers: usize) -> Option<Stage> {
    let Ok(bytes) = plugin_bytes("hostile-python") else {
        println!(
            "SKIPPED: hostile-python was not built; `cargo xtask plugins` says what Python it wants"
        );
        return None;
    };
    let mut stage = Stage::new(customers).await;
    let registry = Registry::open(stage.dir().join("registry")).unwrap();
    add_package(&registry, bytes).await.unwrap();
    stage.writes = "hostile-python";
    Some(stage)
}

/// What is asked for, and the words of the reason that is given for it.
const ASKS: [(&str, &str); 21] = [
    // No file, no folder, nothing of the environment: as on a system that has none.
    ("open-file", "FileNotFoundError at hostile.py:"),
    ("write-file", "FileNotFoundError at hostile.py:"),
    ("list-folder", "FileNotFoundError at hostile.py:"),
    ("environment", "0 variables, 0 arguments"),
    // No socket and no name.
    ("connect", "PermissionError at socket.py:"),
    ("listen", "PermissionError at socket.py:"),
    ("datagram", "PermissionError at socket.py:"),
    (
        "look-up-name",
        "asked for what no connector gets: wasi:sockets/instance-network#instance-network",
    ),
    // What cannot be refused by an answer ends the unit, and names the call.
    (
        "wait-by-itself",
        "asked for what no connector gets: wasi:clocks/monotonic-clock#subscribe-",
    ),
    (
        "leave",
        "asked for what no connector gets: wasi:cli/exit#exit",
    ),
    ("leave-politely", "SystemExit at hostile.py:"),
    ("thread", "RuntimeError at threading.py:"),
    ("program", "Error at hostile.py:"),
    ("late-import", "ModuleNotFoundError at hostile.py:"),
    ("much-chance", "wanted more than 268435456 bytes of memory"),
    // What goes wild ends as it does in any language.
    ("loop", "computed for more than 500ms"),
    ("recurse", "RecursionError at hostile.py:"),
    ("allocate", "wanted more than 268435456 bytes of memory"),
    ("broken-value", "trapped"),
    ("own-credential", "base_url"),
    // An exception's text may hold a piece of a record: only its place is told.
    ("quote-a-record", "ValueError at hostile.py:"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_interpreter_asks_its_system_for_is_not_there() {
    let Some(mut stage) = stage(1).await else {
        return;
    };
    stage.write_config();
    let project = stage.project().await;
    let side = project.side("new", Role::Destination, None).await.unwrap();
    let mut wrong = vec![];
    for (misdeed, words) in ASKS {
        let settings = json!({"misdeed": misdeed, "at": "check", "address": stage.elsewhere(), "base_url": "x"});
        let context = Context {
            config: settings.to_string(),
            ..side.context.clone()
        };
        let said = match side.plugin.check(side.reading(), context).await {
            Ok(Ok(account)) => panic!("{misdeed}: {account:?}"),
            Ok(Err(error)) => format!("{error:?}"),
            Err(ended) => ended.to_string(),
        };
        println!("{misdeed}: {said}");
        if !said.contains(words) {
            wrong.push(format!("{misdeed}: {said}"));
        }
        for secret in [DESTINATION_TOKEN, "secret plans"] {
            assert!(!said.contains(secret), "{misdeed}: {said}");
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // An honest one beside them has its answer.
    let account = side
        .plugin
        .check(side.reading(), side.context.clone())
        .await;
    assert_eq!(account.unwrap().unwrap().id, "desk-destination");
    stage.assert_nothing_left_that_was_not_granted("python");
    stage.settings = [json!({}), json!({})];
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_python_does_wrong_in_one_unit_costs_its_record_and_the_run_goes_on() {
    let Some(mut stage) = stage(8).await else {
        return;
    };
    stage.destination_does("leave", "write", Some("c3"));
    let (_project, report) = stage.run().await;
    let report = report.unwrap();
    assert_eq!(report.state, RunState::Complete);
    assert_eq!(
        (report.total.created, report.total.rejected),
        (7, 1),
        "{:?}",
        report.total
    );
    assert!(
        report.rejects[0].cause.contains("wasi:cli/exit"),
        "{:?}",
        report.rejects
    );
    assert_eq!(stage.markers(), all_but(8, &["c3"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_python_prints_goes_to_the_bounded_log_and_is_none_of_the_hosts_lines() {
    let Some(mut stage) = stage(2).await else {
        return;
    };
    stage.destination_does("print-for-ever", "write", None);
    let output = stage.command(&["run", "--yes"], "debug").await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("forged") && said.contains("logs too much"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'), "it steers the terminal");
    assert!(
        !said.lines().any(|line| line.starts_with("ERROR")),
        "a forged line"
    );
    assert_eq!(stage.markers(), all_but(2, &[]));
}

/// Killed after each of its writes and run again, a unit draws the same random numbers and sees the same time: else its requests
/// would differ from its journal's, and it would be split.
#[test]
fn a_unit_in_python_draws_the_same_when_it_runs_again_and_another_unit_something_else() {
    let outside = runtime();
    let Some(stage) = outside.block_on(stage(6)) else {
        return;
    };
    for killed in [1, 2] {
        killed_after(&outside, &stage, killed);
    }
    let before = creations(&stage);
    assert_eq!(before.len(), 3, "one, and two more: {before:?}");
    let to_the_end = || async {
        let (project, report) = stage.run().await;
        let report = report.unwrap();
        assert_eq!(
            (report.state, report.total.created),
            (RunState::Complete, 6),
            "{report:#?}"
        );
        let split = "SELECT count(*) FROM units WHERE status <> 'done'";
        assert_eq!(project.store.number(split, vec![]).await.unwrap(), 0);
        let undone = rollback(&project, RollbackOptions::default(), &Silent);
        assert_eq!(undone.await.unwrap().left, 0);
        assert_eq!(stage.destination.made(), vec![]);
    };
    outside.block_on(to_the_end());
    let after = creations(&stage);
    assert_eq!(after[..before.len()], before);
    assert_eq!(after.len(), 6, "nothing was made twice");
    // A second migration of the same records.
    outside.block_on(to_the_end());
    let all = creations(&stage);
    let drawn = |made: &Made| {
        let words = made.name.split(' ').skip(2);
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut all: Vec<_> = all.iter().map(drawn).collect();
    println!("{all:?}");
    assert!(all.iter().all(|drawn| drawn.len() == 4), "{all:?}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 12, "no two draw the same");
}
