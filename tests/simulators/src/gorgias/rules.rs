//! Rules, and whatever else of the account acts on tickets by itself (Gorgias facts §12).
//!
//! Nothing distinguishes an import from a customer's mail: rules run on tickets made, messages made and tickets changed. What
//! they would send goes to the outbox, each run to the automation log. A ticket that is made with many messages counts as one
//! message made. What a rule changes runs no rule again.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::call::{Call, PAGED, key, page, paging};
use super::messages;
use super::model::{Condition, Effect, Id, Message, Rule, Status, Ticket};
use super::read::Reader;
use super::state::{Due, State};
use super::surveys;
use crate::common::{AutomationRun, OutboxItem};

/// What rules run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happened {
    /// A ticket was made, with its messages.
    Created,
    /// A message was added.
    MessageCreated,
    /// A ticket was changed.
    Updated,
}

impl Happened {
    fn events(self) -> &'static [&'static str] {
        match self {
            Self::Created => &["ticket-created", "ticket-message-created"],
            Self::MessageCreated => &["ticket-message-created"],
            Self::Updated => &["ticket-updated"],
        }
    }
}

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (path, method.as_str()) {
        (["rules"], "GET") => list(call),
        (["rules", id], "GET") => call.id(id).and_then(|id| {
            call.only(&[])?;
            let rule = call.state.rules.get(&id).ok_or(Failure::NotFound)?;
            Answer::ok(render(call, rule))
        }),
        (["rules", id], "PUT") => call.id(id).and_then(|id| put(call, id)),
        (["rules"] | ["rules", _], _) => Err(Failure::Method),
        _ => return None,
    })
}

fn list(call: &Call<'_>) -> Outcome {
    call.only(&[&PAGED])?;
    let paging = paging(call, &["created_datetime"])?;
    let all = call.state.rules.values();
    let places = all.map(|rule| key(rule.created_at, rule.id)).collect();
    page(call, &paging, &places, |id| {
        Some(render(call, call.state.rules.get(&id)?))
    })
}

fn render(call: &Call<'_>, rule: &Rule) -> Value {
    let events: Vec<&str> = rule.event_types.iter().map(String::as_str).collect();
    json!({
        "id": rule.id,
        "name": rule.name,
        "description": rule.description,
        "code": rule.code,
        "code_ast": null,
        "event_types": events.join(","),
        "priority": rule.priority,
        "type": "user",
        "created_datetime": call.time(rule.created_at),
        "updated_datetime": call.time(rule.updated_at),
        "deactivated_datetime": call.time_or_null(rule.deactivated_at),
        "uri": format!("/api/rules/{}", rule.id),
    })
}

/// `PUT /rules/{id}`, which is partial ([L]).
fn put(call: &mut Call<'_>, id: Id) -> Outcome {
    call.only(&[])?;
    let found = call.state.rules.get(&id).cloned();
    let mut rule = found.ok_or(Failure::NotFound)?;
    let keys = [
        "name",
        "code",
        "code_ast",
        "description",
        "event_types",
        "priority",
        "deactivated_datetime",
    ];
    let mut reader = Reader::new(&call.request.json, &keys);
    for (key, part) in [("name", &mut rule.name), ("code", &mut rule.code)] {
        if let Some(text) = reader.long_text(key) {
            *part = text;
        }
    }
    if reader.given("description") {
        rule.description = reader.long_text("description");
    }
    if let Some(events) = reader.long_text("event_types") {
        rule.event_types = events.split(',').map(|e| e.trim().to_owned()).collect();
    }
    if let Some(priority) = reader.integer("priority") {
        rule.priority = priority;
    }
    if reader.given("deactivated_datetime") {
        rule.deactivated_at = reader.time("deactivated_datetime", true);
    }
    reader.finish("Failed to update rule")?;
    rule.updated_at = call.state.now;
    let answer = render(call, &rule);
    call.state.rules.insert(id, rule);
    Answer::accepted(answer)
}

