//! Fields of tickets, contacts and companies, and the values of custom ones (Freshdesk facts §9).

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::{Reader, iso, moment};
use super::call::Call;
use super::model::{Choice, Field, Id, Level, Owner, Ticket};
use super::objects;
use super::state::State;
use super::switches::{FieldPaths, Plan};

/// Characters of a `custom_text`.
const TEXT: usize = 255;
/// Choices that are updated at once.
const CHOICES_AT_ONCE: usize = 100;

const TYPES: &[&str] = &[
    "custom_text",
    "custom_paragraph",
    "custom_number",
    "custom_decimal",
    "custom_checkbox",
    "custom_date",
    "custom_dropdown",
    "nested_field",
    "custom_file",
];
const NEWER_TYPES: &[&str] = &[
    "custom_date_time",
    "custom_multi_select_dropdown",
    "custom_phone_number",
    "custom_url",
];
/// A lookup of a record of a custom object, made in the UI only.
pub(super) const LOOKUP: &str = "custom_lookup";

/// Whether a text is a date.
pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

// ---- values

/// The custom fields as answers show them: those without a value are null.
pub(super) fn shown(state: &State, owner: Owner, values: &BTreeMap<String, Value>) -> Value {
    let mut all = Map::new();
    for field in state.fields.values() {
        if field.owner != owner || field.default {
            continue;
        }
        let levels = field.levels.iter().map(|level| &level.name);
        for name in std::iter::once(&field.name).chain(levels) {
            all.insert(
                name.clone(),
                values.get(name).cloned().unwrap_or(Value::Null),
            );
        }
    }
    Value::Object(all)
}

/// Puts `custom_fields` of a body into a record's values, and notes what is wrong with them.
pub(super) fn values(
    state: &State,
    owner: Owner,
    reader: &mut Reader<'_>,
    into: &mut BTreeMap<String, Value>,
    creating: bool,
) {
    let by_primary = match reader.text("lookup_parameter", 64) {
        None | Some(None) => false,
        Some(Some(_)) if !objects::available(state) => {
            let message = "Unexpected/invalid field in request";
            reader.wrong("lookup_parameter", "invalid_field", message);
            false
        }
        Some(Some(how)) if matches!(how.as_str(), "display_id" | "primary_field_value") => {
            how == "primary_field_value"
        }
        Some(Some(_)) => {
            let message = "It should be one of these values: 'display_id,primary_field_value'";
            reader.wrong("lookup_parameter", "invalid_value", message);
            false
        }
    };
    let sent = if reader.given("custom_fields") {
        reader.object("custom_fields").cloned().unwrap_or_default()
    } else {
        Map::new()
    };
    let form = reader.is_form();
    for (name, value) in &sent {
        let at = format!("custom_fields.{name}");
        let Some(field) = state.field(owner, name).filter(|field| !field.default) else {
            reader.wrong(&at, "invalid_field", "Unexpected/invalid field in request");
            continue;
        };
        let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
        if empty {
            into.remove(name);
            if field.required_for_agents {
                reader.missing(&at, "String");
            }
            continue;
        }
        match checked(state, field, value, form, by_primary) {
            Ok(value) => {
                into.insert(name.clone(), value);
            }
            Err(problem) => {
                let code = match problem.0 {
                    "too_long" => reader.length_code(),
                    code => code,
                };
                reader.wrong(&at, code, problem.1);
            }
        }
    }
    for name in sent.keys() {
        let Some(field) = state
            .field(owner, name)
            .filter(|field| field.kind == "nested_field")
        else {
            continue;
        };
        if let Some(message) = nested_problem(field, into) {
            reader.wrong(&format!("custom_fields.{name}"), "invalid_value", message);
        }
    }
    if creating {
        for field in state.fields_of(owner) {
            if !field.default && field.required_for_agents && !sent.contains_key(&field.name) {
                reader.missing(&format!("custom_fields.{}", field.name), "String");
            }
        }
    }
}

