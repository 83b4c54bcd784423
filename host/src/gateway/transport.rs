//! The wire, as a trait: HTTP in production, in-process in tests.
//!
//! A transport sends exactly one request to addresses that were checked before, follows no redirect, retries nothing and adds
//! no credential. What it must tell truly is whether anything may have left: see [`TransportError::nothing_sent`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::secret::Secret;
use crate::contract::http::Header;

/// Bytes as they arrive.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// One request, ready to leave.
#[derive(Debug)]
pub struct OutRequest {
    /// Upper case.
    pub method: String,
    /// Absolute.
    pub url: Url,
    /// Without the credential.
    pub headers: Vec<Header>,
    /// The credential's headers.
    pub secret_headers: Vec<(String, Secret)>,
    /// What is sent.
    pub body: OutBody,
    /// Addresses that the host's name resolved to, all checked: no other may be dialled.
    pub addresses: Vec<SocketAddr>,
}

/// A body of known length, in pieces, none of them large in memory unless the guest made it so.
#[derive(Debug, Clone, Default)]
pub struct OutBody(pub Vec<Piece>);

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Held in memory.
    Bytes(Bytes),
    /// A blob's file, to be streamed.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// A blob's file, to be streamed as base64.
    Base64 {
        /// Where it is.
        path: PathBuf,
        /// Its length, as it lies there.
        len: u64,
    },
}

/// Bytes of a file that are encoded at once: a multiple of three, so that only the last ones need padding.
const ENCODED_AT_ONCE: u64 = 48 * 1024;

impl OutBody {
    /// All bytes that will be sent.
    #[must_use]
    pub fn len(&self) -> u64 {
        let len = |piece: &Piece| match piece {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::File { len, .. } => *len,
            Piece::Base64 { len, .. } => len.div_ceil(3) * 4,
        };
        self.0.iter().map(len).sum()
    }

    /// Whether there is no body at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole body in memory: for in-process transports.
    ///
    /// # Errors
    /// When a blob's file cannot be read.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(bytes),
                Piece::File { path, .. } => all.append(&mut std::fs::read(path)?),
                Piece::Base64 { path, .. } => {
                    all.extend_from_slice(STANDARD.encode(std::fs::read(path)?).as_bytes());
                }
            }
        }
        Ok(all)
    }

    /// The body as a stream, files opened as their turn comes.
    #[must_use]
    pub fn into_stream(self) -> Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>> {
        let pieces = stream::iter(self.0).then(|piece| async move {
            Ok::<_, std::io::Error>(match piece {
                Piece::Bytes(bytes) => stream::iter([Ok(bytes)]).boxed(),
                Piece::File { path, .. } => {
                    let file = tokio::fs::File::open(path).await?;
                    tokio_util::io::ReaderStream::with_capacity(file, 64 * 1024).boxed()
                }
                Piece::Base64 { path, .. } => base64(tokio::fs::File::open(path).await?).boxed(),
            })
        });
        pieces.try_flatten().boxed()
    }
}

fn base64(file: tokio::fs::File) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    stream::try_unfold(file, |mut file| async move {
        let mut some = Vec::new();
        (&mut file)
            .take(ENCODED_AT_ONCE)
            .read_to_end(&mut some)
            .await?;
        Ok((!some.is_empty()).then(|| (Bytes::from(STANDARD.encode(some)), file)))
    })
}

/// An answer whose body is still arriving.
pub struct InResponse {
    /// The status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<Header>,
    /// An error in it means that the answer is not complete.
    pub body: ByteStream,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The name has no address.
    Resolve,
    /// No connection: refused, unreachable, TLS.
    Connect,
    /// Broken while sending or receiving.
    Broken,
    /// The request does not fit into HTTP.
    Protocol,
}

/// Why there is no answer. Has no URL and no header in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}")]
pub struct TransportError {
    /// What happened.
    pub kind: FailureKind,
    /// For sure not a byte of the request reached the platform. When in doubt, false.
    pub nothing_sent: bool,
}

impl TransportError {
    /// No connection was made.
    #[must_use]
    pub fn refused() -> Self {
        Self {
            kind: FailureKind::Connect,
            nothing_sent: true,
        }
    }

    /// Broken somewhere between the first byte sent and the last received.
    #[must_use]
    pub fn broken() -> Self {
        Self {
            kind: FailureKind::Broken,
            nothing_sent: false,
        }
    }
}

/// The wire.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Addresses of a name. The gateway checks them, and pins them for the connection.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError>;

    /// Sends one request and returns when the answer's headers are there.
    ///
    /// # Cancel safety
    /// Dropping the future gives the request up; it may have been applied.
    async fn round_trip(&self, request: OutRequest) -> Result<InResponse, TransportError>;

    /// Told of a request that was denied before it came here: its method and URL, and why. For those who watch a connector.
    fn denied(&self, _method: &str, _url: &str, _why: &str) {}
}

type Answer = BoxFuture<'static, Result<InResponse, TransportError>>;
type Answering = dyn Fn(OutRequest) -> Answer + Send + Sync;
type Resolving = dyn Fn(&str) -> Vec<std::net::IpAddr> + Send + Sync;

/// A closure as a transport: simulators and tests in the same process.
pub struct FnTransport {
    answer: Box<Answering>,
    resolve: Box<Resolving>,
}

