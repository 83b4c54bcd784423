//! Definitions of custom objects and fields, for the Tooling API and the Metadata API alike (Salesforce facts §10).

use serde_json::{Value, json};

use super::dml::Writer;
use super::schema::{self, Field, Kind, Object, Refusal};
use super::state::{Access, Row, State, stamp};

/// Refuses who may not change the schema.
fn allowed(access: &Access) -> Result<(), Refusal> {
    if access.customize {
        return Ok(());
    }
    Err((
        "INSUFFICIENT_ACCESS",
        "insufficient access rights on entity: CustomEntityDefinition".to_owned(),
    ))
}

/// The objects that a field of this object is put on: fields of Activity are on tasks and events (§10.1).
fn carriers(state: &State, object: &str) -> Result<Vec<String>, Refusal> {
    if object.eq_ignore_ascii_case("Activity") {
        return Ok(vec!["Task".to_owned(), "Event".to_owned()]);
    }
    match state.object(object) {
        Some(found) if matches!(found.name.as_str(), "Task" | "Event") => Err((
            "INVALID_TYPE",
            format!("Custom fields of {} are made on Activity", found.name),
        )),
        Some(found) if found.custom || found.has('k') => Ok(vec![found.name.clone()]),
        Some(found) => Err((
            "INVALID_TYPE",
            format!("Custom fields cannot be made on {}", found.name),
        )),
        None => Err((
            "INVALID_CROSS_REFERENCE_KEY",
            format!("Entity Enumeration Or ID: bad value {object}"),
        )),
    }
}

/// Makes a field called `Object.Name__c`; the id of its definition.
pub(super) fn make_field(
    state: &mut State,
    access: &Access,
    full: &str,
    metadata: &Value,
) -> Result<String, Refusal> {
    allowed(access)?;
    let (object, name) = full
        .split_once('.')
        .ok_or_else(|| ("INVALID_NAME", format!("No object in the name: {full}")))?;
    let carriers = carriers(state, object)?;
    let id = state.new_id("00N");
    let field = schema::custom_field(name, metadata, id.clone())?;
    for target in &field.reference_to {
        if state.object(target).is_none() {
            return Err((
                "INVALID_FIELD",
                format!("referenceTo value of '{target}' does not resolve to a valid sObject type"),
            ));
        }
    }
    let activity = object.eq_ignore_ascii_case("Activity");
    if activity
        && (field.external_id || field.unique)
        && !state.config.switches.activity_external_id
    {
        return Err((
            "FIELD_INTEGRITY_EXCEPTION",
            "Activity fields can be no external IDs".to_owned(),
        ));
    }
    for carrier in &carriers {
        let Some(object) = state.object(carrier) else {
            continue;
        };
        check_room(state, object, &field)?;
    }
    let mut field = field;
    if let Some(target) = field
        .reference_to
        .first()
        .and_then(|target| state.object(target))
    {
        field.reference_to = vec![target.name.clone()];
    }
    for carrier in carriers {
        state.redefine(&carrier, |object| object.fields.push(field.clone()));
    }
    define(
        state,
        "CustomField",
        &id,
        &[
            (
                "DeveloperName",
                json!(name.strip_suffix("__c").unwrap_or(name)),
            ),
            ("TableEnumOrId", json!(table_of(state, object))),
            ("EntityDefinitionId", json!(table_of(state, object))),
        ],
    );
    Ok(id)
}

/// What a field's definition calls its object: a standard one by name, a custom one by id.
fn table_of(state: &State, object: &str) -> String {
    match state.object(object) {
        Some(object) if object.custom => object.id.clone(),
        Some(object) => object.name.clone(),
        None => object.to_owned(),
    }
}

/// A row of the Tooling API.
fn define(state: &mut State, object: &str, id: &str, fields: &[(&str, Value)]) {
    let mut row = Row {
        id: id.to_owned(),
        object: object.to_owned(),
        fields: Default::default(),
        deleted: false,
        given: vec![],
    };
    for (name, value) in fields {
        row.set(name, value.clone());
    }
    for name in ["CreatedDate", "LastModifiedDate"] {
        row.set(name, json!(stamp(state.now)));
    }
    row.set("ManageableState", json!("unmanaged"));
    state.put(row);
}

