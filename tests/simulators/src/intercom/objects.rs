//! Instances of custom objects; their types are made in the user interface only (Intercom facts §9).

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, numbered};
use super::model::{Id, Instance, ObjectType};
use super::read::id_of;
use super::state::State;
use super::values;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    let ["custom_object_instances", kind, rest @ ..] = path else {
        return None;
    };
    let Some(known) = call.state.object_types.get(*kind).cloned() else {
        let message = format!("Custom object type `{kind}` not found");
        return Some(Err(Failure::not_found(&message)));
    };
    let external = call.request.param("external_id").map(str::to_owned);
    Some(match (method, rest) {
        ("POST", []) => post(call, &known),
        ("GET", []) => match external {
            Some(external) => by_external(call.state, kind, &external)
                .and_then(|one| Answer::ok(render(call.state, one))),
            None => list(call, kind),
        },
        ("DELETE", []) => match external {
            Some(external) => {
                let found = by_external(call.state, kind, &external).map(|one| one.id);
                found.and_then(|id| delete(call.state, id))
            }
            None => Err(Failure::missing("external_id")),
        },
        ("GET", [id]) => {
            find(call.state, kind, id).and_then(|one| Answer::ok(render(call.state, one)))
        }
        ("DELETE", [id]) => {
            let found = find(call.state, kind, id).map(|one| one.id);
            found.and_then(|id| delete(call.state, id))
        }
        _ => return None,
    })
}

fn missing() -> Failure {
    Failure::not_found("Custom object instance not found")
}

fn by_external<'s>(state: &'s State, kind: &str, external: &str) -> Result<&'s Instance, Failure> {
    let id = state
        .instances_by_external
        .get(&(kind.to_owned(), external.to_owned()));
    id.and_then(|id| state.instances.get(id))
        .ok_or_else(missing)
}

/// By Intercom's own number, or by external id.
fn find<'s>(state: &'s State, kind: &str, id: &str) -> Result<&'s Instance, Failure> {
    let number: Option<Id> = id.parse().ok();
    let found = number.and_then(|id| state.instances.get(&id));
    match found.filter(|instance| instance.kind == kind) {
        Some(found) => Ok(found),
        None => by_external(state, kind, id),
    }
}

/// An instance as answers show it.
pub(super) fn render(state: &State, instance: &Instance) -> Value {
    let kind = state.object_types.get(&instance.kind);
    let shown = instance.custom_attributes.iter().map(|(name, value)| {
        let target = kind.and_then(|kind| kind.object_references.get(name));
        let value = match target {
            // References of references are not followed.
            Some(target) => references(state, target, value, false),
            None => value.clone(),
        };
        (name.clone(), value)
    });
    let attributes: Map<String, Value> = shown.collect();
    json!({
        "id": instance.id.to_string(), "type": instance.kind, "custom_attributes": attributes,
        "external_id": instance.external_id, "external_created_at": instance.external_created_at,
        "external_updated_at": instance.external_updated_at, "created_at": instance.created_at,
        "updated_at": instance.updated_at,
    })
}

/// What a relationship attribute shows: `{"type":"Order.list","instances":[…]}` (§6).
pub(super) fn listed(state: &State, kind: &str, value: &Value) -> Value {
    references(state, kind, value, true)
}

fn references(state: &State, kind: &str, value: &Value, whole: bool) -> Value {
    let ids = value.as_array().into_iter().flatten().filter_map(id_of);
    let instances: Vec<Value> = ids
        .filter_map(|id| state.instances.get(&id))
        .map(|one| {
            let attributes = if whole { json!(one.custom_attributes) } else { json!({}) };
            json!({
                "id": one.id.to_string(), "external_id": one.external_id,
                "external_created_at": one.external_created_at,
                "external_updated_at": one.external_updated_at, "custom_attributes": attributes, "type": one.kind,
            })
        })
        .collect();
    json!({"type": format!("{kind}.list"), "instances": instances})
}

fn list(call: &Call<'_>, kind: &str) -> Outcome {
    let state = &*call.state;
    let of_contact = call.request.param("references_contact_id");
    let of_conversation = call.request.param("references_conversation_id");
    let referred: Option<Vec<Id>> = match (of_contact, of_conversation) {
        (Some(id), _) => {
            let contact = state.contact(id, call.actor.version)?;
            let values = contact.custom_attributes.values();
            Some(
                values
                    .filter_map(Value::as_array)
                    .flatten()
                    .filter_map(id_of)
                    .collect(),
            )
        }
        (None, Some(id)) => {
            let conversation = state.conversation(call.id(id)?)?;
            let values = conversation.custom_attributes.values();
            Some(
                values
                    .filter_map(Value::as_array)
                    .flatten()
                    .filter_map(id_of)
                    .collect(),
            )
        }
        (None, None) => None,
    };
    let fits = |one: &&Instance| {
        one.kind == kind && referred.as_ref().is_none_or(|ids| ids.contains(&one.id))
    };
    let all: Vec<&Instance> = state.instances.values().filter(fits).collect();
    let total = all.len();
    let (page, pages) = numbered(call, all, 10, 150)?;
    let data: Vec<Value> = page.into_iter().map(|one| render(state, one)).collect();
    Answer::ok(json!({"type": "list", "data": data, "pages": pages, "total_count": total}))
}

fn post(call: &mut Call<'_>, kind: &ObjectType) -> Outcome {
    let reader = call.body(&[
        "external_id",
        "external_created_at",
        "external_updated_at",
        "custom_attributes",
    ])?;
    let external_id = reader.word("external_id")?.filter(|id| !id.is_empty());
    let external_id = external_id.ok_or_else(|| Failure::missing("external_id"))?;
    let now = call.now();
    let old = by_external(call.state, &kind.identifier, &external_id)
        .ok()
        .cloned();
    let mut instance = match old {
        Some(old) => old,
        None => Instance {
            id: call.state.next_id(),
            kind: kind.identifier.clone(),
            external_id: external_id.clone(),
            external_created_at: None,
            external_updated_at: None,
            custom_attributes: Map::new(),
            created_at: now,
            updated_at: now,
        },
    };
    for (key, part) in [
        ("external_created_at", &mut instance.external_created_at),
        ("external_updated_at", &mut instance.external_updated_at),
    ] {
        if reader.given(key) {
            *part = reader.time(key)?;
        }
    }
    if let Some(given) = reader.object("custom_attributes")? {
        values::of_instance(call.state, kind, given, &mut instance.custom_attributes)?;
    }
    instance.updated_at = now;
    let answer = render(call.state, &instance);
    let key = (instance.kind.clone(), external_id);
    call.state.instances_by_external.insert(key, instance.id);
    call.state.instances.insert(instance.id, instance);
    Answer::ok(answer)
}

fn delete(state: &mut State, id: Id) -> Outcome {
    let instance = state.instances.remove(&id).ok_or_else(missing)?;
    let key = (instance.kind.clone(), instance.external_id);
    state.instances_by_external.remove(&key);
    Answer::ok(json!({"id": id.to_string(), "object": instance.kind, "deleted": true}))
}
