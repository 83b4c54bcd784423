//! Which records stand for all: a choice that has of everything that was read one at least, closed under references.
//!
//! Everything that makes a record unlike others is a *trait*: its kind, its status, a channel, a custom field with a value, a file of
//! a sort, a script in its text; for the longest thread and the oddest text there is one each. The rarest trait not had yet is taken
//! next, with the record that has most of those that are missing; what is left of the number is filled with conversations spread
//! over time. That is the greedy cover of a set, and the order of ids breaks every tie: the same reading gives the same choice.
//!
//! Cost: all staged rows are read once. What is held is a number for each trait of each record.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use sqlx::Row as _;

use super::assemble::{each_reference, left_out, owner_word};
use super::model::Trait;
use crate::config::Config;
use crate::contract::types::{
    AttachmentState, Author, BodySource, ConversationStatus, DeliveryStatus, Direction, Entity,
    Entry, Text, Visibility,
};
use crate::error::Error;
use crate::store::{AMONG, Store, among};
use crate::{among, kinds};

/// Kind and id of a record.
pub type Key = (String, String);

/// Records with one trait that are looked at for the best of them.
const LOOKED_AT: usize = 2_000;

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// The chosen ones, in the order in which they were taken.
    pub chosen: Vec<Key>,
    /// What they refer to, hang on and consist of, and what that refers to.
    pub along: BTreeSet<Key>,
    /// Every trait that is had, and the first chosen record that has it.
    pub traits: Vec<Trait>,
    /// Traits for which there was no room, the rarest first.
    pub missing: Vec<Trait>,
}

/// Chooses `size` records of a reading; one thread where it is 1.
///
/// # Errors
/// A store error.
pub async fn choose(
    store: &Store,
    config: &Config,
    extraction: &str,
    size: usize,
) -> Result<Choice, Error> {
    let mut seen = Seen::default();
    seen.records(store, config, extraction).await?;
    seen.parts(store, extraction).await?;
    let chosen = match size {
        1 => seen.smallest(),
        size => seen.cover(size),
    };
    let keys: Vec<Key> = chosen
        .iter()
        .filter_map(|at| seen.roots.get(*at))
        .map(|root| root.key.clone())
        .collect();
    let along = closure(store, extraction, &keys, size == 1).await?;
    let (traits, missing) = seen.told(&chosen);
    Ok(Choice {
        chosen: keys,
        along,
        traits,
        missing,
    })
}

/// A record that can be chosen.
struct Root {
    key: Key,
    /// Its place in time.
    at: i64,
    traits: BTreeSet<u32>,
    /// Messages, of a thread.
    messages: u64,
    /// How odd its oddest text is, and how long.
    oddest: (usize, usize),
    public: bool,
}

/// All that could be chosen.
#[derive(Default)]
struct Seen {
    roots: Vec<Root>,
    by_key: HashMap<Key, usize>,
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Seen {
    fn number(&mut self, name: String) -> u32 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }

    fn add(&mut self, root: usize, names: Vec<String>) {
        let numbers: Vec<u32> = names.into_iter().map(|name| self.number(name)).collect();
        if let Some(root) = self.roots.get_mut(root) {
            root.traits.extend(numbers);
        }
    }

    /// Records that can be chosen, with their own traits.
    async fn records(
        &mut self,
        store: &Store,
        config: &Config,
        extraction: &str,
    ) -> Result<(), Error> {
        let sql = "SELECT sort_at, payload FROM staged WHERE extraction = $1 AND (kind IN ('company', 'customer', 'conversation', \
                   'custom-object', 'relationship') OR (kind = 'message' AND parent IS NULL)) ORDER BY kind, id";
        let mut found: Vec<(Entry, i64)> = vec![];
        store
            .each(sql, vec![extraction.into()], |row| {
                let entry: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
                found.push((entry, row.try_get("sort_at")?));
                Ok::<(), Error>(())
            })
            .await?;
        for (entry, at) in found {
            if left_out(config, &entry).is_some() {
                continue;
            }
            let key = (
                kinds::name(&entry.head.kind).to_owned(),
                entry.head.id.clone(),
            );
            let root = self.roots.len();
            self.by_key.insert(key.clone(), root);
            self.roots.push(Root {
                key,
                at,
                traits: BTreeSet::new(),
                messages: 0,
                oddest: (0, 0),
                public: false,
            });
            self.add(root, of_record(&entry));
            if let Entity::Message(_) = &entry.data {
                self.message(root, &entry);
            }
        }
        Ok(())
    }

