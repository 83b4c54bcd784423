//! `transload plan`

use std::io::Write as _;
use std::path::PathBuf;

use super::progress::Progress;
use super::report::Half;
use super::{Cli, Console, Ends, stop};
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
    /// Show the proposals for `[map]` and leave migration.toml as it is
    #[arg(long)]
    no_write: bool,
    /// Take every guess as an answer: fields, values, names and agents that are only likely to be the same
    #[arg(long, conflicts_with = "no_write")]
    accept_all: bool,
    /// Read everything from the source first, so that the plan knows every record; a run does not read it again
    #[arg(long)]
    read: bool,
    /// Write the plan as a page of its own, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let mut config = cli.config(&args.ends)?;
    if !args.accept.is_empty() {
        let added = config.write_accepted(&args.accept)?;
        console.say(&format!("{added} codes added to [migration] accept"));
    }
    let mut project = Project::open(&cli.project, config).await?;
    if args.read {
        let (stop, _watch) = stop::watch(
            console.signals,
            "`transload plan --read` goes on from there",
        );
        let progress = Progress::new(console.bars);
        pipeline::read(&project, &stop, &progress).await?;
    }
    let plan = {
        let progress = Progress::new(console.bars);
        match args.no_write {
            true => pipeline::plan(&project, &progress).await?,
            false => {
                let proposed = pipeline::propose(&mut project, args.accept_all, &progress).await?;
                said_of(&proposed, console);
                proposed.plan
            }
        }
    };
    if let Some(path) = &args.html {
        let mut file = Half::of(path)?;
        file.file
            .write_all(report::html::plan(&plan).as_bytes())
            .map_err(|e| Error::io("write", path, e))?;
        file.whole()?;
        console.say(&format!("the plan as a page: {}", path.display()));
    }
    console.answer(&plan, |width| report::plan(&plan, width))?;
    Ok(if plan.errors.is_empty() {
        EXIT_OK
    } else {
        EXIT_FAILED
    })
}

fn said_of(proposed: &pipeline::Proposed, console: &mut Console<'_>) {
    if proposed.added > 0 {
        console.say(&format!(
            "{} entries added to [map] in migration.toml: read them, change what you want otherwise",
            proposed.added
        ));
    }
    if proposed.withheld > 0 {
        console.say(&format!(
            "{} proposals not added to [map]: a run was begun with it as it is",
            proposed.withheld
        ));
    }
}
