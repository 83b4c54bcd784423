//! Speed and memory of whole migrations between simulated platforms, each number beside its baseline.
//!
//! A bench, not a test: it prints what it measured and ends with 0 whatever that was. Targets are marked a to f:
//!
//! - **a** requests of an extraction against what the pages of the source's search allow;
//! - **b** the part of our budget that is used while limits hold us up, in virtual time;
//! - **c** throughput of the whole pipeline against a straight-line program that makes the same requests;
//! - **d** resident memory, and time a record, at two sizes;
//! - **e** how fast a connector and an instance of it are there;
//! - **f** how fast a large mapping is proposed.
//!
//! The simulators run in this process; the host and the straight-line program run as children (`bench host`, `bench native`), so
//! that time and memory are theirs alone.

mod budget;
mod clock;
mod host;
mod mapping;
mod native;
mod platforms;
mod sandbox;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use tempfile::TempDir;

use host::Taken;
use platforms::{Platforms, Shape};
use table::Line;

#[derive(Parser)]
#[command(about = "Measures speed and memory of migrations between simulated platforms")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures everything.
    All(Options),
    /// Runs the project in a folder; prints what it took.
    #[command(hide = true)]
    Host { dir: PathBuf },
    /// Moves the same records without a host; prints what it took.
    #[command(hide = true)]
    Native(native::Options),
}

#[derive(Args)]
struct Options {
    /// Conversations of the small and of the large migration (targets a, c and d)
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 4_000])]
    sizes: Vec<usize>,
    /// Conversations of the migration in virtual time (target b)
    #[arg(long, default_value_t = 600)]
    budget_size: usize,
    /// Our share of the budget there
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Only these targets
    #[arg(long, value_delimiter = ',', default_values_t = ["a".to_owned(), "b".to_owned(), "c".to_owned(), "d".to_owned(), "e".to_owned(), "f".to_owned()])]
    only: Vec<String>,
    /// Seed of everything that is simulated
    #[arg(long, default_value_t = 2026)]
    seed: u64,
    /// Writes the numbers there, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Where projects are made and removed; on the disk whose speed is to count
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Silent unless `RUST_LOG` says otherwise.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match Arguments::parse().command {
        Command::Host { dir } => host::run_here(&dir).await,
        Command::Native(options) => native::run_here(&options).await,
        Command::All(options) => all(&options).await,
    }
}

async fn all(options: &Options) -> Result<()> {
    let wants = |target: &str| options.only.iter().any(|only| only == target);
    let mut lines = vec![];
    if wants("e") {
        let dir = folder(options)?;
        lines.extend(sandbox::measure(&dir.path().join("project")).await?);
    }
    if wants("f") {
        lines.extend(mapping::measure()?);
    }
    if wants("b") {
        let dir = folder(options)?;
        let shape = Shape {
            seed: options.seed,
            size: options.budget_size,
        };
        lines.extend(budget::measure(&dir.path().join("project"), shape, options.share).await?);
    }
    if ["a", "c", "d"].into_iter().any(wants) {
        let mut runs = vec![];
        for size in &options.sizes {
            runs.push(migration(options, *size).await?);
        }
        if let (true, Some(run)) = (wants("a"), runs.last()) {
            lines.extend(requests(run));
        }
        if let (true, Some(run)) = (wants("c"), runs.first()) {
            lines.extend(throughput(options, run).await?);
        }
        if let (true, Some(small), Some(large)) = (wants("d"), runs.first(), runs.last()) {
            lines.extend(memory(small, large));
        }
    }
    print!("{}", table::text(&lines));
    if let Some(path) = &options.json {
        let report = json!({
            "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
            "sizes": options.sizes,
            "budget_size": options.budget_size,
            "share": options.share,
            "seed": options.seed,
            "lines": lines,
        });
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
        println!("\nThe same as JSON: {}", path.display());
    }
    Ok(())
}

fn folder(options: &Options) -> Result<TempDir> {
    Ok(match &options.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            tempfile::tempdir_in(dir)?
        }
        None => tempfile::tempdir()?,
    })
}

/// A migration by the host, and what the platforms saw of it.
struct Run {
    size: usize,
    taken: Taken,
    source: BTreeMap<String, u64>,
    destination: BTreeMap<String, u64>,
}

impl Run {
    fn records(&self) -> f64 {
        self.taken.report.total.read as f64
    }

    fn rate(&self) -> f64 {
        self.records() / self.taken.seconds
    }
}

async fn migration(options: &Options, size: usize) -> Result<Run> {
    let dir = folder(options)?;
    let shape = Shape {
        seed: options.seed,
        size,
    };
    let platforms = Platforms::start(shape).await?;
    let project = dir.path().join("project");
    platforms.project(&project).await?;
    let taken: Taken = host::child(&["host", text(&project)?]).await?;
    let total = &taken.report.total;
    ensure!(
        total.open + total.unsettled + taken.report.lost == 0,
        "the migration of {size} conversations is not complete: {total:?}"
    );
    eprintln!(
        "{size} conversations, {} records: {:.1} s, {} MB",
        total.read,
        taken.seconds,
        taken.peak >> 20
    );
    Ok(Run {
        size,
        taken,
        source: platforms.source_requests.all(),
        destination: platforms.destination_requests.all(),
    })
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the folder's name is no text")
}

