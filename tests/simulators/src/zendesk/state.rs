//! The account's content with the indexes that keep every write free of scans, and the queue of what is due later.
//!
//! Writes go through `put_*` and [`State::edit_ticket`], which keep the indexes right. Time passes in one place,
//! [`State::run_until`]: everything that the account does on its own (rows of jobs, automations, purges) is an
//! [`Event`] with a moment, and happens in order at that moment however far the clock has jumped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use chrono::{DateTime, TimeZone, Utc};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::answer::Failure;
use super::auth::Credentials;
use super::jobs::Job;
use super::model::{
    CustomObject, CustomStatus, Field, FieldOwner, Group, Id, Identity, IdentityType, Mail,
    Membership, Organization, Record, Rule, Ticket, User,
};
use super::switches::Config;
use super::tickets::Remembered;
use super::uploads::Upload;
use super::{deletion, jobs, objects, rules};
use crate::common::{AutomationLog, Content, Outbox};

/// Something that happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The next row of a job.
    Job(String),
    /// The hourly automations look at a ticket.
    Automations(Id),
    /// A soft-deleted ticket is purged.
    PurgeTicket(Id),
    /// A soft-deleted user is purged.
    PurgeUser(Id),
    /// Children of a deleted record are deleted: object and id of the parent.
    DeleteChildren(String, String),
}

/// What a ticket is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TicketKey {
    /// External id in lower case.
    External(String),
    /// Requester.
    Requester(Id),
    /// Organization.
    Organization(Id),
    /// Group.
    Group(Id),
    /// Assignee.
    Assignee(Id),
}

impl TicketKey {
    /// The key of an external id.
    pub fn external(id: &str) -> Self {
        Self::External(id.to_lowercase())
    }
}

/// Custom objects, their records and their keys.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub all: BTreeMap<String, CustomObject>,
    pub reserved: BTreeSet<String>,
    pub records: BTreeMap<String, Record>,
    pub by_object: HashMap<String, BTreeSet<String>>,
    pub by_external: HashMap<(String, String), String>,
    pub by_name: HashMap<(String, String), BTreeSet<String>>,
    /// Records whose parent or lookup field holds this target: (target type, target id) → (record, field key).
    pub by_target: HashMap<(String, String), BTreeSet<(String, String)>>,
    /// Deleted records, for the incremental export.
    pub tombstones: BTreeMap<String, Record>,
    /// Order of the last change.
    pub changed: BTreeSet<(DateTime<Utc>, String)>,
    pub sequence: u64,
}

/// The account.
pub(super) struct State {
    pub now: DateTime<Utc>,
    pub config: Config,
    pub outbox: Outbox,
    pub automation_log: AutomationLog,
    pub credentials: Credentials,
    pub owner_id: Id,
    pub brand_id: Id,
    pub form_id: Id,
    pub default_group_id: Id,

    pub users: BTreeMap<Id, User>,
    pub users_by_external: HashMap<String, Id>,
    pub users_by_identity: HashMap<(IdentityType, String), Id>,
    pub users_by_domain: HashMap<String, BTreeSet<Id>>,
    pub users_changed: BTreeSet<(DateTime<Utc>, Id)>,
    pub purged_users: BTreeSet<Id>,
    pub agents: BTreeSet<Id>,

    pub organizations: BTreeMap<Id, Organization>,
    pub organizations_by_external: HashMap<String, Id>,
    pub organizations_by_name: HashMap<String, Id>,
    pub organizations_by_domain: HashMap<String, Id>,
    pub organizations_changed: BTreeSet<(DateTime<Utc>, Id)>,
    pub organization_memberships: Memberships,

    pub groups: BTreeMap<Id, Group>,
    pub group_memberships: Memberships,

    pub fields: BTreeMap<Id, Field>,
    pub fields_by_key: HashMap<(FieldOwner, String), Id>,
    pub custom_statuses: BTreeMap<Id, CustomStatus>,

    pub tickets: BTreeMap<Id, Ticket>,
    pub tickets_by: HashMap<TicketKey, BTreeSet<Id>>,
    pub tickets_changed: BTreeSet<(DateTime<Utc>, Id)>,
    pub last_ticket_id: Id,
    pub idempotency: HashMap<String, Remembered>,

    pub objects: Objects,
    pub uploads: HashMap<String, Upload>,
    /// Files by the token in their address.
    pub files: HashMap<String, super::uploads::Stored>,
    pub files_by_id: HashMap<Id, String>,

