//! Fields, objects, tags and brands: found before they are made.
//!
//! Fields are made by the Tooling API, one call each, and are seen by nobody before a permission set shows them (Salesforce
//! facts §0.8); objects are made by a deployment (see `deploy`), with the connector's own fields in it. New fields are optional
//! always, and new picklists take other values too: a value that is not in the list is written all the same.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::described;
use transload_sdk::fields as fields_of_source;
use transload_sdk::http::{self, Made, Refusal as _, RowMade, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{
    self, ChoiceOption, Error, Fidelity, FieldDefinition as Definition, Invalid, Loss,
};

use super::{
    description_marker, effect, exported_as, is_of_run, made, reject, report, status_of, topics,
};
use crate::api::{Describe, Fault, FieldDescribe, RowResult, id_of, id18, text};
use crate::client::{self, Row, SETTLE_MS, literal, path};
use crate::deploy::{self, Deployed};
use crate::fields::{self, Own, OwnType};
use crate::map::{self, FieldKind, FieldTarget, loss};
use crate::state::{Config, State, Tags};

/// Values of a picklist that we make (Salesforce facts §10.4 [MEM]).
const VALUES: usize = 500;
/// Characters of a description.
const DESCRIPTION_CHARS: usize = 1_000;
/// What effects call a field.
pub const FIELD: &str = "CustomField";
/// What effects call an object.
pub const OBJECT: &str = "CustomObject";

/// A field to be made.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What it sits on: `Case`, `Order__c`.
    pub object: String,
    /// API name with `__c`.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Its type; of an own field the one that values see.
    pub kind: FieldKind,
    /// Whether it is the unique external id.
    pub marker_field: bool,
    /// Words for a person, before the marker.
    pub description: Option<&'a str>,
    /// Stored values and labels.
    pub options: Vec<(String, String)>,
    /// Our marker.
    pub marker: &'a str,
}

impl<'a> Wanted<'a> {
    /// A field of the connector's own.
    pub fn own(object: &str, (name, label, kind): Own, marker: &'a str) -> Self {
        Self {
            object: object.to_owned(),
            name: name.to_owned(),
            label: label.to_owned(),
            kind: match kind {
                OwnType::Marker => FieldKind::Text(255),
                OwnType::Text(chars) => FieldKind::Text(chars_of(chars)),
                OwnType::Long(chars) => FieldKind::LongText(chars_of(chars)),
                OwnType::Time => FieldKind::DateTime,
                OwnType::Url => FieldKind::Url,
                OwnType::Lookup(object) => FieldKind::Lookup(object.to_owned()),
            },
            marker_field: kind == OwnType::Marker,
            description: None,
            options: Vec::new(),
            marker,
        }
    }

    fn target(&self) -> FieldTarget {
        FieldTarget {
            object: self.object.clone(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            choices: Vec::new(),
        }
    }

    /// The name without `__c`, by which the Tooling API knows it.
    fn developer_name(&self) -> &str {
        self.name.strip_suffix("__c").unwrap_or(&self.name)
    }
}

fn chars_of(chars: usize) -> u32 {
    u32::try_from(chars).unwrap_or(u32::MAX)
}

/// A field's definition, as the Metadata API has it (Salesforce facts §10.1).
fn metadata(cx: &Context, wanted: &Wanted<'_>) -> Map<String, Value> {
    let description = described(cx, wanted.description, wanted.marker, DESCRIPTION_CHARS);
    let mut all = Map::new();
    let mut set = |name: &str, value: Value| all.insert(name.to_owned(), value);
    set("label", json!(wanted.label));
    set("description", json!(description));
    set("required", json!(false));
    let word = match &wanted.kind {
        FieldKind::Text(chars) => {
            set("length", json!(chars));
            if wanted.marker_field {
                set("externalId", json!(true));
                set("unique", json!(true));
                set("caseSensitive", json!(true));
            }
            "Text"
        }
        FieldKind::LongText(chars) => {
            set("length", json!(chars));
            set("visibleLines", json!(5));
            "LongTextArea"
        }
        FieldKind::Number(precision, scale) => {
            set("precision", json!(precision));
            set("scale", json!(scale));
            "Number"
        }
        FieldKind::Checkbox => {
            set("defaultValue", json!("false"));
            "Checkbox"
        }
        FieldKind::Date => "Date",
        FieldKind::DateTime => "DateTime",
        FieldKind::Email => "Email",
        FieldKind::Phone => "Phone",
        FieldKind::Url => "Url",
        FieldKind::Picklist(_) | FieldKind::Multipicklist(_) => {
            let values: Vec<Value> = wanted
                .options
                .iter()
                .map(|(value, label)| json!({"fullName": value, "label": label, "default": false}))
                .collect();
            set(
                "valueSet",
                json!({"restricted": false, "valueSetDefinition": {"sorted": false, "value": values}}),
            );
            if matches!(wanted.kind, FieldKind::Multipicklist(_)) {
                set("visibleLines", json!(5));
                "MultiselectPicklist"
            } else {
                "Picklist"
            }
        }
        FieldKind::Lookup(object) => {
            let of = wanted.object.strip_suffix("__c").unwrap_or(&wanted.object);
            let relationship = map::api_name(&format!("{of}_{}", wanted.developer_name()));
            set("referenceTo", json!(object));
            set("relationshipName", json!(relationship));
            set("relationshipLabel", json!(wanted.label));
            set("deleteConstraint", json!("SetNull"));
            "Lookup"
        }
        FieldKind::Other(word) => word.as_str(),
    };
    set("type", json!(word));
    all
}

/// A field as the Tooling API shows it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
struct ToolingField {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "FullName")]
    full_name: String,
    #[serde(rename = "Metadata")]
    metadata: Map<String, Value>,
}

