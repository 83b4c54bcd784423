//! Connectors in Python: a folder whose `pyproject.toml` has `[tool.transload]` with a `role` and a `module`.
//!
//! componentize-py makes the component, in a virtual environment of its own in `target/python`, with the versions and hashes of
//! `sdk/python/requirements.txt`. Where there is no Python that can do it, this is said and passed on: everything else builds.
//! A component is built anew only when something it is made of has changed: no two builds are alike to the byte (the order of
//! Python's sets is drawn while it is built), and what is compiled for a component is kept by its digest.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::python_tools;

/// What a connector's `pyproject.toml` says to us.
#[derive(Deserialize)]
struct Project {
    tool: Tool,
}

#[derive(Deserialize)]
struct Tool {
    transload: Connector,
}

/// A connector in Python.
#[derive(Debug, Deserialize)]
pub struct Connector {
    /// `source` or `destination`.
    role: String,
    /// Which module names the class.
    module: String,
}

impl Connector {
    /// What a folder holds; none if it is no connector in Python.
    pub fn find(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join("pyproject.toml");
        let Ok(text) = std::fs::read_to_string(&path) else {
            return Ok(None);
        };
        let project: Project = toml::from_str(&text).with_context(|| {
            format!(
                "{} has no [tool.transload] with role and module",
                path.display()
            )
        })?;
        let connector = project.tool.transload;
        if !["source", "destination"].contains(&connector.role.as_str()) {
            bail!("{}: role is `source` or `destination`", path.display());
        }
        Ok(Some(connector))
    }

    /// Makes the component at `path`, unless it is there and of the same sources.
    pub fn build(
        &self,
        root: &Path,
        folder: &Path,
        tools: &Tools,
        path: &Path,
    ) -> anyhow::Result<()> {
        let sdk = root.join("sdk/python");
        let (wit, world) = (root.join("wit/0.1"), sdk.join("destination.wit"));
        let inputs = inputs(&[
            &sdk.join("transload_sdk"),
            &sdk.join("requirements.txt"),
            &world,
            &wit,
            folder,
        ])?;
        let noted = path.with_extension("inputs");
        if path.is_file() && std::fs::read_to_string(&noted).is_ok_and(|noted| noted == inputs) {
            println!("{}: nothing has changed", path.display());
            return Ok(());
        }
        // Not there while it is made: a build that fails leaves nothing behind that looks like its result.
        let _ = std::fs::remove_file(&noted);
        let from = [folder, &sdk];
        let status = python_tools::componentize(
            &tools.venv,
            [&wit, &world],
            &self.role,
            &from,
            &self.module,
            path,
        )
        .status()
        .context("componentize-py does not run")?;
        if !status.success() {
            bail!("{} does not build", folder.display());
        }
        std::fs::write(&noted, inputs)?;
        Ok(())
    }
}

/// What builds connectors in Python.
#[derive(Debug)]
pub struct Tools {
    venv: PathBuf,
}

impl Tools {
    /// The environment in `target/python`, made or renewed where need be. Fails with a sentence that says what is missing.
    pub fn find(root: &Path, target: &Path) -> anyhow::Result<Self> {
        let tools = Self {
            venv: target.join("python/venv"),
        };
        let requirements = root.join("sdk/python/requirements.txt");
        let wanted = std::fs::read_to_string(&requirements)?;
        let noted = target.join("python/requirements.txt");
        if std::fs::read_to_string(&noted).is_ok_and(|noted| noted == wanted)
            && tools.venv.join("bin/componentize-py").is_file()
        {
            return Ok(tools);
        }
        let python = python_tools::find().context("no Python 3.11 or later (python3) was found")?;
        std::fs::create_dir_all(target.join("python"))?;
        run(&mut python_tools::environment(python, &tools.venv)).context(
            "python3 makes no virtual environment (Debian: apt-get install python3-venv)",
        )?;
        run(&mut python_tools::install_all(&tools.venv, &requirements))
            .context("pip does not install what sdk/python/requirements.txt names")?;
        std::fs::write(noted, wanted)?;
        println!(
            "guests in Python: componentize-py in {}",
            tools.venv.display()
        );
        Ok(tools)
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let Output { status, stderr, .. } = command.stdin(Stdio::null()).output()?;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        bail!("{}", said.lines().last().unwrap_or("it failed"));
    }
    Ok(())
}

/// A print of all files below these places.
fn inputs(places: &[&Path]) -> anyhow::Result<String> {
    let mut files = BTreeMap::new();
    let mut open: Vec<PathBuf> = places.iter().map(|place| place.to_path_buf()).collect();
    while let Some(place) = open.pop() {
        if place.is_dir() {
            for one in std::fs::read_dir(&place)? {
                let one = one?.path();
                if one.file_name().is_none_or(|name| name != "__pycache__") {
                    open.push(one);
                }
            }
        } else {
            files.insert(place.clone(), std::fs::read(&place)?);
        }
    }
    let mut hasher = DefaultHasher::new();
    for (path, bytes) in files {
        hasher.write(path.to_string_lossy().as_bytes());
        hasher.write_usize(bytes.len());
        hasher.write(&bytes);
    }
    Ok(format!("{:016x}\n", hasher.finish()))
}
