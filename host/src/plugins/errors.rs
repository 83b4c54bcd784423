//! Errors of packages, as the operator's: who has to act decides the class.

use transload_registry::{BundleError, IndexError, RemoteError, SignError, TrustError};

use crate::error::Error;

impl From<SignError> for Error {
    fn from(error: SignError) -> Self {
        let message = error.to_string();
        match &error {
            SignError::Io { path, source } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::input(
                    "no-such-file",
                    format!("there is no file {}", path.display()),
                )
                .with_hint("name the key's file; `transload plugin key new FILE` makes one")
            }
            SignError::Io { .. } => Self::environment("plugin-key", message)
                .with_hint("see to the file's place and rights"),
            SignError::KeyExists(_) => {
                Self::input("plugin-key", message).with_hint("name another file")
            }
            SignError::PublicKey(_) | SignError::SecretKey { .. } | SignError::KeyIsOpen(_) => {
                Self::input("plugin-key", message)
                    .with_hint("`transload plugin key new FILE` makes a key")
            }
            SignError::Malformed { .. } | SignError::OfAnother { .. } | SignError::False { .. } => {
                Self::input("plugin-signature", message)
                    .with_hint("do not install it; get it anew from its publisher")
            }
        }
        .with_source(error)
    }
}

impl From<TrustError> for Error {
    fn from(error: TrustError) -> Self {
        let message = error.to_string();
        let (code, hint) = match &error {
            TrustError::Signature { .. } => (
                "plugin-signature",
                "do not install it; get it anew from its publisher".to_owned(),
            ),
            TrustError::OtherKey { name, .. } => (
                "plugin-other-key",
                format!(
                    "ask its publisher, not by the way it came; if the new key is theirs, `transload plugin key forget {name}` lets it be \
                     pinned anew"
                ),
            ),
            TrustError::NoSignature { name, .. } => (
                "plugin-unsigned",
                format!(
                    "get the signed component; `transload plugin key forget {name}` unpins the key, if nobody signs it any more"
                ),
            ),
            TrustError::NotAccepted { package, .. } => (
                "plugin-not-accepted",
                format!(
                    "look at it with `transload plugin show`, then `transload plugin grant {package}`"
                ),
            ),
            TrustError::Revoked { package, .. } => (
                "plugin-revoked",
                format!(
                    "install another version; to finish or take back what a run began with it, `transload plugin grant {package} --revoked`"
                ),
            ),
        };
        Self::input(code, message)
            .with_hint(hint)
            .with_source(error)
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        let message = error.to_string();
        let forget = |registry: &str| {
            format!(
                "ask whoever keeps it, not by the way it came; `transload plugin key forget {registry}` begins anew with it"
            )
        };
        match &error {
            IndexError::Malformed { registry, .. } => Self::input("registry-index", message).with_hint(forget(registry)),
            IndexError::NotSigned { registry, .. } => Self::input("registry-other-key", message).with_hint(forget(registry)),
            IndexError::Rollback { registry, .. } => Self::input("registry-rollback", message).with_hint(forget(registry)),
            IndexError::Fork { registry, .. } => Self::input("registry-fork", message).with_hint(forget(registry)),
            IndexError::Expired { registry, .. } => Self::input("registry-expired", message).with_hint(format!(
                "whoever keeps it renews it with `transload plugin publish --to {registry} --renew --key FILE`"
            )),
            IndexError::FromTheFuture { .. } => Self::environment("registry-clock", message).with_hint("set this machine's clock"),
            IndexError::Signature { registry, .. } => Self::input("plugin-signature", message).with_hint(forget(registry)),
            IndexError::NotYours { .. } => {
                Self::input("registry-name-taken", message).with_hint("sign with the key that published it first, or take another name")
            }
            IndexError::MayNotSign { .. } => Self::input("registry-key", message)
                .with_hint("give the registry's key with `--registry-key FILE`, or have its keeper publish it"),
            IndexError::AlreadyThere { same, .. } => Self::input("plugin-exists", message).with_hint(match same {
                true => "nothing needs to be done",
                false => "give the new build another version",
            }),
            IndexError::Unknown { .. } => Self::input("unknown-plugin", message).with_hint("name one that is there, as in acme-desk@^0.1"),
            IndexError::Withdrawn { how, .. } => Self::input("plugin-withdrawn", message).with_hint(match *how {
                "yanked" => "ask for another version, or for this very one, as in acme-desk@0.1.3",
                _ => "ask for another version",
            }),
        }
        .with_source(error)
    }
}

impl From<RemoteError> for Error {
    fn from(error: RemoteError) -> Self {
        let message = error.to_string();
        match error {
            RemoteError::Index(error) => error.into(),
            RemoteError::Registry(error) => error.into(),
            RemoteError::Address { .. } => Self::input("registry-address", message)
                .with_hint("write oci://host/repository, file:///folder, or a folder"),
            RemoteError::Empty(_) => Self::input("registry-empty", message)
                .with_hint("look at its address; `transload plugin publish` publishes the first plugin"),
            RemoteError::Io { .. } => Self::environment("registry", message).with_hint("see to the folder's owner, rights and room"),
            RemoteError::Network { .. } => Self::environment("registry-unreachable", message)
                .with_hint("look at its address and whether it can be reached from here, then give the same command again"),
            RemoteError::Unauthorized { .. } => {
                Self::environment("registry-unauthorized", message).with_hint("log in with `docker login` or `oras login`, or ask for the right")
            }
            RemoteError::Credential { .. } => {
                Self::environment("registry-unauthorized", message).with_hint("see to ~/.docker/config.json or its helper")
            }
            RemoteError::Unfit { .. } | RemoteError::TooLarge { .. } | RemoteError::Missing { .. } | RemoteError::Digest { .. } => {
                Self::input("registry-damaged", message).with_hint("do not install from it; tell whoever keeps it")
            }
            RemoteError::Raced(_) => Self::environment("registry-raced", message).with_hint("give the same command again"),
        }
    }
}

impl From<BundleError> for Error {
    fn from(error: BundleError) -> Self {
        Self::input("plugin-bundle", error.to_string())
            .with_hint("make it anew with `transload plugin export`")
            .with_source(error)
    }
}
