//! What Zendesk would answer, for a dry run: as much of its answers as the connector reads.
//!
//! What is made comes back in its envelope, with an id; what goes by a job has its rows when the job is asked after (Zendesk facts
//! §12); an upload has a token (Zendesk facts §8). Lists below an object that would be new are empty.

use serde_json::{Value, json};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::{Earlier, Ids, Rehearsal, member, member_mut, response};

/// The answer to a request that Zendesk takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    let below = asked.path().strip_prefix("/api/v2/")?;
    let segments: Vec<&str> = below.split('/').collect();
    match (asked.method(), segments.as_slice()) {
        ("POST", ["imports", "tickets", "create_many"] | ["users", "create_many"])
        | ("POST", ["custom_objects", _, "jobs"]) => {
            let job = json!({"id": asked.id(0).to_string(), "status": "queued"});
            Some(response(200, &json!({"job_status": job})))
        }
        ("GET", ["job_statuses", id]) => Some(response(200, &job(id, &asked.maker()?))),
        ("POST", ["uploads"]) => {
            let id = asked.id(0);
            let url = format!("https://zendesk.invalid/attachments/{id}");
            let file = json!({"id": id, "content_url": url});
            let upload = json!({"token": format!("upload{id}"), "attachment": file});
            Some(response(201, &json!({"upload": upload})))
        }
        ("GET", [list @ ("users" | "organizations"), "show_many"]) => {
            let named = named(asked, people(asked, list));
            asked.with(&format!("/{list}"), named)
        }
        ("GET", ["custom_objects", key, "records"]) => {
            let named = named(asked, records(asked, key));
            asked.with("/custom_object_records", named)
        }
        ("GET", ["custom_objects", key, "records", id]) => {
            asked.maker()?;
            let record = records(asked, key)
                .into_iter()
                .find(|one| member(one, "id") == *id)?;
            Some(response(200, &json!({"custom_object_record": record})))
        }
        ("PATCH", ["custom_objects", _, "records", id]) => {
            let mut record = member(&asked.body(), "custom_object_record").clone();
            *member_mut(&mut record, "id") = json!(id);
            Some(response(200, &json!({"custom_object_record": record})))
        }
        ("GET", [list @ ("users" | "organizations"), id]) if asked.maker().is_some() => {
            let one = people(asked, list)
                .into_iter()
                .find(|one| is_named(one, id))?;
            Some(response(200, &json!({list.trim_end_matches('s'): one})))
        }
        ("GET", [.., "identities"]) if asked.real().is_none() => {
            Some(response(200, &json!({"identities": []})))
        }
        ("GET", ["groups", _, "memberships"]) if asked.real().is_none() => {
            Some(response(200, &json!({"group_memberships": []})))
        }
        ("GET", list) => match envelope(list) {
            Some((rows, row)) => {
                let made = asked.earlier().into_iter();
                let made = made.filter(|one| one.method == "POST" && one.path == asked.path());
                let made = made.filter_map(|one| one.answer.get(row).cloned());
                let made: Vec<Value> = made.collect();
                asked
                    .with(&format!("/{rows}"), made)
                    .or_else(|| asked.echo(Ids::Numbers))
            }
            None => asked.echo(Ids::Numbers),
        },
        _ => asked.echo(Ids::Numbers),
    }
}

/// What the rows of a list of definitions are called, and one of them alone.
fn envelope(path: &[&str]) -> Option<(&'static str, &'static str)> {
    Some(match path {
        ["ticket_fields"] => ("ticket_fields", "ticket_field"),
        ["user_fields"] => ("user_fields", "user_field"),
        ["organization_fields"] => ("organization_fields", "organization_field"),
        ["groups"] => ("groups", "group"),
        ["group_memberships"] => ("group_memberships", "group_membership"),
        ["custom_objects"] => ("custom_objects", "custom_object"),
        ["custom_objects", _, "fields"] => ("custom_object_fields", "custom_object_field"),
        _ => return None,
    })
}

