//! `transload report`

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Cli, Console, Ends};
use crate::error::{EXIT_FAILED, EXIT_OK, Error};
use crate::pipeline::dossier;
use crate::pipeline::project::Project;
use crate::{exported, pipeline, report};

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
    /// Write it as a page for a browser, whole in one file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the rejected records as CSV, to work through
    #[arg(long, value_name = "FILE", conflicts_with = "no_content")]
    rejects: Option<PathBuf>,
    /// Write which record became which, as CSV
    #[arg(long, value_name = "FILE", conflicts_with = "no_content")]
    id_map: Option<PathBuf>,
    /// Check a page that --html wrote against the store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "html", "rejects", "id_map", "no_content"])]
    check: Option<PathBuf>,
    /// Leave out ids, links, names and reasons of single records
    #[arg(long)]
    no_content: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// The largest page that is read; one of ours is a few megabytes at most.
const LARGEST_PAGE: u64 = 256 << 20;

pub(super) async fn run(cli: &Cli, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    console.json |= args.format == Format::Json;
    let project = cli.open(&args.ends).await?;
    if let Some(page) = &args.check {
        return check(&project, page, console).await;
    }
    if args.html.is_some() || args.rejects.is_some() || args.id_map.is_some() {
        return write(&project, args, console).await;
    }
    let mut run = pipeline::report(&project, args.run.as_deref()).await?;
    if args.no_content {
        run = report::without_content(run);
    }
    console.answer(&run, |width| report::run(&run, width))?;
    Ok(code(report::is_clean(&run)))
}

fn code(good: bool) -> u8 {
    if good { EXIT_OK } else { EXIT_FAILED }
}

async fn check(project: &Project, path: &Path, console: &mut Console<'_>) -> Result<u8, Error> {
    let length = std::fs::metadata(path)
        .map_err(|e| Error::io("read", path, e))?
        .len();
    let not_a_page = |why: &str| {
        Error::input("not-a-report", format!("{} {why}", path.display()))
            .with_hint("name a file that `transload report --html` wrote")
    };
    if length > LARGEST_PAGE {
        return Err(not_a_page("is too large to be a page of ours"));
    }
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
    let page = String::from_utf8(bytes).map_err(|_| not_a_page("is no text"))?;
    let found = dossier::check(&project.store, &page)
        .await
        .map_err(|error| error.about(path.display()))?;
    console.answer(&found, |width| report::checked(&found, width))?;
    Ok(code(found.ok))
}

/// A file that was written.
#[derive(Debug, Serialize)]
struct Written {
    /// What is in it.
    what: &'static str,
    /// Where it is.
    file: PathBuf,
    /// Records or objects in it; of a page, none.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    /// sha-256 of a page, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// The head of the ledger's chain that a page names.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<dossier::ChainHead>,
}

/// Writes what was asked for. With a page, the exit code says of the run what it says of a report; a list that is written is done.
async fn write(project: &Project, args: &Args, console: &mut Console<'_>) -> Result<u8, Error> {
    let run = pipeline::run_of(project, args.run.as_deref()).await?;
    let store = &project.store;
    let mut written = vec![];
    let mut good = true;
    if let Some(path) = &args.rejects {
        let file = Half::of(path)?;
        let rows = dossier::rejects(store, &run, BufWriter::new(&file.file)).await?;
        file.whole()?;
        written.push(list("rejected records", path, rows));
    }
    if let Some(path) = &args.id_map {
        let file = Half::of(path)?;
        let rows = dossier::id_map(store, &run, BufWriter::new(&file.file)).await?;
        file.whole()?;
        written.push(list("which record became which", path, rows));
    }
    if let Some(path) = &args.html {
        let mut dossier = dossier::read(store, &run, project.clock.now()).await?;
        if args.no_content {
            dossier = dossier.without_content();
        }
        good = report::is_clean(&dossier.report);
        let page = report::html::run(&dossier)?;
        let sha256 = hex::encode(Sha256::digest(&page));
        let mut file = Half::of(path)?;
        file.file
            .write_all(page.as_bytes())
            .map_err(|e| Error::io("write", path, e))?;
        // Known to the store before it can be in anybody's hands.
        dossier::give_out(store, &dossier, &sha256).await?;
        file.whole()?;
        written.push(Written {
            what: "the report",
            file: path.clone(),
            rows: None,
            sha256: Some(sha256),
            head: Some(dossier.head),
        });
    }
    console.answer(&written, |_| told(&written))?;
    Ok(code(good))
}

fn list(what: &'static str, path: &Path, rows: u64) -> Written {
    Written {
        what,
        file: path.to_owned(),
        rows: Some(rows),
        sha256: None,
        head: None,
    }
}

fn told(written: &[Written]) -> String {
    let mut out = String::new();
    for file in written {
        let path = report::clean(&file.file.display().to_string());
        match file.rows {
            Some(rows) => out.push_str(&format!(
                "{path}: {}, {} lines\n",
                file.what,
                report::number(rows)
            )),
            None => out.push_str(&format!("{path}: {}\n", file.what)),
        }
        if let Some(sha256) = &file.sha256 {
            out.push_str(&format!("  sha-256         {sha256}\n"));
        }
        if let Some(head) = &file.head {
            out.push_str(&format!(
                "  chain's head    {} (link {})\n  check it with   transload report --check {path}\n",
                head.hash, head.links
            ));
        }
    }
    out
}

/// A file that is being written beside its place, private, and has its name once it is whole.
pub(super) struct Half {
    pub(super) file: std::fs::File,
    partial: PathBuf,
    path: PathBuf,
}

impl Half {
    pub(super) fn of(path: &Path) -> Result<Self, Error> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = exported::private_file(&partial).map_err(|e| Error::io("write", path, e))?;
        Ok(Self {
            file,
            partial,
            path: path.to_owned(),
        })
    }

    pub(super) fn whole(self) -> Result<(), Error> {
        self.file
            .sync_all()
            .and_then(|()| std::fs::rename(&self.partial, &self.path))
            .map_err(|e| Error::io("write", &self.path, e))
    }
}
