//! Users: agents, admins and bots (Gorgias facts §8).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::auth::ROLES;
use super::call::{Call, PAGED, key, page, paging, plain_time};
use super::model::{Id, User};
use super::read::{EXTERNAL_ID_LENGTH, Reader};
use super::state::{State, TicketKey};
use crate::common::OutboxItem;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["users"], "GET") => list(call),
        (["users"], "POST") => post(call),
        (["users", id], "GET") => get(call, id),
        (["users", id], "PUT") => put(call, id),
        (["users", id], "DELETE") => delete(call, id),
        (["users"] | ["users", _], _) => Err(Failure::Method),
        _ => return None,
    })
}

/// A user as answers show them.
pub(super) fn render(state: &State, user: &User) -> Value {
    json!({
        "id": user.id,
        "name": user.name,
        "firstname": user.firstname,
        "lastname": user.lastname,
        "email": user.email,
        "active": user.active,
        "role": {"name": user.role},
        "bio": user.bio,
        "country": user.country,
        "external_id": user.external_id,
        "language": user.language,
        "timezone": user.timezone,
        "meta": user.meta,
        "created_datetime": plain_time(state, user.created_at),
        "updated_datetime": plain_time(state, user.updated_at),
        "deactivated_datetime": null,
        "uri": format!("/api/users/{}", user.id),
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[
        &PAGED,
        &["email", "external_id", "search", "roles", "roles[]"],
    ])?;
    let paging = paging(call, &["created_datetime"])?;
    let param = |name: &str| call.request.param(name);
    let roles: Vec<&str> = ["roles", "roles[]"]
        .into_iter()
        .flat_map(|name| call.request.params(name))
        .flat_map(|list| list.split(','))
        .collect();
    let wanted = param("search").map(str::to_lowercase);
    let all = call.state.users.values();
    let chosen = all.filter(|user| {
        let text = format!("{} {}", user.name, user.email).to_lowercase();
        param("email").is_none_or(|email| user.email.eq_ignore_ascii_case(email))
            && param("external_id").is_none_or(|id| user.external_id.as_deref() == Some(id))
            && wanted.as_ref().is_none_or(|wanted| text.contains(wanted))
            && (roles.is_empty() || roles.contains(&user.role.as_str()))
            && call.state.is_listed(user.updated_at)
    });
    let places = chosen.map(|user| key(user.created_at, user.id)).collect();
    page(call, &paging, &places, |id| {
        Some(render(call.state, call.state.users.get(&id)?))
    })
}

/// §1: 0 is the caller.
fn number(call: &Call<'_>, id: &str) -> Result<Id, Failure> {
    match call.id(id)? {
        0 => Ok(call.actor.user_id),
        id => Ok(id),
    }
}

fn get(call: &Call<'_>, id: &str) -> Outcome {
    call.only(&[])?;
    let user = call.state.user(number(call, id)?)?;
    Answer::ok(render(call.state, user))
}

const KEYS: [&str; 12] = [
    "email",
    "name",
    "firstname",
    "lastname",
    "role",
    "active",
    "bio",
    "country",
    "external_id",
    "language",
    "meta",
    "timezone",
];

/// Splits a full name as the vendor does: the first word, and the rest.
pub(super) fn split_name(name: &str) -> (String, String) {
    let name = name.trim();
    let (first, last) = name.split_once(' ').unwrap_or((name, ""));
    (first.to_owned(), last.trim().to_owned())
}

/// What a body changes of a user; nothing when something is wrong with it.
fn apply(reader: &mut Reader<'_>, user: &mut User) {
    if let Some(email) = reader.email("email") {
        user.email = email;
    }
    if let Some(name) = reader.long_text("name") {
        (user.firstname, user.lastname) = split_name(&name);
        user.name = name;
    }
    for (key, part) in [
        ("firstname", &mut user.firstname),
        ("lastname", &mut user.lastname),
    ] {
        if let Some(text) = reader.long_text(key) {
            *part = text;
        }
    }
    if let Some(role) = reader.raw("role") {
        let mut nested = Reader::new(role, &["name", "id"]);
        nested.required("name");
        if let Some(role) = nested.choice("name", &ROLES) {
            user.role = role;
        }
        let problems = nested.problems();
        reader.nested("role", problems);
    }
    if let Some(active) = reader.flag("active") {
        user.active = active;
    }
    for (key, part) in [
        ("bio", &mut user.bio),
        ("country", &mut user.country),
        ("timezone", &mut user.timezone),
    ] {
        if reader.given(key) {
            *part = reader.long_text(key);
        }
    }
    if reader.given("external_id") {
        user.external_id = reader.text("external_id", EXTERNAL_ID_LENGTH);
    }
    if reader.given("language") {
        user.language = reader.choice("language", &["fr", "en"]);
    }
    if reader.given("meta") {
        user.meta = reader.object("meta");
    }
}

/// A user with nothing but an address.
pub(super) fn blank(state: &mut State) -> User {
    User {
        id: state.next_id(),
        email: String::new(),
        name: String::new(),
        firstname: String::new(),
        lastname: String::new(),
        role: "agent".to_owned(),
        active: true,
        bio: None,
        country: None,
        external_id: None,
        language: None,
        timezone: None,
        meta: Value::Null,
        created_at: state.now,
        updated_at: state.now,
    }
}

fn post(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut user = blank(call.state);
    let mut reader = Reader::new(&call.request.json, &KEYS);
    for key in ["email", "name", "role"] {
        reader.required(key);
    }
    apply(&mut reader, &mut user);
    reader.finish("Failed to create user")?;
    if call
        .state
        .users_by_email
        .contains_key(&user.email.to_lowercase())
    {
        return Err(Failure::exists());
    }
    let answer = render(call.state, &user);
    if call.state.config.switches.user_invited {
        // §8 [?]: an invitation is assumed.
        call.state.outbox.push(OutboxItem {
            at_ms: call.state.now.timestamp_millis(),
            kind: "invitation".to_owned(),
            to: user.email.clone(),
            about: format!("user {}", user.id),
            reason: "A user was made.".to_owned(),
        });
    }
    let (id, by) = (user.id, call.actor.user_id);
    call.state.put_user(user);
    call.state.record("user-created", "User", id, Some(by));
    Answer::created(answer)
}

fn put(call: &mut Call<'_>, id: &str) -> Outcome {
    call.only(&[])?;
    let id = number(call, id)?;
    let mut user = call.state.user(id)?.clone();
    let mut reader = Reader::new(&call.request.json, &KEYS);
    apply(&mut reader, &mut user);
    reader.finish("Failed to update user")?;
    let taken = call.state.users_by_email.get(&user.email.to_lowercase());
    if taken.is_some_and(|other| *other != id) {
        return Err(Failure::exists());
    }
    user.updated_at = call.state.now;
    let answer = render(call.state, &user);
    call.state.put_user(user);
    let by = call.actor.user_id;
    call.state.record("user-updated", "User", id, Some(by));
    Answer::accepted(answer)
}

fn delete(call: &mut Call<'_>, id: &str) -> Outcome {
    call.only(&[])?;
    let id = call.id(id)?;
    let user = call.state.user(id)?;
    if !ROLES.contains(&user.role.as_str()) {
        return Err(Failure::Forbidden);
    }
    remove(call.state, id);
    let by = call.actor.user_id;
    call.state.record("user-deleted", "User", id, Some(by));
    Answer::bare(204)
}

/// Deletes a user: tickets lose them, teams too, and messages perhaps (§8 [?]).
pub(super) fn remove(state: &mut State, id: Id) {
    let Some(user) = state.users.remove(&id) else {
        return;
    };
    state.users_by_email.remove(&user.email.to_lowercase());
    for team in state.teams.values_mut() {
        team.members.retain(|member| *member != id);
    }
    for ticket in state.ticket_ids(&TicketKey::User(id)) {
        state.edit_ticket(ticket, |ticket| ticket.assignee_user_id = None);
    }
    if state.config.switches.deleted_sender_kept {
        return;
    }
    for message in state.messages.values_mut() {
        if message.from_agent && message.sender_id == Some(id) {
            message.sender_id = None;
        }
    }
}
