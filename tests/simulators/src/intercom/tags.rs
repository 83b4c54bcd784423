//! Tags (Intercom facts §9).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::contacts;
use super::model::{Applied, Id, Tag};
use super::read::{Reader, id_of, word_of};
use super::state::State;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    let version = call.actor.version;
    Some(match (method, path) {
        ("GET", ["tags"]) => {
            let data: Vec<Value> = call.state.tags.values().map(render).collect();
            Answer::ok(json!({"type": "list", "data": data}))
        }
        ("POST", ["tags"]) => post(call),
        ("GET", ["tags", id]) => {
            let tag = id.parse().ok().and_then(|id: Id| call.state.tags.get(&id));
            tag.map_or_else(|| Err(Failure::resource()), |tag| Answer::ok(render(tag)))
        }
        ("DELETE", ["tags", id]) => delete(call, id),
        ("GET", ["contacts", id, "tags"]) => call.state.contact(id, version).and_then(|contact| {
            Answer::ok(json!({"type": "list", "data": rendered(call.state, &contact.tags)}))
        }),
        ("POST", ["contacts", id, "tags"]) => {
            let found = call.state.contact(id, version).map(|_| ());
            found.and_then(|()| {
                let tag = given(call, call.body(&["id"])?, Failure::resource)?;
                let by = call.actor.admin_id;
                contacts::tag(call.state, id, tag, by);
                shown(call.state, &call.state.contact(id, version)?.tags, tag)
            })
        }
        ("DELETE", ["contacts", id, "tags", tag]) => untag_contact(call, id, tag),
        ("POST", [kind @ ("conversations" | "tickets"), id, "tags"]) => tag_thread(call, kind, id),
        ("DELETE", [kind @ ("conversations" | "tickets"), id, "tags", tag]) => {
            untag_thread(call, kind, id, tag)
        }
        _ => return None,
    })
}

fn render(tag: &Tag) -> Value {
    json!({"type": "tag", "id": tag.id.to_string(), "name": tag.name})
}

/// The tags of something as answers show them.
pub(super) fn rendered(state: &State, tags: &[Applied]) -> Vec<Value> {
    let tags = tags.iter().filter_map(|one| {
        let tag = state.tags.get(&one.tag)?;
        Some(json!({
            "type": "tag", "id": tag.id.to_string(), "name": tag.name, "applied_at": one.at,
            "applied_by": {"type": "admin", "id": one.by.to_string()},
        }))
    });
    tags.collect()
}

fn shown(state: &State, tags: &[Applied], tag: Id) -> Outcome {
    let one: Vec<Applied> = tags.iter().filter(|one| one.tag == tag).cloned().collect();
    let shown = rendered(state, &one).into_iter().next();
    shown.map_or_else(|| Err(Failure::resource()), Answer::ok)
}

/// A tag that is put on something now (§10).
pub(super) fn applied(state: &State, tag: Id, by: Id) -> Applied {
    Applied {
        tag,
        at: state.now(),
        by,
    }
}

/// Makes a tag, or finds the one of that name in any case (§9).
pub(super) fn make(state: &mut State, name: &str) -> Id {
    if let Some(id) = state.tags_by_name.get(&name.to_lowercase()) {
        return *id;
    }
    let id = state.next_id();
    state.put_tag(Tag {
        id,
        name: name.to_owned(),
    });
    id
}

/// The tag that `id` of a body names.
fn given(call: &Call<'_>, reader: Reader<'_>, missing: fn() -> Failure) -> Result<Id, Failure> {
    let Some(value) = reader.raw("id") else {
        return Err(Failure::missing("id"));
    };
    let tag = id_of(value).filter(|id| call.state.tags.contains_key(id));
    tag.ok_or_else(missing)
}

fn post(call: &mut Call<'_>) -> Outcome {
    let invalid = || Failure::invalid("invalid tag parameters");
    let reader = call.body(&["name", "id", "companies", "users"])?;
    let name = reader
        .text("name")?
        .filter(|name| !name.trim().is_empty())
        .ok_or_else(invalid)?;
    let name = name.trim().to_owned();
    if let Some(id) = reader.id("id")? {
        // With an id it is another name for it.
        if !call.state.tags.contains_key(&id) {
            return Err(Failure::resource());
        }
        let taken = call.state.tags_by_name.get(&name.to_lowercase());
        if taken.is_some_and(|other| *other != id) {
            return Err(invalid());
        }
        let tag = Tag { id, name };
        let answer = render(&tag);
        call.state.put_tag(tag);
        return Answer::ok(answer);
    }
    let (companies, users) = (reader.list("companies")?, reader.list("users")?);
    let mut named = Vec::new();
    for value in companies.into_iter().flatten() {
        let one = Reader::new(value)?;
        let id = one.word("id")?;
        let by_key = one.word("company_id")?;
        let by_key = by_key.and_then(|key| call.state.companies_by_key.get(&key).cloned());
        // §1: since 2.16 what is missing is passed over.
        let Some(id) = id.or(by_key).filter(|id| call.state.company(id).is_ok()) else {
            if call.actor.version >= 16 {
                continue;
            }
            return Err(Failure::company());
        };
        named.push((id, one.flag("untag")?.unwrap_or_default()));
    }
    let mut people = Vec::new();
    for value in users.into_iter().flatten() {
        let one = Reader::new(value)?;
        let id = one.raw("id").and_then(word_of).unwrap_or_default();
        match call.state.contact(&id, call.actor.version) {
            Ok(_) => people.push((id, one.flag("untag")?.unwrap_or_default())),
            Err(_) if call.actor.version >= 16 => {}
            Err(failure) => return Err(failure),
        }
    }
    let tag = make(call.state, &name);
    let by = call.actor.admin_id;
    for (id, untag) in &named {
        if let Some(company) = call.state.companies.get_mut(id) {
            company.tags.retain(|one| *one != tag);
            if !untag {
                company.tags.push(tag);
            }
        }
    }
    for (id, untag) in &people {
        if *untag {
            call.state
                .edit_contact(id, |contact| contact.tags.retain(|one| one.tag != tag));
        } else {
            contacts::tag(call.state, id, tag, by);
        }
    }
    let tagged = |list: &[(String, bool)]| -> Vec<Value> {
        let list = list.iter();
        list.map(|(id, untag)| json!({"id": id, "tagged": !untag}))
            .collect()
    };
    let mut answer = call.state.tags.get(&tag).map(render).unwrap_or_default();
    if let Some(map) = answer.as_object_mut() {
        if companies.is_some() {
            map.insert("companies".to_owned(), json!(tagged(&named)));
        }
        if users.is_some() {
            map.insert("users".to_owned(), json!(tagged(&people)));
        }
    }
    Answer::ok(answer)
}

