//! The `transload` command: reads the arguments, runs one command, ends with its exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use transload_host::cli::{Cli, Console, execute};
use transload_host::error::{EXIT_ENVIRONMENT, EXIT_INPUT, Error};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return explain(&usage),
    };
    log(cli.verbose);
    let (mut out, mut err, mut answers) =
        (io::stdout(), io::stderr(), io::BufReader::new(io::stdin()));
    let mut console = Console::of_process(&mut out, &mut err, &mut answers, cli.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            console.error(&Error::environment("runtime", "cannot start").with_source(error));
            return ExitCode::from(EXIT_ENVIRONMENT);
        }
    };
    ExitCode::from(runtime.block_on(execute(cli, &mut console)))
}

/// Help and version are answers; anything else is a mistake in the arguments.
fn explain(usage: &clap::Error) -> ExitCode {
    if usage.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        let error = Error::input("usage", usage.render().to_string().trim().to_owned());
        // Nobody is left to tell if this fails; the exit code says the rest.
        let _ = writeln!(
            io::stdout(),
            "{:#}",
            serde_json::json!({ "error": error.to_json() })
        );
    } else {
        let _ = usage.print();
    }
    ExitCode::from(if usage.use_stderr() { EXIT_INPUT } else { 0 })
}

/// Logs go to standard error; `TRANSLOAD_LOG` chooses what, else `-v`.
fn log(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let level = match verbose {
        0 => "warn",
        1 => "transload_host=info,warn",
        _ => "transload_host=debug,info",
    };
    let filter = EnvFilter::try_from_env("TRANSLOAD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
}
