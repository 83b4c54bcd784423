//! Tags: by name when writing, by id when listing, each in its department (Zoho Desk facts §7.8).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::{Call, PAGED, bad_query, page};
use super::model::{Id, Module, Origin, Record, Tag};
use super::records;
use super::state::State;

/// Most tags of one call.
const MOST: usize = 51;

/// The tag of that name in a department; it is made if there is none.
pub(super) fn named(state: &mut State, department: Id, name: &str) -> Id {
    let key = (department, name.to_lowercase());
    if let Some(id) = state.tags_by_name.get(&key) {
        return *id;
    }
    let tag = Tag {
        id: state.next_id(),
        name: name.to_owned(),
        department_id: department,
        created_at: state.now,
        origin: Origin::ByProduct,
    };
    let id = tag.id;
    state.tags_by_name.insert(key, id);
    state.tags.insert(id, tag);
    id
}

/// Whether a name can be a tag's: 3 to 50 characters of letters, digits, `_.-+%`, blanks and whatever is not ASCII; not `null`.
pub(super) fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    let allowed = |c: char| {
        c.is_ascii_alphanumeric() || "_.-+%".contains(c) || c.is_whitespace() || c >= '\u{80}'
    };
    (3..=50).contains(&length) && name != "null" && name.chars().all(allowed)
}

fn names(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    let mut reader = call.reader(&["tags"])?;
    reader.required("tags");
    let list = reader.raw("tags").and_then(Value::as_array);
    let list = list.map_or(&[][..], Vec::as_slice);
    if list.is_empty() || list.len() > MOST {
        reader.invalid("tags", format!("1 to {MOST} tags are expected."));
    }
    let mut names = Vec::new();
    for (at, name) in list.iter().enumerate() {
        match name.as_str().filter(|name| is_name(name)) {
            Some(name) => names.push(name.to_owned()),
            None => reader.errors.push(FieldError::invalid(
                format!("/tags/{at}"),
                "This is no name of a tag.",
            )),
        }
    }
    reader.finish(call.strict())?;
    Ok(names)
}

fn render(tag: &Tag) -> Value {
    json!({"id": tag.id.to_string(), "name": tag.name})
}

fn tags_of(state: &State, record: &Record) -> Vec<Value> {
    let tags = record.tags.iter();
    tags.filter_map(|id| state.tags.get(id))
        .map(render)
        .collect()
}

/// `POST tickets/{id}/associateTag`: unknown ones are made in silence.
pub(super) fn associate(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    let ticket = call.state.live(Module::Tickets, id)?;
    let department = ticket.link("departmentId").unwrap_or_default();
    let names = names(call)?;
    let ids: Vec<Id> = names
        .iter()
        .map(|name| named(call.state, department, name))
        .collect();
    call.state
        .change_record(id, call.agent, |record| record.tags.extend(ids));
    let record = call.state.record(Module::Tickets, id)?;
    Answer::ok(json!({"data": tags_of(call.state, record)}))
}

/// `POST tickets/{id}/dissociateTag`: the tag itself stays.
pub(super) fn dissociate(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    let ticket = call.state.live(Module::Tickets, id)?;
    let department = ticket.link("departmentId").unwrap_or_default();
    let names = names(call)?;
    let ids: Vec<Id> = names
        .iter()
        .filter_map(|name| {
            let key = (department, name.to_lowercase());
            call.state.tags_by_name.get(&key).copied()
        })
        .collect();
    call.state.change_record(id, call.agent, |record| {
        record.tags.retain(|tag| !ids.contains(tag));
    });
    Answer::bare(200)
}

/// `GET tickets/{id}/tags`.
pub(super) fn of_ticket(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let record = call.state.record(Module::Tickets, call.id(0)?)?;
    super::answer::data(tags_of(call.state, record))
}

/// `GET ticketTags?departmentId=` and `tags/search?departmentId=&searchVal=`.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED, &["departmentId", "sortBy", "searchVal"]])?;
    let department = call.id_param("departmentId")?;
    let department = department.ok_or_else(|| bad_query("departmentId"))?;
    let part = call.request.param("searchVal").unwrap_or_default();
    let part = part.trim_matches('*').to_lowercase();
    let state = &*call.state;
    let count = |tag: &Tag| state.tagged.get(&tag.id).map_or(0, |all| all.len());
    let all = state.tags.values();
    let mut found: Vec<&Tag> = all
        .filter(|tag| tag.department_id == department && tag.name.to_lowercase().contains(&part))
        .collect();
    match call.request.param("sortBy") {
        None | Some("createdTime") => {}
        Some("-createdTime") => found.reverse(),
        Some("count") => found.sort_by_key(|tag| count(tag)),
        Some("-count") => found.sort_by_key(|tag| std::cmp::Reverse(count(tag))),
        Some(_) => return Err(bad_query("sortBy")),
    }
    page(call.usual_paging()?, found.into_iter(), |tag| {
        let mut shown = render(tag);
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("count".to_owned(), json!(count(tag).to_string()));
        }
        shown
    })
}

/// `GET tags/{id}/tickets`.
pub(super) fn tickets(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED, &["sortBy", "include"]])?;
    let tag = call.id(0)?;
    if !call.state.tags.contains_key(&tag) {
        return Err(Failure::not_found());
    }
    let ids = call.state.tagged.get(&tag).into_iter().flatten();
    let found = ids.filter_map(|id| call.state.records.get(id));
    let found = found.filter(|record| record.is_live());
    page(call.usual_paging()?, found, |record| {
        records::render(call.state, record, false)
    })
}

/// `PATCH tags/{id}/replace`: tickets have the other tag, and this one is gone.
pub(super) fn replace(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let old = call.id(0)?;
    let found = call.state.tags.get(&old).cloned();
    let found = found.ok_or_else(Failure::not_found)?;
    let mut reader = call.reader(&["id"])?;
    reader.required("id");
    let new = reader.id("id").unwrap_or_default();
    let other = call.state.tags.get(&new);
    if !other.is_some_and(|tag| tag.department_id == found.department_id && new != old) {
        reader.invalid("id", "There is no such tag in the department.");
    }
    reader.finish(call.strict())?;
    let holders = call.state.tagged.get(&old).into_iter().flatten();
    let holders: Vec<Id> = holders.copied().collect();
    for id in holders {
        call.state.edit_record(id, |record| {
            record.tags.remove(&old);
            record.tags.insert(new);
        });
    }
    call.state.tags.remove(&old);
    call.state
        .tags_by_name
        .remove(&(found.department_id, found.name.to_lowercase()));
    Answer::bare(204)
}
