//! What is in an account before anybody writes.

use bytes::Bytes;
use chrono::Duration;
use serde_json::{Map, Value, json};

use super::model::{Id, Owner, Ref, TypeId};
use super::objects::{self, Prepared};
use super::state::State;
use super::{auth, files, links, pipelines, properties};

/// Fills a new account.
pub(super) fn fill(state: &mut State) {
    let moment = state.now;
    // The account is three years older than the first request.
    state.now = moment - Duration::days(3 * 365);
    properties::seed(state);
    links::seed(state);
    pipelines::seed(state);
    let refresh = state.config.oauth_client.refresh_token.clone();
    let scopes = state.config.scopes.clone();
    let key = state.config.service_key.clone();
    auth::put_key(state, &key, &scopes);
    state.refresh_tokens.insert(refresh, scopes);
    people(state);
    if state.config.preexisting.fields {
        fields(state);
    }
    records(state);
    state.now = moment;
    // Search has long known what is there, and what automation would have done is done.
    let all: Vec<Ref> = state
        .tables
        .iter()
        .flat_map(|(object, table)| table.records.keys().map(|id| (*object, *id)))
        .collect();
    for (object, id) in all {
        let table = state.tables.get_mut(&object);
        if let Some(record) = table.and_then(|t| t.records.get_mut(&id)) {
            record.indexed = Some(std::sync::Arc::clone(&record.values));
        }
    }
    state.forget_queue();
}

fn people(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    for name in &wanted.teams {
        let id = state.next_id();
        state.teams.insert(id, name.clone());
    }
    let mut agents = vec![(
        "admin@acme.example".to_owned(),
        "Ada Admin".to_owned(),
        false,
    )];
    for (email, name) in &wanted.agents_by_email {
        agents.push((email.clone(), name.clone(), false));
    }
    for number in 1..=wanted.agents {
        agents.push((
            format!("agent{number}@acme.example"),
            format!("Agent {number}"),
            false,
        ));
    }
    for (email, name) in &wanted.archived_agents {
        agents.push((email.clone(), name.clone(), true));
    }
    let teams: Vec<Id> = state.teams.keys().copied().collect();
    for (at, (email, name, archived)) in agents.into_iter().enumerate() {
        let (first, last) = name.split_once(' ').unwrap_or((name.as_str(), ""));
        let name = (first.to_owned(), last.to_owned());
        let (id, user_id) = (state.next_id(), state.next_id());
        let team = teams.get(at % teams.len().max(1)).copied();
        let owner = Owner {
            id,
            user_id,
            email,
            name,
            archived: archived.then_some(state.now),
            teams: team.into_iter().collect(),
            created: state.now,
        };
        state.owners.insert(id, owner);
    }
}

fn fields(state: &mut State) {
    let region = json!({
        "groupName": "ticketinformation", "name": "region", "label": "Region", "type": "enumeration", "fieldType": "select",
        "options": [{"label": "North", "value": "north"}, {"label": "South", "value": "south"}],
    });
    let loyalty = json!({
        "groupName": "contactinformation", "name": "loyalty_level", "label": "Loyalty level", "type": "number",
        "fieldType": "number",
    });
    for (object, body) in [(TypeId::TICKET, region), (TypeId::CONTACT, loyalty)] {
        let body = body.as_object().cloned().unwrap_or_default();
        if let Err(failure) = properties::create(state, object, &body) {
            tracing::error!(
                message = failure.message,
                "A property of the account cannot be made."
            );
        }
    }
}

/// Makes a record as a person in the account does.
pub(super) fn make(
    state: &mut State,
    object: TypeId,
    values: &Value,
    to: &[Ref],
) -> Result<Id, String> {
    let properties: Map<String, Value> = values.as_object().cloned().unwrap_or_default();
    let mut prepared: Prepared =
        objects::prepare(state, object, None, &properties, false).map_err(|f| f.message)?;
    for end in to {
        let key = state
            .plain_link(object, end.0)
            .ok_or_else(|| format!("{object} has no links to {}", end.0))?;
        prepared.links.push((*end, [key].into()));
    }
    let id = prepared.id;
    objects::commit(state, object, prepared, "CRM_UI");
    Ok(id)
}

fn records(state: &mut State) {
    let wanted = state.config.preexisting.clone();
    let noted = |made: Result<Id, String>| {
        if let Err(message) = &made {
            tracing::error!(message, "A record of the account cannot be made.");
        }
        made.ok()
    };
    for name in &wanted.companies {
        noted(make(state, TypeId::COMPANY, &json!({"name": name}), &[]));
    }
    let mut contacts = Vec::new();
    for (email, name) in &wanted.contacts {
        let (first, last) = name.split_once(' ').unwrap_or((name.as_str(), ""));
        let values = json!({"email": email, "firstname": first, "lastname": last});
        contacts.extend(noted(make(state, TypeId::CONTACT, &values, &[])));
    }
    let owner = state
        .owners
        .values()
        .find(|o| o.archived.is_none())
        .map(|o| o.id.to_string());
    for number in 0..wanted.tickets {
        let Some(contact) = contacts.get(number % contacts.len().max(1)).copied() else {
            return;
        };
        let stage = ["4", "1", "2"].get(number % 3).copied().unwrap_or("1");
        let values = json!({
            "subject": format!("An old question, number {}", number + 1), "content": "Where is my parcel?",
            "hs_pipeline": "0", "hs_pipeline_stage": stage, "hubspot_owner_id": owner,
        });
        let Some(ticket) = noted(make(
            state,
            TypeId::TICKET,
            &values,
            &[(TypeId::CONTACT, contact)],
        )) else {
            return;
        };
        let ends = [(TypeId::TICKET, ticket), (TypeId::CONTACT, contact)];
        let at = state.now.timestamp_millis().to_string();
        let file = files::put(
            state,
            "/old",
            &format!("photo-{number}.png"),
            Bytes::from_static(b"old photo"),
        );
        let email = json!({
            "hs_timestamp": at, "hs_email_direction": "INCOMING_EMAIL", "hs_email_status": "SENT",
            "hs_email_subject": "Where is my parcel?", "hs_email_text": "Where is my parcel?",
            "hs_attachment_ids": file.map(|id| id.to_string()),
        });
        noted(make(state, TypeId::EMAIL, &email, &ends));
        let note = json!({"hs_timestamp": at, "hs_note_body": "<p>Called the carrier.</p>"});
        noted(make(state, TypeId::NOTE, &note, &ends));
    }
}