    pub jobs: BTreeMap<u64, Job>,
    pub jobs_by_id: HashMap<String, u64>,

    pub triggers: BTreeMap<Id, Rule>,
    pub automations: BTreeMap<Id, Rule>,
    /// When the automations last looked at a ticket.
    pub looked_at: HashMap<Id, DateTime<Utc>>,
    pub mails: BTreeMap<Id, Mail>,
    pub mails_by_ticket: HashMap<Id, Vec<Id>>,

    random: ChaCha8Rng,
    last_id: Id,
    queue: BinaryHeap<Reverse<(DateTime<Utc>, u64, Event)>>,
    queued: u64,
}

/// Memberships of users in groups or organizations.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    pub all: BTreeMap<Id, Membership>,
    by_user: HashMap<Id, BTreeSet<Id>>,
    by_target: HashMap<Id, BTreeSet<Id>>,
}

impl Memberships {
    /// Adds one.
    pub fn insert(&mut self, membership: Membership) {
        self.by_user
            .entry(membership.user_id)
            .or_default()
            .insert(membership.id);
        self.by_target
            .entry(membership.of)
            .or_default()
            .insert(membership.id);
        self.all.insert(membership.id, membership);
    }

    /// Takes one away.
    pub fn remove(&mut self, id: Id) -> Option<Membership> {
        let membership = self.all.remove(&id)?;
        for (index, key) in [
            (&mut self.by_user, membership.user_id),
            (&mut self.by_target, membership.of),
        ] {
            if let Some(ids) = index.get_mut(&key) {
                ids.remove(&id);
                if ids.is_empty() {
                    index.remove(&key);
                }
            }
        }
        Some(membership)
    }

    /// Those of a user, in order of id.
    pub fn of_user(&self, user: Id) -> impl Iterator<Item = &Membership> {
        self.by_user
            .get(&user)
            .into_iter()
            .flatten()
            .filter_map(|id| self.all.get(id))
    }

    /// Those in a group or organization, in order of id.
    pub fn of_target(&self, target: Id) -> impl Iterator<Item = &Membership> {
        self.by_target
            .get(&target)
            .into_iter()
            .flatten()
            .filter_map(|id| self.all.get(id))
    }

    /// The membership of a user in a group or organization.
    pub fn find(&self, user: Id, target: Id) -> Option<&Membership> {
        self.of_user(user).find(|m| m.of == target)
    }
}

impl State {
    /// An account with nothing in it, not even an admin.
    pub fn new(config: Config, outbox: Outbox, automation_log: AutomationLog) -> Self {
        let now = config.clock.now();
        let random = ChaCha8Rng::seed_from_u64(config.seed);
        Self {
            now,
            outbox,
            automation_log,
            credentials: Credentials::default(),
            owner_id: 0,
            brand_id: 0,
            form_id: 0,
            default_group_id: 0,
            users: BTreeMap::new(),
            users_by_external: HashMap::new(),
            users_by_identity: HashMap::new(),
            users_by_domain: HashMap::new(),
            users_changed: BTreeSet::new(),
            purged_users: BTreeSet::new(),
            agents: BTreeSet::new(),
            organizations: BTreeMap::new(),
            organizations_by_external: HashMap::new(),
            organizations_by_name: HashMap::new(),
            organizations_by_domain: HashMap::new(),
            organizations_changed: BTreeSet::new(),
            organization_memberships: Memberships::default(),
            groups: BTreeMap::new(),
            group_memberships: Memberships::default(),
            fields: BTreeMap::new(),
            fields_by_key: HashMap::new(),
            custom_statuses: BTreeMap::new(),
            tickets: BTreeMap::new(),
            tickets_by: HashMap::new(),
            tickets_changed: BTreeSet::new(),
            last_ticket_id: 0,
            idempotency: HashMap::new(),
            objects: Objects::default(),
            uploads: HashMap::new(),
            files: HashMap::new(),
            files_by_id: HashMap::new(),
            jobs: BTreeMap::new(),
            jobs_by_id: HashMap::new(),
            triggers: BTreeMap::new(),
            automations: BTreeMap::new(),
            looked_at: HashMap::new(),
            mails: BTreeMap::new(),
            mails_by_ticket: HashMap::new(),
            random,
            last_id: 360_000_000_000 + config.seed % 1_000 * 1_000_000,
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

    /// Random letters and digits.
    pub fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789";
        (0..length)
            .filter_map(|_| LETTERS.get(self.random.random_range(0..LETTERS.len())))
            .map(|byte| char::from(*byte))
            .collect()
    }

    /// Random hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        (0..length)
            .filter_map(|_| char::from_digit(self.random.random_range(0..16), 16))
            .collect()
    }

