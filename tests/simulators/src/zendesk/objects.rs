//! Custom objects and their records (Zendesk facts §11).
//!
//! External ids of records are compared with regard to case, unlike those of users. A record holds its lookups as ids
//! in text. Children of a `parent` field are deleted with their parent, a little later.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use serde_json::{Value, json};

use super::answer::{Answer, Details, Failure, Outcome, Payload};
use super::attributes::{Attributes, iso};
use super::call::{Actor, Call, link, page_list};
use super::fields;
use super::jobs::{self, Work};
use super::model::{CustomObject, Field, FieldOwner, FieldType, Id, Record};
use super::state::{Event, State};
use super::{organizations, tickets, uploads, users};

/// Largest record, in bytes (§11).
const RECORD_BYTES: usize = 32 * 1024;
/// Time until the children of a deleted record are gone [INF].
const CHILDREN_DELAY: i64 = 5;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    let method = method.as_str();
    if let ["custom_objects", rest @ ..] = path {
        return Some(objects(call, method, rest));
    }
    match (method, path) {
        ("GET", [target, id, "relationship_fields", field, source]) => {
            Some(reverse(call, target, id, field, source))
        }
        _ => None,
    }
}

fn objects(call: &mut Call<'_>, method: &str, path: &[&str]) -> Outcome {
    let request = call.request;
    match (method, path) {
        ("GET", []) => {
            // §3: not paginated.
            let all = call.state.objects.all.values();
            let list: Vec<Value> = all.map(|object| object_json(&call.base, object)).collect();
            Answer::ok(json!({"custom_objects": list}))
        }
        ("POST", []) => post(call),
        ("GET", ["limits", "object_limit"]) => Answer::ok(json!({
            "count": call.state.objects.all.len(),
            "limit": call.state.config.plan.custom_objects(),
        })),
        ("GET", ["limits", "record_limit"]) => Answer::ok(json!({
            "count": call.state.objects.records.len(), "limit": 50_000_000,
        })),
        (_, [key]) => {
            let object = find(call.state, key)?.clone();
            match method {
                "GET" => Answer::ok(json!({"custom_object": object_json(&call.base, &object)})),
                "PATCH" => {
                    call.admin()?;
                    let mut object = object;
                    let attributes = Attributes::of(&request.json, "custom_object")?;
                    describe(&mut object, attributes)?;
                    object.updated_at = call.state.second();
                    object.updated_by = call.actor.user_id;
                    let body = json!({"custom_object": object_json(&call.base, &object)});
                    call.state.objects.all.insert(object.key.clone(), object);
                    Answer::ok(body)
                }
                "DELETE" => {
                    call.admin()?;
                    delete_object(call.state, &object.key);
                    Answer::bare(204)
                }
                _ => Err(Failure::EndpointNotFound),
            }
        }
        (_, [key, "limits", "field_limit"]) => {
            find(call.state, key)?;
            let owner = FieldOwner::Object((*key).to_owned());
            Answer::ok(json!({
                "count": call.state.fields_of(&owner).count(),
                "limit": call.state.config.switches.object_fields,
            }))
        }
        (_, [key, "fields", rest @ ..]) => object_fields(call, method, key, rest),
        ("POST", [key, "jobs"]) => job(call, key),
        (_, [key, "records", rest @ ..]) => records(call, method, key, rest),
        _ => Err(Failure::EndpointNotFound),
    }
}

fn find<'s>(state: &'s State, key: &str) -> Result<&'s CustomObject, Failure> {
    state.objects.all.get(key).ok_or(Failure::RecordNotFound)
}

// ---- objects

fn object_json(base: &str, object: &CustomObject) -> Value {
    json!({
        "key": object.key,
        "url": format!("{base}/api/v2/custom_objects/{}", object.key),
        "title": object.title,
        "raw_title": object.title,
        "title_pluralized": object.title_pluralized,
        "raw_title_pluralized": object.title_pluralized,
        "description": object.description,
        "raw_description": object.description,
        "include_in_list_view": object.include_in_list_view,
        "allows_attachments": object.allows_attachments,
        "allows_photos": false,
        "created_by_user_id": object.created_by.to_string(),
        "updated_by_user_id": object.updated_by.to_string(),
        "created_at": iso(object.created_at),
        "updated_at": iso(object.updated_at),
    })
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.admin()?;
    let request = call.request;
    let attributes = Attributes::of(&request.json, "custom_object")?;
    let mut details = Details::default();
    let key = attributes.text("key")?.unwrap_or_default();
    let proper = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !proper {
        let text =
            "Key: must begin with a letter and hold lower-case letters, digits and underscores";
        details.add("key", text, Some("InvalidValue"));
    }
    let objects = &call.state.objects;
    let reserved =
        call.state.config.switches.deleted_object_key_reserved && objects.reserved.contains(&key);
    if objects.all.contains_key(&key) || reserved {
        details.add(
            "key",
            format!("Key: {key} has already been taken"),
            Some("DuplicateValue"),
        );
    }
    for name in ["title", "title_pluralized"] {
        if attributes
            .text(name)?
            .is_none_or(|text| text.trim().is_empty())
        {
            details.add(name, format!("{name}: cannot be blank"), Some("BlankValue"));
        }
    }
    if objects.all.len() >= call.state.config.plan.custom_objects() {
        details.add(
            "base",
            "The account has reached the limit of custom objects",
            None,
        );
    }
    details.check()?;
    let now = call.state.second();
    let mut object = CustomObject {
        key: key.clone(),
        title: String::new(),
        title_pluralized: String::new(),
        description: String::new(),
        include_in_list_view: true,
        allows_attachments: false,
        name_unique: false,
        name_autonumbered: false,
        name_prefix: String::new(),
        created_by: call.actor.user_id,
        updated_by: call.actor.user_id,
        created_at: now,
        updated_at: now,
    };
    describe(&mut object, attributes)?;
    let body = json!({"custom_object": object_json(&call.base, &object)});
    call.state.objects.all.insert(key, object);
    Answer::created(body)
}