fn check_room(state: &State, object: &Object, field: &Field) -> Result<(), Refusal> {
    let limits = &state.config.switches;
    if object
        .fields
        .iter()
        .any(|known| known.name.eq_ignore_ascii_case(&field.name))
    {
        let text = format!(
            "There is already a field named {} on {}.",
            field.name.trim_end_matches("__c"),
            object.name
        );
        return Err(("DUPLICATE_DEVELOPER_NAME", text));
    }
    let child = field.child_relationship.as_deref();
    if let Some(child) = child {
        let target = field.reference_to.first().cloned().unwrap_or_default();
        let taken = state.objects.values().flat_map(|o| &o.fields).any(|other| {
            other
                .child_relationship
                .as_deref()
                .is_some_and(|name| name.eq_ignore_ascii_case(child))
                && other
                    .reference_to
                    .iter()
                    .any(|to| to.eq_ignore_ascii_case(&target))
        });
        if taken {
            let text = format!(
                "The relationship name is used already on {target}: {}",
                child.trim_end_matches("__r")
            );
            return Err(("DUPLICATE_DEVELOPER_NAME", text));
        }
    }
    let custom: Vec<&Field> = object.fields.iter().filter(|field| field.custom).collect();
    let of = |test: fn(&Field) -> bool| custom.iter().filter(|field| test(field)).count();
    let full = |what: &str, limit: usize| {
        Err((
            "LIMIT_EXCEEDED",
            format!("{} has reached its limit of {limit} {what}", object.name),
        ))
    };
    if custom.len() >= limits.fields_per_object {
        return full("custom fields", limits.fields_per_object);
    }
    if field.external_id && of(|f| f.external_id) >= limits.external_ids_per_object {
        return full("external ID fields", limits.external_ids_per_object);
    }
    if field.kind == Kind::Reference
        && of(|f| f.kind == Kind::Reference) >= limits.lookups_per_object
    {
        return full("relationship fields", limits.lookups_per_object);
    }
    let long = |field: &Field| if field.has('x') { field.length } else { 0 };
    let used: usize = custom.iter().map(|field| long(field)).sum();
    if used + long(field) > limits.long_text_per_object {
        return full("characters of long text", limits.long_text_per_object);
    }
    Ok(())
}

/// Changes a field's definition.
pub(super) fn change_field(
    state: &mut State,
    access: &Access,
    full: &str,
    metadata: &Value,
) -> Result<(), Refusal> {
    allowed(access)?;
    let (object, name) = full.split_once('.').unwrap_or(("", full));
    let carriers = carriers(state, object)?;
    let old = carriers
        .first()
        .and_then(|object| state.object(object))
        .and_then(|object| object.field(name))
        .cloned();
    let old = old
        .filter(|field| field.custom)
        .ok_or_else(|| ("INVALID_CROSS_REFERENCE_KEY", format!("no field {full}")))?;
    let mut new = schema::custom_field(&old.name, metadata, old.id.clone())?;
    if new.kind != old.kind {
        return Err((
            "FIELD_INTEGRITY_EXCEPTION",
            format!("The type of {full} cannot be changed so"),
        ));
    }
    new.reference_to.clone_from(&old.reference_to);
    for carrier in carriers {
        state.redefine(&carrier, |object| {
            for field in object
                .fields
                .iter_mut()
                .filter(|field| field.name == old.name)
            {
                *field = new.clone();
            }
        });
    }
    Ok(())
}

/// Takes a field away, with its values and permissions.
pub(super) fn delete_field(state: &mut State, access: &Access, full: &str) -> Result<(), Refusal> {
    allowed(access)?;
    let (object, name) = full.split_once('.').unwrap_or(("", full));
    let missing = || {
        (
            "INVALID_CROSS_REFERENCE_KEY",
            format!("no CustomField named {full} found"),
        )
    };
    let carriers = carriers(state, object).map_err(|_| missing())?;
    let found = carriers
        .first()
        .and_then(|object| state.object(object))
        .and_then(|object| object.field(name))
        .cloned();
    let found = found.filter(|field| field.custom).ok_or_else(missing)?;
    for carrier in &carriers {
        let rows: Vec<Row> = state
            .of(carrier)
            .filter(|row| row.fields.contains_key(&found.name))
            .cloned()
            .collect();
        for mut row in rows {
            row.fields.remove(&found.name);
            state.put(row);
        }
        state.redefine(carrier, |object| {
            object.fields.retain(|field| field.name != found.name)
        });
        let of_field = format!("{carrier}.{}", found.name);
        let permissions: Vec<String> = state
            .of("FieldPermissions")
            .filter(|row| row.text("Field").eq_ignore_ascii_case(&of_field))
            .map(|row| row.id.clone())
            .collect();
        for id in permissions {
            state.erase(&id);
        }
    }
    state.erase(&found.id);
    Ok(())
}

