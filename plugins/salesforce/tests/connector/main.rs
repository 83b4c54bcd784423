//! The tests of the Salesforce connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod cases;
mod doubt;
mod doubt_threads;
mod links;
mod people;
mod schema;
mod support;
mod threads;
mod units;
