//! What accounts, contacts, tickets, activities and custom records have in common: reading what is written, checking it, showing it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome, done, failed};
use super::call::{Call, PAGED, bad_query, page};
use super::model::{Field, Id, Module, Moment, Record};
use super::read::{self, Given, Kind, Reader, Standard, fit, is_email, iso};
use super::schema;
use super::state::{Due, State, key};
use super::switches::FieldKeys;
use super::{contacts, modules, tickets};

/// What a body says about a record.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Standard fields.
    pub values: Given,
    /// Custom fields by API name.
    pub cf: BTreeMap<String, Option<String>>,
}

impl Change {
    /// The text that a standard field gets.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_ref()?.as_str()
    }

    /// The number that a standard field gets.
    pub fn link(&self, name: &str) -> Option<Id> {
        self.text(name)?.parse().ok()
    }

    /// Takes a value out: it is no field of the record.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name).flatten()
    }

    /// Puts it on a record.
    pub fn apply(self, record: &mut Record) {
        for (name, value) in self.values {
            match value.filter(|value| value.as_str() != Some("")) {
                Some(value) => record.values.insert(name, value),
                None => record.values.remove(&name),
            };
        }
        for (name, value) in self.cf {
            match value.filter(|value| !value.is_empty()) {
                Some(value) => record.cf.insert(name, value),
                None => record.cf.remove(&name),
            };
        }
    }
}

/// A table with what the switches change about it (§7.1, §7.5).
pub(super) fn table(state: &State, table: &[Standard]) -> Vec<Standard> {
    let switches = &state.config.switches;
    table
        .iter()
        .map(|(name, kind)| match (*name, *kind) {
            ("subject", Kind::Text(1000)) => ("subject", Kind::Text(switches.subject_max)),
            (name, Kind::Zip) if !switches.zip_digits_only => (name, Kind::Text(30)),
            (name, kind) => (name, kind),
        })
        .collect()
}

/// Reads a body by a table: standard fields, `cf` and `customFields`.
pub(super) fn read(
    state: &State,
    module: Module,
    reader: &mut Reader<'_>,
    fields: &[Standard],
) -> Change {
    let refuse = state.config.switches.unknown_field_refused;
    let mut change = Change {
        values: reader.values(&table(state, fields)),
        cf: BTreeMap::new(),
    };
    for (key, keys) in [
        ("customFields", FieldKeys::Label),
        ("cf", FieldKeys::ApiName),
    ] {
        change
            .cf
            .extend(custom(state, module, reader, key, keys, refuse));
    }
    change
}

/// Reads a map of custom fields (§8).
pub(super) fn custom(
    state: &State,
    module: Module,
    reader: &mut Reader<'_>,
    key: &str,
    keys: FieldKeys,
    refuse_unknown: bool,
) -> BTreeMap<String, Option<String>> {
    let mut values = BTreeMap::new();
    let Some(given) = reader.raw(key) else {
        return values;
    };
    let Some(given) = given.as_object() else {
        reader.invalid(key, "An object is expected.");
        return values;
    };
    for (name, value) in given {
        let by_name = || state.field(module, name);
        let by_label = || state.field_by_label(module, name);
        let field = match keys {
            FieldKeys::ApiName => by_name(),
            FieldKeys::Label => by_label(),
            FieldKeys::Both => by_name().or_else(by_label),
        };
        let pointer = format!("{key}/{name}");
        match field {
            None if refuse_unknown => reader.invalid(&pointer, "There is no such field."),
            // §8: where a field is not on the layout, nothing sticks.
            None => {}
            Some(field) if !field.on_layouts => {}
            Some(field) => match custom_value(state, field, value) {
                Ok(value) => {
                    values.insert(field.api_name.clone(), value);
                }
                Err(message) => reader.invalid(&pointer, message),
            },
        }
    }
    values
}

