//! What a long-lived host can offer, as it is now: a plugin that is installed, upgraded or removed by another process is seen without
//! a restart.
//!
//! Each question looks at the folder (the stamps of its files, not their contents). What was loaded from it stays loaded: a
//! [`Plugin`] is whole in itself, and what uses it goes on with it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use transload_registry::{Package, Registry, Role};

use super::lock::choose;
use crate::clock::SharedClock;
use crate::config::PluginRequest;
use crate::error::Error;
use crate::sandbox::{Plugin, Sandbox};

/// A folder of packages, watched.
#[derive(Debug)]
pub struct Catalog {
    registry: Registry,
    sandbox: Sandbox,
    /// By name and version, as it was at the last look for changes.
    seen: BTreeMap<String, Package>,
}

/// What is otherwise than at the last look.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Ready to be used, and was not before.
    pub added: Vec<Package>,
    /// Gone, or not to be run any more.
    pub removed: Vec<Package>,
}

impl Changes {
    /// Nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

impl Catalog {
    /// Opens a folder of packages; what is there is not news.
    ///
    /// # Errors
    /// A folder that cannot be used.
    pub fn open(root: impl Into<PathBuf>, sandbox: Sandbox) -> Result<Self, Error> {
        let mut catalog = Self {
            registry: Registry::open(root)?,
            sandbox,
            seen: BTreeMap::new(),
        };
        catalog.changes()?;
        Ok(catalog)
    }

    /// Every version that somebody accepted and nobody revoked, by name and version.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn list(&self) -> Result<Vec<Package>, Error> {
        let trust = self.registry.trust()?;
        let mut packages = self.registry.list()?;
        packages.retain(|package| trust.vet(package).is_ok());
        Ok(packages)
    }

    /// Those that write, the newest version of each.
    ///
    /// # Errors
    /// As [`Catalog::list`].
    pub fn destinations(&self) -> Result<Vec<Package>, Error> {
        self.newest(Role::Destination)
    }

    /// Those that read, the newest version of each.
    ///
    /// # Errors
    /// As [`Catalog::list`].
    pub fn sources(&self) -> Result<Vec<Package>, Error> {
        self.newest(Role::Source)
    }

    fn newest(&self, role: Role) -> Result<Vec<Package>, Error> {
        let mut newest = BTreeMap::new();
        for package in self.list()?.into_iter().filter(|of| of.role == role) {
            // By version, so that the last one stays.
            newest.insert(package.name.clone(), package);
        }
        Ok(newest.into_values().collect())
    }

    /// The newest version that will do, loaded: its digest, signature and standing are checked now.
    ///
    /// # Errors
    /// None that will do, or one that does not load.
    pub async fn load(&self, request: &PluginRequest) -> Result<(Package, Plugin), Error> {
        let package = choose(&self.registry, request)?;
        let plugin = super::load(&self.registry, &self.sandbox, &package).await?;
        Ok((package, plugin))
    }

    /// What changed since the last call.
    ///
    /// # Errors
    /// As [`Catalog::list`].
    pub fn changes(&mut self) -> Result<Changes, Error> {
        let now: BTreeMap<String, Package> = self
            .list()?
            .into_iter()
            .map(|package| (package.to_string(), package))
            .collect();
        let not_in = |these: &BTreeMap<String, Package>,
                      those: &BTreeMap<String, Package>|
         -> Vec<Package> {
            let other = |(name, package): &(&String, &Package)| {
                those
                    .get(*name)
                    .is_none_or(|there| there.sha256 != package.sha256)
            };
            these
                .iter()
                .filter(other)
                .map(|(_, package)| package.clone())
                .collect()
        };
        let changes = Changes {
            added: not_in(&now, &self.seen),
            removed: not_in(&self.seen, &now),
        };
        self.seen = now;
        Ok(changes)
    }

    /// Waits until something changes, looking every so often.
    ///
    /// # Errors
    /// As [`Catalog::list`].
    pub async fn changed(
        &mut self,
        clock: &SharedClock,
        every: Duration,
    ) -> Result<Changes, Error> {
        loop {
            let changes = self.changes()?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            clock.sleep(every).await;
        }
    }
}
