//! What the account does on its own: mails, automation rules, SLA clocks (Freshdesk facts §13).
//!
//! Nothing here can be prevented through the public API, except the mail on closing by a bulk update; an admin switches
//! mails and rules off.

use chrono::{DateTime, Duration, DurationRound, TimeDelta, Utc};

use super::model::{Conversation, Id, RuleAction, Ticket, Trigger};
use super::state::{Event, State};
use super::tickets::{CLOSED, OPEN, PENDING, RESOLVED};
use crate::common::{AutomationRun, OutboxItem};

/// How long a ticket is pending before the hourly rule reminds of it.
const REMIND_AFTER: Duration = Duration::hours(48);

fn send(state: &State, kind: &str, to: &str, about: &str, reason: &str) {
    if to.is_empty() {
        return;
    }
    state.outbox.push(OutboxItem {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        to: to.to_owned(),
        about: about.to_owned(),
        reason: reason.to_owned(),
    });
}

/// A mail that goes out whatever is switched off.
pub(super) fn mail(state: &State, to: &str, about: &str, reason: &str) {
    send(state, "email", to, about, reason);
}

fn log(state: &State, kind: &str, name: &str, about: &str, effect: &str) {
    state.automation_log.push(AutomationRun {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        about: about.to_owned(),
        effect: effect.to_owned(),
    });
}

fn about(ticket: Id) -> String {
    format!("ticket {ticket}")
}

fn email_of(state: &State, person: Id) -> String {
    let person = state.people.get(&person);
    person
        .and_then(|person| person.email.clone())
        .unwrap_or_default()
}

/// §6 [MEM]: the activation mail of a new contact.
pub(super) fn contact_made(state: &State, id: Id) {
    if state.config.notifications.user_activation {
        mail(
            state,
            &email_of(state, id),
            &format!("contact {id}"),
            "user activation",
        );
    }
}

/// A new ticket. A quiet one is imported: no mails, no rules (§0 [INF]).
pub(super) fn ticket_made(state: &mut State, id: Id, quiet: bool) {
    if quiet {
        return;
    }
    let Some(ticket) = state.tickets.get(&id).cloned() else {
        return;
    };
    if state.config.notifications.new_ticket {
        mail(
            state,
            &email_of(state, ticket.requester_id),
            &about(id),
            "new ticket created",
        );
        for copy in &ticket.cc_emails {
            mail(state, copy, &about(id), "new ticket created, in copy");
        }
    }
    assign(state, id);
    if let Some(ticket) = state.tickets.get(&id).cloned() {
        assigned(state, None, &ticket);
        if matches!(ticket.status, RESOLVED | CLOSED) {
            closed(state, &ticket, false);
        }
    }
    run(state, id, Trigger::Creation);
    watch(state, id);
}

/// §13: groups hand out tickets in turn.
fn assign(state: &mut State, id: Id) {
    let Some(ticket) = state.tickets.get(&id) else {
        return;
    };
    let group = ticket.group_id.and_then(|id| state.groups.get(&id));
    let Some(group) = group.filter(|group| group.auto_ticket_assign > 0) else {
        return;
    };
    if ticket.responder_id.is_some() || group.agent_ids.is_empty() {
        return;
    }
    let turn = state.turns.get(&group.id).copied().unwrap_or(0);
    let agent = group.agent_ids.get(turn % group.agent_ids.len()).copied();
    let (group, name) = (group.id, group.name.clone());
    state.turns.insert(group, turn + 1);
    state.edit_ticket(id, |ticket| ticket.responder_id = agent);
    let effect = format!("responder_id={}", agent.unwrap_or(0));
    log(state, "assignment", &name, &about(id), &effect);
}

/// Mails to agents about what is theirs now.
fn assigned(state: &State, before: Option<&Ticket>, ticket: &Ticket) {
    if !state.config.notifications.to_agents {
        return;
    }
    let was = before.map(|before| (before.responder_id, before.group_id));
    let (agent, group) = was.unwrap_or((None, None));
    if ticket.responder_id != agent
        && let Some(agent) = ticket.responder_id
    {
        let reason = "ticket assigned to agent";
        mail(state, &email_of(state, agent), &about(ticket.id), reason);
    }
    let members = ticket.group_id.filter(|_| ticket.group_id != group);
    let members = members.and_then(|id| state.groups.get(&id));
    for agent in members.into_iter().flat_map(|group| &group.agent_ids) {
        let reason = "ticket assigned to group";
        mail(state, &email_of(state, *agent), &about(ticket.id), reason);
    }
}

