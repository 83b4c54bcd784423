//! Custom fields of tickets and customers, and their values (Gorgias facts §9).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, page, paging, time_of};
use super::model::{Field, Id, ObjectType};
use super::read::{EXTERNAL_ID_LENGTH, Problems, Reader};
use super::state::State;
use super::switches::UnknownFieldValue;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["custom-fields"], "GET") => list(call),
        (["custom-fields"], "POST") => post(call),
        (["custom-fields"], "PUT") => put_many(call),
        (["custom-fields", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            Answer::ok(render(
                call.state,
                call.state.fields.get(&id).ok_or(Failure::NotFound)?,
            ))
        }),
        (["custom-fields", id], "PUT") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let body = call.request.json.clone();
            let field = change(call.state, id, &body, &KEYS, true)?;
            Answer::accepted(field)
        }),
        // §9: fields cannot be deleted.
        (["custom-fields"] | ["custom-fields", _], _) => Err(Failure::Method),
        _ => return None,
    })
}

/// A field as answers show it.
pub(super) fn render(state: &State, field: &Field) -> Value {
    let deactivated = field.deactivated_at;
    json!({
        "id": field.id,
        "object_type": field.object.as_str(),
        "label": field.label,
        "description": field.description,
        "required": field.required,
        "priority": field.priority,
        "external_id": field.external_id,
        "managed_type": field.managed_type,
        "definition": field.definition,
        "created_datetime": time_of(state, field.created_at),
        "updated_datetime": time_of(state, field.updated_at),
        "deactivated_datetime": deactivated.map(|time| time_of(state, time)),
        "uri": format!("/api/custom-fields/{}", field.id),
    })
}

fn object_type(text: &str) -> Option<ObjectType> {
    match text {
        "Ticket" => Some(ObjectType::Ticket),
        "Customer" => Some(ObjectType::Customer),
        _ => None,
    }
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED, &["object_type", "archived", "search"]])?;
    let paging = paging(call, &["priority"])?;
    let wrong = |text: &str| Failure::invalid("Invalid parameters", "object_type", text);
    let object = call.request.param("object_type");
    let object = object.ok_or_else(|| wrong("Missing data for required field."))?;
    let object = object_type(object).ok_or_else(|| wrong("Must be one of: Ticket, Customer."))?;
    let archived = call.flag_param("archived")?.unwrap_or(false);
    let wanted = call.request.param("search").map(str::to_lowercase);
    let all = call.state.fields.values();
    let chosen = all.filter(|field| {
        field.object == object
            && field.deactivated_at.is_some() == archived
            && wanted
                .as_ref()
                .is_none_or(|wanted| field.label.to_lowercase().contains(wanted))
            && call.state.is_listed(field.updated_at)
    });
    let places = chosen.map(|field| (field.priority, field.id)).collect();
    page(call, &paging, &places, |id| {
        Some(render(call.state, call.state.fields.get(&id)?))
    })
}

const KEYS: [&str; 9] = [
    "object_type",
    "label",
    "description",
    "required",
    "priority",
    "external_id",
    "managed_type",
    "definition",
    "deactivated_datetime",
];

/// What the definition of a field may be (§9).
fn definition(value: &Value) -> Problems {
    let mut reader = Reader::new(value, &["data_type", "input_settings"]);
    reader.required("data_type");
    reader.required("input_settings");
    let kind = reader.choice("data_type", &["text", "number", "boolean"]);
    if let (Some(kind), Some(settings)) = (kind, reader.raw("input_settings")) {
        let problems = settings_of(&kind, settings);
        reader.nested("input_settings", problems);
    }
    reader.problems()
}

fn settings_of(kind: &str, settings: &Value) -> Problems {
    let input = settings
        .get("input_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let known: &[&str] = match (kind, input) {
        ("text", "input") => &["input_type", "placeholder"],
        ("text" | "boolean", "dropdown") => &["input_type", "choices", "default"],
        ("number", "input_number") => &["input_type", "min", "max", "placeholder"],
        _ => &["input_type"],
    };
    let mut reader = Reader::new(settings, known);
    reader.required("input_type");
    let choices: &[&str] = match kind {
        "text" => &["input", "dropdown"],
        "number" => &["input_number"],
        _ => &["dropdown"],
    };
    reader.choice("input_type", choices);
    if known.contains(&"choices") {
        if kind == "text" {
            reader.required("choices");
        }
        let fits = |choice: &Value| {
            if kind == "text" {
                choice.is_string()
            } else {
                choice.is_boolean()
            }
        };
        if let Some(list) = reader.list("choices")
            && (list.is_empty() || !list.iter().all(fits))
        {
            reader.problem("choices", "Not a valid choice.");
        }
    }
    for bound in ["min", "max"] {
        if reader.raw(bound).is_some_and(|value| !value.is_number()) {
            reader.problem(bound, "Not a valid number.");
        }
    }
    reader.problems()
}

