//! Fields, custom objects, tags and brands: found before they are made.
//!
//! A field has no key of ours and no description: it is known again by its label and type, and by the marker that stands in its
//! label for customers, who do not see it (Freshdesk facts §9). Custom objects and their
//! fields are made by an administrator, in the UI only (Freshdesk facts §11): here they are found, and what is missing is named.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use transload_sdk::Context;
use transload_sdk::card::Facts;
use transload_sdk::destination::Item;
use transload_sdk::http::{self, Refusal as _, key};
use transload_sdk::items::{TagNotes, each, tags_as_words};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{
    self, Error, Fidelity, Field, FieldDefinition as Definition, FieldType, Kind, Loss,
};

use super::{
    Creation, DESCRIBED, WRITES, description_marker, effect, exported_as, is_of_run, made, report,
    status_of,
};
use crate::api::{FieldDefinition, Refusal, Schema, SchemaField};
use crate::client;
use crate::map::{self, FieldTarget, Owner, loss};
use crate::state::{Config, State};

/// Between two looks at a field whose choices are still being stored, ms, and how many there are (Freshdesk facts §9).
const CHOICES_POLL_MS: u64 = 10_000;
const CHOICES_LOOKS: usize = 30;
/// Choices that a field has at once (Freshdesk facts §9).
const CHOICES_AT_ONCE: usize = 100;

// ---- fields

/// All fields of an owner. The list is not paged (Freshdesk facts §9).
///
/// # Errors
/// What ends the unit.
pub async fn all_fields(cx: &Context, owner: Owner) -> Result<Vec<FieldDefinition>, Error> {
    if let Some(fields) = client::find(cx, owner.fields_path()).await? {
        return Ok(fields);
    }
    match owner.other_fields_path() {
        Some(path) => Ok(client::find(cx, path).await?.unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}

/// The choices of an owner's dropdowns, by field name.
///
/// # Errors
/// What ends the unit.
pub async fn texts(cx: &Context, owner: Owner) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let fields = all_fields(cx, owner).await?;
    let dropdowns = fields.into_iter().filter(|f| f.kind.ends_with("dropdown"));
    Ok(dropdowns.map(|f| (f.name.clone(), f.texts())).collect())
}

/// The same, read only where a batch has a value for one.
///
/// # Errors
/// What ends the unit.
pub async fn texts_for(
    cx: &Context,
    owner: Owner,
    items: &[Item],
) -> Result<BTreeMap<String, Vec<String>>, Error> {
    if has_choices(items) {
        texts(cx, owner).await
    } else {
        Ok(BTreeMap::new())
    }
}

/// Whether a batch has values of choices, so that the fields must be read once.
pub fn has_choices(items: &[Item]) -> bool {
    items
        .iter()
        .flat_map(|item| &item.entry().head.fields)
        .filter_map(|field| field.target.as_deref().and_then(FieldTarget::parse))
        .any(|target| target.kind.ends_with("dropdown"))
}

/// A record's own fields as Freshdesk's, by name; what does not fit stands on the card.
pub fn values(
    fields: &[Field],
    texts: &BTreeMap<String, Vec<String>>,
    into: &mut Map<String, Value>,
    card: &mut Facts,
    losses: &mut Vec<Loss>,
) {
    for field in fields {
        match map::place(field, texts, card.words()) {
            Ok((target, value)) => {
                if let (Some(text), Some(name)) = (value.exact, target.exact) {
                    into.insert(name, json!(text));
                }
                into.insert(target.name, value.json);
            }
            Err(misfit) => card.misfit(field, misfit, losses),
        }
    }
}

/// A field to be made.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What it sits on.
    pub owner: Owner,
    /// What people read.
    pub label: String,
    /// Freshdesk's type.
    pub kind: &'a str,
    /// What can be chosen.
    pub choices: Vec<String>,
    /// Our marker.
    pub marker: &'a str,
}