impl ToolingField {
    fn description(&self) -> Option<&str> {
        self.metadata.get("description").and_then(Value::as_str)
    }
}

/// A field that is there, whoever may see it. Queries know a field's object by its name where it is a standard one and by an id
/// where it is custom; its whole name is read from the field itself.
async fn tooling_field(
    cx: &Context,
    object: &str,
    name: &str,
) -> Result<Option<ToolingField>, Error> {
    let developer = name.strip_suffix("__c").unwrap_or(name);
    let soql = format!(
        "SELECT Id, TableEnumOrId FROM CustomField WHERE DeveloperName = {}",
        literal(developer),
    );
    let on = fields::made_on(object);
    let full = format!("{on}.{name}");
    for row in client::tooling_query(cx, &soql).await? {
        let table = text(&row, "TableEnumOrId");
        if table != on && !object.ends_with("__c") {
            continue;
        }
        let url = path(&format!("/tooling/sobjects/CustomField/{}", id_of(&row)));
        let field: Option<ToolingField> = client::find(cx, &url).await?;
        let same = |field: &ToolingField| field.full_name.eq_ignore_ascii_case(&full);
        if let Some(field) = field.filter(same) {
            return Ok(Some(field));
        }
    }
    Ok(None)
}

/// The id of a field that is there, whoever may see it: what deletes it.
///
/// # Errors
/// What ends the unit.
pub async fn field_id(cx: &Context, object: &str, name: &str) -> Result<Option<String>, Error> {
    let field = tooling_field(cx, object, name).await?;
    Ok(field.map(|field| id18(&field.id)))
}

/// Makes a field that is not shown by `describe`. `Err` inside is a refusal.
///
/// # Errors
/// What ends the unit.
pub async fn make_field(
    cx: &Context,
    item: &str,
    part: &str,
    in_doubt_since: Option<i64>,
    wanted: &Wanted<'_>,
) -> Result<Result<Effect, Status>, Error> {
    let body = json!({
        "FullName": format!("{}.{}", fields::made_on(&wanted.object), wanted.name),
        "Metadata": metadata(cx, wanted),
    });
    let url = path("/tooling/sobjects/CustomField");
    let request = client::once(cx, "POST", url, key(item, part, "create")).json(&body);
    let find = async || tooling_field(cx, &wanted.object, &wanted.name).await;
    let target = wanted.target().to_string();
    let there = |field: &ToolingField, proof: Option<Proof>, key| {
        let ours = is_of_run(cx, field.description());
        let proof = proof.or_else(|| ours.then(|| Proof::Marker(cx.run().to_owned())));
        let made = made(part, FIELD, target.clone(), proof, key);
        Effect {
            version: Some(id18(&field.id)),
            ..made
        }
    };
    let first = key(item, part, "create");
    let create = http::create(cx, request)
        .in_doubt_since(in_doubt_since)
        .wait_at_most(SETTLE_MS);
    Ok(match create.or_find(find, SETTLE_MS).await? {
        Made::Created { reply, proof, key } => {
            let result: RowResult = reply.json()?;
            let made = made(part, FIELD, target.clone(), proof, key.unwrap_or(first));
            Ok(Effect {
                version: result.id.as_deref().map(id18),
                ..made
            })
        }
        Made::Found { object, proof, key } => Ok(there(&object, proof, key.unwrap_or(first))),
        Made::Refused(reply) => {
            let fault = http::refused::<Fault>(&reply)?;
            let known = fault.is("DUPLICATE_DEVELOPER_NAME");
            match known.then_some(tooling_field(cx, &wanted.object, &wanted.name)) {
                // It was there, and nobody showed it to us.
                Some(found) => match found.await? {
                    Some(field) => Ok(Effect {
                        key: None,
                        ..there(&field, None, first)
                    }),
                    None => Err(Status::Rejected(fault.rejection())),
                },
                None => Err(Status::Rejected(fault.rejection())),
            }
        }
        Made::Unsettled(why) => Err(Status::Unsettled(why)),
    })
}

