//! Looking at an org from a test: its records and schema, and a fingerprint of them.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint: canonical
//! JSON in which every id is replaced by what the record is called by (an external id, a name) and what the org makes up itself
//! (ids, numbers of cases, times that nobody gave) is left out. The recycle bin is left out too.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::ids;
use super::schema::{Field, Kind, Object};
use super::state::{Blob, Row, State};

/// The content of an org at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Records of all objects by id, the recycle bin included.
    pub rows: BTreeMap<String, Row>,
    /// Objects by API name.
    pub objects: BTreeMap<String, Object>,
    /// Bytes of files by the id of their version.
    pub files: HashMap<String, Blob>,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        Self {
            rows: state
                .all()
                .map(|row| (row.id.clone(), row.clone()))
                .collect(),
            objects: state
                .objects
                .values()
                .map(|object| (object.name.clone(), object.clone()))
                .collect(),
            files: state.files.clone(),
        }
    }

    /// The live record with this id.
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows.get(id).filter(|row| !row.deleted)
    }

    /// The live records of an object in the order they were made.
    pub fn of_object<'s>(&'s self, object: &str) -> impl Iterator<Item = &'s Row> + use<'s> {
        let object = object.to_owned();
        self.rows
            .values()
            .filter(move |row| !row.deleted && row.object == object)
    }

    /// The live records of an object whose field has this text.
    pub fn with<'s>(&'s self, object: &str, field: &str, text: &str) -> Vec<&'s Row> {
        self.of_object(object)
            .filter(|row| row.text(field) == text)
            .collect()
    }

    /// The files that hang on a record: the latest version of each, with its bytes.
    pub fn files_on(&self, record: &str) -> Vec<(&Row, &Blob)> {
        let links = self.with("ContentDocumentLink", "LinkedEntityId", record);
        let version = |link: &&Row| {
            let document = self.row(link.text("ContentDocumentId"))?;
            let version = self.row(document.text("LatestPublishedVersionId"))?;
            Some((version, self.files.get(&version.id)?))
        };
        links.iter().filter_map(version).collect()
    }
}

/// The fingerprint of an org; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let mut names: Vec<&Object> = state
        .objects
        .values()
        .filter(|object| !object.has('t'))
        .collect();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    let mut records = Map::new();
    let mut schema = Vec::new();
    for object in names {
        let rows: Vec<Value> = state
            .live_of(&object.name)
            .map(|row| content(state, object, row))
            .collect();
        if !rows.is_empty() {
            records.insert(object.name.clone(), sorted(rows));
        }
        for field in object.fields.iter().filter(|field| field.custom) {
            schema.push(field_content(object, field));
        }
        if object.custom {
            schema
                .push(json!({"name": object.name, "label": object.label, "plural": object.plural}));
        }
    }
    json!({"records": records, "schema": sorted(schema)})
}

fn sorted(mut items: Vec<Value>) -> Value {
    items.sort_by_cached_key(Value::to_string);
    Value::Array(items)
}

fn field_content(object: &Object, field: &Field) -> Value {
    let choices: Vec<Value> = field
        .choices
        .iter()
        .map(|c| json!({"value": c.value, "label": c.label}))
        .collect();
    json!({
        "name": format!("{}.{}", object.name, field.name), "label": field.label, "type": field.kind.describe(),
        "length": field.length, "digits": [field.digits.0, field.digits.1], "externalId": field.external_id,
        "unique": field.unique, "referenceTo": field.reference_to, "choices": choices, "description": field.description,
    })
}

/// What a record is called.
fn called(state: &State, id: &str) -> String {
    let Some(row) = state.any(id) else {
        return "nothing".to_owned();
    };
    let Some(object) = state.object(&row.object) else {
        return "nothing".to_owned();
    };
    let external = object
        .fields
        .iter()
        .filter(|field| field.external_id)
        .find_map(|field| row.get(&field.name).as_str());
    let own = match object.name.as_str() {
        "User" => "Username",
        "Case" => "Subject",
        "ContentDocument" => {
            let version = row.text("LatestPublishedVersionId");
            return format!(
                "file of {}",
                if version.is_empty() {
                    "nothing".to_owned()
                } else {
                    called(state, version)
                }
            );
        }
        _ => object.name_field.as_deref().unwrap_or("Id"),
    };
    let name = external.unwrap_or_else(|| row.text(own));
    format!("{}:{name}", object.name)
}

fn content(state: &State, object: &Object, row: &Row) -> Value {
    let mut out = Map::new();
    out.insert("called".to_owned(), json!(called(state, &row.id)));
    for field in &object.fields {
        let Some(value) = row.fields.get(&field.name) else {
            continue;
        };
        let is_time = matches!(field.kind, Kind::Date | Kind::DateTime);
        let made_up = is_time && !field.custom && !row.given.contains(&field.name)
            || matches!(
                field.name.as_str(),
                "CaseNumber" | "LastModifiedDate" | "SystemModstamp" | "LastModifiedById"
            )
            || field.kind == Kind::AutoNumber;
        if !made_up {
            out.insert(field.name.clone(), in_texts(state, value));
        }
    }
    Value::Object(out)
}

/// The same with every id in a text replaced by what it stands for.
fn in_texts(state: &State, value: &Value) -> Value {
    match value {
        Value::String(text) => json!(in_text(state, text)),
        Value::Array(items) => items.iter().map(|item| in_texts(state, item)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), in_texts(state, value)))
            .collect(),
        other => other.clone(),
    }
}

fn in_text(state: &State, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (before, from) = rest.split_at(begin);
        let end = from
            .find(|c: char| !c.is_ascii_alphanumeric())
            .unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        out.push_str(before);
        let known = matches!(word.len(), 15 | 18)
            .then(|| ids::full(word))
            .flatten();
        match known.filter(|id| state.any(id).is_some()) {
            Some(id) => out.push_str(&called(state, &id)),
            None => out.push_str(word),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}