fn describe(object: &mut CustomObject, attributes: Attributes<'_>) -> Result<(), Failure> {
    let texts = [
        ("title", &mut object.title),
        ("title_pluralized", &mut object.title_pluralized),
        ("description", &mut object.description),
    ];
    for (name, place) in texts {
        if let Some(text) = attributes.text(name)? {
            *place = text;
        }
    }
    if let Some(flag) = attributes.flag("include_in_list_view")? {
        object.include_in_list_view = flag;
    }
    if let Some(flag) = attributes.flag("allows_attachments")? {
        object.allows_attachments = flag;
    }
    Ok(())
}

fn delete_object(state: &mut State, key: &str) {
    let ids: Vec<String> = state
        .objects
        .by_object
        .get(key)
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    for id in ids {
        take_record(state, &id);
    }
    let owner = FieldOwner::Object(key.to_owned());
    let fields: Vec<Id> = state.fields_of(&owner).map(|field| field.id).collect();
    for field in fields {
        // Fields of objects are never system fields, so this cannot be refused.
        let _ = fields::delete(state, field);
    }
    state.objects.all.remove(key);
    state.objects.by_object.remove(key);
    state.objects.reserved.insert(key.to_owned());
}

// ---- fields

/// The limits of the plan on fields of an object.
pub(super) fn check_field_limits(
    state: &State,
    owner: &FieldOwner,
    kind: FieldType,
    details: &mut Details,
) {
    if state.fields_of(owner).count() >= state.config.switches.object_fields {
        details.add("base", "The object has reached the limit of fields", None);
    }
    let lookups = state
        .fields_of(owner)
        .filter(|f| matches!(f.kind, FieldType::Lookup | FieldType::Parent));
    let new_lookup = matches!(kind, FieldType::Lookup | FieldType::Parent);
    if new_lookup && lookups.count() >= state.config.plan.lookup_fields() {
        details.add(
            "base",
            "The object has reached the limit of lookup fields",
            None,
        );
    }
}

/// Whether a lookup can point at this type.
pub(super) fn target_exists(state: &State, target: &str) -> bool {
    match target {
        "zen:user" | "zen:organization" | "zen:ticket" | "zen:article" | "zen:brand" => true,
        _ => target
            .strip_prefix("zen:custom_object:")
            .is_some_and(|key| state.objects.all.contains_key(key)),
    }
}

/// Whether there is a record of this type with this id.
pub(super) fn record_exists(state: &State, target: &str, id: &str) -> bool {
    let number: Option<Id> = id.parse().ok();
    match (target, number) {
        ("zen:user", Some(id)) => state.active_user(id).is_some(),
        ("zen:organization", Some(id)) => state.organizations.contains_key(&id),
        ("zen:ticket", Some(id)) => state.ticket(id).is_ok(),
        ("zen:brand", Some(id)) => state.brand_id == id,
        _ => target
            .strip_prefix("zen:custom_object:")
            .is_some_and(|key| {
                state
                    .objects
                    .records
                    .get(id)
                    .is_some_and(|record| record.object == key)
            }),
    }
}

