//! `cargo xtask plugins`: every crate in `plugins/` and `examples/` compiled for WebAssembly and made into a component, and so
//! the hostile connectors of the tests. What is in Python is made by [`crate::python`].
//!
//! The compiler gives a core module; wit-component adds the types that wit-bindgen left in its custom sections. A component of
//! ours imports nothing but the contract: anything else (WASI) means that a dependency wants a clock, a file or chance, and is an
//! error here, before the host would refuse it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use transload_registry::Metadata;

use crate::chores::root;
use crate::component;
use crate::python;
use crate::toolchain::{TARGET, Toolchain};

/// The profile in the workspace's manifest.
const PROFILE: &str = "plugin";

/// Where connectors are, and what their packages are called: `transload-plugin-kustomer`.
const FOLDERS: [(&str, &str); 2] = [("plugins", "plugin"), ("examples", "example")];

/// The connectors that misbehave as they are told: one crate, a component for each role.
const HOSTILE: [(&str, &str); 2] = [
    ("hostile-destination", "destination"),
    ("hostile-source", "source"),
];

/// And the one in Python, which asks its system for what it must not get.
const HOSTILE_PYTHON: (&str, &str) = ("hostile-python", "tests/hostile/python");

/// Which connectors.
#[derive(clap::Args)]
pub struct Arguments {
    /// Names of folders in `plugins/` or `examples/`, or `hostile-source`, `hostile-destination`, `hostile-python`; all of them by
    /// default.
    names: Vec<String>,
    /// Those in Rust only.
    #[arg(long)]
    rust: bool,
}

impl Arguments {
    /// Every connector there is.
    pub fn all() -> Self {
        Self {
            names: vec![],
            rust: false,
        }
    }

    /// Every connector in Rust: nothing is fetched for them but crates.
    pub fn in_rust() -> Self {
        Self {
            rust: true,
            ..Self::all()
        }
    }
}

/// Builds them.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = root()?;
    let names = if arguments.names.is_empty() {
        all(root)?
    } else {
        arguments.names.clone()
    };
    let target = target_dir(root);
    let (in_python, names): (Vec<String>, Vec<String>) = names
        .into_iter()
        .partition(|name| python_folder(root, name).is_some());
    std::fs::create_dir_all(target.join("plugins"))?;
    if !arguments.rust {
        build_python(root, &target, &in_python)?;
    }
    if names.is_empty() {
        return Ok(());
    }
    let (toolchain, which) = Toolchain::find().map_err(anyhow::Error::msg)?;
    println!("guests: {which}");

    let manifest = manifest(root)?;
    // One call each: built together, the SDK would get every role's entry points (cargo unites features).
    for name in &names {
        let mut command = toolchain.build();
        command.current_dir(root).env("CARGO_TARGET_DIR", &target);
        let hostile = HOSTILE.iter().find(|(hostile, _)| hostile == name);
        let package = match hostile {
            Some((_, role)) => {
                command.args(["--no-default-features", "--features", role]);
                "transload-hostile".to_owned()
            }
            None => package(root, name)?,
        };
        command.args(["--profile", PROFILE, "-p", &package]);
        let status = command.status().context("cargo does not run")?;
        if !status.success() {
            bail!("{name} does not build");
        }
        let module = target
            .join(TARGET)
            .join(PROFILE)
            .join(format!("{}.wasm", package.replace('-', "_")));
        let component = encode(&module).with_context(|| format!("{name} is no component"))?;
        let component = match hostile {
            Some(_) => component,
            None => metadata(root, &manifest, name, &package)?.write(&component)?,
        };
        let path = target.join("plugins").join(format!("{name}.wasm"));
        std::fs::write(&path, &component)?;
        println!("{}: {} KB", path.display(), component.len() / 1024);
    }
    Ok(())
}

/// The folder of a connector in Python.
fn python_folder(root: &Path, name: &str) -> Option<PathBuf> {
    let (hostile, place) = HOSTILE_PYTHON;
    let folders = FOLDERS
        .iter()
        .map(|(folder, _)| root.join(folder).join(name));
    let hostile = (name == hostile).then(|| root.join(place));
    folders
        .chain(hostile)
        .find(|folder| folder.join("pyproject.toml").is_file())
}

