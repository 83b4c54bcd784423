//! Properties and their groups (HubSpot facts §10).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, members_of, required};
use super::model::{Choice, Group, ObjectType, Property, TypeId};
use super::objects::is_read_only;
use super::state::{Event, State, iso};
use super::switches::Plan;

/// Unique properties an object may have (§10.1).
const UNIQUE: usize = 10;

/// The types of properties that can be made with how each can be shown (§10.2).
const KINDS: [(&str, &[&str]); 6] = [
    (
        "string",
        &[
            "text",
            "textarea",
            "html",
            "phonenumber",
            "file",
            "calculation_equation",
        ],
    ),
    ("number", &["number", "calculation_equation"]),
    ("bool", &["booleancheckbox", "calculation_equation"]),
    (
        "enumeration",
        &[
            "select",
            "radio",
            "checkbox",
            "booleancheckbox",
            "calculation_equation",
        ],
    ),
    ("date", &["date"]),
    ("datetime", &["date"]),
];

#[derive(Deserialize)]
struct Standard {
    objects: Vec<StandardObject>,
}

#[derive(Deserialize)]
struct StandardObject {
    id: String,
    name: String,
    singular: String,
    labels: (String, String),
    group: (String, String),
    defaults: Vec<String>,
    required: Vec<String>,
    searchable: Vec<String>,
    primary: String,
    properties: Vec<Value>,
}

/// The standard objects with their properties.
pub(super) fn seed(state: &mut State) {
    let read = serde_json::from_str::<Standard>(include_str!("standard.json"));
    let objects = match read {
        Ok(standard) => standard.objects,
        Err(error) => {
            tracing::error!(%error, "The standard objects cannot be read.");
            return;
        }
    };
    for object in objects {
        let Some(id) = TypeId::parse(&object.id) else {
            continue;
        };
        let group = Group {
            name: object.group.0,
            label: object.group.1,
            order: 0,
        };
        let properties = object
            .properties
            .iter()
            .filter_map(|p| standard(state, p, &group.name));
        let made = ObjectType {
            id,
            name: object.name,
            singular: object.singular,
            fully_qualified: String::new(),
            labels: object.labels,
            description: None,
            properties: properties.map(|p| (p.name.clone(), p)).collect(),
            archived_properties: [].into(),
            groups: [(group.name.clone(), group)].into(),
            required: object.required,
            searchable: object.searchable,
            primary: Some(object.primary),
            secondary: vec![],
            defaults: object.defaults,
            created: state.now,
            updated: state.now,
            archived: None,
        };
        state.put_type(made);
    }
}

