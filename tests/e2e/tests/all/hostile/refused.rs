//! What single calls of hostile connectors end with: each misdeed in one unit, without a run around it, which is cheap. What a whole
//! run makes of a misdeed is in `hostile.rs`.

use super::*;
use transload_host::contract::destination::UndoMode;
use transload_host::contract::source::Partition;
use transload_host::contract::types::{Error as Said, Kind};

/// A context whose settings tell of a misdeed in a call.
fn told(usual: &Context, misdeed: &str, at: &str, address: &str) -> Context {
    let settings = json!({"misdeed": misdeed, "at": at, "address": address});
    Context {
        config: settings.to_string(),
        ..usual.clone()
    }
}

/// Addresses that a connector asks for, however they are spelt, and the words of the refusal.
const ADDRESSES: [(&str, &str); 31] = [
    ("https://127.0.0.1/", "the host 127.0.0.1 is not granted"),
    ("https://localhost/", "is not granted"),
    ("https://127.1/", "the host 127.0.0.1 is not granted"),
    ("https://2130706433/", "the host 127.0.0.1 is not granted"),
    ("https://0x7f.0.0.1/", "the host 127.0.0.1 is not granted"),
    ("https://0177.0.0.1/", "the host 127.0.0.1 is not granted"),
    (
        "https://127\u{3002}0\u{3002}0\u{3002}1/",
        "the host 127.0.0.1 is not granted",
    ),
    ("https://[::1]/", "is not granted"),
    ("https://[::ffff:127.0.0.1]/", "is not granted"),
    ("https://[::ffff:7f00:1]/", "is not granted"),
    ("https://[64:ff9b::7f00:1]/", "is not granted"),
    ("https://0.0.0.0/", "is not granted"),
    (
        "https://169.254.169.254/latest/meta-data/",
        "is not granted",
    ),
    ("https://[fe80::1]/", "is not granted"),
    ("https://[fd00::1]/", "is not granted"),
    ("https://10.0.0.1/", "is not granted"),
    ("https://172.16.0.1/", "is not granted"),
    ("https://192.168.0.1/", "is not granted"),
    ("https://100.64.0.1/", "is not granted"),
    ("https://metadata.google.internal/", "is not granted"),
    ("//evil.example/x", "malformed"),
    ("https://desk.example.com.evil.example/", "is not granted"),
    (
        "https://desk.example.com@evil.example/",
        "a user or a password",
    ),
    ("http://evil.example/", "only https is granted"),
    ("file:///etc/passwd", "the scheme file is not granted"),
    ("ftp://evil.example/", "the scheme ftp is not granted"),
    ("data:text/plain,x", "the scheme data is not granted"),
    ("/x\r\nX-Injected: 1", "a control character or a space"),
    ("/x HTTP/1.1", "a control character or a space"),
    ("/..%2fadmin", "the path leads upwards"),
    (
        "/x%0d%0aX-Injected:%201",
        "the path has a control character",
    ),
];

/// Headers, and the words of the refusal.
const HEADERS: [(&str, &str); 10] = [
    ("Authorization: Bearer of-my-own", "belongs to the host"),
    ("Cookie: session=1", "belongs to the host"),
    ("Host: evil.example", "belongs to the host"),
    ("Content-Length: 0", "belongs to the host"),
    ("Transfer-Encoding: chunked", "belongs to the host"),
    ("Connection: upgrade", "belongs to the host"),
    ("X-HTTP-Method-Override: DELETE", "belongs to the host"),
    ("X-Note: a\r\nAuthorization: b", "has a control character"),
    ("X-Note\r\nX-Other: a", "name is malformed"),
    ("X Note: a", "name is malformed"),
];

