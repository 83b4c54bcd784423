//! Fields, modules for object types, and tags: found before they are made.
//!
//! A field has no key of ours and no description: it is known again by its label and type, and counts as this run's where it was
//! not there before, or was made since the attempt that is in doubt. A module's description says which object type it stands for;
//! one that was there before, whose description is somebody's, gets a field that says it: its labels may be another's tomorrow.
//! Neither how choices are given nor whether a look-up is possible everywhere is published (Zoho Desk facts §8): what is not
//! taken as such becomes text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use transload_sdk::card::Facts;
use transload_sdk::destination::Item;
use transload_sdk::effects::{DESCRIBED, description_marker};
use transload_sdk::fields::option_label;
use transload_sdk::http::{self, OperationKey, Refusal as _, key};
use transload_sdk::items::{TagNotes, tags_as_words};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{
    self, Entity, Error, Fidelity, Field as SourceField, FieldDefinition, FieldType, Kind, Loss,
    ObjectType, ReferenceType,
};

use super::{Creation, WRITES, effect, exported_as, is_of_run, made, reject, report, status_of};
use crate::api::{Field, Module, Refusal, layout_fields, words_of};
use crate::client::{Desk, Sent};
use crate::map::{self, FieldTarget, Owner, PATH_SEPARATOR, loss};
use crate::own;

/// Layouts of a module that are looked through for what can be chosen.
const LAYOUTS: usize = 20;
/// Clocks may differ by so much, ms.
const SLACK_MS: i64 = 120_000;
/// Characters of labels, and of a module's description (Zoho Desk facts §9).
const LABEL_CHARS: usize = 50;
const DESCRIPTION_CHARS: usize = 200;

// ---- fields

/// All fields of a module.
///
/// # Errors
/// What ends the unit.
pub async fn all_fields(desk: &Desk, module: &str) -> Result<Vec<Field>, Error> {
    desk.whole(&format!("/fields?module={module}")).await
}

/// A module's fields as its layouts have them, with what can be chosen, which lists of fields do not say (Zoho Desk facts §7.8).
/// Layouts that cannot be read say nothing.
///
/// # Errors
/// What ends the unit.
pub async fn laid_out(desk: &Desk, module: &str) -> Result<BTreeMap<String, Field>, Error> {
    let list = format!("/layouts?module={module}");
    let layouts: Vec<Value> = match desk.whole(&list).await {
        Ok(layouts) => layouts,
        Err(Error::Bug(_) | Error::Permission(_)) => Vec::new(),
        Err(other) => return Err(other),
    };
    let mut all: BTreeMap<String, Field> = BTreeMap::new();
    for layout in layouts.iter().take(LAYOUTS) {
        let id = words_of(layout.get("id").unwrap_or(&Value::Null));
        let Some(whole) = desk.find::<Value>(&format!("/layouts/{id}")).await? else {
            continue;
        };
        for (name, field) in layout_fields(&whole) {
            let known = all.entry(name).or_insert_with(|| field.clone());
            for value in field.allowed_values {
                if !known.allowed_values.contains(&value) {
                    known.allowed_values.push(value);
                }
            }
        }
    }
    Ok(all)
}

/// A record's own fields as Zoho Desk's, by API name; what does not fit stands on the card.
pub fn values(
    fields: &[SourceField],
    into: &mut Map<String, Value>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) {
    for field in fields {
        match map::place(field, card.words()) {
            Ok((target, text)) => {
                into.insert(target.name, json!(text));
            }
            Err(misfit) => card.misfit(field, misfit, losses),
        }
    }
}

/// A field to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// `tickets`, `cm_orders`.
    pub module: String,
    /// What people read.
    pub label: String,
    /// Zoho Desk's type.
    pub kind: String,
    /// What can be chosen: stored value of the source, and what is chosen here.
    pub choices: Vec<(String, String)>,
    /// The module that a look-up looks into.
    pub lookup: Option<String>,
}

impl Wanted {
    /// A field that nothing is chosen in.
    pub fn new(module: &str, label: &str, kind: &str) -> Self {
        Self {
            module: module.to_owned(),
            label: label.to_owned(),
            kind: kind.to_owned(),
            choices: Vec::new(),
            lookup: None,
        }
    }

