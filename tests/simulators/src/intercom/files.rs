//! Attachments: sent as files or as addresses, downloaded by addresses that end (Intercom facts §5, §8.2, §9).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Failure, Outcome, Payload};
use super::call::Request;
use super::model::{Attachment, Id};
use super::read::Reader;
use super::state::State;
use super::switches::ForeignAddresses;

/// Files of one message (§8.2).
const MOST: usize = 10;
/// The host of downloads.
const HOST: &str = "https://downloads.intercomcdn.com";

/// The attachments that a body names; files count where `with_files`, and then win over addresses where both are there (§8.4).
pub(super) fn read(
    state: &mut State,
    base: &str,
    reader: Reader<'_>,
    with_files: bool,
) -> Result<Vec<Attachment>, Failure> {
    let urls = reader.list("attachment_urls")?;
    let files = reader.list("attachment_files")?.filter(|_| with_files);
    for (key, list) in [("attachment_urls", urls), ("attachment_files", files)] {
        if list.is_some_and(|list| list.len() > MOST) {
            return Err(Failure::field(
                key,
                format!("{key} can have at most {MOST} items"),
            ));
        }
    }
    let mut read = Vec::new();
    if let Some(files) = files.filter(|files| !files.is_empty()) {
        for value in files {
            read.push(sent(state, Reader::new(value)?)?);
        }
    } else {
        for value in urls.into_iter().flatten() {
            let url = value.as_str().filter(|url| url.starts_with("http"));
            let url = url
                .ok_or_else(|| Failure::field("attachment_urls", "attachment_urls must be URLs"))?;
            read.extend(fetched(state, base, url)?);
        }
    }
    for file in &read {
        state.files.insert(file.id, file.clone());
    }
    Ok(read)
}

fn sent(state: &mut State, reader: Reader<'_>) -> Result<Attachment, Failure> {
    let invalid = || {
        Failure::field(
            "attachment_files",
            "attachment_files need content_type, name and base64 data",
        )
    };
    let name = reader
        .text("name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(invalid)?;
    let content_type = reader.text("content_type")?.ok_or_else(invalid)?;
    let data = reader
        .raw("data")
        .and_then(Value::as_str)
        .ok_or_else(invalid)?;
    let bytes = STANDARD.decode(data).map_err(|_| invalid())?;
    let size = bytes.len() as u64;
    if state
        .config
        .switches
        .attachment_max_bytes
        .is_some_and(|most| size > most)
    {
        return Err(Failure::field(
            "attachment_files",
            "The attachment is too large",
        ));
    }
    Ok(Attachment {
        id: state.next_id(),
        name,
        content_type,
        size,
        sha256: hex::encode(Sha256::digest(&bytes)),
        content: state.config.keep_files.then(|| bytes.into()),
        source_url: None,
    })
}

/// An attachment from an address: ours is copied, what cannot be reached is as the switch says.
fn fetched(state: &mut State, base: &str, url: &str) -> Result<Option<Attachment>, Failure> {
    let own = own_path(base, url).and_then(|path| find(state, path));
    if let Some(own) = own.cloned() {
        return Ok(Some(Attachment {
            id: state.next_id(),
            source_url: Some(url.to_owned()),
            ..own
        }));
    }
    match state.config.switches.foreign_addresses {
        ForeignAddresses::Dropped => Ok(None),
        ForeignAddresses::Refused => Err(Failure::field(
            "attachment_urls",
            "The attachment could not be fetched",
        )),
        ForeignAddresses::Linked => {
            let path = url.split(['?', '#']).next().unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default();
            Ok(Some(Attachment {
                id: state.next_id(),
                name: name.to_owned(),
                content_type: "application/octet-stream".to_owned(),
                size: 0,
                sha256: String::new(),
                content: None,
                source_url: Some(url.to_owned()),
            }))
        }
    }
}

/// The path of an address of ours.
fn own_path<'u>(base: &str, url: &'u str) -> Option<&'u str> {
    url.strip_prefix(HOST).or_else(|| url.strip_prefix(base))
}

/// The file behind a path of ours.
fn find<'s>(state: &'s State, path: &str) -> Option<&'s Attachment> {
    let rest = path.strip_prefix("/i/o/")?;
    let id: Id = rest.split(['/', '?']).next()?.parse().ok()?;
    state.files.get(&id)
}

/// The file behind an address that an answer showed.
pub(super) fn behind<'s>(state: &'s State, url: &str) -> Option<&'s Attachment> {
    let at = url.find("/i/o/")?;
    find(state, url.get(at..)?)
}

/// An attachment as answers show it; its address works for a while (§8.2 [?]).
pub(super) fn render(state: &State, base: &str, file: &Attachment) -> Value {
    // §5: what was not fetched stays a link to where it is.
    let url = match &file.source_url {
        Some(url) if file.sha256.is_empty() => url.clone(),
        _ => {
            let host = if base.ends_with("intercom.io") {
                HOST
            } else {
                base
            };
            let ends = state.now() + state.config.switches.attachment_url_life.num_seconds();
            let signature = signature(file, ends);
            format!(
                "{host}/i/o/{}/{}?expires={ends}&signature={signature}",
                file.id,
                in_address(&file.name)
            )
        }
    };
    json!({
        "type": "upload", "name": file.name, "url": url, "content_type": file.content_type,
        "filesize": file.size, "width": null, "height": null,
    })
}

fn signature(file: &Attachment, ends: i64) -> String {
    let digest = Sha256::digest(format!("{} {} {ends}", file.id, file.sha256));
    hex::encode(digest).chars().take(32).collect()
}

/// Letters that need no escape in an address; everything else becomes `_`.
fn in_address(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

/// A download; it is no call of the API.
pub(super) fn download(state: &State, request: &Request, id: &str) -> Outcome {
    let gone = || Failure::new(404, "not_found", "Not found");
    if state.config.switches.attachment_refuses_authorization
        && request.header("authorization").is_some()
    {
        return Err(Failure::new(
            400,
            "bad_request",
            "Only one authentication mechanism is allowed",
        ));
    }
    let file = id
        .parse()
        .ok()
        .and_then(|id: Id| state.files.get(&id))
        .ok_or_else(gone)?;
    let ends: Option<i64> = request.param("expires").and_then(|text| text.parse().ok());
    let ends =
        ends.filter(|ends| Some(signature(file, *ends).as_str()) == request.param("signature"));
    if ends.is_none_or(|ends| ends < state.now()) {
        return Err(Failure::new(403, "forbidden", "Request has expired"));
    }
    let bytes = file.content.clone().ok_or_else(gone)?;
    let file = Payload::File {
        content_type: file.content_type.clone(),
        bytes,
    };
    Ok(Answer::of(200, file))
}