/// Makes the usual rules: three that are on, one that is off.
pub(super) fn usual(state: &mut State, tag: Id) {
    let rules: [(&str, &[&str], Condition, Effect, bool); 5] = [
        (
            "Auto-reply to new tickets",
            &["ticket-created"],
            Condition::LastIsCustomers,
            Effect::AutoReply("We have your message and will answer soon.".to_owned()),
            true,
        ),
        (
            "Open closed tickets when the customer writes",
            &["ticket-message-created"],
            Condition::LastIsCustomers,
            Effect::Open,
            true,
        ),
        (
            "Tag new tickets",
            &["ticket-created"],
            Condition::Any,
            Effect::AddTag(tag),
            true,
        ),
        (
            "Tell the agents about closed tickets",
            &["ticket-updated"],
            Condition::Closed,
            Effect::TellAgents,
            true,
        ),
        (
            "Tell the agents about every message",
            &["ticket-message-created"],
            Condition::Any,
            Effect::TellAgents,
            false,
        ),
    ];
    for (at, (name, events, condition, effect, active)) in (0..).zip(rules) {
        let rule = Rule {
            id: state.next_id(),
            name: name.to_owned(),
            description: None,
            code: format!("if (true) {{ /* {name} */ }}"),
            event_types: events.iter().map(|event| (*event).to_owned()).collect(),
            priority: 10 - at,
            condition,
            effects: vec![effect],
            created_at: state.now,
            updated_at: state.now,
            deactivated_at: (!active).then_some(state.now),
        };
        state.rules.insert(rule.id, rule);
    }
}

// ---- the engine

/// Something happened to a ticket: rules will look at it.
pub(super) fn happened(state: &mut State, ticket: Id, happened: Happened) {
    let at = state.now + state.config.switches.rule_delay;
    state.schedule(at, Due::Rules(ticket, happened));
}

/// Rules and services look at a ticket.
pub(super) fn run(state: &mut State, id: Id, happened: Happened) {
    let mut rules: Vec<Rule> = state
        .rules
        .values()
        .filter(|rule| rule.deactivated_at.is_none())
        .filter(|rule| {
            let mut events = happened.events().iter();
            events.any(|event| rule.event_types.contains(*event))
        })
        .cloned()
        .collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
    for rule in rules {
        let Some(ticket) = state.tickets.get(&id) else {
            return;
        };
        let last = state.thread(id).next_back();
        let holds = match rule.condition {
            Condition::Any => true,
            Condition::LastIsCustomers => last.is_some_and(|message| !message.from_agent),
            Condition::Closed => ticket.status == Status::Closed,
        };
        if holds {
            let effects: BTreeSet<String> = rule
                .effects
                .iter()
                .filter_map(|effect| act(state, id, &rule, effect))
                .collect();
            let effect = effects.into_iter().collect::<Vec<_>>().join(", ");
            log(state, "rule", &rule.name, id, &effect);
        }
    }
    services(state, id, happened);
}

/// Writes down what ran on a ticket.
pub(super) fn log(state: &State, kind: &str, name: &str, ticket: Id, effect: &str) {
    state.automation_log.push(AutomationRun {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        about: format!("ticket {ticket}"),
        effect: effect.to_owned(),
    });
}

fn out(state: &State, kind: &str, to: &str, ticket: Id, reason: String) {
    state.outbox.push(OutboxItem {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        to: to.to_owned(),
        about: format!("ticket {ticket}"),
        reason,
    });
}

fn customer_address(state: &State, ticket: Id) -> String {
    let ticket = state.tickets.get(&ticket);
    let customer = ticket.and_then(|ticket| state.customers.get(&ticket.customer_id?));
    let email = customer.and_then(|customer| customer.email.clone());
    email.unwrap_or_default()
}

