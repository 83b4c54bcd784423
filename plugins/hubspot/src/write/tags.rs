//! Tags and brands.
//!
//! HubSpot has no labels on records (HubSpot facts §4). A tag is an option of a property of ours with checkboxes, the same on
//! every object type, and its stored value is the tag's target. All options of a property are sent at once, since one that is
//! left out disappears (HubSpot facts §10.4). Where tags are text, or there are more than a property may have options, a tag's
//! target says so and its name stands in the text, or on the source card.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use transload_sdk::Context;
use transload_sdk::destination::Item;
use transload_sdk::http::{self, Changed, key};
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Proof, Status};
use transload_sdk::types::{self, Entity, Error, Fidelity, Loss, Reference};
use transload_sdk::words;

use super::schema::{self, OPTIONS};
use super::{effect, is_of_run, made, report};
use crate::api::{Fault, Property, Schema};
use crate::client::{self, SETTLE_MS};
use crate::map::{self, loss};
use crate::own;
use crate::state::{Config, State, Tags};

/// What effects call a tag.
pub const TAG: &str = "tag";
/// What effects call an option of a property: `contacts.transload_tags/vip`.
pub const OPTION: &str = "option";
/// How the target of a tag begins that has no option.
const AS_TEXT: &str = "text:";

/// The stored value of a tag.
fn value_of(name: &str) -> String {
    map::option_value(name.trim())
}

/// What goes into the property of tags, and the names of those that have no place in it.
pub fn values(config: &Config, tags: &[Reference]) -> (Option<String>, Vec<String>) {
    let name = |tag: &Reference| {
        let target = tag.target.as_deref().and_then(|t| t.strip_prefix(AS_TEXT));
        let called = target.or_else(|| words::called(tag));
        called.unwrap_or(&tag.id).to_owned()
    };
    if config.tags == Tags::Text {
        let mut list = String::new();
        let mut left = Vec::new();
        for tag in tags {
            let name = name(tag);
            let written = name.trim().replace(';', ",");
            if list.chars().count() + written.chars().count() + 2 > own::TEXT_CHARS {
                left.push(name);
                continue;
            }
            if list.is_empty() {
                list.push(';');
            }
            list.push_str(&written);
            list.push(';');
        }
        return (Some(list).filter(|list| !list.is_empty()), left);
    }
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for tag in tags {
        match tag.target.as_deref().filter(|t| !t.starts_with(AS_TEXT)) {
            Some(value) if !chosen.contains(&value) => chosen.push(value),
            Some(_) => {}
            None => left.push(name(tag)),
        }
    }
    (Some(chosen.join(";")).filter(|list| !list.is_empty()), left)
}

/// What is lost of a tag.
fn losses_of(item: &Item, name: &str, value: &str) -> Vec<Loss> {
    let mut losses = Vec::new();
    if let Entity::Tag(tag) = &item.entry().data
        && tag.color.is_some()
    {
        let note = "options have no colours";
        losses.push(loss("tag.color", Fidelity::Lost, note));
    }
    if value != name {
        let note = "stored by another value; people read its name";
        losses.push(loss("tag.name", Fidelity::Converted, note));
    }
    losses
}

/// Tags.
///
/// # Errors
/// What ends the unit.
pub async fn tags(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let (state, config): (State, Config) = (cx.state()?, cx.config()?);
    let tags = each::<types::Tag>(cx, items);
    let named: Vec<(&Item, String)> = tags.map(|(item, tag)| (item, tag.name.clone())).collect();
    if config.tags == Tags::Text {
        for (item, name) in named {
            let target = format!("{AS_TEXT}{name}");
            let main = effect("main", TAG, target, Action::Matched);
            let written = name.trim().replace(';', ",");
            report(
                cx,
                item,
                Status::Matched,
                vec![main],
                losses_of(item, &name, &written),
            );
        }
        return Ok(());
    }
    let Some((first, _)) = named.first() else {
        return Ok(());
    };
    let batch = format!("tags:{}", first.key);
    let mut placed: BTreeMap<String, Vec<Effect>> = BTreeMap::new();
    let mut full: BTreeSet<String> = BTreeSet::new();
    let mut open: BTreeSet<String> = BTreeSet::new();
    for (object, name) in carriers(cx, &state).await? {
        let on = Carrier {
            cx,
            object: &object,
            name: &name,
        };
        on.add(&batch, &named, &mut placed, &mut full, &mut open)
            .await?;
    }
    for (item, name) in named {
        let value = value_of(&name);
        if open.contains(&value) {
            let why =
                Status::Unsettled("a change of the tags' options was not answered".to_owned());
            report(cx, item, why, Vec::new(), Vec::new());
            continue;
        }
        let mut losses = losses_of(item, &name, &value);
        if full.contains(&value) {
            let note = "a property has 5,000 options: on the source cards of its carriers";
            losses.push(loss("tag", Fidelity::Converted, note));
            let main = effect("main", TAG, format!("{AS_TEXT}{name}"), Action::Matched);
            report(cx, item, Status::Matched, vec![main], losses);
            continue;
        }
        let mut effects = vec![effect("main", TAG, value.clone(), Action::Matched)];
        effects.extend(placed.remove(&value).unwrap_or_default());
        let created = effects.iter().any(|e| e.action == Action::Created);
        let status = if created {
            Status::Created
        } else {
            Status::Matched
        };
        report(cx, item, status, effects, losses);
    }
    Ok(())
}

