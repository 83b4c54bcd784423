//! A folder of packages that several people and programs share.
//!
//! Layout: `<root>/<name>/<version>/{component.wasm, package.json, describe.json}`, `<root>/index.json`, `<root>/trust.json`
//! ([`Trust`](crate::Trust)) and `<root>/projects.json` (who took what). The folders are the truth: a package copied in by hand is there at the next look, though it is not
//! run before somebody accepts it. The index saves reading every `package.json`, is never trusted
//! beyond the stamp of the file it was read from, and may be deleted.
//!
//! A package appears by one rename, so a reader sees it whole or not at all, and never changes afterwards: the same name and
//! version with other bytes is refused. Files are 0644 and folders 0755, for the many readers of one registry. Every read
//! of a component hashes it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use semver::Version;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::component::{OutlineError, Role, outline};
use crate::metadata::{Metadata, MetadataError};
use crate::sign::Signature;
use crate::spec::{Spec, SpecError, check_name};

pub(crate) const COMPONENT: &str = "component.wasm";
const METADATA: &str = "package.json";
const DESCRIBE: &str = "describe.json";
const INDEX: &str = "index.json";
/// How alike a name must be to be proposed (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.8;

/// What its publisher says of a package; the rest is read from the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPackage {
    /// `zendesk`, or with its publisher `acme/helpdesk`.
    pub name: String,
    /// Of the connector.
    pub version: Version,
    /// For people.
    pub title: String,
    /// Its publisher's, if it is signed. Not checked here: see [`Trust`](crate::Trust).
    pub signature: Option<Signature>,
    /// What the component says of itself.
    pub describe: serde_json::Value,
    /// The registry it came from.
    pub origin: Option<String>,
}

/// A package, as its `package.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// `zendesk`, or with its publisher `acme/helpdesk`.
    pub name: String,
    /// Of the connector.
    pub version: Version,
    /// Source or destination.
    pub role: Role,
    /// For people.
    pub title: String,
    /// The contract it was built for.
    pub contract: Version,
    /// Of the component, hex.
    pub sha256: String,
    /// Of the component, bytes.
    pub size: u64,
    /// From the component's own sections.
    #[serde(default)]
    pub metadata: Metadata,
    /// Its publisher's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The registry it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Why the registry could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The request names no package.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No package of that name.
    #[error("no plugin is called {name}{}", listed("; did you mean ", .near, "; install it with `transload plugin add <file>`"))]
    UnknownPlugin {
        /// As asked.
        name: String,
        /// Names that look like it, the likest first.
        near: Vec<String>,
    },
    /// No version of it will do.
    #[error("no version of {} satisfies {spec}{}", .spec.name, listed("; there is ", .there, ""))]
    NoVersion {
        /// As asked.
        spec: Spec,
        /// The versions there are, highest first.
        there: Vec<String>,
    },
    /// No component with that digest.
    #[error(
        "no installed plugin has the sha-256 {0}; install the version that the run began with again"
    )]
    UnknownDigest(String),
    /// The same version with other bytes.
    #[error(
        "{package} is installed with other contents (sha-256 {sha256}); give the new build a version of its own"
    )]
    AlreadyThere {
        /// `name@version`
        package: String,
        /// Of what is installed.
        sha256: String,
    },
    /// A run still needs it.
    #[error("{package} is in use: {reason}")]
    InUse {
        /// `name@version`
        package: String,
        /// As the caller's check said.
        reason: String,
    },
    /// The component is no connector.
    #[error("not a plugin: {0}")]
    NotAPlugin(#[from] OutlineError),
    /// What its sections say is not what it says of itself.
    #[error("not a plugin that can be installed: {0}")]
    Metadata(#[from] MetadataError),
    /// The component's bytes are not those that were installed.
    #[error(
        "{path} was changed: its sha-256 is {found}, {METADATA} says {expected}; remove the package and install it again"
    )]
    Digest {
        /// Of the component.
        path: PathBuf,
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },
    /// A package folder that is not right.
    #[error("{path}: {problem}; put it right, or remove the folder and install the plugin again")]
    Broken {
        /// The file at fault.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// What was worked on.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn listed(before: &str, items: &[String], otherwise: &str) -> String {
    if items.is_empty() {
        otherwise.to_owned()
    } else {
        format!("{before}{}", items.join(", "))
    }
}