    fn body(&self) -> Value {
        let mut body = json!({"displayLabel": self.label, "type": self.kind});
        let mut set = |name: &str, value: Value| {
            if let Some(body) = body.as_object_mut() {
                body.insert(name.to_owned(), value);
            }
        };
        if self.kind == "Text" {
            set("maxLength", json!("255"));
        }
        if !self.choices.is_empty() {
            let choice = |(_, text): &(String, String)| json!({"value": text});
            let choices: Vec<Value> = self.choices.iter().map(choice).collect();
            set("allowedValues", json!(choices));
        }
        if let Some(module) = &self.lookup {
            let lookup = json!({"module": {"apiName": module}, "relatedListLabel": self.label});
            set("lookup", lookup);
        }
        body
    }

    /// Whether a field is the wanted one.
    fn is(&self, field: &Field) -> bool {
        field.is_custom() && field.kind == self.kind && is_labelled(field, &self.label)
    }

    fn target(&self, field: &Field) -> FieldTarget {
        FieldTarget {
            object: self.module.clone(),
            name: field.api_name.clone(),
            kind: field.kind.clone(),
            choices: self.choices.clone(),
        }
    }
}

/// A label of the length that is surely taken; the end of a longer one is its digest.
fn fitting(label: &str) -> String {
    if label.chars().count() <= LABEL_CHARS {
        return label.to_owned();
    }
    let digest = map::short_hash(label);
    let kept = LABEL_CHARS.saturating_sub(digest.len() + 1);
    let start: String = label.chars().take(kept).collect();
    format!("{}-{digest}", start.trim_end())
}

fn is_labelled(field: &Field, label: &str) -> bool {
    field.display_label.trim().to_lowercase() == label.trim().to_lowercase()
}

/// What of a field is compared before an undo.
pub fn field_facets(field: &Field) -> Vec<(String, String)> {
    vec![
        ("label".to_owned(), field.display_label.clone()),
        ("type".to_owned(), field.kind.clone()),
    ]
}

/// Finds or makes a field. `known` is the module's list, read in this unit, and is kept up to date. `Err` inside is what became of
/// it otherwise.
///
/// # Errors
/// What ends the unit.
pub async fn field(
    desk: &Desk,
    (item, part, step): (&str, &str, &str),
    in_doubt_since: Option<i64>,
    wanted: &Wanted,
    known: &mut Vec<Field>,
) -> Result<Result<(Field, Effect), Result<Status, Refusal>>, Error> {
    // What was made since an attempt that is in doubt is of that attempt: of one label and type there can be no second.
    let lost = |field: &Field| {
        let made = field.created_time.as_deref().and_then(map::parse_iso);
        in_doubt_since.is_some_and(|since| made.is_some_and(|at| at >= since - SLACK_MS))
    };
    if let Some(found) = known.iter().find(|field| wanted.is(field)) {
        let target = wanted.target(found).to_string();
        let effect = if lost(found) {
            Effect {
                proof: Some(Proof::Marker(desk.cx.run().to_owned())),
                fingerprint: Some(map::print(&field_facets(found))),
                ..effect(part, "field", target, Action::Created)
            }
        } else {
            effect(part, "field", target, Action::Matched)
        };
        return Ok(Ok((found.clone(), effect)));
    }
    let find = async || {
        let fields = all_fields(desk, &wanted.module).await?;
        Ok(fields.into_iter().find(|field| wanted.is(field)))
    };
    let path = format!("/fields?module={}", wanted.module);
    let request = desk.once("POST", path, key(item, part, step));
    let request = request.json(&wanted.body());
    Ok(
        match WRITES
            .created(201)
            .make(in_doubt_since, request, find, |field| lost(field))
            .await?
        {
            Creation::There(found, proof, key) => {
                // It was read as missing in this unit, before the first send (rule D-4).
                let absent = in_doubt_since.is_none().then_some(Proof::AbsentBefore);
                let target = wanted.target(&found).to_string();
                let mut effect = made(part, "field", target, proof.or(absent), key);
                effect.fingerprint = Some(map::print(&field_facets(&found)));
                known.push(found.clone());
                Ok((found, effect))
            }
            Creation::Refused(refusal) => Err(Err(refusal)),
            Creation::Unsettled => {
                let why = "a field whose creation was not answered".to_owned();
                Err(Ok(Status::Unsettled(why)))
            }
        },
    )
}

