//! What HubSpot would answer, for a dry run: as much of its answers as the connector reads.
//!
//! A batch answers each input with its trace id (HubSpot facts §3.3); what is made is in the next read by key at once (HubSpot facts
//! §0.5), and so in the lists that the connector reads again.

use serde_json::{Value, json};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::{Earlier, Ids, Rehearsal, member, member_mut, response};

/// The answer to a request that HubSpot takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    match (asked.method(), asked.segments().as_slice()) {
        ("POST", ["crm", "objects", _, _, "batch", "create" | "update"]) => {
            batch(inputs(&asked.body()).enumerate().map(|(n, input)| {
                let own = Value::String(asked.id(n).to_string());
                json!({
                    "id": input.get("id").cloned().unwrap_or(own), "properties": member(&input, "properties"),
                    "objectWriteTraceId": member(&input, "objectWriteTraceId"), "archived": false,
                })
            }))
        }
        ("POST", ["crm", "objects", _, object, "batch", "read"]) => {
            let body = asked.body();
            let wanted: Vec<&Value> = member(&body, "inputs").as_array()?.iter().map(|one| member(one, "id")).collect();
            let by = member(&body, "idProperty").as_str();
            let is_wanted = |record: &Value| match by {
                Some(property) => wanted.contains(&member(member(record, "properties"), property)),
                None => wanted.contains(&member(record, "id")),
            };
            let records: Vec<Value> = records(asked, object).into_iter().filter(is_wanted).collect();
            found(asked, records)
        }
        // What is searched for by a property that is not there yet is not there either.
        ("POST", ["crm", "objects", _, _, "search"]) => found(asked, vec![]),
        ("POST", ["crm", "associations", .., "batch", "read"]) => None,
        ("POST", ["crm", "associations", .., "batch", _]) => batch(std::iter::empty()),
        ("POST", ["crm", "associations", .., "labels"]) => batch(std::iter::once(label(asked.id(0), &asked.body()))),
        ("GET", ["crm", "associations", _, from, to, "labels"]) => {
            let path = asked.path();
            let earlier = asked.earlier();
            let labels = earlier.iter().filter(|one| one.path == path).flat_map(|one| rows(member(&one.answer, "results")));
            // Objects that may be linked can be so without a label.
            let pair = |one: &&Earlier| {
                one.path.ends_with("/associations") && (one.path.contains(*from) || one.path.contains(*to))
            };
            let plain = earlier.iter().filter(pair).map(|one| {
                json!({"category": "USER_DEFINED", "typeId": small(member(&one.answer, "id")), "label": null})
            });
            let made = earlier.iter().filter(|one| is_linked(one, from, to)).map(|one| {
                json!({"category": "USER_DEFINED", "typeId": small(member(&one.answer, "id")), "label": null})
            });
            asked.with("/results", labels.chain(plain).chain(made).collect::<Vec<_>>())
        }
        ("POST", ["crm", "properties", _, _, "batch", "create"]) => batch(inputs(&asked.body())),
        ("POST" | "PATCH", ["crm", "properties", ..]) => Some(response(201, &asked.body())),
        ("GET", ["crm", "properties", _, object]) if !asked.url().contains("archived=true") => {
            asked.with("/results", properties(asked, object))
        }
        ("GET", ["crm", "properties", _, object, "groups", name]) => {
            let path = format!("/{object}/groups");
            let made = asked.earlier().into_iter().filter(|one| one.path.ends_with(&path));
            let group = made.map(|one| one.answer).find(|group| member(group, "name") == *name);
            absent(asked)?;
            group.map(|group| response(200, &group))
        }
        ("GET", ["crm", "properties", _, object, name]) => {
            absent(asked)?;
            let mut all = properties(asked, object).into_iter();
            all.find(|one| member(one, "name") == *name).map(|one| response(200, &one))
        }
        ("POST", ["crm", "pipelines", _, "tickets"]) => {
            let mut pipeline = asked.body();
            let id = match member(&pipeline, "pipelineId").as_str() {
                Some(id) => json!(id),
                None => json!(asked.id(0).to_string()),
            };
            *member_mut(&mut pipeline, "id") = id;
            let stages = member_mut(&mut pipeline, "stages").as_array_mut().into_iter().flatten();
            for (n, stage) in stages.enumerate() {
                *member_mut(stage, "id") = json!(asked.id(n + 1).to_string());
                let metadata = member_mut(stage, "metadata");
                let is_closed = member(metadata, "ticketState") == "CLOSED";
                *member_mut(metadata, "isClosed") = json!(is_closed.to_string());
            }
            Some(response(201, &pipeline))
        }
        ("GET", ["crm", "pipelines", _, "tickets"]) => {
            asked.with("/results", made_at(asked, asked.path()))
        }
        ("POST", ["crm-object-schemas", _, "schemas"]) => {
            let mut schema = asked.body();
            *member_mut(&mut schema, "objectTypeId") = json!(format!("2-{}", asked.id(0)));
            *member_mut(&mut schema, "id") = json!(asked.id(0).to_string());
            Some(response(201, &schema))
        }
        ("GET", ["crm-object-schemas", _, "schemas"]) => {
            asked.with("/results", made_at(asked, asked.path()))
        }
        // `p1234_order`: the portal's number, and the name.
        ("GET", ["crm-object-schemas", version, "schemas", full]) => {
            absent(asked)?;
            let (_, name) = full.split_once('_')?;
            let all = made_at(asked, &format!("/crm-object-schemas/{version}/schemas"));
            let mut schema = all.into_iter().find(|one| member(one, "name") == name)?;
            *member_mut(&mut schema, "fullyQualifiedName") = json!(full);
            Some(response(200, &schema))
        }
        ("POST", ["files", _, "files"]) => {
            let name = member(&asked.body(), "fileName").clone();
            let id = asked.id(0).to_string();
            let (_, blob) = asked.files().into_iter().next()?;
            let url = format!("https://hubspot.invalid/files/{id}");
            let file = json!({"id": id, "name": name, "url": url, "size": blob.size, "archived": false});
            Some(response(201, &file))
        }
        _ => asked.echo(Ids::Texts),
    }
}

