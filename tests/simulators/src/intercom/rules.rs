//! What a workspace does on its own, and whom it tells (Intercom facts §11).
//!
//! Neither an import flag nor a statement was found: it must be presumed that everything fires on what the API makes, as if it
//! happened now ([`super::Switches::automations_on_api`]). The numbered versions list none of it, so an operator pauses it.

use super::model::{Assignee, Author, Id};
use super::parts;
use super::state::State;
use crate::common::{AutomationRun, OutboxItem};

/// What something that happened is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Topic {
    Contact(String),
    Company(String),
    Conversation(Id),
    Ticket(Id),
}

impl Topic {
    fn text(&self) -> String {
        match self {
            Self::Contact(id) => format!("contact {id}"),
            Self::Company(id) => format!("company {id}"),
            Self::Conversation(id) => format!("conversation {id}"),
            Self::Ticket(id) => format!("ticket {id}"),
        }
    }
}

/// Something that happened, by the topic of its webhook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Happened {
    topic: &'static str,
    about: Topic,
}

impl Happened {
    /// Something with the topic that Intercom's webhooks give it.
    pub fn webhook(topic: &'static str, about: Topic) -> Self {
        Self { topic, about }
    }
}

/// Does what comes of something.
pub(super) fn run(state: &mut State, happened: &Happened) {
    let services = state.config.preexisting.services;
    let about = happened.about.text();
    if services.webhooks {
        let url = format!(
            "https://hooks.{}/intercom",
            state.config.preexisting.admin_domain
        );
        push(state, "webhook", &url, &about, happened.topic);
    }
    let Topic::Conversation(id) = happened.about else {
        return;
    };
    let is_new = happened.topic == "conversation.user.created";
    if !is_new && happened.topic != "conversation.user.replied" {
        return;
    }
    if services.sla {
        log(state, "sla", "First answer", &about, "An SLA counts.");
        if let Some(conversation) = state.conversations.get_mut(&id) {
            conversation.sla = true;
        }
    }
    if is_new && services.notices {
        push(state, "teammate", "inbox", &about, "A new conversation.");
    }
    if is_new && services.assignment {
        assign(state, id, &about);
    }
    if is_new && services.greeting {
        say(state, id, "<p>Hi, we will be with you soon.</p>");
        log(
            state,
            "workflow",
            "Greet a new conversation",
            &about,
            "The bot wrote.",
        );
        tell_people(state, id, "The bot greeted.");
    }
    if services.fin {
        say(state, id, "<p>Did you look into our help center?</p>");
        if let Some(conversation) = state.conversations.get_mut(&id) {
            conversation.ai_agent_participated = true;
        }
        log(state, "fin", "Fin", &about, "Fin answered.");
        tell_people(state, id, "Fin answered.");
    }
}

fn assign(state: &mut State, id: Id, about: &str) {
    let Some(team) = state.teams.keys().next().copied() else {
        return;
    };
    let mut part = parts::blank(state, "assignment", Author::Bot);
    part.by_app = false;
    part.assigned_to = Some(Assignee::Team(team));
    let order = state.config.switches.part_order;
    if let Some(conversation) = state.conversations.get_mut(&id) {
        conversation.team_assignee_id = Some(team);
        parts::insert(&mut conversation.parts, part, order);
    }
    log(
        state,
        "assignment",
        "New conversations",
        about,
        "Assigned to a team.",
    );
}

/// A part of the bot.
fn say(state: &mut State, id: Id, body: &str) {
    let mut part = parts::blank(state, "comment", Author::Bot);
    part.by_app = false;
    part.body = Some(body.to_owned());
    part.notified = true;
    let order = state.config.switches.part_order;
    if let Some(conversation) = state.conversations.get_mut(&id) {
        parts::insert(&mut conversation.parts, part, order);
    }
}

fn tell_people(state: &State, id: Id, reason: &str) {
    let people = state.conversations.get(&id).map(|one| one.contacts.clone());
    for contact in people.unwrap_or_default() {
        notify(state, &contact, &format!("conversation {id}"), reason);
    }
}

/// A contact is told in the Messenger, and by mail where that is possible (§11).
pub(super) fn notify(state: &State, contact: &str, about: &str, reason: &str) {
    let Some(found) = state.contacts.get(contact) else {
        return;
    };
    push(state, "messenger", contact, about, reason);
    if let Some(email) = found
        .email
        .as_ref()
        .filter(|_| !found.unsubscribed_from_emails)
    {
        push(state, "email", email, about, reason);
    }
}

/// Something is sent to a contact.
pub(super) fn send(state: &State, contact: &str, kind: &str, reason: &str) {
    let email = state
        .contacts
        .get(contact)
        .and_then(|one| one.email.clone());
    let to = email.unwrap_or_else(|| contact.to_owned());
    push(state, kind, &to, &format!("contact {contact}"), reason);
}

/// A teammate or team is told, unless they did it themselves.
pub(super) fn notice(state: &State, to: Id, by: Id, about: &str, reason: &str) {
    if to == by
        || !state.config.preexisting.services.notices
        || !state.config.switches.automations_on_api
    {
        return;
    }
    let admin = state.admins.get(&to).map(|admin| admin.email.clone());
    let team = state.teams.get(&to).map(|team| team.name.clone());
    push(
        state,
        "teammate",
        &admin.or(team).unwrap_or_default(),
        about,
        reason,
    );
}

fn push(state: &State, kind: &str, to: &str, about: &str, reason: &str) {
    state.outbox.push(OutboxItem {
        at_ms: state.now_ms,
        kind: kind.to_owned(),
        to: to.to_owned(),
        about: about.to_owned(),
        reason: reason.to_owned(),
    });
}

fn log(state: &State, kind: &str, name: &str, about: &str, effect: &str) {
    state.automation_log.push(AutomationRun {
        at_ms: state.now_ms,
        kind: kind.to_owned(),
        name: name.to_owned(),
        about: about.to_owned(),
        effect: effect.to_owned(),
    });
}
