//! The `transload` command: arguments, one file a command, what is printed, the exit code.
//!
//! Policy: standard output carries the answer and nothing else (with `--json`, one document, also for an error); progress,
//! questions and complaints go to standard error. Nothing asks when nobody can answer (rule M-10). Everything else is the
//! pipeline's.

mod check;
mod console;
mod cutover;
mod delta;
mod init;
mod inventory;
pub mod kit;
mod packages;
mod plan;
mod plugin;
mod plugin_install;
mod plugin_publish;
mod progress;
mod purge;
mod report;
mod retry;
mod rollback;
mod run;
mod sample;
mod status;
mod stop;
#[cfg(test)]
mod tests;
mod verify;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::{Config, FILE_NAME};
use crate::error::Error;
use crate::pipeline::project::Project;

pub use console::Console;

/// Moves a helpdesk's whole history between platforms.
#[derive(Debug, Parser)]
#[command(
    name = "transload",
    version,
    after_help = "Exit codes: 0 ok · 1 failed or incomplete · 2 a file, setting or argument is wrong · \
                  3 the machine, network or store is in the way"
)]
pub struct Cli {
    /// The folder of migration.toml
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// The folder of plugin packages
    #[arg(long, global = true, value_name = "DIR")]
    pub registry: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a migration.toml to start from
    Init(init::Args),
    /// Test both connections: credentials, rights, accounts
    Check(check::Args),
    /// Show what will arrive, what changes and what is lost; fill [map]
    Plan(plan::Args),
    /// Move everything, or go on where the last run stopped
    Run(run::Args),
    /// Load some records that stand for all, for real, before the rest
    Sample(sample::Args),
    /// Show where a run stands
    Status(status::Args),
    /// Read back what a run wrote and compare it with the source; after a rollback, whether all is as before
    Verify(verify::Args),
    /// Try the rejected records of a run again, and nothing else
    Retry(retry::Args),
    /// Bring over what changed at the source after a run; again and again until the cutover
    Delta(delta::Args),
    /// Print the runbook of the cutover, with where each step stands
    Cutover(cutover::Args),
    /// Take back what a run did
    Rollback(rollback::Args),
    /// Erase what is kept of the customers' data, stage by stage
    Purge(purge::Args),
    /// Show what became of a run, as text, JSON, a page or lists; check such a page
    Report(report::Args),
    /// List what must be rebuilt by hand, in words
    Inventory(inventory::Args),
    /// Look after the plugins
    Plugin(plugin::Args),
}

/// Runs a command; returns the exit code. Errors are printed here.
pub async fn execute(cli: Cli, console: &mut Console<'_>) -> u8 {
    match dispatch(&cli, console).await {
        Ok(code) => code,
        Err(error) => {
            console.error(&error);
            error.exit_code()
        }
    }
}

async fn dispatch(cli: &Cli, console: &mut Console<'_>) -> Result<u8, Error> {
    match &cli.command {
        Command::Init(args) => init::run(cli, args, console).await,
        Command::Check(args) => check::run(cli, args, console).await,
        Command::Plan(args) => plan::run(cli, args, console).await,
        Command::Run(args) => run::run(cli, args, console).await,
        Command::Sample(args) => sample::run(cli, args, console).await,
        Command::Status(args) => status::run(cli, args, console).await,
        Command::Verify(args) => verify::run(cli, args, console).await,
        Command::Retry(args) => retry::run(cli, args, console).await,
        Command::Delta(args) => delta::run(cli, args, console).await,
        Command::Cutover(args) => cutover::run(cli, args, console).await,
        Command::Rollback(args) => rollback::run(cli, args, console).await,
        Command::Purge(args) => purge::run(cli, args, console).await,
        Command::Report(args) => report::run(cli, args, console).await,
        Command::Inventory(args) => inventory::run(cli, args, console).await,
        Command::Plugin(args) => plugin::run(cli, args, console).await,
    }
}

/// Which two connections, where they differ from `[migration]`.
#[derive(Debug, Default, clap::Args)]
struct Ends {
    /// Read this connection instead of `[migration] from`
    #[arg(long, value_name = "CONNECTION")]
    from: Option<String>,
    /// Write this connection instead of `[migration] to`
    #[arg(long, value_name = "CONNECTION")]
    to: Option<String>,
}

impl Cli {
    /// Reads the project's configuration; what the command line says goes first.
    fn config(&self, ends: &Ends) -> Result<Config, Error> {
        let mut config = Config::load(&self.project.join(FILE_NAME))?;
        if let Some(from) = &ends.from {
            config.connection(from, "--from")?;
            config.migration.from = from.clone();
        }
        if let Some(to) = &ends.to {
            config.connection(to, "--to")?;
            config.migration.to = to.clone();
        }
        if config.migration.from == config.migration.to {
            return Err(
                Error::input("same-connection", "the same connection is read and written")
                    .with_hint("name two connections with --from and --to"),
            );
        }
        if let Some(registry) = &self.registry {
            // Relative to where the command was given, not to the project.
            let absolute =
                std::path::absolute(registry).map_err(|e| Error::io("find", registry, e))?;
            config.migration.registry = Some(absolute);
        }
        Ok(config)
    }

    async fn open(&self, ends: &Ends) -> Result<Project, Error> {
        Project::open(&self.project, self.config(ends)?).await
    }

    /// The file with the runs of this project, if there is a project.
    fn store_path(&self) -> Result<Option<PathBuf>, Error> {
        let path = self.project.join(FILE_NAME);
        match path.exists() {
            true => Ok(Some(Config::load(&path)?.store_path())),
            false => Ok(None),
        }
    }

    fn registry_root(&self) -> Result<PathBuf, Error> {
        if let Some(registry) = &self.registry {
            return Ok(registry.clone());
        }
        // A project may have packages of its own; without a project the user's are meant.
        let path = self.project.join(FILE_NAME);
        match path.exists() {
            true => Ok(Config::load(&path)?.registry_root()?),
            false => Ok(crate::config::default_registry()?),
        }
    }
}