    /// What records consist of: messages of threads, and files.
    async fn parts(&mut self, store: &Store, extraction: &str) -> Result<(), Error> {
        let mut found: Vec<(Key, Entry)> = vec![];
        let messages = "SELECT parent, payload FROM staged WHERE extraction = $1 AND kind = 'message' AND parent IS NOT NULL \
                        ORDER BY parent, id";
        let files = "SELECT coalesce(m.parent, a.parent) AS parent, \
                     CASE WHEN m.parent IS NOT NULL THEN 'conversation' ELSE coalesce(p.kind, 'message') END AS kind, a.payload \
                     FROM staged a LEFT JOIN staged m ON m.extraction = a.extraction AND m.kind = 'message' AND m.id = a.parent \
                     LEFT JOIN staged p ON p.extraction = a.extraction AND p.kind = 'custom-object' AND p.id = a.parent \
                     WHERE a.extraction = $1 AND a.kind = 'attachment' ORDER BY 1, a.id";
        for sql in [messages, files] {
            store
                .each(sql, vec![extraction.into()], |row| {
                    let kind = match sql == messages {
                        true => "conversation".to_owned(),
                        false => row.try_get("kind")?,
                    };
                    let entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
                    found.push(((kind, row.try_get("parent")?), entry));
                    Ok::<(), Error>(())
                })
                .await?;
            for (key, entry) in found.drain(..) {
                let Some(root) = self.by_key.get(&key).copied() else {
                    continue;
                };
                match &entry.data {
                    Entity::Message(_) => self.message(root, &entry),
                    _ => self.add(root, of_file(&entry)),
                }
            }
        }
        self.extremes();
        Ok(())
    }

    fn message(&mut self, root: usize, entry: &Entry) {
        self.add(root, of_message(entry));
        let Entity::Message(message) = &entry.data else {
            return;
        };
        let odd = [&message.text, &message.html].into_iter().flatten();
        let odd = odd.map(|text| match text {
            Text::Inline(text) => (scripts(text).len(), text.len()),
            Text::Stored(blob) => (1, usize::try_from(blob.size).unwrap_or(usize::MAX)),
        });
        let odd = odd.max().unwrap_or_default();
        if let Some(root) = self.roots.get_mut(root) {
            root.messages += 1;
            root.oddest = root.oddest.max(odd);
            root.public |= message.visibility == Visibility::Public;
        }
    }

    /// The longest thread, the oddest and the longest text.
    fn extremes(&mut self) {
        type Measure = fn(&Root) -> (usize, usize);
        let measures: [(&str, Measure); 3] = [
            ("the longest thread", |root| {
                (usize::try_from(root.messages).unwrap_or(usize::MAX), 0)
            }),
            ("the oddest text", |root| root.oddest),
            ("the longest text", |root| (root.oddest.1, 0)),
        ];
        for (name, measure) in measures {
            let mut best: Option<usize> = None;
            for (at, root) in self.roots.iter().enumerate() {
                let better = |best: usize| {
                    self.roots
                        .get(best)
                        .is_some_and(|b| measure(root) > measure(b))
                };
                if measure(root) > (0, 0) && best.is_none_or(better) {
                    best = Some(at);
                }
            }
            if let Some(best) = best {
                self.add(best, vec![name.to_owned()]);
            }
        }
    }

    /// The thread of least messages that has a public one: a canary.
    fn smallest(&self) -> Vec<usize> {
        let threads = self
            .roots
            .iter()
            .enumerate()
            .filter(|(_, root)| root.public && root.messages > 0);
        threads
            .filter(|(_, root)| root.key.0 == "conversation")
            .min_by_key(|(_, root)| (root.messages, &root.key))
            .map(|(at, _)| at)
            .into_iter()
            .collect()
    }

    /// Records with each trait.
    fn having(&self) -> Vec<Vec<usize>> {
        let mut having: Vec<Vec<usize>> = vec![vec![]; self.names.len()];
        for (at, root) in self.roots.iter().enumerate() {
            for number in &root.traits {
                if let Some(list) = having.get_mut(*number as usize) {
                    list.push(at);
                }
            }
        }
        having
    }

