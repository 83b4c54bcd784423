//! Looking at an account from a test: typed content, and a fingerprint of it.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint:
//! canonical JSON in which every id is replaced by what the record is called by (external id, address, name) and what the
//! account makes up itself (ids, tokens in addresses, times it stamped, jobs, events, uploads) is left out.

use std::collections::{BTreeMap, HashMap};

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::fields::Values;
use super::model::{
    Attachment, Customer, Event, Field, File, Id, Integration, Job, Macro, Message, Moment,
    ObjectType, Rule, Survey, Tag, Team, Ticket, User, View,
};
use super::state::State;

/// The content of an account at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Customers.
    pub customers: Vec<Customer>,
    /// Merged customers: into whom.
    pub merged: HashMap<Id, Id>,
    /// Users, bots included.
    pub users: Vec<User>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Custom fields, archived ones included.
    pub fields: Vec<Field>,
    /// Tickets, trashed ones included.
    pub tickets: Vec<Ticket>,
    /// Messages of all tickets.
    pub messages: BTreeMap<Id, Message>,
    /// Satisfaction surveys.
    pub surveys: Vec<Survey>,
    /// Uploaded files by their address.
    pub files: HashMap<String, File>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Rules.
    pub rules: Vec<Rule>,
    /// Views.
    pub views: Vec<View>,
    /// Macros.
    pub macros: Vec<Macro>,
    /// Integrations.
    pub integrations: Vec<Integration>,
    /// The trail of events.
    pub events: Vec<Event>,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        let files = state.files.values();
        Self {
            customers: state.customers.values().cloned().collect(),
            merged: state.merged.clone(),
            users: state.users.values().cloned().collect(),
            teams: state.teams.values().cloned().collect(),
            tags: state.tags.values().cloned().collect(),
            fields: state.fields.values().cloned().collect(),
            tickets: state.tickets.values().cloned().collect(),
            messages: state.messages.clone(),
            surveys: state.surveys.values().cloned().collect(),
            files: files.map(|file| (file.url.clone(), file.clone())).collect(),
            jobs: state.jobs.values().cloned().collect(),
            rules: state.rules.values().cloned().collect(),
            views: state.views.values().cloned().collect(),
            macros: state.macros.values().cloned().collect(),
            integrations: state.integrations.values().cloned().collect(),
            events: state.events.values().cloned().collect(),
        }
    }

    /// The tickets with this external id, trashed ones too; more than one is a duplicate.
    pub fn tickets_by_external_id(&self, external_id: &str) -> Vec<&Ticket> {
        let all = self.tickets.iter();
        all.filter(|ticket| ticket.external_id.as_deref() == Some(external_id))
            .collect()
    }

    /// The messages of a ticket, oldest first; those of one moment in the order they arrived.
    pub fn thread(&self, ticket: &Ticket) -> Vec<&Message> {
        let ids = ticket.messages.iter();
        let mut thread: Vec<&Message> = ids.filter_map(|id| self.messages.get(id)).collect();
        thread.sort_by_key(|message| (message.created_at, message.id));
        thread
    }

    /// The customer with this id.
    pub fn customer(&self, id: Id) -> Option<&Customer> {
        let found = self
            .customers
            .binary_search_by_key(&id, |customer| customer.id);
        self.customers.get(found.ok()?)
    }

    /// The customers with this external id; more than one is a duplicate.
    pub fn customers_by_external_id(&self, external_id: &str) -> Vec<&Customer> {
        let all = self.customers.iter();
        all.filter(|customer| customer.external_id.as_deref() == Some(external_id))
            .collect()
    }

    /// The customer with this address, main or not.
    pub fn customer_by_email(&self, email: &str) -> Option<&Customer> {
        self.customers.iter().find(|customer| {
            let mut channels = customer.channels.iter();
            channels.any(|c| c.kind == "email" && c.address.eq_ignore_ascii_case(email))
        })
    }

    /// The user with this id.
    pub fn user(&self, id: Id) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// The user with this address.
    pub fn user_by_email(&self, email: &str) -> Option<&User> {
        let same = |user: &&User| user.email.eq_ignore_ascii_case(email);
        self.users.iter().find(same)
    }

    /// The tag of this name.
    pub fn tag(&self, name: &str) -> Option<&Tag> {
        self.tags.iter().find(|tag| tag.name == name)
    }

    /// The names of a ticket's tags.
    pub fn tags_of(&self, ticket: &Ticket) -> Vec<&str> {
        let names = |id: &Id| Some(self.tags.iter().find(|tag| tag.id == *id)?.name.as_str());
        ticket.tags.iter().filter_map(names).collect()
    }

    /// The active field of this label.
    pub fn field(&self, object: ObjectType, label: &str) -> Option<&Field> {
        let same = |field: &&Field| {
            field.object == object && field.label == label && field.deactivated_at.is_none()
        };
        self.fields.iter().find(same)
    }

    /// The value of a ticket's field, found by its label.
    pub fn ticket_field<'s>(&'s self, ticket: &'s Ticket, label: &str) -> Option<&'s Value> {
        let field = self.field(ObjectType::Ticket, label)?;
        ticket.custom_fields.get(&field.id)
    }

    /// The value of a customer's field, found by its label.
    pub fn customer_field<'s>(&'s self, customer: &'s Customer, label: &str) -> Option<&'s Value> {
        let field = self.field(ObjectType::Customer, label)?;
        customer.custom_fields.get(&field.id)
    }

    /// The uploaded file behind an attachment, with its bytes.
    pub fn file(&self, attachment: &Attachment) -> Option<&File> {
        self.files.get(&attachment.url)
    }

    /// The survey of a ticket.
    pub fn survey(&self, ticket: &Ticket) -> Option<&Survey> {
        let id = ticket.survey?;
        self.surveys.iter().find(|survey| survey.id == id)
    }

    /// Messages of the company that nobody said were sent, so that Gorgias has sent or will send them (§6).
    pub fn unsent(&self) -> Vec<&Message> {
        let all = self.messages.values();
        all.filter(|m| m.from_agent && !m.is_note() && !m.sent_given && m.via != "rule")
            .collect()
    }
}

