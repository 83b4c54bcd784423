//! Packages for the commands: what is installed, and what a component says of itself.

use std::path::{Path, PathBuf};

use serde::Serialize;
use transload_registry::{self as registry, Registry};

use crate::config::PluginRequest;
use crate::contract::description::Description;
use crate::error::Error;
use crate::pipeline::run_that_needs;
use crate::plugins;

use super::plugin_install::{Trusting, sandbox};

/// One installed version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `source` or `destination`.
    pub role: String,
    /// sha-256 of the component, hex.
    pub digest: String,
    /// Who signed it.
    pub key: Option<String>,
}

/// A package and what it says of itself.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shown {
    pub package: Package,
    pub trust: Trusting,
    pub description: Description,
}

impl From<registry::Package> for Package {
    fn from(package: registry::Package) -> Self {
        Self {
            name: package.name,
            version: package.version.to_string(),
            role: package.role.to_string(),
            digest: package.sha256,
            key: package.signature.map(|of| of.key.to_string()),
        }
    }
}

/// What is installed, by name and version.
pub(super) async fn list(root: &Path) -> Result<Vec<Package>, Error> {
    Ok(open(root)?.list()?.into_iter().map(Package::from).collect())
}

/// The newest installed version that will do.
pub(super) async fn show(root: &Path, request: &PluginRequest) -> Result<Shown, Error> {
    let registry = open(root)?;
    let package = registry.resolve(&request.to_string())?;
    let plugin = plugins::load(&registry, &sandbox()?, &package).await?;
    let description = plugin.description().clone();
    Ok(Shown {
        trust: Trusting::of(&registry.trust()?, &package, &description),
        package: package.into(),
        description,
    })
}

/// The newest installed version that will do, without a look into it: one that was changed can be removed too.
pub(super) fn find(root: &Path, request: &PluginRequest) -> Result<Package, Error> {
    Ok(open(root)?.resolve(&request.to_string())?.into())
}

/// Who needs a component, as far as that can be seen.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// Runs that can go on or be taken back, and stores that do not say.
    pub by: Vec<String>,
    /// Stores of projects that took it, and that are not where they were.
    pub gone: Vec<PathBuf>,
}

/// Asks the runs of every project that took a component from this folder, and of the one we are in.
pub(super) async fn needed(
    root: &Path,
    digest: &str,
    here: Option<PathBuf>,
) -> Result<Needed, Error> {
    let mut stores = open(root)?.taken_by(digest)?;
    // One that has not run anything has no store yet.
    stores.extend(here.and_then(|store| store.canonicalize().ok()));
    let mut needed = Needed::default();
    for store in stores {
        match run_that_needs(&store, digest).await {
            Ok(run) => needed.by.extend(run),
            // Whether it is there can be unknown, too.
            Err(_) if matches!(store.try_exists(), Ok(false)) => needed.gone.push(store),
            Err(e) => needed.by.push(format!(
                "what the runs of {} need cannot be seen ({e})",
                store.display()
            )),
        }
    }
    Ok(needed)
}

/// Removes one version, unless it is needed, for the reason given.
pub(super) fn remove(root: &Path, package: &Package, needed: Option<String>) -> Result<(), Error> {
    let version = package.version.parse().map_err(|e: semver::Error| {
        Error::failed("registry", "the registry holds a version that is none").with_source(e)
    })?;
    open(root)?.remove(&package.name, &version, |_| needed)?;
    Ok(())
}

fn open(root: &Path) -> Result<Registry, Error> {
    Ok(Registry::open(root)?)
}

/// What a component says of itself, though it is not installed.
pub(super) async fn describe(bytes: Vec<u8>, sha256: &str) -> Result<Description, Error> {
    let plugin = sandbox()?.load(bytes, sha256).await?;
    Ok(plugin.description().clone())
}

/// The user's private folder of compiled components.
pub(super) fn cache_dir() -> Result<PathBuf, Error> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    variable("XDG_CACHE_HOME")
        .or_else(|| Some(variable("HOME")?.join(".cache")))
        .map(|dir| dir.join("transload"))
        .ok_or_else(|| {
            Error::environment(
                "no-cache",
                "no folder for compiled plugins: HOME is not set",
            )
            .with_hint("set HOME or XDG_CACHE_HOME")
        })
}
