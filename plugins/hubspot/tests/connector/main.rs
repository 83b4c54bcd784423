//! The tests of the HubSpot connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod account;
mod doubt_threads;
mod people;
mod records;
mod schema;
mod support;
mod switches;
mod threads;
mod tickets;
