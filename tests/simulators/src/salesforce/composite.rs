//! Many records or requests in one call (Salesforce facts §5).

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::answer::{Answer, Failure, Outcome, RowError};
use super::call::Call;
use super::dml::{self, Written};
use super::ids;
use super::rest;

/// Records of one collection.
const RECORDS: usize = 200;

/// Answers a request below `/composite`.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Outcome {
    match (call.request.method.as_str(), path) {
        ("POST", ["composite"]) => composite(call),
        ("POST", ["composite", "batch"]) => batch(call),
        ("POST", ["composite", "graph"]) => graph(call),
        ("POST", ["composite", "tree", object]) => tree(call, object),
        ("POST", ["composite", "sobjects"]) => insert(call),
        ("PATCH", ["composite", "sobjects"]) => update(call),
        ("DELETE", ["composite", "sobjects"]) => delete(call),
        ("GET" | "POST", ["composite", "sobjects", object]) => retrieve(call, object),
        ("PATCH", ["composite", "sobjects", object, field]) => upsert(call, object, field),
        (_, ["composite"] | ["composite", "sobjects" | "batch" | "graph" | "tree", ..]) => {
            Err(Failure::method())
        }
        _ => Err(Failure::not_found()),
    }
}

// ---- collections

type Record = Map<String, Value>;

fn type_of(record: &Record) -> Option<&str> {
    record.get("attributes")?.get("type")?.as_str()
}

/// The records of a collection, looked through as the parser does.
fn records(call: &Call<'_>) -> Result<(Vec<Record>, bool), Failure> {
    let body = call.request.object()?;
    let all_or_none = body
        .get("allOrNone")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if let Some(name) = body
        .keys()
        .find(|name| !matches!(name.as_str(), "allOrNone" | "records"))
    {
        let text = format!("Unrecognized field \"{name}\" at [line:1, column:2]");
        return Err(Failure::new("JSON_PARSER_ERROR", text));
    }
    let list = body.get("records").and_then(Value::as_array);
    let list = list.ok_or_else(|| {
        Failure::new(
            "REQUIRED_FIELD_MISSING",
            "Required fields are missing: [records]",
        )
    })?;
    if list.len() > RECORDS {
        let text = format!("Number of records in the request exceeds the limit: {RECORDS}");
        return Err(Failure::new("EXCEEDED_ID_LIMIT", text));
    }
    let mut records = Vec::with_capacity(list.len());
    let mut chunks = 0;
    let mut last = String::new();
    for record in list {
        let record = record.as_object().cloned();
        let record =
            record.ok_or_else(|| Failure::new("JSON_PARSER_ERROR", "A record is no object"))?;
        let Some(sort) = type_of(&record) else {
            return Err(Failure::new(
                "INVALID_INPUT",
                "Include a type in the attributes of each record",
            ));
        };
        if !sort.eq_ignore_ascii_case(&last) {
            chunks += 1;
            last = sort.to_owned();
        }
        if let Ok(object) = dml::visible(call.state, &call.access, sort) {
            dml::check_types(call.state, &call.access, object, &record)?;
        }
        records.push(record);
    }
    let limit = call.state.config.switches.type_chunks;
    if chunks > limit {
        let text = format!("Cannot have more than {limit} chunks in a single operation");
        return Err(Failure::new("LIMIT_EXCEEDED", text));
    }
    Ok((records, all_or_none))
}

