//! What a user writes to name a package: `zendesk`, `zendesk@^0.1`, `zendesk@0.1.0`, `acme/helpdesk@2`.

use std::fmt;
use std::str::FromStr;

use semver::{Comparator, Op, Version, VersionReq};

/// A package's name and the versions that will do.
///
/// After `@` stands a version requirement as in `Cargo.toml`, where `2` means `^2`. A version with all three numbers is
/// that version and no other, as it is for `cargo install`. Pre-releases are taken only if the requirement names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// `zendesk`, or with its publisher `acme/helpdesk`.
    pub name: String,
    /// What versions will do.
    pub versions: VersionReq,
}

/// Why a text names no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Before the `@`.
    #[error(
        "{0:?} is no package name; names are lower case letters, digits and dashes, a letter first, with at most one `publisher/` before"
    )]
    Name(String),
    /// After the `@`.
    #[error(
        "{text:?} is no version requirement ({reason}); write for instance `{name}@^0.1` or `{name}@0.1.0`"
    )]
    Versions {
        /// The package.
        name: String,
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Spec {
    /// Whether a version will do.
    #[must_use]
    pub fn matches(&self, version: &Version) -> bool {
        self.versions.matches(version)
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (name, versions) = match text.split_once('@') {
            Some((name, versions)) => (name, Some(versions.trim())),
            None => (text, None),
        };
        let name = name.trim();
        check_name(name)?;
        let versions = match versions {
            None => VersionReq::STAR,
            Some(text) => match Version::parse(text) {
                Ok(version) => exactly(&version),
                Err(_) => VersionReq::parse(text).map_err(|e| SpecError::Versions {
                    name: name.to_owned(),
                    text: text.to_owned(),
                    reason: e.to_string(),
                })?,
            },
        };
        Ok(Self {
            name: name.to_owned(),
            versions,
        })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.versions == VersionReq::STAR {
            f.write_str(&self.name)
        } else {
            write!(f, "{}@{}", self.name, self.versions)
        }
    }
}

fn exactly(version: &Version) -> VersionReq {
    VersionReq {
        comparators: vec![Comparator {
            op: Op::Exact,
            major: version.major,
            minor: Some(version.minor),
            patch: Some(version.patch),
            pre: version.pre.clone(),
        }],
    }
}

/// Names become folders, so nothing else passes: no dots, no way up. A letter first keeps names and versions apart.
pub(crate) fn check_name(name: &str) -> Result<(), SpecError> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if name.split('/').count() <= 2 && name.split('/').all(part) {
        Ok(())
    } else {
        Err(SpecError::Name(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(spec: &str, version: &str) -> bool {
        spec.parse::<Spec>()
            .expect(spec)
            .matches(&Version::parse(version).expect(version))
    }

    #[test]
    fn requirements_are_read_as_cargo_reads_them() {
        assert!(matches("a", "7.1.0"));
        assert!(!matches("a", "7.1.0-beta.1"), "pre-releases only if asked");
        assert!(matches("a@^0.1", "0.1.9"));
        assert!(!matches("a@^0.1", "0.2.0"));
        assert!(matches("acme/a@2", "2.9.9"));
        assert!(!matches("acme/a@2", "3.0.0"));
        assert!(matches("a@0.1.0", "0.1.0"));
        assert!(
            !matches("a@0.1.0", "0.1.1"),
            "a whole version is that version"
        );
        assert!(matches("a@1.0.0-rc.1", "1.0.0-rc.1"));
        assert!(!matches("a@1.0.0-rc.1", "1.0.0"));
        assert!(matches("a@^1.0.0-rc.1", "1.0.0-rc.2"));
        assert!(matches("a@>=1, <3", "2.5.0"));
    }

    #[test]
    fn what_is_no_name_or_version_is_refused_with_an_example() {
        for name in ["", "A", "../x", "a/b/c", "1a", "a_b", "a/", ".a"] {
            assert!(
                matches!(name.parse::<Spec>(), Err(SpecError::Name(_))),
                "{name}"
            );
        }
        let error = "a@latest"
            .parse::<Spec>()
            .expect_err("no requirement")
            .to_string();
        assert!(error.contains("a@^0.1"), "{error}");
    }
}
