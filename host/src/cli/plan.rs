//! `transload plan`

use super::progress::Progress;
use super::{Cli, Console, Ends};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::project::Project;
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Take on a notice or side effect of severity `danger` by its code: adds it to `[migration] accept`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    accept: Vec<String>,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let mut config = cli.config(&args.ends)?;
    if !args.accept.is_empty() {
        let added = config.write_accepted(&args.accept)?;
        console.say(&format!("{added} codes added to [migration] accept"));
    }
    let project = Project::open(&cli.project, config).await?;
    let plan = {
        let progress = Progress::new(console.bars);
        pipeline::plan(&project, &progress).await?
    };
    console.answer(&plan, |width| report::plan(&plan, width))?;
    Ok(if plan.errors.is_empty() {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}
