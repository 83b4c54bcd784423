//! Custom modules and their records (Zoho Desk facts §9).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::Call;
use super::fields::snake;
use super::model::{CustomModule, Id, Module, Moment, Origin, Record};
use super::read::{Reader, iso};
use super::records::{self, Change, custom_shown, id_or_null};
use super::state::{Layout, State};
use super::switches::{Edition, FieldKeys};

/// Custom modules that an edition allows (§9: edition-limited; the numbers are a guess).
fn most(edition: Edition) -> usize {
    match edition {
        Edition::Free | Edition::Express | Edition::Standard => 0,
        Edition::Professional => 10,
        Edition::Enterprise => 50,
    }
}

fn render_module(module: &CustomModule, owner: Id) -> Value {
    let ids = |ids: &[Id]| -> Vec<String> { ids.iter().map(Id::to_string).collect() };
    json!({
        "id": module.id.to_string(), "apiName": module.api_name, "displayLabel": module.plural,
        "singularLabel": module.singular, "pluralLabel": module.plural, "description": module.description,
        "nameField": "name", "isCustomModule": true, "isDeptSpecific": module.by_department, "hasRecycleBin": true,
        "departmentIds": ids(&module.departments), "profileIds": ids(&module.profiles),
        "createdBy": owner.to_string(), "createdTime": iso(module.created_at), "modifiedBy": owner.to_string(),
        "modifiedTime": iso(module.modified_at), "modifier": null,
    })
}

/// `GET organizationModules`: standard ones first.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let standard = [
        "tickets", "contacts", "accounts", "tasks", "calls", "events",
    ];
    let standard = standard.iter().zip(400_000_000_000_006_001_u64..).map(|(name, id)| {
        json!({
            "id": id.to_string(), "apiName": name, "displayLabel": name, "singularLabel": name, "pluralLabel": name,
            "description": null, "nameField": null, "isCustomModule": false, "isDeptSpecific": *name == "tickets",
            "hasRecycleBin": true,
        })
    });
    let owner = call.state.credentials.owner;
    let custom = call.state.modules.values();
    let custom = custom.map(|module| render_module(module, owner));
    super::answer::data(standard.chain(custom).collect())
}

fn find(call: &Call<'_>) -> Result<CustomModule, Failure> {
    let found = call.state.modules.get(&call.id(0)?);
    found.cloned().ok_or_else(Failure::not_found)
}

/// `GET organizationModules/{id}`.
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let module = find(call)?;
    Answer::ok(render_module(&module, call.state.credentials.owner))
}

fn read(state: &State, reader: &mut Reader<'_>, module: &mut CustomModule) {
    for (key, text) in [
        ("singularLabel", &mut module.singular),
        ("pluralLabel", &mut module.plural),
    ] {
        reader.required(key);
        *text = reader.text(key, 50).unwrap_or_default();
    }
    module.description = reader
        .text("description", 200)
        .or_else(|| module.description.clone());
    if let Some(departments) = reader.ids("departmentIds", 500) {
        if departments
            .iter()
            .any(|id| !state.departments.contains_key(id))
        {
            reader.invalid("departmentIds", "There is no such department.");
        }
        module.departments = departments;
    }
    module.profiles = reader
        .ids("profileIds", 500)
        .unwrap_or_else(|| module.profiles.clone());
    let mut others = state.modules.values();
    let same = others
        .any(|other| other.id != module.id && other.plural.eq_ignore_ascii_case(&module.plural));
    if same {
        reader.errors.push(FieldError::duplicate("/pluralLabel"));
    }
}

/// `POST organizationModules`: a 200; nothing deletes it (§9).
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let config = &call.state.config;
    if call.state.modules.len() >= most(config.edition) {
        return Err(Failure::license(config.edition, config.trial, None));
    }
    let mut module = blank(call.state.now, Origin::Request);
    let mut reader = call.reader(&[
        "singularLabel",
        "pluralLabel",
        "description",
        "isDeptSpecific",
        "departmentIds",
        "profileIds",
    ])?;
    read(call.state, &mut reader, &mut module);
    module.by_department = reader.flag("isDeptSpecific").unwrap_or_default();
    if module.by_department && module.departments.is_empty() {
        reader.required("departmentIds");
    }
    reader.finish(call.strict())?;
    let module = put(call.state, module);
    Answer::ok(render_module(&module, call.state.credentials.owner))
}

/// Puts a new module in, under a name of its own and with its layouts.
fn put(state: &mut State, mut module: CustomModule) -> CustomModule {
    module.id = state.next_id();
    let name = format!("cm_{}", snake(&module.plural, "_"));
    let mut number = 1;
    let mut unique = name.clone();
    while state.modules_by_name.contains_key(&unique) {
        unique = format!("{name}_{number}");
        number += 1;
    }
    module.api_name = unique;
    let places: Vec<Option<Id>> = if module.by_department {
        module.departments.iter().copied().map(Some).collect()
    } else {
        vec![None]
    };
    for department in places {
        let id = state.next_id();
        let layout = Layout {
            module: Module::Custom(module.id),
            department,
        };
        state.layouts.insert(id, layout);
    }
    let name = module.api_name.clone();
    state.modules_by_name.insert(name, module.id);
    state.modules.insert(module.id, module.clone());
    module
}

/// A module of the whole organisation that was there before.
pub(super) fn before(state: &mut State, label: &str) {
    let module = CustomModule {
        singular: label.to_owned(),
        plural: format!("{label}s"),
        ..blank(state.now, Origin::Before)
    };
    put(state, module);
}

