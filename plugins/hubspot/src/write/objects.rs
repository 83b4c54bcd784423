//! Records of custom objects.
//!
//! A hundred go in one request, each with its unique marker, and with its links to whom and what it belongs to (rule M-15); links
//! to each other are made by `links` afterwards. A record that was there is changed by the written policy (rule M-7).

use std::collections::{BTreeMap, BTreeSet};

use transload_sdk::Context;
use transload_sdk::card;
use transload_sdk::destination::Item;
use transload_sdk::items::{by_object, each};
use transload_sdk::types::{CustomObject, Entity, Error, Reference};

use super::people::{Around, Draft, write};
use crate::api::{Label, LinkType};
use crate::client::{self, LinkTo};
use crate::map;
use crate::own;
use crate::state::State;

/// Records of custom objects.
///
/// # Errors
/// What ends the unit.
pub async fn records(cx: &Context, items: &[Item]) -> Result<(), Error> {
    let state: State = cx.state()?;
    let name = |record: &CustomObject| state.object_of(&record.object_type);
    for (object, items) in by_object(each::<CustomObject>(cx, items), name) {
        let around = Around::of(cx, &object, &items).await?;
        let links = plain_links(cx, &object, &items).await?;
        let mut drafts = Vec::with_capacity(items.len());
        for item in &items {
            if let Entity::CustomObject(data) = &item.entry().data {
                drafts.push(draft(&around, &object, item, data, &links)?);
            }
        }
        write(&around, &object, drafts).await?;
    }
    Ok(())
}

/// The plain links from a custom object to others, by the other; only to those that a batch has.
async fn plain_links(
    cx: &Context,
    object: &str,
    items: &[Item],
) -> Result<BTreeMap<&'static str, LinkType>, Error> {
    let mut wanted = BTreeSet::new();
    for item in items {
        if let Entity::CustomObject(data) = &item.entry().data {
            for (to, reference) in ends(data) {
                if reference.as_ref().and_then(map::own_target).is_some() {
                    wanted.insert(to);
                }
            }
        }
    }
    let mut found = BTreeMap::new();
    for to in wanted {
        let labels: Vec<Label> = client::labels(cx, object, to).await?;
        if let Some(plain) = labels.into_iter().find(|label| label.label.is_none()) {
            found.insert(to, plain.kind);
        }
    }
    Ok(found)
}

fn ends(data: &CustomObject) -> [(&'static str, &Option<Reference>); 3] {
    [
        ("contacts", &data.customer),
        ("companies", &data.company),
        ("tickets", &data.conversation),
    ]
}

fn draft<'a>(
    around: &Around<'_>,
    object: &str,
    item: &'a Item,
    data: &CustomObject,
    links: &BTreeMap<&'static str, LinkType>,
) -> Result<Draft<'a>, Error> {
    let (cx, head) = (around.cx, &item.entry().head);
    let mut draft = Draft::new(around, item, object);
    card::head(head, &mut draft.card);
    let title = match data.title.trim() {
        "" => head.id.as_str(),
        _ => data.title.as_str(),
    };
    draft.fit(own::TITLE, "custom-object.title", title);
    for ((to, reference), says) in ends(data).into_iter().zip([
        "custom-object.customer",
        "custom-object.company",
        "custom-object.conversation",
    ]) {
        let Some(reference) = reference else { continue };
        match (map::own_target(reference), links.get(to)) {
            (Some(id), Some(kind)) => draft.links.push(LinkTo {
                to: id.to_owned(),
                types: vec![kind.clone()],
            }),
            _ => {
                draft.card.reference(says, Some(reference));
                draft.note(says, "not migrated, or not linked: on the source card");
            }
        }
    }
    if let Some(owner) = data.assignee.as_ref().and_then(map::owner)
        && around.config.assign_owners
    {
        draft.set("hubspot_owner_id", owner);
    }
    draft.tags(around, &data.tags);
    card::object(&cx.blobs(), data, &mut draft.card)?;
    draft.finish(around)?;
    Ok(draft)
}