/// Waits until no other process holds a file; it is held until it is dropped.
pub(crate) fn locked(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RegistryError {
    let path = path.to_owned();
    move |source| RegistryError::Io { path, source }
}

/// What tells one state of a file from the next: inode, size, and time of change in seconds and ns.
type Stamp = (u64, u64, i64, i64);

#[derive(Debug, Serialize, Deserialize)]
struct Indexed {
    stamp: Stamp,
    package: Package,
}

/// By `name/version`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    packages: BTreeMap<String, Indexed>,
}

/// What a look at the folders found.
#[derive(Debug, Default)]
struct Found {
    /// By name, then version.
    packages: Vec<Package>,
    problems: Vec<RegistryError>,
}

/// A folder of packages.
#[derive(Debug, Clone)]
pub struct Registry {
    root: PathBuf,
}

impl Registry {
    /// Opens a folder, making it if it is not there.
    ///
    /// # Errors
    /// [`RegistryError::Io`]
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, RegistryError> {
        let root = root.into();
        if !root.is_dir() {
            make_folder(&root)?;
        }
        Ok(Self { root })
    }

    /// Puts a package in. The same bytes under the same name and version once more is no error.
    ///
    /// # Errors
    /// [`RegistryError::NotAPlugin`], [`RegistryError::AlreadyThere`], [`RegistryError::Spec`], [`RegistryError::Io`]
    pub fn add(&self, component: &[u8], new: NewPackage) -> Result<Package, RegistryError> {
        check_name(&new.name)?;
        let outline = outline(component)?;
        let metadata = Metadata::read(component)?;
        metadata.agrees(&new.name, &new.version.to_string())?;
        let package = Package {
            name: new.name,
            version: new.version,
            role: outline.role,
            title: new.title,
            contract: outline.contract,
            sha256: digest(component),
            size: u64::try_from(component.len()).unwrap_or(u64::MAX),
            metadata,
            signature: new.signature,
            origin: new.origin,
        };
        let folder = self.folder(&package);
        if !self.is_there(&package, &folder)? {
            let staged = self.stage(component, &package, &new.describe)?;
            let placed = self.place(&staged, &folder);
            if let Err(error) = placed {
                // The error that counts is the one above; what is left over is hidden and harmless.
                let _ = fs::remove_dir_all(&staged);
                // Somebody else may have been faster with the same package.
                if !self.is_there(&package, &folder)? {
                    return Err(error);
                }
            }
        }
        self.scan()?;
        Ok(package)
    }

    /// Takes a package out, unless `in_use` gives a reason why it must stay.
    ///
    /// # Errors
    /// [`RegistryError::InUse`], [`RegistryError::UnknownPlugin`], [`RegistryError::NoVersion`], [`RegistryError::Io`]
    pub fn remove(
        &self,
        name: &str,
        version: &Version,
        in_use: impl FnOnce(&Package) -> Option<String>,
    ) -> Result<Package, RegistryError> {
        let installed = self
            .list()?
            .into_iter()
            .find(|p| p.name == name && p.version == *version);
        let Some(package) = installed else {
            let text = format!("{name}@{version}");
            // A version that differs in its build metadata only resolves, but is another package.
            let there = vec![self.resolve(&text)?.version.to_string()];
            return Err(RegistryError::NoVersion {
                spec: text.parse()?,
                there,
            });
        };
        if let Some(reason) = in_use(&package) {
            return Err(RegistryError::InUse {
                package: package.to_string(),
                reason,
            });
        }
        // Away in one step, so that no reader meets half a package.
        let (folder, doomed) = (self.folder(&package), self.hidden("removing"));
        fs::rename(&folder, &doomed).map_err(at(&folder))?;
        fs::remove_dir_all(&doomed).map_err(at(&doomed))?;
        for parent in folder
            .ancestors()
            .skip(1)
            .take_while(|parent| *parent != self.root)
        {
            if fs::remove_dir(parent).is_err() {
                break; // other versions or packages are in it
            }
        }
        let left = self.scan()?.packages;
        if !left.iter().any(|other| other.sha256 == package.sha256) {
            self.forget_taken(&package.sha256)?;
        }
        Ok(package)
    }

