//! Connector packages by name and version: reading what a component says of itself, a folder of packages, resolution as
//! cargo does it, digests; signatures, whom a folder trusts and what it grants; registries to publish to and install from (a
//! folder, or OCI), and bundles for where there is none.
//!
//! Nothing here compiles or runs a component.

mod bundle;
mod compat;
mod component;
mod index;
mod metadata;
mod oci;
mod registry;
mod remote;
mod rights;
mod sign;
mod spec;
mod taken;
mod trust;

pub use bundle::{BundleError, Bundled, is_bundle, read_bundle, write_bundle};
pub use compat::{contract_breaks, settings_break};
pub use component::{CONTRACT_PACKAGE, Outline, OutlineError, Role, outline};
pub use index::{Entry, INDEX_LIFETIME, Index, IndexError, LONGEST_LIFETIME, Mark, same_series};
pub use metadata::{Metadata, MetadataError};
pub use registry::{NewPackage, Package, Registry, RegistryError};
pub use remote::{Remote, RemoteError};
pub use rights::{Right, RightClass, Rights, Want};
pub use sign::{PublicKey, SIGNATURE_FORMAT, SecretKey, SignError, Signature};
pub use spec::{Spec, SpecError};
pub use trust::{KnownRegistry, Revoked, Standing, Trust, TrustError, Trusted};