fn object_fields(call: &mut Call<'_>, method: &str, key: &str, rest: &[&str]) -> Outcome {
    let object = find(call.state, key)?.clone();
    let owner = FieldOwner::Object(key.to_owned());
    let path = format!("{}/api/v2/custom_objects/{key}/fields", call.base);
    let request = call.request;
    let one = |call: &Call<'_>, id: Id, status: u16| -> Outcome {
        let field = call.state.fields.get(&id).ok_or(Failure::RecordNotFound)?;
        Ok(Answer::json(
            status,
            json!({"custom_object_field": fields::render(field, &path)}),
        ))
    };
    let locate = |call: &Call<'_>, text: &str| -> Result<Id, Failure> {
        let by_key = call.state.field(&owner, text).map(|field| field.id);
        let by_id = || {
            text.parse()
                .ok()
                .filter(|id| owned(call.state, &owner, *id))
        };
        by_key.or_else(by_id).ok_or(Failure::RecordNotFound)
    };
    match (method, rest) {
        ("GET", []) => {
            let standard = call.request.param("include_standard_fields") == Some("true");
            let mut list: Vec<Value> = Vec::new();
            if standard {
                list.push(name_field(&object, &path));
            }
            list.extend(
                call.state
                    .fields_of(&owner)
                    .map(|field| fields::render(field, &path)),
            );
            Answer::ok(json!({"custom_object_fields": list}))
        }
        ("POST", []) => {
            call.admin()?;
            let attributes = Attributes::of(&request.json, "custom_object_field")?;
            let id = fields::create(call.state, &owner, attributes)?;
            one(call, id, 201)
        }
        ("GET", ["standard::name"]) => {
            Answer::ok(json!({"custom_object_field": name_field(&object, &path)}))
        }
        ("PATCH", ["standard::name"]) => {
            call.admin()?;
            let attributes = Attributes::of(&request.json, "custom_object_field")?;
            let object = rename_rules(call.state, key, attributes)?;
            Answer::ok(json!({"custom_object_field": name_field(&object, &path)}))
        }
        ("GET", [field]) => locate(call, field).and_then(|id| one(call, id, 200)),
        ("PATCH", [field]) => {
            call.admin()?;
            let id = locate(call, field)?;
            let attributes = Attributes::of(&request.json, "custom_object_field")?;
            fields::update(call.state, id, attributes)?;
            one(call, id, 200)
        }
        ("DELETE", [field]) => {
            call.admin()?;
            let id = locate(call, field)?;
            fields::delete(call.state, id)?;
            Answer::bare(204)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}

fn owned(state: &State, owner: &FieldOwner, id: Id) -> bool {
    state
        .fields
        .get(&id)
        .is_some_and(|field| field.owner == *owner)
}

/// The standard field that every object has; its properties decide about names (§11).
fn name_field(object: &CustomObject, path: &str) -> Value {
    json!({
        "id": 1,
        "url": format!("{path}/standard::name"),
        "key": "standard::name",
        "type": "text",
        "title": "Name",
        "raw_title": "Name",
        "description": "Name",
        "raw_description": "Name",
        "position": 0,
        "active": true,
        "required": true,
        "system": false,
        "regexp_for_validation": null,
        "properties": {
            "is_unique": object.name_unique,
            "autoincrement_enabled": object.name_autonumbered,
            "autoincrement_prefix": object.name_prefix,
            "autoincrement_padding": 0,
            "autoincrement_next_sequence": 1,
        },
        "created_at": iso(object.created_at),
        "updated_at": iso(object.updated_at),
    })
}

fn rename_rules(
    state: &mut State,
    key: &str,
    attributes: Attributes<'_>,
) -> Result<CustomObject, Failure> {
    let used = state
        .objects
        .by_object
        .get(key)
        .is_some_and(|ids| !ids.is_empty());
    let object = state
        .objects
        .all
        .get_mut(key)
        .ok_or(Failure::RecordNotFound)?;
    if let Some(properties) = attributes.raw("properties") {
        let properties = Attributes::bare(properties)?;
        let unique = properties.flag("is_unique")?.unwrap_or(object.name_unique);
        if unique != object.name_unique && used {
            // §11: cannot change once records exist.
            let text = "Name: uniqueness cannot change while there are records";
            return Err(Failure::invalid("base", text, None));
        }
        object.name_unique = unique;
        if let Some(on) = properties.flag("autoincrement_enabled")? {
            object.name_autonumbered = on;
        }
        if let Some(prefix) = properties.text("autoincrement_prefix")? {
            object.name_prefix = prefix;
        }
    }
    Ok(object.clone())
}

// ---- records

/// A record as answers show it.
pub(super) fn render(state: &State, base: &str, record: &Record) -> Value {
    let owner = FieldOwner::Object(record.object.clone());
    let mut values = serde_json::Map::new();
    for field in state.fields_of(&owner) {
        if let Some(key) = &field.key {
            values.insert(key.clone(), fields::shown(field, record.fields.get(key)));
        }
    }
    json!({
        "id": record.id,
        "url": format!("{base}/api/v2/custom_objects/{}/records/{}", record.object, record.id),
        "custom_object_key": record.object,
        "name": record.name,
        "external_id": record.external_id,
        "custom_object_fields": values,
        "photo": null,
        "created_by_user_id": record.created_by.to_string(),
        "updated_by_user_id": record.updated_by.to_string(),
        "created_at": iso(record.created_at),
        "updated_at": iso(record.updated_at),
    })
}

fn records(call: &mut Call<'_>, method: &str, key: &str, rest: &[&str]) -> Outcome {
    find(call.state, key)?;
    let request = call.request;
    let one = |call: &Call<'_>, id: &str, status: u16| -> Outcome {
        let record = record_of(call.state, key, id)?;
        let body = json!({"custom_object_record": render(call.state, &call.base, record)});
        Ok(Answer::json(status, body))
    };
    match (method, rest) {
        ("GET", []) => list(call, key),
        ("POST", []) => {
            let attributes = Attributes::of(&request.json, "custom_object_record")?;
            let id = create(call.state, &call.actor, key, attributes)?;
            one(call, &id, 201)
        }
        ("PATCH", []) => {
            let attributes = Attributes::of(&request.json, "custom_object_record")?;
            let wanted = wanted_key(call)?;
            let id = upsert(call.state, &call.actor, key, &wanted, attributes)?.0;
            one(call, &id, 200)
        }
        ("DELETE", []) => {
            let wanted = wanted_key(call)?;
            let id = locate(call.state, key, &wanted).ok_or(Failure::RecordNotFound)?;
            delete(call.state, &id);
            Answer::bare(204)
        }
        ("GET", ["count"]) => {
            let count = call
                .state
                .objects
                .by_object
                .get(key)
                .map_or(0, BTreeSet::len);
            Answer::ok(users::count_json(call, count))
        }
        ("GET" | "POST", ["search"]) => search(call, key),
        ("GET", ["autocomplete"]) => search(call, key),
        ("GET", [id]) => one(call, id, 200),
        ("PATCH", [id]) => {
            let attributes = Attributes::of(&request.json, "custom_object_record")?;
            record_of(call.state, key, id)?;
            update(call.state, &call.actor, id, attributes)?;
            one(call, id, 200)
        }
        ("DELETE", [id]) => {
            record_of(call.state, key, id)?;
            delete(call.state, id);
            Answer::bare(204)
        }
        (_, [id, "attachments", rest @ ..]) => attachments(call, method, key, id, rest),
        _ => Err(Failure::EndpointNotFound),
    }
}

