//! Files of a thread, uploaded before its ticket is made: several in one call (Gorgias facts §9).
//!
//! What is uploaded stays at Gorgias, linked or not: nothing deletes it. Sent twice it is there twice, which does no harm.

use std::collections::BTreeMap;

use transload_sdk::Context;
use transload_sdk::destination::{Item, Thread};
use transload_sdk::http::{self, key, part_file};
use transload_sdk::thread::{files_of, sendable};
use transload_sdk::types::{BlobRef, Entry, Error};

use crate::api::Attachment;
use crate::client::{self, Sent};
use crate::state::Config;
use crate::thread::File;

/// Files of one upload, and their bytes together: nothing says how much one takes.
const FILES: usize = 10;
const BYTES: u64 = 25 * 1024 * 1024;

/// A file that can be sent.
#[derive(Debug)]
struct Ready {
    id: String,
    name: String,
    content: BlobRef,
}

/// Uploads what can be, and says of the rest why not.
///
/// # Errors
/// What ends the unit.
pub async fn upload_all(
    cx: &Context,
    config: &Config,
    item: &Item,
    thread: &Thread,
) -> Result<BTreeMap<String, File>, Error> {
    let mut files = BTreeMap::new();
    let mut waiting: Vec<Ready> = Vec::new();
    for entry in files_of(thread) {
        match to_be_sent(entry, config.max_attachment_bytes) {
            Ok(ready) => {
                let bytes: u64 = waiting.iter().map(|file| file.content.size).sum();
                if waiting.len() >= FILES || bytes + ready.content.size > BYTES {
                    upload(cx, item, std::mem::take(&mut waiting), &mut files).await?;
                }
                waiting.push(ready);
            }
            Err(file) => {
                files.insert(entry.head.id.clone(), file);
            }
        }
    }
    upload(cx, item, waiting, &mut files).await?;
    Ok(files)
}

fn to_be_sent(entry: &Entry, most: u64) -> Result<Ready, File> {
    let too_large = "larger than Gorgias takes: named in the thread";
    let refused = |(cause, words)| File::Refused(cause, words);
    let (name, content) = sendable(entry, most, "Gorgias", too_large).map_err(refused)?;
    let id = entry.head.id.clone();
    Ok(Ready { id, name, content })
}

/// One upload; where several are refused, each on its own shows which.
async fn upload(
    cx: &Context,
    item: &Item,
    batch: Vec<Ready>,
    files: &mut BTreeMap<String, File>,
) -> Result<(), Error> {
    let Some(first) = batch.first() else {
        return Ok(());
    };
    let part = format!("upload:{}", first.id);
    match send(cx, item, part, &batch).await? {
        Ok(rows) => keep(batch, rows, files)?,
        Err(why) if batch.len() == 1 => {
            files.insert(first.id.clone(), File::NotTaken(why));
        }
        Err(_) => {
            for one in batch {
                let part = format!("upload-alone:{}", one.id);
                let alone = vec![one];
                match send(cx, item, part, &alone).await? {
                    Ok(rows) => keep(alone, rows, files)?,
                    Err(why) => {
                        let refused = alone
                            .into_iter()
                            .map(|one| (one.id, File::NotTaken(why.clone())));
                        files.extend(refused);
                    }
                }
            }
        }
    }
    Ok(())
}

async fn send(
    cx: &Context,
    item: &Item,
    part: String,
    batch: &[Ready],
) -> Result<Result<Vec<Attachment>, String>, Error> {
    // The part's name is what people read (Gorgias facts §9).
    let parts = batch
        .iter()
        .map(|file| part_file(&file.name, &file.name, file.content.clone()));
    let key = key(&item.key, part, "create");
    let request = cx
        .http()
        .repeatable("POST", "/upload?type=attachment", key)
        .multipart(parts)
        .passing();
    Ok(match http::write(request).await? {
        Sent::Done(reply) => {
            let rows = client::rows(&reply)?;
            Ok(rows
                .into_iter()
                .map(serde_json::from_value)
                .collect::<Result<_, _>>()?)
        }
        Sent::Refused(refusal) => Err(refusal.words()),
        Sent::Doubt(_) => {
            return Err(Error::Transient("an upload was not answered".to_owned()));
        }
    })
}

fn keep(
    batch: Vec<Ready>,
    rows: Vec<Attachment>,
    files: &mut BTreeMap<String, File>,
) -> Result<(), Error> {
    if batch.len() != rows.len() {
        return Err(Error::Bug(
            "an upload answered with another number of files".to_owned(),
        ));
    }
    for (ready, row) in batch.into_iter().zip(rows) {
        let content_type = match row.content_type.as_str() {
            "" => ready.content.media_type.clone(),
            kind => kind.to_owned(),
        };
        files.insert(
            ready.id,
            File::Uploaded {
                size: row.bytes().unwrap_or(ready.content.size),
                url: row.url,
                content_type,
            },
        );
    }
    Ok(())
}