    /// The greedy cover, and then conversations spread over time.
    fn cover(&self, size: usize) -> Vec<usize> {
        let having = self.having();
        let mut order: Vec<u32> =
            (0..u32::try_from(self.names.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by_key(|number| {
            let at = *number as usize;
            (having.get(at).map_or(0, Vec::len), self.names.get(at))
        });
        let mut open: HashSet<u32> = order.iter().copied().collect();
        let mut chosen: Vec<usize> = vec![];
        for number in order {
            if chosen.len() >= size {
                break;
            }
            if !open.contains(&number) {
                continue;
            }
            let candidates = having
                .get(number as usize)
                .into_iter()
                .flatten()
                .take(LOOKED_AT);
            let gain = |at: &usize| {
                let root = self.roots.get(*at);
                let gain = root.map_or(0, |root| {
                    root.traits.iter().filter(|n| open.contains(n)).count()
                });
                // Of equal ones the one with the least to read, then the first.
                let messages = root.map_or(0, |root| root.messages);
                (gain, std::cmp::Reverse(messages), std::cmp::Reverse(*at))
            };
            let Some(best) = candidates.max_by_key(|at| gain(at)) else {
                continue;
            };
            chosen.push(*best);
            for number in self
                .roots
                .get(*best)
                .into_iter()
                .flat_map(|root| &root.traits)
            {
                open.remove(number);
            }
        }
        let taken: HashSet<usize> = chosen.iter().copied().collect();
        let mut rest: Vec<usize> = (0..self.roots.len())
            .filter(|at| !taken.contains(at))
            .filter(|at| {
                self.roots
                    .get(*at)
                    .is_some_and(|root| root.key.0 == "conversation")
            })
            .collect();
        rest.sort_by_key(|at| self.roots.get(*at).map(|root| (root.at, root.key.clone())));
        let wanted = size.saturating_sub(chosen.len()).min(rest.len());
        let spread = (0..wanted).filter_map(|n| rest.get(n * rest.len() / wanted.max(1)).copied());
        chosen.extend(spread);
        chosen
    }

    /// Traits that are had, by the first record that has them, and those that are not.
    fn told(&self, chosen: &[usize]) -> (Vec<Trait>, Vec<Trait>) {
        let having = self.having();
        let (mut had, mut missing) = (vec![], vec![]);
        for (number, name) in self.names.iter().enumerate() {
            let records = having.get(number).map_or(0, Vec::len) as u64;
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let first = chosen
                .iter()
                .filter_map(|at| self.roots.get(*at))
                .find(|root| root.traits.contains(&number));
            let of = Trait {
                name: name.clone(),
                records,
                example: first.map(|root| format!("{}:{}", root.key.0, root.key.1)),
            };
            match first {
                Some(_) => had.push(of),
                None => missing.push(of),
            }
        }
        had.sort_by(|a, b| a.name.cmp(&b.name));
        missing.sort_by(|a, b| (a.records, &a.name).cmp(&(b.records, &b.name)));
        (had, missing)
    }
}

/// Everything that records refer to and consist of, all the way.
async fn closure(
    store: &Store,
    extraction: &str,
    chosen: &[Key],
    one_thread: bool,
) -> Result<BTreeSet<Key>, Error> {
    let mut known: BTreeSet<Key> = chosen.iter().cloned().collect();
    let mut open: VecDeque<Key> = chosen.iter().cloned().collect();
    while !open.is_empty() {
        let mut by_kind: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (kind, id) in open.drain(..) {
            by_kind.entry(kind).or_default().push(id);
        }
        let mut met: BTreeSet<Key> = BTreeSet::new();
        for (kind, ids) in by_kind {
            for ids in ids.chunks(AMONG) {
                let entries = by_ids(store, extraction, &kind, ids).await?;
                for entry in entries {
                    met.extend(references_of(entry));
                }
                // A record that was merged lives on in another.
                let survivors = store
                    .map(
                        among!("SELECT id, survivor FROM aliases WHERE id IN " " AND extraction = $65 AND kind = $66"),
                        among(ids, [extraction.into(), kind.as_str().into()]),
                    )
                    .await?;
                met.extend(survivors.into_values().map(|id| (kind.clone(), id)));
                for (child, parents) in [
                    ("message", "conversation"),
                    ("attachment", "message"),
                    ("attachment", "custom-object"),
                ] {
                    if kind == parents {
                        met.extend(children(store, extraction, child, ids).await?);
                    }
                }
            }
        }
        for key in met {
            // Another thread, to which something leads, is named and not loaded.
            if one_thread && key.0 == "conversation" {
                continue;
            }
            if known.insert(key.clone()) {
                open.push_back(key);
            }
        }
    }
    for key in chosen {
        known.remove(key);
    }
    let staged = only_staged(store, extraction, known).await?;
    Ok(staged)
}

async fn by_ids(
    store: &Store,
    extraction: &str,
    kind: &str,
    ids: &[String],
) -> Result<Vec<Entry>, Error> {
    store
        .rows(
            among!("SELECT payload FROM staged WHERE id IN " " AND extraction = $65 AND kind = $66 ORDER BY id"),
            among(ids, [extraction.into(), kind.into()]),
        )
        .await?
        .iter()
        .map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>("payload")?)?))
        .collect()
}

