//! The content of the org: records with their indexes, what is due, who may do what.
//!
//! Every change of a record goes through [`State::put`], which keeps the indexes and remembers what was there before, so that a
//! transaction can be taken back. What a change would send or run is held back with it until it stands.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::auth::Session;
use super::bulk::Job;
use super::deploy::Deployment;
use super::ids;
use super::schema::{self, Field, Kind, Object};
use super::switches::{Config, Deliverability};
use crate::common::{AutomationLog, AutomationRun, Content, Outbox, OutboxItem};

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id, of 18 letters.
    pub id: String,
    /// The API name of its object.
    pub object: String,
    /// Its fields by API name; an empty one is not there.
    pub fields: BTreeMap<String, Value>,
    /// Whether it is in the recycle bin.
    pub deleted: bool,
    /// The times that were given when it was made.
    pub given: Vec<String>,
}

impl Row {
    /// A field's value; null when it is empty.
    pub fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }

    /// A field's text; empty when it has none.
    pub fn text(&self, field: &str) -> &str {
        self.get(field).as_str().unwrap_or_default()
    }

    /// Whether a field is true.
    pub fn is(&self, field: &str) -> bool {
        self.get(field).as_bool().unwrap_or(false)
    }

    /// Sets a field; null empties it.
    pub(super) fn set(&mut self, field: &str, value: Value) {
        if value.is_null() {
            self.fields.remove(field);
        } else {
            self.fields.insert(field.to_owned(), value);
        }
    }
}

/// The bytes of one version of a file.
#[derive(Debug, Clone)]
pub struct Blob {
    /// The bytes.
    pub bytes: Bytes,
    /// MD5, hex.
    pub md5: String,
    /// SHA-256, hex.
    pub sha256: String,
}

/// What a change would do outside.
#[derive(Debug, Clone)]
enum Effect {
    Mail(OutboxItem),
    Run(AutomationRun),
}

/// A record that will fail.
#[derive(Debug, Clone)]
pub struct RowFault {
    /// The object.
    pub object: String,
    /// `insert`, `update` or `delete`; empty for any.
    pub operation: String,
    /// From the how-many-th record on, counted from 1.
    pub from: u64,
    /// To the how-many-th.
    pub to: u64,
    /// The code, for example `UNABLE_TO_LOCK_ROW`.
    pub code: &'static str,
    /// The sentence.
    pub message: String,
}

/// Results of a query that are still to be fetched.
#[derive(Debug, Clone)]
pub(super) struct Locator {
    pub records: Vec<Value>,
    pub size: usize,
    pub made: DateTime<Utc>,
}

/// What somebody may do with an object.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rights {
    pub read: bool,
    pub create: bool,
    pub edit: bool,
    pub delete: bool,
}

/// What somebody may do, gathered from profile and permission sets.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    pub user: String,
    pub modify_all: bool,
    pub customize: bool,
    pub audit: bool,
    pub inactive_owners: bool,
    pub feed_fields: bool,
    pub hard_delete: bool,
    closed_date: bool,
    objects_need_permission: bool,
    /// Object and field in lower case; whether it can be seen and edited.
    fields: HashMap<(String, String), (bool, bool)>,
    objects: HashMap<String, Rights>,
}

impl Access {
    /// The rights to an object.
    pub fn to(&self, object: &Object) -> Rights {
        const ALL: Rights = Rights {
            read: true,
            create: true,
            edit: true,
            delete: true,
        };
        if !object.custom || (self.modify_all && !self.objects_need_permission) {
            return ALL;
        }
        self.objects
            .get(&object.name.to_lowercase())
            .copied()
            .unwrap_or_default()
    }

    /// Whether a field can be seen, and edited (§0.8).
    pub fn field(&self, object: &Object, field: &Field) -> (bool, bool) {
        if !field.permissionable() {
            return (true, true);
        }
        let key = (object.name.to_lowercase(), field.name.to_lowercase());
        self.fields.get(&key).copied().unwrap_or_default()
    }

    /// The field of this name, if it can be seen.
    pub fn find<'o>(&self, object: &'o Object, name: &str) -> Option<&'o Field> {
        object
            .field(name)
            .filter(|field| self.field(object, field).0)
    }

    /// Whether a field can be given when a record is made.
    pub fn creates(&self, object: &Object, field: &Field) -> bool {
        let own = field.has('c')
            || field.has('a') && self.audit
            || field.has('z') && self.audit && self.closed_date
            || field.has('y') && self.feed_fields;
        own && object.has('c') && self.field(object, field).1
    }

    /// Whether a field can be changed.
    pub fn updates(&self, object: &Object, field: &Field) -> bool {
        field.has('u') && object.has('u') && self.field(object, field).1
    }
}

