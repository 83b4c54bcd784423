//! The content of an account: records with their indexes, links between them, and the queue of what is due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDate, SecondsFormat, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::model::{
    Change, File, Folder, Id, LinkKey, LinkType, ObjectType, Owner, Pipeline, Record, Ref, Thread,
    TypeId, Values,
};
use super::switches::Config;
use super::{conversations, files, rules};
use crate::common::{AutomationLog, AutomationRun, Content, Outbox, OutboxItem};

/// How long the recycle bin keeps records (HubSpot facts §18) and reserves names (§10.3).
const BIN: Duration = Duration::days(90);

/// What happens later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// Search learns of a record (§14).
    Index(TypeId, Id),
    /// The recycle bin lets go of a record (§18).
    Purge(TypeId, Id),
    /// A contact gets a company by its domain (§19).
    Company(Id),
    /// The bytes of a file are erased (§12).
    EraseFile(Id),
    /// An import from an address ends (§12).
    Import(Id),
    /// The trash lets go of a thread (§13).
    PurgeThread(Id),
    /// The name of an archived property is free again (§10.3).
    FreeName(TypeId, String),
}

/// The records of one type.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// All of them, the archived ones too.
    pub records: BTreeMap<Id, Record>,
    /// How many are not archived.
    pub live: u64,
    last: Id,
}

/// An access token.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// The app or key it belongs to: limits are counted for it (§2).
    pub app: String,
    /// What it may.
    pub scopes: Vec<String>,
    /// Whether it came by OAuth.
    pub oauth: bool,
    /// When it ends.
    pub expires: Option<DateTime<Utc>>,
}

/// An import of a file from an address.
#[derive(Debug, Clone)]
pub(super) struct ImportTask {
    /// When it was asked for.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub completed: Option<DateTime<Utc>>,
    /// What was asked for.
    pub wanted: files::Wanted,
    /// The file, or why there is none.
    pub result: Option<Result<Id, String>>,
}

/// An account.
#[derive(Debug)]
pub(super) struct State {
    pub config: Config,
    pub now: DateTime<Utc>,
    pub outbox: Outbox,
    pub automation_log: AutomationLog,

    pub types: BTreeMap<TypeId, ObjectType>,
    type_names: HashMap<String, TypeId>,
    pub tables: BTreeMap<TypeId, Table>,
    /// Who has a unique value, by type and property.
    unique: HashMap<(TypeId, String), HashMap<String, Id>>,
    /// Companies by domain.
    pub domains: HashMap<String, BTreeSet<Id>>,
    /// Ids of merged records and those that took them in.
    pub merged: HashMap<Ref, Id>,
    /// Addresses that can never be used again (§0.7).
    pub blocked: HashSet<String>,
    /// Records that nobody may write for a while (§2).
    pub locks: HashMap<Ref, DateTime<Utc>>,

    pub link_types: BTreeMap<LinkKey, LinkType>,
    /// The plain link between two types.
    pub plain: HashMap<(TypeId, TypeId), LinkKey>,
    links: HashMap<(TypeId, Id, TypeId), BTreeMap<Id, BTreeSet<LinkKey>>>,
    pub last_link_type: u32,
    pub last_custom_type: u32,

    pub owners: BTreeMap<Id, Owner>,
    pub teams: BTreeMap<Id, String>,
    /// Users that were invited by API.
    pub invited: Vec<(Id, String)>,
    pub pipelines: BTreeMap<TypeId, BTreeMap<String, Pipeline>>,

    pub folders: BTreeMap<Id, Folder>,
    pub folders_by_path: HashMap<String, Id>,
    pub files: BTreeMap<Id, File>,
    pub files_by_path: HashMap<String, Id>,
    pub files_by_md5: HashMap<String, BTreeSet<Id>>,
    /// Signed addresses: file and end.
    pub signed: HashMap<String, (Id, DateTime<Utc>)>,
    pub imports: BTreeMap<Id, ImportTask>,
    /// What imports find at addresses.
    pub remote: HashMap<String, bytes::Bytes>,

    pub threads: BTreeMap<Id, Thread>,
    /// Threads by channel, account of it and the channel's own id.
    pub threads_by_integration: HashMap<(u64, String, String), Id>,
    /// Messages by channel account and idempotency key: thread and message.
    pub messages_by_key: HashMap<(String, String), (Id, String)>,

