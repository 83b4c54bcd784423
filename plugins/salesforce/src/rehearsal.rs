//! What Salesforce would answer, for a dry run: as much of its answers as the connector reads.
//!
//! A collection answers each row with its id (Salesforce facts §5). What was made is there for the next query, so queries get it
//! besides; a deployment and a bulk job have ended when they are asked after (Salesforce facts §6, §10.3).

use serde_json::{Map, Value, json};
use transload_sdk::http::{Body, Request, Response, segment, unsegment};
use transload_sdk::rehearsal::{Earlier, Rehearsal, empty, member, member_mut, response};

use crate::api::id18;
use crate::client::API;
use crate::fields::SOURCE_ID;
use crate::write::files::md5_of;

/// The answer to a request that Salesforce takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    let below = asked.path().strip_prefix(API)?.trim_start_matches('/');
    let segments: Vec<&str> = below.split('/').collect();
    match (asked.method(), segments.as_slice()) {
        ("POST", ["composite", "sobjects"]) => {
            let rows = rows_of(&asked.body()).into_iter().enumerate();
            let saved = rows.map(|(n, row)| saved(&id_of(asked.id(n), &object_of(&row))));
            Some(response(200, &saved.collect()))
        }
        ("PATCH" | "DELETE", ["composite", "sobjects"]) => {
            let saved = rows_of(&asked.body())
                .into_iter()
                .map(|row| saved(member(&row, "id").as_str().unwrap_or_default()));
            Some(response(200, &saved.collect()))
        }
        // A read: by ids, some of which are of what would have been made.
        ("POST", ["composite", "sobjects", object]) => {
            let wanted = asked.body();
            let wanted = member(&wanted, "ids").as_array()?;
            let made = made(asked)
                .into_iter()
                .filter(|row| object_of(row) == *object && wanted.contains(member(row, "Id")));
            asked.with("", made.collect::<Vec<_>>())
        }
        ("POST", ["sobjects", object] | ["tooling", "sobjects", object]) => {
            Some(response(201, &saved(&id_of(asked.id(0), object))))
        }
        ("PATCH" | "DELETE", _) if segments.first() != Some(&"jobs") => Some(empty(204)),
        ("GET", ["query" | "queryAll"] | ["tooling", "query"]) => query(asked),
        ("GET", ["tooling", "sobjects", "CustomField", id]) => {
            let field = asked.maker()?.body;
            let (name, metadata) = (member(&field, "FullName"), member(&field, "Metadata"));
            Some(response(
                200,
                &json!({"Id": id, "FullName": name, "Metadata": metadata}),
            ))
        }
        ("GET", ["sobjects", object, "describe"]) => describe(asked, object),
        ("POST", ["metadata", "deployRequest"]) => Some(response(
            201,
            &json!({"id": id_of(asked.id(0), "AsyncApexJob")}),
        )),
        ("GET", ["metadata", "deployRequest", _]) => {
            let result = json!({"done": true, "success": true, "status": "Succeeded"});
            Some(response(200, &json!({"deployResult": result})))
        }
        ("POST", ["jobs", "ingest"]) => Some(response(
            200,
            &json!({"id": id_of(asked.id(0), "Job"), "state": "Open"}),
        )),
        ("PUT", ["jobs", "ingest", _, "batches"]) => Some(empty(201)),
        ("PATCH", ["jobs", "ingest", id]) => {
            Some(response(200, &json!({"id": id, "state": "UploadComplete"})))
        }
        ("GET", ["jobs", "ingest", id]) => {
            Some(response(200, &json!({"id": id, "state": "JobComplete"})))
        }
        ("GET", ["jobs", "ingest", _, "successfulResults"]) => Some(results(asked)),
        _ => None,
    }
}

/// An id in Salesforce's form: what the record is, by three characters, and a number (Salesforce facts §5).
fn id_of(number: u64, object: &str) -> String {
    let kind = match object {
        "Account" => "001",
        "Contact" => "003",
        "Lead" => "00Q",
        "Case" => "500",
        "EmailMessage" => "02s",
        "Task" => "00T",
        "ContentVersion" => "068",
        "ContentDocument" => "069",
        "Group" => "00G",
        "PermissionSet" => "0PS",
        _ => "a00",
    };
    id18(&format!("{kind}{number}"))
}

fn saved(id: &str) -> Value {
    json!({"id": id, "success": true, "errors": []})
}