/// Custom fields that must have a value to resolve or close, and have none.
pub(super) fn missing_to_close(state: &State, ticket: &Ticket) -> Vec<FieldError> {
    let fields = state.fields_of(Owner::Ticket).into_iter().filter(|field| {
        !field.default
            && field.required_for_closure
            && !ticket.custom_fields.contains_key(&field.name)
    });
    fields
        .map(|field| {
            let at = format!("custom_fields.{}", field.name);
            FieldError::new(&at, "missing_field", "It should be a/an String")
        })
        .collect()
}

/// Values of unique fields that another ticket has.
pub(super) fn taken(state: &State, ticket: &Ticket) -> Vec<FieldError> {
    let unique = state.fields.values().filter(|field| field.unique);
    let taken = unique.filter(|field| {
        let value = ticket.custom_fields.get(&field.name).map(Value::to_string);
        let other = value.and_then(|value| state.unique_values.get(&(field.id, value)));
        other.is_some_and(|other| *other != ticket.id)
    });
    taken
        .map(|field| FieldError::duplicate(&format!("custom_fields.{}", field.name), None))
        .collect()
}

/// Notes the values of unique fields that a ticket has.
pub(super) fn claim(state: &mut State, ticket: &Ticket) {
    let unique: Vec<(Id, String)> = state
        .fields
        .values()
        .filter(|field| field.unique)
        .filter_map(|field| {
            let value = ticket.custom_fields.get(&field.name)?;
            Some((field.id, value.to_string()))
        })
        .collect();
    if !state.unique_values.is_empty() {
        state.unique_values.retain(|_, other| *other != ticket.id);
    }
    for key in unique {
        state.unique_values.insert(key, ticket.id);
    }
}

