//! From staged rows to items: threads put together, references given their targets and names, values mapped, markers made.
//!
//! What is done here is done once and frozen with the unit; a replay never comes back here.
//!
//! Records are taken in chunks, and what a chunk needs (children, targets, names) is asked for together: the number of queries
//! follows the number of chunks, and memory their size, whatever the size of the account.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use tokio::sync::Mutex;

use super::mapping::{Becomes, Targets, named, paired};
use super::sample::INVALID;
use crate::among;
use crate::config::{Config, FieldTarget, Filter, LoadOrder, MatchPolicy as Policy};
use crate::contract::destination::{
    Body, Candidate, Effect, Item, MatchKey, MatchPolicy, Slot, SlotValue, SurveyReport,
    TargetAgent, ThreadPart,
};
use crate::contract::types::{
    Attachment, AttachmentState, Author, BlobRef, Conversation, ConversationStatus, Entity, Entry,
    Fidelity, Invalid, Kind, Loss, Reference, Value,
};
use crate::contract::{ledger, types};
use crate::error::Error;
use crate::kinds;
use crate::store::{AMONG, Store, among, sha256};
use crate::unit::Record;

/// A chunk ends when its threads have so many messages: a chunk of long threads must fit into memory too.
const CHUNK_MESSAGES: u64 = 4_000;
/// Targets and names that are remembered from chunk to chunk: agents, teams, tags, and customers who write often.
const REMEMBERED: usize = 20_000;

/// A row of `staged`.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The record.
    pub entry: Entry,
    /// Hash of its stored form.
    pub hash: String,
    /// An attachment's bytes, once fetched.
    pub blob: Option<BlobRef>,
}

/// A record ready for a unit, or why it is not loaded.
#[derive(Debug)]
pub enum Assembled {
    /// To be written.
    Item(Box<Item>, Record),
    /// It has its outcome already.
    Decided(Record, ledger::Status),
}

/// Where one pass over the records of a kind stands. A pass goes forward only: what is staged behind it meanwhile waits for the
/// next pass.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// Whether closed conversations have their turn, where they come last.
    closed: i64,
    /// The last record taken: all that follow come after it. None at the beginning.
    last: Option<(i64, String)>,
}

/// Puts items together for one run.
pub struct Assembler {
    store: Store,
    config: Config,
    extraction: String,
    account: String,
    run: String,
    platform: String,
    organisation: String,
    slots: Vec<Slot>,
    agents: Vec<TargetAgent>,
    fields: Targets,
    known: Mutex<HashMap<Key, Known>>,
    excluded: Mutex<HashMap<String, bool>>,
    /// Only the run's sample.
    only_sampled: bool,
    /// In place of customers' e-mail addresses.
    addresses: Option<String>,
}

/// Kind and id of a record.
type Key = (String, String);

/// What is known of a record that others refer to.
#[derive(Debug, Clone, Default)]
struct Known {
    target: Option<String>,
    name: Option<String>,
}

/// What hangs on a record: on a conversation its messages with their files, on others their own files.
#[derive(Default)]
struct Hanging {
    messages: Vec<(Staged, Vec<Staged>)>,
    files: Vec<Staged>,
}

/// A record on its way to being an item.
struct Draft {
    existing: Option<Candidate>,
    record: Record,
    body: Body,
    values: Vec<SlotValue>,
    notes: Vec<String>,
}

