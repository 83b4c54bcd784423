//! One request's way out: grant → credential → budget → intent → transport → answer.
//!
//! The gateway knows a connection and nothing of units: what must be durable before a request leaves is asked of an
//! [`IntentLog`]. It pauses instead of rejecting (rule M-10): a used-up quota or a refused credential makes `exchange` wait,
//! visibly, until it works again or the run is stopped.
//!
//! Not here: answering from a journal, lifetimes of answers, which blobs a unit may name. No vendor is known; everything
//! particular comes from the connector's description.
//!
//! Nothing of a credential, a body or a query is logged: events carry the connection, the method, the granted pattern, the
//! status and times.

mod auth;
mod budget;
mod digest;
mod exchange;
mod grants;
mod judge;
mod rights;
mod secret;
#[cfg(test)]
mod tests;
mod transport;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

pub use self::budget::RuleUse;
pub use self::exchange::Gateway;
pub use self::grants::{PrivateGrant, PrivateGrantError};
pub use self::rights::{Granted, wants};
pub use self::secret::{Secret, SecretError, SecretSource};
pub use self::transport::{
    ByteStream, FailureKind, FnTransport, InResponse, OutBody, OutRequest, Piece, ReqwestTransport,
    Transport, TransportError,
};
use crate::contract::description::{AuthScheme, Description, HostGrant};
use crate::contract::http;
use crate::unit_host::UnitAbort;

/// Told about a mutating request's attempts, in order (rules D-1, D-2, D-15). Never called for reads.
#[async_trait]
pub trait IntentLog: Send + Sync {
    /// Budget and credentials are there and the next thing is the first byte. Returns once the intent is durable; the attempt
    /// must then be sent within the lease's margin. `attempt` counts from 1.
    async fn intend(&self, attempt: u32) -> Result<(), UnitAbort>;
    /// Whether the newest intent may still be sent on. Asked when the first byte is next: a process that stood still in between
    /// must ask for a new one, which fails if somebody took the work over meanwhile.
    fn fresh(&self) -> bool;
    /// This attempt was surely not applied; another may follow.
    async fn refused(&self, attempt: u32) -> Result<(), UnitAbort>;
}

/// What came of a request.
#[derive(Debug)]
pub enum Exchange {
    /// A complete, readable answer. `sent_at` is when the last attempt's last byte left (ms), or a little later: a settle
    /// time counted from it is never too short.
    Answered {
        /// As the guest will see it.
        response: http::Response,
        /// ms since 1970.
        sent_at: i64,
        /// Attempts made, the last one included.
        attempts: u32,
    },
    /// A mutating request whose fate is unknown (rule D-2).
    Doubt {
        /// When the last byte of the last attempt left, ms, or a little later.
        sent_at: i64,
        /// Attempts made.
        attempts: u32,
    },
    /// Not sent, or a read that failed after retries.
    Failed(http::Error),
}

/// One connection of the user's, as its gateway needs it.
#[derive(Debug, Clone)]
pub struct ConnectionSpec {
    /// Its name in the configuration; for logs.
    pub name: String,
    /// Filled in: no `{setting}` left.
    pub base_url: String,
    /// The connection's settings, an object without secrets. A member `base_url` says that the user chose the base URL.
    pub settings: serde_json::Value,
    /// The secrets' sources by name.
    pub secrets: BTreeMap<String, SecretSource>,
    /// The scheme that was chosen; `None` sends no credential.
    pub auth: Option<AuthScheme>,
    /// What the connector says of itself; its role decides whether anything may be written.
    pub description: Description,
    /// What of it a person allowed: the rest is refused.
    pub granted: Granted,
    /// Hosts approved beyond the description's (rule M-16).
    pub grants: Vec<HostGrant>,
    /// Private addresses that the user allows.
    pub allow_private: Vec<PrivateGrant>,
    /// Our part of shared limits, above 0 up to 1 (rule M-11).
    pub budget_share: f64,
    /// Sizes and times.
    pub limits: GatewayLimits,
    /// Where rotated tokens are kept, 0600; needed for refresh tokens (rule D-16).
    pub credential_store: Option<PathBuf>,
}

/// Sizes and times of one connection.
#[derive(Debug, Clone)]
pub struct GatewayLimits {
    /// The longest answer that a guest may hold, bytes.
    pub max_answer_bytes: u64,
    /// One attempt, from the connection to the answer's headers.
    pub answer_timeout: Duration,
    /// Reading an answer's body.
    pub body_timeout: Duration,
    /// Reading a body into a blob.
    pub download_timeout: Duration,
    /// Attempts of one request; refusals for speed, quota or credential do not count.
    pub attempts: u32,
    /// The first retry waits up to this, each further one up to twice as long …
    pub backoff: Duration,
    /// … and at most this.
    pub max_backoff: Duration,
    /// A used-up quota of unknown end is probed this often.
    pub quota_probe: Duration,
    /// Requests under way at once, at most.
    pub concurrency: u32,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            max_answer_bytes: 16 << 20,
            answer_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(120),
            download_timeout: Duration::from_secs(3600),
            attempts: 6,
            backoff: Duration::from_millis(500),
            max_backoff: Duration::from_secs(30),
            quota_probe: Duration::from_secs(900),
            concurrency: 64,
        }
    }
}

/// A connection that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The base URL is malformed or of a scheme or address that is not granted.
    #[error("base URL: {0}")]
    BaseUrl(String),
    /// Rotated tokens need a place.
    #[error("a refresh token needs a credential file")]
    NoCredentialStore,
    /// The connector wants what nothing goes without, and nobody allowed it.
    #[error("not granted: {0}")]
    NotGranted(transload_registry::Right),
}

/// Why a connection waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PauseReason {
    /// A long limit is used up; the rule's name.
    Quota(String),
    /// The platform said to wait for more than a moment.
    SlowDown,
    /// There is no credential that works; what is wrong, without any of it.
    Credential(String),
}

/// A connection that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Why.
    pub reason: PauseReason,
    /// Until when (ms), where known.
    pub until: Option<i64>,
}

/// Requests under one grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCount {
    /// The method sent.
    pub method: String,
    /// The granted path pattern or host.
    pub grant: String,
    /// Attempts that left.
    pub sent: u64,
    /// Of them, answered with "too fast" or "quota used up".
    pub throttled: u64,
    /// Of them, ended without a usable answer.
    pub failed: u64,
}

/// A connection as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayState {
    /// Why it waits, if it does.
    pub paused: Option<Pause>,
    /// What was sent, by method and grant (rule M-5).
    pub requests: Vec<RequestCount>,
    /// How much of each limit is used.
    pub utilisation: Vec<RuleUse>,
    /// Requests that may be under way at once at present.
    pub concurrency: usize,
}
