//! Looking at a portal from a test: typed content, and a fingerprint of it.
//!
//! Two runs that did the same work give different ids and times, so end states are compared by their fingerprint: canonical JSON in
//! which every id is replaced by what the thing is called by (external id, a custom value that is an id, address, name) and what the
//! portal makes up itself (ids, ticket numbers, times it stamped, imports, unused uploads) is left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::model::{
    Agent, Attachment, Author, Comment, CustomModule, Department, Field, Id, Import, Mapping,
    Module, Moment, Origin, Place, Record, Status, Tag, Team, Thread,
};
use super::read::iso;
use super::state::{Key, State};

/// The content of a portal at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Records of every module, trashed ones and spam included.
    pub records: BTreeMap<Id, Record>,
    /// Threads of all tickets.
    pub threads: BTreeMap<Id, Thread>,
    /// Comments of tickets and activities.
    pub comments: BTreeMap<Id, Comment>,
    /// Files, unused uploads included.
    pub attachments: BTreeMap<Id, Attachment>,
    /// Tags.
    pub tags: BTreeMap<Id, Tag>,
    /// Agents.
    pub agents: BTreeMap<Id, Agent>,
    /// Departments.
    pub departments: BTreeMap<Id, Department>,
    /// Teams.
    pub teams: BTreeMap<Id, Team>,
    /// Custom fields.
    pub fields: BTreeMap<Id, Field>,
    /// Custom modules.
    pub modules: BTreeMap<Id, CustomModule>,
    /// Ticket statuses.
    pub statuses: Vec<Status>,
    /// Imports.
    pub imports: BTreeMap<Id, Import>,
    /// What external ids stand for.
    pub mappings: BTreeMap<Mapping, Id>,
    threads_of: BTreeMap<Id, Vec<Id>>,
    comments_of: BTreeMap<Id, Vec<Id>>,
    files_of: BTreeMap<Place, Vec<Id>>,
}

impl Snapshot {
    pub(super) fn of(state: &State) -> Self {
        let order =
            |keys: &std::collections::BTreeSet<Key>| keys.iter().map(|(_, id)| *id).collect();
        let threads_of = state.threads_of.iter();
        let comments_of = state.comments_of.iter();
        let files_of = state.attachments_of.iter();
        Self {
            records: state.records.clone(),
            threads: state.threads.clone(),
            comments: state.comments.clone(),
            attachments: state.attachments.clone(),
            tags: state.tags.clone(),
            agents: state.agents.clone(),
            departments: state.departments.clone(),
            teams: state.teams.clone(),
            fields: state.fields.clone(),
            modules: state.modules.clone(),
            statuses: state.statuses.clone(),
            imports: state.imports.clone(),
            mappings: state.mappings.clone(),
            threads_of: threads_of.map(|(id, keys)| (*id, order(keys))).collect(),
            comments_of: comments_of.map(|(id, keys)| (*id, order(keys))).collect(),
            files_of: files_of
                .map(|(place, ids)| (*place, ids.iter().copied().collect()))
                .collect(),
        }
    }

    /// The records of a module that are not in the recycle bin.
    pub fn of_module(&self, module: Module) -> impl Iterator<Item = &Record> {
        let all = self.records.values();
        all.filter(move |record| record.module == module && record.trashed.is_none())
    }

    /// The live tickets.
    pub fn tickets(&self) -> impl Iterator<Item = &Record> {
        self.of_module(Module::Tickets)
    }

    /// The live contacts.
    pub fn contacts(&self) -> impl Iterator<Item = &Record> {
        self.of_module(Module::Contacts)
    }