impl Assembler {
    /// For one run.
    #[must_use]
    #[allow(
        clippy::too_many_arguments,
        reason = "plain wiring of one run's identity"
    )]
    pub fn new(
        store: Store,
        config: Config,
        extraction: &str,
        account: &str,
        run: &str,
        platform: &str,
        organisation: &str,
        survey: &SurveyReport,
    ) -> Self {
        Self {
            store,
            config,
            extraction: extraction.to_owned(),
            account: account.to_owned(),
            run: run.to_owned(),
            platform: platform.to_owned(),
            organisation: organisation.to_owned(),
            slots: survey.slots.clone(),
            agents: survey.agents.clone(),
            fields: Targets::new(&survey.fields),
            known: Mutex::default(),
            excluded: Mutex::default(),
            only_sampled: false,
            addresses: None,
        }
    }

    /// From here on only the records of the run's sample are opened.
    pub fn only_sampled(&mut self) {
        self.only_sampled = true;
    }

    /// Puts an address in place of every customer's e-mail addresses; [`INVALID`] makes of each one to which no mail can go.
    pub fn replace_addresses(&mut self, addresses: Option<&str>) {
        self.addresses = addresses.map(ToOwned::to_owned);
    }

    /// The next records of a kind that have neither an outcome nor an open unit, in load order (`[load] order`); none when the
    /// pass is over. At most `limit`, fewer if their threads are long.
    ///
    /// # Errors
    /// A store error.
    pub async fn open(
        &self,
        kind: &str,
        place: &mut Place,
        limit: i64,
    ) -> Result<Vec<Staged>, Error> {
        loop {
            let rows = self.open_rows(kind, place, limit).await?;
            if rows.is_empty() {
                let closed_are_left = self.config.load.order == LoadOrder::OpenFirst
                    && place.closed == 0
                    && kind == kinds::name(&types::Kind::Conversation);
                if !closed_are_left {
                    return Ok(vec![]);
                }
                *place = Place {
                    closed: 1,
                    ..Place::default()
                };
                continue;
            }
            let mut taken = vec![];
            let mut messages = 0;
            for row in rows {
                let sort_at: i64 = row.try_get("sort_at")?;
                let row = staged(&row)?;
                messages += expected_messages(&row.entry);
                if messages > CHUNK_MESSAGES && !taken.is_empty() {
                    break;
                }
                place.last = Some((sort_at, row.entry.head.id.clone()));
                taken.push(row);
            }
            return Ok(taken);
        }
    }

    async fn open_rows(
        &self,
        kind: &str,
        place: &Place,
        limit: i64,
    ) -> Result<Vec<sqlx::sqlite::SqliteRow>, Error> {
        let order = self.config.load.order;
        let before_all = match order {
            LoadOrder::OldestFirst => i64::MIN,
            LoadOrder::NewestFirst | LoadOrder::OpenFirst => i64::MAX,
        };
        let (sort_at, id) = place
            .last
            .as_ref()
            .map_or((before_all, ""), |(sort_at, id)| (*sort_at, id));
        let mut args = vec![
            (&self.extraction).into(),
            (&self.run).into(),
            kind.into(),
            sort_at.into(),
            id.into(),
            limit.into(),
            self.only_sampled.into(),
        ];
        let sql = match order {
            LoadOrder::OldestFirst => {
                "SELECT s.id, s.sort_at, s.payload, s.hash, s.blob FROM staged s \
                 LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind AND o.source_id = s.id \
                 WHERE s.extraction = $1 AND s.kind = $3 AND (s.sort_at, s.id) > ($4, $5) AND o.source_id IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM unit_items u WHERE u.run = $2 AND u.kind = s.kind AND u.source_id = s.id) \
                 ORDER BY s.sort_at, s.id LIMIT $6"
            }
            LoadOrder::NewestFirst => {
                "SELECT s.id, s.sort_at, s.payload, s.hash, s.blob FROM staged s \
                 LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind AND o.source_id = s.id \
                 WHERE s.extraction = $1 AND s.kind = $3 AND (s.sort_at, s.id) < ($4, $5) AND o.source_id IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM unit_items u WHERE u.run = $2 AND u.kind = s.kind AND u.source_id = s.id) \
                 AND ($7 = 0 OR EXISTS (SELECT 1 FROM sampled p WHERE p.run = $2 AND p.kind = s.kind AND p.source_id = s.id)) \
                 ORDER BY s.sort_at DESC, s.id DESC LIMIT $6"
            }
            LoadOrder::OpenFirst => {
                args.push(place.closed.into());
                "SELECT s.id, s.sort_at, s.payload, s.hash, s.blob FROM staged s \
                 LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind AND o.source_id = s.id \
                 WHERE s.extraction = $1 AND s.kind = $3 AND (s.sort_at, s.id) < ($4, $5) AND s.closed = $8 AND o.source_id IS NULL \
                 AND NOT EXISTS (SELECT 1 FROM unit_items u WHERE u.run = $2 AND u.kind = s.kind AND u.source_id = s.id) \
                 AND ($7 = 0 OR EXISTS (SELECT 1 FROM sampled p WHERE p.run = $2 AND p.kind = s.kind AND p.source_id = s.id)) \
                 ORDER BY s.sort_at DESC, s.id DESC LIMIT $6"
            }
        };
        Ok(self.store.rows(sql, args).await?)
    }

    /// One staged record.
    ///
    /// # Errors
    /// A store error.
    pub async fn staged(&self, kind: &str, id: &str) -> Result<Option<Staged>, Error> {
        let row = self
            .store
            .row(
                "SELECT payload, hash, blob FROM staged WHERE extraction = $1 AND kind = $2 AND id = $3",
                vec![(&self.extraction).into(), kind.into(), id.into()],
            )
            .await?;
        row.map(|row| staged(&row)).transpose()
    }

    /// Staged records of a kind, in the order of their ids here; those that are not staged are left out.
    ///
    /// # Errors
    /// A store error.
    pub async fn staged_all(&self, kind: &str, ids: &[String]) -> Result<Vec<Staged>, Error> {
        let mut found: HashMap<String, Staged> = HashMap::new();
        for ids in ids.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!(
                        "SELECT id, payload, hash, blob FROM staged WHERE id IN "
                        " AND extraction = $65 AND kind = $66"
                    ),
                    among(ids, [(&self.extraction).into(), kind.into()]),
                )
                .await?
            {
                found.insert(row.try_get("id")?, staged(&row)?);
            }
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The records that hang on some, by parent, in order.
    async fn children(
        &self,
        kind: &str,
        parents: &[String],
    ) -> Result<HashMap<String, Vec<Staged>>, Error> {
        let mut children: HashMap<String, Vec<Staged>> = HashMap::new();
        for parents in parents.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!(
                        "SELECT parent, payload, hash, blob FROM staged WHERE parent IN "
                        " AND extraction = $65 AND kind = $66 ORDER BY parent, sort_at, id"
                    ),
                    among(parents, [(&self.extraction).into(), kind.into()]),
                )
                .await?
            {
                children
                    .entry(row.try_get("parent")?)
                    .or_default()
                    .push(staged(&row)?);
            }
        }
        Ok(children)
    }

    /// Puts one record together, with what hangs on it.
    ///
    /// # Errors
    /// A store error.
    pub async fn assemble(&self, kind: &str, id: &str) -> Result<Option<Assembled>, Error> {
        let Some(own) = self.staged(kind, id).await? else {
            return Ok(None);
        };
        Ok(self.assemble_all(kind, vec![own]).await?.pop())
    }

    /// Puts records of one kind together, with what hangs on them, in their order.
    ///
    /// # Errors
    /// A store error.
    pub async fn assemble_all(
        &self,
        kind: &str,
        rows: Vec<Staged>,
    ) -> Result<Vec<Assembled>, Error> {
        let mut threads = self.threads(kind, &rows).await?;
        let mut drafts: Vec<Result<Draft, (Record, ledger::Status)>> = vec![];
        for own in rows {
            let hanging = threads.remove(&own.entry.head.id).unwrap_or_default();
            drafts.push(self.draft(kind, own, hanging).await?);
        }
        if let Some(addresses) = &self.addresses {
            for draft in drafts.iter_mut().flatten() {
                for entry in &mut draft.body.entries {
                    replace_addresses(addresses, entry, &mut draft.record.losses);
                }
            }
        }
        self.resolve(drafts.iter_mut().flatten().collect()).await?;
        let ids: Vec<String> = drafts
            .iter()
            .flatten()
            .map(|draft| draft.record.id.clone())
            .collect();
        let doubts = self.doubts(kind, &ids).await?;
        let mut priors = self.priors(kind, &ids).await?;
        let policy = match self.config.people.policy(kind) {
            Policy::Leave => MatchPolicy::Leave,
            Policy::FillEmpty => MatchPolicy::FillEmpty,
            Policy::SourceWins => MatchPolicy::SourceWins,
        };
        let mut finish = |draft: Draft| {
            let record = draft.record;
            let item = Item {
                key: record.key.clone(),
                body: draft.body,
                values: draft.values,
                policy,
                existing: draft.existing,
                marker: record.marker.clone(),
                in_doubt_since: doubts.get(&record.id).copied(),
                notes: draft.notes,
                prior: priors.remove(&record.id).unwrap_or_default(),
            };
            (item, record)
        };
        Ok(drafts
            .into_iter()
            .map(|draft| match draft {
                Ok(draft) => {
                    let (item, record) = finish(draft);
                    Assembled::Item(Box::new(item), record)
                }
                Err((record, status)) => Assembled::Decided(record, status),
            })
            .collect())
    }

    /// What hangs on records, by record.
    async fn threads(
        &self,
        kind: &str,
        rows: &[Staged],
    ) -> Result<HashMap<String, Hanging>, Error> {
        let ids: Vec<String> = rows.iter().map(|row| row.entry.head.id.clone()).collect();
        match kinds::parse(kind) {
            Kind::Conversation => {}
            // A note on a customer alone, say: its files come along with it.
            Kind::Message | Kind::CustomObject | Kind::Article => {
                let files = self.children("attachment", &ids).await?;
                let hanging = |files| Hanging {
                    files,
                    ..Hanging::default()
                };
                return Ok(files.into_iter().map(|(id, f)| (id, hanging(f))).collect());
            }
            _ => return Ok(HashMap::new()),
        }
        let messages = self.children("message", &ids).await?;
        let carriers: Vec<String> = messages
            .values()
            .flatten()
            .map(|message| message.entry.head.id.clone())
            .collect();
        let mut files = self.children("attachment", &carriers).await?;
        Ok(messages
            .into_iter()
            .map(|(conversation, messages)| {
                let with_files = messages.into_iter().map(|message| {
                    let files = files.remove(&message.entry.head.id).unwrap_or_default();
                    (message, files)
                });
                let hanging = Hanging {
                    messages: with_files.collect(),
                    ..Hanging::default()
                };
                (conversation, hanging)
            })
            .collect())
    }

    /// A record with what hangs on it, its values mapped; or the outcome it has already.
    async fn draft(
        &self,
        kind: &str,
        own: Staged,
        hanging: Hanging,
    ) -> Result<Result<Draft, (Record, ledger::Status)>, Error> {
        let id = own.entry.head.id.clone();
        let mut record = Record {
            key: format!("{kind}:{id}"),
            kind: kind.to_owned(),
            marker: self.marker(kind, &id),
            id,
            hash: own.hash,
            inside: vec![],
            missing: vec![],
            left_out: vec![],
            losses: vec![],
        };
        let mut notes = vec![];
        let mut entry = own.entry;
        self.rename(&mut entry);
        if let Entity::Attachment(attachment) = &mut entry.data {
            attachment.content = own.blob;
        }
        let rule = self.own_rule(&entry).await?;
        let mut body = Body {
            entries: vec![entry.clone()],
            parts: vec![],
        };
        let own_files = carry(hanging.files, &mut record, &mut body);
        if !own_files.is_empty() {
            body.parts.push(ThreadPart {
                message: 0,
                attachments: own_files,
            });
        }
        let (mut here, mut without, mut gone) = (0_u64, 0_u64, 0_u64);
        for (message, files) in hanging.messages {
            if rule.is_none() && is_deleted(&self.config, &message.entry) {
                leave_out(&message, &files, DELETED, &mut record);
                gone += 1;
                continue;
            }
            if rule.is_none() && self.is_by_excluded(&message.entry).await? {
                leave_out(&message, &files, EXCLUDED_OWNER, &mut record);
                without += 1;
                continue;
            }
            here += 1;
            record.inside.push((
                "message".into(),
                message.entry.head.id.clone(),
                message.hash,
            ));
            let place = push(&mut body.entries, message.entry);
            let attachments = carry(files, &mut record, &mut body);
            body.parts.push(ThreadPart {
                message: place,
                attachments,
            });
        }
        if let Some(rule) = rule {
            return Ok(Err((record, ledger::Status::Skipped(rule.to_owned()))));
        }
        record.hash = sha256(
            &record
                .inside
                .iter()
                .fold(record.hash.clone(), |all, (_, _, hash)| all + hash),
        );
        if without > 0 {
            notes.push(format!(
                "{without} messages of people whom the migration leaves out are not here."
            ));
        }
        let has = here + without + gone;
        let expected = expected_messages(&entry);
        if has < expected {
            notes.push(format!(
                "The source counts {expected} messages and notes; {has} could be read."
            ));
        }
        Ok(match self.values(&entry) {
            Ok(values) => Ok(Draft {
                existing: paired(&self.config, &entry, &self.agents).map(|agent| Candidate {
                    target_id: agent.id.clone(),
                    by: MatchKey::Other,
                    before: serde_json::to_string(agent).unwrap_or_default(),
                    doubtful: None,
                }),
                record,
                body,
                values,
                notes,
            }),
            Err(invalid) => Err((
                record,
                ledger::Status::Rejected(types::Error::Invalid(invalid)),
            )),
        })
    }

    /// A field that goes into one that is there is shown to the connector by that one's name, so that it is found by the
    /// connector's own rules, with all that the connector does about options and companions. Likewise a team, a tag, a brand or an
    /// object type that goes by another name there.
    fn rename(&self, entry: &mut Entry) {
        let kind = entry.head.kind.clone();
        let other = |name: &str| {
            named(&self.config, &self.slots, &kind, name).map(|(there, _)| there.to_owned())
        };
        match &mut entry.data {
            Entity::FieldDefinition(field) => {
                if let Becomes::Existing(there, _) =
                    self.fields.becomes(&self.config, &entry.head.id, field)
                {
                    let (name, label) = (there.name.clone(), there.label.clone());
                    (field.name, field.label) = (name, label);
                }
            }
            Entity::Team(team) => {
                team.name = other(&team.name).unwrap_or_else(|| team.name.clone())
            }
            Entity::Tag(tag) => tag.name = other(&tag.name).unwrap_or_else(|| tag.name.clone()),
            Entity::Brand(brand) => {
                brand.name = other(&brand.name).unwrap_or_else(|| brand.name.clone());
            }
            Entity::ObjectType(object) => {
                if let Some(there) = other(&object.label) {
                    (object.name, object.label) = (there.clone(), there);
                }
            }
            _ => {}
        }
    }

    /// How a record is found again at the destination.
    #[must_use]
    pub fn marker(&self, kind: &str, id: &str) -> String {
        format!("{}:{}:{kind}:{id}", self.platform, self.organisation)
    }

    /// The values of the destination's slots (rule M-2).
    fn values(&self, entry: &Entry) -> Result<Vec<SlotValue>, Invalid> {
        let kind = kinds::name(&entry.head.kind);
        let mut values = vec![];
        for slot in self
            .slots
            .iter()
            .filter(|slot| slot.kind == entry.head.kind)
        {
            let Some(own) = canonical_value(entry, &slot.name) else {
                continue;
            };
            values.push(SlotValue {
                slot: slot.name.clone(),
                value: map_value(&self.config, kind, slot, &own).ok_or_else(|| Invalid {
                    field: Some(format!("{kind}.{}", slot.name)),
                    reason: format!(
                        "{own:?} has no value at the destination: add it to [map.{kind}.{}]",
                        slot.name
                    ),
                })?,
            });
        }
        Ok(values)
    }

    /// Whether a person is named in `[filter] exclude_people`, by id, by an address, or by the id of a record that was merged
    /// into theirs (rule M-12).
    async fn is_excluded(&self, reference: &Reference) -> Result<bool, Error> {
        if self.config.filter.exclude_people.is_empty() || reference.kind != Kind::Customer {
            return Ok(false);
        }
        if let Some(known) = self.excluded.lock().await.get(&reference.id) {
            return Ok(*known);
        }
        let id = self.survivor("customer", &reference.id).await?;
        let person = self.staged("customer", &id).await?;
        let named = |id: &String| self.config.filter.exclude_people.contains(id);
        let excluded = named(&id)
            || named(&reference.id)
            || person
                .as_ref()
                .is_some_and(|person| is_named(&self.config, &person.entry));
        // Somebody who is not read yet may still be, with an address that is named.
        if excluded || person.is_some() {
            let mut cache = self.excluded.lock().await;
            if cache.len() > 200_000 {
                cache.clear();
            }
            cache.insert(reference.id.clone(), excluded);
        }
        Ok(excluded)
    }

    async fn is_by_excluded(&self, message: &Entry) -> Result<bool, Error> {
        match &message.data {
            Entity::Message(message) => match &message.author {
                Author::Person(person) => self.is_excluded(person).await,
                Author::Name(_) | Author::System => Ok(false),
            },
            _ => Ok(false),
        }
    }

    /// The rule by which a record is not taken along, if there is one: its own, or that of the record it hangs on, which hangs on
    /// another in turn (rules M-3, M-13). A thread is put together from its head, so this is for records that come alone.
    ///
    /// # Errors
    /// A store error.
    pub async fn rule_against(&self, entry: &Entry) -> Result<Option<String>, Error> {
        let carrier = match &entry.data {
            Entity::Message(message) => message.conversation.as_ref(),
            Entity::Attachment(file) => Some(&file.parent),
            _ => None,
        };
        let carrier = match carrier {
            Some(carrier) => self.staged(kinds::name(&carrier.kind), &carrier.id).await?,
            None => None,
        };
        let Some(carrier) = carrier else {
            return Ok(self.own_rule(entry).await?.map(ToOwned::to_owned));
        };
        // A file goes where its carrier goes, whatever `[filter] kinds` says of files.
        if !matches!(entry.data, Entity::Attachment(_))
            && let Some(rule) = self.own_rule(entry).await?
        {
            return Ok(Some(rule.to_owned()));
        }
        let rule = Box::pin(self.rule_against(&carrier.entry)).await?;
        let kind = kinds::name(&carrier.entry.head.kind);
        Ok(rule.map(|rule| with_its(kind, &rule)))
    }

    /// The rule that leaves a record out by itself, or for a person it belongs to.
    async fn own_rule(&self, entry: &Entry) -> Result<Option<&'static str>, Error> {
        if let Some(rule) = left_out(&self.config, entry) {
            return Ok(Some(rule));
        }
        if let Entity::Conversation(conversation) = &entry.data
            && let Some(rule) = self.other_group(conversation).await?
        {
            return Ok(Some(rule));
        }
        let (people, why): (Vec<&Reference>, _) = match &entry.data {
            Entity::Conversation(c) => (c.customer.iter().collect(), EXCLUDED_OWNER),
            Entity::Message(m) => (m.customer.iter().collect(), EXCLUDED_OWNER),
            Entity::CustomObject(o) => (o.customer.iter().collect(), EXCLUDED_OWNER),
            Entity::Relationship(r) => (vec![&r.source, &r.target], EXCLUDED_LINK),
            _ => return Ok(None),
        };
        for person in people {
            if self.is_excluded(person).await? {
                return Ok(Some(why));
            }
        }
        let by_them = self.is_by_excluded(entry).await?;
        Ok(by_them.then_some(EXCLUDED_OWNER))
    }

    /// The rule that leaves a conversation out for its brand or its teams.
    async fn other_group(
        &self,
        conversation: &Conversation,
    ) -> Result<Option<&'static str>, Error> {
        let filter = &self.config.filter;
        if filter.brands.is_none() && filter.teams.is_none() {
            return Ok(None);
        }
        let groups = groups(conversation).map(key_of).collect();
        let known = self.find(groups).await?;
        Ok(left_out_by_group(filter, conversation, &|reference| {
            known.get(&key_of(reference))?.name.clone()
        }))
    }

    /// The record that an id lives on in, which is mostly its own.
    async fn survivor(&self, kind: &str, id: &str) -> Result<String, Error> {
        let survivor = self
            .store
            .row(
                "SELECT survivor FROM aliases WHERE extraction = $1 AND kind = $2 AND id = $3",
                vec![(&self.extraction).into(), kind.into(), id.into()],
            )
            .await?
            .map(|row| row.try_get::<String, _>("survivor"))
            .transpose()?;
        Ok(survivor.unwrap_or_else(|| id.to_owned()))
    }

    /// Gives every reference and custom field of these records its target and its name. A link to a person who is left out keeps
    /// its name only, and is a loss of its record.
    async fn resolve(&self, mut drafts: Vec<&mut Draft>) -> Result<(), Error> {
        let mut wanted: BTreeSet<Key> = BTreeSet::new();
        for draft in &mut drafts {
            for entry in &mut draft.body.entries {
                drop_unwanted(&self.config, entry, &mut draft.record.losses);
            }
        }
        for entry in drafts.iter_mut().flat_map(|draft| &mut draft.body.entries) {
            each_reference(entry, &mut |reference| {
                wanted.insert(key_of(reference));
            });
            let owner = owner_word(entry);
            for field in &entry.head.fields {
                wanted.insert(field_key(&owner, &field.name));
            }
        }
        let mut excluded: HashSet<Key> = HashSet::new();
        if !self.config.filter.exclude_people.is_empty() {
            for (kind, id) in &wanted {
                let person = Reference {
                    kind: kinds::parse(kind),
                    id: id.clone(),
                    target: None,
                    name: None,
                };
                if self.is_excluded(&person).await? {
                    excluded.insert((kind.clone(), id.clone()));
                }
            }
        }
        let found = self.find(wanted).await?;
        for draft in drafts {
            for entry in &mut draft.body.entries {
                self.take_tags_off(entry, &found);
                let mut links = 0;
                each_reference(entry, &mut |reference| {
                    let key = key_of(reference);
                    let known = found.get(&key).cloned().unwrap_or_default();
                    // An earlier run may have taken them along.
                    let is_out = excluded.contains(&key);
                    links += usize::from(is_out);
                    reference.target = known.target.filter(|_| !is_out);
                    reference.name = known.name;
                });
                let owner = owner_word(entry);
                for field in &mut entry.head.fields {
                    let known = found.get(&field_key(&owner, &field.name));
                    field.target = known.and_then(|known| known.target.clone());
                }
                let kind = kinds::name(&entry.head.kind);
                draft.record.losses.extend((0..links).map(|_| Loss {
                    field: format!("{kind}.customer"),
                    how: Fidelity::Converted,
                    note:
                        "a link to a person named in [filter] exclude_people stays as text".into(),
                }));
            }
        }
        Ok(())
    }

    /// Takes tags off a record that the user wants off everything, by their names.
    fn take_tags_off(&self, entry: &mut Entry, found: &HashMap<Key, Known>) {
        if self.config.filter.exclude_tags.is_empty() {
            return;
        }
        let stays = |tag: &Reference| {
            let name = found
                .get(&key_of(tag))
                .and_then(|known| known.name.as_ref());
            !name.is_some_and(|name| self.config.filter.excludes_tag(name))
        };
        match &mut entry.data {
            Entity::Company(company) => company.tags.retain(stays),
            Entity::Customer(customer) => customer.tags.retain(stays),
            Entity::Conversation(conversation) => conversation.tags.retain(stays),
            Entity::CustomObject(object) => object.tags.retain(stays),
            _ => {}
        }
    }

    /// What is known of records that others refer to.
    async fn find(&self, mut wanted: BTreeSet<Key>) -> Result<HashMap<Key, Known>, Error> {
        let mut found: HashMap<Key, Known> = HashMap::new();
        {
            let cache = self.known.lock().await;
            wanted.retain(|key| match cache.get(key) {
                Some(known) => {
                    found.insert(key.clone(), known.clone());
                    false
                }
                None => true,
            });
        }
        let mut by_kind: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (kind, id) in wanted {
            by_kind.entry(kind).or_default().push(id);
        }
        let mut fresh: Vec<(Key, Known)> = vec![];
        for (kind, ids) in by_kind {
            for ids in ids.chunks(AMONG) {
                fresh.extend(self.look_up(&kind, ids).await?);
            }
        }
        let mut cache = self.known.lock().await;
        for (key, known) in fresh {
            // Only what is settled is remembered, and not without bound.
            if known.target.is_some() {
                if cache.len() >= REMEMBERED {
                    cache.clear();
                }
                cache.insert(key.clone(), known.clone());
            }
            found.insert(key, known);
        }
        Ok(found)
    }

    /// Targets and names of up to [`AMONG`] records of a kind; of their survivors, where they were merged.
    async fn look_up(&self, kind: &str, ids: &[String]) -> Result<Vec<(Key, Known)>, Error> {
        let survivors = self
            .store
            .map(
                among!("SELECT id, survivor FROM aliases WHERE id IN " " AND extraction = $65 AND kind = $66"),
                among(ids, [(&self.extraction).into(), kind.into()]),
            )
            .await?;
        let lasting: Vec<&str> = ids
            .iter()
            .map(|id| survivors.get(id).unwrap_or(id).as_str())
            .collect();
        // The last effect counts.
        let targets = self
            .store
            .map(
                among!(
                    "SELECT source_id, target_id FROM effects WHERE source_id IN "
                    " AND account = $65 AND kind = $66 AND part = 'main' \
                     AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY id"
                ),
                among(&lasting, [(&self.account).into(), kind.into()]),
            )
            .await?;
        let names = self
            .store
            .map(
                among!(
                    "SELECT id, name FROM staged WHERE id IN "
                    " AND extraction = $65 AND kind = $66 AND name IS NOT NULL"
                ),
                among(&lasting, [(&self.extraction).into(), kind.into()]),
            )
            .await?;
        Ok(ids
            .iter()
            .zip(lasting)
            .map(|(id, lasting)| {
                let known = Known {
                    target: targets.get(lasting).cloned(),
                    name: names.get(lasting).cloned(),
                };
                ((kind.to_owned(), id.clone()), known)
            })
            .collect())
    }

    /// Since when an earlier attempt may have been applied (rule D-8), by id.
    async fn doubts(&self, kind: &str, ids: &[String]) -> Result<HashMap<String, i64>, Error> {
        let mut doubts = HashMap::new();
        for ids in ids.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!("SELECT source_id, since FROM doubts WHERE source_id IN " " AND run = $65 AND kind = $66"),
                    among(ids, [(&self.run).into(), kind.into()]),
                )
                .await?
            {
                doubts.insert(row.try_get("source_id")?, row.try_get("since")?);
            }
        }
        Ok(doubts)
    }

    /// Effects of earlier runs on this account, newest first, by id.
    async fn priors(
        &self,
        kind: &str,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<Effect>>, Error> {
        let mut priors: HashMap<String, Vec<Effect>> = HashMap::new();
        for ids in ids.chunks(AMONG) {
            for row in self
                .store
                .rows(
                    among!(
                        "SELECT source_id, effect FROM effects WHERE source_id IN "
                        " AND account = $65 AND kind = $66 \
                         AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone', 'restored')) ORDER BY id DESC"
                    ),
                    among(ids, [(&self.account).into(), kind.into()]),
                )
                .await?
            {
                priors
                    .entry(row.try_get("source_id")?)
                    .or_default()
                    .push(json(&row.try_get::<String, _>("effect")?)?);
            }
        }
        Ok(priors)
    }

    /// Another record of ours that already is this object of the destination (rule M-7).
    ///
    /// # Errors
    /// A store error.
    pub async fn taken(&self, kind: &str, id: &str, target: &str) -> Result<Option<String>, Error> {
        let row = self
            .store
            .row(
                "SELECT source_id FROM effects WHERE account = $1 AND kind = $2 AND target_id = $3 AND part = 'main' \
                 AND source_id <> $4 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) LIMIT 1",
                vec![(&self.account).into(), kind.into(), target.into(), id.into()],
            )
            .await?;
        Ok(row.map(|row| row.try_get("source_id")).transpose()?)
    }
}

