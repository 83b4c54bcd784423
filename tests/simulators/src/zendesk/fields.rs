//! Custom fields of tickets, users, organizations and custom objects, and custom statuses (Zendesk facts §9, §11).
//!
//! One kind of field serves all four owners; what differs is how a field is addressed (ticket fields by id, the others
//! by key) and how its value is shown. The values of taggers, multiselects and checkboxes on tickets are tags as well.
//! Regular expressions are stored but not run.

use std::collections::BTreeMap;

use chrono::{NaiveDate, SubsecRound};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Details, Failure, Outcome};
use super::attributes::{Attributes, iso};
use super::call::{Call, Limit, page_list};
use super::model::{CustomStatus, Field, FieldOption, FieldOwner, FieldType, Id, Status, Tags};
use super::objects;
use super::state::State;

const TICKET_FIELDS: usize = 400;
const OPTIONS: usize = 2_000;

/// How the fields of an owner are called in paths and bodies.
struct Names {
    owner: FieldOwner,
    one: &'static str,
    many: &'static str,
    path: &'static str,
}

fn names(path: &str) -> Option<Names> {
    let (owner, one, many, path) = match path {
        "ticket_fields" => (
            FieldOwner::Ticket,
            "ticket_field",
            "ticket_fields",
            "ticket_fields",
        ),
        "user_fields" => (FieldOwner::User, "user_field", "user_fields", "user_fields"),
        "organization_fields" => (
            FieldOwner::Organization,
            "organization_field",
            "organization_fields",
            "organization_fields",
        ),
        _ => return None,
    };
    Some(Names {
        owner,
        one,
        many,
        path,
    })
}

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    let method = method.as_str();
    if let ["custom_statuses" | "custom_status", rest @ ..] = path {
        return Some(statuses(call, method, rest));
    }
    let (first, rest) = path.split_first()?;
    let names = names(first)?;
    Some(match (method, rest) {
        ("GET", []) => list(call, &names),
        ("GET", ["count"]) => {
            let count = call.state.fields_of(&names.owner).count();
            Answer::ok(super::users::count_json(call, count))
        }
        ("GET", ["show_many"]) => show_many(call, &names),
        ("POST", []) => post(call, &names),
        ("GET", [id]) => find(call, &names, id).and_then(|id| answer(call, &names, id, 200)),
        ("PUT", [id]) => find(call, &names, id).and_then(|id| put(call, &names, id)),
        ("DELETE", [id]) => find(call, &names, id).and_then(|id| {
            call.admin()?;
            delete(call.state, id)?;
            Answer::bare(204)
        }),
        (_, [id, "options", rest @ ..]) => {
            find(call, &names, id).and_then(|id| options(call, &names, method, id, rest))
        }
        _ => return None,
    })
}

/// User and organization fields can be addressed by key as well.
fn find(call: &Call<'_>, names: &Names, text: &str) -> Result<Id, Failure> {
    let by_key = call.state.field(&names.owner, text).map(|field| field.id);
    let id = by_key
        .or_else(|| text.parse().ok())
        .ok_or(Failure::RecordNotFound)?;
    let field = call
        .state
        .fields
        .get(&id)
        .filter(|field| field.owner == names.owner);
    field.map(|field| field.id).ok_or(Failure::RecordNotFound)
}

fn answer(call: &Call<'_>, names: &Names, id: Id, status: u16) -> Outcome {
    let field = call.state.fields.get(&id).ok_or(Failure::RecordNotFound)?;
    let path = format!("{}/api/v2/{}", call.base, names.path);
    Ok(Answer::json(
        status,
        json!({names.one: render(field, &path)}),
    ))
}

