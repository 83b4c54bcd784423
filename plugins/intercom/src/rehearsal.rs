//! What Intercom would answer, for a dry run: as much of its answers as the connector reads.
//!
//! Whatever changes a conversation is answered with the conversation (Intercom facts §8.2); beginning one is answered with its message
//! (Intercom facts §8.1). Of a conversation's parts only the newest is there: the connector reads no more of it. Whether somebody
//! made the type of a record (Intercom facts §9) is asked, before the record would be made.

use serde_json::{Value, json};
use transload_sdk::http::{Body, Replay, Request, Response};
use transload_sdk::rehearsal::{Ids, Rehearsal, member, member_mut, response};

/// The answer to a request that Intercom takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    let body = asked.body();
    match (asked.method(), asked.segments().as_slice()) {
        ("POST", ["contacts" | "conversations" | "tickets", "search"]) => None,
        ("POST", ["conversations"]) => {
            let id = asked.id(0).to_string();
            Some(response(
                200,
                &json!({"id": asked.id(1).to_string(), "conversation_id": id}),
            ))
        }
        // An attribute has no number that anybody needs, and its name is what it is written by.
        ("GET", ["data_attributes"] | ["conversations", "attributes"]) => {
            let made = asked.earlier().into_iter();
            let made = made.filter(|one| one.method == "POST" && one.path == asked.path());
            let model = asked
                .url()
                .split_once("model=")
                .map(|(_, model)| model.split('&').next().unwrap_or(model));
            let made = made.map(|one| one.answer).filter(|one| {
                let of = member(one, "model");
                model.is_none_or(|model| of.is_null() || of == model)
            });
            asked.with("/data", made.collect::<Vec<_>>())
        }
        ("GET", ["conversations", id]) => asked
            .real()
            .is_none()
            .then(|| response(200, &now(asked, id))),
        ("PUT", ["conversations", id]) => {
            let mut now = now(asked, id);
            for (name, value) in member(&body, "custom_attributes")
                .as_object()
                .into_iter()
                .flatten()
            {
                *member_mut(member_mut(&mut now, "custom_attributes"), name) = value.clone();
            }
            *member_mut(&mut now, "title") = member(&body, "title").clone();
            Some(response(200, &now))
        }
        ("POST", ["conversations", id, "reply"]) => {
            let mut now = now(asked, id);
            let author = match member(&body, "type").as_str() {
                Some("user") => json!({"type": "user", "id": member(&body, "intercom_user_id")}),
                _ => json!({"type": "admin", "id": member(&body, "admin_id")}),
            };
            let files = member(&body, "attachment_files")
                .as_array()
                .cloned()
                .unwrap_or_default()
                .into_iter();
            let files: Vec<Value> = files
                .map(|file| json!({"name": member(&file, "name")}))
                .collect();
            *member_mut(&mut now, "conversation_parts") = json!({"conversation_parts": [{
                "id": asked.id(0).to_string(), "part_type": member(&body, "message_type"), "body": member(&body, "body"),
                "created_at": member(&body, "created_at"), "author": author, "attachments": files,
            }]});
            Some(response(200, &now))
        }
        ("POST", ["conversations", id, "parts"]) => {
            let mut now = now(asked, id);
            match member(&body, "message_type").as_str() {
                Some("close") => *member_mut(&mut now, "state") = json!("closed"),
                Some("open") => *member_mut(&mut now, "state") = json!("open"),
                Some("snoozed") => {
                    *member_mut(&mut now, "state") = json!("snoozed");
                    *member_mut(&mut now, "snoozed_until") = member(&body, "snoozed_until").clone();
                }
                _ if member(&body, "type") == "team" => {
                    *member_mut(&mut now, "team_assignee_id") = member(&body, "assignee_id").clone()
                }
                _ => {
                    *member_mut(&mut now, "admin_assignee_id") =
                        member(&body, "assignee_id").clone()
                }
            }
            Some(response(200, &now))
        }
        ("POST", ["conversations", id, "customers" | "tags"]) => {
            Some(response(200, &now(asked, id)))
        }
        ("GET", ["tags"]) => {
            let made = asked.earlier().into_iter();
            let made = made.filter(|one| one.method == "POST" && one.path == "/tags");
            asked.with("/data", made.map(|one| one.answer).collect::<Vec<_>>())
        }
        ("POST", ["custom_object_instances", _])
            if asked.real().is_some_and(|(status, _)| status == 404) =>
        {
            let errors = json!([{"code": "not_found", "message": "no such type"}]);
            Some(response(
                404,
                &json!({"type": "error.list", "errors": errors}),
            ))
        }
        ("GET", [.., "companies" | "notes" | "tags"]) if asked.real().is_none() => {
            Some(response(200, &json!({"type": "list", "data": []})))
        }
        ("POST" | "PUT" | "DELETE", _) => {
            let answer = asked.echo(Ids::Texts)?;
            Some(Response {
                status: 200,
                ..answer
            })
        }
        _ => asked.echo(Ids::Texts),
    }
}

/// Before a record of a custom object is made: its type's records, which are there if the type is.
pub fn instead(asked: &Rehearsal) -> Option<Request> {
    match (asked.method(), asked.segments().as_slice()) {
        ("POST", ["custom_object_instances", _]) if asked.real().is_none() => Some(Request {
            method: "GET".to_owned(),
            url: asked.path().to_owned(),
            body: Body::None,
            replay: Replay::Safe,
            key: None,
            ..asked.request().clone()
        }),
        _ => None,
    }
}

/// A conversation as it is by now.
fn now(asked: &Rehearsal, id: &str) -> Value {
    let earlier = asked.earlier();
    let latest = earlier
        .iter()
        .rev()
        .map(|one| &one.answer)
        .find(|answer| member(answer, "id") == id);
    let mut now = latest.cloned().unwrap_or_else(|| {
        let begun = earlier
            .iter()
            .find(|one| member(&one.answer, "conversation_id") == id);
        let source = begun.map(
            |one| json!({"body": member(&one.body, "body"), "author": member(&one.body, "from")}),
        );
        let contact = begun.map(|one| json!({"id": member(member(&one.body, "from"), "id")}));
        json!({
            "id": id, "state": "open", "source": source, "custom_attributes": {},
            "created_at": begun.map(|one| member(&one.body, "created_at").clone()),
            "contacts": {"contacts": contact.into_iter().collect::<Vec<_>>()}, "tags": {"tags": []},
        })
    });
    *member_mut(&mut now, "conversation_parts") = json!({"conversation_parts": []});
    now
}
