//! `transload inventory`

use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::{Cli, Console, Ends};
use crate::error::{EXIT_OK, Error};
use crate::{exported, pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// As this run has taken it; without, the source is asked now
    #[arg(long, value_name = "ID")]
    run: Option<String>,
    /// Write the whole document to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the whole document to this file, as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let project = cli.open(&args.ends).await?;
    let inventory = {
        let progress = Progress::new(console.bars);
        pipeline::inventory(&project, args.run.as_deref(), &progress).await?
    };
    for (path, document) in [
        (
            &args.markdown,
            report::inventory::markdown as fn(&_) -> String,
        ),
        (&args.html, report::inventory::html),
    ] {
        if let Some(path) = path {
            write(path, &document(&inventory))?;
            console.say(&format!("{} written", path.display()));
        }
    }
    console.answer(&inventory, |width| {
        report::inventory::text(&inventory, width)
    })?;
    Ok(EXIT_OK)
}

/// Private, as everything that holds an account's texts (rule M-12).
fn write(path: &Path, text: &str) -> Result<(), Error> {
    use std::io::Write as _;

    let io = |error| Error::io("write", path, error);
    let mut file = exported::private_file(path).map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)
}
