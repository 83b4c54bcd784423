//! The portal's content, its indexes, and the queue of what is due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::answer::Failure;
use super::auth::Credentials;
use super::model::{
    Agent, Attachment, Comment, CustomModule, Department, Field, Id, Import, Mapping, Module,
    Moment, Origin, Place, Record, Status, Tag, Team, Thread,
};
use super::switches::{Config, StatusType};
use super::{bin, imports};
use crate::common::{AutomationLog, Content, Outbox};

/// Something that happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The next row of an import.
    ImportRow(Id),
    /// The recycle bin lets go of something.
    Purge(Id),
}

/// A place in an ordered list: time in milliseconds, number.
pub(super) type Key = (i64, Id);

/// The place by a time.
pub(super) fn key(time: Moment, id: Id) -> Key {
    (time.timestamp_millis(), id)
}

/// A row of an import that is still to be worked off.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Place in `schema::ROWS`.
    pub kind: usize,
    /// The row as it came.
    pub body: Value,
}

/// A layout: what it is of, and of which department if that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub module: Module,
    pub department: Option<Id>,
}

/// Standard fields of a record by which it is found as a child.
pub(super) const LINKS: &[&str] = &[
    "contactId",
    "accountId",
    "ticketId",
    "departmentId",
    "assigneeId",
    "teamId",
];

/// The portal.
pub(super) struct State {
    pub now: Moment,
    pub config: Config,
    pub outbox: Outbox,
    pub automation_log: AutomationLog,
    pub credentials: Credentials,

    pub agents: BTreeMap<Id, Agent>,
    pub agents_by_email: HashMap<String, Id>,
    pub departments: BTreeMap<Id, Department>,
    pub teams: BTreeMap<Id, Team>,
    pub tags: BTreeMap<Id, Tag>,
    pub tags_by_name: HashMap<(Id, String), Id>,
    pub fields: BTreeMap<Id, Field>,
    pub fields_by_name: HashMap<(Module, String), Id>,
    pub modules: BTreeMap<Id, CustomModule>,
    pub modules_by_name: HashMap<String, Id>,
    pub statuses: Vec<Status>,
    pub layouts: BTreeMap<Id, Layout>,

