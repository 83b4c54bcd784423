//! The account's content with the indexes that keep every write free of scans, and the queue of what is due later.
//!
//! Writes go through `put_*`, [`State::edit_ticket`] and [`State::say`], which keep the indexes right. Time passes in one
//! place, [`State::run_until`]: everything that the account does on its own (rows of jobs, search catching up, rules, the
//! trash) is an [`Event`] with a moment, and happens in order at that moment however far the clock has jumped.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};

use chrono::{DateTime, SubsecRound, Utc};
use rand::RngExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::answer::Failure;
use super::auth::Credentials;
use super::jobs::Job;
use super::model::{
    Company, Conversation, Field, File, Group, Id, Owner, Person, Rating, Record, Rule, Schema,
    Ticket,
};
use super::search::{Kind, Search};
use super::settings::Role;
use super::switches::Config;
use super::{jobs, rules, search, tickets};
use crate::common::{AutomationLog, Content, Outbox};

/// Something that happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The next row of a job.
    Job(String),
    /// Search learns of a record as it is then.
    Index(Kind, Id),
    /// A ticket in the trash is gone for good.
    Purge(Id),
    /// The hourly rules look at a ticket.
    Hourly(Id),
    /// The first response of a ticket is due.
    FirstResponse(Id),
    /// The resolution of a ticket is due.
    Resolution(Id),
    /// A group complains of an unassigned ticket.
    Unassigned(Id, Id),
}

/// What a person is known by; no two have the same (§6).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum PersonKey {
    /// An address, in lower case, primary or not.
    Email(String),
    /// A telephone number as written.
    Phone(String),
    /// A mobile number as written.
    Mobile(String),
    /// A Twitter handle.
    Twitter(String),
    /// A Facebook id.
    Facebook(String),
    /// An id in another system.
    External(String),
}

/// What tickets are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TicketKey {
    /// Requester.
    Requester(Id),
    /// Company.
    Company(Id),
    /// Group.
    Group(Id),
}

/// Where a file hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On a ticket.
    Ticket(Id),
    /// On a note or reply.
    Conversation(Id),
    /// On a contact.
    Person(Id),
    /// What a job has made.
    Job,
}

/// The account.
pub(super) struct State {
    pub now: DateTime<Utc>,
    pub config: Config,
    pub outbox: Outbox,
    pub automation_log: AutomationLog,
    pub credentials: Credentials,
    pub account_id: Id,
    pub owner_id: Id,
    pub api_user: Id,
    pub product_id: Id,
    pub mailbox_id: Id,
    pub business_hour_id: Id,
    pub roles: Vec<Role>,

    pub people: BTreeMap<Id, Person>,
    pub people_by: HashMap<PersonKey, Id>,
    pub people_by_company: HashMap<Id, BTreeSet<Id>>,
    pub agents: BTreeSet<Id>,

    pub companies: BTreeMap<Id, Company>,
    pub companies_by_name: HashMap<String, Id>,
    pub companies_by_domain: HashMap<String, Id>,

    pub groups: BTreeMap<Id, Group>,

    pub fields: BTreeMap<Id, Field>,
    /// By owner and API name; the lower levels of nested fields too.
    pub fields_by_name: HashMap<(Owner, String), Id>,
    /// Values of fields that must be unique.
    pub unique_values: HashMap<(Id, String), Id>,

    pub tickets: BTreeMap<Id, Ticket>,
    pub tickets_by: HashMap<TicketKey, BTreeSet<Id>>,
    pub tickets_changed: BTreeSet<(DateTime<Utc>, Id)>,
    pub tickets_created: BTreeSet<(DateTime<Utc>, Id)>,
    pub last_ticket_id: Id,
    /// What was said in a ticket, in order of time, then of id.
    pub threads: HashMap<Id, Vec<Conversation>>,
    pub ticket_of: HashMap<Id, Id>,
    /// Numbers given through the channel API: whether a ticket's, and the number.
    pub import_ids: HashSet<(bool, i64)>,
    pub ratings: BTreeMap<Id, Rating>,

    pub files: HashMap<Id, (File, Place)>,

    pub schemas: BTreeMap<Id, Schema>,
    pub records: HashMap<Id, BTreeMap<u64, Record>>,
    pub records_by_primary: HashMap<(Id, String), u64>,
    pub last_records: HashMap<Id, u64>,

    pub jobs: BTreeMap<String, Job>,
    pub rules: Vec<Rule>,
    /// Who of a group's agents had the last ticket.
    pub turns: HashMap<Id, usize>,
    /// Tickets that the hourly rules have dealt with: by rule and ticket.
    pub dealt_with: HashSet<(String, Id)>,
    pub search: Search,

