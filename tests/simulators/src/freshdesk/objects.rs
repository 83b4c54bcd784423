//! Custom objects: schemas, which are made in the UI only, and their records (Freshdesk facts §11).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::Reader;
use super::call::Call;
use super::fields::{Problem, is_date};
use super::model::{Id, Record, Schema, SchemaField};
use super::state::State;
use super::switches::{Plan, Policy};

/// Records on a page.
const USUAL_PAGE: usize = 20;
/// Records on the largest page.
const LARGEST_PAGE: usize = 100;

/// A custom object that an admin makes in the UI.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct SchemaSpec {
    /// Name.
    pub name: String,
    /// What display ids begin with; made of the name if empty.
    #[serde(default)]
    pub prefix: String,
    /// Fields.
    pub fields: Vec<SchemaFieldSpec>,
}

/// A field of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct SchemaFieldSpec {
    /// Name in records.
    pub name: String,
    /// Label; the name if empty.
    #[serde(default)]
    pub label: String,
    /// `PRIMARY`, `TEXT`, `PARAGRAPH`, `NUMBER`, `DECIMAL`, `DATE`, `CHECKBOX`, `DROPDOWN`, `MULTI_SELECT` or
    /// `RELATIONSHIP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether a value must be given.
    #[serde(default)]
    pub required: bool,
    /// Whether lists can be filtered by it; a primary field always can.
    #[serde(default)]
    pub filterable: bool,
    /// Choices of a dropdown.
    #[serde(default)]
    pub choices: Vec<String>,
    /// What a relationship points to: `ticket`, `contact`, `company`, or the name of an object, its own included.
    #[serde(default)]
    pub target: Option<String>,
}

const TYPES: &[&str] = &[
    "PRIMARY",
    "TEXT",
    "PARAGRAPH",
    "NUMBER",
    "DECIMAL",
    "DATE",
    "CHECKBOX",
    "DROPDOWN",
    "MULTI_SELECT",
    "RELATIONSHIP",
];

/// Whether the plan has custom objects.
pub(super) fn available(state: &State) -> bool {
    matches!(state.config.plan, Plan::Pro | Plan::Enterprise)
}

fn feature(state: &State) -> Result<(), Failure> {
    if available(state) {
        Ok(())
    } else {
        Err(Failure::feature("Custom Objects"))
    }
}

/// Makes an object as an admin does in the UI; its id, or what the UI would not let pass.
pub(super) fn make_schema(state: &mut State, spec: &SchemaSpec) -> Result<Id, String> {
    if spec.name.is_empty() || spec.fields.is_empty() {
        return Err("an object needs a name and fields".to_owned());
    }
    if state
        .schemas
        .values()
        .any(|schema| schema.name == spec.name)
    {
        return Err(format!("there is an object {:?}", spec.name));
    }
    let mut names: Vec<&str> = Vec::new();
    let mut fields = Vec::new();
    for field in &spec.fields {
        if !TYPES.contains(&field.kind.as_str()) {
            return Err(format!("{}: no type {:?}", field.name, field.kind));
        }
        if names.contains(&field.name.as_str()) {
            return Err(format!("{}: twice", field.name));
        }
        if field.kind == "PRIMARY" && fields.iter().any(|f: &SchemaField| f.kind == "PRIMARY") {
            return Err(format!("{}: a second primary field", field.name));
        }
        if (field.kind == "RELATIONSHIP") != field.target.is_some() {
            return Err(format!("{}: a relationship has a target", field.name));
        }
        if let Some(target) = &field.target {
            let known = matches!(target.as_str(), "ticket" | "contact" | "company")
                || *target == spec.name
                || state.schemas.values().any(|schema| schema.name == *target);
            if !known {
                return Err(format!("{}: no object {target:?}", field.name));
            }
        }
        names.push(&field.name);
        let label = if field.label.is_empty() {
            &field.name
        } else {
            &field.label
        };
        fields.push(SchemaField {
            id: state.hex(24),
            name: field.name.clone(),
            label: label.clone(),
            kind: field.kind.clone(),
            required: field.required || field.kind == "PRIMARY",
            filterable: field.filterable || field.kind == "PRIMARY",
            choices: field.choices.clone(),
            target: field.target.clone(),
        });
    }
    let id = state.next_id();
    let prefix = if spec.prefix.is_empty() {
        let letters = spec.name.chars().filter(char::is_ascii_alphanumeric);
        letters.take(3).collect::<String>().to_uppercase()
    } else {
        spec.prefix.clone()
    };
    let mut unique = prefix.clone();
    let mut number = 1;
    while state.schemas.values().any(|schema| schema.prefix == unique) {
        number += 1;
        unique = format!("{prefix}{number}");
    }
    let now = state.now.timestamp_millis();
    state.schemas.insert(
        id,
        Schema {
            id,
            name: spec.name.clone(),
            prefix: unique,
            fields,
            created_time: now,
            updated_time: now,
        },
    );
    Ok(id)
}