/// What is wrong with a value: a code, and a sentence.
pub(super) type Problem = (&'static str, String);

/// A value as it is kept, or what is wrong with it.
fn checked(
    state: &State,
    field: &Field,
    value: &Value,
    form: bool,
    by_primary: bool,
) -> Result<Value, Problem> {
    let mismatch = |wanted: &str| -> Problem {
        (
            "datatype_mismatch",
            format!("Value set is of the wrong type.It should be a/an {wanted}"),
        )
    };
    let text = || value.as_str().ok_or_else(|| mismatch("String"));
    // In a form everything is text.
    let parsed: Value = match value {
        Value::String(text) if form => serde_json::from_str(text).unwrap_or(Value::Null),
        other => other.clone(),
    };
    let choice = |text: &str, choices: &[Choice]| {
        if choices.iter().any(|choice| choice.value == text) {
            return Ok(json!(text));
        }
        let values: Vec<&str> = choices.iter().map(|choice| choice.value.as_str()).collect();
        let message = format!("It should be one of these values: '{}'", values.join(","));
        Err(("invalid_value", message))
    };
    match field.kind.as_str() {
        "custom_text" | "custom_url" | "custom_phone_number" => {
            let text = text()?;
            let length = text.chars().count();
            if length > TEXT {
                let message =
                    format!("Has {length} characters, it can have maximum of {TEXT} characters");
                return Err(("too_long", message));
            }
            Ok(json!(text))
        }
        "custom_paragraph" => Ok(json!(text()?)),
        "custom_number" => {
            let number = parsed.as_i64().ok_or_else(|| mismatch("Integer"))?;
            if state.config.switches.number_is_32_bits && i32::try_from(number).is_err() {
                let message = "It should be a/an Integer within 32 bits";
                return Err(("invalid_value", message.to_owned()));
            }
            Ok(json!(number))
        }
        "custom_decimal" => {
            let number = parsed.as_f64().ok_or_else(|| mismatch("Number"))?;
            Ok(if parsed.is_i64() {
                parsed
            } else {
                json!(number)
            })
        }
        "custom_checkbox" => Ok(json!(parsed.as_bool().ok_or_else(|| mismatch("Boolean"))?)),
        "custom_date" => {
            let text = text()?;
            if !is_date(text) {
                let message = "It should be in the 'yyyy-mm-dd' format";
                return Err(("invalid_value", message.to_owned()));
            }
            Ok(json!(text))
        }
        "custom_date_time" => match moment(text()?) {
            Some(time) => Ok(json!(iso(time))),
            None => {
                let message = "It should be in the 'combined date and time ISO8601' format";
                Err(("invalid_value", message.to_owned()))
            }
        },
        "custom_dropdown" => choice(text()?, &field.choices),
        // How levels fit is looked at when all are there.
        "nested_field" => Ok(json!(text()?)),
        "custom_multi_select_dropdown" => {
            let list = value.as_array().ok_or_else(|| mismatch("Array"))?;
            let mut chosen = Vec::with_capacity(list.len());
            for item in list {
                let text = item.as_str().ok_or_else(|| mismatch("Array"))?;
                chosen.push(choice(text, &field.choices)?);
            }
            Ok(Value::Array(chosen))
        }
        LOOKUP => {
            let text = text()?;
            let schema = field.looks_up.unwrap_or(0);
            let found = objects::looked_up(state, schema, text, by_primary);
            let message = "There is no record matching the given value";
            found
                .map(Value::String)
                .ok_or(("invalid_value", message.to_owned()))
        }
        _ => Err(("readonly_field", "This field cannot be written".to_owned())),
    }
}

/// What is wrong with the levels of a nested field.
fn nested_problem(field: &Field, values: &BTreeMap<String, Value>) -> Option<String> {
    let names = std::iter::once(&field.name).chain(field.levels.iter().map(|level| &level.name));
    let mut choices = &field.choices;
    let mut ended = false;
    for name in names {
        let Some(text) = values.get(name).and_then(Value::as_str) else {
            ended = true;
            continue;
        };
        let chosen = choices.iter().find(|choice| choice.value == text);
        match chosen.filter(|_| !ended) {
            Some(choice) => choices = &choice.choices,
            None => {
                let values: Vec<&str> = choices.iter().map(|c| c.value.as_str()).collect();
                let list = values.join(",");
                return Some(format!("It should be one of these values: '{list}'"));
            }
        }
    }
    None
}

// ---- the fields themselves

fn choices_json(choices: &[Choice]) -> Value {
    choices
        .iter()
        .map(|choice| {
            let mut shown = json!({
                "id": choice.id, "label": choice.label, "value": choice.value,
                "position": choice.position,
            });
            if !choice.choices.is_empty()
                && let Some(map) = shown.as_object_mut()
            {
                map.insert("choices".to_owned(), choices_json(&choice.choices));
            }
            shown
        })
        .collect()
}

fn levels_json(field: &Field) -> Value {
    let made = iso(field.created_at);
    let shown = |level: &Level| {
        json!({
            "id": level.id, "name": level.name, "label": level.label,
            "label_for_customers": level.label_for_customers, "level": level.level,
            "ticket_field_id": field.id, "created_at": made, "updated_at": made,
        })
    };
    field.levels.iter().map(shown).collect()
}

/// A field as answers show it.
pub(super) fn render(field: &Field) -> Value {
    let mut shown = json!({
        "id": field.id, "name": field.name, "label": field.label, "type": field.kind,
        "label_for_customers": field.label_for_customers, "default": field.default,
        "position": field.position, "required_for_agents": field.required_for_agents,
        "required_for_customers": field.required_for_customers,
        "customers_can_edit": field.customers_can_edit,
        "created_at": iso(field.created_at), "updated_at": iso(field.updated_at),
    });
    let Some(map) = shown.as_object_mut() else {
        return shown;
    };
    if field.owner == Owner::Ticket {
        let displayed = json!(field.displayed_to_customers);
        map.insert("displayed_to_customers".to_owned(), displayed);
        map.insert(
            "required_for_closure".to_owned(),
            json!(field.required_for_closure),
        );
        map.insert("description".to_owned(), json!(field.description));
        map.insert(
            "field_update_in_progress".to_owned(),
            json!(field.pending.is_some()),
        );
        if field.kind == "nested_field" {
            map.insert("dependent_fields".to_owned(), levels_json(field));
        }
        if field.unique {
            map.insert("unique".to_owned(), json!(true));
        }
    } else {
        let displayed = json!(field.displayed_to_customers);
        map.insert("displayed_for_customers".to_owned(), displayed);
        map.insert(
            "editable_in_signup".to_owned(),
            json!(field.editable_in_signup),
        );
    }
    if !field.choices.is_empty() || field.kind.ends_with("dropdown") {
        map.insert("choices".to_owned(), choices_json(&field.choices));
    }
    shown
}

/// Lets choices that were updated behind the scenes appear (§9).
fn catch_up(state: &mut State) {
    let now = state.now;
    for field in state.fields.values_mut() {
        if field.pending.as_ref().is_some_and(|(at, _)| *at <= now)
            && let Some((_, choices)) = field.pending.take()
        {
            field.choices = choices;
        }
    }
}

/// Must be called before anything that looks at choices.
pub(super) fn settle(state: &mut State) {
    if state.fields.values().any(|field| field.pending.is_some()) {
        catch_up(state);
    }
}

pub(super) fn list(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let fields = call.state.fields_of(owner);
    // Not a paged list: all fields come at once.
    Answer::ok(fields.into_iter().map(render).collect())
}

/// `GET /ticket_fields`: choices in other shapes than the admin's.
pub(super) fn agents_view(call: &mut Call<'_>) -> Outcome {
    let wanted = call.request.param("type");
    let state = &*call.state;
    let fields = state.fields_of(Owner::Ticket).into_iter();
    let fields = fields.filter(|field| wanted.is_none_or(|kind| field.kind == kind));
    let shown = fields.map(|field| {
        let mut shown = render(field);
        if let (Some(choices), Some(map)) = (agents_choices(state, field), shown.as_object_mut()) {
            map.insert("choices".to_owned(), choices);
        }
        shown
    });
    Answer::ok(shown.collect())
}

fn agents_choices(state: &State, field: &Field) -> Option<Value> {
    let numbered = |choices: &[Choice]| {
        let pairs = choices.iter().map(|c| (c.value.clone(), json!(c.id)));
        Value::Object(pairs.collect())
    };
    let nested = |choices: &[Choice]| {
        let level = |choice: &Choice| {
            let pairs = choice.choices.iter().map(|second| {
                let third: Vec<&str> = second.choices.iter().map(|c| c.value.as_str()).collect();
                (second.value.clone(), json!(third))
            });
            (choice.value.clone(), Value::Object(pairs.collect()))
        };
        Value::Object(choices.iter().map(level).collect())
    };
    Some(match field.kind.as_str() {
        "default_status" => {
            let pairs = field
                .choices
                .iter()
                .map(|c| (c.id.to_string(), json!([c.value, c.label])));
            Value::Object(pairs.collect())
        }
        "default_priority" | "default_source" => numbered(&field.choices),
        "default_group" => {
            let pairs = state.groups.values().map(|g| (g.name.clone(), json!(g.id)));
            Value::Object(pairs.collect())
        }
        "default_agent" => {
            let agents = state.agents.iter().filter_map(|id| state.people.get(id));
            let pairs = agents.map(|a| (a.name.clone().unwrap_or_default(), json!(a.id)));
            Value::Object(pairs.collect())
        }
        "nested_field" => nested(&field.choices),
        "default_ticket_type" | "custom_dropdown" => {
            let values: Vec<&str> = field.choices.iter().map(|c| c.value.as_str()).collect();
            json!(values)
        }
        _ => return None,
    })
}

fn of(call: &Call<'_>, owner: Owner) -> Result<Field, Failure> {
    let field = call.state.fields.get(&call.id(0)?);
    let field = field.filter(|field| field.owner == owner).cloned();
    field.ok_or(Failure::NotFound)
}

pub(super) fn show(call: &mut Call<'_>, owner: Owner) -> Outcome {
    Answer::ok(render(&of(call, owner)?))
}

/// Whatever the client sends of a choice.
fn choices(
    state: &mut State,
    reader: &mut Reader<'_>,
    old: &[Choice],
    list: &[Value],
    is_status: bool,
) -> Vec<Choice> {
    let mut made: Vec<Choice> = Vec::with_capacity(list.len());
    let mut last_status = old.iter().map(|choice| choice.id).max().unwrap_or(5);
    for (at, entry) in list.iter().enumerate() {
        let value = match entry {
            Value::String(text) => Some(text.as_str()),
            other => other
                .get("value")
                .or_else(|| other.get("label"))
                .and_then(Value::as_str),
        };
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
            reader.missing("choices", "Array of choices with a value");
            continue;
        };
        if value.chars().count() > TEXT {
            let code = reader.length_code();
            reader.wrong(
                "choices",
                code,
                "A choice can have maximum of 255 characters",
            );
        }
        if made
            .iter()
            .any(|choice| choice.value.to_lowercase() == value.to_lowercase())
        {
            reader.errors.push(FieldError::duplicate("choices", None));
            continue;
        }
        let id = entry.get("id").and_then(Value::as_u64);
        let known = old
            .iter()
            .find(|choice| id.map_or(choice.value == value, |id| choice.id == id));
        let id = match known {
            Some(choice) => choice.id,
            None if is_status => {
                last_status += 1;
                last_status
            }
            None => state.next_id(),
        };
        let below = entry.get("choices").and_then(Value::as_array);
        let old_below: Vec<Choice> = known
            .map(|choice| choice.choices.clone())
            .unwrap_or_default();
        let below = below.map(|list| choices(state, reader, &old_below, list, false));
        let position = entry.get("position").and_then(Value::as_i64);
        made.push(Choice {
            id,
            value: value.to_owned(),
            label: value.to_owned(),
            position: position.unwrap_or(i64::try_from(at).unwrap_or(0) + 1),
            choices: below.unwrap_or(old_below),
        });
    }
    made.sort_by_key(|choice| choice.position);
    made
}