    /// Every package, by name and version. Broken ones are left out; see [`Registry::problems`].
    ///
    /// # Errors
    /// [`RegistryError::Io`] if the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Package>, RegistryError> {
        Ok(self.scan()?.packages)
    }

    /// What is wrong with package folders, one entry each.
    ///
    /// # Errors
    /// [`RegistryError::Io`] if the folder cannot be read.
    pub fn problems(&self) -> Result<Vec<RegistryError>, RegistryError> {
        Ok(self.scan()?.problems)
    }

    /// The highest version that will do. See [`Spec`].
    ///
    /// # Errors
    /// [`RegistryError::UnknownPlugin`] with names like it, [`RegistryError::NoVersion`] with the versions there are,
    /// [`RegistryError::Broken`] if only a broken package would do.
    pub fn resolve(&self, spec: &str) -> Result<Package, RegistryError> {
        let spec: Spec = spec.parse()?;
        let Found { packages, problems } = self.scan()?;
        let mut named: Vec<&Package> = packages.iter().filter(|p| p.name == spec.name).collect();
        named.sort_by(|a, b| b.version.cmp(&a.version));
        if let Some(best) = named.iter().find(|p| spec.matches(&p.version)) {
            return Ok((*best).clone());
        }
        let home = self.root.join(&spec.name);
        let broken = problems.into_iter().find(
            |problem| matches!(problem, RegistryError::Broken { path, .. } if path.starts_with(&home)),
        );
        if let Some(broken) = broken {
            return Err(broken);
        }
        if !named.is_empty() {
            let there = named.iter().map(|p| p.version.to_string()).collect();
            return Err(RegistryError::NoVersion { spec, there });
        }
        let mut near: Vec<(f64, String)> = packages
            .iter()
            .map(|p| (likeness(&spec.name, &p.name), p.name.clone()))
            .filter(|(likeness, _)| *likeness >= NEAR)
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut near: Vec<String> = near.into_iter().map(|(_, name)| name).collect();
        near.dedup();
        Err(RegistryError::UnknownPlugin {
            name: spec.name,
            near,
        })
    }

    /// The package that a run was pinned to, whatever it is called now.
    ///
    /// # Errors
    /// [`RegistryError::UnknownDigest`]
    pub fn by_digest(&self, sha256: &str) -> Result<Package, RegistryError> {
        self.list()?
            .into_iter()
            .find(|p| p.sha256.eq_ignore_ascii_case(sha256))
            .ok_or_else(|| RegistryError::UnknownDigest(sha256.to_owned()))
    }

    /// A package's component, its digest checked.
    ///
    /// # Errors
    /// [`RegistryError::Digest`] if it is not what was installed, [`RegistryError::Io`].
    pub fn read(&self, package: &Package) -> Result<Vec<u8>, RegistryError> {
        let path = self.component_path(package);
        let bytes = fs::read(&path).map_err(at(&path))?;
        let found = digest(&bytes);
        if found.eq_ignore_ascii_case(&package.sha256) {
            Ok(bytes)
        } else {
            Err(RegistryError::Digest {
                path,
                expected: package.sha256.clone(),
                found,
            })
        }
    }

    /// What a package's component said of itself when it was installed; `None` if that was not kept.
    ///
    /// # Errors
    /// [`RegistryError::Broken`], [`RegistryError::Io`]
    pub fn described(&self, package: &Package) -> Result<Option<serde_json::Value>, RegistryError> {
        let path = self.folder(package).join(DESCRIBE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| RegistryError::Broken {
                path,
                problem: format!("is no description: {e}"),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(at(&path)(e)),
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a package's component is.
    #[must_use]
    pub fn component_path(&self, package: &Package) -> PathBuf {
        self.folder(package).join(COMPONENT)
    }

    fn folder(&self, package: &Package) -> PathBuf {
        self.root
            .join(&package.name)
            .join(package.version.to_string())
    }

    /// A name no reader looks at, in the same file system.
    fn hidden(&self, what: &str) -> PathBuf {
        hidden(&self.root, what)
    }

    /// Whether this very package is installed already.
    fn is_there(&self, package: &Package, folder: &Path) -> Result<bool, RegistryError> {
        if !folder.exists() {
            return Ok(false);
        }
        let installed = read_package(&folder.join(METADATA), &package.name, &package.version)?;
        if installed.sha256 == package.sha256 {
            if package.signature.is_some() && installed.signature != package.signature {
                // The same component, signed meanwhile.
                self.replace_json(package, &folder.join(METADATA))?;
            }
            return Ok(true);
        }
        Err(RegistryError::AlreadyThere {
            package: package.to_string(),
            sha256: installed.sha256,
        })
    }

    /// Writes a package beside the others, complete and durable but not yet visible.
    fn stage(
        &self,
        component: &[u8],
        package: &Package,
        describe: &serde_json::Value,
    ) -> Result<PathBuf, RegistryError> {
        let staged = self.hidden("adding");
        make_folder(&staged)?;
        write_file(&staged.join(COMPONENT), component)?;
        let path = staged.join(METADATA);
        write_file(&path, &json(package, &path)?)?;
        let path = staged.join(DESCRIBE);
        write_file(&path, &json(describe, &path)?)?;
        Ok(staged)
    }

    fn place(&self, staged: &Path, folder: &Path) -> Result<(), RegistryError> {
        let parent = folder.parent().unwrap_or(&self.root);
        make_folder(parent)?;
        if let Some(publisher) = parent.parent().filter(|publisher| *publisher != self.root) {
            set_mode(publisher, 0o755)?;
        }
        fs::rename(staged, folder).map_err(at(folder))?;
        File::open(parent)
            .and_then(|dir| dir.sync_all())
            .map_err(at(parent))
    }

    /// Looks at every package folder, and writes the index anew if it was out of date and may be written.
    fn scan(&self) -> Result<Found, RegistryError> {
        let index_path = self.root.join(INDEX);
        // An index that is not there or not readable is made again.
        let old: Index = fs::read(&index_path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let mut new = Index::default();
        let mut found = Found::default();
        let mut stale = false;
        for (name, version) in self.folders()? {
            let key = format!("{name}/{version}");
            let path = self
                .root
                .join(&name)
                .join(version.to_string())
                .join(METADATA);
            let stamp = match fs::metadata(&path) {
                Ok(meta) => stamp(&meta),
                Err(e) => {
                    let problem = format!("cannot be read: {e}");
                    found.problems.push(RegistryError::Broken { path, problem });
                    continue;
                }
            };
            let package = match old.packages.get(&key) {
                Some(indexed) if indexed.stamp == stamp => Ok(indexed.package.clone()),
                _ => {
                    stale = true;
                    read_package(&path, &name, &version)
                }
            };
            match package.and_then(|package| self.component_fits(package)) {
                Ok(package) => {
                    new.packages.insert(
                        key,
                        Indexed {
                            stamp,
                            package: package.clone(),
                        },
                    );
                    found.packages.push(package);
                }
                Err(problem) => found.problems.push(problem),
            }
        }
        found
            .packages
            .sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        if stale || new.packages.len() != old.packages.len() {
            // Many readers may not write here, and need not.
            let _ = self.write_index(&new, &index_path);
        }
        Ok(found)
    }

    fn write_index(&self, index: &Index, path: &Path) -> Result<(), RegistryError> {
        self.replace_json(index, path)
    }

    /// Writes a file anew, all at once.
    pub(crate) fn replace_json(
        &self,
        value: &impl Serialize,
        path: &Path,
    ) -> Result<(), RegistryError> {
        replace_file(&json(value, path)?, path)
    }

    /// What a file of the folder says; nothing, where there is none yet.
    pub(crate) fn read_json<T: DeserializeOwned + Default>(
        &self,
        path: &Path,
    ) -> Result<T, RegistryError> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| RegistryError::Broken {
                path: path.to_owned(),
                problem: format!("is not what it should be: {e}"),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(T::default()),
            Err(source) => Err(at(path)(source)),
        }
    }

    /// As [`locked`], of a file of the folder.
    pub(crate) fn lock(&self, name: &str) -> Result<File, RegistryError> {
        let path = self.root.join(name);
        locked(&path).map_err(at(&path))
    }

    /// Names and versions of all package folders, one or two levels deep.
    fn folders(&self) -> Result<Vec<(String, Version)>, RegistryError> {
        let mut packages = Vec::new();
        for name in subfolders(&self.root)? {
            if check_name(&name).is_err() {
                continue;
            }
            for below in subfolders(&self.root.join(&name))? {
                if let Ok(version) = Version::parse(&below) {
                    packages.push((name.clone(), version));
                    continue;
                }
                let name = format!("{name}/{below}");
                if check_name(&name).is_err() {
                    continue;
                }
                for version in subfolders(&self.root.join(&name))? {
                    if let Ok(version) = Version::parse(&version) {
                        packages.push((name.clone(), version));
                    }
                }
            }
        }
        Ok(packages)
    }

    /// The component is there and as long as it should be; its digest is for whoever reads it.
    fn component_fits(&self, package: Package) -> Result<Package, RegistryError> {
        let path = self.component_path(&package);
        let problem = match fs::metadata(&path) {
            Ok(meta) if meta.len() == package.size => return Ok(package),
            Ok(meta) => format!("has {} bytes, {METADATA} says {}", meta.len(), package.size),
            Err(e) => format!("cannot be read: {e}"),
        };
        Err(RegistryError::Broken { path, problem })
    }
}

fn hidden(folder: &Path, what: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!(".{what}-{}-{number}", std::process::id()))
}

/// Writes a file beside the old one, and gives it its name.
pub(crate) fn replace_file(bytes: &[u8], path: &Path) -> Result<(), RegistryError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = hidden(folder, "writing");
    write_file(&temporary, bytes)?;
    fs::rename(&temporary, path).map_err(|e| {
        let _ = fs::remove_file(&temporary); // the rename's error is the one to tell
        at(path)(e)
    })
}

