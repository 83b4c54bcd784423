//! Writing records: one way for every endpoint.
//!
//! A record is checked (fields that are there and may be written, types, lengths, picklists, references, what must not be
//! empty, unique values, duplicate rules), stamped, written, and then the object's own rules run (`rules`). A record that
//! fails leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::RowError;
use super::ids;
use super::rules;
use super::schema::{Field, Kind, Object, OnDelete};
use super::state::{Access, Row, State, stamp};
use super::switches::{DuplicateRule, UpsertAudit};
use super::values;

/// Who writes, and how.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pub access: Arc<Access>,
    /// Whether assignment rules run (§8).
    pub assigns: bool,
    /// Whether alerts of duplicate rules are passed over (§8).
    pub allows_duplicates: bool,
}

impl Writer {
    /// The org itself, for what follows from a change.
    pub fn system(state: &mut State) -> Self {
        let admin = state.admin.clone();
        Self {
            access: state.access(&admin),
            assigns: false,
            allows_duplicates: true,
        }
    }
}

/// What became of a record.
pub(super) type Written<T> = Result<T, Vec<RowError>>;

fn one<T>(error: RowError) -> Written<T> {
    Err(vec![error])
}

/// The object, if the writer may know it.
pub(super) fn visible<'s>(
    state: &'s State,
    access: &Access,
    object: &str,
) -> Result<&'s Object, RowError> {
    let found = state
        .object(object)
        .filter(|found| !found.has('t') && access.to(found).read);
    found.ok_or_else(|| {
        RowError::new(
            "INVALID_TYPE",
            format!("sObject type '{object}' is not supported."),
        )
    })
}

fn no_column(name: &str, object: &str) -> RowError {
    RowError::new(
        "INVALID_FIELD",
        format!("No such column '{name}' on sobject of type {object}"),
    )
}

/// What the parser refuses before any record is looked at (§3): unknown fields and values of another type.
pub(super) fn check_types(
    state: &State,
    access: &Access,
    object: &Object,
    body: &Map<String, Value>,
) -> Result<(), RowError> {
    for (name, value) in body {
        if is_meta(name) {
            continue;
        }
        if let Some(field) = access.find(object, name) {
            values::check_type(field, value)?;
        } else if object.relationship(name).is_some() && value.is_object() {
            continue;
        } else if state.config.switches.unknown_field_fails_call {
            return Err(no_column(name, &object.name));
        }
    }
    Ok(())
}

fn is_meta(name: &str) -> bool {
    name == "attributes" || name.eq_ignore_ascii_case("id")
}

/// The body's fields as they are stored, by name.
fn read(
    state: &State,
    writer: &Writer,
    object: &Object,
    body: &Map<String, Value>,
    may: impl Fn(&Field) -> bool,
) -> Written<BTreeMap<String, Value>> {
    let mut fields = BTreeMap::new();
    let mut forbidden = Vec::new();
    let mut errors = Vec::new();
    for (name, value) in body {
        if is_meta(name) {
            continue;
        }
        let (field, value) = match writer.access.find(object, name) {
            Some(field) => (field, value.clone()),
            None => match by_external_id(state, writer, object, name, value) {
                Ok(found) => found,
                Err(error) => return one(error),
            },
        };
        if !may(field) {
            forbidden.push(field.name.clone());
            continue;
        }
        let trimmed = state.config.switches.texts_trimmed && !is_mail_body(object, field);
        match values::coerce(field, &value, trimmed, state.now)
            .and_then(|value| referred(state, object, field, value))
        {
            Ok(value) => {
                fields.insert(field.name.clone(), value);
            }
            Err(error) => errors.push(error),
        }
    }
    if !forbidden.is_empty() {
        let message = format!(
            "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
             read/write for your profile or permission set.",
            forbidden.join(", ")
        );
        let error = RowError {
            fields: forbidden,
            ..RowError::new("INVALID_FIELD_FOR_INSERT_UPDATE", message)
        };
        return one(error);
    }
    if errors.is_empty() {
        Ok(fields)
    } else {
        Err(errors)
    }
}