/// The API name for a label (§9): `cf_kustomer_id`, for tickets only with the prefix; with a number behind when it is taken.
fn api_name(state: &mut State, owner: Owner, label: &str) -> String {
    let words: Vec<String> = label
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let mut name = words.join("_");
    if name.is_empty() {
        name = "field".to_owned();
    }
    if owner == Owner::Ticket {
        name = format!("cf_{name}");
    }
    let plain = name.clone();
    while state.fields_by_name.contains_key(&(owner, name.clone())) {
        name = format!("{plain}{}", state.digits());
    }
    name
}

fn apply(state: &mut State, reader: &mut Reader<'_>, field: &mut Field) {
    let mut known = vec![
        "label",
        "label_for_customers",
        "type",
        "position",
        "required_for_agents",
        "required_for_customers",
        "customers_can_edit",
        "choices",
    ];
    if field.owner == Owner::Ticket {
        known.extend([
            "displayed_to_customers",
            "required_for_closure",
            "dependent_fields",
        ]);
        if state.config.switches.unique_fields {
            known.push("unique");
        }
    } else {
        known.extend([
            "displayed_for_customers",
            "displayed_to_customers",
            "editable_in_signup",
        ]);
    }
    reader.only(&known);
    if let Some(Some(label)) = reader.text("label", TEXT) {
        field.label = label;
    }
    if let Some(Some(label)) = reader.text("label_for_customers", TEXT) {
        field.label_for_customers = label;
    }
    if let Some(Some(position)) = reader.int("position") {
        field.position = position;
    }
    for name in [
        "required_for_agents",
        "required_for_closure",
        "required_for_customers",
        "customers_can_edit",
        "displayed_to_customers",
        "displayed_for_customers",
        "editable_in_signup",
        "unique",
    ] {
        let Some(flag) = reader.flag(name) else {
            continue;
        };
        match name {
            "required_for_agents" => field.required_for_agents = flag,
            "required_for_closure" => field.required_for_closure = flag,
            "required_for_customers" => field.required_for_customers = flag,
            "customers_can_edit" => field.customers_can_edit = flag,
            "editable_in_signup" => field.editable_in_signup = flag,
            "unique" => field.unique = flag,
            _ => field.displayed_to_customers = flag,
        }
    }
    if let Some(list) = reader.list("choices").cloned() {
        let takes = field.kind.ends_with("dropdown")
            || matches!(
                field.kind.as_str(),
                "nested_field" | "default_ticket_type" | "default_status"
            )
            || field.owner == Owner::Company && !field.choices.is_empty();
        if !takes {
            let message = "A field of this type has no choices";
            reader.wrong("choices", "incompatible_field", message);
            return;
        }
        let is_status = field.kind == "default_status";
        let old = field.choices.clone();
        let made = choices(state, reader, &old, &list, is_status);
        // Open, pending, resolved and closed stay.
        if is_status && !(2..=5).all(|id| made.iter().any(|choice| choice.id == id)) {
            let message = "The default statuses cannot be deleted";
            reader.wrong("choices", "invalid_value", message);
        }
        if made.len() > CHOICES_AT_ONCE {
            field.pending = Some((state.now + state.config.switches.choices_take, made));
        } else {
            field.choices = made;
        }
    }
}

