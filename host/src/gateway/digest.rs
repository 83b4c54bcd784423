//! Digests of requests (rule D-1) and bodies as they leave.
//!
//! A digest covers method, URL, and the body's logical parts, blobs by their hash. Headers, boundaries, credentials and what
//! the guest calls perishable are left out. Every part goes in with its length, so that no two requests share a text.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::transport::{OutBody, Piece};
use crate::blobs::{BlobError, BlobStore};
use crate::contract::http::{self, Body, Part, PartBody, Request};
use crate::contract::types::BlobRef;

/// Hex of the sha-256.
pub(super) fn digest(request: &Request) -> String {
    let mut hash = Hash {
        inner: Sha256::new(),
        perishable: Perishable::new(&request.perishable),
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
        Body::Pieces(pieces) => {
            hash.tag("pieces");
            hash.tag(&pieces.len().to_string());
            for piece in pieces {
                match piece {
                    http::Piece::Bytes(bytes) => {
                        hash.tag("bytes");
                        hash.text(bytes);
                    }
                    http::Piece::Blob(blob) => hash.blob(blob),
                    http::Piece::Base64(blob) => {
                        hash.tag("base64");
                        hash.blob(blob);
                    }
                }
            }
        }
    }
    hex::encode(hash.inner.finalize())
}

struct Hash<'a> {
    inner: Sha256,
    perishable: Perishable<'a>,
}

/// Strings to be left out, by their first bytes: a bulk request of a megabyte may have hundreds of them, and each place in it is
/// looked at once.
struct Perishable<'a> {
    /// As many of the first bytes as all of them have.
    prefix: usize,
    /// With the same first bytes, the longest first.
    by_prefix: HashMap<&'a [u8], Vec<&'a [u8]>>,
}

impl<'a> Perishable<'a> {
    fn new(all: &'a [String]) -> Self {
        let all = all.iter().map(String::as_bytes).filter(|p| !p.is_empty());
        let prefix = all.clone().map(<[u8]>::len).min().unwrap_or(0);
        let mut by_prefix: HashMap<_, Vec<_>> = HashMap::new();
        for one in all {
            let (first, _) = one.split_at(prefix);
            by_prefix.entry(first).or_default().push(one);
        }
        for same in by_prefix.values_mut() {
            same.sort_by_key(|one| std::cmp::Reverse(one.len()));
        }
        Self { prefix, by_prefix }
    }

    /// What follows the longest of them that `bytes` begin with.
    fn strip<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (first, _) = bytes.split_at_checked(self.prefix)?;
        let same = self.by_prefix.get(first)?;
        same.iter().find_map(|one| bytes.strip_prefix(*one))
    }
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
        if self.perishable.by_prefix.is_empty() {
            return self.raw(bytes);
        }
        let mut kept = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((first, tail)) = rest.split_first() {
            match self.perishable.strip(rest) {
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
        Body::Pieces(pieces) => {
            let piece = |piece: &http::Piece| match piece {
                http::Piece::Bytes(bytes) => Ok(Piece::Bytes(bytes.clone().into())),
                http::Piece::Blob(blob) => file(blob),
                http::Piece::Base64(blob) => Ok(Piece::Base64 {
                    path: blobs.path(blob)?,
                    len: blob.size,
                }),
            };
            let pieces = pieces.iter().map(piece).collect::<Result<_, _>>()?;
            (OutBody(pieces), None)
        }
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