// ---- permissions

/// Shows fields of an object by our permission set, those that it does not show yet. Gives the effects by field, and why a field
/// could not be shown.
///
/// # Errors
/// What ends the unit.
pub async fn show_fields(
    cx: &Context,
    permission_set: &str,
    object: &str,
    names: &BTreeSet<String>,
    item: &str,
) -> Result<BTreeMap<String, Result<Effect, Fault>>, Error> {
    let mut shown = BTreeMap::new();
    let mut fresh = true;
    for step in ["create", "create~2", "create~3"] {
        let there = shown_fields(cx, permission_set, object).await?;
        let rows: Vec<Row> = names
            .iter()
            .filter(|name| !shown.contains_key(*name) && !there.contains_key(*name))
            .map(|name| Row {
                item: item.to_owned(),
                part: format!("permission:{object}.{name}"),
                object: "FieldPermissions".to_owned(),
                values: permission(permission_set, object, name),
            })
            .collect();
        if !fresh {
            // What a request made whose answer was not seen is ours: it was not there before, in this unit (rule D-4).
            for (name, id) in there.iter().filter(|(name, _)| names.contains(*name)) {
                let key = key("*", format!("permissions:{object}:{item}"), "create");
                let part = format!("permission:{object}.{name}");
                let proof = Some(Proof::AbsentBefore);
                let made = made(&part, "FieldPermissions", id.clone(), proof, key);
                shown.entry(name.clone()).or_insert(Ok(made));
            }
        }
        if rows.is_empty() {
            return Ok(shown);
        }
        let mut doubt = false;
        for rows in rows.chunks(client::ROWS) {
            let batch = format!("permissions:{object}:{item}");
            let saved = client::insert_once(cx, &batch, step, rows).await?;
            for (row, saved) in rows.iter().zip(saved) {
                let name = text(&row.values, "Field");
                let name = name.rsplit('.').next().unwrap_or(name).to_owned();
                match saved {
                    RowMade::Done { id, key, .. } => {
                        let proof = Some(Proof::AbsentBefore);
                        let made = made(&row.part, "FieldPermissions", id, proof, key);
                        shown.insert(name, Ok(made));
                    }
                    RowMade::Refused(fault) => {
                        shown.insert(name, Err(fault));
                    }
                    RowMade::Doubt(..) => doubt = true,
                }
            }
        }
        if !doubt {
            return Ok(shown);
        }
        fresh = false;
        cx.sleep(SETTLE_MS).await;
    }
    Ok(shown)
}

fn permission(permission_set: &str, object: &str, name: &str) -> Map<String, Value> {
    let mut values = Map::new();
    let mut set = |name: &str, value: Value| values.insert(name.to_owned(), value);
    set("ParentId", json!(permission_set));
    set("SobjectType", json!(object));
    set("Field", json!(format!("{object}.{name}")));
    set("PermissionsRead", json!(true));
    set("PermissionsEdit", json!(true));
    values
}

/// Fields of an object that the permission set shows, with the ids of the rows that do.
async fn shown_fields(
    cx: &Context,
    permission_set: &str,
    object: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let soql = format!(
        "SELECT Id, Field FROM FieldPermissions WHERE ParentId = {} AND SobjectType = {}",
        literal(permission_set),
        literal(object),
    );
    let rows = client::query(cx, &soql).await?;
    let name = |row: &crate::api::Record| {
        let field = text(row, "Field");
        field.rsplit('.').next().unwrap_or(field).to_owned()
    };
    Ok(rows.iter().map(|row| (name(row), id_of(row))).collect())
}

