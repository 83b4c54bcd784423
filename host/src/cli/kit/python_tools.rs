//! The commands that make a connector in Python a component. Also the chores' (`xtask`): it knows nothing of this crate.

use std::path::Path;
use std::process::{Command, Stdio};

/// A Python that can do it, 3.11 or later, if there is one.
pub fn find() -> Option<&'static str> {
    let version = "import sys; sys.exit(sys.version_info < (3, 11))";
    ["python3", "python3.13", "python3.12", "python3.11"]
        .into_iter()
        .find(|python| {
            let mut command = Command::new(python);
            command.args(["-c", version]);
            command.stdin(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
}

/// Makes a virtual environment, anew if there is one.
pub fn environment(python: &str, venv: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "venv", "--clear"]).arg(venv);
    command
}

/// Installs into it what follows.
pub fn install(venv: &Path) -> Command {
    let mut command = Command::new(venv.join("bin/pip"));
    command.args(["install", "--quiet", "--disable-pip-version-check"]);
    command
}

/// Installs into it what a file names with hashes.
pub fn install_all(venv: &Path, requirements: &Path) -> Command {
    let mut command = install(venv);
    command.args(["--require-hashes", "-r"]).arg(requirements);
    command
}

/// Makes the component at `out`: of a module that is found in one of the folders `from`, for a role. `wit` is where the contract is, and
/// the world of destinations in Python.
pub fn componentize(
    venv: &Path,
    wit: [&Path; 2],
    role: &str,
    from: &[&Path],
    module: &str,
    out: &Path,
) -> Command {
    let package = match role {
        "destination" => "python",
        _ => "connector",
    };
    let mut command = Command::new(venv.join("bin/componentize-py"));
    command.arg("--quiet");
    for place in wit {
        command.arg("-d").arg(place);
    }
    command.args(["-w", &format!("transload:{package}/{role}-connector")]);
    command.arg("componentize");
    for folder in from {
        command.arg("-p").arg(folder);
    }
    command.arg("-o").arg(out).arg(module);
    command
}