fn is_mail_body(object: &Object, field: &Field) -> bool {
    object.name == "EmailMessage" && matches!(field.name.as_str(), "TextBody" | "HtmlBody")
}

/// `"Account": {"Kustomer_Id__c": "57f…"}` as the field it stands for and the id it means (§5).
fn by_external_id<'o>(
    state: &State,
    writer: &Writer,
    object: &'o Object,
    name: &str,
    value: &Value,
) -> Result<(&'o Field, Value), RowError> {
    let field = object
        .relationship(name)
        .filter(|field| writer.access.field(object, field).0);
    let (Some(field), Some(map)) = (field, value.as_object()) else {
        return Err(no_column(name, &object.name));
    };
    let mut keys = map.iter().filter(|(key, _)| !is_meta(key));
    let (Some((key, value)), None) = (keys.next(), keys.next()) else {
        let text = format!("{name} must name its record by exactly one external ID");
        return Err(RowError::on("INVALID_FIELD", text, name));
    };
    let targets = field
        .reference_to
        .iter()
        .filter_map(|target| state.object(target));
    let known = targets
        .filter_map(|target| {
            Some((
                target,
                writer.access.find(target, key).filter(|f| f.indexed())?,
            ))
        })
        .next();
    let Some((target, key)) = known else {
        return Err(no_column(
            key,
            field.reference_to.first().map_or("Name", String::as_str),
        ));
    };
    let found = state.by_key(&target.name, key, value);
    match found.as_slice() {
        [row] => Ok((field, json!(row.id))),
        [] => {
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let text = format!(
                "Foreign key external ID: {shown} not found for field {} in entity {}",
                key.name, target.name
            );
            Err(RowError::new("INVALID_FIELD", text))
        }
        _ => {
            let text = format!(
                "Foreign key external ID is ambiguous for field {} in entity {}",
                key.name, target.name
            );
            Err(RowError::new("INVALID_FIELD", text))
        }
    }
}

/// A reference names a live record of an object the field may refer to.
fn referred(
    state: &State,
    object: &Object,
    field: &Field,
    value: Value,
) -> Result<Value, RowError> {
    if field.kind != Kind::Reference {
        return Ok(value);
    }
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
        return Ok(Value::Null);
    };
    let Some(id) = ids::full(text) else {
        let message = format!("{}: id value of incorrect type: {text}", field.label);
        return Err(RowError::on("MALFORMED_ID", message, &field.name));
    };
    let target = state.object_of(&id);
    let fits = target.is_some_and(|target| {
        field
            .reference_to
            .iter()
            .any(|to| to.eq_ignore_ascii_case(&target.name) || to == "*" && target.custom)
    });
    if !fits {
        let message = format!("{}: id value of incorrect type: {id}", field.label);
        return Err(RowError::on("MALFORMED_ID", message, &field.name));
    }
    match state.any(&id) {
        Some(row) if !row.deleted => {}
        Some(_) => {
            return Err(RowError::on(
                "ENTITY_IS_DELETED",
                "entity is deleted",
                &field.name,
            ));
        }
        // The org itself is no record that could be written.
        None if id == state.org => {}
        None => {
            return Err(RowError::on(
                "INVALID_CROSS_REFERENCE_KEY",
                "invalid cross reference id",
                &field.name,
            ));
        }
    }
    let _ = object;
    Ok(json!(id))
}

/// Makes a record and gives its id.
pub(super) fn insert(
    state: &mut State,
    writer: &Writer,
    object: &str,
    body: &Map<String, Value>,
) -> Written<String> {
    make(state, writer, object, body, false)
}

fn make(
    state: &mut State,
    writer: &Writer,
    object: &str,
    body: &Map<String, Value>,
    upsert: bool,
) -> Written<String> {
    let mark = state.mark();
    let made = try_make(state, writer, object, body, upsert);
    if made.is_err() {
        state.roll_back(mark);
    }
    made
}

