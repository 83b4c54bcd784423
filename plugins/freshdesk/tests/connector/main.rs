//! The tests of the Freshdesk connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod account;
mod changes;
mod doubt;
mod doubt_tickets;
mod people;
mod schema;
mod support;
mod threads;
mod tickets;
