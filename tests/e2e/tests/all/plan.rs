//! What is proposed and shown before a run, by the real connectors against simulated platforms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use std::collections::{BTreeMap, BTreeSet};

use transload_e2e::{Destination, Lab, LabConfig, Silent, destinations};
use transload_host::config::Config;
use transload_host::pipeline::model::{Forecast, Plan, RunOptions, RunReport, RunState};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::{plan, propose, read, run};
use transload_host::report;

type Zendesk = transload_simulators::zendesk::Simulator;

async fn lab<D: Destination>(extra: &str) -> Lab<D> {
    let config = LabConfig {
        extra: extra.into(),
        ..LabConfig::default()
    };
    Lab::<D>::of(config).await.unwrap()
}

fn text(lab: &Lab<impl Destination>) -> String {
    std::fs::read_to_string(lab.dir.join("migration.toml")).unwrap()
}

fn set_text(lab: &Lab<impl Destination>, text: &str) {
    std::fs::write(lab.dir.join("migration.toml"), text).unwrap();
}

/// Requests that the source got, but for those that every command begins with.
fn reads<D: Destination>(lab: &Lab<D>) -> usize {
    let all = lab.source.harness().recorder.all();
    all.iter()
        .filter(|request| request.path.contains("/search") || request.path.contains("/messages"))
        .count()
}

async fn planned(project: &Project) -> Plan {
    plan(project, &Silent).await.unwrap()
}

async fn migrated(project: &Project) -> RunReport {
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(project, options, &Silent).await.unwrap();
    assert_eq!(report.state, RunState::Complete);
    report
}

destinations!(
    a_plan_of_everything_that_was_read_foresees_what_a_run_does,
    a_plan_made_twice_is_the_same_and_writes_nothing_there,
);

async fn a_plan_of_everything_that_was_read_foresees_what_a_run_does<D: Destination>() {
    let lab = lab::<D>("").await;
    let before = lab.destination.state_fingerprint();
    let project = lab.project().await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    read(&project, &stop, &Silent).await.unwrap();
    let made = planned(&project).await;
    assert!(made.evidence.complete, "{:?}", made.evidence.read);
    let shown = report::plan(&made, Some(150));
    for heading in [
        "What moves",
        "To decide",
        "Refusals foreseen",
        "Calls and hours",
        "What to know before",
    ] {
        assert!(shown.contains(heading), "{heading} is not in\n{shown}");
    }
    assert_eq!(lab.destination.state_fingerprint(), before);

    let was = reads(&lab);
    let report = migrated(&project).await;
    // Only what moved since, and the bytes of files.
    let again = reads(&lab) - was;
    assert!(again < was, "{again} reads after {was}");
    let expected: BTreeMap<&str, Forecast> = made
        .kinds
        .iter()
        .map(|kind| (kind.kind.as_str(), kind.forecast.clone()))
        .collect();
    for sum in &report.kinds {
        let Some(forecast) = expected.get(sum.kind.as_str()) else {
            continue;
        };
        println!("{}: {forecast:?} {sum:?}", sum.kind);
        // What the rules leave out is counted to the record; so is what surely cannot be had.
        assert_eq!(
            forecast.skipped, sum.skipped,
            "{} skipped: {sum:?}",
            sum.kind
        );
        assert!(
            forecast.rejected <= sum.rejected,
            "{}: {forecast:?} {sum:?}",
            sum.kind
        );
        let arrives = forecast.created + forecast.matched + forecast.exported;
        let arrived = sum.created + sum.updated + sum.matched + sum.exported + sum.rejected
            - forecast.rejected;
        assert_eq!(arrives, arrived, "{}: {forecast:?} {sum:?}", sum.kind);
    }
    // Every reject of the run was foreseen.
    let foreseen: BTreeSet<&str> = made
        .evidence
        .foreseen
        .iter()
        .map(|one| one.kind.as_str())
        .collect();
    for group in &report.rejects {
        assert!(
            foreseen.contains(group.kind.as_str()),
            "{group:?} was not foreseen"
        );
    }
}

