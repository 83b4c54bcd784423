//! Connector packages by name and version: reading what a component says of itself, a folder of packages, resolution as
//! cargo does it, digests.
//!
//! Nothing here compiles or runs a component.

mod component;
mod registry;
mod spec;

pub use component::{CONTRACT_PACKAGE, Outline, OutlineError, Role, outline};
pub use registry::{NewPackage, Package, Registry, RegistryError, WantedHost};
pub use spec::{Spec, SpecError};