fn list(call: &mut Call<'_>, names: &Names) -> Outcome {
    let path = format!("{}/api/v2/{}", call.base, names.path);
    let fields: Vec<&Field> = call.state.fields_of(&names.owner).collect();
    let paged = call
        .request
        .query
        .iter()
        .any(|(key, _)| key.starts_with("page"));
    if names.owner == FieldOwner::Ticket && !paged {
        // §3: ticket fields are not paginated unless asked.
        let list: Vec<Value> = fields.iter().map(|field| render(field, &path)).collect();
        let count = list.len();
        let none = Value::Null;
        return Answer::ok(
            json!({names.many: list, "count": count, "next_page": none, "previous_page": none}),
        );
    }
    page_list(call, names.many, fields.len(), |at| {
        Some(render(fields.get(at)?, &path))
    })
}

fn show_many(call: &mut Call<'_>, names: &Names) -> Outcome {
    let path = format!("{}/api/v2/{}", call.base, names.path);
    let wanted = call
        .request
        .list("ids")
        .or_else(|| call.request.list("keys"));
    let ids: Vec<Id> = wanted
        .unwrap_or_default()
        .iter()
        .filter_map(|w| find(call, names, w).ok())
        .collect();
    let list: Vec<Value> = ids
        .iter()
        .filter_map(|id| Some(render(call.state.fields.get(id)?, &path)))
        .collect();
    Answer::ok(json!({names.many: list}))
}

fn post(call: &mut Call<'_>, names: &Names) -> Outcome {
    call.admin()?;
    let request = call.request;
    let attributes = Attributes::of(&request.json, names.one)?;
    let id = create(call.state, &names.owner, attributes)?;
    answer(call, names, id, 201)
}

fn put(call: &mut Call<'_>, names: &Names, id: Id) -> Outcome {
    call.admin()?;
    let request = call.request;
    update(call.state, id, Attributes::of(&request.json, names.one)?)?;
    answer(call, names, id, 200)
}

/// A field as answers show it; `path` is the address of its list.
pub(super) fn render(field: &Field, path: &str) -> Value {
    let kind = field.system.unwrap_or(field.kind.as_str());
    let mut shown = json!({
        "id": field.id,
        "url": format!("{path}/{}", field.id),
        "type": kind,
        "title": field.title,
        "raw_title": field.title,
        "description": field.description,
        "raw_description": field.description,
        "position": field.position,
        "active": field.active,
        "regexp_for_validation": field.regexp,
        "created_at": iso(field.created_at),
        "updated_at": iso(field.updated_at),
    });
    let Some(object) = shown.as_object_mut() else {
        return shown;
    };
    let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
    if let Some(key) = &field.key {
        set("key", json!(key));
        set("system", json!(field.system.is_some()));
    }
    if field.owner == FieldOwner::Ticket {
        set("required", json!(field.required));
        set("collapsed_for_agents", json!(false));
        set("title_in_portal", json!(field.title));
        set("raw_title_in_portal", json!(field.title));
        set("visible_in_portal", json!(false));
        set("editable_in_portal", json!(false));
        set("required_in_portal", json!(false));
        set("agent_can_edit", json!(true));
        set("agent_description", json!(field.agent_description));
        set("removable", json!(field.system.is_none()));
        set("tag", json!(field.tag));
    } else if let Some(tag) = &field.tag {
        set("tag", json!(tag));
    }
    if matches!(field.owner, FieldOwner::Object(_)) {
        set("required", json!(field.required));
    }
    if let Some(target) = &field.target {
        set("relationship_target_type", json!(target));
        set("relationship_filter", json!({}));
    }
    match field.system {
        Some("status") => {
            let all = [
                ("Open", "open"),
                ("Pending", "pending"),
                ("Solved", "solved"),
            ];
            let list = all.map(|(name, value)| json!({"name": name, "value": value}));
            set("system_field_options", json!(list));
        }
        Some("priority") => {
            let all = [
                ("Low", "low"),
                ("Normal", "normal"),
                ("High", "high"),
                ("Urgent", "urgent"),
            ];
            let list = all.map(|(name, value)| json!({"name": name, "value": value}));
            set("system_field_options", json!(list));
        }
        _ if field.kind.has_options() => {
            let list = field.options.iter().enumerate();
            let list: Vec<Value> = list
                .map(|(at, option)| option_json(field, path, at, option))
                .collect();
            set("custom_field_options", json!(list));
        }
        _ => {}
    }
    shown
}

