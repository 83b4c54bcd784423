//! `transload cutover`

use super::{Cli, Console, Ends};
use crate::config::When;
use crate::error::{EXIT_OK, Error};
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// When it is to begin: 2026-12-05T18:00 in the migration's time zone; now by default
    #[arg(long, value_name = "TIME")]
    at: Option<When>,
    /// You have done this step
    #[arg(long, value_name = "STEP")]
    done: Vec<String>,
    /// This step is not done after all
    #[arg(long, value_name = "STEP")]
    not_done: Vec<String>,
    /// Print it as Markdown
    #[arg(long)]
    markdown: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    pipeline::cutover::mark(&project, &args.done, &args.not_done).await?;
    let zone = project.config.migration.time_zone;
    let at = args.at.map(|at| at.to_ms(zone));
    let runbook = pipeline::cutover::runbook(&project, at).await?;
    console.answer(&runbook, |width| match args.markdown {
        true => report::cutover::markdown(&runbook),
        false => report::cutover::text(&runbook, width),
    })?;
    Ok(EXIT_OK)
}
