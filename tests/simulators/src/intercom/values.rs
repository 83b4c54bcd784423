//! Values of attributes: of contacts, companies, conversations, tickets and instances (Intercom facts §6, §8.4, §9).

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::answer::Failure;
use super::model::{ConversationAttribute, DataAttribute, Id, Model, ObjectType, TicketAttribute};
use super::objects;
use super::read::id_of;
use super::state::State;
use super::switches::{ListValue, LongText};

/// Longest text of a data attribute (§9 [3P]).
pub(super) const TEXT_LENGTH: usize = 255;

/// Numbers of instances, as text.
fn ids(value: &Value) -> Option<Vec<Id>> {
    value.as_array()?.iter().map(id_of).collect()
}

/// The instances that a relationship refers to; all of them must be of its type.
fn references(state: &State, name: &str, kind: &str, value: &Value) -> Result<Vec<Id>, Failure> {
    let ids = ids(value)
        .ok_or_else(|| Failure::mistyped(name, "an array of ids of custom object instances"))?;
    for id in &ids {
        let found = state.instances.get(id);
        if found.is_none_or(|instance| instance.kind != kind) {
            return Err(Failure::not_found("Custom object instance not found"));
        }
    }
    Ok(ids)
}

fn stored(ids: &[Id]) -> Value {
    json!(ids.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The old instances with the new ones behind them, or the new ones alone (§6 [?]).
fn joined(state: &State, old: Option<&Value>, new: Vec<Id>) -> Value {
    let mut all = match old.and_then(ids) {
        Some(old) if !state.config.switches.references_replaced => old,
        _ => Vec::new(),
    };
    for id in new {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    stored(&all)
}

/// Whole Unix seconds, or ISO 8601 ([S]: `datetime`).
fn seconds(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp()),
        value => value.as_i64(),
    }
}

fn number(value: &Value) -> Option<&Value> {
    value.is_number().then_some(value)
}

/// Merges the custom attributes of a body into those of a contact or company.
pub(super) fn merge_data(
    state: &State,
    model: Model,
    given: &Map<String, Value>,
    values: &mut BTreeMap<String, Value>,
) -> Result<(), Failure> {
    for (name, value) in given {
        let reference = (model == Model::Contact)
            .then(|| {
                let mut types = state.object_types.values();
                types.find(|one| one.contact_reference.as_ref() == Some(name))
            })
            .flatten();
        if let Some(kind) = reference {
            if value.is_null() {
                values.remove(name);
                continue;
            }
            let new = references(state, name, &kind.identifier, value)?;
            let all = joined(state, values.get(name), new);
            values.insert(name.clone(), all);
            continue;
        }
        let attribute = state.data_by_name.get(&(model, name.clone()));
        let attribute = attribute.and_then(|id| state.data_attributes.get(id));
        let Some(attribute) = attribute.filter(|one| !one.archived) else {
            // §6 [D]: names that nobody made are refused.
            if state.config.switches.unknown_data_attribute_refused {
                return Err(Failure::field(
                    name,
                    format!("Custom attribute '{name}' does not exist"),
                ));
            }
            continue;
        };
        if value.is_null() {
            values.remove(name);
            continue;
        }
        values.insert(name.clone(), of_data(state, attribute, value)?);
    }
    Ok(())
}

/// A value as a data attribute keeps it (§9).
fn of_data(state: &State, attribute: &DataAttribute, value: &Value) -> Result<Value, Failure> {
    let name = &attribute.name;
    if value.is_array() || value.is_object() {
        return Err(Failure::field(
            name,
            format!("{name} must be a string, number, boolean or null"),
        ));
    }
    let wrong = |wanted: &str| Err(Failure::mistyped(name, wanted));
    match attribute.data_type.as_str() {
        "string" => match value.as_str() {
            Some(text) if text.chars().count() <= TEXT_LENGTH => Ok(json!(text)),
            Some(text) => match state.config.switches.long_text {
                LongText::Cut => Ok(json!(text.chars().take(TEXT_LENGTH).collect::<String>())),
                LongText::Refused => Err(Failure::field(
                    name,
                    format!("{name} is too long (maximum is {TEXT_LENGTH} characters)"),
                )),
            },
            None => wrong("a string"),
        },
        "options" => match value.as_str() {
            Some(text) if attribute.options.iter().any(|one| one == text) => Ok(json!(text)),
            _ => Err(Failure::field(
                name,
                format!("{name} must be one of its options"),
            )),
        },
        "integer" if value.is_i64() || value.is_u64() => Ok(value.clone()),
        "integer" => wrong("an integer"),
        "float" => number(value).cloned().map_or_else(|| wrong("a number"), Ok),
        "boolean" if value.is_boolean() => Ok(value.clone()),
        "boolean" => wrong("a boolean"),
        _ => seconds(value).map_or_else(|| wrong("a timestamp"), |time| Ok(json!(time))),
    }
}

/// Merges the custom attributes of a body into those of a conversation.
pub(super) fn merge_conversation(
    state: &State,
    given: &Map<String, Value>,
    values: &mut BTreeMap<Id, Value>,
) -> Result<(), Failure> {
    for (name, value) in given {
        let named: Vec<&ConversationAttribute> =
            state.conversation_attributes_named(name).collect();
        let attribute = match named.as_slice() {
            [one] => *one,
            [] if state.config.switches.unknown_conversation_attribute_refused => {
                return Err(Failure::field(
                    name,
                    format!("Custom attribute '{name}' does not exist"),
                ));
            }
            [] => continue,
            // §8.3: the breaking change about two of one name.
            _ => {
                let message = format!("Multiple custom attributes found with the name '{name}'");
                return Err(Failure::field(name, message));
            }
        };
        if value.is_null() {
            values.remove(&attribute.id);
            continue;
        }
        let new = of_conversation(state, attribute, values.get(&attribute.id), value)?;
        values.insert(attribute.id, new);
    }
    Ok(())
}

fn of_conversation(
    state: &State,
    attribute: &ConversationAttribute,
    old: Option<&Value>,
    value: &Value,
) -> Result<Value, Failure> {
    let name = &attribute.name;
    if let Some((many, kind)) = &attribute.reference {
        let new = references(state, name, kind, value)?;
        if !many && new.len() > 1 {
            return Err(Failure::field(
                name,
                format!("{name} refers to one instance only"),
            ));
        }
        return Ok(if *many {
            joined(state, old, new)
        } else {
            stored(&new)
        });
    }
    let wrong = |wanted: &str| Err(Failure::mistyped(name, wanted));
    match attribute.data_type.as_str() {
        "string" if value.is_string() => Ok(value.clone()),
        "string" => wrong("a string"),
        "list" => {
            let by_id = state.config.switches.conversation_list == ListValue::Id;
            let text = value.as_str().unwrap_or_default();
            let mut live = attribute.options.iter().filter(|option| !option.archived);
            let found = live.find(|o| if by_id { o.id == text } else { o.label == text });
            match found {
                Some(option) => Ok(json!(option.label)),
                None => Err(Failure::field(
                    name,
                    format!("{name} must be one of its options"),
                )),
            }
        }
        "integer" if value.is_i64() || value.is_u64() => Ok(value.clone()),
        "integer" => wrong("an integer"),
        "decimal" => number(value).cloned().map_or_else(|| wrong("a number"), Ok),
        "boolean" if value.is_boolean() => Ok(value.clone()),
        "boolean" => wrong("a boolean"),
        "datetime" => seconds(value).map_or_else(|| wrong("a timestamp"), |time| Ok(json!(time))),
        other => Err(Failure::field(
            name,
            format!("{name} of type {other} cannot be set"),
        )),
    }
}

/// The custom attributes of a conversation as answers show them.
pub(super) fn shown_conversation(state: &State, values: &BTreeMap<Id, Value>) -> Value {
    let mut shown = Map::new();
    for (id, value) in values {
        let Some(attribute) = state.conversation_attributes.get(id) else {
            continue;
        };
        let value = match &attribute.reference {
            Some((_, kind)) => objects::listed(state, kind, value),
            None => value.clone(),
        };
        shown.insert(attribute.name.clone(), value);
    }
    Value::Object(shown)
}

/// The custom attributes of a contact as answers show them.
pub(super) fn shown_contact(state: &State, values: &BTreeMap<String, Value>) -> Value {
    let shown = values.iter().map(|(name, value)| {
        let mut types = state.object_types.values();
        let kind = types.find(|one| one.contact_reference.as_ref() == Some(name));
        let value = match kind {
            Some(kind) => objects::listed(state, &kind.identifier, value),
            None => value.clone(),
        };
        (name.clone(), value)
    });
    Value::Object(shown.collect())
}

/// A value of a ticket's attribute (§8.4).
pub(super) fn of_ticket(attribute: &TicketAttribute, value: &Value) -> Result<Value, Failure> {
    let name = &attribute.name;
    let wrong = |wanted: &str| Err(Failure::mistyped(name, wanted));
    match attribute.data_type.as_str() {
        "string" if value.is_string() => Ok(value.clone()),
        "string" => wrong("a string"),
        "list" => {
            // §8.4: the id of an item, not its label.
            let item = |value: &Value| {
                let text = value.as_str()?;
                let mut live = attribute.options.iter().filter(|option| !option.archived);
                Some(live.find(|option| option.id == text)?.id.clone())
            };
            let items: Option<Vec<String>> = match value {
                Value::Array(list) if attribute.allow_multiple_values => {
                    list.iter().map(item).collect()
                }
                value => item(value).map(|id| vec![id]),
            };
            match items {
                None => Err(Failure::field(
                    name,
                    format!("{name} must be the id of a list item"),
                )),
                Some(items) if attribute.allow_multiple_values => Ok(json!(items)),
                Some(items) => Ok(json!(items.first())),
            }
        }
        "integer" if value.is_i64() || value.is_u64() => Ok(value.clone()),
        "integer" => wrong("an integer"),
        "decimal" => number(value).cloned().map_or_else(|| wrong("a number"), Ok),
        "boolean" if value.is_boolean() => Ok(value.clone()),
        "boolean" => wrong("a boolean"),
        "datetime" => seconds(value).map_or_else(|| wrong("a timestamp"), |time| Ok(json!(time))),
        other => Err(Failure::field(
            name,
            format!("{name} of type {other} cannot be set"),
        )),
    }
}

/// The values of an instance that a body gives (§9).
pub(super) fn of_instance(
    state: &State,
    kind: &ObjectType,
    given: &Map<String, Value>,
    values: &mut Map<String, Value>,
) -> Result<(), Failure> {
    for (name, value) in given {
        let target = kind.object_references.get(name);
        let data_type = kind.attributes.get(name);
        if target.is_none() && data_type.is_none() {
            if state.config.switches.unknown_object_attribute_refused {
                return Err(Failure::field(
                    name,
                    format!("Attribute '{name}' does not exist"),
                ));
            }
            continue;
        }
        if value.is_null() {
            values.remove(name);
            continue;
        }
        let wrong = |wanted: &str| Err(Failure::mistyped(name, wanted));
        let new = match (target, data_type.map(String::as_str).unwrap_or_default()) {
            (Some(target), _) => {
                let new = references(state, name, target, value)?;
                joined(state, values.get(name), new)
            }
            (None, "text") if value.is_string() => value.clone(),
            (None, "text") => return wrong("a string"),
            (None, "list") => {
                let choices = kind.choices.get(name);
                let known = |text: &str| {
                    choices.is_none_or(|choices| choices.iter().any(|choice| choice == text))
                };
                match value.as_str() {
                    Some(text) if known(text) => json!(text),
                    _ => {
                        return Err(Failure::field(
                            name,
                            format!("{name} must be one of its options"),
                        ));
                    }
                }
            }
            (None, "number") if value.is_i64() || value.is_u64() => value.clone(),
            (None, "number") => return wrong("an integer"),
            (None, "decimal") if value.is_number() => value.clone(),
            (None, "decimal") => return wrong("a number"),
            (None, "boolean") if value.is_boolean() => value.clone(),
            (None, "boolean") => return wrong("a boolean"),
            (None, _) => match seconds(value) {
                Some(time) => json!(time),
                None => return wrong("a timestamp"),
            },
        };
        values.insert(name.clone(), new);
    }
    Ok(())
}
