//! Attributes and tags: found before they are made.
//!
//! Contacts and companies have data attributes, 250 together, whose names are unique over both; conversations have attributes of their
//! own. None is ever deleted: a rollback archives, and a later run brings a data attribute back (Intercom facts §9).

use serde_json::{Value, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{
    description_marker, effect, exported_as, is_of_run, made, name_within, print, reject, report,
    status_of,
};
use transload_sdk::http::{self, Refusal as _, Reply, key};
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{Entity, Error, Fidelity, FieldDefinition, FieldType, Kind, Loss};

use super::{Changed, Creation, SETTLE_MS, WRITES};
use crate::api::{Attribute, Named};
use crate::client;
use crate::map::{self, FieldTarget, Holds, Model};
use crate::state::State;

/// Attribute of conversations with the marker: they have no external id (Intercom facts §8.1).
pub const ID: &str = "Transload ID";
/// Attribute of conversations with the run.
pub const RUN: &str = "Transload run";
/// Attribute of conversations with the channels of the source.
pub const CHANNEL: &str = "Original channel";
/// Attribute of conversations with the priority, which the API cannot set (Intercom facts §5).
pub const PRIORITY: &str = "Original priority";
/// Attribute of conversations with the customer's judgement, which the API cannot set (Intercom facts §5).
pub const SATISFACTION: &str = "Original satisfaction";
/// Attribute of conversations that names links.
pub const LINKS: &str = "Original links";
/// Data attribute of contacts with the run.
pub const CONTACT_RUN: &str = "transload_run";
/// Data attribute of contacts that names links.
pub const CONTACT_LINKS: &str = "transload_links";
/// Data attribute of companies with the run.
pub const COMPANY_RUN: &str = "transload_company_run";

/// All that the connector needs for itself.
pub const OWN: [(Model, &str); 9] = [
    (Model::Conversation, ID),
    (Model::Conversation, RUN),
    (Model::Conversation, CHANNEL),
    (Model::Conversation, PRIORITY),
    (Model::Conversation, SATISFACTION),
    (Model::Conversation, LINKS),
    (Model::Contact, CONTACT_RUN),
    (Model::Contact, CONTACT_LINKS),
    (Model::Company, COMPANY_RUN),
];

/// Attributes of contacts and companies, or of conversations, archived ones included.
///
/// # Errors
/// What ends the unit.
pub async fn attributes(cx: &Context, of_conversations: bool) -> Result<Vec<Attribute>, Error> {
    let path = if of_conversations {
        "/conversations/attributes?include_archived=true"
    } else {
        "/data_attributes?include_archived=true"
    };
    client::list(cx, path).await
}

/// What of an attribute is compared before an undo.
pub fn attribute_facets(attribute: &Attribute) -> Vec<(String, String)> {
    let mut choices: Vec<String> = attribute.choices().into_iter().map(|(_, c)| c).collect();
    choices.sort_unstable();
    vec![
        ("name".to_owned(), attribute.name.clone()),
        ("choices".to_owned(), choices.join("\n")),
    ]
}

fn holds(attribute: &Attribute) -> Option<Holds> {
    Holds::read(&attribute.data_type, !attribute.choices().is_empty())
}

/// An attribute that is wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What it sits on.
    pub model: Model,
    /// Its name, in order of preference.
    pub names: Vec<String>,
    /// What it is to hold.
    pub holds: Holds,
    /// Words for people.
    pub description: Option<&'a str>,
    /// Of a choice.
    pub choices: Vec<String>,
    /// What it stands for.
    pub marker: String,
}

/// Where a wanted attribute is.
#[derive(Debug)]
pub enum Placed {
    /// Here, by this effect, whose id is the attribute's number.
    At(Box<Attribute>, Box<Effect>),
    /// Nowhere, and what the item is reported as.
    No(Status, &'static str),
}

const REFUSED: &str = "Intercom makes no such attribute: values stand on the source card";

/// The attributes of a unit.
#[derive(Debug)]
pub struct Shelf {
    data: Vec<Attribute>,
    conversations: Vec<Attribute>,
}

impl Shelf {
    /// All of them, as they are.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn new(cx: &Context) -> Result<Self, Error> {
        Ok(Self {
            data: attributes(cx, false).await?,
            conversations: attributes(cx, true).await?,
        })
    }

