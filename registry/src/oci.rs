//! A registry in an OCI registry: any server that keeps container images serves.
//!
//! - A package is an artifact in the standard Wasm layout: configuration `application/vnd.wasm.config.v0+json`, one layer
//!   `application/wasm`. It lies in the repository `<prefix>/<name>` under its version as the tag (`+` is no letter of a tag and
//!   becomes `_`), so `wkg oci pull host/prefix/name:1.2.3` and `oras pull` read it. Annotations say what the metadata sections
//!   say, and `org.transload.signature` is the publisher's signature.
//! - The index is an artifact of its own type, `<prefix>:transload-index`.
//! - The result of conformance tests is one too, `<prefix>/<name>:<version>.conformance`.
//!
//! TLS is the workspace's (rustls with ring); plain HTTP is spoken to this machine only. Credentials are those of `docker login`.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde_json::json;
use tokio::io::AsyncWrite;

use crate::component::outline;
use crate::index::Entry;
use crate::remote::RemoteError;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM_LAYER: &str = "application/wasm";
const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";
const INDEX_TYPE: &str = "application/vnd.transload.index.v1+json";
const CONFORMANCE_TYPE: &str = "application/vnd.transload.conformance.v1+json";
const INDEX_TAG: &str = "transload-index";
/// The longest tag there may be.
const LONGEST_TAG: usize = 128;
/// A constant: an artifact of the same bytes is the same artifact, whenever it is pushed.
const CREATED: &str = "1970-01-01T00:00:00Z";
const SIGNATURE: &str = "org.transload.signature";
const TITLE: &str = "org.opencontainers.image.title";

/// A layer with the name of the file that it is: other clients write it under that, and some pass over what has none.
fn layer(bytes: &[u8], kind: &str, file: String) -> ImageLayer {
    let annotations = BTreeMap::from([(TITLE.to_owned(), file)]);
    ImageLayer::new(
        Bytes::copy_from_slice(bytes),
        kind.to_owned(),
        Some(annotations),
    )
}

/// A plugin's name without its publisher.
fn bare(entry: &Entry) -> &str {
    entry.name.rsplit('/').next().unwrap_or(&entry.name)
}

/// A prefix of repositories on a server.
pub(crate) struct Repositories {
    host: String,
    prefix: String,
    client: Client,
}

impl std::fmt::Debug for Repositories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "oci://{}/{}", self.host, self.prefix)
    }
}

