//! The tests of the Zoho Desk connector from outside: one program, a module for each part of its work.

mod account;
mod doubt_tickets;
mod people;
mod schema;
mod support;
mod threads;
mod tickets;
