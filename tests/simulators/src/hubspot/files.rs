//! Files and folders (HubSpot facts §12).

use bytes::Bytes;
use chrono::Duration;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, Upload, Version, required};
use super::model::{File, Folder, Id};
use super::state::{Event, ImportTask, State, iso};
use super::switches::Plan;

/// Extensions that are refused [MEM].
const BLOCKED: [&str; 12] = [
    "exe", "bat", "cmd", "com", "msi", "scr", "sh", "jar", "dll", "vbs", "ps1", "app",
];
/// The largest file of a free account [MEM].
const FREE_BYTES: u64 = 20 * 1024 * 1024;
/// How long an import from an address takes [INF].
const IMPORT: Duration = Duration::seconds(5);

/// Where a file goes and how.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    folder: Option<Id>,
    name: String,
    extension: String,
    access: String,
    overwrite: bool,
    strategy: String,
    whole_portal: bool,
    url: String,
}

/// Answers a request about files, given the path behind `files`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    call.scope(&["files"])?;
    let method = call.request.method.clone();
    // §1.2: 2026-09 has no upload, read or deletion of a single file.
    let single = call.version != Version::September2026;
    match (method.as_str(), path) {
        ("POST", []) if single => upload(call),
        ("GET", ["search"]) => search(call),
        ("GET", ["stat", path @ ..]) => stat(call, &path.join("/")),
        ("POST", ["import-from-url", "async"]) => import(call),
        ("GET", ["import-from-url", "async", "tasks", task, "status"]) => import_status(call, task),
        ("GET", [id]) if single => Answer::ok(render(find(call.state, id)?, call)),
        ("PATCH", [id]) if single => patch(call, id),
        ("DELETE", [id]) if single => {
            let id = find(call.state, id)?.id;
            hide(call.state, id);
            Ok(Answer::empty(204))
        }
        ("DELETE", [id, "gdpr-delete"]) if single => {
            let id = find(call.state, id)?.id;
            hide(call.state, id);
            // §12: erased within seven days.
            call.state.schedule(Duration::days(7), Event::EraseFile(id));
            Ok(Answer::empty(204))
        }
        ("GET", [id, "signed-url"]) if single => signed(call, id),
        (_, [] | [_] | [_, "gdpr-delete" | "signed-url"]) if single => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn find<'s>(state: &'s State, id: &str) -> Result<&'s File, Failure> {
    let found = id.parse().ok().and_then(|id| state.files.get(&id));
    found
        .filter(|file| file.archived.is_none())
        .ok_or_else(Failure::not_found)
}

fn address(state: &State, base: &str, file: &File) -> String {
    let path: Vec<String> = file
        .path
        .trim_start_matches('/')
        .split('/')
        .map(|part| {
            url::form_urlencoded::byte_serialize(part.as_bytes())
                .collect::<String>()
                .replace('+', "%20")
        })
        .collect();
    format!("{base}/hubfs/{}/{}", state.config.portal_id, path.join("/"))
}

fn kind(extension: &str) -> &'static str {
    match extension {
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" | "bmp" | "heic" => "IMG",
        "mp3" | "wav" | "ogg" | "m4a" => "AUDIO",
        "mp4" | "mov" | "avi" | "webm" => "MOVIE",
        "pdf" | "doc" | "docx" | "xls" | "xlsx" | "ppt" | "pptx" | "txt" | "csv" => "DOCUMENT",
        _ => "OTHER",
    }
}

fn render(file: &File, call: &Call<'_>) -> Value {
    let url = address(call.state, &call.base, file);
    let kind = kind(&file.extension);
    json!({
        "id": file.id.to_string(), "createdAt": iso(file.created), "updatedAt": iso(file.updated),
        "archived": file.archived.is_some(), "parentFolderId": file.folder.map(|id| id.to_string()),
        "name": file.name, "path": file.path, "size": file.size,
        "encoding": (kind == "IMG").then_some(&file.extension), "type": kind, "extension": file.extension,
        "defaultHostingUrl": url, "url": url, "isUsableInContent": true, "access": file.access,
        "fileMd5": file.md5, "sourceGroup": "CONTENT",
    })
}

