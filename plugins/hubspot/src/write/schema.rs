//! Properties and custom objects: found before they are made.
//!
//! A property's name is taken for ninety days after it was deleted (HubSpot facts §10.3): the next one has a number behind its
//! name. New properties are optional always, and an enumeration has the options of the source's definition and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::effects::described;
use transload_sdk::fields::option_label;
use transload_sdk::http::{self, Creation, Making, Refusal as _, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{
    Error, Fidelity, FieldDefinition as Definition, FieldType, Kind, Loss, ObjectType,
};

use super::{description_marker, effect, export, is_of_run, made, report, status_of};
use crate::api::{Choice, Fault, Property, Schema};
use crate::client::{self, SETTLE_MS};
use crate::map::{self, FieldKind, FieldTarget, loss};
use crate::own::{self, GROUP, Own, OwnType};
use crate::state::{Config, State, Tags};

/// What effects call a property.
pub const PROPERTY: &str = "property";
/// What effects call a group of properties: `contacts/transload`.
pub const PROPERTY_GROUP: &str = "property-group";
/// What effects call a custom object: `p12_order`.
pub const SCHEMA: &str = "schema";
/// Options of an enumeration (HubSpot facts §10.3 [MEM]).
pub const OPTIONS: usize = 5_000;
/// Characters of a description; no limit is known.
const DESCRIPTION_CHARS: usize = 1_000;
/// Names that are tried for one property.
const NAMES: u32 = 20;

/// A property to be made.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// The object type it sits on.
    pub object: String,
    /// Its name.
    pub name: String,
    /// What people read.
    pub label: String,
    /// The group it is in.
    pub group: String,
    /// Its type.
    pub kind: FieldKind,
    /// Several lines.
    pub long: bool,
    /// Whether it is the unique marker.
    pub unique: bool,
    /// Words for a person, before the marker.
    pub description: Option<&'a str>,
    /// Stored values and labels.
    pub options: Vec<(String, String)>,
    /// Our marker.
    pub marker: &'a str,
}

impl<'a> Wanted<'a> {
    /// A property of the connector's own.
    pub fn own(object: &str, (name, label, kind): Own, config: &Config, marker: &'a str) -> Self {
        let tags_chosen = kind == OwnType::Tags && config.tags == Tags::Checkbox;
        Self {
            object: object.to_owned(),
            name: name.to_owned(),
            label: label.to_owned(),
            group: GROUP.to_owned(),
            kind: match kind {
                OwnType::Time => FieldKind::DateTime,
                OwnType::Tags if tags_chosen => FieldKind::Choices,
                _ => FieldKind::Text,
            },
            long: matches!(kind, OwnType::Long | OwnType::Tags),
            unique: kind == OwnType::Marker,
            description: None,
            options: Vec::new(),
            marker,
        }
    }

