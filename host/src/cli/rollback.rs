//! `transload rollback`

use super::progress::Progress;
use super::{Cli, Console, Ends, stop};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::{RollbackOptions, RollbackReport};
use crate::pipeline::project::Project;
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Show what would happen; change nothing
    #[arg(long)]
    preview: bool,
    /// These kinds only
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Only what this delta did, and those after it; what its records were before counts again
    #[arg(long, value_name = "NUMBER", conflicts_with = "kinds")]
    delta: Option<u64>,
    /// Undo what somebody changed since, too
    #[arg(long)]
    force: bool,
    /// Of this run; the latest by default
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Do not ask
    #[arg(long, conflicts_with = "preview")]
    yes: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    crate::kinds::check(&args.kinds)?;
    if !(args.preview || args.yes || console.can_ask()) {
        return Err(Error::input(
            "not-approved",
            "a rollback deletes what a run created, and nobody can be asked",
        )
        .with_hint("look at it with --preview, then give --yes"));
    }
    let project = cli.open(&args.ends).await?;
    if !(args.preview || args.yes) {
        let preview = once(&project, args, true, console).await?;
        let text = report::rollback(&preview, console.width);
        if !console.ask(&text, "Take this back?")? {
            return Err(Error::Interrupted);
        }
    }
    let done = once(&project, args, args.preview, console).await?;
    console.answer(&done, |width| report::rollback(&done, width))?;
    Ok(if done.preview || done.left == 0 {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}

async fn once(
    project: &Project,
    args: &Args,
    preview: bool,
    console: &Console<'_>,
) -> Result<RollbackReport, Error> {
    let (stop, _watch) = stop::watch(console.signals, "`transload rollback` goes on from there");
    let progress = Progress::new(console.bars);
    let options = RollbackOptions {
        run: args.run.clone(),
        preview,
        kinds: (!args.kinds.is_empty()).then(|| args.kinds.clone()),
        delta: args.delta,
        force: args.force,
        stop,
    };
    pipeline::rollback(project, options, &progress).await
}
