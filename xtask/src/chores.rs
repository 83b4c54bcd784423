//! `cargo xtask demo` and `cargo xtask test`: what both need is built first, connectors included.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::plugins;

/// What is handed on as it is.
#[derive(clap::Args)]
pub struct Rest {
    /// For the program that is started: the demo's options, or filters of tests.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the connectors, the host and the demo, and runs the demo.
pub fn demo(rest: &Rest) -> anyhow::Result<()> {
    plugins::run(&plugins::Arguments::all())?;
    cargo(
        &[
            "build",
            "--package",
            "transload-host",
            "--package",
            "transload-e2e",
            "--bins",
        ],
        &[],
    )?;
    cargo(
        &[
            "run",
            "--quiet",
            "--package",
            "transload-e2e",
            "--bin",
            "demo",
            "--",
        ],
        &rest.rest,
    )
}

/// Builds the connectors and the host, and runs every test of the workspace.
pub fn test(rest: &Rest) -> anyhow::Result<()> {
    plugins::run(&plugins::Arguments::all())?;
    cargo(&["build", "--package", "transload-host", "--bins"], &[])?;
    cargo(&["test", "--workspace"], &rest.rest)
}

/// Runs cargo in the workspace.
pub fn cargo(arguments: &[&str], rest: &[String]) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask has no parent folder")?;
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(arguments)
        .args(rest)
        .status()
        .context("cargo does not run")?;
    if !status.success() {
        bail!("cargo {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}