/// The rows of a collection; of one with files they stand in a part of the form.
fn rows_of(body: &Value) -> Vec<Value> {
    let form = member(body, "collection")
        .as_str()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let body = form.as_ref().unwrap_or(body);
    member(body, "records")
        .as_array()
        .cloned()
        .unwrap_or_default()
}

fn object_of(row: &Value) -> String {
    member(member(row, "attributes"), "type")
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Everything that was inserted, as a query shows it, with later changes.
fn made(asked: &Rehearsal) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for one in asked.earlier() {
        let path = one
            .path
            .strip_prefix(API)
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned();
        let segments: Vec<&str> = path.split('/').collect();
        match (one.method.as_str(), segments.as_slice()) {
            ("POST", ["composite", "sobjects"]) => {
                let results = one.answer.as_array().cloned().unwrap_or_default();
                for (row, result) in rows_of(&one.body).into_iter().zip(results) {
                    let file = member(member(&row, "attributes"), "binaryPartName")
                        .as_str()
                        .map(str::to_owned);
                    all.push(record(
                        asked,
                        &one,
                        row,
                        member(&result, "id"),
                        file.as_deref(),
                    ));
                }
            }
            ("POST", ["sobjects", object] | ["tooling", "sobjects", object]) => {
                let form = member(&one.body, "entity_content").as_str();
                let form = form.and_then(|text| serde_json::from_str::<Value>(text).ok());
                let mut row = form.unwrap_or_else(|| one.body.clone());
                *member_mut(&mut row, "attributes") = json!({"type": object});
                all.push(record(
                    asked,
                    &one,
                    row,
                    member(&one.answer, "id"),
                    Some("VersionData"),
                ));
            }
            ("PATCH", ["composite", "sobjects"]) => {
                for change in rows_of(&one.body) {
                    merge(
                        all.iter_mut()
                            .find(|row| member(row, "Id") == member(&change, "id")),
                        &change,
                    );
                }
            }
            ("PATCH", ["sobjects", _, id]) => {
                merge(
                    all.iter_mut().find(|row| member(row, "Id") == *id),
                    &one.body,
                );
            }
            _ => {}
        }
    }
    all
}

fn merge(row: Option<&mut Value>, change: &Value) {
    let (Some(Value::Object(row)), Value::Object(change)) = (row, change) else {
        return;
    };
    let values = change
        .iter()
        .filter(|(name, _)| !["attributes", "id"].contains(&name.as_str()));
    row.extend(values.map(|(name, value)| (name.clone(), value.clone())));
}

fn record(
    asked: &Rehearsal,
    one: &Earlier,
    mut row: Value,
    id: &Value,
    file: Option<&str>,
) -> Value {
    *member_mut(&mut row, "Id") = id.clone();
    let files = one.files.iter();
    let mut files = files.filter(|(name, _)| Some(name.as_str()) == file);
    if let Some((_, blob)) = files.next() {
        let digits: String = id
            .as_str()
            .unwrap_or_default()
            .chars()
            .skip(3)
            .take(12)
            .collect();
        *member_mut(&mut row, "ContentDocumentId") = json!(id18(&format!("069{digits}")));
        *member_mut(&mut row, "Checksum") = json!(md5_of(asked.context(), blob));
        *member_mut(&mut row, "ContentSize") = json!(blob.size);
    }
    row
}

/// What a query gives, and of what would have been made the rows of its object that meet its conditions.
fn query(asked: &Rehearsal) -> Option<Response> {
    let (status, mut json) = asked.real()?;
    let url = unsegment(asked.url())?;
    let (_, from) = url.split_once(" FROM ")?;
    let object = from.split_whitespace().next()?;
    let conditions = from.split_once(" WHERE ").map(|(_, all)| conditions(all));
    let conditions = conditions.unwrap_or_default();
    let rows: Vec<Value> = made(asked)
        .into_iter()
        .filter(|row| object_of(row) == object)
        .map(|mut row| {
            let full = member(&row, "FullName").as_str().map(str::to_owned);
            if let Some((table, name)) = full.as_deref().and_then(|full| full.split_once('.')) {
                *member_mut(&mut row, "TableEnumOrId") = json!(table);
                *member_mut(&mut row, "DeveloperName") = json!(name.trim_end_matches("__c"));
            }
            row
        })
        .filter(|row| conditions.iter().all(|one| one.is_met(row)))
        .collect();
    // A query for what is not there yet is refused, and would find nothing.
    let refused = status >= 400;
    if refused && !is_unknown(&json) {
        return None;
    }
    if rows.is_empty() && !refused {
        return None;
    }
    if status >= 400 || !json.is_object() {
        json = json!({"done": true, "totalSize": 0, "records": []});
    }
    let total = member(&json, "totalSize").as_u64().unwrap_or(0) + rows.len() as u64;
    *member_mut(&mut json, "totalSize") = json!(total);
    if let Some(records) = member_mut(&mut json, "records").as_array_mut() {
        records.extend(rows);
    }
    Some(response(200, &json))
}

