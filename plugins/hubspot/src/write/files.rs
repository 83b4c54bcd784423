//! Files of threads.
//!
//! Each is one upload: HubSpot has no batch of them (HubSpot facts §12). They go into the folder of the run under a name that
//! ends in the attachment's id, so that one whose answer was not seen is found again by its path, without the search index, and
//! is known as this run's. An activity names its files when it is made, so they go first.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::effects::{self, made, print};
use transload_sdk::http::{
    self, Creation, Making, OperationKey, Refusal as _, key, part_file, part_text,
};
use transload_sdk::ledger::{Effect, Proof};
use transload_sdk::loading::Uploaded;
use transload_sdk::thread::{File, file_name, sendable};
use transload_sdk::types::{BlobRef, Entity, Entry, Error};

use crate::api::Fault;
use crate::client::{self, SETTLE_MS};
use crate::state::{Config, State};

/// What a file is.
pub const FILES: &str = "files";
/// What a folder of files is.
pub const FOLDERS: &str = "folders";
/// Characters of a name before the attachment's id. No limit is known; file systems take 255 bytes.
const STEM_CHARS: usize = 100;
/// Characters of an ending.
const ENDING_CHARS: usize = 10;

/// A file as HubSpot has it (HubSpot facts §12).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Stored {
    /// Its id.
    pub id: String,
    /// Its name without the ending.
    pub name: Option<String>,
    /// The ending.
    pub extension: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// Where it is seen.
    pub url: Option<String>,
    /// The same, of the account's own host.
    pub default_hosting_url: Option<String>,
    /// MD5 of its bytes.
    pub file_md5: Option<String>,
    /// Deleted.
    pub archived: bool,
}

impl Stored {
    /// Where HTML refers to it.
    pub fn address(&self) -> String {
        let address = self.default_hosting_url.as_ref().or(self.url.as_ref());
        address.cloned().unwrap_or_default()
    }

    /// What of it is compared before an undo: its bytes.
    pub fn facets(&self) -> Vec<(String, String)> {
        let size = self.size.map(|size| size.to_string()).unwrap_or_default();
        let md5 = self.file_md5.clone().unwrap_or_default();
        vec![("size".to_owned(), size), ("md5".to_owned(), md5)]
    }
}

/// What is done with a file; `None` where it is to be sent.
pub fn not_sent(entry: &Entry, config: &Config) -> Option<File> {
    let too_large = "larger than HubSpot takes: named in the thread";
    let file = sendable(entry, config.max_attachment_bytes, "HubSpot", too_large);
    file.err().map(|(cause, words)| File::Refused(cause, words))
}

/// Uploads one file.
///
/// # Errors
/// What ends the unit.
pub async fn send(
    cx: &Context,
    config: &Config,
    item: &str,
    in_doubt_since: Option<i64>,
    entry: &Entry,
) -> Result<Uploaded, Error> {
    let Entity::Attachment(attachment) = &entry.data else {
        return Ok(Uploaded::Refused(File::Refused(
            "no file",
            "no file".to_owned(),
        )));
    };
    let Some(content) = &attachment.content else {
        return Ok(Uploaded::Refused(File::Refused(
            "no bytes",
            "no bytes".to_owned(),
        )));
    };
    let name = stored_name(&file_name(attachment), &entry.head.id);
    let folder = State::folder(cx.run());
    let path = format!("{folder}/{name}");
    let media_type = attachment.media_type.as_ref();
    let content = BlobRef {
        media_type: media_type.unwrap_or(&content.media_type).clone(),
        ..content.clone()
    };
    let options = json!({
        "access": config.file_access.word(), "overwrite": false,
        "duplicateValidationStrategy": "NONE", "duplicateValidationScope": "EXACT_FOLDER",
    });
    let parts = [
        part_file("file", name.as_str(), content.clone()),
        part_text("options", options.to_string()),
        part_text("folderPath", folder),
        part_text("fileName", name.as_str()),
    ];
    let part = format!("file:{}", entry.head.id);
    let key = key(item, part.as_str(), "upload");
    let request = cx
        .http()
        .write("POST", client::files("/files"), key)
        .multipart(parts);
    let making = Making {
        in_doubt_since,
        settle_ms: SETTLE_MS,
        created: 201,
    };
    let find = async || at_path(cx, &path).await;
    // Whatever is in the folder of this run under the id of this attachment is this run's.
    let made = http::make(
        request,
        making,
        |reply| reply.json(),
        find,
        |_: &Stored| true,
    )
    .await?;
    Ok(match made {
        Creation::There(stored, proof, key) => there(&part, &content, &stored, proof, key),
        Creation::Refused(fault) => {
            let fault: Fault = fault;
            let words = format!("HubSpot refuses it: {}", fault.said());
            fault.about_record()?;
            Uploaded::Refused(File::NotTaken(words))
        }
        Creation::Unsettled => Uploaded::Unsettled,
    })
}

fn there(
    part: &str,
    sent: &BlobRef,
    stored: &Stored,
    proof: Option<Proof>,
    key: OperationKey,
) -> Uploaded {
    let mut effect = made(part, FILES, stored.id.as_str(), proof, key);
    effect.fingerprint = Some(print(&stored.facets()));
    let file = if stored.size.is_none_or(|size| size == sent.size) {
        File::There {
            id: stored.id.clone(),
            url: stored.address(),
        }
    } else {
        File::NotTaken("other bytes have arrived than were sent".to_owned())
    };
    Uploaded::There(file, Box::new(effect))
}

