//! The workspace: what it holds, how it is found, and what is due when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use chrono::{DateTime, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::answer::Failure;
use super::auth::Tokens;
use super::model::{
    Admin, Attachment, Company, Contact, Conversation, ConversationAttribute, DataAttribute,
    Deleted, Id, Instance, Job, Model, Note, ObjectType, Seconds, Segment, Tag, Team, Ticket,
    TicketState, TicketType,
};
use super::rules::Happened;
use super::switches::Config;
use super::{companies, conversations, rules, tickets};
use crate::common::{AutomationLog, Content, Outbox};

/// Something that happens at a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A snoozed conversation opens.
    Wake(Id),
    /// A snoozed ticket opens.
    WakeTicket(Id),
    /// A deleted company is archived and loses its contacts.
    ArchiveCompany(String),
    /// A ticket is made.
    Job(Id),
    /// What the workspace does on its own.
    Rules(Happened),
}

/// An open scroll over companies (§2, §4).
#[derive(Debug, Clone)]
pub(super) struct Scroll {
    pub param: String,
    pub used_ms: i64,
    pub left: Vec<String>,
}

/// The workspace.
pub(super) struct State {
    pub now_ms: i64,
    pub config: Config,
    pub outbox: Outbox,
    pub automation_log: AutomationLog,
    pub tokens: Tokens,
    /// The admin that the migration's token belongs to.
    pub token_admin: Id,
    pub created_at: Seconds,
    /// Moves when somebody who may have written something is called something else.
    pub names: u64,

    pub admins: BTreeMap<Id, Admin>,
    pub teams: BTreeMap<Id, Team>,

    pub contacts: BTreeMap<String, Contact>,
    pub contacts_by_email: HashMap<String, BTreeSet<String>>,
    pub contacts_by_external: HashMap<String, BTreeSet<String>>,
    /// Merged contacts: into whom.
    pub merged: HashMap<String, String>,
    pub notes: BTreeMap<Id, Note>,

    pub companies: BTreeMap<String, Company>,
    pub companies_by_key: HashMap<String, String>,
    pub scroll: Option<Scroll>,

    pub tags: BTreeMap<Id, Tag>,
    pub tags_by_name: HashMap<String, Id>,
    pub segments: Vec<Segment>,

    pub data_attributes: BTreeMap<Id, DataAttribute>,
    pub data_by_name: HashMap<(Model, String), Id>,
    pub conversation_attributes: BTreeMap<Id, ConversationAttribute>,

    pub object_types: BTreeMap<String, ObjectType>,
    pub instances: BTreeMap<Id, Instance>,
    pub instances_by_external: HashMap<(String, String), Id>,

    pub conversations: BTreeMap<Id, Conversation>,
    pub conversations_of: HashMap<String, BTreeSet<Id>>,
    pub deleted: Vec<Deleted>,
    /// Attachments by number, for their downloads.
    pub files: HashMap<Id, Attachment>,

    pub ticket_types: BTreeMap<Id, TicketType>,
    pub ticket_states: Vec<TicketState>,
    pub tickets: BTreeMap<Id, Ticket>,
    pub tickets_of: HashMap<String, BTreeSet<Id>>,
    pub tickets_by_value: HashMap<(Id, String), BTreeSet<Id>>,
    pub last_ticket_number: u64,
    pub deleted_tickets: BTreeSet<Id>,
    pub jobs: BTreeMap<Id, Job>,

    random: ChaCha8Rng,
    last_id: Id,
    queue: BinaryHeap<Reverse<(i64, u64, Due)>>,
    queued: u64,
}

