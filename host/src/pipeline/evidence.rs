//! What the records that are read say: which values they have, which fields are in use, what will be refused, what somebody
//! should look at.
//!
//! Policy: one pass over what is staged, page by page and in the order of ids, so that a plan is the same whenever it is made of
//! the same records, and its memory is a few numbers a kind: of each finding a count and three examples. Of people, what is kept
//! is a hash of each address. Texts of messages are looked at and never kept.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use email_address::EmailAddress;
use serde_json::Value as Json;
use sqlx::Row as _;

use super::assemble::{
    EXCLUDED_PERSON, groups, left_out, left_out_by_group, map_value, owner_word,
};
use super::mapping::{Becomes, Met, Targets, open_settings};
use super::model::{Evidence, Example, FileSum, Flag, Foreseen, Most};
use crate::config::Config;
use crate::contract::description::TextLimit;
use crate::contract::destination::{Slot, SurveyReport};
use crate::contract::types::{
    Address, AddressChannel, Attachment, AttachmentState, Author, Conversation, Entity, Entry,
    FieldDefinition, FieldType, Kind, Message, Reference, Text, Value,
};
use crate::error::Error;
use crate::kinds;
use crate::report::number;
use crate::store::Store;

/// Records looked at in one go.
const PAGE: i64 = 500;
/// Examples of one finding.
const EXAMPLES: usize = 3;
/// Characters of a value that an example shows.
const SHOWN: usize = 60;
/// Causes of one kind that are kept apart; what is beyond them is not counted one by one.
const FINDINGS: usize = 500;

/// In which order kinds are looked at: what leaves a record out comes before what hangs on it.
const ORDER: [Kind; 15] = [
    Kind::Team,
    Kind::Agent,
    Kind::Tag,
    Kind::Brand,
    Kind::ObjectType,
    Kind::FieldDefinition,
    Kind::Company,
    Kind::Customer,
    Kind::Conversation,
    Kind::Message,
    Kind::Attachment,
    Kind::CustomObject,
    Kind::Relationship,
    Kind::Category,
    Kind::Article,
];

/// A count, with the first records it was counted on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// How many records.
    pub records: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

impl Sight {
    fn add(&mut self, id: &str, value: impl FnOnce() -> Option<String>) {
        self.records += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(Example {
                id: id.to_owned(),
                value: value(),
            });
        }
    }
}

/// A finding's kind, field, cause, remedy, and whether a refusal is sure.
type Cause = (String, String, String, String, bool);

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Values of the destination's settings.
    pub met: Met,
    /// Records by kind.
    pub read: BTreeMap<String, u64>,
    /// Of them left out by a rule of the user.
    pub skipped: BTreeMap<String, u64>,
    /// Of them surely refused.
    pub rejected: BTreeMap<String, u64>,
    /// Whether all kinds that are wanted are read to their end.
    pub complete: bool,
    /// Custom fields by `owner/name`.
    fields: BTreeMap<String, Sight>,
    /// Tags by id.
    tags: BTreeMap<String, u64>,
    /// What has something in it, by kind and path.
    present: BTreeMap<(String, String), Sight>,
    foreseen: BTreeMap<Cause, Sight>,
    flags: BTreeMap<(String, String, String), Sight>,
    most: BTreeMap<(String, String), (u64, String, u64)>,
    files: FileSum,
    channels: BTreeMap<String, u64>,
    /// Kinds of which all is read.
    whole: BTreeSet<String>,
}

/// What is looked for.
pub struct Question<'a> {
    /// The user's rules.
    pub config: &'a Config,
    /// What there could be at the destination.
    pub survey: &'a SurveyReport,
    /// Staged agents, teams, brands, tags, object types and field definitions.
    pub schema: &'a [Entry],
    /// Fields that do not travel exactly, as kind and path.
    pub inexact: &'a [(Kind, String)],
    /// How long texts can be at the destination.
    pub limits: &'a [TextLimit],
    /// The host of a file's link, where nothing may be fetched from it.
    pub foreign_host: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The destination's name.
    pub destination: &'a str,
    /// Connection of the source, for remedies.
    pub source: &'a str,
}

