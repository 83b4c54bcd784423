//! `transload report`

use clap::ValueEnum;

use super::{Cli, Console, Ends};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Of this run; the latest by default
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Leave out ids, links and reasons of single records
    #[arg(long)]
    no_content: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    console.json |= args.format == Format::Json;
    let project = cli.open(&args.ends).await?;
    let mut run = pipeline::report(&project, args.run.as_deref()).await?;
    if args.no_content {
        run = report::without_content(run);
    }
    console.answer(&run, |width| report::run(&run, width))?;
    Ok(if report::is_clean(&run) {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}
