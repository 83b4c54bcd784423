//! The crate's error: what went wrong, under a code that never changes, what to do about it, and the exit code it means.
//!
//! A message names the file, setting or record concerned and holds neither a secret nor the content of a record. Modules with
//! errors of their own convert them here (`impl From<TheirError> for Error`), choosing one of three classes by who has to act:
//! [`Error::input`] the user's files and arguments, [`Error::environment`] the machine, the network, the store,
//! [`Error::failed`] the migration itself. Nothing here decides about retrying.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::ConfigError;

/// What a source may be.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Exit code: done, and the sum holds.
pub const EXIT_OK: u8 = 0;
/// Exit code: failed, or something is left (rejects excepted): `status` says what.
pub const EXIT_FAILED: u8 = 1;
/// Exit code: a file, a setting or an argument must be changed.
pub const EXIT_INPUT: u8 = 2;
/// Exit code: the machine, the network, the store or a right is in the way.
pub const EXIT_ENVIRONMENT: u8 = 3;

/// What can be said of an error that has no variant of its own.
#[derive(Debug)]
pub struct Detail {
    code: &'static str,
    message: String,
    hint: Option<String>,
    source: Option<BoxError>,
}

/// Anything that ends a command early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `migration.toml` is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An argument or a file of the user's is wrong.
    #[error("{}", .0.message)]
    Input(Detail),
    /// The machine, the network or the store is in the way.
    #[error("{}", .0.message)]
    Environment(Detail),
    /// The migration could not go on.
    #[error("{}", .0.message)]
    Failed(Detail),
    /// A file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `create` …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A plan was not approved, and nobody can be asked (rule M-10).
    #[error("the plan {digest} is not approved")]
    NotApproved {
        /// The plan's digest.
        digest: String,
    },
    /// Stopped by the user at a safe point.
    #[error("stopped at a safe point; everything done so far is kept")]
    Interrupted,
    /// Not in this build.
    #[error("{0} is not available in this build")]
    Unavailable(&'static str),
}

impl Error {
    /// A mistake in what the user wrote: exit code 2. `code` is stable, lower case with dashes.
    pub fn input(code: &'static str, message: impl Into<String>) -> Self {
        Self::Input(Detail::new(code, message.into()))
    }

    /// Something around us: exit code 3.
    pub fn environment(code: &'static str, message: impl Into<String>) -> Self {
        Self::Environment(Detail::new(code, message.into()))
    }

    /// The migration failed or is incomplete: exit code 1.
    pub fn failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::Failed(Detail::new(code, message.into()))
    }

    /// A file that could not be read or written: exit code 3.
    pub fn io(doing: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            doing,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// What to do about it, one sentence. Variants that know their own hint keep it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(detail) = self.detail_mut() {
            detail.hint = Some(hint.into());
        }
        self
    }

    /// Says what it is about before what is wrong with it. Variants that name a file of their own stay as they are.
    #[must_use]
    pub fn about(mut self, what: impl std::fmt::Display) -> Self {
        if let Some(detail) = self.detail_mut() {
            detail.message = format!("{what}: {}", detail.message);
        }
        self
    }

    /// What caused it. Variants that have a source of their own keep it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        if let Some(detail) = self.detail_mut() {
            detail.source = Some(source.into());
        }
        self
    }

    /// Stable name of the error, for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(error) => error.code(),
            Self::Input(detail) | Self::Environment(detail) | Self::Failed(detail) => detail.code,
            Self::Io { .. } => "io",
            Self::NotApproved { .. } => "not-approved",
            Self::Interrupted => "interrupted",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Input(detail) | Self::Environment(detail) | Self::Failed(detail) => {
                detail.hint.clone()
            }
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    Some("choose a folder that you may write to, or change its owner".to_owned())
                }
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    Some("make room on this disk, then run the same command again".to_owned())
                }
                std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => {
                    Some("move away what stands where a folder must be".to_owned())
                }
                _ => None,
            },
            Self::NotApproved { digest } => Some(format!(
                "read the plan (`transload plan`), then run with `--accept {digest}` or `--yes`"
            )),
            Self::Interrupted => Some("the same command goes on where this one stopped".to_owned()),
            Self::Unavailable(_) => None,
        }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(error) if error.is_environment() => EXIT_ENVIRONMENT,
            Self::Config(_) | Self::Input(_) | Self::NotApproved { .. } => EXIT_INPUT,
            Self::Environment(_) | Self::Io { .. } | Self::Unavailable(_) => EXIT_ENVIRONMENT,
            Self::Failed(_) | Self::Interrupted => EXIT_FAILED,
        }
    }

    /// The message and those of its causes, outermost first, none twice.
    pub fn causes(&self) -> Vec<String> {
        let mut all = vec![self.to_string()];
        let mut next = self.cause();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !all.iter().any(|said| said.contains(&text)) {
                all.push(text);
            }
            next = cause.source();
        }
        all
    }

    /// As `--json` writes it.
    pub fn to_json(&self) -> ErrorJson {
        let mut causes = self.causes();
        let message = if causes.is_empty() {
            String::new()
        } else {
            causes.remove(0)
        };
        ErrorJson {
            code: self.code(),
            message,
            causes,
            hint: self.hint(),
            exit_code: self.exit_code(),
        }
    }

    /// Like `Error::source`, with the boxed source of a [`Detail`].
    fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Input(detail) | Self::Environment(detail) | Self::Failed(detail) => detail
                .source
                .as_deref()
                .map(|e| e as &(dyn std::error::Error + 'static)),
            other => std::error::Error::source(other),
        }
    }

    fn detail_mut(&mut self) -> Option<&mut Detail> {
        match self {
            Self::Input(detail) | Self::Environment(detail) | Self::Failed(detail) => Some(detail),
            _ => None,
        }
    }
}

impl Detail {
    fn new(code: &'static str, message: String) -> Self {
        Self {
            code,
            message,
            hint: None,
            source: None,
        }
    }
}

/// An error as `--json` writes it, under the key `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorJson {
    /// Stable name.
    pub code: &'static str,
    /// What went wrong.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// What the process ends with.
    pub exit_code: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_small_enough_to_be_returned_everywhere() {
        assert!(size_of::<Error>() < 128, "{} bytes", size_of::<Error>());
    }

    #[test]
    fn each_class_has_its_exit_code() {
        assert_eq!(Error::input("a", "b").exit_code(), 2);
        assert_eq!(Error::environment("a", "b").exit_code(), 3);
        assert_eq!(Error::failed("a", "b").exit_code(), 1);
        assert_eq!(Error::Interrupted.exit_code(), 1);
        assert_eq!(
            Error::NotApproved {
                digest: "ab".into()
            }
            .exit_code(),
            2
        );
    }

    #[test]
    fn causes_are_listed_once_and_the_hint_is_kept() {
        let inner = std::io::Error::other("the disk is gone");
        let error = Error::environment("store", "cannot open the store")
            .with_source(inner)
            .with_hint("buy one");
        assert_eq!(
            error.causes(),
            ["cannot open the store", "the disk is gone"]
        );
        assert_eq!(error.to_json().hint.as_deref(), Some("buy one"));

        let io = Error::io(
            "write",
            "x",
            std::io::Error::from(std::io::ErrorKind::StorageFull),
        );
        assert_eq!(io.causes().len(), 1, "{:?}", io.causes());
        assert!(io.hint().unwrap().contains("make room"));
    }
}
