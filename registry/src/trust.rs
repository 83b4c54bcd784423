//! Whom this folder of packages believes, and what it allows: `<root>/trust.json`.
//!
//! - The key of a publisher, pinned to a name when its first package is installed, and kept when it is removed: from then on no
//!   other key signs that name.
//! - Components that nobody signed, by digest, each taken by a person.
//! - What was granted to a name.
//! - Registries: whose key signs their index, and the newest index that was seen, so that an older one is known for what it is.
//! - Digests that were revoked.
//!
//! Whoever may write the folder may write this file: it protects from packages and registries, not from the folder's owner.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::registry::{Package, Registry, RegistryError};
use crate::rights::Rights;
use crate::sign::{PublicKey, SignError, Signature};

const TRUST: &str = "trust.json";
const LOCK: &str = ".trust.lock";

/// Everything that is believed and allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// By name.
    #[serde(default)]
    pub plugins: BTreeMap<String, Trusted>,
    /// By address.
    #[serde(default)]
    pub registries: BTreeMap<String, KnownRegistry>,
    /// By sha-256.
    #[serde(default)]
    pub revoked: BTreeMap<String, Revoked>,
}

/// What is believed of, and allowed to, one name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// Whose signature counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
    /// Since when, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_at: Option<i64>,
    /// Components without a signature that a person took, by sha-256, and when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsigned: BTreeMap<String, i64>,
    /// What a person allowed.
    #[serde(default)]
    pub granted: Rights,
    /// When, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<i64>,
}

/// A registry that packages came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownRegistry {
    /// Whose signatures on its index count.
    pub keys: Vec<PublicKey>,
    /// Of the newest index that was seen.
    pub number: u64,
    /// Of that index, hex.
    pub sha256: String,
    /// When, ms since 1970.
    pub seen_at: i64,
}

/// A component that its publisher took back for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// `name@version`
    pub package: String,
    /// Why.
    pub reason: String,
    /// The registry that said so.
    pub by: String,
    /// A person lets it run all the same: to finish or take back what it began.
    #[serde(default)]
    pub allowed: bool,
}

/// Why a package is not to be run.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The signature is false or of something else.
    #[error("{package}: {source}")]
    Signature {
        /// `name@version`
        package: String,
        /// What is wrong.
        #[source]
        source: SignError,
    },
    /// Signed by somebody else than those before.
    #[error(
        "{package} is signed by {found}, but {name} is pinned to {pinned}: somebody else has signed it, or its publisher has a new key"
    )]
    OtherKey {
        /// `name@version`
        package: String,
        /// The name.
        name: String,
        /// Whose signature counts.
        pinned: PublicKey,
        /// Whose it is.
        found: PublicKey,
    },
    /// Not signed, though it should be.
    #[error("{package} is not signed, but {name} is pinned to {pinned}")]
    NoSignature {
        /// `name@version`
        package: String,
        /// The name.
        name: String,
        /// Whose signature counts.
        pinned: PublicKey,
    },
    /// Nobody said yes to it.
    #[error("{package} was put into the folder of packages, but nobody has accepted it ({})", match .key { Some(key) => format!("signed by {key}"), None => "not signed".to_owned() })]
    NotAccepted {
        /// `name@version`
        package: String,
        /// Who signed it, if anybody did.
        key: Option<PublicKey>,
    },
    /// Taken back by its publisher.
    #[error("{package} was revoked ({by}): {reason}")]
    Revoked {
        /// `name@version`
        package: String,
        /// Why.
        reason: String,
        /// The registry that said so.
        by: String,
    },
}

/// What installing a package would mean for the pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Signed by the pinned key.
    Pinned(PublicKey),
    /// Signed, and the first of its name: its key would be pinned.
    First(PublicKey),
    /// Signed, of a name whose packages were unsigned till now: its key would be pinned.
    NowSigned(PublicKey),
    /// Not signed, but this very component was accepted before.
    AcceptedUnsigned,
    /// Not signed and not seen before: needs a person's yes.
    Unsigned,
}