/// Methods; none is let out of a call that only reads. What the gateway says to them is in its own tests.
const METHODS: [(&str, &str); 5] = [
    ("CONNECT", "CONNECT /ping would change something"),
    ("TRACE", "TRACE /ping would change something"),
    ("get", "get /ping would change something"),
    (
        "GET / HTTP/1.1\r\nX:",
        r"GET / HTTP/1.1\r\nX: /ping would change something",
    ),
    ("PUT", "PUT /ping would change something"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_granted_is_refused_by_name_however_it_is_spelt() {
    let stage = Stage::new(1).await;
    let project = stage.project().await;
    let side = project.side("old", Role::Source, None).await.unwrap();
    let before = stage.source.seen().len();
    let cases = ADDRESSES.map(|case| ("elsewhere", case)).into_iter();
    let cases = cases.chain(HEADERS.map(|case| ("header", case)));
    let cases = cases.chain(METHODS.map(|case| ("method", case)));
    let mut wrong = vec![];
    for (misdeed, (address, words)) in cases {
        let context = told(&side.context, misdeed, "check", address);
        let ended = side.plugin.check(side.reading(), context).await;
        match ended {
            Ok(Err(Said::Bug(said)))
                if said.contains("the request was not let out") && said.contains(words) =>
            {
                // What is shown to a person steers no terminal.
                assert!(!said.contains(['\r', '\n', '\u{1b}']), "{said:?}");
            }
            other => wrong.push(format!("{misdeed} {address:?}: {other:?}")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(stage.source.seen().len(), before, "something was sent");
    stage.assert_nothing_left_that_was_not_granted("refused");
}

/// Calls, each of which traps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_in_any_call_ends_that_call_and_names_itself() {
    let stage = Stage::new(1).await;
    let project = stage.project().await;
    let reads = project.side("old", Role::Source, None).await.unwrap();
    let writes = project.side("new", Role::Destination, None).await.unwrap();
    let customer = Kind::Customer;
    let part = Partition {
        id: "all".to_owned(),
        kind: customer.clone(),
        object_type: None,
        spec: "{}".to_owned(),
        expected: None,
        window_start: None,
        window_end: None,
    };
    let read = |at: &str| (reads.reading(), told(&reads.context, "trap", at, ""));
    let write = |at: &str| (writes.reading(), told(&writes.context, "trap", at, ""));
    let mut ended: Vec<(&str, Option<UnitError>)> = vec![];
    macro_rules! traps {
        ($side:ident, $context:ident, $name:literal, $call:ident $(, $arg:expr)*) => {{
            let (host, context) = $context($name);
            ended.push(($name, $side.plugin.$call(host, context $(, $arg)*).await.err()));
        }};
    }
    traps!(reads, read, "check", check);
    traps!(reads, read, "discover", discover);
    traps!(
        reads,
        read,
        "partitions",
        partitions,
        customer.clone(),
        None,
        1
    );
    traps!(reads, read, "read", read, part.clone(), None);
    traps!(reads, read, "fetch", fetch, vec![]);
    traps!(reads, read, "inventory", inventory);
    traps!(writes, write, "check", check);
    traps!(writes, write, "survey", survey);
    traps!(writes, write, "prepare", prepare);
    traps!(
        writes,
        write,
        "match-items",
        match_items,
        customer.clone(),
        vec![]
    );
    traps!(writes, write, "write", write, customer.clone(), vec![]);
    traps!(writes, write, "read-back", read_back, vec![]);
    traps!(
        writes,
        write,
        "undo",
        undo,
        UndoMode::Preview,
        vec![],
        vec![]
    );
    for (call, error) in ended {
        let is_trap = matches!(&error, Some(UnitError::Trap(why)) if why.contains("unreachable"));
        assert!(is_trap, "{call}: {error:?}");
    }
    // And both are as before.
    for side in [&reads, &writes] {
        let account = side.plugin.check(side.reading(), side.context.clone());
        assert!(account.await.unwrap().is_ok());
    }
}

/// What is too much, and the words of the limit that it meets.
const TOO_MUCH: [(&str, &str, &[&str]); 7] = [
    ("giant-line", "check", &["too much data is being copied"]),
    (
        "giant-error",
        "check",
        &["too much data is being copied", "bytes of memory"],
    ),
    (
        "giant-url",
        "check",
        &["too much data is being copied", "bytes of memory"],
    ),
    (
        "giant-body",
        "check",
        &["too much data is being copied", "bytes of memory"],
    ),
    (
        "open-without-waiting",
        "check",
        &["too many calls of the host in one unit"],
    ),
    (
        "million-records",
        "read",
        &[
            "bytes of memory",
            "too much data is being copied",
            "computed for more",
        ],
    ),
    ("giant-page", "read", &["too much data is being copied"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_ends_its_call_with_the_limit_it_met_and_is_not_kept() {
    let stage = Stage::new(1).await;
    let project = stage.project().await;
    let side = project.side("old", Role::Source, None).await.unwrap();
    let parts = side.plugin.partitions(
        side.reading(),
        side.context.clone(),
        Kind::Customer,
        None,
        1,
    );
    let part = parts.await.unwrap().unwrap().remove(0);
    let before = resident();
    for (misdeed, at, words) in TOO_MUCH {
        let context = told(&side.context, misdeed, at, "");
        let ended = match at {
            "read" => side
                .plugin
                .read(side.reading(), context, part.clone(), None)
                .await
                .map(drop_answer),
            _ => side
                .plugin
                .check(side.reading(), context)
                .await
                .map(drop_answer),
        };
        let said = ended.unwrap_err().to_string();
        println!("{misdeed}: {said}");
        assert!(
            words.iter().any(|words| said.contains(words)),
            "{misdeed}: {said}"
        );
    }
    // Guests had a quarter of a gigabyte each; what one may hand over is bounded, and given back.
    let kept = resident().saturating_sub(before);
    assert!(kept < 300 << 20, "{} MB are kept", kept >> 20);
}

fn drop_answer<T>(_answer: T) {}

/// Resident bytes of this process.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_only_reads_writes_nothing() {
    let stage = Stage::new(1).await;
    let project = stage.project().await;
    let side = project.side("new", Role::Destination, None).await.unwrap();
    for at in ["check", "survey", "match-items", "read-back"] {
        let context = told(&side.context, "writes", at, "");
        let host = side.reading();
        let said = match at {
            "check" => side.plugin.check(host, context).await.unwrap().err(),
            "survey" => side.plugin.survey(host, context).await.unwrap().err(),
            "match-items" => {
                let matched = side
                    .plugin
                    .match_items(host, context, Kind::Customer, vec![]);
                matched.await.unwrap().err()
            }
            _ => side
                .plugin
                .read_back(host, context, vec![])
                .await
                .unwrap()
                .err(),
        };
        let said = format!("{said:?}");
        assert!(
            said.contains("would change something, and this call only reads"),
            "{at}: {said}"
        );
    }
    assert_eq!(stage.destination.made(), vec![]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_created_for_one_record_only_whatever_a_connector_says() {
    let mut stage = Stage::new(3).await;
    stage.destination_does("forged-target", "write", None);
    let (project, report) = stage.run().await;
    let sum = report.unwrap().total;
    println!("{sum:?}");
    assert!(sum.created <= 1, "{sum:?}");
    let claimed = "SELECT count(*) FROM effects WHERE action = 'created' AND target_id = '1'";
    assert!(project.store.number(claimed, vec![]).await.unwrap() <= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_effect_that_was_not_given_is_not_undone_by_saying_so() {
    let mut stage = Stage::new(2).await;
    let (_, report) = stage.run().await;
    assert_eq!(report.unwrap().total.created, 2);
    stage.destination_does("unknown-effect", "undo", None);
    let project = stage.project().await;
    let undone = rollback(&project, RollbackOptions::default(), &Silent).await;
    println!("{undone:?}");
    // Nobody believes that anything was taken back that is still there.
    let there = stage.destination.made().len();
    let undone = "SELECT count(*) FROM effects WHERE undo_status = 'undone'";
    let undone = project.store.number(undone, vec![]).await.unwrap();
    assert_eq!(2 - usize::try_from(undone).unwrap(), there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_looks_like_a_secret_is_left_out_of_the_log() {
    let mut stage = Stage::new(1).await;
    stage.destination_does("log-secrets", "write", None);
    let output = stage.command(&["run", "--yes"], "warn").await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said.matches("[left out]").count(), 2, "{said}");
    assert!(!said.contains("of-somebody-else"), "{said}");
}