/// An answer to a batch.
fn batch(results: impl Iterator<Item = Value>) -> Option<Response> {
    let results: Vec<Value> = results.collect();
    Some(response(
        201,
        &json!({"status": "COMPLETE", "results": results}),
    ))
}

fn rows(list: &Value) -> impl Iterator<Item = Value> + use<> {
    list.as_array().cloned().unwrap_or_default().into_iter()
}

fn inputs(body: &Value) -> impl Iterator<Item = Value> + use<> {
    rows(member(body, "inputs"))
}

/// The rows of a read that HubSpot refuses where it names an object type or a property that is not there yet.
fn found(asked: &Rehearsal, rows: Vec<Value>) -> Option<Response> {
    match asked.real()? {
        (400 | 404, _) => Some(response(
            200,
            &json!({"results": rows, "total": rows.len()}),
        )),
        _ => asked.with("/results", rows),
    }
}

/// Only what is really not there is answered for.
fn absent(asked: &Rehearsal) -> Option<()> {
    asked
        .real()
        .is_none_or(|(status, _)| status >= 400)
        .then_some(())
}

/// What single creations at a path gave.
fn made_at(asked: &Rehearsal, path: &str) -> Vec<Value> {
    let made = asked
        .earlier()
        .into_iter()
        .filter(|one| one.method == "POST" && one.path == path);
    made.map(|one| one.answer).collect()
}

/// The properties that were made of an object type.
fn properties(asked: &Rehearsal, object: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for one in asked.earlier() {
        let segments = one.segments();
        match segments.as_slice() {
            ["crm", "properties", _, of, "batch", "create"] if *of == object => {
                all.extend(rows(member(&one.answer, "results")));
            }
            ["crm", "properties", _, of] if *of == object && one.method == "POST" => {
                all.push(one.answer)
            }
            ["crm-object-schemas", _, "schemas"]
                if object.ends_with(member(&one.body, "name").as_str().unwrap_or("/")) =>
            {
                all.extend(rows(member(&one.body, "properties")));
            }
            _ => {}
        }
    }
    all
}

/// The records that were made of an object type, as they are now.
fn records(asked: &Rehearsal, object: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    for one in asked.earlier() {
        let segments = one.segments();
        let ["crm", "objects", _, of, "batch", what] = segments.as_slice() else {
            continue;
        };
        if *of != object {
            continue;
        }
        for record in rows(member(&one.answer, "results")) {
            let known = all
                .iter_mut()
                .find(|known| member(known, "id") == member(&record, "id"));
            match (*what, known) {
                ("create", _) => all.push(record),
                ("update", Some(known)) => {
                    let values = member(&record, "properties")
                        .as_object()
                        .cloned()
                        .unwrap_or_default();
                    for (name, value) in values {
                        *member_mut(member_mut(known, "properties"), &name) = value;
                    }
                }
                _ => {}
            }
        }
    }
    all
}

/// Whether an object type was made so that it can be linked with the other end.
fn is_linked(made: &Earlier, from: &str, to: &str) -> bool {
    let name = member(&made.body, "name").as_str().unwrap_or("/");
    let names = made
        .path
        .ends_with("/schemas")
        .then_some(member(&made.body, "associatedObjects"));
    let mut objects = names.and_then(Value::as_array).into_iter().flatten();
    objects.any(|object| {
        let plural = match object.as_str() {
            Some("CONTACT") => "contacts",
            Some("COMPANY") => "companies",
            Some("TICKET") => "tickets",
            _ => return false,
        };
        (from.ends_with(name) && to == plural) || (to.ends_with(name) && from == plural)
    })
}

/// Types of links have small numbers.
fn small(id: &Value) -> u64 {
    let id = id
        .as_str()
        .and_then(|id| id.parse().ok())
        .or_else(|| id.as_u64());
    id.unwrap_or(0) % 1_000_000_000
}

fn label(id: u64, body: &Value) -> Value {
    json!({"category": "USER_DEFINED", "typeId": small(&json!(id)), "label": member(body, "label")})
}
