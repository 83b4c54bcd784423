//! Custom fields, layouts and statuses (Zoho Desk facts §7.8, §8).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::{Call, bad_query};
use super::model::{Field, Id, Module, Origin};
use super::read::{Kind, Reader, iso};
use super::schema;
use super::state::{Layout, State};
use super::switches::{Edition, FieldNames};

/// Types that can be made by API (§8).
const TYPES: &[&str] = &[
    "Text",
    "Number",
    "Percent",
    "Decimal",
    "Currency",
    "Date",
    "DateTime",
    "Email",
    "Phone",
    "Picklist",
    "URL",
    "Textarea",
    "Boolean",
    "Multiselect",
    "LookUp",
    "Formula",
];

fn render(state: &State, field: &Field) -> Value {
    let lookup = field.lookup.map(|module| {
        json!({
            "onDelete": "SET_NULL", "relatedListLabel": field.label,
            "module": {"apiName": state.module_name(module), "nameField": "name", "id": null},
        })
    });
    json!({
        "id": field.id.to_string(), "name": field.api_name.to_uppercase(), "apiName": field.api_name,
        "displayLabel": field.label, "i18NLabel": field.label, "type": field.kind, "maxLength": field.max_length,
        "isMandatory": field.mandatory, "isCustomField": true, "sourceType": "USERDEFINED", "isEncryptedField": false,
        "isIndexed": field.lookup.is_some(), "lookup": lookup, "showToHelpCenter": false, "toolTip": null,
        "createdTime": iso(field.created_at), "modifiedTime": iso(field.created_at), "createdBy": null,
        "modifiedBy": null, "isSortable": true,
    })
}

fn standard(module: Module) -> impl Iterator<Item = Value> {
    schema::shown(module).iter().zip(400_000_000_000_007_001_u64..).map(|((name, label, kind, longest), id)| {
        json!({
            "id": id.to_string(), "name": name.to_uppercase(), "apiName": name, "displayLabel": label,
            "i18NLabel": label, "type": kind, "maxLength": longest, "isMandatory": false, "isCustomField": false,
            "sourceType": "SYSTEM", "isEncryptedField": false, "showToHelpCenter": true,
        })
    })
}

fn module_of(call: &Call<'_>) -> Result<Module, Failure> {
    let name = call.request.param("module").unwrap_or_default();
    call.state
        .module_named(name)
        .ok_or_else(|| bad_query("module"))
}

/// `GET fields?module=`: without allowed values (§7.8).
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["module", "apiNames", "filter", "associatedDepartments"]])?;
    let module = module_of(call)?;
    let custom_only = match call.request.param("filter") {
        None => None,
        Some("isCustomField='true'") => Some(true),
        Some("isCustomField='false'") => Some(false),
        Some(_) => return Err(bad_query("filter")),
    };
    let names = call.request.param("apiNames");
    let custom = call.state.fields_of(module);
    let custom = custom.map(|field| render(call.state, field));
    let all = standard(module)
        .filter(|_| custom_only != Some(true))
        .chain(custom.filter(|_| custom_only != Some(false)));
    let named = |shown: &Value| {
        let name = shown.get("apiName").and_then(Value::as_str);
        names.is_none_or(|names| names.split(',').any(|one| Some(one.trim()) == name))
    };
    super::answer::data(all.filter(named).collect())
}

/// `GET organizationFields?module=`: the older list (§8).
pub(super) fn older(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["module"]])?;
    let module = module_of(call)?;
    let custom = call.state.fields_of(module);
    super::answer::data(
        standard(module)
            .chain(custom.map(|f| render(call.state, f)))
            .collect(),
    )
}

/// `GET customFieldCount?module=`.
pub(super) fn count(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["module"]])?;
    let module = module_of(call)?;
    let number = call.state.fields_of(module).count();
    Answer::ok(json!({"count": number.to_string()}))
}

fn find(call: &Call<'_>) -> Result<Field, Failure> {
    let found = call.state.fields.get(&call.id(0)?);
    found.cloned().ok_or_else(Failure::not_found)
}

