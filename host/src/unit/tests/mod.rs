//! What a unit makes of what its guest reports.

mod outcomes;
mod refused;
