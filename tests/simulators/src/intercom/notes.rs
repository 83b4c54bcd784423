//! Notes about contacts and companies: made, read, never changed or deleted by themselves (Intercom facts §9).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, numbered};
use super::model::{Id, Note, NoteOf};
use super::state::State;
use super::{admins, html};

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    Some(match (method, path) {
        ("GET", ["contacts", id, "notes"]) => {
            let notes = call
                .state
                .contact(id, call.actor.version)
                .map(|one| one.notes.clone());
            notes.and_then(|notes| list(call, notes))
        }
        ("POST", ["contacts", id, "notes"]) => {
            let found = call.state.contact(id, call.actor.version).map(|_| ());
            found.and_then(|()| post(call, NoteOf::Contact((*id).to_owned())))
        }
        ("GET", ["companies", id, "notes"]) => {
            let notes = call.state.company(id).map(|one| one.notes.clone());
            notes.and_then(|notes| list(call, notes))
        }
        // §7: since 2.16.
        ("POST", ["companies", id, "notes"]) => {
            let found = call
                .since(16)
                .and_then(|()| call.state.company(id).map(|_| ()));
            found.and_then(|()| post(call, NoteOf::Company((*id).to_owned())))
        }
        ("GET", ["notes", id]) => call.id(id).and_then(|id| {
            let note = call.state.notes.get(&id).ok_or_else(Failure::resource)?;
            Answer::ok(render(call.state, note))
        }),
        _ => return None,
    })
}

fn render(state: &State, note: &Note) -> Value {
    let author = state.admins.get(&note.admin_id).map(admins::render);
    let mut shown = json!({
        "type": "note", "id": note.id.to_string(), "created_at": note.created_at, "author": author,
        "body": note.body,
    });
    let (key, id) = match &note.of {
        NoteOf::Contact(id) => ("contact", id),
        NoteOf::Company(id) => ("company", id),
    };
    if let Some(map) = shown.as_object_mut() {
        map.insert(key.to_owned(), json!({"type": key, "id": id}));
    }
    shown
}

fn list(call: &Call<'_>, mut notes: Vec<Id>) -> Outcome {
    notes.reverse();
    let total = notes.len();
    let (page, pages) = numbered(call, notes, 50, 150)?;
    let shown = page.iter().filter_map(|id| call.state.notes.get(id));
    let data: Vec<Value> = shown.map(|note| render(call.state, note)).collect();
    Answer::ok(json!({"type": "list", "data": data, "total_count": total, "pages": pages}))
}

fn post(call: &mut Call<'_>, of: NoteOf) -> Outcome {
    let reader = call.body(&["body", "admin_id"])?;
    let body = reader.needed("body")?;
    // §9: an unknown admin is a 404 of its own.
    let admin_id = call.admin_of(reader).map_err(|_| Failure::resource())?;
    let switches = &call.state.config.switches;
    let body = html::from_markup(&body, switches.line_ends, switches.html_reduced);
    let note = Note {
        id: call.state.next_id(),
        of,
        admin_id,
        body,
        created_at: call.now(),
    };
    let answer = render(call.state, &note);
    match &note.of {
        NoteOf::Contact(id) => {
            call.state
                .edit_contact(id, |contact| contact.notes.push(note.id));
        }
        NoteOf::Company(id) => {
            if let Some(company) = call.state.companies.get_mut(id) {
                company.notes.push(note.id);
            }
        }
    }
    call.state.notes.insert(note.id, note);
    Answer::ok(answer)
}