/// Makes a custom object with its fields.
pub(super) fn make_object(
    state: &mut State,
    access: &Access,
    name: &str,
    metadata: &Value,
) -> Result<String, Refusal> {
    allowed(access)?;
    schema::check_name(name)?;
    if state.object(name).is_some() {
        return Err((
            "DUPLICATE_DEVELOPER_NAME",
            format!("There is already an object named {name}"),
        ));
    }
    let text = |key: &str| {
        metadata
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for key in ["label", "pluralLabel", "deploymentStatus", "sharingModel"] {
        if text(key).is_empty() {
            return Err((
                "REQUIRED_FIELD_MISSING",
                format!("Required field is missing: {key}"),
            ));
        }
    }
    if text("label").chars().count() > 40 || text("pluralLabel").chars().count() > 40 {
        return Err((
            "STRING_TOO_LONG",
            "Label: data value too large (max length=40)".to_owned(),
        ));
    }
    let head = metadata.get("nameField").ok_or_else(|| {
        (
            "REQUIRED_FIELD_MISSING",
            "Must specify a nameField".to_owned(),
        )
    })?;
    let of_head = |key: &str| {
        head.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let counted = match of_head("type").as_str() {
        "AutoNumber" => true,
        "Text" => false,
        other => {
            return Err((
                "FIELD_INTEGRITY_EXCEPTION",
                format!("A name field cannot be of type {other}"),
            ));
        }
    };
    let label = if of_head("label").is_empty() {
        "Name".to_owned()
    } else {
        of_head("label")
    };
    let field = Field {
        id: String::new(),
        name: "Name".to_owned(),
        label,
        kind: if counted {
            Kind::AutoNumber
        } else {
            Kind::Text
        },
        length: 80,
        digits: (0, 0),
        flags: if counted {
            String::new()
        } else {
            "cu".to_owned()
        },
        default: None,
        custom: false,
        external_id: false,
        unique: false,
        case_sensitive: false,
        reference_to: vec![],
        relationship: None,
        child_relationship: None,
        on_delete: schema::OnDelete::SetNull,
        choices: vec![],
        description: String::new(),
        metadata: head.clone(),
    };
    let id = state.new_id("01I");
    let prefix = state.new_prefix();
    let object = Object {
        id: id.clone(),
        name: name.to_owned(),
        label: text("label"),
        plural: text("pluralLabel"),
        prefix,
        flags: "cudqark".to_owned(),
        custom: true,
        name_field: Some("Name".to_owned()),
        fields: schema::system_fields(field),
        metadata: metadata.clone(),
    };
    state.objects.insert(name.to_lowercase(), object);
    state.redefine(name, |_| {});
    let fields = match metadata.get("fields") {
        Some(Value::Array(fields)) => fields.clone(),
        Some(Value::Null) | None => vec![],
        Some(one) => vec![one.clone()],
    };
    for field in fields {
        let own = field
            .get("fullName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if let Err(refusal) = make_field(state, access, &format!("{name}.{own}"), &field) {
            delete_object(state, access, name)?;
            return Err(refusal);
        }
    }
    define(
        state,
        "CustomObject",
        &id,
        &[(
            "DeveloperName",
            json!(name.strip_suffix("__c").unwrap_or(name)),
        )],
    );
    Ok(id)
}

/// Takes an object away, with its records and what points to it.
pub(super) fn delete_object(state: &mut State, access: &Access, name: &str) -> Result<(), Refusal> {
    allowed(access)?;
    let missing = || {
        (
            "INVALID_CROSS_REFERENCE_KEY",
            format!("no CustomObject named {name} found"),
        )
    };
    let object = state
        .object(name)
        .filter(|object| object.custom)
        .cloned()
        .ok_or_else(missing)?;
    let pointing: Vec<String> = state
        .objects
        .values()
        .filter(|other| other.name != object.name)
        .flat_map(|other| other.fields.iter().map(move |field| (other, field)))
        .filter(|(_, field)| {
            field.custom
                && field
                    .reference_to
                    .iter()
                    .any(|to| to.eq_ignore_ascii_case(&object.name))
        })
        .map(|(other, field)| format!("{}.{}", other.name, field.name))
        .collect();
    for field in pointing {
        delete_field(state, access, &field)?;
    }
    let own: Vec<String> = object
        .fields
        .iter()
        .filter(|f| f.custom)
        .map(|f| format!("{}.{}", object.name, f.name))
        .collect();
    for field in own {
        delete_field(state, access, &field)?;
    }
    let permissions: Vec<String> = state
        .of("ObjectPermissions")
        .filter(|row| row.text("SobjectType").eq_ignore_ascii_case(&object.name))
        .map(|row| row.id.clone())
        .collect();
    for id in permissions {
        state.erase(&id);
    }
    // What hangs on its records goes with them.
    let writer = Writer::system(state);
    let rows: Vec<String> = state
        .live_of(&object.name)
        .map(|row| row.id.clone())
        .collect();
    for id in rows {
        let _ = super::dml::delete(state, &writer, None, &id, true);
    }
    state.drop_object(&object.name);
    state.erase(&object.id);
    Ok(())
}

/// Values of a standard value set: those of CaseStatus say which are closed.
pub(super) fn value_set(state: &State, name: &str) -> Option<Value> {
    if name != "CaseStatus" {
        return None;
    }
    let values: Vec<Value> = state
        .live_of("CaseStatus")
        .map(|row| {
            json!({
                "fullName": row.text("ApiName"), "default": row.is("IsDefault").to_string(),
                "label": row.text("MasterLabel"), "closed": row.is("IsClosed").to_string(),
            })
        })
        .collect();
    Some(json!({"fullName": name, "sorted": "false", "standardValue": values}))
}

/// Sets the values of CaseStatus; those that are left out stay, but cannot be chosen any more.
pub(super) fn set_values(
    state: &mut State,
    access: &Access,
    name: &str,
    metadata: &Value,
) -> Result<(), Refusal> {
    allowed(access)?;
    if name != "CaseStatus" {
        return Err((
            "INVALID_CROSS_REFERENCE_KEY",
            format!("no StandardValueSet named {name} found"),
        ));
    }
    let values = match metadata.get("standardValue") {
        Some(Value::Array(values)) => values.clone(),
        Some(Value::Null) | None => vec![],
        Some(one) => vec![one.clone()],
    };
    if values.is_empty() {
        return Err((
            "REQUIRED_FIELD_MISSING",
            "Required field is missing: standardValue".to_owned(),
        ));
    }
    let old: Vec<Row> = state.live_of("CaseStatus").cloned().collect();
    let mut choices = Vec::new();
    for (place, value) in values.iter().enumerate() {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let flag = |key: &str| value.get(key).is_some_and(|v| v == true || v == "true");
        let name = text("fullName").to_owned();
        let label = if text("label").is_empty() {
            name.clone()
        } else {
            text("label").to_owned()
        };
        let known = old.iter().find(|row| row.text("ApiName") == name).cloned();
        let mut row = known.unwrap_or_else(|| Row {
            id: state.new_id("01J"),
            object: "CaseStatus".to_owned(),
            fields: Default::default(),
            deleted: false,
            given: vec![],
        });
        for (field, value) in [
            ("ApiName", json!(name)),
            ("MasterLabel", json!(label)),
            ("IsClosed", json!(flag("closed"))),
            ("IsDefault", json!(flag("default"))),
            ("SortOrder", json!(place + 1)),
        ] {
            row.set(field, value);
        }
        state.put(row);
        choices.push(schema::Choice {
            value: name,
            label,
            active: true,
            default: flag("default"),
        });
    }
    for row in &old {
        if !choices
            .iter()
            .any(|choice| choice.value == row.text("ApiName"))
        {
            state.erase(&row.id);
        }
    }
    state.redefine("Case", |object| {
        for field in object
            .fields
            .iter_mut()
            .filter(|field| field.name == "Status")
        {
            field.choices.clone_from(&choices);
        }
    });
    Ok(())
}