    random: ChaCha8Rng,
    last_id: Id,
    queue: BinaryHeap<Reverse<(DateTime<Utc>, u64, Event)>>,
    queued: u64,
}

impl State {
    /// An account with nothing in it, not even an owner.
    pub fn new(config: Config, outbox: Outbox, automation_log: AutomationLog) -> Self {
        let now = config.clock.now();
        Self {
            now,
            outbox,
            automation_log,
            credentials: Credentials::default(),
            account_id: 0,
            owner_id: 0,
            api_user: 0,
            product_id: 0,
            mailbox_id: 0,
            business_hour_id: 0,
            roles: Vec::new(),
            people: BTreeMap::new(),
            people_by: HashMap::new(),
            people_by_company: HashMap::new(),
            agents: BTreeSet::new(),
            companies: BTreeMap::new(),
            companies_by_name: HashMap::new(),
            companies_by_domain: HashMap::new(),
            groups: BTreeMap::new(),
            fields: BTreeMap::new(),
            fields_by_name: HashMap::new(),
            unique_values: HashMap::new(),
            tickets: BTreeMap::new(),
            tickets_by: HashMap::new(),
            tickets_changed: BTreeSet::new(),
            tickets_created: BTreeSet::new(),
            last_ticket_id: 0,
            threads: HashMap::new(),
            ticket_of: HashMap::new(),
            import_ids: HashSet::new(),
            ratings: BTreeMap::new(),
            files: HashMap::new(),
            schemas: BTreeMap::new(),
            records: HashMap::new(),
            records_by_primary: HashMap::new(),
            last_records: HashMap::new(),
            jobs: BTreeMap::new(),
            rules: Vec::new(),
            turns: HashMap::new(),
            dealt_with: HashSet::new(),
            search: Search::default(),
            random: ChaCha8Rng::seed_from_u64(config.seed),
            last_id: 43_000_000_000 + config.seed % 1_000 * 1_000_000,
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

    /// Random hexadecimal digits.
    pub fn hex(&mut self, length: usize) -> String {
        (0..length)
            .filter_map(|_| char::from_digit(self.random.random_range(0..16), 16))
            .collect()
    }

    /// Random digits, the first not 0.
    pub fn digits(&mut self) -> u32 {
        self.random.random_range(100_000..1_000_000)
    }

    /// Puts an event in the queue.
    pub fn schedule(&mut self, at: DateTime<Utc>, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse((at, self.queued, event)));
    }

    /// The current moment in whole seconds.
    pub fn second(&self) -> DateTime<Utc> {
        self.now.trunc_subsecs(0)
    }

    /// §3: search learns of it later.
    fn index_later(&mut self, kind: Kind, id: Id) {
        let at = self.now + self.config.switches.search_lag;
        self.schedule(at, Event::Index(kind, id));
    }

    // ---- people

    /// A contact, deleted softly or not; agents are not among the contacts.
    pub fn contact(&self, id: Id) -> Result<&Person, Failure> {
        let person = self.people.get(&id).ok_or(Failure::NotFound)?;
        if person.agent.is_some() {
            return Err(Failure::NotFound);
        }
        Ok(person)
    }

    /// A contact or agent who is not deleted.
    pub fn live(&self, id: Id) -> Option<&Person> {
        self.people
            .get(&id)
            .filter(|person| person.deleted_at.is_none())
    }

    /// An agent.
    pub fn agent(&self, id: Id) -> Result<&Person, Failure> {
        let person = self.people.get(&id).filter(|person| person.agent.is_some());
        person.ok_or(Failure::NotFound)
    }

    /// Stores a person and keeps the indexes.
    pub fn put_person(&mut self, person: Person) {
        let id = person.id;
        self.unindex_person(id);
        if person.agent.is_some() {
            self.agents.insert(id);
        }
        if person.deleted_at.is_none() || self.config.switches.deleted_contacts_keep_keys {
            for key in person_keys(&person) {
                self.people_by.insert(key, id);
            }
        }
        for company in companies_of(&person) {
            self.people_by_company
                .entry(company)
                .or_default()
                .insert(id);
        }
        self.people.insert(id, person);
        self.index_later(Kind::Contact, id);
    }

    fn unindex_person(&mut self, id: Id) {
        let Some(person) = self.people.get(&id) else {
            return;
        };
        for key in person_keys(person) {
            if self.people_by.get(&key) == Some(&id) {
                self.people_by.remove(&key);
            }
        }
        for company in companies_of(person) {
            if let Some(ids) = self.people_by_company.get_mut(&company) {
                ids.remove(&id);
            }
        }
        self.agents.remove(&id);
    }

    /// Takes a person out, with the index entries.
    pub fn take_person(&mut self, id: Id) -> Option<Person> {
        self.unindex_person(id);
        let person = self.people.remove(&id)?;
        if let Some(file) = &person.avatar {
            self.files.remove(&file.id);
        }
        self.search.forget(Kind::Contact, id);
        Some(person)
    }

    /// Changes a person; `updated_at` moves.
    pub fn edit_person<R>(&mut self, id: Id, edit: impl FnOnce(&mut Person) -> R) -> Option<R> {
        let mut person = self.people.get(&id)?.clone();
        let result = edit(&mut person);
        person.updated_at = self.second();
        self.put_person(person);
        Some(result)
    }

    /// Whoever has this key.
    pub fn person_by(&self, key: &PersonKey) -> Option<Id> {
        self.people_by.get(key).copied()
    }

    /// Full-time agents, who need a licence each (§7).
    pub fn seats_taken(&self) -> usize {
        let agents = self.agents.iter().filter_map(|id| self.people.get(id));
        agents
            .filter(|person| person.agent.as_ref().is_some_and(|agent| !agent.occasional))
            .count()
    }

    // ---- companies

    /// A company.
    pub fn company(&self, id: Id) -> Result<&Company, Failure> {
        self.companies.get(&id).ok_or(Failure::NotFound)
    }

    /// Stores a company and keeps the indexes.
    pub fn put_company(&mut self, company: Company) {
        self.take_company(company.id);
        let id = company.id;
        self.companies_by_name
            .insert(company.name.to_lowercase(), id);
        for domain in &company.domains {
            self.companies_by_domain
                .entry(domain.to_lowercase())
                .or_insert(id);
        }
        self.companies.insert(id, company);
        self.index_later(Kind::Company, id);
    }

    /// Takes a company out, with the index entries.
    pub fn take_company(&mut self, id: Id) -> Option<Company> {
        let company = self.companies.remove(&id)?;
        self.companies_by_name.remove(&company.name.to_lowercase());
        for domain in &company.domains {
            let key = domain.to_lowercase();
            if self.companies_by_domain.get(&key) == Some(&id) {
                self.companies_by_domain.remove(&key);
            }
        }
        Some(company)
    }

    // ---- fields

    /// The field of an owner with this name; of a lower level the nested field.
    pub fn field(&self, owner: Owner, name: &str) -> Option<&Field> {
        let id = self.fields_by_name.get(&(owner, name.to_owned()))?;
        self.fields.get(id)
    }

    /// The fields of an owner in order of their place.
    pub fn fields_of(&self, owner: Owner) -> Vec<&Field> {
        let mut fields: Vec<&Field> = self
            .fields
            .values()
            .filter(|field| field.owner == owner)
            .collect();
        fields.sort_by_key(|field| (field.position, field.id));
        fields
    }

    /// Stores a field and keeps the indexes.
    pub fn put_field(&mut self, field: Field) {
        self.fields_by_name
            .insert((field.owner, field.name.clone()), field.id);
        for level in &field.levels {
            self.fields_by_name
                .insert((field.owner, level.name.clone()), field.id);
        }
        self.fields.insert(field.id, field);
    }

    // ---- tickets

    /// A ticket that is not archived; it may be in the trash.
    pub fn ticket(&self, id: Id) -> Result<&Ticket, Failure> {
        let ticket = self.tickets.get(&id).ok_or(Failure::NotFound)?;
        if tickets::archived(self, ticket) {
            return Err(Failure::NotFound);
        }
        Ok(ticket)
    }

    /// Stores a new ticket.
    pub fn put_ticket(&mut self, ticket: Ticket) {
        let id = ticket.id;
        for key in ticket_keys(&ticket) {
            self.tickets_by.entry(key).or_default().insert(id);
        }
        for file in &ticket.attachments {
            self.files
                .insert(file.id, (file.clone(), Place::Ticket(id)));
        }
        self.tickets_changed.insert((ticket.updated_at, id));
        self.tickets_created.insert((ticket.created_at, id));
        self.tickets.insert(id, ticket);
        self.index_later(Kind::Ticket, id);
    }

    /// Takes a ticket out, with all that hangs on it.
    pub fn take_ticket(&mut self, id: Id) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        for key in ticket_keys(&ticket) {
            self.unindex_ticket(key, id);
        }
        self.tickets_changed.remove(&(ticket.updated_at, id));
        self.tickets_created.remove(&(ticket.created_at, id));
        for file in &ticket.attachments {
            self.files.remove(&file.id);
        }
        for said in self.threads.remove(&id).unwrap_or_default() {
            self.ticket_of.remove(&said.id);
            for file in &said.attachments {
                self.files.remove(&file.id);
            }
        }
        self.ratings.retain(|_, rating| rating.ticket_id != id);
        self.unique_values.retain(|_, ticket| *ticket != id);
        self.search.forget(Kind::Ticket, id);
        Some(ticket)
    }