/// Looks through the records that are staged.
///
/// # Errors
/// A store error.
pub async fn look(store: &Store, extraction: &str, question: &Question<'_>) -> Result<Seen, Error> {
    let mut looking = Looking::new(question);
    looking.seen.whole = whole(store, extraction).await?;
    for kind in &ORDER {
        let word = kinds::name(kind);
        let mut after = String::new();
        loop {
            let rows = store
                .rows(
                    "SELECT id, parent, payload FROM staged WHERE extraction = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4",
                    vec![
                        extraction.into(),
                        word.into(),
                        (&after).into(),
                        PAGE.into(),
                    ],
                )
                .await?;
            for row in &rows {
                after = row.try_get("id")?;
                let payload: String = row.try_get("payload")?;
                let entry: Entry = serde_json::from_str(&payload)?;
                let parent: Option<String> = row.try_get("parent")?;
                let json = match looking.wants_json(kind) {
                    true => serde_json::from_str(&payload)?,
                    false => Json::Null,
                };
                looking.record(&entry, parent.as_deref(), &json);
            }
            if i64::try_from(rows.len()).is_ok_and(|n| n < PAGE) {
                break;
            }
            // Other work on this thread has its turn.
            tokio::task::yield_now().await;
        }
    }
    looking.people(store, extraction).await?;
    Ok(looking.end())
}

/// Kinds that are read to their end: divided, and no part of them open.
async fn whole(store: &Store, extraction: &str) -> Result<BTreeSet<String>, Error> {
    let rows = store
        .rows(
            "SELECT kind FROM kinds_read k WHERE extraction = $1 AND NOT EXISTS \
             (SELECT 1 FROM partitions p WHERE p.extraction = k.extraction AND p.kind = k.kind AND p.state = 'open')",
            vec![extraction.into()],
        )
        .await?;
    let kinds = rows.iter().map(|row| row.try_get("kind"));
    Ok(kinds.collect::<Result<_, _>>()?)
}

struct Looking<'a> {
    question: &'a Question<'a>,
    seen: Seen,
    slots: BTreeMap<&'a str, Vec<&'a Slot>>,
    paths: BTreeMap<&'a str, Vec<(&'a str, Vec<String>)>>,
    limits: BTreeMap<&'a str, Vec<Limit<'a>>>,
    targets: Targets,
    definitions: HashMap<&'a str, &'a FieldDefinition>,
    names: HashMap<(&'a str, &'a str), &'a str>,
    agents: HashSet<u64>,
    addresses: HashSet<u64>,
    /// Addresses that several people have.
    shared: HashSet<u64>,
    customers: HashSet<u64>,
    left_out: HashSet<u64>,
    /// Customers whom the user does not want.
    excluded: HashSet<u64>,
    required: Vec<Required<'a>>,
}

/// A text that the destination takes up to a length only.
struct Limit<'a> {
    field: &'a str,
    path: Vec<String>,
    characters: u32,
}

/// A field that the destination must have.
struct Required<'a> {
    kind: &'a Kind,
    label: &'a str,
    /// Fields of the source that go into it.
    from: Vec<&'a str>,
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn hash_of(kind: &str, id: &str) -> u64 {
    hash(&format!("{kind}:{id}"))
}

fn address(text: &str) -> String {
    text.trim().to_lowercase()
}

impl<'a> Looking<'a> {
    fn new(question: &'a Question<'a>) -> Self {
        let config = question.config;
        let targets = Targets::new(&question.survey.fields);
        let mut slots: BTreeMap<&str, Vec<&Slot>> = BTreeMap::new();
        for slot in open_settings(config, &question.survey.slots) {
            slots.entry(kinds::name(&slot.kind)).or_default().push(slot);
        }
        let mut paths: BTreeMap<&str, Vec<(&str, Vec<String>)>> = BTreeMap::new();
        for (kind, field) in question.inexact {
            if let Some(path) = path_of(kind, field) {
                paths
                    .entry(kinds::name(kind))
                    .or_default()
                    .push((field, path));
            }
        }
        let mut limits: BTreeMap<&str, Vec<Limit>> = BTreeMap::new();
        for limit in question.limits {
            if let Some(path) = path_of(&limit.kind, &limit.field) {
                limits
                    .entry(kinds::name(&limit.kind))
                    .or_default()
                    .push(Limit {
                        field: &limit.field,
                        path,
                        characters: limit.characters,
                    });
            }
        }
        let mut definitions = HashMap::new();
        let mut names = HashMap::new();
        let mut agents = HashSet::new();
        let mut into: HashMap<String, Vec<&str>> = HashMap::new();
        for entry in question.schema {
            let id = entry.head.id.as_str();
            match &entry.data {
                Entity::FieldDefinition(field) => {
                    definitions.insert(id, field);
                    if let Becomes::Existing(target, _) = targets.becomes(config, id, field) {
                        let key = format!("{} {}", kinds::name(&target.kind), target.address);
                        into.entry(key).or_default().push(id);
                    }
                }
                Entity::Agent(agent) => {
                    agents.extend(agent.email.as_deref().map(|email| hash(&address(email))));
                }
                Entity::Team(team) => {
                    names.insert(("team", id), team.name.as_str());
                }
                Entity::Brand(brand) => {
                    names.insert(("brand", id), brand.name.as_str());
                }
                _ => {}
            }
        }
        let required = question
            .survey
            .fields
            .iter()
            .filter(|field| field.required && field.kind != Kind::CustomObject)
            .map(|field| Required {
                kind: &field.kind,
                label: &field.label,
                from: into
                    .get(&format!("{} {}", kinds::name(&field.kind), field.address))
                    .cloned()
                    .unwrap_or_default(),
            })
            .collect();
        Self {
            question,
            seen: Seen::default(),
            slots,
            paths,
            limits,
            targets,
            definitions,
            names,
            agents,
            addresses: HashSet::new(),
            shared: HashSet::new(),
            customers: HashSet::new(),
            left_out: HashSet::new(),
            excluded: HashSet::new(),
            required,
        }
    }

