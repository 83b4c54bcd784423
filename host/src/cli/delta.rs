//! `transload delta`

use serde::de::DeserializeOwned;

use super::progress::Progress;
use super::{Cli, Console, Ends, stop};
use crate::config::{Conflicts, Deleted, Frozen};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::model::DeltaOptions;
use crate::{kinds, pipeline, report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    ends: Ends,
    /// The last one: loads what was held, and no other follows unless it is asked for
    #[arg(long)]
    close: bool,
    /// Another one after the last
    #[arg(long)]
    reopen: bool,
    /// Do not compare all ids with the source: quicker, but deletions and merges are not found
    #[arg(long, conflicts_with = "close")]
    no_sweep: bool,
    /// Changed on both sides: target-wins, source-wins or ask, instead of [delta] conflicts
    #[arg(long, value_name = "POLICY", value_parser = word::<Conflicts>)]
    conflicts: Option<Conflicts>,
    /// Changed where the destination takes no change: list or recreate, instead of [delta] frozen
    #[arg(long, value_name = "POLICY", value_parser = word::<Frozen>)]
    frozen: Option<Frozen>,
    /// Deleted in the source: list or remove, instead of [delta] deleted
    #[arg(long, value_name = "POLICY", value_parser = word::<Deleted>)]
    deleted: Option<Deleted>,
    /// Of this record the source's word counts
    #[arg(long, value_name = "KIND:ID")]
    take_source: Vec<String>,
    /// This record is right as it is at the destination
    #[arg(long, value_name = "KIND:ID")]
    keep_target: Vec<String>,
    /// Show what the last delta came to; ask nothing of either platform
    #[arg(long)]
    show: bool,
}

/// A policy by its word in migration.toml.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|e| e.to_string())
}

/// `KIND:ID` pairs.
fn records(words: &[String], flag: &str) -> Result<Vec<(String, String)>, Error> {
    words
        .iter()
        .map(|word| {
            let (kind, id) = word
                .split_once(':')
                .filter(|(_, id)| !id.is_empty())
                .ok_or_else(|| {
                    Error::input("record", format!("{flag} {word:?} names no record"))
                        .with_hint("name it by kind and id, as the list has it: customer:5f1c…")
                })?;
            kinds::check(&[kind.to_owned()])?;
            Ok((kind.to_owned(), id.to_owned()))
        })
        .collect()
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let take_source = records(&args.take_source, "--take-source")?;
    let keep_target = records(&args.keep_target, "--keep-target")?;
    if let Some((kind, id)) = take_source.iter().find(|one| keep_target.contains(one)) {
        return Err(Error::input(
            "record",
            format!("{kind}:{id} stands in both --take-source and --keep-target"),
        )
        .with_hint("whose word counts?"));
    }
    let project = cli.open(&args.ends).await?;
    let done = if args.show {
        let run = pipeline::run_of(&project, None).await?;
        pipeline::delta::report(&project.store, &run, None).await?
    } else {
        let (stop, _watch) = stop::watch(console.signals, "`transload delta` goes on from there");
        let progress = Progress::new(console.bars);
        let options = DeltaOptions {
            close: args.close,
            reopen: args.reopen,
            sweep: !args.no_sweep,
            policies: pipeline::delta::policies(
                &project.config,
                args.conflicts,
                args.frozen,
                args.deleted,
            ),
            take_source,
            keep_target,
            stop,
        };
        pipeline::delta(&project, options, &progress).await?
    };
    console.answer(&done, |width| report::delta(&done, width))?;
    let is_done = report::delta_is_done(&done);
    Ok(if is_done { EXIT_OK } else { EXIT_FAILED })
}