/// An empty field, not yet stored.
pub(super) fn blank(state: &mut State, owner: Owner, kind: &str) -> Field {
    let now = state.second();
    let last = state
        .fields_of(owner)
        .last()
        .map_or(0, |field| field.position);
    Field {
        id: state.next_id(),
        owner,
        name: String::new(),
        label: String::new(),
        label_for_customers: String::new(),
        description: None,
        kind: kind.to_owned(),
        default: false,
        position: last + 1,
        required_for_agents: false,
        required_for_closure: false,
        required_for_customers: false,
        customers_can_edit: false,
        displayed_to_customers: false,
        editable_in_signup: false,
        unique: false,
        choices: Vec::new(),
        levels: Vec::new(),
        looks_up: None,
        pending: None,
        has_sections: false,
        created_at: now,
        updated_at: now,
    }
}

/// A field that an admin makes in the UI, with the name that the account gives it.
pub(super) fn made(state: &mut State, owner: Owner, kind: &str, label: &str) -> Field {
    let mut field = blank(state, owner, kind);
    field.name = api_name(state, owner, label);
    label.clone_into(&mut field.label);
    label.clone_into(&mut field.label_for_customers);
    field
}

pub(super) fn create(call: &mut Call<'_>, owner: Owner) -> Outcome {
    if owner != Owner::Ticket && call.state.config.plan == Plan::Free {
        return Err(Failure::feature("Custom Contact Fields"));
    }
    let mut reader = call.reader()?;
    let kind = reader.text("type", 64).flatten();
    let newer = call.state.config.switches.newer_field_types;
    match kind.as_deref() {
        None => reader.missing("type", "String"),
        Some(kind) if TYPES.contains(&kind) || newer && NEWER_TYPES.contains(&kind) => {}
        Some(_) => {
            let mut types = TYPES.to_vec();
            types.extend(NEWER_TYPES.iter().filter(|_| newer));
            let message = format!("It should be one of these values: '{}'", types.join(","));
            reader.wrong("type", "invalid_value", message);
        }
    }
    for name in ["label", "label_for_customers"] {
        let needed = name == "label" || owner != Owner::Company;
        if needed && !reader.filled(name) {
            reader.missing(name, "String");
        }
    }
    let kind = kind.unwrap_or_default();
    let mut field = blank(call.state, owner, &kind);
    apply(call.state, &mut reader, &mut field);
    if kind.ends_with("dropdown") && !reader.filled("choices") {
        reader.missing("choices", "Array");
    }
    if field.unique && kind != "custom_text" {
        let message = "Only custom_text fields can be unique";
        reader.wrong("unique", "incompatible_field", message);
    }
    if kind == "nested_field" {
        levels(call.state, &mut reader, &mut field);
    } else if reader.given("dependent_fields") {
        let message = "Only a nested_field has dependent fields";
        reader.wrong("dependent_fields", "incompatible_field", message);
    }
    let same = call.state.fields.values().any(|other| {
        other.owner == owner && other.label.to_lowercase() == field.label.to_lowercase()
    });
    if same && !call.state.config.switches.same_labels {
        reader.errors.push(FieldError::duplicate("label", None));
    }
    let used = call
        .state
        .fields
        .values()
        .filter(|other| other.owner == owner && other.kind == kind)
        .count();
    if used >= call.state.config.switches.fields_per_type {
        let message = format!("The limit of fields of the type {kind} is reached");
        reader.wrong("type", "invalid_value", message);
    }
    reader.finish()?;
    field.name = api_name(call.state, owner, &field.label);
    let shown = render(&field);
    let location = format!("{}{}/{}", call.base, call.request.path, field.id);
    call.state.put_field(field);
    Ok(Answer::json(201, shown).with("location", location))
}

