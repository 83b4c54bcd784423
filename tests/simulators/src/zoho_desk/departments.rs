//! Departments, which nothing deletes, their teams, and channels (Zoho Desk facts §7.4).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::call::{Call, PAGED, page};
use super::model::{Agent, Department, Id, Origin, Team};
use super::read::{Reader, iso};
use super::state::{Layout, State};
use super::switches::Edition;
use super::{Module, agents};

fn render(state: &State, department: &Department) -> Value {
    let id = department.id;
    let agents = state.agents.values();
    let agents = agents.filter(|agent| agent.departments.contains(&id));
    json!({
        "id": id.to_string(), "name": department.name, "nameInCustomerPortal": department.portal_name,
        "description": department.description, "isVisibleInCustomerPortal": department.visible,
        "isAssignToTeamEnabled": department.teams_enabled, "isDefault": department.default,
        "isEnabled": department.enabled, "hasLogo": false, "chatStatus": "NOT_CREATED",
        "associatedAgentIds": agents.map(|agent| agent.id.to_string()).collect::<Vec<_>>(),
        "creatorId": state.credentials.owner.to_string(), "createdTime": iso(department.created_at),
        "sanitizedName": department.name.to_lowercase().replace(' ', "-"),
    })
}

/// A new department, with a layout of tickets.
pub(super) fn make(state: &mut State, name: &str, origin: Origin) -> Department {
    let department = Department {
        id: state.next_id(),
        name: name.to_owned(),
        portal_name: Some(name.to_owned()),
        description: None,
        visible: true,
        teams_enabled: false,
        default: state.departments.is_empty(),
        enabled: true,
        created_at: state.now,
        origin,
    };
    let id = department.id;
    let layout = state.next_id();
    let of = Layout {
        module: Module::Tickets,
        department: Some(id),
    };
    state.layouts.insert(layout, of);
    state.departments.insert(id, department.clone());
    department
}

/// `GET departments`.
pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED, &["isEnabled", "searchStr", "chatStatus"]])?;
    let enabled = call.flag_param("isEnabled")?;
    let text = call.request.param("searchStr");
    let found = call.state.departments.values().filter(|department| {
        enabled.is_none_or(|enabled| department.enabled == enabled)
            && text.is_none_or(|text| agents::wild(&department.name, text))
    });
    page(call.paging(10, 200)?, found, |department| {
        render(call.state, department)
    })
}

fn find(call: &Call<'_>) -> Result<Department, Failure> {
    let found = call.state.departments.get(&call.id(0)?);
    found.cloned().ok_or_else(Failure::not_found)
}

/// `GET departments/{id}`.
pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let department = find(call)?;
    Answer::ok(render(call.state, &department))
}

/// `POST departments/checkExists`.
pub(super) fn exists(call: &mut Call<'_>) -> Outcome {
    let mut reader = call.reader(&["departmentName", "name"])?;
    let name = reader.text("departmentName", 150);
    let name = name
        .or_else(|| reader.text("name", 150))
        .unwrap_or_default();
    reader.finish(call.strict())?;
    let exists = named(call.state, &name).is_some();
    Answer::ok(json!({ "isExists": exists }))
}

fn named<'s>(state: &'s State, name: &str) -> Option<&'s Department> {
    let mut all = state.departments.values();
    all.find(|department| department.name.eq_ignore_ascii_case(name))
}

const KEYS: &[&str] = &[
    "name",
    "associatedAgentIds",
    "nameInCustomerPortal",
    "description",
    "isVisibleInCustomerPortal",
    "isAssignToTeamEnabled",
];

/// Reads a body onto a department; the agents if they are given.
fn read(state: &State, reader: &mut Reader<'_>, department: &mut Department) -> Option<Vec<Id>> {
    if let Some(name) = reader.text("name", 150) {
        if named(state, &name).is_some_and(|other| other.id != department.id) {
            reader.errors.push(FieldError::duplicate("/name"));
        }
        department.name = name;
    }
    department.portal_name = reader
        .text("nameInCustomerPortal", 150)
        .or_else(|| department.portal_name.clone());
    department.description = reader
        .text("description", 500)
        .or_else(|| department.description.clone());
    department.visible = reader
        .flag("isVisibleInCustomerPortal")
        .unwrap_or(department.visible);
    department.teams_enabled = reader
        .flag("isAssignToTeamEnabled")
        .unwrap_or(department.teams_enabled);
    let agents = reader.ids("associatedAgentIds", 1_000)?;
    if agents.is_empty() || agents.iter().any(|id| !state.agents.contains_key(id)) {
        reader.invalid("associatedAgentIds", "There is no such agent.");
    }
    Some(agents)
}

