//! Fields, options, custom objects, tags and brands: found before they are made.
//!
//! A field is known again by key (users, organizations, objects) or by title and type (tickets, which have no keys;
//! Zendesk facts §9). New fields are optional always: a field required to solve would refuse imports.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use transload_sdk::destination::Item;
use transload_sdk::effects::unsettled;
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::items::{TagNotes, tags_as_words};
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::types::{
    ChoiceOption, Entity, Error, Fidelity, FieldDefinition as Definition, FieldType, Kind, Loss,
    ObjectType, Value as Ours,
};
use transload_sdk::{Context, Level};

use super::keys::{Keys, is_taken};
use super::{
    Creation, DESCRIBED, WRITES, description_marker, effect, exported_as, is_of_run, made, reject,
    report,
};
use crate::api::{Brand, CustomObject, FieldDefinition, FieldOption, Refusal};
use crate::card::Card;
use crate::client;
use crate::map::{self, FieldOwner, FieldTarget, loss};
use crate::state::{State, own_field};

/// Options a field may have (Zendesk facts §9).
const OPTIONS: usize = 2_000;

/// All fields of an owner.
///
/// # Errors
/// What ends the unit.
pub async fn all_fields(cx: &Context, owner: &FieldOwner) -> Result<Vec<FieldDefinition>, Error> {
    Ok(fields_of(cx, owner).await?.unwrap_or_default())
}

/// The same; `None` where there is no such owner.
async fn fields_of(
    cx: &Context,
    owner: &FieldOwner,
) -> Result<Option<Vec<FieldDefinition>>, Error> {
    let member = format!("{}s", owner.word());
    // Not paginated without a page parameter (Zendesk facts §3).
    client::find_member(cx, &owner.path(), &member).await
}

/// Options of an owner's fields: value and label, by the field's address.
///
/// # Errors
/// What ends the unit.
pub async fn options(
    cx: &Context,
    owner: &FieldOwner,
) -> Result<BTreeMap<String, Vec<(String, String)>>, Error> {
    let fields = all_fields(cx, owner).await?;
    let pairs =
        |options: Vec<FieldOption>| options.into_iter().map(|o| (o.value, o.name)).collect();
    let with_options = fields
        .into_iter()
        .filter(|f| !f.custom_field_options.is_empty());
    Ok(with_options
        .map(|f| (address(owner, &f), pairs(f.custom_field_options)))
        .collect())
}

fn address(owner: &FieldOwner, field: &FieldDefinition) -> String {
    match owner {
        FieldOwner::Ticket => field.id.to_string(),
        _ => field.key.clone().unwrap_or_default(),
    }
}

/// A field to be made.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What it sits on.
    pub owner: FieldOwner,
    /// Key; tickets ignore it.
    pub key: String,
    /// Title.
    pub title: String,
    /// Zendesk's type.
    pub kind: String,
    /// Words for a person, before the marker.
    pub description: Option<&'a str>,
    /// Options.
    pub options: Vec<FieldOption>,
    /// Target of a lookup.
    pub lookup: Option<String>,
    /// Our marker.
    pub marker: &'a str,
}

impl<'a> Wanted<'a> {
    /// A field of the connector's own.
    pub fn own(owner: FieldOwner, (key, kind, title): (&str, &str, &str), marker: &'a str) -> Self {
        Self {
            owner,
            key: key.to_owned(),
            title: title.to_owned(),
            kind: kind.to_owned(),
            description: None,
            options: Vec::new(),
            lookup: None,
            marker,
        }
    }
}

