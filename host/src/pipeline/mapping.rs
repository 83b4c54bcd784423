//! What the source's words become at the destination: the values of its settings, and which of them have no place there.
//!
//! Policy: the user's `[map]` goes first, then the connector's own proposal, then its fallback; a value that none of them
//! knows is an error of the plan, not a surprise of the run (rule M-2). Values are looked for in what is staged, page by
//! page: nothing of a record is kept but the value and how often it was met, so that a plan costs the same memory however
//! much was read. What is not read yet cannot be known, and the plan says so.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::Row as _;

use super::assemble::{canonical_value, left_out, map_value};
use super::model::{Notice, PlanAgent, PlanCustomField, PlanValueMap, Severity};
use crate::config::{Config, FieldTarget, MapProposal, ProposedField, ProposedValue};
use crate::contract::destination::{Slot, TargetAgent, TargetField};
use crate::contract::types::{
    Agent, AgentState, ChoiceOption, Entity, Entry, FieldDefinition, FieldType, Kind,
};
use crate::error::Error;
use crate::kinds;
use crate::store::Store;

/// Records looked at in one go.
const PAGE: i64 = 500;
/// Choices that a sentence of the plan names.
const CHOICES_NAMED: usize = 20;

/// What was met in the staged records of the kinds that have settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Met {
    /// How often each value was met, by kind and setting.
    values: BTreeMap<(String, String), BTreeMap<String, u64>>,
    /// Kinds of which records are there.
    read: BTreeSet<String>,
}

/// Whether a value of this setting can end up without a place.
fn can_lack(config: &Config, slot: &Slot) -> bool {
    slot.fallback.is_none()
        && config
            .map
            .value(kinds::name(&slot.kind), &slot.name, "*")
            .is_none()
}

/// Looks through the staged records for the values of these settings. What a rule leaves out needs no value, and what hangs
/// on another record is written inside it.
///
/// # Errors
/// A store error.
pub async fn met(
    store: &Store,
    extraction: &str,
    config: &Config,
    slots: &[Slot],
) -> Result<Met, Error> {
    let mut met = Met::default();
    let mut by_kind: BTreeMap<&str, Vec<&Slot>> = BTreeMap::new();
    for slot in slots.iter().filter(|slot| can_lack(config, slot)) {
        by_kind
            .entry(kinds::name(&slot.kind))
            .or_default()
            .push(slot);
    }
    for (kind, slots) in by_kind {
        let mut after = String::new();
        loop {
            let rows = store
                .rows(
                    "SELECT id, payload FROM staged WHERE extraction = $1 AND kind = $2 AND id > $3 AND parent IS NULL \
                     ORDER BY id LIMIT $4",
                    vec![
                        extraction.into(),
                        kind.into(),
                        (&after).into(),
                        PAGE.into(),
                    ],
                )
                .await?;
            for row in &rows {
                after = row.try_get("id")?;
                let entry: Entry = serde_json::from_str(&row.try_get::<String, _>("payload")?)?;
                met.look_at(config, kind, &slots, &entry);
            }
            if i64::try_from(rows.len()).is_ok_and(|n| n < PAGE) {
                break;
            }
        }
    }
    Ok(met)
}

impl Met {
    fn look_at(&mut self, config: &Config, kind: &str, slots: &[&Slot], entry: &Entry) {
        self.read.insert(kind.to_owned());
        if left_out(config, entry).is_some() {
            return;
        }
        for slot in slots {
            if let Some(value) = canonical_value(entry, &slot.name) {
                let key = (kind.to_owned(), slot.name.clone());
                *self
                    .values
                    .entry(key)
                    .or_default()
                    .entry(value)
                    .or_insert(0) += 1;
            }
        }
    }

    /// Values of a setting that were met and have no place, with how often.
    fn unmapped<'a>(
        &'a self,
        config: &'a Config,
        slot: &'a Slot,
    ) -> impl Iterator<Item = (&'a str, u64)> {
        let kind = kinds::name(&slot.kind);
        self.values
            .get(&(kind.to_owned(), slot.name.clone()))
            .into_iter()
            .flatten()
            .filter(move |(value, _)| map_value(config, kind, slot, value).is_none())
            .map(|(value, n)| (value.as_str(), *n))
    }
}

