//! Which projects took which component out of this folder of packages: `<root>/projects.json`. Whoever removes one can so ask the runs
//! of all of them.
//!
//! It is a help and no truth: a project that may not write the folder is not in it, and one that was moved stands in it where it was
//! until it takes the component again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::registry::{Registry, RegistryError};

const PROJECTS: &str = "projects.json";
const LOCK: &str = ".projects.lock";

/// The stores of the projects that took a component, by its sha-256.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Taken {
    #[serde(default)]
    components: BTreeMap<String, BTreeSet<PathBuf>>,
}

impl Registry {
    /// Notes that a project took a component; `store` is the file with its runs, by a path that holds for every process.
    ///
    /// # Errors
    /// [`RegistryError::Io`], also where the folder is not the project's to write; [`RegistryError::Broken`]
    pub fn take(&self, sha256: &str, store: &Path) -> Result<(), RegistryError> {
        // Nearly always it is there.
        if self.taken_by(sha256)?.contains(store) {
            return Ok(());
        }
        self.change_taken(|taken| {
            let projects = taken.components.entry(sha256.to_owned()).or_default();
            projects.insert(store.to_owned());
        })
    }

    /// The stores of the projects that took a component.
    ///
    /// # Errors
    /// [`RegistryError::Broken`], [`RegistryError::Io`]
    pub fn taken_by(&self, sha256: &str) -> Result<BTreeSet<PathBuf>, RegistryError> {
        Ok(self.taken()?.components.remove(sha256).unwrap_or_default())
    }

    /// Forgets who took a component that is not here any more.
    pub(crate) fn forget_taken(&self, sha256: &str) -> Result<(), RegistryError> {
        if self.taken_by(sha256)?.is_empty() {
            return Ok(());
        }
        self.change_taken(|taken| {
            taken.components.remove(sha256);
        })
    }

    fn taken(&self) -> Result<Taken, RegistryError> {
        self.read_json(&self.root().join(PROJECTS))
    }

    /// Changes it, one process at a time, all at once.
    fn change_taken(&self, change: impl FnOnce(&mut Taken)) -> Result<(), RegistryError> {
        let lock = self.lock(LOCK)?;
        let mut taken = self.taken()?;
        change(&mut taken);
        self.replace_json(&taken, &self.root().join(PROJECTS))?;
        drop(lock);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn who_took_a_component_is_noted_once_and_forgotten_with_it() {
        let dir = tempfile::tempdir().expect("folder");
        let registry = Registry::open(dir.path()).expect("registry");
        let (one, two) = (Path::new("/one/runs.db"), Path::new("/two/runs.db"));
        assert!(registry.taken_by("0123").expect("list").is_empty());
        for store in [two, one, one] {
            registry.take("0123", store).expect("note");
        }
        registry.take("4567", one).expect("note");
        let taken = registry.taken_by("0123").expect("list");
        assert_eq!(taken, BTreeSet::from([one.to_owned(), two.to_owned()]));
        registry.forget_taken("0123").expect("forget");
        assert!(registry.taken_by("0123").expect("list").is_empty());
        assert_eq!(registry.taken_by("4567").expect("list").len(), 1);
        // It is no package, and says so of itself where it is broken.
        assert!(registry.list().expect("packages").is_empty());
        fs::write(dir.path().join(PROJECTS), "[").expect("write");
        let error = registry.taken_by("0123").expect_err("broken");
        assert!(error.to_string().contains(PROJECTS), "{error}");
    }
}