    pub tokens: HashMap<String, Token>,
    pub refresh_tokens: HashMap<String, Vec<String>>,
    /// The portal's day and the calls in it.
    pub day: (NaiveDate, u64),

    random: ChaCha8Rng,
    last_id: Id,
    queue: BinaryHeap<Reverse<(DateTime<Utc>, u64, Event)>>,
    queued: u64,
}

/// A moment as the API writes it: ISO with `Z`, milliseconds only where there are some [INF].
pub(super) fn iso(at: DateTime<Utc>) -> String {
    let format = if at.timestamp_subsec_millis() == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Millis
    };
    at.to_rfc3339_opts(format, true)
}

impl State {
    /// An account with nothing in it.
    pub fn new(config: Config, outbox: Outbox, automation_log: AutomationLog) -> Self {
        let now = config.clock.now();
        Self {
            now,
            outbox,
            automation_log,
            types: BTreeMap::new(),
            type_names: HashMap::new(),
            tables: BTreeMap::new(),
            unique: HashMap::new(),
            domains: HashMap::new(),
            merged: HashMap::new(),
            blocked: HashSet::new(),
            locks: HashMap::new(),
            link_types: BTreeMap::new(),
            plain: HashMap::new(),
            links: HashMap::new(),
            last_link_type: 0,
            last_custom_type: 1_000_000,
            owners: BTreeMap::new(),
            teams: BTreeMap::new(),
            invited: vec![],
            pipelines: BTreeMap::new(),
            folders: BTreeMap::new(),
            folders_by_path: HashMap::new(),
            files: BTreeMap::new(),
            files_by_path: HashMap::new(),
            files_by_md5: HashMap::new(),
            signed: HashMap::new(),
            imports: BTreeMap::new(),
            remote: HashMap::new(),
            threads: BTreeMap::new(),
            threads_by_integration: HashMap::new(),
            messages_by_key: HashMap::new(),
            tokens: HashMap::new(),
            refresh_tokens: HashMap::new(),
            day: (NaiveDate::default(), config.used_requests),
            random: ChaCha8Rng::seed_from_u64(config.seed),
            last_id: 122_000_000_000 + config.seed % 1_000 * 1_000_000,
            queue: BinaryHeap::new(),
            queued: 0,
            config,
        }
    }

    // ---- chance and time

    /// The next id of what is no record: files, folders, owners, threads, stages.
    pub fn next_id(&mut self) -> Id {
        self.last_id += self.random.random_range(1..=9);
        self.last_id
    }