    fn wants_json(&self, kind: &Kind) -> bool {
        let kind = kinds::name(kind);
        self.paths.contains_key(kind) || self.limits.contains_key(kind)
    }

    fn record(&mut self, entry: &Entry, parent: Option<&str>, json: &Json) {
        let kind = kinds::name(&entry.head.kind);
        *self.seen.read.entry(kind.to_owned()).or_insert(0) += 1;
        if parent.is_none()
            && let Some(slots) = self.slots.get(kind)
        {
            self.seen
                .met
                .look_at(self.question.config, kind, slots, entry);
        }
        let id = entry.head.id.as_str();
        if matches!(entry.data, Entity::Customer(_)) {
            self.customers.insert(hash(id));
        }
        if self.is_left_out(entry) {
            self.left_out.insert(hash_of(kind, id));
            if left_out(self.question.config, entry) == Some(EXCLUDED_PERSON) {
                self.excluded.insert(hash(id));
            }
            *self.seen.skipped.entry(kind.to_owned()).or_insert(0) += 1;
            return;
        }
        self.presence(kind, id, json);
        self.too_long(kind, id, json);
        self.custom_fields(entry);
        self.required(entry);
        match &entry.data {
            Entity::Company(company) => {
                self.emails(kind, id, &company.addresses);
                self.tags(kind, id, &company.tags);
                if company.name.trim().is_empty() {
                    self.foresee(
                        (kind, "name", "it has no name"),
                        "give it one in the source",
                        false,
                        id,
                        None,
                    );
                }
            }
            Entity::Customer(customer) => {
                self.emails(kind, id, &customer.addresses);
                self.tags(kind, id, &customer.tags);
                self.identity(id, &customer.addresses);
                let nameless = [
                    &customer.name,
                    &customer.display_name,
                    &customer.first_name,
                    &customer.last_name,
                ]
                .into_iter()
                .all(|name| name.as_deref().unwrap_or_default().trim().is_empty());
                if nameless && customer.addresses.is_empty() {
                    self.flag(
                        "nobody",
                        "customer.name",
                        "neither a name nor an address: nobody will know who this is",
                        id,
                        None,
                    );
                }
            }
            Entity::Conversation(conversation) => self.conversation(id, conversation),
            Entity::Message(message) => self.message(id, message),
            Entity::Attachment(file) => self.file(id, file),
            Entity::CustomObject(object) => {
                self.tags(kind, id, &object.tags);
                if object.title.trim().is_empty() {
                    self.flag("no-title", "custom-object.title", "no title", id, None);
                }
            }
            _ => {}
        }
    }

    /// By the user's rules, or with what it hangs on. Links to who is left out stay, as text.
    fn is_left_out(&self, entry: &Entry) -> bool {
        let out = |reference: &Reference| {
            self.left_out
                .contains(&hash_of(kinds::name(&reference.kind), &reference.id))
        };
        // Conversations of a customer who is only deleted, or was merged into another, are not.
        let excluded = |person: &Reference| self.excluded.contains(&hash(&person.id));
        if left_out(self.question.config, entry).is_some() {
            return true;
        }
        match &entry.data {
            Entity::Conversation(conversation) => {
                let name = |group: &Reference| {
                    let key = (kinds::name(&group.kind), group.id.as_str());
                    self.names.get(&key).map(|name| (*name).to_owned())
                };
                left_out_by_group(&self.question.config.filter, conversation, &name).is_some()
                    || conversation.customer.as_ref().is_some_and(excluded)
            }
            Entity::Message(message) => {
                message.conversation.as_ref().is_some_and(out)
                    || message.customer.as_ref().is_some_and(excluded)
                    || matches!(&message.author, Author::Person(person) if excluded(person))
            }
            Entity::Attachment(file) => out(&file.parent),
            Entity::CustomObject(object) => object.customer.as_ref().is_some_and(excluded),
            _ => false,
        }
    }