/// Finds or makes a field. `known` is the owner's list and is kept up to date. `Err` inside is a refusal.
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
    let same = |field: &FieldDefinition| match wanted.owner {
        FieldOwner::Ticket => {
            field.title == wanted.title
                && field.kind == wanted.kind
                && field.removable != Some(false)
                && !is_of_another(field.agent_description.as_deref(), wanted.marker)
        }
        _ => field.key.as_deref() == Some(wanted.key.as_str()),
    };
    let word = wanted.owner.word();
    let target = |field: &FieldDefinition| FieldTarget {
        owner: wanted.owner.clone(),
        address: address(&wanted.owner, field),
        kind: field.kind.clone(),
        companion: None,
        choices: Vec::new(),
    };
    if in_doubt_since.is_none()
        && let Some(found) = known.iter().find(|field| same(field))
    {
        if found.kind != wanted.kind {
            let reason = format!("a field with this key is of type {}", found.kind);
            return Ok(Err(Status::Rejected(Error::Conflict(reason))));
        }
        let effect = effect(part, word, target(found).to_string(), Action::Matched);
        return Ok(Ok((found.clone(), effect)));
    }
    let marker = description_marker(cx, wanted.marker);
    let description = match wanted.description {
        Some(words) => format!("{words}\n{marker}"),
        None => marker,
    };
    let mut body = json!({"type": wanted.kind, "title": wanted.title});
    if wanted.owner == FieldOwner::Ticket {
        // `description` is what customers read.
        set(&mut body, "agent_description", json!(description));
    } else {
        set(&mut body, "key", json!(wanted.key));
        set(&mut body, "description", json!(description));
    }
    if !wanted.options.is_empty() {
        set(&mut body, "custom_field_options", json!(wanted.options));
    }
    if let Some(lookup) = &wanted.lookup {
        set(&mut body, "relationship_target_type", json!(lookup));
    }
    let mut envelope = json!({});
    set(&mut envelope, word, body);
    let request = cx
        .http()
        .write("POST", wanted.owner.path(), key(item, part, "create"))
        .json(&envelope);
    let find = async || {
        Ok(all_fields(cx, &wanted.owner)
            .await?
            .into_iter()
            .find(|f| same(f)))
    };
    let ours = |field: &FieldDefinition| {
        is_of_run(cx, field.description.as_deref())
            || is_of_run(cx, field.agent_description.as_deref())
    };
    match WRITES
        .of(word)
        .make(in_doubt_since, request, find, ours)
        .await?
    {
        Creation::There(found, proof, key) => {
            let mut effect = made(part, word, target(&found).to_string(), proof, key);
            effect.fingerprint = Some(map::print(&field_facets(&found)));
            known.push(found.clone());
            Ok(Ok((found, effect)))
        }
        Creation::Refused(refusal) => Ok(Err(Status::Rejected(refusal.rejection()))),
        Creation::Unsettled => Ok(Err(Status::Unsettled(
            "a field whose creation was not answered".to_owned(),
        ))),
    }
}

/// Whether a description is that of a field made for another record: two fields of the source may have one title and type,
/// and their values must not meet in one field.
pub(super) fn is_of_another(description: Option<&str>, marker: &str) -> bool {
    let migrated = description.and_then(|text| text.rsplit_once(DESCRIBED));
    migrated.is_some_and(|(_, of)| of.split(" (run ").next() != Some(marker))
}

/// What of a field is compared before an undo.
pub fn field_facets(field: &FieldDefinition) -> Vec<(String, String)> {
    let mut options: Vec<&str> = field
        .custom_field_options
        .iter()
        .map(|option| option.value.as_str())
        .collect();
    options.sort_unstable();
    vec![
        ("title".to_owned(), field.title.clone()),
        ("type".to_owned(), field.kind.clone()),
        ("options".to_owned(), options.join(",")),
    ]
}

fn set(body: &mut Value, name: &str, value: Value) {
    if let Some(map) = body.as_object_mut() {
        map.insert(name.to_owned(), value);
    }
}