fn apply(reader: &mut Reader<'_>, field: &mut Field) {
    if let Some(object) = reader.choice("object_type", &["Ticket", "Customer"]) {
        field.object = object_type(&object).unwrap_or(field.object);
    }
    if let Some(label) = reader.text("label", 255) {
        if label.is_empty() {
            reader.problem("label", "Shorter than minimum length 1.");
        }
        field.label = label;
    }
    if reader.given("description") {
        field.description = reader.text("description", 1024);
    }
    if let Some(required) = reader.flag("required") {
        field.required = required;
    }
    if let Some(priority) = reader.integer("priority") {
        if !(0..=5000).contains(&priority) {
            reader.problem("priority", "Must be between 0 and 5000.");
        }
        field.priority = priority;
    }
    if reader.given("external_id") {
        field.external_id = reader.text("external_id", EXTERNAL_ID_LENGTH);
    }
    if reader.given("managed_type") {
        field.managed_type = reader.long_text("managed_type");
    }
    if let Some(value) = reader.raw("definition") {
        let problems = definition(value);
        if problems.is_empty() {
            field.definition = value.clone();
        }
        reader.nested("definition", problems);
    }
    if reader.given("deactivated_datetime") {
        field.deactivated_at = reader.time("deactivated_datetime", true);
    }
}

/// Refuses one active field too many (§9: 25 of tickets; 4 of customers [3P]), and a label twice (§11 [?]).
fn room(state: &State, field: &Field, msg: &str) -> Result<(), Failure> {
    if field.deactivated_at.is_some() {
        return Ok(());
    }
    let others = || {
        let all = state.fields.values();
        all.filter(|o| o.object == field.object && o.deactivated_at.is_none() && o.id != field.id)
    };
    let switches = &state.config.switches;
    let most = match field.object {
        ObjectType::Ticket => switches.ticket_fields,
        ObjectType::Customer => switches.customer_fields,
    };
    if others().count() >= most {
        let text = format!("The limit of {most} active custom fields is reached.");
        return Err(Failure::invalid(msg, "object_type", text));
    }
    if switches.field_labels_unique && others().any(|other| other.label == field.label) {
        return Err(Failure::exists());
    }
    Ok(())
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let body = call.request.json.clone();
    let id = make(call.state, &body)?;
    let field = call.state.fields.get(&id).ok_or(Failure::NotFound)?;
    Answer::created(render(call.state, field))
}

/// Makes a field from a body.
pub(super) fn make(state: &mut State, body: &Value) -> Result<Id, Failure> {
    let msg = "Failed to create custom field";
    let mut field = Field {
        id: state.next_id(),
        object: ObjectType::Ticket,
        label: String::new(),
        description: None,
        required: false,
        priority: 0,
        external_id: None,
        managed_type: None,
        definition: Value::Null,
        created_at: state.now,
        updated_at: state.now,
        deactivated_at: None,
    };
    let mut reader = Reader::new(body, &KEYS);
    for key in ["object_type", "label", "definition"] {
        reader.required(key);
    }
    apply(&mut reader, &mut field);
    reader.finish(msg)?;
    room(state, &field, msg)?;
    let id = field.id;
    state.fields.insert(id, field);
    Ok(id)
}

fn change(
    state: &mut State,
    id: Id,
    body: &Value,
    keys: &[&str],
    whole: bool,
) -> Result<Value, Failure> {
    let msg = "Failed to update custom field";
    let found = state.fields.get(&id).cloned();
    let old = found.ok_or(Failure::NotFound)?;
    let mut field = old.clone();
    let mut reader = Reader::new(body, keys);
    if whole {
        for key in ["object_type", "label", "definition"] {
            reader.required(key);
        }
    }
    apply(&mut reader, &mut field);
    if field.object != old.object {
        reader.problem("object_type", "Field may not be changed.");
    }
    if field.data_type() != old.data_type() {
        reader.problem("definition", "The data type may not be changed.");
    }
    reader.finish(msg)?;
    room(state, &field, msg)?;
    field.updated_at = state.now;
    let answer = render(state, &field);
    state.fields.insert(id, field);
    Ok(answer)
}

/// `PUT /custom-fields` with a bare array: only the ids are required (§9, bulk update).
fn put_many(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let msg = "Failed to update custom fields";
    let body = call.request.json.clone();
    let list = body.as_array();
    let list = list.ok_or_else(|| Failure::invalid(msg, "_schema", "Invalid input type."))?;
    let before = call.state.fields.clone();
    let mut keys = KEYS.to_vec();
    keys.push("id");
    let mut done = Vec::new();
    for item in list {
        let id = item.get("id").and_then(Value::as_u64);
        let changed = match id {
            None => Err(Failure::invalid(
                msg,
                "id",
                "Missing data for required field.",
            )),
            Some(id) => change(call.state, id, item, &keys, false),
        };
        match changed {
            Ok(field) => done.push(field),
            Err(failure) => {
                call.state.fields = before;
                return Err(failure);
            }
        }
    }
    Answer::accepted(Value::Array(done))
}