    /// Random hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        (0..length)
            .filter_map(|_| char::from_digit(self.random.random_range(0..16), 16))
            .collect()
    }

    /// A random UUID.
    pub fn uuid(&mut self) -> String {
        let parts: Vec<String> = [8, 4, 4, 4, 12].into_iter().map(|n| self.hex(n)).collect();
        parts.join("-")
    }

    /// Puts an event in the queue.
    pub fn schedule(&mut self, after: Duration, event: Event) {
        self.queued += 1;
        self.queue
            .push(Reverse((self.now + after, self.queued, event)));
    }

    /// Forgets what is due, as if it had been done.
    pub fn forget_queue(&mut self) {
        self.queue.clear();
    }

    // ---- types

    /// Adds an object type.
    pub fn put_type(&mut self, object: ObjectType) {
        self.tables.entry(object.id).or_default();
        if object.id.is_custom() {
            let short = format!("p_{}", object.name);
            self.type_names.insert(short, object.id);
            self.type_names
                .insert(object.fully_qualified.clone(), object.id);
        } else {
            self.type_names.insert(object.name.clone(), object.id);
        }
        self.types.insert(object.id, object);
    }

    /// Takes a custom object away for good.
    pub fn take_type(&mut self, id: TypeId) {
        self.types.remove(&id);
        self.tables.remove(&id);
        self.type_names.retain(|_, named| *named != id);
        self.unique.retain(|(object, _), _| *object != id);
    }

    /// The number of a type that a path or body names, live or archived (§1.2).
    pub fn type_named(&self, text: &str) -> Option<TypeId> {
        let by_name = self.type_names.get(text).copied();
        let id = by_name.or_else(|| TypeId::parse(text))?;
        self.types.contains_key(&id).then_some(id)
    }

    /// A type.
    pub fn type_of(&self, id: TypeId) -> Option<&ObjectType> {
        self.types.get(&id)
    }

    // ---- records

    /// The record, archived or not; a merged one's id leads to the record that took it in.
    pub fn any(&self, object: TypeId, id: Id) -> Option<&Record> {
        let follows = self.config.switches.merged_ids_follow;
        let survivor = self.merged.get(&(object, id)).filter(|_| follows);
        let id = survivor.copied().unwrap_or(id);
        self.tables.get(&object)?.records.get(&id)
    }

    /// The record, unless it is archived.
    pub fn record(&self, object: TypeId, id: Id) -> Option<&Record> {
        self.any(object, id).filter(|r| r.archived.is_none())
    }

    /// The live records of a type in the order of ids.
    pub fn live(&self, object: TypeId) -> impl Iterator<Item = &Record> {
        let records = self.tables.get(&object).into_iter();
        records
            .flat_map(|t| t.records.values())
            .filter(|r| r.archived.is_none())
    }

    /// The next number of a record. Every type counts from the same number, so that nobody takes the ids of two types for one
    /// (§3.1).
    pub fn next_record(&mut self, object: TypeId) -> Id {
        let first = 31_000_000_000 + self.config.seed % 1_000 * 1_000_000;
        let step = self.random.random_range(1..=7);
        let table = self.tables.entry(object).or_default();
        table.last = table.last.max(first) + step;
        table.last
    }

    /// Values by which a record may be the only one, with their properties: e-mail addresses in lower case, all of them as
    /// `email`.
    pub fn unique_values(&self, object: TypeId, values: &Values) -> Vec<(String, String)> {
        let Some(of) = self.types.get(&object) else {
            return vec![];
        };
        let mut found: Vec<(String, String)> = Vec::new();
        for property in of.properties.values().filter(|p| p.unique) {
            if let Some(value) = values.get(&property.name) {
                found.push((property.name.clone(), value.clone()));
            }
        }
        if object == TypeId::CONTACT {
            let more = values
                .get("hs_additional_emails")
                .map_or("", String::as_str);
            let addresses = more.split(';').map(|a| a.trim().to_lowercase());
            found.extend(
                addresses
                    .filter(|a| !a.is_empty())
                    .map(|a| ("email".to_owned(), a)),
            );
        }
        found
    }

    /// Who has a unique value.
    pub fn holder(&self, object: TypeId, property: &str, value: &str) -> Option<Id> {
        let index = self.unique.get(&(object, property.to_owned()))?;
        if object == TypeId::CONTACT && property == "email" {
            return index.get(&value.to_lowercase()).copied();
        }
        index.get(value).copied()
    }

    fn index(&mut self, object: TypeId, id: Id, values: &Values) {
        for (property, value) in self.unique_values(object, values) {
            let index = self.unique.entry((object, property)).or_default();
            index.insert(value, id);
        }
        if object == TypeId::COMPANY
            && let Some(domain) = values.get("domain")
        {
            self.domains.entry(domain.clone()).or_default().insert(id);
        }
    }

    fn unindex(&mut self, object: TypeId, id: Id, values: &Values) {
        for (property, value) in self.unique_values(object, values) {
            if let Some(index) = self.unique.get_mut(&(object, property))
                && index.get(&value) == Some(&id)
            {
                index.remove(&value);
            }
        }
        if let Some(domain) = values.get("domain")
            && let Some(ids) = self.domains.get_mut(domain)
        {
            ids.remove(&id);
        }
    }

    /// Empties a property in all records: a new one of an old name begins with nothing.
    pub fn forget_values(&mut self, object: TypeId, property: &str) {
        let records = self.tables.get_mut(&object).into_iter();
        for record in records.flat_map(|table| table.records.values_mut()) {
            if record.values.contains_key(property) {
                Arc::make_mut(&mut record.values).remove(property);
            }
        }
    }

    /// Indexes the values of a property that has become unique.
    pub fn begin_unique(&mut self, object: TypeId, property: &str) {
        let index = self
            .unique
            .entry((object, property.to_owned()))
            .or_default();
        index.clear();
    }

    /// Forgets who has values of a property.
    pub fn end_unique(&mut self, object: TypeId, property: &str) {
        self.unique.remove(&(object, property.to_owned()));
    }

    /// Stores a new record whose number was drawn before.
    pub fn insert(
        &mut self,
        object: TypeId,
        id: Id,
        mut values: Values,
        given: BTreeSet<&'static str>,
        source: &str,
    ) {
        let now = self.now;
        let (created, updated) = self
            .types
            .get(&object)
            .map_or(("", ""), |of| (of.created_name(), of.updated_name()));
        values.entry(created.to_owned()).or_insert_with(|| iso(now));
        values.insert(updated.to_owned(), iso(now));
        values.insert("hs_object_id".to_owned(), id.to_string());
        values.insert("hs_object_source".to_owned(), source.to_owned());
        values.insert("hs_object_source_label".to_owned(), source.to_owned());
        self.index(object, id, &values);
        let record = Record {
            id,
            object,
            values: Arc::new(values),
            created: now,
            updated: now,
            archived: None,
            indexed: None,
            history: vec![],
            writes: (now.timestamp(), 0),
            given,
        };
        let table = self.tables.entry(object).or_default();
        table.records.insert(id, record);
        table.live += 1;
        self.schedule(self.config.switches.search_lag, Event::Index(object, id));
    }

    /// Changes values of a record: `None` empties a property.
    pub fn change(&mut self, object: TypeId, id: Id, changes: Vec<(String, Option<String>)>) {
        let now = self.now;
        let updated = self.types.get(&object).map_or("", |of| of.updated_name());
        let Some(record) = self
            .tables
            .get_mut(&object)
            .and_then(|table| table.records.get_mut(&id))
        else {
            return;
        };
        let before = Arc::clone(&record.values);
        let created = record.created;
        let values = Arc::make_mut(&mut record.values);
        for (name, value) in changes {
            let old = before.get(&name);
            if old == value.as_ref() {
                continue;
            }
            if !record.history.iter().any(|change| change.name == name) {
                record.history.push(Change {
                    name: name.clone(),
                    value: old.cloned().unwrap_or_default(),
                    at: created,
                });
            }
            record.history.push(Change {
                name: name.clone(),
                value: value.clone().unwrap_or_default(),
                at: now,
            });
            match value {
                Some(value) => values.insert(name, value),
                None => values.remove(&name),
            };
        }
        values.insert(updated.to_owned(), iso(now));
        record.updated = now;
        let after = Arc::clone(&record.values);
        self.unindex(object, id, &before);
        self.index(object, id, &after);
        self.schedule(self.config.switches.search_lag, Event::Index(object, id));
    }

    /// Nobody may write the record for two seconds (§2).
    pub fn lock_record(&mut self, object: TypeId, id: Id) {
        let until = self.now + Duration::seconds(2);
        self.locks.insert((object, id), until);
    }

    /// Puts a record into the recycle bin; whether there was one.
    pub fn archive(&mut self, object: TypeId, id: Id) -> bool {
        if object == TypeId::EMAIL && self.config.switches.email_delete_permanent {
            // §0.7: a deleted e-mail does not come back.
            return self.remove(object, id);
        }
        let now = self.now;
        let Some(table) = self.tables.get_mut(&object) else {
            return false;
        };
        let Some(record) = table.records.get_mut(&id) else {
            return false;
        };
        if record.archived.is_some() {
            return false;
        }
        record.archived = Some(now);
        record.indexed = None;
        if object == TypeId::CALL {
            // §0.7: recordings are lost at once.
            Arc::make_mut(&mut record.values).remove("hs_call_recording_url");
        }
        let values = Arc::clone(&record.values);
        table.live -= 1;
        if !self.config.switches.archived_keeps_unique {
            self.unindex(object, id, &values);
        }
        self.schedule(BIN, Event::Purge(object, id));
        true
    }

    /// Takes a record out of the recycle bin; whether it was there and nobody has its unique values.
    pub fn restore(&mut self, object: TypeId, id: Id) -> bool {
        let record = self.tables.get(&object).and_then(|t| t.records.get(&id));
        let Some(values) = record
            .filter(|r| r.archived.is_some())
            .map(|r| Arc::clone(&r.values))
        else {
            return false;
        };
        let taken = self
            .unique_values(object, &values)
            .iter()
            .any(|(name, value)| {
                let holder = self.holder(object, name, value);
                holder.is_some_and(|holder| holder != id)
            });
        if taken {
            return false;
        }
        if let Some(table) = self.tables.get_mut(&object)
            && let Some(record) = table.records.get_mut(&id)
        {
            record.archived = None;
            table.live += 1;
        }
        self.index(object, id, &values);
        self.schedule(self.config.switches.search_lag, Event::Index(object, id));
        true
    }

    /// Takes a record away for good, with its links; whether there was one.
    pub fn remove(&mut self, object: TypeId, id: Id) -> bool {
        let Some(table) = self.tables.get_mut(&object) else {
            return false;
        };
        let Some(record) = table.records.remove(&id) else {
            return false;
        };
        if record.archived.is_none() {
            table.live -= 1;
        }
        self.unindex(object, id, &record.values);
        let others: Vec<TypeId> = self.types.keys().copied().collect();
        for to in others {
            let ends = self.links.remove(&(object, id, to)).unwrap_or_default();
            for end in ends.keys() {
                self.unlink_one_way((to, *end), (object, id), None);
            }
        }
        true
    }

    // ---- links

    /// The plain link between two types.
    pub fn plain_link(&self, from: TypeId, to: TypeId) -> Option<LinkKey> {
        self.plain.get(&(from, to)).copied()
    }

    /// Adds a type of link with its inverse.
    pub fn put_link_type(&mut self, there: LinkType, back: Option<LinkType>) {
        for link in std::iter::once(there).chain(back) {
            if link.plain {
                self.plain.insert((link.from, link.to), link.key);
            }
            self.link_types.insert(link.key, link);
        }
    }

    /// Takes a type of link and its inverse away, with all links of it.
    pub fn take_link_type(&mut self, key: LinkKey) {
        let Some(link) = self.link_types.remove(&key) else {
            return;
        };
        self.link_types.remove(&link.inverse);
        if link.plain {
            self.plain.remove(&(link.from, link.to));
            self.plain.remove(&(link.to, link.from));
        }
        for ((from, _, to), ends) in &mut self.links {
            let pair = (*from, *to);
            if pair == (link.from, link.to) || pair == (link.to, link.from) {
                for keys in ends.values_mut() {
                    keys.remove(&key);
                    keys.remove(&link.inverse);
                    if link.plain {
                        keys.clear();
                    }
                }
                ends.retain(|_, keys| !keys.is_empty());
            }
        }
        self.links.retain(|_, ends| !ends.is_empty());
    }

    /// The links of a record to the records of a type, the archived among them too.
    pub fn links_of(&self, from: Ref, to: TypeId) -> Option<&BTreeMap<Id, BTreeSet<LinkKey>>> {
        self.links.get(&(from.0, from.1, to))
    }

    /// The records of a type that a record is linked to and that are not archived.
    pub fn linked(&self, from: Ref, to: TypeId) -> impl Iterator<Item = (Id, &BTreeSet<LinkKey>)> {
        let ends = self.links_of(from, to).into_iter().flatten();
        ends.filter(move |(id, _)| self.record(to, **id).is_some())
            .map(|(id, keys)| (*id, keys))
    }

    /// How many records of a type a record is linked to.
    pub fn link_count(&self, from: Ref, to: TypeId) -> usize {
        self.links_of(from, to).map_or(0, BTreeMap::len)
    }

    /// Sets the links between two records: these types, seen from the first, and the plain one with them (§9).
    pub fn set_links(&mut self, from: Ref, to: Ref, keys: &BTreeSet<LinkKey>) {
        self.unlink(from, to, None);
        self.add_links(from, to, keys);
    }

    /// Adds links between two records.
    pub fn add_links(&mut self, from: Ref, to: Ref, keys: &BTreeSet<LinkKey>) {
        let plain = self.plain_link(from.0, to.0);
        let wanted: BTreeSet<LinkKey> = keys.iter().copied().chain(plain).collect();
        for key in wanted {
            let Some(link) = self.link_types.get(&key) else {
                continue;
            };
            let inverse = link.inverse;
            self.only_one(from, to, key);
            self.only_one(to, from, inverse);
            self.one_way(from, to, key);
            self.one_way(to, from, inverse);
        }
    }

    /// A record has one primary company: ends the link of this type to any other record.
    fn only_one(&mut self, from: Ref, to: Ref, key: LinkKey) {
        let Some(link) = self.link_types.get(&key).filter(|link| link.single) else {
            return;
        };
        let inverse = link.inverse;
        let ends = self.links.get_mut(&(from.0, from.1, to.0));
        let mut others = Vec::new();
        for (end, keys) in ends.into_iter().flatten() {
            if *end != to.1 && keys.remove(&key) {
                others.push(*end);
            }
        }
        for end in others {
            self.unlink_one_way((to.0, end), from, Some(inverse));
        }
    }

    fn one_way(&mut self, from: Ref, to: Ref, key: LinkKey) {
        let ends = self.links.entry((from.0, from.1, to.0)).or_default();
        ends.entry(to.1).or_default().insert(key);
    }

    fn unlink_one_way(&mut self, from: Ref, to: Ref, key: Option<LinkKey>) {
        let Some(ends) = self.links.get_mut(&(from.0, from.1, to.0)) else {
            return;
        };
        if let Some(keys) = ends.get_mut(&to.1) {
            match key {
                Some(key) => {
                    keys.remove(&key);
                }
                None => keys.clear(),
            }
            if keys.is_empty() {
                ends.remove(&to.1);
            }
        }
        if ends.is_empty() {
            self.links.remove(&(from.0, from.1, to.0));
        }
    }

    /// Ends one link between two records, or all of them.
    pub fn unlink(&mut self, from: Ref, to: Ref, key: Option<LinkKey>) {
        let inverse = key.and_then(|key| self.link_types.get(&key).map(|link| link.inverse));
        self.unlink_one_way(from, to, key);
        if key.is_none() || inverse.is_some() {
            self.unlink_one_way(to, from, inverse);
        }
    }

    // ---- by-products

    /// Notes a mail that would have left.
    pub fn mail(&mut self, kind: &str, to: &str, about: String, reason: &str) {
        self.outbox.push(OutboxItem {
            at_ms: self.now.timestamp_millis(),
            kind: kind.to_owned(),
            to: to.to_owned(),
            about,
            reason: reason.to_owned(),
        });
    }

    /// Notes what ran.
    pub fn ran(&mut self, kind: &str, name: &str, about: String, effect: &str) {
        self.automation_log.push(AutomationRun {
            at_ms: self.now.timestamp_millis(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            about,
            effect: effect.to_owned(),
        });
    }
}

