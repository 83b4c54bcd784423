//! Files: how they are shown, fetched by signed addresses, and deleted (Freshdesk facts §8).

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Failure, Outcome, Payload};
use super::body::iso;
use super::call::{Call, Request};
use super::model::{File, Id};
use super::state::{Place, State};
use super::tickets;

/// A file as answers show it, its address good from now on for a while.
pub(super) fn render(state: &State, base: &str, file: &File) -> Value {
    json!({
        "id": file.id, "name": file.name, "content_type": file.content_type, "size": file.size,
        "created_at": iso(file.created_at), "updated_at": iso(file.created_at),
        "attachment_url": address(state, base, file),
    })
}

/// Files as answers show them.
pub(super) fn render_all(state: &State, base: &str, files: &[File]) -> Value {
    files.iter().map(|file| render(state, base, file)).collect()
}

/// A signed address.
pub(super) fn address(state: &State, base: &str, file: &File) -> String {
    let name: String = url::form_urlencoded::byte_serialize(file.name.as_bytes()).collect();
    let name = name.replace('+', "%20");
    let life = state.config.switches.link_life.num_seconds();
    let date = state.second().format("%Y%m%dT%H%M%SZ").to_string();
    let signature = signature(state, file.id, &date, life);
    format!(
        "{base}/attachments/production/{}/original/{name}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={date}\
         &X-Amz-Expires={life}&X-Amz-Signature={signature}",
        file.id
    )
}

fn signature(state: &State, id: Id, date: &str, life: i64) -> String {
    let text = format!("{}/{id}/{date}/{life}", state.config.seed);
    hex::encode(Sha256::digest(text))
}

/// Serves a file to whoever has its address.
pub(super) fn download(state: &State, request: &Request, path: &[&str]) -> Outcome {
    let ["attachments", "production", id, "original", _] = path else {
        return Err(Failure::NotFound);
    };
    if state.config.switches.links_refuse_credentials && request.header("authorization").is_some() {
        return Err(Failure::Bare(400));
    }
    let id: Id = id.parse().map_err(|_| Failure::NotFound)?;
    let date = request.param("X-Amz-Date").unwrap_or_default();
    let life: i64 = request
        .param("X-Amz-Expires")
        .and_then(|life| life.parse().ok())
        .unwrap_or(0);
    let signed = request.param("X-Amz-Signature") == Some(&signature(state, id, date, life));
    let from = chrono::NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ").ok();
    let from: Option<DateTime<Utc>> = from.map(|from| from.and_utc());
    let alive = from.is_some_and(|from| state.now <= from + Duration::seconds(life));
    if !signed || !alive {
        return Err(Failure::Bare(403));
    }
    let (file, _) = state.files.get(&id).ok_or(Failure::NotFound)?;
    let bytes = file.content.clone().ok_or(Failure::NotFound)?;
    let file = Payload::File {
        content_type: file.content_type.clone(),
        bytes,
    };
    Ok(Answer::of(200, file))
}

/// `DELETE /attachments/{id}`.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let (_, place) = call.state.files.get(&id).ok_or(Failure::NotFound)?;
    match *place {
        Place::Ticket(ticket) => {
            tickets::writable(call.state, ticket)?;
            call.state.files.remove(&id);
            let mut changed = call.state.ticket(ticket)?.clone();
            changed.attachments.retain(|file| file.id != id);
            call.state.touch(&mut changed);
            call.state.edit_ticket(ticket, |place| *place = changed);
        }
        Place::Conversation(said) => {
            call.state.files.remove(&id);
            let ticket = call.state.ticket_of.get(&said).copied().unwrap_or(0);
            let thread = call.state.threads.get_mut(&ticket);
            for said in thread
                .into_iter()
                .flatten()
                .filter(|other| other.id == said)
            {
                said.attachments.retain(|file| file.id != id);
            }
        }
        Place::Person(person) => {
            call.state
                .edit_person(person, |person| person.avatar = None);
            call.state.files.remove(&id);
        }
        Place::Job => return Err(Failure::NotFound),
    }
    Answer::bare(204)
}