/// Field definitions.
///
/// # Errors
/// What ends the unit.
pub async fn fields(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let mut known: BTreeMap<String, Vec<Field>> = BTreeMap::new();
    // As soon as they are needed.
    let mut modules: Option<Modules> = None;
    let no_modules = Modules::default();
    // Whether choices are taken, as soon as it is known.
    let mut chooses = true;
    // Labels that items of this unit have got.
    let mut taken: BTreeSet<(String, String)> = BTreeSet::new();
    for item in items {
        let Entity::FieldDefinition(definition) = &item.entry().data else {
            reject(cx, item, Error::Bug("no field definition".to_owned()));
            continue;
        };
        if modules.is_none() && needs_modules(definition) {
            modules = Some(Modules::read(desk).await?.unwrap_or_default());
        }
        let modules = modules.as_ref().unwrap_or(&no_modules);
        let module = match (&definition.owner.kind, &definition.owner.object_type) {
            (Kind::CustomObject, Some(object)) => {
                let module = modules.of(desk, object);
                module.map(|module| module.api_name.clone())
            }
            (kind, _) => Owner::of(kind).map(|owner| owner.module().to_owned()),
        };
        let Some(module) = module else {
            let note = "Zoho Desk has no fields there; values stand on the source card";
            let losses = vec![loss("field-definition.owner", Fidelity::Converted, note)];
            let status = Status::Exported(exported_as(&Kind::FieldDefinition));
            report(cx, item, status, Vec::new(), losses);
            continue;
        };
        let list = match known.remove(&module) {
            Some(list) => list,
            None => all_fields(desk, &module).await?,
        };
        let mut making = Making {
            desk,
            item,
            definition,
            known: list,
            losses: Vec::new(),
            effects: Vec::new(),
            chooses,
        };
        making.one(modules, &module, &mut taken).await?;
        chooses = making.chooses;
        known.insert(module, making.known);
    }
    Ok(())
}

fn needs_modules(definition: &FieldDefinition) -> bool {
    let of_object = |field_type: &FieldType| {
        matches!(
            field_type,
            FieldType::Reference(ReferenceType {
                kind: Some(Kind::CustomObject),
                ..
            })
        )
    };
    definition.owner.kind == Kind::CustomObject || of_object(&definition.field_type)
}

/// A field definition under way.
struct Making<'a> {
    desk: &'a Desk,
    item: &'a Item,
    definition: &'a FieldDefinition,
    known: Vec<Field>,
    losses: Vec<Loss>,
    effects: Vec<Effect>,
    /// False once a field came without what was to be chosen in it.
    chooses: bool,
}

