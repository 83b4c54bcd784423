//! Triggers, automations and the mails they send (Zendesk facts §12, §14).
//!
//! Triggers run on ordinary creations and updates, never on imports. Automations look at tickets every full hour,
//! imported ones too. A mail never leaves: it becomes an entry of the outbox and of `GET /email_notifications`. The
//! engine knows the conditions and actions of the usual rules; a condition it does not know never holds.

use chrono::{DateTime, Duration, DurationRound, Utc};
use serde_json::{Value, json};

use super::answer::{Answer, Failure, Outcome};
use super::attributes::iso;
use super::call::{Call, page_list};
use super::fields;
use super::model::{Condition, Id, Mail, Rule, RuleAction, Status, Ticket};
use super::state::{Event, State};
use super::switches::StatusAge;
use crate::common::{AutomationRun, OutboxItem};

/// Days after which a solved ticket is closed whatever the automations say (§12).
const SYSTEM_CLOSE_DAYS: i64 = 28;

/// The routes of this topic.
pub(super) fn route(call: &mut Call<'_>, path: &[&str]) -> Option<Outcome> {
    let method = call.request.method.clone();
    Some(match (method.as_str(), path) {
        ("GET", ["triggers"]) => list(call, "triggers", None),
        ("GET", ["triggers", "active"]) => list(call, "triggers", Some(true)),
        ("GET", ["automations"]) => list(call, "automations", None),
        ("GET", ["automations", "active"]) => list(call, "automations", Some(true)),
        ("GET", ["triggers", id]) => call.id(id).and_then(|id| {
            let rule = call
                .state
                .triggers
                .get(&id)
                .ok_or(Failure::RecordNotFound)?;
            Answer::ok(json!({"trigger": render(call, "triggers", rule)}))
        }),
        ("GET", ["automations", id]) => call.id(id).and_then(|id| {
            let rule = call
                .state
                .automations
                .get(&id)
                .ok_or(Failure::RecordNotFound)?;
            Answer::ok(json!({"automation": render(call, "automations", rule)}))
        }),
        ("GET", ["email_notifications"]) => mails(call),
        ("GET", ["email_notifications", id]) => call.id(id).and_then(|id| {
            let mail = call.state.mails.get(&id).ok_or(Failure::RecordNotFound)?;
            Answer::ok(json!({"email_notification": mail_json(call, mail)}))
        }),
        _ => return None,
    })
}

fn list(call: &mut Call<'_>, kind: &str, active: Option<bool>) -> Outcome {
    let asked = call.request.param("active").map(|text| text == "true");
    let active = active.or(asked);
    let all = if kind == "triggers" {
        &call.state.triggers
    } else {
        &call.state.automations
    };
    let rules: Vec<&Rule> = all
        .values()
        .filter(|rule| active.is_none_or(|active| active == rule.active))
        .collect();
    page_list(call, kind, rules.len(), |at| {
        Some(render(call, kind, rules.get(at)?))
    })
}

fn render(call: &Call<'_>, kind: &str, rule: &Rule) -> Value {
    let conditions = |list: &[Condition]| -> Vec<Value> {
        list.iter()
            .map(|c| json!({"field": c.field, "operator": c.operator, "value": c.value}))
            .collect()
    };
    let actions: Vec<Value> = rule
        .actions
        .iter()
        .map(|a| json!({"field": a.field, "value": a.value}))
        .collect();
    json!({
        "id": rule.id,
        "url": format!("{}/api/v2/{kind}/{}", call.base, rule.id),
        "title": rule.title,
        "raw_title": rule.title,
        "active": rule.active,
        "default": false,
        "position": rule.position,
        "conditions": {"all": conditions(&rule.all), "any": conditions(&rule.any)},
        "actions": actions,
        "created_at": iso(rule.created_at),
        "updated_at": iso(rule.created_at),
    })
}

// ---- the engine

/// What happened to a ticket.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// It was made.
    pub created: bool,
    /// A comment was added, and whether it is public.
    pub comment: Option<bool>,
    /// The status is another than before.
    pub status_changed: bool,
    /// By whom.
    pub by: Id,
}

/// Runs the triggers over a ticket.
pub(super) fn run_triggers(state: &mut State, id: Id, change: &Change) {
    let mut triggers: Vec<Rule> = state
        .triggers
        .values()
        .filter(|r| r.active)
        .cloned()
        .collect();
    triggers.sort_by_key(|rule| rule.position);
    for rule in triggers {
        let Ok(ticket) = state.ticket(id) else { return };
        if holds(&rule, |c| trigger_condition(ticket, change, c)) {
            act(state, id, &rule, "trigger");
        }
    }
}

