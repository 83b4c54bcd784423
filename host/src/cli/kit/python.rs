//! A connector in Python made a component: a virtual environment in its folder, componentize-py in it, and the contract as this host
//! has it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use transload_registry::Metadata;

use super::super::Console;
use super::language::Sdk;
use super::python_tools;
use crate::error::Error;

macro_rules! from_root {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../", $name))
    };
}

/// What builds it, with hashes.
const REQUIREMENTS: &str = from_root!("sdk/python/requirements.txt");
const WIT: [(&str, &str); 4] = [
    ("exports.wit", from_root!("wit/0.1/exports.wit")),
    ("imports.wit", from_root!("wit/0.1/imports.wit")),
    ("types.wit", from_root!("wit/0.1/types.wit")),
    ("world.wit", from_root!("wit/0.1/world.wit")),
];
/// The world of a destination in Python.
const DESTINATION: &str = from_root!("sdk/python/destination.wit");
/// The environment, in the project's folder.
const VENV: &str = ".venv";

/// What `pyproject.toml` says to us.
#[derive(Debug)]
pub(super) struct Project {
    pub name: String,
    pub role: String,
    pub module: String,
    pub sdk: Sdk,
    /// For the component's own sections.
    pub metadata: Metadata,
}

impl Project {
    /// Reads it.
    pub fn read(text: &str) -> Result<Self, Error> {
        let document: toml_edit::DocumentMut = text
            .parse()
            .map_err(|e: toml_edit::TomlError| Error::input("manifest", e.to_string()))?;
        let at = |place: &[&str]| {
            let mut item = document.as_item();
            for name in place {
                item = item.get(name)?;
            }
            item.as_str().map(str::to_owned)
        };
        let wanted = |place: &[&str]| {
            let missing = || {
                let text = format!("there is no {}", place.join("."));
                Error::input("manifest", text).with_hint("`transload plugin new` makes one")
            };
            at(place).ok_or_else(missing)
        };
        let role = wanted(&["tool", "transload", "role"])?;
        if !["source", "destination"].contains(&role.as_str()) {
            return Err(Error::input(
                "manifest",
                "tool.transload.role is `source` or `destination`",
            ));
        }
        let sdk = match at(&["tool", "transload", "sdk", "git"]) {
            Some(url) => Sdk::Git(url),
            None => Sdk::Path(wanted(&["tool", "transload", "sdk", "path"])?),
        };
        let name = wanted(&["project", "name"])?;
        Ok(Self {
            metadata: Metadata {
                name: Some(name.clone()),
                version: at(&["project", "version"]),
                authors: None,
                description: at(&["project", "description"]),
                licenses: at(&["project", "license"]),
                source: at(&["project", "urls", "repository"]),
                revision: None,
            },
            name,
            role,
            module: wanted(&["tool", "transload", "module"])?,
            sdk,
        })
    }
}

/// Builds the project in a folder: its name, and the component.
pub(super) fn build(dir: &Path, console: &mut Console<'_>) -> Result<(String, Vec<u8>), Error> {
    let manifest = dir.join("pyproject.toml");
    let text = std::fs::read_to_string(&manifest).map_err(|e| Error::io("read", &manifest, e))?;
    let project = Project::read(&text).map_err(|e| e.about(manifest.display()))?;
    let venv = dir.join(VENV);
    environment(&venv, &project.sdk, console)?;
    let made = tempfile::tempdir().map_err(|e| Error::io("make", "a temporary folder", e))?;
    let wit = made.path().join("wit");
    std::fs::create_dir(&wit).map_err(|e| Error::io("make", &wit, e))?;
    for (name, text) in WIT {
        let path = wit.join(name);
        std::fs::write(&path, text).map_err(|e| Error::io("write", &path, e))?;
    }
    let world = made.path().join("destination.wit");
    std::fs::write(&world, DESTINATION).map_err(|e| Error::io("write", &world, e))?;
    let out = made.path().join("component.wasm");
    let mut from = vec![dir];
    if let Sdk::Path(path) = &project.sdk {
        from.push(Path::new(path));
    }
    let mut command = python_tools::componentize(
        &venv,
        [&wit, &world],
        &project.role,
        &from,
        &project.module,
        &out,
    );
    run(&mut command, "build", "the connector is no component")?;
    let component = std::fs::read(&out).map_err(|e| Error::io("read", &out, e))?;
    let component = project
        .metadata
        .write(&component)
        .map_err(|e| Error::failed("build", e.to_string()))?;
    Ok((project.name, component))
}

/// Makes the environment, unless it is there and of the same requirements.
fn environment(venv: &Path, sdk: &Sdk, console: &mut Console<'_>) -> Result<(), Error> {
    let from = match sdk {
        Sdk::Path(path) => path.clone(),
        Sdk::Git(url) => format!("transload-sdk @ git+{url}#subdirectory=sdk/python"),
    };
    let (wanted, noted) = (
        format!("{REQUIREMENTS}# {from}\n"),
        venv.join("made-of.txt"),
    );
    if std::fs::read_to_string(&noted).is_ok_and(|noted| noted == wanted) {
        return Ok(());
    }
    let python = python_tools::find().ok_or_else(|| {
        Error::environment("no-python", "no Python 3.11 or later was found")
            .with_hint("install python3 and its venv module (Debian: apt-get install python3-venv)")
    })?;
    console.say(&format!("Making {}.", venv.display()));
    let mut command = python_tools::environment(python, venv);
    run(
        &mut command,
        "no-python",
        "Python makes no virtual environment",
    )?;
    let requirements: PathBuf = venv.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)
        .map_err(|e| Error::io("write", &requirements, e))?;
    let mut command = python_tools::install_all(venv, &requirements);
    run(&mut command, "pip", "pip does not install componentize-py")?;
    match sdk {
        Sdk::Git(_) => {
            let mut command = python_tools::install(venv);
            command.arg(&from);
            run(&mut command, "pip", "pip does not install the SDK")?;
        }
        Sdk::Path(path) => {
            add_folder(venv, path).map_err(|e| Error::io("name the SDK in", venv, e))?
        }
    }
    std::fs::write(&noted, wanted).map_err(|e| Error::io("write", &noted, e))
}

/// Has an environment find modules in a folder, too: an SDK that is a checkout is not installed.
fn add_folder(venv: &Path, folder: &str) -> std::io::Result<()> {
    for python in std::fs::read_dir(venv.join("lib"))? {
        let packages = python?.path().join("site-packages");
        if packages.is_dir() {
            std::fs::write(packages.join("transload-sdk.pth"), format!("{folder}\n"))?;
        }
    }
    Ok(())
}

fn run(command: &mut Command, code: &'static str, failed: &str) -> Result<(), Error> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Error::io("start", command.get_program(), e))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = said.trim().lines().rev().take(12).collect::<Vec<_>>();
    let said: Vec<&str> = said.into_iter().rev().collect();
    Err(Error::failed(
        code,
        format!("{failed}\n{}", said.join("\n")),
    ))
}
