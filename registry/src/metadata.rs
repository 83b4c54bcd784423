//! What the standard metadata sections of a component say: written when it is built, read when it is installed.

use serde::{Deserialize, Serialize};
use wasm_metadata::{AddMetadata, AddMetadataField, Payload};

/// Who made a component, of what and under which licence; each as the component's own sections say, which nobody vouches for
/// but whoever signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The component's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the component, semver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Names and addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authors: Option<String>,
    /// One sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licenses: Option<String>,
    /// Where its source is, a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The commit it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// Metadata that cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A field that is not in its form.
    #[error("the {field} {value:?} cannot be written into a component: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// As given.
        value: String,
        /// What is wrong.
        problem: String,
    },
    /// Sections that are damaged.
    #[error("its metadata sections cannot be read: {0}")]
    Unreadable(String),
    /// Sections that contradict the component's own description.
    #[error(
        "its metadata section says {field} {section:?}, its description {described:?}; build it anew so that both agree"
    )]
    Contradiction {
        /// `name` or `version`.
        field: &'static str,
        /// As the section says.
        section: String,
        /// As `describe` says.
        described: String,
    },
}

impl Metadata {
    /// Reads a component's sections. What is not there is `None`.
    ///
    /// # Errors
    /// [`MetadataError::Unreadable`]
    pub fn read(component: &[u8]) -> Result<Self, MetadataError> {
        let payload = Payload::from_binary(component)
            .map_err(|e| MetadataError::Unreadable(format!("{e:#}")))?;
        let of = payload.metadata();
        let text = |value: Option<String>| value.filter(|text| !text.is_empty());
        Ok(Self {
            name: text(of.name.clone()),
            version: text(of.version.as_ref().map(ToString::to_string)),
            authors: text(of.authors.as_ref().map(ToString::to_string)),
            description: text(of.description.as_ref().map(ToString::to_string)),
            licenses: text(of.licenses.as_ref().map(ToString::to_string)),
            source: text(of.source.as_ref().map(ToString::to_string)),
            revision: text(of.revision.as_ref().map(ToString::to_string)),
        })
    }

    /// The component with these sections; those that are `None` stay as they are.
    ///
    /// # Errors
    /// [`MetadataError::Field`]
    pub fn write(&self, component: &[u8]) -> Result<Vec<u8>, MetadataError> {
        let mut add = AddMetadata::default();
        if let Some(name) = &self.name {
            add.name = AddMetadataField::Set(name.clone());
        }
        macro_rules! set {
            ($field:ident, $name:literal, $make:expr) => {
                if let Some(text) = &self.$field {
                    let made = $make(text.clone()).map_err(|e| MetadataError::Field {
                        field: $name,
                        value: text.clone(),
                        problem: format!("{e:#}"),
                    })?;
                    add.$field = AddMetadataField::Set(made);
                }
            };
        }
        // The types check the licence's and the URL's form.
        set!(authors, "authors", |t: String| plain(
            wasm_metadata::Authors::new(t)
        ));
        set!(description, "description", |t: String| plain(
            wasm_metadata::Description::new(t)
        ));
        set!(version, "version", |t: String| plain(
            wasm_metadata::Version::new(t)
        ));
        set!(revision, "revision", |t: String| plain(
            wasm_metadata::Revision::new(t)
        ));
        set!(licenses, "licence", |t: String| {
            wasm_metadata::Licenses::new(&t)
        });
        set!(source, "source", |t: String| wasm_metadata::Source::new(&t));
        add.to_wasm(component)
            .map_err(|e| MetadataError::Unreadable(format!("{e:#}")))
    }

    /// Whether name and version, where the sections have them, are those of the description. A publisher's part of the name is
    /// the description's alone.
    ///
    /// # Errors
    /// [`MetadataError::Contradiction`]
    pub fn agrees(&self, name: &str, version: &str) -> Result<(), MetadataError> {
        let bare = name.rsplit('/').next().unwrap_or(name);
        let differs = |field, section: &Option<String>, described: &[&str]| match section {
            Some(section) if !described.contains(&section.as_str()) => {
                Err(MetadataError::Contradiction {
                    field,
                    section: section.clone(),
                    described: described.first().copied().unwrap_or_default().to_owned(),
                })
            }
            _ => Ok(()),
        };
        differs("name", &self.name, &[name, bare])?;
        differs("version", &self.version, &[version])
    }
}

fn plain<T>(value: T) -> Result<T, std::convert::Infallible> {
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_at_build_is_read_at_install_and_the_component_stays_one() {
        let bytes = wat::parse_str(
            r#"(component (instance $i) (export "transload:connector/source@0.1.0" (instance $i)))"#,
        )
        .expect("component");
        let metadata = Metadata {
            name: Some("desk".into()),
            version: Some("0.1.3".into()),
            authors: Some("Ann <ann@acme.example>".into()),
            description: Some("Reads a desk.".into()),
            licenses: Some("Apache-2.0 OR MIT".into()),
            source: Some("https://acme.example/desk".into()),
            revision: Some("0123abc".into()),
        };
        let written = metadata.write(&bytes).expect("written");
        assert_eq!(Metadata::read(&written).expect("read"), metadata);
        assert_eq!(
            crate::outline(&written).expect("still a connector"),
            crate::outline(&bytes).expect("a connector")
        );
        metadata.agrees("desk", "0.1.3").expect("the same");
        metadata
            .agrees("acme/desk", "0.1.3")
            .expect("the publisher is the description's");
        assert!(metadata.agrees("desk", "0.1.4").is_err());
        assert!(metadata.agrees("task", "0.1.3").is_err());
        let nothing = Metadata::read(&bytes).expect("read");
        assert_eq!(nothing.version, None);
    }

    #[test]
    fn what_is_no_licence_or_no_address_is_refused_by_name() {
        let bytes = wat::parse_str("(component)").expect("component");
        let wrong = Metadata {
            licenses: Some("do what you like".into()),
            ..Metadata::default()
        };
        assert!(matches!(
            wrong.write(&bytes),
            Err(MetadataError::Field {
                field: "licence",
                ..
            })
        ));
        let wrong = Metadata {
            source: Some("not a url".into()),
            ..Metadata::default()
        };
        assert!(matches!(
            wrong.write(&bytes),
            Err(MetadataError::Field {
                field: "source",
                ..
            })
        ));
    }
}
