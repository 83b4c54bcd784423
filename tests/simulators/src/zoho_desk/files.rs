//! Attachments and uploads (Zoho Desk facts §7.8).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome, Payload};
use super::call::{Call, PAGED, Part, bad_query, page};
use super::model::{Attachment, Id, Module, Place};
use super::read::iso;
use super::state::State;

fn render(call: &Call<'_>, file: &Attachment, href: String) -> Value {
    json!({
        "id": file.id.to_string(), "name": file.name, "size": file.size.to_string(), "href": href,
        "previewurl": format!("{}/attachments/{}/preview", call.base, file.id), "isPublic": file.public,
        "creatorId": file.creator.to_string(), "createdTime": iso(file.created_at),
    })
}

/// Keeps the one file of a form (§7.8: part `file`, one a call).
fn receive(call: &mut Call<'_>, place: Place, public: bool) -> Result<Attachment, Failure> {
    let Some(parts) = &call.request.files else {
        return Err(Failure::new(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "A form with a file is expected.",
        ));
    };
    let part: &Part = match parts.as_slice() {
        [part] if part.name == "file" && part.file_name.is_some() => part,
        [] => return Err(Failure::new(422, "EMPTY_PAYLOAD", "There is no file.")),
        _ => return Err(Failure::unprocessable("One part named 'file' is expected.")),
    };
    if part.size > call.state.config.switches.attachment_max_bytes {
        return Err(too_large());
    }
    if part.size == 0 {
        return Err(Failure::unprocessable("The file is empty."));
    }
    let part = part.clone();
    let file = Attachment {
        id: call.state.next_id(),
        place,
        name: part.file_name.unwrap_or_default(),
        content_type: part.content_type,
        size: part.size,
        sha256: part.sha256,
        content: part.content,
        public,
        creator: call.agent,
        created_at: call.state.now,
    };
    call.state.put_file(file.clone());
    Ok(file)
}

/// 413 (§5 [MEM]).
pub(super) fn too_large() -> Failure {
    Failure::new(
        413,
        "RESOURCE_SIZE_EXCEEDED",
        "The size of the resource exceeds the limit.",
    )
}

/// Whether an upload is there and has not been used (§7.8).
pub(super) fn is_unused(state: &State, id: Id) -> bool {
    let life = state.config.switches.upload_life;
    let file = state.attachments.get(&id);
    file.is_some_and(|file| file.place == Place::Upload && file.created_at + life > state.now)
}

/// Hangs an upload where it belongs; it is used then.
pub(super) fn attach(state: &mut State, id: Id, place: Place, public: bool) {
    if let Some(mut file) = state.take_file(id) {
        file.place = place;
        file.public = public;
        state.put_file(file);
    }
}

fn content_of(file: Option<&Attachment>) -> Outcome {
    let file = file.ok_or_else(Failure::not_found)?;
    let bytes = file.content.clone().ok_or_else(Failure::not_found)?;
    Ok(Answer {
        status: 200,
        body: Payload::File {
            content_type: file.content_type.clone(),
            bytes,
        },
        headers: vec![(
            "content-disposition",
            format!("attachment; filename=\"{}\"", file.id),
        )],
    })
}

/// `POST uploads`: a temporary file.
pub(super) fn upload(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let file = receive(call, Place::Upload, false)?;
    let href = format!("{}/uploads/{}/contents", call.base, file.id);
    Answer::ok(render(call, &file, href))
}

/// `GET uploads/{id}/contents`.
pub(super) fn upload_content(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let file = call.state.attachments.get(&id);
    content_of(file.filter(|_| is_unused(call.state, id)))
}

fn ticket_href(call: &Call<'_>, ticket: Id, file: Id) -> String {
    format!("{}/tickets/{ticket}/attachments/{file}/content", call.base)
}

/// `POST tickets/{id}/attachments?isPublic=`.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["isPublic"]])?;
    let ticket = call.id(0)?;
    call.state.live(Module::Tickets, ticket)?;
    let public = call.flag_param("isPublic")?.unwrap_or_default();
    let file = receive(call, Place::Ticket(ticket), public)?;
    call.state.change_record(ticket, call.agent, |_| ());
    let href = ticket_href(call, ticket, file.id);
    Answer::ok(render(call, &file, href))
}

/// `GET tickets/{id}/attachments`.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED, &["isPublic", "sortBy", "include"]])?;
    let ticket = call.id(0)?;
    call.state.record(Module::Tickets, ticket)?;
    let public = call.flag_param("isPublic")?;
    let paging = call.usual_paging()?;
    let files = call.state.files(Place::Ticket(ticket));
    let files = files.filter(|file| public.is_none_or(|public| file.public == public));
    let show = |file: &Attachment| render(call, file, ticket_href(call, ticket, file.id));
    match call.request.param("sortBy") {
        None | Some("createdTime") => page(paging, files, show),
        Some("-createdTime") => page(paging, files.rev(), show),
        Some(_) => Err(bad_query("sortBy")),
    }
}

fn find(call: &Call<'_>) -> Result<Attachment, Failure> {
    let (ticket, id) = (call.id(0)?, call.id(1)?);
    call.state.record(Module::Tickets, ticket)?;
    let file = call.state.attachments.get(&id);
    let file = file.filter(|file| file.place == Place::Ticket(ticket));
    file.cloned().ok_or_else(Failure::not_found)
}

/// `PATCH tickets/{id}/attachments/{id}`.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut file = find(call)?;
    let mut reader = call.reader(&["isPublic"])?;
    let public = reader.flag("isPublic");
    reader.finish(call.strict())?;
    file.public = public.unwrap_or(file.public);
    call.state.put_file(file);
    Answer::bare(200)
}

/// `DELETE tickets/{id}/attachments/{id}`.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let file = find(call)?;
    let ticket = call.id(0)?;
    call.state.live(Module::Tickets, ticket)?;
    call.state.take_file(file.id);
    call.state.change_record(ticket, call.agent, |_| ());
    Answer::bare(200)
}

/// `GET tickets/{id}/attachments/{id}/content`: with the same headers as any call (§7.8).
pub(super) fn content(call: &mut Call<'_>) -> Outcome {
    let file = find(call)?;
    content_of(Some(&file))
}

/// The bytes of a file of a comment or a thread.
pub(super) fn inner_content(call: &mut Call<'_>) -> Outcome {
    let (inner, id) = (call.id(1)?, call.id(2)?);
    let file = call.state.attachments.get(&id);
    content_of(
        file.filter(|file| {
            file.place == Place::Comment(inner) || file.place == Place::Thread(inner)
        }),
    )
}
