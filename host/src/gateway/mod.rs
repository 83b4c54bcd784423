//! One request's way out: grant → budget → credentials → intent → transport → answer.
//!
//! The gateway knows a connection and nothing of units: what must be durable before a request leaves is asked of an
//! [`IntentLog`]. It pauses instead of rejecting (rule M-10): a used-up quota or a refused credential makes `exchange` wait,
//! visibly, until it works again or the run is stopped.

use async_trait::async_trait;

use crate::contract::http;
use crate::unit_host::UnitAbort;

/// Told about a mutating request's attempts, in order (rules D-1, D-2, D-15). Never called for reads.
#[async_trait]
pub trait IntentLog: Send + Sync {
    /// Budget and credentials are there and the next thing is the first byte. Returns once the intent is durable; the attempt
    /// must then be sent within the lease's margin. `attempt` counts from 1.
    async fn intend(&self, attempt: u32) -> Result<(), UnitAbort>;
    /// This attempt was surely not applied; another may follow.
    async fn refused(&self, attempt: u32) -> Result<(), UnitAbort>;
}

/// What came of a request.
#[derive(Debug)]
pub enum Exchange {
    /// A complete, readable answer. `sent_at` is when the last attempt's last byte left (ms).
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
        /// When the last byte of the last attempt left, ms.
        sent_at: i64,
        /// Attempts made.
        attempts: u32,
    },
    /// Not sent, or a read that failed after retries.
    Failed(http::Error),
}
