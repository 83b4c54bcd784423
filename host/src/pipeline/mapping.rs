//! What the source's words become at the destination: the values of its settings, and which of them have no place there.
//!
//! Policy: the user's word goes first, then what surely is the same (by name, but for case, blanks and signs; by address), then
//! the connector's own proposal, then its fallback; plan and run decide alike. What is only likely is never done unasked: it is
//! proposed with how sure it is and why. A value that was met and has no place is an error of the plan, not a surprise of the run
//! (rule M-2).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::assemble::{canonical_value, left_out, map_value};
use super::evidence::Seen;
use super::model::{
    Guess, Notice, PlanAgent, PlanCustomField, PlanName, PlanValueMap, Reason, Severity,
};
use super::similar::{ALIKE, Name, SAME, Sure, WORTH_A_LOOK, holds, percent, plain, same_type};
use crate::config::{
    Config, FieldTarget, MapProposal, NAMES, ProposedAgent, ProposedField, ProposedValue,
};
use crate::contract::destination::{Slot, SlotOption, TargetAgent, TargetField};
use crate::contract::types::{
    Agent, AgentState, ChoiceOption, Entity, Entry, FieldDefinition, FieldType, Kind,
};
use crate::kinds;

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

/// The settings among the slots: the others list what is there by name.
fn settings(slots: &[Slot]) -> impl Iterator<Item = &Slot> {
    slots.iter().filter(|slot| slot.name != NAMES)
}

/// The settings of which a value can end up without a place.
pub(super) fn open_settings<'a>(
    config: &'a Config,
    slots: &'a [Slot],
) -> impl Iterator<Item = &'a Slot> {
    settings(slots).filter(|slot| can_lack(config, slot))
}

/// Whether a value of this setting can end up without a place.
fn can_lack(config: &Config, slot: &Slot) -> bool {
    slot.fallback.is_none()
        && config
            .map
            .value(kinds::name(&slot.kind), &slot.name, "*")
            .is_none()
}

