//! Deployments of the Metadata API by REST: `metadata/deployRequest` takes a zip of `package.xml` and definitions, and is asked
//! after until it is done (Salesforce facts §10.3). Custom objects, and what takes them away.

use std::io::{Cursor, Read};

use roxmltree::Document;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::metadata;
use super::schema::Refusal;
use super::soap;
use super::state::{Access, State};

/// A deployment waits so long before it runs.
const QUEUED: chrono::Duration = chrono::Duration::seconds(2);

/// Answers a request below `/metadata`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    match (call.request.method.as_str(), path) {
        ("POST", ["deployRequest"]) => start(call),
        ("GET", ["deployRequest", id]) => look(call, id),
        (_, ["deployRequest", ..]) => Err(Failure::method()),
        _ => Err(Failure::not_found()),
    }
}

/// A result's id, and when it is to be seen.
fn start(call: &mut Call<'_>) -> Outcome {
    let options = call.request.object()?.get("deployOptions");
    let option = |name: &str| options.and_then(|o| o.get(name)).and_then(Value::as_bool);
    if call.request.upload.is_none() {
        return Err(Failure::new("MULTIPART_ERROR", "No file in the request"));
    }
    // One that keeps half of what failed is for trial orgs only.
    if option("rollbackOnError") != Some(true) || option("singlePackage") != Some(true) {
        let text = "rollbackOnError and singlePackage must be true";
        return Err(Failure::new("INVALID_OPERATION", text));
    }
    let files = unzip(&call.request.body).map_err(|why| Failure::new("INVALID_ZIP", why))?;
    let access = call.access.clone();
    let failures: Vec<Value> = match deploy(call.state, &access, &files) {
        Ok(()) => Vec::new(),
        Err((name, problem)) => {
            vec![
                json!({"fullName": name, "problem": problem, "componentType": "CustomObject", "problemType": "Error"}),
            ]
        }
    };
    let id = call.state.new_id("0Af");
    let done = call.state.now + QUEUED;
    call.state.deployments.insert(id.clone(), (done, failures));
    let result = json!({"id": id, "done": false, "success": false, "status": "Pending"});
    Ok(Answer::json(201, json!({"id": id, "deployResult": result})))
}

fn look(call: &Call<'_>, id: &str) -> Outcome {
    let found = call.state.deployments.get(id);
    let (at, failures) = found.ok_or_else(Failure::not_found)?;
    let done = call.state.now >= *at;
    let success = done && failures.is_empty();
    let status = match (done, success) {
        (false, _) => "InProgress",
        (true, true) => "Succeeded",
        (true, false) => "Failed",
    };
    let shown = if done { failures.as_slice() } else { &[] };
    Answer::ok(json!({"id": id, "deployResult": {
        "id": id, "done": done, "success": success, "status": status, "errorMessage": null,
        "details": {"componentFailures": shown, "componentSuccesses": []},
    }}))
}

type Files = Vec<(String, String)>;

fn unzip(bytes: &[u8]) -> Result<Files, String> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let mut files = Files::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).map_err(|error| error.to_string())?;
        let mut text = String::new();
        // Reading to the end checks the checksum.
        file.read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
        files.push((file.name().to_owned(), text));
    }
    Ok(files)
}

fn parse(text: &str) -> Result<Value, (String, String)> {
    let document = Document::parse(text).map_err(|error| (String::new(), error.to_string()))?;
    Ok(soap::json_of(document.root_element()))
}

/// Members of the type CustomObject that a package names.
fn members(package: &Value) -> Vec<String> {
    let types = match package.get("types") {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    let objects = types
        .into_iter()
        .filter(|types| types.get("name").and_then(Value::as_str) == Some("CustomObject"));
    objects
        .flat_map(|types| match types.get("members") {
            Some(Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        })
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// All of it, or nothing: an object that fails is the only one that these tests send.
fn deploy(state: &mut State, access: &Access, files: &Files) -> Result<(), (String, String)> {
    let file = |name: &str| {
        files
            .iter()
            .find(|(path, _)| path == name)
            .map(|(_, text)| text)
    };
    let package = file("package.xml");
    let package =
        package.ok_or_else(|| ("package.xml".to_owned(), "No package.xml found".to_owned()))?;
    let package = parse(package)?;
    if package.get("version").and_then(Value::as_str).is_none() {
        return Err(("package.xml".to_owned(), "version is missing".to_owned()));
    }
    let refused = |name: &str| {
        let name = name.to_owned();
        move |(code, message): Refusal| (name, format!("{code}: {message}"))
    };
    for name in members(&package) {
        let path = format!("objects/{name}.object");
        let text = file(&path).ok_or_else(|| {
            (
                name.clone(),
                "named in package.xml, but was not found in zipped directory".to_owned(),
            )
        })?;
        let definition = parse(text)?;
        // What is there already is brought to what is said, which these tests say once.
        if state.object(&name).is_none() {
            metadata::make_object(state, access, &name, &definition).map_err(refused(&name))?;
        }
    }
    let Some(text) = file("destructiveChanges.xml") else {
        return Ok(());
    };
    for name in members(&parse(text)?) {
        // What is not there is a warning, which is ignored.
        if state.object(&name).is_some() {
            metadata::delete_object(state, access, &name).map_err(refused(&name))?;
        }
    }
    Ok(())
}