fn staged(row: &sqlx::sqlite::SqliteRow) -> Result<Staged, Error> {
    let blob: Option<String> = row.try_get("blob")?;
    Ok(Staged {
        entry: json(&row.try_get::<String, _>("payload")?)?,
        hash: row.try_get("hash")?,
        blob: blob.as_deref().map(json).transpose()?,
    })
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(text)?)
}

/// Whether a record is left out as one that is deleted in the source. A customer's rule is his own: he may be merged.
fn is_deleted(config: &Config, entry: &Entry) -> bool {
    let is_of_kind = matches!(
        entry.data,
        Entity::Conversation(_) | Entity::Message(_) | Entity::Company(_) | Entity::CustomObject(_)
    );
    is_of_kind && entry.head.deleted && !config.filter.deleted
}

/// Rules by which a record is not loaded (rules M-3, M-13).
#[must_use]
pub fn left_out(config: &Config, entry: &Entry) -> Option<&'static str> {
    let filter = &config.filter;
    if !filter.wants(kinds::name(&entry.head.kind)) {
        return Some("its kind is not in [filter] kinds");
    }
    let zone = config.migration.time_zone;
    if is_deleted(config, entry) {
        return Some(DELETED);
    }
    if let Entity::Conversation(conversation) = &entry.data {
        if conversation.spam && !filter.spam {
            return Some("marked as spam in the source");
        }
        if let Some(statuses) = &filter.statuses
            && !statuses.contains(&status_word(&conversation.status))
        {
            return Some("in none of the states of [filter] statuses");
        }
        if let Some(since) = filter.created_since
            && entry
                .head
                .created_at
                .is_some_and(|at| at < since.to_ms(zone))
        {
            return Some("created before [filter] created_since");
        }
        if let Some(since) = filter.updated_since
            && entry
                .head
                .updated_at
                .is_some_and(|at| at < since.to_ms(zone))
        {
            return Some("updated before [filter] updated_since");
        }
        if let Some(before) = filter.created_before
            && entry
                .head
                .created_at
                .is_some_and(|at| at >= before.to_ms(zone))
        {
            return Some("created after [filter] created_before");
        }
        if let Some(before) = filter.updated_before
            && entry
                .head
                .updated_at
                .is_some_and(|at| at >= before.to_ms(zone))
        {
            return Some("updated after [filter] updated_before");
        }
    }
    if let Entity::Tag(tag) = &entry.data
        && filter.excludes_tag(&tag.name)
    {
        return Some("named in [filter] exclude_tags");
    }
    if matches!(entry.data, Entity::FieldDefinition(_)) && is_unwanted(config, &entry.head.id) {
        return Some(UNWANTED);
    }
    if let Entity::Customer(customer) = &entry.data {
        if customer.merged_into.is_some() {
            return Some("merged into another customer, who carries its id");
        }
        if entry.head.deleted {
            return Some(DELETED);
        }
        if is_named(config, entry) {
            return Some(EXCLUDED_PERSON);
        }
    }
    None
}

