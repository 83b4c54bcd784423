//! The host, in a process of its own, so that its time and its memory are its own.
//!
//! `bench host DIR` runs the project in a folder to its end and prints one line of JSON. It is the command's own code below the
//! command line, in a time that does not wait.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use tokio::process::Command;
use transload_host::config::Config;
use transload_host::pipeline::model::{Events, Notice, RunOptions, RunReport};
use transload_host::pipeline::project::Project;
use transload_host::pipeline::run;

use crate::clock::Unpaced;

/// What a run took.
#[derive(Debug, Serialize, Deserialize)]
pub struct Taken {
    /// From the start of the run to its report.
    pub seconds: f64,
    /// Of the processor, all threads together: what is left of the time when nobody else wants the machine.
    pub cpu_seconds: f64,
    /// The most memory that was resident, bytes.
    pub peak: u64,
    /// Bytes of it when the run had ended.
    pub resident: u64,
    /// What the run says of itself.
    pub report: RunReport,
    /// Parts that were read by search, by kind: how many, and the rows in them.
    pub windows: Vec<Windows>,
}

/// Windows of a search index of one kind.
#[derive(Debug, Serialize, Deserialize)]
pub struct Windows {
    /// The kind.
    pub kind: String,
    /// How many, those that were cut into others included.
    pub count: u64,
    /// Distinct rows in them.
    pub rows: u64,
}

/// Says on the standard error how far a run is and when, if the environment has `BENCH_PROGRESS`.
struct Told {
    begun: Instant,
}

impl Told {
    fn tell(&self, what: std::fmt::Arguments<'_>) {
        if std::env::var_os("BENCH_PROGRESS").is_some() {
            eprintln!("{:8.3} {what}", self.begun.elapsed().as_secs_f64());
        }
    }
}

impl Events for Told {
    fn phase(&self, name: &str) {
        self.tell(format_args!("{name}"));
    }

    fn progress(&self, kind: &str, done: u64, total: Option<u64>) {
        self.tell(format_args!("  {kind} {done} of {total:?}"));
    }

    fn paused(&self, connection: &str, reason: Option<&str>) {
        self.tell(format_args!("  {connection} waits: {reason:?}"));
    }

    fn notice(&self, notice: &Notice) {
        self.tell(format_args!("  {}", notice.code));
    }
}

/// Runs a project in this process.
///
/// # Errors
/// What the run says.
pub async fn run_here(dir: &Path) -> Result<()> {
    let config = Config::load(&dir.join("migration.toml"))?;
    let begun = Instant::now();
    let project = Project::open_with(dir, config, None, Arc::new(Unpaced::default())).await?;
    let options = RunOptions {
        yes: true,
        ..RunOptions::default()
    };
    let report = run(&project, options, &Told { begun }).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (peak, resident) = (memory("VmHWM")?, memory("VmRSS")?);
    let taken = Taken {
        seconds,
        cpu_seconds: cpu_seconds()?,
        peak,
        resident,
        report,
        windows: windows(&project).await?,
    };
    println!("{}", serde_json::to_string(&taken)?);
    Ok(())
}

/// The windows that were read: parts whose specification says that they are a search.
async fn windows(project: &Project) -> Result<Vec<Windows>> {
    project
        .store
        .rows(
            "SELECT kind, count(*) AS n, sum(distinct_ids) AS got FROM partitions WHERE spec LIKE '%search%' OR spec LIKE '%note-files%' \
             GROUP BY kind",
            vec![],
        )
        .await?
        .iter()
        .map(|row| {
            Ok(Windows {
                kind: row.try_get("kind")?,
                count: u64::try_from(row.try_get::<i64, _>("n")?)?,
                rows: u64::try_from(row.try_get::<i64, _>("got")?)?,
            })
        })
        .collect()
}

/// Seconds that this process has had of the processors so far.
///
/// # Errors
/// No `/proc`.
pub fn cpu_seconds() -> Result<f64> {
    /// Of `/proc`, a second; the same on every Linux that a program can meet.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').context("an odd /proc/self/stat")?;
    let times = rest.split_whitespace().skip(11).take(2);
    let ticks = times.map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS)
}

/// A line of `/proc/self/status`, in bytes.
///
/// # Errors
/// No such line.
pub fn memory(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .with_context(|| format!("/proc/self/status has no {name}"))?;
    let kb = line.split_whitespace().next().unwrap_or_default();
    Ok(kb.parse::<u64>()? * 1024)
}

/// Runs this program again, as `bench <args>`, and reads the JSON that it prints last.
///
/// # Errors
/// It fails, or prints something else.
pub async fn child<T: serde::de::DeserializeOwned>(args: &[&str]) -> Result<T> {
    let output = Command::new(std::env::current_exe()?)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?
        .wait_with_output()
        .await?;
    ensure!(
        output.status.success(),
        "bench {} ended with {}",
        args.join(" "),
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("bench {} printed {line:?}", args.join(" ")))
}
