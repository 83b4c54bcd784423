//! `transload sample`

use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use super::run::ask;
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
    /// Approve the plan with this digest, and no other
    #[arg(long, value_name = "DIGEST")]
    accept: Option<String>,
    /// Approve whatever the plan is now, but for its dangers
    #[arg(long, conflicts_with = "accept")]
    yes: bool,
    /// Take on a danger of the plan by its code; `--accept DIGEST` takes on all that the plan names
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    accept_danger: Vec<String>,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    let options = |accept: Option<String>| SampleOptions {
        size: args.size,
        canary: args.canary.clone(),
        safe_addresses: args.safe_addresses,
        run: RunOptions {
            accept,
            yes: args.yes,
            accept_dangers: args.accept_danger.clone(),
            stop: CancellationToken::new(),
        },
    };
    let sample = match once(&project, options(args.accept.clone()), console).await {
        Err(Error::NotApproved { .. }) if args.accept.is_none() && console.can_ask() => {
            let plan = {
                let progress = Progress::new(console.bars);
                pipeline::plan(&project, &progress).await?
            };
            ask(&plan, &args.accept_danger, console)?;
            once(&project, options(Some(plan.digest)), console).await?
        }
        result => result?,
    };
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
