//! The demonstration: a whole migration as a newcomer does it, killed in the middle, gone on with, compared, taken back.
//!
//! Both platforms are simulators in this process, on loopback and with their rate limits on; `transload` is the real
//! command, run as a child in a project folder. Everything printed is what it prints. The last line is the result, its
//! numbers are the report's; the exit code is 0 only if all of it holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Parser;
use serde_json::Value;
use tokio::process::Command;
use transload_e2e::compare::{compare, differences};
use transload_e2e::destination::Destination;
use transload_e2e::for_destination;
use transload_e2e::lab::{Lab, LabConfig, binary, plugin_path};

/// Left in a folder that a demonstration may remove.
const MARK: &str = ".transload-demo";
/// What share of the conversations is there when the run is killed, in percent.
const KILL_AT: u64 = 45;
/// How often the destination is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(150);

#[derive(Debug, Parser)]
#[command(
    about = "Migrates a simulated helpdesk, kills the run in the middle, goes on, compares, rolls back"
)]
struct Arguments {
    /// The destination
    #[arg(long, default_value = "zendesk")]
    to: String,
    /// Conversations of the source
    #[arg(long, default_value_t = 2_000)]
    size: usize,
    /// Seed of everything that is simulated
    #[arg(long, default_value_t = 2026)]
    seed: u64,
    /// The project's folder; one of an earlier demonstration is removed
    #[arg(long, default_value = "demo")]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = for_destination!(arguments.to.as_str(), demonstrate(&arguments));
    let done = done.unwrap_or_else(|| Err(anyhow!("there is no simulated {:?}", arguments.to)));
    match done {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate<D: Destination>(arguments: &Arguments) -> Result<String> {
    let dir = fresh(&arguments.dir)?;
    let config = LabConfig {
        seed: arguments.seed,
        size: arguments.size,
        longest_thread: 120,
        largest_file: 64 * 1024,
        limits: true,
        ..LabConfig::default()
    };
    let lab = Lab::<D>::running(&config, dir).await?;
    let counts = lab.source.world().counts();
    println!(
        "A simulated Kustomer listens at {}, seed {}: {counts:?}",
        lab.base_urls.0, config.seed
    );
    println!(
        "A simulated {} listens at {}, with rate limits\n",
        D::PLUGIN,
        lab.base_urls.1
    );
    lab.destination.hurry();
    let before = lab.destination.state_fingerprint();
    let demo = Demo { lab };

    for name in ["kustomer", D::PLUGIN] {
        let path = plugin_path(name);
        ensure!(
            path.is_file(),
            "{} is not there: run `cargo xtask plugins`",
            path.display()
        );
        demo.transload(&[
            "--registry",
            "registry",
            "plugin",
            "add",
            &path.to_string_lossy(),
            "--unsigned",
            "--yes",
        ])
        .await?;
    }
    demo.transload(&[
        "--registry",
        "registry",
        "init",
        "--from",
        "kustomer",
        "--to",
        D::PLUGIN,
    ])
    .await?;
    demo.fill_in()?;
    demo.transload(&["check"]).await?;
    demo.transload(&["plan"]).await?;
    let dangers = demo.dangers().await?;
    let total = u64::try_from(counts.conversations)?;
    demo.killed_run(total * KILL_AT / 100, &dangers).await?;
    demo.transload(&["run"]).await?;
    demo.silent()?;
    println!("\nBoth accounts are compared, field by field:");
    let found = compare(&demo.lab.source, &demo.lab.destination).await?;
    println!(
        "  the same: {:?}\n  not carried, with its reason: {:?}",
        found.checked, found.explained
    );
    for difference in found.differences.iter().take(50) {
        println!("  DIFFERENT: {difference}");
    }
    demo.transload(&["status"]).await?;
    let report = demo.report().await?;
    demo.transload(&["rollback", "--yes"]).await?;
    demo.silent()?;
    let after = demo.lab.destination.state_fingerprint();
    let left = differences(&before, &after);
    println!(
        "\nThe account is compared with what it was before: {} differences",
        left.len()
    );
    for difference in left.iter().take(50) {
        println!("  LEFT: {difference}");
    }
    let undone = demo.json(&["report", "--format", "json"]).await?;
    ensure!(
        found.is_equal(),
        "{} differences between the accounts",
        found.differences.len()
    );
    ensure!(left.is_empty(), "rollback left {} differences", left.len());
    result(&report, &undone, found.duplicates, found.lost)
}

/// The last line, if the report's numbers make it true.
fn result(report: &Value, undone: &Value, duplicates: u64, lost: u64) -> Result<String> {
    let number = |value: &Value, pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_u64)
            .with_context(|| format!("the report has no {pointer}"))
    };
    let total = |name: &str| number(report, &format!("/total/{name}"));
    let (read, created, updated) = (total("read")?, total("created")?, total("updated")?);
    let (matched, skipped, rejected) = (total("matched")?, total("skipped")?, total("rejected")?);
    let (exported, unsettled, open) = (total("exported")?, total("unsettled")?, total("open")?);
    let sum = created + updated + matched + skipped + rejected + exported;
    ensure!(
        read == sum,
        "the sum does not hold: {read} were read, {sum} are accounted for"
    );
    ensure!(
        (unsettled, open) == (0, 0),
        "{unsettled} are unsettled, {open} are open"
    );
    let duplicates = duplicates + number(report, "/duplicates")?;
    let lost = lost + number(report, "/lost")? + total("shortfall")?;
    let left = number(undone, "/left_after_rollback")?;
    ensure!(
        (duplicates, lost, left) == (0, 0, 0),
        "{duplicates} duplicates, {lost} lost, {left} left"
    );
    Ok(format!(
        "demo ok: read {read} = created {created} + updated {updated} + matched {matched} + skipped {skipped} \
         + rejected {rejected} + exported {exported}; unsettled {unsettled}; duplicates {duplicates}; lost {lost}; \
         left after rollback {left}"
    ))
}