fn blank(now: Moment, origin: Origin) -> CustomModule {
    CustomModule {
        id: 0,
        api_name: String::new(),
        singular: String::new(),
        plural: String::new(),
        description: None,
        by_department: false,
        departments: Vec::new(),
        profiles: Vec::new(),
        created_at: now,
        modified_at: now,
        origin,
    }
}

/// `PUT organizationModules/{id}`: labels, departments and profiles must all be there.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut module = find(call)?;
    let mut reader = call.reader(&[
        "singularLabel",
        "pluralLabel",
        "description",
        "departmentIds",
        "profileIds",
    ])?;
    reader.required("departmentIds");
    reader.required("profileIds");
    read(call.state, &mut reader, &mut module);
    reader.finish(call.strict())?;
    module.modified_at = call.state.now;
    call.state.modules.insert(module.id, module.clone());
    Answer::ok(render_module(&module, call.state.credentials.owner))
}

// ---- records

/// A record as answers show it: other things in objects (§9).
pub(super) fn render(state: &State, record: &Record) -> Value {
    let (cf, _) = custom_shown(state, record);
    let object = |name: &str| match record.link(name) {
        Some(id) => json!({"id": id.to_string()}),
        None => Value::Null,
    };
    json!({
        "id": record.id.to_string(), "name": record.text("name"), "department": object("departmentId"),
        "layout": object("layoutId"), "owner": object("ownerId"), "cf": cf,
        "createdTime": iso(record.created_at), "modifiedTime": iso(record.modified_at),
        "createdBy": id_or_null(Some(record.created_by)), "modifiedBy": id_or_null(Some(record.modified_by)),
        "isTrashed": record.trashed.is_some(), "isDeleted": false,
    })
}

fn module(call: &Call<'_>) -> Result<CustomModule, Failure> {
    let id = call.state.modules_by_name.get(call.place(0));
    let found = id.and_then(|id| call.state.modules.get(id));
    found.cloned().ok_or_else(Failure::not_found)
}

/// `{"id"}` of another thing.
fn wrapped(reader: &mut Reader<'_>, key: &str) -> Option<Id> {
    let value = reader.raw(key)?;
    let pointer = reader.pointer(key);
    let mut inner = Reader::at(value, &pointer, &["id"]);
    inner.required("id");
    let id = inner.id("id");
    reader.errors.append(&mut inner.errors);
    reader.unknown.append(&mut inner.unknown);
    id
}

fn change(
    call: &Call<'_>,
    module: &CustomModule,
    before: Option<&Record>,
) -> Result<Change, Failure> {
    let of = Module::Custom(module.id);
    let mut reader = call.reader(&["name", "department", "layout", "owner", "cf"])?;
    if before.is_none() || reader.given("name") {
        reader.required("name");
    }
    let mut change = Change::default();
    if let Some(name) = reader.text("name", 255) {
        change.values.insert("name".to_owned(), Some(json!(name)));
    }
    for (key, name) in [
        ("department", "departmentId"),
        ("layout", "layoutId"),
        ("owner", "ownerId"),
    ] {
        if let Some(id) = wrapped(&mut reader, key) {
            change
                .values
                .insert(name.to_owned(), Some(json!(id.to_string())));
        }
    }
    let department = change.link("departmentId");
    if module.by_department {
        if before.is_none() {
            reader.required("department");
        }
        if department.is_some_and(|id| !module.departments.contains(&id)) {
            reader.invalid("department/id", "The module is not in this department.");
        }
    } else if department.is_some() && !call.state.config.switches.org_module_takes_department {
        reader.invalid("department", "The module is not of a department.");
    }
    let refuse = call.state.config.switches.unknown_field_refused;
    change.cf = records::custom(
        call.state,
        of,
        &mut reader,
        "cf",
        FieldKeys::ApiName,
        refuse,
    );
    reader
        .errors
        .extend(records::check(call.state, of, before, &change));
    reader.finish(call.strict())?;
    Ok(change)
}

/// `POST cm_x`.
pub(super) fn create_record(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let module = module(call)?;
    let change = change(call, &module, None)?;
    let of = Module::Custom(module.id);
    let mut record = call.state.blank(of, call.agent, Origin::Request);
    change.apply(&mut record);
    let shown = render(call.state, &record);
    call.state.put_record(record);
    Answer::ok(shown)
}

/// `GET cm_x/{id}`.
pub(super) fn show_record(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["include"]])?;
    let module = module(call)?;
    let record = call.state.record(Module::Custom(module.id), call.id(1)?)?;
    Answer::ok(render(call.state, record))
}

/// `PATCH cm_x/{id}`.
pub(super) fn update_record(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let module = module(call)?;
    let (of, id) = (Module::Custom(module.id), call.id(1)?);
    let before = call.state.live(of, id)?;
    let change = change(call, &module, Some(before))?;
    call.state
        .change_record(id, call.agent, |record| change.apply(record));
    let record = call.state.record(of, id)?;
    Answer::ok(render(call.state, record))
}

/// `GET cm_x` ([INF]).
pub(super) fn records_of(call: &mut Call<'_>) -> Outcome {
    let module = module(call)?;
    records::list(
        call,
        Module::Custom(module.id),
        "createdTime",
        &["departmentId"],
        |_| true,
    )
}

/// `POST cm_x/moveToTrash` `{"recordIds"}`.
pub(super) fn trash_records(call: &mut Call<'_>) -> Outcome {
    let module = module(call)?;
    records::move_to_trash(call, Module::Custom(module.id), "recordIds")
}

/// `GET cm_x/search`: by times only (§9).
pub(super) fn search_records(call: &mut Call<'_>) -> Outcome {
    let module = module(call)?;
    super::search::find(call, Module::Custom(module.id))
}