fn option_json(field: &Field, path: &str, at: usize, option: &FieldOption) -> Value {
    json!({
        "id": option.id,
        "url": format!("{path}/{}/options/{}", field.id, option.id),
        "name": option.name,
        "raw_name": option.name,
        "value": option.value,
        "position": at,
    })
}

// ---- making and changing

fn allowed(owner: &FieldOwner, kind: FieldType) -> bool {
    use FieldType as T;
    let common = [
        T::Text,
        T::Textarea,
        T::Checkbox,
        T::Date,
        T::Integer,
        T::Decimal,
        T::Regexp,
        T::Lookup,
        T::Multiselect,
    ];
    common.contains(&kind)
        || match owner {
            FieldOwner::Ticket => matches!(kind, T::Tagger | T::PartialCreditCard),
            FieldOwner::User | FieldOwner::Organization => kind == T::Dropdown,
            FieldOwner::Object(_) => matches!(kind, T::Dropdown | T::Parent | T::Currency),
        }
}

/// Makes a field.
pub(super) fn create(
    state: &mut State,
    owner: &FieldOwner,
    attributes: Attributes<'_>,
) -> Result<Id, Failure> {
    let mut details = Details::default();
    let title = attributes
        .text("title")?
        .unwrap_or_default()
        .trim()
        .to_owned();
    if title.is_empty() {
        details.add("title", "Title: cannot be blank", Some("BlankValue"));
    }
    let kind = attributes
        .text("type")?
        .unwrap_or_else(|| "text".to_owned());
    let kind = FieldType::parse(&kind).filter(|kind| allowed(owner, *kind));
    if kind.is_none() {
        details.add("type", "Type: is invalid", Some("InvalidValue"));
    }
    let kind = kind.unwrap_or(FieldType::Text);
    let key = if *owner == FieldOwner::Ticket {
        None
    } else {
        let key = attributes.text("key")?.unwrap_or_default();
        let proper = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !key.chars().all(|c| c.is_ascii_digit());
        if !proper {
            let text = "Key: can only contain letters, digits and underscores";
            details.add("key", text, Some("InvalidValue"));
        } else if state.field(owner, &key).is_some() {
            let text = format!("Key: {key} has already been taken");
            details.add("key", text, Some("DuplicateValue"));
        }
        Some(key)
    };
    let count = state.fields_of(owner).count();
    match owner {
        // §9: 400 per account without forms.
        FieldOwner::Ticket if count >= TICKET_FIELDS => {
            details.add(
                "base",
                "The account has reached the limit of ticket fields",
                None,
            );
        }
        FieldOwner::Object(_) => objects::check_field_limits(state, owner, kind, &mut details),
        _ => {}
    }
    let target = attributes.text("relationship_target_type")?;
    if matches!(kind, FieldType::Lookup | FieldType::Parent) {
        let known = target
            .as_deref()
            .is_some_and(|target| objects::target_exists(state, target));
        if !known {
            let text = "Relationship target type: is invalid";
            details.add("relationship_target_type", text, Some("InvalidValue"));
        }
    }
    let (id, now) = (state.next_id(), state.second());
    let mut field = Field {
        id,
        owner: owner.clone(),
        key,
        kind,
        system: None,
        title,
        description: String::new(),
        agent_description: String::new(),
        active: true,
        required: false,
        tag: None,
        regexp: None,
        options: Vec::new(),
        target: target.filter(|_| matches!(kind, FieldType::Lookup | FieldType::Parent)),
        position: u64::try_from(count).unwrap_or(0),
        created_at: now,
        updated_at: now,
    };
    common(&mut field, attributes)?;
    if kind.has_options() {
        let given = wanted_options(attributes, &mut details)?;
        if given.is_empty() && kind != FieldType::Multiselect {
            let text = "Field options: cannot be blank";
            details.add("custom_field_options", text, Some("BlankValue"));
        }
        field.options = number(state, &field, given);
    }
    details.check()?;
    if let Some(key) = field.key.clone() {
        state.fields_by_key.insert((owner.clone(), key), id);
    }
    state.fields.insert(id, field);
    Ok(id)
}