    /// As effects name it.
    pub fn target(&self) -> String {
        FieldTarget {
            object: self.object.clone(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            choices: Vec::new(),
        }
        .to_string()
    }

    /// As it is sent (HubSpot facts §10.1, §10.2).
    pub fn body(&self, cx: &Context) -> Value {
        let (kind, shown) = match &self.kind {
            FieldKind::Text if self.long => ("string", "textarea"),
            FieldKind::Text => ("string", "text"),
            FieldKind::Number => ("number", "number"),
            FieldKind::Bool => ("bool", "booleancheckbox"),
            FieldKind::Date => ("date", "date"),
            FieldKind::DateTime => ("datetime", "date"),
            FieldKind::Choice => ("enumeration", "select"),
            FieldKind::Choices => ("enumeration", "checkbox"),
            FieldKind::Other(word) => (word.as_str(), "text"),
        };
        let description = described(cx, self.description, self.marker, DESCRIPTION_CHARS);
        let mut body = json!({
            "name": self.name, "label": self.label, "groupName": self.group, "type": kind, "fieldType": shown,
            "description": description, "formField": false,
        });
        let options = match &self.kind {
            FieldKind::Bool => options(&[pair("true", "Yes"), pair("false", "No")]),
            _ => options(&self.options),
        };
        if let Some(members) = body.as_object_mut() {
            if matches!(
                self.kind,
                FieldKind::Bool | FieldKind::Choice | FieldKind::Choices
            ) {
                members.insert("options".to_owned(), options);
            }
            if self.unique {
                members.insert("hasUniqueValue".to_owned(), json!(true));
            }
        }
        body
    }
}

fn pair(value: &str, label: &str) -> (String, String) {
    (value.to_owned(), label.to_owned())
}

/// Options as they are sent: all of a property's, since one that is left out disappears (HubSpot facts §10.4).
pub fn options(list: &[(String, String)]) -> Value {
    let option = |(at, (value, label)): (usize, &(String, String))| json!({"label": label, "value": value, "displayOrder": at, "hidden": false});
    Value::Array(list.iter().enumerate().map(option).collect())
}

/// A property by its name; `None` where there is none, or it is in the recycle bin.
///
/// # Errors
/// What ends the unit.
pub async fn property(cx: &Context, object: &str, name: &str) -> Result<Option<Property>, Error> {
    let path = client::properties(object, &format!("/{}", http::segment(name)));
    let found: Option<Property> = client::find(cx, &path).await?;
    Ok(found.filter(|property| !property.archived))
}

/// Makes a property, by the first of its names that is free. `Err` inside is a refusal.
///
/// # Errors
/// What ends the unit.
pub async fn make_property(
    cx: &Context,
    item: &Item,
    wanted: &Wanted<'_>,
) -> Result<Result<Effect, Status>, Error> {
    let mut last = Fault::default();
    for number in 1..=NAMES {
        let wanted = Wanted {
            name: numbered(&wanted.name, number),
            ..wanted.clone()
        };
        let step = match number {
            1 => "create".to_owned(),
            n => format!("create-{n}"),
        };
        let request = cx
            .http()
            .write(
                "POST",
                client::properties(&wanted.object, ""),
                key(&item.key, "main", step),
            )
            .json(&wanted.body(cx));
        let find = async || property(cx, &wanted.object, &wanted.name).await;
        let ours = |property: &Property| is_of_run(cx, property.description.as_deref());
        let making = Making {
            in_doubt_since: item.in_doubt_since,
            settle_ms: SETTLE_MS,
            created: 201,
        };
        match http::make::<Property, Fault>(request, making, |r| r.json(), find, ours).await? {
            Creation::There(property, proof, key) => {
                let takes = FieldKind::of(&property).takes(&wanted.kind);
                if proof.is_some() || takes {
                    return Ok(Ok(made("main", PROPERTY, wanted.target(), proof, key)));
                }
            }
            Creation::Refused(fault) if fault.exists() => {
                if let Some(there) = find().await?
                    && FieldKind::of(&there).takes(&wanted.kind)
                {
                    return Ok(Ok(effect(
                        "main",
                        PROPERTY,
                        wanted.target(),
                        Action::Matched,
                    )));
                }
                // It is in the recycle bin, or of another type.
                last = fault;
            }
            Creation::Refused(fault) => return Ok(Err(Status::Rejected(fault.rejection()))),
            Creation::Unsettled => {
                let why = "the answer to its creation was not seen".to_owned();
                return Ok(Err(Status::Unsettled(why)));
            }
        }
    }
    Ok(Err(Status::Rejected(last.rejection())))
}

/// A name with a number behind it.
pub fn numbered(name: &str, number: u32) -> String {
    match number {
        1 => name.to_owned(),
        n => {
            let end = format!("_{n}");
            let kept: String = name.chars().take(100 - end.len()).collect();
            format!("{kept}{end}")
        }
    }
}

// ---- custom fields

/// Custom fields of the source as properties.
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let mut known: BTreeMap<String, Vec<Property>> = BTreeMap::new();
    for (item, definition) in each::<Definition>(cx, items) {
        let Some(object) = object_of(&state, definition) else {
            export(cx, item);
            continue;
        };
        if !known.contains_key(&object) {
            let list = client::list(cx, &client::properties(&object, "")).await?;
            known.insert(object.clone(), list);
        }
        let there = known.get(&object).map(Vec::as_slice).unwrap_or_default();
        let mut losses = Vec::new();
        let wanted = wanted(item, definition, &object, there, &mut losses);
        let found = match &item.existing {
            Some(candidate) => FieldTarget::parse(&candidate.target_id)
                .and_then(|target| there.iter().find(|p| p.name == target.name)),
            None => there.iter().find(|property| property.name == wanted.name),
        };
        // What an earlier attempt of this run made is looked up as such.
        let lost = |property: &&Property| {
            item.in_doubt_since.is_some() && is_of_run(cx, property.description.as_deref())
        };
        if let Some(property) = found.filter(|property| !lost(property)) {
            matched(cx, item, definition, &object, property, losses);
            continue;
        }
        match make_property(cx, item, &wanted).await? {
            Ok(mut main) => {
                pair_choices(definition, &wanted.options, &mut main);
                report(cx, item, status_of(main.action), vec![main], losses);
            }
            Err(status) => report(cx, item, status, Vec::new(), losses),
        }
    }
    Ok(())
}

