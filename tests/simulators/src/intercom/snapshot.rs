//! Looking at a workspace from a test: typed content, and a fingerprint of it.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint:
//! canonical JSON in which every id is replaced by what the record is called by (external id, address, name) and what the
//! workspace makes up itself (ids, addresses of files, times it stamped, jobs) is left out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::files;
use super::model::{
    Admin, Applied, Attachment, Author, Company, Contact, Conversation, ConversationAttribute,
    DataAttribute, Deleted, Id, Instance, Job, Model, Note, ObjectType, Part, Segment, Tag, Team,
    Ticket, TicketState, TicketType,
};
use super::state::State;

/// The content of a workspace at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Admins, removed ones included.
    pub admins: Vec<Admin>,
    /// Teams.
    pub teams: Vec<Team>,
    /// Contacts, archived and blocked ones included.
    pub contacts: Vec<Contact>,
    /// Merged contacts: into whom.
    pub merged: HashMap<String, String>,
    /// Notes about contacts and companies.
    pub notes: BTreeMap<Id, Note>,
    /// Companies, archived ones included.
    pub companies: Vec<Company>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// Segments.
    pub segments: Vec<Segment>,
    /// Custom data attributes, archived ones included.
    pub data_attributes: Vec<DataAttribute>,
    /// Conversation attributes, archived ones included.
    pub conversation_attributes: Vec<ConversationAttribute>,
    /// Types of custom objects.
    pub object_types: Vec<ObjectType>,
    /// Instances of custom objects.
    pub instances: BTreeMap<Id, Instance>,
    /// Conversations with their parts.
    pub conversations: Vec<Conversation>,
    /// Deleted conversations.
    pub deleted: Vec<Deleted>,
    /// Ticket types, archived ones included.
    pub ticket_types: Vec<TicketType>,
    /// States of tickets.
    pub ticket_states: Vec<TicketState>,
    /// Tickets with their parts.
    pub tickets: Vec<Ticket>,
    /// Jobs.
    pub jobs: Vec<Job>,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        Self {
            admins: state.admins.values().cloned().collect(),
            teams: state.teams.values().cloned().collect(),
            contacts: state.contacts.values().cloned().collect(),
            merged: state.merged.clone(),
            notes: state.notes.clone(),
            companies: state.companies.values().cloned().collect(),
            tags: state.tags.values().cloned().collect(),
            segments: state.segments.clone(),
            data_attributes: state.data_attributes.values().cloned().collect(),
            conversation_attributes: state.conversation_attributes.values().cloned().collect(),
            object_types: state.object_types.values().cloned().collect(),
            instances: state.instances.clone(),
            conversations: state.conversations.values().cloned().collect(),
            deleted: state.deleted.clone(),
            ticket_types: state.ticket_types.values().cloned().collect(),
            ticket_states: state.ticket_states.clone(),
            tickets: state.tickets.values().cloned().collect(),
            jobs: state.jobs.values().cloned().collect(),
        }
    }

    /// The contact with this id.
    pub fn contact(&self, id: &str) -> Option<&Contact> {
        let found = self
            .contacts
            .binary_search_by(|contact| contact.id.as_str().cmp(id));
        self.contacts.get(found.ok()?)
    }

    /// The contacts with this external id; more than one is a duplicate.
    pub fn contacts_by_external_id(&self, external_id: &str) -> Vec<&Contact> {
        let all = self.contacts.iter();
        all.filter(|contact| contact.external_id.as_deref() == Some(external_id))
            .collect()
    }

    /// The contacts with this address.
    pub fn contacts_by_email(&self, email: &str) -> Vec<&Contact> {
        let same = |contact: &&Contact| {
            contact
                .email
                .as_ref()
                .is_some_and(|other| other.eq_ignore_ascii_case(email))
        };
        self.contacts.iter().filter(same).collect()
    }

    /// The company with this `company_id`.
    pub fn company(&self, company_id: &str) -> Option<&Company> {
        self.companies
            .iter()
            .find(|company| company.company_id == company_id)
    }

    /// The admin with this address.
    pub fn admin_by_email(&self, email: &str) -> Option<&Admin> {
        self.admins
            .iter()
            .find(|admin| admin.email.eq_ignore_ascii_case(email))
    }

    /// The team of this name.
    pub fn team(&self, name: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.name == name)
    }

    /// The tag of this name, in any case.
    pub fn tag(&self, name: &str) -> Option<&Tag> {
        self.tags
            .iter()
            .find(|tag| tag.name.eq_ignore_ascii_case(name))
    }

    /// The names of tags on something.
    pub fn tags_of(&self, applied: &[Applied]) -> Vec<&str> {
        let name = |one: &Applied| {
            Some(
                self.tags
                    .iter()
                    .find(|tag| tag.id == one.tag)?
                    .name
                    .as_str(),
            )
        };
        applied.iter().filter_map(name).collect()
    }

    /// The conversation with this number.
    pub fn conversation(&self, id: Id) -> Option<&Conversation> {
        let found = self
            .conversations
            .binary_search_by_key(&id, |conversation| conversation.id);
        self.conversations.get(found.ok()?)
    }

    /// The value of a conversation's attribute, found by its name; live ones before archived ones.
    pub fn conversation_value<'s>(
        &'s self,
        conversation: &'s Conversation,
        name: &str,
    ) -> Option<&'s Value> {
        let mut named: Vec<&ConversationAttribute> = self
            .conversation_attributes
            .iter()
            .filter(|one| one.name == name)
            .collect();
        named.sort_by_key(|one| one.archived);
        named
            .iter()
            .find_map(|one| conversation.custom_attributes.get(&one.id))
    }

    /// The conversations whose attribute of this name has this value; more than one may be a duplicate.
    pub fn conversations_where(&self, name: &str, value: &Value) -> Vec<&Conversation> {
        let all = self.conversations.iter();
        all.filter(|one| self.conversation_value(one, name) == Some(value))
            .collect()
    }

    /// The value of a ticket's attribute, found by its name.
    pub fn ticket_value<'s>(&'s self, ticket: &'s Ticket, name: &str) -> Option<&'s Value> {
        let kind = self
            .ticket_types
            .iter()
            .find(|kind| kind.id == ticket.ticket_type_id)?;
        let attribute = kind.attributes.iter().find(|one| one.name == name)?;
        ticket.attributes.get(&attribute.id)
    }

    /// The data attribute of a model by its name.
    pub fn data_attribute(&self, model: Model, name: &str) -> Option<&DataAttribute> {
        let mut all = self.data_attributes.iter();
        all.find(|one| one.model == model && one.name == name)
    }

    /// The instance of a type by its external id.
    pub fn instance(&self, kind: &str, external_id: &str) -> Option<&Instance> {
        let mut all = self.instances.values();
        all.find(|one| one.kind == kind && one.external_id == external_id)
    }

    /// Parts of admins that contacts were told of.
    pub fn notified(&self) -> Vec<&Part> {
        let parts = self.conversations.iter().flat_map(|one| &one.parts);
        let parts = parts.chain(self.tickets.iter().flat_map(|one| &one.parts));
        parts.filter(|part| part.notified).collect()
    }
}