impl Met {
    /// Takes a record of these settings' kind into account.
    pub(super) fn look_at(&mut self, config: &Config, kind: &str, slots: &[&Slot], entry: &Entry) {
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

    /// How often a value was met.
    fn count(&self, kind: &str, slot: &str, value: &str) -> u64 {
        self.values
            .get(&(kind.to_owned(), slot.to_owned()))
            .and_then(|values| values.get(value))
            .copied()
            .unwrap_or(0)
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
    let maps = settings(slots)
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
            let reasons = values
                .iter()
                .map(|(from, to)| {
                    let said = own.and_then(|own| own.get(from)).is_some_and(|to| !to.is_empty());
                    let proposed = slot.defaults.iter().any(|default| default == &(from.clone(), to.clone()));
                    let mine = said && !proposed;
                    let sure = Name::new(from).like(&Name::new(to));
                    let (confidence, words) = match sure.filter(|sure| sure.confidence >= ALIKE.confidence) {
                        Some(sure) => (Some(sure.confidence), sure.reason.to_owned()),
                        None if mine => (None, "in [map]".to_owned()),
                        None => (None, format!("proposed by the connector of {destination}")),
                    };
                    let records = met.count(kind, &slot.name, from);
                    let reason = Reason { confidence, words, records };
                    (from.clone(), reason)
                })
                .collect();
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
                reasons,
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
    let open: Vec<String> = open_settings(config, slots)
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
    seen: &Seen,
    destination: &str,
) -> Fields {
    let mut all = Fields::default();
    let mut known = BTreeSet::new();
    let there = &Targets::new(there);
    let guesses = Free::new(config, schema, there);
    for entry in schema {
        let Entity::FieldDefinition(field) = &entry.data else {
            continue;
        };
        let id = &entry.head.id;
        known.insert(id.as_str());
        let mut perhaps = None;
        let (target, confidence, reason) = match there.becomes(config, id, field) {
            Becomes::LeftOut => ("left out".to_owned(), None, "in [map]".to_owned()),
            Becomes::Made => {
                let mine = config.map.fields.get(id) == Some(&FieldTarget::Make(true));
                let guess = guesses.guess(field);
                let decided = mine && guess.is_some();
                let reason = match guess.filter(|_| !mine) {
                    Some((found, sure)) => {
                        perhaps = Some(Guess {
                            target: found.label.clone(),
                            confidence: sure.confidence,
                            reason: guess_words(field, found, sure),
                        });
                        format!("nothing at {destination} surely is the same")
                    }
                    None if decided => "in [map]".to_owned(),
                    None => why_made(field, there, destination),
                };
                ("made".to_owned(), None, reason)
            }
            Becomes::Nothing(name) => {
                all.errors.push(format!(
                    "[map.fields] sends {id:?} into {name:?}, which {destination} does not have: name a field that is there, or \
                     write true to make one"
                ));
                (name.to_owned(), None, "in [map]".to_owned())
            }
            Becomes::Existing(found, sure) => {
                all.notices.extend(doubts(id, field, found, destination));
                // What a plan wrote into the map is as sure as when it was proposed.
                let proposed = || there.alike(field).filter(|(target, _)| *target == found);
                let sure = sure.or_else(|| proposed().map(|(_, sure)| sure));
                let reason = sure.map_or("in [map]", |sure| sure.reason);
                (
                    found.label.clone(),
                    sure.map(|sure| sure.confidence),
                    reason.to_owned(),
                )
            }
        };
        all.plan.push(PlanCustomField {
            field: id.clone(),
            field_type: type_word(&field.field_type).to_owned(),
            target,
            confidence,
            reason,
            perhaps,
            records: seen.field(id).map_or(0, |used| used.records),
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
    if !same_type(&field.field_type, &found.field_type) {
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

/// The custom fields that are there, with their names taken apart once.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    all: Vec<(TargetField, [Name; 2])>,
}

impl Targets {
    /// Takes the names of these apart.
    #[must_use]
    pub fn new(there: &[TargetField]) -> Self {
        let names = |target: &TargetField| [&target.name, &target.label].map(|n| Name::new(n));
        Self {
            all: there.iter().map(|t| (t.clone(), names(t))).collect(),
        }
    }

    /// Decides for plan and run alike: the user's word, then a field of the same name that can hold the values.
    #[must_use]
    pub fn becomes<'a>(
        &'a self,
        config: &'a Config,
        id: &str,
        field: &FieldDefinition,
    ) -> Becomes<'a> {
        match config.map.fields.get(id) {
            Some(FieldTarget::Make(false)) => Becomes::LeftOut,
            Some(FieldTarget::Make(true)) => Becomes::Made,
            Some(FieldTarget::Existing(name)) if !name.is_empty() => {
                // The user's word also reaches an object type that goes by another name there.
                let mut named = self.all.iter().map(|(target, _)| target).filter(|target| {
                    target.kind == field.owner.kind
                        && [&target.name, &target.label, &target.address].contains(&name)
                });
                let first = named.clone().next();
                match named.find(|target| same_owner(field, target)).or(first) {
                    Some(target) => Becomes::Existing(target, None),
                    None => Becomes::Nothing(name),
                }
            }
            // An empty name is a question that nobody has answered.
            Some(FieldTarget::Existing(_)) | None => match self.alike(field) {
                Some((target, sure)) if same_type(&field.field_type, &target.field_type) => {
                    Becomes::Existing(target, Some(sure))
                }
                _ => Becomes::Made,
            },
        }
    }

    /// The field of the same name, or the only one of a like name.
    fn alike(&self, field: &FieldDefinition) -> Option<(&TargetField, Sure)> {
        let own = [&field.name, &field.label].map(|name| Name::new(name));
        let mut here = self
            .all
            .iter()
            .filter(|(target, _)| same_owner(field, target));
        let same = here
            .clone()
            .find(|(target, _)| target.name == field.name || target.label == field.label);
        if let Some((target, _)) = same {
            return Some((target, SAME));
        }
        let is_like = |names: &[Name; 2]| {
            names
                .iter()
                .any(|name| own.iter().any(|own| own.is_plainly(name)))
        };
        let mut like = here.by_ref().filter(|(_, names)| is_like(names));
        match (like.next(), like.next()) {
            (Some((target, _)), None) => Some((target, ALIKE)),
            _ => None,
        }
    }
}

/// Whether both sit on records of one kind; of custom objects, of one type.
fn same_owner(field: &FieldDefinition, target: &TargetField) -> bool {
    let object = |name: &Option<String>| plain(name.as_deref().unwrap_or_default());
    target.kind == field.owner.kind
        && (target.kind != Kind::CustomObject
            || object(&target.object_type) == object(&field.owner.object_type))
}

/// Fields that are there and that no field of the source surely is.
struct Free<'a> {
    all: Vec<(&'a TargetField, &'a [Name; 2])>,
}

impl<'a> Free<'a> {
    fn new(config: &'a Config, schema: &[Entry], there: &'a Targets) -> Self {
        let taken: HashSet<(&str, &str)> = schema
            .iter()
            .filter_map(|entry| match &entry.data {
                Entity::FieldDefinition(field) => {
                    match there.becomes(config, &entry.head.id, field) {
                        Becomes::Existing(target, _) => {
                            Some((kinds::name(&target.kind), target.address.as_str()))
                        }
                        _ => None,
                    }
                }
                _ => None,
            })
            .collect();
        let is_free = |target: &TargetField| {
            !taken.contains(&(kinds::name(&target.kind), target.address.as_str()))
        };
        let all = there.all.iter().map(|(target, names)| (target, names));
        Self {
            all: all.filter(|(target, _)| is_free(target)).collect(),
        }
    }

    /// The field that this one is most likely to be, where that is worth a look: by its name, and by whether its type holds the
    /// values.
    fn guess(&self, field: &FieldDefinition) -> Option<(&'a TargetField, Sure)> {
        let own = [&field.name, &field.label].map(|name| Name::new(name));
        let mut best: Option<(&TargetField, Sure)> = None;
        for (target, names) in &self.all {
            if !same_owner(field, target) {
                continue;
            }
            let Some(share) = holds(&field.field_type, &target.field_type) else {
                continue;
            };
            let sure = own
                .iter()
                .flat_map(|own| names.iter().filter_map(|name| own.like(name)))
                .max_by(|a, b| a.confidence.total_cmp(&b.confidence));
            let Some(sure) = sure.map(|sure| sure.times(share)) else {
                continue;
            };
            if sure.confidence >= WORTH_A_LOOK
                && best.is_none_or(|(_, than)| sure.confidence > than.confidence)
            {
                best = Some((target, sure));
            }
        }
        best
    }
}

/// Why a guess is one.
fn guess_words(field: &FieldDefinition, found: &TargetField, sure: Sure) -> String {
    match same_type(&field.field_type, &found.field_type) {
        true => sure.reason.to_owned(),
        false => format!(
            "{}; a {} into a {}",
            sure.reason,
            type_word(&field.field_type),
            type_word(&found.field_type)
        ),
    }
}

/// Why nothing that is there will do.
fn why_made(field: &FieldDefinition, there: &Targets, destination: &str) -> String {
    match there.alike(field) {
        Some((found, _)) => format!(
            "{:?} at {destination} is a {}, this is a {}",
            found.label,
            type_word(&found.field_type),
            type_word(&field.field_type)
        ),
        None => format!("{destination} has nothing of this name"),
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
    let names: Vec<(&TargetAgent, Name)> = there
        .iter()
        .map(|target| (target, Name::new(&target.name)))
        .collect();
    for entry in schema {
        let Entity::Agent(agent) = &entry.data else {
            continue;
        };
        used.extend(meant(config, &entry.head.id, agent).map(|(own, _)| own));
        let pair = pair(config, &entry.head.id, agent);
        let target = match pair {
            Some((own, wanted)) => {
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
            email: agent.email.clone(),
            reason: match (target, pair) {
                (Some(_), Some(_)) => "paired in [people.agents]",
                (Some(target), None) if !target.active => "the same address; deactivated there",
                (Some(_), None) => "the same address",
                (None, _) => "nobody there has this address",
            }
            .to_owned(),
            perhaps: match target {
                Some(_) => None,
                None => likely(agent, &names).map(|(target, sure)| Guess {
                    target: target.email.clone().unwrap_or_else(|| target.id.clone()),
                    confidence: sure.confidence,
                    reason: sure.reason.to_owned(),
                }),
            },
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

/// The destination's agent whom one of the source is most likely to be, where nobody has the address.
fn likely<'a>(agent: &Agent, names: &[(&'a TargetAgent, Name)]) -> Option<(&'a TargetAgent, Sure)> {
    let before_at = |email: &Option<String>| {
        let email = email.as_deref()?.trim().to_lowercase();
        email.split_once('@').map(|(name, _)| name.to_owned())
    };
    let own = Name::new(&agent.name);
    let local = before_at(&agent.email);
    let mut best: Option<(&TargetAgent, Sure)> = None;
    for (target, name) in names {
        let by_name = own.like(name).map(|sure| Sure {
            // Two people can have one name.
            confidence: sure.confidence * 0.85,
            reason: match sure.confidence >= ALIKE.confidence {
                true => "the same name, another address",
                false => "a name much like it, another address",
            },
        });
        let by_address = (local.is_some() && local == before_at(&target.email)).then_some(Sure {
            confidence: 0.75,
            reason: "the same name before the @",
        });
        let sure = match (by_name, by_address) {
            (Some(a), Some(b)) => Some(Sure {
                confidence: (a.confidence.max(b.confidence) + 0.1).min(0.95),
                reason: "the same name, also before the @",
            }),
            (a, b) => a.or(b),
        };
        if let Some(sure) = sure.filter(|sure| sure.confidence >= WORTH_A_LOOK)
            && best.is_none_or(|(_, than)| sure.confidence > than.confidence)
        {
            best = Some((target, sure));
        }
    }
    best
}

/// The pair that the user made of an agent of the source; none where it is a question that nobody has answered.
fn pair<'a>(config: &'a Config, id: &str, agent: &Agent) -> Option<(&'a str, &'a str)> {
    meant(config, id, agent).filter(|(_, wanted)| !wanted.is_empty())
}

/// The entry of `[people.agents]` for an agent of the source, by address or id.
fn meant<'a>(config: &'a Config, id: &str, agent: &Agent) -> Option<(&'a str, &'a str)> {
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

/// By which name a team, tag, brand or object type goes at the destination, and why, if not by the user's word alone; `None` where
/// nothing there is the same, or the destination does not say what it has. Decides for plan and run alike.
#[must_use]
pub fn named<'a>(
    config: &'a Config,
    slots: &'a [Slot],
    kind: &Kind,
    name: &str,
) -> Option<(&'a str, Option<Sure>)> {
    let there = names_there(slots, kind);
    let found = there.and_then(|there| option_like(there, name));
    match config.map.name(kinds::name(kind), name) {
        // What a plan wrote into the map is as sure as when it was proposed.
        Some(wanted) => {
            let proposed = found.filter(|(option, _)| shown(option) == wanted);
            Some((wanted, proposed.map(|(_, sure)| sure)))
        }
        None => found.map(|(option, sure)| (shown(option), Some(sure))),
    }
}

/// The slot that lists what is there of a kind.
fn names_there<'a>(slots: &'a [Slot], kind: &Kind) -> Option<&'a Slot> {
    slots
        .iter()
        .find(|slot| slot.kind == *kind && slot.name == NAMES)
}

/// The name by which a person knows an option.
fn shown(option: &SlotOption) -> &str {
    match option.label.as_str() {
        "" => &option.value,
        label => label,
    }
}

/// The teams, tags, brands and object types of the source by the names that stand for them.
fn named_records(schema: &[Entry]) -> impl Iterator<Item = (&Entry, &str)> {
    schema.iter().filter_map(|entry| match &entry.data {
        Entity::Team(team) => Some((entry, team.name.as_str())),
        Entity::Tag(tag) => Some((entry, tag.name.as_str())),
        Entity::Brand(brand) => Some((entry, brand.name.as_str())),
        Entity::ObjectType(object) => Some((entry, object.label.as_str())),
        _ => None,
    })
}

/// What the source's teams, tags, brands and object types are at the destination. Tags that are one but for case, blanks and
/// signs are proposed to be one.
#[must_use]
pub fn names(
    config: &Config,
    schema: &[Entry],
    slots: &[Slot],
    seen: &Seen,
    destination: &str,
) -> Vec<PlanName> {
    let there: HashMap<&'static str, Vec<(&str, Name)>> = NAMED
        .iter()
        .filter_map(|kind| {
            let slot = names_there(slots, kind)?;
            let names = slot.values.iter().map(|o| (shown(o), Name::new(shown(o))));
            Some((kinds::name(kind), names.collect()))
        })
        .collect();
    // The most used tag of those that are one but for case, blanks and signs; the first of several.
    let mut best: HashMap<String, (u64, &str)> = HashMap::new();
    for (entry, name) in named_records(schema).filter(|(e, _)| e.head.kind == Kind::Tag) {
        let used = seen.tag(&entry.head.id);
        let known = best.entry(plain(name)).or_insert((used, name));
        if used > known.0 {
            *known = (used, name);
        }
    }
    named_records(schema)
        .map(|(entry, name)| {
            let kind = &entry.head.kind;
            let word = kinds::name(kind);
            let is_tag = *kind == Kind::Tag;
            let mut one = PlanName {
                kind: word.to_owned(),
                id: entry.head.id.clone(),
                name: name.to_owned(),
                target: name.to_owned(),
                state: "unknown".to_owned(),
                records: is_tag.then(|| seen.tag(&entry.head.id)),
                ..PlanName::default()
            };
            if is_tag && config.filter.excludes_tag(name) {
                one.state = "left out".to_owned();
                one.reason = "[filter] exclude_tags".to_owned();
                return one;
            }
            let listed = there.get(word);
            match named(config, slots, kind, name) {
                Some((target, sure)) => {
                    one.target = target.to_owned();
                    let is_there = listed.is_some_and(|all| all.iter().any(|(n, _)| *n == target));
                    one.state = match (listed, is_there) {
                        (None, _) => "unknown",
                        (Some(_), true) => "there",
                        (Some(_), false) => "new",
                    }
                    .to_owned();
                    one.confidence = sure.map(|sure| sure.confidence);
                    one.reason = sure.map_or("in [map]", |sure| sure.reason).to_owned();
                }
                None => {
                    let own = Name::new(name);
                    let like = listed.into_iter().flatten().filter_map(|(target, name)| {
                        let sure = own.like(name)?;
                        (sure.confidence >= WORTH_A_LOOK).then_some((*target, sure))
                    });
                    let mut like =
                        like.max_by(|(_, a), (_, b)| a.confidence.total_cmp(&b.confidence));
                    let twin = best.get(&plain(name)).map(|(_, twin)| *twin);
                    if is_tag && let Some(twin) = twin.filter(|twin| *twin != name) {
                        like = Some((twin, ALIKE));
                    }
                    one.reason = match listed {
                        Some(_) => {
                            one.state = "new".to_owned();
                            format!("{destination} has nothing of this name")
                        }
                        None => format!("found by its name at {destination}, or made"),
                    };
                    one.perhaps = like.map(|(target, sure)| Guess {
                        target: target.to_owned(),
                        confidence: sure.confidence,
                        reason: sure.reason.to_owned(),
                    });
                }
            }
            one
        })
        .collect()
}

/// Kinds whose records are known by a name.
static NAMED: [Kind; 4] = [Kind::Team, Kind::Tag, Kind::Brand, Kind::ObjectType];

/// What a proposal is made from.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Staged teams, agents, tags, brands, object types and field definitions.
    pub schema: &'a [Entry],
    /// Settings of the destination.
    pub slots: &'a [Slot],
    /// Custom fields that are there.
    pub fields: &'a [TargetField],
    /// Agents who are there.
    pub agents: &'a [TargetAgent],
    /// What was found in the records that are read.
    pub seen: &'a Seen,
    /// The destination's name.
    pub destination: &'a str,
}

