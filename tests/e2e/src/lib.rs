//! End-to-end: real plugins in the real host, between simulated platforms.
//!
//! [`Destination`] says what there is to migrate to; [`Lab`] sets a migration up and runs it, in this process or as the command; [`compare()`] holds the destination against
//! the source field by field. Vendors are named here because tests may name them; the host never does.

pub mod compare;
pub mod conform;
pub mod destination;
pub mod engine;
pub mod lab;

pub use compare::{Comparison, compare};
pub use destination::Destination;
pub use lab::{Lab, LabConfig, LabTime, Silent};