impl Repositories {
    /// `host/prefix`, as after `oci://`.
    pub(crate) fn open(text: &str) -> Result<Self, RemoteError> {
        let wrong = |problem: &str| RemoteError::Address {
            address: format!("oci://{text}"),
            problem: problem.to_owned(),
        };
        let (host, prefix) = text
            .split_once('/')
            .ok_or_else(|| wrong("a repository must follow the host"))?;
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        };
        if host.is_empty() || host.contains('@') || !prefix.split('/').all(part) {
            return Err(wrong(
                "a repository is of lower case letters, digits, dashes and slashes",
            ));
        }
        // Somebody else in the process may have installed one: any is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let protocol = match is_local(host) {
            true => ClientProtocol::HttpsExcept(vec![host.to_owned()]),
            false => ClientProtocol::Https,
        };
        let client = Client::try_from(ClientConfig {
            protocol,
            // No server promises to take pieces, and a component is not large.
            use_monolithic_push: true,
            connect_timeout: Some(Duration::from_secs(20)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("transload/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        });
        let client = client.map_err(|e| RemoteError::Network {
            registry: format!("oci://{text}"),
            problem: e.to_string(),
        })?;
        Ok(Self {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            client,
        })
    }

    pub(crate) async fn index(&self, limit: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        let at = self.reference(None, INDEX_TAG.to_owned());
        self.pull(&at, INDEX_TYPE, limit).await
    }

    pub(crate) async fn put_index(&self, bytes: &[u8]) -> Result<(), RemoteError> {
        let at = self.reference(None, INDEX_TAG.to_owned());
        let layer = layer(bytes, INDEX_TYPE, "registry.json".to_owned());
        self.push_document(&at, layer).await
    }

    pub(crate) async fn component(
        &self,
        entry: &Entry,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, RemoteError> {
        let at = self.reference(Some(&entry.name), tag(entry)?);
        self.pull(&at, WASM_LAYER, limit).await
    }

    pub(crate) async fn put(&self, entry: &Entry, component: &[u8]) -> Result<(), RemoteError> {
        let at = self.reference(Some(&entry.name), tag(entry)?);
        let outline = outline(component).map_err(crate::RegistryError::from)?;
        let config = json!({
            "created": CREATED,
            "author": entry.metadata.authors,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [format!("sha256:{}", entry.sha256)],
            "component": {"exports": outline.exports, "imports": outline.imports, "target": null},
        });
        let mut annotations = BTreeMap::new();
        let mut say = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                annotations.insert(key.to_owned(), value.to_owned());
            }
        };
        let of = &entry.metadata;
        let signature = serde_json::to_string(&entry.signature).unwrap_or_default();
        say(TITLE, Some(&entry.name));
        say(
            "org.opencontainers.image.version",
            Some(&entry.version.to_string()),
        );
        say(
            "org.opencontainers.image.description",
            of.description.as_deref(),
        );
        say("org.opencontainers.image.authors", of.authors.as_deref());
        say("org.opencontainers.image.licenses", of.licenses.as_deref());
        say("org.opencontainers.image.source", of.source.as_deref());
        say("org.opencontainers.image.revision", of.revision.as_deref());
        say(SIGNATURE, Some(&signature));
        let layer = layer(component, WASM_LAYER, format!("{}.wasm", bare(entry)));
        let config = Config::new(
            Bytes::from(config.to_string()),
            WASM_CONFIG.to_owned(),
            None,
        );
        self.push(&at, layer, config, None, Some(annotations)).await
    }

    pub(crate) async fn conformance(
        &self,
        entry: &Entry,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, RemoteError> {
        let at = self.reference(Some(&entry.name), format!("{}.conformance", tag(entry)?));
        self.pull(&at, CONFORMANCE_TYPE, limit).await
    }

    pub(crate) async fn put_conformance(
        &self,
        entry: &Entry,
        bytes: &[u8],
    ) -> Result<(), RemoteError> {
        let at = self.reference(Some(&entry.name), format!("{}.conformance", tag(entry)?));
        let file = format!("{}-{}.conformance.json", bare(entry), entry.version);
        self.push_document(&at, layer(bytes, CONFORMANCE_TYPE, file))
            .await
    }

    async fn push_document(&self, at: &Reference, layer: ImageLayer) -> Result<(), RemoteError> {
        let kind = layer.media_type.clone();
        let config = Config::new(Bytes::from_static(b"{}"), EMPTY_CONFIG.to_owned(), None);
        self.push(at, layer, config, Some(kind), None).await
    }

    async fn push(
        &self,
        at: &Reference,
        layer: ImageLayer,
        config: Config,
        kind: Option<String>,
        annotations: Option<BTreeMap<String, String>>,
    ) -> Result<(), RemoteError> {
        let layers = [layer];
        let mut manifest = OciImageManifest::build(&layers, &config, annotations);
        manifest.media_type = Some(MANIFEST.to_owned());
        manifest.artifact_type = kind;
        let auth = self.auth().await?;
        self.client
            .push(at, &layers, config, &auth, Some(manifest))
            .await
            .map_err(|e| self.error(e))?;
        Ok(())
    }

    /// The one layer of an artifact, its digest checked; `None` if there is no such artifact.
    async fn pull(
        &self,
        at: &Reference,
        kind: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, RemoteError> {
        let auth = self.auth().await?;
        let manifest = match self.client.pull_manifest(at, &auth).await {
            Ok((OciManifest::Image(manifest), _)) => manifest,
            Ok(_) => return Err(self.unfit(at, "is a list of images")),
            Err(e) if is_missing(&e) => return Ok(None),
            Err(e) => return Err(self.error(e)),
        };
        let [layer] = manifest.layers.as_slice() else {
            return Err(self.unfit(at, "has not one layer"));
        };
        if layer.media_type != kind {
            return Err(self.unfit(
                at,
                &format!("has a layer of type {}, not {kind}", layer.media_type),
            ));
        }
        if u64::try_from(layer.size).map_or(true, |size| size > limit) {
            return Err(RemoteError::TooLarge {
                what: at.whole(),
                limit,
            });
        }
        self.blob(at, layer, limit).await.map(Some)
    }

    async fn blob(
        &self,
        at: &Reference,
        layer: &OciDescriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RemoteError> {
        let mut bytes = Capped {
            bytes: vec![],
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        };
        // The client checks the digest of the descriptor.
        self.client
            .pull_blob(at, layer, &mut bytes)
            .await
            .map_err(|e| self.error(e))?;
        Ok(bytes.bytes)
    }

    fn reference(&self, name: Option<&str>, tag: String) -> Reference {
        let repository = match name {
            Some(name) => format!("{}/{name}", self.prefix),
            None => self.prefix.clone(),
        };
        Reference::with_tag(self.host.clone(), repository, tag)
    }

    /// What `docker login` left for this host, if anything.
    async fn auth(&self) -> Result<RegistryAuth, RemoteError> {
        let host = self.host.clone();
        // It may ask a helper program.
        let found =
            tokio::task::spawn_blocking(move || docker_credential::get_credential(&host)).await;
        let failed = |problem: String| RemoteError::Credential {
            registry: format!("{self:?}"),
            problem,
        };
        match found.map_err(|e| failed(e.to_string()))? {
            Ok(DockerCredential::UsernamePassword(user, password)) => {
                Ok(RegistryAuth::Basic(user, password))
            }
            Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Bearer(token)),
            Err(
                CredentialRetrievalError::NoCredentialConfigured
                | CredentialRetrievalError::ConfigNotFound
                | CredentialRetrievalError::ConfigReadError,
            ) => Ok(RegistryAuth::Anonymous),
            // A helper's output may hold anything: only the sort of failure is told.
            Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
                Err(failed(format!("the helper {helper} failed")))
            }
            Err(e) => Err(failed(e.to_string())),
        }
    }

    fn unfit(&self, at: &Reference, problem: &str) -> RemoteError {
        RemoteError::Unfit {
            what: at.whole(),
            problem: problem.to_owned(),
        }
    }

    fn error(&self, error: OciDistributionError) -> RemoteError {
        let registry = format!("{self:?}");
        match error {
            OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_) => {
                RemoteError::Unauthorized { registry }
            }
            OciDistributionError::RegistryError { ref envelope, .. }
                if envelope.errors.iter().any(|e| {
                    matches!(e.code, OciErrorCode::Unauthorized | OciErrorCode::Denied)
                }) =>
            {
                RemoteError::Unauthorized { registry }
            }
            OciDistributionError::DigestError(e) => RemoteError::Unfit {
                what: registry,
                problem: format!("gave other bytes than its manifest says: {e}"),
            },
            error => {
                let mut problem = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(inner) = cause {
                    let text = inner.to_string();
                    if !problem.contains(&text) {
                        problem = format!("{problem}: {text}");
                    }
                    cause = inner.source();
                }
                RemoteError::Network { registry, problem }
            }
        }
    }
}

/// Whether a host is this machine, with or without a port.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    name == "localhost"
        || name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn is_missing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::ServerError { code, .. } => *code == 404,
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|e| {
            matches!(
                e.code,
                OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound
            )
        }),
        _ => false,
    }
}