/// Does what a rule says; what it changed, if anything.
fn act(state: &mut State, id: Id, rule: &Rule, effect: &Effect) -> Option<String> {
    match effect {
        Effect::AutoReply(text) => {
            // [D]: auto-replies do not answer messages of the channel `api`.
            if state.thread(id).next_back()?.channel == "api" {
                return None;
            }
            let to = customer_address(state, id);
            let reason = format!("The rule \"{}\" answers: {text}", rule.name);
            out(state, "auto-reply", &to, id, reason);
            Some(format!("mail to {to}"))
        }
        Effect::Open => {
            let closed = state.tickets.get(&id)?.status == Status::Closed;
            closed.then(|| {
                state.change_ticket(id, |ticket| {
                    ticket.status = Status::Open;
                    ticket.closed_at = None;
                    ticket.given.closed = false;
                });
                "status open".to_owned()
            })
        }
        Effect::AddTag(tag) => {
            let has = state.tickets.get(&id)?.tags.contains(tag);
            let name = state.tags.get(tag)?.name.clone();
            (!has).then(|| {
                state.change_ticket(id, |ticket| ticket.tags.push(*tag));
                format!("tag {name}")
            })
        }
        Effect::TellAgents => {
            let reason = format!("The rule \"{}\" tells the agents.", rule.name);
            out(state, "notice", "agents", id, reason);
            Some("notice to agents".to_owned())
        }
    }
}

/// The services that are on look at a ticket.
fn services(state: &mut State, id: Id, happened: Happened) {
    let on = state.config.preexisting.services;
    let Some(ticket) = state.tickets.get(&id).cloned() else {
        return;
    };
    if on.http_integration {
        let hooks = state.integrations.values();
        let hooks = hooks.filter(|one| one.kind == "http" && one.deactivated_at.is_none());
        for hook in hooks {
            let events = happened.events().join(", ");
            out(state, "webhook", &hook.name, id, events);
        }
    }
    if on.notices && happened == Happened::Created {
        out(
            state,
            "notice",
            "slack, mobile",
            id,
            "A new ticket.".to_owned(),
        );
    }
    if on.sla && ticket.status == Status::Open && happened == Happened::Created {
        log(state, "sla", "First response time", id, "counts");
    }
    if on.auto_assignment {
        assign(state, &ticket);
    }
    if on.ai_agent && ticket.status == Status::Open && happened != Happened::Updated {
        answer(state, &ticket);
    }
    if on.surveys && ticket.status == Status::Closed && ticket.survey.is_none() {
        surveys::think(state, id);
    }
}

/// An open ticket of a team that nobody works on gets one of its members.
fn assign(state: &mut State, ticket: &Ticket) {
    let free = ticket.status == Status::Open && ticket.assignee_user_id.is_none();
    let team = ticket.assignee_team_id.and_then(|id| state.teams.get(&id));
    let member = team.and_then(|team| team.members.first().copied());
    if let Some(member) = member.filter(|_| free) {
        state.change_ticket(ticket.id, |ticket| ticket.assignee_user_id = Some(member));
        let effect = format!("assigned to {member}");
        log(state, "auto-assignment", "Teams", ticket.id, &effect);
    }
}

/// The AI agent answers a customer's message.
fn answer(state: &mut State, ticket: &Ticket) {
    let bot = state.users.values().find(|user| user.role == "bot");
    let bot = bot.map(|user| user.id);
    let last = state.thread(ticket.id).next_back();
    let Some(last) = last
        .filter(|m| !m.from_agent && m.channel != "api")
        .cloned()
    else {
        return;
    };
    let message = Message {
        id: state.next_id(),
        ticket_id: ticket.id,
        channel: last.channel,
        via: "rule".to_owned(),
        from_agent: true,
        sender_id: bot,
        receiver_id: ticket.customer_id,
        body_text: Some("How can I help?".to_owned()),
        sent_at: Some(state.now),
        ..messages::blank(state)
    };
    let id = message.id;
    state.put_message(message);
    state.change_ticket(ticket.id, |ticket| ticket.messages.push(id));
    messages::recount(state, ticket.id);
    let to = customer_address(state, ticket.id);
    out(
        state,
        "auto-reply",
        &to,
        ticket.id,
        "The AI agent answers.".to_owned(),
    );
    log(state, "ai-agent", "AI Agent", ticket.id, "a message");
}
