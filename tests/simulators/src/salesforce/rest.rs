//! Single records, descriptions, queries and limits (Salesforce facts §2, §5, §7).

use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome, RowError};
use super::call::Call;
use super::dml::{self, Found};
use super::ids;
use super::schema::{Field, Kind, Object, describe_field};
use super::soql::{self, Scope};
use super::state::{Access, Locator, Row, State};

/// Answers a request, given the path behind the version.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    let request = call.request;
    let method = match (request.method.as_str(), request.param("_HttpMethod")) {
        ("POST", Some(other)) => other.to_uppercase(),
        (method, _) => method.to_owned(),
    };
    match (method.as_str(), path) {
        ("GET", [] | [""]) => resources(call),
        ("GET", ["limits"]) => limits(call),
        ("GET", ["limits", "recordCount"]) => record_count(call),
        ("GET", ["query"]) => query(
            call,
            Scope {
                deleted: false,
                tooling: false,
            },
        ),
        ("GET", ["queryAll"]) => query(
            call,
            Scope {
                deleted: true,
                tooling: false,
            },
        ),
        ("GET", ["query" | "queryAll", locator]) => more(call, locator),
        ("GET", ["sobjects"]) => all_objects(call),
        ("GET", ["sobjects", object]) => basics(call, object),
        ("POST", ["sobjects", object]) => create(call, object),
        ("GET", ["sobjects", object, "describe"]) => describe(call, object),
        (method, ["sobjects", object, id]) => single(call, method, object, id),
        ("GET", ["sobjects", object, id, field]) if is_of(call.state, object, id) => {
            blob(call, object, id, field)
        }
        (method, ["sobjects", object, field, value]) => {
            by_external(call, method, object, field, value)
        }
        (_, ["query" | "queryAll" | "limits" | "sobjects", ..]) => Err(Failure::method()),
        _ => Err(Failure::not_found()),
    }
}

fn is_of(state: &State, object: &str, id: &str) -> bool {
    let prefix = state.object(object).map(|object| object.prefix.clone());
    ids::full(id).is_some_and(|id| prefix.is_some_and(|prefix| id.starts_with(&prefix)))
}

fn object_of<'s>(call: &'s Call<'_>, name: &str) -> Result<&'s Object, Failure> {
    dml::visible(call.state, &call.access, name).map_err(|_| Failure::not_found())
}

fn resources(call: &Call<'_>) -> Outcome {
    let base = format!("/services/data/{}", call.version);
    let names = [
        "sobjects",
        "query",
        "queryAll",
        "limits",
        "composite",
        "tooling",
        "jobs",
    ];
    let list: Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!(format!("{base}/{name}"))))
        .collect();
    Answer::ok(Value::Object(list))
}

fn limits(call: &Call<'_>) -> Outcome {
    let state = &call.state;
    let (data, files) = state.storage();
    let pair = |max: u64, used: u64| json!({"Max": max, "Remaining": max.saturating_sub(used)});
    let config = &state.config;
    Answer::ok(json!({
        "DailyApiRequests": pair(config.daily_requests, state.calls_used()),
        "DailyBulkApiBatches": pair(15_000, 0),
        "DailyBulkV2QueryJobs": pair(10_000, 0),
        "DailyBulkV2QueryFileStorageMB": pair(976_562, 0),
        "DataStorageMB": pair(config.data_storage_mb, data),
        "FileStorageMB": pair(config.file_storage_mb, files),
        "HourlyTimeBasedWorkflow": pair(1_000, 0),
        "SingleEmail": pair(5_000, 0),
        "MassEmail": pair(5_000, 0),
        "DailyWorkflowEmails": pair(15_000, 0),
        "HourlyAsyncReportRuns": pair(1_200, 0),
        "PermissionSets": {"Max": 1_500, "Remaining": 1_499, "CreateCustom": {"Max": 1_000, "Remaining": 999}},
    }))
}

fn record_count(call: &Call<'_>) -> Outcome {
    let wanted = call.request.param("sObjects").unwrap_or_default();
    let mut counts = Vec::new();
    for name in wanted
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let Ok(object) = object_of(call, name) else {
            continue;
        };
        counts
            .push(json!({"name": object.name, "count": call.state.live_of(&object.name).count()}));
    }
    Answer::ok(json!({"sObjects": counts}))
}

// ---- queries