/// Adds a field to an object as an admin does in the UI.
pub(super) fn add_field(state: &mut State, schema: Id, spec: &SchemaFieldSpec) -> Option<()> {
    let id = state.hex(24);
    let now = state.now.timestamp_millis();
    let schema = state.schemas.get_mut(&schema)?;
    if schema.field(&spec.name).is_some() || !TYPES.contains(&spec.kind.as_str()) {
        return None;
    }
    schema.updated_time = now;
    schema.fields.push(SchemaField {
        id,
        name: spec.name.clone(),
        label: spec.name.clone(),
        kind: spec.kind.clone(),
        required: spec.required,
        filterable: spec.filterable,
        choices: spec.choices.clone(),
        target: spec.target.clone(),
    });
    Some(())
}

fn render_schema(schema: &Schema) -> Value {
    let fields: Vec<Value> = schema
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let choices: Vec<Value> = field
                .choices
                .iter()
                .enumerate()
                .map(|(at, value)| json!({"id": at + 1, "value": value, "position": at + 1}))
                .collect();
            json!({
                "id": field.id, "name": field.name, "label": field.label, "type": field.kind,
                "position": at + 1, "required": field.required, "editable": true, "visible": true,
                "deleted": false, "filterable": field.filterable,
                "searchable": field.kind == "PRIMARY", "parent_id": null, "choices": choices,
                "related_entity": field.target,
            })
        })
        .collect();
    json!({
        "id": schema.id, "name": schema.name, "prefix": schema.prefix, "version": 1,
        "deleted": false, "created_time": schema.created_time,
        "updated_time": schema.updated_time, "fields": fields,
    })
}

pub(super) fn schemas(call: &mut Call<'_>) -> Outcome {
    feature(call.state)?;
    let all: Vec<Value> = call.state.schemas.values().map(render_schema).collect();
    Answer::ok(json!({"schemas": all}))
}

fn schema_of(call: &Call<'_>) -> Result<Schema, Failure> {
    feature(call.state)?;
    let schema = call.state.schemas.get(&call.id(0)?).cloned();
    schema.ok_or(Failure::NotFound)
}

pub(super) fn schema(call: &mut Call<'_>) -> Outcome {
    Answer::ok(render_schema(&schema_of(call)?))
}

fn render(schema: &Schema, record: &Record) -> Value {
    let data = schema.fields.iter().map(|field| {
        let value = record.data.get(&field.name).cloned();
        (field.name.clone(), value.unwrap_or(Value::Null))
    });
    let data: serde_json::Map<String, Value> = data.collect();
    json!({
        "display_id": record.display_id, "created_time": record.created_time,
        "updated_time": record.updated_time, "version": record.version, "data": data,
        "metadata": {},
    })
}

/// The number in a display id of a schema.
fn number_of(schema: &Schema, display_id: &str) -> Option<u64> {
    let rest = display_id.strip_prefix(&schema.prefix)?;
    rest.strip_prefix('-')?.parse().ok()
}

/// The display id of a record that a lookup names: by that, or by its primary value.
pub(super) fn looked_up(state: &State, schema: Id, text: &str, by_primary: bool) -> Option<String> {
    let number = if by_primary {
        *state.records_by_primary.get(&(schema, text.to_owned()))?
    } else {
        number_of(state.schemas.get(&schema)?, text)?
    };
    let record = state.records.get(&schema)?.get(&number)?;
    Some(record.display_id.clone())
}