    fn foresee(
        &mut self,
        (kind, field, cause): (&str, &str, &str),
        remedy: &str,
        sure: bool,
        id: &str,
        value: Option<String>,
    ) {
        if sure {
            *self.seen.rejected.entry(kind.to_owned()).or_insert(0) += 1;
        }
        let key = (
            kind.to_owned(),
            field.to_owned(),
            cause.to_owned(),
            remedy.to_owned(),
            sure,
        );
        if self.seen.foreseen.len() >= FINDINGS && !self.seen.foreseen.contains_key(&key) {
            return;
        }
        self.seen
            .foreseen
            .entry(key)
            .or_default()
            .add(id, || value.map(|value| short(&value)));
    }

    fn flag(&mut self, code: &str, subject: &str, message: &str, id: &str, value: Option<String>) {
        let key = (code.to_owned(), subject.to_owned(), message.to_owned());
        if self.seen.flags.len() >= FINDINGS && !self.seen.flags.contains_key(&key) {
            return;
        }
        self.seen
            .flags
            .entry(key)
            .or_default()
            .add(id, || value.map(|value| short(&value)));
    }

    fn several(&mut self, kind: &str, what: &str, count: usize, id: &str) {
        let count = count as u64;
        if count == 0 {
            return;
        }
        let known = self
            .seen
            .most
            .entry((kind.to_owned(), what.to_owned()))
            .or_default();
        if count > known.0 {
            (known.0, known.1) = (count, id.to_owned());
        }
        known.2 += u64::from(count > 1);
    }

    fn presence(&mut self, kind: &str, id: &str, json: &Json) {
        let Some(paths) = self.paths.get(kind) else {
            return;
        };
        for (field, path) in paths {
            let Some(value) = held(json, path) else {
                continue;
            };
            let content = matches!(kind, "message" | "article") || *field == "preview";
            let key = (kind.to_owned(), (*field).to_owned());
            self.seen
                .present
                .entry(key)
                .or_default()
                .add(id, || (!content).then(|| short(&in_words(value))));
        }
    }

    /// Texts that are longer than the destination takes them.
    fn too_long(&mut self, kind: &str, id: &str, json: &Json) {
        let mut found = vec![];
        for limit in self.limits.get(kind).into_iter().flatten() {
            let Some(Json::String(text)) = held(json, &limit.path) else {
                continue;
            };
            let most = usize::try_from(limit.characters).unwrap_or(usize::MAX);
            if text.chars().nth(most).is_some() {
                found.push((limit.field, limit.characters, text.chars().count()));
            }
        }
        for (field, most, length) in found {
            let there = self.question.destination;
            let message = format!(
                "longer than the {} characters that {there} takes",
                number(most.into())
            );
            let shown = format!("{} characters", number(length as u64));
            self.flag("text-too-long", field, &message, id, Some(shown));
        }
    }

    fn custom_fields(&mut self, entry: &Entry) {
        let owner = owner_word(entry);
        let kind = kinds::name(&entry.head.kind);
        let id = entry.head.id.as_str();
        self.several(kind, "custom fields", entry.head.fields.len(), id);
        for field in &entry.head.fields {
            let key = format!("{owner}/{}", field.name);
            let shown = match kind {
                "message" => None,
                _ => Some(value_words(&field.value)),
            };
            self.seen
                .fields
                .entry(key.clone())
                .or_default()
                .add(id, || shown.as_deref().map(short));
            let Some(definition) = self.definitions.get(key.as_str()) else {
                continue;
            };
            let word = definition.field_type.clone();
            match &field.value {
                Value::Json(_) if word != FieldType::Json => self.flag(
                    "value-form",
                    &key,
                    "a value that is not of the field's type, or nested: it is kept as JSON text",
                    id,
                    shown,
                ),
                Value::Json(_) => self.flag(
                    "nested-value",
                    &key,
                    "nested values: they arrive as JSON text",
                    id,
                    shown,
                ),
                value => self.choices(&key, value, id),
            }
        }
    }