fn try_make(
    state: &mut State,
    writer: &Writer,
    object: &str,
    body: &Map<String, Value>,
    upsert: bool,
) -> Written<String> {
    let object = visible(state, &writer.access, object)
        .map_err(|error| vec![error])?
        .clone();
    if !object.has('c') {
        let text = format!("entity type {} does not support create", object.name);
        return one(RowError::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text));
    }
    if !writer.access.to(&object).create {
        let text =
            "You do not have the level of access necessary to perform the operation you requested.";
        return one(RowError::new("INSUFFICIENT_ACCESS_OR_READONLY", text));
    }
    faulted(state, &object.name, "insert")?;
    if body.keys().any(|key| key.eq_ignore_ascii_case("id")) {
        return one(RowError::on(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "cannot specify Id in an insert call",
            "Id",
        ));
    }
    let audit = |field: &Field| field.has('a') || field.has('z');
    let ignores = upsert && state.config.switches.upsert_audit == UpsertAudit::Ignored;
    let mut fields = read(state, writer, &object, body, |field| {
        writer.access.creates(&object, field) && (!upsert || ignores || !audit(field))
    })?;
    if ignores {
        fields.retain(|name, _| object.field(name).is_none_or(|field| !audit(field)));
    }
    fields.retain(|_, value| !value.is_null());
    let is_time = |name: &&String| {
        object
            .field(name)
            .is_some_and(|f| matches!(f.kind, Kind::Date | Kind::DateTime))
    };
    let given = fields.keys().filter(is_time).cloned().collect();
    for field in &object.fields {
        if let Some(default) = &field.default {
            fields
                .entry(field.name.clone())
                .or_insert_with(|| default.clone());
        }
    }
    let has_owner = object.field("OwnerId").is_some();
    let row = Row {
        id: String::new(),
        object: object.name.clone(),
        fields,
        deleted: false,
        given,
    };
    let mut row = row;
    rules::before_insert(state, writer, &object, &mut row)?;
    if has_owner && row.get("OwnerId").is_null() {
        row.set("OwnerId", json!(writer.access.user));
    }
    stamp_new(state, writer, &object, &mut row)?;
    check_required(&object, &row)?;
    check_owner(state, writer, &object, &row)?;
    check_unique(state, &object, &row)?;
    check_duplicates(state, writer, &object, &row)?;
    check_storage(state, &object)?;
    row.id = state.new_id(&object.prefix);
    let id = row.id.clone();
    // What is only said on create is not kept.
    let said = row.clone();
    for passing in object
        .fields
        .iter()
        .filter(|f| f.kind == Kind::IdList || f.kind == Kind::Base64)
    {
        row.fields.remove(&passing.name);
    }
    for passing in ["Comments", "IsNotificationSelected"] {
        if matches!(object.name.as_str(), "Case" | "CaseComment") {
            row.fields.remove(passing);
        }
    }
    state.put(row);
    rules::after_insert(state, writer, &object, &id, &said)?;
    Ok(id)
}

/// A fault that was asked for.
fn faulted(state: &mut State, object: &str, operation: &str) -> Written<()> {
    match state.due_fault(object, operation) {
        Some(fault) => one(RowError::new(fault.code, fault.message)),
        None => Ok(()),
    }
}

/// When and by whom; what was given stays (§11).
fn stamp_new(state: &State, writer: &Writer, object: &Object, row: &mut Row) -> Written<()> {
    let now = stamp(state.now);
    let created = row.text("CreatedDate").to_owned();
    let changed = row.text("LastModifiedDate").to_owned();
    if let (Some(created), Some(changed)) = (values::time(&created), values::time(&changed))
        && changed < created
    {
        let text = "Last Modified Date: cannot be before Created Date";
        return one(RowError::on(
            "FIELD_INTEGRITY_EXCEPTION",
            text,
            "LastModifiedDate",
        ));
    }
    for (name, value) in [
        ("CreatedDate", json!(now)),
        ("LastModifiedDate", json!(now)),
        ("SystemModstamp", json!(now)),
        ("CreatedById", json!(writer.access.user)),
        ("LastModifiedById", json!(writer.access.user)),
    ] {
        if object.field(name).is_some() && row.get(name).is_null() {
            row.set(name, value);
        }
    }
    Ok(())
}

