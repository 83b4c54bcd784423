//! Groups of agents (Freshdesk facts §7).

use serde_json::{Value, json};

use super::answer::{Answer, Failure, FieldError, Outcome};
use super::body::{Reader, iso};
use super::call::Call;
use super::model::{Group, Id};
use super::routes::Handler;
use super::state::{State, TicketKey};

const UNASSIGNED: &[&str] = &["30m", "1h", "2h", "4h", "8h", "12h", "1d", "2d", "3d"];

/// A group as answers show it.
pub(super) fn render(state: &State, group: &Group) -> Value {
    // §7: as a boolean or as an integer.
    let assign = if state.config.switches.auto_assign_as_bool {
        json!(group.auto_ticket_assign > 0)
    } else {
        json!(group.auto_ticket_assign)
    };
    json!({
        "id": group.id, "name": group.name, "description": group.description,
        "escalate_to": group.escalate_to, "unassigned_for": group.unassigned_for,
        "agent_ids": group.agent_ids, "business_hour_id": state.business_hour_id,
        "group_type": "support_agent_group", "auto_ticket_assign": assign,
        "created_at": iso(group.created_at), "updated_at": iso(group.updated_at),
    })
}

/// A group with nothing but an id, not yet stored.
pub(super) fn blank(state: &mut State) -> Group {
    let now = state.second();
    Group {
        id: state.next_id(),
        name: String::new(),
        description: None,
        agent_ids: Vec::new(),
        escalate_to: None,
        unassigned_for: None,
        auto_ticket_assign: 0,
        created_at: now,
        updated_at: now,
    }
}

fn apply(state: &State, reader: &mut Reader<'_>, group: &mut Group, creating: bool) {
    reader.only(&[
        "name",
        "description",
        "agent_ids",
        "escalate_to",
        "unassigned_for",
        "auto_ticket_assign",
        "business_hour_id",
        "group_type",
    ]);
    match reader.text("name", 255) {
        Some(Some(name)) => group.name = name,
        Some(None) => reader.missing("name", "String"),
        None if creating && !reader.given("name") => reader.missing("name", "String"),
        None => {}
    }
    let taken = state.groups.values().any(|other| {
        other.id != group.id && other.name.to_lowercase() == group.name.to_lowercase()
    });
    if taken {
        reader.errors.push(FieldError::duplicate("name", None));
    }
    if let Some(description) = reader.text("description", 65_535) {
        group.description = description;
    }
    let is_agent = |id: &Id| state.agents.contains(id);
    if let Some(agents) = reader.ids("agent_ids") {
        let wrong: Vec<String> = agents
            .iter()
            .filter(|id| !is_agent(id))
            .map(Id::to_string)
            .collect();
        if !wrong.is_empty() {
            let message = format!(
                "There are no records matching the ids: '{}'",
                wrong.join(", ")
            );
            reader.wrong("agent_ids", "invalid_value", message);
        }
        group.agent_ids = agents;
        group.agent_ids.dedup();
    }
    if let Some(agent) = reader.id("escalate_to") {
        if agent.is_some_and(|id| !is_agent(&id)) {
            let message = "There is no agent matching the given escalate_to";
            reader.wrong("escalate_to", "invalid_value", message);
        }
        group.escalate_to = agent;
    }
    if let Some(time) = reader.text("unassigned_for", 10) {
        if time
            .as_deref()
            .is_some_and(|time| !UNASSIGNED.contains(&time))
        {
            let message = format!(
                "It should be one of these values: '{}'",
                UNASSIGNED.join(",")
            );
            reader.wrong("unassigned_for", "invalid_value", message);
        }
        group.unassigned_for = time;
    }
    match reader.raw("auto_ticket_assign") {
        Some(Value::Bool(on)) => group.auto_ticket_assign = i64::from(*on),
        Some(_) => {
            if let Some(number) = reader.one_of("auto_ticket_assign", &[0, 1, 2, 3, 4]) {
                group.auto_ticket_assign = number;
            }
        }
        None => {}
    }
}

pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let mut reader = call.reader()?;
    let mut group = blank(call.state);
    apply(call.state, &mut reader, &mut group, true);
    reader.finish()?;
    let shown = render(call.state, &group);
    let location = format!("{}/api/v2/groups/{}", call.base, group.id);
    call.state.groups.insert(group.id, group);
    Ok(Answer::json(201, shown).with("location", location))
}

pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    let mut group = call.state.groups.get(&id).ok_or(Failure::NotFound)?.clone();
    let mut reader = call.reader()?;
    apply(call.state, &mut reader, &mut group, false);
    reader.finish()?;
    group.updated_at = call.state.second();
    let shown = render(call.state, &group);
    call.state.groups.insert(id, group);
    Answer::ok(shown)
}

pub(super) fn show(call: &mut Call<'_>) -> Outcome {
    let group = call
        .state
        .groups
        .get(&call.id(0)?)
        .ok_or(Failure::NotFound)?;
    Answer::ok(render(call.state, group))
}

pub(super) fn list(call: &mut Call<'_>) -> Outcome {
    let state = &*call.state;
    call.page(state.groups.values(), None, |group| render(state, group))
}

/// Tickets lose the group (§7).
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let id = call.id(0)?;
    call.state.groups.remove(&id).ok_or(Failure::NotFound)?;
    let tickets = call.state.tickets_with(TicketKey::Group(id));
    let tickets: Vec<Id> = tickets.map(|ticket| ticket.id).collect();
    for ticket in tickets {
        call.state
            .edit_ticket(ticket, |ticket| ticket.group_id = None);
    }
    Answer::bare(204)
}

/// The newer paths, where the account has them [MEM].
pub(super) fn newer(call: &mut Call<'_>, run: Handler) -> Outcome {
    if !call.state.config.switches.admin_groups {
        return Err(Failure::NotFound);
    }
    run(call)
}
