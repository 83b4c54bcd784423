//! The strict Tessera of `examples/tessera`, behind a server.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as a test does"
)]

pub mod desk;
#[path = "../../../../../examples/tessera/tests/support/platform.rs"]
#[allow(dead_code, reason = "the connector's own tests use all of it")]
pub mod platform;