/// Rows that one search gives.
const SEARCH_ROWS: u64 = 500;

/// Target a.
fn requests(run: &Run) -> Vec<Line> {
    let per_thousand = |n: u64| n as f64 * 1_000.0 / run.size as f64;
    let full = format!("search ×{SEARCH_ROWS}");
    let searches: u64 = run
        .source
        .iter()
        .filter(|(kind, _)| kind.ends_with(&full))
        .map(|(_, n)| n)
        .sum();
    let bound: u64 = run
        .taken
        .windows
        .iter()
        .map(|windows| windows.rows.div_ceil(SEARCH_ROWS) + windows.count)
        .sum();
    let all: u64 = run.source.values().sum();
    let mut lines = vec![
        Line::at_most(
            "a",
            format!("searches for 1,000 conversations, of {}", run.size),
            "requests",
            per_thousand(searches),
            per_thousand(bound),
            1.1,
        ),
        Line::told(
            "  all requests to the source for 1,000 conversations",
            "requests",
            per_thousand(all),
        ),
    ];
    let mut kinds: Vec<(&String, &u64)> = run.source.iter().collect();
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    for (kind, n) in kinds.into_iter().take(6) {
        lines.push(Line::told(
            format!("    {kind}"),
            "requests",
            per_thousand(*n),
        ));
    }
    lines
}

/// Target c.
async fn throughput(options: &Options, run: &Run) -> Result<Vec<Line>> {
    let shape = Shape {
        seed: options.seed,
        size: run.size,
    };
    let platforms = Platforms::start(shape).await?;
    let (from, to) = &platforms.urls;
    let token = platforms.destination.admin_token();
    let taken: native::Taken =
        host::child(&["native", "--from", from, "--to", to, "--token", &token]).await?;
    let sum = |requests: &BTreeMap<String, u64>| requests.values().sum::<u64>() as f64;
    let (source, destination) = (
        platforms.source_requests.all(),
        platforms.destination_requests.all(),
    );
    for (side, host, native) in [
        ("source", &run.source, &source),
        ("destination", &run.destination, &destination),
    ] {
        for kind in host
            .keys()
            .chain(native.keys().filter(|k| !host.contains_key(*k)))
        {
            let of = |requests: &BTreeMap<String, u64>| requests.get(kind).copied().unwrap_or(0);
            if of(host) != of(native) {
                eprintln!(
                    "{side}: {kind}: host {}, straight-line program {}",
                    of(host),
                    of(native)
                );
            }
        }
    }
    // Of the same records: the host's own count, which has what a straight-line program does not count.
    let native_rate = run.records() / taken.seconds;
    Ok(vec![
        Line::at_least(
            "c",
            format!(
                "records a second, {} conversations, whole pipeline",
                run.size
            ),
            "records/s",
            run.rate(),
            native_rate,
            0.8,
        ),
        Line {
            baseline: Some(taken.seconds),
            ..Line::told("  seconds", "s", run.taken.seconds)
        },
        Line {
            baseline: Some(taken.cpu_seconds),
            ..Line::told("  of the processor", "s", run.taken.cpu_seconds)
        },
        Line {
            baseline: Some(taken.records as f64),
            ..Line::told("  records", "records", run.records())
        },
        Line {
            baseline: Some(sum(&source)),
            ..Line::told("  requests to the source", "requests", sum(&run.source))
        },
        Line {
            baseline: Some(sum(&destination)),
            ..Line::told(
                "  requests to the destination",
                "requests",
                sum(&run.destination),
            )
        },
        Line {
            baseline: Some((taken.peak >> 20) as f64),
            ..Line::told("  resident memory", "MB", (run.taken.peak >> 20) as f64)
        },
    ])
}

/// What is resident at most, MB.
const RESIDENT_MB: f64 = 300.0;

/// Target d.
fn memory(small: &Run, large: &Run) -> Vec<Line> {
    let mb = |run: &Run| run.taken.peak as f64 / f64::from(1 << 20);
    let each = |run: &Run| run.taken.seconds * 1e6 / run.records();
    let computed = |run: &Run| run.taken.cpu_seconds * 1e6 / run.records();
    let (a, b) = (small.size, large.size);
    vec![
        Line::at_most(
            "d",
            format!("resident at most, {b} conversations"),
            "MB",
            mb(large),
            RESIDENT_MB,
            1.0,
        ),
        Line::at_most(
            "d",
            format!("the same, {b} against {a}"),
            "MB",
            mb(large),
            mb(small),
            1.1,
        ),
        Line::at_most(
            "d",
            format!("time a record, {b} against {a}"),
            "µs",
            each(large),
            each(small),
            1.1,
        ),
        Line {
            baseline: Some(computed(small)),
            ratio: Some(computed(large) / computed(small)),
            ..Line::told("  of the processor", "µs", computed(large))
        },
    ]
}
