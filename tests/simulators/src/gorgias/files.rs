//! Uploaded files (Gorgias facts §9). Nothing deletes them.

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome, Payload};
use super::call::{Call, Part};
use super::model::File;
use super::state::State;

/// What an upload can be for; the first is the default, and private.
const KINDS: [&str; 4] = [
    "attachment",
    "public_attachment",
    "profile_picture",
    "widget_picture",
];

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["upload"], "POST") => post(call),
        ([kind, "download", hash, name], "GET") if KINDS.contains(kind) => {
            let found = find(call.state, hash, name);
            match found.filter(|file| file.kind == *kind) {
                Some(file) => bytes(file),
                None => Err(Failure::NotFound),
            }
        }
        (["upload"], _) => Err(Failure::Method),
        ([kind, "download", _, _], _) if KINDS.contains(kind) => Err(Failure::Method),
        _ => return None,
    })
}

/// `GET /attachments/{domain hash}/{name}`: what is public needs no credentials; the rest is not there for strangers.
pub(super) fn public(state: &State, hash: &str, name: &str) -> Outcome {
    let found = find(state, hash, name);
    match found {
        Some(file) if file.kind != "attachment" => bytes(file),
        Some(_) => Err(Failure::Forbidden),
        None => Err(Failure::NotFound),
    }
}

fn bytes(file: &File) -> Outcome {
    let bytes = file.content.clone().ok_or(Failure::NotFound)?;
    let file = Payload::File {
        content_type: file.content_type.clone(),
        bytes,
    };
    Ok(Answer::of(200, file))
}

/// The last part of an address is the file's token and its name.
fn find<'s>(state: &'s State, hash: &str, name: &str) -> Option<&'s File> {
    let (token, _) = name.split_once('-')?;
    state.files.get(token).filter(|_| hash == state.domain_hash)
}

/// The uploaded file of an address, as a message names it.
pub(super) fn by_url<'s>(state: &'s State, url: &str) -> Option<&'s File> {
    let (rest, name) = url.rsplit_once('/')?;
    let (_, hash) = rest.rsplit_once('/')?;
    find(state, hash, name)
}

/// Letters that need no escape in an address; everything else becomes `_`.
fn in_address(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
    name.chars()
        .map(|c| if safe(c) { c } else { '_' })
        .collect()
}

/// `POST /upload?type=`: one file or several, the name of each part being the file's label.
fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["type"]])?;
    let msg = "Failed to upload files";
    let kind = call
        .request
        .param("type")
        .unwrap_or("attachment")
        .to_owned();
    if !KINDS.contains(&kind.as_str()) {
        return Err(Failure::invalid(msg, "type", "Not a valid choice."));
    }
    let parts = call.request.files.clone();
    if parts.is_empty() {
        return Err(Failure::invalid(msg, "_schema", "No file was uploaded."));
    }
    let limit = call.state.config.switches.upload_max_bytes;
    if parts.iter().any(|part| part.size > limit) {
        return Err(Failure::TooLarge);
    }
    let base = call.base.clone();
    let files: Vec<Value> = parts
        .into_iter()
        .map(|part| {
            let file = store(call.state, &base, &kind, part);
            let size = if call.state.config.switches.upload_size_text {
                json!(file.size.to_string())
            } else {
                json!(file.size)
            };
            json!({
                "url": file.url, "name": file.name, "content_type": file.content_type, "size": size,
            })
        })
        .collect();
    Answer::created(Value::Array(files))
}

/// Keeps a file. Its address is at `gorgias.io`, not at the account's own host.
fn store(state: &mut State, base: &str, kind: &str, part: Part) -> File {
    let token = state.token(24);
    let host = if base.ends_with(".gorgias.com") {
        "https://gorgias.io"
    } else {
        base
    };
    let name = in_address(&part.name);
    let file = File {
        url: format!("{host}/attachments/{}/{token}-{name}", state.domain_hash),
        token,
        name: part.name,
        content_type: part.content_type,
        size: part.size,
        sha256: part.sha256,
        kind: kind.to_owned(),
        content: part.content,
    };
    state.files.insert(file.token.clone(), file.clone());
    file
}