    fn of(&mut self, model: Model) -> &mut Vec<Attribute> {
        match model {
            Model::Conversation => &mut self.conversations,
            Model::Contact | Model::Company => &mut self.data,
        }
    }

    /// Finds or makes an attribute; an archived data attribute of ours is brought back.
    ///
    /// # Errors
    /// What ends the unit.
    pub async fn place(
        &mut self,
        cx: &Context,
        (item, part, in_doubt): (&str, &str, Option<i64>),
        wanted: &Wanted<'_>,
    ) -> Result<Placed, Error> {
        let model = wanted.model;
        let marker = description_marker(cx, &wanted.marker);
        let stands_for = |one: &Attribute| {
            let words = one.description.as_deref().unwrap_or_default();
            words.contains(&format!("{} (run ", wanted.marker))
        };
        let on_model = |one: &Attribute| model == Model::Conversation || one.model == model.word();
        let fits = |one: &Attribute| {
            let held = holds(one);
            on_model(one) && held.is_some_and(|held| held.will_do(wanted.holds))
        };
        let is_ours = |one: &Attribute| stands_for(one) && fits(one);
        let of_source = |one: &Attribute| {
            let words = one.description.as_deref().unwrap_or_default();
            words.contains(transload_sdk::effects::DESCRIBED)
        };
        let shelf = self.of(model);
        let live = |name: &str| {
            let named = shelf.iter().filter(|one| one.name == name && !one.archived);
            named.count()
        };
        let found = shelf.iter().find(|one| !one.archived && is_ours(one));
        let found = found.or_else(|| {
            let first = wanted.names.first()?;
            let custom = |one: &Attribute| one.custom != Some(false) && !one.id.is_empty();
            let same = |one: &&Attribute| {
                !one.archived && one.name == *first && custom(one) && fits(one) && !of_source(one)
            };
            shelf.iter().find(same)
        });
        // Values are written by name: one of two names cannot be written (Intercom facts §8.3).
        let found = found.filter(|one| live(&one.name) == 1 || model != Model::Conversation);
        if let Some(found) = found {
            let lost = in_doubt.is_some() && stands_for(found);
            let effect = if lost && is_of_run(cx, found.description.as_deref()) {
                let proof = Some(Proof::Marker(cx.run().to_owned()));
                let key = key(item, part, "create");
                Effect {
                    fingerprint: Some(print(&attribute_facets(found))),
                    ..made(part, model.effect_kind(), &found.id, proof, key)
                }
            } else {
                effect(part, model.effect_kind(), &found.id, Action::Matched)
            };
            return Ok(Placed::At(Box::new(found.clone()), Box::new(effect)));
        }
        let archived = shelf
            .iter()
            .find(|one| one.archived && is_ours(one))
            .cloned();
        if let Some(archived) = archived.filter(|_| model != Model::Conversation) {
            return self.bring_back(cx, (item, part), model, archived).await;
        }
        // Names are unique over contacts and companies, and archived ones stay taken (Intercom facts §9).
        let taken = |name: &str| {
            let same = |one: &&Attribute| one.name.eq_ignore_ascii_case(name);
            let mut same = shelf.iter().filter(same);
            same.any(|one| model != Model::Conversation || !one.archived)
        };
        let free = wanted
            .names
            .iter()
            .find(|name| !name.is_empty() && !taken(name));
        let Some(name) = free else {
            let error =
                Error::Conflict("an attribute of this name and another type is there".to_owned());
            return Ok(Placed::No(Status::Rejected(error), REFUSED));
        };
        let words = wanted.description.map(|words| format!("{words}\n"));
        let description = format!("{}{marker}", words.unwrap_or_default());
        let mut body = json!({
            "name": name, "data_type": wanted.holds.made_as(model), "description": description,
        });
        let mut set = |name: &str, value: Value| {
            if let Some(body) = body.as_object_mut() {
                body.insert(name.to_owned(), value);
            }
        };
        let options = |called: &str| -> Value {
            let one = |choice: &String| json!({called: choice});
            wanted.choices.iter().map(one).collect()
        };
        let path = match model {
            Model::Conversation => {
                set("required", json!(false));
                if wanted.holds == Holds::Choice {
                    set("options", options("label"));
                }
                "/conversations/attributes"
            }
            Model::Contact | Model::Company => {
                set("model", json!(model.word()));
                if wanted.holds == Holds::Choice {
                    set("options", options("value"));
                }
                "/data_attributes"
            }
        };
        let request = client::write(cx, "POST", path, key(item, part, "create"))?.json(&body);
        let find = async || {
            let all = attributes(cx, model == Model::Conversation).await?;
            Ok(all.into_iter().find(|one| !one.archived && is_ours(one)))
        };
        let of_run = |one: &Attribute| is_of_run(cx, one.description.as_deref());
        Ok(match WRITES.make(in_doubt, request, find, of_run).await? {
            Creation::There(attribute, proof, key) => {
                let mut effect = made(part, model.effect_kind(), &attribute.id, proof, key);
                effect.fingerprint = Some(print(&attribute_facets(&attribute)));
                self.of(model).push(attribute.clone());
                Placed::At(Box::new(attribute), Box::new(effect))
            }
            Creation::Refused(refusal) => {
                Placed::No(Status::Rejected(refusal.rejection()), REFUSED)
            }
            Creation::Unsettled => {
                let why = "an attribute whose creation was not answered".to_owned();
                Placed::No(Status::Unsettled(why), "whether it is there is not known")
            }
        })
    }

