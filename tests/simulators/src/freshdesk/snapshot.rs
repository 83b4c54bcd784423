//! Looking at an account from a test: typed content, and a fingerprint of it.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint:
//! canonical JSON in which every id is replaced by what the record is called by (external id, address, name, subject) and what
//! the account makes up itself (ids, times it stamped, jobs, signed addresses) or the client counts (`import_id`) is left out.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::body::iso;
use super::fields;
use super::model::{
    Choice, Company, Conversation, Field, File, Group, Id, Owner, Person, Rating, Record, Schema,
    Ticket,
};
use super::state::State;
use super::tickets;

/// The content of an account at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Contacts, the softly deleted ones included.
    pub contacts: Vec<Person>,
    /// Agents.
    pub agents: Vec<Person>,
    /// Companies.
    pub companies: Vec<Company>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Fields of all owners, standard ones included.
    pub fields: Vec<Field>,
    /// Tickets, those in the trash and in the archive included.
    pub tickets: Vec<Ticket>,
    /// What was said in each ticket, in order.
    pub conversations: BTreeMap<Id, Vec<Conversation>>,
    /// Satisfaction ratings.
    pub ratings: Vec<Rating>,
    /// Custom objects.
    pub schemas: Vec<Schema>,
    /// Their records.
    pub records: Vec<Record>,
    /// Jobs that have rows to do.
    pub open_jobs: usize,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        let people = |agents: bool| {
            let people = state.people.values();
            people
                .filter(move |person| person.agent.is_some() == agents)
                .cloned()
                .collect()
        };
        let threads = state.threads.iter();
        let records = state.records.values().flat_map(BTreeMap::values);
        Self {
            contacts: people(false),
            agents: people(true),
            companies: state.companies.values().cloned().collect(),
            groups: state.groups.values().cloned().collect(),
            fields: state.fields.values().cloned().collect(),
            tickets: state.tickets.values().cloned().collect(),
            conversations: threads.map(|(id, thread)| (*id, thread.clone())).collect(),
            ratings: state.ratings.values().cloned().collect(),
            schemas: state.schemas.values().cloned().collect(),
            records: records.cloned().collect(),
            open_jobs: state
                .jobs
                .values()
                .filter(|job| !job.rows.is_empty())
                .count(),
        }
    }

    /// The contact or agent with this id.
    pub fn person(&self, id: Id) -> Option<&Person> {
        self.contacts
            .iter()
            .chain(&self.agents)
            .find(|person| person.id == id)
    }

    /// The live contact with this external id.
    pub fn contact_by_external_id(&self, external_id: &str) -> Option<&Person> {
        let same = |person: &&Person| {
            person.deleted_at.is_none() && person.unique_external_id.as_deref() == Some(external_id)
        };
        self.contacts.iter().find(same)
    }

    /// The live contact or agent with this address, primary or not.
    pub fn person_by_email(&self, email: &str) -> Option<&Person> {
        let has = |person: &&Person| {
            let mut emails = person.email.iter().chain(&person.other_emails);
            person.deleted_at.is_none() && emails.any(|own| own.eq_ignore_ascii_case(email))
        };
        self.contacts.iter().chain(&self.agents).find(has)
    }

    /// The company with this name, in any case.
    pub fn company_by_name(&self, name: &str) -> Option<&Company> {
        let same = |company: &&Company| company.name.to_lowercase() == name.to_lowercase();
        self.companies.iter().find(same)
    }

    /// The live tickets whose custom field has this value; of a marker more than one is a duplicate.
    pub fn tickets_by_field(&self, name: &str, value: &Value) -> Vec<&Ticket> {
        let live = self
            .tickets
            .iter()
            .filter(|ticket| ticket.deleted_at.is_none());
        live.filter(|ticket| ticket.custom_fields.get(name) == Some(value))
            .collect()
    }

    /// What was said in a ticket besides its description, in order.
    pub fn thread(&self, ticket: Id) -> &[Conversation] {
        self.conversations.get(&ticket).map_or(&[], Vec::as_slice)
    }

    /// The field of an owner with this label.
    pub fn field_by_label(&self, owner: Owner, label: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.owner == owner && field.label == label)
    }
}

