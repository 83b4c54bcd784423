//! Fields, companies, brands and tags: found before they are made.
//!
//! An account has few active fields (25 of tickets, 4 of customers) and deletes none, so one is made only where there is room; what
//! gets none stands on the source card. Companies are no objects at Gorgias: they are exported, and each of their people has the
//! company's name in a field and its facts on the note (Gorgias facts §5, §9). A brand is a value of a ticket field.

use std::cmp::Reverse;

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{
    description_marker, effect, exported_as, is_of_run, made, name_within, print, report, status_of,
};
use transload_sdk::http::{Refusal as _, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::policy::canonical;
use transload_sdk::types::{
    self, Company, Error, Fidelity, Field as OwnField, FieldDefinition, FieldType, Kind, Loss,
};

use super::{Changed, Creation, WRITES, unsettled};
use crate::api::{Field, Tag};
use crate::client;
use crate::map::{self, Choices, FieldOwner, FieldTarget, NamedTarget};
use crate::state::Config;

/// What the field with a company's name is called.
pub const COMPANY_LABEL: &str = "Company";
/// What the field with a brand's name is called.
pub const BRAND_LABEL: &str = "Brand";
/// What stands for the company among the setting's names.
const COMPANY_NAME: &str = "company";
/// Bytes of what a company's people are told of it; what is longer is in the export only.
const COMPANY_BYTES: usize = 4_000;
/// Characters of a field's description (Gorgias facts §9).
const DESCRIPTION_CHARS: usize = 1_024;

/// Active fields of an owner, or archived ones.
///
/// # Errors
/// What ends the unit.
pub async fn fields_of(
    cx: &Context,
    owner: FieldOwner,
    archived: bool,
) -> Result<Vec<Field>, Error> {
    let path = format!(
        "/custom-fields?object_type={}&archived={archived}",
        owner.word()
    );
    let mut fields: Vec<Field> = client::list(cx, &path).await?;
    fields.retain(|field| field.deactivated_datetime.is_some() == archived);
    Ok(fields)
}

/// Choices of an owner's dropdowns, where one of these fields is one.
///
/// # Errors
/// What ends the unit.
pub async fn choices_for<'f>(
    cx: &Context,
    owner: FieldOwner,
    fields: impl IntoIterator<Item = &'f OwnField>,
) -> Result<Choices, Error> {
    if !map::needs_choices(fields) {
        return Ok(Choices::new());
    }
    let fields = fields_of(cx, owner, false).await?;
    let named = |field: &Field| {
        let choices = field.choices()?;
        Some((field.id, choices.into_iter().map(str::to_owned).collect()))
    };
    Ok(fields.iter().filter_map(named).collect())
}

/// What of a field is compared before an undo.
pub fn field_facets(field: &Field) -> Vec<(String, String)> {
    let mut choices = field.choices().unwrap_or_default();
    choices.sort_unstable();
    vec![
        ("label".to_owned(), field.label.clone()),
        ("type".to_owned(), field.data_type().to_owned()),
        ("choices".to_owned(), choices.join("\n")),
    ]
}

/// The body that archives a field, or brings it back.
pub fn activation(field: &Field, deactivated: Value) -> Value {
    json!({
        "object_type": field.object_type, "label": field.label, "definition": field.definition,
        "deactivated_datetime": deactivated,
    })
}

/// A field to be made.
struct Wanted<'a> {
    owner: FieldOwner,
    label: String,
    kind: &'static str,
    description: Option<&'a str>,
    choices: Vec<String>,
    marker: String,
}

/// The fields of one owner during a unit.
struct Shelf {
    owner: FieldOwner,
    active: Vec<Field>,
    /// Archived ones, once somebody asked.
    archived: Option<Vec<Field>>,
    limit: usize,
}

/// Where a wanted field is.
enum Placed {
    /// Here, by this effect, whose id is not yet the target.
    At(Box<Field>, Box<Effect>),
    /// Nowhere, and what the item is reported as.
    No(Status, &'static str),
}

const NO_ROOM: &str =
    "the account has no room for a further field: values stand on the source card";

impl Shelf {
    async fn new(cx: &Context, config: &Config, owner: FieldOwner) -> Result<Self, Error> {
        Ok(Self {
            owner,
            active: fields_of(cx, owner, false).await?,
            archived: None,
            limit: match owner {
                FieldOwner::Ticket => config.ticket_field_limit,
                FieldOwner::Customer => config.customer_field_limit,
            },
        })
    }