async fn a_plan_made_twice_is_the_same_and_writes_nothing_there<D: Destination>() {
    let lab = lab::<D>("").await;
    let before = lab.destination.state_fingerprint();
    let mut project = lab.project().await.unwrap();
    let first = propose(&mut project, false, &Silent).await.unwrap();
    assert!(first.added > 0);
    let written = text(&lab);
    let second = propose(&mut project, false, &Silent).await.unwrap();
    // Requests of the day count on, and are no part of what is decided.
    let without_use = |plan: &Plan| {
        let mut plan = plan.clone();
        plan.allowances.iter_mut().for_each(|one| one.used = None);
        plan
    };
    assert_eq!(second.added, 0);
    assert_eq!(without_use(&second.plan), without_use(&first.plan));
    assert_eq!(text(&lab), written);
    assert_eq!(planned(&project).await.digest, first.plan.digest);
    assert_eq!(lab.destination.state_fingerprint(), before);
    // Every custom field, agent, team and object type has its line, and each its reason.
    assert!(
        first
            .plan
            .custom_fields
            .iter()
            .all(|field| !field.reason.is_empty())
    );
    assert!(
        first
            .plan
            .agents
            .iter()
            .all(|agent| !agent.reason.is_empty())
    );
    let kinds: BTreeSet<&str> = first
        .plan
        .names
        .iter()
        .map(|name| name.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["brand", "object-type", "tag", "team"])
    );
    // For both sides calls and how long they take, whichever is slower.
    for connection in ["old", "new"] {
        let of = first
            .plan
            .limits
            .iter()
            .filter(|limit| limit.connection == connection);
        assert!(of.clone().any(|limit| limit.ms.is_some()), "{connection}");
    }
    let slowest = first.plan.limits.iter().filter_map(|limit| limit.ms).max();
    assert_eq!(slowest, Some(first.plan.forecast_ms));
    assert!(first.plan.forecast_ms > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_mapping_needs_no_second_reading_and_a_run_on_other_facts_says_what_changed() {
    let lab = lab::<Zendesk>("").await;
    let mut project = lab.project().await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    read(&project, &stop, &Silent).await.unwrap();
    let before = reads(&lab);
    let first = propose(&mut project, false, &Silent).await.unwrap().plan;
    let was = reads(&lab);

    let changed = text(&lab).replacen("snoozed = \"hold\"", "snoozed = \"pending\"", 1);
    assert_ne!(changed, text(&lab));
    set_text(&lab, &changed);
    let project = lab.project().await.unwrap();
    let second = planned(&project).await;
    assert_ne!(second.digest, first.digest);
    // What every plan asks of the source, and no more.
    assert_eq!(
        reads(&lab) - was,
        was - before,
        "the source was read a second time"
    );
    assert!(was - before < before, "{before} {was}");

    let options = RunOptions {
        accept: Some(first.digest.clone()),
        ..RunOptions::default()
    };
    let refused = run(&project, options, &Silent).await.unwrap_err();
    assert_eq!((refused.code(), refused.exit_code()), ("plan-changed", 2));
    let words = "conversation.status snoozed was \"hold\" and is \"pending\"";
    assert!(refused.to_string().contains(words), "{refused}");
    let hint = refused.hint().unwrap();
    assert!(hint.contains(&second.digest), "{hint}");
    let options = RunOptions {
        accept: Some(second.digest.clone()),
        ..RunOptions::default()
    };
    run(&project, options, &Silent).await.unwrap();
    // The run is pinned to it, and says what is otherwise.
    set_text(
        &lab,
        &changed.replacen("snoozed = \"pending\"", "snoozed = \"open\"", 1),
    );
    let project = lab.project().await.unwrap();
    let other = run(&project, RunOptions::default(), &Silent)
        .await
        .unwrap_err();
    assert_eq!(other.code(), "other-mapping");
    assert!(
        other
            .to_string()
            .contains("map.conversation.status.snoozed was \"pending\" and is \"open\""),
        "{other}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_edited_between_two_plans_stays_to_the_byte() {
    let lab = lab::<Zendesk>("").await;
    let project = || async { lab.project().await.unwrap() };
    propose(&mut project().await, false, &Silent).await.unwrap();
    let mut edited = text(&lab).replacen(
        "snoozed = \"hold\"",
        "# we never hold\nsnoozed   =   \"pending\"   # agreed with Ana",
        1,
    );
    let field = Config::parse(&lab.dir.join("migration.toml"), edited.clone())
        .unwrap()
        .map
        .fields
        .keys()
        .next()
        .unwrap()
        .clone();
    edited = edited
        .lines()
        .map(|line| match line.contains(&field) {
            true => format!("{field:?} = false\n"),
            false => format!("{line}\n"),
        })
        .collect();
    set_text(&lab, &edited);
    let again = propose(&mut project().await, false, &Silent).await.unwrap();
    assert_eq!((again.added, text(&lab)), (0, edited.clone()));
    // The bold answer questions, and change nothing that is one.
    propose(&mut project().await, true, &Silent).await.unwrap();
    let bold = text(&lab);
    for (before, after) in edited.lines().zip(bold.lines()) {
        assert!(
            before == after || before.contains("= \"\""),
            "{before}\n{after}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_and_tags_of_the_user_hold_in_the_run_as_in_the_plan() {
    let rules = "[filter]\nstatuses = [\"closed\"]\nspam = true\nexclude_tags = [\"*\"]";
    let lab = Lab::<Zendesk>::of(LabConfig {
        extra: rules.into(),
        // The connection has a word in it, too.
        destination: "spam = true".into(),
        ..LabConfig::default()
    });
    let lab = lab.await.unwrap();
    let project = lab.project().await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    read(&project, &stop, &Silent).await.unwrap();
    let made = planned(&project).await;
    let report = migrated(&project).await;
    let of = |kind: &str| {
        let planned = made.kinds.iter().find(|one| one.kind == kind).unwrap();
        let sum = report.kinds.iter().find(|one| one.kind == kind).unwrap();
        (planned.forecast.skipped, sum.skipped)
    };
    for kind in ["conversation", "message", "tag"] {
        let (foreseen, skipped) = of(kind);
        assert!(skipped > 0, "no {kind} was left out");
        assert_eq!(foreseen, skipped, "{kind}");
    }
    let rules: Vec<&str> = report
        .skips
        .iter()
        .map(|group| group.rule.as_str())
        .collect();
    assert!(
        rules.contains(&"in none of the states of [filter] statuses"),
        "{rules:?}"
    );
    // Nothing but what is closed is there.
    let statuses = made
        .values
        .iter()
        .find(|map| map.slot == "conversation.status")
        .unwrap();
    let met: Vec<&str> = statuses
        .reasons
        .iter()
        .filter(|(_, reason)| reason.records > 0)
        .map(|(status, _)| status.as_str())
        .collect();
    assert_eq!(met, ["closed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_shows_a_plan_as_text_as_json_and_as_a_page_that_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = lab::<Zendesk>("").await;
    let shown = lab
        .run(&["plan", "--read", "--html", "plan.html"], &[0])
        .await
        .unwrap();
    assert!(
        shown.contains("from all ") && shown.contains("Run it:"),
        "{shown}"
    );
    println!("{shown}");
    let json = lab
        .run(&["plan", "--json", "--accept-all"], &[0])
        .await
        .unwrap();
    let made: Plan = serde_json::from_str(&json).unwrap();
    assert!(made.evidence.complete);
    let path = lab.dir.join("plan.html");
    let page = std::fs::read_to_string(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        !page.contains("<script") && !page.contains("<link"),
        "it runs or loads something"
    );
    for part in [
        "What moves",
        "Refusals foreseen",
        "Calls and hours",
        "What to know before",
    ] {
        assert!(page.contains(part), "{part} is not in the page");
    }
    if let Some(dir) = std::env::var_os("TRANSLOAD_KEEP_PAGES") {
        std::fs::copy(&path, std::path::Path::new(&dir).join("plan.html")).unwrap();
    }
}
