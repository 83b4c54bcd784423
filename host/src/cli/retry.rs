//! `transload retry`

use super::progress::Progress;
use super::{Cli, Console, Ends, stop};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::RetryOptions;
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Only these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    crate::kinds::check(&args.kinds)?;
    let project = cli.open(&args.ends).await?;
    let done = {
        let (stop, _watch) = stop::watch(console.signals, "`transload retry` goes on from there");
        let progress = Progress::new(console.bars);
        let options = RetryOptions {
            kinds: (!args.kinds.is_empty()).then(|| args.kinds.clone()),
            stop,
        };
        pipeline::retry(&project, options, &progress).await?
    };
    console.answer(&done, |width| report::retry(&done, width))?;
    Ok(if report::is_clean(&done.run) {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}