    /// Puts an event in the queue.
    pub fn schedule(&mut self, at: DateTime<Utc>, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, event)));
    }

    /// The current moment in whole seconds.
    pub fn second(&self) -> DateTime<Utc> {
        use chrono::SubsecRound;
        self.now.trunc_subsecs(0)
    }

    // ---- users

    /// A user who has not been purged.
    pub fn user(&self, id: Id) -> Result<&User, Failure> {
        self.users.get(&id).ok_or(Failure::RecordNotFound)
    }

    /// An active user.
    pub fn active_user(&self, id: Id) -> Option<&User> {
        self.users.get(&id).filter(|user| user.active)
    }

    /// Stores a user and keeps the indexes.
    pub fn put_user(&mut self, user: User) {
        self.take_user(user.id);
        self.users_changed.insert((user.updated_at, user.id));
        if user.active && user.is_agent() {
            self.agents.insert(user.id);
        }
        if user.active || !self.config.switches.deletion_frees_keys {
            if let Some(external) = &user.external_id {
                self.users_by_external
                    .insert(external.to_lowercase(), user.id);
            }
            for identity in &user.identities {
                let key = identity_key(identity.kind, &identity.value);
                self.users_by_identity.insert(key, user.id);
                if let Some(domain) = domain_of(identity) {
                    self.users_by_domain
                        .entry(domain)
                        .or_default()
                        .insert(user.id);
                }
            }
        }
        self.users.insert(user.id, user);
    }

    /// Takes a user out, with the index entries.
    pub fn take_user(&mut self, id: Id) -> Option<User> {
        let user = self.users.remove(&id)?;
        self.users_changed.remove(&(user.updated_at, id));
        self.agents.remove(&id);
        if let Some(external) = &user.external_id {
            let key = external.to_lowercase();
            if self.users_by_external.get(&key) == Some(&id) {
                self.users_by_external.remove(&key);
            }
        }
        for identity in &user.identities {
            let key = identity_key(identity.kind, &identity.value);
            if self.users_by_identity.get(&key) == Some(&id) {
                self.users_by_identity.remove(&key);
            }
            if let Some(ids) = domain_of(identity).and_then(|d| self.users_by_domain.get_mut(&d)) {
                ids.remove(&id);
            }
        }
        Some(user)
    }

    /// Changes a user; `updated_at` moves.
    pub fn edit_user<R>(&mut self, id: Id, edit: impl FnOnce(&mut User) -> R) -> Option<R> {
        let mut user = self.users.get(&id)?.clone();
        let result = edit(&mut user);
        user.updated_at = self.second();
        self.put_user(user);
        Some(result)
    }

    /// The user with this address.
    pub fn user_by_identity(&self, kind: IdentityType, value: &str) -> Option<Id> {
        self.users_by_identity
            .get(&identity_key(kind, value))
            .copied()
    }

    // ---- organizations

    /// An organization.
    pub fn organization(&self, id: Id) -> Result<&Organization, Failure> {
        self.organizations.get(&id).ok_or(Failure::RecordNotFound)
    }

    /// Stores an organization and keeps the indexes.
    pub fn put_organization(&mut self, organization: Organization) {
        self.take_organization(organization.id);
        let id = organization.id;
        self.organizations_changed
            .insert((organization.updated_at, id));
        if let Some(external) = &organization.external_id {
            self.organizations_by_external
                .insert(external.to_lowercase(), id);
        }
        self.organizations_by_name
            .insert(organization.name.to_lowercase(), id);
        for domain in &organization.domain_names {
            self.organizations_by_domain
                .insert(domain.to_lowercase(), id);
        }
        self.organizations.insert(id, organization);
    }

    /// Takes an organization out, with the index entries.
    pub fn take_organization(&mut self, id: Id) -> Option<Organization> {
        let organization = self.organizations.remove(&id)?;
        self.organizations_changed
            .remove(&(organization.updated_at, id));
        if let Some(external) = &organization.external_id {
            self.organizations_by_external
                .remove(&external.to_lowercase());
        }
        self.organizations_by_name
            .remove(&organization.name.to_lowercase());
        for domain in &organization.domain_names {
            self.organizations_by_domain.remove(&domain.to_lowercase());
        }
        Some(organization)
    }

    // ---- tickets

    /// A ticket that is not deleted.
    pub fn ticket(&self, id: Id) -> Result<&Ticket, Failure> {
        self.tickets
            .get(&id)
            .filter(|t| t.deleted.is_none())
            .ok_or(Failure::RecordNotFound)
    }

    /// Stores a new ticket.
    pub fn put_ticket(&mut self, ticket: Ticket) {
        for key in ticket_keys(&ticket) {
            self.tickets_by.entry(key).or_default().insert(ticket.id);
        }
        self.tickets_changed
            .insert((ticket.generated_at, ticket.id));
        self.tickets.insert(ticket.id, ticket);
    }

    /// Takes a ticket out for good.
    pub fn take_ticket(&mut self, id: Id) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        for key in ticket_keys(&ticket) {
            self.unindex(key, id);
        }
        self.tickets_changed.remove(&(ticket.generated_at, id));
        Some(ticket)
    }

    /// Changes a ticket and keeps the indexes; `generated_at` moves.
    pub fn edit_ticket<R>(&mut self, id: Id, edit: impl FnOnce(&mut Ticket) -> R) -> Option<R> {
        let now = self.now;
        let ticket = self.tickets.get_mut(&id)?;
        let (before, changed) = (ticket_keys(ticket), ticket.generated_at);
        let result = edit(ticket);
        ticket.generated_at = now;
        let after = ticket_keys(ticket);
        self.tickets_changed.remove(&(changed, id));
        self.tickets_changed.insert((now, id));
        for key in before.iter().filter(|key| !after.contains(key)) {
            self.unindex(key.clone(), id);
        }
        for key in after.into_iter().filter(|key| !before.contains(key)) {
            self.tickets_by.entry(key).or_default().insert(id);
        }
        Some(result)
    }

    fn unindex(&mut self, key: TicketKey, id: Id) {
        if let Some(ids) = self.tickets_by.get_mut(&key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.tickets_by.remove(&key);
            }
        }
    }

    /// Tickets by a key, deleted ones included.
    pub fn tickets_with<'s>(
        &'s self,
        key: &TicketKey,
    ) -> impl Iterator<Item = &'s Ticket> + use<'s> {
        self.tickets_by
            .get(key)
            .into_iter()
            .flatten()
            .filter_map(|id| self.tickets.get(id))
    }

    // ---- fields

    /// The field of an owner with this key.
    pub fn field(&self, owner: &FieldOwner, key: &str) -> Option<&Field> {
        let id = self.fields_by_key.get(&(owner.clone(), key.to_owned()))?;
        self.fields.get(id)
    }

    /// The fields of an owner.
    pub fn fields_of<'s>(&'s self, owner: &'s FieldOwner) -> impl Iterator<Item = &'s Field> {
        self.fields
            .values()
            .filter(move |field| field.owner == *owner)
    }
}

