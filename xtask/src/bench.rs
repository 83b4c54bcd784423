//! `cargo xtask bench`: speed and memory between simulated platforms, each number beside its baseline.
//!
//! Builds the connectors and the bench, as a release unless told otherwise, and runs it. What it prints is explained in
//! `docs/benchmarks.md`.

use crate::chores::cargo;
use crate::plugins;

/// How it is built, and what is handed on.
#[derive(clap::Args)]
pub struct Arguments {
    /// Uses the development build, whose dependencies are optimised and whose own code is not: quicker to have, slower to run.
    #[arg(long)]
    dev: bool,
    /// For the bench: `--sizes 1000,4000`, `--only a,c`, `--json FILE` …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds and runs it.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    plugins::run(&plugins::Arguments::all())?;
    let mut command = vec!["run", "--quiet", "--workspace"];
    if !arguments.dev {
        command.push("--release");
    }
    command.extend(["--bin", "bench", "--", "all"]);
    cargo(&command, &arguments.rest)
}