/// A value of a custom field as it is stored: text (§8).
fn custom_value(state: &State, field: &Field, value: &Value) -> Result<Option<String>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        _ => return Err("Text is expected.".to_owned()),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let good = match field.kind.as_str() {
        "Number" => text.parse::<i64>().is_ok(),
        "Decimal" | "Percent" | "Currency" => text.parse::<f64>().is_ok_and(f64::is_finite),
        "Boolean" => matches!(text.as_str(), "true" | "false"),
        "Date" => chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").is_ok(),
        "DateTime" => read::parse_time(&text).is_some(),
        "Email" => is_email(&text),
        "URL" => text.contains('.') && !text.contains(char::is_whitespace),
        "Picklist" => field.allowed.contains(&text),
        "Multiselect" => text.split(';').all(|one| {
            let mut allowed = field.allowed.iter();
            allowed.any(|choice| choice == one)
        }),
        "LookUp" => {
            let target = text.parse().ok();
            target.is_some_and(|id| field.lookup.is_some_and(|module| state.has(module, id)))
        }
        "Formula" => false,
        _ => true,
    };
    if !good {
        return Err(format!(
            "The value does not fit a field of type {}.",
            field.kind
        ));
    }
    let most = field.max_length.unwrap_or(schema::LONG);
    if text.chars().count() > most {
        return Err(format!("At most {most} characters are allowed."));
    }
    Ok(Some(text))
}

