//! The tests of the Freshdesk connector from outside: one program, a module for each part of its work.

mod account;
mod changes;
mod doubt;
mod doubt_tickets;
mod people;
mod schema;
mod support;
mod threads;
mod tickets;