    /// Changes a ticket and keeps the indexes. Times are the caller's; see [`State::touch`].
    pub fn edit_ticket<R>(&mut self, id: Id, edit: impl FnOnce(&mut Ticket) -> R) -> Option<R> {
        let ticket = self.tickets.get_mut(&id)?;
        let (before, changed, created) =
            (ticket_keys(ticket), ticket.updated_at, ticket.created_at);
        let result = edit(ticket);
        let after = ticket_keys(ticket);
        let times = (ticket.updated_at, ticket.created_at);
        for file in &ticket.attachments {
            self.files
                .entry(file.id)
                .or_insert_with(|| (file.clone(), Place::Ticket(id)));
        }
        self.tickets_changed.remove(&(changed, id));
        self.tickets_changed.insert((times.0, id));
        self.tickets_created.remove(&(created, id));
        self.tickets_created.insert((times.1, id));
        for key in before.iter().filter(|key| !after.contains(key)) {
            self.unindex_ticket(*key, id);
        }
        for key in after.into_iter().filter(|key| !before.contains(key)) {
            self.tickets_by.entry(key).or_default().insert(id);
        }
        self.index_later(Kind::Ticket, id);
        Some(result)
    }

    /// The account has changed a ticket now.
    pub fn touch(&self, ticket: &mut Ticket) {
        let now = self.second();
        ticket.updated_at = now;
        ticket.touched_at = now;
        ticket.given.updated = false;
    }