async fn at_path(cx: &Context, path: &str) -> Result<Option<Stored>, Error> {
    let found: Option<Stored> = stat(cx, path, "file").await?;
    Ok(found.filter(|stored| !stored.archived))
}

/// One file; `None` where it is gone.
///
/// # Errors
/// What ends the unit.
pub async fn by_id(cx: &Context, id: &str) -> Result<Option<Stored>, Error> {
    let path = client::files(&format!("/files/{}", http::segment(id)));
    let found: Option<Stored> = client::find(cx, &path).await?;
    Ok(found.filter(|stored| !stored.archived))
}

/// Makes or finds the folders that files of this run go into, so that a rollback knows which were made (rule D-10).
///
/// # Errors
/// What ends the unit.
pub async fn folders(cx: &Context) -> Result<(), Error> {
    let whole = State::folder(cx.run());
    let mut parent = String::new();
    for name in whole.split('/').filter(|name| !name.is_empty()) {
        let path = format!("{parent}/{name}");
        let item = format!("own:folder:{path}");
        let find = async || folder_at(cx, &path).await;
        let effect = match find().await? {
            Some(folder) => {
                let of_run = path.contains(cx.run());
                effects::found(cx, FOLDERS, folder.id, of_run)
            }
            None => {
                let mut body = json!({"name": name});
                if let Some(members) = body.as_object_mut().filter(|_| !parent.is_empty()) {
                    members.insert("parentFolderPath".to_owned(), json!(parent));
                }
                let key = key(item.as_str(), "main", "create");
                let request = cx
                    .http()
                    .write("POST", client::files("/folders"), key)
                    .json(&body);
                let making = Making {
                    in_doubt_since: None,
                    settle_ms: SETTLE_MS,
                    created: 201,
                };
                // It was not there before this call looked.
                let ours = |_: &Folder| true;
                let made = http::make(request, making, |reply| reply.json(), find, ours).await?;
                match made {
                    Creation::There(folder, proof, key) => made_folder(folder, proof, key),
                    Creation::Refused(fault) => {
                        let fault: Fault = fault;
                        return Err(fault.rejection());
                    }
                    Creation::Unsettled => {
                        let why = "a folder was not answered".to_owned();
                        return Err(Error::Transient(why));
                    }
                }
            }
        };
        effects::own(cx, &item, vec![effect]).await?;
        parent = path;
    }
    Ok(())
}

fn made_folder(folder: Folder, proof: Option<Proof>, key: OperationKey) -> Effect {
    let absent = proof.map(|proof| match proof {
        Proof::Marker(_) => Proof::AbsentBefore,
        proof => proof,
    });
    made("main", FOLDERS, folder.id, absent, key)
}

/// A folder (HubSpot facts §12).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
struct Folder {
    id: String,
    archived: bool,
}

async fn folder_at(cx: &Context, path: &str) -> Result<Option<Folder>, Error> {
    let found: Option<Folder> = stat(cx, path, "folder").await?;
    Ok(found.filter(|folder| !folder.archived))
}

/// What is at a path, by key and not by search (HubSpot facts §12): the member that holds it.
async fn stat<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    member: &str,
) -> Result<Option<T>, Error> {
    let segments: Vec<String> = path.split('/').skip(1).map(http::segment).collect();
    let path = client::files(&format!("/files/stat/{}", segments.join("/")));
    let found: Option<Map<String, Value>> = client::find(cx, &path).await?;
    let there = found.and_then(|mut found| found.remove(member));
    let there = there.map(serde_json::from_value::<Option<T>>).transpose();
    let there = there.map_err(|_| Error::Bug(format!("a {member} of another shape")))?;
    Ok(there.flatten())
}

/// What a file is called there: its name with the attachment's id behind it. Letters and digits of any script stay, what a path
/// or a form could stumble over does not.
pub fn stored_name(name: &str, id: &str) -> String {
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if is_ending(ending) => (stem, format!(".{ending}")),
        _ => (name, String::new()),
    };
    let plain = |c: char| match c {
        c if c.is_alphanumeric() || matches!(c, '-' | '_') => c,
        _ => '_',
    };
    let stem: String = stem.chars().map(plain).take(STEM_CHARS).collect();
    let id: String = id.chars().map(plain).collect();
    format!("{stem}-{id}{ending}")
}

fn is_ending(ending: &str) -> bool {
    let plain = ending.bytes().all(|b| b.is_ascii_alphanumeric());
    plain && !ending.is_empty() && ending.len() <= ENDING_CHARS
}

/// The name that a file had, as far as it is kept: without the attachment's id.
pub fn original_name(stored: &Stored, id: &str) -> String {
    let suffix = stored_name("", id);
    let name = stored.name.clone().unwrap_or_default();
    let stem = name.strip_suffix(&suffix).unwrap_or(&name);
    match stored.extension.as_deref() {
        Some(ending) if !ending.is_empty() => format!("{stem}.{ending}"),
        _ => stem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_a_name_that_ends_in_its_id() {
        assert_eq!(
            stored_name("Rechnung März.pdf", "5f3a"),
            "Rechnung_März-5f3a.pdf"
        );
        assert_eq!(stored_name("a/../b\u{202e}\"c", "m/1"), "a____b__c-m_1");
        let stored = Stored {
            name: Some("Rechnung_März-5f3a".to_owned()),
            extension: Some("pdf".to_owned()),
            ..Stored::default()
        };
        assert_eq!(original_name(&stored, "5f3a"), "Rechnung_März.pdf");
    }
}
