//! Tags (Gorgias facts §8).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, key, page, paging, plain_time};
use super::model::{Effect, Id, Tag};
use super::read::Reader;
use super::state::{State, TicketKey};

/// Longest name (§5).
const NAME_LENGTH: usize = 256;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["tags"], "GET") => list(call),
        (["tags"], "POST") => post(call),
        (["tags"], "DELETE") => delete_many(call),
        (["tags", id, "merge"], "PUT") => call.id(id).and_then(|id| merge(call, id)),
        (["tags", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            Answer::ok(render(
                call.state,
                call.state.tags.get(&id).ok_or(Failure::NotFound)?,
            ))
        }),
        (["tags", id], "PUT") => call.id(id).and_then(|id| put(call, id)),
        (["tags", id], "DELETE") => call.id(id).and_then(|id| {
            call.only(&[])?;
            free(call.state, id)?;
            remove(call.state, id);
            Answer::bare(204)
        }),
        (["tags"] | ["tags", _] | ["tags", _, "merge"], _) => Err(Failure::Method),
        _ => return None,
    })
}

/// A tag as it looks on a ticket.
pub(super) fn on_ticket(state: &State, id: Id) -> Option<Value> {
    let tag = state.tags.get(&id)?;
    Some(json!({
        "id": tag.id,
        "name": tag.name,
        "uri": format!("/api/tags/{}", tag.id),
        "decoration": tag.decoration,
        "created_datetime": plain_time(state, tag.created_at),
        "deleted_datetime": null,
    }))
}

fn render(state: &State, tag: &Tag) -> Value {
    // §8: the usage counts all tickets, whoever made them.
    let usage = state.tickets_by.get(&TicketKey::Tag(tag.id));
    json!({
        "id": tag.id,
        "name": tag.name,
        "description": tag.description,
        "decoration": tag.decoration,
        "usage": usage.map_or(0, |tickets| tickets.len()),
        "uri": format!("/api/tags/{}", tag.id),
        "created_datetime": plain_time(state, tag.created_at),
        "deleted_datetime": null,
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED, &["search"]])?;
    let paging = paging(call, &["created_datetime", "name", "usage"])?;
    let wanted = call.request.param("search").map(str::to_lowercase);
    let all = call.state.tags.values();
    let chosen = all.filter(|tag| {
        wanted
            .as_ref()
            .is_none_or(|wanted| tag.name.to_lowercase().contains(wanted))
            && call.state.is_listed(tag.created_at)
    });
    let places = match paging.by.as_str() {
        "name" => {
            let mut named: Vec<&Tag> = chosen.collect();
            named.sort_by(|a, b| a.name.cmp(&b.name));
            (0..).zip(named).map(|(at, tag)| (at, tag.id)).collect()
        }
        "usage" => {
            let usage = |tag: &Tag| call.state.tickets_by.get(&TicketKey::Tag(tag.id));
            let count = |tag: &Tag| usage(tag).map_or(0, |tickets| tickets.len());
            let place = |tag: &Tag| (i64::try_from(count(tag)).unwrap_or(i64::MAX), tag.id);
            chosen.map(place).collect()
        }
        _ => chosen.map(|tag| key(tag.created_at, tag.id)).collect(),
    };
    page(call, &paging, &places, |id| {
        Some(render(call.state, call.state.tags.get(&id)?))
    })
}

/// Makes a tag.
pub(super) fn make(state: &mut State, name: &str, by_product: bool) -> Id {
    let tag = Tag {
        id: state.next_id(),
        name: name.to_owned(),
        description: None,
        decoration: Value::Null,
        created_at: state.now,
        by_product,
    };
    let id = tag.id;
    state.put_tag(tag);
    state.record("tag-created", "Tag", id, None);
    id
}

const KEYS: [&str; 3] = ["name", "description", "decoration"];

