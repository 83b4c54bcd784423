//! `transload check`

use super::progress::Progress;
use super::{Cli, Console, Ends};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    let found = {
        let progress = Progress::new(console.bars);
        pipeline::check(&project, &progress).await?
    };
    console.answer(&found, |width| report::check(&found, width))?;
    Ok(if found.ok { EXIT_OK } else { EXIT_FAILED })
}
