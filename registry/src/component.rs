//! What a component says of itself in its own imports and exports, read without compiling or running anything.
//!
//! A component names the version of the contract it was built for in every interface it imports or exports
//! (`transload:connector/source@0.1.0`), so the version is known in microseconds and before a single instruction of the
//! component runs. Whether a host can serve that version is the host's to decide, not this module's.

use semver::Version;
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

/// The package that holds the contract.
pub const CONTRACT_PACKAGE: &str = "transload:connector";

/// Which side of a migration a connector serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads a platform.
    Source,
    /// Writes a platform.
    Destination,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// What the outside of a component shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The version of the contract it was built for.
    pub contract: Version,
    /// By its exports.
    pub role: Role,
    /// Every import, as written: `transload:connector/http@0.1.0`.
    pub imports: Vec<String>,
    /// Every export, as written.
    pub exports: Vec<String>,
}

impl Outline {
    /// Imports that are not part of the contract: nothing serves them.
    pub fn foreign_imports(&self) -> impl Iterator<Item = &str> {
        self.imports
            .iter()
            .map(String::as_str)
            .filter(|name| contract_interface(name).is_none())
    }
}

/// Why a file is no connector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutlineError {
    /// Cut, damaged, or something else altogether.
    #[error("not a readable WebAssembly component: {0}")]
    Corrupt(String),
    /// A module that was never made into a component.
    #[error(
        "a core WebAssembly module, not a component; make it one first (`transload plugin build`)"
    )]
    CoreModule,
    /// Imports and exports nothing of ours.
    #[error(
        "no connector: neither imports nor exports name the contract `{CONTRACT_PACKAGE}` with a version"
    )]
    NoContract,
    /// Parts were built for different contracts.
    #[error(
        "built for two versions of the contract at once, {0} and {1}; build all its parts for one"
    )]
    TwoContracts(Version, Version),
    /// Both or neither of `source` and `destination` are exported.
    #[error("exports {0} of `source` and `destination`; a connector exports one of them")]
    Role(&'static str),
}

/// Reads imports and exports of a component.
///
/// # Errors
/// [`OutlineError`] if the bytes are no component or not built for the contract.
pub fn outline(bytes: &[u8]) -> Result<Outline, OutlineError> {
    if Parser::is_core_wasm(bytes) {
        return Err(OutlineError::CoreModule);
    }
    let corrupt = |e: wasmparser::BinaryReaderError| OutlineError::Corrupt(e.to_string());
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    // Components and modules nest; only the names of the outermost are the component's own.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(corrupt)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(corrupt)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(corrupt)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }

    let mut contract: Option<Version> = None;
    for (_, version) in imports
        .iter()
        .chain(&exports)
        .filter_map(|name| contract_interface(name))
    {
        match &contract {
            None => contract = Some(version),
            Some(first) if *first != version => {
                return Err(OutlineError::TwoContracts(first.clone(), version));
            }
            Some(_) => {}
        }
    }
    let contract = contract.ok_or(OutlineError::NoContract)?;
    let has = |wanted: &str| {
        exports
            .iter()
            .filter_map(|name| contract_interface(name))
            .any(|(name, _)| name == wanted)
    };
    let role = match (has("source"), has("destination")) {
        (true, false) => Role::Source,
        (false, true) => Role::Destination,
        (true, true) => return Err(OutlineError::Role("both")),
        (false, false) => return Err(OutlineError::Role("neither")),
    };
    Ok(Outline {
        contract,
        role,
        imports,
        exports,
    })
}

/// `transload:connector/http@0.1.0` → (`http`, 0.1.0); `None` for anything that is not ours.
fn contract_interface(name: &str) -> Option<(&str, Version)> {
    let (interface, version) = name
        .strip_prefix(CONTRACT_PACKAGE)?
        .strip_prefix('/')?
        .split_once('@')?;
    Some((interface, Version::parse(version).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("test component")
    }

    /// An instance export needs an instance: an empty one will do.
    fn exporting(names: &[&str]) -> Vec<u8> {
        let exports: String = names
            .iter()
            .map(|n| format!("(export \"{n}\" (instance $i))"))
            .collect();
        component(&format!("(component (instance $i) {exports})"))
    }

    #[test]
    fn contract_and_role_come_from_the_names_at_the_outside() {
        let found = outline(&component(
            r#"(component
                (import "transload:connector/http@0.1.0" (instance))
                (component (import "wasi:clocks/wall-clock@0.2.0" (instance)))
                (core module)
                (instance $i)
                (export "transload:connector/source@0.1.0" (instance $i)))"#,
        ))
        .expect("outline");
        assert_eq!(found.contract, Version::new(0, 1, 0));
        assert_eq!(found.role, Role::Source);
        assert_eq!(found.imports, ["transload:connector/http@0.1.0"]);
        assert_eq!(
            found.foreign_imports().count(),
            0,
            "the nested component's import is its own"
        );
    }

    #[test]
    fn imports_of_other_packages_are_seen() {
        let found = outline(&component(
            r#"(component
                (import "wasi:clocks/wall-clock@0.2.0" (instance))
                (instance $i)
                (export "transload:connector/destination@0.3.1" (instance $i)))"#,
        ))
        .expect("outline");
        assert_eq!(found.contract, Version::new(0, 3, 1));
        assert_eq!(
            found.foreign_imports().collect::<Vec<_>>(),
            ["wasi:clocks/wall-clock@0.2.0"]
        );
    }

    #[test]
    fn what_is_no_connector_is_told_apart() {
        assert_eq!(
            outline(&component("(module)")),
            Err(OutlineError::CoreModule)
        );
        assert_eq!(
            outline(&component("(component)")),
            Err(OutlineError::NoContract)
        );
        assert!(matches!(
            outline(b"not wasm at all"),
            Err(OutlineError::Corrupt(_))
        ));
        let whole = exporting(&["transload:connector/source@0.1.0"]);
        assert!(matches!(
            outline(&whole[..whole.len() - 5]),
            Err(OutlineError::Corrupt(_))
        ));
        assert_eq!(
            outline(&exporting(&["transload:connector/connector@0.1.0"])),
            Err(OutlineError::Role("neither"))
        );
        assert_eq!(
            outline(&exporting(&[
                "transload:connector/source@0.1.0",
                "transload:connector/destination@0.1.0"
            ])),
            Err(OutlineError::Role("both"))
        );
        assert_eq!(
            outline(&exporting(&[
                "transload:connector/source@0.1.0",
                "transload:connector/connector@0.2.0"
            ])),
            Err(OutlineError::TwoContracts(
                Version::new(0, 1, 0),
                Version::new(0, 2, 0)
            ))
        );
    }
}