impl Trust {
    /// What is known of a name; nothing, if it is new.
    #[must_use]
    pub fn of(&self, name: &str) -> Trusted {
        self.plugins.get(name).cloned().unwrap_or_default()
    }

    /// How a component stands, before it is installed.
    ///
    /// # Errors
    /// [`TrustError`] where it must not be installed.
    pub fn standing(
        &self,
        name: &str,
        version: &Version,
        sha256: &str,
        signature: Option<&Signature>,
    ) -> Result<Standing, TrustError> {
        let package = || format!("{name}@{version}");
        if let Some(revoked) = self.revoked.get(sha256)
            && !revoked.allowed
        {
            return Err(TrustError::Revoked {
                package: package(),
                reason: revoked.reason.clone(),
                by: revoked.by.clone(),
            });
        }
        let known = self.of(name);
        let Some(signature) = signature else {
            if known.unsigned.contains_key(sha256) {
                return Ok(Standing::AcceptedUnsigned);
            }
            return match known.key {
                Some(pinned) => Err(TrustError::NoSignature {
                    package: package(),
                    name: name.to_owned(),
                    pinned,
                }),
                None => Ok(Standing::Unsigned),
            };
        };
        signature
            .verify(name, version, sha256)
            .map_err(|source| TrustError::Signature {
                package: package(),
                source,
            })?;
        match known.key {
            Some(pinned) if pinned == signature.key => Ok(Standing::Pinned(pinned)),
            Some(pinned) => Err(TrustError::OtherKey {
                package: package(),
                name: name.to_owned(),
                pinned,
                found: signature.key,
            }),
            None if known.unsigned.is_empty() => Ok(Standing::First(signature.key)),
            None => Ok(Standing::NowSigned(signature.key)),
        }
    }

    /// Whether an installed package may run: it is as it was accepted, and nobody took it back.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn vet(&self, package: &Package) -> Result<(), TrustError> {
        let standing = self.standing(
            &package.name,
            &package.version,
            &package.sha256,
            package.signature.as_ref(),
        )?;
        match standing {
            Standing::Pinned(_) | Standing::AcceptedUnsigned => Ok(()),
            Standing::First(key) | Standing::NowSigned(key) => Err(TrustError::NotAccepted {
                package: package.to_string(),
                key: Some(key),
            }),
            Standing::Unsigned => Err(TrustError::NotAccepted {
                package: package.to_string(),
                key: None,
            }),
        }
    }

    /// A person said yes to a package: its key is pinned, or its digest taken as it is; what was granted before is replaced.
    pub fn accept(
        &mut self,
        name: &str,
        sha256: &str,
        signature: Option<&Signature>,
        granted: Rights,
        now: i64,
    ) {
        let known = self.plugins.entry(name.to_owned()).or_default();
        match signature {
            Some(signature) if known.key.is_none() => {
                known.key = Some(signature.key);
                known.pinned_at = Some(now);
            }
            Some(_) => {}
            None => {
                known.unsigned.entry(sha256.to_owned()).or_insert(now);
            }
        }
        if known.granted != granted || known.granted_at.is_none() {
            known.granted = granted;
            known.granted_at = Some(now);
        }
    }
}

impl Registry {
    /// What is believed and allowed. Nothing, where there is no file yet.
    ///
    /// # Errors
    /// [`RegistryError::Broken`], [`RegistryError::Io`]
    pub fn trust(&self) -> Result<Trust, RegistryError> {
        self.read_json(&self.trust_path())
    }

    /// Changes it, one process at a time, all at once.
    ///
    /// # Errors
    /// As [`Registry::trust`], and what the change says.
    pub fn change_trust<T, E: From<RegistryError>>(
        &self,
        change: impl FnOnce(&mut Trust) -> Result<T, E>,
    ) -> Result<T, E> {
        let lock = self.lock(LOCK)?;
        let before = self.trust()?;
        let mut after = before.clone();
        let value = change(&mut after)?;
        if after != before {
            self.replace_json(&after, &self.trust_path())?;
        }
        drop(lock);
        Ok(value)
    }

    fn trust_path(&self) -> PathBuf {
        self.root().join(TRUST)
    }
}