/// The second and third level of a nested field.
fn levels(state: &mut State, reader: &mut Reader<'_>, field: &mut Field) {
    if !reader.filled("dependent_fields") {
        reader.missing("dependent_fields", "Array");
        return;
    }
    let list = reader.list("dependent_fields").cloned().unwrap_or_default();
    for (at, entry) in list.iter().enumerate() {
        let label = entry
            .get("label")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let level = i64::try_from(at).unwrap_or(0) + 2;
        if label.is_empty() || level > 3 {
            let message = "It should have one or two levels with labels";
            reader.wrong("dependent_fields", "invalid_value", message);
            return;
        }
        let id = state.next_id();
        let name = api_name(state, field.owner, label);
        let for_customers = entry.get("label_for_customers").and_then(Value::as_str);
        field.levels.push(Level {
            id,
            name,
            label: label.to_owned(),
            label_for_customers: for_customers.unwrap_or(label).to_owned(),
            level,
        });
    }
}

pub(super) fn update(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let mut field = of(call, owner)?;
    let mut reader = call.reader()?;
    if let Some(kind) = reader.text("type", 64)
        && kind.as_deref() != Some(&field.kind)
    {
        reader.wrong("type", "readonly_field", "The type cannot be changed");
    }
    if field.pending.is_some() && reader.given("choices") {
        let message = "The field is being updated";
        reader.wrong("choices", "inconsistent_state", message);
    }
    apply(call.state, &mut reader, &mut field);
    reader.finish()?;
    field.updated_at = call.state.second();
    let shown = render(&field);
    call.state.put_field(field);
    Answer::ok(shown)
}