fn join(state: &mut State, department: Id, ids: &[Id], inside: bool) {
    for id in ids {
        if let Some(agent) = state.agents.get_mut(id) {
            if inside {
                agent.departments.insert(department);
            } else {
                agent.departments.remove(&department);
            }
        }
    }
}

/// `POST departments`.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut draft = Department {
        id: 0,
        name: String::new(),
        portal_name: None,
        description: None,
        visible: true,
        teams_enabled: false,
        default: false,
        enabled: true,
        created_at: call.state.now,
        origin: Origin::Request,
    };
    let mut reader = call.reader(KEYS)?;
    reader.required("name");
    reader.required("associatedAgentIds");
    let ids = read(call.state, &mut reader, &mut draft);
    reader.finish(call.strict())?;
    let made = make(call.state, &draft.name, Origin::Request);
    let made = Department {
        id: made.id,
        default: made.default,
        portal_name: draft.portal_name.clone().or(made.portal_name),
        ..draft
    };
    call.state.departments.insert(made.id, made.clone());
    join(call.state, made.id, &ids.unwrap_or_default(), true);
    Answer::ok(render(call.state, &made))
}

/// `PATCH departments/{id}`.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let mut department = find(call)?;
    let mut reader = call.reader(KEYS)?;
    let ids = read(call.state, &mut reader, &mut department);
    reader.finish(call.strict())?;
    call.state
        .departments
        .insert(department.id, department.clone());
    if let Some(ids) = ids {
        let all: Vec<Id> = call.state.agents.keys().copied().collect();
        join(call.state, department.id, &all, false);
        join(call.state, department.id, &ids, true);
    }
    Answer::ok(render(call.state, &department))
}

/// `POST departments/{id}/enable` and `disable`.
pub(super) fn set_enabled(call: &mut Call<'_>, enabled: bool) -> Outcome {
    let mut department = find(call)?;
    if department.default && !enabled {
        return Err(Failure::unprocessable(
            "The default department cannot be disabled.",
        ));
    }
    department.enabled = enabled;
    call.state.departments.insert(department.id, department);
    Answer::bare(200)
}

/// `POST departments/{id}/associateAgents` and `dissociateAgents`.
pub(super) fn set_agents(call: &mut Call<'_>, inside: bool) -> Outcome {
    let department = find(call)?;
    let ids = call.only_ids("agentIds", 200)?;
    if ids.iter().any(|id| !call.state.agents.contains_key(id)) {
        return Err(Failure::field(FieldError::invalid(
            "/agentIds",
            "There is no such agent.",
        )));
    }
    join(call.state, department.id, &ids, inside);
    Answer::bare(200)
}

// ---- teams

fn render_team(team: &Team) -> Value {
    let agents: Vec<String> = team.agents.iter().map(Id::to_string).collect();
    json!({
        "id": team.id.to_string(), "name": team.name, "description": team.description,
        "departmentId": team.department_id.to_string(), "agents": agents, "derivedAgents": agents,
        "roles": [], "rolesWithSubordinates": [], "subTeams": [],
    })
}

/// Teams are edition-gated (§7.4).
fn licensed(state: &State) -> Result<(), Failure> {
    let config = &state.config;
    if config.edition >= Edition::Professional {
        return Ok(());
    }
    Err(Failure::license(
        config.edition,
        config.trial,
        Some(("TEAM", 0)),
    ))
}

/// `GET teams`: `{"teams":[…]}` also when there is none.
pub(super) fn teams(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED, &["departmentIds"]])?;
    let teams: Vec<Value> = call.state.teams.values().map(render_team).collect();
    Answer::ok(json!({ "teams": teams }))
}

/// `GET departments/{id}/teams`.
pub(super) fn teams_of(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let department = find(call)?;
    let teams = call.state.teams.values();
    let teams = teams.filter(|team| team.department_id == department.id);
    Answer::ok(json!({"teams": teams.map(render_team).collect::<Vec<_>>()}))
}