    fn is_full(&self) -> bool {
        self.active.len() >= self.limit
    }

    /// Finds or makes a field; an archived one of ours is brought back.
    async fn place(
        &mut self,
        cx: &Context,
        item: &Item,
        part: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Placed, Error> {
        let data_type = if wanted.kind == "dropdown" {
            "text"
        } else {
            wanted.kind
        };
        let external = map::external_id(&wanted.marker);
        let ours = |field: &Field| field.external_id.as_deref() == Some(external.as_str());
        let same = |field: &Field| {
            let like = field.label == wanted.label && field.data_type() == data_type;
            let is_dropdown = field.choices().is_some();
            let fits = wanted.kind == "dropdown" || !is_dropdown;
            // Two attributes of one label have a field each.
            let of_nobody = !field
                .external_id
                .as_deref()
                .is_some_and(|id| id.starts_with(&cx.marker_prefix()));
            ours(field) || (like && fits && of_nobody)
        };
        if let Some(found) = self.active.iter().find(|field| same(field)) {
            let lost = item.in_doubt_since.is_some() && ours(found);
            let effect = if lost && is_of_run(cx, found.description.as_deref()) {
                let key = key(&item.key, part, "create");
                let proof = transload_sdk::ledger::Proof::Marker(cx.run().to_owned());
                Effect {
                    fingerprint: Some(print(&field_facets(found))),
                    ..made(part, "custom_field", found.id.to_string(), Some(proof), key)
                }
            } else {
                effect(part, "custom_field", found.id.to_string(), Action::Matched)
            };
            return Ok(Placed::At(Box::new(found.clone()), Box::new(effect)));
        }
        if self.is_full() {
            return Ok(Placed::No(exported(item), NO_ROOM));
        }
        if self.archived.is_none() {
            self.archived = Some(fields_of(cx, self.owner, true).await?);
        }
        let archived = self
            .archived
            .iter()
            .flatten()
            .find(|field| ours(field))
            .cloned();
        let definition = map::field_definition(wanted.kind, &wanted.choices);
        if let Some(archived) =
            archived.filter(|a| canonical(&a.definition) == canonical(&definition))
        {
            return self.bring_back(cx, item, part, archived).await;
        }
        let marker = description_marker(cx, &wanted.marker);
        let words = wanted
            .description
            .map(|words| format!("{words}\n"))
            .unwrap_or_default();
        let room = DESCRIPTION_CHARS.saturating_sub(marker.chars().count());
        let body = json!({
            "object_type": self.owner.word(), "label": wanted.label, "external_id": external,
            "description": format!("{}{marker}", map::cut(&words, room).0),
            // A required field keeps agents from closing tickets (Gorgias facts §9).
            "required": false, "definition": definition,
        });
        let request = cx
            .http()
            .write("POST", "/custom-fields", key(&item.key, part, "create"))
            .json(&body);
        let find = async || {
            let all = fields_of(cx, self.owner, false).await?;
            Ok(all.into_iter().find(|field| ours(field)))
        };
        let of_run = |field: &Field| is_of_run(cx, field.description.as_deref());
        Ok(
            match WRITES
                .make(item.in_doubt_since, request, find, of_run)
                .await?
            {
                Creation::There(field, proof, key) => {
                    let mut effect = made(part, "custom_field", field.id.to_string(), proof, key);
                    effect.fingerprint = Some(print(&field_facets(&field)));
                    self.active.push(field.clone());
                    Placed::At(Box::new(field), Box::new(effect))
                }
                Creation::Refused(refusal) => Placed::No(
                    Status::Rejected(refusal.rejection()),
                    "the field was refused: values stand on the source card",
                ),
                Creation::Unsettled => {
                    let why = "a field whose creation was not answered".to_owned();
                    Placed::No(
                        Status::Unsettled(why),
                        "whether its field is there is not known",
                    )
                }
            },
        )
    }

    /// One of an earlier run, which a rollback could only archive.
    async fn bring_back(
        &mut self,
        cx: &Context,
        item: &Item,
        part: &str,
        archived: Field,
    ) -> Result<Placed, Error> {
        let path = format!("/custom-fields/{}", archived.id);
        let body = activation(&archived, Value::Null);
        let request = |step: &str| {
            let key = key(&item.key, part, step);
            cx.http().repeatable("PUT", path.clone(), key).json(&body)
        };
        let find = async || client::find::<Field>(cx, &path).await;
        let is_done = |field: &Field| field.deactivated_datetime.is_none();
        let done: Changed<Field> = WRITES.change(cx, request, find, is_done).await?;
        Ok(match done {
            Changed::Done(field, key) => {
                let effect = Effect {
                    key: Some(key),
                    before: Some(
                        json!({"deactivated_datetime": archived.deactivated_datetime}).to_string(),
                    ),
                    fingerprint: Some(print(&field_facets(&field))),
                    ..effect(part, "custom_field", field.id.to_string(), Action::Updated)
                };
                self.active.push(field.clone());
                Placed::At(Box::new(field), Box::new(effect))
            }
            Changed::Refused(refusal) => Placed::No(Status::Rejected(refusal.rejection()), NO_ROOM),
            Changed::Unknown => {
                let why = "a field that was not answered".to_owned();
                Placed::No(
                    Status::Unsettled(why),
                    "whether its field is there is not known",
                )
            }
        })
    }
}

fn exported(item: &Item) -> Status {
    Status::Exported(exported_as(&item.entry().head.kind))
}

// ---- custom attributes

/// Field definitions: the most used first, where nobody said which are to have one of the few customer fields.
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let mut wanted: Vec<(&Item, &FieldDefinition, FieldOwner)> = Vec::new();
    for (item, definition) in each::<FieldDefinition>(cx, items) {
        match FieldOwner::of(&definition.owner.kind) {
            Some(owner) => wanted.push((item, definition, owner)),
            None => {
                let note = "Gorgias has no fields there: values stand on the source card";
                let losses = vec![loss("field-definition.owner", Fidelity::Converted, note)];
                report(cx, item, exported(item), Vec::new(), losses);
            }
        }
    }
    let named = config.customer_fields.as_deref();
    let rank = |definition: &FieldDefinition| {
        let place = named.and_then(|names| names.iter().position(|name| *name == definition.name));
        (
            place.unwrap_or(usize::MAX),
            Reverse(definition.used),
            definition.name.clone(),
        )
    };
    wanted.sort_by_key(|(_, definition, owner)| (*owner, rank(definition)));
    for owner in [FieldOwner::Ticket, FieldOwner::Customer] {
        let of_owner: Vec<_> = wanted.iter().filter(|(_, _, of)| *of == owner).collect();
        if of_owner.is_empty() {
            continue;
        }
        let mut shelf = Shelf::new(cx, &config, owner).await?;
        for (item, definition, _) in of_owner {
            let chosen = match (owner, named) {
                (FieldOwner::Customer, Some(names)) => names.contains(&definition.name),
                _ => true,
            };
            if !chosen {
                let note = "not among `customer_fields`: values stand on the customer's note";
                let losses = vec![loss("field-definition", Fidelity::Converted, note)];
                report(cx, item, exported(item), Vec::new(), losses);
                continue;
            }
            one_field(cx, item, definition, &mut shelf).await?;
        }
    }
    Ok(())
}

async fn one_field(
    cx: &Context,
    item: &Item,
    definition: &FieldDefinition,
    shelf: &mut Shelf,
) -> Result<(), Error> {
    let kind = map::field_kind(definition);
    let mut losses = conversions(definition, kind);
    let names = if kind == "dropdown" {
        map::option_names(definition)
    } else {
        Vec::new()
    };
    let label = match definition.label.trim() {
        "" => definition.name.as_str(),
        label => label,
    };
    let wanted = Wanted {
        owner: shelf.owner,
        label: map::cut(label, map::LABEL_CHARS).0.to_owned(),
        kind,
        description: definition.description.as_deref(),
        choices: names.iter().map(|(_, name)| name.clone()).collect(),
        marker: item.marker.clone(),
    };
    match shelf.place(cx, item, "main", &wanted).await? {
        Placed::No(status, note) => {
            losses.push(loss("field-definition", Fidelity::Converted, note));
            report(cx, item, status, Vec::new(), losses);
        }
        Placed::At(field, mut main) => {
            let is_dropdown = field.choices().is_some();
            let there = field.choices().unwrap_or_default();
            if is_dropdown
                && names
                    .iter()
                    .any(|(_, name)| !there.contains(&name.as_str()))
            {
                let note = "the field that was there has not all choices: values of them are on the source card";
                losses.push(loss("field-definition.options", Fidelity::Converted, note));
            }
            let target = FieldTarget {
                owner: wanted.owner,
                id: field.id,
                kind: if is_dropdown {
                    "dropdown"
                } else {
                    field.data_type()
                }
                .to_owned(),
                choices: names
                    .into_iter()
                    .filter(|(from, to)| is_dropdown && from != to)
                    .collect(),
            };
            main.target_id = target.to_string();
            report(cx, item, status_of(main.action), vec![*main], losses);
        }
    }
    Ok(())
}

/// What of a definition Gorgias has otherwise.
fn conversions(definition: &FieldDefinition, kind: &str) -> Vec<Loss> {
    let mut losses = Vec::new();
    if definition.required {
        let note = "made optional: a required field keeps tickets from being closed";
        losses.push(loss("field-definition.required", Fidelity::Lost, note));
    }
    let as_text =
        kind == "text" && !matches!(definition.field_type, FieldType::Text | FieldType::LongText);
    if as_text {
        let note = "Gorgias has no such type: a text";
        losses.push(loss(
            "field-definition.field-type",
            Fidelity::Converted,
            note,
        ));
    }
    losses
}

// ---- companies

/// Companies: exported, and in a field and on the note of each of their people. The target carries what these are told.
///
/// # Errors
/// What ends the unit.
pub async fn companies(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let named = config.customer_fields.as_deref();
    let has_field = named.is_none_or(|names| names.iter().any(|name| name == COMPANY_NAME));
    let mut shelf = match has_field {
        true => Some(Shelf::new(cx, &config, FieldOwner::Customer).await?),
        false => None,
    };
    for (item, company) in each::<Company>(cx, items) {
        let mut losses = vec![loss(
            "company",
            Fidelity::Converted,
            "Gorgias has no companies: its people name it, and it is in the export",
        )];
        let mut effects = Vec::new();
        let mut id = 0;
        if let Some(shelf) = &mut shelf {
            let wanted = own_field(cx, FieldOwner::Customer, COMPANY_LABEL);
            match shelf.place(cx, item, "field", &wanted).await? {
                Placed::At(field, effect) => {
                    id = field.id;
                    effects.push(*effect);
                }
                Placed::No(Status::Unsettled(why), _) => {
                    unsettled(cx, item, &why, losses);
                    continue;
                }
                Placed::No(_, note) => losses.push(loss("company.name", Fidelity::Converted, note)),
            }
        }
        let (told, whole) = company_told(cx, item, company);
        if !whole {
            let note = "longer than its people are told: whole in the export";
            losses.push(loss("company", Fidelity::Converted, note));
        }
        let target = NamedTarget {
            id,
            name: told.to_string(),
        };
        effects.push(effect(
            "main",
            "company",
            target.to_string(),
            Action::Matched,
        ));
        report(cx, item, exported(item), effects, losses);
    }
    Ok(())
}

fn own_field(cx: &Context, owner: FieldOwner, label: &str) -> Wanted<'static> {
    Wanted {
        owner,
        label: label.to_owned(),
        kind: "text",
        description: None,
        choices: Vec::new(),
        marker: format!("transload:{}{label}", cx.marker_prefix()),
    }
}