fn holds(rule: &Rule, test: impl Fn(&Condition) -> bool) -> bool {
    rule.all.iter().all(&test) && (rule.any.is_empty() || rule.any.iter().any(&test))
}

fn trigger_condition(ticket: &Ticket, change: &Change, c: &Condition) -> bool {
    match (c.field.as_str(), c.operator.as_str()) {
        ("update_type", "is") => (c.value == "Create") == change.created,
        ("comment_is_public", "is") => match c.value.as_str() {
            "true" => change.comment == Some(true),
            "false" => change.comment == Some(false),
            _ => change.comment.is_some(),
        },
        ("status", "changed") => change.status_changed,
        ("status", "value") => change.status_changed && ticket.status.as_str() == c.value,
        ("current_user_id" | "role", "is_not") if c.value == "requester_id" => {
            change.by != ticket.requester_id
        }
        _ => ticket_condition(ticket, c),
    }
}

fn ticket_condition(ticket: &Ticket, c: &Condition) -> bool {
    let status = || Status::parse(&c.value);
    match (c.field.as_str(), c.operator.as_str()) {
        ("status", "is") => Some(ticket.status) == status(),
        ("status", "is_not") => Some(ticket.status) != status(),
        ("status", "less_than") => status().is_some_and(|limit| ticket.status < limit),
        ("status", "greater_than") => status().is_some_and(|limit| ticket.status > limit),
        ("assignee_id", "is_not") if c.value.is_empty() => ticket.assignee_id.is_some(),
        ("current_tags", "includes") => c
            .value
            .split_whitespace()
            .any(|tag| ticket.tags.contains(tag)),
        ("current_tags", "not_includes") => !c
            .value
            .split_whitespace()
            .any(|tag| ticket.tags.contains(tag)),
        _ => false,
    }
}

/// Does what a rule says, and writes it down.
fn act(state: &mut State, id: Id, rule: &Rule, kind: &str) {
    let mut effects = Vec::new();
    for action in &rule.actions {
        match action.field.as_str() {
            "notification_user" => {
                if let Some(to) = mail(state, id, rule, action) {
                    effects.push(format!("mail to {to}"));
                }
            }
            "status" => {
                let status = action.value.as_str().and_then(Status::parse);
                if let Some(status) = status {
                    set_status(state, id, status);
                    effects.push(format!("status {}", status.as_str()));
                }
            }
            "current_tags" => {
                let tags = action.value.as_str().unwrap_or_default().to_owned();
                state.edit_ticket(id, |ticket| {
                    ticket
                        .tags
                        .extend(tags.split_whitespace().map(str::to_owned));
                });
                effects.push(format!("tags {tags}"));
            }
            _ => {}
        }
    }
    log(state, kind, &rule.title, id, effects.join(", "));
}