fn delete(call: &mut Call<'_>, id: &str) -> Outcome {
    let id: Id = id.parse().map_err(|_| Failure::resource())?;
    let state = &mut *call.state;
    let tag = state.tags.get(&id).cloned().ok_or_else(Failure::resource)?;
    let segments = state
        .segments
        .iter()
        .filter(|segment| segment.tag == Some(id));
    let names: Vec<&str> = segments.map(|segment| segment.name.as_str()).collect();
    let has = |tags: &[Applied]| tags.iter().any(|one| one.tag == id);
    let used = state.config.switches.used_tag_kept
        && (state.contacts.values().any(|one| has(&one.tags))
            || state.companies.values().any(|one| one.tags.contains(&id))
            || state.conversations.values().any(|one| has(&one.tags))
            || state.tickets.values().any(|one| has(&one.tags)));
    if used || !names.is_empty() {
        let what = if names.is_empty() {
            "Taggings: 1.".to_owned()
        } else {
            format!("Segments: {}.", names.join(", "))
        };
        let message = format!("Unable to delete Tag with dependent objects. {what}");
        return Err(Failure::new(400, "tag_has_dependent_objects", message));
    }
    state.tags.remove(&id);
    state.tags_by_name.remove(&tag.name.to_lowercase());
    for tags in state
        .contacts
        .values_mut()
        .map(|one| &mut one.tags)
        .chain(state.conversations.values_mut().map(|one| &mut one.tags))
        .chain(state.tickets.values_mut().map(|one| &mut one.tags))
    {
        tags.retain(|one| one.tag != id);
    }
    for company in state.companies.values_mut() {
        company.tags.retain(|one| *one != id);
    }
    Answer::bare(200)
}

fn untag_contact(call: &mut Call<'_>, id: &str, tag: &str) -> Outcome {
    let contact = call.state.contact(id, call.actor.version)?;
    let tag: Id = tag.parse().map_err(|_| Failure::resource())?;
    let answer = shown(call.state, &contact.tags, tag)?;
    call.state
        .edit_contact(id, |contact| contact.tags.retain(|one| one.tag != tag));
    Ok(answer)
}

fn missing_tag() -> Failure {
    Failure::new(404, "tag_not_found", "Tag not found")
}

/// The tags of a conversation or ticket.
fn tags_of<'s>(
    state: &'s mut State,
    kind: &str,
    id: &str,
) -> Result<&'s mut Vec<Applied>, Failure> {
    let number: Option<Id> = id.parse().ok();
    if kind == "tickets" {
        let ticket = number.and_then(|id| state.tickets.get_mut(&id));
        return ticket
            .map(|one| &mut one.tags)
            .ok_or_else(super::tickets::missing);
    }
    let conversation = number.and_then(|id| state.conversations.get_mut(&id));
    let missing = || Failure::not_found("Conversation not found");
    conversation.map(|one| &mut one.tags).ok_or_else(missing)
}

fn tag_thread(call: &mut Call<'_>, kind: &str, id: &str) -> Outcome {
    tags_of(call.state, kind, id)?;
    let reader = call.body(&["id", "admin_id"])?;
    let tag = given(call, reader, missing_tag)?;
    let by = call.needed_admin(reader)?;
    let applied = applied(call.state, tag, by);
    let tags = tags_of(call.state, kind, id)?;
    if !tags.iter().any(|one| one.tag == tag) {
        tags.push(applied);
    }
    let tags = tags.clone();
    touch(call.state, kind, id);
    shown(call.state, &tags, tag)
}

fn untag_thread(call: &mut Call<'_>, kind: &str, id: &str, tag: &str) -> Outcome {
    let tags = tags_of(call.state, kind, id)?.clone();
    let reader = call.body(&["admin_id"])?;
    call.needed_admin(reader)?;
    let tag: Id = tag.parse().map_err(|_| missing_tag())?;
    let answer = shown(call.state, &tags, tag).map_err(|_| missing_tag())?;
    tags_of(call.state, kind, id)?.retain(|one| one.tag != tag);
    touch(call.state, kind, id);
    Ok(answer)
}

fn touch(state: &mut State, kind: &str, id: &str) {
    let now = state.now();
    let Ok(id) = id.parse::<Id>() else { return };
    if kind == "tickets" {
        if let Some(ticket) = state.tickets.get_mut(&id) {
            ticket.updated_at = now;
        }
    } else if let Some(conversation) = state.conversations.get_mut(&id) {
        conversation.updated_at = now;
    }
}