/// What a company's people are told of it, and whether that is all.
fn company_told(cx: &Context, item: &Item, company: &Company) -> (Value, bool) {
    let head = &item.entry().head;
    let words = transload_sdk::words::Words::new([], cx.time_zone());
    let name = match company.name.trim() {
        "" => format!("Company {}", head.id),
        name => name.to_owned(),
    };
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push((name.to_owned(), value));
        }
    };
    add("source id", head.id.clone());
    add("link", head.url.clone().unwrap_or_default());
    add(
        "created",
        head.created_at.map(map::stamp).unwrap_or_default(),
    );
    add("external id", head.external_id.clone().unwrap_or_default());
    add("domains", company.domains.join(", "));
    let addresses: Vec<&str> = company.addresses.iter().map(|a| a.value.as_str()).collect();
    add("addresses", addresses.join(", "));
    add(
        "parent",
        company
            .parent
            .as_ref()
            .map(|p| words.reference(p))
            .unwrap_or_default(),
    );
    add("tags", words.references(&company.tags));
    add(
        "employees",
        company
            .employee_count
            .map(|n| n.to_string())
            .unwrap_or_default(),
    );
    add("language", company.language.clone().unwrap_or_default());
    add("avatar", company.avatar_url.clone().unwrap_or_default());
    for place in &company.locations {
        let words = [
            &place.name,
            &place.city,
            &place.region,
            &place.postal_code,
            &place.country,
        ];
        let words = words.into_iter().flatten().chain(&place.lines);
        add("location", words.cloned().collect::<Vec<_>>().join(", "));
    }
    for field in &head.fields {
        add(&format!("field {}", field.name), words.value(&field.value));
    }
    let mut whole = head.raw.is_empty();
    while facts
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum::<usize>()
        > COMPANY_BYTES
    {
        facts.pop();
        whole = false;
    }
    (json!({"name": name, "facts": facts}), whole)
}

