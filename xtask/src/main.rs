//! Chores of the repository: `cargo xtask <chore>`.
//!
//! A chore is a module of its own; this file only names them.

use clap::{Parser, Subcommand};

mod plugins;
mod toolchain;

#[derive(Parser)]
#[command(name = "xtask", about = "Chores of the repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds the connectors in `plugins/` as components, into `target/plugins/<name>.wasm`.
    Plugins(plugins::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Plugins(arguments) => plugins::run(&arguments),
    }
}
