//! The tests of the Gorgias connector from outside: one program, a module for each part of its work.

mod doubt;
mod people;
mod records;
mod support;
mod switches;
mod threads;
mod whole;
