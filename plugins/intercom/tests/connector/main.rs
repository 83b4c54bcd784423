//! The tests of the Intercom connector from outside: one program, a module for each part of its work.

mod doubt;
mod people;
mod records;
mod support;
mod threads;
mod whole;
