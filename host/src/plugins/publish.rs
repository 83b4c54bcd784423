//! Publishing: a version is signed, held against the one before it in its semver series, and put into a registry's index; and the
//! index's other changes.

use semver::Version;
use transload_registry::{
    Entry, Index, IndexError, Mark, PublicKey, Registry, Remote, SecretKey, contract_breaks,
    settings_break,
};

use super::Candidate;
use crate::contract::description::Description;
use crate::error::Error;
use crate::gateway::wants;
use crate::kinds;

/// Who publishes, and for how long the index is good.
#[derive(Debug)]
pub struct Signers<'k> {
    /// The publisher's: signs packages.
    pub publisher: &'k SecretKey,
    /// The registry's: signs its index. Often the same.
    pub registry: &'k SecretKey,
    /// How long the index is good, ms.
    pub lifetime: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Published {
    /// Where, in one form.
    pub registry: String,
    /// What was changed; `None` if the index was only renewed.
    pub package: Option<String>,
    /// Of the component, hex.
    pub digest: Option<String>,
    /// Of the index.
    pub number: u64,
    /// Till when it is good, ms since 1970.
    pub expires_at: i64,
    /// Nothing had to be done.
    pub already: bool,
    /// The version it was held against.
    pub follows: Option<String>,
}

/// What may be changed about an index without a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing but its number and its end.
    Renew,
    /// Not for new installations.
    Yank(String, Version, String),
    /// For new installations again.
    Unyank(String, Version),
    /// Nobody is to run it.
    Revoke(String, Version, String),
    /// Somebody else may sign the next index.
    Allow(PublicKey),
    /// Somebody may not any more.
    Disallow(PublicKey),
}

/// An index on its way to become the next one.
struct Draft {
    remote: Remote,
    index: Index,
    before: Option<Vec<u8>>,
}

impl Draft {
    async fn read(
        registry: &Registry,
        address: &str,
        first: Option<PublicKey>,
    ) -> Result<Self, Error> {
        let remote = Remote::open(address)?;
        let trust = registry.trust()?;
        let known = trust.registries.get(remote.address());
        let before = remote.index().await?;
        let index = match (&before, known, first) {
            (Some(bytes), known, _) => Index::open_to_change(remote.address(), bytes, known)?,
            (None, Some(known), _) => {
                return Err(IndexError::Rollback {
                    registry: remote.address().to_owned(),
                    found: 0,
                    seen: known.number,
                }
                .into());
            }
            (None, None, Some(key)) => Index::first(key),
            (None, None, None) => {
                return Err(
                    transload_registry::RemoteError::Empty(remote.address().to_owned()).into(),
                );
            }
        };
        Ok(Self {
            remote,
            index,
            before,
        })
    }

    /// Signs it, puts it there, and remembers it.
    async fn finish(
        mut self,
        registry: &Registry,
        signers: &Signers<'_>,
        now: i64,
    ) -> Result<Published, Error> {
        let bytes = self.index.seal(signers.registry, now, signers.lifetime)?;
        self.remote
            .put_index(&bytes, self.before.as_deref())
            .await?;
        registry.change_trust(|trust| {
            trust.remember(self.remote.address(), &bytes, &self.index, now);
            Ok::<_, Error>(())
        })?;
        Ok(Published {
            registry: self.remote.address().to_owned(),
            package: None,
            digest: None,
            number: self.index.number,
            expires_at: self.index.expires_at,
            already: false,
            follows: None,
        })
    }
}

