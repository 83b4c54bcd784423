//! What the account does on its own: companies by domain, workflows, stage mails, SLA, notices to owners (HubSpot facts §19).
//! Nothing here can be prevented by a header; a pipeline without automation and tickets without owners can.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Category, Id, TypeId, Values};
use super::objects;
use super::state::{Event, State};

/// Domains of mailboxes for everybody; no company is made of them [INF].
const FREE_MAIL: [&str; 8] = [
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "hotmail.com",
    "outlook.com",
    "icloud.com",
    "aol.com",
    "gmx.de",
];

/// Whether the stage that a ticket is in ends it.
pub(super) fn is_closed(state: &State, values: &Values) -> bool {
    let text = |name: &str| values.get(name).map_or("", String::as_str);
    let pipelines = state.pipelines.get(&TypeId::TICKET);
    let pipeline = pipelines.and_then(|all| all.get(text("hs_pipeline")));
    let stages = pipeline.into_iter().flat_map(|pipeline| &pipeline.stages);
    stages
        .filter(|stage| stage.id == text("hs_pipeline_stage"))
        .any(|stage| stage.closed)
}

fn is_automated(state: &State, ticket: Id) -> bool {
    let record = state.record(TypeId::TICKET, ticket);
    let pipeline = record.map_or("", |record| record.text("hs_pipeline"));
    let pipelines = state.pipelines.get(&TypeId::TICKET);
    pipelines
        .and_then(|all| all.get(pipeline))
        .is_some_and(|pipeline| pipeline.automated)
}

fn about(state: &State, object: TypeId, id: Id) -> String {
    let singular = state
        .type_of(object)
        .map_or("record", |of| of.singular.as_str());
    format!("{singular} {id}")
}

/// After a record was made.
pub(super) fn created(state: &mut State, object: TypeId, id: Id) {
    match object {
        TypeId::CONTACT => {
            if state.config.preexisting.automation {
                let about = about(state, object, id);
                state.ran("workflow", "New contact: nurture", about, "");
            }
            expect_company(state, id);
        }
        TypeId::TICKET => {
            if is_automated(state, id) {
                let name = about(state, object, id);
                state.ran(
                    "workflow",
                    "New ticket: confirm to the customer",
                    name.clone(),
                    "mails the contact",
                );
                mail_contacts(state, id, "We have received your request");
                let closed = state
                    .record(object, id)
                    .is_some_and(|r| is_closed(state, &r.values));
                if !closed {
                    state.ran("sla", "Time to first response", name, "starts a clock");
                }
            }
            notify_owner(state, object, id);
        }
        TypeId::EMAIL => incoming(state, id),
        _ => {}
    }
}

/// After a record was changed.
pub(super) fn changed(state: &mut State, object: TypeId, id: Id, before: &Values) {
    let Some(after) = state.record(object, id).map(|record| record.values.clone()) else {
        return;
    };
    let moved = |name: &str| before.get(name) != after.get(name);
    match object {
        TypeId::CONTACT if moved("email") => expect_company(state, id),
        TypeId::TICKET => {
            if moved("hs_pipeline_stage") && is_automated(state, id) {
                let name = about(state, object, id);
                state.ran(
                    "pipeline",
                    "Stage changed: tell the customer",
                    name,
                    "mails the contact",
                );
                mail_contacts(state, id, "Your request has moved on");
            }
            if moved("hubspot_owner_id") {
                notify_owner(state, object, id);
            }
        }
        _ => {}
    }
}

fn mail_contacts(state: &mut State, ticket: Id, reason: &str) {
    let contacts: Vec<Id> = state
        .linked((TypeId::TICKET, ticket), TypeId::CONTACT)
        .map(|(id, _)| id)
        .collect();
    for contact in contacts {
        let address = state
            .record(TypeId::CONTACT, contact)
            .map(|r| r.text("email").to_owned());
        if let Some(address) = address.filter(|address| !address.is_empty()) {
            let about = about(state, TypeId::TICKET, ticket);
            state.mail("email", &address, about, reason);
        }
    }
}