/// What the `options` of an upload, or the body of an import, say.
fn wanted(options: &Map<String, Value>) -> Result<Wanted, Failure> {
    let text = |name: &str| options.get(name).and_then(Value::as_str);
    let access = required(options, "access")?.to_owned();
    if !matches!(
        access.as_str(),
        "PUBLIC_INDEXABLE" | "PUBLIC_NOT_INDEXABLE" | "PRIVATE"
    ) {
        return Err(Failure::validation(format!(
            "access {access} cannot be set"
        )));
    }
    let strategy = text("duplicateValidationStrategy")
        .unwrap_or("NONE")
        .to_owned();
    if !matches!(strategy.as_str(), "NONE" | "REJECT" | "RETURN_EXISTING") {
        return Err(Failure::validation(format!(
            "duplicateValidationStrategy {strategy}"
        )));
    }
    let whole_portal = match text("duplicateValidationScope") {
        None | Some("EXACT_FOLDER") => false,
        Some("ENTIRE_PORTAL") => true,
        Some(other) => {
            return Err(Failure::validation(format!(
                "duplicateValidationScope {other}"
            )));
        }
    };
    Ok(Wanted {
        folder: None,
        name: String::new(),
        extension: String::new(),
        access,
        overwrite: options
            .get("overwrite")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        strategy,
        whole_portal,
        url: String::new(),
    })
}

fn split_name(name: &str) -> (String, String) {
    let name = name.replace('/', "_");
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => {
            (stem.to_owned(), extension.to_lowercase())
        }
        _ => (name, String::new()),
    }
}

/// The folder that a call names by id or path; one that is not there is made.
fn place(state: &mut State, id: Option<&str>, path: Option<&str>) -> Result<Option<Id>, Failure> {
    match (
        id.filter(|id| !id.is_empty()),
        path.filter(|path| !path.is_empty()),
    ) {
        (Some(id), None) => {
            let found = id.parse().ok().and_then(|id| state.folders.get(&id));
            let found = found.filter(|folder| folder.archived.is_none());
            Ok(Some(found.map(|f| f.id).ok_or_else(|| {
                Failure::validation(format!("There is no folder {id}"))
            })?))
        }
        (None, Some(path)) => Ok(folder_at(state, path)),
        (Some(_), Some(_)) => Err(Failure::validation(
            "Either folderId or folderPath can be given, not both",
        )),
        (None, None) => Err(Failure::validation("folderId or folderPath is required")),
    }
}

/// The folder of a path, made where it is not there; none for the root.
fn folder_at(state: &mut State, path: &str) -> Option<Id> {
    let mut parent = None;
    for name in path.split('/').filter(|part| !part.is_empty()) {
        parent = Some(match child(state, parent, name) {
            Some(id) => id,
            None => make_folder(state, parent, name),
        });
    }
    parent
}

fn path_in(state: &State, parent: Option<Id>, name: &str) -> String {
    let parent = parent
        .and_then(|id| state.folders.get(&id))
        .map_or("", |f| f.path.as_str());
    format!("{parent}/{name}")
}

fn child(state: &State, parent: Option<Id>, name: &str) -> Option<Id> {
    let path = path_in(state, parent, name).to_lowercase();
    state.folders_by_path.get(&path).copied()
}

fn make_folder(state: &mut State, parent: Option<Id>, name: &str) -> Id {
    let (id, path) = (state.next_id(), path_in(state, parent, name));
    let folder = Folder {
        id,
        parent,
        name: name.to_owned(),
        path: path.clone(),
        created: state.now,
        archived: None,
    };
    state.folders_by_path.insert(path.to_lowercase(), id);
    state.folders.insert(id, folder);
    id
}

fn upload(call: &mut Call<'_>) -> Outcome {
    let file = call.request.file.clone();
    let file =
        file.ok_or_else(|| Failure::validation("A multipart form with the part file is required"))?;
    let options = call.request.field("options").unwrap_or("null");
    let options: Value = serde_json::from_str(options)
        .map_err(|error| Failure::input(format!("options: {error}")))?;
    let options = options
        .as_object()
        .ok_or_else(|| Failure::validation("The part options is required"))?;
    let mut wanted = wanted(options)?;
    let (id, path) = (
        call.request.field("folderId").map(str::to_owned),
        call.request.field("folderPath").map(str::to_owned),
    );
    let name = call
        .request
        .field("fileName")
        .filter(|name| !name.is_empty())
        .unwrap_or(&file.name);
    (wanted.name, wanted.extension) = split_name(name);
    if wanted.extension.is_empty() {
        // A name without an extension takes that of the file.
        wanted.extension = split_name(&file.name).1;
    }
    check(call.state, &wanted.extension, file.size)?;
    wanted.folder = place(call.state, id.as_deref(), path.as_deref())?;
    let id = store(call.state, &wanted, file)?;
    let file = call.state.files.get(&id).ok_or_else(Failure::not_found)?;
    Ok(Answer::json(201, render(file, call)))
}