/// Publishes a component. The first one makes the registry; whoever signs its index then, signs it from then on.
///
/// # Errors
/// `plugin-breaks` if it is no successor within its series; a name that is somebody else's; a version that is there with other
/// bytes; a registry that cannot be used.
pub async fn publish(
    registry: &Registry,
    address: &str,
    candidate: Candidate,
    conformance: Option<Vec<u8>>,
    signers: &Signers<'_>,
    now: i64,
) -> Result<Published, Error> {
    let name = candidate.description.name.clone();
    let mut draft = Draft::read(registry, address, Some(signers.registry.public())).await?;
    let before = draft.index.before(&name, &candidate.version).cloned();
    if let Some(before) = &before {
        let old = draft.remote.component(before).await?;
        let breaks = breaks(&old, before, &candidate);
        if !breaks.is_empty() {
            let next = next_series(&candidate.version);
            let list: Vec<String> = breaks.iter().map(|of| format!("\n  {of}")).collect();
            let text = format!(
                "{name}@{} does not follow {}:{}",
                candidate.version,
                before.package(),
                list.concat()
            );
            return Err(Error::input("plugin-breaks", text).with_hint(format!(
                "whoever asks for ^{} would get it without being asked; give it version {next}, or leave that as it was",
                before.version
            )));
        }
    }
    let entry = Entry {
        signature: signers
            .publisher
            .sign(&name, &candidate.version, &candidate.sha256),
        role: candidate.role,
        title: candidate.description.title.clone(),
        contract: transload_registry::outline(&candidate.component)
            .map_err(transload_registry::RegistryError::from)?
            .contract,
        sha256: candidate.sha256.clone(),
        size: u64::try_from(candidate.component.len()).unwrap_or(u64::MAX),
        metadata: candidate.metadata.clone(),
        describe: candidate.describe.clone(),
        conformance: conformance.as_deref().map(crate::sandbox::digest),
        yanked: None,
        revoked: None,
        version: candidate.version.clone(),
        name,
    };
    let package = Some(entry.package());
    let digest = Some(entry.sha256.clone());
    match draft.index.add(entry.clone()) {
        Ok(()) => {}
        Err(IndexError::AlreadyThere { same: true, .. }) => {
            return Ok(Published {
                registry: draft.remote.address().to_owned(),
                package,
                digest,
                number: draft.index.number,
                expires_at: draft.index.expires_at,
                already: true,
                follows: None,
            });
        }
        Err(e) => return Err(e.into()),
    }
    // Whoever may not sign must not leave bytes there.
    if !draft.index.keys.contains(&signers.registry.public()) {
        return Err(IndexError::MayNotSign {
            key: signers.registry.public(),
            may: draft.index.keys.clone(),
        }
        .into());
    }
    draft
        .remote
        .put(&entry, &candidate.component, conformance.as_deref())
        .await?;
    let published = draft.finish(registry, signers, now).await?;
    Ok(Published {
        package,
        digest,
        follows: before.map(|of| of.package()),
        ..published
    })
}

/// Changes an index otherwise.
///
/// # Errors
/// A version that is not there, a name that is somebody else's; a registry that cannot be used.
pub async fn change(
    registry: &Registry,
    address: &str,
    change: Change,
    signers: &Signers<'_>,
    now: i64,
) -> Result<Published, Error> {
    let mut draft = Draft::read(registry, address, None).await?;
    let at = draft.remote.address().to_owned();
    let key = signers.publisher.public();
    let mark = |reason: &str| {
        Some(Mark {
            at: now,
            reason: reason.to_owned(),
        })
    };
    let package = match &change {
        Change::Renew => None,
        Change::Yank(name, version, reason) => {
            let entry = draft.index.entry_of(&at, name, version, key)?;
            entry.yanked = mark(reason);
            Some(entry.package())
        }
        Change::Unyank(name, version) => {
            let entry = draft.index.entry_of(&at, name, version, key)?;
            entry.yanked = None;
            Some(entry.package())
        }
        Change::Revoke(name, version, reason) => {
            let entry = draft.index.entry_of(&at, name, version, key)?;
            entry.revoked = mark(reason);
            Some(entry.package())
        }
        Change::Allow(key) => {
            if !draft.index.keys.contains(key) {
                draft.index.keys.push(*key);
            }
            None
        }
        Change::Disallow(key) => {
            if *key == signers.registry.public() {
                return Err(Error::input(
                    "registry-key",
                    "a key cannot sign that it may not sign any more",
                )
                .with_hint("sign with another key that may"));
            }
            draft.index.keys.retain(|of| of != key);
            None
        }
    };
    let published = draft.finish(registry, signers, now).await?;
    Ok(Published {
        package,
        ..published
    })
}