/// A company as one of its people is told of it: the field that has the name, the name, and facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// The field; none where there is no room for one.
    pub field: Option<u64>,
    /// The company's name.
    pub name: String,
    /// What else is known of it.
    pub facts: Vec<(String, String)>,
}

impl Told {
    /// Out of the target of a company.
    pub fn parse(target: &str) -> Option<Self> {
        let NamedTarget { id, name } = NamedTarget::parse(target)?;
        let told: Value = serde_json::from_str(&name).ok()?;
        Some(Self {
            field: Some(id).filter(|id| *id != 0),
            name: told.get("name")?.as_str()?.to_owned(),
            facts: serde_json::from_value(told.get("facts")?.clone()).ok()?,
        })
    }
}

// ---- brands

/// Brands: values of a ticket field, which is made for the first one.
///
/// # Errors
/// What ends the unit.
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let config: Config = cx.config()?;
    let mut shelf = Shelf::new(cx, &config, FieldOwner::Ticket).await?;
    for (item, brand) in each::<types::Brand>(cx, items) {
        let name = match brand.name.trim() {
            "" => item.entry().head.id.clone(),
            name => name.to_owned(),
        };
        let wanted = own_field(cx, FieldOwner::Ticket, BRAND_LABEL);
        match shelf.place(cx, item, "field", &wanted).await? {
            Placed::At(field, found) => {
                let status = status_of(found.action);
                let target = NamedTarget { id: field.id, name };
                let main = effect("main", "brand", target.to_string(), Action::Matched);
                report(cx, item, status, vec![*found, main], Vec::new());
            }
            Placed::No(Status::Unsettled(why), _) => unsettled(cx, item, &why, Vec::new()),
            Placed::No(_, note) => {
                let losses = vec![loss("brand.name", Fidelity::Converted, note)];
                report(cx, item, exported(item), Vec::new(), losses);
            }
        }
    }
    Ok(())
}