async fn children(
    store: &Store,
    extraction: &str,
    kind: &str,
    parents: &[String],
) -> Result<Vec<Key>, Error> {
    store
        .rows(
            among!("SELECT id FROM staged WHERE parent IN " " AND extraction = $65 AND kind = $66 ORDER BY id"),
            among(parents, [extraction.into(), kind.into()]),
        )
        .await?
        .iter()
        .map(|row| Ok((kind.to_owned(), row.try_get("id")?)))
        .collect()
}

/// Those of them that were read: a reference may lead nowhere.
async fn only_staged(
    store: &Store,
    extraction: &str,
    keys: BTreeSet<Key>,
) -> Result<BTreeSet<Key>, Error> {
    let mut by_kind: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, id) in keys {
        by_kind.entry(kind).or_default().push(id);
    }
    let mut staged = BTreeSet::new();
    for (kind, ids) in by_kind {
        for ids in ids.chunks(AMONG) {
            for row in store
                .rows(
                    among!("SELECT id FROM staged WHERE id IN " " AND extraction = $65 AND kind = $66"),
                    among(ids, [extraction.into(), kind.as_str().into()]),
                )
                .await?
            {
                staged.insert((kind.clone(), row.try_get("id")?));
            }
        }
    }
    Ok(staged)
}

/// What a record refers to: records, the definitions of its fields, its type.
fn references_of(mut entry: Entry) -> Vec<Key> {
    let mut all = vec![];
    each_reference(&mut entry, &mut |reference| {
        all.push((
            kinds::name(&reference.kind).to_owned(),
            reference.id.clone(),
        ));
    });
    let owner = owner_word(&entry);
    let fields = entry.head.fields.iter();
    all.extend(fields.map(|field| {
        (
            "field-definition".to_owned(),
            format!("{owner}/{}", field.name),
        )
    }));
    match &entry.data {
        Entity::CustomObject(object) => {
            all.push(("object-type".to_owned(), object.object_type.clone()));
        }
        Entity::FieldDefinition(field) => {
            let of = field.owner.object_type.iter();
            all.extend(of.map(|id| ("object-type".to_owned(), id.clone())));
        }
        _ => {}
    }
    all
}

// ---- traits

