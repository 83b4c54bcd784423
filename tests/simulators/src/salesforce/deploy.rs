//! Deployments: the REST side of the Metadata API, a zip of definitions that is applied a little later (Salesforce facts §10.3).
//!
//! `objects/{name}.object` makes or changes an object with its fields, `destructiveChanges.xml` takes objects and fields away.
//! With `rollbackOnError` a deployment of which a part fails leaves nothing behind.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use roxmltree::Document;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::state::{Access, State, stamp};
use super::{metadata, soap};

/// A deployment.
#[derive(Debug, Clone)]
pub(super) struct Deployment {
    id: String,
    access: Arc<Access>,
    options: Value,
    zip: Bytes,
    created: DateTime<Utc>,
    due: DateTime<Utc>,
    ended: Option<Ended>,
}

/// How it ended.
#[derive(Debug, Clone, Default)]
struct Ended {
    successes: Vec<Value>,
    failures: Vec<Value>,
    broken: Option<String>,
}

/// Answers a request below `/metadata/deployRequest`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    match (call.request.method.as_str(), path) {
        ("POST", []) => start(call),
        ("GET", [id]) => {
            let details = call.request.param("includeDetails") == Some("true");
            let found = super::ids::full(id).and_then(|id| call.state.deployments.get(&id));
            let found = found.ok_or_else(Failure::not_found)?;
            Answer::ok(shown(found, details))
        }
        _ => Err(Failure::method()),
    }
}

fn start(call: &mut Call<'_>) -> Outcome {
    if !call.access.customize {
        let text =
            "You do not have the level of access necessary to perform the operation you requested.";
        return Err(Failure::new("INSUFFICIENT_ACCESS", text));
    }
    let options = call.request.json.get("deployOptions").cloned();
    let options = options.ok_or_else(|| {
        Failure::new(
            "INVALID_MULTIPART_REQUEST",
            "The part json has no deployOptions",
        )
    })?;
    if call.request.upload.as_deref() != Some("file") {
        return Err(Failure::new(
            "INVALID_MULTIPART_REQUEST",
            "The zip is in the part file",
        ));
    }
    let id = call.state.new_id("0Af");
    let deployment = Deployment {
        id: id.clone(),
        access: Arc::clone(&call.access),
        options,
        zip: call.request.body.clone(),
        created: call.state.now,
        due: call.state.now + call.state.config.switches.deploy_time,
        ended: None,
    };
    let mut body = shown(&deployment, false);
    if let Some(map) = body.as_object_mut() {
        map.insert("validatedDeployRequestId".to_owned(), Value::Null);
        map.insert("deployOptions".to_owned(), deployment.options.clone());
    }
    call.state.deployments.insert(id, deployment);
    Ok(Answer::json(201, body))
}

fn shown(deployment: &Deployment, details: bool) -> Value {
    let ended = deployment.ended.as_ref();
    let failed = ended.is_some_and(|ended| ended.broken.is_some() || !ended.failures.is_empty());
    let status = match ended {
        None => "Pending",
        Some(_) if failed => "Failed",
        Some(_) => "Succeeded",
    };
    let count = |of: fn(&Ended) -> usize| ended.map_or(0, of);
    let mut result = json!({
        "id": deployment.id,
        "checkOnly": deployment.options.get("checkOnly").and_then(Value::as_bool).unwrap_or(false),
        "createdDate": stamp(deployment.created),
        "done": ended.is_some(),
        "status": status,
        "success": ended.is_some() && !failed,
        "errorMessage": ended.and_then(|ended| ended.broken.clone()),
        "numberComponentErrors": count(|ended| ended.failures.len()),
        "numberComponentsDeployed": count(|ended| ended.successes.len()),
        "numberComponentsTotal": count(|ended| ended.failures.len() + ended.successes.len()),
    });
    if let (true, Some(ended), Some(map)) = (details, ended, result.as_object_mut()) {
        let details =
            json!({"componentFailures": ended.failures, "componentSuccesses": ended.successes});
        map.insert("details".to_owned(), details);
    }
    json!({"id": deployment.id, "deployResult": result})
}

/// Applies the deployments whose time has come.
pub(super) fn run_due(state: &mut State) {
    let now = state.now;
    let due: Vec<String> = state
        .deployments
        .values()
        .filter(|deployment| deployment.ended.is_none() && deployment.due <= now)
        .map(|deployment| deployment.id.clone())
        .collect();
    for id in due {
        let Some(mut deployment) = state.deployments.get(&id).cloned() else {
            continue;
        };
        deployment.ended = Some(apply(state, &deployment));
        state.deployments.insert(id, deployment);
    }
}

/// What a deployment made, for taking it back.
enum Made {
    Object(String),
    Field(String),
}

