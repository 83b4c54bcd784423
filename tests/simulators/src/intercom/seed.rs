//! What is in a workspace before anybody writes.

use serde_json::json;

use super::auth::Token;
use super::contacts::blank;
use super::model::{Admin, Author, Category, ConversationState, Id, Role, Segment, Team};
use super::read::Reader;
use super::state::State;
use super::{attributes, companies, contacts, foreign, parts, tags, ticket_types};

/// Fills a new workspace.
pub(super) fn fill(state: &mut State) {
    let moment = state.now_ms;
    // The workspace is three years older than the first request.
    state.now_ms = moment - 3 * 365 * 86_400_000;
    state.created_at = state.now();
    // Nothing that is seeded sets anything off.
    let fires = std::mem::replace(&mut state.config.switches.automations_on_api, false);
    people(state);
    schema(state);
    contacts_and_companies(state);
    old_conversations(state);
    state.config.switches.automations_on_api = fires;
    state.now_ms = moment;
    state.settle();
    state.outbox.clear();
    state.automation_log.clear();
}

fn person(state: &mut State, email: &str, name: &str) -> Id {
    let admin = Admin {
        id: state.next_id(),
        name: name.to_owned(),
        email: email.to_owned(),
        has_inbox_seat: true,
        away: false,
        team_ids: std::collections::BTreeSet::new(),
        removed: false,
    };
    let id = admin.id;
    state.admins.insert(id, admin);
    id
}

fn people(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let domain = &wanted.admin_domain;
    person(state, &format!("owner@{domain}"), "Workspace Owner");
    let migration = person(state, &format!("admin@{domain}"), "Migration Admin");
    state.token_admin = migration;
    let token = state.config.token.clone();
    state.tokens.insert(
        token,
        Token {
            admin_id: migration,
            scopes: None,
            revoked: false,
        },
    );
    let mut agents = wanted.agents_by_email.clone();
    for number in 1..=wanted.agents {
        agents.push((format!("agent{number}@{domain}"), format!("Agent {number}")));
    }
    let agents: Vec<Id> = agents
        .iter()
        .map(|(email, name)| person(state, email, name))
        .collect();
    let many = wanted.teams.len().max(1);
    for (at, name) in wanted.teams.iter().enumerate() {
        let mine = agents
            .iter()
            .enumerate()
            .filter(|(number, _)| number % many == at);
        let team = Team {
            id: state.next_id(),
            name: name.clone(),
            admin_ids: mine.map(|(_, id)| *id).collect(),
        };
        for admin in &team.admin_ids {
            if let Some(admin) = state.admins.get_mut(admin) {
                admin.team_ids.insert(team.id);
            }
        }
        state.teams.insert(team.id, team);
    }
}

/// Reports what could not be seeded; what is seeded is valid, so a gap would be noticed by a test.
fn made<T>(result: Result<T, super::answer::Failure>) {
    if let Err(failure) = result {
        tracing::error!(?failure, "Seeding failed.");
    }
}

fn schema(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let admin = state.token_admin;
    for (model, names) in [
        ("contact", &wanted.contact_attributes),
        ("company", &wanted.company_attributes),
    ] {
        for name in names {
            let body = json!({"name": name, "model": model, "data_type": "string"});
            made(Reader::new(&body).and_then(|reader| attributes::make(state, reader, admin)));
        }
    }
    for name in &wanted.conversation_attributes {
        let body = json!({"name": name, "data_type": "string"});
        made(
            Reader::new(&body)
                .and_then(|reader| attributes::make_conversation(state, reader, admin)),
        );
    }
    for kind in wanted.object_types {
        state.object_types.insert(kind.identifier.clone(), kind);
    }
    ticket_types::usual_states(state);
    if wanted.ticket_type {
        ticket_types::make(state, "Support request", Category::Customer);
    }
    for (at, name) in wanted.tags.iter().enumerate() {
        let tag = tags::make(state, name);
        if at == 0 {
            let segment = Segment {
                id: state.next_hex(),
                name: format!("Tagged {name}"),
                tag: Some(tag),
                created_at: state.now(),
            };
            state.segments.push(segment);
        }
    }
}

fn contacts_and_companies(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let mut first = None;
    for (key, name) in &wanted.companies {
        let body = json!({"company_id": key, "name": name});
        let id = Reader::new(&body).and_then(|reader| companies::make(state, reader));
        if let Ok(id) = &id {
            first.get_or_insert(id.clone());
        }
        made(id);
    }
    for (email, name) in &wanted.contacts {
        let mut contact = blank(state, Role::User);
        contact.email = Some(email.clone());
        contact.name = Some(name.clone());
        let id = contact.id.clone();
        state.put_contact(contact);
        if let Some(company) = &first {
            contacts::join(state, &id, company);
        }
    }
}

fn old_conversations(state: &mut State) {
    let people: Vec<String> = state.contacts.keys().cloned().collect();
    let admin = state.token_admin;
    for number in 0..state.config.preexisting.conversations {
        let Some(contact) = people.get(number % people.len().max(1)).cloned() else {
            return;
        };
        state.now_ms += 86_400_000;
        let id = foreign::begin(state, &contact, "Where is my parcel?");
        let mut part = parts::blank(state, "comment", Author::Admin(admin));
        part.by_app = false;
        part.body = Some("<p>On its way.</p>".to_owned());
        let closed = number % 2 == 0;
        let now = state.now();
        if let Ok(conversation) = state.conversation_mut(id) {
            conversation.parts.push(part);
            if closed {
                conversation.state = ConversationState::Closed;
                conversation.last_closed = Some((admin, now));
            }
        }
    }
}