/// Rows in the order of the request, and what allOrNone makes of them.
fn rows<T>(
    call: &mut Call<'_>,
    all_or_none: bool,
    items: Vec<T>,
    setup: impl Fn(&Call<'_>, &T) -> bool,
    mut write: impl FnMut(&mut Call<'_>, &T) -> Written<(String, Option<bool>)>,
) -> Outcome {
    let mark = call.state.mark();
    let mut done: Vec<Written<(String, Option<bool>)>> = Vec::with_capacity(items.len());
    let mut first_sort = None;
    for item in &items {
        let sort = setup(call, item);
        let mixed = *first_sort.get_or_insert(sort) != sort;
        done.push(if mixed {
            Err(vec![RowError::new("MIXED_DML_OPERATION", MIXED)])
        } else {
            write(call, item)
        });
    }
    let failed = done.iter().any(Result::is_err);
    if failed && all_or_none {
        call.state.roll_back(mark);
        let text = "Record rolled back because not all records were valid and the request was using AllOrNone header";
        for one in done.iter_mut().filter(|one| one.is_ok()) {
            *one = Err(vec![RowError::new(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                text,
            )]);
        }
    }
    let key = super::duplicate_key(call.state);
    let rows: Vec<Value> = done
        .into_iter()
        .map(|one| match one {
            Ok((id, None)) => json!({"id": id, "success": true, "errors": []}),
            Ok((id, Some(created))) => {
                json!({"id": id, "success": true, "errors": [], "created": created})
            }
            Err(errors) => {
                let errors: Vec<Value> = errors.iter().map(|error| error.in_row(key)).collect();
                json!({"success": false, "errors": errors})
            }
        })
        .collect();
    Answer::ok(Value::Array(rows))
}

fn is_setup(call: &Call<'_>, object: &str) -> bool {
    call.state
        .object(object)
        .is_some_and(|object| object.has('s'))
}

/// Puts the files of a form into the records that name them (§9.6); gives the names they are kept under.
fn with_files(call: &mut Call<'_>, records: &mut [Record]) -> Result<Vec<String>, Failure> {
    let mut kept = Vec::new();
    for record in records {
        let attribute = |name: &str| {
            record
                .get("attributes")?
                .get(name)?
                .as_str()
                .map(str::to_owned)
        };
        let (Some(part), Some(field)) = (
            attribute("binaryPartName"),
            attribute("binaryPartNameAlias"),
        ) else {
            continue;
        };
        let found = call.request.files.iter().find(|(name, _)| *name == part);
        let (_, bytes) = found.ok_or_else(|| {
            let text = format!("Cannot include binaryPartName {part}: there is no such part");
            Failure::new("INVALID_MULTIPART_REQUEST", text)
        })?;
        let blob = super::state::Blob {
            bytes: bytes.clone(),
            md5: String::new(),
            sha256: String::new(),
        };
        let name = call.state.draw().to_string();
        call.state.files.insert(name.clone(), blob);
        record.insert(field, json!(format!("upload:{name}")));
        kept.push(name);
    }
    Ok(kept)
}

fn insert(call: &mut Call<'_>) -> Outcome {
    let (mut records, all_or_none) = records(call)?;
    let kept = with_files(call, &mut records)?;
    let writer = call.writer();
    let outcome = rows(
        call,
        all_or_none,
        records,
        |call, record| is_setup(call, type_of(record).unwrap_or_default()),
        |call, record| {
            let sort = type_of(record).unwrap_or_default().to_owned();
            dml::insert(call.state, &writer, &sort, record).map(|id| (id, None))
        },
    );
    for name in kept {
        call.state.files.remove(&name);
    }
    outcome
}

fn update(call: &mut Call<'_>) -> Outcome {
    let (records, all_or_none) = records(call)?;
    let writer = call.writer();
    rows(
        call,
        all_or_none,
        records,
        |call, record| is_setup(call, type_of(record).unwrap_or_default()),
        |call, record| {
            let sort = type_of(record).unwrap_or_default().to_owned();
            let id = record
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("id"));
            let Some(id) = id.and_then(|(_, id)| id.as_str()) else {
                return Err(vec![RowError::new(
                    "MISSING_ARGUMENT",
                    "Id not specified in an update call",
                )]);
            };
            dml::update(call.state, &writer, &sort, id, record)?;
            Ok((ids::full(id).unwrap_or_default(), None))
        },
    )
}

fn upsert(call: &mut Call<'_>, object: &str, field: &str) -> Outcome {
    let definition = dml::visible(call.state, &call.access, object)
        .map_err(|_| Failure::not_found())?
        .clone();
    let field = dml::external_field(&call.access, &definition, field)?.clone();
    let (records, all_or_none) = records(call)?;
    let writer = call.writer();
    // A value that comes twice is refused where it comes.
    let mut times: HashMap<String, usize> = HashMap::new();
    for record in &records {
        if let Some(value) = record.get(&field.name) {
            *times.entry(field.key(value)).or_default() += 1;
        }
    }
    rows(
        call,
        all_or_none,
        records,
        |call, record| is_setup(call, type_of(record).unwrap_or_default()),
        |call, record| {
            let sort = type_of(record).unwrap_or_default();
            if !sort.eq_ignore_ascii_case(&definition.name) {
                let text = format!("Record type {sort} does not match {}", definition.name);
                return Err(vec![RowError::new("INVALID_TYPE", text)]);
            }
            let value = record.get(&field.name).cloned().unwrap_or_default();
            if times
                .get(&field.key(&value))
                .is_some_and(|count| *count > 1)
                && !value.is_null()
            {
                let text =
                    "A user-specified foreign key or external ID is duplicated in the same request";
                return Err(vec![RowError::on(
                    "DUPLICATE_EXTERNAL_ID",
                    text,
                    &field.name,
                )]);
            }
            let mut body = record.clone();
            body.remove(&field.name);
            let (id, made) = dml::upsert(
                call.state,
                &writer,
                &definition.name,
                &field.name,
                &value,
                &body,
            )?;
            Ok((id, Some(made)))
        },
    )
}

fn delete(call: &mut Call<'_>) -> Outcome {
    let list = call.request.param("ids").unwrap_or_default().to_owned();
    let ids: Vec<String> = list
        .split(',')
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty())
        .collect();
    if ids.is_empty() {
        return Err(Failure::new(
            "MISSING_ARGUMENT",
            "The ids parameter is required",
        ));
    }
    if ids.len() > RECORDS {
        let text = format!("Number of ids in the request exceeds the limit: {RECORDS}");
        return Err(Failure::new("EXCEEDED_ID_LIMIT", text));
    }
    let all_or_none = call.request.param("allOrNone") == Some("true");
    let writer = call.writer();
    rows(
        call,
        all_or_none,
        ids,
        |call, id| {
            ids::full(id)
                .and_then(|id| call.state.object_of(&id))
                .is_some_and(|object| object.has('s'))
        },
        |call, id| dml::delete(call.state, &writer, None, id, false).map(|id| (id, None)),
    )
}

