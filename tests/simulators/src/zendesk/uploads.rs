//! Uploads, attachments and the files behind `content_url` (Zendesk facts §8).
//!
//! An upload token holds one file or several, lives for an hour and is used up by the first comment that takes it. The
//! body is read as a stream: size and SHA-256 are always kept, the bytes only if the configuration says so.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome, Payload};
use super::call::{Call, Limit};
use super::model::{File, Id};
use super::state::State;

/// A file by the token in its address.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// The file.
    pub file: File,
    /// Whether a comment or record has it; until then downloads are throttled.
    pub attached: bool,
}

/// An upload that no comment has taken yet.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    /// Its files.
    pub files: Vec<File>,
    /// When the token dies.
    pub expires_at: DateTime<Utc>,
}

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("POST", ["uploads"]) => post(call),
        ("DELETE", ["uploads", token]) => delete(call, token),
        ("GET", ["attachments", id]) => call.id(id).and_then(|id| {
            let file = by_id(call.state, id)?;
            Answer::ok(json!({"attachment": render(&call.base, &file)}))
        }),
        ("DELETE", ["attachments", id]) => call.id(id).and_then(|id| {
            let file = by_id(call.state, id)?;
            if call
                .state
                .files
                .get(&file.token)
                .is_some_and(|stored| stored.attached)
            {
                let text = "An attachment of a comment can only be redacted";
                return Err(Failure::invalid("base", text, None));
            }
            forget(call.state, &file);
            for upload in call.state.uploads.values_mut() {
                upload.files.retain(|other| other.id != id);
            }
            Answer::bare(204)
        }),
        _ => return None,
    })
}

fn by_id(state: &State, id: Id) -> Result<File, Failure> {
    let token = state.files_by_id.get(&id).ok_or(Failure::RecordNotFound)?;
    let stored = state.files.get(token).ok_or(Failure::RecordNotFound)?;
    Ok(stored.file.clone())
}

/// An attachment as answers show it.
pub(super) fn render(base: &str, file: &File) -> Value {
    let address = content_url(base, file);
    json!({
        "id": file.id,
        "url": format!("{base}/api/v2/attachments/{}", file.id),
        "file_name": file.name,
        "content_url": address,
        "mapped_content_url": address,
        "content_type": file.content_type,
        "size": file.size,
        "inline": file.inline,
        "deleted": false,
        "malware_access_override": false,
        "malware_scan_result": "not_scanned",
        "thumbnails": [],
    })
}

/// Where the bytes of a file are.
pub(super) fn content_url(base: &str, file: &File) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("name", &file.name);
    format!(
        "{base}/attachments/token/{}/?{}",
        file.token,
        query.finish()
    )
}

fn post(call: &mut Call<'_>) -> Outcome {
    let name = call
        .request
        .param("filename")
        .unwrap_or_default()
        .to_owned();
    if name.is_empty() {
        return Err(Failure::bad_request(
            "ParameterMissing",
            "Parameter filename is required",
        ));
    }
    let Some(streamed) = call.request.upload.clone() else {
        return Err(Failure::bad_request(
            "AttachmentUnprocessable",
            "The body cannot be read",
        ));
    };
    let switches = call.state.config.switches.clone();
    if streamed.size > switches.upload_max_bytes {
        // §8: too big is a 413 with the plain envelope.
        return Err(Failure::Plain {
            status: 413,
            error: "AttachmentTooLarge",
            description: "The attachment exceeds the maximum size".to_owned(),
        });
    }
    let now = call.state.now;
    let token = match call.request.param("token").map(str::to_owned) {
        // §8: several files may share a token.
        Some(token) => {
            let open = call
                .state
                .uploads
                .get(&token)
                .is_some_and(|u| u.expires_at > now);
            if !open {
                return Err(Failure::invalid(
                    "token",
                    "Token: is invalid",
                    Some("InvalidValue"),
                ));
            }
            token
        }
        None => call.state.token(25),
    };
    let content_type = call
        .request
        .header("content-type")
        .unwrap_or("application/octet-stream");
    let file = store(call.state, name, content_type.to_owned(), streamed);
    let upload = call
        .state
        .uploads
        .entry(token.clone())
        .or_insert_with(|| Upload {
            files: Vec::new(),
            expires_at: now + switches.upload_life,
        });
    upload.files.push(file.clone());
    let all: Vec<Value> = upload
        .files
        .iter()
        .map(|file| render(&call.base, file))
        .collect();
    Answer::created(json!({"upload": {
        "token": token,
        "attachment": render(&call.base, &file),
        "attachments": all,
        "expires_at": super::attributes::iso(now + switches.upload_life),
    }}))
}

/// Keeps a file.
pub(super) fn store(
    state: &mut State,
    name: String,
    content_type: String,
    streamed: crate::common::Streamed,
) -> File {
    let file = File {
        id: state.next_id(),
        token: state.token(25),
        name,
        content_type,
        size: streamed.size,
        sha256: streamed.sha256,
        inline: false,
        content: streamed.content,
    };
    state.files_by_id.insert(file.id, file.token.clone());
    state.files.insert(
        file.token.clone(),
        Stored {
            file: file.clone(),
            attached: false,
        },
    );
    file
}

fn delete(call: &mut Call<'_>, token: &str) -> Outcome {
    let upload = call
        .state
        .uploads
        .remove(token)
        .ok_or(Failure::RecordNotFound)?;
    for file in &upload.files {
        forget(call.state, file);
    }
    Answer::bare(204)
}

/// Drops a file for good.
pub(super) fn forget(state: &mut State, file: &File) {
    state.files.remove(&file.token);
    state.files_by_id.remove(&file.id);
}

/// Whether a token can still be used.
pub(super) fn usable(state: &State, token: &str) -> bool {
    state
        .uploads
        .get(token)
        .is_some_and(|upload| upload.expires_at > state.now)
}

/// Uses up the tokens for a comment with this HTML. Files whose address is in the HTML are inline.
pub(super) fn take(state: &mut State, tokens: &[String], html: &str) -> Vec<File> {
    let mut files = Vec::new();
    for token in tokens
        .iter()
        .filter(|token| usable(state, token))
        .cloned()
        .collect::<Vec<_>>()
    {
        let Some(upload) = state.uploads.remove(&token) else {
            continue;
        };
        for mut file in upload.files {
            file.inline = html.contains(&file.token);
            let stored = Stored {
                file: file.clone(),
                attached: true,
            };
            state.files.insert(file.token.clone(), stored);
            files.push(file);
        }
    }
    files
}

/// `GET /attachments/token/{token}/?name=`: the bytes. No authentication, the token is the secret.
pub(super) fn download(call: &mut Call<'_>, token: &str) -> Outcome {
    call.limit(Limit::Download, "")?;
    let stored = call
        .state
        .files
        .get(token)
        .cloned()
        .ok_or(Failure::RecordNotFound)?;
    if !stored.attached {
        // §8: a link that no comment carries is throttled.
        call.limit(Limit::LooseDownload, token)?;
    }
    let bytes = stored.file.content.ok_or(Failure::RecordNotFound)?;
    let name = stored.file.name.chars();
    let plain = |c: char| c.is_ascii_graphic() && c != '"';
    let name: String = name.map(|c| if plain(c) { c } else { '_' }).collect();
    let file = Payload::File {
        content_type: stored.file.content_type,
        bytes,
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(Answer::of(200, file).with("content-disposition", disposition))
}