fn log(state: &State, kind: &str, name: &str, id: Id, effect: String) {
    state.automation_log.push(AutomationRun {
        at_ms: state.now.timestamp_millis(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        about: format!("ticket {id}"),
        effect,
    });
}

fn set_status(state: &mut State, id: Id, status: Status) {
    let now = state.second();
    let custom = fields::default_status(state, status);
    state.edit_ticket(id, |ticket| {
        ticket.status = status;
        ticket.custom_status_id = custom;
        ticket.status_since = now;
        // §18: expected to move when the account changes the ticket.
        ticket.updated_at = now;
        ticket.given.updated = false;
    });
    watch(state, id);
}

fn mail(state: &mut State, id: Id, rule: &Rule, action: &RuleAction) -> Option<String> {
    let ticket = state.ticket(id).ok()?;
    let comment = ticket.comments.last().map(|comment| comment.id);
    let who = action
        .value
        .as_array()
        .and_then(|list| list.first())
        .and_then(Value::as_str);
    let mut users: Vec<Id> = match who.unwrap_or_default() {
        "assignee_id" => ticket.assignee_id.into_iter().collect(),
        "requester_and_ccs" => {
            let mut all = vec![ticket.requester_id];
            all.extend(&ticket.email_cc_ids);
            all
        }
        _ => vec![ticket.requester_id],
    };
    users.dedup();
    let recipients: Vec<(Id, String)> = users
        .into_iter()
        .filter_map(|id| Some((id, state.users.get(&id)?.email()?.to_owned())))
        .collect();
    if recipients.is_empty() {
        return None;
    }
    for (_, address) in &recipients {
        state.outbox.push(OutboxItem {
            at_ms: state.now.timestamp_millis(),
            kind: "email".to_owned(),
            to: address.clone(),
            about: format!("ticket {id}"),
            reason: rule.title.clone(),
        });
    }
    let addresses: Vec<String> = recipients
        .iter()
        .map(|(_, address)| address.clone())
        .collect();
    let mail_id = state.next_id();
    let at = state.second();
    state.mails.insert(
        mail_id,
        Mail {
            id: mail_id,
            ticket_id: id,
            comment_id: comment,
            recipients,
            at,
        },
    );
    state.mails_by_ticket.entry(id).or_default().push(mail_id);
    Some(addresses.join(" "))
}

// ---- automations

/// Notes when the hourly automations could first do something to a ticket in its present status.
pub(super) fn watch(state: &mut State, id: Id) {
    let Ok(ticket) = state.ticket(id) else { return };
    if ticket.status == Status::Closed {
        return;
    }
    let since = status_since(state, ticket);
    let hours = state
        .automations
        .values()
        .filter(|rule| rule.active)
        .flat_map(|rule| {
            rule.all
                .iter()
                .chain(&rule.any)
                .filter_map(|c| threshold(ticket.status, c))
        });
    let mut moments: Vec<DateTime<Utc>> = hours
        .map(|h| next_hour(since + Duration::hours(h)))
        .collect();
    if ticket.status == Status::Solved {
        moments.push(next_hour(since + Duration::days(SYSTEM_CLOSE_DAYS)));
    }
    let soonest = next_hour(state.now);
    for moment in moments {
        state.schedule(moment.max(soonest), Event::Automations(id));
    }
}

fn status_since(state: &State, ticket: &Ticket) -> DateTime<Utc> {
    // §18: what the hours of an imported ticket are counted from is open.
    let given = state.config.switches.imported_status_age == StatusAge::GivenTimes;
    match (ticket.imported && given, ticket.solved_at) {
        (true, Some(at)) if ticket.status == Status::Solved => at.min(ticket.status_since),
        (true, _) => ticket.updated_at.min(ticket.status_since),
        (false, _) => ticket.status_since,
    }
}

/// The next full hour, when automations run.
fn next_hour(at: DateTime<Utc>) -> DateTime<Utc> {
    let hour = Duration::hours(1);
    let floor = at.duration_trunc(hour).unwrap_or(at);
    if floor == at { at } else { floor + hour }
}

/// The hours after which a condition on a status can begin to hold.
fn threshold(status: Status, c: &Condition) -> Option<i64> {
    let hours: i64 = c.value.parse().ok()?;
    if !c.field.eq_ignore_ascii_case(status.as_str()) {
        return None;
    }
    match c.operator.as_str() {
        "is" | "greater_than_equal" => Some(hours),
        "greater_than" => Some(hours + 1),
        _ => None,
    }
}

/// The automations' look at one ticket.
pub(super) fn run_automations(state: &mut State, id: Id) {
    let Ok(ticket) = state.ticket(id) else { return };
    // Several reasons to look at a ticket in one hour are one look.
    if ticket.status == Status::Closed || state.looked_at.get(&id) == Some(&state.now) {
        return;
    }
    let age = state.now - status_since(state, ticket);
    let solved = ticket.status == Status::Solved;
    state.looked_at.insert(id, state.now);
    if solved && age >= Duration::days(SYSTEM_CLOSE_DAYS) {
        set_status(state, id, Status::Closed);
        let name = "Tickets solved for 28 days are closed";
        log(state, "system", name, id, "status closed".to_owned());
        return;
    }
    let mut rules: Vec<Rule> = state
        .automations
        .values()
        .filter(|r| r.active)
        .cloned()
        .collect();
    rules.sort_by_key(|rule| rule.position);
    for rule in rules {
        let Ok(ticket) = state.ticket(id) else { return };
        let status = ticket.status;
        let hours = (state.now - status_since(state, ticket)).num_hours();
        let test = |c: &Condition| match (threshold(status, c), c.operator.as_str()) {
            (Some(from), "is") => hours == from,
            (Some(from), _) => hours >= from,
            (None, _) => ticket_condition(ticket, c),
        };
        if holds(&rule, test) {
            act(state, id, &rule, "automation");
        }
    }
}

/// The rules every account begins with: titles, conditions and actions as Zendesk ships them, shortened.
pub(super) fn usual(state: &mut State, pending_reminder: bool) {
    let trigger = |title: &str, all: &[(&str, &str, &str)], who: &str, active: bool| {
        let actions = vec![RuleAction {
            field: "notification_user".to_owned(),
            value: json!([
                who,
                "[{{ticket.account}}] {{ticket.title}}",
                "{{ticket.comments_formatted}}"
            ]),
        }];
        (title.to_owned(), conditions(all), actions, active)
    };
    let created = ("update_type", "is", "Create");
    let changed = ("update_type", "is", "Change");
    let triggers = [
        trigger(
            "Notify requester and CCs of received request",
            &[
                created,
                ("status", "is_not", "solved"),
                ("comment_is_public", "is", "true"),
            ],
            "requester_and_ccs",
            true,
        ),
        trigger(
            "Notify requester and CCs of comment update",
            &[
                changed,
                ("comment_is_public", "is", "true"),
                ("current_user_id", "is_not", "requester_id"),
            ],
            "requester_and_ccs",
            true,
        ),
        trigger(
            "Notify assignee of comment update",
            &[
                changed,
                ("comment_is_public", "is", "not_relevant"),
                ("assignee_id", "is_not", ""),
            ],
            "assignee_id",
            true,
        ),
        trigger(
            "Notify requester of any change",
            &[
                changed,
                ("status", "less_than", "closed"),
                ("current_tags", "not_includes", "no_mail"),
            ],
            "requester_id",
            true,
        ),
        trigger(
            "Notify requester of reopened request",
            &[changed],
            "requester_id",
            false,
        ),
    ];
    for (title, all, actions, active) in triggers {
        let (rule, id) = rule(state, title, all, actions, active);
        state.triggers.insert(id, rule);
    }
    let close = vec![RuleAction {
        field: "status".to_owned(),
        value: json!("closed"),
    }];
    let all = conditions(&[("status", "is", "solved"), ("SOLVED", "greater_than", "95")]);
    let (closing, id) = rule(
        state,
        "Close ticket 4 days after status is set to solved".to_owned(),
        all,
        close,
        true,
    );
    state.automations.insert(id, closing);
    let remind = vec![RuleAction {
        field: "notification_user".to_owned(),
        value: json!([
            "requester_id",
            "Pending request",
            "{{ticket.comments_formatted}}"
        ]),
    }];
    let all = conditions(&[("status", "is", "pending"), ("PENDING", "is", "24")]);
    let title = "Pending notification 24 hours".to_owned();
    let (reminder, id) = rule(state, title, all, remind, pending_reminder);
    state.automations.insert(id, reminder);
}

fn rule(
    state: &mut State,
    title: String,
    all: Vec<Condition>,
    actions: Vec<RuleAction>,
    active: bool,
) -> (Rule, Id) {
    let id = state.next_id();
    let position = u64::try_from(state.triggers.len() + state.automations.len()).unwrap_or(0);
    let created_at = state.second();
    (
        Rule {
            id,
            title,
            active,
            all,
            any: Vec::new(),
            actions,
            position,
            created_at,
        },
        id,
    )
}

fn conditions(list: &[(&str, &str, &str)]) -> Vec<Condition> {
    list.iter()
        .map(|(field, operator, value)| Condition {
            field: (*field).to_owned(),
            operator: (*operator).to_owned(),
            value: (*value).to_owned(),
        })
        .collect()
}

// ---- mails

fn mails(call: &mut Call<'_>) -> Outcome {
    let ticket = call
        .request
        .param("filter[ticket_id]")
        .or(call.request.param("filter"));
    let ids: Vec<Id> = match ticket {
        Some(ticket) => {
            let ticket: Id = ticket.trim_start_matches("ticket_id:").parse().unwrap_or(0);
            call.state
                .mails_by_ticket
                .get(&ticket)
                .cloned()
                .unwrap_or_default()
        }
        None => call.state.mails.keys().copied().collect(),
    };
    page_list(call, "email_notifications", ids.len(), |at| {
        Some(mail_json(call, call.state.mails.get(ids.get(at)?)?))
    })
}

fn mail_json(call: &Call<'_>, mail: &Mail) -> Value {
    let recipients: Vec<Value> = mail
        .recipients
        .iter()
        .map(|(user, address)| {
            json!({
                "user_id": user,
                "email_address": address,
                "delivery_status": {
                    "id": 5, "code": "200", "name": "delivered", "message": "Email was delivered.",
                },
            })
        })
        .collect();
    json!({
        "notification_id": mail.id,
        "url": format!("{}/api/v2/email_notifications/{}", call.base, mail.id),
        "email_id": format!("01SIM{:021}", mail.id),
        "message_id": format!("<{}@example.zendesk.com>", mail.id),
        "ticket_id": mail.ticket_id,
        "comment_id": mail.comment_id,
        "recipients": recipients,
        "created_at": iso(mail.at),
        "updated_at": iso(mail.at),
    })
}
