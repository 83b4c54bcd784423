//! Packages in one file, to be carried to where no registry can be reached: a tar archive.
//!
//! `bundle.json` names the packages in order, with their signatures and descriptions; `<n>.wasm` are their components. Nothing in
//! it is believed that would not be believed of a registry: digests are hashed, signatures checked, rights asked for.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

use crate::registry::{Package, digest};

const FORMAT: &str = "transload-bundle-v1";
const MANIFEST: &str = "bundle.json";
/// The largest component, bytes.
const LARGEST: u64 = 128 << 20;
/// Packages in one bundle.
const MOST: usize = 256;

/// One package of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bundled {
    /// As it was installed.
    pub package: Package,
    /// What it says of itself.
    pub describe: serde_json::Value,
    /// Its component.
    #[serde(skip)]
    pub component: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: String,
    packages: Vec<Bundled>,
}

/// A file that is no bundle, or a damaged one.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not readable.
    #[error("it is no bundle of plugins: {0}")]
    Malformed(String),
    /// The bytes are not those that were exported.
    #[error("{package} in it was changed: its sha-256 is {found}, the bundle says {expected}")]
    Digest {
        /// `name@version`
        package: String,
        /// Hex.
        expected: String,
        /// Hex.
        found: String,
    },
}

fn malformed(e: impl std::fmt::Display) -> BundleError {
    BundleError::Malformed(e.to_string())
}

/// Whether a file's beginning is that of a tar archive.
#[must_use]
pub fn is_bundle(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Writes a bundle: the same packages give the same bytes.
///
/// # Errors
/// [`BundleError::Malformed`] if there are too many.
pub fn write_bundle(packages: &[Bundled]) -> Result<Vec<u8>, BundleError> {
    if packages.is_empty() || packages.len() > MOST {
        return Err(malformed(format!(
            "it would hold {} packages",
            packages.len()
        )));
    }
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        packages: packages.to_vec(),
    };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(malformed)?;
    let mut tar = tar::Builder::new(Vec::new());
    let mut put = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_mode(0o644);
        header.set_mtime(0);
        tar.append_data(&mut header, name, bytes).map_err(malformed)
    };
    put(MANIFEST, &manifest)?;
    for (number, bundled) in packages.iter().enumerate() {
        put(&format!("{number}.wasm"), &bundled.component)?;
    }
    tar.into_inner().map_err(malformed)
}

/// Reads a bundle, and hashes what it holds.
///
/// # Errors
/// [`BundleError`]
pub fn read_bundle(bytes: &[u8]) -> Result<Vec<Bundled>, BundleError> {
    let mut archive = tar::Archive::new(bytes);
    let mut entries = archive.entries().map_err(malformed)?;
    // In the order in which they were written; names are compared, and never become paths.
    let mut next = |name: &str| -> Result<Vec<u8>, BundleError> {
        let mut entry = entries
            .next()
            .ok_or_else(|| malformed(format!("{name} is missing")))?
            .map_err(malformed)?;
        let found = entry.path_bytes().into_owned();
        if found != name.as_bytes() || !entry.header().entry_type().is_file() {
            let found = String::from_utf8_lossy(&found).into_owned();
            return Err(malformed(format!(
                "it has {found:?} where {name} should be"
            )));
        }
        if entry.size() > LARGEST {
            return Err(malformed(format!("{name} is longer than {LARGEST} bytes")));
        }
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).map_err(malformed)?;
        Ok(bytes)
    };
    let manifest: Manifest = serde_json::from_slice(&next(MANIFEST)?).map_err(malformed)?;
    if manifest.format != FORMAT || manifest.packages.len() > MOST {
        return Err(malformed(format!("its format is {:?}", manifest.format)));
    }
    let mut packages = manifest.packages;
    for (number, bundled) in packages.iter_mut().enumerate() {
        bundled.component = next(&format!("{number}.wasm"))?;
        let found = digest(&bundled.component);
        if found != bundled.package.sha256 {
            return Err(BundleError::Digest {
                package: bundled.package.to_string(),
                expected: bundled.package.sha256.clone(),
                found,
            });
        }
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::package;

    fn bundled(name: &str) -> Bundled {
        let component = format!("component of {name}").into_bytes();
        let mut package = package(name, "1.0.0");
        package.sha256 = digest(&component);
        Bundled {
            package,
            describe: serde_json::json!({"name": name}),
            component,
        }
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written_and_always_written_alike() {
        let packages = [bundled("desk"), bundled("acme/task")];
        let bytes = write_bundle(&packages).expect("written");
        assert!(is_bundle(&bytes));
        assert_eq!(read_bundle(&bytes).expect("read"), packages);
        assert_eq!(write_bundle(&packages).expect("written"), bytes);
    }

    #[test]
    fn what_was_changed_cut_or_is_something_else_is_refused() {
        let bytes = write_bundle(&[bundled("desk")]).expect("written");
        let mut changed = bytes.clone();
        let text = b"component of desk";
        let at = bytes
            .windows(text.len())
            .position(|part| part == text)
            .expect("there");
        changed[at] = b'C';
        let error = read_bundle(&changed).expect_err("changed");
        assert!(matches!(error, BundleError::Digest { .. }), "{error}");
        for cut in [0, 100, 512, 1024, at + 5] {
            assert!(read_bundle(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(!is_bundle(b"\0asm"));
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(1);
        tar.append_data(&mut header, "elsewhere", &b"x"[..])
            .expect("appended");
        let other = tar.into_inner().expect("archive");
        assert!(matches!(
            read_bundle(&other),
            Err(BundleError::Malformed(_))
        ));
    }
}