/// A property as `standard.json` has it: name, label, type, fieldType, letters, options.
fn standard(state: &State, given: &Value, group: &str) -> Option<Property> {
    let text = |at: usize| {
        given
            .get(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let letters = text(4);
    let options = given
        .get(5)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let options = options.iter().enumerate().filter_map(|(at, option)| {
        Some(Choice {
            value: option.get(0)?.as_str()?.to_owned(),
            label: option.get(1)?.as_str()?.to_owned(),
            description: String::new(),
            order: i64::try_from(at).ok()?,
            hidden: false,
        })
    });
    Some(Property {
        name: given.get(0)?.as_str()?.to_owned(),
        label: text(1),
        kind: text(2),
        field_type: text(3),
        group: group.to_owned(),
        description: String::new(),
        options: options.collect(),
        unique: letters.contains('u'),
        hidden: letters.contains('r'),
        form_field: !letters.contains('r'),
        order: -1,
        standard: true,
        read_only: letters.contains('r'),
        calculated: letters.contains('c'),
        refers_to: letters.contains('o').then(|| "OWNER".to_owned()),
        created: state.now,
        updated: state.now,
        archived: None,
    })
}

/// The properties every custom object has from the start.
pub(super) fn of_custom(state: &State, group: &str) -> Vec<Property> {
    let from = state.type_of(TypeId::NOTE);
    let all = from.into_iter().flat_map(|of| of.properties.values());
    let kept = all.filter(|p| p.read_only || p.name == "hubspot_owner_id");
    let kept = kept.filter(|p| !p.name.starts_with("hs_body") && p.name != "hubspot_team_id");
    kept.map(|p| Property {
        group: group.to_owned(),
        ..p.clone()
    })
    .collect()
}

// ---- scopes

fn scope(object: TypeId, writes: bool) -> &'static str {
    match (object, writes) {
        (TypeId::TICKET, _) => "tickets",
        (TypeId::COMPANY, false) => "crm.schemas.companies.read",
        (TypeId::COMPANY, true) => "crm.schemas.companies.write",
        (TypeId::DEAL, false) => "crm.schemas.deals.read",
        (TypeId::DEAL, true) => "crm.schemas.deals.write",
        (object, false) if object.is_custom() => "crm.schemas.custom.read",
        (object, true) if object.is_custom() => "crm.schemas.custom.write",
        (_, false) => "crm.schemas.contacts.read",
        (_, true) => "crm.schemas.contacts.write",
    }
}

/// Answers a request about properties, given the path behind `properties`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let method = call.request.method.clone();
    let Some((object, rest)) = path.split_first() else {
        return Err(Failure::no_route());
    };
    let object = call.object(object)?;
    call.scope(&[scope(object, method != "GET")])?;
    match (method.as_str(), rest) {
        ("GET", []) => {
            let archived = call.request.flag("archived")?;
            let of = call.state.type_of(object).ok_or_else(Failure::not_found)?;
            let list = if archived {
                &of.archived_properties
            } else {
                &of.properties
            };
            let results: Vec<Value> = list
                .values()
                .map(|p| render(call.state, object, p))
                .collect();
            Answer::ok(json!({"results": results}))
        }
        ("POST", []) => {
            let body = call.request.json.as_object().cloned();
            let body = body.ok_or_else(|| Failure::input("a JSON object is expected"))?;
            let name = create(call.state, object, &body)?;
            Ok(Answer::json(201, rendered(call.state, object, &name)))
        }
        ("GET", ["groups"]) => {
            let of = call.state.type_of(object).ok_or_else(Failure::not_found)?;
            let results: Vec<Value> = of.groups.values().map(render_group).collect();
            Answer::ok(json!({"results": results}))
        }
        ("POST", ["groups"]) => create_group(call, object),
        (method, ["groups", name]) => group(call, method, object, name),
        ("POST", ["batch", "create"]) => batch_create(call, object),
        ("POST", ["batch", "read"]) => batch_read(call, object),
        ("POST", ["batch", "archive"]) => {
            for name in names(call)? {
                // §10.1: also for names that are gone.
                match archive(call.state, object, &name) {
                    Err(failure) if failure.status != 404 => return Err(failure),
                    _ => {}
                }
            }
            Ok(Answer::empty(204))
        }
        ("GET", [name]) => {
            let archived = call.request.flag("archived")?;
            let of = call.state.type_of(object).ok_or_else(Failure::not_found)?;
            let list = if archived {
                &of.archived_properties
            } else {
                &of.properties
            };
            let found = list.get(*name).ok_or_else(|| no_property(name))?;
            Answer::ok(render(call.state, object, found))
        }
        ("PATCH", [name]) => {
            let body = call.request.json.as_object().cloned();
            let body = body.ok_or_else(|| Failure::input("a JSON object is expected"))?;
            patch(call.state, object, name, &body)?;
            Answer::ok(rendered(call.state, object, name))
        }
        ("DELETE", [name]) => {
            archive(call.state, object, name)?;
            Ok(Answer::empty(204))
        }
        (_, [] | [_] | ["batch", _]) => Err(Failure::method()),
        _ => Err(Failure::no_route()),
    }
}

fn no_property(name: &str) -> Failure {
    let message = format!("Property {name} does not exist");
    Failure::new(404, "OBJECT_NOT_FOUND", message)
}

fn rendered(state: &State, object: TypeId, name: &str) -> Value {
    let found = state.type_of(object).and_then(|of| of.properties.get(name));
    found.map_or(Value::Null, |property| render(state, object, property))
}