impl Making<'_> {
    fn note(&mut self, field: &'static str, how: Fidelity, note: &'static str) {
        self.losses.push(loss(field, how, note));
    }

    /// The field that is best for it, then those that hold it as text.
    fn candidates(&self, modules: &Modules, module: &str, label: &str) -> Vec<Wanted> {
        let definition = self.definition;
        let options = &definition.options;
        let mut kind = map::field_type(&definition.field_type, options.len());
        let mut wanted = Wanted::new(module, label, kind);
        if matches!(kind, "Picklist" | "Multiselect") {
            let words = |option: &types::ChoiceOption| {
                option_label(definition, option, PATH_SEPARATOR)
                    .trim()
                    .to_owned()
            };
            let labels: Vec<String> = options.iter().map(words).collect();
            let distinct: BTreeSet<String> =
                labels.iter().map(|text| text.to_lowercase()).collect();
            let values = options.iter().map(|option| option.value.clone());
            let readable = distinct.len() == labels.len() && labels.iter().all(|t| !t.is_empty());
            wanted.choices = if readable {
                values.zip(labels).collect()
            } else {
                values.map(|value| (value.clone(), value)).collect()
            };
            let joined = wanted
                .choices
                .iter()
                .any(|(_, text)| text.contains(map::CHOICES_SEPARATOR));
            if kind == "Multiselect" && joined {
                kind = "Textarea";
                wanted = Wanted::new(module, label, kind);
            }
        }
        if kind == "LookUp" {
            wanted.lookup = looked_into(self.desk, modules, &definition.field_type);
            if wanted.lookup.is_none() {
                wanted.kind = "Text".to_owned();
            }
        }
        let text = match wanted.kind.as_str() {
            "Picklist" | "LookUp" => Some("Text"),
            "Multiselect" => Some("Textarea"),
            _ => None,
        };
        let text = text.map(|kind| Wanted::new(module, label, kind));
        // One that is there already may have its choices.
        let there = self.known.iter().any(|field| wanted.is(field));
        let worth = self.chooses || wanted.choices.is_empty() || there;
        let best = Some(wanted).filter(|_| worth);
        best.into_iter().chain(text).collect()
    }

    async fn one(
        &mut self,
        modules: &Modules,
        module: &str,
        taken: &mut BTreeSet<(String, String)>,
    ) -> Result<(), Error> {
        let definition = self.definition;
        let mut label = match definition.label.trim() {
            "" => fitting(&definition.name),
            label => fitting(label),
        };
        let mut candidates = self.candidates(modules, module, &label);
        // Another field of the source, one of another type, or one of Zoho Desk's own may have the label.
        let there = self
            .known
            .iter()
            .any(|f| candidates.iter().any(|w| w.is(f)));
        let of_other = !there && self.known.iter().any(|field| is_labelled(field, &label));
        if of_other || taken.contains(&(module.to_owned(), label.to_lowercase())) {
            label = fitting(&format!("{label} ({})", definition.name));
            candidates = self.candidates(modules, module, &label);
        }
        taken.insert((module.to_owned(), label.to_lowercase()));
        let best = map::field_type(&definition.field_type, definition.options.len());
        let mut refused = None;
        for (number, wanted) in candidates.iter().enumerate() {
            let step = match number {
                0 => "create".to_owned(),
                n => format!("create:{n}"),
            };
            let name = (self.item.key.as_str(), "main", step.as_str());
            let since = self.item.in_doubt_since;
            match field(self.desk, name, since, wanted, &mut self.known).await? {
                Ok((field, main)) => {
                    let last = number + 1 == candidates.len();
                    if !self.chooses(wanted, &field).await? && !last {
                        // Nothing could be chosen in it: it goes again, and a text takes its place.
                        if main.action == Action::Created {
                            self.unmake(&field, main).await?;
                            self.chooses = false;
                        }
                        continue;
                    }
                    if best != wanted.kind {
                        let note = "the account takes no such field through the API: it is text";
                        self.note("field-definition.field-type", Fidelity::Converted, note);
                    }
                    self.done(main);
                    return Ok(());
                }
                Err(Ok(status)) => {
                    let effects = std::mem::take(&mut self.effects);
                    report(
                        &self.desk.cx,
                        self.item,
                        status,
                        effects,
                        self.losses.clone(),
                    );
                    return Ok(());
                }
                Err(Err(refusal)) => refused = Some(refusal),
            }
        }
        let error = refused.unwrap_or_default().rejection();
        if self.effects.is_empty() {
            reject(&self.desk.cx, self.item, error);
        } else {
            let effects = std::mem::take(&mut self.effects);
            let losses = std::mem::take(&mut self.losses);
            report(
                &self.desk.cx,
                self.item,
                Status::Rejected(error),
                effects,
                losses,
            );
        }
        Ok(())
    }

    /// Whether what is to be chosen in a field can be: said by the field, else by the layouts.
    async fn chooses(&self, wanted: &Wanted, field: &Field) -> Result<bool, Error> {
        if wanted.choices.is_empty() {
            return Ok(true);
        }
        let has_all =
            |texts: &[String]| wanted.choices.iter().all(|(_, text)| texts.contains(text));
        if has_all(&field.choices()) {
            return Ok(true);
        }
        let laid = laid_out(self.desk, &wanted.module).await?;
        let texts = laid.get(&field.api_name).map(Field::choices);
        Ok(texts.is_some_and(|texts| has_all(&texts)))
    }

    async fn unmake(&mut self, field: &Field, mut made: Effect) -> Result<(), Error> {
        let key = key(&self.item.key, "choices", "delete");
        let path = format!("/fields/{}", field.id);
        let request = self.desk.idempotent("DELETE", path, key).passing();
        let _: Sent = http::write(request).await?;
        made.part = "choices".to_owned();
        self.effects.push(made);
        self.known.retain(|one| one.id != field.id);
        Ok(())
    }

    fn done(&mut self, main: Effect) {
        if self.definition.required {
            let note = "made optional: a required field refuses migrated records";
            self.note("field-definition.required", Fidelity::Lost, note);
        }
        let status = status_of(main.action);
        let mut effects = vec![main];
        effects.append(&mut self.effects);
        let losses = std::mem::take(&mut self.losses);
        report(&self.desk.cx, self.item, status, effects, losses);
    }
}