/// Erases the values everywhere (§14).
pub(super) fn delete(call: &mut Call<'_>, owner: Owner) -> Outcome {
    let field = of(call, owner)?;
    if field.default {
        return Err(Failure::denied());
    }
    if field.has_sections {
        let message = "A field with sections cannot be deleted";
        return Err(Failure::invalid("id", "inconsistent_state", message));
    }
    let state = &mut *call.state;
    state.fields.remove(&field.id);
    let levels = field.levels.iter().map(|level| &level.name);
    for name in std::iter::once(&field.name).chain(levels) {
        state.fields_by_name.remove(&(owner, name.clone()));
        match owner {
            Owner::Ticket => {
                for ticket in state.tickets.values_mut() {
                    ticket.custom_fields.remove(name);
                }
            }
            Owner::Contact => {
                for person in state.people.values_mut() {
                    person.custom_fields.remove(name);
                }
            }
            Owner::Company => {
                for company in state.companies.values_mut() {
                    company.custom_fields.remove(name);
                }
            }
        }
    }
    state.unique_values.retain(|(id, _), _| *id != field.id);
    Answer::bare(204)
}

type OfOwner = fn(&mut Call<'_>, Owner) -> Outcome;

/// Writing by the plain paths, where the account has them (§9).
pub(super) fn plain(call: &mut Call<'_>, owner: Owner, run: OfOwner) -> Outcome {
    match call.state.config.switches.field_paths {
        FieldPaths::Plain | FieldPaths::Both => run(call, owner),
        FieldPaths::Admin => Err(Failure::NotFound),
    }
}

/// Writing by the paths under `admin`, where the account has them (§9).
pub(super) fn newer(call: &mut Call<'_>, owner: Owner, run: OfOwner) -> Outcome {
    match call.state.config.switches.field_paths {
        FieldPaths::Admin | FieldPaths::Both => run(call, owner),
        FieldPaths::Plain => Err(Failure::NotFound),
    }
}
