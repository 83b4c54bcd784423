//! The world behind the simulator: all records, the indexes of search, and the changes that a test makes to them.
//!
//! It is also the truth a test compares a destination with: [`World::json`] gives a record whole and unmasked,
//! [`World::text`] a message's whole text where the API would cut it, [`World::file_bytes`] a file.
//!
//! # Memory
//! A conversation takes 56 bytes, a message 32, a note 32; with ids and indexes a world of 200,000 conversations (1.2
//! million messages, 176,000 notes, 120,000 customers, 100,000 custom objects) was measured at 105 MB, that is 540
//! bytes a conversation; `tests/scale.rs` holds it below twice that. Everything else is drawn when it is asked for.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use super::custom::KLASSES;
use super::draw::Draw;
use super::generate::{Records, Shape, generate, purpose};
use super::ids::{Kind, Oid};
use super::model::{Company, Conversation, Customer, KObject, Message, NONE, Note, User, flag};
use super::settings::Settings;
use super::{files, text};
use crate::common::Clock;

/// What a search looks through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Companies.
    Company,
    /// Customers.
    Customer,
    /// Conversations.
    Conversation,
    /// Messages.
    Message,
    /// Notes.
    Note,
    /// Records of all klasses.
    KObject,
    /// Records of one klass: a place in [`KLASSES`].
    Klass(u8),
    /// Work on conversations, one for each message that an agent sent; numbered as that message.
    ConversationTime,
    /// A context that the simulated organisation has nothing in.
    Nothing,
}

/// Numbers of records, sorted by `updatedAt` and then number.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Without deleted and merged ones.
    pub live: Vec<u32>,
    /// With deleted ones.
    pub all: Vec<u32>,
}

/// A record as the index still has it.
struct Stale {
    /// The `updatedAt` it is sorted by; `None` if the index does not have it yet.
    updated: Option<i64>,
    document: Value,
    due_ms: i64,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be read.
    Live,
    /// It is marked deleted.
    Deleted,
    /// It was merged into the record with this id.
    MergedInto(String),
}

/// How many records there are, deleted and merged ones counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Counts {
    pub users: usize,
    pub companies: usize,
    pub deleted_companies: usize,
    pub customers: usize,
    pub deleted_customers: usize,
    pub merged_customers: usize,
    pub conversations: usize,
    pub deleted_conversations: usize,
    pub messages: usize,
    pub notes: usize,
    pub deleted_notes: usize,
    pub kobjects: usize,
}

/// A message that a test adds.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The text.
    pub text: String,
    /// Whether it goes out.
    pub outbound: bool,
    /// How many files it has.
    pub files: u8,
}

/// All data of one organisation.
pub struct World {
    pub(super) seed: u64,
    pub(super) few: bool,
    pub(super) clock: Clock,
    pub(super) salt: u16,
    /// When the organisation was made; all settings carry this time.
    pub(super) founded: i64,
    /// When the world was made: the end of its generated history.
    pub(super) born: i64,
    pub(super) attachment_cap: u64,
    pub(super) index_lag_ms: i64,
    pub(super) link_life_ms: i64,
    pub(super) sensitive: Vec<String>,
    pub(super) hosts: RwLock<files::Hosts>,
    pub(super) users: Vec<User>,
    pub(super) companies: Vec<Company>,
    pub(super) customers: Vec<Customer>,
    pub(super) conversations: Vec<Conversation>,
    pub(super) messages: Vec<Message>,
    pub(super) notes: Vec<Note>,
    pub(super) kobjects: Vec<KObject>,
    pub(super) settings: Settings,
    by_customer: Vec<u32>,
    by_customer_at: Vec<u32>,
    pub(super) kobjects_by_klass: Vec<Vec<u32>>,
    pub(super) kobjects_by_owner: HashMap<(bool, u32), Vec<u32>>,
    ids: HashMap<Kind, Vec<u32>>,
    indexes: HashMap<Context, Index>,
    stale: HashMap<(Context, u32), Stale>,
    extra_messages: HashMap<u32, Vec<u32>>,
    extra_notes: HashMap<u32, Vec<u32>>,
    given_messages: HashMap<u32, NewMessage>,
    given_notes: HashMap<u32, String>,
    pub(super) given_names: HashMap<u32, String>,
}