/// The module that a reference points into.
fn looked_into(desk: &Desk, modules: &Modules, field_type: &FieldType) -> Option<String> {
    let FieldType::Reference(reference) = field_type else {
        return None;
    };
    match (reference.kind.as_ref()?, &reference.object_type) {
        (Kind::CustomObject, Some(object)) => {
            let module = modules.of(desk, object);
            module.map(|module| module.api_name.clone())
        }
        (kind, _) => Owner::of(kind).map(|owner| owner.module().to_owned()),
    }
}

// ---- modules

/// The account's own modules; `None` where the edition has none.
///
/// # Errors
/// What ends the unit.
pub async fn custom_modules(desk: &Desk) -> Result<Option<Vec<Module>>, Error> {
    match desk.whole::<Module>("/organizationModules").await {
        Ok(all) => {
            let own =
                |module: &Module| module.is_custom_module || module.api_name.starts_with("cm_");
            Ok(Some(all.into_iter().filter(own).collect()))
        }
        Err(Error::Permission(_)) => Ok(None),
        Err(other) => Err(other),
    }
}

/// Letters and digits in lower case: what a person typed may differ in the rest.
fn bare(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

fn is_called(module: &Module, name: &str) -> bool {
    let labels = [
        Some(&module.api_name),
        module.singular_label.as_ref(),
        module.plural_label.as_ref(),
        module.display_label.as_ref(),
    ];
    let name = bare(name);
    labels
        .into_iter()
        .flatten()
        .any(|label| bare(label) == name)
}

/// The account's own modules, and which of them an earlier unit took for an object type.
#[derive(Debug, Default)]
pub struct Modules {
    all: Vec<Module>,
    /// API names, by the label of the field that says it.
    taken: BTreeMap<String, String>,
}

/// The label of the field by which a module is known as an object type's.
fn type_label(object: &str) -> String {
    fitting(&format!("{TAKEN}{object}"))
}

const TAKEN: &str = "Transload records of ";

impl Modules {
    /// Reads them, and the fields of those that do not say themselves what they are; `None` where the edition has none.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn read(desk: &Desk) -> Result<Option<Self>, Error> {
        let Some(all) = custom_modules(desk).await? else {
            return Ok(None);
        };
        let mut taken = BTreeMap::new();
        for module in all.iter().filter(|module| !is_described(module)) {
            let fields = all_fields(desk, &module.api_name).await?;
            let labels = fields.into_iter().map(|field| field.display_label);
            let labels = labels.filter(|label| label.starts_with(TAKEN));
            taken.extend(labels.map(|label| (label, module.api_name.clone())));
        }
        Ok(Some(Self { all, taken }))
    }

    /// The module that stands for an object type: the one that the settings name, the one that says so, the one of its name.
    pub fn of(&self, desk: &Desk, object: &str) -> Option<&Module> {
        let mut all = self.all.iter();
        if let Some(wanted) = desk.config.objects.get(object) {
            return all.find(|module| is_called(module, wanted));
        }
        let says = format!(
            "{DESCRIBED}{}object-type:{object} ",
            desk.cx.marker_prefix()
        );
        let described = |module: &&Module| {
            let text = module.description.as_deref().unwrap_or_default();
            text.contains(&says)
        };
        let taken = self.taken.get(&type_label(object));
        let taken = || all.clone().find(|module| Some(&module.api_name) == taken);
        let said = all.clone().find(described).or_else(taken);
        said.or_else(|| all.clone().find(|module| is_called(module, object)))
    }
}

