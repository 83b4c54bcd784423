//! `transload run`

use super::progress::Progress;
use super::{Cli, Console, Ends, stop};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::{RunOptions, RunReport, RunState};
use crate::pipeline::project::Project;
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Approve the plan with this digest, and no other
    #[arg(long, value_name = "DIGEST")]
    accept: Option<String>,
    /// Approve whatever the plan is now
    #[arg(long, conflicts_with = "accept")]
    yes: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    let result = match once(&project, args.accept.clone(), args.yes, console).await {
        // The pipeline knows whether this run was approved before: a resumed one is not asked about again.
        Err(Error::NotApproved { digest }) if args.accept.is_none() && console.can_ask() => {
            let plan = {
                let progress = Progress::new(console.bars);
                pipeline::plan(&project, &progress).await?
            };
            let text = report::plan(&plan, console.width);
            if !plan.errors.is_empty() || !console.ask(&text, "Run this plan?")? {
                return Err(Error::NotApproved { digest });
            }
            once(&project, Some(plan.digest), false, console).await
        }
        result => result,
    };
    let run = result?;
    console.answer(&run, |width| report::run(&run, width))?;
    if matches!(
        run.state,
        RunState::Stopped | RunState::Running | RunState::Paused
    ) {
        console.say("`transload run` goes on where this one stopped");
    }
    Ok(if report::is_clean(&run) {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}

async fn once(
    project: &Project,
    accept: Option<String>,
    yes: bool,
    console: &Console<'_>,
) -> Result<RunReport, Error> {
    let (stop, _watch) = stop::watch(console.signals, "`transload run` goes on from there");
    let progress = Progress::new(console.bars);
    pipeline::run(project, RunOptions { accept, yes, stop }, &progress).await
}
