//! The connectors of `examples/` in the real host, installed as a person does it: `tessera`, with Kustomer's history as the source
//! and a strict Tessera behind a server of this test; `postbox`, in Python, is in `example/postbox.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

mod postbox;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::tessera::desk::{Desk, TOKEN};
use crate::tessera::platform::Sent;
use serde_json::{Value, json};
use transload_e2e::lab::{plugin_path, target_dir};
use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::pipeline::model::{RollbackOptions, RunOptions, RunState};
use transload_host::pipeline::{plan, rollback, run};
use transload_host::report::adds_up;
use transload_simulators::common::SimServer;
use transload_simulators::kustomer::Kind;

fn private(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn migration(from: &str, to: &str) -> String {
    format!(
        r#"[migration]
from = "old"
to = "new"
store = "transload.db"
registry = "registry"

[connections.old]
plugin = "kustomer"
org = "acme"
base_url = "{from}"
token = "file:source.token"

[connections.new]
plugin = "tessera"
subdomain = "acme"
base_url = "{to}"
token = "file:tessera.token"

[budget]
share = 1.0
"#
    )
}

/// A customer of the source with an address and a name, as somebody whom the desk knows already.
fn known_there(lab: &Lab) -> Value {
    let world = lab.source.world();
    let people = world.ids(Kind::Customer).into_iter().filter_map(|id| {
        let json = world.json(&id)?;
        let attributes = &json["attributes"];
        let email = attributes["emails"][0]["email"].as_str()?;
        let name = attributes["name"]
            .as_str()
            .filter(|name| !name.is_empty())?;
        let plain =
            email.is_ascii() && !email.starts_with("agent") && attributes["deleted"] != true;
        plain.then(|| json!({"name": name, "email": email.to_lowercase()}))
    });
    people.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_is_installed_migrates_a_history_once_and_takes_it_back() {
    let config = LabConfig {
        size: 12,
        few: true,
        longest_thread: 6,
        largest_file: 2 * 1024,
        ..LabConfig::default()
    };
    let temp = tempfile::tempdir().unwrap();
    let lab = Lab::simulators(&config, temp.path().join("project"))
        .await
        .unwrap();
    let desk = Desk::new(lab.time.shown.clone());
    let server = SimServer::start(desk.router.clone(), 0).await.unwrap();
    let base_url = format!("{}/api/1", server.base_url);
    {
        let mut account = desk.account();
        account.agents.push(
            json!({"id": "a2", "name": "Agent 2", "email": "agent2@acme.example", "active": true}),
        );
        let (status, _) = account.answer("POST", "/people", Sent::Json(known_there(&lab)));
        assert_eq!(status, 201);
    }
    let before = desk.account().print();

    std::fs::write(
        lab.dir.join("migration.toml"),
        migration(&lab.base_urls.0, &base_url),
    )
    .unwrap();
    private(&lab.dir.join("tessera.token"), TOKEN);
    let cache = target_dir().join("e2e-cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::create_dir_all(lab.dir.join(".transload")).unwrap();
    std::os::unix::fs::symlink(cache, lab.dir.join(".transload/cache")).unwrap();
    for name in ["kustomer", "tessera"] {
        let path = plugin_path(name);
        let path = path.to_str().unwrap();
        lab.run(&["plugin", "add", path, "--unsigned", "--yes"], &[0])
            .await
            .unwrap();
    }
    let listed = lab.run(&["plugin", "list"], &[0]).await.unwrap();
    assert!(listed.contains("tessera"), "{listed}");

    let project = lab.project().await.unwrap();
    let planned = plan(&project, &Silent).await.unwrap();
    assert!(planned.check.ok, "{:#?}", planned.check);
    desk.loses([
        ("POST /people", 1),
        ("POST /tickets", 2),
        ("POST /fields", 1),
        ("DELETE /tickets", 1),
    ]);
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, options, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete, "{report:#?}");
    for sum in report.kinds.iter().chain([&report.total]) {
        assert!(adds_up(sum), "{sum:?}");
    }
    assert_eq!((report.duplicates, report.lost), (0, 0));
    // Files at a host that nobody allowed; Tessera itself refuses nothing.
    let foreign = |cause: &str| cause.contains("only if the host is allowed");
    let refused = report.rejects.iter().find(|group| !foreign(&group.cause));
    assert_eq!(refused, None);
    // Those of the run were lost as planned.
    assert_eq!(desk.to_be_lost(), [("DELETE /tickets", 1)]);
    {
        let account = desk.account();
        let markers: BTreeSet<&str> = account
            .tickets
            .values()
            .map(|ticket| ticket["ref"].as_str().unwrap())
            .collect();
        assert_eq!(markers.len(), account.tickets.len(), "each ticket once");
        let of_threads = |marker: &&&str| marker.contains(":conversation:");
        let threads = markers.iter().filter(of_threads).count() as u64;
        let sum = report.kinds.iter().find(|sum| sum.kind == "conversation");
        let sum = sum.unwrap();
        assert!(threads > 0);
        assert_eq!((sum.created, sum.rejected, sum.exported), (threads, 0, 0));
        assert_eq!(account.mails, 0);
        let entries = account
            .tickets
            .values()
            .flat_map(|ticket| ticket["entries"].as_array().unwrap());
        let entries: Vec<&Value> = entries.collect();
        assert!(
            entries
                .iter()
                .any(|entry| !entry["files"].as_array().unwrap().is_empty()),
            "no file arrived"
        );
        assert!(
            entries.iter().any(|entry| entry["by"] == "agent:a2"),
            "nothing by an agent who is here"
        );
    }

    let undone = rollback(&project, RollbackOptions::default(), &Silent)
        .await
        .unwrap();
    assert_eq!(undone.left, 0, "{:#?}", undone.problems);
    assert_eq!(desk.to_be_lost(), []);
    assert_eq!(desk.account().print(), before);
}
