//! Agents: to be matched, not made (Zoho Desk facts §7.3).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::{Call, PAGED, bad_query, page};
use super::model::{Agent, Id};
use super::read::iso;
use super::rules::out;
use super::state::State;

/// Roles that an agent can have.
const ROLES: &[&str] = &[
    "AgentPublic",
    "AgentPersonal",
    "AgentTeamPersonal",
    "Admin",
    "Light",
    "Custom",
];

/// An agent as answers show it.
pub(super) fn render(agent: &Agent) -> Value {
    let departments: Vec<String> = agent.departments.iter().map(Id::to_string).collect();
    json!({
        "id": agent.id.to_string(), "zuid": agent.zuid, "name": agent.name(), "firstName": agent.first_name,
        "lastName": agent.last_name, "emailId": agent.email, "rolePermissionType": agent.role,
        "roleId": role_id(agent), "profileId": profile_id(agent),
        "status": if agent.active { "ACTIVE" } else { "DISABLED" }, "isConfirmed": agent.confirmed,
        "associatedDepartmentIds": departments, "associatedChatDepartmentIds": [], "photoURL": null,
        "phone": "", "mobile": "", "extn": "", "aboutInfo": "", "countryCode": "en_US", "langCode": "en_US",
        "timeZone": "UTC", "createdTime": iso(agent.created_at), "isLightAgent": agent.role == "Light",
    })
}

fn role_id(agent: &Agent) -> String {
    let at = ROLES.iter().position(|role| *role == agent.role);
    (400_000_000_000_009_000 + at.unwrap_or_default()).to_string()
}

fn profile_id(agent: &Agent) -> String {
    let profile = if agent.role == "Admin" { 1 } else { 2 };
    (400_000_000_000_009_100_u64 + profile).to_string()
}

/// An agent as the author of something.
pub(super) fn person(agent: &Agent) -> Value {
    json!({
        "id": agent.id.to_string(), "firstName": agent.first_name, "lastName": agent.last_name, "name": agent.name(),
        "email": agent.email, "photoURL": null, "roleName": agent.role, "type": "AGENT",
    })
}

/// An agent in short, for tickets.
pub(super) fn in_short(agent: &Agent) -> Value {
    json!({
        "id": agent.id.to_string(), "firstName": agent.first_name, "lastName": agent.last_name, "email": agent.email,
        "photoURL": null,
    })
}

/// `x` exactly, `x*` beginning, `*x*` within (§7.3); case does not matter.
pub(super) fn wild(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_lowercase(), pattern.to_lowercase());
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => text.contains(pattern.trim_matches('*')),
        (None, Some(begin)) => text.starts_with(begin),
        (Some(end), None) => text.ends_with(end),
        (None, None) => text == pattern,
    }
}

/// `GET agents`.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[
        PAGED,
        &[
            "searchStr",
            "fieldName",
            "cfFieldName",
            "cfSearchStr",
            "status",
            "isConfirmed",
            "isLightAgent",
            "departmentIds",
            "roleIds",
            "profileIds",
            "rolePermissionType",
            "include",
            "sortBy",
        ],
    ])?;
    let text = call.request.param("searchStr");
    if text.is_some_and(|text| text.is_empty() || text.chars().count() > 100) {
        return Err(bad_query("searchStr"));
    }
    let field = call.request.param("fieldName");
    if field.is_some_and(|field| !["firstName", "lastName", "emailId", "name"].contains(&field)) {
        return Err(bad_query("fieldName"));
    }
    let status = match call.request.param("status") {
        None => None,
        Some("ACTIVE") => Some(true),
        Some("DISABLED") => Some(false),
        Some(_) => return Err(bad_query("status")),
    };
    let confirmed = call.flag_param("isConfirmed")?;
    let light = call.flag_param("isLightAgent")?;
    let departments = match call.request.param("departmentIds") {
        None => None,
        Some(_) => Some(call.ids_param("departmentIds")?),
    };
    let role = call.request.param("rolePermissionType");
    let matches = |agent: &&Agent| {
        let texts = |name: &str| match name {
            "firstName" => agent.first_name.clone(),
            "lastName" => agent.last_name.clone(),
            "emailId" => agent.email.clone(),
            _ => agent.name(),
        };
        let found = text.is_none_or(|text| match field {
            Some(field) => wild(&texts(field), text),
            None => ["name", "emailId"].iter().any(|f| wild(&texts(f), text)),
        });
        found
            && status.is_none_or(|active| agent.active == active)
            && confirmed.is_none_or(|confirmed| agent.confirmed == confirmed)
            && light.is_none_or(|light| (agent.role == "Light") == light)
            && role.is_none_or(|role| agent.role == role)
            && departments
                .as_ref()
                .is_none_or(|ids| ids.iter().any(|id| agent.departments.contains(id)))
    };
    let found = call.state.agents.values().filter(matches);
    page(call.paging(10, 200)?, found, render)
}

/// `GET agents/{id}`.
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["include"]])?;
    let agent = call.state.agents.get(&call.id(0)?);
    Answer::ok(render(agent.ok_or_else(Failure::not_found)?))
}

/// `GET myinfo`.
pub(super) fn me(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let agent = call.state.agents.get(&call.agent);
    Answer::ok(render(agent.ok_or_else(Failure::not_found)?))
}

