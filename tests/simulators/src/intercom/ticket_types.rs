//! Ticket types with their attributes, and states (Intercom facts §8.4).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::model::{Category, Id, ListOption, TicketAttribute, TicketState, TicketType};
use super::read::Reader;
use super::state::State;

const DATA_TYPES: [&str; 7] = [
    "string", "list", "integer", "decimal", "boolean", "datetime", "files",
];
/// The attribute that is a ticket's title.
pub(super) const TITLE: &str = "_default_title_";
/// The attribute that is its first text.
pub(super) const DESCRIPTION: &str = "_default_description_";

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("GET", ["ticket_types"]) => {
            let shown = call.state.ticket_types.values();
            let data: Vec<Value> = shown.map(|one| render(call.state, one)).collect();
            Answer::ok(json!({"type": "list", "data": data}))
        }
        ("POST", ["ticket_types"]) => post(call),
        ("GET", ["ticket_types", id]) => {
            find(call.state, id).and_then(|one| Answer::ok(render(call.state, one)))
        }
        ("PUT", ["ticket_types", id]) => put(call, id),
        ("POST", ["ticket_types", id, "attributes"]) => post_attribute(call, id),
        ("PUT", ["ticket_types", id, "attributes", attribute]) => {
            put_attribute(call, id, attribute)
        }
        ("GET", ["ticket_states"]) => {
            let states = call.state.ticket_states.iter();
            let data: Vec<Value> = states
                .map(|one| render_with_types(call.state, one))
                .collect();
            Answer::ok(json!({"type": "list", "data": data}))
        }
        _ => return None,
    })
}

/// The states that every workspace has.
pub(super) fn usual_states(state: &mut State) {
    for (category, internal_label, external_label) in [
        ("submitted", "Submitted", "Submitted"),
        ("in_progress", "In progress", "In progress"),
        (
            "waiting_on_customer",
            "Waiting on customer",
            "Waiting on you",
        ),
        ("resolved", "Resolved", "Resolved"),
    ] {
        let id = state.next_id();
        state.ticket_states.push(TicketState {
            id,
            category,
            internal_label,
            external_label,
        });
    }
}

fn find<'s>(state: &'s State, id: &str) -> Result<&'s TicketType, Failure> {
    let id: Option<Id> = id.parse().ok();
    let found = id.and_then(|id| state.ticket_types.get(&id));
    found.ok_or_else(Failure::resource)
}

/// A state as answers show it.
pub(super) fn render_state(state: &TicketState) -> Value {
    json!({
        "type": "ticket_state", "id": state.id.to_string(), "category": state.category,
        "internal_label": state.internal_label, "external_label": state.external_label,
    })
}

fn render_with_types(state: &State, one: &TicketState) -> Value {
    let types = state.ticket_types.values().map(|kind| {
        json!({
            "type": "ticket_type", "id": kind.id.to_string(), "name": kind.name, "description": kind.description,
            "icon": kind.icon, "archived": kind.archived, "is_internal": kind.is_internal,
            "category": kind.category.as_str(),
        })
    });
    let types: Vec<Value> = types.collect();
    let mut shown = render_state(one);
    if let Some(map) = shown.as_object_mut() {
        map.insert(
            "ticket_types".to_owned(),
            json!({"type": "list", "data": types}),
        );
        map.insert("archived".to_owned(), json!(false));
    }
    shown
}

/// A type as answers show it.
pub(super) fn render(state: &State, kind: &TicketType) -> Value {
    let attributes: Vec<Value> = kind
        .attributes
        .iter()
        .enumerate()
        .map(|(order, one)| render_attribute(state, kind, order, one))
        .collect();
    let states: Vec<Value> = state.ticket_states.iter().map(render_state).collect();
    json!({
        "type": "ticket_type", "id": kind.id.to_string(), "name": kind.name, "description": kind.description,
        "icon": kind.icon, "workspace_id": state.config.workspace_id, "archived": kind.archived,
        "created_at": kind.created_at, "updated_at": kind.updated_at, "is_internal": kind.is_internal,
        "ticket_type_attributes": {"type": "list", "data": attributes},
        "category": kind.category.as_str(), "ticket_states": {"type": "list", "data": states},
    })
}

