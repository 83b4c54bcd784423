//! Files that clients send, read as a stream.

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use sha2::{Digest, Sha256};

/// What became of a file's bytes.
#[derive(Debug, Clone)]
pub struct Streamed {
    /// Bytes read.
    pub size: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// The bytes, if they are kept.
    pub content: Option<Bytes>,
}

/// Reads a stream to its end; keeps the bytes if there are no more than `keep`. `None` when it breaks off.
pub async fn read_stream<E>(
    mut stream: impl futures::Stream<Item = Result<Bytes, E>> + Unpin,
    keep: Option<u64>,
) -> Option<Streamed> {
    let (mut digest, mut size, mut kept) = (Sha256::new(), 0_u64, BytesMut::new());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.ok()?;
        size += chunk.len() as u64;
        digest.update(&chunk);
        if keep.is_some_and(|limit| size <= limit) {
            kept.extend_from_slice(&chunk);
        }
    }
    let content = keep
        .is_some_and(|limit| size <= limit)
        .then(|| kept.freeze());
    Some(Streamed {
        size,
        sha256: hex::encode(digest.finalize()),
        content,
    })
}
