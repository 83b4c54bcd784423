//! `transload sample`

use super::progress::Progress;
use super::run::Approval;
use super::{Cli, Console, Ends, stop};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::{RunOptions, SampleReport};
use crate::pipeline::project::Project;
use crate::pipeline::{SIZES, SampleOptions};
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// How many records are chosen, from 50 to 500; what they refer to comes along
    #[arg(long, value_name = "N", default_value_t = SIZES.1)]
    size: u32,
    /// Load one thread only, with this mailbox of your own in place of every customer's address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "safe_addresses")]
    canary: Option<String>,
    /// Put addresses that no mail can reach in place of customers': for a sandbox
    #[arg(long)]
    safe_addresses: bool,
    #[command(flatten)]
    approval: Approval,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    let sample = args
        .approval
        .given(&project, console, async |run, console| {
            let options = SampleOptions {
                size: args.size,
                canary: args.canary.clone(),
                safe_addresses: args.safe_addresses,
                run,
            };
            once(&project, options, console).await
        })
        .await?;
    console.answer(&sample, |width| report::sample(&sample, width))?;
    let report = &sample.report;
    let is_settled = report.total.unsettled == 0 && report.duplicates == 0;
    let is_proved = report.verification.as_ref().is_none_or(|found| found.ok);
    Ok(match is_settled && is_proved {
        true => EXIT_OK,
        false => EXIT_FAILED,
    })
}

async fn once(
    project: &Project,
    options: SampleOptions,
    console: &Console<'_>,
) -> Result<SampleReport, Error> {
    let (stop, _watch) = stop::watch(console.signals, "`transload sample` goes on from there");
    let progress = Progress::new(console.bars);
    let run = RunOptions {
        stop,
        ..options.run
    };
    pipeline::sample(project, SampleOptions { run, ..options }, &progress).await
}