/// Whether a module's description says what it stands for.
fn is_described(module: &Module) -> bool {
    let text = module.description.as_deref().unwrap_or_default();
    text.contains(DESCRIBED)
}

/// What of a module is compared before an undo.
pub fn module_facets(module: &Module) -> Vec<(String, String)> {
    vec![("api name".to_owned(), module.api_name.clone())]
}

/// Object types as modules, with the fields that every record of ours has.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let cx = &desk.cx;
    let mut modules = Modules::read(desk).await?.unwrap_or_default();
    for item in items {
        let Entity::ObjectType(object) = &item.entry().data else {
            reject(cx, item, Error::Bug("no object type".to_owned()));
            continue;
        };
        let id = &item.entry().head.id;
        let lost = |module: &Module| {
            item.in_doubt_since.is_some() && is_of_run(cx, module.description.as_deref())
        };
        let by_label = || {
            let mut all = modules.all.iter();
            all.find(|module| is_called(module, &object.label))
        };
        let found = modules.of(desk, id).or_else(by_label);
        let (module, main) = match found.filter(|module| !lost(module)) {
            Some(module) => {
                let main = effect("main", "module", &module.api_name, Action::Matched);
                (module.clone(), main)
            }
            None => match make_module(desk, item, object).await? {
                Ok(made) => {
                    modules.all.push(made.0.clone());
                    made
                }
                Err(Ok(status)) => {
                    report(cx, item, status, Vec::new(), Vec::new());
                    continue;
                }
                Err(Err(refusal)) if refusal.status == 403 => {
                    let note = "the edition, or the token, makes no modules: records are exported, unless a module of that name is there";
                    let losses = vec![loss("object-type", Fidelity::Converted, note)];
                    let status = Status::Exported(exported_as(&Kind::ObjectType));
                    report(cx, item, status, Vec::new(), losses);
                    continue;
                }
                Err(Err(refusal)) => {
                    reject(cx, item, refusal.rejection());
                    continue;
                }
            },
        };
        own_fields(desk, item, &module, main).await?;
    }
    Ok(())
}

/// Makes what every record of ours needs in a module, and what says whose records it holds, and reports the object type.
async fn own_fields(desk: &Desk, item: &Item, module: &Module, main: Effect) -> Result<(), Error> {
    let mut known = all_fields(desk, &module.api_name).await?;
    let status = status_of(main.action);
    let mut effects = vec![main];
    let mut losses = Vec::new();
    let label = type_label(&item.entry().head.id);
    let says = (own::TYPE, "Text", label.as_str());
    let is_known = is_described(module) || desk.config.objects.contains_key(&item.entry().head.id);
    let says = Some(says).filter(|_| !is_known);
    for (name, kind, label) in own::of_records().into_iter().chain(says) {
        let wanted = own_wanted(&module.api_name, kind, label);
        let part = format!("field:{name}");
        let step = (item.key.as_str(), part.as_str(), "create");
        match field(desk, step, item.in_doubt_since, &wanted, &mut known).await? {
            Ok((_, effect)) => effects.push(effect),
            Err(_) => {
                let note = "the module takes no such field: what it would hold is on the source card, or missing";
                let path = format!("object-type.{name}");
                losses.push(loss(path, Fidelity::Converted, note));
            }
        }
    }
    let changed = effects.iter().skip(1).any(|e| e.action == Action::Created);
    let status = match status {
        Status::Matched if changed => Status::Updated,
        other => other,
    };
    report(&desk.cx, item, status, effects, losses);
    Ok(())
}

/// A field of the connector's own; one whose type is a module looks into it.
fn own_wanted(module: &str, kind: &str, label: &str) -> Wanted {
    match kind {
        "contacts" | "accounts" | "tickets" => Wanted {
            lookup: Some(kind.to_owned()),
            ..Wanted::new(module, label, "LookUp")
        },
        kind => Wanted::new(module, label, kind),
    }
}