fn check(state: &State, extension: &str, size: u64) -> Result<(), Failure> {
    let most = match state.config.plan {
        Plan::Free => FREE_BYTES,
        _ => state.config.switches.file_max_bytes,
    };
    if size > most {
        return Err(Failure::new(
            413,
            "VALIDATION_ERROR",
            format!("The file has {size} bytes, more than {most}"),
        ));
    }
    if BLOCKED.contains(&extension) {
        let message = format!("Files of the type {extension} cannot be uploaded");
        return Err(Failure::validation(message).sub("FileUploadError.BLOCKED_TYPE"));
    }
    Ok(())
}

/// Stores a file as wanted; its id, or that of the same one that was there.
fn store(state: &mut State, wanted: &Wanted, file: Upload) -> Result<Id, Failure> {
    let same = state.files_by_md5.get(&file.md5).into_iter().flatten();
    let same = same
        .filter_map(|id| state.files.get(id))
        .filter(|f| f.archived.is_none());
    let same = same
        .filter(|f| wanted.whole_portal || f.folder == wanted.folder)
        .map(|f| f.id)
        .next();
    match (same, wanted.strategy.as_str()) {
        (Some(id), "RETURN_EXISTING") => return Ok(id),
        (Some(id), "REJECT") => {
            let message = format!("The same file is there already: {id}");
            return Err(Failure::new(409, "CONFLICT", message).sub("FileUploadError.DUPLICATE"));
        }
        _ => {}
    }
    let full = |stem: &str| {
        if wanted.extension.is_empty() {
            stem.to_owned()
        } else {
            format!("{stem}.{}", wanted.extension)
        }
    };
    let mut name = wanted.name.clone();
    let mut path = path_in(state, wanted.folder, &full(&name));
    if let Some(id) = state.files_by_path.get(&path.to_lowercase()).copied() {
        if wanted.overwrite {
            if let Some(old) = state.files.get_mut(&id) {
                let before = std::mem::replace(&mut old.md5, file.md5.clone());
                (old.size, old.sha256, old.content) = (file.size, file.sha256, file.content);
                (old.access, old.content_type) = (wanted.access.clone(), file.content_type);
                old.updated = state.now;
                if let Some(ids) = state.files_by_md5.get_mut(&before) {
                    ids.remove(&id);
                }
                state.files_by_md5.entry(file.md5).or_default().insert(id);
            }
            return Ok(id);
        }
        // §12: the same name in a folder gets a suffix.
        let free = (1_u32..)
            .map(|n| format!("{}-{n}", wanted.name))
            .find(|stem| {
                let path = path_in(state, wanted.folder, &full(stem)).to_lowercase();
                !state.files_by_path.contains_key(&path)
            });
        name = free.unwrap_or(name);
        path = path_in(state, wanted.folder, &full(&name));
    }
    let id = state.next_id();
    state.files_by_path.insert(path.to_lowercase(), id);
    state
        .files_by_md5
        .entry(file.md5.clone())
        .or_default()
        .insert(id);
    let made = File {
        id,
        folder: wanted.folder,
        name,
        extension: wanted.extension.clone(),
        path,
        access: wanted.access.clone(),
        content_type: file.content_type,
        size: file.size,
        md5: file.md5,
        sha256: file.sha256,
        content: file.content,
        created: state.now,
        updated: state.now,
        archived: None,
    };
    state.files.insert(id, made);
    Ok(id)
}

/// §12: the content cannot be reached any more, the bytes are kept.
fn hide(state: &mut State, id: Id) {
    let now = state.now;
    if let Some(file) = state.files.get_mut(&id) {
        file.archived = Some(now);
        let path = file.path.to_lowercase();
        if state.files_by_path.get(&path) == Some(&id) {
            state.files_by_path.remove(&path);
        }
    }
}

/// The bytes of a file are gone.
pub(super) fn erase(state: &mut State, id: Id) {
    if let Some(file) = state.files.remove(&id)
        && let Some(ids) = state.files_by_md5.get_mut(&file.md5)
    {
        ids.remove(&id);
    }
}