    fn unindex_ticket(&mut self, key: TicketKey, id: Id) {
        if let Some(ids) = self.tickets_by.get_mut(&key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.tickets_by.remove(&key);
            }
        }
    }

    /// Tickets by a key, those in the trash included.
    pub fn tickets_with(&self, key: TicketKey) -> impl Iterator<Item = &Ticket> {
        self.tickets_by
            .get(&key)
            .into_iter()
            .flatten()
            .filter_map(|id| self.tickets.get(id))
    }

    /// Puts what was said in its place: by time, then by id.
    pub fn say(&mut self, said: Conversation) {
        for file in &said.attachments {
            self.files
                .insert(file.id, (file.clone(), Place::Conversation(said.id)));
        }
        self.ticket_of.insert(said.id, said.ticket_id);
        let thread = self.threads.entry(said.ticket_id).or_default();
        let at = thread
            .partition_point(|other| (other.created_at, other.id) <= (said.created_at, said.id));
        thread.insert(at, said);
    }

    /// What was said in a ticket.
    pub fn thread(&self, ticket: Id) -> &[Conversation] {
        self.threads.get(&ticket).map_or(&[], Vec::as_slice)
    }
}

/// What a person is known by.
pub(super) fn person_keys(person: &Person) -> Vec<PersonKey> {
    let emails = person.email.iter().chain(&person.other_emails);
    let mut keys: Vec<PersonKey> = emails.map(|email| email_key(email)).collect();
    keys.extend(person.phone.clone().map(PersonKey::Phone));
    keys.extend(person.mobile.clone().map(PersonKey::Mobile));
    keys.extend(person.twitter_id.clone().map(PersonKey::Twitter));
    keys.extend(person.facebook_id.clone().map(PersonKey::Facebook));
    keys.extend(person.unique_external_id.clone().map(PersonKey::External));
    keys
}

/// The key of an address.
pub(super) fn email_key(email: &str) -> PersonKey {
    PersonKey::Email(email.to_lowercase())
}

/// The companies of a person, the primary one first.
pub(super) fn companies_of(person: &Person) -> impl Iterator<Item = Id> + use<'_> {
    let others = person.other_companies.iter().map(|(id, _)| *id);
    person.company_id.into_iter().chain(others)
}

fn ticket_keys(ticket: &Ticket) -> Vec<TicketKey> {
    let mut keys = vec![TicketKey::Requester(ticket.requester_id)];
    keys.extend(ticket.company_id.map(TicketKey::Company));
    keys.extend(ticket.group_id.map(TicketKey::Group));
    keys
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
                Event::Index(kind, id) => search::learn(self, kind, id),
                Event::Purge(ticket) => tickets::purge_if_due(self, ticket),
                Event::Hourly(ticket) => rules::hourly(self, ticket),
                Event::FirstResponse(ticket) => rules::first_response_due(self, ticket),
                Event::Resolution(ticket) => rules::resolution_due(self, ticket),
                Event::Unassigned(ticket, group) => rules::unassigned(self, ticket, group),
            }
        }
        self.now = now;
    }
}
