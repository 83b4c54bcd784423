//! The user's rules in whole small migrations: what `migration.toml` says is what happens, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::error::Error;
use transload_host::pipeline::model::{
    Events, Notice, RollbackOptions, RunOptions, RunReport, RunState,
};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{plan, propose, rollback, run, status};
use transload_host::report::adds_up;
use transload_simulators::common::{Action, Fault, Faults, Occurrence, PathPattern};
use transload_simulators::kustomer::{ApiKey, Kind};
use transload_simulators::zendesk::model::Role;

/// The line by which the lab takes dangers on.
const ACCEPTS: &str = "accept = [";

async fn lab(extra: &str) -> Lab {
    Lab::new(LabConfig {
        size: 8,
        longest_thread: 4,
        largest_file: 512,
        extra: extra.to_owned(),
        ..LabConfig::default()
    })
    .await
    .unwrap()
}

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

async fn migrate(lab: &Lab) -> (Project, RunReport) {
    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    for sum in report.kinds.iter().chain([&report.total]) {
        assert!(adds_up(sum), "{sum:?}");
    }
    (project, report)
}

/// Does something when a phase begins.
struct At<F: Fn(&str) + Send + Sync>(F);

impl<F: Fn(&str) + Send + Sync> Events for At<F> {
    fn phase(&self, name: &str) {
        (self.0)(name);
    }
    fn progress(&self, _: &str, _: u64, _: Option<u64>) {}
    fn paused(&self, _: &str, _: Option<&str>) {}
    fn notice(&self, _: &Notice) {}
}

/// Everything is refused from now on.
fn refuse(faults: &Faults, status: u16, retry_after_s: Option<u64>) {
    faults.add(Fault {
        method: None,
        path: PathPattern::new("**"),
        occurrence: Occurrence::All,
        action: Action::Status {
            status,
            retry_after_s,
        },
    });
}