/// A conversation's brand, teams and queue.
pub(super) fn groups(conversation: &Conversation) -> impl Iterator<Item = &Reference> {
    conversation
        .brand
        .iter()
        .chain(&conversation.teams)
        .chain(&conversation.queue)
}

/// The rule that leaves a conversation out for its brand or its teams, of which `name_of` tells the names (rule M-13).
pub(super) fn left_out_by_group(
    filter: &Filter,
    conversation: &Conversation,
    name_of: &dyn Fn(&Reference) -> Option<String>,
) -> Option<&'static str> {
    let meant = |wanted: &[String], reference: &Reference| {
        let name = name_of(reference);
        wanted
            .iter()
            .any(|one| *one == reference.id || Some(one) == name.as_ref())
    };
    if let Some(brands) = &filter.brands
        && !conversation.brand.iter().any(|brand| meant(brands, brand))
    {
        return Some("of none of the brands of [filter] brands");
    }
    if let Some(teams) = &filter.teams
        && !conversation
            .teams
            .iter()
            .chain(&conversation.queue)
            .any(|team| meant(teams, team))
    {
        return Some("of none of the teams of [filter] teams");
    }
    None
}

/// A status in the source's words.
fn status_word(status: &ConversationStatus) -> String {
    match status {
        ConversationStatus::Open => "open".into(),
        ConversationStatus::Snoozed => "snoozed".into(),
        ConversationStatus::Closed => "closed".into(),
        ConversationStatus::Other(word) => format!("other:{word}"),
    }
}