/// What a world is made from.
pub(super) struct Making {
    pub seed: u64,
    pub shape: Shape,
    pub clock: Clock,
    pub attachment_cap: u64,
    pub index_lag_ms: i64,
    pub link_life_ms: i64,
    pub sensitive: Vec<String>,
}

impl World {
    pub(super) fn new(making: Making) -> Self {
        let Making {
            seed,
            shape,
            clock,
            attachment_cap,
            index_lag_ms,
            link_life_ms,
            sensitive,
        } = making;
        let now = clock.now_ms();
        let Records {
            users,
            companies,
            customers,
            conversations,
            messages,
            notes,
            kobjects,
        } = generate(seed, &shape, now);
        let mut by_customer: Vec<u32> = (0..conversations.len() as u32).collect();
        by_customer.sort_by_key(|c| conversations.get(*c as usize).map_or(0, |c| c.customer));
        let mut by_customer_at = vec![0_u32; customers.len() + 1];
        for conversation in &conversations {
            if let Some(count) = by_customer_at.get_mut(conversation.customer as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for count in &mut by_customer_at {
            sum += *count;
            *count = sum;
        }
        let mut kobjects_by_klass = vec![Vec::new(); KLASSES.len()];
        let mut kobjects_by_owner: HashMap<(bool, u32), Vec<u32>> = HashMap::new();
        for (number, kobject) in kobjects.iter().enumerate() {
            if let Some(list) = kobjects_by_klass.get_mut(kobject.klass as usize) {
                list.push(number as u32);
            }
            if kobject.owner != NONE {
                let company = KLASSES
                    .get(kobject.klass as usize)
                    .is_some_and(|klass| klass.owner == Some("company"));
                kobjects_by_owner
                    .entry((company, kobject.owner))
                    .or_default()
                    .push(number as u32);
            }
        }
        let mut world = Self {
            seed,
            few: shape.few,
            clock,
            salt: Draw::new(seed, 0, 0).below(1 << 16) as u16,
            founded: now - 8 * 365 * 86_400_000,
            born: now,
            attachment_cap,
            index_lag_ms,
            link_life_ms,
            sensitive,
            hosts: RwLock::default(),
            users,
            companies,
            customers,
            conversations,
            messages,
            notes,
            kobjects,
            settings: Settings::default(),
            by_customer,
            by_customer_at,
            kobjects_by_klass,
            kobjects_by_owner,
            ids: HashMap::new(),
            indexes: HashMap::new(),
            stale: HashMap::new(),
            extra_messages: HashMap::new(),
            extra_notes: HashMap::new(),
            given_messages: HashMap::new(),
            given_notes: HashMap::new(),
            given_names: HashMap::new(),
        };
        world.settings = Settings::new(&world);
        world.build_indexes();
        world
    }

    fn build_indexes(&mut self) {
        for kind in [
            Kind::Company,
            Kind::Customer,
            Kind::Conversation,
            Kind::Message,
            Kind::Note,
            Kind::KObject,
        ] {
            let mut numbers: Vec<u32> = (0..self.len(kind) as u32).collect();
            numbers.sort_by_cached_key(|number| self.oid(kind, *number));
            self.ids.insert(kind, numbers);
        }
        let mut contexts = vec![
            Context::Company,
            Context::Customer,
            Context::Conversation,
            Context::Message,
            Context::Note,
            Context::KObject,
            Context::ConversationTime,
        ];
        contexts.extend((0..KLASSES.len() as u8).map(Context::Klass));
        for context in contexts {
            let mut all: Vec<u32> = match context {
                Context::Klass(klass) => self
                    .kobjects_by_klass
                    .get(klass as usize)
                    .cloned()
                    .unwrap_or_default(),
                Context::ConversationTime => (0..self.messages.len() as u32)
                    .filter(|number| {
                        self.messages
                            .get(*number as usize)
                            .is_some_and(is_worked_on)
                    })
                    .collect(),
                _ => (0..self.len(kind_of(context)) as u32).collect(),
            };
            all.retain(|number| {
                context != Context::Customer || self.flags(context, *number) & flag::MERGED == 0
            });
            all.sort_by_cached_key(|number| (self.updated(context, *number), *number));
            let mut live = all.clone();
            live.retain(|number| self.flags(context, *number) & flag::DELETED == 0);
            live.shrink_to_fit();
            self.indexes.insert(context, Index { live, all });
        }
    }

    pub(super) fn len(&self, kind: Kind) -> usize {
        match kind {
            Kind::User => self.users.len(),
            Kind::Company => self.companies.len(),
            Kind::Customer => self.customers.len(),
            Kind::Conversation => self.conversations.len(),
            Kind::Message => self.messages.len(),
            Kind::Note => self.notes.len(),
            Kind::KObject => self.kobjects.len(),
            _ => 0,
        }
    }

    /// Numbers of all records of a kind in the order of their ids.
    pub(super) fn in_id_order(&self, kind: Kind) -> &[u32] {
        self.ids.get(&kind).map_or(&[], Vec::as_slice)
    }

    pub(super) fn index(&self, context: Context) -> Option<&Index> {
        self.indexes.get(&context)
    }

    /// The live `updatedAt` of a record.
    pub(super) fn updated(&self, context: Context, number: u32) -> i64 {
        let at = number as usize;
        match context {
            Context::Company => self.companies.get(at).map(|r| r.updated),
            Context::Customer => self.customers.get(at).map(|r| r.updated),
            Context::Conversation => self.conversations.get(at).map(|r| r.updated),
            Context::Message | Context::ConversationTime => {
                self.messages.get(at).map(|r| r.updated)
            }
            Context::Note => self.notes.get(at).map(|r| r.updated),
            Context::KObject | Context::Klass(_) => self.kobjects.get(at).map(|r| r.updated),
            Context::Nothing => None,
        }
        .unwrap_or_default()
    }

    /// The `updatedAt` that the index sorts by.
    pub(super) fn indexed(&self, context: Context, number: u32) -> i64 {
        if !self.stale.is_empty()
            && let Some(stale) = self.stale.get(&(context, number))
            && let Some(updated) = stale.updated
        {
            return updated;
        }
        self.updated(context, number)
    }

    /// The document that the index still shows instead of the live one.
    pub(super) fn stale_document(&self, context: Context, number: u32) -> Option<&Value> {
        self.stale
            .get(&(context, number))
            .map(|stale| &stale.document)
    }

    pub(super) fn flags(&self, context: Context, number: u32) -> u16 {
        let at = number as usize;
        match context {
            Context::Company => self.companies.get(at).map(|r| r.flags),
            Context::Customer => self.customers.get(at).map(|r| r.flags),
            Context::Conversation => self.conversations.get(at).map(|r| r.flags),
            Context::Note => self.notes.get(at).map(|r| r.flags),
            Context::KObject | Context::Klass(_) => self.kobjects.get(at).map(|r| r.flags),
            // A message lives and dies with its conversation.
            Context::Message | Context::ConversationTime => self
                .messages
                .get(at)
                .and_then(|m| self.conversations.get(m.conversation as usize))
                .map(|c| c.flags & (flag::DELETED | flag::PURGED)),
            Context::Nothing => None,
        }
        .unwrap_or_default()
    }

    /// The id of a record.
    pub(super) fn oid(&self, kind: Kind, number: u32) -> Oid {
        self.oid_part(kind, 0, number)
    }

    /// The id of one of several records that hang on a record.
    pub(super) fn oid_part(&self, kind: Kind, part: u8, number: u32) -> Oid {
        let at = number as usize;
        let message_time = |at: usize| {
            self.messages.get(at).map(|m| {
                let imported = self
                    .conversations
                    .get(m.conversation as usize)
                    .map_or(0, |c| c.imported);
                if m.flags & flag::IMPORTED != 0 && imported > 0 {
                    imported
                } else {
                    m.sent + i64::from(m.created_after)
                }
            })
        };
        let conversation_time = |at: usize| {
            self.conversations.get(at).map(|c| {
                if c.imported > 0 {
                    c.imported
                } else {
                    c.created
                }
            })
        };
        let time = match kind {
            Kind::User => self.users.get(at).map(|r| r.created),
            Kind::Company => self.companies.get(at).map(|r| r.created),
            Kind::Customer | Kind::Draft | Kind::DraftAttachment | Kind::Merge | Kind::Session => {
                self.customers.get(at).map(|r| r.created)
            }
            Kind::Conversation | Kind::Forward | Kind::ForwardAttachment | Kind::Event => {
                conversation_time(at)
            }
            Kind::SatisfactionResponse => conversation_time(at),
            Kind::Message | Kind::MessageAttachment | Kind::ConversationTime => message_time(at),
            Kind::Note | Kind::NoteAttachment => self.notes.get(at).map(|r| r.created),
            Kind::KObject => self.kobjects.get(at).map(|r| r.created),
            _ => None,
        };
        Oid::new(time.unwrap_or(self.founded), self.salt, kind, part, number)
    }

    /// The id as text.
    pub(super) fn id(&self, kind: Kind, number: u32) -> String {
        self.oid(kind, number).to_string()
    }

    /// The number of the record with this id, if it is of this kind and exists.
    pub(super) fn find(&self, kind: Kind, id: &str) -> Option<u32> {
        let oid: Oid = id.parse().ok()?;
        let known = oid.kind() == Some(kind)
            && (oid.number() as usize) < self.len(kind)
            && self.oid(kind, oid.number()) == oid;
        known.then(|| oid.number())
    }

    pub(super) fn draw(&self, purpose: u64, kind: Kind, number: u32) -> Draw {
        Draw::new(self.seed, purpose + kind as u64 * 1000, u64::from(number))
    }

    /// The messages of a conversation, in the order they were made.
    pub(super) fn messages_of(
        &self,
        conversation: u32,
    ) -> impl DoubleEndedIterator<Item = u32> + '_ {
        let range = self
            .conversations
            .get(conversation as usize)
            .filter(|c| c.flags & flag::DELETED == 0)
            .map_or(0..0, |c| c.first_message..c.first_message + c.messages);
        let extra = self
            .extra_messages
            .get(&conversation)
            .map_or(&[][..], Vec::as_slice);
        range.chain(extra.iter().copied())
    }

    /// The notes of a conversation, deleted ones too.
    pub(super) fn notes_of(&self, conversation: u32) -> impl Iterator<Item = u32> + '_ {
        let range = self
            .conversations
            .get(conversation as usize)
            .map_or(0..0, |c| c.first_note..c.first_note + u32::from(c.notes));
        let extra = self
            .extra_notes
            .get(&conversation)
            .map_or(&[][..], Vec::as_slice);
        range.chain(extra.iter().copied())
    }