impl State {
    /// A workspace with nothing in it, not even an admin.
    pub fn new(config: Config, outbox: Outbox, automation_log: AutomationLog) -> Self {
        Self {
            now_ms: config.clock.now_ms(),
            outbox,
            automation_log,
            tokens: Tokens::new(),
            token_admin: 0,
            created_at: 0,
            names: 0,
            admins: BTreeMap::new(),
            teams: BTreeMap::new(),
            contacts: BTreeMap::new(),
            contacts_by_email: HashMap::new(),
            contacts_by_external: HashMap::new(),
            merged: HashMap::new(),
            notes: BTreeMap::new(),
            companies: BTreeMap::new(),
            companies_by_key: HashMap::new(),
            scroll: None,
            tags: BTreeMap::new(),
            tags_by_name: HashMap::new(),
            segments: Vec::new(),
            data_attributes: BTreeMap::new(),
            data_by_name: HashMap::new(),
            conversation_attributes: BTreeMap::new(),
            object_types: BTreeMap::new(),
            instances: BTreeMap::new(),
            instances_by_external: HashMap::new(),
            conversations: BTreeMap::new(),
            conversations_of: HashMap::new(),
            deleted: Vec::new(),
            files: HashMap::new(),
            ticket_types: BTreeMap::new(),
            ticket_states: Vec::new(),
            tickets: BTreeMap::new(),
            tickets_of: HashMap::new(),
            tickets_by_value: HashMap::new(),
            last_ticket_number: 0,
            deleted_tickets: BTreeSet::new(),
            jobs: BTreeMap::new(),
            random: ChaCha8Rng::seed_from_u64(config.seed),
            last_id: 215_400_000_000 + config.seed % 1_000 * 10_000_000,
            queue: BinaryHeap::new(),
            queued: 0,
            config,
        }
    }

    /// Now, in whole seconds.
    pub fn now(&self) -> Seconds {
        self.now_ms.div_euclid(1_000)
    }

    /// The next number.
    pub fn next_id(&mut self) -> Id {
        self.last_id += 1;
        self.last_id
    }

    /// The next id of a contact or company: the time, then what counts up.
    pub fn next_hex(&mut self) -> String {
        let number = self.next_id();
        let seconds = u32::try_from(self.now().max(0)).unwrap_or(u32::MAX);
        format!("{seconds:08x}1b{number:014x}")
    }

