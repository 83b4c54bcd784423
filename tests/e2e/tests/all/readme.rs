//! The README's matrix of what moves where is what the connectors say of themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use transload_e2e::destination::DESTINATIONS;
use transload_e2e::lab::{binary, plugin_path, root};

const BEGIN: &str =
    "<!-- matrix: written anew with TRANSLOAD_BLESS=1 in the environment of its test, `readme` -->";
const END: &str = "<!-- end of the matrix -->";

#[test]
fn the_matrix_of_objects_and_destinations_is_what_the_connectors_declare() {
    let temp = tempfile::tempdir().unwrap();
    let described: Vec<Value> = DESTINATIONS
        .iter()
        .map(|name| describe(temp.path(), name))
        .collect();
    let wanted = matrix(&described);
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the matrix has its mark");
    let (found, after) = rest.split_once(END).expect("the matrix has its end");
    if std::env::var_os("TRANSLOAD_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}\n\n{wanted}\n{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found.trim(),
        wanted.trim(),
        "write it anew as its mark says"
    );
}

/// What a connector says of itself, as a person reads it.
fn describe(dir: &Path, name: &str) -> Value {
    let path = plugin_path(name);
    let transload = |args: &[&str]| {
        let mut command = Command::new(binary());
        command
            .current_dir(dir)
            .env("XDG_CACHE_HOME", dir.join("cache"))
            .args(["--registry", "registry", "plugin"])
            .args(args);
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {words}");
        output.stdout
    };
    transload(&["add", &path.to_string_lossy(), "--unsigned", "--yes"]);
    let shown: Value = serde_json::from_slice(&transload(&["show", name, "--json"])).unwrap();
    shown["description"].clone()
}

/// A row a kind, a column a destination.
fn matrix(destinations: &[Value]) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for support in destinations.iter().flat_map(|d| list(d, "kinds")) {
        let kind = support["kind"].as_str().unwrap();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let titles = destinations.iter().map(|d| d["title"].as_str().unwrap());
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut out = row(std::iter::once("")
        .chain(titles)
        .map(str::to_owned)
        .collect());
    out.push_str(&row(vec!["---".to_owned(); destinations.len() + 1]));
    for kind in kinds {
        let cells = destinations.iter().map(|d| cell(d, kind));
        out.push_str(&row(std::iter::once(words(kind)).chain(cells).collect()));
    }
    out
}

/// `FieldDefinition` as a person writes it.
fn words(kind: &str) -> String {
    let mut words = String::new();
    for c in kind.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().unwrap().iter()
}

/// Whether records of a kind are made or found there, and how many of their fields travel how.
fn cell(destination: &Value, kind: &str) -> String {
    let Some(support) = list(destination, "kinds").find(|k| k["kind"] == kind) else {
        return "exported".to_owned();
    };
    let how = match (support["can_create"] == true, support["matches"] == true) {
        (true, true) => "found or made",
        (true, false) => "made",
        (false, _) => "found",
    };
    let mut counts = Vec::new();
    let mut rest = None;
    for fidelity in ["Exact", "Converted", "Lost"] {
        let rows = list(destination, "fidelity");
        let rows = rows.filter(|row| row["kind"] == kind && row["how"] == fidelity);
        let (all, named): (Vec<&Value>, Vec<&Value>) = rows.partition(|row| row["field"] == "*");
        if !all.is_empty() {
            rest = Some(format!("rest {}", fidelity.to_lowercase()));
        }
        if !named.is_empty() {
            counts.push(format!("{} {}", named.len(), fidelity.to_lowercase()));
        }
    }
    counts.extend(rest);
    format!("{how}: {}", counts.join(", "))
}
