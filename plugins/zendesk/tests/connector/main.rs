//! The tests of the Zendesk connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod account;
mod dependents;
mod doubt;
mod fields;
mod imports;
mod links;
mod people;
mod records;
mod support;
mod thread;
mod units;