/// The object type that has the fields of a kind; `None` where none has.
fn object_of(state: &State, definition: &Definition) -> Option<String> {
    Some(match &definition.owner.kind {
        Kind::Conversation => "tickets".to_owned(),
        Kind::Customer => "contacts".to_owned(),
        Kind::Company => "companies".to_owned(),
        Kind::CustomObject => state.object_of(definition.owner.object_type.as_deref()?),
        _ => return None,
    })
}

/// The property that a definition wants. A name that is taken by a property of another type gets a digest behind it.
fn wanted<'a>(
    item: &'a Item,
    definition: &'a Definition,
    object: &str,
    there: &[Property],
    losses: &mut Vec<Loss>,
) -> Wanted<'a> {
    let kind = FieldKind::wanted(&definition.field_type, !definition.options.is_empty());
    let options = option_list(definition, &kind, losses);
    let plain = map::property_name(&definition.name);
    let of_name = there.iter().find(|property| property.name == plain);
    let taken = of_name.is_some_and(|property| !FieldKind::of(property).takes(&kind));
    let name = if taken {
        let kept: String = plain.chars().take(90).collect();
        format!("{kept}_{}", map::short_hash(&definition.name))
    } else {
        plain
    };
    if definition.required {
        let note = "made optional: a required property refuses records";
        losses.push(loss("field-definition.required", Fidelity::Lost, note));
    }
    // A custom object has no group of ours: its properties are in its own.
    let group = match own::is_custom(object) {
        true => there
            .iter()
            .find(|property| property.name == own::SOURCE_ID)
            .map(|property| property.group_name.clone()),
        false => None,
    };
    let long = matches!(
        definition.field_type,
        FieldType::LongText
            | FieldType::Json
            | FieldType::Choices
            | FieldType::Reference(_)
            | FieldType::Other(_)
    );
    Wanted {
        object: object.to_owned(),
        name,
        label: map::label(&definition.label, &definition.name),
        group: group.unwrap_or_else(|| GROUP.to_owned()),
        kind,
        long,
        unique: false,
        description: definition.description.as_deref(),
        options,
        marker: &item.marker,
    }
}

/// A definition whose property is there, made by a person or by an earlier run.
fn matched(
    cx: &Context,
    item: &Item,
    definition: &Definition,
    object: &str,
    property: &Property,
    mut losses: Vec<Loss>,
) {
    let kind = FieldKind::of(property);
    let chosen = kind.is_chosen();
    let target = FieldTarget {
        object: object.to_owned(),
        name: property.name.clone(),
        kind,
        choices: Vec::new(),
    };
    let mut main = effect("main", PROPERTY, target.to_string(), Action::Matched);
    let pairs: Vec<(String, String)> = property
        .options
        .iter()
        .map(|option| (option.value.clone(), option.label.clone()))
        .collect();
    let all = pair_choices(definition, &pairs, &mut main);
    if chosen && !all {
        let note = "the property that is there takes only its own choices, and has not all of these: values of others are on the source card";
        losses.push(loss("field-definition.options", Fidelity::Converted, note));
    }
    report(cx, item, Status::Matched, vec![main], losses);
}

