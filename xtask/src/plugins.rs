//! `cargo xtask plugins`: every crate in `plugins/` and `examples/` compiled for WebAssembly and made into a component, and so
//! the two hostile connectors of the tests.
//!
//! The compiler gives a core module; wit-component adds the types that wit-bindgen left in its custom sections. A component of
//! ours imports nothing but the contract: anything else (WASI) means that a dependency wants a clock, a file or chance, and is an
//! error here, before the host would refuse it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::chores::root;
use crate::component;
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

/// Which connectors.
#[derive(clap::Args)]
pub struct Arguments {
    /// Names of folders in `plugins/` or `examples/`, or `hostile-source` and `hostile-destination`; all of them by default.
    names: Vec<String>,
}

impl Arguments {
    /// Every connector there is.
    pub fn all() -> Self {
        Self { names: vec![] }
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
    let (toolchain, which) = Toolchain::find().map_err(anyhow::Error::msg)?;
    println!("guests: {which}");

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
        let path = target.join("plugins").join(format!("{name}.wasm"));
        std::fs::create_dir_all(target.join("plugins"))?;
        std::fs::write(&path, &component)?;
        println!("{}: {} KB", path.display(), component.len() / 1024);
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
    for (folder, _) in FOLDERS {
        for folder in std::fs::read_dir(root.join(folder))? {
            let folder = folder?;
            if folder.path().join("Cargo.toml").is_file() {
                names.push(folder.file_name().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    Ok(names)
}

/// Makes a core module a component, and checks what it imports.
fn encode(module: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes =
        std::fs::read(module).with_context(|| format!("{} is not there", module.display()))?;
    component::encode(&bytes).map_err(anyhow::Error::msg)
}
