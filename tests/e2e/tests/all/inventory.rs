//! What must be rebuilt by hand, and texts that look damaged: found, said, and left as they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use transload_e2e::{Destination, Lab, LabConfig, Silent, compare, destinations};
use transload_host::pipeline::model::{Inventory, RunOptions, RunReport, RunState};
use transload_host::pipeline::{plan, run};
use transload_host::report;
use transload_simulators::kustomer::{Kind, NewMessage};

/// `Grüße`, `it’s` and `Привет`, each read as Windows-1252.
const MOJIBAKE: &str = "GrÃ¼ÃŸe, itâ€™s ÐŸÑ€Ð¸Ð²ÐµÑ‚";
const REPLACED: &str = "caf\u{fffd} au lait";
const FINE: &str = "Grüße… «Ça va ?» Привет, 日本語 👍 „Spaß“ IRMÃ…";

fn small() -> LabConfig {
    LabConfig {
        size: 10,
        longest_thread: 4,
        largest_file: 512,
        ..LabConfig::default()
    }
}

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

fn private(path: &Path) -> String {
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    std::fs::read_to_string(path).unwrap()
}

destinations!(
    the_inventory_is_asked_for_before_any_run_and_written_with_one,
    damaged_texts_are_named_and_arrive_as_they_were,
);

async fn the_inventory_is_asked_for_before_any_run_and_written_with_one<D: Destination>() {
    let lab = Lab::<D>::of(small()).await.unwrap();
    // The destination is asked nothing: its connector's description is enough.
    let args = ["inventory", "--markdown", "m.md", "--html", "h.html"];
    let printed = lab.run(&args, &[0]).await.unwrap();
    assert_eq!(lab.destination.harness().recorder.all().len(), 0);
    assert!(
        printed.contains("Refunds over €250") && printed.contains("called by other workflows"),
        "{printed}"
    );
    let (markdown, html) = (
        private(&lab.dir.join("m.md")),
        private(&lab.dir.join("h.html")),
    );
    documents(&markdown, &html);

    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    let export = lab.dir.join("export").join(&report.run);
    let kept: Vec<Value> = serde_json::from_str(&private(&export.join("inventory.json"))).unwrap();
    assert_eq!(kept.len() as u64, report.inventory.values().sum::<u64>());
    documents(
        &private(&export.join("inventory.md")),
        &private(&export.join("inventory.html")),
    );
    assert!(report::run(&report, None).contains("inventory.html"));

    let asked = || lab.source.harness().recorder.all().len();
    let before = asked();
    let json = lab
        .run(&["inventory", "--run", &report.run, "--json"], &[0])
        .await
        .unwrap();
    assert_eq!(asked(), before, "a run's inventory is not asked for again");
    let inventory: Inventory = serde_json::from_str(&json).unwrap();
    assert_eq!(
        inventory
            .groups
            .iter()
            .map(|group| group.things.len())
            .sum::<usize>(),
        kept.len()
    );
    // For every sort there is a feature, or what to do without one.
    for group in &inventory.groups {
        assert!(
            group.feature.is_some() || group.note.is_some(),
            "{}",
            group.category
        );
    }
    let things = || inventory.groups.iter().flat_map(|group| &group.things);
    let named = |name: &str| things().find(|thing| thing.name == name).unwrap();
    // What uses a thing: others, and records.
    let billing = things()
        .find(|thing| thing.section == "queue" && thing.name == "Billing")
        .unwrap();
    let by: Vec<&str> = billing
        .used_by
        .iter()
        .filter_map(|used| used.name.as_deref())
        .collect();
    assert_eq!(by, ["To email", "Refunds over €250"]);
    let shared = named("Shared step");
    assert_eq!(shared.used_by.len(), 1, "{:?}", shared.used_by);
    assert!(
        things().any(|thing| thing.records.contains_key("conversation")),
        "no conversation is in a queue"
    );
    // What it works with has its name, and its id at the destination where it was migrated.
    let refunds = named("Refunds over €250");
    assert!(
        refunds.uses.iter().all(|used| used.name.is_some()),
        "{:?}",
        refunds.uses
    );
    let tags = refunds.uses.iter().filter(|used| used.kind == "tag");
    assert!(
        tags.into_iter().all(|used| used.target.is_some()),
        "{:?}",
        refunds.uses
    );
}