fn patch(call: &mut Call<'_>, id: &str) -> Outcome {
    let id = find(call.state, id)?.id;
    let members = [
        "access",
        "name",
        "parentFolderId",
        "parentFolderPath",
        "isUsableInContent",
        "expiresAt",
        "clearExpires",
    ];
    let body = call.body(&members)?.clone();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if let Some(access) = text("access")
        && !matches!(
            access,
            "PUBLIC_INDEXABLE" | "PUBLIC_NOT_INDEXABLE" | "PRIVATE"
        )
    {
        return Err(Failure::validation(format!(
            "access {access} cannot be set"
        )));
    }
    let moves = text("parentFolderId")
        .or_else(|| text("parentFolderPath"))
        .is_some();
    let folder = if moves {
        place(call.state, text("parentFolderId"), text("parentFolderPath"))?
    } else {
        find(call.state, &id.to_string())?.folder
    };
    let Some(mut file) = call.state.files.get(&id).cloned() else {
        return Err(Failure::not_found());
    };
    if let Some(access) = text("access") {
        file.access = access.to_owned();
    }
    if let Some(name) = text("name") {
        file.name = name.replace('/', "_");
    }
    let full = if file.extension.is_empty() {
        file.name.clone()
    } else {
        format!("{}.{}", file.name, file.extension)
    };
    let path = path_in(call.state, folder, &full);
    let taken = call
        .state
        .files_by_path
        .get(&path.to_lowercase())
        .is_some_and(|other| *other != id);
    if taken {
        return Err(Failure::new(
            409,
            "CONFLICT",
            format!("There is a file {path} already"),
        ));
    }
    call.state.files_by_path.remove(&file.path.to_lowercase());
    call.state.files_by_path.insert(path.to_lowercase(), id);
    (file.folder, file.path, file.updated) = (folder, path, call.state.now);
    let json = render(&file, call);
    call.state.files.insert(id, file);
    Answer::ok(json)
}

fn search(call: &mut Call<'_>) -> Outcome {
    let lower = |name: &str| call.request.param(name).map(str::to_lowercase);
    let (path, name, folder) = (lower("path"), lower("name"), lower("parentFolderIds"));
    let state = &*call.state;
    let fits = |file: &&File| {
        file.archived.is_none()
            && path.as_ref().is_none_or(|path| {
                file.path.to_lowercase() == format!("/{}", path.trim_start_matches('/'))
            })
            && name
                .as_ref()
                .is_none_or(|name| file.name.to_lowercase().contains(name))
            && folder
                .as_ref()
                .is_none_or(|folder| file.folder.is_some_and(|id| id.to_string() == *folder))
    };
    let all = |after: Option<Id>| {
        // A path has at most one file: no need to look at all of them.
        let by_path = path
            .as_ref()
            .map(|path| format!("/{}", path.trim_start_matches('/')));
        match by_path {
            Some(path) => {
                let id = state.files_by_path.get(&path).copied();
                let file = id.and_then(|id| state.files.get(&id)).filter(fits);
                file.filter(|f| after.is_none_or(|after| f.id > after))
                    .map(|f| (f.id, f))
                    .into_iter()
                    .collect()
            }
            None => {
                let from = after.map_or(0, |id| id + 1);
                state
                    .files
                    .range(from..)
                    .map(|(id, file)| (*id, file))
                    .filter(|(_, file)| fits(file))
                    .collect()
            }
        }
    };
    let call = &*call;
    call.page(10, 100, all, |file| render(file, call))
}

fn stat(call: &mut Call<'_>, path: &str) -> Outcome {
    let path = format!("/{}", path.trim_matches('/')).to_lowercase();
    if let Some(file) = call
        .state
        .files_by_path
        .get(&path)
        .and_then(|id| call.state.files.get(id))
    {
        return Answer::ok(json!({"file": render(file, call)}));
    }
    let folder = call
        .state
        .folders_by_path
        .get(&path)
        .and_then(|id| call.state.folders.get(id));
    Answer::ok(json!({"folder": render_folder(folder.ok_or_else(Failure::not_found)?)}))
}

fn signed(call: &mut Call<'_>, id: &str) -> Outcome {
    let file = find(call.state, id)?.clone();
    if file.access.starts_with("HIDDEN") {
        call.scope(&["files.ui_hidden.read"])?;
    }
    let life = match call
        .request
        .param("expirationSeconds")
        .map(str::parse::<i64>)
    {
        None => call.state.config.switches.signed_url_life,
        Some(Ok(seconds)) if seconds > 0 => Duration::seconds(seconds),
        Some(_) => {
            return Err(Failure::validation(
                "expirationSeconds must be a positive number",
            ));
        }
    };
    let end = call.state.now + life;
    let token = call.state.hex(40);
    call.state.signed.insert(token.clone(), (file.id, end));
    Answer::ok(json!({
        "expiresAt": iso(end), "name": file.name, "extension": file.extension, "type": kind(&file.extension),
        "size": file.size, "url": format!("{}/filemanager/signed/{token}", call.base),
    }))
}