/// The value maps of a plan, and what is wrong with them, in sentences.
#[must_use]
pub fn values(
    config: &Config,
    slots: &[Slot],
    met: &Met,
    destination: &str,
) -> (Vec<PlanValueMap>, Vec<String>) {
    let mut errors = vec![];
    let maps = slots
        .iter()
        .map(|slot| {
            let kind = kinds::name(&slot.kind);
            let table = format!("{kind}.{}", slot.name);
            let mut values: BTreeMap<String, String> = slot.defaults.iter().cloned().collect();
            for (from, to) in &mut values {
                if let Some(mapped) = map_value(config, kind, slot, from) {
                    *to = mapped;
                }
            }
            let own = config.map.values.get(kind).and_then(|s| s.get(&slot.name));
            // An empty value is a question that the user has not answered.
            for (from, to) in own.into_iter().flatten().filter(|(_, to)| !to.is_empty()) {
                values.insert(from.clone(), to.clone());
                let allowed = slot.values.is_empty()
                    || slot.values.iter().any(|option| option.value == *to);
                if !allowed {
                    errors.push(format!(
                        "[map.{table}] maps {from:?} to {to:?}, which {destination} does not have; it has {}",
                        choices(slot)
                    ));
                }
            }
            let mut unmapped = vec![];
            for (value, records) in met.unmapped(config, slot) {
                errors.push(format!(
                    "{table} {value:?} ({records} records) has no value at {destination}: give it one in [map.{table}], or give \
                     \"*\" one, which is for values not named{}",
                    match slot.values.is_empty() {
                        true => String::new(),
                        false => format!("; there are {}", choices(slot)),
                    }
                ));
                unmapped.push(value.to_owned());
            }
            PlanValueMap {
                slot: table,
                values,
                unmapped,
            }
        })
        .collect();
    (maps, errors)
}