/// Both documents say everything, and nothing in them is markup of somebody else's, or a secret.
fn documents(markdown: &str, html: &str) {
    for said in [
        "the channels of the conversation contain “chat”",
        "goes to queue “Billing”",
        "15 min at priority 5",
        "Monday: 08:00 to 17:00",
        "a test “matches_semantically” that is not known",
        "Rebuild",
        "Kustomer's API has no list of them",
    ] {
        let plain = markdown.replace('\\', "");
        assert!(plain.contains(said), "{said}");
        let plain = html.replace("<bdi>", "").replace("</bdi>", "");
        assert!(plain.contains(said), "{said}");
    }
    assert!(markdown.contains("\\<script\\>") && !markdown.contains("<script>"));
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"));
    for secret in ["hush-hush", "Bearer "] {
        assert!(
            !markdown.contains(secret) && !html.contains(secret),
            "{secret}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_without_an_inventory_and_one_that_is_not_there_are_said_to_be_so() {
    let lab = Lab::new(small()).await.unwrap();
    let output = lab.output(&["inventory", "--run", "r0"]).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no run r0"));
    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    std::fs::remove_file(
        lab.dir
            .join("export")
            .join(&report.run)
            .join("inventory.json"),
    )
    .unwrap();
    let output = lab
        .output(&["inventory", "--run", &report.run])
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        words.contains("has taken no inventory") && words.contains("--run"),
        "{words}"
    );
}

async fn damaged_texts_are_named_and_arrive_as_they_were<D: Destination>() {
    let lab = Lab::<D>::of(small()).await.unwrap();
    let [mojibake, replaced, fine] = lab.source.change(|world| {
        let ids = world.ids(Kind::Conversation);
        let spoken = ids.iter().find(|id| {
            let json = world.json(id).unwrap_or_default();
            json["attributes"]["deleted"] == false && json["attributes"]["spam"] == false
        });
        let id = spoken.unwrap().clone();
        [MOJIBAKE, REPLACED, FINE].map(|text| {
            let message = NewMessage {
                text: text.to_owned(),
                outbound: false,
                files: 0,
            };
            world.add_message(&id, message).unwrap()
        })
    });
    // Until the source's search shows them.
    lab.time.shown.advance(3_600_000);
    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    let group = |what: &str| {
        let groups = report.damage.iter();
        let mut groups = groups.filter(|group| group.what == what && group.field == "message.text");
        let found = groups
            .next()
            .unwrap_or_else(|| panic!("no {what}: {:?}", report.damage));
        assert_eq!(
            (found.records, groups.count()),
            (1, 0),
            "{:?}",
            report.damage
        );
        found.examples[0].clone()
    };
    let example = group("mojibake");
    assert_eq!((example.id.as_str(), example.at), (mojibake.as_str(), 2));
    assert!(example.count >= 8, "{example:?}");
    let example = group("replacement-character");
    assert_eq!(
        (example.id.as_str(), example.at, example.count),
        (replaced.as_str(), 3, 1)
    );

    let export = lab.dir.join("export").join(&report.run);
    let listed = private(&export.join("text-damage.jsonl"));
    let lines: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let all: u64 = report.damage.iter().map(|group| group.records).sum();
    assert_eq!(lines.len() as u64, all);
    assert!(
        !listed.contains(&fine) && !listed.contains("caf") && !listed.contains("Ã"),
        "{listed}"
    );
    said_without_the_text(&report);

    // The next plan knows of it, and is the same plan.
    let first = plan(&project, &Silent).await.unwrap();
    assert_eq!(first.damage, report.damage);
    assert!(report::plan(&first, None).contains("Texts that look damaged"));
    // Nothing was mended on the way.
    let found = compare(&lab.source, &lab.destination).await.unwrap();
    assert!(found.is_equal(), "{:?}", found.differences);
}

fn said_without_the_text(report: &RunReport) {
    let text = report::run(report, None);
    assert!(
        text.contains("Texts that look damaged") && text.contains("text-damage.jsonl"),
        "{text}"
    );
    assert!(!text.contains("GrÃ") && !text.contains("au lait"));
    let bare = report::without_content(report.clone());
    assert!(
        bare.damage
            .iter()
            .all(|group| group.examples.is_empty() && group.records > 0)
    );
}