    /// The conversations of a customer.
    pub(super) fn conversations_of(&self, customer: u32) -> &[u32] {
        let at = customer as usize;
        let from = self.by_customer_at.get(at).copied().unwrap_or(0) as usize;
        let to = self.by_customer_at.get(at + 1).copied().unwrap_or(0) as usize;
        self.by_customer.get(from..to).unwrap_or(&[])
    }

    /// The language that a conversation is held in.
    pub(super) fn language(&self, conversation: u32) -> &'static str {
        text::language(&mut self.draw(purpose::TEXT, Kind::Conversation, conversation))
    }

    pub(super) fn message_text(&self, number: u32) -> String {
        let Some(message) = self.messages.get(number as usize) else {
            return String::new();
        };
        if let Some(given) = self.given_messages.get(&number) {
            return given.text.clone();
        }
        if message.flags & flag::REDACTED != 0 {
            return String::new();
        }
        let mut draw = self.draw(purpose::TEXT, Kind::Message, number);
        text::body(&mut draw, self.language(message.conversation))
    }

    pub(super) fn note_text(&self, number: u32) -> String {
        if let Some(given) = self.given_notes.get(&number) {
            return given.clone();
        }
        let conversation = self
            .notes
            .get(number as usize)
            .map_or(NONE, |n| n.conversation);
        let mut draw = self.draw(purpose::TEXT, Kind::Note, number);
        let mut body = text::body(&mut draw, self.language(conversation));
        if let Some(user) = self
            .mentioned(number)
            .and_then(|user| self.users.get(user as usize))
        {
            body = format!("Asked __{}__ to check. {body}", user.name);
        }
        body.chars().take(text::PREVIEW_CAP).collect()
    }

    /// The user that a note mentions.
    pub(super) fn mentioned(&self, note: u32) -> Option<u32> {
        let mut draw = self.draw(purpose::RENDER + 1, Kind::Note, note);
        let user = draw.below(self.users.len() as u64) as u32;
        (draw.chance(200) && !self.given_notes.contains_key(&note)).then_some(user)
    }
}