fn apply(reader: &mut Reader<'_>, tag: &mut Tag) {
    if let Some(name) = reader.text("name", NAME_LENGTH) {
        if name.is_empty() {
            reader.problem("name", "Shorter than minimum length 1.");
        }
        tag.name = name;
    }
    if reader.given("description") {
        tag.description = reader.text("description", 1024);
    }
    if reader.given("decoration") {
        tag.decoration = reader.object("decoration");
    }
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut tag = Tag {
        id: call.state.next_id(),
        name: String::new(),
        description: None,
        decoration: Value::Null,
        created_at: call.state.now,
        by_product: false,
    };
    let mut reader = Reader::new(&call.request.json, &KEYS);
    reader.required("name");
    apply(&mut reader, &mut tag);
    reader.finish("Failed to create tag")?;
    if let Some(same) = call.state.tags_by_name.get(&tag.name) {
        if call.state.config.switches.duplicate_tag_refused {
            return Err(Failure::exists());
        }
        let same = call.state.tags.get(same).ok_or(Failure::NotFound)?;
        return Answer::created(render(call.state, same));
    }
    let answer = render(call.state, &tag);
    let (id, by) = (tag.id, call.actor.user_id);
    call.state.put_tag(tag);
    call.state.record("tag-created", "Tag", id, Some(by));
    Answer::created(answer)
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let found = call.state.tags.get(&id).cloned();
    let mut tag = found.ok_or(Failure::NotFound)?;
    let mut reader = Reader::new(&call.request.json, &KEYS);
    apply(&mut reader, &mut tag);
    reader.finish("Failed to update tag")?;
    let taken = call.state.tags_by_name.get(&tag.name);
    if taken.is_some_and(|other| *other != id) {
        return Err(Failure::exists());
    }
    let answer = render(call.state, &tag);
    call.state.put_tag(tag);
    Answer::accepted(answer)
}

/// Refuses what a rule or a macro still uses (§8).
fn free(state: &State, id: Id) -> Result<(), Failure> {
    if !state.tags.contains_key(&id) {
        return Err(Failure::NotFound);
    }
    let in_rule = state
        .rules
        .values()
        .any(|rule| rule.effects.contains(&Effect::AddTag(id)));
    let in_macro = state.macros.values().any(|one| one.tags.contains(&id));
    if in_rule || in_macro {
        return Err(Failure::Other {
            status: state.config.switches.tag_in_use_status,
            msg: "The tag is used by a macro or a rule.".to_owned(),
        });
    }
    Ok(())
}

/// Deletes a tag: tickets lose it, views that ask for it are switched off (§8).
pub(super) fn remove(state: &mut State, id: Id) {
    let Some(tag) = state.tags.remove(&id) else {
        return;
    };
    state.tags_by_name.remove(&tag.name);
    for ticket in state.ticket_ids(&TicketKey::Tag(id)) {
        state.edit_ticket(ticket, |ticket| ticket.tags.retain(|other| *other != id));
    }
    let now = state.now;
    for view in state.views.values_mut() {
        if view.tags.contains(&id) {
            view.deactivated_at = Some(now);
        }
    }
    state.record("tag-deleted", "Tag", id, None);
}

fn delete_many(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = Reader::new(&call.request.json, &["ids"]);
    reader.required("ids");
    let ids = reader.ids("ids");
    reader.finish("Failed to delete tags")?;
    let ids = ids.unwrap_or_default();
    // All or nothing; who is gone already does no harm.
    let there: Vec<Id> = ids
        .into_iter()
        .filter(|id| call.state.tags.contains_key(id))
        .collect();
    for id in &there {
        free(call.state, *id)?;
    }
    for id in there {
        remove(call.state, id);
    }
    Answer::bare(204)
}

fn merge(call: &mut Call<'_>, into: Id) -> Outcome {
    call.only(&[])?;
    let mut reader = Reader::new(&call.request.json, &["source_tags_ids"]);
    reader.required("source_tags_ids");
    let sources = reader.ids("source_tags_ids");
    reader.finish("Failed to merge tags")?;
    let sources = sources.unwrap_or_default();
    let known = |id: &Id| call.state.tags.contains_key(id);
    if !known(&into) || !sources.iter().all(known) {
        return Err(Failure::NotFound);
    }
    for source in sources.into_iter().filter(|id| *id != into) {
        for ticket in call.state.ticket_ids(&TicketKey::Tag(source)) {
            call.state.edit_ticket(ticket, |ticket| {
                if !ticket.tags.contains(&into) {
                    ticket.tags.push(into);
                }
            });
        }
        remove(call.state, source);
    }
    let tag = call.state.tags.get(&into).ok_or(Failure::NotFound)?;
    Answer::accepted(render(call.state, tag))
}