/// Builds connectors in Python, or says aloud that they are not built: whoever has no Python can work on everything else.
fn build_python(root: &Path, target: &Path, names: &[String]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let tools = match python::Tools::find(root, target) {
        Ok(tools) => tools,
        Err(why) => {
            println!("SKIPPED, not built: {}: {why:#}", names.join(", "));
            for name in names {
                // One of earlier sources would be tested as if it were of these.
                let _ = std::fs::remove_file(target.join("plugins").join(format!("{name}.wasm")));
            }
            return Ok(());
        }
    };
    for name in names {
        let folder = python_folder(root, name).context("no folder has it")?;
        let connector = python::Connector::find(&folder)?.context("it has no pyproject.toml")?;
        let path = target.join("plugins").join(format!("{name}.wasm"));
        connector.build(root, &folder, &tools, &path)?;
        let size = std::fs::metadata(&path)?.len();
        println!("{}: {} KB", path.display(), size / 1024);
    }
    Ok(())
}

/// Where cargo puts what it builds.
pub fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The package of a connector in one of the folders.
fn package(root: &Path, name: &str) -> anyhow::Result<String> {
    let kind = FOLDERS
        .iter()
        .find(|(folder, _)| root.join(folder).join(name).join("Cargo.toml").is_file());
    let (_, kind) = kind.with_context(|| format!("no folder has a connector {name}"))?;
    Ok(format!("transload-{kind}-{name}"))
}

/// The connectors in the folders, and the hostile ones.
fn all(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = HOSTILE.map(|(name, _)| name.to_owned()).into();
    names.push(HOSTILE_PYTHON.0.to_owned());
    for (folder, _) in FOLDERS {
        for folder in std::fs::read_dir(root.join(folder))? {
            let folder = folder?;
            let is = |file: &str| folder.path().join(file).is_file();
            if is("Cargo.toml") || is("pyproject.toml") {
                names.push(folder.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// The workspace and its packages, as cargo has them.
fn manifest(root: &Path) -> anyhow::Result<serde_json::Value> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cargo does not run")?;
    serde_json::from_slice(&output.stdout).context("cargo gives no metadata")
}

/// What its metadata sections say: what its manifest says, and the last commit that changed what it is made of. Not the newest
/// commit: the same sources give the same component.
fn metadata(
    root: &Path,
    manifest: &serde_json::Value,
    name: &str,
    package: &str,
) -> anyhow::Result<Metadata> {
    let packages = manifest.get("packages").and_then(|of| of.as_array());
    let mut packages = packages.into_iter().flatten();
    let of = packages
        .find(|of| of["name"] == package)
        .with_context(|| format!("the workspace has no package {package}"))?;
    let text = |key: &str| of[key].as_str().map(str::to_owned);
    let authors = of["authors"].as_array().into_iter().flatten();
    let authors: Vec<&str> = authors.filter_map(|author| author.as_str()).collect();
    let folder = FOLDERS
        .iter()
        .find(|(_, kind)| package == format!("transload-{kind}-{name}"));
    let folder = format!("{}/{name}", folder.map_or("plugins", |(folder, _)| folder));
    Ok(Metadata {
        name: Some(name.to_owned()),
        version: text("version"),
        authors: Some(match authors.is_empty() {
            true => "The Transload authors".to_owned(),
            false => authors.join(", "),
        }),
        description: text("description"),
        licenses: text("license"),
        source: text("repository"),
        revision: revision(root, &[&folder, "sdk/rust", "wit", "Cargo.lock"]),
    })
}

/// The last commit that changed these; none outside a repository, or while they have changes that are in no commit.
fn revision(root: &Path, paths: &[&str]) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(root)
            .args(arguments)
            .arg("--")
            .args(paths)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        output.status.success().then_some(text)
    };
    let unchanged = git(&["status", "--porcelain"])?.is_empty();
    git(&["log", "-1", "--format=%H"]).filter(|commit| unchanged && !commit.is_empty())
}

/// Makes a core module a component, and checks what it imports.
fn encode(module: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes =
        std::fs::read(module).with_context(|| format!("{} is not there", module.display()))?;
    component::encode(&bytes).map_err(anyhow::Error::msg)
}