// ---- tags

/// All tags.
///
/// # Errors
/// What ends the unit.
pub async fn all_tags(cx: &Context) -> Result<Vec<Tag>, Error> {
    client::list(cx, "/tags").await
}

/// What of a tag is compared before an undo.
pub fn tag_facets(tag: &Tag) -> Vec<(String, String)> {
    vec![("name".to_owned(), tag.name.clone())]
}

/// Finds or makes a tag by its name, with regard to case.
///
/// # Errors
/// What ends the unit.
pub async fn tag(
    cx: &Context,
    item: &str,
    in_doubt_since: Option<i64>,
    wanted: (&str, &str, Option<&str>),
    known: &mut Vec<Tag>,
) -> Result<Result<Effect, Status>, Error> {
    let (name, marker, color) = wanted;
    let target = |tag: &Tag| {
        let (id, name) = (tag.id, tag.name.clone());
        NamedTarget { id, name }.to_string()
    };
    if let Some(found) = known.iter().find(|tag| tag.name == name) {
        let lost = in_doubt_since.is_some() && is_of_run(cx, found.description.as_deref());
        if !lost {
            return Ok(Ok(effect("main", "tag", target(found), Action::Matched)));
        }
    }
    let mut body = json!({"name": name, "description": description_marker(cx, marker)});
    if let (Some(color), Some(body)) = (color, body.as_object_mut()) {
        body.insert("decoration".to_owned(), json!({"color": color}));
    }
    let request = cx
        .http()
        .write("POST", "/tags", key(item, "main", "create"))
        .json(&body);
    let find = async || Ok(all_tags(cx).await?.into_iter().find(|tag| tag.name == name));
    let ours = |tag: &Tag| is_of_run(cx, tag.description.as_deref());
    Ok(
        match WRITES.make(in_doubt_since, request, find, ours).await? {
            Creation::There(tag, proof, key) => {
                // An account may answer with a tag that was there (Gorgias facts §8).
                let proof = proof.filter(|_| ours(&tag));
                let mut effect = made("main", "tag", target(&tag), proof, key);
                effect.fingerprint = Some(print(&tag_facets(&tag)));
                known.push(tag);
                Ok(effect)
            }
            Creation::Refused(refusal) if refusal.status == 409 => {
                let all = all_tags(cx).await?;
                let found = all.iter().find(|tag| tag.name == name);
                match found {
                    Some(tag) => {
                        known.push(tag.clone());
                        Ok(effect("main", "tag", target(tag), Action::Matched))
                    }
                    None => Err(Status::Rejected(refusal.rejection())),
                }
            }
            Creation::Refused(refusal) => Err(Status::Rejected(refusal.rejection())),
            Creation::Unsettled => Err(Status::Unsettled(
                "a tag whose creation was not answered".to_owned(),
            )),
        },
    )
}

