//! The tests of the Gorgias connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod doubt;
mod people;
mod records;
mod support;
mod switches;
mod threads;
mod whole;