/// What whoever has the published version would miss in the new one, or be given without being asked.
fn breaks(old: &[u8], before: &Entry, new: &Candidate) -> Vec<String> {
    let mut breaks: Vec<String> = contract_breaks(old, &new.component)
        .map(|why| format!("contract: {why}"))
        .into_iter()
        .collect();
    let description = match serde_json::from_value::<Description>(before.describe.clone()) {
        Ok(description) => description,
        Err(e) => {
            breaks.push(format!(
                "description: that of {} cannot be read ({e})",
                before.package()
            ));
            return breaks;
        }
    };
    breaks.extend(described_breaks(&description, &new.description));
    breaks
}

fn described_breaks(old: &Description, new: &Description) -> Vec<String> {
    let mut breaks = vec![];
    if old.role != new.role {
        breaks.push("role: it reads where it wrote, or the other way round".to_owned());
    }
    let schema = |text: &str| serde_json::from_str(text).unwrap_or_default();
    let settings = settings_break(&schema(&old.config_schema), &schema(&new.config_schema));
    breaks.extend(settings.into_iter().map(|of| format!("settings: {of}")));
    for gone in old
        .auth
        .iter()
        .filter(|of| new.auth.iter().all(|is| is.name != of.name))
    {
        breaks.push(format!(
            "settings: `auth = \"{}\"` is not known any more",
            gone.name
        ));
    }
    if old.auth.first().map(|of| &of.name) != new.auth.first().map(|of| &of.name) {
        breaks.push(
            "settings: another way to authenticate is the first, which counts where none is named"
                .to_owned(),
        );
    }
    let granted = transload_registry::Rights::all_of(&wants(old));
    for want in granted.missing(&wants(new)) {
        breaks.push(format!("grants: it asks for more: {}", want.right));
    }
    for was in &old.kinds {
        let kind = kinds::name(&was.kind);
        match new.kinds.iter().find(|is| is.kind == was.kind) {
            None => breaks.push(format!("records: {kind} is not taken any more")),
            Some(is) if was.can_create && !is.can_create => {
                breaks.push(format!("records: {kind} is not made any more"))
            }
            Some(is) if was.can_delete && !is.can_delete => {
                breaks.push(format!("records: {kind} cannot be taken back any more"));
            }
            Some(_) => {}
        }
    }
    breaks
}

/// The first version that `^version` does not take.
fn next_series(version: &Version) -> Version {
    match (version.major, version.minor) {
        (0, 0) => Version::new(0, 0, version.patch + 1),
        (0, minor) => Version::new(0, minor + 1, 0),
        (major, _) => Version::new(major + 1, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::description;

    #[test]
    fn more_rights_less_records_and_lost_settings_break_a_series() {
        let old = description("acme-desk");
        assert_eq!(described_breaks(&old, &old), Vec::<String>::new());
        let mut new = old.clone();
        new.hosts[0].pattern = "*.elsewhere.example".into();
        new.kinds.clear();
        new.auth.remove(0);
        new.config_schema = new.config_schema.replace("\"page_size\"", "\"size\"");
        insta::assert_snapshot!(described_breaks(&old, &new).join("\n"));
    }

    #[test]
    fn less_rights_and_more_settings_break_nothing() {
        let old = description("acme-desk");
        let mut new = old.clone();
        new.hosts.clear();
        new.requests.clear();
        new.config_schema = new.config_schema.replace(
            "\"page_size\"",
            "\"more\":{\"type\":\"string\"},\"page_size\"",
        );
        assert_eq!(described_breaks(&old, &new), Vec::<String>::new());
    }

    #[test]
    fn the_next_series_is_the_first_that_a_caret_does_not_take() {
        let next = |text: &str| next_series(&Version::parse(text).unwrap()).to_string();
        assert_eq!(next("0.0.3"), "0.0.4");
        assert_eq!(next("0.1.9"), "0.2.0");
        assert_eq!(next("1.4.2"), "2.0.0");
    }
}