/// Field definitions.
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let mut known: Vec<(FieldOwner, Vec<FieldDefinition>)> = Vec::new();
    let keys = Keys::read(cx).await?;
    for item in items {
        let entry = item.entry();
        let Entity::FieldDefinition(definition) = &entry.data else {
            reject(cx, item, Error::Bug("no field definition".to_owned()));
            continue;
        };
        let object_type = definition.owner.object_type.as_deref();
        let export = |how, note| {
            let losses = vec![loss("field-definition.owner", how, note)];
            let status = Status::Exported(exported_as(&item.entry().head.kind));
            report(cx, item, status, Vec::new(), losses);
        };
        let Some(owner) = FieldOwner::of(&definition.owner.kind, object_type, |of| keys.of(of))
        else {
            // Comments, groups and tags have no fields; their values stand on the source card.
            let note = "Zendesk has no fields there; values stand on the source card";
            export(Fidelity::Converted, note);
            continue;
        };
        let at = match known.iter().position(|(of, _)| *of == owner) {
            Some(at) => at,
            None => {
                let Some(there) = fields_of(cx, &owner).await? else {
                    export(Fidelity::Lost, "the account has no such custom object");
                    continue;
                };
                known.push((owner.clone(), there));
                known.len() - 1
            }
        };
        if let Some((_, list)) = known.get_mut(at) {
            one_field(cx, item, definition, owner, list, &keys).await?;
        }
    }
    Ok(())
}

async fn one_field(
    cx: &Context,
    item: &Item,
    definition: &Definition,
    owner: FieldOwner,
    known: &mut Vec<FieldDefinition>,
    keys: &Keys,
) -> Result<(), Error> {
    let mut losses = Vec::new();
    let (kind, companion) = map::field_type(
        &definition.field_type,
        &owner,
        !definition.options.is_empty(),
    );
    let options = option_list(definition, &kind, &mut losses);
    let lookup = match &definition.field_type {
        FieldType::Reference(reference) if kind == "lookup" => {
            map::lookup_target(reference, |of| keys.of(of))
        }
        _ => None,
    };
    let wanted = Wanted {
        owner: owner.clone(),
        key: map::key(&definition.name),
        title: map::title(&definition.label, &definition.name),
        kind,
        description: definition.description.as_deref(),
        options: options.clone(),
        lookup,
        marker: &item.marker,
    };
    let (found, mut main) =
        match field(cx, &item.key, "main", item.in_doubt_since, &wanted, known).await? {
            Ok(there) => there,
            Err(status) => {
                report(cx, item, status, Vec::new(), losses);
                return Ok(());
            }
        };
    let mut effects = Vec::new();
    let mut target = FieldTarget {
        owner: owner.clone(),
        address: address(&owner, &found),
        kind: found.kind.clone(),
        companion: None,
        choices: Vec::new(),
    };
    if main.action == Action::Matched {
        for (option, of_source) in options.iter().zip(&definition.options) {
            let there = &found.custom_field_options;
            let by_value = |o: &&FieldOption| {
                o.value == option.value || o.value == of_source.value || o.name == of_source.value
            };
            if there.iter().any(|o| by_value(&o)) {
                continue;
            }
            if let Some(same) = there.iter().find(|o| o.name == option.name) {
                let pair = (of_source.value.clone(), same.value.clone());
                target.choices.push(pair);
            } else {
                match add_option(cx, item, &owner, &found, option).await? {
                    Ok(effect) => effects.push(effect),
                    Err(note) => {
                        losses.push(loss("field-definition.options", Fidelity::Lost, note))
                    }
                }
            }
        }
    }
    if companion {
        let exact = Wanted {
            key: format!("{}_iso", wanted.key),
            title: format!("{} (exact)", wanted.title),
            kind: "text".to_owned(),
            options: Vec::new(),
            lookup: None,
            ..wanted.clone()
        };
        match field(cx, &item.key, "exact", item.in_doubt_since, &exact, known).await? {
            Ok((field, effect)) => {
                target.companion = Some(address(&owner, &field));
                effects.push(effect);
            }
            Err(_) => {
                let note = "no text field for the exact time; only the day is kept";
                losses.push(loss("field-definition.field-type", Fidelity::Lost, note));
            }
        }
    }
    if definition.required {
        let note = "made optional: a required field refuses imported tickets";
        losses.push(loss("field-definition.required", Fidelity::Lost, note));
    }
    main.target_id = target.to_string();
    let status = if main.action == Action::Created {
        Status::Created
    } else {
        Status::Matched
    };
    effects.insert(0, main);
    report(cx, item, status, effects, losses);
    Ok(())
}