impl Wanted<'_> {
    fn body(&self, cx: &Context, with_marker: bool) -> Value {
        let mut body = json!({"label": self.label, "type": self.kind});
        let mut set = |name: &str, value: Value| {
            if let Some(body) = body.as_object_mut() {
                body.insert(name.to_owned(), value);
            }
        };
        if with_marker {
            set(
                "label_for_customers",
                json!(description_marker(cx, self.marker)),
            );
        }
        if self.owner == Owner::Ticket {
            set("customers_can_edit", json!(false));
            set("displayed_to_customers", json!(false));
        }
        if !self.choices.is_empty() {
            let choice = |(at, text): (usize, &String)| json!({"value": text, "position": at + 1});
            let choices: Vec<Value> = self.choices.iter().enumerate().map(choice).collect();
            set("choices", json!(choices));
        }
        body
    }

    /// Whether a field is the wanted one.
    fn is(&self, field: &FieldDefinition) -> bool {
        field.label == self.label
            && field.kind == self.kind
            && !field.is_default
            && !is_of_another(&field.label_for_customers, self.marker)
    }

    fn target(&self, field: &FieldDefinition) -> FieldTarget {
        FieldTarget {
            on: Some(self.owner),
            object: None,
            name: field.name.clone(),
            kind: field.kind.clone(),
            exact: None,
            choices: BTreeMap::new(),
        }
    }
}

/// Whether a label for customers is that of a field made for another record: two fields of the source may have one label and
/// type, and their values must not meet in one field.
fn is_of_another(label: &str, marker: &str) -> bool {
    let migrated = label.rsplit_once(DESCRIBED);
    migrated.is_some_and(|(_, of)| of.split(" (run ").next() != Some(marker))
}

/// What of a field is compared before an undo.
pub fn field_facets(field: &FieldDefinition) -> Vec<(String, String)> {
    let mut texts = field.texts();
    texts.sort();
    vec![
        ("label".to_owned(), field.label.clone()),
        ("type".to_owned(), field.kind.clone()),
        ("choices".to_owned(), texts.join(",")),
    ]
}

/// Finds or makes a field. `known` is the owner's list, read in this unit, and is kept up to date. `Err` inside is a refusal.
///
/// # Errors
/// What ends the unit.
pub async fn field(
    cx: &Context,
    item: &str,
    part: &str,
    in_doubt_since: Option<i64>,
    wanted: &Wanted<'_>,
    known: &mut Vec<FieldDefinition>,
) -> Result<Result<(FieldDefinition, Effect), Status>, Error> {
    let kind = wanted.owner.field_kind();
    let lost = |field: &FieldDefinition| {
        in_doubt_since.is_some() && is_of_run(cx, Some(&field.label_for_customers))
    };
    if let Some(found) = known.iter().find(|field| wanted.is(field) && !lost(field)) {
        let effect = effect(
            part,
            kind,
            wanted.target(found).to_string(),
            Action::Matched,
        );
        return Ok(Ok((found.clone(), effect)));
    }
    let find = async || {
        let fields = all_fields(cx, wanted.owner).await?;
        Ok(fields.into_iter().find(|field| wanted.is(field)))
    };
    let ours = |field: &FieldDefinition| is_of_run(cx, Some(&field.label_for_customers));
    let mut path = wanted.owner.fields_path();
    let mut other = wanted.owner.other_fields_path();
    let mut marked = true;
    let mut refused = Refusal::default();
    for step in ["create", "create:1", "create:2"] {
        let body = wanted.body(cx, marked);
        let request = cx
            .http()
            .write("POST", path, key(item, part, step))
            .json(&body);
        match WRITES.make(in_doubt_since, request, find, ours).await? {
            Creation::There(found, proof, key) => {
                // It was read as missing in this unit, before the first send (rule D-4).
                let absent = in_doubt_since.is_none().then_some(Proof::AbsentBefore);
                let found = stored(cx, wanted, found).await?;
                let target = wanted.target(&found).to_string();
                let mut effect = made(part, kind, target, proof.or(absent), key);
                effect.fingerprint = Some(map::print(&field_facets(&found)));
                known.push(found.clone());
                return Ok(Ok((found, effect)));
            }
            Creation::Refused(refusal) => refused = refusal,
            Creation::Unsettled => {
                let why = "a field whose creation was not answered".to_owned();
                return Ok(Err(Status::Unsettled(why)));
            }
        }
        // Which of the two paths is there is not known, nor whether a company field has a label for customers (Freshdesk
        // facts §9).
        match (refused.status, other.take()) {
            (404 | 405, Some(admin)) => path = admin,
            (_, left)
                if marked
                    && refused
                        .about("label_for_customers", "invalid_field")
                        .is_some() =>
            {
                marked = false;
                other = left;
            }
            _ => break,
        }
    }
    Ok(Err(Status::Rejected(refused.rejection())))
}