/// The fingerprint of an account; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let names = Names { state };
    let fields = |archived: bool| {
        let all = state.fields.values();
        let chosen = all.filter(move |field| field.deactivated_at.is_some() == archived);
        sorted(chosen.map(|field| {
            json!({
                "object_type": field.object.as_str(), "label": field.label, "external_id": field.external_id,
                "description": field.description, "required": field.required, "priority": field.priority,
                "definition": field.definition, "managed_type": field.managed_type,
            })
        }))
    };
    let tickets = |trashed: bool| {
        let all = state.tickets.values();
        let chosen = all.filter(move |ticket| ticket.trashed_at.is_some() == trashed);
        sorted(chosen.map(|ticket| names.in_texts(names.ticket_content(ticket))))
    };
    let customers = state.customers.values();
    let rules = state.rules.values();
    json!({
        "customers": sorted(customers.map(|c| names.in_texts(names.customer_content(c)))),
        "users": sorted(state.users.values().map(|user| json!({
            "called": names.user(user.id), "name": user.name, "email": user.email, "role": user.role,
            "active": user.active, "external_id": user.external_id, "bio": user.bio, "meta": user.meta,
        }))),
        "teams": sorted(state.teams.values().map(|team| json!({
            "name": team.name, "description": team.description, "decoration": team.decoration,
            "members": sorted(team.members.iter().map(|id| names.user(*id))),
        }))),
        "tags": sorted(state.tags.values().map(|tag| json!({
            "name": tag.name, "description": tag.description, "decoration": tag.decoration,
        }))),
        "custom_fields": fields(false),
        "tickets": tickets(false),
        "rules": sorted(rules.map(|r| json!({"name": r.name, "active": r.deactivated_at.is_none()}))),
        "views": sorted(state.views.values().map(|view| json!({
            "name": view.name, "active": view.deactivated_at.is_none(),
        }))),
        "deleted": {"tickets": tickets(true), "custom_fields": fields(true)},
    })
}

/// A list in canonical order.
fn sorted(items: impl Iterator<Item = Value>) -> Value {
    let mut keyed: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for item in items {
        keyed.entry(item.to_string()).or_default().push(item);
    }
    Value::Array(keyed.into_values().flatten().collect())
}

fn iso(time: Moment) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Turns ids into names.
struct Names<'s> {
    state: &'s State,
}