/// One of the conditions of a query, of which all must be met.
#[derive(Debug, PartialEq)]
enum Condition {
    /// The field has one of these.
    Has(String, Vec<String>),
    /// The field is set, or says nothing of it.
    IsSet(String),
    /// Something else, which what would have been made does not meet.
    Other,
}

impl Condition {
    fn is_met(&self, row: &Value) -> bool {
        match self {
            Self::Has(field, values) => member(row, field)
                .as_str()
                .is_some_and(|held| values.iter().any(|one| one.eq_ignore_ascii_case(held))),
            Self::IsSet(field) => member(row, field).as_bool().unwrap_or(true),
            Self::Other => false,
        }
    }
}

/// The conditions after a `WHERE`.
fn conditions(text: &str) -> Vec<Condition> {
    // Literals apart from what is between them: a word in one is none of the query's.
    let (mut words, mut literals) = (String::new(), Vec::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\'' {
            words.push(c);
            continue;
        }
        let mut literal = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\'' => break,
                '\\' => literal.extend(chars.next()),
                c => literal.push(c),
            }
        }
        words.push('\'');
        literals.push(literal);
    }
    let end = [" ORDER BY ", " LIMIT "]
        .iter()
        .filter_map(|word| words.find(word))
        .min();
    let words = words.get(..end.unwrap_or(words.len())).unwrap_or_default();
    let mut literals = literals.into_iter();
    let one = |words: &str| {
        let own: Vec<String> = literals
            .by_ref()
            .take(words.matches('\'').count())
            .collect();
        let parts: Vec<&str> = words.split_whitespace().collect();
        match parts.as_slice() {
            [field, "=", "'"] => Condition::Has((*field).to_owned(), own),
            [field, "IN", ..] => Condition::Has((*field).to_owned(), own),
            [field, "=", "true"] => Condition::IsSet((*field).to_owned()),
            _ => Condition::Other,
        }
    };
    words.split(" AND ").map(one).collect()
}

/// Whether a query was refused because it names a field or an object that is not there.
fn is_unknown(said: &Value) -> bool {
    ["INVALID_FIELD", "INVALID_TYPE", "NOT_FOUND"].contains(&code(said))
}

/// The code of the first error that was answered.
fn code(said: &Value) -> &str {
    let first = said.get(0);
    let code = first.and_then(|error| member(error, "errorCode").as_str());
    code.unwrap_or_default()
}

/// The same read without the fields that are not there yet, the connector's own among them, where it was refused for that.
pub fn instead(asked: &Rehearsal) -> Option<Request> {
    let (status, said) = asked.real()?;
    // Of an object that is not there nothing else would be found.
    if status < 400 || code(&said) != "INVALID_FIELD" {
        return None;
    }
    let earlier = asked.earlier().into_iter();
    let made: Vec<String> = earlier
        .filter_map(|one| {
            let (_, name) = member(&one.body, "FullName").as_str()?.split_once('.')?;
            Some(name.to_owned())
        })
        .collect();
    let is_new = |name: &str| {
        let name = name.trim();
        name.starts_with("Transload_") || made.iter().any(|made| made == name)
    };
    let mut request = asked.request().clone();
    if asked.path().contains("/composite/sobjects/") {
        let mut body = asked.body();
        member_mut(&mut body, "fields")
            .as_array_mut()?
            .retain(|name| !name.as_str().is_some_and(is_new));
        request.body = Body::Bytes(body.to_string().into_bytes());
        return Some(request);
    }
    let (path, query) = asked.url().split_once("?q=")?;
    let query = unsegment(query)?;
    let (select, rest) = query.split_once(" FROM ")?;
    let columns = select.strip_prefix("SELECT ")?;
    // What is looked for by such a field is not there.
    if rest.contains("Transload_") || !columns.split(',').any(is_new) {
        return None;
    }
    let kept: Vec<&str> = columns
        .split(',')
        .filter(|name| !is_new(name))
        .map(str::trim)
        .collect();
    let kept = if kept.is_empty() {
        "Id".to_owned()
    } else {
        kept.join(", ")
    };
    request.url = format!("{path}?q={}", segment(format!("SELECT {kept} FROM {rest}")));
    Some(request)
}