fn retrieve(call: &Call<'_>, object: &str) -> Outcome {
    let definition =
        dml::visible(call.state, &call.access, object).map_err(|_| Failure::not_found())?;
    let (ids, fields): (Vec<String>, Vec<String>) = if call.request.method == "GET" {
        let list = |name: &str| {
            let text = call.request.param(name).unwrap_or_default();
            text.split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect()
        };
        (list("ids"), list("fields"))
    } else {
        let body = call.request.object()?;
        let list = |name: &str| {
            let list = body.get(name).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        (list("ids"), list("fields"))
    };
    if ids.len() > 2_000 {
        return Err(Failure::new(
            "EXCEEDED_ID_LIMIT",
            "record limit reached. cannot retrieve more than 2000 records",
        ));
    }
    if fields.is_empty() {
        return Err(Failure::new(
            "MISSING_ARGUMENT",
            "The fields parameter is required",
        ));
    }
    let names: Vec<&str> = fields.iter().map(String::as_str).collect();
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let row = ids::full(&id)
            .and_then(|id| call.state.live(&id))
            .filter(|row| row.object == definition.name);
        rows.push(match row {
            Some(row) => rest::shown(call.state, &call.access, row, Some(&names))?,
            None => Value::Null,
        });
    }
    Answer::ok(Value::Array(rows))
}

// ---- requests in a request

/// `@{ref.path[0].name}` replaced by what an earlier answer holds.
fn filled(value: &Value, answers: &HashMap<String, Value>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(filled_text(text, answers)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| filled(item, answers))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| Ok((key.clone(), filled(value, answers)?)));
            Value::Object(pairs.collect::<Result<_, String>>()?)
        }
        other => other.clone(),
    })
}

fn filled_text(text: &str, answers: &HashMap<String, Value>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let Some((inside, behind)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        let wrong = || format!("Invalid reference specified. No value for {inside} found");
        let (name, path) = inside.split_once('.').unwrap_or((inside, ""));
        let mut pointer = String::new();
        for part in path.split(['.', '[']) {
            let part = part.trim_end_matches(']');
            if !part.is_empty() {
                pointer.push('/');
                pointer.push_str(part);
            }
        }
        let answer = answers.get(name).ok_or_else(wrong)?;
        let value = answer.pointer(&pointer).ok_or_else(wrong)?;
        match value {
            Value::String(text) => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

fn subrequests(
    body: &Map<String, Value>,
    name: &str,
    limit: usize,
) -> Result<Vec<Record>, Failure> {
    let list = body.get(name).and_then(Value::as_array);
    let list = list.ok_or_else(|| {
        Failure::new(
            "JSON_PARSER_ERROR",
            format!("Required field missing: {name}"),
        )
    })?;
    if list.len() > limit {
        let text = format!("Limit of {limit} for number of operations exceeded");
        return Err(Failure::new("LIMIT_EXCEEDED", text));
    }
    let objects = list.iter().map(|one| one.as_object().cloned());
    objects
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::new("JSON_PARSER_ERROR", "A subrequest is no object"))
}

fn headers_of(request: &Record) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in request
        .get("httpHeaders")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let name = HeaderName::try_from(name.to_lowercase());
        let value = value.as_str().map(HeaderValue::from_str);
        if let (Ok(name), Some(Ok(value))) = (name, value) {
            headers.insert(name, value);
        }
    }
    headers
}