/// Waits until the choices of a field that has many are stored. Only ticket fields say so.
async fn stored(
    cx: &Context,
    wanted: &Wanted<'_>,
    field: FieldDefinition,
) -> Result<FieldDefinition, Error> {
    let mut field = field;
    for _ in 0..CHOICES_LOOKS {
        let many = wanted.choices.len() > CHOICES_AT_ONCE;
        let lacking = many && field.texts().len() < wanted.choices.len();
        if !field.field_update_in_progress && !lacking {
            break;
        }
        cx.sleep(CHOICES_POLL_MS).await;
        let now = all_fields(cx, wanted.owner).await?;
        match now.into_iter().find(|now| now.name == field.name) {
            Some(now) => field = now,
            None => break,
        }
    }
    Ok(field)
}

/// Field definitions.
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let mut known: BTreeMap<Owner, Vec<FieldDefinition>> = BTreeMap::new();
    let mut objects: Option<Vec<Schema>> = None;
    // Labels that items of this unit have got: company fields have no marker.
    let mut taken: BTreeSet<(Owner, String)> = BTreeSet::new();
    for (item, definition) in each::<Definition>(cx, items) {
        if let (Kind::CustomObject, Some(object)) =
            (&definition.owner.kind, &definition.owner.object_type)
        {
            if objects.is_none() {
                objects = Some(schemas(cx).await?.unwrap_or_default());
            }
            let schema = schema_of(&config, objects.as_deref().unwrap_or_default(), object);
            object_field(cx, item, definition, schema);
            continue;
        }
        let Some(owner) = Owner::of(&definition.owner.kind) else {
            let note = "Freshdesk has no fields there; values stand on the source card";
            let losses = vec![loss("field-definition.owner", Fidelity::Converted, note)];
            let status = Status::Exported(exported_as(&Kind::FieldDefinition));
            report(cx, item, status, Vec::new(), losses);
            continue;
        };
        if let Entry::Vacant(place) = known.entry(owner) {
            place.insert(all_fields(cx, owner).await?);
        }
        if let Some(list) = known.get_mut(&owner) {
            one_field(cx, item, definition, owner, list, &mut taken).await?;
        }
    }
    Ok(())
}