/// What is wrong with the values of a record beyond their form: links to nothing, agents who do not fit, unknown picklist values.
pub(super) fn check(
    state: &State,
    module: Module,
    before: Option<&Record>,
    change: &Change,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let department = change
        .link("departmentId")
        .or_else(|| before?.link("departmentId"));
    let mut wrong = |name: &str, message: &str| {
        errors.push(FieldError::invalid(format!("/{name}"), message));
    };
    for name in change.values.keys() {
        let Some(value) = change.text(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let id: Id = value.parse().unwrap_or_default();
        match name.as_str() {
            "accountId" if !state.has(Module::Accounts, id) => {
                wrong(name, "There is no such account.")
            }
            "contactId" if !state.has(Module::Contacts, id) => {
                wrong(name, "There is no such contact.")
            }
            "ticketId" if !state.has(Module::Tickets, id) => {
                wrong(name, "There is no such ticket.")
            }
            "productId" => wrong(name, "There is no such product."),
            "layoutId" if !state.layouts.contains_key(&id) => {
                wrong(name, "There is no such layout.")
            }
            "departmentId" => {
                let found = state.departments.get(&id);
                if !found.is_some_and(|department| department.enabled) {
                    wrong(name, "There is no such department.");
                }
            }
            "ownerId" | "assigneeId" => {
                let agent = state
                    .agents
                    .get(&id)
                    .filter(|agent| agent.active && agent.confirmed);
                // §7.3: an agent owns tickets only in his departments.
                let here = |department| agent.is_some_and(|a| a.departments.contains(&department));
                if agent.is_none() {
                    wrong(name, "There is no such active agent.");
                } else if name == "assigneeId" && !department.is_none_or(here) {
                    wrong(name, "The agent is not in the department of the ticket.");
                }
            }
            "teamId" => {
                let team = state.teams.get(&id);
                let enabled = department
                    .and_then(|id| state.departments.get(&id))
                    .is_some_and(|department| department.teams_enabled);
                if team.is_none_or(|team| Some(team.department_id) != department) || !enabled {
                    wrong(
                        name,
                        "There is no such team in the department of the ticket.",
                    );
                }
            }
            "status" if module == Module::Tickets && state.status_type(value).is_none() => {
                wrong(name, "The status is unknown.");
            }
            "priority" | "channel" | "classification" if module == Module::Tickets => {
                let known = schema::picklist(name).unwrap_or_default();
                if !known.contains(&value) {
                    wrong(name, "The value is not in the list.");
                }
            }
            _ => {}
        }
    }
    let secondary = change.values.get("secondaryContacts");
    let secondary = secondary.and_then(|list| list.as_ref()?.as_array());
    for id in secondary.into_iter().flatten().filter_map(Value::as_str) {
        if !state.has(Module::Contacts, id.parse().unwrap_or_default()) {
            wrong("secondaryContacts", "There is no such contact.");
        }
    }
    errors
}

/// Both maps of custom values: by API name, by label (§8). What is on no layout or hidden from the caller is not there (§2).
pub(super) fn custom_shown(state: &State, record: &Record) -> (Value, Value) {
    let (mut cf, mut by_label) = (Map::new(), Map::new());
    for field in state.fields_of(record.module) {
        let hidden = state.config.hidden_fields.contains(&field.api_name);
        if hidden || !field.on_layouts {
            continue;
        }
        let value = json!(record.cf.get(&field.api_name));
        cf.insert(field.api_name.clone(), value.clone());
        by_label.insert(field.label.clone(), value);
    }
    (Value::Object(cf), Value::Object(by_label))
}

/// The number of something, or null.
pub(super) fn id_or_null(id: Option<Id>) -> Value {
    id.map_or(Value::Null, |id| json!(id.to_string()))
}

/// A time, or null.
pub(super) fn time_or_null(time: Option<Moment>) -> Value {
    time.map_or(Value::Null, |time| json!(iso(time)))
}

/// A standard field, or null.
pub(super) fn value(record: &Record, name: &str) -> Value {
    record.values.get(name).cloned().unwrap_or(Value::Null)
}

/// A record as answers show it; `whole` is off in lists.
pub(super) fn render(state: &State, record: &Record, whole: bool) -> Value {
    match record.module {
        Module::Tickets => tickets::render(state, record, whole),
        Module::Contacts => contacts::render(state, record),
        Module::Accounts => contacts::render_account(state, record),
        Module::Custom(_) => modules::render(state, record),
        Module::Tasks | Module::Calls | Module::Events => render_activity(state, record),
    }
}

fn render_activity(state: &State, record: &Record) -> Value {
    let (cf, by_label) = custom_shown(state, record);
    let mut shown = json!({
        "id": record.id.to_string(), "cf": cf, "customFields": by_label,
        "createdTime": iso(record.created_at), "modifiedTime": iso(record.modified_at),
        "creatorId": record.created_by.to_string(), "isTrashed": record.trashed.is_some(), "isDeleted": false,
    });
    let names = [
        "subject",
        "description",
        "departmentId",
        "ticketId",
        "contactId",
        "ownerId",
        "priority",
        "category",
        "status",
        "direction",
        "duration",
        "startTime",
        "dueDate",
        "completedTime",
    ];
    if let Some(shown) = shown.as_object_mut() {
        for name in names {
            shown.insert(name.to_owned(), value(record, name));
        }
    }
    shown
}

/// How a list is ordered: by which time, newest first or not.
fn order(call: &Call<'_>, usual: &str) -> Result<(bool, bool), Failure> {
    let asked = call.request.param("sortBy").unwrap_or(usual);
    match asked {
        "createdTime" => Ok((false, false)),
        "-createdTime" => Ok((false, true)),
        "modifiedTime" => Ok((true, false)),
        "-modifiedTime" => Ok((true, true)),
        _ => Err(bad_query("sortBy")),
    }
}

/// A list of live records of a module; those that `keep` takes.
pub(super) fn list(
    call: &Call<'_>,
    module: Module,
    usual: &str,
    known: &[&str],
    keep: impl Fn(&Record) -> bool,
) -> Outcome {
    call.only(&[PAGED, &["sortBy", "include", "viewId"], known])?;
    let paging = call.usual_paging()?;
    let (modified, down) = order(call, usual)?;
    let index = if modified {
        &call.state.modified
    } else {
        &call.state.created
    };
    let keys = index.get(&module).into_iter().flatten();
    let records = keys.filter_map(|(_, id)| call.state.records.get(id));
    let records = records.filter(|record| record.is_live() && keep(record));
    let show = |record: &Record| render(call.state, record, false);
    if down {
        let records: Vec<&Record> = records.collect();
        page(paging, records.into_iter().rev(), show)
    } else {
        page(paging, records, show)
    }
}

/// A list of live records that hang on another one; newest first unless `sortBy` says otherwise.
pub(super) fn list_children(
    call: &Call<'_>,
    module: Module,
    link: &'static str,
    of: Id,
    known: &[&str],
) -> Outcome {
    call.only(&[PAGED, &["sortBy", "include"], known])?;
    let paging = call.usual_paging()?;
    let (modified, down) = order(call, "-createdTime")?;
    let ids = call.state.children(module, link, of);
    let records = ids.iter().filter_map(|id| call.state.records.get(id));
    let mut records: Vec<&Record> = records.filter(|record| record.is_live()).collect();
    if modified {
        records.sort_by_key(|record| key(record.modified_at, record.id));
    }
    if down {
        records.reverse();
    }
    page(paging, records.into_iter(), |record| {
        render(call.state, record, false)
    })
}

/// `POST {module}/moveToTrash`: a 204 (§1, §12).
pub(super) fn move_to_trash(call: &mut Call<'_>, module: Module, key: &str) -> Outcome {
    call.only(&[])?;
    let most = call.state.config.switches.trash_max_ids;
    let ids = call.only_ids(key, most)?;
    let refuse = call.state.config.switches.trash_unknown_refused;
    let unknown = ids
        .iter()
        .find(|id| call.state.record(module, **id).is_err());
    if let Some(id) = unknown.filter(|_| refuse) {
        return Err(Failure::unprocessable(format!(
            "There is no record with the id {id}."
        )));
    }
    for id in ids {
        if call.state.record(module, id).is_ok() {
            trash(call.state, id, call.agent, None);
        }
    }
    Answer::bare(204)
}

/// Moves a record into the recycle bin, with what hangs on it (§12).
pub(super) fn trash(state: &mut State, id: Id, by: Id, with: Option<Id>) {
    let Some(record) = state.records.get(&id) else {
        return;
    };
    if record.trashed.is_some() {
        return;
    }
    let module = record.module;
    let at = state.now;
    state.edit_record(id, |record| {
        record.trashed = Some(super::model::Trashed { at, by, with });
    });
    let life = state.config.switches.trash_life;
    state.schedule(at + life, Due::Purge(id));
    if state.config.switches.trash_takes_children {
        for child in hanging(state, module, id) {
            trash(state, child, by, Some(with.unwrap_or(id)));
        }
    }
}

/// What hangs on a record: tickets of a contact or account, contacts of an account, activities of a ticket.
pub(super) fn hanging(state: &State, module: Module, id: Id) -> Vec<Id> {
    let kinds: &[(Module, &'static str)] = match module {
        Module::Accounts => &[
            (Module::Contacts, "accountId"),
            (Module::Tickets, "accountId"),
        ],
        Module::Contacts => &[(Module::Tickets, "contactId")],
        Module::Tickets => &[
            (Module::Tasks, "ticketId"),
            (Module::Calls, "ticketId"),
            (Module::Events, "ticketId"),
        ],
        _ => &[],
    };
    kinds
        .iter()
        .flat_map(|(module, link)| state.children(*module, link, id))
        .collect()
}

/// A mass action: what `act` says about each (§5).
pub(super) fn mass(
    call: &mut Call<'_>,
    ids: Vec<Id>,
    mut act: impl FnMut(&mut Call<'_>, Id) -> Result<(), Failure>,
) -> Outcome {
    let how = call.state.config.switches.mass_failure;
    let results = ids
        .into_iter()
        .map(|id| match act(call, id) {
            Ok(()) => done(&id.to_string()),
            Err(failure) => failed(how, &id.to_string(), &failure),
        })
        .collect();
    super::answer::mass(results)
}

/// Marks or unmarks spam; of a contact, with its tickets if asked.
pub(super) fn mark_spam(call: &mut Call<'_>, module: Module) -> Outcome {
    call.only(&[])?;
    let mut reader = call.reader(&["ids", "isSpam", "contactSpam", "handleExistingTickets"])?;
    reader.required("ids");
    reader.required("isSpam");
    let ids = reader.ids("ids", 50).unwrap_or_default();
    let spam = reader.flag("isSpam").unwrap_or_default();
    let contacts = reader.flag("contactSpam").unwrap_or_default();
    let tickets = reader.flag("handleExistingTickets").unwrap_or_default();
    reader.finish(call.strict())?;
    mass(call, ids, |call, id| {
        let contact = call.state.live(module, id)?.link("contactId");
        let mut all = vec![id];
        let contact = match module {
            Module::Contacts => Some(id),
            _ => contact.filter(|_| contacts),
        };
        all.extend(contact);
        if let Some(contact) = contact.filter(|_| tickets) {
            all.extend(call.state.children(Module::Tickets, "contactId", contact));
        }
        for id in all {
            call.state.edit_record(id, |record| record.spam = spam);
        }
        Ok(())
    })
}

/// Deletes spam for good.
pub(super) fn delete_spam(call: &mut Call<'_>, module: Module, key: &str) -> Outcome {
    call.only(&[])?;
    let ids = call.only_ids(key, 50)?;
    mass(call, ids, |call, id| {
        if !call.state.live(module, id)?.spam {
            return Err(Failure::unprocessable("The record is no spam."));
        }
        super::bin::erase(call.state, id);
        Ok(())
    })
}

/// A value for `updateMany`, which is text.
pub(super) fn one_value(kind: Kind, text: &str) -> Result<Value, FieldError> {
    fit(&json!(text), kind).map_err(|message| FieldError::invalid("/fieldValue", message))
}