/// `GET fields/{id}`.
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let field = find(call)?;
    Answer::ok(render(call.state, &field))
}

/// A label as part of an API name.
pub(super) fn snake(label: &str, between: &str) -> String {
    let plain = label.to_lowercase();
    let words = plain.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(between)
}

/// The API name of a new field: never to be computed by a client (§8).
fn api_name(state: &State, module: Module, label: &str) -> String {
    let between = match state.config.switches.field_names {
        FieldNames::Snake => "_",
        FieldNames::Squashed => "",
    };
    let name = format!("cf_{}", snake(label, between));
    let mut number = 1;
    let mut unique = name.clone();
    while state.field(module, &unique).is_some() {
        unique = format!("{name}_{number}");
        number += 1;
    }
    unique
}

/// A new field, which everything else about it may be changed of.
pub(super) fn make(
    state: &mut State,
    module: Module,
    label: &str,
    kind: &str,
    origin: Origin,
) -> Field {
    let max_length = match kind {
        "Text" | "URL" | "Email" => Some(255),
        "Phone" => Some(50),
        "Textarea" => Some(schema::LONG),
        "Picklist" | "Multiselect" => Some(5_000),
        _ => None,
    };
    Field {
        id: state.next_id(),
        module,
        api_name: api_name(state, module, label),
        label: label.to_owned(),
        kind: kind.to_owned(),
        max_length,
        allowed: Vec::new(),
        lookup: None,
        mandatory: false,
        on_layouts: true,
        created_at: state.now,
        origin,
    }
}

/// `POST fields?module=`: a 201. A picklist has no values, for nothing here takes them.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["module"]])?;
    let module = module_of(call)?;
    let config = &call.state.config;
    if config.edition < Edition::Standard {
        return Err(Failure::license(config.edition, config.trial, None));
    }
    let mut reader = call.reader(&[])?;
    reader.unknown.clear();
    reader.required("displayLabel");
    reader.required("type");
    let label = reader.text("displayLabel", 50).unwrap_or_default();
    let kind = reader.choice("type", TYPES).unwrap_or_default();
    let longest = reader.read("maxLength", Kind::Whole);
    let longest = longest.and_then(|text| text.as_str()?.parse::<usize>().ok());
    if kind == "Text" && longest.is_some_and(|longest| longest > 255 || longest == 0) {
        reader.invalid("maxLength", "At most 255.");
    }
    let mut lookup = None;
    if kind == "LookUp" {
        reader.required("lookup");
        lookup = lookup_target(call.state, &mut reader);
    }
    if call.state.fields_of(module).count() >= call.state.config.switches.custom_fields_max {
        return Err(Failure::unprocessable(
            "The module has as many custom fields as it can have.",
        ));
    }
    let taken = call.state.field_by_label(module, &label).is_some();
    if taken && call.state.config.switches.field_labels_unique {
        reader.errors.push(FieldError::duplicate("/displayLabel"));
    }
    reader.finish(true)?;
    let mut field = make(call.state, module, &label, &kind, Origin::Request);
    field.max_length = longest.or(field.max_length);
    field.lookup = lookup;
    field.on_layouts = call.state.config.switches.new_field_on_layouts;
    let shown = render(call.state, &field);
    call.state.put_field(field);
    Ok(Answer::json(201, shown))
}

fn lookup_target(state: &State, reader: &mut Reader<'_>) -> Option<Module> {
    let name = reader.raw("lookup")?.pointer("/module/apiName");
    let module = state.module_named(name.and_then(Value::as_str).unwrap_or_default());
    if module.is_none() {
        reader.invalid("lookup/module/apiName", "There is no such module.");
    }
    module
}

/// `PATCH fields/{id}`: the label.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut field = find(call)?;
    let mut reader =
        call.reader(&["displayLabel", "toolTip", "toolTipType", "showToHelpCenter"])?;
    field.label = reader.text("displayLabel", 50).unwrap_or(field.label);
    reader.finish(call.strict())?;
    let shown = render(call.state, &field);
    call.state.put_field(field);
    Answer::ok(shown)
}