/// Answers a query, a page at a time.
pub(super) fn query(call: &mut Call<'_>, scope: Scope) -> Outcome {
    let Some(text) = call.request.param("q") else {
        return Err(Failure::new(
            "MALFORMED_QUERY",
            "A query string has to be specified",
        ));
    };
    let query = soql::parse(text, call.state.now)?;
    let found = soql::answer(call.state, &call.access, &query, scope)?;
    let wanted = call.request.option("sforce-query-options", "batchSize");
    let wanted = wanted
        .and_then(|size| size.parse::<usize>().ok())
        .unwrap_or(2_000)
        .clamp(200, 2_000);
    // Pages with long texts are shorter than asked for (§7 [MEM]).
    let short = found.is_long && call.state.config.switches.short_pages;
    let page = if short { wanted.min(250) } else { wanted };
    let count = found.size;
    page_of(call, found.records, count, 0, page)
}

fn page_of(
    call: &mut Call<'_>,
    records: Vec<Value>,
    size: usize,
    from: usize,
    page: usize,
) -> Outcome {
    let end = (from + page).min(records.len());
    if end >= records.len() {
        let rest: Vec<Value> = records.into_iter().skip(from).collect();
        return Answer::ok(json!({"totalSize": size, "done": true, "records": rest}));
    }
    let key = call.state.new_id("01g");
    let shown: Vec<Value> = records.iter().skip(from).take(page).cloned().collect();
    let next = format!("{key}-{end}");
    let made = call.state.now;
    call.state.locators.insert(
        format!("{key}/{page}"),
        Locator {
            records,
            size,
            made,
        },
    );
    Answer::ok(json!({
        "totalSize": size,
        "done": false,
        "nextRecordsUrl": format!("/services/data/{}/query/{next}", call.version),
        "records": shown,
    }))
}

