//! Errors of the layers below, as the operator's: who has to act decides the class.

use transload_registry::RegistryError;

use crate::error::Error;
use crate::sandbox::SandboxError;
use crate::store::StoreError;
use crate::unit::IllegalEvent;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (code, hint) = match &error {
            StoreError::Open { .. } => (
                "store-open",
                "the folder must be writable and the file one of ours",
            ),
            StoreError::Busy { .. } => (
                "store-busy",
                "wait for the other run or stop it with Ctrl-C; it keeps what it has done",
            ),
            StoreError::Fenced => ("store-fenced", "only one process can run a migration"),
            StoreError::Database(_) | StoreError::Closed => (
                "store",
                "make room on this disk, see to the file's rights, then run the same command again: what was done is kept",
            ),
            StoreError::Corrupt(_) => (
                "store-corrupt",
                "restore the store from a backup; a newer version may have written it",
            ),
        };
        Self::environment(code, error.to_string()).with_hint(hint)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl From<IllegalEvent> for Error {
    fn from(error: IllegalEvent) -> Self {
        Self::failed("illegal-event", error.to_string())
    }
}

impl From<SandboxError> for Error {
    fn from(error: SandboxError) -> Self {
        Self::input("plugin", error.to_string())
            .with_hint("`transload plugin list` shows what is installed")
    }
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        let message = error.to_string();
        let hint = match &error {
            RegistryError::Spec(_) => "write name or name@requirement, as in acme-desk@^0.1",
            RegistryError::UnknownPlugin { .. } | RegistryError::NoVersion { .. } => {
                "`transload plugin list` shows what is installed, `transload plugin add FILE` installs more"
            }
            RegistryError::UnknownDigest(_) => "`transload plugin add FILE` installs it",
            RegistryError::AlreadyThere { .. } => "give the new build another version",
            RegistryError::InUse { .. } => {
                "take the run back with `transload rollback` where it is no longer wanted; `--force` removes the plugin all the same, \
                 and the run can then neither go on nor be rolled back"
            }
            RegistryError::NotAPlugin(_) => {
                "name a component that was built for `transload:connector`"
            }
            RegistryError::Metadata(_) => "ask its publisher for a component that was built right",
            RegistryError::Digest { .. } | RegistryError::Broken { .. } => {
                "remove it with `transload plugin remove --force`, and install it again"
            }
            RegistryError::Io { .. } => "see to the folder's owner, rights and room",
        };
        match &error {
            RegistryError::Spec(_) => Self::input("plugin-name", message),
            RegistryError::UnknownPlugin { .. } => Self::input("unknown-plugin", message),
            RegistryError::NoVersion { .. } => Self::input("plugin-version", message),
            RegistryError::UnknownDigest(_) => Self::input("plugin-digest-unknown", message),
            RegistryError::AlreadyThere { .. } => Self::input("plugin-exists", message),
            RegistryError::InUse { .. } => Self::input("plugin-in-use", message),
            RegistryError::NotAPlugin(_) => Self::input("not-a-plugin", message),
            RegistryError::Metadata(_) => Self::input("plugin-metadata", message),
            RegistryError::Digest { .. } => Self::environment("plugin-changed", message),
            RegistryError::Broken { .. } => Self::environment("plugin-broken", message),
            RegistryError::Io { .. } => Self::environment("registry", message),
        }
        .with_hint(hint)
        .with_source(error)
    }
}
