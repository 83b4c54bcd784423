//! Mails and rules that fire unless they are prevented (Zoho Desk facts §14).

use serde_json::json;

use super::model::{Comment, Id, Module, Record};
use super::state::State;
use super::switches::StatusType;
use super::tags;
use crate::common::{AutomationRun, OutboxItem};

/// What became of a ticket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Happened {
    /// It is new.
    pub made: bool,
    /// Somebody else works on it now.
    pub assigned: bool,
    /// It was closed.
    pub closed: bool,
}

/// Something that would have left the portal.
pub(super) fn out(state: &State, kind: &str, to: &str, about: &str, reason: &str) {
    state.outbox.push(OutboxItem {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        to: to.to_owned(),
        about: about.to_owned(),
        reason: reason.to_owned(),
    });
}

fn log(state: &State, kind: &str, name: &str, ticket: Id, effect: &str) {
    state.automation_log.push(AutomationRun {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        about: format!("ticket {ticket}"),
        effect: effect.to_owned(),
    });
}

/// The address of a ticket's contact.
pub(super) fn contact_address(state: &State, ticket: &Record) -> String {
    let contact = ticket.link("contactId");
    let contact = contact.and_then(|id| state.records.get(&id));
    let email = contact.and_then(|contact| contact.text("email"));
    email
        .or_else(|| ticket.text("email"))
        .unwrap_or_default()
        .to_owned()
}

/// Rules and mails about a ticket that a request, or an import with automation, made or changed.
pub(super) fn ticket(state: &mut State, id: Id, happened: Happened) {
    let on = state.config.preexisting.services;
    let Some(ticket) = state.records.get(&id).cloned() else {
        return;
    };
    let about = format!("ticket {id}");
    let to = contact_address(state, &ticket);
    if happened.made && on.acknowledgements {
        out(state, "acknowledgement", &to, &about, "A ticket was made.");
    }
    let assignee = ticket.link("assigneeId");
    if on.agent_notices && (happened.made || happened.assigned) {
        let agent = assignee.and_then(|id| state.agents.get(&id));
        let agent = agent.map_or("agents", |agent| agent.email.as_str());
        out(
            state,
            "agent-notice",
            agent,
            &about,
            "A ticket was made or assigned.",
        );
    }
    if happened.closed && on.closing_mails {
        out(state, "closed", &to, &about, "A ticket was closed.");
    }
    if happened.closed && on.happiness {
        out(state, "happiness", &to, &about, "A closed ticket is rated.");
    }
    if on.webhooks {
        out(
            state,
            "webhook",
            "https://hooks.acme.example/desk",
            &about,
            "A ticket was made or changed.",
        );
    }
    if on.workflows {
        log(state, "workflow", "Tell the warehouse", id, "");
    }
    let status = ticket
        .text("status")
        .and_then(|name| state.status_type(name));
    if on.sla && happened.made && status == Some(StatusType::Open) {
        log(state, "sla", "Default SLA", id, "the clock runs");
    }
    if on.assignment && happened.made && assignee.is_none() {
        let department = ticket.link("departmentId").unwrap_or_default();
        let mut agents = state.agents.values();
        let agent =
            agents.find(|a| a.active && a.role != "Admin" && a.departments.contains(&department));
        if let Some(agent) = agent.map(|agent| agent.id) {
            state.edit_record(id, |record| {
                record
                    .values
                    .insert("assigneeId".to_owned(), json!(agent.to_string()));
            });
            log(
                state,
                "assignment",
                "Round robin",
                id,
                &format!("assigned to {agent}"),
            );
        }
    }
    if on.auto_tags && happened.made {
        let department = ticket.link("departmentId").unwrap_or_default();
        let tag = tags::named(state, department, "auto-tagged");
        state.edit_record(id, |record| record.tags.insert(tag));
        log(state, "auto-tag", "Auto tag", id, "auto-tagged");
    }
}

/// A comment was made or changed by a request, or by an import with automation.
pub(super) fn comment(state: &State, comment: &Comment) {
    let Some(ticket) = state.records.get(&comment.parent_id) else {
        return;
    };
    if comment.public
        && ticket.module == Module::Tickets
        && state.config.preexisting.services.comment_mails
    {
        let to = contact_address(state, ticket);
        out(
            state,
            "comment",
            &to,
            &format!("ticket {}", ticket.id),
            "A public comment was written.",
        );
    }
}

/// §7.6: `zsu[@user:{zuid}]zsu` and `zsu[@team:{id}_{name}]zsu` reach people.
pub(super) fn mentions(state: &State, comment: &Comment) {
    for mention in comment.content.split("zsu[@").skip(1) {
        let Some((what, _)) = mention.split_once("]zsu") else {
            continue;
        };
        let to = match what.split_once(':') {
            Some(("user", zuid)) => {
                let mut agents = state.agents.values();
                agents
                    .find(|agent| agent.zuid == zuid)
                    .map(|agent| agent.email.clone())
            }
            Some(("team", text)) => {
                let id = text.split('_').next().and_then(|id| id.parse().ok());
                let team = id.and_then(|id: Id| state.teams.get(&id));
                team.map(|team| team.name.clone())
            }
            _ => None,
        };
        if let Some(to) = to {
            let about = format!("record {}", comment.parent_id);
            out(
                state,
                "mention",
                &to,
                &about,
                "Somebody was mentioned in a comment.",
            );
        }
    }
}

/// A contact or account was made or changed.
pub(super) fn person(state: &State, id: Id) {
    if state.config.preexisting.services.crm_sync {
        out(
            state,
            "crm",
            "Zoho CRM",
            &format!("record {id}"),
            "A contact or account was made or changed.",
        );
    }
}
