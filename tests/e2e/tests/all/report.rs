//! The page of a whole migration, its lists, and whether both are what the store says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
use transload_host::pipeline::model::{RollbackOptions, RunOptions, RunReport, RunState};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{dossier, rollback, run};
use transload_host::report::{html, number};

async fn migrated<D: Destination>() -> (Lab<D>, Project, RunReport) {
    let lab = Lab::<D>::of(LabConfig {
        size: 16,
        longest_thread: 6,
        largest_file: 2048,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let project = lab.project().await.unwrap();
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, options, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    (lab, project, report)
}

fn text(path: &Path) -> String {
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    std::fs::read_to_string(path).unwrap()
}

/// The rows of a list, its headings not among them.
fn rows(path: &Path) -> Vec<csv::StringRecord> {
    let text = text(path);
    let mut list = csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
    list.records().map(Result::unwrap).collect()
}

destinations!(
    a_page_says_what_the_report_says_and_is_genuine_until_it_is_changed,
    the_lists_have_every_reject_and_every_object_once,
);

async fn a_page_says_what_the_report_says_and_is_genuine_until_it_is_changed<D: Destination>() {
    let (lab, project, report) = migrated::<D>().await;
    let said = lab
        .run(&["report", "--html", "report.html"], &[0])
        .await
        .unwrap();
    assert!(
        said.contains("transload report --check report.html"),
        "{said}"
    );
    let path = lab.dir.join("report.html");
    let page = text(&path);

    // It says what the store says.
    let data: dossier::Dossier = serde_json::from_str(html::data_of(&page).unwrap()).unwrap();
    assert_eq!(data.report, report);
    assert!(page.contains(&number(report.total.read)));
    for plugin in &data.plugins {
        assert!(page.contains(&plugin.digest));
    }
    assert!(!data.head.hash.is_empty() && page.contains(&data.head.hash));
    for group in &report.rejects {
        assert!(
            page.contains(&maud::html! { (group.cause) }.into_string()),
            "{}",
            group.cause
        );
    }
    let plan = data.plan.as_ref().expect("a plan was approved");
    assert!(plan.source_calls > 0 && !plan.kinds.is_empty());
    // The time of every record and of requests to both sides is known.
    let timeline = &data.timeline;
    let settled: u64 = [&timeline.arrived, &timeline.aside, &timeline.rejected]
        .into_iter()
        .flatten()
        .sum();
    assert_eq!(settled, report.total.read);
    let roles: Vec<&str> = timeline
        .connections
        .iter()
        .map(|pace| pace.role.as_str())
        .collect();
    assert_eq!(roles, ["source", "destination"]);
    assert!(data.owners.known > 0 && data.owners.known < data.owners.all);
    let files: u64 = data.files.iter().map(|sum| sum.files).sum();
    let attachments = report
        .kinds
        .iter()
        .find(|sum| sum.kind == "attachment")
        .unwrap();
    assert_eq!(files, attachments.read);

    // It asks for nothing.
    for word in ["<link", "<img", "src=", "url(", "@import", "style=\""] {
        assert!(!page.contains(word), "{word}");
    }

    // It is genuine, until a digit is another.
    let found = lab
        .run(&["report", "--check", "report.html"], &[0])
        .await
        .unwrap();
    assert!(found.contains("The page is genuine."), "{found}");
    let total = format!(">{}<", number(report.total.read));
    std::fs::write(
        lab.dir.join("changed.html"),
        page.replacen(&total, ">7<", 1),
    )
    .unwrap();
    let found = lab
        .run(&["report", "--check", "changed.html", "--json"], &[1])
        .await
        .unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["given_out"], false);
    assert_eq!(found["shows_its_data"], false);

    // One without content is known as well, and names nobody.
    lab.run(&["report", "--html", "bare.html", "--no-content"], &[0])
        .await
        .unwrap();
    let bare = text(&lab.dir.join("bare.html"));
    for owner in data.owners.list.iter().filter(|owner| owner.name.len() > 6) {
        assert!(
            page.contains(&owner.id) && !bare.contains(&owner.id),
            "{}",
            owner.id
        );
        assert!(!bare.contains(&owner.name), "{}", owner.name);
    }
    lab.run(&["report", "--check", "bare.html"], &[0])
        .await
        .unwrap();

    // Taken back, the page is still what it was.
    rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    let found = lab
        .run(&["report", "--check", "report.html"], &[0])
        .await
        .unwrap();
    assert!(
        found.contains("changed since: where the run stands"),
        "{found}"
    );
}

async fn the_lists_have_every_reject_and_every_object_once<D: Destination>() {
    let (lab, project, report) = migrated::<D>().await;
    let args = [
        "report",
        "--rejects",
        "rejects.csv",
        "--id-map",
        "ids.csv",
        "--json",
    ];
    let written = lab.run(&args, &[0]).await.unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    let rejects = rows(&lab.dir.join("rejects.csv"));
    assert_eq!(rejects.len() as u64, report.total.rejected);
    assert_eq!(written[0]["rows"], report.total.rejected);
    for reject in &rejects {
        assert!(!reject[4].is_empty() && !reject[5].is_empty(), "{reject:?}");
    }

    let map = rows(&lab.dir.join("ids.csv"));
    assert_eq!(written[1]["rows"], map.len());
    let made = project
        .store
        .number("SELECT count(*) FROM effects WHERE kind <> 'own'", vec![])
        .await
        .unwrap();
    assert_eq!(map.len() as i64, made);
    let once: BTreeSet<Vec<&str>> = map.iter().map(|row| row.iter().take(5).collect()).collect();
    assert_eq!(once.len(), map.len());
    // Every conversation that arrived is in it, with its own object.
    let conversations: BTreeSet<&str> = map
        .iter()
        .filter(|row| &row[0] == "conversation" && &row[2] == "main")
        .map(|row| &row[1])
        .collect();
    let sum = report
        .kinds
        .iter()
        .find(|sum| sum.kind == "conversation")
        .unwrap();
    assert_eq!(
        conversations.len() as u64,
        sum.created + sum.updated + sum.matched
    );
    // No cell is a formula.
    for row in map.iter().chain(&rejects) {
        let formula = |cell: &str| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(!row.iter().any(formula), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_reported_or_checked_says_why() {
    let lab = Lab::new(LabConfig {
        size: 8,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    std::fs::write(lab.dir.join("other.html"), "<html>").unwrap();
    std::fs::write(lab.dir.join("bytes.html"), [0xff, 0xfe]).unwrap();
    for (args, code, words) in [
        (&["--html", "r.html"][..], 2, "nothing has been run yet"),
        (
            &["--rejects", "r.csv", "--no-content"],
            2,
            "cannot be used with",
        ),
        (&["--check", "other.html"], 2, "other.html"),
        (&["--check", "bytes.html"], 2, "is no text"),
        (&["--check", "none.html"], 3, "none.html"),
    ] {
        let args: Vec<&str> = ["report"].iter().chain(args).copied().collect();
        let output = lab.output(&args).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    assert!(!lab.dir.join("r.html").exists());
}
