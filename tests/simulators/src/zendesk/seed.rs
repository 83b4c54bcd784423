//! What is in an account before anybody writes.

use chrono::Duration;
use serde_json::{Value, json};

use super::answer::Failure;
use super::attributes::Attributes;
use super::call::Actor;
use super::model::{CustomStatus, Field, FieldOwner, FieldType, Group, Id, Role, Status};
use super::state::State;
use super::{fields, groups, imports, organizations, rules, users};

/// Fills a new account.
pub(super) fn fill(state: &mut State) {
    let moment = state.now;
    // The account is three years older than the first request.
    state.now = moment - Duration::days(3 * 365);
    frame(state);
    let actor = Actor {
        user_id: 0,
        role: Role::Admin,
    };
    people(state, &actor);
    let wanted = state.config.preexisting.clone();
    if wanted.business_rules {
        rules::usual(state, wanted.pending_reminder);
    }
    if wanted.required_field {
        let field = json!({"type": "text", "title": "Resolution code", "required": true});
        make(state, &field, |state, a| {
            fields::create(state, &FieldOwner::Ticket, a)
        });
    }
    old_tickets(state, wanted.tickets);
    state.outbox.clear();
    state.automation_log.clear();
    state.now = moment;
}

/// Runs a creation; what is seeded is valid, so a refusal leaves a gap that a test would notice.
fn make(
    state: &mut State,
    value: &Value,
    create: impl FnOnce(&mut State, Attributes<'_>) -> Result<Id, Failure>,
) -> Option<Id> {
    let attributes = Attributes::bare(value).ok()?;
    create(state, attributes)
        .inspect_err(|failure| tracing::error!(?failure, "Seeding failed."))
        .ok()
}

fn frame(state: &mut State) {
    state.brand_id = state.next_id();
    state.form_id = state.next_id();
    let now = state.second();
    let id = state.next_id();
    state.default_group_id = id;
    let group = |id, name: &str, default| Group {
        id,
        name: name.to_owned(),
        description: String::new(),
        default,
        deleted: false,
        is_public: true,
        created_at: now,
        updated_at: now,
    };
    state.groups.insert(id, group(id, "Support", true));
    for name in state.config.preexisting.groups.clone() {
        let id = state.next_id();
        state.groups.insert(id, group(id, &name, false));
    }
    for (category, label) in [
        (Status::New, "New"),
        (Status::Open, "Open"),
        (Status::Pending, "Pending"),
        (Status::Hold, "On-hold"),
        (Status::Solved, "Solved"),
    ] {
        let id = state.next_id();
        let status = CustomStatus {
            id,
            category,
            agent_label: label.to_owned(),
            end_user_label: label.to_owned(),
            description: String::new(),
            active: true,
            default: true,
            created_at: now,
            updated_at: now,
        };
        state.custom_statuses.insert(id, status);
    }
    for (position, (system, title)) in [
        ("subject", "Subject"),
        ("description", "Description"),
        ("status", "Status"),
        ("tickettype", "Type"),
        ("priority", "Priority"),
        ("group", "Group"),
        ("assignee", "Assignee"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = state.next_id();
        let field = Field {
            id,
            owner: FieldOwner::Ticket,
            key: None,
            kind: FieldType::Text,
            system: Some(system),
            title: title.to_owned(),
            description: title.to_owned(),
            agent_description: String::new(),
            active: true,
            required: false,
            tag: None,
            regexp: None,
            options: Vec::new(),
            target: None,
            position: u64::try_from(position).unwrap_or(0),
            created_at: now,
            updated_at: now,
        };
        state.fields.insert(id, field);
    }
}

fn person(state: &mut State, actor: &Actor, email: &str, name: &str, role: &str) -> Option<Id> {
    let user = json!({
        "name": name, "email": email, "role": role, "verified": true, "skip_verify_email": true,
    });
    make(state, &user, |state, a| users::create(state, actor, a))
}

fn people(state: &mut State, actor: &Actor) {
    let wanted = state.config.preexisting.clone();
    let domain = &wanted.agent_domain;
    let owner = person(
        state,
        actor,
        &format!("owner@{domain}"),
        "Account Owner",
        "admin",
    );
    let admin = person(
        state,
        actor,
        &format!("admin@{domain}"),
        "Migration Admin",
        "admin",
    );
    state.owner_id = owner.unwrap_or(0);
    state.credentials.api_user = admin.unwrap_or(0);
    state.credentials.client_owner = admin.unwrap_or(0);
    for name in &wanted.organizations {
        make(state, &json!({"name": name}), |state, a| {
            organizations::create(state, a)
        });
    }
    let mut agents = wanted.agents_by_email.clone();
    for number in 1..=wanted.agents {
        agents.push((format!("agent{number}@{domain}"), format!("Agent {number}")));
    }
    let groups: Vec<Id> = state.groups.keys().copied().collect();
    for (at, (email, name)) in agents.iter().enumerate() {
        let Some(id) = person(state, actor, email, name, "agent") else {
            continue;
        };
        if let Some(group) = groups.get(at % groups.len().max(1)) {
            groups::join(state, id, *group, false);
        }
    }
    if !state.config.oauth_client.owner_is_admin {
        let email = format!("plain.agent@{domain}");
        let agent = person(state, actor, &email, "Plain Agent", "agent");
        state.credentials.client_owner = agent.unwrap_or(0);
    }
    for (email, name) in &wanted.end_users {
        person(state, actor, email, name, "end-user");
    }
}

fn old_tickets(state: &mut State, count: usize) {
    let customers: Vec<Id> = state
        .users
        .values()
        .filter(|u| u.role == Role::EndUser)
        .map(|u| u.id)
        .collect();
    let agent = state
        .users
        .values()
        .find(|u| u.role == Role::Agent)
        .map(|u| u.id);
    let actor = Actor {
        user_id: state.owner_id,
        role: Role::Admin,
    };
    let statuses = ["closed", "open", "pending"];
    for number in 0..count {
        let Some(customer) = customers.get(number % customers.len().max(1)) else {
            return;
        };
        let status = statuses.get(number % statuses.len()).unwrap_or(&"open");
        let ticket = json!({
            "subject": format!("An old question, number {}", number + 1),
            "requester_id": customer,
            "submitter_id": customer,
            "assignee_id": agent,
            "status": status,
            "tags": ["before_migration"],
            "comments": [{"author_id": customer, "public": true, "body": "Where is my parcel?"}],
        });
        make(state, &ticket, |state, a| {
            imports::import(state, &actor, a, false)
        });
    }
}