fn option_list(definition: &Definition, kind: &str, losses: &mut Vec<Loss>) -> Vec<FieldOption> {
    if !matches!(kind, "tagger" | "dropdown" | "multiselect") {
        return Vec::new();
    }
    if definition.options.len() > OPTIONS {
        let note = "more than the 2,000 options that a field of Zendesk has";
        losses.push(loss("field-definition.options", Fidelity::Lost, note));
    }
    let made = definition
        .options
        .iter()
        .take(OPTIONS)
        .map(|option| FieldOption {
            id: None,
            name: option_name(definition, option),
            value: map::option_value(&definition.name, &option.value),
        });
    made.collect()
}

/// What people read. Of a tree it is the labels from the root down, `Shipping::Late`, which Zendesk shows as a tree (Zendesk
/// facts §9).
fn option_name(definition: &Definition, option: &ChoiceOption) -> String {
    let own = |option: &ChoiceOption| match option.label.as_str() {
        "" => option.value.clone(),
        label => label.to_owned(),
    };
    if definition.field_type != FieldType::Tree {
        return own(option);
    }
    let ends = option.value.match_indices(map::PATH_SEPARATOR);
    let above = ends.filter_map(|(end, _)| option.value.get(..end));
    let mut names: Vec<String> = Vec::new();
    for path in above {
        let node = definition.options.iter().find(|o| o.value == path);
        let last = path.rsplit(map::PATH_SEPARATOR).next().unwrap_or(path);
        names.push(node.map_or_else(|| last.to_owned(), own));
    }
    names.push(own(option));
    names.join("::")
}

async fn add_option(
    cx: &Context,
    item: &Item,
    owner: &FieldOwner,
    field: &FieldDefinition,
    option: &FieldOption,
) -> Result<Result<Effect, &'static str>, Error> {
    let FieldOwner::Ticket = owner else {
        // Only ticket fields take one more option; elsewhere a change must list all, which could remove somebody's.
        return Ok(Err(
            "the field that was there has not this option: values of it are on the source card",
        ));
    };
    let path = format!("{}/{}/options", owner.path(), field.id);
    let part = format!("option:{}", option.value);
    let request = cx
        .http()
        .write("POST", path.clone(), key(&item.key, part.clone(), "create"))
        .json(&json!({"custom_field_option": option}));
    let find = async || {
        let fields = all_fields(cx, owner).await?;
        let mut options = fields
            .into_iter()
            .filter(|f| f.id == field.id)
            .flat_map(|f| f.custom_field_options);
        Ok(options.find(|o| o.value == option.value))
    };
    Ok(
        match WRITES
            .of("custom_field_option")
            .make(None, request, find, |_| false)
            .await?
        {
            Creation::There(found, proof, key) => {
                let id = format!("{}/{}", field.id, found.id.unwrap_or_default());
                Ok(made(&part, "ticket_field_option", id, proof, key))
            }
            Creation::Refused(_) => {
                Err("Zendesk refused the option: values of it are on the source card")
            }
            Creation::Unsettled => Err("whether the option is there is not known"),
        },
    )
}