fn record_of<'s>(state: &'s State, key: &str, id: &str) -> Result<&'s Record, Failure> {
    let record = state
        .objects
        .records
        .get(id)
        .filter(|record| record.object == key);
    record.ok_or(Failure::RecordNotFound)
}

/// What an upsert or a deletion goes by.
enum Wanted {
    External(String),
    Name(String),
}

fn wanted_key(call: &Call<'_>) -> Result<Wanted, Failure> {
    let external = call
        .request
        .param("external_id")
        .map(str::to_owned)
        .map(Wanted::External);
    let name = call
        .request
        .param("name")
        .map(str::to_owned)
        .map(Wanted::Name);
    external.or(name).ok_or_else(|| {
        Failure::bad_request("BadRequest", "Parameter external_id or name is required")
    })
}

fn locate(state: &State, key: &str, wanted: &Wanted) -> Option<String> {
    match wanted {
        // With regard to case (§11).
        Wanted::External(id) => state
            .objects
            .by_external
            .get(&(key.to_owned(), id.clone()))
            .cloned(),
        Wanted::Name(name) => {
            let found = state.objects.by_name.get(&(key.to_owned(), name.clone()))?;
            found.iter().next().cloned()
        }
    }
}

fn list(call: &mut Call<'_>, key: &str) -> Outcome {
    let externals = call.request.list("filter[external_ids]");
    let wanted = call.request.list("filter[ids]");
    let objects = &call.state.objects;
    let ids: Vec<String> = match (externals, wanted) {
        (Some(externals), _) => externals
            .into_iter()
            .filter_map(|id| objects.by_external.get(&(key.to_owned(), id)).cloned())
            .collect(),
        (None, Some(ids)) => ids
            .into_iter()
            .filter(|id| record_of(call.state, key, id).is_ok())
            .collect(),
        (None, None) => return walk(call, key),
    };
    found(call, &ids)
}

/// All records of an object, in order of id; costs no more than the page.
fn walk(call: &Call<'_>, key: &str) -> Outcome {
    let size = call
        .request
        .param("page[size]")
        .and_then(|s| s.parse().ok())
        .unwrap_or(100);
    let size: usize = size;
    if !(1..=100).contains(&size) {
        return Err(Failure::JsonApi {
            status: 400,
            code: "InvalidPaginationParameter",
            title: "page[size] is not valid".to_owned(),
        });
    }
    let after = call.request.param("page[after]").and_then(|text| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        String::from_utf8(bytes).ok()
    });
    let none = BTreeSet::new();
    let all = call.state.objects.by_object.get(key).unwrap_or(&none);
    let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let mut ids: Vec<&String> = all
        .range::<String, _>((from, Bound::Unbounded))
        .take(size + 1)
        .collect();
    let more = ids.len() > size;
    ids.truncate(size);
    let records: Vec<Value> = ids
        .iter()
        .filter_map(|id| call.state.objects.records.get(*id))
        .map(|record| render(call.state, &call.base, record))
        .collect();
    let cursor = ids.last().map(|id| URL_SAFE_NO_PAD.encode(id));
    let next = cursor.as_ref().filter(|_| more).map(|cursor| {
        let mut query = call.request.query.clone();
        query.retain(|(key, _)| key != "page[after]");
        query.push(("page[after]".to_owned(), cursor.clone()));
        link(call, &query)
    });
    Answer::ok(json!({
        "custom_object_records": records,
        "count": all.len(),
        "meta": {"has_more": more, "after_cursor": cursor, "before_cursor": null},
        "links": {"next": next, "prev": null},
    }))
}

