//! Secrets: where they come from and a type that does not print them (rule D-16, invariant I-3).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

/// Text that must not be seen. `Debug` prints nothing of it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes text into custody.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is read, again each time it is needed anew: a new one is taken without a restart (rule M-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file's content without the line end.
    File(PathBuf),
}

/// Why a credential could not be put together. Names, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Neither `env:` nor `file:`.
    #[error("a secret is written as env:NAME or file:PATH")]
    Source,
    /// Not there or not readable.
    #[error("the secret {0} cannot be read")]
    Unreadable(String),
    /// A template names something that the connection does not have.
    #[error("the credential needs {0}, which is not set")]
    Missing(String),
    /// `{` without `}`.
    #[error("a credential's template is malformed")]
    Template,
    /// A line end or other control character, which would break a header.
    #[error("the credential has a control character")]
    Control,
}

impl std::str::FromStr for SecretSource {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.into())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(SecretError::Source),
        }
    }
}

impl SecretSource {
    /// Reads it now; `name` is what it is called where it is missing.
    pub(crate) fn read(&self, name: &str) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Env(variable) => std::env::var(variable).ok(),
            Self::File(path) => std::fs::read_to_string(path).ok(),
        };
        text.map(|t| Secret(t.trim_end_matches(['\r', '\n']).to_owned()))
            .filter(|s| !s.0.is_empty())
            .ok_or_else(|| SecretError::Unreadable(name.to_owned()))
    }
}

/// What templates are filled from.
#[derive(Debug, Clone)]
pub(super) struct Vault {
    pub settings: Value,
    pub secrets: BTreeMap<String, SecretSource>,
}

impl Vault {
    /// Fills `{setting}` and `{secret:name}`.
    pub fn fill(&self, template: &str) -> Result<Secret, SecretError> {
        fill(template, |name| match name.strip_prefix("secret:") {
            Some(secret) => {
                let source = self.secrets.get(secret);
                let source = source.ok_or_else(|| SecretError::Missing(secret.to_owned()))?;
                Ok(source.read(secret)?.0)
            }
            None => setting(&self.settings, name),
        })
        .map(Secret)
    }

    /// Fills `{setting}` only: for URLs.
    pub fn fill_open(&self, template: &str) -> Result<String, SecretError> {
        fill(template, |name| setting(&self.settings, name))
    }
}

fn setting(settings: &Value, name: &str) -> Result<String, SecretError> {
    match settings.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other @ (Value::Number(_) | Value::Bool(_))) => Ok(other.to_string()),
        _ => Err(SecretError::Missing(name.to_owned())),
    }
}

fn fill(
    template: &str,
    value: impl Fn(&str) -> Result<String, SecretError>,
) -> Result<String, SecretError> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(SecretError::Template)?;
        out.push_str(before);
        out.push_str(&value(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
