//! Packages for the commands: what is installed, and what a component says of itself.

use std::path::Path;

use serde::Serialize;

use crate::config::PluginRequest;
use crate::contract::description::Description;
use crate::error::Error;

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
}

/// A package and what it says of itself.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Shown {
    pub package: Package,
    pub description: Description,
}

const WHAT: &str = "the plugin registry";

/// What is installed, by name and version.
pub(super) async fn list(_root: &Path) -> Result<Vec<Package>, Error> {
    Err(Error::Unavailable(WHAT))
}

/// The newest installed version that will do.
pub(super) async fn show(_root: &Path, _request: &PluginRequest) -> Result<Shown, Error> {
    Err(Error::Unavailable(WHAT))
}

/// What a component says of itself; runs it once in the sandbox, installs nothing.
pub(super) async fn inspect(_bytes: Vec<u8>) -> Result<Shown, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Installs a component that was looked at before.
pub(super) async fn add(_root: &Path, _bytes: Vec<u8>, _shown: &Shown) -> Result<Package, Error> {
    Err(Error::Unavailable(WHAT))
}

/// Removes one version.
pub(super) async fn remove(_root: &Path, _package: &Package) -> Result<(), Error> {
    Err(Error::Unavailable(WHAT))
}