/// The org.
pub(super) struct State {
    pub config: Config,
    pub now: DateTime<Utc>,
    /// By lower-case name.
    pub objects: HashMap<String, Object>,
    rows: BTreeMap<String, Row>,
    by_object: HashMap<String, BTreeSet<String>>,
    /// By object, field and the value as it is compared; live records only.
    index: HashMap<(String, String), HashMap<String, BTreeSet<String>>>,
    children: HashMap<String, BTreeSet<String>>,
    pub files: HashMap<String, Blob>,
    before: Vec<(String, Option<Row>)>,
    effects: Vec<Effect>,
    outbox: Outbox,
    automations: AutomationLog,
    next_number: u64,
    next_case: u64,
    next_prefix: u64,
    pub org: String,
    pub admin: String,
    pub integration: String,
    pub sessions: HashMap<String, Session>,
    pub locators: HashMap<String, Locator>,
    pub jobs: BTreeMap<String, Job>,
    pub deployments: BTreeMap<String, Deployment>,
    /// Calls by the minute, for the rolling day.
    calls: VecDeque<(i64, u64)>,
    faults: Vec<(RowFault, u64)>,
    permissions_version: u64,
    access: HashMap<String, (u64, Arc<Access>)>,
    pub schema_changed: DateTime<Utc>,
    draws: u64,
    bin_seen: chrono::NaiveDate,
}

/// The form times have in answers.
pub(super) fn stamp(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S.000+0000").to_string()
}

/// Objects whose records say who may do what.
const OF_PERMISSIONS: [&str; 6] = [
    "PermissionSet",
    "PermissionSetAssignment",
    "FieldPermissions",
    "ObjectPermissions",
    "Profile",
    "User",
];

impl State {
    pub fn new(config: Config, outbox: Outbox, automations: AutomationLog) -> Self {
        let now = config.clock.now();
        let minute = now.timestamp().div_euclid(60);
        let calls = VecDeque::from([(minute, config.used_requests)]);
        let next_number = 1_000_000 + config.seed.wrapping_mul(7_919) % 1_000_000;
        Self {
            org: ids::id("00D", next_number),
            next_case: 1_000 + config.seed % 1_000,
            config,
            now,
            objects: schema::by_name(schema::standard()),
            rows: BTreeMap::new(),
            by_object: HashMap::new(),
            index: HashMap::new(),
            children: HashMap::new(),
            files: HashMap::new(),
            before: vec![],
            effects: vec![],
            outbox,
            automations,
            next_number,
            next_prefix: 0,
            admin: String::new(),
            integration: String::new(),
            sessions: HashMap::new(),
            locators: HashMap::new(),
            jobs: BTreeMap::new(),
            deployments: BTreeMap::new(),
            calls,
            faults: vec![],
            permissions_version: 0,
            access: HashMap::new(),
            schema_changed: now,
            draws: 0,
            bin_seen: now.date_naive(),
        }
    }

    /// A fresh id of an object with this prefix.
    pub fn new_id(&mut self, prefix: &str) -> String {
        self.next_number += 1;
        ids::id(prefix, self.next_number)
    }

    /// A fresh number for a case.
    pub fn case_number(&mut self) -> String {
        self.next_case += 1;
        format!("{:08}", self.next_case)
    }

    /// The prefix of the next custom object: `a00`, `a01`, …
    pub fn new_prefix(&mut self) -> String {
        let number = self.next_prefix;
        self.next_prefix += 1;
        let digit =
            |n: u64| char::from_digit(u32::try_from(n % 36).unwrap_or(0), 36).unwrap_or('0');
        format!("a{}{}", digit(number / 36), digit(number))
    }

