//! The strict Tessera of `examples/tessera`, behind a server.

pub mod desk;
#[path = "../../../../../examples/tessera/tests/support/platform.rs"]
#[allow(dead_code, reason = "the connector's own tests use all of it")]
pub mod platform;
