//! `transload.lock` beside `migration.toml`: which component a project means by a plugin's name.
//!
//! Where it is, a new run takes those components and no newer ones; a run that has begun keeps those it began with. Where it is not,
//! a new run takes the newest version that will do. It is text, sorted, and made to be kept with `migration.toml` under version
//! control.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use transload_registry::{Package, PublicKey, Registry};

use crate::config::{Config, PluginRequest};
use crate::error::Error;

/// Name of the file in a project's folder.
pub const FILE_NAME: &str = "transload.lock";
const HEAD: &str = "# Written by `transload plugin lock`. New runs use these components and no others; `transload plugin lock` takes newer ones.\n";
const VERSION: u32 = 1;

/// The components of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Of the form.
    pub version: u32,
    /// By name.
    #[serde(default, rename = "plugin")]
    pub plugins: Vec<Locked>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: semver::Version,
    /// Of the component, hex.
    pub sha256: String,
    /// Who signed it; absent if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
}

impl Lock {
    /// Where a project's is.
    #[must_use]
    pub fn path(project: &Path) -> PathBuf {
        project.join(FILE_NAME)
    }

    /// A project's, if it has one.
    ///
    /// # Errors
    /// `lock-broken`, or a file that cannot be read.
    pub fn load(project: &Path) -> Result<Option<Self>, Error> {
        let path = Self::path(project);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        let broken = |problem: String| {
            Error::input("lock-broken", format!("{}: {problem}", path.display()))
                .with_hint("put it right, or write it anew with `transload plugin lock`")
        };
        let lock: Self =
            toml_edit::de::from_str(&text).map_err(|e| broken(e.message().trim().to_owned()))?;
        if lock.version != VERSION {
            return Err(broken(format!(
                "its form is version {}, and this program knows {VERSION}",
                lock.version
            )));
        }
        Ok(Some(lock))
    }

    /// The newest accepted versions that the project's connections take.
    ///
    /// # Errors
    /// None that will do.
    pub fn newest(registry: &Registry, config: &Config) -> Result<Self, Error> {
        let mut plugins: Vec<Locked> = vec![];
        for connection in config.connections.values() {
            let package = choose(registry, &connection.plugin)?;
            let key = package.signature.as_ref().map(|of| of.key);
            plugins.push(Locked {
                name: package.name,
                version: package.version,
                sha256: package.sha256,
                key,
            });
        }
        plugins.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        plugins.dedup();
        Ok(Self {
            version: VERSION,
            plugins,
        })
    }

    /// Writes it, all at once.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn save(&self, project: &Path) -> Result<(), Error> {
        let path = Self::path(project);
        let text = toml_edit::ser::to_string_pretty(self).map_err(|e| {
            Error::failed("lock", "the lock cannot be written as TOML").with_source(e)
        })?;
        let temporary = path.with_extension("lock.new");
        std::fs::write(&temporary, format!("{HEAD}{text}"))
            .map_err(|e| Error::io("write", &temporary, e))?;
        std::fs::rename(&temporary, &path).map_err(|e| Error::io("write", &path, e))
    }

    /// The component that a connection means.
    ///
    /// # Errors
    /// `lock-outdated` if the lock has none that will do; one that is not installed, or was signed by somebody else since.
    pub fn pick(&self, registry: &Registry, request: &PluginRequest) -> Result<Package, Error> {
        let named: Vec<&Locked> = self
            .plugins
            .iter()
            .filter(|of| of.name == request.name)
            .collect();
        let Some(locked) = named.iter().find(|of| request.version.matches(&of.version)) else {
            let problem = match named.first() {
                Some(of) => format!(
                    "{FILE_NAME} holds {} {}, but the connection asks for {request}",
                    of.name, of.version
                ),
                None => format!("{FILE_NAME} does not have {request}"),
            };
            return Err(Error::input("lock-outdated", problem)
                .with_hint("`transload plugin lock` writes it anew"));
        };
        let about = format!(
            "{} {}, which {FILE_NAME} names",
            locked.name, locked.version
        );
        let package = registry.by_digest(&locked.sha256).map_err(|e| {
            Error::from(e).about(&about).with_hint(
                "install that very version with `transload plugin add`, or take what is installed with `transload plugin lock`",
            )
        })?;
        let key = package.signature.as_ref().map(|of| of.key);
        if key != locked.key {
            let shown = |key: Option<PublicKey>| {
                key.map_or_else(|| "nobody".to_owned(), |key| key.to_string())
            };
            let problem = format!(
                "{about}, is signed by {} here, and by {} there",
                shown(key),
                shown(locked.key)
            );
            return Err(Error::input("lock-other-key", problem)
                .with_hint("find out why; `transload plugin lock` takes it as it is installed"));
        }
        registry.trust()?.vet(&package)?;
        Ok(package)
    }
}

/// The newest installed version that will do and that somebody accepted: one that was only copied there, or whose installation is
/// under way, is passed over.
///
/// # Errors
/// None that will do; if there are some, why the newest will not.
pub fn choose(registry: &Registry, request: &PluginRequest) -> Result<Package, Error> {
    let newest = registry.resolve(&request.to_string())?;
    let trust = registry.trust()?;
    let why = match trust.vet(&newest) {
        Ok(()) => return Ok(newest),
        Err(why) => why,
    };
    let mut others = registry.list()?;
    others.retain(|of| of.name == newest.name && of.version < newest.version);
    others.retain(|of| request.version.matches(&of.version) && trust.vet(of).is_ok());
    match others.into_iter().max_by(|a, b| a.version.cmp(&b.version)) {
        Some(next) => {
            tracing::warn!(passed = %newest, taken = %next, %why, "a newer version is installed, but not to be run");
            Ok(next)
        }
        None => Err(why.into()),
    }
}