/// Writes into an effect which choice of the source is which here, where the stored value is another one; whether all are there.
fn pair_choices(definition: &Definition, there: &[(String, String)], main: &mut Effect) -> bool {
    let Some(mut target) = FieldTarget::parse(&main.target_id) else {
        return true;
    };
    if !target.kind.is_chosen() {
        return true;
    }
    let mut all = true;
    for option in &definition.options {
        if there.iter().any(|(value, _)| *value == option.value) {
            continue;
        }
        let label = option_label(definition, option, map::PATH_SEPARATOR);
        let stored = map::option_value(&option.value);
        let same = there
            .iter()
            .find(|(value, _)| *value == stored)
            .or_else(|| there.iter().find(|(_, of)| *of == label));
        match same {
            Some((value, _)) => target.choices.push((option.value.clone(), value.clone())),
            None => all = false,
        }
    }
    main.target_id = target.to_string();
    all
}

/// The options of a new property, whose values and labels are all different (HubSpot facts §10.3).
fn option_list(
    definition: &Definition,
    kind: &FieldKind,
    losses: &mut Vec<Loss>,
) -> Vec<(String, String)> {
    if !kind.is_chosen() {
        return Vec::new();
    }
    let (mut values, mut labels) = (BTreeSet::new(), BTreeSet::new());
    let mut list = Vec::new();
    for option in definition.options.iter().take(OPTIONS) {
        let value = map::option_value(&option.value);
        if !values.insert(value.clone()) {
            continue;
        }
        let mut label = option_label(definition, option, map::PATH_SEPARATOR);
        if !labels.insert(label.clone()) {
            label = format!("{label} ({value})");
            labels.insert(label.clone());
        }
        list.push((value, label));
    }
    if list.len() < definition.options.len() {
        let note = "not all choices are in the list, which holds 5,000: values of others are on the source card";
        losses.push(loss("field-definition.options", Fidelity::Converted, note));
    }
    list
}

// ---- object types

/// A custom object's schema; `None` where there is none, or it is archived.
///
/// # Errors
/// What ends the unit.
pub async fn schema(cx: &Context, object: &str) -> Result<Option<Schema>, Error> {
    let path = client::schemas(&format!("/{}", http::segment(object)));
    let found: Option<Schema> = client::find(cx, &path).await?;
    Ok(found.filter(|schema| !schema.archived))
}

/// Object types as custom objects, with the connector's own properties in them.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    for (item, object) in each::<ObjectType>(cx, items) {
        let name = map::object_name(&item.entry().head.id);
        let full = state.object_of(&item.entry().head.id);
        let mut losses = Vec::new();
        if object.icon.is_some() {
            let note = "custom objects have no icon of their own";
            losses.push(loss("object-type.icon", Fidelity::Lost, note));
        }
        let lost = item.in_doubt_since.is_some();
        let there = schema(cx, &full).await?;
        let ours = |schema: &Schema| lost && is_of_run(cx, schema.description.as_deref());
        let ended = match there.filter(|schema| !ours(schema)) {
            Some(there) => equip(cx, &config, item, &full, &there).await?,
            None => new_object(cx, &config, item, object, (&name, &full)).await?,
        };
        match ended {
            Ok(effects) => {
                let main = effects.first().map_or(Action::Matched, |main| main.action);
                let made = effects
                    .iter()
                    .any(|effect| effect.action == Action::Created);
                let status = match main {
                    Action::Matched if made => Status::Updated,
                    action => status_of(action),
                };
                report(cx, item, status, effects, losses);
            }
            Err(status) => report(cx, item, status, Vec::new(), losses),
        }
    }
    Ok(())
}