/// The fingerprint of an account; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let names = Names { state };
    let people = |agents: bool, deleted: bool| {
        let people = state.people.values().filter(move |person| {
            person.agent.is_some() == agents && person.deleted_at.is_some() == deleted
        });
        sorted(people.map(|person| names.in_texts(names.person_content(person))))
    };
    let tickets = |deleted: bool| {
        let chosen = state
            .tickets
            .values()
            .filter(move |t| t.deleted_at.is_some() == deleted);
        sorted(chosen.map(|ticket| names.in_texts(names.ticket_content(ticket))))
    };
    let companies = state.companies.values();
    let groups = state.groups.values().map(|group| {
        json!({
            "name": group.name, "description": group.description,
            "members": sorted(group.agent_ids.iter().map(|id| names.person(*id))),
            "escalate_to": group.escalate_to.map(|id| names.person(id)),
            "unassigned_for": group.unassigned_for, "auto_ticket_assign": group.auto_ticket_assign,
        })
    });
    let schemas = state.schemas.values().map(|schema| {
        let fields = schema.fields.iter().map(|field| {
            json!({
                "name": field.name, "type": field.kind, "required": field.required,
                "choices": field.choices, "target": field.target,
            })
        });
        json!({"name": schema.name, "fields": sorted(fields)})
    });
    let records = state.records.values().flat_map(BTreeMap::values);
    let ratings = state.ratings.values().map(|rating| {
        json!({
            "ticket": names.ticket(rating.ticket_id), "ratings": rating.ratings,
            "feedback": rating.feedback,
        })
    });
    json!({
        "contacts": people(false, false),
        "agents": people(true, false),
        "companies": sorted(companies.map(|c| names.in_texts(names.company_content(c)))),
        "groups": sorted(groups),
        "fields": sorted(state.fields.values().map(field_content)),
        "tickets": tickets(false),
        "custom_objects": sorted(schemas),
        "custom_object_records": sorted(records.map(|r| names.in_texts(names.record_content(r)))),
        "satisfaction_ratings": sorted(ratings),
        "deleted": {"tickets": tickets(true), "contacts": people(false, true)},
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

fn choice_content(choice: &Choice) -> Value {
    json!({
        "value": choice.value,
        "choices": choice.choices.iter().map(choice_content).collect::<Vec<_>>(),
    })
}

/// A field without its API name where that has a number behind (§9).
fn field_content(field: &Field) -> Value {
    json!({
        "owner": field.owner.as_str(), "label": field.label, "type": field.kind,
        "label_for_customers": field.label_for_customers, "default": field.default,
        "required_for_agents": field.required_for_agents,
        "required_for_closure": field.required_for_closure,
        "required_for_customers": field.required_for_customers,
        "customers_can_edit": field.customers_can_edit,
        "displayed_to_customers": field.displayed_to_customers, "unique": field.unique,
        "choices": sorted(field.choices.iter().map(choice_content)),
        "levels": field.levels.iter().map(|level| &level.label).collect::<Vec<_>>(),
    })
}

/// The same with addresses of files cut to the files' names: the rest differs with every look at them.
fn unsigned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')');
    while let Some(at) = rest.find("/attachments/production/") {
        let (before, address) = rest.split_at(at);
        let begin = before.rfind("http").unwrap_or(before.len());
        let (before, host) = before.split_at(begin);
        out.push_str(before);
        if host.contains(ends) {
            out.push_str(host);
        }
        let (address, after) = address.split_at(address.find(ends).unwrap_or(address.len()));
        let path = address.split('?').next().unwrap_or_default();
        out.push_str("file:");
        out.push_str(path.rsplit('/').next().unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Turns ids into names.
struct Names<'s> {
    state: &'s State,
}

impl Names<'_> {
    fn person(&self, id: Id) -> Value {
        let Some(person) = self.state.people.get(&id) else {
            return json!("a deleted person");
        };
        let name = person
            .unique_external_id
            .as_ref()
            .map(|id| format!("external:{id}"));
        let name = name.or_else(|| person.email.as_ref().map(|email| format!("email:{email}")));
        let plain = || format!("name:{}", person.name.as_deref().unwrap_or_default());
        json!(name.unwrap_or_else(plain))
    }

    fn company(&self, id: Id) -> Value {
        json!(
            self.state
                .companies
                .get(&id)
                .map(|company| company.name.clone())
        )
    }

    fn group(&self, id: Id) -> Value {
        json!(self.state.groups.get(&id).map(|group| group.name.clone()))
    }

    fn ticket(&self, id: Id) -> Value {
        let ticket = self.state.tickets.get(&id);
        json!(ticket.map(|ticket| ticket.subject.clone()))
    }

    /// A record by its display id.
    fn record(&self, display_id: &str) -> Option<Value> {
        let (prefix, number) = display_id.rsplit_once('-')?;
        let schema = self
            .state
            .schemas
            .values()
            .find(|schema| schema.prefix == prefix)?;
        let record = self
            .state
            .records
            .get(&schema.id)?
            .get(&number.parse().ok()?)?;
        let value = schema
            .primary()
            .and_then(|field| record.data.get(&field.name));
        let value = value.and_then(Value::as_str).unwrap_or("a record");
        Some(json!(format!("{}/{value}", schema.name)))
    }

    /// The same with every id in a text replaced by a name: what a client writes of an object it has just made.
    fn in_texts(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.in_text(&text)),
            Value::Array(items) => items.into_iter().map(|v| self.in_texts(v)).collect(),
            Value::Object(map) => {
                let named = map.into_iter().map(|(k, v)| (k, self.in_texts(v)));
                Value::Object(named.collect())
            }
            other => other,
        }
    }

    fn in_text(&self, text: &str) -> String {
        let text = unsigned(text);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(begin) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
            let (before, from) = rest.split_at(begin);
            let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            let (word, after) = from.split_at(end.unwrap_or(from.len()));
            out.push_str(before);
            let is_port = out.ends_with("://127.0.0.1:") || out.ends_with("://localhost:");
            let is_ticket = out.ends_with("tickets/") || out.ends_with("ticket #");
            match self.record(word) {
                Some(record) => out.push_str(record.as_str().unwrap_or_default()),
                None if is_port => out.push_str("port"),
                None => {
                    let named = word
                        .split('-')
                        .map(|part| match self.of_word(part, is_ticket) {
                            Some(name) => name
                                .as_str()
                                .unwrap_or("an object without a name")
                                .to_owned(),
                            None => part.to_owned(),
                        });
                    out.push_str(&named.collect::<Vec<_>>().join("-"));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The name of what a word is the id of. Tickets have small numbers, so theirs count only where a ticket is meant.
    fn of_word(&self, word: &str, is_ticket: bool) -> Option<Value> {
        let id: Id = word.parse().ok()?;
        if is_ticket && self.state.tickets.contains_key(&id) {
            Some(self.ticket(id))
        } else if self.state.people.contains_key(&id) {
            Some(self.person(id))
        } else if self.state.companies.contains_key(&id) {
            Some(self.company(id))
        } else {
            None
        }
    }

    /// Values under the labels of their fields.
    fn values(&self, owner: Owner, values: &BTreeMap<String, Value>) -> Value {
        let shown = values.iter().map(|(name, value)| {
            let field = self.state.field(owner, name);
            let label = field.map(|field| {
                let level = field.levels.iter().find(|level| level.name == *name);
                level.map_or(&field.label, |level| &level.label).clone()
            });
            let lookup = field.is_some_and(|field| field.kind == fields::LOOKUP);
            let record = value
                .as_str()
                .filter(|_| lookup)
                .and_then(|id| self.record(id));
            json!({"field": label, "value": record.unwrap_or_else(|| value.clone())})
        });
        sorted(shown)
    }

    fn person_content(&self, person: &Person) -> Value {
        let others = person
            .other_companies
            .iter()
            .map(|(id, all)| json!({"company": self.company(*id), "view_all_tickets": all}));
        let roles = person.agent.as_ref().map(|agent| {
            let names = agent.role_ids.iter().map(|id| {
                let role = self.state.roles.iter().find(|role| role.id == *id);
                json!(role.map(|role| role.name))
            });
            json!({
                "roles": sorted(names), "ticket_scope": agent.ticket_scope,
                "occasional": agent.occasional, "signature": agent.signature,
            })
        });
        json!({
            "called": self.person(person.id), "name": person.name, "email": person.email,
            "other_emails": person.other_emails, "phone": person.phone, "mobile": person.mobile,
            "twitter_id": person.twitter_id, "facebook_id": person.facebook_id,
            "social_handler": person.social_handlers,
            "unique_external_id": person.unique_external_id, "address": person.address,
            "company": person.company_id.map(|id| self.company(id)),
            "view_all_tickets": person.view_all_tickets, "other_companies": sorted(others),
            "job_title": person.job_title, "language": person.language,
            "time_zone": person.time_zone, "description": person.description,
            "tags": person.tags, "active": person.active,
            "custom_fields": self.values(Owner::Contact, &person.custom_fields),
            "avatar": person.avatar.as_ref().map(file), "agent": roles,
            "merged_into": person.merged_into.map(|id| self.person(id)),
        })
    }

    fn company_content(&self, company: &Company) -> Value {
        json!({
            "name": company.name, "domains": company.domains, "description": company.description,
            "note": company.note, "health_score": company.health_score,
            "account_tier": company.account_tier, "renewal_date": company.renewal_date,
            "industry": company.industry,
            "custom_fields": self.values(Owner::Company, &company.custom_fields),
        })
    }

    fn record_content(&self, record: &Record) -> Value {
        let schema = self.state.schemas.get(&record.schema_id);
        let mut data = Map::new();
        for (name, value) in &record.data {
            let target = schema
                .and_then(|schema| schema.field(name))
                .and_then(|field| field.target.as_deref());
            let id = value.as_u64().unwrap_or(0);
            let named = match target {
                Some("ticket") => self.ticket(id),
                Some("contact") => self.person(id),
                Some("company") => self.company(id),
                Some(_) => {
                    let record = value.as_str().and_then(|id| self.record(id));
                    record.unwrap_or_else(|| json!("a deleted record"))
                }
                None => value.clone(),
            };
            data.insert(name.clone(), named);
        }
        json!({"object": schema.map(|schema| &schema.name), "data": data})
    }

    fn ticket_content(&self, ticket: &Ticket) -> Value {
        let thread = self.state.thread(ticket.id).iter();
        let at = |given: bool, time| given.then(|| iso(time));
        json!({
            "subject": ticket.subject, "description": ticket.description,
            "status": ticket.status, "priority": ticket.priority, "source": ticket.source,
            "type": ticket.kind, "requester": self.person(ticket.requester_id),
            "responder": ticket.responder_id.map(|id| self.person(id)),
            "group": ticket.group_id.map(|id| self.group(id)),
            "company": ticket.company_id.map(|id| self.company(id)),
            "cc_emails": ticket.cc_emails, "fwd_emails": ticket.fwd_emails, "tags": ticket.tags,
            "custom_fields": self.values(Owner::Ticket, &ticket.custom_fields),
            "spam": ticket.spam, "archived": tickets::archived(self.state, ticket),
            "created_at": at(ticket.given.created, ticket.created_at),
            "updated_at": at(ticket.given.updated, ticket.updated_at),
            "attachments": ticket.attachments.iter().map(file).collect::<Vec<_>>(),
            "conversations": thread.map(|said| self.conversation(said)).collect::<Vec<_>>(),
        })
    }

    fn conversation(&self, said: &Conversation) -> Value {
        json!({
            "author": self.person(said.user_id), "body": said.body, "private": said.private,
            "incoming": said.incoming, "source": said.source, "to_emails": said.to_emails,
            "cc_emails": said.cc_emails, "bcc_emails": said.bcc_emails,
            "created_at": said.time_given.then(|| iso(said.created_at)),
            "attachments": said.attachments.iter().map(file).collect::<Vec<_>>(),
        })
    }
}

fn file(file: &File) -> Value {
    json!({
        "name": file.name, "content_type": file.content_type, "size": file.size,
        "sha256": file.sha256,
    })
}
