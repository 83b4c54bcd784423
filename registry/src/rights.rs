//! What a connector wants to be allowed, and what a person has allowed it.
//!
//! A right is a line of text of one class, made by the host from the connector's description. Two rights are the same if their
//! lines are: whatever matters to whoever grants it (a host gets the credential, a request changes something) stands in the line.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RightClass {
    /// The platform's own address.
    Base,
    /// A host beyond it.
    Host,
    /// A credential of the user's, put into requests by the host.
    Credential,
    /// A method and path at the platform.
    Request,
    /// What happens at the platform beyond the records.
    SideEffect,
}

impl fmt::Display for RightClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "platform",
            Self::Host => "host",
            Self::Credential => "credential",
            Self::Request => "request",
            Self::SideEffect => "side effect",
        })
    }
}

/// One thing that a connector may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// What sort.
    pub class: RightClass,
    /// The line that is compared: `*.files.example, without credentials`.
    pub what: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.class, self.what)
    }
}

/// A right that a connector asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// Which.
    #[serde(flatten)]
    pub right: Right,
    /// What for, in the connector's words.
    pub purpose: String,
}

/// What a person allowed a connector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rights(BTreeSet<Right>);

impl Rights {
    /// All that is asked for.
    #[must_use]
    pub fn all_of(wants: &[Want]) -> Self {
        Self(wants.iter().map(|want| want.right.clone()).collect())
    }

    /// Whether this was allowed.
    #[must_use]
    pub fn has(&self, right: &Right) -> bool {
        self.0.contains(right)
    }

    /// Those in order.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }

    /// Nothing was allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is asked for and was not allowed.
    #[must_use]
    pub fn missing<'w>(&self, wants: &'w [Want]) -> Vec<&'w Want> {
        wants.iter().filter(|want| !self.has(&want.right)).collect()
    }

    /// What was allowed and is not asked for any more.
    #[must_use]
    pub fn unused(&self, wants: &[Want]) -> Vec<Right> {
        let wanted = Self::all_of(wants);
        self.0.difference(&wanted.0).cloned().collect()
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        Self(rights.into_iter().collect())
    }
}