fn render_attribute(
    state: &State,
    kind: &TicketType,
    order: usize,
    one: &TicketAttribute,
) -> Value {
    let options = if one.data_type == "list" {
        let items: Vec<Value> = one
            .options
            .iter()
            .map(|item| json!({"id": item.id, "label": item.label, "archived": item.archived}))
            .collect();
        json!({"allow_multiple_values": one.allow_multiple_values, "list_options": items})
    } else {
        json!({"multiline": one.multiline})
    };
    json!({
        "type": "ticket_type_attribute", "id": one.id.to_string(), "workspace_id": state.config.workspace_id,
        "name": one.name, "description": one.description, "data_type": one.data_type, "input_options": options,
        "order": order, "required_to_create": one.required_to_create,
        "required_to_create_for_contacts": one.required_to_create_for_contacts,
        "visible_on_create": one.visible_on_create, "visible_to_contacts": one.visible_to_contacts,
        "default": one.default, "ticket_type_id": kind.id, "archived": one.archived,
        "created_at": one.created_at, "updated_at": one.updated_at,
    })
}

fn blank_attribute(state: &mut State, name: &str, data_type: &str) -> TicketAttribute {
    let now = state.now();
    TicketAttribute {
        id: state.next_id(),
        name: name.to_owned(),
        description: String::new(),
        data_type: data_type.to_owned(),
        required_to_create: false,
        required_to_create_for_contacts: false,
        visible_on_create: true,
        visible_to_contacts: true,
        multiline: false,
        allow_multiple_values: false,
        options: Vec::new(),
        default: false,
        archived: false,
        created_at: now,
        updated_at: now,
    }
}

fn category(reader: Reader<'_>) -> Result<Option<Category>, Failure> {
    match reader.text("category")? {
        None => Ok(None),
        Some(name) => Category::named(&name).map(Some).ok_or_else(|| {
            Failure::field(
                "category",
                "category must be one of Customer, Back-office, Tracker",
            )
        }),
    }
}

fn post(call: &mut Call<'_>) -> Outcome {
    let reader = call.body(&["name", "description", "category", "icon", "is_internal"])?;
    let name = reader.needed("name")?;
    let category = category(reader)?.unwrap_or(Category::Customer);
    let description = reader.text("description")?.unwrap_or_default();
    let icon = reader.text("icon")?.unwrap_or_else(|| "🎟️".to_owned());
    let is_internal = reader.flag("is_internal")?.unwrap_or_default();
    let id = make(call.state, &name, category);
    if let Some(kind) = call.state.ticket_types.get_mut(&id) {
        kind.description = description;
        kind.icon = icon;
        kind.is_internal = is_internal;
    }
    Answer::ok(render(call.state, find(call.state, &id.to_string())?))
}

/// Makes a type, with the two attributes that every type has.
pub(super) fn make(state: &mut State, name: &str, category: Category) -> Id {
    let mut title = blank_attribute(state, TITLE, "string");
    title.default = true;
    let mut description = blank_attribute(state, DESCRIPTION, "string");
    description.default = true;
    description.multiline = true;
    let now = state.now();
    let kind = TicketType {
        id: state.next_id(),
        name: name.to_owned(),
        description: String::new(),
        icon: "🎟️".to_owned(),
        category,
        is_internal: false,
        attributes: vec![title, description],
        archived: false,
        created_at: now,
        updated_at: now,
    };
    let id = kind.id;
    state.ticket_types.insert(id, kind);
    id
}

fn put(call: &mut Call<'_>, id: &str) -> Outcome {
    let mut kind = find(call.state, id)?.clone();
    let reader = call.body(&[
        "name",
        "description",
        "category",
        "icon",
        "archived",
        "is_internal",
    ])?;
    for (key, part) in [
        ("name", &mut kind.name),
        ("description", &mut kind.description),
        ("icon", &mut kind.icon),
    ] {
        if let Some(text) = reader.text(key)? {
            *part = text;
        }
    }
    kind.category = category(reader)?.unwrap_or(kind.category);
    kind.archived = reader.flag("archived")?.unwrap_or(kind.archived);
    kind.is_internal = reader.flag("is_internal")?.unwrap_or(kind.is_internal);
    kind.updated_at = call.now();
    let answer = render(call.state, &kind);
    call.state.ticket_types.insert(kind.id, kind);
    Answer::ok(answer)
}