    pub records: BTreeMap<Id, Record>,
    pub created: HashMap<Module, BTreeSet<Key>>,
    pub modified: HashMap<Module, BTreeSet<Key>>,
    pub emails: HashMap<(Module, String), BTreeSet<Id>>,
    pub account_names: HashMap<String, BTreeSet<Id>>,
    pub links: HashMap<(Module, &'static str, Id), BTreeSet<Key>>,
    pub values: HashMap<(Module, String, String), BTreeSet<Id>>,
    pub tagged: HashMap<Id, BTreeSet<Id>>,
    pub numbers: HashMap<u64, Id>,
    /// In the recycle bin, by when.
    pub bin: BTreeSet<Key>,
    /// What the search index still holds of records that have been changed since (§13).
    pub stale: HashMap<Id, Record>,

    pub threads: BTreeMap<Id, Thread>,
    pub threads_of: HashMap<Id, BTreeSet<Key>>,
    pub comments: BTreeMap<Id, Comment>,
    pub comments_of: HashMap<Id, BTreeSet<Key>>,
    pub attachments: BTreeMap<Id, Attachment>,
    pub attachments_of: HashMap<Place, BTreeSet<Id>>,

    pub imports: BTreeMap<Id, Import>,
    pub rows: HashMap<Id, VecDeque<Row>>,
    pub mappings: BTreeMap<Mapping, Id>,
    pub mappings_of: HashMap<Id, Vec<Mapping>>,

    random: ChaCha8Rng,
    last_id: Id,
    last_number: u64,
    queue: BinaryHeap<Reverse<(Moment, u64, Due)>>,
    queued: u64,
}

impl State {
    /// A portal with nothing in it, not even an administrator.
    pub fn new(config: Config, outbox: Outbox, automation_log: AutomationLog) -> Self {
        let mut statuses: Vec<Status> = [
            ("Open", StatusType::Open),
            ("On Hold", StatusType::OnHold),
            ("Escalated", StatusType::Open),
            ("Closed", StatusType::Closed),
        ]
        .into_iter()
        .map(|(name, kind)| Status {
            name: name.to_owned(),
            kind,
        })
        .collect();
        statuses.extend(
            config
                .preexisting
                .statuses
                .iter()
                .map(|(name, kind)| Status {
                    name: name.clone(),
                    kind: *kind,
                }),
        );
        Self {
            now: config.clock.now(),
            outbox,
            automation_log,
            credentials: Credentials::default(),
            agents: BTreeMap::new(),
            agents_by_email: HashMap::new(),
            departments: BTreeMap::new(),
            teams: BTreeMap::new(),
            tags: BTreeMap::new(),
            tags_by_name: HashMap::new(),
            fields: BTreeMap::new(),
            fields_by_name: HashMap::new(),
            modules: BTreeMap::new(),
            modules_by_name: HashMap::new(),
            statuses,
            layouts: BTreeMap::new(),
            records: BTreeMap::new(),
            created: HashMap::new(),
            modified: HashMap::new(),
            emails: HashMap::new(),
            account_names: HashMap::new(),
            links: HashMap::new(),
            values: HashMap::new(),
            tagged: HashMap::new(),
            numbers: HashMap::new(),
            bin: BTreeSet::new(),
            stale: HashMap::new(),
            threads: BTreeMap::new(),
            threads_of: HashMap::new(),
            comments: BTreeMap::new(),
            comments_of: HashMap::new(),
            attachments: BTreeMap::new(),
            attachments_of: HashMap::new(),
            imports: BTreeMap::new(),
            rows: HashMap::new(),
            mappings: BTreeMap::new(),
            mappings_of: HashMap::new(),
            random: ChaCha8Rng::seed_from_u64(config.seed),
            // §1: 18 digits; a double would round them.
            last_id: 400_000_000_000_000_000 + config.seed % 1_000 * 1_000_000_000_000,
            last_number: 100,
            queue: BinaryHeap::new(),
            queued: 0,
            config,
        }
    }

    /// The next id.
    pub fn next_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// The next ticket number (§7.5).
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Random letters and digits.
    pub fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdef0123456789";
        (0..length)
            .filter_map(|_| LETTERS.get(self.random.random_range(0..LETTERS.len())))
            .map(|byte| char::from(*byte))
            .collect()
    }