async fn one_field(
    cx: &Context,
    item: &Item,
    definition: &Definition,
    owner: Owner,
    known: &mut Vec<FieldDefinition>,
    taken: &mut BTreeSet<(Owner, String)>,
) -> Result<(), Error> {
    let mut losses = Vec::new();
    let (kind, exact) = map::field_type(&definition.field_type, !definition.options.is_empty());
    let pairs = match kind {
        "custom_dropdown" => map::choices(
            &definition.options,
            definition.field_type == FieldType::Tree,
        ),
        _ => Vec::new(),
    };
    let label = match definition.label.trim() {
        "" => definition.name.clone(),
        label => label.to_owned(),
    };
    let mut wanted = Wanted {
        owner,
        label: label.clone(),
        kind,
        choices: pairs.iter().map(|(_, text)| text.clone()).collect(),
        marker: &item.marker,
    };
    // Another field of the source, or one of another type, may have the label.
    let there = known.iter().any(|field| wanted.is(field));
    let in_use = taken.contains(&(owner, label.clone()))
        || (!there && known.iter().any(|field| field.label == label));
    if in_use {
        wanted.label = format!("{label} ({})", definition.name);
    }
    taken.insert((owner, wanted.label.clone()));
    let since = item.in_doubt_since;
    let (found, mut main) = match field(cx, &item.key, "main", since, &wanted, known).await? {
        Ok(there) => there,
        Err(status) => {
            report(cx, item, status, Vec::new(), losses);
            return Ok(());
        }
    };
    let mut target = wanted.target(&found);
    let texts = found.texts();
    for (stored, text) in &pairs {
        let there = [text, stored].into_iter().find(|text| texts.contains(text));
        match there {
            Some(there) if there != stored => {
                target.choices.insert(stored.clone(), there.clone());
            }
            Some(_) => {}
            None => {
                let note = "the field that was there has not this option: values of it are on the source card";
                losses.push(loss("field-definition.options", Fidelity::Lost, note));
            }
        }
    }
    let mut effects = Vec::new();
    if exact {
        let beside = Wanted {
            label: format!("{} (exact)", wanted.label),
            kind: "custom_text",
            choices: Vec::new(),
            ..wanted.clone()
        };
        match field(cx, &item.key, "exact", since, &beside, known).await? {
            Ok((field, effect)) => {
                target.exact = Some(field.name);
                effects.push(effect);
            }
            Err(_) => {
                let note = "no text field for the exact time; only the day is kept";
                losses.push(loss("field-definition.field-type", Fidelity::Lost, note));
            }
        }
    }
    if definition.required {
        let note = "made optional: a required field refuses migrated tickets";
        losses.push(loss("field-definition.required", Fidelity::Lost, note));
    }
    main.target_id = target.to_string();
    let status = status_of(main.action);
    effects.insert(0, main);
    report(cx, item, status, effects, losses);
    Ok(())
}

// ---- custom objects

/// What an administrator makes for each object type, beside the fields of the source: label, type and what it is for.
pub mod sheet {
    /// Our marker; a record is found by it.
    pub const MARKER: &str = "Source ID";
    /// What the record is called.
    pub const TITLE: &str = "Title";
    /// Whom it belongs to.
    pub const CUSTOMER: &str = "Customer";
    /// Which company it belongs to.
    pub const COMPANY: &str = "Company";
    /// Which conversation it belongs to.
    pub const TICKET: &str = "Ticket";
    /// When the source says that it was made.
    pub const CREATED: &str = "Created in the source";
    /// The run that made it.
    pub const RUN: &str = "Migration run";
    /// What points to it and no lookup shows.
    pub const LINKS: &str = "Linked from";
    /// What else it had.
    pub const CARD: &str = "Source card";
    /// All of them with their types.
    pub const ALL: [(&str, &str); 9] = [
        (MARKER, "PRIMARY"),
        (TITLE, "TEXT"),
        (CUSTOMER, "RELATIONSHIP"),
        (COMPANY, "RELATIONSHIP"),
        (TICKET, "RELATIONSHIP"),
        (CREATED, "TEXT"),
        (RUN, "TEXT"),
        (LINKS, "PARAGRAPH"),
        (CARD, "PARAGRAPH"),
    ];
}

const TO_MAKE: &str = "no custom object of this name: an administrator makes it under Admin › Custom objects before the run, with the \
     fields Source ID (primary), Title (text), Customer (lookup of contacts), Company (lookup of companies), Ticket (lookup of \
     tickets), Created in the source (text), Migration run (text), Linked from (paragraph), Source card (paragraph) and those of \
     the source; its records are exported until then";