fn tag(entry: &Entry) -> Result<String, RemoteError> {
    let tag = entry.version.to_string().replace('+', "_");
    if tag.len() + ".conformance".len() > LONGEST_TAG {
        return Err(RemoteError::Unfit {
            what: entry.package(),
            problem: "has a version that is too long for a tag".to_owned(),
        });
    }
    Ok(tag)
}

/// Bytes up to a limit.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl AsyncWrite for Capped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        more: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.bytes.len().saturating_add(more.len()) > self.limit {
            return Poll::Ready(Err(io::Error::other("it is longer than it said")));
        }
        self.bytes.extend_from_slice(more);
        Poll::Ready(Ok(more.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_host_and_a_repository() {
        for text in [
            "",
            "ghcr.io",
            "ghcr.io/",
            "/x",
            "ghcr.io/Acme",
            "ghcr.io/a//b",
            "me@ghcr.io/a",
        ] {
            assert!(
                matches!(Repositories::open(text), Err(RemoteError::Address { .. })),
                "{text}"
            );
        }
        let good = Repositories::open("localhost:5000/acme/plugins").expect("address");
        assert_eq!(format!("{good:?}"), "oci://localhost:5000/acme/plugins");
        let at = good.reference(Some("acme/desk"), "1.0.0".to_owned());
        assert_eq!(at.whole(), "localhost:5000/acme/plugins/acme/desk:1.0.0");
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "ghcr.io",
            "localhost.example",
            "10.0.0.1:5000",
            "127.0.0.1.example:80",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