/// Lets the permission set's users do everything with an object's records.
async fn show_object(
    cx: &Context,
    permission_set: &str,
    object: &str,
    item: &Item,
) -> Result<Result<Effect, Status>, Error> {
    let find = async || {
        let soql = format!(
            "SELECT Id FROM ObjectPermissions WHERE ParentId = {} AND SobjectType = {}",
            literal(permission_set),
            literal(object),
        );
        let rows = client::query(cx, &soql).await?;
        Ok(rows.first().map(id_of))
    };
    let body = json!({
        "ParentId": permission_set, "SobjectType": object,
        "PermissionsCreate": true, "PermissionsRead": true, "PermissionsEdit": true, "PermissionsDelete": true,
        "PermissionsViewAllRecords": true, "PermissionsModifyAllRecords": true,
    });
    let single = Single {
        object: "ObjectPermissions",
        item: &item.key,
        part: "permission",
        body: &body,
    };
    make_single(cx, &single, item.in_doubt_since, find, true).await
}

/// One record of the org's set-up, which has no external id.
#[derive(Debug)]
pub struct Single<'a> {
    /// `PermissionSet` …
    pub object: &'a str,
    /// The item's key.
    pub item: &'a str,
    /// Which part of the item.
    pub part: &'a str,
    /// Its fields.
    pub body: &'a Value,
}

/// Makes such a record after a look: what is there is matched. `ours` says that what is found in doubt can only be ours, since
/// what it hangs on is of this run.
///
/// # Errors
/// What ends the unit.
pub async fn make_single(
    cx: &Context,
    single: &Single<'_>,
    in_doubt_since: Option<i64>,
    find: impl AsyncFn() -> Result<Option<String>, Error>,
    ours: bool,
) -> Result<Result<Effect, Status>, Error> {
    let Single {
        object,
        item,
        part,
        body,
    } = single;
    let url = path(&format!("/sobjects/{object}"));
    let request = client::once(cx, "POST", url, key(*item, *part, "create")).json(body);
    let create = http::create(cx, request)
        .in_doubt_since(in_doubt_since)
        .look_first()
        .wait_at_most(SETTLE_MS);
    let first = key(*item, *part, "create");
    Ok(match create.or_find(find, SETTLE_MS).await? {
        Made::Created { reply, proof, key } => {
            let result: RowResult = reply.json()?;
            let id = result.id.as_deref().map(id18).unwrap_or_default();
            Ok(made(part, object, id, proof, key.unwrap_or(first)))
        }
        Made::Found {
            object: id,
            proof,
            key,
        } => {
            let in_doubt = in_doubt_since.is_some() && ours;
            let proof = proof.or_else(|| in_doubt.then(|| Proof::Marker(cx.run().to_owned())));
            match (&proof, key) {
                (None, None) => Ok(effect(part, object, id, Action::Matched)),
                (_, key) => Ok(made(part, object, id, proof, key.unwrap_or(first))),
            }
        }
        Made::Refused(reply) => {
            let fault = http::refused::<Fault>(&reply)?;
            Err(Status::Rejected(fault.rejection()))
        }
        Made::Unsettled(why) => Err(Status::Unsettled(why)),
    })
}

// ---- field definitions

/// A field that was made and is not shown yet: whose it is, its effect, what is lost of it.
type MadeField<'a> = (&'a Item, Wanted<'a>, Effect, Vec<Loss>);

