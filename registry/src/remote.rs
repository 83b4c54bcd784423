//! Where packages are published and installed from by name: a folder, or repositories of an OCI registry. Both have a signed
//! [`Index`](crate::Index), and nothing else of them is believed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::index::{Entry, IndexError};
use crate::oci::Repositories;
use crate::registry::{NewPackage, Registry, RegistryError, digest, locked, replace_file};

/// The index of a folder.
const INDEX: &str = "registry.json";
const LOCK: &str = ".registry.lock";
const CONFORMANCE: &str = "conformance.json";
/// The longest index, bytes.
const LONGEST_INDEX: u64 = 64 << 20;
/// The largest component, bytes.
const LARGEST_COMPONENT: u64 = 128 << 20;
/// The longest result of conformance tests, bytes.
const LONGEST_RESULT: u64 = 16 << 20;

/// Why a registry is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Not an address of ours.
    #[error("{address} is no registry: {problem}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong.
        problem: String,
    },
    /// Nothing was published there.
    #[error("{0} has no index: nothing was published there")]
    Empty(String),
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// What was worked on.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The server cannot be reached, or says something odd.
    #[error("{registry} cannot be used: {problem}")]
    Network {
        /// Its address.
        registry: String,
        /// What was said.
        problem: String,
    },
    /// No, or no sufficient, credential.
    #[error("{registry} does not let us in")]
    Unauthorized {
        /// Its address.
        registry: String,
    },
    /// What holds the credential fails.
    #[error("the credential for {registry} cannot be read: {problem}")]
    Credential {
        /// Its address.
        registry: String,
        /// What was said.
        problem: String,
    },
    /// Not what it should be.
    #[error("{what} {problem}")]
    Unfit {
        /// Which thing.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// Longer than it may be.
    #[error("{what} is longer than {limit} bytes")]
    TooLarge {
        /// Which thing.
        what: String,
        /// Bytes.
        limit: u64,
    },
    /// The index names it, but it is not there.
    #[error("{registry} names {package} in its index, but does not have it")]
    Missing {
        /// Its address.
        registry: String,
        /// `name@version`
        package: String,
    },
    /// The bytes are not those of the index.
    #[error(
        "{registry} gave something else for {package}: its sha-256 is {found}, the index says {expected}"
    )]
    Digest {
        /// Its address.
        registry: String,
        /// `name@version`
        package: String,
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },
    /// Somebody else published meanwhile.
    #[error(
        "the index of {0} was changed by somebody else meanwhile; nothing of it was overwritten"
    )]
    Raced(String),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The folder.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A registry by its address.
#[derive(Debug)]
pub struct Remote {
    address: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    Oci(Box<Repositories>),
}

/// A folder's one path, though it may not be there yet: a registry has one address, wherever the command is given.
fn one_path(folder: &Path) -> io::Result<PathBuf> {
    match folder.canonicalize() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            match (folder.parent(), folder.file_name()) {
                (Some(parent), Some(name)) if parent.as_os_str().is_empty() => {
                    Ok(one_path(Path::new("."))?.join(name))
                }
                (Some(parent), Some(name)) => Ok(one_path(parent)?.join(name)),
                _ => std::path::absolute(folder),
            }
        }
        found => found,
    }
}

impl Remote {
    /// `oci://host/repository`, `file:///folder`, or a folder. Nothing is asked yet.
    ///
    /// # Errors
    /// [`RemoteError::Address`]
    pub fn open(address: &str) -> Result<Self, RemoteError> {
        if let Some(rest) = address.strip_prefix("oci://") {
            let rest = rest.trim_end_matches('/');
            return Ok(Self {
                address: format!("oci://{rest}"),
                place: Place::Oci(Box::new(Repositories::open(rest)?)),
            });
        }
        let wrong = |problem: &str| RemoteError::Address {
            address: address.to_owned(),
            problem: problem.to_owned(),
        };
        let folder = match address.split_once("://") {
            Some(("file", path)) if path.starts_with('/') => path,
            Some(("file", _)) => return Err(wrong("after file:// stands a path from the root")),
            Some(_) => {
                return Err(wrong(
                    "write oci://host/repository, file:///folder, or a folder",
                ));
            }
            None if address.is_empty() => return Err(wrong("it is empty")),
            None => address,
        };
        let folder = one_path(Path::new(folder)).map_err(|source| RemoteError::Io {
            path: PathBuf::from(folder),
            source,
        })?;
        Ok(Self {
            address: format!("file://{}", folder.display()),
            place: Place::Folder(folder),
        })
    }