fn choices(slot: &Slot) -> String {
    slot.values
        .iter()
        .map(|option| option.value.as_str())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Settings whose values nobody has seen yet, because their records are not read.
#[must_use]
pub fn not_read(config: &Config, slots: &[Slot], met: &Met) -> Option<Notice> {
    let open: Vec<String> = slots
        .iter()
        .filter(|slot| can_lack(config, slot))
        .filter(|slot| config.filter.wants(kinds::name(&slot.kind)))
        .filter(|slot| !met.read.contains(kinds::name(&slot.kind)))
        .map(|slot| format!("{}.{}", kinds::name(&slot.kind), slot.name))
        .collect();
    (!open.is_empty()).then(|| Notice {
        from: "plan".into(),
        code: "values-not-read".into(),
        severity: Severity::Info,
        message: format!(
            "no record is read yet that has {}: a value without a place will show when it is written, and reject its record",
            open.join(", ")
        ),
        remedy: Some("give \"*\" a value in [map] for values that nobody names".into()),
    })
}

/// What a plan says of custom fields.
#[derive(Debug, Default)]
pub struct Fields {
    /// Each with what becomes of it.
    pub plan: Vec<PlanCustomField>,
    /// What cannot be.
    pub errors: Vec<String>,
    /// What somebody should look at.
    pub notices: Vec<Notice>,
}

/// Where the custom fields go that the source defines.
#[must_use]
pub fn fields(
    config: &Config,
    schema: &[Entry],
    there: &[TargetField],
    destination: &str,
) -> Fields {
    let mut all = Fields::default();
    let mut known = BTreeSet::new();
    for entry in schema {
        let Entity::FieldDefinition(field) = &entry.data else {
            continue;
        };
        let id = &entry.head.id;
        known.insert(id.as_str());
        let (target, confidence) = match becomes(config, id, field, there) {
            Becomes::LeftOut => ("left out".to_owned(), None),
            Becomes::Made => ("made".to_owned(), None),
            Becomes::Nothing(name) => {
                all.errors.push(format!(
                    "[map.fields] sends {id:?} into {name:?}, which {destination} does not have: name a field that is there, or \
                     write true to make one"
                ));
                (name.to_owned(), None)
            }
            Becomes::Existing(found, sure) => {
                all.notices.extend(doubts(id, field, found, destination));
                (found.label.clone(), sure.map(|sure| sure.confidence))
            }
        };
        all.plan.push(PlanCustomField {
            field: id.clone(),
            field_type: type_word(&field.field_type).to_owned(),
            target,
            confidence,
        });
    }
    for id in config
        .map
        .fields
        .keys()
        .filter(|id| !known.contains(id.as_str()))
    {
        all.notices.push(caution(
            "unknown-field",
            format!("[map.fields] names {id:?}, which the source does not define"),
            "correct its name or take it out".into(),
        ));
    }
    all
}

fn caution(code: &str, message: String, remedy: String) -> Notice {
    Notice {
        from: "plan".into(),
        code: code.into(),
        severity: Severity::Caution,
        message,
        remedy: Some(remedy),
    }
}

/// What can go wrong with a field that goes into one that is there.
fn doubts(
    id: &str,
    field: &FieldDefinition,
    found: &TargetField,
    destination: &str,
) -> Option<Notice> {
    let label = &found.label;
    if !fits(&field.field_type, &found.field_type) {
        return Some(caution(
            "field-type",
            format!(
                "{id:?} is a {}, {label:?} at {destination} is a {}: what does not fit is listed as a loss",
                type_word(&field.field_type),
                type_word(&found.field_type)
            ),
            "name another field in [map.fields], or write true to make one".into(),
        ));
    }
    if !found.options.is_empty() {
        let lacking = lacking(field, found);
        let named = lacking.iter().take(CHOICES_NAMED).cloned();
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match lacking.len() > CHOICES_NAMED {
            true => " …",
            false => "",
        };
        return (!lacking.is_empty()).then(|| {
            caution(
                "field-choices",
                format!(
                    "{id:?} goes into {label:?} at {destination}, which does not have {} of its choices: \
                     {named}{more}; one that cannot be added there is listed as a loss",
                    lacking.len()
                ),
                format!(
                    "add them to {label:?}, or write true in [map.fields] to make a field of its own"
                ),
            )
        });
    }
    let choices = field.options.iter().filter(|option| option.active).count();
    let chosen = matches!(found.field_type, FieldType::Choice | FieldType::Choices);
    (chosen && choices > 0).then(|| {
        caution(
            "field-choices",
            format!(
                "{id:?} has {choices} choices and goes into {label:?} at {destination}, whose choices are not known before: one \
                 that can neither be found nor added there is listed as a loss"
            ),
            format!("compare them with those of {label:?}"),
        )
    })
}

/// The choices of a field, by their labels, that one that is there does not have under their value or their label. One that can
/// no longer be chosen may still be in records.
fn lacking(field: &FieldDefinition, found: &TargetField) -> Vec<String> {
    let there: HashSet<&str> = found
        .options
        .iter()
        .flat_map(|option| [option.value.as_str(), option.label.as_str()])
        .collect();
    let lacks = |option: &&ChoiceOption| {
        ![&option.value, &option.label]
            .into_iter()
            .any(|word| there.contains(word.as_str()))
    };
    let shown = |option: &ChoiceOption| match option.label.as_str() {
        "" => format!("{:?}", option.value),
        label => format!("{label:?}"),
    };
    field.options.iter().filter(lacks).map(shown).collect()
}

/// What becomes of a custom field.
#[derive(Debug, PartialEq)]
pub enum Becomes<'a> {
    /// The user does not want it.
    LeftOut,
    /// The connector makes it.
    Made,
    /// It goes into a field that is there; by whose word, if not the user's.
    Existing(&'a TargetField, Option<Sure>),
    /// The user names a field that is not there.
    Nothing(&'a str),
}

/// How sure a match is, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sure {
    /// From 0 to 1.
    pub confidence: f64,
    /// In words.
    pub reason: &'static str,
}

const SAME: Sure = Sure {
    confidence: 1.0,
    reason: "the same name",
};
const ALIKE: Sure = Sure {
    confidence: 0.9,
    reason: "the same name but for case, blanks and signs",
};

/// Decides for plan and run alike: the user's word, then a field of the same name that can hold the values.
#[must_use]
pub fn becomes<'a>(
    config: &'a Config,
    id: &str,
    field: &FieldDefinition,
    there: &'a [TargetField],
) -> Becomes<'a> {
    match config.map.fields.get(id) {
        Some(FieldTarget::Make(false)) => Becomes::LeftOut,
        Some(FieldTarget::Make(true)) => Becomes::Made,
        Some(FieldTarget::Existing(name)) => {
            // The user's word also reaches an object type that goes by another name there.
            let mut named = there.iter().filter(|target| {
                target.kind == field.owner.kind
                    && [&target.name, &target.label, &target.address].contains(&name)
            });
            let first = named.clone().next();
            match named.find(|target| same_owner(field, target)).or(first) {
                Some(target) => Becomes::Existing(target, None),
                None => Becomes::Nothing(name),
            }
        }
        None => match alike(field, there) {
            Some((target, sure)) if fits(&field.field_type, &target.field_type) => {
                Becomes::Existing(target, Some(sure))
            }
            _ => Becomes::Made,
        },
    }
}