fn found(call: &Call<'_>, ids: &[String]) -> Outcome {
    let mut answer = page_list(call, "custom_object_records", ids.len(), |at| {
        let record = call.state.objects.records.get(ids.get(at)?)?;
        Some(render(call.state, &call.base, record))
    })?;
    // Records are paged by cursor only, so a page always has that form.
    if let Payload::Json(body) = &mut answer.body
        && let Some(body) = body.as_object_mut()
        && !body.contains_key("meta")
    {
        body.remove("next_page");
        body.remove("previous_page");
        body.insert("count".to_owned(), json!(ids.len()));
        let meta = json!({"has_more": false, "after_cursor": null, "before_cursor": null});
        body.insert("meta".to_owned(), meta);
        body.insert("links".to_owned(), json!({"next": null, "prev": null}));
    }
    Ok(answer)
}

/// Search by words in name, external id and text fields, or by a filter on fields; from the index, with its lag.
fn search(call: &mut Call<'_>, key: &str) -> Outcome {
    let query = call.request.param("query").or(call.request.param("name"));
    let query = query.unwrap_or_default().to_lowercase();
    let filter = call.request.json.get("filter").cloned();
    let matches = |record: &Record| {
        let words = query.split_whitespace().all(|word| {
            record.name.to_lowercase().contains(word)
                || record
                    .external_id
                    .as_ref()
                    .is_some_and(|e| e.to_lowercase().contains(word))
                || record.fields.values().any(|v| {
                    v.as_str()
                        .is_some_and(|text| text.to_lowercase().contains(word))
                })
        });
        words
            && filter
                .as_ref()
                .is_none_or(|filter| filter_holds(record, filter))
    };
    let none = BTreeSet::new();
    let ids: Vec<String> = call
        .state
        .objects
        .by_object
        .get(key)
        .unwrap_or(&none)
        .iter()
        .filter_map(|id| call.state.objects.records.get(id))
        .filter(|r| super::search::visible(call.state, r.created_at, None) && matches(r))
        .map(|record| record.id.clone())
        .collect();
    found(call, &ids)
}

/// `{"$and":[…]}`, `{"$or":[…]}` or `{"custom_object_fields.key":{"$eq":…}}` (also `name`, `external_id`).
fn filter_holds(record: &Record, filter: &Value) -> bool {
    let Some(filter) = filter.as_object() else {
        return false;
    };
    filter.iter().all(|(key, value)| match key.as_str() {
        "$and" => value
            .as_array()
            .is_some_and(|l| l.iter().all(|f| filter_holds(record, f))),
        "$or" => value
            .as_array()
            .is_some_and(|l| l.iter().any(|f| filter_holds(record, f))),
        _ => {
            let have = match key.as_str() {
                "name" => Some(json!(record.name)),
                "external_id" => record.external_id.as_ref().map(|id| json!(id)),
                _ => {
                    let key = key.strip_prefix("custom_object_fields.").unwrap_or(key);
                    record.fields.get(key).cloned()
                }
            };
            let test = |operator: &str, wanted: &Value| match operator {
                "$eq" => have.as_ref() == Some(wanted),
                "$noteq" => have.as_ref() != Some(wanted),
                "$in" => wanted
                    .as_array()
                    .is_some_and(|l| have.as_ref().is_some_and(|h| l.contains(h))),
                _ => false,
            };
            value
                .as_object()
                .is_some_and(|tests| tests.iter().all(|(op, v)| test(op, v)))
        }
    })
}

// ---- writes

/// Makes a record; its id.
pub(super) fn create(
    state: &mut State,
    actor: &Actor,
    key: &str,
    attributes: Attributes<'_>,
) -> Result<String, Failure> {
    let object = find(state, key)?.clone();
    let now = state.second();
    state.objects.sequence += 1;
    let id = ulid(state.now.timestamp_millis(), state.objects.sequence);
    let mut record = Record {
        id: id.clone(),
        object: key.to_owned(),
        name: String::new(),
        external_id: None,
        fields: BTreeMap::new(),
        attachments: Vec::new(),
        created_by: actor.user_id,
        updated_by: actor.user_id,
        created_at: now,
        updated_at: now,
    };
    let mut details = Details::default();
    let given = attributes
        .text("name")?
        .filter(|name| !name.trim().is_empty());
    // §11: the name is mandatory, unless it is numbered by the account: then it is forbidden.
    match (object.name_autonumbered, given) {
        (true, Some(_)) => {
            details.add(
                "name",
                "Name: must not be given, it is autonumbered",
                Some("InvalidValue"),
            );
        }
        (true, None) => {
            let count = state.objects.sequence;
            record.name = format!("{}{count}", object.name_prefix);
        }
        (false, Some(name)) => record.name = name,
        (false, None) => details.add("name", "Name: cannot be blank", Some("BlankValue")),
    }
    apply(state, &object, &mut record, attributes, &mut details, true)?;
    details.check()?;
    put_record(state, record);
    Ok(id)
}

