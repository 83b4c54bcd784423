//! From staged rows to items: threads put together, references given their targets and names, values mapped, markers made.
//!
//! What is done here is done once and frozen with the unit; a replay never comes back here.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use tokio::sync::Mutex;

use super::mapping::{Becomes, becomes, paired};
use crate::config::{Config, FieldTarget, MatchPolicy as Policy};
use crate::contract::destination::{
    Body, Candidate, Effect, Item, MatchKey, MatchPolicy, Slot, SlotValue, SurveyReport,
    TargetAgent, TargetField, ThreadPart,
};
use crate::contract::types::{
    Attachment, AttachmentState, Author, BlobRef, ConversationStatus, Entity, Entry, Fidelity,
    Field, Invalid, Kind, Loss, Reference, Value,
};
use crate::contract::{ledger, types};
use crate::error::Error;
use crate::kinds;
use crate::store::{Store, sha256};
use crate::unit::Record;

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
    fields: Vec<TargetField>,
    known: Mutex<HashMap<(String, String), Known>>,
    effects_by_fields: Mutex<HashMap<String, Option<String>>>,
    excluded: Mutex<HashMap<String, bool>>,
}

/// What is known of a record that others refer to.
#[derive(Debug, Clone)]
struct Known {
    target: Option<String>,
    name: Option<String>,
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
            fields: survey.fields.clone(),
            known: Mutex::default(),
            effects_by_fields: Mutex::default(),
            excluded: Mutex::default(),
        }
    }

    /// Records of a kind that have neither an outcome nor an open unit, in load order.
    ///
    /// # Errors
    /// A store error.
    pub async fn open_ids(&self, kind: &str, limit: i64) -> Result<Vec<String>, Error> {
        let newest_first = self.config.load.order == crate::config::LoadOrder::NewestFirst;
        let sql = if newest_first {
            "SELECT s.id FROM staged s LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind AND o.source_id = s.id \
             WHERE s.extraction = $1 AND s.kind = $3 AND o.source_id IS NULL AND NOT EXISTS \
             (SELECT 1 FROM unit_items u WHERE u.run = $2 AND u.kind = s.kind AND u.source_id = s.id) \
             ORDER BY s.sort_at DESC, s.id LIMIT $4"
        } else {
            "SELECT s.id FROM staged s LEFT JOIN outcomes o ON o.run = $2 AND o.kind = s.kind AND o.source_id = s.id \
             WHERE s.extraction = $1 AND s.kind = $3 AND o.source_id IS NULL AND NOT EXISTS \
             (SELECT 1 FROM unit_items u WHERE u.run = $2 AND u.kind = s.kind AND u.source_id = s.id) \
             ORDER BY s.sort_at, s.id LIMIT $4"
        };
        self.store
            .rows(
                sql,
                vec![
                    (&self.extraction).into(),
                    (&self.run).into(),
                    kind.into(),
                    limit.into(),
                ],
            )
            .await?
            .iter()
            .map(|row| Ok(row.try_get("id")?))
            .collect()
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

    /// The records that hang on one, in order.
    ///
    /// # Errors
    /// A store error.
    pub async fn children(&self, kind: &str, parent: &str) -> Result<Vec<Staged>, Error> {
        self.store
            .rows(
                "SELECT payload, hash, blob FROM staged WHERE extraction = $1 AND kind = $2 AND parent = $3 ORDER BY sort_at, id",
                vec![(&self.extraction).into(), kind.into(), parent.into()],
            )
            .await?
            .iter()
            .map(staged)
            .collect()
    }

    /// Puts one record together, with what hangs on it.
    ///
    /// # Errors
    /// A store error.
    pub async fn assemble(&self, kind: &str, id: &str) -> Result<Option<Assembled>, Error> {
        let Some(own) = self.staged(kind, id).await? else {
            return Ok(None);
        };
        let mut record = Record {
            key: format!("{kind}:{id}"),
            kind: kind.to_owned(),
            id: id.to_owned(),
            hash: own.hash.clone(),
            marker: self.marker(kind, id),
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
        let status = match left_out(&self.config, &entry) {
            Some(status) => Some(status),
            None => self.hangs_on_excluded(&entry).await?,
        };
        let mut body = Body {
            entries: vec![entry.clone()],
            parts: vec![],
        };
        if let Entity::Conversation(_) = &entry.data {
            for message in self.children("message", id).await? {
                if status.is_none() && self.is_by_excluded(&message.entry).await? {
                    self.leave_out(&message, &mut record).await?;
                    continue;
                }
                record.inside.push((
                    "message".into(),
                    message.entry.head.id.clone(),
                    message.hash.clone(),
                ));
                let message_id = message.entry.head.id.clone();
                let place = push(&mut body.entries, message.entry);
                let mut attachments = vec![];
                for mut attachment in self.children("attachment", &message_id).await? {
                    record.inside.push((
                        "attachment".into(),
                        attachment.entry.head.id.clone(),
                        attachment.hash.clone(),
                    ));
                    if let Entity::Attachment(file) = &mut attachment.entry.data {
                        file.content = attachment.blob;
                    }
                    attachments.push(push(&mut body.entries, attachment.entry));
                }
                body.parts.push(ThreadPart {
                    message: place,
                    attachments,
                });
            }
        }
        if let Some(status) = status {
            if !matches!(entry.data, Entity::Conversation(_)) {
                // Files follow what they hang on; else they would be exported.
                for file in self.children("attachment", id).await? {
                    record
                        .inside
                        .push(("attachment".into(), file.entry.head.id, file.hash));
                }
            }
            return Ok(Some(Assembled::Decided(record, status)));
        }
        record.hash = sha256(
            &record
                .inside
                .iter()
                .fold(record.hash.clone(), |all, (_, _, hash)| all + hash),
        );
        if let Entity::Conversation(conversation) = &entry.data {
            let is_message = |kind: &String| kind == "message";
            let here = record.inside.iter().filter(|(kind, ..)| is_message(kind));
            let without = record.left_out.iter().filter(|(kind, ..)| is_message(kind));
            let (has, without) = (here.count() as u64, without.count() as u64);
            if without > 0 {
                notes.push(format!(
                    "{without} messages of people whom the migration leaves out are not here."
                ));
            }
            let has = has + without;
            let expected =
                conversation.message_count.unwrap_or(0) + conversation.note_count.unwrap_or(0);
            if has < expected {
                notes.push(format!(
                    "The source counts {expected} messages and notes; {has} could be read."
                ));
            }
        }
        let values = match self.values(&entry) {
            Ok(values) => values,
            Err(invalid) => {
                return Ok(Some(Assembled::Decided(
                    record,
                    ledger::Status::Rejected(types::Error::Invalid(invalid)),
                )));
            }
        };
        for entry in &mut body.entries {
            let losses = self.resolve(entry).await?;
            record.losses.extend(losses);
        }
        let item = Item {
            key: record.key.clone(),
            body,
            values,
            policy: match self.config.people.policy(kind) {
                Policy::Leave => MatchPolicy::Leave,
                Policy::FillEmpty => MatchPolicy::FillEmpty,
                Policy::SourceWins => MatchPolicy::SourceWins,
            },
            existing: paired(&self.config, &entry, &self.agents).map(|agent| Candidate {
                target_id: agent.id.clone(),
                by: MatchKey::Other,
                before: serde_json::to_string(agent).unwrap_or_default(),
                doubtful: None,
            }),
            marker: record.marker.clone(),
            in_doubt_since: self.doubt(kind, id).await?,
            notes,
            prior: self.prior(kind, id).await?,
        };
        Ok(Some(Assembled::Item(Box::new(item), record)))
    }

    /// A field that goes into one that is there is shown to the connector by that one's name, so that it is found by the
    /// connector's own rules, with all that the connector does about options and companions.
    fn rename(&self, entry: &mut Entry) {
        let Entity::FieldDefinition(field) = &mut entry.data else {
            return;
        };
        if let Becomes::Existing(there, _) =
            becomes(&self.config, &entry.head.id, field, &self.fields)
        {
            let (name, label) = (there.name.clone(), there.label.clone());
            (field.name, field.label) = (name, label);
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

    /// What hangs on a person who is left out is left out with them (rule M-13).
    async fn hangs_on_excluded(&self, entry: &Entry) -> Result<Option<ledger::Status>, Error> {
        let (people, why): (Vec<&Reference>, _) = match &entry.data {
            Entity::Conversation(c) => (c.customer.iter().collect(), EXCLUDED_OWNER),
            Entity::Message(m) => (m.customer.iter().collect(), EXCLUDED_OWNER),
            Entity::CustomObject(o) => (o.customer.iter().collect(), EXCLUDED_OWNER),
            Entity::Relationship(r) => (vec![&r.source, &r.target], EXCLUDED_LINK),
            _ => return Ok(None),
        };
        for person in people {
            if self.is_excluded(person).await? {
                return Ok(Some(ledger::Status::Skipped(why.to_owned())));
            }
        }
        Ok(match self.is_by_excluded(entry).await? {
            true => Some(ledger::Status::Skipped(EXCLUDED_OWNER.to_owned())),
            false => None,
        })
    }

    /// Leaves a message out of its thread, with its files.
    async fn leave_out(&self, message: &Staged, record: &mut Record) -> Result<(), Error> {
        let id = &message.entry.head.id;
        let mut add = |kind: &str, id: &str, hash: &str| {
            record.left_out.push((
                kind.to_owned(),
                id.to_owned(),
                hash.to_owned(),
                EXCLUDED_OWNER.to_owned(),
            ));
        };
        add("message", id, &message.hash);
        for file in self.children("attachment", id).await? {
            add("attachment", &file.entry.head.id, &file.hash);
        }
        Ok(())
    }

    /// Gives every reference and custom field of a record its target; returns what it took from the record.
    async fn resolve(&self, entry: &mut Entry) -> Result<Vec<Loss>, Error> {
        let owner = owner_word(entry);
        let mut links = 0;
        let mut losses = vec![];
        for mut field in std::mem::take(&mut entry.head.fields) {
            if is_unwanted(&self.config, &format!("{owner}/{}", field.name)) {
                losses.push(Loss {
                    field: format!("fields.{}", field.name),
                    how: Fidelity::Lost,
                    note: UNWANTED.into(),
                });
                continue;
            }
            links += self.resolve_field(&owner, &mut field).await?;
            entry.head.fields.push(field);
        }
        let kind = kinds::name(&entry.head.kind).to_owned();
        for reference in references(entry) {
            links += self.resolve_reference(reference).await?;
        }
        losses.extend((0..links).map(|_| Loss {
            field: format!("{kind}.customer"),
            how: Fidelity::Converted,
            note: "a link to a person named in [filter] exclude_people stays as text".into(),
        }));
        Ok(losses)
    }

    async fn resolve_field(&self, owner: &str, field: &mut Field) -> Result<usize, Error> {
        let id = format!("{owner}/{}", field.name);
        let mut cache = self.effects_by_fields.lock().await;
        let target = match cache.get(&id) {
            Some(target) => target.clone(),
            None => {
                let target = self.target("field-definition", &id).await?;
                cache.insert(id, target.clone());
                target
            }
        };
        drop(cache);
        field.target = target;
        match &mut field.value {
            Value::Reference(reference) => self.resolve_reference(reference).await,
            Value::References(references) => {
                let mut links = 0;
                for reference in references {
                    links += self.resolve_reference(reference).await?;
                }
                Ok(links)
            }
            _ => Ok(0),
        }
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

    /// Returns how many links to people who are left out this was: 0 or 1.
    async fn resolve_reference(&self, reference: &mut Reference) -> Result<usize, Error> {
        let kind = kinds::name(&reference.kind).to_owned();
        let excluded = self.is_excluded(reference).await?;
        let key = (kind.clone(), reference.id.clone());
        if let Some(known) = self.known.lock().await.get(&key) {
            reference.target.clone_from(&known.target);
            reference.name.clone_from(&known.name);
            return Ok(usize::from(excluded));
        }
        let id = self.survivor(&kind, &reference.id).await?;
        let known = Known {
            // An earlier run may have taken them along.
            target: match excluded {
                true => None,
                false => self.target(&kind, &id).await?,
            },
            name: self
                .staged(&kind, &id)
                .await?
                .and_then(|staged| display_name(&staged.entry)),
        };
        reference.target.clone_from(&known.target);
        reference.name.clone_from(&known.name);
        // Only what is settled is remembered, and not without bound.
        if known.target.is_some() {
            let mut cache = self.known.lock().await;
            if cache.len() > 200_000 {
                cache.clear();
            }
            cache.insert(key, known);
        }
        Ok(usize::from(excluded))
    }

    async fn target(&self, kind: &str, id: &str) -> Result<Option<String>, Error> {
        let row = self
            .store
            .row(
                "SELECT target_id FROM effects WHERE account = $1 AND kind = $2 AND source_id = $3 AND part = 'main' \
                 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY id DESC LIMIT 1",
                vec![(&self.account).into(), kind.into(), id.into()],
            )
            .await?;
        Ok(row.map(|row| row.try_get("target_id")).transpose()?)
    }

    /// Since when an earlier attempt may have been applied (rule D-8).
    async fn doubt(&self, kind: &str, id: &str) -> Result<Option<i64>, Error> {
        let row = self
            .store
            .row(
                "SELECT since FROM doubts WHERE run = $1 AND kind = $2 AND source_id = $3",
                vec![(&self.run).into(), kind.into(), id.into()],
            )
            .await?;
        Ok(row.map(|row| row.try_get("since")).transpose()?)
    }

    /// Effects of earlier runs on this account, newest first.
    async fn prior(&self, kind: &str, id: &str) -> Result<Vec<Effect>, Error> {
        self.store
            .rows(
                "SELECT effect FROM effects WHERE account = $1 AND kind = $2 AND source_id = $3 \
                 AND (undo_status IS NULL OR undo_status NOT IN ('undone', 'gone')) ORDER BY id DESC",
                vec![(&self.account).into(), kind.into(), id.into()],
            )
            .await?
            .iter()
            .map(|row| json(&row.try_get::<String, _>("effect")?))
            .collect()
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

/// Rules by which a record is not loaded (rules M-3, M-13).
#[must_use]
pub fn left_out(config: &Config, entry: &Entry) -> Option<ledger::Status> {
    let skipped = |why: &str| Some(ledger::Status::Skipped(why.to_owned()));
    let filter = &config.filter;
    if !filter.wants(kinds::name(&entry.head.kind)) {
        return skipped("its kind is not in [filter] kinds");
    }
    let zone = config.migration.time_zone;
    if let Entity::Conversation(conversation) = &entry.data {
        if entry.head.deleted {
            return skipped("deleted in the source");
        }
        if conversation.spam {
            return skipped("marked as spam in the source");
        }
        if let Some(since) = filter.created_since
            && entry
                .head
                .created_at
                .is_some_and(|at| at < since.to_ms(zone))
        {
            return skipped("created before [filter] created_since");
        }
        if let Some(since) = filter.updated_since
            && entry
                .head
                .updated_at
                .is_some_and(|at| at < since.to_ms(zone))
        {
            return skipped("updated before [filter] updated_since");
        }
    }
    if matches!(entry.data, Entity::FieldDefinition(_)) && is_unwanted(config, &entry.head.id) {
        return skipped(UNWANTED);
    }
    if let Entity::Customer(customer) = &entry.data {
        if customer.merged_into.is_some() {
            return skipped("merged into another customer, who carries its id");
        }
        if entry.head.deleted {
            return skipped("deleted in the source");
        }
        if is_named(config, entry) {
            return skipped("named in [filter] exclude_people");
        }
    }
    None
}

/// Whether the user does not want a custom field, by its definition's id.
fn is_unwanted(config: &Config, id: &str) -> bool {
    config.map.fields.get(id) == Some(&FieldTarget::Make(false))
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

/// Why what hangs on somebody is not loaded.
const EXCLUDED_OWNER: &str = "belongs to a person named in [filter] exclude_people";
/// Why a link is not.
const EXCLUDED_LINK: &str = "a link to a person named in [filter] exclude_people";

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
        (Entity::Conversation(c), "status") => Some(match &c.status {
            ConversationStatus::Open => "open".into(),
            ConversationStatus::Snoozed => "snoozed".into(),
            ConversationStatus::Closed => "closed".into(),
            ConversationStatus::Other(word) => format!("other:{word}"),
        }),
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
fn owner_word(entry: &Entry) -> String {
    match &entry.data {
        Entity::CustomObject(object) => format!("custom-object:{}", object.object_type),
        _ => kinds::name(&entry.head.kind).to_owned(),
    }
}

/// What a person calls a record.
fn display_name(entry: &Entry) -> Option<String> {
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