/// A property as the API shows it (§10.1).
pub(super) fn render(state: &State, object: TypeId, property: &Property) -> Value {
    let options: Vec<Value> = property
        .options
        .iter()
        .map(|o| {
            json!({
                "label": o.label, "value": o.value, "description": o.description, "displayOrder": o.order,
                "hidden": o.hidden,
            })
        })
        .collect();
    let mut body = json!({
        "name": property.name, "label": property.label, "type": property.kind, "fieldType": property.field_type,
        "description": property.description, "groupName": property.group, "options": options,
        "createdAt": iso(property.created), "updatedAt": iso(property.updated),
        "displayOrder": property.order, "calculated": property.calculated,
        "externalOptions": property.refers_to.is_some(), "archived": property.archived.is_some(),
        "hasUniqueValue": property.unique, "hidden": property.hidden, "hubspotDefined": property.standard,
        "formField": property.form_field, "showCurrencySymbol": false,
        "modificationMetadata": {
            "archivable": !property.standard, "readOnlyDefinition": property.standard,
            "readOnlyOptions": property.standard, "readOnlyValue": is_read_only(state, object, property),
        },
    });
    if let Some(map) = body.as_object_mut() {
        if let Some(to) = &property.refers_to {
            map.insert("referencedObjectType".to_owned(), json!(to));
        }
        if let Some(at) = property.archived {
            map.insert("archivedAt".to_owned(), json!(iso(at)));
        }
        if !property.standard {
            map.insert("createdUserId".to_owned(), json!("1"));
        }
    }
    body
}

fn kind_of(kind: &str, field_type: &str) -> Result<(), Failure> {
    let Some((_, shown)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return Err(Failure::validation(format!(
            "{kind} is not a type of properties that can be created"
        )));
    };
    if shown.contains(&field_type) {
        Ok(())
    } else {
        Err(Failure::validation(format!(
            "fieldType {field_type} does not go with type {kind}"
        )))
    }
}

/// The options in a body.
fn options_of(state: &State, body: &Map<String, Value>) -> Result<Option<Vec<Choice>>, Failure> {
    let Some(given) = body.get("options") else {
        return Ok(None);
    };
    let list = given
        .as_array()
        .ok_or_else(|| Failure::input("options: a list is expected"))?;
    if list.len() > state.config.switches.options_per_property {
        return Err(Failure::validation(format!(
            "{} options are too many",
            list.len()
        )));
    }
    let mut options: Vec<Choice> = Vec::new();
    let (mut values, mut labels) = (
        std::collections::HashSet::new(),
        std::collections::HashSet::new(),
    );
    for (at, option) in list.iter().enumerate() {
        let option = option
            .as_object()
            .ok_or_else(|| Failure::input("options: an object is expected"))?;
        members_of(
            option,
            &["label", "value", "description", "displayOrder", "hidden"],
        )?;
        let (value, label) = (required(option, "value")?, required(option, "label")?);
        if value.contains(';') {
            // §10.3
            return Err(Failure::validation(format!(
                "The option value {value} contains a semicolon"
            )));
        }
        if !values.insert(value.to_owned()) || !labels.insert(label.to_owned()) {
            let message = format!("Property option {label} ({value}) is there twice");
            return Err(Failure::validation(message).sub("PropertyError.DUPLICATE_OPTION"));
        }
        options.push(Choice {
            value: value.to_owned(),
            label: label.to_owned(),
            description: option
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            order: option
                .get("displayOrder")
                .and_then(Value::as_i64)
                .unwrap_or(i64::try_from(at).unwrap_or(-1)),
            hidden: option
                .get("hidden")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        });
    }
    Ok(Some(options))
}

