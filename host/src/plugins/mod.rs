//! Connectors on their way in and out: looked at, offered to a person, installed with what that person allowed, locked, published,
//! audited; and what a long-lived host sees of all that.
//!
//! Policy: nothing runs that nobody accepted. A component is hashed, its signature held against the key that its name is pinned
//! to, its sections against its description, before it is installed, and digest, signature and revocation again whenever it is
//! loaded. What it may do is what it asks for *and* what was granted to its name.
//!
//! Knows the sandbox, to ask a component what it is, and no pipeline.

pub mod audit;
pub mod catalog;
mod errors;
pub mod lock;
pub mod publish;

use semver::Version;
use transload_registry::{
    Bundled, Entry, Index, IndexError, KnownRegistry, Metadata, NewPackage, Package, Registry,
    RegistryError, Remote, Right, Rights, Role, Signature, Spec, Standing, Trust, Want, outline,
};

use crate::contract::description::Description;
use crate::error::Error;
use crate::gateway::wants;
use crate::sandbox::{Plugin, Sandbox, SandboxError, digest};

/// Loads what is installed, its digest checked now.
///
/// # Errors
/// `plugin-changed` if it is not what was installed; a component that does not load.
pub async fn load(
    registry: &Registry,
    sandbox: &Sandbox,
    package: &Package,
) -> Result<Plugin, Error> {
    let path = registry.component_path(package);
    match sandbox.load_file(&path, &package.sha256).await {
        Err(SandboxError::Digest { expected, found }) => Err(RegistryError::Digest {
            path,
            expected,
            found,
        }
        .into()),
        loaded => Ok(loaded?),
    }
}

/// A component somebody wants to install, looked at: it ran once, to describe itself.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its bytes.
    pub component: Vec<u8>,
    /// Their sha-256, hex.
    pub sha256: String,
    /// Source or destination.
    pub role: Role,
    /// What it says of itself.
    pub description: Description,
    /// The same, as it is recorded.
    pub describe: serde_json::Value,
    /// Its version.
    pub version: Version,
    /// From its sections.
    pub metadata: Metadata,
    /// Its publisher's.
    pub signature: Option<Signature>,
    /// The registry it comes from.
    pub origin: Option<String>,
}

impl Candidate {
    /// Looks at a component.
    ///
    /// # Errors
    /// No connector, one that does not run, sections or a recorded description that contradict it.
    pub async fn look(
        sandbox: &Sandbox,
        component: Vec<u8>,
        signature: Option<Signature>,
    ) -> Result<Self, Error> {
        let sha256 = digest(&component);
        let role = outline(&component).map_err(RegistryError::from)?.role;
        let metadata = Metadata::read(&component).map_err(RegistryError::from)?;
        let plugin = sandbox.load(component.clone(), &sha256).await?;
        let description = plugin.description().clone();
        let describe = serde_json::to_value(&description)?;
        let version = description.version.parse().map_err(|e: semver::Error| {
            let text = format!(
                "the plugin's version \"{}\" is no version",
                description.version
            );
            Error::input("plugin-version", text).with_source(e)
        })?;
        metadata
            .agrees(&description.name, &description.version)
            .map_err(RegistryError::from)?;
        Ok(Self {
            component,
            sha256,
            role,
            description,
            describe,
            version,
            metadata,
            signature,
            origin: None,
        })
    }

    /// One package of a bundle.
    ///
    /// # Errors
    /// As [`Candidate::look`].
    pub async fn unpack(sandbox: &Sandbox, bundled: Bundled) -> Result<Self, Error> {
        let package = bundled.package;
        let candidate = Self::look(sandbox, bundled.component, package.signature.clone())
            .await
            .map_err(|e| e.about(&package))?;
        Self {
            origin: package.origin.clone(),
            ..candidate
        }
        .is(&package.name, &package.version, &bundled.describe)
    }