/// The properties that hold tags, by object type: also those of our custom objects.
async fn carriers(cx: &Context, state: &State) -> Result<Vec<(String, String)>, Error> {
    let mut all = Vec::new();
    for object in ["contacts", "companies", "tickets"] {
        if let Some(name) = state.name(object, own::TAGS) {
            all.push((object.to_owned(), name.to_owned()));
        }
    }
    let schemas: Vec<Schema> = match client::list(cx, &client::schemas("")).await {
        Ok(schemas) => schemas,
        // An account without custom objects.
        Err(Error::Permission(_)) => Vec::new(),
        Err(other) => return Err(other),
    };
    for schema in schemas.into_iter().filter(|schema| !schema.archived) {
        if schema
            .properties
            .iter()
            .any(|property| property.name == own::TAGS)
        {
            all.push((schema.fully_qualified_name, own::TAGS.to_owned()));
        }
    }
    all.sort();
    Ok(all)
}

/// A property that holds tags.
struct Carrier<'a> {
    cx: &'a Context,
    object: &'a str,
    name: &'a str,
}

impl Carrier<'_> {
    /// Adds the options that it lacks.
    async fn add(
        &self,
        batch: &str,
        named: &[(&Item, String)],
        placed: &mut BTreeMap<String, Vec<Effect>>,
        full: &mut BTreeSet<String>,
        open: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let Some(property) = schema::property(self.cx, self.object, self.name).await? else {
            return Ok(());
        };
        let mut all = schema::pairs(&property.options);
        let there: BTreeSet<String> = all.iter().map(|(value, _)| value.clone()).collect();
        let mut labels: BTreeSet<String> = all.iter().map(|(_, label)| label.clone()).collect();
        let mut fresh: BTreeSet<String> = BTreeSet::new();
        // In doubt an option of a property that this run made is one that an earlier attempt added.
        let ours = is_of_run(self.cx, property.description.as_deref());
        for (item, name) in named {
            let value = value_of(name);
            if there.contains(&value) {
                if ours && item.in_doubt_since.is_some() {
                    let made = Effect {
                        action: Action::Created,
                        proof: Some(Proof::Marker(self.cx.run().to_owned())),
                        ..self.effect(&value)
                    };
                    placed.entry(value).or_default().push(made);
                }
                continue;
            }
            if fresh.contains(&value) {
                continue;
            }
            if all.len() >= OPTIONS {
                full.insert(value);
                continue;
            }
            let mut label = map::label(name, name);
            if !labels.insert(label.clone()) {
                label = format!("{label} ({value})");
                labels.insert(label.clone());
            }
            fresh.insert(value.clone());
            all.push((value, label));
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let path = client::properties(self.object, &format!("/{}", http::segment(self.name)));
        let part = format!("{batch}:{}", self.object);
        let body = json!({"options": schema::options(&all)});
        let request = |step: &str| {
            self.cx
                .http()
                .repeatable("PATCH", path.clone(), key("*", part.as_str(), step))
                .json(&body)
        };
        let find = async || schema::property(self.cx, self.object, self.name).await;
        let has_all = |property: &Property| {
            let values: BTreeSet<&str> =
                property.options.iter().map(|o| o.value.as_str()).collect();
            fresh.iter().all(|value| values.contains(value.as_str()))
        };
        let changed = http::change::<Property, Fault>(
            self.cx,
            SETTLE_MS,
            request,
            |reply| reply.json(),
            find,
            has_all,
        )
        .await?;
        match changed {
            Changed::Done(_, key) => {
                for value in fresh {
                    let one = made("main", OPTION, "", Some(Proof::AbsentBefore), key.clone());
                    let Effect {
                        action, proof, key, ..
                    } = one;
                    let option = Effect {
                        action,
                        proof,
                        key,
                        ..self.effect(&value)
                    };
                    placed.entry(value).or_default().push(option);
                }
            }
            Changed::Refused(_) => full.extend(fresh),
            Changed::Unknown => open.extend(fresh),
        }
        Ok(())
    }

    fn effect(&self, value: &str) -> Effect {
        let target = format!("{}.{}/{value}", self.object, self.name);
        effect(
            &format!("option:{}", self.object),
            OPTION,
            target,
            Action::Matched,
        )
    }
}

/// Brands, which stand in a property of their tickets.
///
/// # Errors
/// What ends the unit.
pub async fn brands(cx: &Context, items: &[Item]) -> Result<(), Error> {
    for (item, brand) in each::<types::Brand>(cx, items) {
        let note = "named in a property of its tickets";
        let losses = vec![loss("brand.name", Fidelity::Converted, note)];
        let main = effect("main", "brand", brand.name.clone(), Action::Matched);
        report(cx, item, Status::Matched, vec![main], losses);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use transload_sdk::types::Kind;

    #[test]
    fn tags_without_an_option_are_named_and_the_others_are_chosen_once() {
        let tag = |id: &str, target: &str| Reference::new(Kind::Tag, id).at(target);
        let tags = [
            tag("1", "vip"),
            tag("2", "vip"),
            tag("3", "late"),
            tag("4", "text:one; more"),
            Reference::new(Kind::Tag, "5").called("Gone"),
        ];
        let (value, left) = values(&Config::default(), &tags);
        assert_eq!(value.as_deref(), Some("vip;late"));
        assert_eq!(left, ["one; more", "Gone"]);
        let config = Config {
            tags: Tags::Text,
            ..Config::default()
        };
        let (value, left) = values(&config, &tags[3..]);
        assert_eq!(value.as_deref(), Some(";one, more;Gone;"));
        assert!(left.is_empty());
    }
}