/// What `[map]` does not say yet: what would count anyway, and a question for each value that has no place and each guess. Written
/// into the file it changes nothing of what a run does, but that somebody can read and change it. With `accept_all`, guesses are
/// answers, also to questions that stand there.
#[must_use]
pub fn proposal(config: &Config, known: &Known<'_>, accept_all: bool) -> MapProposal {
    let mut proposal = MapProposal::default();
    for slot in settings(known.slots) {
        proposal
            .values
            .extend(for_slot(config, slot, known, accept_all));
    }
    proposal.fields = for_fields(config, known, accept_all);
    proposal.agents = for_agents(config, known, accept_all);
    proposal.values.extend(for_names(config, known, accept_all));
    proposal
}

fn for_fields(config: &Config, known: &Known<'_>, accept_all: bool) -> Vec<ProposedField> {
    let destination = known.destination;
    let mut all = vec![];
    let there = &Targets::new(known.fields);
    let guesses = Free::new(config, known.schema, there);
    for entry in known.schema {
        let Entity::FieldDefinition(field) = &entry.data else {
            continue;
        };
        let id = &entry.head.id;
        let open = match config.map.fields.get(id) {
            None => true,
            Some(FieldTarget::Existing(name)) => name.is_empty() && accept_all,
            Some(FieldTarget::Make(_)) => false,
        };
        if !open {
            continue;
        }
        let (target, comment) = match there.becomes(config, id, field) {
            Becomes::Existing(found, Some(sure)) => (
                FieldTarget::Existing(found.name.clone()),
                sure.words(&found.label),
            ),
            _ => match guesses.guess(field) {
                Some((found, sure)) => {
                    let words = format!(
                        "{}: {}",
                        percent(sure.confidence),
                        guess_words(field, found, sure)
                    );
                    match accept_all {
                        true => (
                            FieldTarget::Existing(found.name.clone()),
                            format!(
                                "{words}, as {:?}; a guess, accepted by --accept-all",
                                found.label
                            ),
                        ),
                        false => (
                            FieldTarget::Existing(String::new()),
                            format!(
                                "{:?}? {words}; until you decide it is made, as with true; false leaves it out",
                                found.name
                            ),
                        ),
                    }
                }
                None => {
                    let why = why_made(field, there, destination);
                    let unused = match known.seen.unused(id) {
                        true => "; on no record: false leaves it out",
                        false => "",
                    };
                    (FieldTarget::Make(true), format!("made: {why}{unused}"))
                }
            },
        };
        all.push(ProposedField {
            field: id.clone(),
            target,
            comment: Some(comment),
        });
    }
    all
}

