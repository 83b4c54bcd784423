//! What Gorgias would answer, for a dry run: as much of its answers as the connector reads.
//!
//! What is made comes back with an id; a ticket with its messages, each with its own (Gorgias facts §8), an upload with an address for
//! each file (Gorgias facts §9).

use serde_json::{Value, json};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::{Ids, Rehearsal, give_id, member, member_mut, response};

/// The answer to a request that Gorgias takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    match (asked.method(), asked.segments().as_slice()) {
        ("POST", ["upload"]) => {
            let files = asked.files().into_iter().enumerate().map(|(n, (name, blob))| {
                let url = format!("https://gorgias.invalid/{}", asked.id(n));
                json!({"url": url, "name": name, "size": blob.size, "content_type": blob.media_type})
            });
            Some(response(201, &files.collect()))
        }
        ("POST", ["tickets"]) => Some(response(201, &ticket(asked.body(), |n| asked.id(n)))),
        ("GET", ["tickets", id]) => {
            let maker = asked.maker()?;
            let mut ticket = maker.answer;
            let earlier = asked.earlier().into_iter();
            let changes = earlier
                .filter(|one| one.method == "PUT" && one.path.ends_with(&format!("/tickets/{id}")));
            for change in changes {
                for (name, value) in change.body.as_object().into_iter().flatten() {
                    *member_mut(&mut ticket, name) = value.clone();
                }
            }
            Some(response(200, &ticket))
        }
        // The messages of a ticket, which its number names in the query.
        ("GET", ["messages"]) => {
            let earlier = asked.earlier().into_iter();
            let tickets = earlier.filter(|one| one.method == "POST" && one.path == "/tickets");
            let ticket = tickets
                .map(|one| one.answer)
                .find(|one| asked.url().contains(&member(one, "id").to_string()))?;
            asked.with(
                "/data",
                member(&ticket, "messages")
                    .as_array()
                    .cloned()
                    .unwrap_or_default(),
            )
        }
        ("GET", ["tags" | "custom-fields" | "teams" | "users"]) => {
            let made = asked.earlier().into_iter();
            let made = made.filter(|one| one.method == "POST" && one.path == asked.path());
            let kind = asked
                .url()
                .split_once("object_type=")
                .map(|(_, kind)| kind.split('&').next().unwrap_or(kind).to_owned());
            let of_kind = |one: &Value| match &kind {
                Some(kind) => member(one, "object_type")
                    .as_str()
                    .is_some_and(|of| of.eq_ignore_ascii_case(kind)),
                None => true,
            };
            asked.with(
                "/data",
                made.map(|one| one.answer)
                    .filter(of_kind)
                    .collect::<Vec<_>>(),
            )
        }
        // A customer with the document that this call gave it.
        ("GET", ["customers", id]) => {
            let maker = asked.maker()?;
            let mut customer = maker.answer;
            for one in asked
                .earlier()
                .into_iter()
                .filter(|one| one.method == "PUT")
            {
                if one.path.ends_with(&format!("/customers/{id}/data")) {
                    *member_mut(&mut customer, "data") = member(&one.body, "data").clone();
                } else if one.path.ends_with(&format!("/customers/{id}")) {
                    for (name, value) in one.body.as_object().into_iter().flatten() {
                        *member_mut(&mut customer, name) = value.clone();
                    }
                }
            }
            Some(response(200, &customer))
        }
        ("GET", ["customers", _, "custom-fields"]) if asked.real().is_none() => {
            Some(response(200, &json!({"data": []})))
        }
        _ => asked.echo(Ids::Numbers),
    }
}

/// A ticket with an id of its own for each message.
fn ticket(mut ticket: Value, id: impl Fn(usize) -> u64) -> Value {
    give_id(&mut ticket, json!(id(0)));
    let messages = member_mut(&mut ticket, "messages")
        .as_array_mut()
        .into_iter()
        .flatten();
    for (n, message) in messages.enumerate() {
        give_id(message, json!(id(n + 1)));
    }
    ticket
}