struct Demo<D: Destination> {
    lab: Lab<D>,
}

impl<D: Destination> Demo<D> {
    fn command(&self, args: &[&str]) -> Command {
        println!("\n$ transload {}", args.join(" "));
        let mut command = Command::new(binary());
        command
            .current_dir(&self.lab.dir)
            .args(args)
            .stdin(Stdio::null())
            .env("XDG_CACHE_HOME", self.lab.dir.join("cache"))
            .kill_on_drop(true);
        command
    }

    /// Runs the command to its end, which must be good.
    async fn transload(&self, args: &[&str]) -> Result<()> {
        let status = self
            .command(args)
            .status()
            .await
            .context("transload does not start")?;
        ensure!(
            status.success(),
            "transload {} ended with {status}",
            args.join(" ")
        );
        Ok(())
    }

    /// What the command prints, which must be JSON.
    async fn json(&self, args: &[&str]) -> Result<Value> {
        let output = self.command(args).stderr(Stdio::inherit()).output().await?;
        ensure!(
            output.status.success(),
            "transload {} ended with {}",
            args.join(" "),
            output.status
        );
        serde_json::from_slice(&output.stdout).context("the report is no JSON")
    }

    /// Codes of the dangers that the plan names, as a person reads them off it.
    async fn dangers(&self) -> Result<String> {
        let plan = self.json(&["plan", "--json"]).await?;
        let dangers = plan.pointer("/dangers").and_then(Value::as_array);
        let codes: BTreeSet<&str> = dangers
            .context("the plan has no dangers")?
            .iter()
            .filter_map(|danger| danger.get("code").and_then(Value::as_str))
            .collect();
        Ok(codes.into_iter().collect::<Vec<_>>().join(","))
    }