/// The key an address is found by.
pub(super) fn identity_key(kind: IdentityType, value: &str) -> (IdentityType, String) {
    (kind, value.to_lowercase())
}

fn domain_of(identity: &Identity) -> Option<String> {
    let email = identity.kind == IdentityType::Email;
    let domain = identity.value.rsplit_once('@').filter(|_| email)?.1;
    Some(domain.to_lowercase())
}

fn ticket_keys(ticket: &Ticket) -> Vec<TicketKey> {
    let mut keys = vec![TicketKey::Requester(ticket.requester_id)];
    keys.extend(ticket.external_id.as_deref().map(TicketKey::external));
    keys.extend(ticket.organization_id.map(TicketKey::Organization));
    keys.extend(ticket.group_id.map(TicketKey::Group));
    keys.extend(ticket.assignee_id.map(TicketKey::Assignee));
    keys
}

/// A moment from the clock.
pub(super) fn time_of(ms: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(ms).single().unwrap_or_default()
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
                Event::Job(id) => jobs::step(self, &id),
                Event::Automations(ticket) => rules::run_automations(self, ticket),
                Event::PurgeTicket(ticket) => deletion::purge_if_due(self, ticket),
                Event::PurgeUser(user) => deletion::purge_user_if_due(self, user),
                Event::DeleteChildren(object, parent) => {
                    objects::delete_children(self, &object, &parent);
                }
            }
        }
        self.now = now;
    }
}