fn check_required(object: &Object, row: &Row) -> Written<()> {
    let system =
        |field: &Field| field.kind == Kind::Id || field.has('a') || field.kind == Kind::Bool;
    let is_given = |field: &Field| field.has('c') || field.custom;
    let missing: Vec<String> = object
        .fields
        .iter()
        .filter(|field| {
            field.required() && !system(field) && is_given(field) && row.get(&field.name).is_null()
        })
        .map(|field| field.name.clone())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    one(RowError {
        fields: missing,
        ..RowError::new("REQUIRED_FIELD_MISSING", message)
    })
}

/// Owners are active users, or queues that take such records (§11).
fn check_owner(state: &State, writer: &Writer, object: &Object, row: &Row) -> Written<()> {
    let Some(owner) = state.live(row.text("OwnerId")) else {
        return Ok(());
    };
    if owner.object == "User" {
        if !owner.is("IsActive") && !writer.access.inactive_owners {
            let text = "operation performed with inactive user [OwnerId]";
            return one(RowError::on("INACTIVE_OWNER_OR_USER", text, "OwnerId"));
        }
        return Ok(());
    }
    let takes = state.children_of(&owner.id).into_iter().any(|row| {
        !row.deleted && row.object == "QueueSobject" && row.text("SobjectType") == object.name
    });
    if takes {
        return Ok(());
    }
    let text = "Queue not associated with this SObject type";
    one(RowError::on("FIELD_INTEGRITY_EXCEPTION", text, "OwnerId"))
}

fn check_unique(state: &State, object: &Object, row: &Row) -> Written<()> {
    for field in object.fields.iter().filter(|field| field.unique) {
        let Some(value) = row.fields.get(&field.name) else {
            continue;
        };
        let found = state.by_key(&object.name, field, value);
        if let Some(other) = found.iter().find(|other| other.id != row.id) {
            return one(duplicate_value(state, &field.name, &other.id));
        }
    }
    Ok(())
}

/// The sentence of a value that is there (§3).
pub(super) fn duplicate_value(state: &State, field: &str, id: &str) -> RowError {
    let shown = if state.config.switches.short_id_in_duplicate {
        ids::short(id)
    } else {
        id
    };
    RowError::new(
        "DUPLICATE_VALUE",
        format!("duplicate value found: {field} duplicates value on record with id: {shown}"),
    )
}

/// The standard duplicate rules (§8): contacts of one address, accounts of one name and number or website.
fn check_duplicates(state: &State, writer: &Writer, object: &Object, row: &Row) -> Written<()> {
    let rule = state.config.preexisting.duplicate_rules;
    let passes =
        rule == DuplicateRule::Off || rule == DuplicateRule::Alert && writer.allows_duplicates;
    if passes || !matches!(object.name.as_str(), "Account" | "Contact") {
        return Ok(());
    }
    let same = |other: &&Row, field: &str| {
        !row.text(field).is_empty() && other.text(field).eq_ignore_ascii_case(row.text(field))
    };
    let alike = |other: &&Row| match object.name.as_str() {
        "Contact" => same(other, "Email"),
        _ => same(other, "Name") && (same(other, "Phone") || same(other, "Website")),
    };
    let found: Vec<&Row> = state
        .live_of(&object.name)
        .filter(alike)
        .filter(|other| other.id != row.id)
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let records: Vec<Value> = found
        .iter()
        .map(|other| {
            json!({
                "additionalInformation": [], "fieldDiffs": [], "matchConfidence": 100.0,
                "record": {
                    "attributes": {
                        "type": object.name,
                        "url": format!("/services/data/v67.0/sobjects/{}/{}", object.name, other.id),
                    },
                    "Id": other.id,
                },
            })
        })
        .collect();
    let allow = rule == DuplicateRule::Alert;
    let text = if allow {
        "Use one of these records?"
    } else {
        "You're creating a duplicate record."
    };
    let name = format!("Standard_{}_Duplicate_Rule", object.name);
    let duplicate = json!({
        "allowSave": allow, "duplicateRule": name, "duplicateRuleEntityType": object.name, "errorMessage": text,
        "matchResults": [{
            "entityType": object.name, "errors": [], "matchEngine": "FuzzyMatchEngine", "matchRecords": records,
            "rule": format!("Standard_{}_Match_Rule_v1_0", object.name), "size": found.len(), "success": true,
        }],
    });
    one(RowError {
        duplicate: Some(Box::new(duplicate)),
        ..RowError::new("DUPLICATES_DETECTED", text)
    })
}

