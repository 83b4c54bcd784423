//! The Transload host: runs connectors in a sandbox, gives them the only way out, journals every effect, and drives a
//! migration from discovery to rollback.
//!
//! Arrows point one way: `cli → pipeline → {sandbox, gateway, store, report}`. No vendor is known here; what a platform is
//! like is said by its connector's `describe`.

pub mod blobs;
pub mod cli;
pub mod clock;
pub mod config;
pub mod conformance;
pub mod contract;
pub mod error;
mod exported;
pub mod gateway;
pub mod kinds;
pub mod pipeline;
pub mod plugins;
pub mod reading;
pub mod rehearsal;
pub mod report;
pub mod sandbox;
pub mod store;
pub mod unit;
pub mod unit_host;