/// A value as it is kept, or what is wrong with it.
fn checked(state: &State, field: &SchemaField, value: &Value) -> Result<Value, Problem> {
    let wrong = |code: &'static str, message: String| (code, message);
    let mismatch = |wanted: &str| {
        let message = format!("Value set is of the wrong type.It should be a/an {wanted}");
        wrong("datatype_mismatch", message)
    };
    let text = || value.as_str().ok_or_else(|| mismatch("String"));
    let choice = |value: &Value| {
        let known = value
            .as_str()
            .is_some_and(|text| field.choices.iter().any(|choice| choice == text));
        known.then(|| value.clone()).ok_or_else(|| {
            let message = format!(
                "It should be one of these values: '{}'",
                field.choices.join(",")
            );
            wrong("invalid_value", message)
        })
    };
    match field.kind.as_str() {
        "PRIMARY" | "TEXT" => {
            let text = text()?;
            let length = text.chars().count();
            if length > 255 {
                let message =
                    format!("Has {length} characters, it can have maximum of 255 characters");
                return Err(wrong(state.config.switches.length_code, message));
            }
            Ok(json!(text))
        }
        "PARAGRAPH" => Ok(json!(text()?)),
        "NUMBER" => Ok(json!(value.as_i64().ok_or_else(|| mismatch("Integer"))?)),
        "DECIMAL" if value.is_number() => Ok(value.clone()),
        "DECIMAL" => Err(mismatch("Number")),
        "CHECKBOX" => Ok(json!(value.as_bool().ok_or_else(|| mismatch("Boolean"))?)),
        "DATE" if is_date(text()?) => Ok(value.clone()),
        "DATE" => {
            let message = "It should be in the 'yyyy-mm-dd' format".to_owned();
            Err(wrong("invalid_value", message))
        }
        "DROPDOWN" => choice(value),
        "MULTI_SELECT" => {
            let list = value.as_array().ok_or_else(|| mismatch("Array"))?;
            list.iter().map(choice).collect()
        }
        _ => {
            // §11: numeric ids of tickets, contacts and companies; display ids of other records.
            let id = value.as_u64();
            let known = match field.target.as_deref() {
                Some("ticket") => id.is_some_and(|id| state.tickets.contains_key(&id)),
                Some("contact") => id.is_some_and(|id| state.live(id).is_some()),
                Some("company") => id.is_some_and(|id| state.companies.contains_key(&id)),
                Some(name) => {
                    let schema = state.schemas.values().find(|schema| schema.name == name);
                    let text = text()?;
                    schema.is_some_and(|schema| looked_up(state, schema.id, text, false).is_some())
                }
                None => false,
            };
            known.then(|| value.clone()).ok_or_else(|| {
                let message = "There is no record matching the given value".to_owned();
                wrong("invalid_value", message)
            })
        }
    }
}

/// Puts `data` of a body into a record.
fn apply(state: &State, reader: &mut Reader<'_>, schema: &Schema, record: &mut Record) {
    if !reader.given("data") {
        reader.missing("data", "Key/Value Pair");
        return;
    }
    for (name, value) in reader.object("data").into_iter().flatten() {
        let Some(field) = schema.field(name) else {
            let message = "Unexpected/invalid field in request";
            reader.wrong(name, "invalid_field", message);
            continue;
        };
        if value.is_null() {
            record.data.remove(name);
            continue;
        }
        match checked(state, field, value) {
            Ok(value) => {
                record.data.insert(name.clone(), value);
            }
            Err((code, message)) => reader.wrong(name, code, message),
        }
    }
    for field in schema.fields.iter().filter(|field| field.required) {
        let wrong = reader.errors.iter().any(|error| error.field == field.name);
        if !record.data.contains_key(&field.name) && !wrong {
            reader.missing(&field.name, "String");
        }
    }
}

fn primary_key(schema: &Schema, record: &Record) -> Option<(Id, String)> {
    let value = record.data.get(&schema.primary()?.name)?.as_str()?;
    Some((schema.id, value.to_owned()))
}

/// §4, §11 [INF]: the primary value is taken.
fn unique(state: &State, schema: &Schema, record: &Record, own: u64) -> Result<(), Failure> {
    let Some(key) = primary_key(schema, record) else {
        return Ok(());
    };
    if state
        .records_by_primary
        .get(&key)
        .is_none_or(|other| *other == own)
    {
        return Ok(());
    }
    let name = schema.primary().map_or("", |field| field.name.as_str());
    if state.config.switches.duplicate_primary_status == 409 {
        return Err(Failure::duplicate(name, None));
    }
    let message = "It should be a unique value";
    Err(Failure::invalid(name, "invalid_value", message))
}