/// A job that has ended, by the request that began it.
fn job(id: &str, began: &Earlier) -> Value {
    let rows = of_job(began).into_iter().enumerate();
    // Records of custom objects have ids that are texts (Zendesk facts §11).
    let of_objects = began.path.ends_with("/jobs");
    let row = |(index, one): (usize, Value)| {
        let id = match (member(&one, "id"), of_objects) {
            (Value::Number(id), true) => json!(id.to_string()),
            (id, _) => id.clone(),
        };
        json!({"index": index, "id": id, "status": "Created", "success": true})
    };
    let rows: Vec<Value> = rows.map(row).collect();
    json!({"job_status": {"id": id, "status": "completed", "results": rows}})
}

/// What a job makes or changes, as it is read; what is made has no id of its own yet.
fn of_job(began: &Earlier) -> Vec<Value> {
    let first = member(member(&began.answer, "job_status"), "id").as_str();
    let first: u64 = first.and_then(|id| id.parse().ok()).unwrap_or(0);
    let body = &began.body;
    let lists = [
        member(body, "tickets"),
        member(body, "users"),
        member(member(body, "job"), "items"),
    ];
    let list = lists.into_iter().find_map(Value::as_array);
    let mut all = list.cloned().unwrap_or_default();
    for (index, one) in all.iter_mut().enumerate() {
        if member(one, "id").is_null() {
            *member_mut(one, "id") = json!(first.saturating_add(index as u64));
        }
    }
    all
}

/// The records of a custom object, as jobs made and changed them.
fn records(asked: &Rehearsal, key: &str) -> Vec<Value> {
    let path = format!("/custom_objects/{key}/jobs");
    let mut all: Vec<Value> = Vec::new();
    for job in asked
        .earlier()
        .into_iter()
        .filter(|one| one.path.ends_with(&path))
    {
        for mut one in of_job(&job) {
            if let Value::Number(id) = member(&one, "id") {
                *member_mut(&mut one, "id") = json!(id.to_string());
            }
            merge(&mut all, one, "custom_object_fields");
        }
    }
    all
}

/// Users or organizations, as they were made and changed.
fn people(asked: &Rehearsal, list: &str) -> Vec<Value> {
    let one_is = list.trim_end_matches('s');
    let fields = format!("{one_is}_fields");
    let mut all: Vec<Value> = Vec::new();
    for one in asked.earlier() {
        let below = one.path.strip_prefix("/api/v2/").unwrap_or_default();
        match below.split('/').collect::<Vec<_>>().as_slice() {
            [of, "create_many"] if *of == list => {
                of_job(&one)
                    .into_iter()
                    .for_each(|one| merge(&mut all, one, &fields));
            }
            [of] if *of == list && one.method == "POST" => {
                merge(&mut all, member(&one.answer, one_is).clone(), &fields)
            }
            [of, id] if *of == list && one.method == "PUT" => {
                let mut change = member(&one.body, one_is).clone();
                *member_mut(&mut change, "id") = json!(id.parse::<u64>().unwrap_or(0));
                merge(&mut all, change, &fields);
            }
            _ => {}
        }
    }
    all
}

/// Adds an object, or changes the one of its id; its custom fields one by one.
fn merge(all: &mut Vec<Value>, change: Value, fields: &str) {
    let id = member(&change, "id");
    let Some(known) = all.iter_mut().find(|known| member(known, "id") == id) else {
        all.push(change);
        return;
    };
    for (name, value) in change.as_object().into_iter().flatten() {
        match value.as_object().filter(|_| name == fields) {
            Some(values) => {
                for (key, value) in values {
                    *member_mut(member_mut(known, name), key) = value.clone();
                }
            }
            None => *member_mut(known, name) = value.clone(),
        }
    }
}

/// Whether a path's segment is an object's id, which is a number.
fn is_named(one: &Value, segment: &str) -> bool {
    let id = member(one, "id").to_string();
    id == segment
}

/// Those of objects that a read names, by id or by marker.
fn named(asked: &Rehearsal, all: Vec<Value>) -> Vec<Value> {
    let url = transload_sdk::http::unsegment(asked.url()).unwrap_or_default();
    let named = |one: &Value| {
        let id = match member(one, "id") {
            Value::String(id) => id.clone(),
            id => id.to_string(),
        };
        let marker = member(one, "external_id").as_str();
        url.contains(&id) || marker.is_some_and(|marker| url.contains(marker))
    };
    all.into_iter().filter(named).collect()
}