/// The connector's own fields of a module's records, by key.
pub fn own_of(fields: &[Field]) -> BTreeMap<&'static str, Field> {
    let find = |(name, kind, label): own::Own| {
        let wanted = own_wanted("", kind, label);
        let field = fields.iter().find(|field| wanted.is(field))?;
        Some((name, field.clone()))
    };
    own::of_records().into_iter().filter_map(find).collect()
}

type MadeModule = Result<(Module, Effect), Result<Status, Refusal>>;

async fn make_module(desk: &Desk, item: &Item, object: &ObjectType) -> Result<MadeModule, Error> {
    let cx = &desk.cx;
    let short = |text: &str| text.chars().take(LABEL_CHARS).collect::<String>();
    let label = match object.label.trim() {
        "" => object.name.trim(),
        label => label,
    };
    let plural = object.label_plural.as_deref().map(str::trim);
    let plural = plural.filter(|plural| !plural.is_empty() && *plural != label);
    let plural = plural.map_or_else(|| format!("{}s", short(label)), short);
    let description: String = description_marker(cx, &item.marker)
        .chars()
        .take(DESCRIPTION_CHARS)
        .collect();
    let body = json!({
        "singularLabel": short(label), "pluralLabel": short(&plural), "description": description, "isDeptSpecific": false,
    });
    let request = desk.once(
        "POST",
        "/organizationModules",
        key(&item.key, "main", "create"),
    );
    let find = async || {
        let modules = custom_modules(desk).await?.unwrap_or_default();
        Ok(modules.into_iter().find(|module| is_called(module, label)))
    };
    let ours = |module: &Module| is_of_run(cx, module.description.as_deref());
    let since = item.in_doubt_since;
    Ok(
        match WRITES.make(since, request.json(&body), find, ours).await? {
            Creation::There(module, proof, key) => {
                let absent = since.is_none().then_some(Proof::AbsentBefore);
                let name = &module.api_name;
                let mut main = made("main", "module", name, proof.or(absent), key);
                main.fingerprint = Some(map::print(&module_facets(&module)));
                Ok((module, main))
            }
            Creation::Refused(refusal) => Err(Err(refusal)),
            Creation::Unsettled => {
                let why = "a module whose creation was not answered".to_owned();
                Err(Ok(Status::Unsettled(why)))
            }
        },
    )
}

// ---- tags

/// Tags, which exist by being used: each is what Zoho Desk takes, and two that become one are said so.
///
/// # Errors
/// None of its own.
pub fn tags(desk: &Desk, items: &[Item]) -> Result<(), Error> {
    let notes = TagNotes {
        color: "Zoho Desk has no colours of tags",
        rewritten: "written as a tag is: 3 to 50 letters, digits and `_.-+%`; a longer one ends in its digest",
        same: "another tag of the source is the same tag in Zoho Desk",
    };
    tags_as_words(&desk.cx, items, map::tag, notes);
    Ok(())
}

/// Makes or finds one of the connector's own fields, under an item key of its own; `None` where the account takes no more.
///
/// # Errors
/// What ends the unit.
pub async fn own_field(
    desk: &Desk,
    owner: Owner,
    (name, kind, label): own::Own,
    known: &mut Vec<Field>,
) -> Result<(Option<Field>, Option<Effect>), Error> {
    let item = format!("own:field:{}:{name}", owner.module());
    let wanted = own_wanted(owner.module(), kind, label);
    // An attempt of this preparation may have made it: nothing tells, and it is looked up by its age.
    match field(desk, (&item, "main", "create"), None, &wanted, known).await? {
        Ok((field, effect)) => Ok((Some(field), Some(effect))),
        Err(Ok(_)) => Err(Error::Transient(format!("{item} could not be made yet"))),
        Err(Err(refusal)) if matches!(refusal.status, 403 | 422) => {
            let text = format!("{item}: {}", refusal.words());
            desk.cx.log(transload_sdk::Level::Warn, &text);
            Ok((None, None))
        }
        Err(Err(refusal)) => Err(refusal.rejection()),
    }
}

/// The key of a request that belongs to no item.
pub fn own_key(part: &str, step: &str) -> OperationKey {
    key(format!("own:{part}"), "main", step)
}