/// Tags: of tickets only, by their names (Gorgias facts §5).
///
/// # Errors
/// What ends the unit.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let mut known = all_tags(cx).await?;
    for (item, tag) in each::<types::Tag>(cx, items) {
        let mut losses = Vec::new();
        let (name, is_cut) = name_within(&tag.name, map::TAG_CHARS, '~');
        if is_cut {
            let note = "longer than 256 characters: cut, with a digest";
            losses.push(loss("tag.name", Fidelity::Converted, note));
        }
        if name.is_empty() {
            let note = "a tag without a name";
            losses.push(loss("tag.name", Fidelity::Lost, note));
            let status = Status::Exported(exported_as(&Kind::Tag));
            report(cx, item, status, Vec::new(), losses);
            continue;
        }
        let color = tag.color.as_deref().filter(|color| is_color(color));
        if tag.color.is_some() && color.is_none() {
            losses.push(loss(
                "tag.color",
                Fidelity::Lost,
                "no color of the form #rrggbb",
            ));
        }
        let wanted = (name.as_str(), item.marker.as_str(), color);
        let made = self::tag(cx, &item.key, item.in_doubt_since, wanted, &mut known).await?;
        match made {
            Ok(main) => {
                if main.action != Action::Created && color.is_some() {
                    losses.push(loss(
                        "tag.color",
                        Fidelity::Lost,
                        "the tag that is there keeps its own",
                    ));
                }
                report(cx, item, status_of(main.action), vec![main], losses);
            }
            Err(status) => report(cx, item, status, Vec::new(), losses),
        }
    }
    Ok(())
}

/// `#F58D86` (Gorgias facts §8).
fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#');
    digits.is_some_and(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_are_told_of_their_company_comes_back_out_of_its_target() {
        let told = json!({"name": "Acme / Sons", "facts": [["domains", "acme.example"]]});
        let target = NamedTarget {
            id: 7,
            name: told.to_string(),
        };
        let told = Told::parse(&target.to_string()).unwrap();
        assert_eq!((told.field, told.name.as_str()), (Some(7), "Acme / Sons"));
        assert_eq!(
            told.facts,
            [("domains".to_owned(), "acme.example".to_owned())]
        );
        assert_eq!(Told::parse("0/{}"), None);
    }
}