fn is_worked_on(message: &Message) -> bool {
    message.flags & flag::OUT != 0 && message.flags & flag::AUTO == 0
}

pub(super) fn kind_of(context: Context) -> Kind {
    match context {
        Context::Company => Kind::Company,
        Context::Customer => Kind::Customer,
        Context::Conversation => Kind::Conversation,
        Context::Message => Kind::Message,
        Context::Note => Kind::Note,
        Context::KObject | Context::Klass(_) => Kind::KObject,
        Context::ConversationTime | Context::Nothing => Kind::ConversationTime,
    }
}

/// Truth, for tests.
impl World {
    /// How many records there are.
    pub fn counts(&self) -> Counts {
        let has = |context: Context, bit: u16, n: usize| {
            (0..n as u32)
                .filter(|number| self.flags(context, *number) & bit != 0)
                .count()
        };
        let deleted_companies = has(Context::Company, flag::DELETED, self.companies.len());
        let deleted_customers = has(Context::Customer, flag::DELETED, self.customers.len());
        let merged_customers = has(Context::Customer, flag::MERGED, self.customers.len());
        let deleted_conversations = has(
            Context::Conversation,
            flag::DELETED,
            self.conversations.len(),
        );
        let deleted_notes = has(Context::Note, flag::DELETED, self.notes.len());
        let deleted_messages = has(Context::Message, flag::DELETED, self.messages.len());
        Counts {
            users: self.users.len(),
            companies: self.companies.len() - deleted_companies,
            deleted_companies,
            customers: self.customers.len() - deleted_customers - merged_customers,
            deleted_customers,
            merged_customers,
            conversations: self.conversations.len() - deleted_conversations,
            deleted_conversations,
            messages: self.messages.len() - deleted_messages,
            notes: self.notes.len() - deleted_notes,
            deleted_notes,
            kobjects: self.kobjects.len(),
        }
    }

