//! Ed25519 signatures by a publisher over what a package is: its name, its version and the digest of its component.
//!
//! What is signed is a text of four lines, each with a line feed at its end, so that anything that knows Ed25519 can check it:
//!
//! ```text
//! transload-signature-v1
//! name: acme/helpdesk
//! version: 1.2.3
//! sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! ```
//!
//! A signature is kept beside its component as JSON (`helpdesk.wasm.sig`). A secret key is a PKCS#8 PEM file, 0600, as
//! `openssl genpkey -algorithm ed25519` makes one too; a public key is written `ed25519:` and the base64 of its 32 bytes.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::pkcs8::{
    DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, spki::der::pem::LineEnding,
};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use rand::Rng as _;
use semver::Version;
use serde::{Deserialize, Serialize};

/// The first line of what is signed.
pub const SIGNATURE_FORMAT: &str = "transload-signature-v1";
const KEY_PREFIX: &str = "ed25519:";

/// Why a key or a signature is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A text that is no public key.
    #[error("{0:?} is no public key; one is written `ed25519:` and 44 characters of base64")]
    PublicKey(String),
    /// A file that holds no secret key.
    #[error("{path} holds no Ed25519 key: {problem}")]
    SecretKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A secret key that others can read.
    #[error("{0} can be read by others; make it private with `chmod 600`")]
    KeyIsOpen(PathBuf),
    /// A key file that is there already.
    #[error("{0} is there already; a key is never written over")]
    KeyExists(PathBuf),
    /// The file system.
    #[error("{path}: {source}")]
    Io {
        /// What was worked on.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A text that is no signature.
    #[error("{path} is no signature: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A signature of something else.
    #[error("the signature is for {signed}, but this is {found}")]
    OfAnother {
        /// What was signed: `name@version (sha-256)`.
        signed: String,
        /// What is there.
        found: String,
    },
    /// The mathematics says no.
    #[error(
        "the signature of {what} by {key} is false: what was signed was changed, or somebody else signed it"
    )]
    False {
        /// `name@version`, or an index.
        what: String,
        /// Whose it claims to be.
        key: PublicKey,
    },
}

/// Whose signature counts. Written `ed25519:<base64>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Whether `signature` (base64) is this key's, of these bytes.
    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &str) -> bool {
        let decoded = BASE64.decode(signature).ok();
        let signature = decoded.and_then(|bytes| ed25519_dalek::Signature::from_slice(&bytes).ok());
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else {
            return false;
        };
        // Strict: no key of small order, one form only.
        signature.is_some_and(|signature| key.verify_strict(bytes, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{KEY_PREFIX}{}", BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, SignError> {
        let bytes = text
            .strip_prefix(KEY_PREFIX)
            .and_then(|rest| BASE64.decode(rest).ok())
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes
            .filter(|bytes| VerifyingKey::from_bytes(bytes).is_ok())
            .map(Self)
            .ok_or_else(|| SignError::PublicKey(text.to_owned()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A publisher's or a registry's secret. Shows nothing of itself.
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

impl SecretKey {
    /// A new one, from the operating system's chance.
    #[must_use]
    pub fn generate() -> Self {
        let mut seed = [0_u8; 32];
        rand::rng().fill_bytes(&mut seed);
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads a PKCS#8 PEM file that only its owner can read.
    ///
    /// # Errors
    /// [`SignError`] naming the file.
    pub fn load(path: &Path) -> Result<Self, SignError> {
        let io = |source| SignError::Io {
            path: path.to_owned(),
            source,
        };
        let text = fs::read_to_string(path).map_err(io)?;
        if fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(SignError::KeyIsOpen(path.to_owned()));
        }
        SigningKey::from_pkcs8_pem(&text)
            .map(Self)
            .map_err(|e| SignError::SecretKey {
                path: path.to_owned(),
                problem: e.to_string(),
            })
    }

    /// Writes a new file, 0600.
    ///
    /// # Errors
    /// [`SignError::KeyExists`], [`SignError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SignError> {
        // Without the public key, which OpenSSL before 3 does not expect.
        let bytes = KeypairBytes {
            secret_key: self.0.to_bytes(),
            public_key: None,
        };
        let pem = bytes
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|e| SignError::SecretKey {
                path: path.to_owned(),
                problem: e.to_string(),
            })?;
        let file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        file.and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => SignError::KeyExists(path.to_owned()),
            _ => SignError::Io {
                path: path.to_owned(),
                source,
            },
        })
    }

    /// What others know it by.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// base64 of the signature of these bytes.
    pub(crate) fn sign_bytes(&self, bytes: &[u8]) -> String {
        BASE64.encode(self.0.sign(bytes).to_bytes())
    }

    /// Signs a package.
    #[must_use]
    pub fn sign(&self, name: &str, version: &Version, sha256: &str) -> Signature {
        let signature = self.sign_bytes(statement(name, version, sha256).as_bytes());
        Signature {
            format: SIGNATURE_FORMAT.to_owned(),
            name: name.to_owned(),
            version: version.clone(),
            sha256: sha256.to_owned(),
            key: self.public(),
            signature,
        }
    }
}

fn statement(name: &str, version: &Version, sha256: &str) -> String {
    format!("{SIGNATURE_FORMAT}\nname: {name}\nversion: {version}\nsha256: {sha256}\n")
}

/// A signature as it is kept: what was signed, by whom, and the signature itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// [`SIGNATURE_FORMAT`]
    pub format: String,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Of the component, hex.
    pub sha256: String,
    /// The publisher's.
    pub key: PublicKey,
    /// base64.
    pub signature: String,
}

