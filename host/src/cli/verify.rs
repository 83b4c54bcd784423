//! `transload verify`

use super::progress::Progress;
use super::{Cli, Console, Ends, stop};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::{VerifyOptions, VerifyScope};
use crate::pipeline::verify::{SAMPLE, SEED};
use crate::{kinds, pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Read back so many records, of every sort some
    #[arg(long, value_name = "N", default_value_t = SAMPLE, conflicts_with = "all",
          value_parser = clap::value_parser!(u64).range(1..))]
    sample: u64,
    /// Another number chooses other records; the same number the same ones
    #[arg(long, value_name = "N", default_value_t = SEED, conflicts_with = "all")]
    seed: u64,
    /// Read back every record
    #[arg(long)]
    all: bool,
    /// These kinds only
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<String>,
    /// Of this run; the latest by default
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Leave out ids, links and values of single records
    #[arg(long)]
    no_content: bool,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    kinds::check(&args.kinds)?;
    let project = cli.open(&args.ends).await?;
    let (stop, _watch) = stop::watch(console.signals, "`transload verify` begins again");
    let progress = Progress::new(console.bars);
    let options = VerifyOptions {
        run: args.run.clone(),
        scope: match args.all {
            true => VerifyScope::All,
            false => VerifyScope::Sample {
                size: args.sample,
                seed: args.seed,
            },
        },
        kinds: args.kinds.clone(),
        stop,
    };
    let mut found = pipeline::verify(&project, options, &progress).await?;
    drop(progress);
    if args.no_content {
        found = report::verification_without_content(found);
    }
    console.answer(&found, |width| report::verification(&found, width))?;
    Ok(if found.ok { EXIT_OK } else { EXIT_FAILED })
}