/// §19: each assigned ticket can notify its owner, in any pipeline.
fn notify_owner(state: &mut State, object: TypeId, id: Id) {
    if !state.config.preexisting.automation {
        return;
    }
    let owner = state
        .record(object, id)
        .and_then(|r| r.text("hubspot_owner_id").parse::<Id>().ok());
    let email = owner
        .and_then(|id| state.owners.get(&id))
        .map(|owner| owner.email.clone());
    if let Some(email) = email {
        let about = about(state, object, id);
        state.mail("email", &email, about, "A ticket has been assigned to you");
    }
}

/// A logged e-mail of a customer (§23).
fn incoming(state: &mut State, email: Id) {
    let is_incoming = state
        .record(TypeId::EMAIL, email)
        .is_some_and(|record| record.text("hs_email_direction") == "INCOMING_EMAIL");
    if !is_incoming {
        return;
    }
    let tickets: Vec<Id> = state
        .linked((TypeId::EMAIL, email), TypeId::TICKET)
        .map(|(id, _)| id)
        .collect();
    for ticket in tickets {
        let moves = state.config.switches.incoming_email_moves_ticket;
        if !moves && !is_automated(state, ticket) {
            continue;
        }
        let name = about(state, TypeId::TICKET, ticket);
        let effect = if moves { "moves the ticket" } else { "" };
        state.ran("pipeline", "Customer replied", name, effect);
        if !moves {
            continue;
        }
        let pipeline = state
            .record(TypeId::TICKET, ticket)
            .map(|r| r.text("hs_pipeline").to_owned());
        let stages = state
            .pipelines
            .get(&TypeId::TICKET)
            .and_then(|all| all.get(&pipeline?))
            .map(|p| p.stages.clone());
        let open: Vec<String> = stages
            .unwrap_or_default()
            .into_iter()
            .filter(|s| !s.closed)
            .map(|s| s.id)
            .collect();
        if let Some(stage) = open.get(1).or_else(|| open.first()) {
            let mut properties = serde_json::Map::new();
            properties.insert("hs_pipeline_stage".to_owned(), serde_json::json!(stage));
            if let Ok(prepared) =
                objects::prepare(state, TypeId::TICKET, Some(ticket), &properties, false)
            {
                objects::commit(state, TypeId::TICKET, prepared, "AUTOMATION_PLATFORM");
            }
        }
    }
}

/// §19: the setting "create and associate companies with contacts" works some time after the contact is there.
fn expect_company(state: &mut State, contact: Id) {
    let domain = state
        .record(TypeId::CONTACT, contact)
        .map(|r| r.text("hs_email_domain").to_owned());
    let domain = domain.unwrap_or_default();
    if state.config.auto_companies && !domain.is_empty() && !FREE_MAIL.contains(&domain.as_str()) {
        state.schedule(
            state.config.switches.auto_company_delay,
            Event::Company(contact),
        );
    }
}

/// Makes or finds the company of a contact's domain and links it, unless the contact has a company.
pub(super) fn company_by_domain(state: &mut State, contact: Id) {
    let domain = state
        .record(TypeId::CONTACT, contact)
        .map(|r| r.text("hs_email_domain").to_owned());
    let Some(domain) = domain.filter(|domain| !domain.is_empty()) else {
        return;
    };
    if state
        .linked((TypeId::CONTACT, contact), TypeId::COMPANY)
        .next()
        .is_some()
    {
        return;
    }
    let known = state
        .domains
        .get(&domain)
        .and_then(|ids| ids.first())
        .copied();
    let company = known.unwrap_or_else(|| {
        let id = state.next_record(TypeId::COMPANY);
        let name = domain.split('.').next().unwrap_or_default().to_owned();
        let values = BTreeMap::from([
            ("name".to_owned(), name),
            ("domain".to_owned(), domain.clone()),
        ]);
        // §18: its source is not the client's app.
        state.insert(TypeId::COMPANY, id, values, BTreeSet::new(), "CRM_SETTING");
        id
    });
    let primary = BTreeSet::from([(Category::HubspotDefined, 1)]);
    state.add_links(
        (TypeId::CONTACT, contact),
        (TypeId::COMPANY, company),
        &primary,
    );
    let effect = if known.is_some() {
        "links"
    } else {
        "creates and links"
    };
    let about = about(state, TypeId::CONTACT, contact);
    state.ran(
        "setting",
        "Create and associate companies with contacts",
        about,
        &format!("{effect} the company {domain}"),
    );
}