fn apply(state: &mut State, deployment: &Deployment) -> Ended {
    let mut ended = Ended::default();
    let files = match unzipped(&deployment.zip) {
        Some(files) if files.contains_key("package.xml") => files,
        Some(_) => {
            ended.broken = Some("No package.xml found".to_owned());
            return ended;
        }
        None => {
            ended.broken = Some("The zip cannot be read".to_owned());
            return ended;
        }
    };
    let mut made = Vec::new();
    for (name, text) in &files {
        let object = name
            .strip_prefix("objects/")
            .and_then(|name| name.strip_suffix(".object"));
        if let Some(object) = object {
            define(
                state,
                &deployment.access,
                object,
                text,
                &mut made,
                &mut ended,
            );
        }
    }
    for name in [
        "destructiveChangesPre.xml",
        "destructiveChanges.xml",
        "destructiveChangesPost.xml",
    ] {
        if let Some(text) = files.get(name) {
            take_away(state, &deployment.access, text, &mut ended);
        }
    }
    let takes_back = deployment
        .options
        .get("rollbackOnError")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let only_checks = deployment
        .options
        .get("checkOnly")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if only_checks || takes_back && !ended.failures.is_empty() {
        for one in made.iter().rev() {
            let _ = match one {
                Made::Object(name) => metadata::delete_object(state, &deployment.access, name),
                Made::Field(name) => metadata::delete_field(state, &deployment.access, name),
            };
        }
    }
    state.commit();
    ended
}

fn success(sort: &str, name: &str) -> Value {
    json!({"componentType": sort, "fullName": name, "success": true})
}

fn failure(sort: &str, name: &str, problem: &str) -> Value {
    json!({"componentType": sort, "fullName": name, "problem": problem, "problemType": "Error", "success": false})
}

fn define(
    state: &mut State,
    access: &Access,
    name: &str,
    text: &str,
    made: &mut Vec<Made>,
    ended: &mut Ended,
) {
    let Ok(document) = Document::parse(text) else {
        ended
            .failures
            .push(failure("CustomObject", name, "Error parsing file: no XML"));
        return;
    };
    let body = soap::json_of(document.root_element());
    if state.object(name).is_none() {
        match metadata::make_object(state, access, name, &body) {
            Ok(_) => {
                made.push(Made::Object(name.to_owned()));
                ended.successes.push(success("CustomObject", name));
            }
            Err((code, message)) => {
                ended
                    .failures
                    .push(failure("CustomObject", name, &format!("{code}: {message}")))
            }
        }
        return;
    }
    // What is there gets the fields it lacks; the same again changes nothing.
    let fields = match body.get("fields") {
        Some(Value::Array(fields)) => fields.clone(),
        Some(Value::Null) | None => vec![],
        Some(one) => vec![one.clone()],
    };
    for field in fields {
        let own = field
            .get("fullName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let full = format!("{name}.{own}");
        let is_there = state
            .object(name)
            .is_some_and(|object| object.field(own).is_some());
        let done = if is_there {
            metadata::change_field(state, access, &full, &field)
        } else {
            metadata::make_field(state, access, &full, &field)
                .map(|_| made.push(Made::Field(full.clone())))
        };
        ended.note("CustomField", &full, done);
    }
    ended.successes.push(success("CustomObject", name));
}

impl Ended {
    fn note(&mut self, sort: &str, name: &str, done: Result<(), super::schema::Refusal>) {
        match done {
            Ok(()) => self.successes.push(success(sort, name)),
            Err((code, message)) => {
                self.failures
                    .push(failure(sort, name, &format!("{code}: {message}")))
            }
        }
    }
}

fn take_away(state: &mut State, access: &Access, text: &str, ended: &mut Ended) {
    let Ok(document) = Document::parse(text) else {
        ended.failures.push(failure(
            "",
            "destructiveChanges.xml",
            "Error parsing file: no XML",
        ));
        return;
    };
    let types = document
        .descendants()
        .filter(|node| node.tag_name().name() == "types");
    for list in types {
        let of = |name: &'static str| {
            let nodes = list
                .children()
                .filter(move |node| node.tag_name().name() == name);
            nodes
                .filter_map(|node| node.text().map(str::to_owned))
                .collect::<Vec<_>>()
        };
        let sort = of("name").into_iter().next().unwrap_or_default();
        for name in of("members") {
            let is_there = match sort.as_str() {
                "CustomObject" => state.object(&name).is_some(),
                _ => name
                    .split_once('.')
                    .and_then(|(object, field)| state.object(object)?.field(field))
                    .is_some(),
            };
            let done = match sort.as_str() {
                // What is not there is a warning only.
                _ if !is_there => Ok(()),
                "CustomObject" => metadata::delete_object(state, access, &name),
                "CustomField" => metadata::delete_field(state, access, &name),
                other => Err(("INVALID_TYPE", format!("{other} cannot be deleted here"))),
            };
            ended.note(&sort, &name, done);
        }
    }
}

/// The texts of a zip by name; `None` when it is none.
fn unzipped(zip: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).ok()?;
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).ok()?;
        let mut text = String::new();
        file.read_to_string(&mut text).ok()?;
        files.insert(file.name().to_owned(), text);
    }
    Some(files)
}