/// A question for every agent whom nobody there is, with who it could be.
fn for_agents(config: &Config, known: &Known<'_>, accept_all: bool) -> Vec<ProposedAgent> {
    let found = agents(config, known.schema, known.agents, known.destination);
    let mut all = vec![];
    for agent in found.plan.iter().filter(|agent| agent.target.is_none()) {
        let asked = |own: &str| {
            own == agent.id
                || agent
                    .email
                    .as_deref()
                    .is_some_and(|email| same_address(email, own))
        };
        let entry = config.people.agents.iter().find(|(own, _)| asked(own));
        let key = match entry {
            // What stands there and names nobody is an error of the plan, not ours to mend.
            Some((_, wanted)) if !(wanted.is_empty() && accept_all) => continue,
            Some((own, _)) => own.clone(),
            None => agent.email.clone().unwrap_or_else(|| agent.id.clone()),
        };
        let who = format!("{} ({})", agent.name, agent.state);
        let (target, comment) = match &agent.perhaps {
            Some(guess) if accept_all => (
                Some(guess.target.clone()),
                format!(
                    "{who}: {}: {}; a guess, accepted by --accept-all",
                    percent(guess.confidence),
                    guess.reason
                ),
            ),
            Some(guess) => (
                None,
                format!(
                    "{who}: {:?}? {}: {}; until you decide the stand-in",
                    guess.target,
                    percent(guess.confidence),
                    guess.reason
                ),
            ),
            None => (
                None,
                format!("{who}: nobody there has this address; the stand-in"),
            ),
        };
        if entry.is_some() && target.is_none() {
            continue;
        }
        all.push(ProposedAgent {
            agent: key,
            target,
            comment: Some(comment),
        });
    }
    all
}