    /// Values that cannot be chosen: by the definition, or in the field that is there.
    fn choices(&mut self, key: &str, value: &Value, id: &str) {
        let chosen: Vec<&String> = match value {
            Value::Choice(one) => vec![one],
            Value::Choices(several) => several.iter().collect(),
            _ => return,
        };
        let Some(definition) = self.definitions.get(key).copied() else {
            return;
        };
        let lacks = |value: &str| {
            !definition.options.is_empty()
                && !definition
                    .options
                    .iter()
                    .any(|option| option.value == value)
        };
        let target = self.targets.becomes(self.question.config, key, definition);
        let there: HashSet<&str> = match &target {
            Becomes::Existing(target, _) => target
                .options
                .iter()
                .flat_map(|option| [option.value.as_str(), option.label.as_str()])
                .collect(),
            _ => HashSet::new(),
        };
        let label = |value: &str| {
            definition
                .options
                .iter()
                .find(|option| option.value == value)
                .map(|option| option.label.as_str())
        };
        let mut found = vec![];
        for value in chosen {
            if lacks(value) {
                found.push((
                    "choice-unknown",
                    "a choice that its definition does not have",
                    value,
                ));
            }
            let known = there.contains(value.as_str())
                || label(value).is_some_and(|label| there.contains(label));
            if !there.is_empty() && !known {
                found.push((
                    "choice-not-there",
                    "a choice that the field which is there does not have: it is added, or a loss",
                    value,
                ));
            }
        }
        for (code, message, value) in found {
            self.flag(code, key, message, id, Some(value.clone()));
        }
    }

    fn required(&mut self, entry: &Entry) {
        let owner = owner_word(entry);
        let mut missing = vec![];
        for required in &self.required {
            if *required.kind != entry.head.kind {
                continue;
            }
            let has = entry.head.fields.iter().any(|field| {
                let key = format!("{owner}/{}", field.name);
                required.from.contains(&key.as_str())
            });
            if !has {
                missing.push((required.label, required.from.is_empty()));
            }
        }
        let kind = kinds::name(&entry.head.kind);
        for (label, nothing) in missing {
            let destination = self.question.destination;
            let cause = match nothing {
                true => format!("{label:?} is required at {destination}, and nothing goes into it"),
                false => format!("{label:?} is required at {destination}, and it has no value"),
            };
            self.foresee(
                (kind, label, &cause),
                "make the field optional there until the migration has ended, or send a field into it in [map.fields]",
                false,
                &entry.head.id,
                None,
            );
        }
    }

    fn emails(&mut self, kind: &str, id: &str, addresses: &[Address]) {
        self.several(kind, "addresses", addresses.len(), id);
        for one in addresses {
            if one.channel == AddressChannel::Email && !EmailAddress::is_valid(one.value.trim()) {
                self.foresee(
                    (kind, "addresses.email", "this is no e-mail address"),
                    "mend it in the source, or it is kept beside the record",
                    false,
                    id,
                    Some(one.value.clone()),
                );
            }
        }
    }

    /// Two people who would fall on one, and a customer with an agent's address (rule M-7).
    fn identity(&mut self, id: &str, addresses: &[Address]) {
        let mut own = HashSet::new();
        for one in addresses.iter().filter(|one| !one.shared) {
            if one.channel != AddressChannel::Email {
                continue;
            }
            let email = hash(&address(&one.value));
            if !own.insert(email) {
                continue;
            }
            if self.agents.contains(&email) {
                self.flag(
                    "agent-as-customer",
                    "customer.addresses",
                    "a customer with an agent's address: never made one with the agent",
                    id,
                    Some(one.value.clone()),
                );
            }
            if !self.addresses.insert(email) {
                self.shared.insert(email);
            }
        }
    }

    /// Names who shares an address: what is kept of all the others is a hash.
    async fn people(&mut self, store: &Store, extraction: &str) -> Result<(), Error> {
        if self.shared.is_empty() {
            return Ok(());
        }
        let mut after = String::new();
        let mut by_address: BTreeMap<String, Vec<String>> = BTreeMap::new();
        loop {
            let rows = store
                .rows(
                    "SELECT id, payload FROM staged WHERE extraction = $1 AND kind = 'customer' AND id > $2 ORDER BY id LIMIT $3",
                    vec![extraction.into(), (&after).into(), PAGE.into()],
                )
                .await?;
            for row in &rows {
                after = row.try_get("id")?;
                let entry: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
                let Entity::Customer(customer) = &entry.data else {
                    continue;
                };
                if self.left_out.contains(&hash_of("customer", &after)) {
                    continue;
                }
                for one in customer.addresses.iter().filter(|one| !one.shared) {
                    let email = address(&one.value);
                    if one.channel == AddressChannel::Email && self.shared.contains(&hash(&email)) {
                        let people = by_address.entry(email).or_default();
                        if !people.contains(&after) {
                            people.push(after.clone());
                        }
                    }
                }
            }
            if i64::try_from(rows.len()).is_ok_and(|n| n < PAGE) {
                break;
            }
        }
        for (email, people) in by_address.iter().filter(|(_, people)| people.len() > 1) {
            for person in people {
                self.flag(
                    "same-person",
                    "customer.addresses",
                    "several customers have one address: the first becomes the person there, the others are made without it",
                    person,
                    Some(email.clone()),
                );
            }
        }
        Ok(())
    }

