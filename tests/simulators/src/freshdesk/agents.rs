//! Agents (Freshdesk facts §7).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::{Reader, is_email, iso};
use super::call::Call;
use super::jobs::{self, Work};
use super::model::{Agent, Id, Person};
use super::state::State;
use super::{contacts, rules};

const ATTRIBUTES: &[&str] = &[
    "email",
    "name",
    "ticket_scope",
    "occasional",
    "agent_type",
    "type",
    "role_ids",
    "group_ids",
    "skill_ids",
    "signature",
    "language",
    "time_zone",
    "job_title",
    "phone",
    "mobile",
];

/// Whether an agent may do what admins may.
pub(super) fn is_admin(state: &State, person: &Person) -> bool {
    let admin = |id: &Id| {
        let role = state.roles.iter().find(|role| role.id == *id);
        role.is_some_and(|role| matches!(role.name, "Account Administrator" | "Administrator"))
    };
    person
        .agent
        .as_ref()
        .is_some_and(|agent| agent.role_ids.iter().any(admin))
}

/// An agent as answers show it.
pub(super) fn render(state: &State, person: &Person) -> Value {
    let Some(agent) = &person.agent else {
        return Value::Null;
    };
    let groups = state
        .groups
        .values()
        .filter(|group| group.agent_ids.contains(&person.id));
    let groups: Vec<Id> = groups.map(|group| group.id).collect();
    let mut shown = json!({
        "id": person.id, "available": agent.available, "occasional": agent.occasional,
        "signature": agent.signature, "ticket_scope": agent.ticket_scope,
        "type": match agent.agent_type { 2 => "field_agent", 3 => "collaborator", _ => "support_agent" },
        "group_ids": groups, "role_ids": agent.role_ids, "skill_ids": [],
        "available_since": null, "last_active_at": null,
        "created_at": iso(agent.created_at), "updated_at": iso(agent.updated_at),
        "contact": {
            "active": person.active, "email": person.email, "name": person.name,
            "job_title": person.job_title, "language": person.language, "mobile": person.mobile,
            "phone": person.phone, "time_zone": person.time_zone, "last_login_at": null,
            "created_at": iso(person.created_at), "updated_at": iso(person.updated_at),
        },
    });
    if person.deleted_at.is_some()
        && let Some(map) = shown.as_object_mut()
    {
        map.insert("deactivated".to_owned(), json!(true));
    }
    shown
}

/// Reads what makes an agent; gives the groups if they were sent.
fn apply(
    state: &State,
    reader: &mut Reader<'_>,
    person: &mut Person,
    agent: &mut Agent,
    creating: bool,
) -> Option<Vec<Id>> {
    if let Some(scope) = reader.one_of("ticket_scope", &[1, 2, 3]) {
        agent.ticket_scope = scope;
    }
    if let Some(kind) = reader.one_of("agent_type", &[1, 2, 3]) {
        agent.agent_type = kind;
    }
    if let Some(Some(kind)) = reader.text("type", 64) {
        match kind.as_str() {
            "support_agent" => agent.agent_type = 1,
            "field_agent" => agent.agent_type = 2,
            "collaborator" => agent.agent_type = 3,
            _ => {
                let message = "It should be one of these values: \
                               'support_agent,field_agent,collaborator'";
                reader.wrong("type", "invalid_value", message);
            }
        }
    }
    if let Some(occasional) = reader.flag("occasional") {
        agent.occasional = occasional;
    }
    if let Some(signature) = reader.text("signature", 65_535) {
        agent.signature = signature;
    }
    match reader.ids("role_ids") {
        Some(roles) if !roles.is_empty() => {
            let known = |id: &Id| state.roles.iter().any(|role| role.id == *id);
            if !roles.iter().all(known) {
                let message = "There are no records matching the ids";
                reader.wrong("role_ids", "invalid_value", message);
            }
            agent.role_ids = roles;
        }
        Some(_) => reader.missing("role_ids", "Array"),
        None if creating && !reader.given("role_ids") => reader.missing("role_ids", "Array"),
        None => {}
    }
    for (name, place) in [
        ("job_title", &mut person.job_title),
        ("phone", &mut person.phone),
        ("mobile", &mut person.mobile),
    ] {
        if let Some(value) = reader.text(name, 255) {
            *place = value;
        }
    }
    contacts::locale(state, reader, person);
    let groups = reader.ids("group_ids");
    if groups
        .iter()
        .flatten()
        .any(|id| !state.groups.contains_key(id))
    {
        let message = "There are no records matching the ids";
        reader.wrong("group_ids", "invalid_value", message);
    }
    groups
}

