//! Connector packages by name and version: reading what a component says of itself, a folder of packages, resolution as
//! cargo does it, digests.
//!
//! Nothing here compiles or runs a component.

mod component;

pub use component::{CONTRACT_PACKAGE, Outline, OutlineError, Role, outline};
