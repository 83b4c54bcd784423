//! All end-to-end tests, a module for each capability: one program, so that what they are made of is compiled once.
//!
//! `cargo test --workspace --test all verify::` runs one of them, after `cargo xtask plugins` and `cargo build --workspace --bins`.

mod again;
mod campaign;
mod conformance;
mod contracts;
mod delta;
mod dry_run;
mod e2e;
mod exact;
mod example;
mod golden;
mod hostile;
mod inputs;
mod inventory;
mod kit;
mod packages;
mod plan;
mod readme;
mod report;
mod retry;
mod rules;
mod sample;
mod tessera;
mod verify;
mod whole;