fn closed(state: &State, ticket: &Ticket, skip: bool) {
    let to = email_of(state, ticket.requester_id);
    if state.config.notifications.ticket_closed && !skip {
        let reason = if ticket.status == CLOSED {
            "agent closes the ticket"
        } else {
            "agent solves the ticket"
        };
        mail(state, &to, &about(ticket.id), reason);
    }
    if state.config.notifications.survey_on_close {
        mail(state, &to, &about(ticket.id), "satisfaction survey");
    }
}

/// A changed ticket.
pub(super) fn ticket_changed(state: &mut State, before: &Ticket, skip_close: bool, quiet: bool) {
    if quiet {
        return;
    }
    let Some(ticket) = state.tickets.get(&before.id).cloned() else {
        return;
    };
    if ticket.group_id != before.group_id {
        assign(state, ticket.id);
    }
    let Some(ticket) = state.tickets.get(&before.id).cloned() else {
        return;
    };
    assigned(state, Some(before), &ticket);
    let done = |status: i64| matches!(status, RESOLVED | CLOSED);
    if done(ticket.status) && ticket.status != before.status {
        closed(state, &ticket, skip_close);
    }
    run(state, ticket.id, Trigger::Update);
    if ticket.status != before.status {
        watch(state, ticket.id);
    }
}

/// §14 [INF]: deleting fires update rules but mails no customer.
pub(super) fn ticket_deleted(state: &mut State, id: Id) {
    run(state, id, Trigger::Update);
}

/// A new note.
pub(super) fn noted(state: &mut State, said: &Conversation, notify: &[String], quiet: bool) {
    let ticket = said.ticket_id;
    if quiet {
        return;
    }
    // §12: these are mailed whatever is switched off.
    for to in notify {
        mail(state, to, &about(ticket), "note, to those notified");
    }
    let by_agent = state.agents.contains(&said.user_id);
    let Some(found) = state.tickets.get(&ticket).cloned() else {
        return;
    };
    if !said.private && !said.incoming && by_agent && state.config.notifications.note_added {
        let to = email_of(state, found.requester_id);
        mail(state, &to, &about(ticket), "agent adds a public note");
    }
    if said.incoming && state.config.notifications.to_agents {
        let to = found.responder_id.map(|id| email_of(state, id));
        let to = to.unwrap_or_default();
        mail(state, &to, &about(ticket), "requester replies");
    }
    run(state, ticket, Trigger::Update);
}

/// §12: a reply is always delivered.
pub(super) fn replied(state: &mut State, said: &Conversation, quiet: bool) {
    if quiet {
        return;
    }
    let ticket = said.ticket_id;
    for to in said
        .to_emails
        .iter()
        .chain(&said.cc_emails)
        .chain(&said.bcc_emails)
    {
        mail(state, to, &about(ticket), "reply");
    }
    run(state, ticket, Trigger::Update);
}

/// Runs the rules of a kind on a ticket.
fn run(state: &mut State, id: Id, trigger: Trigger) {
    let rules: Vec<_> = state
        .rules
        .iter()
        .filter(|rule| rule.active && rule.trigger == trigger)
        .cloned()
        .collect();
    for rule in rules {
        let Some(ticket) = state.tickets.get(&id).cloned() else {
            return;
        };
        let kind = match trigger {
            Trigger::Creation => "ticket creation",
            Trigger::Update => "ticket update",
            Trigger::Hourly => "hourly trigger",
        };
        let effect = match &rule.action {
            RuleAction::Tag(tag) => {
                if !ticket.tags.contains(tag) {
                    let tag = tag.clone();
                    state.edit_ticket(id, |ticket| ticket.tags.push(tag));
                }
                format!("tag {tag}")
            }
            RuleAction::MailRequester => {
                let to = email_of(state, ticket.requester_id);
                mail(state, &to, &about(id), &rule.name);
                "mail to requester".to_owned()
            }
            RuleAction::MailAgent => {
                let agent = ticket.responder_id.unwrap_or(state.owner_id);
                mail(state, &email_of(state, agent), &about(id), &rule.name);
                "mail to agent".to_owned()
            }
            RuleAction::Webhook(url) => {
                send(state, "webhook", url, &about(id), &rule.name);
                format!("called {url}")
            }
        };
        log(state, kind, &rule.name, &about(id), &effect);
    }
}