    /// One of an earlier run, which a rollback could only archive.
    async fn bring_back(
        &mut self,
        cx: &Context,
        (item, part): (&str, &str),
        model: Model,
        archived: Attribute,
    ) -> Result<Placed, Error> {
        let path = format!("/data_attributes/{}", archived.id);
        let body = json!({"archived": false});
        let done: Changed<Attribute> = {
            let request = |step: &str| {
                let request = client::write(cx, "PUT", path.clone(), key(item, part, step));
                request.map(|request| request.idempotent(None).json(&body))
            };
            let find = async || {
                let all = attributes(cx, false).await?;
                Ok(all.into_iter().find(|one| one.id == archived.id))
            };
            change(cx, request, Reply::json, find, |one: &Attribute| {
                !one.archived
            })
            .await?
        };
        Ok(match done {
            Changed::Done(_, key) => {
                let attribute = Attribute {
                    archived: false,
                    ..archived
                };
                let effect = Effect {
                    key: Some(key),
                    before: Some(json!({"archived": true}).to_string()),
                    fingerprint: Some(print(&attribute_facets(&attribute))),
                    ..effect(part, model.effect_kind(), &attribute.id, Action::Updated)
                };
                self.data.retain(|one| one.id != attribute.id);
                self.data.push(attribute.clone());
                Placed::At(Box::new(attribute), Box::new(effect))
            }
            Changed::Refused(refusal) => Placed::No(Status::Rejected(refusal.rejection()), REFUSED),
            Changed::Unknown => {
                let why = "an attribute that was not answered".to_owned();
                Placed::No(Status::Unsettled(why), "whether it is there is not known")
            }
        })
    }
}

/// The SDK's `change`, of requests that need the version.
///
/// # Errors
/// What ends the unit.
pub async fn change<T>(
    cx: &Context,
    request: impl Fn(&str) -> Result<http::RequestBuilder, Error>,
    read: impl Fn(&Reply) -> Result<T, Error>,
    find: impl AsyncFn() -> Result<Option<T>, Error>,
    is_done: impl Fn(&T) -> bool,
) -> Result<Changed<T>, Error> {
    // Settings that cannot be read end the unit before anything is sent.
    let _checked = request("update")?;
    let send = |step: &str| request(step).unwrap_or_else(|_| cx.http().get("/me"));
    http::change(cx, SETTLE_MS, send, read, find, is_done).await
}

