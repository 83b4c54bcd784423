//! Under construction: the content-addressed folder.

/// A blob under construction.
#[derive(Debug)]
pub struct Builder;