    /// A version of a registry, by its index.
    ///
    /// # Errors
    /// As [`Candidate::look`]; a registry that cannot be reached or gives something else.
    pub async fn fetch(sandbox: &Sandbox, remote: &Remote, entry: &Entry) -> Result<Self, Error> {
        let component = remote.component(entry).await?;
        let candidate = Self::look(sandbox, component, Some(entry.signature.clone()))
            .await
            .map_err(|e| e.about(entry.package()))?;
        Self {
            origin: Some(remote.address().to_owned()),
            ..candidate
        }
        .is(&entry.name, &entry.version, &entry.describe)
    }

    /// It is what somebody said it is.
    fn is(
        self,
        name: &str,
        version: &Version,
        describe: &serde_json::Value,
    ) -> Result<Self, Error> {
        let said = format!("{name}@{version}");
        let found = format!("{}@{}", self.description.name, self.version);
        let problem = match (said == found, *describe == self.describe) {
            (false, _) => format!("{said} says of itself that it is {found}"),
            (true, false) => {
                format!("{said} describes itself otherwise than where it comes from says")
            }
            (true, true) => return Ok(self),
        };
        Err(Error::input("plugin-description", problem)
            .with_hint("do not install it; tell whoever keeps the registry or made the bundle"))
    }
}

/// A candidate, and what installing it would mean.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What would be installed.
    pub candidate: Candidate,
    /// How its signature stands.
    pub standing: Standing,
    /// All that it asks for.
    pub wants: Vec<Want>,
    /// What of it was not allowed to this name yet.
    pub missing: Vec<Want>,
    /// What was allowed to this name, and it does not ask for.
    pub unused: Vec<Right>,
    /// Nothing was ever granted to this name.
    pub first: bool,
}

impl Offer {
    /// Holds a candidate against what is trusted and allowed.
    ///
    /// # Errors
    /// A false signature, one of another key, none where there should be one, a revoked component.
    pub fn of(trust: &Trust, candidate: Candidate) -> Result<Self, Error> {
        let name = &candidate.description.name;
        let signature = candidate.signature.as_ref();
        let standing = trust.standing(name, &candidate.version, &candidate.sha256, signature)?;
        let wants = wants(&candidate.description);
        let known = trust.of(name);
        let missing = known.granted.missing(&wants).into_iter().cloned().collect();
        Ok(Self {
            unused: known.granted.unused(&wants),
            first: known.granted_at.is_none(),
            candidate,
            standing,
            wants,
            missing,
        })
    }

    /// Whether a person must say yes: to a key, to none, or to more rights than before.
    #[must_use]
    pub fn asks(&self) -> bool {
        !self.missing.is_empty()
            || !matches!(
                self.standing,
                Standing::Pinned(_) | Standing::AcceptedUnsigned
            )
    }

    /// Whether nobody signed it, and nobody has taken it so before.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.standing == Standing::Unsigned
    }

    /// Installs it, with all it asks for granted. What was granted to earlier versions stays: a run that began with one of them
    /// goes on with it.
    ///
    /// # Errors
    /// What changed since the offer was made; the folder's errors.
    pub fn install(self, registry: &Registry, now: i64) -> Result<Package, Error> {
        let candidate = self.candidate;
        let name = candidate.description.name.clone();
        let signature = candidate.signature.as_ref();
        // What it may do is written down first: whoever sees the package sees that too.
        let before = registry.change_trust(|trust| {
            let standing =
                trust.standing(&name, &candidate.version, &candidate.sha256, signature)?;
            if standing != self.standing {
                let text = format!("somebody else installed {name} meanwhile");
                return Err(Error::environment("plugin-raced", text)
                    .with_hint("give the same command again"));
            }
            let before = trust.plugins.get(&name).cloned();
            let granted = before.iter().flat_map(|of| of.granted.iter());
            let granted = granted
                .chain(Rights::all_of(&self.wants).iter())
                .cloned()
                .collect();
            trust.accept(&name, &candidate.sha256, signature, granted, now);
            Ok(before)
        })?;
        let new = NewPackage {
            name: name.clone(),
            version: candidate.version.clone(),
            title: candidate.description.title.clone(),
            signature: candidate.signature.clone(),
            describe: candidate.describe.clone(),
            origin: candidate.origin.clone(),
        };
        registry.add(&candidate.component, new).map_err(|error| {
            let undone = registry.change_trust(|trust| {
                match before {
                    Some(before) => trust.plugins.insert(name, before),
                    None => trust.plugins.remove(&name),
                };
                Ok::<_, RegistryError>(())
            });
            // The first error is the one to tell; more rights than needed stay at worst, for nothing.
            if let Err(e) = undone {
                tracing::warn!(error = %e, "what was granted could not be taken back");
            }
            error.into()
        })
    }
}