/// The name as it is kept (§10.3).
fn name_of(state: &State, given: &str) -> Result<String, Failure> {
    let name = if state.config.switches.names_lower_cased {
        given.to_lowercase()
    } else {
        given.to_owned()
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let good = name.chars().next().is_some_and(|c| c.is_ascii_lowercase())
        && name.chars().all(plain)
        && name.len() <= 100
        && !name.starts_with("hs_");
    if good {
        Ok(name)
    } else {
        let message = format!(
            "{given} is no name of a property: lower-case letters, digits and underscores, a letter first, at most 100"
        );
        Err(Failure::validation(message))
    }
}

/// Makes a property; its name.
pub(super) fn create(
    state: &mut State,
    object: TypeId,
    body: &Map<String, Value>,
) -> Result<String, Failure> {
    members_of(
        body,
        &[
            "groupName",
            "name",
            "label",
            "type",
            "fieldType",
            "description",
            "options",
            "hasUniqueValue",
            "hidden",
            "formField",
            "displayOrder",
            "externalOptions",
            "referencedObjectType",
            "calculationFormula",
        ],
    )?;
    let name = name_of(state, required(body, "name")?)?;
    let (label, group) = (required(body, "label")?, required(body, "groupName")?);
    let (kind, field_type) = (required(body, "type")?, required(body, "fieldType")?);
    kind_of(kind, field_type)?;
    let of = state.type_of(object).ok_or_else(Failure::not_found)?;
    let reserved = state.config.switches.archived_name_reserved;
    let archived = of.archived_properties.contains_key(&name);
    if of.properties.contains_key(&name) || archived && reserved {
        let message = if of.properties.contains_key(&name) {
            format!("A property named '{name}' already exists.")
        } else {
            format!("A property named '{name}' was archived and its name is reserved.")
        };
        let status = state.config.switches.exists_status;
        let mut failure = Failure::new(status, "OBJECT_ALREADY_EXISTS", message);
        if status == 400 {
            failure.category = "VALIDATION_ERROR";
        }
        return Err(failure.sub("Properties.PropertyAlreadyExists"));
    }
    if !of.groups.contains_key(group) {
        return Err(Failure::validation(format!(
            "The property group {group} does not exist"
        )));
    }
    let limit = custom_limit(state);
    if of.properties.values().filter(|p| !p.standard).count() >= limit {
        let message = format!("The limit of {limit} custom properties is reached");
        return Err(Failure::validation(message).sub("PROPERTY_LIMIT_REACHED"));
    }
    let options = options_of(state, body)?.unwrap_or_default();
    if kind == "bool" && state.config.switches.bool_needs_options {
        let values: Vec<&str> = options.iter().map(|o| o.value.as_str()).collect();
        if values.len() != 2 || !values.contains(&"true") || !values.contains(&"false") {
            return Err(Failure::validation(
                "A bool property needs the two options true and false",
            ));
        }
    }
    let unique = body
        .get("hasUniqueValue")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if unique {
        check_unique(state, object, kind)?;
    }
    let text = |name: &str| {
        body.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let flag = |name: &str| body.get(name).and_then(Value::as_bool).unwrap_or(false);
    let made = Property {
        name: name.clone(),
        label: label.to_owned(),
        kind: kind.to_owned(),
        field_type: field_type.to_owned(),
        group: group.to_owned(),
        description: text("description"),
        options,
        unique,
        hidden: flag("hidden"),
        form_field: flag("formField"),
        order: body
            .get("displayOrder")
            .and_then(Value::as_i64)
            .unwrap_or(-1),
        standard: false,
        read_only: false,
        calculated: field_type == "calculation_equation",
        refers_to: None,
        created: state.now,
        updated: state.now,
        archived: None,
    };
    if unique {
        state.begin_unique(object, &name);
    }
    state.forget_values(object, &name);
    if let Some(of) = state.types.get_mut(&object) {
        of.archived_properties.remove(&name);
        of.properties.insert(name.clone(), made);
    }
    Ok(name)
}

/// Custom properties an object may have (§10.3).
pub(super) fn custom_limit(state: &State) -> usize {
    match state.config.plan {
        Plan::Free => 10,
        _ => state.config.switches.custom_properties,
    }
}

fn check_unique(state: &State, object: TypeId, kind: &str) -> Result<(), Failure> {
    if object.is_activity() && !state.config.switches.unique_on_activities {
        // §0.6
        return Err(Failure::validation(format!(
            "Unique properties are not supported on {object}"
        )));
    }
    if !matches!(kind, "string" | "number") {
        return Err(Failure::validation(format!(
            "A property of type {kind} cannot be unique"
        )));
    }
    let Some(of) = state.type_of(object) else {
        return Err(Failure::not_found());
    };
    let counted = state.config.switches.archived_property_counts;
    let archived = of.archived_properties.values().filter(|_| counted);
    let unique = of
        .properties
        .values()
        .chain(archived)
        .filter(|p| p.unique && !p.standard);
    if unique.count() >= UNIQUE {
        let message = format!("The limit of {UNIQUE} unique properties is reached");
        return Err(Failure::validation(message).sub("PROPERTY_LIMIT_REACHED"));
    }
    Ok(())
}

fn patch(
    state: &mut State,
    object: TypeId,
    name: &str,
    body: &Map<String, Value>,
) -> Result<(), Failure> {
    // §10.1: the name and `hasUniqueValue` can never be changed.
    members_of(
        body,
        &[
            "label",
            "description",
            "options",
            "type",
            "fieldType",
            "groupName",
            "hidden",
            "formField",
            "displayOrder",
            "calculationFormula",
        ],
    )?;
    let options = options_of(state, body)?;
    let now = state.now;
    let of = state
        .types
        .get_mut(&object)
        .ok_or_else(Failure::not_found)?;
    let groups = of.groups.clone();
    let property = of
        .properties
        .get_mut(name)
        .ok_or_else(|| no_property(name))?;
    if property.standard {
        return Err(Failure::validation(format!(
            "{name} is HubSpot's own and cannot be changed"
        )));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut changed = property.clone();
    if let Some(group) = text("groupName") {
        if !groups.contains_key(&group) {
            return Err(Failure::validation(format!(
                "The property group {group} does not exist"
            )));
        }
        changed.group = group;
    }
    for (to, from) in [
        (&mut changed.label, text("label")),
        (&mut changed.description, text("description")),
        (&mut changed.kind, text("type")),
        (&mut changed.field_type, text("fieldType")),
    ] {
        if let Some(text) = from {
            *to = text;
        }
    }
    kind_of(&changed.kind, &changed.field_type)?;
    if let Some(options) = options {
        // §10.4: an option that is left out disappears.
        changed.options = options;
    }
    for (to, name) in [
        (&mut changed.hidden, "hidden"),
        (&mut changed.form_field, "formField"),
    ] {
        if let Some(flag) = body.get(name).and_then(Value::as_bool) {
            *to = flag;
        }
    }
    if let Some(order) = body.get("displayOrder").and_then(Value::as_i64) {
        changed.order = order;
    }
    changed.updated = now;
    *property = changed;
    Ok(())
}

/// Archives a property (§10.1).
fn archive(state: &mut State, object: TypeId, name: &str) -> Result<(), Failure> {
    let now = state.now;
    let of = state
        .types
        .get_mut(&object)
        .ok_or_else(Failure::not_found)?;
    let property = of.properties.get(name).ok_or_else(|| no_property(name))?;
    if property.standard {
        return Err(Failure::validation(format!(
            "{name} is HubSpot's own and cannot be deleted"
        )));
    }
    let in_use = of
        .required
        .iter()
        .chain(&of.primary)
        .any(|used| used == name);
    if in_use && of.archived.is_none() {
        let message =
            format!("{name} is a required or display property of {object} and cannot be deleted");
        return Err(Failure::validation(message).sub("PROPERTY_IN_USE"));
    }
    let Some(mut property) = of.properties.remove(name) else {
        return Err(no_property(name));
    };
    property.archived = Some(now);
    let unique = property.unique;
    of.archived_properties.insert(name.to_owned(), property);
    if unique {
        state.end_unique(object, name);
    }
    // §10.3: the name is free again after 90 days.
    state.schedule(
        chrono::Duration::days(90),
        Event::FreeName(object, name.to_owned()),
    );
    Ok(())
}

fn names(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    let body = call.body(&["inputs", "archived"])?;
    let inputs = call.inputs(body, 100)?;
    let name =
        |input: &Value| Ok(required(input.as_object().unwrap_or(&Map::new()), "name")?.to_owned());
    inputs.iter().map(name).collect()
}

fn batch_create(call: &mut Call<'_>, object: TypeId) -> Outcome {
    let inputs = call.inputs(call.body(&["inputs"])?, 100)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for input in &inputs {
        let body = input.as_object().cloned().unwrap_or_default();
        match create(call.state, object, &body) {
            Ok(name) => results.push(rendered(call.state, object, &name)),
            Err(failure) => {
                let name = body.get("name").and_then(Value::as_str).map(str::to_owned);
                errors.push(failure.about("name", name));
            }
        }
    }
    // §1.2
    let whole = if call.has_new_codes() { 200 } else { 201 };
    Ok(call.batch(whole, results, &errors))
}

fn batch_read(call: &mut Call<'_>, object: TypeId) -> Outcome {
    let names = names(call)?;
    let archived = call
        .request
        .json
        .get("archived")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let of = call.state.type_of(object).ok_or_else(Failure::not_found)?;
    let list = if archived {
        &of.archived_properties
    } else {
        &of.properties
    };
    let (mut results, mut missing) = (Vec::new(), Vec::new());
    for name in names {
        match list.get(&name) {
            Some(property) => results.push(render(call.state, object, property)),
            None => missing.push(name),
        }
    }
    let mut errors = Vec::new();
    if !missing.is_empty() {
        let failure = Failure::new(404, "OBJECT_NOT_FOUND", "Some properties do not exist");
        errors.push(failure.about("name", missing));
    }
    Ok(call.batch(200, results, &errors))
}

// ---- groups

fn render_group(group: &Group) -> Value {
    json!({"name": group.name, "label": group.label, "displayOrder": group.order, "archived": false})
}

fn create_group(call: &mut Call<'_>, object: TypeId) -> Outcome {
    let body = call.body(&["name", "label", "displayOrder"])?;
    let name = name_of(call.state, required(body, "name")?)?;
    let group = Group {
        name: name.clone(),
        label: required(body, "label")?.to_owned(),
        order: body
            .get("displayOrder")
            .and_then(Value::as_i64)
            .unwrap_or(-1),
    };
    let status = call.state.config.switches.exists_status;
    let of = call
        .state
        .types
        .get_mut(&object)
        .ok_or_else(Failure::not_found)?;
    if of.groups.contains_key(&name) {
        let message = format!("A property group named '{name}' already exists.");
        return Err(Failure::new(status, "OBJECT_ALREADY_EXISTS", message));
    }
    let json = render_group(&group);
    of.groups.insert(name, group);
    Ok(Answer::json(201, json))
}

fn group(call: &mut Call<'_>, method: &str, object: TypeId, name: &str) -> Outcome {
    let body = match method {
        "PATCH" => call.body(&["label", "displayOrder"])?.clone(),
        _ => Map::new(),
    };
    let of = call
        .state
        .types
        .get_mut(&object)
        .ok_or_else(Failure::not_found)?;
    let missing = || {
        Failure::new(
            404,
            "OBJECT_NOT_FOUND",
            format!("Property group {name} does not exist"),
        )
    };
    let group = of.groups.get_mut(name).ok_or_else(missing)?;
    match method {
        "GET" => Answer::ok(render_group(group)),
        "PATCH" => {
            if let Some(label) = body.get("label").and_then(Value::as_str) {
                group.label = label.to_owned();
            }
            if let Some(order) = body.get("displayOrder").and_then(Value::as_i64) {
                group.order = order;
            }
            Answer::ok(render_group(group))
        }
        "DELETE" => {
            // [INF]: a group with properties stays.
            if of.properties.values().any(|p| p.group == name) {
                let message = format!("Property group {name} still has properties");
                return Err(Failure::validation(message).sub("PROPERTY_GROUP_IN_USE"));
            }
            of.groups.remove(name);
            Ok(Answer::empty(204))
        }
        _ => Err(Failure::method()),
    }
}
