//! Whole small migrations in this process: what arrives, what does not happen, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::sync::Arc;

use transload_e2e::{Lab, LabConfig, Silent};
use transload_host::config::Config;
use transload_host::error::Error;
use transload_host::pipeline::model::{RunOptions, RunReport, RunState};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{plan, run};
use transload_simulators::kustomer::{Kind, NewMessage};

/// Letters, marks and line ends that careless code breaks.
const AWKWARD: &str = "Hi 👩‍👩‍👧‍👦!\r\nשָׁלוֹם 4417 — أين طلبي؟\r\n\te\u{301} \u{202e}rtl\u{202c} \u{2028}<b>&amp;</b> 𝔘\u{feff}  ";

fn yes() -> RunOptions {
    RunOptions {
        yes: true,
        ..RunOptions::default()
    }
}

async fn migrate(lab: &Lab) -> (Project, RunReport) {
    let project = lab.project().await.unwrap();
    let report = run(&project, yes(), &Silent).await.unwrap();
    (project, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_does_mail_when_a_ticket_is_made_the_ordinary_way() {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt as _;

    let lab = Lab::simulators(&LabConfig::default(), tempfile::tempdir().unwrap().keep())
        .await
        .unwrap();
    let ticket = serde_json::json!({"ticket": {
        "subject": "Where is my order?",
        "comment": {"body": "It was meant to arrive on Tuesday."},
        "requester": {"name": "Ana Ruiz", "email": "ana.ruiz@example.com"},
    }});
    let request = Request::post("/api/v2/tickets")
        .header(
            "authorization",
            format!("Bearer {}", lab.destination.admin_token()),
        )
        .header("content-type", "application/json")
        .body(Body::from(ticket.to_string()))
        .unwrap();
    let answer = lab.destination.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 201);
    assert!(!lab.destination.outbox().all().is_empty(), "no mail");
    assert!(
        !lab.destination.automation_log().all().is_empty(),
        "no trigger ran"
    );
    std::fs::remove_dir_all(&lab.dir).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_arrives_byte_for_byte() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let conversation = lab.source.change(|world| {
        let ids = world.ids(Kind::Conversation);
        let spoken = ids.iter().find(|id| {
            let json = world.json(id).unwrap_or_default();
            json["attributes"]["deleted"] == false && json["attributes"]["spam"] == false
        });
        let id = spoken.unwrap().clone();
        let message = NewMessage {
            text: AWKWARD.to_owned(),
            outbound: false,
            files: 0,
        };
        world.add_message(&id, message).unwrap();
        world.add_note(&id, AWKWARD).unwrap();
        id
    });
    // Until the source's search shows them, and beyond what counts as still moving.
    lab.time.shown.advance(3_600_000);
    migrate(&lab).await;
    let snapshot = lab.destination.snapshot();
    let of_it = |ticket: &&transload_simulators::zendesk::model::Ticket| {
        ticket
            .external_id
            .as_deref()
            .is_some_and(|id| id.ends_with(&conversation))
    };
    let ticket = snapshot.tickets.iter().find(of_it).unwrap();
    let arrived = ticket
        .comments
        .iter()
        .filter(|comment| match &comment.text {
            transload_simulators::zendesk::model::CommentText::Plain(text) => {
                text.ends_with(AWKWARD)
            }
            transload_simulators::zendesk::model::CommentText::Html(_) => false,
        });
    let public: Vec<bool> = arrived.map(|comment| comment.public).collect();
    assert_eq!(public.len(), 2, "one message and one note");
    assert!(public.contains(&true) && public.contains(&false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_does_not_go_on_against_another_account() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    migrate(&lab).await;
    let config = LabConfig {
        seed: 8,
        ..LabConfig::default()
    };
    let other = Lab::simulators(&config, lab.dir.join("other"))
        .await
        .unwrap();
    // The same settings, so the same mapping; only the account behind the address is another.
    let path = lab.dir.join("migration.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&lab.base_urls.1, &other.base_urls.1)).unwrap();
    std::fs::copy(
        other.dir.join("destination.token"),
        lab.dir.join("destination.token"),
    )
    .unwrap();
    let before = other.destination.state_fingerprint();
    let project = lab.project().await.unwrap();
    let refused = run(&project, yes(), &Silent).await.unwrap_err();
    assert!(matches!(refused, Error::Input(_)), "{refused}");
    assert_same(&before, &other.destination.state_fingerprint());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_writes_nothing_and_a_run_needs_its_approval() {
    let lab = Lab::new(LabConfig {
        size: 20,
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let before = lab.destination.state_fingerprint();
    let project = lab.project().await.unwrap();
    let made = plan(&project, &Silent).await.unwrap();
    assert_eq!(made.errors, Vec::<String>::new());
    let refused = run(&project, RunOptions::default(), &Silent)
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::NotApproved { .. }), "{refused}");
    assert_same(&before, &lab.destination.state_fingerprint());
    let config = Config::load(&lab.dir.join("migration.toml")).unwrap();
    let clock = Arc::new(lab.time.clone());
    let again = Project::open_with(&lab.dir, config, None, clock)
        .await
        .unwrap();
    let accepted = RunOptions {
        accept: Some(made.digest),
        ..RunOptions::default()
    };
    let report = run(&again, accepted, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
}

/// Two fingerprints are the same; if not, says where.
fn assert_same(wanted: &serde_json::Value, found: &serde_json::Value) {
    let differences = transload_e2e::compare::differences(wanted, found);
    for difference in differences.iter().take(20) {
        println!("  {difference}");
    }
    assert!(differences.is_empty(), "{} differences", differences.len());
}

#[test]
fn the_host_knows_no_vendor() {
    let vendors = [
        "zendesk",
        "kustomer",
        "intercom",
        "gorgias",
        "freshdesk",
        "hubspot",
        "salesforce",
        "zoho",
    ];
    let (mut read, mut found) = (0, Vec::new());
    let mut folders: Vec<std::path::PathBuf> = ["host/src", "registry/src", "sdk/rust/src"]
        .map(|part| transload_e2e::lab::root().join(part))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                read += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                // An example in a comment is none of the program's knowledge.
                let code = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"));
                let named = code.filter(|line| {
                    let line = line.to_lowercase();
                    vendors.iter().any(|vendor| line.contains(vendor))
                });
                found.extend(named.map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    assert!(read > 50, "only {read} files were read");
    assert!(found.is_empty(), "{found:#?}");
}