fn next_hour(time: DateTime<Utc>) -> DateTime<Utc> {
    let hour = time.duration_trunc(TimeDelta::hours(1)).unwrap_or(time);
    hour + Duration::hours(1)
}

/// Sets the clocks of a live ticket.
fn watch(state: &mut State, id: Id) {
    let Some(ticket) = state.tickets.get(&id).cloned() else {
        return;
    };
    if ticket.status == PENDING {
        let at = next_hour(state.now + REMIND_AFTER);
        state.schedule(at, Event::Hourly(id));
    }
    if ticket.status != OPEN {
        return;
    }
    state.schedule(ticket.fr_due_by, Event::FirstResponse(id));
    state.schedule(ticket.due_by, Event::Resolution(id));
    // §7: groups complain of unassigned tickets.
    let group = ticket.group_id.and_then(|id| state.groups.get(&id));
    let wait = group.and_then(|group| match group.unassigned_for.as_deref()? {
        "30m" => Some(Duration::minutes(30)),
        "1h" => Some(Duration::hours(1)),
        "2h" => Some(Duration::hours(2)),
        "4h" => Some(Duration::hours(4)),
        "8h" => Some(Duration::hours(8)),
        "12h" => Some(Duration::hours(12)),
        "1d" => Some(Duration::days(1)),
        "2d" => Some(Duration::days(2)),
        _ => Some(Duration::days(3)),
    });
    if let (Some(wait), Some(group)) = (wait, ticket.group_id) {
        state.schedule(state.now + wait, Event::Unassigned(id, group));
    }
}

/// A ticket that is neither in the trash nor done.
fn waiting(state: &State, id: Id) -> Option<Ticket> {
    let ticket = state.tickets.get(&id)?;
    let done = ticket.deleted_at.is_some() || matches!(ticket.status, RESOLVED | CLOSED);
    (!done).then(|| ticket.clone())
}

/// The hourly rules look at a ticket that has been pending for long.
pub(super) fn hourly(state: &mut State, id: Id) {
    let Some(ticket) = waiting(state, id) else {
        return;
    };
    let long = state.now - ticket.status_since >= REMIND_AFTER;
    let recent = state.now - ticket.touched_at <= Duration::days(30);
    if ticket.status == PENDING
        && long
        && recent
        && state.dealt_with.insert(("hourly".to_owned(), id))
    {
        run(state, id, Trigger::Hourly);
    }
}

/// The first response is overdue.
pub(super) fn first_response_due(state: &mut State, id: Id) {
    let Some(ticket) = waiting(state, id) else {
        return;
    };
    if ticket.first_responded_at.is_some() || ticket.fr_escalated || ticket.fr_due_by > state.now {
        return;
    }
    state.edit_ticket(id, |ticket| ticket.fr_escalated = true);
    escalate(state, &ticket, "first response overdue");
}

/// The resolution is overdue.
pub(super) fn resolution_due(state: &mut State, id: Id) {
    let Some(ticket) = waiting(state, id) else {
        return;
    };
    if ticket.is_escalated || ticket.due_by > state.now {
        return;
    }
    state.edit_ticket(id, |ticket| ticket.is_escalated = true);
    escalate(state, &ticket, "resolution overdue");
}

fn escalate(state: &State, ticket: &Ticket, reason: &str) {
    log(state, "sla", reason, &about(ticket.id), "escalated");
    if state.config.notifications.escalations {
        let agent = ticket.responder_id.unwrap_or(state.owner_id);
        mail(state, &email_of(state, agent), &about(ticket.id), reason);
    }
}

/// §7: a group's ticket is still nobody's.
pub(super) fn unassigned(state: &mut State, id: Id, group: Id) {
    let Some(ticket) = waiting(state, id) else {
        return;
    };
    if ticket.group_id != Some(group) || ticket.responder_id.is_some() {
        return;
    }
    let to = state.groups.get(&group).and_then(|group| group.escalate_to);
    if let Some(to) = to
        && state.config.notifications.escalations
    {
        mail(
            state,
            &email_of(state, to),
            &about(id),
            "ticket unassigned in group",
        );
    }
}