    /// Puts something in the queue.
    pub fn schedule(&mut self, at: Moment, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, due)));
    }

    // ---- records

    /// A record of a module, wherever it is.
    pub fn record(&self, module: Module, id: Id) -> Result<&Record, Failure> {
        let found = self.records.get(&id);
        found
            .filter(|record| record.module == module)
            .ok_or_else(Failure::not_found)
    }

    /// A record that is not in the recycle bin; a trashed one is there, but nothing can be done with it (§5).
    pub fn live(&self, module: Module, id: Id) -> Result<&Record, Failure> {
        let record = self.record(module, id)?;
        if record.trashed.is_some() {
            return Err(Failure::unprocessable("The record is in the recycle bin."));
        }
        Ok(record)
    }

    /// Whether there is such a record that is not in the recycle bin.
    pub fn has(&self, module: Module, id: Id) -> bool {
        self.live(module, id).is_ok()
    }

    /// Stores a record and keeps the indexes.
    pub fn put_record(&mut self, record: Record) {
        let (id, module) = (record.id, record.module);
        let created = key(record.created_at, id);
        self.created.entry(module).or_default().insert(created);
        self.modified
            .entry(module)
            .or_default()
            .insert(key(record.modified_at, id));
        for email in record_emails(&record) {
            self.emails.entry((module, email)).or_default().insert(id);
        }
        if let Some(name) = account_name(&record) {
            self.account_names.entry(name).or_default().insert(id);
        }
        for (name, other) in record_links(&record) {
            let children = self.links.entry((module, name, other)).or_default();
            children.insert(created);
        }
        for (name, value) in &record.cf {
            let index = (module, name.clone(), value.to_lowercase());
            self.values.entry(index).or_default().insert(id);
        }
        for tag in &record.tags {
            self.tagged.entry(*tag).or_default().insert(id);
        }
        if let Some(number) = record.number {
            self.numbers.insert(number, id);
        }
        if let Some(trashed) = &record.trashed {
            self.bin.insert(key(trashed.at, id));
        }
        self.records.insert(id, record);
    }

    /// Takes a record out, with the index entries; what hangs on it stays.
    pub fn take_record(&mut self, id: Id) -> Option<Record> {
        let record = self.records.remove(&id)?;
        let module = record.module;
        let created = key(record.created_at, id);
        if let Some(all) = self.created.get_mut(&module) {
            all.remove(&created);
        }
        if let Some(all) = self.modified.get_mut(&module) {
            all.remove(&key(record.modified_at, id));
        }
        for email in record_emails(&record) {
            drop_from(&mut self.emails, (module, email), &id);
        }
        if let Some(name) = account_name(&record) {
            drop_from(&mut self.account_names, name, &id);
        }
        for (name, other) in record_links(&record) {
            drop_from(&mut self.links, (module, name, other), &created);
        }
        for (name, value) in &record.cf {
            drop_from(
                &mut self.values,
                (module, name.clone(), value.to_lowercase()),
                &id,
            );
        }
        for tag in &record.tags {
            drop_from(&mut self.tagged, *tag, &id);
        }
        if let Some(number) = record.number {
            self.numbers.remove(&number);
        }
        if let Some(trashed) = &record.trashed {
            self.bin.remove(&key(trashed.at, id));
        }
        Some(record)
    }

    /// Changes a record and nothing else: `modifiedTime` stays unless the edit moves it. The search index follows later (§13).
    pub fn edit_record<R>(&mut self, id: Id, edit: impl FnOnce(&mut Record) -> R) -> Option<R> {
        let mut record = self.take_record(id)?;
        let lag = self.config.switches.search_lag;
        if record.touched_at + lag <= self.now && !lag.is_zero() {
            self.stale.insert(id, record.clone());
        }
        let result = edit(&mut record);
        record.touched_at = self.now;
        self.put_record(record);
        Some(result)
    }

    /// Changes a record; `modifiedTime` moves.
    pub fn change_record<R>(
        &mut self,
        id: Id,
        by: Id,
        edit: impl FnOnce(&mut Record) -> R,
    ) -> Option<R> {
        let now = self.now;
        self.edit_record(id, |record| {
            record.modified_at = now;
            record.modified_by = by;
            record.given.modified = false;
            edit(record)
        })
    }

    /// A new record without content.
    pub fn blank(&mut self, module: Module, by: Id, origin: Origin) -> Record {
        Record {
            id: self.next_id(),
            module,
            number: None,
            values: BTreeMap::new(),
            cf: BTreeMap::new(),
            created_at: self.now,
            modified_at: self.now,
            closed_at: None,
            created_by: by,
            modified_by: by,
            given: super::model::Given::default(),
            origin,
            trashed: None,
            spam: false,
            read: false,
            archived: false,
            tags: BTreeSet::new(),
            accounts: BTreeMap::new(),
            touched_at: self.now,
        }
    }

    /// Records of a module that name another thing in a standard field, oldest first.
    pub fn children(&self, module: Module, link: &'static str, of: Id) -> Vec<Id> {
        let keys = self.links.get(&(module, link, of));
        keys.map(|keys| keys.iter().map(|(_, id)| *id).collect())
            .unwrap_or_default()
    }

    /// The contacts with an address that are not in the recycle bin.
    pub fn contacts_with(&self, email: &str) -> Vec<Id> {
        let ids = self.emails.get(&(Module::Contacts, email.to_lowercase()));
        ids.into_iter()
            .flatten()
            .copied()
            .filter(|id| self.has(Module::Contacts, *id))
            .collect()
    }

    // ---- threads, comments, files

    /// Stores a thread and keeps the index.
    pub fn put_thread(&mut self, thread: Thread) {
        let of = self.threads_of.entry(thread.ticket_id).or_default();
        of.insert(key(thread.created_at, thread.id));
        self.threads.insert(thread.id, thread);
    }

    /// Takes a thread out, with its files and mappings.
    pub fn take_thread(&mut self, id: Id) -> Option<Thread> {
        let thread = self.threads.remove(&id)?;
        drop_from(
            &mut self.threads_of,
            thread.ticket_id,
            &key(thread.created_at, id),
        );
        self.take_files(Place::Thread(id));
        self.forget(id);
        Some(thread)
    }

    /// Stores a comment and keeps the index.
    pub fn put_comment(&mut self, comment: Comment) {
        let of = self.comments_of.entry(comment.parent_id).or_default();
        of.insert(key(comment.commented_at, comment.id));
        self.comments.insert(comment.id, comment);
    }

    /// Takes a comment out, with its files and mappings.
    pub fn take_comment(&mut self, id: Id) -> Option<Comment> {
        let comment = self.comments.remove(&id)?;
        drop_from(
            &mut self.comments_of,
            comment.parent_id,
            &key(comment.commented_at, id),
        );
        self.take_files(Place::Comment(id));
        self.forget(id);
        Some(comment)
    }

    /// The comments of a record, oldest first.
    pub fn comments(&self, parent: Id) -> impl DoubleEndedIterator<Item = &Comment> {
        let keys = self.comments_of.get(&parent).into_iter().flatten();
        keys.filter_map(|(_, id)| self.comments.get(id))
    }

    /// The threads of a ticket, oldest first.
    pub fn threads(&self, ticket: Id) -> impl DoubleEndedIterator<Item = &Thread> {
        let keys = self.threads_of.get(&ticket).into_iter().flatten();
        keys.filter_map(|(_, id)| self.threads.get(id))
    }

    /// Stores a file and keeps the index.
    pub fn put_file(&mut self, file: Attachment) {
        if let Some(old) = self.attachments.get(&file.id) {
            drop_from(&mut self.attachments_of, old.place, &file.id);
        }
        self.attachments_of
            .entry(file.place)
            .or_default()
            .insert(file.id);
        self.attachments.insert(file.id, file);
    }

    /// Takes a file out.
    pub fn take_file(&mut self, id: Id) -> Option<Attachment> {
        let file = self.attachments.remove(&id)?;
        drop_from(&mut self.attachments_of, file.place, &id);
        Some(file)
    }

    /// The files of a place.
    pub fn files(&self, place: Place) -> impl DoubleEndedIterator<Item = &Attachment> {
        let ids = self.attachments_of.get(&place).into_iter().flatten();
        ids.filter_map(|id| self.attachments.get(id))
    }

    fn take_files(&mut self, place: Place) {
        for id in self.attachments_of.remove(&place).into_iter().flatten() {
            self.attachments.remove(&id);
        }
    }

    /// Takes a record out for good, with everything of its own.
    pub fn erase(&mut self, id: Id) {
        let Some(record) = self.take_record(id) else {
            return;
        };
        self.stale.remove(&id);
        let keys = |of: Option<&BTreeSet<Key>>| -> Vec<Id> {
            of.map(|keys| keys.iter().map(|(_, id)| *id).collect())
                .unwrap_or_default()
        };
        for thread in keys(self.threads_of.get(&id)) {
            self.take_thread(thread);
        }
        for comment in keys(self.comments_of.get(&id)) {
            self.take_comment(comment);
        }
        self.take_files(Place::Ticket(id));
        self.forget(id);
        // §8: a lookup to it is set to null.
        let lookups: Vec<(Module, String)> = self
            .fields
            .values()
            .filter(|field| field.lookup == Some(record.module))
            .map(|field| (field.module, field.api_name.clone()))
            .collect();
        for (module, name) in lookups {
            let holders = self.values.get(&(module, name.clone(), id.to_string()));
            let holders: Vec<Id> = holders.into_iter().flatten().copied().collect();
            for holder in holders {
                self.edit_record(holder, |record| record.cf.remove(&name));
            }
        }
    }

    // ---- mappings

    /// What an external id stands for, from now on.
    pub fn map(&mut self, mapping: Mapping, id: Id) {
        if let Some(old) = self.mappings.insert(mapping.clone(), id)
            && let Some(list) = self.mappings_of.get_mut(&old)
        {
            list.retain(|other| *other != mapping);
        }
        self.mappings_of.entry(id).or_default().push(mapping);
    }

    /// The mappings of something that is gone for good (§12).
    fn forget(&mut self, id: Id) {
        if self.config.switches.mappings_outlive {
            return;
        }
        for mapping in self.mappings_of.remove(&id).into_iter().flatten() {
            self.mappings.remove(&mapping);
        }
    }

    // ---- people and settings

    /// Stores an agent and keeps the index.
    pub fn put_agent(&mut self, agent: Agent) {
        if let Some(old) = self.agents.get(&agent.id) {
            self.agents_by_email.remove(&old.email.to_lowercase());
        }
        self.agents_by_email
            .insert(agent.email.to_lowercase(), agent.id);
        self.agents.insert(agent.id, agent);
    }

    /// The agent with an address.
    pub fn agent_by_email(&self, email: &str) -> Option<&Agent> {
        self.agents
            .get(self.agents_by_email.get(&email.to_lowercase())?)
    }

    /// The default department.
    pub fn default_department(&self) -> Id {
        let mut all = self.departments.values();
        all.find(|department| department.default)
            .map(|department| department.id)
            .unwrap_or_default()
    }

    /// Stores a field and keeps the index.
    pub fn put_field(&mut self, field: Field) {
        self.fields_by_name
            .insert((field.module, field.api_name.clone()), field.id);
        self.fields.insert(field.id, field);
    }

    /// The custom field of that API name.
    pub fn field(&self, module: Module, name: &str) -> Option<&Field> {
        let id = self.fields_by_name.get(&(module, name.to_owned()))?;
        self.fields.get(id)
    }

    /// The custom field of that label.
    pub fn field_by_label(&self, module: Module, label: &str) -> Option<&Field> {
        let mut all = self.fields.values();
        all.find(|field| field.module == module && field.label == label)
    }

    /// The custom fields of a module.
    pub fn fields_of(&self, module: Module) -> impl Iterator<Item = &Field> {
        let all = self.fields.values();
        all.filter(move |field| field.module == module)
    }

    /// What a ticket status means.
    pub fn status_type(&self, name: &str) -> Option<StatusType> {
        let mut all = self.statuses.iter();
        all.find(|status| status.name == name)
            .map(|status| status.kind)
    }

    /// The name of a module, custom or not.
    pub fn module_name(&self, module: Module) -> String {
        match module {
            Module::Custom(id) => self
                .modules
                .get(&id)
                .map(|module| module.api_name.clone())
                .unwrap_or_default(),
            other => other.as_str().to_owned(),
        }
    }

    /// The module of that name, custom or not.
    pub fn module_named(&self, name: &str) -> Option<Module> {
        Module::named(name).or_else(|| self.modules_by_name.get(name).map(|id| Module::Custom(*id)))
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::ImportRow(import) => imports::step(self, import),
            Due::Purge(record) => bin::purge(self, record),
        }
    }
}

impl Content for State {
    fn run_until(&mut self, now: DateTime<Utc>) {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((at, _, due))) = self.queue.pop() else {
                break;
            };
            self.now = self.now.max(at);
            self.happen(due);
        }
        self.now = self.now.max(now);
    }
}

fn drop_from<K: std::hash::Hash + Eq, V: Ord>(
    index: &mut HashMap<K, BTreeSet<V>>,
    at: K,
    what: &V,
) {
    if let Some(set) = index.get_mut(&at) {
        set.remove(what);
        if set.is_empty() {
            index.remove(&at);
        }
    }
}

fn record_emails(record: &Record) -> Vec<String> {
    ["email", "secondaryEmail"]
        .iter()
        .filter_map(|name| record.text(name))
        .filter(|email| !email.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn account_name(record: &Record) -> Option<String> {
    record.text("accountName").map(str::to_lowercase)
}

/// What a record hangs on; a contact's further accounts are links, too.
fn record_links(record: &Record) -> Vec<(&'static str, Id)> {
    let mut links: Vec<(&'static str, Id)> = LINKS
        .iter()
        .filter_map(|name| Some((*name, record.link(name)?)))
        .collect();
    links.extend(record.accounts.keys().map(|account| ("accounts", *account)));
    links
}