// ---- custom attributes

/// Field definitions. Those of custom objects are made in Intercom's settings only: their address is what the schema sheet calls them
/// (Intercom facts §9).
///
/// # Errors
/// What ends the unit.
pub async fn fields(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let mut shelf = Shelf::new(cx).await?;
    for item in items {
        let Entity::FieldDefinition(definition) = &item.entry().data else {
            reject(cx, item, Error::Bug("no field definition".to_owned()));
            continue;
        };
        match Model::of(&definition.owner.kind) {
            Some(model) => one_field(cx, item, definition, model, &mut shelf).await?,
            None => {
                let note = if definition.owner.kind == Kind::CustomObject {
                    "made in Intercom's settings only: the export is the schema sheet"
                } else {
                    "Intercom has no attributes there: values stand on the source card"
                };
                let losses = vec![loss("field-definition.owner", Fidelity::Converted, note)];
                let status = Status::Exported(exported_as(&Kind::FieldDefinition));
                report(cx, item, status, Vec::new(), losses);
            }
        }
    }
    Ok(())
}

async fn one_field(
    cx: &Context,
    item: &Item,
    definition: &FieldDefinition,
    model: Model,
    shelf: &mut Shelf,
) -> Result<(), Error> {
    let wanted_holds = Holds::of(definition);
    let mut losses = conversions(definition, wanted_holds);
    let names = if wanted_holds == Holds::Choice {
        map::option_names(definition)
    } else {
        Vec::new()
    };
    let label = map::attribute_name(&definition.label);
    let name = map::attribute_name(&definition.name);
    let first = if label.is_empty() {
        name.clone()
    } else {
        label
    };
    let digest = transload_sdk::effects::short_hash(&item.marker);
    let others = [
        name,
        format!("{first} of {}", model.word()),
        format!("{first} {digest}"),
    ];
    let wanted = Wanted {
        model,
        names: std::iter::once(first.clone()).chain(others).collect(),
        holds: wanted_holds,
        description: definition.description.as_deref(),
        choices: names.iter().map(|(_, name)| name.clone()).collect(),
        marker: item.marker.clone(),
    };
    let at = (item.key.as_str(), "main", item.in_doubt_since);
    match shelf.place(cx, at, &wanted).await? {
        Placed::No(status, note) => {
            losses.push(loss("field-definition", Fidelity::Converted, note));
            let status = match status {
                // Full, or not to be made: what it holds is on the cards.
                Status::Rejected(_) => Status::Exported(exported_as(&Kind::FieldDefinition)),
                other => other,
            };
            report(cx, item, status, Vec::new(), losses);
        }
        Placed::At(attribute, mut main) => {
            if attribute.name != definition.label {
                let note = "called otherwise: Intercom's names have no other signs, and none is there twice";
                losses.push(loss("field-definition.label", Fidelity::Converted, note));
            }
            let there: Vec<String> = attribute.choices().into_iter().map(|(_, c)| c).collect();
            let kept = names.iter().filter(|(_, name)| there.contains(name));
            let choices: Vec<(String, String)> = kept.cloned().collect();
            if choices.len() < names.len() {
                let note = "the attribute that was there has not all choices: values of them are on the source card";
                losses.push(loss("field-definition.options", Fidelity::Converted, note));
            }
            let target = FieldTarget {
                model,
                id: attribute.id.clone(),
                holds: holds(&attribute).unwrap_or(wanted_holds),
                name: attribute.name.clone(),
                choices,
            };
            main.target_id = target.to_string();
            report(cx, item, status_of(main.action), vec![*main], losses);
        }
    }
    Ok(())
}