/// Names that are to be found under another one there, and questions. What goes by its own name needs no entry.
fn for_names(config: &Config, known: &Known<'_>, accept_all: bool) -> Vec<ProposedValue> {
    let all = names(
        config,
        known.schema,
        known.slots,
        known.seen,
        known.destination,
    );
    let mut proposed = vec![];
    for one in all {
        let entry = config
            .map
            .values
            .get(&one.kind)
            .and_then(|slots| slots.get(NAMES))
            .and_then(|names| names.get(&one.name));
        if entry.is_some_and(|to| !(to.is_empty() && accept_all)) || one.state == "left out" {
            continue;
        }
        let (target, comment) = match (&one.perhaps, one.confidence) {
            (Some(guess), _) if accept_all => (
                Some(guess.target.clone()),
                format!(
                    "{}: {}; a guess, accepted by --accept-all",
                    percent(guess.confidence),
                    guess.reason
                ),
            ),
            (Some(guess), _) => (
                None,
                format!(
                    "{:?}? {}: {}; until you decide by its own name",
                    guess.target,
                    percent(guess.confidence),
                    guess.reason
                ),
            ),
            (None, Some(confidence)) if one.target != one.name => (
                Some(one.target.clone()),
                format!("{}: {}", percent(confidence), one.reason),
            ),
            _ => continue,
        };
        if entry.is_some() && target.is_none() {
            continue;
        }
        proposed.push(ProposedValue {
            kind: one.kind,
            slot: NAMES.to_owned(),
            value: one.name,
            target,
            comment: Some(comment),
        });
    }
    proposed
}