/// What makes a record unlike others, but for what it consists of.
fn of_record(entry: &Entry) -> Vec<String> {
    let kind = kinds::name(&entry.head.kind);
    let mut all = vec![kind.to_owned()];
    let owner = owner_word(entry);
    all.extend(
        entry
            .head
            .fields
            .iter()
            .map(|field| format!("field {owner}/{}", field.name)),
    );
    let mut has = |there: bool, what: &str| {
        if there {
            all.push(format!("{kind} {what}"));
        }
    };
    match &entry.data {
        Entity::Conversation(c) => {
            let status = match &c.status {
                ConversationStatus::Open => "open",
                ConversationStatus::Snoozed => "snoozed",
                ConversationStatus::Closed => "closed",
                ConversationStatus::Other(word) => word,
            };
            has(true, &format!("status {status}"));
            for channel in &c.channels {
                has(true, &format!("channel {channel}"));
            }
            for (what, value) in [
                ("sub-status", &c.sub_status),
                ("language", &c.language),
                ("ended", &c.ended_reason),
            ] {
                if let Some(value) = value {
                    has(true, &format!("{what} {value}"));
                }
            }
            if let Some(priority) = &c.priority {
                has(
                    true,
                    &format!(
                        "priority {} of {}..{}",
                        priority.value, priority.lowest, priority.highest
                    ),
                );
            }
            if let Some(brand) = &c.brand {
                has(true, &format!("brand {}", brand.id));
            }
            has(c.customer.is_none(), "without a customer");
            has(c.subject.is_none(), "without a subject");
            has(c.assignees.is_empty(), "without an assignee");
            has(c.assignees.len() > 1, "with several assignees");
            has(c.teams.len() > 1, "with several teams");
            has(c.channels.len() > 1, "in several channels");
            has(!c.tags.is_empty(), "with tags");
            has(c.satisfaction.is_some(), "with a satisfaction");
            has(c.sla.is_some(), "with an SLA result");
            has(c.locked, "locked");
            has(c.snooze_until.is_some(), "snoozed until");
            has(c.merged_into.is_some(), "merged");
            has(!c.linked.is_empty(), "linked to others");
            has(c.message_count == Some(0), "without messages");
        }
        Entity::Customer(c) => {
            for address in &c.addresses {
                let channel = format!("{:?}", address.channel).to_lowercase();
                let channel = channel.split('(').next().unwrap_or_default();
                let channel = channel.rsplit("::").next().unwrap_or_default();
                has(true, &format!("address {channel}"));
            }
            has(c.addresses.is_empty(), "without an address");
            has(c.addresses.len() > 3, "with many addresses");
            has(
                c.addresses.iter().any(|address| address.shared),
                "with a shared address",
            );
            has(c.name.is_none(), "without a name");
            has(c.company.is_some(), "with a company");
            has(!c.external_ids.is_empty(), "with an external id");
            has(c.external_ids.len() > 1, "with several external ids");
            has(!c.merged_from.is_empty(), "merged from others");
            has(!c.locations.is_empty(), "with a place");
            has(!c.tags.is_empty(), "with tags");
            has(c.satisfaction.is_some(), "with a satisfaction");
            has(c.birthday.is_some(), "with a birthday");
            has(c.conversation_count == Some(0), "who never wrote");
        }
        Entity::Company(c) => {
            has(c.domains.len() > 1, "with several domains");
            has(c.domains.is_empty(), "without a domain");
            has(c.parent.is_some(), "with a parent");
            has(!c.locations.is_empty(), "with a place");
            has(!c.tags.is_empty(), "with tags");
        }
        Entity::CustomObject(o) => {
            has(true, &format!("of {}", o.object_type));
            has(o.customer.is_some(), "of a customer");
            has(o.company.is_some(), "of a company");
            has(o.conversation.is_some(), "of a conversation");
            has(!o.comments.is_empty(), "with comments");
            has(!o.images.is_empty(), "with images");
            has(o.data.is_some(), "with data");
            has(o.status.is_some(), "with a status");
        }
        Entity::Relationship(r) => {
            let (from, to) = (kinds::name(&r.source.kind), kinds::name(&r.target.kind));
            has(true, &format!("{} from {from} to {to}", r.name));
        }
        _ => {}
    }
    all
}

/// What a message adds to its thread.
fn of_message(entry: &Entry) -> Vec<String> {
    let Entity::Message(m) = &entry.data else {
        return vec![];
    };
    let mut all: Vec<String> = vec![];
    let mut has = |there: bool, what: &str| {
        if there {
            all.push(format!("message {what}"));
        }
    };
    has(
        true,
        match m.visibility {
            Visibility::Public => "public",
            Visibility::Internal => "internal",
            Visibility::Event => "event",
        },
    );
    has(
        true,
        match m.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
            Direction::None => "without a direction",
        },
    );
    if let Some(channel) = &m.channel {
        has(true, &format!("channel {channel}"));
    }
    has(
        true,
        match m.body_source {
            BodySource::Full => "with its whole text",
            BodySource::Rendering => "with a rendered text",
            BodySource::Truncated => "with a cut text",
            BodySource::Redacted => "redacted",
            BodySource::Absent => "without a text",
        },
    );
    has(
        true,
        match &m.author {
            Author::Person(person) => match kinds::name(&person.kind) {
                "agent" => "by an agent",
                _ => "by a customer",
            },
            Author::Name(_) => "by a name",
            Author::System => "by the system",
        },
    );
    has(m.html.is_some(), "with HTML");
    has(m.delivery.status == DeliveryStatus::Failed, "that failed");
    has(
        m.delivery.status == DeliveryStatus::Draft,
        "that is a draft",
    );
    has(m.auto, "that is automatic");
    has(m.bulk, "that is bulk");
    has(m.forwarded, "that was forwarded");
    has(m.spam, "that is spam");
    has(m.call.is_some(), "that is a call");
    has(!m.reactions.is_empty(), "with reactions");
    has(!m.mentions.is_empty(), "with mentions");
    has(!m.links.is_empty(), "with links to records");
    has(!m.cc.is_empty() || !m.bcc.is_empty(), "with copies");
    has(m.conversation.is_none(), "of a customer alone");
    let texts = [&m.text, &m.html].into_iter().flatten();
    for text in texts {
        match text {
            Text::Inline(text) => all.extend(
                scripts(text)
                    .into_iter()
                    .map(|what| format!("text with {what}")),
            ),
            Text::Stored(_) => all.push("text over 64 KiB".to_owned()),
        }
    }
    all
}