/// Custom objects with the fields that the connector needs on each.
///
/// # Errors
/// What ends the unit.
pub async fn object_types(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let keys = Keys::read(cx).await?;
    for item in items {
        let Entity::ObjectType(object) = &item.entry().data else {
            reject(cx, item, Error::Bug("no object type".to_owned()));
            continue;
        };
        let id = &item.entry().head.id;
        let mut losses = Vec::new();
        if object.icon.is_some() {
            losses.push(loss(
                "object-type.icon",
                Fidelity::Lost,
                "Zendesk has no icons of objects",
            ));
        }
        let known = keys.known(id).filter(|_| item.in_doubt_since.is_none());
        let main = match known {
            Some(key) => effect("main", "custom_object", key, Action::Matched),
            None => match make_object(cx, item, object).await? {
                Creation::There(key, proof, request) => {
                    made("main", "custom_object", key, proof, request)
                }
                Creation::Refused(refusal) => {
                    reject(cx, item, refusal.rejection());
                    continue;
                }
                Creation::Unsettled => {
                    let why = "an object whose creation was not answered";
                    unsettled(cx, item, why, losses);
                    continue;
                }
            },
        };
        let object_key = main.target_id.clone();
        let status = if main.action == Action::Created {
            Status::Created
        } else {
            Status::Matched
        };
        let mut effects = vec![main];
        own_object_fields(cx, item, &object_key, &mut effects, &mut losses).await?;
        report(cx, item, status, effects, losses);
    }
    Ok(())
}

/// Makes a custom object under the first key that is free.
async fn make_object(
    cx: &Context,
    item: &Item,
    object: &ObjectType,
) -> Result<Creation<String>, Error> {
    let title = map::title(&object.label, &object.name);
    let plural = object.label_plural.clone().unwrap_or_else(|| title.clone());
    let marker = description_marker(cx, &item.marker);
    let description = match &object.description {
        Some(words) => format!("{words}\n{marker}"),
        None => marker,
    };
    let mut refused = Refusal::default();
    for (at, object_key) in Keys::candidates(&item.entry().head.id).enumerate() {
        let body = json!({"custom_object": {
            "key": object_key, "title": title, "title_pluralized": plural,
            "description": description, "include_in_list_view": true,
        }});
        let step = match at {
            0 => "create".to_owned(),
            n => format!("create:{n}"),
        };
        let request = cx
            .http()
            .write(
                "POST",
                "/api/v2/custom_objects",
                key(&item.key, "main", step),
            )
            .json(&body);
        let path = format!("/api/v2/custom_objects/{object_key}");
        let find = async || client::find_member::<CustomObject>(cx, &path, "custom_object").await;
        let ours = |o: &CustomObject| is_of_run(cx, o.description.as_deref());
        match WRITES
            .of("custom_object")
            .make(item.in_doubt_since, request, find, ours)
            .await?
        {
            Creation::There(_, proof, request) => {
                return Ok(Creation::There(object_key, proof, request));
            }
            Creation::Refused(refusal) if is_taken(&refusal) => refused = refusal,
            Creation::Refused(refusal) => return Ok(Creation::Refused(refusal)),
            Creation::Unsettled => return Ok(Creation::Unsettled),
        }
    }
    Ok(Creation::Refused(refused))
}

async fn own_object_fields(
    cx: &Context,
    item: &Item,
    object: &str,
    effects: &mut Vec<Effect>,
    losses: &mut Vec<Loss>,
) -> Result<(), Error> {
    let owner = FieldOwner::Object(object.to_owned());
    let mut known = all_fields(cx, &owner).await?;
    for (key, kind, title, lookup) in own_field::OBJECT {
        let wanted = Wanted {
            lookup: lookup.map(str::to_owned),
            ..Wanted::own(owner.clone(), (key, kind, title), &item.marker)
        };
        match field(
            cx,
            &item.key,
            &format!("field:{key}"),
            item.in_doubt_since,
            &wanted,
            &mut known,
        )
        .await?
        {
            Ok((_, effect)) => effects.push(effect),
            Err(status) => {
                cx.log(Level::Warn, &format!("field {key} of {object}: {status:?}"));
                let note =
                    "a field that the connector needs could not be made: what it holds is missing";
                losses.push(loss("object-type", Fidelity::Lost, note));
            }
        }
    }
    Ok(())
}