/// The field of the same name, or the only one of a like name.
fn alike<'a>(field: &FieldDefinition, there: &'a [TargetField]) -> Option<(&'a TargetField, Sure)> {
    let mut here = there.iter().filter(|target| same_owner(field, target));
    let same = here
        .clone()
        .find(|target| target.name == field.name || target.label == field.label);
    if let Some(target) = same {
        return Some((target, SAME));
    }
    let names = [plain(&field.name), plain(&field.label)];
    let mut like = here.by_ref().filter(|target| {
        [&target.name, &target.label]
            .into_iter()
            .map(|name| plain(name))
            .any(|name| !name.is_empty() && names.contains(&name))
    });
    match (like.next(), like.next()) {
        (Some(target), None) => Some((target, ALIKE)),
        _ => None,
    }
}

/// Whether both sit on records of one kind; of custom objects, of one type.
fn same_owner(field: &FieldDefinition, target: &TargetField) -> bool {
    let object = |name: &Option<String>| plain(name.as_deref().unwrap_or_default());
    target.kind == field.owner.kind
        && (target.kind != Kind::CustomObject
            || object(&target.object_type) == object(&field.owner.object_type))
}

/// A name without case, blanks and signs.
fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether both hold the same values. Whether a value of one type can be made one of another is the connector's to say, and one
/// that cannot would reject the whole field.
fn fits(from: &FieldType, to: &FieldType) -> bool {
    match (from, to) {
        // An object type goes by another name there.
        (FieldType::Reference(a), FieldType::Reference(b)) => {
            a.kind == b.kind && a.multi == b.multi
        }
        (a, b) => a == b,
    }
}

fn type_word(field_type: &FieldType) -> &str {
    match field_type {
        FieldType::Text => "text",
        FieldType::LongText => "long text",
        FieldType::Integer => "integer",
        FieldType::Decimal => "decimal",
        FieldType::Boolean => "yes/no",
        FieldType::Date => "date",
        FieldType::Moment => "time",
        FieldType::Choice => "choice",
        FieldType::Choices => "choices",
        FieldType::Tree => "tree",
        FieldType::Link => "link",
        FieldType::Json => "JSON",
        FieldType::Reference(_) => "reference",
        FieldType::Other(word) => word,
    }
}

/// What a plan says of agents.
#[derive(Debug, Default)]
pub struct Agents {
    /// Each with who they are there.
    pub plan: Vec<PlanAgent>,
    /// Pairs that cannot be.
    pub errors: Vec<String>,
    /// Pairs that nobody needs.
    pub notices: Vec<Notice>,
}

/// Who the source's agents are at the destination.
#[must_use]
pub fn agents(
    config: &Config,
    schema: &[Entry],
    there: &[TargetAgent],
    destination: &str,
) -> Agents {
    let mut all = Agents::default();
    let mut used = BTreeSet::new();
    for entry in schema {
        let Entity::Agent(agent) = &entry.data else {
            continue;
        };
        let pair = pair(config, &entry.head.id, agent);
        let target = match pair {
            Some((own, wanted)) => {
                used.insert(own);
                let target = agent_called(wanted, there);
                if target.is_none() {
                    all.errors.push(format!(
                        "[people.agents] makes {own:?} {wanted:?}, who is no agent of {destination}: name one by e-mail address or id"
                    ));
                }
                target
            }
            None => agent
                .email
                .as_ref()
                .and_then(|email| agent_called(email, there)),
        };
        all.plan.push(PlanAgent {
            id: entry.head.id.clone(),
            name: agent.name.clone(),
            state: match agent.state {
                AgentState::Active => "active",
                AgentState::Deactivated => "deactivated",
                AgentState::Pending => "pending",
            }
            .into(),
            target: target.map(|target| target.name.clone()),
        });
    }
    for own in config
        .people
        .agents
        .keys()
        .filter(|own| !used.contains(own.as_str()))
    {
        all.notices.push(caution(
            "unknown-agent",
            format!("[people.agents] names {own:?}, who is no agent of the source"),
            "correct the address or id, or take it out".into(),
        ));
    }
    all
}

/// The pair that the user made of an agent of the source, by address or id.
fn pair<'a>(config: &'a Config, id: &str, agent: &Agent) -> Option<(&'a str, &'a str)> {
    let is_meant = |own: &str| {
        own == id
            || agent
                .email
                .as_deref()
                .is_some_and(|email| same_address(email, own))
    };
    config
        .people
        .agents
        .iter()
        .map(|(own, wanted)| (own.as_str(), wanted.as_str()))
        .find(|(own, _)| is_meant(own))
}