fn new_agent(state: &State) -> Agent {
    let now = state.second();
    Agent {
        available: true,
        occasional: false,
        signature: None,
        ticket_scope: 1,
        agent_type: 1,
        role_ids: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

/// §7: the licence is full.
fn seat(state: &State, agent: &Agent) -> Result<(), Failure> {
    if !agent.occasional && state.seats_taken() >= state.config.agent_seats {
        let message = "You have reached the maximum number of agents allowed in your plan.";
        return Err(Failure::coded(403, "max_agents_reached", message));
    }
    Ok(())
}

fn join(state: &mut State, person: Id, groups: &[Id]) {
    for group in state.groups.values_mut() {
        group.agent_ids.retain(|id| *id != person);
        if groups.contains(&group.id) {
            group.agent_ids.push(person);
        }
    }
}

/// Makes an agent of attributes; its id.
pub(super) fn make(state: &mut State, mut reader: Reader<'_>) -> Result<Id, Failure> {
    reader.only(ATTRIBUTES);
    let mut person = contacts::blank(state);
    let mut agent = new_agent(state);
    match reader.email("email") {
        Some(Some(email)) => person.email = Some(email),
        Some(None) => reader.missing("email", "String"),
        None if !reader.given("email") => reader.missing("email", "String"),
        None => {}
    }
    person.name = reader.text("name", 255).flatten().or_else(|| {
        let local = person
            .email
            .as_deref()
            .and_then(|email| email.split_once('@'));
        local.map(|(local, _)| local.to_owned())
    });
    let groups = apply(state, &mut reader, &mut person, &mut agent, true);
    contacts::duplicates(state, &person, &mut reader.errors);
    reader.finish()?;
    seat(state, &agent)?;
    let id = person.id;
    let email = person.email.clone().unwrap_or_default();
    person.agent = Some(agent);
    state.put_person(person);
    join(state, id, &groups.unwrap_or_default());
    // §7 [MEM]: invited by mail.
    rules::mail(state, &email, &format!("agent {id}"), "agent invitation");
    Ok(id)
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let reader = call.reader()?;
    let id = make(call.state, reader)?;
    let location = format!("{}/api/v2/agents/{id}", call.base);
    let shown = render(call.state, call.state.agent(id)?);
    Ok(Answer::json(201, shown).with("location", location))
}

/// `POST /agents/bulk` [MEM].
pub(super) fn bulk(call: &mut Call<'_>) -> Outcome {
    let mut reader = call.reader()?;
    reader.only(&["agents"]);
    let list = reader.list("agents").cloned().unwrap_or_default();
    if list.is_empty() && reader.errors.is_empty() {
        reader.missing("agents", "Array");
    }
    if list.len() > 100 {
        let code = reader.length_code();
        reader.wrong("agents", code, "It can have maximum of 100 elements");
    }
    reader.finish()?;
    let work = list.into_iter().map(Work::MakeAgent).collect();
    jobs::start(call, work)
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let mut person = call.state.agent(id)?.clone();
    let mut agent = person.agent.clone().ok_or(Failure::NotFound)?;
    let was_occasional = agent.occasional;
    let mut reader = call.reader()?;
    reader.only(ATTRIBUTES);
    if let Some(Some(name)) = reader.text("name", 255) {
        person.name = Some(name);
    }
    if let Some(Some(email)) = reader.email("email") {
        person.email = Some(email);
    }
    let groups = apply(call.state, &mut reader, &mut person, &mut agent, false);
    contacts::duplicates(call.state, &person, &mut reader.errors);
    reader.finish()?;
    if was_occasional {
        seat(call.state, &agent)?;
    }
    let now = call.state.second();
    agent.updated_at = now;
    person.updated_at = now;
    person.agent = Some(agent);
    call.state.put_person(person);
    if let Some(groups) = groups {
        join(call.state, id, &groups);
    }
    Answer::ok(render(call.state, call.state.agent(id)?))
}

/// §6: a contact with an address becomes an agent.
pub(super) fn make_agent(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let mut person = call.state.contact(id)?.clone();
    let fits = person.deleted_at.is_none() && person.email.as_deref().is_some_and(is_email);
    if !fits {
        let message = "Contact with an invalid email cannot be converted to an agent";
        let error = FieldError::new("email", "inconsistent_state", message);
        return Err(Failure::Invalid(vec![error]));
    }
    let mut agent = new_agent(call.state);
    let default = call.state.roles.iter().find(|role| role.name == "Agent");
    agent.role_ids = default.map(|role| role.id).into_iter().collect();
    let empty = serde_json::Map::new();
    let mut reader = if call.request.json.is_null() {
        Reader::of(&empty, false, call.state.config.switches.length_code)
    } else {
        call.reader()?
    };
    reader.only(&[
        "occasional",
        "ticket_scope",
        "role_ids",
        "group_ids",
        "type",
        "signature",
    ]);
    let groups = apply(call.state, &mut reader, &mut person, &mut agent, false);
    reader.finish()?;
    seat(call.state, &agent)?;
    let email = person.email.clone().unwrap_or_default();
    person.agent = Some(agent);
    person.updated_at = call.state.second();
    call.state.put_person(person);
    join(call.state, id, &groups.unwrap_or_default());
    rules::mail(
        call.state,
        &email,
        &format!("agent {id}"),
        "agent invitation",
    );
    let person = call.state.agent(id)?;
    let mut shown = contacts::render(call.state, &call.base, person);
    if let Some(map) = shown.as_object_mut() {
        map.insert("agent".to_owned(), render(call.state, person));
    }
    Answer::ok(shown)
}

/// §7: downgraded to a contact, not erased.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    call.state.agent(id)?;
    if id == call.state.owner_id {
        return Err(Failure::denied());
    }
    call.state.edit_person(id, |person| person.agent = None);
    join(call.state, id, &[]);
    let assigned = call
        .state
        .tickets
        .values()
        .filter(|ticket| ticket.responder_id == Some(id));
    let assigned: Vec<Id> = assigned.map(|ticket| ticket.id).collect();
    for ticket in assigned {
        call.state
            .edit_ticket(ticket, |ticket| ticket.responder_id = None);
    }
    Answer::bare(204)
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    Answer::ok(render(call.state, call.state.agent(call.id(0)?)?))
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    call.query_only(&["email", "mobile", "phone", "state"])?;
    let request = call.request;
    let occasional = match request.param("state") {
        None => None,
        Some("fulltime") => Some(false),
        Some("occasional") => Some(true),
        Some(_) => {
            let message = "It should be one of these values: 'fulltime,occasional'";
            return Err(Failure::invalid("state", "invalid_value", message));
        }
    };
    let same = |name: &str, value: &Option<String>| {
        request.param(name).is_none_or(|wanted| {
            value
                .as_ref()
                .is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        })
    };
    let state = &*call.state;
    let found = state
        .agents
        .iter()
        .filter_map(|id| state.people.get(id))
        .filter(|person| {
            same("email", &person.email)
                && same("mobile", &person.mobile)
                && same("phone", &person.phone)
                && occasional.is_none_or(|wanted| {
                    person
                        .agent
                        .as_ref()
                        .is_some_and(|agent| agent.occasional == wanted)
                })
        });
    call.page(found, None, |person| render(state, person))
}

pub(super) fn autocomplete(call: &mut Call<'_>) -> Outcome {
    contacts::matching(call, true)
}