    /// Ids of all records of a kind, deleted and merged ones too, in the order of ids.
    pub fn ids(&self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::User => (0..self.users.len() as u32)
                .map(|n| self.id(kind, n))
                .collect(),
            _ => self
                .in_id_order(kind)
                .iter()
                .map(|n| self.id(kind, *n))
                .collect(),
        }
    }

    /// What became of a record; `None` for an unknown id.
    pub fn state(&self, id: &str) -> Option<State> {
        let oid: Oid = id.parse().ok()?;
        let context = match oid.kind()? {
            Kind::Company => Context::Company,
            Kind::Customer => Context::Customer,
            Kind::Conversation => Context::Conversation,
            Kind::Message => Context::Message,
            Kind::Note => Context::Note,
            Kind::KObject => Context::KObject,
            _ => return None,
        };
        let number = self.find(kind_of(context), id)?;
        let flags = self.flags(context, number);
        Some(if flags & flag::MERGED != 0 {
            let survivor = self
                .customers
                .get(number as usize)
                .map_or(NONE, |c| c.merged_into);
            State::MergedInto(self.id(Kind::Customer, survivor))
        } else if flags & flag::DELETED != 0 {
            State::Deleted
        } else {
            State::Live
        })
    }

    /// A record whole and unmasked, as the API shows it to a key that may see everything.
    pub fn json(&self, id: &str) -> Option<Value> {
        let oid: Oid = id.parse().ok()?;
        let kind = oid.kind()?;
        let number = self.find(kind, id)?;
        self.render(kind, number)
    }

    /// The ids of a conversation's messages in the order they were made.
    pub fn message_ids(&self, conversation: &str) -> Vec<String> {
        self.find(Kind::Conversation, conversation)
            .map(|c| {
                self.messages_of(c)
                    .map(|m| self.id(Kind::Message, m))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// The ids of a conversation's notes, deleted ones too.
    pub fn note_ids(&self, conversation: &str) -> Vec<String> {
        self.find(Kind::Conversation, conversation)
            .map(|c| self.notes_of(c).map(|n| self.id(Kind::Note, n)).collect())
            .unwrap_or_default()
    }

    /// The whole text of a message or note, also where the API cuts it.
    pub fn text(&self, id: &str) -> Option<String> {
        self.find(Kind::Message, id)
            .map(|number| self.message_text(number))
            .or_else(|| {
                self.find(Kind::Note, id)
                    .map(|number| self.note_text(number))
            })
    }

    /// The HTML of a message, as the body resource would give it.
    pub fn html(&self, id: &str) -> Option<String> {
        self.find(Kind::Message, id)
            .map(|number| self.message_html(number))
    }

    /// The files of a message or note.
    pub fn files(&self, id: &str) -> Vec<files::File> {
        if let Some(number) = self.find(Kind::Message, id) {
            self.files_of(Kind::MessageAttachment, number)
        } else if let Some(number) = self.find(Kind::Note, id) {
            self.files_of(Kind::NoteAttachment, number)
        } else {
            Vec::new()
        }
    }

    /// The content of a file.
    pub fn file_bytes(&self, attachment: &str) -> Option<Vec<u8>> {
        let oid: Oid = attachment.parse().ok()?;
        let file = self.file(oid)?;
        Some(files::content(self.seed, &file).flatten().collect())
    }
}

/// Changes, for tests.
impl World {
    /// Whether the search indexes lag behind what they have to show by now.
    pub(super) fn has_index_due(&self) -> bool {
        let now = self.clock.now_ms();
        self.stale.values().any(|stale| stale.due_ms <= now)
    }

    /// Brings the search indexes up to what they show at this time.
    pub(super) fn refresh_indexes(&mut self) {
        if self.stale.is_empty() {
            return;
        }
        let now = self.clock.now_ms();
        let due: Vec<(Context, u32)> = self
            .stale
            .iter()
            .filter(|(_, stale)| stale.due_ms <= now)
            .map(|(key, _)| *key)
            .collect();
        for (context, number) in due {
            self.reindex(context, number);
        }
    }

    fn reindex(&mut self, context: Context, number: u32) {
        let Some(stale) = self.stale.get(&(context, number)) else {
            return;
        };
        let (was, is) = (stale.updated, self.updated(context, number));
        let live = self.flags(context, number) & flag::DELETED == 0;
        let Some(mut index) = self.indexes.remove(&context) else {
            return;
        };
        if let Some(was) = was {
            for list in [&mut index.live, &mut index.all] {
                let at = list.partition_point(|n| (self.indexed(context, *n), *n) < (was, number));
                if list.get(at) == Some(&number) {
                    list.remove(at);
                }
            }
        }
        self.stale.remove(&(context, number));
        let place = |list: &mut Vec<u32>| {
            let at = list.partition_point(|n| (self.indexed(context, *n), *n) < (is, number));
            list.insert(at, number);
        };
        let is_gone = self.flags(context, number) & (flag::MERGED | flag::PURGED) != 0;
        if !is_gone {
            place(&mut index.all);
            if live {
                place(&mut index.live);
            }
        }
        self.indexes.insert(context, index);
    }

    /// Keeps what the index shows of a record before it is changed.
    fn keep_stale(&mut self, context: Context, number: u32) {
        let due_ms = self.clock.now_ms() + self.index_lag_ms;
        if !self.stale.contains_key(&(context, number)) {
            let updated = Some(self.updated(context, number));
            let document = self.render(kind_of(context), number).unwrap_or_default();
            self.stale.insert(
                (context, number),
                Stale {
                    updated,
                    document,
                    due_ms,
                },
            );
        }
    }

    fn index_new(&mut self, context: Context, number: u32) {
        let due_ms = self.clock.now_ms() + self.index_lag_ms;
        let stale = Stale {
            updated: None,
            document: Value::Null,
            due_ms,
        };
        self.stale.insert((context, number), stale);
    }

    fn change_conversation(&mut self, number: u32, change: impl FnOnce(&mut Conversation)) {
        self.keep_stale(Context::Conversation, number);
        let now = self.clock.now_ms();
        if let Some(conversation) = self.conversations.get_mut(number as usize) {
            conversation.updated = now;
            conversation.rev += 1;
            change(conversation);
        }
    }

    /// Gives a conversation the present time as `updatedAt`. False for an unknown id.
    pub fn touch_conversation(&mut self, id: &str) -> bool {
        let Some(number) = self.find(Kind::Conversation, id) else {
            return false;
        };
        self.change_conversation(number, |_| {});
        true
    }

    /// Sets the status of a conversation: `open`, `snoozed` or `done`. False for an unknown id or status.
    pub fn set_status(&mut self, id: &str, status: &str) -> bool {
        let place = super::model::STATUSES
            .iter()
            .position(|known| *known == status);
        let (Some(number), Some(place)) = (self.find(Kind::Conversation, id), place) else {
            return false;
        };
        self.change_conversation(number, |conversation| conversation.status = place as u8);
        true
    }

    /// Deletes a conversation, and with it its messages (Kustomer facts §9.3). False for an unknown id.
    pub fn delete_conversation(&mut self, id: &str) -> bool {
        let Some(number) = self.find(Kind::Conversation, id) else {
            return false;
        };
        let messages: Vec<u32> = self.messages_of(number).collect();
        for message in messages {
            self.keep_stale(Context::Message, message);
        }
        self.change_conversation(number, |conversation| conversation.flags |= flag::DELETED);
        true
    }

    /// Deletes a note, which the search still shows, as deleted (Kustomer facts §10). False for an unknown id.
    pub fn delete_note(&mut self, id: &str) -> bool {
        let Some(number) = self.find(Kind::Note, id) else {
            return false;
        };
        self.keep_stale(Context::Note, number);
        let now = self.clock.now_ms();
        if let Some(note) = self.notes.get_mut(number as usize) {
            note.updated = now;
            note.flags |= flag::DELETED;
        }
        true
    }

    /// From now on the search indexes show changes when they are made.
    pub fn show_at_once(&mut self) {
        self.index_lag_ms = 0;
    }

    /// Removes a conversation without a trace, as a rule of the organisation that deletes old ones does (Kustomer facts §9.3): no
    /// search shows it any more. False for an unknown id.
    pub fn purge_conversation(&mut self, id: &str) -> bool {
        let Some(number) = self.find(Kind::Conversation, id) else {
            return false;
        };
        let messages: Vec<u32> = self.messages_of(number).collect();
        for message in messages {
            self.keep_stale(Context::Message, message);
        }
        self.change_conversation(number, |c| c.flags |= flag::DELETED | flag::PURGED);
        true
    }

    /// Begins a conversation of a customer now, with one message, and gives its id. `None` for an unknown customer.
    pub fn add_conversation(&mut self, customer: &str, text: &str) -> Option<String> {
        let customer = self.find(Kind::Customer, customer)?;
        let now = self.clock.now_ms();
        let number = self.conversations.len() as u32;
        self.conversations.push(Conversation {
            created: now,
            updated: now,
            imported: 0,
            customer,
            first_message: self.messages.len() as u32,
            messages: 0,
            first_note: self.notes.len() as u32,
            notes: 0,
            flags: 0,
            rev: 1,
            status: 0,
            channel: 0,
        });
        self.ids.entry(Kind::Conversation).or_default().push(number);
        self.index_new(Context::Conversation, number);
        let id = self.id(Kind::Conversation, number);
        let message = NewMessage {
            text: text.to_owned(),
            outbound: false,
            files: 0,
        };
        self.add_message(&id, message)?;
        Some(id)
    }

    /// Gives a customer another name. False for an unknown id.
    pub fn rename_customer(&mut self, id: &str, name: &str) -> bool {
        let Some(number) = self.find(Kind::Customer, id) else {
            return false;
        };
        // The index shows the former name until it has caught up.
        self.keep_stale(Context::Customer, number);
        self.given_names.insert(number, name.to_owned());
        self.touch_customer(id)
    }

    /// Merges a customer into another, who has their conversations from now on (Kustomer facts §9.1). False for an unknown id.
    pub fn merge_customers(&mut self, from: &str, into: &str) -> bool {
        let (Some(from), Some(into)) = (
            self.find(Kind::Customer, from),
            self.find(Kind::Customer, into),
        ) else {
            return false;
        };
        let theirs: Vec<u32> = (0..self.conversations.len() as u32)
            .filter(|n| self.conversations.get(*n as usize).map(|c| c.customer) == Some(from))
            .collect();
        for number in theirs {
            self.change_conversation(number, |c| c.customer = into);
        }
        let now = self.clock.now_ms();
        for number in [from, into] {
            self.keep_stale(Context::Customer, number);
            if let Some(customer) = self.customers.get_mut(number as usize) {
                customer.updated = now;
                customer.rev += 1;
                if number == from {
                    customer.merged_into = into;
                    customer.flags |= flag::MERGED;
                }
            }
        }
        true
    }

    /// Gives a customer the present time as `updatedAt`. False for an unknown id.
    pub fn touch_customer(&mut self, id: &str) -> bool {
        let Some(number) = self.find(Kind::Customer, id) else {
            return false;
        };
        self.keep_stale(Context::Customer, number);
        let now = self.clock.now_ms();
        if let Some(customer) = self.customers.get_mut(number as usize) {
            customer.updated = now;
            customer.rev += 1;
        }
        true
    }

    /// Gives a message the present time as `updatedAt`. False for an unknown id.
    pub fn touch_message(&mut self, id: &str) -> bool {
        let Some(number) = self.find(Kind::Message, id) else {
            return false;
        };
        self.keep_stale(Context::Message, number);
        let now = self.clock.now_ms();
        if let Some(message) = self.messages.get_mut(number as usize) {
            message.updated = now;
            message.rev += 1;
        }
        true
    }

    /// Adds a message to a conversation now, and gives its id. `None` for an unknown or deleted conversation.
    pub fn add_message(&mut self, conversation: &str, message: NewMessage) -> Option<String> {
        let thread = self.find(Kind::Conversation, conversation)?;
        if self.flags(Context::Conversation, thread) & flag::DELETED != 0 {
            return None;
        }
        let now = self.clock.now_ms();
        let number = self.messages.len() as u32;
        let channel = self.conversations.get(thread as usize)?.channel;
        self.messages.push(Message {
            sent: now,
            created_after: 0,
            conversation: thread,
            updated: now,
            flags: flag::GIVEN | if message.outbound { flag::OUT } else { 0 },
            rev: 1,
            channel,
            files: message.files,
        });
        self.keep_stale(Context::Conversation, thread);
        self.given_messages.insert(number, message);
        self.extra_messages.entry(thread).or_default().push(number);
        self.ids.entry(Kind::Message).or_default().push(number);
        self.index_new(Context::Message, number);
        self.change_conversation(thread, |_| {});
        Some(self.id(Kind::Message, number))
    }

    /// Adds a note to a conversation now, and gives its id. `None` for an unknown conversation.
    pub fn add_note(&mut self, conversation: &str, text: &str) -> Option<String> {
        let thread = self.find(Kind::Conversation, conversation)?;
        let now = self.clock.now_ms();
        let number = self.notes.len() as u32;
        self.keep_stale(Context::Conversation, thread);
        self.notes.push(Note {
            created: now,
            updated: now,
            conversation: thread,
            customer: self.conversations.get(thread as usize)?.customer,
            flags: flag::GIVEN,
            files: 0,
        });
        self.given_notes.insert(number, text.to_owned());
        self.extra_notes.entry(thread).or_default().push(number);
        self.ids.entry(Kind::Note).or_default().push(number);
        self.index_new(Context::Note, number);
        self.change_conversation(thread, |_| {});
        Some(self.id(Kind::Note, number))
    }

    pub(super) fn hosts(&self) -> files::Hosts {
        self.hosts
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
