//! Everything that is installed, looked at again: bytes, signatures, what it says of itself, what it may do, and what the registries
//! say of it by now.

use std::collections::BTreeMap;

use serde::Serialize;
use transload_registry::{Index, Metadata, Package, Registry};

use super::Opened;
use crate::contract::description::Description;
use crate::error::Error;
use crate::gateway::wants;
use crate::sandbox::Sandbox;

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    /// Nothing is wrong.
    pub ok: bool,
    /// Every package.
    pub packages: Vec<Audited>,
    /// Every registry that packages came from.
    pub registries: Vec<AuditedRegistry>,
    /// Folders that hold no whole package.
    pub broken: Vec<String>,
}

/// One package.
#[derive(Debug, Clone, Serialize)]
pub struct Audited {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// sha-256 of the component, as it was installed.
    pub digest: String,
    /// Who signed it; `None` if nobody did.
    pub key: Option<String>,
    /// What is wrong: it is not to be run.
    pub wrong: Vec<String>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// One registry.
#[derive(Debug, Clone, Serialize)]
pub struct AuditedRegistry {
    /// Where.
    pub registry: String,
    /// Number of its index, if it could be read and believed.
    pub number: Option<u64>,
    /// Why not; it was not asked, where neither is there.
    pub wrong: Option<String>,
}

/// Looks at everything. With `online`, the registries are asked first, and what they revoke is remembered.
///
/// # Errors
/// The folder cannot be read.
pub async fn audit(
    registry: &Registry,
    sandbox: &Sandbox,
    online: bool,
    now: i64,
) -> Result<Audit, Error> {
    let (registries, indexes) = ask(registry, online, now).await?;
    let mut packages = vec![];
    for package in registry.list()? {
        packages.push(look(registry, sandbox, &package, &indexes).await?);
    }
    let broken: Vec<String> = registry
        .problems()?
        .iter()
        .map(ToString::to_string)
        .collect();
    Ok(Audit {
        ok: broken.is_empty()
            && packages.iter().all(|of| of.wrong.is_empty())
            && registries.iter().all(|of| of.wrong.is_none()),
        packages,
        registries,
        broken,
    })
}

async fn ask(
    registry: &Registry,
    online: bool,
    now: i64,
) -> Result<(Vec<AuditedRegistry>, BTreeMap<String, Index>), Error> {
    let mut found = vec![];
    let mut indexes = BTreeMap::new();
    let trust = registry.trust()?;
    for address in trust.registries.keys() {
        let opened = match online {
            true => Some(Opened::read(&trust, address, now).await),
            false => None,
        };
        let (number, wrong) = match opened {
            None => (None, None),
            Some(Ok(opened)) => {
                opened.remember(registry, now)?;
                let number = opened.index.number;
                indexes.insert(address.clone(), opened.index);
                (Some(number), None)
            }
            Some(Err(e)) => (None, Some(e.to_string())),
        };
        found.push(AuditedRegistry {
            registry: address.clone(),
            number,
            wrong,
        });
    }
    Ok((found, indexes))
}

async fn look(
    registry: &Registry,
    sandbox: &Sandbox,
    package: &Package,
    indexes: &BTreeMap<String, Index>,
) -> Result<Audited, Error> {
    let (mut wrong, mut notes) = (vec![], vec![]);
    let trust = registry.trust()?;
    if let Err(e) = trust.vet(package) {
        wrong.push(said(&e));
    }
    if package.signature.is_none() {
        notes.push("not signed: only its digest tells whether it is what was installed".to_owned());
    }
    if let Some(revoked) = trust.revoked.get(&package.sha256).filter(|of| of.allowed) {
        notes.push(format!(
            "revoked ({}), and allowed to run all the same: {}",
            revoked.by, revoked.reason
        ));
    }
    match described(registry, sandbox, package).await {
        Ok((description, recorded)) => {
            if recorded
                .is_some_and(|recorded| serde_json::to_value(&description).ok() != Some(recorded))
            {
                wrong.push("it describes itself otherwise than when it was installed".to_owned());
            }
            let granted = trust.of(&package.name).granted;
            let wants = wants(&description);
            for want in granted.missing(&wants) {
                notes.push(format!(
                    "asks for what nobody allowed, and does not get it: {}",
                    want.right
                ));
            }
        }
        Err(e) => wrong.push(e.to_string()),
    }
    if let Some(origin) = &package.origin
        && let Some(index) = indexes.get(origin)
    {
        let same = |of: &&transload_registry::Entry| {
            of.name == package.name && of.version == package.version
        };
        match index.packages.iter().find(same) {
            None => notes.push(format!("{origin} does not have it any more")),
            Some(entry) if entry.sha256 != package.sha256 => {
                wrong.push(format!(
                    "{origin} has other contents under this version (sha-256 {})",
                    entry.sha256
                ));
            }
            Some(entry) => {
                if let Some(mark) = &entry.yanked {
                    notes.push(format!("yanked ({origin}): {}", mark.reason));
                }
            }
        }
    }
    Ok(Audited {
        name: package.name.clone(),
        version: package.version.to_string(),
        digest: package.sha256.clone(),
        key: package.signature.as_ref().map(|of| of.key.to_string()),
        wrong,
        notes,
    })
}

/// Hashes and runs it: what it says of itself now, and what it said.
async fn described(
    registry: &Registry,
    sandbox: &Sandbox,
    package: &Package,
) -> Result<(Description, Option<serde_json::Value>), Error> {
    let bytes = registry.read(package)?;
    let metadata = Metadata::read(&bytes).map_err(transload_registry::RegistryError::from)?;
    metadata
        .agrees(&package.name, &package.version.to_string())
        .map_err(transload_registry::RegistryError::from)?;
    let recorded = registry.described(package)?;
    let plugin = sandbox.load(bytes, &package.sha256).await?;
    Ok((plugin.describe_again().await?, recorded))
}

/// An error with its cause.
fn said(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) if !error.to_string().contains(&source.to_string()) => {
            format!("{error}: {source}")
        }
        _ => error.to_string(),
    }
}
