//! Tags as topics, where the settings ask for them (Salesforce facts §9.5). A topic that is there is used; one that is made is
//! known by its name alone, so it is looked for before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, json};
use transload_sdk::Context;
use transload_sdk::card::loss;
use transload_sdk::destination::Item;
use transload_sdk::effects::{effect, reject, report, status_of};
use transload_sdk::http::Refusal as _;
use transload_sdk::items::each;
use transload_sdk::ledger::{Action, Effect, Status};
use transload_sdk::types::{self, Entity, Error, Fidelity};

use super::looked::{Fate, Looked, Want, Wanted};
use crate::api::{id_of, text};
use crate::client::{self, Row};
use crate::map;
use crate::text::chars;

/// What a tag becomes.
pub const TOPIC: &str = "Topic";
/// Characters of its name (Salesforce facts §9.5 [MEM]).
const NAME_CHARS: usize = 150;

/// Tags as topics. One whose name a topic cannot have stays text in its carriers' field.
///
/// # Errors
/// What ends the unit.
pub async fn topics(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let mut named: BTreeMap<String, Vec<&Item>> = BTreeMap::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (item, tag) in each::<types::Tag>(cx, items) {
        let name = map::tag(tag.name.trim());
        if name.is_empty() || chars(&name) > NAME_CHARS {
            let note = "longer than a topic's name may be: text in its field";
            let losses = vec![loss("tag.name", Fidelity::Converted, note)];
            let main = effect("main", "tag", name, Action::Matched);
            report(cx, item, Status::Matched, vec![main], losses);
            continue;
        }
        // Salesforce does not tell capitals apart.
        named.entry(name.to_lowercase()).or_default().push(item);
        names.entry(name.to_lowercase()).or_insert(name);
    }
    let wanted: BTreeSet<String> = names.values().cloned().collect();
    let select = "SELECT Id, Name FROM Topic";
    let found = client::query_in(cx, select, "Name", &wanted, None).await?;
    let mut effects: BTreeMap<String, Effect> = found
        .iter()
        .map(|topic| {
            let name = text(topic, "Name").to_lowercase();
            (name, effect("main", TOPIC, id_of(topic), Action::Matched))
        })
        .collect();
    let missing: Vec<(&String, &String)> = names
        .iter()
        .filter(|(key, _)| !effects.contains_key(*key))
        .collect();
    let want = |(owner, (key, name)): (usize, &(&String, &String))| {
        let wanted = Wanted {
            row: Row {
                item: first(&named, key)
                    .map(|item| item.key.clone())
                    .unwrap_or_default(),
                part: "main".to_owned(),
                object: TOPIC.to_owned(),
                values: Map::from_iter([("Name".to_owned(), json!(name))]),
            },
            parent: (*name).clone(),
            print: transload_sdk::effects::print(&[("Name".to_owned(), (*name).clone())]),
        };
        Want::new(owner, wanted, None)
    };
    let wants: Vec<Want> = missing.iter().enumerate().map(want).collect();
    let look = Looked {
        cx,
        object: TOPIC,
        select,
        parent: "Name",
        identity: |record| text(record, "Name").to_lowercase(),
    };
    let batch = format!(
        "topics:{}",
        items.first().map_or("", |item| item.key.as_str())
    );
    let mut refused = BTreeMap::new();
    let mut open = BTreeSet::new();
    for (place, fate) in look.insert(&batch, wants).await? {
        let Some((key, _)) = missing.get(place) else {
            continue;
        };
        match fate {
            Fate::There(_, effect) => {
                effects.insert((*key).clone(), *effect);
            }
            Fate::Refused(_, fault) => {
                refused.insert((*key).clone(), fault);
            }
            Fate::Unsettled => {
                open.insert((*key).clone());
            }
        }
    }
    for (key, items) in &named {
        for (at, item) in items.iter().enumerate() {
            if open.contains(key) {
                let why = Status::Unsettled("a topic that was not answered".to_owned());
                report(cx, item, why, Vec::new(), Vec::new());
                continue;
            }
            let Some(main) = effects.get(key) else {
                match refused.get(key) {
                    Some(fault) => reject(cx, item, fault.rejection()),
                    None => reject(cx, item, Error::Bug("a topic that nobody made".to_owned())),
                }
                continue;
            };
            // Of tags that are one topic the first has made it.
            let main = match at {
                0 => main.clone(),
                _ => effect("main", TOPIC, main.target_id.as_str(), Action::Matched),
            };
            let mut losses = Vec::new();
            if let Entity::Tag(tag) = &item.entry().data {
                if tag.color.is_some() {
                    let note = "Salesforce has no colours of tags";
                    losses.push(loss("tag.color", Fidelity::Lost, note));
                }
                if names.get(key).is_none_or(|name| *name != tag.name) {
                    let note = "a topic of nearly the same name is used for it";
                    losses.push(loss("tag.name", Fidelity::Converted, note));
                }
            }
            report(cx, item, status_of(main.action), vec![main], losses);
        }
    }
    Ok(())
}

fn first<'i>(named: &BTreeMap<String, Vec<&'i Item>>, key: &str) -> Option<&'i Item> {
    named.get(key).and_then(|items| items.first().copied())
}