/// Tags, which exist by being used: each is what Zendesk would make of it, and two that become one are said so.
///
/// # Errors
/// What ends the unit.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    // Letters and digits are what a tag needs; the original is named by its digest and in the report.
    let word =
        |name: &str| map::tag(name).unwrap_or_else(|| format!("tag_{}", map::short_hash(name)));
    let notes = TagNotes {
        color: "Zendesk has no colours of tags",
        rewritten: "written as a tag is: lower case, `_` for what is neither letter nor digit",
        same: "another tag of the source is the same tag in Zendesk",
    };
    tags_as_words(cx, items, word, notes);
    Ok(())
}

/// Brands, found by name. None is made: a brand needs a subdomain that only a person can choose.
///
/// # Errors
/// What ends the unit.
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    for item in items {
        let Entity::Brand(brand) = &item.entry().data else {
            reject(cx, item, Error::Bug("no brand".to_owned()));
            continue;
        };
        let mut losses = Vec::new();
        let found = state.brands.get(&brand.name.trim().to_lowercase()).copied();
        if found.is_none() {
            let note = "no brand of that name: its tickets get the default brand";
            losses.push(loss("brand.name", Fidelity::Converted, note));
        }
        match found.or(state.brand) {
            Some(id) => {
                let main = effect("main", "brand", id.to_string(), Action::Matched);
                report(cx, item, Status::Matched, vec![main], losses);
            }
            None => {
                let error = Error::NotFound("the account shows no brand".to_owned());
                reject(cx, item, error);
            }
        }
    }
    Ok(())
}

/// Brands by lower-case name, and the default one.
///
/// # Errors
/// What ends the unit.
pub async fn brand_list(cx: &Context) -> Result<(BTreeMap<String, u64>, Option<u64>), Error> {
    let brands: Vec<Brand> = client::list(cx, "/api/v2/brands", "brands").await?;
    let default = brands.iter().find(|b| b.is_default).map(|b| b.id);
    Ok((
        brands
            .into_iter()
            .map(|b| (b.name.trim().to_lowercase(), b.id))
            .collect(),
        default,
    ))
}

/// Fields of users, organizations or records out of a record's own fields: values by key, misfits as card rows.
pub fn keyed_fields(
    fields: &[transload_sdk::types::Field],
    options: &BTreeMap<String, Vec<(String, String)>>,
    values: &mut serde_json::Map<String, Value>,
    card: &mut Card,
    losses: &mut Vec<Loss>,
) {
    for field in fields {
        // A record in a lookup may be made after this one, and is linked when all are there. Whether it is there by now depends on
        // the order of loading; what a person reads here must not.
        let linked_later = matches!(&field.value, Ours::Reference(to) if to.kind == Kind::CustomObject)
            && field
                .target
                .as_deref()
                .and_then(FieldTarget::parse)
                .is_some_and(|target| target.kind == "lookup");
        if linked_later {
            card.field(field);
        }
        match map::place(field, options, card.words()) {
            Ok((target, value)) => {
                values.insert(target.address, value.json);
                if let (Some(text), Some(key)) = (value.companion, target.companion) {
                    values.insert(key, json!(text));
                }
            }
            Err(_) if linked_later => {}
            Err(misfit) => card.misfit(field, misfit, losses),
        }
    }
}

/// Whether a batch has values of options, so that the fields must be read once.
pub fn has_choices(items: &[Item]) -> bool {
    let is_choice = |target: &FieldTarget| {
        matches!(target.kind.as_str(), "tagger" | "dropdown" | "multiselect")
    };
    items
        .iter()
        .flat_map(|item| &item.entry().head.fields)
        .filter_map(|field| field.target.as_deref().and_then(FieldTarget::parse))
        .any(|target| is_choice(&target))
}