/// Field definitions.
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let mut described: BTreeMap<String, Option<Describe>> = BTreeMap::new();
    // What is made is shown in one request for each object, and reported when it is.
    let mut made: BTreeMap<String, Vec<MadeField<'_>>> = BTreeMap::new();
    for (item, definition) in each::<Definition>(cx, items) {
        let entry = item.entry();
        let object_type = definition.owner.object_type.as_deref();
        let Some(object) = map::object_of(&definition.owner.kind, object_type) else {
            let note = "Salesforce has no fields there; values stand on the source card";
            let losses = vec![loss("field-definition.owner", Fidelity::Converted, note)];
            let status = Status::Exported(exported_as(&entry.head.kind));
            report(cx, item, status, Vec::new(), losses);
            continue;
        };
        if !described.contains_key(&object) {
            let seen = client::describe(cx, &object).await?;
            described.insert(object.clone(), seen);
        }
        let Some(Some(there)) = described.get(&object) else {
            let gone = format!("the org has no object {object}, or does not show it");
            reject(cx, item, Error::NotFound(gone));
            continue;
        };
        let mut losses = Vec::new();
        let wanted = wanted(item, definition, &object, there, &mut losses);
        let known = there.field(&wanted.name);
        match known.filter(|_| item.in_doubt_since.is_none()) {
            Some(field) => matched_field(cx, item, definition, &object, field, losses),
            None => match make_field(cx, &item.key, "main", item.in_doubt_since, &wanted).await? {
                Ok(main) => {
                    let of_object = made.entry(object.clone()).or_default();
                    of_object.push((item, wanted, main, losses));
                }
                Err(status) => report(cx, item, status, Vec::new(), losses),
            },
        }
    }
    for (object, made) in made {
        let names: BTreeSet<String> = made.iter().map(|(_, w, ..)| w.name.clone()).collect();
        let first = made.first().map(|(item, ..)| item.key.as_str());
        let set = &state.permission_set;
        let mut shown = show_fields(cx, set, &object, &names, first.unwrap_or_default()).await?;
        for (item, wanted, main, mut losses) in made {
            let mut effects = vec![main];
            match shown.remove(&wanted.name) {
                Some(Ok(permission)) => effects.push(permission),
                Some(Err(_)) => {
                    let note =
                        "the field was made but could not be shown: values of it are refused";
                    losses.push(loss("field-definition", Fidelity::Lost, note));
                }
                // It was shown before.
                None => {}
            }
            let status = effects
                .first()
                .map_or(Status::Matched, |e| status_of(e.action));
            report(cx, item, status, effects, losses);
        }
    }
    Ok(())
}

/// The field that a definition wants. A name that is taken by a field of another type gets a digest behind it.
fn wanted<'a>(
    item: &'a Item,
    definition: &'a Definition,
    object: &str,
    there: &Describe,
    losses: &mut Vec<Loss>,
) -> Wanted<'a> {
    let kind = FieldKind::wanted(&definition.field_type, !definition.options.is_empty());
    let options = option_list(definition, &kind, losses);
    let plain = map::field_name(&definition.name);
    let taken = there
        .field(&plain)
        .is_some_and(|field| !FieldKind::of(field).takes(&kind));
    let name = if taken {
        let digest = map::short_hash(&definition.name);
        let kept: String = map::api_name(&definition.name).chars().take(30).collect();
        format!("{}_{digest}__c", kept.trim_end_matches('_'))
    } else {
        plain
    };
    if definition.required {
        let note = "made optional: a required field refuses records";
        losses.push(loss("field-definition.required", Fidelity::Lost, note));
    }
    if definition.label.chars().count() > 40 {
        let note = "labels have 40 characters";
        losses.push(loss("field-definition.label", Fidelity::Converted, note));
    }
    Wanted {
        object: object.to_owned(),
        name,
        label: map::label(&definition.label, &definition.name),
        kind,
        marker_field: false,
        description: definition.description.as_deref(),
        options,
        marker: &item.marker,
    }
}

/// A definition whose field is there, made by a person or by an earlier run.
fn matched_field(
    cx: &Context,
    item: &Item,
    definition: &Definition,
    object: &str,
    field: &FieldDescribe,
    mut losses: Vec<Loss>,
) {
    let mut target = FieldTarget {
        object: object.to_owned(),
        name: field.name.clone(),
        kind: FieldKind::of(field),
        choices: Vec::new(),
    };
    for option in &definition.options {
        let values = &field.picklist_values;
        if values.iter().any(|value| value.value == option.value) {
            continue;
        }
        let label = option_label(definition, option);
        let same = values
            .iter()
            .find(|value| value.label.as_deref() == Some(label.as_str()));
        if let Some(same) = same {
            let pair = (option.value.clone(), same.value.clone());
            target.choices.push(pair);
        } else if target.kind.is_restricted() {
            let note = "the field that is there takes only its own choices, and has not this one: values of it are on the source card";
            losses.push(loss("field-definition.options", Fidelity::Converted, note));
        }
    }
    let main = effect("main", FIELD, target.to_string(), Action::Matched);
    report(cx, item, Status::Matched, vec![main], losses);
}