fn team(call: &Call<'_>) -> Result<Team, Failure> {
    let found = call.state.teams.get(&call.id(0)?);
    found.cloned().ok_or_else(Failure::not_found)
}

/// `GET teams/{id}`.
pub(super) fn show_team(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    Answer::ok(render_team(&team(call)?))
}

/// `GET teams/{id}/members`: `{"members":[…]}`.
pub(super) fn members(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED])?;
    let team = team(call)?;
    let members = team
        .agents
        .iter()
        .filter_map(|id| call.state.agents.get(id));
    Answer::ok(json!({"members": members.map(agents::person).collect::<Vec<_>>()}))
}

const TEAM_KEYS: &[&str] = &[
    "name",
    "description",
    "departmentId",
    "agents",
    "roles",
    "rolesWithSubordinates",
    "subTeams",
];

fn read_team(state: &State, reader: &mut Reader<'_>, team: &mut Team) {
    if let Some(name) = reader.text("name", 100) {
        team.name = name;
    }
    team.description = reader
        .text("description", 500)
        .or_else(|| team.description.clone());
    if let Some(department) = reader.id("departmentId") {
        team.department_id = department;
    }
    let department = state.departments.get(&team.department_id);
    if !department.is_some_and(|department| department.enabled) {
        reader.invalid("departmentId", "There is no such department.");
    }
    if let Some(agents) = reader.ids("agents", 500) {
        let fits = |agent: &Agent| agent.departments.contains(&team.department_id) && agent.active;
        let all = agents
            .iter()
            .all(|id| state.agents.get(id).is_some_and(fits));
        if !all {
            reader.invalid("agents", "There is no such agent in the department.");
        }
        team.agents = agents;
    }
    for key in ["roles", "rolesWithSubordinates", "subTeams"] {
        reader.ids(key, 500);
    }
    let mut others = state.teams.values();
    let same = others.any(|other| {
        other.id != team.id && other.department_id == team.department_id && other.name == team.name
    });
    if same {
        reader.errors.push(FieldError::duplicate("/name"));
    }
}

/// `POST teams`.
pub(super) fn create_team(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    licensed(call.state)?;
    let mut team = Team {
        id: 0,
        name: String::new(),
        description: None,
        department_id: 0,
        agents: Vec::new(),
        origin: Origin::Request,
    };
    let mut reader = call.reader(TEAM_KEYS)?;
    reader.required("name");
    reader.required("departmentId");
    read_team(call.state, &mut reader, &mut team);
    reader.finish(call.strict())?;
    team.id = call.state.next_id();
    call.state.teams.insert(team.id, team.clone());
    Answer::ok(render_team(&team))
}

/// `PATCH teams/{id}`.
pub(super) fn update_team(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    licensed(call.state)?;
    let mut team = team(call)?;
    let mut reader = call.reader(TEAM_KEYS)?;
    read_team(call.state, &mut reader, &mut team);
    reader.finish(call.strict())?;
    call.state.teams.insert(team.id, team.clone());
    Answer::ok(render_team(&team))
}

/// `POST teams/{id}/deleteTeam`: tickets lose it.
pub(super) fn delete_team(call: &mut Call<'_>) -> Outcome {
    call.only(&[])?;
    let team = team(call)?;
    for module in [Module::Tickets] {
        for ticket in call.state.children(module, "teamId", team.id) {
            call.state
                .edit_record(ticket, |record| record.values.remove("teamId"));
        }
    }
    call.state.teams.remove(&team.id);
    Answer::bare(call.state.config.switches.team_deletion_status)
}

/// `GET channels`.
pub(super) fn channels(call: &mut Call<'_>) -> Outcome {
    call.only(&[PAGED])?;
    let codes = [
        ("EMAIL", "Email"),
        ("PHONE", "Phone"),
        ("WEB", "Web"),
        ("ONLINE_CHAT", "Chat"),
        ("TWITTER", "Twitter"),
        ("FACEBOOK", "Facebook"),
        ("FORUMS", "Forums"),
        ("FEEDBACK_WIDGET", "Feedback Widget"),
    ];
    let channels = codes.iter().map(|(code, name)| {
        json!({"code": code, "name": name, "appName": null, "type": "SYSTEM", "departmentId": null, "externalId": null,
               "mappedIntegration": null, "acceptsReplies": *code == "EMAIL", "photoURL": null, "replyConfig": {}})
    });
    super::answer::data(channels.collect())
}