fn more(call: &mut Call<'_>, locator: &str) -> Outcome {
    let invalid = || Failure::new("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (key, from) = locator.rsplit_once('-').ok_or_else(invalid)?;
    let from: usize = from.parse().map_err(|_| invalid())?;
    let found = call
        .state
        .locators
        .iter()
        .find(|(name, _)| name.starts_with(key))
        .map(|(name, l)| (name.clone(), l.clone()));
    let (name, found) = found.ok_or_else(invalid)?;
    let page: usize = name
        .rsplit_once('/')
        .and_then(|(_, page)| page.parse().ok())
        .unwrap_or(2_000);
    if from >= found.records.len() {
        return Err(invalid());
    }
    let end = (from + page).min(found.records.len());
    let shown: Vec<Value> = found
        .records
        .iter()
        .skip(from)
        .take(page)
        .cloned()
        .collect();
    let done = end >= found.records.len();
    let mut body = json!({"totalSize": found.size, "done": done, "records": shown});
    if let Some(map) = body.as_object_mut().filter(|_| !done) {
        let next = format!("/services/data/{}/query/{key}-{end}", call.version);
        map.insert("nextRecordsUrl".to_owned(), json!(next));
    }
    Answer::ok(body)
}

// ---- descriptions

fn head(access: &Access, object: &Object, base: &str) -> Map<String, Value> {
    let rights = access.to(object);
    let url = format!("{base}/sobjects/{}", object.name);
    let head = json!({
        "activateable": false,
        "associateEntityType": null,
        "associateParentEntity": null,
        "createable": object.has('c') && rights.create,
        "custom": object.custom,
        "customSetting": false,
        "deepCloneable": false,
        "deletable": object.has('d') && rights.delete,
        "deprecatedAndHidden": false,
        "feedEnabled": object.name == "Case",
        "hasSubtypes": false,
        "isInterface": false,
        "isSubtype": false,
        "keyPrefix": object.prefix,
        "label": object.label,
        "labelPlural": object.plural,
        "layoutable": !object.has('s'),
        "mergeable": matches!(object.name.as_str(), "Account" | "Contact" | "Lead" | "Case"),
        "mruEnabled": object.has('k') || object.custom,
        "name": object.name,
        "queryable": object.has('q'),
        "replicateable": true,
        "retrieveable": true,
        "searchable": object.has('k') || object.custom,
        "triggerable": object.has('k') || object.custom,
        "undeletable": object.has('r') || object.custom,
        "updateable": object.has('u') && rights.edit,
        "urls": {
            "sobject": url, "describe": format!("{url}/describe"), "rowTemplate": format!("{url}/{{ID}}"),
        },
    });
    match head {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn sorted_objects<'s>(call: &'s Call<'_>) -> Vec<&'s Object> {
    let mut objects: Vec<&Object> = call
        .state
        .objects
        .values()
        .filter(|object| !object.has('t') && call.access.to(object).read)
        .collect();
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    objects
}

fn unchanged(call: &Call<'_>) -> bool {
    let since = call.request.header("if-modified-since");
    let since = since.and_then(|text| chrono::DateTime::parse_from_rfc2822(text).ok());
    since.is_some_and(|since| since.to_utc() >= call.state.schema_changed)
}

fn last_modified(call: &Call<'_>) -> String {
    call.state
        .schema_changed
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

fn all_objects(call: &Call<'_>) -> Outcome {
    if unchanged(call) {
        return Ok(Answer::empty(304));
    }
    let base = format!("/services/data/{}", call.version);
    let objects: Vec<Value> = sorted_objects(call)
        .into_iter()
        .map(|object| Value::Object(head(&call.access, object, &base)))
        .collect();
    let body = json!({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": objects});
    Ok(Answer::json(200, body).with("last-modified", last_modified(call)))
}

fn basics(call: &Call<'_>, name: &str) -> Outcome {
    let object = object_of(call, name)?;
    let base = format!("/services/data/{}", call.version);
    Answer::ok(json!({"objectDescribe": head(&call.access, object, &base), "recentItems": []}))
}

fn describe(call: &Call<'_>, name: &str) -> Outcome {
    let object = object_of(call, name)?;
    if unchanged(call) {
        return Ok(Answer::empty(304));
    }
    let base = format!("/services/data/{}", call.version);
    let mut body = head(&call.access, object, &base);
    let fields = object
        .fields
        .iter()
        .filter(|field| call.access.field(object, field).0)
        .map(|field| {
            let may_edit = call.access.field(object, field).1;
            let (c, u) = (
                call.access.creates(object, field),
                call.access.updates(object, field),
            );
            let mut shown = describe_field(field, c, u, may_edit);
            if let Some(shown) = shown.as_object_mut() {
                let targets = targets(call.state, field);
                shown.insert("referenceTo".to_owned(), json!(targets));
                shown.insert(
                    "nameField".to_owned(),
                    json!(object.name_field.as_deref() == Some(field.name.as_str())),
                );
                if field.name == "ClosedDate" {
                    shown.insert("createable".to_owned(), json!(c));
                }
            }
            shown
        });
    body.insert("fields".to_owned(), fields.collect());
    let url = format!("{base}/sobjects/{}", object.name);
    if let Some(urls) = body.get_mut("urls").and_then(Value::as_object_mut) {
        for (name, end) in [
            ("compactLayouts", "describe/compactLayouts"),
            ("approvalLayouts", "describe/approvalLayouts"),
            ("layouts", "describe/layouts"),
            ("listviews", "listviews"),
            ("quickActions", "quickActions"),
            ("defaultValues", "defaultValues?recordTypeId&fields"),
        ] {
            urls.insert(name.to_owned(), json!(format!("{url}/{end}")));
        }
        let page = "/{ID}";
        for name in ["uiDetailTemplate", "uiEditTemplate", "uiNewRecord"] {
            urls.insert(name.to_owned(), json!(page));
        }
    }

    body.insert("childRelationships".to_owned(), children(call, object));
    let master = json!({
        "active": true, "available": true, "defaultRecordTypeMapping": true, "developerName": "Master", "master": true,
        "name": "Master", "recordTypeId": "012000000000000AAA",
        "urls": {"layout": format!("{base}/sobjects/{}/describe/layouts/012000000000000AAA", object.name)},
    });
    let mut types = vec![master];
    for row in call
        .state
        .live_of("RecordType")
        .filter(|row| row.text("SobjectType") == object.name)
    {
        types.insert(0, json!({
            "active": row.is("IsActive"), "available": true, "defaultRecordTypeMapping": false,
            "developerName": row.text("DeveloperName"), "master": false, "name": row.text("Name"), "recordTypeId": row.id,
            "urls": {"layout": format!("{base}/sobjects/{}/describe/layouts/{}", object.name, row.id)},
        }));
    }
    body.insert("recordTypeInfos".to_owned(), json!(types));
    for (name, value) in [
        ("actionOverrides", json!([])),
        ("compactLayoutable", json!(true)),
        ("defaultImplementation", Value::Null),
        ("extendedBy", Value::Null),
        ("extendsInterfaces", Value::Null),
        ("implementedBy", Value::Null),
        ("implementsInterfaces", Value::Null),
        ("listviewable", Value::Null),
        ("lookupLayoutable", Value::Null),
        ("namedLayoutInfos", json!([])),
        ("networkScopeFieldName", Value::Null),
        ("searchLayoutable", json!(true)),
        ("sobjectDescribeOption", json!("FULL")),
        (
            "supportedScopes",
            json!([{"label": "All records", "name": "everything"}]),
        ),
    ] {
        body.insert(name.to_owned(), value);
    }
    Ok(Answer::json(200, Value::Object(body)).with("last-modified", last_modified(call)))
}

/// The objects a field may refer to, every custom one named.
fn targets(state: &State, field: &Field) -> Vec<String> {
    let mut names: Vec<String> = field
        .reference_to
        .iter()
        .filter(|name| *name != "*")
        .cloned()
        .collect();
    if field.reference_to.iter().any(|name| name == "*") {
        let mut custom: Vec<String> = state
            .objects
            .values()
            .filter(|object| object.custom)
            .map(|object| object.name.clone())
            .collect();
        custom.sort();
        names.extend(custom);
    }
    names
}

fn children(call: &Call<'_>, object: &Object) -> Value {
    let mut all = Vec::new();
    for other in sorted_objects(call) {
        for field in other
            .fields
            .iter()
            .filter(|field| call.access.field(other, field).0)
        {
            let points = field
                .reference_to
                .iter()
                .any(|to| to == &object.name || to == "*" && object.custom);
            if points && !field.has('a') {
                all.push(json!({
                    "cascadeDelete": field.on_delete == super::schema::OnDelete::Cascade,
                    "childSObject": other.name, "deprecatedAndHidden": false, "field": field.name,
                    "junctionIdListNames": [], "junctionReferenceTo": [], "relationshipName": field.child_relationship,
                    "restrictedDelete": field.on_delete == super::schema::OnDelete::Restrict,
                }));
            }
        }
    }
    Value::Array(all)
}

// ---- single records

fn created(call: &Call<'_>, object: &str, id: &str) -> Outcome {
    let place = format!("/services/data/{}/sobjects/{object}/{id}", call.version);
    Ok(Answer::json(201, json!({"id": id, "success": true, "errors": []})).with("location", place))
}

/// The body of a request that writes, with the file of a form where its part says.
fn body_of(call: &mut Call<'_>) -> Result<(Map<String, Value>, Option<String>), Failure> {
    let mut body = call.request.object()?.clone();
    let mut key = None;
    if let Some(part) = &call.request.upload {
        let name = call.state.draw().to_string();
        let bytes = call.request.body.clone();
        let blob = super::state::Blob {
            bytes,
            md5: String::new(),
            sha256: String::new(),
        };
        call.state.files.insert(name.clone(), blob);
        body.insert(part.clone(), json!(format!("upload:{name}")));
        key = Some(name);
    }
    Ok((body, key))
}

fn create(call: &mut Call<'_>, name: &str) -> Outcome {
    let object = object_of(call, name)?.clone();
    let (body, upload) = body_of(call)?;
    dml::check_types(call.state, &call.access, &object, &body)?;
    let writer = call.writer();
    let made = dml::insert(call.state, &writer, &object.name, &body);
    if let Some(upload) = upload {
        call.state.files.remove(&upload);
    }
    let id = made?;
    created(call, &object.name, &id)
}

/// A record as JSON; the fields asked for, else all that can be seen.
pub(super) fn shown(
    state: &State,
    access: &Access,
    row: &Row,
    fields: Option<&[&str]>,
) -> Result<Value, RowError> {
    let Some(object) = state.object(&row.object) else {
        return Ok(Value::Null);
    };
    let mut record = Map::new();
    record.insert("attributes".to_owned(), soql::attributes(row));
    let mut put = |field: &Field| {
        record.insert(
            field.name.clone(),
            soql::field_value(state, row, &field.name),
        );
    };
    match fields {
        Some(names) => {
            for name in names {
                let field = access
                    .find(object, name)
                    .filter(|field| field.kind != Kind::IdList);
                let field = field.ok_or_else(|| {
                    RowError::new(
                        "INVALID_FIELD",
                        format!("No such column '{name}' on sobject of type {}", object.name),
                    )
                })?;
                put(field);
            }
            if !names.iter().any(|name| name.eq_ignore_ascii_case("id")) {
                record.insert("Id".to_owned(), json!(row.id));
            }
        }
        None => {
            for field in object
                .fields
                .iter()
                .filter(|f| access.field(object, f).0 && f.kind != Kind::IdList)
            {
                put(field);
            }
        }
    }
    Ok(Value::Object(record))
}

fn single(call: &mut Call<'_>, method: &str, name: &str, id: &str) -> Outcome {
    let object = object_of(call, name)?.clone();
    let missing = || Failure::new("NOT_FOUND", "The requested resource does not exist");
    if !is_of(call.state, &object.name, id) {
        return Err(if ids::full(id).is_some() {
            missing()
        } else {
            Failure::new(
                "NOT_FOUND",
                "Provided external ID field does not exist or is not accessible: ".to_owned() + id,
            )
        });
    }
    let full = ids::full(id).unwrap_or_default();
    match method {
        "GET" => {
            let row = call.state.live(&full).ok_or_else(missing)?;
            let fields = call
                .request
                .param("fields")
                .map(|f| f.split(',').map(str::trim).collect::<Vec<_>>());
            Answer::ok(shown(call.state, &call.access, row, fields.as_deref())?)
        }
        "PATCH" => {
            let body = call.request.object()?.clone();
            dml::check_types(call.state, &call.access, &object, &body)?;
            if call.state.any(&full).is_none() {
                return Err(missing());
            }
            let writer = call.writer();
            dml::update(call.state, &writer, &object.name, &full, &body)?;
            Ok(Answer::empty(204))
        }
        "DELETE" => {
            if call.state.any(&full).is_none() {
                return Err(missing());
            }
            let writer = call.writer();
            dml::delete(call.state, &writer, Some(&object.name), &full, false)?;
            Ok(Answer::empty(204))
        }
        _ => Err(Failure::method()),
    }
}

/// The bytes of a file, or the record at the end of a reference.
fn blob(call: &Call<'_>, name: &str, id: &str, field: &str) -> Outcome {
    let object = object_of(call, name)?;
    let row = ids::full(id)
        .and_then(|id| call.state.live(&id))
        .ok_or_else(Failure::not_found)?;
    if object
        .field(field)
        .is_some_and(|field| field.kind == Kind::Base64)
    {
        let blob = call
            .state
            .files
            .get(&row.id)
            .ok_or_else(Failure::not_found)?;
        return Ok(Answer::file(
            200,
            "application/octetstream",
            blob.bytes.clone(),
        ));
    }
    let field = object.relationship(field).ok_or_else(Failure::not_found)?;
    let other = row
        .get(&field.name)
        .as_str()
        .and_then(|id| call.state.live(id))
        .ok_or_else(Failure::not_found)?;
    Answer::ok(shown(call.state, &call.access, other, None)?)
}

fn by_external(call: &mut Call<'_>, method: &str, name: &str, field: &str, value: &str) -> Outcome {
    let object = object_of(call, name)?.clone();
    let field = dml::external_field(&call.access, &object, field)?.clone();
    let value = match field.kind {
        Kind::Double => value
            .parse::<f64>()
            .map(|number| json!(number))
            .unwrap_or_default(),
        _ => json!(value),
    };
    let found = dml::by_external(call.state, &object, &field, &value);
    if let Found::Many(ids) = &found {
        let urls = ids.iter().map(|id| {
            json!(format!(
                "/services/data/{}/sobjects/{}/{id}",
                call.version, object.name
            ))
        });
        return Ok(Answer::json(300, urls.collect()));
    }
    let one = match &found {
        Found::One(id) => Some(id.clone()),
        _ => None,
    };
    let missing = || Failure::new("NOT_FOUND", "The requested resource does not exist");
    match method {
        "GET" => {
            let row = one
                .and_then(|id| call.state.live(&id))
                .ok_or_else(missing)?;
            let fields = call
                .request
                .param("fields")
                .map(|f| f.split(',').map(str::trim).collect::<Vec<_>>());
            Answer::ok(shown(call.state, &call.access, row, fields.as_deref())?)
        }
        "DELETE" => {
            let id = one.ok_or_else(missing)?;
            let writer = call.writer();
            dml::delete(call.state, &writer, Some(&object.name), &id, false)?;
            Ok(Answer::empty(204))
        }
        "PATCH" => {
            let body = call.request.object()?.clone();
            dml::check_types(call.state, &call.access, &object, &body)?;
            if body.keys().any(|key| key.eq_ignore_ascii_case(&field.name)) {
                let text = format!(
                    "The {} field should not be specified in the sobject data.",
                    field.name
                );
                return Err(Failure::new("INVALID_FIELD", text));
            }
            if one.is_none() && call.request.param("updateOnly") == Some("true") {
                return Err(missing());
            }
            let writer = call.writer();
            let (id, made) = dml::upsert(
                call.state,
                &writer,
                &object.name,
                &field.name,
                &value,
                &body,
            )?;
            let body = json!({"id": id, "success": true, "errors": [], "created": made});
            Ok(Answer::json(if made { 201 } else { 200 }, body))
        }
        _ => Err(Failure::method()),
    }
}
