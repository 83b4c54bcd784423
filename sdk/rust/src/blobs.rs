//! Bytes that the host holds, on disk, so that a file never passes through a connector whole.

use crate::context::BlobBuilder;
use crate::types::{BlobRef, Error, Text};
use crate::{Context, Result};

/// Text longer than this travels as a blob (`types.text`).
const LONGEST_INLINE: usize = 64 * 1024;
/// What is read from a blob in one go.
const STRIDE: u32 = 1 << 20;

/// Makes and reads blobs.
#[derive(Clone, Debug)]
pub struct Blobs {
    cx: Context,
}

impl Blobs {
    pub(crate) fn new(cx: Context) -> Self {
        Self { cx }
    }

    /// Begins a blob that is written piece by piece.
    pub fn builder(&self, media_type: &str) -> Builder {
        Builder {
            inner: self.cx.host().blob_builder(media_type),
        }
    }

    /// Keeps bytes.
    pub fn put(&self, media_type: &str, bytes: &[u8]) -> BlobRef {
        let mut builder = self.builder(media_type);
        builder.append(bytes);
        builder.finish()
    }

    /// Reads up to `len` bytes from `offset`; fewer at the end, none past it.
    pub fn read(&self, blob: &BlobRef, offset: u64, len: u32) -> Vec<u8> {
        self.cx.host().blob_read(blob, offset, len)
    }

    /// Reads all of it. For texts and lists; files should stay in the host (`body_blob`, `multipart`).
    pub fn read_all(&self, blob: &BlobRef) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let part = self.read(blob, all.len() as u64, STRIDE);
            if part.is_empty() {
                return all;
            }
            all.extend_from_slice(&part);
        }
    }

    /// A text for a record: inline, or as a blob beyond 64 KiB.
    pub fn text(&self, text: String) -> Text {
        if text.len() <= LONGEST_INLINE {
            Text::Inline(text)
        } else {
            Text::Stored(self.put("text/plain; charset=utf-8", text.as_bytes()))
        }
    }

    /// The text of a record, wherever it is.
    ///
    /// # Errors
    /// `bug` where a stored text is not UTF-8.
    pub fn read_text(&self, text: &Text) -> Result<String> {
        match text {
            Text::Inline(text) => Ok(text.clone()),
            Text::Stored(blob) => String::from_utf8(self.read_all(blob))
                .map_err(|_| Error::Bug("a stored text is not UTF-8".to_owned())),
        }
    }
}

/// A blob in the making: a CSV for a bulk job, a long text. Dropped without [`Builder::finish`], it leaves nothing.
pub struct Builder {
    inner: Box<dyn BlobBuilder>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("size", &self.size())
            .finish()
    }
}

impl Builder {
    /// Adds bytes at the end. The host ends the unit beyond its limit for one blob.
    pub fn append(&mut self, bytes: &[u8]) {
        self.inner.append(bytes);
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.inner.size()
    }

    /// Seals it.
    pub fn finish(self) -> BlobRef {
        self.inner.finish()
    }
}