fn store(state: &mut State, schema: &Schema, number: u64, record: Record) {
    if let Some(old) = state
        .records
        .get(&schema.id)
        .and_then(|all| all.get(&number))
        && let Some(key) = primary_key(schema, old)
    {
        state.records_by_primary.remove(&key);
    }
    if let Some(key) = primary_key(schema, &record) {
        state.records_by_primary.insert(key, number);
    }
    state
        .records
        .entry(schema.id)
        .or_default()
        .insert(number, record);
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let schema = schema_of(call)?;
    let mut reader = call.reader()?;
    reader.only(&["data"]);
    let now = call.state.now.timestamp_millis();
    let number = call
        .state
        .last_records
        .get(&schema.id)
        .copied()
        .unwrap_or(0)
        + 1;
    let mut record = Record {
        display_id: format!("{}-{number}", schema.prefix),
        schema_id: schema.id,
        version: 1,
        data: BTreeMap::new(),
        created_time: now,
        updated_time: now,
    };
    apply(call.state, &mut reader, &schema, &mut record);
    reader.finish()?;
    unique(call.state, &schema, &record, number)?;
    let count = call.state.records.get(&schema.id).map_or(0, BTreeMap::len);
    if count >= call.state.config.switches.records_per_object {
        let message = "The limit of records of this object is reached";
        return Err(Failure::invalid("data", "invalid_value", message));
    }
    call.state.last_records.insert(schema.id, number);
    let shown = render(&schema, &record);
    store(call.state, &schema, number, record);
    // §11: 200, not 201.
    Answer::ok(shown)
}

fn record_of(call: &Call<'_>, schema: &Schema) -> Result<(u64, Record), Failure> {
    let number = number_of(schema, call.key(1)).ok_or(Failure::NotFound)?;
    let record = call
        .state
        .records
        .get(&schema.id)
        .and_then(|all| all.get(&number));
    Ok((number, record.ok_or(Failure::NotFound)?.clone()))
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    let schema = schema_of(call)?;
    let (_, record) = record_of(call, &schema)?;
    Answer::ok(render(&schema, &record))
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let schema = schema_of(call)?;
    let (number, mut record) = record_of(call, &schema)?;
    let mut reader = call.reader()?;
    reader.only(&[
        "display_id",
        "version",
        "data",
        "metadata",
        "created_time",
        "updated_time",
    ]);
    if let Some(id) = reader.text("display_id", 255)
        && id.as_deref() != Some(&record.display_id)
    {
        let message = "It should be the id of the record";
        reader.wrong("display_id", "invalid_value", message);
    }
    let version = reader.int("version").flatten();
    if version.is_none() && !reader.given("version") {
        reader.missing("version", "Integer");
    }
    if call.state.config.switches.record_put_replaces {
        record.data.clear();
    }
    apply(call.state, &mut reader, &schema, &mut record);
    reader.finish()?;
    let stale = version != Some(record.version);
    if stale && call.state.config.switches.stale_version == Policy::Refused {
        let message = "The record has been changed since it was read";
        let error = FieldError::new("version", "duplicate_value", message);
        return Err(Failure::Invalid(vec![error]));
    }
    unique(call.state, &schema, &record, number)?;
    record.version += 1;
    record.updated_time = call.state.now.timestamp_millis();
    let shown = render(&schema, &record);
    store(call.state, &schema, number, record);
    Answer::ok(shown)
}

pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let schema = schema_of(call)?;
    let (number, record) = record_of(call, &schema)?;
    if let Some(key) = primary_key(&schema, &record) {
        call.state.records_by_primary.remove(&key);
    }
    if let Some(all) = call.state.records.get_mut(&schema.id) {
        all.remove(&number);
    }
    Answer::bare(204)
}

pub(super) fn count(call: &mut Call<'_>) -> Outcome {
    let schema = schema_of(call)?;
    let filters = filters(&schema, &call.request.query)?;
    let all = call.state.records.get(&schema.id);
    let all = all.into_iter().flat_map(BTreeMap::values);
    let count = all
        .filter(|record| filters.iter().all(|f| f.fits(record)))
        .count();
    Answer::ok(json!({"count": count}))
}

/// One condition of a list.
struct Filter {
    name: String,
    operator: String,
    value: String,
}

