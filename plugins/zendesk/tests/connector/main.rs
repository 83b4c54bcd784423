//! The tests of the Zendesk connector from outside: one program, a module for each part of its work.

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