const MIXED: &str = "DML operation on setup object is not permitted after you have updated a non-setup object (or vice versa)";

/// Whether a subrequest writes a setup object; `None` when it writes nothing (§9.5).
fn written_setup(call: &Call<'_>, method: &str, url: &str) -> Option<bool> {
    let (_, path) = url.split_once("/sobjects/")?;
    let object = path.split(['/', '?']).next()?;
    (!method.eq_ignore_ascii_case("GET")).then(|| is_setup(call, object))
}

/// Runs subrequests one after the other; with `atomic`, one failure takes all back.
fn run(
    call: &mut Call<'_>,
    requests: &[Record],
    atomic: bool,
) -> Result<(Vec<Value>, bool), Failure> {
    let text = |record: &Record, name: &str| {
        record
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let mut names: Vec<String> = Vec::new();
    for request in requests {
        let name = text(request, "referenceId");
        if name.is_empty() || names.contains(&name) {
            return Err(Failure::new(
                "JSON_PARSER_ERROR",
                format!("Invalid or duplicate referenceId: {name}"),
            ));
        }
        names.push(name);
    }
    let mark = call.state.mark();
    let mut answers: HashMap<String, Value> = HashMap::new();
    let mut done: Vec<(String, Answer)> = Vec::new();
    let key = super::duplicate_key(call.state);
    let mut first_sort = None;
    for request in requests {
        let name = text(request, "referenceId");
        let url = filled_text(&text(request, "url"), &answers);
        let body = filled(request.get("body").unwrap_or(&Value::Null), &answers);
        let mixed = url
            .as_deref()
            .ok()
            .and_then(|url| written_setup(call, &text(request, "method"), url));
        let mixed = mixed.is_some_and(|sort| atomic && *first_sort.get_or_insert(sort) != sort);
        let answer = match (url, body) {
            _ if mixed => Failure::new("MIXED_DML_OPERATION", MIXED).answer(key),
            (Ok(url), Ok(body)) => {
                call.inner(&text(request, "method"), &url, body, headers_of(request))
            }
            (Err(wrong), _) | (_, Err(wrong)) => {
                Failure::new("PROCESSING_HALTED", wrong).answer(key)
            }
        };
        let failed = answer.status >= 300;
        if !failed {
            answers.insert(name.clone(), answer.as_json());
        }
        done.push((name, answer));
        if failed && atomic {
            break;
        }
    }
    let failed = done.iter().any(|(_, answer)| answer.status >= 300);
    if failed && atomic {
        call.state.roll_back(mark);
        let text = "The transaction was rolled back since another operation in the same transaction failed.";
        for (_, answer) in done.iter_mut().filter(|(_, answer)| answer.status < 300) {
            *answer = Failure {
                status: 400,
                errors: vec![RowError::new("PROCESSING_HALTED", text)],
            }
            .answer(key);
        }
        for name in names.iter().skip(done.len()) {
            let halted = Failure {
                status: 400,
                errors: vec![RowError::new("PROCESSING_HALTED", text)],
            }
            .answer(key);
            done.push((name.clone(), halted));
        }
    }
    let shown = done.into_iter().map(|(name, answer)| {
        let headers: Map<String, Value> = answer
            .headers
            .iter()
            .filter(|(name, _)| *name == "location")
            .map(|(_, value)| ("Location".to_owned(), json!(value)))
            .collect();
        json!({"body": answer.as_json(), "httpHeaders": headers, "httpStatusCode": answer.status, "referenceId": name})
    });
    Ok((shown.collect(), failed))
}

fn composite(call: &mut Call<'_>) -> Outcome {
    let body = call.request.object()?.clone();
    let requests = subrequests(&body, "compositeRequest", 25)?;
    let is_query = |record: &&Record| {
        let url = record
            .get("url")
            .and_then(Value::as_str)
            .unwrap_or_default();
        url.contains("/query") || url.contains("/composite/sobjects")
    };
    let limit = call.state.config.switches.composite_queries;
    if requests.iter().filter(is_query).count() > limit {
        let text =
            format!("Limit of {limit} for number of query and collection operations exceeded");
        return Err(Failure::new("LIMIT_EXCEEDED", text));
    }
    let atomic = body
        .get("allOrNone")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let (answers, _) = run(call, &requests, atomic)?;
    Answer::ok(json!({"compositeResponse": answers}))
}

fn graph(call: &mut Call<'_>) -> Outcome {
    let body = call.request.object()?.clone();
    let graphs = subrequests(&body, "graphs", 75)?;
    let mut nodes = 0;
    let mut shown = Vec::new();
    for graph in &graphs {
        let requests = subrequests(graph, "compositeRequest", 500)?;
        nodes += requests.len();
        if nodes > 500 {
            return Err(Failure::new(
                "LIMIT_EXCEEDED",
                "Limit of 500 nodes in a request exceeded",
            ));
        }
        let (answers, failed) = run(call, &requests, true)?;
        let id = graph.get("graphId").cloned().unwrap_or_default();
        shown.push(json!({"graphId": id, "graphResponse": {"compositeResponse": answers}, "isSuccessful": !failed}));
    }
    Answer::ok(json!({"graphs": shown}))
}

fn batch(call: &mut Call<'_>) -> Outcome {
    let body = call.request.object()?.clone();
    let requests = subrequests(&body, "batchRequests", 25)?;
    let halts = body
        .get("haltOnError")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let mut results = Vec::new();
    let mut failed = false;
    for request in &requests {
        if failed && halts {
            let error = json!([{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]);
            results.push(json!({"statusCode": 412, "result": error}));
            continue;
        }
        let text = |name: &str| {
            request
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let url = text("url")
            .trim_start_matches("/services/data/")
            .trim_start_matches('/')
            .to_owned();
        let input = request.get("richInput").cloned().unwrap_or_default();
        let answer = call.inner(
            text("method"),
            &format!("/services/data/{url}"),
            input,
            HeaderMap::new(),
        );
        failed |= answer.status >= 400;
        results.push(json!({"statusCode": answer.status, "result": answer.as_json()}));
    }
    Answer::ok(json!({"hasErrors": failed, "results": results}))
}

// ---- trees

fn tree(call: &mut Call<'_>, object: &str) -> Outcome {
    let body = call.request.object()?.clone();
    let roots = body
        .get("records")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let definition = dml::visible(call.state, &call.access, object)
        .map_err(|_| Failure::not_found())?
        .name
        .clone();
    let mark = call.state.mark();
    let mut planted = Planted::default();
    for root in &roots {
        plant(call, &definition, root, None, 1, &mut planted)?;
    }
    if planted.errors.is_empty() {
        return Ok(Answer::json(
            201,
            json!({"hasErrors": false, "results": planted.results}),
        ));
    }
    call.state.roll_back(mark);
    Ok(Answer::json(
        400,
        json!({"hasErrors": true, "results": planted.errors}),
    ))
}

#[derive(Default)]
struct Planted {
    results: Vec<Value>,
    errors: Vec<Value>,
}

fn plant(
    call: &mut Call<'_>,
    object: &str,
    record: &Value,
    parent: Option<(&str, &str)>,
    level: usize,
    planted: &mut Planted,
) -> Result<(), Failure> {
    let wrong = |text: &str| Failure::new("INVALID_INPUT", text);
    let record = record
        .as_object()
        .ok_or_else(|| wrong("A record is no object"))?;
    let name = record
        .get("attributes")
        .and_then(|a| a.get("referenceId"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    if name.is_empty() {
        return Err(wrong(
            "Include a referenceId for each record in the request.",
        ));
    }
    if planted.results.len() + planted.errors.len() >= RECORDS || level > 5 {
        return Err(wrong(
            "The request has more than 200 records or five levels",
        ));
    }
    let mut body = Map::new();
    let mut children = Vec::new();
    for (key, value) in record {
        match value.get("records").and_then(Value::as_array) {
            Some(records) => children.push((key.clone(), records.clone())),
            None => {
                body.insert(key.clone(), value.clone());
            }
        }
    }
    if let Some((field, id)) = parent {
        body.insert(field.to_owned(), json!(id));
    }
    let writer = call.writer();
    let key = super::duplicate_key(call.state);
    match dml::insert(call.state, &writer, object, &body) {
        Err(errors) => {
            let errors: Vec<Value> = errors.iter().map(|error| error.in_row(key)).collect();
            planted
                .errors
                .push(json!({"referenceId": name, "errors": errors}));
        }
        Ok(id) => {
            planted.results.push(json!({"referenceId": name, "id": id}));
            for (relationship, records) in children {
                let found = call.state.objects.values().find_map(|other| {
                    let field = other.fields.iter().find(|field| {
                        field.child_relationship.as_deref() == Some(relationship.as_str())
                            && field.reference_to.iter().any(|to| to == object)
                    })?;
                    Some((other.name.clone(), field.name.clone()))
                });
                let (child, field) =
                    found.ok_or_else(|| wrong(&format!("Unknown relationship {relationship}")))?;
                for record in &records {
                    plant(
                        call,
                        &child,
                        record,
                        Some((&field, &id)),
                        level + 1,
                        planted,
                    )?;
                }
            }
        }
    }
    Ok(())
}
