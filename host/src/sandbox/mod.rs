//! wasmtime.
/// A guest's handle on a blob under construction.
#[derive(Debug)]
pub struct BlobBuilder(pub crate::blobs::Builder);
