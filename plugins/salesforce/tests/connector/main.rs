//! The tests of the Salesforce connector from outside: one program, a module for each part of its work.

mod cases;
mod doubt;
mod doubt_threads;
mod links;
mod people;
mod schema;
mod support;
mod threads;
mod units;