    /// A number that follows from the seed and how many were drawn.
    pub fn draw(&mut self) -> u64 {
        self.draws += 1;
        let mut mixed = self
            .config
            .seed
            .wrapping_add(self.draws.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// An object, in any case.
    pub fn object(&self, name: &str) -> Option<&Object> {
        self.objects.get(&name.to_lowercase())
    }

    /// The object whose ids begin like this one.
    pub fn object_of(&self, id: &str) -> Option<&Object> {
        let prefix = id.get(..3)?;
        self.objects
            .values()
            .find(|object| object.prefix == prefix && !object.has('t'))
    }

    /// A record, in the recycle bin or not.
    pub fn any(&self, id: &str) -> Option<&Row> {
        self.rows.get(id)
    }

    /// A live record.
    pub fn live(&self, id: &str) -> Option<&Row> {
        self.rows.get(id).filter(|row| !row.deleted)
    }

    /// All records of all objects.
    pub fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// The records of an object in the order they were made, the recycle bin included.
    pub fn of<'s>(&'s self, object: &str) -> impl Iterator<Item = &'s Row> + use<'s> {
        let ids = self.by_object.get(&object.to_lowercase());
        ids.into_iter().flatten().filter_map(|id| self.rows.get(id))
    }

    /// The live records of an object.
    pub fn live_of<'s>(&'s self, object: &str) -> impl Iterator<Item = &'s Row> + use<'s> {
        self.of(object).filter(|row| !row.deleted)
    }

