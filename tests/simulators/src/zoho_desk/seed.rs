//! What is in a portal before anybody writes.

use chrono::Duration;
use serde_json::json;

use super::model::{Agent, Id, Module, Origin, Team};
use super::state::{Layout, State};
use super::{agents, auth, departments, fields, modules, tags, tickets};
use crate::common::Content as _;

/// Fills a new portal.
pub(super) fn fill(state: &mut State) {
    let moment = state.now;
    // The portal is three years older than the first request.
    state.now = moment - Duration::days(3 * 365);
    let wanted = state.config.preexisting.clone();
    let mut names = wanted.departments.clone();
    if names.is_empty() {
        names.push("Acme".to_owned());
    }
    let departments: Vec<Id> = names
        .iter()
        .map(|name| departments::make(state, name, Origin::Before).id)
        .collect();
    for module in [
        Module::Accounts,
        Module::Contacts,
        Module::Tasks,
        Module::Calls,
        Module::Events,
    ] {
        let id = state.next_id();
        let layout = Layout {
            module,
            department: None,
        };
        state.layouts.insert(id, layout);
    }
    people(state, &departments);
    schema(state);
    records(state, &departments);
    state.run_until(moment);
    state.outbox.clear();
    state.automation_log.clear();
}

fn person(state: &mut State, email: &str, name: &str, role: &str, departments: &[Id]) -> Id {
    let (first_name, last_name) = name.rsplit_once(' ').unwrap_or(("", name));
    let agent = Agent {
        id: state.next_id(),
        zuid: agents::zuid(state),
        email: email.to_owned(),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        role: role.to_owned(),
        active: true,
        confirmed: true,
        departments: departments.iter().copied().collect(),
        created_at: state.now,
    };
    let id = agent.id;
    state.put_agent(agent);
    id
}

fn people(state: &mut State, departments: &[Id]) {
    let wanted = state.config.preexisting.clone();
    let domain = &wanted.agent_domain;
    person(
        state,
        &format!("owner@{domain}"),
        "Portal Owner",
        "Admin",
        departments,
    );
    let role = state.config.role.clone();
    let admin = person(
        state,
        &format!("admin@{domain}"),
        "Migration Admin",
        &role,
        departments,
    );
    state.credentials.owner = admin;
    let client = state.config.client.clone();
    let scopes: Vec<String> = auth::SCOPES
        .iter()
        .map(|scope| (*scope).to_owned())
        .collect();
    state
        .credentials
        .add_refresh(&client.refresh_token, &scopes);
    let mut list = wanted.agents_by_email.clone();
    for number in 1..=wanted.agents {
        list.push((format!("agent{number}@{domain}"), format!("Agent {number}")));
    }
    let mut made = Vec::new();
    for (email, name) in &list {
        if state.agent_by_email(email).is_none() {
            made.push(person(state, email, name, "AgentPublic", departments));
        }
    }
    for (email, name) in &wanted.disabled_agents {
        if state.agent_by_email(email).is_none() {
            let id = person(state, email, name, "AgentPublic", departments);
            if let Some(agent) = state.agents.get_mut(&id) {
                agent.active = false;
            }
        }
    }
    let many = wanted.teams.len().max(1);
    for (at, name) in wanted.teams.iter().enumerate() {
        let mine = made
            .iter()
            .enumerate()
            .filter(|(number, _)| number % many == at);
        let team = Team {
            id: state.next_id(),
            name: name.clone(),
            description: None,
            department_id: departments.first().copied().unwrap_or_default(),
            agents: mine.map(|(_, id)| *id).collect(),
            origin: Origin::Before,
        };
        state.teams.insert(team.id, team);
    }
    if !wanted.teams.is_empty()
        && let Some(first) = departments.first()
        && let Some(department) = state.departments.get_mut(first)
    {
        department.teams_enabled = true;
    }
}

fn schema(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let text = [
        (Module::Tickets, &wanted.ticket_fields),
        (Module::Contacts, &wanted.contact_fields),
    ];
    for (module, labels) in text {
        for label in labels {
            let field = fields::make(state, module, label, "Text", Origin::Before);
            state.put_field(field);
        }
    }
    for (label, allowed) in &wanted.picklists {
        let mut field = fields::make(state, Module::Tickets, label, "Picklist", Origin::Before);
        field.allowed.clone_from(allowed);
        state.put_field(field);
    }
    for label in &wanted.modules {
        modules::before(state, label);
    }
    if wanted.required_field {
        let mut field = fields::make(
            state,
            Module::Tickets,
            "Order number",
            "Text",
            Origin::Before,
        );
        field.mandatory = true;
        state.put_field(field);
    }
}

fn records(state: &mut State, departments: &[Id]) {
    let wanted = state.config.preexisting.clone();
    let owner = state.credentials.owner;
    for name in &wanted.accounts {
        let mut record = state.blank(Module::Accounts, owner, Origin::Before);
        record.values.insert("accountName".to_owned(), json!(name));
        state.put_record(record);
    }
    let mut people = Vec::new();
    for (email, name) in &wanted.contacts {
        let (first, last) = name.rsplit_once(' ').unwrap_or(("", name));
        let mut record = state.blank(Module::Contacts, owner, Origin::Before);
        for (key, text) in [("firstName", first), ("lastName", last), ("email", email)] {
            record.values.insert(key.to_owned(), json!(text));
        }
        people.push(record.id);
        state.put_record(record);
    }
    let department = departments.first().copied().unwrap_or_default();
    let tags: Vec<Id> = wanted
        .tags
        .iter()
        .map(|name| tags::named(state, department, name))
        .collect();
    for tag in &tags {
        if let Some(tag) = state.tags.get_mut(tag) {
            tag.origin = Origin::Before;
        }
    }
    for number in 0..wanted.tickets {
        let Some(contact) = people.get(number % people.len().max(1)) else {
            return;
        };
        state.now += Duration::days(1);
        let mut record = state.blank(Module::Tickets, owner, Origin::Before);
        record.number = Some(state.next_number());
        let status = if number % 2 == 0 { "Closed" } else { "Open" };
        let subject = format!("An old question, number {}", number + 1);
        for (key, text) in [
            ("subject", subject.as_str()),
            ("status", status),
            ("departmentId", &department.to_string()),
            ("contactId", &contact.to_string()),
            ("channel", "Email"),
        ] {
            record.values.insert(key.to_owned(), json!(text));
        }
        record.tags.extend(tags.first());
        tickets::dress(state, &mut record);
        let (id, at) = (record.id, state.now);
        state.put_record(record);
        let text = "Where is my parcel?".to_owned();
        tickets::describe(state, id, text, Origin::Before, at, false);
    }
}