/// What of a definition Intercom has otherwise.
fn conversions(definition: &FieldDefinition, holds: Holds) -> Vec<Loss> {
    let mut losses = Vec::new();
    if definition.required {
        let note = "made optional: a required attribute keeps conversations from being closed";
        losses.push(loss("field-definition.required", Fidelity::Lost, note));
    }
    let is_text = matches!(definition.field_type, FieldType::Text | FieldType::LongText);
    if holds == Holds::Text && !is_text {
        let note = "Intercom has no such type: a text";
        losses.push(loss(
            "field-definition.field-type",
            Fidelity::Converted,
            note,
        ));
    }
    losses
}

// ---- tags

/// All tags.
///
/// # Errors
/// What ends the unit.
pub async fn all_tags(cx: &Context) -> Result<Vec<Named>, Error> {
    client::list(cx, "/tags").await
}

/// What of a tag is compared before an undo.
pub fn tag_facets(tag: &Named) -> Vec<(String, String)> {
    vec![("name".to_owned(), tag.name.clone())]
}

/// Tags, whose names are one in any case. Making one that is there answers the one that is there, and a tag cannot say whose it is
/// (Intercom facts §9): so all are listed first, and what an attempt whose answer was lost may have made is ours only if it was not
/// there when the run began.
///
/// # Errors
/// What ends the unit.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let mut known = all_tags(cx).await?;
    let is = |tag: &Named, name: &str| tag.name.to_lowercase() == name.to_lowercase();
    for item in items {
        let Entity::Tag(tag) = &item.entry().data else {
            reject(cx, item, Error::Bug("no tag".to_owned()));
            continue;
        };
        let mut losses = Vec::new();
        if tag.color.is_some() {
            losses.push(loss(
                "tag.color",
                Fidelity::Lost,
                "tags of Intercom have no color",
            ));
        }
        let (name, is_cut) = name_within(tag.name.trim(), map::TEXT_CHARS, '~');
        if is_cut {
            let note = "longer than 255 characters: cut, with a digest";
            losses.push(loss("tag.name", Fidelity::Converted, note));
        }
        if name.is_empty() {
            losses.push(loss("tag.name", Fidelity::Lost, "a tag without a name"));
            let status = Status::Exported(exported_as(&Kind::Tag));
            report(cx, item, status, Vec::new(), losses);
            continue;
        }
        if let Some(found) = known.iter().find(|tag| is(tag, &name)) {
            if found.name != name {
                let note = "the tag that is there is written in other letters";
                losses.push(loss("tag.name", Fidelity::Converted, note));
            }
            let lost = item.in_doubt_since.is_some() && !state.tags.contains(&found.id);
            let main = if lost {
                Effect {
                    action: Action::Created,
                    proof: Some(Proof::AbsentBefore),
                    fingerprint: Some(print(&tag_facets(found))),
                    ..effect("main", "tag", &found.id, Action::Created)
                }
            } else {
                effect("main", "tag", &found.id, Action::Matched)
            };
            report(cx, item, status_of(main.action), vec![main], losses);
            continue;
        }
        let key = key(&item.key, "main", "create");
        let body = json!({"name": name});
        let request = client::write(cx, "POST", "/tags", key)?.json(&body);
        let find = async || {
            let all = all_tags(cx).await?;
            Ok(all.into_iter().find(|tag| is(tag, &name)))
        };
        match WRITES.make(None, request, find, |_: &Named| false).await? {
            Creation::There(tag, _, key) => {
                // It was missing right before, in this unit (rule D-4).
                let mut main = made("main", "tag", &tag.id, Some(Proof::AbsentBefore), key);
                main.fingerprint = Some(print(&tag_facets(&tag)));
                known.push(tag);
                report(cx, item, status_of(main.action), vec![main], losses);
            }
            Creation::Refused(refusal) => reject(cx, item, refusal.rejection()),
            Creation::Unsettled => {
                super::unsettled(cx, item, "a tag whose creation was not answered", losses);
            }
        }
    }
    Ok(())
}
