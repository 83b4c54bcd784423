//! The account's content with the indexes that keep every request free of scans, and the queue of what is due later.
//!
//! Writes go through `put_*` and `edit_*`, which keep the indexes right. Time passes in one place, [`State::run_until`]:
//! everything that the account does on its own is a [`Due`] with a moment, and happens in order at that moment however far the
//! clock has jumped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use chrono::{DateTime, Utc};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::answer::Failure;
use super::auth::Credentials;
use super::call::{Key, key};
use super::model::{
    Customer, Event, Field, File, Id, Integration, Job, Macro, Message, Moment, Rule, Survey, Tag,
    Team, Ticket, User, View,
};
use super::switches::Config;
use super::{jobs, messages, rules, surveys, tickets};
use crate::common::{AutomationLog, Content, Outbox};

/// Something that happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A message that was not sent is sent.
    Send(Id),
    /// Rules and services look at a ticket.
    Rules(Id, rules::Happened),
    /// A snoozed ticket opens.
    Wake(Id),
    /// A survey that is to be sent is sent.
    Survey(Id),
    /// The account's own survey about a closed ticket.
    OwnSurvey(Id),
    /// The next ticket of a job.
    Job(Id),
}

/// What a ticket is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TicketKey {
    /// External id.
    External(String),
    /// Customer.
    Customer(Id),
    /// User who works on it.
    User(Id),
    /// Team that works on it.
    Team(Id),
    /// Tag.
    Tag(Id),
}

/// The account.
pub(super) struct State {
    pub now: Moment,
    pub config: Config,
    pub outbox: Outbox,
    pub automation_log: AutomationLog,
    pub credentials: Credentials,
    /// In the addresses of files.
    pub domain_hash: String,

    pub customers: BTreeMap<Id, Customer>,
    pub customers_by_external: HashMap<String, BTreeSet<Id>>,
    pub customers_by_channel: HashMap<(String, String), Id>,
    pub customers_created: BTreeSet<Key>,
    pub customers_updated: BTreeSet<Key>,
    /// Merged customers: into whom.
    pub merged: HashMap<Id, Id>,

    pub users: BTreeMap<Id, User>,
    pub users_by_email: HashMap<String, Id>,
    pub teams: BTreeMap<Id, Team>,
    pub tags: BTreeMap<Id, Tag>,
    pub tags_by_name: HashMap<String, Id>,
    pub fields: BTreeMap<Id, Field>,

    pub tickets: BTreeMap<Id, Ticket>,
    pub tickets_by: HashMap<TicketKey, BTreeSet<Id>>,
    pub tickets_created: BTreeSet<Key>,
    pub tickets_updated: BTreeSet<Key>,
    pub messages: BTreeMap<Id, Message>,
    pub messages_created: BTreeSet<Key>,
    pub messages_of: HashMap<Id, BTreeSet<Key>>,
    pub messages_by_message_id: HashMap<String, Id>,
    pub surveys: BTreeMap<Id, Survey>,
    /// Uploads by the token in their address.
    pub files: HashMap<String, File>,

    pub jobs: BTreeMap<Id, Job>,
    pub rules: BTreeMap<Id, Rule>,
    pub views: BTreeMap<Id, View>,
    pub macros: BTreeMap<Id, Macro>,
    pub integrations: BTreeMap<Id, Integration>,
    pub events: BTreeMap<Id, Event>,

    random: ChaCha8Rng,
    last_id: Id,
    queue: BinaryHeap<Reverse<(Moment, u64, Due)>>,
    queued: u64,
}