/// The bytes of a public file, or of any by a signed address; no credential is looked at (§12).
pub(super) fn download(state: &State, path: &[&str]) -> Outcome {
    let file = match path {
        ["filemanager", "signed", token] => {
            let known = state.signed.get(*token).filter(|(_, end)| *end > state.now);
            known
                .and_then(|(id, _)| state.files.get(id))
                .filter(|file| file.archived.is_none())
        }
        ["hubfs", portal, rest @ ..] if *portal == state.config.portal_id.to_string() => {
            let path = format!("/{}", rest.join("/")).to_lowercase();
            let file = state
                .files_by_path
                .get(&path)
                .and_then(|id| state.files.get(id));
            // §12: private files are not found.
            file.filter(|file| file.access.starts_with("PUBLIC"))
        }
        _ => None,
    };
    let file = file.ok_or_else(Failure::no_route)?;
    match &file.content {
        Some(content) => Ok(Answer::file(200, &file.content_type, content.clone())),
        None => Err(Failure::new(410, "", "The simulator does not keep bytes")),
    }
}

// ---- imports

fn import(call: &mut Call<'_>) -> Outcome {
    let members = [
        "url",
        "access",
        "folderPath",
        "folderId",
        "name",
        "overwrite",
        "duplicateValidationStrategy",
        "duplicateValidationScope",
        "ttl",
        "expiresAt",
    ];
    let body = call.body(&members)?.clone();
    let mut wanted = wanted(&body)?;
    wanted.url = required(&body, "url")?.to_owned();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let last = wanted
        .url
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let (stem, extension) = split_name(&last);
    wanted.name = text("name").map_or(stem, |name| split_name(name).0);
    wanted.extension = extension;
    wanted.folder = place(call.state, text("folderId"), text("folderPath"))?;
    let id = call.state.next_id();
    let task = ImportTask {
        started: call.state.now,
        completed: None,
        wanted,
        result: None,
    };
    call.state.imports.insert(id, task);
    call.state.schedule(IMPORT, Event::Import(id));
    let link = format!("{}{}/tasks/{id}/status", call.base, call.request.raw_path);
    Ok(Answer::json(
        202,
        json!({"id": id.to_string(), "links": {"status": link}}),
    ))
}

/// Ends an import: nothing is fetched from a network, only what a test has put at the address is there.
pub(super) fn finish_import(state: &mut State, task: Id) {
    let Some(wanted) = state.imports.get(&task).map(|task| task.wanted.clone()) else {
        return;
    };
    let result = match state.remote.get(&wanted.url).cloned() {
        Some(bytes) => {
            let file = measured(
                &wanted.name,
                "application/octet-stream",
                bytes,
                state.config.keep_files,
            );
            let stored = check(state, &wanted.extension, file.size)
                .and_then(|()| store(state, &wanted, file));
            stored.map_err(|failure| failure.message)
        }
        None => Err(format!("Could not fetch {}", wanted.url)),
    };
    let now = state.now;
    if let Some(task) = state.imports.get_mut(&task) {
        task.result = Some(result);
        task.completed = Some(now);
    }
}

/// Bytes as an upload.
pub(super) fn measured(name: &str, content_type: &str, bytes: Bytes, keep: bool) -> Upload {
    Upload {
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        size: bytes.len() as u64,
        md5: hex::encode(<md5::Md5 as md5::Digest>::digest(&bytes)),
        sha256: hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes)),
        content: keep.then_some(bytes),
    }
}

fn import_status(call: &mut Call<'_>, task: &str) -> Outcome {
    let found = task
        .parse()
        .ok()
        .and_then(|id: Id| call.state.imports.get(&id));
    let found = found.ok_or_else(Failure::not_found)?;
    let mut body = json!({
        "taskId": task, "status": if found.completed.is_some() { "COMPLETE" } else { "PROCESSING" },
        "requestedAt": iso(found.started), "startedAt": iso(found.started),
        "completedAt": iso(found.completed.unwrap_or(found.started)),
    });
    if let (Some(result), Some(map)) = (&found.result, body.as_object_mut()) {
        match result {
            Ok(id) => {
                let file = call.state.files.get(id).map(|file| render(file, call));
                map.insert("result".to_owned(), json!(file));
            }
            Err(message) => {
                map.insert("numErrors".to_owned(), json!(1));
                let error = Failure::new(400, "IMPORT_FAILED", message.clone()).in_batch();
                map.insert("errors".to_owned(), json!([error]));
            }
        }
    }
    Answer::ok(body)
}

