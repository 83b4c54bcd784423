//! `transload purge`

use super::{Cli, Console, Ends};
use crate::error::{EXIT_OK, Error};
use crate::pipeline::model::{PurgeOptions, Stage};
use crate::{pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// Only these stages: source, journal, export, before-images; all by default
    #[arg(long, value_name = "STAGE", value_delimiter = ',', value_parser = stage)]
    stage: Vec<Stage>,
    /// Show what would be erased and what is lost by it; change nothing
    #[arg(long)]
    preview: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "preview")]
    yes: bool,
}

fn stage(text: &str) -> Result<Stage, String> {
    let known = Stage::ALL.iter().find(|stage| stage.word() == text);
    known.copied().ok_or_else(|| {
        let words: Vec<&str> = Stage::ALL.iter().map(|stage| stage.word()).collect();
        format!("stages are {}", words.join(", "))
    })
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    if !(args.preview || args.yes || console.can_ask()) {
        return Err(Error::input(
            "not-approved",
            "what is purged cannot be had back, and nobody can be asked",
        )
        .with_hint("look at it with --preview, then give --yes"));
    }
    let project = cli.open(&args.ends).await?;
    let options = |preview| PurgeOptions {
        stages: match args.stage.is_empty() {
            true => Stage::ALL.to_vec(),
            false => args.stage.clone(),
        },
        preview,
    };
    if !(args.preview || args.yes) {
        let preview = pipeline::purge(&project, options(true)).await?;
        let text = report::purge(&preview, console.width);
        if !console.ask(&text, "Erase this for good?")? {
            return Err(Error::Interrupted);
        }
    }
    let done = pipeline::purge(&project, options(args.preview)).await?;
    console.answer(&done, |width| report::purge(&done, width))?;
    Ok(EXIT_OK)
}