impl Signature {
    /// Reads a `.sig` file.
    ///
    /// # Errors
    /// [`SignError`] naming the file.
    pub fn load(path: &Path) -> Result<Self, SignError> {
        let bytes = fs::read(path).map_err(|source| SignError::Io {
            path: path.to_owned(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|e| SignError::Malformed {
            path: path.to_owned(),
            problem: e.to_string(),
        })
    }

    /// Where the signature of a component's file lies: `helpdesk.wasm.sig`.
    #[must_use]
    pub fn beside(component: &Path) -> PathBuf {
        let mut name = component.as_os_str().to_owned();
        name.push(".sig");
        PathBuf::from(name)
    }

    /// Whether it is true, and of this very package.
    ///
    /// # Errors
    /// [`SignError::OfAnother`], [`SignError::False`]
    pub fn verify(&self, name: &str, version: &Version, sha256: &str) -> Result<(), SignError> {
        let same = self.format == SIGNATURE_FORMAT
            && self.name == name
            && self.version == *version
            && self.sha256 == sha256;
        if !same {
            return Err(SignError::OfAnother {
                signed: format!("{}@{} ({})", self.name, self.version, self.sha256),
                found: format!("{name}@{version} ({sha256})"),
            });
        }
        if self
            .key
            .has_signed(statement(name, version, sha256).as_bytes(), &self.signature)
        {
            Ok(())
        } else {
            Err(SignError::False {
                what: format!("{name}@{version}"),
                key: self.key,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_signature_holds_for_its_package_and_for_no_other() {
        let key = SecretKey::generate();
        let version = Version::new(1, 2, 3);
        let good = key.sign("acme/desk", &version, DIGEST);
        good.verify("acme/desk", &version, DIGEST).expect("true");
        for (name, version, digest) in [
            ("acme/task", version.clone(), DIGEST),
            ("acme/desk", Version::new(1, 2, 4), DIGEST),
            ("acme/desk", version.clone(), &DIGEST.replace('9', "8")),
        ] {
            assert!(matches!(
                good.verify(name, &version, digest),
                Err(SignError::OfAnother { .. })
            ));
            // Said to be of the other package, it is false.
            let forged = Signature {
                name: name.to_owned(),
                version: version.clone(),
                sha256: digest.to_owned(),
                ..good.clone()
            };
            assert!(matches!(
                forged.verify(name, &version, digest),
                Err(SignError::False { .. })
            ));
        }
        let by_another = Signature {
            key: SecretKey::generate().public(),
            ..good
        };
        assert!(by_another.verify("acme/desk", &version, DIGEST).is_err());
    }

    #[test]
    fn a_key_file_is_private_is_never_written_over_and_reads_back() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("publisher.pem");
        let key = SecretKey::generate();
        key.save(&path).expect("saved");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(SecretKey::load(&path).expect("read").public(), key.public());
        assert!(matches!(
            SecretKey::generate().save(&path),
            Err(SignError::KeyExists(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
        assert!(matches!(
            SecretKey::load(&path),
            Err(SignError::KeyIsOpen(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("closed");
        fs::write(&path, "nonsense").expect("written");
        let error = SecretKey::load(&path).expect_err("no key").to_string();
        assert!(error.contains("publisher.pem"), "{error}");
        assert!(!format!("{key:?}").contains("secret_key"));
    }

    #[test]
    fn a_public_key_is_read_as_it_is_written() {
        let key = SecretKey::generate().public();
        assert_eq!(key.to_string().parse::<PublicKey>().expect("read"), key);
        for text in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA"] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }
}
