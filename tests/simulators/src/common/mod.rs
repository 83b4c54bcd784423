//! What every simulator shares.
//!
//! [`Harness`] ties the parts together: a simulator builds its plain [`axum::Router`] and gives it to
//! [`Harness::wrap`], which puts the recorder outermost and the faults within, so that a test sees what a client saw.
//! Knows no vendor.

mod account;
mod answer;
mod clock;
pub mod contract;
mod error;
mod faults;
mod harness;
pub mod html;
mod limits;
mod outbox;
mod recorder;
mod server;
mod upload;

pub use account::{Account, Content, Held};
pub(crate) use answer::{Answer, Payload};
pub use clock::Clock;
pub use error::SimError;
pub use faults::{Action, Fault, Faults, Occurrence, PathPattern};
pub use harness::{Asked, ConnectionCut, Harness, Hold, ask, was_cut};
pub use limits::{RateLimits, Taken};
pub use outbox::{AutomationLog, AutomationRun, Outbox, OutboxItem};
pub use recorder::{Record, RecordedAnswer, RecordedBody, Recorder};
pub use server::{SimServer, Started, base_url};
pub use upload::{Streamed, read_stream};