/// What a file adds to the record that carries it.
fn of_file(entry: &Entry) -> Vec<String> {
    let Entity::Attachment(file) = &entry.data else {
        return vec![];
    };
    let media = file.media_type.as_deref().unwrap_or("unknown");
    let sort = media
        .split([';', ' '])
        .next()
        .unwrap_or(media)
        .to_lowercase();
    let mut all = vec![format!("file {sort}")];
    let mut has = |there: bool, what: &str| {
        if there {
            all.push(format!("file {what}"));
        }
    };
    has(file.inline, "inline");
    has(
        true,
        match file.state {
            AttachmentState::Available => "that can be had",
            AttachmentState::External(_) => "kept elsewhere",
            AttachmentState::Redacted => "redacted",
            AttachmentState::Unavailable(_) => "that is gone",
        },
    );
    has(file.size == Some(0), "that is empty");
    has(file.size.is_some_and(|size| size > 10 << 20), "over 10 MB");
    has(!file.name.is_ascii(), "with an odd name");
    all
}

/// What stands in a text beside letters of the Latin script: what gets lost first on the way.
fn scripts(text: &str) -> BTreeSet<&'static str> {
    let mut found = BTreeSet::new();
    for c in text.chars() {
        let what = match u32::from(c) {
            0x09 | 0x0a | 0x0d | 0x20..=0x7e => continue,
            0x00..=0x1f | 0x7f..=0x9f => "control characters",
            0xa0 | 0x2000..=0x200a | 0x202f | 0x205f | 0x3000 => "odd blanks",
            0xa1..=0x24f | 0x1e00..=0x1eff => "accented letters",
            0x300..=0x36f => "combining marks",
            0x370..=0x3ff => "Greek",
            0x400..=0x52f => "Cyrillic",
            0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfefc => "writing from right to left",
            0x900..=0xdff => "Indic scripts",
            0xe00..=0xe7f => "Thai",
            0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x2069 | 0xfeff => "invisible characters",
            0x3040..=0x30ff
            | 0x3400..=0x9fff
            | 0xac00..=0xd7af
            | 0xff00..=0xffef
            | 0x2_0000..=0x3_ffff => "East Asian scripts",
            0xfffd => "replacement characters",
            0x1_f000..=0x1_faff | 0x2600..=0x27bf | 0xfe00..=0xfe0f => "emoji",
            0x2010..=0x2bff => "signs",
            0x1_0000.. => "characters beyond the first plane",
            _ => "other scripts",
        };
        found.insert(what);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{
        EXTRACTION, attachment, config, conversation, customer, message, object, reference,
        relationship, stage, store,
    };
    use super::*;

    async fn chosen(entries: &[Entry], size: usize) -> Choice {
        let (_dir, store) = store().await;
        stage(&store, entries).await;
        choose(&store, &config(""), EXTRACTION, size).await.unwrap()
    }

    fn ids(keys: impl IntoIterator<Item = Key>) -> Vec<String> {
        let words = keys.into_iter().map(|(kind, id)| format!("{kind} {id}"));
        words.collect()
    }

    /// Twenty alike, and a few of which there is one of a kind.
    fn account() -> Vec<Entry> {
        let mut all = vec![customer("ana", &["a@x.example"]), customer("bo", &[])];
        for n in 0..20 {
            let id = format!("c{n:02}");
            all.push(conversation(&id, "ana", json!("Open")));
            all.push(message(&format!("m{n:02}"), Some(&id), "ana"));
        }
        all.push(conversation("snoozed", "ana", json!("Snoozed")));
        all.push(conversation("closed", "bo", json!("Closed")));
        let mut thai = message("thai", Some("closed"), "bo");
        if let Entity::Message(message) = &mut thai.data {
            message.text = Some(Text::Inline("สวัสดี".into()));
        }
        all.push(thai);
        all.push(attachment("f1", reference("Message", "thai")));
        all.push(object("o1", "bo"));
        all.push(relationship(
            "r1",
            reference("Customer", "ana"),
            reference("Customer", "bo"),
        ));
        all
    }

    #[tokio::test]
    async fn everything_of_which_there_is_one_is_chosen_however_many_are_alike() {
        let choice = chosen(&account(), 8).await;
        assert_eq!(choice.chosen.len(), 8);
        assert_eq!(choice.missing, []);
        let chosen: BTreeSet<String> = ids(choice.chosen.clone()).into_iter().collect();
        for one in [
            "conversation snoozed",
            "conversation closed",
            "custom-object o1",
            "relationship r1",
        ] {
            assert!(chosen.contains(one), "{one}: {chosen:?}");
        }
        let had: Vec<&str> = choice.traits.iter().map(|one| one.name.as_str()).collect();
        for name in [
            "text with Thai",
            "conversation status snoozed",
            "customer without an address",
            "the longest thread",
        ] {
            assert!(had.contains(&name), "{name}: {had:?}");
        }
    }

    #[tokio::test]
    async fn what_is_chosen_comes_with_all_it_refers_to_and_consists_of() {
        let choice = chosen(&account(), 8).await;
        let all: BTreeSet<Key> = choice.along.iter().chain(&choice.chosen).cloned().collect();
        let has = |kind: &str, id: &str| all.contains(&(kind.to_owned(), id.to_owned()));
        assert!(has("message", "thai") && has("attachment", "f1"));
        assert!(has("customer", "ana") && has("customer", "bo"));
        // A type that was not read is not there.
        assert!(!has("object-type", "order"));
        assert!(choice.along.iter().all(|key| !choice.chosen.contains(key)));
    }

    #[tokio::test]
    async fn the_same_reading_gives_the_same_sample_in_whatever_order_it_was_stored() {
        let first = chosen(&account(), 9).await;
        let mut shuffled = account();
        shuffled.reverse();
        assert_eq!(first, chosen(&shuffled, 9).await);
    }

    #[tokio::test]
    async fn what_has_no_room_is_named_the_rarest_first() {
        let choice = chosen(&account(), 2).await;
        assert_eq!(choice.chosen.len(), 2);
        assert!(!choice.missing.is_empty());
        let records: Vec<u64> = choice.missing.iter().map(|one| one.records).collect();
        assert!(records.is_sorted(), "{records:?}");
    }

    #[tokio::test]
    async fn a_canary_is_the_smallest_thread_that_somebody_can_see() {
        let mut all = account();
        all.push(conversation("empty", "ana", json!("Open")));
        let choice = chosen(&all, 1).await;
        assert_eq!(ids(choice.chosen), ["conversation c00"]);
        assert!(choice.along.contains(&("customer".into(), "ana".into())));
    }

    #[tokio::test]
    async fn what_a_rule_leaves_out_is_not_chosen() {
        let (_dir, store) = store().await;
        stage(&store, &account()).await;
        let config = config("[filter]\nkinds = [\"customer\", \"conversation\", \"message\"]");
        let choice = choose(&store, &config, EXTRACTION, 50).await.unwrap();
        assert!(
            ids(choice.chosen)
                .iter()
                .all(|one| !one.starts_with("custom-object"))
        );
    }

    #[test]
    fn a_text_is_known_by_what_gets_lost_first() {
        assert_eq!(scripts("plain text, 12!"), BTreeSet::new());
        let odd = scripts("é \u{301} שלום 日本 🔥 \u{200b}\u{0} \u{fffd}");
        assert_eq!(
            odd.into_iter().collect::<Vec<_>>(),
            [
                "East Asian scripts",
                "accented letters",
                "combining marks",
                "control characters",
                "emoji",
                "invisible characters",
                "replacement characters",
                "writing from right to left",
            ]
        );
    }
}