const NO_PRIMARY: &str = "the custom object has no primary field, without which its records cannot be known again: they are exported";
const LACKS: &str = "the custom object lacks a field of the sheet: what it would hold is on the source card, or missing";

/// Custom objects' schemas; `None` where the plan has none (Freshdesk facts §11).
///
/// # Errors
/// What ends the unit.
pub async fn schemas(cx: &Context) -> Result<Option<Vec<Schema>>, Error> {
    #[derive(Deserialize)]
    struct List {
        schemas: Vec<Schema>,
    }
    let request = cx.http().get("/api/v2/custom_objects/schemas");
    let reply = request.header("accept", "application/json").send().await?;
    if reply.status == 403 {
        let refusal: Refusal = http::refused(&reply)?;
        cx.log(
            transload_sdk::Level::Info,
            &format!("no custom objects: {}", refusal.code),
        );
        return Ok(None);
    }
    let Some(reply) = http::found::<Refusal>(reply)? else {
        return Ok(None);
    };
    let list: List = reply.json()?;
    let there = list.schemas.into_iter().filter(|schema| !schema.deleted);
    Ok(Some(there.collect()))
}

/// Letters and digits in lower case: what an administrator typed may differ in the rest.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

/// The schema that stands for an object type: the one that the settings name, else the one of its name.
pub fn schema_of<'s>(config: &Config, schemas: &'s [Schema], object: &str) -> Option<&'s Schema> {
    let wanted = config.objects.get(object).map_or(object, String::as_str);
    let by_id = schemas
        .iter()
        .find(|schema| schema.id.to_string() == wanted);
    by_id.or_else(|| {
        schemas
            .iter()
            .find(|schema| plain(&schema.name) == plain(wanted))
    })
}

impl Schema {
    /// The field of that name or label.
    pub fn field(&self, name: &str) -> Option<&SchemaField> {
        let name = plain(name);
        let same = |f: &&SchemaField| plain(&f.label) == name || plain(&f.name) == name;
        self.fields.iter().filter(|f| !f.deleted).find(same)
    }

    /// The field whose values are unique.
    pub fn primary(&self) -> Option<&SchemaField> {
        self.fields
            .iter()
            .find(|f| !f.deleted && f.kind == "PRIMARY")
    }
}

/// Object types: found by name; none can be made.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let schemas = schemas(cx).await?.unwrap_or_default();
    for (item, _) in each::<types::ObjectType>(cx, items) {
        let found = schema_of(&config, &schemas, &item.entry().head.id);
        let missing = |note| {
            let status = Status::Exported(exported_as(&Kind::ObjectType));
            let losses = vec![loss("object-type", Fidelity::Converted, note)];
            report(cx, item, status, Vec::new(), losses);
        };
        let Some(schema) = found else {
            missing(TO_MAKE);
            continue;
        };
        if schema.primary().is_none() {
            missing(NO_PRIMARY);
            continue;
        }
        let lacks = sheet::ALL.iter().skip(1);
        let losses: Vec<Loss> = lacks
            .filter(|(label, _)| schema.field(label).is_none())
            .map(|(label, _)| {
                loss(
                    format!("object-type.{}", plain(label)),
                    Fidelity::Converted,
                    LACKS,
                )
            })
            .collect();
        let main = effect(
            "main",
            "object_type",
            schema.id.to_string(),
            Action::Matched,
        );
        report(cx, item, Status::Matched, vec![main], losses);
    }
    Ok(())
}

