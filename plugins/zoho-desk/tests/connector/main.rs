//! The tests of the Zoho Desk connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod account;
mod doubt_tickets;
mod people;
mod schema;
mod support;
mod threads;
mod tickets;