/// Whether the user does not want a custom field, by its definition's id.
fn is_unwanted(config: &Config, id: &str) -> bool {
    config.map.fields.get(id) == Some(&FieldTarget::Make(false))
}

/// Takes the values of fields that the user does not want off a record.
fn drop_unwanted(config: &Config, entry: &mut Entry, losses: &mut Vec<Loss>) {
    let owner = owner_word(entry);
    entry.head.fields.retain(|field| {
        let unwanted = is_unwanted(config, &format!("{owner}/{}", field.name));
        if unwanted {
            losses.push(Loss {
                field: format!("fields.{}", field.name),
                how: Fidelity::Lost,
                note: UNWANTED.into(),
            });
        }
        !unwanted
    });
}

/// Puts another address in place of customers' e-mail addresses: on the customer, and on what they wrote and got.
fn replace_addresses(by: &str, entry: &mut Entry, losses: &mut Vec<Loss>) {
    let mut changed = false;
    let mut replace = |address: &mut String| {
        changed = true;
        *address = match by {
            INVALID => {
                let digest = sha256(&address.trim().to_lowercase());
                format!("{}@transload.invalid", &digest[..16])
            }
            by => by.to_owned(),
        };
    };
    match &mut entry.data {
        Entity::Customer(customer) => customer
            .addresses
            .iter_mut()
            .filter(|address| address.channel == types::AddressChannel::Email)
            .for_each(|address| replace(&mut address.value)),
        Entity::Message(message) => {
            let lists = [&mut message.to, &mut message.cc, &mut message.bcc];
            let all = lists.into_iter().flatten().chain(&mut message.sender);
            all.filter(|address| address.contains('@'))
                .for_each(replace);
        }
        _ => {}
    }
    if changed {
        losses.push(Loss {
            field: format!("{}.addresses", kinds::name(&entry.head.kind)),
            how: Fidelity::Converted,
            note: "replaced for a trial run".into(),
        });
    }
}