/// Changes a field. Type, key and target cannot change and are dropped in silence.
pub(super) fn update(state: &mut State, id: Id, attributes: Attributes<'_>) -> Result<(), Failure> {
    let mut field = state
        .fields
        .get(&id)
        .ok_or(Failure::RecordNotFound)?
        .clone();
    let mut details = Details::default();
    if let Some(title) = attributes.text("title")? {
        if title.trim().is_empty() {
            details.add("title", "Title: cannot be blank", Some("BlankValue"));
        }
        title.trim().clone_into(&mut field.title);
    }
    common(&mut field, attributes)?;
    if field.kind.has_options() && attributes.given("custom_field_options") {
        // §9: an update lists all options; those left out are removed everywhere.
        let given = wanted_options(attributes, &mut details)?;
        check_reuse(state, &field, &given, &mut details);
        let gone: Vec<String> = field
            .options
            .iter()
            .filter(|old| given.iter().all(|(_, _, value)| *value != old.value))
            .map(|old| old.value.clone())
            .collect();
        field.options = number(state, &field, given);
        details.check()?;
        drop_options(state, &field, &gone);
    } else {
        details.check()?;
    }
    field.updated_at = state.second();
    state.fields.insert(id, field);
    Ok(())
}

fn common(field: &mut Field, attributes: Attributes<'_>) -> Result<(), Failure> {
    if attributes.given("agent_description") && field.owner == FieldOwner::Ticket {
        field.agent_description = attributes.text("agent_description")?.unwrap_or_default();
    }
    if attributes.given("description") {
        field.description = attributes.text("description")?.unwrap_or_default();
    }
    if let Some(active) = attributes.flag("active")? {
        field.active = active;
    }
    if let Some(required) = attributes.flag("required")? {
        field.required = required;
    }
    if attributes.given("tag") {
        field.tag = attributes.text("tag")?.map(|tag| tag.to_lowercase());
    }
    if attributes.given("regexp_for_validation") {
        field.regexp = attributes.text("regexp_for_validation")?;
    }
    Ok(())
}

type WantedOption = (Option<Id>, String, String);