impl Names<'_> {
    fn customer(&self, id: Id) -> Value {
        let Some(customer) = self.state.customers.get(&id) else {
            return json!("a deleted customer");
        };
        let name = customer
            .external_id
            .as_ref()
            .map(|id| format!("external:{id}"));
        let name = name.or_else(|| Some(format!("email:{}", customer.email.as_ref()?)));
        json!(name.unwrap_or_else(|| format!("name:{}", customer.name)))
    }

    fn user(&self, id: Id) -> Value {
        let user = self.state.users.get(&id);
        json!(user.map_or("a deleted user".to_owned(), |user| format!(
            "email:{}",
            user.email
        )))
    }

    fn ticket(&self, id: Id) -> Value {
        let ticket = self.state.tickets.get(&id);
        let name = ticket.and_then(|t| t.external_id.clone().or_else(|| t.subject.clone()));
        json!(name.unwrap_or_else(|| "a ticket without a name".to_owned()))
    }

    /// The same with every id replaced by a name: what a client writes of an object it has just made.
    fn in_texts(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.in_text(&text)),
            Value::Number(number) => {
                let id = number.as_u64().and_then(|id| self.of_id(id));
                id.unwrap_or(Value::Number(number))
            }
            Value::Array(items) => items.into_iter().map(|v| self.in_texts(v)).collect(),
            Value::Object(map) => {
                let named = map
                    .into_iter()
                    .map(|(k, v)| (self.in_text(&k), self.in_texts(v)));
                Value::Object(named.collect())
            }
            other => other,
        }
    }

    fn in_text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            let (before, from) = rest.split_at(begin);
            let end = from.find(|c: char| !c.is_ascii_alphanumeric());
            let (word, after) = from.split_at(end.unwrap_or(from.len()));
            out.push_str(before);
            match self.of_word(word) {
                Some(name) => out.push_str(name.as_str().unwrap_or(word)),
                None => out.push_str(word),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The name of what a word is the id or the token of.
    fn of_word(&self, word: &str) -> Option<Value> {
        if let Some(file) = self.state.files.get(word) {
            return Some(json!(format!("file:{}", file.sha256)));
        }
        self.of_id(word.parse().ok()?)
    }

    fn of_id(&self, id: Id) -> Option<Value> {
        let state = self.state;
        if state.customers.contains_key(&id) {
            Some(self.customer(id))
        } else if state.users.contains_key(&id) {
            Some(self.user(id))
        } else if state.tickets.contains_key(&id) {
            Some(self.ticket(id))
        } else if let Some(team) = state.teams.get(&id) {
            Some(json!(format!("team:{}", team.name)))
        } else if let Some(field) = state.fields.get(&id) {
            Some(json!(format!("field:{}", field.label)))
        } else {
            let tag = state.tags.get(&id)?;
            Some(json!(format!("tag:{}", tag.name)))
        }
    }

    fn values(&self, values: &Values) -> Value {
        sorted(values.iter().filter_map(|(id, value)| {
            let field = self.state.fields.get(id)?;
            Some(json!({"field": field.label, "value": value}))
        }))
    }

    fn customer_content(&self, customer: &Customer) -> Value {
        let channels = customer.channels.iter().map(|channel| {
            json!({"type": channel.kind, "address": channel.address, "preferred": channel.preferred})
        });
        json!({
            "called": self.customer(customer.id), "external_id": customer.external_id,
            "email": customer.email, "name": customer.name, "firstname": customer.firstname,
            "lastname": customer.lastname, "note": customer.note, "language": customer.language,
            "timezone": customer.timezone, "channels": sorted(channels), "meta": customer.meta,
            "data": customer.data, "custom_fields": self.values(&customer.custom_fields),
            "by_product": customer.by_product,
        })
    }

    fn ticket_content(&self, ticket: &Ticket) -> Value {
        let tags = ticket.tags.iter();
        let tags = tags.filter_map(|id| Some(json!(self.state.tags.get(id)?.name)));
        let team = ticket
            .assignee_team_id
            .and_then(|id| self.state.teams.get(&id));
        let survey = ticket.survey.and_then(|id| self.state.surveys.get(&id));
        let at = |given: bool, time: Option<Moment>| time.filter(|_| given).map(iso);
        let thread = self.state.thread(ticket.id);
        json!({
            "external_id": ticket.external_id, "subject": ticket.subject,
            "status": ticket.status.as_str(), "priority": ticket.priority,
            "channel": ticket.channel, "via": ticket.via, "from_agent": ticket.from_agent,
            "spam": ticket.spam, "language": ticket.language, "meta": ticket.meta,
            "customer": ticket.customer_id.map(|id| self.customer(id)),
            "assignee_user": ticket.assignee_user_id.map(|id| self.user(id)),
            "assignee_team": team.map(|team| team.name.clone()),
            "tags": sorted(tags), "custom_fields": self.values(&ticket.custom_fields),
            "created": at(ticket.given.created, Some(ticket.created_at)),
            "updated": at(ticket.given.updated, Some(ticket.updated_at)),
            "closed": at(ticket.given.closed, ticket.closed_at),
            "opened": ticket.opened_at.map(iso), "snooze": ticket.snooze_at.map(iso),
            "survey": survey.map(|survey| json!({
                "customer": self.customer(survey.customer_id), "score": survey.score,
                "body_text": survey.body_text, "meta": survey.meta,
                "created": at(survey.created_given, Some(survey.created_at)),
                "scored": survey.scored_at.map(iso),
                "should_send": survey.should_send_at.is_some(),
            })),
            "messages": thread.map(|message| self.message(message)).collect::<Vec<_>>(),
        })
    }

    fn message(&self, message: &Message) -> Value {
        let sender = message.sender_id.map(|id| {
            if message.from_agent {
                self.user(id)
            } else {
                self.customer(id)
            }
        });
        let files: Vec<Value> = message
            .attachments
            .iter()
            .map(|file| {
                json!({
                    "url": file.url, "name": file.name, "content_type": file.content_type,
                    "size": file.size, "public": file.public,
                })
            })
            .collect();
        let at = |given: bool, time: Option<Moment>| time.filter(|_| given).map(iso);
        json!({
            "external_id": message.external_id, "message_id": message.message_id,
            "public": message.public, "channel": message.channel, "via": message.via,
            "from_agent": message.from_agent, "sender": sender,
            "receiver": message.receiver_id.map(|id| self.customer(id)), "source": message.source,
            "subject": message.subject, "body_text": message.body_text, "body_html": message.body_html,
            "stripped_text": message.stripped_text, "headers": message.headers, "meta": message.meta,
            "attachments": files, "created": at(message.created_given, Some(message.created_at)),
            "sent": at(message.sent_given, message.sent_at), "failed": message.failed_at.map(iso),
        })
    }
}
