//! Custom objects (HubSpot facts §11).

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, required};
use super::links;
use super::model::{Group, LinkType, ObjectType, TypeId};
use super::properties;
use super::state::{State, iso};
use super::switches::Plan;

/// What every custom object is associated with from the start (§11).
const ALWAYS: [TypeId; 6] = [
    TypeId::EMAIL,
    TypeId::MEETING,
    TypeId::NOTE,
    TypeId::TASK,
    TypeId::CALL,
    TypeId::COMMUNICATION,
];

/// Whether the account has custom objects.
pub(super) fn allowed(state: &State) -> bool {
    match state.config.plan {
        Plan::Enterprise => true,
        Plan::Professional => state.config.switches.custom_objects_in_professional,
        Plan::Free | Plan::Starter => false,
    }
}

/// Answers a request about custom objects, given the path behind `schemas`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    let scope = if method == "GET" {
        "crm.schemas.custom.read"
    } else {
        "crm.schemas.custom.write"
    };
    call.scope(&[scope])?;
    match (method.as_str(), path) {
        ("GET", []) => {
            let archived = call.request.flag("archived")?;
            let all = call.state.types.values();
            let custom = all.filter(|of| of.id.is_custom() && of.archived.is_some() == archived);
            let results: Vec<Value> = custom.map(|of| render(call.state, of)).collect();
            Answer::ok(json!({"results": results}))
        }
        ("POST", []) => create(call),
        ("GET", [object]) => {
            let id = call.object(object)?;
            let of = call.state.type_of(id).ok_or_else(Failure::not_found)?;
            Answer::ok(render(call.state, of))
        }
        ("PATCH", [object]) => patch(call, object),
        ("DELETE", [object]) => delete(call, object),
        ("POST", [object, "associations"]) => associate(call, object),
        ("DELETE", [object, "associations", id]) => dissociate(call, object, id),
        (_, [] | [_] | [_, "associations"] | [_, "associations", _]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

/// A custom object that the path names, archived or not.
fn custom(call: &Call<'_>, text: &str) -> Result<TypeId, Failure> {
    let id = call.object(text)?;
    if id.is_custom() {
        Ok(id)
    } else {
        Err(Failure::validation(format!("{text} is no custom object")))
    }
}

fn render(state: &State, of: &ObjectType) -> Value {
    let links = state.link_types.values();
    let links = links.filter(|link| link.plain && (link.from == of.id || link.to == of.id));
    let associations: Vec<Value> = links.map(|link| render_link(link, of)).collect();
    let properties: Vec<Value> = of
        .properties
        .values()
        .map(|p| properties::render(state, of.id, p))
        .collect();
    let mut body = json!({
        "id": of.id.to_string(), "objectTypeId": of.id.to_string(), "name": of.name,
        "fullyQualifiedName": of.fully_qualified, "labels": {"singular": of.labels.0, "plural": of.labels.1},
        "description": of.description, "primaryDisplayProperty": of.primary,
        "secondaryDisplayProperties": of.secondary, "searchableProperties": of.searchable,
        "requiredProperties": of.required, "properties": properties, "associations": associations,
        "archived": of.archived.is_some(), "createdAt": iso(of.created), "updatedAt": iso(of.updated),
        "portalId": state.config.portal_id,
    });
    if let (true, Some(map)) = (!of.id.is_custom(), body.as_object_mut()) {
        map.insert(
            "fullyQualifiedName".to_owned(),
            json!(of.singular.to_uppercase()),
        );
    }
    body
}

fn render_link(link: &LinkType, of: &ObjectType) -> Value {
    json!({
        "id": link.key.1.to_string(), "fromObjectTypeId": link.from.to_string(),
        "toObjectTypeId": link.to.to_string(), "name": link.name, "createdAt": iso(of.created),
        "updatedAt": iso(of.created),
    })
}

/// The object that an association is with: `CONTACT`, `ticket`, `2-…`.
fn other(state: &State, text: &str) -> Result<TypeId, Failure> {
    let lower = text.to_lowercase();
    let singular = state
        .types
        .values()
        .find(|of| !of.id.is_custom() && of.singular == lower)
        .map(|of| of.id);
    let found = singular.or_else(|| state.type_named(text));
    // §11: only standard or custom objects.
    let found = found.filter(|id| !id.is_activity());
    found.ok_or_else(|| Failure::validation(format!("Unable to infer object type from: {text}")))
}

fn texts(body: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = body
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn create(call: &mut Call<'_>) -> Outcome {
    if !allowed(call.state) {
        // §11: any Enterprise hub.
        return Err(Failure::new(
            403,
            "MISSING_SCOPES",
            "This portal does not have access to custom objects",
        ));
    }
    let members = [
        "name",
        "labels",
        "description",
        "primaryDisplayProperty",
        "secondaryDisplayProperties",
        "searchableProperties",
        "requiredProperties",
        "properties",
        "associatedObjects",
    ];
    let body = call.body(&members)?.clone();
    let state = &mut *call.state;
    let name = required(&body, "name")?.to_owned();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().next().is_some_and(|c| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
        return Err(Failure::validation(format!(
            "{name} is no name of an object: letters, digits and underscores, a letter first"
        )));
    }
    let labels = body
        .get("labels")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let labels = (
        required(&labels, "singular")?.to_owned(),
        required(&labels, "plural")?.to_owned(),
    );
    let custom: Vec<&ObjectType> = state
        .types
        .values()
        .filter(|of| of.id.is_custom())
        .collect();
    // §11: unique in the portal, archived schemas included.
    if custom
        .iter()
        .any(|of| of.name.eq_ignore_ascii_case(&name) || of.labels == labels)
    {
        let status = state.config.switches.exists_status;
        let message =
            format!("An object with the name '{name}' or its labels already exists in this portal");
        return Err(Failure::new(status, "OBJECT_ALREADY_EXISTS", message));
    }
    let live = custom.iter().filter(|of| of.archived.is_none()).count();
    if live >= state.config.switches.custom_object_types {
        let message = format!("The limit of {live} custom objects is reached");
        return Err(Failure::validation(message).sub("OBJECT_TYPE_LIMIT_REACHED"));
    }
    let given = body
        .get("properties")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let names: Vec<&str> = given
        .iter()
        .filter_map(|p| p.get("name")?.as_str())
        .collect();
    let primary = body
        .get("primaryDisplayProperty")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let (required_names, searchable, secondary) = (
        texts(&body, "requiredProperties"),
        texts(&body, "searchableProperties"),
        texts(&body, "secondaryDisplayProperties"),
    );
    for name in required_names
        .iter()
        .chain(&searchable)
        .chain(&secondary)
        .chain(&primary)
    {
        if !names.contains(&name.as_str()) {
            return Err(Failure::validation(format!(
                "{name} is not one of the properties of the object"
            )));
        }
    }
    let others = texts(&body, "associatedObjects");
    let others: Vec<TypeId> = others
        .iter()
        .map(|text| other(state, text))
        .collect::<Result<_, _>>()?;

    state.last_custom_type += 1;
    let id = TypeId(2, state.last_custom_type);
    let group = Group {
        name: format!("{}_information", name.to_lowercase()),
        label: format!("{} Information", labels.0),
        order: 0,
    };
    let standard = properties::of_custom(state, &group.name);
    let mut defaults: Vec<String> = ["hs_createdate", "hs_lastmodifieddate", "hs_object_id"]
        .map(str::to_owned)
        .to_vec();
    defaults.extend(
        primary
            .iter()
            .cloned()
            .chain(secondary.iter().cloned())
            .chain(required_names.iter().cloned()),
    );
    let made = ObjectType {
        id,
        singular: name.clone(),
        fully_qualified: format!("p{}_{name}", state.config.portal_id),
        name,
        labels,
        description: body
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned),
        properties: standard.into_iter().map(|p| (p.name.clone(), p)).collect(),
        archived_properties: [].into(),
        groups: [(group.name.clone(), group.clone())].into(),
        required: required_names,
        searchable,
        primary,
        secondary,
        defaults,
        created: state.now,
        updated: state.now,
        archived: None,
    };
    state.put_type(made);
    for property in given {
        let mut property = property.as_object().cloned().unwrap_or_default();
        property
            .entry("groupName")
            .or_insert_with(|| json!(group.name));
        if let Err(failure) = properties::create(state, id, &property) {
            // Nothing is made of an object with a bad property.
            state.take_type(id);
            return Err(failure);
        }
    }
    for to in ALWAYS {
        link(state, id, to, None, false);
    }
    for to in others {
        link(state, id, to, None, true);
    }
    let of = state.type_of(id).ok_or_else(Failure::not_found)?;
    Ok(Answer::json(201, render(state, of)))
}

/// Makes the plain link between two types; the number of the way there.
fn link(state: &mut State, from: TypeId, to: TypeId, name: Option<&str>, by_client: bool) -> u32 {
    let singular = |id| {
        state
            .type_of(id)
            .map_or(String::new(), |of| of.singular.clone())
    };
    let usual = format!("{}_to_{}", singular(from), singular(to));
    let name = name.map_or(usual, str::to_owned);
    let (there, back) = links::make(state, (from, to), &name, (None, None), true);
    for link in state.link_types.values_mut() {
        if link.plain
            && (link.key.1 == there || link.key.1 == back)
            && (link.from == from || link.to == from)
        {
            link.made = by_client;
        }
    }
    there
}

fn patch(call: &mut Call<'_>, object: &str) -> Outcome {
    let id = custom(call, object)?;
    // §11: name and labels can never change.
    let members = [
        "description",
        "primaryDisplayProperty",
        "secondaryDisplayProperties",
        "searchableProperties",
        "requiredProperties",
        "clearDescription",
    ];
    let body = call.body(&members)?.clone();
    let now = call.state.now;
    let of = call
        .state
        .types
        .get_mut(&id)
        .ok_or_else(Failure::not_found)?;
    let mut changed = of.clone();
    for (to, name) in [
        (&mut changed.required, "requiredProperties"),
        (&mut changed.searchable, "searchableProperties"),
        (&mut changed.secondary, "secondaryDisplayProperties"),
    ] {
        if body.contains_key(name) {
            *to = texts(&body, name);
        }
    }
    if let Some(primary) = body.get("primaryDisplayProperty").and_then(Value::as_str) {
        changed.primary = Some(primary.to_owned());
    }
    if let Some(text) = body.get("description").and_then(Value::as_str) {
        changed.description = Some(text.to_owned());
    }
    let named = changed
        .required
        .iter()
        .chain(&changed.searchable)
        .chain(&changed.secondary)
        .chain(&changed.primary);
    for name in named {
        if !changed.properties.contains_key(name) {
            return Err(Failure::validation(format!(
                "{name} is not one of the properties of the object"
            )));
        }
    }
    changed.updated = now;
    *of = changed;
    let of = call.state.type_of(id).ok_or_else(Failure::not_found)?;
    Answer::ok(render(call.state, of))
}

fn delete(call: &mut Call<'_>, object: &str) -> Outcome {
    let id = custom(call, object)?;
    let hard = call.request.flag("archived")?;
    let now = call.state.now;
    let records = call.state.live(id).count();
    if records > 0 {
        // §11
        let message = format!("{object} cannot be deleted: it has {records} records");
        return Err(Failure::validation(message).sub("OBJECT_TYPE_HAS_RECORDS"));
    }
    let archived = call
        .state
        .type_of(id)
        .is_some_and(|of| of.archived.is_some());
    match (hard, archived) {
        (false, false) => {
            if let Some(of) = call.state.types.get_mut(&id) {
                of.archived = Some(now);
            }
        }
        (false, true) => return Err(Failure::not_found()),
        (true, false) => {
            return Err(Failure::validation(format!(
                "{object} has to be archived first"
            )));
        }
        (true, true) => {
            // §11: associations and properties must be gone before.
            let linked = call
                .state
                .link_types
                .values()
                .any(|l| l.made && (l.from == id || l.to == id));
            let of = call.state.type_of(id).ok_or_else(Failure::not_found)?;
            let custom: Vec<String> = of
                .properties
                .values()
                .filter(|p| !p.standard)
                .map(|p| p.name.clone())
                .collect();
            if linked || !custom.is_empty() {
                let message =
                    format!("{object} still has association definitions or custom properties");
                return Err(Failure::validation(message)
                    .sub("OBJECT_TYPE_IN_USE")
                    .about("properties", custom));
            }
            let keys: Vec<_> = call
                .state
                .link_types
                .values()
                .filter(|l| l.from == id)
                .map(|l| l.key)
                .collect();
            for key in keys {
                call.state.take_link_type(key);
            }
            call.state.take_type(id);
        }
    }
    Ok(Answer::empty(204))
}

fn associate(call: &mut Call<'_>, object: &str) -> Outcome {
    let id = custom(call, object)?;
    let body = call
        .body(&["fromObjectTypeId", "toObjectTypeId", "name"])?
        .clone();
    let from = other(call.state, required(&body, "fromObjectTypeId")?)?;
    let to = other(call.state, required(&body, "toObjectTypeId")?)?;
    if from != id && to != id {
        return Err(Failure::validation(format!(
            "Neither end of the association is {object}"
        )));
    }
    if call.state.plain_link(from, to).is_some() {
        let status = call.state.config.switches.exists_status;
        let message = format!("An association between {from} and {to} already exists");
        return Err(Failure::new(status, "OBJECT_ALREADY_EXISTS", message));
    }
    let name = body.get("name").and_then(Value::as_str).map(str::to_owned);
    link(call.state, from, to, name.as_deref(), true);
    let key = call
        .state
        .plain_link(from, to)
        .ok_or_else(Failure::not_found)?;
    let (Some(link), Some(of)) = (call.state.link_types.get(&key), call.state.type_of(id)) else {
        return Err(Failure::not_found());
    };
    Ok(Answer::json(201, render_link(link, of)))
}

/// Irreversible (§11): the definition goes with all links of it.
fn dissociate(call: &mut Call<'_>, object: &str, number: &str) -> Outcome {
    let id = custom(call, object)?;
    let of = |link: &&LinkType| link.plain && link.made && (link.from == id || link.to == id);
    let all = call.state.link_types.values();
    let found = all
        .filter(of)
        .find(|link| link.key.1.to_string() == number)
        .map(|link| link.key);
    call.state
        .take_link_type(found.ok_or_else(Failure::not_found)?);
    Ok(Answer::empty(204))
}