fn check_storage(state: &State, object: &Object) -> Written<()> {
    if object.has('s') {
        return Ok(());
    }
    let (data, files) = state.storage();
    let full = if object.name == "ContentVersion" {
        files >= state.config.file_storage_mb
    } else {
        data >= state.config.data_storage_mb
    };
    if full {
        return one(RowError::new(
            "STORAGE_LIMIT_EXCEEDED",
            "storage limit exceeded",
        ));
    }
    Ok(())
}

/// Changes a record.
pub(super) fn update(
    state: &mut State,
    writer: &Writer,
    object: &str,
    id: &str,
    body: &Map<String, Value>,
) -> Written<()> {
    let mark = state.mark();
    let done = try_update(state, writer, object, id, body);
    if done.is_err() {
        state.roll_back(mark);
    }
    done
}

fn try_update(
    state: &mut State,
    writer: &Writer,
    object: &str,
    id: &str,
    body: &Map<String, Value>,
) -> Written<()> {
    let object = visible(state, &writer.access, object)
        .map_err(|error| vec![error])?
        .clone();
    let id = find_id(state, &object, id)?;
    if !object.has('u') {
        let text = format!("entity type {} does not support update", object.name);
        return one(RowError::new("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", text));
    }
    if !writer.access.to(&object).edit {
        let text =
            "You do not have the level of access necessary to perform the operation you requested.";
        return one(RowError::new("INSUFFICIENT_ACCESS_OR_READONLY", text));
    }
    faulted(state, &object.name, "update")?;
    let fields = read(state, writer, &object, body, |field| {
        writer.access.updates(&object, field)
    })?;
    let Some(old) = state.live(&id).cloned() else {
        return one(RowError::new("ENTITY_IS_DELETED", "entity is deleted"));
    };
    let mut row = old.clone();
    for (name, value) in &fields {
        row.set(name, value.clone());
    }
    rules::before_update(state, writer, &object, &old, &mut row)?;
    check_required(&object, &row)?;
    if row.get("OwnerId") != old.get("OwnerId") {
        check_owner(state, writer, &object, &row)?;
    }
    check_unique(state, &object, &row)?;
    touch(state, &writer.access.user, &object, &mut row);
    state.put(row);
    rules::after_update(state, writer, &object, &old, &id)
}

/// Stamps a change.
pub(super) fn touch(state: &State, user: &str, object: &Object, row: &mut Row) {
    for name in ["LastModifiedDate", "SystemModstamp"] {
        if object.field(name).is_some() {
            row.set(name, json!(stamp(state.now)));
        }
    }
    if object.field("LastModifiedById").is_some() {
        row.set("LastModifiedById", json!(user));
    }
}