/// Changes a record: only what is given.
pub(super) fn update(
    state: &mut State,
    actor: &Actor,
    id: &str,
    attributes: Attributes<'_>,
) -> Result<(), Failure> {
    let mut record = state
        .objects
        .records
        .get(id)
        .ok_or(Failure::RecordNotFound)?
        .clone();
    let object = find(state, &record.object)?.clone();
    let mut details = Details::default();
    if let Some(name) = attributes.text("name")? {
        if object.name_autonumbered {
            details.add(
                "name",
                "Name: must not be given, it is autonumbered",
                Some("InvalidValue"),
            );
        } else if name.trim().is_empty() {
            details.add("name", "Name: cannot be blank", Some("BlankValue"));
        } else {
            record.name = name;
        }
    }
    apply(state, &object, &mut record, attributes, &mut details, false)?;
    details.check()?;
    record.updated_at = state.second();
    record.updated_by = actor.user_id;
    put_record(state, record);
    Ok(())
}

fn apply(
    state: &State,
    object: &CustomObject,
    record: &mut Record,
    attributes: Attributes<'_>,
    details: &mut Details,
    new: bool,
) -> Result<(), Failure> {
    if attributes.given("external_id") {
        let external = attributes.text("external_id")?.filter(|id| !id.is_empty());
        let key = |id: &String| (object.key.clone(), id.clone());
        let owner = external
            .as_ref()
            .and_then(|id| state.objects.by_external.get(&key(id)));
        if owner.is_some_and(|owner| *owner != record.id) {
            let text = "External ID: has already been taken";
            details.add("external_id", text, Some("DuplicateValue"));
        }
        record.external_id = external;
    }
    if object.name_unique {
        let same = state
            .objects
            .by_name
            .get(&(object.key.clone(), record.name.clone()));
        if same.into_iter().flatten().any(|id| *id != record.id) {
            details.add(
                "name",
                "Name: has already been taken",
                Some("DuplicateValue"),
            );
        }
    }
    let owner = FieldOwner::Object(object.key.clone());
    if let Some(values) = attributes.object("custom_object_fields")? {
        fields::set_keyed(state, &owner, &mut record.fields, values, details);
    }
    if new {
        let missing = |f: &&Field| {
            f.required
                && f.key
                    .as_ref()
                    .is_some_and(|k| !record.fields.contains_key(k))
        };
        for field in state.fields_of(&owner).filter(missing) {
            let key = field.key.as_deref().unwrap_or_default();
            details.add(
                key,
                format!("{}: cannot be blank", field.title),
                Some("BlankValue"),
            );
        }
    }
    let size = record.name.len() + json!(record.fields).to_string().len();
    if size > RECORD_BYTES {
        details.add(
            "base",
            "The record is larger than 32 KB",
            Some("ValueTooLong"),
        );
    }
    Ok(())
}

fn upsert(
    state: &mut State,
    actor: &Actor,
    key: &str,
    wanted: &Wanted,
    attributes: Attributes<'_>,
) -> Result<(String, bool), Failure> {
    if matches!(wanted, Wanted::Name(_)) && !find(state, key)?.name_unique {
        // §11: an upsert by name needs unique names.
        let text = "Name: is not unique for this object";
        return Err(Failure::invalid("base", text, Some("InvalidValue")));
    }
    if let Some(id) = locate(state, key, wanted) {
        update(state, actor, &id, attributes)?;
        return Ok((id, false));
    }
    let id = match wanted {
        Wanted::External(external) => {
            let id = create(state, actor, key, attributes)?;
            if let Some(mut record) = state.objects.records.get(&id).cloned() {
                record.external_id = Some(external.clone());
                put_record(state, record);
            }
            id
        }
        Wanted::Name(_) => create(state, actor, key, attributes)?,
    };
    Ok((id, true))
}

/// Stores a record and keeps the indexes.
pub(super) fn put_record(state: &mut State, record: Record) {
    take_record(state, &record.id);
    let object = record.object.clone();
    for (target, field) in targets(state, &record) {
        let place = (record.id.clone(), field);
        state
            .objects
            .by_target
            .entry(target)
            .or_default()
            .insert(place);
    }
    let objects = &mut state.objects;
    objects
        .by_object
        .entry(object.clone())
        .or_default()
        .insert(record.id.clone());
    objects
        .by_name
        .entry((object.clone(), record.name.clone()))
        .or_default()
        .insert(record.id.clone());
    if let Some(external) = &record.external_id {
        objects
            .by_external
            .insert((object, external.clone()), record.id.clone());
    }
    objects
        .changed
        .insert((record.updated_at, record.id.clone()));
    objects.records.insert(record.id.clone(), record);
}

