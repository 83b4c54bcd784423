//! `cargo xtask demo` and `cargo xtask test`: what both need is built first, connectors included.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::{plugins, python_tools};

/// What is handed on as it is.
#[derive(clap::Args)]
pub struct Rest {
    /// For the program that is started: the demo's options, or filters of tests.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds the connectors, the host and the demo, and runs the demo.
pub fn demo(rest: &Rest) -> anyhow::Result<()> {
    plugins::run(&plugins::Arguments::in_rust())?;
    cargo(&BINARIES, &[])?;
    let demo = plugins::target_dir(root()?).join("debug").join("demo");
    let status = Command::new(&demo)
        .args(&rest.rest)
        .status()
        .with_context(|| format!("{} does not run", demo.display()))?;
    if !status.success() {
        bail!("the demo ended with {status}");
    }
    Ok(())
}

/// Everything that runs. The whole workspace, and never a part of it: features are united over the packages that are built, and
/// with other features every dependency would be compiled once more.
const BINARIES: [&str; 3] = ["build", "--workspace", "--bins"];

/// Builds the connectors and the host, and runs every test of the workspace.
pub fn test(rest: &Rest) -> anyhow::Result<()> {
    plugins::run(&plugins::Arguments::all())?;
    oci_registry();
    oci_client();
    let with = |arguments: &[&'static str]| [arguments, &OPTIMISED].concat();
    cargo(&with(&BINARIES), &[])?;
    cargo(&with(&["test", "--workspace"]), &rest.rest)
}

/// How many tests run at once.
const THREADS: &str = "RUST_TEST_THREADS";
/// For each processor: an end-to-end test hands over between host, store, guest and platform, and waits most of its time.
const AT_ONCE: usize = 2;

/// What most of the tests' time is spent in is optimised a little, which costs minutes of compiling and saves more when all tests
/// are run. Whoever works on one thing goes without.
const OPTIMISED: [&str; 6] = [
    "--config",
    "profile.dev.package.transload-host.opt-level=1",
    "--config",
    "profile.dev.package.transload-simulators.opt-level=1",
    "--config",
    "profile.dev.package.transload-e2e.opt-level=1",
];

/// Debian's registry server, for the tests of OCI registries: taken if it is there, installed if that can be done, and missed
/// aloud if not.
fn oci_registry() {
    let runs = || {
        Command::new("docker-registry")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_ok()
    };
    if runs() {
        return;
    }
    println!("tests: installing docker-registry, for the tests of OCI registries");
    let installed = Command::new("apt-get")
        .args([
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            "docker-registry",
        ])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status();
    if !installed.is_ok_and(|status| status.success()) || !runs() {
        println!(
            "tests: NO OCI REGISTRY IS TESTED: docker-registry is not there, and could not be installed. \
             `apt-get install docker-registry`, as root, does it."
        );
    }
}

/// A client of OCI registries that is none of ours, for the test that pulls what we pushed: Python's `oras`, in an environment of its
/// own, missed aloud where it cannot be had.
fn oci_client() {
    let Ok(place) = root().map(|root| plugins::target_dir(root).join("python/oras")) else {
        return;
    };
    let noted = place.join("made-of.txt");
    if std::fs::read_to_string(&noted).is_ok_and(|noted| noted == ORAS) {
        return;
    }
    println!("tests: installing {ORAS}, for the tests of OCI registries");
    let ran = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    let made = python_tools::find().is_some_and(|python| {
        ran(&mut python_tools::environment(python, &place))
            && ran(python_tools::install(&place).arg(ORAS))
            && std::fs::write(&noted, ORAS).is_ok()
    });
    if !made {
        println!(
            "tests: NO OTHER CLIENT OF OCI REGISTRIES IS TESTED: {ORAS} could not be installed with pip in {}.",
            place.display()
        );
    }
}

/// As pip names it.
const ORAS: &str = "oras==0.2.43";

/// Runs cargo in the workspace.
pub fn cargo(arguments: &[&str], rest: &[String]) -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    if std::env::var_os(THREADS).is_none() {
        let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
        command.env(THREADS, (processors * AT_ONCE).to_string());
    }
    let status = command
        .current_dir(root()?)
        .args(arguments)
        .args(rest)
        .status()
        .context("cargo does not run")?;
    if !status.success() {
        bail!("cargo {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// The workspace.
pub fn root() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask has no parent folder")
}