// ---- folders

fn render_folder(folder: &Folder) -> Value {
    json!({
        "id": folder.id.to_string(), "createdAt": iso(folder.created), "updatedAt": iso(folder.created),
        "archived": folder.archived.is_some(), "parentFolderId": folder.parent.map(|id| id.to_string()),
        "name": folder.name, "path": folder.path,
    })
}

/// Answers a request about folders, given the path behind `folders`.
pub(super) fn folders(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    call.scope(&["files"])?;
    let method = call.request.method.clone();
    let live = |id: &str| -> Result<Folder, Failure> {
        let found = id
            .parse()
            .ok()
            .and_then(|id: Id| call.state.folders.get(&id));
        found
            .filter(|f| f.archived.is_none())
            .cloned()
            .ok_or_else(Failure::not_found)
    };
    match (method.as_str(), path) {
        ("POST", []) => {
            let body = call
                .body(&["name", "parentFolderId", "parentFolderPath", "parentPath"])?
                .clone();
            let name = required(&body, "name")?.replace('/', "_");
            let text = |name: &str| body.get(name).and_then(Value::as_str);
            let path = text("parentFolderPath").or_else(|| text("parentPath"));
            let parent = match (text("parentFolderId"), path) {
                (None, None) => None,
                (id, path) => place(call.state, id, path)?,
            };
            if child(call.state, parent, &name).is_some() {
                let status = call.state.config.switches.exists_status;
                return Err(Failure::new(
                    status,
                    "CONFLICT",
                    format!("There is a folder {name} already"),
                ));
            }
            let id = make_folder(call.state, parent, &name);
            let folder = call.state.folders.get(&id).ok_or_else(Failure::not_found)?;
            Ok(Answer::json(201, render_folder(folder)))
        }
        ("GET", [] | ["search"]) => {
            let path = call
                .request
                .param("path")
                .map(|p| format!("/{}", p.trim_matches('/')).to_lowercase());
            let state = &*call.state;
            let all = |after: Option<Id>| {
                let from = after.map_or(0, |id| id + 1);
                let all = state
                    .folders
                    .range(from..)
                    .filter(|(_, f)| f.archived.is_none());
                let all = all.filter(|(_, f)| {
                    path.as_ref()
                        .is_none_or(|path| f.path.to_lowercase() == *path)
                });
                all.map(|(id, folder)| (*id, folder)).collect()
            };
            call.page(10, 100, all, render_folder)
        }
        ("GET", [id]) => Answer::ok(render_folder(&live(id)?)),
        ("DELETE", [id]) => {
            let folder = live(id)?;
            let state = &mut *call.state;
            let inside = |parent: Option<Id>| parent == Some(folder.id);
            let files = state
                .files
                .values()
                .any(|f| f.archived.is_none() && inside(f.folder));
            let below = state
                .folders
                .values()
                .any(|f| f.archived.is_none() && inside(f.parent));
            if files || below {
                // §12 [INF]
                let message = format!("The folder {} is not empty", folder.path);
                return Err(Failure::validation(message).sub("FolderError.NOT_EMPTY"));
            }
            state.folders_by_path.remove(&folder.path.to_lowercase());
            let now = state.now;
            if let Some(folder) = state.folders.get_mut(&folder.id) {
                folder.archived = Some(now);
            }
            Ok(Answer::empty(204))
        }
        (_, [] | [_]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

/// Stores a file that was there before.
pub(super) fn put(state: &mut State, folder: &str, name: &str, bytes: Bytes) -> Option<Id> {
    let folder = folder_at(state, folder);
    let (stem, extension) = split_name(name);
    let wanted = Wanted {
        folder,
        name: stem,
        extension,
        access: "PRIVATE".to_owned(),
        overwrite: false,
        strategy: "NONE".to_owned(),
        whole_portal: false,
        url: String::new(),
    };
    let file = measured(
        name,
        "application/octet-stream",
        bytes,
        state.config.keep_files,
    );
    store(state, &wanted, file).ok()
}
