//! Incremental exports (Zendesk facts §3, §15).
//!
//! They go by the moment the account really made or changed a record, not by the times it shows, and hold back the last
//! minute. Deleted tickets are in them.

use std::collections::BTreeSet;
use std::ops::Bound;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::iso;
use super::call::{Call, Limit};
use super::model::{FieldOwner, Id, Record};
use super::state::time_of;
use super::{objects, organizations, tickets, users};

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let ("GET", ["incremental", rest @ ..]) = (call.request.method.as_str(), path) else {
        return None;
    };
    if let ["custom_objects", key, "cursor"] = rest {
        return Some(
            call.limit(Limit::IncrementalObjects, key)
                .and_then(|()| records(call, key)),
        );
    }
    if let Err(failure) = call.limit(Limit::Incremental, "") {
        return Some(Err(failure));
    }
    Some(match rest {
        ["tickets", "cursor"] => by_cursor(call, "tickets"),
        ["users", "cursor"] => by_cursor(call, "users"),
        ["tickets"] => by_time(call, "tickets"),
        ["users"] => by_time(call, "users"),
        ["organizations"] => by_time(call, "organizations"),
        ["ticket_events"] => by_time(call, "ticket_events"),
        _ => return None,
    })
}

type Place = (DateTime<Utc>, Id);

fn too_recent() -> Failure {
    Failure::JsonApi {
        status: 400,
        code: "StartTimeTooRecent",
        title: "start_time must be more than 60 seconds ago".to_owned(),
    }
}

fn start(call: &Call<'_>) -> Result<DateTime<Utc>, Failure> {
    let text = call.request.param("start_time").unwrap_or_default();
    let seconds: i64 = text.parse().map_err(|_| {
        Failure::bad_request("ParameterMissing", "Parameter start_time is required")
    })?;
    let start = time_of(seconds.saturating_mul(1_000));
    if start > call.state.now - Duration::seconds(60) {
        return Err(too_recent());
    }
    Ok(start)
}

fn per_page(call: &Call<'_>) -> usize {
    let asked = call
        .request
        .param("per_page")
        .and_then(|text| text.parse().ok());
    asked.unwrap_or(1_000_usize).clamp(1, 1_000)
}

/// The index of a resource by its real change.
fn changed<'c>(call: &'c Call<'_>, what: &str) -> &'c BTreeSet<Place> {
    match what {
        "users" => &call.state.users_changed,
        "organizations" => &call.state.organizations_changed,
        _ => &call.state.tickets_changed,
    }
}

fn render(call: &Call<'_>, what: &str, id: Id) -> Option<Value> {
    match what {
        "users" => Some(users::render(
            call.state,
            &call.base,
            call.state.users.get(&id)?,
        )),
        "organizations" => Some(organizations::render(
            call,
            call.state.organizations.get(&id)?,
        )),
        _ => {
            let ticket = call.state.tickets.get(&id)?;
            let mut shown = tickets::render(call.state, &call.base, ticket);
            if ticket.deleted.is_some() {
                if !call.state.config.switches.incremental_shows_deleted {
                    return None;
                }
                if let Some(shown) = shown.as_object_mut() {
                    shown.insert("status".to_owned(), json!("deleted"));
                }
            }
            if what == "ticket_events" {
                return Some(events(call, id));
            }
            Some(shown)
        }
    }
}

/// The events of a ticket: its creation or change, with the comments when asked for.
fn events(call: &Call<'_>, id: Id) -> Value {
    let with_comments = call.request.list("include").unwrap_or_default();
    let with_comments = with_comments.iter().any(|part| part == "comment_events");
    let Some(ticket) = call.state.tickets.get(&id) else {
        return Value::Null;
    };
    let comments: Vec<Value> = ticket
        .comments
        .iter()
        .filter(|_| with_comments)
        .map(|comment| {
            let mut shown = tickets::render_comment(&call.base, comment, true);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("event_type".to_owned(), json!("Comment"));
            }
            shown
        })
        .collect();
    json!({
        "id": ticket.comments.last().map_or(ticket.id, |comment| comment.audit_id),
        "ticket_id": ticket.id,
        "timestamp": ticket.generated_at.timestamp(),
        "created_at": iso(ticket.generated_at),
        "updater_id": ticket.submitter_id,
        "via": "api",
        "event_type": "Audit",
        "child_events": comments,
    })
}

/// A page from a place on; the last minute is held back. Gives the records and the last place.
fn page(
    call: &Call<'_>,
    what: &str,
    from: Bound<Place>,
    size: usize,
) -> (Vec<Value>, Option<Place>, bool) {
    let until = call.state.now - Duration::seconds(60);
    let all = changed(call, what).range((from, Bound::Unbounded));
    let mut places = all.take_while(|(at, _)| *at < until);
    let taken: Vec<Place> = places.by_ref().take(size).copied().collect();
    let more = places.next().is_some();
    let list = taken
        .iter()
        .filter_map(|(_, id)| render(call, what, *id))
        .collect();
    (list, taken.last().copied(), more)
}

