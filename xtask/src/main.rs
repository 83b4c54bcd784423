//! Chores of the repository: `cargo xtask <chore>`.
//!
//! A chore is a module of its own; this file only names them.

use clap::{Parser, Subcommand};

mod bench;
mod chores;
// What `transload plugin build` does for others is done here for our own.
#[path = "../../host/src/cli/kit/component.rs"]
mod component;
mod plugins;
mod python;
#[path = "../../host/src/cli/kit/python_tools.rs"]
mod python_tools;
#[path = "../../host/src/cli/kit/toolchain.rs"]
mod toolchain;
mod wit_reference;

#[derive(Parser)]
#[command(name = "xtask", about = "Chores of the repository")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds the connectors in `plugins/` and `examples/` as components, into `target/plugins/<name>.wasm`.
    Plugins(plugins::Arguments),
    /// Sets everything up and runs a whole migration between simulators: killed, resumed, compared, rolled back.
    Demo(chores::Rest),
    /// Sets everything up and runs all tests.
    Test(chores::Rest),
    /// Writes `docs/wit-reference.md` from `wit/`.
    WitReference(wit_reference::Arguments),
    /// Sets everything up and measures speed and memory of whole migrations between simulators.
    Bench(bench::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().chore {
        Chore::Plugins(arguments) => plugins::run(&arguments),
        Chore::Demo(rest) => chores::demo(&rest),
        Chore::Test(rest) => chores::test(&rest),
        Chore::WitReference(arguments) => wit_reference::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
    }
}