// ---- values

/// Values by field; null takes one away.
pub(super) type Values = BTreeMap<Id, Value>;

/// Reads `[{"id","value"}]`. A value for a field that is not there is dropped in silence or refused (pairs §4).
pub(super) fn read_values(
    state: &State,
    object: ObjectType,
    list: &[Value],
) -> Result<Values, Problems> {
    let mut problems = Problems::new();
    let mut values = Values::new();
    for (at, item) in list.iter().enumerate() {
        let mut reader = Reader::new(item, &["id", "value"]);
        reader.required("id");
        if !reader.given("value") {
            reader.required("value");
        }
        let value = reader.raw("value").cloned().unwrap_or_default();
        if let Some(id) = reader.id("id") {
            match check_value(state, object, id, &value) {
                Ok(true) => {
                    values.insert(id, value);
                }
                Ok(false) => {}
                Err(problem) => reader.problem("value", problem),
            }
        }
        let found = reader.problems();
        if !found.is_empty() {
            problems.insert(at.to_string(), Value::Object(found));
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(problems)
    }
}

/// Whether a value is taken; a problem when it is refused.
fn check_value(state: &State, object: ObjectType, id: Id, value: &Value) -> Result<bool, String> {
    let field = state.fields.get(&id);
    let field = field.filter(|f| f.object == object && f.deactivated_at.is_none());
    let Some(field) = field else {
        return match state.config.switches.unknown_field_value {
            UnknownFieldValue::Dropped => Ok(false),
            UnknownFieldValue::Refused => Err("Custom field not found.".to_owned()),
        };
    };
    if value.is_null() {
        return Ok(true);
    }
    let settings = |name: &str| {
        let settings = field.definition.get("input_settings")?;
        settings.get(name).filter(|value| !value.is_null())
    };
    let fits = match field.data_type() {
        "text" => value.is_string(),
        "number" => value.is_number(),
        _ => value.is_boolean(),
    };
    if !fits {
        return Err(format!("Not a valid {}.", field.data_type()));
    }
    let choices = settings("choices").and_then(Value::as_array);
    if let Some(choices) = choices
        && state.config.switches.dropdown_enforced
        && !choices.contains(value)
    {
        return Err("Not a valid choice.".to_owned());
    }
    if let Some(number) = value.as_f64() {
        let bound = |name: &str| settings(name).and_then(Value::as_f64);
        let low = bound("min").is_some_and(|min| number < min);
        let high = bound("max").is_some_and(|max| number > max);
        if low || high {
            return Err("Not within the bounds.".to_owned());
        }
    }
    Ok(true)
}

/// Puts values over others.
pub(super) fn merge_values(into: &mut Values, values: Values) {
    for (id, value) in values {
        if value.is_null() {
            into.remove(&id);
        } else {
            into.insert(id, value);
        }
    }
}

/// Values as a ticket or a customer has them: by the field's id.
pub(super) fn by_id(values: &Values) -> Value {
    let shown = values
        .iter()
        .map(|(id, value)| (id.to_string(), json!({"id": id, "value": value})));
    Value::Object(shown.collect::<Map<_, _>>())
}

/// Values as their own list has them (§7).
pub(super) fn with_fields(state: &State, values: &Values) -> Value {
    let shown = values.iter().filter_map(|(id, value)| {
        let field = state.fields.get(id)?;
        Some(json!({"field": render(state, field), "value": value}))
    });
    Value::Array(shown.collect())
}

/// Reads the body of `PUT …/custom-fields`: a bare array.
pub(super) fn values_of_body(
    state: &State,
    object: ObjectType,
    body: &Value,
) -> Result<Values, Failure> {
    let msg = "Failed to update custom field values";
    let list = body.as_array();
    let list = list.ok_or_else(|| Failure::invalid(msg, "_schema", "Invalid input type."))?;
    read_values(state, object, list).map_err(|data| Failure::Invalid {
        msg: msg.to_owned(),
        data,
    })
}

/// Reads the body of `PUT …/custom-fields/{field}`: `{"value":…}`, with or without the `id` ([L]), or the bare value.
pub(super) fn value_of_body(
    state: &State,
    object: ObjectType,
    id: Id,
    body: &Value,
) -> Result<Values, Failure> {
    let known = state
        .fields
        .get(&id)
        .is_some_and(|field| field.object == object && field.deactivated_at.is_none());
    if !known {
        return Err(Failure::NotFound);
    }
    let value = match body {
        Value::Object(map) => map.get("value").cloned().ok_or_else(|| {
            Failure::invalid(
                "Failed to update custom field value",
                "value",
                "Missing data for required field.",
            )
        })?,
        other => other.clone(),
    };
    values_of_body(state, object, &json!([{"id": id, "value": value}]))
}