/// Why a field is not loaded.
const UNWANTED: &str = "left out by [map.fields]";

/// Whether `[filter] exclude_people` names this person, by id, by the id of a record merged into this one, or by an address.
fn is_named(config: &Config, entry: &Entry) -> bool {
    let Entity::Customer(customer) = &entry.data else {
        return false;
    };
    let same = |a: &str, b: &str| a.trim().to_lowercase() == b.trim().to_lowercase();
    config.filter.exclude_people.iter().any(|named| {
        *named == entry.head.id
            || customer.merged_from.contains(named)
            || customer
                .addresses
                .iter()
                .any(|address| same(&address.value, named))
    })
}

/// Why a record shares the fate of the one it hangs on.
#[must_use]
pub fn with_its(kind: &str, cause: &str) -> String {
    format!("with its {kind}: {cause}")
}

/// Why what the source shows as deleted is not loaded.
pub(super) const DELETED: &str = "deleted in the source";
/// Why somebody is not loaded whom the user does not want.
pub(super) const EXCLUDED_PERSON: &str = "named in [filter] exclude_people";
/// Why what hangs on somebody is not loaded.
const EXCLUDED_OWNER: &str = "belongs to a person named in [filter] exclude_people";
/// Why a link is not.
const EXCLUDED_LINK: &str = "a link to a person named in [filter] exclude_people";