/// Accepts an installed package as it is, with these rights and no others; `though_revoked` also if its publisher took it back.
///
/// # Errors
/// What the signature says; the folder's errors.
pub fn grant(
    registry: &Registry,
    package: &Package,
    rights: Rights,
    though_revoked: bool,
    now: i64,
) -> Result<(), Error> {
    let (name, sha256) = (&package.name, &package.sha256);
    let signature = package.signature.as_ref();
    registry.change_trust(|trust| {
        if though_revoked && let Some(revoked) = trust.revoked.get_mut(sha256) {
            revoked.allowed = true;
        }
        trust.standing(name, &package.version, sha256, signature)?;
        trust.accept(name, sha256, signature, rights, now);
        Ok(())
    })
}

/// Installs a component with all it asks for granted and no questions: for programs that set themselves up, and tests.
///
/// # Errors
/// As [`Candidate::look`] and [`Offer::of`].
pub async fn install_as_it_is(
    registry: &Registry,
    sandbox: &Sandbox,
    component: Vec<u8>,
    signature: Option<Signature>,
    now: i64,
) -> Result<Package, Error> {
    let candidate = Candidate::look(sandbox, component, signature).await?;
    Offer::of(&registry.trust()?, candidate)?.install(registry, now)
}

/// A registry whose index was read and is believed.
#[derive(Debug)]
pub struct Opened {
    /// Where.
    pub remote: Remote,
    /// What it has.
    pub index: Index,
    /// As it was read.
    bytes: Vec<u8>,
    /// Whether its keys were known; if not, a person must say yes to them.
    pub known: bool,
}

impl Opened {
    /// Reads a registry's index, and holds it against what was seen of it before.
    ///
    /// # Errors
    /// Unreachable, empty, or an index that is not to be believed.
    pub async fn read(trust: &Trust, address: &str, now: i64) -> Result<Self, Error> {
        let remote = Remote::open(address)?;
        let known: Option<&KnownRegistry> = trust.registries.get(remote.address());
        let bytes = remote.index().await?.ok_or_else(|| match known {
            // There was one.
            Some(known) => Error::from(IndexError::Rollback {
                registry: remote.address().to_owned(),
                found: 0,
                seen: known.number,
            }),
            None => transload_registry::RemoteError::Empty(remote.address().to_owned()).into(),
        })?;
        let index = Index::open(remote.address(), &bytes, known, now)?;
        Ok(Self {
            known: known.is_some(),
            remote,
            index,
            bytes,
        })
    }

    /// Remembers its keys and number, and what it revokes. Returns what was not known to be revoked.
    ///
    /// # Errors
    /// The folder's.
    pub fn remember(&self, registry: &Registry, now: i64) -> Result<Vec<String>, Error> {
        registry.change_trust(|trust| {
            Ok(trust.remember(self.remote.address(), &self.bytes, &self.index, now))
        })
    }

    /// The version that a request means.
    ///
    /// # Errors
    /// None there, or withdrawn.
    pub fn resolve(&self, request: &str) -> Result<&Entry, Error> {
        let spec: Spec = request.parse().map_err(RegistryError::from)?;
        Ok(self.index.resolve(self.remote.address(), &spec)?)
    }
}