/// The fingerprint of a workspace; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let names = Names::new(state);
    let contacts = |archived: bool| {
        let all = state.contacts.values();
        let chosen = all.filter(move |one| (one.archived || one.blocked) == archived);
        sorted(chosen.map(|one| names.in_texts(names.contact_content(one))))
    };
    let companies = |archived: bool| {
        let all = state.companies.values();
        let chosen = all.filter(move |one| one.archived == archived);
        sorted(chosen.map(|one| names.in_texts(names.company_content(one))))
    };
    let attributes = |archived: bool| {
        let all = state.data_attributes.values();
        let chosen = all.filter(move |one| one.archived == archived);
        sorted(chosen.map(|one| {
            json!({
                "model": one.model.as_str(), "name": one.name, "description": one.description,
                "data_type": one.data_type, "options": one.options, "messenger_writable": one.messenger_writable,
            })
        }))
    };
    let of_conversations = |archived: bool| {
        let all = state.conversation_attributes.values();
        let chosen = all.filter(move |one| one.archived == archived);
        sorted(chosen.map(|one| {
            let options = one.options.iter().map(|o| json!({"label": o.label, "archived": o.archived}));
            json!({
                "name": one.name, "description": one.description, "data_type": one.data_type,
                "required": one.required, "multiline": one.multiline, "options": options.collect::<Vec<_>>(),
                "reference": one.reference,
            })
        }))
    };
    let types = |archived: bool| {
        let all = state.ticket_types.values();
        let chosen = all.filter(move |one| one.archived == archived);
        sorted(chosen.map(ticket_type_content))
    };
    json!({
        "admins": sorted(state.admins.values().map(|admin| json!({
            "email": admin.email, "name": admin.name, "removed": admin.removed,
        }))),
        "teams": sorted(state.teams.values().map(|team| json!({
            "name": team.name, "members": sorted(team.admin_ids.iter().map(|id| names.admin(*id))),
        }))),
        "contacts": contacts(false),
        "companies": companies(false),
        "tags": sorted(state.tags.values().map(|tag| json!(tag.name))),
        "segments": sorted(state.segments.iter().map(|one| json!(one.name))),
        "data_attributes": attributes(false),
        "conversation_attributes": of_conversations(false),
        "ticket_types": types(false),
        "instances": sorted(state.instances.values().map(|one| names.in_texts(names.instance_content(one)))),
        "conversations": sorted(
            state.conversations.values().map(|one| names.in_texts(names.conversation_content(one))),
        ),
        "tickets": sorted(state.tickets.values().map(|one| names.in_texts(names.ticket_content(one)))),
        "archived": {
            "contacts": contacts(true), "companies": companies(true), "data_attributes": attributes(true),
            "conversation_attributes": of_conversations(true), "ticket_types": types(true),
        },
    })
}