    /// Runs until so many conversations are there, and kills it. The dangers are taken on by their codes.
    async fn killed_run(&self, enough: u64, dangers: &str) -> Result<()> {
        let mut args = vec!["run", "--yes"];
        if !dangers.is_empty() {
            args.extend(["--accept-danger", dangers]);
        }
        let mut child = self
            .command(&args)
            .spawn()
            .context("transload does not start")?;
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("the run ended with {status} before {enough} conversations were there");
            }
            let there = self.lab.destination.conversations();
            if there >= enough {
                child.kill().await?;
                println!("\n*** kill -9: {there} conversations are there ***");
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Writes the settings into what `init` made, as a person would.
    fn fill_in(&self) -> Result<()> {
        let path = self.lab.dir.join("migration.toml");
        let mut text = std::fs::read_to_string(&path)?;
        let (from, to) = &self.lab.base_urls;
        println!("\nFilled in, in {}:", path.display());
        let there = format!("connections.{}", D::PLUGIN);
        let connection = D::connection(to);
        let connection = connection.lines().filter_map(|line| line.split_once(" = "));
        let base_url = format!("\"{from}\"");
        let settings = [
            ("migration", "registry", "\"registry\""),
            ("connections.kustomer", "org", "\"acme\""),
            ("connections.kustomer", "base_url", &base_url),
            ("connections.kustomer", "token", "\"file:source.token\""),
            ("load", "stop_rule", "{ consecutive = 20, percent = 5.0 }"),
            ("budget", "share", "1.0"),
        ]
        .into_iter()
        .chain(connection.map(|(key, value)| (there.as_str(), key, value)));
        for (section, key, value) in settings {
            text = filled(&text, section, key, value);
            println!("  [{section}] {key} = {value}");
        }
        std::fs::write(&path, text)?;
        Ok(())
    }

    /// Nobody was mailed and nothing ran (rule M-8).
    fn silent(&self) -> Result<()> {
        let (mails, runs) = (
            self.lab.destination.outbox().all(),
            self.lab.destination.automation_log().all(),
        );
        println!(
            "\nThe destination sent {} mails and ran {} automations",
            mails.len(),
            runs.len()
        );
        ensure!(
            mails.is_empty() && runs.is_empty(),
            "{:?} {:?}",
            mails.first(),
            runs.first()
        );
        Ok(())
    }

    /// The report, as text, JSON and a page in the project's folder.
    async fn report(&self) -> Result<Value> {
        let (text, json) = (
            self.lab.dir.join("report.txt"),
            self.lab.dir.join("report.json"),
        );
        let output = self.command(&["report"]).output().await?;
        ensure!(
            output.status.success(),
            "transload report ended with {}",
            output.status
        );
        std::fs::write(&text, &output.stdout)?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        let report = self.json(&["report", "--format", "json"]).await?;
        std::fs::write(&json, serde_json::to_vec_pretty(&report)?)?;
        println!("The report is in {} and {}", text.display(), json.display());
        self.transload(&["report", "--html", "report.html"]).await?;
        self.transload(&["report", "--check", "report.html"])
            .await?;
        Ok(report)
    }
}

/// A folder without anything in it.
fn fresh(dir: &Path) -> Result<PathBuf> {
    let dir = std::path::absolute(dir)?;
    if dir.exists() {
        ensure!(
            dir.join(MARK).exists() || dir.read_dir()?.next().is_none(),
            "{} is there and is no demonstration's: name another with --dir",
            dir.display()
        );
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join(MARK), "")?;
    Ok(dir)
}

/// The text with a setting in a table: in the place of its line, commented out or not, else as the table's first line.
fn filled(text: &str, section: &str, key: &str, value: &str) -> String {
    let header = format!("[{section}]");
    let line = format!("{key} = {value}");
    let is_setting = |found: &str| {
        let bare = found.trim_start_matches("# ");
        bare.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut inside = false;
    let mut place = None;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (number, found) in lines.iter().enumerate() {
        if found.starts_with('[') {
            inside = found.trim() == header;
            if inside {
                place = Some((number + 1, false));
            }
        } else if inside && is_setting(found) {
            place = Some((number, true));
            break;
        }
    }
    match place {
        Some((number, true)) => {
            if let Some(old) = lines.get_mut(number) {
                *old = line;
            }
        }
        Some((number, false)) => lines.insert(number, line),
        None => lines.extend([header, line]),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_filled_in_where_it_stands_and_only_in_its_table() {
        let text = "[a]\n# key = 1\nother = 2\n[b]\nkey = 3   # fill in\n";
        assert_eq!(
            filled(text, "a", "key", "9"),
            "[a]\nkey = 9\nother = 2\n[b]\nkey = 3   # fill in\n"
        );
        assert_eq!(
            filled(text, "b", "key", "9"),
            "[a]\n# key = 1\nother = 2\n[b]\nkey = 9\n"
        );
        assert_eq!(filled("[a]\nx = 1\n", "a", "y", "2"), "[a]\ny = 2\nx = 1\n");
        assert_eq!(filled("", "c", "y", "2"), "[c]\ny = 2\n");
    }
}