/// What is to be known of an object, with the fields that were made on it; of one that was made, its own as well.
fn describe(asked: &Rehearsal, object: &str) -> Option<Response> {
    let (status, mut json) = asked.real()?;
    let earlier = asked.earlier();
    let mut fields: Vec<Value> = Vec::new();
    for one in &earlier {
        let full = member(&one.body, "FullName").as_str().unwrap_or_default();
        let Some((on, name)) = full.split_once('.') else {
            continue;
        };
        // Fields of activities are made on what events and tasks have in common.
        if on == object || (on == "Activity" && object == "Task") {
            fields.push(field(name, member(&one.body, "Metadata")));
        }
    }
    if status >= 400 {
        // Only a deployment makes an object; its files are a zip, in which names stand as they are.
        let file = format!("objects/{object}.object");
        let is_made = earlier.iter().any(|one| {
            let zip = member(&one.body, "file").as_str().unwrap_or_default();
            one.path.ends_with("/deployRequest") && zip.contains(&file)
        });
        if !is_made {
            return None;
        }
        json = json!({"name": object, "createable": true, "fields": []});
        let own = crate::fields::CUSTOM_OBJECT
            .iter()
            .map(|(name, ..)| field(name, &Value::Null));
        fields.extend(own);
    }
    if fields.is_empty() {
        return None;
    }
    member_mut(&mut json, "fields")
        .as_array_mut()?
        .extend(fields);
    Some(response(200, &json))
}

fn field(name: &str, metadata: &Value) -> Value {
    let mut field = Map::new();
    let kind = match member(metadata, "type").as_str() {
        Some("Lookup" | "MasterDetail") => json!("reference"),
        _ => Value::Null,
    };
    for (key, value) in [
        ("name", json!(name)),
        ("custom", json!(name.ends_with("__c"))),
        ("type", kind),
        ("createable", json!(true)),
        ("updateable", json!(true)),
        ("label", member(metadata, "label").clone()),
        ("length", member(metadata, "length").clone()),
    ] {
        if !value.is_null() {
            field.insert(key.to_owned(), value);
        }
    }
    Value::Object(field)
}

/// The rows of a bulk job that went well: all of its upload.
fn results(asked: &Rehearsal) -> Response {
    let mut csv = format!("\"sf__Id\",\"sf__Created\",\"{SOURCE_ID}\"\n");
    let earlier = asked.earlier();
    let upload = earlier.iter().find_map(|one| one.blob.as_ref());
    let object = asked.maker().map(|maker| {
        member(&maker.body, "object")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    });
    let mut lines = csv::Reader::from_reader(upload.map_or(&[][..], Vec::as_slice));
    let header = lines.headers().cloned().unwrap_or_default();
    if let Some(column) = header.iter().position(|name| name == SOURCE_ID) {
        for (n, line) in lines.records().flatten().enumerate() {
            let id = id_of(asked.id(n), object.as_deref().unwrap_or_default());
            csv.push_str(&format!(
                "\"{id}\",\"true\",\"{}\"\n",
                line.get(column).unwrap_or_default()
            ));
        }
    }
    Response {
        body: csv.into_bytes(),
        ..empty(200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_all_conditions_of_a_query_and_by_no_word_of_a_literal() {
        let all = conditions(
            "Type = 'Queue' AND Name IN ('A AND B', 'it\\'s') AND IsActive = true LIMIT 1",
        );
        let row = json!({"Type": "queue", "Name": "it's"});
        assert!(all.iter().all(|one| one.is_met(&row)), "{all:?}");
        let other = json!({"Type": "Queue", "Name": "B"});
        assert!(!all.iter().all(|one| one.is_met(&other)));
        let like = conditions("Source__c LIKE 'a%' AND Run__c != 'r'");
        assert_eq!(like, [Condition::Other, Condition::Other]);
    }
}