/// Adds the files that a record carries, and returns their places.
fn carry(files: Vec<Staged>, record: &mut Record, body: &mut Body) -> Vec<u32> {
    let mut places = vec![];
    for mut file in files {
        record
            .inside
            .push(("attachment".into(), file.entry.head.id.clone(), file.hash));
        if let Entity::Attachment(attachment) = &mut file.entry.data {
            attachment.content = file.blob;
        }
        places.push(push(&mut body.entries, file.entry));
    }
    places
}

/// Leaves a message out of its thread, with its files.
fn leave_out(message: &Staged, files: &[Staged], rule: &str, record: &mut Record) {
    let mut add = |kind: &str, one: &Staged| {
        record.left_out.push((
            kind.to_owned(),
            one.entry.head.id.clone(),
            one.hash.clone(),
            rule.to_owned(),
        ));
    };
    add("message", message);
    for file in files {
        add("attachment", file);
    }
}

fn key_of(reference: &Reference) -> Key {
    (
        kinds::name(&reference.kind).to_owned(),
        reference.id.clone(),
    )
}

/// What a value of the source becomes: the user's map, then the connector's proposal, then its fallback.
#[must_use]
pub fn map_value(config: &Config, kind: &str, slot: &Slot, own: &str) -> Option<String> {
    config
        .map
        .value(kind, &slot.name, own)
        .map(ToOwned::to_owned)
        .or_else(|| {
            slot.defaults
                .iter()
                .find(|(from, _)| from == own)
                .map(|(_, to)| to.clone())
        })
        .or_else(|| slot.fallback.clone())
}