fn wanted_options(
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<Vec<WantedOption>, Failure> {
    let mut options: Vec<WantedOption> = Vec::new();
    for item in attributes.list("custom_field_options") {
        options.push(wanted_option(Attributes::bare(item)?, details)?);
    }
    let mut seen = std::collections::BTreeSet::new();
    if options
        .iter()
        .any(|(_, _, value)| !seen.insert(value.clone()))
    {
        let text = "Field options: have duplicate values";
        details.add("custom_field_options", text, Some("DuplicateValue"));
    }
    if options.len() > OPTIONS {
        let text = "Field options: more than 2000 are not allowed";
        details.add("custom_field_options", text, None);
    }
    Ok(options)
}

fn wanted_option(
    attributes: Attributes<'_>,
    details: &mut Details,
) -> Result<WantedOption, Failure> {
    let name = attributes.text("name")?.unwrap_or_default();
    let value = attributes.text("value")?.unwrap_or_default().to_lowercase();
    if name.trim().is_empty() || value.trim().is_empty() {
        let text = "Field options: name and value cannot be blank";
        details.add("custom_field_options", text, Some("BlankValue"));
    }
    // The value is a tag, so what a tag cannot hold becomes an underscore.
    let value = value
        .trim()
        .chars()
        .map(|c| if c.is_whitespace() { '_' } else { c })
        .collect();
    Ok((attributes.id("id")?, name, value))
}

/// Gives options their ids: the one sent, the one the value had, or a new one.
fn number(state: &mut State, field: &Field, options: Vec<WantedOption>) -> Vec<FieldOption> {
    let mut numbered = Vec::with_capacity(options.len());
    let known: BTreeMap<&str, Id> = field
        .options
        .iter()
        .map(|option| (option.value.as_str(), option.id))
        .collect();
    for (id, name, value) in options {
        let id = id.or_else(|| known.get(value.as_str()).copied());
        let id = id.unwrap_or_else(|| state.next_id());
        numbered.push(FieldOption { id, name, value });
    }
    numbered
}

/// §9: a value may not serve two ticket fields. Not checked when a field is made, only when it is edited.
fn check_reuse(state: &State, field: &Field, options: &[WantedOption], details: &mut Details) {
    if field.owner != FieldOwner::Ticket {
        return;
    }
    let values: std::collections::BTreeSet<&str> =
        options.iter().map(|(_, _, value)| value.as_str()).collect();
    let others = state
        .fields_of(&FieldOwner::Ticket)
        .filter(|other| other.id != field.id);
    for option in others.flat_map(|other| &other.options) {
        if values.contains(option.value.as_str()) {
            let text = format!(
                "Field options: the tag {} is already used in another field",
                option.value
            );
            details.add("base", text, Some("DuplicateValue"));
        }
    }
}

/// Values of removed options vanish from the tickets that have them. Rare, so a scan.
fn drop_options(state: &mut State, field: &Field, gone: &[String]) {
    if gone.is_empty() || field.owner != FieldOwner::Ticket {
        return;
    }
    for ticket in state.tickets.values_mut() {
        if let Some(value) = ticket.custom_fields.get(&field.id) {
            let has = tags_of(field, value).iter().any(|tag| gone.contains(tag));
            if has {
                match value {
                    Value::Array(list) => {
                        let list: Vec<Value> = list
                            .iter()
                            .filter(|v| v.as_str().is_none_or(|v| !gone.iter().any(|g| g == v)))
                            .cloned()
                            .collect();
                        ticket.custom_fields.insert(field.id, Value::Array(list));
                    }
                    _ => {
                        ticket.custom_fields.remove(&field.id);
                    }
                }
                ticket.tags.retain(|tag| !gone.contains(tag));
            }
        }
    }
}

/// Deletes a field. Its values are shown no more; the tags they left on tickets stay (§9).
pub(super) fn delete(state: &mut State, id: Id) -> Result<(), Failure> {
    let field = state.fields.get(&id).ok_or(Failure::RecordNotFound)?;
    if field.system.is_some() {
        return Err(Failure::invalid(
            "base",
            "System fields cannot be deleted",
            None,
        ));
    }
    if let Some(field) = state.fields.remove(&id)
        && let Some(key) = field.key
    {
        state.fields_by_key.remove(&(field.owner, key));
    }
    Ok(())
}

fn options(call: &mut Call<'_>, names: &Names, method: &str, id: Id, rest: &[&str]) -> Outcome {
    let field = call
        .state
        .fields
        .get(&id)
        .ok_or(Failure::RecordNotFound)?
        .clone();
    let path = format!("{}/api/v2/{}", call.base, names.path);
    if names.owner == FieldOwner::Organization || !field.kind.has_options() {
        return Err(Failure::RecordNotFound);
    }
    let at = |text: &str| {
        let id: Option<Id> = text.parse().ok();
        field
            .options
            .iter()
            .position(|o| Some(o.id) == id)
            .ok_or(Failure::RecordNotFound)
    };
    let shown = |field: &Field, at: usize| -> Result<Value, Failure> {
        let option = field.options.get(at).ok_or(Failure::RecordNotFound)?;
        Ok(json!({"custom_field_option": option_json(field, &path, at, option)}))
    };
    match (method, rest) {
        ("GET", []) => page_list(call, "custom_field_options", field.options.len(), |at| {
            Some(option_json(&field, &path, at, field.options.get(at)?))
        }),
        ("GET", [option]) => shown(&field, at(option)?).map(|body| Answer::json(200, body)),
        ("POST", []) => {
            call.admin()?;
            call.limit(Limit::FieldOptions, "")?;
            let request = call.request;
            let attributes = Attributes::of(&request.json, "custom_field_option")?;
            let mut details = Details::default();
            let wanted = wanted_option(attributes, &mut details)?;
            check_reuse(
                call.state,
                &field,
                std::slice::from_ref(&wanted),
                &mut details,
            );
            let mut field = field.clone();
            let known = wanted
                .0
                .and_then(|id| field.options.iter().position(|o| o.id == id));
            let taken = field
                .options
                .iter()
                .position(|option| option.value == wanted.2);
            if taken.is_some() && taken != known {
                let text = format!("Value: {} has already been taken", wanted.2);
                details.add("value", text, Some("DuplicateValue"));
            }
            if known.is_none() && field.options.len() >= OPTIONS {
                details.add(
                    "base",
                    "Field options: more than 2000 are not allowed",
                    None,
                );
            }
            details.check()?;
            let (at, status) = match known {
                Some(at) => {
                    if let Some(option) = field.options.get_mut(at) {
                        option.name = wanted.1;
                        option.value = wanted.2;
                    }
                    (at, 200)
                }
                None => {
                    let id = call.state.next_id();
                    field.options.push(FieldOption {
                        id,
                        name: wanted.1,
                        value: wanted.2,
                    });
                    (field.options.len() - 1, 201)
                }
            };
            field.updated_at = call.state.second();
            let body = shown(&field, at)?;
            call.state.fields.insert(id, field);
            Ok(Answer::json(status, body))
        }
        ("DELETE", [option]) => {
            call.admin()?;
            let at = at(option)?;
            let mut field = field.clone();
            let gone = field.options.remove(at);
            drop_options(call.state, &field, &[gone.value]);
            call.state.fields.insert(id, field);
            Answer::bare(204)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}

// ---- values

/// A value that a field will not take.
pub(super) struct NotValid;

/// Checks a value and brings it into the form it is stored in; `None` empties the field.
pub(super) fn normalise(
    state: &State,
    field: &Field,
    value: &Value,
) -> Result<Option<Value>, NotValid> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => String::new(),
    };
    let scalar = !matches!(value, Value::Array(_) | Value::Object(_));
    let on_ticket = field.owner == FieldOwner::Ticket;
    let option = |text: &str| {
        let text = text.to_lowercase();
        field
            .options
            .iter()
            .any(|option| option.value.to_lowercase() == text)
    };
    let unknown_refused = state.config.switches.unknown_option_refused;
    match field.kind {
        _ if scalar && text.is_empty() => Ok(None),
        FieldType::Multiselect => {
            let list: Vec<&str> = match value {
                Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                _ => vec![text.as_str()],
            };
            let (known, unknown): (Vec<&str>, Vec<&str>) =
                list.into_iter().partition(|text| option(text));
            if !unknown.is_empty() && unknown_refused {
                return Err(NotValid);
            }
            let known: Vec<Value> = known.iter().map(|v| json!(v.to_lowercase())).collect();
            Ok((!known.is_empty()).then_some(Value::Array(known)))
        }
        _ if !scalar => Err(NotValid),
        FieldType::Checkbox => match text.as_str() {
            "true" | "1" => Ok(Some(json!(true))),
            "false" | "0" => Ok(Some(json!(false))),
            _ => Err(NotValid),
        },
        FieldType::Date => {
            // §9: a day, nothing else; user and organization dates come back with a time and may be sent so.
            let day = text
                .strip_suffix("T00:00:00Z")
                .filter(|_| !on_ticket)
                .unwrap_or(&text);
            let proper = day.len() == 10 && NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok();
            if proper {
                Ok(Some(json!(day)))
            } else {
                Err(NotValid)
            }
        }
        FieldType::Integer => {
            let number: i64 = text.trim().parse().map_err(|_| NotValid)?;
            Ok(Some(if on_ticket {
                json!(number.to_string())
            } else {
                json!(number)
            }))
        }
        FieldType::Decimal | FieldType::Currency => {
            let number: f64 = text.trim().parse().map_err(|_| NotValid)?;
            if !number.is_finite() {
                return Err(NotValid);
            }
            Ok(Some(if on_ticket {
                json!(text.trim())
            } else {
                json!(number)
            }))
        }
        FieldType::Tagger | FieldType::Dropdown => match option(&text) {
            true => Ok(Some(json!(text.to_lowercase()))),
            false if unknown_refused => Err(NotValid),
            false => Ok(None),
        },
        FieldType::Lookup | FieldType::Parent => {
            let target = field.target.as_deref().unwrap_or_default();
            let exists = objects::record_exists(state, target, &text);
            if exists {
                Ok(Some(json!(text)))
            } else {
                Err(NotValid)
            }
        }
        FieldType::Text
        | FieldType::Regexp
        | FieldType::PartialCreditCard
        | FieldType::Textarea => Ok(Some(json!(text))),
    }
}

/// A value as answers show it.
pub(super) fn shown(field: &Field, value: Option<&Value>) -> Value {
    let Some(value) = value else {
        return if field.kind == FieldType::Checkbox {
            json!(false)
        } else {
            Value::Null
        };
    };
    match (field.kind, &field.owner, value) {
        // §9: date fields of users come back with a time.
        (FieldType::Date, FieldOwner::User | FieldOwner::Organization, Value::String(day)) => {
            json!(format!("{day}T00:00:00Z"))
        }
        _ => value.clone(),
    }
}

/// The tags that a ticket has because of a field's value (§9).
pub(super) fn tags_of(field: &Field, value: &Value) -> Tags {
    match (field.kind, value) {
        (FieldType::Tagger, Value::String(text)) => Tags::from([text.clone()]),
        (FieldType::Multiselect, Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        (FieldType::Checkbox, Value::Bool(true)) => field.tag.clone().into_iter().collect(),
        _ => Tags::new(),
    }
}

/// Sets values addressed by key; unknown keys are dropped in silence, wrong values noted under the key.
pub(super) fn set_keyed(
    state: &State,
    owner: &FieldOwner,
    place: &mut BTreeMap<String, Value>,
    values: &Map<String, Value>,
    details: &mut Details,
) {
    for (key, value) in values {
        let Some(field) = state.field(owner, key) else {
            continue;
        };
        match normalise(state, field, value) {
            Ok(Some(value)) => {
                place.insert(key.clone(), value);
            }
            Ok(None) => {
                place.remove(key);
            }
            Err(NotValid) => {
                details.push(
                    key,
                    json!({
                        "description": format!("{}: is not valid", field.title),
                        "error": "InvalidValue",
                    }),
                );
            }
        }
    }
}

// ---- custom statuses

fn status_json(status: &CustomStatus) -> Value {
    json!({
        "id": status.id,
        "status_category": status.category.as_str(),
        "agent_label": status.agent_label,
        "raw_agent_label": status.agent_label,
        "end_user_label": status.end_user_label,
        "raw_end_user_label": status.end_user_label,
        "description": status.description,
        "raw_description": status.description,
        "end_user_description": "",
        "raw_end_user_description": "",
        "active": status.active,
        "default": status.default,
        "created_at": iso(status.created_at),
        "updated_at": iso(status.updated_at),
    })
}

/// The default custom status of a category; closed tickets show that of solved.
pub(super) fn default_status(state: &State, status: Status) -> Option<Id> {
    let category = if status == Status::Closed {
        Status::Solved
    } else {
        status
    };
    let mut all = state.custom_statuses.values();
    all.find(|s| s.category == category && s.default)
        .map(|s| s.id)
}

fn statuses(call: &mut Call<'_>, method: &str, rest: &[&str]) -> Outcome {
    let get = |call: &Call<'_>, id: &str| -> Result<CustomStatus, Failure> {
        let id = call.id(id)?;
        call.state
            .custom_statuses
            .get(&id)
            .cloned()
            .ok_or(Failure::RecordNotFound)
    };
    let request = call.request;
    match (method, rest) {
        ("GET", []) => {
            let categories = call.request.list("status_categories");
            let flag = |name: &str| call.request.param(name).map(|text| text == "true");
            let (active, default) = (flag("active"), flag("default"));
            let list: Vec<Value> = call
                .state
                .custom_statuses
                .values()
                .filter(|s| {
                    let name = s.category.as_str();
                    categories
                        .as_ref()
                        .is_none_or(|c| c.iter().any(|c| c == name))
                        && active.is_none_or(|active| active == s.active)
                        && default.is_none_or(|default| default == s.default)
                })
                .map(status_json)
                .collect();
            Answer::ok(json!({"custom_statuses": list}))
        }
        ("POST", []) => {
            call.admin()?;
            let attributes = Attributes::of(&request.json, "custom_status")?;
            let mut details = Details::default();
            let label = attributes.text("agent_label")?.unwrap_or_default();
            if label.trim().is_empty() {
                details.add(
                    "agent_label",
                    "Agent label: cannot be blank",
                    Some("BlankValue"),
                );
            }
            let category = attributes.text("status_category")?.unwrap_or_default();
            let category = Status::parse(&category).filter(|c| *c != Status::Closed);
            if category.is_none() {
                let text = "Status category: is invalid";
                details.add("status_category", text, Some("InvalidValue"));
            }
            details.check()?;
            let (id, now) = (call.state.next_id(), call.state.second());
            let end_user = attributes.text("end_user_label")?;
            let status = CustomStatus {
                id,
                category: category.unwrap_or(Status::Open),
                end_user_label: end_user.unwrap_or_else(|| label.clone()),
                agent_label: label,
                description: attributes.text("description")?.unwrap_or_default(),
                active: attributes.flag("active")?.unwrap_or(true),
                default: false,
                created_at: now,
                updated_at: now,
            };
            let body = json!({"custom_status": status_json(&status)});
            call.state.custom_statuses.insert(id, status);
            Answer::created(body)
        }
        ("GET", [id]) => {
            let status = get(call, id)?;
            Answer::ok(json!({"custom_status": status_json(&status)}))
        }
        ("PUT", [id]) => {
            call.admin()?;
            let mut status = get(call, id)?;
            let attributes = Attributes::of(&request.json, "custom_status")?;
            if let Some(label) = attributes.text("agent_label")? {
                status.agent_label = label;
            }
            if let Some(label) = attributes.text("end_user_label")? {
                status.end_user_label = label;
            }
            if let Some(text) = attributes.text("description")? {
                status.description = text;
            }
            if let Some(active) = attributes.flag("active")? {
                status.active = active || status.default;
            }
            status.updated_at = call.state.now.trunc_subsecs(0);
            let body = json!({"custom_status": status_json(&status)});
            call.state.custom_statuses.insert(status.id, status);
            Answer::ok(body)
        }
        ("DELETE", [id]) => {
            call.admin()?;
            let status = get(call, id)?;
            if status.default {
                let text = "A default custom status cannot be deleted";
                return Err(Failure::invalid("base", text, None));
            }
            let default = default_status(call.state, status.category);
            for ticket in call.state.tickets.values_mut() {
                if ticket.custom_status_id == Some(status.id) {
                    ticket.custom_status_id = default;
                }
            }
            call.state.custom_statuses.remove(&status.id);
            Answer::bare(204)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}