/// Proposals for one setting. Where the user has a word for all values that are not named, nothing is missing.
fn for_slot(
    config: &Config,
    slot: &Slot,
    known: &Known<'_>,
    accept_all: bool,
) -> Vec<ProposedValue> {
    let destination = known.destination;
    let kind = kinds::name(&slot.kind);
    if config.map.value(kind, &slot.name, "*").is_some() {
        return vec![];
    }
    let own = config.map.values.get(kind).and_then(|s| s.get(&slot.name));
    let propose = |value: &str, target: Option<&str>, comment: String| {
        let entry = own.and_then(|own| own.get(value));
        let open = match entry {
            None => true,
            Some(to) => to.is_empty() && accept_all && target.is_some(),
        };
        open.then(|| ProposedValue {
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
    for (value, records) in known.seen.met.unmapped(config, slot) {
        let (target, comment) = match option_like(slot, value) {
            Some((option, sure)) => (Some(option.value.as_str()), sure.words(&option.value)),
            None => match option_guess(slot, value) {
                Some((option, sure)) if accept_all => (
                    Some(option.value.as_str()),
                    format!(
                        "on {records} records; {}; a guess, accepted by --accept-all",
                        sure.words(shown(option))
                    ),
                ),
                Some((option, sure)) => (
                    None,
                    format!(
                        "on {records} records; {:?}? {}: {}; choose one of: {}",
                        option.value,
                        percent(sure.confidence),
                        sure.reason,
                        choices(slot)
                    ),
                ),
                None => (
                    None,
                    format!("on {records} records; choose one of: {}", choices(slot)),
                ),
            },
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
fn option_like<'a>(slot: &'a Slot, value: &str) -> Option<(&'a SlotOption, Sure)> {
    let word = value.strip_prefix("other:").unwrap_or(value);
    let same = |option: &&SlotOption| option.value == word || option.label == word;
    let bare = plain(word);
    let like = |option: &&SlotOption| {
        !bare.is_empty() && [plain(&option.value), plain(&option.label)].contains(&bare)
    };
    let mut alike = slot.values.iter().filter(like);
    match (slot.values.iter().find(same), alike.next(), alike.next()) {
        (Some(option), ..) => Some((option, SAME)),
        (None, Some(option), None) => Some((option, ALIKE)),
        _ => None,
    }
}

/// The option whose name is most like a value's, where that is worth a look.
fn option_guess<'a>(slot: &'a Slot, value: &str) -> Option<(&'a SlotOption, Sure)> {
    let own = Name::new(value.strip_prefix("other:").unwrap_or(value));
    slot.values
        .iter()
        .filter_map(|option| {
            let sure = [&option.value, &option.label]
                .into_iter()
                .filter_map(|name| own.like(&Name::new(name)))
                .max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
            (sure.confidence >= WORTH_A_LOOK).then_some((option, sure))
        })
        .max_by(|(_, a), (_, b)| a.confidence.total_cmp(&b.confidence))
}

#[cfg(test)]
mod tests;
