//! The tests of the HubSpot connector from outside: one program, a module for each part of its work.

mod account;
mod doubt_threads;
mod people;
mod records;
mod schema;
mod support;
mod switches;
mod threads;
mod tickets;