impl FnTransport {
    /// Every name resolves to one public address; nothing is ever dialled.
    pub fn new<F, A>(answer: F) -> Self
    where
        F: Fn(OutRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Result<InResponse, TransportError>> + Send + 'static,
    {
        let public = std::net::IpAddr::from([8, 8, 8, 8]);
        Self {
            answer: Box::new(move |request| Box::pin(answer(request))),
            resolve: Box::new(move |_| vec![public]),
        }
    }

    /// Names resolve as `resolve` says.
    #[must_use]
    pub fn resolving<R>(mut self, resolve: R) -> Self
    where
        R: Fn(&str) -> Vec<std::net::IpAddr> + Send + Sync + 'static,
    {
        self.resolve = Box::new(resolve);
        self
    }
}

#[async_trait]
impl Transport for FnTransport {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError> {
        Ok((self.resolve)(host)
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect())
    }

    async fn round_trip(&self, request: OutRequest) -> Result<InResponse, TransportError> {
        (self.answer)(request).await
    }
}

impl InResponse {
    /// A whole answer held in memory.
    #[must_use]
    pub fn whole(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Self {
        let header = |(name, value): &(&str, &str)| Header {
            name: name.to_ascii_lowercase(),
            value: (*value).to_owned(),
        };
        let body = body.into();
        let body = stream::iter((!body.is_empty()).then_some(Ok(body)));
        Self {
            status,
            headers: headers.iter().map(header).collect(),
            body: body.boxed(),
        }
    }
}

/// HTTP/1.1 and HTTP/2 over TLS. One for each connection: pools and pinned addresses are not shared.
pub struct ReqwestTransport {
    client: reqwest::Client,
    pins: Arc<Pins>,
}

/// Addresses by name, as the gateway last checked them. The client's resolver knows nothing else.
#[derive(Default)]
struct Pins(Mutex<HashMap<String, Vec<SocketAddr>>>);

impl reqwest::dns::Resolve for Pins {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let pins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = pins.get(name.as_str().trim_end_matches('.')).cloned();
        Box::pin(async move {
            let addresses = found.ok_or("the name was not checked")?;
            Ok(Box::new(addresses.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

impl ReqwestTransport {
    /// A client that follows nothing, retries nothing, uses no proxy (it would hide the address) and keeps no cookies.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(connect_timeout: Duration) -> Result<Self, reqwest::Error> {
        // Somebody else in the process may have installed one: any is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let pins = Arc::new(Pins::default());
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .gzip(true)
            .user_agent(concat!("transload/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect_timeout)
            // Shorter than what servers commonly keep: a request on a connection about to close would end in doubt.
            .pool_idle_timeout(Duration::from_secs(15))
            .tcp_nodelay(true)
            .dns_resolver(pins.clone())
            .build()?;
        Ok(Self { client, pins })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError> {
        let error = |_| TransportError {
            kind: FailureKind::Resolve,
            nothing_sent: true,
        };
        Ok(tokio::net::lookup_host((host, port))
            .await
            .map_err(error)?
            .collect())
    }

    async fn round_trip(&self, request: OutRequest) -> Result<InResponse, TransportError> {
        let unsent = |kind| TransportError {
            kind,
            nothing_sent: true,
        };
        if let Some(url::Host::Domain(name)) = request.url.host() {
            let name = name.trim_end_matches('.').to_owned();
            let mut pins = self.pins.0.lock().unwrap_or_else(PoisonError::into_inner);
            pins.insert(name, request.addresses);
        }
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|_| unsent(FailureKind::Protocol))?;
        let expects_body = !matches!(request.method.as_str(), "GET" | "HEAD" | "DELETE");
        let mut out = self.client.request(method, request.url);
        for header in &request.headers {
            out = out.header(header.name.as_str(), header.value.as_bytes());
        }
        for (name, secret) in &request.secret_headers {
            let mut value = reqwest::header::HeaderValue::from_bytes(secret.expose().as_bytes())
                .map_err(|_| unsent(FailureKind::Protocol))?;
            value.set_sensitive(true);
            out = out.header(name.as_str(), value);
        }
        if !request.body.is_empty() {
            out = out.header(reqwest::header::CONTENT_LENGTH, request.body.len());
            out = out.body(reqwest::Body::wrap_stream(request.body.into_stream()));
        } else if expects_body {
            out = out.header(reqwest::header::CONTENT_LENGTH, 0);
        }
        let answer = out.send().await.map_err(failure)?;
        let headers = answer.headers().iter().map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: text(name.as_str(), value.as_bytes()),
        });
        Ok(InResponse {
            status: answer.status().as_u16(),
            headers: headers.collect(),
            // Cut short, or not what its framing or compression says: there is no whole answer.
            body: answer
                .bytes_stream()
                .map_err(|_| TransportError::broken())
                .boxed(),
        })
    }
}

/// A header's value as text, without loss. UTF-8 is taken as such; any other octets stand for the characters of the same
/// number, as in ISO-8859-1 (RFC 9110 §5.5), which is what servers mean that do not send UTF-8. In a `location`, octets
/// beyond ASCII are percent-encoded instead, so that the URL asked for next has the very octets that the server named.
fn text(name: &str, value: &[u8]) -> String {
    if name == "location" {
        let octet = |byte: &u8| match byte {
            0x80.. => format!("%{byte:02X}"),
            _ => char::from(*byte).to_string(),
        };
        return value.iter().map(octet).collect();
    }
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Why no headers came. Only a failure to connect is surely before the first byte.
#[allow(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn failure(error: reqwest::Error) -> TransportError {
    let nothing_sent = error.is_connect() || error.is_builder();
    if nothing_sent {
        TransportError::refused()
    } else {
        TransportError::broken()
    }
}
