//! What Freshdesk would answer, for a dry run: as much of its answers as the connector reads.
//!
//! What is made comes back with an id, and a field with the name that Freshdesk makes of its label (Freshdesk facts §9).

use serde_json::{Value, json};
use transload_sdk::http::Response;
use transload_sdk::rehearsal::{Ids, Rehearsal, give_id, member, member_mut, response};

/// What the probe of the migration API is answered, which nothing but sending it could answer: Freshdesk says no such thing.
pub const ASK_BY_READING: u16 = 501;

/// The answer to a request that Freshdesk takes.
pub fn answer(asked: &Rehearsal) -> Option<Response> {
    let body = asked.body();
    match (asked.method(), asked.segments().as_slice()) {
        ("POST", ["api", "channel", "v2", "tickets"])
            if body.as_object().is_some_and(|body| body.is_empty()) =>
        {
            Some(response(ASK_BY_READING, &json!({})))
        }
        ("POST", [.., "ticket_fields"]) => Some(field(asked, "cf_")),
        ("POST", [.., "contact_fields" | "company_fields"]) => Some(field(asked, "")),
        ("GET", [.., "ticket_fields" | "contact_fields" | "company_fields"]) => {
            let kind = asked.segments().last().map(|last| (*last).to_owned())?;
            let made = asked.earlier().into_iter();
            let made = made.filter(|one| one.method == "POST" && one.path.ends_with(&kind));
            // Where the plan has none of a kind, none were made.
            asked.with("", made.map(|one| one.answer).collect::<Vec<_>>())
        }
        ("POST", [.., "schemas", _, "records"]) => {
            let record =
                json!({"display_id": asked.id(0).to_string(), "data": member(&body, "data")});
            Some(response(201, &record))
        }
        ("PUT", [.., "schemas", _, "records", id]) => Some(response(
            200,
            &json!({"display_id": id, "data": member(&body, "data")}),
        )),
        ("POST", [.., "tickets", "bulk_update"]) => {
            Some(response(202, &json!({"job_id": asked.id(0).to_string()})))
        }
        ("GET", ["api", "v2", "jobs", id]) => {
            Some(response(200, &json!({"id": id, "status": "COMPLETED"})))
        }
        ("GET", [.., "conversations"]) if asked.real().is_none() => Some(response(200, &json!([]))),
        ("POST", _) => {
            let mut made = typed(asked.body());
            give_id(&mut made, json!(asked.id(0)));
            let files: Vec<Value> = asked
                .files()
                .into_iter()
                .enumerate()
                .map(|(n, (_, blob))| {
                    let id = asked.id(n + 1);
                    json!({"id": id, "size": blob.size, "attachment_url": format!("https://freshdesk.invalid/{id}")})
                })
                .collect();
            if !files.is_empty() {
                *member_mut(&mut made, "attachments") = json!(files);
            }
            Some(response(201, &made))
        }
        ("PUT", _) if !asked.reads() => {
            let mut changed = typed(asked.body());
            let id = asked
                .segments()
                .last()
                .and_then(|id| id.parse::<u64>().ok());
            give_id(&mut changed, json!(id));
            Some(response(200, &changed))
        }
        _ => asked.echo(Ids::Numbers),
    }
}

/// Numbers and switches of a form, which are texts there, as an answer has them.
fn typed(mut body: Value) -> Value {
    for (name, value) in body.as_object_mut().into_iter().flatten() {
        let Some(text) = value.as_str() else { continue };
        let is_number =
            name.ends_with("_id") || ["status", "priority", "source"].contains(&name.as_str());
        match text {
            "true" | "false" => *value = json!(text == "true"),
            text if is_number => {
                if let Ok(number) = text.parse::<u64>() {
                    *value = json!(number);
                }
            }
            _ => {}
        }
    }
    body
}

/// A field that was made: its name is its label in small letters.
fn field(asked: &Rehearsal, prefix: &str) -> Response {
    let mut field = asked.body();
    let label = member(&field, "label")
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    let name: String = label.chars().map(plain).collect();
    *member_mut(&mut field, "name") = json!(format!("{prefix}{name}"));
    give_id(&mut field, json!(asked.id(0)));
    response(201, &field)
}