impl Filter {
    fn fits(&self, record: &Record) -> bool {
        use std::cmp::Ordering;
        let number = |value: i64| Some(value as f64);
        let order = match self.name.as_str() {
            "created_time" => number(record.created_time).partial_cmp(&self.value.parse().ok()),
            "updated_time" => number(record.updated_time).partial_cmp(&self.value.parse().ok()),
            name => match record.data.get(name) {
                Some(Value::Number(n)) => n.as_f64().partial_cmp(&self.value.parse().ok()),
                Some(Value::Bool(flag)) => Some(flag.to_string().cmp(&self.value)),
                Some(Value::String(text)) => Some(text.as_str().cmp(&self.value)),
                Some(Value::Array(items)) => {
                    let has = items.iter().any(|item| item.as_str() == Some(&self.value));
                    has.then_some(Ordering::Equal)
                }
                _ => None,
            },
        };
        let Some(order) = order else {
            return false;
        };
        match self.operator.as_str() {
            "gt" => order == Ordering::Greater,
            "gte" => order != Ordering::Less,
            "lt" => order == Ordering::Less,
            "lte" => order != Ordering::Greater,
            _ => order == Ordering::Equal,
        }
    }
}

/// §11: AND only, and only fields that can be filtered.
fn filters(schema: &Schema, query: &[(String, String)]) -> Result<Vec<Filter>, Failure> {
    let mut all = Vec::new();
    for (key, value) in query {
        if matches!(key.as_str(), "page_size" | "next_token" | "prev_token") {
            continue;
        }
        let (name, operator) = match key.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']')),
            None => (key.as_str(), ""),
        };
        let time = matches!(name, "created_time" | "updated_time");
        let known = time || schema.field(name).is_some_and(|field| field.filterable);
        if !known || !matches!(operator, "" | "gt" | "gte" | "lt" | "lte") {
            let message = "The field cannot be filtered by";
            return Err(Failure::invalid(key, "invalid_field", message));
        }
        all.push(Filter {
            name: name.to_owned(),
            operator: operator.to_owned(),
            value: value.clone(),
        });
    }
    Ok(all)
}

pub(super) fn records(call: &mut Call<'_>) -> Outcome {
    let schema = schema_of(call)?;
    let mut query = call.request.query.clone();
    let mut after = 0;
    // A token has the whole question in it, and where it is.
    if let Some(token) = call.request.param("next_token") {
        let read = URL_SAFE_NO_PAD.decode(token).ok();
        let read = read.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some((place, asked)): Option<(u64, Vec<(String, String)>)> = read else {
            let message = "The token is not valid";
            return Err(Failure::invalid("next_token", "invalid_value", message));
        };
        (after, query) = (place, asked);
    }
    let size = query.iter().find(|(key, _)| key == "page_size");
    let size = match size.map(|(_, text)| text.parse::<usize>()) {
        None => USUAL_PAGE,
        Some(Ok(size)) if (1..=LARGEST_PAGE).contains(&size) => size,
        Some(_) => {
            let message = "It should be a Positive Integer less than or equal to 100";
            return Err(Failure::invalid("page_size", "invalid_value", message));
        }
    };
    let filters = filters(&schema, &query)?;
    let empty = BTreeMap::new();
    let all = call.state.records.get(&schema.id).unwrap_or(&empty);
    let by_primary = filters.iter().find(|filter| {
        filter.operator.is_empty()
            && schema
                .primary()
                .is_some_and(|field| field.name == filter.name)
    });
    let found: Vec<(&u64, &Record)> = match by_primary {
        Some(filter) => {
            let key = (schema.id, filter.value.clone());
            let number = call.state.records_by_primary.get(&key).copied();
            number
                .and_then(|number| all.get_key_value(&number))
                .filter(|(number, _)| **number > after)
                .into_iter()
                .filter(|(_, record)| filters.iter().all(|f| f.fits(record)))
                .collect()
        }
        None => all
            .range(after + 1..)
            .filter(|(_, record)| filters.iter().all(|f| f.fits(record)))
            .take(size + 1)
            .collect(),
    };
    let shown: Vec<Value> = found
        .iter()
        .take(size)
        .map(|(_, r)| render(&schema, r))
        .collect();
    let last = found
        .get(size.saturating_sub(1))
        .filter(|_| found.len() > size);
    let next = last.map(|(number, _)| {
        query.retain(|(key, _)| key != "next_token");
        let token = URL_SAFE_NO_PAD.encode(json!([number, query]).to_string());
        json!({"href": format!("/schemas/{}/records?next_token={token}", schema.id)})
    });
    let count = format!("/schemas/{}/records/count", schema.id);
    Answer::ok(json!({
        "records": shown,
        "_links": {"next": next, "prev": null, "count": {"href": count}},
    }))
}
