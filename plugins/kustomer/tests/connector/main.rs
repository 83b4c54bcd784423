//! The tests of the Kustomer connector from outside: one program, a module for each part of its work.

mod economy;
mod files;
mod mapping;
mod single;
mod support;
mod whole;