/// The full id of a live record of an object, or the error that says why there is none.
pub(super) fn find_id(state: &State, object: &Object, id: &str) -> Written<String> {
    let Some(full) = ids::full(id) else {
        return one(RowError::on(
            "MALFORMED_ID",
            format!("{} ID: id value of incorrect type: {id}", object.label),
            "Id",
        ));
    };
    match state.any(&full) {
        Some(row) if row.object != object.name => one(RowError::on(
            "MALFORMED_ID",
            format!("{} ID: id value of incorrect type: {id}", object.label),
            "Id",
        )),
        Some(row) if row.deleted => one(RowError::new("ENTITY_IS_DELETED", "entity is deleted")),
        Some(row) => Ok(row.id.clone()),
        None if full.starts_with(&object.prefix) => one(RowError::new(
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
        )),
        None => one(RowError::on(
            "MALFORMED_ID",
            format!("{} ID: id value of incorrect type: {id}", object.label),
            "Id",
        )),
    }
}

/// The field by which records are upserted.
pub(super) fn external_field<'o>(
    access: &Access,
    object: &'o Object,
    name: &str,
) -> Result<&'o Field, RowError> {
    let field = access
        .find(object, name)
        .filter(|field| field.external_id || field.kind == Kind::Id || field.has('L'));
    field.ok_or_else(|| {
        let text =
            format!("Provided external ID field does not exist or is not accessible: {name}");
        RowError::new("NOT_FOUND", text)
    })
}