    /// The live accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Record> {
        self.of_module(Module::Accounts)
    }

    /// The live records of a custom module, by its API name.
    pub fn custom(&self, api_name: &str) -> impl Iterator<Item = &Record> {
        let module = self
            .module(api_name)
            .map(|module| Module::Custom(module.id));
        let all = self.records.values();
        all.filter(move |record| Some(record.module) == module && record.trashed.is_none())
    }

    /// The custom module of an API name.
    pub fn module(&self, api_name: &str) -> Option<&CustomModule> {
        let mut all = self.modules.values();
        all.find(|module| module.api_name == api_name)
    }

    /// The records of a module that an import made under this external id, trashed ones too; more than one is a duplicate.
    pub fn by_external_id(&self, module: Module, external_id: &str) -> Vec<&Record> {
        let all = self.records.values();
        all.filter(|record| {
            record.module == module && record.origin.external_id() == Some(external_id)
        })
        .collect()
    }

    /// The live records of a module with this value in the custom field of that label.
    pub fn by_custom(&self, module: Module, label: &str, value: &str) -> Vec<&Record> {
        let all = self.of_module(module);
        all.filter(|record| self.custom_value(record, label) == Some(value))
            .collect()
    }

    /// The value of a record's custom field, by its label.
    pub fn custom_value<'s>(&'s self, record: &'s Record, label: &str) -> Option<&'s str> {
        let field = self.field(record.module, label)?;
        record.cf.get(&field.api_name).map(String::as_str)
    }

    /// The custom field of that label.
    pub fn field(&self, module: Module, label: &str) -> Option<&Field> {
        let mut all = self.fields.values();
        all.find(|field| field.module == module && field.label == label)
    }

    /// The live contact with this address.
    pub fn contact_by_email(&self, email: &str) -> Option<&Record> {
        self.contacts().find(|contact| {
            let mut emails = ["email", "secondaryEmail"].into_iter();
            emails.any(|name| {
                contact
                    .text(name)
                    .is_some_and(|own| own.eq_ignore_ascii_case(email))
            })
        })
    }

    /// The agent with this address.
    pub fn agent_by_email(&self, email: &str) -> Option<&Agent> {
        let mut all = self.agents.values();
        all.find(|agent| agent.email.eq_ignore_ascii_case(email))
    }

    /// The threads of a ticket, oldest first.
    pub fn threads(&self, ticket: Id) -> Vec<&Thread> {
        let ids = self.threads_of.get(&ticket).into_iter().flatten();
        ids.filter_map(|id| self.threads.get(id)).collect()
    }

    /// The comments of a ticket or activity, oldest first.
    pub fn comments(&self, parent: Id) -> Vec<&Comment> {
        let ids = self.comments_of.get(&parent).into_iter().flatten();
        ids.filter_map(|id| self.comments.get(id)).collect()
    }

    /// The files of a place.
    pub fn files(&self, place: Place) -> Vec<&Attachment> {
        let ids = self.files_of.get(&place).into_iter().flatten();
        ids.filter_map(|id| self.attachments.get(id)).collect()
    }

    /// The names of a ticket's tags, in order.
    pub fn tags_of(&self, ticket: &Record) -> Vec<&str> {
        let tags = ticket.tags.iter();
        let mut names: Vec<&str> = tags
            .filter_map(|id| Some(self.tags.get(id)?.name.as_str()))
            .collect();
        names.sort_unstable();
        names
    }

    /// The department of that name.
    pub fn department(&self, name: &str) -> Option<&Department> {
        let mut all = self.departments.values();
        all.find(|department| department.name == name)
    }

    /// The team of that name.
    pub fn team(&self, name: &str) -> Option<&Team> {
        self.teams.values().find(|team| team.name == name)
    }

    /// The address of an author.
    pub fn author_email<'s>(&'s self, author: &'s Author) -> Option<&'s str> {
        match author {
            Author::Agent(id) => self.agents.get(id).map(|agent| agent.email.as_str()),
            Author::Contact(id) => self.records.get(id)?.text("email"),
            Author::Address(address) => Some(address),
        }
    }
}