impl Content for State {
    /// Lets time pass: everything due up to `now` happens, in order, each at its own moment.
    fn run_until(&mut self, now: DateTime<Utc>) {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > now {
                break;
            }
            let Some(Reverse((at, _, event))) = self.queue.pop() else {
                break;
            };
            self.now = self.now.max(at);
            match event {
                Event::Index(object, id) => {
                    let table = self.tables.get_mut(&object);
                    if let Some(record) = table.and_then(|t| t.records.get_mut(&id)) {
                        record.indexed = record
                            .archived
                            .is_none()
                            .then(|| Arc::clone(&record.values));
                    }
                }
                Event::Purge(object, id) => {
                    let gone = self.now - BIN;
                    let table = self.tables.get(&object);
                    let record = table.and_then(|t| t.records.get(&id));
                    if record.and_then(|r| r.archived).is_some_and(|at| at <= gone) {
                        self.remove(object, id);
                    }
                }
                Event::Company(contact) => rules::company_by_domain(self, contact),
                Event::EraseFile(id) => files::erase(self, id),
                Event::Import(task) => files::finish_import(self, task),
                Event::PurgeThread(id) => conversations::purge_if_due(self, id),
                Event::FreeName(object, name) => {
                    let gone = at - BIN;
                    if let Some(of) = self.types.get_mut(&object) {
                        let due =
                            |p: &super::model::Property| p.archived.is_some_and(|at| at <= gone);
                        if of.archived_properties.get(&name).is_some_and(due) {
                            of.archived_properties.remove(&name);
                        }
                    }
                }
            }
        }
        self.now = now;
    }
}