/// What an upsert found by the external id.
pub(super) enum Found {
    /// Nothing.
    None,
    /// One record.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// The records with this external id.
pub(super) fn by_external(state: &State, object: &Object, field: &Field, value: &Value) -> Found {
    if field.kind == Kind::Id {
        let id = value.as_str().and_then(ids::full);
        return match id.filter(|id| state.live(id).is_some_and(|row| row.object == object.name)) {
            Some(id) => Found::One(id),
            None => Found::None,
        };
    }
    let mut ids: Vec<String> = state
        .by_key(&object.name, field, value)
        .iter()
        .map(|row| row.id.clone())
        .collect();
    if ids.len() > 1 {
        return Found::Many(ids);
    }
    ids.pop().map_or(Found::None, Found::One)
}

/// Makes or changes the record with this external id; the id, and whether it was made.
pub(super) fn upsert(
    state: &mut State,
    writer: &Writer,
    object: &str,
    field: &str,
    value: &Value,
    body: &Map<String, Value>,
) -> Written<(String, bool)> {
    let definition = visible(state, &writer.access, object)
        .map_err(|error| vec![error])?
        .clone();
    let field = external_field(&writer.access, &definition, field).map_err(|error| vec![error])?;
    if value.is_null() || *value == "" {
        let text = format!("{} not specified", field.name);
        return one(RowError::on("MISSING_ARGUMENT", text, &field.name));
    }
    let audit = definition
        .fields
        .iter()
        .filter(|f| f.has('a') || f.has('z'));
    let given: Vec<String> = audit
        .filter(|f| body.contains_key(&f.name))
        .map(|f| f.name.clone())
        .collect();
    let mut body = body.clone();
    if !given.is_empty() {
        match state.config.switches.upsert_audit {
            UpsertAudit::Ignored => given.iter().for_each(|name| {
                body.remove(name);
            }),
            UpsertAudit::Refused => {
                let message = format!(
                    "Unable to create/update fields: {}. Please check the security settings of this field and verify that \
                     it is read/write for your profile or permission set.",
                    given.join(", ")
                );
                return one(RowError {
                    fields: given,
                    ..RowError::new("INVALID_FIELD_FOR_INSERT_UPDATE", message)
                });
            }
        }
    }
    match by_external(state, &definition, field, value) {
        Found::One(id) => {
            body.retain(|name, _| !name.eq_ignore_ascii_case(&field.name));
            update(state, writer, object, &id, &body)?;
            Ok((id, false))
        }
        Found::None => {
            body.insert(field.name.clone(), value.clone());
            if field.kind == Kind::Id {
                return one(RowError::new(
                    "INVALID_CROSS_REFERENCE_KEY",
                    "invalid cross reference id",
                ));
            }
            make(state, writer, object, &body, true).map(|id| (id, true))
        }
        Found::Many(_) => one(RowError::on(
            "DUPLICATE_EXTERNAL_ID",
            format!(
                "{}: more than one record found for external id field",
                field.name
            ),
            &field.name,
        )),
    }
}

/// Deletes a record with what hangs on it.
pub(super) fn delete(
    state: &mut State,
    writer: &Writer,
    object: Option<&str>,
    id: &str,
    for_good: bool,
) -> Written<String> {
    let mark = state.mark();
    let done = try_delete(state, writer, object, id, for_good);
    if done.is_err() {
        state.roll_back(mark);
    }
    done
}

fn try_delete(
    state: &mut State,
    writer: &Writer,
    object: Option<&str>,
    id: &str,
    for_good: bool,
) -> Written<String> {
    let named = match object {
        Some(name) => visible(state, &writer.access, name)
            .map_err(|error| vec![error])?
            .clone(),
        None => match ids::full(id).and_then(|id| state.object_of(&id).cloned()) {
            Some(found) => found,
            None => return one(RowError::new("MALFORMED_ID", format!("malformed id {id}"))),
        },
    };
    let id = find_id(state, &named, id)?;
    if !named.has('d') {
        let text = format!("entity type {} does not support delete", named.name);
        return one(RowError::new("INSUFFICIENT_ACCESS_OR_READONLY", text));
    }
    if !writer.access.to(&named).delete {
        let text = "insufficient access rights on object id";
        return one(RowError::new("INSUFFICIENT_ACCESS_OR_READONLY", text));
    }
    faulted(state, &named.name, "delete")?;
    remove(state, writer, &id, for_good, 0)?;
    Ok(id)
}

/// The record and, down the references, what goes with it.
fn remove(
    state: &mut State,
    writer: &Writer,
    id: &str,
    for_good: bool,
    depth: usize,
) -> Written<()> {
    let Some(row) = state.live(id).cloned() else {
        return Ok(());
    };
    let Some(object) = state.object(&row.object).cloned() else {
        return Ok(());
    };
    if depth > 50 {
        return one(RowError::new(
            "DELETE_FAILED",
            "too many levels of children",
        ));
    }
    rules::before_delete(state, &object, &row)?;
    let children: Vec<Row> = state
        .children_of(id)
        .into_iter()
        .filter(|child| !child.deleted)
        .cloned()
        .collect();
    for child in children {
        let Some(definition) = state.object(&child.object).cloned() else {
            continue;
        };
        let by = |field: &&Field| field.kind == Kind::Reference && child.text(&field.name) == id;
        // Who made or owns a record is nobody's child.
        let people = |field: &&Field| {
            !matches!(
                field.name.as_str(),
                "CreatedById" | "LastModifiedById" | "ContentModifiedById" | "InsertedById"
            )
        };
        let fields: Vec<&Field> = definition.fields.iter().filter(by).filter(people).collect();
        if fields
            .iter()
            .any(|field| field.on_delete == OnDelete::Cascade)
        {
            remove(state, writer, &child.id, for_good, depth + 1)?;
        } else if let Some(field) = fields
            .iter()
            .find(|field| field.on_delete == OnDelete::Restrict)
        {
            return one(RowError::new(
                "DELETE_FAILED",
                rules::why_kept(state, &object, &row, field, &child),
            ));
        } else if let Some(mut child) = state
            .live(&child.id)
            .cloned()
            .filter(|_| !fields.is_empty())
        {
            for field in fields {
                child.fields.remove(&field.name);
            }
            touch(state, &writer.access.user, &definition, &mut child);
            state.put(child);
        }
    }
    if let Some(mut row) = state.live(id).cloned() {
        if (object.has('r') || object.custom) && !for_good {
            row.deleted = true;
            row.set("SystemModstamp", json!(stamp(state.now)));
            state.put(row);
        } else {
            state.erase(id);
        }
    }
    rules::after_delete(state, writer, &row)
}
