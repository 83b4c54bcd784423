//! From a checked URL to checked addresses to the transport: the last gate, which token requests and redirects pass as well.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use url::{Host, Url};

use super::grants::Grants;
use super::transport::{InResponse, OutBody, OutRequest, Transport, TransportError};
use crate::clock::SharedClock;

/// Why nothing came back.
#[derive(Debug, Clone)]
pub(super) enum WireError {
    /// Not allowed; nothing was sent.
    Denied(String),
    /// The transport failed.
    Transport(TransportError),
    /// Too slow; it may have been applied.
    Timeout,
    /// The answer is longer than allowed; its length where stated.
    TooLarge(Option<u64>),
}

pub(super) struct Wire {
    pub transport: Arc<dyn Transport>,
    pub clock: SharedClock,
    pub grants: Grants,
    /// Addresses by host and port, resolved once; forgotten only when none of them can be reached.
    pins: Mutex<HashMap<(String, u16), Vec<SocketAddr>>>,
}

impl Wire {
    pub fn new(transport: Arc<dyn Transport>, clock: SharedClock, grants: Grants) -> Self {
        Self {
            transport,
            clock,
            grants,
            pins: Mutex::default(),
        }
    }

    /// Sends to a URL whose grant was checked; checks addresses. Returns at the answer's headers.
    pub async fn send(
        &self,
        mut request: OutRequest,
        timeout: Duration,
    ) -> Result<InResponse, WireError> {
        let url = request.url.clone();
        let trip = async {
            request.addresses = self.addresses(&url).await?;
            self.transport
                .round_trip(request)
                .await
                .map_err(WireError::Transport)
        };
        let answer = self.within(timeout, trip).await;
        if let Err(WireError::Transport(error)) = &answer
            && error.nothing_sent
        {
            self.unpin(&url);
        }
        answer
    }

    /// Runs a future under a time limit of the clock.
    pub async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, WireError>>,
    ) -> Result<T, WireError> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.clock.sleep(limit) => Err(WireError::Timeout),
        }
    }

    /// Reads an answer's body whole. An answer that ends before the length it stated is broken.
    pub async fn read(&self, answer: &mut InResponse, most: u64) -> Result<Vec<u8>, WireError> {
        let stated = stated_length(answer);
        if stated.is_some_and(|len| len > most) {
            return Err(WireError::TooLarge(stated));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.body.next().await {
            let piece = piece.map_err(WireError::Transport)?;
            if (bytes.len() + piece.len()) as u64 > most {
                return Err(WireError::TooLarge(stated));
            }
            bytes.extend_from_slice(&piece);
        }
        match stated {
            Some(len) if len != bytes.len() as u64 => {
                Err(WireError::Transport(TransportError::broken()))
            }
            _ => Ok(bytes),
        }
    }

    /// A small request of the host itself, with its answer: token endpoints.
    pub async fn ask(
        &self,
        url: Url,
        headers: Vec<crate::contract::http::Header>,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), WireError> {
        self.grants.check_form(&url).map_err(WireError::Denied)?;
        let request = OutRequest {
            method: "POST".into(),
            url,
            headers,
            secret_headers: Vec::new(),
            body: OutBody(vec![super::transport::Piece::Bytes(body.into())]),
            addresses: Vec::new(),
        };
        let mut answer = self.send(request, timeout).await?;
        let body = self.within(timeout, self.read(&mut answer, 1 << 20)).await;
        body.map(|body| (answer.status, body))
    }

    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, WireError> {
        let port = url.port_or_known_default().unwrap_or(443);
        let fixed = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        if let Some(ip) = fixed {
            let address = SocketAddr::new(ip, port);
            self.grants
                .check_address(url, address)
                .map_err(WireError::Denied)?;
            return Ok(vec![address]);
        }
        let key = (url.host_str().unwrap_or_default().to_owned(), port);
        if let Some(pinned) = self.pins().get(&key) {
            return Ok(pinned.clone());
        }
        let found = self
            .transport
            .resolve(&key.0, port)
            .await
            .map_err(WireError::Transport)?;
        // One bad address spoils the name: an honest one has none.
        for address in &found {
            self.grants
                .check_address(url, *address)
                .map_err(WireError::Denied)?;
        }
        if found.is_empty() {
            return Err(WireError::Transport(TransportError::refused()));
        }
        self.pins().insert(key, found.clone());
        Ok(found)
    }

    fn unpin(&self, url: &Url) {
        let port = url.port_or_known_default().unwrap_or(443);
        self.pins()
            .remove(&(url.host_str().unwrap_or_default().to_owned(), port));
    }

    fn pins(&self) -> std::sync::MutexGuard<'_, HashMap<(String, u16), Vec<SocketAddr>>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `Content-Length`, where it is the length of what arrives.
pub(super) fn stated_length(answer: &InResponse) -> Option<u64> {
    let value = |name: &str| {
        answer
            .headers
            .iter()
            .find(|h| h.name == name)
            .map(|h| &h.value)
    };
    if value("content-encoding").is_some() || matches!(answer.status, 204 | 304) {
        return None;
    }
    value("content-length")?.trim().parse().ok()
}