fn ticket_type_content(kind: &TicketType) -> Value {
    let attributes = kind.attributes.iter().map(|one| {
        let options = one.options.iter().map(|option| option.label.clone());
        json!({
            "name": one.name, "description": one.description, "data_type": one.data_type,
            "required": one.required_to_create, "multiline": one.multiline, "archived": one.archived,
            "multiple": one.allow_multiple_values, "options": options.collect::<Vec<_>>(),
        })
    });
    json!({
        "name": kind.name, "description": kind.description, "category": kind.category.as_str(),
        "attributes": attributes.collect::<Vec<_>>(),
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

/// Turns ids into names.
struct Names<'s> {
    state: &'s State,
    /// Every option of a list, by its UUID: where it is and what it says.
    options: HashMap<&'s str, String>,
}

impl<'s> Names<'s> {
    fn new(state: &'s State) -> Self {
        let of_tickets = state
            .ticket_types
            .values()
            .flat_map(|kind| &kind.attributes);
        let of_tickets = of_tickets.flat_map(|one| one.options.iter().map(|o| (&one.name, o)));
        let of_conversations = state.conversation_attributes.values();
        let of_conversations =
            of_conversations.flat_map(|one| one.options.iter().map(|o| (&one.name, o)));
        let all = of_tickets.chain(of_conversations);
        let options = all.map(|(name, option)| {
            (
                option.id.as_str(),
                format!("option:{name}:{}", option.label),
            )
        });
        Self {
            state,
            options: options.collect(),
        }
    }

    fn contact(&self, id: &str) -> Value {
        let Some(contact) = self.state.contacts.get(id) else {
            return json!("a deleted contact");
        };
        let name = contact
            .external_id
            .as_ref()
            .map(|id| format!("external:{id}"));
        let name = name.or_else(|| Some(format!("email:{}", contact.email.as_ref()?)));
        json!(
            name.unwrap_or_else(|| format!("name:{}", contact.name.as_deref().unwrap_or_default()))
        )
    }

    fn admin(&self, id: Id) -> Value {
        let admin = self.state.admins.get(&id);
        json!(admin.map_or("a deleted admin".to_owned(), |admin| format!(
            "admin:{}",
            admin.email
        )))
    }

    fn company(&self, id: &str) -> Value {
        let company = self.state.companies.get(id);
        json!(
            company.map_or("a deleted company".to_owned(), |one| format!(
                "company:{}",
                one.company_id
            ))
        )
    }

    fn author(&self, author: &Author) -> Value {
        match author {
            Author::Contact(id) => self.contact(id),
            Author::Admin(id) => self.admin(*id),
            Author::Bot => json!("bot"),
        }
    }

    fn instance(&self, id: Id) -> Option<Value> {
        let one = self.state.instances.get(&id)?;
        Some(json!(format!("{}:{}", one.kind, one.external_id)))
    }

    /// A conversation is called by how it began.
    fn conversation(&self, id: Id) -> Value {
        let Some(one) = self.state.conversations.get(&id) else {
            return json!("a deleted conversation");
        };
        let at = if one.created_given {
            one.created_at.to_string()
        } else {
            "now".to_owned()
        };
        let author = self.contact(&one.source.author);
        json!(format!(
            "conversation of {} at {at}",
            author.as_str().unwrap_or_default()
        ))
    }

    /// The same with every id replaced by a name: what a client writes of an object it has just made.
    fn in_texts(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.in_text(&text)),
            Value::Number(number) => {
                let id = number.as_u64().and_then(|id| self.of_id(id));
                id.unwrap_or(Value::Number(number))
            }
            Value::Array(items) => items
                .into_iter()
                .map(|value| self.in_texts(value))
                .collect(),
            Value::Object(map) => {
                let named = map
                    .into_iter()
                    .map(|(key, value)| (self.in_text(&key), self.in_texts(value)));
                Value::Object(named.collect())
            }
            other => other,
        }
    }

    fn in_text(&self, text: &str) -> String {
        if let Some(option) = self.options.get(text) {
            return option.clone();
        }
        // The addresses of files end: what they lead to counts.
        if let Some(file) = files::behind(self.state, text).filter(|_| text.starts_with("http")) {
            return format!("file:{}", file.sha256);
        }
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

    fn of_word(&self, word: &str) -> Option<Value> {
        if self.state.contacts.contains_key(word) {
            return Some(self.contact(word));
        }
        if self.state.companies.contains_key(word) {
            return Some(self.company(word));
        }
        self.of_id(word.parse().ok()?)
    }

    fn of_id(&self, id: Id) -> Option<Value> {
        let state = self.state;
        if state.admins.contains_key(&id) {
            return Some(self.admin(id));
        }
        if state.conversations.contains_key(&id) {
            return Some(self.conversation(id));
        }
        if let Some(team) = state.teams.get(&id) {
            return Some(json!(format!("team:{}", team.name)));
        }
        if let Some(tag) = state.tags.get(&id) {
            return Some(json!(format!("tag:{}", tag.name)));
        }
        if let Some(one) = state.data_attributes.get(&id) {
            return Some(json!(format!("attribute:{}", one.name)));
        }
        if let Some(one) = state.conversation_attributes.get(&id) {
            return Some(json!(format!("conversation attribute:{}", one.name)));
        }
        if let Some(one) = state.ticket_types.get(&id) {
            return Some(json!(format!("ticket type:{}", one.name)));
        }
        if state.tickets.contains_key(&id) {
            return Some(json!("a ticket"));
        }
        self.instance(id)
    }

    fn tags(&self, applied: &[Applied]) -> Value {
        let tags = applied.iter();
        sorted(tags.filter_map(|one| Some(json!(self.state.tags.get(&one.tag)?.name))))
    }

    fn notes(&self, notes: &[Id]) -> Value {
        let notes = notes.iter().filter_map(|id| self.state.notes.get(id));
        sorted(notes.map(|note| json!({"author": self.admin(note.admin_id), "body": note.body})))
    }

    fn contact_content(&self, one: &Contact) -> Value {
        json!({
            "called": self.contact(&one.id), "external_id": one.external_id, "role": one.role.as_str(),
            "email": one.email, "phone": one.phone, "name": one.name, "avatar": one.avatar,
            "owner": one.owner_id.map(|id| self.admin(id)), "signed_up_at": one.signed_up_at,
            "last_seen_at": one.last_seen_at, "unsubscribed": one.unsubscribed_from_emails,
            "verified": one.email_verified, "custom_attributes": one.custom_attributes,
            "tags": self.tags(&one.tags), "companies": sorted(one.companies.iter().map(|id| self.company(id))),
            "notes": self.notes(&one.notes), "blocked": one.blocked, "by_product": one.by_product,
        })
    }

    fn company_content(&self, one: &Company) -> Value {
        let tags = one.tags.iter();
        json!({
            "company_id": one.company_id, "name": one.name, "remote_created_at": one.remote_created_at,
            "plan": one.plan, "size": one.size, "website": one.website, "industry": one.industry,
            "monthly_spend": one.monthly_spend, "custom_attributes": one.custom_attributes,
            "tags": sorted(tags.filter_map(|id| Some(json!(self.state.tags.get(id)?.name)))),
            "notes": self.notes(&one.notes), "contacts": sorted(one.contacts.iter().map(|id| self.contact(id))),
        })
    }

    fn instance_content(&self, one: &Instance) -> Value {
        json!({
            "type": one.kind, "external_id": one.external_id, "external_created_at": one.external_created_at,
            "external_updated_at": one.external_updated_at, "custom_attributes": one.custom_attributes,
        })
    }

    fn conversation_content(&self, one: &Conversation) -> Value {
        let values = one.custom_attributes.iter().filter_map(|(id, value)| {
            let attribute = self.state.conversation_attributes.get(id)?;
            Some(json!({"attribute": attribute.name, "value": value}))
        });
        let team = one
            .team_assignee_id
            .and_then(|id| self.state.teams.get(&id));
        json!({
            "title": one.title, "created": one.created_given.then_some(one.created_at),
            "source": {
                "author": self.contact(&one.source.author), "body": one.source.body,
                "subject": one.source.subject, "redacted": one.source.redacted,
                "attachments": attachments(&one.source.attachments),
            },
            "state": one.state.as_str(), "snoozed_until": one.snoozed_until, "read": one.read,
            "admin": one.admin_assignee_id.map(|id| self.admin(id)), "team": team.map(|team| team.name.clone()),
            "company": one.company_id.as_ref().map(|id| self.company(id)),
            "contacts": sorted(one.contacts.iter().map(|id| self.contact(id))), "tags": self.tags(&one.tags),
            "custom_attributes": sorted(values), "archived": one.archived,
            "parts": one.parts.iter().map(|part| self.part(part)).collect::<Vec<_>>(),
        })
    }

    fn ticket_content(&self, one: &Ticket) -> Value {
        let kind = self.state.ticket_types.get(&one.ticket_type_id);
        let values = one.attributes.iter().filter_map(|(id, value)| {
            let attribute = kind?
                .attributes
                .iter()
                .find(|attribute| attribute.id == *id)?;
            Some(json!({"attribute": attribute.name, "value": value}))
        });
        let state = self
            .state
            .ticket_states
            .iter()
            .find(|state| state.id == one.state_id);
        let team = one
            .team_assignee_id
            .and_then(|id| self.state.teams.get(&id));
        json!({
            "type": kind.map(|kind| kind.name.clone()), "state": state.map(|state| state.category),
            "created": one.created_given.then_some(one.created_at), "open": one.open,
            "snoozed_until": one.snoozed_until, "shared": one.is_shared,
            "admin": one.admin_assignee_id.map(|id| self.admin(id)), "team": team.map(|team| team.name.clone()),
            "company": one.company_id.as_ref().map(|id| self.company(id)),
            "contacts": sorted(one.contacts.iter().map(|id| self.contact(id))), "tags": self.tags(&one.tags),
            "attributes": sorted(values), "conversation": one.conversation.map(|id| self.conversation(id)),
            "parts": one.parts.iter().map(|part| self.part(part)).collect::<Vec<_>>(),
        })
    }

    fn part(&self, part: &Part) -> Value {
        let assigned: BTreeSet<String> = part
            .assigned_to
            .iter()
            .map(|to| self.in_text(&format!("{to:?}")))
            .collect();
        json!({
            "type": part.part_type, "author": self.author(&part.author), "body": part.body,
            "created": part.created_given.then_some(part.created_at), "assigned_to": assigned,
            "attachments": attachments(&part.attachments), "redacted": part.redacted, "notified": part.notified,
        })
    }
}

fn attachments(files: &[Attachment]) -> Value {
    let files = files.iter();
    files
        .map(|file| {
            let source = file.source_url.as_ref().filter(|_| file.sha256.is_empty());
            json!({
                "name": file.name, "content_type": file.content_type, "size": file.size, "sha256": file.sha256,
                "source": source,
            })
        })
        .collect()
}
