//! Teams (Gorgias facts §8).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, key, page, paging, plain_time};
use super::model::{Id, Team};
use super::read::{Problems, Reader};
use super::state::{State, TicketKey};

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["teams"], "GET") => list(call),
        (["teams"], "POST") => post(call),
        (["teams", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            Answer::ok(render(
                call.state,
                call.state.teams.get(&id).ok_or(Failure::NotFound)?,
            ))
        }),
        (["teams", id], "PUT") => call.id(id).and_then(|id| put(call, id)),
        (["teams", id], "DELETE") => call.id(id).and_then(|id| delete(call, id)),
        (["teams"] | ["teams", _], _) => Err(Failure::Method),
        _ => return None,
    })
}

fn render(state: &State, team: &Team) -> Value {
    let members = team.members.iter().filter_map(|id| state.users.get(id));
    let members: Vec<Value> = members
        .map(|user| json!({"id": user.id, "name": user.name, "email": user.email, "meta": user.meta}))
        .collect();
    json!({
        "id": team.id,
        "name": team.name,
        "description": team.description,
        "decoration": team.decoration,
        "members": members,
        "created_datetime": plain_time(state, team.created_at),
        "uri": format!("/api/teams/{}", team.id),
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED])?;
    let paging = paging(call, &["created_datetime", "name"])?;
    let listed = call.state.teams.values();
    let listed = listed.filter(|team| call.state.is_listed(team.created_at));
    let places = if paging.by == "name" {
        let mut named: Vec<&Team> = listed.collect();
        named.sort_by(|a, b| a.name.cmp(&b.name));
        (0..).zip(named).map(|(at, team)| (at, team.id)).collect()
    } else {
        listed.map(|team| key(team.created_at, team.id)).collect()
    };
    page(call, &paging, &places, |id| {
        Some(render(call.state, call.state.teams.get(&id)?))
    })
}

fn apply(reader: &mut Reader<'_>, state: &State, team: &mut Team) {
    if let Some(name) = reader.long_text("name") {
        team.name = name;
    }
    if reader.given("description") {
        team.description = reader.long_text("description");
    }
    if reader.given("decoration") {
        team.decoration = reader.object("decoration");
    }
    // §8: the members are replaced as a whole.
    if let Some(list) = reader.list("members") {
        let mut problems = Problems::new();
        team.members.clear();
        for (at, member) in list.iter().enumerate() {
            let mut nested = Reader::new(member, &["id", "name", "email", "meta"]);
            nested.required("id");
            match nested.id("id") {
                Some(id) if team.members.contains(&id) => {}
                Some(id) if state.users.contains_key(&id) => team.members.push(id),
                Some(_) => nested.problem("id", "User not found."),
                None => {}
            }
            let found = nested.problems();
            if !found.is_empty() {
                problems.insert(at.to_string(), Value::Object(found));
            }
        }
        reader.nested("members", problems);
    }
}

const KEYS: [&str; 4] = ["name", "description", "decoration", "members"];

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut team = Team {
        id: call.state.next_id(),
        name: String::new(),
        description: None,
        decoration: Value::Null,
        members: Vec::new(),
        created_at: call.state.now,
    };
    let mut reader = Reader::new(&call.request.json, &KEYS);
    reader.required("name");
    apply(&mut reader, call.state, &mut team);
    reader.finish("Failed to create team")?;
    let unique = call.state.config.switches.team_names_unique;
    let mut others = call.state.teams.values();
    if unique && others.any(|other| other.name == team.name) {
        return Err(Failure::exists());
    }
    let answer = render(call.state, &team);
    call.state.teams.insert(team.id, team);
    Answer::created(answer)
}

fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let found = call.state.teams.get(&id).cloned();
    let mut team = found.ok_or(Failure::NotFound)?;
    let mut reader = Reader::new(&call.request.json, &KEYS);
    apply(&mut reader, call.state, &mut team);
    reader.finish("Failed to update team")?;
    let answer = render(call.state, &team);
    call.state.teams.insert(id, team);
    Answer::accepted(answer)
}

fn delete(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    call.state.teams.remove(&id).ok_or(Failure::NotFound)?;
    for ticket in call.state.ticket_ids(&TicketKey::Team(id)) {
        call.state
            .edit_ticket(ticket, |ticket| ticket.assignee_team_id = None);
    }
    Answer::bare(204)
}