    fn tags(&mut self, kind: &str, id: &str, tags: &[Reference]) {
        self.several(kind, "tags", tags.len(), id);
        for tag in tags {
            *self.seen.tags.entry(tag.id.clone()).or_insert(0) += 1;
        }
    }

    fn conversation(&mut self, id: &str, conversation: &Conversation) {
        let kind = "conversation";
        self.tags(kind, id, &conversation.tags);
        self.several(kind, "assignees", conversation.assignees.len(), id);
        self.several(kind, "teams", conversation.teams.len(), id);
        self.several(kind, "channels", conversation.channels.len(), id);
        let parts = conversation.message_count.unwrap_or(0) + conversation.note_count.unwrap_or(0);
        self.several(
            kind,
            "messages and notes",
            usize::try_from(parts).unwrap_or(usize::MAX),
            id,
        );
        for channel in &conversation.channels {
            self.channel(channel);
        }
        match &conversation.customer {
            None => self.flag(
                "no-customer",
                "conversation.customer",
                "nobody wrote it: the destination's stand-in does",
                id,
                None,
            ),
            Some(customer)
                if self.seen.whole.contains("customer")
                    && !self.customers.contains(&hash(&customer.id)) =>
            {
                self.flag(
                    "customer-gone",
                    "conversation.customer",
                    "its customer is not in the source any more: the destination's stand-in is in the place",
                    id,
                    Some(customer.id.clone()),
                );
            }
            Some(_) => {}
        }
        for group in groups(conversation) {
            let word = kinds::name(&group.kind);
            let known = self.names.contains_key(&(word, group.id.as_str()));
            if matches!(group.kind, Kind::Team | Kind::Brand)
                && self.seen.whole.contains(word)
                && !known
            {
                self.flag(
                    "group-gone",
                    &format!("conversation.{word}"),
                    "a team or brand that is not in the source any more: named on the source card",
                    id,
                    Some(group.id.clone()),
                );
            }
        }
    }

    fn channel(&mut self, channel: &str) {
        if self.seen.channels.len() < FINDINGS || self.seen.channels.contains_key(channel) {
            *self.seen.channels.entry(channel.to_owned()).or_insert(0) += 1;
        }
    }

    fn message(&mut self, id: &str, message: &Message) {
        if let Some(channel) = &message.channel {
            self.channel(channel);
        }
        let blank = |text: &Option<Text>| match text {
            None => true,
            Some(Text::Inline(text)) => text.trim().is_empty(),
            Some(Text::Stored(blob)) => blob.size == 0,
        };
        let files = message.attachment_count.unwrap_or(0);
        self.several(
            "message",
            "files",
            usize::try_from(files).unwrap_or(usize::MAX),
            id,
        );
        let says = !blank(&message.text) || !blank(&message.html) || message.call.is_some();
        if !says && files == 0 && message.reactions.is_empty() {
            self.flag(
                "empty-message",
                "message.text",
                "neither text nor file: a line says so in its place",
                id,
                None,
            );
        }
        if let Some(email) = message
            .sender
            .as_deref()
            .filter(|sender| sender.contains('@') && !sender.contains(['<', ' ']))
            && !EmailAddress::is_valid(email)
        {
            self.flag(
                "sender",
                "message.sender",
                "the sender is no e-mail address",
                id,
                Some(email.to_owned()),
            );
        }
    }

    fn file(&mut self, id: &str, file: &Attachment) {
        let files = &mut self.seen.files;
        files.count += 1;
        match file.size {
            Some(size) => {
                files.bytes += size;
                files.largest = files.largest.max(size);
            }
            None => files.unknown_size += 1,
        }
        let largest = self
            .question
            .survey
            .allowances
            .iter()
            .find(|allowance| allowance.name == super::LARGEST_FILE)
            .and_then(|allowance| allowance.limit);
        if let (Some(size), Some(largest)) = (file.size, largest)
            && size > largest
        {
            let cause = format!(
                "more than the {largest} bytes that {} takes: exported, and named in the thread",
                self.question.destination
            );
            self.flag(
                "file-too-large",
                "attachment.size",
                &cause,
                id,
                Some(size.to_string()),
            );
        }
        match &file.state {
            AttachmentState::External(link) => {
                if let Some(host) = (self.question.foreign_host)(link) {
                    let cause = format!("files at {host} are not fetched: the host is not allowed");
                    let remedy = format!(
                        "add {host:?} to allow_hosts of [connections.{}] before the run",
                        self.question.source
                    );
                    self.foresee(
                        ("attachment", "attachment.state", &cause),
                        &remedy,
                        true,
                        id,
                        None,
                    );
                }
            }
            AttachmentState::Unavailable(why) => self.foresee(
                (
                    "attachment",
                    "attachment.state",
                    &format!("the source does not have it: {why}"),
                ),
                "nothing can be done",
                true,
                id,
                None,
            ),
            AttachmentState::Redacted => self.foresee(
                ("attachment", "attachment.state", "redacted in the source"),
                "nothing can be done",
                true,
                id,
                None,
            ),
            AttachmentState::Available => {}
        }
    }

