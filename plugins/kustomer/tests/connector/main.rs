//! The tests of the Kustomer connector from outside: one program, a module for each part of its work.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what a test cannot read is a failed test"
)]

mod economy;
mod files;
mod mapping;
mod single;
mod support;
mod whole;