fn read_package(path: &Path, name: &str, version: &Version) -> Result<Package, RegistryError> {
    let broken = |problem: String| RegistryError::Broken {
        path: path.to_owned(),
        problem,
    };
    let bytes = fs::read(path).map_err(|e| broken(format!("cannot be read: {e}")))?;
    let package: Package =
        serde_json::from_slice(&bytes).map_err(|e| broken(format!("is no package: {e}")))?;
    if package.name != name || package.version != *version {
        return Err(broken(format!(
            "says it is {package}, but lies at {name}/{version}"
        )));
    }
    Ok(package)
}

/// Names of the folders in a folder, hidden ones left out. Gone is empty: somebody may just have removed it.
fn subfolders(path: &Path) -> Result<Vec<String>, RegistryError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(at(path)(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(path))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    Ok(names)
}

fn stamp(meta: &fs::Metadata) -> Stamp {
    (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())
}

/// Of the whole name, or of the part after the publisher.
fn likeness(asked: &str, name: &str) -> f64 {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    strsim::jaro_winkler(asked, name).max(strsim::jaro_winkler(&bare(asked), &bare(name)))
}

/// sha-256, hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn json(value: &impl Serialize, path: &Path) -> Result<Vec<u8>, RegistryError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| at(path)(e.into()))?;
    text.push(b'\n');
    Ok(text)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), RegistryError> {
    let mut file = File::create_new(path).map_err(at(path))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(at(path))?;
    set_mode(path, 0o644)
}