/// Until a customer of the source has arrived.
async fn loaded_some(lab: &Lab) {
    let is_ours = |marker: &Option<String>| {
        marker
            .as_deref()
            .is_some_and(|marker| marker.starts_with("kustomer:"))
    };
    while !lab
        .destination
        .snapshot()
        .users
        .iter()
        .any(|user| is_ours(&user.external_id))
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// One text of a query.
async fn text(project: &Project, sql: &'static str, of: &str) -> Option<String> {
    let found = project.store.map(sql, vec![of.into()]).await.unwrap();
    found.into_values().next()
}

/// A record of the source as it answers it.
fn json(lab: &Lab, id: &str) -> Value {
    lab.source.world().json(id).unwrap()
}

/// Conversations that are loaded, each with its customer.
fn conversations(lab: &Lab) -> Vec<(String, String)> {
    let world = lab.source.world();
    let mut found = vec![];
    for id in world.ids(Kind::Conversation) {
        let json = world.json(&id).unwrap();
        let attributes = &json["attributes"];
        let customer = json["relationships"]["customer"]["data"]["id"].as_str();
        if let (false, false, Some(customer)) = (
            attributes["deleted"] == true,
            attributes["spam"] == true,
            customer,
        ) && world
            .json(customer)
            .is_some_and(|c| c["attributes"]["deleted"] != true)
        {
            found.push((id, customer.to_owned()));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_fills_the_map_once_and_its_digest_covers_its_dangers() {
    let lab = lab("").await;
    let path = lab.dir.join("migration.toml");
    let mine: String = read(&path)
        .lines()
        .filter(|line| !line.starts_with(ACCEPTS))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&path, &mine).unwrap();
    let before = lab.destination.state_fingerprint();

    let mut project = lab.project().await.unwrap();
    plan(&project, &Silent).await.unwrap();
    assert_eq!(read(&path), mine, "a plan that writes nothing wrote");
    let first = propose(&mut project, false, &Silent).await.unwrap();
    assert_eq!(first.plan.errors, Vec::<String>::new());
    assert!(first.added > 10, "{} entries", first.added);
    let written = read(&path);
    assert!(written.starts_with(&mine), "{written}");
    assert!(
        written.contains("[map.conversation.status]") && written.contains("[map.fields]"),
        "{written}"
    );

    let mut project = lab.project().await.unwrap();
    let second = propose(&mut project, false, &Silent).await.unwrap();
    assert_eq!((second.added, second.withheld), (0, 0));
    assert_eq!(second.plan, first.plan);
    assert_eq!(read(&path), written);

    // A yes to the plan is none to its dangers; its digest is.
    let refused = run(&project, yes(), &Silent).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.exit_code()),
        ("danger-not-accepted", 2)
    );
    for code in ["triggers", "automations", "welcome-mails"] {
        assert!(refused.to_string().contains(code), "{refused}");
    }
    assert_eq!(lab.destination.state_fingerprint(), before);
    let accepted = RunOptions {
        accept: Some(second.plan.digest),
        ..RunOptions::default()
    };
    let report = run(&project, accepted, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    let taken_on = report
        .notices
        .iter()
        .filter(|notice| notice.code == "triggers");
    assert_eq!(taken_on.count(), 1, "what was taken on is not recorded");

    // A run is pinned to its mapping: what is missing now stays missing, and the run goes on.
    std::fs::write(&path, &mine).unwrap();
    let mut project = lab.project().await.unwrap();
    let third = propose(&mut project, false, &Silent).await.unwrap();
    // Reading found attributes that nobody had defined.
    assert!(
        third.added == 0 && third.withheld >= first.added,
        "{}",
        third.withheld
    );
    assert_eq!(read(&path), mine);
    let other = run(&project, yes(), &Silent).await.unwrap_err();
    assert_eq!(other.code(), "other-mapping");
    std::fs::write(&path, &written).unwrap();
    let project = lab.project().await.unwrap();
    let again = run(&project, yes(), &Silent).await.unwrap();
    assert_eq!(again.run, report.run);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_is_excluded_is_nowhere_and_the_sum_holds() {
    let probe = lab("").await;
    let (conversation, customer) = conversations(&probe)
        .into_iter()
        .find(|(_, customer)| {
            let json = json(&probe, customer);
            json["attributes"]["emails"][0]["email"].is_string()
        })
        .unwrap();
    let address = json(&probe, &customer)["attributes"]["emails"][0]["email"]
        .as_str()
        .unwrap()
        .to_uppercase();
    drop(probe);
    // The same seed, so the same people.
    let lab = lab(&format!("[filter]\nexclude_people = [{address:?}]")).await;
    let (_, report) = migrate(&lab).await;
    let snapshot = lab.destination.snapshot();
    let is_of = |marker: &Option<String>, id: &str| {
        marker
            .as_deref()
            .is_some_and(|marker| marker.to_lowercase().ends_with(id))
    };
    assert!(
        !snapshot
            .users
            .iter()
            .any(|user| is_of(&user.external_id, &customer))
    );
    assert!(
        !snapshot
            .tickets
            .iter()
            .any(|ticket| is_of(&ticket.external_id, &conversation))
    );
    let skipped = |kind: &str, rule: &str| -> u64 {
        let groups = report.skips.iter();
        groups
            .filter(|group| group.kind == kind && group.rule == rule)
            .map(|group| group.count)
            .sum()
    };
    let why = "belongs to a person named in [filter] exclude_people";
    assert!(skipped("customer", "named in [filter] exclude_people") >= 1);
    let theirs = conversations(&lab)
        .iter()
        .filter(|(_, of)| *of == customer)
        .count();
    assert!(
        skipped("conversation", why) >= theirs as u64,
        "{:?}",
        report.skips
    );
    let inside = format!("with its conversation: {why}");
    assert!(skipped("message", &inside) >= 1, "{:?}", report.skips);
    for group in &report.rejects {
        assert!(!group.examples.contains(&conversation), "{group:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_are_who_the_user_says_and_strangers_have_the_one_who_stands_in() {
    let pairs = "[people]\nfallback_agent = \"agent8@acme.example\"\n[people.agents]\n\
                 \"agent1@acme.example\" = \"agent7@acme.example\"";
    let lab = lab(pairs).await;
    let (project, _) = migrate(&lab).await;
    let user = |email: &str| {
        let snapshot = lab.destination.snapshot();
        let mut users = snapshot.users.iter();
        let found = users.find(|user| user.identities.iter().any(|i| i.value == email));
        found.unwrap().id.to_string()
    };
    let source_id = async |email: &str| {
        let sql =
            "SELECT payload, id FROM staged WHERE kind = 'agent' AND payload LIKE '%' || $1 || '%'";
        text(&project, sql, email).await.unwrap()
    };
    let target = async |email: &str| {
        let id = source_id(email).await;
        let sql = "SELECT source_id, target_id FROM effects WHERE kind = 'agent' AND part = 'main' AND source_id = $1";
        text(&project, sql, &id).await.unwrap()
    };
    assert_eq!(
        target("agent1@acme.example").await,
        user("agent7@acme.example")
    );
    assert_eq!(
        target("agent9@acme.example").await,
        user("agent9@acme.example")
    );
    // Nobody has this address there.
    let stranger = target("agent3@acme.example").await;
    assert!(
        stranger.contains(&user("agent8@acme.example")),
        "{stranger}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_the_map_leaves_out_is_not_made_and_is_counted() {
    let probe = lab("").await;
    let project = probe.project().await.unwrap();
    let made = plan(&project, &Silent).await.unwrap();
    let field = made
        .custom_fields
        .iter()
        .find(|field| field.field.starts_with("customer/") && field.target == "made")
        .unwrap()
        .field
        .clone();
    drop((project, probe));
    let lab = lab(&format!("[map.fields]\n{field:?} = false")).await;
    let (project, report) = migrate(&lab).await;
    let rule = "left out by [map.fields]";
    let left = report
        .skips
        .iter()
        .find(|group| group.rule == rule)
        .unwrap();
    assert_eq!((left.kind.as_str(), left.count), ("field-definition", 1));
    let sql = "SELECT source_id, target_id FROM effects WHERE kind = 'field-definition' AND source_id = $1";
    assert_eq!(text(&project, sql, &field).await, None);
    let name = format!("fields.{}", field.rsplit('/').next().unwrap());
    let losses: Vec<_> = report
        .losses
        .iter()
        .filter(|loss| loss.field == name)
        .collect();
    assert!(losses.iter().any(|loss| loss.note == rule), "{losses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inventory_is_exported_once_and_a_source_that_cannot_list_it_costs_a_notice() {
    use std::os::unix::fs::PermissionsExt as _;

    let lab = lab("").await;
    let asked = || {
        let requests = lab.source.harness().recorder.all();
        requests
            .iter()
            .filter(|r| r.path == "/v1/workflows")
            .count()
    };
    lab.source.harness().faults.add(Fault {
        method: Some("GET".into()),
        path: PathPattern::new("/v1/workflows"),
        occurrence: Occurrence::All,
        action: Action::Status {
            status: 500,
            retry_after_s: None,
        },
    });
    let (_, report) = migrate(&lab).await;
    assert!(report.inventory.is_empty());
    assert!(
        report.notices.iter().any(|n| n.code == "inventory-failed"),
        "{:?}",
        report.notices
    );
    lab.source.harness().faults.clear();

    let (_, report) = migrate(&lab).await;
    assert!(
        report.inventory.contains_key("workflow"),
        "{:?}",
        report.inventory
    );
    let path = lab
        .dir
        .join("export")
        .join(&report.run)
        .join("inventory.json");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let things: Vec<Value> = serde_json::from_str(&read(&path)).unwrap();
    assert_eq!(things.len() as u64, report.inventory.values().sum::<u64>());
    let sum = report
        .kinds
        .iter()
        .find(|sum| sum.kind == "inventory")
        .unwrap();
    assert_eq!(sum.exported, things.len() as u64);

    let before = asked();
    let (_, again) = migrate(&lab).await;
    assert_eq!(again.inventory, report.inventory);
    assert_eq!(asked(), before, "it was asked for again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_is_seen_from_elsewhere_and_told_and_the_run_goes_on_after_it() {
    let command = "echo \\\"$TRANSLOAD_EVENT $TRANSLOAD_RUN $TRANSLOAD_MESSAGE\\\" >> told";
    let lab = lab(&format!("[notify]\ncommand = \"{command}\"")).await;
    let project = lab.project().await.unwrap();
    let elsewhere = lab.project().await.unwrap();
    let told = lab.dir.join("told");
    let paused = async {
        // Once something is loaded the destination refuses the credential.
        loaded_some(&lab).await;
        lab.destination.harness().faults.add(Fault {
            method: None,
            path: PathPattern::new("**"),
            occurrence: Occurrence::All,
            action: Action::Status {
                status: 401,
                retry_after_s: None,
            },
        });
        let paused = loop {
            let report = status(&elsewhere, None).await.unwrap();
            if report.state == RunState::Paused {
                break report;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        lab.destination.harness().faults.clear();
        let users = lab.destination.snapshot().users;
        let admin = users.iter().find(|user| user.role == Role::Admin).unwrap();
        let token = lab.destination.token_for(admin.id, &["read", "write"]);
        std::fs::write(lab.dir.join("destination.token"), token).unwrap();
        // Secrets are looked at every few seconds.
        lab.time.shown.advance(5_000);
        paused
    };
    let (report, paused) = tokio::join!(run(&project, yes(), &Silent), paused);
    let report = report.unwrap();
    assert_eq!(report.state, RunState::Complete);
    assert_eq!((report.reason, report.until), (None, None));
    let reason = paused.reason.unwrap();
    assert!(
        reason.starts_with("new waits: ") && reason.contains("waiting for a new secret"),
        "{reason}"
    );
    let told = read(&told);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(
        lines[0].starts_with(&format!("pause {} new waits: ", report.run)),
        "{told}"
    );
    assert!(
        lines[1].starts_with(&format!("end {} the run is complete", report.run)),
        "{told}"
    );
    assert!(
        !told.contains(&lab.destination.admin_token()),
        "a secret is told"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_stops_tells_why_and_is_stopped() {
    let command = "echo \\\"$TRANSLOAD_EVENT $TRANSLOAD_MESSAGE\\\" >> told";
    let lab = lab(&format!("[notify]\ncommand = \"{command}\"")).await;
    let project = lab.project().await.unwrap();
    let options = yes();
    let stop = options.stop.clone();
    let stopping = async {
        loaded_some(&lab).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(run(&project, options, &Silent), stopping);
    assert!(matches!(ended.unwrap_err(), Error::Interrupted));
    let told = read(&lab.dir.join("told"));
    assert!(
        told.starts_with("stop the run stopped: stopped at a safe point"),
        "{told}"
    );
    assert_eq!(
        status(&project, None).await.unwrap().state,
        RunState::Stopped
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_danger_that_shows_while_reading_stops_the_run_until_it_is_taken_on() {
    let lab = lab("").await;
    // Once it is being read, the key sees less than it did when the plan was made.
    let less = |phase: &str| {
        if phase == "extract" {
            lab.source
                .switch(|switches| switches.sensitive = vec!["customer.name".into()]);
            lab.source.set_keys(vec![ApiKey {
                reads_sensitive: false,
                ..ApiKey::full()
            }]);
        }
    };
    let project = lab.project().await.unwrap();
    let refused = run(&project, yes(), &At(less)).await.unwrap_err();
    let words = refused.to_string();
    assert_eq!(
        (refused.code(), refused.exit_code()),
        ("danger-not-accepted", 2),
        "{words}"
    );
    assert!(words.contains("kustomer.masked (old: "), "{words}");
    let hint = refused.hint().unwrap();
    assert!(hint.contains("--accept-danger kustomer.masked"), "{hint}");
    let stopped = status(&project, None).await.unwrap();
    assert_eq!(stopped.state, RunState::Stopped);
    assert!(stopped.reason.unwrap().contains("kustomer.masked"));
    assert!(
        !stopped.kinds.iter().any(|sum| sum.kind == "customer"),
        "customers of such a page were staged"
    );

    // A yes to the plan is none to this.
    let project = lab.project().await.unwrap();
    let again = run(&project, yes(), &Silent).await.unwrap_err();
    assert_eq!(again.code(), "danger-not-accepted");

    let taken_on = RunOptions {
        accept_dangers: vec!["kustomer.masked".into()],
        ..yes()
    };
    let project = lab.project().await.unwrap();
    let report = run(&project, taken_on, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    let notices = report.notices.iter();
    let masked: Vec<_> = notices
        .filter(|notice| notice.code == "kustomer.masked")
        .map(|notice| notice.remedy.as_deref().unwrap())
        .collect();
    assert_eq!(masked, ["taken on for this run"]);
    // It stays taken on.
    let (_, same) = migrate(&lab).await;
    assert_eq!(same.run, report.run);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_fails_stops_the_reading_too_and_is_what_is_reported() {
    let lab = lab("").await;
    // The source would hold the reading up for ever.
    let fail = |phase: &str| match phase {
        "extract" => refuse(&lab.source.harness().faults, 429, Some(1)),
        "load" => refuse(&lab.destination.harness().faults, 422, None),
        _ => {}
    };
    let project = lab.project().await.unwrap();
    // Else it would be read for ever.
    let (events, patience) = (At(fail), Duration::from_secs(120));
    let ended = tokio::time::timeout(patience, run(&project, yes(), &events)).await;
    let failed = ended.unwrap().unwrap_err();
    assert_eq!(failed.code(), "prepare-failed", "{failed}");
    let stopped = status(&project, None).await.unwrap();
    assert_eq!(stopped.state, RunState::Stopped);
    assert_eq!(stopped.reason, Some(failed.to_string()));
    lab.source.harness().faults.clear();
    lab.destination.harness().faults.clear();
    let (_, report) = migrate(&lab).await;
    assert_eq!((report.duplicates, report.lost), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_fails_stops_the_loading_too_and_is_what_is_reported() {
    let lab = lab("").await;
    let fail = |phase: &str| {
        if phase == "extract" {
            refuse(&lab.source.harness().faults, 403, None);
        }
    };
    let project = lab.project().await.unwrap();
    let failed = run(&project, yes(), &At(fail)).await.unwrap_err();
    assert_eq!(failed.code(), "permission", "{failed}");
    let stopped = status(&project, None).await.unwrap();
    assert_eq!(stopped.reason, Some(failed.to_string()));
    lab.source.harness().faults.clear();
    let (_, report) = migrate(&lab).await;
    assert_eq!((report.duplicates, report.lost), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_at_a_host_that_nobody_allowed_are_one_cause_that_names_the_setting() {
    let config = LabConfig {
        size: 30,
        longest_thread: 4,
        largest_file: 512,
        ..LabConfig::default()
    };
    let lab = Lab::new(config.clone()).await.unwrap();
    let host = lab.base_urls.0.trim_start_matches("http://").to_owned();
    let (_, report) = migrate(&lab).await;
    let about = report
        .rejects
        .iter()
        .filter(|group| group.cause.contains(&host) || group.cause.contains("granted"));
    let about: Vec<_> = about.collect();
    let [group] = about.as_slice() else {
        panic!("{about:?}");
    };
    assert_eq!(
        group.cause,
        format!(
            "files at {host} are fetched only if the host is allowed: add it to allow_hosts of [connections.old] before the run"
        )
    );
    assert!(group.count > 1, "{group:?}");

    // Allowed, they are fetched.
    let lab = Lab::new(config).await.unwrap();
    let host = lab.base_urls.0.trim_start_matches("http://").to_owned();
    let path = lab.dir.join("migration.toml");
    let org = "org = \"acme\"";
    let allowed = read(&path).replace(org, &format!("{org}\nallow_hosts = [\"{host}\"]"));
    std::fs::write(&path, allowed).unwrap();
    let (_, allowed) = migrate(&lab).await;
    let said = |report: &RunReport| -> u64 {
        let groups = report.rejects.iter();
        groups
            .filter(|group| group.kind == "attachment")
            .map(|group| group.count)
            .sum()
    };
    assert!(
        !allowed
            .rejects
            .iter()
            .any(|g| g.cause.contains("allow_hosts"))
    );
    assert!(said(&allowed) < said(&report), "{:?}", allowed.rejects);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_too_large_for_the_destination_are_exported_under_their_records_ids() {
    let lab = Lab::new(LabConfig {
        size: 12,
        longest_thread: 4,
        largest_file: 512,
        destination: "max_attachment_bytes = 300".into(),
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let (project, report) = migrate(&lab).await;
    let sum = report.kinds.iter().find(|sum| sum.kind == "attachment");
    let sum = sum.unwrap();
    let sql = "SELECT source_id, cause FROM outcomes WHERE kind = 'attachment' AND status = $1";
    let exported = project
        .store
        .map(sql, vec!["exported".into()])
        .await
        .unwrap();
    assert!(sum.exported > 0 && sum.created > 0, "{sum:?}");
    assert_eq!(exported.len() as u64, sum.exported);
    let folder = lab.dir.join("export").join(&report.run);
    let listed = read(&folder.join("attachment.jsonl"));
    for (id, name) in &exported {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        assert!(bytes.len() > 300, "{name}");
        assert!(
            name.contains(id.as_str()) && listed.contains(id.as_str()),
            "{name}"
        );
        let own = lab.source.world().file_bytes(id).unwrap();
        assert_eq!(bytes, own, "{name}");
    }
    assert_eq!(listed.lines().count(), exported.len());
    let uploaded = lab.destination.snapshot();
    let largest = uploaded.tickets.iter().flat_map(|ticket| &ticket.comments);
    let largest = largest
        .flat_map(|comment| &comment.attachments)
        .map(|file| file.size);
    assert!(largest.max().unwrap() <= 300);
    assert!(
        report
            .losses
            .iter()
            .any(|loss| loss.note.contains("larger")),
        "{:?}",
        report.losses
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_the_destination_refuses_are_exported_and_named_and_their_threads_arrive() {
    let lab = Lab::new(LabConfig {
        size: 12,
        longest_thread: 4,
        largest_file: 512,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    // Nobody was told beforehand.
    lab.destination
        .set_switches(|switches| switches.upload_max_bytes = 300);
    let state = lab.destination.state_fingerprint();
    let (project, report) = migrate(&lab).await;
    let of = |kind: &str| {
        let sum = report.kinds.iter().find(|sum| sum.kind == kind);
        sum.cloned().unwrap()
    };
    let (files, threads) = (of("attachment"), of("conversation"));
    assert!(files.exported > 0 && files.created > 0, "{files:?}");
    assert_eq!((threads.exported, threads.rejected), (0, 0), "{threads:?}");
    let sql = "SELECT source_id, cause FROM outcomes WHERE kind = 'attachment' AND status = $1";
    let exported = project.store.map(sql, vec!["exported".into()]).await;
    let exported = exported.unwrap();
    assert_eq!(exported.len() as u64, files.exported);
    let folder = lab.dir.join("export").join(&report.run);
    let listed = read(&folder.join("attachment.jsonl"));
    assert_eq!(listed.lines().count(), exported.len());
    let tickets = lab.destination.snapshot().tickets;
    let texts: Vec<String> = tickets
        .iter()
        .flat_map(|ticket| &ticket.comments)
        .map(|comment| format!("{:?}", comment.text))
        .collect();
    for (id, path) in &exported {
        let bytes = std::fs::read(folder.join(path)).unwrap();
        assert!(bytes.len() > 300, "{path}");
        let own = lab.source.world().file_bytes(id).unwrap();
        assert_eq!(bytes, own, "{path}");
        assert!(listed.contains(id.as_str()), "{id}");
    }
    let named = texts
        .iter()
        .filter(|text| text.contains("is missing here: Zendesk refuses it"));
    assert!(named.count() > 0);
    let losses =
        "SELECT source_id, note FROM losses WHERE kind = $1 AND field = 'attachment.content'";
    let losses = project.store.map(losses, vec!["attachment".into()]).await;
    let losses = losses.unwrap();
    assert_eq!(losses.len(), exported.len(), "{losses:?}");
    assert!(
        losses.keys().all(|id| exported.contains_key(id)),
        "{losses:?}"
    );
    let group = report.losses.iter().find(|loss| loss.kind == "attachment");
    let group = group.unwrap();
    assert!(exported.contains_key(&group.examples[0]), "{group:?}");
    assert!(group.note.starts_with("Zendesk refuses it"), "{group:?}");
    let undone = rollback(&project, RollbackOptions::default(), &Silent).await;
    assert_eq!(undone.unwrap().left, 0);
    assert_eq!(lab.destination.state_fingerprint(), state);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_says_what_the_rollback_then_does() {
    let lab = lab("").await;
    let before = lab.destination.state_fingerprint();
    let (project, _) = migrate(&lab).await;
    drop(project);
    let after = lab.destination.state_fingerprint();
    let undo = async |preview: bool| {
        let project = lab.project().await.unwrap();
        let options = RollbackOptions {
            preview,
            ..RollbackOptions::default()
        };
        rollback(&project, options, &Silent).await.unwrap()
    };
    let shown = undo(true).await;
    assert_eq!(lab.destination.state_fingerprint(), after);
    let done = undo(false).await;
    assert_eq!((done.left, done.problems), (0, vec![]));
    assert_eq!(shown.problems, []);
    assert_eq!(shown.counts, done.counts);
    assert_ne!(before, after);
}