    /// Channels that the destination has no word of its own for.
    fn odd_channels(&mut self) {
        let config = self.question.config;
        let slot = self
            .question
            .survey
            .slots
            .iter()
            .find(|slot| slot.kind == Kind::Conversation && slot.name == "channel");
        let Some(slot) = slot else {
            return;
        };
        for (channel, records) in &self.seen.channels {
            let mine = config.map.values.get("conversation").is_some_and(|slots| {
                let named = slots.get("channel").and_then(|names| names.get(channel));
                named.is_some_and(|to| !to.is_empty())
            });
            let known = slot.defaults.iter().any(|(from, _)| from == channel);
            if mine || known {
                continue;
            }
            let message = match map_value(config, "conversation", slot, channel) {
                Some(to) => format!("no channel of its own there: arrives as {to:?}"),
                None => "no channel of its own there".to_owned(),
            };
            let sight = Sight {
                records: *records,
                examples: vec![],
            };
            let key = ("channel".to_owned(), channel.clone(), message);
            self.seen.flags.insert(key, sight);
        }
    }

    /// Custom fields of types that few platforms have, and tags that nothing carries.
    fn odd_definitions(&mut self) {
        let tags_known = ["conversation", "customer", "company"]
            .iter()
            .all(|kind| self.seen.whole.contains(*kind));
        for entry in self.question.schema {
            let id = &entry.head.id;
            let (code, subject, message) = match &entry.data {
                Entity::FieldDefinition(field) => match &field.field_type {
                    FieldType::Json => (
                        "field-type",
                        id.clone(),
                        "holds nested values: few platforms have such a field".to_owned(),
                    ),
                    FieldType::Other(word) => (
                        "field-type",
                        id.clone(),
                        format!("is of a type that nobody else has: {word}"),
                    ),
                    _ => continue,
                },
                Entity::Tag(tag)
                    if tags_known
                        && self.seen.tag(id) == 0
                        && !self.question.config.filter.excludes_tag(&tag.name) =>
                {
                    let message = "tags on no record that is taken along: [filter] exclude_tags leaves them out";
                    let key = (
                        "tag-unused".to_owned(),
                        "tags".to_owned(),
                        message.to_owned(),
                    );
                    let name = tag.name.clone();
                    self.seen
                        .flags
                        .entry(key)
                        .or_default()
                        .add(id, || Some(name));
                    continue;
                }
                _ => continue,
            };
            let sight = self.seen.fields.get(id).cloned().unwrap_or_default();
            self.seen
                .flags
                .insert((code.to_owned(), subject, message), sight);
        }
    }

    fn end(mut self) -> Seen {
        self.odd_channels();
        self.odd_definitions();
        let config = self.question.config;
        self.seen.complete = ORDER
            .iter()
            .map(kinds::name)
            // Attachments come along with what they hang on.
            .filter(|kind| *kind != "attachment" && config.filter.wants(kind))
            .all(|kind| self.seen.whole.contains(kind));
        self.seen
    }
}

impl Seen {
    /// How a custom field is used, by `owner/name`.
    #[must_use]
    pub fn field(&self, id: &str) -> Option<&Sight> {
        self.fields.get(id)
    }

    /// Whether a custom field surely is on no record.
    #[must_use]
    pub fn unused(&self, id: &str) -> bool {
        let owner = id.split(['/', ':']).next().unwrap_or_default();
        self.whole.contains(owner) && !self.fields.contains_key(id)
    }

    /// How many records carry a tag, by its id.
    #[must_use]
    pub fn tag(&self, id: &str) -> u64 {
        self.tags.get(id).copied().unwrap_or(0)
    }

    /// Whether everything of a kind is read.
    #[must_use]
    pub fn is_whole(&self, kind: &str) -> bool {
        self.whole.contains(kind)
    }