fn make_folder(path: &Path) -> Result<(), RegistryError> {
    fs::create_dir_all(path).map_err(at(path))?;
    set_mode(path, 0o755)
}

/// Whatever the umask is: a registry is for everybody to read. A folder of somebody else's keeps the mode it has.
fn set_mode(path: &Path, mode: u32) -> Result<(), RegistryError> {
    match fs::set_permissions(path, fs::Permissions::from_mode(mode)) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map_err(at(path)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An installed package's record.
    pub(crate) fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: Version::parse(version).expect("version"),
            role: Role::Source,
            title: name.to_uppercase(),
            contract: Version::new(0, 1, 0),
            sha256: digest(name.as_bytes()),
            size: 1,
            metadata: Metadata::default(),
            signature: None,
            origin: None,
        }
    }

    /// A component that exports an empty `source` or `destination`; `salt` makes its bytes its own.
    fn component(role: &str, salt: &str) -> Vec<u8> {
        wat::parse_str(format!(
            r#"(component (instance $i) (@custom "salt" "{salt}")
                (export "transload:connector/{role}@0.1.0" (instance $i)))"#
        ))
        .expect("test component")
    }

    fn named(name: &str, version: &str) -> NewPackage {
        NewPackage {
            name: name.to_owned(),
            version: Version::parse(version).expect("version"),
            title: name.to_uppercase(),
            signature: None,
            describe: serde_json::json!({"name": name}),
            origin: None,
        }
    }

    fn registry() -> (tempfile::TempDir, Registry) {
        let dir = tempfile::tempdir().expect("folder");
        let registry = Registry::open(dir.path().join("plugins")).expect("registry");
        (dir, registry)
    }

    fn add(registry: &Registry, name: &str, version: &str) -> Package {
        let bytes = component("source", &format!("{name}{version}"));
        registry.add(&bytes, named(name, version)).expect("added")
    }

    #[test]
    fn what_is_added_is_found_with_role_contract_and_digest_of_its_own_bytes() {
        let (_dir, registry) = registry();
        let bytes = component("destination", "x");
        let added = registry
            .add(&bytes, named("acme/helpdesk", "2.0.1"))
            .expect("added");
        assert_eq!(added.role, Role::Destination);
        assert_eq!(added.contract, Version::new(0, 1, 0));
        assert_eq!(added.sha256, digest(&bytes));
        assert_eq!(registry.list().expect("list"), std::slice::from_ref(&added));
        assert_eq!(
            registry.resolve("acme/helpdesk@2").expect("resolved"),
            added
        );
        assert_eq!(registry.by_digest(&added.sha256).expect("by digest"), added);
        assert_eq!(registry.read(&added).expect("bytes"), bytes);
        let described = registry.described(&added).expect("described");
        assert_eq!(
            described,
            Some(serde_json::json!({"name": "acme/helpdesk"}))
        );
    }

    #[test]
    fn a_component_whose_sections_contradict_it_is_not_taken_in() {
        let (_dir, registry) = registry();
        let metadata = Metadata {
            version: Some("9.9.9".into()),
            ..Metadata::default()
        };
        let bytes = metadata.write(&component("source", "x")).expect("written");
        assert!(matches!(
            registry.add(&bytes, named("desk", "1.0.0")),
            Err(RegistryError::Metadata(MetadataError::Contradiction {
                field: "version",
                ..
            }))
        ));
        let added = registry.add(&bytes, named("desk", "9.9.9")).expect("added");
        assert_eq!(added.metadata, metadata);
    }

    #[test]
    fn a_component_that_is_signed_later_gets_its_signature() {
        let (_dir, registry) = registry();
        let bytes = component("source", "x");
        let first = registry.add(&bytes, named("desk", "1.0.0")).expect("added");
        let key = crate::sign::SecretKey::generate();
        let signature = Some(key.sign("desk", &first.version, &first.sha256));
        let new = NewPackage {
            signature: signature.clone(),
            ..named("desk", "1.0.0")
        };
        registry.add(&bytes, new).expect("again");
        assert_eq!(
            registry.resolve("desk").expect("there").signature,
            signature
        );
        registry
            .add(&bytes, named("desk", "1.0.0"))
            .expect("unsigned again");
        assert_eq!(
            registry.resolve("desk").expect("there").signature,
            signature,
            "stays"
        );
    }

    #[test]
    fn the_highest_version_that_will_do_is_taken_and_no_pre_release_unasked() {
        let (_dir, registry) = registry();
        for version in ["0.1.0", "0.1.10", "0.1.9", "0.2.0", "0.3.0-beta.2"] {
            add(&registry, "desk", version);
        }
        let resolved = |spec: &str| registry.resolve(spec).expect(spec).version.to_string();
        assert_eq!(resolved("desk"), "0.2.0");
        assert_eq!(resolved("desk@^0.1"), "0.1.10");
        assert_eq!(resolved("desk@0.1.0"), "0.1.0");
        assert_eq!(resolved("desk@^0.3.0-beta"), "0.3.0-beta.2");
        let error = registry
            .resolve("desk@^0.3")
            .expect_err("only a pre-release")
            .to_string();
        assert!(error.contains("0.3.0-beta.2, 0.2.0, 0.1.10"), "{error}");
    }

    #[test]
    fn an_unknown_name_brings_names_like_it() {
        let (_dir, registry) = registry();
        for name in ["acme-desk", "acme/other-desk", "other"] {
            add(&registry, name, "1.0.0");
        }
        let near = |spec: &str| match registry.resolve(spec) {
            Err(RegistryError::UnknownPlugin { near, .. }) => near,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            near("acme-deks").first().map(String::as_str),
            Some("acme-desk")
        );
        assert_eq!(
            near("other-desk").first().map(String::as_str),
            Some("acme/other-desk")
        );
        assert!(near("qqq").is_empty());
    }

    #[test]
    fn a_version_never_changes_but_may_be_added_twice() {
        let (_dir, registry) = registry();
        let first = component("source", "one");
        registry.add(&first, named("desk", "1.0.0")).expect("added");
        registry
            .add(&first, named("desk", "1.0.0"))
            .expect("the same again");
        assert!(matches!(
            registry.add(&component("source", "two"), named("desk", "1.0.0")),
            Err(RegistryError::AlreadyThere { .. })
        ));
        let package = registry.resolve("desk").expect("still there");
        assert_eq!(registry.read(&package).expect("bytes"), first);
    }

    #[test]
    fn what_is_no_plugin_or_has_no_proper_name_is_not_taken_in() {
        let (dir, registry) = registry();
        assert!(matches!(
            registry.add(b"\0asm\x01\0\0\0", named("desk", "1.0.0")),
            Err(RegistryError::NotAPlugin(OutlineError::CoreModule))
        ));
        assert!(matches!(
            registry.add(&component("source", ""), named("../desk", "1.0.0")),
            Err(RegistryError::Spec(_))
        ));
        assert_eq!(registry.list().expect("list"), []);
        assert_eq!(
            fs::read_dir(dir.path()).expect("folder").count(),
            1,
            "nothing beside it"
        );
    }

    #[test]
    fn a_package_copied_in_by_hand_is_seen_and_one_deleted_by_hand_is_gone() {
        let (dir, registry) = registry();
        let other = Registry::open(dir.path().join("other")).expect("registry");
        let package = add(&other, "acme/desk", "1.0.0");
        add(&registry, "mine", "1.0.0");
        let (from, to) = (other.folder(&package), registry.folder(&package));
        fs::create_dir_all(&to).expect("folder");
        // The component first: half a copy is a problem to report, not a package.
        fs::copy(from.join(COMPONENT), to.join(COMPONENT)).expect("copy");
        assert_eq!(registry.list().expect("list").len(), 1);
        assert!(matches!(
            registry.resolve("acme/desk"),
            Err(RegistryError::Broken { .. })
        ));
        fs::copy(from.join(METADATA), to.join(METADATA)).expect("copy");
        assert_eq!(registry.resolve("acme/desk").expect("seen"), package);
        assert!(registry.problems().expect("problems").is_empty());
        fs::remove_dir_all(&to).expect("removed");
        assert!(registry.resolve("acme/desk").is_err());
    }

    #[test]
    fn the_index_may_be_lost_damaged_or_out_of_date() {
        let (_dir, registry) = registry();
        let package = add(&registry, "desk", "1.0.0");
        let index = registry.root.join(INDEX);
        assert!(index.is_file());
        for damage in ["", "{", "{\"packages\":{}}"] {
            fs::write(&index, damage).expect("damaged");
            assert_eq!(
                registry.list().expect("list"),
                std::slice::from_ref(&package)
            );
            let rebuilt: Index =
                serde_json::from_slice(&fs::read(&index).expect("index")).expect("rebuilt");
            assert_eq!(rebuilt.packages.len(), 1);
        }
        fs::remove_file(&index).expect("removed");
        assert_eq!(
            registry.list().expect("list"),
            std::slice::from_ref(&package)
        );
        // Metadata changed under the index.
        let changed = Package {
            title: "A longer title".to_owned(),
            ..package.clone()
        };
        let path = registry.folder(&package).join(METADATA);
        fs::write(&path, json(&changed, &path).expect("json")).expect("written");
        assert_eq!(registry.list().expect("list"), [changed]);
    }

    #[test]
    fn a_changed_component_is_never_handed_out() {
        let (_dir, registry) = registry();
        let package = add(&registry, "desk", "1.0.0");
        let path = registry.component_path(&package);
        let mut bytes = fs::read(&path).expect("bytes");
        *bytes.last_mut().expect("a byte") ^= 1;
        fs::write(&path, &bytes).expect("changed");
        let error = registry.read(&package).expect_err("changed");
        assert!(matches!(error, RegistryError::Digest { .. }));
        assert!(error.to_string().contains("component.wasm"), "{error}");
        bytes.pop();
        fs::write(&path, &bytes).expect("cut");
        let error = registry.resolve("desk").expect_err("cut").to_string();
        assert!(
            error.contains("component.wasm") && error.contains("install"),
            "{error}"
        );
    }

    #[test]
    fn broken_metadata_hides_one_package_and_is_told() {
        let (_dir, registry) = registry();
        add(&registry, "good", "1.0.0");
        let bad = add(&registry, "bad", "1.0.0");
        let path = registry.folder(&bad).join(METADATA);
        for text in [
            "nonsense".to_owned(),
            fs::read_to_string(&path)
                .expect("text")
                .replace("bad", "evil"),
        ] {
            fs::write(&path, text).expect("written");
            assert_eq!(registry.list().expect("list").len(), 1);
            let problems = registry.problems().expect("problems");
            assert!(
                matches!(problems.as_slice(), [RegistryError::Broken { path: p, .. }] if *p == path)
            );
        }
    }

    #[test]
    fn what_is_in_use_stays_and_what_is_removed_leaves_nothing() {
        let (_dir, registry) = registry();
        let package = add(&registry, "acme/desk", "1.0.0");
        let error = registry
            .remove("acme/desk", &package.version, |_| {
                Some("run 7 can be rolled back".to_owned())
            })
            .expect_err("in use");
        assert!(error.to_string().contains("run 7"), "{error}");
        assert_eq!(registry.list().expect("list").len(), 1);
        registry
            .remove("acme/desk", &package.version, |_| None)
            .expect("removed");
        assert_eq!(registry.list().expect("list"), []);
        assert!(!registry.root.join("acme").exists());
        assert!(matches!(
            registry.remove("acme/desk", &package.version, |_| None),
            Err(RegistryError::UnknownPlugin { .. })
        ));
    }

    #[test]
    fn everybody_may_read_a_registry() {
        let (_dir, registry) = registry();
        let package = add(&registry, "acme/desk", "1.0.0");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let folder = registry.folder(&package);
        for dir in [
            &folder,
            &registry.root.join("acme"),
            &registry.root.join("acme/desk"),
        ] {
            assert_eq!(mode(dir), 0o755, "{}", dir.display());
        }
        for file in [
            folder.join(COMPONENT),
            folder.join(METADATA),
            registry.root.join(INDEX),
        ] {
            assert_eq!(mode(&file), 0o644, "{}", file.display());
        }
    }

    #[test]
    fn readers_see_whole_packages_only_while_others_are_added_and_removed() {
        let (_dir, registry) = registry();
        add(&registry, "desk", "1.0.0");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for patch in 1..20 {
                    let package = add(&registry, "desk", &format!("1.0.{patch}"));
                    if patch % 2 == 0 {
                        registry
                            .remove("desk", &package.version, |_| None)
                            .expect("removed");
                    }
                }
            });
            let mut looks = 0_u32;
            while !writer.is_finished() || looks == 0 {
                looks += 1;
                for package in registry.list().expect("list") {
                    match registry.read(&package) {
                        Ok(_) => {}
                        Err(RegistryError::Io { source, .. })
                            if source.kind() == io::ErrorKind::NotFound => {} // just removed
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        });
        assert_eq!(registry.list().expect("list").len(), 11);
    }
}
