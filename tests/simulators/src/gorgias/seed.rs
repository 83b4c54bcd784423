//! What is in an account before anybody writes.

use chrono::Duration;
use serde_json::{Value, json};

use super::answer::Failure;
use super::model::{Id, Integration, Macro, Team, User, View};
use super::state::State;
use super::users::{blank, split_name};
use super::{customers, fields, rules, tags, tickets};
use crate::common::Content as _;

/// Fills a new account.
pub(super) fn fill(state: &mut State) {
    let moment = state.now;
    // The account is three years older than the first request.
    state.now = moment - Duration::days(3 * 365);
    people(state);
    integrations(state);
    schema(state);
    old_tickets(state);
    // Rules come last, so that none has run on the old tickets.
    state.settle();
    if state.config.preexisting.rules {
        let tag = tags::make(state, "auto-tagged", false);
        let other = tags::make(state, "refund", false);
        rules::usual(state, tag);
        let id = state.next_id();
        let created_at = state.now;
        let refund = Macro {
            id,
            name: "Refund".to_owned(),
            tags: [other].into(),
            created_at,
        };
        state.macros.insert(id, refund);
    }
    // Whatever the old tickets set in motion has long happened.
    state.run_until(moment);
    state.outbox.clear();
    state.automation_log.clear();
    state.events.clear();
}

/// Reports what could not be seeded; what is seeded is valid, so a gap would be noticed by a test.
fn made<T>(result: Result<T, Failure>) -> Option<T> {
    result
        .inspect_err(|failure| tracing::error!(?failure, "Seeding failed."))
        .ok()
}

fn person(state: &mut State, email: &str, name: &str, role: &str) -> Id {
    let (firstname, lastname) = split_name(name);
    let user = User {
        email: email.to_owned(),
        name: name.to_owned(),
        firstname,
        lastname,
        role: role.to_owned(),
        language: Some("en".to_owned()),
        timezone: Some("UTC".to_owned()),
        ..blank(state)
    };
    let id = user.id;
    state.put_user(user);
    id
}

fn people(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let domain = &wanted.agent_domain;
    person(state, &format!("owner@{domain}"), "Account Owner", "admin");
    let role = state.config.key_role.clone();
    let key_user = person(state, &format!("admin@{domain}"), "Migration Admin", &role);
    state.credentials.key_user = key_user;
    // §8: live reads show such users, too.
    person(state, "bot@gorgias.example", "Gorgias Bot", "bot");
    person(
        state,
        "help@gorgias.example",
        "Gorgias Help",
        "internal-agent",
    );
    let mut agents = wanted.agents_by_email.clone();
    for number in 1..=wanted.agents {
        agents.push((format!("agent{number}@{domain}"), format!("Agent {number}")));
    }
    let agents: Vec<Id> = agents
        .iter()
        .map(|(email, name)| person(state, email, name, "agent"))
        .collect();
    let many = wanted.teams.len().max(1);
    for (at, name) in wanted.teams.iter().enumerate() {
        let mine = agents.iter().enumerate().filter(|(n, _)| n % many == at);
        let team = Team {
            id: state.next_id(),
            name: name.clone(),
            description: None,
            decoration: Value::Null,
            members: mine.map(|(_, id)| *id).collect(),
            created_at: state.now,
        };
        state.teams.insert(team.id, team);
    }
    for (email, name) in &wanted.customers {
        let body = json!({
            "name": name, "email": email,
            "channels": [{"type": "email", "address": email, "preferred": true}],
        });
        made(customers::make(state, &body));
    }
}

fn integrations(state: &mut State) {
    let domain = state.config.preexisting.agent_domain.clone();
    let mut list = vec![(
        "email",
        "Support",
        json!({"address": format!("support@{domain}")}),
    )];
    if state.config.preexisting.services.http_integration {
        let url = format!("https://hooks.{domain}/tickets");
        list.push((
            "http",
            "Warehouse",
            json!({"url": url, "triggers": ["ticket-created", "ticket-updated", "ticket-message-created"]}),
        ));
    }
    for (kind, name, meta) in list {
        let id = state.next_id();
        let integration = Integration {
            id,
            kind: kind.to_owned(),
            name: name.to_owned(),
            meta,
            created_at: state.now,
            deactivated_at: None,
        };
        state.integrations.insert(id, integration);
    }
}

fn schema(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let field = |object: &str, label: &str, required: bool| {
        json!({
            "object_type": object, "label": label, "required": required,
            "definition": {"data_type": "text", "input_settings": {"input_type": "input"}},
        })
    };
    for label in &wanted.customer_fields {
        made(fields::make(state, &field("Customer", label, false)));
    }
    for label in &wanted.ticket_fields {
        made(fields::make(state, &field("Ticket", label, false)));
    }
    if wanted.required_field {
        made(fields::make(state, &field("Ticket", "Resolution", true)));
    }
    for name in &wanted.tags {
        let tag = tags::make(state, name, false);
        let view = View {
            id: state.next_id(),
            name: format!("Tagged {name}"),
            tags: [tag].into(),
            created_at: state.now,
            deactivated_at: None,
        };
        state.views.insert(view.id, view);
    }
}

fn old_tickets(state: &mut State) {
    let people: Vec<Id> = state.customers.keys().copied().collect();
    let agent = state.users.values().find(|user| user.role == "agent");
    let agent = agent.map_or(state.credentials.key_user, |user| user.id);
    let tag = state.config.preexisting.tags.first().cloned();
    let tags: Vec<Value> = tag.iter().map(|name| json!({"name": name})).collect();
    for number in 0..state.config.preexisting.tickets {
        let Some(customer) = people.get(number % people.len().max(1)) else {
            return;
        };
        let time = state.now + Duration::days(i64::try_from(number).unwrap_or_default());
        let time = time.to_rfc3339();
        let status = if number % 2 == 0 { "closed" } else { "open" };
        let body = json!({
            "subject": format!("An old question, number {}", number + 1), "via": "email", "channel": "email",
            "status": status, "customer": {"id": customer}, "assignee_user": {"id": agent}, "tags": tags,
            "created_datetime": time,
            "messages": [{
                "channel": "email", "via": "email", "from_agent": false, "sender": {"id": customer},
                "body_text": "Where is my parcel?", "created_datetime": time, "sent_datetime": time,
            }],
        });
        made(tickets::make(state, &body, agent));
    }
}