    /// The live record whose indexed field has this value.
    pub fn by_key(&self, object: &str, field: &Field, value: &Value) -> Vec<&Row> {
        let slot = self.index.get(&(object.to_lowercase(), field.name.clone()));
        let ids = slot.and_then(|keys| keys.get(&field.key(value)));
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.rows.get(id))
            .collect()
    }

    /// The records that refer to this one, the recycle bin included.
    pub fn children_of(&self, id: &str) -> Vec<&Row> {
        let ids = self.children.get(id);
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.rows.get(id))
            .collect()
    }

    /// Writes a record and remembers what was there.
    pub fn put(&mut self, row: Row) {
        let id = row.id.clone();
        let old = self.exchange(&id, Some(row));
        self.before.push((id, old));
    }

    /// Takes a record away for good.
    pub fn erase(&mut self, id: &str) {
        let old = self.exchange(id, None);
        self.before.push((id.to_owned(), old));
    }

    fn exchange(&mut self, id: &str, new: Option<Row>) -> Option<Row> {
        let old = self.rows.remove(id);
        if let Some(row) = &old {
            self.unlink(row);
        }
        if let Some(row) = new {
            self.link(&row);
            self.rows.insert(id.to_owned(), row);
        }
        old
    }

    fn unlink(&mut self, row: &Row) {
        let object = row.object.to_lowercase();
        if let Some(ids) = self.by_object.get_mut(&object) {
            ids.remove(&row.id);
        }
        let definition = self.objects.get(&object);
        for field in definition.into_iter().flat_map(|object| &object.fields) {
            let Some(value) = row.fields.get(&field.name) else {
                continue;
            };
            if field.indexed() {
                let slot = self.index.get_mut(&(object.clone(), field.name.clone()));
                if let Some(ids) = slot.and_then(|keys| keys.get_mut(&field.key(value))) {
                    ids.remove(&row.id);
                }
            }
            if let (Kind::Reference, Some(parent)) = (field.kind, value.as_str())
                && let Some(ids) = self.children.get_mut(parent)
            {
                ids.remove(&row.id);
            }
        }
        self.noticed(&row.object);
    }

    fn link(&mut self, row: &Row) {
        let object = row.object.to_lowercase();
        self.by_object
            .entry(object.clone())
            .or_default()
            .insert(row.id.clone());
        let definition = self.objects.get(&object);
        let kept = !row.deleted || self.config.switches.deleted_blocks_unique;
        for field in definition.into_iter().flat_map(|object| &object.fields) {
            let Some(value) = row.fields.get(&field.name) else {
                continue;
            };
            if field.indexed() && kept {
                let slot = self
                    .index
                    .entry((object.clone(), field.name.clone()))
                    .or_default();
                slot.entry(field.key(value))
                    .or_default()
                    .insert(row.id.clone());
            }
            if let (Kind::Reference, Some(parent)) = (field.kind, value.as_str()) {
                self.children
                    .entry(parent.to_owned())
                    .or_default()
                    .insert(row.id.clone());
            }
        }
        self.noticed(&row.object);
    }

    fn noticed(&mut self, object: &str) {
        if OF_PERMISSIONS.contains(&object) {
            self.permissions_version += 1;
        }
    }

    /// Takes an object's records out of the indexes, changes its definition, and puts them back.
    pub fn redefine(&mut self, object: &str, change: impl FnOnce(&mut Object)) {
        let key = object.to_lowercase();
        let rows: Vec<Row> = self.of(&key).cloned().collect();
        for row in &rows {
            self.unlink(row);
        }
        if let Some(definition) = self.objects.get_mut(&key) {
            change(definition);
        }
        for row in rows {
            self.link(&row);
            self.rows.insert(row.id.clone(), row);
        }
        self.permissions_version += 1;
        self.schema_changed = self.now;
    }

    /// Takes an object and its records away.
    pub fn drop_object(&mut self, object: &str) {
        let ids: Vec<String> = self.of(object).map(|row| row.id.clone()).collect();
        for id in ids {
            self.erase(&id);
        }
        self.objects.remove(&object.to_lowercase());
        self.permissions_version += 1;
        self.schema_changed = self.now;
    }

    // ---- transactions

    /// Where a transaction begins.
    pub fn mark(&self) -> (usize, usize) {
        (self.before.len(), self.effects.len())
    }

    /// Takes back everything since the mark.
    pub fn roll_back(&mut self, mark: (usize, usize)) {
        while self.before.len() > mark.0 {
            if let Some((id, old)) = self.before.pop() {
                self.exchange(&id, old);
            }
        }
        self.effects.truncate(mark.1);
    }

    /// Nothing leaves the org for what was done since the mark.
    pub fn forget_effects(&mut self, mark: (usize, usize)) {
        self.effects.truncate(mark.1);
    }

    /// What was done stands, and its effects leave the org.
    pub fn commit(&mut self) {
        self.before.clear();
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Mail(mail) => self.outbox.push(mail),
                Effect::Run(run) => self.automations.push(run),
            }
        }
    }

    /// A mail that automation sends, if the org lets it out (§14).
    pub fn mail(&mut self, to: &str, about: &str, reason: &str) {
        if self.config.deliverability != Deliverability::All || to.is_empty() {
            return;
        }
        self.effects.push(Effect::Mail(OutboxItem {
            at_ms: self.now.timestamp_millis(),
            kind: "email".to_owned(),
            to: to.to_owned(),
            about: about.to_owned(),
            reason: reason.to_owned(),
        }));
    }

    /// A rule that ran.
    pub fn ran(&mut self, kind: &str, name: &str, about: &str, effect: &str) {
        self.effects.push(Effect::Run(AutomationRun {
            at_ms: self.now.timestamp_millis(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            about: about.to_owned(),
            effect: effect.to_owned(),
        }));
    }

    // ---- quota

    /// Counts a call and gives how many there were in the last day and how many there may be.
    pub fn count_call(&mut self, refuses: bool) -> (u64, u64, bool) {
        let minute = self.now.timestamp().div_euclid(60);
        while self
            .calls
            .front()
            .is_some_and(|(at, _)| *at <= minute - 24 * 60)
        {
            self.calls.pop_front();
        }
        let used: u64 = self.calls.iter().map(|(_, count)| count).sum();
        let limit = self.config.daily_requests;
        if refuses && used >= limit {
            return (used, limit, false);
        }
        match self.calls.back_mut() {
            Some((at, count)) if *at == minute => *count += 1,
            _ => self.calls.push_back((minute, 1)),
        }
        (used + 1, limit, true)
    }

    /// Calls of the last day.
    pub fn calls_used(&self) -> u64 {
        self.calls.iter().map(|(_, count)| count).sum()
    }

    // ---- storage

    /// Megabytes of records and of files.
    pub fn storage(&self) -> (u64, u64) {
        let no_data = ["ContentVersion", "ContentDocument", "ContentDocumentLink"];
        let free = |row: &&Row| {
            let setup = self
                .object(&row.object)
                .is_some_and(|object| object.has('s'));
            !setup && !no_data.contains(&row.object.as_str())
        };
        let rows = u64::try_from(self.rows.values().filter(free).count()).unwrap_or(0);
        let bytes: usize = self.files.values().map(|blob| blob.bytes.len()).sum();
        (
            rows * 2 / 1024,
            u64::try_from(bytes / (1024 * 1024)).unwrap_or(0),
        )
    }

    // ---- faults of single records

    /// From now on such records fail.
    pub fn add_fault(&mut self, fault: RowFault) {
        self.faults.push((fault, 0));
    }

    /// Forgets the faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Counts a record and says whether it is to fail.
    pub fn due_fault(&mut self, object: &str, operation: &str) -> Option<RowFault> {
        let mut due = None;
        for (fault, count) in &mut self.faults {
            let same = fault.object.eq_ignore_ascii_case(object)
                && (fault.operation.is_empty() || fault.operation == operation);
            if same {
                *count += 1;
                if due.is_none() && (fault.from..=fault.to).contains(count) {
                    due = Some(fault.clone());
                }
            }
        }
        due
    }

    // ---- access

    /// What a user may do.
    pub fn access(&mut self, user: &str) -> Arc<Access> {
        if let Some((version, access)) = self.access.get(user)
            && *version == self.permissions_version
        {
            return Arc::clone(access);
        }
        let access = Arc::new(self.gather(user));
        self.access.insert(
            user.to_owned(),
            (self.permissions_version, Arc::clone(&access)),
        );
        access
    }

    /// The permission sets of a user, that of the profile too.
    pub fn sets_of(&self, user: &str) -> BTreeSet<String> {
        let profile = self
            .live(user)
            .map(|row| row.text("ProfileId").to_owned())
            .unwrap_or_default();
        let assigned = self
            .live_of("PermissionSetAssignment")
            .filter(|row| row.text("AssigneeId") == user)
            .map(|row| row.text("PermissionSetId").to_owned());
        let of_profile = self
            .live_of("PermissionSet")
            .filter(|row| !profile.is_empty() && row.text("ProfileId") == profile)
            .map(|row| row.id.clone());
        assigned.chain(of_profile).collect()
    }

    fn gather(&self, user: &str) -> Access {
        let sets = self.sets_of(user);
        let profile = self
            .live(user)
            .and_then(|row| self.live(row.text("ProfileId")));
        let holders: Vec<&Row> = sets
            .iter()
            .filter_map(|id| self.live(id))
            .chain(profile)
            .collect();
        let may = |permission: &str| {
            holders
                .iter()
                .any(|row| row.is(&format!("Permissions{permission}")))
        };
        let mut fields: HashMap<(String, String), (bool, bool)> = HashMap::new();
        for row in self
            .live_of("FieldPermissions")
            .filter(|row| sets.contains(row.text("ParentId")))
        {
            let name = row.text("Field").to_lowercase();
            let name = name
                .split_once('.')
                .map_or(name.as_str(), |(_, field)| field)
                .to_owned();
            let slot = fields
                .entry((row.text("SobjectType").to_lowercase(), name))
                .or_default();
            slot.0 |= row.is("PermissionsRead") || row.is("PermissionsEdit");
            slot.1 |= row.is("PermissionsEdit");
        }
        let mut objects: HashMap<String, Rights> = HashMap::new();
        for row in self
            .live_of("ObjectPermissions")
            .filter(|row| sets.contains(row.text("ParentId")))
        {
            let slot = objects
                .entry(row.text("SobjectType").to_lowercase())
                .or_default();
            slot.read |= row.is("PermissionsRead");
            slot.create |= row.is("PermissionsCreate");
            slot.edit |= row.is("PermissionsEdit");
            slot.delete |= row.is("PermissionsDelete");
        }
        let setting = self.config.audit_fields_setting;
        Access {
            user: user.to_owned(),
            modify_all: may("ModifyAllData"),
            customize: may("CustomizeApplication"),
            audit: setting && may("CreateAuditFields"),
            inactive_owners: setting && may("UpdateWithInactiveOwner"),
            feed_fields: may("CanInsertFeedSystemFields"),
            hard_delete: may("BulkApiHardDelete"),
            closed_date: self.config.switches.closed_date_createable,
            objects_need_permission: self.config.switches.object_needs_permission,
            fields,
            objects,
        }
    }

    /// A switch was turned: what was gathered may no longer hold.
    pub fn forget_access(&mut self) {
        self.permissions_version += 1;
    }
}

impl Content for State {
    /// Lets time pass: jobs run, sessions and locators end.
    fn run_until(&mut self, now: DateTime<Utc>) {
        self.now = now;
        super::bulk::run_due(self);
        super::deploy::run_due(self);
        let life = self.config.switches.locator_life;
        self.locators.retain(|_, locator| locator.made + life > now);
        // Fifteen days in the recycle bin (§13), looked through once a day.
        if self.bin_seen == now.date_naive() {
            return;
        }
        self.bin_seen = now.date_naive();
        let bin = Duration::days(15);
        let expired: Vec<String> = self
            .rows
            .values()
            .filter(|row| {
                row.deleted
                    && super::values::time(row.text("SystemModstamp"))
                        .is_some_and(|at| at + bin < now)
            })
            .map(|row| row.id.clone())
            .collect();
        for id in expired {
            self.exchange(&id, None);
        }
    }
}