async fn new_object(
    cx: &Context,
    config: &Config,
    item: &Item,
    object: &ObjectType,
    (name, full): (&str, &str),
) -> Result<Result<Vec<Effect>, Status>, Error> {
    let singular = map::label(&object.label, &object.name);
    let plural = object.label_plural.as_deref().unwrap_or(&singular);
    let marker = description_marker(cx, &item.marker);
    let description = match &object.description {
        Some(words) => format!("{words}\n{marker}"),
        None => marker,
    };
    let properties: Vec<Value> = own::of_object(full)
        .iter()
        .map(|own| {
            let mut body = Wanted::own(full, *own, config, &item.marker).body(cx);
            // They are in the object's own group.
            if let Some(members) = body.as_object_mut() {
                members.remove("groupName");
            }
            body
        })
        .collect();
    let body = json!({
        "name": name,
        "labels": {"singular": singular, "plural": map::label(plural, plural)},
        "description": description,
        "primaryDisplayProperty": own::TITLE,
        "secondaryDisplayProperties": [],
        "searchableProperties": [own::TITLE, own::SOURCE_ID],
        "requiredProperties": [own::TITLE],
        "properties": properties,
        "associatedObjects": ["CONTACT", "COMPANY", "TICKET"],
    });
    let request = cx
        .http()
        .write(
            "POST",
            client::schemas(""),
            key(&item.key, "main", "create"),
        )
        .json(&body);
    let find = async || schema(cx, full).await;
    let ours = |schema: &Schema| is_of_run(cx, schema.description.as_deref());
    let making = Making {
        in_doubt_since: item.in_doubt_since,
        settle_ms: SETTLE_MS,
        created: 201,
    };
    Ok(
        match http::make::<Schema, Fault>(request, making, |r| r.json(), find, ours).await? {
            Creation::There(_, proof, key) => Ok(vec![made("main", SCHEMA, full, proof, key)]),
            Creation::Refused(fault) if fault.exists() => {
                Err(Status::Rejected(Error::Conflict(format!(
                    "an archived custom object has this name or these labels, delete it for good in HubSpot first: {}",
                    fault.said()
                ))))
            }
            Creation::Refused(fault) => Err(Status::Rejected(fault.rejection())),
            Creation::Unsettled => Err(Status::Unsettled(
                "the answer to its creation was not seen".to_owned(),
            )),
        },
    )
}

/// Makes what own properties an object lacks that is there.
async fn equip(
    cx: &Context,
    config: &Config,
    item: &Item,
    object: &str,
    there: &Schema,
) -> Result<Result<Vec<Effect>, Status>, Error> {
    let mut effects = vec![effect("main", SCHEMA, object, Action::Matched)];
    let group = there
        .properties
        .iter()
        .find(|property| !property.hubspot_defined)
        .or(there.properties.first())
        .map(|property| property.group_name.clone());
    for own in own::of_object(object) {
        if there
            .properties
            .iter()
            .any(|property| property.name == own.0)
        {
            continue;
        }
        let wanted = Wanted {
            group: group.clone().unwrap_or_default(),
            ..Wanted::own(object, *own, config, &item.marker)
        };
        let part = format!("property:{}", own.0);
        let request = cx
            .http()
            .write(
                "POST",
                client::properties(object, ""),
                key(&item.key, part.as_str(), "create"),
            )
            .json(&wanted.body(cx));
        let find = async || property(cx, object, &wanted.name).await;
        let ours = |property: &Property| is_of_run(cx, property.description.as_deref());
        let making = Making {
            in_doubt_since: item.in_doubt_since,
            settle_ms: SETTLE_MS,
            created: 201,
        };
        match http::make::<Property, Fault>(request, making, |r| r.json(), find, ours).await? {
            Creation::There(_, proof, key) => {
                let proof = proof.or(Some(Proof::AbsentBefore));
                effects.push(made(&part, PROPERTY, wanted.target(), proof, key));
            }
            Creation::Refused(fault) => return Ok(Err(Status::Rejected(fault.rejection()))),
            Creation::Unsettled => {
                let why = "the answer to a property's creation was not seen".to_owned();
                return Ok(Err(Status::Unsettled(why)));
            }
        }
    }
    Ok(Ok(effects))
}

/// Options as pairs of value and label.
pub fn pairs(list: &[Choice]) -> Vec<(String, String)> {
    let mut list: Vec<&Choice> = list.iter().collect();
    list.sort_by_key(|option| option.display_order);
    list.into_iter()
        .map(|option| (option.value.clone(), option.label.clone()))
        .collect()
}
