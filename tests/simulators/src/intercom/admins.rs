//! The workspace and its people: `/me`, admins, teams, and what else can only be read (Intercom facts §1, §7).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::Call;
use super::model::{Admin, Author, Id, Team};
use super::state::State;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, method: &str, path: &[&str]) -> Option<Outcome> {
    let state = &*call.state;
    Some(match (method, path) {
        ("GET", ["me"]) => me(call),
        ("GET", ["admins"]) => {
            let admins = state.admins.values().filter(|admin| !admin.removed);
            let admins: Vec<Value> = admins.map(render).collect();
            Answer::ok(json!({"type": "admin.list", "admins": admins}))
        }
        ("GET", ["admins", id]) => {
            let id = id.parse().map_err(|_| Failure::admin());
            id.and_then(|id| Answer::ok(render(call.admin(id)?)))
        }
        ("GET", ["teams"]) => {
            let teams: Vec<Value> = state.teams.values().map(render_team).collect();
            Answer::ok(json!({"type": "team.list", "teams": teams}))
        }
        ("GET", ["teams", id]) => {
            let id: Option<Id> = id.parse().ok();
            let team = id.and_then(|id| state.teams.get(&id));
            match team {
                Some(team) => Answer::ok(render_team(team)),
                None => Err(Failure::new(404, "team_not_found", "Team not found")),
            }
        }
        ("GET", ["segments"]) => {
            let segments: Vec<Value> = state.segments.iter().map(segment).collect();
            Answer::ok(json!({"type": "segment.list", "segments": segments}))
        }
        ("GET", ["subscription_types"]) => Answer::ok(json!({"type": "list", "data": []})),
        ("GET", ["brands"]) => Answer::ok(json!({"type": "list", "data": [{
            "type": "brand", "id": state.config.workspace_id, "name": state.config.name,
            "is_default": true, "created_at": state.created_at, "updated_at": state.created_at,
        }]})),
        ("GET", ["macros"]) => Answer::ok(
            json!({"type": "list", "data": [], "pages": {"type": "pages", "per_page": 50, "next": null}}),
        ),
        _ => return None,
    })
}

fn me(call: &Call<'_>) -> Outcome {
    let state = &*call.state;
    let config = &state.config;
    let admin = call.admin(call.actor.admin_id)?;
    Answer::ok(json!({
        "type": "admin",
        "id": admin.id.to_string(),
        "email": admin.email,
        "name": admin.name,
        "email_verified": true,
        "app": {
            "type": "app", "id_code": config.workspace_id, "name": config.name, "created_at": state.created_at,
            "secure": false, "identity_verification": false, "timezone": config.timezone,
            "region": config.region.as_str(),
        },
        "avatar": {"type": "avatar", "image_url": null},
        "has_inbox_seat": admin.has_inbox_seat,
    }))
}

/// An admin as answers show it.
pub(super) fn render(admin: &Admin) -> Value {
    json!({
        "type": "admin",
        "id": admin.id.to_string(),
        "name": admin.name,
        "email": admin.email,
        "away_mode_enabled": admin.away,
        "away_mode_reassign": false,
        "has_inbox_seat": admin.has_inbox_seat,
        "team_ids": admin.team_ids,
        "role": {"type": "role", "id": "1", "name": "Teammate"},
    })
}

fn render_team(team: &Team) -> Value {
    json!({
        "type": "team", "id": team.id.to_string(), "name": team.name, "admin_ids": team.admin_ids,
        "distribution_method": "manual",
    })
}

/// A segment as answers show it.
pub(super) fn segment(segment: &super::model::Segment) -> Value {
    json!({
        "type": "segment", "id": segment.id, "name": segment.name, "created_at": segment.created_at,
        "updated_at": segment.created_at, "person_type": "user",
    })
}

/// Who wrote something, as parts show it.
pub(super) fn author(state: &State, author: &Author) -> Value {
    match author {
        Author::Contact(id) => {
            let contact = state.contacts.get(id);
            json!({
                "id": id, "type": contact.map_or("user", |contact| contact.role.as_str()),
                "name": contact.and_then(|contact| contact.name.clone()),
                "email": contact.and_then(|contact| contact.email.clone()).unwrap_or_default(),
            })
        }
        Author::Admin(id) => {
            let admin = state.admins.get(id);
            json!({
                "id": id.to_string(), "type": "admin", "name": admin.map(|admin| admin.name.clone()),
                "email": admin.map(|admin| admin.email.clone()).unwrap_or_default(),
            })
        }
        Author::Bot => json!({
            "id": "0", "type": "bot", "name": "Fin",
            "email": format!("operator+{}@intercom.io", state.config.workspace_id),
        }),
    }
}