/// The fingerprint of a portal; see the top of this file.
pub(super) fn fingerprint(state: &State) -> Value {
    let names = Names { state };
    let departments = state.departments.values();
    let teams = state.teams.values();
    let modules = state.modules.values();
    let agents = state.agents.values();
    let fields = state.fields.values();
    json!({
        "records": names.records(false),
        "agents": sorted(agents.map(|agent| json!({
            "email": agent.email, "name": agent.name(), "role": agent.role, "active": agent.active,
            "confirmed": agent.confirmed,
            "departments": sorted(agent.departments.iter().map(|id| names.department(*id))),
        }))),
        "departments": sorted(departments.map(|department| json!({
            "name": department.name, "description": department.description, "enabled": department.enabled,
            "visible": department.visible, "teams": department.teams_enabled,
        }))),
        "teams": sorted(teams.map(|team| json!({
            "name": team.name, "department": names.department(team.department_id), "description": team.description,
            "agents": sorted(team.agents.iter().map(|id| names.agent(*id))),
        }))),
        "tags": sorted(state.tags.values().map(|tag| {
            json!({"name": tag.name, "department": names.department(tag.department_id)})
        })),
        "fields": sorted(fields.map(|field| json!({
            "module": state.module_name(field.module), "api_name": field.api_name, "label": field.label,
            "type": field.kind, "max_length": field.max_length, "allowed": field.allowed, "on_layouts": field.on_layouts,
            "lookup": field.lookup.map(|module| state.module_name(module)), "mandatory": field.mandatory,
        }))),
        "modules": sorted(modules.map(|module| json!({
            "api_name": module.api_name, "singular": module.singular, "plural": module.plural,
            "description": module.description, "by_department": module.by_department,
        }))),
        "statuses": sorted(state.statuses.iter().map(|status| json!([status.name, status.kind.as_str()]))),
        "deleted": names.records(true),
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

fn given(is_given: bool, time: Option<Moment>) -> Value {
    time.filter(|_| is_given)
        .map_or(Value::Null, |time| json!(iso(time)))
}

/// Turns ids into names.
struct Names<'s> {
    state: &'s State,
}

impl Names<'_> {
    fn records(&self, trashed: bool) -> Value {
        let mut modules: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for record in self.state.records.values() {
            if record.trashed.is_some() == trashed {
                let shown = self.in_texts(self.record_content(record));
                let module = self.state.module_name(record.module);
                modules.entry(module).or_default().push(shown);
            }
        }
        let modules = modules.into_iter();
        Value::Object(
            modules
                .map(|(name, records)| (name, sorted(records.into_iter())))
                .collect(),
        )
    }

    fn department(&self, id: Id) -> Value {
        let department = self.state.departments.get(&id);
        json!(department.map(|department| department.name.clone()))
    }

    fn agent(&self, id: Id) -> Value {
        json!(self.state.agents.get(&id).map(|agent| agent.email.clone()))
    }

    /// What a record is called by.
    fn record(&self, record: &Record) -> String {
        if let Some(external_id) = record.origin.external_id() {
            return format!("external:{external_id}");
        }
        let own = self.state.fields_of(record.module);
        let mut own = own.filter(|field| field.label.to_lowercase().ends_with(" id"));
        if let Some(value) = own.find_map(|field| record.cf.get(&field.api_name)) {
            return format!("id:{value}");
        }
        let names = ["email", "accountName", "name", "subject", "lastName"];
        let mut names = names.iter().filter_map(|name| record.text(name));
        format!("name:{}", names.next().unwrap_or_default())
    }

    /// The same with every id replaced by a name.
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
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
            let (before, from) = rest.split_at(begin);
            let end = from.find(|c: char| !c.is_ascii_digit());
            let (word, after) = from.split_at(end.unwrap_or(from.len()));
            out.push_str(before);
            match (word.len() == 18).then(|| self.of_word(word)).flatten() {
                Some(name) => out.push_str(&name),
                None => out.push_str(word),
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn of_word(&self, word: &str) -> Option<String> {
        let id: Id = word.parse().ok()?;
        let state = self.state;
        if let Some(record) = state.records.get(&id) {
            return Some(self.record(record));
        }
        if let Some(agent) = state.agents.get(&id) {
            return Some(format!("agent:{}", agent.email));
        }
        if let Some(department) = state.departments.get(&id) {
            return Some(format!("department:{}", department.name));
        }
        if let Some(team) = state.teams.get(&id) {
            return Some(format!("team:{}", team.name));
        }
        if let Some(file) = state.attachments.get(&id) {
            return Some(format!("file:{}", file.sha256));
        }
        state.layouts.contains_key(&id).then(|| "layout".to_owned())
    }

    fn author(&self, author: &Author) -> Value {
        match author {
            Author::Agent(id) => json!({"agent": self.agent(*id)}),
            Author::Contact(id) => {
                let contact = self.state.records.get(id);
                json!({"contact": contact.map(|contact| self.record(contact))})
            }
            Author::Address(address) => json!({ "address": address }),
        }
    }

    fn files(&self, place: Place) -> Value {
        sorted(self.state.files(place).map(|file| {
            json!({"name": file.name, "size": file.size, "sha256": file.sha256, "public": file.public})
        }))
    }

    fn record_content(&self, record: &Record) -> Value {
        let state = self.state;
        let tags = record.tags.iter();
        let tags = tags.filter_map(|id| Some(json!(state.tags.get(id)?.name)));
        let accounts = record.accounts.iter();
        let accounts = accounts.map(|(id, seen)| json!([id.to_string(), seen]));
        let threads = state.threads(record.id).map(|thread| {
            json!({
                "at": given(thread.given, Some(thread.created_at)), "incoming": thread.incoming,
                "private": thread.private, "channel": thread.channel, "content": thread.content, "from": thread.from,
                "to": thread.to, "cc": thread.cc, "bcc": thread.bcc, "author": self.author(&thread.author),
                "description": thread.description, "external_id": thread.origin.external_id(),
                "files": self.files(Place::Thread(thread.id)),
            })
        });
        let comments = state.comments(record.id).map(|comment| {
            json!({
                "at": given(comment.given, Some(comment.commented_at)), "public": comment.public,
                "content": comment.content, "content_type": comment.content_type,
                "author": self.author(&comment.author), "external_id": comment.origin.external_id(),
                "files": self.files(Place::Comment(comment.id)),
            })
        });
        json!({
            "called": self.record(record), "values": record.values, "cf": record.cf, "spam": record.spam,
            "by_product": record.origin == Origin::ByProduct, "tags": sorted(tags), "accounts": sorted(accounts),
            "created": given(record.given.created, Some(record.created_at)),
            "modified": given(record.given.modified, Some(record.modified_at)),
            "closed": given(record.given.closed, record.closed_at),
            "threads": sorted(threads), "comments": sorted(comments), "files": self.files(Place::Ticket(record.id)),
        })
    }
}
