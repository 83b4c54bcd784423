//! Serving a simulator on the loopback interface.
//!
//! HTTP/1.1 without TLS. hyper is used directly because a cut connection must look like one: the connection's service
//! ends with an error and the socket closes without a byte of an answer.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::Request;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::{SimError, was_cut};

/// Starts servers.
pub struct SimServer;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Started {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub base_url: String,
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Started {
    /// Stops accepting, closes all connections and waits for the accepting task to end.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "The server's task did not end well.");
        }
    }

    /// Waits for the server to end, which it does only when something goes wrong with its task.
    pub async fn wait(self) {
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "The server's task did not end well.");
        }
    }
}

/// The base of addresses in answers: as configured, else as the client addressed us: `https` with a host of the platform's
/// `domain`, plain `http` with any other, `usual` when no host is named.
pub fn base_url(configured: Option<&str>, host: Option<&str>, domain: &str, usual: &str) -> String {
    match (configured, host) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, None) => usual.to_owned(),
        (None, Some(host)) if host.ends_with(domain) => format!("https://{host}"),
        (None, Some(host)) => format!("http://{host}"),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the connection is cut on purpose")]
struct Cut;

impl SimServer {
    /// Serves the router on 127.0.0.1; port 0 lets the system pick one.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the port cannot be had.
    pub async fn start(router: Router, port: u16) -> Result<Started, SimError> {
        let listener = Self::bind(port).await?;
        Self::start_on(listener, router)
    }

    /// Takes a port on 127.0.0.1, for a router that must know its own address.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the port cannot be had.
    pub async fn bind(port: u16) -> Result<TcpListener, SimError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        TcpListener::bind(address)
            .await
            .map_err(|source| SimError::Listen {
                address: address.to_string(),
                source,
            })
    }

    /// Serves the router on a listener.
    ///
    /// # Errors
    /// [`SimError::Listen`] when the listener has no local address.
    pub fn start_on(listener: TcpListener, router: Router) -> Result<Started, SimError> {
        let address = listener.local_addr().map_err(|source| SimError::Listen {
            address: "127.0.0.1".to_owned(),
            source,
        })?;
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, router, stopped));
        Ok(Started {
            base_url: format!("http://{address}"),
            address,
            stop,
            task,
        })
    }
}

async fn accept(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        match accepted {
            Ok((socket, _)) => {
                let _ = socket.set_nodelay(true);
                tokio::spawn(connection(socket, router.clone(), stopped.clone()));
            }
            Err(error) => tracing::warn!(%error, "A connection could not be accepted."),
        }
    }
}

async fn connection(
    socket: tokio::net::TcpStream,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let request: Request = request.map(axum::body::Body::new);
            let answer: Result<_, Infallible> = router.oneshot(request).await;
            let Ok(response) = answer;
            if was_cut(&response) {
                Err(Cut)
            } else {
                Ok(response)
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        ended = served => {
            if let Err(error) = ended {
                tracing::debug!(%error, "A connection ended early.");
            }
        }
        _ = stopped.changed() => {}
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::common::{Action, Clock, Fault, Harness};

    #[tokio::test]
    async fn a_served_simulator_answers_and_a_cut_connection_looks_like_one() {
        let harness = Harness::new(Clock::real(), |_, m| serde_json::json!({ "error": m }));
        harness
            .faults
            .add(Fault::nth("GET", "/hello", 2, Action::DropAfter));
        let routes = Router::new().route("/hello", get(|| async { "hello" }));
        let server = SimServer::start(harness.wrap(routes), 0).await.unwrap();
        let get = async || {
            let mut socket = tokio::net::TcpStream::connect(server.address).await.ok()?;
            let request = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            socket.write_all(request).await.ok()?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.ok()?;
            Some(answer)
        };
        assert!(get().await.unwrap().ends_with("\r\n\r\nhello"));
        assert_eq!(get().await.unwrap(), "");
        assert!(get().await.unwrap().starts_with("HTTP/1.1 200"));
        let address = server.address;
        server.shutdown().await;
        assert!(tokio::net::TcpStream::connect(address).await.is_err());
    }
}