/// `GET agentsByIds?agentIds=`: at most 50.
pub(super) fn by_ids(call: &mut Call<'_>) -> Outcome {
    call.only(&[&["agentIds", "include"]])?;
    let ids = call.ids_param("agentIds")?;
    let found = ids.iter().filter_map(|id| call.state.agents.get(id));
    super::answer::data(found.map(render).collect())
}

/// `POST agents`: mails an invitation and takes a seat (§7.3).
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut reader = call.reader(&[
        "emailId",
        "lastName",
        "firstName",
        "phone",
        "mobile",
        "extn",
        "associatedDepartmentIds",
        "associatedChatDepartmentIds",
        "rolePermissionType",
        "roleId",
        "profileId",
        "aboutInfo",
        "channelExpert",
        "countryCode",
        "timeZone",
        "langCode",
    ])?;
    for key in [
        "emailId",
        "lastName",
        "associatedDepartmentIds",
        "rolePermissionType",
    ] {
        reader.required(key);
    }
    let email = reader.text("emailId", 100).unwrap_or_default();
    let last_name = reader.text("lastName", 50).unwrap_or_default();
    let first_name = reader.text("firstName", 50).unwrap_or_default();
    let departments = reader
        .ids("associatedDepartmentIds", 200)
        .unwrap_or_default();
    let role = reader
        .choice("rolePermissionType", ROLES)
        .unwrap_or_default();
    if !email.is_empty() && !super::read::is_email(&email) {
        reader.invalid("emailId", "This is no e-mail address.");
    }
    if call.state.agent_by_email(&email).is_some() {
        reader.errors.push(FieldError::duplicate("/emailId"));
    }
    if departments
        .iter()
        .any(|id| !call.state.departments.contains_key(id))
    {
        reader.invalid("associatedDepartmentIds", "There is no such department.");
    }
    reader.finish(call.strict())?;
    let config = &call.state.config;
    let light = role == "Light";
    let taken = call
        .state
        .agents
        .values()
        .filter(|agent| agent.active && agent.role != "Light");
    if !light && taken.count() >= config.seats {
        let feature = Some(("AGENTS", config.seats));
        return Err(Failure::license(config.edition, config.trial, feature));
    }
    let agent = Agent {
        id: call.state.next_id(),
        zuid: zuid(call.state),
        email,
        first_name,
        last_name,
        role,
        active: true,
        confirmed: false,
        departments: departments.into_iter().collect(),
        created_at: call.state.now,
    };
    let about = format!("agent {}", agent.id);
    out(
        call.state,
        "invitation",
        &agent.email,
        &about,
        "An agent is invited.",
    );
    let shown = render(&agent);
    call.state.put_agent(agent);
    Answer::ok(shown)
}

/// A number at Zoho.
pub(super) fn zuid(state: &mut State) -> String {
    (state.next_id() - 399_999_999_300_000_000).to_string()
}

/// `PATCH agents/{id}`: names and departments.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let id = call.id(0)?;
    let agent = call.state.agents.get(&id).cloned();
    let mut agent = agent.ok_or_else(Failure::not_found)?;
    let known = [
        "lastName",
        "firstName",
        "associatedDepartmentIds",
        "rolePermissionType",
    ];
    let mut reader = call.reader(&known)?;
    agent.last_name = reader.text("lastName", 50).unwrap_or(agent.last_name);
    agent.first_name = reader.text("firstName", 50).unwrap_or(agent.first_name);
    agent.role = reader
        .choice("rolePermissionType", ROLES)
        .unwrap_or(agent.role);
    if let Some(departments) = reader.ids("associatedDepartmentIds", 200) {
        agent.departments = departments.into_iter().collect();
    }
    reader.finish(call.strict())?;
    let shown = render(&agent);
    call.state.put_agent(agent);
    Answer::ok(shown)
}

fn set_active(call: &mut Call<'_>, ids: &[Id], active: bool) -> Outcome {
    for id in ids {
        let agent = call.state.agents.get(id).cloned();
        let mut agent = agent.ok_or_else(Failure::not_found)?;
        agent.active = active;
        call.state.put_agent(agent);
    }
    Answer::bare(204)
}

/// `POST agents/{id}/deactivate`.
pub(super) fn deactivate(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    set_active(call, &[id], false)
}

/// `POST agents/activate`.
pub(super) fn activate(call: &mut Call<'_>) -> Outcome {
    let ids = call.only_ids("agentIds", 50)?;
    set_active(call, &ids, true)
}

/// `POST agents/deleteUnconfirmed`: a confirmed one cannot be deleted.
pub(super) fn delete_unconfirmed(call: &mut Call<'_>) -> Outcome {
    let ids = call.only_ids("agentIds", 50)?;
    for id in &ids {
        let agent = call.state.agents.get(id).ok_or_else(Failure::not_found)?;
        if agent.confirmed {
            return Err(Failure::unprocessable(
                "A confirmed agent cannot be deleted.",
            ));
        }
    }
    for id in ids {
        if let Some(agent) = call.state.agents.remove(&id) {
            call.state
                .agents_by_email
                .remove(&agent.email.to_lowercase());
        }
    }
    Answer::bare(204)
}