/// A slot's value in the source's words.
#[must_use]
pub fn canonical_value(entry: &Entry, slot: &str) -> Option<String> {
    match (&entry.data, slot) {
        (Entity::Conversation(c), "status") => Some(status_word(&c.status)),
        (Entity::Conversation(c), "sub-status") => c.sub_status.clone(),
        (Entity::Conversation(c), "priority") => c
            .priority
            .as_ref()
            .map(|p| format!("{}/{}..{}", p.value, p.lowest, p.highest)),
        (Entity::Conversation(c), "channel") => c.channels.first().cloned(),
        (Entity::Conversation(c), "language") => c.language.clone(),
        (Entity::Message(m), "channel") => m.channel.clone(),
        (Entity::Customer(c), "language") => c.language.clone(),
        (Entity::Customer(c), "locale") => c.locale.clone(),
        (Entity::Customer(c), "time-zone") => c.time_zone.clone(),
        _ => None,
    }
}

/// `customer`, or `custom-object:<type>`: the owner part of a field definition's id.
pub(super) fn owner_word(entry: &Entry) -> String {
    match &entry.data {
        Entity::CustomObject(object) => format!("custom-object:{}", object.object_type),
        _ => kinds::name(&entry.head.kind).to_owned(),
    }
}

/// Where a custom field's definition is found: by the kind of its owner and its name.
fn field_key(owner: &str, name: &str) -> Key {
    ("field-definition".to_owned(), format!("{owner}/{name}"))
}

/// Messages and notes that a conversation has by the source's own count; 0 for other kinds.
pub(super) fn expected_messages(entry: &Entry) -> u64 {
    match &entry.data {
        Entity::Conversation(conversation) => {
            conversation.message_count.unwrap_or(0) + conversation.note_count.unwrap_or(0)
        }
        _ => 0,
    }
}

/// Whether a record is a closed conversation, which comes last under `order = "open-first"`.
pub(super) fn is_closed(entry: &Entry) -> bool {
    matches!(
        &entry.data,
        Entity::Conversation(conversation) if conversation.status == ConversationStatus::Closed
    )
}

/// What a person calls a record.
pub(super) fn display_name(entry: &Entry) -> Option<String> {
    match &entry.data {
        Entity::Team(team) => Some(team.name.clone()),
        Entity::Agent(agent) => Some(agent.name.clone()),
        Entity::Tag(tag) => Some(tag.name.clone()),
        Entity::Brand(brand) => Some(brand.name.clone()),
        Entity::Company(company) => Some(company.name.clone()),
        Entity::Customer(customer) => customer
            .name
            .clone()
            .or_else(|| customer.display_name.clone()),
        Entity::Conversation(conversation) => conversation.subject.clone(),
        Entity::CustomObject(object) => Some(object.title.clone()),
        Entity::ObjectType(object) => Some(object.label.clone()),
        _ => None,
    }
}

/// Shows every reference of a record, those of its custom fields included.
pub(super) fn each_reference(entry: &mut Entry, visit: &mut dyn FnMut(&mut Reference)) {
    for field in &mut entry.head.fields {
        match &mut field.value {
            Value::Reference(reference) => visit(reference),
            Value::References(references) => references.iter_mut().for_each(&mut *visit),
            _ => {}
        }
    }
    references(entry).into_iter().for_each(visit);
}

/// Every reference of a record outside its custom fields.
fn references(entry: &mut Entry) -> Vec<&mut Reference> {
    let mut all: Vec<&mut Reference> = vec![];
    all.extend(&mut entry.head.created_by);
    all.extend(&mut entry.head.modified_by);
    match &mut entry.data {
        Entity::Team(team) => all.extend(&mut team.members),
        Entity::Agent(agent) => all.extend(&mut agent.teams),
        Entity::Company(company) => {
            all.extend(&mut company.parent);
            all.extend(&mut company.tags);
        }
        Entity::Customer(customer) => {
            all.extend(&mut customer.company);
            all.extend(&mut customer.tags);
            all.extend(&mut customer.merged_into);
            all.extend(&mut customer.watchers);
        }
        Entity::Conversation(c) => {
            all.extend(&mut c.customer);
            all.extend(&mut c.assignees);
            all.extend(&mut c.teams);
            all.extend(&mut c.queue);
            all.extend(&mut c.brand);
            all.extend(&mut c.tags);
            all.extend(&mut c.merged_into);
            all.extend(&mut c.linked);
        }
        Entity::Message(m) => {
            all.extend(&mut m.conversation);
            all.extend(&mut m.customer);
            if let Author::Person(person) = &mut m.author {
                all.push(person);
            }
            all.extend(m.reactions.iter_mut().filter_map(|r| r.author.as_mut()));
            all.extend(&mut m.mentions);
            all.extend(m.links.iter_mut().map(|link| &mut link.to));
        }
        Entity::Attachment(a) => {
            all.push(&mut a.parent);
            all.extend(&mut a.conversation);
        }
        Entity::CustomObject(o) => {
            all.extend(&mut o.customer);
            all.extend(&mut o.company);
            all.extend(&mut o.conversation);
            all.extend(&mut o.assignee);
            all.extend(&mut o.queue);
            all.extend(&mut o.tags);
            for comment in &mut o.comments {
                if let Author::Person(person) = &mut comment.author {
                    all.push(person);
                }
            }
        }
        Entity::Relationship(r) => {
            all.push(&mut r.source);
            all.push(&mut r.target);
        }
        Entity::Category(c) => all.extend(&mut c.parent),
        Entity::Article(a) => {
            all.extend(&mut a.categories);
            all.extend(&mut a.author);
        }
        Entity::Tag(_)
        | Entity::Brand(_)
        | Entity::FieldDefinition(_)
        | Entity::ObjectType(_)
        | Entity::Other(_) => {}
    }
    all
}

/// Whether an attachment's bytes are still to be fetched.
#[must_use]
pub fn wants_bytes(attachment: &Attachment) -> bool {
    attachment.content.is_none()
        && matches!(
            attachment.state,
            AttachmentState::Available | AttachmentState::External(_)
        )
}

/// Adds an entry to a body, and returns its place.
fn push(entries: &mut Vec<Entry>, entry: Entry) -> u32 {
    entries.push(entry);
    u32::try_from(entries.len() - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