    /// Random letters and digits.
    pub fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdef0123456789";
        (0..length)
            .filter_map(|_| LETTERS.get(self.random.random_range(0..LETTERS.len())))
            .map(|byte| char::from(*byte))
            .collect()
    }

    /// A UUID.
    pub fn uuid(&mut self) -> String {
        let parts = [8, 4, 4, 4, 12].map(|length| self.token(length));
        parts.join("-")
    }

    /// Puts something in the queue, for a time in milliseconds.
    pub fn schedule(&mut self, at_ms: i64, due: Due) {
        self.queued += 1;
        self.queue.push(Reverse((at_ms, self.queued, due)));
    }

    /// Tells the workspace's own doings of something; they act before the next request is read.
    pub fn tell(&mut self, happened: Happened) {
        if self.config.switches.automations_on_api {
            self.schedule(self.now_ms, Due::Rules(happened));
        }
    }

    /// Whether searches find by now what was made then (§4).
    pub fn is_indexed(&self, made_ms: i64) -> bool {
        made_ms + self.config.switches.search_lag.num_milliseconds() <= self.now_ms
    }

    // ---- people

    /// An admin who is still there.
    pub fn admin(&self, id: Id) -> Option<&Admin> {
        self.admins.get(&id).filter(|admin| !admin.removed)
    }

    /// A contact as the API has it: a merged one is gone with a hint (§3), an archived or blocked one is hidden.
    pub fn contact(&self, id: &str, version: u32) -> Result<&Contact, Failure> {
        if version >= 16
            && let Some(survivor) = self.survivor(id)
        {
            let message =
                "This contact has been merged. See the 'Link' header for the canonical contact.";
            return Err(Failure {
                link: Some(format!("</contacts/{survivor}>; rel=\"canonical\"")),
                ..Failure::new(410, "contact_merged", message)
            });
        }
        self.contacts
            .get(id)
            .filter(|contact| !contact.archived && !contact.blocked)
            .ok_or_else(Failure::user)
    }

    /// Into whom a contact was merged, at the end of all merges.
    pub fn survivor(&self, id: &str) -> Option<&String> {
        let mut found = self.merged.get(id)?;
        while let Some(next) = self.merged.get(found) {
            found = next;
        }
        Some(found)
    }

    /// Stores a contact and keeps the indexes.
    pub fn put_contact(&mut self, contact: Contact) {
        let id = contact.id.clone();
        if let Some(old) = self.take_contact(&id)
            && (&old.name, &old.email, old.role) != (&contact.name, &contact.email, contact.role)
        {
            self.names += 1;
        }
        for (index, key) in [
            (
                &mut self.contacts_by_email,
                contact.email.as_deref().map(str::to_lowercase),
            ),
            (&mut self.contacts_by_external, contact.external_id.clone()),
        ] {
            if let Some(key) = key {
                index.entry(key).or_default().insert(id.clone());
            }
        }
        self.contacts.insert(id, contact);
    }

    /// Takes a contact out, with the index entries.
    pub fn take_contact(&mut self, id: &str) -> Option<Contact> {
        let contact = self.contacts.remove(id)?;
        for (index, key) in [
            (
                &mut self.contacts_by_email,
                contact.email.as_deref().map(str::to_lowercase),
            ),
            (&mut self.contacts_by_external, contact.external_id.clone()),
        ] {
            let Some(key) = key else { continue };
            if let Some(same) = index.get_mut(&key) {
                same.remove(id);
                if same.is_empty() {
                    index.remove(&key);
                }
            }
        }
        Some(contact)
    }

    /// Changes a contact; `updated_at` moves.
    pub fn edit_contact<R>(&mut self, id: &str, edit: impl FnOnce(&mut Contact) -> R) -> Option<R> {
        let mut contact = self.contacts.get(id)?.clone();
        let result = edit(&mut contact);
        contact.updated_at = self.now();
        self.put_contact(contact);
        Some(result)
    }

    /// The contacts with this address, in any case.
    pub fn by_email(&self, email: &str) -> impl Iterator<Item = &Contact> {
        let ids = self.contacts_by_email.get(&email.to_lowercase());
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.contacts.get(id))
    }

    /// The contacts with this external id.
    pub fn by_external(&self, external_id: &str) -> impl Iterator<Item = &Contact> {
        let ids = self.contacts_by_external.get(external_id);
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.contacts.get(id))
    }

    /// A company that is not archived.
    pub fn company(&self, id: &str) -> Result<&Company, Failure> {
        let company = self.companies.get(id);
        company
            .filter(|company| !company.archived)
            .ok_or_else(Failure::company)
    }

    /// Stores a tag and keeps the index.
    pub fn put_tag(&mut self, tag: Tag) {
        if let Some(old) = self.tags.get(&tag.id) {
            self.tags_by_name.remove(&old.name.to_lowercase());
        }
        self.tags_by_name.insert(tag.name.to_lowercase(), tag.id);
        self.tags.insert(tag.id, tag);
    }

    // ---- conversations

    /// A conversation.
    pub fn conversation(&self, id: Id) -> Result<&Conversation, Failure> {
        self.conversations.get(&id).ok_or_else(Failure::resource)
    }

    /// A conversation to change; who takes part in it must be changed by [`State::join`] and [`State::leave`].
    pub fn conversation_mut(&mut self, id: Id) -> Result<&mut Conversation, Failure> {
        self.conversations
            .get_mut(&id)
            .ok_or_else(Failure::resource)
    }

    /// Stores a new conversation and keeps the index.
    pub fn put_conversation(&mut self, conversation: Conversation) {
        for contact in &conversation.contacts {
            let of = self.conversations_of.entry(contact.clone());
            of.or_default().insert(conversation.id);
        }
        self.conversations.insert(conversation.id, conversation);
    }

    /// Takes a conversation out, with the index entries and files.
    pub fn take_conversation(&mut self, id: Id) -> Option<Conversation> {
        let conversation = self.conversations.remove(&id)?;
        for contact in &conversation.contacts {
            if let Some(of) = self.conversations_of.get_mut(contact) {
                of.remove(&id);
            }
        }
        let parts = conversation.parts.iter().flat_map(|part| &part.attachments);
        for file in parts.chain(&conversation.source.attachments) {
            self.files.remove(&file.id);
        }
        Some(conversation)
    }

    /// A contact takes part in a conversation from now on.
    pub fn join(&mut self, id: Id, contact: &str) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        if !conversation.contacts.iter().any(|one| one == contact) {
            conversation.contacts.push(contact.to_owned());
        }
        let of = self.conversations_of.entry(contact.to_owned());
        of.or_default().insert(id);
    }

    /// A contact takes no part any more.
    pub fn leave(&mut self, id: Id, contact: &str) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.contacts.retain(|one| one != contact);
        }
        if let Some(of) = self.conversations_of.get_mut(contact) {
            of.remove(&id);
        }
    }

    /// The live conversation attributes of a name.
    pub fn conversation_attributes_named<'s>(
        &'s self,
        name: &'s str,
    ) -> impl Iterator<Item = &'s ConversationAttribute> {
        let all = self.conversation_attributes.values();
        all.filter(move |attribute| !attribute.archived && attribute.name == name)
    }

    // ---- tickets

    /// A ticket.
    pub fn ticket(&self, id: Id) -> Result<&Ticket, Failure> {
        self.tickets.get(&id).ok_or_else(tickets::missing)
    }

    /// Stores a ticket and keeps the indexes.
    pub fn put_ticket(&mut self, ticket: Ticket) {
        self.take_ticket(ticket.id);
        for contact in &ticket.contacts {
            let of = self.tickets_of.entry(contact.clone());
            of.or_default().insert(ticket.id);
        }
        for key in value_keys(&ticket) {
            self.tickets_by_value
                .entry(key)
                .or_default()
                .insert(ticket.id);
        }
        self.tickets.insert(ticket.id, ticket);
    }

    /// Takes a ticket out, with the index entries.
    pub fn take_ticket(&mut self, id: Id) -> Option<Ticket> {
        let ticket = self.tickets.remove(&id)?;
        for contact in &ticket.contacts {
            if let Some(of) = self.tickets_of.get_mut(contact) {
                of.remove(&id);
            }
        }
        for key in value_keys(&ticket) {
            if let Some(of) = self.tickets_by_value.get_mut(&key) {
                of.remove(&id);
            }
        }
        Some(ticket)
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Wake(id) => conversations::wake(self, id),
            Due::WakeTicket(id) => tickets::wake(self, id),
            Due::ArchiveCompany(id) => companies::archive(self, &id),
            Due::Job(id) => tickets::work(self, id),
            Due::Rules(happened) => rules::run(self, &happened),
        }
    }

    /// Does what is due by now.
    pub fn settle(&mut self) {
        self.advance(self.now_ms);
    }

    fn advance(&mut self, now_ms: i64) {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > now_ms {
                break;
            }
            let Some(Reverse((at, _, due))) = self.queue.pop() else {
                break;
            };
            self.now_ms = self.now_ms.max(at);
            self.happen(due);
        }
        self.now_ms = self.now_ms.max(now_ms);
    }
}

impl Content for State {
    fn run_until(&mut self, now: DateTime<Utc>) {
        self.advance(now.timestamp_millis());
    }
}

/// What a ticket is found by among its values.
fn value_keys(ticket: &Ticket) -> Vec<(Id, String)> {
    let keys = ticket.attributes.iter();
    keys.filter_map(|(id, value)| Some((*id, text_of(value)?)))
        .collect()
}

/// A value as a text to be compared.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_lowercase()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