fn take_record(state: &mut State, id: &str) -> Option<Record> {
    let record = state.objects.records.remove(id)?;
    for (target, field) in targets(state, &record) {
        if let Some(set) = state.objects.by_target.get_mut(&target) {
            set.remove(&(record.id.clone(), field));
        }
    }
    let objects = &mut state.objects;
    if let Some(ids) = objects.by_object.get_mut(&record.object) {
        ids.remove(id);
    }
    let name = (record.object.clone(), record.name.clone());
    if let Some(ids) = objects.by_name.get_mut(&name) {
        ids.remove(id);
        if ids.is_empty() {
            objects.by_name.remove(&name);
        }
    }
    if let Some(external) = &record.external_id {
        objects
            .by_external
            .remove(&(record.object.clone(), external.clone()));
    }
    objects.changed.remove(&(record.updated_at, id.to_owned()));
    Some(record)
}

/// What the record's lookups point at, with the field's key.
fn targets(state: &State, record: &Record) -> Vec<((String, String), String)> {
    let owner = FieldOwner::Object(record.object.clone());
    let lookups = record.fields.iter().filter_map(|(key, value)| {
        let field = state.field(&owner, key)?;
        let target = field.target.clone()?;
        Some(((target, value.as_str()?.to_owned()), key.clone()))
    });
    lookups.collect()
}

fn delete(state: &mut State, id: &str) {
    let Some(mut record) = take_record(state, id) else {
        return;
    };
    for file in &record.attachments {
        uploads::forget(state, file);
    }
    let later = state.now + Duration::seconds(CHILDREN_DELAY);
    state.schedule(
        later,
        Event::DeleteChildren(record.object.clone(), record.id.clone()),
    );
    record.updated_at = state.second();
    state
        .objects
        .changed
        .insert((record.updated_at, record.id.clone()));
    state.objects.tombstones.insert(record.id.clone(), record);
}

/// The children of a deleted record follow it (§11).
pub(super) fn delete_children(state: &mut State, object: &str, parent: &str) {
    let target = (format!("zen:custom_object:{object}"), parent.to_owned());
    let places: Vec<(String, String)> = state
        .objects
        .by_target
        .get(&target)
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    for (id, key) in places {
        let Some(record) = state.objects.records.get(&id) else {
            continue;
        };
        let owner = FieldOwner::Object(record.object.clone());
        let is_child = state
            .field(&owner, &key)
            .is_some_and(|f| f.kind == FieldType::Parent);
        if is_child {
            delete(state, &id);
        }
    }
}

/// 26 characters: time, then a counter, so that ids sort in order of making.
fn ulid(ms: i64, sequence: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let number = (u128::from(ms.unsigned_abs()) << 80) | u128::from(sequence);
    let digit = |place: u32| {
        let at = usize::try_from((number >> (5 * place)) & 31).unwrap_or(0);
        DIGITS.get(at).copied().map_or('0', char::from)
    };
    (0..26).rev().map(digit).collect()
}

// ---- jobs

fn job(call: &mut Call<'_>, key: &str) -> Outcome {
    find(call.state, key)?;
    let request = call.request;
    let attributes = Attributes::of(&request.json, "job")?;
    let action = attributes.text("action")?.unwrap_or_default();
    let known = [
        "create",
        "update",
        "delete",
        "delete_by_external_id",
        "create_or_update_by_external_id",
        "create_or_update_by_name",
    ];
    if !known.contains(&action.as_str()) {
        return Err(super::attributes::bad("action", "is not a known action"));
    }
    let items = attributes.list("items");
    if items.is_empty() || items.len() > 100 {
        return Err(super::attributes::bad("items", "must hold 1 to 100 items"));
    }
    let work = items.into_iter().map(|item| Work::Record {
        object: key.to_owned(),
        action: action.clone(),
        item: item.clone(),
    });
    let work = work.collect();
    // §11: 201, and ids with a version.
    let id = format!("V3-{}", call.state.hex(32));
    let body = jobs::queue(call, "CustomObjectRecordBulkJob", &action, work, id)?;
    Answer::created(body)
}

/// One row of a job on records.
pub(super) fn job_row(
    state: &mut State,
    actor: &Actor,
    object: &str,
    action: &str,
    item: &Value,
) -> Result<Value, Failure> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let id_of = |item: &Value| text(item).or_else(|| item.get("id").and_then(text));
    let external_of = |item: &Value| text(item).or_else(|| item.get("external_id").and_then(text));
    let (id, made) = match action {
        "create" => (create(state, actor, object, Attributes::bare(item)?)?, true),
        "update" => {
            let id = id_of(item).ok_or(Failure::RecordNotFound)?;
            record_of(state, object, &id)?;
            update(state, actor, &id, Attributes::bare(item)?)?;
            (id, false)
        }
        "delete" | "delete_by_external_id" => {
            let id = if action == "delete" {
                id_of(item)
            } else {
                external_of(item).and_then(|e| locate(state, object, &Wanted::External(e)))
            };
            let id = id.ok_or(Failure::RecordNotFound)?;
            record_of(state, object, &id)?;
            delete(state, &id);
            return Ok(json!({"id": id, "action": "delete", "status": "Deleted", "success": true}));
        }
        _ => {
            let name = || item.get("name").and_then(text).map(Wanted::Name);
            let by_name = action == "create_or_update_by_name";
            let wanted = if by_name {
                name()
            } else {
                external_of(item).map(Wanted::External)
            };
            let wanted = wanted.ok_or_else(|| {
                Failure::invalid("base", "The item has no key to go by", Some("BlankValue"))
            })?;
            upsert(state, actor, object, &wanted, Attributes::bare(item)?)?
        }
    };
    let record = record_of(state, object, &id)?;
    Ok(json!({
        "id": id,
        "external_id": record.external_id,
        "name": record.name,
        "status": if made { "Created" } else { "Updated" },
        "success": true,
    }))
}

