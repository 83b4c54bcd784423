//! `transload status`

use super::{Cli, Console, Ends};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::RunState;
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Of this run; the latest by default
    #[arg(long, value_name = "ID")]
    run: Option<String>,
}

/// A run that is going on is no failure; one that ended with something left is.
pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    let run = pipeline::status(&project, args.run.as_deref()).await?;
    console.answer(&run, |width| report::status(&run, width))?;
    let ended = matches!(run.state, RunState::Complete | RunState::RolledBack);
    Ok(if !ended || report::is_clean(&run) {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}