    /// Records that have something in a field, where that was looked for and is known.
    #[must_use]
    pub fn present(&self, kind: &str, field: &str) -> Option<Sight> {
        if !self.read.contains_key(kind) || path_of(&kinds::parse(kind), field).is_none() {
            return None;
        }
        let key = (kind.to_owned(), field.to_owned());
        Some(self.present.get(&key).cloned().unwrap_or_default())
    }

    /// As a plan shows it. `rule_of` says what happens to a field of a kind by the destination's own words.
    #[must_use]
    pub fn evidence(&self, rule_of: impl Fn(&str, &str) -> Option<String>) -> Evidence {
        let mut foreseen: Vec<Foreseen> = self
            .foreseen
            .iter()
            .map(|((kind, field, cause, remedy, sure), sight)| Foreseen {
                kind: kind.clone(),
                field: field.clone(),
                cause: cause.clone(),
                remedy: remedy.clone(),
                sure: *sure,
                records: sight.records,
                examples: sight.examples.clone(),
            })
            .collect();
        foreseen.sort_by_key(|one| (!one.sure, std::cmp::Reverse(one.records)));
        let mut flags: Vec<Flag> = self
            .flags
            .iter()
            .map(|((code, subject, message), sight)| Flag {
                code: code.clone(),
                subject: subject.clone(),
                message: message.clone(),
                records: sight.records,
                examples: sight.examples.clone(),
            })
            .collect();
        flags.sort_by_key(|flag| std::cmp::Reverse(flag.records));
        let most = self
            .most
            .iter()
            .filter(|(_, (most, _, _))| *most > 1)
            .map(|((kind, what), (most, id, several))| Most {
                kind: kind.clone(),
                what: what.clone(),
                most: *most,
                id: id.clone(),
                several: *several,
                rule: rule_of(kind, what),
            })
            .collect();
        Evidence {
            read: self.read.clone(),
            complete: self.complete,
            foreseen,
            flags,
            most,
            files: self.files.clone(),
            channels: self.channels.clone(),
        }
    }
}

/// The way to a field in the stored form of a record, by its name in the contract: `conversation.snooze-until`, `created-at`.
/// `None` for what stands for several (`*`) and for custom fields.
fn path_of(kind: &Kind, field: &str) -> Option<Vec<String>> {
    let word = kinds::name(kind);
    let field = field
        .strip_prefix(word)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(field);
    if field.is_empty() || field.contains('*') || field == "fields" || field.starts_with("fields.")
    {
        return None;
    }
    Some(
        field
            .split('.')
            .map(|part| part.replace('-', "_"))
            .collect(),
    )
}

/// What a record has at a path, if it is anything.
fn held<'v>(record: &'v Json, path: &[String]) -> Option<&'v Json> {
    let data = record.get("data")?.as_object()?.values().next()?;
    [Some(data), record.get("head")]
        .into_iter()
        .flatten()
        .find_map(|from| walk(from, path))
}

fn walk<'v>(value: &'v Json, path: &[String]) -> Option<&'v Json> {
    let Some((first, rest)) = path.split_first() else {
        return is_something(value).then_some(value);
    };
    match value {
        Json::Array(all) => all.iter().find_map(|one| walk(one, path)),
        _ => walk(value.get(first)?, rest),
    }
}

fn is_something(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::String(text) => !text.is_empty(),
        Json::Array(all) => !all.is_empty(),
        Json::Object(members) => members.values().any(is_something),
        Json::Bool(true) | Json::Number(_) => true,
    }
}

/// A value of a record as an example shows it.
fn in_words(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(_) | Json::Bool(_) => value.to_string(),
        Json::Array(all) => match all.len() {
            1 => all.iter().map(in_words).collect(),
            n => format!("{n} of them"),
        },
        Json::Object(members) => {
            let named = ["name", "value", "id", "score"]
                .iter()
                .find_map(|key| members.get(*key).filter(|v| is_something(v)));
            match (named, members.len()) {
                (Some(named), _) => in_words(named),
                (None, 1) => members.values().map(in_words).collect(),
                (None, _) => members
                    .iter()
                    .filter(|(_, value)| is_something(value))
                    .map(|(name, value)| format!("{} {}", name.replace('_', "-"), in_words(value)))
                    .collect::<Vec<_>>()
                    .join(", "),
            }
        }
        Json::Null => String::new(),
    }
}

fn value_words(value: &Value) -> String {
    match value {
        Value::Text(text)
        | Value::Decimal(text)
        | Value::Date(text)
        | Value::Choice(text)
        | Value::Link(text)
        | Value::Json(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Moment(moment) => moment.at.to_string(),
        Value::Choices(all) | Value::Path(all) => all.join(", "),
        Value::Reference(reference) => reference.id.clone(),
        Value::References(all) => format!("{} of them", all.len()),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