// ---- attachments, reverse lookup

fn attachments(call: &mut Call<'_>, method: &str, key: &str, id: &str, rest: &[&str]) -> Outcome {
    let allowed = find(call.state, key)?.allows_attachments;
    let record = record_of(call.state, key, id)?.clone();
    if !allowed {
        let body = json!({"error": "Attachments are not allowed for this object"});
        return Ok(Answer::json(400, body));
    }
    match (method, rest) {
        ("GET", []) => {
            let list: Vec<Value> = record
                .attachments
                .iter()
                .map(|file| uploads::render(&call.base, file))
                .collect();
            Answer::ok(json!({"attachments": list}))
        }
        ("POST", []) => {
            let Some(streamed) = call.request.upload.clone() else {
                return Ok(Answer::json(
                    400,
                    json!({"error": "uploaded_data is missing"}),
                ));
            };
            let name = call.request.param("filename").unwrap_or("file").to_owned();
            let kind = call
                .request
                .header("x-part-content-type")
                .unwrap_or("application/octet-stream");
            let file = uploads::store(call.state, name, kind.to_owned(), streamed);
            let body = json!({"attachment": uploads::render(&call.base, &file)});
            let mut record = record;
            record.attachments.push(file);
            put_record(call.state, record);
            Answer::ok(body)
        }
        ("DELETE", [file]) => {
            let file = call.id(file)?;
            let mut record = record;
            let at = record.attachments.iter().position(|f| f.id == file);
            let gone = record
                .attachments
                .remove(at.ok_or(Failure::RecordNotFound)?);
            uploads::forget(call.state, &gone);
            put_record(call.state, record);
            Answer::bare(204)
        }
        ("GET", [file, "download"]) => {
            let file = call.id(file)?;
            let found = record.attachments.iter().find(|f| f.id == file);
            let token = found.ok_or(Failure::RecordNotFound)?.token.clone();
            uploads::download(call, &token)
        }
        _ => Err(Failure::EndpointNotFound),
    }
}

/// `GET /{target_type}/{target_id}/relationship_fields/{field_id}/{source_type}`: what points at a record.
fn reverse(call: &mut Call<'_>, target: &str, id: &str, field: &str, source: &str) -> Outcome {
    let field = call
        .state
        .fields
        .get(&call.id(field)?)
        .ok_or(Failure::RecordNotFound)?
        .clone();
    if field.target.as_deref() != Some(target) {
        return Err(Failure::RecordNotFound);
    }
    let points = |value: Option<&Value>| value.and_then(Value::as_str) == Some(id);
    let key = field.key.clone().unwrap_or_default();
    match (source, &field.owner) {
        ("zen:ticket", FieldOwner::Ticket) => {
            // §12: archived tickets are left out.
            let state = &*call.state;
            let all = state.tickets.values().filter(|ticket| {
                ticket.deleted.is_none()
                    && !tickets::archived(state, ticket)
                    && points(ticket.custom_fields.get(&field.id))
            });
            let list: Vec<Id> = all.map(|ticket| ticket.id).collect();
            page_list(call, "tickets", list.len(), |at| {
                let ticket = state.tickets.get(list.get(at)?)?;
                Some(tickets::render(state, &call.base, ticket))
            })
        }
        ("zen:user", FieldOwner::User) => {
            let all = call.state.users.values();
            let list: Vec<Id> = all
                .filter(|user| user.active && points(user.user_fields.get(&key)))
                .map(|user| user.id)
                .collect();
            page_list(call, "users", list.len(), |at| {
                let user = call.state.users.get(list.get(at)?)?;
                Some(users::render(call.state, &call.base, user))
            })
        }
        ("zen:organization", FieldOwner::Organization) => {
            let all = call.state.organizations.values();
            let list: Vec<Id> = all
                .filter(|o| points(o.organization_fields.get(&key)))
                .map(|o| o.id)
                .collect();
            page_list(call, "organizations", list.len(), |at| {
                Some(organizations::render(
                    call,
                    call.state.organizations.get(list.get(at)?)?,
                ))
            })
        }
        (_, FieldOwner::Object(object)) if source == format!("zen:custom_object:{object}") => {
            let places = call
                .state
                .objects
                .by_target
                .get(&(target.to_owned(), id.to_owned()));
            let ids: Vec<String> = places
                .into_iter()
                .flatten()
                .filter(|(_, k)| *k == key)
                .map(|(id, _)| id.clone())
                .collect();
            found(call, &ids)
        }
        _ => Err(Failure::RecordNotFound),
    }
}