fn option_list(
    definition: &Definition,
    kind: &FieldKind,
    losses: &mut Vec<Loss>,
) -> Vec<(String, String)> {
    if !matches!(kind, FieldKind::Picklist(_) | FieldKind::Multipicklist(_)) {
        return Vec::new();
    }
    let fits = |option: &&ChoiceOption| option.value.chars().count() <= 255;
    let list: Vec<(String, String)> = definition
        .options
        .iter()
        .filter(fits)
        .take(VALUES)
        .map(|option| (option.value.clone(), option_label(definition, option)))
        .collect();
    if list.len() < definition.options.len() {
        let note = "not all choices are in the list, which holds 500 of 255 characters; others are taken all the same";
        losses.push(loss("field-definition.options", Fidelity::Converted, note));
    }
    list
}

/// What people read, as far as it fits.
fn option_label(definition: &Definition, option: &ChoiceOption) -> String {
    let whole = fields_of_source::option_label(definition, option, map::PATH_SEPARATOR);
    whole.chars().take(255).collect()
}

// ---- object types

/// Custom objects with the fields that the connector needs on each.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    for (item, object) in each::<types::ObjectType>(cx, items) {
        let name = map::object_name(&item.entry().head.id);
        let mut losses = Vec::new();
        if object.icon.is_some() {
            let note = "objects of Salesforce have their icon with their tab, which a person makes";
            losses.push(loss("object-type.icon", Fidelity::Lost, note));
        }
        let mut effects = Vec::new();
        let mut there = client::describe(cx, &name).await?;
        let mut shown = false;
        if there.is_none() && is_hidden(cx, &name).await? {
            // Nobody showed it to us; to see what it lacks we must.
            match show_object(cx, &state.permission_set, &name, item).await? {
                Ok(effect) => effects.push(effect),
                Err(status) => {
                    report(cx, item, status, Vec::new(), losses);
                    continue;
                }
            }
            shown = true;
            there = client::describe(cx, &name).await?;
        }
        let (main, missing) = match there {
            Some(there) => {
                let own = fields::CUSTOM_OBJECT;
                let missing = own.iter().filter(|(name, ..)| there.field(name).is_none());
                let missing: Vec<Own> = missing.copied().collect();
                // In doubt an object whose own fields are of this run is one that an earlier attempt made.
                let lost = item.in_doubt_since.is_some()
                    && is_own_of_run(cx, &name, fields::SOURCE_ID).await?;
                let main = if lost {
                    let proof = Some(Proof::Marker(cx.run().to_owned()));
                    let key = key(&item.key, "main", "create");
                    made("main", OBJECT, name.clone(), proof, key)
                } else {
                    effect("main", OBJECT, name.clone(), Action::Matched)
                };
                (main, missing)
            }
            None => match new_object(cx, item, object, &name).await? {
                Ok(main) => (main, Vec::new()),
                Err(status) => {
                    report(cx, item, status, effects, losses);
                    continue;
                }
            },
        };
        effects.insert(0, main);
        let ended = equip_object(cx, &state, item, &name, &missing, shown, &mut effects).await?;
        let status = match ended {
            Ok(()) => effects
                .first()
                .map_or(Status::Matched, |e| status_of(e.action)),
            Err(status) => status,
        };
        report(cx, item, status, effects, losses);
    }
    Ok(())
}

/// Whether there is an object that `describe` does not show to the integration user: made by somebody, or by an attempt of ours
/// that ended before it was shown.
async fn is_hidden(cx: &Context, object: &str) -> Result<bool, Error> {
    let developer = object.strip_suffix("__c").unwrap_or(object);
    let soql = format!(
        "SELECT Id FROM CustomObject WHERE DeveloperName = {}",
        literal(developer)
    );
    Ok(!client::tooling_query(cx, &soql).await?.is_empty())
}

/// What effects name an own field.
pub fn target_of_own(object: &str, name: &str) -> String {
    let own = fields::of_object(object)
        .iter()
        .find(|(own, ..)| *own == name);
    let target = own.map(|own| Wanted::own(object, *own, "").target());
    target.map(|target| target.to_string()).unwrap_or_default()
}

/// Whether an own field's description says that this run made it.
///
/// # Errors
/// What ends the unit.
pub async fn is_own_of_run(cx: &Context, object: &str, name: &str) -> Result<bool, Error> {
    let field = tooling_field(cx, object, name).await?;
    Ok(field.is_some_and(|field| is_of_run(cx, field.description())))
}