impl State {
    /// An account with nothing in it, not even an admin.
    pub fn new(config: Config, outbox: Outbox, automation_log: AutomationLog) -> Self {
        let mut state = Self {
            now: config.clock.now(),
            outbox,
            automation_log,
            credentials: Credentials::default(),
            domain_hash: String::new(),
            customers: BTreeMap::new(),
            customers_by_external: HashMap::new(),
            customers_by_channel: HashMap::new(),
            customers_created: BTreeSet::new(),
            customers_updated: BTreeSet::new(),
            merged: HashMap::new(),
            users: BTreeMap::new(),
            users_by_email: HashMap::new(),
            teams: BTreeMap::new(),
            tags: BTreeMap::new(),
            tags_by_name: HashMap::new(),
            fields: BTreeMap::new(),
            tickets: BTreeMap::new(),
            tickets_by: HashMap::new(),
            tickets_created: BTreeSet::new(),
            tickets_updated: BTreeSet::new(),
            messages: BTreeMap::new(),
            messages_created: BTreeSet::new(),
            messages_of: HashMap::new(),
            messages_by_message_id: HashMap::new(),
            surveys: BTreeMap::new(),
            files: HashMap::new(),
            jobs: BTreeMap::new(),
            rules: BTreeMap::new(),
            views: BTreeMap::new(),
            macros: BTreeMap::new(),
            integrations: BTreeMap::new(),
            events: BTreeMap::new(),
            random: ChaCha8Rng::seed_from_u64(config.seed),
            last_id: 40_000_000 + config.seed % 1_000 * 1_000_000,
            queue: BinaryHeap::new(),
            queued: 0,
            config,
        };
        state.domain_hash = state.token(16);
        state
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

    /// Puts something in the queue.
    pub fn schedule(&mut self, at: Moment, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, due)));
    }

    /// One more entry in the trail of events.
    pub fn record(
        &mut self,
        kind: &'static str,
        object_type: &'static str,
        object_id: Id,
        by: Option<Id>,
    ) {
        let id = self.next_id();
        let event = Event {
            id,
            kind,
            object_type,
            object_id,
            user_id: by,
            at: self.now,
        };
        self.events.insert(id, event);
    }

    /// Whether lists show by now what was touched then (§4 [?]).
    pub fn is_listed(&self, touched: Moment) -> bool {
        touched + self.config.switches.list_lag <= self.now
    }

    // ---- customers

    /// A customer; a merged one has moved (§7).
    pub fn customer(&self, id: Id) -> Result<&Customer, Failure> {
        if let Some(survivor) = self.survivor(id) {
            return Err(Failure::Moved(format!("/api/customers/{survivor}")));
        }
        self.customers.get(&id).ok_or(Failure::NotFound)
    }

    /// Into whom a customer was merged, at the end of all merges.
    pub fn survivor(&self, id: Id) -> Option<Id> {
        let mut found = *self.merged.get(&id)?;
        while let Some(next) = self.merged.get(&found) {
            found = *next;
        }
        Some(found)
    }

    /// Stores a customer and keeps the indexes.
    pub fn put_customer(&mut self, customer: Customer) {
        let id = customer.id;
        self.take_customer(id);
        self.customers_created.insert(key(customer.created_at, id));
        self.customers_updated.insert(key(customer.updated_at, id));
        if let Some(external) = &customer.external_id {
            let same = self.customers_by_external.entry(external.clone());
            same.or_default().insert(id);
        }
        for channel in &customer.channels {
            self.customers_by_channel
                .insert(channel_key(&channel.kind, &channel.address), id);
        }
        self.customers.insert(id, customer);
    }

    /// Takes a customer out, with the index entries.
    pub fn take_customer(&mut self, id: Id) -> Option<Customer> {
        let customer = self.customers.remove(&id)?;
        self.customers_created.remove(&key(customer.created_at, id));
        self.customers_updated.remove(&key(customer.updated_at, id));
        if let Some(external) = &customer.external_id
            && let Some(same) = self.customers_by_external.get_mut(external)
        {
            same.remove(&id);
            if same.is_empty() {
                self.customers_by_external.remove(external);
            }
        }
        for channel in &customer.channels {
            let key = channel_key(&channel.kind, &channel.address);
            if self.customers_by_channel.get(&key) == Some(&id) {
                self.customers_by_channel.remove(&key);
            }
        }
        Some(customer)
    }

    /// Changes a customer; `updated_datetime` moves.
    pub fn edit_customer<R>(&mut self, id: Id, edit: impl FnOnce(&mut Customer) -> R) -> Option<R> {
        let mut customer = self.take_customer(id)?;
        let result = edit(&mut customer);
        customer.updated_at = self.now;
        self.put_customer(customer);
        Some(result)
    }

    /// Who has this address.
    pub fn customer_by_channel(&self, kind: &str, address: &str) -> Option<Id> {
        let found = self.customers_by_channel.get(&channel_key(kind, address));
        found.copied()
    }

    // ---- users, tags

    /// A user.
    pub fn user(&self, id: Id) -> Result<&User, Failure> {
        self.users.get(&id).ok_or(Failure::NotFound)
    }

    /// Stores a user and keeps the index.
    pub fn put_user(&mut self, user: User) {
        if let Some(old) = self.users.get(&user.id) {
            self.users_by_email.remove(&old.email.to_lowercase());
        }
        self.users_by_email
            .insert(user.email.to_lowercase(), user.id);
        self.users.insert(user.id, user);
    }

    /// Stores a tag and keeps the index.
    pub fn put_tag(&mut self, tag: Tag) {
        if let Some(old) = self.tags.get(&tag.id) {
            self.tags_by_name.remove(&old.name);
        }
        self.tags_by_name.insert(tag.name.clone(), tag.id);
        self.tags.insert(tag.id, tag);
    }

    // ---- tickets

    /// A ticket.
    pub fn ticket(&self, id: Id) -> Result<&Ticket, Failure> {
        self.tickets.get(&id).ok_or(Failure::NotFound)
    }

    /// Stores a ticket and keeps the indexes.
    pub fn put_ticket(&mut self, ticket: Ticket) {
        let id = ticket.id;
        for key in ticket_keys(&ticket) {
            self.tickets_by.entry(key).or_default().insert(id);
        }
        self.tickets_created.insert(key(ticket.created_at, id));
        self.tickets_updated.insert(key(ticket.updated_at, id));
        self.tickets.insert(id, ticket);
    }

    /// Takes a ticket out, with the index entries; its messages stay.
    pub fn take_ticket(&mut self, id: Id) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        for key in ticket_keys(&ticket) {
            if let Some(ids) = self.tickets_by.get_mut(&key) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.tickets_by.remove(&key);
                }
            }
        }
        self.tickets_created.remove(&key(ticket.created_at, id));
        self.tickets_updated.remove(&key(ticket.updated_at, id));
        Some(ticket)
    }

    /// Changes a ticket and nothing else: `updated_datetime` stays unless the edit moves it.
    pub fn edit_ticket<R>(&mut self, id: Id, edit: impl FnOnce(&mut Ticket) -> R) -> Option<R> {
        let mut ticket = self.take_ticket(id)?;
        let result = edit(&mut ticket);
        ticket.touched_at = self.now;
        self.put_ticket(ticket);
        Some(result)
    }

    /// Changes a ticket; `updated_datetime` moves.
    pub fn change_ticket<R>(&mut self, id: Id, edit: impl FnOnce(&mut Ticket) -> R) -> Option<R> {
        let now = self.now;
        self.edit_ticket(id, |ticket| {
            ticket.updated_at = now;
            ticket.given.updated = false;
            edit(ticket)
        })
    }

    /// The ids of the tickets with a key, in order.
    pub fn ticket_ids(&self, key: &TicketKey) -> Vec<Id> {
        let ids = self.tickets_by.get(key);
        ids.map(|ids| ids.iter().copied().collect())
            .unwrap_or_default()
    }

    // ---- messages

    /// Stores a message and keeps the indexes; the ticket's own list is the caller's.
    pub fn put_message(&mut self, message: Message) {
        let id = message.id;
        self.take_message(id);
        let place = key(message.created_at, id);
        self.messages_created.insert(place);
        self.messages_of
            .entry(message.ticket_id)
            .or_default()
            .insert(place);
        if let Some(message_id) = &message.message_id {
            self.messages_by_message_id.insert(message_id.clone(), id);
        }
        self.messages.insert(id, message);
    }

    /// Takes a message out, with the index entries.
    pub fn take_message(&mut self, id: Id) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        let place = key(message.created_at, id);
        self.messages_created.remove(&place);
        if let Some(of) = self.messages_of.get_mut(&message.ticket_id) {
            of.remove(&place);
            if of.is_empty() {
                self.messages_of.remove(&message.ticket_id);
            }
        }
        if let Some(message_id) = &message.message_id
            && self.messages_by_message_id.get(message_id) == Some(&id)
        {
            self.messages_by_message_id.remove(message_id);
        }
        Some(message)
    }

    /// The messages of a ticket, oldest first.
    pub fn thread(&self, ticket: Id) -> impl DoubleEndedIterator<Item = &Message> {
        let places = self.messages_of.get(&ticket).into_iter().flatten();
        places.filter_map(|(_, id)| self.messages.get(id))
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Send(message) => messages::send(self, message),
            Due::Rules(ticket, happened) => rules::run(self, ticket, happened),
            Due::Wake(ticket) => tickets::wake(self, ticket),
            Due::Survey(survey) => surveys::send(self, survey),
            Due::OwnSurvey(ticket) => surveys::own(self, ticket),
            Due::Job(job) => jobs::step(self, job),
        }
    }

    /// Does what is due by now.
    pub fn settle(&mut self) {
        let now = self.now;
        self.run_until(now);
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

/// How an address is compared: e-mail in any case.
fn channel_key(kind: &str, address: &str) -> (String, String) {
    let address = if kind == "email" {
        address.to_lowercase()
    } else {
        address.to_owned()
    };
    (kind.to_owned(), address)
}

fn ticket_keys(ticket: &Ticket) -> Vec<TicketKey> {
    let mut keys = Vec::new();
    keys.extend(ticket.external_id.clone().map(TicketKey::External));
    keys.extend(ticket.customer_id.map(TicketKey::Customer));
    keys.extend(ticket.assignee_user_id.map(TicketKey::User));
    keys.extend(ticket.assignee_team_id.map(TicketKey::Team));
    keys.extend(ticket.tags.iter().copied().map(TicketKey::Tag));
    keys
}
