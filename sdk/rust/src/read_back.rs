//! What destinations have in common when they read back what they wrote.

use futures::stream::{self, StreamExt as _};

use crate::Context;
use crate::destination::Observed;
use crate::http::HttpError;
use crate::types::{Entity, Entry, Error, Kind};

/// Files that are read at once.
const AT_ONCE: usize = 6;

/// Where a file's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A path at the connection's base URL, or an absolute URL.
    pub url: String,
    /// Without the connection's credential: signed links, other people's hosts.
    pub anonymous: bool,
}

/// Reads the bytes of the files that were read back, so that the host can compare them by their hash. `place` says where an attachment's
/// are. A file that cannot be had, since its host is not granted or it is gone, keeps no content, and is compared by name and size.
///
/// # Errors
/// What ends a unit.
pub async fn with_bytes(
    cx: &Context,
    observed: &mut [Observed],
    place: impl Fn(&Entry) -> Option<Place>,
) -> Result<(), Error> {
    let entries = observed.iter_mut().filter_map(|one| one.body.as_mut());
    let files = entries
        .flat_map(|body| &mut body.entries)
        .filter(|entry| entry.head.kind == Kind::Attachment);
    let wanted = files.filter_map(|entry| place(entry).map(|place| (entry, place)));
    let read = stream::iter(wanted).map(|(entry, place)| async move {
        let request = cx.http().get(place.url.as_str());
        let request = if place.anonymous {
            request.anonymous()
        } else {
            request
        };
        match request.download().await {
            Ok((reply, blob)) if (200..300).contains(&reply.status()) => {
                if let Entity::Attachment(attachment) = &mut entry.data {
                    attachment.size = Some(blob.size);
                    attachment.content = Some(blob);
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(
                error @ (HttpError::Cancelled | HttpError::Quota(_) | HttpError::Unauthorized(_)),
            ) => Err(error.into()),
            Err(_) => Ok(()),
        }
    });
    let all: Vec<Result<(), Error>> = read.buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().collect()
}