/// `DELETE fields/{id}`: the values go with it (§8).
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let field = find(call)?;
    remove(call.state, &field);
    Answer::bare(200)
}

/// Takes a field out with its values.
pub(super) fn remove(state: &mut State, field: &Field) {
    let holders: Vec<Id> = state
        .records
        .values()
        .filter(|record| record.module == field.module && record.cf.contains_key(&field.api_name))
        .map(|record| record.id)
        .collect();
    for id in holders {
        state.edit_record(id, |record| record.cf.remove(&field.api_name));
    }
    state.fields.remove(&field.id);
    state
        .fields_by_name
        .remove(&(field.module, field.api_name.clone()));
}

// ---- layouts

fn layout_in_short(state: &State, id: Id, layout: Layout) -> Value {
    json!({
        "id": id.to_string(), "layoutName": "Default Layout", "layoutDisplayName": "Default Layout",
        "module": state.module_name(layout.module), "departmentId": super::records::id_or_null(layout.department),
        "isDefaultLayout": true, "isStandardLayout": true, "status": "ACTIVE",
    })
}

/// `GET layouts?module=&departmentId=`.
pub(super) fn layouts(call: &mut Call<'_>) -> Outcome {
    call.only(&[super::call::PAGED, &["module", "departmentId"]])?;
    let module = module_of(call)?;
    let department = call.id_param("departmentId")?;
    let found = call.state.layouts.iter().filter(|(_, layout)| {
        let here =
            layout.department.is_none() || department.is_none() || layout.department == department;
        layout.module == module && here
    });
    super::answer::data(
        found
            .map(|(id, layout)| layout_in_short(call.state, *id, *layout))
            .collect(),
    )
}

/// The values of a picklist, where the layout has them (§7.8).
fn allowed(state: &State, name: &str) -> Vec<Value> {
    if name == "status" {
        let all = state.statuses.iter();
        return all
            .map(|status| json!({"value": status.name, "statusType": status.kind.as_str()}))
            .collect();
    }
    let all = schema::picklist(name).unwrap_or_default().iter();
    all.map(|value| json!({ "value": value })).collect()
}

/// `GET layouts/{id}`: sections with fields and allowed values.
pub(super) fn layout(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    let layout = call.state.layouts.get(&id).copied();
    let layout = layout.ok_or_else(Failure::not_found)?;
    let state = &*call.state;
    let with_values = |mut field: Value, values: Vec<Value>| {
        if let Some(field) = field.as_object_mut().filter(|_| !values.is_empty()) {
            field.insert("allowedValues".to_owned(), Value::Array(values));
        }
        field
    };
    let is_ticket = layout.module == Module::Tickets;
    let mut fields: Vec<Value> = standard(layout.module)
        .map(|field| {
            let name = field
                .get("apiName")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let values = if is_ticket {
                allowed(state, name)
            } else {
                Vec::new()
            };
            with_values(field, values)
        })
        .collect();
    let custom = state
        .fields_of(layout.module)
        .filter(|field| field.on_layouts);
    fields.extend(custom.map(|field| {
        let values = field.allowed.iter().map(|value| json!({ "value": value }));
        with_values(render(state, field), values.collect())
    }));
    let mut shown = layout_in_short(state, id, layout);
    if let Some(shown) = shown.as_object_mut() {
        let sections = json!([{"id": null, "name": "Information", "displayLabel": "Information", "fields": fields}]);
        shown.insert("sections".to_owned(), sections);
    }
    Answer::ok(shown)
}

/// `GET ticketStatuses?departmentId=`.
pub(super) fn statuses(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["departmentId"]])?;
    let all = call.state.statuses.iter();
    super::answer::data(
        all.map(|status| json!({"name": status.name, "displayName": status.name, "statusType": status.kind.as_str()}))
            .collect(),
    )
}
