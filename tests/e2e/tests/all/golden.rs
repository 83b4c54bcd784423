//! The plan before a run and the report after it, as a person sees them, for a fixed seed and a fixed time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

use transload_e2e::{Destination, Lab, LabConfig, Silent};
use transload_host::pipeline::model::RunOptions;
use transload_host::pipeline::{plan, read, run};
use transload_host::report;

/// 2026-02-01T08:00:00Z.
const BEGINS: i64 = 1_769_932_800_000;
const WIDTH: report::Width = Some(130);

async fn plan_and_report_are_as_they_were<D: Destination>() {
    let lab = Lab::<D>::of(LabConfig {
        seed: 42,
        size: 12,
        longest_thread: 6,
        largest_file: 2048,
        begins: Some(BEGINS),
        ..LabConfig::default()
    })
    .await
    .unwrap();
    let project = lab.project().await.unwrap();
    let stop = tokio_util::sync::CancellationToken::new();
    read(&project, &stop, &Silent).await.unwrap();
    let planned = plan(&project, &Silent).await.unwrap();
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, options, &Silent).await.unwrap();
    insta::with_settings!({
        prepend_module_to_snapshot => false,
        // Where the simulators listen, and what depends on how the connectors were compiled.
        filters => [
            (r"127\.0\.0\.1:\d+", "<place>"),
            (r"\b[0-9a-f]{64}\b", "<digest>"),
            (r"\bsha256:[0-9a-f]{12}\b", "sha256:<digest>"),
            (r"\br[0-9a-f]{12}\b", "<run>"),
        ],
    }, {
        insta::assert_snapshot!(format!("plan_{}", D::PLUGIN), report::plan(&planned, WIDTH));
        insta::assert_snapshot!(format!("report_{}", D::PLUGIN), report::run(&report, WIDTH));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_zendesk_and_its_report_are_as_they_were() {
    plan_and_report_are_as_they_were::<transload_simulators::zendesk::Simulator>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_intercom_and_its_report_are_as_they_were() {
    plan_and_report_are_as_they_were::<transload_simulators::intercom::Simulator>().await;
}