fn by_cursor(call: &mut Call<'_>, what: &str) -> Outcome {
    let given = call.request.param("cursor");
    let place = match given {
        Some(cursor) => decode(cursor).ok_or_else(|| Failure::JsonApi {
            status: 400,
            code: "InvalidCursor",
            title: "cursor is invalid or expired".to_owned(),
        })?,
        None => (start(call)?, 0),
    };
    let from = if given.is_some() {
        Bound::Excluded(place)
    } else {
        Bound::Included(place)
    };
    let (list, last, more) = page(call, what, from, per_page(call));
    let cursor = encode(last.unwrap_or(place));
    let path = &call.request.path;
    let size = per_page(call);
    Answer::ok(json!({
        what: list,
        "after_cursor": cursor,
        "after_url": format!("{}{path}?cursor={cursor}&per_page={size}", call.base),
        "before_cursor": null,
        "before_url": null,
        "end_of_stream": !more,
    }))
}

fn encode(place: Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}|{}", place.0.timestamp_millis(), place.1))
}

fn decode(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (at, id) = text.split_once('|')?;
    Some((time_of(at.parse().ok()?), id.parse().ok()?))
}

/// By time: the next page starts at the second the last one ended in, so records repeat (§3).
fn by_time(call: &mut Call<'_>, what: &str) -> Outcome {
    let from = start(call)?;
    let (list, last, more) = page(call, what, Bound::Included((from, 0)), per_page(call));
    let end = last.map_or(from, |(at, _)| at).timestamp();
    let path = &call.request.path;
    let size = per_page(call);
    let count = list.len();
    Answer::ok(json!({
        what: list,
        "count": count,
        "end_time": end,
        "next_page": format!("{}{path}?start_time={end}&per_page={size}", call.base),
        "end_of_stream": !more,
    }))
}

/// Records of a custom object; deleted ones are shown blanked (§15).
fn records(call: &mut Call<'_>, key: &str) -> Outcome {
    if !call.state.objects.all.contains_key(key) {
        return Err(Failure::JsonApi {
            status: 404,
            code: "CustomObjectNotFound",
            title: "Custom object not found".to_owned(),
        });
    }
    let from = match call.request.param("cursor") {
        Some(cursor) => {
            let text = URL_SAFE_NO_PAD
                .decode(cursor)
                .ok()
                .and_then(|b| String::from_utf8(b).ok());
            let place = text
                .as_deref()
                .and_then(|text| text.split_once('|'))
                .and_then(|(at, id)| Some((time_of(at.parse().ok()?), id.to_owned())));
            Bound::Excluded(place.ok_or_else(|| Failure::JsonApi {
                status: 400,
                code: "InvalidCursor",
                title: "cursor is invalid or expired".to_owned(),
            })?)
        }
        None => Bound::Included((start(call)?, String::new())),
    };
    let until = call.state.now - Duration::seconds(60);
    let objects = &call.state.objects;
    let record = |id: &String| {
        objects
            .records
            .get(id)
            .or_else(|| objects.tombstones.get(id))
    };
    let size = per_page(call);
    let mut taken: Vec<(&DateTime<Utc>, &Record)> = objects
        .changed
        .range((from, Bound::Unbounded))
        .take_while(|(at, _)| *at < until)
        .filter_map(|(at, id)| Some((at, record(id)?)))
        .filter(|(_, record)| record.object == key)
        .take(size + 1)
        .collect();
    let more = taken.len() > size;
    taken.truncate(size);
    let cursor = match taken.last() {
        Some((at, record)) => Some(format!("{}|{}", at.timestamp_millis(), record.id)),
        None => call
            .request
            .param("cursor")
            .and_then(|cursor| String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()),
    };
    let cursor = cursor.map(|text| URL_SAFE_NO_PAD.encode(text));
    let list: Vec<Value> = taken
        .iter()
        .map(|(_, record)| exported(call, key, record))
        .collect();
    let path = &call.request.path;
    let url = cursor
        .as_ref()
        .map(|cursor| format!("{}{path}?cursor={cursor}", call.base));
    Answer::ok(json!({
        "custom_object_records": list,
        "after_cursor": cursor,
        "after_url": url,
        "before_cursor": null,
        "before_url": null,
        "meta": {"has_more": more},
    }))
}

fn exported(call: &Call<'_>, key: &str, record: &Record) -> Value {
    let mut shown = objects::render(call.state, &call.base, record);
    if call.state.objects.tombstones.contains_key(&record.id)
        && let Some(shown) = shown.as_object_mut()
    {
        let owner = FieldOwner::Object(key.to_owned());
        let blank: serde_json::Map<String, Value> = call
            .state
            .fields_of(&owner)
            .filter_map(|field| Some((field.key.clone()?, json!("[DELETED]"))))
            .collect();
        shown.insert("custom_object_fields".to_owned(), Value::Object(blank));
        shown.insert("name".to_owned(), json!("[DELETED]"));
        shown.insert("external_id".to_owned(), json!("[DELETED]"));
    }
    shown
}