    /// In one form: what trust is kept under.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The index as it stands, unchecked; `None` before anything was published.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn index(&self) -> Result<Option<Vec<u8>>, RemoteError> {
        match &self.place {
            Place::Folder(folder) => read_limited(&folder.join(INDEX), LONGEST_INDEX),
            Place::Oci(of) => of.index(LONGEST_INDEX).await,
        }
    }

    /// Puts an index in the place of `before`, if that is still there. A folder is locked meanwhile; an OCI registry has no
    /// such thing: what is read last is compared, and whoever is faster by a moment wins.
    ///
    /// # Errors
    /// [`RemoteError::Raced`]
    pub async fn put_index(&self, bytes: &[u8], before: Option<&[u8]>) -> Result<(), RemoteError> {
        let raced = || RemoteError::Raced(self.address.clone());
        match &self.place {
            Place::Folder(folder) => {
                fs::create_dir_all(folder).map_err(at(folder))?;
                let path = folder.join(LOCK);
                let lock = locked(&path).map_err(at(&path))?;
                let path = folder.join(INDEX);
                if read_limited(&path, LONGEST_INDEX)?.as_deref() != before {
                    return Err(raced());
                }
                replace_file(bytes, &path)?;
                drop(lock);
                Ok(())
            }
            Place::Oci(of) => {
                if of.index(LONGEST_INDEX).await?.as_deref() != before {
                    return Err(raced());
                }
                of.put_index(bytes).await?;
                match of.index(LONGEST_INDEX).await? {
                    Some(now) if now == bytes => Ok(()),
                    _ => Err(raced()),
                }
            }
        }
    }

    /// A version's component, its digest checked.
    ///
    /// # Errors
    /// [`RemoteError::Missing`], [`RemoteError::Digest`]
    pub async fn component(&self, entry: &Entry) -> Result<Vec<u8>, RemoteError> {
        let bytes = match &self.place {
            Place::Folder(folder) => {
                let path = folder.join(&entry.name).join(entry.version.to_string());
                read_limited(&path.join(crate::registry::COMPONENT), LARGEST_COMPONENT)?
            }
            Place::Oci(of) => of.component(entry, LARGEST_COMPONENT).await?,
        };
        let bytes = bytes.ok_or_else(|| RemoteError::Missing {
            registry: self.address.clone(),
            package: entry.package(),
        })?;
        let found = digest(&bytes);
        if found != entry.sha256 {
            return Err(RemoteError::Digest {
                registry: self.address.clone(),
                package: entry.package(),
                expected: entry.sha256.clone(),
                found,
            });
        }
        Ok(bytes)
    }

    /// Puts a version there; the index that names it comes after.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub async fn put(
        &self,
        entry: &Entry,
        component: &[u8],
        conformance: Option<&[u8]>,
    ) -> Result<(), RemoteError> {
        match &self.place {
            Place::Folder(folder) => {
                let registry = Registry::open(folder)?;
                let new = NewPackage {
                    name: entry.name.clone(),
                    version: entry.version.clone(),
                    title: entry.title.clone(),
                    signature: Some(entry.signature.clone()),
                    describe: entry.describe.clone(),
                    origin: None,
                };
                let package = registry.add(component, new)?;
                if let Some(bytes) = conformance {
                    let path = registry
                        .component_path(&package)
                        .with_file_name(CONFORMANCE);
                    replace_file(bytes, &path)?;
                }
            }
            Place::Oci(of) => {
                of.put(entry, component).await?;
                if let Some(bytes) = conformance {
                    of.put_conformance(entry, bytes).await?;
                }
            }
        }
        Ok(())
    }

    /// The result of a version's conformance tests, its digest checked; `None` if it was published without.
    ///
    /// # Errors
    /// [`RemoteError::Missing`], [`RemoteError::Digest`]
    pub async fn conformance(&self, entry: &Entry) -> Result<Option<Vec<u8>>, RemoteError> {
        let Some(expected) = &entry.conformance else {
            return Ok(None);
        };
        let bytes = match &self.place {
            Place::Folder(folder) => {
                let path = folder.join(&entry.name).join(entry.version.to_string());
                read_limited(&path.join(CONFORMANCE), LONGEST_RESULT)?
            }
            Place::Oci(of) => of.conformance(entry, LONGEST_RESULT).await?,
        };
        let package = format!("the result of the conformance tests of {}", entry.package());
        let bytes = bytes.ok_or_else(|| RemoteError::Missing {
            registry: self.address.clone(),
            package: package.clone(),
        })?;
        let found = digest(&bytes);
        if found != *expected {
            return Err(RemoteError::Digest {
                registry: self.address.clone(),
                package,
                expected: expected.clone(),
                found,
            });
        }
        Ok(Some(bytes))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RemoteError {
    let path = path.to_owned();
    move |source| RemoteError::Io { path, source }
}

fn read_limited(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, RemoteError> {
    match fs::metadata(path) {
        Ok(meta) if meta.len() > limit => Err(RemoteError::TooLarge {
            what: path.display().to_string(),
            limit,
        }),
        Ok(_) => fs::read(path).map(Some).map_err(at(path)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        let form = |text: &str| Remote::open(text).expect(text).address().to_owned();
        assert_eq!(form("/srv/plugins"), "file:///srv/plugins");
        assert_eq!(form("file:///srv/plugins"), "file:///srv/plugins");
        assert_eq!(
            form("oci://localhost:5000/acme/"),
            "oci://localhost:5000/acme"
        );
        // The same, wherever and whenever it is said.
        let dir = tempfile::tempdir().expect("folder");
        let dir = dir.path().canonicalize().expect("path");
        std::fs::create_dir(dir.join("desk")).expect("folder");
        let (around, right) = (dir.join("desk/../plugins"), dir.join("plugins"));
        let there = format!("file://{}", right.display());
        assert_eq!(form(around.to_str().expect("path")), there);
        std::fs::create_dir(&right).expect("folder");
        assert_eq!(form(around.to_str().expect("path")), there);
        for text in ["", "https://acme.example/x", "file://x", "oci://host"] {
            assert!(
                matches!(Remote::open(text), Err(RemoteError::Address { .. })),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn two_publishers_at_once_overwrite_nothing_of_each_other() {
        let dir = tempfile::tempdir().expect("folder");
        let remote = Remote::open(dir.path().join("r").to_str().expect("path")).expect("remote");
        assert_eq!(remote.index().await.expect("read"), None);
        remote.put_index(b"one", None).await.expect("first");
        assert!(matches!(
            remote.put_index(b"two", None).await,
            Err(RemoteError::Raced(_))
        ));
        remote
            .put_index(b"two", Some(b"one"))
            .await
            .expect("second");
        assert_eq!(
            remote.index().await.expect("read").as_deref(),
            Some(&b"two"[..])
        );
    }
}