async fn new_object(
    cx: &Context,
    item: &Item,
    object: &transload_sdk::types::ObjectType,
    name: &str,
) -> Result<Result<Effect, Status>, Error> {
    let label = map::label(&object.label, &object.name);
    let plural = object.label_plural.as_deref().unwrap_or(&label);
    let marker = description_marker(cx, &item.marker);
    let description = match &object.description {
        Some(words) => format!("{words}\n{marker}"),
        None => marker,
    };
    let own = fields::CUSTOM_OBJECT.iter().map(|own| {
        let wanted = Wanted::own(name, *own, &item.marker);
        let mut field = metadata(cx, &wanted);
        field.insert("fullName".to_owned(), json!(wanted.name));
        Value::Object(field)
    });
    let definition = json!({
        "label": label,
        "pluralLabel": map::label(plural, plural),
        "description": description,
        "nameField": {"label": "Title", "type": "Text"},
        "deploymentStatus": "Deployed",
        "sharingModel": "ReadWrite",
        "enableSearch": true,
        "fields": own.collect::<Vec<Value>>(),
    });
    let key = key(&item.key, "main", "create");
    Ok(
        match deploy::make_object(cx, key, name, &definition).await? {
            // It was not there right before, in this unit (rule D-4).
            Deployed::Done(key) => Ok(made("main", OBJECT, name, Some(Proof::AbsentBefore), key)),
            Deployed::Refused(why) => Err(Status::Rejected(Error::Invalid(Invalid {
                field: None,
                reason: why,
            }))),
            Deployed::Unsettled => Err(Status::Unsettled(
                "a deployment whose end was not seen".to_owned(),
            )),
        },
    )
}

/// Makes what own fields an object lacks, and shows it and them.
async fn equip_object(
    cx: &Context,
    state: &State,
    item: &Item,
    object: &str,
    missing: &[Own],
    shown: bool,
    effects: &mut Vec<Effect>,
) -> Result<Result<(), Status>, Error> {
    for own in missing {
        let wanted = Wanted::own(object, *own, &item.marker);
        let part = format!("field:{}", wanted.name);
        match make_field(cx, &item.key, &part, item.in_doubt_since, &wanted).await? {
            Ok(effect) => effects.push(effect),
            Err(status) => return Ok(Err(status)),
        }
    }
    let set = &state.permission_set;
    if !shown {
        match show_object(cx, set, object, item).await? {
            Ok(effect) => effects.push(effect),
            Err(status) => return Ok(Err(status)),
        }
    }
    let names: BTreeSet<String> = fields::CUSTOM_OBJECT
        .iter()
        .map(|(name, ..)| (*name).to_owned())
        .collect();
    for (_, shown) in show_fields(cx, set, object, &names, &item.key).await? {
        match shown {
            Ok(effect) => effects.push(effect),
            Err(fault) => return Ok(Err(Status::Rejected(fault.rejection()))),
        }
    }
    Ok(Ok(()))
}

// ---- tags, brands

/// Tags, which exist by being used; `;` stands between those of a record, so none has one in it.
///
/// # Errors
/// What ends the unit.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    if config.tags == Tags::Topics {
        return topics::topics(cx, items).await;
    }
    for (item, tag) in each::<types::Tag>(cx, items) {
        let mut losses = Vec::new();
        if tag.color.is_some() {
            let note = "Salesforce has no colours of tags";
            losses.push(loss("tag.color", Fidelity::Lost, note));
        }
        let name = map::tag(&tag.name);
        if name != tag.name {
            let note = "written with a comma for each semicolon";
            losses.push(loss("tag.name", Fidelity::Converted, note));
        }
        let main = effect("main", "tag", name, Action::Matched);
        report(cx, item, Status::Matched, vec![main], losses);
    }
    Ok(())
}

/// Brands, which are named on the source cards of their conversations.
///
/// # Errors
/// What ends the unit.
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    for (item, brand) in each::<types::Brand>(cx, items) {
        let note = "named on the source card of its conversations";
        let losses = vec![loss("brand.name", Fidelity::Converted, note)];
        let main = effect("main", "brand", brand.name.clone(), Action::Matched);
        report(cx, item, Status::Matched, vec![main], losses);
    }
    Ok(())
}