/// The destination's agent whom the user made one of the source's, if the user did.
#[must_use]
pub fn paired<'a>(
    config: &Config,
    entry: &Entry,
    there: &'a [TargetAgent],
) -> Option<&'a TargetAgent> {
    let Entity::Agent(agent) = &entry.data else {
        return None;
    };
    let (_, wanted) = pair(config, &entry.head.id, agent)?;
    agent_called(wanted, there)
}

fn agent_called<'a>(wanted: &str, there: &'a [TargetAgent]) -> Option<&'a TargetAgent> {
    there.iter().find(|target| {
        target.id == wanted
            || target
                .email
                .as_deref()
                .is_some_and(|email| same_address(email, wanted))
    })
}

fn same_address(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// What `[map]` does not say yet: what would count anyway, and a question for each value that has no place. Written into the
/// file it changes nothing of what a run does, but that somebody can read and change it.
#[must_use]
pub fn proposal(
    config: &Config,
    schema: &[Entry],
    slots: &[Slot],
    there: &[TargetField],
    met: &Met,
    destination: &str,
) -> MapProposal {
    let mut proposal = MapProposal::default();
    for slot in slots {
        proposal
            .values
            .extend(for_slot(config, slot, met, destination));
    }
    for entry in schema {
        let Entity::FieldDefinition(field) = &entry.data else {
            continue;
        };
        let id = &entry.head.id;
        if config.map.fields.contains_key(id) {
            continue;
        }
        let (target, comment) = match becomes(config, id, field, there) {
            Becomes::Existing(found, Some(sure)) => (
                FieldTarget::Existing(found.name.clone()),
                sure.words(&found.label),
            ),
            _ => (
                FieldTarget::Make(true),
                match alike(field, there) {
                    Some((found, _)) => format!(
                        "made: {:?} at {destination} is a {}, this is a {}",
                        found.label,
                        type_word(&found.field_type),
                        type_word(&field.field_type)
                    ),
                    None => format!("made: {destination} has nothing of this name"),
                },
            ),
        };
        proposal.fields.push(ProposedField {
            field: id.clone(),
            target,
            comment: Some(comment),
        });
    }
    proposal
}

/// Proposals for one setting. Where the user has a word for all values that are not named, nothing is missing.
fn for_slot(config: &Config, slot: &Slot, met: &Met, destination: &str) -> Vec<ProposedValue> {
    let kind = kinds::name(&slot.kind);
    if config.map.value(kind, &slot.name, "*").is_some() {
        return vec![];
    }
    let own = config.map.values.get(kind).and_then(|s| s.get(&slot.name));
    let propose = |value: &str, target: Option<&str>, comment: String| {
        let named = own.is_some_and(|own| own.contains_key(value));
        (!named).then(|| ProposedValue {
            kind: kind.to_owned(),
            slot: slot.name.clone(),
            value: value.to_owned(),
            target: target.map(str::to_owned),
            comment: Some(comment),
        })
    };
    let mut all = vec![];
    for (from, to) in &slot.defaults {
        let comment = match plain(from) == plain(to) {
            true => SAME.words(to),
            false => format!("proposed by the connector of {destination}"),
        };
        all.extend(propose(from, Some(to), comment));
    }
    for (value, records) in met.unmapped(config, slot) {
        let (target, comment) = match option_like(slot, value) {
            Some((option, sure)) => (Some(option), sure.words(option)),
            None => (
                None,
                format!("on {records} records; choose one of: {}", choices(slot)),
            ),
        };
        all.extend(propose(value, target, comment));
    }
    if let Some(fallback) = &slot.fallback {
        let comment = format!("for values not named, by the connector of {destination}");
        all.extend(propose("*", Some(fallback), comment));
    }
    all
}

/// The option that goes by a value's name.
fn option_like<'a>(slot: &'a Slot, value: &str) -> Option<(&'a str, Sure)> {
    let word = value.strip_prefix("other:").unwrap_or(value);
    let same = |option: &&crate::contract::destination::SlotOption| {
        option.value == word || option.label == word
    };
    let like = |option: &&crate::contract::destination::SlotOption| {
        let word = plain(word);
        !word.is_empty() && [plain(&option.value), plain(&option.label)].contains(&word)
    };
    let mut alike = slot.values.iter().filter(like);
    match (slot.values.iter().find(same), alike.next(), alike.next()) {
        (Some(option), ..) => Some((&option.value, SAME)),
        (None, Some(option), None) => Some((&option.value, ALIKE)),
        _ => None,
    }
}

impl Sure {
    /// As it stands in a comment.
    fn words(self, target: &str) -> String {
        format!(
            "{:.0} % sure: {} as {target:?}",
            self.confidence * 100.0,
            self.reason
        )
    }
}

#[cfg(test)]
mod tests;