/// The items of a list: texts with commas between. One that was there keeps its id.
fn items(state: &mut State, text: &str, old: &[ListOption]) -> Vec<ListOption> {
    let labels: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|label| !label.is_empty())
        .collect();
    labels
        .into_iter()
        .map(|label| match old.iter().find(|one| one.label == label) {
            Some(old) => old.clone(),
            None => ListOption {
                id: state.uuid(),
                label: label.to_owned(),
                archived: false,
            },
        })
        .collect()
}

fn apply(
    state: &mut State,
    reader: Reader<'_>,
    attribute: &mut TicketAttribute,
) -> Result<(), Failure> {
    if let Some(description) = reader.text("description")? {
        attribute.description = description;
    }
    for (key, part) in [
        ("required_to_create", &mut attribute.required_to_create),
        (
            "required_to_create_for_contacts",
            &mut attribute.required_to_create_for_contacts,
        ),
        ("visible_on_create", &mut attribute.visible_on_create),
        ("visible_to_contacts", &mut attribute.visible_to_contacts),
        ("multiline", &mut attribute.multiline),
        (
            "allow_multiple_values",
            &mut attribute.allow_multiple_values,
        ),
        ("archived", &mut attribute.archived),
    ] {
        if let Some(flag) = reader.flag(key)? {
            *part = flag;
        }
    }
    if let Some(text) = reader.text("list_items")? {
        attribute.options = items(state, &text, &attribute.options);
    }
    Ok(())
}

fn unique(kind: &TicketType, name: &str, but: Option<Id>) -> Result<(), Failure> {
    let mut all = kind.attributes.iter();
    let taken = all.any(|one| one.name == name && !one.archived && Some(one.id) != but);
    if taken {
        return Err(Failure::field(
            "name",
            format!("An attribute named '{name}' already exists"),
        ));
    }
    Ok(())
}

fn post_attribute(call: &mut Call<'_>, id: &str) -> Outcome {
    let mut kind = find(call.state, id)?.clone();
    let known = [
        "name",
        "description",
        "data_type",
        "required_to_create",
        "required_to_create_for_contacts",
        "visible_on_create",
        "visible_to_contacts",
        "multiline",
        "list_items",
        "allow_multiple_values",
    ];
    let reader = call.body(&known)?;
    let name = reader.needed("name")?;
    if reader.text("description")?.is_none() {
        return Err(Failure::missing("description"));
    }
    let data_type = reader.needed("data_type")?;
    if !DATA_TYPES.contains(&data_type.as_str()) {
        let message = format!("data_type must be one of {}", DATA_TYPES.join(", "));
        return Err(Failure::field("data_type", message));
    }
    unique(&kind, &name, None)?;
    let mut attribute = blank_attribute(call.state, &name, &data_type);
    apply(call.state, reader, &mut attribute)?;
    if data_type == "list" && attribute.options.is_empty() {
        return Err(Failure::missing("list_items"));
    }
    let answer = render_attribute(call.state, &kind, kind.attributes.len(), &attribute);
    kind.attributes.push(attribute);
    call.state.ticket_types.insert(kind.id, kind);
    Answer::ok(answer)
}

fn put_attribute(call: &mut Call<'_>, id: &str, attribute: &str) -> Outcome {
    let mut kind = find(call.state, id)?.clone();
    let attribute: Option<Id> = attribute.parse().ok();
    let at = kind
        .attributes
        .iter()
        .position(|one| Some(one.id) == attribute);
    let at = at.ok_or_else(Failure::resource)?;
    let known = [
        "name",
        "description",
        "required_to_create",
        "required_to_create_for_contacts",
        "visible_on_create",
        "visible_to_contacts",
        "multiline",
        "list_items",
        "allow_multiple_values",
        "archived",
    ];
    let reader = call.body(&known)?;
    let name = reader.text("name")?;
    if let Some(name) = &name {
        unique(&kind, name, attribute)?;
    }
    let mut changed = kind
        .attributes
        .get(at)
        .cloned()
        .ok_or_else(Failure::resource)?;
    if changed.default && reader.flag("archived")? == Some(true) {
        return Err(Failure::field(
            "archived",
            "Default attributes cannot be archived",
        ));
    }
    apply(call.state, reader, &mut changed)?;
    changed.name = name.unwrap_or(changed.name);
    changed.updated_at = call.now();
    let answer = render_attribute(call.state, &kind, at, &changed);
    if let Some(place) = kind.attributes.get_mut(at) {
        *place = changed;
    }
    call.state.ticket_types.insert(kind.id, kind);
    Answer::ok(answer)
}
