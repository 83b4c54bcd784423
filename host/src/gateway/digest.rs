//! Digests of requests (rule D-1) and bodies as they leave.
//!
//! A digest covers method, URL, and the body's logical parts, blobs by their hash. Headers, boundaries, credentials and what
//! the guest calls perishable are left out. Every part goes in with its length, so that no two requests share a text.

use sha2::{Digest, Sha256};

use super::transport::{OutBody, Piece};
use crate::blobs::{BlobError, BlobStore};
use crate::contract::http::{Body, Part, PartBody, Request};
use crate::contract::types::BlobRef;

/// Hex of the sha-256.
pub(super) fn digest(request: &Request) -> String {
    let mut perishable: Vec<&[u8]> = request
        .perishable
        .iter()
        .map(String::as_bytes)
        .filter(|p| !p.is_empty())
        .collect();
    perishable.sort_by_key(|p| std::cmp::Reverse(p.len()));
    let mut hash = Hash {
        inner: Sha256::new(),
        perishable,
    };
    hash.text(request.method.as_bytes());
    hash.text(request.url.as_bytes());
    match &request.body {
        Body::None => hash.tag("none"),
        Body::Bytes(bytes) => {
            hash.tag("bytes");
            hash.text(bytes);
        }
        Body::Blob(blob) => hash.blob(blob),
        Body::Multipart(parts) => {
            hash.tag("multipart");
            hash.tag(&parts.len().to_string());
            for part in parts {
                hash.text(part.name.as_bytes());
                for text in [&part.filename, &part.media_type] {
                    hash.tag(if text.is_some() { "some" } else { "none" });
                    hash.text(text.as_deref().unwrap_or_default().as_bytes());
                }
                match &part.body {
                    PartBody::Bytes(bytes) => hash.text(bytes),
                    PartBody::Blob(blob) => hash.blob(blob),
                }
            }
        }
    }
    hex::encode(hash.inner.finalize())
}

struct Hash<'a> {
    inner: Sha256,
    perishable: Vec<&'a [u8]>,
}

impl Hash<'_> {
    fn tag(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.inner.update((bytes.len() as u64).to_be_bytes());
        self.inner.update(bytes);
    }

    fn blob(&mut self, blob: &BlobRef) {
        self.tag("blob");
        self.tag(&blob.sha256);
    }

    /// Bytes of the guest, each perishable string in them replaced by a mark.
    fn text(&mut self, bytes: &[u8]) {
        if self.perishable.is_empty() {
            return self.raw(bytes);
        }
        let mut kept = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, tail)) = rest.split_first() {
            match self.perishable.iter().find_map(|p| rest.strip_prefix(*p)) {
                Some(after) => {
                    kept.extend_from_slice(b"\0perishable\0");
                    rest = after;
                }
                None => {
                    kept.push(*first);
                    rest = tail;
                }
            }
        }
        self.raw(&kept);
    }
}

/// A body as it leaves, and the media type that it implies.
pub(super) fn body(
    request: &Request,
    blobs: &BlobStore,
) -> Result<(OutBody, Option<String>), BlobError> {
    let file = |blob: &BlobRef| {
        Ok::<_, BlobError>(Piece::File {
            path: blobs.path(blob)?,
            len: blob.size,
        })
    };
    Ok(match &request.body {
        Body::None => (OutBody::default(), None),
        Body::Bytes(bytes) => (OutBody(vec![Piece::Bytes(bytes.clone().into())]), None),
        Body::Blob(blob) => (OutBody(vec![file(blob)?]), Some(blob.media_type.clone())),
        Body::Multipart(parts) => {
            // A hash of the content cannot occur in it, and is the same in every run.
            let digest = digest(request);
            let boundary = format!("transload-{}", digest.get(..32).unwrap_or(&digest));
            let mut pieces = Vec::new();
            for part in parts {
                pieces.push(Piece::Bytes(head(&boundary, part).into()));
                pieces.push(match &part.body {
                    PartBody::Bytes(bytes) => Piece::Bytes(bytes.clone().into()),
                    PartBody::Blob(blob) => file(blob)?,
                });
                pieces.push(Piece::Bytes("\r\n".into()));
            }
            pieces.push(Piece::Bytes(format!("--{boundary}--\r\n").into()));
            (
                OutBody(pieces),
                Some(format!("multipart/form-data; boundary={boundary}")),
            )
        }
    })
}

fn head(boundary: &str, part: &Part) -> String {
    let mut head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
        quoted(&part.name)
    );
    if let Some(filename) = &part.filename {
        head.push_str(&format!("; filename=\"{}\"", quoted(filename)));
    }
    if let Some(media_type) = &part.media_type {
        head.push_str("\r\nContent-Type: ");
        head.extend(media_type.chars().filter(|c| !c.is_control()));
    }
    head.push_str("\r\n\r\n");
    head
}

/// As the HTML standard has it, §4.10.21.8: UTF-8, with quotes and line ends escaped.
fn quoted(text: &str) -> String {
    text.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