/// The type that an administrator gives the field of a custom object, as a note.
fn sheet_note(definition: &Definition) -> &'static str {
    match &definition.field_type {
        FieldType::Text | FieldType::Link => {
            "an administrator makes it in the custom object as a text field; values stand on the source card until then"
        }
        FieldType::Integer => {
            "an administrator makes it in the custom object as a number field; values stand on the source card until then"
        }
        FieldType::Decimal => {
            "an administrator makes it in the custom object as a decimal field; values stand on the source card until then"
        }
        FieldType::Boolean => {
            "an administrator makes it in the custom object as a checkbox; values stand on the source card until then"
        }
        FieldType::Date | FieldType::Moment => {
            "an administrator makes it in the custom object as a date field; values stand on the source card until then"
        }
        FieldType::Choice | FieldType::Tree => {
            "an administrator makes it in the custom object as a dropdown of its values; values stand on the source card until then"
        }
        FieldType::Choices => {
            "an administrator makes it in the custom object as a multi-select of its values; values stand on the source card until then"
        }
        FieldType::Reference(reference) if !reference.multi => {
            "an administrator makes it in the custom object as a lookup; values stand on the source card until then"
        }
        FieldType::LongText | FieldType::Json | FieldType::Reference(_) | FieldType::Other(_) => {
            "an administrator makes it in the custom object as a paragraph; values stand on the source card until then"
        }
    }
}

/// A field of a custom object, found by name or label.
fn object_field(cx: &Context, item: &Item, definition: &Definition, schema: Option<&Schema>) {
    let field = schema.and_then(|schema| {
        let by_name = schema.field(&definition.name);
        let field = by_name.or_else(|| schema.field(&definition.label))?;
        Some((schema.id, field))
    });
    let Some((object, field)) = field.filter(|(_, field)| field.kind != "PRIMARY") else {
        let losses = vec![loss(
            "field-definition",
            Fidelity::Converted,
            sheet_note(definition),
        )];
        let status = Status::Exported(exported_as(&Kind::FieldDefinition));
        report(cx, item, status, Vec::new(), losses);
        return;
    };
    let texts = crate::api::choice_texts(&field.choices);
    let mut target = FieldTarget {
        on: None,
        object: Some(object),
        name: field.name.clone(),
        kind: field.kind.clone(),
        exact: None,
        choices: BTreeMap::new(),
    };
    let mut losses = Vec::new();
    let tree = definition.field_type == FieldType::Tree;
    for (stored, text) in map::choices(&definition.options, tree) {
        if texts.contains(&stored) || texts.is_empty() {
            continue;
        }
        if texts.contains(&text) {
            target.choices.insert(stored, text);
        } else {
            let note = "the custom object's field has not this option: values of it are on the source card";
            losses.push(loss("field-definition.options", Fidelity::Lost, note));
        }
    }
    let main = effect("main", "object_field", target.to_string(), Action::Matched);
    report(cx, item, Status::Matched, vec![main], losses);
}

// ---- words

/// Tags, which exist by being used: each is what Freshdesk takes, and two that become one are said so.
///
/// # Errors
/// None of its own.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let notes = TagNotes {
        color: "Freshdesk has no colours of tags",
        rewritten: "written as a tag is: 32 characters, no commas; a longer one ends in its digest",
        // Freshdesk does not mind the case (Freshdesk facts §10).
        same: "another tag of the source is the same tag in Freshdesk",
    };
    tags_as_words(cx, items, map::tag, notes);
    Ok(())
}

/// Brands as products, found by name. None is made: a product needs a mailbox that only a person can choose.
///
/// # Errors
/// What ends the unit.
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    for (item, brand) in each::<types::Brand>(cx, items) {
        match state.products.get(&brand.name.trim().to_lowercase()) {
            Some(id) => {
                let main = effect("main", "product", id.to_string(), Action::Matched);
                report(cx, item, Status::Matched, vec![main], Vec::new());
            }
            None => {
                let note = "no product of that name: its tickets have none, and the source card names the brand";
                let losses = vec![loss("brand.name", Fidelity::Converted, note)];
                let status = Status::Exported(exported_as(&Kind::Brand));
                report(cx, item, status, Vec::new(), losses);
            }
        }
    }
    Ok(())
}
